/* Merges write at most so many bytes a second, step by step, so that the log's syncs do not queue
 * behind hundreds of megabytes. A pause that nobody used is not made up for. */
#include "base/limits.h"
#include "local/local.h"

void fg_upkeep_init(struct fg_upkeep *upkeep)
{
    *upkeep = (struct fg_upkeep){0};
    fg_mutex_init(&upkeep->lock, FG_RANK_LEAF);
    fg_cond_init(&upkeep->wake);
    atomic_init(&upkeep->merge_load, 0);
}

void fg_upkeep_destroy(struct fg_upkeep *upkeep)
{
    fg_mutex_destroy(&upkeep->lock);
    fg_cond_destroy(&upkeep->wake);
}

void fg_upkeep_stop(struct fg_upkeep *upkeep)
{
    fg_mutex_lock(&upkeep->lock);
    upkeep->is_stopping = true;
    fg_cond_broadcast(&upkeep->wake);
    fg_mutex_unlock(&upkeep->lock);
}

bool fg_upkeep_is_stopping(struct fg_upkeep *upkeep)
{
    fg_mutex_lock(&upkeep->lock);
    bool is_stopping = upkeep->is_stopping;
    fg_mutex_unlock(&upkeep->lock);
    return is_stopping;
}

void fg_upkeep_pace(struct fg_local *local, size_t bytes)
{
    struct fg_upkeep *upkeep = &local->upkeep;
    uint64_t rate = local->options->merge_rate_bytes;
    if (rate == 0 || local->options->manual)
        return;
    uint64_t cost_ns = (uint64_t)((double)bytes / (double)rate * (double)FG_NS_PER_SECOND);
    fg_mutex_lock(&upkeep->lock);
    for (;;) {
        uint64_t now_ns = fg_env_mono_ns(local->env);
        if (upkeep->is_stopping || now_ns >= upkeep->paced_until_ns) {
            upkeep->paced_until_ns = now_ns + cost_ns;
            break;
        }
        fg_cond_wait_for(&upkeep->wake, &upkeep->lock, upkeep->paced_until_ns - now_ns);
    }
    fg_mutex_unlock(&upkeep->lock);
}
