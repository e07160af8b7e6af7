/* Up to which moment is known what was sent: journeys are held against that, not against the clock.
 */
#include "journeys_internal.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* What was acknowledged and not read yet may hold the step that is missed: who asks is told how it
 * stood when all was read. Who was late then stays so. */
static void who_asks_before_all_is_read(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"mes", "other", .trace = 50, .at = 0});
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    wait_s(&world, 30);
    tell(&world, (struct told){"shop", "place", .value = "B", .trace = 2, .at = 30});
    wait_s(&world, 20);
    assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    put(&world, (struct told){"mes", "price", .value = "B", .trace = 3, .at = 52});
    append(&world);
    fg_sim_advance(world.on.sim, 30 * FG_NS_PER_SECOND);
    assert_int_equal(where(&world, "B").state, FG_JOURNEY_FLOWING);
    assert_int_equal(where(&world, "A").state, FG_JOURNEY_LATE);
    wait_s(&world, 0);
    assert_board(&world, "B", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    wait_s(&world, 30);
    assert_board(&world, "B", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    end(&world);
}

static void sender_says(struct world *world, uint64_t sender, uint64_t until_ns)
{
    fg_journeys_history(world->journeys, sender, fg_env_wall_ns(fg_sim_env(world->on.sim)),
                        until_ns);
}

static void say_history(struct world *world, uint64_t until_ns)
{
    sender_says(world, 1, until_ns);
}

/* Where spans of the past come in, the journeys that they belong to are judged as of what was read
 * of it; those that came before, and what is sent as it happens, as of now. */
static void spans_of_the_past(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"mes", "other", .trace = 50, .at = 0});
    tell(&world, (struct told){"shop", "place", .value = "BEFORE", .trace = 1, .at = 0});
    wait_s(&world, 600);
    assert_board(&world, "BEFORE", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    say_history(&world, 0);
    put(&world,
        (struct told){"shop", "place", .value = "A", .trace = 2, .at = 10, .received = 601});
    put(&world,
        (struct told){"shop", "place", .value = "B", .trace = 3, .at = 20, .received = 601});
    put(&world, (struct told){"shop", "place", .value = "NOW", .trace = 4, .at = 600});
    send(&world);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    assert_board(&world, "BEFORE", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    struct fg_verdict verdict = where(&world, "A");
    assert_int_equal(verdict.finding.evidence_count, 1);
    assert_non_null(memmem(verdict.finding.evidence[0].text.data,
                           verdict.finding.evidence[0].text.size, "still being read", 16));
    wait_s(&world, 5);
    uint64_t until_ns = world.begin_ns + 50 * FG_NS_PER_SECOND;
    say_history(&world, until_ns); /* A's deadline has passed, B's not quite */
    assert_int_equal(where(&world, "A").state, FG_JOURNEY_FLOWING); /* nothing is read of it */
    wait_s(&world, 2);
    assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    assert_board(&world, "B", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    tell(&world,
         (struct told){"mes", "price", .value = "B", .trace = 5, .at = 49, .received = 607});
    assert_true(fg_slice_equal(where(&world, "B").last_step, FG_SLICE("priced")));
    assert_board(&world, "B", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    for (unsigned i = 0; i < 5; i++) { /* it goes on, and those of now are judged by now */
        say_history(&world, until_ns);
        wait_s(&world, 8);
    }
    assert_board(&world, "B", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    assert_board(&world, "NOW", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    wait_s(&world, 50); /* it may pause */
    assert_board(&world, "B", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    wait_s(&world, 12); /* and has ended */
    assert_board(&world, "B", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    end(&world);
}

static void begin_history(struct world *world)
{
    begin(world, 1000);
    tell(world, (struct told){"mes", "other", .trace = 50, .at = 0});
    wait_s(world, 600);
    say_history(world, 0);
    tell(world,
         (struct told){"shop", "place", .value = "A", .trace = 2, .at = 10, .received = 601});
}

/* Who says that all was sent need not be waited for; what was sent before it is read first. */
static void it_ends(void **state)
{
    struct world world;
    (void)state;
    begin_history(&world);
    wait_s(&world, 2);
    put(&world, (struct told){"mes", "price", .value = "A", .trace = 3, .at = 39, .received = 603});
    append(&world);
    say_history(&world, FG_HISTORY_ENDED);
    assert_int_equal(where(&world, "A").state, FG_JOURNEY_FLOWING);
    assert_true(fg_slice_equal(where(&world, "A").last_step, FG_SLICE("placed")));
    wait_s(&world, 1);
    assert_true(fg_slice_equal(where(&world, "A").last_step, FG_SLICE("priced")));
    assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    wait_s(&world, 10);
    sender_says(&world, 2, 0); /* another history, and none of A's */
    assert_int_equal(where(&world, "A").state, FG_JOURNEY_LATE);
    end(&world);
}

static uint64_t moment(const struct world *world, uint64_t seconds)
{
    return world->begin_ns + seconds * FG_NS_PER_SECOND;
}

/* Of several senders the one that is furthest back counts, the last one to come too, until it has
 * sent all. */
static void several_senders(void **state)
{
    struct world world;
    (void)state;
    begin_history(&world);
    say_history(&world, moment(&world, 45));
    sender_says(&world, 2, moment(&world, 500));
    wait_s(&world, 1);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    say_history(&world, moment(&world, 400));
    sender_says(&world, 3, 0);
    wait_s(&world, 1);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    sender_says(&world, 3, FG_HISTORY_ENDED);
    wait_s(&world, 1);
    assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    sender_says(&world, 4, FG_HISTORY_ENDED); /* it never sent anything */
    assert_int_equal(where(&world, "A").state, FG_JOURNEY_LATE);
    end(&world);
}

/* What one that begins just now has sent is not there yet, however far the others are. */
static void another_begins(void **state)
{
    struct world world;
    (void)state;
    begin_history(&world);
    say_history(&world, moment(&world, 500));
    fg_hearing_begin(world.journeys);
    sender_says(&world, 2, 0);
    assert_int_equal(where(&world, "A").state, FG_JOURNEY_FLOWING);
    fg_hearing_end(world.journeys);
    assert_int_equal(where(&world, "A").state, FG_JOURNEY_FLOWING);
    sender_says(&world, 2, moment(&world, 500));
    wait_s(&world, 1);
    assert_int_equal(where(&world, "A").state, FG_JOURNEY_LATE);
    sender_says(&world, 3, 0);
    assert_int_equal(where(&world, "A").state, FG_JOURNEY_FLOWING);
    end(&world);
}

/* Of more senders than are told apart no order is known. */
static void too_many_senders(void **state)
{
    struct world world;
    (void)state;
    begin_history(&world);
    for (uint64_t sender = 1; sender <= FG_HISTORY_SENDERS_MAX; sender++)
        sender_says(&world, sender, moment(&world, 500));
    wait_s(&world, 1);
    assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    for (uint64_t sender = 100; sender < 200; sender++)
        sender_says(&world, sender, moment(&world, 500));
    tell(&world,
         (struct told){"shop", "place", .value = "B", .trace = 5, .at = 20, .received = 603});
    wait_s(&world, 1);
    assert_board(&world, "B", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    end(&world);
}

/* A sender goes on after a restart, with journeys that it had sent spans of before it. */
static void it_goes_on_after_a_restart(void **state)
{
    struct world world;
    (void)state;
    begin_history(&world);
    say_history(&world, moment(&world, 45));
    wait_s(&world, 1);
    restart(&world);
    fg_sim_advance(world.on.sim, FG_NS_PER_SECOND);
    say_history(&world, moment(&world, 45));
    for (unsigned i = 0; i < 12; i++) {
        wait_s(&world, 10);
        say_history(&world, moment(&world, 45));
    }
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    say_history(&world, FG_HISTORY_ENDED);
    wait_s(&world, 1);
    assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    end(&world);
}

static void declare(void *arg)
{
    struct world *world = arg;
    fg_sim_advance(world->on.sim, 1);
    say_history(world, 0);
}

static void declare_each_time(void *arg)
{
    struct world *world = arg;
    declare(world);
    fg_sim_after_clock(world->on.sim, declare_each_time, world);
}

/* Whoever looks whether history has ended may be overtaken by its sender. */
static void declared_while_looked(void **state)
{
    struct world world;
    (void)state;
    begin_history(&world);
    wait_s(&world, 2);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    fg_sim_after_clock(world.on.sim, declare_each_time, &world);
    wait_s(&world, 2);
    assert_int_equal(where(&world, "A").state, FG_JOURNEY_FLOWING);
    fg_sim_after_clock(world.on.sim, NULL, NULL);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    end(&world);
}

/* Two requests at once: that they overtake each other begins no other history. */
static void declared_by_two(void **state)
{
    struct world world;
    (void)state;
    begin_history(&world);
    wait_s(&world, 2);
    uint64_t received_ns = fg_env_wall_ns(fg_sim_env(world.on.sim));
    fg_sim_after_clock(world.on.sim, declare, &world);
    fg_journeys_history(world.journeys, 1, received_ns, 0);
    wait_s(&world, 2);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    end(&world);
}

static void price_it(void *arg)
{
    struct world *world = arg;
    tell(world, (struct told){"mes", "price", .value = "A", .trace = 3, .at = 39, .received = 603});
    say_history(world, world->begin_ns + 60 * FG_NS_PER_SECOND);
    assert_int_equal(fg_journeys_step(world->journeys), 0);
}

/* What is read while somebody asks counts with the spans that came with it, or not at all. */
static void read_while_asked(void **state)
{
    struct world world;
    (void)state;
    begin_history(&world);
    fg_sim_after_clock(world.on.sim, price_it, &world);
    assert_int_equal(where(&world, "A").state, FG_JOURNEY_FLOWING);
    assert_true(fg_slice_equal(where(&world, "A").last_step, FG_SLICE("priced")));
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_before_all_is_read),
        cmocka_unit_test(spans_of_the_past),
        cmocka_unit_test(it_ends),
        cmocka_unit_test(several_senders),
        cmocka_unit_test(another_begins),
        cmocka_unit_test(too_many_senders),
        cmocka_unit_test(it_goes_on_after_a_restart),
        cmocka_unit_test(declared_while_looked),
        cmocka_unit_test(declared_by_two),
        cmocka_unit_test(read_while_asked),
    };
    world_is_durable = true;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
