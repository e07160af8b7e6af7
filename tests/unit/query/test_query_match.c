/* Deciding a query on a trace, and the plan, which says what of it the store can look for: random
 * queries on random traces against a plain evaluator. */
#include "plain_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROWS_MAX 200u

struct bench {
    struct predicate_maker maker;
    struct fg_arena scratch;
    struct fg_builder *builder;
    struct fg_batch batch;
    uint32_t rows[ROWS_MAX];
    struct plain_trace trace;
    struct fg_trace_summary summary;
};

/* One trace of span_count rows; mostly of several services, at times without a root. */
static void begin(struct bench *bench, uint64_t seed, uint32_t span_count)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct random_batch_options options = random_batch_options_default(seed);
    struct fg_builder *all;
    struct fg_remap *remap;
    struct fg_batch batch;
    bench->maker.random.state = seed;
    assert_int_equal(fg_builder_new(&limits, &all), 0);
    assert_int_equal(fg_builder_new(&limits, &bench->builder), 0);
    assert_int_equal(fg_remap_new(&remap), 0);
    options.span_count = 40 * span_count;
    options.trace_spans_max = 2 * span_count;
    options.odd_percent = 25;
    random_batch_fill(all, &options);
    fg_builder_view(all, &batch);
    assert_int_equal(fg_remap_begin(remap, bench->builder, &batch), 0);
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch.span_count && count < span_count; i++) {
        if (batch.trace_id_low[i] != batch.trace_id_low[0])
            break;
        assert_int_equal(fg_builder_copy(bench->builder, remap, &batch, i, 0), 0);
        bench->rows[count] = count;
        count++;
    }
    fg_builder_view(bench->builder, &bench->batch);
    fg_remap_free(remap);
    fg_builder_free(all);
    bench->trace = (struct plain_trace){&bench->batch, bench->rows, count};
    bench->maker.batch = &bench->batch;
    fg_arena_init(&bench->maker.arena, 1 << 20);
    fg_arena_init(&bench->scratch, 16 << 20);
    assert_int_equal(fg_trace_summarize(&bench->batch, &bench->scratch, &bench->summary), 0);
}

static void end(struct bench *bench)
{
    fg_builder_free(bench->builder);
    fg_arena_free(&bench->maker.arena);
    fg_arena_free(&bench->scratch);
}

static bool matches(struct bench *bench, const struct fg_query *query)
{
    struct fg_query_matcher *matcher;
    bool found = false;
    assert_int_equal(fg_query_matcher_new(query, &matcher), 0);
    assert_int_equal(
        fg_query_matches(matcher, &bench->batch, &bench->summary, 0, UINT64_MAX, &found), 0);
    fg_query_matcher_free(matcher);
    return found;
}

static bool plainly_matches(const struct bench *bench, const struct fg_query *query)
{
    for (uint32_t i = 0; i < bench->trace.count; i++)
        if (plain_query_matches(&bench->trace, i, query))
            return true;
    return false;
}

static void summaries_are_as_said(struct bench *bench)
{
    struct plain_summary plain = plain_summarize(&bench->trace);
    const struct fg_trace_summary *summary = &bench->summary;
    assert_true(summary->start_ns == plain.start_ns);
    assert_true(summary->duration_ns == plain.duration_ns);
    assert_int_equal(summary->error_count, plain.error_count);
    assert_int_equal(summary->open_count, plain.open_count);
    assert_int_equal(summary->has_root, plain.has_root);
    if (plain.has_root)
        assert_int_equal(summary->root_row, plain.root_row);
}

static void queries_match_as_said(void **state)
{
    (void)state;
    static struct bench bench;
    uint32_t found = 0, total = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        begin(&bench, seed, 1 + (uint32_t)(seed * 7 % 150));
        summaries_are_as_said(&bench);
        for (int i = 0; i < 60; i++) {
            fg_arena_reset(&bench.maker.arena);
            fg_arena_reset(&bench.scratch);
            assert_int_equal(fg_trace_summarize(&bench.batch, &bench.scratch, &bench.summary), 0);
            const struct fg_query *query = random_query(&bench.maker, i % 4);
            bool expected = plainly_matches(&bench, query);
            assert_int_equal(matches(&bench, query), expected);
            found += expected;
            total++;
        }
        end(&bench);
    }
    assert_true(found > total / 10 && found < total * 9 / 10); /* it was worth the while */
}

/* Whether the store, asked for predicate, would find the trace. */
static bool store_finds(const struct bench *bench, const struct fg_predicate *predicate)
{
    for (uint32_t i = 0; i < bench->trace.count; i++)
        if (!predicate || plain_matches(&bench->batch, i, predicate))
            return true;
    return false;
}

/* No trace that answers is lost; where the plan is whole none is found that does not; and a row is
 * asked for only where some trace could make it an answer. */
static void plans_lose_nothing(void **state)
{
    (void)state;
    static struct bench bench;
    uint32_t whole_count = 0, pushed_count = 0, cut_count = 0;
    for (uint64_t seed = 100; seed < 160; seed++) {
        begin(&bench, seed, 1 + (uint32_t)(seed * 7 % 40));
        for (int i = 0; i < 60; i++) {
            const struct fg_predicate *predicate;
            const char *message;
            bool whole;
            fg_arena_reset(&bench.maker.arena);
            const struct fg_query *query = random_query(&bench.maker, i % 4);
            assert_int_equal(fg_query_plan(query, &bench.maker.arena, &predicate, &whole, &message),
                             0);
            bool expected = plainly_matches(&bench, query);
            bool found = store_finds(&bench, predicate);
            if (expected)
                assert_true(found);
            if (whole)
                assert_int_equal(found, expected);
            for (uint32_t row = 0; row < bench.trace.count; row++)
                assert_int_equal(!predicate || plain_matches(&bench.batch, row, predicate),
                                 plain_query_may_match(&bench.batch, row, query, true));
            whole_count += whole;
            pushed_count += !whole && predicate != NULL;
            cut_count += !whole && !found;
        }
        end(&bench);
    }
    assert_true(whole_count > 500 && pushed_count > 200 && cut_count > 50);
}

/* -- One by one */

static const struct fg_query *parsed(struct bench *bench, const char *text)
{
    const struct fg_query *query;
    struct fg_query_error error;
    int r = fg_query_parse(fg_slice_from_string(text), &bench->maker.arena, &query, &error);
    if (r < 0)
        fail_msg("%s: %s", text, error.message);
    return query;
}

static uint32_t put_service(struct fg_builder *builder, const char *name)
{
    struct fg_value value = {.type = FG_VALUE_STRING, .bytes = fg_slice_from_string(name)};
    uint32_t id;
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &value), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &id), 0);
    return id;
}

static void put_span(struct fg_builder *builder, uint32_t resource, uint64_t id, uint64_t parent,
                     const char *name, uint64_t start_ns, uint64_t end_ns, uint8_t status)
{
    struct fg_span span = {.trace_id_low = 1,
                           .span_id = id,
                           .parent_span_id = parent,
                           .name = fg_slice_from_string(name),
                           .start_ns = start_ns,
                           .end_ns = end_ns,
                           .resource = resource,
                           .status = status};
    assert_int_equal(fg_builder_span_begin(builder), 0);
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
}

/* shop-api's POST /orders of 5 s, in which mes-api's price fails after 2 s; with_root: or only the
 * latter. */
static void begin_order(struct bench *bench, bool with_root)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    uint32_t scope;
    *bench = (struct bench){.rows = {0, 1}};
    assert_int_equal(fg_builder_new(&limits, &bench->builder), 0);
    uint32_t shop = put_service(bench->builder, "shop-api");
    uint32_t mes = put_service(bench->builder, "mes-api");
    assert_int_equal(fg_builder_scope_begin(bench->builder), 0);
    assert_int_equal(
        fg_builder_scope_end(bench->builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &scope),
        0);
    if (with_root)
        put_span(bench->builder, shop, 1, 0, "POST /orders", 1000000000, 6000000000, 0);
    put_span(bench->builder, mes, 2, 1, "price", 2000000000, 4000000000, FG_STATUS_ERROR);
    fg_builder_view(bench->builder, &bench->batch);
    fg_arena_init(&bench->maker.arena, 1 << 20);
    fg_arena_init(&bench->scratch, 1 << 20);
    assert_int_equal(fg_trace_summarize(&bench->batch, &bench->scratch, &bench->summary), 0);
}

static void check(bool with_root, const char *text, bool expected)
{
    static struct bench bench;
    begin_order(&bench, with_root);
    if (matches(&bench, parsed(&bench, text)) != expected)
        fail_msg("%s: expected %d", text, expected);
    end(&bench);
}

static void conditions_on_the_trace(void **state)
{
    (void)state;
    check(true, "trace.duration=5s", true);
    check(true, "trace.duration>5s", false);
    check(true, "trace.spans=2 trace.errors=1", true);
    check(true, "trace.spans>2", false);
    check(true, "root.service:shop-*", true);
    check(true, "root.service:mes-api", false);
    check(true, "root.name=\"POST /orders\"", true);
    check(true, "root.name=~\"^POST\" service:mes-api", true);
    check(true, "root.name!=\"POST /orders\"", false);
    check(true, "not root.name=price", true);
    /* All on one span, but what the trace says holds for each of them. */
    check(true, "service:mes-api status:error trace.duration>4s", true);
    check(true, "service:shop-api status:error", false);
    check(true, "service:mes-api duration>4s", false);
    check(true, "service:nobody or trace.errors>0", true);
    check(true, "not (trace.errors>0)", false);
}

/* The span that makes it true must lie in the window; what the trace says is said of all of it. */
static void in_a_window(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t min_ns, max_ns;
        bool expected;
    } cases[] = {
        {"service:mes-api", 2000000000, 2000000001, true},
        {"service:mes-api", 0, 2000000000, false},
        {"service:mes-api", 2000000001, UINT64_MAX, false},
        {"service:shop-api trace.duration=5s", 0, 1500000000, true},
        {"", 1000000001, 2000000000, false},
    };
    static struct bench bench;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fg_query_matcher *matcher;
        bool found;
        begin_order(&bench, true);
        assert_int_equal(fg_query_matcher_new(parsed(&bench, cases[i].text), &matcher), 0);
        assert_int_equal(fg_query_matches(matcher, &bench.batch, &bench.summary, cases[i].min_ns,
                                          cases[i].max_ns, &found),
                         0);
        assert_int_equal(found, cases[i].expected);
        fg_query_matcher_free(matcher);
        end(&bench);
    }
}

/* A root that is not there has no name and no service, whatever stands in for it in lists. */
static void without_a_root(void **state)
{
    (void)state;
    check(false, "root.service:mes-api", false);
    check(false, "root.service:*", false);
    check(false, "root.name!=x", false);
    check(false, "not root.name:*", true);
    check(false, "trace.duration=2s", true);
    check(false, "root:true", false);
}

static void plan_is(const char *text, const char *pushed, bool expected_whole)
{
    static struct bench bench;
    struct fg_buffer printed;
    const struct fg_predicate *predicate;
    const char *message;
    bool whole;
    begin_order(&bench, true);
    assert_int_equal(
        fg_query_plan(parsed(&bench, text), &bench.maker.arena, &predicate, &whole, &message), 0);
    fg_buffer_init(&printed, 4096);
    if (predicate)
        fg_predicate_print(predicate, &printed);
    fg_buffer_append_byte(&printed, 0);
    assert_string_equal((const char *)printed.data, pushed);
    assert_int_equal(whole, expected_whole);
    fg_buffer_free(&printed);
    end(&bench);
}

static void plans_push_what_one_span_decides(void **state)
{
    (void)state;
    plan_is("", "", true);
    plan_is("service:a duration>1s", "(service=\"a\" duration>1000000000ns)", true);
    plan_is("service:a trace.duration>1s", "service=\"a\"", false);
    plan_is("service:a or trace.duration>1s", "", false);
    plan_is("not (service:a trace.duration>1s)", "", false);
    plan_is("not (service:a or trace.duration>1s)", "not service=\"a\"", false);
    plan_is("trace.spans>3", "", false);
    plan_is("name:b (service:a or trace.spans>3)", "name=\"b\"", false);
}

/* A condition that the plan has no use for is checked all the same. */
static void plans_check_every_condition(void **state)
{
    (void)state;
    static const char *const texts[] = {"name:x or root.name=~\"(\"",
                                        "root.name=~\"a{1\" name=~\"[\"",
                                        "name=~\"(\" or trace.spans>1"};
    static struct bench bench;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct fg_predicate *predicate = NULL;
        const char *message = NULL;
        bool whole;
        const struct fg_query *query;
        struct fg_query_error error;
        begin_order(&bench, true);
        int r = fg_query_parse(fg_slice_from_string(texts[i]), &bench.maker.arena, &query, &error);
        if (r == 0) {
            r = fg_query_plan(query, &bench.maker.arena, &predicate, &whole, &message);
            assert_non_null(message);
        }
        assert_int_equal(r, FG_EINVALID);
        end(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_match_as_said),
        cmocka_unit_test(plans_lose_nothing),
        cmocka_unit_test(conditions_on_the_trace),
        cmocka_unit_test(without_a_root),
        cmocka_unit_test(in_a_window),
        cmocka_unit_test(plans_push_what_one_span_decides),
        cmocka_unit_test(plans_check_every_condition),
    };
    return cmocka_run_group_tests_name("query_match", tests, NULL, NULL);
}
