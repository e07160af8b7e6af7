/* Jaeger's /api/traces and /api/traces/{id}: the JSON that its UI and its clients read. */
#include "wire/jaeger.h"
#include "base/limits.h"
#include "handlers.h"
#include "jaeger_params.h"

struct missing {
    uint64_t trace_id_high, trace_id_low;
    struct missing *next;
};

struct answer {
    struct fg_json_writer json;
    struct fg_jaeger_encoder encoder; /* of the trace that is rendered */
    struct missing *missing, **missing_end;
};

static struct answer *answer_of(struct fg_trace_stream *stream)
{
    return (struct answer *)stream->state;
}

static int begin(struct fg_trace_stream *stream)
{
    struct answer *answer = answer_of(stream);
    answer->json = fg_json_writer(&stream->text);
    answer->missing_end = &answer->missing;
    fg_json_object_begin(&answer->json);
    FG_JSON_KEY(&answer->json, "data");
    fg_json_array_begin(&answer->json);
    return stream->text.error;
}

static int loaded(struct fg_trace_stream *stream, bool *ret_render)
{
    struct answer *answer = answer_of(stream);
    fg_jaeger_encoder_init(&answer->encoder, &answer->json, &stream->arena);
    return fg_trace_stream_visit(stream, ret_render);
}

static int render(struct fg_trace_stream *stream, bool *ret_done)
{
    struct fg_jaeger_encoder *encoder = &answer_of(stream)->encoder;
    int r = fg_trace_stream_visit_some(stream, encoder->visitor, encoder, ret_done);
    return r == 0 && *ret_done ? fg_jaeger_encoder_finish(encoder) : r;
}

static int missing(struct fg_trace_stream *stream)
{
    struct answer *answer = answer_of(stream);
    struct missing *missing = fg_arena_calloc(&stream->page_arena, 1, sizeof *missing);
    if (!missing)
        return FG_ELIMIT;
    missing->trace_id_high = stream->key.trace_id_high;
    missing->trace_id_low = stream->key.trace_id_low;
    *answer->missing_end = missing;
    answer->missing_end = &missing->next;
    return 0;
}

static void write_missing(struct fg_json_writer *json, const struct missing *missing)
{
    char id[FG_TRACE_ID_TEXT_SIZE];
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "msg");
    fg_json_string(json, FG_SLICE("trace not found"));
    FG_JSON_KEY(json, "traceID");
    fg_json_string(json, fg_trace_id_format(missing->trace_id_high, missing->trace_id_low, id));
    fg_json_object_end(json);
}

/* A search that ended early says so among the errors, which Jaeger's UI shows above the list. */
static void write_partial(struct fg_json_writer *json, const struct fg_trace_stream *stream)
{
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "msg");
    fg_json_string(json, stream->cut == FG_ETIMEOUT
                             ? FG_SLICE("the search took too long; there may be more traces: ask "
                                        "for a shorter time")
                         : stream->cut == FG_ELIMIT
                             ? FG_SLICE("the search read as much as one may; there may be more "
                                        "traces: ask for a shorter time")
                         : stream->partial
                             ? FG_SLICE("a part of the store is damaged; spans may be missing")
                             : FG_SLICE("a trace has more spans than one answer may have; the "
                                        "others are missing"));
    fg_json_object_end(json);
}

static int end(struct fg_trace_stream *stream)
{
    static const char *const zeroes[] = {"total", "limit", "offset"};
    struct answer *answer = answer_of(stream);
    struct fg_json_writer *json = &answer->json;
    fg_json_array_end(json);
    for (size_t i = 0; i < sizeof zeroes / sizeof *zeroes; i++) {
        fg_json_key(json, fg_slice_from_string(zeroes[i]));
        fg_json_uint(json, 0);
    }
    bool is_partial = stream->partial || stream->was_truncated;
    FG_JSON_KEY(json, "errors");
    if (answer->missing || is_partial) {
        fg_json_array_begin(json);
        for (const struct missing *at = answer->missing; at; at = at->next)
            write_missing(json, at);
        if (is_partial)
            write_partial(json, stream);
        fg_json_array_end(json);
    } else {
        fg_json_null(json);
    }
    fg_json_object_end(json);
    return stream->text.error;
}

static const struct fg_trace_stream_ops trace_ops = {
    .verb = "read the trace",
    .begin = begin,
    .loaded = loaded,
    .render = render,
    .missing = missing,
    .end = end,
};

static const struct fg_trace_stream_ops search_ops = {
    .verb = "search traces",
    .begin = begin,
    .loaded = loaded,
    .render = render,
    .missing = missing,
    .end = end,
};

void fg_handle_jaeger_trace(struct fg_exchange *exchange)
{
    struct fg_trace_key key = {0};
    if (fg_trace_id_parse(exchange->param, &key.trace_id_high, &key.trace_id_low) < 0) {
        fg_answer_invalid(exchange, "a trace id is 16 or 32 hexadecimal digits, not all zero");
        return;
    }
    struct fg_trace_stream *stream =
        fg_trace_stream_new(exchange, &trace_ops, sizeof(struct answer));
    if (!stream)
        return;
    stream->key = key;
    fg_trace_stream_start_take(stream);
}

void fg_handle_jaeger_search(struct fg_exchange *exchange)
{
    struct fg_trace_stream *stream =
        fg_trace_stream_new(exchange, &search_ops, sizeof(struct answer));
    if (!stream)
        return;
    if (fg_jaeger_search_params(stream))
        fg_trace_stream_start_take(stream);
    else
        fg_trace_stream_abandon(stream);
}
