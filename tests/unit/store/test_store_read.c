/* Reading while the store goes on: snapshots, windows, limits, tenants. */
#include "base/limits.h"
#include "local/local.h"
#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_start(&world, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

static struct fg_store_counters counters(void)
{
    struct fg_store_counters counters;
    fg_store_counters(world.store, &counters);
    return counters;
}

/* -- Reading */

struct slow_reader {
    int calls, calls_left;
    uint64_t advance_ns;
};

static int read_slowly(void *arg, const struct fg_scan_rows *rows)
{
    struct slow_reader *reader = arg;
    (void)rows;
    reader->calls++;
    fg_sim_advance(world.sim, reader->advance_ns);
    return 0;
}

static bool is_enough(void *arg)
{
    struct slow_reader *reader = arg;
    return reader->calls_left-- == 0;
}

static struct fg_scan slow_scan(struct slow_reader *reader)
{
    return (struct fg_scan){
        .start_ns_max = UINT64_MAX, .columns = FG_COLUMNS_IDS, .rows = read_slowly, .arg = reader};
}

static int run_scan(const struct fg_scan *scan)
{
    struct fg_read_stats stats = {0};
    return fg_store_scan(world.store, scan, &stats);
}

static void test_a_snapshot_grows_old(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    for (int i = 0; i < 8; i++)
        world_keep(&world, 5);
    struct slow_reader patient = {.advance_ns = FG_NS_PER_SECOND};
    struct fg_scan scan = slow_scan(&patient);
    assert_int_equal(run_scan(&scan), 0);
    assert_int_equal(patient.calls, 8);
    struct slow_reader slow = {.advance_ns = FG_SNAPSHOT_AGE_NS_MAX / 3};
    scan = slow_scan(&slow);
    assert_int_equal(run_scan(&scan), FG_ETIMEOUT);
    assert_int_equal(slow.calls, 3);
}

/* Snapshots pin heads, which are memory: two that were sealed since, and no more. */
static void test_snapshots_pin_two_heads(void **state)
{
    (void)state;
    struct fg_snapshot snapshot;
    assert_int_equal(world_open(&world), 0);
    assert_int_equal(fg_snapshot_take(world.store, &snapshot), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fg_snapshot_check(&snapshot), 0);
        world_keep(&world, 5);
        assert_int_equal(fg_store_seal(world.store), 0);
    }
    assert_int_equal(fg_snapshot_check(&snapshot), FG_ETIMEOUT);
    fg_snapshot_release(&snapshot);
}

struct busy_reader {
    uint64_t rows, last_frontier_ns;
    int calls;
};

/* While one call is made, one head more is filled and sealed. */
static int read_while_sealing(void *arg, const struct fg_scan_rows *rows)
{
    struct busy_reader *reader = arg;
    for (uint32_t row = rows->row_begin; row < rows->row_end; row++) {
        uint32_t bit = row - rows->row_begin;
        if ((rows->bits[bit / 64] >> (bit % 64) & 1) == 0)
            continue;
        reader->rows++;
        assert_true(rows->batch->start_ns[row] <= reader->last_frontier_ns);
    }
    reader->last_frontier_ns = rows->frontier_ns;
    reader->calls++;
    world_keep(&world, 5);
    assert_int_equal(fg_store_seal(world.store), 0);
    return 0;
}

/* A scan gives the heads back when it has read them, which it does sooner where they are wanted: it
 * goes on with the segments however many are sealed meanwhile, and tells each span once. */
static void test_a_scan_outlives_its_heads(void **state)
{
    (void)state;
    struct busy_reader reader = {.last_frontier_ns = UINT64_MAX};
    const struct fg_scan scan = {.start_ns_max = UINT64_MAX,
                                 .columns = FG_COLUMNS_IDS | FG_COLUMNS_TIMES,
                                 .rows = read_while_sealing,
                                 .arg = &reader};
    assert_int_equal(world_open(&world), 0);
    for (int i = 0; i < 6; i++) {
        world_keep(&world, 5);
        assert_int_equal(fg_store_seal(world.store), 0);
    }
    for (int i = 0; i < 2; i++)
        world_keep(&world, 5);
    uint64_t spans = counters().segment_spans + counters().head_spans;
    assert_true(spans > 0);
    assert_int_equal(run_scan(&scan), 0);
    assert_true(reader.calls > 3); /* more than may be pinned */
    assert_int_equal(reader.rows, spans);
}

/* An erase ends readers of what was before, also one that is reading a head. */
static void test_an_erase_ends_snapshots(void **state)
{
    (void)state;
    struct fg_snapshot snapshot, later;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 5);
    assert_int_equal(fg_snapshot_take(world.store, &snapshot), 0);
    assert_int_equal(fg_store_seal(world.store), 0);
    assert_int_equal(fg_snapshot_check(&snapshot), 0);
    struct fg_local *local = (struct fg_local *)world.store->blocks;
    assert_int_equal(fg_snapshot_take(world.store, &later), 0);
    assert_int_equal(fg_local_end_views(local, 1), FG_ETIMEOUT);
    assert_int_equal(fg_snapshot_check(&snapshot), FG_ETIMEOUT);
    assert_int_equal(fg_snapshot_check(&later), 0);
    fg_snapshot_release(&snapshot);
    assert_int_equal(fg_local_end_views(local, 1), 0);
    fg_snapshot_release(&later);
}

/* A head that is sealed between the two halves of a snapshot is neither lost nor seen twice. */
static void test_a_snapshot_is_consistent(void **state)
{
    (void)state;
    struct fg_snapshot before, between;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 50);
    assert_int_equal(fg_snapshot_take(world.store, &before), 0);
    world_keep(&world, 50);
    assert_int_equal(fg_store_seal(world.store), 0);
    assert_int_equal(fg_snapshot_take(world.store, &between), 0);
    /* the older one has the head with its first batch, the newer one the segments alone */
    assert_non_null(before.heads[1]);
    assert_int_equal(before.watermarks[1].entry_count, 1);
    assert_int_equal(between.watermarks[1].entry_count, 0);
    assert_null(between.heads[0]);
    fg_snapshot_release(&between);
    fg_snapshot_release(&before);
}

/* Blocks that seal the head just before a view is taken: between the halves of a snapshot. */
static const struct fg_blocks_ops *real_ops;
static bool is_inside;

static int seal_then_view(struct fg_blocks *blocks, struct fg_blocks_view **ret_view)
{
    if (!is_inside) {
        is_inside = true;
        assert_int_equal(fg_store_seal(world.store), 0);
        is_inside = false;
    }
    return real_ops->view_take(blocks, ret_view);
}

static void test_a_seal_within_a_snapshot(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    real_ops = world.store->blocks->ops;
    static struct fg_blocks_ops ops; /* also where the test ends early */
    ops = *real_ops;
    ops.view_take = seal_then_view;
    world.store->blocks->ops = &ops;
    for (int i = 0; i < 5; i++) {
        world_keep(&world, 50);
        world_check_scan(&world);
        assert_int_equal(counters().head_spans, 0); /* it was sealed meanwhile */
    }
    world.store->blocks->ops = real_ops;
    world_check(&world);
}

static void test_scans_have_limits(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    for (int i = 0; i < 8; i++)
        world_keep(&world, 5);
    struct slow_reader late = {.advance_ns = FG_NS_PER_SECOND};
    struct fg_scan scan = slow_scan(&late);
    scan.deadline_mono_ns = fg_env_mono_ns(world.env) + 3 * FG_NS_PER_SECOND;
    assert_int_equal(run_scan(&scan), FG_ETIMEOUT);
    assert_int_equal(late.calls, 3);
    struct slow_reader gone = {.calls_left = 4};
    scan = slow_scan(&gone);
    scan.is_cancelled = is_enough;
    assert_int_equal(run_scan(&scan), FG_ECANCELLED);
    assert_int_equal(gone.calls, 4);
    assert_int_equal(fg_store_seal(world.store), 0);
    struct slow_reader greedy = {0};
    scan = slow_scan(&greedy);
    scan.bytes_max = 1;
    assert_int_equal(run_scan(&scan), FG_ELIMIT);
}

struct window_reader {
    uint64_t start_ns_min, start_ns_max;
    uint64_t rows;
};

static int read_window(void *arg, const struct fg_scan_rows *rows)
{
    struct window_reader *reader = arg;
    for (uint32_t row = rows->row_begin; row < rows->row_end; row++) {
        uint32_t bit = row - rows->row_begin;
        if (!(rows->bits[bit / 64] >> bit % 64 & 1))
            continue;
        assert_true(rows->batch->start_ns[row] >= reader->start_ns_min);
        assert_true(rows->batch->start_ns[row] < reader->start_ns_max);
        reader->rows++;
    }
    return 0;
}

static uint64_t count_naively(uint64_t start_ns_min, uint64_t start_ns_max)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < world.batch_count; i++) {
        const struct fg_batch *batch = fg_block_batch(world.batches[i]->block);
        for (uint32_t row = 0; row < batch->span_count; row++)
            rows += batch->start_ns[row] >= start_ns_min && batch->start_ns[row] < start_ns_max;
    }
    return rows;
}

static void test_windows(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    for (int i = 0; i < 20; i++)
        world_keep(&world, 60);
    uint64_t begin = UINT64_C(1764000000000000000);
    for (int i = 0; i < 50; i++) {
        uint64_t a = begin + fg_sim_below(world.sim, 3 * FG_NS_PER_DAY);
        uint64_t b = a + fg_sim_below(world.sim, i % 2 ? FG_NS_PER_DAY : FG_NS_PER_MINUTE);
        struct window_reader reader = {.start_ns_min = a, .start_ns_max = b};
        struct fg_scan scan = {.start_ns_min = a,
                               .start_ns_max = b,
                               .columns = FG_COLUMNS_IDS,
                               .rows = read_window,
                               .arg = &reader};
        assert_int_equal(run_scan(&scan), 0);
        assert_int_equal(reader.rows, count_naively(a, b));
    }
}

static void test_other_tenants_are_not_seen(void **state)
{
    (void)state;
    struct fg_builder *builder;
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_trace_result result;
    assert_int_equal(world_open(&world), 0);
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    struct world_batch *batch = world_keep(&world, 20);
    const struct fg_batch *rows = fg_block_batch(batch->block);
    for (int sealed = 0; sealed < 2; sealed++) {
        assert_int_equal(fg_store_trace(world.store, 1, rows->trace_id_high[0],
                                        rows->trace_id_low[0], builder, &result),
                         FG_ENOTFOUND);
        assert_int_equal(fg_store_trace(world.store, 0, rows->trace_id_high[0],
                                        rows->trace_id_low[0], builder, &result),
                         0);
        struct window_reader reader = {.start_ns_max = UINT64_MAX};
        struct fg_scan scan = {
            .tenant = 1, .start_ns_max = UINT64_MAX, .rows = read_window, .arg = &reader};
        assert_int_equal(run_scan(&scan), 0);
        assert_int_equal(reader.rows, 0);
        assert_int_equal(fg_store_seal(world.store), 0);
    }
    fg_builder_free(builder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_snapshot_grows_old),       TEST(test_snapshots_pin_two_heads),
        TEST(test_a_scan_outlives_its_heads),  TEST(test_an_erase_ends_snapshots),
        TEST(test_a_snapshot_is_consistent),   TEST(test_a_seal_within_a_snapshot),
        TEST(test_scans_have_limits),          TEST(test_windows),
        TEST(test_other_tenants_are_not_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
