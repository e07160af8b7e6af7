/* ingest.c: what a sender is told, by each protocol, of what became of its spans. */
#include "api_fixture.h"

#include "base/limits.h"
#include "net/grpc.h"
#include "state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fixture fixture;

static const char good[] =
    "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"
    "\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"00f067aa0ba902b7\",\"name\":\"a\","
    "\"startTimeUnixNano\":\"1764071999000000000\",\"endTimeUnixNano\":\"1764071999500000000\"}"
    "]}]}]}";
static const char half_good[] =
    "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"
    "\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"00f067aa0ba902b7\",\"name\":\"a\","
    "\"startTimeUnixNano\":\"1764071999000000000\"},{\"traceId\":"
    "\"00000000000000000000000000000000\",\"spanId\":\"00f067aa0ba902b7\",\"name\":\"b\","
    "\"startTimeUnixNano\":\"1764071999000000000\"}]}]}]}";

/* TracesData { resource_spans { scope_spans { spans { … } } } } with one span. */
static struct fg_slice protobuf(uint8_t out[128], bool with_id)
{
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, 128);
    size_t resource = fg_pb_begin(&buffer, 1), scope = fg_pb_begin(&buffer, 2),
           span = fg_pb_begin(&buffer, 2);
    fg_pb_put_bytes(&buffer, 1, fg_slice("0123456789abcdef", with_id ? 16 : 3));
    fg_pb_put_bytes(&buffer, 2, fg_slice("01234567", 8));
    fg_pb_put_bytes(&buffer, 5, FG_SLICE("a"));
    fg_pb_put_fixed64(&buffer, 7, FIXTURE_NOW_NS - 1000);
    fg_pb_put_fixed64(&buffer, 8, FIXTURE_NOW_NS);
    fg_pb_end(&buffer, span);
    fg_pb_end(&buffer, scope);
    fg_pb_end(&buffer, resource);
    memcpy(out, buffer.data, buffer.size);
    size_t size = buffer.size;
    fg_buffer_free(&buffer);
    return fg_slice(out, size);
}

static unsigned post_json(const char *body)
{
    return fixture_post(&fixture, "/v1/traces", "application/json", fg_slice_from_string(body),
                        FG_FACE_OTLP_HTTP);
}

static unsigned post_zipkin(const char *body)
{
    return fixture_post(&fixture, "/api/v2/spans", "application/json", fg_slice_from_string(body),
                        FG_FACE_API);
}

/* A unary call with message; returns the gRPC status. */
static int call(struct fake_request *fake, struct fg_slice message)
{
    fake_init(fake, FG_METHOD_POST, "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
              NULL, FG_FACE_OTLP_GRPC);
    fake->request.is_grpc = true;
    fake->request.received_ns = FIXTURE_NOW_NS;
    fake_body(fake, "application/grpc", message);
    fake_run(fake, fixture.api);
    return fake->grpc_status;
}

/* -- What goes well
 * ------------------------------------------------------------------------------------
 */

static void test_json(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    assert_int_equal(post_json(good), 200);
    assert_string_equal(fixture_text(&fixture), "{}");
    assert_string_equal(fixture.last.content_type, "application/json");
    assert_int_equal(post_json("{}"), 200);
    assert_string_equal(fixture_text(&fixture), "{}");
    fixture_end(&fixture);
}

static void test_protobuf(void **state)
{
    (void)state;
    uint8_t bytes[128];
    fixture_begin(&fixture);
    assert_int_equal(fixture_post(&fixture, "/v1/traces", "Application/X-Protobuf",
                                  protobuf(bytes, true), FG_FACE_OTLP_HTTP),
                     200);
    assert_int_equal(fixture.last.answer.size, 0);
    assert_string_equal(fixture.last.content_type, "application/x-protobuf");
    assert_int_equal(fixture_post(&fixture, "/v1/traces", "application/x-protobuf",
                                  protobuf(bytes, false), FG_FACE_OTLP_HTTP),
                     200);
    /* partial_success { rejected_spans: 1, error_message: "…" } */
    assert_memory_equal(fixture.last.answer.data + 2, "\x08\x01\x12", 3);
    assert_non_null(strstr(fixture_text(&fixture) + 6, "trace id is not 16 bytes"));
    fixture_end(&fixture);
}

static void test_grpc(void **state)
{
    (void)state;
    struct fake_request fake;
    uint8_t bytes[128];
    fixture_begin(&fixture);
    assert_int_equal(call(&fake, protobuf(bytes, true)), FG_GRPC_OK);
    assert_int_equal(fake.answer.size, 0);
    fake_free(&fake);
    assert_int_equal(call(&fake, protobuf(bytes, false)), FG_GRPC_OK);
    assert_non_null(strstr(fake_text(&fake) + 6, "trace id is not 16 bytes"));
    fake_free(&fake);
    fixture_end(&fixture);
}

static void test_partial_success(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    assert_int_equal(post_json(half_good), 200);
    assert_string_equal(fixture_text(&fixture),
                        "{\"partialSuccess\":{\"rejectedSpans\":\"1\",\"errorMessage\":"
                        "\"1 span: trace id is all zero\"}}");
    assert_int_equal(fixture_get(&fixture, "/api/v1/traces/0af7651916cd43dd8448eb211c80319c", NULL),
                     200);
    fixture_end(&fixture);
}

static void test_zipkin(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    assert_int_equal(post_zipkin("[{\"traceId\":\"a5e\",\"id\":\"1\",\"timestamp\":"
                                 "1764071999000000,\"duration\":5,\"name\":\"get\"}]"),
                     202);
    assert_int_equal(fixture.last.answer.size, 0);
    assert_int_equal(fixture_get(&fixture, "/api/v1/traces/a5e", NULL), 200);
    /* No partial success in this protocol: what was left out is said by a 400. */
    assert_int_equal(post_zipkin("[{\"traceId\":\"b5e\",\"id\":\"1\",\"name\":\"get\"},"
                                 "{\"traceId\":\"c5e\",\"id\":\"1\",\"timestamp\":"
                                 "1764071999000000,\"name\":\"get\"}]"),
                     400);
    assert_string_equal(fixture_text(&fixture),
                        "{\"error\":\"1 span: start time is not set; the other spans of the "
                        "request are stored\",\"code\":\"invalid\"}");
    assert_int_equal(fixture_get(&fixture, "/api/v1/traces/c5e", NULL), 200);
    assert_int_equal(post_zipkin("[{\"traceId\":\"b5e\",\"id\":\"1\",\"name\":\"get\"}]"), 400);
    assert_string_equal(fixture_text(&fixture),
                        "{\"error\":\"1 span: start time is not set\",\"code\":\"invalid\"}");
    assert_int_equal(post_zipkin("{}"), 400);
    assert_int_equal(
        fixture_post(&fixture, "/api/v2/spans", "application/x-thrift", FG_SLICE("x"), FG_FACE_API),
        415);
    fixture_end(&fixture);
}

/* -- What does not
 * -------------------------------------------------------------------------------------
 */

static void test_malformed(void **state)
{
    (void)state;
    struct fake_request fake;
    fixture_begin(&fixture);
    assert_int_equal(post_json("{\"resourceSpans\":[{]}"), 400);
    json_t *root = fixture_json(&fixture);
    assert_int_equal(json_integer_value(json_object_get(root, "code")), FG_RPC_INVALID_ARGUMENT);
    assert_true(strlen(json_string_value(json_object_get(root, "message"))) > 10);
    json_decref(root);
    assert_int_equal(call(&fake, FG_SLICE("\x0a\xff")), FG_GRPC_INVALID_ARGUMENT);
    assert_true(strlen(fake.grpc_message) > 10);
    fake_free(&fake);
    assert_int_equal(
        fixture_post(&fixture, "/v1/traces", "text/plain", FG_SLICE("x"), FG_FACE_OTLP_HTTP), 415);
    /* gRPC's path without gRPC */
    assert_int_equal(fixture_post(&fixture,
                                  "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                                  "application/json", FG_SLICE("{}"), FG_FACE_OTLP_GRPC),
                     415);
    struct fg_api *api = fixture.api;
    assert_int_equal(atomic_load(&api->loops[0].counters.refused_requests[FG_INGEST_MALFORMED]), 4);
    fixture_end(&fixture);
}

static void test_faults_of_the_store(void **state)
{
    (void)state;
    static const struct {
        int error;
        unsigned status;
        int grpc_status;
        const char *retry_after;
        enum fg_ingest_refusal reason;
    } cases[] = {
        {FG_EAGAIN, 429, FG_GRPC_RESOURCE_EXHAUSTED, "retry-after: 1\n", FG_INGEST_OVERLOADED},
        {FG_ENOSPACE, 503, FG_GRPC_UNAVAILABLE, "retry-after: 30\n", FG_INGEST_NO_SPACE},
        {FG_EIO, 503, FG_GRPC_UNAVAILABLE, NULL, FG_INGEST_FAILED},
        {FG_ELIMIT, 413, FG_GRPC_RESOURCE_EXHAUSTED, NULL, FG_INGEST_TOO_LARGE},
        {FG_ENOMEM, 503, FG_GRPC_UNAVAILABLE, "retry-after: 1\n", FG_INGEST_FAILED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int late = 0; late < 2; late++) {
            struct fake_store_faults faults = {.append = late ? 0 : cases[i].error,
                                               .commit = late ? cases[i].error : 0};
            struct fake_request fake;
            uint8_t bytes[128];
            fixture_begin(&fixture);
            fake_store_set_faults(fixture.store, &faults);
            assert_int_equal(post_json(good), cases[i].status);
            if (cases[i].retry_after)
                assert_non_null(strstr(fixture.last.header, cases[i].retry_after));
            else
                assert_null(strstr(fixture.last.header, "retry-after"));
            assert_int_equal(call(&fake, protobuf(bytes, true)), cases[i].grpc_status);
            assert_int_equal(memmem(fake.answer.data, fake.answer.size, "RetryInfo", 9) != NULL,
                             cases[i].retry_after != NULL);
            fake_free(&fake);
            _Atomic uint64_t *refused = fixture.api->loops[0].counters.refused_requests;
            assert_int_equal(atomic_load(&refused[cases[i].reason]), 2);
            /* It is over when it is over. */
            fake_store_set_faults(fixture.store, &(struct fake_store_faults){0});
            assert_int_equal(post_json(good), 200);
            fixture_end(&fixture);
        }
    }
}

static void test_counts(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    assert_int_equal(post_json(half_good), 200);
    assert_int_equal(post_json(good), 200);
    const struct fg_counters *counters = &fixture.api->loops[0].counters;
    assert_int_equal(atomic_load(&counters->received_spans[FG_INGEST_OTLP_HTTP_JSON]), 2);
    assert_int_equal(atomic_load(&counters->received_requests[FG_INGEST_OTLP_HTTP_JSON]), 2);
    assert_int_equal(atomic_load(&counters->rejected_spans[FG_REJECT_TRACE_ID_ZERO]), 1);
    assert_int_equal(atomic_load(&counters->open_spans), 1);
    uint64_t acknowledged = 0;
    for (int i = 0; i < FG_BUCKETS; i++)
        acknowledged += atomic_load(&counters->ingest_seconds.buckets[i]);
    assert_int_equal(acknowledged, 2);
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_protobuf),
        cmocka_unit_test(test_grpc),
        cmocka_unit_test(test_partial_success),
        cmocka_unit_test(test_zipkin),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_faults_of_the_store),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
