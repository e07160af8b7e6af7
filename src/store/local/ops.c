/* The blocks on this machine's disk, as the store sees them. */
#include "local/local.h"
#include "local/policy.h"

static void get_log(struct fg_blocks *blocks, struct fg_blocks_log *ret_log)
{
    struct fg_local *local = (struct fg_local *)blocks;
    fg_mutex_lock(&local->edit_lock);
    const struct fg_manifest *manifest = &local->manifest;
    *ret_log = (struct fg_blocks_log){.store_id = manifest->store_id[0],
                                      .checkpoint = manifest->checkpoint,
                                      .epoch_count = manifest->epoch_count};
    memcpy(ret_log->epochs, manifest->epochs, sizeof manifest->epochs);
    fg_mutex_unlock(&local->edit_lock);
}

static int raise_epoch(struct fg_blocks *blocks, uint64_t first_sequence, uint64_t hold,
                       uint64_t *ret_epoch)
{
    struct fg_local *local = (struct fg_local *)blocks;
    struct fg_blocks_log log;
    get_log(blocks, &log);
    uint64_t epoch = log.epochs[log.epoch_count - 1].epoch + 1;
    struct fg_manifest_edit edit = {.epoch = {.epoch = epoch, .first_sequence = first_sequence},
                                    .hold = hold};
    int r = fg_local_edit(local, &edit);
    if (r == 0)
        *ret_epoch = epoch;
    return r;
}

static uint64_t view_checkpoint(const struct fg_blocks_view *view)
{
    return view->version->checkpoint;
}

static int maintain(struct fg_blocks *blocks, bool thorough, bool *ret_did)
{
    struct fg_local *local = (struct fg_local *)blocks;
    bool did = false;
    int r = fg_upkeep_is_stopping(&local->upkeep) ? FG_ECANCELLED : 0;
    local->upkeep.is_thorough = thorough;
    for (size_t i = 0; r == 0 && !did && i < fg_local_job_count; i++)
        r = fg_local_jobs[i].run(local, &did);
    *ret_did = did;
    return r;
}

static void stop(struct fg_blocks *blocks)
{
    struct fg_local *local = (struct fg_local *)blocks;
    fg_upkeep_stop(&local->upkeep);
}

static void set_retention(struct fg_blocks *blocks, const struct fg_retention *retention)
{
    struct fg_local *local = (struct fg_local *)blocks;
    struct fg_policies *next, *before;
    if (fg_policies_new(retention, &next) < 0) {
        fg_store_event(local->options, FG_LOG_ERROR,
                       "out of memory: the retention stays as it was");
        return;
    }
    fg_mutex_lock(&local->lock);
    before = local->policies;
    local->policies = next;
    fg_mutex_unlock(&local->lock);
    fg_policies_unref(before);
}

static void counters(struct fg_blocks *blocks, struct fg_store_counters *ret)
{
    struct fg_local *local = (struct fg_local *)blocks;
    struct fg_local_counters *own = &local->counters;
    ret->seal_bytes_written = atomic_load(&own->seal_bytes_written);
    ret->merges = atomic_load(&own->merges);
    ret->merge_bytes_written = atomic_load(&own->merge_bytes_written);
    ret->merge_copied_spans = atomic_load(&own->merge_copied_spans);
    ret->merge_debt_bytes = atomic_load(&own->merge_debt_bytes);
    ret->held_bytes = atomic_load(&own->held_bytes);
    ret->retention_dropped_spans = atomic_load(&own->retention_dropped_spans);
    ret->erased_spans = atomic_load(&own->erased_spans);
    ret->damaged_pages = atomic_load(&own->damaged_pages);
    ret->duplicate_spans = atomic_load(&own->duplicate_spans);
    ret->cache_bytes = fg_cache_size_bytes(local->cache);
    struct fg_local_version *version = fg_local_version_take(local);
    ret->segment_count = version->segment_count;
    for (size_t i = 0; i < version->segment_count; i++) {
        ret->segment_bytes += version->segments[i]->entry.size_bytes;
        ret->segment_spans += version->segments[i]->entry.span_count;
    }
    fg_local_version_release(version);
}

static void close_blocks(struct fg_blocks *blocks)
{
    fg_local_close((struct fg_local *)blocks);
}

const struct fg_blocks_ops fg_local_ops = {
    .log = get_log,
    .epoch_raise = raise_epoch,
    .put = fg_local_put,
    .view_take = fg_local_view_take,
    .view_release = fg_local_view_release,
    .view_checkpoint = view_checkpoint,
    .view_check = fg_local_view_check,
    .trace_find = fg_local_trace_find,
    .trace_read = fg_local_trace_read,
    .readers_new = fg_local_readers_new,
    .readers_free = fg_local_readers_free,
    .whole = fg_local_whole,
    .scan_open = fg_local_scan_open,
    .scan_peek = fg_local_scan_peek,
    .scan_next = fg_local_scan_next,
    .scan_close = fg_local_scan_close,
    .rollup = fg_local_rollup,
    .maintain = maintain,
    .stop = stop,
    .merge_load = fg_local_merge_load,
    .set_retention = set_retention,
    .erase = fg_local_erase,
    .backup = fg_local_backup,
    .segments = fg_local_segments,
    .columns = fg_local_columns,
    .counters = counters,
    .close = close_blocks,
};
