/* What keeps an open server on loopback the local user's own.
 *
 * Without accounts whoever reaches the server may read and write, and who reaches loopback is taken
 * for the local user. Two ways lead there from outside: a proxy on this machine that forwards what
 * it gets, and a page of another site in the local user's browser, by the name of a host that it
 * has pointed at 127.0.0.1 (DNS rebinding) or by a form. Both give themselves away in the header;
 * such requests are refused on every port, before anything of them is read. */
#pragma once

#include "base/slice.h"

struct fg_api;
struct fg_exchange;

/* Whether the server has no accounts, so that everybody who reaches it is permitted everything. */
bool fg_api_is_open(const struct fg_api *api);

/* False: it is refused and answered. may_cors: pages of the configured origins may call this path.
 * On the loop's thread. */
bool fg_guard_lets_in(struct fg_exchange *exchange, bool may_cors);

/* Whether the host of a Host field, with or without a port, is this machine by a name or address
 * that means nothing else: localhost, *.localhost (RFC 6761 section 6.3), 127.0.0.0/8, ::1. */
bool fg_host_is_local(struct fg_slice host);
