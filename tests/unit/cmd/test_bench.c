/* cmd/bench: what the load generator sends is what it says, and its counting counts. */
#include "bench/company.h"
#include "bench/histogram.h"
#include "bench/sample.h"
#include "bench/shape.h"
#include "wire/otlp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TRACES 40u
#define SPANS  (TRACES * FG_BENCH_TRACE_SPANS)
/* A company's request is of whole sets. */
#define SPANS_MAX (SPANS + FG_BENCH_COMPANY_SPANS)
#define NOW_NS    UINT64_C(1795642650384163600)
#define SERVICE   FG_SLICE("service.name")
#define ORDER     FG_SLICE("order.id")

struct seen_span {
    uint8_t trace_id[16], span_id[8], parent_id[8];
    bool is_root;
    uint64_t start_ns, end_ns;
    uint32_t attribute_count;
    char order[16];
};

/* One decoded request. */
struct seen {
    struct seen_span spans[SPANS_MAX];
    size_t span_count, service_count;
    uint32_t name_bits[128]; /* hashes of names */
};

static int resource_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct seen *seen = arg;
    (void)value;
    seen->service_count += fg_slice_equal(key, SERVICE);
    return 0;
}

static int resource_begin(void *arg, const struct fg_otlp_resource *resource)
{
    (void)arg;
    (void)resource;
    return 0;
}

static int scope_begin(void *arg, const struct fg_otlp_scope *scope)
{
    (void)arg;
    (void)scope;
    return 0;
}

static int span_begin(void *arg, const struct fg_otlp_span *span)
{
    struct seen *seen = arg;
    assert_true(seen->span_count < SPANS_MAX);
    struct seen_span *own = &seen->spans[seen->span_count];
    assert_int_equal(span->trace_id.size, 16);
    assert_int_equal(span->span_id.size, 8);
    memcpy(own->trace_id, span->trace_id.data, 16);
    memcpy(own->span_id, span->span_id.data, 8);
    own->is_root = span->parent_span_id.size == 0;
    if (!own->is_root)
        memcpy(own->parent_id, span->parent_span_id.data, 8);
    own->start_ns = span->start_ns;
    own->end_ns = span->end_ns;
    own->attribute_count = span->attribute_count;
    uint32_t hash = 0;
    for (size_t i = 0; i < span->name.size; i++)
        hash = hash * 31 + span->name.data[i];
    seen->name_bits[hash / 32 % 128] |= 1u << hash % 32;
    return 0;
}

static int span_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct seen *seen = arg;
    struct seen_span *own = &seen->spans[seen->span_count];
    if (value->type == FG_OTLP_STRING) {
        assert_null(memchr(value->string.data, '@', value->string.size)); /* no mark is left */
        assert_null(memchr(value->string.data, '#', value->string.size));
        if (fg_slice_equal(key, ORDER))
            snprintf(own->order, sizeof own->order, "%.*s", (int)value->string.size,
                     (const char *)value->string.data);
    }
    return 0;
}

static int event_begin(void *arg, const struct fg_otlp_event *event)
{
    (void)arg;
    (void)event;
    return 0;
}

static int link_begin(void *arg, const struct fg_otlp_link *link)
{
    (void)arg;
    (void)link;
    return 0;
}

static int ignore_attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    (void)arg;
    (void)key;
    (void)value;
    return 0;
}

static int ignore_end(void *arg)
{
    (void)arg;
    return 0;
}

static int span_end(void *arg)
{
    ((struct seen *)arg)->span_count++;
    return 0;
}

static const struct fg_otlp_visitor visitor = {
    .resource_begin = resource_begin,
    .resource_attribute = resource_attribute,
    .resource_end = ignore_end,
    .scope_begin = scope_begin,
    .scope_attribute = ignore_attribute,
    .scope_end = ignore_end,
    .span_begin = span_begin,
    .span_attribute = span_attribute,
    .event_begin = event_begin,
    .event_attribute = ignore_attribute,
    .event_end = ignore_end,
    .link_begin = link_begin,
    .link_attribute = ignore_attribute,
    .link_end = ignore_end,
    .span_end = span_end,
};

static struct fg_bench_shape *new_shape(enum fg_bench_kind kind, uint64_t seed)
{
    struct fg_bench_shape *shape = NULL;
    assert_int_equal(fg_bench_shape_new(kind, seed, SPANS, &shape), 0);
    return shape;
}

static uint8_t *write_request(const struct fg_bench_shape *shape, uint64_t request,
                              size_t *ret_size)
{
    uint8_t *body = malloc(fg_bench_request_size_max(shape));
    assert_non_null(body);
    fg_bench_request_write(shape, request, NOW_NS, body);
    *ret_size = fg_bench_request_size(shape, request);
    return body;
}

static struct seen *decode(const struct fg_bench_shape *shape, uint64_t request)
{
    struct seen *seen = calloc(1, sizeof *seen);
    assert_non_null(seen);
    size_t size;
    uint8_t *body = write_request(shape, request, &size);
    assert_int_equal(fg_otlp_decode_traces(fg_slice(body, size), &visitor, seen, NULL), 0);
    free(body);
    return seen;
}

/* Finds a span's parent in its request; NULL for a root. */
static const struct seen_span *parent_of(const struct seen *seen, const struct seen_span *span)
{
    for (size_t i = 0; !span->is_root && i < seen->span_count; i++)
        if (memcmp(seen->spans[i].trace_id, span->trace_id, 16) == 0 &&
            memcmp(seen->spans[i].span_id, span->parent_id, 8) == 0)
            return &seen->spans[i];
    assert_true(span->is_root); /* a parent is always there */
    return NULL;
}

static bool has_trace(const struct seen *seen, const char *id)
{
    for (size_t i = 0; i < seen->span_count; i++) {
        char text[FG_BENCH_TRACE_ID_TEXT_SIZE];
        for (size_t k = 0; k < 16; k++)
            snprintf(text + 2 * k, 3, "%02x", seen->spans[i].trace_id[k]);
        if (strcmp(text, id) == 0)
            return true;
    }
    return false;
}

static void check_request(const struct fg_bench_shape *shape, uint64_t seed, uint64_t request)
{
    struct seen *seen = decode(shape, request);
    size_t roots = 0;
    assert_int_equal(seen->span_count, SPANS);
    for (size_t i = 0; i < seen->span_count; i++) {
        const struct seen_span *span = &seen->spans[i], *parent = parent_of(seen, span);
        roots += span->is_root;
        assert_true(span->start_ns < span->end_ns);
        assert_true(span->end_ns <= NOW_NS && span->start_ns > NOW_NS - 1000000000);
        /* A consumer outlives its producer, but nobody starts before who asked for it. */
        if (parent)
            assert_true(parent->start_ns <= span->start_ns + 20000);
    }
    assert_int_equal(roots, TRACES);
    for (uint32_t i = 0; i < TRACES; i++) {
        char id[FG_BENCH_TRACE_ID_TEXT_SIZE];
        fg_bench_trace_id(seed, request * TRACES + i, id);
        assert_true(has_trace(seen, id));
    }
    free(seen);
}

static void requests_are_whole_traces(void **state)
{
    (void)state;
    for (int kind = FG_BENCH_SMALL; kind <= FG_BENCH_WIDE; kind++) {
        struct fg_bench_shape *shape = new_shape((enum fg_bench_kind)kind, 7);
        assert_int_equal(fg_bench_traces_per_request(shape), TRACES);
        for (uint64_t request = 0; request < 10; request++)
            check_request(shape, 7, request);
        fg_bench_shape_free(shape);
    }
}

/* Nine traces of each order in one sequence or another, and none twice. */
static void an_order_has_each_trace_once(void **state)
{
    enum { OPEN = 4096 };
    static uint8_t counts[FG_BENCH_COMPANY_TRACES][4 * OPEN];
    (void)state;
    unsigned moved = 0;
    for (uint64_t set = 0; set < 3 * OPEN; set++)
        for (uint32_t trace = 0; trace < FG_BENCH_COMPANY_TRACES; trace++) {
            uint64_t order = fg_bench_company_order(set, trace, OPEN);
            assert_true(order < 4 * OPEN);
            counts[trace][order]++;
            moved += trace == 3 && fg_bench_company_order(set + 1, trace, OPEN) != order + 1;
        }
    for (uint32_t trace = 0; trace < FG_BENCH_COMPANY_TRACES; trace++)
        for (uint64_t order = OPEN; order < 2 * OPEN; order++)
            assert_int_equal(counts[trace][order], 1);
    assert_true(moved > OPEN); /* people are not all as quick */
}

/* As the recording has it: all spans but one of a set name an order, of those that are under way.
 */
static void the_company_is_as_recorded(void **state)
{
    (void)state;
    struct fg_bench_shape *shape = new_shape(FG_BENCH_COMPANY, 7);
    fg_bench_shape_open(shape, 1000);
    uint32_t spans = fg_bench_spans_per_request(shape), sets = fg_bench_orders_per_request(shape);
    assert_int_equal(spans, sets * FG_BENCH_COMPANY_SPANS);
    assert_int_equal(fg_bench_traces_per_request(shape), sets * FG_BENCH_COMPANY_TRACES);
    for (uint64_t request = 0; request < 10; request++) {
        struct seen *seen = decode(shape, request);
        size_t roots = 0, unnamed = 0;
        assert_int_equal(seen->span_count, spans);
        for (size_t i = 0; i < seen->span_count; i++) {
            const struct seen_span *span = &seen->spans[i], *parent = parent_of(seen, span);
            roots += span->is_root;
            unnamed += *span->order == 0;
            assert_true(span->start_ns < span->end_ns && span->end_ns <= NOW_NS);
            if (*span->order) {
                uint64_t order = strtoull(span->order + 4, NULL, 10);
                assert_in_range(order + 500, request * sets, (request + 1) * sets + 1500);
            }
            if (parent) {
                assert_true(parent->start_ns <= span->start_ns + 20000);
                assert_string_equal(parent->order, span->order);
            }
        }
        assert_int_equal(roots, fg_bench_traces_per_request(shape));
        assert_int_equal(unnamed, sets);
        free(seen);
    }
    fg_bench_shape_free(shape);
    shape = new_shape(FG_BENCH_PLACED, 7);
    assert_int_equal(fg_bench_spans_per_request(shape), SPANS);
    assert_int_equal(fg_bench_orders_per_request(shape), SPANS / 2);
    fg_bench_shape_free(shape);
}

/* The documented shapes: what is measured with them is comparable only while they stay. */
static void shapes_are_as_described(void **state)
{
    (void)state;
    struct fg_bench_shape *small = new_shape(FG_BENCH_SMALL, 1);
    assert_true(fg_bench_span_size(small) > 330 && fg_bench_span_size(small) < 336);
    fg_bench_shape_free(small);

    struct fg_bench_shape *wide = new_shape(FG_BENCH_WIDE, 1);
    struct seen *seen = decode(wide, 0);
    assert_int_equal(seen->service_count, 50);
    for (size_t i = 0; i < seen->span_count; i++)
        assert_int_equal(seen->spans[i].attribute_count, 40);
    unsigned names = 0;
    for (uint64_t request = 1; request < 8; request++) {
        struct seen *more = decode(wide, request);
        for (size_t i = 0; i < 128; i++)
            seen->name_bits[i] |= more->name_bits[i];
        free(more);
    }
    for (size_t i = 0; i < 128; i++)
        names += (unsigned)__builtin_popcount(seen->name_bits[i]);
    assert_true(names > 1500); /* of 3000, as seen through 4096 hash bits */
    free(seen);
    fg_bench_shape_free(wide);
}

static void the_seed_decides_all_but_the_times(void **state)
{
    (void)state;
    struct fg_bench_shape *one = new_shape(FG_BENCH_SMALL, 3), *same = new_shape(FG_BENCH_SMALL, 3);
    struct fg_bench_shape *other = new_shape(FG_BENCH_SMALL, 4);
    size_t sizes[3];
    uint8_t *bodies[] = {write_request(one, 5, &sizes[0]), write_request(same, 5, &sizes[1]),
                         write_request(other, 5, &sizes[2])};
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bodies[0], bodies[1], sizes[0]);
    assert_true(sizes[0] != sizes[2] || memcmp(bodies[0], bodies[2], sizes[0]) != 0);
    for (size_t i = 0; i < 3; i++)
        free(bodies[i]);
    fg_bench_shape_free(one);
    fg_bench_shape_free(same);
    fg_bench_shape_free(other);
}

/* No two traces of a run share an id, and each has an order of its own. */
static void traces_differ(void **state)
{
    (void)state;
    struct fg_bench_shape *shape = new_shape(FG_BENCH_SMALL, 1);
    struct seen *first = decode(shape, 0), *second = decode(shape, 8); /* of the same template */
    for (size_t i = 0; i < SPANS; i++) {
        assert_memory_not_equal(first->spans[i].trace_id, second->spans[i].trace_id, 16);
        assert_memory_not_equal(first->spans[i].span_id, second->spans[i].span_id, 8);
        if (*first->spans[i].order)
            assert_string_not_equal(first->spans[i].order, second->spans[i].order);
    }
    free(first);
    free(second);
    fg_bench_shape_free(shape);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Against a sorted array: never too low, and at most 1/32 too high. */
static void quantiles_are_near(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static uint64_t values[COUNT];
    struct fg_bench_histogram *histogram = calloc(1, sizeof *histogram);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = fg_bench_mix(i) >> (i % 64);
        fg_bench_histogram_add(histogram, values[i]);
    }
    qsort(values, COUNT, sizeof *values, compare);
    static const double shares[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        uint64_t exact = values[(size_t)(shares[i] * COUNT + 0.999) - 1];
        uint64_t found = fg_bench_histogram_quantile(histogram, shares[i]);
        assert_true(found >= exact && found - exact <= exact / 32);
    }
    assert_true(histogram->max == values[COUNT - 1]);
    free(histogram);
}

/* Only what was acknowledged is asked for, and the last requests are there in full. */
static void samples_are_of_what_was_acknowledged(void **state)
{
    (void)state;
    struct fg_bench_sample *sample = calloc(1, sizeof *sample);
    uint64_t *traces = calloc(10000, sizeof *traces);
    assert_int_equal(fg_bench_sample_traces(sample, TRACES, traces, 10000), 0);
    for (uint64_t request = 0; request < 5000; request += 2) /* the odd ones are lost */
        fg_bench_sample_add(sample, request);
    size_t count = fg_bench_sample_traces(sample, TRACES, traces, 10000);
    assert_int_equal(count, FG_BENCH_SAMPLE_ALL + FG_BENCH_SAMPLE_LAST * TRACES);
    size_t in_second_half = 0;
    for (size_t i = 0; i < count; i++)
        assert_true(traces[i] / TRACES % 2 == 0 && traces[i] / TRACES < 5000);
    for (size_t i = 0; i < FG_BENCH_SAMPLE_ALL; i++)
        in_second_half += traces[i] / TRACES >= 2500;
    assert_in_range(in_second_half, 400, 600);
    assert_int_equal(traces[FG_BENCH_SAMPLE_ALL] / TRACES, 4998); /* the newest first */
    assert_int_equal(fg_bench_sample_traces(sample, TRACES, traces, 50), 50);
    free(traces);
    free(sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_whole_traces),
        cmocka_unit_test(shapes_are_as_described),
        cmocka_unit_test(an_order_has_each_trace_once),
        cmocka_unit_test(the_company_is_as_recorded),
        cmocka_unit_test(the_seed_decides_all_but_the_times),
        cmocka_unit_test(traces_differ),
        cmocka_unit_test(quantiles_are_near),
        cmocka_unit_test(samples_are_of_what_was_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
