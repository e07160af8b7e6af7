/* The sealer: full heads become segments, and the log always has a file ready.
 *
 *     active --rotate_if_due() (commit.c)--> sealing --put()--> sealed: in the blocks, and gone
 * here
 *
 * put() moves the checkpoint in the step that makes the rows part of the store, so that a start
 * finds them either in the log or in a segment, never in both and never in none. Only then are the
 * log's files reused.
 *
 * A disk that is full, or memory that lacks, leaves the head where it is: it is tried again every
 * second, and when the active head is full as well appends wait. Any other failure is final, since
 * what the manifest on disk says is not known; rows stay readable from the head. */
#include "consume.h"
#include "store_internal.h"

#include "base/limits.h"

#include <stdlib.h>

#define RETRY_NS FG_NS_PER_SECOND

int fg_seal_head(struct fg_store *store, struct fg_head *head)
{
    struct fg_head_info info = fg_head_info(head);
    struct fg_blocks_rows *rows = calloc(info.entry_count + 1, sizeof *rows);
    if (!rows)
        return FG_ENOMEM;
    struct fg_head_cursor cursor = fg_head_begin(&info);
    size_t count = 0;
    for (const struct fg_head_entry *entry; (entry = fg_head_next(&cursor));)
        rows[count++] =
            (struct fg_blocks_rows){.tenant = entry->tenant, .batch = fg_block_batch(entry->block)};
    struct fg_blocks_put put = {.rows = rows,
                                .count = info.entry_count,
                                .sequence_begin = info.sequence_begin,
                                .sequence_end = info.sequence_end,
                                .hold = fg_consumers_floor(store, info.sequence_end)};
    int r = store->blocks->ops->put(store->blocks, &put);
    if (r == FG_ENOSPACE && fg_space_release(&store->space))
        r = store->blocks->ops->put(store->blocks, &put);
    free(rows);
    return r;
}

/* The head is in the blocks: readers that come now find it there. */
static void retire_head(struct fg_store *store)
{
    fg_mutex_lock(&store->lock);
    struct fg_head *head = store->sealing;
    uint64_t sequence_end = fg_head_info(head).sequence_end;
    store->sealing = NULL;
    atomic_fetch_add(&store->heads_sealed, 1);
    fg_mutex_unlock(&store->lock);
    fg_head_unref(head);
    atomic_store(&store->is_sealing, false);
    atomic_store(&store->sealed_sequence, sequence_end);
    fg_consumers_look(store, sequence_end);
    fg_consumers_recycle(store, sequence_end);
    atomic_fetch_add(&store->counters.seals, 1);
}

/* How fast heads are sealed, for whoever fills the next one. A small head tells little: its seal is
 * files and syncs. */
static void note_pace(struct fg_store *store, uint64_t seal_ns)
{
    uint64_t bytes = fg_head_info(store->sealing).size_bytes;
    if (bytes >= store->options.head_size_max / 2)
        atomic_store(&store->seal_byte_ps,
                     (uint64_t)((double)seal_ns * 1000 / ((double)bytes + 1)));
}

static void end_try(struct fg_store *store, int result)
{
    fg_mutex_lock(&store->lock);
    store->seal_tries++;
    store->seal_result = result;
    fg_cond_broadcast(&store->changed);
    fg_mutex_unlock(&store->lock);
}

int fg_seal_step(struct fg_store *store, bool *ret_did)
{
    *ret_did = false;
    if (!atomic_load(&store->is_sealing) || atomic_load(&store->state) == FG_STORE_FAILED)
        return 0;
    uint64_t begin_ns = fg_env_mono_ns(store->env);
    int r = fg_seal_head(store, store->sealing); /* replaced by this thread alone */
    if (r == 0)
        note_pace(store, fg_env_mono_ns(store->env) - begin_ns);
    if (r == 0)
        retire_head(store);
    else if (r == FG_ENOSPACE)
        fg_store_refuse_for_space(store);
    else if (r != FG_ENOMEM)
        fg_store_fail(store, r, "sealing the head");
    end_try(store, r);
    *ret_did = r == 0;
    fg_commit_nudge(store, false); /* the active head may be due, or a commit may wait */
    return r;
}

void fg_seal_prepare_log(struct fg_store *store)
{
    bool did;
    if (atomic_load(&store->state) != FG_STORE_OK || !fg_space_is_enough(&store->space))
        return;
    int r = fg_wal_prepare(store->wal, &did);
    if (r == FG_ENOSPACE)
        fg_store_refuse_for_space(store);
    else if (r < 0)
        fg_store_event(&store->options, FG_LOG_WARN,
                       "can't prepare a file for the log (%s); the next commit that needs one "
                       "tries again",
                       fg_error_name(r));
}

static void mark_log(struct fg_store *store)
{
    int r = atomic_load(&store->state) == FG_STORE_OK ? fg_wal_mark(store->wal) : 0;
    if (r < 0)
        fg_store_fail(store, r, "writing the log");
}

/* Until there is a head to seal, or a second has gone by. False: the store is being closed. */
static bool sleep_until_due(struct fg_store *store, int last_result)
{
    fg_mutex_lock(&store->wake_lock);
    bool can_skip = store->seal_due && last_result == 0;
    if (!store->is_stopping && !can_skip)
        fg_cond_wait_for(&store->wake, &store->wake_lock, RETRY_NS);
    store->seal_due = false;
    bool is_stopping = store->is_stopping;
    fg_mutex_unlock(&store->wake_lock);
    return !is_stopping;
}

void fg_sealer_run(void *arg)
{
    struct fg_store *store = arg;
    bool did;
    int r = 0;
    fg_thread_behave(FG_THREAD_PATIENT);
    do {
        fg_commit_nudge(store, false); /* a head grows old also where nothing comes */
        r = fg_seal_step(store, &did);
        fg_seal_prepare_log(store);
        mark_log(store);
    } while (sleep_until_due(store, r));
}

/* -- fg_store_seal() */

static int seal_by_hand(struct fg_store *store)
{
    bool did;
    do {
        fg_commit_step(store, &did);
    } while (did);
    fg_commit_nudge(store, true);
    do {
        fg_commit_step(store, &did);
        int r = fg_seal_step(store, &did);
        if (r < 0)
            return r;
    } while (did);
    return atomic_load(&store->is_sealing) ? FG_EIO : 0;
}

int fg_store_seal(struct fg_store *store)
{
    if (store->options.read_only)
        return FG_EDENIED;
    if (store->options.manual)
        return seal_by_hand(store);
    int r = 0;
    fg_mutex_lock(&store->lock);
    /* All heads of now that hold rows. */
    bool has_rows = fg_head_info(store->active).entry_count > 0;
    uint64_t target = atomic_load(&store->heads_sealed) + (store->sealing != NULL) + has_rows;
    uint64_t tries = store->seal_tries;
    if (has_rows)
        fg_commit_nudge(store, true);
    while (r == 0 && atomic_load(&store->heads_sealed) < target) {
        if (atomic_load(&store->state) == FG_STORE_FAILED)
            r = FG_EIO;
        else if (store->seal_tries != tries && store->seal_result < 0)
            r = store->seal_result;
        else
            fg_cond_wait_for(&store->changed, &store->lock, RETRY_NS);
    }
    fg_mutex_unlock(&store->lock);
    return r;
}
