/* Threads, mutexes with ranks, conditions. A thread may lock a mutex only while it holds none of
 * the same or a higher rank; debug builds assert it. */
#pragma once

#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum fg_mutex_rank {
    FG_RANK_GATE = 5,       /* api: one injection of spans at a time */
    FG_RANK_API = 10,       /* api and cmd: routes' own state */
    FG_RANK_AUTH = 15,      /* auth: one change at a time, its commit included */
    FG_RANK_QUEUE = 20,     /* net's thread queues */
    FG_RANK_STORE_JOB = 30, /* store: one maintenance job at a time */
    FG_RANK_MANIFEST = 35,  /* store: one edit of the manifest at a time, its syncs included */
    FG_RANK_CONSUME = 38,   /* store: consumers of the log who wait, and who waits for them */
    FG_RANK_STORE = 40,     /* store: head list, snapshots, counters */
    FG_RANK_VERSION = 45,   /* store: which segments are current */
    FG_RANK_WAL = 50,       /* store: commit queue; what is written of the WAL */
    FG_RANK_WAL_FILES = 55, /* store: making a file for the WAL, or the reserve */
    FG_RANK_ROLLUP = 58,    /* store: counting a head's spans */
    FG_RANK_SEGMENT = 60,   /* store: a segment's lazily read parts */
    FG_RANK_CACHE = 70,     /* store: page and filter cache */
    FG_RANK_PINS = 72,      /* cmd: whether there are journeys that may be asked of traces */
    FG_RANK_DEEDS = 73,     /* journey: one change of the incidents and its commit at a time */
    FG_RANK_INCIDENTS = 75, /* journey: the incidents; taken before the records */
    FG_RANK_JOURNEYS = 80,  /* journey: the records */
    FG_RANK_MONITORS = 85,  /* monitor: all of them */
    FG_RANK_ALERTS = 87,    /* net: alerts that are to be told */
    FG_RANK_EVENTS = 88,    /* api: who listens to what changes; asks auth whether they still may */
    FG_RANK_LEAF = 90,      /* takes nothing else */
};

struct fg_mutex {
    pthread_mutex_t mutex;
    int rank;
};

struct fg_cond {
    pthread_cond_t cond; /* waits by the monotonic clock */
};

struct fg_thread {
    pthread_t thread;
};

void fg_mutex_init(struct fg_mutex *mutex, enum fg_mutex_rank rank);
void fg_mutex_destroy(struct fg_mutex *mutex);
void fg_mutex_lock(struct fg_mutex *mutex);
void fg_mutex_unlock(struct fg_mutex *mutex);

void fg_cond_init(struct fg_cond *cond);
void fg_cond_destroy(struct fg_cond *cond);
void fg_cond_signal(struct fg_cond *cond);
void fg_cond_broadcast(struct fg_cond *cond);
void fg_cond_wait(struct fg_cond *cond, struct fg_mutex *mutex);
/* False when timeout_ns passed without a signal. */
bool fg_cond_wait_for(struct fg_cond *cond, struct fg_mutex *mutex, uint64_t timeout_ns);

/* name: at most 15 bytes, seen in top and gdb. All signals are blocked in the new thread. */
FG_MUST_CHECK int fg_thread_start(struct fg_thread *ret_thread, const char *name,
                                  void (*run)(void *arg), void *arg);
void fg_thread_join(struct fg_thread *thread);

/* How a thread shares the processors with the others of its process, where there are too few. */
enum fg_thread_manner {
    FG_THREAD_PROMPT,     /* short work that others wait for: runs soon after it is woken */
    FG_THREAD_PATIENT,    /* long work that is waited for in the end */
    FG_THREAD_BACKGROUND, /* long work that nobody waits for */
};
/* Of the calling thread. Best effort, needs no privilege, and there is no way back from a patient
 * one. */
void fg_thread_behave(enum fg_thread_manner manner);
