#include "pool.h"

#include <filigree_pq.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_SECONDS_MAX 5
#define COUNT_MAX        32

struct pool {
    pthread_mutex_t mutex;
    pthread_cond_t given; /* a place became free */
    char *name, *uri;
    PGconn *idle[COUNT_MAX];
    size_t idle_count;
    size_t place_count; /* connections that may still be opened or are idle */
};

struct pool *pool_new(const char *name, const char *uri, size_t count)
{
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->name = strdup(name);
    pool->uri = strdup(uri);
    pool->place_count = count < COUNT_MAX ? count : COUNT_MAX;
    if (!pool->name || !pool->uri) {
        free(pool->name);
        free(pool->uri);
        free(pool);
        return NULL;
    }
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->given, NULL);
    return pool;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; i < pool->idle_count; i++)
        fg_PQfinish(pool->idle[i]);
    pthread_cond_destroy(&pool->given);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->name);
    free(pool->uri);
    free(pool);
}

static void fail(struct pool_failure *failure, const char *state, const char *text)
{
    size_t size = strcspn(text, "\n");
    size = size < POOL_TEXT_SIZE ? size : POOL_TEXT_SIZE - 1;
    memcpy(failure->text, text, size);
    failure->text[size] = '\0';
    size = strnlen(state, sizeof failure->state - 1);
    memcpy(failure->state, state, size);
    failure->state[size] = '\0';
}

/* A place, and the idle connection on it, if there is one. With the mutex held. False: none became
 * free in time. */
static bool take_place(struct pool *pool, PGconn **ret_idle)
{
    struct timespec until;
    int waited = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_SECONDS_MAX;
    while (pool->place_count == 0 && waited == 0)
        waited = pthread_cond_timedwait(&pool->given, &pool->mutex, &until);
    if (pool->place_count == 0)
        return false;
    pool->place_count--;
    *ret_idle = pool->idle_count > 0 ? pool->idle[--pool->idle_count] : NULL;
    return true;
}

static void give_place(struct pool *pool, PGconn *idle)
{
    pthread_mutex_lock(&pool->mutex);
    pool->place_count++;
    if (idle)
        pool->idle[pool->idle_count++] = idle;
    pthread_cond_signal(&pool->given);
    pthread_mutex_unlock(&pool->mutex);
}

/* A server that has ended an idle connection has said so on it; else there is nothing to read. */
static bool is_alive(PGconn *conn)
{
    struct pollfd poll_fd = {.fd = PQsocket(conn), .events = POLLIN};
    return PQstatus(conn) == CONNECTION_OK && poll(&poll_fd, 1, 0) == 0;
}

PGconn *pool_take(struct pool *pool, struct pool_failure *ret_failure)
{
    PGconn *conn = NULL;
    pthread_mutex_lock(&pool->mutex);
    bool must_wait = pool->place_count == 0;
    fg_span wait = must_wait ? fg_pq_wait_start(pool->name) : (fg_span){0};
    bool has_place = take_place(pool, &conn);
    pthread_mutex_unlock(&pool->mutex);
    if (must_wait)
        fg_pq_wait_end(wait, conn);
    if (!has_place) {
        fail(ret_failure, "", "no connection became free in time");
        return NULL;
    }
    if (conn && is_alive(conn))
        return conn;
    fg_PQfinish(conn);
    conn = fg_PQconnectdb(pool->uri);
    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    fail(ret_failure, "", fg_PQerrorMessage(conn));
    fg_PQfinish(conn);
    give_place(pool, NULL);
    return NULL;
}

void pool_give(struct pool *pool, PGconn *conn)
{
    if (!conn)
        return;
    struct pool_failure failure;
    if (PQtransactionStatus(conn) != PQTRANS_IDLE && PQstatus(conn) == CONNECTION_OK)
        pool_run(conn, "ROLLBACK", &failure);
    if (PQstatus(conn) != CONNECTION_OK || PQtransactionStatus(conn) != PQTRANS_IDLE) {
        fg_PQfinish(conn);
        conn = NULL;
    }
    give_place(pool, conn);
}

PGresult *pool_query(PGconn *conn, const char *sql, int count, const char *const *values,
                     struct pool_failure *ret_failure)
{
    PGresult *result = fg_PQexecParams(conn, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    fail(ret_failure, state ? state : "", text ? text : fg_PQerrorMessage(conn));
    PQclear(result);
    return NULL;
}

bool pool_run(PGconn *conn, const char *sql, struct pool_failure *ret_failure)
{
    PGresult *result = pool_query(conn, sql, 0, NULL, ret_failure);
    PQclear(result);
    return result != NULL;
}
