/* Buckets of durations: ten to each power of two, of equal width. A bucket is at most 10.2 % wide
 * (26 of 256 parts), and the harmonic mean of its bounds at most 4.9 % from either. */
#include "store/rollup.h"

#include <math.h>

#define PARTS 10u

uint32_t fg_histogram_bucket(uint64_t duration_ns)
{
    if (duration_ns < 2)
        return 0;
    uint32_t exponent = 63 - (uint32_t)__builtin_clzll(duration_ns);
    /* the nine leading bits, the first of which is 1 */
    uint64_t leading =
        exponent >= 8 ? duration_ns >> (exponent - 8) : duration_ns << (8 - exponent);
    return exponent * PARTS + (uint32_t)((leading - 256) * PARTS >> 8);
}

static uint64_t begin_of(uint32_t bucket)
{
    uint32_t exponent = bucket / PARTS, part = bucket % PARTS;
    if (exponent > 63)
        return UINT64_MAX;
    uint64_t leading = 256 + (256 * part + PARTS - 1) / PARTS;
    if (exponent >= 8)
        return leading << (exponent - 8);
    uint32_t shift = 8 - exponent;
    return (leading + (1u << shift) - 1) >> shift;
}

void fg_histogram_bounds(uint32_t bucket, uint64_t *ret_begin_ns, uint64_t *ret_end_ns)
{
    *ret_begin_ns = bucket == 0 ? 0 : begin_of(bucket);
    *ret_end_ns = begin_of(bucket + 1);
}

void fg_histogram_add(struct fg_histogram *histogram, const struct fg_rollup_cell *cell)
{
    for (uint32_t i = 0; i < cell->bucket_count; i++) {
        histogram->buckets[cell->buckets[i].bucket] += cell->buckets[i].count;
        histogram->count += cell->buckets[i].count;
    }
}

uint64_t fg_histogram_quantile(const struct fg_histogram *histogram, double quantile)
{
    if (histogram->count == 0)
        return 0;
    double share = quantile <= 0 ? 0 : quantile >= 1 ? 1 : quantile;
    /* The nearest rank: of two durations the longer one is the 95th percentile. */
    uint64_t rank = (uint64_t)ceil(share * (double)histogram->count);
    rank -= rank > 0;
    uint32_t bucket = 0;
    for (uint64_t before = 0; bucket < FG_HISTOGRAM_BUCKETS - 1; bucket++) {
        before += histogram->buckets[bucket];
        if (before > rank)
            break;
    }
    uint64_t begin_ns, end_ns;
    fg_histogram_bounds(bucket, &begin_ns, &end_ns);
    double begin = (double)begin_ns, end = (double)(end_ns - 1);
    return begin_ns == 0 ? 0 : (uint64_t)(2 * begin * end / (begin + end) + 0.5);
}
