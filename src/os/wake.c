#include "os/wake.h"

#include <time.h>

void fg_wake_init(struct fg_wake *wake)
{
    sem_init(&wake->semaphore, 0, 0);
    atomic_init(&wake->pending, false);
}

void fg_wake_destroy(struct fg_wake *wake)
{
    sem_destroy(&wake->semaphore);
}

void fg_wake_signal(struct fg_wake *wake)
{
    if (!atomic_exchange_explicit(&wake->pending, true, memory_order_acq_rel))
        sem_post(&wake->semaphore);
}

bool fg_wake_wait(struct fg_wake *wake, uint64_t timeout_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + timeout_ns % 1000000000u;
    until.tv_sec += (time_t)(timeout_ns / 1000000000u + ns / 1000000000u);
    until.tv_nsec = (long)(ns % 1000000000u);
    bool woken = sem_clockwait(&wake->semaphore, CLOCK_MONOTONIC, &until) == 0;
    if (woken)
        atomic_store_explicit(&wake->pending, false, memory_order_release);
    return woken;
}
