#include "store_fixture.h"

#include "base/hash.h"
#include "base/limits.h"
#include "span/builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void on_event(void *arg, int severity, const char *message)
{
    struct world *world = arg;
    snprintf(world->event, sizeof world->event, "%s", message);
    world->event_count++;
    world->error_count += severity >= FG_LOG_WARN;
}

static void set_options(struct world *world, const char *path)
{
    world->options = fg_store_options_default(world->env, path);
    world->options.head_size_max = 96 << 10;
    world->options.wal_segment_size = 64 << 10;
    world->options.reserve_bytes = 0;
    world->options.manual = true;
    world->options.on_event = on_event;
    world->options.on_event_arg = world;
}

void world_start(struct world *world, uint64_t seed)
{
    *world = (struct world){.next_seed = seed * 100000 + 1};
    assert_int_equal(fg_sim_new(seed, &world->sim), 0);
    world->env = fg_sim_env(world->sim);
    set_options(world, "store");
}

void world_start_real(struct world *world)
{
    *world = (struct world){.next_seed = 1, .env = fg_env_real()};
    const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(world->folder, sizeof world->folder, "%s/filigree-store-%ld", memory, (long)getpid());
    set_options(world, world->folder);
}

static void remove_folder(const char *path)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", path);
    assert_int_equal(system(command), 0);
}

void world_end(struct world *world)
{
    world_close(world, false);
    for (size_t i = 0; i < world->batch_count; i++) {
        fg_block_unref(world->batches[i]->block);
        free(world->batches[i]);
    }
    free((void *)world->batches);
    if (world->sim)
        assert_int_equal(fg_sim_open_files(world->sim), 0);
    else
        remove_folder(world->folder);
    fg_sim_free(world->sim);
}

int world_open(struct world *world)
{
    struct fg_arena arena;
    const char *message = NULL;
    fg_arena_init(&arena, 64 << 10);
    int r = fg_store_open(&world->options, &arena, &message, &world->store);
    *world->message = 0;
    if (r < 0) {
        world->store = NULL;
        assert_non_null(message);
        snprintf(world->message, sizeof world->message, "%s", message);
    }
    fg_arena_free(&arena);
    return r;
}

void world_close(struct world *world, bool seal)
{
    fg_store_close(world->store, seal);
    world->store = NULL;
}

static void on_done(struct fg_append *append, int result)
{
    struct world_batch *batch = (struct world_batch *)append;
    if (batch->fate != FATE_PENDING)
        fail_msg("done was called twice");
    batch->fate = result == 0 ? FATE_KEPT : FATE_REFUSED;
    /* A failed write or sync may have reached the disk all the same: a restart shows. */
    if (result == FG_EIO || result == FG_ENOSPACE)
        batch->fate = FATE_IN_DOUBT;
    batch->result = result;
    batch->was_retry = append->was_retry;
}

static struct world_batch *add_batch(struct world *world, struct fg_block *block)
{
    if (world->batch_count == world->batch_capacity) {
        world->batch_capacity = world->batch_capacity ? 2 * world->batch_capacity : 64;
        world->batches =
            realloc((void *)world->batches, world->batch_capacity * sizeof(struct world_batch *));
        assert_non_null(world->batches);
    }
    struct world_batch *batch = calloc(1, sizeof *batch);
    assert_non_null(batch);
    batch->world = world;
    batch->block = block;
    world->batches[world->batch_count++] = batch;
    return batch;
}

static int take(struct world *world, struct world_batch *batch, uint64_t request_hash)
{
    batch->append = (struct fg_append){
        .block = fg_block_ref(batch->block), .request_hash = request_hash, .done = on_done};
    int r = fg_store_append_take(world->store, &batch->append);
    if (r < 0)
        batch->fate = FATE_REFUSED;
    return r;
}

struct world_batch *world_append(struct world *world, uint32_t span_count, uint64_t request_hash,
                                 int *ret_result)
{
    struct fg_builder *builder;
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct random_batch_options options = random_batch_options_default(world->next_seed++);
    options.span_count = span_count;
    options.spread_ns = 3 * FG_NS_PER_DAY;
    struct fg_block *block;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    random_batch_fill(builder, &options);
    assert_int_equal(fg_block_freeze(builder, &block), 0);
    fg_builder_free(builder);
    struct world_batch *batch = add_batch(world, block);
    *ret_result = take(world, batch, request_hash);
    return batch;
}

struct world_batch *world_append_again(struct world *world, const struct world_batch *first,
                                       int *ret_result)
{
    struct world_batch *batch = add_batch(world, fg_block_ref(first->block));
    batch->is_retry_of_other = true;
    *ret_result = take(world, batch, first->append.request_hash);
    return batch;
}

int world_settle(struct world *world)
{
    bool did = true;
    int r = 0;
    while (r == 0 && did)
        r = fg_store_step(world->store, &did);
    return r;
}

struct world_batch *world_keep(struct world *world, uint32_t span_count)
{
    int r;
    struct world_batch *batch = world_append(world, span_count, 0, &r);
    assert_int_equal(r, 0);
    assert_int_equal(world_settle(world), 0);
    assert_int_equal(batch->fate, FATE_KEPT);
    return batch;
}

void world_doubt(struct world *world)
{
    for (size_t i = 0; i < world->batch_count; i++)
        if (world->batches[i]->fate == FATE_PENDING)
            world->batches[i]->fate = FATE_IN_DOUBT;
}

/* -- Checking */

/* All spans of all batches, by identity. */
struct table {
    struct entry {
        const struct fg_batch *batch;
        uint32_t row;
        uint32_t batch_index;
        uint32_t seen;
        bool is_used;
    } * entries;
    size_t mask;
    struct world *world;
    uint64_t frontier_ns;
    uint64_t rows;
};

static uint64_t identity(const struct fg_batch *batch, uint32_t row)
{
    return fg_hash_u64(batch->span_id[row] ^
                       fg_hash_u64(batch->trace_id_low[row] ^ batch->trace_id_high[row]));
}

static struct entry *find(struct table *table, const struct fg_batch *batch, uint32_t row)
{
    size_t i = (size_t)identity(batch, row) & table->mask;
    for (; table->entries[i].is_used; i = (i + 1) & table->mask) {
        const struct entry *entry = &table->entries[i];
        if (entry->batch->span_id[entry->row] == batch->span_id[row] &&
            entry->batch->trace_id_low[entry->row] == batch->trace_id_low[row] &&
            entry->batch->trace_id_high[entry->row] == batch->trace_id_high[row] &&
            entry->batch->kind[entry->row] == batch->kind[row])
            break;
    }
    return &table->entries[i];
}

static void build(struct world *world, struct table *table)
{
    size_t count = 0, capacity = 64;
    for (size_t i = 0; i < world->batch_count; i++)
        count += fg_block_batch(world->batches[i]->block)->span_count;
    while (capacity < 2 * count)
        capacity *= 2;
    *table = (struct table){.entries = calloc(capacity, sizeof(struct entry)),
                            .mask = capacity - 1,
                            .world = world,
                            .frontier_ns = UINT64_MAX};
    assert_non_null(table->entries);
    for (size_t i = 0; i < world->batch_count; i++) {
        if (world->batches[i]->is_retry_of_other)
            continue;
        const struct fg_batch *batch = fg_block_batch(world->batches[i]->block);
        for (uint32_t row = 0; row < batch->span_count; row++) {
            struct entry *entry = find(table, batch, row);
            if (entry->is_used)
                fail_msg("the test's own spans are not distinct");
            *entry = (struct entry){
                .batch = batch, .row = row, .batch_index = (uint32_t)i, .is_used = true};
        }
    }
}

static void see_row(struct table *table, const struct fg_batch *batch, uint32_t row)
{
    struct entry *entry = find(table, batch, row);
    if (!entry->is_used)
        fail_msg("a span that nobody sent is there");
    const char *difference = batch_rows_differ(batch, row, entry->batch, entry->row, 0);
    if (difference)
        fail_msg("batch %u, row %u: %s differs", entry->batch_index, entry->row, difference);
    entry->seen++;
    table->rows++;
}

static int on_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct table *table = arg;
    for (uint32_t row = rows->row_begin; row < rows->row_end; row++) {
        uint32_t bit = row - rows->row_begin;
        if (!(rows->bits[bit / 64] >> bit % 64 & 1))
            continue;
        if (rows->batch->start_ns[row] > table->frontier_ns)
            fail_msg("a row starts after the frontier that was promised");
        see_row(table, rows->batch, row);
    }
    assert_true(rows->frontier_ns <= table->frontier_ns);
    table->frontier_ns = rows->frontier_ns;
    return 0;
}

/* Rows that were seen, by batch; the caller frees it. */
static uint32_t *count_by_batch(const struct table *table, const char *how)
{
    uint32_t *seen = calloc(table->world->batch_count + 1, sizeof *seen);
    for (size_t i = 0; i <= table->mask; i++) {
        if (table->entries[i].seen > 1)
            fail_msg("%s: a span of batch %u is there %u times", how, table->entries[i].batch_index,
                     table->entries[i].seen);
        if (table->entries[i].is_used)
            seen[table->entries[i].batch_index] += table->entries[i].seen;
    }
    return seen;
}

static void check_counts(const struct table *table, const char *how)
{
    const struct world *world = table->world;
    uint32_t *seen = count_by_batch(table, how);
    for (size_t i = 0; i < world->batch_count; i++) {
        const struct world_batch *batch = world->batches[i];
        uint32_t count = fg_block_batch(batch->block)->span_count;
        if (batch->is_retry_of_other)
            continue;
        if (batch->fate == FATE_KEPT && seen[i] != count)
            fail_msg("%s: of batch %zu, which was acknowledged, %u of %u spans are there", how, i,
                     seen[i], count);
        if (batch->fate == FATE_REFUSED && seen[i] != 0)
            fail_msg("%s: of batch %zu, which was refused, %u spans are there", how, i, seen[i]);
        if (seen[i] != 0 && seen[i] != count)
            fail_msg("%s: of batch %zu only %u of %u spans are there", how, i, seen[i], count);
    }
    free(seen);
}

static void check_scan(struct table *table)
{
    struct fg_read_stats stats = {0};
    struct fg_scan scan = {.start_ns_min = 0,
                           .start_ns_max = UINT64_MAX,
                           .columns = FG_COLUMNS_ALL,
                           .rows = on_rows,
                           .arg = table};
    int r = fg_store_scan(table->world->store, &scan, &stats);
    if (r != 0)
        fail_msg("scan: %s", fg_error_name(r));
    assert_int_equal(stats.damaged_pages, 0);
    assert_int_equal(stats.rows_matched, table->rows);
    check_counts(table, "scan");
}

static void check_trace(struct table *table, const struct fg_batch *of, uint32_t row,
                        struct fg_builder *builder)
{
    struct fg_trace_result result = {0};
    fg_builder_reset(builder);
    int r = fg_store_trace(table->world->store, 0, of->trace_id_high[row], of->trace_id_low[row],
                           builder, &result);
    if (r == FG_ENOTFOUND)
        return;
    if (r != 0)
        fail_msg("trace: %s", fg_error_name(r));
    struct fg_batch batch;
    fg_builder_view(builder, &batch);
    assert_int_equal(batch.span_count, result.span_count);
    for (uint32_t i = 0; i < batch.span_count; i++)
        see_row(table, &batch, i);
}

/* Each trace once: it is asked for at the first of its rows. */
static void check_traces(struct world *world, struct table *table)
{
    struct fg_builder *builder;
    struct fg_builder_limits limits = fg_builder_limits_default();
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    for (size_t i = 0; i < world->batch_count; i++) {
        const struct fg_batch *batch = fg_block_batch(world->batches[i]->block);
        if (world->batches[i]->is_retry_of_other)
            continue;
        for (uint32_t row = 0; row < batch->span_count; row++) {
            bool is_first = row == 0 || batch->trace_id_low[row] != batch->trace_id_low[row - 1];
            if (is_first)
                check_trace(table, batch, row, builder);
        }
    }
    fg_builder_free(builder);
    check_counts(table, "trace");
}

void world_settle_doubts(struct world *world)
{
    struct table table;
    build(world, &table);
    check_scan(&table);
    uint32_t *seen = count_by_batch(&table, "scan");
    for (size_t i = 0; i < world->batch_count; i++)
        if (world->batches[i]->fate == FATE_IN_DOUBT)
            world->batches[i]->fate = seen[i] ? FATE_KEPT : FATE_REFUSED;
    free(seen);
    free(table.entries);
}

void world_check_scan(struct world *world)
{
    struct table table;
    build(world, &table);
    check_scan(&table);
    free(table.entries);
}

void world_check(struct world *world)
{
    world_check_scan(world);
    struct table table;
    build(world, &table);
    check_traces(world, &table);
    free(table.entries);
}

bool world_has_file(const struct world *world, const char *path)
{
    struct fg_file *file;
    int r = fg_env_open(world->env, path, FG_OPEN_READ, &file);
    if (r == 0)
        fg_file_close(file);
    return r == 0;
}

static int count_file(void *arg, const struct fg_dir_entry *entry)
{
    size_t *count = arg;
    (void)entry;
    (*count)++;
    return 0;
}

size_t world_count_files(const struct world *world, const char *path)
{
    size_t count = 0;
    assert_int_equal(fg_env_list(world->env, path, count_file, &count), 0);
    return count;
}
