/* query/heatmap.h against a plain count over all spans, in the head and in segments; and what
 * happens where the window has no beginning, and where time runs out. */
#include "base/limits.h"
#include "plain_match.h"
#include "query/heatmap.h"
#include "sim_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SPANS     900u
#define BEGIN_NS  (UINT64_C(1764000000) * FG_NS_PER_SECOND)
#define SPREAD_NS (UINT64_C(3600) * FG_NS_PER_SECOND)
#define END_NS    (BEGIN_NS + 2 * SPREAD_NS)

struct world {
    struct sim_store on;
    struct fg_builder *all;
    struct fg_batch batch;
    struct predicate_maker maker;
    struct fg_arena arena;
};

static void begin(struct world *world, uint64_t seed)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct random_batch_options options = random_batch_options_default(seed);
    *world = (struct world){.maker = {.random = {.state = seed}}};
    options.span_count = SPANS;
    options.start_ns = BEGIN_NS;
    options.spread_ns = SPREAD_NS;
    options.odd_percent = 10;
    assert_int_equal(fg_builder_new(&limits, &world->all), 0);
    random_batch_fill(world->all, &options);
    fg_builder_view(world->all, &world->batch);
    world->maker.batch = &world->batch;
    fg_arena_init(&world->arena, 16 << 20);
    fg_arena_init(&world->maker.arena, 1 << 20);
    sim_store_open(&world->on, seed);
}

static void send(struct world *world, uint32_t row_begin, uint32_t row_end)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_remap *remap;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    assert_int_equal(fg_remap_new(&remap), 0);
    assert_int_equal(fg_remap_begin(remap, builder, &world->batch), 0);
    for (uint32_t row = row_begin; row < row_end; row++)
        assert_int_equal(fg_builder_copy(builder, remap, &world->batch, row, 0), 0);
    sim_store_append(&world->on, builder);
    fg_remap_free(remap);
    fg_builder_free(builder);
}

static void end(struct world *world)
{
    sim_store_close(&world->on);
    fg_builder_free(world->all);
    fg_arena_free(&world->arena);
    fg_arena_free(&world->maker.arena);
}

/* -- The plain count */

static uint32_t plain_row(uint64_t duration_ns)
{
    uint32_t row = 0;
    while (row + 1 < FG_HEATMAP_ROWS && fg_heatmap_row_ns(row + 1) <= duration_ns)
        row++;
    return row;
}

static void compare(struct world *world, const struct fg_heatmap_wanted *wanted)
{
    const struct fg_batch *batch = &world->batch;
    struct fg_heatmap map;
    fg_arena_reset(&world->arena);
    assert_int_equal(fg_heatmap_read(world->on.store, wanted, &world->arena, &map), 0);
    assert_int_equal(map.cut, 0);
    assert_int_equal(map.whole_from_ns, wanted->start_ns_min);
    assert_int_equal(map.column_count, wanted->column_count);
    uint32_t cell_count = map.column_count * FG_HEATMAP_ROWS;
    struct fg_heatmap_cell *cells = calloc(cell_count, sizeof *cells);
    uint64_t count = 0, error_count = 0, open_count = 0;
    for (uint32_t row = 0; row < batch->span_count; row++) {
        uint64_t start_ns = batch->start_ns[row], end_ns = batch->end_ns[row];
        bool is_error = batch->status[row] == FG_STATUS_ERROR;
        if (start_ns < wanted->start_ns_min || start_ns >= wanted->start_ns_max ||
            (wanted->predicate && !plain_matches(batch, row, wanted->predicate)))
            continue;
        count++;
        error_count += is_error;
        open_count += end_ns == 0;
        if (end_ns == 0)
            continue;
        assert_true(start_ns >= map.start_ns);
        uint64_t column = (start_ns - map.start_ns) / map.column_ns;
        assert_true(column < map.column_count);
        struct fg_heatmap_cell *cell =
            cells + column * FG_HEATMAP_ROWS + plain_row(end_ns > start_ns ? end_ns - start_ns : 0);
        cell->count++;
        cell->error_count += is_error;
    }
    assert_int_equal(map.count, count);
    assert_int_equal(map.error_count, error_count);
    assert_int_equal(map.open_count, open_count);
    assert_memory_equal(map.cells, cells, cell_count * sizeof *cells);
    free(cells);
}

static void compare_some(struct world *world, int rounds)
{
    struct test_random *random = &world->maker.random;
    for (int i = 0; i < rounds; i++) {
        fg_arena_reset(&world->maker.arena);
        struct fg_heatmap_wanted wanted = {.start_ns_min = BEGIN_NS,
                                           .start_ns_max = END_NS,
                                           .column_count = 1 + test_random_below(random, 120)};
        if (i % 3 == 1)
            wanted.start_ns_min = 0;
        if (i % 3 == 2) {
            wanted.start_ns_min = BEGIN_NS + test_random_u64(random) % SPREAD_NS;
            wanted.start_ns_max = wanted.start_ns_min + SPREAD_NS / 3;
        }
        if (i % 2)
            wanted.predicate = random_predicate(&world->maker, 1);
        compare(world, &wanted);
    }
}

/* -- Tests */

static void counts_as_a_plain_count(void **state)
{
    (void)state;
    static struct world world;
    begin(&world, 11);
    send(&world, 0, SPANS / 3);
    assert_int_equal(fg_store_seal(world.on.store), 0);
    send(&world, SPANS / 3, SPANS / 2);
    assert_int_equal(fg_store_seal(world.on.store), 0);
    send(&world, SPANS / 2, SPANS);
    compare_some(&world, 24);
    end(&world);
}

static void rows_rise(void **state)
{
    (void)state;
    assert_int_equal(fg_heatmap_row_ns(0), 0);
    for (uint32_t row = 1; row < FG_HEATMAP_ROWS; row++)
        assert_true(fg_heatmap_row_ns(row) > fg_heatmap_row_ns(row - 1));
    for (uint32_t power = 1, at = 5; at < FG_HEATMAP_ROWS; at += 5, power++) {
        uint64_t ns = 1;
        for (uint32_t i = 0; i < power; i++)
            ns *= 10;
        assert_int_equal(fg_heatmap_row_ns(at), ns);
    }
}

static void columns_are_bounded(void **state)
{
    (void)state;
    static struct world world;
    struct fg_heatmap map;
    begin(&world, 12);
    struct fg_heatmap_wanted wanted = {.start_ns_max = END_NS};
    assert_int_equal(fg_heatmap_read(world.on.store, &wanted, &world.arena, &map), FG_EINVALID);
    wanted.column_count = FG_HEATMAP_COLUMNS_MAX + 1;
    assert_int_equal(fg_heatmap_read(world.on.store, &wanted, &world.arena, &map), FG_EINVALID);
    wanted.column_count = FG_HEATMAP_COLUMNS_MAX;
    wanted.start_ns_min = wanted.start_ns_max;
    assert_int_equal(fg_heatmap_read(world.on.store, &wanted, &world.arena, &map), FG_EINVALID);
    end(&world);
}

static bool yes(void *arg)
{
    (void)arg;
    return true;
}

static void an_end_of_time_is_said(void **state)
{
    (void)state;
    static struct world world;
    struct fg_heatmap map;
    begin(&world, 13);
    send(&world, 0, SPANS);
    assert_int_equal(fg_store_seal(world.on.store), 0);
    struct fg_heatmap_wanted wanted = {.start_ns_min = BEGIN_NS,
                                       .start_ns_max = END_NS,
                                       .column_count = 10,
                                       .deadline_mono_ns = 1};
    assert_int_equal(fg_heatmap_read(world.on.store, &wanted, &world.arena, &map), 0);
    assert_int_equal(map.cut, FG_ETIMEOUT);
    assert_true(map.whole_from_ns > BEGIN_NS);
    assert_true(map.count < SPANS);
    wanted.deadline_mono_ns = 0;
    wanted.is_cancelled = yes;
    assert_int_equal(fg_heatmap_read(world.on.store, &wanted, &world.arena, &map), FG_ECANCELLED);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_as_a_plain_count),
        cmocka_unit_test(rows_rise),
        cmocka_unit_test(columns_are_bounded),
        cmocka_unit_test(an_end_of_time_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
