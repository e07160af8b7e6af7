/* The audit, for administrators: /api/v1/audit. */
#include "account_json.h"
#include "auth/audit.h"
#include "auth/auth.h"
#include "handlers.h"
#include "state.h"
#include "wire/json_writer.h"

#define LIMIT_MAX 1000u

static void write_line(void *arg, struct fg_slice line)
{
    fg_json_raw(arg, line);
}

static int read_audit(struct fg_work *work)
{
    const struct fg_account_job *job = (const struct fg_account_job *)work->state;
    const struct fg_audit_query *query = job->more;
    const struct fg_api *api = work->exchange->api;
    struct fg_json_writer json = fg_json_writer(&work->body);
    uint64_t next = 0;
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "records");
    fg_json_array_begin(&json);
    int r = fg_auth_audit_read(api->auth, query, write_line, &json, &next);
    if (r < 0)
        return r;
    fg_json_array_end(&json);
    FG_JSON_KEY(&json, "next");
    if (next)
        fg_json_uint(&json, next);
    else
        fg_json_null(&json);
    fg_json_object_end(&json);
    return 0;
}

static bool read_number(struct fg_exchange *exchange, const char *name, uint64_t fallback,
                        uint64_t max, uint64_t *ret_number)
{
    struct fg_slice value = fg_exchange_param(exchange, name);
    uint64_t number = 0;
    for (size_t i = 0; i < value.size && number <= max; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            number = max + 1;
            break;
        }
        number = number * 10 + (uint64_t)(value.data[i] - '0');
    }
    if (value.size && (number == 0 || number > max)) {
        fg_answer_invalid(exchange, "%s: expected a number from 1 to %llu", name,
                          (unsigned long long)max);
        return false;
    }
    *ret_number = value.size ? number : fallback;
    return true;
}

void fg_handle_audit(struct fg_exchange *exchange)
{
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "read the audit", read_audit, &job);
    struct fg_audit_query *query =
        work ? fg_arena_calloc(exchange->request->arena, 1, sizeof *query) : NULL;
    uint64_t limit = 0;
    if (!work)
        return;
    if (!query) {
        fg_answer_error(exchange, FG_ENOMEM, work->verb);
        return;
    }
    if (!read_number(exchange, "limit", 100, LIMIT_MAX, &limit) ||
        !read_number(exchange, "before", 0, (uint64_t)1 << 53, &query->before))
        return;
    query->limit = (uint32_t)limit;
    query->who = fg_exchange_param(exchange, "who");
    query->action = fg_exchange_param(exchange, "action");
    query->what = fg_exchange_param(exchange, "what");
    job->more = query;
    fg_account_work_start(work);
}

static int read_head(struct fg_work *work)
{
    struct fg_audit_counters counters;
    struct fg_auth *auth = work->exchange->api->auth;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_audit_counters(fg_auth_audit(auth), &counters);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "sequence");
    fg_json_uint(&json, counters.head.sequence);
    FG_JSON_KEY(&json, "hash");
    fg_json_hex(&json, fg_slice(counters.head.hash, sizeof counters.head.hash));
    FG_JSON_KEY(&json, "lost");
    fg_json_uint(&json, counters.lost);
    FG_JSON_KEY(&json, "failed");
    fg_json_bool(&json, counters.is_failed);
    FG_JSON_KEY(&json, "was_whole");
    fg_json_bool(&json, fg_auth_audit_is_whole(auth));
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_audit_head(struct fg_exchange *exchange)
{
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "read the audit's head", read_head, &job);
    if (work)
        fg_account_work_start(work);
}
