#include "auth/oidc.h"

#include "base/hex.h"
#include "base/limits.h"
#include "fetch.h"
#include "jwt.h"
#include "state.h"
#include "store/state.h"
#include "wire/base64.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define PENDING_MAX   1024u
#define PENDING_NS    (10 * FG_NS_PER_MINUTE)
#define DISCOVERY_NS  (60 * FG_NS_PER_MINUTE)
#define NEXT_SIZE_MAX 1024u
#define TEXT_SIZE     (2 * FG_SECRET_SIZE)

/* Somebody whose browser is at the provider. */
struct pending {
    uint64_t until_ns; /* monotonic; 0: free */
    uint8_t state[FG_SECRET_SIZE], browser[FG_SECRET_SIZE];
    char nonce[TEXT_SIZE + 1], verifier[TEXT_SIZE + 1];
    size_t next_size;
    char next[NEXT_SIZE_MAX];
};

struct fg_oidc {
    struct fg_oidc_options options;
    char name[256];
    struct fg_mutex mutex;
    struct pending pending[PENDING_MAX];
    json_t *discovery, *keys; /* NULL: not asked for yet */
    uint64_t discovered_ns;
};

const char fg_oidc_no_group[] = "no group that has a role";

/* -- Settings */

static bool is_mapping(const char *text, unsigned *ret_roles, const char **ret_tenant)
{
    const char *equals = strrchr(text, '=');
    const char *at = equals ? strchr(equals, '@') : NULL;
    enum fg_role role;
    if (!equals || equals == text)
        return false;
    size_t size = at ? (size_t)(at - equals) - 1 : strlen(equals + 1);
    if (fg_role_parse(fg_slice(equals + 1, size), &role) < 0)
        return false;
    *ret_roles = role;
    *ret_tenant = at ? at + 1 : NULL;
    return true;
}

int fg_auth_use_oidc(struct fg_auth *auth, const struct fg_oidc_options *options)
{
    unsigned roles;
    const char *tenant;
    for (size_t i = 0; i < options->group_count; i++)
        if (!is_mapping(options->groups[i], &roles, &tenant))
            return FG_EINVALID;
    if (!fg_fetch_takes(options->issuer) || !fg_fetch_takes(options->redirect) ||
        !*options->client_id)
        return FG_EINVALID;
    struct fg_oidc *oidc = calloc(1, sizeof *oidc);
    if (!oidc)
        return FG_ENOMEM;
    oidc->options = *options;
    const char *host = strstr(options->issuer, "://") + 3;
    snprintf(oidc->name, sizeof oidc->name, "%.*s", (int)strcspn(host, "/"), host);
    fg_mutex_init(&oidc->mutex, FG_RANK_LEAF);
    auth->oidc = oidc;
    return 0;
}

void fg_oidc_free(struct fg_oidc *oidc)
{
    if (!oidc)
        return;
    json_decref(oidc->discovery);
    json_decref(oidc->keys);
    fg_mutex_destroy(&oidc->mutex);
    free(oidc);
}

uint64_t fg_oidc_recheck_ns(const struct fg_oidc *oidc)
{
    return oidc->options.recheck_ns;
}

const char *fg_oidc_name(const struct fg_auth *auth)
{
    return auth && auth->oidc ? auth->oidc->name : NULL;
}

/* -- The provider */

static int ask(const struct fg_oidc *oidc, struct fg_fetch fetch, json_t **ret_answer)
{
    long status;
    fetch.ca_file = oidc->options.ca_file;
    return fg_fetch(&fetch, ret_answer, &status);
}

static const char *address_in(const json_t *discovery, const char *name)
{
    const char *text = json_string_value(json_object_get(discovery, name));
    return text && fg_fetch_takes(text) ? text : NULL;
}

/* What does not tell of itself can't be asked anything. */
static int unknown(int r)
{
    return r == FG_EDENIED || r == FG_ECORRUPT ? FG_EIO : r;
}

static int discover(struct fg_oidc *oidc, json_t **ret_discovery, json_t **ret_keys)
{
    char url[1024];
    json_t *discovery = NULL, *keys = NULL;
    size_t size = strlen(oidc->options.issuer);
    while (size && oidc->options.issuer[size - 1] == '/')
        size--;
    snprintf(url, sizeof url, "%.*s/.well-known/openid-configuration", (int)size,
             oidc->options.issuer);
    int r = ask(oidc, (struct fg_fetch){.url = url}, &discovery);
    if (r < 0)
        return unknown(r);
    const char *issuer = json_string_value(json_object_get(discovery, "issuer"));
    bool is_good = issuer && strcmp(issuer, oidc->options.issuer) == 0 &&
                   address_in(discovery, "authorization_endpoint") &&
                   address_in(discovery, "token_endpoint") && address_in(discovery, "jwks_uri");
    r = is_good ? ask(oidc, (struct fg_fetch){.url = address_in(discovery, "jwks_uri")}, &keys)
                : FG_EIO;
    if (r < 0) {
        json_decref(discovery);
        return unknown(r);
    }
    *ret_discovery = discovery;
    *ret_keys = keys;
    return 0;
}

/* References to what the provider says of itself, asked anew when it is old or fresh is set (a key
 * that is not known). */
static int provider(struct fg_auth *auth, bool fresh, json_t **ret_discovery, json_t **ret_keys)
{
    struct fg_oidc *oidc = auth->oidc;
    uint64_t now_ns = fg_env_mono_ns(auth->env);
    json_t *discovery = NULL, *keys = NULL;
    fg_mutex_lock(&oidc->mutex);
    bool is_known = oidc->discovery && now_ns - oidc->discovered_ns < DISCOVERY_NS &&
                    !(fresh && now_ns - oidc->discovered_ns > FG_NS_PER_SECOND);
    if (is_known) {
        discovery = json_deep_copy(oidc->discovery);
        keys = json_deep_copy(oidc->keys);
    }
    fg_mutex_unlock(&oidc->mutex);
    if (is_known && (!discovery || !keys)) {
        json_decref(discovery);
        json_decref(keys);
        return FG_ENOMEM;
    }
    if (!is_known) {
        int r = discover(oidc, &discovery, &keys);
        if (r < 0)
            return r;
        fg_mutex_lock(&oidc->mutex);
        json_decref(oidc->discovery);
        json_decref(oidc->keys);
        oidc->discovery = json_deep_copy(discovery);
        oidc->keys = json_deep_copy(keys);
        oidc->discovered_ns = fg_env_mono_ns(auth->env);
        fg_mutex_unlock(&oidc->mutex);
    }
    *ret_discovery = discovery;
    *ret_keys = keys;
    return 0;
}

/* -- Begin */

static void append_param(struct fg_buffer *text, const char *name, const char *value)
{
    static const char plain[] = "-._~";
    fg_buffer_append_format(text, "&%s=", name);
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        bool is_plain =
            (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || strchr(plain, c);
        if (is_plain)
            fg_buffer_append_byte(text, c);
        else
            fg_buffer_append_format(text, "%%%02X", c);
    }
}

/* base64url of the verifier's SHA-256: S256 of RFC 7636. */
static void challenge_of(const char *verifier, char ret_text[64])
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const uint8_t *)verifier, strlen(verifier));
    sodium_bin2base64(ret_text, 64, hash, sizeof hash, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* A free place, or one whose time is over; the mutex is held. */
static struct pending *place(struct fg_oidc *oidc, uint64_t now_ns)
{
    for (size_t i = 0; i < PENDING_MAX; i++)
        if (oidc->pending[i].until_ns < now_ns)
            return &oidc->pending[i];
    return NULL;
}

int fg_oidc_begin(struct fg_auth *auth, struct fg_slice next, struct fg_arena *arena,
                  struct fg_slice *ret_url, char ret_browser[FG_SESSION_TEXT_SIZE])
{
    struct fg_oidc *oidc = auth->oidc;
    json_t *discovery, *keys;
    if (!oidc)
        return FG_ENOTFOUND;
    int r = provider(auth, false, &discovery, &keys);
    if (r < 0)
        return r;
    struct pending pending = {.until_ns = fg_env_mono_ns(auth->env) + PENDING_NS};
    char state[TEXT_SIZE + 1] = "", challenge[64];
    uint8_t ignored[FG_SECRET_SIZE];
    fg_secret_new(auth->env, state, pending.state);
    fg_secret_new(auth->env, ret_browser, pending.browser);
    fg_secret_new(auth->env, pending.nonce, ignored);
    fg_secret_new(auth->env, pending.verifier, ignored);
    if (next.size <= NEXT_SIZE_MAX && next.size) {
        memcpy(pending.next, next.data, next.size);
        pending.next_size = next.size;
    }
    challenge_of(pending.verifier, challenge);
    struct fg_buffer url;
    fg_buffer_init(&url, (size_t)16 << 10);
    const char *endpoint = address_in(discovery, "authorization_endpoint");
    fg_buffer_append_format(&url, "%s%sresponse_type=code", endpoint,
                            strchr(endpoint, '?') ? "&" : "?");
    append_param(&url, "client_id", oidc->options.client_id);
    append_param(&url, "redirect_uri", oidc->options.redirect);
    append_param(&url, "scope", "openid profile email");
    append_param(&url, "state", state);
    append_param(&url, "nonce", pending.nonce);
    append_param(&url, "code_challenge", challenge);
    append_param(&url, "code_challenge_method", "S256");
    struct fg_slice text = fg_arena_copy(arena, fg_buffer_slice(&url));
    r = url.error ? url.error : text.size ? 0 : FG_ENOMEM;
    fg_buffer_free(&url);
    json_decref(discovery);
    json_decref(keys);
    fg_mutex_lock(&oidc->mutex);
    struct pending *free_place = place(oidc, fg_env_mono_ns(auth->env));
    if (r == 0 && free_place)
        *free_place = pending;
    fg_mutex_unlock(&oidc->mutex);
    if (r == 0 && !free_place)
        r = FG_EAGAIN;
    if (r == 0)
        *ret_url = text;
    return r;
}

/* -- Finish */

/* Takes what the state stands for out of the table: it is good once. */
static bool take_pending(struct fg_auth *auth, const struct fg_oidc_answer *answer,
                         struct pending *ret_pending)
{
    struct fg_oidc *oidc = auth->oidc;
    uint8_t state[FG_SECRET_SIZE], browser[FG_SECRET_SIZE];
    uint64_t now_ns = fg_env_mono_ns(auth->env);
    bool found = false;
    fg_secret_hash(answer->state, state);
    fg_secret_hash(answer->browser, browser);
    fg_mutex_lock(&oidc->mutex);
    for (size_t i = 0; i < PENDING_MAX; i++) {
        struct pending *pending = &oidc->pending[i];
        if (pending->until_ns == 0 || !fg_secret_equal(pending->state, state))
            continue;
        found = pending->until_ns >= now_ns && fg_secret_equal(pending->browser, browser);
        *ret_pending = *pending;
        pending->until_ns = 0;
    }
    fg_mutex_unlock(&oidc->mutex);
    return found;
}

static int token_request(const struct fg_oidc *oidc, const json_t *discovery,
                         struct fg_buffer *form, void **kept, json_t **ret_answer)
{
    bool has_secret = *oidc->options.client_secret != 0;
    append_param(form, "client_id", oidc->options.client_id);
    fg_buffer_append_byte(form, 0);
    if (form->error)
        return form->error;
    return ask(oidc,
               (struct fg_fetch){.url = address_in(discovery, "token_endpoint"),
                                 .form = (const char *)form->data,
                                 .kept = kept,
                                 .user = has_secret ? oidc->options.client_id : NULL,
                                 .secret = oidc->options.client_secret},
               ret_answer);
}

static int ask_userinfo(const struct fg_oidc *oidc, const json_t *discovery, const char *access,
                        void **kept, json_t **ret_claims)
{
    const char *url = address_in(discovery, "userinfo_endpoint");
    if (!url || !access || strlen(access) > FG_REFRESH_SIZE_MAX)
        return FG_ENOTFOUND;
    return ask(oidc, (struct fg_fetch){.url = url, .bearer = access, .kept = kept}, ret_claims);
}

static bool has_group(const json_t *groups, const char *name, size_t size)
{
    const char *one = json_string_value(groups);
    if (one)
        return strlen(one) == size && memcmp(one, name, size) == 0;
    for (size_t i = 0; i < json_array_size(groups); i++) {
        one = json_string_value(json_array_get(groups, i));
        if (one && strlen(one) == size && memcmp(one, name, size) == 0)
            return true;
    }
    return false;
}

/* Roles and tenant of what claims say; roles 0: no mapped group. */
static void map_groups(struct fg_auth *auth, const json_t *claims, struct fg_session *session)
{
    const struct fg_oidc_options *options = &auth->oidc->options;
    const json_t *groups = json_object_get(claims, options->groups_claim);
    bool has_tenant = false;
    for (size_t i = 0; i < options->group_count; i++) {
        unsigned role = 0;
        const char *tenant_name = NULL;
        uint32_t tenant = 0;
        size_t size = (size_t)(strrchr(options->groups[i], '=') - options->groups[i]);
        if (!is_mapping(options->groups[i], &role, &tenant_name) ||
            !has_group(groups, options->groups[i], size))
            continue;
        if (role == FG_ROLE_ADMIN && !tenant_name)
            tenant_name = "*";
        if (tenant_name && fg_tenant_find(auth, fg_slice_from_string(tenant_name), &tenant) < 0)
            continue; /* a tenant that is not there gives nothing */
        /* Roles of two tenants don't add up to more than either. */
        if (has_tenant && tenant != session->tenant)
            continue;
        has_tenant = true;
        session->tenant = tenant;
        session->roles |= role;
    }
}

/* A name for people; the subject, which is never another's, stands behind it. */
static void name_of(const json_t *claims, char ret_who[FG_WHO_SIZE])
{
    const char *name = json_string_value(json_object_get(claims, "preferred_username"));
    const char *subject = json_string_value(json_object_get(claims, "sub"));
    if (!name)
        name = json_string_value(json_object_get(claims, "email"));
    snprintf(ret_who, FG_WHO_SIZE, "oidc:%.60s%s%.60s", name ? name : subject, name ? "/" : "",
             name ? subject : "");
    for (char *at = ret_who; *at; at++)
        if ((unsigned char)*at < 0x21 || (unsigned char)*at > 0x7e)
            *at = '?';
}

static int check_token(struct fg_auth *auth, const json_t *answer, const char *nonce, json_t *keys,
                       json_t **ret_claims, const char **ret_why)
{
    const struct fg_jwt_expected expected = {.issuer = auth->oidc->options.issuer,
                                             .audience = auth->oidc->options.client_id,
                                             .nonce = nonce,
                                             .now_ns = fg_env_wall_ns(auth->env)};
    struct fg_slice token =
        fg_slice_from_string(json_string_value(json_object_get(answer, "id_token")));
    int r = fg_jwt_check(token, keys, &expected, ret_claims, ret_why);
    if (r == 0 && !json_string_value(json_object_get(*ret_claims, "sub"))) {
        json_decref(*ret_claims);
        *ret_why = "no subject";
        return FG_EDENIED;
    }
    return r;
}

/* Groups that the id token does not have may stand in what userinfo says of the same subject. */
static void add_userinfo(struct fg_auth *auth, const json_t *discovery, const json_t *answer,
                         void **kept, json_t *claims)
{
    json_t *more = NULL;
    const char *access = json_string_value(json_object_get(answer, "access_token"));
    if (json_object_get(claims, auth->oidc->options.groups_claim) ||
        ask_userinfo(auth->oidc, discovery, access, kept, &more) < 0)
        return;
    if (json_equal(json_object_get(claims, "sub"), json_object_get(more, "sub")))
        (void)json_object_update_missing(claims, more);
    json_decref(more);
}

/* What the provider is asked by later: a refresh token, or the access token itself. */
static struct fg_slice again_by(const json_t *answer, char text[FG_REFRESH_SIZE_MAX])
{
    const char *refresh = json_string_value(json_object_get(answer, "refresh_token"));
    const char *access = json_string_value(json_object_get(answer, "access_token"));
    int size = snprintf(text, FG_REFRESH_SIZE_MAX, "%c%s", refresh ? 'r' : 'a',
                        refresh  ? refresh
                        : access ? access
                                 : "");
    return fg_slice(text, size > 0 && size < (int)FG_REFRESH_SIZE_MAX ? (size_t)size : 0);
}

static int let_in(struct fg_auth *auth, const json_t *discovery, const json_t *answer,
                  json_t *claims, char ret_session[FG_SESSION_TEXT_SIZE], char ret_who[FG_WHO_SIZE],
                  const char **ret_why)
{
    char again[FG_REFRESH_SIZE_MAX];
    struct fg_session session = {.is_foreign = true};
    add_userinfo(auth, discovery, answer, NULL, claims);
    name_of(claims, ret_who);
    snprintf(session.who, sizeof session.who, "%s", ret_who);
    map_groups(auth, claims, &session);
    if (session.roles == 0) {
        *ret_why = fg_oidc_no_group;
        return FG_EDENIED;
    }
    fg_mutex_lock(&auth->change);
    int r = fg_session_start(auth, &session, again_by(answer, again), ret_session);
    fg_mutex_unlock(&auth->change);
    return r;
}

static int exchange_code(struct fg_auth *auth, const struct fg_oidc_answer *answer,
                         const struct pending *pending, char ret_session[FG_SESSION_TEXT_SIZE],
                         char ret_who[FG_WHO_SIZE], const char **ret_why)
{
    json_t *discovery, *keys, *token = NULL, *claims = NULL;
    char code[2048];
    struct fg_buffer form;
    int r = provider(auth, false, &discovery, &keys);
    if (r < 0)
        return r;
    snprintf(code, sizeof code, "%.*s", (int)answer->code.size, (const char *)answer->code.data);
    fg_buffer_init(&form, (size_t)16 << 10);
    fg_buffer_append_string(&form, "grant_type=authorization_code");
    append_param(&form, "code", code);
    append_param(&form, "redirect_uri", auth->oidc->options.redirect);
    append_param(&form, "code_verifier", pending->verifier);
    r = token_request(auth->oidc, discovery, &form, NULL, &token);
    fg_buffer_free(&form);
    if (r < 0)
        *ret_why = "the provider gave no token";
    if (r == 0)
        r = check_token(auth, token, pending->nonce, keys, &claims, ret_why);
    if (r == FG_EDENIED && token && !claims) {
        /* The provider may have changed its keys. */
        json_decref(discovery);
        json_decref(keys);
        r = provider(auth, true, &discovery, &keys);
        if (r < 0) {
            json_decref(token);
            return r;
        }
        r = check_token(auth, token, pending->nonce, keys, &claims, ret_why);
    }
    if (r == 0)
        r = let_in(auth, discovery, token, claims, ret_session, ret_who, ret_why);
    json_decref(claims);
    json_decref(token);
    json_decref(discovery);
    json_decref(keys);
    return r;
}

int fg_oidc_finish(struct fg_auth *auth, const struct fg_oidc_answer *answer,
                   struct fg_arena *arena, struct fg_slice *ret_next,
                   char ret_session[FG_SESSION_TEXT_SIZE], char ret_who[FG_WHO_SIZE],
                   const char **ret_why)
{
    struct pending pending = {0};
    ret_who[0] = 0;
    *ret_why = "a state that is not known, used, or another browser's";
    if (!auth->oidc || answer->state.size != TEXT_SIZE || answer->code.size == 0 ||
        answer->code.size > 2000 || !take_pending(auth, answer, &pending))
        return FG_EDENIED;
    *ret_why = "the provider does not answer";
    int r = exchange_code(auth, answer, &pending, ret_session, ret_who, ret_why);
    if (r < 0)
        return r;
    *ret_next = fg_arena_copy(arena, fg_slice(pending.next, pending.next_size));
    return 0;
}

/* -- Whether it still holds: the keeper's */

struct due {
    uint8_t hash[FG_SECRET_SIZE];
    char who[FG_WHO_SIZE];
    char again[FG_REFRESH_SIZE_MAX + 1];
};

/* Of the sessions that are due the one that was asked for longest ago, with the time of its check
 * moved on; false: none is, or the server stops. */
static bool take_due(struct fg_auth *auth, struct due *due)
{
    uint64_t now_ns = fg_env_wall_ns(auth->env);
    struct fg_entry *entry = NULL;
    struct fg_session *oldest = NULL;
    fg_mutex_lock(&auth->mutex);
    for (size_t at = 0;
         !auth->stopping && (entry = fg_entries_walk(&auth->sessions, &at, entry)) != NULL;) {
        struct fg_session *session = (struct fg_session *)entry;
        bool is_due = session->is_foreign && !session->is_sealed &&
                      now_ns - session->checked_ns >= auth->oidc->options.recheck_ns;
        if (is_due && (!oldest || session->checked_ns < oldest->checked_ns))
            oldest = session;
    }
    if (oldest) {
        oldest->checked_ns = now_ns;
        memcpy(due->hash, oldest->hash, sizeof due->hash);
        memcpy(due->who, oldest->who, sizeof due->who);
        snprintf(due->again, sizeof due->again, "%s", oldest->refresh);
    }
    fg_mutex_unlock(&auth->mutex);
    return oldest != NULL;
}

/* Claims as they are now; the provider's no is FG_EDENIED. *ret_next: what to ask by the next time,
 * where it changed. */
static int claims_now(struct fg_auth *auth, const struct due *due, void **kept, json_t **ret_claims,
                      char ret_again[FG_REFRESH_SIZE_MAX])
{
    json_t *discovery, *keys, *answer = NULL;
    const char *why;
    struct fg_buffer form;
    ret_again[0] = 0;
    int r = provider(auth, false, &discovery, &keys);
    if (r < 0)
        return r;
    if (due->again[0] == 'a') {
        r = ask_userinfo(auth->oidc, discovery, due->again + 1, kept, ret_claims);
    } else {
        fg_buffer_init(&form, (size_t)16 << 10);
        fg_buffer_append_string(&form, "grant_type=refresh_token");
        append_param(&form, "refresh_token", due->again + 1);
        r = token_request(auth->oidc, discovery, &form, kept, &answer);
        fg_buffer_free(&form);
        if (r == 0 && json_object_get(answer, "id_token"))
            r = check_token(auth, answer, NULL, keys, ret_claims, &why);
        else if (r == 0)
            r = ask_userinfo(auth->oidc, discovery,
                             json_string_value(json_object_get(answer, "access_token")), kept,
                             ret_claims);
        if (r == 0)
            add_userinfo(auth, discovery, answer, kept, *ret_claims);
        if (r == 0 && json_object_get(answer, "refresh_token"))
            (void)again_by(answer, ret_again);
    }
    json_decref(answer);
    json_decref(discovery);
    json_decref(keys);
    return r;
}

/* Whether claims are of the one whose session it is (OpenID Connect Core, 5.3.2 and 12.2): what
 * people call him may change, his subject may not. */
static bool is_of(const char *who, const json_t *claims)
{
    char now[FG_WHO_SIZE];
    if (!json_string_value(json_object_get(claims, "sub")))
        return false;
    name_of(claims, now);
    const char *before = strrchr(who, '/'), *after = strrchr(now, '/');
    return strcmp(before ? before + 1 : who + strlen("oidc:"),
                  after ? after + 1 : now + strlen("oidc:")) == 0;
}

static bool is_this(const struct fg_session *session, const void *arg)
{
    return fg_secret_equal(session->hash, arg);
}

/* Whether the next one may be asked for: a provider that errs about somebody says something of
 * somebody else all the same, one that does not answer nothing. */
static bool goes_on(int r)
{
    return r != FG_EIO && r != FG_ETIMEOUT && r != FG_EAGAIN;
}

int fg_oidc_check_sessions(struct fg_auth *auth)
{
    struct due due;
    void *kept = NULL; /* a handshake for each session would take longer than what is asked */
    int r = 0;
    while (auth->oidc && goes_on(r) && take_due(auth, &due)) {
        char again[FG_REFRESH_SIZE_MAX];
        json_t *claims = NULL;
        struct fg_session now = {0};
        r = claims_now(auth, &due, &kept, &claims, again);
        if (r == 0 && !is_of(due.who, claims))
            r = FG_EDENIED;
        if (r == 0)
            map_groups(auth, claims, &now);
        json_decref(claims);
        bool is_over = r == FG_EDENIED || r == FG_ENOTFOUND || (r == 0 && now.roles == 0);
        fg_mutex_lock(&auth->change);
        if (is_over)
            r = fg_sessions_end(auth, is_this, due.hash, NULL);
        else if (r == 0)
            r = fg_session_renew(auth, due.hash, now.roles, now.tenant, again);
        fg_mutex_unlock(&auth->change);
    }
    fg_fetch_end(kept);
    return r;
}
