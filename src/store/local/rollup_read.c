/* The sealed minutes of a tenant: each segment's block, and the days that outlived their spans. */
#include "local/local.h"
#include "local/rollup_file.h"

#include "base/limits.h"
#include "store/rollup.h"

#include <stdlib.h>

struct window {
    uint64_t start_ns_min, start_ns_max;
    struct fg_rollup *rollup;
};

/* Frees bytes. A damaged block costs its segment's minutes, no more. */
static int add_take(const struct window *window, uint8_t *bytes, size_t size)
{
    int r = size ? fg_rollup_decode(window->rollup, fg_slice(bytes, size), window->start_ns_min,
                                    window->start_ns_max)
                 : 0;
    free(bytes);
    return r;
}

static void say_damaged(struct fg_local *local, const char *folder, uint64_t id)
{
    atomic_fetch_add_explicit(&local->counters.damaged_pages, 1, memory_order_relaxed);
    fg_store_event(local->options, FG_LOG_ERROR,
                   "the rollups of %s/%016llx are damaged: statistics lack them", folder,
                   (unsigned long long)id);
}

static int add_segment(const struct window *window, struct fg_local_segment *segment)
{
    const struct fg_manifest_segment *entry = &segment->entry;
    uint8_t *bytes = NULL;
    size_t size = 0;
    bool is_outside =
        entry->start_ns_max < window->start_ns_min - window->start_ns_min % FG_NS_PER_MINUTE ||
        entry->start_ns_min >= window->start_ns_max;
    if (is_outside)
        return 0;
    int r = segment->segment ? fg_segment_rollup(segment->segment, &bytes, &size) : FG_ECORRUPT;
    if (r == 0)
        r = add_take(window, bytes, size);
    if (r == FG_ECORRUPT)
        say_damaged(segment->local, "segments", entry->id);
    return r == FG_ECORRUPT ? 0 : r;
}

static int add_kept(const struct window *window, struct fg_local_rollup *kept)
{
    char path[FG_LOCAL_PATH_SIZE_MAX];
    fg_local_rollup_path(kept->local, kept->entry.id, path);
    int r = fg_rollup_file_read(kept->local->env, path, window->start_ns_min, window->start_ns_max,
                                window->rollup);
    bool is_damaged = r == FG_ECORRUPT || r == FG_ENOTFOUND;
    if (is_damaged)
        say_damaged(kept->local, "rollups", kept->entry.id);
    return is_damaged ? 0 : r;
}

int fg_local_rollup(struct fg_blocks_view *view, uint32_t tenant, uint64_t start_ns_min,
                    uint64_t start_ns_max, struct fg_rollup *rollup)
{
    const struct fg_local_version *version = view->version;
    const struct window window = {start_ns_min, start_ns_max, rollup};
    int r = 0;
    for (size_t i = 0; r == 0 && i < version->segment_count; i++)
        if (version->segments[i]->entry.tenant == tenant)
            r = add_segment(&window, version->segments[i]);
    for (size_t i = 0; r == 0 && i < version->rollup_count; i++)
        if (version->rollups[i]->entry.tenant == tenant)
            r = add_kept(&window, version->rollups[i]);
    return r;
}
