/* wire/json_writer.h with jansson as the oracle, wire/base64.h with RFC 4648's vectors. */
#include "wire/base64.h"
#include "wire/json_writer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

static json_t *parse(struct fg_buffer *buffer)
{
    json_error_t error;
    assert_int_equal(buffer->error, 0);
    json_t *json = json_loadb((const char *)buffer->data, buffer->size,
                              JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("%s at %d in %.*s", error.text, error.position, (int)buffer->size,
                 (const char *)buffer->data);
    return json;
}

static void text_is(struct fg_buffer *buffer, const char *text)
{
    assert_int_equal(buffer->error, 0);
    assert_int_equal(buffer->size, strlen(text));
    assert_memory_equal(buffer->data, text, buffer->size);
}

static void write_everything(struct fg_json_writer *json)
{
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "empty");
    fg_json_array_begin(json);
    fg_json_array_end(json);
    FG_JSON_KEY(json, "list");
    fg_json_array_begin(json);
    fg_json_object_begin(json);
    fg_json_object_end(json);
    fg_json_null(json);
    fg_json_bool(json, true);
    fg_json_bool(json, false);
    fg_json_int(json, INT64_MIN);
    fg_json_uint(json, UINT64_MAX);
    fg_json_int_string(json, -5);
    fg_json_uint_string(json, UINT64_MAX);
    fg_json_array_end(json);
    FG_JSON_KEY(json, "hex");
    fg_json_hex(json, FG_SLICE("\x00\xab\xff"));
    FG_JSON_KEY(json, "base64");
    fg_json_base64(json, FG_SLICE("\x00\xab\xff\x01"));
    FG_JSON_KEY(json, "raw");
    fg_json_raw(json, FG_SLICE("[1]"));
    fg_json_key(json, FG_SLICE("a\"b"));
    fg_json_string(json, fg_slice(NULL, 0));
    fg_json_object_end(json);
}

static const char everything[] =
    "{\"empty\":[],\"list\":[{},null,true,false,-9223372036854775808,18446744073709551615,\"-5\","
    "\"18446744073709551615\"],\"hex\":\"00abff\",\"base64\":\"AKv/AQ==\",\"raw\":[1],"
    "\"a\\\"b\":\"\"}";

static void golden_text(void **state)
{
    (void)state;
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, 1024);
    struct fg_json_writer json = fg_json_writer(&buffer);
    write_everything(&json);
    text_is(&buffer, everything);
    fg_buffer_free(&buffer);
}

/* Wherever the bound cuts, the error is sticky and what is there is a prefix. */
static void a_full_buffer_keeps_a_prefix(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof everything - 1; size++) {
        struct fg_buffer buffer;
        fg_buffer_init(&buffer, size);
        struct fg_json_writer json = fg_json_writer(&buffer);
        write_everything(&json);
        assert_int_equal(buffer.error, FG_ELIMIT);
        assert_true(buffer.size <= size);
        assert_true(buffer.size == 0 || memcmp(buffer.data, everything, buffer.size) == 0);
        fg_buffer_free(&buffer);
    }
}

/* Each byte and each character of two bytes, and random rows of bytes, as jansson reads them. */
static void strings_read_back(void **state)
{
    (void)state;
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, 4096);
    for (uint32_t point = 0; point < 0x800; point++) {
        uint8_t text[4] = {'<', (uint8_t)point, '>', 0};
        size_t size = 3;
        if (point >= 0x80) {
            text[1] = (uint8_t)(0xc0 | point >> 6);
            text[2] = (uint8_t)(0x80 | (point & 0x3f));
            text[3] = '>';
            size = 4;
        }
        fg_buffer_reset(&buffer);
        struct fg_json_writer json = fg_json_writer(&buffer);
        fg_json_string(&json, fg_slice(text, size));
        json_t *read = parse(&buffer);
        assert_int_equal(json_string_length(read), size);
        assert_memory_equal(json_string_value(read), text, size);
        json_decref(read);
    }
    srand(20261124);
    for (int round = 0; round < 2000; round++) {
        uint8_t text[64];
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = (uint8_t)(rand() % 3 ? rand() % 0x80 : rand());
        fg_buffer_reset(&buffer);
        struct fg_json_writer json = fg_json_writer(&buffer);
        fg_json_string(&json, fg_slice(text, (size_t)rand() % sizeof text));
        json_decref(parse(&buffer));
    }
    fg_buffer_free(&buffer);
}

static void ill_formed_text_becomes_replacements(void **state)
{
    (void)state;
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, 256);
    struct fg_json_writer json = fg_json_writer(&buffer);
    fg_json_string(&json, FG_SLICE("a\xff\xe2\x82\n\xd0\xba\x80"));
    text_is(&buffer, "\"a\xef\xbf\xbd\xef\xbf\xbd\\n\xd0\xba\xef\xbf\xbd\"");
    fg_buffer_free(&buffer);
}

static const char *double_text(struct fg_buffer *buffer, double value)
{
    fg_buffer_reset(buffer);
    struct fg_json_writer json = fg_json_writer(buffer);
    fg_json_double(&json, value);
    fg_buffer_append_byte(buffer, 0);
    assert_int_equal(buffer->error, 0);
    return (const char *)buffer->data;
}

static void doubles_are_short_and_read_back(void **state)
{
    (void)state;
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, 256);
    static const struct {
        double value;
        const char *text;
    } golden[] = {
        {0, "0"},
        {-0.0, "-0.0"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {5e-324, "5e-324"},
        {1e300, "1e+300"},
        {123456, "123456"},
        {0.1 + 0.2, "0.30000000000000004"},
        {NAN, "\"NaN\""},
        {INFINITY, "\"Infinity\""},
        {-INFINITY, "\"-Infinity\""},
    };
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
        assert_string_equal(double_text(&buffer, golden[i].value), golden[i].text);
    srand(20261124);
    for (int round = 0; round < 20000; round++) {
        uint64_t bits = 0;
        for (int i = 0; i < 8; i++)
            bits = bits << 8 | (uint64_t)(rand() & 0xff);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        double_text(&buffer, value);
        buffer.size--;
        json_t *read = parse(&buffer);
        assert_true(json_number_value(read) == value);
        json_decref(read);
    }
    fg_buffer_free(&buffer);
}

static void base64_vectors(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, 256);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        fg_buffer_reset(&buffer);
        fg_base64_encode(&buffer, fg_slice_from_string(vectors[i][0]));
        text_is(&buffer, vectors[i][1]);
        for (int padded = 0; padded < 2; padded++) {
            size_t size = padded ? strlen(vectors[i][1]) : strcspn(vectors[i][1], "=");
            fg_buffer_reset(&buffer);
            assert_int_equal(fg_base64_decode(&buffer, fg_slice(vectors[i][1], size)), 0);
            text_is(&buffer, vectors[i][0]);
        }
    }
    fg_buffer_free(&buffer);
}

static void base64_takes_both_alphabets_and_no_other(void **state)
{
    (void)state;
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, 256);
    assert_int_equal(fg_base64_decode(&buffer, FG_SLICE("-_-_+/+/")), 0);
    text_is(&buffer, "\xfb\xff\xbf\xfb\xff\xbf");
    static const char *const bad[] = {"Z",     "Zg=",  "Zm9vY",  "Zm9=Zg==", "=",      "==",
                                      "Zg===", "Z g=", "Zg==\n", "Zm9v=",    "Zm9v==", "\x80mmm"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(fg_base64_decode(&buffer, fg_slice_from_string(bad[i])), FG_EINVALID);
    for (int c = 1; c < 256; c++) {
        uint8_t text[4] = {'A', 'A', 'A', (uint8_t)c};
        bool is_digit = c < 0x80 && (strchr("+/-_=", c) || (c >= '0' && c <= '9') ||
                                     ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'));
        assert_int_equal(fg_base64_decode(&buffer, fg_slice(text, 4)), is_digit ? 0 : FG_EINVALID);
    }
    struct fg_buffer full;
    fg_buffer_init(&full, 2);
    assert_int_equal(fg_base64_decode(&full, FG_SLICE("Zm9v")), FG_ELIMIT);
    fg_buffer_free(&full);
    fg_buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_text),
        cmocka_unit_test(a_full_buffer_keeps_a_prefix),
        cmocka_unit_test(strings_read_back),
        cmocka_unit_test(ill_formed_text_becomes_replacements),
        cmocka_unit_test(doubles_are_short_and_read_back),
        cmocka_unit_test(base64_vectors),
        cmocka_unit_test(base64_takes_both_alphabets_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
