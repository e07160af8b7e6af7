/* Durable journeys that are erased, and what is pinned: nothing of the one is left on disk, all of
 * the other stays. */
#include "world.h"

#include "base/endian.h"
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What finds a record on disk: key's hash and value, under a hash of a trace. */
static void put_stray(struct world *world, const char *value)
{
    struct fg_state_batch *batch;
    uint32_t table;
    uint8_t row[64];
    size_t size = strlen(value);
    fg_store_be64(row, fg_hash(FG_SLICE("order.id")));
    memcpy(row + 8, value, size);
    assert_int_equal(fg_state_table(world->state, "journey_traces", &table), 0);
    assert_int_equal(fg_state_batch_new(world->state, &batch), 0);
    fg_state_put(batch, table, FG_SLICE("leftbehind12"), fg_slice(row, 8 + size));
    assert_int_equal(fg_state_commit_take(world->state, batch), 0);
}

static int ends_so(void *arg, struct fg_slice key, struct fg_slice value)
{
    (void)key;
    return value.size > 8 &&
           fg_slice_equal(fg_slice(value.data + 8, value.size - 8), fg_slice_from_string(arg));
}

static bool finds(struct world *world, const char *value)
{
    const struct fg_slice all = {0};
    struct fg_state_view *view;
    uint32_t table;
    assert_int_equal(fg_state_table(world->state, "journey_traces", &table), 0);
    assert_int_equal(fg_state_view_take(world->state, &view), 0);
    int r = fg_state_each(view, table, all, all, ends_so, (void *)(uintptr_t)value, NULL);
    fg_state_view_release(view);
    assert_true(r >= 0);
    return r > 0;
}

/* Any but O3. */
static bool finds_others(struct world *world)
{
    bool found = false;
    for (unsigned i = 0; !found && i < 60; i++)
        found = i != 3 && finds(world, order_name(i));
    return found;
}

static int is_of(void *arg, const struct fg_journey_change *change)
{
    return fg_slice_equal(change->value, fg_slice_from_string(arg));
}

/* Whether it is told that something of this journey changed. */
static bool has_change(struct world *world, const char *value)
{
    return fg_journeys_changes(world->journeys, 0, is_of, (void *)(uintptr_t)value) > 0;
}

/* What was erased is told by no record, in memory or on disk; what is left of it is. */
static void test_erased(void **state)
{
    struct world world;
    struct fg_journey_answer answer;
    uint64_t count;
    const struct fg_predicate is_price = {.op = FG_PRED_EQ,
                                          .field = FG_FIELD_NAME,
                                          .type = FG_VALUE_STRING,
                                          .string = FG_SLICE("price")},
                              is_b = {.op = FG_PRED_EQ,
                                      .field = FG_FIELD_ATTR_SPAN,
                                      .key = FG_SLICE("order.id"),
                                      .type = FG_VALUE_STRING,
                                      .string = FG_SLICE("O3")};
    (void)state;
    for (unsigned room = 16; room <= 1000; room += 984) { /* on disk alone; in memory */
        begin(&world, room);
        for (unsigned i = 0; i < 60; i++) {
            const char *error = i == 3 || i == 7 ? "boom" : NULL;
            put(&world, (struct told){"shop", "place", .value = order_name(i), .error = error,
                                      .trace = 100 + i});
            if (i % 4 == 3)
                send(&world);
        }
        tell(&world, (struct told){"mes", "price", .value = "O2", .trace = 300, .at = 1});
        assert_true(fg_slice_equal(where(&world, "O2").last_step, FG_SLICE("priced")));
        assert_int_equal(fg_store_erase(world.on.store, 0, &is_price, false, &count), 0);
        assert_int_equal(count, 1);
        assert_int_equal(world.gone.names.size, 0); /* it came back */
        assert_true(has_change(&world, "O3"));
        assert_true(fg_slice_equal(where(&world, "O2").last_step, FG_SLICE("placed")));
        put_stray(&world, "O3");
        assert_true(finds(&world, "O3"));
        assert_int_equal(fg_store_erase(world.on.store, 0, &is_b, true, &count), 0);
        assert_int_equal(count, 1);
        assert_false(finds(&world, "O3"));
        assert_true(finds_others(&world) || room > 60);
        assert_true(fg_gone_has(&world.gone, FG_SLICE("order.id"), FG_SLICE("O3")));
        assert_false(fg_gone_has(&world.gone, FG_SLICE("order.id"), FG_SLICE("O2")));
        assert_false(world.gone.all);
        assert_false(has_change(&world, "O3"));
        assert_true(has_change(&world, "O7"));
        for (unsigned round = 0; round < 2; round++) {
            assert_int_equal(counters_of(&world).count, 59);
            assert_int_equal(fg_journeys_where(world.journeys, FG_SLICE("order.id"), FG_SLICE("O3"),
                                               &world.answers, &answer),
                             FG_ENOTFOUND);
            restart(&world);
        }
        end(&world);
    }
}

/* One that has ended, is on disk alone, and is erased by its name with its traces: it goes once. */
static void test_erased_when_ended(void **state)
{
    struct world world;
    uint64_t erased;
    const unsigned count = 200;
    const struct fg_predicate is_it = {.op = FG_PRED_EQ,
                                       .field = FG_FIELD_ATTR_SPAN,
                                       .key = FG_SLICE("order.id"),
                                       .type = FG_VALUE_STRING,
                                       .string = FG_SLICE("O5")};
    (void)state;
    begin(&world, 64);
    for (unsigned i = 0; i < count; i++) {
        put(&world, (struct told){"shop", "place", .value = order_name(i), .trace = 1000 + i});
        put(&world,
            (struct told){"mes", "ship", .value = order_name(i), .trace = 1000 + i, .at = 1});
        if (i % 4 == 3)
            send(&world);
    }
    for (unsigned i = 0; i < 60; i++)
        wait_s(&world, 1);
    assert_int_equal(heard_s(&world, "O5"), 0); /* not in memory */
    assert_int_equal(fg_store_erase(world.on.store, 0, &is_it, true, &erased), 0);
    assert_int_equal(erased, 2);
    assert_true(fg_gone_has(&world.gone, FG_SLICE("order.id"), FG_SLICE("O5")));
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(counters_of(&world).count, count - 1);
        assert_int_equal(counters_of(&world).by_state[FG_JOURNEY_DONE], count - 1);
        restart(&world);
    }
    end(&world);
}

/* A record outlives its spans; asked by its name it goes nevertheless, for good. */
static void test_erased_without_spans(void **state)
{
    struct world world;
    struct fg_journey_answer answer;
    struct fg_retention retention = {.age_ns = FG_NS_PER_DAY};
    uint64_t count;
    const struct fg_predicate is_number = {.op = FG_PRED_EQ,
                                           .field = FG_FIELD_ATTR_SPAN,
                                           .key = FG_SLICE("order.id"),
                                           .type = FG_VALUE_INT,
                                           .integer = 4711};
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"shop", "place", .number = 4711, .trace = 1});
    tell(&world, (struct told){"shop", "place", .value = "O1", .trace = 2});
    fg_sim_advance(world.on.sim, 3 * FG_NS_PER_DAY);
    fg_store_set_retention(world.on.store, &retention);
    assert_int_equal(fg_store_seal(world.on.store), 0);
    assert_int_equal(fg_store_settle(world.on.store), 0);
    restart(&world);
    assert_int_equal(counters_of(&world).count, 2);
    assert_int_equal(fg_store_erase(world.on.store, 0, &is_number, false, &count), 0);
    assert_int_equal(count, 0);
    assert_true(fg_gone_has(&world.gone, FG_SLICE("order.id"), FG_SLICE("4711")));
    restart(&world);
    assert_int_equal(counters_of(&world).count, 1);
    assert_int_equal(fg_journeys_where(world.journeys, FG_SLICE("order.id"), FG_SLICE("4711"),
                                       &world.answers, &answer),
                     FG_ENOTFOUND);
    end(&world);
}

static bool is_pinned(struct world *world, const char *key, const char *value)
{
    struct fg_journey_answer answer;
    fg_arena_reset(&world->answers);
    assert_int_equal(fg_journeys_where(world->journeys, fg_slice_from_string(key),
                                       fg_slice_from_string(value), &world->answers, &answer),
                     0);
    assert_int_equal(answer.trace_count, 1);
    return fg_journeys_is_pinned(world->journeys, 0, answer.traces[0].id_high,
                                 answer.traces[0].id_low);
}

/* Traces of who is under way by a flow, and of who is in trouble, outlive their retention, in
 * memory and on disk alone; of who ended, and of what never ends, they don't. */
static void test_pinned(void **state)
{
    struct world world;
    (void)state;
    for (unsigned room = 16; room <= 1000; room += 984) {
        begin(&world, room);
        for (unsigned i = 0; i < 60; i++) {
            put(&world, (struct told){"shop", "place", .value = order_name(i), .trace = 100 + i});
            if (i % 2)
                put(&world, (struct told){"mes", "ship", .value = order_name(i), .trace = 100 + i});
            if (i % 4 == 3)
                send(&world);
        }
        tell(&world, (struct told){"shop", "place", .value = "O60", .error = "boom", .trace = 160});
        assert_true(counters_of(&world).absent > 30 || room > 60);
        for (unsigned round = 0; round < 2; round++) {
            for (unsigned i = 0; i < 60; i++)
                assert_int_equal(is_pinned(&world, "order.id", order_name(i)), i % 2 == 0);
            assert_true(is_pinned(&world, "order.id", "O60"));
            assert_false(fg_journeys_is_pinned(world.journeys, 0, 77, 77));
            assert_false(fg_journeys_is_pinned(world.journeys, 1, 0, 100));
            restart(&world);
        }
        tell(&world,
             (struct told){"bank", "pay", .key = "payment.id", .value = "P1", .trace = 200});
        assert_false(is_pinned(&world, "payment.id", "P1")); /* what has no flow never ends */
        end(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_erased),
        cmocka_unit_test(test_erased_when_ended),
        cmocka_unit_test(test_erased_without_spans),
        cmocka_unit_test(test_pinned),
    };
    world_is_durable = true;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
