/* The search rows of the numbers to reach: a day of spans on disk, made once, and then searches of
 * three kinds, cold, warm, and while spans come in.
 *
 * The day is the small shape's traces with starts spread evenly over the 24 hours before the run,
 * so that time prunes as it would. A store that holds it is used again: --data keeps it. */
#pragma once

#include "run.h"

#define FG_BENCH_SEARCH_KINDS 3u

enum fg_bench_search_kind {
    FG_BENCH_SEARCH_EQUAL, /* an attribute equals a value that one trace has */
    FG_BENCH_SEARCH_REGEX, /* a regular expression that matches nothing */
    FG_BENCH_SEARCH_SLOW,  /* a service's spans that took long */
};

struct fg_bench_searched {
    struct fg_bench_histogram first[FG_BENCH_SEARCH_KINDS]; /* after a start, caches dropped */
    struct fg_bench_histogram warm[FG_BENCH_SEARCH_KINDS];
    struct fg_bench_histogram busy[FG_BENCH_SEARCH_KINDS]; /* while spans come in */
};

struct fg_bench_search_options {
    uint64_t span_count;      /* of the day */
    uint64_t busy_rate_spans; /* a second, while searching; 0: not measured */
    uint64_t seed;
    uint32_t connection_count;
};

struct fg_bench_search_figures {
    uint64_t span_count; /* that the store holds */
    bool was_there;      /* it held them before */
    double fill_seconds, settle_seconds;
    uint64_t stored_bytes;
    bool is_cold; /* the kernel's cache could be dropped */
    struct fg_bench_searched searched;
    uint64_t wrong;      /* answers that are not what they must be */
    uint64_t busy_spans; /* that were taken while searching */
    double busy_seconds;
    char first_wrong[256]; /* a query with such an answer */
};

/* The server is started, stopped and started again here. On failure a sentence has been said. */
FG_MUST_CHECK int fg_bench_search_run(struct fg_cli *cli,
                                      const struct fg_bench_search_options *options,
                                      struct fg_bench_server *server,
                                      struct fg_bench_search_figures *figures);

void fg_bench_search_print(struct fg_cli *cli, const struct fg_bench_search_figures *figures);
/* The same as JSON. FG_ENOMEM. */
FG_MUST_CHECK int fg_bench_search_print_json(struct fg_cli *cli,
                                             const struct fg_bench_search_figures *figures);
