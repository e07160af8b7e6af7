/* The records against a plain list: finding, traces, making room, and what is due. */
#include "sorted.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    assert_int_equal(fg_table_intern(table, key, name_of(i, text), &record, &is_new), 0);
    return record;
}

/* The next that is due; FG_NO_RECORD. */
static uint32_t due(struct fg_table *table, uint64_t now_ns)
{
    uint32_t record = FG_NO_RECORD;
    while (fg_table_due(table, now_ns, &record) && record == FG_NO_RECORD)
        ;
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
    assert_int_equal(fg_table_intern(&table, 0, FG_SLICE("ORD-0"), &record, &is_new), 0);
    assert_true(!is_new && record == 0);
    fg_table_free(&table);
}

static bool is_in(const struct fg_table *table, uint32_t record, uint64_t low)
{
    struct fg_trace_walk walk = fg_table_trace_walk(table, (struct fg_trace_ref){7, low});
    uint32_t found;
    do
        found = fg_table_trace_next(table, &walk);
    while (found != FG_NO_RECORD && found != record);
    return found == record;
}

/* Of more traces than are kept those go that don't matter, the oldest first; the first trace and
 * those that matter stay. */
static void test_traces(void **state)
{
    struct fg_table table;
    const uint64_t max = FG_JOURNEY_TRACES_MAX;
    (void)state;
    fg_table_init(&table, 1000);
    uint32_t a = put(&table, 0, 1), b = put(&table, 0, 2);
    for (uint64_t i = 1; i <= max + 5; i++) {
        assert_int_equal(fg_table_join(&table, a, (struct fg_trace_ref){7, i}), 0);
        assert_int_equal(fg_table_join(&table, a, (struct fg_trace_ref){7, i}), 0);
        if (i == 3 || i == 4)
            fg_table_mark(&table, a, (struct fg_trace_ref){7, i}, FG_TRACE_MATTERS);
    }
    assert_int_equal(fg_table_record(&table, a)->trace_count, max);
    assert_false(fg_table_record(&table, a)->more_traces);
    for (uint64_t i = 1; i <= max + 5; i++)
        assert_int_equal(is_in(&table, a, i), i == 1 || i == 3 || i == 4 || i > 8);
    assert_int_equal(fg_table_join(&table, b, (struct fg_trace_ref){7, 3}), 0);
    assert_true(is_in(&table, a, 3) && is_in(&table, b, 3));
    assert_int_equal(fg_table_trace(&table, (struct fg_trace_ref){8, 3}), FG_NO_RECORD);
    /* a page that asks for days: what is kept of it is bounded */
    for (uint64_t i = 1000; i < 40000; i++)
        assert_int_equal(fg_table_join(&table, a, (struct fg_trace_ref){7, i}), 0);
    assert_true(table.by_trace.slot_count < 4096);
    assert_true(is_in(&table, a, 3) && is_in(&table, a, 39999) && !is_in(&table, a, 30000));
    for (uint64_t i = 39900; i < 40100; i++) {
        assert_int_equal(fg_table_join(&table, a, (struct fg_trace_ref){7, i}), 0);
        fg_table_mark(&table, a, (struct fg_trace_ref){7, i}, FG_TRACE_MATTERS);
    }
    assert_true(fg_table_record(&table, a)->more_traces);
    assert_int_equal(fg_table_record(&table, a)->trace_count, max);
    fg_table_free(&table);
}

/* A trace that names no journey joins others', until it names one itself. */
static void test_join_other(void **state)
{
    struct fg_table table;
    const struct fg_trace_ref trace = {7, 1};
    bool is_new;
    (void)state;
    fg_table_init(&table, 1000);
    uint32_t a = put(&table, 0, 1), b = put(&table, 0, 2), c = put(&table, 0, 3);
    assert_int_equal(fg_table_join_other(&table, a, trace, &is_new), 0);
    assert_true(is_new);
    assert_int_equal(fg_table_join_other(&table, a, trace, &is_new), 0);
    assert_false(is_new);
    assert_int_equal(fg_table_join_other(&table, b, trace, &is_new), 0);
    assert_true(is_new);
    assert_int_equal(fg_table_join(&table, a, trace), 0);
    assert_int_equal(fg_table_join_other(&table, c, trace, &is_new), 0);
    assert_false(is_new);
    assert_true(is_in(&table, a, 1) && is_in(&table, b, 1) && !is_in(&table, c, 1));
    assert_int_equal(fg_table_record(&table, a)->trace_count, 1);
    fg_table_free(&table);
}

/* Ended ones go first, then those heard least lately; what stays is found as before, with its
 * traces and its plan. */
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
        fg_table_record(&table, id)->last_ns = 1000 - i;
        fg_table_record(&table, id)->state = i < 4 ? FG_JOURNEY_DONE : FG_JOURNEY_STUCK;
        assert_int_equal(fg_table_join(&table, id, (struct fg_trace_ref){1, i + 1}), 0);
        assert_int_equal(fg_table_plan(&table, id, 5000 + i), 0);
    }
    assert_int_equal(fg_table_intern(&table, 0, FG_SLICE("one more"), &record, &is_new), FG_ELIMIT);
    assert_int_equal(fg_table_choose(&table, 3), 0);
    fg_table_drop_dead(&table);
    assert_int_equal(table.count, 64 - 17);
    assert_int_equal(table.evicted, 17);
    for (unsigned i = 0; i < 64; i++) {
        bool stays = i >= 4 && i < 51;
        uint32_t id = fg_table_find(&table, 0, name_of(i, text));
        assert_true((id != FG_NO_RECORD) == stays);
        assert_int_equal(fg_table_trace(&table, (struct fg_trace_ref){1, i + 1}), id);
    }
    for (unsigned i = 4; i < 51; i++) {
        uint32_t id = due(&table, 10000);
        assert_true(fg_slice_equal(
            fg_slice(fg_table_record(&table, id)->value, fg_table_record(&table, id)->value_size),
            name_of(i, text)));
    }
    assert_int_equal(due(&table, 10000), FG_NO_RECORD);
    fg_table_free(&table);
}

/* A table whose bound is lowered keeps all that are not dropped, and takes none more. */
static void test_lower_bound(void **state)
{
    struct fg_table table;
    uint32_t record;
    bool is_new;
    (void)state;
    fg_table_init(&table, 200);
    for (unsigned i = 0; i < 200; i++)
        fg_table_mark_dead(&table, put(&table, 0, i), i % 4 == 0);
    table.count_max = 10;
    fg_table_drop_dead(&table);
    assert_int_equal(table.count, 150);
    assert_int_equal(fg_table_intern(&table, 0, FG_SLICE("one more"), &record, &is_new), FG_ELIMIT);
    fg_table_free(&table);
}

/* A record of the table as a plain list has it. */
struct plain {
    uint32_t id; /* FG_NO_RECORD: it is not there */
    unsigned traces;
    uint64_t look_ns;
    bool looks_to_learn, is_fixed;
};

static struct fg_trace_ref plain_trace(unsigned i, unsigned trace)
{
    return (struct fg_trace_ref){i + 1, trace + 1};
}

static void assert_plain(const struct fg_table *table, unsigned i, const struct plain *plain)
{
    char text[32];
    uint32_t id = fg_table_find(table, i % 2, name_of(i, text));
    for (unsigned trace = 0; trace < 6; trace++)
        assert_int_equal(fg_table_trace(table, plain_trace(i, trace)),
                         id != FG_NO_RECORD && trace < plain->traces ? id : FG_NO_RECORD);
    assert_true((id == FG_NO_RECORD) == (plain->id == FG_NO_RECORD));
    if (id == FG_NO_RECORD)
        return;
    const struct fg_record *record = fg_table_at(table, id);
    assert_non_null(record);
    assert_int_equal(record->look_ns, plain->look_ns);
    assert_int_equal(record->looks_to_learn, plain->looks_to_learn);
    if (plain->is_fixed)
        assert_int_equal(id, plain->id);
}

static bool is_there(const struct fg_record *record)
{
    return record != NULL;
}

/* Each that is of the set is found, from any number on, and none other. */
static void assert_set(const struct fg_table *table, enum fg_table_set set,
                       bool (*is_of_it)(const struct fg_record *record))
{
    uint32_t from = 0, count = 0;
    for (uint32_t id = 0; id < fg_table_end(table); id++) {
        const struct fg_record *record = fg_table_at(table, id);
        if (!record || !is_of_it(record))
            continue;
        assert_int_equal(fg_table_next(table, set, from, UINT32_MAX), id);
        assert_int_equal(fg_table_next(table, set, from, id), FG_NO_RECORD);
        assert_int_equal(fg_table_next(table, set, id, id + 1), id);
        from = id + 1;
        count++;
    }
    assert_int_equal(fg_table_next(table, set, from, fg_table_end(table)), FG_NO_RECORD);
    if (!table->is_dropping)
        assert_int_equal(fg_table_count(table, set), count);
    uint32_t each = 0;
    FG_TABLE_EACH (table, set, id)
        each++;
    assert_int_equal(each, count);
}

static void assert_all(const struct fg_table *table, const struct plain *all, unsigned count)
{
    uint32_t there = 0, seen = 0;
    for (unsigned i = 0; i < count; i++) {
        assert_plain(table, i, &all[i]);
        there += all[i].id != FG_NO_RECORD;
    }
    for (uint32_t id = 0; id < fg_table_end(table); id++)
        seen += fg_table_at(table, id) != NULL;
    assert_int_equal(table->count, there);
    assert_int_equal(seen, there);
    assert_set(table, FG_TABLE_ALL, is_there);
    assert_set(table, FG_TABLE_ENDED, fg_record_has_ended);
    assert_set(table, FG_TABLE_IN_TROUBLE, fg_record_is_in_trouble);
    assert_int_equal(fg_table_next(table, FG_TABLE_DEAD, 0, UINT32_MAX), FG_NO_RECORD);
}

static void come(struct fg_table *table, unsigned i, struct plain *plain)
{
    *plain = (struct plain){.id = put(table, i % 2, i), .traces = (unsigned)rand() % 6};
    for (unsigned trace = 0; trace < plain->traces; trace++)
        assert_int_equal(fg_table_join(table, plain->id, plain_trace(i, trace)), 0);
    struct fg_record *record = fg_table_record(table, plain->id);
    record->state = rand() % 20  ? FG_JOURNEY_FLOWING
                    : rand() % 2 ? FG_JOURNEY_STUCK
                                 : FG_JOURNEY_DONE;
    fg_table_see_state(table, plain->id);
    if (rand() % 3 == 0)
        return;
    plain->look_ns = 1 + (uint64_t)rand() % 1000;
    assert_int_equal(fg_table_plan(table, plain->id, plain->look_ns), 0);
    record->looks_to_learn = plain->looks_to_learn = rand() % 2 == 0;
    record->is_changed = plain->is_fixed = rand() % 1000 == 0;
}

/* Some go, in pieces: none of them is there from the first on, and all others are all the while. */
static void drop_some_of(struct fg_table *table, struct plain *all, unsigned count, unsigned share)
{
    uint64_t version = table->version;
    uint32_t at = 0, dead = 0;
    for (unsigned i = 0; i < count; i++)
        if (all[i].id != FG_NO_RECORD && (unsigned)rand() % 100 < share) {
            char text[32];
            uint32_t id = fg_table_find(table, i % 2, name_of(i, text));
            fg_table_mark_dead(table, id, true);
            all[i].id = FG_NO_RECORD;
            dead++;
        }
    assert_int_equal(fg_table_count(table, FG_TABLE_DEAD), dead);
    assert_int_equal(fg_table_begin_drop(table), dead);
    assert_true(table->version != version);
    for (bool is_over = false; !is_over; is_over = fg_table_drop_some(table, &at))
        assert_all(table, all, count);
    assert_all(table, all, count);
    assert_false(table->is_dropping);
}

static bool is_movable(const struct fg_record *record)
{
    return !record->is_changed;
}

/* What comes and goes is found by value and trace and has its plan, wherever it lies; and of many
 * that have gone the memory is given back. */
static void test_places(void **state)
{
    enum { COUNT = 3000 };
    static struct plain all[COUNT];
    struct fg_table table;
    (void)state;
    srand(3);
    fg_table_init(&table, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        all[i] = (struct plain){.id = FG_NO_RECORD};
    for (unsigned round = 0; round < 12; round++) {
        for (unsigned i = 0; i < COUNT; i++)
            if (all[i].id == FG_NO_RECORD && rand() % 4 != 0)
                come(&table, i, &all[i]);
        assert_all(&table, all, COUNT);
        assert_true(fg_table_end(&table) < COUNT + FG_BLOCK_RECORDS);
        drop_some_of(&table, all, COUNT, round % 3 == 2 ? 92 : 30);
        uint64_t version = table.version;
        uint32_t end = table.count + (uint32_t)rand() % 200, fixed = 0, moved = 0, calls = 0;
        for (uint32_t some; (some = fg_table_close_ranks(&table, end, 40, is_movable)) > 0;
             calls++) {
            assert_in_range(some, 1, 40);
            moved += some;
            assert_true(table.version != version);
            assert_all(&table, all, COUNT);
        }
        for (unsigned i = 0; i < COUNT; i++)
            fixed += all[i].id != FG_NO_RECORD && all[i].is_fixed;
        assert_true(round % 3 != 2 || (moved > 40 && calls > 1));
        assert_true(fixed > 0 || fg_table_end(&table) <= end + FG_BLOCK_RECORDS);
    }
    for (uint64_t now_ns = 1; now_ns <= 1001; now_ns++) /* each is due once, at its time */
        for (uint32_t id; (id = due(&table, now_ns)) != FG_NO_RECORD;) {
            const struct fg_record *record = fg_table_at(&table, id);
            char text[32];
            snprintf(text, sizeof text, "%.*s", (int)record->value_size, record->value);
            unsigned i = (unsigned)atoi(text + strlen("ORD-"));
            assert_int_equal(all[i].look_ns, now_ns);
            all[i].look_ns = 0;
        }
    for (unsigned i = 0; i < COUNT; i++)
        assert_true(all[i].id == FG_NO_RECORD || all[i].look_ns == 0);
    fg_table_free(&table);
}

/* What finds them is made wider beside what others read. */
static void test_widened(void **state)
{
    struct fg_table table;
    struct fg_table_maps maps;
    char text[32];
    (void)state;
    fg_table_init(&table, 1000);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(fg_table_join(&table, put(&table, 0, i), (struct fg_trace_ref){1, i + 1}),
                         0);
    assert_false(fg_table_has_room(&table, 5000, 1) || fg_table_has_room(&table, 1, 5000));
    assert_int_equal(fg_table_widened(&table, 5000, 9000, &maps), 0);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 300; i++) {
            assert_int_equal(fg_table_find(&table, 0, name_of(i, text)), i);
            assert_int_equal(fg_table_trace(&table, (struct fg_trace_ref){1, i + 1}), i);
        }
        assert_int_equal(fg_table_has_room(&table, 5000, 9000), round == 1);
        if (round == 0)
            fg_table_exchange(&table, &maps);
    }
    fg_table_free_maps(&maps);
    for (unsigned i = 300; i < 800; i++)
        put(&table, 0, i);
    for (uint64_t i = 1; i <= 96000; i++) /* a wide one that is nearly empty again gets narrow */
        assert_int_equal(fg_table_join(&table, (uint32_t)(i % 800), (struct fg_trace_ref){2, i}),
                         0);
    size_t slot_count = table.by_trace.slot_count;
    assert_false(fg_table_is_sparse(&table));
    for (unsigned i = 0; i < 790; i++)
        fg_table_mark_dead(&table, i, true);
    fg_table_drop_dead(&table);
    assert_true(fg_table_is_sparse(&table));
    assert_int_equal(fg_table_widened(&table, 100, 100, &maps), 0);
    fg_table_exchange(&table, &maps);
    fg_table_free_maps(&maps);
    assert_false(fg_table_is_sparse(&table));
    assert_true(table.by_trace.slot_count < slot_count / 8);
    for (unsigned i = 790; i < 800; i++)
        assert_int_equal(fg_table_find(&table, 0, name_of(i, text)), i);
    fg_table_free(&table);
}

static int rank(const struct fg_record *record)
{
    bool has_ended = record->state == FG_JOURNEY_DONE || record->state == FG_JOURNEY_CANCELLED;
    bool is_well = record->state == FG_JOURNEY_FLOWING || record->state == FG_JOURNEY_WAITING;
    return record->is_dirty ? 3 : has_ended ? 0 : is_well ? 1 : 2;
}

static bool is_worth_less(const struct fg_record *a, const struct fg_record *b)
{
    return rank(a) != rank(b) ? rank(a) < rank(b) : a->last_ns < b->last_ns;
}

/* Those that have ended and are in no doubt alone are chosen; then none is again. */
static void assert_ended(struct fg_table *table, unsigned count)
{
    uint32_t ended = 0;
    fg_table_choose_ended(table);
    for (unsigned i = 0; i < count; i++) {
        bool goes = rank(fg_table_record(table, i)) == 0;
        assert_int_equal(fg_table_is(table, FG_TABLE_DEAD, i), goes);
        fg_table_mark_dead(table, i, false);
        ended += goes;
    }
    assert_int_equal(fg_table_choose_ended(table), ended);
    for (unsigned i = 0; i < count; i++)
        fg_table_mark_dead(table, i, false);
}

/* Whatever states and times they have, alike ones among them: none that goes is worth more than one
 * that stays, and of all go a quarter, or those that are well up to so many eighths; or those alone
 * that have ended. */
static void test_choice(void **state)
{
    (void)state;
    srand(7);
    for (unsigned round = 0; round < 200; round++) {
        struct fg_table table;
        unsigned count = 1 + (unsigned)rand() % 120, states = 1 + (unsigned)rand() % 7, dead = 0,
                 well = 0, eighths = round % 2 ? 3 : 6;
        uint64_t spread = UINT64_C(1) << rand() % 63;
        fg_table_init(&table, 1000);
        for (unsigned i = 0; i < count; i++) {
            uint32_t id = put(&table, 0, i);
            struct fg_record *record = fg_table_record(&table, id);
            record->last_ns = ((uint64_t)rand() << 32 | (uint64_t)rand()) % spread;
            record->state = (uint8_t)((unsigned)rand() % states);
            record->is_dirty = rand() % 9 == 0;
            fg_table_see_state(&table, id);
            well += rank(record) < 2;
        }
        assert_ended(&table, count);
        assert_int_equal(fg_table_choose(&table, eighths), 0);
        for (unsigned a = 0; a < count; a++) {
            dead += fg_table_is(&table, FG_TABLE_DEAD, a);
            for (unsigned b = 0; b < count; b++)
                if (fg_table_is(&table, FG_TABLE_DEAD, a) && !fg_table_is(&table, FG_TABLE_DEAD, b))
                    assert_false(
                        is_worth_less(fg_table_record(&table, b), fg_table_record(&table, a)));
        }
        uint32_t quarter = count / 4 + 1 < count ? count / 4 + 1 : count;
        unsigned most = count * eighths / 8;
        assert_int_equal(dead, well < quarter || most < quarter ? quarter
                               : well < most                    ? well
                                                                : most);
        fg_table_free(&table);
    }
}

/* Returns how many were due by now, by what is planned for each. */
static uint32_t take_due(struct fg_table *table, uint64_t now_ns, uint64_t at_ns[40])
{
    uint32_t count = 0;
    for (uint32_t id; (id = due(table, now_ns)) != FG_NO_RECORD; count++) {
        assert_in_range(at_ns[id], 1, now_ns);
        at_ns[id] = 0;
    }
    for (unsigned i = 0; i < 40; i++)
        assert_true(at_ns[i] == 0 || at_ns[i] > now_ns);
    return count;
}

/* Plans that replace each other or are given up, thousands of times, within a second and over
 * several: each record is due once, at its last plan. */
static void test_due(void **state)
{
    struct fg_table table;
    uint64_t at_ns[40] = {0}, now_ns = 0;
    uint32_t planned = 0;
    (void)state;
    fg_table_init(&table, 1000);
    srand(1);
    for (unsigned i = 0; i < 40; i++)
        put(&table, 0, i);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned i = (unsigned)rand() % 40;
        planned -= at_ns[i] > 0;
        at_ns[i] = rand() % 4 == 0 ? 0 : now_ns + 1 + (uint64_t)rand() % 4000 * FG_NS_PER_MS;
        planned += at_ns[i] > 0;
        if (at_ns[i])
            assert_int_equal(fg_table_plan(&table, i, at_ns[i]), 0);
        else
            fg_table_unplan(&table, i);
        assert_in_range(table.look_count, planned, 40);
        now_ns += (uint64_t)rand() % 20 * FG_NS_PER_MS;
        if (round % 7 == 0)
            planned -= take_due(&table, now_ns, at_ns);
    }
    uint64_t last_ns = 0;
    for (unsigned i = 0; i < planned; i++) {
        uint64_t next_ns = UINT64_MAX;
        for (unsigned k = 0; k < 40; k++)
            next_ns = at_ns[k] && at_ns[k] < next_ns ? at_ns[k] : next_ns;
        assert_int_equal(due(&table, next_ns - 1), FG_NO_RECORD);
        uint32_t id = due(&table, next_ns);
        assert_true(id != FG_NO_RECORD && at_ns[id] >= last_ns);
        last_ns = at_ns[id];
        at_ns[id] = 0;
    }
    assert_int_equal(due(&table, UINT64_MAX), FG_NO_RECORD);
    fg_table_free(&table);
}

static int compare_plainly(const struct fg_table *table, uint32_t a, uint32_t b)
{
    const struct fg_record *x = fg_table_record(table, a), *y = fg_table_record(table, b);
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return fg_slice_compare(fg_slice(x->value, x->value_size), fg_slice(y->value, y->value_size));
}

/* Values that are the beginnings of others, that hold zeros, and that begin alike or not. */
static void test_sort(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        struct fg_table table;
        uint32_t records[300], count = 0, record;
        bool is_new;
        fg_table_init(&table, 1000);
        for (unsigned i = 0; i < 300; i++) {
            uint8_t value[24] = "ORDER-----";
            size_t size = round % 4 * 3 + (unsigned)rand() % 12;
            for (size_t at = round % 4 * 3; at < size; at++)
                value[at] = (uint8_t)((unsigned)rand() % 3 * 127);
            uint32_t key = round % 5 ? 0 : (unsigned)rand() % 2;
            assert_int_equal(fg_table_intern(&table, key, fg_slice(value, size), &record, &is_new),
                             0);
            if (is_new)
                records[count++] = record;
        }
        fg_table_sort(&table, records, round == 7 ? 1 : count);
        for (uint32_t i = 1; i < count && round != 7; i++)
            assert_true(compare_plainly(&table, records[i - 1], records[i]) < 0);
        fg_table_free(&table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),   cmocka_unit_test(test_sort),
        cmocka_unit_test(test_traces), cmocka_unit_test(test_join_other),
        cmocka_unit_test(test_room),   cmocka_unit_test(test_lower_bound),
        cmocka_unit_test(test_places), cmocka_unit_test(test_widened),
        cmocka_unit_test(test_choice), cmocka_unit_test(test_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
