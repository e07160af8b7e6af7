#include "os/thread.h"

#include <assert.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What a thread that others wait for runs at a time at most before it lets others run: less than
 * the kernel's usual 1 to 3 ms, for which Linux from 6.12 on has it run sooner after it was woken
 * (EEVDF, kernel/sched/fair.c). Older ones ignore it. */
#define PROMPT_SLICE_NS 200000u
/* Each step of niceness is a fifth less of a processor that others want too (sched(7)). */
#define PATIENT_STEPS    4
#define BACKGROUND_STEPS 9

/* The ranks that this thread holds, as a stack; deeper nesting than this is a bug of its own. */
#define HELD_MAX 8
static _Thread_local int held[HELD_MAX];
static _Thread_local int held_count;

static void rank_push(const struct fg_mutex *mutex)
{
    assert(held_count < HELD_MAX);
    assert(held_count == 0 || held[held_count - 1] < mutex->rank);
    held[held_count++] = mutex->rank;
}

static void rank_pop(const struct fg_mutex *mutex)
{
    for (int i = held_count - 1; i >= 0; i--) {
        if (held[i] != mutex->rank)
            continue;
        for (int k = i; k + 1 < held_count; k++)
            held[k] = held[k + 1];
        held_count--;
        return;
    }
    assert(false && "unlocked a mutex that this thread does not hold");
}

void fg_mutex_init(struct fg_mutex *mutex, enum fg_mutex_rank rank)
{
    int r = pthread_mutex_init(&mutex->mutex, NULL);
    assert(r == 0);
    (void)r;
    mutex->rank = (int)rank;
}

void fg_mutex_destroy(struct fg_mutex *mutex)
{
    pthread_mutex_destroy(&mutex->mutex);
}

void fg_mutex_lock(struct fg_mutex *mutex)
{
    rank_push(mutex);
    int r = pthread_mutex_lock(&mutex->mutex);
    assert(r == 0);
    (void)r;
}

void fg_mutex_unlock(struct fg_mutex *mutex)
{
    /* First: once it is unlocked another thread may free it. */
    rank_pop(mutex);
    pthread_mutex_unlock(&mutex->mutex);
}

void fg_cond_init(struct fg_cond *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int r = pthread_cond_init(&cond->cond, &attr);
    assert(r == 0);
    (void)r;
    pthread_condattr_destroy(&attr);
}

void fg_cond_destroy(struct fg_cond *cond)
{
    pthread_cond_destroy(&cond->cond);
}

void fg_cond_signal(struct fg_cond *cond)
{
    pthread_cond_signal(&cond->cond);
}

void fg_cond_broadcast(struct fg_cond *cond)
{
    pthread_cond_broadcast(&cond->cond);
}

void fg_cond_wait(struct fg_cond *cond, struct fg_mutex *mutex)
{
    pthread_cond_wait(&cond->cond, &mutex->mutex);
}

bool fg_cond_wait_for(struct fg_cond *cond, struct fg_mutex *mutex, uint64_t timeout_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + timeout_ns % 1000000000u;
    until.tv_sec += (time_t)(timeout_ns / 1000000000u + ns / 1000000000u);
    until.tv_nsec = (long)(ns % 1000000000u);
    return pthread_cond_timedwait(&cond->cond, &mutex->mutex, &until) == 0;
}

struct start {
    void (*run)(void *arg);
    void *arg;
    char name[16];
};

/* A thread names itself by prctl(2); another's name would be written to /proc, which a process that
 * keeps only the files of its settings may not. */
static void *trampoline(void *arg)
{
    struct start start = *(struct start *)arg;
    free(arg);
    pthread_setname_np(pthread_self(), start.name);
    start.run(start.arg);
    return NULL;
}

int fg_thread_start(struct fg_thread *ret_thread, const char *name, void (*run)(void *arg),
                    void *arg)
{
    struct start *start = malloc(sizeof *start);
    if (!start)
        return FG_ENOMEM;
    *start = (struct start){.run = run, .arg = arg};
    strncpy(start->name, name, sizeof start->name - 1);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int r = pthread_create(&thread, NULL, trampoline, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0) {
        free(start);
        return FG_ENOMEM;
    }
    ret_thread->thread = thread;
    return 0;
}

void fg_thread_join(struct fg_thread *thread)
{
    pthread_join(thread->thread, NULL);
}

/* sched_setattr(2), which the C library does not have. */
struct sched_attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static void schedule(int policy, int nice, uint64_t slice_ns)
{
    struct sched_attributes wanted = {
        .size = sizeof wanted, .policy = (uint32_t)policy, .nice = nice, .runtime_ns = slice_ns};
    (void)!syscall(SYS_sched_setattr, 0, &wanted, 0);
}

/* Niceness is relative to that of the process, which the thread inherited. */
static int nicer_by(int steps)
{
    int nice = getpriority(PRIO_PROCESS, 0) + steps;
    return nice > 19 ? 19 : nice;
}

void fg_thread_behave(enum fg_thread_manner manner)
{
    switch (manner) {
    case FG_THREAD_PROMPT:
        schedule(SCHED_OTHER, nicer_by(0), PROMPT_SLICE_NS);
        break;
    case FG_THREAD_PATIENT:
        schedule(SCHED_BATCH, nicer_by(PATIENT_STEPS), 0);
        break;
    case FG_THREAD_BACKGROUND:
        schedule(SCHED_BATCH, nicer_by(BACKGROUND_STEPS), 0);
        break;
    }
}
