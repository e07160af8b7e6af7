#include "broker.h"
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL 1
/* Seconds; RabbitMQ ends a connection that was silent for two of them, and a thread that works on a
 * message is silent for as long as a slow store or a lock takes. */
#define HEARTBEAT       60
#define OPEN_SECONDS    5
#define CONFIRM_SECONDS 10

struct broker {
    char *uri;
    struct amqp_connection_info info; /* points into uri */
    amqp_connection_state_t state;    /* NULL: closed */
};

struct broker *broker_new(const char *uri)
{
    struct broker *broker = calloc(1, sizeof *broker);
    if (!broker || !(broker->uri = strdup(uri))) {
        free(broker);
        return NULL;
    }
    amqp_default_connection_info(&broker->info);
    int status = amqp_parse_url(broker->uri, &broker->info);
    if (status != AMQP_STATUS_OK) {
        service_say("AMQP_URL: %s", amqp_error_string2(status));
        exit(2);
    }
    return broker;
}

void broker_close(struct broker *broker)
{
    if (broker->state)
        fg_amqp_destroy_connection(broker->state);
    broker->state = NULL;
}

void broker_free(struct broker *broker)
{
    if (!broker)
        return;
    broker_close(broker);
    free(broker->uri);
    free(broker);
}

bool broker_is_open(const struct broker *broker)
{
    return broker->state != NULL;
}

static bool is_good(amqp_rpc_reply_t reply, char text[BROKER_TEXT_SIZE])
{
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    const char *why = "the broker closed it";
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        why = amqp_error_string2(reply.library_error);
    snprintf(text, BROKER_TEXT_SIZE, "%s", why);
    return false;
}

/* With amqps: the broker must prove its name. NULL: no memory, or nobody to believe. */
static amqp_socket_t *new_socket(const struct broker *broker)
{
    if (!broker->info.ssl)
        return fg_amqp_tcp_socket_new(broker->state);
    amqp_socket_t *socket = fg_amqp_ssl_socket_new(broker->state);
    if (!socket || !service_trust() ||
        amqp_ssl_socket_set_cacert(socket, service_trust()) != AMQP_STATUS_OK ||
        amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST) != AMQP_STATUS_OK)
        return NULL;
    amqp_ssl_socket_set_verify_peer(socket, 1);
    amqp_ssl_socket_set_verify_hostname(socket, 1);
    return socket;
}

static bool open_channel(struct broker *broker, char text[BROKER_TEXT_SIZE])
{
    struct timeval patience = {OPEN_SECONDS, 0};
    broker->state = amqp_new_connection();
    amqp_socket_t *socket = broker->state ? new_socket(broker) : NULL;
    if (!socket) {
        snprintf(text, BROKER_TEXT_SIZE, "out of memory, or TLS_CA can't be used");
        return false;
    }
    int status =
        fg_amqp_socket_open_noblock(socket, broker->info.host, broker->info.port, &patience);
    if (status != AMQP_STATUS_OK) {
        snprintf(text, BROKER_TEXT_SIZE, "%s", amqp_error_string2(status));
        return false;
    }
    /* Also a broker that accepts and then says nothing. */
    amqp_set_rpc_timeout(broker->state, &patience);
    amqp_rpc_reply_t reply =
        fg_amqp_login(broker->state, broker->info.vhost, 0, AMQP_DEFAULT_FRAME_SIZE, HEARTBEAT,
                      AMQP_SASL_METHOD_PLAIN, broker->info.user, broker->info.password);
    if (!is_good(reply, text))
        return false;
    amqp_channel_open(broker->state, CHANNEL);
    return is_good(amqp_get_rpc_reply(broker->state), text);
}

bool broker_open_publisher(struct broker *broker, char ret_text[BROKER_TEXT_SIZE])
{
    if (broker->state)
        return true;
    bool is_open = open_channel(broker, ret_text);
    if (is_open) {
        fg_amqp_confirm_select(broker->state, CHANNEL);
        is_open = is_good(amqp_get_rpc_reply(broker->state), ret_text);
    }
    if (!is_open)
        broker_close(broker);
    return is_open;
}

bool broker_open_consumer(struct broker *broker, const char *queue, char ret_text[BROKER_TEXT_SIZE])
{
    if (broker->state)
        return true;
    bool is_open = open_channel(broker, ret_text);
    if (is_open) {
        amqp_basic_qos(broker->state, CHANNEL, 0, 1, 0);
        is_open = is_good(amqp_get_rpc_reply(broker->state), ret_text);
    }
    if (is_open) {
        fg_amqp_basic_consume(broker->state, CHANNEL, amqp_cstring_bytes(queue), amqp_empty_bytes,
                              0, 0, 0, amqp_empty_table);
        is_open = is_good(amqp_get_rpc_reply(broker->state), ret_text);
    }
    if (!is_open)
        broker_close(broker);
    return is_open;
}

enum broker_outcome broker_publish(struct broker *broker, const char *exchange, const char *key,
                                   const char *message_id, const char *body)
{
    struct timeval patience = {CONFIRM_SECONDS, 0};
    fg_amqp_confirms confirms = {.size = sizeof confirms};
    const amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                  AMQP_BASIC_MESSAGE_ID_FLAG,
        .content_type = amqp_cstring_bytes("application/json"),
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .message_id = amqp_cstring_bytes(message_id)};
    int status =
        fg_amqp_basic_publish(broker->state, CHANNEL, amqp_cstring_bytes(exchange),
                              amqp_cstring_bytes(key), 1, 0, &properties, amqp_cstring_bytes(body));
    if (status == AMQP_STATUS_OK)
        status = fg_amqp_wait_confirms(broker->state, CHANNEL, &patience, &confirms);
    amqp_maybe_release_buffers(broker->state);
    if (status != AMQP_STATUS_OK) {
        service_say("publish to %s: %s", exchange, amqp_error_string2(status));
        broker_close(broker);
        return BROKER_LOST;
    }
    return confirms.returned  ? BROKER_RETURNED
           : confirms.refused ? BROKER_REFUSED
                              : BROKER_CONFIRMED;
}

bool broker_take(struct broker *broker, int ms, amqp_envelope_t *ret_envelope)
{
    struct timeval patience = {ms / 1000, (ms % 1000) * 1000L};
    amqp_maybe_release_buffers(broker->state);
    amqp_rpc_reply_t reply = fg_amqp_consume_message(broker->state, ret_envelope, &patience, 0);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION &&
        reply.library_error == AMQP_STATUS_TIMEOUT)
        return false;
    char text[BROKER_TEXT_SIZE];
    is_good(reply, text);
    service_say("consuming ends: %s", text);
    broker_close(broker);
    return false;
}

void broker_ack(struct broker *broker, amqp_envelope_t *envelope)
{
    fg_amqp_basic_ack(broker->state, CHANNEL, envelope->delivery_tag, 0);
    fg_amqp_destroy_envelope(envelope);
}

void broker_requeue(struct broker *broker, amqp_envelope_t *envelope)
{
    fg_amqp_basic_nack(broker->state, CHANNEL, envelope->delivery_tag, 0, 1);
    fg_amqp_destroy_envelope(envelope);
}

void broker_reject(struct broker *broker, amqp_envelope_t *envelope, const char *type,
                   const char *text)
{
    fg_amqp_fail(envelope, type, text);
    fg_amqp_basic_reject(broker->state, CHANNEL, envelope->delivery_tag, 0);
    fg_amqp_destroy_envelope(envelope);
}
