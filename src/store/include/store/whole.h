/* Many traces at once, from few columns, for who decides on whole traces.
 *
 * Nearly all traces lie together: in one page of one segment, or in one batch of a head. Those are
 * given where they lie, a page's traces at a time, without building anything. The others are left
 * out: fg_store_trace() gathers them, one by one. */
#pragma once

#include "store/store.h"

struct fg_trace_id {
    uint64_t high, low;
};

/* Trace ids[id], all of it: rows[row_begin] to rows[row_begin + row_count - 1], each span once. */
struct fg_whole_trace {
    uint32_t id;
    uint32_t row_begin, row_count;
};

/* Some traces of one batch. rows: numbers of its rows, rising within a trace. */
struct fg_whole_rows {
    const struct fg_batch *batch;
    const struct fg_whole_trace *traces;
    uint32_t trace_count;
    const uint32_t *rows;
};

struct fg_whole {
    uint32_t tenant;
    const struct fg_trace_id *ids; /* distinct */
    uint32_t count;
    uint32_t columns;                   /* enum fg_columns; ids and times always come */
    const struct fg_predicate *keys_of; /* of attributes those that it uses; NULL: all */
    uint64_t bytes_max;                 /* read from disk; past it FG_ELIMIT; 0: no bound */
    uint64_t deadline_mono_ns;          /* past it FG_ETIMEOUT; 0: none */
    bool (*is_cancelled)(void *arg);    /* may be NULL; asked once a page; true: FG_ECANCELLED */
    int (*rows)(void *arg, const struct fg_whole_rows *rows); /* non-zero ends it, is the result */
    void *arg;
};

/* In no order. Each trace comes once at most; one that does not come lies in several places, or
 * nowhere, or where something is damaged. On the caller's thread. stats are added to, also on
 * failure. FG_ENOMEM, FG_EIO and what is said above. */
FG_MUST_CHECK int fg_store_whole(struct fg_store *store, const struct fg_whole *whole,
                                 struct fg_read_stats *stats);
