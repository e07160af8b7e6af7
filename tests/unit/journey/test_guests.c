/* Journeys of two tenants over one log: each knows its own alone, keeps it over a start, and has
 * its share of the room in memory. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TENANT 3u

static struct fg_journeys *open_guest(struct world *world, uint32_t tenant)
{
    struct fg_journeys *guest;
    const struct fg_journeys_options options = {.env = fg_sim_env(world->on.sim),
                                                .store = world->on.store,
                                                .flows = &world->flows,
                                                .journeys_max = world->journeys_max,
                                                .tenant = tenant,
                                                .leader = world->journeys,
                                                .state = world->state,
                                                .manual = true};
    assert_int_equal(fg_journeys_open(&options, &guest), 0);
    return guest;
}

/* Something of a tenant's becomes durable; journeys are not stepped. */
static void append_as(struct world *world, uint32_t tenant, struct told told)
{
    world->on.tenant = tenant;
    put(world, told);
    append(world);
    world->on.tenant = 0;
}

static int ask(struct world *world, struct fg_journeys *journeys, const char *value,
               struct fg_journey_answer *ret_answer)
{
    fg_arena_reset(&world->answers);
    return fg_journeys_where(journeys, FG_SLICE("order.id"), fg_slice_from_string(value),
                             &world->answers, ret_answer);
}

static void assert_last_step(struct world *world, struct fg_journeys *journeys, const char *value,
                             const char *step)
{
    struct fg_journey_answer answer;
    assert_int_equal(ask(world, journeys, value, &answer), 0);
    assert_true(fg_slice_equal(answer.verdict.last_step, fg_slice_from_string(step)));
}

static void assert_unknown(struct world *world, struct fg_journeys *journeys, const char *value)
{
    struct fg_journey_answer answer;
    assert_int_equal(ask(world, journeys, value, &answer), FG_ENOTFOUND);
}

static struct fg_journeys_counters counters(struct fg_journeys *journeys)
{
    struct fg_journeys_counters ret;
    fg_journeys_counters(journeys, &ret);
    return ret;
}

/* Orders of the same number, and traces of the same id, are two; over a start, too, which reads
 * records and no spans. */
static void test_apart(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    struct fg_journeys *guest = open_guest(&world, TENANT);
    append_as(&world, 0, (struct told){"shop", "place", .value = "SAME", .trace = 1});
    append_as(&world, 0, (struct told){"mes", "price", .value = "SAME", .trace = 1, .at = 1});
    append_as(&world, 0, (struct told){"shop", "place", .value = "A", .trace = 2});
    append_as(&world, TENANT, (struct told){"shop", "place", .value = "SAME", .trace = 1});
    append_as(&world, TENANT, (struct told){"shop", "place", .value = "B", .trace = 2});
    /* without the key: by its trace alone, which the other tenant has as well */
    append_as(&world, TENANT, (struct told){"mes", "ship", .trace = 2, .at = 2});
    assert_int_equal(fg_journeys_step(world.journeys), 0);
    for (unsigned round = 0; round < 2; round++) {
        assert_last_step(&world, world.journeys, "SAME", "priced");
        assert_last_step(&world, guest, "SAME", "placed");
        assert_last_step(&world, world.journeys, "A", "placed");
        assert_last_step(&world, guest, "B", "shipped");
        assert_unknown(&world, world.journeys, "B");
        assert_unknown(&world, guest, "A");
        assert_int_equal(counters(world.journeys).count, 2);
        assert_int_equal(counters(guest).count, 2);
        assert_int_equal(counters(guest).by_state[FG_JOURNEY_DONE], 1);
        if (round == 1)
            break;
        fg_journeys_close(world.journeys);
        fg_journeys_close(guest);
        sim_store_restart(&world.on);
        open_again(&world);
        guest = open_guest(&world, TENANT);
        assert_int_equal(fg_journeys_step(world.journeys), 0);
        if (world.state)
            assert_int_equal(counters(guest).missed_spans + counters(guest).judged, 0);
    }
    fg_journeys_close(guest);
    end(&world);
}

/* Whoever has more than its share gives up first, and nothing is lost. */
static void test_room(void **state)
{
    struct world world;
    char name[16];
    (void)state;
    begin(&world, 1600);
    struct fg_journeys *guest = open_guest(&world, TENANT);
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "L%u", i);
        put(&world, (struct told){"shop", "place", .value = name, .trace = 10000 + i});
        if (i % 200 == 199)
            send(&world);
    }
    world.on.tenant = TENANT;
    for (unsigned i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "G%u", i);
        put(&world, (struct told){"shop", "place", .value = name, .trace = 10000 + i});
        if (i % 100 == 99)
            send(&world);
    }
    assert_int_equal(fg_journeys_step(world.journeys), 0);
    struct fg_journeys_counters own = counters(world.journeys), other = counters(guest);
    assert_int_equal(own.count, 2000);
    assert_int_equal(other.count, 500);
    assert_int_equal(own.refused + other.refused, 0);
    assert_int_equal(other.absent, 0);
    assert_true(own.count - own.absent + other.count - other.absent <= 1600);
    assert_true(own.count - own.absent >= 200); /* of its share a quarter stays each time */
    assert_last_step(&world, world.journeys, "L0", "placed");
    assert_last_step(&world, guest, "G0", "placed");
    assert_unknown(&world, guest, "L0");
    fg_journeys_close(guest);
    end(&world);
}

/* A tenant that nobody follows is passed over; whoever enters late makes its journeys anew. */
static void test_late(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    append_as(&world, TENANT, (struct told){"shop", "place", .value = "B", .trace = 2});
    assert_int_equal(fg_journeys_step(world.journeys), 0);
    assert_int_equal(counters(world.journeys).count, 0);
    struct fg_journeys *guest = open_guest(&world, TENANT);
    assert_int_equal(fg_journeys_step(world.journeys), 0);
    assert_last_step(&world, guest, "B", "placed");
    struct fg_journeys_options again = {.env = fg_sim_env(world.on.sim),
                                        .store = world.on.store,
                                        .flows = &world.flows,
                                        .journeys_max = 10,
                                        .tenant = TENANT,
                                        .leader = world.journeys,
                                        .manual = true};
    struct fg_journeys *second = NULL;
    assert_int_equal(fg_journeys_open(&again, &second), FG_EINVALID);
    fg_journeys_close(guest);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apart),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_late),
    };
    world_is_durable = true;
    int failed = cmocka_run_group_tests_name("durable", tests, NULL, NULL);
    world_is_durable = false;
    const struct CMUnitTest anew[] = {cmocka_unit_test(test_apart)};
    return failed + cmocka_run_group_tests_name("made anew", anew, NULL, NULL);
}
