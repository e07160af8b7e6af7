/* Wakes one thread from any other, without a lock and without waiting: what a host's thread may do
 * on its own time. Signals that come before the wait are not lost; several are one. */
#pragma once

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fg_wake {
    sem_t semaphore;
    atomic_bool pending;
};

void fg_wake_init(struct fg_wake *wake);
void fg_wake_destroy(struct fg_wake *wake);
void fg_wake_signal(struct fg_wake *wake);
/* False when timeout_ns passed without a signal. */
bool fg_wake_wait(struct fg_wake *wake, uint64_t timeout_ns);
