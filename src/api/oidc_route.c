/* Signing in by an OpenID provider: /auth/oidc/start sends the browser there, /auth/oidc/callback
 * is where it comes back. What did not hold is for the audit; the browser is told that it did not
 * work, and whoever the provider knows, that no group of theirs has a role. */
#include "account_json.h"
#include "audit_trail.h"
#include "auth/oidc.h"
#include "handlers.h"
#include "permit.h"
#include "sign_in.h"
#include "state.h"

#include <stdio.h>

#define COOKIE_TLS   "__Host-filigree-oidc"
#define COOKIE_PLAIN "filigree-oidc"
#define COOKIE_SIZE  256

struct visit {
    struct fg_slice next, code, state, browser; /* of the request's arena */
    struct fg_slice to;                         /* in the work's arena: where the browser goes */
    char secret[FG_SESSION_TEXT_SIZE];
    char who[FG_WHO_SIZE];
    const char *why;
};

static const char *cookie_name(const struct fg_request *request)
{
    return request->is_tls ? COOKIE_TLS : COOKIE_PLAIN;
}

static void add_field(struct fg_exchange *exchange, struct fg_slice name, struct fg_slice value)
{
    exchange->more[exchange->more_count++] = (struct fg_header_field){name, value};
}

/* An empty secret takes it away. */
static void set_browser_cookie(struct fg_exchange *exchange, struct fg_slice secret)
{
    char *text = fg_arena_alloc(exchange->request->arena, COOKIE_SIZE);
    if (!text)
        return;
    int size = snprintf(text, COOKIE_SIZE, "%s=%.*s; Path=/; HttpOnly; SameSite=Lax; Max-Age=%d%s",
                        cookie_name(exchange->request), (int)secret.size,
                        secret.size ? (const char *)secret.data : "", secret.size ? 600 : 0,
                        exchange->request->is_tls ? "; Secure" : "");
    add_field(exchange, FG_SLICE("set-cookie"), fg_slice(text, (size_t)size));
}

static void go(struct fg_exchange *exchange, struct fg_slice to)
{
    struct fg_slice copy = fg_arena_copy(exchange->request->arena, to);
    add_field(exchange, FG_SLICE("location"), copy.size ? copy : FG_SLICE("/"));
    fg_answer_copy(exchange, 303, NULL, (struct fg_slice){0});
}

/* -- There */

static int begin(struct fg_work *work)
{
    struct visit *visit = (struct visit *)work->state;
    return fg_oidc_begin(work->exchange->api->auth, visit->next, work->exchange->request->arena,
                         &visit->to, visit->secret);
}

static void answer_begin(struct fg_work *work)
{
    const struct visit *visit = (const struct visit *)work->state;
    if (work->error < 0) {
        go(work->exchange, FG_SLICE("/login?failed=1"));
        return;
    }
    set_browser_cookie(work->exchange, fg_slice(visit->secret, sizeof visit->secret));
    go(work->exchange, visit->to);
}

static struct fg_work *start(struct fg_exchange *exchange, int (*run)(struct fg_work *work),
                             void (*answer)(struct fg_work *work))
{
    if (!fg_oidc_name(exchange->api->auth)) {
        fg_answer_error_message(exchange, FG_ENOTFOUND, "this server uses no OpenID provider");
        return NULL;
    }
    struct fg_work *work = fg_work_new(exchange, "sign in", run, sizeof(struct visit));
    if (work)
        work->answer = answer;
    return work;
}

/* A place of this server, and no other. */
static bool is_own_place(struct fg_slice next)
{
    if (next.size == 0 || next.data[0] != '/' || (next.size > 1 && next.data[1] == '/'))
        return false;
    for (size_t i = 0; i < next.size; i++)
        if (next.data[i] < 0x21 || next.data[i] > 0x7e || next.data[i] == '\\')
            return false;
    return true;
}

void fg_handle_oidc_start(struct fg_exchange *exchange)
{
    struct fg_work *work = start(exchange, begin, answer_begin);
    if (!work)
        return;
    struct fg_slice next = fg_exchange_param(exchange, "next");
    ((struct visit *)work->state)->next = is_own_place(next) ? next : FG_SLICE("/");
    fg_work_start(work, exchange->api->oidc);
}

/* -- And back */

static int finish(struct fg_work *work)
{
    struct visit *visit = (struct visit *)work->state;
    const struct fg_oidc_answer answer = {
        .code = visit->code, .state = visit->state, .browser = visit->browser};
    return fg_oidc_finish(work->exchange->api->auth, &answer, work->exchange->request->arena,
                          &visit->to, visit->secret, visit->who, &visit->why);
}

static void answer_finish(struct fg_work *work)
{
    const struct visit *visit = (const struct visit *)work->state;
    struct fg_exchange *exchange = work->exchange;
    fg_trail_sign_in(exchange, fg_slice_from_string(visit->who),
                     work->error == 0 ? "ok"
                     : visit->why     ? visit->why
                                      : "failed");
    if (work->error < 0) {
        set_browser_cookie(exchange, (struct fg_slice){0});
        go(exchange, visit->why == fg_oidc_no_group ? FG_SLICE("/login?failed=group")
                                                    : FG_SLICE("/login?failed=1"));
        return;
    }
    fg_session_cookie_set(exchange, fg_slice(visit->secret, sizeof visit->secret));
    go(exchange, visit->to);
}

void fg_handle_oidc_callback(struct fg_exchange *exchange)
{
    struct fg_work *work = start(exchange, finish, answer_finish);
    if (!work)
        return;
    struct visit *visit = (struct visit *)work->state;
    visit->code = fg_exchange_param(exchange, "code");
    visit->state = fg_exchange_param(exchange, "state");
    visit->browser = fg_cookie(exchange->request, cookie_name(exchange->request));
    fg_work_start(work, exchange->api->oidc);
}
