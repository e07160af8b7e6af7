/* Looking after a store: settling, erasing, copying, what fills the disk. */
#include "consume.h"
#include "store_internal.h"

#include "base/limits.h"

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
            fg_consumers_wait(store, log.checkpoint);
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
static int erase(struct fg_store *store, uint32_t tenant, const struct fg_predicate *predicate,
                 bool whole_traces, uint64_t *ret_count)
{
    int r = fg_wal_rotate(store->wal);
    if (r == 0)
        r = seal_up_to(store, fg_wal_next_sequence(store->wal));
    if (r == 0)
        r = store->blocks->ops->erase(store->blocks, tenant, predicate, whole_traces, ret_count);
    int wiped = fg_wal_wipe(store->wal);
    return r == 0 ? wiped : r;
}

int fg_store_erase(struct fg_store *store, uint32_t tenant, const struct fg_predicate *predicate,
                   bool whole_traces, uint64_t *ret_count)
{
    *ret_count = 0;
    if (store->options.read_only)
        return FG_EDENIED;
    fg_mutex_lock(&store->job_lock);
    int r = erase(store, tenant, predicate, whole_traces, ret_count);
    fg_mutex_unlock(&store->job_lock);
    return r;
}

int fg_store_backup(struct fg_store *store, const char *path,
                    void (*progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes),
                    void *progress_arg)
{
    int r = store->options.read_only ? 0 : fg_store_seal(store);
    if (r < 0)
        return r;
    fg_mutex_lock(&store->job_lock);
    r = store->blocks->ops->backup(store->blocks, path, progress, progress_arg);
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
