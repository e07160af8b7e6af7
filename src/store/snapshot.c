/* Heads are taken before the view. A head is sealed as a whole, so one that was sealed in between
 * is in the view with all its rows, and is dropped here; no lock spans both.
 *
 * What a snapshot pins: segments, whose files then can't go, and heads that were sealed since,
 * which are memory. All together may pin two such heads: when a third would be, the oldest
 * snapshots end. */
#include "store_internal.h"

#include "base/limits.h"

#define RETIRED_HEADS_MAX 2

static void hold_head(struct fg_snapshot *snapshot, int place, struct fg_head *head)
{
    if (!head)
        return;
    snapshot->heads[place] = fg_head_ref(head);
    snapshot->watermarks[place] = fg_head_info(head);
}

static void unlink_snapshot(struct fg_snapshot *snapshot)
{
    struct fg_store *store = snapshot->store;
    fg_mutex_lock(&store->lock);
    if (snapshot->next)
        snapshot->next->previous = snapshot->previous;
    if (snapshot->previous)
        snapshot->previous->next = snapshot->next;
    else
        store->snapshots = snapshot->next;
    fg_cond_broadcast(&store->changed);
    fg_mutex_unlock(&store->lock);
}

int fg_snapshot_take(struct fg_store *store, struct fg_snapshot *snapshot)
{
    *snapshot = (struct fg_snapshot){
        .store = store, .end_mono_ns = fg_env_mono_ns(store->env) + FG_SNAPSHOT_AGE_NS_MAX};
    fg_mutex_lock(&store->lock);
    hold_head(snapshot, 0, store->sealing);
    hold_head(snapshot, 1, store->active);
    snapshot->oldest_head_number = atomic_load(&store->heads_sealed);
    snapshot->next = store->snapshots;
    if (snapshot->next)
        snapshot->next->previous = snapshot;
    store->snapshots = snapshot;
    fg_mutex_unlock(&store->lock);
    int r = store->blocks->ops->view_take(store->blocks, &snapshot->view);
    if (r < 0) {
        fg_snapshot_release(snapshot);
        return r;
    }
    uint64_t checkpoint = store->blocks->ops->view_checkpoint(snapshot->view);
    for (int i = 0; i < 2; i++) {
        if (!snapshot->heads[i] || snapshot->watermarks[i].sequence_begin >= checkpoint)
            continue;
        fg_head_unref(snapshot->heads[i]);
        snapshot->heads[i] = NULL;
    }
    return 0;
}

void fg_snapshot_release(struct fg_snapshot *snapshot)
{
    if (snapshot->view)
        snapshot->store->blocks->ops->view_release(snapshot->view);
    fg_head_unref(snapshot->heads[0]);
    fg_head_unref(snapshot->heads[1]);
    unlink_snapshot(snapshot);
}

int fg_snapshot_check(const struct fg_snapshot *snapshot)
{
    struct fg_store *store = snapshot->store;
    bool is_over =
        atomic_load(&snapshot->is_ended) || fg_env_mono_ns(store->env) >= snapshot->end_mono_ns ||
        atomic_load(&store->heads_sealed) > snapshot->oldest_head_number + RETIRED_HEADS_MAX;
    return is_over ? FG_ETIMEOUT : 0;
}

/* With lock. */
static bool is_any_ended(const struct fg_store *store)
{
    for (const struct fg_snapshot *s = store->snapshots; s; s = s->next)
        if (atomic_load(&s->is_ended))
            return true;
    return false;
}

int fg_snapshot_end_all(struct fg_store *store, uint64_t timeout_ns)
{
    uint64_t end_ns = fg_env_mono_ns(store->env) + timeout_ns;
    int r = 0;
    fg_mutex_lock(&store->lock);
    for (struct fg_snapshot *s = store->snapshots; s; s = s->next)
        atomic_store(&s->is_ended, true);
    while (r == 0 && is_any_ended(store)) {
        uint64_t now_ns = fg_env_mono_ns(store->env);
        bool is_over =
            now_ns >= end_ns || !fg_cond_wait_for(&store->changed, &store->lock, end_ns - now_ns);
        r = is_over && is_any_ended(store) ? FG_ETIMEOUT : 0;
    }
    fg_mutex_unlock(&store->lock);
    return r;
}
