/* Whom a span's attributes name as the other end. */
#pragma once

#include "peers.h"

/* Fills kind, name, system and where of *ret_peer, as slices of batch's strings and of literals.
 * False where the attributes of row name nobody. Source: OpenTelemetry semantic conventions 1.36
 * (db, messaging, rpc, http, server, peer), and their names before 1.26. */
bool fg_peer_of_span(const struct fg_batch *batch, uint32_t row, struct fg_peer *ret_peer);
