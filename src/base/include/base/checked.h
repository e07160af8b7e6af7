/* Arithmetic on sizes that come from the network or the disk: true when the result does not fit. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define fg_add_overflow(a, b, ret_sum)     __builtin_add_overflow((a), (b), (ret_sum))
#define fg_sub_overflow(a, b, ret_rest)    __builtin_sub_overflow((a), (b), (ret_rest))
#define fg_mul_overflow(a, b, ret_product) __builtin_mul_overflow((a), (b), (ret_product))

/* Whether [offset, offset + size) lies within [0, total). */
static inline bool fg_range_fits(size_t offset, size_t size, size_t total)
{
    return offset <= total && size <= total - offset;
}
