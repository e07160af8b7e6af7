/* Route templates against paths. */
#include "microhttpd/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_fits(void **state)
{
    (void)state;
    static const struct {
        const char *path_template, *path;
        bool fits;
    } cases[] = {
        {"/orders", "/orders", true},
        {"/orders", "/orders/", false},
        {"/orders", "/order", false},
        {"/orders/", "/orders/", true},
        {"/orders/{id}", "/orders/42", true},
        {"/orders/{id}", "/orders/", false},
        {"/orders/{id}", "/orders", false},
        {"/orders/{id}", "/orders/42/files", false},
        {"/orders/{id}/files/{name}", "/orders/42/files/ring.stl", true},
        {"/orders/{id}/files/{name}", "/orders/42/prices/ring.stl", false},
        {"/files/*", "/files/a/b", true},
        {"/files/*", "/files/", true},
        {"/files/*", "/files", true},
        {"/files/*", "/file", false},
        {"/*/x", "/a/x", false},
        {"/*/x", "/*/x", true},
        {"/", "/", true},
        {"/", "", false},
        {"", "", true},
        {"*", "/x", false},
        {"{id}", "x", false},
        {"/{}", "/x", false},
        {"/{}", "/{}", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(fg_route_fits(cases[i].path_template, cases[i].path), cases[i].fits);
    assert_false(fg_route_fits(NULL, "/"));
    assert_false(fg_route_fits("/", NULL));
}

static void test_values(void **state)
{
    (void)state;
    struct fg_slice value =
        fg_route_value("/orders/{id}/files/{name}", "/orders/42/files/ring.stl", "name");
    assert_true(fg_slice_equal(value, FG_SLICE("ring.stl")));
    value = fg_route_value("/orders/{id}/files/{name}", "/orders/42/files/ring.stl", "id");
    assert_true(fg_slice_equal(value, FG_SLICE("42")));
    assert_null(fg_route_value("/orders/{id}", "/orders/42", "name").data);
    assert_null(fg_route_value("/orders/{id}/x", "/orders/42", "id").data);
    assert_null(fg_route_value("/orders/{id}", "/orders/42", NULL).data);
    assert_null(fg_route_value(NULL, "/orders/42", "id").data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
