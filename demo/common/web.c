#include "web.h"
#include "certificate.h"
#include "page.h"
#include "service.h"

#include <filigree_microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX     200u
#define IDLE_SECONDS_MAX    30u
#define ORDER_DIGITS_MAX    18u
#define BODY_SIZE_MAX_PLAIN 65536u

struct web {
    struct MHD_Daemon *daemon;
    struct web_options options;
    struct certificate certificate;
};

/* A request between MHD's calls. */
struct exchange {
    const struct web_route *route; /* NULL: none fits */
    bool is_page, is_known_path, is_too_large;
    struct web_request request;
    char *body;
    size_t body_size, body_room;
};

/* ORD- and digits, in the room of an id. */
static bool take_id(const char *text, size_t size, char id[WEB_ID_SIZE])
{
    if (size < 5 || size > 4 + ORDER_DIGITS_MAX || strncmp(text, "ORD-", 4) != 0)
        return false;
    for (size_t i = 4; i < size; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    memcpy(id, text, size);
    id[size] = '\0';
    return true;
}

static bool path_fits(const char *pattern, const char *path, char id[WEB_ID_SIZE])
{
    const char *hole = strstr(pattern, "{id}");
    if (!hole)
        return strcmp(pattern, path) == 0;
    size_t before = (size_t)(hole - pattern);
    if (strncmp(pattern, path, before) != 0)
        return false;
    size_t size = strcspn(path + before, "/");
    return strcmp(hole + 4, path + before + size) == 0 && take_id(path + before, size, id);
}

static void choose_route(const struct web *web, struct exchange *exchange, const char *method)
{
    for (size_t i = 0; i < web->options.route_count; i++) {
        const struct web_route *route = &web->options.routes[i];
        if (!path_fits(route->path, exchange->request.path, exchange->request.id))
            continue;
        exchange->is_known_path = true;
        if (strcmp(route->method, method) == 0) {
            exchange->route = route;
            return;
        }
    }
}

static struct exchange *exchange_new(const struct web *web, struct MHD_Connection *connection,
                                     const char *path, const char *method)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    char *own_path = strdup(path);
    if (!exchange || !own_path) {
        free(exchange);
        free(own_path);
        return NULL;
    }
    exchange->request.connection = connection;
    exchange->request.path = own_path;
    exchange->is_page = strcmp(method, "GET") == 0 && page_is_one(path);
    if (!exchange->is_page)
        choose_route(web, exchange, method);
    if (exchange->route) {
        fg_mhd_set_route(connection, exchange->route->path);
        /* From here on, and by baggage in every later service. */
        if (exchange->request.id[0])
            fg_journey_set("order.id", exchange->request.id);
    }
    return exchange;
}

static void exchange_free(struct exchange *exchange)
{
    if (!exchange)
        return;
    free(exchange->body);
    free((char *)(uintptr_t)exchange->request.path);
    free(exchange);
}

/* False: out of memory. What is too large is read to its end and dropped. */
static bool take_body(struct exchange *exchange, const char *data, size_t size)
{
    size_t limit = exchange->route ? exchange->route->body_size_max : BODY_SIZE_MAX_PLAIN;
    if (exchange->is_too_large || size > limit - exchange->body_size) {
        exchange->is_too_large = true;
        return true;
    }
    if (exchange->body_size + size + 1 > exchange->body_room) {
        size_t room = 2 * (exchange->body_size + size + 1);
        char *body = realloc(exchange->body, room);
        if (!body)
            return false;
        exchange->body = body;
        exchange->body_room = room;
    }
    memcpy(exchange->body + exchange->body_size, data, size);
    exchange->body_size += size;
    exchange->body[exchange->body_size] = '\0';
    return true;
}

static void handle(const struct web *web, struct exchange *exchange, struct web_answer *answer)
{
    exchange->request.body = exchange->body ? exchange->body : "";
    exchange->request.body_size = exchange->body_size;
    if (exchange->is_page)
        page_answer(&web->options, exchange->request.path, answer);
    else if (!exchange->route && exchange->is_known_path)
        web_answer_error(answer, MHD_HTTP_METHOD_NOT_ALLOWED, "method", "not by this method");
    else if (!exchange->route)
        web_answer_error(answer, MHD_HTTP_NOT_FOUND, "not_found", "there is nothing by this path");
    else if (exchange->is_too_large)
        web_answer_error(answer, MHD_HTTP_CONTENT_TOO_LARGE, "too_large", "the body is too large");
    else
        exchange->route->handler(web->options.arg, &exchange->request, answer);
    if (answer->status == 0)
        web_answer_error(answer, MHD_HTTP_INTERNAL_SERVER_ERROR, "memory", "out of memory");
}

static enum MHD_Result queue(struct MHD_Connection *connection, struct web_answer *answer)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->body_size, answer->body ? answer->body : "",
        answer->body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!response) {
        free(answer->body);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                            answer->content_type ? answer->content_type : "application/json");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result result = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **state)
{
    const struct web *web = arg;
    struct exchange *exchange = *state;
    struct web_answer answer = {0};
    (void)version;
    if (!exchange) {
        *state = exchange = exchange_new(web, connection, path, method);
        return exchange ? MHD_YES : MHD_NO;
    }
    if (*data_size > 0) {
        bool is_taken = take_body(exchange, data, *data_size);
        *data_size = 0;
        return is_taken ? MHD_YES : MHD_NO;
    }
    handle(web, exchange, &answer);
    return queue(connection, &answer);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)connection, (void)code;
    exchange_free(*state);
    *state = NULL;
}

struct web *web_start(const struct web_options *options)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(options->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_OptionItem tls[4];
    struct web *web = calloc(1, sizeof *web);
    if (!web || !certificate_read(&web->certificate)) {
        free(web);
        return NULL;
    }
    certificate_options(&web->certificate, tls);
    web->options = *options;
    web->daemon = fg_MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
            certificate_flags(&web->certificate),
        options->port, NULL, NULL, on_request, web, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
        CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS_MAX, MHD_OPTION_ARRAY, tls,
        MHD_OPTION_END);
    if (!web->daemon) {
        service_say("can't serve on port %u: it is taken, or the certificate can't be used",
                    options->port);
        certificate_free(&web->certificate);
        free(web);
        return NULL;
    }
    return web;
}

void web_stop(struct web *web)
{
    if (!web)
        return;
    fg_MHD_stop_daemon(web->daemon);
    certificate_free(&web->certificate);
    free(web);
}

void web_answer_json_take(struct web_answer *answer, unsigned status, json_t *body)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text)
        return; /* handle() says that memory is short */
    free(answer->body);
    answer->status = status;
    answer->content_type = "application/json";
    answer->body = text;
    answer->body_size = strlen(text);
}

void web_answer_error(struct web_answer *answer, unsigned status, const char *code,
                      const char *text)
{
    answer->status = status;
    web_answer_json_take(answer, status, json_pack("{s:s, s:s}", "error", code, "message", text));
}

const char *web_query(const struct web_request *request, const char *name, const char *fallback)
{
    const char *value =
        MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
    return value ? value : fallback;
}

json_t *web_body_json(const struct web_request *request, struct web_answer *answer)
{
    json_t *body = json_loadb(request->body, request->body_size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(body))
        return body;
    json_decref(body);
    web_answer_error(answer, MHD_HTTP_BAD_REQUEST, "not_json", "the body is no JSON object");
    return NULL;
}
