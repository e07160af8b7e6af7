/* Heads are taken before the view. A head is sealed as a whole, so one that was sealed in between
 * is in the view with all its rows, and is dropped here; no lock spans both.
 *
 * What a snapshot pins: segments, whose files then can't go, and heads that were sealed since,
 * which are memory. All together may pin two such heads: when a third would be, the oldest
 * snapshots end that have not given theirs back. */
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

int fg_snapshot_take(struct fg_store *store, struct fg_snapshot *snapshot)
{
    *snapshot = (struct fg_snapshot){
        .store = store, .end_mono_ns = fg_env_mono_ns(store->env) + FG_SNAPSHOT_AGE_NS_MAX};
    fg_mutex_lock(&store->lock);
    hold_head(snapshot, 0, store->sealing);
    hold_head(snapshot, 1, store->active);
    snapshot->oldest_head_number = atomic_load(&store->heads_sealed);
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
}

int fg_snapshot_check(const struct fg_snapshot *snapshot)
{
    struct fg_store *store = snapshot->store;
    bool has_head = snapshot->heads[0] || snapshot->heads[1];
    bool is_over = fg_env_mono_ns(store->env) >= snapshot->end_mono_ns ||
                   (has_head && atomic_load(&store->heads_sealed) >
                                    snapshot->oldest_head_number + RETIRED_HEADS_MAX);
    return is_over ? FG_ETIMEOUT : store->blocks->ops->view_check(snapshot->view);
}

bool fg_snapshot_is_behind(const struct fg_snapshot *snapshot)
{
    return atomic_load(&snapshot->store->heads_sealed) > snapshot->oldest_head_number;
}

void fg_snapshot_leave_heads(struct fg_snapshot *snapshot)
{
    for (int i = 0; i < 2; i++) {
        fg_head_unref(snapshot->heads[i]);
        snapshot->heads[i] = NULL;
    }
}
