/* The few mutexes of a library, known from the first time that they are locked. A mutex that is not
 * known yet when a fork happens has not been locked by anybody. */
#include "guard.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { GUARDED_MAX = 8 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fg_mutex *_Atomic guarded[GUARDED_MAX];
static bool is_held[GUARDED_MAX]; /* by the fork under way; forks of a process come one by one */

static void before_fork(void)
{
    for (size_t i = 0; i < GUARDED_MAX; i++) {
        struct fg_mutex *mutex = atomic_load(&guarded[i]);
        is_held[i] = mutex != NULL;
        if (mutex)
            pthread_mutex_lock(&mutex->mutex);
    }
}

static void after_fork(void)
{
    for (size_t i = GUARDED_MAX; i > 0; i--)
        if (is_held[i - 1])
            pthread_mutex_unlock(&atomic_load(&guarded[i - 1])->mutex);
}

static void install(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

void fg_guard_lock(struct fg_mutex *mutex)
{
    pthread_once(&once, install);
    for (size_t i = 0; i < GUARDED_MAX; i++) {
        struct fg_mutex *none = NULL, *there = atomic_load(&guarded[i]);
        if (there == mutex ||
            (!there &&
             (atomic_compare_exchange_strong(&guarded[i], &none, mutex) || none == mutex)))
            break;
    }
    fg_mutex_lock(mutex);
}
