/* TLS for the live server and its clients: with FG_LIVE_TLS in the environment each test of plain
 * connections runs over TLS. A client's descriptor is then one end of a pair of sockets, and a
 * thread carries what goes through it to the server and back. */
#pragma once

#include "net/certify.h"
#include "net/tls.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/* Whether all clients are to speak TLS. */
bool live_tls_is_on(void);

/* A private authority's certificate and key, and one of the server for localhost and 127.0.0.1;
 * made once. */
struct live_certificates {
    struct fg_buffer ca_key, ca, key, certificate;
};
const struct live_certificates *live_certificates(void);
/* As the server wants them; without an authority of clients. */
struct fg_tls_material live_material(void);
/* Loaded with them; the caller frees it. */
struct fg_tls *live_tls_new(void);

/* Takes a connected socket and gives the end that is spoken to in plain text. */
int live_tls_relay_take(int socket);
