/* A request's body that is a small JSON object. An unknown key is refused, since a misspelt one
 * could make a change take more or less than was meant. */
#pragma once

#include "exchange.h"

#include <jansson.h>

/* The body as an object with none but the allowed keys (NULL-terminated); the caller gives it back.
 * NULL after a 400. */
json_t *fg_body_object(struct fg_exchange *exchange, const char *const *allowed);

/* A text of the body in the request's arena, with a NUL behind it; {NULL, 0} where value is none.
 */
struct fg_slice fg_body_text(struct fg_exchange *exchange, const json_t *value);

/* Who does something to an order's things: the asker where he is known, whatever body claims
 * (nobody does anything in another's name), otherwise the body's "by". {NULL, 0} after a 400: none,
 * or longer than size_max. */
struct fg_slice fg_body_by(struct fg_exchange *exchange, const json_t *body, size_t size_max);
/* The body's text under a key; "" where it is absent. False after a 400: it is none, or longer than
 * size_max. */
bool fg_body_short_text(struct fg_exchange *exchange, const json_t *body, const char *key,
                        size_t size_max, struct fg_slice *ret_text);
