/* Making and ending the room's state, the keeper's thread, and the link to the first administrator.
 *
 * Mode: OPEN ──first account──► ACCOUNTS; STARTING ──attach──► ACCOUNTS. There is no way back: an
 * installation that had accounts is never open again by itself, for which the marker file stands.
 */
#include "base/hash.h"
#include "base/limits.h"
#include "state.h"
#include "store/state.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define ACCOUNT_BUCKETS 4096u
#define TOKEN_BUCKETS   4096u
#define SESSION_BUCKETS 16384u
#define KEEPER_NS       (10 * FG_NS_PER_SECOND)

static int is_there(struct fg_env *env, const char *path, bool *ret_is)
{
    struct fg_file *file;
    int r = fg_env_open(env, path, FG_OPEN_READ, &file);
    if (r == 0)
        fg_file_close(file);
    if (r < 0 && r != FG_ENOTFOUND)
        return r;
    *ret_is = r == 0;
    return 0;
}

int fg_auth_new(const struct fg_auth_options *options, struct fg_auth **ret_auth)
{
    if (sodium_init() < 0)
        return FG_EIO;
    struct fg_auth *auth = calloc(1, sizeof *auth);
    if (!auth)
        return FG_ENOMEM;
    uint64_t seed;
    bool has_marker = false;
    auth->env = options->env;
    auth->session_idle_ns = options->session_idle_ns;
    auth->session_age_ns = options->session_age_ns;
    auth->audit_age_ns = options->audit_age_ns;
    auth->certificate_tenants = options->certificate_tenants;
    auth->certificate_tenant_count = options->certificate_tenant_count;
    auth->password_memory =
        options->password_memory ? options->password_memory : FG_PASSWORD_MEMORY;
    fg_mutex_init(&auth->change, FG_RANK_AUTH);
    fg_mutex_init(&auth->mutex, FG_RANK_LEAF);
    fg_cond_init(&auth->keeper_cond);
    fg_env_random(auth->env, &seed, sizeof seed);
    auth->tenants[0] = (struct fg_tenant){.name = "default"};
    auth->tenant_count = 1;
    int r = fg_entries_init(&auth->accounts, ACCOUNT_BUCKETS);
    if (r == 0)
        r = fg_entries_init(&auth->tokens, TOKEN_BUCKETS);
    if (r == 0)
        r = fg_entries_init(&auth->sessions, SESSION_BUCKETS);
    if (r == 0)
        r = fg_guard_init(&auth->guard, seed);
    auth->folder = strdup(options->folder);
    if (r == 0 && (!auth->folder || asprintf(&auth->marker, "%s/accounts", options->folder) < 0)) {
        auth->marker = NULL;
        r = FG_ENOMEM;
    }
    if (r == 0)
        r = is_there(auth->env, auth->marker, &has_marker);
    if (r < 0) {
        fg_auth_free(auth);
        return r;
    }
    auth->wants_accounts = options->wants_accounts || has_marker;
    atomic_init(&auth->mode, auth->wants_accounts ? FG_AUTH_STARTING : FG_AUTH_OPEN);
    *ret_auth = auth;
    return 0;
}

/* The audit's head goes to the state too: who cuts the one has to forge the other. */
static int keep_head(struct fg_auth *auth)
{
    struct fg_audit_counters counters;
    struct fg_state_batch *batch;
    fg_audit_counters(fg_auth_audit(auth), &counters);
    if (counters.head.sequence == auth->kept_head)
        return 0;
    int r = fg_auth_batch(auth, &batch);
    if (r == 0)
        r = fg_auth_put_head(auth, batch, &counters.head);
    if (r == 0)
        r = fg_state_commit_take(auth->state, batch);
    if (r == 0)
        auth->kept_head = counters.head.sequence;
    return r;
}

static void end_keeper(struct fg_auth *auth)
{
    if (!auth->keeper_runs)
        return;
    fg_mutex_lock(&auth->mutex);
    auth->stopping = true;
    fg_cond_broadcast(&auth->keeper_cond);
    fg_mutex_unlock(&auth->mutex);
    fg_thread_join(&auth->keeper);
    /* Where it fails the next start knows of an older head. */
    int ignored = keep_head(auth);
    (void)ignored;
}

void fg_auth_free(struct fg_auth *auth)
{
    if (!auth)
        return;
    end_keeper(auth);
    fg_audit_close(atomic_load(&auth->audit));
    fg_entries_free(&auth->accounts);
    fg_entries_free(&auth->tokens);
    fg_entries_free(&auth->sessions);
    fg_guard_free(&auth->guard);
    fg_oidc_free(auth->oidc);
    fg_cond_destroy(&auth->keeper_cond);
    fg_mutex_destroy(&auth->mutex);
    fg_mutex_destroy(&auth->change);
    free(auth->marker);
    free(auth->folder);
    free(auth);
}

enum fg_auth_mode fg_auth_mode(const struct fg_auth *auth)
{
    return auth ? (enum fg_auth_mode)atomic_load_explicit(&auth->mode, memory_order_acquire)
                : FG_AUTH_OPEN;
}

static int open_audit(struct fg_auth *auth, struct fg_state *state)
{
    struct fg_audit_head head;
    struct fg_audit *audit;
    int r = fg_auth_get_head(auth, state, &head);
    if (r == 0)
        r = fg_audit_open(auth->env, auth->folder, auth->audit_age_ns, &head, &auth->audit_is_whole,
                          &audit);
    if (r < 0)
        return r;
    auth->kept_head = head.sequence;
    atomic_store(&auth->audit, audit);
    return 0;
}

struct fg_audit *fg_auth_audit(const struct fg_auth *auth)
{
    return auth ? atomic_load_explicit(&auth->audit, memory_order_acquire) : NULL;
}

int fg_auth_audit_read(struct fg_auth *auth, const struct fg_audit_query *query,
                       void (*line)(void *arg, struct fg_slice line), void *arg, uint64_t *ret_next)
{
    return fg_audit_read(auth->env, auth->folder, query, line, arg, ret_next);
}

bool fg_auth_audit_is_whole(const struct fg_auth *auth)
{
    return auth->audit_is_whole;
}

static void keep(void *arg)
{
    struct fg_auth *auth = arg;
    uint64_t pause_ns = KEEPER_NS;
    if (auth->oidc && fg_oidc_recheck_ns(auth->oidc) < pause_ns)
        pause_ns = fg_oidc_recheck_ns(auth->oidc);
    fg_mutex_lock(&auth->mutex);
    while (!auth->stopping) {
        if (fg_cond_wait_for(&auth->keeper_cond, &auth->mutex, pause_ns) || auth->stopping)
            continue;
        fg_mutex_unlock(&auth->mutex);
        /* What could not be written now is written the next time: nobody waits for it. */
        int ignored = fg_sessions_keep(auth);
        (void)ignored;
        ignored = keep_head(auth);
        (void)ignored;
        ignored = fg_oidc_check_sessions(auth);
        (void)ignored;
        fg_mutex_lock(&auth->mutex);
    }
    fg_mutex_unlock(&auth->mutex);
}

int fg_auth_mark_folder(struct fg_env *env, const char *path)
{
    struct fg_file *file;
    static const char text[] = "There are accounts in this folder; see `filigree user --help`.\n";
    int r = fg_env_open(env, path, FG_OPEN_WRITE | FG_OPEN_CREATE, &file);
    if (r < 0)
        return r;
    r = fg_file_pwrite(file, 0, text, sizeof text - 1);
    if (r == 0)
        r = fg_file_sync(file);
    fg_file_close(file);
    return r;
}

int fg_auth_mark(struct fg_auth *auth)
{
    int r = fg_auth_mark_folder(auth->env, auth->marker);
    return r == 0 ? fg_env_sync_dir(auth->env, auth->folder) : r;
}

int fg_auth_attach_state(struct fg_auth *auth, struct fg_state *state)
{
    fg_mutex_lock(&auth->change);
    int r = fg_auth_load(auth, state);
    auth->state = r == 0 ? state : NULL;
    if (r == 0 && auth->accounts.count > 0)
        r = fg_auth_mark(auth);
    if (r == 0)
        r = open_audit(auth, state);
    if (r == 0)
        r = fg_thread_start(&auth->keeper, "auth", keep, auth);
    if (r == 0) {
        auth->keeper_runs = true;
        if (auth->wants_accounts || auth->accounts.count > 0)
            atomic_store_explicit(&auth->mode, FG_AUTH_ACCOUNTS, memory_order_release);
    }
    fg_mutex_unlock(&auth->change);
    return r;
}

int fg_auth_first_link(struct fg_auth *auth, char ret_link[FG_SESSION_TEXT_SIZE])
{
    fg_mutex_lock(&auth->change);
    int r = auth->accounts.count > 0 ? FG_EEXIST : 0;
    if (r == 0) {
        fg_secret_new(auth->env, ret_link, auth->link);
        auth->has_link = true;
    }
    fg_mutex_unlock(&auth->change);
    return r;
}

void fg_auth_counters(struct fg_auth *auth, struct fg_auth_counters *ret_counters)
{
    fg_mutex_lock(&auth->mutex);
    *ret_counters = (struct fg_auth_counters){.accounts = auth->accounts.count,
                                              .tokens = auth->tokens.count,
                                              .sessions = auth->sessions.count,
                                              .tenants = auth->tenant_count,
                                              .sign_ins = auth->sign_ins,
                                              .wrong_passwords = auth->wrong_passwords,
                                              .locked_out = auth->locked_out,
                                              .over_quota = auth->over_quota};
    fg_mutex_unlock(&auth->mutex);
    for (int i = 0; i < FG_TOKEN_FAULT_COUNT; i++)
        ret_counters->bad_tokens[i] = atomic_load(&auth->bad_tokens[i]);
    ret_counters->bad_sessions = atomic_load(&auth->bad_sessions);
}
