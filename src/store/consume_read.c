/* A consumer's reading: from the heads what is in them, and what was sealed meanwhile from the
 * log's files, which are kept for it. Heads are held for the time of one call at most. */
#include "consume.h"
#include "store_internal.h"

#include <stdlib.h>

#define STOP 1

struct reading {
    struct fg_consumer *consumer;
    int (*record)(void *arg, const struct fg_consumed *consumed);
    void *arg;
    uint64_t end;   /* of the part that is read from the log */
    uint64_t given; /* records */
    int result;     /* what record() returned */
};

static void pass_over(struct fg_consumer *consumer, uint64_t to)
{
    uint64_t next = atomic_load(&consumer->next);
    if (to <= next)
        return;
    consumer->untold += to - next;
    atomic_fetch_add(&consumer->missed, to - next);
    atomic_store(&consumer->next, to);
}

/* The record at the consumer's place, or behind it. */
static int give(struct reading *reading, uint64_t sequence, uint32_t tenant,
                const struct fg_batch *batch)
{
    struct fg_consumer *consumer = reading->consumer;
    const struct fg_consumed consumed = {.sequence = sequence, .tenant = tenant, .batch = batch};
    pass_over(consumer, sequence);
    atomic_store(&consumer->next, sequence + 1);
    reading->given++;
    reading->result = reading->record(reading->arg, &consumed);
    return reading->result;
}

/* -- The log */

static int on_record(void *arg, const struct fg_wal_record *record)
{
    struct reading *reading = arg;
    struct fg_block *block;
    if (record->sequence >= reading->end)
        return STOP;
    int r = fg_block_parse(record->payload, &block);
    if (r == FG_ECORRUPT)
        return 0; /* it is passed over with the next one */
    if (r < 0)
        return r;
    r = give(reading, record->sequence, record->tenant, fg_block_batch(block));
    fg_block_unref(block);
    return r == 0 ? 0 : STOP;
}

/* Everything below end, all of which was synced long since. */
static int read_log(struct reading *reading, uint64_t end)
{
    struct fg_consumer *consumer = reading->consumer;
    struct fg_store *store = consumer->store;
    struct fg_blocks_log log;
    struct fg_wal_end *ignored = calloc(1, sizeof *ignored);
    if (!ignored)
        return FG_ENOMEM;
    store->blocks->ops->log(store->blocks, &log);
    reading->end = end;
    const struct fg_wal_replay replay = {.env = store->env,
                                         .folder = store->options.path,
                                         .store_id = log.store_id,
                                         .checkpoint = atomic_load(&consumer->next),
                                         .epochs = log.epochs,
                                         .epoch_count = log.epoch_count,
                                         .is_in_use = true,
                                         .record = on_record,
                                         .arg = reading};
    int r = fg_wal_replay(&replay, ignored);
    free(ignored);
    if (reading->result != 0)
        return reading->result;
    if (r < 0)
        return r;
    pass_over(consumer, end);
    return 0;
}

/* -- The heads */

static void hold_heads(struct fg_store *store, struct fg_head *heads[2])
{
    fg_mutex_lock(&store->lock);
    heads[0] = store->sealing ? fg_head_ref(store->sealing) : NULL;
    heads[1] = fg_head_ref(store->active);
    fg_mutex_unlock(&store->lock);
}

static uint64_t heads_begin(struct fg_store *store)
{
    struct fg_head *heads[2];
    hold_heads(store, heads);
    uint64_t begin = fg_head_info(heads[0] ? heads[0] : heads[1]).sequence_begin;
    fg_head_unref(heads[0]);
    fg_head_unref(heads[1]);
    return begin;
}

static int read_head(struct reading *reading, struct fg_head *head)
{
    struct fg_head_info info = fg_head_info(head);
    struct fg_head_cursor cursor = fg_head_begin(&info);
    int r = 0;
    for (const struct fg_head_entry *entry; r == 0 && (entry = fg_head_next(&cursor));)
        if (entry->sequence >= atomic_load(&reading->consumer->next))
            r = give(reading, entry->sequence, entry->tenant, fg_block_batch(entry->block));
    /* Numbers that no record has: of requests that the log lost. */
    if (r == 0)
        pass_over(reading->consumer, info.sequence_end);
    return r;
}

/* FG_EAGAIN: a head that it needs was sealed meanwhile. */
static int read_heads(struct reading *reading)
{
    struct fg_store *store = reading->consumer->store;
    struct fg_head *heads[2];
    int r = 0;
    hold_heads(store, heads);
    uint64_t begin = fg_head_info(heads[0] ? heads[0] : heads[1]).sequence_begin;
    if (atomic_load(&reading->consumer->next) < begin)
        r = FG_EAGAIN;
    for (int i = 0; i < 2; i++) {
        if (r == 0 && heads[i])
            r = read_head(reading, heads[i]);
        fg_head_unref(heads[i]);
    }
    return r;
}

static int read_all(struct reading *reading)
{
    struct fg_consumer *consumer = reading->consumer;
    int r = FG_EAGAIN;
    while (r == FG_EAGAIN && reading->result == 0) {
        uint64_t begin = heads_begin(consumer->store);
        r = atomic_load(&consumer->next) < begin ? read_log(reading, begin) : 0;
        if (r == 0)
            r = read_heads(reading);
    }
    return r;
}

/* -- Waiting */

static bool has_more(struct fg_consumer *consumer)
{
    return fg_store_follow_end(consumer->store).sequence > atomic_load(&consumer->next);
}

/* Whether something happened. */
static bool wait(struct fg_consumer *consumer, uint64_t timeout_ns)
{
    struct fg_store *store = consumer->store;
    atomic_fetch_add(&store->consume_waiters, 1);
    uint64_t begin_ns = fg_env_mono_ns(store->env), waited_ns = 0;
    bool is_told = false;
    fg_mutex_lock(&store->consume_lock);
    while (!is_told && waited_ns < timeout_ns) {
        is_told = has_more(consumer) || atomic_load(&consumer->is_commit_due) ||
                  atomic_load(&store->is_consume_ending);
        if (!is_told)
            fg_cond_wait_for(&store->consume_changed, &store->consume_lock, timeout_ns - waited_ns);
        waited_ns = fg_env_mono_ns(store->env) - begin_ns;
    }
    fg_mutex_unlock(&store->consume_lock);
    atomic_fetch_sub(&store->consume_waiters, 1);
    return is_told;
}

int fg_consumer_read(struct fg_consumer *consumer, uint64_t timeout_ns,
                     int (*record)(void *arg, const struct fg_consumed *consumed), void *arg,
                     struct fg_consumer_progress *ret_progress)
{
    struct fg_store *store = consumer->store;
    struct reading reading = {.consumer = consumer, .record = record, .arg = arg};
    bool is_ending = atomic_load(&store->is_consume_ending);
    int r = read_all(&reading);
    bool is_quiet = r == 0 && reading.given == 0 && consumer->untold == 0;
    if (is_quiet && !is_ending && timeout_ns && wait(consumer, timeout_ns)) {
        is_ending = atomic_load(&store->is_consume_ending);
        r = read_all(&reading);
        is_quiet = r == 0 && reading.given == 0 && consumer->untold == 0;
    }
    *ret_progress = (struct fg_consumer_progress){
        .position = atomic_load(&consumer->next),
        .missed = consumer->untold,
        .is_commit_due = atomic_load(&consumer->is_commit_due),
    };
    consumer->untold = 0;
    if (is_quiet)
        return is_ending ? FG_ECANCELLED : FG_ETIMEOUT;
    return r;
}
