/* Whether credentials hold, and whose they are: on the way of every request. */
#include "auth/auth.h"
#include "base/hex.h"
#include "state.h"

#include <stdio.h>
#include <strings.h>

#define ID_DIGITS 12u

/* Whoever has none comes here with an empty one: "NOBODY" and "BAD" are told apart. */
static struct fg_slice bearer(struct fg_slice authorization)
{
    static const char scheme[] = "bearer ";
    size_t size = sizeof scheme - 1;
    if (authorization.size <= size ||
        strncasecmp((const char *)authorization.data, scheme, size) != 0)
        return (struct fg_slice){0};
    while (size < authorization.size && authorization.data[size] == ' ')
        size++;
    return fg_slice(authorization.data + size, authorization.size - size);
}

/* False where it is not shaped like one. */
static bool parse_token(struct fg_slice text, uint64_t *ret_id)
{
    uint8_t bytes[ID_DIGITS / 2];
    if (text.size != FG_TOKEN_TEXT_SIZE || !fg_slice_starts_with(text, FG_SLICE("fgt_")) ||
        text.data[4 + ID_DIGITS] != '_' ||
        fg_hex_decode(fg_slice(text.data + 4, ID_DIGITS), bytes) < 0)
        return false;
    *ret_id = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        *ret_id = *ret_id << 8 | bytes[i];
    return true;
}

const char *fg_token_fault_name(enum fg_token_fault fault)
{
    static const char *const names[FG_TOKEN_FAULT_COUNT] = {[FG_TOKEN_MALFORMED] = "malformed",
                                                            [FG_TOKEN_UNKNOWN] = "unknown",
                                                            [FG_TOKEN_EXPIRED] = "expired",
                                                            [FG_TOKEN_ORIGIN] = "origin"};
    return names[fault];
}

static enum fg_check refuse_token(struct fg_auth *auth, enum fg_token_fault fault)
{
    atomic_fetch_add_explicit(&auth->bad_tokens[fault], 1, memory_order_relaxed);
    return fault == FG_TOKEN_ORIGIN ? FG_CHECK_ORIGIN : FG_CHECK_BAD;
}

static bool is_live(const struct fg_token *token, uint64_t now_ns)
{
    return token && (token->expires_ns == 0 || now_ns < token->expires_ns);
}

static enum fg_check check_token(struct fg_auth *auth, struct fg_slice text, struct fg_slice origin,
                                 uint64_t now_ns, struct fg_identity *identity)
{
    static const struct fg_token nobodys;
    enum fg_token_fault fault = FG_TOKEN_FAULT_COUNT;
    uint8_t hash[FG_SECRET_SIZE];
    uint64_t id;
    if (!parse_token(text, &id))
        return refuse_token(auth, FG_TOKEN_MALFORMED);
    fg_secret_hash(text, hash);
    fg_mutex_lock(&auth->mutex);
    struct fg_token *token = fg_token_find(auth, id);
    /* The same comparison where there is none. */
    bool is_right = fg_secret_equal(token ? token->hash : nobodys.hash, hash);
    if (!is_right || !is_live(token, now_ns)) {
        fault = is_right ? FG_TOKEN_EXPIRED : FG_TOKEN_UNKNOWN;
    } else {
        bool is_bound = *token->origin != 0;
        if (is_bound && !fg_slice_equal(origin, fg_slice_from_string(token->origin)))
            fault = FG_TOKEN_ORIGIN;
        token->used_ns = now_ns;
        identity->kind = FG_IDENTITY_TOKEN;
        identity->roles = token->roles;
        identity->tenant = token->tenant;
        identity->is_browsers_token = is_bound;
        identity->token = token->id;
        snprintf(identity->who, sizeof identity->who, "token:%s", token->name);
    }
    fg_mutex_unlock(&auth->mutex);
    return fault == FG_TOKEN_FAULT_COUNT ? FG_CHECK_KNOWN : refuse_token(auth, fault);
}

/* What a session gives now; the mutex is held. False: nothing any more. */
static bool session_gives(struct fg_auth *auth, const struct fg_session *session, uint64_t now_ns,
                          unsigned *ret_roles, uint32_t *ret_tenant)
{
    if (!session || fg_session_is_over(auth, session, now_ns))
        return false;
    const struct fg_account *account =
        session->is_foreign ? NULL : fg_account_find(auth, fg_slice_from_string(session->who));
    if (!session->is_foreign && (!account || account->disabled))
        return false;
    *ret_roles = account ? account->roles : session->roles;
    *ret_tenant = account ? account->tenant : session->tenant;
    return true;
}

static enum fg_check check_session(struct fg_auth *auth, struct fg_slice text, uint64_t now_ns,
                                   struct fg_identity *identity)
{
    enum fg_check result = FG_CHECK_BAD;
    uint8_t hash[FG_SECRET_SIZE];
    if (text.size != FG_SESSION_TEXT_SIZE)
        return FG_CHECK_BAD;
    fg_secret_hash(text, hash);
    fg_mutex_lock(&auth->mutex);
    struct fg_session *session = fg_session_find(auth, hash);
    if (session_gives(auth, session, now_ns, &identity->roles, &identity->tenant) &&
        (!session->is_sealed || fg_session_unseal(session, text) == 0)) {
        result = FG_CHECK_KNOWN;
        session->used_ns = now_ns;
        identity->kind = FG_IDENTITY_PERSON;
        memcpy(identity->session, hash, sizeof hash);
        snprintf(identity->who, sizeof identity->who, "%s", session->who);
    }
    fg_mutex_unlock(&auth->mutex);
    return result;
}

/* Whether a line of certificate_tenants is for this name; *ret_tenant is its tenant's. */
static bool line_fits(const char *line, struct fg_slice name, struct fg_slice *ret_tenant)
{
    const char *equals = strrchr(line, '=');
    if (!equals)
        return false;
    struct fg_slice pattern = fg_slice(line, (size_t)(equals - line));
    *ret_tenant = fg_slice_from_string(equals + 1);
    if (pattern.size && pattern.data[pattern.size - 1] == '*')
        return fg_slice_starts_with(name, fg_slice(pattern.data, pattern.size - 1));
    return fg_slice_equal(name, pattern);
}

/* A service by its certificate, which the handshake has verified: it may send spans. */
static enum fg_check check_certificate(struct fg_auth *auth, struct fg_slice name,
                                       struct fg_identity *identity)
{
    struct fg_slice tenant = {0};
    size_t i = 0;
    while (i < auth->certificate_tenant_count &&
           !line_fits(auth->certificate_tenants[i], name, &tenant))
        i++;
    if (auth->certificate_tenant_count > 0 &&
        (i == auth->certificate_tenant_count ||
         fg_tenant_find(auth, tenant, &identity->tenant) < 0 ||
         identity->tenant == FG_EVERY_TENANT))
        return FG_CHECK_TENANT;
    identity->kind = FG_IDENTITY_CERTIFICATE;
    identity->roles = FG_ROLE_INGEST;
    snprintf(identity->who, sizeof identity->who, "cert:%.*s",
             (int)(name.size < 100 ? name.size : 100), (const char *)name.data);
    return FG_CHECK_KNOWN;
}

/* The tenant that is asked for: who has one may name it and no other, who may choose one does, or
 * gets the default. */
static enum fg_check choose_tenant(struct fg_auth *auth, struct fg_slice wanted,
                                   struct fg_identity *identity)
{
    uint32_t tenant = 0;
    identity->every_tenant = identity->tenant == FG_EVERY_TENANT;
    if (wanted.size == 0) {
        if (identity->every_tenant)
            identity->tenant = 0;
        return FG_CHECK_KNOWN;
    }
    bool is_there = fg_tenant_find(auth, wanted, &tenant) == 0 && tenant != FG_EVERY_TENANT;
    if (identity->every_tenant && !is_there)
        return FG_CHECK_NO_TENANT;
    if (!is_there || (!identity->every_tenant && tenant != identity->tenant))
        return FG_CHECK_TENANT;
    identity->tenant = tenant;
    return FG_CHECK_KNOWN;
}

static enum fg_check check(struct fg_auth *auth, const struct fg_credentials *credentials,
                           struct fg_identity *identity)
{
    uint64_t now_ns = fg_env_wall_ns(auth->env);
    if (credentials->authorization.size)
        return check_token(auth, bearer(credentials->authorization), credentials->origin, now_ns,
                           identity);
    if (credentials->session.size) {
        enum fg_check result = check_session(auth, credentials->session, now_ns, identity);
        if (result == FG_CHECK_BAD)
            atomic_fetch_add_explicit(&auth->bad_sessions, 1, memory_order_relaxed);
        return result;
    }
    if (credentials->certificate.size)
        return check_certificate(auth, credentials->certificate, identity);
    return FG_CHECK_NOBODY;
}

enum fg_check fg_auth_check(struct fg_auth *auth, const struct fg_credentials *credentials,
                            struct fg_identity *ret_identity)
{
    struct fg_identity identity = {0};
    enum fg_check result = check(auth, credentials, &identity);
    if (result == FG_CHECK_KNOWN)
        result = choose_tenant(auth, credentials->tenant, &identity);
    *ret_identity = result == FG_CHECK_KNOWN ? identity : (struct fg_identity){0};
    return result;
}

/* -- Later */

/* What the credentials give now; the mutex is held. */
static bool gives(struct fg_auth *auth, const struct fg_identity *identity, uint64_t now_ns,
                  unsigned *ret_roles, uint32_t *ret_tenant)
{
    if (identity->kind == FG_IDENTITY_PERSON)
        return session_gives(auth, fg_session_find(auth, identity->session), now_ns, ret_roles,
                             ret_tenant);
    const struct fg_token *token = fg_token_find(auth, identity->token);
    if (!is_live(token, now_ns))
        return false;
    *ret_roles = token->roles;
    *ret_tenant = token->tenant;
    return true;
}

bool fg_auth_holds(struct fg_auth *auth, const struct fg_identity *identity,
                   struct fg_identity *ret_identity)
{
    struct fg_identity now = *identity;
    uint32_t tenant = identity->tenant;
    bool holds = true;
    if (identity->kind == FG_IDENTITY_LOCAL) {
        holds = fg_auth_mode(auth) == FG_AUTH_OPEN;
    } else if (identity->kind == FG_IDENTITY_PERSON || identity->kind == FG_IDENTITY_TOKEN) {
        fg_mutex_lock(&auth->mutex);
        holds = gives(auth, identity, fg_env_wall_ns(auth->env), &now.roles, &tenant);
        fg_mutex_unlock(&auth->mutex);
        now.every_tenant = tenant == FG_EVERY_TENANT;
        holds = holds && (now.every_tenant || tenant == identity->tenant);
    }
    if (holds)
        *ret_identity = now;
    return holds;
}
