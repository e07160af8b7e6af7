#include "jwt.h"

#include "base/limits.h"

#include <cjose/cjose.h>
#include <stdlib.h>

#define TOKEN_SIZE_MAX ((size_t)32 << 10)
/* Clocks of servers differ. */
#define SKEW_S 60

static const struct {
    const char *alg;
    cjose_jwk_kty_t kty;
} allowed[] = {
    {"RS256", CJOSE_JWK_KTY_RSA}, {"PS256", CJOSE_JWK_KTY_RSA}, {"ES256", CJOSE_JWK_KTY_EC}};

/* The kind of key that the algorithm takes; false where it is not taken. */
static bool kind_of(const char *alg, cjose_jwk_kty_t *ret_kty)
{
    for (size_t i = 0; alg && i < sizeof allowed / sizeof *allowed; i++)
        if (strcmp(alg, allowed[i].alg) == 0) {
            *ret_kty = allowed[i].kty;
            return true;
        }
    return false;
}

static bool is_for_signing(const json_t *key)
{
    const char *use = json_string_value(json_object_get(key, "use"));
    return !use || strcmp(use, "sig") == 0;
}

/* Whether one of the keys made the signature: the one with the token's key id, or any where it
 * names none. */
static bool is_signed(cjose_jws_t *jws, const char *kid, cjose_jwk_kty_t kty, const json_t *keys)
{
    size_t i;
    const json_t *key;
    bool result = false;
    json_array_foreach(json_object_get(keys, "keys"), i, key)
    {
        const char *own = json_string_value(json_object_get(key, "kid"));
        cjose_err error;
        if (result || i >= 32 || !is_for_signing(key) || (kid && own && strcmp(kid, own) != 0))
            continue;
        char *text = json_dumps(key, JSON_COMPACT);
        cjose_jwk_t *jwk = text ? cjose_jwk_import(text, strlen(text), &error) : NULL;
        free(text);
        if (jwk && cjose_jwk_get_kty(jwk, &error) == kty)
            result = cjose_jws_verify(jws, jwk, &error);
        cjose_jwk_release(jwk);
    }
    return result;
}

static bool has_audience(const json_t *claims, const char *audience)
{
    const json_t *aud = json_object_get(claims, "aud");
    const char *azp = json_string_value(json_object_get(claims, "azp"));
    const char *one = json_string_value(aud);
    bool found = one && strcmp(one, audience) == 0;
    for (size_t i = 0; i < json_array_size(aud); i++) {
        one = json_string_value(json_array_get(aud, i));
        found |= one && strcmp(one, audience) == 0;
    }
    return found && !(azp && strcmp(azp, audience) != 0);
}

static const char *wrong_claim(const json_t *claims, const struct fg_jwt_expected *expected)
{
    const char *issuer = json_string_value(json_object_get(claims, "iss"));
    const char *nonce = json_string_value(json_object_get(claims, "nonce"));
    const json_t *exp = json_object_get(claims, "exp"), *iat = json_object_get(claims, "iat");
    const json_t *nbf = json_object_get(claims, "nbf");
    json_int_t now = (json_int_t)(expected->now_ns / FG_NS_PER_SECOND);
    if (!issuer || strcmp(issuer, expected->issuer) != 0)
        return "another issuer";
    if (!has_audience(claims, expected->audience))
        return "another audience";
    if (!json_is_integer(exp) || json_integer_value(exp) <= now - SKEW_S)
        return "expired";
    if (!json_is_integer(iat) || json_integer_value(iat) > now + SKEW_S)
        return "from the future";
    if (nbf && (!json_is_integer(nbf) || json_integer_value(nbf) > now + SKEW_S))
        return "from the future";
    if (expected->nonce && (!nonce || strcmp(nonce, expected->nonce) != 0))
        return "another nonce";
    return NULL;
}

static int check(cjose_jws_t *jws, const json_t *keys, const struct fg_jwt_expected *expected,
                 json_t **ret_claims, const char **ret_why)
{
    cjose_err error;
    cjose_jwk_kty_t kty;
    uint8_t *plain = NULL;
    size_t size = 0;
    cjose_header_t *header = cjose_jws_get_protected(jws);
    const char *alg = cjose_header_get(header, CJOSE_HDR_ALG, &error);
    if (!kind_of(alg, &kty)) {
        *ret_why = "an algorithm that is not taken";
        return FG_EDENIED;
    }
    /* RFC 7515 section 4.1.11: extensions that must be understood, and none is. */
    char *critical = cjose_header_get_raw(header, "crit", &error);
    if (critical) {
        free(critical);
        *ret_why = "an extension that is not known";
        return FG_EDENIED;
    }
    if (!is_signed(jws, cjose_header_get(header, CJOSE_HDR_KID, &error), kty, keys)) {
        *ret_why = "a signature that does not hold";
        return FG_EDENIED;
    }
    json_t *claims = cjose_jws_get_plaintext(jws, &plain, &size, &error)
                         ? json_loadb((const char *)plain, size, JSON_REJECT_DUPLICATES, NULL)
                         : NULL;
    *ret_why = json_is_object(claims) ? wrong_claim(claims, expected) : "no claims";
    if (*ret_why) {
        json_decref(claims);
        return FG_EDENIED;
    }
    *ret_claims = claims;
    return 0;
}

int fg_jwt_check(struct fg_slice token, const json_t *keys, const struct fg_jwt_expected *expected,
                 json_t **ret_claims, const char **ret_why)
{
    cjose_err error;
    *ret_why = "no token";
    if (token.size == 0 || token.size > TOKEN_SIZE_MAX)
        return FG_EDENIED;
    cjose_jws_t *jws = cjose_jws_import((const char *)token.data, token.size, &error);
    if (!jws)
        return FG_EDENIED;
    int r = check(jws, keys, expected, ret_claims, ret_why);
    cjose_jws_release(jws);
    return r;
}
