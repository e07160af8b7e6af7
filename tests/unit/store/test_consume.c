/* store/consumer.h: each record once, in order, also over restarts and power cuts; what is kept for
 * a consumer that is behind, and what it is told when it is let go.
 *
 * The consumer's durable state is a value of the test: what LMDB makes of it is test_state's
 * matter. A power cut takes what the consumer has read and not committed. */
#include "base/limits.h"
#include "consume.h"
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

static void remove_folder(const char *path)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c)
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
    struct fg_store_counters counters;
    fg_consumer_lag(consumer(), &lag);
    fg_store_counters(world.store, &counters);
    assert_int_equal(lag.records, 30);
    assert_int_equal(lag.undurable, 30);
    assert_int_equal(counters.behind, 30);
    size_t held = world_count_files(&world, "store/wal");
    assert_true(held > 5);
    stop_after = 11;
    assert_int_equal(read_some(), 7);
    read_everything();
    check_seen();
    commit();
    assert_true(world_count_files(&world, "store/wal") <= 4); /* let go with the position */
    fg_consumer_lag(consumer(), &lag);
    fg_store_counters(world.store, &counters);
    assert_int_equal(lag.undurable, 0);
    assert_int_equal(counters.behind, 0);
    world_end(&world);
}

static int seal_all_meanwhile(void *arg, const struct fg_consumed *consumed)
{
    struct fg_store_counters counters;
    uint64_t *sealed = arg;
    now.seen[place_of(consumed->batch)]++;
    bool is_first = *sealed == 0;
    if (is_first) {
        world_keep(&world, 40);
        assert_int_equal(fg_store_seal(world.store), 0);
        world_keep(&world, 40);
        assert_int_equal(fg_store_seal(world.store), 0);
    }
    fg_store_counters(world.store, &counters);
    *sealed = counters.seals;
    /* The new one, and for the record that is being read the one that it lies in. */
    assert_int_equal(counters.heads, is_first ? 2 : 1);
    return 0;
}

/* A slow consumer: all that it could read is sealed while it has its first record. The others come
 * from the log, so that it pins no memory that is a new head's. */
static void no_head_outlives_its_seal_for_a_reader(void **state)
{
    (void)state;
    struct fg_consumer_progress progress;
    uint64_t sealed = 0;
    bool did;
    start(9);
    assert_int_equal(open_world(), 0);
    world_keep(&world, 40);
    world_keep(&world, 40);
    fg_commit_nudge(world.store, true);
    fg_commit_step(world.store, &did); /* it waits to be sealed; behind it is a new one */
    assert_int_equal(fg_consumer_read(consumer(), 0, seal_all_meanwhile, &sealed, &progress), 0);
    assert_true(sealed >= 3);
    assert_int_equal(progress.missed, 0);
    check_seen();
    world_end(&world);
}

/* Who is behind reads of the log what it has not read yet, however much is kept of it. */
static void what_was_read_is_not_read_again(void **state)
{
    (void)state;
    uint64_t first_bytes = 0;
    start(11);
    world.options.wal_segment_size = 128 << 10;
    assert_int_equal(open_world(), 0);
    for (int i = 0; i < 60; i++) {
        for (int k = 0; k < 3; k++)
            world_keep(&world, 40);
        assert_int_equal(fg_store_seal(world.store), 0);
        uint64_t before = fg_sim_read_bytes(world.sim);
        read_everything();
        uint64_t bytes = fg_sim_read_bytes(world.sim) - before;
        if (i == 5)
            first_bytes = bytes;
        if (i > 5)
            assert_in_range(bytes, 1, 4 * first_bytes);
    }
    assert_true(world_count_files(&world, "store/wal") > 5);
    check_seen();
    world_end(&world);
}

static int let_go_meanwhile(void *arg, const struct fg_consumed *consumed)
{
    struct fg_blocks_log log;
    bool *is_done = arg;
    now.seen[place_of(consumed->batch)]++;
    if (*is_done)
        return 0;
    *is_done = true;
    assert_int_equal(fg_store_seal(world.store), 0);
    world.store->blocks->ops->log(world.store->blocks, &log);
    fg_consumers_let_go(world.store, log.checkpoint);
    fg_consumers_recycle(world.store, log.checkpoint);
    return 0;
}

/* Whom the log is not kept for has a head that it reads to its end: there is nothing else. */
static void who_is_let_go_reads_its_head(void **state)
{
    (void)state;
    struct fg_consumer_progress progress;
    bool is_done = false;
    start(10);
    world.options.wal_segment_size = 32 << 10;
    world.options.head_size_max = 16 << 20; /* one head, and several files of the log */
    assert_int_equal(open_world(), 0);
    for (int i = 0; i < 40; i++)
        world_keep(&world, 40);
    assert_int_equal(fg_consumer_read(consumer(), 0, let_go_meanwhile, &is_done, &progress), 0);
    assert_int_equal(progress.missed, 0);
    check_seen();
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

static bool is_asked(void)
{
    struct fg_consumer_progress progress;
    int r = fg_consumer_read(consumer(), 0, on_record, NULL, &progress);
    assert_true(r == 0 || r == FG_ETIMEOUT);
    return progress.is_commit_due;
}

/* Records committed together cost less, so that a consumer may take its time; but before the log is
 * let go it hears that it is wanted. */
static void who_has_much_kept_for_it_is_asked_to_commit(void **state)
{
    (void)state;
    start(6);
    world.options.wal_segment_size = 32 << 10;
    world.options.wal_hold_bytes_max = 256 << 10;
    assert_int_equal(open_world(), 0);
    int sent = 0;
    for (; sent < 200 && !is_asked(); sent++) {
        world_keep(&world, 40);
        assert_int_equal(fg_store_seal(world.store), 0);
    }
    assert_in_range(sent, 5, 199);
    assert_null(strstr(world.event, "behind"));
    now.position = fg_store_follow_end(world.store).sequence;
    commit();
    assert_false(is_asked());
    for (int i = 0; i < 4; i++) {
        world_keep(&world, 40);
        assert_int_equal(fg_store_seal(world.store), 0);
    }
    assert_false(is_asked());
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
    uint64_t count = seeds ? strtoull(seeds, NULL, 10) : 20;
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
    atomic_uint_fast64_t records;
    uint64_t commits;
    int result;
};

static int count_record(void *arg, const struct fg_consumed *consumed)
{
    struct reader *reader = arg;
    assert_true(consumed->batch->span_count > 0);
    atomic_fetch_add(&reader->records, 1);
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

static void wait_for(struct reader *reader, uint64_t records)
{
    for (int i = 0; i < 60000 && atomic_load(&reader->records) < records; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&reader->records), records);
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
        world_append(&world, 50, 0, &r);
        assert_int_equal(r, 0);
        wait_for(&reader, (uint64_t)i + 1);
        if (i % 20 == 19)
            assert_int_equal(fg_store_erase(world.store, 1, NULL, false, &removed), 0);
    }
    fg_store_end_consumers(world.store);
    fg_thread_join(&thread);
    assert_int_equal(reader.result, FG_ECANCELLED);
    world_end(&world);
}

/* -- The keyed state of the same store */

#define STATE_SIZE ((uint64_t)16 << 20)

static struct fg_erased_trace erased_traces[64];
static size_t erased_count;
static uint32_t state_table;

static int on_erased(void *arg, const struct fg_erased *erased)
{
    struct fg_state_batch *batch;
    (void)arg;
    assert_false(erased->has_more);
    assert_true(erased->trace_count <= 64);
    memcpy(erased_traces, erased->traces, erased->trace_count * sizeof *erased_traces);
    erased_count = erased->trace_count;
    if (!fg_store_state(world.store))
        return 0;
    assert_int_equal(fg_state_batch_new(fg_store_state(world.store), &batch), 0);
    for (size_t i = 0; i < erased_count; i++)
        fg_state_delete(batch, state_table, fg_slice(&erased_traces[i], sizeof erased_traces[i]));
    return fg_state_commit_take(fg_store_state(world.store), batch);
}

static const struct fg_consumer_options with_state = {.name = "journeys", .erased = on_erased};
static const struct fg_consumer_options without_state = {
    .name = "journeys", .position = position, .erased = on_erased};

static struct fg_predicate trace_is(uint64_t high, uint64_t low)
{
    return (struct fg_predicate){
        .op = FG_PRED_EQ, .field = FG_FIELD_TRACE_ID, .trace_id = {high, low}};
}

static bool was_told(uint64_t high, uint64_t low)
{
    for (size_t i = 0; i < erased_count; i++)
        if (erased_traces[i].id_high == high && erased_traces[i].id_low == low)
            return true;
    return false;
}

static void an_erase_tells_of_which_traces(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        uint64_t removed = 0;
        start(9);
        world.options.consumers = &without_state;
        assert_int_equal(open_world(), 0);
        const struct world_batch *kept = world_keep(&world, 40);
        world_keep(&world, 40);
        read_everything();
        commit();
        const struct fg_batch *batch = fg_block_batch(kept->block);
        struct fg_predicate predicate = trace_is(batch->trace_id_high[0], batch->trace_id_low[0]);
        erased_count = 0;
        assert_int_equal(fg_store_erase(world.store, 0, &predicate, whole, &removed), 0);
        assert_true(removed > 0);
        assert_int_equal(erased_count, 1);
        assert_true(was_told(batch->trace_id_high[0], batch->trace_id_low[0]));
        erased_count = 0;
        assert_int_equal(fg_store_erase(world.store, 0, &predicate, whole, &removed), 0);
        assert_int_equal(removed, 0);
        assert_int_equal(erased_count, 0);
        world_end(&world);
    }
}

static int on_record_with_state(void *arg, const struct fg_consumed *consumed)
{
    struct fg_state_batch *batch = arg;
    const struct fg_batch *spans = consumed->batch;
    struct fg_erased_trace id = {spans->trace_id_high[0], spans->trace_id_low[0]};
    fg_state_put(batch, state_table, fg_slice(&id, sizeof id), FG_SLICE("a journey of this one"));
    now.seen[place_of(spans)]++;
    return 0;
}

static void read_and_commit(void)
{
    struct fg_state_batch *batch;
    struct fg_consumer_progress progress;
    assert_int_equal(fg_state_table(fg_store_state(world.store), "journeys", &state_table), 0);
    assert_int_equal(fg_state_batch_new(fg_store_state(world.store), &batch), 0);
    int r = fg_consumer_read(consumer(), 0, on_record_with_state, batch, &progress);
    assert_true(r == 0 || r == FG_ETIMEOUT);
    now.missed += progress.missed;
    fg_consumer_put_position(consumer(), batch, progress.position);
    assert_int_equal(fg_state_commit_take(fg_store_state(world.store), batch), 0);
    fg_consumer_durable(consumer(), progress.position);
}

static bool file_has(const char *path, const void *what, size_t size)
{
    static uint8_t bytes[1 << 20];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t count = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return memmem(bytes, count, what, size) != NULL;
}

static void count_damage(void *arg, const char *file, uint64_t offset, const char *what)
{
    print_error("%s: %lu: %s\n", file, offset, what);
    ++*(int *)arg;
}

static void erase_and_backup_know_the_keyed_state(void **state)
{
    (void)state;
    char path[128], original[sizeof world.folder];
    uint64_t removed, damage_count = 0;
    int count = 0;
    world_start_real(&world);
    world.options.consumers = &with_state;
    world.options.consumer_count = 1;
    world.options.state_size_max = STATE_SIZE;
    memset(&now, 0, sizeof now);
    assert_int_equal(world_open(&world), 0);
    const struct world_batch *kept = world_keep(&world, 40);
    world_keep(&world, 40);
    read_and_commit();
    const struct fg_batch *batch = fg_block_batch(kept->block);
    struct fg_erased_trace id = {batch->trace_id_high[0], batch->trace_id_low[0]};
    snprintf(path, sizeof path, "%s/state/data.mdb", world.folder);
    assert_true(file_has(path, &id, sizeof id));
    struct fg_predicate predicate = trace_is(id.id_high, id.id_low);
    assert_int_equal(fg_store_erase(world.store, 0, &predicate, true, &removed), 0);
    assert_false(file_has(path, &id, sizeof id));

    /* Read and committed beyond what a backup holds: its position is what it holds. */
    world_keep(&world, 40);
    read_and_commit();
    snprintf(path, sizeof path, "%s.backup", world.folder);
    assert_int_equal(fg_store_backup(world.store, path, NULL, NULL), 0);
    world_close(&world, true);
    assert_int_equal(
        fg_store_verify(fg_env_real(), path, count_damage, NULL, &count, &damage_count), 0);
    assert_int_equal(damage_count, 0);
    memcpy(original, world.folder, sizeof original);
    snprintf(world.folder, sizeof world.folder, "%.50s.backup", original);
    world.options.path = world.folder;
    assert_int_equal(world_open(&world), 0);
    now.missed = 0;
    read_and_commit();
    assert_int_equal(now.missed, 0);
    world_keep(&world, 40);
    read_and_commit();
    for (size_t i = 0; i < world.batch_count; i++)
        assert_int_equal(now.seen[i], 1);
    world_end(&world);
    remove_folder(original);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_and_once),
        cmocka_unit_test(what_was_sealed_is_read_from_the_log),
        cmocka_unit_test(a_restart_goes_on_at_the_durable_position),
        cmocka_unit_test(what_was_read_is_not_read_again),
        cmocka_unit_test(who_has_much_kept_for_it_is_asked_to_commit),
        cmocka_unit_test(who_is_let_go_is_told_what_it_missed),
        cmocka_unit_test(a_full_disk_lets_the_log_go),
        cmocka_unit_test(a_new_one_is_told_of_what_was_stored_before),
        cmocka_unit_test(a_rescan_gives_everything),
        cmocka_unit_test(no_record_is_lost_or_doubled_by_a_cut),
        cmocka_unit_test(a_consumer_that_hangs_stops_no_start),
        cmocka_unit_test(no_head_outlives_its_seal_for_a_reader),
        cmocka_unit_test(who_is_let_go_reads_its_head),
        cmocka_unit_test(a_reader_beside_writers),
        cmocka_unit_test(an_erase_tells_of_which_traces),
        cmocka_unit_test(erase_and_backup_know_the_keyed_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
