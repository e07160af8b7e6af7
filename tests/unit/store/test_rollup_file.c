/* Kept rollup files: written whole or not at all, and every byte is checked. */
#include "local/rollup_file.h"

#include "random_batch.h"
#include "sim_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fg_sim *sim;
static struct fg_env *env;
static struct fg_rollup *rollup, *back;

static int begin(void **state)
{
    (void)state;
    struct fg_builder *builder;
    struct fg_batch batch;
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct random_batch_options options = random_batch_options_default(1);
    assert_int_equal(fg_sim_new(1, &sim), 0);
    env = fg_sim_env(sim);
    assert_int_equal(fg_rollup_new(&rollup), 0);
    assert_int_equal(fg_rollup_new(&back), 0);
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    random_batch_fill(builder, &options);
    fg_builder_view(builder, &batch);
    assert_int_equal(fg_rollup_add(rollup, &batch, 0, batch.span_count, NULL, 0, UINT64_MAX), 0);
    fg_builder_free(builder);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fg_rollup_free(rollup);
    fg_rollup_free(back);
    fg_sim_free(sim);
    return 0;
}

static int sum_cell(void *arg, const struct fg_rollup_cell *cell)
{
    *(uint64_t *)arg += cell->count + 1000 * cell->open_count + cell->minute_ns;
    return 0;
}

static uint64_t sum(const struct fg_rollup *of)
{
    uint64_t total = 0;
    assert_int_equal(fg_rollup_each(of, sum_cell, &total), 0);
    return total;
}

static void a_file_gives_back_what_it_got(void **state)
{
    (void)state;
    uint64_t size, other_size;
    assert_int_equal(fg_rollup_file_write(env, "/a.rol", rollup, &size), 0);
    assert_int_equal(fg_rollup_file_write(env, "/a.rol", rollup, &other_size), FG_EEXIST);
    assert_int_equal(fg_rollup_file_read(env, "/a.rol", 0, UINT64_MAX, back), 0);
    assert_int_equal(sum(back), sum(rollup));
    assert_int_equal(fg_rollup_file_read(env, "/b.rol", 0, UINT64_MAX, back), FG_ENOTFOUND);
}

static void every_flipped_bit_is_seen(void **state)
{
    (void)state;
    uint64_t size;
    assert_int_equal(fg_rollup_file_write(env, "/a.rol", rollup, &size), 0);
    for (uint64_t at = 0; at < size; at += at < 64 ? 1 : 7) {
        uint8_t mask = (uint8_t)(1u << (at % 8));
        assert_int_equal(fg_sim_flip(sim, "/a.rol", at, mask), 0);
        int r = fg_rollup_file_read(env, "/a.rol", 0, UINT64_MAX, back);
        assert_true(r == FG_ECORRUPT || (at == 7 && r == FG_EUNSUPPORTED));
        assert_int_equal(fg_sim_flip(sim, "/a.rol", at, mask), 0);
    }
    assert_int_equal(sum(back), 0);
    assert_int_equal(fg_sim_flip(sim, "/a.rol", 7, '1' ^ '2'), 0);
    assert_int_equal(fg_rollup_file_read(env, "/a.rol", 0, UINT64_MAX, back), FG_EUNSUPPORTED);
}

static void a_failure_leaves_no_file(void **state)
{
    (void)state;
    uint64_t size;
    for (uint64_t nth = 1;; nth++) {
        const struct fg_sim_fault fault = {
            .ops = FG_SIM_OPEN | FG_SIM_WRITE | FG_SIM_SYNC, .nth = nth, .error = FG_EIO};
        fg_sim_fail(sim, &fault);
        int r = fg_rollup_file_write(env, "/a.rol", rollup, &size);
        if (!fg_sim_has_failed(sim)) {
            assert_int_equal(r, 0);
            break;
        }
        assert_int_equal(r, FG_EIO);
        fg_sim_fail(sim, NULL);
        assert_int_equal(fg_rollup_file_read(env, "/a.rol", 0, UINT64_MAX, back), FG_ENOTFOUND);
        assert_int_equal(fg_sim_open_files(sim), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_gives_back_what_it_got, begin, finish),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_seen, begin, finish),
        cmocka_unit_test_setup_teardown(a_failure_leaves_no_file, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
