/* The calls that stand in for libpq's. What belongs to a connection is found by its address. */
#include "conn.h"
#include "sql.h"

#include "../instrument/table.h"
#include "os/env.h"

#include <filigree_pq.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_MAX = 65536 };

static struct fg_table connections = FG_TABLE_INIT;

const fg_tracer *fg_pq_tracer(void)
{
    return fg_tracer_get("filigree-pq", FG_VERSION);
}

struct fg_pq_conn *fg_pq_find(const PGconn *conn)
{
    return fg_table_find(&connections, conn);
}

struct fg_pq_conn *fg_pq_find_or_make(const PGconn *conn)
{
    struct fg_pq_conn *known = fg_pq_find(conn);
    if (known || !conn || !(known = calloc(1, sizeof *known)))
        return known;
    if (fg_table_put(&connections, conn, known, CONNECTIONS_MAX))
        return known;
    free(known);
    return NULL;
}

void fg_pq_forget(PGconn *conn)
{
    struct fg_pq_conn *known = fg_table_take(&connections, conn);
    if (!known)
        return;
    if (known->is_connecting) {
        fg_tell_error(known->connect_span, "cancelled",
                      "the connection was closed while it was made");
        fg_span_end(known->connect_span);
    }
    fg_pq_drop_pending(known);
    fg_pq_transaction_end(known, "rollback");
    fg_pq_forget_prepared(known);
    free(known->plain_message);
    free(known);
}

/* -- Connections */

static uint64_t now_ns(void)
{
    return fg_env_wall_ns(fg_env_real());
}

/* Starts the span of a connect that began at start_ns; NULL where it can't be followed. */
static struct fg_pq_conn *begin(PGconn *conn, uint64_t start_ns)
{
    struct fg_pq_conn *known = fg_pq_find_or_make(conn);
    if (known)
        fg_pq_connect_start(conn, known, start_ns);
    return known;
}

static PGconn *begin_to_wait(PGconn *conn, uint64_t start_ns)
{
    struct fg_pq_conn *known = begin(conn, start_ns);
    if (known)
        fg_pq_connect_wait(conn, known);
    else if (conn)
        PQreset(conn); /* nothing can be noted of it; it is still to be connected */
    return conn;
}

static PGconn *begin_to_poll(PGconn *conn, uint64_t start_ns)
{
    struct fg_pq_conn *known = begin(conn, start_ns);
    if (known && PQstatus(conn) == CONNECTION_BAD)
        fg_pq_connect_end(conn, known, false, false);
    return conn;
}

PGconn *fg_PQconnectdb(const char *conninfo)
{
    uint64_t start_ns = now_ns();
    return begin_to_wait(PQconnectStart(conninfo), start_ns);
}

PGconn *fg_PQconnectdbParams(const char *const *keywords, const char *const *values,
                             int expand_dbname)
{
    uint64_t start_ns = now_ns();
    return begin_to_wait(PQconnectStartParams(keywords, values, expand_dbname), start_ns);
}

PGconn *fg_PQsetdbLogin(const char *host, const char *port, const char *options, const char *tty,
                        const char *dbname, const char *login, const char *password)
{
    const char *const given[][2] = {{"dbname", dbname},   {"host", host},  {"port", port},
                                    {"options", options}, {"user", login}, {"password", password}};
    const char *keywords[7] = {0}, *values[7] = {0};
    size_t count = 0;
    (void)tty; /* libpq ignores it as well */
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (given[i][1] && *given[i][1]) {
            keywords[count] = given[i][0];
            values[count++] = given[i][1];
        }
    return fg_PQconnectdbParams(keywords, values, 1);
}

PGconn *fg_PQconnectStart(const char *conninfo)
{
    uint64_t start_ns = now_ns();
    return begin_to_poll(PQconnectStart(conninfo), start_ns);
}

PGconn *fg_PQconnectStartParams(const char *const *keywords, const char *const *values,
                                int expand_dbname)
{
    uint64_t start_ns = now_ns();
    return begin_to_poll(PQconnectStartParams(keywords, values, expand_dbname), start_ns);
}

static PostgresPollingStatusType polled(PGconn *conn, PostgresPollingStatusType status)
{
    struct fg_pq_conn *known = fg_pq_find(conn);
    if (known && (status == PGRES_POLLING_OK || status == PGRES_POLLING_FAILED))
        fg_pq_connect_end(conn, known, status == PGRES_POLLING_OK, false);
    return status;
}

PostgresPollingStatusType fg_PQconnectPoll(PGconn *conn)
{
    return polled(conn, PQconnectPoll(conn));
}

/* What belonged to the session is over. */
static void leave_session(struct fg_pq_conn *known)
{
    fg_pq_drop_pending(known);
    fg_pq_transaction_end(known, "rollback");
    fg_pq_forget_prepared(known);
}

void fg_PQreset(PGconn *conn)
{
    struct fg_pq_conn *known = fg_pq_find_or_make(conn);
    if (known) {
        leave_session(known);
        fg_pq_connect_start(conn, known, 0);
    }
    PQreset(conn);
    if (known)
        fg_pq_connect_end(conn, known, PQstatus(conn) == CONNECTION_OK, false);
}

int fg_PQresetStart(PGconn *conn)
{
    struct fg_pq_conn *known = fg_pq_find_or_make(conn);
    if (known) {
        leave_session(known);
        fg_pq_connect_start(conn, known, 0);
    }
    int is_started = PQresetStart(conn);
    if (known && !is_started)
        fg_pq_connect_end(conn, known, false, false);
    return is_started;
}

PostgresPollingStatusType fg_PQresetPoll(PGconn *conn)
{
    return polled(conn, PQresetPoll(conn));
}

void fg_PQfinish(PGconn *conn)
{
    fg_pq_forget(conn);
    PQfinish(conn);
}

char *fg_PQerrorMessage(const PGconn *conn)
{
    const struct fg_pq_conn *known = fg_pq_find(conn);
    bool is_plain = known && known->plain_message && PQstatus(conn) == CONNECTION_BAD;
    return is_plain ? known->plain_message : PQerrorMessage(conn);
}

/* -- Statements */

static atomic_int comments = -1; /* -1: as the environment says */

void fg_pq_set_comments(int is_on)
{
    atomic_store(&comments, is_on != 0);
}

static bool wants_comments(void)
{
    int now = atomic_load(&comments);
    if (now < 0) {
        const char *said = getenv("FILIGREE_SQL_COMMENTS");
        now = said && strcmp(said, "on") == 0;
        atomic_store(&comments, now);
    }
    return now;
}

/* The text with the span in a comment, to be freed (sqlcommenter's specification); NULL: it stays
 * as it is. */
static char *with_comment(const char *query, fg_span span)
{
    char parent[FG_TRACEPARENT_SIZE], *text;
    if (!wants_comments() || !query || strstr(query, "--") || strstr(query, "/*"))
        return NULL;
    fg_span_traceparent(span, parent);
    size_t size = strlen(query);
    while (size > 0 && strchr(" \t\r\n;", query[size - 1]))
        size--;
    if (size == 0 || !parent[0] || size > INT32_MAX)
        return NULL;
    return asprintf(&text, "%.*s /*traceparent='%s'*/", (int)size, query, parent) < 0 ? NULL : text;
}

static PGresult *finish(PGconn *conn, struct fg_pq_conn *known, fg_span span, PGresult *result)
{
    struct fg_pq_statement statement = {.span = span};
    fg_pq_statement_result(conn, &statement, result);
    fg_pq_statement_end(conn, known, &statement);
    return result;
}

/* Before a call that waits for its result: libpq throws away what is still to come of those before.
 */
static struct fg_pq_conn *known_for_call(PGconn *conn)
{
    struct fg_pq_conn *known = fg_pq_find_or_make(conn);
    if (known && PQpipelineStatus(conn) == PQ_PIPELINE_OFF)
        fg_pq_drop_pending(known);
    return known;
}

PGresult *fg_PQexec(PGconn *conn, const char *query)
{
    struct fg_pq_conn *known = known_for_call(conn);
    fg_span span = fg_pq_statement_start(conn, known, NULL, query);
    char *text = with_comment(query, span);
    PGresult *result = PQexec(conn, text ? text : query);
    free(text);
    return finish(conn, known, span, result);
}

PGresult *fg_PQexecParams(PGconn *conn, const char *query, int count, const Oid *types,
                          const char *const *values, const int *lengths, const int *formats,
                          int result_format)
{
    struct fg_pq_conn *known = known_for_call(conn);
    fg_span span = fg_pq_statement_start(conn, known, NULL, query);
    char *text = with_comment(query, span);
    PGresult *result = PQexecParams(conn, text ? text : query, count, types, values, lengths,
                                    formats, result_format);
    free(text);
    return finish(conn, known, span, result);
}

PGresult *fg_PQprepare(PGconn *conn, const char *name, const char *query, int count,
                       const Oid *types)
{
    struct fg_pq_conn *known = known_for_call(conn);
    fg_span span = fg_pq_statement_start(conn, known, "PREPARE", query);
    PGresult *result = PQprepare(conn, name, query, count, types);
    if (known && PQresultStatus(result) == PGRES_COMMAND_OK)
        fg_pq_remember(known, name, query);
    return finish(conn, known, span, result);
}

PGresult *fg_PQexecPrepared(PGconn *conn, const char *name, int count, const char *const *values,
                            const int *lengths, const int *formats, int result_format)
{
    struct fg_pq_conn *known = known_for_call(conn);
    const char *query = fg_pq_recall(known, name);
    fg_span span = fg_pq_statement_start(conn, known, query ? NULL : "EXECUTE", query);
    return finish(conn, known, span,
                  PQexecPrepared(conn, name, count, values, lengths, formats, result_format));
}

/* -- Statements that are sent, and whose results are read later */

/* Puts the span to those under way; one that was not sent ends at once. */
static int sent(PGconn *conn, fg_span span, int is_sent)
{
    struct fg_pq_conn *known = fg_pq_find(conn);
    struct fg_pq_statement *statement = NULL;
    if (!is_sent) {
        finish(conn, known, span, NULL);
        return is_sent;
    }
    if (known && known->untold_count == 0 && known->pending_count < FG_PQ_PENDING_MAX)
        statement = calloc(1, sizeof *statement);
    if (!statement) {
        if (known)
            known->untold_count++;
        fg_span_end(span);
        return is_sent;
    }
    statement->span = span;
    if (known->last)
        known->last->next = statement;
    else
        known->first = statement;
    known->last = statement;
    known->pending_count++;
    return is_sent;
}

int fg_PQsendQuery(PGconn *conn, const char *query)
{
    fg_span span = fg_pq_statement_start(conn, fg_pq_find_or_make(conn), NULL, query);
    char *text = with_comment(query, span);
    int is_sent = PQsendQuery(conn, text ? text : query);
    free(text);
    return sent(conn, span, is_sent);
}

int fg_PQsendQueryParams(PGconn *conn, const char *query, int count, const Oid *types,
                         const char *const *values, const int *lengths, const int *formats,
                         int result_format)
{
    fg_span span = fg_pq_statement_start(conn, fg_pq_find_or_make(conn), NULL, query);
    char *text = with_comment(query, span);
    int is_sent = PQsendQueryParams(conn, text ? text : query, count, types, values, lengths,
                                    formats, result_format);
    free(text);
    return sent(conn, span, is_sent);
}

int fg_PQsendPrepare(PGconn *conn, const char *name, const char *query, int count, const Oid *types)
{
    struct fg_pq_conn *known = fg_pq_find_or_make(conn);
    fg_span span = fg_pq_statement_start(conn, known, "PREPARE", query);
    int is_sent = PQsendPrepare(conn, name, query, count, types);
    if (known && is_sent)
        fg_pq_remember(known, name, query);
    return sent(conn, span, is_sent);
}

int fg_PQsendQueryPrepared(PGconn *conn, const char *name, int count, const char *const *values,
                           const int *lengths, const int *formats, int result_format)
{
    struct fg_pq_conn *known = fg_pq_find_or_make(conn);
    const char *query = fg_pq_recall(known, name);
    fg_span span = fg_pq_statement_start(conn, known, query ? NULL : "EXECUTE", query);
    return sent(conn, span,
                PQsendQueryPrepared(conn, name, count, values, lengths, formats, result_format));
}

PGresult *fg_PQgetResult(PGconn *conn)
{
    struct fg_pq_conn *known = fg_pq_find(conn);
    PGresult *result = PQgetResult(conn);
    struct fg_pq_statement *first = known ? known->first : NULL;
    if (!first || PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
        if (known && !first && !result && known->untold_count > 0)
            known->untold_count--;
        return result;
    }
    if (result) {
        fg_pq_statement_result(conn, first, result);
        return result;
    }
    known->first = first->next;
    if (!known->first)
        known->last = NULL;
    known->pending_count--;
    fg_pq_statement_end(conn, known, first);
    free(first);
    return result;
}

/* -- Pools */

fg_span fg_pq_wait_start(const char *pool_name)
{
    fg_attr attrs[] = {
        fg_attr_string("db.system.name", "postgresql"),
        fg_attr_string("db.client.connection.pool.name", pool_name ? pool_name : "pool")};
    return fg_tell_start(fg_pq_tracer(), "wait for connection", FG_SPAN_INTERNAL, NULL, attrs, 2);
}

void fg_pq_wait_end(fg_span wait, const PGconn *conn)
{
    fg_attr attrs[FG_PQ_PEER_ATTRS];
    size_t count = conn ? fg_pq_peer(conn, attrs) : 0;
    for (size_t i = 0; i < count; i++)
        fg_span_set(wait, attrs[i]);
    if (!conn)
        fg_tell_error(wait, "timeout", "the pool gave no connection in time");
    fg_span_end(wait);
}
