/* Jaeger's newer routes for traces (jaegertracing/jaeger, jaegerquery: apiv3): OTLP JSON in the
 * envelope {"result": …}, and lists of summaries. */
#include "base/limits.h"
#include "handlers.h"
#include "jaeger_v3_params.h"
#include "span/tree.h"
#include "wire/otlp_encode.h"

#include <stdlib.h>

/* -- Traces: one or several, in one TracesData */

static int begin(struct fg_trace_stream *stream)
{
    fg_buffer_append_string(&stream->text, "{\"result\":");
    fg_otlp_encoder_init((struct fg_otlp_encoder *)stream->state, FG_OTLP_JSON, &stream->text);
    return stream->text.error;
}

static int render(struct fg_trace_stream *stream, bool *ret_done)
{
    struct fg_otlp_encoder *encoder = (struct fg_otlp_encoder *)stream->state;
    return fg_trace_stream_visit_some(stream, encoder->visitor, encoder, ret_done);
}

static int end(struct fg_trace_stream *stream)
{
    if (stream->is_search && stream->given == 0) /* in time, or without having looked at all */
        return stream->cut ? stream->cut : FG_ENOTFOUND;
    int r = fg_otlp_encoder_finish((struct fg_otlp_encoder *)stream->state);
    fg_buffer_append_byte(&stream->text, '}');
    return r < 0 ? r : stream->text.error;
}

static const struct fg_trace_stream_ops trace_ops = {
    .verb = "read the trace",
    .not_found = "No traces found",
    .begin = begin,
    .loaded = fg_trace_stream_visit,
    .render = render,
    .end = end,
};

static const struct fg_trace_stream_ops search_ops = {
    .verb = "search traces",
    .not_found = "No traces found",
    .begin = begin,
    .loaded = fg_trace_stream_visit,
    .render = render,
    .end = end,
};

void fg_handle_jaeger_v3_trace(struct fg_exchange *exchange)
{
    struct fg_trace_key key = {0};
    uint64_t moment;
    if (fg_trace_id_parse(exchange->param, &key.trace_id_high, &key.trace_id_low) < 0) {
        fg_answer_invalid(exchange, "malformed parameter trace_id: a trace id is 16 or 32 "
                                    "hexadecimal digits, not all zero");
        return;
    }
    /* Where to look, for stores that have to know; here they are checked. */
    if (!fg_jaeger_v3_time_param(exchange, "startTime", "start_time", &moment) ||
        !fg_jaeger_v3_time_param(exchange, "endTime", "end_time", &moment) ||
        !fg_jaeger_v3_raw_param(exchange, "rawTraces", "raw_traces"))
        return;
    struct fg_trace_stream *stream =
        fg_trace_stream_new(exchange, &trace_ops, sizeof(struct fg_otlp_encoder));
    if (!stream)
        return;
    stream->key = key;
    fg_trace_stream_start_take(stream);
}

static void search(struct fg_exchange *exchange, const struct fg_trace_stream_ops *ops,
                   size_t state_size)
{
    if (exchange->request->method == FG_METHOD_POST && !fg_jaeger_v3_take_body(exchange))
        return;
    struct fg_trace_stream *stream = fg_trace_stream_new(exchange, ops, state_size);
    if (!stream)
        return;
    if (fg_jaeger_v3_search_params(stream))
        fg_trace_stream_start_take(stream);
    else
        fg_trace_stream_abandon(stream);
}

void fg_handle_jaeger_v3_traces(struct fg_exchange *exchange)
{
    search(exchange, &search_ops, sizeof(struct fg_otlp_encoder));
}

/* -- Summaries */

static int summaries_begin(struct fg_trace_stream *stream)
{
    struct fg_json_writer *json = (struct fg_json_writer *)stream->state;
    *json = fg_json_writer(&stream->text);
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "summaries");
    fg_json_array_begin(json);
    return stream->text.error;
}

static int count_orphans(struct fg_trace_stream *stream, uint32_t *ret_count)
{
    struct fg_tree tree;
    uint32_t count = 0;
    int r = fg_tree_build(&stream->batch, &stream->arena, &tree);
    if (r < 0)
        return r;
    for (uint32_t row = 0; row < tree.count; row++)
        count += stream->batch.parent_span_id[row] != 0 && tree.parent[row] == FG_TREE_NONE;
    *ret_count = count;
    return 0;
}

static void write_services(struct fg_json_writer *json, const struct fg_trace_summary *summary)
{
    FG_JSON_KEY(json, "services");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < summary->service_count; i++) {
        fg_json_object_begin(json);
        FG_JSON_KEY(json, "name");
        fg_json_string(json, summary->services[i].service);
        FG_JSON_KEY(json, "spanCount");
        fg_json_uint(json, summary->services[i].span_count);
        FG_JSON_KEY(json, "errorSpanCount");
        fg_json_uint(json, summary->services[i].error_count);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
}

static int compare_names(const void *a, const void *b)
{
    const struct fg_service_count *x = a, *y = b;
    return fg_slice_compare(x->service, y->service);
}

static int summary_loaded(struct fg_trace_stream *stream, bool *ret_render)
{
    struct fg_json_writer *json = (struct fg_json_writer *)stream->state;
    const struct fg_trace_summary *summary = &stream->summary;
    uint32_t orphans;
    char id[FG_TRACE_ID_TEXT_SIZE];
    int r = count_orphans(stream, &orphans);
    if (r < 0)
        return r;
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "traceId");
    fg_json_string(json, fg_trace_id_format(summary->trace_id_high, summary->trace_id_low, id));
    FG_JSON_KEY(json, "rootServiceName");
    fg_json_string(json, summary->root_service);
    FG_JSON_KEY(json, "rootOperationName");
    fg_json_string(json, summary->root_name);
    FG_JSON_KEY(json, "minStartTimeUnixNano");
    fg_json_uint_string(json, summary->start_ns);
    FG_JSON_KEY(json, "maxEndTimeUnixNano");
    fg_json_uint_string(json, summary->start_ns + summary->duration_ns);
    FG_JSON_KEY(json, "spanCount");
    fg_json_uint(json, summary->span_count);
    FG_JSON_KEY(json, "errorSpanCount");
    fg_json_uint(json, summary->error_count);
    FG_JSON_KEY(json, "orphanSpanCount");
    fg_json_uint(json, orphans);
    if (summary->service_count)
        qsort(stream->summary.services, summary->service_count, sizeof *summary->services,
              compare_names);
    write_services(json, summary);
    fg_json_object_end(json);
    *ret_render = false;
    return stream->text.error;
}

static int summaries_end(struct fg_trace_stream *stream)
{
    struct fg_json_writer *json = (struct fg_json_writer *)stream->state;
    fg_json_array_end(json);
    fg_json_object_end(json);
    return stream->text.error;
}

static const struct fg_trace_stream_ops summary_ops = {
    .verb = "search traces",
    .begin = summaries_begin,
    .loaded = summary_loaded,
    .end = summaries_end,
};

void fg_handle_jaeger_v3_summaries(struct fg_exchange *exchange)
{
    search(exchange, &summary_ops, sizeof(struct fg_json_writer));
}
