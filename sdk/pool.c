#include "pool.h"

void fg_pool_init(struct fg_pool *pool, struct fg_slot *slots, uint32_t slot_count)
{
    pool->slots = slots;
    pool->slot_count = slot_count;
    atomic_store(&pool->head, 0);
    atomic_store(&pool->fresh, 0);
    atomic_store(&pool->taken, 0);
}

/* A chain of slots that were never used. */
static uint32_t take_fresh(struct fg_pool *pool)
{
    uint32_t first = atomic_load_explicit(&pool->fresh, memory_order_relaxed);
    do {
        if (first + FG_CHAIN_SLOTS > pool->slot_count)
            return 0;
    } while (!atomic_compare_exchange_weak(&pool->fresh, &first, first + FG_CHAIN_SLOTS));
    for (uint32_t i = first; i < first + FG_CHAIN_SLOTS; i++)
        pool->slots[i].next = i + 1 < first + FG_CHAIN_SLOTS ? i + 2 : 0;
    return first + 1;
}

static uint32_t count_chain(const struct fg_pool *pool, uint32_t name)
{
    uint32_t count = 0;
    for (; name && count < FG_CHAIN_SLOTS; name = fg_pool_slot(pool, name)->next)
        count++;
    return count;
}

uint32_t fg_pool_take(struct fg_pool *pool)
{
    uint64_t head = atomic_load_explicit(&pool->head, memory_order_acquire);
    uint64_t rest;
    do {
        uint32_t first = (uint32_t)head;
        if (first == 0) {
            first = take_fresh(pool);
            if (first)
                atomic_fetch_add_explicit(&pool->taken, FG_CHAIN_SLOTS, memory_order_relaxed);
            return first;
        }
        uint32_t link =
            atomic_load_explicit(&fg_pool_slot(pool, first)->link, memory_order_relaxed);
        rest = ((head >> 32) + 1) << 32 | link;
    } while (!atomic_compare_exchange_weak_explicit(&pool->head, &head, rest, memory_order_acq_rel,
                                                    memory_order_acquire));
    atomic_fetch_add_explicit(&pool->taken, count_chain(pool, (uint32_t)head),
                              memory_order_relaxed);
    return (uint32_t)head;
}

void fg_pool_give(struct fg_pool *pool, uint32_t first, uint32_t count)
{
    uint64_t head = atomic_load_explicit(&pool->head, memory_order_relaxed);
    uint64_t wanted;
    do {
        atomic_store_explicit(&fg_pool_slot(pool, first)->link, (uint32_t)head,
                              memory_order_relaxed);
        wanted = ((head >> 32) + 1) << 32 | first;
    } while (!atomic_compare_exchange_weak_explicit(&pool->head, &head, wanted,
                                                    memory_order_acq_rel, memory_order_relaxed));
    atomic_fetch_sub_explicit(&pool->taken, count, memory_order_relaxed);
}
