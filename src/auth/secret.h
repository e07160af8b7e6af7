/* Random secrets, their hashes, and comparing them. */
#pragma once

#include "auth/identity.h"
#include "os/env.h"

/* BLAKE2b-256. Of secrets of 32 random bytes, for which a fast hash is as good as a slow one. */
void fg_secret_hash(struct fg_slice secret, uint8_t ret_hash[FG_SECRET_SIZE]);

/* In constant time. */
bool fg_secret_equal(const uint8_t a[FG_SECRET_SIZE], const uint8_t b[FG_SECRET_SIZE]);

/* A new secret as 64 hexadecimal digits, without a NUL, and its text's hash. */
void fg_secret_new(struct fg_env *env, char ret_text[2 * FG_SECRET_SIZE],
                   uint8_t ret_hash[FG_SECRET_SIZE]);
