#include "oracle.h"

#include "wire/protobuf.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEED_DEFAULT 20261124

static enum oracle_texts texts;
static uint64_t random_state;

uint64_t oracle_seed(void)
{
    const char *text = getenv("FG_TEST_SEED");
    return text ? strtoull(text, NULL, 10) : SEED_DEFAULT;
}

/* xorshift64* (Vigna 2016). */
uint64_t oracle_random_u64(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

uint32_t oracle_random_below(uint32_t count)
{
    return (uint32_t)(oracle_random_u64() >> 33) % count;
}

uint64_t oracle_random_number(void)
{
    uint64_t number = oracle_random_u64() >> oracle_random_below(64);
    switch (oracle_random_below(4)) {
    case 0:
        return number;
    case 1:
        return UINT64_C(1) << oracle_random_below(64);
    case 2:
        return (UINT64_C(1) << oracle_random_below(64)) - 1;
    default:
        return 0 - (number & 0xff);
    }
}

/* -- Random messages
 * ---------------------------------------------------------------------------------
 */

static size_t random_size(void)
{
    static const uint32_t sizes[] = {1, 8, 16, 40, 300};
    return oracle_random_below(sizes[oracle_random_below(5)] + 1);
}

/* A character of one to four bytes; returns its size. */
static size_t random_character(char *out)
{
    uint32_t point = (uint32_t)oracle_random_u64() >> (11 + oracle_random_below(20));
    if (point == 0 || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        point = 0x10ffff;
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)((0xf00 >> size & 0xff) | point);
    return size;
}

static char *random_string(void)
{
    size_t count = random_size(), size = 0;
    char *text = malloc(4 * count + 1);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        if (texts == ORACLE_UTF8)
            size += random_character(text + size);
        else
            text[size++] = (char)(1 + oracle_random_below(255));
    }
    text[size] = 0;
    return text;
}

static ProtobufCBinaryData random_bytes(void)
{
    ProtobufCBinaryData data = {.len = random_size()};
    data.data = malloc(data.len + 1);
    assert_non_null(data.data);
    for (size_t i = 0; i < data.len; i++)
        data.data[i] = (uint8_t)oracle_random_below(256);
    return data;
}

static ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *type, unsigned depth);

static void set_random(const ProtobufCFieldDescriptor *field, void *member, unsigned depth)
{
    uint64_t number = oracle_random_number();
    ProtobufCBinaryData data;
    ProtobufCMessage *message;
    char *string;
    int value;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        string = random_string();
        memcpy(member, &string, sizeof string);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        data = random_bytes();
        memcpy(member, &data, sizeof data);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        message = random_message(field->descriptor, depth + 1);
        memcpy(member, &message, sizeof message);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        value = (int)(number & 1);
        memcpy(member, &value, sizeof value);
        break;
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        memcpy(member, &number, 4);
        break;
    default:
        memcpy(member, &number, 8);
        break;
    }
}

static size_t type_size(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_BYTES ? sizeof(ProtobufCBinaryData) : sizeof(void *);
}

static void set_random_list(const ProtobufCFieldDescriptor *field, uint8_t *message, unsigned depth)
{
    size_t count = depth > 10 ? 0 : oracle_random_below(4), size = type_size(field);
    uint8_t *items = calloc(count + 1, size);
    assert_non_null(items);
    for (size_t i = 0; i < count; i++)
        set_random(field, items + i * size, depth);
    memcpy(message + field->offset, &items, sizeof items);
    memcpy(message + field->quantifier_offset, &count, sizeof count);
}

static ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *type, unsigned depth)
{
    uint8_t *message = calloc(1, type->sizeof_message);
    assert_non_null(message);
    type->message_init((ProtobufCMessage *)message);
    /* Of a oneof one field, or none. */
    unsigned chosen = oracle_random_below(type->n_fields + 1);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            if (i != chosen)
                continue;
            memcpy(message + field->quantifier_offset, &field->id, sizeof field->id);
            set_random(field, message + field->offset, depth);
        } else if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            set_random_list(field, message, depth);
        } else if (oracle_random_below(4)) {
            set_random(field, message + field->offset, depth);
        }
    }
    return (ProtobufCMessage *)message;
}

/* -- What should be recorded of a message
 * ---------------------------------------------------------------
 */

static struct fg_slice text_of(const char *string)
{
    return fg_slice_from_string(string);
}

static struct fg_slice bytes_of(ProtobufCBinaryData data)
{
    return fg_slice(data.data, data.len);
}

static void value_text(struct fg_buffer *text, const Oracle__AnyValue *value)
{
    switch (value ? value->value_case : ORACLE__ANY_VALUE__VALUE__NOT_SET) {
    case ORACLE__ANY_VALUE__VALUE_STRING_VALUE:
        record_bytes(text, text_of(value->string_value));
        break;
    case ORACLE__ANY_VALUE__VALUE_BYTES_VALUE:
        fg_buffer_append_string(text, "bytes");
        record_bytes(text, bytes_of(value->bytes_value));
        break;
    case ORACLE__ANY_VALUE__VALUE_BOOL_VALUE:
        fg_buffer_append_string(text, value->bool_value ? "true" : "false");
        break;
    case ORACLE__ANY_VALUE__VALUE_INT_VALUE:
        fg_buffer_append_format(text, "%" PRId64, value->int_value);
        break;
    case ORACLE__ANY_VALUE__VALUE_DOUBLE_VALUE:
        record_double(text, value->double_value);
        break;
    case ORACLE__ANY_VALUE__VALUE_ARRAY_VALUE:
        fg_buffer_append_byte(text, '[');
        for (size_t i = 0; i < value->array_value->n_values; i++) {
            value_text(text, value->array_value->values[i]);
            fg_buffer_append_byte(text, ',');
        }
        fg_buffer_append_byte(text, ']');
        break;
    case ORACLE__ANY_VALUE__VALUE_KVLIST_VALUE:
        fg_buffer_append_byte(text, '{');
        for (size_t i = 0; i < value->kvlist_value->n_values; i++) {
            record_bytes(text, text_of(value->kvlist_value->values[i]->key));
            fg_buffer_append_byte(text, ':');
            value_text(text, value->kvlist_value->values[i]->value);
            fg_buffer_append_byte(text, ',');
        }
        fg_buffer_append_byte(text, '}');
        break;
    default:
        fg_buffer_append_string(text, "empty");
        break;
    }
}

static void expect_attributes(struct record *record, const char *owner, size_t count,
                              Oracle__KeyValue *const *attributes)
{
    for (size_t i = 0; i < count; i++) {
        record_attribute_key(record, owner, text_of(attributes[i]->key));
        value_text(&record->text, attributes[i]->value);
        fg_buffer_append_byte(&record->text, '\n');
    }
}

static void expect_event(struct record *record, const Oracle__Event *event)
{
    struct fg_otlp_event scalars = {
        .name = text_of(event->name),
        .time_ns = event->time_unix_nano,
        .dropped_attributes_count = event->dropped_attributes_count,
        .attribute_count = (uint32_t)event->n_attributes,
    };
    record_visitor.event_begin(record, &scalars);
    expect_attributes(record, "event", event->n_attributes, event->attributes);
    record_visitor.event_end(record);
}

static void expect_link(struct record *record, const Oracle__Link *link)
{
    struct fg_otlp_link scalars = {
        .trace_id = bytes_of(link->trace_id),
        .span_id = bytes_of(link->span_id),
        .trace_state = text_of(link->trace_state),
        .flags = link->flags,
        .dropped_attributes_count = link->dropped_attributes_count,
        .attribute_count = (uint32_t)link->n_attributes,
    };
    record_visitor.link_begin(record, &scalars);
    expect_attributes(record, "link", link->n_attributes, link->attributes);
    record_visitor.link_end(record);
}

static void expect_span(struct record *record, const Oracle__Span *span)
{
    struct fg_otlp_span scalars = {
        .trace_id = bytes_of(span->trace_id),
        .span_id = bytes_of(span->span_id),
        .parent_span_id = bytes_of(span->parent_span_id),
        .trace_state = text_of(span->trace_state),
        .name = text_of(span->name),
        .status_message = text_of(span->status ? span->status->message : ""),
        .start_ns = span->start_time_unix_nano,
        .end_ns = span->end_time_unix_nano,
        .kind = (int32_t)span->kind,
        .status_code = span->status ? (int32_t)span->status->code : 0,
        .flags = span->flags,
        .dropped_attributes_count = span->dropped_attributes_count,
        .dropped_events_count = span->dropped_events_count,
        .dropped_links_count = span->dropped_links_count,
        .attribute_count = (uint32_t)span->n_attributes,
        .event_count = (uint32_t)span->n_events,
        .link_count = (uint32_t)span->n_links,
    };
    record_visitor.span_begin(record, &scalars);
    expect_attributes(record, "span", span->n_attributes, span->attributes);
    for (size_t i = 0; i < span->n_events; i++)
        expect_event(record, span->events[i]);
    for (size_t i = 0; i < span->n_links; i++)
        expect_link(record, span->links[i]);
    record_visitor.span_end(record);
}

static void expect_scope(struct record *record, const Oracle__ScopeSpans *scope_spans)
{
    Oracle__Scope none;
    oracle__scope__init(&none);
    const Oracle__Scope *scope = scope_spans->scope ? scope_spans->scope : &none;
    struct fg_otlp_scope scalars = {
        .name = text_of(scope->name),
        .version = text_of(scope->version),
        .schema_url = text_of(scope_spans->schema_url),
        .dropped_attributes_count = scope->dropped_attributes_count,
        .attribute_count = (uint32_t)scope->n_attributes,
    };
    record_visitor.scope_begin(record, &scalars);
    expect_attributes(record, "scope", scope->n_attributes, scope->attributes);
    record_visitor.scope_end(record);
    for (size_t i = 0; i < scope_spans->n_spans; i++)
        expect_span(record, scope_spans->spans[i]);
}

void oracle_expect(struct record *record, const Oracle__Request *request)
{
    Oracle__Resource none;
    oracle__resource__init(&none);
    for (size_t i = 0; i < request->n_resource_spans; i++) {
        const Oracle__ResourceSpans *spans = request->resource_spans[i];
        const Oracle__Resource *resource = spans->resource ? spans->resource : &none;
        struct fg_otlp_resource scalars = {
            .schema_url = text_of(spans->schema_url),
            .dropped_attributes_count = resource->dropped_attributes_count,
            .attribute_count = (uint32_t)resource->n_attributes,
        };
        record_visitor.resource_begin(record, &scalars);
        expect_attributes(record, "resource", resource->n_attributes, resource->attributes);
        record_visitor.resource_end(record);
        for (size_t k = 0; k < spans->n_scope_spans; k++)
            expect_scope(record, spans->scope_spans[k]);
    }
}

/* -- Rounds
 * ------------------------------------------------------------------------------------------
 */

void oracle_round_begin(struct oracle_round *round, uint64_t number, enum oracle_texts allowed)
{
    texts = allowed;
    random_state = oracle_seed() + number * UINT64_C(0x9e3779b97f4a7c15);
    oracle_random_u64();
    round->message = random_message(&oracle__request__descriptor, 0);
    fg_buffer_init(&round->packed, 1 << 24);
    size_t size = protobuf_c_message_get_packed_size(round->message);
    uint8_t *out = fg_buffer_reserve(&round->packed, size + 1);
    assert_non_null(out);
    round->packed.size = protobuf_c_message_pack(round->message, out);
    record_init(&round->expected);
    record_init(&round->recorded);
    oracle_expect(&round->expected, (const Oracle__Request *)round->message);
}

void oracle_round_compare(struct oracle_round *round, uint64_t number)
{
    const char *expected = record_text(&round->expected);
    const char *recorded = record_text(&round->recorded);
    size_t at = 0, line = 0;
    for (; expected[at] && expected[at] == recorded[at]; at++)
        if (expected[at] == '\n')
            line = at + 1;
    if (expected[at] != recorded[at])
        fail_msg("seed %" PRIu64 ", round %" PRIu64 "\nexpected: %.*s\nrecorded: %.*s",
                 oracle_seed(), number, (int)strcspn(expected + line, "\n"), expected + line,
                 (int)strcspn(recorded + line, "\n"), recorded + line);
}

void oracle_round_end(struct oracle_round *round)
{
    protobuf_c_message_free_unpacked(round->message, NULL);
    fg_buffer_free(&round->packed);
    record_free(&round->expected);
    record_free(&round->recorded);
}
