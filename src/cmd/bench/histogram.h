/* Counts durations in buckets that are 1/32 wide of their value: percentiles of millions of values
 * in 15 KiB, each at most 3 % too high. */
#pragma once

#include <stdint.h>

#define FG_HISTOGRAM_BUCKETS (60 * 32)

struct fg_bench_histogram {
    uint64_t counts[FG_HISTOGRAM_BUCKETS];
    uint64_t count, sum, max;
};

void fg_bench_histogram_add(struct fg_bench_histogram *histogram, uint64_t value);
/* The value that a share (0.99) of all values is not above; 0 where there are none. */
uint64_t fg_bench_histogram_quantile(const struct fg_bench_histogram *histogram, double share);
