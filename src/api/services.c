/* Lists of services and their operations, from the minute rollups: a month of them is read as fast
 * as an hour of spans. */
#include "handlers.h"
#include "monitor/monitors.h"
#include "search_params.h"
#include "service_totals.h"
#include "span/batch.h"
#include "span/names.h"
#include "state.h"
#include "wire/json_writer.h"
#include "work.h"

#include <stdlib.h>

/* -- Native
 * ----------------------------------------------------------------------------------------
 */

static void write_counts(struct fg_json_writer *json, uint64_t span_count, uint64_t error_count,
                         uint64_t open_count, const struct fg_histogram *durations)
{
    static const struct {
        const char *name;
        double quantile;
    } quantiles[] = {{"p50_ns", 0.5}, {"p95_ns", 0.95}, {"p99_ns", 0.99}};
    FG_JSON_KEY(json, "span_count");
    fg_json_uint(json, span_count + open_count);
    FG_JSON_KEY(json, "error_count");
    fg_json_uint(json, error_count);
    FG_JSON_KEY(json, "open_count");
    fg_json_uint(json, open_count);
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        fg_json_key(json, fg_slice_from_string(quantiles[i].name));
        fg_json_uint(json, fg_histogram_quantile(durations, quantiles[i].quantile));
    }
}

static const char *kind_name(uint8_t kind)
{
    const char *name = fg_span_kind_name(kind);
    return name ? name : fg_span_kind_name(FG_SPAN_KIND_UNSPECIFIED);
}

static int write_services(struct fg_work *work)
{
    struct fg_service_totals totals;
    const struct fg_service_totals_wanted *wanted =
        (const struct fg_service_totals_wanted *)work->state;
    int r =
        fg_service_totals_read(fg_api_store(work->exchange->api), wanted, &work->arena, &totals);
    if (r < 0)
        return r;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "services");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < totals.service_count; i++) {
        const struct fg_service_total *service = &totals.services[i];
        if (fg_slice_equal(service->service, FG_SLICE(FG_MONITOR_SERVICE)))
            continue; /* looking is no traffic */
        fg_json_object_begin(&json);
        FG_JSON_KEY(&json, "service");
        fg_json_string(&json, service->service);
        write_counts(&json, service->span_count, service->error_count, service->open_count,
                     service->durations);
        fg_json_object_end(&json);
    }
    fg_json_array_end(&json);
    FG_JSON_KEY(&json, "uncounted");
    fg_json_uint(&json, totals.uncounted);
    fg_json_object_end(&json);
    return 0;
}

static int write_operations(struct fg_work *work)
{
    struct fg_service_totals totals;
    const struct fg_service_totals_wanted *wanted =
        (const struct fg_service_totals_wanted *)work->state;
    int r =
        fg_service_totals_read(fg_api_store(work->exchange->api), wanted, &work->arena, &totals);
    if (r < 0)
        return r;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    FG_JSON_KEY(&json, "service");
    fg_json_string(&json, wanted->service);
    FG_JSON_KEY(&json, "operations");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < totals.operation_count; i++) {
        const struct fg_operation_total *operation = &totals.operations[i];
        fg_json_object_begin(&json);
        FG_JSON_KEY(&json, "name");
        fg_json_string(&json, operation->name);
        FG_JSON_KEY(&json, "kind");
        fg_json_string(&json, fg_slice_from_string(kind_name(operation->kind)));
        write_counts(&json, operation->span_count, operation->error_count, operation->open_count,
                     operation->durations);
        fg_json_object_end(&json);
    }
    fg_json_array_end(&json);
    FG_JSON_KEY(&json, "uncounted");
    fg_json_uint(&json, totals.uncounted);
    fg_json_object_end(&json);
    return 0;
}

static void start(struct fg_exchange *exchange, int (*run)(struct fg_work *work),
                  const struct fg_service_totals_wanted *wanted)
{
    struct fg_work *work = fg_work_new(exchange, "read the services", run, sizeof *wanted);
    if (!work)
        return;
    memcpy(work->state, wanted, sizeof *wanted);
    ((struct fg_service_totals_wanted *)work->state)->tenant = exchange->identity.tenant;
    fg_work_start(work, exchange->api->readers);
}

void fg_handle_services(struct fg_exchange *exchange)
{
    static const char *const names[] = {"start", "end"};
    struct fg_service_totals_wanted wanted = {.start_ns_max = UINT64_MAX};
    if (fg_params_known(exchange, names, 2) &&
        fg_time_params(exchange, &wanted.start_ns_min, &wanted.start_ns_max))
        start(exchange, write_services, &wanted);
}

void fg_handle_operations(struct fg_exchange *exchange)
{
    static const char *const names[] = {"start", "end"};
    struct fg_service_totals_wanted wanted = {
        .start_ns_max = UINT64_MAX, .with_operations = true, .service = exchange->param};
    if (fg_params_known(exchange, names, 2) &&
        fg_time_params(exchange, &wanted.start_ns_min, &wanted.start_ns_max))
        start(exchange, write_operations, &wanted);
}
