/* What redaction costs at ingest: two servers, one with the default rules and one without any,
 * which take the same requests by turns, so that whatever else the machine does meets both. Counted
 * is the servers' processor time, sealing included. */
#pragma once

#include "run.h"

#define FG_BENCH_REDACTION_TURNS  9u
#define FG_BENCH_REDACTION_SHAPES 2u

struct fg_bench_redaction_options {
    uint64_t span_count; /* of each turn */
    uint64_t seed;
    uint32_t connection_count, spans_per_request;
};

struct fg_bench_redaction_shape {
    uint64_t span_count;                          /* of each turn, whole requests */
    double on_seconds[FG_BENCH_REDACTION_TURNS];  /* a million spans */
    double off_seconds[FG_BENCH_REDACTION_TURNS]; /* a million spans */
    double ratios[FG_BENCH_REDACTION_TURNS];      /* of the two of a turn, sorted */
    double on_median_seconds, off_median_seconds; /* a million spans */
};

struct fg_bench_redaction_figures {
    struct fg_bench_redaction_shape shapes[FG_BENCH_REDACTION_SHAPES]; /* by fg_bench_kind */
};

/* Starts both servers and ends them; other carries folder, ports and options of the one without
 * rules, both prepared. On failure a sentence has been said. */
FG_MUST_CHECK int fg_bench_redaction_run(struct fg_cli *cli,
                                         const struct fg_bench_redaction_options *options,
                                         struct fg_bench_server *on, struct fg_bench_server *off,
                                         struct fg_bench_redaction_figures *figures);

/* Whether ingest with redaction takes at most FG_BENCH_REDACTION_RATIO_MAX of ingest without, by
 * the median of either shape. */
#define FG_BENCH_REDACTION_RATIO_MAX 1.15
bool fg_bench_redaction_is_cheap(const struct fg_bench_redaction_figures *figures);

void fg_bench_redaction_print(struct fg_cli *cli, const struct fg_bench_redaction_figures *figures);
/* The same as JSON. FG_ENOMEM. */
FG_MUST_CHECK int fg_bench_redaction_print_json(struct fg_cli *cli,
                                                const struct fg_bench_redaction_figures *figures);
