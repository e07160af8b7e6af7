/* Sifting takes out what is no answer, and nothing else: against each trace read whole. */
#include "query/sift.h"

#include "random_batch.h"
#include "sim_store.h"
#include "span/builder.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TRACES   600u
#define BEGIN_NS UINT64_C(1760000000000000000)

struct bench {
    struct sim_store on;
    struct test_random random;
    struct fg_arena arena;
    struct fg_trace_key keys[TRACES];
    struct fg_search search;
};

static struct bench bench;

static uint32_t below(uint32_t bound)
{
    return test_random_below(&bench.random, bound);
}

/* ids fall, so that rows that begin at once don't stand by them; a shared half has its client's. */
static void put_span(struct fg_builder *builder, uint64_t trace, uint32_t i)
{
    static const char *const services[] = {"shop", "crm", "mes", "page"};
    static const char *const names[] = {"order", "price", "GET /", "consume"};
    struct fg_value service = {.type = FG_VALUE_STRING,
                               .bytes = fg_slice_from_string(services[below(4)])};
    struct fg_value number = {.type = FG_VALUE_INT, .bits = below(5)};
    bool is_shared = i > 0 && below(40) == 0;
    uint64_t start_ns = BEGIN_NS + trace * 1000 + below(4) * 100; /* many begin at once */
    struct fg_span span = {.trace_id_high = 1,
                           .trace_id_low = trace + 1,
                           .span_id = is_shared ? 1000 - i + 1 : 1000 - i,
                           .parent_span_id = below(3) && !is_shared ? 1000 - below(6) : 0,
                           .start_ns = start_ns,
                           .end_ns = below(12) ? start_ns + 1 + below(1000) : 0,
                           .name = fg_slice_from_string(names[below(4)]),
                           .marks = is_shared ? FG_MARK_SHARED : 0,
                           .status = (uint8_t)below(3)};
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &service), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &span.resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &span.scope), 0);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    if (below(2))
        assert_int_equal(fg_builder_span_attr(builder, FG_SLICE("a"), &number), 0);
    number.bits = below(5);
    if (below(2))
        assert_int_equal(fg_builder_span_attr(builder, FG_SLICE("b"), &number), 0);
    number.bits = i;
    if (i == 64)
        assert_int_equal(fg_builder_span_attr(builder, FG_SLICE("i"), &number), 0);
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
}

static void send(uint32_t begin, uint32_t end)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    for (uint32_t trace = begin; trace < end; trace++) {
        uint32_t spans = below(20) ? 1 + below(6) : 100 + below(60); /* more than a word of bits */
        for (uint32_t i = 0; i < spans; i++)
            put_span(builder, trace, i);
        bench.keys[trace] = (struct fg_trace_key){BEGIN_NS, 1, trace + 1};
    }
    sim_store_append(&bench.on, builder);
    fg_builder_free(builder);
}

static int setup(void **state)
{
    (void)state;
    bench = (struct bench){.random = {.state = 11}};
    fg_arena_init(&bench.arena, 64 << 20);
    sim_store_open(&bench.on, 11);
    send(0, TRACES / 2);
    assert_int_equal(fg_store_seal(bench.on.store), 0);
    send(TRACES / 2, TRACES);
    bench.search = (struct fg_search){.start_ns_max = UINT64_MAX};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sim_store_close(&bench.on);
    fg_arena_free(&bench.arena);
    return 0;
}

static const struct fg_query *parsed(const char *text)
{
    const struct fg_query *query;
    const char *message = "";
    bool whole;
    struct fg_query_error error;
    assert_int_equal(fg_query_parse(fg_slice_from_string(text), &bench.arena, &query, &error), 0);
    assert_int_equal(fg_query_plan(query, &bench.arena, &bench.search.predicate, &whole, &message),
                     0);
    return query;
}

/* The trace read whole. */
static bool answers(struct fg_query_matcher *matcher, const struct fg_trace_key *key)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_trace_result result;
    struct fg_trace_summary summary;
    struct fg_batch batch;
    struct fg_arena arena;
    bool matches = false;
    fg_arena_init(&arena, 4 << 20);
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    assert_int_equal(
        fg_store_trace(bench.on.store, 0, key->trace_id_high, key->trace_id_low, builder, &result),
        0);
    fg_builder_view(builder, &batch);
    assert_int_equal(fg_trace_summarize(&batch, &arena, &summary), 0);
    assert_int_equal(fg_query_matches(matcher, &batch, &summary, bench.search.start_ns_min,
                                      bench.search.start_ns_max, &matches),
                     0);
    fg_builder_free(builder);
    fg_arena_free(&arena);
    return matches;
}

/* *ret_kept: how many stay. */
static void compare(const char *text, uint32_t *ret_kept)
{
    const struct fg_query *query = parsed(text);
    struct fg_query_matcher *matcher;
    struct fg_sifter *sifter;
    static struct fg_trace_key keys[TRACES];
    uint32_t decided = 0, wrong = 0, at = 0, expected = 0;
    memcpy(keys, bench.keys, sizeof keys);
    struct fg_search_result result = {.keys = keys, .count = TRACES};
    assert_int_equal(fg_query_matcher_new(query, &matcher), 0);
    assert_int_equal(fg_sifter_new(query, &sifter), 0);
    assert_int_equal(fg_sifter_run(sifter, bench.on.store, &bench.search, &result, &decided), 0);
    for (uint32_t i = 0; i < TRACES; i++) {
        bool is_kept = at < result.count && keys[at].trace_id_low == bench.keys[i].trace_id_low;
        bool is_answer = answers(matcher, &bench.keys[i]);
        if (is_answer && !is_kept)
            fail_msg("%s: trace %u was taken out", text, i);
        expected += is_answer;
        wrong += is_kept && !is_answer;
        at += is_kept;
    }
    assert_int_equal(at, result.count);
    /* What was not decided stays, and nothing else. */
    assert_true(wrong <= TRACES - decided);
    assert_true(decided > TRACES / 2 && (expected > 0 || decided == TRACES));
    *ret_kept = result.count;
    fg_sifter_free(sifter);
    fg_query_matcher_free(matcher);
}

static void what_is_no_answer_goes(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "trace.duration>1us",
        "trace.duration<500ns a=1",
        "trace.errors>=2 not a=3",
        "trace.errors=0 or b=2",
        "trace.spans>64 a=4",
        "trace.spans=1",
        "trace.spans>64 i=64",
        "root.service:shop",
        "root.name:order",
        "root.name:order root.service:crm a=2",
        "not root.service:mes",
        "not root.name:* service:crm",
        "root.name=~\"^p\" duration>300ns",
        /* the store is asked for less than the rest reads */
        "a=1 (b=2 or trace.errors>2)",
        "status:error (b=2 or name:order trace.spans>3)",
        "trace.spans<3 not (a=1 or trace.errors>0)",
        "(a=1 root.name:price) or (b=3 trace.duration>900ns)",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint32_t kept;
        compare(texts[i], &kept);
        if (kept == 0 || kept == TRACES)
            fail_msg("%s: %u of %u stay", texts[i], kept, TRACES);
    }
    bench.search.start_ns_min = BEGIN_NS + 100 * 1000 + 200;
    bench.search.start_ns_max = BEGIN_NS + 450 * 1000 + 100;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint32_t kept;
        compare(texts[i], &kept);
        assert_true(kept < TRACES);
    }
}

static void nothing_is_decided_past_the_deadline(void **state)
{
    (void)state;
    struct fg_sifter *sifter;
    struct fg_search search = bench.search;
    static struct fg_trace_key keys[TRACES];
    uint32_t decided = 0;
    memcpy(keys, bench.keys, sizeof keys);
    struct fg_search_result result = {.keys = keys, .count = TRACES};
    search.deadline_mono_ns = 1;
    assert_int_equal(fg_sifter_new(parsed("trace.duration>1us"), &sifter), 0);
    assert_int_equal(fg_sifter_run(sifter, bench.on.store, &search, &result, &decided), 0);
    assert_int_equal(result.cut, FG_ETIMEOUT);
    assert_int_equal(result.count, 0);
    assert_int_equal(decided, 0);
    result = (struct fg_search_result){.keys = keys, .count = TRACES, .stats = {.bytes_read = 2}};
    memcpy(keys, bench.keys, sizeof keys);
    search.deadline_mono_ns = 0;
    search.bytes_max = 1;
    assert_int_equal(fg_sifter_run(sifter, bench.on.store, &search, &result, &decided), 0);
    assert_int_equal(result.cut, FG_ELIMIT);
    fg_sifter_free(sifter);
    fg_sifter_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_no_answer_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_decided_past_the_deadline, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
