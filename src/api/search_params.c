#include "search_params.h"

#include "base/limits.h"
#include "base/units.h"
#include "net/url.h"
#include "state.h"

#include <stdio.h>

#define NAMES_SIZE_MAX ((size_t)400)

static const char *const search_names[] = {"q",     "service", "name",    "start",  "end",
                                           "limit", "cursor",  "timeout", "budget", "explain"};

bool fg_moment_param(struct fg_exchange *exchange, const char *name, uint64_t *ns)
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

bool fg_params_known(struct fg_exchange *exchange, const char *const *names, size_t name_count)
{
    struct fg_slice query = exchange->request->query;
    struct fg_url_param param;
    while (fg_url_next_param(&query, exchange->request->arena, &param)) {
        size_t i = 0;
        while (i < name_count && !fg_slice_equal(param.name, fg_slice_from_string(names[i])))
            i++;
        if (i < name_count || fg_slice_equal(param.name, FG_SLICE("tenant")))
            continue;
        struct fg_buffer list;
        fg_buffer_init(&list, NAMES_SIZE_MAX);
        for (i = 0; i < name_count; i++)
            fg_buffer_append_format(&list, "%s%s", i ? ", " : "", names[i]);
        if (name_count == 0)
            fg_buffer_append_string(&list, "none");
        fg_answer_invalid(exchange, "there is no parameter '%.*s' here; there are %.*s",
                          (int)(param.name.size > 60 ? 60 : param.name.size),
                          (const char *)param.name.data, (int)list.size, (const char *)list.data);
        fg_buffer_free(&list);
        return false;
    }
    return true;
}

bool fg_time_params(struct fg_exchange *exchange, uint64_t *ret_start_ns_min,
                    uint64_t *ret_start_ns_max)
{
    uint64_t min = 0, max = UINT64_MAX;
    if (!fg_moment_param(exchange, "start", &min) || !fg_moment_param(exchange, "end", &max))
        return false;
    if (min >= max) {
        fg_answer_invalid(exchange, "end must come after start");
        return false;
    }
    *ret_start_ns_min = min;
    *ret_start_ns_max = max;
    return true;
}

bool fg_window_params(struct fg_exchange *exchange, uint64_t lookback_ns, uint64_t *start_ns,
                      uint64_t *end_ns)
{
    if (*end_ns == UINT64_MAX)
        *end_ns = fg_env_wall_ns(exchange->api->env);
    if (*start_ns == 0)
        *start_ns = *end_ns > lookback_ns ? *end_ns - lookback_ns : 0;
    if (*start_ns < *end_ns)
        return true;
    fg_answer_invalid(exchange, "end must come after start");
    return false;
}

bool fg_count_param(struct fg_exchange *exchange, const char *name, uint32_t max, uint32_t *count)
{
    struct fg_slice text = fg_exchange_param(exchange, name);
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        bool is_digit = text.data[i] >= '0' && text.data[i] <= '9';
        if (!is_digit || value > max) {
            value = 0;
            break;
        }
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (text.size && (value == 0 || value > max)) {
        fg_answer_invalid(exchange, "%s: expected a whole number from 1 to %u", name, max);
        return false;
    }
    if (text.size)
        *count = (uint32_t)value;
    return true;
}

bool fg_limit_param(struct fg_exchange *exchange, uint32_t limit_default, uint32_t *ret_limit)
{
    *ret_limit = limit_default;
    return fg_count_param(exchange, "limit", FG_SEARCH_COUNT_MAX, ret_limit);
}

/* One condition more: a field that equals a parameter's value. */
static bool add_equal(struct fg_trace_stream *stream, enum fg_field field, struct fg_slice text)
{
    struct fg_arena *arena = &stream->query_arena;
    if (text.size == 0)
        return true;
    struct fg_query *condition = fg_arena_calloc(arena, 1, sizeof *condition);
    if (!condition)
        return false;
    condition->op = FG_QUERY_SPAN;
    condition->span = (struct fg_predicate){
        .op = FG_PRED_EQ, .field = field, .type = FG_VALUE_STRING, .string = text};
    stream->query = fg_query_and(stream->query, condition, arena);
    return stream->query != NULL;
}

/* An arena that is full is the server's fault, anything else the writer's. */
static bool answer_unread(struct fg_exchange *exchange, const struct fg_arena *arena,
                          const char *verb, const char *where, const char *message)
{
    if (arena->overflow)
        fg_answer_error(exchange, FG_ENOMEM, verb);
    else
        fg_answer_invalid(exchange, "q: %s%s", where, message);
    return false;
}

/* The parameter q; *ret_query stays as it is where there is none. */
static bool read_query(struct fg_exchange *exchange, struct fg_arena *arena, const char *verb,
                       const struct fg_query **ret_query)
{
    struct fg_slice text = fg_exchange_param(exchange, "q");
    struct fg_query_error error;
    char where[40];
    if (text.size == 0 || fg_query_parse(text, arena, ret_query, &error) == 0)
        return true;
    exchange->error_at = error.offset + 1;
    snprintf(where, sizeof where, "at byte %zu: ", error.offset + 1);
    return answer_unread(exchange, arena, verb, where, error.message);
}

/* The conditions in force, and what of them the store looks for. */
static bool plan(struct fg_exchange *exchange, struct fg_arena *arena, const char *verb,
                 const struct fg_query *query, const struct fg_predicate **ret_predicate,
                 bool *ret_whole)
{
    const char *message = "the query makes no sense";
    *ret_whole = true;
    if (!query || fg_query_plan(query, arena, ret_predicate, ret_whole, &message) == 0)
        return true;
    return answer_unread(exchange, arena, verb, "", message);
}

bool fg_predicate_param(struct fg_exchange *exchange, struct fg_arena *arena,
                        const struct fg_predicate **ret_predicate, bool *ret_whole)
{
    static const char verb[] = "read the query";
    const struct fg_query *query = NULL;
    const struct fg_predicate *predicate = NULL;
    if (!read_query(exchange, arena, verb, &query) ||
        !plan(exchange, arena, verb, query, &predicate, ret_whole))
        return false;
    *ret_predicate = predicate;
    return true;
}

static bool bounds(struct fg_trace_stream *stream)
{
    struct fg_exchange *exchange = stream->exchange;
    struct fg_slice time = fg_exchange_param(exchange, "timeout");
    struct fg_slice budget = fg_exchange_param(exchange, "budget");
    uint64_t ns = FG_QUERY_TIME_NS, bytes = FG_QUERY_BYTES;
    if (time.size && (fg_duration_parse(time, &ns) < 0 || ns == 0 || ns > FG_QUERY_TIME_NS_MAX)) {
        fg_answer_invalid(exchange, "timeout: expected a duration like 5s, of at most %llus",
                          (unsigned long long)(FG_QUERY_TIME_NS_MAX / FG_NS_PER_SECOND));
        return false;
    }
    if (budget.size &&
        (fg_size_parse(budget, &bytes) < 0 || bytes == 0 || bytes > FG_QUERY_BYTES_MAX)) {
        fg_answer_invalid(exchange, "budget: expected bytes to read, like 2GiB, at most %lluGiB",
                          (unsigned long long)(FG_QUERY_BYTES_MAX >> 30));
        return false;
    }
    stream->search.deadline_mono_ns = fg_env_mono_ns(exchange->api->env) + ns;
    stream->search.bytes_max = bytes;
    return true;
}

bool fg_search_params(struct fg_trace_stream *stream, uint32_t limit_default)
{
    struct fg_exchange *exchange = stream->exchange;
    struct fg_search *search = &stream->search;
    bool is_jaeger = exchange->route->form == FG_FORM_JAEGER;
    if (!is_jaeger &&
        !fg_params_known(exchange, search_names, sizeof search_names / sizeof *search_names))
        return false;
    if (!fg_time_params(exchange, &search->start_ns_min, &search->start_ns_max) ||
        !fg_limit_param(exchange, limit_default, &stream->wanted) || !bounds(stream) ||
        !read_query(exchange, &stream->query_arena, stream->ops->verb, &stream->query))
        return false;
    struct fg_slice cursor = fg_exchange_param(exchange, "cursor");
    if (cursor.size && fg_trace_key_parse(cursor, &search->after) < 0) {
        fg_answer_invalid(exchange, "cursor: expected what the last page gave as `next`");
        return false;
    }
    struct fg_slice explain = fg_exchange_param(exchange, "explain");
    stream->explain = explain.data && !fg_slice_equal(explain, FG_SLICE("false")) &&
                      !fg_slice_equal(explain, FG_SLICE("0"));
    if (!add_equal(stream, FG_FIELD_SERVICE, fg_exchange_param(exchange, "service")) ||
        !add_equal(stream, FG_FIELD_NAME,
                   fg_exchange_param(exchange, is_jaeger ? "operation" : "name"))) {
        fg_answer_error(exchange, FG_ENOMEM, stream->ops->verb);
        return false;
    }
    stream->is_search = true;
    return plan(exchange, &stream->query_arena, stream->ops->verb, stream->query,
                &stream->search.predicate, &stream->is_whole);
}
