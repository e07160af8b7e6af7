#include "body_json.h"

#include "net/request.h"

json_t *fg_body_object(struct fg_exchange *exchange, const char *const *allowed)
{
    struct fg_slice body = exchange->request->body;
    json_error_t error;
    json_t *root = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        fg_answer_invalid(exchange, "the body is no JSON: %s (line %d)", error.text, error.line);
        return NULL;
    }
    if (!json_is_object(root)) {
        fg_answer_invalid(exchange, "the body must be a JSON object");
        json_decref(root);
        return NULL;
    }
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        size_t i = 0;
        while (allowed[i] && strcmp(allowed[i], key) != 0)
            i++;
        if (allowed[i])
            continue;
        fg_answer_invalid(exchange, "the body's key '%.64s' is unknown", key);
        json_decref(root);
        return NULL;
    }
    return root;
}

struct fg_slice fg_body_text(struct fg_exchange *exchange, const json_t *value)
{
    if (!json_is_string(value))
        return (struct fg_slice){0};
    struct fg_slice text = fg_slice(json_string_value(value), json_string_length(value));
    const char *copy = fg_arena_string(exchange->request->arena, text);
    return copy ? fg_slice(copy, text.size) : (struct fg_slice){0};
}

struct fg_slice fg_body_by(struct fg_exchange *exchange, const json_t *body, size_t size_max)
{
    enum fg_identity_kind kind = exchange->identity.kind;
    struct fg_slice by = fg_body_text(exchange, json_object_get(body, "by"));
    if (kind != FG_IDENTITY_NOBODY && kind != FG_IDENTITY_LOCAL)
        by = fg_slice_from_string(exchange->identity.who);
    if (by.size > 0 && by.size <= size_max)
        return by;
    fg_answer_invalid(exchange,
                      "by: expected the name of who does it (--by NAME), of at most %zu bytes",
                      size_max);
    return (struct fg_slice){0};
}

bool fg_body_short_text(struct fg_exchange *exchange, const json_t *body, const char *key,
                        size_t size_max, struct fg_slice *ret_text)
{
    const json_t *value = json_object_get(body, key);
    struct fg_slice text = fg_body_text(exchange, value);
    if (value && !json_is_string(value))
        fg_answer_invalid(exchange, "%s: expected a text", key);
    else if (text.size > size_max)
        fg_answer_invalid(exchange, "%s: longer than %zu bytes", key, size_max);
    else
        *ret_text = text;
    return !fg_request_is_answered(exchange->request);
}
