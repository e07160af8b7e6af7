/* OTLP in JSON: what the mapping lets a sender write, and what is refused, with the error that its
 * sender reads. */
#include "base/limits.h"
#include "record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int decode(const char *body, struct record *record, struct fg_wire_error *error)
{
    return fg_otlp_decode_traces_json(fg_slice_from_string(body), &record_visitor, record, error);
}

/* The members of one span. */
static void span_is(const char *members, const char *calls)
{
    struct fg_buffer body, expected;
    struct record record;
    struct fg_wire_error error = {""};
    record_init(&record);
    fg_buffer_init(&body, 1 << 16);
    fg_buffer_init(&expected, 1 << 16);
    fg_buffer_append_format(&body, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{%s}]}]}]}%c",
                            members, 0);
    fg_buffer_append_format(
        &expected, "resource\nresource.end\nscope\nscope.end\nspan%sspan.end\n%c", calls, 0);
    if (decode((const char *)body.data, &record, &error) != 0)
        fail_msg("%s: %s", members, error.text);
    assert_string_equal(record_text(&record), (const char *)expected.data);
    fg_buffer_free(&body);
    fg_buffer_free(&expected);
    record_free(&record);
}

static void enums_are_numbers_or_names(void **state)
{
    (void)state;
    span_is("\"kind\":\"SPAN_KIND_CONSUMER\",\"status\":{\"code\":\"STATUS_CODE_ERROR\"}",
            " kind=5 status=2\n");
    span_is("\"kind\":3,\"status\":{\"code\":1}", " kind=3 status=1\n");
    span_is("\"kind\":\"4\",\"status\":{\"code\":\"STATUS_CODE_UNSET\"}", " kind=4\n");
}

static void integers_are_numbers_or_strings(void **state)
{
    (void)state;
    static const char *const texts[] = {"1000",     "\"1000\"", "1000.0", "1e3",
                                        "\"1E+3\"", "10000e-1", "0.1e4"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char members[128];
        snprintf(members, sizeof members, "\"startTimeUnixNano\":%s,\"flags\":%s", texts[i],
                 texts[i]);
        span_is(members, " start=1000 flags=1000\n");
    }
    span_is("\"endTimeUnixNano\":\"18446744073709551615\"", " end=18446744073709551615\n");
    span_is("\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":\"-9223372036854775808\"}}]",
            " attributes=1\nspan.attribute 'a'=-9223372036854775808\n");
    span_is("\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":-5}}]",
            " attributes=1\nspan.attribute 'a'=-5\n");
}

static void doubles_have_names_too(void **state)
{
    (void)state;
    static const char *const values[][2] = {
        {"\"NaN\"", "NaN"},  {"\"Infinity\"", "inf"}, {"\"-Infinity\"", "-inf"}, {"1", "0x1p+0"},
        {"\"2\"", "0x1p+1"}, {"-0.0", "-0x0p+0"},     {"5e-1", "0x1p-1"},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char members[128], calls[128];
        snprintf(members, sizeof members,
                 "\"attributes\":[{\"key\":\"a\",\"value\":{\"doubleValue\":%s}}]", values[i][0]);
        snprintf(calls, sizeof calls, " attributes=1\nspan.attribute 'a'=%s\n", values[i][1]);
        span_is(members, calls);
    }
}

static void ids_are_hexadecimal_of_any_case_and_size(void **state)
{
    (void)state;
    span_is("\"traceId\":\"4A4b\",\"spanId\":\"\",\"parentSpanId\":\"\\u0034c\"",
            " trace_id='JK' parent_span_id='L'\n");
}

static void null_is_as_good_as_absent(void **state)
{
    (void)state;
    span_is("\"traceId\":null,\"name\":null,\"kind\":null,\"startTimeUnixNano\":null,"
            "\"attributes\":null,\"events\":null,\"status\":null,\"flags\":null",
            "\n");
    span_is("\"name\":\"x\",\"name\":null,\"attributes\":[{}],\"attributes\":null", "\n");
    span_is("\"attributes\":[{\"key\":null,\"value\":null},"
            "{\"key\":\"a\",\"value\":{\"intValue\":1,\"stringValue\":null}},"
            "{\"key\":\"b\",\"value\":{\"arrayValue\":{\"values\":null}}},"
            "{\"key\":\"c\",\"value\":{\"kvlistValue\":{}}}]",
            " attributes=4\nspan.attribute ''=empty\nspan.attribute 'a'=1\n"
            "span.attribute 'b'=[]\nspan.attribute 'c'={}\n");
}

static void of_equal_keys_the_last_one_counts(void **state)
{
    (void)state;
    span_is("\"name\":\"x\",\"name\":\"y\",\"status\":{\"code\":2},\"status\":{\"message\":\"m\"}",
            " name='y' status_message='m'\n");
    span_is("\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"x\"},\"key\":\"b\","
            "\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":1}],\"values\":[{}]}}}]",
            " attributes=1\nspan.attribute 'b'=[empty,]\n");
    span_is("\"attributes\":[{\"key\":\"a\",\"value\":{\"kvlistValue\":{\"values\":[{}]},"
            "\"bytesValue\":\"\\u0041\\/8=\"}}]",
            " attributes=1\nspan.attribute 'a'=bytes'\\x03\\xff'\n");
}

/* JavaScript cuts strings between the halves of a character, and says so in an escape. */
static void a_lone_surrogate_loses_only_itself(void **state)
{
    (void)state;
    span_is("\"name\":\"a\\ud83d\"", " name='a\\xef\\xbf\\xbd'\n");
    span_is("\"name\":\"\\udc8d\\ud83d\\udc8d\\ud83d\\u0041\"",
            " name='\\xef\\xbf\\xbd\\xf0\\x9f\\x92\\x8d\\xef\\xbf\\xbdA'\n");
    span_is("\"attributes\":[{\"key\":\"\\n\",\"value\":{\"stringValue\":\"\\ud83d\\ud83d\"}}]",
            " attributes=1\nspan.attribute '\\x0a'='\\xef\\xbf\\xbd\\xef\\xbf\\xbd'\n");
}

static const struct {
    const char *body;
    const char *error;
} bad[] = {
    {"", "JSON: the body is empty"},
    {"[]", "request: body: expected an object, at byte 0"},
    {"{\"resourceSpans\":{}}", "request: resource_spans: expected an array, at byte 17"},
    {"{\"resourceSpans\":[{},1]}",
     "resource_spans[1]: resource_spans: expected an object in the array, at byte 21"},
    {"{\"resourceSpans\":[{\"resource\":[]}]}",
     "resource_spans[0]: resource: expected an object, at byte 30"},
    {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{},{},null]}]}]}",
     "resource_spans[0].scope_spans[0].spans[2]: spans: expected an object in the array, at byte "
     "49"},
};

#define SPAN "resource_spans[0].scope_spans[0].spans[0]: "

static const struct {
    const char *members;
    const char *error;
} bad_spans[] = {
    {"\"traceId\":5", "trace_id: expected a string of hexadecimal digits"},
    {"\"traceId\":\"abc\"", "trace_id: expected a string of hexadecimal digits"},
    {"\"traceId\":\"xy\"", "trace_id: expected a string of hexadecimal digits"},
    {"\"name\":5", "name: expected a string"},
    {"\"kind\":\"SERVER\"", "kind: expected a span kind"},
    {"\"kind\":1.5", "kind: expected a span kind"},
    {"\"kind\":2147483648", "kind: expected a span kind"},
    {"\"status\":{\"code\":\"OK\"}", "code: expected a status code"},
    {"\"flags\":4294967296", "flags: expected an unsigned integer of 32 bits"},
    {"\"flags\":-1", "flags: expected an unsigned integer of 32 bits"},
    {"\"endTimeUnixNano\":18446744073709551616",
     "end_time_unix_nano: expected an unsigned integer of 64 bits, or a string with one"},
    {"\"endTimeUnixNano\":\" 1\"",
     "end_time_unix_nano: expected an unsigned integer of 64 bits, or a string with one"},
    {"\"endTimeUnixNano\":\"\"",
     "end_time_unix_nano: expected an unsigned integer of 64 bits, or a string with one"},
    {"\"endTimeUnixNano\":1e99",
     "end_time_unix_nano: expected an unsigned integer of 64 bits, or a string with one"},
    {"\"attributes\":{}", "attributes: expected an array"},
    {"\"attributes\":[\"a\"]", "attributes: expected an object in the array"},
    {"\"attributes\":[{\"key\":1}]", "attributes: expected a string as key"},
    {"\"attributes\":[{\"value\":\"x\"}]",
     "attributes: expected an object as value, as {\"stringValue\": \"x\"}"},
    {"\"attributes\":[{\"value\":{\"stringValue\":1}}]", "string_value: expected a string"},
    {"\"attributes\":[{\"value\":{\"boolValue\":\"true\"}}]", "bool_value: expected true or false"},
    {"\"attributes\":[{\"value\":{\"intValue\":0.5}}]",
     "int_value: expected an integer of 64 bits, or a string with one"},
    {"\"attributes\":[{\"value\":{\"intValue\":9223372036854775808}}]",
     "int_value: expected an integer of 64 bits, or a string with one"},
    {"\"attributes\":[{\"value\":{\"doubleValue\":1e999}}]",
     "double_value: expected a number that a double holds"},
    {"\"attributes\":[{\"value\":{\"doubleValue\":\"0x1\"}}]",
     "double_value: expected a number that a double holds"},
    {"\"attributes\":[{\"value\":{\"doubleValue\":\"inf\"}}]",
     "double_value: expected a number that a double holds"},
    {"\"attributes\":[{\"value\":{\"bytesValue\":\"A\"}}]",
     "bytes_value: expected a string in base64"},
    {"\"attributes\":[{\"value\":{\"bytesValue\":[]}}]",
     "bytes_value: expected a string in base64"},
    {"\"attributes\":[{\"value\":{\"arrayValue\":[]}}]", "array_value: expected an object"},
    {"\"attributes\":[{\"value\":{\"arrayValue\":{\"values\":{}}}}]",
     "array_value: expected an array of values"},
    {"\"attributes\":[{\"value\":{\"kvlistValue\":{\"values\":[1]}}}]",
     "kvlist_value: expected an object in the array"},
    {"\"events\":[{\"name\":{}}]", "name: expected a string"},
    {"\"events\":[[]]", "events: expected an object in the array"},
    {"\"links\":[{\"spanId\":\"-1\"}]", "span_id: expected a string of hexadecimal digits"},
};

static void bad_bodies_are_refused(void **state)
{
    (void)state;
    struct record record;
    record_init(&record);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fg_wire_error error = {""};
        assert_int_equal(decode(bad[i].body, &record, &error), FG_EINVALID);
        assert_string_equal(error.text, bad[i].error);
    }
    for (size_t i = 0; i < sizeof bad_spans / sizeof *bad_spans; i++) {
        char body[512], text[FG_WIRE_ERROR_SIZE];
        struct fg_wire_error error = {""};
        snprintf(body, sizeof body, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{%s}]}]}]}",
                 bad_spans[i].members);
        snprintf(text, sizeof text, SPAN "%s, at byte ", bad_spans[i].error);
        assert_int_equal(decode(body, &record, &error), FG_EINVALID);
        if (strncmp(error.text, text, strlen(text)) != 0)
            fail_msg("%s\n%s", body, error.text);
    }
    record_free(&record);
}

/* depth lists in each other as a span's attribute. */
static int decode_nested(unsigned depth, const char *name, bool is_map)
{
    struct fg_buffer body;
    struct record record;
    struct fg_wire_error error = {""};
    record_init(&record);
    fg_buffer_init(&body, 1 << 20);
    fg_buffer_append_string(&body, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"events\":[{"
                                   "\"attributes\":[{\"value\":");
    for (unsigned i = 0; i < depth; i++) {
        fg_buffer_append_format(&body, "{\"%s\":{\"values\":[", name);
        if (is_map && i + 1 < depth)
            fg_buffer_append_string(&body, "{\"value\":");
    }
    for (unsigned i = 0; i < depth; i++)
        fg_buffer_append_string(&body, is_map && i > 0 ? "}]}}" : "]}}");
    fg_buffer_append_string(&body, "}]}]}]}]}]}");
    fg_buffer_append_byte(&body, 0);
    int r = decode((const char *)body.data, &record, &error);
    if (r == FG_EINVALID)
        fail_msg("%s in %s", error.text, (const char *)body.data);
    if (r == FG_ELIMIT)
        assert_non_null(strstr(error.text, "nested too deep"));
    fg_buffer_free(&body);
    record_free(&record);
    return r;
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    for (int is_map = 0; is_map < 2; is_map++) {
        const char *name = is_map ? "kvlistValue" : "arrayValue";
        assert_int_equal(decode_nested(FG_VALUE_DEPTH_MAX, name, is_map), 0);
        assert_int_equal(decode_nested(FG_VALUE_DEPTH_MAX + 1, name, is_map), FG_ELIMIT);
        assert_int_equal(decode_nested(1000, name, is_map), FG_ELIMIT);
        /* What nobody reads is bounded too. */
        assert_int_equal(decode_nested(1000, "unknown", is_map), FG_ELIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enums_are_numbers_or_names),
        cmocka_unit_test(integers_are_numbers_or_strings),
        cmocka_unit_test(doubles_have_names_too),
        cmocka_unit_test(ids_are_hexadecimal_of_any_case_and_size),
        cmocka_unit_test(null_is_as_good_as_absent),
        cmocka_unit_test(of_equal_keys_the_last_one_counts),
        cmocka_unit_test(a_lone_surrogate_loses_only_itself),
        cmocka_unit_test(bad_bodies_are_refused),
        cmocka_unit_test(nesting_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
