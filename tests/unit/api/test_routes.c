/* routes.c: what the table promises of every route, and how paths find them. The handlers are the
 * test's, which remember that they were called. */
#include "assets.h"
#include "handlers.h"
#include "route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *called;

#define HANDLER(name)                                                                              \
    void name(struct fg_exchange *exchange)                                                        \
    {                                                                                              \
        (void)exchange;                                                                            \
        called = #name;                                                                            \
    }

void fg_answer_frame(struct fg_exchange *exchange, unsigned status)
{
    (void)exchange;
    (void)status;
}

HANDLER(fg_handle_home)
HANDLER(fg_handle_otlp_grpc)
HANDLER(fg_handle_otlp_http)
HANDLER(fg_handle_zipkin)
HANDLER(fg_handle_trace)
HANDLER(fg_handle_trace_view)
HANDLER(fg_handle_span)
HANDLER(fg_handle_search)
HANDLER(fg_handle_jaeger_trace)
HANDLER(fg_handle_jaeger_search)
HANDLER(fg_handle_services)
HANDLER(fg_handle_jaeger_services)
HANDLER(fg_handle_operations)
HANDLER(fg_handle_jaeger_operations)
HANDLER(fg_handle_jaeger_operation_names)
HANDLER(fg_handle_jaeger_dependencies)
HANDLER(fg_handle_redaction)
HANDLER(fg_handle_openapi)
HANDLER(fg_handle_page)
HANDLER(fg_handle_page_file)
HANDLER(fg_handle_keys)
HANDLER(fg_handle_slots)
HANDLER(fg_handle_heatmap)
HANDLER(fg_handle_values)
HANDLER(fg_handle_jaeger_latencies)
HANDLER(fg_handle_jaeger_calls)
HANDLER(fg_handle_jaeger_errors)
HANDLER(fg_handle_jaeger_min_step)
HANDLER(fg_handle_export)
HANDLER(fg_handle_tail)
HANDLER(fg_handle_jaeger_v3_trace)
HANDLER(fg_handle_jaeger_v3_traces)
HANDLER(fg_handle_jaeger_v3_summaries)
HANDLER(fg_handle_jaeger_v3_services)
HANDLER(fg_handle_jaeger_v3_operations)
HANDLER(fg_handle_jaeger_v3_dependencies)
HANDLER(fg_handle_zipkin_trace)
HANDLER(fg_handle_zipkin_traces)
HANDLER(fg_handle_zipkin_trace_many)
HANDLER(fg_handle_zipkin_services)
HANDLER(fg_handle_zipkin_span_names)
HANDLER(fg_handle_zipkin_remote_services)
HANDLER(fg_handle_zipkin_dependencies)
HANDLER(fg_handle_zipkin_keys)
HANDLER(fg_handle_zipkin_values)
HANDLER(fg_handle_journeys)
HANDLER(fg_handle_board)
HANDLER(fg_handle_common)
HANDLER(fg_handle_flows)
HANDLER(fg_handle_flow_accept)
HANDLER(fg_handle_flow_withdraw)
HANDLER(fg_handle_key_proposal)
HANDLER(fg_handle_journey)
HANDLER(fg_handle_audit)
HANDLER(fg_handle_audit_head)
HANDLER(fg_handle_oidc_start)
HANDLER(fg_handle_oidc_callback)
HANDLER(fg_handle_me)
HANDLER(fg_handle_login)
HANDLER(fg_handle_setup)
HANDLER(fg_handle_logout)
HANDLER(fg_handle_password)
HANDLER(fg_handle_users)
HANDLER(fg_handle_user_add)
HANDLER(fg_handle_user_change)
HANDLER(fg_handle_user_remove)
HANDLER(fg_handle_user_logout)
HANDLER(fg_handle_tokens)
HANDLER(fg_handle_token_add)
HANDLER(fg_handle_token_revoke)
HANDLER(fg_handle_tenants)
HANDLER(fg_handle_tenant_add)
HANDLER(fg_handle_tenant_change)
HANDLER(fg_handle_health)
HANDLER(fg_handle_ready)
HANDLER(fg_handle_metrics)
HANDLER(fg_handle_stats)
HANDLER(fg_handle_monitors)
HANDLER(fg_handle_monitor)
HANDLER(fg_handle_monitor_run)
HANDLER(fg_handle_monitor_try)
HANDLER(fg_handle_monitor_put)
HANDLER(fg_handle_monitor_delete)
HANDLER(fg_handle_stage)
HANDLER(fg_handle_seal)
HANDLER(fg_handle_merge)
HANDLER(fg_handle_reindex)
HANDLER(fg_handle_backup)
HANDLER(fg_handle_erase)

static struct fg_route_match find(enum fg_method method, const char *path, int face)
{
    return fg_route_find(method, fg_slice_from_string(path), face);
}

/* A path of the route's shape: what stands for {…} becomes an id. */
static void example_path(const struct fg_route *route, char text[200])
{
    size_t size = 0;
    for (const char *at = route->path; *at; at++) {
        if (*at == '{')
            at = strchr(at, '}');
        if (*at == '}')
            size += (size_t)snprintf(text + size, 200 - size, "0af7651916cd43dd");
        else
            text[size++] = *at;
    }
    text[size] = 0;
}

static void test_every_route_is_whole(void **state)
{
    (void)state;
    size_t count;
    const struct fg_route *routes = fg_routes(&count);
    assert_true(count > 0 && count <= FG_ROUTES_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(routes[i].permission, FG_PERMISSION_UNSET);
        assert_int_not_equal(routes[i].faces, 0);
        assert_int_equal(routes[i].faces >> FG_FACE_COUNT, 0);
        assert_true(routes[i].form >= FG_FORM_NATIVE && routes[i].form <= FG_FORM_TEXT);
        assert_non_null(routes[i].handle);
        assert_int_equal(routes[i].path[0], '/');
        /* A GET or DELETE has no body, and what takes one bounds it. */
        bool takes_none = routes[i].method == FG_METHOD_GET || routes[i].method == FG_METHOD_DELETE;
        assert_true(takes_none || routes[i].method == FG_METHOD_POST ||
                    routes[i].method == FG_METHOD_PUT);
        assert_int_equal(takes_none, routes[i].body_size_max == FG_BODY_NONE);
    }
}

/* Each route is found by its own method and path on its own ports, and on no other. */
static void test_every_route_is_found(void **state)
{
    (void)state;
    size_t count;
    const struct fg_route *routes = fg_routes(&count);
    for (size_t i = 0; i < count; i++) {
        char path[200];
        example_path(&routes[i], path);
        for (int face = 0; face < FG_FACE_COUNT; face++) {
            struct fg_route_match match = find(routes[i].method, path, face);
            if ((routes[i].faces >> face & 1) == 0)
                assert_null(match.route);
            else
                assert_ptr_equal(match.route, &routes[i]);
            if (match.route)
                assert_int_equal(match.index, i);
        }
    }
}

static void test_permissions(void **state)
{
    (void)state;
    static const struct {
        enum fg_method method;
        const char *path;
        enum fg_permission permission;
        const char *handler;
    } expected[] = {
        {FG_METHOD_POST, "/v1/traces", FG_PERMISSION_INGEST, "fg_handle_otlp_http"},
        {FG_METHOD_POST, "/api/v2/spans", FG_PERMISSION_INGEST, "fg_handle_zipkin"},
        {FG_METHOD_GET, "/api/v1/traces", FG_PERMISSION_VIEW, "fg_handle_search"},
        {FG_METHOD_GET, "/api/v1/traces/1", FG_PERMISSION_VIEW, "fg_handle_trace"},
        {FG_METHOD_GET, "/api/traces/1", FG_PERMISSION_VIEW, "fg_handle_jaeger_trace"},
        {FG_METHOD_GET, "/", FG_PERMISSION_SUPPORT, "fg_handle_home"},
        {FG_METHOD_GET, "/search", FG_PERMISSION_VIEW, "fg_handle_page"},
        {FG_METHOD_GET, "/trace/1", FG_PERMISSION_VIEW, "fg_handle_page"},
        {FG_METHOD_GET, "/services", FG_PERMISSION_VIEW, "fg_handle_page"},
        {FG_METHOD_GET, "/app.js", FG_PERMISSION_NONE, "fg_handle_page_file"},
        {FG_METHOD_GET, "/app.css", FG_PERMISSION_NONE, "fg_handle_page_file"},
        {FG_METHOD_GET, "/api/v1/board", FG_PERMISSION_SUPPORT, "fg_handle_board"},
        {FG_METHOD_GET, "/api/v1/common", FG_PERMISSION_VIEW, "fg_handle_common"},
        {FG_METHOD_GET, "/api/v1/flows", FG_PERMISSION_VIEW, "fg_handle_flows"},
        {FG_METHOD_POST, "/api/v1/flows/order.id/accept", FG_PERMISSION_OPERATE,
         "fg_handle_flow_accept"},
        {FG_METHOD_POST, "/api/v1/flows/order.id/withdraw", FG_PERMISSION_OPERATE,
         "fg_handle_flow_withdraw"},
        {FG_METHOD_GET, "/api/v1/key-proposal", FG_PERMISSION_VIEW, "fg_handle_key_proposal"},
        {FG_METHOD_GET, "/api/v1/journeys/a/b", FG_PERMISSION_SUPPORT, "fg_handle_journey"},
        {FG_METHOD_GET, "/api/v1/auth/me", FG_PERMISSION_NONE, "fg_handle_me"},
        {FG_METHOD_POST, "/api/v1/auth/logout", FG_PERMISSION_SELF, "fg_handle_logout"},
        {FG_METHOD_GET, "/api/v1/users", FG_PERMISSION_ADMIN, "fg_handle_users"},
        {FG_METHOD_POST, "/api/v1/tokens/1/revoke", FG_PERMISSION_ADMIN, "fg_handle_token_revoke"},
        {FG_METHOD_GET, "/healthz", FG_PERMISSION_NONE, "fg_handle_health"},
        {FG_METHOD_GET, "/readyz", FG_PERMISSION_NONE, "fg_handle_ready"},
        {FG_METHOD_GET, "/metrics", FG_PERMISSION_OPERATE, "fg_handle_metrics"},
        {FG_METHOD_POST, "/api/v1/admin/seal", FG_PERMISSION_OPERATE, "fg_handle_seal"},
        {FG_METHOD_POST, "/api/v1/admin/reindex", FG_PERMISSION_OPERATE, "fg_handle_reindex"},
        {FG_METHOD_POST, "/api/v1/admin/backup", FG_PERMISSION_ADMIN, "fg_handle_backup"},
        {FG_METHOD_POST, "/api/v1/admin/erase", FG_PERMISSION_ADMIN, "fg_handle_erase"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct fg_route_match match = find(expected[i].method, expected[i].path, FG_FACE_API);
        assert_non_null(match.route);
        assert_int_equal(match.route->permission, expected[i].permission);
        match.route->handle(NULL);
        assert_string_equal(called, expected[i].handler);
    }
}

static void test_unknown_paths(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/nothing",  "",    "*",  "/api/v1/traces/",   "/api/v1/traces/a/b", "/api/v1/tracesx",
        "/metrics/", "/v1", "//", "/api/v1/traces/1/",
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct fg_route_match match = find(FG_METHOD_GET, paths[i], FG_FACE_API);
        assert_null(match.route);
        assert_int_equal(match.allowed_methods, 0);
        assert_int_equal(match.index, FG_ROUTES_MAX);
    }
    /* The query's routes are not on the ports for spans. */
    assert_int_equal(find(FG_METHOD_GET, "/api/v1/traces", FG_FACE_OTLP_HTTP).allowed_methods, 0);
}

static void test_wrong_method(void **state)
{
    (void)state;
    struct fg_route_match match = find(FG_METHOD_GET, "/v1/traces", FG_FACE_OTLP_HTTP);
    assert_null(match.route);
    assert_int_equal(match.allowed_methods, 1u << FG_METHOD_POST);
    assert_true(match.cors);
    match = find(FG_METHOD_POST, "/metrics", FG_FACE_API);
    assert_null(match.route);
    assert_int_equal(match.allowed_methods, 1u << FG_METHOD_GET);
    assert_false(match.cors);
}

static void test_head_is_get(void **state)
{
    (void)state;
    struct fg_route_match match = find(FG_METHOD_HEAD, "/metrics", FG_FACE_API);
    assert_non_null(match.route);
    assert_string_equal(match.route->path, "/metrics");
    assert_null(find(FG_METHOD_HEAD, "/v1/traces", FG_FACE_OTLP_HTTP).route);
}

static void test_param(void **state)
{
    (void)state;
    struct fg_route_match match = find(FG_METHOD_GET, "/api/v1/traces/a%20b", FG_FACE_API);
    assert_non_null(match.route);
    assert_true(fg_slice_equal(match.params[0], FG_SLICE("a%20b")));
    match = find(FG_METHOD_GET, "/api/services/mes-api/operations", FG_FACE_API);
    assert_non_null(match.route);
    assert_true(fg_slice_equal(match.params[0], FG_SLICE("mes-api")));
    assert_null(find(FG_METHOD_GET, "/api/services//operations", FG_FACE_API).route);
    assert_null(find(FG_METHOD_GET, "/api/services/a/b/operations", FG_FACE_API).route);
    assert_null(find(FG_METHOD_GET, "/api/services/a/operation", FG_FACE_API).route);
    match = find(FG_METHOD_GET, "/api/v1/traces/a%20b/spans/c1", FG_FACE_API);
    assert_non_null(match.route);
    assert_true(fg_slice_equal(match.params[0], FG_SLICE("a%20b")));
    assert_true(fg_slice_equal(match.params[1], FG_SLICE("c1")));
    assert_null(find(FG_METHOD_GET, "/api/v1/traces/a/spans/", FG_FACE_API).route);
    assert_null(find(FG_METHOD_GET, "/api/v1/traces/a/spans/b/c", FG_FACE_API).route);
    assert_null(find(FG_METHOD_GET, "/api/v1/traces/a/views", FG_FACE_API).route);
    /* A fixed path is no parameter's. */
    match = find(FG_METHOD_GET, "/api/v1/services", FG_FACE_API);
    assert_int_equal(match.params[0].size, 0);
}

static const struct fg_asset *asset_of(const char *path)
{
    for (size_t i = 0; i < fg_asset_count; i++)
        if (strcmp(fg_assets[i].path, path) == 0)
            return &fg_assets[i];
    fail_msg("%s is not built in", path);
    return NULL;
}

/* What the pages' routes answer with is there, and of the type that a browser insists on. */
static void test_pages(void **state)
{
    (void)state;
    static const char *const files[][2] = {
        {"/index.html", "text/html; charset=utf-8"},
        {"/app.js", "text/javascript; charset=utf-8"},
        {"/app.css", "text/css; charset=utf-8"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const struct fg_asset *asset = asset_of(files[i][0]);
        assert_string_equal(asset->content_type, files[i][1]);
        assert_true(asset->size > 0);
        assert_int_equal(asset->etag[0], '"');
    }
}

/* Where the document describes a method of a path; NULL where it doesn't. */
static const char *described(const char *document, const char *path, const char *method)
{
    char entry[256], line[32];
    snprintf(entry, sizeof entry, "\n  %s:\n", path);
    snprintf(line, sizeof line, "\n    %s:\n", method);
    const char *at = strstr(document, entry);
    if (!at)
        return NULL;
    at += strlen(entry) - 1;
    const char *next = strstr(at, "\n  /"), *end = strstr(at, "\ncomponents:");
    const char *found = strstr(at, line);
    if (!next || (end && end < next))
        next = end;
    return found && (!next || found < next) ? found : NULL;
}

/* The document of the native API names the routes that there are, and no others. */
static void test_openapi(void **state)
{
    (void)state;
    const struct fg_asset *asset = asset_of("/openapi.yaml");
    char *document = calloc(1, asset->size + 1);
    assert_non_null(document);
    memcpy(document, asset->data, asset->size);
    size_t count, native_count = 0, described_count = 0;
    const struct fg_route *routes = fg_routes(&count);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(routes[i].path, "/api/v1/", 8) != 0)
            continue;
        static const char *const methods[] = {[FG_METHOD_GET] = "get",
                                              [FG_METHOD_POST] = "post",
                                              [FG_METHOD_PUT] = "put",
                                              [FG_METHOD_DELETE] = "delete"};
        native_count++;
        const char *method = methods[routes[i].method];
        if (!described(document, routes[i].path, method))
            fail_msg("openapi.yaml does not have %s of %s", method, routes[i].path);
    }
    const char *paths = strstr(document, "\npaths:\n");
    assert_non_null(paths);
    for (const char *at = paths; (at = strstr(at, "\n    get:\n")); at++)
        described_count++;
    for (const char *at = paths; (at = strstr(at, "\n    post:\n")); at++)
        described_count++;
    for (const char *at = paths; (at = strstr(at, "\n    put:\n")); at++)
        described_count++;
    for (const char *at = paths; (at = strstr(at, "\n    delete:\n")); at++)
        described_count++;
    assert_int_equal(described_count, native_count);
    free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route_is_whole),
        cmocka_unit_test(test_every_route_is_found),
        cmocka_unit_test(test_permissions),
        cmocka_unit_test(test_unknown_paths),
        cmocka_unit_test(test_wrong_method),
        cmocka_unit_test(test_head_is_get),
        cmocka_unit_test(test_param),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_openapi),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
