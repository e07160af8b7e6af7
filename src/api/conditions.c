#include "conditions.h"

#include "base/limits.h"
#include "state.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define NUMBER_TEXT_SIZE 40

/* One more that must hold on the same span; NULL: memory ran out. */
static bool add(struct fg_trace_stream *stream, const struct fg_query *condition)
{
    stream->query = condition ? fg_query_and(stream->query, condition, &stream->query_arena) : NULL;
    return stream->query != NULL;
}

static const struct fg_query *on_span(struct fg_trace_stream *stream,
                                      const struct fg_predicate *predicate)
{
    struct fg_query *condition = fg_arena_calloc(&stream->query_arena, 1, sizeof *condition);
    if (!condition)
        return NULL;
    condition->op = FG_QUERY_SPAN;
    condition->span = *predicate;
    return condition;
}

void fg_alternatives_offer(struct fg_alternatives *alternatives,
                           const struct fg_predicate *predicate)
{
    const struct fg_query *child = on_span(alternatives->stream, predicate);
    alternatives->failed |= !child || alternatives->count == FG_ALTERNATIVES_MAX;
    if (!alternatives->failed)
        alternatives->children[alternatives->count++] = child;
}

bool fg_alternatives_add(struct fg_alternatives *alternatives)
{
    struct fg_arena *arena = &alternatives->stream->query_arena;
    struct fg_query *any = fg_arena_calloc(arena, 1, sizeof *any);
    const struct fg_query **children =
        fg_arena_calloc(arena, alternatives->count, sizeof(struct fg_query *));
    if (alternatives->failed || !any || !children)
        return false;
    memcpy(children, alternatives->children, alternatives->count * sizeof *children);
    *any = (struct fg_query){
        .op = FG_QUERY_OR, .child_count = alternatives->count, .children = children};
    return add(alternatives->stream, any);
}

/* Jaeger's tags have texts for values: a text finds the number and the boolean that read alike. */
static void offer_values(struct fg_alternatives *alternatives, struct fg_predicate predicate,
                         struct fg_slice value)
{
    char text[NUMBER_TEXT_SIZE], *end;
    predicate.op = FG_PRED_EQ;
    predicate.type = FG_VALUE_STRING;
    predicate.string = value;
    fg_alternatives_offer(alternatives, &predicate);
    bool is_true = fg_slice_equal(value, FG_SLICE("true"));
    if (is_true || fg_slice_equal(value, FG_SLICE("false"))) {
        predicate.type = FG_VALUE_BOOL;
        predicate.boolean = is_true;
        fg_alternatives_offer(alternatives, &predicate);
    }
    if (value.size == 0 || value.size >= sizeof text || value.data[0] <= ' ')
        return;
    memcpy(text, value.data, value.size);
    text[value.size] = 0;
    errno = 0;
    long long integer = strtoll(text, &end, 10);
    if (*end == 0 && errno == 0) {
        predicate.type = FG_VALUE_INT;
        predicate.integer = integer;
        fg_alternatives_offer(alternatives, &predicate);
        return;
    }
    double number = strtod(text, &end);
    if (*end == 0 && isfinite(number)) {
        predicate.type = FG_VALUE_DOUBLE;
        predicate.number = number;
        fg_alternatives_offer(alternatives, &predicate);
    }
}

static void offer_status(struct fg_alternatives *alternatives, enum fg_predicate_op op,
                         enum fg_status_code status)
{
    fg_alternatives_offer(alternatives, &(struct fg_predicate){.op = op,
                                                               .field = FG_FIELD_STATUS,
                                                               .type = FG_VALUE_INT,
                                                               .integer = status});
}

/* Tags that the translation to Jaeger's model makes of what is no attribute here. */
static void offer_translated(struct fg_alternatives *alternatives, struct fg_slice key,
                             struct fg_slice value)
{
    static const struct {
        const char *key;
        enum fg_field field;
    } texts[] = {
        {"otel.scope.name", FG_FIELD_SCOPE_NAME},
        {"otel.library.name", FG_FIELD_SCOPE_NAME},
        {"otel.scope.version", FG_FIELD_SCOPE_VERSION},
        {"otel.library.version", FG_FIELD_SCOPE_VERSION},
        {"otel.status_description", FG_FIELD_STATUS_MESSAGE},
    };
    static const char *const kinds[] = {"", "internal", "server", "client", "producer", "consumer"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (fg_slice_equal(key, fg_slice_from_string(texts[i].key)))
            fg_alternatives_offer(alternatives, &(struct fg_predicate){.op = FG_PRED_EQ,
                                                                       .field = texts[i].field,
                                                                       .type = FG_VALUE_STRING,
                                                                       .string = value});
    if (fg_slice_equal(key, FG_SLICE("error")) && fg_slice_equal(value, FG_SLICE("true")))
        offer_status(alternatives, FG_PRED_EQ, FG_STATUS_ERROR);
    if (fg_slice_equal(key, FG_SLICE("otel.status_code")) &&
        fg_slice_equal(value, FG_SLICE("ERROR")))
        offer_status(alternatives, FG_PRED_EQ, FG_STATUS_ERROR);
    if (fg_slice_equal(key, FG_SLICE("otel.status_code")) && fg_slice_equal(value, FG_SLICE("OK")))
        offer_status(alternatives, FG_PRED_EQ, FG_STATUS_OK);
    for (size_t i = 1; i < sizeof kinds / sizeof *kinds; i++)
        if (fg_slice_equal(key, FG_SLICE("span.kind")) &&
            fg_slice_equal(value, fg_slice_from_string(kinds[i])))
            fg_alternatives_offer(alternatives, &(struct fg_predicate){.op = FG_PRED_EQ,
                                                                       .field = FG_FIELD_KIND,
                                                                       .type = FG_VALUE_INT,
                                                                       .integer = (int64_t)i});
}

void fg_alternatives_offer_tag(struct fg_alternatives *alternatives, struct fg_slice key,
                               struct fg_slice value)
{
    offer_values(alternatives, (struct fg_predicate){.field = FG_FIELD_ATTR_ANY, .key = key},
                 value);
    offer_values(alternatives, (struct fg_predicate){.field = FG_FIELD_ATTR_EVENT, .key = key},
                 value);
    offer_translated(alternatives, key, value);
}

bool fg_condition_add_tag(struct fg_trace_stream *stream, struct fg_slice key,
                          struct fg_slice value)
{
    struct fg_alternatives alternatives = {.stream = stream};
    fg_alternatives_offer_tag(&alternatives, key, value);
    return fg_alternatives_add(&alternatives);
}

bool fg_condition_add(struct fg_trace_stream *stream, const struct fg_predicate *predicate)
{
    return add(stream, on_span(stream, predicate));
}

bool fg_condition_add_text(struct fg_trace_stream *stream, enum fg_field field,
                           struct fg_slice value)
{
    const struct fg_predicate equal = {
        .op = FG_PRED_EQ, .field = field, .type = FG_VALUE_STRING, .string = value};
    return value.size == 0 || fg_condition_add(stream, &equal);
}

bool fg_condition_add_duration(struct fg_trace_stream *stream, enum fg_predicate_op op, uint64_t ns)
{
    const struct fg_predicate bound = {.op = op,
                                       .field = FG_FIELD_DURATION,
                                       .type = FG_VALUE_INT,
                                       .integer = ns > INT64_MAX ? INT64_MAX : (int64_t)ns};
    return fg_condition_add(stream, &bound);
}

bool fg_condition_plan(struct fg_trace_stream *stream)
{
    const char *message = "the conditions make no sense";
    stream->search.deadline_mono_ns = fg_env_mono_ns(stream->exchange->api->env) + FG_QUERY_TIME_NS;
    stream->search.bytes_max = FG_QUERY_BYTES;
    stream->is_whole = true;
    if (!stream->query ||
        fg_query_plan(stream->query, &stream->query_arena, &stream->search.predicate,
                      &stream->is_whole, &message) == 0)
        return true;
    if (stream->query_arena.overflow)
        fg_answer_error(stream->exchange, FG_ENOMEM, stream->ops->verb);
    else
        fg_answer_invalid(stream->exchange, "%s", message);
    return false;
}
