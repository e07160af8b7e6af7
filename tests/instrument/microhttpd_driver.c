/* A server that is traced and knows of it only what main() says: it is compiled with
 * FILIGREE_DROP_IN, so that its MHD_ calls are the traced ones.
 *
 *     microhttpd_driver loop|connection|pool|plain    serves until standard input ends; prints its
 * port, at the end how many ended
 *
 * GET /orders/{id}: what the handler has of the request. POST /orders: takes a body, and puts it on
 * the journey. /fail: 500. /later: is answered by another thread while the connection is suspended.
 * /drop: the handler refuses. /large: an answer of 64 MiB. /own/…: names its route itself. `plain`:
 * without routes, and with options in an array. */
#define FILIGREE_DROP_IN
#include <filigree_microhttpd.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the program keeps with a request. */
struct own {
    int magic;
    size_t size;
    char body[1024];
};

static atomic_int completed_count, wrong_count;

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(size_t)text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static int put_header(void *carrier, const char *name, const char *value)
{
    char *text = carrier;
    strcat(strcat(strcat(strcat(text, name), "="), value), " ");
    return 0;
}

static void *answer_later(void *arg)
{
    struct MHD_Connection *connection = arg;
    fg_context *context = fg_mhd_context(connection);
    fg_scope scope = fg_context_enter(context);
    fg_span span = fg_span_start("later", NULL);
    usleep(100000);
    fg_span_end(span);
    fg_scope_leave(&scope);
    fg_context_free(context);
    answer(connection, 202, "later");
    MHD_resume_connection(connection);
    return NULL;
}

static ssize_t give_large(void *arg, uint64_t at, char *data, size_t size)
{
    (void)arg;
    if (at >= 64u << 20)
        return MHD_CONTENT_READER_END_OF_STREAM;
    memset(data, 'x', size);
    return (ssize_t)size;
}

static enum MHD_Result answer_large(struct MHD_Connection *connection)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(64u << 20, 65536, give_large, NULL, NULL);
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result describe(struct MHD_Connection *connection)
{
    char id[64], text[2048] = "";
    const char *route = fg_mhd_route(connection);
    fg_mhd_route_value(connection, "id", id, sizeof id);
    fg_context_inject(NULL, put_header, text);
    snprintf(text + strlen(text), sizeof text - strlen(text), "route=%s id=%s",
             route ? route : "none", id);
    fg_span_end(fg_span_start("in.handler", NULL));
    return answer(connection, 200, text);
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *body,
                              size_t *body_size, void **own_pointer)
{
    struct own *own = *own_pointer;
    pthread_t thread;
    (void)arg, (void)version;
    if (!own) {
        *own_pointer = own = calloc(1, sizeof *own);
        own->magic = 4711;
        if (strcmp(method, "POST") == 0)
            fg_journey_set("order.id", "ORD-POST");
        if (strcmp(path, "/later") == 0) {
            MHD_suspend_connection(connection);
            pthread_create(&thread, NULL, answer_later, connection);
            pthread_detach(thread);
        }
        return MHD_YES;
    }
    wrong_count += own->magic != 4711;
    if (*body_size) {
        size_t room = sizeof own->body - 1 - own->size,
               part = *body_size < room ? *body_size : room;
        memcpy(own->body + own->size, body, part);
        own->size += part;
        *body_size = 0;
        return MHD_YES;
    }
    if (strcmp(path, "/later") == 0)
        return MHD_YES;
    if (strcmp(path, "/fail") == 0)
        return answer(connection, 500, "no");
    if (strcmp(path, "/none") == 0)
        return answer(connection, 404, "no");
    if (strcmp(path, "/drop") == 0)
        return MHD_NO;
    if (strcmp(path, "/large") == 0)
        return answer_large(connection);
    if (strncmp(path, "/own/", 5) == 0)
        fg_mhd_set_route(connection, "/own/{what}");
    return strcmp(method, "POST") == 0 ? (fg_span_end(fg_span_start("in.handler", NULL)),
                                          answer(connection, 201, own->body))
                                       : describe(connection);
}

static void completed(void *arg, struct MHD_Connection *connection, void **own_pointer,
                      enum MHD_RequestTerminationCode code)
{
    struct own *own = *own_pointer;
    (void)connection, (void)code;
    wrong_count += arg != &completed_count || (own && own->magic != 4711);
    completed_count++;
    free(own);
    *own_pointer = NULL;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "loop";
    static const char *const routes[] = {"/orders", "/orders/{id}", "/later",  "/fail",
                                         "/drop",   "/large",       "/files/*"};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    fg_tracing_start(NULL);
    struct MHD_Daemon *daemon;
    if (strcmp(how, "plain") == 0) {
        struct MHD_OptionItem items[] = {
            {MHD_OPTION_SOCK_ADDR, 0, &address},
            {MHD_OPTION_CONNECTION_TIMEOUT, 10, NULL},
            {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)completed, &completed_count},
            {MHD_OPTION_END, 0, NULL}};
        daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, NULL, MHD_OPTION_ARRAY, items,
                                  MHD_OPTION_END);
    } else {
        flags |= strcmp(how, "connection") == 0 ? MHD_USE_THREAD_PER_CONNECTION : 0;
        daemon = MHD_start_daemon(
            flags, 0, NULL, NULL, handle, NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)65536,
            MHD_OPTION_NOTIFY_COMPLETED, completed, &completed_count, MHD_OPTION_CONNECTION_TIMEOUT,
            10u, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_THREAD_POOL_SIZE,
            strcmp(how, "pool") == 0 ? 4u : 0u, MHD_OPTION_END);
        fg_mhd_set_routes(daemon, routes, sizeof routes / sizeof *routes);
    }
    if (!daemon)
        return 1;
    printf("%d\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    MHD_stop_daemon(daemon);
    MHD_stop_daemon(NULL);
    printf("completed %d wrong %d\n", completed_count, wrong_count);
    return fg_tracing_flush(60000) == 0 ? 0 : 1;
}
