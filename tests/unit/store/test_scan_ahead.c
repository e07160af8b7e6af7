/* Scans that are helped: whatever the predicate, whoever stops them and whatever is damaged, they
 * give the rows that a scan on one thread gives, in its order, and count what it counts; which is
 * what a plain look at every row finds. And the crew: who has little work is not behind who has
 * much. */
#include "base/limits.h"
#include "crew.h"
#include "fail_alloc.h"
#include "os/thread.h"
#include "plain_match.h"
#include "sim_store.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define BEGIN_NS  (UINT64_C(1764000000) * FG_NS_PER_SECOND)
#define SPREAD_NS (30 * UINT64_C(3600) * FG_NS_PER_SECOND) /* two days of partitions */
#define HELPERS   3u

struct world {
    struct sim_store on;
    struct fg_builder *all;
    struct fg_batch batch; /* all that was appended */
    struct predicate_maker maker;
};

static void append(struct world *world, uint32_t begin, uint32_t end)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_remap *remap;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    assert_int_equal(fg_remap_new(&remap), 0);
    assert_int_equal(fg_remap_begin(remap, builder, &world->batch), 0);
    for (uint32_t row = begin; row < end; row++)
        assert_int_equal(fg_builder_copy(builder, remap, &world->batch, row, 0), 0);
    sim_store_append(&world->on, builder);
    fg_remap_free(remap);
    fg_builder_free(builder);
}

/* span_count rows in so many requests, each sealed, or all together. */
static void begin(struct world *world, uint64_t seed, uint32_t span_count, uint32_t pieces,
                  bool seals_each)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct random_batch_options options = random_batch_options_default(seed);
    *world = (struct world){.maker = {.random = {seed}}};
    limits.bytes_max = (uint64_t)1 << 30;
    options.span_count = span_count;
    options.start_ns = BEGIN_NS;
    options.spread_ns = seals_each ? SPREAD_NS : FG_NS_PER_MINUTE;
    assert_int_equal(fg_builder_new(&limits, &world->all), 0);
    random_batch_fill(world->all, &options);
    fg_builder_view(world->all, &world->batch);
    fg_arena_init(&world->maker.arena, 4 << 20);
    world->maker.batch = &world->batch;
    sim_store_open_helped(&world->on, seed, HELPERS);
    for (uint32_t i = 0; i < pieces; i++) {
        append(world, span_count / pieces * i,
               i + 1 == pieces ? span_count : span_count / pieces * (i + 1));
        if (seals_each)
            assert_int_equal(fg_store_seal(world->on.store), 0);
    }
    assert_int_equal(fg_store_seal(world->on.store), 0);
}

static void end(struct world *world)
{
    sim_store_close(&world->on);
    fg_builder_free(world->all);
    fg_arena_free(&world->maker.arena);
}

/* -- A scan, and what it gave */

struct run {
    struct world *world;
    uint64_t rows, digest, calls;
    uint64_t calls_max;      /* the reader has enough then; 0: never */
    uint64_t asks, asks_max; /* of is_cancelled; 0: it never is */
    uint64_t advance_ns;     /* at each of them */
    struct fg_read_stats stats;
    int result;
};

static void mix(struct run *run, uint64_t value)
{
    run->digest = (run->digest ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    run->digest ^= run->digest >> 29;
}

static int take_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct run *run = arg;
    for (uint32_t row = rows->row_begin; row < rows->row_end; row++) {
        uint32_t bit = row - rows->row_begin;
        if ((rows->bits[bit / 64] >> bit % 64 & 1) == 0)
            continue;
        mix(run, rows->batch->trace_id_low[row]);
        mix(run, rows->batch->span_id[row]);
        mix(run, rows->batch->start_ns[row]);
        run->rows++;
    }
    mix(run, rows->frontier_ns);
    return ++run->calls == run->calls_max ? 1 : 0;
}

static bool is_cancelled(void *arg)
{
    struct run *run = arg;
    if (run->advance_ns)
        fg_sim_advance(run->world->on.sim, run->advance_ns);
    return ++run->asks == run->asks_max;
}

static void scan(struct run *run, const struct fg_predicate *predicate, struct fg_scan scan)
{
    run->rows = run->digest = run->calls = run->asks = 0;
    run->stats = (struct fg_read_stats){0};
    scan.predicate = predicate;
    scan.columns = FG_COLUMNS_IDS | FG_COLUMNS_TIMES;
    scan.is_cancelled = is_cancelled;
    scan.rows = take_rows;
    scan.arg = run;
    run->result = fg_store_scan(run->world->on.store, &scan, &run->stats);
}

static void assert_same(const struct run *alone, const struct run *helped)
{
    const struct fg_read_stats *a = &alone->stats, *b = &helped->stats;
    assert_int_equal(helped->result, alone->result);
    assert_int_equal(helped->rows, alone->rows);
    assert_int_equal(helped->digest, alone->digest);
    assert_int_equal(b->segments, a->segments);
    assert_int_equal(b->segments_pruned, a->segments_pruned);
    assert_int_equal(b->row_groups, a->row_groups);
    assert_int_equal(b->row_groups_pruned, a->row_groups_pruned);
    assert_int_equal(b->pages, a->pages);
    assert_int_equal(b->pages_pruned, a->pages_pruned);
    assert_int_equal(b->rows_scanned, a->rows_scanned);
    assert_int_equal(b->rows_matched, a->rows_matched);
    assert_int_equal(b->damaged_pages, a->damaged_pages);
    assert_int_equal(b->bytes_read, a->bytes_read);
}

/* Alone until the cache has what it will have, then helped. */
static void compare(struct world *world, const struct fg_predicate *predicate, struct fg_scan asked,
                    uint64_t calls_max, struct run *ret_run)
{
    struct run alone = {.world = world, .calls_max = calls_max};
    struct run helped = {.world = world, .calls_max = calls_max};
    scan(&alone, predicate, asked);
    scan(&alone, predicate, asked);
    asked.takes_help = true;
    scan(&helped, predicate, asked);
    assert_same(&alone, &helped);
    *ret_run = helped;
}

/* -- The same rows */

static const struct fg_predicate *next_predicate(struct world *world, int i)
{
    struct fg_arena arena;
    const char *message;
    const struct fg_predicate *predicate;
    int r;
    do {
        fg_arena_reset(&world->maker.arena);
        predicate = random_predicate(&world->maker, i % 4);
        fg_arena_init(&arena, 1 << 16);
        r = fg_predicate_check(predicate, &arena, &message);
        fg_arena_free(&arena);
    } while (r < 0);
    return predicate;
}

static uint64_t count_plainly(const struct world *world, const struct fg_predicate *predicate,
                              const struct fg_scan *asked)
{
    uint64_t rows = 0;
    for (uint32_t row = 0; row < world->batch.span_count; row++)
        rows += world->batch.start_ns[row] >= asked->start_ns_min &&
                world->batch.start_ns[row] < asked->start_ns_max &&
                plain_matches(&world->batch, row, predicate);
    return rows;
}

static void compare_some(struct world *world, int count)
{
    uint64_t found = 0;
    for (int i = 0; i < count; i++) {
        const struct fg_predicate *predicate = next_predicate(world, i);
        struct fg_scan asked = {.start_ns_max = UINT64_MAX};
        struct run run;
        if (i % 3 == 0) {
            asked.start_ns_min = BEGIN_NS + test_random_u64(&world->maker.random) % SPREAD_NS;
            asked.start_ns_max =
                asked.start_ns_min + 1 + test_random_u64(&world->maker.random) % (SPREAD_NS / 2);
        }
        compare(world, predicate, asked, 0, &run);
        assert_int_equal(run.result, 0);
        assert_int_equal(run.rows, count_plainly(world, predicate, &asked));
        found += run.rows;
        compare(world, predicate, asked, 1 + test_random_below(&world->maker.random, 4), &run);
    }
    assert_true(found > 0);
}

static void the_same_as_alone(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        static struct world world;
        begin(&world, seed, 4000, 25, true);
        compare_some(&world, 60);
        append(&world, 0, 0); /* the head is there, and empty */
        fg_sim_advance(world.on.sim, 2 * FG_MERGE_QUIET_NS);
        assert_int_equal(fg_store_settle(world.on.store), 0);
        compare_some(&world, 40);
        sim_store_restart(&world.on);
        compare_some(&world, 20);
        end(&world);
    }
}

/* Row groups and pages enough that helpers have them to themselves. */
static void large_segments(void **state)
{
    (void)state;
    static struct world world;
    begin(&world, 3, 80000, 8, false);
    compare_some(&world, 5);
    end(&world);
}

/* -- What ends one */

static const struct fg_predicate nothing = {.op = FG_PRED_REGEX,
                                            .field = FG_FIELD_ATTR_ANY,
                                            .key = {(const uint8_t *)"order.id", 8},
                                            .type = FG_VALUE_STRING,
                                            .string = {(const uint8_t *)"no such .rder", 13}};

static void limits_hold(void **state)
{
    (void)state;
    static struct world world;
    begin(&world, 4, 6000, 40, true);
    for (uint64_t k = 1; k <= 40; k++) {
        struct run run = {.world = &world, .asks_max = k};
        scan(&run, &nothing, (struct fg_scan){.start_ns_max = UINT64_MAX, .takes_help = true});
        assert_int_equal(run.result, FG_ECANCELLED);
        assert_int_equal(run.asks, k); /* and not once more */
    }
    struct run late = {.world = &world, .advance_ns = FG_NS_PER_SECOND};
    struct fg_scan asked = {.start_ns_max = UINT64_MAX, .takes_help = true};
    asked.deadline_mono_ns = fg_env_mono_ns(fg_sim_env(world.on.sim)) + 5 * FG_NS_PER_SECOND;
    scan(&late, &nothing, asked);
    assert_int_equal(late.result, FG_ETIMEOUT);
    assert_int_equal(late.asks, 5);
    sim_store_restart(&world.on); /* what was cached costs nothing */
    struct run greedy = {.world = &world};
    scan(&greedy, &nothing,
         (struct fg_scan){.start_ns_max = UINT64_MAX, .takes_help = true, .bytes_max = 1});
    assert_int_equal(greedy.result, FG_ELIMIT);
    assert_true(greedy.stats.row_groups - greedy.stats.row_groups_pruned <= 2);
    end(&world);
}

static int damage(void *arg, const struct fg_dir_entry *entry)
{
    struct world *world = arg;
    char path[128];
    struct fg_file *file;
    uint64_t size;
    size_t done;
    snprintf(path, sizeof path, "data/segments/%s", entry->name);
    assert_int_equal(fg_env_open(fg_sim_env(world->on.sim), path, FG_OPEN_WRITE, &file), 0);
    assert_int_equal(fg_file_size(file, &size), 0);
    for (int i = 0; i < 6; i++) {
        uint64_t offset = 64 + test_random_u64(&world->maker.random) % (size / 2);
        uint8_t byte;
        assert_int_equal(fg_file_pread(file, offset, &byte, 1, &done), 0);
        byte ^= 0x10;
        assert_int_equal(fg_file_pwrite(file, offset, &byte, 1), 0);
    }
    fg_file_close(file);
    return 0;
}

/* Pages that can't be read are skipped and counted alike. */
static void damage_is_counted_alike(void **state)
{
    (void)state;
    static struct world world;
    uint64_t damaged = 0;
    begin(&world, 5, 6000, 12, true);
    assert_int_equal(fg_env_list(fg_sim_env(world.on.sim), "data/segments", damage, &world), 0);
    sim_store_restart(&world.on);
    for (int i = 0; i < 60; i++) {
        struct run run;
        compare(&world, next_predicate(&world, i), (struct fg_scan){.start_ns_max = UINT64_MAX}, 0,
                &run);
        damaged += run.stats.damaged_pages;
    }
    assert_true(damaged > 0);
    end(&world);
}

/* Whoever runs short of memory: the answer is whole, or there is none. */
static void memory_is_short(void **state)
{
    (void)state;
    static struct world world;
    begin(&world, 7, 2000, 12, true);
    struct fg_scan asked = {.start_ns_max = UINT64_MAX, .takes_help = true};
    struct run run = {.world = &world};
    scan(&run, &nothing, asked);
    uint64_t digest = run.digest, failed = 0;
    for (uint64_t n = 1; n < 400; n++) {
        fail_alloc_at(n, n % 2);
        scan(&run, &nothing, asked);
        if (fail_alloc_off() && run.result < 0) {
            assert_int_equal(run.result, FG_ENOMEM);
            failed++;
        } else {
            assert_int_equal(run.result, 0);
            assert_int_equal(run.digest, digest);
        }
    }
    assert_true(failed > 20);
    end(&world);
}

/* -- Several at once */

struct asker {
    struct fg_thread thread;
    struct run run;
    uint64_t digest;
    int rounds;
};

static void ask(void *arg)
{
    struct asker *asker = arg;
    for (int i = 0; i < asker->rounds; i++) {
        scan(&asker->run, &nothing,
             (struct fg_scan){.start_ns_max = UINT64_MAX, .takes_help = true});
        assert(asker->run.result == 0 && asker->run.digest == asker->digest);
    }
}

static void several_share(void **state)
{
    (void)state;
    static struct world world;
    struct asker askers[6];
    begin(&world, 6, 6000, 40, true);
    struct run alone = {.world = &world};
    scan(&alone, &nothing, (struct fg_scan){.start_ns_max = UINT64_MAX});
    for (int i = 0; i < 6; i++) {
        askers[i] = (struct asker){.run = {.world = &world}, .digest = alone.digest, .rounds = 20};
        assert_int_equal(fg_thread_start(&askers[i].thread, "asker", ask, &askers[i]), 0);
    }
    for (int i = 0; i < 6; i++)
        fg_thread_join(&askers[i].thread);
    end(&world);
}

/* -- The crew */

struct counted_work {
    struct fg_crew_work work;
    const struct counted_work *other;
    atomic_uint pieces, left;
    atomic_uint others_at_end;
    atomic_bool is_held, is_waiting; /* a piece waits until it is let go */
};

static void rest_us(long us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static bool do_piece(struct fg_crew_work *work)
{
    struct counted_work *counted = (struct counted_work *)work;
    do {
        atomic_store(&counted->is_waiting, true);
        rest_us(200);
    } while (atomic_load(&counted->is_held));
    atomic_store(&counted->is_waiting, false);
    atomic_fetch_add(&counted->pieces, 1);
    unsigned left = atomic_fetch_sub(&counted->left, 1);
    if (left == 1 && counted->other)
        atomic_store(&counted->others_at_end, atomic_load(&counted->other->pieces));
    return left > 1;
}

/* Two pieces beside ten million, on one thread: their turn comes at once. Held while they are
 * called, so that no other process's turn is taken for theirs. */
static void little_work_is_not_behind_much(void **state)
{
    (void)state;
    struct fg_crew *crew;
    struct counted_work much = {.work = {.run = do_piece}};
    struct counted_work little = {.work = {.run = do_piece}, .other = &much};
    atomic_store(&much.left, 10000000);
    atomic_store(&little.left, 2);
    assert_int_equal(fg_crew_new(1, &crew), 0);
    fg_crew_call(crew, &much.work);
    while (atomic_load(&much.pieces) < 20)
        rest_us(1000);
    atomic_store(&much.is_held, true);
    while (!atomic_load(&much.is_waiting))
        rest_us(100);
    unsigned before = atomic_load(&much.pieces);
    fg_crew_call(crew, &little.work);
    atomic_store(&much.is_held, false);
    for (int i = 0; i < 100000 && atomic_load(&little.left) > 0; i++)
        rest_us(100);
    assert_int_equal(atomic_load(&little.left), 0);
    fg_crew_leave(crew, &little.work);
    fg_crew_leave(crew, &much.work); /* in the middle of it */
    unsigned after = atomic_load(&much.pieces);
    rest_us(5000);
    assert_int_equal(atomic_load(&much.pieces), after);
    assert_true(atomic_load(&little.others_at_end) - before <= 4);
    fg_crew_free(crew);
}

/* By hand only some of them, as under a sanitizer: test_store_scan_ahead 'several*'. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_as_alone),
        cmocka_unit_test(large_segments),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(damage_is_counted_alike),
        cmocka_unit_test(memory_is_short),
        cmocka_unit_test(several_share),
        cmocka_unit_test(little_work_is_not_behind_much),
    };
    if (argc == 2)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("scan_ahead", tests, NULL, NULL);
}
