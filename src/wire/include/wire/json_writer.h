/* Writes JSON (RFC 8259) onto a buffer as it comes, without a tree: commas and escapes are the
 * writer's business, the nesting is the caller's. The state is one flag, so the buffer may be
 * emptied between any two calls and a long answer be written in pieces. Errors are the buffer's
 * sticky error.
 *
 * Strings and keys: ill-formed UTF-8 becomes U+FFFD; control characters, '"' and '\' are escaped.
 */
#pragma once

#include "base/buffer.h"
#include "base/slice.h"

struct fg_json_writer {
    struct fg_buffer *buffer;
    bool comma; /* the next key or value needs a comma before it */
};

static inline struct fg_json_writer fg_json_writer(struct fg_buffer *buffer)
{
    return (struct fg_json_writer){.buffer = buffer};
}

void fg_json_object_begin(struct fg_json_writer *json);
void fg_json_object_end(struct fg_json_writer *json);
void fg_json_array_begin(struct fg_json_writer *json);
void fg_json_array_end(struct fg_json_writer *json);

void fg_json_key(struct fg_json_writer *json, struct fg_slice key);

void fg_json_string(struct fg_json_writer *json, struct fg_slice string);
void fg_json_bool(struct fg_json_writer *json, bool value);
void fg_json_null(struct fg_json_writer *json);
void fg_json_int(struct fg_json_writer *json, int64_t value);
void fg_json_uint(struct fg_json_writer *json, uint64_t value);
/* In quotes, as protobuf's JSON mapping has 64-bit integers. */
void fg_json_int_string(struct fg_json_writer *json, int64_t value);
void fg_json_uint_string(struct fg_json_writer *json, uint64_t value);
/* The shortest form that reads back as the same number; "NaN", "Infinity" and "-Infinity" as
 * strings. */
void fg_json_double(struct fg_json_writer *json, double value);
/* Binary as a string of lower-case hexadecimal, or of base64 with padding (RFC 4648 section 4). */
void fg_json_hex(struct fg_json_writer *json, struct fg_slice bytes);
void fg_json_base64(struct fg_json_writer *json, struct fg_slice bytes);
/* text is JSON already. */
void fg_json_raw(struct fg_json_writer *json, struct fg_slice text);

/* A key that is a string literal, and needs no escape, with its value. */
#define FG_JSON_KEY(json, literal) fg_json_key((json), FG_SLICE(literal))
