/* Accounts of people. */
#include "base/hash.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "state.h"
#include "store/state.h"

#include <stdio.h>
#include <stdlib.h>

#define LINK_NS (3 * FG_NS_PER_DAY)

/* -- In memory */

struct fg_account *fg_account_find(struct fg_auth *auth, struct fg_slice name)
{
    struct fg_entry *entry = fg_entries_find(&auth->accounts, fg_hash(name));
    while (entry && !fg_slice_equal(fg_slice_from_string(((struct fg_account *)entry)->name), name))
        entry = fg_entries_next(entry);
    return (struct fg_account *)entry;
}

void fg_account_insert(struct fg_auth *auth, struct fg_account *account)
{
    fg_entries_put(&auth->accounts, fg_hash(fg_slice_from_string(account->name)), &account->entry);
}

int fg_account_name_clean(struct fg_slice name, char ret_name[FG_ACCOUNT_NAME_SIZE_MAX + 1])
{
    char clean[FG_ACCOUNT_NAME_SIZE_MAX + 1];
    if (name.size == 0 || name.size > FG_ACCOUNT_NAME_SIZE_MAX)
        return FG_EINVALID;
    for (size_t i = 0; i < name.size; i++) {
        char c = (char)name.data[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        bool is_good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       (c != 0 && strchr("._@+-", c) != NULL);
        if (!is_good)
            return FG_EINVALID;
        clean[i] = c;
    }
    clean[name.size] = 0;
    memcpy(ret_name, clean, sizeof clean);
    return 0;
}

static bool is_fit(struct fg_slice password)
{
    return password.size >= FG_PASSWORD_SIZE_MIN && password.size <= FG_PASSWORD_SIZE_MAX;
}

/* The account as it is, to be changed and written; the mutex is not held. FG_ENOTFOUND. */
static int copy_of(struct fg_auth *auth, struct fg_slice name, struct fg_account *ret_account)
{
    fg_mutex_lock(&auth->mutex);
    const struct fg_account *account = fg_account_find(auth, name);
    if (account)
        *ret_account = *account;
    fg_mutex_unlock(&auth->mutex);
    return account ? 0 : FG_ENOTFOUND;
}

static bool administers(const struct fg_account *account)
{
    return (account->roles & FG_ROLE_ADMIN) && account->tenant == FG_EVERY_TENANT &&
           !account->disabled && *account->password;
}

/* Whether one beside name may administer. */
static bool has_other_admin(struct fg_auth *auth, const char *name)
{
    struct fg_entry *entry = NULL;
    bool found = false;
    fg_mutex_lock(&auth->mutex);
    for (size_t at = 0; (entry = fg_entries_walk(&auth->accounts, &at, entry)) != NULL;) {
        const struct fg_account *account = (struct fg_account *)entry;
        found |= administers(account) && strcmp(account->name, name) != 0;
    }
    fg_mutex_unlock(&auth->mutex);
    return found;
}

/* -- On disk, then in memory; change is held */

static int commit(struct fg_auth *auth, const struct fg_account *account)
{
    struct fg_state_batch *batch;
    int r = fg_auth_batch(auth, &batch);
    if (r < 0)
        return r;
    r = fg_auth_put_account(auth, batch, account);
    if (r < 0) {
        fg_state_batch_free(batch);
        return r;
    }
    return fg_state_commit_take(auth->state, batch);
}

static int keep_new(struct fg_auth *auth, const struct fg_account *from)
{
    struct fg_account *account = malloc(sizeof *account);
    if (!account)
        return FG_ENOMEM;
    *account = *from;
    /* The marker comes first: with accounts on disk and no marker a start would be open for a
     * moment. */
    int r = fg_auth_mark(auth);
    if (r == 0)
        r = commit(auth, account);
    if (r < 0) {
        free(account);
        return r;
    }
    fg_mutex_lock(&auth->mutex);
    fg_account_insert(auth, account);
    fg_mutex_unlock(&auth->mutex);
    auth->has_link = false;
    atomic_store_explicit(&auth->mode, FG_AUTH_ACCOUNTS, memory_order_release);
    return 0;
}

static int keep_changed(struct fg_auth *auth, const struct fg_account *from)
{
    int r = commit(auth, from);
    if (r < 0)
        return r;
    fg_mutex_lock(&auth->mutex);
    struct fg_account *account = fg_account_find(auth, fg_slice_from_string(from->name));
    struct fg_entry entry = account->entry;
    *account = *from;
    account->entry = entry;
    fg_mutex_unlock(&auth->mutex);
    return 0;
}

static void invite(struct fg_auth *auth, struct fg_account *account,
                   char ret_link[FG_SESSION_TEXT_SIZE])
{
    fg_secret_new(auth->env, ret_link, account->link);
    account->has_link = true;
    account->link_until_ns = fg_env_wall_ns(auth->env) + LINK_NS;
}

static int check_new(struct fg_auth *auth, const struct fg_account *account)
{
    bool administers_all = (account->roles & FG_ROLE_ADMIN) && account->tenant == FG_EVERY_TENANT;
    fg_mutex_lock(&auth->mutex);
    /* With the first account the door closes: it must be one that can open it. */
    int r = auth->accounts.count == 0 && !administers_all                ? FG_EINVALID
            : fg_account_find(auth, fg_slice_from_string(account->name)) ? FG_EEXIST
            : auth->accounts.count >= FG_ACCOUNTS_MAX                    ? FG_ELIMIT
            : !fg_tenant_exists(auth, account->tenant)                   ? FG_ENOTFOUND
                                                                         : 0;
    fg_mutex_unlock(&auth->mutex);
    return r;
}

int fg_account_add(struct fg_auth *auth, const struct fg_account_wish *wish,
                   char ret_link[FG_SESSION_TEXT_SIZE])
{
    struct fg_account account = {
        .roles = wish->roles, .tenant = wish->tenant, .created_ns = fg_env_wall_ns(auth->env)};
    int r = fg_account_name_clean(wish->name, account.name);
    if (r == 0 && (wish->roles == 0 || (wish->password.size && !is_fit(wish->password))))
        r = FG_EINVALID;
    if (r == 0)
        r = check_new(auth, &account);
    if (r == 0 && wish->password.size)
        r = fg_password_hash(wish->password, auth->password_memory, account.password);
    if (r < 0)
        return r;
    fg_mutex_lock(&auth->change);
    r = check_new(auth, &account);
    if (r == 0 && wish->password.size == 0)
        invite(auth, &account, ret_link);
    if (r == 0)
        r = keep_new(auth, &account);
    fg_mutex_unlock(&auth->change);
    return r;
}

static int change_account(struct fg_auth *auth, struct fg_slice name,
                          const struct fg_account_change *change,
                          char ret_link[FG_SESSION_TEXT_SIZE])
{
    struct fg_account account;
    int r = copy_of(auth, name, &account);
    if (r < 0)
        return r;
    bool administered = administers(&account);
    if (change->has_roles)
        account.roles = change->roles;
    if (change->has_tenant)
        account.tenant = change->tenant;
    if (change->has_disabled)
        account.disabled = change->disabled;
    if (change->wants_link) {
        invite(auth, &account, ret_link);
        account.password[0] = 0;
    }
    if (administered && !administers(&account) && !has_other_admin(auth, account.name))
        return FG_EBUSY;
    r = keep_changed(auth, &account);
    if (r == 0 && (account.disabled || change->wants_link))
        r = fg_sessions_end_of(auth, account.name, NULL, NULL);
    return r;
}

int fg_account_change(struct fg_auth *auth, struct fg_slice name,
                      const struct fg_account_change *change, char ret_link[FG_SESSION_TEXT_SIZE])
{
    fg_mutex_lock(&auth->mutex);
    bool has_tenant = !change->has_tenant || fg_tenant_exists(auth, change->tenant);
    fg_mutex_unlock(&auth->mutex);
    if (!has_tenant)
        return FG_ENOTFOUND;
    if (change->has_roles && change->roles == 0)
        return FG_EINVALID;
    fg_mutex_lock(&auth->change);
    int r = change_account(auth, name, change, ret_link);
    fg_mutex_unlock(&auth->change);
    return r;
}

static int remove_account(struct fg_auth *auth, struct fg_slice name)
{
    struct fg_account account;
    struct fg_state_batch *batch;
    int r = copy_of(auth, name, &account);
    if (r < 0)
        return r;
    if (administers(&account) && !has_other_admin(auth, account.name))
        return FG_EBUSY;
    r = fg_auth_batch(auth, &batch);
    if (r < 0)
        return r;
    fg_auth_delete_account(auth, batch, account.name);
    r = fg_state_commit_take(auth->state, batch);
    if (r < 0)
        return r;
    fg_mutex_lock(&auth->mutex);
    struct fg_account *gone = fg_account_find(auth, name);
    fg_entries_remove(&auth->accounts, &gone->entry);
    free(gone);
    fg_mutex_unlock(&auth->mutex);
    return fg_sessions_end_of(auth, account.name, NULL, NULL);
}

int fg_account_remove(struct fg_auth *auth, struct fg_slice name)
{
    fg_mutex_lock(&auth->change);
    int r = remove_account(auth, name);
    fg_mutex_unlock(&auth->change);
    return r;
}

void fg_accounts_each(struct fg_auth *auth,
                      void (*fn)(void *arg, const struct fg_account_info *info), void *arg)
{
    struct fg_entry *entry = NULL;
    fg_mutex_lock(&auth->mutex);
    for (size_t at = 0; (entry = fg_entries_walk(&auth->accounts, &at, entry)) != NULL;) {
        const struct fg_account *account = (struct fg_account *)entry;
        const struct fg_account_info info = {.name = account->name,
                                             .roles = account->roles,
                                             .tenant = account->tenant,
                                             .disabled = account->disabled,
                                             .is_invited = *account->password == 0,
                                             .created_ns = account->created_ns,
                                             .signed_in_ns = account->signed_in_ns};
        fn(arg, &info);
    }
    fg_mutex_unlock(&auth->mutex);
}

/* -- Links and passwords */

/* Counts a try; takes it back where it was right. */
static int guarded(struct fg_auth *auth, struct fg_slice name, struct fg_slice address,
                   uint64_t *ret_wait_ns)
{
    uint64_t now_ns = fg_env_mono_ns(auth->env);
    fg_mutex_lock(&auth->mutex);
    int r = fg_guard_try(&auth->guard, name, address, now_ns, ret_wait_ns);
    auth->locked_out += r < 0;
    fg_mutex_unlock(&auth->mutex);
    return r;
}

static void forgive(struct fg_auth *auth, struct fg_slice name, struct fg_slice address)
{
    fg_mutex_lock(&auth->mutex);
    fg_guard_forgive(&auth->guard, name, address);
    fg_mutex_unlock(&auth->mutex);
}

static void count_wrong(struct fg_auth *auth)
{
    fg_mutex_lock(&auth->mutex);
    auth->wrong_passwords++;
    fg_mutex_unlock(&auth->mutex);
}

/* The account that a link invites; the mutex is held. All are looked at, however it turns out. */
static const struct fg_account *invited(struct fg_auth *auth, const uint8_t hash[FG_SECRET_SIZE],
                                        uint64_t now_ns)
{
    struct fg_entry *entry = NULL;
    const struct fg_account *found = NULL;
    for (size_t at = 0; (entry = fg_entries_walk(&auth->accounts, &at, entry)) != NULL;) {
        const struct fg_account *account = (struct fg_account *)entry;
        if (account->has_link && !account->disabled && now_ns < account->link_until_ns &&
            fg_secret_equal(account->link, hash))
            found = account;
    }
    return found;
}

/* What the link is good for, as an account to be written. FG_EDENIED. */
static int by_link(struct fg_auth *auth, struct fg_slice link, struct fg_slice name,
                   struct fg_account *ret_account, bool *ret_is_first)
{
    uint8_t hash[FG_SECRET_SIZE];
    fg_secret_hash(link, hash);
    if (auth->has_link && fg_secret_equal(hash, auth->link)) {
        *ret_account = (struct fg_account){.roles = FG_ROLES_ALL & ~(unsigned)FG_ROLE_INGEST,
                                           .tenant = FG_EVERY_TENANT,
                                           .created_ns = fg_env_wall_ns(auth->env)};
        *ret_is_first = true;
        return fg_account_name_clean(name, ret_account->name);
    }
    fg_mutex_lock(&auth->mutex);
    const struct fg_account *account = invited(auth, hash, fg_env_wall_ns(auth->env));
    if (account)
        *ret_account = *account;
    fg_mutex_unlock(&auth->mutex);
    *ret_is_first = false;
    return account ? 0 : FG_EDENIED;
}

static int set_up(struct fg_auth *auth, struct fg_slice link, struct fg_slice name,
                  const char *password_hash, struct fg_account *account)
{
    bool is_first;
    int r = by_link(auth, link, name, account, &is_first);
    if (r < 0)
        return r;
    snprintf(account->password, sizeof account->password, "%s", password_hash);
    account->has_link = false;
    return is_first ? keep_new(auth, account) : keep_changed(auth, account);
}

int fg_account_set_up(struct fg_auth *auth, struct fg_slice link, struct fg_slice name,
                      struct fg_slice password, struct fg_slice address, uint64_t *ret_wait_ns,
                      char ret_name[FG_ACCOUNT_NAME_SIZE_MAX + 1])
{
    struct fg_account account;
    char hash[FG_PASSWORD_HASH_SIZE];
    bool is_first;
    int r = guarded(auth, FG_SLICE("link"), address, ret_wait_ns);
    if (r < 0)
        return r;
    fg_mutex_lock(&auth->change);
    r = by_link(auth, link, name, &account, &is_first);
    fg_mutex_unlock(&auth->change);
    if (r == FG_EDENIED)
        count_wrong(auth);
    else
        forgive(auth, FG_SLICE("link"), address);
    if (r == 0 && !is_fit(password))
        r = FG_EINVALID;
    if (r == 0)
        r = fg_password_hash(password, auth->password_memory, hash);
    if (r < 0)
        return r;
    fg_mutex_lock(&auth->change);
    r = set_up(auth, link, name, hash, &account); /* once: it may be used by now */
    fg_mutex_unlock(&auth->change);
    if (r == 0)
        snprintf(ret_name, FG_ACCOUNT_NAME_SIZE_MAX + 1, "%s", account.name);
    return r;
}

/* Checks a password under the guard. *ret_account is the account as it was. */
static int check_password(struct fg_auth *auth, struct fg_slice name, struct fg_slice password,
                          struct fg_slice address, struct fg_account *ret_account,
                          uint64_t *ret_wait_ns)
{
    char clean[FG_ACCOUNT_NAME_SIZE_MAX + 1] = "";
    struct fg_account account = {0};
    bool is_right = false;
    /* A name that can't be is one that is not there. */
    bool is_there = fg_account_name_clean(name, clean) == 0 &&
                    copy_of(auth, fg_slice_from_string(clean), &account) == 0;
    struct fg_slice key = *clean ? fg_slice_from_string(clean) : name;
    if (password.size > FG_PASSWORD_SIZE_MAX)
        password.size = 0;
    int r = guarded(auth, key, address, ret_wait_ns);
    if (r == 0)
        r = fg_password_check(is_there && !account.disabled ? account.password : "", password,
                              auth->password_memory, &is_right);
    if (r < 0)
        return r;
    if (!is_right) {
        count_wrong(auth);
        return FG_EDENIED;
    }
    forgive(auth, key, address);
    *ret_account = account;
    return 0;
}

int fg_auth_sign_in(struct fg_auth *auth, struct fg_slice name, struct fg_slice password,
                    struct fg_slice address, char ret_session[FG_SESSION_TEXT_SIZE],
                    uint64_t *ret_wait_ns)
{
    struct fg_account account;
    struct fg_session session = {0};
    int r = check_password(auth, name, password, address, &account, ret_wait_ns);
    if (r < 0)
        return r;
    snprintf(session.who, sizeof session.who, "%s", account.name);
    fg_mutex_lock(&auth->change);
    r = fg_session_start(auth, &session, (struct fg_slice){0}, ret_session);
    fg_mutex_unlock(&auth->change);
    if (r < 0)
        return r;
    fg_mutex_lock(&auth->mutex);
    struct fg_account *now = fg_account_find(auth, fg_slice_from_string(account.name));
    if (now)
        now->signed_in_ns = fg_env_wall_ns(auth->env);
    fg_mutex_unlock(&auth->mutex);
    return 0;
}

int fg_account_set_password(struct fg_auth *auth, struct fg_slice name,
                            struct fg_slice old_password, struct fg_slice new_password,
                            struct fg_slice address, const uint8_t kept_session[FG_SECRET_SIZE],
                            uint64_t *ret_wait_ns)
{
    struct fg_account account;
    char hash[FG_PASSWORD_HASH_SIZE];
    if (!is_fit(new_password))
        return FG_EINVALID;
    int r = check_password(auth, name, old_password, address, &account, ret_wait_ns);
    if (r == 0)
        r = fg_password_hash(new_password, auth->password_memory, hash);
    if (r < 0)
        return r;
    fg_mutex_lock(&auth->change);
    r = copy_of(auth, name, &account);
    if (r == 0) {
        snprintf(account.password, sizeof account.password, "%s", hash);
        account.has_link = false;
        r = keep_changed(auth, &account);
    }
    if (r == 0)
        r = fg_sessions_end_of(auth, account.name, kept_session, NULL);
    fg_mutex_unlock(&auth->change);
    return r;
}
