/* Signing in and out, one's own account: /api/v1/auth/… . A session's secret goes to the browser in
 * a cookie that scripts can't read; its CSRF token comes with /me, which other origins can't read.
 */
#include "sign_in.h"
#include "account_json.h"
#include "audit_trail.h"
#include "auth/accounts.h"
#include "auth/oidc.h"
#include "handlers.h"
#include "permit.h"
#include "state.h"
#include "wire/json_writer.h"

#include <stdio.h>

#define COOKIE_SIZE 256

/* -- Who am I */

static void write_permissions(struct fg_json_writer *json, unsigned roles)
{
    FG_JSON_KEY(json, "may");
    fg_json_array_begin(json);
    for (int i = FG_PERMISSION_INGEST; i < FG_PERMISSION_COUNT; i++)
        if (fg_permission_is_held((enum fg_permission)i, roles))
            fg_json_string(json, fg_slice_from_string(fg_permission_name((enum fg_permission)i)));
    fg_json_array_end(json);
}

static const char *mode_name(enum fg_auth_mode mode)
{
    return mode == FG_AUTH_OPEN ? "open" : mode == FG_AUTH_STARTING ? "starting" : "accounts";
}

static void write_tenants(void *arg, const struct fg_tenant_info *info)
{
    fg_json_string(arg, fg_slice_from_string(info->name));
}

static void write_me(struct fg_exchange *exchange, struct fg_buffer *body)
{
    const struct fg_identity *identity = &exchange->identity;
    struct fg_auth *auth = exchange->api->auth;
    struct fg_json_writer json = fg_json_writer(body);
    char csrf[FG_CSRF_TEXT_SIZE];
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "mode");
    fg_json_string(&json, fg_slice_from_string(mode_name(fg_auth_mode(auth))));
    FG_JSON_KEY(&json, "who");
    if (identity->kind == FG_IDENTITY_NOBODY)
        fg_json_null(&json);
    else
        fg_json_string(&json, fg_slice_from_string(identity->who));
    if (identity->kind != FG_IDENTITY_NOBODY) {
        fg_json_roles(&json, identity->roles);
        write_permissions(&json, identity->roles);
        fg_json_tenant(&json, auth, identity->tenant);
        FG_JSON_KEY(&json, "every_tenant");
        fg_json_bool(&json, identity->every_tenant);
    }
    if (identity->every_tenant && auth) {
        FG_JSON_KEY(&json, "tenants");
        fg_json_array_begin(&json);
        fg_tenants_each(auth, write_tenants, &json);
        fg_json_array_end(&json);
    }
    if (fg_oidc_name(auth)) {
        FG_JSON_KEY(&json, "provider");
        fg_json_string(&json, fg_slice_from_string(fg_oidc_name(auth)));
    }
    if (exchange->session.size) {
        fg_csrf_format(exchange->session, csrf);
        FG_JSON_KEY(&json, "csrf");
        fg_json_string(&json, fg_slice(csrf, sizeof csrf));
    }
    fg_json_object_end(&json);
}

void fg_handle_me(struct fg_exchange *exchange)
{
    struct fg_buffer body;
    fg_buffer_init(&body, (size_t)16 << 10);
    write_me(exchange, &body);
    fg_answer_take(exchange, 200, "application/json", &body);
}

/* -- In */

/* A session cookie; an empty secret takes it away. SameSite=Lax, so that a link in a mail leads to
 * the order and not to the sign-in page; changes need the CSRF token besides. */
void fg_session_cookie_set(struct fg_exchange *exchange, struct fg_slice secret)
{
    char *text = fg_arena_alloc(exchange->request->arena, COOKIE_SIZE);
    if (!text)
        return;
    int size =
        snprintf(text, COOKIE_SIZE, "%s=%.*s; Path=/; HttpOnly; SameSite=Lax%s%s",
                 fg_session_cookie(exchange->request), (int)secret.size,
                 secret.size ? (const char *)secret.data : "",
                 exchange->request->is_tls ? "; Secure" : "", secret.size ? "" : "; Max-Age=0");
    exchange->more[exchange->more_count++] =
        (struct fg_header_field){FG_SLICE("set-cookie"), fg_slice(text, (size_t)size)};
}

static void record_sign_in(const struct fg_work *work)
{
    const struct fg_account_job *job = (const struct fg_account_job *)work->state;
    fg_trail_sign_in(work->exchange, *job->who ? fg_slice_from_string(job->who) : job->name,
                     work->error == 0            ? "ok"
                     : work->error == FG_EDENIED ? "wrong"
                     : work->error == FG_EAGAIN  ? "locked out"
                                                 : fg_error_name(work->error));
}

static void answer_signed_in(struct fg_work *work)
{
    struct fg_exchange *exchange = work->exchange;
    const struct fg_account_job *job = (const struct fg_account_job *)work->state;
    struct fg_slice secret = fg_slice(job->secret, job->secret_size);
    if (work->error < 0)
        record_sign_in(work);
    if (work->error == FG_EDENIED) {
        struct fg_failure failure = {403, FG_RPC_PERMISSION_DENIED,
                                     job->link.size ? "this link is used, too old, or none"
                                                    : "name or password is wrong",
                                     0};
        fg_answer_failure(exchange, &failure);
        return;
    }
    if (work->error < 0) {
        fg_account_answer_error(work);
        return;
    }
    const struct fg_credentials credentials = {.session = secret};
    enum fg_check check = fg_auth_check(exchange->api->auth, &credentials, &exchange->identity);
    struct fg_slice copy = fg_arena_copy(exchange->request->arena, secret);
    if (check != FG_CHECK_KNOWN || copy.size == 0) {
        fg_answer_error(exchange, FG_EAGAIN, work->verb);
        return;
    }
    exchange->session = copy;
    record_sign_in(work);
    fg_session_cookie_set(exchange, copy);
    fg_handle_me(exchange);
}

static bool read_texts(struct fg_exchange *exchange, struct fg_account_job *job)
{
    static const char *const keys[] = {"name", "password", "new_password", "link", NULL};
    json_t *root = fg_body_object(exchange, keys);
    if (!root)
        return false;
    job->name = fg_body_text(exchange, json_object_get(root, "name"));
    job->password = fg_body_text(exchange, json_object_get(root, "password"));
    job->new_password = fg_body_text(exchange, json_object_get(root, "new_password"));
    job->link = fg_body_text(exchange, json_object_get(root, "link"));
    json_decref(root);
    return true;
}

static int sign_in(struct fg_work *work)
{
    struct fg_account_job *job = (struct fg_account_job *)work->state;
    int r = fg_auth_sign_in(work->exchange->api->auth, job->name, job->password,
                            fg_client_address(work->exchange->request), job->secret, &job->wait_ns);
    job->secret_size = r == 0 ? FG_SESSION_TEXT_SIZE : 0;
    return r;
}

void fg_handle_login(struct fg_exchange *exchange)
{
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "sign in", sign_in, &job);
    if (!work || !read_texts(exchange, job))
        return;
    job->link = (struct fg_slice){0};
    work->answer = answer_signed_in;
    fg_account_work_start(work);
}

static int set_up(struct fg_work *work)
{
    struct fg_account_job *job = (struct fg_account_job *)work->state;
    struct fg_auth *auth = work->exchange->api->auth;
    struct fg_slice address = fg_client_address(work->exchange->request);
    job->unfit = "a name has letters, digits and ._@+-, 64 at most; a password 10 characters at "
                 "least";
    int r = fg_account_set_up(auth, job->link, job->name, job->password, address, &job->wait_ns,
                              job->who);
    if (r == 0)
        r = fg_auth_sign_in(auth, fg_slice_from_string(job->who), job->password, address,
                            job->secret, &job->wait_ns);
    job->secret_size = r == 0 ? FG_SESSION_TEXT_SIZE : 0;
    return r;
}

void fg_handle_setup(struct fg_exchange *exchange)
{
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "set up the account", set_up, &job);
    if (!work || !read_texts(exchange, job))
        return;
    if (job->link.size == 0)
        job->link = FG_SLICE("none");
    work->answer = answer_signed_in;
    fg_account_work_start(work);
}

/* -- Out */

static int sign_out(struct fg_work *work)
{
    int r = fg_auth_sign_out(work->exchange->api->auth, work->exchange->identity.session);
    if (r == 0)
        fg_buffer_append_string(&work->body, "{}");
    return r;
}

static void answer_signed_out(struct fg_work *work)
{
    if (work->error < 0) {
        fg_account_answer_error(work);
        return;
    }
    fg_session_cookie_set(work->exchange, (struct fg_slice){0});
    fg_answer_take(work->exchange, 200, "application/json", &work->body);
}

void fg_handle_logout(struct fg_exchange *exchange)
{
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "sign out", sign_out, &job);
    if (!work)
        return;
    work->answer = answer_signed_out;
    fg_account_work_start(work);
}

/* -- One's password */

static int set_password(struct fg_work *work)
{
    struct fg_account_job *job = (struct fg_account_job *)work->state;
    const struct fg_exchange *exchange = work->exchange;
    job->unfit = "a password has 10 characters at least, and 1024 bytes at most";
    int r = fg_account_set_password(exchange->api->auth,
                                    fg_slice_from_string(exchange->identity.who), job->password,
                                    job->new_password, fg_client_address(exchange->request),
                                    exchange->identity.session, &job->wait_ns);
    if (r == 0)
        fg_buffer_append_string(&work->body, "{}");
    return r;
}

static void answer_password(struct fg_work *work)
{
    struct fg_failure failure = {403, FG_RPC_PERMISSION_DENIED, "the old password is wrong", 0};
    if (work->error == FG_EDENIED)
        fg_answer_failure(work->exchange, &failure);
    else if (work->error < 0)
        fg_account_answer_error(work);
    else
        fg_answer_take(work->exchange, 200, "application/json", &work->body);
}

void fg_handle_password(struct fg_exchange *exchange)
{
    struct fg_account_job *job;
    struct fg_work *work = fg_account_work(exchange, "change the password", set_password, &job);
    if (!work || !read_texts(exchange, job))
        return;
    if (exchange->identity.kind != FG_IDENTITY_PERSON) {
        fg_answer_invalid(exchange, "only somebody who signed in has a password");
        return;
    }
    work->answer = answer_password;
    fg_account_work_start(work);
}
