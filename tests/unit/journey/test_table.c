/* The records against a plain list: finding, traces, making room, and what is due. */
#include "table.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fg_slice name_of(unsigned i, char text[32])
{
    return fg_slice(text, (size_t)snprintf(text, 32, "ORD-%u", i));
}

static uint32_t put(struct fg_table *table, uint32_t key, unsigned i)
{
    char text[32];
    uint32_t record;
    bool is_new;
    assert_int_equal(fg_table_intern(table, key, name_of(i, text), 4, &record, &is_new), 0);
    return record;
}

static void test_find(void **state)
{
    struct fg_table table;
    char text[32];
    uint32_t record;
    bool is_new;
    (void)state;
    fg_table_init(&table, 1000);
    for (unsigned i = 0; i < 500; i++)
        assert_int_equal(put(&table, i % 2, i), i);
    for (unsigned i = 0; i < 500; i++) {
        assert_int_equal(fg_table_find(&table, i % 2, name_of(i, text)), i);
        assert_int_equal(fg_table_find(&table, 1 - i % 2, name_of(i, text)), FG_NO_RECORD);
    }
    assert_int_equal(fg_table_intern(&table, 0, FG_SLICE("ORD-0"), 4, &record, &is_new), 0);
    assert_true(!is_new && record == 0);
    fg_table_free(&table);
}

static void test_traces(void **state)
{
    struct fg_table table;
    (void)state;
    fg_table_init(&table, 1000);
    uint32_t a = put(&table, 0, 1), b = put(&table, 0, 2);
    for (uint64_t i = 1; i <= FG_JOURNEY_TRACES_MAX + 5; i++) {
        assert_int_equal(fg_table_join(&table, a, (struct fg_trace_ref){7, i}), 0);
        assert_int_equal(fg_table_join(&table, a, (struct fg_trace_ref){7, i}), 0);
    }
    assert_int_equal(table.records[a].trace_count, FG_JOURNEY_TRACES_MAX);
    assert_true(table.records[a].more_traces);
    assert_int_equal(fg_table_join(&table, b, (struct fg_trace_ref){7, 3}), 0);
    uint32_t m = fg_table_trace(&table, (struct fg_trace_ref){7, 3});
    assert_int_equal(table.memberships[m].record, a);
    assert_int_equal(table.memberships[table.memberships[m].next].record, b);
    m = fg_table_trace(&table, (struct fg_trace_ref){7, 4});
    assert_int_equal(table.memberships[m].next, FG_NO_RECORD);
    assert_int_equal(fg_table_trace(&table, (struct fg_trace_ref){8, 3}), FG_NO_RECORD);
    fg_table_free(&table);
}

/* Ended ones go first, then those heard least lately; what stays is found under its new number,
 * with its traces and its plan. */
static void test_room(void **state)
{
    struct fg_table table;
    char text[32];
    uint32_t record;
    bool is_new;
    (void)state;
    fg_table_init(&table, 64);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t id = put(&table, 0, i);
        table.records[id].last_ns = 1000 - i;
        table.records[id].state = i < 4 ? FG_JOURNEY_DONE : FG_JOURNEY_STUCK;
        assert_int_equal(fg_table_join(&table, id, (struct fg_trace_ref){1, i + 1}), 0);
        assert_int_equal(fg_table_plan(&table, id, 5000 + i), 0);
    }
    assert_int_equal(fg_table_intern(&table, 0, FG_SLICE("one more"), 4, &record, &is_new),
                     FG_ELIMIT);
    assert_int_equal(fg_table_make_room(&table), 0);
    assert_int_equal(table.count, 64 - 9);
    assert_int_equal(table.evicted, 9);
    for (unsigned i = 0; i < 64; i++) {
        bool stays = i >= 4 && i < 59;
        uint32_t id = fg_table_find(&table, 0, name_of(i, text));
        uint32_t m = fg_table_trace(&table, (struct fg_trace_ref){1, i + 1});
        assert_true((id != FG_NO_RECORD) == stays && (m != FG_NO_RECORD) == stays);
        if (stays)
            assert_int_equal(table.memberships[m].record, id);
    }
    for (unsigned i = 4; i < 59; i++) {
        uint32_t id = fg_table_due(&table, 10000);
        assert_true(fg_slice_equal(fg_slice(table.records[id].value, table.records[id].value_size),
                                   name_of(i, text)));
    }
    assert_int_equal(fg_table_due(&table, 10000), FG_NO_RECORD);
    fg_table_free(&table);
}

/* Plans that replace each other, thousands of times: each record is due once, at its last plan. */
static void test_due(void **state)
{
    struct fg_table table;
    uint64_t at_ns[40];
    (void)state;
    fg_table_init(&table, 1000);
    srand(1);
    for (unsigned i = 0; i < 40; i++)
        put(&table, 0, i);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned i = (unsigned)rand() % 40;
        at_ns[i] = 1 + (uint64_t)rand() % 1000000;
        assert_int_equal(fg_table_plan(&table, i, at_ns[i]), 0);
        assert_true(table.look_count <= 4 * 40 + 1024 + 1);
    }
    uint64_t last_ns = 0;
    for (unsigned i = 0; i < 40; i++) {
        uint32_t id = fg_table_due(&table, 1000001);
        assert_true(id != FG_NO_RECORD && at_ns[id] >= last_ns);
        last_ns = at_ns[id];
        at_ns[id] = 0;
    }
    assert_int_equal(fg_table_due(&table, 1000001), FG_NO_RECORD);
    fg_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
