/* GET /api/v1/tail: what comes after it, in order; a reader that is too slow; the ways it ends. */
#include "api_fixture.h"
#include "base/limits.h"
#include "state.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

static void begin(struct fake_request *fake, const char *query)
{
    fake_init(fake, FG_METHOD_GET, "/api/v1/tail", query, FG_FACE_API);
    fake_begin(fake, fixture.api);
}

/* Pulls until the answer has text. */
static void pull_until(struct fake_request *fake, const char *text)
{
    while (!strstr(fake_text(fake), text))
        assert_true(fake_pull(fake));
}

static void what_comes_after(void **state)
{
    (void)state;
    struct fake_request tail;
    fixture_send_order(&fixture); /* before: it does not come */
    begin(&tail, "limit=3");
    assert_int_equal(tail.status, 200);
    assert_string_equal(tail.content_type, "application/x-ndjson");
    pull_until(&tail, "\n");
    fixture_send_order(&fixture);
    while (fake_pull(&tail))
        ;
    assert_int_equal(tail.broken, 0);
    const char *text = fake_text(&tail) + 1; /* the line that begins it is blank */
    json_t *span = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(span);
    char *compact = json_dumps(span, JSON_COMPACT);
    assert_string_equal(
        compact,
        "{\"trace_id\":\"" FIXTURE_TRACE
        "\",\"span_id\":\"00000000000000a1\",\"parent_span_id\":null,\"service\":"
        "\"shop-api\",\"name\":\"POST /orders\",\"kind\":\"server\",\"start\":"
        "\"2025-11-25T11:59:00.000Z\",\"start_ns\":\"1764071940000000000\",\"duration_ns\":"
        "\"300000000\",\"open\":false,\"status\":\"unset\",\"status_message\":\"\","
        "\"attributes\":{\"order.id\":\"ORD-4711\",\"http.response.status_code\":201,"
        "\"order.total\":129.5,\"retry\":false}}");
    free(compact);
    json_decref(span);
    const char *second = strstr(text, "00000000000000a2"), *third = strstr(text, "0000000b1");
    assert_true(second && third && second < third);
    fake_wait_refs(&tail);
    fake_free(&tail);
}

static void only_what_matches(void **state)
{
    (void)state;
    struct fake_request tail;
    begin(&tail, "limit=1&q=service:mes-api%20status:error");
    fixture_send_order(&fixture);
    while (fake_pull(&tail))
        ;
    assert_non_null(strstr(fake_text(&tail), "price.calculate"));
    assert_null(strstr(fake_text(&tail), "POST"));
    fake_wait_refs(&tail);
    fake_free(&tail);
}

/* What the store says was missed is told, before what comes next. */
static void missed_in_the_store(void **state)
{
    (void)state;
    struct fake_request tail;
    const struct fake_store_faults faults = {.missed_spans = 12};
    begin(&tail, "limit=3");
    fake_store_set_faults(fixture.store, &faults);
    pull_until(&tail, "{\"missed\":12}\n");
    fixture_send_order(&fixture);
    while (fake_pull(&tail))
        ;
    fake_wait_refs(&tail);
    fake_free(&tail);
}

/* Nobody reads: the memory is bounded, and the spans that found no place are counted: what came and
 * what was missed are together what was sent. */
static void a_slow_reader_misses_some(void **state)
{
    (void)state;
    struct fake_request tail;
    char body[70000];
    begin(&tail, NULL);
    memset(body, 'x', sizeof body);
    static char json[80000];
    snprintf(json, sizeof json,
             "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"" FIXTURE_TRACE
             "\",\"spanId\":\"00000000000000a1\",\"name\":\"n\",\"startTimeUnixNano\":"
             "\"1764071940000000000\",\"endTimeUnixNano\":\"1764071940000000000\",\"attributes\":[{"
             "\"key\":\"k\",\"value\":{\"stringValue\":\"%.60000s\"}}]}]}]}]}",
             body);
    for (int i = 0; i < 60; i++)
        fixture_send(&fixture, json);
    unsigned given = 0, missed = 0;
    /* One look that was under way, and one that began after the last of them had come. */
    for (uint64_t before = fake_store_follows(fixture.store);
         fake_store_follows(fixture.store) < before + 2;)
        usleep(1000);
    while (given + missed < 60) {
        assert_true(fake_pull(&tail));
        given = missed = 0;
        for (const char *at = fake_text(&tail); (at = strstr(at, "\"trace_id\"")); at++)
            given++;
        for (const char *at = fake_text(&tail); (at = strstr(at, "{\"missed\":")); at++)
            missed += (unsigned)atoi(at + 10);
    }
    assert_int_equal(given + missed, 60);
    assert_true(given > 0 && missed > 30);
    fake_cancel(&tail);
    fake_free(&tail);
}

static void it_ends_with_its_client_and_its_server(void **state)
{
    (void)state;
    struct fake_request tail;
    begin(&tail, NULL);
    pull_until(&tail, "\n");
    fake_cancel(&tail); /* returns when the job has let go */
    fake_free(&tail);
    begin(&tail, NULL);
    fg_api_drain(fixture.api);
    while (fake_pull(&tail))
        ;
    assert_int_equal(tail.broken, 0);
    fake_wait_refs(&tail);
    fake_free(&tail);
    assert_int_equal(fixture.api->tail_count, 0);
}

static void so_many_at_once(void **state)
{
    (void)state;
    static struct fake_request tails[FG_API_TAILS_MAX];
    for (size_t i = 0; i < FG_API_TAILS_MAX; i++)
        begin(&tails[i], NULL);
    assert_int_equal(fixture_get(&fixture, "/api/v1/tail", NULL), 429);
    for (size_t i = 0; i < FG_API_TAILS_MAX; i++) {
        fake_cancel(&tails[i]);
        fake_free(&tails[i]);
    }
    assert_int_equal(fixture.api->tail_count, 0);
}

static void refused(const char *query, const char *part)
{
    assert_int_equal(fixture_get(&fixture, "/api/v1/tail", query), 400);
    if (!strstr(fixture_text(&fixture), part))
        fail_msg("%s: %s", query, fixture_text(&fixture));
}

static void bad_requests(void **state)
{
    (void)state;
    refused("start=1h", "there are q, limit");
    refused("limit=0", "from 1 to 1000000");
    refused("q=(", "q: at byte");
    refused("q=name=~%22(%22", "q:");
    refused("q=trace.spans%3E3", "one span at a time");
    assert_int_equal(fixture.api->tail_count, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_comes_after),
        TEST(only_what_matches),
        TEST(missed_in_the_store),
        TEST(a_slow_reader_misses_some),
        TEST(it_ends_with_its_client_and_its_server),
        TEST(so_many_at_once),
        TEST(bad_requests),
    };
    return cmocka_run_group_tests_name("tail", tests, NULL, NULL);
}
