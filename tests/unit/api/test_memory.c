/* Memory that runs out refuses the one request: each of its allocations fails once, the request is
 * answered all the same, nothing is lost or freed twice, and the next request goes well. */
#include "api_fixture.h"

#include "base/limits.h"
#include "fail_alloc.h"
#include "state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* More than any of these requests allocates. */
#define ALLOCATIONS_MAX 20000u

static struct fixture fixture;

struct ask {
    enum fg_method method;
    const char *path, *query, *content_type, *body;
    int face;
    const char *part; /* of a good answer, where the rest of it may differ */
};

struct answer {
    unsigned status;
    int broken; /* the answer was cut */
    char *body; /* freed by free() */
};

/* Makes the nth allocation fail, 0: none; returns whether it did. */
static bool run(const struct ask *ask, uint64_t n, struct answer *ret_answer)
{
    struct fake_request fake;
    fake_init(&fake, ask->method, ask->path, ask->query, ask->face);
    if (ask->body)
        fake_body(&fake, ask->content_type, fg_slice_from_string(ask->body));
    fake.request.received_ns = FIXTURE_NOW_NS;
    if (n)
        fail_alloc_at(n, false);
    fake_run(&fake, fixture.api);
    bool had_failed = fail_alloc_off();
    /* The memory that failed may be where the test keeps the body. */
    ret_answer->broken = fake.broken ? fake.broken : fake.answer.error;
    ret_answer->status = fake.status;
    ret_answer->body = fake.answer.error ? strdup("") : strdup(fake_text(&fake));
    fake_free(&fake);
    return n && had_failed;
}

/* What a request may come to that lacks memory: refused with a reason, an answer that is cut, or
 * the whole answer where it did without; never one that differs. */
static bool is_fair(const struct ask *ask, const struct answer *answer, const struct answer *good)
{
    if (answer->broken < 0 || answer->status == 503 || answer->status == 413)
        return true;
    if (answer->status != good->status)
        return false;
    return ask->part ? strstr(answer->body, ask->part) != NULL
                     : strcmp(answer->body, good->body) == 0;
}

static void each_allocation_fails(const struct ask *ask, unsigned status_good)
{
    struct answer good, answer;
    uint64_t refused = 0, n = 1;
    run(ask, 0, &good);
    assert_int_equal(good.status, status_good);
    for (bool had_failed = true; had_failed && n < ALLOCATIONS_MAX; n++) {
        had_failed = run(ask, n, &answer);
        if (!is_fair(ask, &answer, &good))
            fail_msg("%s, allocation %llu: %u %s", ask->path, (unsigned long long)n, answer.status,
                     answer.body);
        refused += answer.status != status_good || answer.broken < 0;
        free(answer.body);
        run(ask, 0, &answer);
        if (answer.status != status_good || !is_fair(ask, &answer, &good))
            fail_msg("%s, after allocation %llu: %u", ask->path, (unsigned long long)n,
                     answer.status);
        free(answer.body);
    }
    free(good.body);
    assert_true(n > 2 && n < ALLOCATIONS_MAX);
    assert_true(refused > 0); /* the test reaches what it is about */
    assert_int_equal(atomic_load(&fixture.api->read_bytes), 0);
}

static const char span_json[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
    "\"stringValue\":\"s\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":"
    "\"000000000000000000000000000000aa\",\"spanId\":\"00f067aa0ba902b7\",\"name\":\"a\xff\","
    "\"startTimeUnixNano\":\"1764071999000000000\",\"attributes\":[{\"key\":\"k\",\"value\":{"
    "\"arrayValue\":{\"values\":[{\"intValue\":1}]}}}]},{\"traceId\":\"00\",\"spanId\":\"01\"}"
    "]}]}]}";

static void test_spans_in(void **state)
{
    (void)state;
    char body[sizeof span_json];
    memcpy(body, span_json, sizeof body);
    *strchr(body, '\xff') = 'b'; /* JSON has no ill-formed text */
    const struct ask otlp = {.method = FG_METHOD_POST,
                             .path = "/v1/traces",
                             .content_type = "application/json",
                             .body = body,
                             .face = FG_FACE_OTLP_HTTP,
                             .part = "{\"rejectedSpans\":\"1\",\"errorMessage\":"};
    const struct ask zipkin = {.method = FG_METHOD_POST,
                               .path = "/api/v2/spans",
                               .content_type = "application/json",
                               .body = "[{\"traceId\":\"a5e\",\"id\":\"1\",\"name\":\"get\","
                                       "\"timestamp\":1764071999000000,\"tags\":{\"a\":\"b\"}}]",
                               .face = FG_FACE_API};
    fixture_begin(&fixture);
    each_allocation_fails(&otlp, 200);
    each_allocation_fails(&zipkin, 202);
    fixture_end(&fixture);
}

static void test_answers(void **state)
{
    (void)state;
    static const struct ask asks[] = {
        {.path = "/api/v1/traces/" FIXTURE_TRACE, .face = FG_FACE_API},
        {.path = "/api/v1/traces", .query = "q=order.id=ORD-4711", .face = FG_FACE_API},
        {.path = "/api/v1/export", .query = "service=mes-api", .face = FG_FACE_API},
        {.path = "/api/v1/services", .face = FG_FACE_API},
        {.path = "/api/v1/services/mes-api/operations", .face = FG_FACE_API},
        {.path = "/api/v1/stats", .face = FG_FACE_API},
        {.path = "/api/traces/" FIXTURE_TRACE, .face = FG_FACE_API},
        {.path = "/api/traces", .query = "service=mes-api&tag=error:true", .face = FG_FACE_API},
        {.path = "/api/traces",
         .query = "traceID=" FIXTURE_TRACE "&traceID=9",
         .face = FG_FACE_API},
        {.path = "/api/services", .face = FG_FACE_API},
        {.path = "/api/operations", .query = "service=shop-api", .face = FG_FACE_API},
        {.path = "/api/dependencies", .face = FG_FACE_API},
        {.path = "/api/metrics/latencies",
         .query = "service=mes-api&quantile=0.5&step=60000",
         .face = FG_FACE_API},
        {.path = "/metrics", .face = FG_FACE_API, .part = "filigree_ready 1\n"},
    };
    fixture_begin(&fixture);
    fixture_send_order(&fixture);
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
        each_allocation_fails(&asks[i], 200);
    fixture_end(&fixture);
}

static void test_administration(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body;
    } posts[] = {
        {"/api/v1/admin/seal", ""},
        {"/api/v1/admin/backup", "{\"path\":\"/b\"}"},
        {"/api/v1/admin/erase", "{\"key\":\"order.id\",\"value\":\"x\"}"},
    };
    fixture_begin(&fixture);
    fixture_send_order(&fixture);
    for (size_t i = 0; i < sizeof posts / sizeof *posts; i++) {
        const struct ask ask = {.method = FG_METHOD_POST,
                                .path = posts[i].path,
                                .content_type = "application/json",
                                .body = posts[i].body,
                                .face = FG_FACE_API};
        each_allocation_fails(&ask, 200);
    }
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_in),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_administration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
