#include "audit_trail.h"

#include "auth/accounts.h"
#include "auth/audit.h"
#include "base/limits.h"
#include "permit.h"
#include "state.h"

#include <stdio.h>

#define WHAT_SIZE 512

/* In the request's arena: it stays until the writer has called back. */
struct change {
    struct fg_audit_wait wait;
    struct fg_exchange *exchange;
    int result;
};

static struct fg_audit *audit_of(const struct fg_exchange *exchange)
{
    struct fg_auth *auth = exchange->api->auth;
    return fg_auth_mode(auth) == FG_AUTH_ACCOUNTS ? fg_auth_audit(auth) : NULL;
}

/* The path's own words: "order.id=ORD-4711", a trace's id, a name; what a search asked. */
static struct fg_slice what_of(const struct fg_exchange *exchange, char text[WHAT_SIZE])
{
    struct fg_slice first = exchange->param, second = exchange->second_param;
    struct fg_slice query = exchange->request->query;
    int size = 0;
    if (exchange->audit_what.size)
        return exchange->audit_what;
    if (first.size && second.size)
        size = snprintf(text, WHAT_SIZE, "%.*s=%.*s", (int)first.size, (const char *)first.data,
                        (int)second.size, (const char *)second.data);
    else if (first.size)
        return first;
    else
        return query;
    return fg_slice(text, size < WHAT_SIZE ? (size_t)size : WHAT_SIZE - 1);
}

static void fill(const struct fg_exchange *exchange, struct fg_audit_record *record,
                 char tenant[FG_TENANT_NAME_SIZE_MAX + 1])
{
    tenant[0] = 0;
    if (exchange->identity.kind != FG_IDENTITY_NOBODY)
        fg_tenant_name(exchange->api->auth, exchange->identity.tenant, tenant);
    record->who = fg_slice_from_string(exchange->identity.who);
    record->from = fg_client_address(exchange->request);
    record->tenant = fg_slice_from_string(tenant);
}

static bool is_change(const struct fg_route *route)
{
    return route->audit && route->method != FG_METHOD_GET && route->permission > FG_PERMISSION_VIEW;
}

/* -- Changes */

static void refuse_change(struct fg_exchange *exchange, int error)
{
    struct fg_failure failure = {
        503, FG_RPC_UNAVAILABLE,
        error == FG_EAGAIN ? "the audit is behind; try again in a moment"
                           : "the audit can't be written, and nothing is changed without it; see "
                             "the server's log",
        error == FG_EAGAIN ? FG_NS_PER_SECOND : 0};
    fg_answer_failure(exchange, &failure);
}

static void on_recorded(struct fg_request *request)
{
    struct fg_exchange *exchange = fg_exchange_of(request);
    const struct change *change = exchange->work;
    exchange->work = NULL;
    request->wake = NULL;
    if (change->result < 0)
        refuse_change(exchange, change->result);
    else
        exchange->route->handle(exchange);
}

/* The audit's thread. */
static void on_done(struct fg_audit_wait *wait, int result)
{
    struct change *change = (struct change *)wait;
    change->result = result;
    fg_request_wake(change->exchange->request);
}

static void record_change(struct fg_exchange *exchange, struct fg_audit *audit)
{
    char tenant[FG_TENANT_NAME_SIZE_MAX + 1], text[WHAT_SIZE];
    struct fg_audit_record record = {
        .action = fg_slice_from_string(exchange->route->audit),
        .result = FG_SLICE("begun"),
        .what = what_of(exchange, text),
    };
    struct change *change = fg_arena_calloc(exchange->request->arena, 1, sizeof *change);
    if (!change) {
        fg_answer_error(exchange, FG_ENOMEM, "record the change");
        return;
    }
    change->wait.done = on_done;
    change->exchange = exchange;
    exchange->work = change;
    exchange->request->wake = on_recorded;
    fill(exchange, &record, tenant);
    int r = fg_audit_start(audit, &record, &change->wait);
    if (r < 0)
        refuse_change(exchange, r);
}

void fg_trail_handle(struct fg_exchange *exchange)
{
    struct fg_audit *audit = is_change(exchange->route) ? audit_of(exchange) : NULL;
    if (audit)
        record_change(exchange, audit);
    else
        exchange->route->handle(exchange);
}

/* -- What happened */

static void note(const struct fg_exchange *exchange, struct fg_slice action, struct fg_slice what,
                 const char *result, bool is_always)
{
    struct fg_audit *audit = audit_of(exchange);
    char tenant[FG_TENANT_NAME_SIZE_MAX + 1];
    struct fg_audit_record record = {
        .action = action, .what = what, .result = fg_slice_from_string(result)};
    if (!audit)
        return;
    fill(exchange, &record, tenant);
    fg_audit_note(audit, &record, is_always);
}

void fg_trail_end(const struct fg_exchange *exchange)
{
    char text[WHAT_SIZE], status[24];
    if (!exchange->route || !exchange->route->audit || exchange->status == 0)
        return;
    bool changes = is_change(exchange->route);
    bool is_good = exchange->status < 300;
    if (exchange->identity.kind == FG_IDENTITY_NOBODY || (!changes && !is_good))
        return;
    snprintf(status, sizeof status, is_good ? "ok" : "failed: %u", exchange->status);
    note(exchange, fg_slice_from_string(exchange->route->audit), what_of(exchange, text), status,
         changes);
}

void fg_trail_refused(const struct fg_exchange *exchange, const char *why)
{
    char text[WHAT_SIZE];
    struct fg_slice path = exchange->request->path;
    static const char *const methods[] = {[FG_METHOD_GET] = "GET",
                                          [FG_METHOD_HEAD] = "HEAD",
                                          [FG_METHOD_POST] = "POST",
                                          [FG_METHOD_PUT] = "PUT",
                                          [FG_METHOD_DELETE] = "DELETE"};
    enum fg_method method = exchange->request->method;
    int size = snprintf(text, sizeof text, "%s %.*s",
                        method <= FG_METHOD_DELETE && methods[method] ? methods[method] : "other",
                        (int)(path.size < 400 ? path.size : 400), (const char *)path.data);
    note(exchange, FG_SLICE("refused"), fg_slice(text, (size_t)size), why, true);
}

void fg_trail_sign_in(const struct fg_exchange *exchange, struct fg_slice name, const char *result)
{
    note(exchange, FG_SLICE("sign_in"), name, result, true);
}
