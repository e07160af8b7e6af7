#include "api_fixture.h"

#include "base/limits.h"
#include "os/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t wall_ns(struct fg_env *env)
{
    (void)env;
    return FIXTURE_NOW_NS;
}

static uint64_t mono_ns(struct fg_env *env)
{
    (void)env;
    return fg_env_mono_ns(fg_env_real());
}

static const struct fg_env_ops ops = {.wall_ns = wall_ns, .mono_ns = mono_ns};
static struct fg_env env = {&ops};

void fixture_begin(struct fixture *fixture)
{
    struct fg_api_options options = {
        .env = &env,
        .loop_count = 1,
        .worker_count = 2,
        .body_size_max = FG_REQUEST_BODY_SIZE_MAX,
        .inflated_size_max = FG_REQUEST_INFLATED_SIZE_MAX,
        .settings = {.value_size_max = FG_ATTR_VALUE_SIZE_MAX,
                     .attributes_max = FG_ATTRS_MAX,
                     .events_max = FG_EVENTS_MAX,
                     .links_max = FG_LINKS_MAX,
                     .retention_age_ns = 30 * FG_NS_PER_DAY,
                     .span_age_ns_max = 30 * FG_NS_PER_DAY,
                     .price_per_gb_month = 0.5},
    };
    *fixture = (struct fixture){.store = fake_store_new()};
    assert_int_equal(fg_api_new(&options, &fixture->api), 0);
    fg_api_attach_store(fixture->api, fixture->store);
}

static void forget_last(struct fixture *fixture)
{
    if (fixture->has_last)
        fake_free(&fixture->last);
    fixture->has_last = false;
}

void fixture_end(struct fixture *fixture)
{
    forget_last(fixture);
    fg_api_free(fixture->api);
    fake_store_free(fixture->store);
}

unsigned fixture_get(struct fixture *fixture, const char *path, const char *query)
{
    forget_last(fixture);
    fake_init(&fixture->last, FG_METHOD_GET, path, query, FG_FACE_API);
    fixture->has_last = true;
    fake_run(&fixture->last, fixture->api);
    return fixture->last.status;
}

unsigned fixture_post(struct fixture *fixture, const char *path, const char *content_type,
                      struct fg_slice body, int face)
{
    forget_last(fixture);
    fake_init(&fixture->last, FG_METHOD_POST, path, NULL, face);
    fake_body(&fixture->last, content_type, body);
    fixture->last.request.received_ns = FIXTURE_NOW_NS;
    fixture->has_last = true;
    fake_run(&fixture->last, fixture->api);
    return fixture->last.status;
}

const char *fixture_text(struct fixture *fixture)
{
    return fake_text(&fixture->last);
}

json_t *fixture_json(struct fixture *fixture)
{
    json_error_t error;
    json_t *root = json_loads(fixture_text(fixture), 0, &error);
    if (!root)
        fail_msg("no JSON: %s in %s", error.text, fixture_text(fixture));
    return root;
}

void fixture_answers(struct fixture *fixture, const char *path, const char *query, unsigned status,
                     const char *golden)
{
    char *text = strdup(golden);
    json_error_t error;
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *expected = json_loads(text, 0, &error);
    if (!expected)
        fail_msg("the golden answer: %s at %d", error.text, error.position);
    assert_int_equal(fixture_get(fixture, path, query), status);
    assert_string_equal(fixture->last.content_type, "application/json");
    json_t *got = fixture_json(fixture);
    if (!json_equal(got, expected))
        fail_msg("%s?%s: %s\nexpected %s", path, query ? query : "", fixture_text(fixture), text);
    json_decref(got);
    json_decref(expected);
    free(text);
}

void fixture_send(struct fixture *fixture, const char *json)
{
    assert_int_equal(fixture_post(fixture, "/v1/traces", "application/json",
                                  fg_slice_from_string(json), FG_FACE_OTLP_HTTP),
                     200);
    assert_string_equal(fixture_text(fixture), "{}");
}

/* Starts at 1764071940 s, a minute before now. */
#define SPAN(id, parent, name, kind, start_ms, end_ms, rest)                                       \
    "{\"traceId\":\"" FIXTURE_TRACE "\",\"spanId\":\"" id "\",\"parentSpanId\":\"" parent          \
    "\",\"name\":\"" name "\",\"kind\":" kind ",\"startTimeUnixNano\":\"1764071940" start_ms       \
    "000000\",\"endTimeUnixNano\":\"1764071940" end_ms "000000\"" rest "}"

void fixture_send_order(struct fixture *fixture)
{
    fixture_send(
        fixture,
        "{\"resourceSpans\":["
        "{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
        "\"shop-api\"}},{\"key\":\"host.name\",\"value\":{\"stringValue\":\"web-1\"}}]},"
        "\"scopeSpans\":[{\"scope\":{\"name\":\"http\",\"version\":\"1.2\"},\"spans\":[" SPAN(
            "00000000000000a1", "", "POST /orders", "2", "000", "300",
            ",\"attributes\":[{\"key\":\"order.id\",\"value\":{\"stringValue\":\"ORD-4711\"}},"
            "{\"key\":\"http.response.status_code\",\"value\":{\"intValue\":\"201\"}},"
            "{\"key\":\"order.total\",\"value\":{\"doubleValue\":129.5}},"
            "{\"key\":\"retry\",\"value\":{\"boolValue\":false}}]") "," SPAN("00000000000000a2",
                                                                             "00000000000000a1",
                                                                             "POST mes", "3", "020",
                                                                             "270",
                                                                             "") "]}]},"
                                                                                 "{\"resource\":{"
                                                                                 "\"attributes\":[{"
                                                                                 "\"key\":"
                                                                                 "\"service.name\","
                                                                                 "\"value\":{"
                                                                                 "\"stringValue\":"
                                                                                 "\"mes-api\"}}]},"
                                                                                 "\"scopeSpans\":[{"
                                                                                 "\"spans\":[" SPAN(
                                                                                     "0000000000000"
                                                                                     "0b1",
                                                                                     "0000000000000"
                                                                                     "0a2",
                                                                                     "price."
                                                                                     "calculate",
                                                                                     "2", "040",
                                                                                     "240",
                                                                                     ",\"status\":{"
                                                                                     "\"code\":2,"
                                                                                     "\"message\":"
                                                                                     "\"no "
                                                                                     "model\"},"
                                                                                     "\"events\":[{"
                                                                                     "\"timeUnixNan"
                                                                                     "o\":"
                                                                                     "\"17640719400"
                                                                                     "60000000\","
                                                                                     "\"name\":"
                                                                                     "\"exception\""
                                                                                     ","
                                                                                     "\"attributes"
                                                                                     "\":[{\"key\":"
                                                                                     "\"exception."
                                                                                     "type\","
                                                                                     "\"value\":{"
                                                                                     "\"stringValue"
                                                                                     "\":"
                                                                                     "\"ModelMissin"
                                                                                     "g\"}}]}],"
                                                                                     "\"links\":[{"
                                                                                     "\"traceId\":"
                                                                                     "\"00000000000"
                                                                                     "0000000000000"
                                                                                     "000000ff\","
                                                                                     "\"spanId\":"
                                                                                     "\"00000000000"
                                                                                     "000c1\"}]") "]}]}]}");
}
