/* Minute rollups of a stretch of time: the sealed ones from their blocks, the heads' from what is
 * counted of their rows (head_rollup.h). */
#include "head_rollup.h"
#include "store_internal.h"

/* With rollup_lock. The head before comes first. */
static int update_heads(struct fg_store *store, const struct fg_snapshot *snapshot, uint32_t tenant)
{
    struct fg_head_rollup *older = NULL;
    int r = 0;
    for (int i = 0; r == 0 && i < 2; i++) {
        if (!snapshot->heads[i])
            continue;
        struct fg_head_rollup **own = fg_head_rollup_place(snapshot->heads[i]);
        r = fg_head_rollup_update(own, tenant, store->rollup_seed, &snapshot->watermarks[i], older);
        older = *own;
    }
    return r;
}

/* With rollup_lock. Of whom take_back: what they count, or what they take back. */
static int add_heads(const struct fg_snapshot *snapshot, uint64_t start_ns_min,
                     uint64_t start_ns_max, bool take_back, struct fg_rollup *rollup)
{
    int r = 0;
    for (int i = 0; r == 0 && i < 2; i++) {
        if (!snapshot->heads[i])
            continue;
        const struct fg_head_rollup *own = *fg_head_rollup_place(snapshot->heads[i]);
        r = take_back ? fg_head_rollup_take_back(own, start_ns_min, start_ns_max, rollup)
                      : fg_head_rollup_add(own, start_ns_min, start_ns_max, rollup);
    }
    return r;
}

int fg_store_rollup(struct fg_store *store, uint32_t tenant, uint64_t start_ns_min,
                    uint64_t start_ns_max, struct fg_rollup *rollup)
{
    struct fg_snapshot snapshot;
    int r = fg_snapshot_take(store, &snapshot);
    if (r < 0)
        return r;
    r = store->blocks->ops->rollup(snapshot.view, tenant, start_ns_min, start_ns_max, rollup);
    fg_mutex_lock(&store->rollup_lock);
    if (r == 0)
        r = update_heads(store, &snapshot, tenant);
    if (r == 0)
        r = add_heads(&snapshot, start_ns_min, start_ns_max, false, rollup);
    if (r == 0)
        r = add_heads(&snapshot, start_ns_min, start_ns_max, true, rollup);
    fg_mutex_unlock(&store->rollup_lock);
    fg_snapshot_release(&snapshot);
    return r;
}
