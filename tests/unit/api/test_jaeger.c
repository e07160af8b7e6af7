/* Jaeger's routes against golden answers, written from jaegertracing/jaeger (jaegerquery:
 * http_handler.go, query_parser.go, uimodel) and from what its UI reads (jaeger-ui: model,
 * reducers/metrics.ts). Compared as JSON, so that the order of keys does not matter. */
#include "api_fixture.h"

#include "jaeger_params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fixture fixture;

static void begin(void)
{
    fixture_begin(&fixture);
    fixture_send_order(&fixture);
}

static void end(void)
{
    fixture_end(&fixture);
}

static void answers(const char *path, const char *query, unsigned status, const char *golden)
{
    fixture_answers(&fixture, path, query, status, golden);
}

#define ENVELOPE(data, total, errors)                                                              \
    "{'data':" data ",'total':" total ",'limit':0,'offset':0,'errors':" errors "}"

#define REFUSED(code, msg) ENVELOPE("null", "0", "[{'code':" code ",'msg':'" msg "'}]")

/* -- Traces
 * ----------------------------------------------------------------------------------------
 */

#define ID                    FIXTURE_TRACE
#define TAG(key, type, value) "{'key':'" key "','type':'" type "','value':" value "}"

#define TRACE                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    \
    "{'traceID':'" ID "','warnings':null,'spans':["                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              \
    "{'traceID':'" ID "','spanID':'00000000000000a1','flags':0,'operationName':'POST /orders',"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  \
    "'references':[],'startTime':1764071940000000,'duration':300000,'tags':[" TAG(                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                               \
        "otel.scope.name", "string", "'http'") "," TAG("otel.scope.version", "string", "'1.2'") "," TAG("span.kind",                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             \
                                                                                                        "string",                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                \
                                                                                                        "'server'") "," TAG("order.id", "string", "'ORD-4711'") "," TAG("http.response.status_code",                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             \
                                                                                                                                                                        "int64", "201") "," TAG("order.total", "float64", "129.5") "," TAG("retry", "bool", "false") "],'logs':[],'processID':'p1','warnings':null},"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            \
                                                                                                                                                                                                                                                                     "{'traceID':'" ID                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           \
                                                                                                                                                                                                                                                                     "','spanID':'00000000000000a2','flags':0,'operationName':'POST mes',"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       \
                                                                                                                                                                                                                                                                     "'references':[{'refType':'CHILD_OF','traceID':'" ID                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        \
                                                                                                                                                                                                                                                                     "','spanID':'00000000000000a1'}],"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          \
                                                                                                                                                                                                                                                                     "'startTime':1764071940020000,'duration':250000,'tags':[" TAG("otel.scope.name",                                                                                                                                                                                                                                                                                                                                                                                                                                                                            \
                                                                                                                                                                                                                                                                                                                                   "string", "'http'") "," TAG("otel.scope.version", "string", "'1.2'") "," TAG("span.kind",                                                                                                                                                                                                                                                                                                                                                                                                     \
                                                                                                                                                                                                                                                                                                                                                                                                                "string", "'client'") "],'logs':[],'processID':'p1','warnings':null},"                                                                                                                                                                                                                                                                                                                                           \
                                                                                                                                                                                                                                                                                                                                                                                                                                      "{'traceID':'" ID                                                                                                                                                                                                                                                                                                                                                                          \
                                                                                                                                                                                                                                                                                                                                                                                                                                      "','spanID':'00000000000000b1','flags':0,'operationName':'price.calculate',"                                                                                                                                                                                                                                                                                                               \
                                                                                                                                                                                                                                                                                                                                                                                                                                      "'references':[{'refType':'CHILD_OF','traceID':'" ID                                                                                                                                                                                                                                                                                                                                       \
                                                                                                                                                                                                                                                                                                                                                                                                                                      "','spanID':'00000000000000a2'},"                                                                                                                                                                                                                                                                                                                                                          \
                                                                                                                                                                                                                                                                                                                                                                                                                                      "{'refType':'FOLLOWS_FROM','traceID':'000000000000000000000000000000ff','spanID':"                                                                                                                                                                                                                                                                                                         \
                                                                                                                                                                                                                                                                                                                                                                                                                                      "'00000000000000c1'}],'startTime':1764071940040000,'duration':200000,'tags':[" TAG("span.kind",                                                                                                                                                                                                                                                                                            \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                         "string", "'server'") "," TAG("otel.status_code",                                                                                                                                                                                                                                                       \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       "string", "'ERROR'") "," TAG("error",                                                                                                                                                                                                                                     \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    "bool", "true") "," TAG("otel.status_description",                                                                                                                                                                                           \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            "string",                                                                                                                                                                                                            \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            "'no model'") "],'logs':[{'timestamp':1764071940060000,'fields':[" TAG("event", "string", "'exception'") "," TAG("exception.type",                                                                                   \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             "string", "'ModelMissing'") "]}],'processID':'p2','warnings':null}],"                               \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                         "'processes':{'p1':{'serviceName':'shop-api','tags':[" TAG("host.name", \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    "string",    \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    "'web-1'") "]},'p2':{'serviceName':'mes-api','tags':[]}}}"

static void test_trace(void **state)
{
    (void)state;
    begin();
    answers("/api/traces/" ID, NULL, 200, ENVELOPE("[" TRACE "]", "0", "null"));
    answers("/api/traces/AF7651916CD43DD8448EB211C80319C", NULL, 200,
            ENVELOPE("[" TRACE "]", "0", "null"));
    answers("/api/traces/1", NULL, 404, REFUSED("404", "trace not found"));
    answers("/api/traces/0", NULL, 400,
            REFUSED("400", "a trace id is 16 or 32 hexadecimal digits, not all zero"));
    end();
}

static void test_search(void **state)
{
    (void)state;
    begin();
    answers("/api/traces", "service=shop-api", 200, ENVELOPE("[" TRACE "]", "0", "null"));
    answers("/api/traces", "service=shop-api&operation=POST%20mes&limit=5", 200,
            ENVELOPE("[" TRACE "]", "0", "null"));
    answers("/api/traces", "service=nobody", 200, ENVELOPE("[]", "0", "null"));
    answers("/api/traces", "traceID=" ID "&traceID=b", 200,
            ENVELOPE("[" TRACE "]", "0",
                     "[{'msg':'trace not found','traceID':'0000000000000000000000000000000b'}]"));
    end();
}

/* Whether the order's trace is found. */
static bool finds(const char *query)
{
    assert_int_equal(fixture_get(&fixture, "/api/traces", query), 200);
    return strstr(fixture_text(&fixture), "\"traceID\":\"" ID "\"") != NULL;
}

static void test_tags(void **state)
{
    (void)state;
    begin();
    /* A text finds what reads alike, whatever its type; in the span, its resource, its events. */
    assert_true(finds("service=shop-api&tag=order.id:ORD-4711"));
    assert_true(finds("service=shop-api&tag=http.response.status_code:201"));
    assert_true(finds("service=shop-api&tag=order.total:129.5"));
    assert_true(finds("service=shop-api&tag=retry:false"));
    assert_true(finds("service=shop-api&tag=host.name:web-1"));
    assert_true(finds("service=mes-api&tag=exception.type:ModelMissing"));
    assert_false(finds("service=shop-api&tag=order.id:ORD-471"));
    assert_false(finds("service=shop-api&tag=http.response.status_code:20"));
    assert_false(finds("service=shop-api&tag=retry:true"));
    /* What Jaeger makes tags of */
    assert_true(finds("service=mes-api&tag=error:true"));
    assert_false(finds("service=shop-api&tag=error:true"));
    assert_true(finds("service=mes-api&tag=otel.status_code:ERROR"));
    assert_false(finds("service=mes-api&tag=otel.status_code:OK"));
    assert_true(finds("service=mes-api&tag=otel.status_description:no+model"));
    assert_true(finds("service=shop-api&tag=span.kind:client&tag=otel.scope.name:http"));
    assert_true(finds("service=shop-api&tag=otel.library.version:1.2"));
    assert_false(finds("service=mes-api&tag=span.kind:client"));
    /* All of them on one span */
    assert_true(finds("service=shop-api&tags=%7B%22order.id%22%3A%22ORD-4711%22%2C%22retry%22%3A"
                      "%22false%22%7D"));
    assert_false(finds("service=shop-api&tag=order.id:ORD-4711&tag=span.kind:client"));
    /* A value with a colon is a value with a colon. */
    assert_false(finds("service=shop-api&tag=order.id:ORD:4711"));
    end();
}

static void test_durations_and_times(void **state)
{
    (void)state;
    begin();
    assert_true(finds("service=shop-api&minDuration=300ms&maxDuration=300ms"));
    assert_false(finds("service=shop-api&minDuration=300001us"));
    assert_false(finds("service=mes-api&maxDuration=0.1999s"));
    assert_true(finds("service=mes-api&minDuration=0&maxDuration=0.2s"));
    assert_true(finds("service=shop-api&start=1764071940000000&end=1764071940000001"));
    assert_false(finds("service=shop-api&start=1764071940020001"));
    assert_false(finds("service=shop-api&end=1764071940000000"));
    end();
}

static void test_refused_searches(void **state)
{
    (void)state;
    static const struct {
        const char *query, *msg;
    } cases[] = {
        {"", "parameter 'service' is required"},
        {"operation=x", "parameter 'service' is required"},
        {"service=a&limit=many", "unable to parse param 'limit': 'many' is no whole number"},
        {"service=a&start=now", "unable to parse param 'start': 'now' is no such integer"},
        {"service=a&end=99999999999999999999",
         "unable to parse param 'end': '99999999999999999999' is no such integer"},
        {"service=a&minDuration=5",
         "unable to parse param 'minDuration': '5' is no duration like 1.2s, 100ms or 500us"},
        {"service=a&minDuration=2s&maxDuration=1s",
         "'maxDuration' should be greater than 'minDuration'"},
        {"service=a&tag=x", "malformed 'tag' parameter, expecting key:value, received: x"},
        {"traceID=xyz", "cannot parse traceID param: 'xyz' is no trace id"},
    };
    begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(fixture_get(&fixture, "/api/traces", cases[i].query), 400);
        json_t *root = fixture_json(&fixture);
        json_t *error = json_array_get(json_object_get(root, "errors"), 0);
        assert_string_equal(json_string_value(json_object_get(error, "msg")), cases[i].msg);
        assert_int_equal(json_integer_value(json_object_get(error, "code")), 400);
        assert_true(json_is_null(json_object_get(root, "data")));
        json_decref(root);
    }
    static const char *const malformed[] = {"%7B", "%5B%5D", "%7B%22a%22%3A1%7D", "x"};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        char query[100];
        snprintf(query, sizeof query, "service=a&tags=%s", malformed[i]);
        assert_int_equal(fixture_get(&fixture, "/api/traces", query), 400);
        assert_non_null(strstr(fixture_text(&fixture), "malformed 'tags' parameter"));
    }
    end();
}

/* As Grafana's Jaeger data source asks (grafana/grafana, pkg/tsdb/jaeger): parameters by name, tags
 * as JSON of texts, no time in a search, and times in a look-up where its settings say so. */
static void test_as_grafana_asks(void **state)
{
    (void)state;
    begin();
    answers("/api/traces",
            "limit=20&maxDuration=1s&minDuration=100ms&operation=POST+%2Forders&service=shop-api&"
            "tags=%7B%22order.id%22%3A%22ORD-4711%22%2C%22retry%22%3A%22false%22%7D",
            200, ENVELOPE("[" TRACE "]", "0", "null"));
    answers("/api/traces/" ID, "end=1764072000000000&start=1764068400000000", 200,
            ENVELOPE("[" TRACE "]", "0", "null"));
    answers("/api/services", NULL, 200, ENVELOPE("['mes-api','shop-api']", "2", "null"));
    answers("/api/services/shop-api/operations", NULL, 200,
            ENVELOPE("['POST /orders','POST mes']", "2", "null"));
    answers("/api/dependencies", "endTs=1764072000000&lookback=3600000", 200,
            ENVELOPE("[{'parent':'shop-api','child':'mes-api','callCount':1}]", "0", "null"));
    end();
}

/* An answer that is not whole says so where Jaeger's UI shows it. */
static void test_partial(void **state)
{
    (void)state;
    begin();
    fake_store_set_faults(fixture.store, &(struct fake_store_faults){.damaged_pages = 1});
    answers("/api/traces", "service=shop-api", 200,
            ENVELOPE("[" TRACE "]", "0",
                     "[{'msg':'a part of the store is damaged; spans may be missing'}]"));
    fake_store_set_faults(fixture.store, &(struct fake_store_faults){.read = FG_EIO});
    assert_int_equal(fixture_get(&fixture, "/api/traces", "service=shop-api"), 503);
    assert_non_null(strstr(fixture_text(&fixture),
                           "{\"code\":503,\"msg\":\"can't search traces: "
                           "the disk failed; the server's log says more\"}"));
    end();
}

/* -- Lists
 * ----------------------------------------------------------------------------------------
 */

static void test_services(void **state)
{
    (void)state;
    begin();
    answers("/api/services", NULL, 200, ENVELOPE("['mes-api','shop-api']", "2", "null"));
    answers("/api/services/shop-api/operations", NULL, 200,
            ENVELOPE("['POST /orders','POST mes']", "2", "null"));
    answers("/api/services/nobody/operations", NULL, 200, ENVELOPE("[]", "0", "null"));
    answers("/api/operations", "service=shop-api", 200,
            ENVELOPE("[{'name':'POST /orders','spanKind':'server'},"
                     "{'name':'POST mes','spanKind':'client'}]",
                     "2", "null"));
    answers("/api/operations", "service=shop-api&spanKind=client", 200,
            ENVELOPE("[{'name':'POST mes','spanKind':'client'}]", "1", "null"));
    assert_int_equal(fixture_get(&fixture, "/api/operations", NULL), 400);
    assert_non_null(strstr(fixture_text(&fixture), "parameter 'service' is required"));
    end();
}

static void test_service_name_in_the_path_is_decoded(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    fixture_send(&fixture,
                 "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
                 "\"value\":{\"stringValue\":\"a b/c\"}}]},\"scopeSpans\":[{\"spans\":[{"
                 "\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"00f067aa0ba902b7\","
                 "\"name\":\"op\",\"startTimeUnixNano\":\"1764071999000000000\","
                 "\"endTimeUnixNano\":\"1764071999500000000\"}]}]}]}");
    answers("/api/services/a%20b%2Fc/operations", NULL, 200, ENVELOPE("['op']", "1", "null"));
    end();
}

static void test_dependencies(void **state)
{
    (void)state;
    begin();
    answers("/api/dependencies", "endTs=1764072000000&lookback=3600000", 200,
            ENVELOPE("[{'parent':'shop-api','child':'mes-api','callCount':1}]", "0", "null"));
    answers("/api/dependencies", NULL, 200,
            ENVELOPE("[{'parent':'shop-api','child':'mes-api','callCount':1}]", "0", "null"));
    answers("/api/dependencies", "service=mes-api", 200,
            ENVELOPE("[{'parent':'shop-api','child':'mes-api','callCount':1}]", "0", "null"));
    answers("/api/dependencies", "service=nobody", 200, ENVELOPE("[]", "0", "null"));
    answers("/api/dependencies", "endTs=1764068400000", 200, ENVELOPE("[]", "0", "null"));
    assert_int_equal(fixture_get(&fixture, "/api/dependencies", "lookback=1h"), 400);
    assert_non_null(strstr(fixture_text(&fixture), "unable to parse param 'lookback'"));
    end();
}

/* -- Metrics
 * --------------------------------------------------------------------------------------
 */

#define WINDOW "service=mes-api&endTs=1764072000000&lookback=120000&step=60000&ratePer=120000"
#define POINT(minute, value)                                                                       \
    "{'gaugeValue':{'doubleValue':" value "},'timestamp':'2025-11-25T" minute ":00.000Z'}"
#define FAMILY(name, help, labels, a, b, c)                                                        \
    "{'name':'" name "','type':'GAUGE','help':'" help "','metrics':[{'labels':[" labels            \
    "{'name':'service_name','value':'mes-api'}],'metricPoints':[" POINT("11:58", a) "," POINT(     \
        "11:59", b) "," POINT("12:00", c) "]}]}"

static void test_metrics(void **state)
{
    (void)state;
    begin();
    /* One call within two minutes */
    answers("/api/metrics/calls", WINDOW, 200,
            FAMILY("service_call_rate", "calls/sec, grouped by service", "", "0", "0",
                   "0.008333333333333333"));
    answers("/api/metrics/errors", WINDOW, 200,
            FAMILY("service_error_rate",
                   "error rate, computed as a fraction of errors/sec over calls/sec, grouped by "
                   "service",
                   "", "'NaN'", "'NaN'", "1"));
    answers("/api/metrics/calls", WINDOW "&groupByOperation=true", 200,
            FAMILY("service_operation_call_rate", "calls/sec, grouped by service & operation",
                   "{'name':'operation','value':'price.calculate'},", "0", "0",
                   "0.008333333333333333"));
    /* Kinds as its UI sends them, in any case, and with OpenTelemetry's prefix. */
    static const char *const clients[] = {"client", "CLIENT", "SPAN_KIND_CLIENT"};
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        char query[300];
        snprintf(query, sizeof query, WINDOW "&spanKind=%s", clients[i]);
        answers("/api/metrics/calls", query, 200,
                "{'name':'service_call_rate','type':'GAUGE','help':'calls/sec, grouped by "
                "service','metrics':[]}");
        strcat(query, "&spanKind=server");
        answers("/api/metrics/calls", query, 200,
                FAMILY("service_call_rate", "calls/sec, grouped by service", "", "0", "0",
                       "0.008333333333333333"));
    }
    answers("/api/metrics/minstep", NULL, 200, ENVELOPE("60000", "0", "null"));
    end();
}

static void test_latencies(void **state)
{
    (void)state;
    begin();
    assert_int_equal(fixture_get(&fixture, "/api/metrics/latencies", WINDOW "&quantile=0.95"), 200);
    json_t *root = fixture_json(&fixture);
    assert_string_equal(json_string_value(json_object_get(root, "name")), "service_latencies");
    assert_string_equal(json_string_value(json_object_get(root, "help")),
                        "0.95th quantile latency, grouped by service");
    json_t *metric = json_array_get(json_object_get(root, "metrics"), 0);
    json_t *points = json_object_get(metric, "metricPoints");
    assert_int_equal(json_array_size(points), 3);
    json_t *last = json_object_get(json_array_get(points, 2), "gaugeValue");
    double ms = json_number_value(json_object_get(last, "doubleValue"));
    assert_true(ms > 190 && ms < 210); /* 200 ms, as far as buckets tell */
    json_decref(root);
    end();
}

static void test_refused_metrics(void **state)
{
    (void)state;
    static const struct {
        const char *path, *query, *msg;
    } cases[] = {
        {"/api/metrics/calls", NULL,
         "unable to parse param 'service': please provide at least one service name"},
        {"/api/metrics/latencies", "service=a", "unable to parse param 'quantile': ''"},
        {"/api/metrics/latencies", "service=a&quantile=1.5", "unable to parse param 'quantile'"},
        {"/api/metrics/latencies", "service=a&quantile=nan", "unable to parse param 'quantile'"},
        {"/api/metrics/calls", "service=a&spanKind=page", "'page' is an unsupported span kind"},
        {"/api/metrics/calls", "service=a&groupByOperation=yes",
         "unable to parse param 'groupByOperation'"},
        {"/api/metrics/calls", "service=a&step=0", "step and ratePer must be at least 1"},
        {"/api/metrics/calls", "service=a&step=1", "more than 11000 points"},
        {"/api/metrics/calls", "service=a&step=18446744073709", "ask for a longer step"},
    };
    begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(fixture_get(&fixture, cases[i].path, cases[i].query), 400);
        if (!strstr(fixture_text(&fixture), cases[i].msg))
            fail_msg("%s?%s: %s", cases[i].path, cases[i].query, fixture_text(&fixture));
    }
    end();
}

/* -- Go's durations
 * ------------------------------------------------------------------------------
 */

static void test_go_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        {"0", 0},
        {"5ns", 5},
        {"1us", 1000},
        {"1\xc2\xb5s", 1000},
        {"100ms", 100000000},
        {"1.5s", 1500000000},
        {".5s", 500000000},
        {"1.s", 1000000000},
        {"2m", 120000000000},
        {"1h30m", 5400000000000},
        {"1h2m3.004s", 3723004000000},
        {"0.1234567891234s", 123456789},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t ns = 7;
        assert_int_equal(fg_go_duration_parse(fg_slice_from_string(good[i].text), &ns), 0);
        assert_int_equal(ns, good[i].ns);
    }
    static const char *const bad[] = {"", "1", "s", ".s", "-1s", "1d", "1s2", "1 s", "1e3s", "x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t ns = 7;
        assert_int_equal(fg_go_duration_parse(fg_slice_from_string(bad[i]), &ns), FG_EINVALID);
        assert_int_equal(ns, 7);
    }
    uint64_t ns;
    assert_int_equal(fg_go_duration_parse(FG_SLICE("99999999999h"), &ns), FG_ELIMIT);
    assert_int_equal(fg_go_duration_parse(FG_SLICE("99999999999999999999999s"), &ns), FG_ELIMIT);
    assert_int_equal(fg_go_duration_parse(FG_SLICE("5000000h5000000h"), &ns), FG_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_durations_and_times),
        cmocka_unit_test(test_refused_searches),
        cmocka_unit_test(test_as_grafana_asks),
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_service_name_in_the_path_is_decoded),
        cmocka_unit_test(test_dependencies),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_latencies),
        cmocka_unit_test(test_refused_metrics),
        cmocka_unit_test(test_go_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
