#include "edges.h"

#include "base/hash.h"
#include "base/idmap.h"
#include "store/rollup.h"

#include <stdlib.h>

#define EDGES_MAX 65536u

struct reading {
    struct fg_arena *arena;
    struct fg_slice service; /* of one end at least; empty: any */
    struct fg_edge *edges;
    uint32_t count;
    struct fg_idmap map;
};

struct wanted_edge {
    const struct reading *edges;
    struct fg_slice parent, child;
};

static bool same_edge(const void *context, uint32_t id)
{
    const struct wanted_edge *wanted = context;
    const struct fg_edge *edge = &wanted->edges->edges[id];
    return fg_slice_equal(edge->parent, wanted->parent) &&
           fg_slice_equal(edge->child, wanted->child);
}

static int add_edge(void *arg, const struct fg_rollup_cell *cell)
{
    struct reading *edges = arg;
    struct wanted_edge wanted = {edges, cell->caller, cell->service};
    bool is_wanted = edges->service.size == 0 || fg_slice_equal(edges->service, cell->caller) ||
                     fg_slice_equal(edges->service, cell->service);
    if (!cell->is_edge || !is_wanted)
        return 0;
    uint64_t hash = fg_hash_seeded(cell->service, fg_hash(cell->caller));
    uint32_t id = 0;
    int r = fg_idmap_intern(&edges->map, hash, same_edge, &wanted, edges->count, &id);
    if (r < 0)
        return r;
    if (id == edges->count) {
        if (edges->count == EDGES_MAX)
            return FG_ELIMIT;
        edges->edges[edges->count++] =
            (struct fg_edge){.parent = fg_arena_copy(edges->arena, cell->caller),
                             .child = fg_arena_copy(edges->arena, cell->service)};
        if (edges->arena->overflow)
            return FG_ELIMIT;
    }
    edges->edges[id].call_count += cell->count + cell->open_count;
    edges->edges[id].error_count += cell->error_count;
    return 0;
}

static int compare_edges(const void *a, const void *b)
{
    const struct fg_edge *x = a, *y = b;
    int order = fg_slice_compare(x->parent, y->parent);
    return order ? order : fg_slice_compare(x->child, y->child);
}

int fg_edges_read(struct fg_store *store, uint32_t tenant, uint64_t start_ns_min,
                  uint64_t start_ns_max, struct fg_slice service, struct fg_arena *arena,
                  struct fg_edges *ret_edges)
{
    struct reading reading = {.arena = arena, .service = service};
    struct fg_rollup *rollup;
    reading.edges = fg_arena_calloc(arena, EDGES_MAX, sizeof *reading.edges);
    if (!reading.edges)
        return FG_ELIMIT;
    int r = fg_rollup_new(&rollup);
    if (r < 0)
        return r;
    fg_idmap_init(&reading.map);
    r = fg_store_rollup(store, tenant, start_ns_min, start_ns_max, rollup);
    if (r == 0)
        r = fg_rollup_each(rollup, add_edge, &reading);
    fg_idmap_free(&reading.map);
    fg_rollup_free(rollup);
    if (r < 0)
        return r;
    qsort(reading.edges, reading.count, sizeof *reading.edges, compare_edges);
    *ret_edges = (struct fg_edges){reading.edges, reading.count};
    return 0;
}

void fg_edges_write(const struct fg_edges *edges, enum fg_edge_form form,
                    struct fg_json_writer *json)
{
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < edges->count; i++) {
        const struct fg_edge *edge = &edges->edges[i];
        fg_json_object_begin(json);
        FG_JSON_KEY(json, "parent");
        fg_json_string(json, edge->parent);
        FG_JSON_KEY(json, "child");
        fg_json_string(json, edge->child);
        FG_JSON_KEY(json, "callCount");
        if (form == FG_EDGE_JAEGER_V3)
            fg_json_uint_string(json, edge->call_count);
        else
            fg_json_uint(json, edge->call_count);
        if (form == FG_EDGE_ZIPKIN && edge->error_count) {
            FG_JSON_KEY(json, "errorCount");
            fg_json_uint(json, edge->error_count);
        }
        fg_json_object_end(json);
    }
    fg_json_array_end(json);
}
