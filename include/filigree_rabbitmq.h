/* libfiligree-rabbitmq: what a program publishes and consumes by librabbitmq, as OpenTelemetry's
 * messaging spans.
 *
 * Each call has the name of librabbitmq's with fg_ before it, takes the same, and gives back the
 * same. With FILIGREE_DROP_IN defined before this header, librabbitmq's own names stand for them,
 * and a program's text need not change:
 *
 *     cc -DFILIGREE_DROP_IN -include filigree_rabbitmq.h … $(pkg-config --cflags --libs
 * filigree-rabbitmq)
 *
 * A publish is a producer span; traceparent, tracestate and baggage go into the message's headers,
 * and a message id into its properties where the program gives none. On a channel of
 * fg_amqp_confirm_select() the span lasts until the broker has confirmed or refused the message,
 * which is seen in the frames that the program waits for; a message that was returned is the error
 * NO_ROUTE.
 *
 * A delivery is a consumer span, "process", from fg_amqp_consume_message() to
 * fg_amqp_destroy_envelope(). It continues the producer's trace, and links to it; where a span is
 * current already, it is under that one. fg_amqp_enter() makes it current: the order's number of
 * the message is then on all spans below. ack, nack and reject are spans of their own, and the
 * latter two make the delivery an error.
 *
 * librabbitmq's rules for threads hold: one connection is used by one thread at a time. An envelope
 * may be worked on and destroyed by another one. */
#ifndef FILIGREE_RABBITMQ_H
#define FILIGREE_RABBITMQ_H

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <filigree.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -- Connections -- */
FG_API amqp_socket_t *fg_amqp_tcp_socket_new(amqp_connection_state_t state);
FG_API amqp_socket_t *fg_amqp_ssl_socket_new(amqp_connection_state_t state);
FG_API int fg_amqp_socket_open(amqp_socket_t *socket, const char *host, int port);
FG_API int fg_amqp_socket_open_noblock(amqp_socket_t *socket, const char *host, int port,
                                       const struct timeval *timeout);
FG_API amqp_rpc_reply_t fg_amqp_login(amqp_connection_state_t state, const char *vhost,
                                      int channel_max, int frame_max, int heartbeat,
                                      amqp_sasl_method_enum method, ...);
FG_API amqp_rpc_reply_t fg_amqp_channel_close(amqp_connection_state_t state, amqp_channel_t channel,
                                              int code);
FG_API amqp_rpc_reply_t fg_amqp_connection_close(amqp_connection_state_t state, int code);
FG_API int fg_amqp_destroy_connection(amqp_connection_state_t state);

/* -- Publishing -- */
FG_API amqp_confirm_select_ok_t *fg_amqp_confirm_select(amqp_connection_state_t state,
                                                        amqp_channel_t channel);
FG_API int fg_amqp_basic_publish(amqp_connection_state_t state, amqp_channel_t channel,
                                 amqp_bytes_t exchange, amqp_bytes_t routing_key,
                                 amqp_boolean_t mandatory, amqp_boolean_t immediate,
                                 const struct amqp_basic_properties_t_ *properties,
                                 amqp_bytes_t body);
/* Confirms and returned messages are seen in what these read. */
FG_API int fg_amqp_simple_wait_frame(amqp_connection_state_t state, amqp_frame_t *frame);
FG_API int fg_amqp_simple_wait_frame_noblock(amqp_connection_state_t state, amqp_frame_t *frame,
                                             const struct timeval *timeout);
FG_API amqp_rpc_reply_t fg_amqp_read_message(amqp_connection_state_t state, amqp_channel_t channel,
                                             amqp_message_t *message, int flags);

/* -- Consuming -- */
FG_API amqp_basic_consume_ok_t *
fg_amqp_basic_consume(amqp_connection_state_t state, amqp_channel_t channel, amqp_bytes_t queue,
                      amqp_bytes_t consumer_tag, amqp_boolean_t no_local, amqp_boolean_t no_ack,
                      amqp_boolean_t exclusive, amqp_table_t arguments);
FG_API amqp_rpc_reply_t fg_amqp_consume_message(amqp_connection_state_t state,
                                                amqp_envelope_t *envelope,
                                                const struct timeval *timeout, int flags);
FG_API void fg_amqp_destroy_envelope(amqp_envelope_t *envelope);
/* A message that was there is a "receive" span, until fg_amqp_read_message() has read it. */
FG_API amqp_rpc_reply_t fg_amqp_basic_get(amqp_connection_state_t state, amqp_channel_t channel,
                                          amqp_bytes_t queue, amqp_boolean_t no_ack);
FG_API int fg_amqp_basic_ack(amqp_connection_state_t state, amqp_channel_t channel,
                             uint64_t delivery_tag, amqp_boolean_t multiple);
FG_API int fg_amqp_basic_nack(amqp_connection_state_t state, amqp_channel_t channel,
                              uint64_t delivery_tag, amqp_boolean_t multiple,
                              amqp_boolean_t requeue);
FG_API int fg_amqp_basic_reject(amqp_connection_state_t state, amqp_channel_t channel,
                                uint64_t delivery_tag, amqp_boolean_t requeue);

/* -- What librabbitmq has no word for -- */

/* The delivery's span and the message's baggage become the thread's own; for fg_scope_leave(). */
FG_API fg_scope fg_amqp_enter(const amqp_envelope_t *envelope);
FG_API fg_span fg_amqp_span(const amqp_envelope_t *envelope);
/* Names the reason for which the delivery fails, before it is rejected: error.type, and a
 * description or NULL. */
FG_API void fg_amqp_fail(const amqp_envelope_t *envelope, const char *type,
                         const char *description);
/* The context in a message's headers, for who reads messages in another way. The caller's, who
 * frees it. */
FG_API fg_context *fg_amqp_message_context(const amqp_message_t *message);

typedef struct fg_amqp_confirms {
    size_t size;                           /* sizeof(fg_amqp_confirms), set by the caller */
    uint64_t confirmed, refused, returned; /* refused: by basic.nack */
    uint16_t reply_code; /* of the last one that was returned, 312: no queue takes it */
} fg_amqp_confirms;

/* Reads frames until all that was published on the channel is confirmed or refused; AMQP_STATUS_OK
 * then, also for those refused or returned, which are counted. AMQP_STATUS_TIMEOUT;
 * AMQP_STATUS_UNEXPECTED_STATE where the channel was closed, or the connection has deliveries,
 * whose frames would be lost: consumers want a connection of their own. */
FG_API int fg_amqp_wait_confirms(amqp_connection_state_t state, amqp_channel_t channel,
                                 const struct timeval *timeout, fg_amqp_confirms *ret_confirms);

#ifdef __cplusplus
}
#endif

#ifdef FILIGREE_DROP_IN
#define amqp_tcp_socket_new            fg_amqp_tcp_socket_new
#define amqp_ssl_socket_new            fg_amqp_ssl_socket_new
#define amqp_socket_open               fg_amqp_socket_open
#define amqp_socket_open_noblock       fg_amqp_socket_open_noblock
#define amqp_login                     fg_amqp_login
#define amqp_channel_close             fg_amqp_channel_close
#define amqp_connection_close          fg_amqp_connection_close
#define amqp_destroy_connection        fg_amqp_destroy_connection
#define amqp_confirm_select            fg_amqp_confirm_select
#define amqp_basic_publish             fg_amqp_basic_publish
#define amqp_simple_wait_frame         fg_amqp_simple_wait_frame
#define amqp_simple_wait_frame_noblock fg_amqp_simple_wait_frame_noblock
#define amqp_read_message              fg_amqp_read_message
#define amqp_basic_consume             fg_amqp_basic_consume
#define amqp_consume_message           fg_amqp_consume_message
#define amqp_destroy_envelope          fg_amqp_destroy_envelope
#define amqp_basic_get                 fg_amqp_basic_get
#define amqp_basic_ack                 fg_amqp_basic_ack
#define amqp_basic_nack                fg_amqp_basic_nack
#define amqp_basic_reject              fg_amqp_basic_reject
#endif
#endif
