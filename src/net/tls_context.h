/* The part of struct fg_tls that connections use. */
#pragma once

#include "net/server.h"
#include "net/tls.h"

#include <openssl/ssl.h>

struct fg_net_identity;

/* A server's end with its own BIO, whose data is bio_data; asks for a client certificate as the
 * listener wants. NULL: no memory, or nothing is loaded. */
SSL *fg_tls_session_new(struct fg_tls *tls, void *bio_data, int face,
                        enum fg_client_certificate client);

/* What the BIO reads from and writes to; in tls_conn.c. Bytes, or -1: later (read), failed (write).
 */
int fg_tls_bio_read(void *bio_data, char *data, int size);
int fg_tls_bio_write(void *bio_data, const char *data, int size);
/* The client begins a handshake, wants another, or changes its keys. */
void fg_tls_on_handshake(void *bio_data);

/* -- tls_identity.c: one for the connection, shared by its requests; on the loop's thread
 * ---------------------------------------------------------------------------------------------- */

/* NULL: no memory. */
const struct fg_net_identity *fg_identity_new(X509 *certificate);
/* NULL is accepted by both. */
const struct fg_net_identity *fg_identity_ref(const struct fg_net_identity *identity);
void fg_identity_unref(const struct fg_net_identity *identity);

/* Seconds since 1970; INT64_MIN where it can't be read. */
int64_t fg_tls_time(const ASN1_TIME *time);
