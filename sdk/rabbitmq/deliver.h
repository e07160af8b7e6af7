/* Messages that the program works on: from their delivery until their envelope is destroyed, which
 * another thread than the connection's may do. */
#pragma once

#include "message.h"

enum { FG_AMQP_DELIVERIES_MAX = 16384 };

/* What of a delivery is said on the spans that settle it; a copy, with a context of its own. */
struct fg_amqp_settled {
    fg_context *context; /* NULL: the delivery is not known */
    char destination[FG_AMQP_NAME_MAX];
    size_t count; /* of those that are settled with it */
};

/* Takes context: the delivery's own. span is the delivery's. Where there are too many the span ends
 * at once. */
void fg_amqp_deliver_take(amqp_connection_state_t state, const amqp_envelope_t *envelope,
                          const char *destination, fg_span span, fg_context *context);
/* Ends the span. */
void fg_amqp_delivered(const amqp_envelope_t *envelope);
fg_span fg_amqp_delivery_span(const amqp_envelope_t *envelope);
/* A reference of the caller's; NULL: not known. */
fg_context *fg_amqp_delivery_context(const amqp_envelope_t *envelope);
void fg_amqp_delivery_fail(const amqp_envelope_t *envelope, const char *type,
                           const char *description);
/* type: that of the error which a refusal is to the deliveries that have none yet; NULL: they are
 * acknowledged. */
void fg_amqp_settle(amqp_connection_state_t state, amqp_channel_t channel, uint64_t tag,
                    bool and_before, const char *type, struct fg_amqp_settled *ret_settled);
/* The connection is gone; another may get its address. */
void fg_amqp_deliveries_detach(amqp_connection_state_t state);
