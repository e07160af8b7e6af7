/* Asks a server for traces by id and counts their spans: what was acknowledged must be there, each
 * span once. */
#pragma once

#include "../command.h"
#include "histogram.h"

struct fg_bench_lookup {
    struct fg_cli *cli;
    const char *url; /* "http://127.0.0.1:7070/api/v1/traces/{id}" */
    uint64_t seed;
    uint32_t spans_expected;
};

struct fg_bench_lookup_result {
    uint64_t asked, whole;
    uint64_t missing;  /* no trace, or fewer spans than were acknowledged */
    uint64_t repeated; /* more */
    struct fg_bench_histogram latency;
    char first_wrong[40]; /* the id of one that is not whole */
};

/* Asks for the traces with these numbers, one after another on one connection. FG_EIO: the server
 * did not answer; said. */
FG_MUST_CHECK int fg_bench_lookup_run(const struct fg_bench_lookup *lookup, const uint64_t *traces,
                                      size_t trace_count,
                                      struct fg_bench_lookup_result *ret_result);
