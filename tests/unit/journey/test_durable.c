/* Durable journeys: a start reads records and not spans, more of them than there is room for in
 * memory are bounded and found all the same, alarms come once, and whatever comes in whatever
 * order, they say what those say that are made anew. */
#include "journeys_internal.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What was judged is known after a start without a span being read; what came meanwhile is taken
 * from the log. */
static void test_no_rescan(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    for (unsigned i = 0; i < 50; i++)
        put(&world, (struct told){"shop", "place", .value = order_name(i), .trace = 100 + i,
                                  .at = 0, .error = i % 5 ? NULL : "boom"});
    send(&world);
    assert_int_equal(counters_of(&world).by_state[FG_JOURNEY_BROKEN], 10);
    put(&world, (struct told){"mes", "price", .value = "O7", .trace = 300, .at = 1});
    append(&world);
    restart(&world);
    struct fg_journeys_counters counters = counters_of(&world);
    assert_int_equal(counters.count, 50);
    assert_int_equal(counters.by_state[FG_JOURNEY_BROKEN], 10);
    assert_int_equal(counters.missed_spans, 0);
    assert_int_equal(counters.judged, 0);
    assert_true(fg_slice_equal(where(&world, "O7").last_step, FG_SLICE("priced")));
    assert_board(&world, "O5", FG_JOURNEY_BROKEN, FG_CAUSE_ERROR);
    end(&world);
}

struct seen {
    unsigned late, other;
    uint64_t after;
};

static int on_change(void *arg, const struct fg_journey_change *change)
{
    struct seen *seen = arg;
    seen->late += change->state == FG_JOURNEY_LATE;
    seen->other += change->state != FG_JOURNEY_LATE;
    seen->after = change->sequence;
    return 0;
}

/* A deadline that passes while nobody runs is found after the start, once those who could not send
 * have had time to try again; once: not again at the next. */
static void test_alarm_once(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"mes", "other", .trace = 50, .at = 0});
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    fg_journeys_close(world.journeys);
    fg_sim_advance(world.on.sim, 100 * FG_NS_PER_SECOND);
    for (unsigned round = 0; round < 3; round++) {
        struct seen seen = {0};
        open_again(&world);
        if (round == 0)
            assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
        wait_s(&world, 31);
        assert_int_equal(fg_journeys_changes(world.journeys, 0, on_change, &seen), 0);
        assert_int_equal(seen.late, round == 0);
        assert_int_equal(seen.other, 0);
        assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
        fg_journeys_close(world.journeys);
        if (round == 1)
            sim_store_restart(&world.on);
    }
    open_again(&world);
    end(&world);
}

/* A faulty sender makes a new key with each span: what is known before stays, what is kept of it is
 * bounded and counted, and when some of it is old enough to go others are followed again. */
static void test_flood(void **state)
{
    struct world world;
    struct fg_state_counters stored;
    struct fg_journey_answer answer;
    (void)state;
    world_state_size = (uint64_t)4 << 20;
    begin(&world, 1000);
    tell(&world, (struct told){"mes", "other", .trace = 50, .at = 0});
    tell(&world, (struct told){"shop", "place", .value = "REAL", .trace = 1, .at = 0});
    for (unsigned i = 0; i < 100; i++) {
        for (unsigned k = 0; k < 300; k++) {
            char value[32];
            snprintf(value, sizeof value, "faulty-%u", i * 300 + k);
            put(&world,
                (struct told){"mes", "x", .value = value, .trace = 1000 + i * 300 + k, .at = i});
        }
        send(&world);
        wait_s(&world, 1);
    }
    struct fg_journeys_counters counters = counters_of(&world);
    assert_true(counters.is_full);
    assert_true(counters.refused > 1000);
    assert_int_equal(counters.count + counters.refused, 30001);
    assert_true(counters.count - counters.absent <= 1000);
    assert_int_equal(counters.failed_commits, 0);
    fg_state_counters(world.state, &stored);
    assert_true(stored.used_bytes < stored.size_max);
    assert_int_equal(where(&world, "REAL").state, FG_JOURNEY_LATE);
    tell(&world, (struct told){"shop", "place", .value = "NEW", .trace = 2, .at = 100});
    assert_int_equal(fg_journeys_where(world.journeys, FG_SLICE("order.id"), FG_SLICE("NEW"),
                                       &world.answers, &answer),
                     FG_ENOTFOUND);
    tell(&world, (struct told){"mes", "price", .value = "REAL", .trace = 3, .at = 100});
    assert_int_equal(where(&world, "REAL").state, FG_JOURNEY_FLOWING);
    for (unsigned i = 0; i < 20; i++)
        wait_s(&world, 200);
    assert_false(counters_of(&world).is_full);
    tell(&world, (struct told){"shop", "place", .value = "NEW", .trace = 2, .at = 4150});
    assert_int_equal(where(&world, "NEW").state,
                     FG_JOURNEY_LATE); /* its first span was kept, too */
    assert_true(fg_slice_equal(where(&world, "REAL").last_step, FG_SLICE("priced")));
    end(&world);
    world_state_size = (uint64_t)64 << 20;
}

/* Nobody listened for 4 s when the deadline passed: who sends the step within 6 s of the start was
 * never late; who was late before stays so. */
static void test_nobody_listened(void **state)
{
    struct world world;
    struct seen seen = {0};
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"mes", "other", .trace = 50, .at = 0});
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    tell(&world, (struct told){"shop", "place", .value = "B", .trace = 2, .at = 20});
    wait_s(&world, 35);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    fg_journeys_close(world.journeys);
    fg_sim_advance(world.on.sim, 4 * FG_NS_PER_SECOND);
    open_again(&world);
    wait_s(&world, 4);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    tell(&world, (struct told){"mes", "price", .value = "A", .trace = 3, .at = 25});
    wait_s(&world, 2);
    assert_int_equal(fg_journeys_changes(world.journeys, 0, on_change, &seen), 0);
    assert_int_equal(seen.late, 0);
    wait_s(&world, 20);
    assert_board(&world, "B", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    fg_journeys_close(world.journeys);
    open_again(&world);
    assert_board(&world, "B", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    end(&world);
}

static uint64_t position_of(struct world *world, const char *name)
{
    uint64_t id, position;
    assert_int_equal(fg_state_position(world->state, name, &id, &position), 0);
    return position;
}

/* Spans are put into records on disk once in minutes; that somebody listens more often, so that a
 * crash does not look like minutes in which nobody did. */
static void test_listening_is_put_down(void **state)
{
    struct world world;
    bool is_quiet;
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    world.journeys->options.manual = false;
    uint64_t heard = position_of(&world, "journeys_heard"), read = position_of(&world, "journeys");
    const unsigned commit_s = FG_JOURNEY_COMMIT_NS / FG_NS_PER_SECOND;
    for (unsigned i = 1; i < commit_s - 2; i++) {
        put(&world, (struct told){"shop", "place", .value = order_name(i), .trace = 1 + i});
        append(&world);
        fg_sim_advance(world.on.sim, FG_NS_PER_SECOND);
        assert_int_equal(fg_journeys_go_round(world.journeys, 0, &is_quiet), 0);
        assert_int_equal(position_of(&world, "journeys"), read);
    }
    assert_in_range(position_of(&world, "journeys_heard") - heard,
                    (commit_s - 8) * FG_NS_PER_SECOND, (commit_s - 2) * FG_NS_PER_SECOND);
    fg_sim_advance(world.on.sim, 4 * FG_NS_PER_SECOND);
    assert_int_equal(fg_journeys_go_round(world.journeys, 0, &is_quiet), 0);
    assert_true(position_of(&world, "journeys") > read);
    world.journeys->options.manual = true;
    end(&world);
}

/* Far more open journeys than there is room for: none is lost, each is found, the deadlines of all
 * pass, their late spans (without the key, too) come to them, also over a start. */
static void test_more_than_memory(void **state)
{
    struct world world;
    const unsigned count = 1500;
    (void)state;
    begin(&world, 256);
    for (unsigned i = 0; i < count; i++) {
        put(&world,
            (struct told){"shop", "place", .value = order_name(i), .trace = 1000 + i, .at = i});
        if (i % 100 == 99)
            send(&world);
    }
    struct fg_journeys_counters counters = counters_of(&world);
    assert_int_equal(counters.count, count);
    assert_true(counters.absent >= count - 256);
    assert_int_equal(counters.refused, 0);
    restart(&world);
    for (unsigned i = 0; i < count; i += 7)
        assert_true(fg_slice_equal(where(&world, order_name(i)).last_step, FG_SLICE("placed")));
    /* by its trace alone */
    tell(&world, (struct told){"mes", "price", .trace = 1003, .at = 5});
    assert_true(fg_slice_equal(where(&world, "O3").last_step, FG_SLICE("priced")));
    for (unsigned i = 10; i < 60; i++)
        put(&world,
            (struct told){"mes", "ship", .value = order_name(i), .trace = 9000 + i, .at = 30});
    send(&world);
    counters = counters_of(&world);
    assert_int_equal(counters.count, count);
    assert_int_equal(counters.by_state[FG_JOURNEY_DONE], 50);
    assert_int_equal(counters.by_state[FG_JOURNEY_FLOWING], count - 50);
    fg_sim_advance(world.on.sim, 3000 * FG_NS_PER_SECOND);
    for (unsigned round = 0; round < 60; round++) { /* an eighth of what fits at once */
        wait_s(&world, 1);
        if (round == 3)
            restart(&world);
    }
    counters = counters_of(&world);
    assert_int_equal(counters.count, count);
    assert_int_equal(counters.by_state[FG_JOURNEY_FLOWING], 0);
    assert_int_equal(counters.by_state[FG_JOURNEY_LATE] + counters.by_state[FG_JOURNEY_STUCK],
                     count - 50);
    end(&world);
}

/* What has ended has nothing on disk to be found by but its name, and is written once. A late span
 * that names nothing comes to it by its trace's stored spans, one of a trace that joined it by a
 * link by what was noted of that. */
static void test_ended_and_heard_again(void **state)
{
    struct world world;
    const unsigned count = 200;
    (void)state;
    begin(&world, 64);
    for (unsigned i = 0; i < count; i++) {
        put(&world, (struct told){"shop", "place", .value = order_name(i), .trace = 1000 + i});
        put(&world, (struct told){"mes", "ship", .value = order_name(i), .trace = 1000 + i, .at = 1,
                                  .id = 7000 + i});
        if (i == 9)
            put(&world, (struct told){"mes", "other", .trace = 500, .at = 2, .link_trace = 1009,
                                      .link_id = 7009});
        if (i % 4 == 3)
            send(&world);
    }
    for (unsigned i = 0; i < 60; i++) /* until all have taught */
        wait_s(&world, 1);
    for (unsigned round = 0; round < 2; round++) {
        struct fg_journeys_counters counters = counters_of(&world);
        assert_int_equal(counters.by_state[FG_JOURNEY_DONE], count);
        assert_true(counters.absent >= count - 64);
        restart(&world);
        assert_int_equal(fg_store_seal(world.on.store), 0);
    }
    assert_int_equal(heard_s(&world, "O5"), 0);
    tell(&world, (struct told){"mes", "other", .trace = 1005, .at = 50});
    assert_int_equal(heard_s(&world, "O5"), 50);
    tell(&world, (struct told){"mes", "other", .trace = 1005, .at = 51});
    assert_int_equal(heard_s(&world, "O5"), 51);
    assert_in_range(counters_of(&world).traces_looked_up, 1, 2); /* it was evicted in between */
    tell(&world, (struct told){"mes", "other", .trace = 500, .at = 52});
    assert_int_equal(heard_s(&world, "O9"), 52);
    uint64_t looked_up = counters_of(&world).traces_looked_up;
    tell(&world, (struct told){"mes", "other", .trace = 9999, .at = 53});
    assert_int_equal(counters_of(&world).traces_looked_up, looked_up);
    end(&world);
}

/* Where all spans name their order, the traces that lead to it on disk are not written; one that
 * names none finds it by the stored spans, and its trace is written from then on. Where many name
 * none all are written again. */
static void test_all_are_named(void **state)
{
    struct world world;
    const unsigned count = 6000;
    (void)state;
    begin(&world, 256);
    for (unsigned i = 0; i < count; i++) {
        put(&world,
            (struct told){"shop", "place", .value = order_name(i), .trace = 10000 + i, .at = 0});
        put(&world,
            (struct told){"shop", "place", .value = order_name(i), .trace = 10000 + i, .at = 0});
        if (i % 100 == 99)
            send(&world);
    }
    unsigned rows = rows_of(&world, "journey_traces");
    assert_in_range(rows, 4000, 4500);
    assert_int_equal(counters_of(&world).traces_looked_up, 0);
    /* of two orders of one trace both are told of it, though memory has one of them */
    put(&world, (struct told){"shop", "place", .value = "TWIN", .trace = 10000 + 5500, .at = 1});
    put(&world, (struct told){"mes", "price", .trace = 10000 + 5500, .at = 2});
    put(&world, (struct told){"mes", "price", .trace = 10000 + 5000, .at = 2});
    send(&world);
    assert_int_equal(counters_of(&world).traces_looked_up, 2);
    assert_int_equal(heard_s(&world, "O5000"), 2);
    const struct fg_journey_filter all = {0};
    struct found twin = {.value = "O5500"};
    uint64_t listed;
    assert_int_equal(fg_journeys_list(world.journeys, &all, 1000, find_row, &twin, &listed), 0);
    assert_true(twin.row.first_ns > 0);
    for (unsigned i = 0; i < 600; i++) {
        put(&world,
            (struct told){"shop", "place", .value = order_name(20000 + i), .trace = 30000 + i});
        put(&world, (struct told){"mes", "other", .trace = 30000 + i});
        if (i % 100 == 99)
            send(&world);
    }
    assert_true(rows_of(&world, "journey_traces") >= rows + 300);
    unsigned unnamed = rows_of(&world, "journey_traces");
    for (unsigned i = 0; i < 600; i++) {
        put(&world,
            (struct told){"shop", "place", .value = order_name(40000 + i), .trace = 50000 + i});
        if (i % 100 == 99)
            send(&world);
    }
    assert_true(rows_of(&world, "journey_traces") >= unnamed + 300);
    end(&world);
}

struct aging {
    struct fg_state_batch *batch;
    uint32_t table;
    unsigned count;
};

/* A record as the version before wrote it: it does not say what leads to it. */
static int make_older(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct aging *aging = arg;
    uint8_t bytes[512];
    assert_true(value.size > 8 && value.size < sizeof bytes);
    memcpy(bytes, value.data, value.size);
    if ((bytes[4] & 8) == 0) /* it is not absent */
        return 0;
    bytes[0] = 3;
    bytes[4] &= (uint8_t)~32;
    bytes[value.size - 1] &= 3; /* the marks of its one trace */
    fg_state_put(aging->batch, aging->table, key, fg_slice(bytes, value.size));
    aging->count++;
    return 0;
}

/* Records of the version before are read, are found by all that leads to them, and leave nothing of
 * it when they end. */
static void test_older_records(void **state)
{
    struct world world;
    struct fg_state_view *view;
    struct aging aging = {.count = 0};
    const unsigned count = 200;
    (void)state;
    begin(&world, 64);
    for (unsigned i = 0; i < count; i++) {
        put(&world, (struct told){"shop", "place", .value = order_name(i), .trace = 1000 + i});
        if (i % 8 == 7)
            send(&world);
    }
    assert_true(counters_of(&world).absent >= count - 64);
    fg_journeys_close(world.journeys);
    assert_int_equal(fg_state_table(world.state, "journeys", &aging.table), 0);
    assert_int_equal(fg_state_batch_new(world.state, &aging.batch), 0);
    assert_int_equal(fg_state_view_take(world.state, &view), 0);
    assert_int_equal(fg_state_each(view, aging.table, (struct fg_slice){0}, (struct fg_slice){0},
                                   make_older, &aging, NULL),
                     0);
    fg_state_view_release(view);
    assert_int_equal(fg_state_commit_take(world.state, aging.batch), 0);
    assert_true(aging.count >= count - 64);
    open_again(&world);
    assert_int_equal(counters_of(&world).count, count);
    assert_int_equal(counters_of(&world).damaged, 0);
    tell(&world, (struct told){"mes", "price", .trace = 1003, .at = 5});
    assert_true(fg_slice_equal(where(&world, "O3").last_step, FG_SLICE("priced")));
    for (unsigned i = 0; i < count; i++) {
        put(&world,
            (struct told){"mes", "ship", .value = order_name(i), .trace = 1000 + i, .at = 6});
        if (i % 8 == 7)
            send(&world);
    }
    for (unsigned i = 0; i < 60; i++)
        wait_s(&world, 1);
    assert_int_equal(counters_of(&world).by_state[FG_JOURNEY_DONE], count);
    assert_int_equal(rows_of(&world, "journey_traces"), 0);
    assert_int_equal(rows_of(&world, "journey_looks"), 0);
    end(&world);
}

/* A twentieth of the time at most goes into reading stored traces for late spans that name nothing:
 * what comes when this second's is spent is passed over and counted, and with the next second's it
 * is found. */
static void test_lookups_are_bounded(void **state)
{
    struct world world;
    const unsigned count = 200;
    (void)state;
    begin(&world, 64);
    for (unsigned i = 0; i < count; i++) {
        put(&world, (struct told){"shop", "place", .value = order_name(i), .trace = 1000 + i});
        put(&world, (struct told){"mes", "ship", .value = order_name(i), .trace = 1000 + i, .at = 1,
                                  .id = 7000 + i});
        if (i % 4 == 3)
            send(&world);
    }
    for (unsigned i = 0; i < 60; i++)
        wait_s(&world, 1);
    restart(&world);
    assert_int_equal(fg_store_seal(world.on.store), 0);
    fg_sim_set_read_ns(world.on.sim, 60 * FG_NS_PER_MS);
    tell(&world, (struct told){"mes", "other", .trace = 1005, .at = 50});
    fg_sim_set_read_ns(world.on.sim, 0);
    struct fg_journeys_counters counters = counters_of(&world);
    assert_int_equal(counters.traces_looked_up, 1);
    assert_int_equal(counters.traces_passed_over, 0);
    for (unsigned i = 6; i < 9; i++)
        tell(&world, (struct told){"mes", "other", .trace = 1000 + i, .at = 50});
    counters = counters_of(&world);
    assert_int_equal(counters.traces_looked_up, 1);
    assert_int_equal(counters.traces_passed_over, 3);
    wait_s(&world, 1);
    tell(&world, (struct told){"mes", "other", .trace = 1006, .at = 51});
    assert_int_equal(counters_of(&world).traces_looked_up, 2);
    assert_int_equal(counters_of(&world).traces_passed_over, 3);
    assert_int_equal(heard_s(&world, "O5"), 50);
    assert_int_equal(heard_s(&world, "O6"), 51);
    assert_int_equal(heard_s(&world, "O7"), 0);
    end(&world);
}

/* The same spans, in random pieces, with starts in between, to a durable world with little room,
 * and to one that makes all anew: the same states at the end. */
static void test_like_anew(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 6; seed++) {
        struct world durable, anew;
        const unsigned orders = 300;
        srand(seed);
        begin(&durable, 128);
        world_is_durable = false;
        begin(&anew, 10000);
        world_is_durable = true;
        for (unsigned i = 0; i < 1200; i++) {
            static const char *const names[] = {"place", "price", "ship", "other"};
            unsigned order = (unsigned)rand() % orders, name = (unsigned)rand() % 4;
            struct told told = {name == 0 ? "shop" : "mes",
                                names[name],
                                .value = rand() % 4 ? order_name(order) : NULL,
                                .trace = 1000 + order * 3 + (unsigned)rand() % 3,
                                .at = rand() % 60,
                                .error = rand() % 12 ? NULL : "boom"};
            put(&durable, told);
            put(&anew, told);
            if (rand() % 40 == 0) {
                append(&durable);
                append(&anew);
                if (rand() % 2)
                    assert_int_equal(fg_journeys_step(durable.journeys), 0);
                if (rand() % 8 == 0)
                    assert_int_equal(fg_store_seal(durable.on.store), 0);
                if (rand() % 8 == 0)
                    restart(&durable);
            }
        }
        send(&durable);
        send(&anew);
        for (unsigned round = 0; round < 20; round++) {
            wait_s(&durable, 20);
            wait_s(&anew, 20);
        }
        struct fg_journeys_counters a = counters_of(&durable), b = counters_of(&anew);
        assert_int_equal(a.count, b.count);
        for (unsigned i = 0; i < FG_JOURNEY_STATE_COUNT; i++)
            if (a.by_state[i] != b.by_state[i])
                fail_msg("seed %u: %lu are %s, and %lu anew", seed, a.by_state[i],
                         fg_journey_state_name(i), b.by_state[i]);
        end(&durable);
        end(&anew);
    }
}

static bool is_priced(struct world *world, const char *value)
{
    const struct fg_journey_filter all = {0};
    struct found found = {.value = value};
    uint64_t count;
    assert_int_equal(fg_journeys_list(world->journeys, &all, 1000, find_row, &found, &count), 0);
    return fg_slice_equal(found.row.last_step, FG_SLICE("priced"));
}

/* What a span told before its trace named an order is known after a restart, unless the flow is
 * another then; what is erased is not. */
static void test_early_over_a_restart(void **state)
{
    static const char other_flow[] =
        "flows:\n  - name: order\n    key: order.id\n    steps:\n"
        "      - {name: placed, when: 'service:shop name=place'}\n"
        "      - {name: priced, when: 'service:mes name=other'}\n"
        "      - {name: shipped, when: 'service:mes name=ship', ends: done}\n";
    const struct fg_predicate is_price = {.op = FG_PRED_EQ,
                                          .field = FG_FIELD_NAME,
                                          .type = FG_VALUE_STRING,
                                          .string = FG_SLICE("price")};
    struct world world;
    uint64_t count;
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        begin(&world, 1000);
        tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
        tell(&world, (struct told){"mes", "price", .trace = 11, .at = 2});
        tell(&world, (struct told){"mes", "look", .trace = 12, .at = 2, .error = "boom"});
        assert_true(rows_of(&world, "journey_early") > 0);
        if (round == 1)
            set_flows(&world, other_flow);
        if (round == 2)
            assert_int_equal(fg_store_erase(world.on.store, 0, &is_price, false, &count), 0);
        if (round == 2)
            assert_int_equal(rows_of(&world, "journey_early"), 0);
        restart(&world);
        tell(&world, (struct told){"mes", "job", .value = "A", .trace = 11, .at = 3});
        assert_int_equal(is_priced(&world, "A"), round == 0);
        tell(&world, (struct told){"mes", "job", .value = "A", .trace = 12, .at = 3});
        if (round < 2)
            assert_board(&world, "A", FG_JOURNEY_BROKEN, FG_CAUSE_ERROR);
        end(&world);
    }
}

/* All anew: the same is found, and what is on disk is what a start finds. */
static void test_reindex(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 128);
    for (unsigned i = 0; i < 400; i++) {
        put(&world, (struct told){"shop", "place", .value = order_name(i), .trace = 1000 + i,
                                  .at = i, .error = i % 10 ? NULL : "boom"});
        if (i % 50 == 49)
            send(&world);
    }
    for (unsigned round = 0; round < 2; round++) {
        struct fg_journeys_counters before = counters_of(&world);
        assert_int_equal(fg_journeys_reindex(world.journeys), 0);
        assert_true(counters_of(&world).is_rebuilding);
        if (round) /* and is cut off before it began */
            restart(&world);
        assert_int_equal(fg_journeys_step(world.journeys), 0);
        struct fg_journeys_counters after = counters_of(&world);
        assert_false(after.is_rebuilding);
        assert_int_equal(after.count, 400);
        assert_int_equal(after.by_state[FG_JOURNEY_BROKEN], 40);
        assert_memory_equal(after.by_state, before.by_state, sizeof after.by_state);
        restart(&world);
        after = counters_of(&world);
        assert_int_equal(after.count, 400);
        assert_memory_equal(after.by_state, before.by_state, sizeof after.by_state);
    }
    end(&world);
}

/* Records of a store's spans that were stored before anybody followed. */
static void test_late_follower(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    fg_journeys_close(world.journeys);
    struct fg_state_batch *batch;
    assert_int_equal(fg_state_batch_new(world.state, &batch), 0);
    fg_state_delete_position(batch, FG_JOURNEYS_CONSUMER);
    assert_int_equal(fg_state_commit_take(world.state, batch), 0);
    put(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0, .error = "boom"});
    append(&world);
    assert_int_equal(fg_store_seal(world.on.store), 0);
    sim_store_restart(&world.on);
    open_again(&world);
    assert_int_equal(fg_journeys_step(world.journeys), 0);
    assert_board(&world, "A", FG_JOURNEY_BROKEN, FG_CAUSE_ERROR);
    end(&world);
}

/* A flow that was changed while journeys ran holds for them from the next start on. */
static void test_other_flow(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"mes", "other", .trace = 50, .at = 0});
    put(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    put(&world, (struct told){"mes", "price", .value = "A", .trace = 2, .at = 1});
    put(&world, (struct told){"mes", "price", .value = "B", .trace = 3, .at = 1});
    send(&world);
    assert_true(fg_slice_equal(where(&world, "A").expected_step, FG_SLICE("shipped")));
    set_flows(&world, "flows:\n"
                      "  - name: order\n"
                      "    key: order.id\n"
                      "    within: 2m\n"
                      "    steps:\n"
                      "      - {name: priced, when: 'service:mes name=price'}\n"
                      "      - {name: placed, when: 'service:shop name=place', ends: done}\n");
    restart(&world);
    assert_int_equal(fg_journeys_step(world.journeys), 0);
    assert_board(&world, "A", FG_JOURNEY_DONE, FG_CAUSE_NONE);
    assert_board(&world, "B", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    wait_s(&world, 60);
    assert_board(&world, "B", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    wait_s(&world, 80);
    assert_board(&world, "B", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    end(&world);
}

/* A flow is changed while journeys stand before the step that is new: it asks nothing of them for
 * the time before, and is said to be new; what did not change holds as it did. */
static void test_new_step(void **state)
{
    static const char changed[] =
        "flows:\n"
        "  - name: order\n"
        "    key: order.id\n"
        "    within: 30s\n"
        "    steps:\n"
        "      - {name: placed, when: 'service:shop name=place'}\n"
        "      - {name: checked, when: 'service:shop name=check'}\n"
        "      - {name: priced, when: 'service:mes name=price'}\n"
        "      - {name: shipped, when: 'service:mes name=ship', ends: done}\n";
    struct world world;
    struct seen seen = {0};
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"mes", "other", .trace = 50, .at = 0});
    for (unsigned i = 0; i < 50; i++) {
        char value[16];
        snprintf(value, sizeof value, "O-%u", i);
        put(&world, (struct told){"shop", "place", .value = value, .trace = 100 + i, .at = 0});
    }
    put(&world, (struct told){"mes", "price", .value = "FAR", .trace = 90, .at = 0});
    send(&world);
    wait_s(&world, 20);
    set_flows(&world, changed);
    restart(&world);
    wait_s(&world, 25); /* FAR is late, whose step is what it was */
    assert_int_equal(fg_journeys_changes(world.journeys, 0, on_change, &seen), 0);
    assert_int_equal(seen.late, 1);
    assert_board(&world, "FAR", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    assert_board(&world, "O-7", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    struct fg_verdict verdict = where(&world, "O-7");
    assert_true(fg_slice_equal(verdict.expected_step, FG_SLICE("checked")));
    assert_int_equal(verdict.finding.evidence_count, 1);
    assert_non_null(memmem(verdict.finding.evidence[0].text.data,
                           verdict.finding.evidence[0].text.size, "the flow was changed", 20));
    reopen(&world); /* that it is new is known over a start */
    wait_s(&world, 3);
    assert_board(&world, "O-7", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    wait_s(&world, 40);
    assert_board(&world, "O-7", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    end(&world);
}

/* In a page of a segment a key that is sometimes a text and sometimes a number is two columns, and
 * its name stands there twice: journeys of both forms are made anew, whichever is the rarer, and
 * one whose spans say it both ways is one. */
static void test_two_types(void **state)
{
    struct world world;
    (void)state;
    for (unsigned texts = 2; texts <= 60; texts += 58) {
        begin(&world, 1000);
        for (unsigned i = 0; i < 62; i++) {
            bool is_text = i < texts;
            uint64_t number = is_text ? 0 : 4000 + i;
            const char *value = is_text ? order_name(i) : NULL;
            put(&world,
                (struct told){"shop", "place", .value = value, .number = number, .trace = 100 + i});
            put(&world,
                (struct told){"mes", "price", .value = value, .number = number, .trace = 100 + i});
        }
        put(&world, (struct told){"shop", "place", .value = "7", .trace = 300});
        put(&world, (struct told){"mes", "price", .number = 7, .trace = 301, .at = 1});
        send(&world);
        assert_int_equal(fg_store_seal(world.on.store), 0);
        for (unsigned round = 0; round < 2; round++) {
            assert_int_equal(counters_of(&world).count, 63);
            assert_true(fg_slice_equal(where(&world, "O0").last_step, FG_SLICE("priced")));
            assert_true(fg_slice_equal(where(&world, "4061").last_step, FG_SLICE("priced")));
            assert_true(fg_slice_equal(where(&world, "7").last_step, FG_SLICE("priced")));
            assert_int_equal(fg_journeys_reindex(world.journeys), 0);
            assert_int_equal(fg_journeys_step(world.journeys), 0);
        }
        end(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_rescan),
        cmocka_unit_test(test_alarm_once),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_new_step),
        cmocka_unit_test(test_nobody_listened),
        cmocka_unit_test(test_listening_is_put_down),
        cmocka_unit_test(test_more_than_memory),
        cmocka_unit_test(test_ended_and_heard_again),
        cmocka_unit_test(test_all_are_named),
        cmocka_unit_test(test_older_records),
        cmocka_unit_test(test_lookups_are_bounded),
        cmocka_unit_test(test_like_anew),
        cmocka_unit_test(test_early_over_a_restart),
        cmocka_unit_test(test_reindex),
        cmocka_unit_test(test_late_follower),
        cmocka_unit_test(test_other_flow),
        cmocka_unit_test(test_two_types),
    };
    world_is_durable = true;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
