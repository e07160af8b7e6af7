/* OTLP in protobuf against code that protoc-c made of otlp.proto: random requests, field by field,
 * both ways, in the order that protobuf-c writes and in any other, whole and in pieces. */
#include "oracle.h"
#include "wire/otlp_encode.h"
#include "wire/otlp_response.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROUNDS 1000

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
    while (!fg_pb_reader_done(&reader) && oracle_random_below(2)) {
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
    if (field->label != PROTOBUF_C_LABEL_REPEATED && !is_value && oracle_random_below(2)) {
        add_pieces(items, tag, fg_buffer_slice(&shuffled));
    } else {
        fg_pb_put_bytes(&add(items, tag)->bytes, field->id, fg_buffer_slice(&shuffled));
        /* A value with nothing set takes nothing away. */
        if (is_value && field->label != PROTOBUF_C_LABEL_REPEATED && oracle_random_below(4) == 0)
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
        fg_pb_put_varint(&item->bytes, tag >> 3, oracle_random_number());
        break;
    case FG_PB_FIXED64:
        fg_pb_put_fixed64(&item->bytes, tag >> 3, oracle_random_number());
        break;
    case FG_PB_BYTES:
        fg_pb_put_bytes(&item->bytes, tag >> 3, FG_SLICE("earlier"));
        break;
    default:
        fg_pb_put_fixed32(&item->bytes, tag >> 3, (uint32_t)oracle_random_number());
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
        if (oracle_random_below(4) == 0)
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
    while (oracle_random_below(3) == 0 && items->count < ITEMS_MAX)
        add_earlier_scalar(
            items, FG_PB_TAG(100 + oracle_random_below(100000), types[oracle_random_below(4)]));
    size_t left = items->count;
    while (left) {
        /* The first of the number of a random one that is left. */
        size_t pick = oracle_random_below((uint32_t)items->count), first = 0;
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

static void decode(struct fg_slice body, struct record *record)
{
    struct fg_wire_error error = {""};
    if (fg_otlp_decode_traces(body, &record_visitor, record, &error) != 0)
        fail_msg("seed %" PRIu64 ": %s", oracle_seed(), error.text);
}

static void decoding_agrees_with_protobuf_c(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct oracle_round round;
        oracle_round_begin(&round, i, ORACLE_ANY_BYTES);
        decode(fg_buffer_slice(&round.packed), &round.recorded);
        oracle_round_compare(&round, i);
        oracle_round_end(&round);
    }
}

static void the_order_of_bytes_does_not_matter(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct oracle_round round;
        struct fg_buffer shuffled;
        oracle_round_begin(&round, i, ORACLE_ANY_BYTES);
        fg_buffer_init(&shuffled, 1 << 24);
        shuffle_message(&oracle__request__descriptor, fg_buffer_slice(&round.packed), &shuffled);
        decode(fg_buffer_slice(&shuffled), &round.recorded);
        oracle_round_compare(&round, i);
        fg_buffer_free(&shuffled);
        oracle_round_end(&round);
    }
}

static void protobuf_c_reads_what_is_encoded(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct oracle_round round;
        struct fg_otlp_encoder encoder;
        struct fg_buffer out;
        oracle_round_begin(&round, i, ORACLE_ANY_BYTES);
        fg_buffer_init(&out, 1 << 24);
        fg_otlp_encoder_init(&encoder, FG_OTLP_PROTOBUF, &out);
        assert_int_equal(
            fg_otlp_decode_traces(fg_buffer_slice(&round.packed), encoder.visitor, &encoder, NULL),
            0);
        assert_int_equal(fg_otlp_encoder_finish(&encoder), 0);
        Oracle__Request *request = oracle__request__unpack(NULL, out.size, out.data);
        assert_non_null(request);
        oracle_expect(&round.recorded, request);
        oracle_round_compare(&round, i);
        oracle__request__free_unpacked(request, NULL);
        fg_buffer_free(&out);
        oracle_round_end(&round);
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
    return cmocka_run_group_tests(tests, NULL, NULL);
}
