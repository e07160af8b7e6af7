/* Views: a reader's hold on a version, in a list so that an erase can end them and wait. */
#include "local/local.h"

#include <stdlib.h>

int fg_local_view_take(struct fg_blocks *blocks, struct fg_blocks_view **ret_view)
{
    struct fg_local *local = (struct fg_local *)blocks;
    struct fg_blocks_view *view = calloc(1, sizeof *view);
    if (!view)
        return FG_ENOMEM;
    view->local = local;
    fg_mutex_lock(&local->lock);
    view->version = local->current;
    atomic_fetch_add_explicit(&view->version->refs, 1, memory_order_relaxed);
    view->next = local->views;
    if (view->next)
        view->next->previous = view;
    local->views = view;
    fg_mutex_unlock(&local->lock);
    *ret_view = view;
    return 0;
}

void fg_local_view_release(struct fg_blocks_view *view)
{
    if (!view)
        return;
    struct fg_local *local = view->local;
    /* The version first: who waits for views to end wants their files gone. */
    fg_local_version_release(view->version);
    fg_mutex_lock(&local->lock);
    if (view->next)
        view->next->previous = view->previous;
    if (view->previous)
        view->previous->next = view->next;
    else
        local->views = view->next;
    fg_cond_broadcast(&local->views_changed);
    fg_mutex_unlock(&local->lock);
    free(view);
}

int fg_local_view_check(const struct fg_blocks_view *view)
{
    return atomic_load_explicit(&view->is_ended, memory_order_relaxed) ? FG_ETIMEOUT : 0;
}

/* With lock: a view of an older version than the current one. version is compared, not followed: it
 * may be gone already. */
static bool is_any_older(const struct fg_local *local, bool end_them)
{
    bool is_any = false;
    for (struct fg_blocks_view *view = local->views; view; view = view->next) {
        if (view->version == local->current)
            continue;
        is_any = true;
        if (end_them)
            atomic_store(&view->is_ended, true);
    }
    return is_any;
}

int fg_local_end_views(struct fg_local *local, uint64_t timeout_ns)
{
    uint64_t end_ns = fg_env_mono_ns(local->env) + timeout_ns;
    int r = 0;
    fg_mutex_lock(&local->lock);
    while (r == 0 && is_any_older(local, true)) {
        uint64_t now_ns = fg_env_mono_ns(local->env);
        bool is_over = now_ns >= end_ns ||
                       !fg_cond_wait_for(&local->views_changed, &local->lock, end_ns - now_ns);
        r = is_over && is_any_older(local, true) ? FG_ETIMEOUT : 0;
    }
    fg_mutex_unlock(&local->lock);
    return r;
}

void fg_local_damaged_page(struct fg_local_segment *segment, struct fg_read_stats *stats)
{
    struct fg_local *local = segment->local;
    stats->damaged_pages++;
    atomic_fetch_add_explicit(&local->counters.damaged_pages, 1, memory_order_relaxed);
    if (atomic_exchange(&segment->is_damage_said, true))
        return;
    fg_store_event(local->options, FG_LOG_ERROR,
                   "segments/%016llx.seg is damaged: answers lack the spans of some of its pages; "
                   "`filigree verify` lists them, a backup has them",
                   (unsigned long long)segment->entry.id);
}
