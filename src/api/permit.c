/* A request's way past the door:
 *
 *   open → the local user, who may everything
 *   credentials → identity (auth/auth.h) → the route's permission → its tenant's or the server's
 *   the tenant that is asked for: by the header filigree-tenant, or by tenant=NAME in the address
 *     (as the pages have it, so that each tab and each link has its own)
 *   a session that changes something → CSRF: from a page of our own, with the token that only such
 *     a page can read
 *
 * What is refused is refused before its body is read. */
#include "permit.h"

#include "assets.h"
#include "audit_trail.h"
#include "auth/accounts.h"
#include "auth/auth.h"
#include "base/limits.h"
#include "net/identity.h"
#include "net/url.h"
#include "state.h"

#include <strings.h>

#define COOKIE_TLS   "__Host-filigree"
#define COOKIE_PLAIN "filigree"

static const struct {
    const char *name;
    unsigned roles; /* one of them is enough */
} permissions[FG_PERMISSION_COUNT] = {
    [FG_PERMISSION_UNSET] = {"nobody", 0},
    [FG_PERMISSION_NONE] = {"none", FG_ROLES_ALL},
    [FG_PERMISSION_SELF] = {"self", FG_ROLES_ALL},
    [FG_PERMISSION_INGEST] = {"ingest", FG_ROLE_INGEST},
    [FG_PERMISSION_SUPPORT] = {"support",
                               FG_ROLE_SUPPORT | FG_ROLE_VIEWER | FG_ROLE_OPERATOR | FG_ROLE_ADMIN},
    [FG_PERMISSION_VIEW] = {"view", FG_ROLE_VIEWER | FG_ROLE_OPERATOR | FG_ROLE_ADMIN},
    [FG_PERMISSION_OPERATE] = {"operate", FG_ROLE_OPERATOR | FG_ROLE_ADMIN},
    [FG_PERMISSION_ADMIN] = {"admin", FG_ROLE_ADMIN},
};

const char *fg_permission_name(enum fg_permission permission)
{
    return permissions[permission].name;
}

bool fg_permission_is_held(enum fg_permission permission, unsigned roles)
{
    return (permissions[permission].roles & roles) != 0;
}

struct fg_slice fg_without_port(struct fg_slice peer)
{
    const uint8_t *colon = peer.size ? memrchr(peer.data, ':', peer.size) : NULL;
    return colon ? fg_slice(peer.data, (size_t)(colon - peer.data)) : peer;
}

struct fg_slice fg_client_address(const struct fg_request *request)
{
    return fg_without_port(request->peer);
}

const char *fg_session_cookie(const struct fg_request *request)
{
    return request->is_tls ? COOKIE_TLS : COOKIE_PLAIN;
}

/* -- Credentials */

static struct fg_slice trim(struct fg_slice text)
{
    while (text.size && *text.data == ' ')
        text = fg_slice(text.data + 1, text.size - 1);
    return text;
}

/* One header's; HTTP/2 clients may send several (RFC 9113 section 8.2.3). */
static struct fg_slice cookie_in(struct fg_slice cookies, struct fg_slice name)
{
    while (cookies.size) {
        const uint8_t *end = memchr(cookies.data, ';', cookies.size);
        size_t size = end ? (size_t)(end - cookies.data) : cookies.size;
        struct fg_slice pair = trim(fg_slice(cookies.data, size));
        if (pair.size > name.size && pair.data[name.size] == '=' &&
            memcmp(pair.data, name.data, name.size) == 0)
            return fg_slice(pair.data + name.size + 1, pair.size - name.size - 1);
        size += end ? 1 : 0;
        cookies = fg_slice(cookies.data + size, cookies.size - size);
    }
    return (struct fg_slice){0};
}

struct fg_slice fg_cookie(const struct fg_request *request, const char *cookie)
{
    struct fg_slice name = fg_slice_from_string(cookie);
    for (size_t i = 0; i < request->field_count; i++) {
        if (!fg_slice_equal(request->fields[i].name, FG_SLICE("cookie")))
            continue;
        struct fg_slice value = cookie_in(request->fields[i].value, name);
        if (value.size)
            return value;
    }
    return (struct fg_slice){0};
}

/* The name that a verified certificate gives a service: the most telling it has. */
static struct fg_slice certificate_name(const struct fg_net_identity *identity)
{
    if (!identity)
        return (struct fg_slice){0};
    if (identity->uri_count)
        return identity->uris[0];
    if (identity->dns_name_count)
        return identity->dns_names[0];
    return identity->common_name;
}

/* A proxy before the server may have looked at one of two and this server at the other: then
 * neither is taken, and what stands for them is nobody's. */
static struct fg_slice only_field(const struct fg_request *request, const char *name)
{
    struct fg_slice wanted = fg_slice_from_string(name);
    size_t count = 0;
    for (size_t i = 0; i < request->field_count; i++)
        count += fg_slice_equal(request->fields[i].name, wanted);
    return count > 1 ? FG_SLICE("?") : fg_request_field(request, name);
}

/* The one tenant=NAME of the query; "?", which is nobody's name, where there are several or it
 * can't be read. */
static struct fg_slice tenant_in_query(const struct fg_request *request)
{
    struct fg_slice query = request->query, found = {0};
    struct fg_url_param param;
    while (fg_url_next_param(&query, request->arena, &param)) {
        if (!fg_slice_equal(param.name, FG_SLICE("tenant")))
            continue;
        if (found.data)
            return FG_SLICE("?");
        found = param.value;
    }
    return request->arena->overflow ? FG_SLICE("?") : found;
}

/* What is asked for in two ways has to be one. */
static struct fg_slice tenant_wanted(const struct fg_request *request)
{
    struct fg_slice by_field = only_field(request, "filigree-tenant");
    struct fg_slice by_query = tenant_in_query(request);
    if (by_field.size == 0 || by_query.size == 0)
        return by_field.size ? by_field : by_query;
    return fg_slice_equal(by_field, by_query) ? by_query : FG_SLICE("?");
}

/* Whoever is on the machine may everything, of all tenants. */
static enum fg_check identify_local(struct fg_exchange *exchange)
{
    struct fg_slice wanted = tenant_wanted(exchange->request);
    struct fg_auth *auth = exchange->api->auth;
    uint32_t tenant = 0;
    if (wanted.size && !fg_slice_equal(wanted, FG_SLICE("default")) &&
        (!auth || fg_tenant_find(auth, wanted, &tenant) < 0 || tenant == FG_EVERY_TENANT))
        return FG_CHECK_NO_TENANT;
    exchange->identity = (struct fg_identity){.kind = FG_IDENTITY_LOCAL,
                                              .roles = FG_ROLES_ALL,
                                              .tenant = tenant,
                                              .every_tenant = true,
                                              .who = "local"};
    return FG_CHECK_KNOWN;
}

static enum fg_check identify(struct fg_exchange *exchange)
{
    const struct fg_request *request = exchange->request;
    const struct fg_credentials credentials = {
        .authorization = only_field(request, "authorization"),
        .session = fg_cookie(request, fg_session_cookie(request)),
        .certificate = certificate_name(request->identity),
        .origin = only_field(request, "origin"),
        .tenant = tenant_wanted(request),
    };
    enum fg_check check = fg_auth_check(exchange->api->auth, &credentials, &exchange->identity);
    if (check == FG_CHECK_KNOWN && exchange->identity.kind == FG_IDENTITY_PERSON)
        exchange->session = credentials.session;
    return check;
}

/* -- Refusals */

static bool wants_html(const struct fg_request *request)
{
    struct fg_slice accept = fg_request_field(request, "accept");
    return accept.size && memmem(accept.data, accept.size, "text/html", 9) != NULL;
}

/* why is for the audit alone: the answer tells no more than it must. */
static bool refuse(struct fg_exchange *exchange, unsigned status, enum fg_rpc_code code,
                   const char *message, const char *why)
{
    fg_trail_refused(exchange, why);
    struct fg_failure failure = {status, code, message, 0};
    fg_count(&exchange->loop->counters.denied_requests, 1);
    fg_answer_failure(exchange, &failure);
    return false;
}

/* A reader who is known and may not see this gets the frame of the pages, which says so in the
 * reader's language and leads on; it holds nobody's data. */
static bool refuse_reader(struct fg_exchange *exchange, const char *why)
{
    if (!exchange->route->is_page || !wants_html(exchange->request))
        return refuse(exchange, 403, FG_RPC_PERMISSION_DENIED, "you are not permitted to do this",
                      why);
    fg_trail_refused(exchange, why);
    fg_count(&exchange->loop->counters.denied_requests, 1);
    fg_answer_frame(exchange, 403);
    return false;
}

/* Who may choose any is told that there is none; others not even that. */
static bool refuse_tenant(struct fg_exchange *exchange, enum fg_check check)
{
    bool is_page = exchange->route->is_page && wants_html(exchange->request);
    if (check == FG_CHECK_TENANT || is_page)
        return refuse_reader(exchange, "another tenant");
    return refuse(exchange, 404, FG_RPC_NOT_FOUND, "there is no such tenant", "no such tenant");
}

static bool refuse_starting(struct fg_exchange *exchange)
{
    if (exchange->route->permission == FG_PERMISSION_INGEST)
        fg_count(&exchange->loop->counters.refused_requests[FG_INGEST_STARTING], 1);
    struct fg_failure failure = {503, FG_RPC_UNAVAILABLE,
                                 "the store is recovering; try again in a moment",
                                 FG_NS_PER_SECOND};
    fg_answer_failure(exchange, &failure);
    return false;
}

/* To the page where one signs in, which leads back. */
static bool lead_to_login(struct fg_exchange *exchange)
{
    const struct fg_request *request = exchange->request;
    struct fg_buffer text;
    fg_buffer_init(&text, FG_NET_URL_SIZE_MAX * 4);
    fg_buffer_append_string(&text, "/login?next=");
    fg_url_encode(&text, request->path);
    if (request->query.size) {
        fg_buffer_append_string(&text, "%3F");
        fg_url_encode(&text, request->query);
    }
    struct fg_slice location = fg_arena_copy(request->arena, fg_buffer_slice(&text));
    fg_buffer_free(&text);
    if (location.size == 0)
        location = FG_SLICE("/login");
    exchange->more[exchange->more_count++] =
        (struct fg_header_field){FG_SLICE("location"), location};
    fg_answer_copy(exchange, 303, NULL, (struct fg_slice){0});
    return false;
}

static bool refuse_unknown(struct fg_exchange *exchange, enum fg_check check)
{
    if (check == FG_CHECK_TENANT || check == FG_CHECK_NO_TENANT)
        return refuse_tenant(exchange, check);
    if (check == FG_CHECK_ORIGIN)
        return refuse(exchange, 403, FG_RPC_PERMISSION_DENIED, "you are not permitted to do this",
                      "another origin");
    if (exchange->route->is_page && wants_html(exchange->request))
        return lead_to_login(exchange);
    exchange->more[exchange->more_count++] = (struct fg_header_field){
        FG_SLICE("www-authenticate"), FG_SLICE("Bearer realm=\"filigree\"")};
    return refuse(exchange, 401, FG_RPC_UNAUTHENTICATED,
                  "sign in, or send a token that holds: authorization: Bearer fgt_…",
                  check == FG_CHECK_BAD ? "credentials don't hold" : "no credentials");
}

/* -- Changes that a browser sends */

/* Whether the page that sends it is one of this server's, as far as the browser says. */
static bool is_from_own_page(const struct fg_request *request)
{
    struct fg_slice site = fg_request_field(request, "sec-fetch-site");
    struct fg_slice origin = only_field(request, "origin");
    struct fg_slice host = fg_request_field(request, "host");
    if (site.size && !fg_slice_equal(site, FG_SLICE("same-origin")) &&
        !fg_slice_equal(site, FG_SLICE("none")))
        return false;
    if (origin.size == 0)
        return true;
    struct fg_slice scheme = request->is_tls ? FG_SLICE("https://") : FG_SLICE("http://");
    return host.size && fg_slice_starts_with(origin, scheme) &&
           origin.size - scheme.size == host.size &&
           strncasecmp((const char *)origin.data + scheme.size, (const char *)host.data,
                       host.size) == 0;
}

static bool is_forged(const struct fg_exchange *exchange)
{
    const struct fg_request *request = exchange->request;
    if (request->method == FG_METHOD_GET || request->method == FG_METHOD_HEAD)
        return false;
    if (exchange->route->signs_in)
        return !is_from_own_page(request);
    if (exchange->identity.kind != FG_IDENTITY_PERSON)
        return false;
    return !is_from_own_page(request) ||
           !fg_csrf_matches(exchange->session, fg_request_field(request, "filigree-csrf"));
}

static bool is_permitted(const struct fg_route *route, const struct fg_identity *identity)
{
    return fg_permission_is_held(route->permission, identity->roles) &&
           (!route->whole_server || identity->every_tenant);
}

bool fg_permit_holds(const struct fg_exchange *exchange)
{
    struct fg_identity now;
    return exchange->route->permission == FG_PERMISSION_NONE ||
           (fg_auth_holds(exchange->api->auth, &exchange->identity, &now) &&
            is_permitted(exchange->route, &now));
}

bool fg_permit(struct fg_exchange *exchange)
{
    const struct fg_route *route = exchange->route;
    enum fg_auth_mode mode = fg_auth_mode(exchange->api->auth);
    if (mode == FG_AUTH_OPEN)
        return identify_local(exchange) == FG_CHECK_KNOWN ||
               route->permission == FG_PERMISSION_NONE ||
               refuse_unknown(exchange, FG_CHECK_NO_TENANT);
    if (mode == FG_AUTH_STARTING)
        return route->permission == FG_PERMISSION_NONE || refuse_starting(exchange);
    enum fg_check check = identify(exchange);
    if (is_forged(exchange))
        return refuse(exchange, 403, FG_RPC_PERMISSION_DENIED,
                      "this did not come from a page of this server; load the page again",
                      "forged");
    if (route->permission == FG_PERMISSION_NONE)
        return true;
    if (check != FG_CHECK_KNOWN)
        return refuse_unknown(exchange, check);
    if (!is_permitted(route, &exchange->identity))
        return refuse_reader(exchange, "not permitted");
    return true;
}
