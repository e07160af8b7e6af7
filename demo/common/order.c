#include "order.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void order_mark(fg_span span, const char *id, const char *status, const char *version)
{
    fg_span_set_string(span, "order.id", id);
    fg_span_set_string(span, "order.status", status);
    fg_span_set_int(span, "order.version", strtol(version, NULL, 10));
}

static int put_header(void *arg, const char *name, const char *value)
{
    json_t *headers = arg;
    return json_object_set_new(headers, name, json_string(value));
}

static void say_now(char text[32])
{
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t size = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + size, 32 - size, ".%03ldZ", now.tv_nsec / 1000000);
}

bool order_send_take(PGconn *conn, const char *type, const char *id, const char *version,
                     json_t *extra, struct pool_failure *ret_failure)
{
    char now[32];
    say_now(now);
    json_t *headers = json_object();
    json_t *body = json_pack("{s:i, s:s, s:s, s:I, s:s}", "schema", 1, "type", type, "order_id", id,
                             "version", (json_int_t)strtol(version, NULL, 10), "at", now);
    json_object_update(body, extra);
    json_decref(extra);
    fg_context_inject(NULL, put_header, headers);
    char *body_text = json_dumps(body, JSON_COMPACT);
    char *headers_text = json_dumps(headers, JSON_COMPACT);
    PGresult *result = NULL;
    if (body_text && headers_text) {
        const char *values[] = {id, type, body_text, headers_text};
        result = pool_query(conn,
                            "INSERT INTO outbox (order_id, routing_key, body, headers)"
                            " VALUES ($1, $2, $3::jsonb, $4::jsonb)",
                            4, values, ret_failure);
    } else {
        snprintf(ret_failure->text, sizeof ret_failure->text, "out of memory");
        ret_failure->state[0] = '\0';
    }
    free(body_text);
    free(headers_text);
    json_decref(body);
    json_decref(headers);
    PQclear(result);
    return result != NULL;
}

void order_answer_failure(struct web_answer *answer, const struct pool_failure *failure)
{
    web_answer_error(answer, MHD_HTTP_SERVICE_UNAVAILABLE,
                     failure->state[0] ? failure->state : "database", failure->text);
}

void order_answer_refusal(PGconn *conn, const char *table, const char *key, const char *id,
                          struct web_answer *answer)
{
    char sql[128], text[128];
    struct pool_failure failure;
    const char *values[] = {id};
    snprintf(sql, sizeof sql, "SELECT status FROM %s WHERE %s = $1", table, key);
    PGresult *result = pool_query(conn, sql, 1, values, &failure);
    if (!result) {
        order_answer_failure(answer, &failure);
        return;
    }
    if (PQntuples(result) == 0) {
        web_answer_error(answer, MHD_HTTP_NOT_FOUND, "no_such_order", "there is no such order");
    } else {
        snprintf(text, sizeof text, "not while the order is %s", PQgetvalue(result, 0, 0));
        web_answer_error(answer, MHD_HTTP_CONFLICT, "wrong_status", text);
    }
    PQclear(result);
}
