/* The list of monitors, and what is asked of it from without. */
#include "monitors_internal.h"

#include "base/limits.h"

#include <stdlib.h>

const char *fg_check_result_name(enum fg_check_result result)
{
    static const char *const names[] = {"ok", "degraded", "down", "unknown"};
    return names[result];
}

/* -- The list */

static uint32_t place_of(const struct fg_monitors *monitors, const char *name)
{
    uint32_t low = 0, high = monitors->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(monitors->items[middle]->config->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct fg_monitor *fg_monitors_find(struct fg_monitors *monitors, const char *name)
{
    uint32_t place = place_of(monitors, name);
    if (place == monitors->count || strcmp(monitors->items[place]->config->name, name) != 0)
        return NULL;
    return monitors->items[place];
}

void fg_monitor_unref(struct fg_monitor *monitor)
{
    if (--monitor->refs > 0)
        return;
    fg_monitor_config_free(monitor->config);
    fg_arena_free(&monitor->arena);
    free(monitor);
}

static void set_aside(struct fg_monitor *monitor)
{
    monitor->is_removed = true;
    monitor->cancelled = true;
    fg_monitor_unref(monitor);
}

static int insert(struct fg_monitors *monitors, struct fg_monitor *monitor)
{
    uint32_t place = place_of(monitors, monitor->config->name);
    struct fg_monitor *before = fg_monitors_find(monitors, monitor->config->name);
    if (before) {
        monitor->belief = before->belief;
        monitors->items[place] = monitor;
        set_aside(before);
        return 0;
    }
    if (monitors->count == FG_MONITORS_MAX)
        return FG_ELIMIT;
    if (monitors->count == monitors->capacity) {
        uint32_t capacity = monitors->capacity ? 2 * monitors->capacity : 16;
        void *items = realloc(monitors->items, capacity * sizeof(struct fg_monitor *));
        if (!items)
            return FG_ENOMEM;
        monitors->items = items;
        monitors->capacity = capacity;
    }
    memmove(&monitors->items[place + 1], &monitors->items[place],
            (monitors->count - place) * sizeof *monitors->items);
    monitors->items[place] = monitor;
    monitors->count++;
    return 0;
}

int fg_monitors_put_take(struct fg_monitors *monitors, struct fg_monitor_config *config,
                         bool is_added)
{
    struct fg_monitor *monitor = calloc(1, sizeof *monitor);
    if (!monitor) {
        fg_monitor_config_free(config);
        return FG_ENOMEM;
    }
    monitor->config = config;
    monitor->refs = 1;
    monitor->is_added = is_added;
    monitor->belief = fg_belief_new();
    fg_arena_init(&monitor->arena, (size_t)128 << 10);
    fg_monitor_restore(monitors, config->name, &monitor->belief);
    fg_mutex_lock(&monitors->mutex);
    monitor->due_ns = fg_monitor_first_due(monitors);
    int r = insert(monitors, monitor);
    if (r < 0)
        fg_monitor_unref(monitor);
    fg_cond_signal(&monitors->due);
    fg_mutex_unlock(&monitors->mutex);
    return r;
}

int fg_monitors_remove(struct fg_monitors *monitors, const char *name)
{
    fg_mutex_lock(&monitors->mutex);
    uint32_t place = place_of(monitors, name);
    struct fg_monitor *monitor = fg_monitors_find(monitors, name);
    if (monitor) {
        memmove(&monitors->items[place], &monitors->items[place + 1],
                (monitors->count - place - 1) * sizeof *monitors->items);
        monitors->count--;
        set_aside(monitor);
        fg_cond_broadcast(&monitors->done);
    }
    fg_mutex_unlock(&monitors->mutex);
    if (monitor)
        fg_monitor_forget(monitors, name);
    return monitor ? 0 : FG_ENOTFOUND;
}

/* -- Looking */

static void show(const struct fg_monitor *monitor,
                 void (*fn)(void *arg, const struct fg_monitor_view *view), void *arg)
{
    const struct fg_monitor_view view = {
        .config = monitor->config,
        .result = monitor->belief.result,
        .is_new = monitor->belief.is_new,
        .is_added = monitor->is_added,
        .is_running = monitor->phase == FG_MONITOR_RUNNING,
        .is_overdue = monitor->phase == FG_MONITOR_OVERDUE,
        .doubt_count = monitor->belief.doubt_count,
        .since_ns = monitor->belief.since_ns,
        .looked_ns = monitor->looked_wall_ns,
        .took_ns = monitor->took_ns,
        .run_count = monitor->started_count,
        .unstored_count = monitor->unstored_count,
        .report = &monitor->report,
    };
    fn(arg, &view);
}

uint32_t fg_monitors_each(struct fg_monitors *monitors, const char *name,
                          void (*fn)(void *arg, const struct fg_monitor_view *view), void *arg)
{
    uint32_t count = 0;
    fg_mutex_lock(&monitors->mutex);
    if (name) {
        const struct fg_monitor *monitor = fg_monitors_find(monitors, name);
        if (monitor)
            show(monitor, fn, arg);
        count = monitor != NULL;
    } else {
        for (; count < monitors->count; count++)
            show(monitors->items[count], fn, arg);
    }
    fg_mutex_unlock(&monitors->mutex);
    return count;
}

int fg_monitors_run(struct fg_monitors *monitors, const char *name)
{
    struct fg_env *env = monitors->options.env;
    int r = 0;
    fg_mutex_lock(&monitors->mutex);
    struct fg_monitor *monitor = fg_monitors_find(monitors, name);
    if (!monitor || monitors->is_stopping) {
        fg_mutex_unlock(&monitors->mutex);
        return monitor ? FG_ECANCELLED : FG_ENOTFOUND;
    }
    monitor->refs++;
    monitor->is_asked = true;
    if (monitor->phase == FG_MONITOR_IDLE)
        monitor->due_ns = fg_env_mono_ns(env);
    uint64_t wanted = monitor->started_count + 1;
    /* the run that is on, if one is, and the next */
    uint64_t end_ns =
        fg_env_mono_ns(env) + 2 * monitor->config->time_limit_ns + 2 * FG_MONITOR_GRACE_NS;
    fg_cond_signal(&monitors->due);
    while (monitor->ended_count < wanted && r == 0) {
        uint64_t now_ns = fg_env_mono_ns(env);
        if (monitor->is_removed)
            r = FG_ENOTFOUND;
        else if (monitors->is_stopping)
            r = FG_ECANCELLED;
        else if (now_ns >= end_ns)
            r = FG_ETIMEOUT;
        else
            (void)fg_cond_wait_for(&monitors->done, &monitors->mutex, end_ns - now_ns);
    }
    fg_monitor_unref(monitor);
    fg_mutex_unlock(&monitors->mutex);
    return r;
}

void fg_monitor_try(struct fg_env *env, const struct fg_monitor_config *config,
                    struct fg_check_report *report)
{
    fg_monitor_run(config, fg_env_mono_ns(env) + config->time_limit_ns, report);
}

/* -- Beginning and end */

int fg_monitors_open(const struct fg_monitors_options *options, struct fg_monitors **ret_monitors)
{
    struct fg_monitors *monitors = calloc(1, sizeof *monitors);
    if (!monitors)
        return FG_ENOMEM;
    monitors->options = *options;
    if (monitors->options.threads_max == 0)
        monitors->options.threads_max = FG_MONITOR_THREADS;
    fg_mutex_init(&monitors->mutex, FG_RANK_MONITORS);
    fg_cond_init(&monitors->due);
    fg_cond_init(&monitors->work);
    fg_cond_init(&monitors->done);
    int r = fg_monitors_state_open(monitors);
    if (r == 0 && !options->is_manual)
        r = fg_pool_start(monitors);
    if (r < 0) {
        fg_monitors_close(monitors);
        return r;
    }
    *ret_monitors = monitors;
    return 0;
}

void fg_monitors_stop(struct fg_monitors *monitors)
{
    if (!monitors)
        return;
    fg_mutex_lock(&monitors->mutex);
    monitors->is_stopping = true;
    for (uint32_t i = 0; i < monitors->count; i++)
        monitors->items[i]->cancelled = true;
    fg_cond_broadcast(&monitors->due);
    fg_cond_broadcast(&monitors->work);
    fg_cond_broadcast(&monitors->done);
    fg_mutex_unlock(&monitors->mutex);
    fg_pool_stop(monitors);
}

void fg_monitors_close(struct fg_monitors *monitors)
{
    /* a thread that never came back may still look at it */
    if (!monitors || monitors->is_abandoned)
        return;
    struct fg_monitor *queued;
    while ((queued = fg_monitors_dequeue(monitors)) != NULL)
        fg_monitor_unref(queued);
    for (uint32_t i = 0; i < monitors->count; i++)
        fg_monitor_unref(monitors->items[i]);
    free(monitors->items);
    free(monitors->threads);
    fg_cond_destroy(&monitors->due);
    fg_cond_destroy(&monitors->work);
    fg_cond_destroy(&monitors->done);
    fg_mutex_destroy(&monitors->mutex);
    free(monitors);
}

uint64_t fg_monitors_step(struct fg_monitors *monitors)
{
    struct fg_env *env = monitors->options.env;
    struct fg_look look = {0};
    struct fg_monitor *monitor;
    fg_look_init(&look);
    fg_mutex_lock(&monitors->mutex);
    (void)fg_monitors_queue_due(monitors, fg_env_mono_ns(env));
    while ((monitor = fg_monitors_dequeue(monitors)) != NULL)
        fg_monitor_work(monitors, monitor, &look);
    uint64_t now_ns = fg_env_mono_ns(env);
    uint64_t next_ns = fg_monitors_queue_due(monitors, now_ns);
    bool is_more = monitors->queue_length > 0;
    fg_mutex_unlock(&monitors->mutex);
    fg_look_free(&look);
    return is_more || next_ns <= now_ns ? 0 : next_ns == UINT64_MAX ? next_ns : next_ns - now_ns;
}
