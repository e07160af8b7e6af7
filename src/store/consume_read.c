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
    uint64_t next = atomic_load(&consumer->next);
    struct fg_wal_end *ignored = calloc(1, sizeof *ignored);
    uint64_t *passed = malloc(FG_WAL_FILES_MAX * sizeof *passed);
    if (!ignored || !passed) {
        free(ignored);
        free(passed);
        return FG_ENOMEM;
    }
    store->blocks->ops->log(store->blocks, &log);
    reading->end = end;
    const struct fg_wal_replay replay = {.env = store->env,
                                         .folder = store->options.path,
                                         .store_id = log.store_id,
                                         .checkpoint = next,
                                         .passed_files = passed,
                                         .passed_file_count =
                                             fg_wal_files_beside(store->wal, next, end, passed),
                                         .sequence_end = end,
                                         .epochs = log.epochs,
                                         .epoch_count = log.epoch_count,
                                         .is_in_use = true,
                                         .record = on_record,
                                         .arg = reading};
    int r = fg_wal_replay(&replay, ignored);
    free(ignored);
    free(passed);
    if (reading->result != 0)
        return reading->result;
    if (r < 0)
        return r;
    pass_over(consumer, end);
    return 0;
}

/* -- The heads */

/* The older one that holds records at or behind `from`. One alone: a head that is sealed while it
 * is read is memory that nobody counts with, and the reader of two would pin both. */
static struct fg_head *hold_head(struct fg_store *store, uint64_t from)
{
    fg_mutex_lock(&store->lock);
    struct fg_head *sealing = store->sealing;
    bool is_in_sealing = sealing && from < fg_head_info(sealing).sequence_end;
    struct fg_head *head = fg_head_ref(is_in_sealing ? sealing : store->active);
    fg_mutex_unlock(&store->lock);
    return head;
}

static uint64_t heads_begin(struct fg_store *store)
{
    struct fg_head *head = hold_head(store, 0);
    uint64_t begin = fg_head_info(head).sequence_begin;
    fg_head_unref(head);
    return begin;
}

/* Whether there is no need of the head any more: it is sealed, and the log is kept for this one. */
static bool is_in_log(const struct fg_consumer *consumer, uint64_t sequence)
{
    return sequence < atomic_load(&consumer->store->sealed_sequence) &&
           !atomic_load(&consumer->is_let_go);
}

/* FG_EAGAIN: it was sealed meanwhile. Its memory is the next head's, and the rest is in the log. */
static int read_head(struct reading *reading, struct fg_head *head)
{
    struct fg_consumer *consumer = reading->consumer;
    struct fg_head_info info = fg_head_info(head);
    struct fg_head_cursor cursor = fg_head_begin(&info);
    int r = 0;
    for (const struct fg_head_entry *entry; r == 0 && (entry = fg_head_next(&cursor));) {
        if (entry->sequence < atomic_load(&consumer->next))
            continue;
        if (is_in_log(consumer, entry->sequence))
            return FG_EAGAIN;
        r = give(reading, entry->sequence, entry->tenant, fg_block_batch(entry->block));
    }
    /* Numbers that no record has: of requests that the log lost. */
    if (r == 0)
        pass_over(reading->consumer, info.sequence_end);
    return r;
}

/* FG_EAGAIN: a head that it needs was sealed meanwhile, or there is another behind this one. */
static int read_heads(struct reading *reading)
{
    struct fg_store *store = reading->consumer->store;
    uint64_t next = atomic_load(&reading->consumer->next);
    struct fg_head *head = hold_head(store, next);
    int r = next < fg_head_info(head).sequence_begin ? FG_EAGAIN : read_head(reading, head);
    fg_mutex_lock(&store->lock);
    bool is_last = head == store->active;
    fg_mutex_unlock(&store->lock);
    fg_head_unref(head);
    return r == 0 && !is_last ? FG_EAGAIN : r;
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
