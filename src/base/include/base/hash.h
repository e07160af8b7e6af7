/* Hashing: XXH3 everywhere, so that a value hashes alike in the head, in a filter and in a
 * checksum. */
#pragma once

#include "base/slice.h"

#include <xxhash.h>

static inline uint64_t fg_hash(struct fg_slice bytes)
{
    return XXH3_64bits(bytes.data, bytes.size);
}

static inline uint64_t fg_hash_seeded(struct fg_slice bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.size, seed);
}

/* A bijective mix of one word (splitmix64's finaliser, Steele et al. 2014). */
static inline uint64_t fg_hash_u64(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}
