#include "search_params.h"

#include "base/units.h"
#include "net/url.h"

static bool moment(struct fg_exchange *exchange, const char *name, uint64_t *ns)
{
    struct fg_slice text = fg_exchange_param(exchange, name);
    if (text.size == 0 || fg_time_parse(text, ns) == 0)
        return true;
    fg_answer_invalid(
        exchange,
        "%s: '%.*s' is no moment; expected one like 2026-11-24T14:00:00Z, or seconds, "
        "milliseconds, microseconds or nanoseconds since 1970",
        name, (int)(text.size > 60 ? 60 : text.size), (const char *)text.data);
    return false;
}

bool fg_time_params(struct fg_exchange *exchange, uint64_t *ret_start_ns_min,
                    uint64_t *ret_start_ns_max)
{
    uint64_t min = 0, max = UINT64_MAX;
    if (!moment(exchange, "start", &min) || !moment(exchange, "end", &max))
        return false;
    if (min >= max) {
        fg_answer_invalid(exchange, "end must come after start");
        return false;
    }
    *ret_start_ns_min = min;
    *ret_start_ns_max = max;
    return true;
}

static bool limit(struct fg_exchange *exchange, uint32_t limit_default, uint32_t *ret_limit)
{
    struct fg_slice text = fg_exchange_param(exchange, "limit");
    uint32_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        bool is_digit = text.data[i] >= '0' && text.data[i] <= '9';
        if (!is_digit || value > FG_SEARCH_COUNT_MAX) {
            value = 0;
            break;
        }
        value = value * 10 + (uint32_t)(text.data[i] - '0');
    }
    if (text.size && (value == 0 || value > FG_SEARCH_COUNT_MAX)) {
        fg_answer_invalid(exchange, "limit: expected a whole number from 1 to %u",
                          FG_SEARCH_COUNT_MAX);
        return false;
    }
    *ret_limit = text.size ? value : limit_default;
    return true;
}

/* One condition more: a field that equals a parameter's value. */
static void add_equal(struct fg_trace_stream *stream, enum fg_field field, struct fg_slice text,
                      uint32_t *count)
{
    if (text.size == 0)
        return;
    struct fg_predicate *predicate = &stream->predicates[1 + *count];
    *predicate = (struct fg_predicate){
        .op = FG_PRED_EQ, .field = field, .type = FG_VALUE_STRING, .string = text};
    stream->children[(*count)++] = predicate;
}

bool fg_search_params(struct fg_trace_stream *stream, uint32_t limit_default)
{
    struct fg_exchange *exchange = stream->exchange;
    struct fg_search *search = &stream->search;
    if (!fg_time_params(exchange, &search->start_ns_min, &search->start_ns_max) ||
        !limit(exchange, limit_default, &stream->wanted))
        return false;
    struct fg_slice cursor = fg_exchange_param(exchange, "cursor");
    if (cursor.size && fg_trace_key_parse(cursor, &search->after) < 0) {
        fg_answer_invalid(exchange, "cursor: expected what the last page gave as `next`");
        return false;
    }
    uint32_t count = 0;
    bool is_jaeger = exchange->route->form == FG_FORM_JAEGER;
    add_equal(stream, FG_FIELD_SERVICE, fg_exchange_param(exchange, "service"), &count);
    add_equal(stream, FG_FIELD_NAME, fg_exchange_param(exchange, is_jaeger ? "operation" : "name"),
              &count);
    stream->predicates[0] = (struct fg_predicate){
        .op = FG_PRED_AND, .child_count = count, .children = stream->children};
    search->predicate = count == 0   ? NULL
                        : count == 1 ? stream->children[0]
                                     : &stream->predicates[0];
    stream->is_search = true;
    return true;
}
