/* wire/otlp.h and otlp_encode.h in both formats alike: one request with each field, skipping,
 * callbacks that fail, cut bodies, encoders that are drained, memory that runs out. What only one
 * format has is in test_otlp_protobuf.c and test_otlp_json.c. */
#include "fail_alloc.h"
#include "record.h"
#include "sample.h"
#include "wire/otlp_encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int decode(enum fg_otlp_format format, struct fg_slice body, struct record *record,
                  struct fg_wire_error *error)
{
    return format == FG_OTLP_JSON ? fg_otlp_decode_traces_json(body, &record_visitor, record, error)
                                  : fg_otlp_decode_traces(body, &record_visitor, record, error);
}

#define EACH_FORMAT(format)                                                                        \
    for (enum fg_otlp_format format = FG_OTLP_PROTOBUF; format <= FG_OTLP_JSON; format++)

static void each_field_comes_through(void **state)
{
    (void)state;
    struct record told;
    record_init(&told);
    assert_int_equal(sample_visit(&record_visitor, &told), 0);
    assert_true(strlen(sample_record) > 1000);
    EACH_FORMAT(format)
    {
        struct record record;
        struct fg_buffer body;
        struct fg_wire_error error = {""};
        record_init(&record);
        sample_encode(format, &body);
        if (decode(format, fg_buffer_slice(&body), &record, &error) != 0)
            fail_msg("%s", error.text);
        assert_string_equal(record_text(&record), sample_record);
        fg_buffer_free(&body);
        record_free(&record);
    }
    record_free(&told);
}

static void golden_json(void **state)
{
    (void)state;
    struct fg_buffer body;
    sample_encode(FG_OTLP_JSON, &body);
    fg_buffer_append_byte(&body, 0);
    assert_string_equal((const char *)body.data, sample_json);
    fg_buffer_free(&body);
}

static void nothing_is_a_request_too(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "{\"resourceSpans\":[]}"};
    EACH_FORMAT(format)
    {
        struct fg_otlp_encoder encoder;
        struct fg_buffer body;
        struct record record;
        record_init(&record);
        fg_buffer_init(&body, 100);
        fg_otlp_encoder_init(&encoder, format, &body);
        assert_int_equal(fg_otlp_encoder_finish(&encoder), 0);
        assert_true(fg_slice_equal(fg_buffer_slice(&body), fg_slice_from_string(texts[format])));
        assert_int_equal(decode(format, fg_buffer_slice(&body), &record, NULL), 0);
        assert_string_equal(record_text(&record), "");
        fg_buffer_free(&body);
        record_free(&record);
    }
}

/* Lines of sample_record but those that a skipped begin takes with it. */
static void without(const char *skip, const char *ends, struct fg_buffer *out)
{
    bool is_left_out = false;
    for (const char *line = sample_record; *line; line = strchr(line, '\n') + 1) {
        size_t size = (size_t)(strchr(line, '\n') + 1 - line);
        bool begins = strncmp(line, skip, strlen(skip)) == 0;
        /* The words at which what was skipped is over. */
        for (const char *end = ends; is_left_out && *end; end += strlen(end) + 1)
            if (strncmp(line, end, strlen(end)) == 0)
                is_left_out = false;
        if (!is_left_out)
            fg_buffer_append(out, line, size);
        if (!is_left_out && begins)
            is_left_out = true;
        else if (is_left_out && strncmp(line, ends, strlen(ends)) == 0)
            is_left_out = false;
    }
    fg_buffer_append_byte(out, 0);
}

static void what_is_skipped_is_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *skip;
        const char *ends; /* begins of lines that follow, each with its NUL */
    } cases[] = {
        {"resource schema_url", "resource\n\0"},
        {"scope name", "scope\n\0"},
        {"span name", "span\n\0"},
        {"event name='retry'", "event name='done'\0"},
        {"event name='done'", "link \0"},
        {"link ", "span.end\0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fg_buffer expected;
        fg_buffer_init(&expected, 1 << 16);
        without(cases[i].skip, cases[i].ends, &expected);
        EACH_FORMAT(format)
        {
            struct record record;
            struct fg_buffer body;
            record_init(&record);
            record.skip = cases[i].skip;
            sample_encode(format, &body);
            assert_int_equal(decode(format, fg_buffer_slice(&body), &record, NULL), 0);
            assert_string_equal(record_text(&record), (const char *)expected.data);
            fg_buffer_free(&body);
            record_free(&record);
        }
        fg_buffer_free(&expected);
    }
}

/* At each call of the request in turn. */
static void a_callbacks_error_ends_the_decoding(void **state)
{
    (void)state;
    EACH_FORMAT(format)
    {
        struct fg_buffer body;
        sample_encode(format, &body);
        for (unsigned at = 1;; at++) {
            struct record record;
            struct fg_wire_error error = {"untouched"};
            record_init(&record);
            record.fail_at = at;
            record.fail_error = FG_ENOSPACE;
            int r = decode(format, fg_buffer_slice(&body), &record, &error);
            unsigned calls = record.calls;
            assert_string_equal(error.text, "untouched");
            record_free(&record);
            if (calls < at) {
                assert_int_equal(r, 0);
                break;
            }
            assert_int_equal(r, FG_ENOSPACE);
            assert_int_equal(calls, at);
        }
        fg_buffer_free(&body);
    }
}

/* Copied to memory of that size, so that AddressSanitizer sees a read past the end. */
static void cut_bodies_are_refused(void **state)
{
    (void)state;
    EACH_FORMAT(format)
    {
        struct fg_buffer body;
        sample_encode(format, &body);
        size_t valid = 0;
        for (size_t size = 0; size < body.size; size++) {
            uint8_t *cut = malloc(size + 1);
            struct record record;
            struct fg_wire_error error = {""};
            record_init(&record);
            memcpy(cut, body.data, size);
            int r = decode(format, fg_slice(cut, size), &record, &error);
            valid += r == 0;
            if (r != 0) {
                assert_int_equal(r, FG_EINVALID);
                assert_string_not_equal(error.text, "");
            }
            record_free(&record);
            free(cut);
        }
        /* In protobuf no bytes are an empty request, and the first resource alone is one. */
        assert_int_equal(valid, format == FG_OTLP_JSON ? 0 : 2);
        fg_buffer_free(&body);
    }
}

static void bodies_past_four_gib_are_refused(void **state)
{
    (void)state;
    struct record record;
    record_init(&record);
    EACH_FORMAT(format)
    {
        struct fg_wire_error error = {""};
        struct fg_slice body = fg_slice(sample_json, (size_t)UINT32_MAX + 1);
        assert_int_equal(decode(format, body, &record, &error), FG_ELIMIT);
        assert_string_equal(error.text, "request: larger than 4 GiB");
    }
    record_free(&record);
}

/* An attribute as the wire format has it, length by length. */
static void put_plainly(struct fg_buffer *out, struct fg_slice key, struct fg_slice value)
{
    size_t entry = fg_pb_begin(out, 1);
    if (key.size)
        fg_pb_put_bytes(out, 1, key);
    size_t any = fg_pb_begin(out, 2);
    fg_pb_put_bytes(out, FG_OTLP_STRING, value);
    fg_pb_end(out, any);
    fg_pb_end(out, entry);
}

/* Up to a length of one byte an attribute is written in one go; no byte may tell. */
static void attributes_of_each_size_are_alike(void **state)
{
    (void)state;
    char text[160];
    memset(text, 'x', sizeof text);
    for (size_t key_size = 0; key_size < sizeof text; key_size += key_size < 100 ? 9 : 1) {
        struct fg_buffer plain, out;
        struct fg_otlp_encoder encoder;
        struct fg_otlp_resource resource = {.attribute_count = 0};
        struct fg_slice key = fg_slice(text, key_size);
        fg_buffer_init(&plain, 1 << 20);
        fg_buffer_init(&out, 1 << 20);
        fg_otlp_encoder_init(&encoder, FG_OTLP_PROTOBUF, &out);
        assert_int_equal(encoder.visitor->resource_begin(&encoder, &resource), 0);
        size_t spans = fg_pb_begin(&plain, 1), message = fg_pb_begin(&plain, 1);
        for (size_t size = 0; size < sizeof text; size++) {
            struct fg_otlp_value value = fg_otlp_string(fg_slice(text, size));
            assert_int_equal(encoder.visitor->resource_attribute(&encoder, key, &value), 0);
            put_plainly(&plain, key, value.string);
        }
        fg_pb_end(&plain, message);
        fg_pb_end(&plain, spans);
        assert_int_equal(encoder.visitor->resource_end(&encoder), 0);
        assert_int_equal(fg_otlp_encoder_finish(&encoder), 0);
        assert_int_equal(out.size, plain.size);
        assert_memory_equal(out.data, plain.data, plain.size);
        fg_buffer_free(&out);
        fg_buffer_free(&plain);
    }
}

static void encoders_say_that_the_buffer_is_full(void **state)
{
    (void)state;
    EACH_FORMAT(format)
    {
        struct fg_buffer body;
        sample_encode(format, &body);
        for (size_t size = 0; size < body.size; size++) {
            struct fg_otlp_encoder encoder;
            struct fg_buffer small;
            fg_buffer_init(&small, size);
            fg_otlp_encoder_init(&encoder, format, &small);
            int r = sample_visit(encoder.visitor, &encoder);
            assert_true(r == 0 || r == FG_ELIMIT);
            assert_int_equal(fg_otlp_encoder_finish(&encoder), FG_ELIMIT);
            fg_buffer_free(&small);
        }
        fg_buffer_free(&body);
    }
}

/* -- Draining: a visitor that hands each call on, and empties the buffer after it
 * ---------------------
 */

struct drained {
    struct fg_otlp_encoder encoder;
    struct fg_buffer text, whole;
};

static int drain(struct drained *drained, int r)
{
    fg_buffer_append_slice(&drained->whole, fg_buffer_slice(&drained->text));
    fg_buffer_reset(&drained->text);
    memset(drained->text.data, '#', drained->text.capacity);
    return r;
}

#define DRAINED_BEGIN(call, type)                                                                  \
    static int drained_##call(void *arg, const struct type *thing)                                 \
    {                                                                                              \
        struct drained *drained = arg;                                                             \
        return drain(drained, drained->encoder.visitor->call(&drained->encoder, thing));           \
    }
#define DRAINED_END(call)                                                                          \
    static int drained_##call(void *arg)                                                           \
    {                                                                                              \
        struct drained *drained = arg;                                                             \
        return drain(drained, drained->encoder.visitor->call(&drained->encoder));                  \
    }
#define DRAINED_ATTRIBUTE(call)                                                                    \
    static int drained_##call(void *arg, struct fg_slice key, const struct fg_otlp_value *value)   \
    {                                                                                              \
        struct drained *drained = arg;                                                             \
        return drain(drained, drained->encoder.visitor->call(&drained->encoder, key, value));      \
    }

DRAINED_BEGIN(resource_begin, fg_otlp_resource)
DRAINED_ATTRIBUTE(resource_attribute)
DRAINED_END(resource_end)
DRAINED_BEGIN(scope_begin, fg_otlp_scope)
DRAINED_ATTRIBUTE(scope_attribute)
DRAINED_END(scope_end)
DRAINED_BEGIN(span_begin, fg_otlp_span)
DRAINED_ATTRIBUTE(span_attribute)
DRAINED_BEGIN(event_begin, fg_otlp_event)
DRAINED_ATTRIBUTE(event_attribute)
DRAINED_END(event_end)
DRAINED_BEGIN(link_begin, fg_otlp_link)
DRAINED_ATTRIBUTE(link_attribute)
DRAINED_END(link_end)
DRAINED_END(span_end)

static const struct fg_otlp_visitor draining_visitor = {
    .resource_begin = drained_resource_begin,
    .resource_attribute = drained_resource_attribute,
    .resource_end = drained_resource_end,
    .scope_begin = drained_scope_begin,
    .scope_attribute = drained_scope_attribute,
    .scope_end = drained_scope_end,
    .span_begin = drained_span_begin,
    .span_attribute = drained_span_attribute,
    .event_begin = drained_event_begin,
    .event_attribute = drained_event_attribute,
    .event_end = drained_event_end,
    .link_begin = drained_link_begin,
    .link_attribute = drained_link_attribute,
    .link_end = drained_link_end,
    .span_end = drained_span_end,
};

static void json_may_be_drained_between_any_two_calls(void **state)
{
    (void)state;
    struct drained drained;
    fg_buffer_init(&drained.text, 1 << 20);
    fg_buffer_init(&drained.whole, 1 << 20);
    fg_otlp_encoder_init(&drained.encoder, FG_OTLP_JSON, &drained.text);
    assert_int_equal(sample_visit(&draining_visitor, &drained), 0);
    assert_int_equal(drain(&drained, fg_otlp_encoder_finish(&drained.encoder)), 0);
    fg_buffer_append_byte(&drained.whole, 0);
    assert_string_equal((const char *)drained.whole.data, sample_json);
    fg_buffer_free(&drained.text);
    fg_buffer_free(&drained.whole);
}

/* -- Values as JSON
 * ------------------------------------------------------------------------------------
 */

static void plain_is(struct fg_otlp_value value, const char *text)
{
    struct fg_buffer out;
    fg_buffer_init(&out, 1024);
    struct fg_json_writer json = fg_json_writer(&out);
    fg_otlp_value_write_plain(&json, &value);
    fg_buffer_append_byte(&out, 0);
    assert_int_equal(out.error, 0);
    assert_string_equal((const char *)out.data, text);
    fg_buffer_free(&out);
}

static void values_are_written_plain(void **state)
{
    (void)state;
    plain_is((struct fg_otlp_value){.type = FG_OTLP_EMPTY}, "null");
    plain_is(fg_otlp_string(FG_SLICE("x\"")), "\"x\\\"\"");
    plain_is(fg_otlp_bool(true), "true");
    plain_is(fg_otlp_int(INT64_MIN), "-9223372036854775808");
    plain_is(fg_otlp_double(0.5), "0.5");
    plain_is((struct fg_otlp_value){.type = FG_OTLP_BYTES, .bytes = FG_SLICE("\xff")}, "\"/w==\"");
    struct fg_otlp_value map;
    /* {"a": [1, "x"], "b": nothing} */
    assert_int_equal(fg_otlp_value_decode(FG_SLICE("\x32\x1b\x0a\x10\x0a\x01"
                                                   "a\x12\x0b\x2a\x09\x0a\x02\x18\x01\x0a\x03\x0a"
                                                   "\x01x\x0a\x07\x0a\x01"
                                                   "b\x12\x00\x40\x01"),
                                          &map),
                     0);
    plain_is(map, "{\"a\":[1,\"x\"],\"b\":null}");
}

/* -- Memory
 * --------------------------------------------------------------------------------------------
 */

static int count_only(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    size_t *total = arg;
    *total += key.size + value->type;
    return 0;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

#define NOTHING_BEGIN(name, type)                                                                  \
    static int name(void *arg, const struct type *thing)                                           \
    {                                                                                              \
        (void)arg;                                                                                 \
        (void)thing;                                                                               \
        return 0;                                                                                  \
    }
NOTHING_BEGIN(resource_begin, fg_otlp_resource)
NOTHING_BEGIN(scope_begin, fg_otlp_scope)
NOTHING_BEGIN(span_begin, fg_otlp_span)
NOTHING_BEGIN(event_begin, fg_otlp_event)
NOTHING_BEGIN(link_begin, fg_otlp_link)

/* Allocates nothing, so that only the decoders do. */
static const struct fg_otlp_visitor counting_visitor = {
    .resource_begin = resource_begin,
    .resource_attribute = count_only,
    .resource_end = nothing,
    .scope_begin = scope_begin,
    .scope_attribute = count_only,
    .scope_end = nothing,
    .span_begin = span_begin,
    .span_attribute = count_only,
    .event_begin = event_begin,
    .event_attribute = count_only,
    .event_end = nothing,
    .link_begin = link_begin,
    .link_attribute = count_only,
    .link_end = nothing,
    .span_end = nothing,
};

static void json_says_that_memory_ran_out(void **state)
{
    (void)state;
    size_t total = 0;
    uint64_t n = 1;
    for (;; n++) {
        fail_alloc_at(n, false);
        struct fg_wire_error error = {""};
        int r = fg_otlp_decode_traces_json(fg_slice_from_string(sample_json), &counting_visitor,
                                           &total, &error);
        if (!fail_alloc_off()) {
            assert_int_equal(r, 0);
            break;
        }
        assert_int_equal(r, FG_ENOMEM);
        assert_string_equal(error.text, "");
    }
    assert_true(n > 3);
}

static void protobuf_takes_no_memory(void **state)
{
    (void)state;
    struct fg_buffer body;
    size_t total = 0;
    sample_encode(FG_OTLP_PROTOBUF, &body);
    uint64_t before = fail_alloc_count();
    assert_int_equal(fg_otlp_decode_traces(fg_buffer_slice(&body), &counting_visitor, &total, NULL),
                     0);
    assert_int_equal(fail_alloc_count(), before);
    fg_buffer_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_field_comes_through),
        cmocka_unit_test(golden_json),
        cmocka_unit_test(nothing_is_a_request_too),
        cmocka_unit_test(what_is_skipped_is_left_out),
        cmocka_unit_test(a_callbacks_error_ends_the_decoding),
        cmocka_unit_test(cut_bodies_are_refused),
        cmocka_unit_test(bodies_past_four_gib_are_refused),
        cmocka_unit_test(attributes_of_each_size_are_alike),
        cmocka_unit_test(encoders_say_that_the_buffer_is_full),
        cmocka_unit_test(json_may_be_drained_between_any_two_calls),
        cmocka_unit_test(values_are_written_plain),
        cmocka_unit_test(json_says_that_memory_ran_out),
        cmocka_unit_test(protobuf_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
