/* STL files as customers send them: whole in both forms, and broken in every way that no price may
 * be made of. */
#include "mesh.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRIANGLES 12u
#define BINARY    (84u + 50u * TRIANGLES)

/* A box of 10 × 20 × 30 mm that stands 5 mm above nothing: its lowest point is the floor. */
static void make_box(float corners[TRIANGLES][9])
{
    static const uint8_t faces[6][4] = {{0, 2, 3, 1}, {4, 5, 7, 6}, {0, 1, 5, 4},
                                        {2, 6, 7, 3}, {0, 4, 6, 2}, {1, 3, 7, 5}};
    for (size_t face = 0; face < 6; face++)
        for (size_t half = 0; half < 2; half++)
            for (size_t k = 0; k < 3; k++) {
                uint8_t corner = faces[face][half == 0 ? k : (k + 2) % 4];
                float *at = corners[2 * face + half] + 3 * k;
                at[0] = corner & 1 ? 10 : 0;
                at[1] = corner & 2 ? 20 : 0;
                at[2] = corner & 4 ? 30 : 0;
            }
}

static void make_binary(char data[BINARY])
{
    float corners[TRIANGLES][9];
    make_box(corners);
    memset(data, 0, BINARY);
    memcpy(data, "solid is what some binary files begin with", 42);
    data[80] = TRIANGLES;
    for (size_t i = 0; i < TRIANGLES; i++)
        memcpy(data + 84 + 50 * i + 12, corners[i], sizeof corners[i]);
}

static size_t make_text(char *text, size_t room)
{
    float corners[TRIANGLES][9];
    size_t size = (size_t)snprintf(text, room, "solid box\n");
    make_box(corners);
    for (size_t i = 0; i < TRIANGLES; i++) {
        const float *c = corners[i];
        size += (size_t)snprintf(
            text + size, room - size,
            "facet normal 0 0 0\n outer loop\n  vertex %g %g %g\n  vertex %g %g %g\r\n"
            "  vertex %g %g %ge0\n endloop\nendfacet\n",
            (double)c[0], (double)c[1], (double)c[2], (double)c[3], (double)c[4], (double)c[5],
            (double)c[6], (double)c[7], (double)c[8]);
    }
    return size + (size_t)snprintf(text + size, room - size, "endsolid box\n");
}

static void check_box(const char *data, size_t size)
{
    struct mesh mesh;
    struct mesh_measures measures = {0};
    char text[MESH_TEXT_SIZE];
    assert_int_equal(mesh_read(data, size, &mesh, text), 0);
    assert_int_equal(mesh.triangle_count, TRIANGLES);
    mesh_measure(&mesh, 0, 5, &measures); /* in two parts, as the price does it in several */
    mesh_measure(&mesh, 5, TRIANGLES, &measures);
    assert_true(fabs(measures.volume_mm3 - 6000) < 1e-6);
    assert_true(fabs(measures.surface_mm2 - 2200) < 1e-6);
    assert_true(fabs(measures.support_mm3) < 1e-9); /* it stands on its floor */
    assert_int_equal(measures.layer_count, 600);
    assert_true(fabs(measures.path_mm - 600 * 60) < 1e-6);
    mesh_free(&mesh);
}

static void test_forms(void **state)
{
    char data[BINARY], text[8192];
    (void)state;
    make_binary(data);
    check_box(data, sizeof data);
    check_box(text, make_text(text, sizeof text));
}

/* A single triangle that looks straight down from 10 mm up wants a column of wax below it. */
static void test_support(void **state)
{
    static const char text[] =
        "solid a\nfacet normal 0 0 -1 outer loop\nvertex 0 0 10 vertex 0 4 10 "
        "vertex 4 0 10 endloop endfacet\n"
        "facet normal 0 0 1 outer loop\nvertex 0 0 0 vertex 0.1 0 0 vertex 0 "
        "0.1 0 endloop endfacet\nendsolid";
    struct mesh mesh;
    struct mesh_measures measures = {0};
    char why[MESH_TEXT_SIZE];
    (void)state;
    assert_int_equal(mesh_read(text, sizeof text - 1, &mesh, why), 0);
    mesh_measure(&mesh, 0, mesh.triangle_count, &measures);
    assert_true(fabs(measures.support_mm3 - 80) < 1e-6);
    mesh_free(&mesh);
}

static void refuse(const char *data, size_t size, const char *wanted)
{
    struct mesh mesh = {0};
    char why[MESH_TEXT_SIZE] = "";
    char *copy = malloc(size + 1); /* of its exact size, for the sanitizer */
    memcpy(copy, data, size);
    copy = realloc(copy, size ? size : 1);
    assert_int_equal(mesh_read(copy, size, &mesh, why), -1);
    assert_non_null(strstr(why, wanted));
    assert_null(mesh.corners);
    free(copy);
}

static void refuse_text(const char *text, const char *wanted)
{
    refuse(text, strlen(text), wanted);
}

static void test_refused(void **state)
{
    char data[BINARY];
    const float bad[] = {NAN, INFINITY, 5000};
    (void)state;
    make_binary(data);
    for (size_t size = 0; size < BINARY; size++)
        if (size < 6 || size >= 50) /* where its title alone is read as text there are no facets */
            refuse(data, size, size < 6 ? "no STL" : "");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        make_binary(data);
        memcpy(data + 84 + 50 * 7 + 12 + 16, &bad[i], sizeof bad[i]);
        refuse(data, sizeof data, "coordinate");
    }
    refuse_text("a photograph", "no STL");
    refuse_text("solid empty\nendsolid", "no triangles");
    refuse_text("solid a facet outer loop vertex 1 2 3 vertex 1 2", "coordinate");
    refuse_text("solid a facet outer loop vertex 1 2 x", "coordinate");
    refuse_text("solid a facet outer loop vertex 1 2 3 endloop endfacet", "three corners");
    refuse_text("solid a facet vertex 1 2 3 vertex 1 2 3 vertex 1 2 3 vertex 1 2 3",
                "three corners");
    refuse_text("solid a facet vertex 1 2 3 vertex 1 2 3 vertex 1 2 3", "middle of a facet");
}

static void test_many(void **state)
{
    size_t count = MESH_TRIANGLES_MAX + 1, size = 84 + 50 * count;
    char *data = calloc(1, size);
    (void)state;
    assert_non_null(data);
    for (int i = 0; i < 4; i++)
        data[80 + i] = (char)(count >> (8 * i) & 0xff);
    refuse(data, size, "too many");
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_support),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
