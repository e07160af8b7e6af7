/* store/instances.h: what is lost is counted once, where it was lost; what comes late is found
 * again; who is silent, ended or dead is told apart; the table stays bounded. */
#include "store/instances.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND FG_NS_PER_SECOND
#define START  (1000 * SECOND)

static struct fg_instances *instances;

static int begin(void **state)
{
    (void)state;
    assert_int_equal(fg_instances_new(4, &instances), 0);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fg_instances_free(instances);
    return 0;
}

/* An export at a second after the start of its process, by both clocks. */
static struct fg_instance_note note_of(const char *name, uint64_t sequence, uint64_t at)
{
    struct fg_instance_note note = {.started_ns = START,
                                    .sequence = sequence,
                                    .alive_ns = START + at * SECOND,
                                    .heartbeat_ns = 30 * SECOND};
    fg_instance_text_set(&note.service, FG_SLICE("shop"));
    fg_instance_text_set(&note.instance, fg_slice_from_string(name));
    return note;
}

static void hear(const struct fg_instance_note *note)
{
    fg_instances_note(instances, note, note->alive_ns);
}

static void hear_number(const char *name, uint64_t sequence, uint64_t at)
{
    struct fg_instance_note note = note_of(name, sequence, at);
    hear(&note);
}

struct found {
    const char *name;
    struct fg_instance instance;
    enum fg_instance_state state;
    uint32_t count;
};

static bool take(void *arg, const struct fg_instance *instance, enum fg_instance_state state)
{
    struct found *found = arg;
    struct fg_slice name = fg_instance_text_slice(&instance->last.instance);
    if (found->name && !fg_slice_equal(name, fg_slice_from_string(found->name)))
        return true;
    found->instance = *instance;
    found->state = state;
    found->count++;
    return true;
}

static struct found look(const char *name, uint64_t at)
{
    struct found found = {.name = name};
    const struct fg_instance_filter all = {.to_ns = UINT64_MAX};
    fg_instances_list(instances, &all, START + at * SECOND, take, &found);
    return found;
}

static uint64_t lost(const char *name, enum fg_loss_kind kind)
{
    struct found found = look(name, 0);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < found.instance.loss_count; i++)
        if (found.instance.losses[i].kind == kind)
            sum += found.instance.losses[i].count;
    /* Both ways of telling it agree while nothing was forgotten. */
    assert_int_equal(sum, found.instance.lost[kind]);
    return sum;
}

static struct fg_instance_sum sum(uint64_t from, uint64_t to, uint64_t at)
{
    struct fg_instance_filter filter = {.service = FG_SLICE("shop"),
                                        .from_ns = START + from * SECOND,
                                        .to_ns = START + to * SECOND};
    struct fg_instance_sum sum;
    fg_instances_sum(instances, &filter, START + at * SECOND, &sum);
    return sum;
}

static void test_a_hole_is_a_loss(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 5; i++)
        hear_number("a", i, i);
    hear_number("a", 5, 5); /* a retry */
    hear_number("a", 3, 6);
    assert_int_equal(lost("a", FG_LOSS_EXPORTS), 0);
    hear_number("a", 9, 20);
    struct found found = look("a", 20);
    assert_int_equal(lost("a", FG_LOSS_EXPORTS), 3);
    assert_int_equal(found.instance.exports, 6);
    assert_int_equal(found.instance.loss_count, 1);
    assert_int_equal(found.instance.losses[0].from_ns, START + 5 * SECOND);
    assert_int_equal(found.instance.losses[0].to_ns, START + 21 * SECOND);
    /* Only who asks for that time is told. */
    assert_int_equal(sum(0, 4, 20).lost[FG_LOSS_EXPORTS], 0);
    assert_int_equal(sum(10, 12, 20).lost[FG_LOSS_EXPORTS], 3);
    assert_int_equal(sum(22, 30, 20).lost[FG_LOSS_EXPORTS], 0);
    assert_int_equal(sum(10, 12, 20).count, 1);
}

static void test_late_is_not_lost(void **state)
{
    (void)state;
    hear_number("a", 1, 1);
    hear_number("a", 4, 2);
    hear_number("a", 2, 3);
    assert_int_equal(lost("a", FG_LOSS_EXPORTS), 1);
    hear_number("a", 2, 4);
    assert_int_equal(lost("a", FG_LOSS_EXPORTS), 1);
    hear_number("a", 3, 5);
    assert_int_equal(lost("a", FG_LOSS_EXPORTS), 0);
    assert_int_equal(look("a", 5).instance.loss_count, 0);
    assert_int_equal(look("a", 5).instance.exports, 4);
    struct fg_instance_totals totals;
    fg_instances_totals(instances, &totals);
    assert_int_equal(totals.lost[FG_LOSS_EXPORTS], 0);
    /* Past the window a hole is final. */
    hear_number("a", 6, 6);
    hear_number("a", 6 + FG_INSTANCE_WINDOW + 10, 7);
    uint64_t before = lost("a", FG_LOSS_EXPORTS);
    hear_number("a", 5, 8);
    assert_int_equal(lost("a", FG_LOSS_EXPORTS), before);
    assert_int_equal(before, 1 + FG_INSTANCE_WINDOW + 9);
}

/* What came before the server's start is not known, and is not lost. */
static void test_the_first_is_where_it_begins(void **state)
{
    (void)state;
    hear_number("a", 1000, 1);
    hear_number("a", 998, 2);
    hear_number("a", 1001, 3);
    struct found found = look("a", 3);
    assert_int_equal(found.instance.first_sequence, 1000);
    assert_int_equal(found.instance.exports, 2);
    assert_int_equal(lost("a", FG_LOSS_EXPORTS), 0);
}

static void test_drops(void **state)
{
    (void)state;
    struct fg_instance_note note = note_of("a", 1, 10);
    note.dropped_full = 7;
    hear(&note);
    assert_int_equal(lost("a", FG_LOSS_FULL), 7);
    assert_int_equal(look("a", 10).instance.losses[0].from_ns, START);
    note = note_of("a", 2, 20);
    note.dropped_full = 7;
    note.dropped_refused = 2;
    hear(&note);
    assert_int_equal(lost("a", FG_LOSS_FULL), 7);
    assert_int_equal(lost("a", FG_LOSS_REFUSED), 2);
    /* Soon again is one stretch, much later another. */
    note = note_of("a", 3, 30);
    note.dropped_full = 8;
    note.dropped_refused = 2;
    hear(&note);
    assert_int_equal(look("a", 30).instance.loss_count, 2);
    note = note_of("a", 4, 500);
    note.dropped_full = 8;
    note.dropped_refused = 2;
    hear(&note);
    note = note_of("a", 5, 510);
    note.dropped_full = 9;
    note.dropped_refused = 2;
    hear(&note);
    assert_int_equal(look("a", 510).instance.loss_count, 3);
    assert_int_equal(sum(0, 40, 510).lost[FG_LOSS_FULL], 8);
    assert_int_equal(sum(505, 506, 510).lost[FG_LOSS_FULL], 1);
    /* Only the newest stretches are kept, the sums all the same. */
    for (uint64_t i = 0; i < 20; i++) {
        note = note_of("a", 6 + 2 * i, 1000 + i * 200);
        note.dropped_full = 9 + i;
        hear(&note);
        note = note_of("a", 7 + 2 * i, 1001 + i * 200);
        note.dropped_full = 10 + i;
        hear(&note);
    }
    assert_int_equal(look("a", 0).instance.loss_count, FG_INSTANCE_LOSSES_MAX);
    assert_int_equal(look("a", 0).instance.lost[FG_LOSS_FULL], 29);
}

static void test_states(void **state)
{
    (void)state;
    hear_number("a", 1, 1);
    assert_int_equal(look("a", 60).state, FG_INSTANCE_RUNNING);
    assert_int_equal(look("a", 200).state, FG_INSTANCE_SILENT);
    hear_number("a", 2, 201);
    assert_int_equal(look("a", 202).state, FG_INSTANCE_RUNNING);

    struct fg_instance_note note = note_of("b", 1, 1);
    note.heartbeat_ns = 0;
    hear(&note);
    assert_int_equal(look("b", 1000000).state, FG_INSTANCE_RUNNING);

    note = note_of("a", 3, 210);
    fg_instance_text_set(&note.ended, FG_SLICE("the program ended"));
    hear(&note);
    assert_int_equal(look("a", 10000).state, FG_INSTANCE_ENDED);

    hear_number("c", 1, 1);
    note = note_of("c", 1, 50); /* the number that the server knows, the process did not any more */
    fg_instance_text_set(&note.ended, FG_SLICE("killed by SIGSEGV"));
    note.is_recovered = true;
    hear(&note);
    assert_int_equal(look("c", 60).state, FG_INSTANCE_DIED);

    struct fg_instance_sum all = sum(0, 5, 1000000);
    assert_int_equal(all.count, 3);
    assert_int_equal(all.states[FG_INSTANCE_DIED], 1);
    /* Who ended before the time that is asked for did not live in it. */
    assert_int_equal(sum(5000, 5001, 1000000).count, 1);
    const struct fg_instance_filter died = {
        .to_ns = UINT64_MAX, .has_state = true, .state = FG_INSTANCE_DIED};
    struct found found = {.name = NULL};
    fg_instances_list(instances, &died, START, take, &found);
    assert_int_equal(found.count, 1);
}

/* An id that a configuration fixes is another process each time. */
static void test_a_restart_is_another(void **state)
{
    (void)state;
    hear_number("a", 500, 1);
    struct fg_instance_note note = note_of("a", 1, 10);
    note.started_ns += 9 * SECOND;
    hear(&note);
    assert_int_equal(look("a", 10).count, 2);
    assert_int_equal(lost("a", FG_LOSS_EXPORTS), 0);
}

static void test_the_table_is_bounded(void **state)
{
    (void)state;
    char name[16];
    for (unsigned i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "i%u", i);
        hear_number(name, 1, i + 1);
        hear_number("keep", i + 1, i + 1);
    }
    struct fg_instance_totals totals;
    fg_instances_totals(instances, &totals);
    assert_int_equal(look(NULL, 10).count, 4);
    assert_int_equal(totals.forgotten, 7);
    assert_int_equal(look("keep", 10).instance.exports, 10);
    assert_int_equal(look("i9", 10).count, 1);
    assert_int_equal(look("i0", 10).count, 0);
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    char text[400];
    struct fg_instance_text cut;
    memset(text, 'x', sizeof text);
    fg_instance_text_set(&cut, fg_slice(text, sizeof text));
    assert_int_equal(fg_instance_text_slice(&cut).size, FG_INSTANCE_TEXT_MAX);
    memcpy(text + FG_INSTANCE_TEXT_MAX - 1, "\xc3\xa9", 2);
    fg_instance_text_set(&cut, fg_slice(text, sizeof text));
    assert_int_equal(fg_instance_text_slice(&cut).size, FG_INSTANCE_TEXT_MAX - 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(test_a_hole_is_a_loss),
        TEST(test_late_is_not_lost),
        TEST(test_the_first_is_where_it_begins),
        TEST(test_drops),
        TEST(test_states),
        TEST(test_a_restart_is_another),
        TEST(test_the_table_is_bounded),
        TEST(test_long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
