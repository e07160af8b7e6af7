/* Tenants and their quotas, as an administrator of the whole server sees and changes them:
 * /api/v1/tenants. */
#include "account_json.h"
#include "auth/accounts.h"
#include "base/log.h"
#include "handlers.h"
#include "state.h"
#include "wire/json_writer.h"

static void write_quota(struct fg_json_writer *json, const struct fg_quota *quota)
{
    FG_JSON_KEY(json, "spans_per_second");
    fg_json_uint(json, quota->spans);
    FG_JSON_KEY(json, "bytes_per_second");
    fg_json_uint(json, quota->bytes);
    FG_JSON_KEY(json, "attributes_per_second");
    fg_json_uint(json, quota->attributes);
}

static void write_tenant(void *arg, const struct fg_tenant_info *info)
{
    struct fg_json_writer *json = arg;
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "name");
    fg_json_string(json, fg_slice_from_string(info->name));
    write_quota(json, &info->quota);
    fg_json_object_end(json);
}

static int list_tenants(struct fg_work *work)
{
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "tenants");
    fg_json_array_begin(&json);
    fg_tenants_each(work->exchange->api->auth, write_tenant, &json);
    fg_json_array_end(&json);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_tenants(struct fg_exchange *exchange)
{
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "list the tenants", list_tenants, &job);
    if (work)
        fg_account_work_start(work);
}

static int tell(struct fg_work *work)
{
    struct fg_account_job *job = (struct fg_account_job *)work->state;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "name");
    fg_json_string(&json, job->name);
    write_quota(&json, job->more);
    fg_json_object_end(&json);
    return 0;
}

static int add_tenant(struct fg_work *work)
{
    struct fg_account_job *job = (struct fg_account_job *)work->state;
    job->unfit = "a tenant's name has small letters, digits, - and _, 32 at most";
    struct fg_api *api = work->exchange->api;
    int r = fg_tenant_add(api->auth, job->name, job->more, &job->tenant);
    if (r == 0 && api->follow && api->follow(api->follow_arg, job->tenant) < 0)
        fg_log(FG_LOG_ERROR, "the orders of a new tenant are followed after a restart alone",
               "tenant=%.*s", (int)job->name.size, (const char *)job->name.data);
    return r < 0 ? r : tell(work);
}

static int change_tenant(struct fg_work *work)
{
    struct fg_account_job *job = (struct fg_account_job *)work->state;
    struct fg_auth *auth = work->exchange->api->auth;
    job->no_such = "there is no such tenant";
    int r = fg_tenant_find(auth, job->name, &job->tenant);
    if (r == 0)
        r = fg_tenant_set_quota(auth, job->tenant, job->more);
    return r < 0 ? r : tell(work);
}

/* Left as it is where it is absent. */
static bool read_number(struct fg_exchange *exchange, const json_t *root, const char *name,
                        uint64_t *ret_number)
{
    const json_t *value = json_object_get(root, name);
    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        fg_answer_invalid(exchange, "%s: expected a whole number, 0 for no bound", name);
        return false;
    }
    *ret_number = (uint64_t)json_integer_value(value);
    return true;
}

static bool read_quota(struct fg_exchange *exchange, const json_t *root, struct fg_quota *quota)
{
    return read_number(exchange, root, "spans_per_second", &quota->spans) &&
           read_number(exchange, root, "bytes_per_second", &quota->bytes) &&
           read_number(exchange, root, "attributes_per_second", &quota->attributes);
}

static void start(struct fg_exchange *exchange, const char *verb, int (*run)(struct fg_work *work),
                  bool is_new)
{
    static const char *const keys[] = {"name", "spans_per_second", "bytes_per_second",
                                       "attributes_per_second", NULL};
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, verb, run, &job);
    json_t *root = work ? fg_body_object(exchange, is_new ? keys : keys + 1) : NULL;
    struct fg_quota *quota =
        root ? fg_arena_calloc(exchange->request->arena, 1, sizeof *quota) : NULL;
    if (!root)
        return;
    if (quota && !is_new)
        *quota = (struct fg_quota){FG_QUOTA_AS_IT_IS, FG_QUOTA_AS_IT_IS, FG_QUOTA_AS_IT_IS};
    bool is_good = quota && read_quota(exchange, root, quota);
    job->more = quota;
    job->name = is_new ? fg_body_text(exchange, json_object_get(root, "name")) : exchange->param;
    json_decref(root);
    if (!quota)
        fg_answer_error(exchange, FG_ENOMEM, verb);
    else if (is_good) {
        exchange->audit_what = job->name;
        fg_account_work_start(work);
    }
}

void fg_handle_tenant_add(struct fg_exchange *exchange)
{
    start(exchange, "add the tenant", add_tenant, true);
}

void fg_handle_tenant_change(struct fg_exchange *exchange)
{
    start(exchange, "change the tenant", change_tenant, false);
}
