/* The store as its users see it, and the invariants of doc/durability.md one by one. */
#include "base/endian.h"
#include "base/hash.h"
#include "base/limits.h"
#include "fail_alloc.h"
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

/* -- Opening */

static void test_a_second_server_is_refused(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    struct fg_store *first = world.store;
    assert_int_equal(world_open(&world), FG_EBUSY);
    assert_non_null(strstr(world.message, "another filigree"));
    world.store = first;
    world_keep(&world, 10);
    world_check(&world);
}

static void write_file(const char *path, uint64_t offset, const void *bytes, size_t size)
{
    struct fg_file *file;
    assert_int_equal(fg_env_open(world.env, path, FG_OPEN_WRITE | FG_OPEN_CREATE, &file), 0);
    assert_int_equal(fg_file_pwrite(file, offset, bytes, size), 0);
    fg_file_close(file);
}

static void test_a_newer_format_is_refused(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 10);
    world_close(&world, false);
    struct fg_file *file;
    uint8_t bytes[4096];
    size_t size;
    assert_int_equal(fg_env_open(world.env, "store/MANIFEST", FG_OPEN_READ, &file), 0);
    assert_int_equal(fg_file_pread(file, 0, bytes, sizeof bytes, &size), 0);
    fg_file_close(file);
    bytes[8]++;
    uint64_t checksum = fg_hash(fg_slice(bytes, size - 8));
    fg_store_le64(bytes + size - 8, checksum);
    write_file("store/MANIFEST", 0, bytes, size);
    assert_int_equal(world_open(&world), FG_EUNSUPPORTED);
    assert_non_null(strstr(world.message, "newer version"));
}

static void test_a_lost_manifest_is_not_guessed(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 10);
    assert_int_equal(fg_store_seal(world.store), 0);
    world_close(&world, false);
    assert_int_equal(fg_env_rename(world.env, "store/MANIFEST", "store/kept"), 0);
    assert_int_equal(world_open(&world), FG_ECORRUPT);
    assert_non_null(strstr(world.message, "MANIFEST is missing"));
    assert_int_equal(fg_env_rename(world.env, "store/kept", "store/MANIFEST"), 0);
    assert_int_equal(fg_sim_flip(world.sim, "store/MANIFEST", 50, 1), 0);
    assert_int_equal(world_open(&world), FG_ECORRUPT);
    assert_non_null(strstr(world.message, "restore a backup"));
    assert_int_equal(fg_sim_flip(world.sim, "store/MANIFEST", 50, 1), 0);
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
}

static void test_errors_of_opening_stay_distinct(void **state)
{
    (void)state;
    static const struct {
        uint32_t ops;
        int error;
        const char *part;
    } cases[] = {{FG_SIM_MKDIR, FG_EDENIED, "store"},  {FG_SIM_LOCK, FG_EDENIED, "LOCK"},
                 {FG_SIM_MKDIR, FG_ENOSPACE, "store"}, {FG_SIM_WRITE, FG_ENOSPACE, "MANIFEST"},
                 {FG_SIM_SYNC, FG_EIO, "MANIFEST"},    {FG_SIM_OPEN, FG_EDENIED, "MANIFEST"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fg_sim_fault fault = {
            .ops = cases[i].ops, .nth = 1, .error = cases[i].error, .path_part = cases[i].part};
        fg_sim_fail(world.sim, &fault);
        int r = world_open(&world);
        assert_true(fg_sim_has_failed(world.sim));
        assert_int_equal(r, cases[i].error);
        assert_true(strlen(world.message) > 20);
    }
    fg_sim_fail(world.sim, NULL);
    world.options.path = "missing/store";
    assert_int_equal(world_open(&world), FG_ENOTFOUND);
    assert_non_null(strstr(world.message, "does not exist"));
    world.options.path = "store";
    world.options.read_only = true;
    assert_int_equal(world_open(&world), FG_ENOTFOUND);
    assert_non_null(strstr(world.message, "no store"));
    world.options.read_only = false;
    assert_int_equal(world_open(&world), 0);
}

static void test_read_only_reads_all_and_writes_nothing(void **state)
{
    (void)state;
    int r;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 100);
    assert_int_equal(fg_store_seal(world.store), 0);
    world_keep(&world, 100);
    world_close(&world, false);
    write_file("store/segments/00000000000000ff.seg", 0, "garbage", 7);
    world.options.read_only = true;
    uint64_t changes = fg_sim_count(world.sim, FG_SIM_CHANGES);
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
    world_append(&world, 10, 0, &r);
    assert_int_equal(r, FG_EDENIED);
    assert_int_equal(fg_store_seal(world.store), FG_EDENIED);
    world_close(&world, true);
    assert_int_equal(fg_sim_count(world.sim, FG_SIM_CHANGES), changes);
    assert_true(world_has_file(&world, "store/segments/00000000000000ff.seg"));
}

/* -- Invariants 2 and 3: files and the manifest */

static void test_unlisted_files_are_garbage(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 100);
    assert_int_equal(fg_store_seal(world.store), 0);
    size_t files = world_count_files(&world, "store/segments");
    world_close(&world, false);
    for (int i = 0; i < 300; i++) {
        char path[64];
        snprintf(path, sizeof path, "store/segments/%016x.seg", 0x1000 + i);
        write_file(path, 0, "x", 1);
    }
    write_file("store/segments/notes.txt", 0, "x", 1);
    write_file("store/rollups/00000000000000aa.rol", 0, "x", 1);
    write_file("store/MANIFEST.new", 0, "x", 1);
    assert_int_equal(world_open(&world), 0);
    assert_int_equal(world_count_files(&world, "store/segments"), files + 1);
    assert_true(world_has_file(&world, "store/segments/notes.txt")); /* not ours */
    assert_false(world_has_file(&world, "store/rollups/00000000000000aa.rol"));
    assert_false(world_has_file(&world, "store/MANIFEST.new"));
    world_check(&world);
}

static void test_a_damaged_segment_costs_that_segment(void **state)
{
    (void)state;
    char path[256];
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 100);
    assert_int_equal(fg_store_seal(world.store), 0);
    world_keep(&world, 100);
    struct fg_local *local = (struct fg_local *)world.store->blocks;
    snprintf(path, sizeof path, "store/segments/%016llx.seg",
             (unsigned long long)local->manifest.segments[0].id);
    uint64_t lost = local->manifest.segments[0].span_count;
    world_close(&world, false);
    assert_int_equal(fg_env_unlink(world.env, path), 0);
    world.error_count = 0;
    assert_int_equal(world_open(&world), 0);
    assert_int_equal(world.error_count, 1);
    struct window_reader reader = {.start_ns_max = UINT64_MAX};
    struct fg_read_stats stats = {0};
    struct fg_scan scan = {.start_ns_max = UINT64_MAX, .rows = read_window, .arg = &reader};
    assert_int_equal(fg_store_scan(world.store, &scan, &stats), 0);
    assert_int_equal(reader.rows, 200 - lost);
    assert_int_equal(stats.damaged_pages, 1);
    assert_int_equal(counters().damaged_pages, 1);
}

/* A file that an edit removed stays as long as a reader holds it, and goes with the last. */
static void test_files_live_as_long_as_readers(void **state)
{
    (void)state;
    char path[FG_LOCAL_PATH_SIZE_MAX];
    struct fg_blocks_view *first, *second;
    assert_int_equal(world_open(&world), 0);
    struct world_batch *batch = world_keep(&world, 100);
    assert_int_equal(fg_store_seal(world.store), 0);
    struct fg_local *local = (struct fg_local *)world.store->blocks;
    assert_int_equal(fg_local_view_take(&local->blocks, &first), 0);
    assert_int_equal(fg_local_view_take(&local->blocks, &second), 0);
    uint64_t ids[8];
    size_t count = local->manifest.segment_count;
    for (size_t i = 0; i < count; i++)
        ids[i] = local->manifest.segments[i].id;
    fg_local_segment_path(local, ids[0], path);
    struct fg_manifest_edit edit = {.remove = ids, .remove_count = count};
    assert_int_equal(fg_local_edit(local, &edit), 0);
    assert_int_equal(counters().segment_count, 0);
    assert_true(world_has_file(&world, path));
    assert_int_equal(fg_local_end_views(local, 1), FG_ETIMEOUT);
    assert_int_equal(fg_local_view_check(first), FG_ETIMEOUT);
    fg_local_view_release(first);
    assert_true(world_has_file(&world, path));
    fg_local_view_release(second);
    assert_false(world_has_file(&world, path));
    assert_int_equal(fg_local_end_views(local, 1), 0);
    batch->fate = FATE_REFUSED;
    world_check(&world);
    world_close(&world, false);
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
}

/* Before the manifest names a file, it and its folder were synced; before the log is reused, the
 * manifest was. A cut at any of those moments is test_store_power.c's; here is their order. */
static void test_order_of_syncs(void **state)
{
    (void)state;
    assert_int_equal(world_open(&world), 0);
    world_keep(&world, 100);
    struct fg_sim_fault fault = {
        .ops = FG_SIM_SYNC_DIR, .nth = 1, .error = FG_EIO, .path_part = "store/segments"};
    fg_sim_fail(world.sim, &fault);
    uint64_t renames = fg_sim_count(world.sim, FG_SIM_RENAME);
    assert_int_equal(fg_store_seal(world.store), FG_EIO);
    assert_true(fg_sim_has_failed(world.sim));
    assert_int_equal(fg_sim_count(world.sim, FG_SIM_RENAME), renames); /* no swap without it */
    world_close(&world, false);
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
}

/* Starts that senders spread over many days make no file each. */
static void test_partitions_are_bounded(void **state)
{
    (void)state;
    struct fg_builder *builder;
    struct fg_builder_limits limits = fg_builder_limits_default();
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    world.options.head_size_max = 16 << 20;
    assert_int_equal(world_open(&world), 0);
    for (uint64_t day = 0; day < 600; day++) {
        struct random_batch_options options = random_batch_options_default(day + 1);
        options.span_count = 3;
        options.start_ns = day * 30 * FG_NS_PER_DAY;
        options.spread_ns = 1;
        options.odd_percent = 0;
        random_batch_fill(builder, &options);
    }
    struct fg_block *block;
    assert_int_equal(fg_block_freeze(builder, &block), 0);
    fg_builder_free(builder);
    struct fg_blocks_rows rows = {.batch = fg_block_batch(block)};
    struct fg_blocks_put put = {.rows = &rows, .count = 1, .sequence_begin = 1, .sequence_end = 2};
    assert_int_equal(fg_local_put(world.store->blocks, &put), 0);
    assert_int_equal(counters().segment_spans, 1800);
    assert_true(counters().segment_count >= FG_SEAL_PARTITIONS_MAX);
    /* the rest by receipt, which here follows the start: a day each of its own once more, but the
     * store's real receipts lie within hours */
    assert_int_equal(fg_local_put(world.store->blocks, &put), 0); /* the same set again */
    assert_int_equal(counters().segment_spans, 1800);
    fg_block_unref(block);
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
        TEST(test_a_snapshot_grows_old),
        TEST(test_snapshots_pin_two_heads),
        TEST(test_a_snapshot_is_consistent),
        TEST(test_a_seal_within_a_snapshot),
        TEST(test_scans_have_limits),
        TEST(test_windows),
        TEST(test_other_tenants_are_not_seen),
        TEST(test_a_second_server_is_refused),
        TEST(test_a_newer_format_is_refused),
        TEST(test_a_lost_manifest_is_not_guessed),
        TEST(test_errors_of_opening_stay_distinct),
        TEST(test_read_only_reads_all_and_writes_nothing),
        TEST(test_unlisted_files_are_garbage),
        TEST(test_a_damaged_segment_costs_that_segment),
        TEST(test_files_live_as_long_as_readers),
        TEST(test_order_of_syncs),
        TEST(test_partitions_are_bounded),
        TEST_REAL(test_out_of_memory),
        TEST_REAL(test_out_of_memory_while_reading),
        TEST_REAL(test_opening_without_memory),
        TEST(test_each_disk_call_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
