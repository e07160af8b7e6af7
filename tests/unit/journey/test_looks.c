/* What leads to records on disk, by a trace and by the time at which they are to be looked at. */
#include "world.h"

#include "base/endian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* Orders that come and go are led to on disk by one row a trace and one a deadline, however often
 * they are in memory in between; and by none when they have ended. */
static void test_rows_that_lead(void **state)
{
    struct world world;
    const unsigned count = 400;
    (void)state;
    begin(&world, 64);
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < count; i++) {
            put(&world, (struct told){"shop", round ? "more" : "place", .value = order_name(i),
                                      .trace = 1000 + round * count + i, .at = 0});
            if (i % 8 == 7)
                send(&world);
        }
    assert_in_range(rows_of(&world, "journey_looks"), count - 64, count);
    assert_in_range(rows_of(&world, "journey_traces"), 3 * (count - 64), 3 * count);
    for (unsigned i = 0; i < count; i++) {
        put(&world,
            (struct told){"mes", "price", .value = order_name(i), .trace = 1000 + i, .at = 1});
        if (i % 8 == 7)
            send(&world);
    }
    assert_in_range(rows_of(&world, "journey_looks"), count - 64, count);
    /* by a trace that was on disk twice */
    tell(&world, (struct told){"mes", "other", .trace = 1000 + count + 5, .at = 9});
    assert_int_equal(heard_s(&world, "O5"), 9);
    for (unsigned i = 0; i < count; i++) {
        put(&world,
            (struct told){"mes", "ship", .value = order_name(i), .trace = 1000 + i, .at = 2});
        if (i % 8 == 7)
            send(&world);
    }
    for (unsigned i = 0; i < 60; i++) /* until all have taught */
        wait_s(&world, 1);
    assert_int_equal(counters_of(&world).by_state[FG_JOURNEY_DONE], count);
    assert_int_equal(rows_of(&world, "journey_traces"), 0);
    assert_int_equal(rows_of(&world, "journey_looks"), 0);
    end(&world);
}

struct row {
    const char *value;
    uint64_t at_ns;
    unsigned count;
};

static int note_row(void *arg, struct fg_slice key, struct fg_slice value)
{
    struct row *row = arg;
    if (!fg_slice_equal(fg_slice(value.data + 8, value.size - 8), fg_slice_from_string(row->value)))
        return 0;
    row->at_ns = fg_load_be64(key.data);
    row->count++;
    return 0;
}

/* When the disk leads to an order for its look, after the begin, by one row; 0: never. */
static uint64_t listed_s(struct world *world, const char *value)
{
    struct fg_state_view *view;
    const struct fg_slice all = {0};
    struct row row = {.value = value};
    uint32_t table;
    assert_int_equal(fg_state_table(world->state, "journey_looks", &table), 0);
    assert_int_equal(fg_state_view_take(world->state, &view), 0);
    assert_int_equal(fg_state_each(view, table, all, all, note_row, &row, NULL), 0);
    fg_state_view_release(view);
    assert_true(row.count <= 1);
    return row.count == 0 ? 0 : (row.at_ns - world->begin_ns) / FG_NS_PER_SECOND;
}

/* Others that have to be looked at sooner. */
static void push_out(struct world *world, const char *value)
{
    for (unsigned i = 0; i < 200 && heard_s(world, value) > 0; i++) {
        put(world,
            (struct told){"shop", "place", .value = order_name(i), .trace = 1000 + i, .at = 40});
        if (i % 8 == 7)
            send(world);
    }
    assert_int_equal(heard_s(world, value), 0);
}

/* A deadline that is put off costs the disk nothing: the row of the earlier one stays, leads to the
 * record when its time has come, and is moved then. Nothing is judged before its time, and nothing
 * is forgotten, wherever the record is meanwhile and however often Filigree starts. */
static void test_looks_put_off(void **state)
{
    struct world world;
    (void)state;
    world_flows =
        "flows:\n"
        "  - name: order\n"
        "    key: order.id\n"
        "    steps:\n"
        "      - {name: placed, when: 'service:shop name=place'}\n"
        "      - {name: priced, when: 'service:mes name=price', within: 1m}\n"
        "      - {name: shipped, when: 'service:mes name=ship', within: 1h, ends: done}\n";
    for (unsigned is_in_memory = 0; is_in_memory < 2; is_in_memory++) {
        begin(&world, 16);
        tell(&world, (struct told){"mes", "other", .trace = 50, .at = 0});
        tell(&world, (struct told){"shop", "place", .value = "Z", .trace = 60, .at = 1});
        push_out(&world, "Z");
        assert_in_range(listed_s(&world, "Z"), 61, 70);
        tell(&world, (struct told){"mes", "price", .value = "Z", .trace = 61, .at = 2});
        push_out(&world, "Z");
        assert_in_range(listed_s(&world, "Z"), 61, 70);
        if (is_in_memory)
            tell(&world, (struct told){"mes", "other", .value = "Z", .trace = 62, .at = 3});
        assert_int_equal(heard_s(&world, "Z") > 0, is_in_memory);
        uint64_t judged = counters_of(&world).judged;
        wait_s(&world, 75);
        if (is_in_memory) /* whose own plan leads to it */
            assert_int_equal(listed_s(&world, "Z"), 0);
        else
            assert_in_range(listed_s(&world, "Z"), 3602, 3612);
        assert_int_equal(counters_of(&world).judged, judged);
        assert_int_equal(heard_s(&world, "Z") > 0, is_in_memory);
        restart(&world);
        assert_int_equal(counters_of(&world).by_state[FG_JOURNEY_LATE], 0);
        fg_sim_advance(world.on.sim, 3600 * FG_NS_PER_SECOND);
        for (unsigned round = 0; round < 40; round++)
            wait_s(&world, 1);
        assert_in_range(where(&world, "Z").state, FG_JOURNEY_LATE, FG_JOURNEY_STUCK);
        assert_int_equal(counters_of(&world).by_state[FG_JOURNEY_FLOWING], 0);
        end(&world);
    }
    world_flows = NULL;
}

/* What is due of a key that is not followed any more waits for it, and hides nothing of those that
 * are: 300 looks are due before the one of an order, and are there when the key is followed again.
 */
static void test_due_of_another_key(void **state)
{
    static const char orders[] =
        "flows:\n"
        "  - name: order\n"
        "    key: order.id\n"
        "    within: 5m\n"
        "    steps:\n"
        "      - {name: placed, when: 'service:shop name=place'}\n"
        "      - {name: priced, when: 'service:mes name=price', ends: done}\n";
    static const char parcels[] =
        "  - name: parcel\n"
        "    key: parcel.id\n"
        "    within: 30s\n"
        "    steps:\n"
        "      - {name: packed, when: 'service:post name=pack'}\n"
        "      - {name: sent, when: 'service:post name=send', ends: done}\n";
    struct world world;
    const unsigned parcel_count = 300;
    char both[sizeof orders + sizeof parcels];
    snprintf(both, sizeof both, "%s%s", orders, parcels);
    (void)state;
    world_flows = both;
    begin(&world, 16);
    world_flows = NULL;
    tell(&world, (struct told){"mes", "other", .trace = 50, .at = 0});
    for (unsigned i = 0; i < parcel_count; i++) {
        put(&world,
            (struct told){"post", "pack", "parcel.id", order_name(i), .trace = 1000 + i, .at = 0});
        if (i % 8 == 7)
            send(&world);
    }
    tell(&world, (struct told){"shop", "place", .value = "Z-LATE", .trace = 60, .at = 0});
    for (unsigned i = 0; i < 32; i++) { /* which puts it on disk */
        put(&world,
            (struct told){"shop", "place", .value = order_name(i), .trace = 2000 + i, .at = 200});
        if (i % 8 == 7)
            send(&world);
    }
    set_flows(&world, orders);
    restart(&world);
    assert_int_equal(counters_of(&world).by_state[FG_JOURNEY_LATE], 0);
    fg_sim_advance(world.on.sim, 320 * FG_NS_PER_SECOND);
    for (unsigned round = 0; round < 40;
         round++) /* who listens again waits for what is sent again */
        wait_s(&world, 1);
    assert_int_equal(counters_of(&world).by_state[FG_JOURNEY_LATE], 1);
    set_flows(&world, both);
    restart(&world);
    for (unsigned round = 0; round < 120; round++)
        wait_s(&world, 1);
    assert_int_equal(counters_of(&world).by_state[FG_JOURNEY_LATE], 1 + parcel_count);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_that_lead),
        cmocka_unit_test(test_looks_put_off),
        cmocka_unit_test(test_due_of_another_key),
    };
    world_is_durable = true;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
