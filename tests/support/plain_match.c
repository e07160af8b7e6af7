#include "plain_match.h"

#include <math.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool order_passes(enum fg_predicate_op op, bool below, bool same, bool above)
{
    switch (op) {
    case FG_PRED_EQ:
        return same;
    case FG_PRED_NE:
        return below || above;
    case FG_PRED_LT:
        return below;
    case FG_PRED_LE:
        return below || same;
    case FG_PRED_GT:
        return above;
    case FG_PRED_GE:
        return above || same;
    default:
        return false;
    }
}

static bool regex_passes(struct fg_slice pattern, struct fg_slice text)
{
    regex_t regex;
    char pattern_text[256], *copy = malloc(text.size + 1);
    assert_non_null(copy);
    snprintf(pattern_text, sizeof pattern_text, "%.*s", (int)pattern.size,
             (const char *)pattern.data);
    if (text.size)
        memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    assert_int_equal(regcomp(&regex, pattern_text, REG_EXTENDED | REG_NOSUB), 0);
    bool found = regexec(&regex, copy, 0, NULL, 0) == 0;
    regfree(&regex);
    free(copy);
    return found;
}

static bool text_passes(const struct fg_predicate *leaf, struct fg_slice text)
{
    if (leaf->op == FG_PRED_EXISTS)
        return true;
    if (leaf->type != FG_VALUE_STRING)
        return false;
    if (leaf->op == FG_PRED_REGEX)
        return regex_passes(leaf->string, text);
    size_t size = text.size < leaf->string.size ? text.size : leaf->string.size;
    int order = size ? memcmp(text.data, leaf->string.data, size) : 0;
    if (order == 0)
        order = text.size < leaf->string.size ? -1 : text.size > leaf->string.size;
    return order_passes(leaf->op, order<0, order == 0, order> 0);
}

static bool field_passes(const struct fg_predicate *leaf, struct fg_slice text)
{
    if (text.size == 0 && leaf->op != FG_PRED_EQ)
        return false;
    return text_passes(leaf, text);
}

/* 64 bits of mantissa hold every number that there is. */
static bool number_passes(const struct fg_predicate *leaf, long double value)
{
    if (leaf->op == FG_PRED_EXISTS)
        return true;
    if (leaf->type != FG_VALUE_INT && leaf->type != FG_VALUE_DOUBLE)
        return false;
    long double operand =
        leaf->type == FG_VALUE_INT ? (long double)leaf->integer : (long double)leaf->number;
    return order_passes(leaf->op, value<operand, value == operand, value> operand);
}

static bool bool_passes(const struct fg_predicate *leaf, bool value)
{
    if (leaf->op == FG_PRED_EXISTS)
        return true;
    return leaf->type == FG_VALUE_BOOL &&
           (leaf->op == FG_PRED_EQ ? value == leaf->boolean : value != leaf->boolean);
}

static bool attr_passes(const struct fg_batch *batch, const struct fg_attrs *attrs, uint32_t owner,
                        const struct fg_predicate *leaf)
{
    uint32_t begin, end;
    fg_attrs_range(attrs, owner, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        double number;
        bool passes = leaf->op == FG_PRED_EXISTS;
        if (!fg_slice_equal(batch->strings[attrs->key[i]], leaf->key))
            continue;
        memcpy(&number, &attrs->value[i], sizeof number);
        if (attrs->type[i] == FG_VALUE_STRING)
            passes = text_passes(leaf, batch->strings[attrs->value[i]]);
        if (attrs->type[i] == FG_VALUE_BOOL)
            passes = bool_passes(leaf, attrs->value[i] != 0);
        if (attrs->type[i] == FG_VALUE_INT)
            passes = number_passes(leaf, (long double)(int64_t)attrs->value[i]);
        if (attrs->type[i] == FG_VALUE_DOUBLE)
            passes = number_passes(leaf, (long double)number);
        if (passes)
            return true;
    }
    return false;
}

static struct fg_slice string(const struct fg_batch *batch, const uint32_t *column, uint32_t row)
{
    return batch->strings[fg_column_u32(column, row)];
}

static uint64_t number(const uint64_t *column, uint32_t row)
{
    return column ? column[row] : 0;
}

static bool inner_passes(const struct fg_batch *batch, uint32_t row,
                         const struct fg_predicate *leaf)
{
    bool is_link = leaf->field == FG_FIELD_ATTR_LINK;
    const uint32_t *begin = is_link ? batch->link_begin : batch->event_begin;
    for (uint32_t i = begin ? begin[row] : 0; begin && i < begin[row + 1]; i++) {
        if (leaf->field == FG_FIELD_EVENT_NAME
                ? field_passes(leaf, string(batch, batch->event_name, i))
                : attr_passes(batch, is_link ? &batch->link_attrs : &batch->event_attrs, i, leaf))
            return true;
    }
    return false;
}

static bool leaf_passes(const struct fg_batch *batch, uint32_t row, const struct fg_predicate *leaf)
{
    uint32_t resource = fg_column_u32(batch->resource, row);
    uint32_t scope = fg_column_u32(batch->scope, row);
    uint64_t start = number(batch->start_ns, row), end = number(batch->end_ns, row);
    uint64_t duration = batch->start_ns && end > start ? end - start : 0;
    uint16_t marks = fg_column_u16(batch->marks, row);
    switch (leaf->field) {
    case FG_FIELD_SERVICE:
        return field_passes(leaf, string(batch, batch->resource_service, resource));
    case FG_FIELD_NAME:
        return field_passes(leaf, string(batch, batch->name, row));
    case FG_FIELD_KIND:
        return number_passes(leaf, batch->kind ? batch->kind[row] : 0);
    case FG_FIELD_STATUS:
        return number_passes(leaf, batch->status ? batch->status[row] : 0);
    case FG_FIELD_STATUS_MESSAGE:
        return field_passes(leaf, string(batch, batch->status_message, row));
    case FG_FIELD_START:
        return number_passes(leaf, (long double)start);
    case FG_FIELD_DURATION:
        return number_passes(leaf, (long double)duration);
    case FG_FIELD_OPEN:
        return bool_passes(leaf, end == 0);
    case FG_FIELD_ROOT:
        return bool_passes(leaf, number(batch->parent_span_id, row) == 0);
    case FG_FIELD_TRACE_ID:
        return number(batch->trace_id_high, row) == leaf->trace_id.high &&
               number(batch->trace_id_low, row) == leaf->trace_id.low;
    case FG_FIELD_SPAN_ID:
        return number(batch->span_id, row) == leaf->id;
    case FG_FIELD_PARENT_SPAN_ID:
        return number(batch->parent_span_id, row) == leaf->id;
    case FG_FIELD_SCOPE_NAME:
        return field_passes(leaf, string(batch, batch->scope_name, scope));
    case FG_FIELD_SCOPE_VERSION:
        return field_passes(leaf, string(batch, batch->scope_version, scope));
    case FG_FIELD_MARKS:
        if (leaf->op == FG_PRED_EXISTS)
            return marks != 0;
        return ((int64_t)marks & leaf->integer) == leaf->integer;
    case FG_FIELD_ATTR_SPAN:
        return attr_passes(batch, &batch->span_attrs, row, leaf);
    case FG_FIELD_ATTR_RESOURCE:
        return attr_passes(batch, &batch->resource_attrs, resource, leaf);
    case FG_FIELD_ATTR_SCOPE:
        return attr_passes(batch, &batch->scope_attrs, scope, leaf);
    case FG_FIELD_EVENT_NAME:
    case FG_FIELD_ATTR_EVENT:
    case FG_FIELD_ATTR_LINK:
        return inner_passes(batch, row, leaf);
    case FG_FIELD_ATTR_ANY:
        return attr_passes(batch, &batch->span_attrs, row, leaf) ||
               attr_passes(batch, &batch->resource_attrs, resource, leaf);
    }
    return false;
}

bool plain_matches(const struct fg_batch *batch, uint32_t row, const struct fg_predicate *node)
{
    if (node->op == FG_PRED_TRUE)
        return true;
    if (node->op > FG_PRED_NOT)
        return leaf_passes(batch, row, node);
    if (node->op == FG_PRED_NOT)
        return !plain_matches(batch, row, node->children[0]);
    for (uint32_t i = 0; i < node->child_count; i++)
        if (plain_matches(batch, row, node->children[i]) == (node->op == FG_PRED_OR))
            return node->op == FG_PRED_OR;
    return node->op == FG_PRED_AND;
}

/* -- Random trees */

static uint32_t below(struct predicate_maker *maker, uint32_t bound)
{
    return test_random_below(&maker->random, bound);
}

static struct fg_slice random_text(struct predicate_maker *maker)
{
    const struct fg_batch *batch = maker->batch;
    struct fg_slice text = batch->strings[below(maker, batch->string_count)];
    switch (below(maker, 5)) {
    case 0:
        return fg_slice(NULL, 0);
    case 1:
        text.size = text.size ? below(maker, (uint32_t)text.size) : 0;
        return text;
    case 2:
        return FG_SLICE("mes-api");
    default:
        return text;
    }
}

static struct fg_slice random_key(struct predicate_maker *maker)
{
    static const char *const keys[] = {"http.request.method", "http.response.status_code",
                                       "http.route",          "order.id",
                                       "order.total",         "retry",
                                       "db.statement",        "service.name",
                                       "process.pid",         "exception.type",
                                       "no.such.key"};
    char *key = fg_arena_alloc(&maker->arena, 32);
    assert_non_null(key);
    if (below(maker, 2))
        snprintf(key, 32, "x.key%u", below(maker, 24));
    else
        snprintf(key, 32, "%s", keys[below(maker, COUNT(keys))]);
    return fg_slice_from_string(key);
}

static int64_t random_integer(struct predicate_maker *maker, enum fg_field field)
{
    const struct fg_batch *batch = maker->batch;
    uint32_t row = below(maker, batch->span_count);
    if (field == FG_FIELD_KIND || field == FG_FIELD_STATUS)
        return (int64_t)below(maker, 7) - 1;
    if (field == FG_FIELD_START)
        return (int64_t)number(batch->start_ns, row);
    if (field == FG_FIELD_DURATION)
        return (int64_t)(number(batch->end_ns, row) - number(batch->start_ns, row));
    if (field == FG_FIELD_MARKS)
        return below(maker, 8) ? (int64_t)(1u << below(maker, 18)) : -1;
    if (below(maker, 3) == 0 && batch->span_attrs.count)
        return (int64_t)batch->span_attrs.value[below(maker, batch->span_attrs.count)];
    return (int64_t)below(maker, 600) - 50;
}

static void random_operand(struct predicate_maker *maker, struct fg_predicate *leaf)
{
    static const char *const patterns[] = {
        "^GET", "orders", "[0-9]+$", "t.*s", "ORD-0[0-4]", "^(x|value)", "^$", "zzz", "out|POST"};
    bool is_string = leaf->type == FG_VALUE_STRING;
    if (is_string && leaf->op == FG_PRED_REGEX)
        leaf->string = fg_slice_from_string(patterns[below(maker, COUNT(patterns))]);
    else if (is_string)
        leaf->string = random_text(maker);
    else if (leaf->type == FG_VALUE_INT)
        leaf->integer = random_integer(maker, leaf->field);
    else if (leaf->type == FG_VALUE_DOUBLE)
        leaf->number = below(maker, 10) ? (double)random_integer(maker, leaf->field) / 2 : NAN;
    else
        leaf->boolean = below(maker, 2);
}

static void random_id(struct predicate_maker *maker, struct fg_predicate *leaf)
{
    const struct fg_batch *batch = maker->batch;
    uint32_t row = below(maker, batch->span_count);
    leaf->op = FG_PRED_EQ;
    leaf->trace_id.high = number(batch->trace_id_high, row);
    leaf->trace_id.low = number(batch->trace_id_low, row) + (below(maker, 4) == 0);
    if (leaf->field == FG_FIELD_SPAN_ID)
        leaf->id = number(batch->span_id, row);
    if (leaf->field == FG_FIELD_PARENT_SPAN_ID)
        leaf->id = number(batch->parent_span_id, row);
}

struct fg_predicate random_condition(struct predicate_maker *maker)
{
    static const enum fg_value_type types[] = {FG_VALUE_STRING, FG_VALUE_INT, FG_VALUE_DOUBLE,
                                               FG_VALUE_BOOL};
    const char *message;
    for (;;) {
        struct fg_predicate leaf = {.op = FG_PRED_EQ + below(maker, 8),
                                    .field = (enum fg_field)below(maker, FG_FIELD_ATTR_ANY + 1),
                                    .type = types[below(maker, COUNT(types))]};
        if (below(maker, 3) == 0)
            leaf.field = FG_FIELD_ATTR_SPAN + below(maker, 6);
        if (leaf.field >= FG_FIELD_ATTR_SPAN)
            leaf.key = random_key(maker);
        if (leaf.field >= FG_FIELD_TRACE_ID && leaf.field <= FG_FIELD_PARENT_SPAN_ID)
            random_id(maker, &leaf);
        else if (leaf.op != FG_PRED_EXISTS)
            random_operand(maker, &leaf);
        if (fg_predicate_check(&leaf, &maker->arena, &message) == 0)
            return leaf;
    }
}

const struct fg_predicate *random_predicate(struct predicate_maker *maker, int depth)
{
    struct fg_predicate *node = fg_arena_alloc(&maker->arena, sizeof *node);
    assert_non_null(node);
    uint32_t kind = depth == 0 ? 9 : below(maker, 10);
    if (kind >= 6) {
        *node = random_condition(maker);
        return node;
    }
    *node = (struct fg_predicate){.op = kind == 0   ? FG_PRED_TRUE
                                        : kind == 1 ? FG_PRED_NOT
                                        : kind <= 3 ? FG_PRED_AND
                                                    : FG_PRED_OR};
    node->child_count = kind == 0 ? 0 : kind == 1 ? 1 : below(maker, 4);
    const struct fg_predicate **children =
        fg_arena_calloc(&maker->arena, node->child_count + 1, sizeof(struct fg_predicate *));
    assert_non_null(children);
    for (uint32_t i = 0; i < node->child_count; i++)
        children[i] = random_predicate(maker, depth - 1);
    node->children = children;
    return node;
}
