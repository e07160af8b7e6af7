#include "fake_store.h"

#include "store/trace_reader.h"
#include "store/whole.h"

#include "base/limits.h"
#include "os/thread.h"
#include "span/block.h"
#include "span/builder.h"
#include "span/tree.h"
#include "store/consumer.h"
#include "store/rollup.h"

#include <assert.h>
#include <stdlib.h>

#define BLOCKS_MAX 4096u

struct fg_store {
    struct fg_mutex mutex;
    struct fg_block *blocks[BLOCKS_MAX];
    uint32_t block_count;
    struct fake_store_faults faults;
    struct fg_store_counters counters;
    struct fg_retention retention;
    uint64_t reads, follows;
};

struct fg_store *fake_store_new(void)
{
    struct fg_store *store = calloc(1, sizeof *store);
    assert(store);
    fg_mutex_init(&store->mutex, FG_RANK_STORE);
    return store;
}

void fake_store_free(struct fg_store *store)
{
    for (uint32_t i = 0; i < store->block_count; i++)
        fg_block_unref(store->blocks[i]);
    fg_mutex_destroy(&store->mutex);
    free(store);
}

void fake_store_set_faults(struct fg_store *store, const struct fake_store_faults *faults)
{
    fg_mutex_lock(&store->mutex);
    store->faults = *faults;
    fg_mutex_unlock(&store->mutex);
}

void fake_store_set_counters(struct fg_store *store, const struct fg_store_counters *counters)
{
    fg_mutex_lock(&store->mutex);
    store->counters = *counters;
    fg_mutex_unlock(&store->mutex);
}

uint64_t fake_store_reads(struct fg_store *store)
{
    fg_mutex_lock(&store->mutex);
    uint64_t reads = store->reads;
    fg_mutex_unlock(&store->mutex);
    return reads;
}

struct fg_retention fake_store_retention(struct fg_store *store)
{
    fg_mutex_lock(&store->mutex);
    struct fg_retention retention = store->retention;
    fg_mutex_unlock(&store->mutex);
    return retention;
}

/* What a read sees: blocks are only ever added, so the first count of them stay. */
static uint32_t begin_read(struct fg_store *store, struct fake_store_faults *ret_faults)
{
    fg_mutex_lock(&store->mutex);
    store->reads++;
    uint32_t count = store->block_count;
    *ret_faults = store->faults;
    fg_mutex_unlock(&store->mutex);
    return count;
}

int fg_store_append_take(struct fg_store *store, struct fg_append *append)
{
    fg_mutex_lock(&store->mutex);
    struct fake_store_faults faults = store->faults;
    bool keeps = faults.append == 0 && faults.commit == 0;
    if (keeps) {
        assert(store->block_count < BLOCKS_MAX);
        store->blocks[store->block_count++] = append->block;
        store->counters.head_spans += fg_block_batch(append->block)->span_count;
    }
    fg_mutex_unlock(&store->mutex);
    if (!keeps)
        fg_block_unref(append->block);
    if (faults.append < 0)
        return faults.append;
    append->done(append, faults.commit);
    return 0;
}

/* -- Following: a position is the index of a block */

struct fg_follow_position fg_store_follow_end(struct fg_store *store)
{
    fg_mutex_lock(&store->mutex);
    struct fg_follow_position position = {.sequence = store->block_count};
    fg_mutex_unlock(&store->mutex);
    return position;
}

int fg_store_follow(struct fg_store *store, const struct fg_follow *follow,
                    struct fg_follow_position *position, uint64_t *missed_spans)
{
    static uint64_t bits[1 << 12];
    struct fg_matcher *matcher = NULL;
    fg_mutex_lock(&store->mutex);
    uint32_t count = store->block_count;
    int r = store->faults.read;
    *missed_spans += store->faults.missed_spans;
    store->faults.missed_spans = 0;
    fg_mutex_unlock(&store->mutex);
    if (r == 0 && follow->predicate)
        r = fg_matcher_new(follow->predicate, &matcher);
    while (r == 0 && position->sequence < count) {
        const struct fg_batch *batch = fg_block_batch(store->blocks[position->sequence++]);
        assert(batch->span_count <= sizeof bits * 8);
        memset(bits, 0xff, sizeof bits);
        if (matcher)
            r = fg_matcher_bind(matcher, batch);
        if (r == 0 && matcher)
            r = fg_matcher_run(matcher, 0, batch->span_count, bits);
        const struct fg_scan_rows rows = {
            .batch = batch, .row_end = batch->span_count, .bits = bits};
        if (r == 0)
            r = follow->rows(follow->arg, &rows);
    }
    fg_matcher_free(matcher);
    fg_mutex_lock(&store->mutex);
    store->follows++;
    fg_mutex_unlock(&store->mutex);
    return r;
}

uint64_t fake_store_follows(struct fg_store *store)
{
    fg_mutex_lock(&store->mutex);
    uint64_t follows = store->follows;
    fg_mutex_unlock(&store->mutex);
    return follows;
}

/* -- Reading
 * ---------------------------------------------------------------------------------------
 */

static int copy_trace(struct fg_store *store, uint32_t count, uint64_t high, uint64_t low,
                      struct fg_builder *builder)
{
    struct fg_remap *remap = NULL;
    int r = fg_remap_new(&remap);
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        const struct fg_batch *batch = fg_block_batch(store->blocks[i]);
        r = fg_remap_begin(remap, builder, batch);
        for (uint32_t row = 0; r == 0 && row < batch->span_count; row++)
            if (batch->trace_id_high[row] == high && batch->trace_id_low[row] == low)
                r = fg_builder_copy(builder, remap, batch, row, 0);
    }
    fg_remap_free(remap);
    return r;
}

int fg_store_trace(struct fg_store *store, uint32_t tenant, uint64_t id_high, uint64_t id_low,
                   struct fg_builder *builder, struct fg_trace_result *ret_result)
{
    struct fake_store_faults faults;
    uint32_t count = begin_read(store, &faults);
    (void)tenant;
    int r = faults.read;
    if (r == 0)
        r = copy_trace(store, count, id_high, id_low, builder);
    if (r < 0)
        return r;
    *ret_result = (struct fg_trace_result){.span_count = fg_builder_span_count(builder),
                                           .truncated = faults.truncated,
                                           .stats.damaged_pages = faults.damaged_pages};
    return ret_result->span_count ? 0 : FG_ENOTFOUND;
}

/* Without anything to keep: the store itself. */
int fg_trace_reader_new(struct fg_store *store, struct fg_trace_reader **ret_reader)
{
    *ret_reader = (struct fg_trace_reader *)store;
    return 0;
}

void fg_trace_reader_free(struct fg_trace_reader *reader)
{
    (void)reader;
}

void fg_trace_reader_cancel_by(struct fg_trace_reader *reader, bool (*is_cancelled)(void *arg),
                               void *arg)
{
    (void)reader, (void)is_cancelled, (void)arg;
}

int fg_trace_reader_read(struct fg_trace_reader *reader, uint32_t tenant, uint64_t id_high,
                         uint64_t id_low, uint64_t spans_max, struct fg_builder *builder,
                         struct fg_trace_result *ret_result)
{
    struct fg_store *store = (struct fg_store *)reader;
    fg_mutex_lock(&store->mutex);
    bool is_large = store->faults.large;
    fg_mutex_unlock(&store->mutex);
    if (spans_max && is_large)
        return FG_EBUSY;
    return fg_store_trace(store, tenant, id_high, id_low, builder, ret_result);
}

/* None lies together. */
int fg_store_whole(struct fg_store *store, const struct fg_whole *whole,
                   struct fg_read_stats *stats)
{
    (void)store, (void)whole, (void)stats;
    return 0;
}

/* One block's rows. What comes later may start at any time: the frontier never falls. */
static int scan_block(const struct fg_scan *scan, struct fg_matcher *matcher,
                      const struct fg_batch *batch)
{
    uint32_t words = batch->span_count / 64 + 1;
    uint64_t *bits = calloc(words, sizeof *bits);
    int r = bits ? 0 : FG_ENOMEM;
    if (r == 0)
        memset(bits, 0xff, words * sizeof *bits);
    if (r == 0 && matcher)
        r = fg_matcher_bind(matcher, batch);
    if (r == 0 && matcher)
        r = fg_matcher_run(matcher, 0, batch->span_count, bits);
    for (uint32_t row = 0; r == 0 && row < words * 64; row++) {
        bool is_in = row < batch->span_count && batch->start_ns[row] >= scan->start_ns_min &&
                     batch->start_ns[row] < scan->start_ns_max;
        if (!is_in)
            bits[row / 64] &= ~(UINT64_C(1) << row % 64);
    }
    struct fg_scan_rows rows = {.batch = batch,
                                .row_end = batch->span_count,
                                .bits = bits,
                                .frontier_ns = scan->start_ns_max - 1};
    if (r == 0 && scan->is_cancelled && scan->is_cancelled(scan->arg))
        r = FG_ECANCELLED;
    if (r == 0)
        r = scan->rows(scan->arg, &rows);
    free(bits);
    return r;
}

int fg_store_scan(struct fg_store *store, const struct fg_scan *scan, struct fg_read_stats *stats)
{
    struct fake_store_faults faults;
    uint32_t count = begin_read(store, &faults);
    struct fg_matcher *matcher = NULL;
    stats->damaged_pages = faults.damaged_pages;
    int r = faults.read;
    if (r == 0 && scan->predicate)
        r = fg_matcher_new(scan->predicate, &matcher);
    for (uint32_t i = count; r == 0 && i > 0; i--)
        r = scan_block(scan, matcher, fg_block_batch(store->blocks[i - 1]));
    fg_matcher_free(matcher);
    return r;
}

/* The services of parents that lie in the same block; NULL: out of memory. */
static uint32_t *callers_of(const struct fg_batch *batch)
{
    struct fg_arena arena;
    struct fg_tree tree;
    uint32_t *callers = calloc(batch->span_count + 1u, sizeof *callers);
    fg_arena_init(&arena, (size_t)64 << 20);
    bool ok = callers && fg_tree_build(batch, &arena, &tree) == 0;
    for (uint32_t i = 0; ok && i < batch->span_count; i++)
        if (tree.parent[i] != FG_TREE_NONE)
            callers[i] = batch->resource_service[batch->resource[tree.parent[i]]];
    fg_arena_free(&arena);
    if (ok)
        return callers;
    free(callers);
    return NULL;
}

/* None: what is kept in it lasts as long as the process. */
struct fg_state *fg_store_state(struct fg_store *store)
{
    (void)store;
    return NULL;
}

/* Nor is there a log with consumers. */
struct fg_consumer *fg_store_consumer(struct fg_store *store, const char *name)
{
    (void)store;
    (void)name;
    return NULL;
}

int fg_consumer_read(struct fg_consumer *consumer, uint64_t timeout_ns,
                     int (*record)(void *arg, const struct fg_consumed *consumed), void *arg,
                     struct fg_consumer_progress *ret_progress)
{
    (void)consumer;
    (void)timeout_ns;
    (void)record;
    (void)arg;
    *ret_progress = (struct fg_consumer_progress){0};
    return FG_ETIMEOUT;
}

void fg_consumer_put_position(struct fg_consumer *consumer, struct fg_state_batch *batch,
                              uint64_t position)
{
    (void)consumer;
    (void)batch;
    (void)position;
}

void fg_consumer_durable(struct fg_consumer *consumer, uint64_t position)
{
    (void)consumer;
    (void)position;
}

void fg_consumer_lag(struct fg_consumer *consumer, struct fg_consumer_lag *ret_lag)
{
    (void)consumer;
    *ret_lag = (struct fg_consumer_lag){.records = 0};
}

int fg_store_rollup(struct fg_store *store, uint32_t tenant, uint64_t start_ns_min,
                    uint64_t start_ns_max, struct fg_rollup *rollup)
{
    struct fake_store_faults faults;
    uint32_t count = begin_read(store, &faults);
    (void)tenant;
    int r = faults.read;
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        const struct fg_batch *batch = fg_block_batch(store->blocks[i]);
        uint32_t *callers = callers_of(batch);
        r = callers ? fg_rollup_add(rollup, batch, 0, batch->span_count, callers, start_ns_min,
                                    start_ns_max)
                    : FG_ENOMEM;
        free(callers);
    }
    return r;
}

/* -- Looking after
 * -------------------------------------------------------------------------------------
 */

static int admin_fault(struct fg_store *store)
{
    struct fake_store_faults faults;
    (void)begin_read(store, &faults);
    return faults.admin;
}

int fg_store_seal(struct fg_store *store)
{
    return admin_fault(store);
}

int fg_store_settle(struct fg_store *store)
{
    return admin_fault(store);
}

/* Counts what would go. */
int fg_store_erase(struct fg_store *store, uint32_t tenant, const struct fg_predicate *predicate,
                   bool whole_traces, uint64_t *ret_count)
{
    struct fake_store_faults faults;
    uint32_t count = begin_read(store, &faults);
    struct fg_matcher *matcher;
    uint64_t erased = 0;
    (void)tenant;
    (void)whole_traces;
    int r = faults.admin;
    if (r == 0)
        r = fg_matcher_new(predicate, &matcher);
    if (r < 0)
        return r;
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        const struct fg_batch *batch = fg_block_batch(store->blocks[i]);
        uint64_t *bits = calloc(batch->span_count / 64 + 1, sizeof *bits);
        r = bits ? fg_matcher_bind(matcher, batch) : FG_ENOMEM;
        if (r == 0)
            r = fg_matcher_run(matcher, 0, batch->span_count, bits);
        for (uint32_t word = 0; r == 0 && word < batch->span_count / 64 + 1; word++)
            erased += (uint64_t)__builtin_popcountll(bits[word]);
        free(bits);
    }
    fg_matcher_free(matcher);
    if (r == 0)
        *ret_count = erased;
    return r;
}

int fg_store_backup(struct fg_store *store, const char *path,
                    void (*progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes),
                    void *progress_arg)
{
    struct fake_store_faults faults;
    (void)begin_read(store, &faults);
    (void)path;
    for (uint64_t i = 1; i <= faults.backup_steps; i++)
        progress(progress_arg, i * 100, faults.backup_steps * 100);
    return faults.admin;
}

int fg_store_segments(struct fg_store *store,
                      int (*fn)(void *arg, const struct fg_segment_stats *segment), void *arg)
{
    const struct fg_segment_stats segments[] = {
        {.day = 20416,
         .id = 1,
         .span_count = 600,
         .trace_count = 60,
         .size_bytes = 30000,
         .start_ns_min = 20416 * FG_NS_PER_DAY},
        {.day = 20417,
         .id = 2,
         .span_count = 300,
         .trace_count = 40,
         .size_bytes = 10000,
         .start_ns_min = 20417 * FG_NS_PER_DAY},
        {.day = 20417,
         .id = 3,
         .span_count = 100,
         .trace_count = 10,
         .size_bytes = 8000,
         .start_ns_min = 20417 * FG_NS_PER_DAY + FG_NS_PER_MINUTE},
    };
    int r = admin_fault(store);
    for (size_t i = 0; r == 0 && i < sizeof segments / sizeof *segments; i++)
        r = fn(arg, &segments[i]);
    return r;
}

int fg_store_columns(struct fg_store *store,
                     int (*fn)(void *arg, const struct fg_column_stats *column), void *arg)
{
    const struct fg_column_stats columns[] = {
        {.day = 20416,
         .level = FG_FIELD_ATTR_SPAN,
         .key = FG_SLICE("order.id"),
         .size_bytes = 9000,
         .value_count = 600},
        {.day = 20417,
         .level = FG_FIELD_ATTR_SPAN,
         .key = FG_SLICE("order.id"),
         .size_bytes = 3000,
         .value_count = 300},
        {.day = 20417,
         .level = FG_FIELD_ATTR_RESOURCE,
         .key = FG_SLICE("order.id"),
         .size_bytes = 4000,
         .value_count = 2},
        {.day = 20417, .level = FG_FIELD_NAME, .size_bytes = 32000, .value_count = 1000},
    };
    int r = admin_fault(store);
    for (size_t i = 0; r == 0 && i < sizeof columns / sizeof *columns; i++)
        r = fn(arg, &columns[i]);
    return r;
}

void fg_store_counters(struct fg_store *store, struct fg_store_counters *ret_counters)
{
    fg_mutex_lock(&store->mutex);
    *ret_counters = store->counters;
    fg_mutex_unlock(&store->mutex);
}

void fg_store_set_retention(struct fg_store *store, const struct fg_retention *retention)
{
    fg_mutex_lock(&store->mutex);
    store->retention = *retention;
    fg_mutex_unlock(&store->mutex);
}
