/* How many journeys memory holds: those that come back, and of others few. */
#include "world.h"

#include "journeys_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FEW = 256, MANY = 1500, MOST = 4096 };

static uint64_t in_memory(struct world *world)
{
    struct fg_journeys_counters counters = counters_of(world);
    return counters.count - counters.absent;
}

/* Each order has a trace more; all but the first step are another service's. */
static void touch(struct world *world, unsigned begin, unsigned end, uint64_t trace,
                  const char *name)
{
    for (unsigned i = begin; i < end; i++) {
        put(world, (struct told){*name == 'p' && name[1] == 'l' ? "shop" : "mes", name,
                                 .value = order_name(i), .trace = trace + i});
        if (i % 50 == 49)
            send(world);
    }
    send(world);
}

static void place_and_come_back(struct world *world, unsigned rounds, unsigned most)
{
    begin(world, most);
    touch(world, 0, MANY, 100000, "place");
    assert_true(in_memory(world) <= FEW);
    for (unsigned round = 1; round <= rounds; round++)
        touch(world, 0, MANY, 100000 + round * 10000, round == 1 ? "price" : "look");
}

static void orders_that_come_back_stay(void **state)
{
    struct world world;
    (void)state;
    place_and_come_back(&world, 4, MOST);
    assert_int_equal(in_memory(&world), MANY);
    for (unsigned i = 0; i < MANY; i += 7)
        assert_true(fg_slice_equal(where(&world, order_name(i)).last_step, FG_SLICE("priced")));
    restart(&world); /* they are expected again */
    assert_true(in_memory(&world) > MANY / 4 * 3);
    assert_int_equal(counters_of(&world).count, MANY);
    touch(&world, 0, MANY, 200000, "look");
    assert_int_equal(in_memory(&world), MANY);
    for (unsigned i = 0; i < MANY; i += 7)
        assert_true(fg_slice_equal(where(&world, order_name(i)).last_step, FG_SLICE("priced")));
    end(&world);
}

static unsigned found(const struct world *world, unsigned begin, unsigned end)
{
    unsigned count = 0;
    for (unsigned i = begin; i < end; i++)
        count += fg_table_find(&world->journeys->table, 0, fg_slice_from_string(order_name(i))) !=
                 FG_NO_RECORD;
    return count;
}

/* Where some come back and get room others are read in before they do: those under way, until three
 * quarters of it are full. */
static void others_are_read_in(void **state)
{
    enum { ENDED = 2500, BACK = 600, ALL = ENDED + 1500, THERE = ALL - 300 };
    struct world world;
    (void)state;
    begin(&world, MOST);
    touch(&world, 0, ENDED, 100000, "place");
    touch(&world, 0, ENDED, 110000, "ship");
    touch(&world, ENDED, ALL, 200000, "place");
    touch(&world, ENDED, ENDED + BACK, 300000, "price");
    assert_int_equal(found(&world, ENDED, ENDED + BACK), BACK);
    touch(&world, ENDED, ENDED + BACK, 400000, "look");
    assert_int_equal(found(&world, 0, ENDED), 0);
    assert_in_range(found(&world, ENDED + BACK, THERE), 50, THERE - ENDED - BACK);
    assert_int_equal(in_memory(&world), world.journeys->room.given / 4 * 3);
    assert_int_equal(counters_of(&world).count, ALL);
    for (unsigned i = ENDED; i < ALL; i += 7) /* each is the one that it was */
        assert_true(fg_slice_equal(where(&world, order_name(i)).last_step,
                                   i < ENDED + BACK ? FG_SLICE("priced") : FG_SLICE("placed")));
    for (unsigned i = 0; i < ENDED; i += 7)
        assert_int_equal(where(&world, order_name(i)).state, FG_JOURNEY_DONE);
    end(&world);
}

static void a_flood_gets_no_more_room(void **state)
{
    struct world world;
    (void)state;
    begin(&world, MOST);
    touch(&world, 0, 3 * MANY, 100000, "place");
    assert_true(in_memory(&world) <= FEW);
    end(&world);
}

/* The least that there were at one time, after memory had been full. */
static uint64_t least_in_memory(struct world *world, unsigned begin, unsigned end, uint64_t trace)
{
    uint64_t least = UINT64_MAX;
    for (unsigned i = begin; i < end; i += 50) {
        touch(world, i, i + 50, trace, "place");
        if (i >= begin + MANY / 2 && in_memory(world) < least)
            least = in_memory(world);
    }
    return least;
}

/* Of orders that are not asked for again most go at once; of those that come back a few. */
static void a_flood_goes_at_once(void **state)
{
    struct world world;
    (void)state;
    begin(&world, FEW);
    assert_true(least_in_memory(&world, 0, MANY, 100000) <= FEW / 4 + 50);
    for (unsigned round = 1; round < 4; round++)
        assert_true(least_in_memory(&world, 0, MANY, 100000 + round * 10000) >= FEW / 2);
    end(&world);
}

/* What was given to orders that came back a flood gives back. */
static void room_is_given_back(void **state)
{
    struct world world;
    (void)state;
    place_and_come_back(&world, 2, MOST);
    assert_true(in_memory(&world) > 2 * FEW);
    touch(&world, MANY, 12 * MANY, 200000, "place");
    assert_true(in_memory(&world) <= FEW);
    assert_int_equal(counters_of(&world).count, 12 * MANY);
    end(&world);
}

/* Where all have room and none is read back any more they keep it, while others end and new ones
 * come in their place. */
static void room_is_kept(void **state)
{
    struct world world;
    (void)state;
    place_and_come_back(&world, 3, MOST);
    assert_int_equal(counters_of(&world).absent, 0);
    for (unsigned i = 0; i < 20; i++) {
        unsigned from = MANY + i * 100;
        touch(&world, from, from + 100, 200000, "place");
        touch(&world, from, from + 100, 210000, "ship");
        assert_true(counters_of(&world).absent <= (i + 1) * 100); /* no more than have ended */
        touch(&world, 0, MANY, 300000 + i * 10000, "look");
    }
    end(&world);
}

/* Where memory is nearly full those that have ended go with the next commit. */
static void ended_ones_go(void **state)
{
    struct world world;
    (void)state;
    begin(&world, MOST);
    touch(&world, 0, FEW / 2, 100000, "place");
    touch(&world, 0, FEW / 4, 110000, "ship");
    assert_int_equal(counters_of(&world).absent, 0); /* there is room enough */
    end(&world);
    place_and_come_back(&world, 8, 2000);
    assert_int_equal(counters_of(&world).absent, 0);
    touch(&world, MANY, MANY + 50, 200000, "place");
    touch(&world, MANY, MANY + 50, 210000, "ship");
    assert_int_equal(counters_of(&world).absent, 0); /* too few for it */
    touch(&world, MANY + 50, MANY + 150, 220000, "place");
    touch(&world, MANY + 50, MANY + 150, 230000, "ship");
    assert_int_equal(in_memory(&world), MANY);
    assert_int_equal(counters_of(&world).absent, 150);
    end(&world);
}

/* And they alone, where so many come between two commits that memory is full. */
static void those_under_way_stay(void **state)
{
    struct world world;
    (void)state;
    place_and_come_back(&world, 8, 2000);
    for (unsigned i = MANY; i < MANY + 900; i++) {
        put(&world,
            (struct told){"shop", "place", .value = order_name(i), .trace = 200000 + i, .id = 1});
        put(&world,
            (struct told){"mes", "ship", .value = order_name(i), .trace = 200000 + i, .id = 2});
    }
    send(&world);
    assert_int_equal(counters_of(&world).count, MANY + 900);
    assert_int_equal(in_memory(&world), MANY);
    end(&world);
}

/* However many come back: no more than there may be. */
static void there_is_a_bound(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 2 * FEW);
    for (unsigned round = 0; round < 4; round++) {
        touch(&world, 0, MANY, 100000 + round * 10000, "place");
        assert_true(in_memory(&world) <= 2 * FEW);
    }
    assert_true(in_memory(&world) > FEW);
    end(&world);
}

/* Ended ones don't come back: they make room before more is given. */
static void ended_ones_make_room(void **state)
{
    struct world world;
    (void)state;
    begin(&world, MOST);
    touch(&world, 0, MANY, 100000, "place");
    touch(&world, 0, MANY, 200000, "ship");
    assert_true(in_memory(&world) <= 2 * FEW);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_that_come_back_stay), cmocka_unit_test(a_flood_gets_no_more_room),
        cmocka_unit_test(room_is_given_back),         cmocka_unit_test(room_is_kept),
        cmocka_unit_test(there_is_a_bound),           cmocka_unit_test(ended_ones_make_room),
        cmocka_unit_test(others_are_read_in),         cmocka_unit_test(ended_ones_go),
        cmocka_unit_test(those_under_way_stay),       cmocka_unit_test(a_flood_goes_at_once),
    };
    world_is_durable = true;
    world_journeys_min = FEW;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
