/* Which slots are free: chains of a few slots on a lock-free stack. A thread takes a chain and uses
 * it up, so that a span costs a fraction of one atomic operation; the exporter gives chains back.
 * The last one given is the first one taken, so that few slots are used, and those are in the
 * cache.
 *
 * The stack's head carries a tag that grows with each change, against a chain that comes back
 * between a read and its exchange (ABA). Links of popped chains may be read, and are then thrown
 * away. */
#pragma once

#include "ring.h"

#include <stdbool.h>

#define FG_CHAIN_SLOTS 8u

struct fg_pool {
    struct fg_slot *slots;
    uint32_t slot_count;
    _Alignas(64) _Atomic uint64_t head; /* tag << 32 | first slot of the first chain */
    _Atomic uint32_t fresh;             /* slots below were in a chain once */
    _Atomic int64_t taken;              /* slots in threads' chains and in use */
};

/* slots are zeroed. */
void fg_pool_init(struct fg_pool *pool, struct fg_slot *slots, uint32_t slot_count);

static inline struct fg_slot *fg_pool_slot(const struct fg_pool *pool, uint32_t name)
{
    return &pool->slots[name - 1];
}

/* The first slot of a chain; 0 where there is none. */
uint32_t fg_pool_take(struct fg_pool *pool);
/* count: slots of the chain, at least 1. Thread-safe, as is taking. */
void fg_pool_give(struct fg_pool *pool, uint32_t first, uint32_t count);
