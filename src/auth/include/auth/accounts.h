/* Making, changing, listing and removing accounts, tokens and tenants. All may block: each change
 * is on disk when it returns 0. Texts in arguments are borrowed; lists go to a callback with the
 * directory locked, which must be quick and call nothing of this room. */
#pragma once

#include "auth/auth.h"

#define FG_ACCOUNT_NAME_SIZE_MAX 64u
#define FG_TOKEN_NAME_SIZE_MAX   64u
#define FG_ORIGIN_SIZE_MAX       256u
#define FG_TENANT_NAME_SIZE_MAX  32u
#define FG_PASSWORD_SIZE_MIN     10u
#define FG_PASSWORD_SIZE_MAX     1024u
/* A tenant of those who may choose one; shown as "*". */
#define FG_EVERY_TENANT UINT32_MAX

/* Letters, digits and ._@+-, put into lower case. FG_EINVALID. */
FG_MUST_CHECK int fg_account_name_clean(struct fg_slice name,
                                        char ret_name[FG_ACCOUNT_NAME_SIZE_MAX + 1]);

/* -- Accounts */

struct fg_account_wish {
    struct fg_slice name;
    struct fg_slice password; /* empty: by an invitation */
    unsigned roles;
    uint32_t tenant; /* or FG_EVERY_TENANT */
};

/* With an empty password *ret_link (64 digits) is the invitation by which its owner sets one; it is
 * good for three days. FG_EINVALID: a name or password that won't do, or the first account is not
 * one that administers all tenants; FG_EEXIST; FG_ELIMIT: too
 * many; FG_ENOTFOUND: no such tenant. */
FG_MUST_CHECK int fg_account_add(struct fg_auth *auth, const struct fg_account_wish *wish,
                                 char ret_link[FG_SESSION_TEXT_SIZE]);

struct fg_account_change {
    bool has_roles, has_tenant, has_disabled, wants_link; /* link: a new invitation, for a lost
                                                             password; ends its sessions */
    unsigned roles;
    uint32_t tenant;
    bool disabled; /* ends its sessions */
};
/* FG_ENOTFOUND; FG_EBUSY: nobody would be left who may administer. */
FG_MUST_CHECK int fg_account_change(struct fg_auth *auth, struct fg_slice name,
                                    const struct fg_account_change *change,
                                    char ret_link[FG_SESSION_TEXT_SIZE]);
/* Its sessions end as well. FG_ENOTFOUND, FG_EBUSY as above. */
FG_MUST_CHECK int fg_account_remove(struct fg_auth *auth, struct fg_slice name);
/* Ends all sessions of a name, of accounts and of others. */
FG_MUST_CHECK int fg_account_sign_out(struct fg_auth *auth, struct fg_slice name,
                                      uint64_t *ret_count);

/* By a link: the first administrator's (name is chosen) or an invitation (name is known, and
 * ignored). FG_EDENIED: the link is used, expired or none; FG_EINVALID: name or password won't do;
 * FG_EAGAIN as fg_auth_sign_in(). */
FG_MUST_CHECK int fg_account_set_up(struct fg_auth *auth, struct fg_slice link,
                                    struct fg_slice name, struct fg_slice password,
                                    struct fg_slice address, uint64_t *ret_wait_ns,
                                    char ret_name[FG_ACCOUNT_NAME_SIZE_MAX + 1]);
/* Ends its other sessions than the one that is kept. FG_EDENIED: the old one is wrong; FG_EAGAIN.
 */
FG_MUST_CHECK int fg_account_set_password(struct fg_auth *auth, struct fg_slice name,
                                          struct fg_slice old_password,
                                          struct fg_slice new_password, struct fg_slice address,
                                          const uint8_t kept_session[FG_SECRET_SIZE],
                                          uint64_t *ret_wait_ns);

struct fg_account_info {
    const char *name;
    unsigned roles;
    uint32_t tenant;
    bool disabled, is_invited;         /* invited: has not set a password yet */
    uint64_t created_ns, signed_in_ns; /* 0: not since the start */
    unsigned session_count;
};
void fg_accounts_each(struct fg_auth *auth,
                      void (*fn)(void *arg, const struct fg_account_info *info), void *arg);

/* -- Tokens of machines */

/* "fgt_" + 12 digits of its id + "_" + 64 of its secret. */
#define FG_TOKEN_TEXT_SIZE 81

struct fg_token_wish {
    struct fg_slice name;
    unsigned roles;
    uint32_t tenant;
    struct fg_slice origin; /* "https://shop.example": a browser's; then roles is FG_ROLE_INGEST */
    uint64_t expires_ns;    /* by the wall clock; 0: never */
    struct fg_slice by;     /* who makes it */
};
/* ret_text is seen this once. FG_EINVALID, FG_ENOTFOUND (tenant), FG_ELIMIT. */
FG_MUST_CHECK int fg_token_add(struct fg_auth *auth, const struct fg_token_wish *wish,
                               char ret_text[FG_TOKEN_TEXT_SIZE], uint64_t *ret_id);
/* FG_ENOTFOUND. */
FG_MUST_CHECK int fg_token_revoke(struct fg_auth *auth, uint64_t id);

struct fg_token_info {
    uint64_t id;
    const char *name, *origin, *by; /* origin: "" where it has none */
    unsigned roles;
    uint32_t tenant;
    uint64_t created_ns, expires_ns, used_ns; /* used: since the start; 0: not */
};
void fg_tokens_each(struct fg_auth *auth, void (*fn)(void *arg, const struct fg_token_info *info),
                    void *arg);

/* -- Tenants. Number 0, "default", is always there. */

struct fg_quota {
    uint64_t spans, bytes, attributes; /* a second; 0: no bound */
};

/* Which of its bounds. */
enum fg_quota_of { FG_QUOTA_SPANS, FG_QUOTA_BYTES, FG_QUOTA_ATTRIBUTES, FG_QUOTA_COUNT };
/* "spans", "bytes", "attributes". */
const char *fg_quota_name(enum fg_quota_of of);

/* FG_EINVALID (name), FG_EEXIST, FG_ELIMIT. */
FG_MUST_CHECK int fg_tenant_add(struct fg_auth *auth, struct fg_slice name,
                                const struct fg_quota *quota, uint32_t *ret_tenant);
/* Bounds that are FG_QUOTA_AS_IT_IS are left so, and filled in. FG_ENOTFOUND. */
#define FG_QUOTA_AS_IT_IS UINT64_MAX
FG_MUST_CHECK int fg_tenant_set_quota(struct fg_auth *auth, uint32_t tenant,
                                      struct fg_quota *quota);
/* "*" is FG_EVERY_TENANT. FG_ENOTFOUND. */
FG_MUST_CHECK int fg_tenant_find(struct fg_auth *auth, struct fg_slice name, uint32_t *ret_tenant);

struct fg_tenant_info {
    uint32_t tenant;
    const char *name;
    struct fg_quota quota;
    uint64_t received[FG_QUOTA_COUNT]; /* spans, bytes, attributes since the start */
    uint64_t refused[FG_QUOTA_COUNT]; /* requests since the start, by the bound that held longest */
};
void fg_tenants_each(struct fg_auth *auth, void (*fn)(void *arg, const struct fg_tenant_info *info),
                     void *arg);
/* A tenant's name; "*" for FG_EVERY_TENANT, "" for one that is not there. */
void fg_tenant_name(struct fg_auth *auth, uint32_t tenant,
                    char ret_name[FG_TENANT_NAME_SIZE_MAX + 1]);
