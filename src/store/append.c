/* The appending thread's half of a commit: whether there is room, the record's bytes, the queue. */
#include "store_internal.h"

#include <stdlib.h>

/* Whether the store takes anything now. */
static int check_state(struct fg_store *store)
{
    if (store->options.read_only)
        return FG_EDENIED;
    switch (atomic_load_explicit(&store->state, memory_order_relaxed)) {
    case FG_STORE_OK:
        return 0;
    case FG_STORE_NO_SPACE:
        return FG_ENOSPACE;
    default:
        return FG_EIO;
    }
}

/* What waits for the disk is bounded. A batch larger than the whole bound passes when nothing else
 * waits. */
static int charge(struct fg_store *store, uint64_t size)
{
    uint64_t waiting = atomic_fetch_add(&store->queue_bytes, size);
    bool is_full = waiting && waiting + size > store->options.append_queue_bytes_max;
    if (!is_full && store->blocks->ops->merge_load(store->blocks) < 1000)
        return 0;
    atomic_fetch_sub(&store->queue_bytes, size);
    return FG_EAGAIN;
}

static int encode(struct fg_store *store, struct fg_append *append)
{
    struct fg_wal_record record = {.tenant = append->tenant,
                                   .request_hash = append->request_hash,
                                   .received_ns = fg_env_wall_ns(store->env),
                                   .payload = fg_block_payload(append->block)};
    uint8_t *bytes;
    uint64_t size;
    int r = fg_wal_record_encode(store->codec, &record, &bytes, &size);
    if (r < 0)
        return r;
    if (size > fg_wal_record_size_max(store->wal)) {
        free(bytes);
        return FG_ELIMIT;
    }
    append->record = bytes;
    append->record_size = append->record_capacity = size;
    return 0;
}

static void enqueue(struct fg_store *store, struct fg_append *append)
{
    append->next = NULL;
    fg_mutex_lock(&store->queue_lock);
    bool was_empty = !store->queue_first;
    if (was_empty)
        store->queue_first = append;
    else
        store->queue_last->next = append;
    store->queue_last = append;
    fg_mutex_unlock(&store->queue_lock);
    if (was_empty)
        fg_cond_signal(&store->queue_changed);
}

int fg_store_append_take(struct fg_store *store, struct fg_append *append)
{
    append->was_retry = false;
    append->record = NULL;
    append->raw_size = fg_block_size_bytes(append->block);
    int r = check_state(store);
    if (r == 0)
        r = charge(store, append->raw_size);
    if (r == 0) {
        r = encode(store, append);
        if (r < 0)
            atomic_fetch_sub(&store->queue_bytes, append->raw_size);
    }
    if (r < 0) {
        atomic_fetch_add_explicit(&store->counters.refused_requests, 1, memory_order_relaxed);
        fg_block_unref(append->block);
        append->block = NULL;
        return r;
    }
    atomic_fetch_add(&store->queue_bytes, append->record_size);
    enqueue(store, append);
    return 0;
}
