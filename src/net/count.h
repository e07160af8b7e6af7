/* Counters are added to by loop threads and read by any: relaxed. */
#pragma once

#include "net/counters.h"

static inline void fg_net_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline void fg_net_uncount(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_sub_explicit(counter, n, memory_order_relaxed);
}
