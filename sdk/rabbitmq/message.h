/* Messages: their place, the context in their headers, and librabbitmq's errors in words. */
#pragma once

#include "../instrument/tell.h"

#include <amqp.h>
#include <amqp_framing.h>

enum {
    FG_AMQP_NAME_MAX = 800
}; /* an exchange, a routing key and a queue have at most 255 bytes each */

static inline struct fg_slice fg_amqp_slice(amqp_bytes_t bytes)
{
    return fg_slice(bytes.bytes, bytes.bytes ? bytes.len : 0);
}

const fg_tracer *fg_amqp_tracer(void);

/* "exchange:routing_key:queue" without what is empty or said already, "amq.default" where nothing
 * is left (OpenTelemetry's semantic conventions for RabbitMQ). */
void fg_amqp_destination(struct fg_slice exchange, struct fg_slice routing_key,
                         struct fg_slice queue, char ret_text[FG_AMQP_NAME_MAX]);

/* The context of a message; its span has no ids where the message has none. NULL without memory. */
fg_context *fg_amqp_context_of(const amqp_basic_properties_t *properties);
bool fg_amqp_has_context(const amqp_basic_properties_t *properties);

/* A message's properties with the thread's context in its headers. Their memory is properties' and
 * own's, which is to be freed after the publish. */
struct fg_amqp_dressed {
    amqp_basic_properties_t properties;
    amqp_table_entry_t *entries;
    struct fg_buffer texts;
    char message_id[2 * (16 + 8) + 1];
};
/* span: that of the publish, which is current. properties may be NULL. */
void fg_amqp_dress(const amqp_basic_properties_t *properties, fg_span span,
                   struct fg_amqp_dressed *ret_dressed);
void fg_amqp_undress(struct fg_amqp_dressed *dressed);

/* Attributes that are in the properties. */
void fg_amqp_tell_properties(fg_span span, const amqp_basic_properties_t *properties,
                             size_t body_size);

/* An error of librabbitmq as error.type and description; what the connection's end means is said in
 * words. */
void fg_amqp_tell_status(fg_span span, int status, const char *what);
/* "NO_ROUTE", "NOT_FOUND - no exchange …": the first word is the type. */
void fg_amqp_tell_reply(fg_span span, uint16_t code, struct fg_slice text);
/* Of a call's reply; nothing for a normal one. */
void fg_amqp_tell_rpc(fg_span span, amqp_rpc_reply_t reply, const char *what);
