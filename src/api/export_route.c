/* GET /api/v1/export: stored spans as OTLP JSON lines, as fast as the client takes them. */
#include "api/export.h"

#include "handlers.h"
#include "job_stream.h"
#include "search_params.h"
#include "state.h"

static int emit(void *arg, struct fg_slice lines, uint64_t span_count)
{
    (void)span_count;
    return fg_job_stream_write(arg, lines);
}

static bool is_cancelled(void *arg)
{
    return fg_job_stream_is_cancelled(arg);
}

static int run(struct fg_job_stream *stream)
{
    struct fg_api *api = stream->exchange->api;
    return fg_export_run(fg_api_store(api), api->env, (struct fg_export *)stream->state);
}

void fg_handle_export(struct fg_exchange *exchange)
{
    uint64_t start_ns_min, start_ns_max;
    if (!fg_time_params(exchange, &start_ns_min, &start_ns_max))
        return;
    struct fg_job_stream *stream = fg_job_stream_new(exchange, "export spans", "application/jsonl",
                                                     run, sizeof(struct fg_export));
    if (!stream)
        return;
    *(struct fg_export *)stream->state = (struct fg_export){
        .tenant = exchange->identity.tenant,
        .start_ns_min = start_ns_min,
        .start_ns_max = start_ns_max,
        .service = fg_exchange_param(exchange, "service"),
        .emit = emit,
        .is_cancelled = is_cancelled,
        .arg = stream,
    };
    fg_job_stream_start_take(stream, exchange->api->long_jobs);
}
