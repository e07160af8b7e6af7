/* store/rollup.h: against a naive count of the same spans; what is bounded stays bounded; bytes
 * that are not a rollup are refused. */
#include "base/limits.h"
#include "random_batch.h"
#include "rollup_state.h"
#include "store/rollup.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fg_rollup *rollup;
static struct fg_builder *builder;
static struct fg_batch batch;

static int begin(void **state)
{
    (void)state;
    struct fg_builder_limits limits = fg_builder_limits_default();
    assert_int_equal(fg_rollup_new(&rollup), 0);
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fg_rollup_free(rollup);
    fg_builder_free(builder);
    return 0;
}

static uint32_t resource(const char *service)
{
    uint32_t id;
    struct fg_value value = {.type = FG_VALUE_STRING, .bytes = fg_slice_from_string(service)};
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &value), 0);
    assert_int_equal(fg_builder_resource_end(builder, fg_slice(NULL, 0), 0, &id), 0);
    return id;
}

static void add(const char *service, const char *name, uint8_t kind, uint8_t status,
                uint64_t start_ns, uint64_t end_ns)
{
    struct fg_span span = {.trace_id_low = 1,
                           .span_id = 1,
                           .name = fg_slice_from_string(name),
                           .resource = resource(service),
                           .kind = kind,
                           .status = status,
                           .start_ns = start_ns,
                           .end_ns = end_ns};
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(fg_builder_scope_end(builder, fg_slice(NULL, 0), fg_slice(NULL, 0),
                                          fg_slice(NULL, 0), 0, &span.scope),
                     0);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
}

static uint32_t string_id(const char *text)
{
    uint32_t id;
    assert_int_equal(fg_builder_string(builder, fg_slice_from_string(text), &id), 0);
    return id;
}

static void take(struct fg_rollup *to, const uint32_t *caller)
{
    fg_builder_view(builder, &batch);
    assert_int_equal(fg_rollup_add(to, &batch, 0, batch.span_count, caller, 0, UINT64_MAX), 0);
}

/* Cells as lines of text, so that a test reads like the thing it means. */
static char text[1 << 20];
static size_t text_size;

static int append_cell(void *arg, const struct fg_rollup_cell *cell)
{
    (void)arg;
    int size = snprintf(
        text + text_size, sizeof text - text_size, "%d %.*s%s%.*s %.*s k%d s%d n%d e%d o%d b%d\n",
        (int)(cell->minute_ns / FG_NS_PER_MINUTE), (int)cell->caller.size,
        (const char *)cell->caller.data, cell->is_edge ? ">" : "", (int)cell->service.size,
        (const char *)cell->service.data, (int)cell->name.size, (const char *)cell->name.data,
        cell->kind, cell->status, (int)cell->count, (int)cell->error_count, (int)cell->open_count,
        (int)cell->bucket_count);
    text_size += (size_t)size;
    assert_true(text_size < sizeof text);
    return 0;
}

static const char *cells(const struct fg_rollup *of)
{
    text_size = 0;
    text[0] = 0;
    assert_int_equal(fg_rollup_each(of, append_cell, NULL), 0);
    return text;
}

#define MIN FG_NS_PER_MINUTE

static void spans_are_counted_by_minute_and_operation(void **state)
{
    (void)state;
    add("shop", "GET /", FG_SPAN_KIND_SERVER, FG_STATUS_UNSET, 5 * MIN, 5 * MIN + 1000);
    add("shop", "GET /", FG_SPAN_KIND_SERVER, FG_STATUS_UNSET, 6 * MIN - 1, 6 * MIN);
    add("shop", "GET /", FG_SPAN_KIND_SERVER, FG_STATUS_ERROR, 5 * MIN, 5 * MIN + 1000);
    add("shop", "GET /", FG_SPAN_KIND_SERVER, FG_STATUS_UNSET, 6 * MIN, 6 * MIN + 1);
    add("mes", "price", FG_SPAN_KIND_INTERNAL, FG_STATUS_OK, 5 * MIN, 0);
    add("mes", "price", FG_SPAN_KIND_INTERNAL, FG_STATUS_OK, 5 * MIN, 4 * MIN);
    const uint32_t caller[] = {0, 0, 0, 0, string_id("shop"), string_id("mes")};
    take(rollup, caller);
    assert_string_equal(cells(rollup), "5 mes price k1 s1 n1 e0 o1 b1\n"
                                       "5 shop GET / k2 s0 n2 e0 o0 b2\n"
                                       "5 shop GET / k2 s2 n1 e1 o0 b1\n"
                                       "5 shop>mes  k0 s0 n0 e0 o1 b0\n"
                                       "6 shop GET / k2 s0 n1 e0 o0 b1\n");
}

static void edges_join_two_services_with_the_callees_outcome(void **state)
{
    (void)state;
    add("mes", "a", FG_SPAN_KIND_SERVER, FG_STATUS_ERROR, MIN, MIN + 5);
    add("mes", "b", FG_SPAN_KIND_SERVER, FG_STATUS_OK, MIN, MIN + 5);
    add("mes", "c", FG_SPAN_KIND_SERVER, FG_STATUS_UNSET, MIN, MIN + 500);
    const uint32_t caller[] = {string_id("shop"), string_id("shop"), string_id("shop")};
    take(rollup, caller);
    assert_non_null(strstr(cells(rollup), "1 shop>mes  k0 s0 n2 e0 o0 b2\n"
                                          "1 shop>mes  k0 s2 n1 e1 o0 b1\n"));
}

static void only_the_window_is_added(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 6; i++)
        add("s", "n", 1, 0, i * MIN / 2, i * MIN / 2 + 1);
    fg_builder_view(builder, &batch);
    assert_int_equal(fg_rollup_add(rollup, &batch, 1, 6, NULL, MIN / 2 + 1, 5 * MIN / 2), 0);
    assert_string_equal(cells(rollup), "1 s n k1 s0 n2 e0 o0 b1\n2 s n k1 s0 n1 e0 o0 b1\n");
}

static void every_duration_lies_in_its_bucket(void **state)
{
    (void)state;
    uint64_t before_end = 0;
    for (uint32_t i = 0; i < FG_HISTOGRAM_BUCKETS; i++) {
        uint64_t begin_ns, end_ns;
        fg_histogram_bounds(i, &begin_ns, &end_ns);
        assert_int_equal(begin_ns, before_end);
        before_end = end_ns;
        if (begin_ns == end_ns)
            continue; /* of 1 ns there are no tenths */
        assert_int_equal(fg_histogram_bucket(begin_ns), i);
        assert_int_equal(fg_histogram_bucket(end_ns - 1), i);
    }
    assert_int_equal(before_end, UINT64_MAX);
    assert_int_equal(fg_histogram_bucket(UINT64_MAX), FG_HISTOGRAM_BUCKETS - 1);
}

static int add_histogram(void *arg, const struct fg_rollup_cell *cell)
{
    fg_histogram_add(arg, cell);
    return 0;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void quantiles_are_five_percent_off_at_most(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static uint64_t durations[COUNT];
    struct test_random random = {7};
    for (uint32_t i = 0; i < COUNT; i++) {
        double exponent = (double)test_random_below(&random, 1000000) / 1e6;
        durations[i] = (uint64_t)(1000.0 * pow(10, exponent * 7));
        add("s", "n", 1, 0, MIN * test_random_below(&random, 3), 0);
    }
    fg_builder_view(builder, &batch);
    uint64_t *ends = calloc(COUNT, sizeof *ends);
    for (uint32_t i = 0; i < COUNT; i++)
        ends[i] = batch.start_ns[i] + durations[i];
    batch.end_ns = ends;
    assert_int_equal(fg_rollup_add(rollup, &batch, 0, COUNT, NULL, 0, UINT64_MAX), 0);
    struct fg_histogram histogram = {0};
    assert_int_equal(fg_rollup_each(rollup, add_histogram, &histogram), 0);
    assert_int_equal(histogram.count, COUNT);
    qsort(durations, COUNT, sizeof *durations, compare_u64);
    const double quantiles[] = {0, 0.01, 0.5, 0.9, 0.95, 0.99, 1};
    for (size_t i = 0; i < 7; i++) {
        size_t rank = (size_t)ceil(quantiles[i] * COUNT);
        double real = (double)durations[rank ? rank - 1 : 0];
        double got = (double)fg_histogram_quantile(&histogram, quantiles[i]);
        assert_true(fabs(got - real) <= real * 0.05 + 1);
    }
    struct fg_histogram nothing = {0}, two = {.count = 2};
    assert_int_equal(fg_histogram_quantile(&nothing, 0.5), 0);
    two.buckets[fg_histogram_bucket(1000)] = 1;
    two.buckets[fg_histogram_bucket(9000000)] = 1;
    assert_true(fg_histogram_quantile(&two, 0.5) < 1100);
    assert_true(fg_histogram_quantile(&two, 0.51) > 8000000);
    free(ends);
}

/* -- Bytes */

static struct fg_buffer encode(const struct fg_rollup *of)
{
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, 128 << 20);
    assert_int_equal(fg_rollup_encode(of, &buffer), 0);
    return buffer;
}

static void fill_at_random(struct fg_rollup *to, uint64_t seed, uint32_t count)
{
    struct random_batch_options options = random_batch_options_default(seed);
    options.span_count = count;
    options.start_ns = 500 * MIN;
    options.spread_ns = 10 * MIN;
    fg_builder_reset(builder);
    random_batch_fill(builder, &options);
    fg_builder_view(builder, &batch);
    uint32_t *caller = calloc(count, sizeof *caller);
    for (uint32_t i = 1; i < count; i++)
        caller[i] = batch.resource_service[batch.resource[i - 1]];
    take(to, caller);
    free(caller);
}

static void bytes_hold_what_was_counted(void **state)
{
    (void)state;
    for (uint32_t count = 0; count < 3000; count = count * 3 + 1) {
        fg_rollup_reset(rollup);
        fill_at_random(rollup, count, count);
        char *before = strdup(cells(rollup));
        struct fg_buffer bytes = encode(rollup), again;
        fg_rollup_reset(rollup);
        assert_string_equal(cells(rollup), "");
        assert_int_equal(fg_rollup_decode(rollup, fg_buffer_slice(&bytes), 0, UINT64_MAX), 0);
        assert_string_equal(cells(rollup), before);
        again = encode(rollup);
        struct fg_rollup *window;
        assert_int_equal(fg_rollup_new(&window), 0);
        assert_int_equal(
            fg_rollup_decode(window, fg_buffer_slice(&bytes), 502 * MIN + 5, 504 * MIN + 1), 0);
        const char *line = cells(window);
        for (; *line; line = strchr(line, '\n') + 1)
            assert_true(atoi(line) >= 502 && atoi(line) <= 504);
        fg_rollup_free(window);
        fg_buffer_free(&bytes);
        fg_buffer_free(&again);
        free(before);
    }
}

static void two_merged_are_one_of_both(void **state)
{
    (void)state;
    struct fg_rollup *a, *b;
    assert_int_equal(fg_rollup_new(&a), 0);
    assert_int_equal(fg_rollup_new(&b), 0);
    fill_at_random(a, 1, 1000);
    fill_at_random(b, 2, 2000);
    fill_at_random(rollup, 1, 1000);
    fill_at_random(rollup, 2, 2000);
    char *both = strdup(cells(rollup));
    assert_int_equal(fg_rollup_merge(a, b), 0);
    assert_string_equal(cells(a), both);
    free(both);
    fg_rollup_free(a);
    fg_rollup_free(b);
}

static void bytes_that_are_no_rollup_are_refused(void **state)
{
    (void)state;
    fill_at_random(rollup, 3, 40);
    struct fg_buffer bytes = encode(rollup);
    assert_int_equal(bytes.data[1],
                     0); /* small: not compressed, so that each byte means something */
    struct fg_rollup *to;
    assert_int_equal(fg_rollup_new(&to), 0);
    for (size_t size = 0; size < bytes.size; size++) {
        assert_int_equal(fg_rollup_decode(to, fg_slice(bytes.data, size), 0, UINT64_MAX),
                         FG_ECORRUPT);
        assert_string_equal(cells(to), "");
    }
    bytes.data[0] = 2;
    assert_int_equal(fg_rollup_decode(to, fg_buffer_slice(&bytes), 0, UINT64_MAX), FG_EUNSUPPORTED);
    bytes.data[0] = 1;
    int refused = 0;
    struct test_random random = {9};
    for (int round = 0; round < 20000; round++) {
        size_t at = test_random_below(&random, (uint32_t)bytes.size);
        uint8_t before = bytes.data[at];
        bytes.data[at] = (uint8_t)test_random_u64(&random);
        fg_rollup_reset(to);
        int r = fg_rollup_decode(to, fg_buffer_slice(&bytes), 0, UINT64_MAX);
        assert_true(r == 0 || r == FG_ECORRUPT || r == FG_EUNSUPPORTED);
        refused += r != 0;
        bytes.data[at] = before;
    }
    assert_true(refused > 1000);
    fg_rollup_free(to);
    fg_buffer_free(&bytes);
}

static void a_claim_of_size_takes_no_memory(void **state)
{
    (void)state;
    /* one string of 2^40 bytes, 2^30 strings, 2^21 operations in a few bytes */
    const uint8_t huge_string[] = {1, 0, 9, 0, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0};
    const uint8_t many_strings[] = {1, 0, 7, 0, 0x80, 0x80, 0x80, 0x80, 4, 0};
    const uint8_t many_ops[] = {1, 0, 6, 0, 0, 0x80, 0x80, 0x80, 1};
    const uint8_t huge_body[] = {1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
    const struct fg_slice all[] = {
        fg_slice(huge_string, sizeof huge_string), fg_slice(many_strings, sizeof many_strings),
        fg_slice(many_ops, sizeof many_ops), fg_slice(huge_body, sizeof huge_body)};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_int_equal(fg_rollup_decode(rollup, all[i], 0, UINT64_MAX), FG_ECORRUPT);
}

/* -- Bounds */

struct totals {
    uint64_t count, other_count, cells;
};

static int add_total(void *arg, const struct fg_rollup_cell *cell)
{
    struct totals *totals = arg;
    totals->count += cell->count + cell->open_count;
    totals->cells++;
    if (fg_slice_equal(cell->name, FG_SLICE("other")) ||
        fg_slice_equal(cell->service, FG_SLICE("other")))
        totals->other_count += cell->count + cell->open_count;
    return 0;
}

static struct totals totals_of(const struct fg_rollup *of)
{
    struct totals totals = {0};
    assert_int_equal(fg_rollup_each(of, add_total, &totals), 0);
    return totals;
}

static void names_and_services_past_their_number_are_other(void **state)
{
    (void)state;
    for (int i = 0; i < 1500; i++) {
        char name[32];
        snprintf(name, sizeof name, "GET /order/%d", i);
        add("shop", name, FG_SPAN_KIND_SERVER, 0, MIN, MIN + 10);
        add("shop", name, FG_SPAN_KIND_SERVER, FG_STATUS_ERROR, MIN, MIN + 10);
    }
    take(rollup, NULL);
    struct totals totals = totals_of(rollup);
    assert_int_equal(totals.count, 3000);
    assert_int_equal(totals.other_count, 2 * (1500 - FG_ROLLUP_NAMES_MAX));
    assert_int_equal(totals.cells, 2 * FG_ROLLUP_NAMES_MAX + 2);

    fg_rollup_reset(rollup);
    fg_builder_reset(builder);
    for (int i = 0; i < 1500; i++) {
        char name[32];
        snprintf(name, sizeof name, "service-%d", i);
        add(name, "x", FG_SPAN_KIND_SERVER, 0, MIN, MIN + 10);
    }
    take(rollup, NULL);
    totals = totals_of(rollup);
    assert_int_equal(totals.count, 1500);
    assert_int_equal(totals.other_count, 1500 - FG_ROLLUP_SERVICES_MAX);
}

/* Numbers without end: first coarser, then other, then only counted, and never more memory. */
static void numbers_without_end_stay_bounded(void **state)
{
    (void)state;
    uint32_t op, other;
    assert_int_equal(
        rollup_op_intern(rollup, ROLLUP_OPERATION, FG_SLICE("s"), FG_SLICE("n"), 1, 0, &op), 0);
    assert_int_equal(
        rollup_op_intern(rollup, ROLLUP_OPERATION, FG_SLICE("s"), FG_SLICE("other"), 1, 0, &other),
        0);
    for (uint64_t i = 0; i < 2 * FG_ROLLUP_NUMBERS_MAX; i++)
        assert_int_equal(rollup_count(rollup, i / 100, op, (uint32_t)(i % 100), 1), 0);
    assert_true(rollup->used <= FG_ROLLUP_NUMBERS_MAX);
    assert_true(fg_rollup_size_bytes(rollup) < (uint64_t)52 << 20);
    struct totals totals = totals_of(rollup);
    assert_int_equal(totals.count + fg_rollup_uncounted(rollup), 2 * FG_ROLLUP_NUMBERS_MAX);
    assert_true(totals.other_count > 0);
    struct fg_buffer bytes = encode(rollup);
    uint64_t uncounted = fg_rollup_uncounted(rollup);
    fg_rollup_reset(rollup);
    assert_int_equal(fg_rollup_decode(rollup, fg_buffer_slice(&bytes), 0, UINT64_MAX), 0);
    assert_int_equal(totals_of(rollup).count + fg_rollup_uncounted(rollup),
                     2 * FG_ROLLUP_NUMBERS_MAX);
    assert_true(fg_rollup_uncounted(rollup) >= uncounted);
    fg_buffer_free(&bytes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(spans_are_counted_by_minute_and_operation),
        TEST(edges_join_two_services_with_the_callees_outcome),
        TEST(only_the_window_is_added),
        TEST(every_duration_lies_in_its_bucket),
        TEST(quantiles_are_five_percent_off_at_most),
        TEST(bytes_hold_what_was_counted),
        TEST(two_merged_are_one_of_both),
        TEST(bytes_that_are_no_rollup_are_refused),
        TEST(a_claim_of_size_takes_no_memory),
        TEST(names_and_services_past_their_number_are_other),
        TEST(numbers_without_end_stay_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
