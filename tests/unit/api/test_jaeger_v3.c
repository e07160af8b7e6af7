/* Jaeger's newer routes against golden answers, written from jaegertracing/jaeger (jaegerquery:
 * apiv3 and its snapshots), and the requests that its UI makes (jaeger-ui: api/v3/client.ts). */
#include "api_fixture.h"

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
    fixture_send_order(&fixture);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_end(&fixture);
    return 0;
}

static void answers(const char *path, const char *query, const char *golden)
{
    fixture_answers(&fixture, path, query, 200, golden);
}

static void refused(const char *path, const char *query, unsigned status, const char *message)
{
    json_t *root;
    assert_int_equal(fixture_get(&fixture, path, query), status);
    root = fixture_json(&fixture);
    json_t *error = json_object_get(root, "error");
    assert_int_equal(json_integer_value(json_object_get(error, "httpCode")), status);
    const char *said = json_string_value(json_object_get(error, "message"));
    if (!said || !strstr(said, message))
        fail_msg("%s?%s: %s", path, query ? query : "", fixture_text(&fixture));
    json_decref(root);
}

#define TEXT(key, value) "{'key':'" key "','value':{'stringValue':'" value "'}}"
#define RESOURCE(attrs)  "'resource':{'attributes':[" attrs "]}"
#define SHOP             RESOURCE(TEXT("service.name", "shop-api") "," TEXT("host.name", "web-1"))
#define MES              RESOURCE(TEXT("service.name", "mes-api"))
#define SPAN(id, parent, name, kind, start, end, rest)                                             \
    "{'traceId':'" FIXTURE_TRACE "','spanId':'" id "'," parent "'name':'" name "','kind':" kind    \
    ",'startTimeUnixNano':'1764071940" start "000000','endTimeUnixNano':'1764071940" end           \
    "000000'" rest "}"
#define PARENT(id) "'parentSpanId':'" id "',"
#define TRACE                                                                                      \
    "{'result':{'resourceSpans':[{" SHOP ",'scopeSpans':[{'scope':{'name':'http','version':"       \
    "'1.2'},'spans':[" SPAN(                                                                       \
        "00000000000000a1", "", "POST /orders", "2", "000", "300",                                 \
        ",'attributes':[" TEXT(                                                                    \
            "order.id",                                                                            \
            "ORD-4711") ",{'key':'http.response.status_code',"                                     \
                        "'value':{'intValue':'201'}},{'key':'order.total','value':{'doubleValue':" \
                        "129.5}},{'key':"                                                          \
                        "'retry','value':{'boolValue':false}}]") "," SPAN("00000000000000a2",      \
                                                                          PARENT(                  \
                                                                              "00000000000000a1"), \
                                                                          "POST mes", "3", "020",  \
                                                                          "270",                   \
                                                                          "") "]}]},{" MES         \
                                                                              ",'scopeSpans':[{'"  \
                                                                              "scope':{},'spans':" \
                                                                              "[" SPAN(            \
                                                                                  "00000000000000" \
                                                                                  "b1",            \
                                                                                  PARENT(          \
                                                                                      "0000000000" \
                                                                                      "0000a2"),   \
                                                                                  "price."         \
                                                                                  "calculate",     \
                                                                                  "2", "040",      \
                                                                                  "240",           \
                                                                                  ",'events':[{'"  \
                                                                                  "timeUnixNano':" \
                                                                                  "'1764071940060" \
                                                                                  "000000','name'" \
                                                                                  ":'exception','" \
                                                                                  "attributes':"   \
                                                                                  "[" TEXT(        \
                                                                                      "exception." \
                                                                                      "type",      \
                                                                                      "ModelMissi" \
                                                                                      "ng") "]}]," \
                                                                                            "'lin" \
                                                                                            "ks':" \
                                                                                            "[{'"  \
                                                                                            "trac" \
                                                                                            "eId'" \
                                                                                            ":"    \
                                                                                            "'000" \
                                                                                            "0000" \
                                                                                            "0000" \
                                                                                            "0000" \
                                                                                            "0000" \
                                                                                            "0000" \
                                                                                            "0000" \
                                                                                            "000f" \
                                                                                            "f','" \
                                                                                            "span" \
                                                                                            "Id':" \
                                                                                            "'000" \
                                                                                            "0000" \
                                                                                            "0000" \
                                                                                            "000c" \
                                                                                            "1'}]" \
                                                                                            ",'"   \
                                                                                            "stat" \
                                                                                            "us':" \
                                                                                            "{'"   \
                                                                                            "mess" \
                                                                                            "age'" \
                                                                                            ":"    \
                                                                                            "'no " \
                                                                                            "mode" \
                                                                                            "l','" \
                                                                                            "code" \
                                                                                            "':"   \
                                                                                            "2}") "]}]}]}}"

#define WINDOW                                                                                     \
    "query.startTimeMin=2025-11-25T11:00:00.5Z&query.startTimeMax=2025-11-25T12:00:00.123456789Z"

static void one_trace(void **state)
{
    (void)state;
    answers("/api/v3/traces/" FIXTURE_TRACE, NULL, TRACE);
    answers("/api/v3/traces/" FIXTURE_TRACE,
            "startTime=2025-11-25T11:00:00Z&end_time=2025-11-25T12:00:00Z&rawTraces=true", TRACE);
    refused("/api/v3/traces/12", NULL, 404, "No traces found");
    refused("/api/v3/traces/xyz", NULL, 400, "malformed parameter trace_id");
    refused("/api/v3/traces/12", "startTime=yesterday", 400, "malformed parameter startTime");
    refused("/api/v3/traces/12", "raw_traces=perhaps", 400, "malformed parameter raw_traces");
}

static void finds(const char *query, bool found)
{
    char text[1000];
    snprintf(text, sizeof text, WINDOW "%s", query);
    if (found)
        answers("/api/v3/traces", text, TRACE);
    else
        refused("/api/v3/traces", text, 404, "No traces found");
}

static void searches(void **state)
{
    (void)state;
    finds("", true);
    finds("&query.serviceName=mes-api", true);
    finds("&query.service_name=nobody", false);
    finds("&query.serviceName=mes-api&query.operationName=price.calculate", true);
    finds("&query.service_name=mes-api&query.operation_name=POST+mes", false);
    finds("&query.durationMin=300ms", true);
    finds("&query.durationMin=0.3001s", false);
    finds("&query.duration_max=200ms&query.service_name=mes-api", true);
    finds("&query.attributes=%7B%22order.id%22:%22ORD-4711%22,%22retry%22:%22false%22%7D", true);
    finds("&query.attributes=%7B%22http.response.status_code%22:%22500%22%7D", false);
    finds("&query.attributes=%7B%22error%22:%22true%22%7D&query.searchDepth=5", true);
    finds("&query.num_traces=1000000000&query.rawTraces=1", true);
}

static void bad_searches(void **state)
{
    (void)state;
    static const struct {
        const char *query, *message;
    } cases[] = {
        {"", "query.startTimeMin and query.startTimeMax are required"},
        {"query.startTimeMin=2025-11-25T11:00:00Z", "are required"},
        {"query.start_time_min=now", "malformed parameter query.start_time_min: 'now'"},
        {"query.startTimeMin=1764071940", "malformed parameter query.startTimeMin"},
        {"query.startTimeMin=2025-11-25T12:00:00Z&query.startTimeMax=2025-11-25T12:00:00Z",
         "must be after"},
        {WINDOW "&query.searchDepth=-5", "malformed parameter query.searchDepth"},
        {WINDOW "&query.num_traces=many", "malformed parameter query.num_traces"},
        {WINDOW "&query.durationMin=5", "malformed parameter query.durationMin"},
        {WINDOW "&query.duration_max=x", "malformed parameter query.duration_max"},
        {WINDOW "&query.attributes=x", "malformed parameter query.attributes"},
        {WINDOW "&query.attributes=%7B%22a%22:1%7D", "malformed parameter query.attributes"},
        {WINDOW "&query.rawTraces=x", "malformed parameter query.rawTraces"},
        {WINDOW "&query.filter=%7B%7D", "query.filter is not supported"},
        {WINDOW "&query.pagination.pageToken=x", "query.pagination.pageToken is not supported"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refused("/api/v3/traces", cases[i].query, 400, cases[i].message);
        refused("/api/v3/trace-summaries", cases[i].query, 400, cases[i].message);
    }
}

#define SUMMARIES                                                                                  \
    "{'summaries':[{'traceId':'" FIXTURE_TRACE "','rootServiceName':'shop-api',"                   \
    "'rootOperationName':'POST /orders','minStartTimeUnixNano':'1764071940000000000',"             \
    "'maxEndTimeUnixNano':'1764071940300000000','spanCount':3,'errorSpanCount':1,"                 \
    "'orphanSpanCount':0,'services':[{'name':'shop-api','spanCount':2,'errorSpanCount':0},"        \
    "{'name':'mes-api','spanCount':1,'errorSpanCount':1}]}]}"

static void summaries(void **state)
{
    (void)state;
    answers("/api/v3/trace-summaries", WINDOW, SUMMARIES);
    answers("/api/v3/trace-summaries", WINDOW "&query.serviceName=nobody", "{'summaries':[]}");
    /* As its UI asks. */
    answers("/api/v3/trace-summaries",
            "query.service_name=shop-api&query.span_name=POST+%2Forders&query.start_time_min="
            "2025-11-25T11%3A00%3A00.000Z&query.start_time_max=2025-11-25T12%3A00%3A00.000Z&"
            "query.num_traces=20&query.duration_min=100ms&query.attributes=%7B%22order.id%22%3A%22"
            "ORD-4711%22%7D",
            SUMMARIES);
}

static void an_orphan_is_counted(void **state)
{
    (void)state;
    fixture_send(&fixture,
                 "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"
                 "\"000000000000000000000000000000dd\",\"spanId\":\"00000000000000d2\","
                 "\"parentSpanId\":\"00000000000000d1\",\"name\":\"n\",\"startTimeUnixNano\":"
                 "\"1764071950000000000\",\"endTimeUnixNano\":\"1764071950000000000\"}]}]}]}");
    answers("/api/v3/trace-summaries", WINDOW "&query.operationName=n",
            "{'summaries':[{'traceId':'000000000000000000000000000000dd','rootServiceName':'',"
            "'rootOperationName':'n','minStartTimeUnixNano':'1764071950000000000',"
            "'maxEndTimeUnixNano':'1764071950000000000','spanCount':1,'errorSpanCount':0,"
            "'orphanSpanCount':1,'services':[{'name':'','spanCount':1,'errorSpanCount':0}]}]}");
}

static void lists(void **state)
{
    (void)state;
    answers("/api/v3/services", NULL, "{'services':['mes-api','shop-api']}");
    answers("/api/v3/operations", "service=shop-api",
            "{'operations':[{'name':'POST /orders','spanKind':'server'},{'name':'POST mes',"
            "'spanKind':'client'}]}");
    answers("/api/v3/operations", "service=shop-api&span_kind=client",
            "{'operations':[{'name':'POST mes','spanKind':'client'}]}");
    answers("/api/v3/operations", "service=nobody", "{'operations':[]}");
    answers("/api/v3/dependencies", "startTime=2025-11-25T11:00:00Z&endTime=2025-11-25T12:00:00Z",
            "{'dependencies':[{'parent':'shop-api','child':'mes-api','callCount':'1'}]}");
    refused("/api/v3/operations", NULL, 400, "service is required");
    refused("/api/v3/dependencies", NULL, 400, "startTime and endTime are required");
    refused("/api/v3/dependencies", "startTime=x", 400, "malformed parameter startTime");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_trace),
        TEST(searches),
        TEST(bad_searches),
        TEST(summaries),
        TEST(an_orphan_is_counted),
        TEST(lists),
    };
    return cmocka_run_group_tests_name("jaeger_v3", tests, NULL, NULL);
}
