/* What a start does with the log.
 *
 *     manifest read, blocks opened (local.c)
 *     log replayed from the checkpoint into the active head         on_record()
 *     a new epoch goes into the manifest, and its swap is synced    raise_epoch()
 *     what was found is synced, writing goes on behind it           fg_wal_open()
 *
 * The power may go between any two of them: the next start does the same again, from the same
 * checkpoint. The epoch is durable before the first record that carries it, and what was cut
 * carries an older one for the same sequences, so it never comes back.
 *
 * Damage to what was acknowledged does not keep the store from starting: an operator at night is
 * better served by a store that runs, says what it lost and keeps the damaged file (as
 * NNNNNNNN.wal.damaged, once its readable records are sealed) than by one that stands still; what
 * is lost is lost either way. */
#include "consume.h"
#include "store_internal.h"

#include <stdio.h>
#include <stdlib.h>

struct recovery {
    struct fg_store *store;
    uint64_t newer_format; /* sequence of a record that this version can't read */
};

static int on_record(void *arg, const struct fg_wal_record *record)
{
    struct recovery *recovery = arg;
    struct fg_store *store = recovery->store;
    struct fg_block *block;
    int r = fg_head_reserve(store->active, 1);
    if (r == 0)
        r = fg_block_parse(record->payload, &block);
    if (r == FG_EUNSUPPORTED)
        recovery->newer_format = record->sequence;
    if (r == FG_ECORRUPT) { /* its checksum is right, so it was written like this */
        store->counters.damaged_records++;
        fg_store_event(&store->options, FG_LOG_ERROR,
                       "record %llu of the log makes no sense and was left out",
                       (unsigned long long)record->sequence);
        return 0;
    }
    if (r < 0)
        return r;
    store->counters.recovered_records++;
    store->counters.recovered_spans += fg_block_batch(block)->span_count;
    if (record->request_hash && store->retries)
        fg_retries_put(store->retries, record->tenant, record->request_hash, record->received_ns);
    fg_head_publish_take(store->active, record->tenant, record->sequence, block);
    return 0;
}

static void on_damage(void *arg, const struct fg_wal_damage *damage)
{
    struct recovery *recovery = arg;
    struct fg_store *store = recovery->store;
    uint64_t count = damage->sequence_end - damage->sequence_begin;
    store->counters.damaged_records += count;
    fg_store_event(
        &store->options, FG_LOG_ERROR,
        "the log is damaged: wal/%s, byte %llu: %llu acknowledged requests can't be read "
        "and are lost; the file is kept as %s.damaged",
        damage->file, (unsigned long long)damage->offset, (unsigned long long)count, damage->file);
}

static int explain(int error, const struct recovery *recovery, struct fg_arena *arena,
                   const char **ret_message)
{
    char text[256];
    if (error == FG_EUNSUPPORTED)
        snprintf(text, sizeof text,
                 "the log was written by a newer version of filigree; start that one (record %llu)",
                 (unsigned long long)recovery->newer_format);
    else if (error == FG_ELIMIT)
        snprintf(text, sizeof text,
                 "wal/ holds more or larger files than this store ever writes; move foreign files "
                 "away");
    else if (error == FG_ENOSPACE)
        snprintf(text, sizeof text,
                 "the disk is full; free some space, nothing that was acknowledged is lost");
    else
        snprintf(text, sizeof text, "can't read the log in wal/: %s; check the disk",
                 fg_error_name(error));
    *ret_message = fg_arena_string(arena, fg_slice_from_string(text));
    return error;
}

static int replay(struct fg_store *store, struct recovery *recovery, struct fg_wal_end *end)
{
    struct fg_blocks_log log;
    store->blocks->ops->log(store->blocks, &log);
    struct fg_wal_replay replay = {.env = store->env,
                                   .folder = store->options.path,
                                   .store_id = log.store_id,
                                   .checkpoint = log.checkpoint,
                                   .hold = fg_consumers_floor(store, log.checkpoint),
                                   .epochs = log.epochs,
                                   .epoch_count = log.epoch_count,
                                   .record = on_record,
                                   .damage = on_damage,
                                   .arg = recovery};
    return fg_wal_replay(&replay, end);
}

static int new_head(struct fg_store *store, uint64_t sequence)
{
    struct fg_head *head;
    uint64_t seed;
    fg_env_random(store->env, &seed, sizeof seed);
    int r = fg_head_new(sequence, fg_env_mono_ns(store->env), seed, &store->heads_alive, &head);
    if (r < 0)
        return r;
    fg_head_unref(store->active);
    store->active = head;
    return 0;
}

/* Where there is no room for one more epoch, what was recovered is sealed here and now, and the log
 * is let go for consumers that are behind: then the older ones can be forgotten. */
static int raise_epoch(struct fg_store *store, uint64_t sequence, uint64_t *ret_epoch)
{
    struct fg_blocks *blocks = store->blocks;
    uint64_t hold = fg_consumers_floor(store, sequence);
    int r = blocks->ops->epoch_raise(blocks, sequence, hold, ret_epoch);
    if (r != FG_ELIMIT)
        return r;
    uint64_t sealed = fg_head_info(store->active).sequence_end;
    fg_consumers_let_go(store, sealed);
    r = fg_seal_head(store, store->active);
    if (r == 0)
        r = new_head(store, sealed);
    return r < 0 ? r : blocks->ops->epoch_raise(blocks, sequence, 0, ret_epoch);
}

static int open_log(struct fg_store *store, const struct fg_wal_end *end)
{
    struct fg_blocks_log log;
    struct fg_wal_options options = {.env = store->env,
                                     .folder = store->options.path,
                                     .segment_size = store->options.wal_segment_size};
    int r = raise_epoch(store, end->next_sequence, &options.epoch);
    if (r < 0)
        return r;
    store->blocks->ops->log(store->blocks, &log);
    options.store_id = log.store_id;
    return fg_wal_open(&options, end, &store->wal);
}

int fg_recover(struct fg_store *store, struct fg_arena *arena, const char **ret_message)
{
    struct recovery recovery = {.store = store};
    struct fg_blocks_log log;
    struct fg_wal_end *end = calloc(1, sizeof *end);
    if (!end)
        return explain(FG_ENOMEM, &recovery, arena, ret_message);
    store->blocks->ops->log(store->blocks, &log);
    int r = new_head(store, log.checkpoint);
    if (r == 0)
        r = fg_consumers_open(store);
    if (r == 0)
        r = replay(store, &recovery, end);
    if (r == 0 && !store->options.read_only)
        r = open_log(store, end);
    if (r == 0) {
        uint64_t begin = fg_head_info(store->active).sequence_begin;
        atomic_store(&store->sealed_sequence, begin);
        fg_consumers_start(store, begin, end->next_sequence);
        atomic_store(&store->active_bytes, fg_head_info(store->active).size_bytes);
    }
    if (r == 0 && end->cut_bytes)
        fg_store_event(&store->options, FG_LOG_INFO,
                       "the log's last %llu bytes had not been acknowledged and were cut",
                       (unsigned long long)end->cut_bytes);
    free(end);
    return r < 0 ? explain(r, &recovery, arena, ret_message) : 0;
}
