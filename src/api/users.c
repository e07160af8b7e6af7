/* Accounts, as an administrator sees and changes them: /api/v1/users. */
#include "account_json.h"
#include "auth/accounts.h"
#include "handlers.h"
#include "state.h"
#include "wire/json_writer.h"

/* -- List */

static void write_account(void *arg, const struct fg_account_info *info)
{
    struct fg_account_list *list = arg;
    struct fg_json_writer *json = &list->json;
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "name");
    fg_json_string(json, fg_slice_from_string(info->name));
    fg_json_roles(json, info->roles);
    fg_json_tenant_of(json, &list->names, info->tenant);
    FG_JSON_KEY(json, "disabled");
    fg_json_bool(json, info->disabled);
    FG_JSON_KEY(json, "invited");
    fg_json_bool(json, info->is_invited);
    FG_JSON_KEY(json, "created");
    fg_json_time(json, info->created_ns);
    FG_JSON_KEY(json, "signed_in");
    fg_json_time(json, info->signed_in_ns);
    fg_json_object_end(json);
}

static int list_users(struct fg_work *work)
{
    struct fg_account_list list;
    fg_account_list_begin(work, "users", &list);
    fg_accounts_each(work->exchange->api->auth, write_account, &list);
    fg_account_list_end(&list);
    return 0;
}

void fg_handle_users(struct fg_exchange *exchange)
{
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "list the accounts", list_users, &job);
    if (work)
        fg_account_work_start(work);
}

/* -- Change */

static int tell(struct fg_work *work, const char *name)
{
    const struct fg_account_job *job = (const struct fg_account_job *)work->state;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "name");
    fg_json_string(&json, fg_slice_from_string(name));
    if (job->secret_size) {
        FG_JSON_KEY(&json, "link");
        fg_json_string(&json, fg_slice(job->secret, job->secret_size));
    }
    fg_json_object_end(&json);
    return 0;
}

static int add_user(struct fg_work *work)
{
    struct fg_account_job *job = (struct fg_account_job *)work->state;
    char name[FG_ACCOUNT_NAME_SIZE_MAX + 1] = "";
    const struct fg_account_wish wish = {
        .name = job->name, .password = job->password, .roles = job->roles, .tenant = job->tenant};
    job->unfit = "a name has letters, digits and ._@+-, 64 at most; a password 10 characters at "
                 "least; the first account administers all tenants";
    int r = fg_account_add(work->exchange->api->auth, &wish, job->secret);
    if (r < 0)
        return r;
    job->secret_size = job->password.size ? 0 : FG_SESSION_TEXT_SIZE;
    r = fg_account_name_clean(job->name, name);
    return r < 0 ? r : tell(work, name);
}

void fg_handle_user_add(struct fg_exchange *exchange)
{
    static const char *const keys[] = {"name", "password", "roles", "tenant", NULL};
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "add the account", add_user, &job);
    json_t *root = work ? fg_body_object(exchange, keys) : NULL;
    if (!root)
        return;
    job->name = fg_body_text(exchange, json_object_get(root, "name"));
    job->password = fg_body_text(exchange, json_object_get(root, "password"));
    bool is_good = fg_body_roles(exchange, json_object_get(root, "roles"), &job->roles) &&
                   fg_body_tenant(exchange, json_object_get(root, "tenant"),
                                  job->roles & FG_ROLE_ADMIN ? FG_EVERY_TENANT : 0, &job->tenant);
    json_decref(root);
    if (!is_good)
        return;
    char roles[FG_ROLES_TEXT_SIZE];
    fg_roles_format(job->roles, roles);
    fg_audit_what(exchange, "%.*s: %s", (int)job->name.size, (const char *)job->name.data, roles);
    fg_account_work_start(work);
}

static int change_user(struct fg_work *work)
{
    struct fg_account_job *job = (struct fg_account_job *)work->state;
    const struct fg_account_change *change = job->more;
    int r = fg_account_change(work->exchange->api->auth, job->name, change, job->secret);
    if (r < 0)
        return r;
    job->secret_size = change->wants_link ? FG_SESSION_TEXT_SIZE : 0;
    return tell(work, (const char *)job->name.data);
}

/* The account that the path names, with a NUL behind it. */
static struct fg_slice named(struct fg_exchange *exchange)
{
    const char *name = fg_arena_string(exchange->request->arena, exchange->param);
    return fg_slice(name, name ? exchange->param.size : 0);
}

static bool read_change(struct fg_exchange *exchange, struct fg_account_change *change)
{
    static const char *const keys[] = {"roles", "tenant", "disabled", "invite", NULL};
    json_t *root = fg_body_object(exchange, keys);
    if (!root)
        return false;
    const json_t *roles = json_object_get(root, "roles"), *tenant = json_object_get(root, "tenant");
    const json_t *disabled = json_object_get(root, "disabled");
    change->has_roles = roles != NULL;
    change->has_tenant = tenant != NULL;
    change->has_disabled = disabled != NULL;
    change->disabled = json_is_true(disabled);
    change->wants_link = json_is_true(json_object_get(root, "invite"));
    bool is_good = (!roles || fg_body_roles(exchange, roles, &change->roles)) &&
                   fg_body_tenant(exchange, tenant, 0, &change->tenant);
    if (is_good && disabled && !json_is_boolean(disabled)) {
        fg_answer_invalid(exchange, "disabled: expected true or false");
        is_good = false;
    }
    json_decref(root);
    return is_good;
}

void fg_handle_user_change(struct fg_exchange *exchange)
{
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "change the account", change_user, &job);
    struct fg_account_change *change =
        work ? fg_arena_calloc(exchange->request->arena, 1, sizeof *change) : NULL;
    if (!work)
        return;
    if (!change) {
        fg_answer_error(exchange, FG_ENOMEM, work->verb);
        return;
    }
    job->name = named(exchange);
    job->more = change;
    if (!read_change(exchange, change))
        return;
    char roles[FG_ROLES_TEXT_SIZE];
    fg_roles_format(change->roles, roles);
    fg_audit_what(exchange, "%.*s:%s%s%s%s%s", (int)job->name.size, (const char *)job->name.data,
                  change->has_roles ? " roles " : "", roles, change->has_tenant ? " tenant" : "",
                  !change->has_disabled ? ""
                  : change->disabled    ? " disabled"
                                        : " enabled",
                  change->wants_link ? " new link" : "");
    fg_account_work_start(work);
}

static int remove_user(struct fg_work *work)
{
    const struct fg_account_job *job = (const struct fg_account_job *)work->state;
    int r = fg_account_remove(work->exchange->api->auth, job->name);
    return r < 0 ? r : tell(work, (const char *)job->name.data);
}

void fg_handle_user_remove(struct fg_exchange *exchange)
{
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "remove the account", remove_user, &job);
    if (!work)
        return;
    job->name = named(exchange);
    fg_account_work_start(work);
}

static int log_out_user(struct fg_work *work)
{
    const struct fg_account_job *job = (const struct fg_account_job *)work->state;
    uint64_t count = 0;
    int r = fg_account_sign_out(work->exchange->api->auth, job->name, &count);
    if (r < 0)
        return r;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "ended_sessions");
    fg_json_uint(&json, count);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_user_logout(struct fg_exchange *exchange)
{
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "end the sessions", log_out_user, &job);
    if (!work)
        return;
    job->name = named(exchange);
    fg_account_work_start(work);
}
