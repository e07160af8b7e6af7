#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* {"a": [1, "x"], "b": nothing} */
#define MAP                                                                                        \
    "\x32\x1b\x0a\x10\x0a\x01"                                                                     \
    "a\x12\x0b\x2a\x09\x0a\x02\x18\x01\x0a\x03\x0a\x01x\x0a\x07\x0a\x01"                           \
    "b\x12\x00\x40\x01"

static const struct fg_otlp_resource resource = {
    .schema_url = FG_SLICE("s1"),
    .dropped_attributes_count = 1,
    .attribute_count = 2,
};
static const struct fg_otlp_scope scope = {
    .name = FG_SLICE("lib"),
    .version = FG_SLICE("1.0"),
    .schema_url = FG_SLICE("s2"),
    .dropped_attributes_count = 2,
    .attribute_count = 1,
};
static const struct fg_otlp_span span = {
    .trace_id = FG_SLICE("0123456789abcdef"),
    .span_id = FG_SLICE("01234567"),
    .parent_span_id = FG_SLICE("76543210"),
    .trace_state = FG_SLICE("k=v"),
    .name = FG_SLICE("GET /\"\n"),
    .status_message = FG_SLICE("broken"),
    .start_ns = UINT64_C(1544712660000000000),
    .end_ns = UINT64_C(1544712661000000000),
    .kind = FG_OTLP_KIND_SERVER,
    .status_code = FG_OTLP_STATUS_ERROR,
    .flags = 0x101,
    .dropped_attributes_count = 3,
    .dropped_events_count = 4,
    .dropped_links_count = 5,
    .attribute_count = 5,
    .event_count = 2,
    .link_count = 1,
};
static const struct fg_otlp_event event = {
    .name = FG_SLICE("retry"),
    .time_ns = 7,
    .dropped_attributes_count = 6,
    .attribute_count = 1,
};
static const struct fg_otlp_link link = {
    .trace_id = FG_SLICE("fedcba9876543210"),
    .span_id = FG_SLICE("abcdefgh"),
    .trace_state = FG_SLICE("q=r"),
    .flags = 0x300,
    .dropped_attributes_count = 7,
    .attribute_count = 1,
};

struct telling {
    const struct fg_otlp_visitor *visitor;
    void *arg;
    int error;
};

static void tell(struct telling *telling, int r)
{
    if (telling->error == 0)
        telling->error = r;
}

static void tell_attribute(struct telling *telling, fg_otlp_attribute_fn attribute, const char *key,
                           struct fg_otlp_value value)
{
    if (telling->error == 0)
        telling->error = attribute(telling->arg, fg_slice_from_string(key), &value);
}

#define TELL(call, ...)                                                                            \
    (telling->error                                                                                \
         ? (void)0                                                                                 \
         : tell(telling, telling->visitor->call(telling->arg __VA_OPT__(, ) __VA_ARGS__)))

static void tell_span(struct telling *telling)
{
    fg_otlp_attribute_fn attribute = telling->visitor->span_attribute;
    TELL(span_begin, &span);
    tell_attribute(telling, attribute, "string", fg_otlp_string(FG_SLICE("v")));
    tell_attribute(telling, attribute, "int", fg_otlp_int(-5));
    tell_attribute(telling, attribute, "double", fg_otlp_double(0.5));
    tell_attribute(telling, attribute, "bytes",
                   (struct fg_otlp_value){.type = FG_OTLP_BYTES, .bytes = FG_SLICE("\0\xff")});
    tell_attribute(telling, attribute, "map",
                   (struct fg_otlp_value){.type = FG_OTLP_KVLIST, .encoded = FG_SLICE(MAP)});
    TELL(event_begin, &event);
    tell_attribute(telling, telling->visitor->event_attribute, "e", fg_otlp_bool(true));
    TELL(event_end);
    TELL(event_begin, &(struct fg_otlp_event){.name = FG_SLICE("done")});
    TELL(event_end);
    TELL(link_begin, &link);
    tell_attribute(telling, telling->visitor->link_attribute, "l",
                   (struct fg_otlp_value){.type = FG_OTLP_EMPTY});
    TELL(link_end);
    TELL(span_end);
}

int sample_visit(const struct fg_otlp_visitor *visitor, void *arg)
{
    struct telling sample = {.visitor = visitor, .arg = arg}, *telling = &sample;
    TELL(resource_begin, &resource);
    tell_attribute(telling, visitor->resource_attribute, "service.name",
                   fg_otlp_string(FG_SLICE("shop")));
    tell_attribute(telling, visitor->resource_attribute, "pid", fg_otlp_int(7));
    TELL(resource_end);
    TELL(scope_begin, &scope);
    tell_attribute(telling, visitor->scope_attribute, "a", fg_otlp_bool(false));
    TELL(scope_end);
    tell_span(telling);
    TELL(span_begin, &(struct fg_otlp_span){0});
    TELL(span_end);
    TELL(scope_begin, &(struct fg_otlp_scope){0});
    TELL(scope_end);
    TELL(resource_begin, &(struct fg_otlp_resource){0});
    TELL(resource_end);
    return telling->error;
}

void sample_encode(enum fg_otlp_format format, struct fg_buffer *out)
{
    struct fg_otlp_encoder encoder;
    fg_buffer_init(out, 1 << 20);
    fg_otlp_encoder_init(&encoder, format, out);
    assert_int_equal(sample_visit(encoder.visitor, &encoder), 0);
    assert_int_equal(fg_otlp_encoder_finish(&encoder), 0);
}

const char sample_record[] =
    "resource schema_url='s1' dropped_attributes=1 attributes=2\n"
    "resource.attribute 'service.name'='shop'\n"
    "resource.attribute 'pid'=7\n"
    "resource.end\n"
    "scope name='lib' version='1.0' schema_url='s2' dropped_attributes=2 attributes=1\n"
    "scope.attribute 'a'=false\n"
    "scope.end\n"
    "span name='GET /\"\\x0a' trace_id='0123456789abcdef' span_id='01234567' "
    "parent_span_id='76543210' trace_state='k=v' kind=2 start=1544712660000000000 "
    "end=1544712661000000000 status=2 status_message='broken' flags=257 dropped_attributes=3 "
    "dropped_events=4 dropped_links=5 attributes=5 events=2 links=1\n"
    "span.attribute 'string'='v'\n"
    "span.attribute 'int'=-5\n"
    "span.attribute 'double'=0x1p-1\n"
    "span.attribute 'bytes'=bytes'\\x00\\xff'\n"
    "span.attribute 'map'={'a':[1,'x',],'b':empty,}\n"
    "event name='retry' time=7 dropped_attributes=6 attributes=1\n"
    "event.attribute 'e'=true\n"
    "event.end\n"
    "event name='done'\n"
    "event.end\n"
    "link trace_id='fedcba9876543210' span_id='abcdefgh' trace_state='q=r' flags=768 "
    "dropped_attributes=7 attributes=1\n"
    "link.attribute 'l'=empty\n"
    "link.end\n"
    "span.end\n"
    "span\n"
    "span.end\n"
    "scope\n"
    "scope.end\n"
    "resource\n"
    "resource.end\n";

const char sample_json[] =
    "{\"resourceSpans\":[{\"resource\":{\"droppedAttributesCount\":1,\"attributes\":["
    "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}},"
    "{\"key\":\"pid\",\"value\":{\"intValue\":\"7\"}}]},\"schemaUrl\":\"s1\",\"scopeSpans\":["
    "{\"scope\":{\"name\":\"lib\",\"version\":\"1.0\",\"droppedAttributesCount\":2,\"attributes\":["
    "{\"key\":\"a\",\"value\":{\"boolValue\":false}}]},\"schemaUrl\":\"s2\",\"spans\":["
    "{\"traceId\":\"30313233343536373839616263646566\",\"spanId\":\"3031323334353637\","
    "\"parentSpanId\":\"3736353433323130\",\"traceState\":\"k=v\",\"name\":\"GET /\\\"\\n\","
    "\"kind\":2,\"startTimeUnixNano\":\"1544712660000000000\","
    "\"endTimeUnixNano\":\"1544712661000000000\",\"flags\":257,\"droppedAttributesCount\":3,"
    "\"droppedEventsCount\":4,\"droppedLinksCount\":5,\"status\":{\"code\":2,\"message\":"
    "\"broken\"},\"attributes\":[{\"key\":\"string\",\"value\":{\"stringValue\":\"v\"}},"
    "{\"key\":\"int\",\"value\":{\"intValue\":\"-5\"}},"
    "{\"key\":\"double\",\"value\":{\"doubleValue\":0.5}},"
    "{\"key\":\"bytes\",\"value\":{\"bytesValue\":\"AP8=\"}},"
    "{\"key\":\"map\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":"
    "{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},{\"stringValue\":\"x\"}]}}},"
    "{\"key\":\"b\",\"value\":{}}]}}}],\"events\":[{\"timeUnixNano\":\"7\",\"name\":\"retry\","
    "\"droppedAttributesCount\":6,\"attributes\":[{\"key\":\"e\",\"value\":{\"boolValue\":true}}]},"
    "{\"timeUnixNano\":\"0\",\"name\":\"done\"}],\"links\":[{\"traceId\":"
    "\"66656463626139383736353433323130\",\"spanId\":\"6162636465666768\",\"traceState\":\"q=r\","
    "\"flags\":768,\"droppedAttributesCount\":7,\"attributes\":[{\"key\":\"l\",\"value\":{}}]}]},"
    "{\"traceId\":\"\",\"spanId\":\"\",\"name\":\"\",\"startTimeUnixNano\":\"0\","
    "\"endTimeUnixNano\":\"0\"}]},{\"scope\":{},\"spans\":[]}]},"
    "{\"resource\":{},\"scopeSpans\":[]}]}";
