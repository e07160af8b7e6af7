/* A bounded pool of connections to one PostgreSQL server, and statements by them.
 *
 * A connection is opened when it is asked for and none is free, and kept afterwards; one that broke
 * is closed when it is given back. Thread-safe; a connection is one thread's at a time. */
#ifndef DEMO_POOL_H
#define DEMO_POOL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#define POOL_TEXT_SIZE 256

struct pool;

/* Why a statement or connection failed. */
struct pool_failure {
    char state[6]; /* SQLSTATE, or empty */
    char text[POOL_TEXT_SIZE];
};

/* name: as spans show it. uri: of libpq. At most count connections. NULL: out of memory. */
struct pool *pool_new(const char *name, const char *uri, size_t count);
/* When no connection is out. NULL is allowed. */
void pool_free(struct pool *pool);

/* Waits some seconds at most for a free one. NULL, with the reason, where there is none. */
PGconn *pool_take(struct pool *pool, struct pool_failure *ret_failure);
/* NULL is allowed. An open transaction is rolled back. */
void pool_give(struct pool *pool, PGconn *conn);

/* A statement with text parameters (NULL: SQL's null). The result, which PQclear() frees, or NULL
 * with the reason. */
PGresult *pool_query(PGconn *conn, const char *sql, int count, const char *const *values,
                     struct pool_failure *ret_failure);
/* A statement without result rows that matter: BEGIN, COMMIT. */
bool pool_run(PGconn *conn, const char *sql, struct pool_failure *ret_failure);

#endif
