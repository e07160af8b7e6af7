/* What a search page draws with: the heat map, the services' order, and where a query is wrong. */
#include "api_fixture.h"
#include "base/limits.h"

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

static json_t *get(const char *path, const char *query, unsigned status)
{
    assert_int_equal(fixture_get(&fixture, path, query), status);
    return fixture_json(&fixture);
}

static int64_t number(json_t *root, const char *name)
{
    return json_integer_value(json_object_get(root, name));
}

/* The order's spans begin a minute before now, take 300, 250 and 200 ms, and one failed. */
static void cells_are_counted(void **state)
{
    (void)state;
    fixture_send_order(&fixture);
    json_t *root = get("/api/v1/heatmap", "start=1764071900&end=1764072000&columns=10", 200);
    assert_string_equal(json_string_value(json_object_get(root, "start_ns")),
                        "1764071900000000000");
    assert_string_equal(json_string_value(json_object_get(root, "column_ns")), "10000000000");
    assert_int_equal(number(root, "column_count"), 10);
    assert_int_equal(number(root, "span_count"), 3);
    assert_int_equal(number(root, "error_count"), 1);
    assert_int_equal(json_array_size(json_object_get(root, "row_ns")), 61);
    char *cells = json_dumps(json_object_get(root, "cells"), JSON_COMPACT);
    assert_string_equal(cells, "[[4,41,2,1],[4,42,1,0]]"); /* from 158 and from 251 ms on */
    free(cells);
    assert_true(json_is_false(json_object_get(root, "partial")));
    json_decref(root);
    root = get("/api/v1/heatmap", "q=status:error", 200); /* all times, up to now */
    assert_int_equal(number(root, "span_count"), 1);
    assert_int_equal(number(root, "column_count"), 100);
    assert_string_equal(json_string_value(json_object_get(root, "whole_from_ns")), "0");
    json_decref(root);
}

static void refused(const char *query, const char *word)
{
    json_t *root = get("/api/v1/heatmap", query, 400);
    assert_non_null(strstr(json_string_value(json_object_get(root, "error")), word));
    json_decref(root);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    refused("columns=401", "from 1 to 400");
    refused("columns=0", "from 1 to 400");
    refused("q=trace.duration%3E1s", "single spans");
    refused("start=1764079999", "ahead of the server's clock");
    refused("rows=3", "there is no parameter 'rows'");
}

static void a_wrong_byte_is_named(void **state)
{
    (void)state;
    json_t *root = get("/api/v1/traces", "q=service:a+status:errr", 400);
    assert_int_equal(number(root, "at"), 18);
    json_decref(root);
    root = get("/api/v1/traces", "limit=none", 400);
    assert_null(json_object_get(root, "at"));
    json_decref(root);
}

#define SPAN(service, start_s)                                                                     \
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"     \
    "\"stringValue\":\"" service                                                                   \
    "\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":\"000000000000000000000000000000aa\","        \
    "\"spanId\":\"00000000000000" start_s                                                          \
    "\",\"name\":\"n\",\"startTimeUnixNano\":\"17640719" start_s                                   \
    "000000000\",\"endTimeUnixNano\":\"17640719" start_s "000000001\"}]}]}]}"

static void slots_are(const char *golden)
{
    json_t *root = get("/api/v1/services/slots", NULL, 200);
    char text[100] = "";
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(root, "services"), i, one)
    {
        assert_int_equal(number(one, "place"), i);
        strcat(text, json_string_value(json_object_get(one, "service")));
    }
    assert_string_equal(text, golden);
    json_decref(root);
}

static void services_keep_their_place(void **state)
{
    (void)state;
    slots_are("");
    fixture_send(&fixture, SPAN("m", "70"));
    fixture_send(&fixture, SPAN("z", "10"));
    slots_are("zm");
    fixture_send(&fixture, SPAN("a", "05")); /* earlier, but seen later */
    slots_are("zma");
    fixture_send(&fixture, SPAN("b", "99"));
    slots_are("zmab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cells_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_byte_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(services_keep_their_place, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
