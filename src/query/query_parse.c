/* The search language:
 *
 *     query     = [ or ]
 *     or        = and { "or" and }
 *     and       = not { [ "and" ] not }
 *     not       = ( "not" | "-" | "!" ) not | "(" or ")" | condition
 *     condition = key operator value | trace id
 *     key       = [ scope ] ( bare | quoted )      scope: span. resource. scope. event. link. and .
 *     operator  = "=" ":" "!=" "==" "!==" "<" "<=" ">" ">=" "=~" "!~"
 *
 * A key without a scope is a field of words.c where there is one of that name, otherwise an
 * attribute of the span or its resource. A value without quotes that reads as a number or a truth
 * value means that or the same text, since senders differ in what they make of a number; "==" and
 * "!==" mean the typed value alone. After ":" a value may hold * for anything; * alone asks whether
 * the key is there.
 *
 * Recursive descent; depth and number of nodes are bounded. */
#include "words.h"

#include "base/endian.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TRACE_ID_DIGITS 32
#define SPAN_ID_DIGITS  16
#define NUMBER_SIZE_MAX 64
#define MESSAGE_SIZE    200

struct parser {
    struct fg_slice text;
    size_t at;
    struct fg_arena *arena;
    struct fg_query_error error;
    unsigned node_count, depth;
};

enum comparison {
    OP_EQ,   /* = and : */
    OP_GLOB, /* : with a * in its value */
    OP_NE,
    OP_TYPED_EQ, /* == */
    OP_TYPED_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_MATCH,
    OP_NO_MATCH,
};

/* A condition as it was read, before its types are known. */
struct condition {
    struct fg_slice key;
    enum fg_field scope;        /* of an attribute */
    const struct fg_word *word; /* NULL: an attribute */
    enum comparison op;
    struct fg_slice value;
    bool is_quoted; /* the value */
    size_t key_offset, value_offset;
};

static int parse_or(struct parser *p, const struct fg_query **ret_query);

static int fail(struct parser *p, size_t offset, int code, const char *message)
{
    p->error = (struct fg_query_error){.offset = offset, .message = message};
    return code;
}

/* "expected a duration like 250ms after `duration`" and the like. */
static int fail_word(struct parser *p, size_t offset, const char *message, struct fg_slice word)
{
    char text[MESSAGE_SIZE];
    int shown = word.size > 60 ? 60 : (int)word.size;
    snprintf(text, sizeof text, message, shown, (const char *)word.data);
    const char *kept = fg_arena_string(p->arena, fg_slice_from_string(text));
    return fail(p, offset, FG_EINVALID, kept ? kept : "the query can't be read");
}

static int fail_full(struct parser *p)
{
    return fail(p, p->at, FG_ELIMIT, "the query has too many conditions");
}

/* -- Nodes */

static struct fg_query *node(struct parser *p, enum fg_query_op op)
{
    if (++p->node_count > FG_QUERY_NODES_MAX)
        return NULL;
    struct fg_query *query = fg_arena_calloc(p->arena, 1, sizeof *query);
    if (query)
        query->op = op;
    return query;
}

static int join(struct parser *p, enum fg_query_op op, const struct fg_query *const *children,
                uint32_t count, const struct fg_query **ret_query)
{
    if (count == 1) {
        *ret_query = children[0];
        return 0;
    }
    struct fg_query *query = node(p, op);
    const struct fg_query **list = fg_arena_calloc(p->arena, count, sizeof *list);
    if (!query || !list)
        return fail_full(p);
    memcpy(list, children, count * sizeof *list);
    query->children = list;
    query->child_count = count;
    *ret_query = query;
    return 0;
}

static int negate(struct parser *p, const struct fg_query *query, const struct fg_query **ret_query)
{
    struct fg_query *outer = node(p, FG_QUERY_NOT);
    const struct fg_query **list = fg_arena_calloc(p->arena, 1, sizeof *list);
    if (!outer || !list)
        return fail_full(p);
    list[0] = query;
    outer->children = list;
    outer->child_count = 1;
    *ret_query = outer;
    return 0;
}

static int span_leaf(struct parser *p, const struct fg_predicate *predicate,
                     const struct fg_query **ret_query)
{
    struct fg_query *query = node(p, FG_QUERY_SPAN);
    if (!query)
        return fail_full(p);
    query->span = *predicate;
    *ret_query = query;
    return 0;
}

/* -- Characters */

static bool at_end(const struct parser *p)
{
    return p->at == p->text.size;
}

static uint8_t peek(const struct parser *p)
{
    return at_end(p) ? 0 : p->text.data[p->at];
}

static void skip_blanks(struct parser *p)
{
    while (!at_end(p) && strchr(" \t\r\n", p->text.data[p->at]) && p->text.data[p->at])
        p->at++;
}

static struct fg_slice take_bare(struct parser *p, bool (*is_bare)(struct fg_slice text))
{
    const uint8_t *begin = p->text.data + p->at;
    while (!at_end(p) && is_bare(fg_slice(p->text.data + p->at, 1)))
        p->at++;
    return fg_slice(begin, (size_t)(p->text.data + p->at - begin));
}

/* "…", with \" and \\ and \n and \t inside. */
static int take_quoted(struct parser *p, struct fg_slice *ret_text)
{
    size_t begin = p->at++, size = 0;
    uint8_t *text = fg_arena_alloc(p->arena, p->text.size - begin);
    if (!text)
        return fail_full(p);
    for (; !at_end(p) && peek(p) != '"'; p->at++) {
        uint8_t c = peek(p);
        if (c == '\\' && p->at + 1 < p->text.size) {
            c = p->text.data[++p->at];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        text[size++] = c;
    }
    if (at_end(p))
        return fail(p, begin, FG_EINVALID, "this quotation mark is never closed");
    p->at++;
    *ret_text = fg_slice(text, size);
    return 0;
}

static const struct {
    const char *text;
    enum comparison op;
} operators[] = {
    {"!==", OP_TYPED_NE}, {"==", OP_TYPED_EQ}, {"=~", OP_MATCH}, {"!~", OP_NO_MATCH},
    {"!=", OP_NE},        {"<=", OP_LE},       {">=", OP_GE},    {"=", OP_EQ},
    {":", OP_GLOB},       {"<", OP_LT},        {">", OP_GT},
};

static bool take_operator(struct parser *p, enum comparison *ret_op)
{
    struct fg_slice rest = fg_slice(p->text.data + p->at, p->text.size - p->at);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        struct fg_slice text = fg_slice_from_string(operators[i].text);
        if (!fg_slice_starts_with(rest, text))
            continue;
        p->at += text.size;
        *ret_op = operators[i].op;
        return true;
    }
    return false;
}

/* -- Values */

static bool is_number_text(struct fg_slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!strchr("0123456789+-.eE", text.data[i]) || !text.data[i])
            return false;
    return text.size > 0 && text.size < NUMBER_SIZE_MAX;
}

/* A whole number, or one with a fraction or exponent. */
static bool read_number(struct fg_slice text, struct fg_predicate *predicate)
{
    char copy[NUMBER_SIZE_MAX], *end;
    if (!is_number_text(text))
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    errno = 0;
    long long integer = strtoll(copy, &end, 10);
    if (*end == 0 && end != copy && errno == 0) {
        predicate->type = FG_VALUE_INT;
        predicate->integer = integer;
        return true;
    }
    double number = strtod(copy, &end);
    if (*end != 0 || end == copy)
        return false;
    predicate->type = FG_VALUE_DOUBLE;
    predicate->number = number;
    return true;
}

static bool read_bool(struct fg_slice text, bool *ret_value)
{
    *ret_value = fg_slice_equal(text, FG_SLICE("true"));
    return *ret_value || fg_slice_equal(text, FG_SLICE("false"));
}

/* The pattern of a value in which * stands for anything. {NULL, 0}: the arena is full. */
static struct fg_slice glob_pattern(struct parser *p, struct fg_slice value)
{
    char *pattern = fg_arena_alloc(p->arena, 2 * value.size + 6);
    if (!pattern)
        return (struct fg_slice){0};
    size_t size = 0;
    memcpy(pattern, "(?s)^", 5);
    size = 5;
    for (size_t i = 0; i < value.size; i++) {
        char c = (char)value.data[i];
        bool is_plain =
            (c & 0x80) || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (c == '*')
            pattern[size++] = '.';
        else if (!is_plain)
            pattern[size++] = '\\';
        pattern[size++] = c;
    }
    pattern[size++] = '$';
    return fg_slice(pattern, size);
}

static bool has_star(const struct condition *condition)
{
    return condition->op == OP_GLOB && !condition->is_quoted &&
           memchr(condition->value.data, '*', condition->value.size);
}

static enum fg_predicate_op plain_op(enum comparison op)
{
    switch (op) {
    case OP_NE:
    case OP_TYPED_NE:
        return FG_PRED_NE;
    case OP_LT:
        return FG_PRED_LT;
    case OP_LE:
        return FG_PRED_LE;
    case OP_GT:
        return FG_PRED_GT;
    case OP_GE:
        return FG_PRED_GE;
    case OP_MATCH:
    case OP_NO_MATCH:
        return FG_PRED_REGEX;
    case OP_EQ:
    case OP_GLOB:
    case OP_TYPED_EQ:
        break;
    }
    return FG_PRED_EQ;
}

static bool is_equality(enum comparison op)
{
    return op == OP_EQ || op == OP_GLOB || op == OP_NE || op == OP_TYPED_EQ || op == OP_TYPED_NE;
}

/* -- Conditions */

/* A leaf of either kind: what differs is only where the operand goes. */
static int leaf(struct parser *p, const struct condition *condition,
                const struct fg_predicate *predicate, const struct fg_query **ret_query)
{
    if (!condition->word || !condition->word->is_trace)
        return span_leaf(p, predicate, ret_query);
    struct fg_query *query = node(p, FG_QUERY_TRACE);
    if (!query)
        return fail_full(p);
    query->trace = (struct fg_trace_condition){.field = (enum fg_trace_field)condition->word->field,
                                               .op = predicate->op};
    if (predicate->type == FG_VALUE_STRING)
        query->trace.string = predicate->string;
    else
        query->trace.integer = predicate->integer;
    *ret_query = query;
    return 0;
}

static struct fg_predicate predicate_of(const struct condition *condition)
{
    return (struct fg_predicate){
        .op = plain_op(condition->op),
        .field = condition->word
                     ? (condition->word->is_trace ? FG_FIELD_NAME
                                                  : (enum fg_field)condition->word->field)
                     : condition->scope,
        .key = condition->word ? (struct fg_slice){0} : condition->key,
    };
}

static int exists(struct parser *p, const struct condition *condition,
                  const struct fg_query **ret_query)
{
    struct fg_predicate predicate = predicate_of(condition);
    predicate.op = FG_PRED_EXISTS;
    return leaf(p, condition, &predicate, ret_query);
}

/* The key is there, and query does not hold. */
static int there_but_not(struct parser *p, const struct condition *condition,
                         const struct fg_query *query, const struct fg_query **ret_query)
{
    const struct fg_query *both[2];
    int r = exists(p, condition, &both[0]);
    if (r == 0)
        r = negate(p, query, &both[1]);
    return r < 0 ? r : join(p, FG_QUERY_AND, both, 2, ret_query);
}

static int string_condition(struct parser *p, const struct condition *condition,
                            const struct fg_query **ret_query)
{
    struct fg_predicate predicate = predicate_of(condition);
    predicate.type = FG_VALUE_STRING;
    predicate.string = condition->value;
    if (has_star(condition)) {
        if (condition->value.size == 1)
            return exists(p, condition, ret_query);
        predicate.op = FG_PRED_REGEX;
        predicate.string = glob_pattern(p, condition->value);
        if (!predicate.string.data)
            return fail_full(p);
    }
    const struct fg_query *query = NULL;
    int r = leaf(p, condition, &predicate, &query);
    if (r == 0 && condition->op == OP_NO_MATCH)
        return there_but_not(p, condition, query, ret_query);
    *ret_query = query;
    return r;
}

/* An unquoted value that reads as a number or truth value: that, or the same text. */
static int loose_condition(struct parser *p, const struct condition *condition,
                           const struct fg_predicate *typed, const struct fg_query **ret_query)
{
    const struct fg_query *either[2], *query = NULL;
    struct fg_predicate predicate = *typed;
    predicate.op = FG_PRED_EQ;
    int r = span_leaf(p, &predicate, &either[0]);
    predicate.type = FG_VALUE_STRING;
    predicate.string = condition->value;
    if (r == 0)
        r = span_leaf(p, &predicate, &either[1]);
    if (r == 0)
        r = join(p, FG_QUERY_OR, either, 2, &query);
    if (r == 0 && condition->op == OP_NE)
        return there_but_not(p, condition, query, ret_query);
    *ret_query = query;
    return r;
}

static int attribute_condition(struct parser *p, const struct condition *condition,
                               const struct fg_query **ret_query)
{
    struct fg_predicate predicate = predicate_of(condition);
    bool truth, is_typed = false;
    if (!condition->is_quoted && predicate.op != FG_PRED_REGEX) {
        is_typed = read_number(condition->value, &predicate);
        if (!is_typed && is_equality(condition->op) && read_bool(condition->value, &truth)) {
            predicate.type = FG_VALUE_BOOL;
            predicate.boolean = truth;
            is_typed = true;
        }
    }
    if (!is_typed)
        return string_condition(p, condition, ret_query);
    if (condition->op == OP_EQ || condition->op == OP_GLOB || condition->op == OP_NE)
        return loose_condition(p, condition, &predicate, ret_query);
    return span_leaf(p, &predicate, ret_query);
}

static int read_duration(struct parser *p, const struct condition *condition, int64_t *ret_ns)
{
    uint64_t ns;
    if (fg_duration_parse(condition->value, &ns) < 0 || ns > INT64_MAX)
        return fail_word(p, condition->value_offset,
                         "'%.*s' is no duration; expected one like 250ms, 1s or 2m30s",
                         condition->value);
    *ret_ns = (int64_t)ns;
    return 0;
}

static int read_enumerated(struct parser *p, const struct condition *condition, int64_t *ret_value)
{
    bool is_kind = condition->word->type == FG_WORD_KIND;
    int value =
        is_kind ? fg_kind_from_word(condition->value) : fg_status_from_word(condition->value);
    if (value < 0)
        return fail_word(p, condition->value_offset,
                         is_kind
                             ? "'%.*s' is no kind; expected server, client, producer, consumer, "
                               "internal or unspecified"
                             : "'%.*s' is no status; expected error, ok or unset",
                         condition->value);
    *ret_value = value;
    return 0;
}

static int number_condition(struct parser *p, const struct condition *condition,
                            const struct fg_query **ret_query)
{
    struct fg_predicate predicate = predicate_of(condition);
    int r = 0;
    predicate.type = FG_VALUE_INT;
    if (predicate.op == FG_PRED_REGEX)
        return fail_word(p, condition->key_offset, "'%.*s' is no text; patterns need one",
                         condition->key);
    if (condition->word->type == FG_WORD_DURATION) {
        r = read_duration(p, condition, &predicate.integer);
    } else if (condition->word->type == FG_WORD_INT) {
        if (!read_number(condition->value, &predicate) || predicate.type != FG_VALUE_INT)
            r = fail_word(p, condition->value_offset, "'%.*s' is no whole number",
                          condition->value);
    } else {
        r = read_enumerated(p, condition, &predicate.integer);
    }
    return r < 0 ? r : leaf(p, condition, &predicate, ret_query);
}

static int bool_condition(struct parser *p, const struct condition *condition,
                          const struct fg_query **ret_query)
{
    struct fg_predicate predicate = predicate_of(condition);
    bool truth;
    if (!is_equality(condition->op) || !read_bool(condition->value, &truth))
        return fail_word(
            p, condition->value_offset,
            "expected true or false instead of '%.*s', after = or !=", condition->value);
    predicate.op = FG_PRED_EQ;
    predicate.type = FG_VALUE_BOOL;
    predicate.boolean = plain_op(condition->op) == FG_PRED_NE ? !truth : truth;
    return leaf(p, condition, &predicate, ret_query);
}

/* Digits with leading zeros cut are taken too, as Jaeger writes them. */
static bool read_id(struct fg_slice text, size_t digits, uint8_t *ret_bytes)
{
    char padded[TRACE_ID_DIGITS];
    if (text.size == 0 || text.size > digits)
        return false;
    memset(padded, '0', digits);
    memcpy(padded + digits - text.size, text.data, text.size);
    return fg_hex_decode(fg_slice(padded, digits), ret_bytes) == 0;
}

static int id_condition(struct parser *p, const struct condition *condition,
                        const struct fg_query **ret_query)
{
    struct fg_predicate predicate = predicate_of(condition);
    bool is_trace_id = condition->word->type == FG_WORD_TRACE_ID;
    size_t digits = is_trace_id ? TRACE_ID_DIGITS : SPAN_ID_DIGITS;
    uint8_t bytes[TRACE_ID_DIGITS / 2];
    if (!is_equality(condition->op) || !read_id(condition->value, digits, bytes))
        return fail_word(
            p, condition->value_offset,
            "'%.*s' is no id; expected hexadecimal digits, after = or !=", condition->value);
    predicate.op = FG_PRED_EQ;
    if (is_trace_id) {
        predicate.trace_id.high = fg_load_be64(bytes);
        predicate.trace_id.low = fg_load_be64(bytes + 8);
    } else {
        predicate.id = fg_load_be64(bytes);
    }
    const struct fg_query *query = NULL;
    int r = leaf(p, condition, &predicate, &query);
    if (r == 0 && plain_op(condition->op) == FG_PRED_NE)
        return negate(p, query, ret_query);
    *ret_query = query;
    return r;
}

static int make_condition(struct parser *p, const struct condition *condition,
                          const struct fg_query **ret_query)
{
    if (!condition->word)
        return attribute_condition(p, condition, ret_query);
    if (has_star(condition) && condition->value.size == 1)
        return exists(p, condition, ret_query);
    switch (condition->word->type) {
    case FG_WORD_STRING:
        if (!is_equality(condition->op) && plain_op(condition->op) != FG_PRED_REGEX)
            return fail_word(p, condition->key_offset,
                             "'%.*s' is text, which has no order; use =, != or =~", condition->key);
        return string_condition(p, condition, ret_query);
    case FG_WORD_KIND:
    case FG_WORD_STATUS:
        if (!is_equality(condition->op))
            return fail_word(p, condition->key_offset,
                             "'%.*s' has no order; use = or !=", condition->key);
        return number_condition(p, condition, ret_query);
    case FG_WORD_INT:
    case FG_WORD_DURATION:
        return number_condition(p, condition, ret_query);
    case FG_WORD_BOOL:
        return bool_condition(p, condition, ret_query);
    case FG_WORD_TRACE_ID:
    case FG_WORD_SPAN_ID:
        return id_condition(p, condition, ret_query);
    }
    return fail(p, condition->key_offset, FG_EINVALID, "the query can't be read");
}

/* A key with its scope. */
static int take_key(struct parser *p, struct condition *condition)
{
    condition->key_offset = p->at;
    condition->scope = FG_FIELD_ATTR_ANY;
    struct fg_slice bare = take_bare(p, fg_word_is_bare_key);
    condition->key = bare;
    if (peek(p) != '"') {
        condition->word = fg_word_find(bare);
    } else if (bare.size == 0) {
        return take_quoted(p, &condition->key);
    }
    for (size_t i = 0; !condition->word && i < fg_scope_word_count; i++) {
        struct fg_slice prefix = fg_slice_from_string(fg_scope_words[i].prefix);
        if (!fg_slice_starts_with(bare, prefix))
            continue;
        condition->scope = fg_scope_words[i].field;
        condition->key = fg_slice(bare.data + prefix.size, bare.size - prefix.size);
        if (peek(p) == '"' && condition->key.size == 0)
            return take_quoted(p, &condition->key);
        break;
    }
    if (peek(p) == '"' || condition->key.size == 0)
        return fail(p, condition->key_offset, FG_EINVALID,
                    "expected a key: a name like service, or an attribute like http.route");
    return 0;
}

static int take_value(struct parser *p, struct condition *condition)
{
    skip_blanks(p);
    condition->value_offset = p->at;
    if (peek(p) == '"') {
        condition->is_quoted = true;
        return take_quoted(p, &condition->value);
    }
    condition->value = take_bare(p, fg_word_is_bare_value);
    if (condition->value.size == 0)
        return fail_word(p, p->at, "expected a value after '%.*s'", condition->key);
    return 0;
}

static int parse_condition(struct parser *p, const struct fg_query **ret_query)
{
    struct condition condition = {0};
    int r = take_key(p, &condition);
    if (r < 0)
        return r;
    size_t end = p->at;
    skip_blanks(p);
    if (take_operator(p, &condition.op)) {
        r = take_value(p, &condition);
        return r < 0 ? r : make_condition(p, &condition, ret_query);
    }
    p->at = end;
    uint8_t bytes[TRACE_ID_DIGITS / 2];
    if (condition.key.size != TRACE_ID_DIGITS || !read_id(condition.key, TRACE_ID_DIGITS, bytes))
        return fail_word(
            p, condition.key_offset,
            "'%.*s' stands alone; expected key=value, key>value, or key:* for any value",
            condition.key);
    condition.value = condition.key;
    condition.word = fg_word_find(FG_SLICE("trace_id"));
    return make_condition(p, &condition, ret_query);
}

/* -- Structure */

/* Takes a word of the language when it stands there and is no key. */
static bool take_word(struct parser *p, const char *lower, const char *upper)
{
    size_t begin = p->at;
    struct fg_slice word = take_bare(p, fg_word_is_bare_key);
    bool is_it = fg_slice_equal(word, fg_slice_from_string(lower)) ||
                 fg_slice_equal(word, fg_slice_from_string(upper));
    size_t end = p->at;
    enum comparison op;
    skip_blanks(p);
    if (is_it && !take_operator(p, &op)) {
        p->at = end;
        return true;
    }
    p->at = begin;
    return false;
}

static int parse_group(struct parser *p, const struct fg_query **ret_query)
{
    size_t begin = p->at++;
    int r = parse_or(p, ret_query);
    if (r < 0)
        return r;
    skip_blanks(p);
    if (peek(p) != ')')
        return fail(p, begin, FG_EINVALID, "this parenthesis is never closed");
    p->at++;
    return 0;
}

static int parse_not(struct parser *p, const struct fg_query **ret_query)
{
    if (++p->depth > FG_QUERY_DEPTH_MAX)
        return fail(p, p->at, FG_ELIMIT, "the query is nested too deeply");
    skip_blanks(p);
    int r;
    bool is_sign = peek(p) == '-' || peek(p) == '!';
    if (is_sign || take_word(p, "not", "NOT")) {
        p->at += is_sign;
        r = parse_not(p, ret_query);
        if (r == 0)
            r = negate(p, *ret_query, ret_query);
    } else if (peek(p) == '(') {
        r = parse_group(p, ret_query);
    } else {
        r = parse_condition(p, ret_query);
    }
    p->depth--;
    return r;
}

static bool and_goes_on(struct parser *p)
{
    skip_blanks(p);
    if (at_end(p) || peek(p) == ')')
        return false;
    size_t begin = p->at;
    if (take_word(p, "or", "OR")) {
        p->at = begin;
        return false;
    }
    take_word(p, "and", "AND");
    return true;
}

static int parse_and(struct parser *p, const struct fg_query **ret_query)
{
    const struct fg_query *children[FG_QUERY_NODES_MAX];
    uint32_t count = 0;
    do {
        if (count == FG_QUERY_NODES_MAX)
            return fail_full(p);
        int r = parse_not(p, &children[count++]);
        if (r < 0)
            return r;
    } while (and_goes_on(p));
    return join(p, FG_QUERY_AND, children, count, ret_query);
}

static int parse_or(struct parser *p, const struct fg_query **ret_query)
{
    const struct fg_query *children[FG_QUERY_NODES_MAX];
    uint32_t count = 0;
    do {
        if (count == FG_QUERY_NODES_MAX)
            return fail_full(p);
        int r = parse_and(p, &children[count++]);
        if (r < 0)
            return r;
    } while (take_word(p, "or", "OR"));
    return join(p, FG_QUERY_OR, children, count, ret_query);
}

int fg_query_parse(struct fg_slice text, struct fg_arena *arena, const struct fg_query **ret_query,
                   struct fg_query_error *ret_error)
{
    struct parser p = {.text = text, .arena = arena};
    const struct fg_query *query = NULL;
    int r = 0;
    skip_blanks(&p);
    if (at_end(&p)) {
        query = node(&p, FG_QUERY_TRUE);
        r = query ? 0 : fail_full(&p);
    } else {
        r = parse_or(&p, &query);
    }
    if (r == 0 && !at_end(&p))
        r = fail(&p, p.at, FG_EINVALID, "there is nothing that this parenthesis closes");
    if (r < 0) {
        *ret_error = p.error;
        return r;
    }
    *ret_query = query;
    return 0;
}

const struct fg_query *fg_query_and(const struct fg_query *a, const struct fg_query *b,
                                    struct fg_arena *arena)
{
    if (!a || !b)
        return a ? a : b;
    struct fg_query *both = fg_arena_calloc(arena, 1, sizeof *both);
    const struct fg_query **list = fg_arena_calloc(arena, 2, sizeof *list);
    if (!both || !list)
        return NULL;
    list[0] = a;
    list[1] = b;
    *both = (struct fg_query){.op = FG_QUERY_AND, .child_count = 2, .children = list};
    return both;
}
