#include "workers.h"

#include <stdio.h>
#include <stdlib.h>

struct fg_workers {
    struct fg_mutex mutex;
    struct fg_cond cond;
    struct fg_task *first, **last;
    unsigned waiting, queue_max;
    bool stopping;
    unsigned thread_count;
    struct fg_thread threads[];
};

static void work(void *arg)
{
    struct fg_workers *workers = arg;
    fg_mutex_lock(&workers->mutex);
    for (;;) {
        struct fg_task *task = workers->first;
        if (!task && workers->stopping)
            break;
        if (!task) {
            fg_cond_wait(&workers->cond, &workers->mutex);
            continue;
        }
        workers->first = task->next;
        if (!workers->first)
            workers->last = &workers->first;
        workers->waiting--;
        fg_mutex_unlock(&workers->mutex);
        task->run(task);
        fg_mutex_lock(&workers->mutex);
    }
    fg_mutex_unlock(&workers->mutex);
}

int fg_workers_new(const char *name, unsigned thread_count, unsigned queue_max,
                   struct fg_workers **ret_workers)
{
    struct fg_workers *workers =
        calloc(1, sizeof *workers + thread_count * sizeof workers->threads[0]);
    if (!workers)
        return FG_ENOMEM;
    fg_mutex_init(&workers->mutex, FG_RANK_API);
    fg_cond_init(&workers->cond);
    workers->last = &workers->first;
    workers->queue_max = queue_max;
    for (unsigned i = 0; i < thread_count; i++) {
        char thread_name[16];
        snprintf(thread_name, sizeof thread_name, "%.11s-%u", name, i % 1000);
        int r = fg_thread_start(&workers->threads[i], thread_name, work, workers);
        if (r < 0) {
            fg_workers_free(workers);
            return r;
        }
        workers->thread_count++;
    }
    *ret_workers = workers;
    return 0;
}

int fg_workers_queue(struct fg_workers *workers, struct fg_task *task)
{
    task->next = NULL;
    fg_mutex_lock(&workers->mutex);
    bool full = workers->waiting >= workers->queue_max || workers->stopping;
    if (!full) {
        *workers->last = task;
        workers->last = &task->next;
        workers->waiting++;
        fg_cond_signal(&workers->cond);
    }
    fg_mutex_unlock(&workers->mutex);
    return full ? FG_EAGAIN : 0;
}

void fg_workers_free(struct fg_workers *workers)
{
    if (!workers)
        return;
    fg_mutex_lock(&workers->mutex);
    workers->stopping = true;
    fg_cond_broadcast(&workers->cond);
    fg_mutex_unlock(&workers->mutex);
    for (unsigned i = 0; i < workers->thread_count; i++)
        fg_thread_join(&workers->threads[i]);
    fg_cond_destroy(&workers->cond);
    fg_mutex_destroy(&workers->mutex);
    free(workers);
}
