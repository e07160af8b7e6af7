/* Checking an id token (OpenID Connect Core 1.0 section 3.1.3.7). */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#include <jansson.h>

struct fg_jwt_expected {
    const char *issuer, *audience;
    const char *nonce; /* NULL: not asked for (a refreshed token) */
    uint64_t now_ns;
};

/* keys: the provider's JWK set. Only RS256, PS256 and ES256 are taken, each with a key of its own
 * kind: so `none` is no algorithm, and a public key no secret. FG_EDENIED with *ret_why;
 * *ret_claims is the caller's. */
FG_MUST_CHECK int fg_jwt_check(struct fg_slice token, const json_t *keys,
                               const struct fg_jwt_expected *expected, json_t **ret_claims,
                               const char **ret_why);
