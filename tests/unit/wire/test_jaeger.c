/* wire/jaeger.h: a trace as Jaeger's UI reads it, whole, in pieces, and through jansson. */
#include "wire/jaeger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#define TRACE_ID FG_SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1")
#define OTHER_ID FG_SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff")

/* Moves what the encoder wrote to whole, as a server does that hands its text out. */
static void drain(struct fg_buffer *text, struct fg_buffer *whole)
{
    fg_buffer_append_slice(whole, fg_buffer_slice(text));
    fg_buffer_reset(text);
}

struct trace {
    struct fg_buffer text, whole;
    struct fg_json_writer json;
    struct fg_arena arena;
    struct fg_jaeger_encoder encoder;
    bool draining;
    int error; /* the first one */
};

static void trace_begin(struct trace *trace, bool draining)
{
    memset(trace, 0, sizeof *trace);
    trace->draining = draining;
    fg_buffer_init(&trace->text, 1 << 20);
    fg_buffer_init(&trace->whole, 1 << 20);
    fg_arena_init(&trace->arena, 1 << 20);
    trace->json = fg_json_writer(&trace->text);
    fg_json_array_begin(&trace->json);
    fg_jaeger_encoder_init(&trace->encoder, &trace->json, &trace->arena);
}

static void done(struct trace *trace, int r)
{
    if (trace->error == 0)
        trace->error = r;
    if (trace->draining)
        drain(&trace->text, &trace->whole);
}

static void trace_end(struct trace *trace)
{
    done(trace, fg_jaeger_encoder_finish(&trace->encoder));
    fg_json_array_end(&trace->json);
    drain(&trace->text, &trace->whole);
}

static void trace_free(struct trace *trace)
{
    fg_buffer_free(&trace->text);
    fg_buffer_free(&trace->whole);
    fg_arena_free(&trace->arena);
}

#define CALL(trace, call, ...)                                                                     \
    done(trace, (trace)->encoder.visitor->call(&(trace)->encoder __VA_OPT__(, ) __VA_ARGS__))

static void attribute(struct trace *trace, fg_otlp_attribute_fn call, const char *key,
                      struct fg_otlp_value value)
{
    done(trace, call(&trace->encoder, fg_slice_from_string(key), &value));
}

static void resource(struct trace *trace, const char *service)
{
    const struct fg_otlp_resource resource = {0};
    CALL(trace, resource_begin, &resource);
    attribute(trace, trace->encoder.visitor->resource_attribute, "host.name",
              fg_otlp_string(FG_SLICE("h")));
    if (service)
        attribute(trace, trace->encoder.visitor->resource_attribute, "service.name",
                  fg_otlp_string(fg_slice_from_string(service)));
    attribute(trace, trace->encoder.visitor->resource_attribute, "process.pid", fg_otlp_int(7));
    CALL(trace, resource_end);
}

static void scope(struct trace *trace, struct fg_slice name, struct fg_slice version)
{
    /* What lies here is gone after the end. */
    char copy[2][16] = {{0}};
    memcpy(copy[0], name.data, name.size);
    memcpy(copy[1], version.data, version.size);
    struct fg_otlp_scope scope = {.name = fg_slice(copy[0], name.size),
                                  .version = fg_slice(copy[1], version.size)};
    CALL(trace, scope_begin, &scope);
    attribute(trace, trace->encoder.visitor->scope_attribute, "dropped", fg_otlp_bool(true));
    CALL(trace, scope_end);
    memset(copy, 'x', sizeof copy);
}

static void link(struct trace *trace, struct fg_slice trace_id, struct fg_slice span_id,
                 const char *type)
{
    struct fg_otlp_link link = {.trace_id = trace_id, .span_id = span_id};
    CALL(trace, link_begin, &link);
    if (type)
        attribute(trace, trace->encoder.visitor->link_attribute, "opentracing.ref_type",
                  fg_otlp_string(fg_slice_from_string(type)));
    CALL(trace, link_end);
}

static void busy_span(struct trace *trace)
{
    const struct fg_otlp_span span = {
        .trace_id = TRACE_ID,
        .span_id = FG_SLICE("\0\0\0\0\0\0\0\2"),
        .parent_span_id = FG_SLICE("\0\0\0\0\0\0\0\1"),
        .trace_state = FG_SLICE("a=b"),
        .name = FG_SLICE("pay"),
        .status_message = FG_SLICE("declined"),
        .start_ns = UINT64_C(1485467191639875999),
        .end_ns = UINT64_C(1485467191639881000),
        .kind = FG_OTLP_KIND_CLIENT,
        .status_code = FG_OTLP_STATUS_ERROR,
        .flags = 0x103,
    };
    fg_otlp_attribute_fn tag = trace->encoder.visitor->span_attribute;
    CALL(trace, span_begin, &span);
    attribute(trace, tag, "s", fg_otlp_string(FG_SLICE("x\xff")));
    attribute(trace, tag, "b", fg_otlp_bool(false));
    attribute(trace, tag, "i", fg_otlp_int(9007199254740991));
    attribute(trace, tag, "big", fg_otlp_int(9007199254740992));
    attribute(trace, tag, "d", fg_otlp_double(72.5));
    attribute(trace, tag, "bytes",
              (struct fg_otlp_value){FG_OTLP_BYTES, {FG_SLICE("\0\0\x30\x39")}});
    attribute(trace, tag, "list",
              (struct fg_otlp_value){FG_OTLP_ARRAY,
                                     {FG_SLICE("\x2a\x09\x0a\x02\x18\x01\x0a\x03\x0a\x01\"")}});
    attribute(trace, tag, "none", (struct fg_otlp_value){.type = FG_OTLP_EMPTY});
    const struct fg_otlp_event event = {.name = FG_SLICE("retry"), .time_ns = 5999};
    CALL(trace, event_begin, &event);
    attribute(trace, trace->encoder.visitor->event_attribute, "n", fg_otlp_int(-1));
    CALL(trace, event_end);
    CALL(trace, event_begin, &(struct fg_otlp_event){.time_ns = 7000});
    CALL(trace, event_end);
    link(trace, OTHER_ID, FG_SLICE("\0\0\0\0\0\0\0\3"), NULL);
    link(trace, TRACE_ID, FG_SLICE("\0\0\0\0\0\0\0\1"), "child_of");
    link(trace, TRACE_ID, FG_SLICE("\0\0\0\0\0\0\0\4"), "child_of");
    CALL(trace, span_end);
}

static void quiet_span(struct trace *trace, uint64_t start_ns, uint64_t end_ns)
{
    const struct fg_otlp_span span = {.trace_id = TRACE_ID,
                                      .span_id = FG_SLICE("\0\0\0\0\0\0\0\1"),
                                      .start_ns = start_ns,
                                      .end_ns = end_ns};
    CALL(trace, span_begin, &span);
    CALL(trace, span_end);
}

static void write_trace(struct trace *trace, bool draining)
{
    trace_begin(trace, draining);
    resource(trace, "shop");
    scope(trace, FG_SLICE("lib"), FG_SLICE("1.2"));
    busy_span(trace);
    scope(trace, FG_SLICE(""), FG_SLICE(""));
    quiet_span(trace, 4000, 4999);
    resource(trace, NULL);
    scope(trace, FG_SLICE(""), FG_SLICE(""));
    quiet_span(trace, 4000, 0);
    quiet_span(trace, 4000, 3000);
    trace_end(trace);
}

#define PROCESS_TAGS                                                                               \
    "\"tags\":[{\"key\":\"host.name\",\"type\":\"string\",\"value\":\"h\"},"                       \
    "{\"key\":\"process.pid\",\"type\":\"int64\",\"value\":7}]"
#define QUIET                                                                                      \
    "{\"traceID\":\"00000000000000000000000000000001\",\"spanID\":\"0000000000000001\","           \
    "\"flags\":0,\"operationName\":\"\",\"startTime\":4,\"duration\":0,"
#define LISTS "\"tags\":[],\"logs\":[],\"references\":[]}"

static const char golden[] =
    "[{\"spans\":["
    "{\"traceID\":\"00000000000000000000000000000001\",\"spanID\":\"0000000000000002\","
    "\"flags\":1,\"operationName\":\"pay\",\"startTime\":1485467191639875,\"duration\":5,"
    "\"processID\":\"p1\",\"warnings\":null,\"tags\":["
    "{\"key\":\"otel.scope.name\",\"type\":\"string\",\"value\":\"lib\"},"
    "{\"key\":\"otel.scope.version\",\"type\":\"string\",\"value\":\"1.2\"},"
    "{\"key\":\"span.kind\",\"type\":\"string\",\"value\":\"client\"},"
    "{\"key\":\"otel.status_code\",\"type\":\"string\",\"value\":\"ERROR\"},"
    "{\"key\":\"error\",\"type\":\"bool\",\"value\":true},"
    "{\"key\":\"otel.status_description\",\"type\":\"string\",\"value\":\"declined\"},"
    "{\"key\":\"w3c.tracestate\",\"type\":\"string\",\"value\":\"a=b\"},"
    "{\"key\":\"s\",\"type\":\"string\",\"value\":\"x\xef\xbf\xbd\"},"
    "{\"key\":\"b\",\"type\":\"bool\",\"value\":false},"
    "{\"key\":\"i\",\"type\":\"int64\",\"value\":9007199254740991},"
    "{\"key\":\"big\",\"type\":\"int64\",\"value\":\"9007199254740992\"},"
    "{\"key\":\"d\",\"type\":\"float64\",\"value\":72.5},"
    "{\"key\":\"bytes\",\"type\":\"binary\",\"value\":\"AAAwOQ==\"},"
    "{\"key\":\"list\",\"type\":\"string\",\"value\":\"[1,\\\"\\\\\\\"\\\"]\"},"
    "{\"key\":\"none\",\"type\":\"string\",\"value\":\"\"}],"
    "\"logs\":[{\"timestamp\":5,\"fields\":[{\"key\":\"event\",\"type\":\"string\",\"value\":"
    "\"retry\"},{\"key\":\"n\",\"type\":\"int64\",\"value\":-1}]},{\"timestamp\":7,\"fields\":[]}],"
    "\"references\":["
    "{\"refType\":\"CHILD_OF\",\"traceID\":\"00000000000000000000000000000001\",\"spanID\":"
    "\"0000000000000001\"},"
    "{\"refType\":\"FOLLOWS_FROM\",\"traceID\":\"000000000000000000000000000000ff\",\"spanID\":"
    "\"0000000000000003\"},"
    "{\"refType\":\"CHILD_OF\",\"traceID\":\"00000000000000000000000000000001\",\"spanID\":"
    "\"0000000000000004\"}]}," QUIET "\"processID\":\"p1\",\"warnings\":null," LISTS "," QUIET
    "\"processID\":\"p2\",\"warnings\":[\"the span has not ended\"]," LISTS "," QUIET
    "\"processID\":\"p2\",\"warnings\":[\"the span ends before it starts\"]," LISTS "],"
    "\"traceID\":\"00000000000000000000000000000001\","
    "\"processes\":{\"p1\":{" PROCESS_TAGS ",\"serviceName\":\"shop\"},"
    "\"p2\":{" PROCESS_TAGS ",\"serviceName\":\"OTLPResourceNoServiceName\"}},"
    "\"warnings\":null}]";

static void golden_text(void **state)
{
    (void)state;
    for (int draining = 0; draining < 2; draining++) {
        struct trace trace;
        write_trace(&trace, draining);
        assert_int_equal(trace.error, 0);
        fg_buffer_append_byte(&trace.whole, 0);
        assert_string_equal((const char *)trace.whole.data, golden);
        json_error_t error;
        json_t *json = json_loads(golden, JSON_REJECT_DUPLICATES, &error);
        assert_non_null(json);
        json_decref(json);
        trace_free(&trace);
    }
}

static void an_empty_trace(void **state)
{
    (void)state;
    struct trace trace;
    trace_begin(&trace, false);
    trace_end(&trace);
    fg_buffer_append_byte(&trace.whole, 0);
    assert_string_equal((const char *)trace.whole.data,
                        "[{\"spans\":[],\"traceID\":\"\",\"processes\":{},\"warnings\":null}]");
    trace_free(&trace);
}

static void full_buffers_and_arenas_are_said(void **state)
{
    (void)state;
    size_t bounds[2] = {100, 300};
    for (size_t i = 0; i < 2; i++) {
        struct trace trace;
        trace_begin(&trace, false);
        trace.text.size_max = bounds[i];
        trace.text.capacity = trace.text.size;
        resource(&trace, "shop");
        scope(&trace, FG_SLICE("lib"), FG_SLICE("1.2"));
        busy_span(&trace);
        trace_end(&trace);
        assert_int_equal(trace.error, FG_ELIMIT);
        trace_free(&trace);
    }
    struct trace trace;
    trace_begin(&trace, false);
    trace.arena.bytes_max = 200;
    resource(&trace, "shop");
    assert_int_equal(trace.error, FG_ELIMIT);
    trace_free(&trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_text),
        cmocka_unit_test(an_empty_trace),
        cmocka_unit_test(full_buffers_and_arenas_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
