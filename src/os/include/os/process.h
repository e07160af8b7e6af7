/* What the process uses of its machine, and what it may use. */
#pragma once

#include "base/error.h"

#include <stdint.h>

struct fg_process_usage {
    uint64_t cpu_ns; /* user and system, of all threads, since the start */
    uint64_t resident_bytes, virtual_bytes;
    uint64_t thread_count;
    uint64_t open_files, open_files_max;
};

/* FG_EIO where /proc is not there. */
FG_MUST_CHECK int fg_process_usage(struct fg_process_usage *ret_usage);

/* Processors that this process may run on; at least 1. */
unsigned fg_processor_count(void);
