/* Threads that may block, for what a loop thread may not do itself. A task is embedded in what it
 * is about, so that queueing it allocates nothing. */
#pragma once

#include "base/error.h"
#include "os/thread.h"

struct fg_workers;

struct fg_task {
    struct fg_task *next;
    void (*run)(
        struct fg_task *task); /* on a worker thread; the task may be queued again by then */
};

/* name: at most 11 bytes. queue_max: tasks that wait. */
FG_MUST_CHECK int fg_workers_new(const char *name, unsigned thread_count, unsigned queue_max,
                                 struct fg_workers **ret_workers);

/* FG_EAGAIN: too many wait. */
FG_MUST_CHECK int fg_workers_queue(struct fg_workers *workers, struct fg_task *task);

/* Runs what is queued to its end, ends the threads, frees. NULL is accepted. */
void fg_workers_free(struct fg_workers *workers);
