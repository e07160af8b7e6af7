/* Takes orders from mes.orders, one at a time.
 *
 * A message is acknowledged when its work is committed; what is taken twice is known by its
 * version. One that breaks the schema, or whose model is none, goes to the dead letters. Where a
 * part that the work needs is away (MES DB, S3) the message goes back to the queue, after a pause
 * that grows. */
#include "broker.h"
#include "mes.h"
#include "message.h"
#include "order.h"
#include "price.h"
#include "quiet.h"
#include "service.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUEUE           "mes.orders"
#define TAKE_MS         500
#define MODEL_SIZE_MAX  ((size_t)16 << 20)
#define PAUSE_MS        500
#define PAUSE_MS_MAX    8000
#define SLOW_MS         15000
#define CONNECT_WAIT_MS 1000

struct consumer {
    struct mes *mes;
    struct broker *broker;
    pthread_t thread;
    atomic_bool is_ending;
    int pause_ms; /* before the next message; 0: the last one went well */
};

enum outcome {
    DONE,
    REJECTED, /* never to be tried again */
    PUT_OFF,  /* something that it needs is away */
};

struct reason {
    const char *type;
    char text[MESSAGE_TEXT_SIZE];
};

static enum outcome put_off(struct reason *reason, const char *type, const char *text)
{
    reason->type = type;
    snprintf(reason->text, sizeof reason->text, "%.150s", text);
    return PUT_OFF;
}

/* How busy the printers were in each week of the last five years; the price of a rush order would
 * come from it. */
static bool look_up_load(PGconn *conn, const char *order_id, struct pool_failure *failure)
{
    const char *values[] = {order_id};
    PGresult *result = pool_query(
        conn,
        "SELECT max(busy) AS busiest_minutes FROM (SELECT (SELECT sum(minutes) FROM work_log WHERE"
        " printer = abs(hashtext($1)) % 500 AND done_at >= day AND done_at < day + interval '7 "
        "days')"
        " AS busy FROM generate_series(now() - interval '1820 days', now(), interval '1 day') AS "
        "day)"
        " AS days",
        1, values, failure);
    PQclear(result);
    return result != NULL;
}

/* Whether a message was worked on before: its version is not above the job's. -1: MES DB failed. */
static int is_known(PGconn *conn, const struct message *message, struct pool_failure *failure)
{
    const char *values[] = {message->order_id, message->version};
    PGresult *result = pool_query(
        conn, "SELECT 1 FROM jobs WHERE order_id = $1 AND version > $2::int", 2, values, failure);
    int known = result ? PQntuples(result) > 0 : -1;
    PQclear(result);
    return known;
}

static bool store_price(PGconn *conn, const struct message *message, const struct price *price,
                        struct pool_failure *failure)
{
    char numbers[4][40], version[24];
    snprintf(numbers[0], sizeof numbers[0], "%.6g", price->measures.volume_mm3);
    snprintf(numbers[1], sizeof numbers[1], "%.6g", price->measures.surface_mm2);
    snprintf(numbers[2], sizeof numbers[2], "%.6g", price->measures.support_mm3);
    snprintf(numbers[3], sizeof numbers[3], "%ld", price->cents);
    snprintf(version, sizeof version, "%ld", strtol(message->version, NULL, 10) + 1);
    const char *values[] = {message->order_id, version,    message->model_key, numbers[0],
                            numbers[1],        numbers[2], numbers[3]};
    PGresult *result = pool_query(
        conn,
        "INSERT INTO jobs (order_id, status, version, model_key, volume_mm3, surface_mm2,"
        " support_mm3, price_cents) VALUES ($1, 'PRICE_CALCULATED', $2::int, $3, $4::float8,"
        " $5::float8, $6::float8, $7::int) ON CONFLICT (order_id) DO UPDATE SET status ="
        " excluded.status, version = excluded.version, price_cents = excluded.price_cents,"
        " updated_at = now()",
        7, values, failure);
    bool is_done = result &&
                   order_send_take(conn, "mes.price_calculated", message->order_id, version,
                                   json_pack("{s:s, s:I}", "status", "PRICE_CALCULATED",
                                             "price_cents", (json_int_t)price->cents),
                                   failure) &&
                   pool_run(conn, "COMMIT", failure);
    if (is_done)
        order_mark(fg_span_current(), message->order_id, "PRICE_CALCULATED", version);
    PQclear(result);
    return is_done;
}

/* Models are kept by S3 errors that say that there is none: those will not come by waiting. */
static enum outcome fetch_model(struct mes *mes, const struct message *message, char **ret_model,
                                size_t *ret_size, struct reason *reason)
{
    struct s3_failure failure;
    if (s3_get(mes->s3, message->model_key, MODEL_SIZE_MAX, ret_model, ret_size, &failure) == 0)
        return DONE;
    put_off(reason, failure.status == 404 ? "missing_model" : "object_store", failure.text);
    return failure.status == 404 ? REJECTED : PUT_OFF;
}

static enum outcome work_out_price(struct mes *mes, const struct message *message,
                                   struct price *ret_price, struct reason *reason)
{
    char *model = NULL;
    size_t size = 0;
    enum outcome outcome = fetch_model(mes, message, &model, &size, reason);
    if (outcome == DONE && price_calculate(model, size, ret_price, reason->text) < 0) {
        reason->type = "invalid_model";
        outcome = REJECTED;
    }
    free(model);
    return outcome;
}

static enum outcome do_submitted(struct mes *mes, PGconn *conn, const struct message *message,
                                 struct reason *reason)
{
    struct pool_failure failure;
    struct price price;
    if (!look_up_load(conn, message->order_id, &failure))
        return put_off(reason, "database", failure.text);
    enum outcome outcome = work_out_price(mes, message, &price, reason);
    if (outcome != DONE)
        return outcome;
    if (!pool_run(conn, "BEGIN", &failure) || !store_price(conn, message, &price, &failure))
        return put_off(reason, "database", failure.text);
    outbox_wake(mes->outbox);
    return DONE;
}

static enum outcome set_status(PGconn *conn, const struct message *message, const char *status,
                               struct reason *reason)
{
    struct pool_failure failure;
    const char *values[] = {message->order_id, status, message->version};
    PGresult *result = pool_query(conn,
                                  "INSERT INTO jobs (order_id, status, version) VALUES ($1, $2,"
                                  " $3::int) ON CONFLICT (order_id) DO UPDATE SET status ="
                                  " excluded.status, version = excluded.version, updated_at = now()"
                                  " WHERE jobs.version < excluded.version OR (excluded.status ="
                                  " 'CANCELLED' AND jobs.status <> 'SHIPPED')",
                                  3, values, &failure);
    if (!result)
        return put_off(reason, "database", failure.text);
    order_mark(fg_span_current(), message->order_id, status, message->version);
    PQclear(result);
    return DONE;
}

static enum outcome do_message(struct mes *mes, const struct message *message,
                               struct reason *reason)
{
    struct pool_failure failure;
    enum outcome outcome;
    PGconn *conn = pool_take(mes->pool, &failure);
    int known = conn ? is_known(conn, message, &failure) : -1;
    if (known < 0)
        outcome = put_off(reason, "database", failure.text);
    else if (known && strcmp(message->type, "order.cancelled") != 0)
        outcome = DONE; /* but cancelling counts also where an operator was faster with a step */
    else if (strcmp(message->type, "order.submitted") == 0)
        outcome = do_submitted(mes, conn, message, reason);
    else if (strcmp(message->type, "order.approved") == 0)
        outcome = set_status(conn, message, "MANUFACTURING_APPROVED", reason);
    else
        outcome = set_status(conn, message, "CANCELLED", reason);
    pool_give(mes->pool, conn);
    return outcome;
}

/* A validation that is too strict: it takes the form of another printer's keys for the only one. */
static bool is_refused(const struct message *message, struct reason *reason)
{
    if (!service_fault("mes-api", "reject") ||
        (message->model_key && strstr(message->model_key, ".3mf")))
        return false;
    put_off(reason, "validation_failed", "model_key does not end in .3mf");
    return true;
}

static enum outcome take_message(struct mes *mes, const amqp_envelope_t *envelope,
                                 struct reason *reason)
{
    struct message message;
    const amqp_bytes_t *body = &envelope->message.body;
    if (message_read(body->bytes, body->len, &message, reason->text) < 0) {
        reason->type = "schema_violation";
        return REJECTED;
    }
    fg_journey_set("order.id", message.order_id);
    enum outcome outcome =
        is_refused(&message, reason) ? REJECTED : do_message(mes, &message, reason);
    message_free(&message);
    return outcome;
}

/* Waits, unless the end comes. */
static void pause_for(const struct consumer *consumer, int ms)
{
    for (int waited = 0; waited < ms && !consumer->is_ending; waited += 50)
        usleep(50000);
}

/* Falls behind: each message takes as long as it would with a hundred times the work. */
static void be_slow(const struct consumer *consumer)
{
    for (int waited = 0;
         waited < SLOW_MS && !consumer->is_ending && service_fault("mes-api", "slow_consumer");
         waited += 50)
        usleep(50000);
}

static void work_on(struct consumer *consumer, amqp_envelope_t *envelope)
{
    struct reason reason = {.type = ""};
    fg_scope scope = fg_amqp_enter(envelope);
    be_slow(consumer);
    enum outcome outcome = take_message(consumer->mes, envelope, &reason);
    fg_scope_leave(&scope);
    if (outcome == DONE) {
        broker_ack(consumer->broker, envelope);
        consumer->pause_ms = 0;
        return;
    }
    service_say("%s: %s: %s", outcome == REJECTED ? "rejected" : "put off", reason.type,
                reason.text);
    if (outcome == REJECTED) {
        broker_reject(consumer->broker, envelope, reason.type, reason.text);
        return;
    }
    int pause_ms = consumer->pause_ms ? consumer->pause_ms * 2 : PAUSE_MS;
    consumer->pause_ms = pause_ms < PAUSE_MS_MAX ? pause_ms : PAUSE_MS_MAX;
    fg_amqp_fail(envelope, reason.type, reason.text);
    broker_requeue(consumer->broker, envelope);
    pause_for(consumer, consumer->pause_ms);
}

static void *run(void *arg)
{
    struct consumer *consumer = arg;
    char text[BROKER_TEXT_SIZE];
    while (!consumer->is_ending) {
        fg_scope quiet = quiet_enter();
        bool is_open = broker_open_consumer(consumer->broker, QUEUE, text);
        fg_scope_leave(&quiet);
        amqp_envelope_t envelope;
        if (!is_open) {
            service_say("the broker: %s", text);
            pause_for(consumer, CONNECT_WAIT_MS);
        } else if (broker_take(consumer->broker, TAKE_MS, &envelope)) {
            work_on(consumer, &envelope);
        }
    }
    return NULL;
}

struct consumer *mes_consume_start(struct mes *mes)
{
    struct consumer *consumer = calloc(1, sizeof *consumer);
    if (!consumer)
        return NULL;
    consumer->mes = mes;
    consumer->broker = broker_new(mes->broker_uri);
    if (!consumer->broker || pthread_create(&consumer->thread, NULL, run, consumer) != 0) {
        broker_free(consumer->broker);
        free(consumer);
        return NULL;
    }
    return consumer;
}

void mes_consume_stop(struct consumer *consumer)
{
    if (!consumer)
        return;
    consumer->is_ending = true;
    pthread_join(consumer->thread, NULL);
    broker_free(consumer->broker);
    free(consumer);
}
