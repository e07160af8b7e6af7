/* What requests leave in the audit (auth/audit.h): that an order or a trace was seen, that
 * something is about to be changed and what came of it, that somebody was refused. Nothing while
 * the server is open: then there is nobody to tell apart. */
#pragma once

#include "exchange.h"

/* Runs the route's handler; for a change after its record is on disk, and not at all where it can't
 * be. Loop thread. */
void fg_trail_handle(struct fg_exchange *exchange);

/* The request is answered: who saw what, what came of a change. */
void fg_trail_end(const struct fg_exchange *exchange);

/* why: in two words. */
void fg_trail_refused(const struct fg_exchange *exchange, const char *why);

/* Signing in, by the name that was tried. */
void fg_trail_sign_in(const struct fg_exchange *exchange, struct fg_slice name, const char *result);
