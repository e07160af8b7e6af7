/* What is known of a connection: its channels, what was published and not confirmed yet, who
 * consumes what. One thread at a time uses a connection, librabbitmq says; so this has no lock. */
#pragma once

#include "message.h"

enum { FG_AMQP_PENDING_MAX = 8192, FG_AMQP_CONSUMERS_MAX = 1024 };

struct fg_amqp_published {
    struct fg_amqp_published *next;
    amqp_channel_t channel;
    uint64_t tag;
    fg_span span;
    bool is_returned;
};

struct fg_amqp_consumer {
    struct fg_amqp_consumer *next;
    amqp_channel_t channel;
    struct fg_slice tag, queue; /* in texts */
    uint8_t texts[];
};

struct fg_amqp_channel {
    struct fg_amqp_channel *next;
    amqp_channel_t number;
    bool confirms;
    uint64_t next_tag;
    /* A basic.return whose content is still to come. */
    bool has_return;
    uint16_t return_code;
    char return_text[256], return_place[FG_AMQP_NAME_MAX];
    /* A basic.get that has got a message whose content is still to come. */
    bool is_getting;
    fg_span getting;
    uint64_t confirmed, refused, returned; /* of fg_amqp_wait_confirms() */
    uint16_t last_code;
};

struct fg_amqp_connection {
    amqp_connection_state_t state;
    amqp_socket_t *socket;
    char *host;
    int port;
    struct fg_amqp_channel *channels;
    struct fg_amqp_published *first, *last; /* by channel and tag, as they were published */
    size_t pending_count;
    struct fg_amqp_consumer *consumers;
    size_t consumer_count;
};

void fg_amqp_connection_free(struct fg_amqp_connection *connection);
/* NULL without memory, or for no connection. */
struct fg_amqp_channel *fg_amqp_channel_of(struct fg_amqp_connection *connection,
                                           amqp_channel_t number);

/* messaging.system, messaging.operation.name and .type, messaging.destination.name, server.address;
 * name of the span. */
enum { FG_AMQP_PLACE_ATTRS = 6 };
size_t fg_amqp_place(const struct fg_amqp_connection *connection, const char *operation,
                     const char *type, const char *destination, fg_attr attrs[FG_AMQP_PLACE_ATTRS],
                     char ret_name[FG_AMQP_NAME_MAX]);
/* A span of these. options' kind, parent, links and start are used. */
fg_span fg_amqp_start(const struct fg_amqp_connection *connection, const char *operation,
                      const char *type, const char *destination, const fg_span_options *options);

/* The message has been handed over: its span ends, or waits for the broker's word where the channel
 * confirms. */
void fg_amqp_published(struct fg_amqp_connection *connection, amqp_channel_t channel, fg_span span,
                       int status);
/* All frames that the program reads pass here. */
void fg_amqp_observe(struct fg_amqp_connection *connection, const amqp_frame_t *frame);
/* A message's content was read on this channel: it may be one that was returned, or got. */
void fg_amqp_observe_content(struct fg_amqp_connection *connection, amqp_channel_t channel,
                             const amqp_basic_properties_t *properties, size_t body_size);
/* What waits for the broker on this channel, 0 for all, will not hear from it. Of three reasons
 * one: a status, a reply code with its text, or neither, which is "unconfirmed". */
void fg_amqp_give_up(struct fg_amqp_connection *connection, amqp_channel_t channel, int status,
                     uint16_t code, struct fg_slice text);
size_t fg_amqp_pending_of(const struct fg_amqp_connection *connection, amqp_channel_t channel);
