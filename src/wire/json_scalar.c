/* What JSON's strings and numbers mean in protobuf's mapping. */
#include "base/checked.h"
#include "base/hex.h"
#include "base/limits.h"
#include "json_reader.h"

#include <math.h>
#include <stdlib.h>

#define NAME_SIZE_MAX 64
/* More than any exponent that matters, so that sums of such stay far from overflow. */
#define EXPONENT_MAX 1000000

/* -- Strings
 * --------------------------------------------------------------------------------------------
 */

/* The code unit of "uXXXX", or 0xffff where text has none at offset. */
static uint32_t unit(struct fg_slice text, size_t offset)
{
    uint8_t bytes[2];
    if (text.size < 6 || offset > text.size - 6 || text.data[offset] != '\\' ||
        text.data[offset + 1] != 'u' || fg_hex_decode(fg_slice(text.data + offset + 2, 4), bytes))
        return 0xffff;
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

static size_t write_point(uint32_t point, uint8_t *out)
{
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (uint8_t)(0xc0 | point >> 6);
        out[1] = (uint8_t)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (uint8_t)(0xe0 | point >> 12);
        out[1] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | point >> 18);
    out[1] = (uint8_t)(0x80 | (point >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (point & 0x3f));
    return 4;
}

/* The character of the \u at offset, or of two that are a pair. */
static uint32_t read_point(struct fg_slice text, size_t offset, size_t *ret_size)
{
    uint32_t high = unit(text, offset);
    *ret_size = 6;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    uint32_t low = unit(text, offset + 6);
    if (high > 0xdbff || low < 0xdc00 || low > 0xdfff)
        return 0xfffd;
    *ret_size = 12;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static uint8_t simple_escape(uint8_t c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

size_t fg_json_unescape(struct fg_slice text, uint8_t *ret_bytes)
{
    size_t written = 0;
    for (size_t at = 0; at < text.size;) {
        uint8_t c = text.data[at];
        if (c != '\\' || text.size - at < 2) {
            ret_bytes[written++] = c;
            at++;
        } else if (text.data[at + 1] == 'u' && text.size - at >= 6) {
            size_t size;
            uint32_t point = read_point(text, at, &size);
            written += write_point(point, ret_bytes + written);
            at += size;
        } else {
            ret_bytes[written++] = simple_escape(text.data[at + 1]);
            at += 2;
        }
    }
    return written;
}

bool fg_json_is(const struct fg_json_value *string, const char *name)
{
    uint8_t unescaped[6 * NAME_SIZE_MAX];
    struct fg_slice text = string->text;
    if (string->type != FG_JSON_STRING)
        return false;
    if (string->is_escaped) {
        if (text.size > sizeof unescaped)
            return false;
        text = fg_slice(unescaped, fg_json_unescape(text, unescaped));
    }
    return fg_slice_equal(text, fg_slice_from_string(name));
}

int fg_json_text(const struct fg_json_value *value, struct fg_arena *arena,
                 struct fg_slice *ret_text)
{
    if (value->type != FG_JSON_STRING)
        return FG_EINVALID;
    if (!value->is_escaped) {
        *ret_text = value->text;
        return 0;
    }
    uint8_t *bytes = fg_arena_alloc(arena, value->text.size);
    if (!bytes)
        return FG_ENOMEM;
    *ret_text = fg_slice(bytes, fg_json_unescape(value->text, bytes));
    return 0;
}

int fg_json_bytes_from_hex(const struct fg_json_value *value, struct fg_arena *arena,
                           struct fg_slice *ret_bytes)
{
    struct fg_slice text;
    int r = fg_json_text(value, arena, &text);
    if (r < 0)
        return r;
    uint8_t *bytes = fg_arena_alloc(arena, text.size / 2);
    if (!bytes)
        return FG_ENOMEM;
    r = fg_hex_decode(text, bytes);
    if (r < 0)
        return r;
    *ret_bytes = fg_slice(bytes, text.size / 2);
    return 0;
}

/* -- Numbers
 * --------------------------------------------------------------------------------------------
 */

/* A number is magnitude * 10^exponent. Zeroes at the end of the digits go to the exponent. */
struct decimal {
    bool is_negative;
    uint64_t magnitude;
    int64_t exponent;
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Takes digits into the decimal. *ret_size: how many. */
static int take_digits(struct fg_slice text, size_t begin, struct decimal *decimal,
                       size_t *ret_size)
{
    size_t at = begin;
    for (; at < text.size && is_digit(text.data[at]); at++) {
        unsigned digit = text.data[at] - (unsigned)'0';
        if (digit == 0 || decimal->magnitude == 0) {
            decimal->magnitude += digit;
            decimal->exponent += digit == 0 && decimal->magnitude != 0;
            continue;
        }
        for (int64_t i = decimal->exponent; i >= 0; i--)
            if (fg_mul_overflow(decimal->magnitude, UINT64_C(10), &decimal->magnitude))
                return FG_ELIMIT;
        decimal->exponent = 0;
        if (fg_add_overflow(decimal->magnitude, (uint64_t)digit, &decimal->magnitude))
            return FG_ELIMIT;
    }
    *ret_size = at - begin;
    return 0;
}

static int take_exponent(struct fg_slice text, size_t at, int64_t *ret_exponent)
{
    int64_t exponent = 0;
    bool is_negative = at < text.size && text.data[at] == '-';
    if (at < text.size && (text.data[at] == '-' || text.data[at] == '+'))
        at++;
    size_t begin = at;
    for (; at < text.size && is_digit(text.data[at]); at++)
        if (exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (text.data[at] - '0');
    *ret_exponent = is_negative ? -exponent : exponent;
    return at > begin && at == text.size ? 0 : FG_EINVALID;
}

/* text in JSON's grammar of numbers. */
static int parse_decimal(struct fg_slice text, struct decimal *decimal)
{
    size_t at = 0, size, fraction_size = 0;
    int64_t exponent = 0;
    *decimal = (struct decimal){.is_negative = text.size > 0 && text.data[0] == '-'};
    at += decimal->is_negative;
    int r = take_digits(text, at, decimal, &size);
    if (r < 0 || size == 0 || (size > 1 && text.data[at] == '0'))
        return r < 0 ? r : FG_EINVALID;
    at += size;
    if (at < text.size && text.data[at] == '.') {
        r = take_digits(text, at + 1, decimal, &fraction_size);
        if (r < 0 || fraction_size == 0)
            return r < 0 ? r : FG_EINVALID;
        at += 1 + fraction_size;
    }
    if (at < text.size && (text.data[at] | 0x20) == 'e') {
        r = take_exponent(text, at + 1, &exponent);
        at = text.size;
    }
    decimal->exponent += exponent - (int64_t)fraction_size;
    return r < 0 || at < text.size ? FG_EINVALID : 0;
}

/* The text of a number, or of a string that has one. */
static int number_text(const struct fg_json_value *value, struct fg_slice *ret_text)
{
    if ((value->type != FG_JSON_NUMBER && value->type != FG_JSON_STRING) || value->is_escaped)
        return FG_EINVALID;
    if (value->text.size > FG_JSON_NUMBER_SIZE_MAX)
        return FG_ELIMIT;
    *ret_text = value->text;
    return 0;
}

static int read_integer(const struct fg_json_value *value, bool *ret_negative,
                        uint64_t *ret_magnitude)
{
    struct fg_slice text;
    struct decimal decimal;
    int r = number_text(value, &text);
    if (r == 0)
        r = parse_decimal(text, &decimal);
    if (r < 0)
        return r;
    if (decimal.magnitude == 0)
        decimal.exponent = 0;
    for (; decimal.exponent > 0; decimal.exponent--)
        if (fg_mul_overflow(decimal.magnitude, UINT64_C(10), &decimal.magnitude))
            return FG_ELIMIT;
    for (; decimal.exponent < 0; decimal.exponent++) {
        if (decimal.magnitude % 10)
            return FG_EINVALID;
        decimal.magnitude /= 10;
    }
    *ret_negative = decimal.is_negative && decimal.magnitude;
    *ret_magnitude = decimal.magnitude;
    return 0;
}

int fg_json_uint64(const struct fg_json_value *value, uint64_t *ret_number)
{
    bool is_negative;
    uint64_t magnitude;
    int r = read_integer(value, &is_negative, &magnitude);
    if (r < 0)
        return r;
    if (is_negative)
        return FG_ELIMIT;
    *ret_number = magnitude;
    return 0;
}

int fg_json_int64(const struct fg_json_value *value, int64_t *ret_number)
{
    bool is_negative;
    uint64_t magnitude;
    int r = read_integer(value, &is_negative, &magnitude);
    if (r < 0)
        return r;
    if (magnitude > (uint64_t)INT64_MAX + is_negative)
        return FG_ELIMIT;
    *ret_number = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return 0;
}

int fg_json_uint32(const struct fg_json_value *value, uint32_t *ret_number)
{
    uint64_t number;
    int r = fg_json_uint64(value, &number);
    if (r < 0)
        return r;
    if (number > UINT32_MAX)
        return FG_ELIMIT;
    *ret_number = (uint32_t)number;
    return 0;
}

int fg_json_int32(const struct fg_json_value *value, int32_t *ret_number)
{
    int64_t number;
    int r = fg_json_int64(value, &number);
    if (r < 0)
        return r;
    if (number < INT32_MIN || number > INT32_MAX)
        return FG_ELIMIT;
    *ret_number = (int32_t)number;
    return 0;
}

int fg_json_number(const struct fg_json_value *value, double *ret_number)
{
    char copy[FG_JSON_NUMBER_SIZE_MAX + 1];
    struct fg_slice text;
    struct decimal unused;
    static const struct {
        const char *name;
        double number;
    } names[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (fg_json_is(value, names[i].name)) {
            *ret_number = names[i].number;
            return 0;
        }
    int r = number_text(value, &text);
    if (r < 0)
        return r;
    /* Only for the grammar: a magnitude past 64 bits is fine here. */
    r = value->type == FG_JSON_STRING ? parse_decimal(text, &unused) : 0;
    if (r < 0 && r != FG_ELIMIT)
        return r;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    char *end;
    double number = strtod(copy, &end);
    if (*end)
        return FG_EINVALID;
    if (!isfinite(number))
        return FG_ELIMIT;
    *ret_number = number;
    return 0;
}
