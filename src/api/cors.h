/* Cross-origin requests from pages (Fetch standard, "CORS protocol"): which origins may send spans.
 */
#pragma once

#include "net/request.h"

struct fg_exchange;

/* Whether a page of the origin may call what pages may call. */
bool fg_cors_allows(struct fg_exchange *exchange, struct fg_slice origin);

/* Writes at most two fields that let the page of the request's origin read the answer; returns how
 * many. Fields live as long as the request. */
size_t fg_cors_fields(struct fg_exchange *exchange, struct fg_header_field *fields);

/* Answers a preflight for a path that pages may call. */
void fg_cors_preflight(struct fg_exchange *exchange);
