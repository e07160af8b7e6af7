/* The final order of a segment's rows: traces by their earliest start, then by id; a trace's spans
 * in depth-first pre-order, siblings by start (span/tree.h); each span once (resolve.h). */
#pragma once

#include "resolve.h"
#include "span/tree.h"

struct fg_order_trace {
    uint64_t id_high, id_low;
    uint64_t start_ns; /* earliest of the rows that stayed */
    uint32_t row_begin, row_count;
};

struct fg_order {
    struct fg_row *rows; /* in final order */
    uint32_t *parent;    /* by place in rows: its parent's place, FG_TREE_NONE where unknown */
    uint32_t count;
    struct fg_order_trace *traces;
    uint32_t trace_count;
    struct fg_resolve_counts counts;
};

/* Orders rows, any of any batches (of one tenant, with all their columns). The same rows in the
 * same order give the same result. The result lies in arena: 20 bytes a row and 40 a trace; work
 * that is given back takes some 40 bytes a row, and 160 for each row of the largest trace.
 * FG_ELIMIT when arena is full; FG_ENOMEM. */
FG_MUST_CHECK int fg_order_rows(const struct fg_batch *const *batches, const struct fg_row *rows,
                                uint32_t count, struct fg_arena *arena, struct fg_order *ret_order);
