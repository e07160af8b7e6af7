/* What a head counts of its spans against the rule, written down a second time the slow way: of the
 * forms of a span the best counts, a call when both its spans are there, whatever the order in
 * which they came and whichever of the two heads they lie in. */
#include "base/limits.h"
#include "random_batch.h"
#include "sim_store.h"
#include "store/rollup.h"
#include "store_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define START     UINT64_C(1764000000000000000)
#define SPANS_MAX 4000
#define SERVICES  5u
#define CELLS_MAX 20000

enum form { FORM_NONE, FORM_OPEN, FORM_INTERRUPTED, FORM_ENDED, FORM_OTHER_END };

/* A form as it was sent. */
struct sent {
    uint64_t trace, id, parent;
    uint32_t service;
    enum form form;
    bool is_shared;
};

static struct sim_store on;
static struct sent sents[SPANS_MAX];
static uint32_t sent_count;

static struct fg_slice service_name(uint32_t service)
{
    static char names[SERVICES][8];
    snprintf(names[service], sizeof names[service], "s%u", service);
    return fg_slice_from_string(names[service]);
}

static uint64_t start_of(const struct sent *sent)
{
    return START + sent->id % 7 * FG_NS_PER_MINUTE;
}

static uint64_t end_of(const struct sent *sent)
{
    if (sent->form < FORM_ENDED)
        return 0;
    return start_of(sent) + (sent->form == FORM_ENDED ? 1000 : 5000000) * (1 + sent->id % 3);
}

static void append(const struct sent *list, uint32_t count)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    for (uint32_t i = 0; i < count; i++) {
        struct fg_value value = {.type = FG_VALUE_STRING, .bytes = service_name(list[i].service)};
        struct fg_span span = {.trace_id_low = list[i].trace,
                               .span_id = list[i].id,
                               .parent_span_id = list[i].parent,
                               .start_ns = start_of(&list[i]),
                               .end_ns = end_of(&list[i]),
                               .name = list[i].id % 2 ? FG_SLICE("odd") : FG_SLICE("even"),
                               .kind =
                                   list[i].is_shared ? FG_SPAN_KIND_SERVER : FG_SPAN_KIND_CLIENT};
        if (list[i].form == FORM_INTERRUPTED)
            span.marks |= FG_MARK_INTERRUPTED;
        if (list[i].is_shared)
            span.marks |= FG_MARK_SHARED;
        assert_int_equal(fg_builder_resource_begin(builder), 0);
        assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &value), 0);
        assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &span.resource), 0);
        assert_int_equal(fg_builder_scope_begin(builder), 0);
        assert_int_equal(
            fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &span.scope),
            0);
        assert_int_equal(fg_builder_span_begin(builder), 0);
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
        assert_true(sent_count < SPANS_MAX);
        sents[sent_count++] = list[i];
    }
    sim_store_append(&on, builder);
    fg_builder_free(builder);
}

/* -- The rule */

static bool is_same_span(const struct sent *a, const struct sent *b)
{
    return a->trace == b->trace && a->id == b->id && a->service == b->service &&
           a->is_shared == b->is_shared;
}

static enum form rank(enum form form)
{
    return form == FORM_OTHER_END ? FORM_ENDED : form;
}

/* Whether a form counts: the first of the best, and of ended ones each that differs. */
static bool counts(uint32_t at)
{
    const struct sent *sent = &sents[at];
    for (uint32_t i = 0; i < sent_count; i++) {
        if (i == at || !is_same_span(&sents[i], sent))
            continue;
        if (rank(sents[i].form) > rank(sent->form) || (sents[i].form == sent->form && i < at))
            return false;
    }
    return true;
}

/* The service that called; UINT32_MAX: none is there. */
static uint32_t caller_of(const struct sent *sent)
{
    uint32_t caller = UINT32_MAX;
    for (uint32_t i = 0; i < sent_count && sent->is_shared; i++)
        if (sents[i].trace == sent->trace && sents[i].id == sent->id && !sents[i].is_shared)
            return sents[i].service;
    for (uint32_t i = 0; i < sent_count; i++) {
        bool is_parent = sents[i].trace == sent->trace && sents[i].id == sent->parent;
        if (!sent->parent || !is_parent)
            continue;
        if (sents[i].service == sent->service)
            return sent->service;
        if (caller == UINT32_MAX)
            caller = sents[i].service;
    }
    return caller;
}

/* -- Lines of text, sorted, as both tell it */

struct lines {
    char text[CELLS_MAX][80];
    uint32_t count;
};

static struct lines expected, is;

static void add_line(struct lines *lines, const char *format, ...)
{
    va_list args;
    assert_true(lines->count < CELLS_MAX);
    va_start(args, format);
    vsnprintf(lines->text[lines->count++], sizeof lines->text[0], format, args);
    va_end(args);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void expect_all(void)
{
    expected.count = 0;
    for (uint32_t i = 0; i < sent_count; i++) {
        const struct sent *sent = &sents[i];
        uint64_t end_ns = end_of(sent), minute = (start_of(sent) - START) / FG_NS_PER_MINUTE;
        int bucket = end_ns ? (int)fg_histogram_bucket(end_ns - start_of(sent)) : -1;
        if (!counts(i))
            continue;
        add_line(&expected, "%lu s%u %s k%d b%d", minute, sent->service,
                 sent->id % 2 ? "odd" : "even",
                 sent->is_shared ? FG_SPAN_KIND_SERVER : FG_SPAN_KIND_CLIENT, bucket);
        uint32_t caller = caller_of(sent);
        if (caller != UINT32_MAX && caller != sent->service)
            add_line(&expected, "%lu s%u>s%u b%d", minute, caller, sent->service, bucket);
    }
    qsort(expected.text, expected.count, sizeof expected.text[0], compare_lines);
}

static void add_cell_lines(const struct fg_rollup_cell *cell, int bucket, uint64_t count)
{
    uint64_t minute =
        (cell->minute_ns - START / FG_NS_PER_MINUTE * FG_NS_PER_MINUTE) / FG_NS_PER_MINUTE;
    for (uint64_t i = 0; i < count; i++) {
        if (cell->is_edge)
            add_line(&is, "%lu %.*s>%.*s b%d", minute, (int)cell->caller.size,
                     (const char *)cell->caller.data, (int)cell->service.size,
                     (const char *)cell->service.data, bucket);
        else
            add_line(&is, "%lu %.*s %.*s k%d b%d", minute, (int)cell->service.size,
                     (const char *)cell->service.data, (int)cell->name.size,
                     (const char *)cell->name.data, cell->kind, bucket);
    }
}

static int on_cell(void *arg, const struct fg_rollup_cell *cell)
{
    (void)arg;
    assert_true(cell->count || cell->open_count); /* what was taken back leaves nothing */
    for (uint32_t i = 0; i < cell->bucket_count; i++)
        add_cell_lines(cell, (int)cell->buckets[i].bucket, cell->buckets[i].count);
    add_cell_lines(cell, -1, cell->open_count);
    return 0;
}

static void read_all(void)
{
    struct fg_rollup *rollup;
    is.count = 0;
    assert_int_equal(fg_rollup_new(&rollup), 0);
    assert_int_equal(fg_store_rollup(on.store, 0, 0, UINT64_MAX, rollup), 0);
    assert_int_equal(fg_rollup_each(rollup, on_cell, NULL), 0);
    fg_rollup_free(rollup);
    qsort(is.text, is.count, sizeof is.text[0], compare_lines);
}

static void check(const char *story)
{
    expect_all();
    read_all();
    for (uint32_t i = 0; i < is.count || i < expected.count; i++) {
        const char *a = i < expected.count ? expected.text[i] : "(nothing)";
        const char *b = i < is.count ? is.text[i] : "(nothing)";
        if (strcmp(a, b) != 0)
            fail_msg("%s: line %u: expected '%s', is '%s' (%u and %u lines)", story, i, a, b,
                     expected.count, is.count);
    }
}

static void begin(uint64_t seed)
{
    sent_count = 0;
    sim_store_open(&on, seed);
}

/* -- Cases */

static void a_retry_and_a_second_form_count_once(void **state)
{
    (void)state;
    begin(1);
    const struct sent open = {.trace = 1, .id = 2, .service = 1, .form = FORM_OPEN};
    struct sent ended = open;
    ended.form = FORM_ENDED;
    append(&open, 1);
    append(&open, 1);
    check("open twice");
    append(&ended, 1);
    check("ended");
    append(&ended, 1);
    append(&open, 1);
    check("a retry, and the open form once more");
    assert_int_equal(is.count, 1);
    ended.form = FORM_OTHER_END;
    append(&ended, 1);
    check("an end that differs");
    assert_int_equal(is.count, 2);
    sim_store_close(&on);
}

static void a_call_counts_when_both_have_met(void **state)
{
    (void)state;
    begin(2);
    const struct sent child = {.trace = 1, .id = 3, .parent = 2, .service = 1, .form = FORM_ENDED};
    const struct sent parent = {.trace = 1, .id = 2, .service = 0, .form = FORM_OPEN};
    const struct sent other = {.trace = 2, .id = 2, .service = 2, .form = FORM_ENDED};
    struct sent done = parent;
    done.form = FORM_ENDED;
    append(&child, 1);
    check("the child alone");
    append(&other, 1);
    check("another trace's");
    append(&parent, 1);
    check("its parent, open");
    assert_int_equal(is.count, 4);
    append(&done, 1);
    check("its parent, ended");
    assert_int_equal(is.count, 4);
    sim_store_close(&on);
}

/* with_halves: ids that two spans share. When those come to lie in two heads, they meet in a merge.
 */
static void random_sent(struct test_random *random, bool with_halves, struct sent *sent)
{
    uint64_t id = 1 + test_random_below(random, 12);
    *sent = (struct sent){.trace = 1 + test_random_below(random, 6), .id = id};
    /* A span has one parent and one service; halves of a shared id have two. */
    struct test_random fixed = {.state = sent->trace * 1000 + id};
    uint64_t parent = 1 + test_random_below(&fixed, 12);
    sent->parent = parent != id && test_random_chance(&fixed, 80) ? parent : 0;
    sent->service = test_random_below(&fixed, SERVICES);
    if (with_halves && test_random_chance(&fixed, 20) && test_random_chance(random, 50)) {
        sent->is_shared = true;
        sent->service = test_random_below(&fixed, SERVICES);
    }
    sent->form = (enum form)(FORM_OPEN + test_random_below(random, 4));
}

/* The active head becomes the sealing one, which stays. */
static void rotate(void)
{
    bool did;
    fg_commit_nudge(on.store, true);
    fg_commit_step(on.store, &did);
    assert_true(did);
}

static void lives(uint64_t seeds, bool with_two_heads)
{
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct test_random random = {.state = seed};
        char story[40];
        begin(seed);
        for (int step = 0; step < 30; step++) {
            struct sent list[6];
            uint32_t count = 1 + test_random_below(&random, 6);
            for (uint32_t i = 0; i < count; i++)
                random_sent(&random, !with_two_heads, &list[i]);
            append(list, count);
            snprintf(story, sizeof story, "seed %lu, step %d", seed, step);
            if (test_random_chance(&random, 30))
                check(story);
            if (with_two_heads && step == 15)
                rotate();
        }
        check(story);
        sim_store_close(&on);
    }
}

static void random_lives_in_one_head(void **state)
{
    (void)state;
    lives(60, false);
}

static void random_lives_in_two_heads(void **state)
{
    (void)state;
    lives(60, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_retry_and_a_second_form_count_once),
        cmocka_unit_test(a_call_counts_when_both_have_met),
        cmocka_unit_test(random_lives_in_one_head),
        cmocka_unit_test(random_lives_in_two_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
