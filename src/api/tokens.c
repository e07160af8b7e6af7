/* Tokens of machines, as an administrator makes, lists and revokes them: /api/v1/tokens. */
#include "account_json.h"
#include "auth/accounts.h"
#include "base/limits.h"
#include "base/units.h"
#include "handlers.h"
#include "state.h"
#include "wire/json_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ID_TEXT_SIZE 24

/* As it stands in the token's text, so that one finds it in a list. */
static void write_id(struct fg_json_writer *json, uint64_t id)
{
    char text[ID_TEXT_SIZE];
    int size = snprintf(text, sizeof text, "%012llx", (unsigned long long)id);
    FG_JSON_KEY(json, "id");
    fg_json_string(json, fg_slice(text, (size_t)size));
}

/* -- List */

static void write_token(void *arg, const struct fg_token_info *info)
{
    struct fg_account_list *list = arg;
    struct fg_json_writer *json = &list->json;
    fg_json_object_begin(json);
    write_id(json, info->id);
    FG_JSON_KEY(json, "name");
    fg_json_string(json, fg_slice_from_string(info->name));
    fg_json_roles(json, info->roles);
    fg_json_tenant_of(json, &list->names, info->tenant);
    FG_JSON_KEY(json, "origin");
    if (*info->origin)
        fg_json_string(json, fg_slice_from_string(info->origin));
    else
        fg_json_null(json);
    FG_JSON_KEY(json, "by");
    fg_json_string(json, fg_slice_from_string(info->by));
    FG_JSON_KEY(json, "created");
    fg_json_time(json, info->created_ns);
    FG_JSON_KEY(json, "expires");
    fg_json_time(json, info->expires_ns);
    FG_JSON_KEY(json, "used");
    fg_json_time(json, info->used_ns);
    fg_json_object_end(json);
}

static int list_tokens(struct fg_work *work)
{
    struct fg_account_list list;
    fg_account_list_begin(work, "tokens", &list);
    fg_tokens_each(work->exchange->api->auth, write_token, &list);
    fg_account_list_end(&list);
    return 0;
}

void fg_handle_tokens(struct fg_exchange *exchange)
{
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "list the tokens", list_tokens, &job);
    if (work)
        fg_account_work_start(work);
}

/* -- Add */

static int add_token(struct fg_work *work)
{
    struct fg_account_job *job = (struct fg_account_job *)work->state;
    const struct fg_exchange *exchange = work->exchange;
    const uint64_t *age_ns = job->more;
    uint64_t now_ns = fg_env_wall_ns(exchange->api->env);
    const struct fg_token_wish wish = {.name = job->name,
                                       .roles = job->roles,
                                       .tenant = job->tenant,
                                       .origin = job->origin,
                                       .expires_ns = *age_ns ? now_ns + *age_ns : 0,
                                       .by = fg_slice_from_string(exchange->identity.who)};
    job->unfit = "a token needs a name of 64 characters at most; one with an origin, written as "
                 "https://shop.example, may have the role ingest and no other";
    int r = fg_token_add(exchange->api->auth, &wish, job->secret, &job->number);
    if (r < 0)
        return r;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    write_id(&json, job->number);
    FG_JSON_KEY(&json, "token");
    fg_json_string(&json, fg_slice(job->secret, FG_TOKEN_TEXT_SIZE));
    FG_JSON_KEY(&json, "expires");
    fg_json_time(&json, wish.expires_ns);
    fg_json_object_end(&json);
    return 0;
}

/* "90d"; null or absent: never. */
static bool read_age(struct fg_exchange *exchange, const json_t *value, uint64_t *ret_age_ns)
{
    const char *text = json_string_value(value);
    *ret_age_ns = 0;
    if (!value || json_is_null(value) ||
        (text && fg_duration_parse(fg_slice_from_string(text), ret_age_ns) == 0 && *ret_age_ns &&
         *ret_age_ns <= 3650 * FG_NS_PER_DAY))
        return true;
    fg_answer_invalid(exchange, "expires: expected a time from now, like 90d");
    return false;
}

void fg_handle_token_add(struct fg_exchange *exchange)
{
    static const char *const keys[] = {"name", "roles", "tenant", "origin", "expires", NULL};
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "make the token", add_token, &job);
    json_t *root = work ? fg_body_object(exchange, keys) : NULL;
    uint64_t *age_ns = root ? fg_arena_calloc(exchange->request->arena, 1, sizeof *age_ns) : NULL;
    if (!root)
        return;
    if (!age_ns) {
        json_decref(root);
        fg_answer_error(exchange, FG_ENOMEM, work->verb);
        return;
    }
    job->more = age_ns;
    job->name = fg_body_text(exchange, json_object_get(root, "name"));
    job->origin = fg_body_text(exchange, json_object_get(root, "origin"));
    bool is_good = fg_body_roles(exchange, json_object_get(root, "roles"), &job->roles) &&
                   fg_body_tenant(exchange, json_object_get(root, "tenant"), 0, &job->tenant) &&
                   read_age(exchange, json_object_get(root, "expires"), age_ns);
    json_decref(root);
    if (!is_good)
        return;
    char roles[FG_ROLES_TEXT_SIZE];
    fg_roles_format(job->roles, roles);
    fg_audit_what(exchange, "%.*s: %s", (int)job->name.size, (const char *)job->name.data, roles);
    fg_account_work_start(work);
}

/* -- Revoke */

static int revoke_token(struct fg_work *work)
{
    struct fg_account_job *job = (struct fg_account_job *)work->state;
    job->no_such = "there is no such token";
    int r = fg_token_revoke(work->exchange->api->auth, job->number);
    if (r == 0)
        fg_buffer_append_string(&work->body, "{}");
    return r;
}

void fg_handle_token_revoke(struct fg_exchange *exchange)
{
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "revoke the token", revoke_token, &job);
    if (!work)
        return;
    const char *text = fg_arena_string(exchange->request->arena, exchange->param);
    char *end = NULL;
    errno = 0;
    if (text)
        job->number = strtoull(text, &end, 16);
    if (!text || errno || end == text || *end) {
        fg_answer_error_message(exchange, FG_ENOTFOUND, "there is no such token");
        return;
    }
    fg_account_work_start(work);
}
