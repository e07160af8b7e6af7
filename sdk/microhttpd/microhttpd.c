/* The calls that stand in for libmicrohttpd's, and the two callbacks that stand before the
 * program's. A request is found by its connection, which works on one at a time; what the program
 * keeps in the request's own pointer stays the program's. */
#include "route.h"
#include "server.h"

#include "../instrument/table.h"

#include <filigree_microhttpd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static struct fg_table servers = FG_TABLE_INIT, requests = FG_TABLE_INIT;

void fg_mhd_server_free(struct fg_mhd_server *server)
{
    if (!server)
        return;
    for (struct fg_mhd_routes *one = server->routes, *before; one; one = before) {
        before = one->before;
        for (size_t i = 0; i < one->count; i++)
            free(one->templates[i]);
        free(one);
    }
    fg_mutex_destroy(&server->mutex);
    free(server);
}

/* -- In the place of the program's callbacks */

static void note_status(struct fg_mhd_request *request, unsigned status)
{
    fg_mutex_lock(&request->mutex);
    request->status = status;
    fg_mutex_unlock(&request->mutex);
}

static struct fg_mhd_request *request_of(struct fg_mhd_server *server,
                                         struct MHD_Connection *connection, const char *path,
                                         const char *method, const char *version)
{
    struct fg_mhd_request *request = fg_table_find(&requests, connection);
    if (request)
        return request;
    request = fg_mhd_request_start(server, connection, path, method, version);
    if (request && !fg_table_put(&requests, connection, request, FG_MHD_REQUESTS_MAX)) {
        fg_mhd_request_end(request, MHD_REQUEST_TERMINATED_COMPLETED_OK);
        return NULL;
    }
    return request;
}

/* What the handler has added to the baggage is there in its next call. */
static void keep_baggage(struct fg_mhd_request *request)
{
    fg_context *now = fg_context_with_span(NULL, request->span);
    if (!now)
        return;
    fg_mutex_lock(&request->mutex);
    fg_context *before = request->context;
    request->context = now;
    fg_mutex_unlock(&request->mutex);
    fg_context_free(before);
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *body,
                              size_t *body_size, void **own)
{
    struct fg_mhd_server *server = arg;
    struct fg_mhd_request *request = request_of(server, connection, path, method, version);
    if (!request)
        return server->handler(server->handler_arg, connection, path, method, version, body,
                               body_size, own);
    size_t size = *body_size;
    fg_scope scope = fg_context_enter(request->context);
    enum MHD_Result result = server->handler(server->handler_arg, connection, path, method, version,
                                             body, body_size, own);
    keep_baggage(request);
    fg_scope_leave(&scope);
    request->body_size += size - (*body_size < size ? *body_size : size);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_HTTP_STATUS);
    if (info)
        note_status(request, info->http_status);
    return result;
}

static void completed(void *arg, struct MHD_Connection *connection, void **own,
                      enum MHD_RequestTerminationCode code)
{
    struct fg_mhd_server *server = arg;
    struct fg_mhd_request *request = fg_table_find(&requests, connection);
    if (server->completed) {
        fg_scope scope = fg_context_enter(request ? request->context : NULL);
        server->completed(server->completed_arg, connection, own, code);
        fg_scope_leave(&scope);
    }
    fg_table_take(&requests, connection);
    if (request)
        fg_mhd_request_end(request, code);
}

/* -- Daemons */

struct MHD_Daemon *fg_MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback apc,
                                       void *apc_cls, MHD_AccessHandlerCallback dh, void *dh_cls,
                                       ...)
{
    struct MHD_OptionItem items[FG_MHD_OPTIONS_MAX];
    struct fg_mhd_server *server = calloc(1, sizeof *server);
    struct MHD_Daemon *daemon = NULL;
    va_list args, walked;
    va_start(args, dh_cls);
    va_copy(walked, args);
    if (server)
        fg_mutex_init(&server->mutex, FG_RANK_LEAF);
    bool is_known = server && fg_mhd_read_options(walked, server, items);
    if (is_known) {
        server->handler = dh;
        server->handler_arg = dh_cls;
        server->is_tls = (flags & MHD_USE_TLS) != 0;
        daemon = MHD_start_daemon(flags, port, apc, apc_cls, dh ? handle : NULL, server,
                                  MHD_OPTION_ARRAY, items, MHD_OPTION_NOTIFY_COMPLETED, completed,
                                  server, MHD_OPTION_END);
    } else {
        daemon = MHD_start_daemon_va(flags, port, apc, apc_cls, dh, dh_cls, args);
    }
    va_end(walked);
    va_end(args);
    /* A daemon that is not in the table works all the same; its server is then never freed. */
    if (!is_known || !daemon)
        fg_mhd_server_free(server);
    else
        fg_table_put(&servers, daemon, server, FG_MHD_REQUESTS_MAX);
    return daemon;
}

void fg_MHD_stop_daemon(struct MHD_Daemon *daemon)
{
    struct fg_mhd_server *server = fg_table_take(&servers, daemon);
    MHD_stop_daemon(daemon);
    fg_mhd_server_free(server);
}

enum MHD_Result fg_MHD_queue_response(struct MHD_Connection *connection, unsigned status,
                                      struct MHD_Response *response)
{
    struct fg_mhd_request *request = fg_table_find(&requests, connection);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    if (request && result == MHD_YES)
        note_status(request, status);
    return result;
}

/* -- Routes and contexts */

int fg_mhd_set_routes(struct MHD_Daemon *daemon, const char *const *templates, size_t count)
{
    struct fg_mhd_server *server = fg_table_find(&servers, daemon);
    if (!server || (!templates && count) || count > 10000)
        return FG_EINVALID;
    struct fg_mhd_routes *routes = calloc(1, sizeof *routes + count * sizeof *routes->templates);
    if (!routes)
        return FG_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        routes->templates[i] = strdup(templates[i] ? templates[i] : "");
        routes->count += routes->templates[i] != NULL;
        if (routes->count != i + 1)
            break;
    }
    fg_mutex_lock(&server->mutex);
    routes->before = server->routes;
    server->routes = routes;
    fg_mutex_unlock(&server->mutex);
    return routes->count == count ? 0 : FG_ENOMEM;
}

const char *fg_mhd_route(struct MHD_Connection *connection)
{
    const struct fg_mhd_request *request = fg_table_find(&requests, connection);
    return request ? request->route : NULL;
}

size_t fg_mhd_route_value(struct MHD_Connection *connection, const char *name, char *text,
                          size_t size)
{
    const struct fg_mhd_request *request = fg_table_find(&requests, connection);
    struct fg_slice value =
        request ? fg_route_value(request->route, request->path, name) : (struct fg_slice){0};
    if (text && size) {
        size_t part = value.size < size - 1 ? value.size : size - 1;
        if (part)
            memcpy(text, value.data, part);
        text[part] = 0;
    }
    return value.size;
}

void fg_mhd_set_route(struct MHD_Connection *connection, const char *path_template)
{
    struct fg_mhd_request *request = fg_table_find(&requests, connection);
    if (request)
        fg_mhd_request_route(request, path_template);
}

fg_span fg_mhd_span(struct MHD_Connection *connection)
{
    const struct fg_mhd_request *request = fg_table_find(&requests, connection);
    return request ? request->span : (fg_span){.opaque = 0};
}

fg_context *fg_mhd_context(struct MHD_Connection *connection)
{
    struct fg_mhd_request *request = fg_table_find(&requests, connection);
    if (!request)
        return NULL;
    fg_mutex_lock(&request->mutex);
    fg_context *context = fg_context_ref(request->context);
    fg_mutex_unlock(&request->mutex);
    return context;
}
