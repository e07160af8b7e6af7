/* span/builder.h: each of its sentences, and whole batches against a twin that keeps every span as
 * the test gave it. */
#include "builder_state.h"
#include "fail_alloc.h"
#include "random_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fg_builder *new_builder(const struct fg_builder_limits *limits)
{
    struct fg_builder_limits defaults = fg_builder_limits_default();
    struct fg_builder *builder;
    assert_int_equal(fg_builder_new(limits ? limits : &defaults, &builder), 0);
    return builder;
}

static struct fg_value text(const char *string)
{
    return (struct fg_value){.type = FG_VALUE_STRING, .bytes = fg_slice_from_string(string)};
}

static struct fg_value integer(uint64_t bits)
{
    return (struct fg_value){.type = FG_VALUE_INT, .bits = bits};
}

static void span_attr(struct fg_builder *builder, const char *key, struct fg_value value)
{
    assert_int_equal(fg_builder_span_attr(builder, fg_slice_from_string(key), &value), 0);
}

static uint32_t resource(struct fg_builder *builder, const char *service)
{
    uint32_t id;
    struct fg_value value = text(service);
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &value), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &id), 0);
    return id;
}

static uint32_t scope(struct fg_builder *builder, const char *name)
{
    uint32_t id;
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(fg_builder_scope_end(builder, fg_slice_from_string(name), FG_SLICE("1"),
                                          FG_SLICE(""), 0, &id),
                     0);
    return id;
}

static void owners(struct fg_builder *builder)
{
    assert_int_equal(resource(builder, "shop"), 0);
    assert_int_equal(scope(builder, "http"), 0);
}

static const struct fg_span plain = {.trace_id_high = 1,
                                     .trace_id_low = 2,
                                     .span_id = 3,
                                     .start_ns = 10,
                                     .end_ns = 20,
                                     .name = {(const uint8_t *)"GET", 3}};

static void end_plain(struct fg_builder *builder)
{
    assert_int_equal(fg_builder_span_end(builder, &plain), 0);
}

static struct fg_batch view(struct fg_builder *builder)
{
    struct fg_batch batch;
    fg_builder_view(builder, &batch);
    return batch;
}

static void assert_text(const struct fg_batch *batch, uint64_t id, const char *expected)
{
    assert_true(id < batch->string_count);
    assert_true(fg_slice_equal(batch->strings[id], fg_slice_from_string(expected)));
}

static void a_new_builder_is_empty(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder(NULL);
    struct fg_batch batch = view(builder);
    assert_int_equal(batch.span_count, 0);
    assert_int_equal(batch.string_count, 1);
    assert_int_equal(batch.strings[0].size, 0);
    assert_null(batch.span_attrs.begin);
    assert_null(batch.event_begin);
    uint32_t id;
    assert_int_equal(fg_builder_string(builder, FG_SLICE("a"), &id), 0);
    assert_int_equal(id, 1);
    assert_int_equal(fg_builder_string(builder, FG_SLICE(""), &id), 0);
    assert_int_equal(id, 0);
    assert_int_equal(fg_builder_string(builder, FG_SLICE("a"), &id), 0);
    assert_int_equal(id, 1);
    fg_builder_free(builder);
    fg_builder_free(NULL);
}

static void the_later_attribute_wins(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder(NULL);
    owners(builder);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    span_attr(builder, "a", text("old"));
    span_attr(builder, "b", integer(1));
    /* An event in between has keys of its own, and does not make the span forget its. */
    assert_int_equal(fg_builder_event_begin(builder), 0);
    struct fg_value value = integer(7);
    assert_int_equal(fg_builder_event_attr(builder, FG_SLICE("a"), &value), 0);
    value = integer(8);
    assert_int_equal(fg_builder_event_attr(builder, FG_SLICE("a"), &value), 0);
    assert_int_equal(fg_builder_event_end(builder, 15, FG_SLICE("e"), 0), 0);
    span_attr(builder, "a", integer(2));
    end_plain(builder);
    /* The next span starts from nothing. */
    assert_int_equal(fg_builder_span_begin(builder), 0);
    span_attr(builder, "b", integer(3));
    end_plain(builder);

    struct fg_batch batch = view(builder);
    const uint32_t begin[] = {0, 2, 3};
    assert_memory_equal(batch.span_attrs.begin, begin, sizeof begin);
    assert_int_equal(batch.span_attrs.count, 3);
    assert_text(&batch, batch.span_attrs.key[0], "a");
    assert_int_equal(batch.span_attrs.type[0], FG_VALUE_INT);
    assert_int_equal(batch.span_attrs.value[0], 2);
    assert_text(&batch, batch.span_attrs.key[1], "b");
    assert_int_equal(batch.span_attrs.value[1], 1);
    assert_int_equal(batch.span_attrs.value[2], 3);
    assert_int_equal(batch.event_attrs.count, 1);
    assert_int_equal(batch.event_attrs.value[0], 8);
    assert_null(batch.marks);
    assert_null(batch.dropped_attrs);
    fg_builder_free(builder);
}

static uint32_t two_attributes(struct fg_builder *builder, bool is_scope, const char *key_1,
                               uint64_t value_1, const char *key_2, uint64_t value_2)
{
    struct fg_value first = integer(value_1), second = integer(value_2);
    struct fg_slice a = fg_slice_from_string(key_1), b = fg_slice_from_string(key_2);
    uint32_t id;
    if (is_scope) {
        assert_int_equal(fg_builder_scope_begin(builder), 0);
        assert_int_equal(fg_builder_scope_attr(builder, a, &first), 0);
        assert_int_equal(fg_builder_scope_attr(builder, b, &second), 0);
        assert_int_equal(
            fg_builder_scope_end(builder, FG_SLICE("n"), FG_SLICE("v"), FG_SLICE("u"), 3, &id), 0);
        return id;
    }
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_attr(builder, a, &first), 0);
    assert_int_equal(fg_builder_resource_attr(builder, b, &second), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE("u"), 3, &id), 0);
    return id;
}

static void equal_owners_get_one_id(void **state)
{
    for (int is_scope = 0; is_scope < 2; is_scope++) {
        (void)state;
        struct fg_builder *builder = new_builder(NULL);
        assert_int_equal(two_attributes(builder, is_scope, "a", 1, "b", 2), 0);
        assert_int_equal(two_attributes(builder, is_scope, "a", 2, "b", 1), 1);
        assert_int_equal(two_attributes(builder, is_scope, "a", 1, "b", 2), 0);
        assert_int_equal(two_attributes(builder, is_scope, "b", 2, "a", 1), 0); /* another order */
        assert_int_equal(two_attributes(builder, is_scope, "a", 1, "c", 2), 2);
        assert_int_equal(two_attributes(builder, is_scope, "a", 1, "a", 2), 3); /* one attribute */
        assert_int_equal(two_attributes(builder, is_scope, "a", 2, "a", 2), 3);
        struct fg_batch batch = view(builder);
        assert_int_equal(is_scope ? batch.scope_count : batch.resource_count, 4);
        assert_int_equal(is_scope ? batch.scope_attrs.count : batch.resource_attrs.count, 7);
        fg_builder_free(builder);
    }
}

static void all_of_an_owner_counts(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder(NULL);
    static const struct {
        const char *name, *version, *url;
        uint32_t dropped;
    } scopes[] = {{"n", "v", "u", 0}, {"m", "v", "u", 0}, {"n", "w", "u", 0},
                  {"n", "v", "x", 0}, {"n", "v", "u", 1}, {"v", "n", "u", 0}};
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 6; i++) {
            uint32_t id;
            assert_int_equal(fg_builder_scope_begin(builder), 0);
            assert_int_equal(fg_builder_scope_end(builder, fg_slice_from_string(scopes[i].name),
                                                  fg_slice_from_string(scopes[i].version),
                                                  fg_slice_from_string(scopes[i].url),
                                                  scopes[i].dropped, &id),
                             0);
            assert_int_equal(id, i);
        }
    }
    uint32_t id;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(fg_builder_resource_begin(builder), 0);
        assert_int_equal(
            fg_builder_resource_end(builder, i == 1 ? FG_SLICE("u") : FG_SLICE(""), i == 2, &id),
            0);
        assert_int_equal(id, i);
    }
    fg_builder_free(builder);
}

static void the_service_is_a_text(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder(NULL);
    assert_int_equal(resource(builder, "shop"), 0);
    assert_int_equal(two_attributes(builder, false, "x", 1, "service.name", 5), 1);
    assert_int_equal(two_attributes(builder, false, "x", 1, "y", 5), 2);
    struct fg_batch batch = view(builder);
    assert_text(&batch, batch.resource_service[0], "shop");
    assert_int_equal(batch.resource_service[1], 0);
    assert_int_equal(batch.resource_service[2], 0);
    fg_builder_free(builder);
}

/* -- Limits */

static struct fg_builder_limits small_limits(void)
{
    return (struct fg_builder_limits){.bytes_max = 1 << 20,
                                      .attr_value_size_max = 8,
                                      .name_size_max = 12,
                                      .attrs_max = 3,
                                      .events_max = 2,
                                      .links_max = 1};
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    struct fg_builder_limits limits = small_limits();
    struct fg_builder *builder = new_builder(&limits);
    owners(builder);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    span_attr(builder, "k", text("12345678"));
    end_plain(builder);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    span_attr(builder, "k", text("1234567\xc3\xa9")); /* the character would be halved */
    end_plain(builder);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    struct fg_value bytes = text("1234567\xc3\xa9");
    bytes.type = FG_VALUE_BYTES;
    span_attr(builder, "k", bytes);
    end_plain(builder);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    span_attr(builder, "a.long.keyword", integer(1));
    end_plain(builder);
    struct fg_span span = plain;
    span.name = FG_SLICE("a very long name");
    assert_int_equal(fg_builder_span_begin(builder), 0);
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
    span = plain;
    span.status_message = FG_SLICE("a long message");
    span.trace_state = FG_SLICE("12345678");
    assert_int_equal(fg_builder_span_begin(builder), 0);
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    assert_int_equal(fg_builder_event_begin(builder), 0);
    assert_int_equal(fg_builder_event_end(builder, 1, FG_SLICE("a very long name"), 0), 0);
    end_plain(builder);

    struct fg_batch batch = view(builder);
    assert_text(&batch, batch.span_attrs.value[0], "12345678");
    assert_text(&batch, batch.span_attrs.value[1], "1234567");
    assert_text(&batch, batch.span_attrs.value[2], "1234567\xc3");
    assert_text(&batch, batch.span_attrs.key[3], "a.long.keywo");
    assert_text(&batch, batch.name[4], "a very long ");
    assert_text(&batch, batch.status_message[5], "a long m");
    assert_text(&batch, batch.trace_state[5], "12345678");
    assert_text(&batch, batch.event_name[0], "a very long ");
    const uint16_t marks[] = {0, 1, 1, 1, 1, 1, 1};
    assert_memory_equal(batch.marks, marks, sizeof marks);
    assert_null(batch.dropped_attrs); /* cut is not dropped */
    fg_builder_free(builder);
}

static void an_array_that_is_too_large_is_dropped(void **state)
{
    (void)state;
    struct fg_builder_limits limits = small_limits();
    struct fg_builder *builder = new_builder(&limits);
    owners(builder);
    struct fg_value fits = {.type = FG_VALUE_ARRAY,
                            .bytes = FG_SLICE("\x2a\x06\x0a\x04\x0a\x02"
                                              "ab")};
    struct fg_value large = {.type = FG_VALUE_ARRAY,
                             .bytes = FG_SLICE("\x2a\x07\x0a\x05\x0a\x03"
                                               "abc")};
    assert_int_equal(fg_builder_span_begin(builder), 0);
    span_attr(builder, "a", fits);
    span_attr(builder, "b", large);
    large.type = FG_VALUE_KVLIST;
    span_attr(builder, "c", large);
    struct fg_span span = plain;
    span.dropped_attrs = 5;
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
    struct fg_batch batch = view(builder);
    assert_int_equal(batch.span_attrs.count, 1);
    assert_int_equal(batch.dropped_attrs[0], 7);
    assert_int_equal(batch.marks[0], FG_MARK_TRUNCATED);
    fg_builder_free(builder);
}

static void too_many_are_dropped_and_counted(void **state)
{
    (void)state;
    struct fg_builder_limits limits = small_limits();
    struct fg_builder *builder = new_builder(&limits);
    owners(builder);
    end_plain((assert_int_equal(fg_builder_span_begin(builder), 0), builder));
    assert_int_equal(fg_builder_span_begin(builder), 0);
    const char *const keys[] = {"a", "b", "c", "d", "a", "e"};
    for (uint64_t i = 0; i < 6; i++)
        span_attr(builder, keys[i], integer(i));
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(fg_builder_event_begin(builder), 0);
        for (uint64_t j = 0; j < 6; j++) {
            struct fg_value value = integer(j);
            assert_int_equal(fg_builder_event_attr(builder, fg_slice_from_string(keys[j]), &value),
                             0);
        }
        assert_int_equal(fg_builder_event_end(builder, i, FG_SLICE("e"), UINT32_MAX - 1), 0);
    }
    for (uint64_t i = 0; i < 4; i++) {
        struct fg_link link = {.span_id = i, .dropped_attrs = 1};
        assert_int_equal(fg_builder_link_begin(builder), 0);
        for (uint64_t j = 0; j < 6; j++) {
            struct fg_value value = integer(j);
            assert_int_equal(fg_builder_link_attr(builder, fg_slice_from_string(keys[j]), &value),
                             0);
        }
        assert_int_equal(fg_builder_link_end(builder, &link), 0);
    }
    struct fg_span span = plain;
    span.dropped_attrs = 10;
    span.dropped_events = 20;
    span.dropped_links = 30;
    assert_int_equal(fg_builder_span_end(builder, &span), 0);

    struct fg_batch batch = view(builder);
    assert_int_equal(batch.span_attrs.count, 3);
    assert_int_equal(batch.span_attrs.value[0], 4); /* a key that is there may still change */
    assert_int_equal(batch.dropped_attrs[1], 12);
    assert_int_equal(batch.event_count, 2);
    assert_int_equal(batch.event_attrs.count, 6);
    assert_int_equal(batch.event_time_ns[1], 1);
    assert_int_equal(batch.event_dropped_attrs[0], UINT32_MAX); /* no overflow */
    assert_int_equal(batch.dropped_events[1], 22);
    assert_int_equal(batch.link_count, 1);
    assert_int_equal(batch.link_attrs.count, 3);
    assert_int_equal(batch.link_dropped_attrs[0], 3);
    assert_int_equal(batch.dropped_links[1], 33);
    const uint16_t marks[] = {0, FG_MARK_TRUNCATED};
    assert_memory_equal(batch.marks, marks, sizeof marks);
    const uint32_t dropped[] = {0, 12};
    assert_memory_equal(batch.dropped_attrs, dropped, sizeof dropped);
    fg_builder_free(builder);
}

static void a_key_that_is_cut_finds_the_one_it_becomes(void **state)
{
    (void)state;
    struct fg_builder_limits limits = small_limits();
    struct fg_builder *builder = new_builder(&limits);
    owners(builder);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    span_attr(builder, "a.long.keywo", integer(1));
    span_attr(builder, "b", integer(2));
    span_attr(builder, "c", integer(3));
    end_plain(builder);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    span_attr(builder, "a.long.keywo", integer(1));
    span_attr(builder, "b", integer(2));
    span_attr(builder, "c", integer(3)); /* no room for more */
    span_attr(builder, "a.long.keyword", integer(4));
    end_plain(builder);
    struct fg_batch batch = view(builder);
    assert_int_equal(batch.span_attrs.count, 6);
    assert_int_equal(batch.span_attrs.value[3], 4);
    assert_null(batch.dropped_attrs);
    const uint16_t marks[] = {0, FG_MARK_TRUNCATED};
    assert_memory_equal(batch.marks, marks, sizeof marks);
    fg_builder_free(builder);
}

static void a_resource_over_its_limits_marks_its_spans(void **state)
{
    (void)state;
    struct fg_builder_limits limits = small_limits();
    struct fg_builder *builder = new_builder(&limits);
    struct fg_value value = integer(1), long_text = text("123456789");
    uint32_t cut, whole, scope_cut, scope_whole = scope(builder, "http");
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    for (int i = 0; i < 5; i++) {
        char key[] = {(char)('a' + i), 0};
        assert_int_equal(fg_builder_resource_attr(builder, fg_slice_from_string(key), &value), 0);
    }
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 1, &cut), 0);
    whole = resource(builder, "shop");
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(fg_builder_scope_attr(builder, FG_SLICE("a"), &long_text), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE("amqp"), FG_SLICE(""), FG_SLICE(""), 0, &scope_cut),
        0);
    const uint32_t pairs[][2] = {{whole, scope_whole}, {cut, scope_whole}, {whole, scope_cut}};
    for (int i = 0; i < 3; i++) {
        struct fg_span span = plain;
        span.resource = pairs[i][0];
        span.scope = pairs[i][1];
        span.marks = FG_MARK_SHARED;
        assert_int_equal(fg_builder_span_begin(builder), 0);
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
    }
    struct fg_batch batch = view(builder);
    assert_int_equal(batch.resource_dropped_attrs[cut], 3);
    assert_int_equal(batch.marks[0], FG_MARK_SHARED);
    assert_int_equal(batch.marks[1], FG_MARK_SHARED | FG_MARK_TRUNCATED);
    assert_int_equal(batch.marks[2], FG_MARK_SHARED | FG_MARK_TRUNCATED);
    fg_builder_free(builder);
}

static void a_status_that_is_not_known_is_unset(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder(NULL);
    owners(builder);
    struct fg_span span = plain;
    span.status = 7;
    span.kind = 99;
    assert_int_equal(fg_builder_span_begin(builder), 0);
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
    struct fg_batch batch = view(builder);
    assert_int_equal(batch.status[0], FG_STATUS_UNSET);
    assert_int_equal(batch.kind[0], 99);
    fg_builder_free(builder);
}

/* -- Taking back, running out */

static void fill_span(struct fg_builder *builder)
{
    assert_int_equal(fg_builder_span_begin(builder), 0);
    span_attr(builder, "left", text("over"));
    for (int i = 0; i < 3; i++) {
        struct fg_value value = text("x");
        assert_int_equal(fg_builder_event_begin(builder), 0);
        assert_int_equal(fg_builder_event_attr(builder, FG_SLICE("left"), &value), 0);
        assert_int_equal(fg_builder_event_end(builder, 1, FG_SLICE("e"), 4), 0);
        struct fg_link link = {.span_id = 4, .flags = 1, .trace_state = FG_SLICE("s")};
        assert_int_equal(fg_builder_link_begin(builder), 0);
        assert_int_equal(fg_builder_link_attr(builder, FG_SLICE("left"), &value), 0);
        assert_int_equal(fg_builder_link_end(builder, &link), 0);
    }
}

static void cancelling_takes_all_back(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder(NULL), *twin = new_builder(NULL);
    struct random_batch_options options = random_batch_options_default(5);
    options.span_count = 40;
    random_batch_fill(builder, &options);
    random_batch_fill(twin, &options);
    for (int stage = 0; stage < 3; stage++) {
        uint64_t rows_bytes = builder->rows_bytes;
        fill_span(builder);
        if (stage == 1)
            assert_int_equal(fg_builder_event_begin(builder), 0);
        if (stage == 2)
            assert_int_equal(fg_builder_link_begin(builder), 0);
        fg_builder_span_cancel(builder);
        assert_int_equal(builder->rows_bytes, rows_bytes);
        struct fg_batch a = view(builder), b = view(twin);
        assert_null(batches_differ(&a, &b));
        assert_int_equal(a.event_count, b.event_count);
        assert_int_equal(a.event_attrs.count, b.event_attrs.count);
        assert_int_equal(a.link_attrs.count, b.link_attrs.count);
        assert_int_equal(a.span_attrs.count, b.span_attrs.count);
    }
    /* And what follows is as if nothing had been. */
    options.seed = 6;
    random_batch_fill(builder, &options);
    random_batch_fill(twin, &options);
    struct fg_batch a = view(builder), b = view(twin);
    assert_null(batches_differ(&a, &b));
    fg_builder_free(builder);
    fg_builder_free(twin);
}

static void cancelling_takes_rare_columns_back(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder(NULL);
    owners(builder);
    fill_span(builder);
    fg_builder_span_cancel(builder);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    assert_int_equal(fg_builder_event_begin(builder), 0);
    assert_int_equal(fg_builder_event_end(builder, 1, FG_SLICE("e"), 0), 0);
    end_plain(builder);
    struct fg_batch batch = view(builder);
    assert_int_equal(batch.event_count, 1);
    assert_null(batch.event_dropped_attrs);
    assert_null(batch.link_begin);
    assert_null(batch.event_attrs.begin);
    fg_builder_free(builder);
}

static void a_span_is_not_seen_before_it_ends(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder(NULL);
    owners(builder);
    fill_span(builder);
    end_plain(builder);
    fill_span(builder);
    assert_int_equal(fg_builder_span_count(builder), 1);
    struct fg_batch batch = view(builder);
    assert_int_equal(batch.span_count, 1);
    assert_int_equal(batch.span_attrs.count, 1);
    assert_int_equal(batch.event_count, 3);
    assert_int_equal(batch.event_attrs.count, 3);
    assert_int_equal(batch.link_count, 3);
    assert_int_equal(batch.link_attrs.count, 3);
    end_plain(builder);
    assert_int_equal(view(builder).event_count, 6);
    fg_builder_free(builder);
}

static int unique_span(struct fg_builder *builder, uint64_t number)
{
    char unique[32];
    snprintf(unique, sizeof unique, "value %llu", (unsigned long long)number);
    struct fg_value value = text(unique);
    struct fg_span span = plain;
    span.span_id = number;
    span.flags = (uint32_t)number;
    int r = fg_builder_span_begin(builder);
    if (r < 0)
        return r;
    r = fg_builder_span_attr(builder, FG_SLICE("key"), &value);
    if (r == 0)
        r = fg_builder_event_begin(builder);
    if (r == 0)
        r = fg_builder_event_attr(builder, fg_slice_from_string(unique), &value);
    if (r == 0)
        r = fg_builder_event_end(builder, number, FG_SLICE("event"), 0);
    if (r == 0)
        r = fg_builder_span_end(builder, &span);
    if (r < 0)
        fg_builder_span_cancel(builder);
    return r;
}

static void assert_unique_spans(struct fg_builder *builder, uint32_t count)
{
    struct fg_batch batch = view(builder);
    assert_int_equal(batch.span_count, count);
    assert_int_equal(batch.span_attrs.count, count);
    assert_int_equal(batch.event_count, count);
    for (uint32_t i = 0; i < count; i++) {
        char unique[32];
        snprintf(unique, sizeof unique, "value %u", i);
        assert_int_equal(batch.span_id[i], i);
        assert_int_equal(fg_column_u32(batch.flags, i), i);
        assert_int_equal(batch.event_begin[i], i);
        assert_text(&batch, batch.span_attrs.value[i], unique);
        assert_text(&batch, batch.event_attrs.key[i], unique);
    }
}

static void bytes_max_keeps_what_has_ended(void **state)
{
    (void)state;
    struct fg_builder_limits limits = fg_builder_limits_default();
    limits.bytes_max = 20000;
    struct fg_builder *builder = new_builder(&limits);
    for (int round = 0; round < 2; round++) {
        owners(builder);
        uint32_t count = 0;
        int r;
        while ((r = unique_span(builder, count)) == 0)
            count++;
        assert_int_equal(r, FG_ELIMIT);
        assert_in_range(count, 50, 200);
        assert_in_range(fg_builder_size_bytes(builder), 15000, 20000);
        assert_unique_spans(builder, count);
        /* What is known costs nothing. */
        uint32_t id;
        assert_int_equal(fg_builder_string(builder, FG_SLICE("value 3"), &id), 0);
        uint8_t large[1000] = {0};
        assert_int_equal(fg_builder_string(builder, fg_slice(large, sizeof large), &id), FG_ELIMIT);
        fg_builder_reset(builder);
        assert_int_equal(view(builder).span_count, 0);
    }
    fg_builder_free(builder);
}

static void memory_that_fails_keeps_what_has_ended(void **state)
{
    (void)state;
    struct fg_builder_limits limits = fg_builder_limits_default();
    bool is_over = false;
    for (uint64_t n = 1; !is_over; n++) {
        struct fg_builder *builder = NULL;
        fail_alloc_at(n, n % 2 == 0);
        int r = fg_builder_new(&limits, &builder);
        uint32_t count = 0, id;
        struct fg_value value = text("shop");
        if (r == 0)
            r = fg_builder_resource_begin(builder);
        if (r == 0)
            r = fg_builder_resource_attr(builder, FG_SLICE("service.name"), &value);
        if (r == 0)
            r = fg_builder_resource_end(builder, FG_SLICE(""), 0, &id);
        if (r == 0)
            r = fg_builder_scope_begin(builder);
        if (r == 0)
            r = fg_builder_scope_end(builder, FG_SLICE("n"), FG_SLICE(""), FG_SLICE(""), 0, &id);
        while (r == 0 && count < 300) {
            r = unique_span(builder, count);
            count += r == 0;
        }
        is_over = !fail_alloc_off();
        assert_int_equal(r, is_over ? 0 : FG_ENOMEM);
        if (count)
            assert_unique_spans(builder, count);
        if (count)
            assert_int_equal(unique_span(builder, count), 0); /* memory is back */
        fg_builder_free(builder);
    }
}

/* -- Memory */

static void a_known_load_allocates_nothing(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder(NULL);
    struct random_batch_options options = random_batch_options_default(9);
    for (int i = 0; i < 3; i++) {
        uint64_t before = fail_alloc_count();
        random_batch_fill(builder, &options);
        if (i > 0)
            assert_int_equal(fail_alloc_count(), before);
        fg_builder_reset(builder);
    }
    fg_builder_free(builder);
}

static void memory_of_a_large_request_is_given_back(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder(NULL);
    struct random_batch_options large = random_batch_options_default(1);
    large.span_count = 30000;
    random_batch_fill(builder, &large);
    uint64_t used_bytes = fg_builder_size_bytes(builder);
    fg_builder_reset(builder);
    assert_true(fg_rows_held_bytes(builder) + fg_strings_held_bytes(&builder->strings) >
                used_bytes);
    struct random_batch_options small = random_batch_options_default(2);
    small.span_count = 50;
    for (int i = 0; i < 60; i++) {
        random_batch_fill(builder, &small);
        fg_builder_reset(builder);
    }
    assert_true(fg_rows_held_bytes(builder) + fg_strings_held_bytes(&builder->strings) < 1 << 20);
    /* Regular large requests keep theirs. */
    for (int i = 0; i < 3; i++) {
        uint64_t before = fail_alloc_count();
        random_batch_fill(builder, &large);
        if (i > 0)
            assert_int_equal(fail_alloc_count(), before);
        fg_builder_reset(builder);
    }
    fg_builder_free(builder);
}

static void size_is_what_a_batch_takes(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder(NULL);
    assert_int_equal(fg_builder_size_bytes(builder), FG_STRING_COST_BYTES);
    owners(builder);
    uint64_t before = fg_builder_size_bytes(builder);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    end_plain(builder);
    uint64_t with_name = fg_builder_size_bytes(builder);
    /* Seven columns of 8 bytes, three of 4, two of 1, three of begins; the name. */
    assert_int_equal(with_name - before, 56 + 12 + 2 + 12 + 3 + FG_STRING_COST_BYTES);
    struct fg_span span = plain;
    span.flags = 1;
    assert_int_equal(fg_builder_span_begin(builder), 0);
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
    assert_int_equal(fg_builder_size_bytes(builder) - with_name, 82 + 2 * 4);
    fg_builder_free(builder);
}

/* A value that a key had before is recognised by its bytes, never by its id alone: ids of before a
 * reset mean other strings. */
static void a_value_of_before_is_no_value_of_now(void **state)
{
    (void)state;
    struct fg_builder *builder = new_builder(NULL);
    static const char *const values[] = {"first", "second", "first", "", "third"};
    for (int round = 0; round < 3; round++) {
        owners(builder);
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(fg_builder_span_begin(builder), 0);
            if (round == 1) /* so that this round's ids are others */
                span_attr(builder, "before", text(values[4 - i]));
            span_attr(builder, "key", text(values[i]));
            span_attr(builder, "number", integer(i));
            end_plain(builder);
        }
        struct fg_batch batch = view(builder);
        const struct fg_attrs *attrs = &batch.span_attrs;
        for (uint32_t i = 0, at = 0; i < 5; i++) {
            if (round == 1)
                assert_text(&batch, attrs->value[at++], values[4 - i]);
            assert_text(&batch, attrs->value[at++], values[i]);
            assert_int_equal(attrs->value[at++], i);
        }
        if (round != 1) /* equal ones have one id */
            assert_int_equal(attrs->value[0], attrs->value[4]);
        fg_builder_reset(builder);
    }
    fg_builder_free(builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_builder_is_empty),
        cmocka_unit_test(the_later_attribute_wins),
        cmocka_unit_test(equal_owners_get_one_id),
        cmocka_unit_test(all_of_an_owner_counts),
        cmocka_unit_test(the_service_is_a_text),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(an_array_that_is_too_large_is_dropped),
        cmocka_unit_test(too_many_are_dropped_and_counted),
        cmocka_unit_test(a_key_that_is_cut_finds_the_one_it_becomes),
        cmocka_unit_test(a_resource_over_its_limits_marks_its_spans),
        cmocka_unit_test(a_status_that_is_not_known_is_unset),
        cmocka_unit_test(cancelling_takes_all_back),
        cmocka_unit_test(cancelling_takes_rare_columns_back),
        cmocka_unit_test(a_span_is_not_seen_before_it_ends),
        cmocka_unit_test(bytes_max_keeps_what_has_ended),
        cmocka_unit_test(memory_that_fails_keeps_what_has_ended),
        cmocka_unit_test(a_known_load_allocates_nothing),
        cmocka_unit_test(memory_of_a_large_request_is_given_back),
        cmocka_unit_test(size_is_what_a_batch_takes),
        cmocka_unit_test(a_value_of_before_is_no_value_of_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
