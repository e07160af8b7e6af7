/* A 3D model as triangles, read from an STL file, and what a caster must know of it. */
#ifndef MESH_H
#define MESH_H

#include <stddef.h>
#include <stdint.h>

#define MESH_TRIANGLES_MAX 400000u
#define MESH_TEXT_SIZE     128
/* Millimetres: what the printers can hold, with room. */
#define MESH_EXTENT_MAX 2000.0

struct mesh {
    float *corners; /* triangle_count × 3 corners × (x, y, z), millimetres */
    size_t triangle_count;
    float low[3], high[3]; /* its box */
};

struct mesh_measures {
    double volume_mm3;  /* enclosed; of a closed mesh */
    double surface_mm2; /* all triangles */
    double support_mm3; /* below parts that overhang by more than 45 degrees */
    double path_mm;     /* what the printer draws: the outlines of all its layers */
    unsigned layer_count;
};

/* Reads a binary or an ASCII STL file. 0; or -1 with a sentence for who sent it, where the bytes
 * are none, have a coordinate that is no number or too large, or too many triangles. */
int mesh_read(const char *data, size_t size, struct mesh *ret_mesh, char ret_text[MESH_TEXT_SIZE]);
void mesh_free(struct mesh *mesh);

/* Measures triangles from (inclusive) to (exclusive), added to measures, which begin with zeros.
 * Time grows with triangles and with the layers that they cross, of which a mesh has at most
 * MESH_LAYERS_MAX. */
void mesh_measure(const struct mesh *mesh, size_t from, size_t to, struct mesh_measures *measures);
#define MESH_LAYERS_MAX 4000u

#endif
