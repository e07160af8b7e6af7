/* Rows that nobody would send twice: thousands of keys or names, numbers at the ends of their
 * ranges, traces of one shape or none, times of every kind. All of it comes back to the bit, and is
 * found. */
#include "segment_rows.h"

#include "base/limits.h"
#include "local/cache.h"
#include "segment_traces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fg_builder *builder_new(void)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    limits.bytes_max = (uint64_t)1 << 30;
    limits.attrs_max = limits.events_max = limits.links_max = 100000;
    limits.attr_value_size_max = 16u << 20;
    struct fg_builder *builder;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    return builder;
}

static void put_owner(struct fg_builder *builder, const char *service, struct fg_span *span)
{
    struct fg_value value = {.type = FG_VALUE_STRING, .bytes = fg_slice_from_string(service)};
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &value), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &span->resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE("s"), FG_SLICE(""), FG_SLICE(""), 0, &span->scope),
        0);
}

static void put_text(struct fg_builder *builder, const char *key, struct fg_slice text)
{
    struct fg_value value = {.type = FG_VALUE_STRING, .bytes = text};
    assert_int_equal(fg_builder_span_attr(builder, fg_slice_from_string(key), &value), 0);
}

static void put_bits(struct fg_builder *builder, const char *key, enum fg_value_type type,
                     uint64_t bits)
{
    struct fg_value value = {.type = type, .bits = bits};
    assert_int_equal(fg_builder_span_attr(builder, fg_slice_from_string(key), &value), 0);
}

/* Writes, reads all back, and looks up every trace. Consumes the builder. */
static uint64_t check_take(struct fg_builder *builder, uint32_t group_rows)
{
    struct segment_rows rows = segment_rows_order(builder);
    fg_builder_free(builder);
    struct fg_sim *sim;
    assert_int_equal(fg_sim_new(1, &sim), 0);
    struct fg_segment_info info =
        segment_rows_write(&rows, fg_sim_env(sim), SEGMENT_PATH, group_rows);
    struct fg_segment *segment;
    assert_int_equal(fg_segment_open(fg_sim_env(sim), SEGMENT_PATH, NULL, &segment), 0);
    struct fg_segment_reader_options options = {.columns = FG_COLUMNS_ALL, .page_cache_count = 1};
    struct fg_segment_reader *reader;
    assert_int_equal(fg_segment_reader_new(segment, &options, &reader), 0);
    for (uint64_t row = 0; row < rows.batch.span_count;) {
        const struct fg_batch *page;
        uint64_t begin;
        assert_int_equal(fg_segment_reader_page(reader, row, &page, &begin), 0);
        for (uint32_t i = 0; i < page->span_count; i++, row++) {
            const char *what = segment_rows_differ(&rows.batch, (uint32_t)row, page, i,
                                                   FG_COLUMNS_ALL, NULL, NULL);
            if (what)
                fail_msg("row %u: %s differs", (uint32_t)row, what);
        }
    }
    fg_segment_reader_free(reader);
    struct fg_segment_trace found;
    struct segment_traces traces;
    assert_int_equal(segment_traces_list(segment, &traces), 0);
    for (size_t i = 0; i < traces.count; i++) {
        const struct fg_segment_trace *trace = &traces.all[i];
        assert_int_equal(fg_segment_find_trace(segment, trace->id_high, trace->id_low, &found), 0);
        assert_memory_equal(&found, trace, sizeof found);
    }
    free(traces.all);
    fg_segment_unref(segment);
    fg_sim_free(sim);
    segment_rows_free(&rows);
    return info.size_bytes;
}

static struct fg_span span_of(uint64_t trace, uint64_t id, uint64_t parent)
{
    return (struct fg_span){.trace_id_high = 7,
                            .trace_id_low = trace,
                            .span_id = id,
                            .parent_span_id = parent,
                            .start_ns = UINT64_C(1764000000000000000) + trace * 1000 + id,
                            .end_ns = UINT64_C(1764000000000001000) + trace * 1000 + id,
                            .received_ns = UINT64_C(1764000000100000000),
                            .name = FG_SLICE("work")};
}

static void thousands_of_keys_overflow(void **state)
{
    (void)state;
    struct fg_builder *builder = builder_new();
    struct fg_span owner = {0};
    put_owner(builder, "a", &owner);
    for (uint32_t i = 0; i < 300; i++) {
        struct fg_span span = span_of(i / 10, i + 1, i % 10 ? i : 0);
        char key[32];
        span.resource = owner.resource;
        span.scope = owner.scope;
        assert_int_equal(fg_builder_span_begin(builder), 0);
        put_text(builder, "common", FG_SLICE("value"));
        for (uint32_t k = 0; k < 12; k++) {
            snprintf(key, sizeof key, "key.%u", i * 12 + k);
            if (k % 3 == 0)
                put_bits(builder, key, FG_VALUE_INT, i);
            else if (k % 3 == 1)
                put_bits(builder, key, FG_VALUE_DOUBLE, ~(uint64_t)i);
            else
                put_text(builder, key, fg_slice_from_string(key));
        }
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
    }
    check_take(builder, 65536);
}

static int ignore_page(void *arg, const struct fg_segment_page *page)
{
    (void)arg;
    (void)page;
    return 0;
}

static void a_key_that_overflowed_is_not_ruled_out(void **state)
{
    (void)state;
    struct fg_builder *builder = builder_new();
    struct fg_span span = span_of(1, 1, 0);
    char key[32];
    put_owner(builder, "a", &span);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    for (uint32_t k = 0; k < FG_ATTR_COLUMNS_MAX + 20; k++) {
        snprintf(key, sizeof key, "key.%u", k);
        put_text(builder, key, FG_SLICE("v"));
    }
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
    struct segment_rows rows = segment_rows_order(builder);
    fg_builder_free(builder);
    struct fg_sim *sim;
    assert_int_equal(fg_sim_new(1, &sim), 0);
    segment_rows_write(&rows, fg_sim_env(sim), SEGMENT_PATH, 100);
    struct fg_segment *segment;
    assert_int_equal(fg_segment_open(fg_sim_env(sim), SEGMENT_PATH, NULL, &segment), 0);
    struct fg_predicate leaf = {
        .op = FG_PRED_EQ, .field = FG_FIELD_ATTR_SPAN, .type = FG_VALUE_STRING};
    leaf.string = FG_SLICE("v");
    for (uint32_t k = 0; k < FG_ATTR_COLUMNS_MAX + 20; k++) {
        struct fg_prune_counters counters;
        snprintf(key, sizeof key, "key.%u", k);
        leaf.key = fg_slice_from_string(key);
        assert_int_equal(
            fg_segment_prune(segment, &leaf, 0, UINT64_MAX, true, ignore_page, NULL, &counters), 0);
        assert_int_equal(counters.pages - counters.pages_pruned, 1);
    }
    fg_segment_unref(segment);
    fg_sim_free(sim);
    segment_rows_free(&rows);
}

/* Pages that are left of one row group of these rows. Consumes the builder. */
static uint64_t pages_left_take(struct fg_builder *builder, const struct fg_predicate *predicate)
{
    struct segment_rows rows = segment_rows_order(builder);
    fg_builder_free(builder);
    struct fg_sim *sim;
    assert_int_equal(fg_sim_new(1, &sim), 0);
    segment_rows_write(&rows, fg_sim_env(sim), SEGMENT_PATH, 65536);
    struct fg_segment *segment;
    struct fg_prune_counters counters;
    assert_int_equal(fg_segment_open(fg_sim_env(sim), SEGMENT_PATH, NULL, &segment), 0);
    assert_int_equal(
        fg_segment_prune(segment, predicate, 0, UINT64_MAX, true, ignore_page, NULL, &counters), 0);
    fg_segment_unref(segment);
    fg_sim_free(sim);
    segment_rows_free(&rows);
    return counters.pages - counters.pages_pruned;
}

/* NOT needs to know that all rows match: what only some events of a span's class have, or what NaN
 * is no part of, is not all. */
static void not_all_is_not_all(void **state)
{
    (void)state;
    struct fg_predicate leaf = {.op = FG_PRED_EXISTS, .field = FG_FIELD_ATTR_EVENT};
    const struct fg_predicate *children[] = {&leaf};
    struct fg_predicate not = {.op = FG_PRED_NOT, .child_count = 1, .children = children};
    struct fg_value value = {.type = FG_VALUE_INT, .bits = 1};
    leaf.key = FG_SLICE("k");
    struct fg_builder *builder = builder_new();
    for (uint32_t i = 0; i < 20; i++) {
        struct fg_span span = span_of(i, i + 1, 0);
        put_owner(builder, "a", &span);
        assert_int_equal(fg_builder_span_begin(builder), 0);
        assert_int_equal(fg_builder_event_begin(builder), 0);
        if (i % 2)
            assert_int_equal(fg_builder_event_attr(builder, FG_SLICE("k"), &value), 0);
        assert_int_equal(fg_builder_event_end(builder, span.start_ns, FG_SLICE("e"), 0), 0);
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
    }
    assert_int_equal(pages_left_take(builder, &not ), 1);

    leaf = (struct fg_predicate){
        .op = FG_PRED_LT, .field = FG_FIELD_ATTR_SPAN, .type = FG_VALUE_INT, .integer = 1000};
    leaf.key = FG_SLICE("k");
    for (int with_nan = 0; with_nan < 2; with_nan++) {
        builder = builder_new();
        for (uint32_t i = 0; i < 100; i++) {
            struct fg_span span = span_of(i, i + 1, 0);
            double number = i;
            uint64_t bits;
            memcpy(&bits, &number, sizeof bits);
            if (with_nan && i == 50)
                bits = UINT64_C(0x7ff8000000000000);
            put_owner(builder, "a", &span);
            assert_int_equal(fg_builder_span_begin(builder), 0);
            put_bits(builder, "k", FG_VALUE_DOUBLE, bits);
            assert_int_equal(fg_builder_span_end(builder, &span), 0);
        }
        assert_int_equal(pages_left_take(builder, &not ), with_nan);
    }
}

/* In a page's own strings as in the dictionary the empty one is string 0. */
static void an_empty_text_is_string_0(void **state)
{
    (void)state;
    struct fg_builder *builder = builder_new();
    for (uint32_t i = 0; i < 200; i++) {
        struct fg_span span = span_of(i, i + 1, 0);
        char text[32] = "";
        if (i % 5)
            snprintf(text, sizeof text, "%u", i * 7919);
        put_owner(builder, "a", &span);
        assert_int_equal(fg_builder_span_begin(builder), 0);
        put_text(builder, "k", fg_slice_from_string(text));
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
    }
    struct segment_rows rows = segment_rows_order(builder);
    fg_builder_free(builder);
    struct fg_sim *sim;
    assert_int_equal(fg_sim_new(1, &sim), 0);
    segment_rows_write(&rows, fg_sim_env(sim), SEGMENT_PATH, 65536);
    struct fg_segment *segment;
    assert_int_equal(fg_segment_open(fg_sim_env(sim), SEGMENT_PATH, NULL, &segment), 0);
    struct fg_segment_reader_options options = {.columns = FG_COLUMNS_ALL, .page_cache_count = 1};
    struct fg_segment_reader *reader;
    const struct fg_batch *page;
    uint64_t begin;
    assert_int_equal(fg_segment_reader_new(segment, &options, &reader), 0);
    assert_int_equal(fg_segment_reader_page(reader, 0, &page, &begin), 0);
    assert_true(page->string_count > page->stable_string_count); /* the texts are the page's own */
    for (uint32_t i = 0; i < 200; i++)
        assert_true((page->span_attrs.value[i] == 0) == (i % 5 == 0));
    fg_segment_reader_free(reader);
    fg_segment_unref(segment);
    fg_sim_free(sim);
    segment_rows_free(&rows);
}

static void as_many_names_as_spans(void **state)
{
    (void)state;
    struct fg_builder *builder = builder_new();
    struct fg_span owner = {0};
    put_owner(builder, "a", &owner);
    for (uint32_t i = 0; i < 9000; i++) {
        struct fg_span span = span_of(i / 5, i + 1, i % 5 ? i : 0);
        char name[64];
        snprintf(name, sizeof name, i % 100 ? "GET /orders/%u/items" : "", i);
        span.name = fg_slice_from_string(name);
        span.resource = owner.resource;
        span.scope = owner.scope;
        assert_int_equal(fg_builder_span_begin(builder), 0);
        assert_int_equal(fg_builder_event_begin(builder), 0);
        assert_int_equal(fg_builder_event_end(builder, span.start_ns + i, span.name, i % 3), 0);
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
    }
    check_take(builder, 65536);
}

static const uint64_t odd_numbers[] = {0,
                                       1,
                                       UINT64_MAX,
                                       INT64_MAX,
                                       (uint64_t)INT64_MIN,
                                       UINT64_C(0x7ff8000000000001), /* NaN with a payload */
                                       UINT64_C(0xfff0000000000000), /* minus infinity */
                                       UINT64_C(0x8000000000000000), /* minus zero */
                                       UINT64_C(0x3fb999999999999a), /* 0.1 */
                                       1234567890123};
#define ODD (sizeof odd_numbers / sizeof *odd_numbers)

static void put_odd_attrs(struct fg_builder *builder, uint32_t i)
{
    static const uint8_t bytes[] = {0, 1, 2, 0xff, 0};
    static const struct fg_slice texts[] = {{NULL, 0},
                                            {bytes, sizeof bytes},
                                            {(const uint8_t *)"0001", 4},
                                            {(const uint8_t *)"deadbeefdeadbeef", 16}};
    put_bits(builder, "int", FG_VALUE_INT, odd_numbers[i % ODD]);
    put_bits(builder, "double", FG_VALUE_DOUBLE, odd_numbers[i * 7 % ODD]);
    put_bits(builder, "mixed", i % 2 ? FG_VALUE_INT : FG_VALUE_DOUBLE, odd_numbers[i % ODD] + i);
    if (i % 3)
        put_bits(builder, "bool", FG_VALUE_BOOL, i % 2);
    if (i % 4 == 0)
        put_bits(builder, "empty", FG_VALUE_EMPTY, 0);
    struct fg_value value = {.type = i % 2 ? FG_VALUE_BYTES : FG_VALUE_STRING,
                             .bytes = texts[i % 4]};
    assert_int_equal(fg_builder_span_attr(builder, FG_SLICE("text"), &value), 0);
    if (i % 5 == 0)
        put_text(builder, i % 2 ? "z" : "a", FG_SLICE(""));
}

static void odd_numbers_come_back(void **state)
{
    (void)state;
    struct fg_builder *builder = builder_new();
    struct fg_span owner = {0};
    put_owner(builder, "", &owner);
    for (uint32_t i = 0; i < 2000; i++) {
        struct fg_span span = span_of(i / 7, i + 1, i % 7 ? i : 0);
        span.resource = owner.resource;
        span.scope = owner.scope;
        span.start_ns = odd_numbers[i % ODD];
        span.end_ns = odd_numbers[i * 3 % ODD];
        span.received_ns = odd_numbers[i * 9 % ODD];
        span.kind = (uint8_t)(i * 37);
        span.status = (uint8_t)(i % 5 == 0 ? 200 : 1);
        span.flags = (uint32_t)odd_numbers[i % 3];
        span.marks = (uint16_t)(i % 11 == 0 ? UINT16_MAX & ~(FG_MARK_SHARED) : 0);
        span.dropped_attrs = i % 13 == 0 ? UINT32_MAX : 0;
        span.dropped_events = i % 17;
        span.dropped_links = i % 19;
        span.trace_state = i % 3 ? FG_SLICE("") : FG_SLICE("k=v");
        span.status_message = i % 2 ? FG_SLICE("") : FG_SLICE("failed");
        assert_int_equal(fg_builder_span_begin(builder), 0);
        put_odd_attrs(builder, i);
        assert_int_equal(fg_builder_event_begin(builder), 0);
        assert_int_equal(
            fg_builder_event_end(builder, odd_numbers[i * 3 % ODD], FG_SLICE("e"), i % 2), 0);
        struct fg_link link = {.trace_id_high = odd_numbers[i % ODD],
                               .trace_id_low = i,
                               .span_id = odd_numbers[i * 3 % ODD],
                               .trace_state = i % 2 ? FG_SLICE("") : FG_SLICE("s"),
                               .flags = i % 3,
                               .dropped_attrs = i % 5};
        assert_int_equal(fg_builder_link_begin(builder), 0);
        assert_int_equal(fg_builder_link_end(builder, &link), 0);
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
    }
    check_take(builder, 65536);
}

/* Parents that are missing, that are the span itself, that come in a circle; two spans of one id.
 */
static void odd_parents_come_back(void **state)
{
    (void)state;
    struct fg_builder *builder = builder_new();
    struct fg_span owner = {0};
    put_owner(builder, "a", &owner);
    for (uint32_t i = 0; i < 3000; i++) {
        uint64_t id = i % 9 == 0 ? 0 : i % 50, parents[] = {0, id, id + 1, 12345678901234567, 3};
        struct fg_span span = span_of(i / 30, id, parents[i * 7 % 5]);
        span.kind = (uint8_t)i;
        span.resource = owner.resource;
        span.scope = owner.scope;
        assert_int_equal(fg_builder_span_begin(builder), 0);
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
    }
    check_take(builder, 700);
}

static void large_traces_cross_pages_and_row_groups(void **state)
{
    (void)state;
    for (uint32_t form = 0; form < 3; form++) {
        struct fg_builder *builder = builder_new();
        struct fg_span owner = {0};
        put_owner(builder, "a", &owner);
        for (uint32_t i = 0; i < 20000; i++) {
            /* a chain, a star, and one large trace among small ones */
            uint64_t trace = form < 2 ? 1 : i < 15000 ? 5 : i;
            uint64_t parent = i == 0 ? 0 : form == 0 ? i : 1;
            struct fg_span span = span_of(trace, i + 1, form == 2 && i >= 15000 ? 0 : parent);
            span.resource = owner.resource;
            span.scope = owner.scope;
            assert_int_equal(fg_builder_span_begin(builder), 0);
            assert_int_equal(fg_builder_span_end(builder, &span), 0);
        }
        check_take(builder, form ? 65536 : 7000);
    }
}

/* Clocks that tick in microseconds or milliseconds cost less than such that tell nanoseconds. */
static void coarse_clocks_are_cheap(void **state)
{
    (void)state;
    uint64_t sizes[3];
    static const uint64_t ticks[] = {1, 1000, 1000000};
    for (int form = 0; form < 3; form++) {
        struct fg_builder *builder = builder_new();
        struct fg_span owner = {0};
        struct test_random random = {9};
        put_owner(builder, "a", &owner);
        for (uint32_t i = 0; i < 8000; i++) {
            struct fg_span span = span_of(i / 8, i + 1, i % 8 ? i / 8 * 8 + 1 : 0);
            uint64_t start = test_random_u64(&random) % 5000000000;
            uint64_t length = test_random_u64(&random) % 5000000000;
            span.start_ns = (UINT64_C(1764000000000000000) + start) / ticks[form] * ticks[form];
            span.end_ns = span.start_ns + length / ticks[form] * ticks[form];
            span.resource = owner.resource;
            span.scope = owner.scope;
            assert_int_equal(fg_builder_span_begin(builder), 0);
            assert_int_equal(fg_builder_span_end(builder, &span), 0);
        }
        sizes[form] = check_take(builder, 65536);
    }
    assert_true(sizes[1] + 8000 * 2 < sizes[0]);
    assert_true(sizes[2] + 8000 * 2 < sizes[1]);
}

static void a_span_larger_than_a_page_comes_back(void **state)
{
    (void)state;
    struct fg_builder *builder = builder_new();
    struct fg_span owner = {0};
    put_owner(builder, "a", &owner);
    struct test_random random = {3};
    size_t size = 3u << 20;
    char *text = malloc(size);
    for (uint32_t i = 0; i < 8; i++) {
        struct fg_span span = span_of(i, i + 1, 0);
        span.resource = owner.resource;
        span.scope = owner.scope;
        for (size_t k = 0; k < size; k++)
            text[k] = (char)('a' + test_random_below(&random, 26));
        assert_int_equal(fg_builder_span_begin(builder), 0);
        put_text(builder, "first", fg_slice(text, size));
        put_text(builder, "second", fg_slice(text + 1, size - 1));
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
    }
    free(text);
    check_take(builder, 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_of_keys_overflow),
        cmocka_unit_test(a_key_that_overflowed_is_not_ruled_out),
        cmocka_unit_test(not_all_is_not_all),
        cmocka_unit_test(an_empty_text_is_string_0),
        cmocka_unit_test(as_many_names_as_spans),
        cmocka_unit_test(odd_numbers_come_back),
        cmocka_unit_test(odd_parents_come_back),
        cmocka_unit_test(large_traces_cross_pages_and_row_groups),
        cmocka_unit_test(coarse_clocks_are_cheap),
        cmocka_unit_test(a_span_larger_than_a_page_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
