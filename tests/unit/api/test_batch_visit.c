/* api/batch_visit.h and api/export.h's form: a batch that is written and read back is the same. */
#include "api/batch_visit.h"

#include "api/intake.h"
#include "base/limits.h"
#include "random_batch.h"
#include "wire/otlp_encode.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ARENA_BYTES ((size_t)64 << 20)

static struct fg_builder *new_builder(void)
{
    struct fg_builder *builder;
    struct fg_builder_limits limits = fg_builder_limits_default();
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    return builder;
}

/* Encodes batch in steps of some spans, decodes what came with an intake. */
static void round_trip(const struct fg_batch *batch, enum fg_otlp_format format, uint32_t step,
                       struct fg_builder *into, struct fg_intake_counts *ret_counts)
{
    struct fg_batch_visit visit;
    struct fg_otlp_encoder encoder;
    struct fg_buffer text;
    struct fg_arena arena;
    bool done = false;
    fg_arena_init(&arena, ARENA_BYTES);
    fg_buffer_init(&text, (size_t)1 << 30);
    assert_int_equal(fg_batch_visit_begin(&visit, batch, &arena), 0);
    fg_otlp_encoder_init(&encoder, format, &text);
    while (!done)
        assert_int_equal(fg_batch_visit_step(&visit, step, encoder.visitor, &encoder, &done), 0);
    assert_int_equal(fg_otlp_encoder_finish(&encoder), 0);
    struct fg_intake intake;
    struct fg_wire_error error = {""};
    struct fg_intake_rules rules = {0};
    fg_intake_init(&intake, into);
    fg_intake_begin(&intake, &rules, UINT64_C(2000000000) * FG_NS_PER_SECOND);
    struct fg_slice bytes = fg_buffer_slice(&text);
    int r = format == FG_OTLP_JSON
                ? fg_otlp_decode_traces_json(bytes, &fg_intake_visitor, &intake, &error)
                : fg_otlp_decode_traces(bytes, &fg_intake_visitor, &intake, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(r, 0);
    *ret_counts = intake.counts;
    fg_intake_free(&intake);
    fg_buffer_free(&text);
    fg_arena_free(&arena);
}

/* JSON has one NaN; which of them it was is lost. The values are freed by the caller. */
static uint64_t *with_one_nan(struct fg_attrs *attrs)
{
    uint64_t *values = calloc(attrs->count + 1u, sizeof *values);
    assert_non_null(values);
    for (uint32_t i = 0; i < attrs->count; i++) {
        double number;
        values[i] = attrs->value[i];
        memcpy(&number, &values[i], sizeof number);
        if (attrs->type[i] == FG_VALUE_DOUBLE && isnan(number))
            values[i] = UINT64_C(0x7ff8000000000000);
    }
    attrs->value = values;
    return values;
}

/* NULL where batch has a row like that. An end before the start is found by the intake itself, so
 * that its mark may be new. The row of batch that has the identity of like's; where several have
 * it, the one that is the same. */
static const char *differs(const struct fg_batch *batch, const struct fg_batch *like, uint32_t row)
{
    const char *why = "it is not there";
    for (uint32_t i = 0; why && i < batch->span_count; i++)
        if (batch->span_id[i] == like->span_id[row] &&
            batch->trace_id_low[i] == like->trace_id_low[row])
            why = batch_rows_differ(batch, i, like, row, FG_MARK_END_BEFORE_START);
    return why;
}

/* The time of receipt is not on the wire: the copy's rows have their own. Rows come back in groups
 * of resource and scope, so they are looked up. */
static void check(uint64_t seed, enum fg_otlp_format format, uint32_t step)
{
    struct random_batch_options options = random_batch_options_default(seed);
    struct fg_builder *from = new_builder(), *into = new_builder();
    struct fg_intake_counts counts;
    struct fg_batch batch, copy;
    options.span_count = 150;
    options.start_ns = UINT64_C(1764000000) * FG_NS_PER_SECOND;
    random_batch_fill(from, &options);
    fg_builder_view(from, &batch);
    round_trip(&batch, format, step, into, &counts);
    fg_builder_view(into, &copy);
    assert_int_equal(counts.accepted_spans, batch.span_count);
    assert_int_equal(copy.span_count, batch.span_count);
    assert_int_equal(copy.event_count, batch.event_count);
    assert_int_equal(copy.link_count, batch.link_count);
    uint64_t *received_ns = malloc(batch.span_count * sizeof *received_ns);
    assert_non_null(received_ns);
    for (uint32_t i = 0; i < batch.span_count; i++)
        received_ns[i] = copy.received_ns[0];
    batch.received_ns = received_ns;
    struct fg_attrs *const levels[] = {&batch.resource_attrs, &batch.scope_attrs, &batch.span_attrs,
                                       &batch.event_attrs, &batch.link_attrs};
    uint64_t *values[5] = {NULL};
    for (size_t i = 0; format == FG_OTLP_JSON && i < 5; i++)
        values[i] = with_one_nan(levels[i]);
    for (uint32_t i = 0; i < batch.span_count; i++) {
        const char *why = differs(&copy, &batch, i);
        if (why)
            fail_msg("seed %llu, row %u: %s", (unsigned long long)seed, i, why);
    }
    for (size_t i = 0; i < 5; i++)
        free(values[i]);
    free(received_ns);
    fg_builder_free(from);
    fg_builder_free(into);
}

static void test_protobuf(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        check(seed, FG_OTLP_PROTOBUF, UINT32_MAX);
}

static void test_json(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        check(seed, FG_OTLP_JSON, UINT32_MAX);
}

/* An answer is rendered in steps; where they end must not show. */
static void test_steps(void **state)
{
    (void)state;
    for (uint32_t step = 1; step <= 7; step++) {
        check(step, FG_OTLP_JSON, step);
        check(step, FG_OTLP_PROTOBUF, step);
    }
}

static void test_groups_are_visited_once(void **state)
{
    (void)state;
    struct random_batch_options options = random_batch_options_default(5);
    struct fg_builder *from = new_builder();
    struct fg_batch batch;
    struct fg_batch_visit visit;
    struct fg_arena arena;
    random_batch_fill(from, &options);
    fg_builder_view(from, &batch);
    fg_arena_init(&arena, ARENA_BYTES);
    assert_int_equal(fg_batch_visit_begin(&visit, &batch, &arena), 0);
    assert_int_equal(visit.row_count, batch.span_count);
    for (uint32_t i = 1; i < visit.row_count; i++) {
        uint32_t before = visit.rows[i - 1], row = visit.rows[i];
        assert_true(batch.resource[before] <= batch.resource[row]);
        if (batch.resource[before] != batch.resource[row])
            continue;
        assert_true(batch.scope[before] <= batch.scope[row]);
        if (batch.scope[before] == batch.scope[row])
            assert_true(before < row);
    }
    fg_arena_free(&arena);
    fg_builder_free(from);
}

static void test_arena_too_small(void **state)
{
    (void)state;
    struct random_batch_options options = random_batch_options_default(5);
    struct fg_builder *from = new_builder();
    struct fg_batch batch;
    struct fg_batch_visit visit;
    struct fg_arena arena;
    random_batch_fill(from, &options);
    fg_builder_view(from, &batch);
    fg_arena_init(&arena, 64);
    assert_int_equal(fg_batch_visit_begin(&visit, &batch, &arena), FG_ELIMIT);
    fg_arena_free(&arena);
    fg_builder_free(from);
}

static void test_empty_batch(void **state)
{
    (void)state;
    struct fg_builder *from = new_builder(), *into = new_builder();
    struct fg_intake_counts counts;
    struct fg_batch batch;
    fg_builder_view(from, &batch);
    round_trip(&batch, FG_OTLP_JSON, UINT32_MAX, into, &counts);
    assert_int_equal(counts.accepted_spans, 0);
    fg_builder_free(from);
    fg_builder_free(into);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protobuf),        cmocka_unit_test(test_json),
        cmocka_unit_test(test_steps),           cmocka_unit_test(test_groups_are_visited_once),
        cmocka_unit_test(test_arena_too_small), cmocka_unit_test(test_empty_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
