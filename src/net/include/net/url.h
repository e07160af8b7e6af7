/* Percent-encoded text of URLs: paths and query parameters (RFC 3986; '+' for a blank in queries,
 * as HTML forms write it). */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"

/* text with %XX resolved; text itself where there is none. A '%' without two digits stays as it is.
 * {NULL, 0} and the arena's overflow flag where it does not fit. */
struct fg_slice fg_url_decode(struct fg_slice text, bool plus_is_blank, struct fg_arena *arena);

/* Appends text with everything but letters, digits and -._~ as %XX. */
void fg_url_encode(struct fg_buffer *buffer, struct fg_slice text);

struct fg_url_param {
    struct fg_slice name, value; /* decoded */
};

/* Cuts the next `name=value` off *query (also `name`, with an empty value; empty ones are skipped).
 * False at the end, or when the arena is full: see its overflow flag. */
bool fg_url_next_param(struct fg_slice *query, struct fg_arena *arena,
                       struct fg_url_param *ret_param);

/* The first parameter of that name; {NULL, 0} where there is none. */
struct fg_slice fg_url_param(struct fg_slice query, const char *name, struct fg_arena *arena);
