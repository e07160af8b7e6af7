/* Clock skew: hosts' clocks differ, so that a child can seem to begin before its parent. Shown
 * beside the raw times, never instead of them; nothing that is stored is changed. */
#pragma once

#include "span/tree.h"

struct fg_skew {
    const int64_t *shift_ns; /* by row: to be added to its times; 0 where nothing is known */
    uint32_t adjusted_count; /* edges at which clocks were found to differ */
};

/* Whether what lies below the edge to a span goes on without its parent: a message that is
 * consumed, or a parent that only produced one. Row must have a parent. */
bool fg_edge_is_async(const struct fg_batch *batch, const struct fg_tree *tree, uint32_t row);

/* A child of another resource that does not lie within its parent is moved, with all below it,
 * into the middle of it, or to its begin where it is the longer one: the rule of Jaeger's clock
 * skew adjuster. A child of the same resource moves as its parent does. Across asynchronous edges
 * nothing is known, so nothing is moved; an open span is nobody's measure. FG_ELIMIT. */
FG_MUST_CHECK int fg_skew_find(const struct fg_batch *batch, const struct fg_tree *tree,
                               struct fg_arena *arena, struct fg_skew *ret_skew);
