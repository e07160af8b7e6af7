/* A private certificate authority for a first installation, and certificates that it signs: ECDSA
 * on P-256 with SHA-256 (RFC 5480, RFC 5280). Keys are PKCS #8, all texts PEM. */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "os/env.h"

enum fg_certify_use {
    FG_CERTIFY_SERVER, /* extendedKeyUsage serverAuth */
    FG_CERTIFY_CLIENT, /* clientAuth */
};

struct fg_certify_request {
    const char *common_name; /* at most 64 bytes (RFC 5280's ub-common-name) */
    const char *const *names; /* subjectAltName: host names, IP addresses, or URIs ("spiffe://…") */
    size_t name_count;
    enum fg_certify_use use;
    int64_t not_before_s, not_after_s; /* since 1970 */
};

/* Appends to both. FG_EINVALID: the name is none; FG_ENOMEM. */
FG_MUST_CHECK int fg_certify_authority(struct fg_env *env, const char *common_name,
                                       int64_t not_before_s, int64_t not_after_s,
                                       struct fg_buffer *key, struct fg_buffer *certificate);

/* A key, and a certificate for it that the authority signs; appends to both. FG_EINVALID:
 * *ret_message is a sentence in the arena that says what is wrong (a name, the authority's files);
 * FG_ENOMEM. */
FG_MUST_CHECK int fg_certify_issue(struct fg_env *env, struct fg_slice authority_key,
                                   struct fg_slice authority,
                                   const struct fg_certify_request *request, struct fg_arena *arena,
                                   const char **ret_message, struct fg_buffer *key,
                                   struct fg_buffer *certificate);
