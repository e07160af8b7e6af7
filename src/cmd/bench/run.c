#include "run.h"

#include "../progress.h"
#include "ask.h"
#include "base/limits.h"
#include "sample.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define ACK_LOG_SIZE_MAX  ((size_t)4 << 20)
#define ACK_LOG_SIZE_FULL ((size_t)1 << 20)
#define BEHIND_LOOK_NS    50000000
#define BEHIND_NS_MAX     (2 * FG_NS_PER_MINUTE)

struct run {
    struct fg_cli *cli;
    const struct fg_bench_options *options;
    struct fg_bench_server *server;
    struct fg_bench_figures *figures;
    struct fg_bench_shape *shape;
    struct fg_bench_sample *sample;
    struct fg_progress progress;
    struct fg_file *ack_log;
    struct fg_buffer ack_text;
    uint64_t ack_offset;
    int ack_error;
    uint64_t load_begin_ns;
    uint64_t kill_ns; /* of the load that runs; 0: none */
    struct fg_bench_usage before;
    uint64_t disk_before;
};

static int say(const struct run *run, int r, const char *what)
{
    fprintf(run->cli->err, "filigree: bench: %s: %s\n", what, fg_error_name(r));
    return r;
}

/* -- The log of acknowledgements -----------------------------------------------------------------
 */

static void ack_log_flush(struct run *run)
{
    if (run->ack_text.error)
        run->ack_error = run->ack_text.error;
    if (run->ack_error == 0 && run->ack_text.size > 0)
        run->ack_error =
            fg_file_pwrite(run->ack_log, run->ack_offset, run->ack_text.data, run->ack_text.size);
    run->ack_offset += run->ack_text.size;
    fg_buffer_reset(&run->ack_text);
}

static void ack_log_add(struct run *run, uint64_t request)
{
    uint32_t traces = fg_bench_traces_per_request(run->shape);
    for (uint32_t i = 0; i < traces; i++) {
        char id[FG_BENCH_TRACE_ID_TEXT_SIZE];
        fg_bench_trace_id(run->options->seed, request * traces + i, id);
        fg_buffer_append_format(&run->ack_text, "%s %u\n", id, FG_BENCH_TRACE_SPANS);
    }
    if (run->ack_text.size >= ACK_LOG_SIZE_FULL)
        ack_log_flush(run);
}

static void on_acknowledged(void *arg, uint64_t request)
{
    struct run *run = arg;
    fg_bench_sample_add(run->sample, request);
    if (run->ack_log)
        ack_log_add(run, request);
}

/* -- Load ----------------------------------------------------------------------------------------
 */

static bool on_tick(void *arg, uint64_t spans)
{
    struct run *run = arg;
    uint64_t elapsed_ns = fg_env_mono_ns(run->cli->env) - run->load_begin_ns;
    struct fg_bench_usage usage;
    fg_progress_update(&run->progress, spans, 0);
    if (run->kill_ns && elapsed_ns >= run->kill_ns) {
        fg_bench_server_end(run->server, SIGKILL);
        return false;
    }
    if (run->server->pid && fg_bench_usage_read(run->cli, run->server->pid, &usage) == 0 &&
        usage.resident_bytes > run->figures->resident_bytes_max)
        run->figures->resident_bytes_max = usage.resident_bytes;
    return true;
}

static int load(struct run *run, uint64_t duration_ns, uint64_t first_request,
                struct fg_bench_load_result *result)
{
    const struct fg_bench_options *options = run->options;
    struct fg_bench_load load = {.env = run->cli->env,
                                 .shape = run->shape,
                                 .address = run->server->otlp,
                                 .path = options->path,
                                 .is_grpc = options->is_grpc,
                                 .is_tls = options->is_tls,
                                 .ca_file = options->ca_file,
                                 .connection_count = options->connection_count,
                                 .rate_spans = options->rate_spans,
                                 .duration_ns = duration_ns,
                                 .first_request = first_request,
                                 .acknowledged = on_acknowledged,
                                 .tick = on_tick,
                                 .arg = run};
    run->load_begin_ns = fg_env_mono_ns(run->cli->env);
    fg_progress_begin(&run->progress, run->cli, run->kill_ns ? "load, then a kill: spans" : "spans",
                      false);
    int r = fg_bench_load_run(&load, result);
    fg_progress_end(&run->progress);
    if (run->ack_log)
        ack_log_flush(run);
    if (r < 0 && *result->problem)
        fprintf(run->cli->err, "filigree: bench: %s: %s\n", run->server->otlp, result->problem);
    else if (r < 0)
        return say(run, r, run->server->otlp);
    if (r == 0 && run->ack_error < 0)
        return say(run, run->ack_error, options->ack_log);
    return r;
}

static double generator_cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void usage_since(const struct run *run, struct fg_bench_usage *ret)
{
    *ret = (struct fg_bench_usage){0};
    if (!run->server->pid || fg_bench_usage_read(run->cli, run->server->pid, ret) < 0)
        return;
    ret->cpu_seconds -= run->before.cpu_seconds;
    ret->written_bytes -= run->before.written_bytes;
}

static int measure_load(struct run *run)
{
    struct fg_bench_figures *figures = run->figures;
    figures->span_wire_bytes = fg_bench_span_size(run->shape);
    if (run->server->pid && fg_bench_usage_read(run->cli, run->server->pid, &run->before) < 0)
        return say(run, FG_ENOTFOUND, "the server's process");
    run->disk_before = fg_bench_disk_written(run->cli, run->server->data);
    double own = generator_cpu_seconds();
    int r = load(run, run->options->duration_ns, 0, &figures->load);
    figures->generator_cpu_seconds = generator_cpu_seconds() - own;
    usage_since(run, &figures->usage);
    return r;
}

/* -- Settling ------------------------------------------------------------------------------------
 */

static int settle_with(struct run *run, struct fg_bench_ask *ask)
{
    struct fg_bench_figures *figures = run->figures;
    json_t *sealed = fg_bench_ask_post(ask, "/api/v1/admin/seal");
    json_t *merged = sealed ? fg_bench_ask_post(ask, "/api/v1/admin/merge") : NULL;
    if (merged) {
        figures->stored_spans = fg_bench_ask_member(merged, "segment_spans");
        figures->stored_bytes = fg_bench_ask_member(merged, "segment_bytes");
    }
    figures->is_settled = merged != NULL;
    json_decref(sealed);
    json_decref(merged);
    return figures->is_settled ? 0 : FG_EIO;
}

static int ask_behind(struct fg_bench_ask *ask, uint64_t *ret_held_bytes, uint64_t *ret_requests)
{
    int r = fg_bench_ask_metric(ask, "filigree_store_held_bytes", ret_held_bytes);
    return r < 0 ? r : fg_bench_ask_metric(ask, "filigree_store_requests_behind", ret_requests);
}

/* The folder is that of the spans when no reader holds a segment that was merged, and all that is
 * made of them is made. What takes too long is left, and stands in the report. */
static void wait_for_readers(struct run *run, struct fg_bench_ask *ask)
{
    struct fg_bench_figures *figures = run->figures;
    struct fg_env *env = run->cli->env;
    const struct timespec pause = {.tv_nsec = BEHIND_LOOK_NS};
    uint64_t begin_ns = fg_env_mono_ns(env), waited_ns = 0;
    if (ask_behind(ask, &figures->held_bytes, &figures->behind_requests) < 0)
        return;
    uint64_t bytes = figures->held_bytes, requests = figures->behind_requests;
    while ((bytes || requests) && waited_ns < BEHIND_NS_MAX) {
        nanosleep(&pause, NULL);
        if (ask_behind(ask, &bytes, &requests) < 0)
            break;
        waited_ns = fg_env_mono_ns(env) - begin_ns;
        figures->behind_seconds = (double)waited_ns / 1e9;
    }
}

/* Seals and merges all that was taken, so that what merging costs is in the figures too. */
static int settle(struct run *run)
{
    struct fg_bench_figures *figures = run->figures;
    struct fg_bench_ask ask = {.client = NULL};
    int r = fg_bench_ask_connect(&ask, run->server);
    if (r < 0)
        return r;
    uint64_t begin_ns = fg_env_mono_ns(run->cli->env);
    r = settle_with(run, &ask);
    figures->settle_seconds = (double)(fg_env_mono_ns(run->cli->env) - begin_ns) / 1e9;
    if (r == 0)
        wait_for_readers(run, &ask);
    fg_bench_ask_free(&ask);
    struct fg_bench_usage usage;
    usage_since(run, &usage);
    figures->settled_cpu_seconds = usage.cpu_seconds;
    figures->settled_written_bytes = usage.written_bytes;
    return r;
}

/* -- Looking up ----------------------------------------------------------------------------------
 */

static int look_up(struct run *run, struct fg_bench_lookup_result *result)
{
    const struct fg_bench_options *options = run->options;
    struct fg_bench_lookup lookup = {.cli = run->cli,
                                     .url = options->trace_url,
                                     .seed = options->seed,
                                     .spans_expected = FG_BENCH_TRACE_SPANS};
    uint64_t *traces = calloc(options->lookup_count, sizeof *traces);
    if (!traces)
        return say(run, FG_ENOMEM, "looking up");
    size_t count = fg_bench_sample_traces(run->sample, fg_bench_traces_per_request(run->shape),
                                          traces, options->lookup_count);
    int r = fg_bench_lookup_run(&lookup, traces, count, result);
    free(traces);
    return r;
}

/* Load, kill -9 in the middle of it, start again, and look for what was acknowledged last. */
static int kill_and_return(struct run *run)
{
    struct fg_bench_figures *figures = run->figures;
    uint64_t ready_ns;
    memset(run->sample, 0, sizeof *run->sample);
    run->kill_ns = run->options->kill_after_ns;
    int r = load(run, run->kill_ns + 10 * FG_NS_PER_SECOND, figures->load.next_request,
                 &figures->kill_load);
    run->kill_ns = 0;
    if (r == 0)
        r = fg_bench_server_start(run->server);
    if (r == 0)
        r = fg_bench_server_wait(run->server, &ready_ns);
    if (r == 0) {
        figures->is_killed = true;
        figures->ready_seconds = (double)ready_ns / 1e9;
        r = look_up(run, &figures->kill_lookup);
    }
    return r;
}

/* -- The run -------------------------------------------------------------------------------------
 */

static int run_all(struct run *run)
{
    struct fg_bench_figures *figures = run->figures;
    const struct fg_bench_options *options = run->options;
    bool looks_up = options->trace_url && options->lookup_count > 0;
    int r = measure_load(run);
    if (r == 0 && *run->server->api)
        r = settle(run);
    uint64_t disk = fg_bench_disk_written(run->cli, run->server->data);
    if (disk > run->disk_before)
        figures->disk_written_bytes = disk - run->disk_before;
    if (r == 0 && *run->server->data) {
        r = fg_bench_folder_size(run->cli, run->server->data, &figures->folder_bytes,
                                 &figures->fixed_bytes);
        if (r < 0)
            say(run, r, run->server->data);
    }
    if (r == 0 && looks_up) {
        struct fg_bench_lookup_result warm_up;
        r = look_up(run, &warm_up); /* the figures are those of a warm server */
        if (r == 0)
            r = look_up(run, &figures->lookup);
        figures->is_looked_up = r == 0;
    }
    if (r == 0 && options->kill_after_ns && run->server->is_own && looks_up)
        r = kill_and_return(run);
    return r;
}

int fg_bench_run(struct fg_cli *cli, const struct fg_bench_options *options,
                 struct fg_bench_server *server, struct fg_bench_figures *figures)
{
    struct run run = {.cli = cli, .options = options, .server = server, .figures = figures};
    memset(figures, 0, sizeof *figures);
    fg_buffer_init(&run.ack_text, ACK_LOG_SIZE_MAX);
    run.sample = calloc(1, sizeof *run.sample);
    int r = run.sample ? fg_bench_shape_new(options->kind, options->seed,
                                            options->spans_per_request, &run.shape)
                       : FG_ENOMEM;
    if (r < 0)
        say(&run, r, "spans-per-request");
    if (r == 0 && options->ack_log) {
        r = fg_env_open(cli->env, options->ack_log,
                        FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_TRUNCATE, &run.ack_log);
        if (r < 0)
            say(&run, r, options->ack_log);
    }
    if (r == 0)
        r = run_all(&run);
    fg_file_close(run.ack_log);
    fg_buffer_free(&run.ack_text);
    fg_bench_shape_free(run.shape);
    free(run.sample);
    return r;
}

uint64_t fg_bench_lost_traces(const struct fg_bench_figures *figures)
{
    return figures->lookup.missing + figures->lookup.repeated + figures->kill_lookup.missing +
           figures->kill_lookup.repeated;
}

uint64_t fg_bench_lost_spans(const struct fg_bench_figures *figures)
{
    if (!figures->is_settled || figures->stored_spans >= figures->load.spans)
        return 0;
    return figures->load.spans - figures->stored_spans;
}
