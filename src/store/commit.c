/* The committer: everything that waits goes into the log by one write, or a few, and one sync; then
 * its rows are published; then all who wait are told.
 *
 *     appended (append.c) --take_queue()--> written --fg_wal_sync()--> durable --publish()-->
 *     readable --finish()--> acknowledged
 *
 * There is no delay that waits for company: while one sync runs, others gather. The committer alone
 * replaces the active head, so that a head is a range of sequences without a lock around the
 * commit.
 *
 * Where the active head would be full before the one before it is sealed, commits wait a little
 * each, so that senders are slowed evenly and before they have to be refused (slow_down()); so they
 * do where much waits to be merged. When it
 * is full, memory is what lacks, and the commit waits for the seal: kinder than to send its senders
 * away for a second. They are told to come back when it takes longer, or when the queue is full
 * too. */
#include "consume.h"
#include "store_internal.h"

#include "base/limits.h"

#include <stdlib.h>

#define LOOK_AGAIN_NS (20 * FG_NS_PER_MS)

struct commit {
    struct fg_append *first; /* in the order in which they came */
    size_t count;            /* records to write: retries are none */
    size_t written;          /* the first so many of them are durable */
    int result;              /* of the rest */
    uint64_t sequence;       /* of the first */
};

/* Whether the commit must wait for a seal: FG_EAGAIN. FG_ENOSPACE: there is none to wait for. */
static int check_heads(struct fg_store *store)
{
    bool is_full = atomic_load(&store->is_sealing) &&
                   atomic_load(&store->active_bytes) >= store->options.head_size_max;
    if (!is_full)
        return 0;
    int state = atomic_load(&store->state);
    if (state == FG_STORE_FAILED)
        return FG_EIO;
    return state == FG_STORE_NO_SPACE ? FG_ENOSPACE : FG_EAGAIN;
}

/* True until the wait has been too long. */
static bool may_wait(struct fg_store *store)
{
    uint64_t now_ns = fg_env_mono_ns(store->env);
    if (store->blocked_mono_ns == 0)
        store->blocked_mono_ns = now_ns;
    return now_ns - store->blocked_mono_ns < FG_COMMIT_WAIT_NS_MAX;
}

static struct fg_append *take_queue(struct fg_store *store)
{
    fg_mutex_lock(&store->queue_lock);
    struct fg_append *first = store->queue_first;
    store->queue_first = store->queue_last = NULL;
    fg_mutex_unlock(&store->queue_lock);
    return first;
}

/* -- Replacing the active head */

/* Whether it should become the sealing one now; never while there is one. */
static bool is_rotation_due(struct fg_store *store, const struct fg_head_info *info)
{
    fg_mutex_lock(&store->queue_lock);
    if (info->entry_count == 0)
        store->rotate_wanted = false; /* whoever wanted it has it */
    bool is_wanted = store->rotate_wanted;
    fg_mutex_unlock(&store->queue_lock);
    if (info->entry_count == 0 || atomic_load(&store->is_sealing))
        return false;
    uint64_t age_ns = fg_env_mono_ns(store->env) - info->created_mono_ns;
    return is_wanted || info->size_bytes >= store->options.head_size_max ||
           age_ns >= store->options.head_age_ns_max;
}

static void wake_sealer(struct fg_store *store)
{
    fg_mutex_lock(&store->wake_lock);
    store->seal_due = true;
    fg_cond_broadcast(&store->wake);
    fg_mutex_unlock(&store->wake_lock);
}

/* Where memory does not suffice for a new head the old one grows on: the next commit tries again.
 */
static bool rotate_if_due(struct fg_store *store)
{
    struct fg_head_info info = fg_head_info(store->active);
    struct fg_head *next;
    uint64_t seed;
    if (!is_rotation_due(store, &info))
        return false;
    fg_env_random(store->env, &seed, sizeof seed);
    if (fg_head_new(info.sequence_end, fg_env_mono_ns(store->env), seed, &store->heads_alive,
                    &next) < 0)
        return false;
    fg_head_count_from(next, info.span_begin + info.span_count);
    fg_mutex_lock(&store->lock);
    store->sealing = store->active;
    store->active = next;
    fg_mutex_unlock(&store->lock);
    store->seal_begin_mono_ns = fg_env_mono_ns(store->env);
    store->sealing_bytes = info.size_bytes;
    atomic_store(&store->active_bytes, 0);
    atomic_store(&store->is_sealing, true);
    fg_mutex_lock(&store->queue_lock);
    store->rotate_wanted = false;
    fg_mutex_unlock(&store->queue_lock);
    wake_sealer(store);
    return true;
}

void fg_commit_nudge(struct fg_store *store, bool rotate)
{
    fg_mutex_lock(&store->queue_lock);
    store->rotate_wanted |= rotate;
    store->is_nudged = true;
    fg_cond_signal(&store->queue_changed);
    fg_mutex_unlock(&store->queue_lock);
}

/* -- A commit */

/* Marks those that were acknowledged before, or stand earlier in the same list, and counts the
 * others. A hash is remembered before its record is durable; forget() takes it back. */
static void find_retries(struct fg_store *store, struct commit *commit)
{
    uint64_t now_ns = fg_env_wall_ns(store->env);
    for (struct fg_append *a = commit->first; a; a = a->next) {
        a->was_retry =
            a->request_hash && fg_retries_find(store->retries, a->tenant, a->request_hash, now_ns);
        if (a->was_retry)
            continue;
        commit->count++;
        if (a->request_hash)
            fg_retries_put(store->retries, a->tenant, a->request_hash, now_ns);
    }
}

static int gather(struct fg_store *store, const struct commit *commit)
{
    if (commit->count > store->commit_slice_capacity) {
        size_t capacity = commit->count + commit->count / 2;
        struct fg_slice *slices = realloc(store->commit_slices, capacity * sizeof *slices);
        if (!slices)
            return FG_ENOMEM;
        store->commit_slices = slices;
        store->commit_slice_capacity = capacity;
    }
    size_t i = 0;
    for (const struct fg_append *a = commit->first; a; a = a->next)
        if (!a->was_retry)
            store->commit_slices[i++] = fg_slice(a->record, a->record_size);
    return fg_head_reserve(store->active, commit->count);
}

static void write(struct fg_store *store, struct commit *commit)
{
    size_t written = 0;
    commit->sequence = fg_wal_next_sequence(store->wal);
    if (commit->result == 0 && atomic_load(&store->state) == FG_STORE_FAILED)
        commit->result = FG_EIO;
    if (commit->result == 0)
        commit->result = gather(store, commit);
    if (commit->result == 0)
        commit->result = fg_wal_write(store->wal, store->commit_slices, commit->count, &written);
    if (written > 0 && fg_wal_sync(store->wal) < 0) {
        commit->result = FG_EIO;
        written = 0;
    }
    commit->written = written;
    if (commit->result == FG_ENOSPACE)
        fg_store_refuse_for_space(store);
    else if (commit->result < 0 && commit->result != FG_ENOMEM && commit->result != FG_EAGAIN)
        fg_store_fail(store, commit->result, "writing the log");
}

/* Rows become readable, in the order of their sequences. */
static void publish(struct fg_store *store, const struct commit *commit)
{
    size_t i = 0;
    uint64_t spans = 0;
    for (struct fg_append *a = commit->first; a && i < commit->written; a = a->next) {
        if (a->was_retry)
            continue;
        spans += fg_block_batch(a->block)->span_count;
        fg_head_publish_take(store->active, a->tenant, commit->sequence + i, a->block);
        a->block = NULL;
        i++;
    }
    atomic_store(&store->active_bytes, fg_head_info(store->active).size_bytes);
    atomic_fetch_add(&store->counters.appended_spans, spans);
    atomic_fetch_add(&store->counters.appended_requests, i);
    fg_consumers_wake(store);
}

/* What was not written was not acknowledged: a sender that tries again is no retry. */
static void forget(struct fg_store *store, const struct commit *commit)
{
    size_t i = 0;
    for (const struct fg_append *a = commit->first; a; a = a->next)
        if (!a->was_retry && i++ >= commit->written && a->request_hash)
            fg_retries_remove(store->retries, a->tenant, a->request_hash);
}

static int result_of(struct fg_store *store, const struct commit *commit,
                     const struct fg_append *append, size_t index)
{
    if (!append->was_retry)
        return index < commit->written ? 0 : commit->result;
    /* The first of it may stand in the part of this commit that failed. */
    bool is_kept = fg_retries_find(store->retries, append->tenant, append->request_hash,
                                   fg_env_wall_ns(store->env));
    return is_kept ? 0 : commit->result;
}

static void finish(struct fg_store *store, const struct commit *commit)
{
    size_t i = 0;
    for (struct fg_append *a = commit->first, *next; a; a = next) {
        next = a->next; /* done may free it */
        int result = result_of(store, commit, a, i);
        i += !a->was_retry;
        atomic_fetch_sub(&store->queue_bytes, a->raw_size + a->record_size);
        if (a->was_retry && result == 0)
            atomic_fetch_add(&store->counters.retried_requests, 1);
        else if (result < 0)
            atomic_fetch_add(&store->counters.refused_requests, 1);
        a->was_retry = a->was_retry && result == 0;
        fg_block_unref(a->block);
        free(a->record);
        a->block = NULL;
        a->record = NULL;
        a->done(a, result);
    }
}

static void count_time(struct fg_store *store, uint64_t ns)
{
    atomic_fetch_add(&store->counters.commit_groups, 1);
    atomic_fetch_add(&store->counters.commit_ns_total, ns);
    if (ns > atomic_load(&store->counters.commit_ns_max))
        atomic_store(&store->counters.commit_ns_max, ns); /* the committer alone writes it */
}

/* result: what stands against writing anything. */
static void commit_queue(struct fg_store *store, int result)
{
    struct commit commit = {.first = take_queue(store), .result = result};
    uint64_t begin_ns = fg_env_mono_ns(store->env);
    uint64_t active_bytes = atomic_load(&store->active_bytes);
    find_retries(store, &commit);
    if (commit.count > 0) {
        write(store, &commit);
        publish(store, &commit);
        store->commit_begin_mono_ns = begin_ns;
        store->commit_bytes = atomic_load(&store->active_bytes) - active_bytes;
        forget(store, &commit);
        count_time(store, fg_env_mono_ns(store->env) - begin_ns);
    }
    finish(store, &commit);
}

static bool is_waiting(struct fg_store *store)
{
    fg_mutex_lock(&store->queue_lock);
    bool is_any = store->queue_first != NULL;
    fg_mutex_unlock(&store->queue_lock);
    return is_any;
}

void fg_commit_step(struct fg_store *store, bool *ret_did)
{
    bool is_any = is_waiting(store);
    int result = check_heads(store);
    if (result != FG_EAGAIN)
        store->blocked_mono_ns = 0;
    *ret_did = false;
    if (is_any && result == FG_EAGAIN && may_wait(store))
        return;
    if (is_any)
        commit_queue(store, result);
    bool did_rotate = rotate_if_due(store);
    *ret_did = is_any || did_rotate;
}

void fg_commit_refuse(struct fg_store *store)
{
    if (is_waiting(store))
        commit_queue(store, FG_EAGAIN);
}

uint64_t fg_commit_delay_ns(uint64_t commit_bytes, uint64_t room_bytes, uint64_t seal_ns,
                            uint64_t elapsed_ns)
{
    /* One that is late is expected to take as long again as a fourth of it: so the room never ends,
     * the pace only falls. */
    uint64_t least_ns = seal_ns / 4;
    uint64_t left_ns = elapsed_ns + least_ns < seal_ns ? seal_ns - elapsed_ns : least_ns;
    double delay_ns = (double)left_ns * (double)commit_bytes / (double)(room_bytes + 1);
    return delay_ns < (double)FG_COMMIT_DELAY_NS_MAX ? (uint64_t)delay_ns : FG_COMMIT_DELAY_NS_MAX;
}

uint64_t fg_commit_merge_delay_ns(uint64_t commit_bytes, uint32_t merge_load)
{
    if (merge_load <= FG_MERGE_SLOW_PERMILLE)
        return 0;
    double share = (double)(merge_load - FG_MERGE_SLOW_PERMILLE) / (1000 - FG_MERGE_SLOW_PERMILLE);
    double delay_ns = (double)commit_bytes * FG_MERGE_SLOW_BYTE_NS * (share < 1 ? share : 1);
    return delay_ns < (double)FG_COMMIT_DELAY_NS_MAX ? (uint64_t)delay_ns : FG_COMMIT_DELAY_NS_MAX;
}

static uint64_t seal_delay_ns(struct fg_store *store, uint64_t now_ns)
{
    uint64_t size_max = store->options.head_size_max;
    uint64_t active_bytes = atomic_load(&store->active_bytes);
    uint64_t room_bytes = active_bytes < size_max ? size_max - active_bytes : 0;
    uint64_t seal_ns =
        (uint64_t)((double)store->sealing_bytes * (double)atomic_load(&store->seal_byte_ps) / 1000);
    if (!atomic_load(&store->is_sealing))
        return 0;
    return fg_commit_delay_ns(store->commit_bytes, room_bytes, seal_ns,
                              now_ns - store->seal_begin_mono_ns);
}

static uint64_t due_in_ns(struct fg_store *store)
{
    uint64_t now_ns = fg_env_mono_ns(store->env);
    uint32_t merge_load = store->blocks->ops->merge_load(store->blocks);
    uint64_t seal_ns = seal_delay_ns(store, now_ns);
    uint64_t merge_ns = fg_commit_merge_delay_ns(store->commit_bytes, merge_load);
    uint64_t due_ns = store->commit_begin_mono_ns + (seal_ns > merge_ns ? seal_ns : merge_ns);
    return due_ns > now_ns ? due_ns - now_ns : 0;
}

/* Lets the sealer and the merger catch up; the end of a seal cuts it short. */
static void slow_down(struct fg_store *store)
{
    uint64_t delay_ns = due_in_ns(store);
    fg_mutex_lock(&store->queue_lock);
    if (delay_ns && store->queue_first && !store->is_nudged && !store->is_closing)
        fg_cond_wait_for(&store->queue_changed, &store->queue_lock, delay_ns);
    fg_mutex_unlock(&store->queue_lock);
}

void fg_committer_run(void *arg)
{
    struct fg_store *store = arg;
    bool is_over = false, did;
    fg_thread_behave(FG_THREAD_PROMPT);
    while (!is_over) {
        slow_down(store);
        fg_commit_step(store, &did);
        fg_mutex_lock(&store->queue_lock);
        if (!did && store->queue_first && !store->is_nudged)
            fg_cond_wait_for(&store->queue_changed, &store->queue_lock, LOOK_AGAIN_NS);
        while (!store->queue_first && !store->is_nudged && !store->is_closing)
            fg_cond_wait(&store->queue_changed, &store->queue_lock);
        store->is_nudged = false;
        is_over = store->is_closing && !store->queue_first;
        fg_mutex_unlock(&store->queue_lock);
    }
}
