/* Jaeger's newer lists (jaegertracing/jaeger, jaegerquery: apiv3): services, operations and
 * dependencies, from the minute rollups. */
#include "base/limits.h"
#include "edges.h"
#include "handlers.h"
#include "jaeger_v3_params.h"
#include "service_totals.h"
#include "span/batch.h"
#include "span/names.h"
#include "state.h"
#include "wire/json_writer.h"
#include "work.h"

#include <stdlib.h>

struct list {
    struct fg_slice service, kind;
    uint64_t start_ns_min, start_ns_max;
};

static const struct list *list_of(const struct fg_work *work)
{
    return (const struct list *)work->state;
}

static void start(struct fg_exchange *exchange, int (*run)(struct fg_work *work),
                  const struct list *list)
{
    struct fg_work *work = fg_work_new(exchange, "read the services", run, sizeof *list);
    if (!work)
        return;
    memcpy(work->state, list, sizeof *list);
    fg_work_start(work, exchange->api->readers);
}

static int write_services(struct fg_work *work)
{
    const struct fg_service_totals_wanted wanted = {.tenant = work->exchange->identity.tenant,
                                                    .start_ns_max = UINT64_MAX};
    struct fg_names names;
    struct fg_json_writer json = fg_json_writer(&work->body);
    int r = fg_service_names_read(fg_api_store(work->exchange->api), &wanted, &work->arena, &names);
    if (r < 0)
        return r;
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "services");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < names.count; i++)
        fg_json_string(&json, names.names[i]);
    fg_json_array_end(&json);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_jaeger_v3_services(struct fg_exchange *exchange)
{
    start(exchange, write_services, &(struct list){0});
}

/* -- Operations */

/* A span whose kind is not known is an internal one there. */
static struct fg_slice kind_name(uint8_t kind)
{
    const char *name = kind == FG_SPAN_KIND_UNSPECIFIED ? NULL : fg_span_kind_name(kind);
    return fg_slice_from_string(name ? name : fg_span_kind_name(FG_SPAN_KIND_INTERNAL));
}

static int compare_operations(const void *a, const void *b)
{
    const struct fg_operation_total *const *x = a, *const *y = b;
    int order = fg_slice_compare((*x)->name, (*y)->name);
    return order ? order : fg_slice_compare(kind_name((*x)->kind), kind_name((*y)->kind));
}

static void write_operation(struct fg_json_writer *json, const struct fg_operation_total *operation)
{
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "name");
    fg_json_string(json, operation->name);
    FG_JSON_KEY(json, "spanKind");
    fg_json_string(json, kind_name(operation->kind));
    fg_json_object_end(json);
}

static int write_operations(struct fg_work *work)
{
    const struct list *list = list_of(work);
    const struct fg_service_totals_wanted wanted = {.tenant = work->exchange->identity.tenant,
                                                    .start_ns_max = UINT64_MAX,
                                                    .with_operations = true,
                                                    .service = list->service};
    struct fg_service_totals totals;
    struct fg_json_writer json = fg_json_writer(&work->body);
    int r =
        fg_service_totals_read(fg_api_store(work->exchange->api), &wanted, &work->arena, &totals);
    if (r < 0)
        return r;
    const struct fg_operation_total **sorted =
        fg_arena_calloc(&work->arena, totals.operation_count, sizeof(struct fg_operation_total *));
    if (!sorted)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < totals.operation_count; i++)
        sorted[i] = &totals.operations[i];
    if (totals.operation_count)
        qsort(sorted, totals.operation_count, sizeof *sorted, compare_operations);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "operations");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < totals.operation_count; i++) {
        bool is_same = i > 0 && compare_operations(&sorted[i - 1], &sorted[i]) == 0;
        if (!is_same &&
            (list->kind.size == 0 || fg_slice_equal(list->kind, kind_name(sorted[i]->kind))))
            write_operation(&json, sorted[i]);
    }
    fg_json_array_end(&json);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_jaeger_v3_operations(struct fg_exchange *exchange)
{
    const char *name;
    struct list list = {.service = fg_exchange_param(exchange, "service"),
                        .kind = fg_jaeger_v3_param(exchange, "spanKind", "span_kind", &name)};
    if (list.service.size)
        start(exchange, write_operations, &list);
    else
        fg_answer_invalid(exchange, "parameter service is required");
}

/* -- Dependencies */

static int write_dependencies(struct fg_work *work)
{
    const struct list *list = list_of(work);
    struct fg_edges edges;
    struct fg_json_writer json = fg_json_writer(&work->body);
    int r = fg_edges_read(fg_api_store(work->exchange->api), work->exchange->identity.tenant,
                          list->start_ns_min, list->start_ns_max, fg_slice(NULL, 0), &work->arena,
                          &edges);
    if (r < 0)
        return r;
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "dependencies");
    fg_edges_write(&edges, FG_EDGE_JAEGER_V3, &json);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_jaeger_v3_dependencies(struct fg_exchange *exchange)
{
    struct list list = {0};
    if (!fg_jaeger_v3_time_param(exchange, "startTime", "start_time", &list.start_ns_min) ||
        !fg_jaeger_v3_time_param(exchange, "endTime", "end_time", &list.start_ns_max))
        return;
    if (list.start_ns_min == 0 || list.start_ns_max == 0)
        fg_answer_invalid(exchange, "startTime and endTime are required");
    else if (list.start_ns_min >= list.start_ns_max)
        fg_answer_invalid(exchange, "endTime must be after startTime");
    else
        start(exchange, write_dependencies, &list);
}
