#include "search.h"

#include "../progress.h"
#include "ask.h"
#include "base/limits.h"
#include "base/units.h"
#include "beside.h"

#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE         1024
#define SPANS_PER_REQUEST 5200u
#define FIRST_TRIES       3u /* of each kind, each after a start of its own */

struct bench {
    struct fg_cli *cli;
    const struct fg_bench_search_options *options;
    struct fg_bench_server *server;
    struct fg_bench_search_figures *figures;
    struct fg_bench_shape *shape;
    struct fg_bench_ask ask;
    struct fg_progress progress;
    uint64_t begin_ns;    /* of the day */
    uint64_t next_chance; /* for choosing what to search */
};

static int say(const struct bench *bench, int r, const char *what)
{
    fprintf(bench->cli->err, "filigree: bench: %s: %s\n", what, fg_error_name(r));
    return r;
}

/* -- The day -------------------------------------------------------------------------------------
 */

static uint64_t moment(void *arg, uint64_t request)
{
    const struct bench *bench = arg;
    uint64_t requests = bench->options->span_count / SPANS_PER_REQUEST + 1;
    return bench->begin_ns + (uint64_t)((double)request / (double)requests * (double)FG_NS_PER_DAY);
}

static bool is_filling(void *arg, uint64_t spans)
{
    struct bench *bench = arg;
    fg_progress_update(&bench->progress, spans, bench->options->span_count);
    return true;
}

static void nothing(void *arg, uint64_t request)
{
    (void)arg;
    (void)request;
}

static int fill(struct bench *bench)
{
    struct fg_bench_load_result *result = calloc(1, sizeof *result);
    if (!result)
        return say(bench, FG_ENOMEM, "making the day");
    uint64_t requests = bench->options->span_count / SPANS_PER_REQUEST + 1;
    struct fg_bench_load load = {.env = bench->cli->env,
                                 .shape = bench->shape,
                                 .address = bench->server->otlp,
                                 .path = "/v1/traces",
                                 .connection_count = bench->options->connection_count,
                                 .duration_ns = UINT64_MAX / 2,
                                 .request_count = requests,
                                 .moment = moment,
                                 .acknowledged = nothing,
                                 .tick = is_filling,
                                 .arg = bench};
    fg_progress_begin(&bench->progress, bench->cli, "making a day of spans", false);
    int r = fg_bench_load_run(&load, result);
    fg_progress_end(&bench->progress);
    bench->figures->fill_seconds = (double)result->elapsed_ns / 1e9;
    if (r < 0 || result->spans < bench->options->span_count) {
        fprintf(bench->cli->err, "filigree: bench: only %" PRIu64 " spans were taken: %s\n",
                result->spans, *result->problem ? result->problem : "the load ended");
        r = r < 0 ? r : FG_EIO;
    }
    free(result);
    return r;
}

static int settle(struct bench *bench)
{
    uint64_t begin_ns = fg_env_mono_ns(bench->cli->env);
    json_t *sealed = fg_bench_ask_post(&bench->ask, "/api/v1/admin/seal");
    json_t *merged = sealed ? fg_bench_ask_post(&bench->ask, "/api/v1/admin/merge") : NULL;
    bench->figures->settle_seconds = (double)(fg_env_mono_ns(bench->cli->env) - begin_ns) / 1e9;
    bench->figures->span_count = fg_bench_ask_member(merged, "segment_spans");
    bench->figures->stored_bytes = fg_bench_ask_member(merged, "segment_bytes");
    int r = merged ? 0 : FG_EIO;
    json_decref(sealed);
    json_decref(merged);
    return r;
}

/* Fills the store unless a run before this one did. */
static int prepare(struct bench *bench)
{
    int r = settle(bench);
    if (r == 0 && bench->figures->span_count >= bench->options->span_count) {
        bench->figures->was_there = true;
        return 0;
    }
    if (r == 0)
        r = fill(bench);
    return r == 0 ? settle(bench) : r;
}

/* -- Searches ------------------------------------------------------------------------------------
 */

static const char *const kind_names[FG_BENCH_SEARCH_KINDS] = {
    "equality on a rare value", "regular expression that matches nothing",
    "service and duration, newest 20"};
static const char *const kind_keys[FG_BENCH_SEARCH_KINDS] = {"equal", "regex", "slow"};

static void write_query(struct bench *bench, enum fg_bench_search_kind kind, char *text,
                        size_t size)
{
    uint64_t traces = bench->options->span_count / FG_BENCH_TRACE_SPANS;
    uint64_t trace = fg_bench_mix(bench->next_chance++) % traces;
    if (kind == FG_BENCH_SEARCH_EQUAL)
        snprintf(text, size, "order.id==\"ORD-%08" PRIu64 "\"", trace % 100000000);
    else if (kind == FG_BENCH_SEARCH_REGEX)
        snprintf(text, size, "url.path=~\"/ORD-[0-9]+x%" PRIu64 "\"", trace % 10);
    else
        snprintf(text, size, "service:mes-api duration>%" PRIu64 "ms", 150 + trace % 10);
}

/* Whether an answer is what it must be. */
static bool is_right(const json_t *root, enum fg_bench_search_kind kind)
{
    size_t count = json_array_size(json_object_get(root, "traces"));
    bool is_whole = json_is_false(json_object_get(root, "partial"));
    return is_whole && (kind == FG_BENCH_SEARCH_EQUAL   ? count == 1
                        : kind == FG_BENCH_SEARCH_REGEX ? count == 0
                                                        : count > 0);
}

static int search(struct bench *bench, enum fg_bench_search_kind kind,
                  struct fg_bench_histogram *histogram)
{
    char query[200], path[PATH_SIZE];
    struct fg_buffer escaped;
    write_query(bench, kind, query, sizeof query);
    fg_buffer_init(&escaped, sizeof path);
    fg_client_escape(&escaped, query);
    snprintf(path, sizeof path,
             "/api/v1/traces?limit=20&timeout=60s&budget=256GiB&start=%" PRIu64 "&end=%" PRIu64
             "&q=%.*s",
             bench->figures->was_there ? 0 : bench->begin_ns - FG_NS_PER_MINUTE,
             bench->begin_ns + FG_NS_PER_DAY, (int)escaped.size, (const char *)escaped.data);
    fg_buffer_free(&escaped);
    uint64_t begin_ns = fg_env_mono_ns(bench->cli->env);
    json_t *root = fg_bench_ask_get(&bench->ask, path);
    fg_bench_histogram_add(histogram, fg_env_mono_ns(bench->cli->env) - begin_ns);
    if (!root)
        return FG_EIO;
    if (!is_right(root, kind) && bench->figures->wrong++ == 0)
        snprintf(bench->figures->first_wrong, sizeof bench->figures->first_wrong, "%s", query);
    json_decref(root);
    return 0;
}

static int search_all(struct bench *bench, struct fg_bench_histogram *histograms)
{
    static const unsigned counts[FG_BENCH_SEARCH_KINDS] = {100, 3, 20};
    int r = 0;
    for (unsigned kind = 0; kind < FG_BENCH_SEARCH_KINDS; kind++)
        for (unsigned i = 0; r == 0 && i < counts[kind]; i++)
            r = search(bench, kind, &histograms[kind]);
    return r;
}

/* The kernel forgets what it read; only root may tell it to. */
static bool drop_caches(struct bench *bench)
{
    struct fg_file *file;
    sync();
    if (fg_env_open(bench->cli->env, "/proc/sys/vm/drop_caches", FG_OPEN_WRITE, &file) < 0)
        return false;
    int r = fg_file_pwrite(file, 0, "3\n", 2);
    fg_file_close(file);
    return r == 0;
}

static int start_again(struct bench *bench)
{
    uint64_t ready_ns;
    fg_bench_server_end(bench->server, SIGTERM);
    bench->figures->is_cold = drop_caches(bench);
    int r = fg_bench_server_start(bench->server);
    if (r == 0)
        r = fg_bench_server_wait(bench->server, &ready_ns);
    return r == 0 ? fg_bench_ask_connect(&bench->ask, bench->server) : r;
}

/* Each search is the first one that its server sees. */
static int search_first(struct bench *bench)
{
    int r = 0;
    for (unsigned kind = 0; kind < FG_BENCH_SEARCH_KINDS; kind++)
        for (unsigned i = 0; r == 0 && i < FIRST_TRIES; i++) {
            r = start_again(bench);
            if (r == 0)
                r = search(bench, kind, &bench->figures->searched.first[kind]);
        }
    return r;
}

/* -- While spans come in -------------------------------------------------------------------------
 */

static int search_busy(struct bench *bench)
{
    struct fg_bench_search_figures *figures = bench->figures;
    struct fg_bench_histogram warm_up[FG_BENCH_SEARCH_KINDS] = {{{0}, 0, 0, 0}};
    struct fg_bench_beside beside;
    const struct fg_bench_load load = {.env = bench->cli->env,
                                       .shape = bench->shape,
                                       .address = bench->server->otlp,
                                       .path = "/v1/traces",
                                       .connection_count = bench->options->connection_count,
                                       .rate_spans = bench->options->busy_rate_spans,
                                       .first_request =
                                           bench->options->span_count / SPANS_PER_REQUEST + 1};
    int r = fg_bench_beside_start(&beside, &load);
    if (r < 0)
        return say(bench, r, "the load beside the searches");
    r = search(bench, FG_BENCH_SEARCH_SLOW, warm_up); /* while it gets under way */
    if (r == 0)
        r = search_all(bench, figures->searched.busy);
    int sent = fg_bench_beside_end(&beside, &figures->busy_spans, &figures->busy_seconds);
    return r == 0 && sent < 0 ? say(bench, sent, "the load beside the searches") : r;
}

/* -- The run -------------------------------------------------------------------------------------
 */

static int run_all(struct bench *bench)
{
    struct fg_bench_searched *searched = &bench->figures->searched;
    struct fg_bench_histogram *warm_up = calloc(FG_BENCH_SEARCH_KINDS, sizeof *warm_up);
    if (!warm_up)
        return say(bench, FG_ENOMEM, "searching");
    int r = prepare(bench);
    if (r == 0)
        r = search_first(bench);
    if (r == 0)
        r = search_all(bench, warm_up);
    if (r == 0)
        r = search_all(bench, searched->warm);
    if (r == 0 && bench->options->busy_rate_spans)
        r = search_busy(bench);
    free(warm_up);
    return r;
}

int fg_bench_search_run(struct fg_cli *cli, const struct fg_bench_search_options *options,
                        struct fg_bench_server *server, struct fg_bench_search_figures *figures)
{
    struct bench *bench = calloc(1, sizeof *bench);
    uint64_t ready_ns;
    if (!bench)
        return FG_ENOMEM;
    memset(figures, 0, sizeof *figures);
    bench->cli = cli;
    bench->options = options;
    bench->server = server;
    bench->figures = figures;
    bench->begin_ns = fg_env_wall_ns(cli->env) - FG_NS_PER_DAY;
    int r = fg_bench_shape_new(FG_BENCH_SMALL, options->seed, SPANS_PER_REQUEST, &bench->shape);
    if (r < 0)
        say(bench, r, "the spans' shape");
    if (r == 0)
        r = fg_bench_server_start(server);
    if (r == 0)
        r = fg_bench_server_wait(server, &ready_ns);
    if (r == 0)
        r = fg_bench_ask_connect(&bench->ask, bench->server);
    if (r == 0)
        r = run_all(bench);
    fg_bench_ask_free(&bench->ask);
    fg_bench_shape_free(bench->shape);
    free(bench);
    return r;
}

/* -- Telling -------------------------------------------------------------------------------------
 */

static double ms(const struct fg_bench_histogram *histogram, double share)
{
    return (double)fg_bench_histogram_quantile(histogram, share) / 1e6;
}

static void print_row(FILE *out, const char *name, const struct fg_bench_histogram *histogram,
                      double floor_ms, double aim_ms)
{
    double median = ms(histogram, 0.5), longest = (double)histogram->max / 1e6;
    if (histogram->count == 0)
        return;
    fprintf(out, "  %-32s %10.1f ms %10.1f ms", name, median, longest);
    if (floor_ms > 0)
        fprintf(out, "   %6.0f ms %-5s %6.0f ms %-5s", floor_ms,
                longest <= floor_ms ? "pass" : "miss", aim_ms, longest <= aim_ms ? "pass" : "miss");
    fputc('\n', out);
}

void fg_bench_search_print(struct fg_cli *cli, const struct fg_bench_search_figures *figures)
{
    static const double floors_ms[FG_BENCH_SEARCH_KINDS] = {300, 8000, 0};
    static const double aims_ms[FG_BENCH_SEARCH_KINDS] = {50, 2000, 0};
    const struct fg_bench_searched *searched = &figures->searched;
    char bytes[FG_UNITS_TEXT_SIZE];
    fg_size_format(figures->stored_bytes, bytes);
    fprintf(cli->out, "day           %" PRIu64 " spans, %s%s", figures->span_count, bytes,
            figures->was_there ? ", there already\n" : "");
    if (!figures->was_there)
        fprintf(cli->out, ", made in %.1f s, sealed and merged in %.1f s\n", figures->fill_seconds,
                figures->settle_seconds);
    if (figures->busy_seconds > 0)
        fprintf(cli->out, "beside        %.0f spans a second were taken\n",
                (double)figures->busy_spans / figures->busy_seconds);
    fprintf(cli->out, "\n%-34s %13s %13s   %-15s %s\n", "", "median", "longest", "floor (173 M)",
            "aim");
    for (unsigned kind = 0; kind < FG_BENCH_SEARCH_KINDS; kind++) {
        fprintf(cli->out, "%s\n", kind_names[kind]);
        print_row(cli->out, figures->is_cold ? "cold, just started" : "just started",
                  &searched->first[kind], floors_ms[kind], aims_ms[kind]);
        print_row(cli->out, "warm", &searched->warm[kind], floors_ms[kind], aims_ms[kind]);
        print_row(cli->out, "while spans come in", &searched->busy[kind], floors_ms[kind],
                  aims_ms[kind]);
    }
    if (figures->wrong)
        fprintf(cli->out, "\nWRONG         %" PRIu64 " answers, one to %s\n", figures->wrong,
                figures->first_wrong);
}

static json_t *histogram_json(const struct fg_bench_histogram *histogram)
{
    return json_pack("{s:I, s:f, s:f}", "count", (json_int_t)histogram->count, "p50_ms",
                     ms(histogram, 0.5), "max_ms", (double)histogram->max / 1e6);
}

int fg_bench_search_print_json(struct fg_cli *cli, const struct fg_bench_search_figures *figures)
{
    const struct fg_bench_searched *searched = &figures->searched;
    json_t *root = json_pack(
        "{s:I, s:I, s:f, s:b, s:I, s:f}", "spans", (json_int_t)figures->span_count, "stored_bytes",
        (json_int_t)figures->stored_bytes, "fill_seconds", figures->fill_seconds, "cold",
        figures->is_cold, "wrong", (json_int_t)figures->wrong, "busy_spans_per_second",
        figures->busy_seconds > 0 ? (double)figures->busy_spans / figures->busy_seconds : 0.0);
    int r = root ? 0 : -1;
    for (unsigned kind = 0; kind < FG_BENCH_SEARCH_KINDS; kind++)
        r |= json_object_set_new(root, kind_keys[kind],
                                 json_pack("{s:o, s:o, s:o}", "first",
                                           histogram_json(&searched->first[kind]), "warm",
                                           histogram_json(&searched->warm[kind]), "busy",
                                           histogram_json(&searched->busy[kind])));
    char *text = r == 0 ? json_dumps(root, JSON_INDENT(2)) : NULL;
    if (text)
        fprintf(cli->out, "%s\n", text);
    free(text);
    json_decref(root);
    return text ? 0 : FG_ENOMEM;
}
