/* The body of a search that is posted, {"query": {…}}, as the parameters of one that is not: the
 * same names after `query.`, in camelCase or snake_case; what is an object stays JSON. */
#include "jaeger_v3_params.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define PARAMS_SIZE_MAX ((size_t)512 << 10)

static void append_escaped(struct fg_buffer *out, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (is_plain) {
            fg_buffer_append_byte(out, c);
            continue;
        }
        fg_buffer_append_byte(out, '%');
        fg_buffer_append_byte(out, (uint8_t)digits[c >> 4]);
        fg_buffer_append_byte(out, (uint8_t)digits[c & 15]);
    }
}

static int append_value(struct fg_buffer *out, const json_t *value)
{
    if (json_is_string(value)) {
        append_escaped(out, json_string_value(value));
    } else if (json_is_object(value)) {
        char *text = json_dumps(value, JSON_COMPACT);
        if (!text)
            return FG_ENOMEM;
        append_escaped(out, text);
        free(text);
    } else if (json_is_boolean(value)) {
        append_escaped(out, json_is_true(value) ? "true" : "false");
    } else if (json_is_integer(value)) {
        fg_buffer_append_format(out, "%lld", (long long)json_integer_value(value));
    } else {
        return json_is_null(value) ? 0 : FG_EINVALID;
    }
    return out->error;
}

static bool is_known(const char *name)
{
    static const char *const known[] = {
        "serviceName",  "service_name",   "operationName", "operation_name", "attributes",
        "startTimeMin", "start_time_min", "startTimeMax",  "start_time_max", "durationMin",
        "duration_min", "durationMax",    "duration_max",  "searchDepth",    "search_depth",
        "rawTraces",    "raw_traces",     "filter"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

/* The object that the body's one member, `query`, is. NULL after a 400. */
static json_t *read_query(struct fg_exchange *exchange)
{
    struct fg_slice body = exchange->request->body;
    json_error_t error;
    json_t *root = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, &error);
    json_t *query = json_object_get(root, "query");
    if (!root)
        fg_answer_invalid(exchange, "the body is no JSON: %s (line %d)", error.text, error.line);
    else if (!json_is_object(query) || json_object_size(root) != 1)
        fg_answer_invalid(exchange, "the body must be an object with one member, query");
    else
        json_incref(query);
    bool ok = json_is_object(query) && json_object_size(root) == 1;
    json_decref(root);
    return ok ? query : NULL;
}

bool fg_jaeger_v3_take_body(struct fg_exchange *exchange)
{
    json_t *query = read_query(exchange), *value;
    const char *name;
    struct fg_buffer params;
    int r = 0;
    if (!query)
        return false;
    fg_buffer_init(&params, PARAMS_SIZE_MAX);
    json_object_foreach(query, name, value)
    {
        if (r == 0 && !is_known(name)) {
            fg_answer_invalid(exchange, "query.%.60s is not known here", name);
            r = FG_EDENIED;
        }
        if (r < 0)
            break;
        fg_buffer_append_format(&params, "%squery.%s=", params.size ? "&" : "", name);
        r = append_value(&params, value);
        if (r == FG_EINVALID)
            fg_answer_invalid(exchange,
                              "malformed parameter query.%s: expected a text, a number, "
                              "true, false or an object",
                              name);
    }
    if (r == 0) {
        exchange->request->query =
            fg_arena_copy(exchange->request->arena, fg_buffer_slice(&params));
        r = exchange->request->arena->overflow ? FG_ENOMEM : 0;
    }
    if (r < 0 && r != FG_EINVALID && r != FG_EDENIED)
        fg_answer_error(exchange, r, "read the body");
    fg_buffer_free(&params);
    json_decref(query);
    return r == 0;
}
