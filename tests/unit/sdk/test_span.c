/* Spans: what is told of them is what is sent; bad input does nothing but count. */
#include "collect.h"

#include "os/thread.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static void attributes_of_all_types_are_kept(void **state)
{
    (void)state;
    test_start(NULL);
    static const char *const texts[] = {"a", NULL, "c"};
    static const int64_t numbers[] = {-1, 0, INT64_MAX};
    static const double reals[] = {0.5, -2};
    static const unsigned char truths[] = {1, 0};
    fg_attr begin[] = {fg_attr_string("at.start", "yes"), fg_attr_ints("ints", numbers, 3)};
    fg_span_options options = FG_SPAN_OPTIONS_INIT;
    options.kind = FG_SPAN_PRODUCER;
    options.attrs = begin;
    options.attr_count = 2;
    options.tracer = fg_tracer_get("lib", "1.2");
    fg_span span = fg_span_start("первый", &options);
    assert_true(fg_span_is_recording(span));
    fg_span_set_string(span, "text", "value");
    fg_span_set_int(span, "int", -42);
    fg_span_set_double(span, "real", 1.5);
    fg_span_set_bool(span, "truth", 7);
    fg_span_set(span, fg_attr_strings("texts", texts, 3));
    fg_span_set(span, fg_attr_doubles("reals", reals, 2));
    fg_span_set(span, fg_attr_bools("truths", truths, 2));
    fg_span_set_string(span, "twice", "first");
    fg_span_set_string(span, "twice", "second");
    fg_span_add_event(span, "happened", begin, 1);
    fg_span_record_error(span, "io", "disk is gone");
    fg_span_set_name(span, "second name");
    fg_span_end(span);
    assert_false(fg_span_is_recording(span));
    char *json = test_collect();
    assert_has(json, "\"name\":\"lib\",\"version\":\"1.2\"");
    assert_has(json, "\"name\":\"second name\"");
    assert_lacks(json, "первый");
    assert_has(json, "\"kind\":4");
    assert_has(json, "{\"key\":\"text\",\"value\":{\"stringValue\":\"value\"}}");
    assert_has(json, "{\"key\":\"int\",\"value\":{\"intValue\":\"-42\"}}");
    assert_has(json, "{\"key\":\"real\",\"value\":{\"doubleValue\":1.5}}");
    assert_has(json, "{\"key\":\"truth\",\"value\":{\"boolValue\":true}}");
    assert_has(json, "{\"arrayValue\":{\"values\":[{\"stringValue\":\"a\"},{\"stringValue\":\"\"},{"
                     "\"stringValue\":\"c\"}]}}");
    assert_has(json, "{\"intValue\":\"9223372036854775807\"}");
    assert_has(json, "[{\"boolValue\":true},{\"boolValue\":false}]");
    assert_has(json, "[{\"doubleValue\":0.5},{\"doubleValue\":-2");
    assert_has(json, "\"second\"");
    assert_lacks(json, "\"first\"");
    assert_has(json, "\"name\":\"happened\"");
    assert_has(json, "exception.message");
    assert_has(json, "\"status\":{\"code\":2,\"message\":\"disk is gone\"}");
    assert_has(json, "service.instance.id");
    assert_has(json, "filigree.export.sequence");
    free(json);
    test_stop();
}

static void large_spans_take_more_slots(void **state)
{
    (void)state;
    test_start(NULL);
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    fg_span span = fg_span_start("large", NULL);
    for (int i = 0; i < 15; i++) {
        char key[16];
        snprintf(key, sizeof key, "key.%d", i);
        text[0] = (char)('a' + i);
        fg_span_set_string(span, key, text);
    }
    fg_span_end(span);
    char *json = test_collect();
    assert_has(json, "key.14");
    assert_has(json, "\"oxxxx");
    assert_int_equal(test_stats().dropped_items, 0);
    free(json);
    test_stop();
}

static void limits_are_kept_and_counted(void **state)
{
    (void)state;
    setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "3", 1);
    setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "1", 1);
    setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5", 1);
    test_start(NULL);
    fg_stats before = test_stats();
    fg_span span = fg_span_start("limits", NULL);
    fg_span_set_string(span, "a", "12345");
    fg_span_set_string(span, "b", "1234\xc3\xa9");
    fg_span_set_int(span, "c", 1);
    fg_span_set_int(span, "d", 1);
    fg_span_add_event(span, "one", NULL, 0);
    fg_span_add_event(span, "two", NULL, 0);
    fg_span_end(span);
    char *json = test_collect();
    fg_stats after = test_stats();
    assert_has(json, "\"12345\"");
    assert_has(json, "\"1234\"");
    assert_lacks(json, "\"key\":\"d\"");
    assert_lacks(json, "\"two\"");
    assert_has(json, "\"droppedAttributesCount\":1");
    assert_has(json, "\"droppedEventsCount\":1");
    assert_int_equal(after.dropped_items - before.dropped_items, 2);
    assert_int_equal(after.truncated_values - before.truncated_values, 1);
    free(json);
    test_stop();
    unsetenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT");
    unsetenv("OTEL_SPAN_EVENT_COUNT_LIMIT");
    unsetenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT");
}

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

static void bad_input_is_counted_and_said_once(void **state)
{
    (void)state;
    fg_span none = {.opaque = 0};
    fg_attr nothing = {.key = NULL};
    fg_attr torn = {.key = "k", .type = FG_ATTR_STRINGS, .count = 3};
    fg_attr unknown = {.key = "k", .type = (fg_attr_type)99};
    /* Before the start, and on no span: nothing. */
    assert_false(fg_span_is_valid(fg_span_start("early", NULL)));
    test_start(with_diagnostic);
    fg_span_set_string(none, "a", "b");
    fg_span_end(none);
    fg_span_add_link(none, none, NULL, 5);
    fg_scope_leave(NULL);
    fg_context_free(NULL);
    fg_span span = fg_span_start(NULL, NULL);
    fg_stats before = test_stats();
    fg_span_set_string(span, NULL, "x");
    fg_span_set_string(span, "", "x");
    fg_span_set_string(span, "null", NULL);
    fg_span_set(span, nothing);
    fg_span_set(span, torn);
    fg_span_set(span, unknown);
    fg_span_set_string(span, "bad",
                       "a\xff\xfe"
                       "b");
    fg_span_set_status(span, (fg_status)77, "x");
    fg_span_add_event(span, NULL, NULL, 9);
    fg_span_end(span);
    fg_stats middle = test_stats();
    assert_int_equal(middle.dropped_items - before.dropped_items, 5);
    assert_int_equal(middle.misuses, before.misuses);
    fg_span_end(span);
    fg_span_set_string(span, "late", "x");
    fg_span_set_name(span, "late");
    span.opaque |= FG_SPAN_SLOT_MASK << FG_SPAN_SLOT_SHIFT;
    fg_span_end(span);
    assert_int_equal(test_stats().misuses - middle.misuses, 4);
    char *json = test_collect();
    assert_lacks(json, "late");
    assert_has(json, "a\xef\xbf\xbd\xef\xbf\xbd"
                     "b");
    free(json);
    assert_int_equal(said, 2); /* an item, a misuse: once each */
    test_stop();
    fg_span_end(span);
    said = 0;
}

static void a_full_ring_drops_and_recovers_nothing_wrong(void **state)
{
    (void)state;
    test_start(NULL);
    fg_stats before = test_stats();
    fg_span spans[1100];
    for (size_t i = 0; i < 1100; i++)
        spans[i] = fg_span_start("many", NULL);
    assert_int_equal(test_stats().dropped_full_spans - before.dropped_full_spans, 1100 - 1024);
    assert_true(fg_span_is_recording(spans[1023]));
    assert_false(fg_span_is_recording(spans[1024]));
    /* It is not recorded, but what follows from it is still part of its trace. */
    assert_true(fg_span_is_valid(spans[1024]));
    assert_true(fg_span_is_sampled(spans[1024]));
    for (size_t i = 0; i < 1100; i++)
        fg_span_end(spans[i]);
    test_stop();
    test_start(NULL);
    fg_span later = fg_span_start("later", NULL);
    assert_true(fg_span_is_recording(later));
    /* Names of spans before the restart are no names any more. */
    fg_span_set_string(spans[0], "late", "x");
    char *json = test_collect();
    assert_lacks(json, "\"late\"");
    assert_lacks(json, "\"many\"");
    free(json);
    test_stop();
}

static void never(fg_options *options)
{
    options->sampler = "always_off";
}

static void half(fg_options *options)
{
    options->sampler = "parentbased_traceidratio";
    options->sampler_arg = "0.5";
}

static void samplers_decide_at_the_root(void **state)
{
    (void)state;
    test_start(never);
    fg_span span = fg_span_start("off", NULL);
    assert_true(fg_span_is_valid(span));
    assert_false(fg_span_is_sampled(span));
    assert_false(fg_span_is_recording(span));
    test_stop();
    test_start(half);
    int sampled = 0;
    for (int i = 0; i < 400; i++) {
        fg_span root = fg_span_start("half", NULL);
        bool low = root.trace_id[8] < 0x80;
        assert_int_equal(fg_span_is_sampled(root), low);
        sampled += fg_span_is_sampled(root);
        fg_scope scope = fg_span_enter(root);
        fg_span child = fg_span_start("child", NULL);
        assert_int_equal(fg_span_is_sampled(child), low);
        assert_memory_equal(child.trace_id, root.trace_id, 16);
        fg_scope_leave(&scope);
    }
    assert_in_range(sampled, 120, 280);
    test_stop();
}

static void deny(fg_options *options)
{
    options->redact_keys = "secret,card.*";
}

static void what_is_forbidden_is_not_sent(void **state)
{
    (void)state;
    test_start(deny);
    fg_span span = fg_span_start("redact", NULL);
    fg_span_set_string(span, "Secret", "one");
    fg_span_set_string(span, "card.owner", "two");
    fg_span_set_string(span, "note", "mail a@example.org, card 4111 1111 1111 1111");
    fg_span_set_string(span, "db.query.text", "SELECT * FROM t WHERE name = 'three'");
    fg_span_set_string(span, "order.id", "4111111111111111");
    static const char *const list[] = {"x", "b@example.org"};
    fg_span_set(span, fg_attr_strings("list", list, 2));
    fg_span_record_error(span, "auth", "Bearer abcdefghijkl was refused");
    fg_span_end(span);
    char *json = test_collect();
    assert_lacks(json, "\"one\"");
    assert_lacks(json, "\"two\"");
    assert_lacks(json, "three");
    assert_lacks(json, "example.org");
    assert_lacks(json, "abcdefghijkl");
    assert_has(json, "mail [email], card [card]");
    assert_has(json, "WHERE name = ?");
    /* A journey's number is what all this is for. */
    assert_has(json, "{\"key\":\"order.id\",\"value\":{\"stringValue\":\"4111111111111111\"}}");
    free(json);
    test_stop();
}

static void work(void *arg)
{
    fg_span *handed = arg;
    for (int i = 0; i < 50; i++) {
        fg_span span = fg_span_start("in.thread", NULL);
        fg_span_set_int(span, "i", i);
        fg_span_end(span);
    }
    fg_span_set_string(*handed, "where", "other thread");
    fg_span_end(*handed);
    /* Left open by a thread that ends. */
    (void)fg_span_start("left.open", NULL);
}

static void spans_are_handed_between_threads(void **state)
{
    (void)state;
    test_start(NULL);
    fg_span handed[4];
    struct fg_thread threads[4];
    for (int i = 0; i < 4; i++) {
        handed[i] = fg_span_start("handed", NULL);
        assert_int_equal(fg_thread_start(&threads[i], "test", work, &handed[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        fg_thread_join(&threads[i]);
    char *json = test_collect();
    assert_int_equal(test_count_of(json, "in.thread"), 200);
    assert_int_equal(test_count_of(json, "other thread"), 4);
    assert_int_equal(test_count_of(json, "left.open"), 4);
    free(json);
    test_stop();
}

static void links_and_ids_are_right(void **state)
{
    (void)state;
    test_start(NULL);
    fg_span parent = fg_span_start("parent", NULL);
    fg_scope scope = fg_span_enter(parent);
    fg_span child = fg_span_start("child", NULL);
    fg_span_add_link(child, parent, NULL, 0);
    fg_span_end_at(child, UINT64_C(1800000000000000000));
    fg_scope_leave(&scope);
    fg_span other = fg_span_start("other", NULL);
    assert_memory_not_equal(other.trace_id, parent.trace_id, 16);
    char header[FG_TRACEPARENT_SIZE], expected[128];
    fg_span_traceparent(parent, header);
    snprintf(expected, sizeof expected, "\"parentSpanId\":\"%.16s\"", header + 36);
    char *json = test_collect();
    assert_has(json, expected);
    assert_has(json, "\"endTimeUnixNano\":\"1800000000000000000\"");
    assert_has(json, "\"links\":[{\"traceId\":\"");
    free(json);
    test_stop();
}

struct flusher {
    atomic_int thread;
    int result;
};

static void flush_for_long(void *arg)
{
    struct flusher *flusher = arg;
    atomic_store(&flusher->thread, (int)syscall(SYS_gettid));
    flusher->result = fg_tracing_flush(600000);
}

static void wait_until_it_sleeps(struct flusher *flusher)
{
    char path[64], state = 'R';
    while (atomic_load(&flusher->thread) == 0)
        usleep(1000);
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", atomic_load(&flusher->thread));
    while (state != 'S') {
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        assert_int_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
        fclose(file);
        usleep(1000);
    }
}

static void a_flush_ends_with_the_stop(void **state)
{
    (void)state;
    struct fg_thread thread;
    struct flusher flusher = {.thread = 0};
    test_start(NULL);
    fg_span_end(fg_span_start("unsent", NULL));
    assert_int_equal(fg_tracing_flush(10), FG_ETIMEOUT);
    assert_int_equal(fg_thread_start(&thread, "test", flush_for_long, &flusher), 0);
    wait_until_it_sleeps(&flusher);
    test_stop();
    fg_thread_join(&thread);
    assert_int_equal(flusher.result, FG_ECANCELLED);
    assert_int_equal(fg_tracing_flush(10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_of_all_types_are_kept),
        cmocka_unit_test(large_spans_take_more_slots),
        cmocka_unit_test(limits_are_kept_and_counted),
        cmocka_unit_test(bad_input_is_counted_and_said_once),
        cmocka_unit_test(a_full_ring_drops_and_recovers_nothing_wrong),
        cmocka_unit_test(samplers_decide_at_the_root),
        cmocka_unit_test(what_is_forbidden_is_not_sent),
        cmocka_unit_test(spans_are_handed_between_threads),
        cmocka_unit_test(links_and_ids_are_right),
        cmocka_unit_test(a_flush_ends_with_the_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
