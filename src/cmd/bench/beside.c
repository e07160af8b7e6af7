#include "beside.h"

#include <stdlib.h>

static bool goes_on(void *arg, uint64_t spans)
{
    struct fg_bench_beside *beside = arg;
    (void)spans;
    return !atomic_load(&beside->is_over);
}

static void nothing(void *arg, uint64_t request)
{
    (void)arg;
    (void)request;
}

static void run(void *arg)
{
    struct fg_bench_beside *beside = arg;
    beside->error = fg_bench_load_run(&beside->load, beside->result);
}

int fg_bench_beside_start(struct fg_bench_beside *beside, const struct fg_bench_load *load)
{
    beside->load = *load;
    beside->load.duration_ns = UINT64_MAX / 2;
    beside->load.moment = NULL;
    beside->load.acknowledged = nothing;
    beside->load.tick = goes_on;
    beside->load.arg = beside;
    beside->error = 0;
    atomic_init(&beside->is_over, false);
    beside->result = calloc(1, sizeof *beside->result);
    int r =
        beside->result ? fg_thread_start(&beside->thread, "bench-load", run, beside) : FG_ENOMEM;
    if (r < 0)
        free(beside->result);
    return r;
}

int fg_bench_beside_end(struct fg_bench_beside *beside, uint64_t *ret_spans, double *ret_seconds)
{
    atomic_store(&beside->is_over, true);
    fg_thread_join(&beside->thread);
    *ret_spans = beside->result->spans;
    *ret_seconds = (double)beside->result->elapsed_ns / 1e9;
    free(beside->result);
    return beside->error;
}
