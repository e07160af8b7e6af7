/* The keyed state's writer: takes all batches that wait, makes one transaction of them, syncs once.
 *
 *     waiting --take_queue()--> in a transaction --mdb_txn_commit()--> durable --finish()--> told
 *
 * A batch that can't be done as a whole must leave nothing of it: the transaction is given up and
 * begun again without it. A sync that failed is final: the kernel may call clean what is not on
 * disk, so a second sync proves nothing. */
#include "state_internal.h"

#include "base/limits.h"

#include <stdlib.h>

/* -- Room */

/* Pages that hold something: all but those that LMDB lists as free. */
int fg_state_used(MDB_env *lmdb, MDB_txn *txn, uint64_t *ret_bytes)
{
    MDB_envinfo info;
    MDB_stat stat;
    MDB_cursor *cursor;
    MDB_val key, pages;
    uint64_t free_count = 0;
    int rc = mdb_env_info(lmdb, &info);
    if (rc == 0)
        rc = mdb_env_stat(lmdb, &stat);
    if (rc == 0)
        rc = mdb_cursor_open(txn, 0, &cursor); /* table 0 of LMDB: a list a transaction */
    if (rc)
        return fg_state_error(rc);
    while ((rc = mdb_cursor_get(cursor, &key, &pages, MDB_NEXT)) == 0)
        free_count += *(const size_t *)pages.mv_data;
    mdb_cursor_close(cursor);
    if (rc != MDB_NOTFOUND)
        return fg_state_error(rc);
    uint64_t count = info.me_last_pgno + 1;
    *ret_bytes = (count > free_count ? count - free_count : 0) * stat.ms_psize;
    return 0;
}

/* As of the last commit. LMDB lets only who reads see its list of free pages. */
static int check_room(struct fg_state *state)
{
    MDB_envinfo info;
    MDB_stat stat;
    MDB_txn *reader;
    uint64_t used;
    int rc = mdb_env_info(state->lmdb, &info);
    if (rc == 0)
        rc = mdb_env_stat(state->lmdb, &stat);
    if (rc)
        return fg_state_error(rc);
    if ((info.me_last_pgno + 1) * (uint64_t)stat.ms_psize <= state->options.size_max)
        return 0;
    rc = mdb_txn_begin(state->lmdb, NULL, MDB_RDONLY, &reader);
    if (rc)
        return fg_state_error(rc);
    int r = fg_state_used(state->lmdb, reader, &used);
    mdb_txn_abort(reader);
    if (r < 0)
        return r;
    return used > state->options.size_max ? FG_ELIMIT : 0;
}

/* -- A transaction */

static int apply(struct fg_state *state, const struct fg_state_commit *commit, MDB_txn *txn)
{
    if (commit->batch->error)
        return commit->batch->error;
    int r = commit->batch->has_puts ? check_room(state) : 0;
    return r < 0 ? r : fg_state_apply(commit->batch, txn);
}

/* All that are not refused yet. FG_EAGAIN: one more was refused; begin again. */
static int try_all(struct fg_state *state, struct fg_state_commit *first, uint64_t *ret_changes)
{
    MDB_txn *txn;
    uint64_t changes = 0;
    int r = fg_state_error(mdb_txn_begin(state->lmdb, NULL, 0, &txn));
    if (r < 0)
        return r;
    for (struct fg_state_commit *c = first; r == 0 && c; c = c->next) {
        if (c->is_refused)
            continue;
        c->result = apply(state, c, txn);
        c->is_refused = c->result < 0;
        changes += c->batch->change_count;
        if (c->is_refused)
            r = FG_EAGAIN;
    }
    if (r < 0 || changes == 0) {
        mdb_txn_abort(txn);
        *ret_changes = 0;
        return r;
    }
    *ret_changes = changes;
    return fg_state_error(mdb_txn_commit(txn));
}

static void write_all(struct fg_state *state, struct fg_state_commit *first)
{
    uint64_t changes = 0;
    int r = atomic_load(&state->is_failed) ? FG_EIO : fg_state_enter(state, true);
    if (r == 0) {
        do {
            r = try_all(state, first, &changes);
        } while (r == FG_EAGAIN);
        fg_state_leave(state);
    }
    /* What is on disk after one of these is known: nothing of the transaction. */
    if (r < 0 && r != FG_ENOMEM && r != FG_ENOSPACE && r != FG_ELIMIT)
        atomic_store(&state->is_failed, true);
    for (struct fg_state_commit *c = first; r < 0 && c; c = c->next)
        c->result = c->is_refused ? c->result : r;
    if (r == 0 && changes) {
        atomic_fetch_add(&state->syncs, 1);
        atomic_fetch_add(&state->changes, changes);
    }
}

static void finish(struct fg_state *state, struct fg_state_commit *first)
{
    for (struct fg_state_commit *c = first, *next; c; c = next) {
        next = c->next; /* done may free it */
        atomic_fetch_add(c->result < 0 ? &state->refused : &state->commits, 1);
        fg_state_batch_free(c->batch);
        c->done(c->arg, c->result);
    }
}

void fg_state_writer_run(void *arg)
{
    struct fg_state *state = arg;
    bool is_over = false;
    while (!is_over) {
        fg_mutex_lock(&state->queue_lock);
        while (!state->first && !state->is_closing)
            fg_cond_wait(&state->queue_changed, &state->queue_lock);
        struct fg_state_commit *first = state->first;
        state->first = state->last = NULL;
        state->queue_bytes = 0;
        is_over = state->is_closing && !first;
        fg_mutex_unlock(&state->queue_lock);
        if (first) {
            write_all(state, first);
            finish(state, first);
        }
    }
}

/* -- Those who ask */

/* Whether it may wait in the queue. One larger than the bound may when nothing else does. */
static int enqueue(struct fg_state *state, struct fg_state_commit *commit)
{
    size_t size = commit->batch->changes.size;
    int r = 0;
    if (state->options.read_only)
        return FG_EDENIED;
    fg_mutex_lock(&state->queue_lock);
    if (state->first && state->queue_bytes + size > FG_STATE_QUEUE_SIZE_MAX)
        r = FG_EAGAIN;
    if (r == 0) {
        if (state->first)
            state->last->next = commit;
        else
            state->first = commit;
        state->last = commit;
        state->queue_bytes += size;
        fg_cond_signal(&state->queue_changed);
    }
    fg_mutex_unlock(&state->queue_lock);
    return r;
}

struct started {
    struct fg_state_commit commit; /* first */
    void (*done)(void *arg, int result);
    void *arg;
};

static void on_started(void *arg, int result)
{
    struct started started = *(struct started *)arg;
    free(arg);
    started.done(started.arg, result);
}

void fg_state_commit_start_take(struct fg_state *state, struct fg_state_batch *batch,
                                void (*done)(void *arg, int result), void *arg)
{
    struct started *started = calloc(1, sizeof *started);
    int r = FG_ENOMEM;
    if (started) {
        *started = (struct started){.done = done, .arg = arg};
        started->commit =
            (struct fg_state_commit){.batch = batch, .done = on_started, .arg = started};
        r = enqueue(state, &started->commit);
    }
    if (r == 0)
        return;
    free(started);
    fg_state_batch_free(batch);
    done(arg, r);
}

struct waiting {
    struct fg_state_commit commit;
    struct fg_mutex lock;
    struct fg_cond changed;
    bool is_done;
    int result;
};

static void on_waiting(void *arg, int result)
{
    struct waiting *waiting = arg;
    fg_mutex_lock(&waiting->lock);
    waiting->is_done = true;
    waiting->result = result;
    fg_cond_signal(&waiting->changed); /* with the lock: who waits frees both */
    fg_mutex_unlock(&waiting->lock);
}

int fg_state_commit_take(struct fg_state *state, struct fg_state_batch *batch)
{
    struct waiting waiting = {.is_done = false};
    waiting.commit = (struct fg_state_commit){.batch = batch, .done = on_waiting, .arg = &waiting};
    fg_mutex_init(&waiting.lock, FG_RANK_LEAF);
    fg_cond_init(&waiting.changed);
    int r = enqueue(state, &waiting.commit);
    if (r < 0) {
        fg_state_batch_free(batch);
    } else {
        fg_mutex_lock(&waiting.lock);
        while (!waiting.is_done)
            fg_cond_wait(&waiting.changed, &waiting.lock);
        fg_mutex_unlock(&waiting.lock);
        r = waiting.result;
    }
    fg_mutex_destroy(&waiting.lock);
    fg_cond_destroy(&waiting.changed);
    return r;
}
