/* Whether a message obeys the agreed format, told without the message: spans carry its shape, the
 * JSON of the message with each value replaced by its type.
 *
 *     message  {"type": "order.submitted", "order_id": "ORD-1", "version": 3, "tags": ["a", "b"]}
 *     shape    {"type": "=order.submitted", "order_id": "string", "version": "integer",
 *               "tags": ["string"]}
 *
 * Types are JSON schema's: string, integer, number, boolean, null. A text that begins with "=" is a
 * value that was kept, as of a field that tells the kind of message; where none is, every constant
 * and enumeration is taken to be kept to.
 *
 * Of JSON Schema (draft 7 and 2020-12) it reads type, properties, required, additionalProperties,
 * items, oneOf, anyOf, allOf, const and enum of texts, and $ref within the document; what is said
 * of values (pattern, minimum, format, …) a shape can't break. Immutable once read. */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"

struct fg_schema;

/* FG_EINVALID: what is wrong stands in errors. FG_ELIMIT: nested too deep, or the arena is full. */
FG_MUST_CHECK int fg_schema_parse(struct fg_slice json, struct fg_arena *arena,
                                  struct fg_buffer *errors, const struct fg_schema **ret_schema);

enum fg_schema_result {
    FG_SCHEMA_OBEYS,
    FG_SCHEMA_VIOLATES,
    FG_SCHEMA_UNKNOWN, /* the shape can't be read */
};

/* Why it violates, e.g. "order_id is missing", is put into why, cut where it is too long. */
enum fg_schema_result fg_schema_check(const struct fg_schema *schema, struct fg_slice shape,
                                      char *why, size_t why_size);
