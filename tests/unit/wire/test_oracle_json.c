/* OTLP in JSON: random requests of the oracle, encoded, read back, and read from any other text
 * that means the same: members in another order, escapes, numbers in strings, names as in the
 * .proto file, members that nobody knows or that come twice. jansson parses between. */
#include "base/utf8.h"
#include "oracle.h"
#include "wire/otlp_encode.h"

#include <ctype.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#define ROUNDS 600

static void to_json(struct fg_slice packed, struct fg_buffer *text)
{
    struct fg_otlp_encoder encoder;
    struct fg_wire_error error = {""};
    fg_otlp_encoder_init(&encoder, FG_OTLP_JSON, text);
    if (fg_otlp_decode_traces(packed, encoder.visitor, &encoder, &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(fg_otlp_encoder_finish(&encoder), 0);
}

static void from_json(struct fg_buffer *text, struct oracle_round *round, uint64_t number)
{
    struct fg_wire_error error = {""};
    if (fg_otlp_decode_traces_json(fg_buffer_slice(text), &record_visitor, &round->recorded,
                                   &error) != 0)
        fail_msg("seed %" PRIu64 ", round %" PRIu64 ": %s\n%.*s", oracle_seed(), number, error.text,
                 (int)text->size, (const char *)text->data);
    oracle_round_compare(round, number);
}

static void what_is_encoded_reads_back(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct oracle_round round;
        struct fg_buffer text;
        oracle_round_begin(&round, i, ORACLE_UTF8);
        fg_buffer_init(&text, 1 << 24);
        to_json(fg_buffer_slice(&round.packed), &text);
        from_json(&text, &round, i);
        fg_buffer_free(&text);
        oracle_round_end(&round);
    }
}

/* -- Another text for the same
 * ------------------------------------------------------------------------
 */

static void write_blanks(struct fg_buffer *out)
{
    while (oracle_random_below(8) == 0)
        fg_buffer_append_byte(out, (uint8_t) " \t\r\n"[oracle_random_below(4)]);
}

static void write_unit(struct fg_buffer *out, uint32_t unit)
{
    fg_buffer_append_format(out, oracle_random_below(2) ? "\\u%04x" : "\\u%04X", unit);
}

static uint32_t point_of(const uint8_t *text, int size)
{
    uint32_t point = size == 1 ? text[0] : text[0] & (0x7fu >> size);
    for (int i = 1; i < size; i++)
        point = point << 6 | (text[i] & 0x3fu);
    return point;
}

static void write_escaped(struct fg_buffer *out, uint32_t point)
{
    static const char from[] = "\b\f\n\r\t\"\\/", to[] = "bfnrt\"\\/";
    const char *simple = point < 0x80 && point ? strchr(from, (int)point) : NULL;
    if (simple && oracle_random_below(2)) {
        fg_buffer_append_byte(out, '\\');
        fg_buffer_append_byte(out, (uint8_t)to[simple - from]);
    } else if (point > 0xffff) {
        write_unit(out, 0xd800 + ((point - 0x10000) >> 10));
        write_unit(out, 0xdc00 + ((point - 0x10000) & 0x3ff));
    } else {
        write_unit(out, point);
    }
}

static void write_string(struct fg_buffer *out, const char *data, size_t data_size)
{
    struct fg_slice text = fg_slice(data, data_size);
    bool escape_all = oracle_random_below(8) == 0;
    fg_buffer_append_byte(out, '"');
    for (size_t at = 0; at < text.size;) {
        int size = fg_utf8_step(text, at);
        assert_true(size > 0);
        uint32_t point = point_of(text.data + at, size);
        if (escape_all || point < ' ' || point == '"' || point == '\\')
            write_escaped(out, point);
        else
            fg_buffer_append(out, text.data + at, (size_t)size);
        at += (size_t)size;
    }
    fg_buffer_append_byte(out, '"');
}

static void write_key(struct fg_buffer *out, const char *key)
{
    char snake[128];
    size_t size = 0;
    bool as_proto = oracle_random_below(2);
    for (const char *c = key; *c; c++) {
        if (as_proto && isupper((unsigned char)*c))
            snake[size++] = '_';
        snake[size++] = (char)(as_proto ? tolower((unsigned char)*c) : *c);
    }
    write_string(out, snake, size);
    write_blanks(out);
    fg_buffer_append_byte(out, ':');
    write_blanks(out);
}

static bool is_integer_text(const char *key)
{
    return strstr(key, "UnixNano") || strcmp(key, "intValue") == 0;
}

static void write_integer(struct fg_buffer *out, const char *text)
{
    static const char *const forms[] = {"%s", "\"%s\"", "%s.0", "%s.0E+0", "\"%s.00\""};
    fg_buffer_append_format(out, forms[oracle_random_below(5)], text);
}

static void write_json(struct fg_buffer *out, const char *key, json_t *json);

static void write_array(struct fg_buffer *out, json_t *json)
{
    fg_buffer_append_byte(out, '[');
    for (size_t i = 0; i < json_array_size(json); i++) {
        if (i)
            fg_buffer_append_byte(out, ',');
        write_blanks(out);
        write_json(out, "", json_array_get(json, i));
        write_blanks(out);
    }
    fg_buffer_append_byte(out, ']');
}

/* What the later member of the same name makes good. */
static void write_earlier(struct fg_buffer *out, const char *key, json_t *json)
{
    static const char *const earlier[] = {"null", "[]", "{}", "\"12\"", "12"};
    size_t kind = json_is_array(json)    ? 1
                  : json_is_object(json) ? 2
                  : json_is_string(json) ? 3
                  : json_is_number(json) ? 4
                                         : 0;
    write_key(out, key);
    fg_buffer_append_string(out, earlier[oracle_random_below(2) ? kind : 0]);
    fg_buffer_append_byte(out, ',');
}

#define MEMBERS_MAX 32

static void write_object(struct fg_buffer *out, json_t *json)
{
    const char *keys[MEMBERS_MAX];
    json_t *values[MEMBERS_MAX], *value;
    const char *key;
    uint32_t count = 0;
    json_object_foreach(json, key, value)
    {
        assert_true(count < MEMBERS_MAX);
        uint32_t at = oracle_random_below(count + 1);
        keys[count] = keys[at];
        values[count] = values[at];
        keys[at] = key;
        values[at] = value;
        count++;
    }
    fg_buffer_append_byte(out, '{');
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            fg_buffer_append_byte(out, ',');
        write_blanks(out);
        if (oracle_random_below(6) == 0)
            fg_buffer_append_string(out, "\"unknown\":{\"a\":[1,\"]}\\\"\",{}],\"name\":false},");
        if (oracle_random_below(6) == 0)
            write_earlier(out, keys[i], values[i]);
        write_key(out, keys[i]);
        write_json(out, keys[i], values[i]);
        write_blanks(out);
    }
    fg_buffer_append_byte(out, '}');
}

static void write_json(struct fg_buffer *out, const char *key, json_t *json)
{
    char text[64];
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        write_object(out, json);
        break;
    case JSON_ARRAY:
        write_array(out, json);
        break;
    case JSON_STRING:
        if (is_integer_text(key))
            write_integer(out, json_string_value(json));
        else
            write_string(out, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
        write_integer(out, text);
        break;
    case JSON_REAL:
        fg_buffer_append_format(out, oracle_random_below(2) ? "%.17g" : "\"%.18e\"",
                                json_real_value(json));
        break;
    default:
        fg_buffer_append_string(out, json_is_true(json) ? "true" : "false");
        break;
    }
}

static void other_texts_mean_the_same(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct oracle_round round;
        struct fg_buffer text, other;
        json_error_t error;
        oracle_round_begin(&round, i, ORACLE_UTF8);
        fg_buffer_init(&text, 1 << 24);
        fg_buffer_init(&other, 1 << 26);
        to_json(fg_buffer_slice(&round.packed), &text);
        json_t *json =
            json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
        if (!json)
            fail_msg("%s", error.text);
        write_json(&other, "", json);
        assert_int_equal(other.error, 0);
        from_json(&other, &round, i);
        json_decref(json);
        fg_buffer_free(&text);
        fg_buffer_free(&other);
        oracle_round_end(&round);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_reads_back),
        cmocka_unit_test(other_texts_mean_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
