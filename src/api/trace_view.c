/* GET /api/v1/traces/{id}/view: a trace as a page draws it. Spans come in depth-first pre-order,
 * each as one short array of numbers; service and name are indexes into tables, the parent is the
 * index of an earlier span, times are relative to the trace's start. So that 100 000 spans are some
 * megabytes, which a browser parses in a blink, and what a page needs of the tree is worked out
 * once, here.
 *
 *     {"trace_id": …, "start_ns": …, …, "columns": ["id", "parent", …], "spans": [[…], …],
 *      "names": […], "services": […], "critical_path": [[span, start, duration, is_queue], …],
 *      "truncated": false, "partial": false}
 *
 * The tables come after the spans, since an index is given out when a text is met first; all of it
 * is written as fast as it is read. */
#include "base/limits.h"
#include "handlers.h"
#include "query/critical_path.h"
#include "search_params.h"
#include "span/tree.h"

#include <inttypes.h>
#include <stdio.h>

/* What a span is, beyond its numbers: bits of its "flags". */
enum view_flag {
    VIEW_ROOT = 1,     /* it names no parent */
    VIEW_ORPHAN = 2,   /* it names one that is not there */
    VIEW_OPEN = 4,     /* it has no end yet */
    VIEW_CRITICAL = 8, /* the trace waited for it */
    VIEW_ASYNC = 16,   /* its parent did not wait for it */
    VIEW_EVENTS = 32,
    VIEW_LINKS = 64,
};

static const char *const columns[] = {"id",     "parent",   "depth",       "service",
                                      "name",   "start_ns", "duration_ns", "kind",
                                      "status", "flags",    "marks",       "shift_ns"};

enum stage { STAGE_SPANS, STAGE_NAMES, STAGE_SERVICES, STAGE_PATH, STAGE_OVER };

/* Texts of one table, in the order in which they were met. */
struct table {
    uint32_t *index_of; /* by string id: its index + 1; 0: not met */
    uint32_t *ids;
    uint32_t count;
};

struct view {
    struct fg_json_writer json;
    uint32_t span_count_max; /* that the client wants */
    struct fg_trace_summary summary;
    struct fg_tree tree;
    struct fg_skew skew;
    struct fg_critical_path path;
    uint32_t *place; /* by row: its index in the answer + 1 */
    uint8_t *is_critical;
    struct table names, services;
    enum stage stage;
    uint32_t at;         /* in the stage */
    uint32_t span_count; /* that are written */
};

static struct view *view_of(struct fg_trace_stream *stream)
{
    return (struct view *)stream->state;
}

/* -- Working it out: the reader's thread */

static int table_init(struct table *table, const struct fg_batch *batch, struct fg_arena *arena)
{
    table->index_of = fg_arena_calloc(arena, batch->string_count, sizeof *table->index_of);
    table->ids = fg_arena_calloc(arena, batch->string_count, sizeof *table->ids);
    return table->index_of && table->ids ? 0 : FG_ELIMIT;
}

static uint32_t table_index(struct table *table, uint32_t id)
{
    if (table->index_of[id] == 0) {
        table->ids[table->count++] = id;
        table->index_of[id] = table->count;
    }
    return table->index_of[id] - 1;
}

/* An open span is drawn up to the last moment that the trace knows of. */
static uint64_t last_moment(const struct fg_batch *batch)
{
    uint64_t last_ns = 0;
    for (uint32_t i = 0; i < batch->span_count; i++) {
        uint64_t ns = batch->end_ns[i] > batch->start_ns[i] ? batch->end_ns[i] : batch->start_ns[i];
        last_ns = ns > last_ns ? ns : last_ns;
    }
    return last_ns;
}

static int work_out(struct view *view, const struct fg_batch *batch, struct fg_arena *arena)
{
    int r = fg_trace_summarize(batch, arena, &view->summary);
    if (r == 0)
        r = fg_tree_build(batch, arena, &view->tree);
    if (r == 0)
        r = fg_skew_find(batch, &view->tree, arena, &view->skew);
    if (r == 0)
        r = fg_critical_path_find(batch, &view->tree, &view->skew, last_moment(batch), arena,
                                  &view->path);
    if (r == 0)
        r = table_init(&view->names, batch, arena);
    if (r == 0)
        r = table_init(&view->services, batch, arena);
    view->place = fg_arena_calloc(arena, batch->span_count, sizeof *view->place);
    view->is_critical = fg_arena_calloc(arena, batch->span_count, sizeof *view->is_critical);
    if (r < 0 || !view->place || !view->is_critical)
        return r < 0 ? r : FG_ELIMIT;
    for (uint32_t i = 0; i < view->path.count; i++)
        view->is_critical[view->path.pieces[i].row] = 1;
    return 0;
}

static void write_count(struct fg_json_writer *json, const char *name, uint64_t value)
{
    fg_json_key(json, fg_slice_from_string(name));
    fg_json_uint(json, value);
}

static void write_head(struct view *view, const struct fg_batch *batch)
{
    struct fg_json_writer *json = &view->json;
    const struct fg_trace_summary *summary = &view->summary;
    uint32_t roots = 0, orphans = 0;
    char id[FG_TRACE_ID_TEXT_SIZE];
    for (uint32_t row = 0; row < batch->span_count; row++) {
        roots += batch->parent_span_id[row] == 0;
        orphans += batch->parent_span_id[row] != 0 && view->tree.parent[row] == FG_TREE_NONE;
    }
    fg_json_object_begin(json);
    FG_JSON_KEY(json, "trace_id");
    fg_json_string(json, fg_trace_id_format(summary->trace_id_high, summary->trace_id_low, id));
    FG_JSON_KEY(json, "start_ns");
    fg_json_uint_string(json, summary->start_ns);
    FG_JSON_KEY(json, "duration_ns");
    fg_json_uint_string(json, summary->duration_ns);
    FG_JSON_KEY(json, "root_service");
    fg_json_string(json, summary->root_service);
    FG_JSON_KEY(json, "root_name");
    fg_json_string(json, summary->root_name);
    FG_JSON_KEY(json, "has_root");
    fg_json_bool(json, summary->has_root);
    write_count(json, "root_count", roots);
    write_count(json, "orphan_count", orphans);
    write_count(json, "span_count", summary->span_count);
    write_count(json, "error_count", summary->error_count);
    write_count(json, "open_count", summary->open_count);
    write_count(json, "adjusted_count", view->skew.adjusted_count);
    FG_JSON_KEY(json, "columns");
    fg_json_array_begin(json);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        fg_json_string(json, fg_slice_from_string(columns[i]));
    fg_json_array_end(json);
    FG_JSON_KEY(json, "spans");
    fg_json_array_begin(json);
}

static int loaded(struct fg_trace_stream *stream, bool *ret_render)
{
    struct view *view = view_of(stream);
    view->json = fg_json_writer(&stream->text);
    int r = work_out(view, &stream->batch, &stream->arena);
    if (r < 0)
        return r;
    view->span_count = stream->batch.span_count;
    if (view->span_count > view->span_count_max) {
        view->span_count = view->span_count_max;
        stream->truncated = true;
    }
    write_head(view, &stream->batch);
    *ret_render = true;
    return stream->text.error;
}

/* -- Writing it: the loop's thread */

static unsigned flags_of(const struct view *view, const struct fg_batch *batch, uint32_t row)
{
    bool has_parent = view->tree.parent[row] != FG_TREE_NONE;
    unsigned flags = 0;
    if (batch->parent_span_id[row] == 0)
        flags |= VIEW_ROOT;
    else if (!has_parent)
        flags |= VIEW_ORPHAN;
    if (batch->end_ns[row] == 0)
        flags |= VIEW_OPEN;
    if (view->is_critical[row])
        flags |= VIEW_CRITICAL;
    if (has_parent && fg_edge_is_async(batch, &view->tree, row))
        flags |= VIEW_ASYNC;
    if (batch->event_begin && batch->event_begin[row + 1] > batch->event_begin[row])
        flags |= VIEW_EVENTS;
    if (batch->link_begin && batch->link_begin[row + 1] > batch->link_begin[row])
        flags |= VIEW_LINKS;
    return flags;
}

static void write_span(struct view *view, const struct fg_batch *batch, uint32_t index)
{
    struct fg_json_writer *json = &view->json;
    uint32_t row = view->tree.order[index], parent = view->tree.parent[row];
    uint64_t start_ns = batch->start_ns[row], end_ns = batch->end_ns[row];
    char id[17];
    view->place[row] = index + 1;
    snprintf(id, sizeof id, "%016" PRIx64, batch->span_id[row]);
    fg_json_array_begin(json);
    fg_json_string(json, fg_slice(id, 16));
    fg_json_int(json, parent == FG_TREE_NONE ? -1 : (int64_t)view->place[parent] - 1);
    fg_json_uint(json, view->tree.depth[row]);
    fg_json_uint(json, table_index(&view->services, batch->resource_service[batch->resource[row]]));
    fg_json_uint(json, table_index(&view->names, batch->name[row]));
    fg_json_uint(json, start_ns - view->summary.start_ns);
    fg_json_uint(json, end_ns > start_ns ? end_ns - start_ns : 0);
    fg_json_uint(json, batch->kind[row]);
    fg_json_uint(json, batch->status[row]);
    fg_json_uint(json, flags_of(view, batch, row));
    fg_json_uint(json, fg_column_u16(batch->marks, row));
    fg_json_int(json, view->skew.shift_ns[row]);
    fg_json_array_end(json);
}

/* A piece of a span that was left out is left out too. */
static void write_piece(struct view *view, uint32_t index)
{
    const struct fg_path_piece *piece = &view->path.pieces[index];
    struct fg_json_writer *json = &view->json;
    if (view->place[piece->row] == 0)
        return;
    fg_json_array_begin(json);
    fg_json_uint(json, view->place[piece->row] - 1);
    fg_json_int(json, (int64_t)(piece->start_ns - view->summary.start_ns));
    fg_json_uint(json, piece->end_ns - piece->start_ns);
    fg_json_uint(json, piece->is_queue);
    fg_json_array_end(json);
}

static uint32_t stage_size(const struct view *view)
{
    switch (view->stage) {
    case STAGE_SPANS:
        return view->span_count;
    case STAGE_NAMES:
        return view->names.count;
    case STAGE_SERVICES:
        return view->services.count;
    case STAGE_PATH:
        return view->path.count;
    case STAGE_OVER:
        break;
    }
    return 0;
}

static void write_one(struct view *view, const struct fg_batch *batch)
{
    uint32_t index = view->at++;
    if (view->stage == STAGE_SPANS)
        write_span(view, batch, index);
    else if (view->stage == STAGE_NAMES)
        fg_json_string(&view->json, batch->strings[view->names.ids[index]]);
    else if (view->stage == STAGE_SERVICES)
        fg_json_string(&view->json, batch->strings[view->services.ids[index]]);
    else
        write_piece(view, index);
}

static void next_stage(struct view *view)
{
    static const char *const keys[] = {"", "names", "services", "critical_path"};
    fg_json_array_end(&view->json);
    view->stage++;
    view->at = 0;
    if (view->stage == STAGE_OVER)
        return;
    fg_json_key(&view->json, fg_slice_from_string(keys[view->stage]));
    fg_json_array_begin(&view->json);
}

static int render(struct fg_trace_stream *stream, bool *ret_done)
{
    struct view *view = view_of(stream);
    while (view->stage != STAGE_OVER && stream->text.size < FG_PULL_SIZE) {
        if (view->at < stage_size(view))
            write_one(view, &stream->batch);
        else
            next_stage(view);
    }
    *ret_done = view->stage == STAGE_OVER;
    return stream->text.error;
}

static int end(struct fg_trace_stream *stream)
{
    struct fg_json_writer *json = &view_of(stream)->json;
    FG_JSON_KEY(json, "truncated");
    fg_json_bool(json, stream->truncated);
    FG_JSON_KEY(json, "partial");
    fg_json_bool(json, stream->partial);
    fg_json_object_end(json);
    return stream->text.error;
}

static const struct fg_trace_stream_ops ops = {
    .verb = "read the trace",
    .loaded = loaded,
    .render = render,
    .end = end,
};

void fg_handle_trace_view(struct fg_exchange *exchange)
{
    static const char *const names[] = {"limit"};
    struct fg_trace_key key = {0};
    uint32_t limit = FG_TRACE_SPANS_MAX;
    if (fg_trace_id_parse(exchange->param, &key.trace_id_high, &key.trace_id_low) < 0) {
        fg_answer_invalid(exchange, "a trace id is 16 or 32 hexadecimal digits, not all zero");
        return;
    }
    if (!fg_params_known(exchange, names, 1) ||
        !fg_count_param(exchange, "limit", FG_TRACE_SPANS_MAX, &limit))
        return;
    struct fg_trace_stream *stream = fg_trace_stream_new(exchange, &ops, sizeof(struct view));
    if (!stream)
        return;
    view_of(stream)->span_count_max = limit;
    stream->key = key;
    fg_trace_stream_start_take(stream);
}
