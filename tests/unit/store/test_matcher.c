/* The matcher against a plain evaluator of the same sentences: random trees on random batches, as
 * they come, with strings that are there twice, with columns that were not decoded, and page after
 * page of one string epoch. */
#include "fail_alloc.h"
#include "plain_match.h"
#include "store/predicate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* -- Comparing */

static uint64_t matched_rows;

static void compare_on(struct fg_matcher *matcher, const struct fg_predicate *predicate,
                       const struct fg_batch *batch, uint32_t begin, uint32_t end)
{
    uint64_t bits[160];
    size_t words = (end - begin + 63) / 64;
    assert_true(words <= COUNT(bits));
    memset(bits, 0xa5, sizeof bits);
    assert_int_equal(fg_matcher_run(matcher, begin, end, bits), 0);
    for (uint32_t row = begin; row < end; row++) {
        bool found = bits[(row - begin) / 64] >> ((row - begin) % 64) & 1;
        assert_int_equal(found, plain_matches(batch, row, predicate));
        matched_rows += found;
    }
    if ((end - begin) % 64 != 0)
        assert_int_equal(bits[words - 1] >> ((end - begin) % 64), 0);
    if (words < COUNT(bits)) /* nothing beyond the last word */
        assert_true(bits[words] == UINT64_C(0xa5a5a5a5a5a5a5a5));
}

static void compare(struct predicate_maker *maker, const struct fg_batch *batch, int trees,
                    int depth)
{
    maker->batch = batch;
    for (int i = 0; i < trees; i++) {
        fg_arena_reset(&maker->arena);
        const struct fg_predicate *predicate = random_predicate(maker, depth);
        const char *message;
        assert_int_equal(fg_predicate_check(predicate, &maker->arena, &message), 0);
        struct fg_matcher *matcher;
        assert_int_equal(fg_matcher_new(predicate, &matcher), 0);
        assert_int_equal(fg_matcher_bind(matcher, batch), 0);
        compare_on(matcher, predicate, batch, 0, batch->span_count);
        uint32_t begin = test_random_below(&maker->random, batch->span_count);
        compare_on(matcher, predicate, batch, begin,
                   begin + test_random_below(&maker->random, batch->span_count - begin + 1));
        fg_matcher_free(matcher);
    }
}

static struct fg_builder *random_builder(uint64_t seed, uint32_t span_count, struct fg_batch *batch)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct random_batch_options options = random_batch_options_default(seed);
    struct fg_builder *builder;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    options.span_count = span_count;
    options.odd_percent = 15;
    random_batch_fill(builder, &options);
    fg_builder_view(builder, batch);
    return builder;
}

static struct predicate_maker new_maker(uint64_t seed)
{
    struct predicate_maker maker = {.random = {.state = seed}};
    fg_arena_init(&maker.arena, 1 << 20);
    return maker;
}

static void single_conditions_match_as_said(void **state)
{
    (void)state;
    struct predicate_maker maker = new_maker(1);
    struct fg_batch batch;
    struct fg_builder *builder = random_builder(1, 400, &batch);
    matched_rows = 0;
    compare(&maker, &batch, 3000, 0);
    assert_true(matched_rows > 10000); /* it was worth the while */
    fg_builder_free(builder);
    fg_arena_free(&maker.arena);
}

static void trees_match_as_said(void **state)
{
    (void)state;
    struct predicate_maker maker = new_maker(2);
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct fg_batch batch;
        struct fg_builder *builder = random_builder(seed, 1 + (uint32_t)seed * 37, &batch);
        compare(&maker, &batch, 100, 4);
        fg_builder_free(builder);
    }
    fg_arena_free(&maker.arena);
}

/* More rows than are evaluated at a time. */
static void many_rows_match_as_said(void **state)
{
    (void)state;
    struct predicate_maker maker = new_maker(3);
    struct fg_batch batch;
    struct fg_builder *builder = random_builder(77, 10000, &batch);
    compare(&maker, &batch, 20, 3);
    fg_builder_free(builder);
    fg_arena_free(&maker.arena);
}

/* Ids of a column, some of them moved to the second copy of their string. */
static uint32_t *doubled(struct predicate_maker *maker, const uint32_t *ids, uint32_t count,
                         uint32_t string_count)
{
    if (!ids)
        return NULL;
    uint32_t *copy = calloc(count + 1, sizeof *copy);
    assert_non_null(copy);
    for (uint32_t i = 0; i < count; i++)
        copy[i] = ids[i] + (test_random_below(&maker->random, 2) ? string_count : 0);
    return copy;
}

static void double_attrs(struct predicate_maker *maker, struct fg_attrs *attrs,
                         uint32_t string_count)
{
    uint64_t *values = calloc(attrs->count + 1, sizeof *values);
    assert_non_null(values);
    for (uint32_t i = 0; i < attrs->count; i++) {
        values[i] = attrs->value[i];
        if (fg_value_type_is_bytes(attrs->type[i]) && test_random_below(&maker->random, 2))
            values[i] += string_count;
    }
    attrs->key = doubled(maker, attrs->key, attrs->count, string_count);
    attrs->value = values;
}

static void discard(const void *memory)
{
    free((void *)(uintptr_t)memory);
}

static void strings_may_be_there_twice(void **state)
{
    (void)state;
    struct predicate_maker maker = new_maker(4);
    struct fg_batch batch;
    struct fg_builder *builder = random_builder(5, 300, &batch);
    uint32_t count = batch.string_count;
    struct fg_slice *strings = calloc(2 * count, sizeof *strings);
    assert_non_null(strings);
    memcpy(strings, batch.strings, count * sizeof *strings);
    memcpy(strings + count, batch.strings, count * sizeof *strings);
    batch.strings = strings;
    batch.string_count = 2 * count;
    batch.name = doubled(&maker, batch.name, batch.span_count, count);
    batch.status_message = doubled(&maker, batch.status_message, batch.span_count, count);
    batch.resource_service = doubled(&maker, batch.resource_service, batch.resource_count, count);
    batch.scope_name = doubled(&maker, batch.scope_name, batch.scope_count, count);
    batch.scope_version = doubled(&maker, batch.scope_version, batch.scope_count, count);
    batch.event_name = doubled(&maker, batch.event_name, batch.event_count, count);
    struct fg_attrs *attrs[] = {&batch.resource_attrs, &batch.scope_attrs, &batch.span_attrs,
                                &batch.event_attrs, &batch.link_attrs};
    for (size_t i = 0; i < COUNT(attrs); i++)
        double_attrs(&maker, attrs[i], count);

    compare(&maker, &batch, 1500, 0);
    compare(&maker, &batch, 200, 4);

    const void *made[] = {batch.strings,    batch.name,          batch.status_message,
                          batch.scope_name, batch.scope_version, batch.resource_service,
                          batch.event_name};
    for (size_t i = 0; i < COUNT(made); i++)
        discard(made[i]);
    for (size_t i = 0; i < COUNT(attrs); i++) {
        discard(attrs[i]->key);
        discard(attrs[i]->value);
    }
    fg_builder_free(builder);
    fg_arena_free(&maker.arena);
}

/* Every group of columns missing, alone and with others. */
static void columns_may_be_missing(void **state)
{
    (void)state;
    struct predicate_maker maker = new_maker(6);
    struct fg_batch whole;
    struct fg_builder *builder = random_builder(6, 130, &whole);
    for (uint32_t round = 0; round < 60; round++) {
        struct fg_batch batch = whole;
        uint32_t columns = round < 10 ? FG_COLUMNS_ALL & ~(1u << round)
                                      : test_random_below(&maker.random, FG_COLUMNS_ALL + 1);
        if ((columns & FG_COLUMNS_IDS) == 0)
            batch.trace_id_high = batch.trace_id_low = batch.span_id = batch.parent_span_id = NULL;
        if ((columns & FG_COLUMNS_TIMES) == 0)
            batch.start_ns = batch.end_ns = batch.received_ns = NULL;
        if ((columns & FG_COLUMNS_NAME) == 0)
            batch.name = NULL;
        if ((columns & FG_COLUMNS_RESOURCE) == 0)
            batch.resource = NULL;
        if ((columns & FG_COLUMNS_SCOPE) == 0)
            batch.scope = NULL;
        if ((columns & FG_COLUMNS_STATUS) == 0) {
            batch.kind = batch.status = NULL;
            batch.status_message = NULL;
        }
        if ((columns & FG_COLUMNS_MISC) == 0)
            batch.marks = NULL;
        if ((columns & FG_COLUMNS_SPAN_ATTRS) == 0)
            batch.span_attrs = (struct fg_attrs){0};
        if ((columns & FG_COLUMNS_EVENTS) == 0) {
            batch.event_begin = NULL;
            batch.event_count = 0;
            batch.event_attrs = (struct fg_attrs){0};
        }
        if ((columns & FG_COLUMNS_LINKS) == 0) {
            batch.link_begin = NULL;
            batch.link_count = 0;
            batch.link_attrs = (struct fg_attrs){0};
        }
        compare(&maker, &batch, 60, (int)(round % 3));
    }
    fg_builder_free(builder);
    fg_arena_free(&maker.arena);
}

/* One matcher goes over the pages of a segment: their first strings are shared, the others differ;
 * then over another segment's. */
static void what_is_remembered_holds_for_the_epoch_only(void **state)
{
    (void)state;
    struct predicate_maker maker = new_maker(7);
    struct fg_batch whole;
    struct fg_builder *builder = random_builder(8, 100, &whole);
    uint32_t count = whole.string_count;
    struct fg_batch pages[5];
    struct fg_slice *strings[5];
    static const uint64_t epochs[5] = {4, 4, 4, 9, 0};
    const uint32_t stable[5] = {count / 2, count / 3, count / 2, count / 2, count};
    for (int i = 0; i < 5; i++) {
        /* The same for those of epoch 4 as far as both promise; otherwise turned about. */
        uint32_t same = i < 3 ? stable[i] : 1;
        strings[i] = calloc(count, sizeof *strings[i]);
        assert_non_null(strings[i]);
        for (uint32_t j = 0; j < count; j++)
            strings[i][j] =
                whole.strings[j < same ? j : same + (j - same + 7u * (uint32_t)i) % (count - same)];
        pages[i] = whole;
        pages[i].strings = strings[i];
        pages[i].string_epoch = epochs[i];
        pages[i].stable_string_count = stable[i];
    }
    for (int round = 0; round < 400; round++) {
        fg_arena_reset(&maker.arena);
        maker.batch = &pages[test_random_below(&maker.random, 5)];
        const struct fg_predicate *predicate = random_predicate(&maker, 2);
        struct fg_matcher *matcher;
        assert_int_equal(fg_matcher_new(predicate, &matcher), 0);
        for (int step = 0; step < 8; step++) {
            const struct fg_batch *page = &pages[test_random_below(&maker.random, 5)];
            assert_int_equal(fg_matcher_bind(matcher, page), 0);
            compare_on(matcher, predicate, page, 0, page->span_count);
        }
        fg_matcher_free(matcher);
    }
    for (int i = 0; i < 5; i++)
        free(strings[i]);
    fg_builder_free(builder);
    fg_arena_free(&maker.arena);
}

/* -- Limits, memory */

static struct fg_builder *one_span(const char *name, struct fg_batch *batch)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    uint32_t id;
    limits.name_size_max = 1 << 20;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &id), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &id), 0);
    struct fg_span span = {.trace_id_low = 1, .span_id = 1, .name = fg_slice_from_string(name)};
    assert_int_equal(fg_builder_span_begin(builder), 0);
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
    fg_builder_view(builder, batch);
    return builder;
}

static int run_pattern(const char *pattern, const char *name, bool *ret_matches)
{
    struct fg_predicate leaf = {.op = FG_PRED_REGEX,
                                .field = FG_FIELD_NAME,
                                .type = FG_VALUE_STRING,
                                .string = fg_slice_from_string(pattern)};
    struct fg_batch batch;
    struct fg_builder *builder = one_span(name, &batch);
    struct fg_matcher *matcher;
    uint64_t bits = 0;
    assert_int_equal(fg_matcher_new(&leaf, &matcher), 0);
    assert_int_equal(fg_matcher_bind(matcher, &batch), 0);
    int r = fg_matcher_run(matcher, 0, 1, &bits);
    *ret_matches = bits & 1;
    fg_matcher_free(matcher);
    fg_builder_free(builder);
    return r;
}

static void patterns_that_run_away_are_stopped(void **state)
{
    (void)state;
    bool matches;
    assert_int_equal(run_pattern("^(a+)+$",
                                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
                                 &matches),
                     FG_ELIMIT);
    assert_int_equal(run_pattern("^(a+)+$", "aaaab", &matches), 0);
    assert_false(matches);
    /* What is long and harmless is not. */
    char *text = malloc(70000);
    assert_non_null(text);
    memset(text, 'a', 69999);
    text[69999] = 0;
    assert_int_equal(run_pattern("b|c.*d", text, &matches), 0);
    assert_false(matches);
    assert_int_equal(run_pattern("^a.*a$", text, &matches), 0);
    assert_true(matches);
    assert_int_equal(run_pattern("^(?:a|b)*$", text, &matches), 0);
    free(text);
    /* Text that is no UTF-8 is no character, and no danger. */
    assert_int_equal(run_pattern("^.$", "\xff", &matches), 0);
    assert_false(matches);
    assert_int_equal(run_pattern("b$", "\xc3\x28\xe2\x82 b", &matches), 0);
    assert_true(matches);
    assert_int_equal(run_pattern("^.\xc3\x9f$", "\xc3\x9f\xc3\x9f", &matches), 0);
    assert_true(matches);
}

static void memory_that_fails_is_said(void **state)
{
    (void)state;
    struct predicate_maker maker = new_maker(9);
    struct fg_batch batch;
    struct fg_builder *builder = random_builder(9, 200, &batch);
    maker.batch = &batch;
    for (int round = 0; round < 30; round++) {
        fg_arena_reset(&maker.arena);
        const struct fg_predicate *predicate = random_predicate(&maker, 3);
        bool is_over = false;
        for (uint64_t n = 1; !is_over; n++) {
            struct fg_matcher *matcher = NULL;
            uint64_t bits[4];
            fail_alloc_at(n, n % 2 == 0);
            int r = fg_matcher_new(predicate, &matcher);
            if (r == 0)
                r = fg_matcher_bind(matcher, &batch);
            if (r == 0)
                r = fg_matcher_run(matcher, 0, 200, bits);
            is_over = !fail_alloc_off();
            assert_true(r == 0 || (!is_over && r == FG_ENOMEM));
            /* A matcher that failed to bind can bind again. */
            if (matcher) {
                assert_int_equal(fg_matcher_bind(matcher, &batch), 0);
                compare_on(matcher, predicate, &batch, 0, 200);
            }
            fg_matcher_free(matcher);
        }
    }
    fg_matcher_free(NULL);
    fg_builder_free(builder);
    fg_arena_free(&maker.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_conditions_match_as_said),
        cmocka_unit_test(trees_match_as_said),
        cmocka_unit_test(many_rows_match_as_said),
        cmocka_unit_test(strings_may_be_there_twice),
        cmocka_unit_test(columns_may_be_missing),
        cmocka_unit_test(what_is_remembered_holds_for_the_epoch_only),
        cmocka_unit_test(patterns_that_run_away_are_stopped),
        cmocka_unit_test(memory_that_fails_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
