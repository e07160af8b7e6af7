/* Who asks, and whether they may: for every request, before its body is read. */
#pragma once

#include "exchange.h"

/* "view". */
const char *fg_permission_name(enum fg_permission permission);
/* Whether one of these roles is enough for it. */
bool fg_permission_is_held(enum fg_permission permission, unsigned roles);

/* Fills the exchange's identity. False after a refusal, which says nothing of why credentials did
 * not hold. Loop thread. */
bool fg_permit(struct fg_exchange *exchange);

/* Whether the one who was let in still may: for answers that go on for long. Any thread. */
bool fg_permit_holds(const struct fg_exchange *exchange);

/* The client's address without its port. */
struct fg_slice fg_client_address(const struct fg_request *request);
/* "127.0.0.1:4711" → "127.0.0.1" */
struct fg_slice fg_without_port(struct fg_slice peer);
/* The cookie that holds the session: one that only this host can set, where there is TLS. */
const char *fg_session_cookie(const struct fg_request *request);
/* A cookie's value; empty where there is none. */
struct fg_slice fg_cookie(const struct fg_request *request, const char *cookie);
