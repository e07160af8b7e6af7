/* Zipkin's read API for traces (openzipkin/zipkin: ZipkinQueryApiV2, QueryRequest):
 * /api/v2/trace/{id}, /api/v2/traces, /api/v2/traceMany. Times are milliseconds since 1970,
 * durations microseconds; parameters that are not known are ignored, refusals are plain text, as
 * there. */
#include "base/limits.h"
#include "conditions.h"
#include "handlers.h"
#include "state.h"
#include "wire/zipkin_encode.h"
#include "zipkin_params.h"

#define LIMIT_DEFAULT 10u
#define LOOKBACK_NS   FG_NS_PER_DAY
#define TRACE_IDS_MAX 1000u
#define NS_PER_US     UINT64_C(1000)

/* -- Answers: an array of spans, or an array of such arrays */

struct answer {
    struct fg_json_writer json;
    struct fg_zipkin_encoder encoder; /* of the trace that is rendered */
};

static struct answer *answer_of(struct fg_trace_stream *stream)
{
    return (struct answer *)stream->state;
}

static int begin_one(struct fg_trace_stream *stream)
{
    answer_of(stream)->json = fg_json_writer(&stream->text);
    return 0;
}

static int begin_list(struct fg_trace_stream *stream)
{
    begin_one(stream);
    fg_json_array_begin(&answer_of(stream)->json);
    return stream->text.error;
}

static int loaded(struct fg_trace_stream *stream, bool *ret_render)
{
    struct answer *answer = answer_of(stream);
    fg_zipkin_encoder_init(&answer->encoder, &answer->json, &stream->arena);
    return fg_trace_stream_visit(stream, ret_render);
}

static int render(struct fg_trace_stream *stream, bool *ret_done)
{
    struct fg_zipkin_encoder *encoder = &answer_of(stream)->encoder;
    int r = fg_trace_stream_visit_some(stream, encoder->visitor, encoder, ret_done);
    return r == 0 && *ret_done ? fg_zipkin_encoder_finish(encoder) : r;
}

static int missing(struct fg_trace_stream *stream)
{
    (void)stream; /* those that are there come */
    return 0;
}

static int end_one(struct fg_trace_stream *stream)
{
    return stream->text.error;
}

static int end_list(struct fg_trace_stream *stream)
{
    fg_json_array_end(&answer_of(stream)->json);
    return stream->text.error;
}

static const struct fg_trace_stream_ops trace_ops = {
    .verb = "read the trace",
    .begin = begin_one,
    .loaded = loaded,
    .render = render,
    .end = end_one,
};

static const struct fg_trace_stream_ops list_ops = {
    .verb = "search traces",
    .begin = begin_list,
    .loaded = loaded,
    .render = render,
    .missing = missing,
    .end = end_list,
};

/* -- Conditions */

/* A word asks for an annotation or a tag, key=value for a tag. */
static bool add_word(struct fg_trace_stream *stream, struct fg_slice word)
{
    struct fg_alternatives alternatives = {.stream = stream};
    const uint8_t *equal = memchr(word.data, '=', word.size);
    struct fg_slice key = fg_slice(word.data, equal ? (size_t)(equal - word.data) : word.size);
    struct fg_slice value =
        equal ? fg_slice(equal + 1, word.size - key.size - 1) : fg_slice(NULL, 0);
    bool is_error = fg_slice_equal(key, FG_SLICE("error"));
    const struct fg_predicate error = {.op = FG_PRED_EQ,
                                       .field = FG_FIELD_STATUS,
                                       .type = FG_VALUE_INT,
                                       .integer = FG_STATUS_ERROR};
    const struct fg_predicate message = {.op = FG_PRED_EQ,
                                         .field = FG_FIELD_STATUS_MESSAGE,
                                         .type = FG_VALUE_STRING,
                                         .string = value};
    if (equal) {
        fg_alternatives_offer_tag(&alternatives, key, value);
        if (is_error)
            fg_alternatives_offer(&alternatives, &message);
        return fg_alternatives_add(&alternatives);
    }
    fg_alternatives_offer(&alternatives, &(struct fg_predicate){.op = FG_PRED_EQ,
                                                                .field = FG_FIELD_EVENT_NAME,
                                                                .type = FG_VALUE_STRING,
                                                                .string = word});
    fg_alternatives_offer(
        &alternatives,
        &(struct fg_predicate){.op = FG_PRED_EXISTS, .field = FG_FIELD_ATTR_ANY, .key = word});
    if (is_error)
        fg_alternatives_offer(&alternatives, &error);
    return fg_alternatives_add(&alternatives);
}

/* "http.method=GET and error" */
static bool add_annotations(struct fg_trace_stream *stream, struct fg_slice query)
{
    struct fg_slice separator = FG_SLICE(" and ");
    while (query.size > 0) {
        const uint8_t *at = memmem(query.data, query.size, separator.data, separator.size);
        size_t size = at ? (size_t)(at - query.data) : query.size;
        size_t skip = at ? size + separator.size : size;
        struct fg_slice word = fg_zipkin_trim(fg_slice(query.data, size));
        if (word.size && word.data[0] != '=' && !add_word(stream, word))
            return false;
        query = fg_slice(query.data + skip, query.size - skip);
    }
    return true;
}

static bool read_durations(struct fg_trace_stream *stream)
{
    uint64_t min_ns = 0, max_ns = 0;
    if (!fg_zipkin_time_param(stream->exchange, "minDuration", NS_PER_US, &min_ns) ||
        !fg_zipkin_time_param(stream->exchange, "maxDuration", NS_PER_US, &max_ns))
        return false;
    if (max_ns && !min_ns) {
        fg_answer_invalid(stream->exchange, "maxDuration is only valid with minDuration");
        return false;
    }
    if (max_ns && max_ns < min_ns) {
        fg_answer_invalid(stream->exchange, "maxDuration < minDuration");
        return false;
    }
    /* A duration of 5.9 µs is one of 5 there. */
    bool ok = (!min_ns || fg_condition_add_duration(stream, FG_PRED_GE, min_ns)) &&
              (!max_ns || fg_condition_add_duration(stream, FG_PRED_LT, max_ns + NS_PER_US));
    if (!ok)
        fg_answer_error(stream->exchange, FG_ENOMEM, stream->ops->verb);
    return ok;
}

static bool read_limit(struct fg_trace_stream *stream)
{
    uint64_t limit = LIMIT_DEFAULT;
    if (!fg_zipkin_time_param(stream->exchange, "limit", 1, &limit))
        return false;
    if (limit == 0) {
        fg_answer_invalid(stream->exchange, "limit <= 0");
        return false;
    }
    stream->wanted = limit > FG_SEARCH_COUNT_MAX ? FG_SEARCH_COUNT_MAX : (uint32_t)limit;
    return true;
}

static bool read_texts(struct fg_trace_stream *stream)
{
    struct fg_exchange *exchange = stream->exchange;
    struct fg_slice service = fg_exchange_param(exchange, "serviceName");
    struct fg_slice name = fg_exchange_param(exchange, "spanName");
    struct fg_slice remote = fg_exchange_param(exchange, "remoteServiceName");
    if (fg_slice_equal(name, FG_SLICE("all"))) /* what older pages send for any */
        name = fg_slice(NULL, 0);
    if (fg_slice_equal(service, FG_SLICE("all")))
        service = fg_slice(NULL, 0);
    bool ok = fg_condition_add_text(stream, FG_FIELD_SERVICE, service) &&
              fg_condition_add_text(stream, FG_FIELD_NAME, name) &&
              (remote.size == 0 ||
               fg_condition_add(stream, &(struct fg_predicate){.op = FG_PRED_EQ,
                                                               .field = FG_FIELD_ATTR_SPAN,
                                                               .key = FG_SLICE("peer.service"),
                                                               .type = FG_VALUE_STRING,
                                                               .string = remote})) &&
              add_annotations(stream, fg_exchange_param(exchange, "annotationQuery"));
    if (ok && exchange->request->arena->overflow)
        ok = false;
    if (!ok)
        fg_answer_error(exchange, FG_ENOMEM, stream->ops->verb);
    return ok;
}

void fg_handle_zipkin_traces(struct fg_exchange *exchange)
{
    struct fg_trace_stream *stream =
        fg_trace_stream_new(exchange, &list_ops, sizeof(struct answer));
    if (!stream)
        return;
    stream->is_search = true;
    if (fg_zipkin_window_params(exchange, false, LOOKBACK_NS, &stream->search.start_ns_min,
                                &stream->search.start_ns_max) &&
        read_limit(stream) && read_durations(stream) && read_texts(stream) &&
        fg_condition_plan(stream))
        fg_trace_stream_start_take(stream);
    else
        fg_trace_stream_abandon(stream);
}

/* -- By id */

static bool read_id(struct fg_exchange *exchange, struct fg_slice text, struct fg_trace_key *key)
{
    if (fg_trace_id_parse(text, &key->trace_id_high, &key->trace_id_low) == 0)
        return true;
    fg_answer_invalid(exchange,
                      "%.*s should be a 1 to 32 character lower-hex string with no prefix",
                      (int)(text.size > 60 ? 60 : text.size), (const char *)text.data);
    return false;
}

void fg_handle_zipkin_trace(struct fg_exchange *exchange)
{
    struct fg_trace_key key = {0};
    if (!read_id(exchange, exchange->param, &key))
        return;
    struct fg_trace_stream *stream =
        fg_trace_stream_new(exchange, &trace_ops, sizeof(struct answer));
    if (!stream)
        return;
    stream->key = key;
    fg_trace_stream_start_take(stream);
}

/* traceIds: some of them with commas between. */
static bool read_ids(struct fg_trace_stream *stream)
{
    struct fg_exchange *exchange = stream->exchange;
    struct fg_slice text = fg_exchange_param(exchange, "traceIds");
    stream->page.keys =
        fg_arena_calloc(&stream->page_arena, TRACE_IDS_MAX, sizeof *stream->page.keys);
    if (!stream->page.keys) {
        fg_answer_error(exchange, FG_ENOMEM, stream->ops->verb);
        return false;
    }
    while (text.size > 0) {
        const uint8_t *comma = memchr(text.data, ',', text.size);
        size_t size = comma ? (size_t)(comma - text.data) : text.size;
        struct fg_slice id = fg_zipkin_trim(fg_slice(text.data, size));
        if (stream->page.count == TRACE_IDS_MAX) {
            fg_answer_invalid(exchange, "more than %u trace ids", TRACE_IDS_MAX);
            return false;
        }
        if (!read_id(exchange, id, &stream->page.keys[stream->page.count]))
            return false;
        stream->page.count++;
        size += comma != NULL;
        text = fg_slice(text.data + size, text.size - size);
    }
    if (stream->page.count == 0)
        fg_answer_invalid(exchange, "traceIds parameter is empty");
    return stream->page.count > 0;
}

void fg_handle_zipkin_trace_many(struct fg_exchange *exchange)
{
    struct fg_trace_stream *stream =
        fg_trace_stream_new(exchange, &list_ops, sizeof(struct answer));
    if (!stream)
        return;
    stream->is_search = stream->is_list = true;
    if (read_ids(stream))
        fg_trace_stream_start_take(stream);
    else
        fg_trace_stream_abandon(stream);
}
