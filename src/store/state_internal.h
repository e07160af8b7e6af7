/* The keyed state's own, for state*.c. */
#pragma once

#include "base/buffer.h"
#include "os/process.h"
#include "os/thread.h"
#include "store/state.h"

#include <lmdb.h>
#include <stdatomic.h>

#define FG_STATE_PATH_SIZE_MAX 4096u
/* Holds a copy that takes the file's place once it is whole; removed at the start. */
#define FG_STATE_UNFINISHED "compacting"

/* In front of each value: XXH3 of the value, seeded with its key's. */
#define FG_STATE_CHECKSUM_SIZE ((size_t)8)

/* A batch on its way to the writer. */
struct fg_state_commit {
    struct fg_state_commit *next;
    struct fg_state_batch *batch;
    void (*done)(void *arg, int result);
    void *arg;
    int result;
    bool is_refused; /* result stands, and it is no part of the transaction */
};

struct fg_state {
    struct fg_state_options options;
    char *path; /* FOLDER/state */
    MDB_env *lmdb;
    struct fg_mapping mapping; /* of its file; size 0: not known */

    /* Which LMDB environment there is, and who looks at it: fg_state_compact() replaces it while
     * nobody does. */
    struct fg_mutex lock;
    struct fg_cond changed;
    size_t user_count; /* views, and the writer's transactions */
    bool is_replacing;
    char names[FG_STATE_TABLES_MAX][FG_STATE_NAME_SIZE_MAX + 1];
    MDB_dbi tables[FG_STATE_TABLES_MAX];
    uint32_t table_count;

    struct fg_mutex queue_lock;
    struct fg_cond queue_changed;
    struct fg_state_commit *first, *last;
    size_t queue_bytes;
    bool is_closing;
    struct fg_thread writer;
    bool has_writer;

    atomic_bool is_failed; /* a sync failed: nothing is written any more */
    atomic_uint_fast64_t commits, syncs, changes, refused;
    atomic_uint touched;                /* entries */
    atomic_uint_fast64_t allowed_bytes; /* of them in memory, beside what there may always be */
    atomic_uint_fast64_t left_bytes;    /* of files in memory, as of when pages were left last */
};

/* Table 0: where consumers are. */
#define FG_STATE_POSITIONS      0u
#define FG_STATE_POSITIONS_NAME "positions"

int fg_state_error(int lmdb_result);
/* An entry was read or changed. Gives back the memory of pages where that has become much. Who
 * calls has entered. */
void fg_state_leave_pages(struct fg_state *state);
uint64_t fg_state_checksum(struct fg_slice key, struct fg_slice value);
/* The value within its stored form. FG_ECORRUPT. */
FG_MUST_CHECK int fg_state_value(struct fg_slice key, MDB_val stored, struct fg_slice *ret_value);

/* Nobody replaces the environment between these two. The writer passes those who wait to replace
 * it while somebody else is within, since that one may wait for a commit. FG_EIO: there is none any
 * more. */
FG_MUST_CHECK int fg_state_enter(struct fg_state *state, bool is_writer);
void fg_state_leave(struct fg_state *state);
/* All who are within have left, and others wait, until fg_state_resume(). */
void fg_state_suspend(struct fg_state *state);
void fg_state_resume(struct fg_state *state);

/* Whether the file in path hangs together, so that LMDB can be let loose on it. FG_ECORRUPT;
 * FG_ENOTFOUND: there is none; FG_EIO, FG_ENOMEM, FG_EDENIED. */
FG_MUST_CHECK int fg_state_check(const char *path);

/* Bytes of address space. */
size_t fg_state_map_size(const struct fg_state *state);
/* Opens the files, and the tables that are known, into state->lmdb. FG_E*. */
FG_MUST_CHECK int fg_state_environment(struct fg_state *state);
/* Bytes of pages that hold something. */
FG_MUST_CHECK int fg_state_used(MDB_env *lmdb, MDB_txn *txn, uint64_t *ret_bytes);

/* Removes FOLDER/state/compacting/ where it is. FG_EIO, FG_EDENIED. */
FG_MUST_CHECK int fg_state_remove_unfinished(const char *path);

/* What a batch holds: changes one behind the other, as state_batch.c writes them. */
struct fg_state_batch {
    struct fg_state *state;
    struct fg_buffer changes;
    uint64_t change_count;
    bool has_puts;
    int error;
};
/* All changes of the batch. */
FG_MUST_CHECK int fg_state_apply(const struct fg_state_batch *batch, MDB_txn *txn);

void fg_state_writer_run(void *state);
