/* Published messages until the broker has spoken. On a channel with confirms messages are numbered
 * from 1; basic.ack and basic.nack name a number, or all up to it. A message that no queue takes
 * comes back as basic.return with its content before it is confirmed, without a number: the
 * traceparent in its headers says which one it is. */
#include "publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fg_amqp_connection_free(struct fg_amqp_connection *connection)
{
    if (!connection)
        return;
    fg_amqp_give_up(connection, 0, AMQP_STATUS_OK, 0, (struct fg_slice){0});
    for (struct fg_amqp_channel *one = connection->channels, *next; one; one = next) {
        next = one->next;
        free(one);
    }
    for (struct fg_amqp_consumer *one = connection->consumers, *next; one; one = next) {
        next = one->next;
        free(one);
    }
    free(connection->host);
    free(connection);
}

struct fg_amqp_channel *fg_amqp_channel_of(struct fg_amqp_connection *connection,
                                           amqp_channel_t number)
{
    struct fg_amqp_channel *one = connection ? connection->channels : NULL;
    while (one && one->number != number)
        one = one->next;
    if (!one && connection && (one = calloc(1, sizeof *one))) {
        one->number = number;
        one->next_tag = 1;
        one->next = connection->channels;
        connection->channels = one;
    }
    return one;
}

/* -- Spans */

size_t fg_amqp_place(const struct fg_amqp_connection *connection, const char *operation,
                     const char *type, const char *destination, fg_attr attrs[FG_AMQP_PLACE_ATTRS],
                     char ret_name[FG_AMQP_NAME_MAX])
{
    size_t count = 0;
    snprintf(ret_name, FG_AMQP_NAME_MAX, "%s%s%s", operation, destination ? " " : "",
             destination ? destination : "");
    attrs[count++] = fg_attr_string("messaging.system", "rabbitmq");
    attrs[count++] = fg_attr_string("messaging.operation.name", operation);
    if (type)
        attrs[count++] = fg_attr_string("messaging.operation.type", type);
    if (destination)
        attrs[count++] = fg_attr_string("messaging.destination.name", destination);
    if (connection && connection->host) {
        attrs[count++] = fg_attr_string("server.address", connection->host);
        attrs[count++] = fg_attr_int("server.port", connection->port);
    }
    return count;
}

fg_span fg_amqp_start(const struct fg_amqp_connection *connection, const char *operation,
                      const char *type, const char *destination, const fg_span_options *options)
{
    char name[FG_AMQP_NAME_MAX];
    fg_attr attrs[FG_AMQP_PLACE_ATTRS];
    fg_span_options own = *options;
    own.tracer = fg_amqp_tracer();
    own.attrs = attrs;
    own.attr_count = fg_amqp_place(connection, operation, type, destination, attrs, name);
    return fg_span_start(name, &own);
}

/* -- Until the broker has spoken */

void fg_amqp_published(struct fg_amqp_connection *connection, amqp_channel_t channel, fg_span span,
                       int status)
{
    struct fg_amqp_channel *of = fg_amqp_channel_of(connection, channel);
    struct fg_amqp_published *one = NULL;
    if (status != AMQP_STATUS_OK) {
        fg_amqp_tell_status(span, status, "connection closed");
    } else if (of && of->confirms) {
        uint64_t tag = of->next_tag++;
        if (connection->pending_count < FG_AMQP_PENDING_MAX && (one = calloc(1, sizeof *one))) {
            *one = (struct fg_amqp_published){.channel = channel, .tag = tag, .span = span};
            if (connection->last)
                connection->last->next = one;
            else
                connection->first = one;
            connection->last = one;
            connection->pending_count++;
            return;
        }
    }
    fg_span_end(span);
}

/* Takes those of the list that fit out of it, each ended by finish. channel 0: any; tag 0: any. */
static void settle(struct fg_amqp_connection *connection, amqp_channel_t channel, uint64_t tag,
                   bool and_before, void (*finish)(struct fg_amqp_published *one, void *arg),
                   void *arg)
{
    struct fg_amqp_published **at = &connection->first, *last = NULL;
    while (*at) {
        struct fg_amqp_published *one = *at;
        bool is_meant = (channel == 0 || one->channel == channel) &&
                        (tag == 0 || one->tag == tag || (and_before && one->tag < tag));
        if (!is_meant) {
            last = one;
            at = &one->next;
            continue;
        }
        *at = one->next;
        connection->pending_count--;
        finish(one, arg);
        fg_span_end(one->span);
        free(one);
    }
    connection->last = last;
}

static void finish_confirmed(struct fg_amqp_published *one, void *arg)
{
    struct fg_amqp_channel *channel = arg;
    channel->confirmed += !one->is_returned;
    fg_span_set_bool(one->span, "filigree.amqp.confirmed", !one->is_returned);
}

static void finish_refused(struct fg_amqp_published *one, void *arg)
{
    struct fg_amqp_channel *channel = arg;
    channel->refused++;
    fg_span_set_bool(one->span, "filigree.amqp.confirmed", 0);
    fg_tell_error(one->span, "nack", "the broker refused the message (basic.nack)");
}

struct reason {
    int status;
    uint16_t code;
    struct fg_slice text;
};

static void finish_given_up(struct fg_amqp_published *one, void *arg)
{
    const struct reason *reason = arg;
    if (reason->code)
        fg_amqp_tell_reply(one->span, reason->code, reason->text);
    else if (reason->status != AMQP_STATUS_OK)
        fg_amqp_tell_status(one->span, reason->status, "connection closed");
    else if (!one->is_returned)
        fg_tell_error(one->span, "unconfirmed",
                      "the channel was closed before the broker had confirmed the message");
}

void fg_amqp_give_up(struct fg_amqp_connection *connection, amqp_channel_t channel, int status,
                     uint16_t code, struct fg_slice text)
{
    struct reason reason = {status, code, text};
    if (!connection)
        return;
    settle(connection, channel, 0, false, finish_given_up, &reason);
    for (struct fg_amqp_channel *one = connection->channels; one; one = one->next) {
        if (channel != 0 && one->number != channel)
            continue;
        one->confirms = one->has_return = false;
        if (one->is_getting)
            fg_span_end(one->getting);
        one->is_getting = false;
    }
}

size_t fg_amqp_pending_of(const struct fg_amqp_connection *connection, amqp_channel_t channel)
{
    size_t count = 0;
    for (const struct fg_amqp_published *one = connection->first; one; one = one->next)
        count += one->channel == channel;
    return count;
}

/* -- Returned messages */

static void note_return(struct fg_amqp_channel *channel, const amqp_basic_return_t *returned)
{
    struct fg_slice text = fg_amqp_slice(returned->reply_text);
    size_t size =
        text.size < sizeof channel->return_text - 1 ? text.size : sizeof channel->return_text - 1;
    if (size)
        memcpy(channel->return_text, text.data, size);
    channel->return_text[size] = 0;
    channel->return_code = returned->reply_code;
    channel->has_return = true;
    fg_amqp_destination(fg_amqp_slice(returned->exchange), fg_amqp_slice(returned->routing_key),
                        (struct fg_slice){0}, channel->return_place);
}

static struct fg_amqp_published *find_published(const struct fg_amqp_connection *connection,
                                                fg_span span)
{
    struct fg_amqp_published *one = connection->first;
    while (one && memcmp(one->span.span_id, span.span_id, sizeof span.span_id) != 0)
        one = one->next;
    return one;
}

/* The span of one that still waits for its confirm is made an error; of another that has ended a
 * span of its own tells. */
static void tell_return(struct fg_amqp_connection *connection, struct fg_amqp_channel *channel,
                        const amqp_basic_properties_t *properties)
{
    struct fg_slice text = fg_slice_from_string(channel->return_text);
    fg_context *context = fg_amqp_context_of(properties);
    struct fg_amqp_published *one =
        context ? find_published(connection, fg_context_span(context)) : NULL;
    channel->has_return = false;
    channel->returned++;
    channel->last_code = channel->return_code;
    if (one) {
        one->is_returned = true;
        fg_amqp_tell_reply(one->span, channel->return_code, text);
    } else {
        fg_span_options options = FG_SPAN_OPTIONS_INIT;
        options.kind = FG_SPAN_CLIENT;
        options.parent = context;
        fg_span span = fg_amqp_start(connection, "return", NULL, channel->return_place, &options);
        fg_amqp_tell_properties(span, properties, 0);
        fg_amqp_tell_reply(span, channel->return_code, text);
        fg_span_end(span);
    }
    fg_context_free(context);
}

/* -- What the program reads */

void fg_amqp_observe_content(struct fg_amqp_connection *connection, amqp_channel_t number,
                             const amqp_basic_properties_t *properties, size_t body_size)
{
    struct fg_amqp_channel *channel = connection ? fg_amqp_channel_of(connection, number) : NULL;
    if (!channel)
        return;
    if (channel->has_return)
        tell_return(connection, channel, properties);
    if (!channel->is_getting)
        return;
    fg_context *context = fg_amqp_context_of(properties);
    if (context && fg_span_is_valid(fg_context_span(context)))
        fg_span_add_link(channel->getting, fg_context_span(context), NULL, 0);
    fg_context_free(context);
    fg_amqp_tell_properties(channel->getting, properties, body_size);
    fg_span_end(channel->getting);
    channel->is_getting = false;
}

static void observe_method(struct fg_amqp_connection *connection, amqp_channel_t number,
                           const amqp_method_t *method)
{
    struct fg_amqp_channel *channel = fg_amqp_channel_of(connection, number);
    if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *why = method->decoded;
        fg_amqp_give_up(connection, 0, AMQP_STATUS_OK, why->reply_code,
                        fg_amqp_slice(why->reply_text));
    }
    if (!channel)
        return;
    if (method->id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *ack = method->decoded;
        settle(connection, number, ack->delivery_tag, ack->multiple, finish_confirmed, channel);
    } else if (method->id == AMQP_BASIC_NACK_METHOD) {
        const amqp_basic_nack_t *nack = method->decoded;
        settle(connection, number, nack->delivery_tag, nack->multiple, finish_refused, channel);
    } else if (method->id == AMQP_BASIC_RETURN_METHOD) {
        note_return(channel, method->decoded);
    } else if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *why = method->decoded;
        fg_amqp_give_up(connection, number, AMQP_STATUS_OK, why->reply_code,
                        fg_amqp_slice(why->reply_text));
    }
}

void fg_amqp_observe(struct fg_amqp_connection *connection, const amqp_frame_t *frame)
{
    if (!connection)
        return;
    if (frame->frame_type == AMQP_FRAME_METHOD)
        observe_method(connection, frame->channel, &frame->payload.method);
    else if (frame->frame_type == AMQP_FRAME_HEADER)
        fg_amqp_observe_content(connection, frame->channel, frame->payload.properties.decoded,
                                (size_t)frame->payload.properties.body_size);
}
