/* Accounts of `filigree serve`: whether they are wanted, their state, and the link to the first
 * administrator. */
#include "auth/audit.h"
#include "auth/auth.h"
#include "auth/oidc.h"
#include "base/hex.h"
#include "serve.h"
#include "store/consumer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_SIZE_MAX ((size_t)4 << 10)

bool fg_serve_accounts_wanted(const struct fg_config *config)
{
    if (config->accounts == FG_ACCOUNTS_ON)
        return true;
    return config->insecure != FG_INSECURE_OPEN &&
           !(fg_address_is_loopback(config->api) && fg_address_is_loopback(config->otlp_grpc) &&
             fg_address_is_loopback(config->otlp_http));
}

/* The first line of the file, in the server's arena; "" where none is named. */
static enum fg_exit read_secret(struct fg_serve *serve, const char **ret_secret)
{
    const char *path = serve->config->oidc_secret_file;
    uint8_t *text = NULL;
    size_t size = 0;
    *ret_secret = "";
    if (!*path)
        return FG_EXIT_OK;
    int r = fg_cli_read_file(serve->cli, path, SECRET_SIZE_MAX, &text, &size);
    if (r < 0)
        return fg_cli_fail(serve->cli, FG_EXIT_USAGE, "oidc-secret-file: can't read %s: %s", path,
                           fg_error_name(r));
    const uint8_t *end = size ? memchr(text, '\n', size) : NULL;
    *ret_secret = fg_arena_string(&serve->arena, fg_slice(text, end ? (size_t)(end - text) : size));
    free(text);
    return *ret_secret ? FG_EXIT_OK : fg_cli_fail(serve->cli, FG_EXIT_FAILED, "out of memory");
}

static enum fg_exit use_oidc(struct fg_serve *serve)
{
    const struct fg_config *config = serve->config;
    struct fg_oidc_options options = {.issuer = config->oidc_issuer,
                                      .client_id = config->oidc_client,
                                      .redirect = config->oidc_redirect,
                                      .groups_claim = config->oidc_groups_claim,
                                      .groups = config->oidc_groups.items,
                                      .group_count = config->oidc_groups.count,
                                      .ca_file = config->oidc_ca,
                                      .recheck_ns = config->oidc_recheck_ns};
    if (!*config->oidc_issuer)
        return FG_EXIT_OK;
    enum fg_exit code = read_secret(serve, &options.client_secret);
    int r = code == FG_EXIT_OK ? fg_auth_use_oidc(serve->auth, &options) : 0;
    if (r < 0)
        return fg_cli_fail(serve->cli, FG_EXIT_USAGE,
                           "oidc: issuer and redirect must be https:// (http:// on this machine "
                           "only), the client named, and each of oidc-groups be GROUP=ROLE or "
                           "GROUP=ROLE@TENANT");
    return code;
}

static bool are_pairs(const struct fg_config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *equals = strrchr(list->items[i], '=');
        if (!equals || equals == list->items[i] || !equals[1])
            return false;
    }
    return true;
}

enum fg_exit fg_serve_accounts_new(struct fg_serve *serve)
{
    const struct fg_config *config = serve->config;
    if (!are_pairs(&config->certificate_tenants))
        return fg_cli_fail(serve->cli, FG_EXIT_USAGE,
                           "tls-client-tenants: expected NAME=TENANT, such as checkout=acme or "
                           "spiffe://shop/*=acme");
    const struct fg_auth_options options = {
        .env = serve->cli->env,
        .folder = config->data,
        .wants_accounts = fg_serve_accounts_wanted(config),
        .session_idle_ns = config->session_idle_ns,
        .session_age_ns = config->session_age_ns,
        .audit_age_ns = config->audit_age_ns,
        .certificate_tenants = config->certificate_tenants.items,
        .certificate_tenant_count = config->certificate_tenants.count};
    int r = fg_auth_new(&options, &serve->auth);
    if (r < 0)
        return fg_cli_fail(serve->cli, FG_EXIT_FAILED, "can't tell whether %s has accounts: %s",
                           config->data, fg_error_name(r));
    return use_oidc(serve);
}

/* Said once, where nobody but who started the server reads it. */
static void tell_link(struct fg_serve *serve)
{
    char link[FG_SESSION_TEXT_SIZE];
    if (fg_auth_mode(serve->auth) != FG_AUTH_ACCOUNTS || fg_auth_first_link(serve->auth, link) < 0)
        return;
    char address[300], pages[400];
    fg_serve_reachable(fg_server_address(serve->server, FG_SERVE_API), address, sizeof address);
    snprintf(pages, sizeof pages, "%s://%s", fg_serve_tls_is_on(serve, "api") ? "https" : "http",
             address);
    /* Where people reach it, when somebody has said so: a browser is seldom on the same machine. */
    bool is_said = strcmp(serve->config->pages_url, FG_PAGES_URL_DEFAULT) != 0;
    fg_log(FG_LOG_WARN, "there is no account yet; this link makes the first administrator, once",
           "link=%s/setup#%.*s", is_said ? serve->config->pages_url : pages, (int)sizeof link,
           link);
}

/* Its head goes to the log, which is kept elsewhere: `filigree audit verify --head` compares. */
static void tell_audit(const struct fg_serve *serve)
{
    struct fg_audit_counters counters;
    char hash[2 * FG_AUDIT_HASH_SIZE];
    fg_audit_counters(fg_auth_audit(serve->auth), &counters);
    if (!fg_auth_audit_is_whole(serve->auth))
        fg_log(
            FG_LOG_ERROR,
            "the audit is shorter than it was, or another one; `filigree audit verify` says more",
            NULL);
    if (counters.head.sequence == 0)
        return;
    fg_hex_encode(fg_slice(counters.head.hash, sizeof counters.head.hash), hash);
    fg_log(FG_LOG_INFO, "audit", "head=%" PRIu64 ":%.*s", counters.head.sequence, (int)sizeof hash,
           hash);
}

int fg_serve_accounts_attach(struct fg_serve *serve)
{
    struct fg_state *state = fg_store_state(serve->store);
    if (!state)
        return fg_auth_mode(serve->auth) == FG_AUTH_OPEN ? 0 : FG_ENOTFOUND;
    int r = fg_auth_attach_state(serve->auth, state);
    if (r < 0)
        return r;
    tell_audit(serve);
    tell_link(serve);
    return 0;
}
