/* Traces that are large: read by a thread of their own, and marked where they are cut, whatever the
 * form of the answer. */
#include "api_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fixture fixture;

static int set_up(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    fixture_send_order(&fixture);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_end(&fixture);
    return 0;
}

#define WINDOW "query.startTimeMin=2025-11-25T11:00:00Z&query.startTimeMax=2025-11-25T13:00:00Z"

static const struct {
    const char *path, *query;
} routes[] = {
    {"/api/v1/traces/" FIXTURE_TRACE, NULL},
    {"/api/v1/traces/" FIXTURE_TRACE "/view", NULL},
    {"/api/v1/traces/" FIXTURE_TRACE "/find", "text=order"},
    {"/api/v1/traces", "q=service:mes-api"},
    {"/api/v1/traces", "q=trace.spans>2"},
    {"/api/traces/" FIXTURE_TRACE, NULL},
    {"/api/traces", "service=mes-api"},
    {"/api/traces", "traceID=" FIXTURE_TRACE},
    {"/api/v2/trace/" FIXTURE_TRACE, NULL},
    {"/api/v2/traces", "serviceName=mes-api"},
    {"/api/v2/traceMany", "traceIds=" FIXTURE_TRACE ",0000000000000000000000000000beef"},
    {"/api/v3/traces/" FIXTURE_TRACE, NULL},
    {"/api/v3/traces", WINDOW},
    {"/api/v3/trace-summaries", WINDOW},
};

/* The same answers, from whichever thread. */
static void large_traces_come_by_every_route(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        struct fake_store_faults faults = {0};
        fake_store_set_faults(fixture.store, &faults);
        assert_int_equal(fixture_get(&fixture, routes[i].path, routes[i].query), 200);
        char *expected = strdup(fixture_text(&fixture));
        assert_non_null(expected);
        faults.large = true;
        fake_store_set_faults(fixture.store, &faults);
        assert_int_equal(fixture_get(&fixture, routes[i].path, routes[i].query), 200);
        assert_string_equal(fixture_text(&fixture), expected);
        assert_null(strstr(fixture.last.header, "filigree-partial"));
        free(expected);
    }
}

static void cut_traces_are_marked(void **state)
{
    (void)state;
    const struct fake_store_faults faults = {.truncated = true};
    fake_store_set_faults(fixture.store, &faults);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        assert_int_equal(fixture_get(&fixture, routes[i].path, routes[i].query), 200);
        bool is_list = routes[i].query && strstr(routes[i].path, "/api/v1/traces") &&
                       strncmp(routes[i].query, "q=", 2) == 0;
        if (is_list)
            assert_non_null(
                strstr(fixture_text(&fixture), "\"partial\":true,\"partial_reason\":\"size\""));
        else if (!strstr(fixture.last.header, "filigree-partial: size"))
            fail_msg("%s?%s", routes[i].path, routes[i].query ? routes[i].query : "");
        if (strncmp(routes[i].path, "/api/traces", 11) == 0)
            assert_non_null(strstr(fixture_text(&fixture), "more spans than one answer may have"));
    }
    const struct fake_store_faults both = {.truncated = true, .damaged_pages = 1};
    fake_store_set_faults(fixture.store, &both);
    assert_int_equal(fixture_get(&fixture, "/api/v1/traces", "q=service:mes-api"), 200);
    assert_non_null(strstr(fixture_text(&fixture), "\"partial_reason\":\"damage\""));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(large_traces_come_by_every_route),
        TEST(cut_traces_are_marked),
    };
    return cmocka_run_group_tests_name("large_traces", tests, NULL, NULL);
}
