/* Records in the keyed state, one JSON object each: table accounts by name, tokens by id
 * (big-endian 64 bits), sessions by their hash, tenants by number (big-endian 32 bits). Hashes and
 * ids in them are hexadecimal, times nanoseconds. A record that can't be read is damage: nobody is
 * let in by guesses. */
#include "base/endian.h"
#include "base/hash.h"
#include "base/hex.h"
#include "state.h"
#include "store/state.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define HASH_TEXT_SIZE (2 * FG_SECRET_SIZE + 1)

static void hash_format(const uint8_t hash[FG_SECRET_SIZE], char ret_text[HASH_TEXT_SIZE])
{
    fg_hex_encode(fg_slice(hash, FG_SECRET_SIZE), ret_text);
    ret_text[HASH_TEXT_SIZE - 1] = 0;
}

static bool hash_parse(const char *text, uint8_t ret_hash[FG_SECRET_SIZE])
{
    struct fg_slice digits = fg_slice_from_string(text);
    return digits.size == HASH_TEXT_SIZE - 1 && fg_hex_decode(digits, ret_hash) == 0;
}

/* -- Writing */

int fg_auth_batch(struct fg_auth *auth, struct fg_state_batch **ret_batch)
{
    return auth->state ? fg_state_batch_new(auth->state, ret_batch) : FG_EAGAIN;
}

/* Consumes object, which may be NULL: there was no memory. */
static int put_take(struct fg_state_batch *batch, uint32_t table, struct fg_slice key,
                    json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!text)
        return FG_ENOMEM;
    fg_state_put(batch, table, key, fg_slice_from_string(text));
    free(text);
    return 0;
}

int fg_auth_put_account(struct fg_auth *auth, struct fg_state_batch *batch,
                        const struct fg_account *account)
{
    char link[HASH_TEXT_SIZE] = "";
    if (account->has_link)
        hash_format(account->link, link);
    return put_take(batch, auth->accounts_table, fg_slice_from_string(account->name),
                    json_pack("{s:s, s:i, s:I, s:b, s:I, s:s, s:I}", "password", account->password,
                              "roles", (int)account->roles, "tenant", (json_int_t)account->tenant,
                              "disabled", account->disabled, "created",
                              (json_int_t)account->created_ns, "link", link, "link_until",
                              (json_int_t)account->link_until_ns));
}

int fg_auth_put_token(struct fg_auth *auth, struct fg_state_batch *batch,
                      const struct fg_token *token)
{
    char hash[HASH_TEXT_SIZE];
    uint8_t key[sizeof token->id];
    hash_format(token->hash, hash);
    fg_store_be64(key, token->id);
    return put_take(batch, auth->tokens_table, fg_slice(key, sizeof key),
                    json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I}", "hash", hash, "name",
                              token->name, "origin", token->origin, "by", token->by, "roles",
                              (int)token->roles, "tenant", (json_int_t)token->tenant, "created",
                              (json_int_t)token->created_ns, "expires",
                              (json_int_t)token->expires_ns));
}

int fg_auth_put_session(struct fg_auth *auth, struct fg_state_batch *batch,
                        const struct fg_session *session)
{
    char *sealed = NULL;
    if (session->refresh_size && !session->is_sealed) {
        int r = fg_seal(auth->env, session->key, fg_slice(session->refresh, session->refresh_size),
                        &sealed);
        if (r < 0)
            return r;
    }
    int r = put_take(batch, auth->sessions_table, fg_slice(session->hash, sizeof session->hash),
                     json_pack("{s:s, s:I, s:I, s:b, s:i, s:I, s:I, s:s}", "who", session->who,
                               "created", (json_int_t)session->created_ns, "used",
                               (json_int_t)session->used_ns, "foreign", session->is_foreign,
                               "roles", (int)session->roles, "tenant", (json_int_t)session->tenant,
                               "checked", (json_int_t)session->checked_ns, "refresh",
                               sealed ? sealed : session->refresh));
    free(sealed);
    return r;
}

int fg_auth_put_tenant(struct fg_auth *auth, struct fg_state_batch *batch,
                       const struct fg_tenant *tenant)
{
    uint8_t key[sizeof tenant->tenant];
    fg_store_be32(key, tenant->tenant);
    return put_take(batch, auth->tenants_table, fg_slice(key, sizeof key),
                    json_pack("{s:s, s:I, s:I, s:I}", "name", tenant->name, "spans",
                              (json_int_t)tenant->quota.spans, "bytes",
                              (json_int_t)tenant->quota.bytes, "attributes",
                              (json_int_t)tenant->quota.attributes));
}

/* Number, then hash. */
int fg_auth_put_head(struct fg_auth *auth, struct fg_state_batch *batch,
                     const struct fg_audit_head *head)
{
    uint8_t value[sizeof head->sequence + FG_AUDIT_HASH_SIZE];
    fg_store_be64(value, head->sequence);
    memcpy(value + sizeof head->sequence, head->hash, sizeof head->hash);
    fg_state_put(batch, auth->audit_table, FG_SLICE("head"), fg_slice(value, sizeof value));
    return 0;
}

int fg_auth_get_head(struct fg_auth *auth, struct fg_state *state, struct fg_audit_head *ret_head)
{
    struct fg_state_view *view;
    struct fg_slice value;
    *ret_head = (struct fg_audit_head){0};
    int r = fg_state_view_take(state, &view);
    if (r < 0)
        return r;
    r = fg_state_get(view, auth->audit_table, FG_SLICE("head"), &value);
    if (r == 0 && value.size != sizeof ret_head->sequence + FG_AUDIT_HASH_SIZE)
        r = FG_ECORRUPT;
    if (r == 0) {
        ret_head->sequence = fg_load_be64(value.data);
        memcpy(ret_head->hash, value.data + sizeof ret_head->sequence, FG_AUDIT_HASH_SIZE);
    }
    fg_state_view_release(view);
    return r == FG_ENOTFOUND ? 0 : r;
}

void fg_auth_delete_account(struct fg_auth *auth, struct fg_state_batch *batch, const char *name)
{
    fg_state_delete(batch, auth->accounts_table, fg_slice_from_string(name));
}

void fg_auth_delete_token(struct fg_auth *auth, struct fg_state_batch *batch, uint64_t id)
{
    uint8_t key[sizeof id];
    fg_store_be64(key, id);
    fg_state_delete(batch, auth->tokens_table, fg_slice(key, sizeof key));
}

void fg_auth_delete_session(struct fg_auth *auth, struct fg_state_batch *batch,
                            const uint8_t hash[FG_SECRET_SIZE])
{
    fg_state_delete(batch, auth->sessions_table, fg_slice(hash, FG_SECRET_SIZE));
}

/* -- Reading */

static bool fits(const char *text, size_t size)
{
    return strlen(text) < size;
}

static json_t *parse(struct fg_slice value)
{
    return json_loadb((const char *)value.data, value.size, JSON_REJECT_DUPLICATES, NULL);
}

/* An entry of its size, filled from a record; the caller's to free. */
static int read_entry(size_t size, int (*fill)(void *entry, struct fg_slice key, json_t *root),
                      struct fg_slice key, struct fg_slice value, void **ret_entry)
{
    void *entry = calloc(1, size);
    json_t *root = parse(value);
    int r = !entry ? FG_ENOMEM : !root ? FG_ECORRUPT : fill(entry, key, root);
    json_decref(root);
    if (r < 0)
        free(entry);
    else
        *ret_entry = entry;
    return r;
}

static int fill_account(void *entry, struct fg_slice key, json_t *root)
{
    struct fg_account *account = entry;
    const char *password, *link;
    int roles, disabled;
    json_int_t tenant, created, link_until;
    if (json_unpack(root, "{s:s, s:i, s:I, s:b, s:I, s:s, s:I}", "password", &password, "roles",
                    &roles, "tenant", &tenant, "disabled", &disabled, "created", &created, "link",
                    &link, "link_until", &link_until) < 0)
        return FG_ECORRUPT;
    account->has_link = *link != 0;
    if (key.size == 0 || key.size >= sizeof account->name ||
        !fits(password, sizeof account->password) ||
        (account->has_link && !hash_parse(link, account->link)))
        return FG_ECORRUPT;
    memcpy(account->name, key.data, key.size);
    snprintf(account->password, sizeof account->password, "%s", password);
    account->roles = (unsigned)roles & FG_ROLES_ALL;
    account->tenant = (uint32_t)tenant;
    account->disabled = disabled != 0;
    account->created_ns = (uint64_t)created;
    account->link_until_ns = (uint64_t)link_until;
    return 0;
}

static int load_account(void *arg, struct fg_slice key, struct fg_slice value)
{
    void *account;
    int r = read_entry(sizeof(struct fg_account), fill_account, key, value, &account);
    if (r == 0)
        fg_account_insert(arg, account);
    return r;
}

static int fill_token(void *entry, struct fg_slice key, json_t *root)
{
    struct fg_token *token = entry;
    const char *hash, *name, *origin, *by;
    int roles;
    json_int_t tenant, created, expires;
    if (json_unpack(root, "{s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I}", "hash", &hash, "name", &name,
                    "origin", &origin, "by", &by, "roles", &roles, "tenant", &tenant, "created",
                    &created, "expires", &expires) < 0)
        return FG_ECORRUPT;
    if (key.size != sizeof token->id || !hash_parse(hash, token->hash) ||
        !fits(name, sizeof token->name) || !fits(origin, sizeof token->origin) ||
        !fits(by, sizeof token->by))
        return FG_ECORRUPT;
    token->id = fg_load_be64(key.data);
    snprintf(token->name, sizeof token->name, "%s", name);
    snprintf(token->origin, sizeof token->origin, "%s", origin);
    snprintf(token->by, sizeof token->by, "%s", by);
    token->roles = (unsigned)roles & FG_ROLES_ALL;
    token->tenant = (uint32_t)tenant;
    token->created_ns = (uint64_t)created;
    token->expires_ns = (uint64_t)expires;
    return 0;
}

static int load_token(void *arg, struct fg_slice key, struct fg_slice value)
{
    void *token;
    int r = read_entry(sizeof(struct fg_token), fill_token, key, value, &token);
    if (r == 0)
        fg_token_insert(arg, token);
    return r;
}

static int make_session(struct fg_slice key, json_t *root, struct fg_session **ret_session)
{
    const char *who, *refresh;
    int roles, is_foreign;
    json_int_t tenant, created, used, checked;
    if (json_unpack(root, "{s:s, s:I, s:I, s:b, s:i, s:I, s:I, s:s}", "who", &who, "created",
                    &created, "used", &used, "foreign", &is_foreign, "roles", &roles, "tenant",
                    &tenant, "checked", &checked, "refresh", &refresh) < 0)
        return FG_ECORRUPT;
    size_t refresh_size = strlen(refresh);
    if (key.size != FG_SECRET_SIZE || !fits(who, FG_WHO_SIZE) ||
        refresh_size >= FG_SEALED_SIZE(FG_REFRESH_SIZE_MAX))
        return FG_ECORRUPT;
    /* Of an older server's, in plain text: that session is over. */
    if (refresh_size && !fg_slice_starts_with(fg_slice(refresh, refresh_size), fg_seal_mark()))
        return FG_ENOTFOUND;
    struct fg_session *session = calloc(1, sizeof *session + refresh_size + 1);
    if (!session)
        return FG_ENOMEM;
    memcpy(session->hash, key.data, sizeof session->hash);
    snprintf(session->who, sizeof session->who, "%s", who);
    memcpy(session->refresh, refresh, refresh_size);
    session->refresh_size = refresh_size;
    session->is_sealed = refresh_size > 0;
    session->created_ns = (uint64_t)created;
    session->used_ns = session->kept_used_ns = (uint64_t)used;
    session->is_foreign = is_foreign != 0;
    session->roles = (unsigned)roles & FG_ROLES_ALL;
    session->tenant = (uint32_t)tenant;
    session->checked_ns = (uint64_t)checked;
    *ret_session = session;
    return 0;
}

static int load_session(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct fg_auth *auth = arg;
    struct fg_session *session;
    json_t *root = parse(value);
    int r = root ? make_session(key, root, &session) : FG_ECORRUPT;
    json_decref(root);
    if (r == 0)
        fg_session_insert(auth, session);
    return r == FG_ENOTFOUND ? 0 : r;
}

static int load_tenant(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct fg_auth *auth = arg;
    const char *name;
    json_int_t spans, bytes, attributes;
    json_t *root = parse(value);
    int r = !root || key.size != sizeof(uint32_t) ||
                    json_unpack(root, "{s:s, s:I, s:I, s:I}", "name", &name, "spans", &spans,
                                "bytes", &bytes, "attributes", &attributes) < 0 ||
                    !fits(name, FG_TENANT_NAME_SIZE_MAX + 1) || auth->tenant_count == FG_TENANTS_MAX
                ? FG_ECORRUPT
                : 0;
    if (r == 0) {
        struct fg_tenant tenant = {
            .tenant = fg_load_be32(key.data),
            .quota = {(uint64_t)spans, (uint64_t)bytes, (uint64_t)attributes}};
        snprintf(tenant.name, sizeof tenant.name, "%s", name);
        /* The default's record holds its quota. */
        if (tenant.tenant == 0)
            auth->tenants[0] = tenant;
        else
            auth->tenants[auth->tenant_count++] = tenant;
    }
    json_decref(root);
    return r;
}

int fg_auth_load(struct fg_auth *auth, struct fg_state *state)
{
    const struct {
        const char *name;
        uint32_t *table;
        int (*load)(void *arg, struct fg_slice key, struct fg_slice value);
    } tables[] = {
        {"tenants", &auth->tenants_table, load_tenant},
        {"accounts", &auth->accounts_table, load_account},
        {"tokens", &auth->tokens_table, load_token},
        {"sessions", &auth->sessions_table, load_session},
    };
    struct fg_state_view *view;
    int r = fg_state_table(state, "audit", &auth->audit_table);
    for (size_t i = 0; r == 0 && i < sizeof tables / sizeof *tables; i++)
        r = fg_state_table(state, tables[i].name, tables[i].table);
    if (r == 0)
        r = fg_state_view_take(state, &view);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < sizeof tables / sizeof *tables; i++)
        r = fg_state_each(view, *tables[i].table, (struct fg_slice){0}, (struct fg_slice){0},
                          tables[i].load, auth, NULL);
    fg_state_view_release(view);
    return r;
}
