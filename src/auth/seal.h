/* What must be kept for a session and may be read by nobody who has the disk: the provider's
 * tokens, by which it is asked again (auth/oidc.h). They are sealed by a key that follows from the
 * session's secret, which the browser's cookie has and the server has not: of that it keeps a hash
 * alone (secret.h). So after a start they can be read once the browser has come back, and a stolen
 * disk or backup has neither them nor a key to them. No key file has to be kept apart, rotated or
 * lost.
 *
 * "s1:" and base64 of a nonce (24 bytes) and libsodium's secret box (XSalsa20, Poly1305). */
#pragma once

#include "base/slice.h"
#include "os/env.h"

#define FG_SEAL_KEY_SIZE 32
/* Bytes of the sealed form of so many, with a NUL. */
#define FG_SEALED_SIZE(size) (3 + ((size) + 24 + 16 + 2) / 3 * 4 + 1)

struct fg_slice fg_seal_mark(void); /* what the sealed form begins with */

/* session: the cookie's value. */
void fg_seal_key(struct fg_slice session, uint8_t ret_key[FG_SEAL_KEY_SIZE]);

/* *ret_text, with a NUL, is freed by the caller. FG_ENOMEM. */
FG_MUST_CHECK int fg_seal(struct fg_env *env, const uint8_t key[FG_SEAL_KEY_SIZE],
                          struct fg_slice plain, char **ret_text);

/* ret_plain has room for text.size bytes. FG_EDENIED: it is none, damaged, or another key's. */
FG_MUST_CHECK int fg_unseal(const uint8_t key[FG_SEAL_KEY_SIZE], struct fg_slice text,
                            char *ret_plain, size_t *ret_size);
