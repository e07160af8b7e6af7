/* STL: "solid NAME facet normal … outer loop vertex x y z … endloop endfacet … endsolid" as text;
 * or 80 bytes of anything, a little-endian count, and for each triangle 50 bytes: normal and three
 * corners as floats, and two bytes of attributes. Normals are not taken from the file: the order of
 * the corners says the same. */
#include "mesh.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BINARY_HEAD     84u
#define BINARY_TRIANGLE 50u
#define LAYER_MM        0.05f
#define NUMBER_SIZE     64u
/* cos of 45 degrees: a face that looks further down than this wants support. */
#define OVERHANG 0.70710678

static int fail(char text[MESH_TEXT_SIZE], const char *why)
{
    snprintf(text, MESH_TEXT_SIZE, "%s", why);
    return -1;
}

static int allocate(struct mesh *mesh, size_t count, char text[MESH_TEXT_SIZE])
{
    if (count == 0)
        return fail(text, "the model has no triangles");
    if (count > MESH_TRIANGLES_MAX)
        return fail(text, "the model has too many triangles");
    mesh->corners = malloc(count * 9 * sizeof *mesh->corners);
    return mesh->corners ? 0 : fail(text, "out of memory");
}

static bool take_corner(struct mesh *mesh, float *corner)
{
    for (int i = 0; i < 3; i++) {
        if (!(fabs((double)corner[i]) <= MESH_EXTENT_MAX)) /* no number is not smaller either */
            return false;
        mesh->low[i] = fminf(mesh->low[i], corner[i]);
        mesh->high[i] = fmaxf(mesh->high[i], corner[i]);
    }
    return true;
}

static uint32_t binary_count(const char *data)
{
    uint8_t bytes[4];
    memcpy(bytes, data + 80, sizeof bytes);
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static bool is_binary(const char *data, size_t size)
{
    return size >= BINARY_HEAD && (size - BINARY_HEAD) % BINARY_TRIANGLE == 0 &&
           (size - BINARY_HEAD) / BINARY_TRIANGLE == binary_count(data);
}

static int read_binary(const char *data, size_t size, struct mesh *mesh, char text[MESH_TEXT_SIZE])
{
    size_t count = (size - BINARY_HEAD) / BINARY_TRIANGLE;
    int r = allocate(mesh, count, text);
    for (size_t i = 0; r == 0 && i < count; i++) {
        float *corners = mesh->corners + 9 * i;
        memcpy(corners, data + BINARY_HEAD + i * BINARY_TRIANGLE + 12, 9 * sizeof *corners);
        for (int k = 0; r == 0 && k < 3; k++)
            if (!take_corner(mesh, corners + 3 * k))
                r = fail(text, "a coordinate is no number, or beyond what can be printed");
        mesh->triangle_count = i + 1;
    }
    return r;
}

/* -- Text */

struct words {
    const char *at, *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next word; size 0 at the end. */
static const char *next_word(struct words *words, size_t *ret_size)
{
    while (words->at < words->end && is_blank(*words->at))
        words->at++;
    const char *begin = words->at;
    while (words->at < words->end && !is_blank(*words->at))
        words->at++;
    *ret_size = (size_t)(words->at - begin);
    return begin;
}

static bool word_is(const char *word, size_t size, const char *text)
{
    return size == strlen(text) && memcmp(word, text, size) == 0;
}

static bool take_number(struct words *words, float *ret_number)
{
    char copy[NUMBER_SIZE], *end;
    size_t size;
    const char *word = next_word(words, &size);
    if (size == 0 || size >= sizeof copy)
        return false;
    memcpy(copy, word, size);
    copy[size] = '\0';
    *ret_number = strtof(copy, &end);
    return *end == '\0';
}

static size_t count_facets(const char *data, size_t size)
{
    struct words words = {data, data + size};
    size_t count = 0, word_size;
    const char *word;
    while (word = next_word(&words, &word_size), word_size > 0)
        count += word_is(word, word_size, "facet");
    return count;
}

static int read_text(const char *data, size_t size, struct mesh *mesh, char text[MESH_TEXT_SIZE])
{
    struct words words = {data, data + size};
    size_t count = count_facets(data, size), corner_count = 0, word_size;
    const char *word;
    int r = allocate(mesh, count, text);
    while (r == 0 && (word = next_word(&words, &word_size), word_size > 0)) {
        if (word_is(word, word_size, "endfacet") && corner_count != 3 * ++mesh->triangle_count)
            return fail(text, "a facet has not three corners");
        if (!word_is(word, word_size, "vertex"))
            continue;
        if (corner_count == 3 * count)
            return fail(text, "a facet has not three corners");
        float *corner = mesh->corners + 3 * corner_count++;
        if (!take_number(&words, &corner[0]) || !take_number(&words, &corner[1]) ||
            !take_number(&words, &corner[2]) || !take_corner(mesh, corner))
            return fail(text, "a coordinate is no number, or beyond what can be printed");
    }
    if (r == 0 && mesh->triangle_count != count)
        return fail(text, "the model ends in the middle of a facet");
    return r;
}

int mesh_read(const char *data, size_t size, struct mesh *ret_mesh, char ret_text[MESH_TEXT_SIZE])
{
    struct mesh mesh = {.low = {INFINITY, INFINITY, INFINITY},
                        .high = {-INFINITY, -INFINITY, -INFINITY}};
    int r;
    if (is_binary(data, size))
        r = read_binary(data, size, &mesh, ret_text);
    else if (size >= 6 && memcmp(data, "solid ", 6) == 0)
        r = read_text(data, size, &mesh, ret_text);
    else
        r = fail(ret_text, "the model is no STL file, or was cut off");
    if (r == 0)
        *ret_mesh = mesh;
    else
        mesh_free(&mesh);
    return r;
}

void mesh_free(struct mesh *mesh)
{
    free(mesh->corners);
    mesh->corners = NULL;
}

/* -- Measures */

struct vector {
    double x, y, z;
};

static struct vector corner_of(const float *corner)
{
    return (struct vector){(double)corner[0], (double)corner[1], (double)corner[2]};
}

static struct vector minus(struct vector a, struct vector b)
{
    return (struct vector){a.x - b.x, a.y - b.y, a.z - b.z};
}

static struct vector cross(struct vector a, struct vector b)
{
    return (struct vector){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

static double dot(struct vector a, struct vector b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

/* Where the edge crosses the height, if it does. */
static bool crosses(struct vector from, struct vector to, double height, struct vector *ret_point)
{
    if ((from.z < height) == (to.z < height))
        return false;
    double part = (height - from.z) / (to.z - from.z);
    *ret_point =
        (struct vector){from.x + part * (to.x - from.x), from.y + part * (to.y - from.y), height};
    return true;
}

static double outline_of(const struct vector corners[3], double height)
{
    struct vector points[3];
    int count = 0;
    for (int i = 0; i < 3; i++)
        count += crosses(corners[i], corners[(i + 1) % 3], height, &points[count]);
    return count == 2 ? hypot(points[0].x - points[1].x, points[0].y - points[1].y) : 0;
}

static double path_of(const struct mesh *mesh, const struct vector corners[3], double layer_mm)
{
    double low = fmin(fmin(corners[0].z, corners[1].z), corners[2].z) - (double)mesh->low[2];
    double high = fmax(fmax(corners[0].z, corners[1].z), corners[2].z) - (double)mesh->low[2];
    double length = 0;
    long last = (long)floor(high / layer_mm);
    for (long layer = (long)floor(low / layer_mm); layer <= last; layer++)
        length += outline_of(corners, (double)mesh->low[2] + ((double)layer + 0.5) * layer_mm);
    return length;
}

void mesh_measure(const struct mesh *mesh, size_t from, size_t to, struct mesh_measures *measures)
{
    double height = (double)mesh->high[2] - (double)mesh->low[2];
    double layer_mm = fmax((double)LAYER_MM, height / MESH_LAYERS_MAX);
    measures->layer_count = (unsigned)ceil(height / layer_mm);
    for (size_t i = from; i < to; i++) {
        const float *data = mesh->corners + 9 * i;
        const struct vector corners[3] = {corner_of(data), corner_of(data + 3),
                                          corner_of(data + 6)};
        struct vector normal = cross(minus(corners[1], corners[0]), minus(corners[2], corners[0]));
        double twice_area = sqrt(dot(normal, normal));
        measures->surface_mm2 += twice_area / 2;
        /* the signed volume of the tetrahedron to the origin */
        measures->volume_mm3 += dot(corners[0], cross(corners[1], corners[2])) / 6;
        if (twice_area > 0 && -normal.z / twice_area > OVERHANG) {
            double middle = (corners[0].z + corners[1].z + corners[2].z) / 3;
            measures->support_mm3 += -normal.z / 2 * (middle - (double)mesh->low[2]);
        }
        measures->path_mm += path_of(mesh, corners, layer_mm);
    }
}
