/* Where sealed spans go: the seam below WAL and head, which are always local. local/ is one
 * implementation; a cluster elsewhere could be another. Nothing above this header knows which it
 * is.
 *
 * Sequences are the WAL's numbers of records. A sealed head is the set of records [begin, end); the
 * set's begin is its identity, so that a put that is repeated after a crash stores nothing twice.
 *
 * Threads: any call from any thread, except that a view belongs to one thread and put() and
 * maintain() are never called twice at once. */
#pragma once

#include "epoch.h"
#include "store/consumer.h"
#include "store/whole.h"

struct fg_blocks;
struct fg_blocks_readers;
struct fg_blocks_scan;
struct fg_blocks_view;

/* The rows of one appended batch. */
struct fg_blocks_rows {
    uint32_t tenant;
    const struct fg_batch *batch; /* valid during put() */
};

struct fg_blocks_put {
    const struct fg_blocks_rows *rows; /* in the order in which they came */
    size_t count;
    uint64_t sequence_begin, sequence_end; /* of the WAL */
    uint64_t hold; /* epochs of records from here on are remembered; 0: from sequence_end on */
};

/* Rows that belong to the answer: batch's rows [row_begin, row_end). Valid during the call, or
 * until the scan's next page. */
struct fg_blocks_page {
    const struct fg_batch *batch;
    uint32_t row_begin, row_end;
};

/* A trace's rows in one segment: every form that it has there is resolved, and they are in order.
 */
struct fg_blocks_place {
    size_t segment; /* of the view */
    uint64_t row_begin, row_count;
};

struct fg_blocks_places {
    struct fg_blocks_place *items; /* from malloc */
    size_t count, capacity;
};

/* Many traces at once. places[i]: how many places are known to hold rows of whole->ids[i]. */
#define FG_BLOCKS_PLACES_MANY 2u
struct fg_blocks_whole {
    const struct fg_whole *whole;
    uint8_t *places;         /* up to FG_BLOCKS_PLACES_MANY, which is: several, or not known */
    int (*check)(void *arg); /* asked once a page; non-zero ends it, and is the result */
    void *check_arg;
};

struct fg_blocks_erase {
    uint32_t tenant;
    const struct fg_predicate *predicate; /* NULL: everything */
    bool whole_traces;
    bool wants_traces; /* whoever made state of the spans is to be told */
};

struct fg_blocks_erased {
    uint64_t span_count;
    struct fg_erased_trace *traces; /* the caller frees them; with wants_traces */
    size_t trace_count;
    bool has_more_traces; /* not all are listed */
};

struct fg_blocks_backup {
    const char *path;
    void (*progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes); /* may be NULL */
    void *progress_arg;
    /* What else belongs to it, when all sealed files are there and the manifest, which makes it a
     * backup, is not yet; may be NULL. Records below checkpoint are in it. */
    int (*rest)(void *arg, uint64_t checkpoint);
    void *rest_arg;
};

/* What the blocks keep of the log, since both must change together. */
struct fg_blocks_log {
    uint64_t store_id;   /* marks the groups of this store */
    uint64_t checkpoint; /* every record below it is in the blocks */
    uint32_t epoch_count;
    struct fg_wal_epoch epochs[FG_WAL_EPOCHS_MAX];
};

struct fg_blocks_ops {
    void (*log)(struct fg_blocks *blocks, struct fg_blocks_log *ret_log);
    /* Makes durable that records from first_sequence on carry a new epoch. Those of records from
     * hold on stay; 0: from the checkpoint on. FG_ELIMIT: there are too many since; put() what
     * there is first, or hold less. */
    int (*epoch_raise)(struct fg_blocks *blocks, uint64_t first_sequence, uint64_t hold,
                       uint64_t *ret_epoch);

    /* Makes the rows durable and moves the checkpoint to sequence_end in the same step; views that
     * are taken after it have both. FG_ENOSPACE and FG_ENOMEM: nothing happened, try again later.
     * Other errors: what is on disk is not known; the store must be opened anew. */
    int (*put)(struct fg_blocks *blocks, const struct fg_blocks_put *put);
    /* A consistent state of all sealed rows. FG_ENOMEM. */
    int (*view_take)(struct fg_blocks *blocks, struct fg_blocks_view **ret_view);
    void (*view_release)(struct fg_blocks_view *view);
    /* The checkpoint at the moment it was taken: a head that ends at or below it is in the view. */
    uint64_t (*view_checkpoint)(const struct fg_blocks_view *view);
    /* FG_ETIMEOUT: its reader must give it up, since what it shows was erased. */
    int (*view_check)(const struct fg_blocks_view *view);

    /* Where a trace lies: adds to places, which is empty. That it is nowhere is no error. stats is
     * added to. */
    int (*trace_find)(struct fg_blocks_view *view, uint32_t tenant, uint64_t id_high,
                      uint64_t id_low, struct fg_blocks_readers *readers,
                      struct fg_blocks_places *places, struct fg_read_stats *stats);
    /* Calls page for the rows of one of those places, in their order, which is fg_order_rows()'s; a
     * non-zero return ends it and is the result. readers, here and above: what earlier calls kept,
     * also of other views. */
    int (*trace_read)(struct fg_blocks_view *view, const struct fg_blocks_place *place,
                      struct fg_blocks_readers *readers,
                      int (*page)(void *arg, const struct fg_blocks_page *page), void *arg,
                      struct fg_read_stats *stats);
    int (*readers_new)(struct fg_blocks_readers **ret_readers);
    void (*readers_free)(struct fg_blocks_readers *readers); /* NULL is accepted */

    /* Of many traces those that lie whole in one page and nowhere else, as store/whole.h says.
     * Raises places. */
    int (*whole)(struct fg_blocks_view *view, const struct fg_blocks_whole *ask,
                 struct fg_read_stats *stats);

    /* Pages that may hold rows that match, newest first: what statistics, dictionaries and filters
     * rule out does not come, everything else does, unfiltered. scan and stats outlive it. */
    int (*scan_open)(struct fg_blocks_view *view, const struct fg_scan *scan,
                     struct fg_read_stats *stats, struct fg_blocks_scan **ret_scan);
    /* The greatest start that a row of the coming pages can have; FG_ENOTFOUND: there are none. */
    int (*scan_peek)(struct fg_blocks_scan *scan, uint64_t *ret_start_ns_max);
    /* The next page, valid until the next call; one without rows was looked at, and none of its
     * rows matches: it may lack columns that the predicate does not read. FG_ECORRUPT: it is
     * damaged and was skipped and counted; go on with the one after it. */
    int (*scan_next)(struct fg_blocks_scan *scan, struct fg_blocks_page *ret_page);
    void (*scan_close)(struct fg_blocks_scan *scan);

    /* Adds the sealed minutes of [start_ns_min, start_ns_max). */
    int (*rollup)(struct fg_blocks_view *view, uint32_t tenant, uint64_t start_ns_min,
                  uint64_t start_ns_max, struct fg_rollup *rollup);

    /* One bounded piece of upkeep: a merge, what is past its retention, files nobody needs.
     * thorough: also what nothing presses to do, until *ret_did is false. */
    int (*maintain)(struct fg_blocks *blocks, bool thorough, bool *ret_did);
    /* Has maintain(), erase() and backup() end soon, with FG_ECANCELLED; before close(). */
    void (*stop)(struct fg_blocks *blocks);
    /* How much waits to be merged, in thousandths of what is too much: from FG_MERGE_SLOW_PERMILLE
     * on ingest is slowed, from 1000 on it must wait. */
    uint32_t (*merge_load)(struct fg_blocks *blocks);
    void (*set_retention)(struct fg_blocks *blocks, const struct fg_retention *retention);

    /* As fg_store_erase(), fg_store_backup() and so on, for sealed rows alone. erase() and backup()
     * are called with no maintenance running. */
    int (*erase)(struct fg_blocks *blocks, const struct fg_blocks_erase *erase,
                 struct fg_blocks_erased *ret_erased);
    int (*backup)(struct fg_blocks *blocks, const struct fg_blocks_backup *backup);
    int (*segments)(struct fg_blocks *blocks,
                    int (*fn)(void *arg, const struct fg_segment_stats *segment), void *arg);
    int (*columns)(struct fg_blocks *blocks,
                   int (*fn)(void *arg, const struct fg_column_stats *column), void *arg);
    /* Fills what it knows; the other fields stay as they are. */
    void (*counters)(struct fg_blocks *blocks, struct fg_store_counters *counters);

    /* No view is out. NULL is accepted. */
    void (*close)(struct fg_blocks *blocks);
};

struct fg_blocks {
    const struct fg_blocks_ops *ops;
};
