/* The small and the wide shape as tables: a trace of thirteen spans, a customer's order from the
 * shop's API over the CRM and a message broker to the system that computes the price. */
#include "template.h"

#include "base/endian.h"
#include "company.h"
#include "wire/otlp.h"
#include "wire/protobuf.h"

#define SMALL_SERVICES 3u
#define WIDE_SERVICES  50u
#define WIDE_NAMES     3000u
#define WIDE_KEYS      160u
#define WIDE_ATTRS     40u
#define TEXT_SIZE      2048

const struct fg_bench_slot fg_bench_slots[FG_BENCH_TRACE_SPANS] = {
    {-1, 0, 1000}, {0, 10, 60},    {0, 70, 180},  {0, 190, 330}, {0, 340, 520},
    {4, 350, 510}, {5, 370, 490},  {0, 540, 560}, {7, 600, 980}, {8, 610, 690},
    {8, 700, 880}, {10, 705, 870}, {8, 890, 970},
};

/* Field numbers of opentelemetry/proto/trace/v1/trace.proto. */
enum {
    REQUEST_RESOURCE_SPANS = 1,
    RESOURCE_SPANS_RESOURCE = 1,
    RESOURCE_SPANS_SCOPE_SPANS = 2,
    RESOURCE_ATTRIBUTES = 1,
    SCOPE_SPANS_SCOPE = 1,
    SCOPE_SPANS_SPANS = 2,
    SCOPE_NAME = 1,
    SCOPE_VERSION = 2,
    SPAN_TRACE_ID = 1,
    SPAN_SPAN_ID = 2,
    SPAN_PARENT_ID = 4,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START = 7,
    SPAN_END = 8,
    SPAN_ATTRIBUTES = 9,
    SPAN_STATUS = 15,
    STATUS_MESSAGE = 2,
    STATUS_CODE = 3,
    ATTRIBUTE_KEY = 1,
    ATTRIBUTE_VALUE = 2,
};

struct writer {
    struct fg_buffer *out;
    uint64_t chance;
};

static uint64_t draw(struct writer *writer, uint64_t bound)
{
    writer->chance = fg_bench_mix(writer->chance);
    return writer->chance % bound;
}

static void put_attribute(struct writer *writer, uint32_t field, const char *key,
                          struct fg_otlp_value value)
{
    size_t attribute = fg_pb_begin(writer->out, field);
    fg_pb_put_bytes(writer->out, ATTRIBUTE_KEY, fg_slice_from_string(key));
    size_t mark = fg_pb_begin(writer->out, ATTRIBUTE_VALUE);
    fg_otlp_value_encode(writer->out, &value);
    fg_pb_end(writer->out, mark);
    fg_pb_end(writer->out, attribute);
}

static void put_text(struct writer *writer, const char *key, const char *text)
{
    put_attribute(writer, SPAN_ATTRIBUTES, key, fg_otlp_string(fg_slice_from_string(text)));
}

static void put_int(struct writer *writer, const char *key, int64_t integer)
{
    put_attribute(writer, SPAN_ATTRIBUTES, key, fg_otlp_int(integer));
}

/* -- The small shape ----------------------------------------------------------------------------
 */

static const char *const small_services[SMALL_SERVICES] = {"shop-api", "crm-api", "mes-api"};

static const struct fg_bench_plan small_plans[FG_BENCH_TRACE_SPANS] = {
    {0, HTTP_SERVER, FG_OTLP_KIND_SERVER, "POST /api/orders", {"POST", "/api/orders", "201"}},
    {0, WORK, FG_OTLP_KIND_INTERNAL, "order.validate", {"OrderValidator.Validate"}},
    {0,
     DATABASE,
     FG_OTLP_KIND_CLIENT,
     "INSERT shop.orders",
     {"shop", "INSERT",
      "INSERT INTO orders (id, customer_id, model_key, state) VALUES ($1, $2, $3, "
      "$4)"}},
    {0, OBJECT_STORE, FG_OTLP_KIND_CLIENT, "S3.PutObject", {"PutObject"}},
    {0,
     HTTP_CLIENT,
     FG_OTLP_KIND_CLIENT,
     "GET /api/customers/{id}",
     {"GET", "/api/customers/{id}", "200"}},
    {1,
     HTTP_SERVER,
     FG_OTLP_KIND_SERVER,
     "GET /api/customers/{id}",
     {"GET", "/api/customers/{id}", "200"}},
    {1,
     DATABASE,
     FG_OTLP_KIND_CLIENT,
     "SELECT crm.customers",
     {"crm", "SELECT", "SELECT id, name, grade, discount FROM customers WHERE id = $1"}},
    {0, MESSAGE, FG_OTLP_KIND_PRODUCER, "mes.orders publish", {"publish"}},
    {2, MESSAGE, FG_OTLP_KIND_CONSUMER, "mes.orders process", {"process"}},
    {2, OBJECT_STORE, FG_OTLP_KIND_CLIENT, "S3.GetObject", {"GetObject"}},
    {2, WORK, FG_OTLP_KIND_INTERNAL, "price.calculate", {"PriceCalculator.Calculate"}},
    {2,
     DATABASE,
     FG_OTLP_KIND_CLIENT,
     "SELECT mes.materials",
     {"mes", "SELECT", "SELECT id, density, price FROM materials WHERE alloy = ANY($1)"}},
    {2,
     DATABASE,
     FG_OTLP_KIND_CLIENT,
     "INSERT mes.prices",
     {"mes", "INSERT",
      "INSERT INTO prices (order_id, amount, currency, computed_at) VALUES ($1, $2, "
      "$3, now())"}},
};

static void put_http(struct writer *writer, const struct fg_bench_plan *plan)
{
    static const char *const clients[] = {"198.51.100.17", "198.51.100.34", "203.0.113.5",
                                          "203.0.113.77",  "192.0.2.140",   "192.0.2.9"};
    bool is_server = plan->kind == FG_OTLP_KIND_SERVER;
    put_text(writer, "http.request.method", plan->detail[0]);
    put_text(writer, is_server ? "http.route" : "url.template", plan->detail[1]);
    put_text(writer, is_server ? "url.path" : "url.full",
             is_server ? "/api/orders/ORD-@@@@@@@@" : "http://crm-api:8080/api/customers/@@@@@@@@");
    put_int(writer, "http.response.status_code", plan->detail[2][2] == '1' ? 201 : 200);
    put_int(writer, "http.response.body.size", FG_BENCH_NUMBER);
    if (is_server)
        put_text(writer, "client.address", clients[draw(writer, 6)]);
    put_text(writer, "server.address", is_server ? "api.shop.example" : "crm-api");
    put_text(writer, "order.id", "ORD-@@@@@@@@");
}

static void put_database(struct writer *writer, const struct fg_bench_plan *plan)
{
    put_text(writer, "db.system.name", "postgresql");
    put_text(writer, "db.namespace", plan->detail[0]);
    put_text(writer, "db.operation.name", plan->detail[1]);
    put_text(writer, "db.query.text", plan->detail[2]);
    put_text(writer, "server.address", draw(writer, 4) ? "pg-1.db" : "pg-2.db");
    put_int(writer, "server.port", 5432);
    put_int(writer, "db.response.returned_rows", (int64_t)draw(writer, 12));
}

static void put_object_store(struct writer *writer, const struct fg_bench_plan *plan)
{
    put_text(writer, "rpc.system", "aws-api");
    put_text(writer, "rpc.service", "S3");
    put_text(writer, "rpc.method", plan->detail[0]);
    put_text(writer, "aws.s3.bucket", "customer-models");
    put_text(writer, "aws.s3.key", "models/2026/ORD-@@@@@@@@/model.stl");
    put_int(writer, "http.request.body.size", FG_BENCH_NUMBER);
    put_int(writer, "http.response.status_code", 200);
    put_text(writer, "order.id", "ORD-@@@@@@@@");
}

static void put_message(struct writer *writer, const struct fg_bench_plan *plan)
{
    put_text(writer, "messaging.system", "rabbitmq");
    put_text(writer, "messaging.destination.name",
             plan->detail[1] ? plan->detail[1] : "mes.orders");
    put_text(writer, "messaging.operation.type", plan->detail[0]);
    put_text(writer, "messaging.message.id",
             plan->detail[1] ? "################" : "########-####-####-####-############");
    put_int(writer, "messaging.message.body.size", FG_BENCH_NUMBER);
    put_text(writer, "messaging.rabbitmq.destination.routing_key", "orders.new");
    put_text(writer, "order.id", "ORD-@@@@@@@@");
}

static void put_work(struct writer *writer, const struct fg_bench_plan *plan)
{
    static const char *const alloys[] = {"gold-585", "gold-750", "silver-925", "platinum-950"};
    put_text(writer, "code.function.name", plan->detail[0]);
    put_text(writer, "thread.name", draw(writer, 2) ? "worker-1" : "worker-2");
    put_text(writer, "model.alloy", alloys[draw(writer, 4)]);
    put_int(writer, "model.triangles", FG_BENCH_NUMBER);
    put_text(writer, "order.id", "ORD-@@@@@@@@");
}

static void put_list(struct writer *writer, const struct fg_bench_plan *plan)
{
    put_text(writer, "http.request.method", plan->detail[0]);
    put_text(writer, "url.path", plan->detail[1]);
    put_int(writer, "http.response.status_code", 200);
    put_int(writer, "http.response.body.size", FG_BENCH_NUMBER);
    put_text(writer, "client.address", "192.0.2.9");
    put_text(writer, "server.address", "mes.shop.example");
}

static void put_small_attributes(struct writer *writer, const struct fg_bench_plan *plan)
{
    switch ((enum fg_bench_part)plan->part) {
    case HTTP_SERVER:
    case HTTP_CLIENT:
        put_http(writer, plan);
        break;
    case DATABASE:
        put_database(writer, plan);
        break;
    case OBJECT_STORE:
        put_object_store(writer, plan);
        break;
    case MESSAGE:
        put_message(writer, plan);
        break;
    case WORK:
        put_work(writer, plan);
        break;
    case LIST:
        put_list(writer, plan);
        break;
    }
}

/* As libfiligree does it: each span of an order names it. */
static void put_company_attributes(struct writer *writer, const struct fg_bench_plan *plan)
{
    put_small_attributes(writer, plan);
    if (plan->part == DATABASE)
        put_text(writer, "order.id", "ORD-@@@@@@@@");
    if (plan->detail[3])
        put_text(writer, "order.status", plan->detail[3]);
}

/* -- The wide shape -----------------------------------------------------------------------------
 */

/* A statement of 400 to 1 500 characters: joins and a list of columns, as mappers write them. */
static void put_sql(struct writer *writer, uint64_t table)
{
    char text[TEXT_SIZE];
    size_t size = 0, size_min = 400 + (size_t)draw(writer, 1000);
    size += (size_t)snprintf(text, sizeof text, "SELECT t0.id");
    for (unsigned i = 0; size < size_min; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, ", t%u.column_%02u AS c%u_%u",
                                 i % 5, i, i % 5, i);
    snprintf(text + size, sizeof text - size,
             " FROM table_%04u t0 LEFT JOIN lookup_%03u t1 ON t1.id = t0.ref_id WHERE t0.id = %s",
             (unsigned)(table % 600), (unsigned)(table % 97),
             draw(writer, 4) ? "$1" : "'ORD-@@@@@@@@'");
    put_text(writer, "db.query.text", text);
}

static void put_wide_value(struct writer *writer, const char *key, unsigned type)
{
    char text[100];
    switch (type % 6) {
    case 0:
        put_int(writer, key, FG_BENCH_NUMBER);
        break;
    case 1:
        put_attribute(writer, SPAN_ATTRIBUTES, key, fg_otlp_bool(draw(writer, 2) != 0));
        break;
    case 2:
        put_attribute(writer, SPAN_ATTRIBUTES, key,
                      fg_otlp_double((double)draw(writer, 100000) / 100));
        break;
    case 3:
        put_text(writer, key, "################");
        break;
    default:
        snprintf(text, sizeof text, "value-%u-of-%s", (unsigned)draw(writer, 40), key);
        put_text(writer, key, text);
        break;
    }
}

static void put_wide_attributes(struct writer *writer, uint64_t name)
{
    char key[64];
    put_text(writer, "order.id", "ORD-@@@@@@@@");
    put_text(writer, "http.request.method", name % 2 ? "GET" : "POST");
    put_int(writer, "http.response.status_code", draw(writer, 50) ? 200 : 404);
    put_text(writer, "url.path", "/api/v2/things/@@@@@@@@/parts");
    put_sql(writer, name);
    uint64_t first = draw(writer, WIDE_KEYS);
    for (unsigned i = 5; i < WIDE_ATTRS; i++) {
        unsigned number = (unsigned)((first + i * 3) % WIDE_KEYS);
        snprintf(key, sizeof key, "app.section%02u.field%02u", number / 8, number % 8);
        put_wide_value(writer, key, number);
    }
}

/* -- Both ---------------------------------------------------------------------------------------
 */

struct place {
    enum fg_bench_kind kind;
    uint32_t trace;
    uint32_t span;
    uint64_t chance; /* of the template */
};

static uint64_t place_number(const struct place *place)
{
    return fg_bench_mix(place->chance + place->trace * FG_BENCH_TRACE_SPANS + place->span);
}

static bool is_company(const struct place *place)
{
    return place->kind == FG_BENCH_COMPANY || place->kind == FG_BENCH_PLACED;
}

/* In its set. */
static uint32_t company_trace(const struct place *place)
{
    return place->kind == FG_BENCH_COMPANY ? place->trace % FG_BENCH_COMPANY_TRACES : 0;
}

static uint32_t company_span(const struct place *place)
{
    return fg_bench_company_first(company_trace(place)) + place->span;
}

static const struct fg_bench_plan *plan_of(const struct place *place)
{
    return is_company(place) ? fg_bench_company_plan(company_span(place))
                             : &small_plans[place->span];
}

static uint32_t span_count(const struct place *place)
{
    return is_company(place) ? fg_bench_company_count(company_trace(place)) : FG_BENCH_TRACE_SPANS;
}

static uint32_t service_of(const struct place *place)
{
    if (place->kind == FG_BENCH_WIDE)
        return (uint32_t)(place_number(place) % WIDE_SERVICES);
    return plan_of(place)->service;
}

static void put_ids(struct writer *writer, const struct place *place)
{
    uint8_t trace_id[16] = {0}, span_id[8];
    fg_store_le32(trace_id, place->trace);
    fg_pb_put_bytes(writer->out, SPAN_TRACE_ID, fg_slice(trace_id, sizeof trace_id));
    fg_store_be64(span_id, place->span + 1);
    fg_pb_put_bytes(writer->out, SPAN_SPAN_ID, fg_slice(span_id, sizeof span_id));
    int parent = is_company(place) ? fg_bench_company_parent(company_span(place))
                                   : fg_bench_slots[place->span].parent;
    if (parent < 0)
        return;
    fg_store_be64(span_id, (uint64_t)parent + 1);
    fg_pb_put_bytes(writer->out, SPAN_PARENT_ID, fg_slice(span_id, sizeof span_id));
}

/* One trace of a hundred has a fault in its last span. */
static void put_status(struct writer *writer, const struct place *place)
{
    if (place->span != span_count(place) - 1 || draw(writer, 100) != 0)
        return;
    size_t status = fg_pb_begin(writer->out, SPAN_STATUS);
    fg_pb_put_bytes(writer->out, STATUS_MESSAGE,
                    FG_SLICE("connection to pg-1.db timed out after 5 s"));
    fg_pb_put_varint(writer->out, STATUS_CODE, FG_OTLP_STATUS_ERROR);
    fg_pb_end(writer->out, status);
}

static void put_span(struct writer *writer, const struct place *place)
{
    const struct fg_bench_plan *plan = plan_of(place);
    uint64_t name_number = place_number(place) / WIDE_SERVICES % WIDE_NAMES;
    char wide_name[64];
    snprintf(wide_name, sizeof wide_name, "%s /api/v2/operation-%04u/{id}",
             name_number % 2 ? "GET" : "POST", (unsigned)name_number);
    bool is_wide = place->kind == FG_BENCH_WIDE;
    size_t span = fg_pb_begin(writer->out, SCOPE_SPANS_SPANS);
    put_ids(writer, place);
    fg_pb_put_bytes(writer->out, SPAN_NAME, fg_slice_from_string(is_wide ? wide_name : plan->name));
    fg_pb_put_varint(writer->out, SPAN_KIND, plan->kind);
    fg_pb_put_fixed64(writer->out, SPAN_START, 0);
    fg_pb_put_fixed64(writer->out, SPAN_END, 0);
    if (is_wide)
        put_wide_attributes(writer, name_number);
    else if (is_company(place))
        put_company_attributes(writer, plan);
    else
        put_small_attributes(writer, plan);
    put_status(writer, place);
    fg_pb_end(writer->out, span);
}

static void put_resource(struct writer *writer, enum fg_bench_kind kind, uint32_t service)
{
    char name[32], host[64];
    if (kind == FG_BENCH_WIDE)
        snprintf(name, sizeof name, "service-%u", service + 1);
    else
        snprintf(name, sizeof name, "%s", small_services[service]);
    snprintf(host, sizeof host, "%s-7d9f6c5b4-%05u", name, (unsigned)draw(writer, 4) + 10417);
    size_t resource = fg_pb_begin(writer->out, RESOURCE_SPANS_RESOURCE);
    const char *const attributes[][2] = {{"service.name", name},
                                         {"service.version", "2.4.1"},
                                         {"service.namespace", "jewellery"},
                                         {"deployment.environment.name", "production"},
                                         {"k8s.pod.name", host},
                                         {"telemetry.sdk.language", "dotnet"},
                                         {"telemetry.sdk.version", "1.9.0"}};
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        put_attribute(writer, RESOURCE_ATTRIBUTES, attributes[i][0],
                      fg_otlp_string(fg_slice_from_string(attributes[i][1])));
    fg_pb_end(writer->out, resource);
}

static void put_service(struct writer *writer, struct place place, uint32_t trace_count,
                        uint32_t service)
{
    size_t resource_spans = fg_pb_begin(writer->out, REQUEST_RESOURCE_SPANS);
    put_resource(writer, place.kind, service);
    size_t scope_spans = fg_pb_begin(writer->out, RESOURCE_SPANS_SCOPE_SPANS);
    size_t scope = fg_pb_begin(writer->out, SCOPE_SPANS_SCOPE);
    fg_pb_put_bytes(writer->out, SCOPE_NAME, FG_SLICE("Shop.Instrumentation"));
    fg_pb_put_bytes(writer->out, SCOPE_VERSION, FG_SLICE("1.9.0"));
    fg_pb_end(writer->out, scope);
    for (place.trace = 0; place.trace < trace_count; place.trace++)
        for (place.span = 0; place.span < span_count(&place); place.span++)
            if (service_of(&place) == service)
                put_span(writer, &place);
    fg_pb_end(writer->out, scope_spans);
    fg_pb_end(writer->out, resource_spans);
}

static bool has_service(struct place place, uint32_t trace_count, uint32_t service)
{
    for (place.trace = 0; place.trace < trace_count; place.trace++)
        for (place.span = 0; place.span < span_count(&place); place.span++)
            if (service_of(&place) == service)
                return true;
    return false;
}

void fg_bench_template_write(enum fg_bench_kind kind, uint32_t trace_count, uint64_t chance,
                             struct fg_buffer *out)
{
    struct writer writer = {.out = out, .chance = chance};
    struct place place = {.kind = kind, .chance = chance};
    uint32_t services = kind == FG_BENCH_WIDE ? WIDE_SERVICES : SMALL_SERVICES;
    for (uint32_t service = 0; service < services; service++)
        if (has_service(place, trace_count, service))
            put_service(&writer, place, trace_count, service);
}
