#include "outbox.h"
#include "broker.h"
#include "quiet.h"
#include "service.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS        200
#define BACKOFF_MS     1000
#define BACKOFF_MS_MAX 8000

struct outbox {
    struct outbox_options options;
    struct broker *broker;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool has_new, is_ending;
    int backoff_ms; /* 0: the last round went well */
};

/* One row, as it is published. */
struct row {
    const char *id, *key, *body, *message_id;
    json_t *headers;
};

static const char *get_header(void *arg, const char *name)
{
    const struct row *row = arg;
    return json_string_value(json_object_get(row->headers, name));
}

/* What the producer's faults make of a body: the price becomes a word, the status a number. */
static char *spoil(const char *text)
{
    json_t *body = json_loads(text, 0, NULL);
    if (json_object_get(body, "price_cents"))
        json_object_set_new(body, "price_cents", json_string("on request"));
    if (json_object_get(body, "status"))
        json_object_set_new(body, "status", json_integer(7));
    char *spoiled = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return spoiled;
}

static enum broker_outcome publish(struct outbox *outbox, const struct row *row)
{
    char text[BROKER_TEXT_SIZE], key[64];
    const struct outbox_options *options = &outbox->options;
    bool is_bad = service_fault(options->service, "bad_message");
    bool is_astray = service_fault(options->service, "wrong_route");
    char *bad = is_bad ? spoil(row->body) : NULL;
    snprintf(key, sizeof key, "%s%s", is_astray ? "v2." : "", row->key);
    enum broker_outcome outcome = BROKER_LOST;
    if (broker_open_publisher(outbox->broker, text))
        outcome = broker_publish(outbox->broker, options->exchange, key, row->message_id,
                                 bad ? bad : row->body);
    else
        service_say("the broker: %s", text);
    free(bad);
    return outcome;
}

/* Under the row's own context, so that a publish that fails is in the order's trace. */
static enum broker_outcome publish_row(struct outbox *outbox, struct row *row)
{
    fg_context *context = fg_context_extract(get_header, row);
    fg_scope scope = fg_context_enter(context);
    enum broker_outcome outcome = publish(outbox, row);
    fg_scope_leave(&scope);
    fg_context_free(context);
    return outcome;
}

static bool mark_sent(PGconn *conn, const char *id, struct pool_failure *failure)
{
    const char *values[] = {id};
    PGresult *result = pool_query(conn, "UPDATE outbox SET sent_at = now() WHERE id = $1::bigint",
                                  1, values, failure);
    PQclear(result);
    return result != NULL;
}

/* False: something was left, and the next round should wait a while. */
static bool publish_rows(struct outbox *outbox, PGconn *conn, const PGresult *rows)
{
    struct pool_failure failure;
    bool is_whole = true;
    for (int i = 0; i < PQntuples(rows); i++) {
        struct row row = {.id = PQgetvalue(rows, i, 0),
                          .key = PQgetvalue(rows, i, 1),
                          .body = PQgetvalue(rows, i, 2),
                          .headers = json_loads(PQgetvalue(rows, i, 3), 0, NULL),
                          .message_id = PQgetvalue(rows, i, 4)};
        enum broker_outcome outcome = publish_row(outbox, &row);
        json_decref(row.headers);
        if (outcome == BROKER_LOST)
            return false;
        if (outcome != BROKER_CONFIRMED)
            is_whole = false; /* others may have another way */
        else if (!mark_sent(conn, row.id, &failure))
            return false; /* it will be published again: consumers know a message by its version */
    }
    return is_whole;
}

static bool run_round(struct outbox *outbox)
{
    struct pool_failure failure;
    const char *values[] = {outbox->options.service};
    PGconn *conn = pool_take(outbox->options.pool, &failure);
    if (!conn)
        return false;
    PGresult *rows =
        pool_query(conn,
                   "SELECT id, routing_key, body, headers, md5($1 || id)::uuid FROM outbox"
                   " WHERE sent_at IS NULL ORDER BY id LIMIT 50",
                   1, values, &failure);
    bool is_whole = rows && publish_rows(outbox, conn, rows);
    PQclear(rows);
    pool_give(outbox->options.pool, conn);
    return is_whole;
}

/* Sleeps until there is something to do; false at the end. */
static bool wait_for_work(struct outbox *outbox)
{
    struct timespec until;
    int waited = 0;
    int ms = outbox->backoff_ms ? outbox->backoff_ms : POLL_MS;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (ms % 1000) * 1000000L;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&outbox->mutex);
    while (!outbox->is_ending && (!outbox->has_new || outbox->backoff_ms) && waited == 0)
        waited = pthread_cond_timedwait(&outbox->changed, &outbox->mutex, &until);
    outbox->has_new = false;
    bool goes_on = !outbox->is_ending;
    pthread_mutex_unlock(&outbox->mutex);
    return goes_on;
}

static void *run(void *arg)
{
    struct outbox *outbox = arg;
    fg_scope quiet = quiet_enter();
    while (wait_for_work(outbox)) {
        if (run_round(outbox))
            outbox->backoff_ms = 0;
        else if (outbox->backoff_ms == 0)
            outbox->backoff_ms = BACKOFF_MS;
        else if (outbox->backoff_ms < BACKOFF_MS_MAX)
            outbox->backoff_ms *= 2;
    }
    fg_scope_leave(&quiet);
    return NULL;
}

struct outbox *outbox_start(const struct outbox_options *options)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (!outbox)
        return NULL;
    outbox->options = *options;
    outbox->broker = broker_new(options->broker_uri);
    pthread_mutex_init(&outbox->mutex, NULL);
    pthread_cond_init(&outbox->changed, NULL);
    if (!outbox->broker || pthread_create(&outbox->thread, NULL, run, outbox) != 0) {
        broker_free(outbox->broker);
        free(outbox);
        return NULL;
    }
    return outbox;
}

void outbox_wake(struct outbox *outbox)
{
    if (!outbox)
        return;
    pthread_mutex_lock(&outbox->mutex);
    outbox->has_new = true;
    pthread_cond_signal(&outbox->changed);
    pthread_mutex_unlock(&outbox->mutex);
}

void outbox_stop(struct outbox *outbox)
{
    if (!outbox)
        return;
    pthread_mutex_lock(&outbox->mutex);
    outbox->is_ending = true;
    pthread_cond_signal(&outbox->changed);
    pthread_mutex_unlock(&outbox->mutex);
    pthread_join(outbox->thread, NULL);
    broker_free(outbox->broker);
    pthread_cond_destroy(&outbox->changed);
    pthread_mutex_destroy(&outbox->mutex);
    free(outbox);
}
