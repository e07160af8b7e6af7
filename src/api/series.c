/* GET /api/v1/series: spans, errors and durations over time, of each service, of one service's
 * operations, or of all spans, from the minute rollups.
 *
 *     {"start": …, "start_ns": "…", "step_ns": 60000000000, "count": 60,
 *      "series": [{"service": "shop-api", "name": …, "kind": …, "span_count": [12, 0, …],
 *                  "error_count": […], "p50_ns": […], "p95_ns": […], "p99_ns": […],
 *                  "total": {"span_count": …, …, "p99_ns": …}, "of": "requests"}],
 *      "left_off": 0, "uncounted": 0}
 *
 * Point i tells of [start + i * step, start + (i + 1) * step). Quantiles of nothing are 0. Cells
 * come by time, so that a series needs two histograms, whatever the number of its points.
 *
 * With of=requests a service's series counts what it was asked: its spans of kind server and
 * consumer; one that has none of them in the window, a batch job, counts all its spans. */
#include "base/hash.h"
#include "base/idmap.h"
#include "handlers.h"
#include "monitor/monitors.h"
#include "search_params.h"
#include "series_params.h"
#include "span/names.h"
#include "state.h"
#include "store/rollup.h"
#include "store/store.h"
#include "wire/json_writer.h"
#include "work.h"

#include <stdlib.h>

/* Series that are counted at once: their memory is this times the points times 48 bytes. */
#define SERIES_MAX    2048u
#define LIMIT_DEFAULT 200u

static const double quantiles[] = {0.5, 0.95, 0.99};
#define QUANTILES (sizeof quantiles / sizeof *quantiles)

enum by { BY_SERVICE, BY_OPERATION, BY_NOTHING };

struct query {
    struct fg_series_window window;
    struct fg_slice service, name; /* {NULL, 0}: any */
    enum by by;
    bool of_requests;
    uint32_t limit;
};

struct series {
    struct fg_slice service, name;
    uint8_t kind;                 /* of an operation */
    bool of_requests;             /* counts what its service was asked, no other spans */
    uint64_t total, total_errors; /* of all points */
    uint64_t *span_count, *error_count, *quantile_ns[QUANTILES];
    uint32_t point; /* that durations belongs to */
    struct fg_histogram *durations, *total_durations;
};

struct reading {
    const struct query *query;
    struct fg_arena *arena;
    struct series *series;
    uint32_t count;
    uint64_t left_off; /* spans of series past SERIES_MAX */
    struct fg_idmap map;
};

/* -- Reading
 * ---------------------------------------------------------------------------------------
 */

struct wanted {
    const struct reading *reading;
    struct fg_slice service, name;
    uint8_t kind;
    bool of_requests;
};

static bool same_series(const void *context, uint32_t id)
{
    const struct wanted *wanted = context;
    const struct series *series = &wanted->reading->series[id];
    return series->kind == wanted->kind && series->of_requests == wanted->of_requests &&
           fg_slice_equal(series->service, wanted->service) &&
           fg_slice_equal(series->name, wanted->name);
}

static int begin_series(struct reading *reading, const struct wanted *wanted)
{
    struct series *series = &reading->series[reading->count];
    struct fg_arena *arena = reading->arena;
    uint32_t points = reading->query->window.point_count;
    *series = (struct series){.service = fg_arena_copy(arena, wanted->service),
                              .name = fg_arena_copy(arena, wanted->name),
                              .kind = wanted->kind,
                              .of_requests = wanted->of_requests};
    series->span_count = fg_arena_calloc(arena, points, sizeof(uint64_t));
    series->error_count = fg_arena_calloc(arena, points, sizeof(uint64_t));
    for (size_t i = 0; i < QUANTILES; i++)
        series->quantile_ns[i] = fg_arena_calloc(arena, points, sizeof(uint64_t));
    series->durations = fg_arena_calloc(arena, 1, sizeof *series->durations);
    series->total_durations = fg_arena_calloc(arena, 1, sizeof *series->durations);
    if (arena->overflow)
        return FG_ELIMIT;
    reading->count++;
    return 0;
}

/* *ret_series: NULL where there is no room for one more. */
static int find_series(struct reading *reading, const struct fg_rollup_cell *cell, bool of_requests,
                       struct series **ret_series)
{
    struct wanted wanted = {.reading = reading, .of_requests = of_requests};
    if (reading->query->by != BY_NOTHING)
        wanted.service = cell->service;
    if (reading->query->by == BY_OPERATION) {
        wanted.name = cell->name;
        wanted.kind = cell->kind;
    }
    uint64_t seed = (uint64_t)wanted.kind << 1 | of_requests;
    uint64_t hash = fg_hash_seeded(wanted.name, fg_hash_seeded(wanted.service, seed));
    uint32_t id = 0;
    *ret_series = NULL;
    int r = reading->count < SERIES_MAX
                ? fg_idmap_intern(&reading->map, hash, same_series, &wanted, reading->count, &id)
                : fg_idmap_find(&reading->map, hash, same_series, &wanted, &id);
    if (r == FG_ENOTFOUND)
        return 0;
    if (r == 0 && id == reading->count)
        r = begin_series(reading, &wanted);
    if (r == 0)
        *ret_series = &reading->series[id];
    return r;
}

/* The durations of the point at hand become its quantiles. */
static void end_point(struct series *series)
{
    if (series->durations->count == 0)
        return;
    for (size_t i = 0; i < QUANTILES; i++)
        series->quantile_ns[i][series->point] =
            fg_histogram_quantile(series->durations, quantiles[i]);
    memset(series->durations, 0, sizeof *series->durations);
}

static bool is_wanted(const struct query *query, const struct fg_rollup_cell *cell)
{
    /* Looking is no traffic: among services that were asked something monitors are none. */
    if (query->of_requests && !query->service.data &&
        fg_slice_equal(cell->service, FG_SLICE(FG_MONITOR_SERVICE)))
        return false;
    return !cell->is_edge &&
           (!query->service.data || fg_slice_equal(query->service, cell->service)) &&
           (!query->name.data || fg_slice_equal(query->name, cell->name));
}

static int add_to_series(struct reading *reading, const struct fg_rollup_cell *cell, uint32_t point,
                         bool of_requests)
{
    struct series *series;
    int r = find_series(reading, cell, of_requests, &series);
    if (r < 0)
        return r;
    uint64_t count = cell->count + cell->open_count;
    if (!series) {
        reading->left_off += of_requests ? 0 : count;
        return 0;
    }
    if (series->point != point)
        end_point(series);
    series->point = point;
    series->total += count;
    series->total_errors += cell->error_count;
    series->span_count[point] += count;
    series->error_count[point] += cell->error_count;
    fg_histogram_add(series->durations, cell);
    fg_histogram_add(series->total_durations, cell);
    return 0;
}

static int add_cell(void *arg, const struct fg_rollup_cell *cell)
{
    struct reading *reading = arg;
    uint32_t point = fg_series_point(&reading->query->window, cell->minute_ns);
    bool is_request = cell->kind == FG_SPAN_KIND_SERVER || cell->kind == FG_SPAN_KIND_CONSUMER;
    if (point == FG_SERIES_POINTS_MAX || !is_wanted(reading->query, cell))
        return 0;
    int r = add_to_series(reading, cell, point, false);
    if (r == 0 && is_request && reading->query->of_requests)
        r = add_to_series(reading, cell, point, true);
    return r;
}

static int compare_services(const void *a, const void *b)
{
    const struct series *x = a, *y = b;
    int order = fg_slice_compare(x->service, y->service);
    return order ? order : y->of_requests - x->of_requests;
}

/* Of a service's two series the one of its requests stays, where there is one. */
static void choose(struct reading *reading)
{
    uint32_t count = 0;
    qsort(reading->series, reading->count, sizeof *reading->series, compare_services);
    for (uint32_t i = 0; i < reading->count; i++)
        if (count == 0 ||
            !fg_slice_equal(reading->series[count - 1].service, reading->series[i].service))
            reading->series[count++] = reading->series[i];
    reading->count = count;
}

/* -- Writing
 * ---------------------------------------------------------------------------------------
 */

static void write_points(struct fg_json_writer *json, const char *name, const uint64_t *values,
                         uint32_t count)
{
    fg_json_key(json, fg_slice_from_string(name));
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < count; i++)
        fg_json_uint(json, values[i]);
    fg_json_array_end(json);
}

static void write_series(struct fg_json_writer *json, const struct query *query,
                         const struct series *series)
{
    static const char *const names[QUANTILES] = {"p50_ns", "p95_ns", "p99_ns"};
    uint32_t points = query->window.point_count;
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "service");
    fg_json_string(json, series->service);
    if (query->by == BY_OPERATION) {
        const char *kind = fg_span_kind_name(series->kind);
        FG_JSON_KEY(json, "name");
        fg_json_string(json, series->name);
        FG_JSON_KEY(json, "kind");
        fg_json_string(json, fg_slice_from_string(kind ? kind : fg_span_kind_name(0)));
    }
    write_points(json, "span_count", series->span_count, points);
    write_points(json, "error_count", series->error_count, points);
    for (size_t i = 0; i < QUANTILES; i++)
        write_points(json, names[i], series->quantile_ns[i], points);
    FG_JSON_KEY(json, "of");
    fg_json_string(json, series->of_requests ? FG_SLICE("requests") : FG_SLICE("spans"));
    FG_JSON_KEY(json, "total");
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "span_count");
    fg_json_uint(json, series->total);
    FG_JSON_KEY(json, "error_count");
    fg_json_uint(json, series->total_errors);
    for (size_t i = 0; i < QUANTILES; i++) {
        fg_json_key(json, fg_slice_from_string(names[i]));
        fg_json_uint(json, fg_histogram_quantile(series->total_durations, quantiles[i]));
    }
    fg_json_object_end(json);
    fg_json_object_end(json);
}

static int compare_series(const void *a, const void *b)
{
    const struct series *x = a, *y = b;
    if (x->total != y->total)
        return x->total > y->total ? -1 : 1;
    int order = fg_slice_compare(x->service, y->service);
    if (order == 0)
        order = fg_slice_compare(x->name, y->name);
    return order ? order : (int)x->kind - (int)y->kind;
}

static void write_all(struct fg_work *work, struct reading *reading, uint64_t uncounted)
{
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    fg_series_window_write(&json, &reading->query->window);
    FG_JSON_KEY(&json, "series");
    fg_json_array_begin(&json);
    for (uint32_t i = 0; i < reading->count; i++) {
        end_point(&reading->series[i]);
        if (i < reading->query->limit)
            write_series(&json, reading->query, &reading->series[i]);
        else
            reading->left_off += reading->series[i].total;
    }
    fg_json_array_end(&json);
    FG_JSON_KEY(&json, "left_off");
    fg_json_uint(&json, reading->left_off);
    FG_JSON_KEY(&json, "uncounted");
    fg_json_uint(&json, uncounted);
    fg_json_object_end(&json);
}

static int read_series(struct fg_work *work, struct reading *reading, struct fg_rollup *rollup)
{
    const struct fg_series_window *window = &reading->query->window;
    reading->series = fg_arena_calloc(&work->arena, SERIES_MAX, sizeof *reading->series);
    if (!reading->series)
        return FG_ELIMIT;
    int r = fg_store_rollup(fg_api_store(work->exchange->api), work->exchange->identity.tenant,
                            window->start_ns, window->end_ns, rollup);
    return r < 0 ? r : fg_rollup_each(rollup, add_cell, reading);
}

static int run(struct fg_work *work)
{
    struct reading reading = {.query = (const struct query *)work->state, .arena = &work->arena};
    struct fg_rollup *rollup;
    int r = fg_rollup_new(&rollup);
    if (r < 0)
        return r;
    fg_idmap_init(&reading.map);
    r = read_series(work, &reading, rollup);
    uint64_t uncounted = fg_rollup_uncounted(rollup);
    fg_idmap_free(&reading.map);
    fg_rollup_free(rollup);
    if (r < 0)
        return r;
    if (reading.query->of_requests)
        choose(&reading);
    qsort(reading.series, reading.count, sizeof *reading.series, compare_series);
    write_all(work, &reading, uncounted);
    return 0;
}

/* -- Parameters
 * ------------------------------------------------------------------------------------
 */

static bool by_param(struct fg_exchange *exchange, enum by *by)
{
    static const char *const words[] = {
        [BY_SERVICE] = "service", [BY_OPERATION] = "operation", [BY_NOTHING] = "all"};
    struct fg_slice text = fg_exchange_param(exchange, "by");
    *by = BY_SERVICE;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (fg_slice_equal(text, fg_slice_from_string(words[i])))
            *by = (enum by)i;
    if (text.size == 0 || fg_slice_equal(text, fg_slice_from_string(words[*by])))
        return true;
    fg_answer_invalid(exchange, "by: expected service, operation or all");
    return false;
}

static bool is_possible(struct fg_exchange *exchange, const struct query *query)
{
    if (query->by == BY_OPERATION && !query->service.data)
        fg_answer_invalid(exchange, "by=operation needs a service");
    else if (query->by == BY_OPERATION && query->of_requests)
        fg_answer_invalid(exchange, "of=requests is of services, not of operations");
    else
        return true;
    return false;
}

void fg_handle_series(struct fg_exchange *exchange)
{
    static const char *const names[] = {"start", "end", "step", "service",
                                        "name",  "by",  "of",   "limit"};
    struct query query = {.service = fg_exchange_param(exchange, "service"),
                          .name = fg_exchange_param(exchange, "name"),
                          .limit = LIMIT_DEFAULT};
    if (!fg_params_known(exchange, names, sizeof names / sizeof *names) ||
        !fg_series_window_params(exchange, &query.window) || !by_param(exchange, &query.by) ||
        !fg_word_param(exchange, "of", "spans", "requests", &query.of_requests) ||
        !is_possible(exchange, &query) ||
        !fg_count_param(exchange, "limit", SERIES_MAX, &query.limit))
        return;
    struct fg_work *work = fg_work_new(exchange, "read the series", run, sizeof query);
    if (!work)
        return;
    memcpy(work->state, &query, sizeof query);
    fg_work_start(work, exchange->api->readers);
}
