#include "secret.h"

#include "auth/auth.h"
#include "base/hex.h"

#include <sodium.h>

_Static_assert(FG_SECRET_SIZE == crypto_generichash_BYTES, "a hash is as long as a secret");

void fg_secret_hash(struct fg_slice secret, uint8_t ret_hash[FG_SECRET_SIZE])
{
    /* It fails only for sizes that are out of its range. */
    (void)crypto_generichash(ret_hash, FG_SECRET_SIZE, secret.data, secret.size, NULL, 0);
}

bool fg_secret_equal(const uint8_t a[FG_SECRET_SIZE], const uint8_t b[FG_SECRET_SIZE])
{
    return sodium_memcmp(a, b, FG_SECRET_SIZE) == 0;
}

void fg_secret_new(struct fg_env *env, char ret_text[2 * FG_SECRET_SIZE],
                   uint8_t ret_hash[FG_SECRET_SIZE])
{
    uint8_t secret[FG_SECRET_SIZE];
    fg_env_random(env, secret, sizeof secret);
    fg_hex_encode(fg_slice(secret, sizeof secret), ret_text);
    fg_secret_hash(fg_slice(ret_text, 2 * sizeof secret), ret_hash);
    sodium_memzero(secret, sizeof secret);
}

void fg_csrf_format(struct fg_slice session, char ret_text[FG_CSRF_TEXT_SIZE])
{
    /* Another hash than the one that is kept: who reads the state can't make this. */
    static const uint8_t purpose[] = "filigree csrf token";
    uint8_t hash[FG_CSRF_TEXT_SIZE / 2];
    (void)crypto_generichash(hash, sizeof hash, session.data, session.size, purpose,
                             sizeof purpose - 1);
    fg_hex_encode(fg_slice(hash, sizeof hash), ret_text);
}

bool fg_csrf_matches(struct fg_slice session, struct fg_slice text)
{
    char expected[FG_CSRF_TEXT_SIZE];
    fg_csrf_format(session, expected);
    return text.size == sizeof expected && sodium_memcmp(text.data, expected, sizeof expected) == 0;
}
