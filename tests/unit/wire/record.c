#include "record.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

void record_init(struct record *record)
{
    *record = (struct record){.skip = ""};
    fg_buffer_init(&record->text, (size_t)1 << 30);
}

void record_reset(struct record *record)
{
    fg_buffer_reset(&record->text);
    record->calls = 0;
}

void record_free(struct record *record)
{
    fg_buffer_free(&record->text);
}

const char *record_text(struct record *record)
{
    fg_buffer_append_byte(&record->text, 0);
    assert_int_equal(record->text.error, 0);
    record->text.size--;
    return (const char *)record->text.data;
}

/* Quoted; what is not printable ASCII as \xNN. */
void record_bytes(struct fg_buffer *text, struct fg_slice bytes)
{
    fg_buffer_append_byte(text, '\'');
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t c = bytes.data[i];
        if (c < ' ' || c > '~' || c == '\'' || c == '\\')
            fg_buffer_append_format(text, "\\x%02x", c);
        else
            fg_buffer_append_byte(text, c);
    }
    fg_buffer_append_byte(text, '\'');
}

/* Exact; a NaN is as good as another. */
void record_double(struct fg_buffer *text, double number)
{
    if (isnan(number))
        fg_buffer_append_string(text, "NaN");
    else
        fg_buffer_append_format(text, "%a", number);
}

void record_value(struct fg_buffer *text, const struct fg_otlp_value *value)
{
    struct fg_otlp_items items = fg_otlp_items(value);
    struct fg_otlp_value item;
    struct fg_slice key;
    switch (value->type) {
    case FG_OTLP_EMPTY:
        fg_buffer_append_string(text, "empty");
        return;
    case FG_OTLP_STRING:
        record_bytes(text, value->string);
        return;
    case FG_OTLP_BYTES:
        fg_buffer_append_string(text, "bytes");
        record_bytes(text, value->bytes);
        return;
    case FG_OTLP_BOOL:
        fg_buffer_append_string(text, value->boolean ? "true" : "false");
        return;
    case FG_OTLP_INT:
        fg_buffer_append_format(text, "%" PRId64, value->integer);
        return;
    case FG_OTLP_DOUBLE:
        record_double(text, value->number);
        return;
    case FG_OTLP_ARRAY:
    case FG_OTLP_KVLIST:
        fg_buffer_append_byte(text, value->type == FG_OTLP_ARRAY ? '[' : '{');
        while (fg_otlp_items_next(&items, &key, &item)) {
            if (value->type == FG_OTLP_KVLIST) {
                record_bytes(text, key);
                fg_buffer_append_byte(text, ':');
            }
            record_value(text, &item);
            fg_buffer_append_byte(text, ',');
        }
        fg_buffer_append_byte(text, value->type == FG_OTLP_ARRAY ? ']' : '}');
        return;
    }
    fail_msg("a value of type %d", value->type);
}

static void text_field(struct record *record, const char *name, struct fg_slice value)
{
    if (value.size == 0)
        return;
    fg_buffer_append_format(&record->text, " %s=", name);
    record_bytes(&record->text, value);
}

static void number_field(struct record *record, const char *name, uint64_t value)
{
    if (value)
        fg_buffer_append_format(&record->text, " %s=%" PRIu64, name, value);
}

/* Ends the line that starts at begin, and says how the call is answered. */
static int answer(struct record *record, size_t begin)
{
    bool skip = record->skip[0] && record->text.size - begin >= strlen(record->skip) &&
                memcmp(record->text.data + begin, record->skip, strlen(record->skip)) == 0;
    fg_buffer_append_byte(&record->text, '\n');
    assert_int_equal(record->text.error, 0);
    if (++record->calls == record->fail_at)
        return record->fail_error;
    return skip ? FG_OTLP_SKIP : 0;
}

void record_attribute_key(struct record *record, const char *owner, struct fg_slice key)
{
    fg_buffer_append_format(&record->text, "%s.attribute ", owner);
    record_bytes(&record->text, key);
    fg_buffer_append_byte(&record->text, '=');
}

static int attribute(struct record *record, const char *owner, struct fg_slice key,
                     const struct fg_otlp_value *value)
{
    size_t begin = record->text.size;
    record_attribute_key(record, owner, key);
    record_value(&record->text, value);
    return answer(record, begin);
}

static int end(struct record *record, const char *name)
{
    size_t begin = record->text.size;
    fg_buffer_append_format(&record->text, "%s.end", name);
    return answer(record, begin);
}

static int resource_begin(void *arg, const struct fg_otlp_resource *resource)
{
    struct record *record = arg;
    size_t begin = record->text.size;
    fg_buffer_append_string(&record->text, "resource");
    text_field(record, "schema_url", resource->schema_url);
    number_field(record, "dropped_attributes", resource->dropped_attributes_count);
    number_field(record, "attributes", resource->attribute_count);
    return answer(record, begin);
}

static int resource_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    return attribute(arg, "resource", key, value);
}

static int resource_end(void *arg)
{
    return end(arg, "resource");
}

static int scope_begin(void *arg, const struct fg_otlp_scope *scope)
{
    struct record *record = arg;
    size_t begin = record->text.size;
    fg_buffer_append_string(&record->text, "scope");
    text_field(record, "name", scope->name);
    text_field(record, "version", scope->version);
    text_field(record, "schema_url", scope->schema_url);
    number_field(record, "dropped_attributes", scope->dropped_attributes_count);
    number_field(record, "attributes", scope->attribute_count);
    return answer(record, begin);
}

static int scope_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    return attribute(arg, "scope", key, value);
}

static int scope_end(void *arg)
{
    return end(arg, "scope");
}

static int span_begin(void *arg, const struct fg_otlp_span *span)
{
    struct record *record = arg;
    size_t begin = record->text.size;
    fg_buffer_append_string(&record->text, "span");
    text_field(record, "name", span->name);
    text_field(record, "trace_id", span->trace_id);
    text_field(record, "span_id", span->span_id);
    text_field(record, "parent_span_id", span->parent_span_id);
    text_field(record, "trace_state", span->trace_state);
    number_field(record, "kind", (uint32_t)span->kind);
    number_field(record, "start", span->start_ns);
    number_field(record, "end", span->end_ns);
    number_field(record, "status", (uint32_t)span->status_code);
    text_field(record, "status_message", span->status_message);
    number_field(record, "flags", span->flags);
    number_field(record, "dropped_attributes", span->dropped_attributes_count);
    number_field(record, "dropped_events", span->dropped_events_count);
    number_field(record, "dropped_links", span->dropped_links_count);
    number_field(record, "attributes", span->attribute_count);
    number_field(record, "events", span->event_count);
    number_field(record, "links", span->link_count);
    number_field(record, "shared", span->shared);
    return answer(record, begin);
}

static int span_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    return attribute(arg, "span", key, value);
}

static int span_end(void *arg)
{
    return end(arg, "span");
}

static int event_begin(void *arg, const struct fg_otlp_event *event)
{
    struct record *record = arg;
    size_t begin = record->text.size;
    fg_buffer_append_string(&record->text, "event");
    text_field(record, "name", event->name);
    number_field(record, "time", event->time_ns);
    number_field(record, "dropped_attributes", event->dropped_attributes_count);
    number_field(record, "attributes", event->attribute_count);
    return answer(record, begin);
}

static int event_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    return attribute(arg, "event", key, value);
}

static int event_end(void *arg)
{
    return end(arg, "event");
}

static int link_begin(void *arg, const struct fg_otlp_link *link)
{
    struct record *record = arg;
    size_t begin = record->text.size;
    fg_buffer_append_string(&record->text, "link");
    text_field(record, "trace_id", link->trace_id);
    text_field(record, "span_id", link->span_id);
    text_field(record, "trace_state", link->trace_state);
    number_field(record, "flags", link->flags);
    number_field(record, "dropped_attributes", link->dropped_attributes_count);
    number_field(record, "attributes", link->attribute_count);
    return answer(record, begin);
}

static int link_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    return attribute(arg, "link", key, value);
}

static int link_end(void *arg)
{
    return end(arg, "link");
}

const struct fg_otlp_visitor record_visitor = {
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
    .event_end = event_end,
    .link_begin = link_begin,
    .link_attribute = link_attribute,
    .link_end = link_end,
    .span_end = span_end,
};
