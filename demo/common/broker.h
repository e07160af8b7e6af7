/* A connection to RabbitMQ, for one thread: either publishing with confirms, or consuming one
 * queue. */
#ifndef DEMO_BROKER_H
#define DEMO_BROKER_H

#include <filigree_rabbitmq.h>
#include <stdbool.h>

#define BROKER_TEXT_SIZE 160

struct broker;

enum broker_outcome {
    BROKER_CONFIRMED,
    BROKER_RETURNED, /* no queue takes it */
    BROKER_REFUSED,  /* the broker said no: a queue is full */
    BROKER_LOST,     /* no connection, or it broke: whether it arrived is not known */
};

/* uri: amqp://user:password@host:port. Does not connect yet. NULL: out of memory. */
struct broker *broker_new(const char *uri);
void broker_free(struct broker *broker);

/* Connects where it is not. False: with the reason. */
bool broker_open_publisher(struct broker *broker, char ret_text[BROKER_TEXT_SIZE]);
/* One message at a time is taken of the queue. */
bool broker_open_consumer(struct broker *broker, const char *queue,
                          char ret_text[BROKER_TEXT_SIZE]);
bool broker_is_open(const struct broker *broker);
void broker_close(struct broker *broker);

/* Publishes a persistent JSON message, mandatory, under the current context, and waits until the
 * broker has spoken. */
enum broker_outcome broker_publish(struct broker *broker, const char *exchange, const char *key,
                                   const char *message_id, const char *body);

/* Waits for a delivery; true where there is one. False: none within ms, or the connection broke,
 * which broker_is_open() tells. */
bool broker_take(struct broker *broker, int ms, amqp_envelope_t *ret_envelope);
/* Each ends the delivery, and destroys the envelope. */
void broker_ack(struct broker *broker, amqp_envelope_t *envelope);
void broker_requeue(struct broker *broker, amqp_envelope_t *envelope);
/* To the queue's dead letters. type and text: why. */
void broker_reject(struct broker *broker, amqp_envelope_t *envelope, const char *type,
                   const char *text);

#endif
