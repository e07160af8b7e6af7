/* Versions, views and edits: which files are the store, for whom. */
#include "local/local.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>

/* -- Paths */

void fg_local_segments_folder(const struct fg_local *local, char ret_path[FG_LOCAL_PATH_SIZE_MAX])
{
    snprintf(ret_path, FG_LOCAL_PATH_SIZE_MAX, "%s/segments", local->folder);
}

void fg_local_rollups_folder(const struct fg_local *local, char ret_path[FG_LOCAL_PATH_SIZE_MAX])
{
    snprintf(ret_path, FG_LOCAL_PATH_SIZE_MAX, "%s/rollups", local->folder);
}

void fg_local_segment_path(const struct fg_local *local, uint64_t id,
                           char ret_path[FG_LOCAL_PATH_SIZE_MAX])
{
    snprintf(ret_path, FG_LOCAL_PATH_SIZE_MAX, "%s/segments/%016llx.seg", local->folder,
             (unsigned long long)id);
}

void fg_local_rollup_path(const struct fg_local *local, uint64_t id,
                          char ret_path[FG_LOCAL_PATH_SIZE_MAX])
{
    snprintf(ret_path, FG_LOCAL_PATH_SIZE_MAX, "%s/rollups/%016llx.rol", local->folder,
             (unsigned long long)id);
}

uint64_t fg_local_id_new(struct fg_local *local)
{
    return atomic_fetch_add(&local->next_id, 1);
}

/* -- Segments and kept rollups */

int fg_local_segment_open(struct fg_local *local, const struct fg_manifest_segment *entry,
                          struct fg_local_segment **ret_segment)
{
    char path[FG_LOCAL_PATH_SIZE_MAX];
    struct fg_local_segment *segment = calloc(1, sizeof *segment);
    if (!segment)
        return FG_ENOMEM;
    segment->entry = *entry;
    segment->local = local;
    atomic_init(&segment->refs, 1);
    fg_local_segment_path(local, entry->id, path);
    int r = fg_segment_open(local->env, path, local->cache, &segment->segment);
    if (r == FG_ECORRUPT || r == FG_ENOTFOUND) {
        segment->segment = NULL;
        r = 0;
    }
    if (r < 0) {
        free(segment);
        return r;
    }
    *ret_segment = segment;
    return 0;
}

static struct fg_local_segment *segment_ref(struct fg_local_segment *segment)
{
    atomic_fetch_add_explicit(&segment->refs, 1, memory_order_relaxed);
    return segment;
}

void fg_local_segment_release(struct fg_local_segment *segment)
{
    if (!segment || atomic_fetch_sub_explicit(&segment->refs, 1, memory_order_acq_rel) != 1)
        return;
    fg_segment_unref(segment->segment);
    if (atomic_load(&segment->is_removed)) {
        fg_local_discard(segment->local, segment->entry.id);
        atomic_fetch_sub(&segment->local->counters.held_bytes, segment->entry.size_bytes);
    }
    free(segment->policy_spans);
    free(segment);
}

void fg_local_discard(struct fg_local *local, uint64_t segment_id)
{
    char path[FG_LOCAL_PATH_SIZE_MAX];
    fg_local_segment_path(local, segment_id, path);
    (void)!fg_env_unlink(local->env, path); /* what stays is garbage to the next start */
}

static int rollup_new(struct fg_local *local, const struct fg_manifest_rollup *entry,
                      struct fg_local_rollup **ret_rollup)
{
    struct fg_local_rollup *rollup = calloc(1, sizeof *rollup);
    if (!rollup)
        return FG_ENOMEM;
    rollup->entry = *entry;
    rollup->local = local;
    atomic_init(&rollup->refs, 1);
    *ret_rollup = rollup;
    return 0;
}

static void rollup_release(struct fg_local_rollup *rollup)
{
    char path[FG_LOCAL_PATH_SIZE_MAX];
    if (!rollup || atomic_fetch_sub_explicit(&rollup->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (atomic_load(&rollup->is_removed)) {
        fg_local_rollup_path(rollup->local, rollup->entry.id, path);
        (void)!fg_env_unlink(rollup->local->env, path);
    }
    free(rollup);
}

struct fg_manifest_segment fg_local_entry(uint64_t id, uint32_t tenant, uint32_t day,
                                          uint32_t level, const struct fg_segment_info *info)
{
    return (struct fg_manifest_segment){
        .id = id,
        .tenant = tenant,
        .day = day,
        .level = level,
        .span_count = info->span_count,
        .trace_count = info->trace_count,
        .size_bytes = info->size_bytes,
        .start_ns_min = info->start_ns_min,
        .start_ns_max = info->start_ns_max,
        .end_ns_max = info->end_ns_max,
        .received_ns_min = info->received_ns_min,
        .received_ns_max = info->received_ns_max,
    };
}

/* -- Versions */

static void version_free(struct fg_local_version *version)
{
    for (size_t i = 0; i < version->segment_count; i++)
        fg_local_segment_release(version->segments[i]);
    for (size_t i = 0; i < version->rollup_count; i++)
        rollup_release(version->rollups[i]);
    free(version->segments);
    free(version->rollups);
    free(version);
}

void fg_local_version_release(struct fg_local_version *version)
{
    if (version && atomic_fetch_sub_explicit(&version->refs, 1, memory_order_acq_rel) == 1)
        version_free(version);
}

struct fg_local_version *fg_local_version_take(struct fg_local *local)
{
    fg_mutex_lock(&local->lock);
    struct fg_local_version *version = local->current;
    atomic_fetch_add_explicit(&version->refs, 1, memory_order_relaxed);
    fg_mutex_unlock(&local->lock);
    return version;
}

static bool is_before(const struct fg_manifest_segment *a, const struct fg_manifest_segment *b)
{
    if (a->tenant != b->tenant)
        return a->tenant < b->tenant;
    return a->day != b->day ? a->day < b->day : a->id < b->id;
}

/* Those that old has are shared, the others opened. Both lists have one order. */
static int fill_segments(struct fg_local_version *version, const struct fg_manifest *manifest,
                         const struct fg_local_version *old)
{
    version->segments = calloc(manifest->segment_count + 1, sizeof(struct fg_local_segment *));
    int r = version->segments ? 0 : FG_ENOMEM;
    size_t o = 0;
    for (size_t i = 0; r == 0 && i < manifest->segment_count; i++) {
        const struct fg_manifest_segment *entry = &manifest->segments[i];
        struct fg_local_segment *segment = NULL;
        while (old && o < old->segment_count && is_before(&old->segments[o]->entry, entry))
            o++;
        if (old && o < old->segment_count && old->segments[o]->entry.id == entry->id)
            segment = segment_ref(old->segments[o]);
        else
            r = fg_local_segment_open(version->local, entry, &segment);
        if (r == 0)
            version->segments[version->segment_count++] = segment;
    }
    return r;
}

static int fill_rollups(struct fg_local_version *version, const struct fg_manifest *manifest,
                        const struct fg_local_version *old)
{
    version->rollups = calloc(manifest->rollup_count + 1, sizeof(struct fg_local_rollup *));
    int r = version->rollups ? 0 : FG_ENOMEM;
    for (size_t i = 0; r == 0 && i < manifest->rollup_count; i++) {
        struct fg_local_rollup *rollup = NULL;
        for (size_t o = 0; old && !rollup && o < old->rollup_count; o++)
            if (old->rollups[o]->entry.id == manifest->rollups[i].id)
                rollup = old->rollups[o];
        if (rollup)
            atomic_fetch_add_explicit(&rollup->refs, 1, memory_order_relaxed);
        else
            r = rollup_new(version->local, &manifest->rollups[i], &rollup);
        if (r == 0)
            version->rollups[version->rollup_count++] = rollup;
    }
    return r;
}

int fg_local_version_new(struct fg_local *local, const struct fg_manifest *manifest,
                         const struct fg_local_version *old, struct fg_local_version **ret_version)
{
    struct fg_local_version *version = calloc(1, sizeof *version);
    if (!version)
        return FG_ENOMEM;
    version->local = local;
    atomic_init(&version->refs, 1);
    version->generation = manifest->generation;
    version->checkpoint = manifest->checkpoint;
    int r = fill_segments(version, manifest, old);
    if (r == 0)
        r = fill_rollups(version, manifest, old);
    if (r < 0) {
        version_free(version);
        return r;
    }
    *ret_version = version;
    return 0;
}

/* -- Edits */

static int sync_folders(const struct fg_local *local, const struct fg_manifest_edit *edit)
{
    char path[FG_LOCAL_PATH_SIZE_MAX];
    int r = 0;
    if (edit->add_count) {
        fg_local_segments_folder(local, path);
        r = fg_env_sync_dir(local->env, path);
    }
    if (r == 0 && edit->add_rollup_count) {
        fg_local_rollups_folder(local, path);
        r = fg_env_sync_dir(local->env, path);
    }
    return r;
}

/* A new segment that can't be read back is no reason to let its sources go. */
static int check_added(const struct fg_local_version *version, const struct fg_manifest_edit *edit)
{
    for (size_t i = 0; i < version->segment_count; i++) {
        if (version->segments[i]->segment)
            continue;
        for (size_t a = 0; a < edit->add_count; a++)
            if (edit->add[a].id == version->segments[i]->entry.id)
                return FG_ECORRUPT;
    }
    return 0;
}

static void mark_removed(struct fg_local_version *old, const struct fg_manifest_edit *edit)
{
    for (size_t r = 0; r < edit->remove_count; r++)
        for (size_t i = 0; i < old->segment_count; i++)
            if (old->segments[i]->entry.id == edit->remove[r]) {
                atomic_fetch_add(&old->local->counters.held_bytes,
                                 old->segments[i]->entry.size_bytes);
                atomic_store(&old->segments[i]->is_removed, true);
            }
    for (size_t r = 0; r < edit->remove_rollup_count; r++)
        for (size_t i = 0; i < old->rollup_count; i++)
            if (old->rollups[i]->entry.id == edit->remove_rollups[r])
                atomic_store(&old->rollups[i]->is_removed, true);
}

static void swap_version(struct fg_local *local, struct fg_local_version *version,
                         const struct fg_manifest_edit *edit)
{
    fg_mutex_lock(&local->lock);
    struct fg_local_version *old = local->current;
    local->current = version;
    fg_mutex_unlock(&local->lock);
    mark_removed(old, edit);
    fg_local_version_release(old);
}

/* With edit_lock. */
static int edit_locked(struct fg_local *local, const struct fg_manifest_edit *edit)
{
    struct fg_manifest manifest;
    struct fg_local_version *version = NULL;
    bool in_doubt = false;
    if (local->is_failed)
        return FG_EIO;
    struct fg_manifest_edit numbered = *edit;
    numbered.next_id = atomic_load(&local->next_id);
    int r = fg_manifest_apply(&local->manifest, &numbered, &manifest);
    if (r < 0)
        return r;
    r = sync_folders(local, edit);
    if (r == 0)
        r = fg_local_version_new(local, &manifest, local->current, &version);
    if (r == 0)
        r = check_added(version, edit);
    if (r == 0)
        r = fg_manifest_write(local->env, local->folder, &manifest, &in_doubt);
    if (r < 0) {
        local->is_failed = in_doubt;
        fg_local_version_release(version);
        fg_manifest_free(&manifest);
        return in_doubt ? FG_EIO : r;
    }
    fg_manifest_free(&local->manifest);
    local->manifest = manifest;
    swap_version(local, version, edit);
    return 0;
}

int fg_local_edit(struct fg_local *local, const struct fg_manifest_edit *edit)
{
    fg_mutex_lock(&local->edit_lock);
    int r = edit_locked(local, edit);
    fg_mutex_unlock(&local->edit_lock);
    return r;
}
