#include "search.h"

#include "../client.h"
#include "../progress.h"
#include "base/limits.h"
#include "base/units.h"
#include "os/thread.h"

#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_SIZE_MAX   ((size_t)16 << 20)
#define PATH_SIZE         1024
#define SPANS_PER_REQUEST 5200u
#define FIRST_TRIES       3u /* of each kind, each after a start of its own */

struct bench {
    struct fg_cli *cli;
    const struct fg_bench_search_options *options;
    struct fg_bench_server *server;
    struct fg_bench_search_figures *figures;
    struct fg_bench_shape *shape;
    struct fg_client *client;
    struct fg_progress progress;
    uint64_t begin_ns;    /* of the day */
    uint64_t next_chance; /* for choosing what to search */
    /* The load beside the searches. */
    struct fg_bench_load_result *busy;
    atomic_bool busy_ends;
    int busy_error;
};

static int say(const struct bench *bench, int r, const char *what)
{
    fprintf(bench->cli->err, "filigree: bench: %s: %s\n", what, fg_error_name(r));
    return r;
}

/* -- Asking --------------------------------------------------------------------------------------
 */

static int connect_client(struct bench *bench)
{
    static const struct fg_option option = FG_CLIENT_OPTION;
    static char url[FG_BENCH_ADDRESS_SIZE + 8];
    struct fg_arguments arguments = {.options = &option, .option_count = 1, .values = {url}};
    snprintf(url, sizeof url, "http://%s", bench->server->api);
    fg_client_free(bench->client);
    bench->client = NULL;
    int r = fg_client_new(bench->cli, &arguments, &bench->client);
    return r < 0 ? say(bench, r, url) : 0;
}

static int take(void *arg, struct fg_slice data)
{
    struct fg_buffer *answer = arg;
    fg_buffer_append_slice(answer, data);
    return answer->error;
}

/* The answer as JSON; posts {} where post is set. NULL after a sentence. */
static json_t *ask(struct bench *bench, const char *path, bool post)
{
    struct fg_buffer answer;
    long status = 0;
    json_t *root = NULL;
    fg_buffer_init(&answer, ANSWER_SIZE_MAX);
    struct fg_client_request request = {.path = path, .data = take, .arg = &answer};
    if (post) {
        request.content_type = "application/json";
        request.body = FG_SLICE("{}");
    }
    if (fg_client_run(bench->client, &request, &status) == 0 && status == 200)
        root = json_loadb((const char *)answer.data, answer.size, 0, NULL);
    if (!root)
        fprintf(bench->cli->err, "filigree: bench: %s: %s\n", path,
                fg_client_message(bench->client));
    fg_buffer_free(&answer);
    return root;
}

static uint64_t member(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

/* -- The day -------------------------------------------------------------------------------------
 */

static uint64_t moment(void *arg, uint64_t request)
{
    const struct bench *bench = arg;
    uint64_t requests = bench->options->span_count / SPANS_PER_REQUEST + 1;
    if (request >= requests) /* the load beside the searches is of now */
        return fg_env_wall_ns(bench->cli->env);
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
    json_t *sealed = ask(bench, "/api/v1/admin/seal", true);
    json_t *merged = sealed ? ask(bench, "/api/v1/admin/merge", true) : NULL;
    bench->figures->settle_seconds = (double)(fg_env_mono_ns(bench->cli->env) - begin_ns) / 1e9;
    bench->figures->span_count = member(merged, "segment_spans");
    bench->figures->stored_bytes = member(merged, "segment_bytes");
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
    json_t *root = ask(bench, path, false);
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
    return r == 0 ? connect_client(bench) : r;
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

static bool is_busy(void *arg, uint64_t spans)
{
    struct bench *bench = arg;
    (void)spans;
    return !atomic_load(&bench->busy_ends);
}

static void send_beside(void *arg)
{
    struct bench *bench = arg;
    uint64_t requests = bench->options->span_count / SPANS_PER_REQUEST + 1;
    struct fg_bench_load load = {.env = bench->cli->env,
                                 .shape = bench->shape,
                                 .address = bench->server->otlp,
                                 .path = "/v1/traces",
                                 .connection_count = bench->options->connection_count,
                                 .rate_spans = bench->options->busy_rate_spans,
                                 .duration_ns = UINT64_MAX / 2,
                                 .first_request = requests,
                                 .moment = moment,
                                 .acknowledged = nothing,
                                 .tick = is_busy,
                                 .arg = bench};
    bench->busy_error = fg_bench_load_run(&load, bench->busy);
}

static int search_busy(struct bench *bench)
{
    struct fg_thread thread;
    struct fg_bench_histogram warm_up[FG_BENCH_SEARCH_KINDS] = {{{0}, 0, 0, 0}};
    bench->busy = calloc(1, sizeof *bench->busy);
    int r = bench->busy ? fg_thread_start(&thread, "bench-load", send_beside, bench) : FG_ENOMEM;
    if (r < 0) {
        free(bench->busy);
        return say(bench, r, "the load beside the searches");
    }
    r = search(bench, FG_BENCH_SEARCH_SLOW, warm_up); /* while it gets under way */
    if (r == 0)
        r = search_all(bench, bench->figures->searched.busy);
    atomic_store(&bench->busy_ends, true);
    fg_thread_join(&thread);
    bench->figures->busy_spans = bench->busy->spans;
    bench->figures->busy_seconds = (double)bench->busy->elapsed_ns / 1e9;
    if (r == 0 && bench->busy_error < 0)
        r = say(bench, bench->busy_error, "the load beside the searches");
    free(bench->busy);
    return r;
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
        r = connect_client(bench);
    if (r == 0)
        r = run_all(bench);
    fg_client_free(bench->client);
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
