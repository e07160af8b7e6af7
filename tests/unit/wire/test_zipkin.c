/* wire/zipkin.h: what each member of a Zipkin span becomes, and bodies that are none. */
#include "fail_alloc.h"
#include "record.h"
#include "wire/zipkin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void decodes_to(const char *body, const char *calls)
{
    struct record record;
    struct fg_wire_error error = {""};
    record_init(&record);
    if (fg_zipkin_decode_spans(fg_slice_from_string(body), &record_visitor, &record, &error) != 0)
        fail_msg("%s", error.text);
    assert_string_equal(record_text(&record), calls);
    record_free(&record);
}

static void the_whole_of_a_span(void **state)
{
    (void)state;
    decodes_to(
        "[{\"id\":\"352bff9a74ca9ad2\",\"traceId\":\"5af7183fb1d4cf5f463ac35c9f6413ad\","
        "\"parentId\":\"6b221d5bc9e6496c\",\"name\":\"get /api\",\"kind\":\"SERVER\","
        "\"timestamp\":1556604172355737,\"duration\":1431,\"shared\":true,\"debug\":true,"
        "\"localEndpoint\":{\"serviceName\":\"backend\",\"ipv4\":\"192.168.99.1\",\"port\":3306},"
        "\"remoteEndpoint\":{\"serviceName\":\"front\",\"ipv4\":\"172.19.0.2\","
        "\"ipv6\":\"2001:db8::1\",\"port\":58648},"
        "\"annotations\":[{\"timestamp\":1556604172355740,\"value\":\"foo\"}],"
        "\"tags\":{\"http.method\":\"GET\",\"retries\":3,\"cached\":false,\"none\":null}}]",
        "resource attributes=1\n"
        "resource.attribute 'service.name'='backend'\n"
        "resource.end\n"
        "scope\n"
        "scope.end\n"
        "span name='get /api' "
        "trace_id='Z\\xf7\\x18?\\xb1\\xd4\\xcf_F:\\xc3\\x5c\\x9fd\\x13\\xad' "
        "span_id='5+\\xff\\x9at\\xca\\x9a\\xd2' parent_span_id='k\"\\x1d[\\xc9\\xe6Il' kind=2 "
        "start=1556604172355737000 end=1556604172357168000 attributes=9 events=1 shared=1\n"
        "span.attribute 'http.method'='GET'\n"
        "span.attribute 'retries'='3'\n"
        "span.attribute 'cached'='false'\n"
        "span.attribute 'net.host.ip'='192.168.99.1'\n"
        "span.attribute 'net.host.port'=3306\n"
        "span.attribute 'peer.service'='front'\n"
        "span.attribute 'net.peer.ip'='2001:db8::1'\n"
        "span.attribute 'net.peer.port'=58648\n"
        "span.attribute 'zipkin.debug'=true\n"
        "event name='foo' time=1556604172355740000\n"
        "event.end\n"
        "span.end\n");
}

#define AROUND(span) "[{\"traceId\":\"1\",\"id\":\"2\",\"timestamp\":5,\"duration\":1," span "}]"
#define BEGIN        "resource\nresource.end\nscope\nscope.end\n"
#define IDS                                                                                        \
    " trace_id='\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01'" \
    " span_id='\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02'"
#define TIMES " start=5000 end=6000"

static void errors_become_a_status(void **state)
{
    (void)state;
    decodes_to(AROUND("\"tags\":{\"error\":\"\"}"), BEGIN "span" IDS TIMES " status=2\nspan.end\n");
    decodes_to(AROUND("\"tags\":{\"error\":true}"), BEGIN "span" IDS TIMES " status=2\nspan.end\n");
    decodes_to(AROUND("\"tags\":{\"error\":\"false\"}"),
               BEGIN "span" IDS TIMES " attributes=1\nspan.attribute 'error'='false'\nspan.end\n");
    decodes_to(AROUND("\"tags\":{\"error\":\"no stock\"}"),
               BEGIN "span" IDS TIMES " status=2 status_message='no stock' attributes=1\n"
                     "span.attribute 'error'='no stock'\nspan.end\n");
    decodes_to(AROUND("\"tags\":{\"error\":\"a\",\"otel.status_description\":\"b\"}"),
               BEGIN "span" IDS TIMES " status=2 status_message='b' attributes=1\n"
                     "span.attribute 'error'='a'\nspan.end\n");
}

static void what_opentelemetry_put_in_tags_goes_back(void **state)
{
    (void)state;
    decodes_to(AROUND("\"tags\":{\"otel.status_code\":\"OK\",\"span.kind\":\"internal\","
                      "\"w3c.tracestate\":\"a=b\",\"otel.scope.name\":\"lib\","
                      "\"otel.library.version\":\"1.2\"}"),
               "resource\nresource.end\nscope name='lib' version='1.2'\nscope.end\n"
               "span" IDS " trace_state='a=b' kind=1" TIMES " status=1\nspan.end\n");
    decodes_to(AROUND("\"kind\":\"CLIENT\",\"tags\":{\"span.kind\":\"client\","
                      "\"otel.status_code\":\"odd\"}"),
               BEGIN "span" IDS " kind=3" TIMES " attributes=2\n"
                     "span.attribute 'span.kind'='client'\n"
                     "span.attribute 'otel.status_code'='odd'\nspan.end\n");
}

static void parents_that_are_none(void **state)
{
    (void)state;
    static const char *const none[] = {"\"0000000000000000\"", "\"0\"", "\"\"", "\"2\"", "null"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        char body[256];
        snprintf(body, sizeof body, AROUND("\"parentId\":%s"), none[i]);
        decodes_to(body, BEGIN "span" IDS TIMES "\nspan.end\n");
    }
}

static void times_that_are_missing(void **state)
{
    (void)state;
    decodes_to("[{\"traceId\":\"1\",\"id\":\"2\",\"timestamp\":5}]",
               BEGIN "span" IDS " start=5000\nspan.end\n");
    decodes_to("[{\"traceId\":\"1\",\"id\":\"2\",\"timestamp\":5,\"duration\":0}]",
               BEGIN "span" IDS " start=5000 end=5000\nspan.end\n");
    decodes_to("[{\"traceId\":\"1\",\"id\":\"2\"}]", BEGIN "span" IDS "\nspan.end\n");
    decodes_to(
        "[{\"traceId\":\"1\",\"id\":\"2\",\"annotations\":[{\"timestamp\":9},{\"timestamp\":7}]}]",
        BEGIN "span" IDS " start=7000 events=2\nevent time=9000\nevent.end\n"
              "event time=7000\nevent.end\nspan.end\n");
}

static void ids_that_are_missing_are_the_visitors_to_judge(void **state)
{
    (void)state;
    decodes_to("[]", "");
    decodes_to("[{}]", BEGIN "span\nspan.end\n");
}

#define OF(service) "{\"localEndpoint\":{\"serviceName\":\"" service "\"}}"

static void neighbours_of_one_service_share_a_resource(void **state)
{
    (void)state;
    decodes_to("[" OF("a") "," OF("a") "," OF("\\u0061") "," OF("b") ",{}]",
               "resource attributes=1\nresource.attribute 'service.name'='a'\nresource.end\n"
               "scope\nscope.end\nspan\nspan.end\nspan\nspan.end\nspan\nspan.end\n"
               "resource attributes=1\nresource.attribute 'service.name'='b'\nresource.end\n"
               "scope\nscope.end\nspan\nspan.end\n"
               "resource\nresource.end\nscope\nscope.end\nspan\nspan.end\n");
}

static void what_is_skipped_is_not_told(void **state)
{
    (void)state;
    static const struct {
        const char *skip;
        const char *calls;
    } cases[] = {
        {"resource", "resource attributes=1\n"},
        {"scope", "resource attributes=1\nresource.attribute 'service.name'='a'\nresource.end\n"
                  "scope\n"},
        {"span", "resource attributes=1\nresource.attribute 'service.name'='a'\nresource.end\n"
                 "scope\nscope.end\nspan\nspan\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct record record;
        record_init(&record);
        record.skip = cases[i].skip;
        assert_int_equal(fg_zipkin_decode_spans(FG_SLICE("[" OF("a") "," OF("a") "]"),
                                                &record_visitor, &record, NULL),
                         0);
        assert_string_equal(record_text(&record), cases[i].calls);
        record_free(&record);
    }
}

static void memory_that_runs_out_is_said(void **state)
{
    (void)state;
    const struct fg_slice body =
        FG_SLICE("[{\"name\":\"\\n\",\"localEndpoint\":{\"serviceName\":\"\\t\"},"
                 "\"annotations\":[{\"value\":\"\\n\"}],\"tags\":{\"\\n\":\"\\n\"}}]");
    struct record record;
    uint64_t n = 1;
    record_init(&record);
    assert_non_null(fg_buffer_reserve(&record.text, 1 << 16)); /* only the decoder allocates */
    for (;; n++) {
        struct fg_wire_error error = {""};
        record_reset(&record);
        fail_alloc_at(n, false);
        int r = fg_zipkin_decode_spans(body, &record_visitor, &record, &error);
        if (!fail_alloc_off()) {
            assert_int_equal(r, 0);
            break;
        }
        assert_int_equal(r, FG_ENOMEM);
        assert_string_equal(error.text, "");
    }
    assert_true(n > 3); /* three arenas */
    record_free(&record);
}

static void bad_bodies_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *error;
    } cases[] = {
        {"{}", "body: expected an array of spans"},
        {"[1]", "spans[0]: expected an object, at byte 1"},
        {"[{},{\"traceId\":1}]",
         "spans[1].traceId: expected up to 32 hexadecimal digits, at byte 15"},
        {"[{\"traceId\":\"x\"}]",
         "spans[0].traceId: expected up to 32 hexadecimal digits, at byte 12"},
        {"[{\"id\":\"00000000000000001\"}]",
         "spans[0].id: expected up to 16 hexadecimal digits, at byte 7"},
        {"[{\"kind\":\"INTERNAL\"}]",
         "spans[0].kind: expected CLIENT, SERVER, PRODUCER or CONSUMER, at byte 9"},
        {"[{\"timestamp\":1.5}]",
         "spans[0].timestamp: expected a number of microseconds, at byte 14"},
        {"[{\"timestamp\":18446744073709552}]",
         "spans[0].timestamp: expected a number of microseconds, at byte 14"},
        {"[{\"timestamp\":18446744073709551,\"duration\":1}]",
         "spans[0].duration: the end is past the year 2554, at byte 1"},
        {"[{\"tags\":[]}]", "spans[0].tags: expected an object, at byte 9"},
        {"[{\"tags\":{\"a\":{}}}]", "spans[0].tags: expected strings as values, at byte 14"},
        {"[{\"annotations\":{}}]", "spans[0].annotations: expected an array, at byte 16"},
        {"[{\"annotations\":[1]}]", "spans[0].annotations: expected objects, at byte 17"},
        {"[{\"localEndpoint\":\"a\"}]", "spans[0].localEndpoint: expected an object, at byte 18"},
        {"[{\"localEndpoint\":{\"port\":\"x\"}}]", "spans[0].localEndpoint: serviceName, ipv4 and "
                                                   "ipv6 are strings, port a number, at byte 26"},
        {"[{\"shared\":1}]", "spans[0].shared: expected true or false, at byte 11"},
        {"[{}", "JSON: expected ',' or ']', at byte 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct record record;
        struct fg_wire_error error = {""};
        record_init(&record);
        assert_int_equal(fg_zipkin_decode_spans(fg_slice_from_string(cases[i].body),
                                                &record_visitor, &record, &error),
                         FG_EINVALID);
        assert_string_equal(error.text, cases[i].error);
        record_free(&record);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_of_a_span),
        cmocka_unit_test(errors_become_a_status),
        cmocka_unit_test(what_opentelemetry_put_in_tags_goes_back),
        cmocka_unit_test(parents_that_are_none),
        cmocka_unit_test(times_that_are_missing),
        cmocka_unit_test(ids_that_are_missing_are_the_visitors_to_judge),
        cmocka_unit_test(neighbours_of_one_service_share_a_resource),
        cmocka_unit_test(what_is_skipped_is_not_told),
        cmocka_unit_test(memory_that_runs_out_is_said),
        cmocka_unit_test(bad_bodies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
