#include "random_batch.h"

#include <stdio.h>
#include <stdlib.h>

#define TRACE_SPANS_MAX 4096
#define SERVICES_MAX    64

uint64_t test_random_u64(struct test_random *random)
{
    uint64_t x = random->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint32_t test_random_below(struct test_random *random, uint32_t bound)
{
    return (uint32_t)((test_random_u64(random) >> 32) * bound >> 32);
}

bool test_random_chance(struct test_random *random, uint32_t percent)
{
    return test_random_below(random, 100) < percent;
}

struct random_batch_options random_batch_options_default(uint64_t seed)
{
    return (struct random_batch_options){.seed = seed,
                                         .span_count = 500,
                                         .trace_spans_max = 25,
                                         .service_count = 6,
                                         .start_ns = UINT64_C(1764000000000000000),
                                         .spread_ns = UINT64_C(600000000000),
                                         .odd_percent = 8};
}

static void must(int r)
{
    if (r == 0)
        return;
    fprintf(stderr, "random_batch: %s\n", fg_error_name(r));
    abort();
}

static const char *const service_names[] = {"shop-api", "crm-api", "mes-api",
                                            "shop-web", "price",   "mailer"};
static const char *const span_names[] = {"GET /orders/{id}",   "POST /orders",
                                         "SELECT orders",      "INSERT INTO order_lines",
                                         "price.calculate",    "mes.orders publish",
                                         "mes.orders receive", "s3.GetObject",
                                         "Überprüfung",        ""};
#define COUNT(array) (sizeof(array) / sizeof *(array))

struct generator {
    struct test_random random;
    const struct random_batch_options *options;
    struct fg_builder *builder;
    uint32_t resources[SERVICES_MAX], scopes[4];
    char text[512];
};

static uint32_t below(struct generator *g, uint32_t bound)
{
    return test_random_below(&g->random, bound);
}

static bool is_odd(struct generator *g)
{
    return test_random_chance(&g->random, g->options->odd_percent);
}

static struct fg_slice slice(const char *string)
{
    return fg_slice_from_string(string);
}

static struct fg_value text_value(const char *string)
{
    return (struct fg_value){.type = FG_VALUE_STRING, .bytes = slice(string)};
}

static struct fg_value bits_value(enum fg_value_type type, uint64_t bits)
{
    return (struct fg_value){.type = type, .bits = bits};
}

/* An AnyValue message with an array or a map of one short text, by hand. */
static struct fg_value nested_value(struct generator *g, enum fg_value_type type)
{
    uint8_t *out = (uint8_t *)g->text;
    uint8_t letter = (uint8_t)('a' + below(g, 20));
    const uint8_t array[] = {0x2a, 5, 0x0a, 3, 0x0a, 1, letter};
    const uint8_t map[] = {0x32, 10, 0x0a, 8, 0x0a, 1, 'k', 0x12, 3, 0x0a, 1, letter};
    size_t size = type == FG_VALUE_ARRAY ? sizeof array : sizeof map;
    memcpy(out, type == FG_VALUE_ARRAY ? array : map, size);
    return (struct fg_value){.type = type, .bytes = fg_slice(out, size)};
}

static struct fg_value random_value(struct generator *g)
{
    double number = (double)below(g, 100000) / 8 - 3000;
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    switch (below(g, 10)) {
    case 0:
        return bits_value(FG_VALUE_EMPTY, 0);
    case 1:
        return bits_value(FG_VALUE_BOOL, below(g, 2));
    case 2:
        return bits_value(FG_VALUE_INT, below(g, 500));
    case 3:
        return bits_value(FG_VALUE_INT, test_random_u64(&g->random));
    case 4:
        return bits_value(FG_VALUE_DOUBLE, bits);
    case 5:
        return bits_value(FG_VALUE_DOUBLE, test_random_u64(&g->random)); /* NaN, infinities too */
    case 6:
        snprintf(g->text, sizeof g->text, "\xff\x01%08x", below(g, 1000));
        return (struct fg_value){.type = FG_VALUE_BYTES, .bytes = slice(g->text)};
    case 7:
        return nested_value(g, FG_VALUE_ARRAY);
    case 8:
        return nested_value(g, FG_VALUE_KVLIST);
    default:
        snprintf(g->text, sizeof g->text, "value %u — %u", below(g, 30), below(g, 2));
        return text_value(g->text);
    }
}

typedef int (*attr_fn)(struct fg_builder *, struct fg_slice, const struct fg_value *);

static void put(struct generator *g, attr_fn fn, const char *key, struct fg_value value)
{
    must(fn(g->builder, slice(key), &value));
}

static void put_random(struct generator *g, attr_fn fn, uint32_t count_max)
{
    char key[32];
    for (uint32_t count = below(g, count_max + 1); count > 0; count--) {
        snprintf(key, sizeof key, "x.key%u", below(g, 24));
        put(g, fn, key, random_value(g));
    }
}

static void make_resource(struct generator *g, uint32_t i)
{
    char name[64];
    const char *base = service_names[i % COUNT(service_names)];
    must(fg_builder_resource_begin(g->builder));
    if (i != 5) { /* one has no service.name */
        snprintf(name, sizeof name, i < COUNT(service_names) ? "%s" : "%s-%u", base, i);
        put(g, fg_builder_resource_attr, "service.name", text_value(name));
    }
    snprintf(name, sizeof name, "%s-%04x", base, below(g, 65536));
    put(g, fg_builder_resource_attr, "service.instance.id", text_value(name));
    put(g, fg_builder_resource_attr, "process.pid",
        bits_value(FG_VALUE_INT, 100 + below(g, 30000)));
    put(g, fg_builder_resource_attr, "telemetry.sdk.language", text_value(i % 2 ? "go" : "java"));
    put_random(g, fg_builder_resource_attr, is_odd(g) ? 6 : 0);
    must(fg_builder_resource_end(g->builder,
                                 slice(i % 3 ? "" : "https://opentelemetry.io/schemas/1.21.0"),
                                 is_odd(g) ? below(g, 9) : 0, &g->resources[i]));
}

static void make_scope(struct generator *g, uint32_t i)
{
    static const char *const names[] = {"http", "sql", "amqp", ""};
    must(fg_builder_scope_begin(g->builder));
    if (i == 2)
        put_random(g, fg_builder_scope_attr, 3);
    must(fg_builder_scope_end(g->builder, slice(names[i]), slice(i % 2 ? "" : "1.4.2"), slice(""),
                              i == 2 && is_odd(g) ? 1 : 0, &g->scopes[i]));
}

static void put_attributes(struct generator *g)
{
    static const char *const methods[] = {"GET", "POST", "PUT"};
    put(g, fg_builder_span_attr, "http.request.method", text_value(methods[below(g, 3)]));
    put(g, fg_builder_span_attr, "http.response.status_code",
        bits_value(FG_VALUE_INT, below(g, 20) ? 200 : 500 + below(g, 4)));
    snprintf(g->text, sizeof g->text, "/orders/%u", below(g, 7));
    put(g, fg_builder_span_attr, "http.route", text_value(g->text));
    if (below(g, 2)) {
        snprintf(g->text, sizeof g->text, "ORD-%06u", below(g, 1000000));
        put(g, fg_builder_span_attr, "order.id", text_value(g->text));
    }
    if (below(g, 3) == 0)
        put(g, fg_builder_span_attr, "retry", bits_value(FG_VALUE_BOOL, below(g, 2)));
    if (below(g, 3) == 0) {
        snprintf(g->text, sizeof g->text,
                 "SELECT id, state FROM orders WHERE customer = $1 AND total > %u ORDER BY id",
                 below(g, 50));
        put(g, fg_builder_span_attr, "db.statement", text_value(g->text));
    }
    if (below(g, 4) == 0) { /* one key, two types */
        double total = below(g, 9000) / 4.0;
        uint64_t bits;
        memcpy(&bits, &total, sizeof bits);
        put(g, fg_builder_span_attr, "order.total",
            below(g, 2) ? bits_value(FG_VALUE_DOUBLE, bits)
                        : bits_value(FG_VALUE_INT, below(g, 2000)));
    }
    put_random(g, fg_builder_span_attr, below(g, 4) ? 1 : 8);
}

static void put_events(struct generator *g, uint64_t start_ns)
{
    static const char *const names[] = {"exception", "message", "retry"};
    for (uint32_t count = below(g, 5) ? 0 : 1 + below(g, 3); count > 0; count--) {
        must(fg_builder_event_begin(g->builder));
        uint32_t which = below(g, 3);
        if (which == 0)
            put(g, fg_builder_event_attr, "exception.type", text_value("java.io.IOException"));
        put_random(g, fg_builder_event_attr, 3);
        must(fg_builder_event_end(g->builder, start_ns + below(g, 1000000), slice(names[which]),
                                  is_odd(g) ? 1 + below(g, 5) : 0));
    }
}

static void put_links(struct generator *g)
{
    for (uint32_t count = below(g, 10) ? 0 : 1 + below(g, 2); count > 0; count--) {
        must(fg_builder_link_begin(g->builder));
        put_random(g, fg_builder_link_attr, 2);
        struct fg_link link = {.trace_id_high = test_random_u64(&g->random),
                               .trace_id_low = test_random_u64(&g->random),
                               .span_id = test_random_u64(&g->random),
                               .trace_state = slice(is_odd(g) ? "vendor=1" : ""),
                               .flags = is_odd(g) ? 0x301 : 0,
                               .dropped_attrs = is_odd(g) ? 2 : 0};
        must(fg_builder_link_end(g->builder, &link));
    }
}

static void put_rare(struct generator *g, struct fg_span *span)
{
    if (is_odd(g))
        span->flags = below(g, 0x400);
    if (is_odd(g))
        span->marks = (uint16_t)(1u << below(g, 8));
    if (is_odd(g))
        span->trace_state = slice(below(g, 2) ? "rojo=00f067aa" : "congo=t61r");
    if (is_odd(g))
        span->dropped_attrs = 1 + below(g, 9);
    if (is_odd(g))
        span->dropped_events = 1 + below(g, 9);
    if (is_odd(g))
        span->dropped_links = 1 + below(g, 9);
    if (is_odd(g))
        span->end_ns = below(g, 4) ? 0 : span->start_ns - 1 - below(g, 1000);
}

static void make_span(struct generator *g, struct fg_span *span)
{
    static char message[32];
    must(fg_builder_span_begin(g->builder));
    span->received_ns = span->end_ns + below(g, 1000000000);
    span->name = slice(span_names[below(g, COUNT(span_names))]);
    span->resource = g->resources[below(g, g->options->service_count)];
    span->scope = g->scopes[below(g, 4)];
    span->kind = (uint8_t)below(g, 6);
    span->status = below(g, 12) ? FG_STATUS_UNSET : (uint8_t)(1 + below(g, 2));
    if (span->status == FG_STATUS_ERROR) {
        snprintf(message, sizeof message, "timeout after %u ms", below(g, 4) * 500);
        span->status_message = slice(message);
    }
    put_rare(g, span);
    put_links(g);
    put_attributes(g);
    put_events(g, span->start_ns);
    must(fg_builder_span_end(g->builder, span));
}

/* Parents come before children, each child within its parent's time. */
static void make_trace(struct generator *g, uint32_t span_count)
{
    static struct {
        uint64_t id, start_ns, end_ns;
    } made[TRACE_SPANS_MAX];
    uint64_t high = test_random_u64(&g->random), low = test_random_u64(&g->random);
    uint64_t spread_ns = g->options->spread_ns;
    for (uint32_t i = 0; i < span_count; i++) {
        struct fg_span span = {
            .trace_id_high = high, .trace_id_low = low, .span_id = test_random_u64(&g->random) | 1};
        uint32_t parent = i ? below(g, i) : 0;
        if (i == 0) {
            span.start_ns = g->options->start_ns;
            if (spread_ns)
                span.start_ns += test_random_u64(&g->random) % spread_ns;
            span.end_ns = span.start_ns + 1000 + below(g, 2000000000);
            span.parent_span_id = is_odd(g) ? test_random_u64(&g->random) : 0; /* it is elsewhere */
        } else {
            uint64_t room_ns = made[parent].end_ns - made[parent].start_ns;
            span.parent_span_id = made[parent].id;
            span.start_ns = made[parent].start_ns + test_random_u64(&g->random) % (room_ns + 1);
            span.end_ns = span.start_ns +
                          test_random_u64(&g->random) % (made[parent].end_ns - span.start_ns + 1);
        }
        made[i].id = span.span_id;
        made[i].start_ns = span.start_ns;
        made[i].end_ns = span.end_ns;
        make_span(g, &span);
    }
}

void random_batch_fill(struct fg_builder *builder, const struct random_batch_options *options)
{
    struct generator g = {
        .random = {.state = options->seed}, .options = options, .builder = builder};
    for (uint32_t i = 0; i < options->service_count; i++)
        make_resource(&g, i);
    for (uint32_t i = 0; i < COUNT(g.scopes); i++)
        make_scope(&g, i);
    uint32_t left = options->span_count;
    while (left > 0) {
        uint32_t count = 1 + below(&g, options->trace_spans_max);
        if (count > left)
            count = left;
        make_trace(&g, count);
        left -= count;
    }
}
