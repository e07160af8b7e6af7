#include "plain_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* -- The plain evaluator */

/* Whether a stands before b among those that could be the root. */
static bool is_earlier(const struct fg_batch *batch, uint32_t a, uint32_t b)
{
    if (batch->start_ns[a] != batch->start_ns[b])
        return batch->start_ns[a] < batch->start_ns[b];
    return batch->span_id[a] < batch->span_id[b];
}

struct plain_summary plain_summarize(const struct plain_trace *trace)
{
    const struct fg_batch *batch = trace->batch;
    struct plain_summary summary = {.start_ns = UINT64_MAX};
    uint64_t end_ns = 0;
    for (uint32_t i = 0; i < trace->count; i++) {
        uint32_t row = trace->rows[i];
        if (batch->start_ns[row] < summary.start_ns)
            summary.start_ns = batch->start_ns[row];
        if (batch->end_ns[row] > end_ns)
            end_ns = batch->end_ns[row];
        summary.error_count += batch->status[row] == FG_STATUS_ERROR;
        summary.open_count += batch->end_ns[row] == 0;
        if (batch->parent_span_id[row] != 0)
            continue;
        if (!summary.has_root || is_earlier(batch, row, summary.root_row))
            summary.root_row = row;
        summary.has_root = true;
    }
    summary.duration_ns = end_ns > summary.start_ns ? end_ns - summary.start_ns : 0;
    return summary;
}

static bool number_passes(const struct fg_trace_condition *condition, uint64_t value)
{
    long double a = (long double)value, b = (long double)condition->integer;
    switch (condition->op) {
    case FG_PRED_EQ:
        return a == b;
    case FG_PRED_NE:
        return a != b;
    case FG_PRED_LT:
        return a < b;
    case FG_PRED_LE:
        return a <= b;
    case FG_PRED_GT:
        return a > b;
    case FG_PRED_GE:
        return a >= b;
    default:
        return condition->op == FG_PRED_EXISTS;
    }
}

static bool trace_passes(const struct plain_trace *trace,
                         const struct fg_trace_condition *condition)
{
    struct plain_summary summary = plain_summarize(trace);
    struct fg_predicate on_root = {
        .op = condition->op, .type = FG_VALUE_STRING, .string = condition->string};
    switch (condition->field) {
    case FG_TRACE_DURATION:
        return number_passes(condition, summary.duration_ns);
    case FG_TRACE_SPAN_COUNT:
        return number_passes(condition, trace->count);
    case FG_TRACE_ERROR_COUNT:
        return number_passes(condition, summary.error_count);
    case FG_TRACE_ROOT_SERVICE:
    case FG_TRACE_ROOT_NAME:
        break;
    }
    on_root.field = condition->field == FG_TRACE_ROOT_SERVICE ? FG_FIELD_SERVICE : FG_FIELD_NAME;
    return summary.has_root && plain_matches(trace->batch, summary.root_row, &on_root);
}

bool plain_query_matches(const struct plain_trace *trace, uint32_t row,
                         const struct fg_query *query)
{
    bool is_or = query->op == FG_QUERY_OR;
    switch (query->op) {
    case FG_QUERY_TRUE:
        return true;
    case FG_QUERY_SPAN:
        return plain_matches(trace->batch, row, &query->span);
    case FG_QUERY_TRACE:
        return trace_passes(trace, &query->trace);
    case FG_QUERY_NOT:
        return !plain_query_matches(trace, row, query->children[0]);
    case FG_QUERY_AND:
    case FG_QUERY_OR:
        break;
    }
    for (uint32_t i = 0; i < query->child_count; i++)
        if (plain_query_matches(trace, row, query->children[i]) == is_or)
            return is_or;
    return !is_or;
}

bool plain_query_may_match(const struct fg_batch *batch, uint32_t row, const struct fg_query *query,
                           bool unknown)
{
    bool is_or = query->op == FG_QUERY_OR;
    switch (query->op) {
    case FG_QUERY_TRUE:
        return true;
    case FG_QUERY_SPAN:
        return plain_matches(batch, row, &query->span);
    case FG_QUERY_TRACE:
        return unknown;
    case FG_QUERY_NOT:
        return !plain_query_may_match(batch, row, query->children[0], !unknown);
    case FG_QUERY_AND:
    case FG_QUERY_OR:
        break;
    }
    for (uint32_t i = 0; i < query->child_count; i++)
        if (plain_query_may_match(batch, row, query->children[i], unknown) == is_or)
            return is_or;
    return !is_or;
}

/* -- Random queries */

static uint32_t below(struct predicate_maker *maker, uint32_t bound)
{
    return test_random_below(&maker->random, bound);
}

static struct fg_trace_condition random_trace_condition(struct predicate_maker *maker)
{
    const struct fg_batch *batch = maker->batch;
    struct fg_trace_condition condition = {.field = (enum fg_trace_field)below(maker, 5),
                                           .op = FG_PRED_EQ + below(maker, 6)};
    uint32_t row = below(maker, batch->span_count);
    switch (condition.field) {
    case FG_TRACE_DURATION:
        condition.integer = (int64_t)below(maker, 2000000000);
        break;
    case FG_TRACE_SPAN_COUNT:
        condition.integer = 1 + below(maker, 12);
        break;
    case FG_TRACE_ERROR_COUNT:
        condition.integer = below(maker, 3);
        break;
    case FG_TRACE_ROOT_SERVICE:
    case FG_TRACE_ROOT_NAME:
        condition.string = condition.field == FG_TRACE_ROOT_NAME
                               ? batch->strings[batch->name[row]]
                               : batch->strings[batch->resource_service[batch->resource[row]]];
        if (below(maker, 4) == 0)
            condition.op = FG_PRED_EXISTS;
        if (below(maker, 4) == 0) {
            condition.op = FG_PRED_REGEX;
            condition.string = FG_SLICE("^(shop|GET)");
        }
        break;
    }
    return condition;
}

const struct fg_query *random_query(struct predicate_maker *maker, int depth)
{
    struct fg_query *query = fg_arena_calloc(&maker->arena, 1, sizeof *query);
    uint32_t kind = depth == 0 ? 7 + below(maker, 5) : below(maker, 12);
    assert_non_null(query);
    if (kind >= 10) {
        *query = (struct fg_query){.op = FG_QUERY_TRACE, .trace = random_trace_condition(maker)};
        return query;
    }
    if (kind >= 7) {
        *query = (struct fg_query){.op = FG_QUERY_SPAN, .span = random_condition(maker)};
        return query;
    }
    query->op = kind == 0   ? FG_QUERY_TRUE
                : kind <= 2 ? FG_QUERY_NOT
                : kind <= 4 ? FG_QUERY_AND
                            : FG_QUERY_OR;
    query->child_count = kind == 0 ? 0 : kind <= 2 ? 1 : 1 + below(maker, 3);
    const struct fg_query **children =
        fg_arena_calloc(&maker->arena, query->child_count + 1, sizeof(struct fg_query *));
    assert_non_null(children);
    for (uint32_t i = 0; i < query->child_count; i++)
        children[i] = random_query(maker, depth - 1);
    query->children = children;
    return query;
}
