#include "seal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MARK       "s1:"
#define NONCE_SIZE 24u
#define MAC_SIZE   16u
#define VARIANT    sodium_base64_VARIANT_ORIGINAL

_Static_assert(NONCE_SIZE == crypto_secretbox_NONCEBYTES, "libsodium's size");
_Static_assert(MAC_SIZE == crypto_secretbox_MACBYTES, "libsodium's size");
_Static_assert(FG_SEAL_KEY_SIZE == crypto_secretbox_KEYBYTES, "libsodium's size");

struct fg_slice fg_seal_mark(void)
{
    return FG_SLICE(MARK);
}

void fg_seal_key(struct fg_slice session, uint8_t ret_key[FG_SEAL_KEY_SIZE])
{
    /* Another use of the same secret than its hash on disk (secret.h): told apart by BLAKE2b's key.
     */
    static const unsigned char use[] = "filigree: refresh";
    crypto_generichash(ret_key, FG_SEAL_KEY_SIZE, session.data, session.size, use, sizeof use - 1);
}

int fg_seal(struct fg_env *env, const uint8_t key[FG_SEAL_KEY_SIZE], struct fg_slice plain,
            char **ret_text)
{
    size_t size = NONCE_SIZE + MAC_SIZE + plain.size;
    uint8_t *box = malloc(size);
    char *text = malloc(FG_SEALED_SIZE(plain.size));
    if (!box || !text) {
        free(box);
        free(text);
        return FG_ENOMEM;
    }
    fg_env_random(env, box, NONCE_SIZE);
    crypto_secretbox_easy(box + NONCE_SIZE, plain.data, plain.size, box, key);
    memcpy(text, MARK, sizeof MARK - 1);
    sodium_bin2base64(text + sizeof MARK - 1, FG_SEALED_SIZE(plain.size) - (sizeof MARK - 1), box,
                      size, VARIANT);
    free(box);
    *ret_text = text;
    return 0;
}

int fg_unseal(const uint8_t key[FG_SEAL_KEY_SIZE], struct fg_slice text, char *ret_plain,
              size_t *ret_size)
{
    size_t size = 0;
    if (!fg_slice_starts_with(text, FG_SLICE(MARK)))
        return FG_EDENIED;
    struct fg_slice digits = fg_slice(text.data + sizeof MARK - 1, text.size - (sizeof MARK - 1));
    uint8_t *box = malloc(text.size);
    if (!box)
        return FG_ENOMEM;
    bool is_good = sodium_base642bin(box, text.size, (const char *)digits.data, digits.size, NULL,
                                     &size, NULL, VARIANT) == 0 &&
                   size >= NONCE_SIZE + MAC_SIZE &&
                   crypto_secretbox_open_easy((unsigned char *)ret_plain, box + NONCE_SIZE,
                                              size - NONCE_SIZE, box, key) == 0;
    free(box);
    if (!is_good)
        return FG_EDENIED;
    *ret_size = size - NONCE_SIZE - MAC_SIZE;
    return 0;
}
