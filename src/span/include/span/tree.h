/* The tree of a trace's spans. Made for traces as they come: with spans whose parent is missing,
 * with two spans of one id (Zipkin's shared spans), with parents in a circle, with 100 000 levels,
 * with 100 000 spans of one id.
 */
#pragma once

#include "base/arena.h"
#include "span/batch.h"

#define FG_TREE_NONE UINT32_MAX

struct fg_tree {
    uint32_t count;
    const uint32_t *order;  /* rows depth first, parents before children, siblings by start */
    const uint32_t *parent; /* by row: its parent's row, or FG_TREE_NONE */
    const uint32_t *depth;  /* by row: 0 for a root */
    uint32_t root; /* the row that stands for the trace; FG_TREE_NONE when it has no span */
};

/* What a tree needs to know of a span. */
struct fg_tree_span {
    uint64_t span_id, parent_span_id;
    uint64_t start_ns;
    uint64_t process; /* equal for the spans of one resource */
    bool is_shared;
};

/* All rows of batch, which must have its ids and times, taken as one trace. Memory comes from
 * arena: at most 96 bytes a row. FG_ELIMIT.
 *
 * A shared span's parent is the client's half of its id. Where several spans have the id that a
 * span names as its parent, one of the same resource is taken, otherwise the last that started
 * before it. Siblings that start together stand by span id, then by row. Root is the first of those
 * without a parent id, otherwise the first whose parent is missing. Takes n log n. */
FG_MUST_CHECK int fg_tree_build(const struct fg_batch *batch, struct fg_arena *arena,
                                struct fg_tree *ret_tree);

/* The same of spans that lie in several batches; row i is spans[i]. */
FG_MUST_CHECK int fg_tree_build_spans(const struct fg_tree_span *spans, uint32_t count,
                                      struct fg_arena *arena, struct fg_tree *ret_tree);
