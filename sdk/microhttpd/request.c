/* A request's span: what is known when it begins, and what came of it. Of the query the keys alone
 * are kept. */
#include "route.h"
#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ATTRS_MAX = 16, QUERY_SIZE_MAX = 8192 };

static const char *get_header(void *carrier, const char *name)
{
    return MHD_lookup_connection_value(carrier, MHD_HEADER_KIND, name);
}

static enum MHD_Result add_key(void *arg, enum MHD_ValueKind kind, const char *key,
                               const char *value)
{
    struct fg_buffer *query = arg;
    (void)kind;
    fg_buffer_append_string(query, query->size ? "&" : "");
    fg_buffer_append_string(query, key ? key : "");
    fg_buffer_append_string(query, value && *value ? "=REDACTED" : "");
    return MHD_YES;
}

/* text: at least INET6_ADDRSTRLEN. */
static int address_of(struct MHD_Connection *connection, char *text)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    text[0] = 0;
    if (address && address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        inet_ntop(AF_INET, &v4->sin_addr, text, INET6_ADDRSTRLEN);
        return ntohs(v4->sin_port);
    }
    if (address && address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, text, INET6_ADDRSTRLEN);
        return ntohs(v6->sin6_port);
    }
    return 0;
}

static const char *find_route(struct fg_mhd_server *server, const char *path)
{
    const char *found = NULL;
    fg_mutex_lock(&server->mutex);
    for (size_t i = 0; server->routes && i < server->routes->count && !found; i++)
        if (fg_route_fits(server->routes->templates[i], path))
            found = server->routes->templates[i];
    fg_mutex_unlock(&server->mutex);
    return found;
}

static fg_span start_span(struct fg_mhd_request *request, struct fg_mhd_server *server,
                          struct MHD_Connection *connection, const char *method,
                          const char *version, const fg_context *caller)
{
    char name[FG_TELL_TEXT_MAX], address[INET6_ADDRSTRLEN], host[512];
    fg_attr attrs[ATTRS_MAX];
    size_t count = 0;
    struct fg_url url = {.host = {0}};
    struct fg_buffer query;
    fg_buffer_init(&query, QUERY_SIZE_MAX);
    bool is_known = fg_tell_is_known_method(method);
    const char *header = get_header(connection, "host"),
               *agent = get_header(connection, "user-agent");
    int port = address_of(connection, address);
    request->method = is_known ? method : "HTTP";
    snprintf(name, sizeof name, "%s%s%s", request->method, request->route ? " " : "",
             request->route ? request->route : "");
    attrs[count++] = fg_attr_string("http.request.method", is_known ? method : "_OTHER");
    if (!is_known)
        attrs[count++] = fg_attr_string("http.request.method_original", method);
    attrs[count++] = fg_attr_string("url.path", request->path);
    attrs[count++] = fg_attr_string("url.scheme", server->is_tls ? "https" : "http");
    if (request->route)
        attrs[count++] = fg_attr_string("http.route", request->route);
    snprintf(host, sizeof host, "%s://%s", server->is_tls ? "https" : "http", header ? header : "");
    if (header && fg_url_parse(host, &url)) {
        attrs[count++] =
            fg_attr_string_n("server.address", (const char *)url.host.data, url.host.size);
        attrs[count++] = fg_attr_int("server.port", url.port);
    }
    if (address[0]) {
        attrs[count++] = fg_attr_string("client.address", address);
        attrs[count++] = fg_attr_string("network.peer.address", address);
        attrs[count++] = fg_attr_int("network.peer.port", port);
    }
    if (strncmp(version, "HTTP/", 5) == 0)
        attrs[count++] = fg_attr_string("network.protocol.version", version + 5);
    if (agent)
        attrs[count++] = fg_attr_string("user_agent.original", agent);
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, add_key, &query);
    if (query.size && !query.error)
        attrs[count++] = fg_attr_string_n("url.query", (const char *)query.data, query.size);
    fg_span span = fg_tell_start(fg_tracer_get("filigree-microhttpd", FG_VERSION), name,
                                 FG_SPAN_SERVER, caller, attrs, count);
    fg_buffer_free(&query);
    return span;
}

static void request_free(struct fg_mhd_request *request)
{
    fg_mutex_destroy(&request->mutex);
    fg_context_free(request->context);
    free(request->own_route);
    free(request->path);
    free(request);
}

struct fg_mhd_request *fg_mhd_request_start(struct fg_mhd_server *server,
                                            struct MHD_Connection *connection, const char *path,
                                            const char *method, const char *version)
{
    struct fg_mhd_request *request = calloc(1, sizeof *request);
    if (!request)
        return NULL;
    fg_mutex_init(&request->mutex, FG_RANK_LEAF);
    request->path = strndup(path, FG_MHD_PATH_MAX);
    request->route = find_route(server, path);
    fg_context *caller = fg_context_extract(get_header, connection);
    if (request->path && caller) {
        request->span = start_span(request, server, connection, method, version, caller);
        request->context = fg_context_with_span(caller, request->span);
    }
    fg_context_free(caller);
    if (request->context)
        return request;
    fg_span_end(request->span);
    request_free(request);
    return NULL;
}

void fg_mhd_request_route(struct fg_mhd_request *request, const char *path_template)
{
    char name[FG_TELL_TEXT_MAX];
    char *copy = path_template ? strdup(path_template) : NULL;
    if (!copy)
        return;
    fg_mutex_lock(&request->mutex);
    free(request->own_route);
    request->own_route = copy;
    request->route = copy;
    fg_mutex_unlock(&request->mutex);
    snprintf(name, sizeof name, "%s %s", request->method, path_template);
    fg_span_set_name(request->span, name);
    fg_span_set_string(request->span, "http.route", path_template);
}

void fg_mhd_request_end(struct fg_mhd_request *request, enum MHD_RequestTerminationCode code)
{
    static const char *const reasons[] = {
        [MHD_REQUEST_TERMINATED_WITH_ERROR] = "terminated",
        [MHD_REQUEST_TERMINATED_TIMEOUT_REACHED] = "timeout",
        [MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN] = "shutdown",
        [MHD_REQUEST_TERMINATED_READ_ERROR] = "read_error",
        [MHD_REQUEST_TERMINATED_CLIENT_ABORT] = "client_abort",
    };
    char number[16];
    snprintf(number, sizeof number, "%u", request->status);
    if (request->status)
        fg_span_set_int(request->span, "http.response.status_code", request->status);
    if (request->body_size)
        fg_span_set_int(request->span, "http.request.body.size", (int64_t)request->body_size);
    if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK) {
        const char *reason = (size_t)code < sizeof reasons / sizeof *reasons ? reasons[code] : NULL;
        fg_tell_error(request->span, reason ? reason : "_OTHER",
                      "the answer was not sent to its end");
    } else if (request->status >= 500) {
        fg_tell_error(request->span, number, NULL);
    }
    fg_span_end(request->span);
    request_free(request);
}
