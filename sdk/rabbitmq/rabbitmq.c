/* The calls that stand in for librabbitmq's. What belongs to a connection is found by its address,
 * and for calls that take a socket by that of the socket. */
#include "deliver.h"
#include "publish.h"

#include "../instrument/table.h"
#include "os/env.h"

#include <filigree_rabbitmq.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_MAX = 65536 };

static struct fg_table connections = FG_TABLE_INIT, sockets = FG_TABLE_INIT;

static struct fg_amqp_connection *find(amqp_connection_state_t state)
{
    return fg_table_find(&connections, state);
}

static struct fg_amqp_connection *find_or_make(amqp_connection_state_t state)
{
    struct fg_amqp_connection *connection = find(state);
    if (connection || !state || !(connection = calloc(1, sizeof *connection)))
        return connection;
    connection->state = state;
    if (fg_table_put(&connections, state, connection, CONNECTIONS_MAX))
        return connection;
    free(connection);
    return NULL;
}

static fg_span start(const struct fg_amqp_connection *connection, const char *operation,
                     const char *type, const char *destination, fg_span_kind kind,
                     const fg_context *parent)
{
    fg_span_options options = FG_SPAN_OPTIONS_INIT;
    options.kind = kind;
    options.parent = parent;
    return fg_amqp_start(connection, operation, type, destination, &options);
}

/* -- Connections */

static amqp_socket_t *note_socket(amqp_connection_state_t state, amqp_socket_t *socket)
{
    struct fg_amqp_connection *connection = socket ? find_or_make(state) : NULL;
    if (connection) {
        fg_table_take(&sockets, connection->socket);
        connection->socket =
            fg_table_put(&sockets, socket, connection, CONNECTIONS_MAX) ? socket : NULL;
    }
    return socket;
}

amqp_socket_t *fg_amqp_tcp_socket_new(amqp_connection_state_t state)
{
    return note_socket(state, amqp_tcp_socket_new(state));
}

amqp_socket_t *fg_amqp_ssl_socket_new(amqp_connection_state_t state)
{
    return note_socket(state, amqp_ssl_socket_new(state));
}

static fg_span start_connect(struct fg_amqp_connection *connection, const char *host, int port)
{
    if (connection) {
        free(connection->host);
        connection->host = host ? strdup(host) : NULL;
        connection->port = port;
    }
    return start(connection, "connect", NULL, NULL, FG_SPAN_CLIENT, NULL);
}

static int end_connect(fg_span span, int status)
{
    if (status != AMQP_STATUS_OK)
        fg_amqp_tell_status(span, status, "could not connect");
    fg_span_end(span);
    return status;
}

int fg_amqp_socket_open(amqp_socket_t *socket, const char *host, int port)
{
    fg_span span = start_connect(fg_table_find(&sockets, socket), host, port);
    return end_connect(span, amqp_socket_open(socket, host, port));
}

int fg_amqp_socket_open_noblock(amqp_socket_t *socket, const char *host, int port,
                                const struct timeval *timeout)
{
    fg_span span = start_connect(fg_table_find(&sockets, socket), host, port);
    return end_connect(span, amqp_socket_open_noblock(socket, host, port, timeout));
}

amqp_rpc_reply_t fg_amqp_login(amqp_connection_state_t state, const char *vhost, int channel_max,
                               int frame_max, int heartbeat, amqp_sasl_method_enum method, ...)
{
    fg_span span = start(find(state), "login", NULL, NULL, FG_SPAN_CLIENT, NULL);
    va_list args;
    va_start(args, method);
    /* PLAIN has a user and a password, EXTERNAL an identity. */
    const char *user = va_arg(args, const char *),
               *password = method == AMQP_SASL_METHOD_PLAIN ? va_arg(args, const char *) : "";
    va_end(args);
    amqp_rpc_reply_t reply =
        amqp_login(state, vhost, channel_max, frame_max, heartbeat, method, user, password);
    fg_amqp_tell_rpc(span, reply, "could not connect");
    fg_span_end(span);
    return reply;
}

/* What an error of a call that reads means for what waits. */
static void note_status(amqp_connection_state_t state, int status)
{
    if (status < 0 && status != AMQP_STATUS_TIMEOUT && status != AMQP_STATUS_UNEXPECTED_STATE)
        fg_amqp_give_up(find(state), 0, status, 0, (struct fg_slice){0});
}

static void note_reply(amqp_connection_state_t state, amqp_rpc_reply_t reply)
{
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        note_status(state, reply.library_error);
}

amqp_rpc_reply_t fg_amqp_channel_close(amqp_connection_state_t state, amqp_channel_t channel,
                                       int code)
{
    amqp_rpc_reply_t reply = amqp_channel_close(state, channel, code);
    fg_amqp_give_up(find(state), channel, AMQP_STATUS_OK, 0, (struct fg_slice){0});
    return reply;
}

amqp_rpc_reply_t fg_amqp_connection_close(amqp_connection_state_t state, int code)
{
    amqp_rpc_reply_t reply = amqp_connection_close(state, code);
    fg_amqp_give_up(find(state), 0, AMQP_STATUS_OK, 0, (struct fg_slice){0});
    return reply;
}

int fg_amqp_destroy_connection(amqp_connection_state_t state)
{
    struct fg_amqp_connection *connection = fg_table_take(&connections, state);
    if (connection)
        fg_table_take(&sockets, connection->socket);
    fg_amqp_deliveries_detach(state);
    fg_amqp_connection_free(connection);
    return amqp_destroy_connection(state);
}

/* -- Publishing */

amqp_confirm_select_ok_t *fg_amqp_confirm_select(amqp_connection_state_t state,
                                                 amqp_channel_t channel)
{
    amqp_confirm_select_ok_t *ok = amqp_confirm_select(state, channel);
    struct fg_amqp_channel *of = ok ? fg_amqp_channel_of(find_or_make(state), channel) : NULL;
    if (of && !of->confirms) {
        of->confirms = true;
        of->next_tag = 1;
    }
    return ok;
}

int fg_amqp_basic_publish(amqp_connection_state_t state, amqp_channel_t channel,
                          amqp_bytes_t exchange, amqp_bytes_t routing_key, amqp_boolean_t mandatory,
                          amqp_boolean_t immediate,
                          const struct amqp_basic_properties_t_ *properties, amqp_bytes_t body)
{
    char destination[FG_AMQP_NAME_MAX];
    struct fg_amqp_connection *connection = find_or_make(state);
    struct fg_amqp_dressed dressed;
    fg_amqp_destination(fg_amqp_slice(exchange), fg_amqp_slice(routing_key), (struct fg_slice){0},
                        destination);
    fg_span span = start(connection, "publish", "send", destination, FG_SPAN_PRODUCER, NULL);
    fg_tell_slice(span, "messaging.rabbitmq.destination.routing_key", fg_amqp_slice(routing_key));
    fg_scope scope = fg_span_enter(span);
    fg_amqp_dress(properties, span, &dressed);
    fg_scope_leave(&scope);
    fg_amqp_tell_properties(span, &dressed.properties, body.len);
    if (fg_amqp_has_context(properties)) {
        fg_context *own = fg_amqp_context_of(properties);
        if (own)
            fg_span_add_link(span, fg_context_span(own), NULL, 0);
        fg_context_free(own);
    }
    int status = amqp_basic_publish(state, channel, exchange, routing_key, mandatory, immediate,
                                    &dressed.properties, body);
    fg_amqp_undress(&dressed);
    fg_amqp_published(connection, channel, span, status);
    note_status(state, status);
    return status;
}

int fg_amqp_simple_wait_frame(amqp_connection_state_t state, amqp_frame_t *frame)
{
    int status = amqp_simple_wait_frame(state, frame);
    if (status == AMQP_STATUS_OK)
        fg_amqp_observe(find(state), frame);
    note_status(state, status);
    return status;
}

int fg_amqp_simple_wait_frame_noblock(amqp_connection_state_t state, amqp_frame_t *frame,
                                      const struct timeval *timeout)
{
    int status = amqp_simple_wait_frame_noblock(state, frame, timeout);
    if (status == AMQP_STATUS_OK)
        fg_amqp_observe(find(state), frame);
    note_status(state, status);
    return status;
}

amqp_rpc_reply_t fg_amqp_read_message(amqp_connection_state_t state, amqp_channel_t channel,
                                      amqp_message_t *message, int flags)
{
    amqp_rpc_reply_t reply = amqp_read_message(state, channel, message, flags);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        fg_amqp_observe_content(find(state), channel, &message->properties, message->body.len);
    note_reply(state, reply);
    return reply;
}

int fg_amqp_wait_confirms(amqp_connection_state_t state, amqp_channel_t channel,
                          const struct timeval *timeout, fg_amqp_confirms *ret_confirms)
{
    struct fg_amqp_connection *connection = find(state);
    struct fg_amqp_channel *of = fg_amqp_channel_of(connection, channel);
    struct fg_env *env = fg_env_real();
    int64_t end_ns = 0, left_us = 0;
    int status = of && of->confirms ? AMQP_STATUS_OK : AMQP_STATUS_INVALID_PARAMETER;
    if (timeout)
        end_ns = (int64_t)fg_env_mono_ns(env) + timeout->tv_sec * INT64_C(1000000000) +
                 timeout->tv_usec * 1000;
    while (status == AMQP_STATUS_OK && fg_amqp_pending_of(connection, channel) > 0) {
        amqp_frame_t frame;
        left_us = timeout ? (end_ns - (int64_t)fg_env_mono_ns(env)) / 1000 : 0;
        struct timeval left = {.tv_sec = left_us > 0 ? left_us / 1000000 : 0,
                               .tv_usec = left_us > 0 ? left_us % 1000000 : 0};
        amqp_maybe_release_buffers_on_channel(state, channel);
        status = fg_amqp_simple_wait_frame_noblock(state, &frame, timeout ? &left : NULL);
        bool is_method = status == AMQP_STATUS_OK && frame.frame_type == AMQP_FRAME_METHOD;
        if (is_method && (frame.payload.method.id == AMQP_BASIC_DELIVER_METHOD ||
                          frame.payload.method.id == AMQP_CHANNEL_CLOSE_METHOD ||
                          frame.payload.method.id == AMQP_CONNECTION_CLOSE_METHOD))
            status = AMQP_STATUS_UNEXPECTED_STATE;
    }
    if (of && ret_confirms && ret_confirms->size >= sizeof *ret_confirms) {
        ret_confirms->confirmed = of->confirmed;
        ret_confirms->refused = of->refused;
        ret_confirms->returned = of->returned;
        ret_confirms->reply_code = of->last_code;
        of->confirmed = of->refused = of->returned = 0;
        of->last_code = 0;
    }
    return status;
}

/* -- Consuming */

static void note_consumer(struct fg_amqp_connection *connection, amqp_channel_t channel,
                          struct fg_slice tag, struct fg_slice queue)
{
    struct fg_amqp_consumer *one = connection && connection->consumer_count < FG_AMQP_CONSUMERS_MAX
                                       ? calloc(1, sizeof *one + tag.size + queue.size)
                                       : NULL;
    if (!one)
        return;
    if (tag.size)
        memcpy(one->texts, tag.data, tag.size);
    if (queue.size)
        memcpy(one->texts + tag.size, queue.data, queue.size);
    one->channel = channel;
    one->tag = fg_slice(one->texts, tag.size);
    one->queue = fg_slice(one->texts + tag.size, queue.size);
    one->next = connection->consumers;
    connection->consumers = one;
    connection->consumer_count++;
}

static struct fg_slice queue_of(const struct fg_amqp_connection *connection, amqp_channel_t channel,
                                struct fg_slice tag)
{
    const struct fg_amqp_consumer *one = connection ? connection->consumers : NULL;
    while (one && (one->channel != channel || !fg_slice_equal(one->tag, tag)))
        one = one->next;
    return one ? one->queue : (struct fg_slice){0};
}

amqp_basic_consume_ok_t *fg_amqp_basic_consume(amqp_connection_state_t state,
                                               amqp_channel_t channel, amqp_bytes_t queue,
                                               amqp_bytes_t consumer_tag, amqp_boolean_t no_local,
                                               amqp_boolean_t no_ack, amqp_boolean_t exclusive,
                                               amqp_table_t arguments)
{
    amqp_basic_consume_ok_t *ok = amqp_basic_consume(state, channel, queue, consumer_tag, no_local,
                                                     no_ack, exclusive, arguments);
    if (ok)
        note_consumer(find_or_make(state), channel, fg_amqp_slice(ok->consumer_tag),
                      fg_amqp_slice(queue));
    return ok;
}

/* Under the producer's span, or under the one that is current, with the producer's baggage; the
 * link is there always. */
static void start_delivery(amqp_connection_state_t state, const amqp_envelope_t *envelope)
{
    char destination[FG_AMQP_NAME_MAX];
    struct fg_amqp_connection *connection = find_or_make(state);
    struct fg_slice routing_key = fg_amqp_slice(envelope->routing_key),
                    queue = queue_of(connection, envelope->channel,
                                     fg_amqp_slice(envelope->consumer_tag));
    fg_context *producer = fg_amqp_context_of(&envelope->message.properties);
    if (!producer)
        return;
    fg_span current = fg_span_current();
    fg_context *parent = fg_span_is_valid(current) ? fg_context_with_span(producer, current)
                                                   : fg_context_ref(producer);
    fg_link link = {fg_context_span(producer), NULL, 0};
    fg_span_options options = FG_SPAN_OPTIONS_INIT;
    options.kind = FG_SPAN_CONSUMER;
    options.parent = parent ? parent : producer;
    options.links = &link;
    options.link_count = fg_span_is_valid(link.span) ? 1 : 0;
    fg_amqp_destination(fg_amqp_slice(envelope->exchange), routing_key, queue, destination);
    fg_span span = fg_amqp_start(connection, "process", "process", destination, &options);
    fg_tell_slice(span, "messaging.rabbitmq.destination.routing_key", routing_key);
    fg_tell_slice(span, "messaging.destination.subscription.name", queue);
    fg_span_set_int(span, "messaging.rabbitmq.message.delivery_tag",
                    (int64_t)envelope->delivery_tag);
    fg_span_set_bool(span, "filigree.amqp.redelivered", envelope->redelivered);
    fg_amqp_tell_properties(span, &envelope->message.properties, envelope->message.body.len);
    fg_context *context = fg_context_with_span(parent ? parent : producer, span);
    fg_amqp_deliver_take(state, envelope, destination, span, context);
    fg_context_free(parent);
    fg_context_free(producer);
}

amqp_rpc_reply_t fg_amqp_consume_message(amqp_connection_state_t state, amqp_envelope_t *envelope,
                                         const struct timeval *timeout, int flags)
{
    amqp_rpc_reply_t reply = amqp_consume_message(state, envelope, timeout, flags);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        start_delivery(state, envelope);
    note_reply(state, reply);
    return reply;
}

void fg_amqp_destroy_envelope(amqp_envelope_t *envelope)
{
    fg_amqp_delivered(envelope);
    if (envelope)
        amqp_destroy_envelope(envelope);
}

amqp_rpc_reply_t fg_amqp_basic_get(amqp_connection_state_t state, amqp_channel_t channel,
                                   amqp_bytes_t queue, amqp_boolean_t no_ack)
{
    char destination[FG_AMQP_NAME_MAX];
    uint64_t start_ns = fg_env_wall_ns(fg_env_real());
    amqp_rpc_reply_t reply = amqp_basic_get(state, channel, queue, no_ack);
    bool is_normal = reply.reply_type == AMQP_RESPONSE_NORMAL;
    if (is_normal && reply.reply.id != AMQP_BASIC_GET_OK_METHOD)
        return reply; /* the queue is empty: a poll that is no event */
    struct fg_amqp_connection *connection = find_or_make(state);
    struct fg_amqp_channel *of = fg_amqp_channel_of(connection, channel);
    const amqp_basic_get_ok_t *got = is_normal ? reply.reply.decoded : NULL;
    struct fg_slice exchange = {0}, routing_key = {0};
    fg_span_options options = FG_SPAN_OPTIONS_INIT;
    if (got) {
        exchange = fg_amqp_slice(got->exchange);
        routing_key = fg_amqp_slice(got->routing_key);
    }
    options.kind = FG_SPAN_CLIENT;
    options.start_ns = start_ns;
    fg_amqp_destination(exchange, routing_key, fg_amqp_slice(queue), destination);
    fg_span span = fg_amqp_start(connection, "receive", "receive", destination, &options);
    fg_tell_slice(span, "messaging.destination.subscription.name", fg_amqp_slice(queue));
    if (got && of) {
        fg_tell_slice(span, "messaging.rabbitmq.destination.routing_key", routing_key);
        fg_span_set_int(span, "messaging.rabbitmq.message.delivery_tag",
                        (int64_t)got->delivery_tag);
        fg_span_set_bool(span, "filigree.amqp.redelivered", got->redelivered);
        if (of->is_getting)
            fg_span_end(of->getting);
        of->getting = span;
        of->is_getting = true;
    } else {
        fg_amqp_tell_rpc(span, reply, "connection closed");
        fg_span_end(span);
    }
    note_reply(state, reply);
    return reply;
}

/* -- Settling */

static fg_span start_settle(amqp_connection_state_t state, amqp_channel_t channel, uint64_t tag,
                            bool multiple, const char *operation, const char *error)
{
    struct fg_amqp_settled settled;
    fg_amqp_settle(state, channel, tag, multiple, error, &settled);
    fg_span span =
        start(find(state), operation, "settle", settled.context ? settled.destination : NULL,
              FG_SPAN_CLIENT, settled.context);
    fg_span_set_int(span, "messaging.rabbitmq.message.delivery_tag", (int64_t)tag);
    if (multiple)
        fg_span_set_int(span, "messaging.batch.message_count", (int64_t)settled.count);
    fg_context_free(settled.context);
    return span;
}

static int end_settle(amqp_connection_state_t state, fg_span span, int status)
{
    if (status != AMQP_STATUS_OK)
        fg_amqp_tell_status(span, status, "connection closed");
    fg_span_end(span);
    note_status(state, status);
    return status;
}

int fg_amqp_basic_ack(amqp_connection_state_t state, amqp_channel_t channel, uint64_t delivery_tag,
                      amqp_boolean_t multiple)
{
    fg_span span = start_settle(state, channel, delivery_tag, multiple, "ack", NULL);
    return end_settle(state, span, amqp_basic_ack(state, channel, delivery_tag, multiple));
}

int fg_amqp_basic_nack(amqp_connection_state_t state, amqp_channel_t channel, uint64_t delivery_tag,
                       amqp_boolean_t multiple, amqp_boolean_t requeue)
{
    fg_span span = start_settle(state, channel, delivery_tag, multiple, "nack", "nack");
    fg_span_set_bool(span, "filigree.amqp.requeue", requeue);
    return end_settle(state, span,
                      amqp_basic_nack(state, channel, delivery_tag, multiple, requeue));
}

int fg_amqp_basic_reject(amqp_connection_state_t state, amqp_channel_t channel,
                         uint64_t delivery_tag, amqp_boolean_t requeue)
{
    fg_span span = start_settle(state, channel, delivery_tag, false, "reject", "rejected");
    fg_span_set_bool(span, "filigree.amqp.requeue", requeue);
    return end_settle(state, span, amqp_basic_reject(state, channel, delivery_tag, requeue));
}

/* -- Of its own */

fg_scope fg_amqp_enter(const amqp_envelope_t *envelope)
{
    fg_context *context = fg_amqp_delivery_context(envelope);
    fg_scope scope = fg_context_enter(context);
    fg_context_free(context);
    return scope;
}

fg_span fg_amqp_span(const amqp_envelope_t *envelope)
{
    return fg_amqp_delivery_span(envelope);
}

void fg_amqp_fail(const amqp_envelope_t *envelope, const char *type, const char *description)
{
    fg_amqp_delivery_fail(envelope, type, description);
}

fg_context *fg_amqp_message_context(const amqp_message_t *message)
{
    return message ? fg_amqp_context_of(&message->properties) : NULL;
}
