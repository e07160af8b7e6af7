/* What TLS listeners have in common: certificate and key, the authority of client certificates, the
 * keys of session tickets.
 *
 * TLS 1.2 and 1.3, with forward secrecy and authenticated encryption only; no renegotiation, no
 * compression, no early data. Sessions are resumed by tickets, whose keys are made here, change
 * every hour and live for two; a new client authority ends all of them.
 *
 * fg_tls_load() may be called again at any time, from any thread: connections that are there keep
 * what they began with, later ones get the new. */
#pragma once

#include "base/arena.h"
#include "base/slice.h"
#include "os/env.h"

struct fg_tls;

/* PEM texts. */
struct fg_tls_material {
    struct fg_slice certificates;     /* the server's, then those between it and its authority */
    struct fg_slice key;              /* of the first; not encrypted */
    struct fg_slice client_authority; /* one or more; empty: no client certificate is asked for */
};

/* What is in use. */
struct fg_tls_facts {
    int64_t not_before_s, not_after_s; /* of the certificate, since 1970 */
    char subject[256];                 /* RFC 2253, cut where it is longer */
    char names[256];                   /* subjectAltName: "localhost, 127.0.0.1", cut */
};

/* Without a certificate yet. env is borrowed. FG_ENOMEM. */
FG_MUST_CHECK int fg_tls_new(struct fg_env *env, struct fg_tls **ret_tls);
/* When no server uses it any more. NULL is accepted. */
void fg_tls_free(struct fg_tls *tls);

/* Checks all of it, then takes it into use; on failure nothing changes. FG_EINVALID: *ret_message
 * is a sentence in the arena that names what is wrong: no PEM, the key is another's, expired, too
 * weak. FG_ENOMEM. */
FG_MUST_CHECK int fg_tls_load(struct fg_tls *tls, const struct fg_tls_material *material,
                              struct fg_arena *arena, const char **ret_message);

/* FG_ENOTFOUND where nothing was loaded. Any thread. */
FG_MUST_CHECK int fg_tls_facts(struct fg_tls *tls, struct fg_tls_facts *ret_facts);
