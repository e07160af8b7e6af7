/* A monotonic clock for who reads it millions of times a second: the processor's own counter, whose
 * rate and offset one thread keeps in step with the kernel's monotonic clock. A reading costs a
 * third of what asking the kernel's page does, and differs from it by some tens of nanoseconds.
 *
 * It is used only where the kernel itself takes its time from that counter, and so vouches that it
 * runs evenly and alike on all processors. Where it does not, before there is a rate, and when
 * nobody has looked after it for seconds (a suspended machine, a thread that starves), a reading is
 * the kernel's. Between adjustments the clock never goes back: an error is made good by its rate,
 * unless it is more than a millisecond. */
#pragma once

#include "os/env.h"

#include <stdatomic.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#define FG_TICK_COUNTER() __rdtsc()
#else
#define FG_TICK_COUNTER() UINT64_C(0)
#endif

/* Bits of the rate's fraction; a rate is below two nanoseconds a tick. */
#define FG_TICK_RATE_BITS 30
/* Ticks (two to eight seconds) after which a line is not to be trusted any more; with a rate of 31
 * bits the product keeps to 64. */
#define FG_TICK_AGE_BITS 33

/* Zeroed to begin with. A line through (base_ticks, base_ns), written by one thread. */
struct fg_tick {
    _Atomic uint32_t sequence; /* 0: no line yet; odd: it is being written */
    _Atomic uint64_t base_ticks, base_ns, rate;
    /* The writer's own. */
    uint64_t seen_ticks, seen_ns;
    bool has_jumped;
};

/* Whether this machine's counter may be used. Reads a file; ask once. */
bool fg_tick_is_usable(void);

/* Puts the line in step; to be called about once a second, by one thread. Does nothing where the
 * last time was less than a half before. */
void fg_tick_adjust(struct fg_tick *tick, struct fg_env *env);

/* Nanoseconds of env's monotonic clock. Any thread, without a lock or a loop. */
static inline uint64_t fg_tick_ns(const struct fg_tick *tick, struct fg_env *env)
{
    uint32_t sequence = atomic_load_explicit(&tick->sequence, memory_order_acquire);
    uint64_t base_ticks = atomic_load_explicit(&tick->base_ticks, memory_order_acquire);
    uint64_t base_ns = atomic_load_explicit(&tick->base_ns, memory_order_acquire);
    uint64_t rate = atomic_load_explicit(&tick->rate, memory_order_acquire);
    bool is_whole = sequence && !(sequence & 1) &&
                    atomic_load_explicit(&tick->sequence, memory_order_relaxed) == sequence;
    uint64_t age = FG_TICK_COUNTER() - base_ticks;
    if (!is_whole || age >> FG_TICK_AGE_BITS)
        return fg_env_mono_ns(env);
    return base_ns + (age * rate >> FG_TICK_RATE_BITS);
}
