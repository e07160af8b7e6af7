/* GET /api/v1/durations: how long spans took, as a heat map over time, from the minute rollups.
 *
 *     {"start": …, "start_ns": "…", "step_ns": …, "count": 60,
 *      "bounds_ns": [1048576, 1468007, …], "cells": [[point, row, spans, errors], …], "uncounted":
 * 0}
 *
 * Row i holds durations in [bounds_ns[i], bounds_ns[i + 1]); two rows a power of two. Only cells
 * with spans are given, by point, then row. */
#include "handlers.h"
#include "search_params.h"
#include "series_params.h"
#include "state.h"
#include "store/rollup.h"
#include "store/store.h"
#include "wire/json_writer.h"
#include "work.h"

#define BUCKETS_A_ROW 5u
#define ROWS          (FG_HISTOGRAM_BUCKETS / BUCKETS_A_ROW)

struct query {
    struct fg_series_window window;
    struct fg_slice service, name; /* {NULL, 0}: any */
    bool of_requests;              /* spans of kind server and consumer alone */
};

struct cell {
    uint64_t span_count, error_count;
};

struct reading {
    const struct query *query;
    struct cell *cells; /* point_count x ROWS */
    uint32_t row_min, row_end;
};

static int add_cell(void *arg, const struct fg_rollup_cell *cell)
{
    struct reading *reading = arg;
    const struct query *query = reading->query;
    uint32_t point = fg_series_point(&query->window, cell->minute_ns);
    bool is_request = cell->kind == FG_SPAN_KIND_SERVER || cell->kind == FG_SPAN_KIND_CONSUMER;
    if (cell->is_edge || point == FG_SERIES_POINTS_MAX || (query->of_requests && !is_request) ||
        (query->service.data && !fg_slice_equal(query->service, cell->service)) ||
        (query->name.data && !fg_slice_equal(query->name, cell->name)))
        return 0;
    for (uint32_t i = 0; i < cell->bucket_count; i++) {
        uint32_t row = cell->buckets[i].bucket / BUCKETS_A_ROW;
        struct cell *to = &reading->cells[(size_t)point * ROWS + row];
        to->span_count += cell->buckets[i].count;
        to->error_count += cell->error_count ? cell->buckets[i].count : 0;
        reading->row_min = row < reading->row_min ? row : reading->row_min;
        reading->row_end = row >= reading->row_end ? row + 1 : reading->row_end;
    }
    return 0;
}

static void write_bounds(struct fg_json_writer *json, const struct reading *reading)
{
    uint64_t begin_ns, end_ns;
    FG_JSON_KEY(json, "bounds_ns");
    fg_json_array_begin(json);
    for (uint32_t row = reading->row_min; row < reading->row_end; row++) {
        fg_histogram_bounds(row * BUCKETS_A_ROW, &begin_ns, &end_ns);
        fg_json_uint(json, begin_ns);
    }
    if (reading->row_end > reading->row_min) {
        fg_histogram_bounds(reading->row_end * BUCKETS_A_ROW - 1, &begin_ns, &end_ns);
        fg_json_uint(json, end_ns);
    }
    fg_json_array_end(json);
}

static void write_cells(struct fg_json_writer *json, const struct reading *reading)
{
    FG_JSON_KEY(json, "cells");
    fg_json_array_begin(json);
    for (uint32_t point = 0; point < reading->query->window.point_count; point++)
        for (uint32_t row = reading->row_min; row < reading->row_end; row++) {
            const struct cell *cell = &reading->cells[(size_t)point * ROWS + row];
            if (cell->span_count == 0)
                continue;
            fg_json_array_begin(json);
            fg_json_uint(json, point);
            fg_json_uint(json, row - reading->row_min);
            fg_json_uint(json, cell->span_count);
            fg_json_uint(json, cell->error_count);
            fg_json_array_end(json);
        }
    fg_json_array_end(json);
}

static int read_cells(struct fg_work *work, struct reading *reading, struct fg_rollup *rollup)
{
    const struct fg_series_window *window = &reading->query->window;
    reading->cells =
        fg_arena_calloc(&work->arena, (size_t)window->point_count * ROWS, sizeof *reading->cells);
    if (!reading->cells)
        return FG_ELIMIT;
    int r = fg_store_rollup(fg_api_store(work->exchange->api), work->exchange->identity.tenant,
                            window->start_ns, window->end_ns, rollup);
    return r < 0 ? r : fg_rollup_each(rollup, add_cell, reading);
}

static int run(struct fg_work *work)
{
    struct reading reading = {.query = (const struct query *)work->state, .row_min = ROWS};
    struct fg_rollup *rollup;
    int r = fg_rollup_new(&rollup);
    if (r < 0)
        return r;
    r = read_cells(work, &reading, rollup);
    uint64_t uncounted = fg_rollup_uncounted(rollup);
    fg_rollup_free(rollup);
    if (r < 0)
        return r;
    struct fg_json_writer json = fg_json_writer(&work->body);
    fg_json_object_begin(&json);
    fg_series_window_write(&json, &reading.query->window);
    write_bounds(&json, &reading);
    write_cells(&json, &reading);
    FG_JSON_KEY(&json, "uncounted");
    fg_json_uint(&json, uncounted);
    fg_json_object_end(&json);
    return 0;
}

void fg_handle_durations(struct fg_exchange *exchange)
{
    static const char *const names[] = {"start", "end", "step", "service", "name", "of"};
    struct query query = {.service = fg_exchange_param(exchange, "service"),
                          .name = fg_exchange_param(exchange, "name")};
    if (!fg_params_known(exchange, names, sizeof names / sizeof *names) ||
        !fg_series_window_params(exchange, &query.window) ||
        !fg_word_param(exchange, "of", "spans", "requests", &query.of_requests))
        return;
    struct fg_work *work = fg_work_new(exchange, "read the durations", run, sizeof query);
    if (!work)
        return;
    memcpy(work->state, &query, sizeof query);
    fg_work_start(work, exchange->api->readers);
}
