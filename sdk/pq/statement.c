/* Statements and transactions. A transaction is known by what libpq says of the connection before
 * and after a statement; its span begins when it has begun, and its statements are under it unless
 * the program has entered a span meanwhile. */
#include "conn.h"
#include "sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

fg_span fg_pq_statement_start(const PGconn *conn, struct fg_pq_conn *known, const char *verb,
                              const char *sql)
{
    char summary[FG_SQL_SUMMARY_MAX], name[FG_SQL_SUMMARY_MAX + 16];
    fg_attr attrs[FG_PQ_PEER_ATTRS + 3];
    fg_span current = fg_span_current();
    fg_context *under = NULL;
    fg_sql_summary(sql, summary);
    snprintf(name, sizeof name, "%s%s%s", verb ? verb : "", verb && summary[0] ? " " : "",
             summary[0] ? summary
             : verb     ? ""
                        : "postgresql");
    size_t count = fg_pq_peer(conn, attrs);
    if (sql && *sql)
        attrs[count++] = fg_attr_string("db.query.text", sql);
    if (summary[0])
        attrs[count++] = fg_attr_string("db.query.summary", summary);
    if (verb)
        attrs[count++] = fg_attr_string("db.operation.name", verb);
    if (known && known->is_in_transaction &&
        memcmp(current.span_id, known->begun_under, sizeof current.span_id) == 0)
        under = fg_context_with_span(NULL, known->transaction);
    fg_span span = fg_tell_start(fg_pq_tracer(), name, FG_SPAN_CLIENT, under, attrs, count);
    fg_context_free(under);
    return span;
}

void fg_pq_tell_error(fg_span span, const char *state, const char *message)
{
    char text[FG_TELL_TEXT_MAX];
    size_t size = message ? strnlen(message, sizeof text - 1) : 0;
    while (size > 0 && message[size - 1] == '\n')
        size--;
    if (size)
        memcpy(text, message, size);
    text[size] = 0;
    fg_tell_error(span, state, size ? text : NULL);
}

/* Messages of class 22, data exceptions, quote the value that was wrong. */
static void tell_error(const PGconn *conn, fg_span span, const PGresult *result)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (!state && PQstatus(conn) == CONNECTION_BAD)
        state = "08006"; /* connection_failure */
    if (!message)
        message = conn ? PQerrorMessage(conn) : "no connection";
    if (state)
        fg_span_set_string(span, "db.response.status_code", state);
    fg_pq_tell_error(span, state ? state : "_OTHER",
                     state && memcmp(state, "22", 2) == 0 ? NULL : message);
}

void fg_pq_statement_result(const PGconn *conn, struct fg_pq_statement *statement, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result); /* of NULL: PGRES_FATAL_ERROR */
    if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ||
        status == PGRES_NONFATAL_ERROR) {
        tell_error(conn, statement->span, result);
        return;
    }
    if (status == PGRES_PIPELINE_ABORTED) {
        fg_tell_error(statement->span, "pipeline_aborted", NULL);
        return;
    }
    const char *tag = PQcmdStatus(result), *affected = PQcmdTuples(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_SINGLE_TUPLE) {
        statement->returned_rows += PQntuples(result);
        statement->has_returned = true;
    } else if (affected && *affected) {
        statement->affected_rows += strtoll(affected, NULL, 10);
        statement->has_affected = true;
    }
    /* "INSERT 0 1", "SELECT 5", "CREATE TABLE": the words are the operation. */
    size_t size = strcspn(tag, "0123456789");
    while (size > 0 && tag[size - 1] == ' ')
        size--;
    if (size > 0 && size < sizeof statement->tag) {
        memcpy(statement->tag, tag, size);
        statement->tag[size] = 0;
    }
}

/* -- Transactions */

static void transaction_start(const PGconn *conn, struct fg_pq_conn *known)
{
    char name[256] = "transaction ";
    fg_attr attrs[FG_PQ_PEER_ATTRS];
    const char *database = PQdb(conn);
    strncat(name, database ? database : "", sizeof name - sizeof "transaction ");
    memcpy(known->begun_under, fg_span_current().span_id, sizeof known->begun_under);
    known->transaction =
        fg_tell_start(fg_pq_tracer(), name, FG_SPAN_INTERNAL, NULL, attrs, fg_pq_peer(conn, attrs));
    known->statement_count = 0;
    known->is_in_transaction = true;
}

void fg_pq_transaction_end(struct fg_pq_conn *known, const char *outcome)
{
    if (!known->is_in_transaction)
        return;
    known->is_in_transaction = false;
    fg_span_set_string(known->transaction, "filigree.db.transaction.outcome", outcome);
    fg_span_set_int(known->transaction, "filigree.db.transaction.statements",
                    known->statement_count);
    if (strcmp(outcome, "lost") == 0)
        fg_tell_error(known->transaction, "08006", "the connection ended in the transaction");
    fg_span_end(known->transaction);
}

static void follow_transaction(const PGconn *conn, struct fg_pq_conn *known, const char *tag)
{
    PGTransactionStatusType status = PQtransactionStatus(conn);
    bool is_open = status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
    if (known->is_in_transaction) {
        known->statement_count++;
        if (status == PQTRANS_IDLE)
            fg_pq_transaction_end(known, strcmp(tag, "COMMIT") == 0 ? "commit" : "rollback");
        else if (status == PQTRANS_UNKNOWN)
            fg_pq_transaction_end(known, "lost");
    } else if (is_open) {
        transaction_start(conn, known);
    }
}

void fg_pq_statement_end(const PGconn *conn, struct fg_pq_conn *known,
                         struct fg_pq_statement *statement)
{
    if (statement->tag[0])
        fg_span_set_string(statement->span, "db.operation.name", statement->tag);
    if (statement->has_returned)
        fg_span_set_int(statement->span, "db.response.returned_rows", statement->returned_rows);
    if (statement->has_affected)
        fg_span_set_int(statement->span, "filigree.db.affected_rows", statement->affected_rows);
    fg_span_end(statement->span);
    if (known)
        follow_transaction(conn, known, statement->tag);
}

/* -- Prepared statements, and those under way */

const char *fg_pq_recall(const struct fg_pq_conn *known, const char *name)
{
    struct fg_pq_prepared *one = known ? known->prepared : NULL;
    while (one && strcmp(one->name, name ? name : "") != 0)
        one = one->next;
    return one ? one->text : NULL;
}

void fg_pq_remember(struct fg_pq_conn *known, const char *name, const char *sql)
{
    struct fg_pq_prepared **at = &known->prepared, *one;
    char *text = sql ? strdup(sql) : NULL;
    if (!text || !name)
        goto end;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    one = *at;
    if (!one && known->prepared_count < FG_PQ_PREPARED_MAX &&
        (one = calloc(1, sizeof *one + strlen(name) + 1))) {
        memcpy(one->name, name, strlen(name) + 1);
        known->prepared_count++;
        *at = one;
    }
    if (one) {
        free(one->text);
        one->text = text;
        text = NULL;
    }
end:
    free(text);
}

void fg_pq_forget_prepared(struct fg_pq_conn *known)
{
    for (struct fg_pq_prepared *one = known->prepared, *next; one; one = next) {
        next = one->next;
        free(one->text);
        free(one);
    }
    known->prepared = NULL;
    known->prepared_count = 0;
}

void fg_pq_drop_pending(struct fg_pq_conn *known)
{
    for (struct fg_pq_statement *one = known->first, *next; one; one = next) {
        next = one->next;
        fg_span_end(one->span);
        free(one);
    }
    known->first = known->last = NULL;
    known->pending_count = known->untold_count = 0;
}
