/* Reads JSON (RFC 8259) from borrowed bytes, forwards, without a tree. A tree of a body of 64 MiB
 * takes gigabytes, and what a request may cost has to be bounded by its size; so strings come out
 * as slices of the body, and what nests is walked where it lies.
 *
 * First fg_json_check() proves that the whole body is JSON: well-formed, UTF-8, not nested too
 * deep. After that nothing can fail in reading but the meaning of values, and stepping over what
 * nobody asked for is a search for brackets. The functions below take checked bytes only. */
#pragma once

#include "base/arena.h"
#include "wire/error.h"

/* FG_EINVALID, FG_ELIMIT for nesting past FG_JSON_DEPTH_MAX and numbers past
 * FG_JSON_NUMBER_SIZE_MAX; *error says what and where. */
FG_MUST_CHECK int fg_json_check(struct fg_slice body, struct fg_wire_error *error);

enum fg_json_type {
    FG_JSON_NULL,
    FG_JSON_FALSE,
    FG_JSON_TRUE,
    FG_JSON_NUMBER,
    FG_JSON_STRING,
    FG_JSON_ARRAY,
    FG_JSON_OBJECT,
};

/* A value. text is a string between its quotes, a number as it stands; of the others nothing. */
struct fg_json_value {
    enum fg_json_type type;
    bool is_escaped; /* a string that holds a backslash */
    struct fg_slice text;
    const uint8_t *at; /* where it begins, for errors */
};

struct fg_json_reader {
    const uint8_t *at;
    const uint8_t *end;
};

static inline struct fg_json_reader fg_json_reader(struct fg_slice body)
{
    return (struct fg_json_reader){body.data, body.data + body.size};
}

/* The value that stands next. Of an array or object the reader is then inside: go on with
 * fg_json_element() or fg_json_member() until false, or leave. */
struct fg_json_value fg_json_read(struct fg_json_reader *reader);

/* Whether the array that the reader is inside has another element, which then stands next. False
 * puts the reader behind the array. */
bool fg_json_element(struct fg_json_reader *reader);

/* The same for an object's members. */
bool fg_json_member(struct fg_json_reader *reader, struct fg_json_value *ret_key);

/* Puts the reader behind the array or object that it is inside. */
void fg_json_leave(struct fg_json_reader *reader);

/* The same for an array; returns how many elements it had left. */
uint32_t fg_json_leave_counting(struct fg_json_reader *reader);

/* Steps over the rest of a value that was just read. */
static inline void fg_json_ignore(struct fg_json_reader *reader, const struct fg_json_value *value)
{
    if (value->type == FG_JSON_ARRAY || value->type == FG_JSON_OBJECT)
        fg_json_leave(reader);
}

/* -- What values mean
 * ------------------------------------------------------------------------------
 */

/* Whether a string is name, which is no longer than 63 characters. */
bool fg_json_is(const struct fg_json_value *string, const char *name);

/* Writes a string without its escapes: text.size bytes at most. A surrogate without its partner,
 * which JavaScript makes of strings cut in the middle of a character, becomes U+FFFD. */
size_t fg_json_unescape(struct fg_slice text, uint8_t *ret_bytes);

/* The string's bytes: in place, or without escapes in arena. FG_EINVALID for another type,
 * FG_ENOMEM. */
FG_MUST_CHECK int fg_json_text(const struct fg_json_value *value, struct fg_arena *arena,
                               struct fg_slice *ret_text);

/* The bytes of a string of hexadecimal digits, in arena. As above. */
FG_MUST_CHECK int fg_json_bytes_from_hex(const struct fg_json_value *value, struct fg_arena *arena,
                                         struct fg_slice *ret_bytes);

/* A number, or one in a string, as protobuf's JSON mapping has it: also 12.0 and 1e3. FG_EINVALID
 * for another value or a fraction, FG_ELIMIT where it does not fit. */
FG_MUST_CHECK int fg_json_uint64(const struct fg_json_value *value, uint64_t *ret_number);
FG_MUST_CHECK int fg_json_int64(const struct fg_json_value *value, int64_t *ret_number);
FG_MUST_CHECK int fg_json_uint32(const struct fg_json_value *value, uint32_t *ret_number);
FG_MUST_CHECK int fg_json_int32(const struct fg_json_value *value, int32_t *ret_number);

/* The same for doubles; the strings "NaN", "Infinity" and "-Infinity" too. FG_ELIMIT for a number
 * past the largest. */
FG_MUST_CHECK int fg_json_number(const struct fg_json_value *value, double *ret_number);
