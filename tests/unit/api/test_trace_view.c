/* The view of a trace that pages draw, and one span of it. */
#include "api_fixture.h"
#include "base/limits.h"
#include "span/block.h"
#include "span/builder.h"
#include "store/store.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fixture fixture;

static int set_up(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_end(&fixture);
    return 0;
}

static json_t *view(const char *id, const char *query)
{
    char path[100];
    snprintf(path, sizeof path, "/api/v1/traces/%s/view", id);
    assert_int_equal(fixture_get(&fixture, path, query), 200);
    return fixture_json(&fixture);
}

static json_t *column(json_t *root, const char *name)
{
    return json_object_get(json_object_get(root, "spans"), name);
}

/* Of a span in a column: its element, or what every span has. */
static int64_t number(json_t *root, size_t span, const char *name)
{
    json_t *values = column(root, name);
    json_t *value = json_is_array(values) ? json_array_get(values, span) : values;
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static size_t id_count(json_t *root)
{
    size_t size = strlen(json_string_value(column(root, "id")));
    assert_int_equal(size % 16, 0);
    return size / 16;
}

static int64_t count(json_t *root, const char *name)
{
    return json_integer_value(json_object_get(root, name));
}

static const char *in_table(json_t *root, const char *table, int64_t index)
{
    return json_string_value(json_array_get(json_object_get(root, table), (size_t)index));
}

static void an_order_whole(void **state)
{
    (void)state;
    fixture_send_order(&fixture);
    json_t *root = view(FIXTURE_TRACE, NULL);
    char *text = json_dumps(root, JSON_COMPACT);
    assert_string_equal(
        text,
        "{\"trace_id\":\"" FIXTURE_TRACE "\",\"start_ns\":\"1764071940000000000\","
        "\"duration_ns\":\"300000000\",\"root_service\":\"shop-api\",\"root_name\":\"POST "
        "/orders\","
        "\"has_root\":true,\"root_count\":1,\"orphan_count\":0,\"span_count\":3,\"error_count\":1,"
        "\"open_count\":0,\"adjusted_count\":0,"
        "\"names\":[\"POST /orders\",\"POST mes\",\"price.calculate\"],"
        "\"services\":[\"shop-api\",\"mes-api\"],"
        "\"spans\":{\"id\":\"00000000000000a100000000000000a200000000000000b1\","
        "\"parent\":[-1,0,1],\"depth\":[0,1,2],\"service\":[0,0,1],\"name\":[0,1,2],"
        "\"start_ns\":[0,20000000,40000000],\"duration_ns\":[300000000,250000000,200000000],"
        "\"kind\":[2,3,2],\"status\":[0,0,2],\"flags\":[9,8,104],\"marks\":0,\"shift_ns\":0},"
        "\"critical_path\":["
        "[0,0,20000000,0],[1,20000000,20000000,0],[2,40000000,200000000,0],[1,240000000,30000000,0]"
        ","
        "[0,270000000,30000000,0]],\"truncated\":false,\"partial\":false}");
    free(text);
    json_decref(root);
}

#define SPAN(id, parent, kind, start_ms, end)                                                      \
    "{\"traceId\":\"000000000000000000000000000000aa\",\"spanId\":\"" id                           \
    "\",\"parentSpanId\":\"" parent "\",\"name\":\"n\",\"kind\":" kind                             \
    ",\"startTimeUnixNano\":\"1764071940" start_ms "000000\",\"endTimeUnixNano\":\"" end "\"}"
#define END(ms) "1764071940" ms "000000"
#define OF(service, spans)                                                                         \
    "{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"         \
    "\"" service "\"}}]},\"scopeSpans\":[{\"spans\":[" spans "]}]}"

/* Two roots, an orphan, an open span, a message, and a host whose clock is 1 s ahead. */
static void what_is_odd_is_flagged(void **state)
{
    (void)state;
    fixture_send(
        &fixture,
        "{\"resourceSpans\":[" OF(
            "a",
            SPAN("0000000000000001", "", "2", "000", END("400")) "," SPAN(
                "0000000000000002", "", "2", "010",
                END("020")) "," SPAN("0000000000000003", "0000000000000099", "1", "030",
                                     "0") "," SPAN("0000000000000004", "0000000000000001", "4",
                                                   "100",
                                                   END("110"))) "," OF("b",
                                                                       SPAN(
                                                                           "0000000000000005",
                                                                           "0000000000000004", "5",
                                                                           "300",
                                                                           END("350"))) "," OF("c",
                                                                                               SPAN(
                                                                                                   "0000000000000006",
                                                                                                   "0000000000000001",
                                                                                                   "2",
                                                                                                   "900",
                                                                                                   END("920"))) "]}");
    json_t *root = view("aa", NULL);
    assert_int_equal(count(root, "root_count"), 2);
    assert_int_equal(count(root, "orphan_count"), 1);
    assert_int_equal(count(root, "open_count"), 1);
    assert_int_equal(count(root, "adjusted_count"), 1);
    assert_int_equal(id_count(root), 6);
    for (size_t i = 0; i < 6; i++) {
        int64_t flags = number(root, i, "flags");
        switch (json_string_value(column(root, "id"))[16 * i + 15]) {
        case '1':
        case '2':
            assert_int_equal(flags & ~8, 1);
            assert_int_equal(number(root, i, "parent"), -1);
            break;
        case '3':
            assert_int_equal(flags, 2 | 4);
            assert_int_equal(number(root, i, "duration_ns"), 0);
            break;
        case '4':
            assert_int_equal(number(root, i, "depth"), 1);
            break;
        case '5': /* it does not lie within its parent, and need not */
            assert_int_equal(flags & 16, 16);
            assert_int_equal(number(root, i, "shift_ns"), 0);
            assert_string_equal(in_table(root, "services", number(root, i, "service")), "b");
            break;
        default: /* moved into the middle of its parent: from 900 to (400 - 20) / 2 ms */
            assert_int_equal(number(root, i, "shift_ns"), (190 - 900) * 1000000);
            assert_int_equal(number(root, i, "start_ns"), 900000000);
        }
    }
    json_decref(root);
}

static void done(struct fg_append *append, int result)
{
    (void)append;
    assert_int_equal(result, 0);
}

/* A big trace through the store's own interface; the api's requests may not be so large. */
static void send_big(uint32_t span_count, uint32_t name_count)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    uint32_t resource, scope;
    char name[40];
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &scope), 0);
    for (uint32_t i = 0; i < span_count; i++) {
        snprintf(name, sizeof name, "name %u", i % name_count);
        struct fg_span span = {.trace_id_low = 0xbb,
                               .span_id = i + 1,
                               .parent_span_id = (i + 7) / 8, /* eight children each */
                               .start_ns = FIXTURE_NOW_NS + i,
                               .end_ns = FIXTURE_NOW_NS + 2 * (uint64_t)span_count - i,
                               .name = fg_slice_from_string(name),
                               .resource = resource,
                               .scope = scope};
        assert_int_equal(fg_builder_span_begin(builder), 0);
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
    }
    struct fg_append append = {.done = done};
    assert_int_equal(fg_block_freeze(builder, &append.block), 0);
    fg_builder_free(builder);
    assert_int_equal(fg_store_append_take(fixture.store, &append), 0);
}

/* Parents come first, depths are theirs and one, every index is in its table. */
static void check_tree(json_t *root, size_t span_count)
{
    size_t names = json_array_size(json_object_get(root, "names"));
    for (size_t i = 0; i < span_count; i++) {
        int64_t parent = number(root, i, "parent");
        assert_true(parent < (int64_t)i);
        assert_int_equal(number(root, i, "depth"),
                         parent < 0 ? 0 : number(root, (size_t)parent, "depth") + 1);
        assert_true(number(root, i, "name") < (int64_t)names);
    }
}

static void a_hundred_thousand_spans(void **state)
{
    (void)state;
    send_big(100000, 5000);
    json_t *root = view("bb", NULL);
    assert_int_equal(id_count(root), 100000);
    assert_int_equal(json_array_size(json_object_get(root, "names")), 5000);
    assert_true(json_is_false(json_object_get(root, "truncated")));
    check_tree(root, 100000);
    /* Small, and in parts that a slow client takes one by one. */
    assert_true(fixture.last.answer.size < 8000000);
    assert_true(fixture.last.pull_size_max <= FG_PULL_SIZE);
    json_decref(root);
}

static void a_limit_cuts_and_says_so(void **state)
{
    (void)state;
    send_big(1000, 1000);
    json_t *root = view("bb", "limit=100");
    assert_int_equal(id_count(root), 100);
    assert_int_equal(json_array_size(json_object_get(root, "names")), 100);
    assert_true(json_is_true(json_object_get(root, "truncated")));
    assert_int_equal(count(root, "span_count"), 1000);
    check_tree(root, 100);
    json_t *path = json_object_get(root, "critical_path");
    for (size_t i = 0; i < json_array_size(path); i++)
        assert_true(json_integer_value(json_array_get(json_array_get(path, i), 0)) < 100);
    json_decref(root);
}

static void a_store_that_cuts_or_is_damaged_is_told(void **state)
{
    (void)state;
    const struct fake_store_faults faults = {.truncated = true, .damaged_pages = 1};
    fixture_send_order(&fixture);
    fake_store_set_faults(fixture.store, &faults);
    json_t *root = view(FIXTURE_TRACE, NULL);
    assert_true(json_is_true(json_object_get(root, "truncated")));
    assert_true(json_is_true(json_object_get(root, "partial")));
    json_decref(root);
}

static void refused(const char *path, const char *query, unsigned status, const char *part)
{
    assert_int_equal(fixture_get(&fixture, path, query), status);
    if (!strstr(fixture_text(&fixture), part))
        fail_msg("%s?%s: %s", path, query ? query : "", fixture_text(&fixture));
}

static void bad_requests(void **state)
{
    (void)state;
    fixture_send_order(&fixture);
    refused("/api/v1/traces/xyz/view", NULL, 400, "hexadecimal");
    refused("/api/v1/traces/0/view", NULL, 400, "not all zero");
    refused("/api/v1/traces/0af7651916cd43dd8448eb211c80319c0/view", NULL, 400, "32");
    refused("/api/v1/traces/12/view", NULL, 404, "trace not found");
    refused("/api/v1/traces/" FIXTURE_TRACE "/view", "limit=0", 400, "from 1 to 1000000");
    refused("/api/v1/traces/" FIXTURE_TRACE "/view", "limit=1000000000000", 400, "limit");
    refused("/api/v1/traces/" FIXTURE_TRACE "/view", "q=x", 400, "there are limit");
    refused("/api/v1/traces/xyz/spans/a1", NULL, 400, "a trace id");
    refused("/api/v1/traces/" FIXTURE_TRACE "/spans/zz", NULL, 400, "a span id");
    refused("/api/v1/traces/" FIXTURE_TRACE "/spans/0", NULL, 400, "a span id");
    refused("/api/v1/traces/" FIXTURE_TRACE "/spans/00000000000000a12", NULL, 400, "a span id");
    refused("/api/v1/traces/" FIXTURE_TRACE "/spans/77", NULL, 404, "no such span");
    refused("/api/v1/traces/12/spans/77", NULL, 404, "no such span");
    refused("/api/v1/traces/" FIXTURE_TRACE "/spans/a1", "x=1", 400, "there are none");
}

/* One more span, a root, of the fixture's trace. */
static void send_named(const char *name)
{
    char body[600];
    snprintf(body, sizeof body,
             "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"" FIXTURE_TRACE
             "\",\"spanId\":\"00000000000000ff\",\"name\":\"%s\",\"startTimeUnixNano\":"
             "\"1764071940000000001\",\"endTimeUnixNano\":\"1764071940000000002\"}]}]}]}",
             name);
    fixture_send(&fixture, body);
}

static void found(const char *text, const char *spans)
{
    char query[100];
    snprintf(query, sizeof query, "text=%s", text);
    assert_int_equal(fixture_get(&fixture, "/api/v1/traces/" FIXTURE_TRACE "/find", query), 200);
    json_t *root = fixture_json(&fixture);
    char *list = json_dumps(json_object_get(root, "spans"), JSON_COMPACT);
    if (strcmp(list, spans) != 0)
        fail_msg("%s: %s, not %s", text, list, spans);
    free(list);
    json_decref(root);
}

/* Names, services, ids, messages, keys, values and what events, links and resources have. */
static void a_text_is_found(void **state)
{
    (void)state;
    fixture_send_order(&fixture);
    found("price.CALC", "[2]");
    found("shop-API", "[0,1]");
    found("00a2", "[1]");
    found("no+such+text", "[]");
    found("ord-4711", "[0]");     /* a value */
    found("201", "[0]");          /* a number */
    found("129.5", "[0]");        /* a fraction */
    found("ORDER.TOTAL", "[0]");  /* a key */
    found("web-1", "[0,1]");      /* of a resource */
    found("No+Model", "[2]");     /* a message */
    found("modelmissing", "[2]"); /* of an event */
    send_named("КОЛЬЦО Ωμέγα");
    found("кольцо+ω", "[3]");
    found("Кольцо+ΩΜ", "[3]");
    found("кольцa", "[]");
    refused("/api/v1/traces/12/find", "text=x", 404, "trace not found");
    refused("/api/v1/traces/xyz/find", "text=x", 400, "hexadecimal");
    refused("/api/v1/traces/" FIXTURE_TRACE "/find", NULL, 400, "text is what to look for");
    refused("/api/v1/traces/" FIXTURE_TRACE "/find", "q=x", 400, "there are text");
}

static void one_span(void **state)
{
    (void)state;
    fixture_send_order(&fixture);
    assert_int_equal(fixture_get(&fixture, "/api/v1/traces/" FIXTURE_TRACE "/spans/b1", NULL), 200);
    json_t *root = fixture_json(&fixture);
    json_t *resources = json_object_get(root, "resourceSpans");
    assert_int_equal(json_array_size(resources), 1);
    json_t *scopes = json_object_get(json_array_get(resources, 0), "scopeSpans");
    json_t *spans = json_object_get(json_array_get(scopes, 0), "spans");
    assert_int_equal(json_array_size(spans), 1);
    json_t *span = json_array_get(spans, 0);
    assert_string_equal(json_string_value(json_object_get(span, "name")), "price.calculate");
    assert_int_equal(json_array_size(json_object_get(span, "events")), 1);
    assert_int_equal(json_array_size(json_object_get(span, "links")), 1);
    json_decref(root);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_order_whole),
        TEST(what_is_odd_is_flagged),
        TEST(a_hundred_thousand_spans),
        TEST(a_limit_cuts_and_says_so),
        TEST(a_store_that_cuts_or_is_damaged_is_told),
        TEST(bad_requests),
        TEST(a_text_is_found),
        TEST(one_span),
    };
    return cmocka_run_group_tests_name("trace_view", tests, NULL, NULL);
}
