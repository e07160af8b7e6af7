/* The native routes: traces, lists, statistics, exports, administration, and what they say when the
 * store has nothing, too much or an error. */
#include "api_fixture.h"

#include "base/limits.h"
#include "state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fixture fixture;

static const char *text_at(const json_t *root, const char *name)
{
    return json_string_value(json_object_get(root, name));
}

static json_int_t count_at(const json_t *root, const char *name)
{
    return json_integer_value(json_object_get(root, name));
}

static json_t *get(const char *path, const char *query, unsigned status)
{
    if (fixture_get(&fixture, path, query) != status)
        fail_msg("%s?%s: %u: %s", path, query ? query : "", fixture.last.status,
                 fixture_text(&fixture));
    return fixture_json(&fixture);
}

static void refused(const char *path, const char *query, unsigned status, const char *word)
{
    json_t *root = get(path, query, status);
    if (!strstr(text_at(root, "error"), word))
        fail_msg("%s?%s: %s", path, query ? query : "", fixture_text(&fixture));
    json_decref(root);
}

static const json_t *first_span(const json_t *trace, size_t resource)
{
    const json_t *group = json_array_get(json_object_get(trace, "resourceSpans"), resource);
    const json_t *scope = json_array_get(json_object_get(group, "scopeSpans"), 0);
    return json_array_get(json_object_get(scope, "spans"), 0);
}

/* -- One trace
 * -----------------------------------------------------------------------------------
 */

static void test_trace(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    fixture_send_order(&fixture);
    json_t *root = get("/api/v1/traces/" FIXTURE_TRACE, NULL, 200);
    assert_int_equal(json_array_size(json_object_get(root, "resourceSpans")), 2);
    const json_t *span = first_span(root, 0);
    assert_string_equal(text_at(span, "traceId"), FIXTURE_TRACE);
    assert_string_equal(text_at(span, "name"), "POST /orders");
    assert_string_equal(text_at(span, "startTimeUnixNano"), "1764071940000000000");
    json_decref(root);
    refused("/api/v1/traces/1", NULL, 404, "trace not found");
    refused("/api/v1/traces/0", NULL, 400, "16 or 32 hexadecimal digits");
    refused("/api/v1/traces/%20", NULL, 400, "16 or 32 hexadecimal digits");
    fake_store_set_faults(fixture.store, &(struct fake_store_faults){.read = FG_EIO});
    refused("/api/v1/traces/" FIXTURE_TRACE, NULL, 503, "the disk failed");
    fixture_end(&fixture);
}

/* Many spans of one trace: more than any part of an answer holds. */
static void test_large_trace(void **state)
{
    (void)state;
    enum { REQUESTS = 40, SPANS = 200 };
    fixture_begin(&fixture);
    struct fg_buffer body;
    fg_buffer_init(&body, 1 << 20);
    for (int i = 0; i < REQUESTS; i++) {
        fg_buffer_reset(&body);
        fg_buffer_append_string(&body, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[");
        for (int k = 0; k < SPANS; k++)
            fg_buffer_append_format(&body,
                                    "%s{\"traceId\":\"" FIXTURE_TRACE
                                    "\",\"spanId\":\"%016x\",\"name\":\"a\","
                                    "\"startTimeUnixNano\":\"1764071940000000000\"}",
                                    k ? "," : "", i * SPANS + k + 1);
        fg_buffer_append_string(&body, "]}]}]}");
        fg_buffer_append_byte(&body, 0);
        fixture_send(&fixture, (const char *)body.data);
    }
    fg_buffer_free(&body);
    json_t *root = get("/api/v1/traces/" FIXTURE_TRACE, NULL, 200);
    assert_true(fixture.last.answer.size > 4 * FG_PULL_SIZE);
    assert_true(fixture.last.pull_size_max <= FG_PULL_SIZE_MAX);
    assert_int_equal(fixture.last.broken, 0);
    const json_t *group = json_array_get(json_object_get(root, "resourceSpans"), 0);
    const json_t *scope = json_array_get(json_object_get(group, "scopeSpans"), 0);
    assert_int_equal(json_array_size(json_object_get(scope, "spans")), REQUESTS * SPANS);
    json_decref(root);
    assert_int_equal(atomic_load(&fixture.api->read_bytes), 0); /* given back */
    fixture_end(&fixture);
}

/* -- Lists
 * ---------------------------------------------------------------------------------------
 */

static void send_one(unsigned number, uint64_t start_s)
{
    char json[600];
    snprintf(json, sizeof json,
             "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
             "\"value\":{\"stringValue\":\"s%u\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":"
             "\"%032x\",\"spanId\":\"00f067aa0ba902b7\",\"name\":\"n\",\"startTimeUnixNano\":"
             "\"%llu000000000\",\"endTimeUnixNano\":\"%llu500000000\"}]}]}]}",
             number % 3, number, (unsigned long long)start_s, (unsigned long long)start_s);
    fixture_send(&fixture, json);
}

static void test_pages(void **state)
{
    (void)state;
    enum { TRACES = 25 };
    fixture_begin(&fixture);
    for (unsigned i = 0; i < TRACES; i++)
        send_one(i + 1, 1764070000 + (i * 7) % TRACES);
    char query[200] = "limit=4";
    char last[33] = "";
    unsigned seen = 0;
    uint64_t before_ns = UINT64_MAX;
    for (;;) {
        json_t *root = get("/api/v1/traces", query, 200);
        json_t *traces = json_object_get(root, "traces");
        for (size_t i = 0; i < json_array_size(traces); i++, seen++) {
            const json_t *trace = json_array_get(traces, i);
            uint64_t start_ns = strtoull(text_at(trace, "start_ns"), NULL, 10);
            assert_true(start_ns <= before_ns);
            assert_string_not_equal(text_at(trace, "trace_id"), last);
            before_ns = start_ns;
            snprintf(last, sizeof last, "%s", text_at(trace, "trace_id"));
        }
        assert_true(json_is_false(json_object_get(root, "partial")));
        const char *next = text_at(root, "next");
        if (next)
            snprintf(query, sizeof query, "limit=4&cursor=%s", next);
        json_decref(root);
        if (!next)
            break;
    }
    assert_int_equal(seen, TRACES);
    fixture_end(&fixture);
}

static void test_list_conditions(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    for (unsigned i = 1; i <= 9; i++)
        send_one(i, 1764070000 + i);
    static const struct {
        const char *query;
        size_t count;
    } cases[] = {
        {NULL, 9},
        {"service=s1", 3},
        {"service=s1&name=n", 3},
        {"name=m", 0},
        {"start=1764070005", 5},
        {"end=1764070005", 4},
        {"start=2025-11-25T11:26:45Z&end=2025-11-25T11:26:47Z", 2},
        {"q=service:s2", 3},
        {"q=service:s2+or+service:s1", 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *root = get("/api/v1/traces", cases[i].query, 200);
        size_t count = json_array_size(json_object_get(root, "traces"));
        if (count != cases[i].count)
            fail_msg("%s: %zu", cases[i].query, count);
        json_decref(root);
    }
    fixture_end(&fixture);
}

static void test_refused_lists(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    refused("/api/v1/traces", "limit=0", 400, "whole number from 1 to 1000");
    refused("/api/v1/traces", "limit=1001", 400, "whole number from 1 to 1000");
    refused("/api/v1/traces", "limit=99999999999999999999", 400, "whole number from 1 to 1000");
    refused("/api/v1/traces", "limit=-1", 400, "whole number from 1 to 1000");
    refused("/api/v1/traces", "start=soon", 400, "'soon' is no moment");
    refused("/api/v1/traces", "start=5&end=5", 400, "end must come after start");
    refused("/api/v1/traces", "cursor=abc", 400, "what the last page gave");
    refused("/api/v1/traces", "sevrice=a", 400, "there is no parameter 'sevrice' here");
    refused("/api/v1/services", "from=1", 400, "there is no parameter 'from' here");
    refused("/api/v1/export", "end=never", 400, "'never' is no moment");
    fixture_end(&fixture);
}

static void test_partial_list(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    fixture_send_order(&fixture);
    fake_store_set_faults(fixture.store, &(struct fake_store_faults){.damaged_pages = 2});
    json_t *root = get("/api/v1/traces", NULL, 200);
    assert_true(json_is_true(json_object_get(root, "partial")));
    assert_string_equal(text_at(root, "partial_reason"), "damage");
    json_decref(root);
    fixture_end(&fixture);
}

static void test_services(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    fixture_send_order(&fixture);
    json_t *root = get("/api/v1/services", NULL, 200);
    const json_t *services = json_object_get(root, "services");
    assert_int_equal(json_array_size(services), 2);
    const json_t *shop = json_array_get(services, 0), *mes = json_array_get(services, 1);
    assert_string_equal(text_at(shop, "service"), "shop-api");
    assert_int_equal(count_at(shop, "span_count"), 2);
    assert_int_equal(count_at(shop, "error_count"), 0);
    assert_int_equal(count_at(mes, "error_count"), 1);
    double p99_ns = (double)count_at(mes, "p99_ns");
    assert_true(p99_ns > 190e6 && p99_ns < 210e6);
    assert_int_equal(count_at(root, "uncounted"), 0);
    json_decref(root);
    root = get("/api/v1/services", "end=2025-11-25T11:00:00Z", 200);
    assert_int_equal(json_array_size(json_object_get(root, "services")), 0);
    json_decref(root);
    root = get("/api/v1/services/mes-api/operations", NULL, 200);
    const json_t *operation = json_array_get(json_object_get(root, "operations"), 0);
    assert_string_equal(text_at(operation, "name"), "price.calculate");
    assert_string_equal(text_at(operation, "kind"), "server");
    json_decref(root);
    fixture_end(&fixture);
}

/* -- Statistics: of the fake store's segments 30 kB are yesterday's and 18 kB today's, at noon
 * -----------------------------------------------------------------------------------------
 */

static json_t *forecast_with(uint64_t retention_age_ns, uint64_t retention_size_max,
                             uint64_t free_bytes)
{
    const struct fg_store_counters counters = {
        .segment_bytes = 48000, .segment_spans = 1000, .disk_free_bytes = free_bytes};
    const struct fg_api_settings settings = {.value_size_max = 1000,
                                             .attributes_max = 10,
                                             .events_max = 10,
                                             .links_max = 10,
                                             .retention_age_ns = retention_age_ns,
                                             .retention_size_max = retention_size_max,
                                             .price_per_gb_month = 1e6};
    fake_store_set_counters(fixture.store, &counters);
    assert_int_equal(fg_api_configure(fixture.api, &settings), 0);
    json_t *root = get("/api/v1/stats", NULL, 200);
    json_t *forecast = json_incref(json_object_get(root, "forecast"));
    json_decref(root);
    return forecast;
}

static void test_forecast(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    /* A day and a half from the first start till now: 32 kB a day. */
    json_t *forecast = forecast_with(0, 0, 320000);
    assert_int_equal(count_at(forecast, "bytes_per_day"), 32000);
    assert_true(json_number_value(json_object_get(forecast, "window_days")) == 1.5);
    assert_true(json_number_value(json_object_get(forecast, "days_left")) == 10);
    assert_string_equal(text_at(forecast, "limited_by"), "disk");
    assert_int_equal(count_at(forecast, "full_bytes"), 368000);
    assert_true(json_number_value(json_object_get(forecast, "cost_per_month")) == 48);
    json_decref(forecast);
    /* retention-size comes first. */
    forecast = forecast_with(0, 80000, 320000);
    assert_true(json_number_value(json_object_get(forecast, "days_left")) == 1);
    assert_string_equal(text_at(forecast, "limited_by"), "retention-size");
    assert_int_equal(count_at(forecast, "full_bytes"), 80000);
    json_decref(forecast);
    /* retention-age deletes as much as comes, before anything is full. */
    forecast = forecast_with(2 * FG_NS_PER_DAY, 0, 320000);
    assert_true(json_is_null(json_object_get(forecast, "days_left")));
    assert_int_equal(count_at(forecast, "full_bytes"), 64000);
    assert_true(json_number_value(json_object_get(forecast, "full_cost_per_month")) == 64);
    json_decref(forecast);
    /* Over it already */
    forecast = forecast_with(0, 1000, 320000);
    assert_true(json_number_value(json_object_get(forecast, "days_left")) == 0);
    json_decref(forecast);
    fixture_end(&fixture);
}

static void test_stats(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    fixture_send_order(&fixture);
    json_t *root = get("/api/v1/stats", NULL, 200);
    const json_t *days = json_object_get(root, "days");
    assert_int_equal(json_array_size(days), 2);
    assert_string_equal(text_at(json_array_get(days, 0), "day"), "2025-11-25");
    assert_int_equal(count_at(json_array_get(days, 0), "bytes"), 18000);
    assert_int_equal(count_at(json_array_get(days, 0), "segments"), 2);
    const json_t *keys = json_object_get(root, "keys");
    assert_int_equal(json_array_size(keys), 3);
    const json_t *order = json_array_get(keys, 1);
    assert_string_equal(text_at(order, "of"), "span");
    assert_string_equal(text_at(order, "key"), "order.id");
    assert_int_equal(count_at(order, "bytes"), 12000); /* of both days */
    assert_true(json_number_value(json_object_get(order, "share")) == 0.25);
    assert_int_equal(count_at(order, "bytes_per_day"), 8000);
    const json_t *shop = json_array_get(json_object_get(root, "services"), 0);
    assert_string_equal(text_at(shop, "service"), "shop-api");
    assert_int_equal(count_at(shop, "bytes_per_day"), 21333); /* two thirds of the spans */
    json_decref(root);
    fixture_end(&fixture);
}

/* What was refused stands there with its reason, and how long spans are kept. */
static void test_stats_of_ingest(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    fixture_send_order(&fixture);
    fixture_post(&fixture, "/v1/traces", "application/json", FG_SLICE("{\"resourceSpans\":"),
                 FG_FACE_API);
    fixture_post(&fixture, "/v1/traces", "application/json",
                 FG_SLICE("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"
                          "\"00000000000000000000000000000000\",\"spanId\":\"01\"}]}]}]}"),
                 FG_FACE_API);
    json_t *root = get("/api/v1/stats", NULL, 200);
    const json_t *ingest = json_object_get(root, "ingest");
    assert_int_equal(count_at(json_object_get(ingest, "spans"), "otlp_http_json"), 3);
    assert_int_equal(count_at(json_object_get(ingest, "refused_requests"), "malformed"), 1);
    json_int_t rejected = 0;
    const char *reason;
    json_t *count;
    json_object_foreach(json_object_get(ingest, "rejected_spans"), reason, count) rejected +=
        json_integer_value(count);
    assert_int_equal(rejected, 1);
    assert_int_equal(count_at(ingest, "redacted_attributes"), 0);
    assert_string_equal(text_at(root, "ready"), "yes");
    assert_non_null(json_object_get(json_object_get(root, "retention"), "age_days"));
    assert_non_null(json_object_get(json_object_get(root, "store"), "merges"));
    json_decref(root);
    fixture_end(&fixture);
}

/* -- Export
 * --------------------------------------------------------------------------------------
 */

static void test_export(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    assert_int_equal(fixture_get(&fixture, "/api/v1/export", NULL), 200);
    assert_int_equal(fixture.last.answer.size, 0);
    fixture_send_order(&fixture);
    send_one(7, 1764070000);
    assert_int_equal(fixture_get(&fixture, "/api/v1/export", NULL), 200);
    assert_string_equal(fixture.last.content_type, "application/jsonl");
    const char *text = fixture_text(&fixture);
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_non_null(strstr(text, "price.calculate"));
    assert_non_null(strstr(text, "\"s1\""));
    assert_int_equal(fixture_get(&fixture, "/api/v1/export", "service=mes-api"), 200);
    assert_null(strstr(fixture_text(&fixture), "POST /orders"));
    json_t *line = fixture_json(&fixture); /* one line is one request */
    assert_string_equal(text_at(first_span(line, 0), "name"), "price.calculate");
    json_decref(line);
    assert_int_equal(fixture_get(&fixture, "/api/v1/export", "start=1764071000&service=s1"), 200);
    assert_int_equal(fixture.last.answer.size, 0);
    fake_store_set_faults(fixture.store, &(struct fake_store_faults){.read = FG_ECORRUPT});
    refused("/api/v1/export", NULL, 500, "can't export spans");
    fixture_end(&fixture);
}

/* -- Administration
 * ------------------------------------------------------------------------------
 */

static unsigned post(const char *path, const char *body)
{
    return fixture_post(&fixture, path, "application/json", fg_slice_from_string(body),
                        FG_FACE_API);
}

static void test_seal_and_merge(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    fake_store_set_counters(
        fixture.store,
        &(struct fg_store_counters){.segment_count = 2, .segment_bytes = 30, .segment_spans = 5});
    static const char *const paths[] = {"/api/v1/admin/seal", "/api/v1/admin/merge"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(post(paths[i], ""), 200);
        assert_string_equal(fixture_text(&fixture),
                            "{\"segments\":2,\"segment_bytes\":30,\"segment_spans\":5}");
        fake_store_set_faults(fixture.store, &(struct fake_store_faults){.admin = FG_ENOSPACE});
        assert_int_equal(post(paths[i], ""), 503);
        assert_non_null(strstr(fixture_text(&fixture), "the disk is full"));
        fake_store_set_faults(fixture.store, &(struct fake_store_faults){0});
    }
    fixture_end(&fixture);
}

static void test_backup(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    fake_store_set_faults(fixture.store, &(struct fake_store_faults){.backup_steps = 2});
    assert_int_equal(post("/api/v1/admin/backup", "{\"path\": \"/b\"}"), 200);
    assert_string_equal(fixture_text(&fixture),
                        "{\"done_bytes\":100,\"total_bytes\":200}\n"
                        "{\"done_bytes\":200,\"total_bytes\":200}\n"
                        "{\"done\":true,\"done_bytes\":200,\"total_bytes\":200}\n");
    /* It fails before it began: a status of its own. Later: a line. */
    fake_store_set_faults(fixture.store, &(struct fake_store_faults){.admin = FG_EEXIST});
    assert_int_equal(post("/api/v1/admin/backup", "{\"path\": \"/b\"}"), 409);
    assert_non_null(strstr(fixture_text(&fixture), "/b is not empty"));
    fake_store_set_faults(fixture.store,
                          &(struct fake_store_faults){.admin = FG_ENOSPACE, .backup_steps = 1});
    assert_int_equal(post("/api/v1/admin/backup", "{\"path\": \"/b\"}"), 200);
    assert_string_equal(fixture_text(&fixture), "{\"done_bytes\":100,\"total_bytes\":100}\n"
                                                "{\"error\":\"can't write /b: no space\"}\n");
    static const char *const wrong[] = {"{}", "{\"path\": \"\"}", "{\"path\": \"rel\"}",
                                        "{\"path\": 7}", "{\"path\": \"/a\\u0000b\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(post("/api/v1/admin/backup", wrong[i]), 400);
    fixture_end(&fixture);
}

static void test_erase(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *answer;
    } cases[] = {
        {"{\"trace_id\": \"" FIXTURE_TRACE "\"}", "{\"erased_spans\":3}"},
        {"{\"trace_id\": \"1\"}", "{\"erased_spans\":0}"},
        {"{\"key\": \"order.id\", \"value\": \"ORD-4711\"}", "{\"erased_spans\":1}"},
        {"{\"key\": \"order.id\", \"value\": 4711}", "{\"erased_spans\":0}"},
        {"{\"key\": \"http.response.status_code\", \"value\": 201}", "{\"erased_spans\":1}"},
        {"{\"key\": \"http.response.status_code\", \"value\": \"201\"}", "{\"erased_spans\":0}"},
        {"{\"key\": \"order.total\", \"value\": 129.5}", "{\"erased_spans\":1}"},
        {"{\"key\": \"retry\", \"value\": false}", "{\"erased_spans\":1}"},
        {"{\"key\": \"host.name\", \"value\": \"web-1\"}", "{\"erased_spans\":2}"},
        {"{\"key\": \"exception.type\", \"value\": \"ModelMissing\"}", "{\"erased_spans\":1}"},
    };
    fixture_begin(&fixture);
    fixture_send_order(&fixture);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(post("/api/v1/admin/erase", cases[i].body), 200);
        if (strcmp(fixture_text(&fixture), cases[i].answer) != 0)
            fail_msg("%s: %s", cases[i].body, fixture_text(&fixture));
    }
    fixture_end(&fixture);
}

static void test_refused_erasures(void **state)
{
    (void)state;
    static const struct {
        const char *body, *word;
    } cases[] = {
        {"", "no JSON"},
        {"[]", "must be a JSON object"},
        {"{}", "name what to erase"},
        {"{\"trace\": \"1\"}", "'trace' is unknown"},
        {"{\"trace_id\": \"x\"}", "16 or 32 hexadecimal digits"},
        {"{\"trace_id\": 1}", "16 or 32 hexadecimal digits"},
        {"{\"trace_id\": \"1\", \"key\": \"a\"}", "either trace_id, or key and value"},
        {"{\"key\": \"a\"}", "name what to erase"},
        {"{\"value\": \"a\"}", "name what to erase"},
        {"{\"key\": \"a\", \"value\": null}", "name what to erase"},
        {"{\"key\": \"a\", \"value\": [1]}", "name what to erase"},
        {"{\"key\": \"\", \"value\": \"a\"}", "name what to erase"},
        {"{\"key\": \"a\", \"value\": \"a\", \"whole_traces\": 1}", "expected true or false"},
        {"{\"key\": \"a\", \"key\": \"b\", \"value\": \"a\"}", "no JSON"},
    };
    fixture_begin(&fixture);
    uint64_t reads = fake_store_reads(fixture.store);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(post("/api/v1/admin/erase", cases[i].body), 400);
        if (!strstr(fixture_text(&fixture), cases[i].word))
            fail_msg("%s: %s", cases[i].body, fixture_text(&fixture));
    }
    assert_int_equal(fake_store_reads(fixture.store), reads); /* none of them reached it */
    fixture_end(&fixture);
}

/* -- Clients that go
 * -----------------------------------------------------------------------------
 */

static void test_clients_that_go(void **state)
{
    (void)state;
    static const char *const paths[] = {"/api/v1/traces/" FIXTURE_TRACE, "/api/v1/traces",
                                        "/api/v1/export", "/api/traces/" FIXTURE_TRACE};
    fixture_begin(&fixture);
    fixture_send_order(&fixture);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        for (int pulls = 0; pulls < 2; pulls++) {
            struct fake_request fake;
            fake_init(&fake, FG_METHOD_GET, paths[i], NULL, FG_FACE_API);
            fake_begin(&fake, fixture.api);
            for (int k = 0; k < pulls; k++)
                fake_pull(&fake);
            fake_cancel(&fake);
            fake_free(&fake);
        }
    }
    assert_int_equal(atomic_load(&fixture.api->read_bytes), 0);
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_large_trace),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_list_conditions),
        cmocka_unit_test(test_refused_lists),
        cmocka_unit_test(test_partial_list),
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_forecast),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_stats_of_ingest),
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_seal_and_merge),
        cmocka_unit_test(test_backup),
        cmocka_unit_test(test_erase),
        cmocka_unit_test(test_refused_erasures),
        cmocka_unit_test(test_clients_that_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
