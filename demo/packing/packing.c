/* The packing station's program: it makes labels. It is older than tracing, nobody may change it
 * any more, and so it is only watched from outside; nothing of libfiligree is in it.
 *
 *     PORT=7104 demo-packing      serves on 127.0.0.1 until SIGTERM
 *
 * POST /labels {"order_id": "ORD-000001"} answers 201 {"label": "LBL-00001/ORD-000001"}; GET
 * /healthz. */
#include "certificate.h"

#include <jansson.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_SIZE_MAX   4096
#define CONNECTIONS_MAX 50u

struct sheet {
    size_t size;
    char body[BODY_SIZE_MAX];
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *text)
{
    char copy[256];
    int size = snprintf(copy, sizeof copy, "%s", text);
    struct MHD_Response *response =
        MHD_create_response_from_buffer((size_t)size, copy, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result print_label(struct MHD_Connection *connection, const struct sheet *sheet)
{
    static atomic_uint count;
    char text[128];
    json_t *body = json_loadb(sheet->body, sheet->size, 0, NULL);
    const char *order = json_string_value(json_object_get(body, "order_id"));
    if (order)
        snprintf(text, sizeof text, "{\"label\":\"LBL-%05u/%.40s\"}",
                 atomic_fetch_add(&count, 1) + 1, order);
    enum MHD_Result result =
        order ? answer(connection, MHD_HTTP_CREATED, text)
              : answer(connection, MHD_HTTP_BAD_REQUEST, "{\"error\":\"order_id is wanted\"}");
    json_decref(body);
    return result;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **state)
{
    struct sheet *sheet = *state;
    (void)arg, (void)version;
    if (!sheet) {
        *state = calloc(1, sizeof *sheet);
        return *state ? MHD_YES : MHD_NO;
    }
    if (*data_size > 0) {
        if (*data_size > BODY_SIZE_MAX - sheet->size)
            return MHD_NO;
        memcpy(sheet->body + sheet->size, data, *data_size);
        sheet->size += *data_size;
        *data_size = 0;
        return MHD_YES;
    }
    if (strcmp(path, "/labels") == 0 && strcmp(method, "POST") == 0)
        return print_label(connection, sheet);
    if (strcmp(path, "/healthz") == 0)
        return answer(connection, MHD_HTTP_OK, "{\"status\":\"ok\"}");
    return answer(connection, MHD_HTTP_NOT_FOUND, "{\"error\":\"there is nothing by this path\"}");
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)connection, (void)code;
    free(*state);
    *state = NULL;
}

int main(void)
{
    const char *text = getenv("PORT");
    unsigned long port = text ? strtoul(text, NULL, 10) : 0;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sigset_t ending;
    int number;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
    if (port == 0 || port > UINT16_MAX) {
        fprintf(stderr, "demo-packing: PORT is no port\n");
        return 2;
    }
    struct certificate certificate;
    struct MHD_OptionItem tls[4];
    if (!certificate_read(&certificate))
        return 2;
    certificate_options(&certificate, tls);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | certificate_flags(&certificate),
        (uint16_t)port, NULL, NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
        CONNECTIONS_MAX, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    if (!daemon) {
        fprintf(stderr,
                "demo-packing: can't serve on port %lu: it is taken, or the certificate can't be "
                "used\n",
                port);
        certificate_free(&certificate);
        return 1;
    }
    sigwait(&ending, &number);
    MHD_stop_daemon(daemon);
    certificate_free(&certificate);
    return 0;
}
