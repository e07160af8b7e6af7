/* Zipkin's read API against golden answers, written from zipkin-api (zipkin2-api.yaml) and
 * openzipkin/zipkin (ZipkinQueryApiV2, QueryRequest). */
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

static void refused(const char *path, const char *query, unsigned status, const char *part)
{
    assert_int_equal(fixture_get(&fixture, path, query), status);
    assert_string_equal(fixture.last.content_type, "text/plain; charset=utf-8");
    if (!strstr(fixture_text(&fixture), part))
        fail_msg("%s?%s: %s", path, query ? query : "", fixture_text(&fixture));
}

#define TRACE                                                                                      \
    "[{'traceId':'" FIXTURE_TRACE "','id':'00000000000000a1','kind':'SERVER','name':"              \
    "'POST /orders','timestamp':1764071940000000,'duration':300000,'tags':{'order.id':"            \
    "'ORD-4711','http.response.status_code':'201','order.total':'129.5','retry':'false',"          \
    "'otel.scope.name':'http','otel.scope.version':'1.2','host.name':'web-1'},"                    \
    "'localEndpoint':{'serviceName':'shop-api'}},"                                                 \
    "{'traceId':'" FIXTURE_TRACE "','parentId':'00000000000000a1','id':'00000000000000a2',"        \
    "'kind':'CLIENT','name':'POST mes','timestamp':1764071940020000,'duration':250000,'tags':{"    \
    "'otel.scope.name':'http','otel.scope.version':'1.2','host.name':'web-1'},"                    \
    "'localEndpoint':{'serviceName':'shop-api'}},"                                                 \
    "{'traceId':'" FIXTURE_TRACE "','parentId':'00000000000000a2','id':'00000000000000b1',"        \
    "'kind':'SERVER','name':'price.calculate','timestamp':1764071940040000,'duration':200000,"     \
    "'tags':{'otel.status_code':'ERROR','error':'no model'},'annotations':[{'timestamp':"          \
    "1764071940060000,'value':'\\\"exception\\\":{\\\"exception.type\\\":\\\"ModelMissing\\\"}'}]" \
    ","                                                                                            \
    "'localEndpoint':{'serviceName':'mes-api'}}]"

static void one_trace(void **state)
{
    (void)state;
    answers("/api/v2/trace/" FIXTURE_TRACE, NULL, TRACE);
    refused("/api/v2/trace/12", NULL, 404, "not found");
    refused("/api/v2/trace/xyz", NULL, 400, "lower-hex");
}

static void several_by_id(void **state)
{
    (void)state;
    answers("/api/v2/traceMany", "traceIds=12," FIXTURE_TRACE, "[" TRACE "]");
    answers("/api/v2/traceMany", "traceIds=12,13", "[]");
    refused("/api/v2/traceMany", NULL, 400, "traceIds parameter is empty");
    refused("/api/v2/traceMany", "traceIds=1,zz", 400, "lower-hex");
}

static void finds(const char *query, bool found)
{
    answers("/api/v2/traces", query, found ? "[" TRACE "]" : "[]");
}

static void searches(void **state)
{
    (void)state;
    finds(NULL, true);
    finds("serviceName=mes-api", true);
    finds("serviceName=nobody", false);
    finds("serviceName=all&spanName=all", true);
    finds("serviceName=mes-api&spanName=price.calculate", true);
    finds("serviceName=mes-api&spanName=POST+mes", false);
    finds("annotationQuery=order.id%3DORD-4711", true);
    finds("annotationQuery=http.response.status_code=201+and+retry=false", true);
    finds("annotationQuery=http.response.status_code=201+and+retry=true", false);
    finds("annotationQuery=error", true);
    finds("serviceName=shop-api&annotationQuery=error", false);
    finds("annotationQuery=error=no+model", true);
    finds("annotationQuery=exception+and+error", true); /* an annotation and a tag */
    finds("annotationQuery=order.total", true);
    finds("annotationQuery=order.totals", false);
    finds("minDuration=300000", true);
    finds("minDuration=300001", false);
    finds("minDuration=1&maxDuration=200000", true);
    finds("minDuration=1&maxDuration=199999", false);
    finds("endTs=1764071940000&lookback=1000", true);
    finds("endTs=1764071939999", false);
    finds("endTs=1764072000000&lookback=1000", false);
    finds("remoteServiceName=mes-api", false); /* nobody said peer.service */
    finds("limit=1&unknown=1", true);
}

static void bad_searches(void **state)
{
    (void)state;
    refused("/api/v2/traces", "limit=0", 400, "limit <= 0");
    refused("/api/v2/traces", "limit=ten", 400, "limit: 'ten'");
    refused("/api/v2/traces", "endTs=yesterday", 400, "endTs: 'yesterday'");
    refused("/api/v2/traces", "endTs=99999999999999999999", 400, "endTs");
    refused("/api/v2/traces", "lookback=-1", 400, "lookback");
    refused("/api/v2/traces", "maxDuration=5", 400, "only valid with minDuration");
    refused("/api/v2/traces", "minDuration=6&maxDuration=5", 400, "maxDuration < minDuration");
    refused("/api/v2/spans", NULL, 400, "serviceName is required");
    refused("/api/v2/remoteServices", NULL, 400, "serviceName is required");
    refused("/api/v2/dependencies", NULL, 400, "endTs is required");
    refused("/api/v2/autocompleteValues", NULL, 400, "key is required");
}

static void lists(void **state)
{
    (void)state;
    answers("/api/v2/services", NULL, "['mes-api','shop-api']");
    answers("/api/v2/spans", "serviceName=shop-api", "['POST /orders','POST mes']");
    answers("/api/v2/spans", "serviceName=nobody", "[]");
    answers("/api/v2/remoteServices", "serviceName=shop-api", "['mes-api']");
    answers("/api/v2/remoteServices", "serviceName=mes-api", "[]");
    answers("/api/v2/dependencies", "endTs=1764072000000&lookback=3600000",
            "[{'parent':'shop-api','child':'mes-api','callCount':1,'errorCount':1}]");
    answers("/api/v2/dependencies", "endTs=1764068400000", "[]");
    answers("/api/v2/autocompleteKeys", NULL,
            "['http.response.status_code','order.id','order.total','retry']");
    answers("/api/v2/autocompleteValues", "key=order.id", "['ORD-4711']");
    answers("/api/v2/autocompleteValues", "key=nothing", "[]");
}

/* What Zipkin's own clients sent comes back as they sent it. */
static void what_was_sent_comes_back(void **state)
{
    (void)state;
    static const char body[] =
        "[{\"traceId\":\"00000000000000cc\",\"id\":\"00000000000000c1\",\"kind\":\"CLIENT\","
        "\"name\":\"get\",\"timestamp\":1764071950000000,\"duration\":1431,"
        "\"localEndpoint\":{\"serviceName\":\"front\",\"ipv4\":\"192.168.99.1\",\"port\":3306},"
        "\"remoteEndpoint\":{\"serviceName\":\"back\",\"ipv6\":\"2001:db8::1\",\"port\":80},"
        "\"annotations\":[{\"timestamp\":1764071950000010,\"value\":\"retried\"}],"
        "\"tags\":{\"http.method\":\"GET\",\"error\":\"timeout\"}},"
        "{\"traceId\":\"00000000000000cc\",\"id\":\"00000000000000c1\",\"kind\":\"SERVER\","
        "\"name\":\"get\",\"timestamp\":1764071950000020,\"duration\":900,\"shared\":true,"
        "\"localEndpoint\":{\"serviceName\":\"back\"}}]";
    assert_int_equal(fixture_post(&fixture, "/api/v2/spans", "application/json",
                                  fg_slice_from_string(body), FG_FACE_API),
                     202);
    answers(
        "/api/v2/trace/cc", NULL,
        "[{'traceId':'00000000000000cc','id':'00000000000000c1','kind':'CLIENT','name':'get',"
        "'timestamp':1764071950000000,'duration':1431,'localEndpoint':{'serviceName':'front',"
        "'ipv4':'192.168.99.1','port':3306},'remoteEndpoint':{'serviceName':'back','ipv6':"
        "'2001:db8::1','port':80},'annotations':[{'timestamp':1764071950000010,'value':"
        "'retried'}],'tags':{'http.method':'GET','otel.status_code':'ERROR','error':'timeout'}},"
        "{'traceId':'00000000000000cc','id':'00000000000000c1','kind':'SERVER','name':'get',"
        "'timestamp':1764071950000020,'duration':900,'shared':true,'tags':{"
        "'filigree.marks':'[\\\"shared\\\"]'},'localEndpoint':{'serviceName':'back'}}]");
    answers("/api/v2/traces", "remoteServiceName=nobody", "[]");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_trace),    TEST(several_by_id), TEST(searches),
        TEST(bad_searches), TEST(lists),         TEST(what_was_sent_comes_back),
    };
    return cmocka_run_group_tests_name("zipkin", tests, NULL, NULL);
}
