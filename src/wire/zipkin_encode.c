/* A span's object is written front to back: scalars and what is known of the tags at the begin,
 * tags and annotations as they come, and the endpoints at the end, since attributes tell of them.
 */
#include "wire/zipkin_encode.h"

#include "base/hash.h"
#include "wire/otlp_encode.h"

#include <stdio.h>
#include <stdlib.h>

#define NS_PER_US       UINT64_C(1000)
#define TEXT_GROWTH_MAX 8 /* an escaped byte takes six */

struct fg_zipkin_tag {
    struct fg_zipkin_tag *next;
    struct fg_slice key, text;
};

/* -- Values as texts */

static size_t size_of(const struct fg_otlp_value *value)
{
    return value->type == FG_OTLP_STRING || value->type == FG_OTLP_BYTES ||
                   value->type == FG_OTLP_ARRAY || value->type == FG_OTLP_KVLIST
               ? value->string.size
               : 0;
}

/* The text of a value; buffer holds it where it is not the value's own. */
static int value_text(const struct fg_otlp_value *value, struct fg_buffer *buffer,
                      struct fg_slice *ret_text)
{
    if (value->type == FG_OTLP_STRING || value->type == FG_OTLP_EMPTY) {
        *ret_text = value->type == FG_OTLP_STRING ? value->string : fg_slice(NULL, 0);
        return 0;
    }
    struct fg_json_writer json = fg_json_writer(buffer);
    fg_otlp_value_write_plain(&json, value);
    struct fg_slice text = fg_buffer_slice(buffer);
    bool is_quoted = buffer->error == 0 && text.size >= 2 && text.data[0] == '"';
    *ret_text = is_quoted ? fg_slice(text.data + 1, text.size - 2) : text;
    return buffer->error;
}

/* -- Tags */

static bool see(struct fg_zipkin_encoder *encoder, struct fg_slice key)
{
    uint64_t hash = fg_hash(key);
    for (uint32_t i = 0; i < encoder->seen_count; i++)
        if (encoder->seen[i] == hash)
            return false;
    if (encoder->seen_count == FG_ATTRS_MAX)
        return false;
    encoder->seen[encoder->seen_count++] = hash;
    return true;
}

/* A JSON object has each key once: of two tags the first stays. */
static void write_tag(struct fg_zipkin_encoder *encoder, struct fg_slice key, struct fg_slice text)
{
    if (!see(encoder, key))
        return;
    fg_json_key(encoder->json, key);
    fg_json_string(encoder->json, text);
}

static void write_status_tags(struct fg_zipkin_encoder *encoder, const struct fg_otlp_span *span)
{
    encoder->is_error = span->status_code == FG_OTLP_STATUS_ERROR;
    if (span->status_code == FG_OTLP_STATUS_OK)
        write_tag(encoder, FG_SLICE("otel.status_code"), FG_SLICE("OK"));
    if (!encoder->is_error)
        return;
    write_tag(encoder, FG_SLICE("otel.status_code"), FG_SLICE("ERROR"));
    write_tag(encoder, FG_SLICE("error"),
              span->status_message.size ? span->status_message : FG_SLICE("true"));
}

/* -- Endpoints */

static uint16_t keep_text(char *kept, size_t capacity, struct fg_slice text)
{
    size_t size = text.size < capacity ? text.size : 0; /* what does not fit is none */
    if (size)
        memcpy(kept, text.data, size);
    return (uint16_t)size;
}

static uint16_t port_of(struct fg_slice text)
{
    unsigned port = 0;
    for (size_t i = 0; i < text.size && port <= 65535; i++)
        port = text.data[i] >= '0' && text.data[i] <= '9'
                   ? port * 10 + (unsigned)(text.data[i] - '0')
                   : 65536;
    return port <= 65535 ? (uint16_t)port : 0;
}

/* Whether the attribute tells of an endpoint, which is where it then goes. */
static bool take_endpoint(struct fg_zipkin_encoder *encoder, struct fg_slice key,
                          struct fg_slice text)
{
    struct fg_zipkin_endpoint *local = &encoder->local, *remote = &encoder->remote;
    if (fg_slice_equal(key, FG_SLICE("net.host.ip")))
        local->ip_size = keep_text(local->ip, sizeof local->ip, text);
    else if (fg_slice_equal(key, FG_SLICE("net.host.port")))
        local->port = port_of(text);
    else if (fg_slice_equal(key, FG_SLICE("peer.service")))
        remote->service_size = keep_text(remote->service, sizeof remote->service, text);
    else if (fg_slice_equal(key, FG_SLICE("net.peer.ip")))
        remote->ip_size = keep_text(remote->ip, sizeof remote->ip, text);
    else if (fg_slice_equal(key, FG_SLICE("net.peer.port")))
        remote->port = port_of(text);
    else
        return false;
    return true;
}

static void write_endpoint(struct fg_json_writer *json, const char *name,
                           const struct fg_zipkin_endpoint *endpoint, struct fg_slice service)
{
    if (service.size == 0 && endpoint->ip_size == 0 && endpoint->port == 0)
        return;
    fg_json_key(json, fg_slice_from_string(name));
    fg_json_object_begin(json);
    if (service.size) {
        FG_JSON_KEY(json, "serviceName");
        fg_json_string(json, service);
    }
    if (endpoint->ip_size) {
        bool is_v6 = memchr(endpoint->ip, ':', endpoint->ip_size) != NULL;
        fg_json_key(json, is_v6 ? FG_SLICE("ipv6") : FG_SLICE("ipv4"));
        fg_json_string(json, fg_slice(endpoint->ip, endpoint->ip_size));
    }
    if (endpoint->port) {
        FG_JSON_KEY(json, "port");
        fg_json_uint(json, endpoint->port);
    }
    fg_json_object_end(json);
}

/* -- Resource and scope */

static int resource_begin(void *arg, const struct fg_otlp_resource *resource)
{
    struct fg_zipkin_encoder *encoder = arg;
    (void)resource;
    encoder->service = fg_slice(NULL, 0);
    encoder->tags = NULL;
    encoder->tags_end = &encoder->tags;
    return encoder->json->buffer->error;
}

static int resource_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_zipkin_encoder *encoder = arg;
    struct fg_buffer buffer;
    struct fg_slice text;
    fg_buffer_init(&buffer, 64 + TEXT_GROWTH_MAX * size_of(value));
    int r = value_text(value, &buffer, &text);
    if (r == 0 && fg_slice_equal(key, FG_SLICE("service.name"))) {
        encoder->service = fg_arena_copy(encoder->arena, text);
    } else if (r == 0) {
        struct fg_zipkin_tag *tag = fg_arena_calloc(encoder->arena, 1, sizeof *tag);
        if (tag) {
            tag->key = fg_arena_copy(encoder->arena, key);
            tag->text = fg_arena_copy(encoder->arena, text);
            *encoder->tags_end = tag;
            encoder->tags_end = &tag->next;
        }
    }
    fg_buffer_free(&buffer);
    return r == 0 && encoder->arena->overflow ? FG_ELIMIT : r;
}

static int nothing(void *arg)
{
    const struct fg_zipkin_encoder *encoder = arg;
    return encoder->json->buffer->error;
}

static int scope_begin(void *arg, const struct fg_otlp_scope *scope)
{
    struct fg_zipkin_encoder *encoder = arg;
    encoder->scope_name = fg_arena_copy(encoder->arena, scope->name);
    encoder->scope_version = fg_arena_copy(encoder->arena, scope->version);
    return encoder->arena->overflow ? FG_ELIMIT : encoder->json->buffer->error;
}

static int no_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    (void)key;
    (void)value;
    return nothing(arg);
}

/* -- Spans */

static const char *kind_name(int32_t kind)
{
    switch (kind) {
    case FG_OTLP_KIND_SERVER:
        return "SERVER";
    case FG_OTLP_KIND_CLIENT:
        return "CLIENT";
    case FG_OTLP_KIND_PRODUCER:
        return "PRODUCER";
    case FG_OTLP_KIND_CONSUMER:
        return "CONSUMER";
    default:
        return NULL;
    }
}

static bool is_zero(struct fg_slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i])
            return false;
    return true;
}

static void write_ids(struct fg_json_writer *json, const struct fg_otlp_span *span)
{
    bool is_short = span->trace_id.size == 16 && is_zero(fg_slice(span->trace_id.data, 8));
    FG_JSON_KEY(json, "traceId");
    fg_json_hex(json, is_short ? fg_slice(span->trace_id.data + 8, 8) : span->trace_id);
    if (!is_zero(span->parent_span_id)) {
        FG_JSON_KEY(json, "parentId");
        fg_json_hex(json, span->parent_span_id);
    }
    FG_JSON_KEY(json, "id");
    fg_json_hex(json, span->span_id);
}

static int span_begin(void *arg, const struct fg_otlp_span *span)
{
    struct fg_zipkin_encoder *encoder = arg;
    struct fg_json_writer *json = encoder->json;
    const char *kind = kind_name(span->kind);
    uint64_t us = span->end_ns > span->start_ns ? (span->end_ns - span->start_ns) / NS_PER_US : 0;
    fg_json_object_begin(json);
    write_ids(json, span);
    if (kind) {
        FG_JSON_KEY(json, "kind");
        fg_json_string(json, fg_slice_from_string(kind));
    }
    if (span->name.size) {
        FG_JSON_KEY(json, "name");
        fg_json_string(json, span->name);
    }
    FG_JSON_KEY(json, "timestamp");
    fg_json_uint(json, span->start_ns / NS_PER_US);
    if (span->end_ns) {
        FG_JSON_KEY(json, "duration");
        fg_json_uint(json, us ? us : 1);
    }
    encoder->local.ip_size = encoder->local.port = 0;
    encoder->remote.service_size = encoder->remote.ip_size = encoder->remote.port = 0;
    encoder->seen_count = 0;
    encoder->annotations_open = false;
    encoder->is_shared = span->shared;
    FG_JSON_KEY(json, "tags");
    fg_json_object_begin(json);
    write_status_tags(encoder, span);
    return json->buffer->error;
}

static int span_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_zipkin_encoder *encoder = arg;
    struct fg_buffer buffer;
    struct fg_slice text;
    fg_buffer_init(&buffer, 64 + TEXT_GROWTH_MAX * size_of(value));
    int r = value_text(value, &buffer, &text);
    if (r == 0 && !take_endpoint(encoder, key, text))
        write_tag(encoder, key, text);
    fg_buffer_free(&buffer);
    return r < 0 ? r : encoder->json->buffer->error;
}

/* The tags end where the first annotation comes, or the span's end. */
static void end_tags(struct fg_zipkin_encoder *encoder)
{
    if (encoder->scope_name.size)
        write_tag(encoder, FG_SLICE("otel.scope.name"), encoder->scope_name);
    if (encoder->scope_version.size)
        write_tag(encoder, FG_SLICE("otel.scope.version"), encoder->scope_version);
    for (const struct fg_zipkin_tag *tag = encoder->tags; tag; tag = tag->next)
        write_tag(encoder, tag->key, tag->text);
    fg_json_object_end(encoder->json);
}

static int span_end(void *arg)
{
    struct fg_zipkin_encoder *encoder = arg;
    struct fg_json_writer *json = encoder->json;
    if (encoder->annotations_open)
        fg_json_array_end(json);
    else
        end_tags(encoder);
    write_endpoint(json, "localEndpoint", &encoder->local, encoder->service);
    write_endpoint(json, "remoteEndpoint", &encoder->remote,
                   fg_slice(encoder->remote.service, encoder->remote.service_size));
    if (encoder->is_shared) {
        FG_JSON_KEY(json, "shared");
        fg_json_bool(json, true);
    }
    fg_json_object_end(json);
    return json->buffer->error;
}

/* -- Events: the value is one text, which is written as it comes */

/* Appends what stands between the quotes of a text in JSON. */
static int append_escaped(struct fg_json_writer *json, struct fg_slice text)
{
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, 64 + TEXT_GROWTH_MAX * text.size);
    struct fg_json_writer inner = fg_json_writer(&buffer);
    fg_json_string(&inner, text);
    int r = buffer.error;
    if (r == 0)
        fg_buffer_append(json->buffer, buffer.data + 1, buffer.size - 2);
    fg_buffer_free(&buffer);
    return r < 0 ? r : json->buffer->error;
}

static int event_begin(void *arg, const struct fg_otlp_event *event)
{
    struct fg_zipkin_encoder *encoder = arg;
    struct fg_json_writer *json = encoder->json;
    if (!encoder->annotations_open) {
        end_tags(encoder);
        FG_JSON_KEY(json, "annotations");
        fg_json_array_begin(json);
        encoder->annotations_open = true;
    }
    encoder->event_name = event->name;
    encoder->event_has_attributes = false;
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "timestamp");
    fg_json_uint(json, event->time_ns / NS_PER_US);
    FG_JSON_KEY(json, "value");
    fg_buffer_append_byte(json->buffer, '"');
    return json->buffer->error;
}

/* "name":{"key":value, as JSON within the text. */
static int event_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_zipkin_encoder *encoder = arg;
    struct fg_buffer buffer;
    bool is_first = !encoder->event_has_attributes;
    fg_buffer_init(&buffer,
                   256 + TEXT_GROWTH_MAX * (size_of(value) + key.size + encoder->event_name.size));
    struct fg_json_writer inner = fg_json_writer(&buffer);
    if (is_first) {
        fg_json_key(&inner, encoder->event_name);
        fg_json_object_begin(&inner);
    }
    inner.comma = !is_first;
    fg_json_key(&inner, key);
    fg_otlp_value_write_plain(&inner, value);
    encoder->event_has_attributes = true;
    int r = buffer.error ? buffer.error : append_escaped(encoder->json, fg_buffer_slice(&buffer));
    fg_buffer_free(&buffer);
    return r;
}

static int event_end(void *arg)
{
    struct fg_zipkin_encoder *encoder = arg;
    struct fg_json_writer *json = encoder->json;
    int r =
        append_escaped(json, encoder->event_has_attributes ? FG_SLICE("}") : encoder->event_name);
    fg_buffer_append_byte(json->buffer, '"');
    json->comma = true;
    fg_json_object_end(json);
    return r < 0 ? r : json->buffer->error;
}

static int link_begin(void *arg, const struct fg_otlp_link *link)
{
    (void)link;
    return nothing(arg);
}

static const struct fg_otlp_visitor visitor = {
    .resource_begin = resource_begin,
    .resource_attribute = resource_attribute,
    .resource_end = nothing,
    .scope_begin = scope_begin,
    .scope_attribute = no_attribute,
    .scope_end = nothing,
    .span_begin = span_begin,
    .span_attribute = span_attribute,
    .event_begin = event_begin,
    .event_attribute = event_attribute,
    .event_end = event_end,
    .link_begin = link_begin,
    .link_attribute = no_attribute,
    .link_end = nothing,
    .span_end = span_end,
};

void fg_zipkin_encoder_init(struct fg_zipkin_encoder *encoder, struct fg_json_writer *json,
                            struct fg_arena *arena)
{
    memset(encoder, 0, offsetof(struct fg_zipkin_encoder, seen));
    encoder->visitor = &visitor;
    encoder->json = json;
    encoder->arena = arena;
    encoder->tags_end = &encoder->tags;
    fg_json_array_begin(json);
}

int fg_zipkin_encoder_finish(struct fg_zipkin_encoder *encoder)
{
    fg_json_array_end(encoder->json);
    return encoder->json->buffer->error;
}
