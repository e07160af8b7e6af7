#include "account_json.h"

#include "auth/accounts.h"
#include "base/limits.h"
#include "state.h"
#include "wire/json_writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

/* -- Jobs */

static void tell_wait(struct fg_exchange *exchange, uint64_t wait_ns)
{
    struct fg_failure failure = {429, FG_RPC_RESOURCE_EXHAUSTED,
                                 "too many wrong tries; wait before the next", wait_ns};
    fg_answer_failure(exchange, &failure);
}

void fg_account_answer_error(struct fg_work *work)
{
    struct fg_exchange *exchange = work->exchange;
    const struct fg_account_job *job = (const struct fg_account_job *)work->state;
    switch (work->error) {
    case FG_EAGAIN:
        tell_wait(exchange, job->wait_ns ? job->wait_ns : FG_NS_PER_SECOND);
        break;
    case FG_EINVALID:
        fg_answer_invalid(exchange, "%s", job->unfit ? job->unfit : "this won't do");
        break;
    case FG_ENOTFOUND:
        fg_answer_error_message(exchange, FG_ENOTFOUND,
                                job->no_such ? job->no_such : "there is no such account");
        break;
    case FG_EEXIST:
        fg_answer_error_message(exchange, FG_EEXIST, "this name is taken");
        break;
    case FG_EBUSY: {
        struct fg_failure failure = {409, FG_RPC_INVALID_ARGUMENT,
                                     "nobody would be left who may administer", 0};
        fg_answer_failure(exchange, &failure);
        break;
    }
    case FG_ELIMIT: {
        struct fg_failure failure = {409, FG_RPC_RESOURCE_EXHAUSTED,
                                     "there are as many as there may be", 0};
        fg_answer_failure(exchange, &failure);
        break;
    }
    default:
        fg_answer_error(exchange, work->error, work->verb);
    }
}

static void answer(struct fg_work *work)
{
    if (work->error < 0)
        fg_account_answer_error(work);
    else
        fg_answer_take(work->exchange, 200, "application/json", &work->body);
}

struct fg_work *fg_account_work(struct fg_exchange *exchange, const char *verb,
                                int (*run)(struct fg_work *work), struct fg_account_job **ret_job)
{
    if (!exchange->api->auth) {
        fg_answer_error_message(exchange, FG_ENOTFOUND, "this server keeps no accounts");
        return NULL;
    }
    struct fg_work *work = fg_work_new(exchange, verb, run, sizeof(struct fg_account_job));
    if (!work)
        return NULL;
    work->answer = answer;
    *ret_job = (struct fg_account_job *)work->state;
    return work;
}

void fg_account_work_start(struct fg_work *work)
{
    fg_work_start(work, work->exchange->api->sign_in);
}

void fg_audit_what(struct fg_exchange *exchange, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t used = size < 0 ? 0 : (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
    exchange->audit_what = fg_arena_copy(exchange->request->arena, fg_slice(text, used));
}

/* -- JSON */

void fg_json_roles(struct fg_json_writer *json, unsigned roles)
{
    FG_JSON_KEY(json, "roles");
    fg_json_array_begin(json);
    for (unsigned role = 1; role <= FG_ROLE_ADMIN; role <<= 1)
        if (roles & role)
            fg_json_string(json, fg_slice_from_string(fg_role_name((enum fg_role)role)));
    fg_json_array_end(json);
}

void fg_json_tenant(struct fg_json_writer *json, struct fg_auth *auth, uint32_t tenant)
{
    char name[FG_TENANT_NAME_SIZE_MAX + 1] = "default";
    if (auth)
        fg_tenant_name(auth, tenant, name);
    FG_JSON_KEY(json, "tenant");
    if (*name)
        fg_json_string(json, fg_slice_from_string(name));
    else
        fg_json_null(json);
}

static void take_name(void *arg, const struct fg_tenant_info *info)
{
    struct fg_tenant_names *names = arg;
    if (names->count == sizeof names->items / sizeof *names->items)
        return;
    names->items[names->count].tenant = info->tenant;
    names->items[names->count++].name =
        fg_arena_string(names->arena, fg_slice_from_string(info->name));
}

void fg_account_list_begin(struct fg_work *work, const char *name, struct fg_account_list *ret_list)
{
    *ret_list = (struct fg_account_list){.json = fg_json_writer(&work->body),
                                         .names = {.arena = &work->arena}};
    fg_tenants_each(work->exchange->api->auth, take_name, &ret_list->names);
    fg_json_object_begin(&ret_list->json);
    fg_json_key(&ret_list->json, fg_slice_from_string(name));
    fg_json_array_begin(&ret_list->json);
}

void fg_account_list_end(struct fg_account_list *list)
{
    fg_json_array_end(&list->json);
    fg_json_object_end(&list->json);
}

void fg_json_tenant_of(struct fg_json_writer *json, const struct fg_tenant_names *names,
                       uint32_t tenant)
{
    const char *name = tenant == FG_EVERY_TENANT ? "*" : NULL;
    for (size_t i = 0; i < names->count; i++)
        if (names->items[i].tenant == tenant)
            name = names->items[i].name;
    FG_JSON_KEY(json, "tenant");
    if (name)
        fg_json_string(json, fg_slice_from_string(name));
    else
        fg_json_null(json);
}

void fg_json_time(struct fg_json_writer *json, uint64_t time_ns)
{
    time_t seconds = (time_t)(time_ns / FG_NS_PER_SECOND);
    struct tm parts;
    char text[40];
    if (time_ns == 0 || !gmtime_r(&seconds, &parts)) {
        fg_json_null(json);
        return;
    }
    size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + size, sizeof text - size, ".%03uZ",
             (unsigned)(time_ns % FG_NS_PER_SECOND / FG_NS_PER_MS));
    fg_json_string(json, fg_slice_from_string(text));
}

bool fg_body_roles(struct fg_exchange *exchange, const json_t *value, unsigned *ret_roles)
{
    unsigned roles = 0;
    for (size_t i = 0; i < json_array_size(value); i++) {
        enum fg_role role;
        const char *name = json_string_value(json_array_get(value, i));
        if (!name || fg_role_parse(fg_slice_from_string(name), &role) < 0) {
            fg_answer_invalid(exchange,
                              "a role is one of ingest, support, viewer, operator, admin");
            return false;
        }
        roles |= role;
    }
    if (roles == 0) {
        fg_answer_invalid(exchange, "name at least one role, as a list: [\"viewer\"]");
        return false;
    }
    *ret_roles = roles;
    return true;
}

bool fg_body_tenant(struct fg_exchange *exchange, const json_t *value, uint32_t fallback,
                    uint32_t *ret_tenant)
{
    const char *name = json_string_value(value);
    if (!value) {
        *ret_tenant = fallback;
        return true;
    }
    if (name && fg_tenant_find(exchange->api->auth, fg_slice_from_string(name), ret_tenant) == 0)
        return true;
    fg_answer_invalid(exchange, "there is no such tenant");
    return false;
}
