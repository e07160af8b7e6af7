/* OTLP written in protobuf. A ResourceSpans or ScopeSpans stays open until the next one, or the
 * finish: only then is its length known. */
#include "wire/otlp_encode.h"

#include "otlp_encode_internal.h"
#include "otlp_internal.h"

#include <assert.h>

static void put_bytes(struct fg_buffer *buffer, uint32_t number, struct fg_slice bytes)
{
    if (bytes.size)
        fg_pb_put_bytes(buffer, number, bytes);
}

static void put_varint(struct fg_buffer *buffer, uint32_t number, uint64_t value)
{
    if (value)
        fg_pb_put_varint(buffer, number, value);
}

/* An int32 or enum: negative ones have ten bytes. */
static void put_int32(struct fg_buffer *buffer, uint32_t number, int32_t value)
{
    put_varint(buffer, number, (uint64_t)(int64_t)value);
}

static uint8_t *store_short(uint8_t *at, uint32_t number, struct fg_slice bytes)
{
    *at++ = (uint8_t)FG_PB_TAG(number, FG_PB_BYTES);
    *at++ = (uint8_t)bytes.size;
    if (bytes.size)
        memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

/* Nearly all attributes are a short key and a short string: tags and lengths of one byte, known
 * before anything is written. False, and nothing is written, for any other. */
static bool put_short_attribute(struct fg_buffer *buffer, uint32_t number, struct fg_slice key,
                                const struct fg_otlp_value *value)
{
    enum { ONE_BYTE = 128, ENTRY_HEADS = 6 };
    size_t key_size = key.size, value_size = value->bytes.size;
    if (value->type != FG_OTLP_STRING || key_size == 0 || key_size >= ONE_BYTE ||
        value_size >= ONE_BYTE || key_size + value_size + ENTRY_HEADS >= ONE_BYTE)
        return false;
    size_t entry_size = key_size + value_size + ENTRY_HEADS;
    uint8_t *at = fg_buffer_reserve(buffer, entry_size + 2);
    if (!at)
        return true;
    buffer->size += entry_size + 2;
    *at++ = (uint8_t)FG_PB_TAG(number, FG_PB_BYTES);
    *at++ = (uint8_t)entry_size;
    at = store_short(at, ENTRY_KEY, key);
    *at++ = (uint8_t)FG_PB_TAG(ENTRY_VALUE, FG_PB_BYTES);
    *at++ = (uint8_t)(value_size + 2);
    store_short(at, FG_OTLP_STRING, value->string);
    return true;
}
static_assert(FG_PB_TAG(SPAN_ATTRIBUTES, FG_PB_BYTES) < 128, "a tag of one byte");

static int put_attribute(struct fg_buffer *buffer, uint32_t number, struct fg_slice key,
                         const struct fg_otlp_value *value)
{
    if (put_short_attribute(buffer, number, key, value))
        return buffer->error;
    size_t entry = fg_pb_begin(buffer, number);
    put_bytes(buffer, ENTRY_KEY, key);
    size_t any = fg_pb_begin(buffer, ENTRY_VALUE);
    fg_otlp_value_encode(buffer, value);
    fg_pb_end(buffer, any);
    fg_pb_end(buffer, entry);
    return buffer->error;
}

static void close_scope(struct fg_otlp_encoder *encoder)
{
    if (encoder->scope_open)
        fg_pb_end(encoder->buffer, encoder->scope_spans);
    encoder->scope_open = false;
}

static void close_resource(struct fg_otlp_encoder *encoder)
{
    close_scope(encoder);
    if (encoder->resource_open)
        fg_pb_end(encoder->buffer, encoder->resource_spans);
    encoder->resource_open = false;
}

static int resource_begin(void *arg, const struct fg_otlp_resource *resource)
{
    struct fg_otlp_encoder *encoder = arg;
    close_resource(encoder);
    encoder->resource_spans = fg_pb_begin(encoder->buffer, REQUEST_RESOURCE_SPANS);
    encoder->resource_open = true;
    encoder->schema_url = resource->schema_url;
    encoder->message = fg_pb_begin(encoder->buffer, RESOURCE_SPANS_RESOURCE);
    put_varint(encoder->buffer, RESOURCE_DROPPED_ATTRIBUTES, resource->dropped_attributes_count);
    return encoder->buffer->error;
}

static int resource_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_otlp_encoder *encoder = arg;
    return put_attribute(encoder->buffer, RESOURCE_ATTRIBUTES, key, value);
}

static int resource_end(void *arg)
{
    struct fg_otlp_encoder *encoder = arg;
    fg_pb_end(encoder->buffer, encoder->message);
    put_bytes(encoder->buffer, RESOURCE_SPANS_SCHEMA_URL, encoder->schema_url);
    return encoder->buffer->error;
}

static int scope_begin(void *arg, const struct fg_otlp_scope *scope)
{
    struct fg_otlp_encoder *encoder = arg;
    struct fg_buffer *buffer = encoder->buffer;
    close_scope(encoder);
    encoder->scope_spans = fg_pb_begin(buffer, RESOURCE_SPANS_SCOPE_SPANS);
    encoder->scope_open = true;
    encoder->schema_url = scope->schema_url;
    encoder->message = fg_pb_begin(buffer, SCOPE_SPANS_SCOPE);
    put_bytes(buffer, SCOPE_NAME, scope->name);
    put_bytes(buffer, SCOPE_VERSION, scope->version);
    put_varint(buffer, SCOPE_DROPPED_ATTRIBUTES, scope->dropped_attributes_count);
    return buffer->error;
}

static int scope_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_otlp_encoder *encoder = arg;
    return put_attribute(encoder->buffer, SCOPE_ATTRIBUTES, key, value);
}

static int scope_end(void *arg)
{
    struct fg_otlp_encoder *encoder = arg;
    fg_pb_end(encoder->buffer, encoder->message);
    put_bytes(encoder->buffer, SCOPE_SPANS_SCHEMA_URL, encoder->schema_url);
    return encoder->buffer->error;
}

static void put_status(struct fg_buffer *buffer, const struct fg_otlp_span *span)
{
    if (span->status_code == 0 && span->status_message.size == 0)
        return;
    size_t status = fg_pb_begin(buffer, SPAN_STATUS);
    put_bytes(buffer, STATUS_MESSAGE, span->status_message);
    put_int32(buffer, STATUS_CODE, span->status_code);
    fg_pb_end(buffer, status);
}

static int span_begin(void *arg, const struct fg_otlp_span *span)
{
    struct fg_otlp_encoder *encoder = arg;
    struct fg_buffer *buffer = encoder->buffer;
    encoder->message = fg_pb_begin(buffer, SCOPE_SPANS_SPANS);
    put_bytes(buffer, SPAN_TRACE_ID, span->trace_id);
    put_bytes(buffer, SPAN_SPAN_ID, span->span_id);
    put_bytes(buffer, SPAN_TRACE_STATE, span->trace_state);
    put_bytes(buffer, SPAN_PARENT_SPAN_ID, span->parent_span_id);
    put_bytes(buffer, SPAN_NAME, span->name);
    put_int32(buffer, SPAN_KIND, span->kind);
    fg_pb_put_fixed64(buffer, SPAN_START, span->start_ns);
    fg_pb_put_fixed64(buffer, SPAN_END, span->end_ns);
    put_varint(buffer, SPAN_DROPPED_ATTRIBUTES, span->dropped_attributes_count);
    put_varint(buffer, SPAN_DROPPED_EVENTS, span->dropped_events_count);
    put_varint(buffer, SPAN_DROPPED_LINKS, span->dropped_links_count);
    put_status(buffer, span);
    if (span->flags)
        fg_pb_put_fixed32(buffer, SPAN_FLAGS, span->flags);
    return buffer->error;
}

static int span_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_otlp_encoder *encoder = arg;
    return put_attribute(encoder->buffer, SPAN_ATTRIBUTES, key, value);
}

static int span_end(void *arg)
{
    struct fg_otlp_encoder *encoder = arg;
    fg_pb_end(encoder->buffer, encoder->message);
    return encoder->buffer->error;
}

static int event_begin(void *arg, const struct fg_otlp_event *event)
{
    struct fg_otlp_encoder *encoder = arg;
    struct fg_buffer *buffer = encoder->buffer;
    encoder->item = fg_pb_begin(buffer, SPAN_EVENTS);
    fg_pb_put_fixed64(buffer, EVENT_TIME, event->time_ns);
    put_bytes(buffer, EVENT_NAME, event->name);
    put_varint(buffer, EVENT_DROPPED_ATTRIBUTES, event->dropped_attributes_count);
    return buffer->error;
}

static int event_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_otlp_encoder *encoder = arg;
    return put_attribute(encoder->buffer, EVENT_ATTRIBUTES, key, value);
}

static int link_begin(void *arg, const struct fg_otlp_link *link)
{
    struct fg_otlp_encoder *encoder = arg;
    struct fg_buffer *buffer = encoder->buffer;
    encoder->item = fg_pb_begin(buffer, SPAN_LINKS);
    put_bytes(buffer, LINK_TRACE_ID, link->trace_id);
    put_bytes(buffer, LINK_SPAN_ID, link->span_id);
    put_bytes(buffer, LINK_TRACE_STATE, link->trace_state);
    put_varint(buffer, LINK_DROPPED_ATTRIBUTES, link->dropped_attributes_count);
    if (link->flags)
        fg_pb_put_fixed32(buffer, LINK_FLAGS, link->flags);
    return buffer->error;
}

static int link_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_otlp_encoder *encoder = arg;
    return put_attribute(encoder->buffer, LINK_ATTRIBUTES, key, value);
}

static int item_end(void *arg)
{
    struct fg_otlp_encoder *encoder = arg;
    fg_pb_end(encoder->buffer, encoder->item);
    return encoder->buffer->error;
}

const struct fg_otlp_visitor fg_otlp_protobuf_visitor = {
    .resource_begin = resource_begin,
    .resource_attribute = resource_attribute,
    .resource_end = resource_end,
    .scope_begin = scope_begin,
    .scope_attribute = scope_attribute,
    .scope_end = scope_end,
    .span_begin = span_begin,
    .span_attribute = span_attribute,
    .event_begin = event_begin,
    .event_attribute = event_attribute,
    .event_end = item_end,
    .link_begin = link_begin,
    .link_attribute = link_attribute,
    .link_end = item_end,
    .span_end = span_end,
};

void fg_otlp_encoder_init(struct fg_otlp_encoder *encoder, enum fg_otlp_format format,
                          struct fg_buffer *buffer)
{
    bool is_json = format == FG_OTLP_JSON;
    *encoder = (struct fg_otlp_encoder){
        .visitor = is_json ? &fg_otlp_json_visitor : &fg_otlp_protobuf_visitor,
        .buffer = buffer,
        .json = fg_json_writer(buffer),
    };
    if (is_json)
        fg_otlp_json_begin(encoder);
}

int fg_otlp_encoder_finish(struct fg_otlp_encoder *encoder)
{
    if (encoder->visitor == &fg_otlp_json_visitor)
        fg_otlp_json_end(encoder);
    else
        close_resource(encoder);
    return encoder->buffer->error;
}
