/* Jaeger's lists: services, operations, and who calls whom (jaegertracing/jaeger, jaegerquery:
 * http_handler.go), all from the minute rollups. */
#include "base/limits.h"
#include "edges.h"
#include "handlers.h"
#include "jaeger_envelope.h"
#include "jaeger_params.h"
#include "service_totals.h"
#include "span/batch.h"
#include "span/names.h"
#include "state.h"
#include "work.h"

#include <stdlib.h>

/* -- Services
 * --------------------------------------------------------------------------------------
 */

static void write_names(struct fg_work *work, const struct fg_names *names)
{
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_jaeger_envelope_begin(&json);
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < names->count; i++)
        fg_json_string(&json, names->names[i]);
    fg_json_array_end(&json);
    fg_jaeger_envelope_end(&json, names->count);
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
    struct fg_names names;
    int r = fg_service_names_read(fg_api_store(work->exchange->api), wanted_of(work), &work->arena,
                                  &names);
    if (r == 0)
        write_names(work, &names);
    return r;
}

static void start(struct fg_exchange *exchange, int (*run)(struct fg_work *work),
                  struct fg_slice service)
{
    struct fg_work *work = fg_work_new(exchange, "read the services", run, sizeof(struct request));
    if (!work)
        return;
    *(struct request *)work->state = (struct request){
        .totals = {.tenant = exchange->identity.tenant,
                   .start_ns_max = UINT64_MAX,
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
    start(exchange, write_service_names, exchange->param);
}

/* -- Operations with their kinds
 * -------------------------------------------------------------------
 */

/* A kind that says nothing has no name there. */
static const char *kind_name(uint8_t kind)
{
    const char *name = kind == FG_SPAN_KIND_UNSPECIFIED ? NULL : fg_span_kind_name(kind);
    return name ? name : "";
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

struct window {
    uint64_t start_ns_min, start_ns_max;
    struct fg_slice service;
};

static int write_dependencies(struct fg_work *work)
{
    const struct window *window = (const struct window *)work->state;
    struct fg_edges edges;
    int r = fg_edges_read(fg_api_store(work->exchange->api), work->exchange->identity.tenant,
                          window->start_ns_min, window->start_ns_max, window->service, &work->arena,
                          &edges);
    if (r < 0)
        return r;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_jaeger_envelope_begin(&json);
    fg_edges_write(&edges, FG_EDGE_JAEGER, &json);
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
