/* GET /api/v1/heatmap: spans counted by when they began and how long they took, over any time and
 * of any number; see query/heatmap.h. Cells that are empty are left out. */
#include "query/heatmap.h"

#include "base/limits.h"
#include "base/units.h"
#include "handlers.h"
#include "search_params.h"
#include "state.h"
#include "work.h"

#define COLUMNS_DEFAULT 100u
#define TIME_NS         (5 * FG_NS_PER_SECOND) /* it is looked at, not waited for */

static void write_cells(struct fg_json_writer *json, const struct fg_heatmap *map)
{
    FG_JSON_KEY(json, "cells");
    fg_json_array_begin(json);
    for (uint32_t i = 0; i < map->column_count * FG_HEATMAP_ROWS; i++) {
        if (map->cells[i].count == 0)
            continue;
        fg_json_array_begin(json);
        fg_json_uint(json, i / FG_HEATMAP_ROWS);
        fg_json_uint(json, i % FG_HEATMAP_ROWS);
        fg_json_uint(json, map->cells[i].count);
        fg_json_uint(json, map->cells[i].error_count);
        fg_json_array_end(json);
    }
    fg_json_array_end(json);
}

static void write_rows(struct fg_json_writer *json)
{
    FG_JSON_KEY(json, "row_ns");
    fg_json_array_begin(json);
    for (uint32_t row = 0; row < FG_HEATMAP_ROWS; row++)
        fg_json_uint(json, fg_heatmap_row_ns(row));
    fg_json_array_end(json);
}

static void write_partial(struct fg_json_writer *json, const struct fg_heatmap *map)
{
    FG_JSON_KEY(json, "partial");
    fg_json_bool(json, map->cut || map->stats.damaged_pages);
    if (map->cut || map->stats.damaged_pages) {
        FG_JSON_KEY(json, "partial_reason");
        fg_json_string(json, map->cut == FG_ETIMEOUT ? FG_SLICE("time")
                             : map->cut              ? FG_SLICE("bytes")
                                                     : FG_SLICE("damage"));
    }
    FG_JSON_KEY(json, "whole_from_ns");
    fg_json_uint_string(json, map->whole_from_ns);
}

static void write_heatmap(struct fg_json_writer *json, const struct fg_heatmap *map)
{
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "start_ns");
    fg_json_uint_string(json, map->start_ns);
    FG_JSON_KEY(json, "column_ns");
    fg_json_uint_string(json, map->column_ns);
    FG_JSON_KEY(json, "column_count");
    fg_json_uint(json, map->column_count);
    write_rows(json);
    write_cells(json, map);
    FG_JSON_KEY(json, "span_count");
    fg_json_uint(json, map->count);
    FG_JSON_KEY(json, "error_count");
    fg_json_uint(json, map->error_count);
    FG_JSON_KEY(json, "open_count");
    fg_json_uint(json, map->open_count);
    write_partial(json, map);
    fg_json_object_end(json);
}

/* Reader's thread. */
static int run(struct fg_work *work)
{
    struct fg_heatmap_wanted *wanted = (struct fg_heatmap_wanted *)work->state;
    struct fg_api *api = work->exchange->api;
    struct fg_json_writer json = fg_json_writer(&work->body);
    struct fg_heatmap map;
    wanted->tenant = work->exchange->identity.tenant;
    wanted->deadline_mono_ns = fg_env_mono_ns(api->env) + TIME_NS;
    int r = fg_heatmap_read(fg_api_store(api), wanted, &work->arena, &map);
    if (r < 0)
        return r;
    write_heatmap(&json, &map);
    return work->body.error;
}

/* What of the query is decided on whole traces can't be counted span by span. */
static bool read_query(struct fg_exchange *exchange, struct fg_heatmap_wanted *wanted)
{
    bool is_whole;
    if (!fg_predicate_param(exchange, exchange->request->arena, &wanted->predicate, &is_whole))
        return false;
    if (!is_whole)
        fg_answer_invalid(exchange, "q: a heat map counts single spans: it can't ask for trace.… "
                                    "and root.…");
    return is_whole;
}

void fg_handle_heatmap(struct fg_exchange *exchange)
{
    static const char *const names[] = {"q", "start", "end", "columns"};
    struct fg_heatmap_wanted wanted = {.column_count = COLUMNS_DEFAULT,
                                       .bytes_max = FG_QUERY_BYTES,
                                       .is_cancelled = fg_work_is_cancelled,
                                       .arg = exchange->request};
    if (!fg_params_known(exchange, names, sizeof names / sizeof *names) ||
        !fg_time_params(exchange, &wanted.start_ns_min, &wanted.start_ns_max) ||
        !fg_count_param(exchange, "columns", FG_HEATMAP_COLUMNS_MAX, &wanted.column_count) ||
        !read_query(exchange, &wanted))
        return;
    if (wanted.start_ns_max == UINT64_MAX)
        wanted.start_ns_max = fg_env_wall_ns(exchange->api->env) + 1;
    if (wanted.start_ns_min >= wanted.start_ns_max) {
        fg_answer_invalid(exchange, "start lies ahead of the server's clock; give an end after it");
        return;
    }
    struct fg_work *work = fg_work_new(exchange, "count durations", run, sizeof wanted);
    if (!work)
        return;
    *(struct fg_heatmap_wanted *)work->state = wanted;
    fg_work_start(work, exchange->api->readers);
}
