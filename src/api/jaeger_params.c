#include "jaeger_params.h"

#include "base/limits.h"
#include "conditions.h"
#include "net/url.h"
#include "state.h"

#include <jansson.h>

#define LIMIT_DEFAULT  100u
#define LOOKBACK_NS    (2 * FG_NS_PER_DAY)
#define TRACE_IDS_MAX  1000u
#define NS_PER_US      UINT64_C(1000)
#define SHOWN_SIZE_MAX 100

void fg_jaeger_answer_unparsed(struct fg_exchange *exchange, const char *name, struct fg_slice text,
                               const char *why)
{
    fg_answer_invalid(exchange, "unable to parse param '%s': '%.*s' %s", name,
                      (int)(text.size > SHOWN_SIZE_MAX ? SHOWN_SIZE_MAX : text.size),
                      (const char *)text.data, why);
}

/* -- Numbers
 * ---------------------------------------------------------------------------------------
 */

static bool parse_integer(struct fg_slice text, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value))
            return false;
    }
    *ret_value = value;
    return text.size > 0;
}

bool fg_jaeger_integer_param(struct fg_exchange *exchange, const char *name, uint64_t unit_ns,
                             uint64_t *ns)
{
    struct fg_slice text = fg_exchange_param(exchange, name);
    uint64_t value;
    if (text.size == 0)
        return true;
    if (!parse_integer(text, &value) || __builtin_mul_overflow(value, unit_ns, &value)) {
        fg_jaeger_answer_unparsed(exchange, name, text, "is no such integer");
        return false;
    }
    *ns = value;
    return true;
}

bool fg_jaeger_window_params(struct fg_exchange *exchange, uint64_t lookback_ns,
                             uint64_t *ret_start_ns_min, uint64_t *ret_start_ns_max)
{
    uint64_t end_ns = fg_env_wall_ns(exchange->api->env);
    if (!fg_jaeger_integer_param(exchange, "endTs", FG_NS_PER_MS, &end_ns) ||
        !fg_jaeger_integer_param(exchange, "lookback", FG_NS_PER_MS, &lookback_ns))
        return false;
    *ret_start_ns_min = lookback_ns < end_ns ? end_ns - lookback_ns : 0;
    *ret_start_ns_max = end_ns;
    return true;
}

/* The units of Go's time.ParseDuration(). */
static uint64_t duration_unit(struct fg_slice text, size_t *ret_size)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {
        {"ns", 1},
        {"us", NS_PER_US},
        {"\xc2\xb5s", NS_PER_US},
        {"\xce\xbcs", NS_PER_US},
        {"ms", FG_NS_PER_MS},
        {"s", FG_NS_PER_SECOND},
        {"m", FG_NS_PER_MINUTE},
        {"h", 60 * FG_NS_PER_MINUTE},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        *ret_size = strlen(units[i].name);
        if (fg_slice_starts_with(text, fg_slice(units[i].name, *ret_size)))
            return units[i].ns;
    }
    return 0;
}

static bool is_digit(struct fg_slice text, size_t at)
{
    return at < text.size && text.data[at] >= '0' && text.data[at] <= '9';
}

/* One number with its unit: digits, perhaps a point and digits, unit. */
static int parse_part(struct fg_slice text, size_t *at, uint64_t *ret_ns)
{
    size_t begin = *at, unit_size, digits = 0;
    uint64_t whole = 0, fraction = 0, scale = 1;
    for (; is_digit(text, *at); ++*at, digits++)
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(text.data[*at] - '0'), &whole))
            return FG_ELIMIT;
    if (*at < text.size && text.data[*at] == '.')
        for (++*at; is_digit(text, *at); ++*at, digits++) {
            if (scale >= FG_NS_PER_SECOND)
                continue; /* beyond what a nanosecond shows */
            fraction = fraction * 10 + (uint64_t)(text.data[*at] - '0');
            scale *= 10;
        }
    if (digits == 0 || *at == begin)
        return FG_EINVALID;
    uint64_t unit = duration_unit(fg_slice(text.data + *at, text.size - *at), &unit_size);
    if (unit == 0)
        return FG_EINVALID;
    *at += unit_size;
    if (__builtin_mul_overflow(whole, unit, &whole))
        return FG_ELIMIT;
    uint64_t part = (uint64_t)((double)fraction * (double)unit / (double)scale);
    return __builtin_add_overflow(whole, part, ret_ns) ? FG_ELIMIT : 0;
}

int fg_go_duration_parse(struct fg_slice text, uint64_t *ret_ns)
{
    uint64_t sum = 0;
    if (fg_slice_equal(text, FG_SLICE("0"))) {
        *ret_ns = 0;
        return 0;
    }
    if (text.size == 0)
        return FG_EINVALID;
    for (size_t at = 0; at < text.size;) {
        uint64_t part;
        int r = parse_part(text, &at, &part);
        if (r < 0)
            return r;
        if (__builtin_add_overflow(sum, part, &sum))
            return FG_ELIMIT;
    }
    *ret_ns = sum;
    return 0;
}

/* -- Parameters
 * ------------------------------------------------------------------------------------
 */

static bool out_of_memory(struct fg_trace_stream *stream)
{
    fg_answer_error(stream->exchange, FG_ENOMEM, stream->ops->verb);
    return false;
}

static bool read_tag(struct fg_trace_stream *stream, struct fg_slice text)
{
    const uint8_t *colon = text.size ? memchr(text.data, ':', text.size) : NULL;
    if (!colon) {
        fg_answer_invalid(stream->exchange,
                          "malformed 'tag' parameter, expecting key:value, received: %.*s",
                          (int)(text.size > SHOWN_SIZE_MAX ? SHOWN_SIZE_MAX : text.size),
                          (const char *)text.data);
        return false;
    }
    size_t key_size = (size_t)(colon - text.data);
    return fg_condition_add_tag(stream, fg_slice(text.data, key_size),
                                fg_slice(colon + 1, text.size - key_size - 1)) ||
           out_of_memory(stream);
}

static bool read_tags_object(struct fg_trace_stream *stream, const json_t *root)
{
    void *at = json_object_iter((json_t *)(uintptr_t)root);
    for (; at; at = json_object_iter_next((json_t *)(uintptr_t)root, at)) {
        const json_t *value = json_object_iter_value(at);
        if (!json_is_string(value)) {
            fg_answer_invalid(stream->exchange,
                              "malformed 'tags' parameter, cannot unmarshal JSON: the value of "
                              "'%.60s' is no string",
                              json_object_iter_key(at));
            return false;
        }
        struct fg_slice key =
            fg_arena_copy(&stream->query_arena, fg_slice_from_string(json_object_iter_key(at)));
        struct fg_slice text = fg_arena_copy(
            &stream->query_arena, fg_slice(json_string_value(value), json_string_length(value)));
        if (stream->query_arena.overflow || !fg_condition_add_tag(stream, key, text))
            return out_of_memory(stream);
    }
    return true;
}

static bool read_tags(struct fg_trace_stream *stream, struct fg_slice text)
{
    json_error_t error;
    json_t *root = json_loadb((const char *)text.data, text.size, 0, &error);
    if (!json_is_object(root)) {
        fg_answer_invalid(stream->exchange, "malformed 'tags' parameter, cannot unmarshal JSON: %s",
                          root ? "it is no object" : error.text);
        json_decref(root);
        return false;
    }
    bool ok = read_tags_object(stream, root);
    json_decref(root);
    return ok;
}

static bool read_trace_id(struct fg_trace_stream *stream, struct fg_slice text)
{
    struct fg_trace_key key = {0};
    if (fg_trace_id_parse(text, &key.trace_id_high, &key.trace_id_low) < 0) {
        fg_answer_invalid(stream->exchange, "cannot parse traceID param: '%.*s' is no trace id",
                          (int)(text.size > SHOWN_SIZE_MAX ? SHOWN_SIZE_MAX : text.size),
                          (const char *)text.data);
        return false;
    }
    if (!stream->is_list) {
        stream->is_list = true;
        stream->page.keys =
            fg_arena_calloc(&stream->page_arena, TRACE_IDS_MAX, sizeof *stream->page.keys);
    }
    if (!stream->page.keys)
        return out_of_memory(stream);
    if (stream->page.count == TRACE_IDS_MAX) {
        fg_answer_invalid(stream->exchange, "more than %u traceID parameters", TRACE_IDS_MAX);
        return false;
    }
    stream->page.keys[stream->page.count++] = key;
    return true;
}

/* Those that may stand several times. */
static bool read_repeated(struct fg_trace_stream *stream)
{
    struct fg_exchange *exchange = stream->exchange;
    struct fg_slice query = exchange->request->query;
    struct fg_url_param param;
    bool ok = true;
    while (ok && fg_url_next_param(&query, exchange->request->arena, &param)) {
        if (fg_slice_equal(param.name, FG_SLICE("tag")))
            ok = read_tag(stream, param.value);
        else if (fg_slice_equal(param.name, FG_SLICE("tags")))
            ok = read_tags(stream, param.value);
        else if (fg_slice_equal(param.name, FG_SLICE("traceID")))
            ok = read_trace_id(stream, param.value);
    }
    if (ok && exchange->request->arena->overflow)
        return out_of_memory(stream);
    return ok;
}

static bool read_duration(struct fg_trace_stream *stream, const char *name, enum fg_predicate_op op,
                          uint64_t *ret_ns)
{
    struct fg_slice text = fg_exchange_param(stream->exchange, name);
    if (text.size == 0)
        return true;
    if (fg_go_duration_parse(text, ret_ns) < 0 || *ret_ns > INT64_MAX) {
        fg_jaeger_answer_unparsed(stream->exchange, name, text,
                                  "is no duration like 1.2s, 100ms or 500us");
        return false;
    }
    if (*ret_ns == 0)
        return true;
    return fg_condition_add_duration(stream, op, *ret_ns) || out_of_memory(stream);
}

static bool read_durations(struct fg_trace_stream *stream)
{
    uint64_t min = 0, max = 0;
    if (!read_duration(stream, "minDuration", FG_PRED_GE, &min) ||
        !read_duration(stream, "maxDuration", FG_PRED_LE, &max))
        return false;
    if (min && max && max < min) {
        fg_answer_invalid(stream->exchange, "'maxDuration' should be greater than 'minDuration'");
        return false;
    }
    return true;
}

/* Negative limits and those that are too large are no reason to refuse in Jaeger; here the answer
 * is bounded by FG_SEARCH_COUNT_MAX. */
static bool read_limit(struct fg_trace_stream *stream)
{
    struct fg_slice text = fg_exchange_param(stream->exchange, "limit");
    uint64_t limit = LIMIT_DEFAULT;
    if (text.size && !parse_integer(text, &limit)) {
        fg_jaeger_answer_unparsed(stream->exchange, "limit", text, "is no whole number");
        return false;
    }
    if (limit == 0)
        limit = LIMIT_DEFAULT;
    stream->wanted = limit > FG_SEARCH_COUNT_MAX ? FG_SEARCH_COUNT_MAX : (uint32_t)limit;
    return true;
}

static bool read_times(struct fg_trace_stream *stream)
{
    struct fg_exchange *exchange = stream->exchange;
    uint64_t now_ns = fg_env_wall_ns(exchange->api->env);
    struct fg_search *search = &stream->search;
    search->start_ns_min = now_ns > LOOKBACK_NS ? now_ns - LOOKBACK_NS : 0;
    search->start_ns_max = now_ns;
    return fg_jaeger_integer_param(exchange, "start", NS_PER_US, &search->start_ns_min) &&
           fg_jaeger_integer_param(exchange, "end", NS_PER_US, &search->start_ns_max);
}

bool fg_jaeger_search_params(struct fg_trace_stream *stream)
{
    struct fg_exchange *exchange = stream->exchange;
    struct fg_slice service = fg_exchange_param(exchange, "service");
    stream->is_search = true;
    if (!fg_condition_add_text(stream, FG_FIELD_SERVICE, service) ||
        !fg_condition_add_text(stream, FG_FIELD_NAME, fg_exchange_param(exchange, "operation")))
        return out_of_memory(stream);
    if (!read_times(stream) || !read_repeated(stream) || !read_limit(stream) ||
        !read_durations(stream))
        return false;
    if (stream->is_list)
        return true;
    if (service.size == 0) {
        fg_answer_invalid(exchange, "parameter 'service' is required");
        return false;
    }
    return fg_condition_plan(stream);
}
