/* The path from a trace's root to the row that was looked at last. In depth-first pre-order a row's
 * parent is on the path to the row before it. */
#pragma once

#include "base/error.h"

#include <stdint.h>

/* What stands for a row whose parent is not on the path. */
#define FG_ANCESTRY_NONE UINT32_MAX

struct fg_ancestor {
    uint64_t span_id;
    uint32_t value;
};

/* Begins zeroed. */
struct fg_ancestry {
    struct fg_ancestor *path;
    uint32_t count, capacity;
};

/* Another trace begins. */
void fg_ancestry_begin(struct fg_ancestry *ancestry);
/* The next row of the trace: gives what was told of its parent, and remembers its own value, which
 * is not FG_ANCESTRY_NONE. parent_id 0: a root. FG_ENOMEM. */
FG_MUST_CHECK int fg_ancestry_step(struct fg_ancestry *ancestry, uint64_t span_id,
                                   uint64_t parent_id, uint32_t value, uint32_t *ret_parent);
void fg_ancestry_free(struct fg_ancestry *ancestry);
