/* Contexts: scopes, baggage, journeys, and their way over the wire. */
#include "collect.h"

#include "os/thread.h"
#include "wire/w3c.h"

struct carrier {
    struct {
        char name[32];
        char value[9000];
    } headers[4];
    size_t count;
};

static int set_header(void *arg, const char *name, const char *value)
{
    struct carrier *carrier = arg;
    snprintf(carrier->headers[carrier->count].name, 32, "%s", name);
    snprintf(carrier->headers[carrier->count].value, 9000, "%s", value);
    carrier->count++;
    return 0;
}

static int refuse(void *arg, const char *name, const char *value)
{
    (void)arg, (void)name, (void)value;
    return 7;
}

static const char *get_header(void *arg, const char *name)
{
    struct carrier *carrier = arg;
    for (size_t i = 0; i < carrier->count; i++)
        if (strcmp(carrier->headers[i].name, name) == 0)
            return carrier->headers[i].value;
    return NULL;
}

static void a_context_survives_the_wire(void **state)
{
    (void)state;
    test_start(NULL);
    struct carrier out = {.count = 0}, again = {.count = 0};
    set_header(&out, "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    set_header(&out, "tracestate", "vendor=value,other=1");
    set_header(&out, "baggage", "user=a%20b;meta=1, order.id=4711 ,bad key=1,claim=9;journey");
    fg_stats before = test_stats();
    fg_context *context = fg_context_extract(get_header, &out);
    assert_int_equal(test_stats().malformed_contexts - before.malformed_contexts, 1);
    assert_true(fg_span_is_sampled(fg_context_span(context)));
    fg_scope scope = fg_context_enter(context);
    fg_span span = fg_span_start("server", NULL);
    fg_scope inner = fg_span_enter(span);
    assert_int_equal(fg_context_inject(NULL, set_header, &again), 0);
    assert_int_equal(fg_context_inject(NULL, refuse, NULL), 7);
    assert_int_equal(again.count, 3);
    assert_memory_equal(again.headers[0].value, "00-4bf92f3577b34da6a3ce929d0e0e4736-", 36);
    assert_string_not_equal(again.headers[0].value, out.headers[0].value);
    assert_string_equal(again.headers[1].value, "vendor=value,other=1");
    assert_string_equal(again.headers[2].value, "user=a%20b;meta=1,order.id=4711,claim=9;journey");
    char text[8];
    assert_int_equal(fg_context_baggage(NULL, "user", text, sizeof text), 3);
    assert_string_equal(text, "a b");
    assert_int_equal(fg_context_baggage(NULL, "user", text, 2), 3);
    assert_string_equal(text, "a");
    assert_int_equal(fg_context_baggage(context, "nobody", NULL, 0), 0);
    fg_span_end(span);
    fg_scope_leave(&inner);
    fg_scope_leave(&scope);
    fg_context_free(context);
    assert_false(fg_span_is_valid(fg_span_current()));
    char *json = test_collect();
    assert_has(json, "\"parentSpanId\":\"00f067aa0ba902b7\"");
    assert_has(json, "\"traceState\":\"vendor=value,other=1\"");
    assert_has(json, "{\"key\":\"order.id\",\"value\":{\"stringValue\":\"4711\"}}");
    assert_has(json, "{\"key\":\"claim\",\"value\":{\"stringValue\":\"9\"}}");
    assert_lacks(json, "a b");
    free(json);
    test_stop();
}

static void wrong_headers_start_a_new_trace(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "00",
                                        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                                        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                                        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                                        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
                                        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
                                        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct carrier carrier = {.count = 0};
        set_header(&carrier, "traceparent", wrong[i]);
        set_header(&carrier, "baggage", "k=v");
        fg_context *context = fg_context_extract(get_header, &carrier);
        assert_non_null(context);
        assert_false(fg_span_is_valid(fg_context_span(context)));
        assert_int_equal(fg_context_baggage(context, "k", NULL, 0), 1);
        fg_context_free(context);
    }
    /* A version that is yet to come is read as far as it is known. */
    struct fg_traceparent parent;
    assert_int_equal(
        fg_traceparent_parse(
            FG_SLICE("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"), &parent),
        0);
    fg_context *empty = fg_context_extract(NULL, NULL);
    assert_non_null(empty);
    fg_context_free(empty);
}

static void a_journey_stands_on_every_span(void **state)
{
    (void)state;
    test_start(NULL);
    fg_span outer = fg_span_start("outer", NULL);
    fg_scope scope = fg_span_enter(outer);
    fg_journey_set("order.id", "ORD 4711");
    fg_span inner = fg_span_start("inner", NULL);
    fg_span_end(inner);
    struct carrier carrier = {.count = 0};
    fg_context_inject(NULL, set_header, &carrier);
    assert_string_equal(carrier.headers[1].value, "order.id=ORD%204711;journey");
    fg_journey_set("order.id", NULL);
    fg_span later = fg_span_start("later", NULL);
    fg_span_end(later);
    fg_scope_leave(&scope);
    fg_span_end(outer);
    char *json = test_collect();
    assert_int_equal(test_count_of(json, "ORD 4711"), 1); /* outer's was set to nothing later */
    free(json);
    test_stop();
}

static void baggage_is_bounded(void **state)
{
    (void)state;
    fg_scope scope = fg_context_enter(NULL);
    fg_stats before = test_stats();
    char key[16];
    for (int i = 0; i < 70; i++) {
        snprintf(key, sizeof key, "k%d", i);
        fg_baggage_set(key, "v");
    }
    fg_baggage_set("not a key", "v");
    fg_baggage_set(NULL, "v");
    assert_int_equal(fg_context_baggage(NULL, "k63", NULL, 0), 1);
    assert_int_equal(fg_context_baggage(NULL, "k64", NULL, 0), 0);
    assert_int_equal(test_stats().dropped_items - before.dropped_items, 8);
    fg_baggage_set("k1", NULL);
    assert_int_equal(fg_context_baggage(NULL, "k1", NULL, 0), 0);
    fg_scope_leave(&scope);
    assert_int_equal(fg_context_baggage(NULL, "k63", NULL, 0), 0);
}

static void flood(char *text, size_t size, const char *member, unsigned count)
{
    size_t used = 0;
    for (unsigned i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, member, i ? "," : "", i);
}

struct long_headers {
    const char *trace_state, *baggage;
};

static const char *get_long(void *arg, const char *name)
{
    const struct long_headers *headers = arg;
    if (strcmp(name, "traceparent") == 0)
        return "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    return strcmp(name, "baggage") == 0 ? headers->baggage : headers->trace_state;
}

/* Takes the headers in; returns how many pieces of them were malformed. */
static uint64_t malformed_of(const char *trace_state, const char *baggage, fg_context **ret_context)
{
    struct long_headers headers = {trace_state, baggage};
    uint64_t before = test_stats().malformed_contexts;
    *ret_context = fg_context_extract(get_long, &headers);
    assert_non_null(*ret_context);
    assert_true(fg_span_is_sampled(fg_context_span(*ret_context)));
    return test_stats().malformed_contexts - before;
}

/* Headers of any length: what fits is passed on, what does not is counted; the parent stays. */
static void floods_are_bounded(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE);
    fg_context *context;
    assert_non_null(text);
    test_start(NULL);
    flood(text, SIZE, "%sv%u=1", 32);
    assert_int_equal(malformed_of(text, "", &context), 0);
    fg_context_free(context);
    flood(text, SIZE, "%sv%u=1", 33);
    assert_int_equal(malformed_of(text, "", &context), 1);
    struct carrier out = {.count = 0};
    assert_int_equal(fg_context_inject(context, set_header, &out), 0);
    assert_int_equal(out.count, 1);
    fg_context_free(context);
    memset(text, 'x', SIZE - 1);
    text[SIZE - 1] = 0;
    assert_int_equal(malformed_of(text, text, &context), 2);
    fg_context_free(context);
    memcpy(text, "k=", 2);
    assert_int_equal(malformed_of("", text, &context), 1);
    assert_int_equal(fg_context_baggage(context, "k", NULL, 0), 0);
    fg_context_free(context);
    flood(text, SIZE, "%sk%u=v", 10000);
    assert_int_equal(malformed_of("", text, &context), 10000 - FG_BAGGAGE_MEMBERS_MAX);
    assert_int_equal(fg_context_baggage(context, "k63", NULL, 0), 1);
    assert_int_equal(fg_context_baggage(context, "k64", NULL, 0), 0);
    fg_context_free(context);
    flood(text, SIZE, "%s=,;,\"%u\"", 1000);
    assert_int_equal(malformed_of("", text, &context), 3000);
    fg_context_free(context);
    test_stop();
    free(text);
}

static void scopes_in_the_wrong_order_are_counted(void **state)
{
    (void)state;
    test_start(NULL);
    fg_span a = fg_span_start("a", NULL), b = fg_span_start("b", NULL);
    fg_scope outer = fg_span_enter(a), inner = fg_span_enter(b);
    fg_stats before = test_stats();
    fg_scope_leave(&outer);
    assert_false(fg_span_is_valid(fg_span_current()));
    fg_scope_leave(&inner);
    fg_scope_leave(&inner);
    assert_false(fg_span_is_valid(fg_span_current()));
    assert_int_equal(test_stats().misuses - before.misuses, 2);
    test_stop();
}

static void leave(void *arg)
{
    fg_scope_leave(arg);
}

static void contexts_cross_threads(void **state)
{
    (void)state;
    struct fg_thread thread;
    fg_baggage_set("k", "v");
    fg_scope scope = fg_context_enter(NULL);
    fg_stats before = test_stats();
    assert_int_equal(fg_thread_start(&thread, "test", leave, &scope), 0);
    fg_thread_join(&thread);
    assert_int_equal(test_stats().misuses - before.misuses, 1);
    fg_baggage_set("k", NULL);
    fg_context *one = fg_context_with_journey(NULL, "order.id", "1");
    fg_context *two = fg_context_with_baggage(one, "x", "2");
    fg_context *same = fg_context_ref(two);
    fg_context_free(one);
    fg_context_free(two);
    assert_int_equal(fg_context_baggage(same, "order.id", NULL, 0), 1);
    fg_context_free(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_context_survives_the_wire),
        cmocka_unit_test(wrong_headers_start_a_new_trace),
        cmocka_unit_test(a_journey_stands_on_every_span),
        cmocka_unit_test(baggage_is_bounded),
        cmocka_unit_test(floods_are_bounded),
        cmocka_unit_test(scopes_in_the_wrong_order_are_counted),
        cmocka_unit_test(contexts_cross_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
