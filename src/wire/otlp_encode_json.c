/* OTLP written in its JSON mapping. A list is begun by its first item and ended by whatever comes
 * after it, since nobody tells beforehand how many there will be; what is open stands in the
 * encoder, never in the buffer, which may be emptied at any time. */
#include "otlp_encode_internal.h"

/* fg_otlp_encoder.list: which list of the open span takes items. */
enum { NO_LIST, ATTRIBUTES, EVENTS, LINKS };

static void write_text(struct fg_json_writer *json, struct fg_slice key, struct fg_slice text)
{
    if (text.size == 0)
        return;
    fg_json_key(json, key);
    fg_json_string(json, text);
}

static void write_hex(struct fg_json_writer *json, struct fg_slice key, struct fg_slice bytes)
{
    fg_json_key(json, key);
    fg_json_hex(json, bytes);
}

static void write_count(struct fg_json_writer *json, struct fg_slice key, uint32_t count)
{
    if (count == 0)
        return;
    fg_json_key(json, key);
    fg_json_uint(json, count);
}

static void write_time(struct fg_json_writer *json, struct fg_slice key, uint64_t ns)
{
    fg_json_key(json, key);
    fg_json_uint_string(json, ns);
}

/* The list of a resource, scope, event or link. */
static int write_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_otlp_encoder *encoder = arg;
    struct fg_json_writer *json = &encoder->json;
    if (!encoder->attributes_open) {
        FG_JSON_KEY(json, "attributes");
        fg_json_array_begin(json);
        encoder->attributes_open = true;
    }
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "key");
    fg_json_string(json, key);
    FG_JSON_KEY(json, "value");
    fg_otlp_value_write_json(json, value);
    fg_json_object_end(json);
    return encoder->buffer->error;
}

static void close_attributes(struct fg_otlp_encoder *encoder)
{
    if (encoder->attributes_open)
        fg_json_array_end(&encoder->json);
    encoder->attributes_open = false;
}

static void close_scope(struct fg_otlp_encoder *encoder)
{
    if (!encoder->scope_open)
        return;
    fg_json_array_end(&encoder->json); /* spans */
    fg_json_object_end(&encoder->json);
    encoder->scope_open = false;
}

static void close_resource(struct fg_otlp_encoder *encoder)
{
    close_scope(encoder);
    if (!encoder->resource_open)
        return;
    fg_json_array_end(&encoder->json); /* scopeSpans */
    fg_json_object_end(&encoder->json);
    encoder->resource_open = false;
}

static int resource_begin(void *arg, const struct fg_otlp_resource *resource)
{
    struct fg_otlp_encoder *encoder = arg;
    struct fg_json_writer *json = &encoder->json;
    close_resource(encoder);
    encoder->resource_open = true;
    encoder->schema_url = resource->schema_url;
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "resource");
    fg_json_object_begin(json);
    write_count(json, FG_SLICE("droppedAttributesCount"), resource->dropped_attributes_count);
    return encoder->buffer->error;
}

static int resource_end(void *arg)
{
    struct fg_otlp_encoder *encoder = arg;
    struct fg_json_writer *json = &encoder->json;
    close_attributes(encoder);
    fg_json_object_end(json);
    write_text(json, FG_SLICE("schemaUrl"), encoder->schema_url);
    FG_JSON_KEY(json, "scopeSpans");
    fg_json_array_begin(json);
    return encoder->buffer->error;
}

static int scope_begin(void *arg, const struct fg_otlp_scope *scope)
{
    struct fg_otlp_encoder *encoder = arg;
    struct fg_json_writer *json = &encoder->json;
    close_scope(encoder);
    encoder->scope_open = true;
    encoder->schema_url = scope->schema_url;
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "scope");
    fg_json_object_begin(json);
    write_text(json, FG_SLICE("name"), scope->name);
    write_text(json, FG_SLICE("version"), scope->version);
    write_count(json, FG_SLICE("droppedAttributesCount"), scope->dropped_attributes_count);
    return encoder->buffer->error;
}

static int scope_end(void *arg)
{
    struct fg_otlp_encoder *encoder = arg;
    struct fg_json_writer *json = &encoder->json;
    close_attributes(encoder);
    fg_json_object_end(json);
    write_text(json, FG_SLICE("schemaUrl"), encoder->schema_url);
    FG_JSON_KEY(json, "spans");
    fg_json_array_begin(json);
    return encoder->buffer->error;
}

static void write_status(struct fg_json_writer *json, const struct fg_otlp_span *span)
{
    if (span->status_code == 0 && span->status_message.size == 0)
        return;
    FG_JSON_KEY(json, "status");
    fg_json_object_begin(json);
    if (span->status_code) {
        FG_JSON_KEY(json, "code");
        fg_json_int(json, span->status_code);
    }
    write_text(json, FG_SLICE("message"), span->status_message);
    fg_json_object_end(json);
}

static int span_begin(void *arg, const struct fg_otlp_span *span)
{
    struct fg_otlp_encoder *encoder = arg;
    struct fg_json_writer *json = &encoder->json;
    encoder->list = NO_LIST;
    fg_json_object_begin(json);
    write_hex(json, FG_SLICE("traceId"), span->trace_id);
    write_hex(json, FG_SLICE("spanId"), span->span_id);
    if (span->parent_span_id.size)
        write_hex(json, FG_SLICE("parentSpanId"), span->parent_span_id);
    write_text(json, FG_SLICE("traceState"), span->trace_state);
    FG_JSON_KEY(json, "name");
    fg_json_string(json, span->name);
    if (span->kind) {
        FG_JSON_KEY(json, "kind");
        fg_json_int(json, span->kind);
    }
    write_time(json, FG_SLICE("startTimeUnixNano"), span->start_ns);
    write_time(json, FG_SLICE("endTimeUnixNano"), span->end_ns);
    write_count(json, FG_SLICE("flags"), span->flags);
    write_count(json, FG_SLICE("droppedAttributesCount"), span->dropped_attributes_count);
    write_count(json, FG_SLICE("droppedEventsCount"), span->dropped_events_count);
    write_count(json, FG_SLICE("droppedLinksCount"), span->dropped_links_count);
    write_status(json, span);
    return encoder->buffer->error;
}

/* Ends the list that took items, and begins another one. */
static void turn_to_list(struct fg_otlp_encoder *encoder, uint8_t list)
{
    struct fg_json_writer *json = &encoder->json;
    if (encoder->list == list)
        return;
    if (encoder->list == ATTRIBUTES)
        close_attributes(encoder);
    else if (encoder->list != NO_LIST)
        fg_json_array_end(json);
    encoder->list = list;
    if (list == EVENTS || list == LINKS) {
        fg_json_key(json, list == EVENTS ? FG_SLICE("events") : FG_SLICE("links"));
        fg_json_array_begin(json);
    }
}

static int span_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct fg_otlp_encoder *encoder = arg;
    turn_to_list(encoder, ATTRIBUTES);
    return write_attribute(encoder, key, value);
}

static int span_end(void *arg)
{
    struct fg_otlp_encoder *encoder = arg;
    turn_to_list(encoder, NO_LIST);
    fg_json_object_end(&encoder->json);
    return encoder->buffer->error;
}

static int event_begin(void *arg, const struct fg_otlp_event *event)
{
    struct fg_otlp_encoder *encoder = arg;
    struct fg_json_writer *json = &encoder->json;
    turn_to_list(encoder, EVENTS);
    fg_json_object_begin(json);
    write_time(json, FG_SLICE("timeUnixNano"), event->time_ns);
    FG_JSON_KEY(json, "name");
    fg_json_string(json, event->name);
    write_count(json, FG_SLICE("droppedAttributesCount"), event->dropped_attributes_count);
    return encoder->buffer->error;
}

static int link_begin(void *arg, const struct fg_otlp_link *link)
{
    struct fg_otlp_encoder *encoder = arg;
    struct fg_json_writer *json = &encoder->json;
    turn_to_list(encoder, LINKS);
    fg_json_object_begin(json);
    write_hex(json, FG_SLICE("traceId"), link->trace_id);
    write_hex(json, FG_SLICE("spanId"), link->span_id);
    write_text(json, FG_SLICE("traceState"), link->trace_state);
    write_count(json, FG_SLICE("flags"), link->flags);
    write_count(json, FG_SLICE("droppedAttributesCount"), link->dropped_attributes_count);
    return encoder->buffer->error;
}

static int item_end(void *arg)
{
    struct fg_otlp_encoder *encoder = arg;
    close_attributes(encoder);
    fg_json_object_end(&encoder->json);
    return encoder->buffer->error;
}

const struct fg_otlp_visitor fg_otlp_json_visitor = {
    .resource_begin = resource_begin,
    .resource_attribute = write_attribute,
    .resource_end = resource_end,
    .scope_begin = scope_begin,
    .scope_attribute = write_attribute,
    .scope_end = scope_end,
    .span_begin = span_begin,
    .span_attribute = span_attribute,
    .event_begin = event_begin,
    .event_attribute = write_attribute,
    .event_end = item_end,
    .link_begin = link_begin,
    .link_attribute = write_attribute,
    .link_end = item_end,
    .span_end = span_end,
};

void fg_otlp_json_begin(struct fg_otlp_encoder *encoder)
{
    fg_json_object_begin(&encoder->json);
    FG_JSON_KEY(&encoder->json, "resourceSpans");
    fg_json_array_begin(&encoder->json);
}

void fg_otlp_json_end(struct fg_otlp_encoder *encoder)
{
    close_resource(encoder);
    fg_json_array_end(&encoder->json);
    fg_json_object_end(&encoder->json);
}
