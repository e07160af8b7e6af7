/* exchange.h, cors.h and the api's front: refusals in each protocol's form, preflights, ids. No
 * store is attached. */
#include "auth/auth.h"
#include "fake_net.h"
#include "net/grpc.h"
#include "os/env.h"
#include "route.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fg_api *api;
static struct fg_auth *auth;
static void new_api(const char *origin)
{
    struct fg_api_options options = {
        .env = fg_env_real(),
        .loop_count = 1,
        .worker_count = 1,
        .body_size_max = 1000,
        .inflated_size_max = 2000,
        .settings = {.value_size_max = 65536,
                     .attributes_max = 100,
                     .events_max = 100,
                     .links_max = 100,
                     .cors_origins = &origin,
                     .cors_origin_count = origin != NULL},
        .auth = auth,
    };
    assert_int_equal(fg_api_new(&options, &api), 0);
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* A request whose answer the test looks at. */
static void ask(struct fake_request *fake, enum fg_method method, const char *path, int face)
{
    fake_init(fake, method, path, NULL, face);
    fake_run(fake, api);
}

static void test_unknown_path(void **state)
{
    (void)state;
    struct fake_request fake;
    new_api(NULL);
    ask(&fake, FG_METHOD_GET, "/nothing", FG_FACE_API);
    assert_int_equal(fake.status, 404);
    assert_string_equal(fake.content_type, "application/json");
    assert_string_equal(fake_text(&fake),
                        "{\"error\":\"there is nothing at this path\",\"code\":\"unsupported\"}");
    fake_free(&fake);
    fg_api_free(api);
}

static void test_wrong_method_names_the_right_one(void **state)
{
    (void)state;
    struct fake_request fake;
    new_api(NULL);
    ask(&fake, FG_METHOD_DELETE, "/metrics", FG_FACE_API);
    assert_int_equal(fake.status, 405);
    assert_true(has(fake.header, "allow: GET, HEAD\n"));
    fake_free(&fake);
    ask(&fake, FG_METHOD_GET, "/v1/traces", FG_FACE_OTLP_HTTP);
    assert_int_equal(fake.status, 405);
    assert_true(has(fake.header, "allow: POST\n"));
    fake_free(&fake);
    fg_api_free(api);
}

/* -- The forms
 * ---------------------------------------------------------------------------------------
 */

static void test_native_form(void **state)
{
    (void)state;
    struct fake_request fake;
    new_api(NULL);
    ask(&fake, FG_METHOD_GET, "/api/v1/traces", FG_FACE_API);
    assert_int_equal(fake.status, 503);
    assert_true(has(fake.header, "retry-after: 1\n"));
    json_t *root = json_loads(fake_text(&fake), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(root, "code")), "unavailable");
    assert_true(has(json_string_value(json_object_get(root, "error")), "recovering"));
    json_decref(root);
    fake_free(&fake);
    fg_api_free(api);
}

static void test_jaeger_form(void **state)
{
    (void)state;
    struct fake_request fake;
    new_api(NULL);
    ask(&fake, FG_METHOD_GET, "/api/services", FG_FACE_API);
    assert_int_equal(fake.status, 503);
    json_t *root = json_loads(fake_text(&fake), 0, NULL);
    assert_true(json_is_null(json_object_get(root, "data")));
    assert_int_equal(json_integer_value(json_object_get(root, "total")), 0);
    assert_int_equal(json_integer_value(json_object_get(root, "limit")), 0);
    assert_int_equal(json_integer_value(json_object_get(root, "offset")), 0);
    json_t *error = json_array_get(json_object_get(root, "errors"), 0);
    assert_int_equal(json_integer_value(json_object_get(error, "code")), 503);
    assert_true(has(json_string_value(json_object_get(error, "msg")), "recovering"));
    json_decref(root);
    fake_free(&fake);
    fg_api_free(api);
}

static void test_otlp_forms(void **state)
{
    (void)state;
    struct fake_request fake;
    new_api(NULL);
    fake_init(&fake, FG_METHOD_POST, "/v1/traces", NULL, FG_FACE_OTLP_HTTP);
    fake_body(&fake, "application/json", FG_SLICE("{}"));
    fake_run(&fake, api);
    assert_int_equal(fake.status, 503);
    assert_string_equal(fake.content_type, "application/json");
    json_t *root = json_loads(fake_text(&fake), 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(root, "code")), FG_RPC_UNAVAILABLE);
    json_decref(root);
    fake_free(&fake);
    fake_init(&fake, FG_METHOD_POST, "/v1/traces", NULL, FG_FACE_OTLP_HTTP);
    fake_body(&fake, "application/x-protobuf", FG_SLICE(""));
    fake_run(&fake, api);
    assert_string_equal(fake.content_type, "application/x-protobuf");
    /* google.rpc.Status: field 1, a varint, is the code. */
    assert_true(fake.answer.size > 2);
    assert_int_equal(fake.answer.data[0], 1 << 3);
    assert_int_equal(fake.answer.data[1], FG_RPC_UNAVAILABLE);
    fake_free(&fake);
    fg_api_free(api);
}

static void test_grpc_form(void **state)
{
    (void)state;
    struct fake_request fake;
    new_api(NULL);
    fake_init(&fake, FG_METHOD_POST, "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
              NULL, FG_FACE_OTLP_GRPC);
    fake.request.is_grpc = true;
    fake_run(&fake, api);
    assert_int_equal(fake.grpc_status, FG_GRPC_UNAVAILABLE);
    assert_true(has(fake.grpc_message, "recovering"));
    assert_true(memmem(fake.answer.data, fake.answer.size, "RetryInfo", 9));
    fake_free(&fake);
    fake_init(&fake, FG_METHOD_POST, "/other.Service/Call", NULL, FG_FACE_OTLP_GRPC);
    fake.request.is_grpc = true;
    fake_run(&fake, api);
    assert_int_equal(fake.grpc_status, FG_GRPC_UNIMPLEMENTED);
    fake_free(&fake);
    fg_api_free(api);
}

/* What net itself refuses looks like the route's other refusals. */
static void test_refusal_of_net(void **state)
{
    (void)state;
    struct fake_request fake;
    struct fg_refusal refusal = {.reason = FG_REFUSED_BODY_SIZE,
                                 .http_status = 413,
                                 .grpc_status = FG_GRPC_RESOURCE_EXHAUSTED,
                                 .message = "too large"};
    new_api(NULL);
    fake_init(&fake, FG_METHOD_POST, "/api/v1/admin/erase", NULL, FG_FACE_API);
    fg_api_on_refusal(api, &fake.request, &refusal);
    assert_int_equal(fake.status, 413);
    assert_string_equal(fake_text(&fake), "{\"error\":\"too large\",\"code\":\"limit\"}");
    fake_free(&fake);
    fg_api_free(api);
}

/* Before the accounts are read nobody is let in, and what asks for no permission is answered. */
static void test_accounts_are_awaited(void **state)
{
    (void)state;
    struct fake_request fake;
    const struct fg_auth_options options = {
        .env = fg_env_real(), .folder = "/nonexistent", .wants_accounts = true};
    size_t count;
    const struct fg_route *routes = fg_routes(&count);
    assert_int_equal(fg_auth_new(&options, &auth), 0);
    new_api(NULL);
    for (size_t i = 0; i < count; i++) {
        int face = routes[i].faces >> FG_FACE_API & 1 ? FG_FACE_API : FG_FACE_OTLP_GRPC;
        if (strchr(routes[i].path, '{') || routes[i].needs_store)
            continue;
        ask(&fake, routes[i].method, routes[i].path, face);
        bool is_public =
            routes[i].permission == FG_PERMISSION_NONE && strcmp(routes[i].path, "/readyz") != 0;
        assert_int_equal(fake.status, is_public ? 200 : 503);
        fake_free(&fake);
    }
    fg_api_free(api);
    fg_auth_free(auth);
    auth = NULL;
}

static void test_error_sentences(void **state)
{
    (void)state;
    static const struct {
        int error;
        unsigned status;
        bool retry;
    } expected[] = {
        {FG_ENOTFOUND, 404, false}, {FG_EINVALID, 400, false}, {FG_EAGAIN, 429, true},
        {FG_EBUSY, 429, true},      {FG_ENOMEM, 503, true},    {FG_ELIMIT, 413, false},
        {FG_ETIMEOUT, 504, false},  {FG_ENOSPACE, 503, false}, {FG_EIO, 503, false},
        {FG_EEXIST, 409, false},    {FG_EDENIED, 403, false},  {FG_ECORRUPT, 500, false},
    };
    new_api(NULL);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct fake_request fake;
        fake_init(&fake, FG_METHOD_GET, "/healthz", NULL, FG_FACE_API);
        fg_api_on_headers(api, &fake.request);
        fg_answer_error(fg_exchange_of(&fake.request), expected[i].error, "do it");
        assert_int_equal(fake.status, expected[i].status);
        assert_int_equal(has(fake.header, "retry-after:"), expected[i].retry);
        assert_true(has(fake_text(&fake), "can't do it: "));
        fake_free(&fake);
    }
    fg_api_free(api);
}

/* -- Health
 * ------------------------------------------------------------------------------------------
 */

static void test_health_and_readiness(void **state)
{
    (void)state;
    struct fake_request fake;
    new_api(NULL);
    ask(&fake, FG_METHOD_GET, "/healthz", FG_FACE_API);
    assert_int_equal(fake.status, 200);
    fake_free(&fake);
    ask(&fake, FG_METHOD_GET, "/readyz", FG_FACE_API);
    assert_int_equal(fake.status, 503);
    assert_true(has(fake_text(&fake), "starting"));
    fake_free(&fake);
    fg_api_drain(api);
    ask(&fake, FG_METHOD_GET, "/readyz", FG_FACE_API);
    assert_int_equal(fake.status, 503);
    assert_true(has(fake_text(&fake), "draining"));
    fake_free(&fake);
    fg_api_free(api);
}

static void test_home_names_every_path(void **state)
{
    (void)state;
    struct fake_request fake;
    size_t count;
    const struct fg_route *routes = fg_routes(&count);
    new_api(NULL);
    ask(&fake, FG_METHOD_GET, "/", FG_FACE_API);
    assert_int_equal(fake.status, 200);
    for (size_t i = 0; i < count; i++)
        if (routes[i].faces & FG_ON_API)
            assert_true(has(fake_text(&fake), routes[i].path));
    fake_free(&fake);
    fg_api_free(api);
}

/* -- CORS
 * --------------------------------------------------------------------------------------------
 */

static void preflight(struct fake_request *fake, const char *path, const char *origin,
                      const char *headers)
{
    fake_init(fake, FG_METHOD_OPTIONS, path, NULL, FG_FACE_OTLP_HTTP);
    fake_field(fake, "origin", origin);
    fake_field(fake, "access-control-request-method", "POST");
    if (headers)
        fake_field(fake, "access-control-request-headers", headers);
    fake_run(fake, api);
}

static void test_preflight(void **state)
{
    (void)state;
    struct fake_request fake;
    new_api("https://shop.example");
    preflight(&fake, "/v1/traces", "https://shop.example", "content-type, x-tenant");
    assert_int_equal(fake.status, 204);
    assert_true(has(fake.header, "access-control-allow-origin: https://shop.example\n"));
    assert_true(has(fake.header, "access-control-allow-methods: POST\n"));
    assert_true(has(fake.header, "access-control-allow-headers: content-type, x-tenant\n"));
    assert_true(has(fake.header, "vary: Origin\n"));
    fake_free(&fake);
    preflight(&fake, "/v1/traces", "https://evil.example", "content-type");
    assert_int_equal(fake.status, 403);
    assert_false(has(fake.header, "access-control"));
    fake_free(&fake);
    /* What is sent back into a header is a list of names, or nothing. */
    preflight(&fake, "/v1/traces", "https://shop.example", "a\r\nset-cookie: x");
    assert_int_equal(fake.status, 403);
    fake_free(&fake);
    /* Pages may not call what does not take spans. */
    fake_init(&fake, FG_METHOD_OPTIONS, "/api/v1/traces", NULL, FG_FACE_API);
    fake_field(&fake, "origin", "https://shop.example");
    fake_field(&fake, "access-control-request-method", "GET");
    fake_run(&fake, api);
    assert_int_equal(fake.status, 405);
    fake_free(&fake);
    fg_api_free(api);
}

static void test_any_origin(void **state)
{
    (void)state;
    struct fake_request fake;
    new_api("*");
    preflight(&fake, "/v1/traces", "https://any.example", NULL);
    assert_int_equal(fake.status, 204);
    assert_true(has(fake.header, "access-control-allow-origin: https://any.example\n"));
    assert_false(has(fake.header, "access-control-allow-headers"));
    fake_free(&fake);
    fg_api_free(api);
}

/* An answer to a POST of an allowed page can be read by it, also a refusal. */
static void test_origin_on_answers(void **state)
{
    (void)state;
    struct fake_request fake;
    new_api("https://shop.example");
    for (int is_allowed = 0; is_allowed < 2; is_allowed++) {
        fake_init(&fake, FG_METHOD_POST, "/v1/traces", NULL, FG_FACE_OTLP_HTTP);
        fake_field(&fake, "origin", is_allowed ? "https://shop.example" : "https://evil.example");
        fake_run(&fake, api);
        assert_int_equal(fake.status, 503);
        assert_int_equal(has(fake.header, "access-control-allow-origin"), is_allowed);
        fake_free(&fake);
    }
    fake_init(&fake, FG_METHOD_GET, "/metrics", NULL, FG_FACE_API);
    fake_field(&fake, "origin", "https://shop.example");
    fake_run(&fake, api);
    assert_false(has(fake.header, "access-control"));
    fake_free(&fake);
    fg_api_free(api);
}

/* -- Bodies, ids, settings
 * -------------------------------------------------------------------------
 */

static void test_body_limits(void **state)
{
    (void)state;
    struct fake_request fake;
    new_api(NULL);
    fake_init(&fake, FG_METHOD_GET, "/healthz", NULL, FG_FACE_API);
    fake.body_size_max = 1;
    fake_run(&fake, api);
    assert_int_equal(fake.body_size_max, 0);
    fake_free(&fake);
    fg_api_free(api);
}

static void test_trace_ids(void **state)
{
    (void)state;
    uint64_t high = 9, low = 9;
    assert_int_equal(fg_trace_id_parse(FG_SLICE("0AF7651916cd43dd8448eb211c80319c"), &high, &low),
                     0);
    assert_int_equal(high, UINT64_C(0x0af7651916cd43dd));
    assert_int_equal(low, UINT64_C(0x8448eb211c80319c));
    assert_int_equal(fg_trace_id_parse(FG_SLICE("48485a3953bb6124"), &high, &low), 0);
    assert_int_equal(high, 0);
    assert_int_equal(low, UINT64_C(0x48485a3953bb6124));
    assert_int_equal(fg_trace_id_parse(FG_SLICE("1"), &high, &low), 0);
    assert_int_equal(low, 1);
    static const char *const wrong[] = {
        "",
        "0",
        "00000000000000000000000000000000",
        "g1",
        "0x1",
        " 1",
        "1 ",
        "0af7651916cd43dd8448eb211c80319c0",
        "0af7651916cd43dd-8448eb211c80319c",
    };
    high = 7;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(fg_trace_id_parse(fg_slice_from_string(wrong[i]), &high, &low),
                         FG_EINVALID);
    assert_int_equal(high, 7);
}

static void test_settings_change_while_running(void **state)
{
    (void)state;
    struct fake_request fake;
    new_api(NULL);
    preflight(&fake, "/v1/traces", "https://shop.example", NULL);
    assert_int_equal(fake.status, 403);
    fake_free(&fake);
    const char *origin = "https://shop.example";
    struct fg_api_settings settings = {.value_size_max = 10,
                                       .attributes_max = 1,
                                       .events_max = 1,
                                       .links_max = 1,
                                       .cors_origins = &origin,
                                       .cors_origin_count = 1};
    assert_int_equal(fg_api_configure(api, &settings), 0);
    preflight(&fake, "/v1/traces", "https://shop.example", NULL);
    assert_int_equal(fake.status, 204);
    fake_free(&fake);
    fg_api_free(api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_path),
        cmocka_unit_test(test_wrong_method_names_the_right_one),
        cmocka_unit_test(test_native_form),
        cmocka_unit_test(test_jaeger_form),
        cmocka_unit_test(test_otlp_forms),
        cmocka_unit_test(test_grpc_form),
        cmocka_unit_test(test_refusal_of_net),
        cmocka_unit_test(test_accounts_are_awaited),
        cmocka_unit_test(test_error_sentences),
        cmocka_unit_test(test_health_and_readiness),
        cmocka_unit_test(test_home_names_every_path),
        cmocka_unit_test(test_preflight),
        cmocka_unit_test(test_any_origin),
        cmocka_unit_test(test_origin_on_answers),
        cmocka_unit_test(test_body_limits),
        cmocka_unit_test(test_trace_ids),
        cmocka_unit_test(test_settings_change_while_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
