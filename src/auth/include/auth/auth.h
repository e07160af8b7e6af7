/* Accounts, tokens, sessions and tenants: kept in the keyed state, held in memory, asked at every
 * request.
 *
 * While there are no accounts and nobody asks for them everything is open (FG_AUTH_OPEN). Once
 * there is one, or where the options want it, nobody is let in without credentials. Checking one
 * takes a hash and a look into a table, and is done on the loops' threads. Whatever changes
 * something is committed to the state before it returns, so it is called from threads that may
 * block.
 *
 * Secrets (tokens, sessions, links) are 32 random bytes; only their BLAKE2b hashes are kept. */
#pragma once

#include "auth/identity.h"
#include "os/env.h"

struct fg_audit;
struct fg_auth;
struct fg_state;

enum fg_auth_mode {
    FG_AUTH_OPEN,
    FG_AUTH_STARTING, /* accounts are wanted, and not read yet */
    FG_AUTH_ACCOUNTS,
};

struct fg_auth_options {
    struct fg_env *env; /* borrowed */
    const char *folder; /* the store's, borrowed until fg_auth_new() returns; need not be there */
    bool wants_accounts;
    uint64_t session_idle_ns, session_age_ns; /* a session ends by either */
    uint64_t audit_age_ns;                    /* records older than this may go; 0: none */
    /* "checkout=acme", "spiffe://shop*=acme": the tenant of certificates by their names, a
     * star at the end standing for any more; borrowed. None: all are of the default tenant; else
     * who is in none has no tenant. */
    const char *const *certificate_tenants;
    size_t certificate_tenant_count;
    size_t password_memory; /* bytes that hashing a password takes; 0: as many as is right */
};

/* FG_ENOMEM, FG_EIO; FG_EDENIED: the folder can't be read. */
FG_MUST_CHECK int fg_auth_new(const struct fg_auth_options *options, struct fg_auth **ret_auth);
/* NULL is accepted. The state is still open. */
void fg_auth_free(struct fg_auth *auth);

/* Reads all there is. Once; waits for the disk. FG_ECORRUPT, FG_ENOMEM, FG_EIO: nobody gets in. */
FG_MUST_CHECK int fg_auth_attach_state(struct fg_auth *auth, struct fg_state *state);

/* Puts what a backup needs beside the store and its keyed state into the folder: the audit as it
 * is now, and the mark by which the folder is never open. Call it once those are in it: the audit
 * may not be older than what they know of it. FG_ENOMEM, FG_EIO, FG_ENOSPACE, FG_EDENIED. */
FG_MUST_CHECK int fg_auth_backup(struct fg_auth *auth, const char *to);

/* The audit, from then on; NULL before, and for a NULL auth. Any thread. */
struct fg_audit *fg_auth_audit(const struct fg_auth *auth);
/* Whether the audit was as long at the start as it was known to be: false is a sign that somebody
 * cut or changed it. */
bool fg_auth_audit_is_whole(const struct fg_auth *auth);

/* NULL is open. Any thread. */
enum fg_auth_mode fg_auth_mode(const struct fg_auth *auth);

/* -- Checking (any thread, does not block) */

struct fg_credentials {
    struct fg_slice authorization; /* the header: "Bearer fgt_…" */
    struct fg_slice session;       /* the cookie's value */
    struct fg_slice
        certificate;        /* the name that a verified client certificate gives; empty: none */
    struct fg_slice origin; /* the header; empty: none */
    struct fg_slice tenant; /* the name of the tenant that is asked for; empty: none is */
};

enum fg_check {
    FG_CHECK_KNOWN,
    FG_CHECK_NOBODY,    /* no credentials */
    FG_CHECK_BAD,       /* some that don't hold: unknown, expired, revoked, malformed */
    FG_CHECK_ORIGIN,    /* a browser's token from another origin */
    FG_CHECK_TENANT,    /* a tenant that is not there or not theirs, or a certificate without one */
    FG_CHECK_NO_TENANT, /* one that is not there, asked for by who has all */
};

/* A token is looked at before a session, that before a certificate. *ret_identity is always
 * written; FG_IDENTITY_NOBODY unless known. */
enum fg_check fg_auth_check(struct fg_auth *auth, const struct fg_credentials *credentials,
                            struct fg_identity *ret_identity);

/* Whether what somebody was let in by still holds and still gives this tenant: the session and its
 * account, the token, or that there are no accounts. *ret_identity, written where it does, has the
 * roles of now. For answers that last longer than a look. */
bool fg_auth_holds(struct fg_auth *auth, const struct fg_identity *identity,
                   struct fg_identity *ret_identity);

/* The token that a page sends with changes: hexadecimal, derived from the session's secret. */
#define FG_CSRF_TEXT_SIZE 32
void fg_csrf_format(struct fg_slice session, char ret_text[FG_CSRF_TEXT_SIZE]);
/* In constant time. */
bool fg_csrf_matches(struct fg_slice session, struct fg_slice text);

/* -- Signing in (threads that may block) */

#define FG_SESSION_TEXT_SIZE 64 /* hexadecimal digits, without a NUL */

/* Checks name and password, as long for a name that is not there. address is the client's, without
 * its port. FG_EDENIED: one of them is wrong; FG_EAGAIN: too many wrong ones, whoever asks has to
 * wait *ret_wait_ns; others as a commit's. */
FG_MUST_CHECK int fg_auth_sign_in(struct fg_auth *auth, struct fg_slice name,
                                  struct fg_slice password, struct fg_slice address,
                                  char ret_session[FG_SESSION_TEXT_SIZE], uint64_t *ret_wait_ns);
/* Ends one session: the one with this hash. One that is not there is no error. */
FG_MUST_CHECK int fg_auth_sign_out(struct fg_auth *auth, const uint8_t session[FG_SECRET_SIZE]);

/* The link that makes the first administrator: 64 hexadecimal digits, another at each start, good
 * until it is used. FG_EEXIST: there is an account. */
FG_MUST_CHECK int fg_auth_first_link(struct fg_auth *auth, char ret_link[FG_SESSION_TEXT_SIZE]);

/* Why a token did not hold. The answer tells none of it. */
enum fg_token_fault {
    FG_TOKEN_MALFORMED,
    FG_TOKEN_UNKNOWN, /* also one that was revoked: it is forgotten */
    FG_TOKEN_EXPIRED,
    FG_TOKEN_ORIGIN, /* a browser's, from another page */
    FG_TOKEN_FAULT_COUNT,
};
const char *fg_token_fault_name(enum fg_token_fault fault);

struct fg_auth_counters {
    uint64_t accounts, tokens, sessions, tenants; /* now */
    /* since the start: */
    uint64_t sign_ins, wrong_passwords, locked_out, bad_sessions, over_quota;
    uint64_t bad_tokens[FG_TOKEN_FAULT_COUNT];
};
void fg_auth_counters(struct fg_auth *auth, struct fg_auth_counters *ret_counters);
