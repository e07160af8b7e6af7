/* Jaeger's lists: services, operations, and who calls whom (jaegertracing/jaeger, jaegerquery:
 * http_handler.go), all from the minute rollups. */
#include "base/hash.h"
#include "base/idmap.h"
#include "base/limits.h"
#include "handlers.h"
#include "jaeger_envelope.h"
#include "jaeger_params.h"
#include "service_totals.h"
#include "state.h"
#include "work.h"

#include <stdlib.h>

#define NAMES_MAX 65536u

/* -- Services
 * --------------------------------------------------------------------------------------
 */

static int compare_slices(const void *a, const void *b)
{
    return fg_slice_compare(*(const struct fg_slice *)a, *(const struct fg_slice *)b);
}

/* Sorted, each once. */
static void write_names(struct fg_work *work, struct fg_slice *names, uint32_t count)
{
    struct fg_json_writer json = fg_json_writer(&work->body);
    uint64_t total = 0;
    if (count)
        qsort(names, count, sizeof *names, compare_slices);
    fg_jaeger_envelope_begin(&json);
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && fg_slice_equal(names[i - 1], names[i]))
            continue;
        fg_json_string(&json, names[i]);
        total++;
    }
    fg_json_array_end(&json);
    fg_jaeger_envelope_end(&json, total);
}

struct request {
    struct fg_service_totals_wanted totals;
    struct fg_slice kind; /* empty: any */
};

static const struct fg_service_totals_wanted *wanted_of(const struct fg_work *work)
{
    return &((const struct request *)work->state)->totals;
}

static int write_service_names(struct fg_work *work)
{
    struct fg_service_totals totals;
    int r = fg_service_totals_read(fg_api_store(work->exchange->api), wanted_of(work), &work->arena,
                                   &totals);
    if (r < 0)
        return r;
    struct fg_slice *names = fg_arena_calloc(&work->arena, totals.service_count, sizeof *names);
    uint32_t count = 0;
    if (!names)
        return FG_ELIMIT;
    /* Spans without a service are found under none: Jaeger's UI could not ask for it. */
    for (uint32_t i = 0; i < totals.service_count; i++)
        if (totals.services[i].service.size)
            names[count++] = totals.services[i].service;
    write_names(work, names, count);
    return 0;
}

static int write_operation_names(struct fg_work *work)
{
    struct fg_service_totals totals;
    int r = fg_service_totals_read(fg_api_store(work->exchange->api), wanted_of(work), &work->arena,
                                   &totals);
    if (r < 0)
        return r;
    struct fg_slice *names = fg_arena_calloc(&work->arena, totals.operation_count, sizeof *names);
    if (!names)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < totals.operation_count; i++)
        names[i] = totals.operations[i].name;
    write_names(work, names, totals.operation_count);
    return 0;
}

static void start(struct fg_exchange *exchange, int (*run)(struct fg_work *work),
                  struct fg_slice service)
{
    struct fg_work *work = fg_work_new(exchange, "read the services", run, sizeof(struct request));
    if (!work)
        return;
    *(struct request *)work->state = (struct request){
        .totals = {.start_ns_max = UINT64_MAX,
                   .with_operations = service.data != NULL,
                   .service = service},
        .kind = fg_exchange_param(exchange, "spanKind"),
    };
    fg_work_start(work, exchange->api->readers);
}

void fg_handle_jaeger_services(struct fg_exchange *exchange)
{
    start(exchange, write_service_names, (struct fg_slice){0});
}

void fg_handle_jaeger_operation_names(struct fg_exchange *exchange)
{
    start(exchange, write_operation_names, exchange->param);
}

/* -- Operations with their kinds
 * -------------------------------------------------------------------
 */

static const char *const kind_names[] = {"",       "internal", "server",
                                         "client", "producer", "consumer"};
#define KIND_COUNT (sizeof kind_names / sizeof *kind_names)

static const char *kind_name(uint8_t kind)
{
    return kind < KIND_COUNT ? kind_names[kind] : "";
}

static int compare_operations(const void *a, const void *b)
{
    const struct fg_operation_total *const *x = a, *const *y = b;
    int order = fg_slice_compare((*x)->name, (*y)->name);
    return order ? order : strcmp(kind_name((*x)->kind), kind_name((*y)->kind));
}

static int write_operations(struct fg_work *work)
{
    struct fg_service_totals totals;
    struct fg_slice kind = ((const struct request *)work->state)->kind;
    int r = fg_service_totals_read(fg_api_store(work->exchange->api), wanted_of(work), &work->arena,
                                   &totals);
    if (r < 0)
        return r;
    const struct fg_operation_total **sorted =
        fg_arena_calloc(&work->arena, totals.operation_count, sizeof(struct fg_operation_total *));
    uint32_t count = 0;
    if (!sorted)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < totals.operation_count; i++)
        if (kind.size == 0 ||
            fg_slice_equal(kind, fg_slice_from_string(kind_name(totals.operations[i].kind))))
            sorted[count++] = &totals.operations[i];
    if (count)
        qsort(sorted, count, sizeof *sorted, compare_operations);
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_jaeger_envelope_begin(&json);
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < count; i++) {
        fg_json_object_begin(&json);
        FG_JSON_KEY(&json, "name");
        fg_json_string(&json, sorted[i]->name);
        FG_JSON_KEY(&json, "spanKind");
        fg_json_string(&json, fg_slice_from_string(kind_name(sorted[i]->kind)));
        fg_json_object_end(&json);
    }
    fg_json_array_end(&json);
    fg_jaeger_envelope_end(&json, count);
    return 0;
}

void fg_handle_jaeger_operations(struct fg_exchange *exchange)
{
    struct fg_slice service = fg_exchange_param(exchange, "service");
    if (service.size == 0) {
        fg_answer_invalid(exchange, "parameter 'service' is required");
        return;
    }
    start(exchange, write_operations, service);
}

/* -- Dependencies
 * ----------------------------------------------------------------------------------
 */

struct edge {
    struct fg_slice parent, child;
    uint64_t call_count;
};

struct edges {
    struct fg_arena *arena;
    struct fg_slice service; /* of one end at least; empty: any */
    struct edge *edges;
    uint32_t count;
    struct fg_idmap map;
};

struct window {
    uint64_t start_ns_min, start_ns_max;
    struct fg_slice service;
};

struct wanted_edge {
    const struct edges *edges;
    struct fg_slice parent, child;
};

static bool same_edge(const void *context, uint32_t id)
{
    const struct wanted_edge *wanted = context;
    const struct edge *edge = &wanted->edges->edges[id];
    return fg_slice_equal(edge->parent, wanted->parent) &&
           fg_slice_equal(edge->child, wanted->child);
}

static int add_edge(void *arg, const struct fg_rollup_cell *cell)
{
    struct edges *edges = arg;
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
        if (edges->count == NAMES_MAX)
            return FG_ELIMIT;
        edges->edges[edges->count++] =
            (struct edge){.parent = fg_arena_copy(edges->arena, cell->caller),
                          .child = fg_arena_copy(edges->arena, cell->service)};
        if (edges->arena->overflow)
            return FG_ELIMIT;
    }
    edges->edges[id].call_count += cell->count + cell->open_count;
    return 0;
}

static int compare_edges(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    int order = fg_slice_compare(x->parent, y->parent);
    return order ? order : fg_slice_compare(x->child, y->child);
}

static int read_edges(struct fg_work *work, struct edges *edges)
{
    const struct window *window = (const struct window *)work->state;
    struct fg_rollup *rollup;
    int r = fg_rollup_new(&rollup);
    if (r < 0)
        return r;
    r = fg_store_rollup(fg_api_store(work->exchange->api), 0, window->start_ns_min,
                        window->start_ns_max, rollup);
    if (r == 0)
        r = fg_rollup_each(rollup, add_edge, edges);
    fg_rollup_free(rollup);
    return r;
}

static int write_dependencies(struct fg_work *work)
{
    const struct window *window = (const struct window *)work->state;
    struct edges edges = {.arena = &work->arena, .service = window->service};
    edges.edges = fg_arena_calloc(&work->arena, NAMES_MAX, sizeof *edges.edges);
    if (!edges.edges)
        return FG_ELIMIT;
    fg_idmap_init(&edges.map);
    int r = read_edges(work, &edges);
    fg_idmap_free(&edges.map);
    if (r < 0)
        return r;
    qsort(edges.edges, edges.count, sizeof *edges.edges, compare_edges);
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_jaeger_envelope_begin(&json);
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < edges.count; i++) {
        fg_json_object_begin(&json);
        FG_JSON_KEY(&json, "parent");
        fg_json_string(&json, edges.edges[i].parent);
        FG_JSON_KEY(&json, "child");
        fg_json_string(&json, edges.edges[i].child);
        FG_JSON_KEY(&json, "callCount");
        fg_json_uint(&json, edges.edges[i].call_count);
        fg_json_object_end(&json);
    }
    fg_json_array_end(&json);
    fg_jaeger_envelope_end(&json, 0);
    return 0;
}

void fg_handle_jaeger_dependencies(struct fg_exchange *exchange)
{
    struct window window = {.service = fg_exchange_param(exchange, "service")};
    if (!fg_jaeger_window_params(exchange, FG_NS_PER_DAY, &window.start_ns_min,
                                 &window.start_ns_max))
        return;
    struct fg_work *work =
        fg_work_new(exchange, "read the dependencies", write_dependencies, sizeof window);
    if (!work)
        return;
    memcpy(work->state, &window, sizeof window);
    fg_work_start(work, exchange->api->readers);
}
