/* src/wire/json_reader.h: what is JSON and what is not, by RFC 8259 and by jansson; walking what
 * is. */
#include "json_reader.h"

#include "base/buffer.h"
#include "base/limits.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

static const char *const good[] = {
    "null",
    "true",
    " false\r\n",
    "0",
    "-0",
    "-1.5e+10",
    "1E5",
    "\"\"",
    "\"\\u00e9\\n\\/\"",
    "[]",
    "[ ]",
    "{ }",
    "{\"a\":[1,{\"b\":null}],\"a\":\"\"}",
    "[[[[]]],{}]",
    "\"\x7f\"",
    "\"\xd0\xba\xf0\x9f\x92\x8d\"",
    "[1,2 , 3\t]",
};

static const struct {
    const char *text;
    const char *error;
} bad[] = {
    {"", "JSON: the body is empty"},
    {"  ", "JSON: it ends too early, at byte 2"},
    {"nul", "JSON: unknown word, at byte 0"},
    {"tru]", "JSON: unknown word, at byte 0"},
    {"01", "JSON: malformed number, at byte 0"},
    {"-", "JSON: malformed number, at byte 0"},
    {"1.", "JSON: malformed number, at byte 0"},
    {".5", "JSON: unexpected character, at byte 0"},
    {"+1", "JSON: unexpected character, at byte 0"},
    {"1e", "JSON: malformed number, at byte 0"},
    {"1e+", "JSON: malformed number, at byte 0"},
    {"NaN", "JSON: unexpected character, at byte 0"},
    {"'a'", "JSON: unexpected character, at byte 0"},
    {"\"a", "JSON: a string does not end, at byte 2"},
    {"\"a\\", "JSON: a string does not end, at byte 2"},
    {"\"a\tb\"", "JSON: control character in a string, at byte 2"},
    {"\"\\x\"", "JSON: unknown escape, at byte 1"},
    {"\"\\u12g4\"", "JSON: \\u without four hexadecimal digits, at byte 1"},
    {"\"\\u12\"", "JSON: \\u without four hexadecimal digits, at byte 1"},
    {"[1", "JSON: expected ',' or ']', at byte 2"},
    {"[1 2]", "JSON: expected ',' or ']', at byte 3"},
    {"[1,]", "JSON: unexpected character, at byte 3"},
    {"[,1]", "JSON: unexpected character, at byte 1"},
    {"[1}", "JSON: expected ',' or ']', at byte 2"},
    {"{\"a\":1]", "JSON: expected ',' or '}', at byte 6"},
    {"{\"a\"}", "JSON: expected a colon, at byte 4"},
    {"{\"a\":}", "JSON: unexpected character, at byte 5"},
    {"{\"a\":1,}", "JSON: expected a key in quotes, at byte 7"},
    {"{a:1}", "JSON: expected a key in quotes, at byte 1"},
    {"{1:1}", "JSON: expected a key in quotes, at byte 1"},
    {"1 2", "JSON: something follows the value, at byte 2"},
    {"{}}", "JSON: something follows the value, at byte 2"},
    {"\xef\xbb\xbf{}", "JSON: unexpected character, at byte 0"},
    {"[\"a\xff\"]", "JSON: not UTF-8, at byte 3"},
    {"\"\xed\xa0\x80\"", "JSON: not UTF-8, at byte 1"},
};

static void the_grammar_is_kept(void **state)
{
    (void)state;
    struct fg_wire_error error;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (fg_json_check(fg_slice_from_string(good[i]), &error) != 0)
            fail_msg("%s: %s", good[i], error.text);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(fg_json_check(fg_slice_from_string(bad[i].text), &error), FG_EINVALID);
        assert_string_equal(error.text, bad[i].error);
    }
    assert_int_equal(fg_json_check(FG_SLICE("[\0]"), &error), FG_EINVALID);
    assert_int_equal(fg_json_check(FG_SLICE("[]\0"), &error), FG_EINVALID);
}

static void nesting_and_numbers_are_bounded(void **state)
{
    (void)state;
    char text[4096];
    struct fg_wire_error error;
    for (size_t depth = FG_JSON_DEPTH_MAX; depth <= FG_JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        int r = fg_json_check(fg_slice(text, 2 * depth), &error);
        assert_int_equal(r, depth > FG_JSON_DEPTH_MAX ? FG_ELIMIT : 0);
    }
    assert_string_equal(error.text, "JSON: nested too deep, at byte 192");
    memset(text, '1', sizeof text);
    assert_int_equal(fg_json_check(fg_slice(text, FG_JSON_NUMBER_SIZE_MAX), &error), 0);
    assert_int_equal(fg_json_check(fg_slice(text, FG_JSON_NUMBER_SIZE_MAX + 1), &error), FG_ELIMIT);
}

/* Whether jansson takes it. What it takes differently is left to the tables: numbers that it has no
 * room for, and surrogates alone. *ret_differs then. */
static bool jansson_takes(struct fg_slice text, bool *ret_differs)
{
    json_error_t error;
    json_t *json =
        json_loadb((const char *)text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    enum json_error_code code = json ? json_error_unknown : json_error_code(&error);
    *ret_differs = !json && (code == json_error_numeric_overflow ||
                             strstr(error.text, "invalid Unicode") != NULL);
    json_decref(json);
    return json != NULL;
}

/* Changed copies of the texts above and of a request. */
static void jansson_agrees_on_what_is_json(void **state)
{
    (void)state;
    static const char signs[] = "{}[]\",:\\u0eE+-.1 tfn\x01\xc3\xa9";
    static const char request[] =
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"a\\u00e9\\\\b\",\"kind\":2,"
        "\"attributes\":[{\"key\":\"k\",\"value\":{\"doubleValue\":-1.5e-3}},null,true,[]]}]}]}]}";
    srand(20261124);
    for (int round = 0; round < 100000; round++) {
        char text[512];
        size_t pick = (size_t)rand() % (2 * sizeof good / sizeof *good);
        const char *from = pick < sizeof good / sizeof *good ? good[pick] : request;
        size_t size = strlen(from);
        memcpy(text, from, size);
        for (int change = rand() % 4; change > 0 && size > 1; change--) {
            size_t at = (size_t)rand() % size;
            if (rand() % 3)
                text[at] = signs[(size_t)rand() % (sizeof signs - 1)];
            else
                memmove(text + at, text + at + 1, --size - at);
        }
        bool differs;
        bool taken = jansson_takes(fg_slice(text, size), &differs);
        struct fg_wire_error error = {""};
        int r = fg_json_check(fg_slice(text, size), &error);
        if (!differs && (r == 0) != taken)
            fail_msg("%.*s: %s", (int)size, text, r == 0 ? "taken" : error.text);
    }
}

/* Writes what the reader finds back as JSON without blanks; escapes stay. */
static void write_back(struct fg_json_reader *reader, struct fg_buffer *out)
{
    struct fg_json_value value = fg_json_read(reader), key;
    bool more = false;
    switch (value.type) {
    case FG_JSON_NULL:
        fg_buffer_append_string(out, "null");
        break;
    case FG_JSON_FALSE:
    case FG_JSON_TRUE:
        fg_buffer_append_string(out, value.type == FG_JSON_TRUE ? "true" : "false");
        break;
    case FG_JSON_NUMBER:
        fg_buffer_append_slice(out, value.text);
        break;
    case FG_JSON_STRING:
        fg_buffer_append_format(out, "\"%.*s\"", (int)value.text.size,
                                (const char *)value.text.data);
        assert_int_equal(value.is_escaped, memchr(value.text.data, '\\', value.text.size) != NULL);
        break;
    case FG_JSON_ARRAY:
        fg_buffer_append_byte(out, '[');
        for (; fg_json_element(reader); more = true) {
            fg_buffer_append_string(out, more ? "," : "");
            write_back(reader, out);
        }
        fg_buffer_append_byte(out, ']');
        break;
    case FG_JSON_OBJECT:
        fg_buffer_append_byte(out, '{');
        for (; fg_json_member(reader, &key); more = true) {
            fg_buffer_append_format(out, "%s\"%.*s\":", more ? "," : "", (int)key.text.size,
                                    (const char *)key.text.data);
            write_back(reader, out);
        }
        fg_buffer_append_byte(out, '}');
        break;
    }
}

static void what_is_walked_is_what_is_there(void **state)
{
    (void)state;
    static const char text[] = " { \"a\" : [ 1 , -2.5e3, \"x\\\"]\" , [ ] , { } , null ] , \"\" : "
                               "{ \"b\\u0041\" : [ [ true ] , false ] } } ";
    static const char same[] = "{\"a\":[1,-2.5e3,\"x\\\"]\",[],{},null],\"\":{\"b\\u0041\":[[true],"
                               "false]}}";
    struct fg_json_reader reader = fg_json_reader(fg_slice_from_string(text));
    struct fg_buffer out;
    fg_buffer_init(&out, 4096);
    write_back(&reader, &out);
    fg_buffer_append_byte(&out, 0);
    assert_string_equal((const char *)out.data, same);
    assert_string_equal((const char *)reader.at, " ");
    fg_buffer_free(&out);
}

static void leaving_steps_over_the_rest(void **state)
{
    (void)state;
    struct fg_json_reader reader =
        fg_json_reader(FG_SLICE("[[1,[2,\"]\\\"]\"],{\"a\":[]}],7,[],{\"b\":\"}\"},8]"));
    struct fg_json_value value = fg_json_read(&reader);
    assert_int_equal(value.type, FG_JSON_ARRAY);
    assert_true(fg_json_element(&reader));
    value = fg_json_read(&reader);
    assert_int_equal(fg_json_leave_counting(&reader), 3);
    assert_true(fg_json_element(&reader));
    value = fg_json_read(&reader);
    assert_true(fg_slice_equal(value.text, FG_SLICE("7")));
    assert_true(fg_json_element(&reader));
    value = fg_json_read(&reader);
    fg_json_leave(&reader);
    assert_true(fg_json_element(&reader));
    value = fg_json_read(&reader);
    fg_json_ignore(&reader, &value);
    assert_true(fg_json_element(&reader));
    value = fg_json_read(&reader);
    assert_true(fg_slice_equal(value.text, FG_SLICE("8")));
    fg_json_ignore(&reader, &value);
    assert_false(fg_json_element(&reader));
    assert_ptr_equal(reader.at, reader.end);
}

static struct fg_json_value number(const char *text)
{
    return (struct fg_json_value){.type = FG_JSON_NUMBER, .text = fg_slice_from_string(text)};
}

static void integers_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        int64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"0e999999999", 0, 0},
        {"0.000", 0, 0},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", FG_ELIMIT, 0},
        {"-9223372036854775809", FG_ELIMIT, 0},
        {"99999999999999999999", FG_ELIMIT, 0},
        {"9223372036854775807.0", 0, INT64_MAX},
        {"922337203685477580.7e1", 0, INT64_MAX},
        {"92233720368547758070e-1", 0, INT64_MAX},
        {"1000000000000000000000000e-24", 0, 1},
        {"0.00001e5", 0, 1},
        {"120e-1", 0, 12},
        {"1e18", 0, INT64_C(1000000000000000000)},
        {"1e19", FG_ELIMIT, 0},
        {"1e99999999999999999999", FG_ELIMIT, 0},
        {"1e-99999999999999999999", FG_EINVALID, 0},
        {"12.5", FG_EINVALID, 0},
        {"1e-1", FG_EINVALID, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fg_json_value value = number(cases[i].text);
        int64_t integer = 0;
        if (fg_json_int64(&value, &integer) != cases[i].result || integer != cases[i].value)
            fail_msg("%s", cases[i].text);
        value.type = FG_JSON_STRING;
        assert_int_equal(fg_json_int64(&value, &integer), cases[i].result);
    }
    static const char *const none[] = {"",    "-",  "01", "1.", ".1", "1e",
                                       "1e+", "+1", " 1", "1 ", "a"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct fg_json_value value = number(none[i]);
        int64_t integer;
        double real;
        value.type = FG_JSON_STRING;
        assert_int_equal(fg_json_int64(&value, &integer), FG_EINVALID);
        assert_int_equal(fg_json_number(&value, &real), FG_EINVALID);
    }
    const struct fg_json_value yes = {.type = FG_JSON_TRUE};
    uint64_t integer;
    assert_int_equal(fg_json_uint64(&yes, &integer), FG_EINVALID);
}

static void narrow_integers_have_their_borders(void **state)
{
    (void)state;
    uint32_t u32;
    int32_t i32;
    uint64_t u64;
    struct fg_json_value value = number("4294967295");
    assert_int_equal(fg_json_uint32(&value, &u32), 0);
    assert_int_equal(u32, UINT32_MAX);
    value = number("4294967296");
    assert_int_equal(fg_json_uint32(&value, &u32), FG_ELIMIT);
    value = number("-1");
    assert_int_equal(fg_json_uint32(&value, &u32), FG_ELIMIT);
    assert_int_equal(fg_json_uint64(&value, &u64), FG_ELIMIT);
    value = number("-2147483648");
    assert_int_equal(fg_json_int32(&value, &i32), 0);
    assert_int_equal(i32, INT32_MIN);
    value = number("2147483648");
    assert_int_equal(fg_json_int32(&value, &i32), FG_ELIMIT);
    value = number("18446744073709551615");
    assert_int_equal(fg_json_uint64(&value, &u64), 0);
    assert_true(u64 == UINT64_MAX);
}

static void names_are_found_behind_escapes(void **state)
{
    (void)state;
    struct fg_json_reader reader =
        fg_json_reader(FG_SLICE("[\"name\",\"n\\u0061me\",\"names\",\"nam\",5]"));
    static const bool is_name[] = {true, true, false, false, false};
    fg_json_read(&reader);
    for (size_t i = 0; i < 5; i++) {
        assert_true(fg_json_element(&reader));
        struct fg_json_value value = fg_json_read(&reader);
        assert_int_equal(fg_json_is(&value, "name"), is_name[i]);
    }
    struct fg_json_value infinity = {
        .type = FG_JSON_STRING, .is_escaped = true, .text = FG_SLICE("\\u0049nfinity")};
    double real;
    assert_int_equal(fg_json_number(&infinity, &real), 0);
    assert_true(isinf(real));
}

/* Each character there and back through an escape. */
static void escapes_are_undone(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point += point < 0x3000 ? 1 : 251) {
        char text[16];
        uint8_t bytes[16];
        if (point > 0xffff)
            snprintf(text, sizeof text, "\\u%04x\\u%04X", 0xd800 + ((point - 0x10000) >> 10),
                     0xdc00 + ((point - 0x10000) & 0x3ff));
        else
            snprintf(text, sizeof text, "\\u%04x", point);
        size_t size = fg_json_unescape(fg_slice_from_string(text), bytes);
        if (point >= 0xd800 && point <= 0xdfff) {
            assert_true(fg_slice_equal(fg_slice(bytes, size), FG_SLICE("\xef\xbf\xbd")));
            continue;
        }
        assert_int_equal(size, point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4);
        uint32_t back = size == 1 ? bytes[0] : bytes[0] & (0x7fu >> size);
        for (size_t i = 1; i < size; i++)
            back = back << 6 | (bytes[i] & 0x3fu);
        assert_int_equal(back, point);
    }
    uint8_t bytes[16];
    size_t size = fg_json_unescape(FG_SLICE("\\b\\f\\n\\r\\t\\\"\\\\\\/"), bytes);
    assert_true(fg_slice_equal(fg_slice(bytes, size), FG_SLICE("\b\f\n\r\t\"\\/")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grammar_is_kept),
        cmocka_unit_test(nesting_and_numbers_are_bounded),
        cmocka_unit_test(jansson_agrees_on_what_is_json),
        cmocka_unit_test(what_is_walked_is_what_is_there),
        cmocka_unit_test(leaving_steps_over_the_rest),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(narrow_integers_have_their_borders),
        cmocka_unit_test(names_are_found_behind_escapes),
        cmocka_unit_test(escapes_are_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
