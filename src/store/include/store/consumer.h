/* Consumers: rooms that make state of their own of the spans (journeys), and so must see each
 * record of the log, in order, also over restarts.
 *
 *     published --fg_consumer_read()--> in the room's memory --commit--> in its durable state
 *                                                            --fg_consumer_durable()--> let go
 *
 * A consumer reads on a thread of its own and never holds up an acknowledgement: what it has not
 * read yet it gets from the heads, and once they are sealed, from the log's files. Those are kept
 * until both the manifest and each consumer's durable state have passed them, up to
 * fg_store_options.wal_hold_bytes_max and while the disk has room; past half of that it is asked to
 * commit (fg_consumer_progress.is_commit_due). Past all of it the log is let go, and the consumer
 * is told how many records it missed: it then reads all that is stored (fg_consumer_rescan()).
 *
 * A position is the sequence of the next record. The consumer commits it together with what it
 * made of the records before (fg_consumer_put_position()); after a start it gets what came since.
 * Records come again when the power went between its commit and the start's end only if its state
 * is older: never twice for one durable state. */
#pragma once

#include "store/state.h"
#include "store/store.h"

struct fg_consumer;

/* What fg_store_erase() removed. */
struct fg_erased {
    uint32_t tenant;
    const struct fg_predicate *predicate; /* what was asked; NULL: all of the tenant's */
    const struct fg_erased_trace {
        uint64_t id_high, id_low;
    } * traces; /* that lost spans, each once */
    size_t trace_count;
    bool has_more; /* too many to be listed, or all of the tenant's: look at everything */
};

/* In fg_store_options; the array is read while the store opens, names outlive the store. */
struct fg_consumer_options {
    const char *name;
    /* Where its durable state is, asked once while the store opens. FG_ENOTFOUND: nowhere yet.
     * NULL: where the keyed state says, by this name. */
    int (*position)(void *arg, uint64_t *ret_store_id, uint64_t *ret_sequence);
    /* Removes what came of these traces' erased spans from its durable state, and what it knows by
     * the names that were asked (also where no span is stored any more), and returns when that is
     * done: what is left of the traces is in the store. Then the keyed state is compacted. On
     * the thread that erases; records may be read meanwhile. NULL: it keeps nothing of spans. */
    int (*erased)(void *arg, const struct fg_erased *erased);
    void *arg;
};

/* The keyed state of this store; NULL where fg_store_options.state_size_max is 0. */
struct fg_state *fg_store_state(struct fg_store *store);

/* NULL: there is none of this name. */
struct fg_consumer *fg_store_consumer(struct fg_store *store, const char *name);

struct fg_consumed {
    uint64_t sequence;
    uint32_t tenant;
    const struct fg_batch *batch; /* valid during the call */
};

struct fg_consumer_progress {
    uint64_t position; /* behind the last record that was given */
    uint64_t missed;   /* records that were passed over, since they are nowhere in the log any more:
                          stored before this consumer was there, or let go */
    bool is_commit_due; /* somebody waits for its durable state: commit soon */
};

/* Gives the records from its place on, each once, oldest first, as many as there are now; where
 * there is none, waits up to timeout_ns for one. A non-zero return of record ends the call, counts
 * as given, and is the result. FG_ETIMEOUT: none came; FG_ECANCELLED: the store is about to close,
 * and all were given; FG_EIO, FG_ENOMEM: the same call may be tried again. *ret_progress is filled
 * always. One thread at a time. */
FG_MUST_CHECK int fg_consumer_read(struct fg_consumer *consumer, uint64_t timeout_ns,
                                   int (*record)(void *arg, const struct fg_consumed *consumed),
                                   void *arg, struct fg_consumer_progress *ret_progress);

/* Adds the position to a batch of the keyed state. */
void fg_consumer_put_position(struct fg_consumer *consumer, struct fg_state_batch *batch,
                              uint64_t position);
/* What is durable covers every record below position, which never goes back. */
void fg_consumer_durable(struct fg_consumer *consumer, uint64_t position);

struct fg_consumer_lag {
    uint64_t records;   /* acknowledged and not read */
    uint64_t undurable; /* acknowledged and not in its durable state */
    uint64_t missed;    /* since the start */
};
void fg_consumer_lag(struct fg_consumer *consumer, struct fg_consumer_lag *ret_lag);

/* Gives all that is stored, of every tenant, tenant by tenant and newest first, each span at least
 * once: for a consumer that is new, missed records, or is to begin anew. What was
 * acknowledged before the call is in it. Ingest goes on. progress may be NULL. Results are
 * fg_store_scan()'s; damaged pages are skipped, and counted in stats. */
struct fg_consumer_scan {
    uint32_t columns; /* enum fg_columns */
    int (*rows)(void *arg, uint32_t tenant, const struct fg_scan_rows *rows);
    void (*progress)(void *arg, uint64_t done_spans, uint64_t total_spans);
    bool (*is_cancelled)(void *arg); /* may be NULL */
    void *arg;
};
FG_MUST_CHECK int fg_consumer_rescan(struct fg_store *store, const struct fg_consumer_scan *scan,
                                     struct fg_read_stats *stats);

/* Has every consumer's reader called: before the end, so that each commits what it has. Reads
 * return FG_ECANCELLED once there is nothing left. */
void fg_store_end_consumers(struct fg_store *store);
