/* The room's own state: what is in memory, and how it is written to the keyed state.
 *
 * Two mutexes: `change` is held by whoever changes something, over its commit, so that changes come
 * one after the other; `mutex` guards what is in memory and is held for moments. Memory is changed
 * after the commit: what a request is let in by is on disk. */
#pragma once

#include "auth/accounts.h"
#include "auth/audit.h"
#include "base/limits.h"
#include "entries.h"
#include "guard.h"
#include "os/thread.h"
#include "password.h"
#include "seal.h"
#include "secret.h"

#include <stdatomic.h>

#define FG_ACCOUNTS_MAX         10000u
#define FG_TOKENS_MAX           10000u
#define FG_SESSIONS_MAX         50000u
#define FG_ACCOUNT_SESSIONS_MAX 32u /* the one that was quiet longest gives way */
#define FG_REFRESH_SIZE_MAX     4096u

/* See quota.h. */
struct fg_allowance {
    double spans, bytes, attributes;
    uint64_t seen_ns; /* 0: never */
};

struct fg_account {
    struct fg_entry entry;
    char name[FG_ACCOUNT_NAME_SIZE_MAX + 1];
    char password[FG_PASSWORD_HASH_SIZE]; /* "": none yet */
    unsigned roles;
    uint32_t tenant; /* or FG_EVERY_TENANT */
    bool disabled;
    bool has_link; /* an invitation is out */
    uint8_t link[FG_SECRET_SIZE];
    uint64_t link_until_ns;
    uint64_t created_ns;
    uint64_t signed_in_ns; /* in memory only */
};

struct fg_token {
    struct fg_entry entry; /* by id */
    uint64_t id;
    uint8_t hash[FG_SECRET_SIZE];
    char name[FG_TOKEN_NAME_SIZE_MAX + 1];
    char origin[FG_ORIGIN_SIZE_MAX + 1];
    char by[FG_WHO_SIZE];
    unsigned roles;
    uint32_t tenant;
    uint64_t created_ns, expires_ns;
    uint64_t used_ns; /* in memory only */
    struct fg_allowance allowance;
};

struct fg_session {
    struct fg_entry entry;
    uint8_t hash[FG_SECRET_SIZE];
    char who[FG_WHO_SIZE];
    uint64_t created_ns, used_ns; /* by the wall clock: it outlives the process */
    uint64_t kept_used_ns;        /* used_ns as it is on disk */
    bool is_foreign;              /* by OIDC: what follows stands for an account */
    unsigned roles;
    uint32_t tenant;
    uint64_t checked_ns;           /* when its provider was asked last */
    uint8_t key[FG_SEAL_KEY_SIZE]; /* seals what follows on disk; not known while is_sealed */
    bool is_sealed;                /* since the start its browser has not come back yet */
    size_t refresh_size; /* the provider's token, as it is on disk while is_sealed; 0: none */
    char refresh[];      /* and a NUL */
};

struct fg_tenant {
    uint32_t tenant;
    char name[FG_TENANT_NAME_SIZE_MAX + 1];
    struct fg_quota quota;
    struct fg_allowance allowance;
    uint64_t received[FG_QUOTA_COUNT], refused[FG_QUOTA_COUNT]; /* since the start */
};

struct fg_oidc;

struct fg_auth {
    struct fg_env *env;
    char *marker; /* FOLDER/accounts: there are some */
    char *folder;
    bool wants_accounts;
    uint64_t session_idle_ns, session_age_ns;
    size_t password_memory;
    uint64_t audit_age_ns;
    const char *const *certificate_tenants; /* borrowed */
    size_t certificate_tenant_count;
    _Atomic(struct fg_audit *) audit;
    bool audit_is_whole;
    uint64_t kept_head;   /* the audit's number that the state knows; the keeper's */
    struct fg_oidc *oidc; /* NULL: none is used */
    _Atomic int mode;

    struct fg_mutex change;
    struct fg_state *state; /* NULL until attached */
    uint32_t accounts_table, tokens_table, sessions_table, tenants_table, audit_table;
    bool has_link; /* to the first administrator */
    uint8_t link[FG_SECRET_SIZE];

    struct fg_mutex mutex;
    struct fg_entries accounts, tokens, sessions;
    struct fg_tenant tenants[FG_TENANTS_MAX];
    size_t tenant_count;
    struct fg_guard guard;
    uint64_t sign_ins, wrong_passwords, locked_out, over_quota;

    struct fg_thread keeper; /* ends what expired; writes when sessions were used last */
    struct fg_cond keeper_cond;
    bool keeper_runs, stopping;
    _Atomic uint64_t bad_tokens[FG_TOKEN_FAULT_COUNT], bad_sessions;
};

/* Writes a file that says that there are accounts; its folder is not synced. */
FG_MUST_CHECK int fg_auth_mark_folder(struct fg_env *env, const char *path);
/* The marker, durably; change is held. */
FG_MUST_CHECK int fg_auth_mark(struct fg_auth *auth);

/* -- In memory; mutex is held */

struct fg_account *fg_account_find(struct fg_auth *auth, struct fg_slice name);
struct fg_token *fg_token_find(struct fg_auth *auth, uint64_t id);
struct fg_session *fg_session_find(struct fg_auth *auth, const uint8_t hash[FG_SECRET_SIZE]);
bool fg_tenant_exists(const struct fg_auth *auth, uint32_t tenant); /* also FG_EVERY_TENANT */
bool fg_session_is_over(const struct fg_auth *auth, const struct fg_session *session,
                        uint64_t now_ns);
void fg_account_insert(struct fg_auth *auth, struct fg_account *account);
void fg_token_insert(struct fg_auth *auth, struct fg_token *token);
void fg_session_insert(struct fg_auth *auth, struct fg_session *session);

/* -- On disk (records.c): change is held, mutex is not. Put into a batch; its error sticks in it.
 */

struct fg_state_batch;
FG_MUST_CHECK int fg_auth_batch(struct fg_auth *auth, struct fg_state_batch **ret_batch);
FG_MUST_CHECK int fg_auth_put_account(struct fg_auth *auth, struct fg_state_batch *batch,
                                      const struct fg_account *account);
FG_MUST_CHECK int fg_auth_put_token(struct fg_auth *auth, struct fg_state_batch *batch,
                                    const struct fg_token *token);
FG_MUST_CHECK int fg_auth_put_session(struct fg_auth *auth, struct fg_state_batch *batch,
                                      const struct fg_session *session);
FG_MUST_CHECK int fg_auth_put_tenant(struct fg_auth *auth, struct fg_state_batch *batch,
                                     const struct fg_tenant *tenant);
/* How far the audit had come: sequence 0 where that is not known. */
FG_MUST_CHECK int fg_auth_put_head(struct fg_auth *auth, struct fg_state_batch *batch,
                                   const struct fg_audit_head *head);
FG_MUST_CHECK int fg_auth_get_head(struct fg_auth *auth, struct fg_state *state,
                                   struct fg_audit_head *ret_head);
void fg_auth_delete_account(struct fg_auth *auth, struct fg_state_batch *batch, const char *name);
void fg_auth_delete_token(struct fg_auth *auth, struct fg_state_batch *batch, uint64_t id);
void fg_auth_delete_session(struct fg_auth *auth, struct fg_state_batch *batch,
                            const uint8_t hash[FG_SECRET_SIZE]);
/* Reads all tables into memory; nobody else is there yet. */
FG_MUST_CHECK int fg_auth_load(struct fg_auth *auth, struct fg_state *state);

/* -- Sessions (sessions.c) */

/* Reads what is sealed by the cookie's value; mutex is held. FG_EDENIED: it can't be. */
FG_MUST_CHECK int fg_session_unseal(struct fg_session *session, struct fg_slice text);
/* Makes and keeps one; change is held. *like gives all but hash, times and refresh. */
FG_MUST_CHECK int fg_session_start(struct fg_auth *auth, const struct fg_session *like,
                                   struct fg_slice refresh, char ret_text[FG_SESSION_TEXT_SIZE]);
/* Ends those that matches() names; change is held. Adds to *count, which may be NULL. */
FG_MUST_CHECK int fg_sessions_end(struct fg_auth *auth,
                                  bool (*matches)(const struct fg_session *session,
                                                  const void *arg),
                                  const void *arg, uint64_t *count);
/* Of this name, but for the one with the hash except (NULL: all); change is held. */
FG_MUST_CHECK int fg_sessions_end_of(struct fg_auth *auth, const char *who, const uint8_t *except,
                                     uint64_t *count);
/* What the provider says now; again "": it is asked as before. change is held. One that is over is
 * no error. */
FG_MUST_CHECK int fg_session_renew(struct fg_auth *auth, const uint8_t hash[FG_SECRET_SIZE],
                                   unsigned roles, uint32_t tenant, const char *again);
/* oidc.c: asks for all whose time it is, those first who were asked for longest ago; stops where
 * the provider does not answer. */
FG_MUST_CHECK int fg_oidc_check_sessions(struct fg_auth *auth);
uint64_t fg_oidc_recheck_ns(const struct fg_oidc *oidc);
void fg_oidc_free(struct fg_oidc *oidc);
FG_MUST_CHECK int fg_sessions_keep(struct fg_auth *auth); /* the keeper's round */
