#include "redaction.h"

#include "ask.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

static const char *const shape_names[FG_BENCH_REDACTION_SHAPES] = {
    [FG_BENCH_SMALL] = "small", [FG_BENCH_WIDE] = "wide"};

struct bench {
    struct fg_cli *cli;
    const struct fg_bench_redaction_options *options;
    struct fg_bench_server *on, *off;
    struct fg_bench_shape *shape;
    uint64_t request_count; /* of a turn */
    struct fg_bench_load_result result;
};

static int say(const struct bench *bench, int r, const char *what)
{
    fprintf(bench->cli->err, "filigree: bench: %s: %s\n", what, fg_error_name(r));
    return r;
}

static int seal(const struct bench *bench, const struct fg_bench_server *server)
{
    struct fg_bench_ask ask = {.cli = bench->cli};
    int r = fg_bench_ask_connect(&ask, server);
    json_t *sealed = r == 0 ? fg_bench_ask_post(&ask, "/api/v1/admin/seal") : NULL;
    if (r == 0 && !sealed)
        r = FG_EIO;
    json_decref(sealed);
    fg_bench_ask_free(&ask);
    return r;
}

/* One server takes the turn's requests and seals them; *ret_seconds of its processor for a million
 * spans. */
static int take_turn(struct bench *bench, const struct fg_bench_server *server,
                     uint64_t first_request, double *ret_seconds)
{
    const struct fg_bench_redaction_options *options = bench->options;
    const struct fg_bench_load load = {.env = bench->cli->env,
                                       .shape = bench->shape,
                                       .address = server->otlp,
                                       .path = "/v1/traces",
                                       .connection_count = options->connection_count,
                                       .duration_ns = FG_NS_PER_DAY,
                                       .first_request = first_request,
                                       .request_count = bench->request_count};
    struct fg_bench_usage before, after;
    int r = fg_bench_usage_read(bench->cli, server->pid, &before);
    if (r == 0)
        r = fg_bench_load_run(&load, &bench->result);
    if (r == 0 && bench->result.spans == 0)
        r = FG_EIO;
    if (r < 0)
        return say(bench, r, *bench->result.problem ? bench->result.problem : server->otlp);
    r = seal(bench, server);
    if (r == 0)
        r = fg_bench_usage_read(bench->cli, server->pid, &after);
    if (r == 0)
        *ret_seconds = (after.cpu_seconds - before.cpu_seconds) * 1e6 / (double)bench->result.spans;
    return r;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values)
{
    double sorted[FG_BENCH_REDACTION_TURNS];
    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, FG_BENCH_REDACTION_TURNS, sizeof *sorted, by_size);
    return sorted[FG_BENCH_REDACTION_TURNS / 2];
}

/* Who begins changes from turn to turn. A first turn of each, which is not counted, fills what is
 * remembered. */
static int measure(struct bench *bench, struct fg_bench_redaction_shape *ret)
{
    uint64_t next = 0;
    int r = 0;
    for (unsigned turn = 0; r == 0 && turn <= FG_BENCH_REDACTION_TURNS; turn++) {
        unsigned at = turn == 0 ? 0 : turn - 1;
        double *seconds[2] = {&ret->on_seconds[at], &ret->off_seconds[at]};
        const struct fg_bench_server *servers[2] = {bench->on, bench->off};
        unsigned first = turn % 2;
        r = take_turn(bench, servers[first], next, seconds[first]);
        if (r == 0)
            r = take_turn(bench, servers[1 - first], next, seconds[1 - first]);
        next += bench->request_count;
        if (ret->off_seconds[at] > 0)
            ret->ratios[at] = ret->on_seconds[at] / ret->off_seconds[at];
    }
    qsort(ret->ratios, FG_BENCH_REDACTION_TURNS, sizeof *ret->ratios, by_size);
    ret->on_median_seconds = median(ret->on_seconds);
    ret->off_median_seconds = median(ret->off_seconds);
    return r;
}

static int measure_shape(struct bench *bench, enum fg_bench_kind kind,
                         struct fg_bench_redaction_shape *ret)
{
    const struct fg_bench_redaction_options *options = bench->options;
    int r = fg_bench_shape_new(kind, options->seed, options->spans_per_request, &bench->shape);
    if (r < 0)
        return say(bench, r, "spans-per-request");
    uint64_t spans = fg_bench_traces_per_request(bench->shape) * (uint64_t)FG_BENCH_TRACE_SPANS;
    bench->request_count = (options->span_count + spans - 1) / spans;
    ret->span_count = bench->request_count * spans;
    r = measure(bench, ret);
    fg_bench_shape_free(bench->shape);
    bench->shape = NULL;
    return r;
}

int fg_bench_redaction_run(struct fg_cli *cli, const struct fg_bench_redaction_options *options,
                           struct fg_bench_server *on, struct fg_bench_server *off,
                           struct fg_bench_redaction_figures *figures)
{
    struct bench *bench = calloc(1, sizeof *bench);
    uint64_t ready_ns;
    if (!bench)
        return FG_ENOMEM;
    memset(figures, 0, sizeof *figures);
    bench->cli = cli;
    bench->options = options;
    bench->on = on;
    bench->off = off;
    int r = fg_bench_server_start(on);
    if (r == 0)
        r = fg_bench_server_wait(on, &ready_ns);
    if (r == 0)
        r = fg_bench_server_start(off);
    if (r == 0)
        r = fg_bench_server_wait(off, &ready_ns);
    for (unsigned kind = 0; r == 0 && kind < FG_BENCH_REDACTION_SHAPES; kind++)
        r = measure_shape(bench, (enum fg_bench_kind)kind, &figures->shapes[kind]);
    free(bench);
    return r;
}

/* -- Telling -------------------------------------------------------------------------------------
 */

static double ratio(const struct fg_bench_redaction_shape *shape)
{
    return shape->ratios[FG_BENCH_REDACTION_TURNS / 2];
}

bool fg_bench_redaction_is_cheap(const struct fg_bench_redaction_figures *figures)
{
    for (unsigned kind = 0; kind < FG_BENCH_REDACTION_SHAPES; kind++)
        if (ratio(&figures->shapes[kind]) > FG_BENCH_REDACTION_RATIO_MAX)
            return false;
    return true;
}

void fg_bench_redaction_print(struct fg_cli *cli, const struct fg_bench_redaction_figures *figures)
{
    fprintf(cli->out, "ingest with redaction and without, %u turns each, sealing included\n\n",
            FG_BENCH_REDACTION_TURNS);
    fprintf(cli->out, "%-8s%14s%14s%14s%12s%12s%12s%16s\n", "shape", "spans a turn", "with, s/M",
            "without, s/M", "ratio", "the least", "the most", "at most 1.15");
    for (unsigned kind = 0; kind < FG_BENCH_REDACTION_SHAPES; kind++) {
        const struct fg_bench_redaction_shape *shape = &figures->shapes[kind];
        fprintf(cli->out, "%-8s%14llu%14.2f%14.2f%12.3f%12.3f%12.3f%16s\n", shape_names[kind],
                (unsigned long long)shape->span_count, shape->on_median_seconds,
                shape->off_median_seconds, ratio(shape), shape->ratios[0],
                shape->ratios[FG_BENCH_REDACTION_TURNS - 1],
                ratio(shape) > FG_BENCH_REDACTION_RATIO_MAX ? "miss" : "met");
    }
    fprintf(cli->out,
            "\ns/M: the server's processor seconds for a million spans, the median of its "
            "turns; ratio: the\nmedian of the turns' own, the least and the most of "
            "them beside it\n");
}

int fg_bench_redaction_print_json(struct fg_cli *cli,
                                  const struct fg_bench_redaction_figures *figures)
{
    json_t *root = json_object();
    int r = root ? 0 : -1;
    for (unsigned kind = 0; kind < FG_BENCH_REDACTION_SHAPES; kind++) {
        const struct fg_bench_redaction_shape *shape = &figures->shapes[kind];
        r |= json_object_set_new(root, shape_names[kind],
                                 json_pack("{s:I, s:i, s:f, s:f, s:f, s:f, s:f}", "spans_per_turn",
                                           (json_int_t)shape->span_count, "turns",
                                           (int)FG_BENCH_REDACTION_TURNS, "seconds_per_million",
                                           shape->on_median_seconds, "seconds_per_million_without",
                                           shape->off_median_seconds, "ratio", ratio(shape),
                                           "ratio_min", shape->ratios[0], "ratio_max",
                                           shape->ratios[FG_BENCH_REDACTION_TURNS - 1]));
    }
    char *text = r == 0 ? json_dumps(root, JSON_INDENT(2)) : NULL;
    if (text)
        fprintf(cli->out, "%s\n", text);
    free(text);
    json_decref(root);
    return text ? 0 : FG_ENOMEM;
}
