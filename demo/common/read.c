#include "read.h"

#include "order.h"
#include "rows.h"

#include <microhttpd.h>
#include <stdlib.h>

#define LIST_MAX 500L

void read_one(struct pool *pool, const char *sql, const struct web_request *request,
              struct web_answer *answer)
{
    struct pool_failure failure;
    const char *values[] = {request->id};
    PGconn *conn = pool_take(pool, &failure);
    PGresult *rows = conn ? pool_query(conn, sql, 1, values, &failure) : NULL;
    if (!rows)
        order_answer_failure(answer, &failure);
    else if (PQntuples(rows) == 0)
        web_answer_error(answer, MHD_HTTP_NOT_FOUND, "no_such_order", "there is no such order");
    else
        web_answer_json_take(answer, MHD_HTTP_OK, rows_object(rows, 0));
    PQclear(rows);
    pool_give(pool, conn);
}

void read_list(struct pool *pool, const char *sql, const struct web_request *request,
               struct web_answer *answer)
{
    struct pool_failure failure;
    const char *limit = web_query(request, "limit", "100");
    const char *values[] = {web_query(request, "status", ""), limit};
    char *end;
    long count = strtol(limit, &end, 10);
    if (*end || count < 1 || count > LIST_MAX) {
        web_answer_error(answer, MHD_HTTP_BAD_REQUEST, "limit", "limit is a number from 1 to 500");
        return;
    }
    PGconn *conn = pool_take(pool, &failure);
    PGresult *rows = conn ? pool_query(conn, sql, 2, values, &failure) : NULL;
    if (rows)
        web_answer_json_take(answer, MHD_HTTP_OK, json_pack("{s:o}", "orders", rows_list(rows)));
    else
        order_answer_failure(answer, &failure);
    PQclear(rows);
    pool_give(pool, conn);
}
