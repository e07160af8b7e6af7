/* Values below 32 have a bucket each; above, the five bits behind the first set one choose among 32
 * buckets of its power of two. */
#include "histogram.h"

#define SUB_BITS 5u
#define SUBS     (1u << SUB_BITS)

static unsigned bucket_of(uint64_t value)
{
    if (value < SUBS)
        return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - SUB_BITS;
    return (shift + 1) * SUBS + (unsigned)(value >> shift & (SUBS - 1));
}

static uint64_t bucket_end(unsigned bucket)
{
    if (bucket < SUBS)
        return bucket;
    unsigned shift = bucket / SUBS - 1;
    return (((uint64_t)SUBS | bucket % SUBS) << shift) + ((UINT64_C(1) << shift) - 1);
}

void fg_bench_histogram_add(struct fg_bench_histogram *histogram, uint64_t value)
{
    histogram->counts[bucket_of(value)]++;
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max)
        histogram->max = value;
}

uint64_t fg_bench_histogram_quantile(const struct fg_bench_histogram *histogram, double share)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < FG_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen > 0 && (double)seen >= share * (double)histogram->count)
            return bucket_end(i) < histogram->max ? bucket_end(i) : histogram->max;
    }
    return histogram->max;
}
