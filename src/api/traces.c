/* Reading back, native: a trace as OTLP JSON, and lists of traces, newest first. */
#include "base/limits.h"
#include "base/units.h"
#include "handlers.h"
#include "query/summary.h"
#include "search_params.h"
#include "wire/otlp_encode.h"

#define LIMIT_DEFAULT 20u
/* A query of FG_QUERY_NODES_MAX conditions, printed. */
#define PLAN_SIZE_MAX ((size_t)256 << 10)

/* -- One trace
 * --------------------------------------------------------------------------------------
 */

static int trace_begin(struct fg_trace_stream *stream)
{
    fg_otlp_encoder_init((struct fg_otlp_encoder *)stream->state, FG_OTLP_JSON, &stream->text);
    return stream->text.error;
}

static int trace_render(struct fg_trace_stream *stream, bool *ret_done)
{
    struct fg_otlp_encoder *encoder = (struct fg_otlp_encoder *)stream->state;
    return fg_trace_stream_visit_some(stream, encoder->visitor, encoder, ret_done);
}

static int trace_end(struct fg_trace_stream *stream)
{
    return fg_otlp_encoder_finish((struct fg_otlp_encoder *)stream->state);
}

static const struct fg_trace_stream_ops trace_ops = {
    .verb = "read the trace",
    .begin = trace_begin,
    .loaded = fg_trace_stream_visit,
    .render = trace_render,
    .end = trace_end,
};

void fg_handle_trace(struct fg_exchange *exchange)
{
    struct fg_trace_key key = {0};
    if (fg_trace_id_parse(exchange->param, &key.trace_id_high, &key.trace_id_low) < 0) {
        fg_answer_invalid(exchange, "a trace id is 16 or 32 hexadecimal digits, not all zero");
        return;
    }
    struct fg_trace_stream *stream =
        fg_trace_stream_new(exchange, &trace_ops, sizeof(struct fg_otlp_encoder));
    if (!stream)
        return;
    stream->key = key;
    fg_trace_stream_start_take(stream);
}

/* -- Lists
 * ------------------------------------------------------------------------------------------
 */

static int list_begin(struct fg_trace_stream *stream)
{
    struct fg_json_writer *json = (struct fg_json_writer *)stream->state;
    *json = fg_json_writer(&stream->text);
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "traces");
    fg_json_array_begin(json);
    return stream->text.error;
}

static void write_services(struct fg_json_writer *json, const struct fg_trace_summary *summary)
{
    FG_JSON_KEY(json, "services");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < summary->service_count; i++) {
        fg_json_object_begin(json);
        FG_JSON_KEY(json, "service");
        fg_json_string(json, summary->services[i].service);
        FG_JSON_KEY(json, "span_count");
        fg_json_uint(json, summary->services[i].span_count);
        FG_JSON_KEY(json, "error_count");
        fg_json_uint(json, summary->services[i].error_count);
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
}

static void write_summary(struct fg_json_writer *json, const struct fg_trace_summary *summary)
{
    char id[FG_TRACE_ID_TEXT_SIZE], start[FG_UNITS_TEXT_SIZE];
    fg_time_format(summary->start_ns, start);
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "trace_id");
    fg_json_string(json, fg_trace_id_format(summary->trace_id_high, summary->trace_id_low, id));
    FG_JSON_KEY(json, "root_service");
    fg_json_string(json, summary->root_service);
    FG_JSON_KEY(json, "root_name");
    fg_json_string(json, summary->root_name);
    FG_JSON_KEY(json, "has_root");
    fg_json_bool(json, summary->has_root);
    FG_JSON_KEY(json, "start");
    fg_json_string(json, fg_slice_from_string(start));
    FG_JSON_KEY(json, "start_ns");
    fg_json_uint_string(json, summary->start_ns);
    FG_JSON_KEY(json, "duration_ns");
    fg_json_uint_string(json, summary->duration_ns);
    FG_JSON_KEY(json, "span_count");
    fg_json_uint(json, summary->span_count);
    FG_JSON_KEY(json, "error_count");
    fg_json_uint(json, summary->error_count);
    FG_JSON_KEY(json, "open_count");
    fg_json_uint(json, summary->open_count);
    write_services(json, summary);
    fg_json_object_end(json);
}

static int list_loaded(struct fg_trace_stream *stream, bool *ret_render)
{
    write_summary((struct fg_json_writer *)stream->state, &stream->summary);
    *ret_render = false;
    return stream->text.error;
}

static const char *partial_reason(const struct fg_trace_stream *stream)
{
    return stream->cut == FG_ETIMEOUT ? "time"
           : stream->cut == FG_ELIMIT ? "bytes"
           : stream->partial          ? "damage"
                                      : "size";
}

static void write_read(struct fg_json_writer *json, const struct fg_trace_stream *stream)
{
    const struct fg_read_stats *read = &stream->read;
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {
        {"segments", read->segments},
        {"segments_pruned", read->segments_pruned},
        {"row_groups", read->row_groups},
        {"row_groups_pruned", read->row_groups_pruned},
        {"pages", read->pages},
        {"pages_pruned", read->pages_pruned},
        {"bytes", read->bytes_read},
        {"spans_scanned", read->rows_scanned},
        {"spans_matched", read->rows_matched},
        {"traces_examined", stream->examined},
        {"damaged_pages", read->damaged_pages},
    };
    FG_JSON_KEY(json, "read");
    fg_json_object_begin(json);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        fg_json_key(json, fg_slice_from_string(fields[i].name));
        fg_json_uint(json, fields[i].value);
    }
    fg_json_object_end(json);
}

/* What was understood, what the store was asked of it, and where the rest was decided. */
static int write_plan(struct fg_json_writer *json, const struct fg_trace_stream *stream)
{
    struct fg_buffer text;
    fg_buffer_init(&text, PLAN_SIZE_MAX);
    FG_JSON_KEY(json, "plan");
    fg_json_object_begin(json);
    if (stream->query)
        fg_query_print(stream->query, &text);
    FG_JSON_KEY(json, "query");
    fg_json_string(json, fg_buffer_slice(&text));
    fg_buffer_reset(&text);
    if (stream->search.predicate)
        fg_predicate_print(stream->search.predicate, &text);
    FG_JSON_KEY(json, "store");
    fg_json_string(json, fg_buffer_slice(&text));
    FG_JSON_KEY(json, "decided_on");
    fg_json_string(json, stream->is_whole ? FG_SLICE("spans") : FG_SLICE("whole traces"));
    fg_json_object_end(json);
    int r = text.error;
    fg_buffer_free(&text);
    return r;
}

static int list_end(struct fg_trace_stream *stream)
{
    struct fg_json_writer *json = (struct fg_json_writer *)stream->state;
    int r = 0;
    fg_json_array_end(json);
    FG_JSON_KEY(json, "next");
    if (stream->given == stream->wanted) {
        char cursor[FG_TRACE_KEY_TEXT_SIZE];
        fg_trace_key_format(&stream->key, cursor);
        fg_json_string(json, fg_slice(cursor, sizeof cursor));
    } else {
        fg_json_null(json);
    }
    FG_JSON_KEY(json, "partial");
    fg_json_bool(json, stream->partial || stream->was_truncated);
    if (stream->partial || stream->was_truncated) {
        FG_JSON_KEY(json, "partial_reason");
        fg_json_string(json, fg_slice_from_string(partial_reason(stream)));
    }
    write_read(json, stream);
    if (stream->explain)
        r = write_plan(json, stream);
    fg_json_object_end(json);
    return r < 0 ? r : stream->text.error;
}

static const struct fg_trace_stream_ops list_ops = {
    .verb = "search traces",
    .begin = list_begin,
    .loaded = list_loaded,
    .end = list_end,
};

void fg_handle_search(struct fg_exchange *exchange)
{
    struct fg_trace_stream *stream =
        fg_trace_stream_new(exchange, &list_ops, sizeof(struct fg_json_writer));
    if (!stream)
        return;
    if (fg_search_params(stream, LIMIT_DEFAULT))
        fg_trace_stream_start_take(stream);
    else
        fg_trace_stream_abandon(stream);
}
