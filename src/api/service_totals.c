#include "service_totals.h"

#include "base/hash.h"
#include "base/idmap.h"

#include <stdlib.h>

#define FIRST_CAPACITY 64u

struct totals {
    const struct fg_service_totals_wanted *wanted;
    struct fg_arena *arena;
    struct fg_service_total *services;
    uint32_t service_count, service_capacity;
    struct fg_operation_total *operations;
    uint32_t operation_count, operation_capacity;
    struct fg_idmap service_map, operation_map;
};

/* Room for one element more; arrays double, so that what is left behind is no more than they are.
 */
static void *grow(struct fg_arena *arena, void *elements, uint32_t count, uint32_t *capacity,
                  size_t size)
{
    if (count < *capacity)
        return elements;
    uint32_t wanted = *capacity ? *capacity * 2 : FIRST_CAPACITY;
    void *larger = fg_arena_calloc(arena, wanted, size);
    if (!larger)
        return NULL;
    if (count)
        memcpy(larger, elements, count * size);
    *capacity = wanted;
    return larger;
}

struct wanted_service {
    const struct totals *totals;
    struct fg_slice service;
};

static bool same_service(const void *context, uint32_t id)
{
    const struct wanted_service *wanted = context;
    return fg_slice_equal(wanted->totals->services[id].service, wanted->service);
}

static int find_service(struct totals *totals, struct fg_slice name,
                        struct fg_service_total **ret_service)
{
    struct wanted_service wanted = {totals, name};
    uint32_t id = 0;
    int r = fg_idmap_intern(&totals->service_map, fg_hash(name), same_service, &wanted,
                            totals->service_count, &id);
    if (r < 0)
        return r;
    if (id == totals->service_count) {
        struct fg_service_total *services =
            grow(totals->arena, totals->services, totals->service_count, &totals->service_capacity,
                 sizeof *services);
        struct fg_histogram *durations = fg_arena_calloc(totals->arena, 1, sizeof *durations);
        struct fg_slice kept = fg_arena_copy(totals->arena, name);
        if (!services || !durations || (name.size && !kept.data))
            return FG_ELIMIT;
        totals->services = services;
        services[totals->service_count++] =
            (struct fg_service_total){.service = kept, .durations = durations};
    }
    *ret_service = &totals->services[id];
    return 0;
}

struct wanted_operation {
    const struct totals *totals;
    struct fg_slice name;
    uint8_t kind;
};

static bool same_operation(const void *context, uint32_t id)
{
    const struct wanted_operation *wanted = context;
    const struct fg_operation_total *operation = &wanted->totals->operations[id];
    return operation->kind == wanted->kind && fg_slice_equal(operation->name, wanted->name);
}

static int find_operation(struct totals *totals, struct fg_slice name, uint8_t kind,
                          struct fg_operation_total **ret_operation)
{
    struct wanted_operation wanted = {totals, name, kind};
    uint32_t id = 0;
    int r = fg_idmap_intern(&totals->operation_map, fg_hash_seeded(name, kind), same_operation,
                            &wanted, totals->operation_count, &id);
    if (r < 0)
        return r;
    if (id == totals->operation_count) {
        struct fg_operation_total *operations =
            grow(totals->arena, totals->operations, totals->operation_count,
                 &totals->operation_capacity, sizeof *operations);
        struct fg_histogram *durations = fg_arena_calloc(totals->arena, 1, sizeof *durations);
        struct fg_slice kept = fg_arena_copy(totals->arena, name);
        if (!operations || !durations || (name.size && !kept.data))
            return FG_ELIMIT;
        totals->operations = operations;
        operations[totals->operation_count++] =
            (struct fg_operation_total){.name = kept, .kind = kind, .durations = durations};
    }
    *ret_operation = &totals->operations[id];
    return 0;
}

static int add_cell(void *arg, const struct fg_rollup_cell *cell)
{
    struct totals *totals = arg;
    const struct fg_service_totals_wanted *wanted = totals->wanted;
    if (cell->is_edge || (wanted->service.data && !fg_slice_equal(cell->service, wanted->service)))
        return 0;
    struct fg_service_total *service;
    struct fg_operation_total *operation;
    int r = find_service(totals, cell->service, &service);
    if (r < 0)
        return r;
    service->span_count += cell->count;
    service->error_count += cell->error_count;
    service->open_count += cell->open_count;
    fg_histogram_add(service->durations, cell);
    if (!wanted->with_operations)
        return 0;
    r = find_operation(totals, cell->name, cell->kind, &operation);
    if (r < 0)
        return r;
    operation->span_count += cell->count;
    operation->error_count += cell->error_count;
    operation->open_count += cell->open_count;
    fg_histogram_add(operation->durations, cell);
    return 0;
}

static int compare_counts(uint64_t a, uint64_t b)
{
    return a > b ? -1 : a < b;
}

static int compare_services(const void *a, const void *b)
{
    const struct fg_service_total *x = a, *y = b;
    int order = compare_counts(x->span_count + x->open_count, y->span_count + y->open_count);
    return order ? order : fg_slice_compare(x->service, y->service);
}

static int compare_operations(const void *a, const void *b)
{
    const struct fg_operation_total *x = a, *y = b;
    int order = compare_counts(x->span_count + x->open_count, y->span_count + y->open_count);
    if (order == 0)
        order = fg_slice_compare(x->name, y->name);
    return order ? order : (int)x->kind - (int)y->kind;
}

static int read_rollup(struct fg_store *store, struct totals *totals, struct fg_rollup *rollup)
{
    const struct fg_service_totals_wanted *wanted = totals->wanted;
    int r =
        fg_store_rollup(store, wanted->tenant, wanted->start_ns_min, wanted->start_ns_max, rollup);
    return r < 0 ? r : fg_rollup_each(rollup, add_cell, totals);
}

int fg_service_totals_read(struct fg_store *store, const struct fg_service_totals_wanted *wanted,
                           struct fg_arena *arena, struct fg_service_totals *ret_totals)
{
    struct totals totals = {.wanted = wanted, .arena = arena};
    struct fg_rollup *rollup;
    int r = fg_rollup_new(&rollup);
    if (r < 0)
        return r;
    fg_idmap_init(&totals.service_map);
    fg_idmap_init(&totals.operation_map);
    r = read_rollup(store, &totals, rollup);
    uint64_t uncounted = fg_rollup_uncounted(rollup);
    fg_idmap_free(&totals.service_map);
    fg_idmap_free(&totals.operation_map);
    fg_rollup_free(rollup);
    if (r < 0)
        return r;
    if (totals.service_count)
        qsort(totals.services, totals.service_count, sizeof *totals.services, compare_services);
    if (totals.operation_count)
        qsort(totals.operations, totals.operation_count, sizeof *totals.operations,
              compare_operations);
    *ret_totals = (struct fg_service_totals){.services = totals.services,
                                             .service_count = totals.service_count,
                                             .operations = totals.operations,
                                             .operation_count = totals.operation_count,
                                             .uncounted = uncounted};
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return fg_slice_compare(*(const struct fg_slice *)a, *(const struct fg_slice *)b);
}

int fg_service_names_read(struct fg_store *store, const struct fg_service_totals_wanted *wanted,
                          struct fg_arena *arena, struct fg_names *ret_names)
{
    struct fg_service_totals totals;
    int r = fg_service_totals_read(store, wanted, arena, &totals);
    if (r < 0)
        return r;
    bool of_one = wanted->with_operations;
    uint32_t total = of_one ? totals.operation_count : totals.service_count, count = 0;
    struct fg_slice *names = fg_arena_calloc(arena, total, sizeof *names);
    if (!names)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < total; i++)
        names[i] = of_one ? totals.operations[i].name : totals.services[i].service;
    if (total)
        qsort(names, total, sizeof *names, compare_names);
    for (uint32_t i = 0; i < total; i++)
        if (names[i].size && (count == 0 || !fg_slice_equal(names[count - 1], names[i])))
            names[count++] = names[i];
    *ret_names = (struct fg_names){names, count};
    return 0;
}
