/* What operators do with a job: start, finish, pack, ship. Each is one step on, and a message. */
#include "mes.h"
#include "order.h"
#include "service.h"

#include <filigree_curl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKING_SECONDS_MAX 10L
#define LABEL_SIZE_MAX      ((size_t)4096)

/* In a transaction: the status that follows, and mes.status_changed. */
static void step_on(struct mes *mes, const struct web_request *request, const char *from,
                    const char *to, const char *who, struct web_answer *answer)
{
    struct pool_failure failure;
    const char *values[] = {request->id, from, to, who};
    PGconn *conn = pool_take(mes->pool, &failure);
    PGresult *row = NULL;
    if (conn && pool_run(conn, "BEGIN", &failure))
        row = pool_query(conn,
                         "UPDATE jobs SET status = $3, version = version + 1, updated_at = now(),"
                         " operator = coalesce($4, operator) WHERE order_id = $1 AND status = $2"
                         " RETURNING version",
                         4, values, &failure);
    if (row && PQntuples(row) == 0) {
        order_answer_refusal(conn, "jobs", "order_id", request->id, answer);
    } else if (!row ||
               !order_send_take(conn, "mes.status_changed", request->id, PQgetvalue(row, 0, 0),
                                json_pack("{s:s}", "status", to), &failure) ||
               !pool_run(conn, "COMMIT", &failure)) {
        order_answer_failure(answer, &failure);
    } else {
        order_mark(fg_span_current(), request->id, to, PQgetvalue(row, 0, 0));
        web_answer_json_take(answer, MHD_HTTP_OK,
                             json_pack("{s:s, s:s, s:I}", "id", request->id, "status", to,
                                       "version",
                                       (json_int_t)strtol(PQgetvalue(row, 0, 0), NULL, 10)));
        outbox_wake(mes->outbox);
    }
    PQclear(row);
    pool_give(mes->pool, conn);
}

void mes_start(void *arg, const struct web_request *request, struct web_answer *answer)
{
    json_t *body = web_body_json(request, answer);
    const char *who = json_string_value(json_object_get(body, "operator"));
    if (!body)
        return;
    if (who && strlen(who) <= 100)
        step_on(arg, request, "MANUFACTURING_APPROVED", "MANUFACTURING_STARTED", who, answer);
    else
        web_answer_error(answer, MHD_HTTP_BAD_REQUEST, "incomplete",
                         "operator is wanted, a text of at most 100 bytes");
    json_decref(body);
}

void mes_finish(void *arg, const struct web_request *request, struct web_answer *answer)
{
    step_on(arg, request, "MANUFACTURING_STARTED", "MANUFACTURING_COMPLETED", NULL, answer);
}

static size_t drop_data(char *data, size_t one, size_t count, void *arg)
{
    size_t *size = arg;
    (void)data;
    *size += one * count;
    return *size <= LABEL_SIZE_MAX ? one * count : 0;
}

/* The packing station prints a label. False, with the answer filled in, where it does not. */
static bool print_label(struct mes *mes, const char *id, struct web_answer *answer)
{
    char url[256], body[128];
    size_t size = 0;
    long status = 0;
    CURL *easy = fg_curl_easy_init();
    if (!easy)
        return false;
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    snprintf(url, sizeof url, "%s/labels", mes->packing_url);
    snprintf(body, sizeof body, "{\"order_id\":\"%s\"}", id);
    fg_curl_easy_setopt(easy, CURLOPT_URL, url);
    fg_curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    fg_curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    if (service_trust())
        fg_curl_easy_setopt(easy, CURLOPT_CAINFO, service_trust());
    fg_curl_easy_setopt(easy, CURLOPT_TIMEOUT, PACKING_SECONDS_MAX);
    fg_curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    fg_curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    fg_curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_data);
    fg_curl_easy_setopt(easy, CURLOPT_WRITEDATA, &size);
    fg_curl_set_template(easy, "/labels");
    CURLcode code = fg_curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    bool is_printed = code == CURLE_OK && status == MHD_HTTP_CREATED;
    if (!is_printed)
        web_answer_error(answer, MHD_HTTP_BAD_GATEWAY, "packing",
                         code == CURLE_OK ? "the packing station did not print the label"
                                          : curl_easy_strerror(code));
    fg_curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    return is_printed;
}

void mes_pack(void *arg, const struct web_request *request, struct web_answer *answer)
{
    if (print_label(arg, request->id, answer))
        step_on(arg, request, "MANUFACTURING_COMPLETED", "PACKAGING", NULL, answer);
}

void mes_ship(void *arg, const struct web_request *request, struct web_answer *answer)
{
    step_on(arg, request, "PACKAGING", "SHIPPED", NULL, answer);
}
