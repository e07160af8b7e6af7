#include "message.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE_MAX 200u

static int fail(char text[MESSAGE_TEXT_SIZE], const char *name, const char *wanted)
{
    snprintf(text, MESSAGE_TEXT_SIZE, "%s is not %s", name, wanted);
    return -1;
}

static const char *text_of(const json_t *body, const char *name)
{
    const char *text = json_string_value(json_object_get(body, name));
    return text && *text && strlen(text) <= TEXT_SIZE_MAX ? text : NULL;
}

static bool is_order_id(const char *text)
{
    size_t size = strlen(text);
    return strncmp(text, "ORD-", 4) == 0 && size >= 10 && size <= 22 &&
           strspn(text + 4, "0123456789") == size - 4;
}

/* 2026-11-24T14:02:11.482Z */
static bool is_moment(const char *text)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    size_t size = sizeof form - 1;
    if (strlen(text) <= size || text[strlen(text) - 1] != 'Z')
        return false;
    for (size_t i = 0; i < size; i++)
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return true;
}

/* "bucket/object": no other host or path can be asked for by it. */
static bool is_model_key(const char *text)
{
    const char *slash = strchr(text, '/');
    return slash && slash != text && slash[1] && !strstr(text, "..") &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_/") ==
               strlen(text);
}

static bool is_known_type(const char *type)
{
    return strcmp(type, "order.submitted") == 0 || strcmp(type, "order.approved") == 0 ||
           strcmp(type, "order.cancelled") == 0;
}

static int check(struct message *message, char text[MESSAGE_TEXT_SIZE])
{
    const json_t *body = message->body;
    const char *at = text_of(body, "at");
    json_int_t version = json_integer_value(json_object_get(body, "version"));
    message->type = text_of(body, "type");
    message->order_id = text_of(body, "order_id");
    message->model_key = text_of(body, "model_key");
    if (json_integer_value(json_object_get(body, "schema")) != 1)
        return fail(text, "schema", "1");
    if (!message->type || !is_known_type(message->type))
        return fail(text, "type", "one of order.submitted, order.approved, order.cancelled");
    if (!message->order_id || !is_order_id(message->order_id))
        return fail(text, "order_id", "an order's number");
    if (version < 1 || version > 1000000)
        return fail(text, "version", "a number from 1 on");
    if (!at || !is_moment(at))
        return fail(text, "at", "a moment in UTC");
    if (strcmp(message->type, "order.submitted") == 0 &&
        (!message->model_key || !is_model_key(message->model_key)))
        return fail(text, "model_key", "bucket/object");
    snprintf(message->version, sizeof message->version, "%lld", (long long)version);
    return 0;
}

int message_read(const char *data, size_t size, struct message *ret_message,
                 char ret_text[MESSAGE_TEXT_SIZE])
{
    struct message message = {.body = json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL)};
    int r = json_is_object(message.body) ? check(&message, ret_text)
                                         : fail(ret_text, "the body", "a JSON object");
    if (r == 0)
        *ret_message = message;
    else
        message_free(&message);
    return r;
}

void message_free(struct message *message)
{
    json_decref(message->body);
    message->body = NULL;
}
