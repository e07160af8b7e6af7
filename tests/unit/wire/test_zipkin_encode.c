/* wire/zipkin_encode.h: each field of OTLP as Zipkin has it, in one piece and drained between any
 * two calls, and arenas and buffers that are too small. */
#include "sample.h"
#include "wire/zipkin.h"
#include "wire/zipkin_encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

static struct fg_zipkin_encoder encoder;

/* Encodes the sample, which sets every field; *ret_error: the first. The caller frees the text. */
static json_t *encode_sample(size_t text_size_max, size_t arena_size_max, int *ret_error)
{
    struct fg_buffer text;
    struct fg_arena arena;
    fg_buffer_init(&text, text_size_max);
    fg_arena_init(&arena, arena_size_max);
    struct fg_json_writer json = fg_json_writer(&text);
    fg_zipkin_encoder_init(&encoder, &json, &arena);
    int r = sample_visit(encoder.visitor, &encoder);
    *ret_error = r < 0 ? r : fg_zipkin_encoder_finish(&encoder);
    json_t *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    fg_arena_free(&arena);
    fg_buffer_free(&text);
    return root;
}

static void every_field_gives_json(void **state)
{
    (void)state;
    int error;
    json_t *root = encode_sample(1 << 20, 1 << 20, &error);
    assert_int_equal(error, 0);
    assert_true(json_is_array(root) && json_array_size(root) > 0);
    json_t *span = json_array_get(root, 0), *tags = json_object_get(span, "tags"), *value;
    const char *key;
    json_object_foreach(tags, key, value) assert_true(json_is_string(value));
    json_decref(root);
}

static void what_is_too_small_is_said(void **state)
{
    (void)state;
    int error;
    json_decref(encode_sample(1 << 20, 16, &error));
    assert_int_equal(error, FG_ELIMIT);
    json_decref(encode_sample(100, 1 << 20, &error));
    assert_int_equal(error, FG_ELIMIT);
}

/* -- By hand */

struct written {
    struct fg_buffer text;
    struct fg_json_writer json;
    struct fg_arena arena;
};

static void begin(struct written *written, const struct fg_otlp_span *span)
{
    static const struct fg_otlp_resource resource;
    static const struct fg_otlp_scope scope;
    fg_buffer_init(&written->text, 1 << 20);
    fg_arena_init(&written->arena, 1 << 20);
    written->json = fg_json_writer(&written->text);
    fg_zipkin_encoder_init(&encoder, &written->json, &written->arena);
    const struct fg_otlp_value service = fg_otlp_string(FG_SLICE("a"));
    const struct fg_otlp_value pod = fg_otlp_string(FG_SLICE("pod-1"));
    assert_int_equal(encoder.visitor->resource_begin(&encoder, &resource), 0);
    assert_int_equal(
        encoder.visitor->resource_attribute(&encoder, FG_SLICE("service.name"), &service), 0);
    assert_int_equal(encoder.visitor->resource_attribute(&encoder, FG_SLICE("pod"), &pod), 0);
    assert_int_equal(encoder.visitor->resource_end(&encoder), 0);
    assert_int_equal(encoder.visitor->scope_begin(&encoder, &scope), 0);
    assert_int_equal(encoder.visitor->scope_end(&encoder), 0);
    assert_int_equal(encoder.visitor->span_begin(&encoder, span), 0);
}

static void put(const char *key, struct fg_otlp_value value)
{
    assert_int_equal(encoder.visitor->span_attribute(&encoder, fg_slice_from_string(key), &value),
                     0);
}

static void ends_as(struct written *written, const char *golden)
{
    assert_int_equal(encoder.visitor->span_end(&encoder), 0);
    assert_int_equal(fg_zipkin_encoder_finish(&encoder), 0);
    fg_buffer_append_byte(&written->text, 0);
    assert_string_equal((const char *)written->text.data, golden);
    fg_buffer_free(&written->text);
    fg_arena_free(&written->arena);
}

#define ID8(digit)  FG_SLICE("\0\0\0\0\0\0\0" digit)
#define ID16(digit) FG_SLICE("\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0" digit)

/* Of two tags of one key the span's own stays; what tells of endpoints is no tag. */
static void tags_and_endpoints(void **state)
{
    (void)state;
    struct written written;
    const struct fg_otlp_span span = {.trace_id = ID16("\2"),
                                      .span_id = ID8("\3"),
                                      .name = FG_SLICE("n"),
                                      .start_ns = 1000000,
                                      .end_ns = 1000100,
                                      .status_code = FG_OTLP_STATUS_ERROR,
                                      .kind = FG_OTLP_KIND_PRODUCER};
    begin(&written, &span);
    put("pod", fg_otlp_string(FG_SLICE("mine")));
    put("error", fg_otlp_bool(true));
    put("n", fg_otlp_int(-5));
    put("x", fg_otlp_double(0.5));
    put("net.peer.ip", fg_otlp_string(FG_SLICE("::1")));
    put("net.peer.port", fg_otlp_int(80));
    put("net.host.port", fg_otlp_string(FG_SLICE("no port")));
    ends_as(&written,
            "[{\"traceId\":\"01000000000000000000000000000002\",\"id\":"
            "\"0000000000000003\",\"kind\":\"PRODUCER\",\"name\":\"n\",\"timestamp\":1000,"
            "\"duration\":1,\"tags\":{\"otel.status_code\":\"ERROR\",\"error\":\"true\","
            "\"pod\":\"mine\",\"n\":\"-5\",\"x\":\"0.5\"},\"localEndpoint\":{"
            "\"serviceName\":\"a\"},\"remoteEndpoint\":{\"ipv6\":\"::1\",\"port\":80}}]");
}

static void an_open_span_has_no_duration(void **state)
{
    (void)state;
    struct written written;
    const struct fg_otlp_span span = {.trace_id = FG_SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7"),
                                      .span_id = ID8("\3"),
                                      .parent_span_id = ID8("\2"),
                                      .start_ns = 5000,
                                      .kind = FG_OTLP_KIND_INTERNAL};
    begin(&written, &span);
    ends_as(&written, "[{\"traceId\":\"0000000000000007\",\"parentId\":\"0000000000000002\",\"id\":"
                      "\"0000000000000003\",\"timestamp\":5,\"tags\":{\"pod\":\"pod-1\"},"
                      "\"localEndpoint\":{\"serviceName\":\"a\"}}]");
}

static void annotations(void **state)
{
    (void)state;
    struct written written;
    const struct fg_otlp_span span = {
        .trace_id = ID16("\2"), .span_id = ID8("\3"), .start_ns = 1000, .end_ns = 9000};
    const struct fg_otlp_event plain = {.name = FG_SLICE("say \"hi\""), .time_ns = 2000};
    const struct fg_otlp_event rich = {.name = FG_SLICE("e"), .time_ns = 3999};
    const struct fg_otlp_value number = fg_otlp_int(7), text = fg_otlp_string(FG_SLICE("\"\n"));
    begin(&written, &span);
    assert_int_equal(encoder.visitor->event_begin(&encoder, &plain), 0);
    assert_int_equal(encoder.visitor->event_end(&encoder), 0);
    assert_int_equal(encoder.visitor->event_begin(&encoder, &rich), 0);
    assert_int_equal(encoder.visitor->event_attribute(&encoder, FG_SLICE("k"), &number), 0);
    assert_int_equal(encoder.visitor->event_attribute(&encoder, FG_SLICE("t"), &text), 0);
    assert_int_equal(encoder.visitor->event_end(&encoder), 0);
    ends_as(&written,
            "[{\"traceId\":\"01000000000000000000000000000002\",\"id\":\"0000000000000003\","
            "\"timestamp\":1,\"duration\":8,\"tags\":{\"pod\":\"pod-1\"},\"annotations\":["
            "{\"timestamp\":2,\"value\":\"say \\\"hi\\\"\"},{\"timestamp\":3,\"value\":"
            "\"\\\"e\\\":{\\\"k\\\":7,\\\"t\\\":\\\"\\\\\\\"\\\\n\\\"}\"}],\"localEndpoint\":{"
            "\"serviceName\":\"a\"}}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_gives_json),
        cmocka_unit_test(what_is_too_small_is_said),
        cmocka_unit_test(tags_and_endpoints),
        cmocka_unit_test(an_open_span_has_no_duration),
        cmocka_unit_test(annotations),
    };
    return cmocka_run_group_tests_name("zipkin_encode", tests, NULL, NULL);
}
