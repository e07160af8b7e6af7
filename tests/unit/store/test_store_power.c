/* The power goes, at every sync and at many other moments, while spans come in, heads are sealed
 * and the store recovers from the cut before. Every span that was acknowledged is there exactly
 * once, nothing that was not is half there. The seed and the moment are printed where it fails.
 *
 *     test_store_power [SEEDS]    more of them take longer: 100 some 10 minutes */
#include "base/limits.h"
#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct world world;
static uint64_t moments, seeds = 3;

/* Appends, commits and seals at random until the power goes. */
static void live(void)
{
    for (int i = 0; i < 60 && !fg_sim_is_cut(world.sim); i++) {
        int r;
        bool did;
        uint64_t what = fg_sim_below(world.sim, 10);
        if (what < 6)
            world_append(&world, 1 + (uint32_t)fg_sim_below(world.sim, 60), 0, &r);
        else if (what < 9)
            (void)!fg_store_step(world.store, &did);
        else
            (void)!fg_store_seal(world.store);
    }
}

static void cut_power(uint64_t seed, uint32_t ops, uint64_t nth, const char *moment)
{
    world_start(&world, seed);
    fg_sim_set_sector_size(world.sim, seed % 2 ? 512 : 4096);
    world.options.head_size_max = 20 << 10;
    if (seed % 3 != 0)
        world.options.wal_segment_size = 24 << 10; /* files come and go */
    for (int lives = 0; lives < 4; lives++) {
        fg_sim_cut_at(world.sim, ops, nth);
        int r = world_open(&world);
        if (r == 0)
            live();
        moments += fg_sim_is_cut(world.sim);
        world_close(&world, false);
        world_doubt(&world);
        fg_sim_restart(world.sim);
        world.error_count = 0;
        r = world_open(&world);
        if (r != 0 || world.error_count != 0) {
            print_error("seed %lu, %s %lu, life %d: %s %s\n", seed, moment, nth, lives,
                        world.message, world.event);
            assert_int_equal(r, 0);
            assert_int_equal(world.error_count, 0);
        }
        world_check_scan(&world);
        world_settle_doubts(&world);
        world_close(&world, false);
    }
    assert_int_equal(world_open(&world), 0);
    world_check(&world);
    world_end(&world);
}

static void test_at_every_sync(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= seeds; seed++)
        for (uint64_t nth = 1; nth <= 24; nth++)
            cut_power(seed, FG_SIM_SYNCS, nth, "sync");
    assert_true(moments > 50 * seeds);
}

static void test_at_many_changes(void **state)
{
    (void)state;
    for (uint64_t seed = 1000; seed < 1000 + seeds; seed++)
        for (uint64_t nth = 1 + seed % 7; nth <= 120; nth += 7)
            cut_power(seed, FG_SIM_CHANGES, nth, "change");
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seeds = strtoull(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_every_sync),
        cmocka_unit_test(test_at_many_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
