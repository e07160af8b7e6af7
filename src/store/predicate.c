#include "store/predicate.h"

#include "base/limits.h"
#include "text_regex.h"

#include <stdio.h>

/* What a field's values are, and so which operators and operands make sense. */
enum domain { STRINGS, NUMBERS, BOOLS, IDS, BITS, VALUES };

static enum domain domain_of(enum fg_field field)
{
    switch (field) {
    case FG_FIELD_SERVICE:
    case FG_FIELD_NAME:
    case FG_FIELD_STATUS_MESSAGE:
    case FG_FIELD_SCOPE_NAME:
    case FG_FIELD_SCOPE_VERSION:
    case FG_FIELD_EVENT_NAME:
        return STRINGS;
    case FG_FIELD_KIND:
    case FG_FIELD_STATUS:
    case FG_FIELD_START:
    case FG_FIELD_DURATION:
        return NUMBERS;
    case FG_FIELD_OPEN:
    case FG_FIELD_ROOT:
        return BOOLS;
    case FG_FIELD_TRACE_ID:
    case FG_FIELD_SPAN_ID:
    case FG_FIELD_PARENT_SPAN_ID:
        return IDS;
    case FG_FIELD_MARKS:
        return BITS;
    case FG_FIELD_ATTR_SPAN:
    case FG_FIELD_ATTR_RESOURCE:
    case FG_FIELD_ATTR_SCOPE:
    case FG_FIELD_ATTR_EVENT:
    case FG_FIELD_ATTR_LINK:
    case FG_FIELD_ATTR_ANY:
        break;
    }
    return VALUES;
}

static bool is_number(enum fg_value_type type)
{
    return type == FG_VALUE_INT || type == FG_VALUE_DOUBLE;
}

static bool is_ordered(enum fg_predicate_op op)
{
    return op >= FG_PRED_LT && op <= FG_PRED_GE;
}

/* NULL where the operand suits the field, otherwise what was expected. */
static const char *judge_operand(const struct fg_predicate *leaf)
{
    switch (domain_of(leaf->field)) {
    case STRINGS:
        return leaf->type == FG_VALUE_STRING ? NULL
                                             : "this field is a text: compare it with a text";
    case NUMBERS:
        return is_number(leaf->type) ? NULL : "this field is a number: compare it with a number";
    case BOOLS:
        return leaf->type == FG_VALUE_BOOL ? NULL
                                           : "this field is true or false: compare it with either";
    case BITS:
        return leaf->type == FG_VALUE_INT ? NULL : "marks are compared with a whole number";
    case IDS:
        return NULL;
    case VALUES:
        break;
    }
    return leaf->type == FG_VALUE_STRING || leaf->type == FG_VALUE_BOOL || is_number(leaf->type)
               ? NULL
               : "an attribute is compared with a text, a number, true or false";
}

static const char *judge_op(const struct fg_predicate *leaf)
{
    enum domain domain = domain_of(leaf->field);
    if (domain == IDS)
        return leaf->op == FG_PRED_EQ ? NULL : "ids can only be compared for equality";
    if (leaf->op == FG_PRED_EXISTS)
        return NULL;
    if (domain == BITS && leaf->op != FG_PRED_EQ)
        return "marks can only be there or be equal";
    const char *message = judge_operand(leaf);
    if (message)
        return message;
    if (leaf->op == FG_PRED_REGEX && leaf->type != FG_VALUE_STRING)
        return "a regular expression is a text";
    if (is_ordered(leaf->op) && leaf->type == FG_VALUE_BOOL)
        return "true and false are not greater or less than each other";
    return NULL;
}

static int check_leaf(const struct fg_predicate *leaf, struct fg_arena *arena,
                      const char **ret_message)
{
    const char *message = NULL;
    if (leaf->child_count)
        message = "a comparison has no conditions below it";
    else if ((unsigned)leaf->field > FG_FIELD_ATTR_ANY)
        message = "there is no such field";
    else if (leaf->field >= FG_FIELD_ATTR_SPAN && leaf->key.size == 0)
        message = "an attribute needs a key";
    else
        message = judge_op(leaf);
    if (message) {
        *ret_message = message;
        return FG_EINVALID;
    }
    if (leaf->op != FG_PRED_REGEX)
        return 0;
    struct fg_regex *regex;
    int r = fg_regex_new(leaf->string, arena, ret_message, &regex);
    if (r == 0)
        fg_regex_free(regex);
    return r;
}

static int check_count(const struct fg_predicate *predicate, const char **ret_message)
{
    const char *message = NULL;
    if (predicate->op == FG_PRED_TRUE && predicate->child_count)
        message = "'true' has no conditions below it";
    if (predicate->op == FG_PRED_NOT && predicate->child_count != 1)
        message = "'not' has one condition below it";
    if (predicate->child_count && !predicate->children)
        message = "a condition is missing";
    if (!message)
        return 0;
    *ret_message = message;
    return FG_EINVALID;
}

static int check(const struct fg_predicate *predicate, struct fg_arena *arena, uint32_t depth,
                 uint32_t *count, const char **ret_message)
{
    if (!predicate || (unsigned)predicate->op > FG_PRED_EXISTS) {
        *ret_message = "there is no such condition";
        return FG_EINVALID;
    }
    if (++*count > FG_PREDICATE_NODES_MAX) {
        *ret_message = "the query has too many conditions";
        return FG_ELIMIT;
    }
    if (depth > FG_PREDICATE_DEPTH_MAX) {
        *ret_message = "the query's conditions are nested too deep";
        return FG_ELIMIT;
    }
    if (predicate->op > FG_PRED_NOT)
        return check_leaf(predicate, arena, ret_message);
    int r = check_count(predicate, ret_message);
    for (uint32_t i = 0; r == 0 && i < predicate->child_count; i++)
        r = check(predicate->children[i], arena, depth + 1, count, ret_message);
    return r;
}

int fg_predicate_check(const struct fg_predicate *predicate, struct fg_arena *arena,
                       const char **ret_message)
{
    uint32_t count = 0;
    return check(predicate, arena, 1, &count, ret_message);
}

static uint32_t columns_of(enum fg_field field)
{
    switch (field) {
    case FG_FIELD_SERVICE:
    case FG_FIELD_ATTR_RESOURCE:
        return FG_COLUMNS_RESOURCE;
    case FG_FIELD_NAME:
        return FG_COLUMNS_NAME;
    case FG_FIELD_KIND:
    case FG_FIELD_STATUS:
    case FG_FIELD_STATUS_MESSAGE:
        return FG_COLUMNS_STATUS;
    case FG_FIELD_START:
    case FG_FIELD_DURATION:
    case FG_FIELD_OPEN:
        return FG_COLUMNS_TIMES;
    case FG_FIELD_ROOT:
    case FG_FIELD_TRACE_ID:
    case FG_FIELD_SPAN_ID:
    case FG_FIELD_PARENT_SPAN_ID:
        return FG_COLUMNS_IDS;
    case FG_FIELD_SCOPE_NAME:
    case FG_FIELD_SCOPE_VERSION:
    case FG_FIELD_ATTR_SCOPE:
        return FG_COLUMNS_SCOPE;
    case FG_FIELD_EVENT_NAME:
    case FG_FIELD_ATTR_EVENT:
        return FG_COLUMNS_EVENTS;
    case FG_FIELD_MARKS:
        return FG_COLUMNS_MISC;
    case FG_FIELD_ATTR_SPAN:
        return FG_COLUMNS_SPAN_ATTRS;
    case FG_FIELD_ATTR_LINK:
        return FG_COLUMNS_LINKS;
    case FG_FIELD_ATTR_ANY:
        return FG_COLUMNS_SPAN_ATTRS | FG_COLUMNS_RESOURCE;
    }
    return 0;
}

uint32_t fg_predicate_columns(const struct fg_predicate *predicate)
{
    if (predicate->op > FG_PRED_NOT)
        return columns_of(predicate->field);
    uint32_t columns = 0;
    for (uint32_t i = 0; i < predicate->child_count; i++)
        columns |= fg_predicate_columns(predicate->children[i]);
    return columns;
}

bool fg_predicate_uses_key(const struct fg_predicate *predicate, struct fg_slice key)
{
    if (predicate->op > FG_PRED_NOT)
        return (predicate->field == FG_FIELD_ATTR_SPAN || predicate->field == FG_FIELD_ATTR_ANY) &&
               fg_slice_equal(predicate->key, key);
    for (uint32_t i = 0; i < predicate->child_count; i++)
        if (fg_predicate_uses_key(predicate->children[i], key))
            return true;
    return false;
}
