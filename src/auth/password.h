/* Passwords as argon2id hashes (RFC 9106), by libsodium. A hash takes 64 MiB and some tens of
 * milliseconds of a processor, so whoever calls bounds how many are made at once; never on a loop's
 * thread. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#define FG_PASSWORD_HASH_SIZE 128 /* text with a NUL */
/* Bytes of memory that a hash takes: RFC 9106's second choice, which libsodium calls interactive.
 */
#define FG_PASSWORD_MEMORY ((size_t)64 << 20)

/* FG_ENOMEM. */
FG_MUST_CHECK int fg_password_hash(struct fg_slice password, size_t memory,
                                   char ret_hash[FG_PASSWORD_HASH_SIZE]);

/* Whether it is the password of hash. hash "" is nobody's: it takes as long as one that was made
 * with memory, and is false. FG_ENOMEM where there is no memory to tell. */
FG_MUST_CHECK int fg_password_check(const char *hash, struct fg_slice password, size_t memory,
                                    bool *ret_is_right);
