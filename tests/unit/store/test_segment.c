/* local/segment.h: what was written is read back, to the bit, with every mask; traces are found;
 * faults of disk and memory come back as errors and leave nothing open. */
#include "segment_rows.h"

#include "base/limits.h"
#include "buffer_env.h"
#include "fail_alloc.h"
#include "local/cache.h"
#include "os/thread.h"
#include "segment_traces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct world {
    struct fg_sim *sim;
    struct fg_env *env;
    struct fg_cache *cache;
    struct segment_rows rows;
    struct fg_segment_info info;
    struct fg_segment *segment;
};

static struct world world_new(const struct random_batch_options *options, uint32_t group_rows,
                              uint64_t cache_bytes)
{
    struct world world = {.rows = segment_rows_new(options)};
    assert_int_equal(fg_sim_new(options->seed, &world.sim), 0);
    world.env = fg_sim_env(world.sim);
    if (cache_bytes)
        assert_int_equal(fg_cache_new(cache_bytes, &world.cache), 0);
    world.info = segment_rows_write(&world.rows, world.env, SEGMENT_PATH, group_rows);
    assert_int_equal(fg_segment_open(world.env, SEGMENT_PATH, world.cache, &world.segment), 0);
    return world;
}

static void world_free(struct world *world)
{
    fg_segment_unref(world->segment);
    fg_cache_free(world->cache);
    assert_int_equal(fg_sim_open_files(world->sim), 0);
    fg_sim_free(world->sim);
    segment_rows_free(&world->rows);
}

/* Reads all rows with a mask and compares. */
static void read_all(struct world *world, uint32_t columns, const struct fg_predicate *keys_of,
                     bool (*keys)(void *arg, struct fg_slice key), void *arg)
{
    struct fg_segment_reader_options options = {
        .columns = columns, .keys_of = keys_of, .page_cache_count = 2};
    struct fg_segment_reader *reader;
    assert_int_equal(fg_segment_reader_new(world->segment, &options, &reader), 0);
    const struct fg_batch *rows = &world->rows.batch, *before = NULL;
    for (uint64_t row = 0; row < rows->span_count;) {
        const struct fg_batch *page;
        uint64_t begin;
        assert_int_equal(fg_segment_reader_page(reader, row, &page, &begin), 0);
        assert_true(begin == row && page->span_count > 0 && page->span_count <= FG_PAGE_ROWS_MAX);
        assert_int_equal(page->strings[0].size, 0);
        for (uint32_t i = 0; i < page->span_count; i++) {
            const char *what =
                segment_rows_differ(rows, (uint32_t)row + i, page, i, columns, keys, arg);
            if (what)
                fail_msg("row %u, mask %u: %s differs", (uint32_t)row + i, columns, what);
        }
        /* the page before is still there */
        if (before && before->span_count > 0 && (columns & FG_COLUMNS_NAME))
            assert_true(before->name[0] < before->string_count);
        if (before && before->string_epoch == page->string_epoch)
            for (uint32_t i = 0; i < page->stable_string_count; i++)
                assert_true(fg_slice_equal(before->strings[i], page->strings[i]));
        before = page;
        row += page->span_count;
    }
    fg_segment_reader_free(reader);
}

static struct random_batch_options options_of(uint64_t seed, uint32_t spans)
{
    struct random_batch_options options = random_batch_options_default(seed);
    options.span_count = spans;
    return options;
}

static void rows_come_back_with_every_mask(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct random_batch_options options = options_of(seed, 1500);
        options.odd_percent = seed == 1 ? 0 : 8 * (uint32_t)seed;
        struct world world = world_new(&options, seed % 2 ? 65536 : 400, seed < 3 ? 1 << 20 : 0);
        assert_int_equal(world.info.span_count, world.rows.batch.span_count);
        assert_memory_equal(&world.info, fg_segment_info(world.segment), sizeof world.info);
        for (uint32_t columns = 0; columns <= FG_COLUMNS_ALL;
             columns += seed == 1 ? 1 : 1 + columns / 4)
            read_all(&world, columns, NULL, NULL, NULL);
        read_all(&world, FG_COLUMNS_ALL, NULL, NULL, NULL);
        world_free(&world);
    }
}

static void rows_of_every_size_come_back(void **state)
{
    (void)state;
    for (uint32_t spans = 1; spans < 40; spans += spans < 10 ? 1 : 7) {
        struct random_batch_options options = options_of(spans, spans);
        struct world world = world_new(&options, 1 + spans / 3, 0);
        read_all(&world, FG_COLUMNS_ALL, NULL, NULL, NULL);
        world_free(&world);
    }
}

static void take_index_size(void *arg, const struct fg_segment_column *column)
{
    if (fg_slice_equal(column->key, FG_SLICE("index of traces")))
        *(uint64_t *)arg = column->size_bytes;
}

static void a_large_segment_comes_back(void **state)
{
    (void)state;
    struct random_batch_options options = options_of(7, 30000);
    options.trace_spans_max = 13;
    struct world world = world_new(&options, 20000, 8 << 20);
    assert_int_equal(world.info.row_group_count, 2);
    uint64_t index_size = 0;
    assert_int_equal(fg_segment_columns(world.segment, take_index_size, &index_size), 0);
    assert_true(index_size > world.info.trace_count && index_size < world.info.trace_count * 6);
    read_all(&world, FG_COLUMNS_ALL, NULL, NULL, NULL);
    world_free(&world);
}

static void an_empty_segment_opens(void **state)
{
    (void)state;
    struct fg_sim *sim;
    assert_int_equal(fg_sim_new(1, &sim), 0);
    struct fg_segment_writer *writer;
    struct fg_segment_info info;
    assert_int_equal(fg_segment_writer_open(fg_sim_env(sim), SEGMENT_PATH, NULL, &writer), 0);
    assert_int_equal(fg_segment_writer_finish_take(writer, &info), 0);
    struct fg_segment *segment;
    assert_int_equal(fg_segment_open(fg_sim_env(sim), SEGMENT_PATH, NULL, &segment), 0);
    struct fg_segment_trace trace;
    struct segment_traces none;
    assert_int_equal(fg_segment_find_trace(segment, 1, 2, &trace), FG_ENOTFOUND);
    assert_int_equal(segment_traces_list(segment, &none), 0);
    assert_int_equal(none.count, 0);
    free(none.all);
    uint8_t *bytes;
    size_t size = 1;
    assert_int_equal(fg_segment_rollup(segment, &bytes, &size), 0);
    assert_int_equal(size, 0);
    assert_null(bytes);
    fg_segment_unref(segment);
    fg_sim_free(sim);
}

static bool is_wanted_key(void *arg, struct fg_slice key)
{
    return fg_predicate_uses_key(arg, key);
}

static void only_the_predicates_keys_are_decoded(void **state)
{
    (void)state;
    struct random_batch_options options = options_of(11, 1000);
    struct world world = world_new(&options, 65536, 0);
    struct fg_predicate leaves[2] = {{.op = FG_PRED_EXISTS, .field = FG_FIELD_ATTR_SPAN},
                                     {.op = FG_PRED_EXISTS, .field = FG_FIELD_ATTR_ANY}};
    leaves[0].key = FG_SLICE("x.key3");
    leaves[1].key = FG_SLICE("x.key7");
    const struct fg_predicate *children[] = {&leaves[0], &leaves[1]};
    struct fg_predicate tree = {.op = FG_PRED_OR, .child_count = 2, .children = children};
    read_all(&world, FG_COLUMNS_ALL, &tree, is_wanted_key, &tree);
    read_all(&world, FG_COLUMNS_SPAN_ATTRS, &tree, is_wanted_key, &tree);
    world_free(&world);
}

/* -- Traces */

static void every_trace_is_found(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct random_batch_options options = options_of(seed, 3000);
        options.trace_spans_max = seed == 3 ? 1500 : 25;
        struct world world = world_new(&options, seed == 1 ? 65536 : 230, 1 << 20);
        const struct fg_batch *rows = &world.rows.batch;
        struct fg_segment_trace found;
        struct segment_traces traces;
        size_t n = 0;
        assert_int_equal(segment_traces_list(world.segment, &traces), 0);
        assert_int_equal(traces.count, world.info.trace_count);
        for (uint32_t row = 0; row < rows->span_count; n++) {
            uint32_t end = row;
            uint64_t start = UINT64_MAX;
            for (; end < rows->span_count && rows->trace_id_low[end] == rows->trace_id_low[row] &&
                   rows->trace_id_high[end] == rows->trace_id_high[row];
                 end++)
                start = rows->start_ns[end] < start ? rows->start_ns[end] : start;
            assert_true(n < traces.count);
            const struct fg_segment_trace *trace = &traces.all[n];
            assert_true(trace->id_high == rows->trace_id_high[row] &&
                        trace->id_low == rows->trace_id_low[row]);
            assert_int_equal(trace->row_begin, row);
            assert_int_equal(trace->row_count, end - row);
            assert_true(trace->start_ns == start);
            assert_int_equal(
                fg_segment_find_trace(world.segment, trace->id_high, trace->id_low, &found), 0);
            assert_memory_equal(&found, trace, sizeof found);
            assert_int_equal(
                fg_segment_find_trace(world.segment, trace->id_high, trace->id_low + 1, &found),
                FG_ENOTFOUND);
            row = end;
        }
        assert_int_equal(n, traces.count);
        free(traces.all);
        world_free(&world);
    }
}

/* -- The rollup block */

static void a_rollup_comes_back(void **state)
{
    (void)state;
    struct fg_sim *sim;
    assert_int_equal(fg_sim_new(1, &sim), 0);
    struct random_batch_options options = options_of(1, 50);
    struct segment_rows rows = segment_rows_new(&options);
    struct fg_segment_writer *writer;
    struct fg_segment_info info;
    assert_int_equal(fg_segment_writer_open(fg_sim_env(sim), SEGMENT_PATH, NULL, &writer), 0);
    assert_int_equal(fg_segment_writer_rollup(writer, FG_SLICE("minutes")), 0);
    assert_int_equal(fg_segment_writer_add(writer, &rows.batch), 0);
    assert_int_equal(fg_segment_writer_finish_take(writer, &info), 0);
    struct fg_segment *segment;
    assert_int_equal(fg_segment_open(fg_sim_env(sim), SEGMENT_PATH, NULL, &segment), 0);
    uint8_t *bytes;
    size_t size;
    assert_int_equal(fg_segment_rollup(segment, &bytes, &size), 0);
    assert_int_equal(size, 7);
    assert_memory_equal(bytes, "minutes", 7);
    free(bytes);
    fg_segment_unref(segment);
    segment_rows_free(&rows);
    fg_sim_free(sim);
}

/* -- Threads */

struct shared {
    struct world *world;
    uint64_t seed;
};

static int count_rows(void *arg, const struct fg_segment_page *page)
{
    *(uint64_t *)arg += page->row_count;
    return 0;
}

static void read_in_a_thread(void *arg)
{
    const struct shared *shared = arg;
    struct fg_segment *segment = fg_segment_ref(shared->world->segment);
    const struct fg_batch *rows = &shared->world->rows.batch;
    struct test_random random = {shared->seed};
    struct fg_segment_reader_options options = {.columns = FG_COLUMNS_ALL, .page_cache_count = 2};
    struct fg_segment_reader *reader;
    assert_int_equal(fg_segment_reader_new(segment, &options, &reader), 0);
    struct fg_predicate leaf = {.op = FG_PRED_EXISTS, .field = FG_FIELD_ATTR_SPAN};
    leaf.key = FG_SLICE("x.key3");
    for (int i = 0; i < 40; i++) {
        uint32_t row = test_random_below(&random, rows->span_count);
        struct fg_segment_trace trace;
        const struct fg_batch *page;
        uint64_t begin, found = 0;
        assert_int_equal(fg_segment_find_trace(segment, rows->trace_id_high[row],
                                               rows->trace_id_low[row], &trace),
                         0);
        assert_int_equal(fg_segment_reader_page(reader, row, &page, &begin), 0);
        assert_null(segment_rows_differ(rows, row, page, row - (uint32_t)begin, FG_COLUMNS_ALL,
                                        NULL, NULL));
        assert_int_equal(
            fg_segment_prune(segment, &leaf, 0, UINT64_MAX, true, count_rows, &found, NULL), 0);
        assert_true(found > 0);
    }
    fg_segment_reader_free(reader);
    fg_segment_unref(segment);
}

/* With a cache that is far too small, so that what one thread reads another throws out. */
static void threads_read_one_segment(void **state)
{
    (void)state;
    struct random_batch_options options = options_of(21, 2000);
    struct world world = world_new(&options, 300, 30000);
    struct fg_thread threads[4];
    struct shared shared[4];
    for (uint64_t i = 0; i < 4; i++) {
        shared[i] = (struct shared){&world, i + 1};
        assert_int_equal(fg_thread_start(&threads[i], "reader", read_in_a_thread, &shared[i]), 0);
    }
    for (size_t i = 0; i < 4; i++)
        fg_thread_join(&threads[i]);
    world_free(&world);
}

/* -- Steps */

static void count_bytes(void *arg, size_t bytes)
{
    uint64_t *total = arg;
    assert_true(bytes > 0 && bytes <= 1 << 20);
    *total += bytes;
}

static void writes_are_paced_and_written_out(void **state)
{
    (void)state;
    struct fg_sim *sim;
    assert_int_equal(fg_sim_new(1, &sim), 0);
    struct random_batch_options options = options_of(1, 60000);
    struct segment_rows rows = segment_rows_new(&options);
    uint64_t total = 0;
    struct fg_segment_writer_options writing = {.pace = count_bytes, .pace_arg = &total};
    struct fg_segment_writer *writer;
    struct fg_segment_info info;
    assert_int_equal(fg_segment_writer_open(fg_sim_env(sim), SEGMENT_PATH, &writing, &writer), 0);
    assert_int_equal(fg_segment_writer_add(writer, &rows.batch), 0);
    uint64_t writes = fg_sim_count(sim, FG_SIM_WRITE);
    assert_true(writes > 1);
    assert_int_equal(fg_sim_count(sim, FG_SIM_WRITE_OUT), writes);
    assert_int_equal(fg_sim_count(sim, FG_SIM_SYNC), 0);
    assert_int_equal(fg_segment_writer_finish_take(writer, &info), 0);
    assert_int_equal(fg_sim_count(sim, FG_SIM_WRITE_OUT), fg_sim_count(sim, FG_SIM_WRITE));
    assert_int_equal(fg_sim_count(sim, FG_SIM_SYNC), 1);
    assert_int_equal(total, info.size_bytes);
    assert_int_equal(fg_segment_writer_open(fg_sim_env(sim), SEGMENT_PATH, NULL, &writer),
                     FG_EEXIST);
    segment_rows_free(&rows);
    fg_sim_free(sim);
}

/* -- Faults */

static int write_some(struct fg_env *env, const struct segment_rows *rows)
{
    struct fg_segment_writer_options writing = {0};
    struct fg_segment_writer *writer;
    struct fg_segment_info info;
    int r = fg_segment_writer_open(env, SEGMENT_PATH, &writing, &writer);
    if (r < 0)
        return r;
    r = fg_segment_writer_rollup(writer, FG_SLICE("minutes"));
    if (r == 0)
        r = fg_segment_writer_add(writer, &rows->batch);
    if (r == 0)
        return fg_segment_writer_finish_take(writer, &info);
    fg_segment_writer_abort(writer);
    return r;
}

static int read_some(struct fg_env *env, struct fg_cache *cache, const struct fg_batch *rows)
{
    struct fg_segment *segment;
    int r = fg_segment_open(env, SEGMENT_PATH, cache, &segment);
    if (r < 0)
        return r;
    struct fg_segment_trace trace;
    struct fg_segment_reader_options options = {.columns = FG_COLUMNS_ALL, .page_cache_count = 1};
    struct fg_segment_reader *reader = NULL;
    r = fg_segment_find_trace(segment, rows->trace_id_high[0], rows->trace_id_low[0], &trace);
    if (r == 0)
        r = fg_segment_reader_new(segment, &options, &reader);
    for (uint64_t row = 0; r == 0 && row < rows->span_count;) {
        const struct fg_batch *page;
        uint64_t begin;
        r = fg_segment_reader_page(reader, row, &page, &begin);
        if (r == 0)
            row += page->span_count;
    }
    uint8_t *bytes = NULL;
    size_t size;
    if (r == 0)
        r = fg_segment_rollup(segment, &bytes, &size);
    free(bytes);
    fg_segment_reader_free(reader);
    fg_segment_unref(segment);
    return r;
}

static void a_failed_write_or_sync_is_an_error(void **state)
{
    (void)state;
    struct random_batch_options options = options_of(3, 12000);
    struct segment_rows rows = segment_rows_new(&options);
    for (uint64_t nth = 1;; nth++) {
        struct fg_sim *sim;
        assert_int_equal(fg_sim_new(nth, &sim), 0);
        struct fg_sim_fault fault = {.ops = FG_SIM_OPEN | FG_SIM_WRITE | FG_SIM_SYNC,
                                     .nth = nth,
                                     .error = nth % 2 ? FG_EIO : FG_ENOSPACE};
        fg_sim_fail(sim, &fault);
        int r = write_some(fg_sim_env(sim), &rows);
        bool failed = fg_sim_has_failed(sim);
        assert_int_equal(r, failed ? fault.error : 0);
        assert_int_equal(fg_sim_open_files(sim), 0);
        fg_sim_free(sim);
        if (!failed)
            break;
        assert_true(nth < 1000);
    }
    segment_rows_free(&rows);
}

static void a_failed_read_is_an_error(void **state)
{
    (void)state;
    struct random_batch_options options = options_of(4, 600);
    struct segment_rows rows = segment_rows_new(&options);
    struct fg_sim *sim;
    assert_int_equal(fg_sim_new(1, &sim), 0);
    assert_int_equal(write_some(fg_sim_env(sim), &rows), 0);
    for (uint64_t nth = 1;; nth++) {
        struct fg_cache *cache;
        assert_int_equal(fg_cache_new(1 << 20, &cache), 0);
        struct fg_sim_fault fault = {.ops = FG_SIM_OPEN | FG_SIM_READ, .nth = nth, .error = FG_EIO};
        fg_sim_fail(sim, &fault);
        int r = read_some(fg_sim_env(sim), nth % 2 ? cache : NULL, &rows.batch);
        bool failed = fg_sim_has_failed(sim);
        fg_sim_fail(sim, NULL);
        fg_cache_free(cache);
        assert_int_equal(r, failed ? FG_EIO : 0);
        assert_int_equal(fg_sim_open_files(sim), 0);
        if (!failed)
            break;
        assert_true(nth < 1000);
    }
    segment_rows_free(&rows);
    fg_sim_free(sim);
}

static void a_failed_allocation_is_an_error(void **state)
{
    (void)state;
    struct random_batch_options options = options_of(5, 60);
    options.odd_percent = 20;
    struct segment_rows rows = segment_rows_new(&options);
    static uint8_t memory[1 << 20];
    bool again = true;
    for (uint64_t n = 1; again; n++) {
        struct buffer_env buffer;
        buffer_env_init(&buffer, memory, 0, sizeof memory, false);
        struct fg_cache *cache;
        assert_int_equal(fg_cache_new(1 << 20, &cache), 0);
        fail_alloc_at(n, n % 3 == 0);
        int r = write_some(&buffer.env, &rows);
        bool wrote = r == 0;
        if (wrote)
            r = read_some(&buffer.env, n % 2 ? cache : NULL, &rows.batch);
        again = fail_alloc_off();
        /* where memory is short some choices fall on what needs less: no error then */
        assert_true(r == 0 || r == FG_ENOMEM);
        if (wrote)
            assert_int_equal(read_some(&buffer.env, NULL, &rows.batch), 0);
        fg_cache_free(cache);
        assert_int_equal(buffer.open_files, 0);
    }
    segment_rows_free(&rows);
}

static uint64_t cached_after_reading(struct world *world, bool reads_once)
{
    struct fg_segment_reader_options options = {
        .columns = FG_COLUMNS_ALL, .page_cache_count = 2, .reads_once = reads_once};
    struct fg_segment_reader *reader;
    const struct fg_batch *page;
    uint64_t begin, most = 0;
    assert_int_equal(fg_segment_reader_new(world->segment, &options, &reader), 0);
    for (uint64_t row = 0; row < world->rows.batch.span_count; row = begin + page->span_count) {
        assert_int_equal(fg_segment_reader_page(reader, row, &page, &begin), 0);
        uint64_t bytes = fg_cache_size_bytes(world->cache);
        most = bytes > most ? bytes : most;
    }
    fg_segment_reader_free(reader);
    return most;
}

/* A merge reads each row group once, and its inputs never again: they push nothing out that others
 * ask for, and no memory is theirs when they are gone. */
static void who_reads_once_fills_no_cache(void **state)
{
    (void)state;
    struct random_batch_options options = options_of(12, 4000);
    struct world world = world_new(&options, 200, (uint64_t)64 << 20);
    assert_true(world.info.row_group_count >= 20);
    uint64_t empty = fg_cache_size_bytes(world.cache);
    uint64_t once = cached_after_reading(&world, true);
    assert_int_equal(fg_cache_size_bytes(world.cache), empty);
    uint64_t all = cached_after_reading(&world, false);
    assert_true(all > 0 && once < all / 4); /* the two or three groups at hand of twenty */
    assert_true(fg_cache_size_bytes(world.cache) >= all);
    fg_segment_unref(world.segment);
    assert_int_equal(fg_cache_size_bytes(world.cache), empty);
    assert_int_equal(fg_segment_open(world.env, SEGMENT_PATH, world.cache, &world.segment), 0);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_every_size_come_back),
        cmocka_unit_test(rows_come_back_with_every_mask),
        cmocka_unit_test(a_large_segment_comes_back),
        cmocka_unit_test(an_empty_segment_opens),
        cmocka_unit_test(only_the_predicates_keys_are_decoded),
        cmocka_unit_test(every_trace_is_found),
        cmocka_unit_test(a_rollup_comes_back),
        cmocka_unit_test(threads_read_one_segment),
        cmocka_unit_test(writes_are_paced_and_written_out),
        cmocka_unit_test(a_failed_write_or_sync_is_an_error),
        cmocka_unit_test(a_failed_read_is_an_error),
        cmocka_unit_test(a_failed_allocation_is_an_error),
        cmocka_unit_test(who_reads_once_fills_no_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
