/* 16 bytes at a time: what compilers turn into the processor's own vectors, of every processor that
 * Filigree runs on, without a look at which one it is. A mask's lanes are all ones or 0. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A test builds this room a second time without what is fast, and compares (test_twins.c). */
#ifdef FG_WITHOUT_LANES
#define FG_LANES_ON 0
#else
#define FG_LANES_ON 1
#endif

typedef uint8_t fg_lanes __attribute__((vector_size(16)));

#define FG_LANES_SIZE sizeof(fg_lanes)

static inline fg_lanes fg_lanes_load(const uint8_t *bytes)
{
    fg_lanes lanes;
    memcpy(&lanes, bytes, sizeof lanes);
    return lanes;
}

static inline bool fg_lanes_any(fg_lanes mask)
{
    uint64_t halves[2];
    memcpy(halves, &mask, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

/* The first lane that is set; there is one. */
static inline size_t fg_lanes_first(fg_lanes mask)
{
    uint64_t halves[2];
    memcpy(halves, &mask, sizeof halves);
    unsigned zeros = (unsigned)__builtin_ctzll(halves[0] ? halves[0] : halves[1]);
    return zeros / 8 + (halves[0] ? 0 : 8);
}

static inline fg_lanes fg_lanes_digits(fg_lanes lanes)
{
    return (fg_lanes)(lanes - '0' < 10);
}

static inline fg_lanes fg_lanes_letters(fg_lanes lanes)
{
    return (fg_lanes)((lanes | 0x20) - 'a' < 26);
}
