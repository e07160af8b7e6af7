#include "jaeger_v3_params.h"

#include "base/limits.h"
#include "base/units.h"
#include "conditions.h"
#include "jaeger_params.h"
#include "jaeger_v3_filter.h"
#include "state.h"

#include <jansson.h>

#define LIMIT_DEFAULT  100u
#define SHOWN_SIZE_MAX 100

struct fg_slice fg_jaeger_v3_param(struct fg_exchange *exchange, const char *name,
                                   const char *older, const char **ret_name)
{
    struct fg_slice text = fg_exchange_param(exchange, name);
    *ret_name = name;
    if (text.size == 0) {
        text = fg_exchange_param(exchange, older);
        *ret_name = text.size ? older : name;
    }
    return text;
}

static void answer_malformed(struct fg_exchange *exchange, const char *name, struct fg_slice text,
                             const char *expected)
{
    fg_answer_invalid(exchange, "malformed parameter %s: '%.*s' is %s", name,
                      (int)(text.size > SHOWN_SIZE_MAX ? SHOWN_SIZE_MAX : text.size),
                      (const char *)text.data, expected);
}

bool fg_jaeger_v3_time_param(struct fg_exchange *exchange, const char *name, const char *older,
                             uint64_t *ns)
{
    struct fg_slice text = fg_jaeger_v3_param(exchange, name, older, &name);
    if (text.size == 0)
        return true;
    if (memchr(text.data, 'T', text.size) && fg_time_parse(text, ns) == 0)
        return true;
    answer_malformed(exchange, name, text, "no time like 2026-11-24T14:00:00.5Z");
    return false;
}

bool fg_jaeger_v3_raw_param(struct fg_exchange *exchange, const char *name, const char *older)
{
    /* What Go's strconv.ParseBool() takes. */
    static const char *const words[] = {"1", "t", "T", "TRUE",  "true",  "True",
                                        "0", "f", "F", "FALSE", "false", "False"};
    struct fg_slice text = fg_jaeger_v3_param(exchange, name, older, &name);
    bool ok = text.size == 0;
    for (size_t i = 0; !ok && i < sizeof words / sizeof *words; i++)
        ok = fg_slice_equal(text, fg_slice_from_string(words[i]));
    if (!ok)
        answer_malformed(exchange, name, text, "neither true nor false");
    return ok;
}

/* -- A search */

static bool out_of_memory(struct fg_trace_stream *stream)
{
    fg_answer_error(stream->exchange, FG_ENOMEM, stream->ops->verb);
    return false;
}

static bool read_times(struct fg_trace_stream *stream)
{
    struct fg_search *search = &stream->search;
    if (!fg_jaeger_v3_time_param(stream->exchange, "query.startTimeMin", "query.start_time_min",
                                 &search->start_ns_min) ||
        !fg_jaeger_v3_time_param(stream->exchange, "query.startTimeMax", "query.start_time_max",
                                 &search->start_ns_max))
        return false;
    if (search->start_ns_min == 0 || search->start_ns_max == 0)
        fg_answer_invalid(stream->exchange,
                          "query.startTimeMin and query.startTimeMax are required");
    else if (search->start_ns_min >= search->start_ns_max)
        fg_answer_invalid(stream->exchange, "query.startTimeMax must be after query.startTimeMin");
    else
        return true;
    return false;
}

static bool read_depth(struct fg_trace_stream *stream)
{
    const char *name;
    struct fg_slice text =
        fg_jaeger_v3_param(stream->exchange, "query.searchDepth", "query.search_depth", &name);
    uint64_t depth = 0;
    if (text.size == 0)
        text = fg_jaeger_v3_param(stream->exchange, "query.num_traces", "query.pagination.pageSize",
                                  &name);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || depth > UINT32_MAX) {
            answer_malformed(stream->exchange, name, text, "no whole number");
            return false;
        }
        depth = depth * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (depth == 0)
        depth = LIMIT_DEFAULT;
    stream->wanted = depth > FG_SEARCH_COUNT_MAX ? FG_SEARCH_COUNT_MAX : (uint32_t)depth;
    return true;
}

static bool read_duration(struct fg_trace_stream *stream, const char *name, const char *older,
                          enum fg_predicate_op op)
{
    struct fg_slice text = fg_jaeger_v3_param(stream->exchange, name, older, &name);
    uint64_t ns = 0;
    if (text.size == 0)
        return true;
    if (fg_go_duration_parse(text, &ns) < 0) {
        answer_malformed(stream->exchange, name, text, "no duration like 1.2s, 100ms or 500us");
        return false;
    }
    return ns == 0 || fg_condition_add_duration(stream, op, ns) || out_of_memory(stream);
}

static bool add_attribute(struct fg_trace_stream *stream, const char *key, const json_t *value)
{
    struct fg_arena *arena = &stream->query_arena;
    struct fg_slice name = fg_arena_copy(arena, fg_slice_from_string(key));
    struct fg_slice text =
        fg_arena_copy(arena, fg_slice(json_string_value(value), json_string_length(value)));
    return (!arena->overflow && fg_condition_add_tag(stream, name, text)) || out_of_memory(stream);
}

/* {"http.status_code": "200"} */
static bool read_attributes(struct fg_trace_stream *stream)
{
    struct fg_slice text = fg_exchange_param(stream->exchange, "query.attributes");
    json_error_t error;
    if (text.size == 0)
        return true;
    json_t *root = json_loadb((const char *)text.data, text.size, 0, &error), *value;
    const char *key;
    bool ok = json_is_object(root);
    json_object_foreach(root, key, value) ok = ok && json_is_string(value);
    if (!ok)
        answer_malformed(stream->exchange, "query.attributes", text,
                         "no JSON object of texts like {\"http.status_code\":\"200\"}");
    if (ok)
        json_object_foreach(root, key, value) ok = ok && add_attribute(stream, key, value);
    json_decref(root);
    return ok;
}

/* Without it other traces would come than were asked for. */
static bool refuse_unsupported(struct fg_exchange *exchange)
{
    if (fg_exchange_param(exchange, "query.pagination.pageToken").size == 0)
        return true;
    fg_answer_invalid(exchange, "query.pagination.pageToken is not supported here, nor by Jaeger's "
                                "API of today; /api/v1/traces has pages");
    return false;
}

bool fg_jaeger_v3_search_params(struct fg_trace_stream *stream)
{
    struct fg_exchange *exchange = stream->exchange;
    const char *name;
    struct fg_slice service =
        fg_jaeger_v3_param(exchange, "query.serviceName", "query.service_name", &name);
    struct fg_slice operation =
        fg_jaeger_v3_param(exchange, "query.operationName", "query.operation_name", &name);
    if (operation.size == 0) /* what its UI sends */
        operation = fg_jaeger_v3_param(exchange, "query.spanName", "query.span_name", &name);
    stream->is_search = true;
    if (!refuse_unsupported(exchange) || !read_times(stream) || !read_depth(stream) ||
        !fg_jaeger_v3_raw_param(exchange, "query.rawTraces", "query.raw_traces") ||
        !read_duration(stream, "query.durationMin", "query.duration_min", FG_PRED_GE) ||
        !read_duration(stream, "query.durationMax", "query.duration_max", FG_PRED_LE) ||
        !read_attributes(stream))
        return false;
    if (!fg_condition_add_text(stream, FG_FIELD_SERVICE, service) ||
        !fg_condition_add_text(stream, FG_FIELD_NAME, operation) ||
        exchange->request->arena->overflow)
        return out_of_memory(stream);
    return fg_jaeger_v3_filter_param(stream) && fg_condition_plan(stream);
}
