/* Minute rollups of a stretch of time: the sealed ones from their blocks, the heads' from their
 * rows. An edge needs both its spans, which a head may not have together: edges come with the seal.
 */
#include "store_internal.h"

#include "store/rollup.h"

static int add_head(const struct fg_snapshot *snapshot, int place, uint32_t tenant,
                    uint64_t start_ns_min, uint64_t start_ns_max, struct fg_rollup *rollup)
{
    if (!snapshot->heads[place])
        return 0;
    struct fg_head_cursor cursor = fg_head_begin(&snapshot->watermarks[place]);
    const struct fg_head_entry *entry;
    int r = 0;
    while (r == 0 && (entry = fg_head_next(&cursor))) {
        const struct fg_batch *batch = fg_block_batch(entry->block);
        bool is_wanted = entry->tenant == tenant && entry->start_ns_max >= start_ns_min &&
                         entry->start_ns_min < start_ns_max;
        if (is_wanted)
            r = fg_rollup_add(rollup, batch, 0, batch->span_count, NULL, start_ns_min,
                              start_ns_max);
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
    for (int i = 0; r == 0 && i < 2; i++)
        r = add_head(&snapshot, i, tenant, start_ns_min, start_ns_max, rollup);
    if (r == 0)
        r = store->blocks->ops->rollup(snapshot.view, tenant, start_ns_min, start_ns_max, rollup);
    fg_snapshot_release(&snapshot);
    return r;
}
