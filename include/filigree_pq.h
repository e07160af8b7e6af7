/* libfiligree-pq: what a program asks of PostgreSQL by libpq, as OpenTelemetry's database client
 * spans.
 *
 * Each call has the name of libpq's with fg_ before it, takes the same, and gives back the same.
 * With FILIGREE_DROP_IN defined before this header, libpq's own names stand for them, and a
 * program's text need not change:
 *
 *     cc -DFILIGREE_DROP_IN -include filigree_pq.h … $(pkg-config --cflags --libs filigree-pq)
 *
 * A connect is a span, as long as getting the connection took, and a statement is one: with its
 * text, which leaves the process reduced to its shape; its rows; and the SQLSTATE of what failed. A
 * transaction is a span around its statements, as long as it is open. Connections that were made by
 * libpq itself have their statements traced, but not their connect.
 *
 * A failed connect has a SQLSTATE in whatever language the server speaks: 53300, 28P01, 57P03, or
 * 08001 where there was no answer. For that libpq is told to say it in its message;
 * fg_PQerrorMessage() gives the message as it would have been.
 *
 * libpq's rules for threads hold: one connection is used by one thread at a time. NULL is allowed
 * where libpq allows it. */
#ifndef FILIGREE_PQ_H
#define FILIGREE_PQ_H

#include <filigree.h>
#include <libpq-fe.h>

#ifdef __cplusplus
extern "C" {
#endif

FG_API PGconn *fg_PQconnectdb(const char *conninfo);
FG_API PGconn *fg_PQconnectdbParams(const char *const *keywords, const char *const *values,
                                    int expand_dbname);
FG_API PGconn *fg_PQsetdbLogin(const char *host, const char *port, const char *options,
                               const char *tty, const char *dbname, const char *login,
                               const char *password);
/* The span ends when fg_PQconnectPoll() says how it went. */
FG_API PGconn *fg_PQconnectStart(const char *conninfo);
FG_API PGconn *fg_PQconnectStartParams(const char *const *keywords, const char *const *values,
                                       int expand_dbname);
FG_API PostgresPollingStatusType fg_PQconnectPoll(PGconn *conn);
FG_API void fg_PQreset(PGconn *conn);
FG_API int fg_PQresetStart(PGconn *conn);
FG_API PostgresPollingStatusType fg_PQresetPoll(PGconn *conn);
FG_API void fg_PQfinish(PGconn *conn);
FG_API char *fg_PQerrorMessage(const PGconn *conn);

FG_API PGresult *fg_PQexec(PGconn *conn, const char *query);
FG_API PGresult *fg_PQexecParams(PGconn *conn, const char *query, int count, const Oid *types,
                                 const char *const *values, const int *lengths, const int *formats,
                                 int result_format);
FG_API PGresult *fg_PQprepare(PGconn *conn, const char *name, const char *query, int count,
                              const Oid *types);
FG_API PGresult *fg_PQexecPrepared(PGconn *conn, const char *name, int count,
                                   const char *const *values, const int *lengths,
                                   const int *formats, int result_format);

/* The span ends with the last result that fg_PQgetResult() gives, also in pipeline mode. */
FG_API int fg_PQsendQuery(PGconn *conn, const char *query);
FG_API int fg_PQsendQueryParams(PGconn *conn, const char *query, int count, const Oid *types,
                                const char *const *values, const int *lengths, const int *formats,
                                int result_format);
FG_API int fg_PQsendPrepare(PGconn *conn, const char *name, const char *query, int count,
                            const Oid *types);
FG_API int fg_PQsendQueryPrepared(PGconn *conn, const char *name, int count,
                                  const char *const *values, const int *lengths, const int *formats,
                                  int result_format);
FG_API PGresult *fg_PQgetResult(PGconn *conn);

/* -- What libpq has no word for -- */

/* The wait for a connection of a pool of the program's own: a span until its end is told. conn:
 * what was got, or NULL, which is the error `timeout`. */
FG_API fg_span fg_pq_wait_start(const char *pool_name);
FG_API void fg_pq_wait_end(fg_span wait, const PGconn *conn);

/* On: statements carry their span as a comment, traceparent='…', which the server's logs and
 * pg_stat_activity show. Off unless FILIGREE_SQL_COMMENTS=on. Not on prepared statements, nor on a
 * text that has a comment. For the whole process. */
FG_API void fg_pq_set_comments(int is_on);

#ifdef __cplusplus
}
#endif

#ifdef FILIGREE_DROP_IN
#define PQconnectdb          fg_PQconnectdb
#define PQconnectdbParams    fg_PQconnectdbParams
#define PQsetdbLogin         fg_PQsetdbLogin
#define PQconnectStart       fg_PQconnectStart
#define PQconnectStartParams fg_PQconnectStartParams
#define PQconnectPoll        fg_PQconnectPoll
#define PQreset              fg_PQreset
#define PQresetStart         fg_PQresetStart
#define PQresetPoll          fg_PQresetPoll
#define PQfinish             fg_PQfinish
#define PQerrorMessage       fg_PQerrorMessage
#define PQexec               fg_PQexec
#define PQexecParams         fg_PQexecParams
#define PQprepare            fg_PQprepare
#define PQexecPrepared       fg_PQexecPrepared
#define PQsendQuery          fg_PQsendQuery
#define PQsendQueryParams    fg_PQsendQueryParams
#define PQsendPrepare        fg_PQsendPrepare
#define PQsendQueryPrepared  fg_PQsendQueryPrepared
#define PQgetResult          fg_PQgetResult
#endif
#endif
