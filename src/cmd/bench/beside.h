/* A load that goes on, on a thread of its own, while something else is measured. */
#pragma once

#include "load.h"
#include "os/thread.h"

#include <stdatomic.h>

struct fg_bench_beside {
    struct fg_bench_load load;
    struct fg_bench_load_result *result;
    struct fg_thread thread;
    atomic_bool is_over;
    int error;
};

/* load: what to send, of now, until the end; its duration, moment, functions and arg are not looked
 * at. beside must stay where it is until the end. FG_ENOMEM, or as fg_thread_start(). */
FG_MUST_CHECK int fg_bench_beside_start(struct fg_bench_beside *beside,
                                        const struct fg_bench_load *load);
/* Ends the load and waits for it. *ret_spans were acknowledged in *ret_seconds; both are set also
 * on failure, which is fg_bench_load_run()'s. */
FG_MUST_CHECK int fg_bench_beside_end(struct fg_bench_beside *beside, uint64_t *ret_spans,
                                      double *ret_seconds);
