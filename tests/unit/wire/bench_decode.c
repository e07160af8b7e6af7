/* What decoding costs a span: requests of ten traces, thirteen spans each, 333 bytes a span in
 * protobuf, to a visitor that does nothing. Run by `meson test --benchmark wire_decode`. */
#include "wire/otlp_encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TRACES      10
#define SPANS       13
#define MEASURED_NS 700000000.0

static uint64_t touched;

static int attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    (void)arg;
    touched += key.size + (uint64_t)value->type;
    return 0;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

#define NOTHING(name, type)                                                                        \
    static int name(void *arg, const struct type *thing)                                           \
    {                                                                                              \
        (void)arg;                                                                                 \
        touched += thing->attribute_count;                                                         \
        return 0;                                                                                  \
    }
NOTHING(resource_begin, fg_otlp_resource)
NOTHING(scope_begin, fg_otlp_scope)
NOTHING(span_begin, fg_otlp_span)
NOTHING(event_begin, fg_otlp_event)
NOTHING(link_begin, fg_otlp_link)

static const struct fg_otlp_visitor visitor = {
    .resource_begin = resource_begin,
    .resource_attribute = attribute,
    .resource_end = nothing,
    .scope_begin = scope_begin,
    .scope_attribute = attribute,
    .scope_end = nothing,
    .span_begin = span_begin,
    .span_attribute = attribute,
    .event_begin = event_begin,
    .event_attribute = attribute,
    .event_end = nothing,
    .link_begin = link_begin,
    .link_attribute = attribute,
    .link_end = nothing,
    .span_end = nothing,
};

static void put(struct fg_otlp_encoder *encoder, fg_otlp_attribute_fn call, const char *key,
                struct fg_otlp_value value)
{
    if (call(encoder, fg_slice_from_string(key), &value) != 0)
        abort();
}

static void put_string(struct fg_otlp_encoder *encoder, fg_otlp_attribute_fn call, const char *key,
                       const char *value)
{
    put(encoder, call, key, fg_otlp_string(fg_slice_from_string(value)));
}

static void put_span(struct fg_otlp_encoder *encoder, int number)
{
    const struct fg_otlp_visitor *to = encoder->visitor;
    struct fg_otlp_span span = {
        .trace_id = FG_SLICE("\x5b\x8e\xff\xf7\x98\x03\x81\x03\xd2\x69\xb6\x33\x81\x3f\xc6\x0c"),
        .span_id = FG_SLICE("\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74"),
        .parent_span_id = FG_SLICE("\xee\xe1\x9b\x7e\xc3\xc1\xb1\x73"),
        .name = FG_SLICE("POST /api/orders/{order}/approve"),
        .kind = number % 2 ? FG_OTLP_KIND_CLIENT : FG_OTLP_KIND_SERVER,
        .start_ns = UINT64_C(1795528931482000001),
        .end_ns = UINT64_C(1795528931487000002),
        .flags = 0x101,
    };
    if (to->span_begin(encoder, &span) != 0)
        abort();
    put_string(encoder, to->span_attribute, "http.request.method", "POST");
    put_string(encoder, to->span_attribute, "url.path", "/api/orders/4711/approve");
    put_string(encoder, to->span_attribute, "http.route", "/api/orders/{order}/approve");
    put(encoder, to->span_attribute, "http.response.status_code", fg_otlp_int(200));
    put_string(encoder, to->span_attribute, "server.address", "shop-api");
    put(encoder, to->span_attribute, "server.port", fg_otlp_int(8080));
    if (number % 13 == 3) {
        struct fg_otlp_event event = {.name = FG_SLICE("retry"), .time_ns = span.start_ns};
        if (to->event_begin(encoder, &event) != 0)
            abort();
        put(encoder, to->event_attribute, "attempt", fg_otlp_int(2));
        if (to->event_end(encoder) != 0)
            abort();
    }
    if (to->span_end(encoder) != 0)
        abort();
}

static void build(enum fg_otlp_format format, struct fg_buffer *body)
{
    struct fg_otlp_encoder encoder;
    fg_buffer_init(body, 1 << 24);
    fg_otlp_encoder_init(&encoder, format, body);
    const struct fg_otlp_visitor *to = encoder.visitor;
    for (int trace = 0; trace < TRACES; trace++) {
        struct fg_otlp_scope scope = {.name = FG_SLICE("io.opentelemetry.http"),
                                      .version = FG_SLICE("2.1.0")};
        if (to->resource_begin(&encoder, &(struct fg_otlp_resource){0}) != 0)
            abort();
        put_string(&encoder, to->resource_attribute, "service.name", "shop-api");
        put_string(&encoder, to->resource_attribute, "service.instance.id", "shop-api-7f9c4d-x2x");
        put_string(&encoder, to->resource_attribute, "telemetry.sdk.language", "java");
        if (to->resource_end(&encoder) != 0 || to->scope_begin(&encoder, &scope) != 0 ||
            to->scope_end(&encoder) != 0)
            abort();
        for (int span = 0; span < SPANS; span++)
            put_span(&encoder, span);
    }
    if (fg_otlp_encoder_finish(&encoder) != 0)
        abort();
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void measure(const char *name, enum fg_otlp_format format)
{
    struct fg_buffer body;
    build(format, &body);
    double begin = now_ns(), spent = 0, rounds = 0;
    for (; spent < MEASURED_NS; spent = now_ns() - begin) {
        for (int i = 0; i < 100; i++) {
            int r = format == FG_OTLP_JSON
                        ? fg_otlp_decode_traces_json(fg_buffer_slice(&body), &visitor, NULL, NULL)
                        : fg_otlp_decode_traces(fg_buffer_slice(&body), &visitor, NULL, NULL);
            if (r != 0)
                abort();
        }
        rounds += 100;
    }
    double spans = rounds * TRACES * SPANS, bytes = rounds * (double)body.size;
    printf("%-8s %5.0f bytes a span  %6.0f ns a span  %5.0f MB/s\n", name, bytes / spans,
           spent / spans, bytes / spent * 1e3);
    fg_buffer_free(&body);
}

int main(void)
{
    measure("protobuf", FG_OTLP_PROTOBUF);
    measure("json", FG_OTLP_JSON);
    return touched == 0;
}
