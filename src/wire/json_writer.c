#include "wire/json_writer.h"

#include "base/hex.h"
#include "base/utf8.h"
#include "wire/base64.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A number's text: 17 digits, sign, point, exponent. */
#define NUMBER_SIZE 32

static void separate(struct fg_json_writer *json)
{
    if (json->comma)
        fg_buffer_append_byte(json->buffer, ',');
    json->comma = true;
}

static void begin(struct fg_json_writer *json, uint8_t bracket)
{
    separate(json);
    fg_buffer_append_byte(json->buffer, bracket);
    json->comma = false;
}

static void end(struct fg_json_writer *json, uint8_t bracket)
{
    fg_buffer_append_byte(json->buffer, bracket);
    json->comma = true;
}

void fg_json_object_begin(struct fg_json_writer *json)
{
    begin(json, '{');
}

void fg_json_object_end(struct fg_json_writer *json)
{
    end(json, '}');
}

void fg_json_array_begin(struct fg_json_writer *json)
{
    begin(json, '[');
}

void fg_json_array_end(struct fg_json_writer *json)
{
    end(json, ']');
}

static void append_escape(struct fg_buffer *buffer, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t text[6] = {'\\', 'u', '0', '0', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]};
    size_t size = 2;
    switch (c) {
    case '"':
    case '\\':
        text[1] = c;
        break;
    case '\n':
        text[1] = 'n';
        break;
    case '\r':
        text[1] = 'r';
        break;
    case '\t':
        text[1] = 't';
        break;
    default:
        size = sizeof text;
        break;
    }
    fg_buffer_append(buffer, text, size);
}

/* The bytes from offset on that go out as they are. */
static size_t plain_size(struct fg_slice string, size_t offset)
{
    size_t at = offset;
    while (at < string.size) {
        uint8_t c = string.data[at];
        if (c < ' ' || c == '"' || c == '\\')
            break;
        int size = fg_utf8_step(string, at);
        if (size < 0)
            break;
        at += (size_t)size;
    }
    return at - offset;
}

static void append_quoted(struct fg_buffer *buffer, struct fg_slice string)
{
    fg_buffer_append_byte(buffer, '"');
    for (size_t at = 0; at < string.size;) {
        size_t plain = plain_size(string, at);
        fg_buffer_append(buffer, string.data + at, plain);
        at += plain;
        if (at == string.size)
            break;
        if (string.data[at] < 0x80) {
            append_escape(buffer, string.data[at++]);
            continue;
        }
        fg_buffer_append_string(buffer, "\xef\xbf\xbd"); /* U+FFFD */
        at += (size_t)-fg_utf8_step(string, at);
    }
    fg_buffer_append_byte(buffer, '"');
}

void fg_json_key(struct fg_json_writer *json, struct fg_slice key)
{
    separate(json);
    append_quoted(json->buffer, key);
    fg_buffer_append_byte(json->buffer, ':');
    json->comma = false;
}

void fg_json_string(struct fg_json_writer *json, struct fg_slice string)
{
    separate(json);
    append_quoted(json->buffer, string);
}

void fg_json_bool(struct fg_json_writer *json, bool value)
{
    fg_json_raw(json, value ? FG_SLICE("true") : FG_SLICE("false"));
}

void fg_json_null(struct fg_json_writer *json)
{
    fg_json_raw(json, FG_SLICE("null"));
}

void fg_json_raw(struct fg_json_writer *json, struct fg_slice text)
{
    separate(json);
    fg_buffer_append_slice(json->buffer, text);
}

/* The digits of a number, with its sign, and in quotes where quote is '"', written back from the
 * end of text; snprintf would be most of the time of a long answer. */
static struct fg_slice digits_of(uint64_t value, bool negative, const char *quote,
                                 char text[NUMBER_SIZE])
{
    char *begin = text + NUMBER_SIZE;
    if (quote)
        *--begin = *quote;
    do
        *--begin = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    if (negative)
        *--begin = '-';
    if (quote)
        *--begin = *quote;
    return fg_slice(begin, (size_t)(text + NUMBER_SIZE - begin));
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

void fg_json_int(struct fg_json_writer *json, int64_t value)
{
    char text[NUMBER_SIZE];
    fg_json_raw(json, digits_of(magnitude(value), value < 0, NULL, text));
}

void fg_json_uint(struct fg_json_writer *json, uint64_t value)
{
    char text[NUMBER_SIZE];
    fg_json_raw(json, digits_of(value, false, NULL, text));
}

void fg_json_int_string(struct fg_json_writer *json, int64_t value)
{
    char text[NUMBER_SIZE];
    fg_json_raw(json, digits_of(magnitude(value), value < 0, "\"", text));
}

void fg_json_uint_string(struct fg_json_writer *json, uint64_t value)
{
    char text[NUMBER_SIZE];
    fg_json_raw(json, digits_of(value, false, "\"", text));
}

void fg_json_double(struct fg_json_writer *json, double value)
{
    if (isnan(value)) {
        fg_json_raw(json, FG_SLICE("\"NaN\""));
        return;
    }
    if (isinf(value)) {
        fg_json_raw(json, value > 0 ? FG_SLICE("\"Infinity\"") : FG_SLICE("\"-Infinity\""));
        return;
    }
    /* Readers that tell integers apart would take "-0" for one. */
    if (value == 0 && signbit(value)) {
        fg_json_raw(json, FG_SLICE("-0.0"));
        return;
    }
    /* Fifteen digits bring back whatever fewer do, since %g drops zeroes at the end; below the
     * normal numbers, which have fewer bits, that does not hold. */
    char text[NUMBER_SIZE];
    int size, digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG;
    do
        size = snprintf(text, sizeof text, "%.*g", digits, value);
    while (strtod(text, NULL) != value && ++digits <= DBL_DECIMAL_DIG);
    fg_json_raw(json, fg_slice(text, (size_t)size));
}

void fg_json_hex(struct fg_json_writer *json, struct fg_slice bytes)
{
    separate(json);
    fg_buffer_append_byte(json->buffer, '"');
    uint8_t *text = fg_buffer_reserve(json->buffer, 2 * bytes.size);
    if (text) {
        fg_hex_encode(bytes, (char *)text);
        json->buffer->size += 2 * bytes.size;
    }
    fg_buffer_append_byte(json->buffer, '"');
}

void fg_json_base64(struct fg_json_writer *json, struct fg_slice bytes)
{
    separate(json);
    fg_buffer_append_byte(json->buffer, '"');
    fg_base64_encode(json->buffer, bytes);
    fg_buffer_append_byte(json->buffer, '"');
}
