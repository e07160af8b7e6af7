/* OTLP in protobuf against code that protoc-c made of otlp.proto: random requests, field by field,
 * both ways, in the order that protobuf-c writes and in any other, whole and in pieces. */
#include "otlp.pb-c.h"
#include "record.h"
#include "wire/otlp_encode.h"
#include "wire/otlp_response.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROUNDS 1000

static uint64_t seed = 20261124;
static uint64_t random_state;

/* xorshift64* (Vigna 2016). */
static uint64_t random_u64(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint32_t random_below(uint32_t count)
{
    return (uint32_t)(random_u64() >> 33) % count;
}

/* Numbers around the borders of varints as often as any other. */
static uint64_t random_number(void)
{
    uint64_t number = random_u64() >> random_below(64);
    switch (random_below(4)) {
    case 0:
        return number;
    case 1:
        return UINT64_C(1) << random_below(64);
    case 2:
        return (UINT64_C(1) << random_below(64)) - 1;
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
    return random_below(sizes[random_below(5)] + 1);
}

static char *random_string(void)
{
    size_t size = random_size();
    char *text = malloc(size + 1);
    assert_non_null(text);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(1 + random_below(255));
    text[size] = 0;
    return text;
}

static ProtobufCBinaryData random_bytes(void)
{
    ProtobufCBinaryData data = {.len = random_size()};
    data.data = malloc(data.len + 1);
    assert_non_null(data.data);
    for (size_t i = 0; i < data.len; i++)
        data.data[i] = (uint8_t)random_below(256);
    return data;
}

static ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *type, unsigned depth);

static void set_random(const ProtobufCFieldDescriptor *field, void *member, unsigned depth)
{
    uint64_t number = random_number();
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
    size_t count = depth > 10 ? 0 : random_below(4), size = type_size(field);
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
    unsigned chosen = random_below(type->n_fields + 1);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            if (i != chosen)
                continue;
            memcpy(message + field->quantifier_offset, &field->id, sizeof field->id);
            set_random(field, message + field->offset, depth);
        } else if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            set_random_list(field, message, depth);
        } else if (random_below(4)) {
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
        fg_buffer_append_format(text, "%a", value->double_value);
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

static void expect(struct record *record, const Oracle__Request *request)
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

/* -- Other bytes for the same message
 * ----------------------------------------------------------------
 */

#define ITEMS_MAX 64

struct item {
    uint32_t tag;
    struct fg_buffer bytes; /* with the tag */
};

struct items {
    struct item item[ITEMS_MAX];
    size_t count;
};

static struct item *add(struct items *items, uint32_t tag)
{
    assert_true(items->count < ITEMS_MAX);
    struct item *item = &items->item[items->count++];
    item->tag = tag;
    fg_buffer_init(&item->bytes, 1 << 24);
    return item;
}

static void shuffle_message(const ProtobufCMessageDescriptor *type, struct fg_slice message,
                            struct fg_buffer *out);

/* A message's fields up to a random one as a piece of it, the rest as another. */
static void add_pieces(struct items *items, uint32_t tag, struct fg_slice content)
{
    struct fg_pb_reader reader = fg_pb_reader(content);
    uint32_t ignored = 0;
    while (!fg_pb_reader_done(&reader) && random_below(2)) {
        assert_int_equal(fg_pb_read_tag(&reader, &ignored), 0);
        assert_int_equal(fg_pb_skip(&reader, ignored), 0);
    }
    size_t first = (size_t)(reader.at - content.data);
    fg_pb_put_bytes(&add(items, tag)->bytes, tag >> 3, fg_slice(content.data, first));
    fg_pb_put_bytes(&add(items, tag)->bytes, tag >> 3, fg_slice(reader.at, content.size - first));
}

static void add_message(struct items *items, const ProtobufCFieldDescriptor *field, uint32_t tag,
                        struct fg_slice content)
{
    struct fg_buffer shuffled;
    fg_buffer_init(&shuffled, 1 << 24);
    shuffle_message(field->descriptor, content, &shuffled);
    bool is_value = field->descriptor == &oracle__any_value__descriptor;
    if (field->label != PROTOBUF_C_LABEL_REPEATED && !is_value && random_below(2)) {
        add_pieces(items, tag, fg_buffer_slice(&shuffled));
    } else {
        fg_pb_put_bytes(&add(items, tag)->bytes, field->id, fg_buffer_slice(&shuffled));
        /* A value with nothing set takes nothing away. */
        if (is_value && field->label != PROTOBUF_C_LABEL_REPEATED && random_below(4) == 0)
            fg_pb_put_bytes(&add(items, tag)->bytes, field->id, fg_slice(NULL, 0));
    }
    fg_buffer_free(&shuffled);
}

/* Overwritten by the true one, which comes later. */
static void add_earlier_scalar(struct items *items, uint32_t tag)
{
    struct item *item = add(items, tag);
    switch (tag & 7) {
    case FG_PB_VARINT:
        fg_pb_put_varint(&item->bytes, tag >> 3, random_number());
        break;
    case FG_PB_FIXED64:
        fg_pb_put_fixed64(&item->bytes, tag >> 3, random_number());
        break;
    case FG_PB_BYTES:
        fg_pb_put_bytes(&item->bytes, tag >> 3, FG_SLICE("earlier"));
        break;
    default:
        fg_pb_put_fixed32(&item->bytes, tag >> 3, (uint32_t)random_number());
        break;
    }
}

static void split_fields(const ProtobufCMessageDescriptor *type, struct fg_slice message,
                         struct items *items)
{
    struct fg_pb_reader reader = fg_pb_reader(message);
    while (!fg_pb_reader_done(&reader)) {
        const uint8_t *start = reader.at;
        uint32_t tag = 0;
        assert_int_equal(fg_pb_read_tag(&reader, &tag), 0);
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(type, tag >> 3);
        assert_non_null(field);
        if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
            struct fg_slice content = {0};
            assert_int_equal(fg_pb_read_bytes(&reader, &content), 0);
            add_message(items, field, tag, content);
            continue;
        }
        if (random_below(4) == 0)
            add_earlier_scalar(items, tag);
        assert_int_equal(fg_pb_skip(&reader, tag), 0);
        fg_buffer_append(&add(items, tag)->bytes, start, (size_t)(reader.at - start));
    }
}

/* The same fields in another order, those of one number in theirs; with fields that nobody knows.
 */
static void shuffle_message(const ProtobufCMessageDescriptor *type, struct fg_slice message,
                            struct fg_buffer *out)
{
    static const uint32_t types[] = {FG_PB_VARINT, FG_PB_FIXED64, FG_PB_BYTES, FG_PB_FIXED32};
    struct items *items = calloc(1, sizeof *items);
    assert_non_null(items);
    split_fields(type, message, items);
    while (random_below(3) == 0 && items->count < ITEMS_MAX)
        add_earlier_scalar(items, FG_PB_TAG(100 + random_below(100000), types[random_below(4)]));
    size_t left = items->count;
    while (left) {
        /* The first of the number of a random one that is left. */
        size_t pick = random_below((uint32_t)items->count), first = 0;
        if (items->item[pick].tag == 0)
            continue;
        while (items->item[first].tag >> 3 != items->item[pick].tag >> 3)
            first++;
        fg_buffer_append_slice(out, fg_buffer_slice(&items->item[first].bytes));
        fg_buffer_free(&items->item[first].bytes);
        items->item[first].tag = 0;
        left--;
    }
    assert_int_equal(out->error, 0);
    free(items);
}

/* -- The tests
 * ---------------------------------------------------------------------------------------
 */

struct round {
    ProtobufCMessage *message;
    struct fg_buffer packed;
    struct record expected;
    struct record recorded;
};

static void round_begin(struct round *round, uint64_t number)
{
    random_state = seed + number * UINT64_C(0x9e3779b97f4a7c15);
    random_u64();
    round->message = random_message(&oracle__request__descriptor, 0);
    fg_buffer_init(&round->packed, 1 << 24);
    size_t size = protobuf_c_message_get_packed_size(round->message);
    uint8_t *out = fg_buffer_reserve(&round->packed, size + 1);
    assert_non_null(out);
    round->packed.size = protobuf_c_message_pack(round->message, out);
    record_init(&round->expected);
    record_init(&round->recorded);
    expect(&round->expected, (const Oracle__Request *)round->message);
}

static void compare(struct round *round, uint64_t number)
{
    if (strcmp(record_text(&round->expected), record_text(&round->recorded)) != 0)
        fail_msg("seed %" PRIu64 ", round %" PRIu64 "\nexpected:\n%s\nrecorded:\n%s", seed, number,
                 record_text(&round->expected), record_text(&round->recorded));
}

static void round_end(struct round *round)
{
    protobuf_c_message_free_unpacked(round->message, NULL);
    fg_buffer_free(&round->packed);
    record_free(&round->expected);
    record_free(&round->recorded);
}

static void decode(struct fg_slice body, struct record *record)
{
    struct fg_wire_error error = {""};
    if (fg_otlp_decode_traces(body, &record_visitor, record, &error) != 0)
        fail_msg("seed %" PRIu64 ": %s", seed, error.text);
}

static void decoding_agrees_with_protobuf_c(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct round round;
        round_begin(&round, i);
        decode(fg_buffer_slice(&round.packed), &round.recorded);
        compare(&round, i);
        round_end(&round);
    }
}

static void the_order_of_bytes_does_not_matter(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct round round;
        struct fg_buffer shuffled;
        round_begin(&round, i);
        fg_buffer_init(&shuffled, 1 << 24);
        shuffle_message(&oracle__request__descriptor, fg_buffer_slice(&round.packed), &shuffled);
        decode(fg_buffer_slice(&shuffled), &round.recorded);
        compare(&round, i);
        fg_buffer_free(&shuffled);
        round_end(&round);
    }
}

static void protobuf_c_reads_what_is_encoded(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct round round;
        struct fg_otlp_encoder encoder;
        struct fg_buffer out;
        round_begin(&round, i);
        fg_buffer_init(&out, 1 << 24);
        fg_otlp_encoder_init(&encoder, FG_OTLP_PROTOBUF, &out);
        assert_int_equal(
            fg_otlp_decode_traces(fg_buffer_slice(&round.packed), encoder.visitor, &encoder, NULL),
            0);
        assert_int_equal(fg_otlp_encoder_finish(&encoder), 0);
        Oracle__Request *request = oracle__request__unpack(NULL, out.size, out.data);
        assert_non_null(request);
        expect(&round.recorded, request);
        compare(&round, i);
        oracle__request__free_unpacked(request, NULL);
        fg_buffer_free(&out);
        round_end(&round);
    }
}

static void protobuf_c_reads_responses(void **state)
{
    (void)state;
    struct fg_buffer out;
    fg_buffer_init(&out, 4096);
    fg_otlp_response_encode(&out, FG_OTLP_PROTOBUF, 0, fg_slice(NULL, 0));
    assert_int_equal(out.size, 0);

    fg_otlp_response_encode(&out, FG_OTLP_PROTOBUF, 300, FG_SLICE("trace id is all zero"));
    Oracle__Response *response = oracle__response__unpack(NULL, out.size, out.data);
    assert_non_null(response);
    assert_int_equal(response->partial_success->rejected_spans, 300);
    assert_string_equal(response->partial_success->error_message, "trace id is all zero");
    oracle__response__free_unpacked(response, NULL);

    fg_buffer_reset(&out);
    fg_rpc_status_encode(&out, FG_OTLP_PROTOBUF, FG_RPC_RESOURCE_EXHAUSTED, FG_SLICE("later"),
                         UINT64_C(61500000000));
    Oracle__RpcStatus *status = oracle__rpc_status__unpack(NULL, out.size, out.data);
    assert_non_null(status);
    assert_int_equal(status->code, 8);
    assert_string_equal(status->message, "later");
    assert_int_equal(status->n_details, 1);
    assert_string_equal(status->details[0]->type_url, "type.googleapis.com/google.rpc.RetryInfo");
    Oracle__RetryInfo *info = oracle__retry_info__unpack(NULL, status->details[0]->value.len,
                                                         status->details[0]->value.data);
    assert_non_null(info);
    assert_int_equal(info->retry_delay->seconds, 61);
    assert_int_equal(info->retry_delay->nanos, 500000000);
    oracle__retry_info__free_unpacked(info, NULL);
    oracle__rpc_status__free_unpacked(status, NULL);

    fg_buffer_reset(&out);
    fg_rpc_status_encode(&out, FG_OTLP_PROTOBUF, FG_RPC_INVALID_ARGUMENT, FG_SLICE("bad"), 0);
    status = oracle__rpc_status__unpack(NULL, out.size, out.data);
    assert_non_null(status);
    assert_int_equal(status->n_details, 0);
    oracle__rpc_status__free_unpacked(status, NULL);
    fg_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_agrees_with_protobuf_c),
        cmocka_unit_test(the_order_of_bytes_does_not_matter),
        cmocka_unit_test(protobuf_c_reads_what_is_encoded),
        cmocka_unit_test(protobuf_c_reads_responses),
    };
    const char *text = getenv("FG_TEST_SEED");
    if (text)
        seed = strtoull(text, NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
