/* The store: what Filigree keeps, and its promise that nothing acknowledged is lost.
 *
 * Above everything that differs between back ends lie the WAL and the head, which are always local;
 * sealed blocks go to a struct fg_blocks_ops (blocks.h), of which local/ is one. Callers see one
 * store.
 *
 * Threads: unless said otherwise every call may come from any thread. Callbacks come from the
 * thread that is named; they must not block and must not call back into the store. */
#pragma once

#include "base/arena.h"
#include "os/env.h"
#include "span/batch.h"
#include "store/predicate.h"

struct fg_block;
struct fg_consumer_options; /* consumer.h */
struct fg_builder;
struct fg_rollup;
struct fg_store;

/* -- Opening
 * ---------------------------------------------------------------------------------------------------------
 */

/* For how long spans that meet all that is asked stay, where that differs from the rest. The first
 * policy that a span meets is its own; a trace stays as long as the longest of its spans. */
struct fg_retention_policy {
    bool has_tenant, has_status, has_age;
    uint32_t tenant;
    struct fg_slice tenant_name;   /* what tenant was found by, where it was; not the store's */
    uint8_t status;                /* enum fg_status_code */
    struct fg_slice service, name; /* empty: any */
    struct fg_slice key, value;    /* of the span or its resource, a text; key empty: any */
    uint64_t age_ns;               /* 0: for ever */
    /* Of the policy's spans, or, where nothing but a tenant is asked, of the tenant's sealed files:
     * the oldest days go first; 0: no bound. */
    uint64_t bytes_max;
};

struct fg_retention {
    uint64_t age_ns;           /* by start time; 0: for ever */
    uint64_t bytes_max;        /* of sealed files; the oldest partitions go first; 0: no bound */
    uint64_t pinned_bytes_max; /* what pinned traces may keep of partitions past their age */
    const struct fg_retention_policy *policies; /* copied; FG_RETENTION_POLICIES_MAX at most */
    size_t policy_count;
};

struct fg_store_options {
    struct fg_env *env;       /* borrowed */
    const char *path;         /* made where missing */
    uint64_t head_size_max;   /* bytes; sealed from there */
    uint64_t head_age_ns_max; /* sealed at this age */
    uint64_t wal_segment_size;
    uint64_t cache_size_max;         /* indexes, filters, dictionaries of all segments together */
    uint64_t append_queue_bytes_max; /* taken, not yet durable; past it FG_EAGAIN */
    uint64_t merge_rate_bytes;       /* a second, written by merges; 0: as fast as it goes */
    uint64_t
        reserve_bytes; /* disk kept free for merges: below it ingest is refused with FG_ENOSPACE */
    struct fg_retention retention;
    /* Whether a trace must outlive its retention (an open or broken journey); may be NULL.
     * Maintenance thread. */
    bool (*is_pinned)(void *arg, uint32_t tenant, uint64_t trace_id_high, uint64_t trace_id_low);
    /* Whether is_pinned() knows already: while it says false nothing expires. May be NULL: always.
     */
    bool (*knows_pins)(void *arg);
    void *is_pinned_arg;
    /* The keyed state beside the spans (state.h), in bytes that it may grow to; 0: none. */
    uint64_t state_size_max;
    /* Who must see each record of the log once (consumer.h), and how much of the log is kept for
     * them at most. */
    const struct fg_consumer_options *consumers;
    size_t consumer_count;
    uint64_t wal_hold_bytes_max;
    /* Told of what nobody waits for: a seal that failed, a damaged file. Any thread; message is a
     * sentence. */
    void (*on_event)(void *arg, int severity /* enum fg_log_level */, const char *message);
    void *on_event_arg;
    unsigned scan_threads;  /* that help scans which take help; 0: none */
    uint64_t scan_alone_ns; /* how long such a scan works alone first */
    bool manual;            /* tests: no threads; the caller drives fg_store_step() */
    bool read_only;         /* no WAL replay into new files, no maintenance; for tools */
};

struct fg_store_options fg_store_options_default(struct fg_env *env, const char *path);

/* Opens, recovers and starts. FG_EBUSY: another server holds the folder. FG_EUNSUPPORTED: of a
 * newer format. FG_EDENIED, FG_ENOSPACE, FG_EIO, FG_ECORRUPT (manifest lost: nothing is guessed).
 * message gets a sentence that says what to do. */
FG_MUST_CHECK int fg_store_open(const struct fg_store_options *options, struct fg_arena *arena,
                                const char **ret_message, struct fg_store **ret_store);

/* Commits what was taken, ends the threads, closes. With seal the head is sealed first, so that the
 * next start replays nothing. NULL is accepted. */
void fg_store_close(struct fg_store *store, bool seal);

/* Changes what can change while running. */
void fg_store_set_retention(struct fg_store *store, const struct fg_retention *retention);

/* -- Appending
 * -------------------------------------------------------------------------------------------------------
 */

/* One request's spans on their way to the disk. Embedded in the caller's request; untouched by the
 * caller from fg_store_append_take() until done. */
struct fg_append {
    struct fg_block *block; /* consumed */
    uint32_t tenant;
    uint64_t request_hash; /* of the raw request; 0: not known. A retry within FG_RETRY_WINDOW_NS is
                              stopped early */
    /* Committer thread (manual: inside fg_store_step()). result: 0 = durable and readable; FG_EIO,
     * FG_ENOSPACE, FG_EAGAIN (sealing lags behind: retry later), FG_ENOMEM. */
    void (*done)(struct fg_append *append, int result);
    bool was_retry; /* set when done: the same request had been acknowledged before */
    /* the store's own */
    struct fg_append *next;
    uint8_t *record;
    uint64_t record_size, record_capacity, raw_size;
};

/* Takes the block always. 0: done will be called once. FG_EAGAIN (the queue or the merge debt is
 * full: retry later), FG_ENOSPACE, FG_EIO (the store failed and is read-only), FG_ELIMIT (larger
 * than a WAL record): done is not called. */
FG_MUST_CHECK int fg_store_append_take(struct fg_store *store, struct fg_append *append);

/* -- Reading
 * ---------------------------------------------------------------------------------------------------------
 */

struct fg_read_stats {
    uint64_t segments, segments_pruned, row_groups, row_groups_pruned, pages, pages_pruned;
    uint64_t bytes_read, rows_scanned, rows_matched;
    uint32_t damaged_pages; /* skipped; the answer is partial */
};

struct fg_trace_result {
    uint32_t span_count;
    bool truncated; /* more than FG_TRACE_SPANS_MAX or the builder's bytes */
    struct fg_read_stats stats;
};

/* All spans of a trace, from head and segments, each identity once (see resolve.h), appended to
 * builder in depth-first pre-order where parents are known. FG_ENOTFOUND. */
FG_MUST_CHECK int fg_store_trace(struct fg_store *store, uint32_t tenant, uint64_t id_high,
                                 uint64_t id_low, struct fg_builder *builder,
                                 struct fg_trace_result *ret_result);

/* Rows of a scan: those of batch's rows [row_begin, row_end) whose bit is set match. No row that
 * comes in a later call has a start after frontier_ns, so that a reader who wants the newest can
 * stop. A row may come twice (an open and an ended form, a retry). Non-zero ends the scan and is
 * its result. */
struct fg_scan_rows {
    const struct fg_batch *batch;
    uint32_t row_begin, row_end;
    const uint64_t *bits;
    uint64_t frontier_ns;
};

struct fg_scan {
    uint32_t tenant;
    uint64_t start_ns_min, start_ns_max;  /* [min, max) of a span's start */
    const struct fg_predicate *predicate; /* checked; NULL: every row */
    uint32_t columns;                     /* enum fg_columns, beyond the predicate's own */
    uint64_t bytes_max;                   /* read from disk; past it FG_ELIMIT; 0: no bound */
    uint64_t deadline_mono_ns;            /* past it FG_ETIMEOUT; 0: none */
    /* Row groups are looked at ahead by the store's scan threads once it has taken a while. Rows,
     * their order and what is counted are the same, on the caller's thread. */
    bool takes_help;
    bool (*is_cancelled)(void *arg); /* may be NULL; asked once a page; true: FG_ECANCELLED */
    int (*rows)(void *arg, const struct fg_scan_rows *rows);
    void *arg;
};

/* Newest pages first. On the caller's thread. stats are filled also on failure. */
FG_MUST_CHECK int fg_store_scan(struct fg_store *store, const struct fg_scan *scan,
                                struct fg_read_stats *stats);

/* A place in the stream of spans as they become durable; good for one opening of the store. */
struct fg_follow_position {
    uint64_t sequence; /* of the next record */
    uint64_t span;     /* spans that came before it */
};

struct fg_follow {
    uint32_t tenant;
    const struct fg_predicate *predicate; /* checked; NULL: every row */
    /* As a scan's, but oldest first and without a frontier. Non-zero ends the call, and is its
     * result; the batch counts as given. */
    int (*rows)(void *arg, const struct fg_scan_rows *rows);
    void *arg;
};

/* Where what becomes durable from now on begins. */
struct fg_follow_position fg_store_follow_end(struct fg_store *store);

/* Gives what came from *position on, in the order in which it was acknowledged, from memory alone,
 * and moves *position behind it. Does not wait. Who comes so seldom that a head was sealed and is
 * gone has missed its spans: *missed_spans is increased by how many, of all tenants. FG_ENOMEM,
 * FG_ELIMIT (a pattern ran past its match limit). */
FG_MUST_CHECK int fg_store_follow(struct fg_store *store, const struct fg_follow *follow,
                                  struct fg_follow_position *position, uint64_t *missed_spans);

/* Adds the minute rollups of [start_ns_min, start_ns_max) to rollup: sealed minutes from their
 * blocks, the head's from its rows. */
FG_MUST_CHECK int fg_store_rollup(struct fg_store *store, uint32_t tenant, uint64_t start_ns_min,
                                  uint64_t start_ns_max, struct fg_rollup *rollup);

/* -- Looking after
 * ---------------------------------------------------------------------------------------------------
 */

/* Seals the head now and returns when it is in a segment. */
FG_MUST_CHECK int fg_store_seal(struct fg_store *store);

/* Merges until nothing is worth merging, deletes what is past its retention. For tests, tools and
 * benchmarks. */
FG_MUST_CHECK int fg_store_settle(struct fg_store *store);

/* Removes every span that matches predicate (whole_traces: every span of each trace that has one)
 * from head, WAL, segments and rollups; older snapshots end. When it returns the bytes are nowhere
 * in the folder. ret_count: spans removed. */
FG_MUST_CHECK int fg_store_erase(struct fg_store *store, uint32_t tenant,
                                 const struct fg_predicate *predicate, bool whole_traces,
                                 uint64_t *ret_count);

/* A consistent copy in path (made; must be missing or empty), openable as a store. Ingest goes on
 * meanwhile; what was acknowledged before the call is in it. progress may be NULL. */
FG_MUST_CHECK int fg_store_backup(struct fg_store *store, const char *path,
                                  void (*progress)(void *arg, uint64_t done_bytes,
                                                   uint64_t total_bytes),
                                  void *progress_arg);

/* Every checksum of a folder that no server holds. damage is called for each finding with file,
 * offset and a sentence. Returns 0 when it could be read, ret_damage_count says how it went. */
FG_MUST_CHECK int
fg_store_verify(struct fg_env *env, const char *path,
                void (*damage)(void *arg, const char *file, uint64_t offset, const char *what),
                void (*progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes), void *arg,
                uint64_t *ret_damage_count);

/* One segment file, for `stats`. */
struct fg_segment_stats {
    uint32_t tenant;
    uint32_t day; /* days since 1970 of start time */
    uint64_t id, level;
    uint64_t span_count, trace_count, size_bytes, start_ns_min, start_ns_max;
};

struct fg_column_stats {
    uint32_t tenant;
    uint32_t day;
    enum fg_field level; /* FG_FIELD_ATTR_*, or FG_FIELD_NAME for what is no attribute */
    struct fg_slice key;
    uint64_t size_bytes, value_count;
};

FG_MUST_CHECK int fg_store_segments(struct fg_store *store,
                                    int (*fn)(void *arg, const struct fg_segment_stats *segment),
                                    void *arg);
FG_MUST_CHECK int fg_store_columns(struct fg_store *store,
                                   int (*fn)(void *arg, const struct fg_column_stats *column),
                                   void *arg);

enum fg_store_state {
    FG_STORE_OK,
    FG_STORE_NO_SPACE, /* ingest refused until there is room */
    FG_STORE_FAILED,   /* a write or sync failed: read-only until restart */
};

/* Totals since the start unless said otherwise. */
struct fg_store_counters {
    enum fg_store_state state;
    uint64_t appended_spans, appended_requests, retried_requests, refused_requests;
    uint64_t commit_groups, wal_bytes_written, wal_size_bytes /* now */;
    uint64_t commit_ns_total, commit_ns_max;
    uint64_t head_spans, head_bytes /* now */;
    uint64_t heads; /* now: filled, sealed, and held by readers though they are sealed */
    uint64_t seals, seal_bytes_written, merges, merge_bytes_written,
        merge_copied_spans, /* of spans that were merged: with their row group, as it lay */
        merge_debt_bytes /* now */;
    uint64_t segment_count, segment_bytes, segment_spans /* now */;
    uint64_t held_bytes; /* now: of segments that are no part of the store, and that readers hold */
    uint64_t behind;     /* now: records that the slowest consumer has not been given */
    uint64_t retention_dropped_spans, erased_spans, damaged_pages, duplicate_spans;
    uint64_t disk_free_bytes, disk_total_bytes /* now */;
    uint64_t recovered_records, recovered_spans; /* at the start */
    uint64_t damaged_records; /* at the start: acknowledged, and not readable any more */
    uint64_t cache_bytes /* now */;
    uint64_t state_used_bytes, state_file_bytes, state_size_max /* of the keyed state, now */;
};

void fg_store_counters(struct fg_store *store, struct fg_store_counters *ret_counters);

/* Manual stores only: commits what waits, or does one maintenance job if due. *ret_did: whether
 * there was anything. */
FG_MUST_CHECK int fg_store_step(struct fg_store *store, bool *ret_did);
