/* Tokens of machines: "fgt_" + 12 hexadecimal digits of an id + "_" + 64 of a secret. The id names
 * it in lists, logs and the audit; of the whole text only a hash is kept. */
#include "base/hash.h"
#include "base/hex.h"
#include "base/utf8.h"
#include "state.h"
#include "store/state.h"

#include <stdio.h>
#include <stdlib.h>

#define ID_DIGITS 12u

struct fg_token *fg_token_find(struct fg_auth *auth, uint64_t id)
{
    struct fg_entry *entry = fg_entries_find(&auth->tokens, fg_hash_u64(id));
    while (entry && ((struct fg_token *)entry)->id != id)
        entry = fg_entries_next(entry);
    return (struct fg_token *)entry;
}

void fg_token_insert(struct fg_auth *auth, struct fg_token *token)
{
    fg_entries_put(&auth->tokens, fg_hash_u64(token->id), &token->entry);
}

/* Printable ASCII: it is shown in terminals and logs. */
static bool is_plain(struct fg_slice text, size_t size_max)
{
    if (text.size > size_max)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x20 || text.data[i] > 0x7e)
            return false;
    return true;
}

/* scheme://host, without a path: as browsers write it. */
static bool is_origin(struct fg_slice text)
{
    bool is_http = fg_slice_starts_with(text, FG_SLICE("http://"));
    size_t scheme = is_http ? 7 : 8;
    if (!is_http && !fg_slice_starts_with(text, FG_SLICE("https://")))
        return false;
    return text.size > scheme && !memchr(text.data + scheme, '/', text.size - scheme) &&
           is_plain(text, FG_ORIGIN_SIZE_MAX);
}

static int check_wish(struct fg_auth *auth, const struct fg_token_wish *wish)
{
    if (wish->name.size == 0 || !is_plain(wish->name, FG_TOKEN_NAME_SIZE_MAX) || wish->roles == 0 ||
        !is_plain(wish->by, FG_WHO_SIZE - 1))
        return FG_EINVALID;
    if (wish->origin.size && (!is_origin(wish->origin) || wish->roles != FG_ROLE_INGEST))
        return FG_EINVALID;
    if (wish->expires_ns && wish->expires_ns <= fg_env_wall_ns(auth->env))
        return FG_EINVALID;
    fg_mutex_lock(&auth->mutex);
    int r = !fg_tenant_exists(auth, wish->tenant) ? FG_ENOTFOUND
            : auth->tokens.count >= FG_TOKENS_MAX ? FG_ELIMIT
                                                  : 0;
    fg_mutex_unlock(&auth->mutex);
    return r;
}

static void copy_text(char *to, struct fg_slice from)
{
    if (from.size)
        memcpy(to, from.data, from.size);
    to[from.size] = 0;
}

static void make_text(struct fg_auth *auth, uint64_t id, char ret_text[FG_TOKEN_TEXT_SIZE],
                      uint8_t ret_hash[FG_SECRET_SIZE])
{
    char head[24], secret[2 * FG_SECRET_SIZE];
    uint8_t ignored[FG_SECRET_SIZE];
    snprintf(head, sizeof head, "fgt_%0*llx_", (int)ID_DIGITS, (unsigned long long)id);
    fg_secret_new(auth->env, secret, ignored);
    memcpy(ret_text, head, strlen(head));
    memcpy(ret_text + strlen(head), secret, sizeof secret);
    fg_secret_hash(fg_slice(ret_text, FG_TOKEN_TEXT_SIZE), ret_hash);
}

static uint64_t free_id(struct fg_auth *auth)
{
    uint64_t id;
    bool is_used;
    do {
        fg_env_random(auth->env, &id, sizeof id);
        id >>= 64 - 4 * ID_DIGITS;
        fg_mutex_lock(&auth->mutex);
        is_used = id == 0 || fg_token_find(auth, id) != NULL;
        fg_mutex_unlock(&auth->mutex);
    } while (is_used);
    return id;
}

static int keep(struct fg_auth *auth, struct fg_token *token)
{
    struct fg_state_batch *batch;
    int r = fg_auth_batch(auth, &batch);
    if (r < 0)
        return r;
    r = fg_auth_put_token(auth, batch, token);
    if (r < 0) {
        fg_state_batch_free(batch);
        return r;
    }
    r = fg_state_commit_take(auth->state, batch);
    if (r < 0)
        return r;
    fg_mutex_lock(&auth->mutex);
    fg_token_insert(auth, token);
    fg_mutex_unlock(&auth->mutex);
    return 0;
}

int fg_token_add(struct fg_auth *auth, const struct fg_token_wish *wish,
                 char ret_text[FG_TOKEN_TEXT_SIZE], uint64_t *ret_id)
{
    char text[FG_TOKEN_TEXT_SIZE];
    int r = check_wish(auth, wish);
    if (r < 0)
        return r;
    struct fg_token *token = calloc(1, sizeof *token);
    if (!token)
        return FG_ENOMEM;
    fg_mutex_lock(&auth->change);
    token->id = free_id(auth);
    make_text(auth, token->id, text, token->hash);
    copy_text(token->name, wish->name);
    copy_text(token->origin, wish->origin);
    copy_text(token->by, wish->by);
    token->roles = wish->roles;
    token->tenant = wish->tenant;
    token->created_ns = fg_env_wall_ns(auth->env);
    token->expires_ns = wish->expires_ns;
    uint64_t id = token->id;
    r = keep(auth, token);
    fg_mutex_unlock(&auth->change);
    if (r < 0) {
        free(token);
        return r;
    }
    memcpy(ret_text, text, sizeof text);
    *ret_id = id;
    return 0;
}

static int revoke(struct fg_auth *auth, uint64_t id)
{
    struct fg_state_batch *batch;
    fg_mutex_lock(&auth->mutex);
    bool is_there = fg_token_find(auth, id) != NULL;
    fg_mutex_unlock(&auth->mutex);
    if (!is_there)
        return FG_ENOTFOUND;
    int r = fg_auth_batch(auth, &batch);
    if (r < 0)
        return r;
    fg_auth_delete_token(auth, batch, id);
    r = fg_state_commit_take(auth->state, batch);
    if (r < 0)
        return r;
    fg_mutex_lock(&auth->mutex);
    struct fg_token *token = fg_token_find(auth, id);
    fg_entries_remove(&auth->tokens, &token->entry);
    fg_mutex_unlock(&auth->mutex);
    free(token);
    return 0;
}

int fg_token_revoke(struct fg_auth *auth, uint64_t id)
{
    fg_mutex_lock(&auth->change);
    int r = revoke(auth, id);
    fg_mutex_unlock(&auth->change);
    return r;
}

void fg_tokens_each(struct fg_auth *auth, void (*fn)(void *arg, const struct fg_token_info *info),
                    void *arg)
{
    struct fg_entry *entry = NULL;
    fg_mutex_lock(&auth->mutex);
    for (size_t at = 0; (entry = fg_entries_walk(&auth->tokens, &at, entry)) != NULL;) {
        const struct fg_token *token = (struct fg_token *)entry;
        const struct fg_token_info info = {.id = token->id,
                                           .name = token->name,
                                           .origin = token->origin,
                                           .by = token->by,
                                           .roles = token->roles,
                                           .tenant = token->tenant,
                                           .created_ns = token->created_ns,
                                           .expires_ns = token->expires_ns,
                                           .used_ns = token->used_ns};
        fn(arg, &info);
    }
    fg_mutex_unlock(&auth->mutex);
}
