/* What journeys that stopped have in common: a version that healthy ones have not; nothing where it
 * tells them not apart, or where there are too few. */
#include "journey/common.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *name_of(const char *letter, unsigned i)
{
    static char names[4][16];
    static unsigned next;
    char *name = names[next++ % 4];
    snprintf(name, 16, "%s%u", letter, i);
    return name;
}

/* Orders that were placed and priced; those that fail do at a queue and a shelf of their own. */
static void put_orders(struct world *world, const char *letter, unsigned count, bool fails,
                       const char *queue, const char *shelf)
{
    const char *const attrs[] = {
        "messaging.destination.name", queue, "shelf", shelf, "other", "same", NULL};
    for (unsigned i = 0; i < count; i++) {
        uint64_t trace = (uint64_t)letter[0] * 1000 + i;
        put(world,
            (struct told){"shop", "place", .value = name_of(letter, i), .trace = trace, .at = 1});
        put(world, (struct told){"mes", "price", .value = name_of(letter, i), .trace = trace,
                                 .at = 2, .attrs = attrs, .error = fails ? "boom" : NULL});
    }
    send(world);
}

static struct fg_journey_common compare(struct world *world, enum fg_cause cause)
{
    const struct fg_journey_filter filter = {.cause = cause};
    struct fg_journey_common common;
    assert_int_equal(fg_journeys_common(world->journeys, &filter, 0, &world->answers, &common), 0);
    return common;
}

static void test_common(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    put_orders(&world, "A", 4, true, "mes.orders", "S1");
    put_orders(&world, "B", 40, false, "mes.orders", "S2");
    assert_true(compare(&world, FG_CAUSE_NONE).are_few); /* four */
    put_orders(&world, "C", 80, true, "mes.orders", "S1");
    struct fg_journey_common common = compare(&world, FG_CAUSE_NONE);
    assert_int_equal(common.count, 84);
    assert_int_equal(common.stopped, FG_COMMON_JOURNEYS_MAX);
    assert_int_equal(common.healthy, 40);
    assert_false(common.are_few || common.is_partial);
    /* all have the queue, which tells nothing; the shelf is compared where it was chosen */
    assert_int_equal(common.facet_count, 1);
    assert_true(fg_slice_equal(common.facets[0].attribute, FG_SLICE("shelf")));
    assert_true(fg_slice_equal(common.facets[0].value, FG_SLICE("S1")));
    assert_true(fg_slice_equal(common.facets[0].service, FG_SLICE("mes")));
    assert_int_equal(common.facets[0].stopped, FG_COMMON_JOURNEYS_MAX);
    assert_int_equal(common.facets[0].healthy, 0);
    /* of another cause there are none */
    common = compare(&world, FG_CAUSE_DIED);
    assert_int_equal(common.count, 0);
    assert_true(common.are_few && common.facet_count == 0);
    end(&world);
}

/* What a few healthy ones have too is still said; what many have is not. */
static void test_shares(void **state)
{
    (void)state;
    for (unsigned healthy = 0; healthy <= 20; healthy += 5) {
        struct world world;
        begin(&world, 1000);
        put_orders(&world, "A", 20, true, "slow", "S1");
        put_orders(&world, "B", healthy, false, "slow", "S1");
        put_orders(&world, "C", 20 - healthy, false, "quick", "S1");
        struct fg_journey_common common = compare(&world, FG_CAUSE_NONE);
        assert_int_equal(common.facet_count, healthy <= 6 ? 1 : 0);
        if (healthy <= 6) {
            assert_true(fg_slice_equal(common.facets[0].value, FG_SLICE("slow")));
            assert_int_equal(common.facets[0].healthy, healthy);
        }
        end(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_common),
                                       cmocka_unit_test(test_shares)};
    int failed = cmocka_run_group_tests_name("made anew", tests, NULL, NULL);
    world_is_durable = true;
    return failed + cmocka_run_group_tests_name("durable", tests, NULL, NULL);
}
