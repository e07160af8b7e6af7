#include "password.h"

#include <errno.h>
#include <sodium.h>

_Static_assert(FG_PASSWORD_MEMORY == crypto_pwhash_MEMLIMIT_INTERACTIVE, "libsodium's bound");
_Static_assert(FG_PASSWORD_HASH_SIZE == crypto_pwhash_STRBYTES, "libsodium's size");

#define OPERATIONS crypto_pwhash_OPSLIMIT_INTERACTIVE

int fg_password_hash(struct fg_slice password, size_t memory, char ret_hash[FG_PASSWORD_HASH_SIZE])
{
    return crypto_pwhash_str_alg(ret_hash, (const char *)password.data, password.size, OPERATIONS,
                                 memory, crypto_pwhash_ALG_ARGON2ID13) == 0
               ? 0
               : FG_ENOMEM;
}

int fg_password_check(const char *hash, struct fg_slice password, size_t memory, bool *ret_is_right)
{
    if (!*hash) {
        /* The same work with another ending. */
        char made[FG_PASSWORD_HASH_SIZE];
        int r = fg_password_hash(password, memory, made);
        if (r == 0)
            *ret_is_right = false;
        return r;
    }
    errno = 0;
    bool is_right = crypto_pwhash_str_verify(hash, (const char *)password.data, password.size) == 0;
    if (!is_right && errno == ENOMEM)
        return FG_ENOMEM;
    *ret_is_right = is_right;
    return 0;
}
