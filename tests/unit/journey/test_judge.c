/* When journeys are judged: what it may cost, and what of it is told as a change. */
#include "journeys_internal.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A clock on which time goes by as it is asked for: judging a journey asks three times. */
#define ASKED_NS (1 * FG_NS_PER_MS)

static struct fg_env_ops slow_ops;
static uint64_t (*mono_ns)(struct fg_env *env);
static uint64_t passed_ns;

static uint64_t slow_mono_ns(struct fg_env *env)
{
    passed_ns += ASKED_NS;
    return mono_ns(env) + passed_ns;
}

static void slow_down(struct world *world)
{
    struct fg_env *env = fg_sim_env(world->on.sim);
    slow_ops = *env->ops;
    mono_ns = slow_ops.mono_ns;
    slow_ops.mono_ns = slow_mono_ns;
    env->ops = &slow_ops;
    passed_ns = 0;
}

/* Journeys that are in doubt, and nobody has judged. */
static void begin_doubtful(struct world *world, unsigned count)
{
    static char names[4000][8];
    bool is_quiet;
    begin(world, 4000);
    for (unsigned i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "D%u", i);
        put(world, (struct told){"shop", "place", .value = names[i], .trace = i + 1, .at = 0,
                                 .error = "boom"});
    }
    append(world);
    assert_int_equal(fg_journeys_go_round(world->journeys, 0, &is_quiet), 0);
    assert_int_equal(world->journeys->dirty_count, count);
}

/* In a flood of spans rounds are short: judging takes the same tenth of the time as where they are
 * long, though each journey takes more than a round's share of it. */
static void test_share(void **state)
{
    static const uint64_t rounds_ns[] = {FG_JOURNEYS_TICK_NS / 100, FG_JOURNEYS_TICK_NS / 10,
                                         FG_JOURNEYS_TICK_NS};
    const uint64_t budget_ns = FG_JOURNEYS_TICK_NS / 10;
    (void)state;
    for (size_t i = 0; i < sizeof rounds_ns / sizeof *rounds_ns; i++) {
        struct world world;
        uint64_t judging_ns = 0, begin_ns;
        begin_doubtful(&world, 4000);
        slow_down(&world);
        begin_ns = passed_ns;
        while (passed_ns < begin_ns + 20 * FG_NS_PER_SECOND) {
            uint64_t before_ns = passed_ns;
            fg_journeys_judge(world.journeys, budget_ns);
            judging_ns += passed_ns - before_ns;
            passed_ns += rounds_ns[i]; /* following takes the rest */
        }
        /* that a round asks whether it is allowed to takes a little of this clock, too */
        uint64_t rounds = (passed_ns - begin_ns - judging_ns) / rounds_ns[i];
        assert_in_range(judging_ns - rounds * ASKED_NS, 1500 * FG_NS_PER_MS, 2500 * FG_NS_PER_MS);
        assert_in_range(world.journeys->counters.judged, 300, 700);
        end(&world);
    }
}

/* Where little may be spent judging waits until it is worth a round, in which several are judged.
 */
static void test_rounds(void **state)
{
    struct world world;
    unsigned rounds = 0, ticks = 0;
    (void)state;
    begin_doubtful(&world, 4000);
    slow_down(&world);
    for (; ticks < 200; ticks++) {
        uint64_t judged = world.journeys->counters.judged;
        fg_journeys_judge(world.journeys, FG_NS_PER_MS);
        if (world.journeys->counters.judged > judged) {
            assert_true(world.journeys->counters.judged - judged >= 2 || ticks == 0);
            rounds++;
        }
        passed_ns += FG_JOURNEYS_TICK_NS;
    }
    assert_in_range(rounds, ticks / 20, ticks / 8);
    end(&world);
}

static int count_change(void *arg, const struct fg_journey_change *change)
{
    (void)change;
    ++*(unsigned *)arg;
    return 0;
}

/* By the processors that the server takes: a tenth of one in quiet, and otherwise what taking
 * leaves of an eighteenth of them. */
static void test_budget(void **state)
{
    const double second = 1e9, tick_ns = FG_JOURNEYS_TICK_NS;
    (void)state;
    assert_int_equal(fg_budget_tick_ns(0, 0, 0), tick_ns / 10);
    assert_int_equal(fg_budget_tick_ns(0, 0, second), tick_ns / 10);
    assert_int_equal(fg_budget_tick_ns(second / 2 - 1, second, second), tick_ns / 10);
    assert_int_equal(fg_budget_tick_ns(second / 2, 0, second), tick_ns / 36);
    assert_int_equal(fg_budget_tick_ns(3.6 * second, 0.1 * second, second), tick_ns / 10);
    assert_in_range(fg_budget_tick_ns(3.6 * second, 0.15 * second, second), tick_ns / 20 - 1,
                    tick_ns / 20 + 1);
    assert_int_equal(fg_budget_tick_ns(3.6 * second, 2 * second, second), 0.036 * tick_ns);
    assert_int_equal(fg_budget_tick_ns(second, 2 * second, second), tick_ns / 80);
    assert_int_equal(fg_budget_tick_ns(64 * second, 0, second), tick_ns / 10);
}

static uint64_t server_took_ns, thread_took_ns;

static uint64_t server_ns(void)
{
    return server_took_ns;
}

static uint64_t thread_ns(void)
{
    return thread_took_ns;
}

/* A second in which the server takes two processors, and the follower's thread so much beside
 * judging. */
static uint64_t budget_after(struct fg_budget *budget, uint64_t *now_ns, uint64_t taking_ns)
{
    const uint64_t judging_ns = 30 * FG_NS_PER_MS;
    *now_ns += FG_NS_PER_SECOND;
    server_took_ns += 2 * FG_NS_PER_SECOND;
    thread_took_ns += taking_ns + judging_ns;
    budget->judging_ns += judging_ns;
    return fg_budget_now(budget, *now_ns, server_ns, thread_ns);
}

/* Taking that gets dearer leaves judging less, the next second already, and taking that gets
 * cheaper more; what judging took itself is not held against it. */
static void test_budget_follows(void **state)
{
    struct fg_budget budget = {0};
    const uint64_t tick_ns = FG_JOURNEYS_TICK_NS, least_ns = tick_ns / 50;
    uint64_t now_ns = 1, ns = 0;
    (void)state;
    assert_int_equal(fg_budget_now(&budget, now_ns, server_ns, thread_ns), tick_ns / 10);
    for (unsigned i = 0; i < 60; i++)
        ns = budget_after(&budget, &now_ns, 50 * FG_NS_PER_MS); /* of 111 */
    assert_in_range(ns, tick_ns / 17, tick_ns / 15);
    assert_int_equal(fg_budget_now(&budget, now_ns + 1, server_ns, thread_ns), ns);
    assert_true(budget_after(&budget, &now_ns, 900 * FG_NS_PER_MS) < ns);
    for (unsigned i = 0; i < 60; i++)
        ns = budget_after(&budget, &now_ns, 200 * FG_NS_PER_MS);
    assert_int_equal(ns, least_ns);
    for (unsigned i = 0; i < 60; i++)
        ns = budget_after(&budget, &now_ns, 50 * FG_NS_PER_MS);
    assert_in_range(ns, tick_ns / 18, tick_ns / 15);
}

/* That an order waits for a person is told once: by its step, and not again when it is judged. */
static void test_waiting_is_one_change(void **state)
{
    static const char with_person[] =
        "flows:\n"
        "  - name: order\n"
        "    key: order.id\n"
        "    within: 30s\n"
        "    steps:\n"
        "      - {name: placed, when: 'service:shop name=place'}\n"
        "      - {name: approved, when: 'service:crm name=approve', human: seller, within: 1d}\n"
        "      - {name: shipped, when: 'service:mes name=ship', ends: done}\n";
    struct world world;
    unsigned count = 0;
    (void)state;
    world_flows = with_person;
    begin(&world, 1000);
    world_flows = NULL;
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    wait_s(&world, 2);
    assert_board(&world, "A", FG_JOURNEY_WAITING, FG_CAUSE_WAITING);
    assert_int_equal(fg_journeys_changes(world.journeys, 0, count_change, &count), 0);
    assert_int_equal(count, 1);
    end(&world);
}

/* Where the spans of several steps come at once, a journey went on with the first of them. */
static void test_went_on_with_the_first(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"mes", "other", .trace = 50, .at = 0});
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    wait_s(&world, 40);
    assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    wait_s(&world, 60);
    put(&world, (struct told){"mes", "price", .value = "A", .trace = 2, .at = 50});
    put(&world, (struct told){"mes", "ship", .value = "A", .trace = 3, .at = 90});
    send(&world);
    assert_board(&world, "A", FG_JOURNEY_DONE, FG_CAUSE_NONE);
    assert_int_equal(where(&world, "A").recovered.until_ns,
                     world.begin_ns + 50 * FG_NS_PER_SECOND + FG_NS_PER_MS);
    end(&world);
}

/* Those that wait to be judged while others go from memory stay on disk as they were put. */
static void test_waiting_are_put_once(void **state)
{
    struct world world;
    (void)state;
    world_is_durable = true;
    begin_doubtful(&world, 100);
    world_is_durable = false;
    struct fg_journeys *journeys = world.journeys;
    fg_journeys_follow(journeys);
    assert_int_equal(fg_journeys_commit(journeys), 0);
    assert_int_equal(journeys->changed_count, 0);
    assert_int_equal(fg_journeys_evict(journeys, FG_JOURNEYS_EIGHTHS), 0);
    assert_in_range(journeys->table.count, 1, 99);
    assert_int_equal(journeys->dirty_count, journeys->table.count);
    assert_int_equal(journeys->changed_count, 0);
    fg_mutex_unlock(&journeys->mutex);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_budget_follows),
        cmocka_unit_test(test_waiting_is_one_change),
        cmocka_unit_test(test_went_on_with_the_first),
        cmocka_unit_test(test_waiting_are_put_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
