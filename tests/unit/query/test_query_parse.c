/* query/query.h: the search language, read, written and refused. */
#include "query/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fg_arena arena;

static int set_up(void **state)
{
    (void)state;
    fg_arena_init(&arena, 4 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fg_arena_free(&arena);
    return 0;
}

static const char *printed(const struct fg_query *query)
{
    struct fg_buffer text;
    fg_buffer_init(&text, 64 << 10);
    fg_query_print(query, &text);
    const char *kept = fg_arena_string(&arena, fg_buffer_slice(&text));
    fg_buffer_free(&text);
    assert_non_null(kept);
    return kept;
}

static const struct fg_query *parsed(const char *text)
{
    const struct fg_query *query = NULL;
    struct fg_query_error error = {0};
    int r = fg_query_parse(fg_slice_from_string(text), &arena, &query, &error);
    if (r < 0)
        fail_msg("%s: %s (at %zu)", text, error.message, error.offset);
    return query;
}

/* text means what plain says, and plain is a fixed point. */
static void means(const char *text, const char *plain)
{
    assert_string_equal(printed(parsed(text)), plain);
    assert_string_equal(printed(parsed(plain)), plain);
}

static void refused(const char *text, size_t offset, const char *part)
{
    const struct fg_query *query = NULL;
    struct fg_query_error error = {0};
    int r = fg_query_parse(fg_slice_from_string(text), &arena, &query, &error);
    assert_true(r == FG_EINVALID || r == FG_ELIMIT);
    assert_null(query);
    assert_non_null(error.message);
    if (!strstr(error.message, part))
        fail_msg("%s: said '%s', expected '%s'", text, error.message, part);
    assert_int_equal(error.offset, offset);
}

static void test_fields(void **state)
{
    (void)state;
    means("service:shop-api", "service=\"shop-api\"");
    means("operation = \"GET /orders\"", "name=\"GET /orders\"");
    means("kind:server", "kind=server");
    means("status!=error", "status!=error");
    means("duration>1s500ms", "duration>1500000000ns");
    means("trace.duration <= 2m", "trace.duration<=120000000000ns");
    means("root.service:shop-web", "root.service=\"shop-web\"");
    means("trace.spans>=100", "trace.spans>=100");
    means("open:true root=false", "(open=true root=false)");
    means("open!=true", "open=false");
    means("status.message:*", "status.message:*");
    means("event.name=exception", "event=\"exception\"");
    means("scope.version=1.2", "scope.version=\"1.2\"");
    means("trace_id=1f", "trace_id=0000000000000000000000000000001f");
    means("0af7651916cd43dd8448eb211c80319c", "trace_id=0af7651916cd43dd8448eb211c80319c");
    means("span_id!=00f067aa0ba902b7", "not span_id=00f067aa0ba902b7");
}

static void test_attributes(void **state)
{
    (void)state;
    means("http.route=/orders/{id}", "http.route=\"/orders/{id}\"");
    means("order.id=4711", "(order.id==4711 or order.id=\"4711\")");
    means("order.id=\"4711\"", "order.id=\"4711\"");
    means("order.id==4711", "order.id==4711");
    means("order.id!=4711", "(order.id:* not (order.id==4711 or order.id=\"4711\"))");
    means("order.id!=A-1", "order.id!=\"A-1\"");
    means("x!==2.0", "x!==2.0");
    means("x==1e3", "x==1000.0");
    means("http.response.status_code>=500", "http.response.status_code>=500");
    means("temperature<-1.5", "temperature<-1.5");
    means("retry=true", "(retry==true or retry=\"true\")");
    means("span.name=x resource.service.name=y link.z=1a event.e:* .service=s",
          "(span.\"name\"=\"x\" resource.service.name=\"y\" link.z=\"1a\" event.e:* "
          ".service=\"s\")");
    means("event.\"name\"=x", "event.\"name\"=\"x\"");
    means("\"a key\"=x", "\"a key\"=\"x\"");
    means("url=http://h:80/x?a=b", "url=\"http://h:80/x?a=b\"");
    means("v=\"say \\\"hi\\\"\\n\"", "v=\"say \\\"hi\\\"\\n\"");
}

static void test_patterns(void **state)
{
    (void)state;
    means("name=~\"^GET \"", "name=~\"^GET \"");
    means("name!~x", "(name:* not name=~\"x\")");
    means("service:shop-*", "service=~\"(?s)^shop\\\\-.*$\"");
    means("http.route:*orders*", "http.route=~\"(?s)^.*orders.*$\"");
    means("service=shop*", "service=\"shop*\"");
    means("service:\"shop*\"", "service=\"shop*\"");
}

static void test_structure(void **state)
{
    (void)state;
    means("", "");
    means("  \t\n ", "");
    means("a=x b=y", "(a=\"x\" b=\"y\")");
    means("a=x and b=y", "(a=\"x\" b=\"y\")");
    means("a=x or b=y c=z", "(a=\"x\" or (b=\"y\" c=\"z\"))");
    means("(a=x or b=y) c=z", "((a=\"x\" or b=\"y\") c=\"z\")");
    means("not a=x b=y", "(not a=\"x\" b=\"y\")");
    means("-a=x !b=y NOT c=z", "(not a=\"x\" not b=\"y\" not c=\"z\")");
    means("not (a=x OR b=y)", "not (a=\"x\" or b=\"y\")");
    means("not=1x or=2x and and=3x", "(not=\"1x\" or=\"2x\" and=\"3x\")");
}

static void test_refusals(void **state)
{
    (void)state;
    refused("service", 0, "stands alone");
    refused("a=x or", 6, "expected a key");
    refused("a=", 2, "expected a value after 'a'");
    refused("(a=x", 0, "never closed");
    refused("a=x)", 3, "closes");
    refused("a=\"x", 2, "never closed");
    refused("=x", 0, "expected a key");
    refused("duration>fast", 9, "'fast' is no duration");
    refused("duration>10", 9, "no duration");
    refused("kind=serve", 5, "no kind");
    refused("status=bad", 7, "no status");
    refused("status>ok", 0, "no order");
    refused("service>a", 0, "no order");
    refused("open=maybe", 5, "true or false");
    refused("trace_id=xyz", 9, "no id");
    refused("trace_id>1", 9, "no id");
    refused("span_id=00f067aa0ba902b7f", 8, "no id");
    refused("trace.spans>many", 12, "no whole number");
    refused("trace.spans>1.5", 12, "no whole number");
    refused("duration=~1s", 0, "no text");
}

static void test_bounds(void **state)
{
    (void)state;
    char deep[200], wide[2000] = "";
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    refused(deep, FG_QUERY_DEPTH_MAX, "nested too deeply");
    for (unsigned i = 0; i < FG_QUERY_NODES_MAX + 2; i++)
        strcat(wide, "a=x ");
    const struct fg_query *query;
    struct fg_query_error error;
    assert_int_equal(fg_query_parse(fg_slice_from_string(wide), &arena, &query, &error), FG_ELIMIT);
    struct fg_arena small;
    fg_arena_init(&small, 64);
    assert_int_equal(fg_query_parse(FG_SLICE("a=x b=y c=z"), &small, &query, &error), FG_ELIMIT);
    fg_arena_free(&small);
}

/* Any text is read or refused: cut-offs and mixtures of the language's own pieces. */
static void test_mixtures(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "a", "=",  "\"", "(",    ")",      " ",    "or",       "not ", "-",
        ":", "*",  "=~", "!",    "5",      "true", "span.",    ".",    "duration",
        ">", "1s", "<=", "kind", "server", "\\",   "trace_id", "0f",   "\xff"};
    srand(7);
    for (unsigned i = 0; i < 20000; i++) {
        char text[128] = "";
        for (int n = rand() % 9; n >= 0; n--)
            strcat(text, pieces[(size_t)rand() % (sizeof pieces / sizeof *pieces)]);
        const struct fg_query *query;
        struct fg_query_error error;
        fg_arena_reset(&arena);
        if (fg_query_parse(fg_slice_from_string(text), &arena, &query, &error) == 0) {
            const char *plain = printed(query);
            assert_string_equal(printed(parsed(plain)), plain);
        } else {
            assert_true(error.offset <= strlen(text));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_attributes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_patterns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_structure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mixtures, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
