/* GET /api/v1/traces/{id}/view: a trace as a page draws it. Spans come in depth-first pre-order, as
 * columns: an array of numbers each, or one number where every span has the same. Service and name
 * are indexes into tables, the parent is the index of an earlier span, times are relative to the
 * trace's start. So that 100 000 spans are some megabytes of numbers, which a browser parses in a
 * blink without an object a span, and what a page needs of the tree is worked out once, here.
 *
 *     {"trace_id": …, "start_ns": …, …, "names": […], "services": […],
 *      "spans": {"id": "00000000000000a100000000000000a2…", "parent": [-1, 0, …], …, "shift_ns":
 * 0}, "critical_path": [[span, start, duration, is_queue], …], "truncated": false, "partial":
 * false}
 *
 * All of it is written as fast as it is read. */
#include "base/endian.h"
#include "base/hex.h"
#include "base/limits.h"
#include "handlers.h"
#include "json_fields.h"
#include "query/critical_path.h"
#include "search_params.h"
#include "span/tree.h"

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

/* What is written, in this order; STAGE_COLUMN and the COLUMN_COUNT - 1 after it are the columns.
 */
enum stage { STAGE_NAMES, STAGE_SERVICES, STAGE_ID, STAGE_COLUMN };

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
    uint32_t span_count; /* that are written: the first of tree.order */
    uint32_t *place;     /* by row: its index in the answer + 1; 0: left out */
    uint8_t *is_critical;
    struct table names, services;
    unsigned uniform; /* bit i: every span has the same in column i */
    unsigned stage;   /* enum stage */
    uint32_t at;      /* in the stage */
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

/* -- Columns: of the span of a row */

static int64_t flags_of(const struct view *view, const struct fg_batch *batch, uint32_t row)
{
    bool has_parent = view->tree.parent[row] != FG_TREE_NONE;
    int64_t flags = 0;
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

static int64_t parent_of(const struct view *view, const struct fg_batch *batch, uint32_t row)
{
    (void)batch;
    uint32_t parent = view->tree.parent[row];
    return parent == FG_TREE_NONE ? -1 : (int64_t)view->place[parent] - 1;
}

static int64_t depth_of(const struct view *view, const struct fg_batch *batch, uint32_t row)
{
    (void)batch;
    return view->tree.depth[row];
}

static int64_t service_of(const struct view *view, const struct fg_batch *batch, uint32_t row)
{
    return view->services.index_of[batch->resource_service[batch->resource[row]]] - 1;
}

static int64_t name_of(const struct view *view, const struct fg_batch *batch, uint32_t row)
{
    return view->names.index_of[batch->name[row]] - 1;
}

static int64_t start_of(const struct view *view, const struct fg_batch *batch, uint32_t row)
{
    return (int64_t)(batch->start_ns[row] - view->summary.start_ns);
}

static int64_t duration_of(const struct view *view, const struct fg_batch *batch, uint32_t row)
{
    (void)view;
    uint64_t start_ns = batch->start_ns[row], end_ns = batch->end_ns[row];
    return end_ns > start_ns ? (int64_t)(end_ns - start_ns) : 0;
}

static int64_t kind_of(const struct view *view, const struct fg_batch *batch, uint32_t row)
{
    (void)view;
    return batch->kind[row];
}

static int64_t status_of(const struct view *view, const struct fg_batch *batch, uint32_t row)
{
    (void)view;
    return batch->status[row];
}

static int64_t marks_of(const struct view *view, const struct fg_batch *batch, uint32_t row)
{
    (void)view;
    return fg_column_u16(batch->marks, row);
}

static int64_t shift_of(const struct view *view, const struct fg_batch *batch, uint32_t row)
{
    (void)batch;
    return view->skew.shift_ns[row];
}

static const struct column {
    const char *name;
    int64_t (*of)(const struct view *view, const struct fg_batch *batch, uint32_t row);
} columns[] = {
    {"parent", parent_of}, {"depth", depth_of},    {"service", service_of},
    {"name", name_of},     {"start_ns", start_of}, {"duration_ns", duration_of},
    {"kind", kind_of},     {"status", status_of},  {"flags", flags_of},
    {"marks", marks_of},   {"shift_ns", shift_of},
};

#define COLUMN_COUNT ((unsigned)(sizeof columns / sizeof *columns))
/* The stages after the columns. */
#define STAGE_PATH (STAGE_COLUMN + COLUMN_COUNT)
#define STAGE_OVER (STAGE_PATH + 1)

static void find_uniform(struct view *view, const struct fg_batch *batch)
{
    const uint32_t *rows = view->tree.order;
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        uint32_t index = 1;
        while (index < view->span_count &&
               columns[i].of(view, batch, rows[index]) == columns[i].of(view, batch, rows[0]))
            index++;
        if (view->span_count > 0 && index >= view->span_count)
            view->uniform |= 1u << i;
    }
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
    for (uint32_t index = 0; index < view->span_count; index++) {
        uint32_t row = view->tree.order[index];
        view->place[row] = index + 1;
        table_index(&view->names, batch->name[row]);
        table_index(&view->services, batch->resource_service[batch->resource[row]]);
    }
    find_uniform(view, batch);
    return 0;
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
    fg_write_count(json, "root_count", roots);
    fg_write_count(json, "orphan_count", orphans);
    fg_write_count(json, "span_count", summary->span_count);
    fg_write_count(json, "error_count", summary->error_count);
    fg_write_count(json, "open_count", summary->open_count);
    fg_write_count(json, "adjusted_count", view->skew.adjusted_count);
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

static bool is_column(unsigned stage)
{
    return stage >= STAGE_COLUMN && stage < STAGE_PATH;
}

static bool is_uniform(const struct view *view)
{
    return is_column(view->stage) && (view->uniform >> (view->stage - STAGE_COLUMN) & 1) != 0;
}

static uint32_t stage_size(const struct view *view)
{
    switch (view->stage) {
    case STAGE_NAMES:
        return view->names.count;
    case STAGE_SERVICES:
        return view->services.count;
    default:
        break;
    }
    if (view->stage == STAGE_PATH)
        return view->path.count;
    return is_uniform(view) ? 1 : view->span_count;
}

/* All span ids are one string, 16 digits each: no text a span for the reader to make. */
static void stage_begin(struct view *view)
{
    static const char *const keys[] = {"names", "services", "id"};
    struct fg_json_writer *json = &view->json;
    if (view->stage == STAGE_ID) {
        FG_JSON_KEY(json, "spans");
        fg_json_object_begin(json);
    } else if (view->stage == STAGE_PATH) {
        fg_json_object_end(json);
    }
    const char *key = view->stage < STAGE_COLUMN ? keys[view->stage]
                      : is_column(view->stage)   ? columns[view->stage - STAGE_COLUMN].name
                                                 : "critical_path";
    fg_json_key(json, fg_slice_from_string(key));
    if (view->stage == STAGE_ID)
        fg_json_raw(json, FG_SLICE("\""));
    else if (!is_uniform(view))
        fg_json_array_begin(json);
}

static void stage_end(struct view *view)
{
    if (view->stage == STAGE_ID)
        fg_buffer_append_byte(view->json.buffer, '"');
    else if (!is_uniform(view))
        fg_json_array_end(&view->json);
}

static void write_id(struct fg_buffer *buffer, uint64_t id)
{
    uint8_t bytes[8];
    char text[16];
    fg_store_be64(bytes, id);
    fg_hex_encode(fg_slice(bytes, sizeof bytes), text);
    fg_buffer_append(buffer, text, sizeof text);
}

static void write_one(struct view *view, const struct fg_batch *batch)
{
    uint32_t index = view->at++;
    if (view->stage == STAGE_NAMES) {
        fg_json_string(&view->json, batch->strings[view->names.ids[index]]);
    } else if (view->stage == STAGE_SERVICES) {
        fg_json_string(&view->json, batch->strings[view->services.ids[index]]);
    } else if (view->stage == STAGE_ID) {
        write_id(view->json.buffer, batch->span_id[view->tree.order[index]]);
    } else if (is_column(view->stage)) {
        const struct column *column = &columns[view->stage - STAGE_COLUMN];
        fg_json_int(&view->json, column->of(view, batch, view->tree.order[index]));
    } else {
        write_piece(view, index);
    }
}

static void next_stage(struct view *view)
{
    stage_end(view);
    view->stage++;
    view->at = 0;
    if (view->stage != STAGE_OVER)
        stage_begin(view);
}

static int loaded(struct fg_trace_stream *stream, bool *ret_render)
{
    struct view *view = view_of(stream);
    view->json = fg_json_writer(&stream->text);
    view->span_count = stream->batch.span_count;
    if (view->span_count > view->span_count_max) {
        view->span_count = view->span_count_max;
        stream->truncated = true;
    }
    int r = work_out(view, &stream->batch, &stream->arena);
    if (r < 0)
        return r;
    write_head(view, &stream->batch);
    stage_begin(view);
    *ret_render = true;
    return stream->text.error;
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
