/* What it costs to follow journeys, in two shapes, each sent by turns to a server that follows no
 * key and to one that follows them:
 *
 * - a flood of new orders: as many open ones as are wanted, made through the door by the small
 *   shape's traces (an order each, on its way to a step that does not come). The worst that may
 *   come: nothing is known of any, and each stays;
 * - a company's traffic: as many orders under way, each in nine traces over its life (company.h).
 *   All are placed before; what is measured are their later traces, and those of the orders that
 *   come. First none of the orders has come back before, and each that does has to be read from
 *   disk; what is measured last is how it goes on. */
#pragma once

#include "run.h"

struct fg_bench_journeys_options {
    uint64_t journey_count;
    uint64_t seed;
    uint32_t connection_count;
    size_t lookup_count;      /* orders that are asked for */
    uint64_t busy_rate_spans; /* a second of other orders, while it is asked again */
};

/* Of one server, since it began to take spans until all was taken, followed, sealed and merged. */
struct fg_bench_followed {
    uint64_t spans;
    double load_seconds;
    double behind_seconds; /* that the follower needed after the last span was acknowledged */
    double cpu_seconds;
    double follower_seconds; /* of them in the thread that follows, and in the keyed state's */
    double merging_seconds;  /* of them in the threads that merge */
    uint64_t resident_bytes; /* at the end */
    uint64_t resident_bytes_max;
    uint64_t state_bytes; /* of the keyed state's files */
    uint64_t spans_bytes; /* of all other files whose number follows what is stored */
};

struct fg_bench_journeys_figures {
    struct fg_bench_followed company_off,
        company_on; /* the company's, once it has run for a while */
    struct fg_bench_followed company_new_off, company_new_on; /* and of servers just started */
    uint64_t company_open;
    struct fg_bench_followed off, on; /* the flood's */
    uint64_t open;                    /* journeys */
    struct fg_bench_histogram where;  /* an order is, answered whole */
    double where_seconds;             /* of the server's processor, an answer */
    struct fg_bench_histogram busy;   /* the same while spans of new orders come in */
    double busy_spans;                /* a second, that came */
    uint64_t wrong;                   /* answers that are not what they must be */
    char first_wrong[40];
};

/* The servers are started and ended here; the one that follows has its folder in server. On failure
 * a sentence has been said. */
FG_MUST_CHECK int fg_bench_journeys_run(struct fg_cli *cli,
                                        const struct fg_bench_journeys_options *options,
                                        struct fg_bench_server *server,
                                        struct fg_bench_journeys_figures *figures);

void fg_bench_journeys_print(struct fg_cli *cli, const struct fg_bench_journeys_figures *figures);
/* The same as JSON. FG_ENOMEM. */
FG_MUST_CHECK int fg_bench_journeys_print_json(struct fg_cli *cli,
                                               const struct fg_bench_journeys_figures *figures);
