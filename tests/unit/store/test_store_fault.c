/* Every allocation and every call of the disk fails once: errors come back, nothing is lost. */
#include "fail_alloc.h"
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

static int setup_real(void **state)
{
    (void)state;
    world_start_real(&world);
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

/* -- What fails on the way */

/* Every allocation of a commit, a seal, a trace and a scan fails once: errors come back, nothing is
 * lost. */
static void test_out_of_memory(void **state)
{
    (void)state;
    int r;
    bool did, has_failed = true;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 50);
    for (uint64_t n = 1; has_failed; n++) {
        struct world_batch *batch = world_append(&world, 20, 0, &r);
        assert_int_equal(r, 0);
        fail_alloc_at(n, false);
        assert_int_equal(fg_store_step(world.store, &did), 0);
        has_failed = fail_alloc_off();
        assert_true(batch->fate == FATE_KEPT || batch->result == FG_ENOMEM);
    }
    has_failed = true;
    for (uint64_t n = 1; has_failed && n < 20000; n++) {
        if (counters().head_spans == 0)
            world_keep(&world, 30);
        fail_alloc_at(n, false);
        r = fg_store_seal(world.store);
        has_failed = fail_alloc_off();
        if (r != 0 && r != FG_ENOMEM)
            fail_msg("allocation %lu: %s", n, fg_error_name(r));
        assert_int_equal(counters().state, FG_STORE_OK);
    }
    world_check(&world);
    assert_int_equal(world_settle(&world), 0);
    world_close(&world, false);
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
}

static int read_nothing(void *arg, const struct fg_scan_rows *rows)
{
    (void)arg;
    (void)rows;
    return 0;
}

static void test_out_of_memory_while_reading(void **state)
{
    (void)state;
    bool has_failed = true;
    struct fg_builder *builder;
    struct fg_builder_limits limits = fg_builder_limits_default();
    assert_int_equal(world_open(&world), 0);
    struct world_batch *sealed = world_keep(&world, 50);
    assert_int_equal(fg_store_seal(world.store), 0);
    world_keep(&world, 50);
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    const struct fg_batch *rows = fg_block_batch(sealed->block);
    for (uint64_t n = 1; has_failed; n++) {
        struct fg_trace_result result;
        struct fg_read_stats stats = {0};
        struct fg_scan scan = {.start_ns_max = UINT64_MAX, .rows = read_nothing};
        fail_alloc_at(n, false);
        int traced = fg_store_trace(world.store, 0, rows->trace_id_high[0], rows->trace_id_low[0],
                                    builder, &result);
        int scanned = fg_store_scan(world.store, &scan, &stats);
        has_failed = fail_alloc_off();
        if (traced != 0 && traced != FG_ENOMEM)
            fail_msg("allocation %lu: trace: %s", n, fg_error_name(traced));
        if (scanned != 0 && scanned != FG_ENOMEM)
            fail_msg("allocation %lu: scan: %s", n, fg_error_name(scanned));
        if (has_failed && traced == 0 && scanned == 0)
            continue; /* a cache that kept nothing is no failure */
        assert_true(!has_failed || traced != 0 || scanned != 0);
    }
    fg_builder_free(builder);
    world_check(&world);
}

static void test_opening_without_memory(void **state)
{
    (void)state;
    bool has_failed = true;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 50);
    assert_int_equal(fg_store_seal(world.store), 0);
    world_keep(&world, 50);
    world_close(&world, false);
    for (uint64_t n = 1; has_failed; n++) {
        fail_alloc_at(n, false);
        int r = world_open(&world);
        has_failed = fail_alloc_off();
        if (r != 0 && r != FG_ENOMEM)
            fail_msg("allocation %lu: %s", n, fg_error_name(r));
        world_close(&world, false);
    }
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
}

/* Every call of the disk fails once, for good reasons and bad. What was acknowledged is there after
 * the next start. */
static void fail_each_call(uint32_t ops, int error)
{
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        int r = 0;
        bool did;
        world_end(&world);
        world_start(&world, n);
        struct fg_sim_fault fault = {.ops = ops, .nth = n, .error = error};
        fg_sim_fail(world.sim, &fault);
        r = world_open(&world);
        for (int i = 0; r == 0 && i < 12; i++) {
            world_append(&world, 60, 0, &r);
            if (r == 0)
                (void)!fg_store_step(world.store, &did);
        }
        if (world.store)
            (void)!fg_store_seal(world.store);
        has_failed = fg_sim_has_failed(world.sim);
        fg_sim_fail(world.sim, NULL);
        world_close(&world, false);
        world_doubt(&world);
        r = world_open(&world);
        if (r != 0)
            fail_msg("call %lu: %s: %s", n, fg_error_name(r), world.message);
        world_check(&world);
    }
}

static void test_each_disk_call_fails_once(void **state)
{
    (void)state;
    fail_each_call(FG_SIM_WRITE, FG_EIO);
    fail_each_call(FG_SIM_WRITE, FG_ENOSPACE);
    fail_each_call(FG_SIM_SYNCS, FG_EIO);
    fail_each_call(FG_SIM_READ, FG_EIO);
    fail_each_call(FG_SIM_OPEN, FG_EIO);
    fail_each_call(FG_SIM_RENAME | FG_SIM_UNLINK | FG_SIM_MKDIR, FG_EIO);
    fail_each_call(FG_SIM_OPEN | FG_SIM_MKDIR, FG_ENOSPACE);
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_REAL(name) cmocka_unit_test_setup_teardown(name, setup_real, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_REAL(test_out_of_memory),
        TEST_REAL(test_out_of_memory_while_reading),
        TEST_REAL(test_opening_without_memory),
        TEST(test_each_disk_call_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
