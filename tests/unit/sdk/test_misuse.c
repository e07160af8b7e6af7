/* What a host may do wrong: NULL everywhere, structs of other versions of the header, texts without
 * end, headers that are none, threads that leave their spans behind. Nothing crashes or leaks, what
 * is lost is counted, and each kind is said once. */
#include "collect.h"

#include "base/limits.h"
#include "os/thread.h"

#include <stddef.h>
#include <string.h>

static unsigned said;

static void count_said(void *arg, const char *text)
{
    (void)arg;
    assert_non_null(strstr(text, "filigree"));
    said++;
}

static void with_diagnostic(fg_options *options)
{
    options->diagnostic = count_said;
}

static const char *no_header(void *carrier, const char *name)
{
    (void)carrier;
    (void)name;
    return NULL;
}

static int no_set(void *carrier, const char *name, const char *value)
{
    (void)carrier;
    (void)name;
    (void)value;
    return 0;
}

/* All of the header's calls, with what is not there. */
static void call_all_with_nothing(fg_span span)
{
    const fg_span none = {.opaque = 0};
    const fg_link link = {none, NULL, 3};
    char text[FG_TRACEPARENT_SIZE] = "x";
    fg_span_options options = FG_SPAN_OPTIONS_INIT;
    fg_scope zeroed = {{0}};
    options.attr_count = options.link_count = 7;
    fg_tracing_stats(NULL);
    assert_null(fg_tracer_get(NULL, NULL));
    assert_null(fg_tracer_get("", "1"));
    fg_span_end(fg_span_start(NULL, &options));
    options.links = &link;
    options.link_count = 1;
    fg_span_end(fg_span_start("a link to nothing", &options));
    fg_span_end(none);
    fg_span_end_at(none, 0);
    fg_span_set(span, fg_attr_string(NULL, NULL));
    fg_span_set(span, fg_attr_string_n("k", NULL, 9));
    fg_span_set(span, fg_attr_strings("k", NULL, 9));
    fg_span_set(span, fg_attr_bools("k", NULL, 9));
    fg_span_set(span, fg_attr_ints("k", NULL, 9));
    fg_span_set(span, fg_attr_doubles("k", NULL, 9));
    fg_span_set(none, fg_attr_bool("k", 1));
    fg_span_set_string_n(span, NULL, NULL, 9);
    fg_span_set_string_n(span, "k", NULL, 9);
    fg_span_set_bool(span, NULL, 1);
    fg_span_set_int(span, NULL, 1);
    fg_span_set_double(span, NULL, 1);
    fg_span_set_name(span, NULL);
    fg_span_set_status(span, FG_STATUS_IS_ERROR, NULL);
    fg_span_add_event(span, NULL, NULL, 3);
    fg_span_add_event_at(span, NULL, 0, NULL, 3);
    fg_span_add_link(span, none, NULL, 3);
    fg_span_record_error(span, NULL, NULL);
    assert_false(fg_span_is_recording(none));
    assert_false(fg_span_is_valid(none));
    assert_false(fg_span_is_sampled(none));
    fg_scope_leave(NULL);
    fg_scope_leave(&zeroed);
    fg_scope scope = fg_context_enter(NULL);
    fg_scope_leave(&scope);
    scope = fg_span_enter(none);
    fg_scope_leave(&scope);
    fg_context_free(NULL);
    fg_context_free(fg_context_ref(NULL));
    fg_context_free(fg_context_with_span(NULL, none));
    fg_context_free(fg_context_with_baggage(NULL, NULL, NULL));
    fg_context_free(fg_context_with_journey(NULL, NULL, NULL));
    assert_int_equal(fg_context_baggage(NULL, NULL, NULL, 9), 0);
    (void)fg_context_span(NULL);
    fg_baggage_set(NULL, NULL);
    fg_journey_set(NULL, NULL);
    fg_context_free(fg_context_extract(NULL, NULL));
    fg_context_free(fg_context_extract(no_header, NULL));
    assert_int_equal(fg_context_inject(NULL, no_set, NULL), 0);
    (void)fg_context_inject(NULL, NULL, NULL);
    fg_span_traceparent(none, text);
    assert_string_equal(text, "");
    assert_non_null(fg_tracing_error(0));
    assert_non_null(fg_tracing_error(12345));
}

static void nothing_is_allowed_everywhere(void **state)
{
    (void)state;
    const fg_span none = {.opaque = 0};
    call_all_with_nothing(none);
    test_start(NULL);
    fg_span span = fg_span_start("real", NULL);
    call_all_with_nothing(span);
    fg_span_end(span);
    call_all_with_nothing(span);
    char *json = test_collect();
    assert_has(json, "\"real\"");
    free(json);
    test_stop();
    call_all_with_nothing(span);
    assert_int_equal(fg_tracing_flush(0), 0);
    fg_tracing_stop(0);
}

/* A program that was built against an older header, or a newer one. */
static void structs_of_other_versions(void **state)
{
    (void)state;
    /* An older one ends where its last member did; what lies behind is not looked at. */
    fg_options older = FG_OPTIONS_INIT;
    older.size = offsetof(fg_options, endpoint);
    older.service_name = "older";
    older.endpoint = "no endpoint: must not be read";
    older.sampler = "no sampler: must not be read";
    setenv("FILIGREE_RECORDER", "off", 1);
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", 1);
    assert_int_equal(fg_tracing_start(&older), 0);
    fg_span_options few = FG_SPAN_OPTIONS_INIT;
    few.size = offsetof(fg_span_options, is_root);
    few.kind = FG_SPAN_CLIENT;
    few.start_ns = 12345;
    few.attr_count = 99; /* of no attributes */
    fg_span span = fg_span_start("few", &few);
    fg_span_end(span);
    struct {
        fg_stats stats;
        unsigned char behind[16];
    } room;
    memset(&room, 0xee, sizeof room);
    room.stats.size = offsetof(fg_stats, dropped_items);
    fg_tracing_stats(&room.stats);
    assert_int_equal(room.stats.size, offsetof(fg_stats, dropped_items));
    assert_int_equal(room.stats.exported_spans, 0);
    for (size_t i = offsetof(fg_stats, dropped_items); i < sizeof room; i++)
        assert_int_equal(((unsigned char *)&room)[i], 0xee);
    char *json = test_collect();
    assert_has(json, "\"older\"");
    assert_has(json, "\"kind\":3");
    assert_lacks(json, "\"startTimeUnixNano\":\"12345\"");
    free(json);
    fg_tracing_stop(0);
    /* A newer one is longer by members that we don't know. */
    struct {
        fg_options options;
        const char *unknown;
    } newer = {.options = FG_OPTIONS_INIT, .unknown = "x"};
    newer.options.size = sizeof newer;
    newer.options.service_name = "newer";
    assert_int_equal(fg_tracing_start(&newer.options), 0);
    struct {
        fg_span_options options;
        uint64_t unknown;
    } more = {.options = FG_SPAN_OPTIONS_INIT, .unknown = 1};
    more.options.size = sizeof more;
    more.options.kind = FG_SPAN_SERVER;
    fg_span_end(fg_span_start("more", &more.options));
    json = test_collect();
    assert_has(json, "\"newer\"");
    assert_has(json, "\"kind\":2");
    free(json);
    fg_tracing_stop(0);
    /* A size that is none: of options refused, of a span's as if nothing were given. */
    fg_options empty = {.size = 0};
    assert_true(fg_tracing_start(&empty) < 0);
    assert_int_equal(fg_tracing_start(NULL), 0);
    fg_span_options nothing = {.size = 3, .kind = FG_SPAN_SERVER};
    span = fg_span_start("nothing", &nothing);
    assert_true(fg_span_is_recording(span));
    fg_span_end(span);
    fg_tracing_stop(0);
    unsetenv("FILIGREE_RECORDER");
    unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
}

static void texts_without_end(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE + 1);
    memset(text, 'x', SIZE);
    text[SIZE] = 0;
    test_start(with_diagnostic);
    fg_stats before = test_stats();
    fg_span span = fg_span_start(text, NULL);
    fg_span_set_string(span, "value", text);
    fg_span_set_string(span, text, "a key without end");
    fg_span_set_string_n(span, "n", text, SIZE);
    fg_span_set_status(span, FG_STATUS_IS_ERROR, text);
    fg_span_add_event(span, text, NULL, 0);
    fg_span_set_name(span, text);
    assert_non_null(fg_tracer_get(text, text));
    /* The names, the values, the message, the event, the tracer and its version. */
    assert_int_equal(test_stats().truncated_values - before.truncated_values, 8);
    for (int i = 0; i < 10; i++)
        fg_span_set_string(span, "more than a span may have", text);
    fg_baggage_set("k", text);
    fg_baggage_set(text, "v");
    fg_journey_set("order.id", text);
    fg_span_end(span);
    fg_stats after = test_stats();
    assert_in_range(after.truncated_values - before.truncated_values, 9, 20);
    assert_in_range(after.dropped_items - before.dropped_items, 1, 20);
    char *json = test_collect();
    assert_in_range(strlen(json), 16384, 200000);
    free(json);
    /* It is closed, and another one has room. */
    fg_span next = fg_span_start("next", NULL);
    fg_span_set_string(next, "k", "v");
    fg_span_end(next);
    json = test_collect();
    assert_has(json, "\"next\"");
    free(json);
    assert_in_range(said, 2, 4);
    said = 0;
    test_stop();
    free(text);
}

static const char *bad_header(void *carrier, const char *name)
{
    return strcmp(name, "traceparent") == 0 ? carrier : NULL;
}

static void wrong_traceparents_are_counted(void **state)
{
    (void)state;
    static char wrong[] = "00-nonsense";
    static char good[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    test_start(with_diagnostic);
    said = 0;
    fg_stats before = test_stats();
    for (int i = 0; i < 5; i++)
        fg_context_free(fg_context_extract(bad_header, wrong));
    fg_context_free(fg_context_extract(bad_header, good));
    fg_context_free(fg_context_extract(no_header, NULL));
    assert_int_equal(test_stats().malformed_contexts - before.malformed_contexts, 5);
    assert_int_equal(said, 1);
    said = 0;
    test_stop();
}

enum { LEFT_THREADS = 200, LEFT_SPANS = 3 };
static fg_span left[LEFT_THREADS][LEFT_SPANS];

static void leave_open(void *arg)
{
    fg_span *spans = arg;
    for (int i = 0; i < LEFT_SPANS; i++) {
        spans[i] = fg_span_start("left", NULL);
        (void)fg_span_enter(spans[i]);
        fg_journey_set("order.id", "4711");
    }
}

/* Each thread had a chain of free slots; what it did not use comes back, its spans stay open. */
static void threads_end_with_open_spans(void **state)
{
    (void)state;
    test_start(NULL);
    fg_stats before = test_stats();
    for (int i = 0; i < LEFT_THREADS; i++) {
        struct fg_thread thread;
        assert_int_equal(fg_thread_start(&thread, "left", leave_open, left[i]), 0);
        fg_thread_join(&thread);
    }
    for (int i = 0; i < LEFT_THREADS; i++) {
        for (int k = 0; k < LEFT_SPANS; k++) {
            assert_true(fg_span_is_recording(left[i][k]));
            fg_span_set_int(left[i][k], "by.another", i);
            fg_span_end(left[i][k]);
        }
    }
    /* 200 threads' chains of eight would be more than all 1024. */
    assert_int_equal(test_stats().dropped_full_spans, before.dropped_full_spans);
    struct fg_active *active = atomic_load(&fg_sdk.active);
    assert_in_range(atomic_load(&active->pool.taken), LEFT_THREADS * LEFT_SPANS,
                    LEFT_THREADS * LEFT_SPANS + 2 * FG_CHAIN_SLOTS);
    assert_false(fg_span_is_valid(fg_span_current()));
    test_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_allowed_everywhere),
        cmocka_unit_test(structs_of_other_versions),
        cmocka_unit_test(texts_without_end),
        cmocka_unit_test(wrong_traceparents_are_counted),
        cmocka_unit_test(threads_end_with_open_spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
