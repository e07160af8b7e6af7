/* Answers of RabbitMQ's management API (3.8 to 3.13, 4), read from bytes that may be anything: what
 * is there is taken, what is not is told as unknown, and what is no such answer is FG_EINVALID.
 * Pure, but for jansson's memory, which is bounded by the answer's size. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#define FG_RABBIT_NAME_SIZE 256u /* AMQP's 255 bytes and a NUL; longer ones are cut */

enum fg_rabbit_overflow { FG_RABBIT_DROP_HEAD, FG_RABBIT_REJECT };

/* Counts are -1 where the answer has none, as it is for some seconds after a start. */
struct fg_rabbit_queue {
    char name[FG_RABBIT_NAME_SIZE];
    int64_t messages, ready, unacknowledged, consumers, ready_bytes;
    int64_t taken_count; /* messages that went out for good, since the queue began to be counted */
    double publish_rate, deliver_rate, ack_rate; /* a second */
    int64_t length_max, bytes_max; /* of policy and arguments the smaller; -1: no limit */
    enum fg_rabbit_overflow overflow;
    bool has_dead_letters; /* what it drops or refuses goes to another exchange */
    bool is_running;
};

FG_MUST_CHECK int fg_rabbit_read_queue(struct fg_slice answer, struct fg_rabbit_queue *ret_queue);
/* A page of queues: appended at queues[*count] up to count_max. *ret_pages: how many there are. */
FG_MUST_CHECK int fg_rabbit_read_queues(struct fg_slice answer, struct fg_rabbit_queue *queues,
                                        uint32_t count_max, uint32_t *count, int64_t *ret_pages);

struct fg_rabbit_overview {
    char version[64], cluster[FG_RABBIT_NAME_SIZE];
    int64_t messages, ready, unacknowledged, consumers, queues, connections; /* -1: unknown */
    int64_t returned_count, dropped_count; /* messages that no queue wanted; -1: unknown */
};
FG_MUST_CHECK int fg_rabbit_read_overview(struct fg_slice answer,
                                          struct fg_rabbit_overview *ret_overview);

struct fg_rabbit_nodes {
    uint32_t count, running, partitioned;
    bool memory_alarm, disk_alarm;
    char stopped[FG_RABBIT_NAME_SIZE], alarmed[FG_RABBIT_NAME_SIZE]; /* one such; "": none */
    int64_t memory_used, memory_limit; /* of the node that has the least left; -1: unknown */
    int64_t disk_free, disk_limit;
    int64_t files_used, files_limit;
};
FG_MUST_CHECK int fg_rabbit_read_nodes(struct fg_slice answer, struct fg_rabbit_nodes *ret_nodes);

/* The answer of the alarms' health check, of status 200 or 503; sets only what concerns alarms. */
FG_MUST_CHECK int fg_rabbit_read_alarms(struct fg_slice answer, struct fg_rabbit_nodes *nodes);

enum fg_rabbit_exchange {
    FG_RABBIT_DIRECT,
    FG_RABBIT_FANOUT,
    FG_RABBIT_TOPIC,
    FG_RABBIT_HEADERS, /* and plugins' types: which binding matches can't be told from the key */
};
FG_MUST_CHECK int fg_rabbit_read_exchange(struct fg_slice answer,
                                          enum fg_rabbit_exchange *ret_type);

struct fg_rabbit_binding {
    char destination[FG_RABBIT_NAME_SIZE], key[FG_RABBIT_NAME_SIZE];
    bool to_queue; /* otherwise to another exchange */
};
/* Up to count_max; *ret_count is how many were taken, *ret_total how many there are. */
FG_MUST_CHECK int fg_rabbit_read_bindings(struct fg_slice answer,
                                          struct fg_rabbit_binding *bindings, uint32_t count_max,
                                          uint32_t *ret_count, uint32_t *ret_total);

/* Whether a message of this key takes a binding of this key, by the exchange's type. In topics a
 * star is one word and a # any number of them (AMQP 0-9-1, 3.1.3.3). */
bool fg_rabbit_key_matches(enum fg_rabbit_exchange type, const char *binding_key, const char *key);

/* Whether the queue holds as much as it may, so that the next message is dropped or refused. */
bool fg_rabbit_queue_is_full(const struct fg_rabbit_queue *queue);
