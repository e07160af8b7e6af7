/* The keyed state: what is small, changes in place and is found by its key, beside the store's
 * spans: journeys, flows, users, tokens. Named tables of ordered keys, in LMDB at FOLDER/state/.
 *
 * A batch of changes is committed as a whole and is on disk when the commit returns; a view shows
 * one commit whole and never a part of one. Each value carries a checksum that is checked when it
 * is read.
 *
 * One thread writes (the state's own); commits that wait while it syncs share the next sync. Calls
 * may come from any thread, but a view and a batch belong to one thread at a time. */
#pragma once

#include "base/arena.h"
#include "os/env.h"

struct fg_state;
struct fg_state_view;
struct fg_state_batch;

/* Bytes of a key, 1 to this (LMDB's own bound), and of a table's name. */
#define FG_STATE_KEY_SIZE_MAX  511u
#define FG_STATE_NAME_SIZE_MAX 31u
#define FG_STATE_TABLES_MAX    512u /* some of each tenant's own, FG_TENANTS_MAX times */

struct fg_state_options {
    const char *folder; /* the store's, which is there; its lock is the caller's to hold */
    uint64_t size_max;  /* bytes that the file grows to; past it only deletions pass */
    bool read_only;
};

/* Makes FOLDER/state/ where it is missing (read_only: FG_ENOTFOUND). FG_ECORRUPT, FG_EUNSUPPORTED,
 * FG_EDENIED, FG_ENOSPACE, FG_ENOMEM, FG_EIO; message gets a sentence that says what to do. */
FG_MUST_CHECK int fg_state_open(const struct fg_state_options *options, struct fg_arena *arena,
                                const char **ret_message, struct fg_state **ret_state);
/* Commits what waits, ends the thread. No view is out. NULL is accepted. */
void fg_state_close(struct fg_state *state);

/* The table of this name, made where it is missing: a number that is good until the close. The same
 * name gives the same number. Waits for views: called at the start, by who holds none. FG_ELIMIT
 * (FG_STATE_TABLES_MAX), FG_ENOTFOUND (read only), others as a commit's. */
FG_MUST_CHECK int fg_state_table(struct fg_state *state, const char *name, uint32_t *ret_table);
/* A tenant's own table of this name: NAME for the default tenant, NAME.7 for the seventh. What one
 * tenant's holds no key of another's can name. */
FG_MUST_CHECK int fg_state_tenant_table(struct fg_state *state, const char *name, uint32_t tenant,
                                        uint32_t *ret_table);

/* -- Reading */

/* The last commit, until released: for a page of an answer, not for a client's pace, since what is
 * deleted or replaced meanwhile takes room until then. A thread takes one at a time. FG_EAGAIN: too
 * many are out; FG_ENOMEM, FG_EIO. */
FG_MUST_CHECK int fg_state_view_take(struct fg_state *state, struct fg_state_view **ret_view);
void fg_state_view_release(struct fg_state_view *view);

/* *ret_value is valid until the view is released. FG_ENOTFOUND, FG_ECORRUPT, FG_EINVALID. */
FG_MUST_CHECK int fg_state_get(struct fg_state_view *view, uint32_t table, struct fg_slice key,
                               struct fg_slice *ret_value);
/* Calls fn for each key that starts with prefix (empty: each key), in bytewise order, beginning
 * behind the key after (empty: with the first). Non-zero ends it and is the result. A damaged value
 * ends it with FG_ECORRUPT; *ret_key, which may be NULL, is the key it stopped at. */
FG_MUST_CHECK int fg_state_each(struct fg_state_view *view, uint32_t table, struct fg_slice prefix,
                                struct fg_slice after,
                                int (*fn)(void *arg, struct fg_slice key, struct fg_slice value),
                                void *arg, struct fg_slice *ret_key);

/* -- Writing */

/* Changes in their order; a failure sticks and is the commit's result. FG_ENOMEM. */
FG_MUST_CHECK int fg_state_batch_new(struct fg_state *state, struct fg_state_batch **ret_batch);
void fg_state_batch_free(struct fg_state_batch *batch);
/* What was to be put could not be made: that is the commit's result, and nothing is done. */
void fg_state_batch_fail(struct fg_state_batch *batch, int error);
void fg_state_put(struct fg_state_batch *batch, uint32_t table, struct fg_slice key,
                  struct fg_slice value);
/* A key that is not there is no error. */
void fg_state_delete(struct fg_state_batch *batch, uint32_t table, struct fg_slice key);
void fg_state_delete_prefix(struct fg_state_batch *batch, uint32_t table, struct fg_slice prefix);
/* Nothing of the batch happens (FG_EBUSY) unless key holds value at this place of the batch; NULL:
 * unless it is not there (FG_EEXIST). */
void fg_state_expect(struct fg_state_batch *batch, uint32_t table, struct fg_slice key,
                     const struct fg_slice *value);
/* What is in the batch includes every record of the log below sequence, as consumer name read them
 * (consumer.h): so that both are durable together. */
void fg_state_put_position(struct fg_state_batch *batch, const char *name, uint64_t store_id,
                           uint64_t sequence);

/* The consumer is new at the next start: it reads all that is stored. */
void fg_state_delete_position(struct fg_state_batch *batch, const char *name);

/* Consumes the batch and returns when it is on disk, or nothing of it is. FG_EAGAIN: too much
 * waits, try later; FG_ELIMIT: the state is as large as size_max, or the batch larger than
 * FG_STATE_BATCH_SIZE_MAX; FG_ENOSPACE: the disk is full; FG_EIO: a write or sync failed, and all
 * that follow fail too until a restart; FG_EINVALID: a key's size; FG_EDENIED: read only;
 * FG_ENOMEM, FG_ECORRUPT, FG_EBUSY, FG_EEXIST. */
FG_MUST_CHECK int fg_state_commit_take(struct fg_state *state, struct fg_state_batch *batch);
/* The same without waiting: done is called once, on the writer's thread (which it must not hold
 * up), also on failure. */
void fg_state_commit_start_take(struct fg_state *state, struct fg_state_batch *batch,
                                void (*done)(void *arg, int result), void *arg);

/* Where consumer name is; FG_ENOTFOUND. */
FG_MUST_CHECK int fg_state_position(struct fg_state *state, const char *name,
                                    uint64_t *ret_store_id, uint64_t *ret_sequence);

/* -- Looking after */

/* The file becomes a copy that holds what is there and no byte of what was deleted or replaced.
 * Waits for views; new ones wait for it. A failure leaves the file as it was. FG_ENOSPACE, FG_EIO,
 * FG_ENOMEM, FG_EDENIED. */
FG_MUST_CHECK int fg_state_compact(struct fg_state *state);
/* A consistent copy of the last commit in FOLDER/state/, which is made; synced. Positions in it are
 * sequence_max at most: what its store will have. FG_EEXIST, … */
FG_MUST_CHECK int fg_state_copy(struct fg_state *state, struct fg_env *env, const char *folder,
                                uint64_t sequence_max);

/* Reads every value of each table of a folder that no server holds. damage is called for each
 * finding. FG_ENOTFOUND: there is no state; FG_ECORRUPT: it can't be opened. */
FG_MUST_CHECK int fg_state_verify(const char *folder,
                                  void (*damage)(void *arg, const char *table, const char *what),
                                  void *arg);

/* Of the pages that were read so many bytes more and so many less may stay this process's memory,
 * beside the 8 MiB that always may. They are in the page cache anyhow; who reads all over the file
 * again and again saves having them mapped again and again. Any thread. */
void fg_state_allow_pages(struct fg_state *state, uint64_t more, uint64_t less);

struct fg_state_counters {
    uint64_t used_bytes, file_bytes, size_max; /* now */
    uint64_t commits, syncs, changes, refused; /* since the start */
    bool is_failed;
};
void fg_state_counters(struct fg_state *state, struct fg_state_counters *ret_counters);
/* Entries and bytes of a table now; FG_ENOMEM, FG_EIO. */
FG_MUST_CHECK int fg_state_table_stats(struct fg_state *state, uint32_t table,
                                       uint64_t *ret_entries, uint64_t *ret_bytes);
