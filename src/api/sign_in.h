/* What the ways of signing in share. */
#pragma once

#include "exchange.h"

/* Gives the answer a session's cookie; an empty secret takes it away. */
void fg_session_cookie_set(struct fg_exchange *exchange, struct fg_slice secret);
