/* The store's own state, for the files of this folder.
 *
 * Threads: the committer (commit.c) writes the WAL, publishes in the active head and is the only
 * one that replaces it; the sealer (seal.c) puts full heads into the blocks and prepares WAL files;
 * maintenance (maintain.c) runs the blocks' upkeep, so that a long merge never holds up a seal. A
 * manual store has none of them and fg_store_step() does a piece of the same work.
 *
 * Locks, in the order in which they may nest: job_lock (FG_RANK_STORE_JOB), the blocks' own,
 * consume_lock (FG_RANK_CONSUME), lock (FG_RANK_STORE), queue_lock (FG_RANK_WAL), wake_lock
 * (FG_RANK_LEAF). */
#pragma once

#include "blocks.h"
#include "event.h"
#include "head.h"
#include "os/thread.h"
#include "retries.h"
#include "space.h"
#include "wal.h"

#include <stdatomic.h>

struct fg_consumer;
struct fg_state;

struct fg_store {
    struct fg_store_options options; /* path is the store's own copy */
    struct fg_env *env;
    struct fg_file *folder_lock;
    struct fg_space space;
    struct fg_blocks *blocks;
    struct fg_wal_codec *codec;
    struct fg_wal *wal; /* NULL in a read-only store */

    /* Held by whoever maintains, erases or backs up. */
    struct fg_mutex job_lock;

    /* The heads. The sealing one is older than the active one. */
    struct fg_mutex lock;
    struct fg_cond changed; /* a seal ended, well or not */
    struct fg_head *active, *sealing;
    atomic_uint_fast64_t heads_sealed; /* since the start; the number of the oldest head */
    atomic_uint heads_alive;           /* in memory, those that readers hold included */
    uint64_t seal_tries;
    int seal_result; /* of the last try */

    /* Appends on their way to the committer. */
    struct fg_mutex queue_lock;
    struct fg_cond queue_changed;
    struct fg_append *queue_first, *queue_last;
    bool rotate_wanted; /* the active head, though it is neither full nor old */
    bool is_nudged, is_closing;

    atomic_uint_fast64_t queue_bytes;  /* taken, not yet published */
    atomic_uint_fast64_t active_bytes; /* of the active head */
    atomic_bool is_sealing;            /* there is a sealing head */
    atomic_int state;                  /* enum fg_store_state */

    struct fg_retries *retries;     /* the committer's */
    struct fg_slice *commit_slices; /* the committer's */
    size_t commit_slice_capacity;
    uint64_t blocked_mono_ns; /* the committer's: since when both heads are full; 0: they are not */
    uint64_t commit_begin_mono_ns, commit_bytes; /* the committer's: of the last commit */
    uint64_t seal_begin_mono_ns, sealing_bytes;  /* the committer's: of the head that is sealed */
    atomic_uint_fast64_t seal_byte_ps; /* picoseconds that a byte of the last sealed head took */

    /* The keyed state, and who makes it of the log (consume.h). */
    struct fg_state *keyed_state; /* NULL: none */
    struct fg_consumer *consumers;
    size_t consumer_count;
    struct fg_mutex rollup_lock; /* the heads' rollups */
    uint64_t rollup_seed;
    struct fg_mutex consume_lock;
    struct fg_cond consume_changed;
    atomic_uint consume_waiters;
    atomic_bool is_consume_ending;
    atomic_uint_fast64_t sealed_sequence; /* records below it are in the blocks */

    struct fg_mutex wake_lock; /* the sealer and maintenance sleep on it */
    struct fg_cond wake;
    bool seal_due, is_stopping;
    struct fg_thread committer, sealer, maintainer;
    unsigned thread_count;

    struct {
        atomic_uint_fast64_t appended_spans, appended_requests, retried_requests, refused_requests;
        atomic_uint_fast64_t commit_groups, commit_ns_total, commit_ns_max, seals;
        uint64_t recovered_records, recovered_spans, damaged_records;
    } counters;
};

/* -- Snapshots (snapshot.c): one consistent state of heads and blocks for one reader's thread */

struct fg_snapshot {
    struct fg_store *store;
    struct fg_head *heads[2]; /* those that the view does not have; NULL: none */
    struct fg_head_info watermarks[2];
    struct fg_blocks_view *view;
    uint64_t oldest_head_number;
    uint64_t end_mono_ns;
};

FG_MUST_CHECK int fg_snapshot_take(struct fg_store *store, struct fg_snapshot *snapshot);
void fg_snapshot_release(struct fg_snapshot *snapshot);
/* FG_ETIMEOUT: too old, or ended by an erase or by the memory that it pins. Asked once a page. */
FG_MUST_CHECK int fg_snapshot_check(const struct fg_snapshot *snapshot);
/* Whether its heads are memory that is wanted back: one of them was sealed meanwhile. */
bool fg_snapshot_is_behind(const struct fg_snapshot *snapshot);
/* Who has read the heads gives them back, and may go on with the segments for as long as those may
 * be pinned, however much is sealed meanwhile. */
void fg_snapshot_leave_heads(struct fg_snapshot *snapshot);

/* -- Other files' */

/* A write or sync failed: no more appends. Says so, once. */
void fg_store_fail(struct fg_store *store, int error, const char *what);
/* The disk is full: appends are refused until fg_maintain_step() finds that there is room. */
void fg_store_refuse_for_space(struct fg_store *store);

void fg_committer_run(void *store);
/* Commits what waits, and replaces the active head where that is due. */
void fg_commit_step(struct fg_store *store, bool *ret_did);
/* Answers what still waits with FG_EAGAIN. */
void fg_commit_refuse(struct fg_store *store);
/* Has the committer look whether the active head must be replaced; with rotate it must, as soon as
 * there is no sealing head. */
void fg_commit_nudge(struct fg_store *store, bool rotate);
/* How long after a commit of so many bytes the next one begins at the earliest, while the other
 * head is sealed: so that the room that is left in the active head lasts for what is left of the
 * seal, which began elapsed_ns ago and is expected to take seal_ns. At most FG_COMMIT_DELAY_NS_MAX.
 */
uint64_t fg_commit_delay_ns(uint64_t commit_bytes, uint64_t room_bytes, uint64_t seal_ns,
                            uint64_t elapsed_ns);
/* The same for merges: nothing up to FG_MERGE_SLOW_PERMILLE of what may wait to be merged. */
uint64_t fg_commit_merge_delay_ns(uint64_t commit_bytes, uint32_t merge_load);

void fg_sealer_run(void *store);
/* Puts a head's rows into the blocks; on a full disk a second time, with the reserve's room. */
FG_MUST_CHECK int fg_seal_head(struct fg_store *store, struct fg_head *head);
/* A file for the log before it is needed, unless the disk is full: making one takes half a second.
 */
void fg_seal_prepare_log(struct fg_store *store);
/* Seals the sealing head where there is one. */
FG_MUST_CHECK int fg_seal_step(struct fg_store *store, bool *ret_did);

void fg_maintainer_run(void *store);
/* Looks after the disk's room; does one job of the blocks where one is due. */
FG_MUST_CHECK int fg_maintain_step(struct fg_store *store, bool *ret_did);

/* Replays the WAL into the active head and opens it for writing. */
FG_MUST_CHECK int fg_recover(struct fg_store *store, struct fg_arena *arena,
                             const char **ret_message);
