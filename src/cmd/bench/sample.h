/* Which acknowledged requests are looked up afterwards: an even sample of all (algorithm R, Vitter
 * 1985), and the last ones, which a crash would lose first. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FG_BENCH_SAMPLE_ALL  1000u
#define FG_BENCH_SAMPLE_LAST 100u

struct fg_bench_sample {
    uint64_t all[FG_BENCH_SAMPLE_ALL];
    uint64_t last[FG_BENCH_SAMPLE_LAST];
    uint64_t count; /* requests seen */
    uint64_t chance;
};

void fg_bench_sample_add(struct fg_bench_sample *sample, uint64_t request);

/* Numbers of traces: one of each sampled request, and all of each of the last ones, at most
 * traces_max. Returns how many. */
size_t fg_bench_sample_traces(struct fg_bench_sample *sample, uint32_t traces_per_request,
                              uint64_t *ret_traces, size_t traces_max);
