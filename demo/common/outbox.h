/* A thread that publishes what stands in a database's outbox, each message under the context in its
 * row. What the broker did not confirm stays there and is tried again. */
#ifndef DEMO_OUTBOX_H
#define DEMO_OUTBOX_H

#include "pool.h"

struct outbox;

struct outbox_options {
    struct pool *pool;
    const char *broker_uri;
    const char *exchange;
    const char *service; /* whose faults bad_message and wrong_route it has */
};

/* NULL: out of memory, or of threads. */
struct outbox *outbox_start(const struct outbox_options *options);
/* Something was written: look now. Thread-safe; NULL is allowed. */
void outbox_wake(struct outbox *outbox);
void outbox_stop(struct outbox *outbox);

#endif
