/* The steps that rows reach, by the conditions of a flow all at once, against a matcher for each;
 * and traces that belong together against a plain list. */
#include "steps.h"

#include "joins.h"
#include "random_batch.h"
#include "span/builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROUNDS    400u
#define ROWS_MAX  300u
#define STEPS     24u
#define TEXT_SIZE 16384u

static const char *const texts[] = {"shop", "crm", "ship", "CLOSED", "order.status", ""};
static const char *const keys[] = {"order.status", "ship", "order.id", "shop", "host"};
#define TEXTS (sizeof texts / sizeof *texts)
#define KEYS  (sizeof keys / sizeof *keys)

/* -- Random flows */

static void put_condition(struct test_random *random, char *text, size_t size, uint32_t step)
{
    static const char *const rest[] = {
        "duration>=3us", "status:error",      "(name=crm or host=shop)",
        "not name=ship", "kind=client",       "kind!=server",
        "name:/s.*p/",   "name:s*",           "order.id=7",
        "order.id:*",    "resource.host=shop"};
    size_t length = 0;
    uint32_t parts = 1 + test_random_below(random, 4);
    for (uint32_t i = 0; i < parts; i++) {
        const char *value = texts[test_random_below(random, TEXTS - 1)],
                   *key = keys[test_random_below(random, KEYS)],
                   *scope = test_random_chance(random, 30) ? "span." : "";
        const char *gap = i > 0 ? " " : "";
        switch (test_random_below(random, 6)) {
        case 0:
            length += (size_t)snprintf(text + length, size - length, "%sservice=%s", gap, value);
            break;
        case 1:
            length += (size_t)snprintf(text + length, size - length, "%sname=%s", gap, value);
            break;
        case 2:
        case 3:
            length +=
                (size_t)snprintf(text + length, size - length, "%s%s%s=%s", gap, scope, key, value);
            break;
        case 4:
            length += (size_t)snprintf(text + length, size - length, "%skind=%s", gap,
                                       test_random_chance(random, 50) ? "server" : "consumer");
            break;
        default:
            length += (size_t)snprintf(text + length, size - length, "%s%s", gap,
                                       rest[test_random_below(random, sizeof rest / sizeof *rest)]);
        }
    }
    /* no two steps of one condition */
    snprintf(text + length, size - length, " not x=%u", step);
    if (test_random_chance(random, 80))
        text[length] = '\0';
}

static void make_flow(struct test_random *random, struct fg_arena *arena, struct fg_flows *ret)
{
    char text[TEXT_SIZE], condition[512];
    struct fg_buffer errors;
    int r;
    do { /* a condition that is there twice is refused, and the flow made anew */
        int length =
            snprintf(text, sizeof text, "flows:\n  - name: f\n    key: order.id\n    steps:\n");
        for (uint32_t i = 0; i < STEPS; i++) {
            put_condition(random, condition, sizeof condition, i);
            length += snprintf(text + length, sizeof text - (size_t)length,
                               "      - {name: s%u, when: '%s'}\n", i, condition);
        }
        *ret = (struct fg_flows){.count = 0};
        fg_buffer_init(&errors, 4096);
        r = fg_flows_parse(fg_slice_from_string(text), "f", arena, &errors, ret);
        if (r < 0)
            fg_flows_free(ret);
        bool is_twice =
            errors.size > 0 && memmem(errors.data, errors.size, "same condition", 14) != NULL;
        if (r < 0 && !is_twice)
            fail_msg("%.*s", (int)errors.size, (const char *)errors.data);
        fg_buffer_free(&errors);
    } while (r < 0);
}

/* -- Random batches */

static struct fg_value value_of(struct test_random *random)
{
    struct fg_value value = {.type = FG_VALUE_STRING,
                             .bytes =
                                 fg_slice_from_string(texts[test_random_below(random, TEXTS)])};
    if (test_random_chance(random, 20))
        value = (struct fg_value){.type = FG_VALUE_INT, .bits = test_random_below(random, 9)};
    else if (test_random_chance(random, 10))
        value.type = FG_VALUE_BYTES;
    return value;
}

static void put_row(struct test_random *random, struct fg_builder *builder)
{
    struct fg_value service = {.type = FG_VALUE_STRING,
                               .bytes =
                                   fg_slice_from_string(texts[test_random_below(random, TEXTS)])};
    struct fg_span span = {.trace_id_low = 1 + test_random_below(random, 9),
                           .span_id = 1 + test_random_u64(random) % 100000,
                           .start_ns = 1000,
                           .end_ns = 1000 + test_random_below(random, 6000),
                           .name = fg_slice_from_string(texts[test_random_below(random, TEXTS)]),
                           .kind = (uint8_t)test_random_below(random, 8),
                           .status = (uint8_t)test_random_below(random, 3)};
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    if (test_random_chance(random, 90))
        assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &service), 0);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct fg_value value = value_of(random);
        if (test_random_chance(random, 15))
            assert_int_equal(
                fg_builder_resource_attr(builder, fg_slice_from_string(keys[i]), &value), 0);
    }
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &span.resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &span.scope), 0);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct fg_value value = value_of(random);
        if (test_random_chance(random, 40))
            assert_int_equal(fg_builder_span_attr(builder, fg_slice_from_string(keys[i]), &value),
                             0);
    }
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
}

/* -- Twins */

static bool has_bit(const uint64_t *bits, uint32_t bit)
{
    return bits && (bits[bit / 64] >> (bit % 64) & 1) != 0;
}

static uint64_t assert_twins(const struct fg_flow *flow, struct fg_steps *steps,
                             const struct fg_steps_rows *rows)
{
    static uint64_t wanted[ROWS_MAX / 64 + 1];
    uint64_t reached = 0;
    assert_int_equal(fg_steps_find(steps, rows), 0);
    for (uint32_t i = 0; i < flow->step_count; i++) {
        struct fg_matcher *matcher;
        const uint64_t *found;
        assert_int_equal(fg_matcher_new(flow->steps[i].when, &matcher), 0);
        assert_int_equal(fg_matcher_bind(matcher, rows->batch), 0);
        assert_int_equal(fg_matcher_run(matcher, rows->begin, rows->end, wanted), 0);
        fg_matcher_free(matcher);
        assert_int_equal(fg_steps_of(steps, rows, i, &found), 0);
        for (uint32_t bit = 0; bit < rows->end - rows->begin; bit++) {
            if (rows->owner[bit] == UINT32_MAX)
                continue;
            if (has_bit(found, bit) != has_bit(wanted, bit))
                fail_msg("row %u, %.*s", bit, (int)flow->steps[i].condition.size,
                         (const char *)flow->steps[i].condition.data);
            reached += has_bit(wanted, bit);
        }
    }
    return reached;
}

/* Some rows of a batch that nobody owns; names that leave no room for all conditions. */
static uint64_t round_of(struct test_random *random, struct fg_builder *builder, uint32_t left)
{
    static char taken[FG_NAMES_MAX][8];
    struct fg_names names = {.count = 0};
    struct fg_hits hits = {.all = NULL};
    struct fg_arena arena;
    struct fg_flows flows;
    struct fg_steps *steps;
    struct fg_batch batch;
    uint32_t owner[ROWS_MAX];
    uint64_t reached = 0;
    fg_arena_init(&arena, (size_t)4 << 20);
    for (uint32_t i = left; i < FG_NAMES_MAX; i++) {
        snprintf(taken[i], sizeof taken[i], "t%u", i);
        fg_names_add(&names, fg_slice_from_string(taken[i]));
    }
    make_flow(random, &arena, &flows);
    assert_int_equal(fg_steps_new(&flows.flows[0], &names, &steps), 0);
    for (uint32_t i = 0; i < 3; i++) {
        fg_builder_reset(builder);
        uint32_t count = test_random_below(random, ROWS_MAX);
        for (uint32_t row = 0; row < count; row++) {
            put_row(random, builder);
            owner[row] = test_random_chance(random, 70) ? 0 : UINT32_MAX;
        }
        fg_builder_view(builder, &batch);
        assert_int_equal(fg_names_bind(&names, &batch), 0);
        hits.count = 0;
        uint32_t begin = test_random_below(random, count + 1);
        for (uint32_t row = begin; row < count; row++)
            assert_int_equal(fg_hits_add(&hits, &names, &batch, row), 0);
        const struct fg_steps_rows rows = {&batch, &names, &hits, begin, count, owner};
        reached += assert_twins(&flows.flows[0], steps, &rows);
    }
    fg_steps_free(steps);
    fg_names_free(&names);
    fg_hits_free(&hits);
    fg_flows_free(&flows);
    fg_arena_free(&arena);
    return reached;
}

static void test_steps(void **state)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct test_random random = {7};
    struct fg_builder *builder;
    uint64_t reached = 0;
    (void)state;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    for (uint32_t i = 0; i < ROUNDS; i++)
        reached += round_of(&random, builder, i % 3 == 0 ? i / 3 % 12 : FG_NAMES_MAX);
    assert_true(reached > 1000);
    fg_builder_free(builder);
}

/* -- Traces that belong together */

#define PLAIN_MAX 4000u

struct plain {
    struct {
        uint64_t key; /* of a message its number, of a trace that and 1000 */
        uint64_t trace;
    } all[PLAIN_MAX];
    uint32_t count;
};

static void plain_add(struct plain *plain, uint64_t key, uint64_t trace)
{
    for (uint32_t i = 0; i < plain->count; i++)
        if (plain->all[i].key == key && plain->all[i].trace == trace)
            return;
    plain->all[plain->count].key = key;
    plain->all[plain->count++].trace = trace;
}

/* The latest first. */
static void assert_others(const struct plain *plain, uint64_t key, uint64_t but,
                          const struct fg_trace_ref *others, uint32_t count)
{
    uint32_t at = 0;
    for (uint32_t i = plain->count; i-- > 0;)
        if (plain->all[i].key == key && plain->all[i].trace != but && at < 16) {
            assert_true(at < count);
            assert_int_equal(others[at].low, plain->all[i].trace);
            at++;
        }
    assert_int_equal(at, count);
}

static struct fg_trace_ref trace_of(uint64_t low)
{
    return (struct fg_trace_ref){3, low};
}

static void test_joins(void **state)
{
    static struct plain plain;
    struct test_random random = {11};
    struct fg_trace_ref others[16];
    struct fg_joins *joins;
    char text[24];
    (void)state;
    assert_int_equal(fg_joins_new(&joins), 0);
    for (uint32_t i = 0; i < 1500; i++) {
        uint64_t trace = 1 + test_random_below(&random, 60),
                 other = 1 + test_random_below(&random, 60),
                 number = test_random_below(&random, 40);
        struct fg_slice id =
            fg_slice(text, (size_t)snprintf(text, sizeof text, "m%u", (unsigned)number));
        fg_joins_expect(joins, &id, 1);
        assert_others(&plain, number, trace, others,
                      fg_joins_message(joins, id, trace_of(trace), others, 16));
        plain_add(&plain, number, trace);
        if (i > 700 && trace != other) { /* before there is no link at all */
            fg_joins_link(joins, trace_of(trace), trace_of(other));
            plain_add(&plain, 1000 + trace, other);
            plain_add(&plain, 1000 + other, trace);
        }
        assert_others(&plain, 1000 + trace, trace, others,
                      fg_joins_of(joins, trace_of(trace), others, 16));
    }
    for (uint64_t i = 0; i < FG_JOINS_KEPT; i++) {
        struct fg_slice id =
            fg_slice(text, (size_t)snprintf(text, sizeof text, "n%u", (unsigned)i));
        assert_int_equal(fg_joins_message(joins, id, trace_of(i), others, 16), 0);
    }
    for (uint64_t i = 1; i <= 60; i++) /* all that was known has given its place */
        assert_int_equal(fg_joins_of(joins, trace_of(i), others, 16), 0);
    fg_joins_link(joins, trace_of(1), trace_of(2));
    assert_int_equal(fg_joins_of(joins, trace_of(2), others, 16), 1);
    fg_joins_free(joins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps), cmocka_unit_test(test_joins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
