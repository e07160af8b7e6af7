/* SHOP API: orders, their models and their status. It keeps orders in SHOP DB and models in S3;
 * what others must hear of stands in the outbox, which the CRM API publishes. */
#include "service.h"
#include "shop.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECTIONS_MAX         8
#define REPLICA_CONNECTIONS_MAX 4
#define BODY_SIZE_MAX           ((size_t)65536)
#define MODEL_SIZE_MAX          ((size_t)16 << 20)

static const struct web_route routes[] = {
    {"POST", "/orders", shop_place, BODY_SIZE_MAX},
    {"GET", "/orders", shop_list, 0},
    {"GET", "/orders/{id}", shop_get, 0},
    {"PUT", "/orders/{id}/model", shop_put_model, MODEL_SIZE_MAX},
    {"POST", "/orders/{id}/submit", shop_submit, BODY_SIZE_MAX},
    {"POST", "/orders/{id}/approve", shop_approve, BODY_SIZE_MAX},
    {"POST", "/orders/{id}/cancel", shop_cancel, BODY_SIZE_MAX},
    {"POST", "/orders/{id}/close", shop_close, BODY_SIZE_MAX},
};

int main(void)
{
    char page_config[512];
    service_begin();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    snprintf(page_config, sizeof page_config,
             "{\"service\":\"shop-page\",\"otlp_endpoint\":\"%s\"}",
             service_setting("PAGES_OTLP_ENDPOINT", ""));
    struct shop shop = {
        .pool = pool_new("shop-db", service_setting("SHOP_DB", NULL), CONNECTIONS_MAX),
        .replica = pool_new("shop-db-replica", service_setting("SHOP_DB_REPLICA", NULL),
                            REPLICA_CONNECTIONS_MAX),
        .s3 = s3_new(),
        .bucket = service_setting("S3_BUCKET", NULL),
        .crm_url = service_setting("CRM_URL", NULL)};
    const struct web_options options = {.port = service_port("PORT"),
                                        .routes = routes,
                                        .route_count = sizeof routes / sizeof *routes,
                                        .arg = &shop,
                                        .page = "shop.html",
                                        .page_config = page_config};
    struct web *web = shop.pool && shop.replica && shop.s3 ? web_start(&options) : NULL;
    if (web)
        service_wait();
    web_stop(web);
    pool_free(shop.pool);
    pool_free(shop.replica);
    s3_free(shop.s3);
    return web ? EXIT_SUCCESS : EXIT_FAILURE;
}
