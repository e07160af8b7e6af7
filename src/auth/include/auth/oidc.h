/* Signing in by an OpenID provider: authorization code with PKCE (RFC 7636), OpenID Connect
 * Core 1.0.
 *
 * begin gives the address to send the browser to; the answer comes back with a code and the state,
 * which is good once, for ten minutes, and in the browser that began. The id token's signature,
 * issuer, audience, times and nonce are checked; its groups are mapped to roles, and without one
 * nobody gets in. What is asked of the provider is bounded in time and size. */
#pragma once

#include "auth/auth.h"
#include "base/arena.h"

struct fg_oidc_options {
    const char *issuer; /* "https://id.example": as the provider's discovery has it */
    const char *client_id;
    const char *client_secret; /* "": none, PKCE alone */
    const char *redirect;      /* "https://filigree.example/auth/oidc/callback" */
    const char *groups_claim;  /* "groups" */
    const char *const *groups; /* "staff=viewer", … */
    size_t group_count;
    const char *ca_file; /* PEM; "": the system's authorities */
    uint64_t recheck_ns; /* the provider is asked again for each session so often */
};

/* All borrowed until the end. Before fg_auth_attach_state(). FG_EINVALID: a group's mapping or an
 * address is none; FG_ENOMEM. */
FG_MUST_CHECK int fg_auth_use_oidc(struct fg_auth *auth, const struct fg_oidc_options *options);
/* The provider's host, for people; NULL: none is used. */
const char *fg_oidc_name(const struct fg_auth *auth);

/* May block for seconds. next: where the browser wants to go in the end. *ret_url lies in arena;
 * ret_browser is for a cookie. FG_EIO, FG_ETIMEOUT: the provider does not answer as it should;
 * FG_EAGAIN: too many are signing in; FG_ENOTFOUND: no provider is used. */
FG_MUST_CHECK int fg_oidc_begin(struct fg_auth *auth, struct fg_slice next, struct fg_arena *arena,
                                struct fg_slice *ret_url, char ret_browser[FG_SESSION_TEXT_SIZE]);

/* What *ret_why is for who is known to the provider, and in no group that has a role. */
extern const char fg_oidc_no_group[];

struct fg_oidc_answer {
    struct fg_slice code, state; /* as the browser brought them */
    struct fg_slice browser;     /* the cookie's */
};
/* May block for seconds. *ret_next lies in arena; ret_who is who signed in, or tried to, as far as
 * that is known; *ret_why says for the audit what did not hold. FG_EDENIED, FG_EIO, FG_ETIMEOUT. */
FG_MUST_CHECK int fg_oidc_finish(struct fg_auth *auth, const struct fg_oidc_answer *answer,
                                 struct fg_arena *arena, struct fg_slice *ret_next,
                                 char ret_session[FG_SESSION_TEXT_SIZE], char ret_who[FG_WHO_SIZE],
                                 const char **ret_why);
