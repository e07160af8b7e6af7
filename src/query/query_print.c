#include "span/names.h"
#include "words.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static void print_quoted(struct fg_slice string, struct fg_buffer *text)
{
    fg_buffer_append_byte(text, '"');
    for (size_t i = 0; i < string.size; i++) {
        uint8_t c = string.data[i];
        if (c == '"' || c == '\\')
            fg_buffer_append_byte(text, '\\');
        if (c == '\n' || c == '\t')
            fg_buffer_append_string(text, c == '\n' ? "\\n" : "\\t");
        else
            fg_buffer_append_byte(text, c);
    }
    fg_buffer_append_byte(text, '"');
}

static const char *scope_prefix(enum fg_field field)
{
    for (size_t i = 0; i < fg_scope_word_count; i++)
        if (fg_scope_words[i].field == field)
            return fg_scope_words[i].prefix;
    return "";
}

/* Whether a key would be read as something else without the "." before it. */
static bool needs_dot(struct fg_slice key)
{
    if (fg_word_find(key))
        return true;
    for (size_t i = 0; i < fg_scope_word_count; i++)
        if (fg_slice_starts_with(key, fg_slice_from_string(fg_scope_words[i].prefix)))
            return true;
    uint8_t first = key.size ? key.data[0] : 0;
    return first == '-' || first == '!';
}

static void print_key(const struct fg_predicate *predicate, struct fg_buffer *text)
{
    if (predicate->field < FG_FIELD_ATTR_SPAN) {
        const struct fg_word *word = fg_word_of(false, (int)predicate->field);
        const char *name = predicate->field == FG_FIELD_START ? "start" : "marks";
        fg_buffer_append_string(text, word ? word->name : name);
        return;
    }
    bool is_bare = fg_word_is_bare_key(predicate->key);
    if (predicate->field != FG_FIELD_ATTR_ANY || (is_bare && needs_dot(predicate->key)))
        fg_buffer_append_string(text, scope_prefix(predicate->field));
    /* In quotes nothing after the scope can be read as a field: span."name". */
    bool is_field_name = predicate->field != FG_FIELD_ATTR_ANY &&
                         (fg_slice_equal(predicate->key, FG_SLICE("name")) ||
                          fg_slice_equal(predicate->key, FG_SLICE("version")));
    if (is_bare && !is_field_name)
        fg_buffer_append_slice(text, predicate->key);
    else
        print_quoted(predicate->key, text);
}

static void print_double(double number, struct fg_buffer *text)
{
    char digits[40];
    snprintf(digits, sizeof digits, "%.17g", number);
    fg_buffer_append_string(text, digits);
    if (isfinite(number) && !strpbrk(digits, ".e"))
        fg_buffer_append_string(text, ".0");
}

static void print_integer(enum fg_word_type type, int64_t value, struct fg_buffer *text)
{
    const char *word = type == FG_WORD_KIND     ? fg_span_kind_name(value)
                       : type == FG_WORD_STATUS ? fg_status_code_name(value)
                                                : NULL;
    if (word)
        fg_buffer_append_string(text, word);
    else
        fg_buffer_append_format(text, "%" PRId64 "%s", value, type == FG_WORD_DURATION ? "ns" : "");
}

static void print_operand(const struct fg_predicate *predicate, struct fg_buffer *text)
{
    const struct fg_word *word = fg_word_of(false, (int)predicate->field);
    if (predicate->field == FG_FIELD_TRACE_ID)
        fg_buffer_append_format(text, "%016" PRIx64 "%016" PRIx64, predicate->trace_id.high,
                                predicate->trace_id.low);
    else if (predicate->field == FG_FIELD_SPAN_ID || predicate->field == FG_FIELD_PARENT_SPAN_ID)
        fg_buffer_append_format(text, "%016" PRIx64, predicate->id);
    else if (predicate->type == FG_VALUE_STRING)
        print_quoted(predicate->string, text);
    else if (predicate->type == FG_VALUE_BOOL)
        fg_buffer_append_string(text, predicate->boolean ? "true" : "false");
    else if (predicate->type == FG_VALUE_DOUBLE)
        print_double(predicate->number, text);
    else
        print_integer(word ? word->type : FG_WORD_INT, predicate->integer, text);
}

static const char *operator_text(enum fg_predicate_op op, bool is_typed)
{
    switch (op) {
    case FG_PRED_NE:
        return is_typed ? "!==" : "!=";
    case FG_PRED_LT:
        return "<";
    case FG_PRED_LE:
        return "<=";
    case FG_PRED_GT:
        return ">";
    case FG_PRED_GE:
        return ">=";
    case FG_PRED_REGEX:
        return "=~";
    case FG_PRED_EXISTS:
        return ":*";
    default:
        return is_typed ? "==" : "=";
    }
}

static void print_condition(const struct fg_predicate *predicate, struct fg_buffer *text)
{
    bool is_attribute = predicate->field >= FG_FIELD_ATTR_SPAN;
    print_key(predicate, text);
    fg_buffer_append_string(
        text, operator_text(predicate->op, is_attribute && predicate->type != FG_VALUE_STRING));
    if (predicate->op != FG_PRED_EXISTS)
        print_operand(predicate, text);
}

static void print_trace(const struct fg_trace_condition *condition, struct fg_buffer *text)
{
    const struct fg_word *word = fg_word_of(true, (int)condition->field);
    fg_buffer_append_string(text, word->name);
    fg_buffer_append_string(text, operator_text(condition->op, false));
    if (condition->op == FG_PRED_EXISTS)
        return;
    if (word->type == FG_WORD_STRING)
        print_quoted(condition->string, text);
    else
        print_integer(word->type, condition->integer, text);
}

/* The same for both kinds of trees. */
struct shape {
    bool is_and, is_or, is_not;
    uint32_t child_count;
    void (*child)(const void *node, uint32_t index, struct fg_buffer *text);
};

static void print_inner(const void *node, const struct shape *shape, struct fg_buffer *text)
{
    if (shape->is_not)
        fg_buffer_append_string(text, "not ");
    else
        fg_buffer_append_byte(text, '(');
    for (uint32_t i = 0; i < shape->child_count; i++) {
        if (i > 0)
            fg_buffer_append_string(text, shape->is_or ? " or " : " ");
        shape->child(node, i, text);
    }
    if (!shape->is_not)
        fg_buffer_append_byte(text, ')');
}

static void predicate_child(const void *node, uint32_t index, struct fg_buffer *text)
{
    fg_predicate_print(((const struct fg_predicate *)node)->children[index], text);
}

void fg_predicate_print(const struct fg_predicate *predicate, struct fg_buffer *text)
{
    enum fg_predicate_op op = predicate->op;
    struct shape shape = {op == FG_PRED_AND, op == FG_PRED_OR, op == FG_PRED_NOT,
                          predicate->child_count, predicate_child};
    if (op == FG_PRED_TRUE)
        fg_buffer_append_string(text, "()");
    else if (shape.is_and || shape.is_or || shape.is_not)
        print_inner(predicate, &shape, text);
    else
        print_condition(predicate, text);
}

static void query_child(const void *node, uint32_t index, struct fg_buffer *text)
{
    fg_query_print(((const struct fg_query *)node)->children[index], text);
}

void fg_query_print(const struct fg_query *query, struct fg_buffer *text)
{
    struct shape shape = {query->op == FG_QUERY_AND, query->op == FG_QUERY_OR,
                          query->op == FG_QUERY_NOT, query->child_count, query_child};
    switch (query->op) {
    case FG_QUERY_TRUE:
        break;
    case FG_QUERY_SPAN:
        print_condition(&query->span, text);
        break;
    case FG_QUERY_TRACE:
        print_trace(&query->trace, text);
        break;
    case FG_QUERY_AND:
    case FG_QUERY_OR:
    case FG_QUERY_NOT:
        print_inner(query, &shape, text);
        break;
    }
}
