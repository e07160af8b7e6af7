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
        {WINDOW "&query.pagination.pageToken=x", "query.pagination.pageToken is not supported"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refused("/api/v3/traces", cases[i].query, 400, cases[i].message);
        refused("/api/v3/trace-summaries", cases[i].query, 400, cases[i].message);
    }
}

/* A filter as its JSON, with ' for ". */
static void write_filter(char *out, size_t size, const char *filter)
{
    size_t at = (size_t)snprintf(out, size, "%s&query.filter=", WINDOW);
    for (const char *c = filter; *c && at + 4 < size; c++)
        at +=
            (size_t)snprintf(out + at, size - at, "%%%02X", (unsigned char)(*c == '\'' ? '"' : *c));
}

#define ATTR(key)          "{'attr':{'key':'" key "'}}"
#define ATTR_OF(lvl, key)  "{'attr':{'key':'" key "','level':'" lvl "'}}"
#define FIELD(lvl, name)   "{'field':{'level':'" lvl "','name':'" name "'}}"
#define IS(value)          "{'scalar':{'value':'" value "'}}"
#define IS_A(type, value)  "{'scalar':{'value':'" value "','type':'" type "'}}"
#define CALL1(op, a)       "{'op':'" op "','args':[" a "]}"
#define CALL(op, a, b)     "{'op':'" op "','args':[" a "," b "]}"
#define ARG(call)          "{'call':" call "}"
#define LIST(type, values) "{'list':{'values':[" values "],'type':'" type "'}}"
#define SOME(lvl, call)    CALL("some", "{'nested':{'level':'" lvl "'}}", ARG(call))

static void filters(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        bool found;
    } cases[] = {
        {CALL("eq", ATTR("order.id"), IS("ORD-4711")), true},
        {CALL("eq", ATTR("order.id"), IS("ORD-4712")), false},
        /* what reads alike is equal where no type is stated, and only then */
        {CALL("eq", ATTR("http.response.status_code"), IS("201")), true},
        {CALL("eq", ATTR("http.response.status_code"), IS_A("int", "201")), true},
        {CALL("eq", ATTR("http.response.status_code"), IS_A("string", "201")), false},
        {CALL("eq", ATTR("retry"), IS("false")), true},
        {CALL("eq", ATTR("retry"), IS_A("bool", "true")), false},
        {CALL("eq", ATTR("order.total"), IS_A("double", "129.5")), true},
        /* a constant may stand first */
        {CALL("lt", IS("200"), ATTR("http.response.status_code")), true},
        {CALL("gt", IS("200"), ATTR("http.response.status_code")), false},
        {CALL("gte", ATTR("http.response.status_code"), IS("201")), true},
        {CALL("gt", ATTR("http.response.status_code"), IS("1000")), false},
        {CALL("lte", ATTR("order.total"), IS("129.5")), true},
        {CALL("gt", ATTR("order.id"), IS_A("string", "ORD-4")), true},
        /* levels */
        {CALL("eq", ATTR_OF("span", "order.id"), IS("ORD-4711")), true},
        {CALL("eq", ATTR_OF("resource", "order.id"), IS("ORD-4711")), false},
        {CALL("eq", ATTR_OF("resource", "host.name"), IS("web-1")), true},
        {CALL("eq", ATTR_OF("event", "exception.type"), IS("ModelMissing")), true},
        {CALL("eq", ATTR("exception.type"), IS("ModelMissing")), false},
        {CALL("eq", ATTR_OF("link", "exception.type"), IS("ModelMissing")), false},
        /* a comparison of what is not there is false; `not` alone turns that round */
        {CALL("ne", ATTR("order.id"), IS("ORD-1")), true},
        {CALL("ne", ATTR("order.id"), IS("ORD-4711")), false},
        {CALL("ne", ATTR("nothing"), IS("x")), false},
        {CALL1("not", ARG(CALL("eq", ATTR("nothing"), IS("x")))), true},
        {CALL("in", ATTR("order.id"), LIST("string", "'a','ORD-4711'")), true},
        {CALL("in", ATTR("order.id"), LIST("string", "'a'")), false},
        {CALL("not_in", ATTR("order.id"), LIST("string", "'a','b'")), true},
        {CALL("not_in", ATTR("order.id"), LIST("string", "'ORD-4711'")), false},
        {CALL("not_in", ATTR("nothing"), LIST("int", "'1'")), false},
        {CALL1("exists", ATTR("order.id")), true},
        {CALL1("exists", ATTR("nothing")), false},
        {CALL("regex", ATTR("order.id"), IS("4[67]11")), true},
        {CALL("regex", ATTR("order.id"), IS("9")), false},
        /* fields */
        {CALL("eq", FIELD("resource", "service"), IS("mes-api")), true},
        {CALL("in", FIELD("resource", "service"), LIST("", "'crm','mes-api'")), true},
        {CALL("eq", FIELD("span", "name"), IS("price.calculate")), true},
        {CALL("regex", FIELD("span", "name"), IS("calc")), true},
        {CALL("gt", FIELD("span", "name"), IS("zz")), false},
        {CALL("eq", FIELD("span", "kind"), IS("client")), true},
        {CALL("eq", FIELD("span", "kind"), IS("producer")), false},
        {CALL("ne", FIELD("span", "kind"), IS("server")), true},
        {CALL("eq", FIELD("span", "status"), IS("error")), true},
        {CALL("eq", FIELD("span", "status"), IS("ok")), false},
        {CALL("eq", FIELD("span", "statusMessage"), IS("no model")), true},
        {CALL("gte", FIELD("span", "duration"), IS("300ms")), true},
        {CALL("gt", FIELD("span", "duration"), IS("0.3s")), false},
        {CALL("gte", FIELD("span", "startTime"), IS("2025-11-25T11:59:00.04Z")), true},
        {CALL("gt", FIELD("span", "startTime"), IS("2025-11-25T11:59:00.04Z")), false},
        {CALL("eq", FIELD("span", "traceID"), IS(FIXTURE_TRACE)), true},
        {CALL("ne", FIELD("span", "traceID"), IS(FIXTURE_TRACE)), false},
        {CALL("eq", FIELD("span", "spanID"), IS("b1")), true},
        {CALL("eq", FIELD("span", "parentSpanID"), IS("00000000000000a2")), true},
        {CALL1("not", ARG(CALL1("exists", FIELD("span", "parentSpanID")))), true},
        {CALL("eq", FIELD("scope", "name"), IS("http")), true},
        {CALL("eq", FIELD("scope", "version"), IS("1.3")), false},
        {CALL("eq", FIELD("event", "name"), IS("exception")), true},
        /* together, on one span */
        {CALL("and", ARG(CALL("eq", FIELD("resource", "service"), IS("mes-api"))),
              ARG(CALL("eq", FIELD("span", "status"), IS("error")))),
         true},
        {CALL("and", ARG(CALL("eq", FIELD("resource", "service"), IS("shop-api"))),
              ARG(CALL("eq", FIELD("span", "status"), IS("error")))),
         false},
        {CALL("or", ARG(CALL("eq", FIELD("resource", "service"), IS("crm"))),
              ARG(CALL("eq", FIELD("span", "status"), IS("error")))),
         true},
        {SOME("event", CALL("eq", FIELD("event", "name"), IS("exception"))), true},
        {SOME("event", CALL("or", ARG(CALL1("exists", ATTR_OF("event", "x"))),
                            ARG(CALL("regex", ATTR_OF("event", "exception.type"), IS("^Model"))))),
         true},
        {SOME("link", CALL1("exists", ATTR_OF("link", "x"))), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[4000];
        write_filter(text, sizeof text, cases[i].filter);
        unsigned status = fixture_get(&fixture, "/api/v3/traces", text);
        if (status != (cases[i].found ? 200u : 404u))
            fail_msg("%s: %u %s", cases[i].filter, status, fixture_text(&fixture));
    }
}

static void bad_filters(void **state)
{
    (void)state;
    static const struct {
        const char *filter, *message;
    } cases[] = {
        {"{", "malformed parameter query.filter"},
        {"[]", "no JSON object"},
        {"{}", "unknown filter operator ''"},
        {CALL1("xor", ATTR("a")), "unknown filter operator 'xor'"},
        {CALL1("eq", ATTR("a")), "operator 'eq' takes 2 argument(s), got 1"},
        {CALL1("and", ARG(CALL1("exists", ATTR("a")))), "takes at least 2 argument(s)"},
        {CALL("and", ATTR("a"), ATTR("b")), "takes predicates as arguments"},
        {CALL("eq", ATTR("a"), ATTR("b")), "two references are not supported"},
        {CALL("eq", IS("a"), IS("b")), "takes a reference"},
        {CALL("eq", ATTR(""), IS("b")), "no key"},
        {CALL("eq", ATTR_OF("trace", "a"), IS("b")), "unknown filter level 'trace'"},
        {CALL("eq", FIELD("span", "endTime"), IS("b")), "span.endTime is unknown, or none"},
        {CALL("eq", "{'field':{'name':'x'}}", IS("b")), "needs a name and a level"},
        {CALL("eq", ATTR("a"), IS_A("int", "x")), "'x' is not the int it declares"},
        {CALL("eq", ATTR("a"), IS_A("int", "1.5")), "'1.5' is not the int it declares"},
        {CALL("eq", ATTR("a"), IS_A("date", "x")), "unknown filter value type 'date'"},
        {CALL("gt", ATTR("a"), IS_A("bool", "true")), "a bool has no order"},
        {CALL("gt", FIELD("span", "kind"), IS("server")), "no order"},
        {CALL("eq", FIELD("span", "kind"), IS("SERVER")), "'SERVER' is no value of that field"},
        {CALL("gt", FIELD("span", "duration"), IS("banana")), "'banana' is no value"},
        {CALL("gt", FIELD("span", "duration"), IS_A("int", "5")), "different kinds"},
        {CALL("eq", FIELD("span", "startTime"), IS("1764071940")), "is no value"},
        {CALL("eq", FIELD("span", "spanID"), IS("xyz")), "is no value"},
        {CALL("in", ATTR("a"), LIST("", "'1'")), "declares its element type"},
        {CALL("in", ATTR("a"), LIST("string", "")), "at least one element"},
        {CALL("in", ATTR("a"), IS("b")), "takes a list"},
        {CALL("in", ATTR("a"), LIST("int", "'1','x'")), "'x' is not the int"},
        {CALL("regex", FIELD("span", "duration"), IS("a")), "matches text"},
        {CALL("regex", ATTR("a"), IS("(")), "missing closing parenthesis"},
        {CALL("regex", ATTR("a"), ATTR("b")), "takes a constant string"},
        {SOME("span", CALL1("exists", ATTR("a"))), "quantifies over event or link"},
        {SOME("event", CALL1("exists", ATTR("a"))), "only the event"},
        {SOME("event", CALL("ne", FIELD("event", "name"), IS("a"))), "ne and not_in are not"},
        {SOME("event", CALL("and", ARG(CALL1("exists", ATTR_OF("event", "a"))),
                            ARG(CALL1("exists", ATTR_OF("event", "b"))))),
         "several conditions on one element"},
        {"{'op':'eq','args':[" ATTR("a") "," IS("b") "],'x':1}", "unknown member 'x'"},
    };
    char text[8000], deep[4000];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_filter(text, sizeof text, cases[i].filter);
        refused("/api/v3/trace-summaries", text, 400, cases[i].message);
    }
    size_t at = 0;
    for (int i = 0; i < 21; i++)
        at += (size_t)snprintf(deep + at, sizeof deep - at, "{'op':'not','args':[{'call':");
    write_filter(text, sizeof text, deep);
    refused("/api/v3/traces", text, 400, "malformed parameter query.filter");
    at += (size_t)snprintf(deep + at, sizeof deep - at, "%s", CALL1("exists", ATTR("a")));
    for (int i = 0; i < 21; i++)
        at += (size_t)snprintf(deep + at, sizeof deep - at, "}]}");
    write_filter(text, sizeof text, deep);
    refused("/api/v3/traces", text, 400, "nests calls more than 20 deep");
    write_filter(text, sizeof text, CALL1("exists", ATTR("a")));
    at = strlen(text);
    snprintf(text + at, sizeof text - at, "&query.serviceName=x");
    refused("/api/v3/traces", text, 400, "can't be combined");
}

static unsigned post(const char *path, const char *body)
{
    char text[1000];
    snprintf(text, sizeof text, "%s", body);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    return fixture_post(&fixture, path, "application/json", fg_slice_from_string(text),
                        FG_FACE_API);
}

#define TIMES "'startTimeMin':'2025-11-25T11:00:00Z','start_time_max':'2025-11-25T12:00:00Z'"

/* The second binding of the routes in query_service.proto. */
static void posted_searches(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        unsigned status;
        const char *contains;
    } cases[] = {
        {"{'query':{" TIMES "}}", 200, FIXTURE_TRACE},
        {"{'query':{" TIMES ",'serviceName':'mes-api','searchDepth':5,'rawTraces':true}}", 200,
         FIXTURE_TRACE},
        {"{'query':{" TIMES ",'attributes':{'order.id':'ORD-4711'},'durationMin':'0.1s'}}", 200,
         FIXTURE_TRACE},
        {"{'query':{" TIMES ",'attributes':{'order.id':'ORD-9'}}}", 404, "No traces found"},
        {"{'query':{" TIMES ",'filter':" CALL("eq", ATTR("order.id"), IS("ORD-4711")) "}}", 200,
         FIXTURE_TRACE},
        {"{'query':{" TIMES ",'filter':" CALL("eq", ATTR("order.id"), IS("a%&=b")) "}}", 404,
         "No traces found"},
        {"{'query':{}}", 400, "are required"},
        {"{'query':{" TIMES ",'tags':'x'}}", 400, "query.tags is not known"},
        {"{'query':{" TIMES ",'attributes':[1]}}", 400, "malformed parameter query.attributes"},
        {"{'query':{" TIMES "},'more':1}", 400, "one member, query"},
        {"{'query':5}", 400, "one member, query"},
        {"nothing", 400, "the body is no JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned status = post("/api/v3/traces", cases[i].body);
        if (status != cases[i].status || !strstr(fixture_text(&fixture), cases[i].contains))
            fail_msg("%s: %u %s", cases[i].body, status, fixture_text(&fixture));
    }
    assert_int_equal(post("/api/v3/trace-summaries", "{'query':{" TIMES "}}"), 200);
    assert_non_null(strstr(fixture_text(&fixture), "\"orphanSpanCount\":0"));
}

#define SUMMARIES                                                                                  \
    "{'summaries':[{'traceId':'" FIXTURE_TRACE "','rootServiceName':'shop-api',"                   \
    "'rootOperationName':'POST /orders','minStartTimeUnixNano':'1764071940000000000',"             \
    "'maxEndTimeUnixNano':'1764071940300000000','spanCount':3,'errorSpanCount':1,"                 \
    "'orphanSpanCount':0,'services':[{'name':'mes-api','spanCount':1,'errorSpanCount':1},"         \
    "{'name':'shop-api','spanCount':2,'errorSpanCount':0}]}]}"

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
        TEST(one_trace),   TEST(searches),        TEST(bad_searches), TEST(filters),
        TEST(bad_filters), TEST(posted_searches), TEST(summaries),    TEST(an_orphan_is_counted),
        TEST(lists),
    };
    return cmocka_run_group_tests_name("jaeger_v3", tests, NULL, NULL);
}
