/* From nothing to SUBMITTED. */
#include "order.h"
#include "service.h"
#include "shop.h"

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE_MAX 200

static const char *text_of(const json_t *body, const char *name)
{
    const char *text = json_string_value(json_object_get(body, name));
    return text && *text && strlen(text) <= NAME_SIZE_MAX ? text : NULL;
}

static void answer_order(struct web_answer *answer, unsigned status, const PGresult *row)
{
    web_answer_json_take(answer, status,
                         json_pack("{s:s, s:s, s:I}", "id", PQgetvalue(row, 0, 0), "status",
                                   PQgetvalue(row, 0, 1), "version",
                                   (json_int_t)strtol(PQgetvalue(row, 0, 2), NULL, 10)));
}

void shop_place(void *arg, const struct web_request *request, struct web_answer *answer)
{
    struct shop *shop = arg;
    struct pool_failure failure;
    json_t *body = web_body_json(request, answer);
    const char *values[] = {text_of(body, "customer"), text_of(body, "piece")};
    if (!body)
        return;
    if (!values[0] || !values[1]) {
        web_answer_error(answer, MHD_HTTP_BAD_REQUEST, "incomplete",
                         "customer and piece are wanted, as texts of at most 200 bytes");
        json_decref(body);
        return;
    }
    PGconn *conn = pool_take(shop->pool, &failure);
    PGresult *row =
        conn ? pool_query(conn,
                          "INSERT INTO orders (id, status, version, customer, piece)"
                          " VALUES ('ORD-' || lpad(nextval('order_number')::text, 6, '0'),"
                          " 'INITIATED', 1, $1, $2) RETURNING id, status, version",
                          2, values, &failure)
             : NULL;
    if (row) {
        fg_journey_set("order.id", PQgetvalue(row, 0, 0));
        order_mark(fg_span_current(), PQgetvalue(row, 0, 0), "INITIATED", "1");
        answer_order(answer, MHD_HTTP_CREATED, row);
    } else {
        order_answer_failure(answer, &failure);
    }
    PQclear(row);
    pool_give(shop->pool, conn);
    json_decref(body);
}

/* Moves an order on; the row, or NULL with the answer filled in. */
static PGresult *move_on(PGconn *conn, const char *id, const char *sql, const char *value,
                         struct web_answer *answer)
{
    struct pool_failure failure;
    const char *values[] = {id, value};
    PGresult *row = pool_query(conn, sql, value ? 2 : 1, values, &failure);
    if (!row) {
        order_answer_failure(answer, &failure);
    } else if (PQntuples(row) == 0) {
        PQclear(row);
        row = NULL;
        order_answer_refusal(conn, "orders", "id", id, answer);
    } else {
        order_mark(fg_span_current(), id, PQgetvalue(row, 0, 1), PQgetvalue(row, 0, 2));
    }
    return row;
}

static void answer_store(struct web_answer *answer, const struct s3_failure *failure)
{
    char text[S3_TEXT_SIZE + 32];
    snprintf(text, sizeof text, "the object store: %s", failure->text);
    web_answer_error(answer, MHD_HTTP_BAD_GATEWAY, "object_store", text);
}

void shop_put_model(void *arg, const struct web_request *request, struct web_answer *answer)
{
    struct shop *shop = arg;
    struct s3_failure store_failure;
    struct pool_failure failure;
    char key[128];
    snprintf(key, sizeof key, "%s/%s.stl", shop->bucket, request->id);
    if (request->body_size == 0) {
        web_answer_error(answer, MHD_HTTP_BAD_REQUEST, "empty",
                         "the body is the model, an STL file");
        return;
    }
    if (s3_put(shop->s3, key, request->body, request->body_size, &store_failure) < 0) {
        answer_store(answer, &store_failure);
        return;
    }
    PGconn *conn = pool_take(shop->pool, &failure);
    if (!conn) {
        order_answer_failure(answer, &failure);
        return;
    }
    PGresult *row = move_on(conn, request->id,
                            "UPDATE orders SET status = 'MODEL_UPLOADED', version = version + 1,"
                            " model_key = $2, updated_at = now() WHERE id = $1 AND status IN"
                            " ('INITIATED', 'MODEL_UPLOADED') RETURNING id, status, version",
                            key, answer);
    if (row)
        answer_order(answer, MHD_HTTP_OK, row);
    PQclear(row);
    pool_give(shop->pool, conn);
}

/* How loyal a customer is: the days of the last five years on which something was bought. */
static bool look_up_loyalty(PGconn *conn, const char *customer, struct pool_failure *failure)
{
    const char *values[] = {customer};
    PGresult *result = pool_query(
        conn,
        "SELECT count(*) FILTER (WHERE spent > 0) AS days, coalesce(sum(spent), 0) AS cents FROM"
        " (SELECT (SELECT sum(price_cents) FROM purchases WHERE customer = $1 AND bought_at >= day"
        " AND bought_at < day + interval '1 day') AS spent FROM generate_series(now() - interval"
        " '1820 days', now(), interval '1 day') AS day) AS days",
        1, values, failure);
    if (result && PQntuples(result) == 1)
        fg_span_set_int(fg_span_current(), "customer.loyal_days",
                        strtol(PQgetvalue(result, 0, 0), NULL, 10));
    PQclear(result);
    return result != NULL;
}

/* In the transaction: the status, and the message. False with the answer filled in. */
static bool submit(PGconn *conn, const struct web_request *request, struct web_answer *answer)
{
    struct pool_failure failure;
    PGresult *row = move_on(conn, request->id,
                            "UPDATE orders SET status = 'SUBMITTED', version = version + 1,"
                            " updated_at = now() WHERE id = $1 AND status = 'MODEL_UPLOADED'"
                            " RETURNING id, status, version, model_key, customer",
                            NULL, answer);
    if (!row)
        return false;
    bool is_done =
        look_up_loyalty(conn, PQgetvalue(row, 0, 4), &failure) &&
        order_send_take(conn, "order.submitted", request->id, PQgetvalue(row, 0, 2),
                        json_pack("{s:s}", "model_key", PQgetvalue(row, 0, 3)), &failure) &&
        pool_run(conn, "COMMIT", &failure);
    if (is_done)
        answer_order(answer, MHD_HTTP_OK, row);
    else
        order_answer_failure(answer, &failure);
    PQclear(row);
    return is_done;
}

/* A fault of its own: what was meant for orders of another country is thrown at all. */
static void fail_in_controller(struct web_answer *answer)
{
    fg_span_record_error(fg_span_current(), "NullReference",
                         "submit: the order's tax region is NULL");
    web_answer_error(answer, MHD_HTTP_INTERNAL_SERVER_ERROR, "internal", "an internal error");
}

void shop_submit(void *arg, const struct web_request *request, struct web_answer *answer)
{
    struct shop *shop = arg;
    struct pool_failure failure;
    if (service_fault("shop-api", "controller_error")) {
        fail_in_controller(answer);
        return;
    }
    if (service_fault("shop-api", "skip_work")) {
        /* It says that all is well, and has done nothing. */
        web_answer_json_take(
            answer, MHD_HTTP_OK,
            json_pack("{s:s, s:s, s:i}", "id", request->id, "status", "SUBMITTED", "version", 3));
        return;
    }
    PGconn *conn = pool_take(shop->pool, &failure);
    if (!conn || !pool_run(conn, "BEGIN", &failure))
        order_answer_failure(answer, &failure);
    else
        submit(conn, request, answer);
    pool_give(shop->pool, conn);
}
