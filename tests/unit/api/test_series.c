/* What services did over time, how long it took, and who calls whom: series, heat map and map,
 * against figures that are counted by hand. */
#include "api_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fixture fixture;

static int set_up(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_end(&fixture);
    return 0;
}

static json_t *get(const char *path, const char *query)
{
    if (fixture_get(&fixture, path, query) != 200)
        fail_msg("%s?%s: %u: %s", path, query ? query : "", fixture.last.status,
                 fixture_text(&fixture));
    return fixture_json(&fixture);
}

static void refused(const char *path, const char *query, const char *part)
{
    assert_int_equal(fixture_get(&fixture, path, query), 400);
    if (!strstr(fixture_text(&fixture), part))
        fail_msg("%s?%s: %s", path, query, fixture_text(&fixture));
}

static json_int_t count_at(const json_t *root, const char *name)
{
    return json_integer_value(json_object_get(root, name));
}

static const char *text_at(const json_t *root, const char *name)
{
    const char *text = json_string_value(json_object_get(root, name));
    return text ? text : "";
}

/* -- Spans
 * ---------------------------------------------------------------------------------------
 */

enum kind { INTERNAL = 1, SERVER, CLIENT, PRODUCER, CONSUMER };

struct one {
    const char *service, *name;
    enum kind kind;
    unsigned id, parent, link;    /* link: a span of the same trace; 0: none */
    unsigned before_s, length_ms; /* start before FIXTURE_NOW_NS */
    bool is_error;
    const char *attributes[6]; /* key, value, … */
};

static void send(const struct one *one)
{
    uint64_t start_ns = FIXTURE_NOW_NS - one->before_s * UINT64_C(1000000000);
    struct fg_buffer body;
    fg_buffer_init(&body, 1 << 16);
    fg_buffer_append_format(
        &body,
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
        "\"stringValue\":\"%s\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":\"" FIXTURE_TRACE
        "\",\"spanId\":\"%016x\",\"name\":\"%s\",\"kind\":%d,\"startTimeUnixNano\":\"%llu\","
        "\"endTimeUnixNano\":\"%llu\",\"status\":{\"code\":%d},\"attributes\":[",
        one->service, one->id, one->name, (int)one->kind, (unsigned long long)start_ns,
        (unsigned long long)(start_ns + one->length_ms * UINT64_C(1000000)), one->is_error ? 2 : 0);
    for (size_t i = 0; i < 6 && one->attributes[i]; i += 2)
        fg_buffer_append_format(&body, "%s{\"key\":\"%s\",\"value\":{\"stringValue\":\"%s\"}}",
                                i ? "," : "", one->attributes[i], one->attributes[i + 1]);
    fg_buffer_append_string(&body, "]");
    if (one->parent)
        fg_buffer_append_format(&body, ",\"parentSpanId\":\"%016x\"", one->parent);
    if (one->link)
        fg_buffer_append_format(
            &body, ",\"links\":[{\"traceId\":\"" FIXTURE_TRACE "\",\"spanId\":\"%016x\"}]",
            one->link);
    fg_buffer_append_string(&body, "}]}]}]}");
    fg_buffer_append_byte(&body, 0);
    fixture_send(&fixture, (const char *)body.data);
    fg_buffer_free(&body);
}

#define SEND(...) send(&(const struct one){__VA_ARGS__})

/* -- Series
 * --------------------------------------------------------------------------------------
 */

/* Minutes 10 and 9 before now, of 1 and 2 requests with an error, and an internal span. */
static void send_minutes(void)
{
    SEND("shop", "GET /", SERVER, 1, 0, 0, 600, 100, false, {0});
    SEND("shop", "GET /", SERVER, 2, 0, 0, 540, 100, true, {0});
    SEND("shop", "GET /", SERVER, 3, 0, 0, 530, 400, false, {0});
    SEND("shop", "work", INTERNAL, 4, 3, 0, 530, 1, false, {0});
    SEND("batch", "run", INTERNAL, 5, 0, 0, 60, 7, false, {0});
}

static const json_t *series_of(const json_t *root, const char *service, const char *name)
{
    size_t i;
    const json_t *series;
    json_array_foreach(
        json_object_get(root, "series"), i,
        series) if (strcmp(text_at(series, "service"), service) == 0 &&
                    (!name || strcmp(text_at(series, "name"), name) == 0)) return series;
    fail_msg("no series %s %s in %s", service, name ? name : "", fixture_text(&fixture));
    return NULL;
}

static json_int_t point(const json_t *series, const char *name, size_t index)
{
    return json_integer_value(json_array_get(json_object_get(series, name), index));
}

#define WINDOW "start=2025-11-25T11:50:00Z&end=2025-11-25T12:00:00Z"

static void series_by_service(void **state)
{
    (void)state;
    send_minutes();
    json_t *root = get("/api/v1/series", WINDOW);
    assert_string_equal(text_at(root, "start_ns"), "1764071400000000000");
    assert_int_equal(count_at(root, "step_ns"), 60000000000);
    assert_int_equal(count_at(root, "count"), 10);
    assert_int_equal(json_array_size(json_object_get(root, "series")), 2);
    const json_t *shop = series_of(root, "shop", NULL);
    assert_int_equal(json_array_size(json_object_get(shop, "span_count")), 10);
    assert_int_equal(point(shop, "span_count", 0), 1);
    assert_int_equal(point(shop, "span_count", 1), 3);
    assert_int_equal(point(shop, "span_count", 2), 0);
    assert_int_equal(point(shop, "error_count", 1), 1);
    assert_true(llabs(point(shop, "p50_ns", 0) - 100000000) < 5000000);
    assert_true(llabs(point(shop, "p99_ns", 1) - 400000000) < 20000000);
    assert_int_equal(point(shop, "p99_ns", 2), 0);
    const json_t *total = json_object_get(shop, "total");
    assert_int_equal(count_at(total, "span_count"), 4);
    assert_int_equal(count_at(total, "error_count"), 1);
    assert_int_equal(point(series_of(root, "batch", NULL), "span_count", 9), 1);
    json_decref(root);
}

/* A service is what it was asked; one that nobody asks is all that it did. */
static void series_of_requests(void **state)
{
    (void)state;
    send_minutes();
    json_t *root = get("/api/v1/series", WINDOW "&of=requests");
    const json_t *shop = series_of(root, "shop", NULL), *batch = series_of(root, "batch", NULL);
    assert_int_equal(json_array_size(json_object_get(root, "series")), 2);
    assert_string_equal(text_at(shop, "of"), "requests");
    assert_int_equal(count_at(json_object_get(shop, "total"), "span_count"), 3);
    assert_true(llabs(count_at(json_object_get(shop, "total"), "p50_ns") - 100000000) < 5000000);
    assert_string_equal(text_at(batch, "of"), "spans");
    assert_int_equal(count_at(json_object_get(batch, "total"), "span_count"), 1);
    json_decref(root);
}

static void series_by_operation(void **state)
{
    (void)state;
    send_minutes();
    json_t *root = get("/api/v1/series", WINDOW "&service=shop&by=operation&step=5m");
    assert_int_equal(count_at(root, "count"), 2);
    assert_int_equal(point(series_of(root, "shop", "GET /"), "span_count", 0), 3);
    assert_int_equal(point(series_of(root, "shop", "work"), "span_count", 0), 1);
    assert_string_equal(text_at(series_of(root, "shop", "work"), "kind"), "internal");
    json_decref(root);
    root = get("/api/v1/series", WINDOW "&service=shop&by=operation&limit=1");
    assert_int_equal(json_array_size(json_object_get(root, "series")), 1);
    assert_int_equal(count_at(root, "left_off"), 1);
    json_decref(root);
    root = get("/api/v1/series", WINDOW "&service=shop&name=work");
    assert_int_equal(
        count_at(json_object_get(series_of(root, "shop", NULL), "total"), "span_count"), 1);
    json_decref(root);
}

/* One series of everything, for what the whole server takes. */
static void series_of_all(void **state)
{
    (void)state;
    send_minutes();
    json_t *root = get("/api/v1/series", WINDOW "&by=all");
    assert_int_equal(json_array_size(json_object_get(root, "series")), 1);
    const json_t *all = series_of(root, "", NULL);
    assert_int_equal(count_at(json_object_get(all, "total"), "span_count"), 5);
    assert_int_equal(point(all, "span_count", 1), 3);
    assert_int_equal(point(all, "span_count", 9), 1);
    json_decref(root);
}

/* Without bounds it is the last hour; a window is widened to whole steps. */
static void series_windows(void **state)
{
    (void)state;
    json_t *root = get("/api/v1/series", NULL);
    assert_string_equal(text_at(root, "start_ns"), "1764068400000000000");
    assert_int_equal(count_at(root, "count"), 60);
    json_decref(root);
    root = get("/api/v1/series", "start=2025-11-18T12:00:00Z&end=2025-11-25T12:00:01Z");
    assert_int_equal(count_at(root, "step_ns"), 10800000000000);
    assert_int_equal(count_at(root, "count"), 57);
    json_decref(root);
    refused("/api/v1/series", "step=90s", "whole minutes");
    refused("/api/v1/series", "step=0", "whole minutes");
    refused("/api/v1/series", "start=2020-01-01&end=2025-01-01&step=1m", "more than 1500 points");
    refused("/api/v1/series", "by=colour", "expected service, operation or all");
    refused("/api/v1/series", "by=operation", "needs a service");
    refused("/api/v1/series", "by=operation&of=requests&service=a", "not of operations");
    refused("/api/v1/series", "limit=0", "whole number");
    refused("/api/v1/series", "colour=red", "no parameter 'colour'");
    refused("/api/v1/series", "start=2025-11-25T13:00:00Z", "end must come after start");
}

static void durations(void **state)
{
    (void)state;
    send_minutes();
    json_t *root = get("/api/v1/durations", WINDOW "&service=shop&name=GET%20/");
    const json_t *bounds = json_object_get(root, "bounds_ns"), *cell;
    json_int_t spans[2] = {0}, errors = 0;
    size_t i;
    json_array_foreach(json_object_get(root, "cells"), i, cell)
    {
        json_int_t at = json_integer_value(json_array_get(cell, 0));
        size_t row = (size_t)json_integer_value(json_array_get(cell, 1));
        json_int_t begin_ns = json_integer_value(json_array_get(bounds, row));
        json_int_t end_ns = json_integer_value(json_array_get(bounds, row + 1));
        assert_true(at == 0 || at == 1);
        assert_true(begin_ns <= 100000000 ? end_ns > 100000000
                                          : begin_ns <= 400000000 && end_ns > 400000000);
        spans[at] += json_integer_value(json_array_get(cell, 2));
        errors += json_integer_value(json_array_get(cell, 3));
    }
    assert_int_equal(spans[0], 1);
    assert_int_equal(spans[1], 2);
    assert_int_equal(errors, 1);
    json_decref(root);
    root = get("/api/v1/durations", WINDOW "&of=requests");
    assert_int_equal(json_array_size(json_object_get(root, "cells")), 3); /* no internal ones */
    json_decref(root);
    root = get("/api/v1/durations", "service=nobody");
    assert_int_equal(json_array_size(json_object_get(root, "bounds_ns")), 0);
    json_decref(root);
    refused("/api/v1/durations", "by=service", "no parameter 'by'");
}

/* -- The map
 * -------------------------------------------------------------------------------------
 */

static const json_t *node_of(const json_t *root, const char *name)
{
    size_t i;
    const json_t *node;
    json_array_foreach(json_object_get(root, "nodes"), i,
                       node) if (strcmp(text_at(node, "name"), name) == 0) return node;
    fail_msg("no node %s in %s", name, fixture_text(&fixture));
    return NULL;
}

static bool has_node(const json_t *root, const char *name)
{
    size_t i;
    const json_t *node;
    json_array_foreach(json_object_get(root, "nodes"), i,
                       node) if (strcmp(text_at(node, "name"), name) == 0) return true;
    return false;
}

static const json_t *find_edge(const json_t *root, const char *from, const char *to)
{
    json_int_t from_id = count_at(node_of(root, from), "id"),
               to_id = count_at(node_of(root, to), "id");
    size_t i;
    const json_t *edge;
    json_array_foreach(json_object_get(root, "edges"), i,
                       edge) if (count_at(edge, "from") == from_id &&
                                 count_at(edge, "to") == to_id) return edge;
    return NULL;
}

static const json_t *edge_of(const json_t *root, const char *from, const char *to)
{
    const json_t *edge = find_edge(root, from, to);
    if (!edge)
        fail_msg("no edge %s to %s in %s", from, to, fixture_text(&fixture));
    return edge;
}

#define MAP_WINDOW "start=2025-11-25T11:00:00Z&end=2025-11-25T12:00:00Z"

/* A database, an object store and an outside service that send no spans: known by their callers,
 * by the names of the conventions and by the old ones. */
static void map_of_unwatched(void **state)
{
    (void)state;
    SEND("shop", "POST /", SERVER, 1, 0, 0, 60, 100, false, {0});
    SEND("shop", "SELECT", CLIENT, 2, 1, 0, 60, 10, false,
         {"db.system.name", "postgresql", "db.namespace", "shop", "server.address", "db1"});
    SEND("shop", "INSERT", CLIENT, 3, 1, 0, 60, 20, true,
         {"db.system", "postgresql", "db.name", "shop"});
    SEND("shop", "PUT", CLIENT, 4, 1, 0, 60, 30, false, {"aws.s3.bucket", "models"});
    SEND("shop", "GET", CLIENT, 5, 1, 0, 60, 40, false,
         {"url.full", "https://me@bank.example:8443/pay?x=1"});
    SEND("shop", "call", CLIENT, 6, 1, 0, 60, 40, false, {0}); /* to nobody known */
    json_t *root = get("/api/v1/map", MAP_WINDOW);
    assert_int_equal(json_array_size(json_object_get(root, "nodes")), 4);
    const json_t *shop = node_of(root, "models");
    assert_string_equal(text_at(shop, "kind"), "object_store");
    assert_false(json_boolean_value(json_object_get(shop, "is_watched")));
    assert_string_equal(text_at(node_of(root, "bank.example"), "kind"), "external");
    size_t i;
    const json_t *edge;
    const char *query = "";
    json_array_foreach(json_object_get(root, "edges"), i, edge)
    {
        const json_t *to =
            json_array_get(json_object_get(root, "nodes"), (size_t)count_at(edge, "to"));
        if (strcmp(text_at(to, "kind"), "database") != 0)
            continue;
        query = text_at(edge, "query");
        assert_string_equal(text_at(to, "name"), "shop");
        assert_string_equal(text_at(to, "system"), "postgresql");
        assert_int_equal(count_at(to, "count"), 2);
        assert_int_equal(count_at(to, "error_count"), 1);
        assert_int_equal(count_at(edge, "count"), 2);
    }
    if (!strstr(query, "db.system") || strncmp(query, "service=\"shop\" ", 15) != 0)
        fail_msg("%s", query);
    assert_false(json_boolean_value(json_object_get(root, "is_partial")));
    json_decref(root);
}

/* Between services the rollups count; a call to an answered address that nobody answered is said.
 */
static void map_of_services(void **state)
{
    (void)state;
    fixture_send_order(&fixture);
    SEND("shop-api", "POST mes", CLIENT, 2, 0, 0, 90, 50, true, {"server.address", "mes"});
    SEND("shop-api", "POST mes", CLIENT, 3, 0, 0, 90, 50, false, {"server.address", "mes"});
    SEND("mes-api", "price.calculate", SERVER, 4, 3, 0, 90, 40, false, {0});
    json_t *root = get("/api/v1/map", MAP_WINDOW);
    assert_int_equal(json_array_size(json_object_get(root, "nodes")), 2);
    const json_t *edge = edge_of(root, "shop-api", "mes-api");
    assert_true(json_boolean_value(json_object_get(node_of(root, "mes-api"), "is_watched")));
    /* the rollup of a block knows its own parents, spans know those of other blocks too */
    assert_int_equal(count_at(edge, "count"), 2);
    assert_int_equal(count_at(edge, "error_count"), 1);
    assert_int_equal(count_at(edge, "unanswered_count"), 1);
    assert_int_equal(count_at(edge, "unanswered_error_count"), 1);
    assert_true(llabs(count_at(edge, "p99_ns") - 200000000) < 10000000);
    assert_true(json_real_value(json_object_get(edge, "rate")) == 2.0 / 3600);
    assert_string_equal(text_at(edge, "query"), "service=\"shop-api\" name=\"POST mes\"");
    json_decref(root);
}

/* A queue lies between the one who sends and the one who takes; the time in it is from one to the
 * other, over a parent or a link. */
/* published, waiting, consumed, redelivered, rejected, returned */
static void assert_messages(const json_t *node, const char *counts, const char *waiting_since)
{
    static const char *const names[] = {"published",   "waiting",  "consumed",
                                        "redelivered", "rejected", "returned"};
    const json_t *messages = json_object_get(node, "messages");
    char text[128] = "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *count = json_object_get(messages, names[i]);
        char *one = json_dumps(count, JSON_ENCODE_ANY);
        strcat(text, i ? " " : "");
        strcat(text, one ? one : "absent");
        free(one);
    }
    assert_string_equal(text, counts);
    const char *since = json_string_value(json_object_get(messages, "waiting_since"));
    assert_true((since == NULL) == (waiting_since == NULL));
    if (since)
        assert_string_equal(since, waiting_since);
}

static void map_of_queues(void **state)
{
    (void)state;
    SEND("crm", "publish", PRODUCER, 1, 0, 0, 60, 1000, false,
         {"messaging.system", "rabbitmq", "messaging.destination.name", "mes.orders"});
    SEND("mes", "process", CONSUMER, 2, 1, 0, 50, 5, false,
         {"messaging.system", "rabbitmq", "messaging.destination.name", "mes.orders"});
    SEND("crm", "publish", PRODUCER, 3, 0, 0, 60, 1000, false,
         {"messaging.system", "rabbitmq", "messaging.destination.name", "mes.orders"});
    SEND("mes", "process", CONSUMER, 4, 0, 3, 50, 5, true,
         {"messaging.system", "rabbitmq", "messaging.destination.name", "mes.orders"});
    /* refused and delivered again, told by the broker the second time; and what no queue takes */
    SEND("crm", "publish", PRODUCER, 5, 0, 0, 55, 1000, false,
         {"messaging.system", "rabbitmq", "messaging.destination.name", "crm.news"});
    SEND("mes", "process", CONSUMER, 6, 5, 0, 52, 5, true,
         {"messaging.system", "rabbitmq", "messaging.destination.name", "crm.news"});
    SEND("mes", "process", CONSUMER, 7, 5, 0, 51, 5, false,
         {"messaging.system", "rabbitmq", "messaging.destination.name", "crm.news"});
    SEND("crm", "publish", PRODUCER, 8, 0, 0, 45, 1000, false,
         {"messaging.system", "rabbitmq", "messaging.destination.name", "crm.news"});
    SEND("crm", "publish", PRODUCER, 9, 0, 0, 44, 1000, true,
         {"messaging.system", "rabbitmq", "messaging.destination.name", "crm.news", "error.type",
          "NO_ROUTE"});
    SEND("crm", "publish", PRODUCER, 10, 0, 0, 40, 1000, false,
         {"messaging.system", "rabbitmq", "messaging.destination.name", "printer"});
    /* an acknowledgement is no call to a queue */
    SEND("mes", "ack", CLIENT, 11, 7, 0, 51, 5, false,
         {"messaging.system", "rabbitmq", "messaging.destination.name", "news:all:crm.news",
          "messaging.operation.type", "settle"});
    json_t *root = get("/api/v1/map", MAP_WINDOW);
    assert_false(has_node(root, "news:all:crm.news"));
    const json_t *queue = node_of(root, "mes.orders");
    assert_messages(queue, "2 0 1 0 1 0", NULL);
    assert_messages(node_of(root, "crm.news"), "2 1 1 1 1 1", "2025-11-25T11:59:16.000Z");
    assert_messages(node_of(root, "printer"), "1 null 0 0 0 0", NULL); /* whose reader is unseen */
    assert_true(json_is_null(json_object_get(node_of(root, "mes"), "messages")));
    assert_string_equal(text_at(queue, "kind"), "queue");
    assert_true(llabs(count_at(queue, "p50_ns") - 9000000000) < 450000000);
    const json_t *in = edge_of(root, "crm", "mes.orders"),
                 *out = edge_of(root, "mes.orders", "mes");
    assert_int_equal(count_at(in, "count"), 2);
    assert_int_equal(count_at(out, "count"), 2);
    assert_int_equal(count_at(out, "error_count"), 1);
    assert_string_equal(text_at(in, "query"),
                        "service=\"crm\" messaging.destination.name=\"mes.orders\"");
    assert_string_equal(text_at(out, "query"), "service=\"mes\" name=\"process\"");
    assert_true(
        json_boolean_value(json_object_get(edge_of(root, "crm", "mes"), "is_through_queue")));
    json_decref(root);
}

/* More than is read at once: what was read is counted over its time, and that is said. */
static void map_in_part(void **state)
{
    (void)state;
    fixture_send_order(&fixture);
    fake_store_set_faults(fixture.store, &(struct fake_store_faults){.damaged_pages = 1});
    json_t *root = get("/api/v1/map", MAP_WINDOW);
    assert_true(json_boolean_value(json_object_get(root, "is_partial")));
    json_decref(root);
    fake_store_set_faults(fixture.store, &(struct fake_store_faults){.read = FG_EIO});
    assert_int_equal(fixture_get(&fixture, "/api/v1/map", NULL), 503);
    assert_int_equal(fixture_get(&fixture, "/api/v1/series", NULL), 503);
    assert_int_equal(fixture_get(&fixture, "/api/v1/durations", NULL), 503);
    fake_store_set_faults(fixture.store, &(struct fake_store_faults){0});
    refused("/api/v1/map", "service=a", "no parameter 'service'");
    refused("/api/v1/map", "start=2025-11-25T13:00:00Z", "end must come after start");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(series_by_service), CASE(series_of_requests), CASE(series_by_operation),
        CASE(series_of_all),     CASE(series_windows),     CASE(durations),
        CASE(map_of_unwatched),  CASE(map_of_services),    CASE(map_of_queues),
        CASE(map_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
