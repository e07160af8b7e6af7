/* store/consumer.h: each record once, in order, also over restarts and power cuts; what is kept for
 * a consumer that is behind, and what it is told when it is let go.
 *
 * The consumer's durable state is a value of the test: what LMDB makes of it is test_state's
 * matter. A power cut takes what the consumer has read and not committed. */
#include "base/limits.h"
#include "store/consumer.h"
#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define BATCHES_MAX 1000

struct view {
    uint32_t seen[BATCHES_MAX]; /* by the batch's place in the world */
    uint64_t position;
    uint64_t missed;
};

static struct world world;
static struct view durable, now;
static uint64_t store_id;
static bool has_durable;
static uint32_t stop_after; /* records of a read; 0: never */
static uint32_t given;
static uint64_t seed_now;

static int position(void *arg, uint64_t *ret_store_id, uint64_t *ret_sequence)
{
    (void)arg;
    if (!has_durable)
        return FG_ENOTFOUND;
    *ret_store_id = store_id;
    *ret_sequence = durable.position;
    return 0;
}

static const struct fg_consumer_options options = {.name = "journeys", .position = position};

static void start(uint64_t seed)
{
    world_start(&world, seed);
    world.options.consumers = &options;
    world.options.consumer_count = 1;
    memset(&durable, 0, sizeof durable);
    memset(&now, 0, sizeof now);
    has_durable = false;
    stop_after = 0;
}

static struct fg_consumer *consumer(void)
{
    struct fg_consumer *one = fg_store_consumer(world.store, "journeys");
    assert_non_null(one);
    return one;
}

static int open_world(void)
{
    int r = world_open(&world);
    if (r < 0)
        return r;
    struct fg_blocks_log log;
    world.store->blocks->ops->log(world.store->blocks, &log);
    store_id = log.store_id;
    now = durable;
    return 0;
}

static size_t place_of(const struct fg_batch *batch)
{
    for (size_t i = 0; i < world.batch_count; i++) {
        const struct fg_batch *other = fg_block_batch(world.batches[i]->block);
        if (!world.batches[i]->is_retry_of_other && other->span_count == batch->span_count &&
            other->trace_id_low[0] == batch->trace_id_low[0] &&
            other->span_id[0] == batch->span_id[0])
            return i;
    }
    fail_msg("a batch that nobody sent");
    return 0;
}

static int on_record(void *arg, const struct fg_consumed *consumed)
{
    (void)arg;
    assert_true(consumed->sequence >= now.position);
    now.position = consumed->sequence + 1;
    now.seen[place_of(consumed->batch)]++;
    return ++given == stop_after ? 7 : 0;
}

static int read_some(void)
{
    struct fg_consumer_progress progress;
    given = 0;
    int r = fg_consumer_read(consumer(), 0, on_record, NULL, &progress);
    assert_true(progress.position >= now.position);
    now.position = progress.position;
    now.missed += progress.missed;
    return r;
}

static void commit(void)
{
    durable = now;
    has_durable = true;
    fg_consumer_durable(consumer(), now.position);
}

static void read_everything(void)
{
    stop_after = 0;
    int r = read_some();
    assert_true(r == 0 || r == FG_ETIMEOUT);
    assert_int_equal(read_some(), FG_ETIMEOUT);
}

/* Every batch that is kept was given once, and no other. */
static void check_seen(void)
{
    for (size_t i = 0; i < world.batch_count; i++)
        if (now.seen[i] != (world.batches[i]->fate == FATE_KEPT))
            fail_msg("seed %lu, batch %zu: fate %d, seen %u times; %lu missed", seed_now, i,
                     (int)world.batches[i]->fate, now.seen[i], now.missed);
    assert_int_equal(now.missed, 0);
}

/* -- Cases */

static void in_order_and_once(void **state)
{
    (void)state;
    start(1);
    assert_int_equal(open_world(), 0);
    assert_int_equal(read_some(), FG_ETIMEOUT);
    world_keep(&world, 20);
    world_keep(&world, 20);
    world_keep(&world, 20);
    stop_after = 2;
    assert_int_equal(read_some(), 7);
    assert_int_equal(given, 2);
    assert_int_equal(read_some(), 0);
    assert_int_equal(given, 1);
    assert_int_equal(read_some(), FG_ETIMEOUT);
    check_seen();
    assert_null(fg_store_consumer(world.store, "others"));
    world_end(&world);
}

static void what_was_sealed_is_read_from_the_log(void **state)
{
    (void)state;
    start(2);
    world.options.wal_segment_size = 32 << 10;
    assert_int_equal(open_world(), 0);
    for (int i = 0; i < 30; i++) {
        world_keep(&world, 40);
        if (i % 7 == 6)
            assert_int_equal(fg_store_seal(world.store), 0);
    }
    struct fg_consumer_lag lag;
    fg_consumer_lag(consumer(), &lag);
    assert_int_equal(lag.records, 30);
    assert_int_equal(lag.undurable, 30);
    size_t held = world_count_files(&world, "store/wal");
    assert_true(held > 5);
    stop_after = 11;
    assert_int_equal(read_some(), 7);
    read_everything();
    check_seen();
    commit();
    assert_true(world_count_files(&world, "store/wal") <= 4); /* let go with the position */
    fg_consumer_lag(consumer(), &lag);
    assert_int_equal(lag.undurable, 0);
    world_end(&world);
}

static void a_restart_goes_on_at_the_durable_position(void **state)
{
    (void)state;
    start(3);
    world.options.wal_segment_size = 32 << 10;
    assert_int_equal(open_world(), 0);
    for (int i = 0; i < 10; i++)
        world_keep(&world, 40);
    stop_after = 4;
    assert_int_equal(read_some(), 7);
    commit();
    read_everything(); /* and not committed: it comes again */
    world_close(&world, true);
    assert_int_equal(open_world(), 0);
    world_keep(&world, 40);
    read_everything();
    check_seen();
    commit();
    for (int i = 0; i < 3; i++) { /* nothing twice, nothing lost, whatever happens in between */
        world_keep(&world, 40);
        world_close(&world, i % 2);
        assert_int_equal(open_world(), 0);
    }
    read_everything();
    check_seen();
    world_end(&world);
}

static void who_is_let_go_is_told_what_it_missed(void **state)
{
    (void)state;
    start(4);
    world.options.wal_segment_size = 32 << 10;
    world.options.wal_hold_bytes_max = 64 << 10;
    assert_int_equal(open_world(), 0);
    for (int i = 0; i < 40; i++) {
        world_keep(&world, 40);
        if (i % 4 == 3)
            assert_int_equal(fg_store_seal(world.store), 0);
    }
    assert_non_null(strstr(world.event, "behind"));
    assert_true(world_count_files(&world, "store/wal") < 8);
    world_keep(&world, 40);
    read_everything();
    assert_true(now.missed > 0);
    uint64_t seen = 0;
    for (size_t i = 0; i < world.batch_count; i++)
        seen += now.seen[i];
    assert_int_equal(seen + now.missed, 41);
    assert_int_equal(now.seen[40], 1);
    commit(); /* from here on it is known again */
    size_t before = world_count_files(&world, "store/wal");
    world_keep(&world, 40);
    assert_int_equal(fg_store_seal(world.store), 0);
    assert_true(world_count_files(&world, "store/wal") >= before);
    uint64_t missed = now.missed;
    read_everything();
    assert_int_equal(now.missed, missed);
    world_end(&world);
}

static void a_full_disk_lets_the_log_go(void **state)
{
    (void)state;
    start(5);
    world.options.wal_segment_size = 32 << 10;
    assert_int_equal(open_world(), 0);
    for (int i = 0; i < 20; i++)
        world_keep(&world, 40);
    assert_int_equal(fg_store_seal(world.store), 0);
    size_t held = world_count_files(&world, "store/wal");
    fg_store_refuse_for_space(world.store);
    world_settle(&world);
    world_keep(&world, 40);
    assert_int_equal(fg_store_seal(world.store), 0);
    assert_true(world_count_files(&world, "store/wal") < held);
    world_end(&world);
}

static void a_new_one_is_told_of_what_was_stored_before(void **state)
{
    (void)state;
    start(6);
    world.options.consumer_count = 0;
    assert_int_equal(open_world(), 0);
    for (int i = 0; i < 5; i++)
        world_keep(&world, 20);
    assert_int_equal(fg_store_seal(world.store), 0);
    world_keep(&world, 20); /* this one is in the log alone */
    world_close(&world, false);
    world.options.consumer_count = 1;
    assert_int_equal(open_world(), 0);
    read_everything();
    assert_int_equal(now.missed, 5);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(now.seen[i], i == 5);
    world_close(&world, false);
    /* A state of another store, and one that is ahead of this one's log. */
    has_durable = true;
    durable = (struct view){.position = 3};
    store_id ^= 1;
    assert_int_equal(world_open(&world), 0);
    now = durable;
    now.position = 0;
    read_everything();
    assert_int_equal(now.missed, 5);
    world_close(&world, false);
    store_id ^= 1;
    durable = (struct view){.position = 1000};
    assert_int_equal(world_open(&world), 0);
    now = durable;
    now.position = 0;
    read_everything();
    assert_int_equal(now.missed, 5);
    world_end(&world);
}

/* -- All that is stored */

struct rescan {
    uint32_t *seen; /* by row of a batch */
    uint64_t rows, last_done;
};

static int on_rows(void *arg, uint32_t tenant, const struct fg_scan_rows *rows)
{
    struct rescan *rescan = arg;
    assert_true(tenant <= 2);
    for (uint32_t row = rows->row_begin; row < rows->row_end; row++)
        rescan->rows += rows->bits[row / 64] >> (row % 64) & 1;
    if (tenant == 0)
        fg_sim_advance(world.sim, 11 * FG_NS_PER_SECOND); /* snapshots end meanwhile */
    return 0;
}

static void on_progress(void *arg, uint64_t done_spans, uint64_t total_spans)
{
    struct rescan *rescan = arg;
    assert_true(done_spans >= rescan->last_done);
    assert_true(total_spans > 0);
    rescan->last_done = done_spans;
}

static void a_rescan_gives_everything(void **state)
{
    (void)state;
    struct rescan rescan = {.rows = 0};
    struct fg_read_stats stats = {0};
    start(7);
    assert_int_equal(open_world(), 0);
    for (int i = 0; i < 12; i++) {
        world_keep(&world, 50);
        if (i % 3 == 2)
            assert_int_equal(fg_store_seal(world.store), 0);
    }
    world_keep(&world, 50);
    const struct fg_consumer_scan scan = {
        .columns = FG_COLUMNS_IDS, .rows = on_rows, .progress = on_progress, .arg = &rescan};
    assert_int_equal(fg_consumer_rescan(world.store, &scan, &stats), 0);
    assert_true(rescan.rows >= 13 * 50);
    assert_int_equal(stats.damaged_pages, 0);
    world_end(&world);
}

/* -- Lives with power cuts */

static void live(uint64_t steps)
{
    for (uint64_t i = 0; i < steps && !fg_sim_is_cut(world.sim); i++) {
        int r;
        bool did;
        uint64_t what = fg_sim_below(world.sim, 16);
        if (what < 6)
            world_append(&world, 1 + (uint32_t)fg_sim_below(world.sim, 60), 0, &r);
        else if (what < 9)
            (void)!fg_store_step(world.store, &did);
        else if (what < 11)
            (void)!fg_store_seal(world.store);
        else if (what < 14) {
            stop_after = (uint32_t)fg_sim_below(world.sim, 8);
            (void)!read_some();
        } else {
            commit();
        }
    }
}

static void lives_with_cuts(uint64_t seed)
{
    start(seed);
    world.options.head_size_max = 20 << 10;
    world.options.wal_segment_size = seed % 2 ? 24 << 10 : 64 << 10;
    assert_int_equal(open_world(), 0);
    read_everything();
    commit(); /* who has no position is new at the next start */
    world_close(&world, false);
    for (int lives = 0; lives < 5; lives++) {
        fg_sim_cut_at(world.sim, FG_SIM_CHANGES, 1 + fg_sim_below(world.sim, 150));
        if (open_world() == 0)
            live(80);
        world_close(&world, false);
        world_doubt(&world);
        fg_sim_restart(world.sim);
        world.error_count = 0;
        assert_int_equal(open_world(), 0);
        assert_int_equal(world.error_count, 0);
        world_check_scan(&world);
        world_settle_doubts(&world);
        read_everything();
        check_seen();
        if (seed % 3 == 0)
            commit();
        world_close(&world, seed % 5 == 0);
    }
    assert_int_equal(open_world(), 0);
    read_everything();
    check_seen();
    world_end(&world);
}

static void no_record_is_lost_or_doubled_by_a_cut(void **state)
{
    (void)state;
    const char *seeds = getenv("FG_POWER_SEEDS");
    uint64_t count = seeds ? strtoull(seeds, NULL, 10) : 40;
    for (uint64_t seed = 1; seed <= count; seed++) {
        seed_now = seed;
        lives_with_cuts(seed);
    }
}

/* More starts than the manifest tells apart, while the consumer stands still: it is let go, and the
 * store starts. */
static void a_consumer_that_hangs_stops_no_start(void **state)
{
    (void)state;
    start(8);
    assert_int_equal(open_world(), 0);
    world_keep(&world, 10);
    assert_int_equal(read_some(), 0);
    commit();
    for (int i = 0; i < 2 * (int)FG_WAL_EPOCHS_MAX + 10; i++) {
        world_keep(&world, 10);
        world_close(&world, i % 8 == 0);
        assert_int_equal(open_world(), 0);
    }
    read_everything();
    uint64_t seen = 0;
    for (size_t i = 0; i < world.batch_count; i++)
        seen += now.seen[i];
    assert_int_equal(seen + now.missed, world.batch_count);
    world_check_scan(&world);
    world_end(&world);
}

/* -- With threads */

struct reader {
    struct fg_consumer *consumer;
    uint64_t records, commits;
    int result;
};

static int count_record(void *arg, const struct fg_consumed *consumed)
{
    struct reader *reader = arg;
    assert_true(consumed->batch->span_count > 0);
    reader->records++;
    return 0;
}

static void read_until_the_end(void *arg)
{
    struct reader *reader = arg;
    struct fg_consumer_progress progress;
    do {
        reader->result =
            fg_consumer_read(reader->consumer, FG_NS_PER_SECOND, count_record, reader, &progress);
        fg_consumer_durable(reader->consumer, progress.position);
        reader->commits += progress.is_commit_due;
        assert_int_equal(progress.missed, 0);
    } while (reader->result == 0 || reader->result == FG_ETIMEOUT);
}

static void wait_for(const struct world_batch *batch)
{
    for (int i = 0; i < 20000 && *(const volatile enum batch_fate *)&batch->fate == FATE_PENDING;
         i++)
        usleep(1000);
    assert_int_equal(batch->fate, FATE_KEPT);
}

static void a_reader_beside_writers(void **state)
{
    (void)state;
    struct reader reader = {.records = 0};
    struct fg_thread thread;
    uint64_t removed;
    world_start_real(&world);
    world.options.manual = false;
    world.options.wal_segment_size = 256 << 10;
    world.options.consumers = &options;
    world.options.consumer_count = 1;
    has_durable = false;
    assert_int_equal(world_open(&world), 0);
    reader.consumer = consumer();
    assert_int_equal(fg_thread_start(&thread, "test", read_until_the_end, &reader), 0);
    for (int i = 0; i < 60; i++) {
        int r;
        const struct world_batch *batch = world_append(&world, 50, 0, &r);
        assert_int_equal(r, 0);
        wait_for(batch);
        if (i % 20 == 19)
            assert_int_equal(fg_store_erase(world.store, 1, NULL, false, &removed), 0);
    }
    fg_store_end_consumers(world.store);
    fg_thread_join(&thread);
    assert_int_equal(reader.result, FG_ECANCELLED);
    assert_int_equal(reader.records, 60);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_and_once),
        cmocka_unit_test(what_was_sealed_is_read_from_the_log),
        cmocka_unit_test(a_restart_goes_on_at_the_durable_position),
        cmocka_unit_test(who_is_let_go_is_told_what_it_missed),
        cmocka_unit_test(a_full_disk_lets_the_log_go),
        cmocka_unit_test(a_new_one_is_told_of_what_was_stored_before),
        cmocka_unit_test(a_rescan_gives_everything),
        cmocka_unit_test(no_record_is_lost_or_doubled_by_a_cut),
        cmocka_unit_test(a_consumer_that_hangs_stops_no_start),
        cmocka_unit_test(a_reader_beside_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
