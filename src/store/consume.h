/* Consumers within the store: what they hold of the log, and who waits for them. */
#pragma once

#include "store/consumer.h"

#include <stdatomic.h>

struct fg_consumer {
    struct fg_store *store;
    struct fg_consumer_options options;
    bool is_known; /* it has a position of this store */
    atomic_uint_fast64_t next, durable;
    atomic_uint_fast64_t missed;
    atomic_bool is_let_go;     /* the log is not kept for it */
    atomic_bool is_commit_due; /* somebody waits for its durable state */
    uint64_t untold;           /* the reader's: of missed, not told yet */
};

/* Asks each for its position; before the log is replayed. FG_ENOMEM, FG_EIO, FG_ECORRUPT. */
FG_MUST_CHECK int fg_consumers_open(struct fg_store *store);
/* With the log replayed: a position that is none of this log's is given up. */
void fg_consumers_start(struct fg_store *store, uint64_t checkpoint, uint64_t next_sequence);
void fg_consumers_free(struct fg_store *store);

/* The first record that somebody needs, when those below checkpoint are in the blocks. */
uint64_t fg_consumers_floor(struct fg_store *store, uint64_t checkpoint);
/* Lets the log go for all who are behind checkpoint. */
void fg_consumers_let_go(struct fg_store *store, uint64_t checkpoint);
/* The same where what is kept for them takes too much room. */
void fg_consumers_look(struct fg_store *store, uint64_t checkpoint);
/* The log's files that nobody needs can be used again. */
void fg_consumers_recycle(struct fg_store *store, uint64_t checkpoint);

/* Records were published. */
void fg_consumers_wake(struct fg_store *store);
/* Waits until each one's durable state has passed sequence; false: one takes too long. */
bool fg_consumers_settle(struct fg_store *store, uint64_t sequence);
