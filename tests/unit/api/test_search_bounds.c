/* What bad input gets from a search over a real store: a pattern that explodes, a budget of one
 * byte, a time limit that is over, a limit of a billion, a year of nothing, a reader that stops
 * reading. A clear refusal, or a bounded answer that says what it is; never more work than was
 * asked for. */
#include "api/api.h"
#include "base/limits.h"
#include "fake_net.h"
#include "sim_store.h"

#include <inttypes.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TRACES   3000u
#define BEGIN_NS (UINT64_C(1764000000) * FG_NS_PER_SECOND)

struct world {
    struct sim_store on;
    struct fg_api *api;
    struct fake_request last;
    bool has_last;
};

static struct world world;

static void put_span(struct fg_builder *builder, uint32_t resource, uint32_t scope, uint64_t id)
{
    char text[80];
    struct fg_value value = {.type = FG_VALUE_STRING};
    struct fg_span span = {.trace_id_low = id,
                           .span_id = id,
                           .start_ns = BEGIN_NS + id * FG_NS_PER_SECOND,
                           .end_ns = BEGIN_NS + (id + 1) * FG_NS_PER_SECOND,
                           .name = FG_SLICE("n"),
                           .resource = resource,
                           .scope = scope};
    snprintf(text, sizeof text, "%064" PRIu64 "!", id);
    value.bytes = fg_slice_from_string(text);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    assert_int_equal(fg_builder_span_attr(builder, FG_SLICE("digits"), &value), 0);
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
}

static int set_up(void **state)
{
    (void)state;
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    uint32_t resource, scope;
    world = (struct world){0};
    sim_store_open(&world.on, 1);
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &scope), 0);
    for (uint64_t id = 1; id <= TRACES; id++)
        put_span(builder, resource, scope, id);
    sim_store_append(&world.on, builder);
    fg_builder_free(builder);
    assert_int_equal(fg_store_seal(world.on.store), 0);
    struct fg_api_options options = {.env = fg_sim_env(world.on.sim),
                                     .loop_count = 1,
                                     .worker_count = 1,
                                     .body_size_max = FG_REQUEST_BODY_SIZE_MAX,
                                     .inflated_size_max = FG_REQUEST_INFLATED_SIZE_MAX};
    assert_int_equal(fg_api_new(&options, &world.api), 0);
    fg_api_attach_store(world.api, world.on.store);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (world.has_last)
        fake_free(&world.last);
    fg_api_free(world.api);
    sim_store_close(&world.on);
    return 0;
}

static json_t *get(const char *path, const char *query, unsigned status)
{
    json_error_t error;
    if (world.has_last)
        fake_free(&world.last);
    fake_init(&world.last, FG_METHOD_GET, path, query, FG_FACE_API);
    world.has_last = true;
    fake_run(&world.last, world.api);
    if (world.last.status != status)
        fail_msg("%s?%s: %u %s", path, query, world.last.status, fake_text(&world.last));
    json_t *root = json_loads(fake_text(&world.last), 0, &error);
    if (!root)
        fail_msg("%s in %s", error.text, fake_text(&world.last));
    return root;
}

static void refused(const char *query, const char *part)
{
    json_t *root = get("/api/v1/traces", query, 400);
    const char *message = json_string_value(json_object_get(root, "error"));
    if (!message || !strstr(message, part))
        fail_msg("%s: %s", query, message);
    json_decref(root);
}

/* Exponential on the digits, in the head as in segments; the same pattern on a trace's root. */
static void a_pattern_that_explodes(void **state)
{
    (void)state;
    refused("q=digits%3D~%22%5E(%5B0-9%5D%2B)*%24%22", "takes too many steps");
    refused("q=digits%3D~%22%5E(%5B0-9%5D%2B)*%24%22+trace.spans%3E0", "takes too many steps");
    refused("q=name:n+(digits%3D~%22%5E(%5B0-9%5D%2B)*%24%22+or+trace.spans%3E5)",
            "takes too many steps");
    refused("q=digits%3D~%22(%22", "q:");
}

static void partial_by(const char *query, const char *reason)
{
    json_t *root = get("/api/v1/traces", query, 200);
    assert_true(json_is_true(json_object_get(root, "partial")));
    assert_string_equal(json_string_value(json_object_get(root, "partial_reason")), reason);
    json_decref(root);
}

static void a_budget_that_is_spent(void **state)
{
    (void)state;
    partial_by("budget=1&limit=1000&q=digits%3D~%22zzz%22", "bytes");
    refused("budget=lots", "budget: expected bytes");
    refused("budget=1PB", "budget: expected bytes");
    refused("timeout=0", "timeout: expected");
    refused("timeout=2h", "timeout: expected a duration");
}

static void limits_and_times(void **state)
{
    (void)state;
    refused("limit=1000000000", "from 1 to 1000");
    refused("start=yesterday", "start: 'yesterday'");
    refused("end=2026-13-45", "end: '2026-13-45'");
    refused("start=2026-01-02&end=2026-01-01", "end must come after start");
    refused("cursor=abc", "cursor: expected");
    refused("order.id=4711", "there is no parameter 'order.id'");
    json_t *root = get("/api/v1/traces", "limit=1000", 200);
    assert_int_equal(json_array_size(json_object_get(root, "traces")), 1000);
    json_decref(root);
}

/* Nothing is opened for it. */
static void a_year_of_nothing(void **state)
{
    (void)state;
    json_t *root =
        get("/api/v1/traces", "start=2001-01-01&end=2002-01-01&q=digits%3D~%22z%22", 200);
    json_t *read = json_object_get(root, "read");
    assert_int_equal(json_array_size(json_object_get(root, "traces")), 0);
    assert_true(json_is_false(json_object_get(root, "partial")));
    assert_int_equal(json_integer_value(json_object_get(read, "spans_scanned")), 0);
    assert_int_equal(json_integer_value(json_object_get(read, "bytes")), 0);
    json_decref(root);
}

/* One part is taken, and no more than a few are made. */
static void a_reader_that_stops_reading(void **state)
{
    (void)state;
    fake_init(&world.last, FG_METHOD_GET, "/api/v1/traces", "limit=1000", FG_FACE_API);
    world.has_last = true;
    fake_begin(&world.last, world.api);
    assert_true(fake_pull(&world.last)); /* there is more, and it is not made */
    assert_true(world.last.answer.size > 0 && world.last.answer.size <= FG_PULL_SIZE);
    assert_false(world.last.wakes > 0);
    fake_cancel(&world.last); /* returns when nobody works on it any more */
}

/* Queries too long or too deep, in every protocol's own envelope. */
static void queries_that_are_too_much(void **state)
{
    (void)state;
    char query[2000] = "q=";
    for (int i = 0; i < 60; i++)
        strcat(query, "(");
    refused(query, "q: at byte");
    strcpy(query, "q=");
    for (int i = 0; i < 150; i++)
        strcat(query, "a=1+");
    refused(query, "q: at byte");
    json_t *root = get("/api/traces", "service=x&start=never", 400);
    assert_int_equal(json_array_size(json_object_get(root, "errors")), 1);
    json_decref(root);
    root = get("/api/v3/traces", "query.startTimeMin=never", 400);
    assert_non_null(json_object_get(root, "error"));
    json_decref(root);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pattern_that_explodes),
        TEST(a_budget_that_is_spent),
        TEST(limits_and_times),
        TEST(a_year_of_nothing),
        TEST(a_reader_that_stops_reading),
        TEST(queries_that_are_too_much),
    };
    return cmocka_run_group_tests_name("search_bounds", tests, NULL, NULL);
}
