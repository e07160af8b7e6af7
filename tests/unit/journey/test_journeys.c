/* The journeys over a store on the simulated disk, once made anew at each start and once durable:
 * spans in any order, deadlines without a span, recovery, restarts, several orders in one trace,
 * more than there is room for. */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_way(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    wait_s(&world, 20);
    tell(&world, (struct told){"mes", "price", .value = "A", .trace = 2, .at = 20});
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    struct fg_verdict verdict = where(&world, "A");
    assert_true(fg_slice_equal(verdict.last_step, FG_SLICE("priced")));
    assert_true(fg_slice_equal(verdict.expected_step, FG_SLICE("shipped")));
    assert_int_equal(verdict.deadline_ns, world.begin_ns + 50 * FG_NS_PER_SECOND + 1000000);
    tell(&world, (struct told){"mes", "ship", .value = "A", .trace = 3, .at = 25});
    assert_board(&world, "A", FG_JOURNEY_DONE, FG_CAUSE_NONE);
    wait_s(&world, 1000);
    assert_board(&world, "A", FG_JOURNEY_DONE, FG_CAUSE_NONE);
    end(&world);
}

/* Spans come in any order, late ones too: the verdict is the same. */
static void test_any_order(void **state)
{
    static const struct told spans[] = {
        {"shop", "place", .value = "A", .trace = 1, .at = 0},
        {"mes", "price", .value = "A", .trace = 2, .at = 20},
        {"mes", "ship", .value = "A", .trace = 3, .at = 25},
    };
    static const unsigned orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct world world;
        begin(&world, 1000);
        for (unsigned k = 0; k < 3; k++)
            tell(&world, spans[orders[i][k]]);
        assert_board(&world, "A", FG_JOURNEY_DONE, FG_CAUSE_NONE);
        assert_int_equal(where(&world, "A").first_ns, world.begin_ns);
        end(&world);
    }
}

/* Absence is found with no span arriving: not before the deadline and its grace, and at once after
 * it; also where the deadline passes while nobody runs. When the step comes the journey recovers.
 */
/* Whether a list says that the order's last step is this one. */
static bool is_at(struct world *world, const char *value, const char *step)
{
    const struct fg_journey_filter all = {0};
    struct found found = {.value = value};
    uint64_t count;
    assert_int_equal(fg_journeys_list(world->journeys, &all, 1000, find_row, &found, &count), 0);
    return fg_slice_equal(found.row.last_step, fg_slice_from_string(step));
}

/* Spans that name no order come before the one of their trace that does: what they told holds from
 * then on. Whose they are is not guessed where a trace names two. */
static void test_before_it_is_named(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    tell(&world, (struct told){"shop", "place", .value = "B", .trace = 2, .at = 0});
    tell(&world, (struct told){"shop", "place", .value = "C", .trace = 3, .at = 0});
    tell(&world, (struct told){"shop", "place", .value = "D", .trace = 4, .at = 0});
    tell(&world, (struct told){"mes", "price", .trace = 11, .id = 1, .at = 2});
    tell(&world, (struct told){"mes", "price", .trace = 12, .id = 1, .at = 2, .error = "boom"});
    tell(&world, (struct told){"mes", "price", .trace = 13, .id = 3, .parent = 2, .at = 2});
    uint64_t judged = counters_of(&world).judged;
    tell(&world, (struct told){"mes", "job", .value = "A", .trace = 11, .id = 9, .at = 2});
    assert_true(is_at(&world, "A", "priced"));
    assert_int_equal(counters_of(&world).judged, judged);
    tell(&world, (struct told){"mes", "job", .value = "B", .trace = 12, .id = 9, .at = 2});
    assert_board(&world, "B", FG_JOURNEY_BROKEN, FG_CAUSE_ERROR);
    put(&world, (struct told){"mes", "job", .value = "C", .trace = 13, .id = 1, .at = 2});
    put(&world, (struct told){"mes", "job", .value = "D", .trace = 13, .id = 2, .at = 2});
    send(&world);
    assert_true(is_at(&world, "D", "priced") && is_at(&world, "C", "placed"));
    end(&world);
}

static void test_deadline(void **state)
{
    struct world world;
    (void)state;
    for (unsigned again = 0; again < 2; again++) {
        begin(&world, 1000);
        tell(&world, (struct told){"mes", "other", .trace = 50, .at = 0});
        tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
        wait_s(&world, 36);
        assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
        if (again) {
            fg_journeys_close(world.journeys);
            sim_store_restart(&world.on);
            fg_sim_advance(world.on.sim, 100 * FG_NS_PER_SECOND);
            open_again(&world);
        }
        wait_s(&world, again ? 31 : 2);
        assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
        tell(&world, (struct told){"mes", "price", .value = "A", .trace = 2, .at = 165});
        assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
        struct fg_recovery recovered = where(&world, "A").recovered;
        assert_int_equal(recovered.cause, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
        assert_int_equal(recovered.until_ns, world.begin_ns + 165001000000);
        assert_true(recovered.text.size > 0);
        end(&world);
    }
}

static int count_change(void *arg, const struct fg_journey_change *change)
{
    *(uint64_t *)arg = change->sequence;
    return 0;
}

static uint64_t changes_of(struct world *world)
{
    uint64_t last = 0;
    assert_int_equal(fg_journeys_changes(world->journeys, 0, count_change, &last), 0);
    return last;
}

/* Spans that come days late mend the verdict, and those that come twice change nothing: neither is
 * a second alarm. */
static void test_late_and_twice(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"mes", "other", .trace = 50, .at = 0});
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .id = 1, .at = 0});
    wait_s(&world, 40);
    assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    wait_s(&world, 3 * 86400);
    uint64_t alarms = changes_of(&world);
    const struct told late[] = {
        {"mes", "price", .value = "A", .trace = 2, .id = 2, .at = 10, .error = "boom"},
        {"mes", "price", .value = "A", .trace = 2, .id = 3, .at = 15},
        {"mes", "ship", .value = "A", .trace = 2, .id = 4, .at = 20},
    };
    for (unsigned i = 0; i < 3; i++)
        put(&world, late[i]);
    send(&world);
    assert_board(&world, "A", FG_JOURNEY_DONE, FG_CAUSE_NONE);
    assert_int_equal(where(&world, "A").recovered.cause, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    assert_int_equal(changes_of(&world), alarms + 1);
    for (unsigned i = 0; i < 6; i++) {
        wait_s(&world, 86400);
        tell(&world, late[i % 3]);
        assert_board(&world, "A", FG_JOURNEY_DONE, FG_CAUSE_NONE);
    }
    assert_int_equal(changes_of(&world), alarms + 1);
    end(&world);
}

/* One that went on after a failure is not broken by the failure's span that comes again. */
static void test_failure_twice(void **state)
{
    struct world world;
    const struct told boom = {"mes",   "price", .value = "A",   .trace = 2,
                              .id = 5, .at = 3, .error = "boom"};
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    tell(&world, boom);
    assert_board(&world, "A", FG_JOURNEY_BROKEN, FG_CAUSE_ERROR);
    tell(&world, boom);
    assert_int_equal(changes_of(&world), 1);
    tell(&world, (struct told){"mes", "price", .value = "A", .trace = 3, .at = 5});
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    tell(&world, boom);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    assert_int_equal(changes_of(&world), 2);
    end(&world);
}

/* A service whose clock is three hours behind does its work in time: nothing is late. */
static void test_clock_behind(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    wait_s(&world, 3 * 3600);
    put(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .id = 1, .at = 10800});
    put(&world, (struct told){"shop", "call", .value = "A", .trace = 1, .id = 2, .parent = 1,
                              .kind = FG_SPAN_KIND_CLIENT, .at = 10800});
    put(&world, (struct told){"mes", "price", .value = "A", .trace = 1, .id = 3, .parent = 2,
                              .at = 0, .received = 10800});
    send(&world);
    wait_s(&world, 10);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    assert_int_equal(changes_of(&world), 0);
    wait_s(&world, 30);
    assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    assert_true(where(&world, "A").finding.confidence < 0.5);
    assert_int_equal(changes_of(&world), 1);
    end(&world);
}

/* A span that failed breaks the journey at once; that the work is done again mends it. The
 * failure's own span does not name the order. */
static void test_failure(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    put(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    put(&world,
        (struct told){"mes", "price", .value = "A", .trace = 2, .id = 5, .at = 3, .error = "boom"});
    send(&world);
    assert_board(&world, "A", FG_JOURNEY_BROKEN, FG_CAUSE_ERROR);
    tell(&world, (struct told){"mes", "load", .trace = 2, .id = 6, .parent = 5, .at = 3,
                               .kind = FG_SPAN_KIND_INTERNAL, .error = "no model"});
    struct fg_verdict verdict = where(&world, "A");
    assert_true(fg_slice_equal(verdict.finding.place.name, FG_SLICE("load")));
    wait_s(&world, 5);
    assert_int_equal(verdict.recovered.cause, FG_CAUSE_NONE);
    tell(&world, (struct told){"mes", "price", .value = "A", .trace = 4, .at = 8});
    for (unsigned again = 0; again < 2; again++) {
        assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
        struct fg_recovery recovered = where(&world, "A").recovered;
        assert_int_equal(recovered.cause, FG_CAUSE_ERROR);
        assert_true(fg_slice_equal(recovered.place.name, FG_SLICE("load")));
        assert_int_equal(recovered.since_ns, world.begin_ns + 3001000000);
        assert_int_equal(recovered.until_ns, world.begin_ns + 8001000000);
        restart(&world);
    }
    end(&world);
}

static void test_restart(void **state)
{
    struct world world;
    struct fg_journeys_counters counters;
    (void)state;
    begin(&world, 1000);
    for (unsigned i = 0; i < 50; i++) {
        char value[16];
        snprintf(value, sizeof value, "O%u", i);
        put(&world, (struct told){"shop", "place", .value = value, .trace = 100 + i, .at = i});
        if (i % 2)
            put(&world, (struct told){"mes", "price", .trace = 100 + i, .at = i + 1,
                                      .error = i % 4 == 1 ? "boom" : NULL});
        if (i == 25) {
            send(&world);
            assert_int_equal(fg_store_seal(world.on.store), 0);
        }
    }
    send(&world);
    for (unsigned round = 0; round < 3; round++) {
        fg_journeys_counters(world.journeys, &counters);
        assert_int_equal(counters.count, 50);
        assert_int_equal(counters.by_state[FG_JOURNEY_BROKEN], 13);
        assert_int_equal(counters.by_state[FG_JOURNEY_FLOWING], 37);
        assert_board(&world, "O5", FG_JOURNEY_BROKEN, FG_CAUSE_ERROR);
        struct fg_verdict verdict = where(&world, "O7");
        assert_true(fg_slice_equal(verdict.last_step, FG_SLICE("priced")));
        restart(&world);
    }
    end(&world);
}

static void test_several_in_a_trace(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    put(&world, (struct told){"shop", "batch", .trace = 1, .id = 1, .at = 0});
    put(&world,
        (struct told){"shop", "place", .value = "A", .trace = 1, .id = 2, .parent = 1, .at = 0});
    put(&world,
        (struct told){"shop", "place", .value = "B", .trace = 1, .id = 3, .parent = 1, .at = 0});
    put(&world, (struct told){"mes", "price", .trace = 1, .id = 4, .parent = 3, .at = 1,
                              .kind = FG_SPAN_KIND_CONSUMER, .error = "boom"});
    send(&world);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    assert_board(&world, "B", FG_JOURNEY_BROKEN, FG_CAUSE_REJECTED);
    end(&world);
}

/* A sender with ever new keys: the records stay bounded, ended ones go first, and what there is no
 * room for is counted. Long values and keys that nobody watches make no journey. */
static void test_bounds(void **state)
{
    struct world world;
    struct fg_journeys_counters counters;
    struct fg_journey_answer answer;
    char value[FG_JOURNEY_VALUE_SIZE_MAX + 2];
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 5000});
    for (unsigned i = 0; i < 40; i++) {
        for (unsigned k = 0; k < 100; k++) {
            snprintf(value, sizeof value, "faulty-%u", i * 100 + k);
            put(&world, (struct told){"mes", k % 2 ? "ship" : "x", .value = value,
                                      .trace = 1000 + i * 100 + k, .at = i});
        }
        send(&world);
    }
    fg_journeys_counters(world.journeys, &counters);
    uint64_t in_memory = counters.count - counters.absent;
    assert_in_range(in_memory, world_is_durable ? 400 : 600, 1000);
    assert_int_equal(in_memory + counters.evicted, 4001);
    assert_int_equal(counters.count, world_is_durable ? 4001 : in_memory);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = 0;
    tell(&world, (struct told){"shop", "place", .value = value, .trace = 1, .at = 0});
    fg_journeys_counters(world.journeys, &counters);
    assert_int_equal(counters.long_values, 1);
    assert_int_equal(fg_journeys_where(world.journeys, FG_SLICE("order.id"), FG_SLICE("none"),
                                       &world.answers, &answer),
                     FG_ENOTFOUND);
    assert_int_equal(fg_journeys_where(world.journeys, FG_SLICE("customer.id"), FG_SLICE("1"),
                                       &world.answers, &answer),
                     FG_EINVALID);
    end(&world);
}

/* A key that some services send as a text and others as a number; beside it a faulty sender makes
 * more attributes than a sealed page has columns for, so that the key's name stands twice in its
 * page. Journeys of both kinds are found anew. */
static void test_two_types(void **state)
{
    struct world world;
    struct fg_journeys_counters counters;
    (void)state;
    begin(&world, 1000);
    for (unsigned i = 0; i < 20; i++) {
        char value[16];
        snprintf(value, sizeof value, "%u", 500 + i);
        put(&world, (struct told){"shop", "place", .value = value, .trace = 100 + i, .at = i});
    }
    for (unsigned i = 0; i < 4; i++)
        put(&world, (struct told){"bad", "junk", .trace = 150, .at = 25, .junk = 500,
                                  .junk_from = i * 500});
    for (unsigned i = 0; i < 20; i++)
        put(&world,
            (struct told){"mes", "price", .number = 500 + i, .trace = 200 + i, .at = 30 + i});
    send(&world);
    for (unsigned round = 0; round < 3; round++) {
        fg_journeys_counters(world.journeys, &counters);
        assert_int_equal(counters.count, 20);
        for (unsigned i = 0; i < 20; i++) {
            char value[16];
            snprintf(value, sizeof value, "%u", 500 + i);
            struct fg_verdict verdict = where(&world, value);
            assert_true(fg_slice_equal(verdict.last_step, FG_SLICE("priced")));
        }
        fg_journeys_close(world.journeys);
        if (round == 0)
            assert_int_equal(fg_store_seal(world.on.store), 0);
        else
            sim_store_restart(&world.on);
        open_again(&world);
    }
    end(&world);
}

/* What monitors see tells why, also when it was seen while nobody followed; their spans are of no
 * journey, whatever they carry, and teach no service. */
static void test_monitors(void **state)
{
    static const char *const db[] = {"db.system.name", "postgresql", "server.address", "db", NULL};
    static const char *const down[] = {"db.system.name",
                                       "postgresql",
                                       "server.address",
                                       "db",
                                       "monitor.name",
                                       "mes-db",
                                       "monitor.result",
                                       "down",
                                       "error.type",
                                       "unreachable",
                                       NULL};
    struct world world;
    struct fg_journeys_counters counters;
    (void)state;
    begin(&world, 1000);
    put(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    put(&world,
        (struct told){"mes", "take", .value = "A", .trace = 2, .id = 5, .at = 3, .open = true});
    put(&world, (struct told){"mes", "query", .trace = 2, .id = 6, .parent = 5, .at = 4,
                              .kind = FG_SPAN_KIND_CLIENT, .attrs = db, .open = true});
    put(&world,
        (struct told){"filigree-monitor", "postgresql mes-db", .value = "B", .trace = 3, .at = 5,
                      .kind = FG_SPAN_KIND_CLIENT, .attrs = down, .error = "no answer"});
    send(&world);
    wait_s(&world, 40);
    for (unsigned round = 0; round < 3; round++) {
        assert_board(&world, "A", FG_JOURNEY_STUCK, FG_CAUSE_UNREACHABLE);
        fg_journeys_counters(world.journeys, &counters);
        assert_int_equal(counters.count, 1);
        struct fg_verdict verdict = where(&world, "A");
        assert_int_equal(verdict.finding.evidence_count, 2);
        fg_journeys_close(world.journeys);
        if (round == 1)
            assert_int_equal(fg_store_seal(world.on.store), 0);
        sim_store_restart(&world.on);
        open_again(&world);
    }
    end(&world);
}

/* A page that asks for one order again and again makes more traces than are kept: what happened to
 * the order stays known. */
static void test_polled(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    put(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    put(&world, (struct told){"mes", "price", .value = "A", .trace = 2, .at = 1, .error = "boom"});
    send(&world);
    for (unsigned i = 0; i < 1000; i++) {
        put(&world, (struct told){"shop", "GET /order", .value = "A", .trace = 100 + i, .at = 2});
        if (i % 100 == 99)
            send(&world);
    }
    for (unsigned round = 0; round < 2; round++) {
        assert_board(&world, "A", FG_JOURNEY_BROKEN, FG_CAUSE_ERROR);
        struct fg_verdict verdict = where(&world, "A");
        assert_true(fg_slice_equal(verdict.last_step, FG_SLICE("placed")));
        assert_true(verdict.finding.confidence > 0.85);
        restart(&world);
    }
    end(&world);
}

/* Traces that name no key belong to a journey by a link or by a message's id, whichever comes
 * first; one that takes messages of two journeys belongs to both; one that names another's key does
 * not. */
static void test_joins(void **state)
{
    static const char *const message[] = {"messaging.message.id", "m-1", NULL};
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        struct world world;
        const struct told told[] = {
            {"shop", "place", .value = "A", .trace = 1, .id = 11, .at = 0},
            {"crm", "publish", .trace = 1, .id = 12, .parent = 11, .at = 1,
             .kind = FG_SPAN_KIND_PRODUCER, .attrs = message},
            {"mes", "price", .trace = 2, .id = 21, .at = 2, .kind = FG_SPAN_KIND_CONSUMER,
             .attrs = way & 1 ? message : NULL, .link_trace = way & 1 ? 0 : 1, .link_id = 12},
        };
        begin(&world, 1000);
        for (unsigned i = 0; i < 3; i++)
            tell(&world, told[way & 2 ? 2 - i : i]);
        for (unsigned round = 0; round < 2; round++) {
            struct fg_verdict verdict = where(&world, "A");
            assert_true(fg_slice_equal(verdict.last_step, FG_SLICE("priced")));
            assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
            if (round == 0)
                restart(&world);
        }
        end(&world);
    }
    struct world world;
    begin(&world, 1000);
    put(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .id = 11, .at = 0});
    put(&world, (struct told){"shop", "place", .value = "B", .trace = 2, .id = 12, .at = 0});
    put(&world, (struct told){"shop", "place", .value = "C", .trace = 3, .id = 13, .at = 0});
    put(&world, (struct told){"mes", "batch", .trace = 9, .id = 91, .at = 2, .link_trace = 1,
                              .kind = FG_SPAN_KIND_CONSUMER, .error = "boom"});
    put(&world, (struct told){"mes", "part", .trace = 9, .id = 92, .parent = 91, .at = 2,
                              .link_trace = 2, .kind = FG_SPAN_KIND_INTERNAL});
    put(&world, (struct told){"mes", "price", .value = "A", .trace = 4, .at = 3, .link_trace = 3});
    send(&world);
    assert_int_equal(where(&world, "A").finding.cause, FG_CAUSE_NONE);
    assert_board(&world, "B", FG_JOURNEY_BROKEN, FG_CAUSE_REJECTED);
    assert_true(fg_slice_equal(where(&world, "C").last_step, FG_SLICE("placed")));
    assert_board(&world, "C", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    end(&world);
}

/* A message that was refused and taken the second time is told as such, and one that was taken at
 * once, by two readers of one exchange, is not. */
static void test_taken_again(void **state)
{
    static const struct told spans[] = {
        {"shop", "place", .value = "A", .trace = 1, .id = 1, .at = 0},
        {"shop", "send orders", .trace = 1, .id = 2, .parent = 1, .at = 0,
         .kind = FG_SPAN_KIND_PRODUCER},
        {"mes", "process orders", .trace = 1, .id = 3, .parent = 2, .at = 1,
         .kind = FG_SPAN_KIND_CONSUMER, .error = "not now"},
        {"mes", "process orders", .trace = 1, .id = 4, .parent = 2, .at = 2,
         .kind = FG_SPAN_KIND_CONSUMER},
        {"shop", "send news", .trace = 1, .id = 5, .parent = 1, .at = 3,
         .kind = FG_SPAN_KIND_PRODUCER},
        {"mes", "process news", .trace = 1, .id = 6, .parent = 5, .at = 4,
         .kind = FG_SPAN_KIND_CONSUMER},
        {"crm", "process news", .trace = 1, .id = 7, .parent = 5, .at = 4,
         .kind = FG_SPAN_KIND_CONSUMER},
    };
    struct world world;
    struct fg_journey_answer answer;
    uint32_t queues = 0;
    (void)state;
    begin(&world, 1000);
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
        put(&world, spans[i]);
    send(&world);
    assert_int_equal(fg_journeys_where(world.journeys, FG_SLICE("order.id"), FG_SLICE("A"),
                                       &world.answers, &answer),
                     0);
    for (uint32_t i = 0; i < answer.stay_count; i++) {
        const struct fg_journey_stay *stay = &answer.stays[i];
        bool is_orders = fg_slice_equal(stay->operation, FG_SLICE("send orders"));
        if (!stay->is_queue)
            continue;
        assert_int_equal(stay->taken, is_orders ? 2 : 1);
        assert_int_equal(stay->taken_failed, is_orders ? 1 : 0);
        queues++;
    }
    assert_int_equal(queues, 2);
    end(&world);
}

/* Where messages were sent, and what became of them: one that was refused, one that waits, one that
 * no queue took, told by its own span and by what came back. */
static void test_queues(void **state)
{
    static const char *const to_orders[] = {"messaging.system", "rabbitmq",
                                            "messaging.destination.name", "orders", NULL};
    static const char *const nowhere[] = {
        "messaging.system", "rabbitmq", "messaging.destination.name", "news", "error.type",
        "NO_ROUTE",         NULL};
    static const struct told spans[] = {
        {"shop", "place", .value = "A", .trace = 1, .id = 1, .at = 0},
        {"shop", "send", .trace = 1, .id = 2, .parent = 1, .at = 0, .attrs = to_orders,
         .kind = FG_SPAN_KIND_PRODUCER},
        {"mes", "process", .trace = 1, .id = 3, .parent = 2, .at = 1, .attrs = to_orders,
         .kind = FG_SPAN_KIND_CONSUMER, .error = "not now"},
        {"mes", "process", .trace = 1, .id = 4, .parent = 2, .at = 2, .attrs = to_orders,
         .kind = FG_SPAN_KIND_CONSUMER, .error = "not now"},
        {"shop", "send", .trace = 1, .id = 5, .parent = 1, .at = 3, .attrs = to_orders,
         .kind = FG_SPAN_KIND_PRODUCER},
        {"shop", "tell", .trace = 1, .id = 6, .parent = 1, .at = 4, .attrs = nowhere,
         .kind = FG_SPAN_KIND_PRODUCER, .error = "312"},
        {"shop", "return", .trace = 1, .id = 7, .parent = 1, .at = 5, .attrs = nowhere,
         .kind = FG_SPAN_KIND_CLIENT, .error = "312"},
    };
    struct world world;
    struct fg_journey_answer answer;
    (void)state;
    begin(&world, 1000);
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
        put(&world, spans[i]);
    send(&world);
    assert_int_equal(fg_journeys_where(world.journeys, FG_SLICE("order.id"), FG_SLICE("A"),
                                       &world.answers, &answer),
                     0);
    assert_int_equal(answer.queue_count, 2);
    const struct fg_journey_queue *orders = &answer.queues[0], *news = &answer.queues[1];
    assert_true(fg_slice_equal(orders->name, FG_SLICE("orders")));
    assert_int_equal(orders->published, 2);
    assert_int_equal(orders->waiting, 1);
    assert_int_equal(orders->waiting_since_ns, world.begin_ns + 3001000000);
    assert_int_equal(orders->consumed, 0);
    assert_int_equal(orders->redelivered, 1);
    assert_int_equal(orders->rejected, 2);
    assert_int_equal(orders->returned, 0);
    assert_int_equal(orders->waited_ns, 999000000);
    assert_true(fg_slice_equal(news->name, FG_SLICE("news")));
    assert_int_equal(news->published, 0);
    assert_int_equal(news->returned, 2);
    bool is_told = false;
    for (uint32_t i = 0; i < answer.verdict.finding.evidence_count; i++) {
        const struct fg_evidence *one = &answer.verdict.finding.evidence[i];
        is_told |=
            one->value == 1 &&
            fg_slice_equal(one->text, FG_SLICE("times the broker delivered the message again"));
    }
    assert_true(is_told);
    end(&world);
}

/* A service that does not carry the key names it in a path, in its span's name or in the id of a
 * message. */
static void test_rules(void **state)
{
    static const char *const path[] = {"url.path", "/orders/A/price?x=1", NULL};
    static const char *const other[] = {"url.path", "/customers/A", NULL};
    static const char *const message[] = {"messaging.message.id", "B.price.7", NULL};
    struct world world;
    (void)state;
    world_flows = "keys:\n"
                  "  - {key: order.id, from: url.path, pattern: '^/orders/([^/?]+)'}\n"
                  "  - {key: parcel.id, from: name, pattern: 'parcel (.*)'}\n"
                  "  - {key: order.id, from: messaging.message.id, pattern: '^[^.]+'}\n"
                  "flows:\n"
                  "  - name: order\n"
                  "    key: order.id\n"
                  "    within: 30s\n"
                  "    steps:\n"
                  "      - {name: placed, when: 'service:shop name=place'}\n"
                  "      - {name: priced, when: 'service:mes name=price'}\n"
                  "      - {name: shipped, when: 'service:mes name=ship', ends: done}\n";
    begin(&world, 1000);
    put(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    put(&world, (struct told){"mes", "price", .trace = 2, .id = 21, .at = 1, .attrs = path});
    put(&world, (struct told){"mes", "look", .trace = 2, .id = 22, .parent = 21, .at = 1,
                              .kind = FG_SPAN_KIND_INTERNAL, .error = "boom"});
    put(&world, (struct told){"crm", "price", .trace = 3, .at = 1, .attrs = other, .error = "no"});
    put(&world, (struct told){"post", "parcel 17", .trace = 4, .at = 1});
    put(&world, (struct told){"shop", "place", .value = "B", .trace = 5, .at = 0});
    put(&world, (struct told){"mes", "price", .trace = 6, .at = 2, .attrs = message,
                              .kind = FG_SPAN_KIND_CONSUMER});
    send(&world);
    for (unsigned round = 0; round < 2; round++) {
        struct fg_journey_answer answer;
        assert_true(fg_slice_equal(where(&world, "A").last_step, FG_SLICE("priced")));
        assert_int_equal(where(&world, "A").finding.cause, FG_CAUSE_NONE);
        assert_true(fg_slice_equal(where(&world, "B").last_step, FG_SLICE("priced")));
        assert_int_equal(counters_of(&world).count, 3);
        assert_int_equal(fg_journeys_where(world.journeys, FG_SLICE("parcel.id"), FG_SLICE("17"),
                                           &world.answers, &answer),
                         0);
        if (round == 0)
            restart(&world);
    }
    world_flows = NULL;
    end(&world);
}

static void test_filters(void **state)
{
    struct world world;
    uint64_t count;
    (void)state;
    begin(&world, 1000);
    put(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 2, .error = "x"});
    put(&world, (struct told){"shop", "place", .value = "B", .trace = 2, .at = 1, .error = "x"});
    put(&world, (struct told){"shop", "place", .value = "C", .trace = 3, .at = 0});
    put(&world,
        (struct told){"pay", "take", .key = "payment.id", .value = "A", .trace = 4, .at = 0});
    put(&world, (struct told){"mes", "ship", .value = "D", .trace = 5, .at = 0});
    send(&world);
    const struct {
        struct fg_journey_filter filter;
        unsigned count;
    } cases[] = {
        {{0}, 5},
        {{.states = 1u << FG_JOURNEY_BROKEN}, 2},
        {{.states = 1u << FG_JOURNEY_BROKEN | 1u << FG_JOURNEY_FLOWING}, 4},
        {{.states = 1u << FG_JOURNEY_BROKEN | 1u << FG_JOURNEY_LATE}, 2},
        {{.states = 1u << FG_JOURNEY_LATE}, 0},
        {{.states = 1u << FG_JOURNEY_DONE}, 1},
        {{.states = 1u << FG_JOURNEY_DONE | 1u << FG_JOURNEY_CANCELLED}, 1},
        {{.states = 1u << FG_JOURNEY_DONE | 1u << FG_JOURNEY_BROKEN}, 3},
        {{.key = FG_SLICE("payment.id")}, 1},
        {{.place = FG_PLACE_APPLICATION}, 2},
        {{.place = FG_PLACE_DATABASE}, 0},
        {{.place_service = FG_SLICE("shop")}, 2},
        {{.place_service = FG_SLICE("pay")}, 0},
        {{.cause = FG_CAUSE_ERROR}, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct found found = {.count = 0};
        assert_int_equal(
            fg_journeys_list(world.journeys, &cases[i].filter, 1, find_row, &found, &count), 0);
        assert_int_equal(count, cases[i].count);
        assert_int_equal(found.count, cases[i].count ? 1 : 0);
    }
    struct found oldest = {.value = "B"};
    assert_int_equal(
        fg_journeys_list(world.journeys, &cases[1].filter, 1, find_row, &oldest, &count), 0);
    assert_int_equal(oldest.row.state, FG_JOURNEY_BROKEN);
    end(&world);
}

/* Who has to act is said of a journey that comes to a person, in the words of the verdict, and no
 * span is read for it. */
static void test_person(void **state)
{
    struct world world;
    (void)state;
    world_flows = "flows:\n"
                  "  - name: order\n"
                  "    key: order.id\n"
                  "    steps:\n"
                  "      - {name: placed, when: 'service:shop name=place'}\n"
                  "      - {name: approved, when: 'service:crm name=approve', label: Approved by "
                  "the seller, human: seller, within: 2d}\n"
                  "      - {name: shipped, when: 'service:mes name=ship', ends: done}\n";
    begin(&world, 1000);
    tell(&world, (struct told){"mes", "other", .trace = 50, .at = 0});
    uint64_t judged = counters_of(&world).judged;
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    for (unsigned round = 0; round < 2; round++) {
        const struct fg_journey_filter sellers = {.place_service = FG_SLICE("seller")};
        struct found found = {.value = "A"};
        uint64_t count;
        if (world.state)
            assert_int_equal(counters_of(&world).judged, round ? 0 : judged);
        assert_int_equal(fg_journeys_list(world.journeys, &sellers, 10, find_row, &found, &count),
                         0);
        assert_int_equal(count, 1);
        assert_board(&world, "A", FG_JOURNEY_WAITING, FG_CAUSE_WAITING);
        struct fg_verdict verdict = where(&world, "A");
        assert_true(fg_slice_equal(verdict.finding.text,
                                   FG_SLICE("seller has to act: Approved by the seller")));
        restart(&world);
    }
    tell(&world, (struct told){"crm", "approve", .value = "A", .trace = 2, .at = 5});
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    end(&world);
    world_flows = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_way),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_before_it_is_named),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_late_and_twice),
        cmocka_unit_test(test_failure_twice),
        cmocka_unit_test(test_clock_behind),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_several_in_a_trace),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_two_types),
        cmocka_unit_test(test_monitors),
        cmocka_unit_test(test_polled),
        cmocka_unit_test(test_joins),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_person),
        cmocka_unit_test(test_taken_again),
        cmocka_unit_test(test_queues),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_is_durable = true;
    return failed + cmocka_run_group_tests_name("durable", tests, NULL, NULL);
}
