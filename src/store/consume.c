/* What consumers hold of the log.
 *
 *     known       the log is kept from its durable position on
 *     let go      it is behind the checkpoint, and the log took too much room for it: kept no more
 *                 than for the blocks; what it comes too late for is counted as missed
 *     known again once its durable position has passed the checkpoint
 *
 * Letting go is the lesser evil: to hold up ingest for a consumer that hangs would lose spans, and
 * what it missed is in the segments. */
#include "consume.h"
#include "store_internal.h"

#include "base/limits.h"

#include <stdlib.h>

/* -- Opening */

static int ask(struct fg_consumer *consumer, uint64_t store_id)
{
    const struct fg_consumer_options *options = &consumer->options;
    struct fg_state *state = consumer->store->keyed_state;
    uint64_t id = 0, sequence = 0;
    int r = FG_ENOTFOUND;
    if (options->position)
        r = options->position(options->arg, &id, &sequence);
    else if (state)
        r = fg_state_position(state, options->name, &id, &sequence);
    if (r < 0)
        return r == FG_ENOTFOUND ? 0 : r;
    consumer->is_known = id == store_id && sequence > 0;
    atomic_store(&consumer->durable, sequence);
    return 0;
}

int fg_consumers_open(struct fg_store *store)
{
    size_t count = store->options.consumer_count;
    struct fg_blocks_log log;
    int r = 0;
    store->consumers = calloc(count + 1, sizeof *store->consumers);
    if (!store->consumers)
        return FG_ENOMEM;
    store->blocks->ops->log(store->blocks, &log);
    for (size_t i = 0; r == 0 && i < count; i++) {
        store->consumers[i].store = store;
        store->consumers[i].options = store->options.consumers[i];
        r = ask(&store->consumers[i], log.store_id);
    }
    store->consumer_count = count;
    return r;
}

void fg_consumers_start(struct fg_store *store, uint64_t checkpoint, uint64_t next_sequence)
{
    for (size_t i = 0; i < store->consumer_count; i++) {
        struct fg_consumer *consumer = &store->consumers[i];
        /* Past the log's end: its state is of another life of this folder. */
        bool is_ahead = consumer->is_known && atomic_load(&consumer->durable) > next_sequence;
        bool is_new = !consumer->is_known || is_ahead;
        if (is_new) {
            consumer->untold = checkpoint - 1 + (is_ahead && checkpoint == 1);
            atomic_store(&consumer->missed, consumer->untold);
            atomic_store(&consumer->durable, checkpoint);
        }
        atomic_store(&consumer->next, atomic_load(&consumer->durable));
    }
}

void fg_consumers_free(struct fg_store *store)
{
    free(store->consumers);
}

struct fg_consumer *fg_store_consumer(struct fg_store *store, const char *name)
{
    for (size_t i = 0; i < store->consumer_count; i++)
        if (strcmp(store->consumers[i].options.name, name) == 0)
            return &store->consumers[i];
    return NULL;
}

struct fg_state *fg_store_state(struct fg_store *store)
{
    return store->keyed_state;
}

/* -- Holding the log */

uint64_t fg_consumers_floor(struct fg_store *store, uint64_t checkpoint)
{
    uint64_t floor = checkpoint;
    for (size_t i = 0; i < store->consumer_count; i++) {
        struct fg_consumer *consumer = &store->consumers[i];
        uint64_t durable = atomic_load(&consumer->durable);
        if (durable && durable < floor && !atomic_load(&consumer->is_let_go))
            floor = durable;
    }
    return floor;
}

void fg_consumers_recycle(struct fg_store *store, uint64_t checkpoint)
{
    fg_wal_recycle(store->wal, fg_consumers_floor(store, checkpoint));
}

static void let_go(struct fg_consumer *consumer, uint64_t checkpoint)
{
    uint64_t durable = atomic_load(&consumer->durable);
    if (durable >= checkpoint || atomic_exchange(&consumer->is_let_go, true))
        return;
    fg_store_event(&consumer->store->options, FG_LOG_WARN,
                   "%s is %llu requests behind: the log is not kept for it any longer, and it will "
                   "read them from what is stored",
                   consumer->options.name, (unsigned long long)(checkpoint - durable));
}

void fg_consumers_let_go(struct fg_store *store, uint64_t checkpoint)
{
    for (size_t i = 0; i < store->consumer_count; i++)
        let_go(&store->consumers[i], checkpoint);
}

void fg_consumer_durable(struct fg_consumer *consumer, uint64_t position)
{
    struct fg_store *store = consumer->store;
    uint64_t before = atomic_load(&consumer->durable);
    uint64_t checkpoint = atomic_load(&store->sealed_sequence);
    if (position > before)
        atomic_store(&consumer->durable, position);
    if (position >= checkpoint)
        atomic_store(&consumer->is_let_go, false);
    atomic_store(&consumer->is_commit_due, false);
    if (position > before && before < checkpoint && store->wal)
        fg_consumers_recycle(store, checkpoint);
    fg_mutex_lock(&store->consume_lock);
    fg_cond_broadcast(&store->consume_changed);
    fg_mutex_unlock(&store->consume_lock);
}

void fg_consumer_put_position(struct fg_consumer *consumer, struct fg_state_batch *batch,
                              uint64_t position)
{
    struct fg_blocks_log log;
    consumer->store->blocks->ops->log(consumer->store->blocks, &log);
    fg_state_put_position(batch, consumer->options.name, log.store_id, position);
}

/* -- Asking them, waiting for them */

void fg_consumers_wake(struct fg_store *store)
{
    if (atomic_load(&store->consume_waiters) == 0)
        return;
    fg_mutex_lock(&store->consume_lock);
    fg_cond_broadcast(&store->consume_changed);
    fg_mutex_unlock(&store->consume_lock);
}

void fg_store_end_consumers(struct fg_store *store)
{
    atomic_store(&store->is_consume_ending, true);
    fg_mutex_lock(&store->consume_lock);
    fg_cond_broadcast(&store->consume_changed);
    fg_mutex_unlock(&store->consume_lock);
}

static bool ask_to_commit(struct fg_store *store, uint64_t sequence)
{
    bool is_any = false;
    for (size_t i = 0; i < store->consumer_count; i++) {
        struct fg_consumer *consumer = &store->consumers[i];
        if (atomic_load(&consumer->durable) >= sequence || atomic_load(&consumer->is_let_go))
            continue;
        atomic_store(&consumer->is_commit_due, true);
        is_any = true;
    }
    return is_any;
}

void fg_consumers_look(struct fg_store *store, uint64_t checkpoint)
{
    uint64_t held_max = store->options.wal_hold_bytes_max,
             held = store->consumer_count ? fg_wal_held_bytes(store->wal, checkpoint) : 0;
    if (held > held_max) {
        fg_consumers_let_go(store, checkpoint);
    } else if (held > held_max / 2) {
        fg_mutex_lock(&store->consume_lock);
        ask_to_commit(store, checkpoint);
        fg_cond_broadcast(&store->consume_changed);
        fg_mutex_unlock(&store->consume_lock);
    }
}

bool fg_consumers_settle(struct fg_store *store, uint64_t sequence)
{
    uint64_t begin_ns = fg_env_mono_ns(store->env), waited_ns = 0;
    fg_mutex_lock(&store->consume_lock);
    bool is_behind = ask_to_commit(store, sequence);
    while (is_behind && !store->options.manual && waited_ns < FG_CONSUMER_WAIT_NS_MAX) {
        fg_cond_broadcast(&store->consume_changed); /* who reads is told as well */
        fg_cond_wait_for(&store->consume_changed, &store->consume_lock,
                         FG_CONSUMER_WAIT_NS_MAX - waited_ns);
        waited_ns = fg_env_mono_ns(store->env) - begin_ns;
        is_behind = ask_to_commit(store, sequence);
    }
    fg_mutex_unlock(&store->consume_lock);
    return !is_behind;
}

void fg_consumer_lag(struct fg_consumer *consumer, struct fg_consumer_lag *ret_lag)
{
    uint64_t end = fg_store_follow_end(consumer->store).sequence;
    uint64_t next = atomic_load(&consumer->next), durable = atomic_load(&consumer->durable);
    *ret_lag = (struct fg_consumer_lag){
        .records = end > next ? end - next : 0,
        .undurable = end > durable ? end - durable : 0,
        .missed = atomic_load(&consumer->missed),
    };
}
