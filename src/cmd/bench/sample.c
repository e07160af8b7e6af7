#include "sample.h"

#include "shape.h"

void fg_bench_sample_add(struct fg_bench_sample *sample, uint64_t request)
{
    sample->last[sample->count % FG_BENCH_SAMPLE_LAST] = request;
    uint64_t place = sample->count;
    if (place >= FG_BENCH_SAMPLE_ALL) {
        sample->chance = fg_bench_mix(sample->chance);
        place = sample->chance % (sample->count + 1);
    }
    if (place < FG_BENCH_SAMPLE_ALL)
        sample->all[place] = request;
    sample->count++;
}

size_t fg_bench_sample_traces(struct fg_bench_sample *sample, uint32_t traces_per_request,
                              uint64_t *ret_traces, size_t traces_max)
{
    size_t count = 0;
    uint64_t all = sample->count < FG_BENCH_SAMPLE_ALL ? sample->count : FG_BENCH_SAMPLE_ALL;
    uint64_t last = sample->count < FG_BENCH_SAMPLE_LAST ? sample->count : FG_BENCH_SAMPLE_LAST;
    for (uint64_t i = 0; i < all && count < traces_max; i++) {
        sample->chance = fg_bench_mix(sample->chance);
        ret_traces[count++] =
            sample->all[i] * traces_per_request + sample->chance % traces_per_request;
    }
    /* The newest first, so that a bound on traces leaves out the oldest. */
    for (uint64_t i = 0; i < last; i++) {
        uint64_t request = sample->last[(sample->count - 1 - i) % FG_BENCH_SAMPLE_LAST];
        for (uint32_t k = 0; k < traces_per_request && count < traces_max; k++)
            ret_traces[count++] = request * traces_per_request + k;
    }
    return count;
}
