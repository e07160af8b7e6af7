#include "guard.h"

#include "auth/auth.h"
#include "cors.h"
#include "exchange.h"
#include "permit.h"
#include "state.h"
#include "turned_away.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

#define HOST_SIZE_MAX 255u

bool fg_api_is_open(const struct fg_api *api)
{
    return fg_auth_mode(api->auth) == FG_AUTH_OPEN;
}

static bool ends_with(struct fg_slice text, const char *end)
{
    size_t size = strlen(end);
    return text.size >= size &&
           strncasecmp((const char *)text.data + text.size - size, end, size) == 0;
}

/* "[::1]:7070" → "::1", "localhost:7070" → "localhost". Empty: it is no host with a port. */
static struct fg_slice without_port(struct fg_slice host)
{
    const uint8_t *end = NULL;
    if (host.size && host.data[0] == '[') {
        end = memchr(host.data, ']', host.size);
        if (!end)
            return fg_slice(NULL, 0);
        struct fg_slice after = fg_slice(end + 1, host.size - (size_t)(end + 1 - host.data));
        bool is_whole = after.size == 0 || after.data[0] == ':';
        return is_whole ? fg_slice(host.data + 1, (size_t)(end - host.data) - 1)
                        : fg_slice(NULL, 0);
    }
    end = host.size ? memchr(host.data, ':', host.size) : NULL;
    return end ? fg_slice(host.data, (size_t)(end - host.data)) : host;
}

bool fg_host_is_local(struct fg_slice host)
{
    char text[HOST_SIZE_MAX + 1];
    struct in_addr v4;
    struct in6_addr v6;
    bool is_bracketed = host.size && host.data[0] == '[';
    struct fg_slice name = without_port(host);
    if (name.size && name.data[name.size - 1] == '.')
        name.size--; /* the same name, said to be whole */
    if (name.size == 0 || name.size > HOST_SIZE_MAX)
        return false;
    memcpy(text, name.data, name.size);
    text[name.size] = 0;
    if (is_bracketed)
        return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    if (inet_pton(AF_INET, text, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return strcasecmp(text, "localhost") == 0 || ends_with(name, ".localhost");
}

/* What proxies add. A header that only some of them use is one that no local program sends. */
static bool is_forwarding(struct fg_slice name)
{
    static const char *const names[] = {"forwarded",        "via",
                                        "x-real-ip",        "x-client-ip",
                                        "client-ip",        "x-cluster-client-ip",
                                        "true-client-ip",   "cf-ray",
                                        "cf-connecting-ip", "fastly-client-ip",
                                        "x-original-host",  "x-original-url"};
    if (fg_slice_starts_with(name, FG_SLICE("x-forwarded")))
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (fg_slice_equal(name, fg_slice_from_string(names[i])))
            return true;
    return false;
}

/* "http://localhost:7070" for the host "localhost:7070". */
static bool is_own(const struct fg_request *request, struct fg_slice origin, struct fg_slice host)
{
    struct fg_slice scheme = request->is_tls ? FG_SLICE("https://") : FG_SLICE("http://");
    return fg_slice_starts_with(origin, scheme) && origin.size == scheme.size + host.size &&
           strncasecmp((const char *)origin.data + scheme.size, (const char *)host.data,
                       host.size) == 0;
}

static void refuse(struct fg_exchange *exchange, const char *why, const char *message)
{
    fg_turned_away_note(exchange->api, exchange->request->face,
                        fg_client_address(exchange->request), why);
    struct fg_failure failure = {403, FG_RPC_PERMISSION_DENIED, message, 0};
    fg_count(&exchange->loop->counters.foreign_requests, 1);
    fg_answer_failure(exchange, &failure);
}

bool fg_guard_lets_in(struct fg_exchange *exchange, bool may_cors)
{
    const struct fg_api *api = exchange->api;
    const struct fg_request *request = exchange->request;
    bool is_guarded = (api->security.local_faces >> request->face & 1) != 0;
    if (!is_guarded || !fg_api_is_open(api))
        return true;
    struct fg_slice host = {0}, origin = {0};
    for (size_t i = 0; i < request->field_count; i++) {
        const struct fg_header_field *field = &request->fields[i];
        if (is_forwarding(field->name)) {
            refuse(exchange, "forwarded",
                   "this server has no accounts: it is for users of its own machine, and "
                   "takes nothing that a proxy forwards; make accounts first");
            return false;
        }
        if (fg_slice_equal(field->name, FG_SLICE("host")))
            host = field->value;
        else if (fg_slice_equal(field->name, FG_SLICE("origin")))
            origin = field->value;
    }
    /* HTTP/1.0 may come without; a browser does not. */
    if (host.size && !fg_host_is_local(host)) {
        refuse(exchange, "foreign host",
               "this server has no accounts: it is for users of its own machine, who call "
               "it localhost or 127.0.0.1");
        return false;
    }
    if (origin.size && !is_own(request, origin, host) &&
        !(may_cors && fg_cors_allows(exchange, origin))) {
        refuse(exchange, "foreign origin",
               "pages of this origin may not call this server; for sending spans, name it "
               "in the setting cors-origins");
        return false;
    }
    return true;
}
