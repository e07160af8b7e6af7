#include "json_reader.h"

#include "base/endian.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/utf8.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))
#define HIGH_BITS    EACH_BYTE(0x80u)

/* The high bit of each byte of word that is zero. Past the first such byte others may be marked
 * that are none; below it none is. */
static inline uint64_t zero_bytes(uint64_t word)
{
    return (word - EACH_BYTE(1u)) & ~word & HIGH_BITS;
}

/* Steps over the plain bytes of a string: to the first quote, backslash or control character, or to
 * the end. Most bytes of a body lie in strings, so they are taken eight at a time. */
static inline const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 8; at += 8) {
        uint64_t word = fg_load_le64(at);
        uint64_t special = zero_bytes(word ^ EACH_BYTE('"')) | zero_bytes(word ^ EACH_BYTE('\\')) |
                           ((word - EACH_BYTE(0x20u)) & ~word & HIGH_BITS);
        if (special)
            return at + __builtin_ctzll(special) / 8;
    }
    while (at < end && *at != '"' && *at != '\\' && *at >= ' ')
        at++;
    return at;
}

/* -- Checking
 * -----------------------------------------------------------------------------------------
 */

/* One bit a level: set for an object. */
struct checker {
    const uint8_t *begin;
    const uint8_t *at;
    const uint8_t *end;
    struct fg_wire_error *error;
    unsigned depth;
    uint64_t is_object[(FG_JSON_DEPTH_MAX + 63) / 64];
};

static int refuse(struct checker *checker, int code, const char *what)
{
    return fg_wire_fail(checker->error, code, "JSON: %s, at byte %zu", what,
                        (size_t)(checker->at - checker->begin));
}

/* The next byte that is not blank; 0 at the end, where no value or sign can stand either. */
static uint8_t peek(struct checker *checker)
{
    while (checker->at < checker->end && is_blank(*checker->at))
        checker->at++;
    return checker->at < checker->end ? *checker->at : 0;
}

static int check_escape(struct checker *checker)
{
    static const char simple[] = "\"\\/bfnrt";
    uint8_t unused[2];
    size_t left = (size_t)(checker->end - checker->at);
    if (left < 2)
        return refuse(checker, FG_EINVALID, "a string does not end");
    uint8_t c = checker->at[1];
    if (c != 'u') {
        if (c == 0 || !strchr(simple, c))
            return refuse(checker, FG_EINVALID, "unknown escape");
        checker->at += 2;
        return 0;
    }
    if (left < 6 || fg_hex_decode(fg_slice(checker->at + 2, 4), unused) < 0)
        return refuse(checker, FG_EINVALID, "\\u without four hexadecimal digits");
    checker->at += 6;
    return 0;
}

/* At the opening quote. */
static int check_string(struct checker *checker)
{
    checker->at = skip_plain(checker->at + 1, checker->end);
    while (checker->at < checker->end) {
        if (*checker->at == '"') {
            checker->at++;
            return 0;
        }
        if (*checker->at < ' ')
            return refuse(checker, FG_EINVALID, "control character in a string");
        int r = check_escape(checker);
        if (r < 0)
            return r;
        checker->at = skip_plain(checker->at, checker->end);
    }
    return refuse(checker, FG_EINVALID, "a string does not end");
}

static size_t digits(const uint8_t *at, const uint8_t *end)
{
    size_t size = 0;
    while (at + size < end && is_digit(at[size]))
        size++;
    return size;
}

/* The size of the number that begins at `at`; 0 where none does. */
static size_t number_size(const uint8_t *begin, const uint8_t *end)
{
    const uint8_t *at = begin;
    if (at < end && *at == '-')
        at++;
    size_t size = digits(at, end);
    if (size == 0 || (*at == '0' && size > 1))
        return 0;
    at += size;
    if (at < end && *at == '.') {
        size = digits(at + 1, end);
        if (size == 0)
            return 0;
        at += 1 + size;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        size = digits(at, end);
        if (size == 0)
            return 0;
        at += size;
    }
    return (size_t)(at - begin);
}

static int check_number(struct checker *checker)
{
    size_t size = number_size(checker->at, checker->end);
    if (size == 0)
        return refuse(checker, FG_EINVALID, "malformed number");
    if (size > FG_JSON_NUMBER_SIZE_MAX)
        return refuse(checker, FG_ELIMIT, "a number is too long");
    checker->at += size;
    return 0;
}

static int check_literal(struct checker *checker, struct fg_slice literal)
{
    struct fg_slice left = fg_slice(checker->at, (size_t)(checker->end - checker->at));
    if (!fg_slice_starts_with(left, literal))
        return refuse(checker, FG_EINVALID, "unknown word");
    checker->at += literal.size;
    return 0;
}

static bool in_object(const struct checker *checker)
{
    unsigned level = checker->depth - 1;
    return (checker->is_object[level / 64] >> (level % 64) & 1) != 0;
}

/* A key and its colon. */
static int check_key(struct checker *checker)
{
    if (peek(checker) != '"')
        return refuse(checker, FG_EINVALID, "expected a key in quotes");
    int r = check_string(checker);
    if (r < 0)
        return r;
    if (peek(checker) != ':')
        return refuse(checker, FG_EINVALID, "expected a colon");
    checker->at++;
    return 0;
}

/* At an opening bracket. *ret_empty: the closing one follows and was stepped over. */
static int check_open(struct checker *checker, bool *ret_empty)
{
    bool is_object = *checker->at == '{';
    if (checker->depth == FG_JSON_DEPTH_MAX)
        return refuse(checker, FG_ELIMIT, "nested too deep");
    checker->at++;
    *ret_empty = peek(checker) == (is_object ? '}' : ']');
    if (*ret_empty) {
        checker->at++;
        return 0;
    }
    uint64_t bit = UINT64_C(1) << (checker->depth % 64);
    uint64_t *word = &checker->is_object[checker->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    checker->depth++;
    return is_object ? check_key(checker) : 0;
}

/* A scalar or an empty container; or an opening bracket, after which a value is expected. */
static int check_value(struct checker *checker, bool *ret_whole)
{
    uint8_t c = peek(checker);
    *ret_whole = true;
    switch (c) {
    case '{':
    case '[':
        return check_open(checker, ret_whole);
    case '"':
        return check_string(checker);
    case 't':
        return check_literal(checker, FG_SLICE("true"));
    case 'f':
        return check_literal(checker, FG_SLICE("false"));
    case 'n':
        return check_literal(checker, FG_SLICE("null"));
    default:
        if (c == '-' || is_digit(c))
            return check_number(checker);
        return refuse(checker, FG_EINVALID,
                      checker->at == checker->end ? "it ends too early" : "unexpected character");
    }
}

/* What follows a value: closing brackets, and a comma if there is more. */
static int check_after_value(struct checker *checker, bool *ret_done)
{
    while (checker->depth > 0) {
        uint8_t c = peek(checker);
        if (c == ',') {
            checker->at++;
            *ret_done = false;
            return in_object(checker) ? check_key(checker) : 0;
        }
        if (c != (in_object(checker) ? '}' : ']'))
            return refuse(checker, FG_EINVALID,
                          in_object(checker) ? "expected ',' or '}'" : "expected ',' or ']'");
        checker->at++;
        checker->depth--;
    }
    *ret_done = true;
    peek(checker);
    if (checker->at < checker->end)
        return refuse(checker, FG_EINVALID, "something follows the value");
    return 0;
}

static size_t first_ill_formed(struct fg_slice body)
{
    size_t at = 0;
    while (at < body.size) {
        int size = fg_utf8_step(body, at);
        if (size < 0)
            break;
        at += (size_t)size;
    }
    return at;
}

int fg_json_check(struct fg_slice body, struct fg_wire_error *error)
{
    if (!fg_utf8_valid(body))
        return fg_wire_fail(error, FG_EINVALID, "JSON: not UTF-8, at byte %zu",
                            first_ill_formed(body));
    if (body.size == 0)
        return fg_wire_fail(error, FG_EINVALID, "JSON: the body is empty");
    struct checker checker = {
        .begin = body.data, .at = body.data, .end = body.data + body.size, .error = error};
    bool done = false;
    while (!done) {
        bool whole;
        int r = check_value(&checker, &whole);
        if (r == 0 && whole)
            r = check_after_value(&checker, &done);
        if (r < 0)
            return r;
    }
    return 0;
}

/* -- Reading what was checked
 * -------------------------------------------------------------------------
 */

static void skip_blanks(struct fg_json_reader *reader)
{
    while (reader->at < reader->end && is_blank(*reader->at))
        reader->at++;
}

/* Behind the opening quote; puts the reader behind the closing one. */
static inline void skip_string(struct fg_json_reader *reader, bool *ret_escaped)
{
    const uint8_t *at = skip_plain(reader->at, reader->end);
    while (reader->end - at >= 2 && *at == '\\') {
        *ret_escaped = true;
        at = skip_plain(at + 2, reader->end);
    }
    reader->at = at < reader->end ? at + 1 : reader->end;
}

static size_t word_size(enum fg_json_type type)
{
    return type == FG_JSON_FALSE ? 5 : 4;
}

struct fg_json_value fg_json_read(struct fg_json_reader *reader)
{
    struct fg_json_value value = {.type = FG_JSON_NULL};
    skip_blanks(reader);
    value.at = reader->at;
    if (reader->at == reader->end)
        return value;
    switch (*reader->at) {
    case '{':
    case '[':
        value.type = *reader->at == '{' ? FG_JSON_OBJECT : FG_JSON_ARRAY;
        reader->at++;
        return value;
    case '"':
        value.type = FG_JSON_STRING;
        reader->at++;
        skip_string(reader, &value.is_escaped);
        value.text = fg_slice(value.at + 1, (size_t)(reader->at - value.at) - 2);
        return value;
    case 't':
        value.type = FG_JSON_TRUE;
        break;
    case 'f':
        value.type = FG_JSON_FALSE;
        break;
    case 'n':
        break;
    default:
        value.type = FG_JSON_NUMBER;
        value.text = fg_slice(reader->at, number_size(reader->at, reader->end));
        reader->at += value.text.size;
        return value;
    }
    reader->at += word_size(value.type);
    return value;
}

/* Steps over a comma; false, and behind the bracket, at the end. */
static bool go_on(struct fg_json_reader *reader)
{
    skip_blanks(reader);
    if (reader->at == reader->end)
        return false;
    uint8_t c = *reader->at;
    if (c == ',' || c == ']' || c == '}')
        reader->at++;
    return c != ']' && c != '}';
}

bool fg_json_element(struct fg_json_reader *reader)
{
    return go_on(reader);
}

bool fg_json_member(struct fg_json_reader *reader, struct fg_json_value *ret_key)
{
    if (!go_on(reader))
        return false;
    *ret_key = fg_json_read(reader);
    skip_blanks(reader);
    if (reader->at < reader->end)
        reader->at++; /* the colon */
    return true;
}

void fg_json_leave(struct fg_json_reader *reader)
{
    /* What a byte outside of strings does to the depth; 2: a string begins. */
    static const int16_t steps[256] = {['{'] = 1, ['['] = 1, ['}'] = -1, [']'] = -1, ['"'] = 2};
    bool ignored;
    for (size_t depth = 1; depth > 0 && reader->at < reader->end;) {
        int step = steps[*reader->at++];
        if (step == 2)
            skip_string(reader, &ignored);
        else
            depth += (size_t)step;
    }
}

uint32_t fg_json_leave_counting(struct fg_json_reader *reader)
{
    uint32_t count = 0;
    for (; fg_json_element(reader); count++) {
        struct fg_json_value value = fg_json_read(reader);
        fg_json_ignore(reader, &value);
    }
    return count;
}
