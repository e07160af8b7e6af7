/* What the store promises of what it takes: doc/durability.md, promise by promise. */
#include "base/limits.h"
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

/* -- Invariant 1: acknowledged means durable and readable at once */

static void test_acknowledged_is_readable_at_once(void **state)
{
    (void)state;
    int r;
    assert_int_equal(world_open(&world), 0);
    struct world_batch *batch = world_append(&world, 200, 0, &r);
    assert_int_equal(r, 0);
    assert_int_equal(batch->fate, FATE_PENDING);
    bool did;
    assert_int_equal(fg_store_step(world.store, &did), 0);
    assert_true(did);
    assert_int_equal(batch->fate, FATE_KEPT);
    world_check(&world);
    assert_int_equal(counters().appended_spans, 200);
    assert_int_equal(counters().head_spans, 200);
}

static void test_acknowledged_survives_power(void **state)
{
    (void)state;
    world.options.head_size_max = 4 << 20;
    assert_int_equal(world_open(&world), 0);
    for (int i = 0; i < 5; i++)
        world_keep(&world, 50);
    fg_sim_cut(world.sim);
    world_close(&world, false);
    fg_sim_restart(world.sim);
    assert_int_equal(world_open(&world), 0);
    assert_int_equal(counters().recovered_records, 5);
    assert_int_equal(counters().recovered_spans, 250);
    world_check(&world);
}

/* A record that no sync has followed is not acknowledged. */
static void test_nothing_is_acknowledged_before_its_sync(void **state)
{
    (void)state;
    int r;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 10);
    struct world_batch *batch = world_append(&world, 10, 0, &r);
    uint64_t syncs = fg_sim_count(world.sim, FG_SIM_SYNC);
    fg_sim_cut_at(world.sim, FG_SIM_SYNC, 1);
    bool did;
    assert_int_equal(fg_store_step(world.store, &did), 0);
    assert_int_equal(fg_sim_count(world.sim, FG_SIM_SYNC), syncs + 1);
    assert_int_equal(batch->result, FG_EIO);
}

static void test_one_sync_serves_all_who_wait(void **state)
{
    (void)state;
    int r;
    bool did;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 10);
    struct world_batch *batches[20];
    for (int i = 0; i < 20; i++)
        batches[i] = world_append(&world, 3, 0, &r);
    uint64_t syncs = fg_sim_count(world.sim, FG_SIM_SYNC);
    uint64_t writes = fg_sim_count(world.sim, FG_SIM_WRITE);
    assert_int_equal(fg_store_step(world.store, &did), 0);
    assert_int_equal(fg_sim_count(world.sim, FG_SIM_SYNC), syncs + 1);
    assert_int_equal(fg_sim_count(world.sim, FG_SIM_WRITE), writes + 1);
    for (int i = 0; i < 20; i++)
        assert_int_equal(batches[i]->fate, FATE_KEPT);
}

/* -- Sealing */

static void test_sealed_rows_are_in_segments(void **state)
{
    (void)state;
    world.options.head_size_max = 4 << 20;
    assert_int_equal(world_open(&world), 0);
    for (int i = 0; i < 4; i++)
        world_keep(&world, 100);
    assert_int_equal(fg_store_seal(world.store), 0);
    assert_int_equal(counters().head_spans, 0);
    assert_int_equal(counters().segment_spans, 400);
    assert_true(counters().segment_count >= 1 && counters().segment_count <= 5); /* a day each */
    world_check(&world);
    world_keep(&world, 100); /* head and segments together */
    world_check(&world);
}

static void test_seal_at_the_end_leaves_nothing_to_replay(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    for (int i = 0; i < 3; i++)
        world_keep(&world, 100);
    world_close(&world, true);
    assert_int_equal(world_open(&world), 0);
    assert_int_equal(counters().recovered_records, 0);
    world_check(&world);
}

static void test_full_heads_are_sealed_and_the_log_is_reused(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    for (int i = 0; i < 60; i++)
        world_keep(&world, 100);
    assert_true(counters().seals >= 5);
    assert_true(counters().wal_bytes_written > 6 * world.options.wal_segment_size);
    assert_true(counters().wal_size_bytes <= 6 * world.options.wal_segment_size);
    assert_int_equal(world_count_files(&world, "store/wal"),
                     counters().wal_size_bytes / world.options.wal_segment_size);
    world_check(&world);
    world_close(&world, false);
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
}

static void test_old_heads_are_sealed(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 10);
    fg_sim_advance(world.sim, world.options.head_age_ns_max - FG_NS_PER_SECOND);
    assert_int_equal(world_settle(&world), 0);
    assert_int_equal(counters().seals, 0);
    fg_sim_advance(world.sim, FG_NS_PER_SECOND);
    assert_int_equal(world_settle(&world), 0);
    assert_int_equal(counters().seals, 1);
    world_check(&world);
}

/* -- Retries */

static void test_a_retry_is_stored_once(void **state)
{
    (void)state;
    int r;
    assert_int_equal(world_open(&world), 0);
    struct world_batch *first = world_append(&world, 30, 4711, &r);
    struct world_batch *at_once = world_append_again(&world, first, &r); /* in the same commit */
    assert_int_equal(world_settle(&world), 0);
    assert_false(first->was_retry);
    assert_int_equal(at_once->fate, FATE_KEPT);
    assert_true(at_once->was_retry);
    struct world_batch *later = world_append_again(&world, first, &r);
    assert_int_equal(world_settle(&world), 0);
    assert_true(later->was_retry);
    world_check(&world);
    assert_int_equal(counters().retried_requests, 2);
    assert_int_equal(counters().appended_requests, 1);
    world_close(&world, false);
    assert_int_equal(world_open(&world), 0);
    struct world_batch *after_restart = world_append_again(&world, first, &r);
    assert_int_equal(world_settle(&world), 0);
    assert_true(after_restart->was_retry);
    world_check(&world);
}

static void test_a_retry_of_what_failed_is_no_retry(void **state)
{
    (void)state;
    int r;
    world.options.head_size_max = 4 << 20;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 10);
    /* the log's file is full, and there is no room for another */
    fg_sim_set_capacity(world.sim, fg_sim_used_bytes(world.sim));
    struct world_batch *first = NULL;
    for (uint64_t i = 1; !first || first->fate == FATE_KEPT; i++) {
        bool did;
        first = world_append(&world, 60, i, &r);
        assert_int_equal(r, 0);
        assert_int_equal(fg_store_step(world.store, &did), 0);
        assert_true(i < 100);
    }
    assert_int_equal(first->result, FG_ENOSPACE);
    fg_sim_set_capacity(world.sim, UINT64_MAX);
    assert_int_equal(world_settle(&world), 0);
    struct world_batch *again = world_append_again(&world, first, &r);
    assert_int_equal(r, 0);
    assert_int_equal(world_settle(&world), 0);
    assert_int_equal(again->fate, FATE_KEPT);
    assert_false(again->was_retry);
    again->is_retry_of_other = false; /* these are the rows that count */
    first->is_retry_of_other = true;
    world_check(&world);
}

/* -- Invariant 4: see also test_wal.c and test_store_power.c */

static void test_damage_in_the_log_is_said_aloud(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    struct world_batch *lost = NULL;
    for (int i = 0; i < 5; i++) {
        struct world_batch *batch = world_keep(&world, 20);
        lost = i == 2 ? batch : lost;
    }
    uint64_t at = counters().wal_bytes_written / 5 * 2 / 4096 * 4096;
    world_close(&world, false);
    assert_int_equal(fg_sim_flip(world.sim, "store/wal/00000001.wal", at + 200, 0xff), 0);
    world.error_count = 0;
    assert_int_equal(world_open(&world), 0);
    assert_int_equal(counters().damaged_records, 1);
    assert_int_equal(counters().recovered_records, 4);
    assert_int_equal(world.error_count, 1);
    assert_non_null(strstr(world.event, "00000001.wal"));
    lost->fate = FATE_REFUSED;
    world_check(&world);
    /* the rest goes on, and the file is kept */
    for (int i = 0; i < 40; i++)
        world_keep(&world, 100);
    assert_true(world_has_file(&world, "store/wal/00000001.wal.damaged"));
    world_check(&world);
}

/* Each start takes an epoch of its own, durable before it writes a record. */
static void test_many_restarts_without_a_seal(void **state)
{
    (void)state;
    uint64_t epoch = 0;
    for (uint32_t i = 0; i < 2 * FG_WAL_EPOCHS_MAX + 5; i++) {
        struct fg_blocks_log log;
        assert_int_equal(world_open(&world), 0);
        world.store->blocks->ops->log(world.store->blocks, &log);
        const struct fg_wal_epoch *last = &log.epochs[log.epoch_count - 1];
        assert_true(last->epoch > epoch);
        assert_int_equal(last->first_sequence, fg_wal_next_sequence(world.store->wal));
        epoch = last->epoch;
        world_keep(&world, 2);
        world_close(&world, false);
    }
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
    assert_true(counters().segment_spans > 0);
}

/* -- Invariant 5: a failed sync is final */

static void test_a_failed_sync_is_final(void **state)
{
    (void)state;
    int r;
    bool did;
    static const uint32_t ops[] = {FG_SIM_SYNC, FG_SIM_WRITE};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(world_open(&world), 0);
        world_keep(&world, 10);
        struct world_batch *first = world_append(&world, 10, 0, &r);
        struct world_batch *second = world_append(&world, 10, 0, &r);
        struct fg_sim_fault fault = {
            .ops = ops[i], .nth = 1, .error = FG_EIO, .path_part = "store/wal"};
        fg_sim_fail(world.sim, &fault);
        world.error_count = 0;
        assert_int_equal(fg_store_step(world.store, &did), 0);
        assert_int_equal(first->result, FG_EIO);
        assert_int_equal(second->result, FG_EIO);
        assert_int_equal(counters().state, FG_STORE_FAILED);
        assert_int_equal(world.error_count, 1);
        uint64_t syncs = fg_sim_count(world.sim, FG_SIM_SYNCS);
        world_append(&world, 10, 0, &r);
        assert_int_equal(r, FG_EIO);
        assert_int_equal(world_settle(&world), 0);
        assert_int_equal(fg_store_seal(world.store), FG_EIO);
        assert_int_equal(fg_sim_count(world.sim, FG_SIM_SYNCS), syncs); /* never tried again */
        first->fate = second->fate = FATE_REFUSED; /* and not readable before a restart */
        world_check(&world);
        first->fate = second->fate = FATE_IN_DOUBT;
        world_close(&world, false);
    }
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
}

static void test_a_failed_seal_leaves_rows_readable(void **state)
{
    (void)state;
    int r;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 100);
    struct fg_sim_fault fault = {
        .ops = FG_SIM_SYNC, .nth = 1, .error = FG_EIO, .path_part = "store/segments"};
    fg_sim_fail(world.sim, &fault);
    assert_int_equal(fg_store_seal(world.store), FG_EIO);
    assert_int_equal(counters().state, FG_STORE_FAILED);
    world_append(&world, 10, 0, &r);
    assert_int_equal(r, FG_EIO);
    world_check(&world);
    world_close(&world, false);
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
}

/* -- Invariant 6: out of space */

static void test_full_disk_and_back(void **state)
{
    (void)state;
    int r = 0;
    assert_int_equal(world_open(&world), 0);
    fg_sim_set_capacity(world.sim, fg_sim_used_bytes(world.sim) + (128 << 10));
    struct world_batch *batch = NULL;
    for (int i = 0; i < 1000 && r == 0; i++) {
        batch = world_append(&world, 100, 0, &r);
        if (r == 0)
            (void)!world_settle(&world);
    }
    assert_int_equal(r, FG_ENOSPACE);
    assert_int_equal(batch->fate, FATE_REFUSED);
    assert_int_equal(counters().state, FG_STORE_NO_SPACE);
    world_check(&world); /* reads go on */
    world_append(&world, 10, 0, &r);
    assert_int_equal(r, FG_ENOSPACE);
    fg_sim_set_capacity(world.sim, UINT64_MAX);
    assert_int_equal(world_settle(&world), 0);
    assert_int_equal(counters().state, FG_STORE_OK);
    world_keep(&world, 100);
    world_check(&world);
}

/* With a reserve ingest stops first, and sealing still has room. */
static void test_reserve_is_for_sealing(void **state)
{
    (void)state;
    int r;
    world.options.reserve_bytes = 1 << 20;
    world.options.head_size_max = 4 << 20;
    world.options.wal_segment_size = 1 << 20;
    fg_sim_set_capacity(world.sim, 6 << 20);
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 1500);
    assert_true(world_has_file(&world, "store/RESERVE"));
    /* another program fills the disk */
    fg_sim_set_capacity(world.sim, fg_sim_used_bytes(world.sim) + (4 << 10));
    assert_int_equal(world_settle(&world), 0);
    assert_int_equal(counters().state, FG_STORE_NO_SPACE);
    world_append(&world, 10, 0, &r);
    assert_int_equal(r, FG_ENOSPACE);
    assert_int_equal(fg_store_seal(world.store), 0);
    assert_false(world_has_file(&world, "store/RESERVE"));
    assert_int_equal(counters().segment_spans, 1500);
    world_check(&world);
    fg_sim_set_capacity(world.sim, 16 << 20);
    assert_int_equal(world_settle(&world), 0);
    assert_true(world_has_file(&world, "store/RESERVE"));
    world_keep(&world, 100);
    world_check(&world);
}

/* -- Bounded memory */

static void test_queue_is_bounded(void **state)
{
    (void)state;
    int r = 0, taken = 0;
    world.options.append_queue_bytes_max = 200 << 10;
    world.options.wal_segment_size = 4 << 20;
    assert_int_equal(world_open(&world), 0);
    while (r == 0 && taken < 1000) {
        world_append(&world, 100, 0, &r);
        taken += r == 0;
    }
    assert_int_equal(r, FG_EAGAIN);
    assert_true(taken > 1 && taken < 20);
    assert_int_equal(world_settle(&world), 0);
    world_keep(&world, 100);
    /* one that is larger than the queue passes alone */
    world_keep(&world, 2000);
    world_check(&world);
}

/* Both heads full: commits wait for the seal, at most so long. */
static void test_heads_are_bounded(void **state)
{
    (void)state;
    int r = 0, taken = 0;
    bool did;
    struct world_batch *batch = NULL;
    world.options.append_queue_bytes_max = 300 << 10;
    assert_int_equal(world_open(&world), 0);
    while (r == 0 && taken < 1000) { /* nothing is sealed */
        batch = world_append(&world, 50, 0, &r);
        taken += r == 0;
        fg_commit_step(world.store, &did);
    }
    assert_int_equal(r, FG_EAGAIN);
    assert_true(counters().head_bytes < 3 * world.options.head_size_max);
    batch = world.batches[world.batch_count - 2];
    assert_int_equal(batch->fate, FATE_PENDING);
    fg_sim_advance(world.sim, FG_COMMIT_WAIT_NS_MAX - 1);
    fg_commit_step(world.store, &did);
    assert_false(did);
    fg_sim_advance(world.sim, 1);
    fg_commit_step(world.store, &did);
    assert_int_equal(batch->result, FG_EAGAIN);
    world_check(&world);
    batch = world_append(&world, 50, 0, &r); /* as long as it lasts nobody waits again */
    assert_int_equal(r, 0);
    fg_commit_step(world.store, &did);
    assert_int_equal(batch->result, FG_EAGAIN);
    assert_int_equal(world_settle(&world), 0); /* which seals */
    world_keep(&world, 50);
    world_check(&world);
}

/* There is no seal to wait for when the disk is full, and none when the store is closed. */
static void test_who_waits_is_answered(void **state)
{
    (void)state;
    int r = 0, taken = 0;
    bool did = true;
    struct world_batch *batch = NULL;
    assert_int_equal(world_open(&world), 0);
    for (taken = 0; did && taken < 1000; taken++) {
        batch = world_append(&world, 50, 0, &r);
        fg_commit_step(world.store, &did);
    }
    assert_int_equal(batch->fate, FATE_PENDING);
    struct fg_sim_fault fault = {.ops = FG_SIM_WRITE,
                                 .nth = 1,
                                 .for_ever = true,
                                 .error = FG_ENOSPACE,
                                 .path_part = "store/segments"};
    fg_sim_fail(world.sim, &fault);
    assert_int_equal(fg_store_step(world.store, &did), FG_ENOSPACE);
    fg_commit_step(world.store, &did);
    assert_int_equal(batch->result, FG_ENOSPACE);
    fg_sim_fail(world.sim, NULL);
    assert_int_equal(world_settle(&world), 0);
    did = true;
    for (taken = 0; did && taken < 1000; taken++) {
        batch = world_append(&world, 50, 0, &r);
        fg_commit_step(world.store, &did);
    }
    assert_int_equal(batch->fate, FATE_PENDING);
    world_close(&world, false);
    assert_int_equal(batch->result, FG_EAGAIN);
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
}

static void test_a_record_larger_than_a_file_is_refused(void **state)
{
    (void)state;
    int r;
    assert_int_equal(world_open(&world), 0);
    world_append(&world, 4000, 0, &r);
    assert_int_equal(r, FG_ELIMIT);
    world_keep(&world, 10);
    world_check(&world);
    assert_int_equal(counters().refused_requests, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_acknowledged_is_readable_at_once),
        TEST(test_acknowledged_survives_power),
        TEST(test_nothing_is_acknowledged_before_its_sync),
        TEST(test_one_sync_serves_all_who_wait),
        TEST(test_sealed_rows_are_in_segments),
        TEST(test_seal_at_the_end_leaves_nothing_to_replay),
        TEST(test_full_heads_are_sealed_and_the_log_is_reused),
        TEST(test_old_heads_are_sealed),
        TEST(test_a_retry_is_stored_once),
        TEST(test_a_retry_of_what_failed_is_no_retry),
        TEST(test_damage_in_the_log_is_said_aloud),
        TEST(test_many_restarts_without_a_seal),
        TEST(test_a_failed_sync_is_final),
        TEST(test_a_failed_seal_leaves_rows_readable),
        TEST(test_full_disk_and_back),
        TEST(test_reserve_is_for_sealing),
        TEST(test_queue_is_bounded),
        TEST(test_heads_are_bounded),
        TEST(test_who_waits_is_answered),
        TEST(test_a_record_larger_than_a_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
