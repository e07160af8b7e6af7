/* Looking after a store: settling, erasing, copying, what fills the disk. */
#include "consume.h"
#include "store_internal.h"

#include "base/limits.h"

#include <stdlib.h>

/* Records that were on their way at the start of an erase are in a head soon, and then sealed. */
#define ON_ITS_WAY_NS FG_NS_PER_MS
#define SEALS_MAX     5000

int fg_store_settle(struct fg_store *store)
{
    bool did = true;
    int r = 0;
    if (store->options.read_only)
        return FG_EDENIED;
    while (r == 0 && did) {
        fg_mutex_lock(&store->job_lock);
        r = store->blocks->ops->maintain(store->blocks, true, &did);
        fg_mutex_unlock(&store->job_lock);
    }
    return r;
}

/* Seals until every record below sequence is in the blocks: one that was written, but in no head
 * yet, when the head was sealed is in the next. FG_EAGAIN: the committer does not get on. */
static int seal_up_to(struct fg_store *store, uint64_t sequence)
{
    struct fg_blocks_log log;
    for (int i = 0; i < SEALS_MAX; i++) {
        int r = fg_store_seal(store);
        if (r < 0)
            return r;
        store->blocks->ops->log(store->blocks, &log);
        if (log.checkpoint >= sequence) {
            if (!fg_consumers_settle(store, log.checkpoint))
                fg_consumers_let_go(store, log.checkpoint);
            fg_consumers_recycle(store, log.checkpoint);
            return 0;
        }
        fg_mutex_lock(&store->lock);
        fg_cond_wait_for(&store->changed, &store->lock, ON_ITS_WAY_NS);
        fg_mutex_unlock(&store->lock);
    }
    return FG_EAGAIN;
}

/* With job_lock. What the log's files hold of erased spans may lie anywhere in them, also in
 * records that were sealed long since. So the log goes on in another file, the head is sealed, and
 * then no older file is left. */
static int erase(struct fg_store *store, const struct fg_blocks_erase *todo,
                 struct fg_blocks_erased *erased)
{
    int r = fg_wal_rotate(store->wal);
    if (r == 0)
        r = seal_up_to(store, fg_wal_next_sequence(store->wal));
    if (r == 0)
        r = store->blocks->ops->erase(store->blocks, todo, erased);
    int wiped = fg_wal_wipe(store->wal);
    return r == 0 ? wiped : r;
}

/* What others made of the spans, and then the bytes of that. */
static int erase_state(struct fg_store *store, const struct fg_blocks_erase *todo,
                       const struct fg_blocks_erased *spans)
{
    const struct fg_erased erased = {.tenant = todo->tenant,
                                     .predicate = todo->predicate,
                                     .traces = spans->traces,
                                     .trace_count = spans->trace_count,
                                     .has_more = spans->has_more_traces};
    int r = 0;
    for (size_t i = 0; r == 0 && i < store->consumer_count; i++) {
        const struct fg_consumer_options *options = &store->consumers[i].options;
        if (options->erased)
            r = options->erased(options->arg, &erased);
    }
    if (r == 0 && store->keyed_state)
        r = fg_state_compact(store->keyed_state);
    return r;
}

int fg_store_erase(struct fg_store *store, uint32_t tenant, const struct fg_predicate *predicate,
                   bool whole_traces, uint64_t *ret_count)
{
    const struct fg_blocks_erase todo = {.tenant = tenant,
                                         .predicate = predicate,
                                         .whole_traces = whole_traces,
                                         .wants_traces = store->consumer_count > 0};
    struct fg_blocks_erased erased = {0};
    *ret_count = 0;
    if (store->options.read_only)
        return FG_EDENIED;
    fg_mutex_lock(&store->job_lock);
    int r = erase(store, &todo, &erased);
    fg_mutex_unlock(&store->job_lock);
    if (r == 0 || r == FG_ECORRUPT) {
        int of_state = erase_state(store, &todo, &erased);
        r = r == 0 ? of_state : r;
    }
    *ret_count = erased.span_count;
    free(erased.traces);
    return r;
}

/* -- Copying */

struct backup {
    struct fg_store *store;
    const char *path;
};

/* The keyed state goes with the segments: it knows of every span that they hold, where consumers
 * get on, and says that it knows of no more. */
static int copy_state(void *arg, uint64_t checkpoint)
{
    const struct backup *backup = arg;
    struct fg_store *store = backup->store;
    if (!store->keyed_state)
        return 0;
    (void)fg_consumers_settle(store, checkpoint); /* or the next start reads what it lacks */
    return fg_state_copy(store->keyed_state, store->env, backup->path, checkpoint);
}

int fg_store_backup(struct fg_store *store, const char *path,
                    void (*progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes),
                    void *progress_arg)
{
    struct backup backup = {store, path};
    const struct fg_blocks_backup todo = {.path = path,
                                          .progress = progress,
                                          .progress_arg = progress_arg,
                                          .rest = copy_state,
                                          .rest_arg = &backup};
    int r = store->options.read_only ? 0 : fg_store_seal(store);
    if (r < 0)
        return r;
    fg_mutex_lock(&store->job_lock);
    r = store->blocks->ops->backup(store->blocks, &todo);
    fg_mutex_unlock(&store->job_lock);
    return r;
}

int fg_store_segments(struct fg_store *store,
                      int (*fn)(void *arg, const struct fg_segment_stats *segment), void *arg)
{
    return store->blocks->ops->segments(store->blocks, fn, arg);
}

int fg_store_columns(struct fg_store *store,
                     int (*fn)(void *arg, const struct fg_column_stats *column), void *arg)
{
    return store->blocks->ops->columns(store->blocks, fn, arg);
}
