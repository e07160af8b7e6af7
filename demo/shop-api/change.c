/* Cancelling, closing, and the seller's approval, which the CRM API does. */
#include "order.h"
#include "service.h"
#include "shop.h"

#include <filigree_curl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPROVE_SECONDS_MAX 20L
#define ANSWER_SIZE_MAX     ((size_t)65536)

/* In a transaction: the new status, and the message of that type, where there is one. */
static void change(struct shop *shop, const struct web_request *request, const char *sql,
                   const char *message, struct web_answer *answer)
{
    struct pool_failure failure;
    const char *values[] = {request->id};
    PGconn *conn = pool_take(shop->pool, &failure);
    PGresult *row = NULL;
    bool is_asked = conn && pool_run(conn, "BEGIN", &failure);
    if (is_asked)
        row = pool_query(conn, sql, 1, values, &failure);
    if (row && PQntuples(row) == 0) {
        order_answer_refusal(conn, "orders", "id", request->id, answer);
    } else if (!row ||
               (message && !order_send_take(conn, message, request->id, PQgetvalue(row, 0, 1), NULL,
                                            &failure)) ||
               !pool_run(conn, "COMMIT", &failure)) {
        order_answer_failure(answer, &failure);
    } else {
        order_mark(fg_span_current(), request->id, PQgetvalue(row, 0, 0), PQgetvalue(row, 0, 1));
        web_answer_json_take(answer, MHD_HTTP_OK,
                             json_pack("{s:s, s:s, s:I}", "id", request->id, "status",
                                       PQgetvalue(row, 0, 0), "version",
                                       (json_int_t)strtol(PQgetvalue(row, 0, 1), NULL, 10)));
    }
    PQclear(row);
    pool_give(shop->pool, conn);
}

void shop_cancel(void *arg, const struct web_request *request, struct web_answer *answer)
{
    change(arg, request,
           "UPDATE orders SET status = 'CANCELLED', version = version + 1, updated_at = now()"
           " WHERE id = $1 AND status IN ('INITIATED', 'MODEL_UPLOADED', 'SUBMITTED',"
           " 'PRICE_CALCULATED', 'MANUFACTURING_APPROVED', 'MANUFACTURING_STARTED')"
           " RETURNING status, version",
           "order.cancelled", answer);
}

void shop_close(void *arg, const struct web_request *request, struct web_answer *answer)
{
    change(arg, request,
           "UPDATE orders SET status = 'CLOSED', version = version + 1, updated_at = now()"
           " WHERE id = $1 AND status = 'SHIPPED' RETURNING status, version",
           NULL, answer);
}

/* What the CRM API answered. */
struct reply {
    char *data;
    size_t size;
};

static size_t on_data(char *data, size_t one, size_t count, void *arg)
{
    struct reply *reply = arg;
    size_t size = one * count;
    if (size > ANSWER_SIZE_MAX - reply->size)
        return 0;
    memcpy(reply->data + reply->size, data, size);
    reply->size += size;
    return size;
}

static void give_reply(CURLcode code, long status, struct reply *reply, struct web_answer *answer)
{
    if (code != CURLE_OK) {
        web_answer_error(answer, MHD_HTTP_BAD_GATEWAY, "crm", curl_easy_strerror(code));
        return;
    }
    json_t *body = json_loadb(reply->data, reply->size, 0, NULL);
    if (body)
        web_answer_json_take(answer, (unsigned)status, body);
    else
        web_answer_error(answer, status / 100 == 5 ? (unsigned)status : MHD_HTTP_BAD_GATEWAY, "crm",
                         "the CRM API's answer is no JSON");
}

void shop_approve(void *arg, const struct web_request *request, struct web_answer *answer)
{
    struct shop *shop = arg;
    struct reply reply = {.data = malloc(ANSWER_SIZE_MAX)};
    char url[256];
    CURL *easy = fg_curl_easy_init();
    if (!easy || !reply.data ||
        snprintf(url, sizeof url, "%s/orders/%s/approve", shop->crm_url, request->id) >=
            (int)sizeof url) {
        free(reply.data);
        fg_curl_easy_cleanup(easy);
        return; /* the server says that memory is short */
    }
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    long status = 0;
    fg_curl_easy_setopt(easy, CURLOPT_URL, url);
    fg_curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    fg_curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    if (service_trust())
        fg_curl_easy_setopt(easy, CURLOPT_CAINFO, service_trust());
    fg_curl_easy_setopt(easy, CURLOPT_TIMEOUT, APPROVE_SECONDS_MAX);
    fg_curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    fg_curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)request->body_size);
    fg_curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
    fg_curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    fg_curl_easy_setopt(easy, CURLOPT_WRITEDATA, &reply);
    fg_curl_set_template(easy, "/orders/{id}/approve");
    CURLcode code = fg_curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    give_reply(code, status, &reply, answer);
    fg_curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    free(reply.data);
}
