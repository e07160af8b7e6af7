/* The library's one instance in its process, and what each thread has of it.
 *
 * All that a span needs lies behind one pointer, which is NULL while nothing is traced. What it
 * points to never changes where the callers read it, and is never freed, nor is the ring unmapped:
 * a thread that was overtaken by a stop writes into memory that nobody reads. What a thread keeps
 * (a chain of slots, a random sequence) is good for one such instance. */
#pragma once

#include "carry.h"
#include "notice.h"
#include "os/env.h"
#include "os/map.h"
#include "os/tick.h"
#include "os/wake.h"
#include "pool.h"

struct fg_exporter;

struct fg_active {
    uint32_t first_generation; /* of slots: names of spans before a restart are no names after it */
    struct fg_env *env;
    struct fg_sampler sampler;
    struct fg_limits limits;
    struct fg_pool pool;
    _Alignas(64) _Atomic int64_t wake_at; /* slots taken at which the exporter is woken */
    struct fg_wake wake;
    struct fg_ring_header *header;
    struct fg_active *before; /* of an earlier start */
};

struct fg_sdk {
    struct fg_active *_Atomic active;
    atomic_bool is_child;            /* of a fork; starts anew when its first span does */
    _Atomic uint64_t wall_offset_ns; /* wall clock minus monotonic clock */
    struct fg_tick tick;             /* the monotonic clock of spans; the exporter adjusts it */
    const struct fg_texts *_Atomic journey_keys; /* of the last start; contexts need no tracing */
};
extern struct fg_sdk fg_sdk;

struct fg_lane {
    struct fg_active *active;
    uint32_t chain; /* the first free slot that this thread has */
    bool is_watched;
    uint32_t depth; /* of scopes */
    uint64_t random[4];
    fg_span span; /* the current context */
    struct fg_carry *carry;
    /* What scopes go back to, where that is not nothing: the outermost first. It is the thread's,
     * so that scopes that nobody leaves keep nothing alive. */
    struct fg_held *held;
    uint32_t held_count, held_capacity;
};

struct fg_held {
    struct fg_carry *carry;
    uint32_t depth; /* of the scope that goes back to it */
};
extern _Thread_local struct fg_lane fg_lane __attribute__((tls_model("initial-exec")));

/* Bits of fg_span.opaque. The slot is 0 for a span that is not recorded here. */
#define FG_SPAN_FLAGS_MASK       UINT64_C(0xff)
#define FG_SPAN_REMOTE           UINT64_C(0x100)
#define FG_SPAN_SLOT_SHIFT       10
#define FG_SPAN_SLOT_MASK        UINT64_C(0x3fffff)
#define FG_SPAN_GENERATION_SHIFT 32

static inline uint32_t fg_slot_of(uint64_t opaque)
{
    return (uint32_t)(opaque >> FG_SPAN_SLOT_SHIFT & FG_SPAN_SLOT_MASK);
}

static inline uint32_t fg_span_slot(fg_span span)
{
    return fg_slot_of(span.opaque);
}

static inline uint64_t fg_load_u64(const void *p)
{
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static inline bool fg_has_ids(const fg_span *span)
{
    return fg_load_u64(span->span_id) != 0 &&
           (fg_load_u64(span->trace_id) | fg_load_u64(span->trace_id + 8)) != 0;
}

/* Makes the thread's lane fit active, which may be NULL. Not on the way of a usual span. */
void fg_lane_renew(struct fg_lane *lane, struct fg_active *active);
/* The next slot of the thread's chain, or of a new one; 0: none is left. arg: the lane. */
uint32_t fg_lane_take_slot(void *arg);

/* The same without a call where the chain has one. The exporter's processor had the slot after it
 * last; it is fetched from there while this span is made. */
static inline uint32_t fg_lane_take(struct fg_lane *lane)
{
    uint32_t name = lane->chain;
    if (!name)
        return fg_lane_take_slot(lane);
    struct fg_slot *slot = fg_pool_slot(&lane->active->pool, name);
    lane->chain = slot->next;
    slot->next = 0;
    if (lane->chain) {
        const char *line = (const char *)fg_pool_slot(&lane->active->pool, lane->chain);
        for (size_t at = 0; at < 6 * 64; at += 64)
            __builtin_prefetch(line + at, 1);
    }
    return name;
}

/* In context.c: gives all that the thread's scopes hold back. */
void fg_lane_drop_scopes(struct fg_lane *lane);

/* xoshiro256++ (Blackman and Vigna 2018). */
static inline uint64_t fg_lane_random(struct fg_lane *lane)
{
    uint64_t *s = lane->random;
    uint64_t sum = s[0] + s[3], shifted = s[1] << 17;
    uint64_t result = (sum << 23 | sum >> 41) + s[0];
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = s[3] << 45 | s[3] >> 19;
    return result;
}

/* In the child of a fork, before its first span: starts tracing as its parent had it. NULL where
 * that can't be. */
struct fg_active *fg_sdk_start_in_child(void);

/* The carry of a context that is not NULL. */
const struct fg_carry *fg_context_carry(const fg_context *context);

/* Puts the scopes into a new ring, and from then on each further one. */
void fg_tracers_attach(struct fg_ring_header *header);
void fg_tracers_detach(void);
uint16_t fg_tracer_index(const fg_tracer *tracer);
/* Around a fork. */
void fg_tracers_lock(void);
void fg_tracers_unlock(void);
void fg_tracers_child(void);
