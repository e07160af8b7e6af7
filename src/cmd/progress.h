/* A progress bar on standard error, for work that takes long. Drawn only on a terminal, from the
 * first second on, ten times a second at most, and wiped away at the end. */
#pragma once

#include "command.h"

struct fg_progress {
    struct fg_cli *cli;
    const char *label;
    bool is_bytes; /* done and total are bytes; otherwise things */
    uint64_t begin_ns, drawn_ns;
    bool drawn;
};

void fg_progress_begin(struct fg_progress *progress, struct fg_cli *cli, const char *label,
                       bool is_bytes);
/* total 0: not known; the count and the rate are shown alone. */
void fg_progress_update(struct fg_progress *progress, uint64_t done, uint64_t total);
void fg_progress_end(struct fg_progress *progress);
