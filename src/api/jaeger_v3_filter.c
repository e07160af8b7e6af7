#include "jaeger_v3_filter.h"

#include "base/units.h"
#include "conditions.h"
#include "jaeger_params.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX        20
#define MESSAGE_SIZE     240
#define NUMBER_TEXT_SIZE 64

struct reader {
    struct fg_arena *arena;
    uint32_t node_count;
    const char *bound; /* the level that an enclosing `some` binds; NULL: none */
    bool is_bound;     /* by a `some`, which a condition on another level would not be about */
    char message[MESSAGE_SIZE]; /* why the filter can't be read; empty: memory ran out */
};

/* What a reference names. */
enum domain { ANY, TEXT, DURATION, TIMESTAMP, KIND, STATUS, TRACE_ID, SPAN_ID };

struct reference {
    enum fg_field field;
    struct fg_slice key; /* of an attribute */
    enum domain domain;
};

static const struct fg_query *refuse(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static const struct fg_query *refuse(struct reader *reader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!*reader->message)
        vsnprintf(reader->message, sizeof reader->message, format, arguments);
    va_end(arguments);
    return NULL;
}

/* -- The query's nodes: NULL in is NULL out */

static const struct fg_query *node(struct reader *reader, const struct fg_query *content)
{
    if (++reader->node_count > FG_QUERY_NODES_MAX)
        return refuse(reader, "it has more than %u conditions", FG_QUERY_NODES_MAX);
    struct fg_query *made = fg_arena_calloc(reader->arena, 1, sizeof *made);
    if (made)
        *made = *content;
    return made;
}

static const struct fg_query *parent(struct reader *reader, enum fg_query_op op,
                                     const struct fg_query *const *children, uint32_t count)
{
    const struct fg_query **kept = fg_arena_calloc(reader->arena, count, sizeof *kept);
    if (!kept)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        if (!(kept[i] = children[i]))
            return NULL;
    return node(reader, &(struct fg_query){.op = op, .child_count = count, .children = kept});
}

static const struct fg_query *condition(struct reader *reader, const struct fg_predicate *predicate)
{
    return node(reader, &(struct fg_query){.op = FG_QUERY_SPAN, .span = *predicate});
}

static struct fg_predicate on(const struct reference *reference, enum fg_predicate_op op)
{
    return (struct fg_predicate){.op = op, .field = reference->field, .key = reference->key};
}

/* -- References */

static const struct {
    const char *name;
    enum fg_field field;
} levels[] = {{"", FG_FIELD_ATTR_ANY},
              {"span", FG_FIELD_ATTR_SPAN},
              {"resource", FG_FIELD_ATTR_RESOURCE},
              {"scope", FG_FIELD_ATTR_SCOPE},
              {"event", FG_FIELD_ATTR_EVENT},
              {"link", FG_FIELD_ATTR_LINK}};

static const struct {
    const char *level, *name;
    enum domain domain;
    enum fg_field field;
} fields[] = {
    {"span", "traceID", TRACE_ID, FG_FIELD_TRACE_ID},
    {"span", "spanID", SPAN_ID, FG_FIELD_SPAN_ID},
    {"span", "parentSpanID", SPAN_ID, FG_FIELD_PARENT_SPAN_ID},
    {"span", "name", TEXT, FG_FIELD_NAME},
    {"span", "kind", KIND, FG_FIELD_KIND},
    {"span", "status", STATUS, FG_FIELD_STATUS},
    {"span", "statusMessage", TEXT, FG_FIELD_STATUS_MESSAGE},
    {"span", "startTime", TIMESTAMP, FG_FIELD_START},
    {"span", "duration", DURATION, FG_FIELD_DURATION},
    {"resource", "service", TEXT, FG_FIELD_SERVICE},
    {"scope", "name", TEXT, FG_FIELD_SCOPE_NAME},
    {"scope", "version", TEXT, FG_FIELD_SCOPE_VERSION},
    {"event", "name", TEXT, FG_FIELD_EVENT_NAME},
};

/* A member that is a text; "" where it is absent. NULL: it is something else. */
static const char *text_member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return value ? json_string_value(value) : "";
}

static bool has_only(struct reader *reader, const json_t *object, const char *a, const char *b)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return refuse(reader, "a term is no JSON object") != NULL;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (strcmp(key, a) != 0 && strcmp(key, b) != 0)
            return refuse(reader, "unknown member '%.60s'", key) != NULL;
    }
    return true;
}

static bool read_attr(struct reader *reader, const json_t *term, struct reference *ret)
{
    if (!has_only(reader, term, "key", "level"))
        return false;
    const char *key = text_member(term, "key"), *level = text_member(term, "level");
    if (!key || !*key || !level)
        return refuse(reader, "attribute reference has no key") != NULL;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (strcmp(level, levels[i].name) != 0)
            continue;
        *ret = (struct reference){.field = levels[i].field,
                                  .key = fg_arena_copy(reader->arena, fg_slice_from_string(key))};
        return ret->key.data != NULL;
    }
    return refuse(reader, "unknown filter level '%.60s'", level) != NULL;
}

static bool read_field(struct reader *reader, const json_t *term, struct reference *ret)
{
    if (!has_only(reader, term, "name", "level"))
        return false;
    const char *name = text_member(term, "name"), *level = text_member(term, "level");
    if (!name || !level || !*name || !*level)
        return refuse(reader, "field reference needs a name and a level") != NULL;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(level, fields[i].level) != 0 || strcmp(name, fields[i].name) != 0)
            continue;
        *ret = (struct reference){.field = fields[i].field, .domain = fields[i].domain};
        return true;
    }
    return refuse(reader, "the field %.40s.%.40s is unknown, or none that can be searched", level,
                  name) != NULL;
}

/* The one member that a term has. */
static const char *kind_of(struct reader *reader, const json_t *term, const json_t **ret_content)
{
    const char *key = NULL, *found = NULL;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)term, key, value)
    {
        found = found ? "" : key;
        *ret_content = value;
    }
    if (found && *found)
        return found;
    refuse(reader, "an argument must have exactly one of attr, field, nested, scalar, list or "
                   "call");
    return "";
}

static bool read_reference(struct reader *reader, const char *op, const json_t *term,
                           struct reference *ret)
{
    const json_t *content = NULL;
    const char *kind = kind_of(reader, term, &content), *level;
    bool ok = false;
    if (strcmp(kind, "attr") == 0)
        ok = read_attr(reader, content, ret);
    else if (strcmp(kind, "field") == 0)
        ok = read_field(reader, content, ret);
    else
        refuse(reader, "operator '%.20s' takes a reference here, and a constant on the other side",
               op);
    level = ok ? text_member(content, "level") : "";
    if (ok && reader->is_bound && strcmp(level, reader->bound) != 0)
        ok = refuse(reader, "inside 'some' only the %s it is about can be asked", reader->bound) !=
             NULL;
    return ok;
}

/* -- Constants */

static bool is_number(const char *text, struct fg_predicate *predicate)
{
    char *end;
    if (*text <= ' ' || strlen(text) >= NUMBER_TEXT_SIZE)
        return false;
    errno = 0;
    long long integer = strtoll(text, &end, 10);
    if (*end == 0 && errno == 0) {
        predicate->type = FG_VALUE_INT;
        predicate->integer = integer;
        return true;
    }
    double number = strtod(text, &end);
    predicate->type = FG_VALUE_DOUBLE;
    predicate->number = number;
    return *end == 0 && isfinite(number);
}

static bool is_bool(const char *text, struct fg_predicate *predicate)
{
    predicate->type = FG_VALUE_BOOL;
    predicate->boolean = strcmp(text, "true") == 0;
    return predicate->boolean || strcmp(text, "false") == 0;
}

static bool is_text(struct reader *reader, const char *text, struct fg_predicate *predicate)
{
    predicate->type = FG_VALUE_STRING;
    predicate->string = fg_arena_copy(reader->arena, fg_slice_from_string(text));
    return !reader->arena->overflow;
}

/* A constant of a stated type, or of none: then what reads alike is equal, whatever its type is. */
static const struct fg_query *compare_attr(struct reader *reader, const struct reference *reference,
                                           enum fg_predicate_op op, const char *text,
                                           const char *type)
{
    const struct fg_query *any[3];
    uint32_t count = 0;
    bool is_any = !*type, is_known = is_any || strcmp(type, "string") == 0;
    struct fg_predicate predicate = on(reference, op);
    if (is_known) {
        if (!is_text(reader, text, &predicate))
            return NULL;
        any[count++] = condition(reader, &predicate);
    }
    if (is_any || strcmp(type, "int") == 0 || strcmp(type, "double") == 0) {
        is_known = true;
        predicate = on(reference, op);
        bool ok = is_number(text, &predicate);
        ok = ok && (strcmp(type, "int") != 0 || predicate.type == FG_VALUE_INT);
        if (ok)
            any[count++] = condition(reader, &predicate);
    }
    if ((is_any && op == FG_PRED_EQ) || strcmp(type, "bool") == 0) {
        is_known = true;
        predicate = on(reference, op);
        if (op != FG_PRED_EQ)
            return refuse(reader, "a bool has no order");
        if (is_bool(text, &predicate))
            any[count++] = condition(reader, &predicate);
    }
    if (!is_known)
        return refuse(reader, "unknown filter value type '%.40s'", type);
    if (count == 0)
        return refuse(reader, "filter constant '%.60s' is not the %.40s it declares", text, type);
    return count == 1 ? any[0] : parent(reader, FG_QUERY_OR, any, count);
}

static bool read_word(const char *text, const char *const *words, size_t count, int64_t *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, words[i]) != 0)
            continue;
        *ret = (int64_t)i;
        return true;
    }
    return false;
}

static bool read_id(const char *text, struct fg_predicate *predicate)
{
    uint64_t high, low;
    if (fg_trace_id_parse(fg_slice_from_string(text), &high, &low) < 0)
        return false;
    if (predicate->field == FG_FIELD_TRACE_ID) {
        predicate->trace_id.high = high;
        predicate->trace_id.low = low;
        return true;
    }
    predicate->id = low;
    return high == 0;
}

/* A constant as the field's values are written. */
static bool read_of_field(const struct reference *reference, const char *text,
                          struct fg_predicate *predicate)
{
    static const char *const kinds[] = {"unspecified", "internal", "server",
                                        "client",      "producer", "consumer"};
    static const char *const statuses[] = {"unset", "ok", "error"};
    struct fg_slice slice = fg_slice_from_string(text);
    uint64_t ns = 0;
    predicate->type = FG_VALUE_INT;
    bool ok = false;
    switch (reference->domain) {
    case DURATION:
        ok = fg_go_duration_parse(slice, &ns) == 0;
        predicate->integer = ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
        return ok;
    case TIMESTAMP:
        ok = strchr(text, 'T') && fg_time_parse(slice, &ns) == 0;
        predicate->integer = ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
        return ok;
    case KIND:
        return read_word(text, kinds, sizeof kinds / sizeof *kinds, &predicate->integer);
    case STATUS:
        return read_word(text, statuses, sizeof statuses / sizeof *statuses, &predicate->integer);
    case TRACE_ID:
    case SPAN_ID:
        return read_id(text, predicate);
    case ANY:
    case TEXT:
        break;
    }
    return false;
}

static const struct fg_query *compare_field(struct reader *reader,
                                            const struct reference *reference,
                                            enum fg_predicate_op op, const char *text,
                                            const char *type)
{
    struct fg_predicate predicate = on(reference, op);
    bool has_order = reference->domain == TEXT || reference->domain == DURATION ||
                     reference->domain == TIMESTAMP;
    bool is_of_text = reference->domain != DURATION && reference->domain != TIMESTAMP;
    if (op != FG_PRED_EQ && !has_order)
        return refuse(reader, "that field has no order, here or there");
    if (*type && !(is_of_text && strcmp(type, "string") == 0))
        return refuse(reader,
                      "the field and a constant of type '%.40s' hold different kinds of "
                      "value",
                      type);
    if (reference->domain == TEXT)
        return is_text(reader, text, &predicate) ? condition(reader, &predicate) : NULL;
    if (!read_of_field(reference, text, &predicate))
        return refuse(reader, "'%.60s' is no value of that field", text);
    return condition(reader, &predicate);
}

static const struct fg_query *compare(struct reader *reader, const struct reference *reference,
                                      enum fg_predicate_op op, const char *text, const char *type)
{
    return reference->domain == ANY ? compare_attr(reader, reference, op, text, type)
                                    : compare_field(reader, reference, op, text, type);
}

/* The reference is there, and what equals is not so. */
static const struct fg_query *differs(struct reader *reader, const struct reference *reference,
                                      const struct fg_query *equals)
{
    if (reader->is_bound)
        return refuse(reader, "inside 'some' ne and not_in are not supported");
    const struct fg_predicate there = on(reference, FG_PRED_EXISTS);
    bool is_id = reference->domain == TRACE_ID || reference->domain == SPAN_ID;
    const struct fg_query *none = parent(reader, FG_QUERY_NOT, &equals, 1);
    const struct fg_query *both[] = {is_id ? none : condition(reader, &there), none};
    return is_id ? none : parent(reader, FG_QUERY_AND, both, 2);
}

/* -- Operators */

static const json_t *member_of(struct reader *reader, const json_t *term, const char *kind)
{
    const json_t *content = NULL;
    return strcmp(kind_of(reader, term, &content), kind) == 0 ? content : NULL;
}

static const struct fg_query *read_comparison(struct reader *reader, const char *op,
                                              const json_t *left, const json_t *right)
{
    static const struct {
        const char *name;
        enum fg_predicate_op op, turned;
    } known[] = {{"eq", FG_PRED_EQ, FG_PRED_EQ},  {"ne", FG_PRED_EQ, FG_PRED_EQ},
                 {"gt", FG_PRED_GT, FG_PRED_LT},  {"lt", FG_PRED_LT, FG_PRED_GT},
                 {"gte", FG_PRED_GE, FG_PRED_LE}, {"lte", FG_PRED_LE, FG_PRED_GE}};
    const json_t *scalar = member_of(reader, right, "scalar");
    bool is_turned = !scalar;
    struct reference reference;
    size_t i = 0;
    while (strcmp(op, known[i].name) != 0)
        i++;
    if (is_turned)
        scalar = member_of(reader, left, "scalar");
    if (!scalar)
        return refuse(reader,
                      "operator '%s' compares a reference with a constant here; two "
                      "references are not supported",
                      op);
    if (!has_only(reader, scalar, "value", "type") ||
        !read_reference(reader, op, is_turned ? right : left, &reference))
        return NULL;
    const char *value = text_member(scalar, "value"), *type = text_member(scalar, "type");
    if (!value || !type)
        return refuse(reader, "a constant's value and type are texts");
    const struct fg_query *made =
        compare(reader, &reference, is_turned ? known[i].turned : known[i].op, value, type);
    return i == 1 ? differs(reader, &reference, made) : made;
}

static const struct fg_query *read_membership(struct reader *reader, const char *op,
                                              const json_t *subject, const json_t *term)
{
    const json_t *list = member_of(reader, term, "list");
    struct reference reference;
    if (!list)
        return refuse(reader, "operator '%s' takes a list as its second argument", op);
    if (!has_only(reader, list, "values", "type") ||
        !read_reference(reader, op, subject, &reference))
        return NULL;
    const json_t *values = json_object_get(list, "values");
    const char *type = text_member(list, "type");
    uint32_t count = (uint32_t)json_array_size(values);
    if (count == 0 || !type)
        return refuse(reader, "operator '%s' takes a list with at least one element", op);
    if (!*type && reference.domain == ANY)
        return refuse(reader,
                      "operator '%s' takes a list that declares its element type when it "
                      "is compared against an attribute",
                      op);
    if (count > FG_QUERY_NODES_MAX)
        return refuse(reader, "it has more than %u conditions", FG_QUERY_NODES_MAX);
    const struct fg_query *any[FG_QUERY_NODES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        const char *value = json_string_value(json_array_get(values, i));
        if (!value)
            return refuse(reader, "a list's values are texts");
        any[i] = compare(reader, &reference, FG_PRED_EQ, value, type);
        if (!any[i])
            return NULL;
    }
    const struct fg_query *made = count == 1 ? any[0] : parent(reader, FG_QUERY_OR, any, count);
    return strcmp(op, "not_in") == 0 ? differs(reader, &reference, made) : made;
}

static const struct fg_query *read_regex(struct reader *reader, const json_t *subject,
                                         const json_t *term)
{
    const json_t *scalar = member_of(reader, term, "scalar");
    struct reference reference;
    if (!scalar || !has_only(reader, scalar, "value", "type"))
        return refuse(reader, "operator 'regex' takes a constant string as its pattern");
    if (!read_reference(reader, "regex", subject, &reference))
        return NULL;
    const char *value = text_member(scalar, "value"), *type = text_member(scalar, "type");
    struct fg_predicate predicate = on(&reference, FG_PRED_REGEX);
    if (!value || !type || (*type && strcmp(type, "string") != 0))
        return refuse(reader, "operator 'regex' takes a constant string as its pattern");
    if (reference.domain != ANY && reference.domain != TEXT)
        return refuse(reader, "operator 'regex' matches text, which that field does not hold here");
    return is_text(reader, value, &predicate) ? condition(reader, &predicate) : NULL;
}

static const struct fg_query *read_exists(struct reader *reader, const json_t *subject)
{
    static const struct fg_query always = {.op = FG_QUERY_TRUE};
    struct reference reference;
    if (!read_reference(reader, "exists", subject, &reference))
        return NULL;
    struct fg_predicate predicate = on(&reference, FG_PRED_EXISTS);
    if (reference.field == FG_FIELD_TRACE_ID || reference.field == FG_FIELD_SPAN_ID)
        return node(reader, &always);
    if (reference.field == FG_FIELD_PARENT_SPAN_ID)
        predicate = (struct fg_predicate){
            .op = FG_PRED_EQ, .field = FG_FIELD_ROOT, .type = FG_VALUE_BOOL, .boolean = false};
    return condition(reader, &predicate);
}

static const struct fg_query *read_call(struct reader *reader, const json_t *call, int depth);

/* `and`, `or`, `not`: of calls. */
static const struct fg_query *read_combination(struct reader *reader, const char *op,
                                               const json_t *args, int depth)
{
    enum fg_query_op kind = strcmp(op, "and") == 0  ? FG_QUERY_AND
                            : strcmp(op, "or") == 0 ? FG_QUERY_OR
                                                    : FG_QUERY_NOT;
    uint32_t count = (uint32_t)json_array_size(args);
    if (reader->is_bound && kind != FG_QUERY_OR)
        return refuse(reader, "inside 'some' several conditions on one element, and not, are not "
                              "supported");
    if (count > FG_QUERY_NODES_MAX)
        return refuse(reader, "it has more than %u conditions", FG_QUERY_NODES_MAX);
    const struct fg_query *children[FG_QUERY_NODES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        const json_t *nested = member_of(reader, json_array_get(args, i), "call");
        if (!nested)
            return refuse(reader, "operator '%s' takes predicates as arguments", op);
        children[i] = read_call(reader, nested, depth + 1);
        if (!children[i])
            return NULL;
    }
    return parent(reader, kind, children, count);
}

static const struct fg_query *read_some(struct reader *reader, const json_t *collection,
                                        const json_t *term, int depth)
{
    const json_t *nested = member_of(reader, collection, "nested");
    const json_t *call = member_of(reader, term, "call");
    if (!nested || !call || !has_only(reader, nested, "level", ""))
        return refuse(reader, "operator 'some' takes a collection reference and a predicate");
    const char *level = text_member(nested, "level");
    if (!level || (strcmp(level, "event") != 0 && strcmp(level, "link") != 0))
        return refuse(reader, "operator 'some' quantifies over event or link");
    if (reader->is_bound)
        return refuse(reader, "'some' inside 'some' is not supported");
    reader->is_bound = true;
    reader->bound = level;
    const struct fg_query *made = read_call(reader, call, depth + 1);
    reader->is_bound = false;
    return made;
}

static bool has_args(struct reader *reader, const char *op, const json_t *args)
{
    static const struct {
        const char *op;
        size_t min, max;
    } known[] = {{"and", 2, SIZE_MAX}, {"or", 2, SIZE_MAX}, {"not", 1, 1},   {"exists", 1, 1},
                 {"eq", 2, 2},         {"ne", 2, 2},        {"gt", 2, 2},    {"lt", 2, 2},
                 {"gte", 2, 2},        {"lte", 2, 2},       {"regex", 2, 2}, {"in", 2, 2},
                 {"not_in", 2, 2},     {"some", 2, 2}};
    size_t count = json_array_size(args), i = 0;
    while (i < sizeof known / sizeof *known && strcmp(op, known[i].op) != 0)
        i++;
    if (i == sizeof known / sizeof *known)
        return refuse(reader, "unknown filter operator '%.40s'", op) != NULL;
    if (count < known[i].min || count > known[i].max)
        return refuse(reader, "operator '%s' takes %s%zu argument(s), got %zu", op,
                      known[i].max == SIZE_MAX ? "at least " : "", known[i].min, count) != NULL;
    return true;
}

/* {"op": …, "args": […]}; as deep as DEPTH_MAX. */
static const struct fg_query *read_call(struct reader *reader, const json_t *call, int depth)
{
    if (depth > DEPTH_MAX)
        return refuse(reader, "filter nests calls more than %d deep", DEPTH_MAX);
    if (!has_only(reader, call, "op", "args"))
        return NULL;
    const char *op = text_member(call, "op");
    const json_t *args = json_object_get(call, "args");
    if (!op || !has_args(reader, op, args))
        return refuse(reader, "op is a text");
    const json_t *first = json_array_get(args, 0), *second = json_array_get(args, 1);
    if (strcmp(op, "and") == 0 || strcmp(op, "or") == 0 || strcmp(op, "not") == 0)
        return read_combination(reader, op, args, depth);
    if (strcmp(op, "exists") == 0)
        return read_exists(reader, first);
    if (strcmp(op, "some") == 0)
        return read_some(reader, first, second, depth);
    if (strcmp(op, "in") == 0 || strcmp(op, "not_in") == 0)
        return read_membership(reader, op, first, second);
    if (strcmp(op, "regex") == 0)
        return read_regex(reader, first, second);
    return read_comparison(reader, op, first, second);
}

/* -- The parameter */

bool fg_jaeger_v3_filter_param(struct fg_trace_stream *stream)
{
    struct fg_exchange *exchange = stream->exchange;
    struct fg_slice text = fg_exchange_param(exchange, "query.filter");
    struct reader reader = {.arena = &stream->query_arena};
    json_error_t error;
    if (text.size == 0)
        return true;
    if (stream->query) {
        fg_answer_invalid(exchange, "query.filter can't be combined with query.serviceName, "
                                    "query.operationName, query.durationMin, query.durationMax or "
                                    "query.attributes");
        return false;
    }
    json_t *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    const struct fg_query *query = NULL;
    if (!root)
        refuse(&reader, "%.150s", error.text);
    else
        query = read_call(&reader, root, 1);
    json_decref(root);
    stream->query = query;
    if (query)
        return true;
    if (*reader.message)
        fg_answer_invalid(exchange, "malformed parameter query.filter: %s", reader.message);
    else
        fg_answer_error(exchange, FG_ENOMEM, stream->ops->verb);
    return false;
}
