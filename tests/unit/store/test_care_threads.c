/* Upkeep on the real machine: beside writers and readers (made for ThreadSanitizer), with
 * allocations that fail, at a bounded rate, and stopped in the middle. */
#include "base/limits.h"
#include "local/local.h"
#include "random_batch.h"
#include "span/block.h"
#include "store_internal.h"

#include "fail_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define ROUNDS        40
#define SPANS_A_BATCH 50u

static char folder[64], backup_folder[80];
static struct fg_store_options options;
static struct fg_arena arena;
static struct fg_store *store;

static void remove_folder(const char *path)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/filigree-care-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(backup_folder, sizeof backup_folder, "%s.backup", folder);
    options = fg_store_options_default(fg_env_real(), folder);
    options.wal_segment_size = 1 << 20;
    options.reserve_bytes = 0;
    options.merge_rate_bytes = 0;
    fg_arena_init(&arena, 1 << 20);
    store = NULL;
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fg_store_close(store, false);
    fg_arena_free(&arena);
    remove_folder(folder);
    remove_folder(backup_folder);
    return 0;
}

static void open_store(void)
{
    const char *message = "";
    if (fg_store_open(&options, &arena, &message, &store) < 0)
        fail_msg("%s", message);
}

/* -- Beside writers and readers */

struct request {
    struct fg_append append; /* first */
    struct fg_mutex lock;
    struct fg_cond answered;
    bool is_answered;
    int result;
};

static void on_done(struct fg_append *append, int result)
{
    struct request *request = (struct request *)append;
    fg_mutex_lock(&request->lock);
    request->result = result;
    request->is_answered = true;
    fg_cond_signal(&request->answered);
    fg_mutex_unlock(&request->lock);
}

static struct fg_mutex making; /* random_batch_fill() is for one thread */

static struct fg_block *make_block(uint64_t seed)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct random_batch_options batch = random_batch_options_default(seed);
    struct fg_builder *builder;
    struct fg_block *block;
    batch.span_count = SPANS_A_BATCH;
    if (fg_builder_new(&limits, &builder) < 0)
        abort();
    fg_mutex_lock(&making);
    random_batch_fill(builder, &batch);
    fg_mutex_unlock(&making);
    if (fg_block_freeze(builder, &block) < 0)
        abort();
    fg_builder_free(builder);
    return block;
}

/* Appends and waits for the answer. In a manual store the caller drives it. */
static int append(uint64_t seed)
{
    struct request request = {.append = {.block = make_block(seed), .done = on_done}};
    fg_mutex_init(&request.lock, FG_RANK_LEAF);
    fg_cond_init(&request.answered);
    int r = fg_store_append_take(store, &request.append);
    bool did = true;
    while (r == 0 && options.manual && did && !request.is_answered)
        if (fg_store_step(store, &did) < 0)
            break;
    fg_mutex_lock(&request.lock);
    while (r == 0 && !request.is_answered)
        fg_cond_wait(&request.answered, &request.lock);
    r = r == 0 ? request.result : r;
    fg_mutex_unlock(&request.lock);
    fg_mutex_destroy(&request.lock);
    fg_cond_destroy(&request.answered);
    return r;
}

struct worker {
    struct fg_thread thread;
    uint64_t seed;
    atomic_bool is_over;
};

static void write_on(void *arg)
{
    struct worker *worker = arg;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        int r;
        while ((r = append(worker->seed + i)) == FG_EAGAIN)
            usleep(1000);
        if (r != 0)
            abort();
    }
}

static int count_rows(void *arg, const struct fg_scan_rows *rows)
{
    for (uint32_t i = rows->row_begin; i < rows->row_end; i += 64)
        *(uint64_t *)arg += (uint64_t)__builtin_popcountll(rows->bits[(i - rows->row_begin) / 64]);
    return 0;
}

static int scan_all(uint64_t *ret_count)
{
    struct fg_read_stats stats = {0};
    const struct fg_scan scan = {.start_ns_max = UINT64_MAX, .rows = count_rows, .arg = ret_count};
    *ret_count = 0;
    return fg_store_scan(store, &scan, &stats);
}

/* An erase ends readers; then they begin again. */
static void read_on(void *arg)
{
    struct worker *worker = arg;
    uint64_t count;
    while (!atomic_load(&worker->is_over)) {
        int r = scan_all(&count);
        if (r != 0 && r != FG_ETIMEOUT)
            abort();
    }
}

/* While threads run nothing may leave the test by a jump. */
static void must_be(int result, int expected, const char *what)
{
    if (result == expected)
        return;
    fprintf(stderr, "%s: %d\n", what, result);
    abort();
}

/* Spans of one kind go while the others come. */
static void upkeep_goes_on_beside_writers_and_readers(void **state)
{
    (void)state;
    struct worker writers[2] = {{.seed = 1000}, {.seed = 2000}}, reader = {.seed = 0};
    const struct fg_predicate clients = {.op = FG_PRED_EQ,
                                         .field = FG_FIELD_KIND,
                                         .type = FG_VALUE_INT,
                                         .integer = FG_SPAN_KIND_CLIENT};
    uint64_t count, erased, erased_sum = 0;
    options.head_size_max = 64 << 10;
    open_store();
    for (int i = 0; i < 2; i++)
        assert_int_equal(fg_thread_start(&writers[i].thread, "writer", write_on, &writers[i]), 0);
    assert_int_equal(fg_thread_start(&reader.thread, "reader", read_on, &reader), 0);
    for (int i = 0; i < 3; i++) {
        must_be(fg_store_settle(store), 0, "settle");
        must_be(fg_store_erase(store, 0, &clients, false, &erased), 0, "erase");
        erased_sum += erased;
        must_be(fg_store_backup(store, backup_folder, NULL, NULL), i ? FG_EEXIST : 0, "backup");
    }
    for (int i = 0; i < 2; i++)
        fg_thread_join(&writers[i].thread);
    atomic_store(&reader.is_over, true);
    fg_thread_join(&reader.thread);
    assert_int_equal(fg_store_seal(store), 0);
    assert_int_equal(fg_store_erase(store, 0, &clients, false, &erased), 0);
    erased_sum += erased;
    assert_int_equal(fg_store_settle(store), 0);
    assert_int_equal(scan_all(&count), 0);
    struct fg_store_counters counters;
    fg_store_counters(store, &counters);
    assert_true(erased_sum > 0 && counters.merges > 0);
    assert_int_equal(counters.erased_spans, erased_sum);
    assert_int_equal(counters.appended_spans, count + erased_sum + counters.duplicate_spans);
    assert_int_equal(counters.segment_spans, count);
}

/* -- Allocations that fail */

static int do_settle(void)
{
    return fg_store_settle(store);
}

static int do_erase(void)
{
    const struct fg_predicate clients = {.op = FG_PRED_EQ,
                                         .field = FG_FIELD_KIND,
                                         .type = FG_VALUE_INT,
                                         .integer = FG_SPAN_KIND_CLIENT};
    uint64_t erased;
    return fg_store_erase(store, 0, &clients, true, &erased);
}

static int do_backup(void)
{
    return fg_store_backup(store, backup_folder, NULL, NULL);
}

static void make_three_segments(void)
{
    options.manual = true;
    open_store();
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(append(i / 2 + 1), 0); /* two of them the same */
        assert_int_equal(fg_store_seal(store), 0);
    }
}

/* The work says so and has changed nothing; done again it succeeds. */
static void no_memory_is_no_loss(void **state)
{
    (void)state;
    int (*const works[])(void) = {do_settle, do_erase, do_backup};
    for (int w = 0; w < 3; w++) {
        bool has_failed = true;
        for (uint64_t nth = 1; has_failed; nth += 1 + nth / 8) {
            finish(NULL);
            begin(NULL);
            make_three_segments();
            fail_alloc_at(nth, false);
            int r = works[w]();
            has_failed = fail_alloc_off();
            if (r != 0 && r != FG_ENOMEM)
                fail_msg("work %d, allocation %d: %d", w, (int)nth, r);
            if (r == FG_ENOMEM && works[w] == do_backup)
                remove_folder(backup_folder);
            if (r == FG_ENOMEM)
                assert_int_equal(works[w](), 0);
            uint64_t count;
            assert_int_equal(scan_all(&count), 0);
            if (works[w] == do_settle)
                assert_int_equal(count, 2 * SPANS_A_BATCH);
            else if (works[w] == do_backup)
                assert_int_equal(count, 3 * SPANS_A_BATCH);
        }
    }
}

/* -- Rate, and stopping */

static uint64_t pace_ns(struct fg_local *local, int steps, size_t bytes)
{
    uint64_t begin_ns = fg_env_mono_ns(local->env);
    for (int i = 0; i < steps; i++)
        fg_upkeep_pace(local, bytes);
    return fg_env_mono_ns(local->env) - begin_ns;
}

static void merges_write_at_a_bounded_rate(void **state)
{
    (void)state;
    options.merge_rate_bytes = 10 << 20;
    struct fg_local local = {.env = fg_env_real(), .options = &options};
    fg_upkeep_init(&local.upkeep);
    /* the first step goes at once, each other when the one before it is paid for */
    assert_true(pace_ns(&local, 4, 1 << 20) >= 300 * FG_NS_PER_MS);
    fg_upkeep_stop(&local.upkeep);
    assert_true(pace_ns(&local, 100, 1 << 20) < FG_NS_PER_SECOND);
    assert_true(fg_upkeep_is_stopping(&local.upkeep));
    fg_upkeep_destroy(&local.upkeep);
}

/* A merge that would take minutes at its rate does not hold up the end. */
static void closing_does_not_wait_for_a_merge(void **state)
{
    (void)state;
    options.merge_rate_bytes = 1;
    open_store();
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(append(i + 1), 0);
        assert_int_equal(fg_store_seal(store), 0);
    }
    uint64_t begin_ns = fg_env_mono_ns(fg_env_real());
    fg_store_close(store, false);
    store = NULL;
    assert_true(fg_env_mono_ns(fg_env_real()) - begin_ns < 20 * FG_NS_PER_SECOND);
    options.merge_rate_bytes = 0;
    uint64_t count;
    open_store();
    assert_int_equal(scan_all(&count), 0);
    assert_int_equal(count, 10 * SPANS_A_BATCH);
}

int main(void)
{
    fg_mutex_init(&making, FG_RANK_LEAF);
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(upkeep_goes_on_beside_writers_and_readers),
        TEST(no_memory_is_no_loss),
        TEST(merges_write_at_a_bounded_rate),
        TEST(closing_does_not_wait_for_a_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
