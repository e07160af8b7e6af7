/* Sessions: who signed in, until they sign out, are signed out, or their time is over. */
#include "base/hash.h"
#include "base/limits.h"
#include "state.h"
#include "store/state.h"

#include <stdlib.h>

/* When a session was used last is written so often. */
#define KEEP_USED_NS (60 * FG_NS_PER_SECOND)

static uint64_t hash_of(const uint8_t hash[FG_SECRET_SIZE])
{
    uint64_t word;
    memcpy(&word, hash, sizeof word);
    return word;
}

struct fg_session *fg_session_find(struct fg_auth *auth, const uint8_t hash[FG_SECRET_SIZE])
{
    struct fg_entry *entry = fg_entries_find(&auth->sessions, hash_of(hash));
    while (entry && !fg_secret_equal(((struct fg_session *)entry)->hash, hash))
        entry = fg_entries_next(entry);
    return (struct fg_session *)entry;
}

bool fg_session_is_over(const struct fg_auth *auth, const struct fg_session *session,
                        uint64_t now_ns)
{
    bool is_idle = now_ns > session->used_ns && now_ns - session->used_ns > auth->session_idle_ns;
    return is_idle ||
           (now_ns > session->created_ns && now_ns - session->created_ns > auth->session_age_ns);
}

void fg_session_insert(struct fg_auth *auth, struct fg_session *session)
{
    fg_entries_put(&auth->sessions, hash_of(session->hash), &session->entry);
}

/* The hashes of some sessions, gathered with the mutex held. */
struct ended {
    uint8_t (*hashes)[FG_SECRET_SIZE];
    size_t count, capacity;
};

static int add(struct ended *ended, const struct fg_session *session)
{
    if (ended->count == ended->capacity) {
        size_t capacity = ended->capacity ? 2 * ended->capacity : 16;
        void *grown = realloc(ended->hashes, capacity * sizeof *ended->hashes);
        if (!grown)
            return FG_ENOMEM;
        ended->hashes = grown;
        ended->capacity = capacity;
    }
    memcpy(ended->hashes[ended->count++], session->hash, FG_SECRET_SIZE);
    return 0;
}

static void forget(struct fg_auth *auth, const struct ended *ended)
{
    fg_mutex_lock(&auth->mutex);
    for (size_t i = 0; i < ended->count; i++) {
        struct fg_session *session = fg_session_find(auth, ended->hashes[i]);
        if (session) {
            fg_entries_remove(&auth->sessions, &session->entry);
            free(session);
        }
    }
    fg_mutex_unlock(&auth->mutex);
}

/* From memory before the disk: that they are over must not wait for it. */
static int end(struct fg_auth *auth, const struct ended *ended)
{
    struct fg_state_batch *batch;
    if (ended->count == 0)
        return 0;
    forget(auth, ended);
    int r = fg_auth_batch(auth, &batch);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ended->count; i++)
        fg_auth_delete_session(auth, batch, ended->hashes[i]);
    return fg_state_commit_take(auth->state, batch);
}

int fg_sessions_end(struct fg_auth *auth,
                    bool (*matches)(const struct fg_session *session, const void *arg),
                    const void *arg, uint64_t *count)
{
    struct ended ended = {0};
    struct fg_entry *entry = NULL;
    int r = 0;
    fg_mutex_lock(&auth->mutex);
    for (size_t at = 0; r == 0 && (entry = fg_entries_walk(&auth->sessions, &at, entry)) != NULL;)
        if (matches((struct fg_session *)entry, arg))
            r = add(&ended, (struct fg_session *)entry);
    fg_mutex_unlock(&auth->mutex);
    if (r == 0)
        r = end(auth, &ended);
    if (r == 0 && count)
        *count += ended.count;
    free(ended.hashes);
    return r;
}

struct of_name {
    const char *who;
    const uint8_t *except;
};

static bool is_of_name(const struct fg_session *session, const void *arg)
{
    const struct of_name *wanted = arg;
    return strcmp(session->who, wanted->who) == 0 &&
           !(wanted->except && fg_secret_equal(session->hash, wanted->except));
}

int fg_sessions_end_of(struct fg_auth *auth, const char *who, const uint8_t *except,
                       uint64_t *count)
{
    const struct of_name wanted = {who, except};
    return fg_sessions_end(auth, is_of_name, &wanted, count);
}

static bool is_this(const struct fg_session *session, const void *arg)
{
    return fg_secret_equal(session->hash, arg);
}

int fg_auth_sign_out(struct fg_auth *auth, const uint8_t session[FG_SECRET_SIZE])
{
    fg_mutex_lock(&auth->change);
    int r = fg_sessions_end(auth, is_this, session, NULL);
    fg_mutex_unlock(&auth->change);
    return r;
}

int fg_account_sign_out(struct fg_auth *auth, struct fg_slice name, uint64_t *ret_count)
{
    char who[FG_WHO_SIZE] = "";
    uint64_t count = 0;
    if (name.size >= sizeof who)
        return FG_EINVALID;
    memcpy(who, name.data, name.size);
    fg_mutex_lock(&auth->change);
    int r = fg_sessions_end_of(auth, who, NULL, &count);
    fg_mutex_unlock(&auth->change);
    if (r == 0)
        *ret_count = count;
    return r;
}

/* Where a name has as many as it may: the one that was quiet longest. */
static const struct fg_session *in_excess(struct fg_auth *auth, const char *who)
{
    const struct fg_session *oldest = NULL;
    struct fg_entry *entry = NULL;
    unsigned count = 0;
    for (size_t at = 0; (entry = fg_entries_walk(&auth->sessions, &at, entry)) != NULL;) {
        const struct fg_session *session = (struct fg_session *)entry;
        if (strcmp(session->who, who) != 0)
            continue;
        count++;
        if (!oldest || session->used_ns < oldest->used_ns)
            oldest = session;
    }
    return count >= FG_ACCOUNT_SESSIONS_MAX ? oldest : NULL;
}

static int make_room(struct fg_auth *auth, const char *who)
{
    struct ended ended = {0};
    fg_mutex_lock(&auth->mutex);
    const struct fg_session *old = in_excess(auth, who);
    int r = old ? add(&ended, old) : auth->sessions.count >= FG_SESSIONS_MAX ? FG_ELIMIT : 0;
    fg_mutex_unlock(&auth->mutex);
    if (r == 0)
        r = end(auth, &ended);
    free(ended.hashes);
    return r;
}

int fg_session_unseal(struct fg_session *session, struct fg_slice text)
{
    char *plain = malloc(session->refresh_size);
    size_t size = 0;
    if (!plain)
        return FG_ENOMEM;
    fg_seal_key(text, session->key);
    int r =
        fg_unseal(session->key, fg_slice(session->refresh, session->refresh_size), plain, &size);
    if (r == 0) {
        memcpy(session->refresh, plain, size);
        session->refresh[size] = 0;
        session->refresh_size = size;
        session->is_sealed = false;
        explicit_bzero(plain, size);
    }
    free(plain);
    return r;
}

int fg_session_start(struct fg_auth *auth, const struct fg_session *like, struct fg_slice refresh,
                     char ret_text[FG_SESSION_TEXT_SIZE])
{
    struct fg_state_batch *batch;
    if (refresh.size > FG_REFRESH_SIZE_MAX)
        return FG_ELIMIT;
    int r = make_room(auth, like->who);
    struct fg_session *session = r == 0 ? calloc(1, sizeof *session + refresh.size + 1) : NULL;
    if (!session)
        return r < 0 ? r : FG_ENOMEM;
    *session = *like;
    fg_secret_new(auth->env, ret_text, session->hash);
    fg_seal_key(fg_slice(ret_text, FG_SESSION_TEXT_SIZE), session->key);
    session->created_ns = session->used_ns = session->kept_used_ns = fg_env_wall_ns(auth->env);
    session->checked_ns = session->created_ns;
    session->refresh_size = refresh.size;
    if (refresh.size)
        memcpy(session->refresh, refresh.data, refresh.size);
    r = fg_auth_batch(auth, &batch);
    if (r == 0) {
        r = fg_auth_put_session(auth, batch, session);
        if (r < 0)
            fg_state_batch_free(batch);
        else
            r = fg_state_commit_take(auth->state, batch);
    }
    if (r < 0) {
        free(session);
        return r;
    }
    fg_mutex_lock(&auth->mutex);
    fg_session_insert(auth, session);
    auth->sign_ins++;
    fg_mutex_unlock(&auth->mutex);
    return 0;
}

int fg_session_renew(struct fg_auth *auth, const uint8_t hash[FG_SECRET_SIZE], unsigned roles,
                     uint32_t tenant, const char *again)
{
    struct fg_state_batch *batch;
    fg_mutex_lock(&auth->mutex);
    struct fg_session *old = fg_session_find(auth, hash);
    size_t size = !old ? 0 : *again ? strlen(again) : old->refresh_size;
    struct fg_session *session = old ? calloc(1, sizeof *session + size + 1) : NULL;
    bool is_same = old && !*again && old->roles == roles && old->tenant == tenant;
    if (session) {
        memcpy(session, old, sizeof *session);
        memcpy(session->refresh, *again ? again : old->refresh, size);
        session->refresh_size = size;
        session->roles = roles;
        session->tenant = tenant;
        fg_entries_remove(&auth->sessions, &old->entry);
        fg_session_insert(auth, session);
    }
    fg_mutex_unlock(&auth->mutex);
    if (!old)
        return 0;
    if (!session)
        return FG_ENOMEM;
    free(old);
    if (is_same)
        return 0;
    int r = fg_auth_batch(auth, &batch);
    if (r < 0)
        return r;
    /* Only who holds `change` removes one. */
    fg_mutex_lock(&auth->mutex);
    r = fg_auth_put_session(auth, batch, session);
    fg_mutex_unlock(&auth->mutex);
    if (r < 0) {
        fg_state_batch_free(batch);
        return r;
    }
    return fg_state_commit_take(auth->state, batch);
}

/* -- The keeper's round */

struct over {
    const struct fg_auth *auth;
    uint64_t now_ns;
};

static bool is_over(const struct fg_session *session, const void *arg)
{
    const struct over *over = arg;
    return fg_session_is_over(over->auth, session, over->now_ns);
}

/* Those whose use is worth a write go into the batch; the mutex is held. */
static int put_used(struct fg_auth *auth, struct fg_state_batch *batch, unsigned *ret_count)
{
    struct fg_entry *entry = NULL;
    int r = 0;
    for (size_t at = 0; r == 0 && (entry = fg_entries_walk(&auth->sessions, &at, entry)) != NULL;) {
        struct fg_session *session = (struct fg_session *)entry;
        if (session->used_ns < session->kept_used_ns + KEEP_USED_NS)
            continue;
        r = fg_auth_put_session(auth, batch, session);
        session->kept_used_ns = session->used_ns;
        ++*ret_count;
    }
    return r;
}

int fg_sessions_keep(struct fg_auth *auth)
{
    const struct over over = {auth, fg_env_wall_ns(auth->env)};
    struct fg_state_batch *batch = NULL;
    unsigned count = 0;
    fg_mutex_lock(&auth->change);
    int r = fg_sessions_end(auth, is_over, &over, NULL);
    if (r == 0)
        r = fg_auth_batch(auth, &batch);
    if (r == 0) {
        fg_mutex_lock(&auth->mutex);
        r = put_used(auth, batch, &count);
        fg_mutex_unlock(&auth->mutex);
    }
    if (r == 0 && count > 0)
        r = fg_state_commit_take(auth->state, batch);
    else
        fg_state_batch_free(batch);
    fg_mutex_unlock(&auth->change);
    return r;
}
