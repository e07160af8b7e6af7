#include "crew.h"

#include "os/thread.h"

#include <stdio.h>
#include <stdlib.h>

struct fg_crew {
    struct fg_mutex mutex; /* guards all, the works' fields included */
    struct fg_cond called; /* there is work, or the end */
    struct fg_cond left;   /* a thread came back from run() */
    struct fg_crew_work *first, **last;
    bool is_stopping;
    unsigned thread_count;
    struct fg_thread threads[];
};

static void list(struct fg_crew *crew, struct fg_crew_work *work)
{
    work->next = NULL;
    work->is_listed = true;
    *crew->last = work;
    crew->last = &work->next;
}

static void unlist(struct fg_crew *crew, struct fg_crew_work *work)
{
    struct fg_crew_work **at = &crew->first;
    while (*at != work)
        at = &(*at)->next;
    *at = work->next;
    if (!work->next)
        crew->last = at;
    work->is_listed = false;
}

/* A piece of the first's, which then stands last. What is called while it runs is not missed. */
static void run_first(struct fg_crew *crew)
{
    struct fg_crew_work *work = crew->first;
    unlist(crew, work);
    list(crew, work);
    work->runs++;
    uint64_t calls = work->calls;
    fg_mutex_unlock(&crew->mutex);
    bool has_more = work->run(work);
    fg_mutex_lock(&crew->mutex);
    work->runs--;
    if (!has_more && work->is_listed && work->calls == calls)
        unlist(crew, work);
    fg_cond_broadcast(&crew->left);
}

static void work(void *arg)
{
    struct fg_crew *crew = arg;
    fg_thread_behave(FG_THREAD_PATIENT);
    fg_mutex_lock(&crew->mutex);
    while (!crew->is_stopping) {
        if (crew->first)
            run_first(crew);
        else
            fg_cond_wait(&crew->called, &crew->mutex);
    }
    fg_mutex_unlock(&crew->mutex);
}

int fg_crew_new(unsigned thread_count, struct fg_crew **ret_crew)
{
    struct fg_crew *crew = calloc(1, sizeof *crew + thread_count * sizeof *crew->threads);
    if (!crew)
        return FG_ENOMEM;
    fg_mutex_init(&crew->mutex, FG_RANK_LEAF);
    fg_cond_init(&crew->called);
    fg_cond_init(&crew->left);
    crew->last = &crew->first;
    for (unsigned i = 0; i < thread_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "fg-scan-%u", i % 1000);
        int r = fg_thread_start(&crew->threads[i], name, work, crew);
        if (r < 0) {
            fg_crew_free(crew);
            return r;
        }
        crew->thread_count++;
    }
    *ret_crew = crew;
    return 0;
}

void fg_crew_free(struct fg_crew *crew)
{
    if (!crew)
        return;
    fg_mutex_lock(&crew->mutex);
    crew->is_stopping = true;
    fg_cond_broadcast(&crew->called);
    fg_mutex_unlock(&crew->mutex);
    for (unsigned i = 0; i < crew->thread_count; i++)
        fg_thread_join(&crew->threads[i]);
    fg_cond_destroy(&crew->called);
    fg_cond_destroy(&crew->left);
    fg_mutex_destroy(&crew->mutex);
    free(crew);
}

unsigned fg_crew_size(const struct fg_crew *crew)
{
    return crew->thread_count;
}

void fg_crew_call(struct fg_crew *crew, struct fg_crew_work *work)
{
    fg_mutex_lock(&crew->mutex);
    work->calls++;
    if (!work->is_listed)
        list(crew, work);
    fg_cond_signal(&crew->called);
    fg_mutex_unlock(&crew->mutex);
}

void fg_crew_leave(struct fg_crew *crew, struct fg_crew_work *work)
{
    fg_mutex_lock(&crew->mutex);
    if (work->is_listed)
        unlist(crew, work);
    while (work->runs > 0)
        fg_cond_wait(&crew->left, &crew->mutex);
    fg_mutex_unlock(&crew->mutex);
}
