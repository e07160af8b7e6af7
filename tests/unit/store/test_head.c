/* The head and what stands around it: its index against a naive search, readers beside the
 * publisher, an index that memory does not suffice for; retries; room on the disk. */
#include "base/limits.h"
#include "fail_alloc.h"
#include "head.h"
#include "random_batch.h"
#include "retries.h"
#include "sim_env.h"
#include "space.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fg_block *make_block(uint64_t seed, uint32_t span_count)
{
    struct fg_builder *builder;
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct random_batch_options options = random_batch_options_default(seed);
    options.span_count = span_count;
    struct fg_block *block;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    random_batch_fill(builder, &options);
    assert_int_equal(fg_block_freeze(builder, &block), 0);
    fg_builder_free(builder);
    return block;
}

struct found {
    uint64_t high, low;
    size_t batches, rows;
};

static int on_page(void *arg, const struct fg_blocks_page *page)
{
    struct found *found = arg;
    size_t rows = 0;
    for (uint32_t i = page->row_begin; i < page->row_end; i++)
        rows += page->batch->trace_id_high[i] == found->high &&
                page->batch->trace_id_low[i] == found->low;
    found->batches += rows > 0;
    found->rows += rows;
    return 0;
}

static void publish(struct fg_head *head, uint32_t tenant, uint64_t sequence,
                    struct fg_block *block)
{
    assert_int_equal(fg_head_reserve(head, 1), 0);
    fg_head_publish_take(head, tenant, sequence, block);
}

#define BATCHES 700

/* Every trace of every batch is found in all batches that have it, of its tenant, below the
 * watermark, and only there. */
static void assert_index_is_right(struct fg_head *head, struct fg_block **blocks)
{
    struct fg_head_info info = fg_head_info(head);
    for (size_t b = 0; b < info.entry_count; b += 37) {
        const struct fg_batch *batch = fg_block_batch(blocks[b]);
        struct found found = {.high = batch->trace_id_high[0], .low = batch->trace_id_low[0]};
        struct found naive = found;
        for (size_t i = 0; i < info.entry_count; i++) {
            const struct fg_batch *other = fg_block_batch(blocks[i]);
            struct fg_blocks_page all = {.batch = other, .row_end = other->span_count};
            if (i % 2 == b % 2)
                on_page(&naive, &all);
        }
        assert_int_equal(
            fg_head_trace(head, &info, (uint32_t)b % 2, found.high, found.low, on_page, &found), 0);
        assert_int_equal(found.rows, naive.rows);
        assert_int_equal(found.batches, naive.batches);
        assert_true(found.rows > 0);
    }
    struct found none = {.high = 1, .low = 2};
    assert_int_equal(fg_head_trace(head, &info, 0, 1, 2, on_page, &none), 0);
    assert_int_equal(none.rows, 0);
}

/* Batches 300 apart are equal, so that traces lie in several. */
static atomic_uint alive; /* heads */

static struct fg_head *fill(struct fg_block **blocks)
{
    struct fg_head *head;
    assert_int_equal(fg_head_new(100, 5, 77, &alive, &head), 0);
    for (size_t i = 0; i < BATCHES; i++) {
        blocks[i] = make_block(i % 300, 1 + (uint32_t)i % 40);
        publish(head, i % 2, 100 + i, fg_block_ref(blocks[i]));
    }
    return head;
}

static void unref_all(struct fg_block **blocks)
{
    for (size_t i = 0; i < BATCHES; i++)
        fg_block_unref(blocks[i]);
}

static void test_index_finds_all(void **state)
{
    (void)state;
    static struct fg_block *blocks[BATCHES];
    struct fg_head *head = fill(blocks);
    struct fg_head_info info = fg_head_info(head);
    assert_int_equal(info.sequence_begin, 100);
    assert_int_equal(info.sequence_end, 100 + BATCHES);
    assert_int_equal(info.entry_count, BATCHES);
    assert_int_equal(info.created_mono_ns, 5);
    uint64_t bytes = 0, spans = 0;
    for (size_t i = 0; i < BATCHES; i++) {
        bytes += fg_block_size_bytes(blocks[i]);
        spans += fg_block_batch(blocks[i])->span_count;
    }
    assert_int_equal(info.span_count, spans);
    assert_true(info.size_bytes > bytes && info.size_bytes < bytes + bytes / 2 + 100000);
    assert_index_is_right(head, blocks);
    fg_head_unref(head);
    unref_all(blocks);
}

/* What was published after the watermark is not seen. */
static void test_watermark(void **state)
{
    (void)state;
    struct fg_head *head;
    struct fg_block *block = make_block(1, 5);
    const struct fg_batch *batch = fg_block_batch(block);
    struct found found = {.high = batch->trace_id_high[0], .low = batch->trace_id_low[0]};
    assert_int_equal(fg_head_new(1, 0, 0, &alive, &head), 0);
    publish(head, 0, 1, fg_block_ref(block));
    struct fg_head_info before = fg_head_info(head);
    publish(head, 0, 2, fg_block_ref(block));
    assert_int_equal(fg_head_trace(head, &before, 0, found.high, found.low, on_page, &found), 0);
    assert_int_equal(found.batches, 1);
    fg_head_unref(head);
    fg_block_unref(block);
}

/* Publishing never fails: an index for which there is no memory is given up, and nothing is lost.
 */
static void test_index_without_memory(void **state)
{
    (void)state;
    static struct fg_block *blocks[BATCHES];
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        struct fg_head *head;
        assert_int_equal(fg_head_new(100, 5, 77, &alive, &head), 0);
        assert_int_equal(fg_head_reserve(head, BATCHES), 0);
        for (size_t i = 0; i < BATCHES; i++)
            blocks[i] = make_block(i % 300, 1 + (uint32_t)i % 40);
        fail_alloc_at(n, true);
        for (size_t i = 0; i < BATCHES; i++)
            fg_head_publish_take(head, i % 2, 100 + i, fg_block_ref(blocks[i]));
        has_failed = fail_alloc_off();
        assert_true(has_failed || n > 3);
        assert_index_is_right(head, blocks);
        fg_head_unref(head);
        unref_all(blocks);
    }
}

static void test_reserve_without_memory(void **state)
{
    (void)state;
    struct fg_head *head;
    fail_alloc_at(1, false);
    assert_int_equal(fg_head_new(1, 0, 0, &alive, &head), FG_ENOMEM);
    assert_int_equal(fg_head_new(1, 0, 0, &alive, &head), 0);
    fail_alloc_at(3, false); /* the third of three chunks */
    assert_int_equal(fg_head_reserve(head, 3 * FG_HEAD_CHUNK_COUNT), FG_ENOMEM);
    assert_int_equal(fg_head_reserve(head, 3 * FG_HEAD_CHUNK_COUNT), 0);
    fail_alloc_off();
    fg_head_unref(head);
}

/* -- Readers beside the publisher */

struct race {
    struct fg_head *head;
    struct fg_block *block;
    atomic_bool is_over;
    size_t looks;
};

static void look_on(void *arg)
{
    struct race *race = arg;
    const struct fg_batch *batch = fg_block_batch(race->block);
    while (!atomic_load(&race->is_over)) {
        struct fg_head_info info = fg_head_info(race->head);
        struct found found = {.high = batch->trace_id_high[0], .low = batch->trace_id_low[0]};
        int r = fg_head_trace(race->head, &info, 0, found.high, found.low, on_page, &found);
        if (r != 0 || found.batches != info.entry_count)
            abort();
        size_t count = 0;
        struct fg_head_cursor cursor = fg_head_begin(&info);
        for (const struct fg_head_entry *entry; (entry = fg_head_next(&cursor));)
            count += entry->sequence == count + 1;
        if (count != info.entry_count)
            abort();
        race->looks++;
    }
}

static void test_readers_beside_the_publisher(void **state)
{
    (void)state;
    struct race race = {.block = make_block(3, 20)};
    struct fg_thread readers[2];
    assert_int_equal(fg_head_new(1, 0, 9, &alive, &race.head), 0);
    struct race races[2] = {race, race};
    for (int i = 0; i < 2; i++)
        assert_int_equal(fg_thread_start(&readers[i], "reader", look_on, &races[i]), 0);
    for (uint64_t i = 1; i <= 3000; i++)
        publish(race.head, 0, i, fg_block_ref(race.block));
    for (int i = 0; i < 2; i++) {
        atomic_store(&races[i].is_over, true);
        fg_thread_join(&readers[i]);
    }
    fg_head_unref(race.head);
    fg_block_unref(race.block);
}

/* -- Retries */

static void test_retries_within_the_window(void **state)
{
    (void)state;
    struct fg_retries *retries;
    const uint64_t t = 1000 * FG_NS_PER_MINUTE;
    assert_int_equal(fg_retries_new(&retries), 0);
    assert_false(fg_retries_find(retries, 0, 7, t));
    fg_retries_put(retries, 0, 7, t);
    assert_true(fg_retries_find(retries, 0, 7, t));
    assert_false(fg_retries_find(retries, 1, 7, t));
    assert_true(fg_retries_find(retries, 0, 7, t + FG_RETRY_WINDOW_NS));
    assert_true(fg_retries_find(retries, 0, 7, t - 1)); /* the clock was set back */
    assert_false(fg_retries_find(retries, 0, 7, t + FG_RETRY_WINDOW_NS + 1));
    fg_retries_remove(retries, 0, 7);
    assert_false(fg_retries_find(retries, 0, 7, t));
    fg_retries_put(retries, 0, 7, t + 5);
    assert_true(fg_retries_find(retries, 0, 7, t + 5));
    fg_retries_free(retries);
}

/* All of the last ten minutes are known where there are not too many, and memory stays bounded
 * where there are. */
static void test_retries_turn(void **state)
{
    (void)state;
    struct fg_retries *retries;
    assert_int_equal(fg_retries_new(&retries), 0);
    uint64_t t = 1000 * FG_NS_PER_MINUTE;
    const uint64_t step = FG_RETRY_WINDOW_NS / 1000;
    for (uint64_t i = 1; i <= 20000; i++, t += step) {
        fg_retries_put(retries, 0, i, t);
        if (i > 1000)
            assert_true(fg_retries_find(retries, 0, i - 999, t));
        if (i > 1002)
            assert_false(fg_retries_find(retries, 0, i - 1002, t));
    }
    uint64_t before = fail_alloc_count();
    for (uint64_t i = 1; i <= 3 * FG_RETRIES_MAX; i++)
        fg_retries_put(retries, 1, i, t);
    assert_true(fail_alloc_count() - before < 200);
    assert_true(fg_retries_find(retries, 1, 3 * FG_RETRIES_MAX, t));
    assert_true(fg_retries_find(retries, 1, 3 * FG_RETRIES_MAX - FG_RETRIES_MAX / 2 + 1, t));
    assert_false(fg_retries_find(retries, 1, 1, t));
    fail_alloc_at(1, true);
    for (uint64_t i = 1; i <= FG_RETRIES_MAX; i++)
        fg_retries_put(retries, 2, i, t); /* forgets, and does not fail */
    fail_alloc_off();
    fg_retries_free(retries);
}

/* -- Room on the disk */

static void test_reserve_is_given_up_and_made_again(void **state)
{
    (void)state;
    struct fg_sim *sim;
    struct fg_space space;
    const uint64_t reserve = 1 << 20;
    assert_int_equal(fg_sim_new(1, &sim), 0);
    struct fg_env *env = fg_sim_env(sim);
    assert_int_equal(fg_env_mkdir(env, "store"), 0);
    fg_sim_set_capacity(sim, 2 * reserve);
    assert_int_equal(fg_space_init(&space, env, "store", reserve, false), 0);
    assert_true(fg_space_is_enough(&space));
    assert_int_equal(space.free_bytes, reserve);
    fg_sim_set_capacity(sim, reserve + reserve / 8); /* somebody else filled the disk */
    fg_space_look(&space);
    assert_false(fg_space_is_enough(&space));
    assert_true(fg_space_release(&space));
    assert_false(fg_space_release(&space));
    fg_space_look(&space);
    assert_true(space.free_bytes > reserve);
    assert_false(fg_space_is_enough(&space)); /* the room is not for ingest */
    assert_false(fg_space_restore(&space));   /* not without something to spare */
    fg_sim_set_capacity(sim, 3 * reserve);
    assert_true(fg_space_restore(&space));
    assert_false(fg_space_restore(&space));
    assert_true(fg_space_is_enough(&space));
    fg_space_free(&space);
    assert_int_equal(fg_space_init(&space, env, "store", reserve / 2, false), 0); /* smaller now */
    assert_int_equal(fg_sim_used_bytes(sim), reserve / 2);
    fg_space_free(&space);
    fg_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_finds_all),
        cmocka_unit_test(test_watermark),
        cmocka_unit_test(test_index_without_memory),
        cmocka_unit_test(test_reserve_without_memory),
        cmocka_unit_test(test_readers_beside_the_publisher),
        cmocka_unit_test(test_retries_within_the_window),
        cmocka_unit_test(test_retries_turn),
        cmocka_unit_test(test_reserve_is_given_up_and_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
