/* MES API: the manufacturing execution system. It takes orders from the broker, works out their
 * prices, keeps its jobs in MES DB, and says by messages how they go on. */
#include "mes.h"
#include "service.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECTIONS_MAX 8
#define BODY_SIZE_MAX   ((size_t)65536)

static const struct web_route routes[] = {
    {"GET", "/orders", mes_list, 0},
    {"GET", "/orders/{id}", mes_get, 0},
    {"POST", "/orders/{id}/start", mes_start, BODY_SIZE_MAX},
    {"POST", "/orders/{id}/finish", mes_finish, BODY_SIZE_MAX},
    {"POST", "/orders/{id}/pack", mes_pack, BODY_SIZE_MAX},
    {"POST", "/orders/{id}/ship", mes_ship, BODY_SIZE_MAX},
};

/* What runs beside the requests: the publisher and the consumer. */
static int serve(struct mes *mes, const struct web_options *web_options)
{
    const struct outbox_options outbox_options = {
        .pool = mes->pool, .broker_uri = mes->broker_uri, .exchange = "mes", .service = "mes-api"};
    mes->outbox = outbox_start(&outbox_options);
    struct consumer *consumer = mes->outbox ? mes_consume_start(mes) : NULL;
    struct web *web = consumer ? web_start(web_options) : NULL;
    if (web)
        service_wait();
    web_stop(web);
    mes_consume_stop(consumer);
    outbox_stop(mes->outbox);
    return web ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(void)
{
    char page_config[512];
    service_begin();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    snprintf(page_config, sizeof page_config, "{\"service\":\"mes-page\",\"otlp_endpoint\":\"%s\"}",
             service_setting("PAGES_OTLP_ENDPOINT", ""));
    struct mes mes = {.pool = pool_new("mes-db", service_setting("MES_DB", NULL), CONNECTIONS_MAX),
                      .s3 = s3_new(),
                      .broker_uri = service_setting("AMQP_URL", NULL),
                      .packing_url = service_setting("PACKING_URL", NULL)};
    const struct web_options options = {.port = service_port("PORT"),
                                        .routes = routes,
                                        .route_count = sizeof routes / sizeof *routes,
                                        .arg = &mes,
                                        .page = "mes.html",
                                        .page_config = page_config};
    int status = mes.pool && mes.s3 ? serve(&mes, &options) : EXIT_FAILURE;
    pool_free(mes.pool);
    s3_free(mes.s3);
    return status;
}
