/* The threads: one finds what is due, others run it. A thread is made when something waits and none
 * is idle, up to the bound, and ends when it had nothing to do for a while. So checks that hang
 * hold a thread each and nobody else; only where as many hang as there may be threads do others
 * wait. */
#include "base/limits.h"
#include "monitors_internal.h"

#include <stdlib.h>

#define IDLE_NS (60 * FG_NS_PER_SECOND)
/* A stop waits so long for checks that don't come back, beyond what they may take. */
#define STOP_NS (10 * FG_NS_PER_SECOND)

static void work(void *arg)
{
    struct fg_monitor_thread *thread = arg;
    struct fg_monitors *monitors = thread->monitors;
    struct fg_look *look = calloc(1, sizeof *look);
    fg_mutex_lock(&monitors->mutex);
    if (look)
        fg_look_init(look);
    while (look && !monitors->is_stopping) {
        struct fg_monitor *monitor = fg_monitors_dequeue(monitors);
        if (monitor) {
            fg_monitor_work(monitors, monitor, look);
            continue;
        }
        monitors->idle_count++;
        bool is_woken = fg_cond_wait_for(&monitors->work, &monitors->mutex, IDLE_NS);
        monitors->idle_count--;
        if (!is_woken && monitors->queue_length == 0)
            break;
    }
    thread->has_ended = true;
    fg_cond_broadcast(&monitors->done);
    fg_mutex_unlock(&monitors->mutex);
    if (look)
        fg_look_free(look);
    free(look);
}

/* Locked; a thread that said it ended is joined at once: it holds no lock that is needed for that.
 */
static struct fg_monitor_thread *free_place(struct fg_monitors *monitors)
{
    for (uint32_t i = 0; i < monitors->options.threads_max; i++) {
        struct fg_monitor_thread *thread = &monitors->threads[i];
        if (thread->is_used && thread->has_ended) {
            fg_thread_join(&thread->thread);
            thread->is_used = thread->has_ended = false;
            monitors->thread_count--;
        }
        if (!thread->is_used)
            return thread;
    }
    return NULL;
}

static void add_thread(struct fg_monitors *monitors)
{
    struct fg_monitor_thread *thread = free_place(monitors);
    if (!thread)
        return;
    thread->monitors = monitors;
    /* where there is none to be had, those that are there do the work */
    if (fg_thread_start(&thread->thread, "monitor", work, thread) < 0)
        return;
    thread->is_used = true;
    monitors->thread_count++;
}

static void find(void *arg)
{
    struct fg_monitors *monitors = arg;
    struct fg_env *env = monitors->options.env;
    fg_mutex_lock(&monitors->mutex);
    while (!monitors->is_stopping) {
        uint64_t now_ns = fg_env_mono_ns(env);
        uint64_t next_ns = fg_monitors_queue_due(monitors, now_ns);
        for (uint32_t i = monitors->idle_count; i < monitors->queue_length; i++)
            add_thread(monitors);
        if (monitors->queue_length > 0)
            fg_cond_broadcast(&monitors->work);
        uint64_t wait_ns = next_ns == UINT64_MAX ? IDLE_NS : next_ns - now_ns;
        if (next_ns > now_ns)
            (void)fg_cond_wait_for(&monitors->due, &monitors->mutex, wait_ns);
    }
    fg_mutex_unlock(&monitors->mutex);
}

int fg_pool_start(struct fg_monitors *monitors)
{
    monitors->threads = calloc(monitors->options.threads_max, sizeof *monitors->threads);
    if (!monitors->threads)
        return FG_ENOMEM;
    int r = fg_thread_start(&monitors->finder, "monitors", find, monitors);
    monitors->has_finder = r == 0;
    return r;
}

static bool are_all_back(const struct fg_monitors *monitors)
{
    for (uint32_t i = 0; i < monitors->options.threads_max; i++)
        if (monitors->threads[i].is_used && !monitors->threads[i].has_ended)
            return false;
    return true;
}

static uint64_t longest_limit(const struct fg_monitors *monitors)
{
    uint64_t longest_ns = 0;
    for (uint32_t i = 0; i < monitors->count; i++)
        if (monitors->items[i]->config->time_limit_ns > longest_ns)
            longest_ns = monitors->items[i]->config->time_limit_ns;
    return longest_ns;
}

void fg_pool_stop(struct fg_monitors *monitors)
{
    struct fg_env *env = monitors->options.env;
    if (!monitors->has_finder)
        return;
    fg_thread_join(&monitors->finder);
    monitors->has_finder = false;
    fg_mutex_lock(&monitors->mutex);
    uint64_t end_ns = fg_env_mono_ns(env) + longest_limit(monitors) + STOP_NS, now_ns;
    while (!are_all_back(monitors) && (now_ns = fg_env_mono_ns(env)) < end_ns)
        (void)fg_cond_wait_for(&monitors->done, &monitors->mutex, end_ns - now_ns);
    monitors->is_abandoned = !are_all_back(monitors);
    fg_mutex_unlock(&monitors->mutex);
    for (uint32_t i = 0; i < monitors->options.threads_max; i++)
        if (monitors->threads[i].is_used && monitors->threads[i].has_ended)
            fg_thread_join(&monitors->threads[i].thread);
}
