/* GET /api/v1/traces/{id}/find?text=…: which spans of a trace have a text somewhere: in the name,
 * the service, the status message, a key or value of an attribute, an event or a link. The page's
 * own search: the view has no attributes, and a whole trace is too much to send for a few words.
 *
 *     {"spans": [index, …], "truncated": false, "partial": false}
 *
 * The indexes are those of the view. Each text of the batch is looked at once, however many spans
 * have it: a mark a string id, then a pass over the spans. Upper and lower case are the same, in
 * Latin, Greek and Cyrillic. */
#include "base/limits.h"
#include "handlers.h"
#include "search_params.h"
#include "span/tree.h"
#include "text_fold.h"
#include "wire/json_writer.h"

#include <inttypes.h>
#include <stdio.h>

#define NUMBER_SIZE 40

struct find {
    struct fg_json_writer json;
    struct fg_slice needle; /* folded; in query_arena, which lasts */
    struct fg_tree tree;
    uint8_t *has;          /* by string id: whether the text is in it */
    uint8_t *has_resource; /* by resource id */
    uint32_t at;           /* in tree.order */
};

static struct find *find_of(struct fg_trace_stream *stream)
{
    return (struct find *)stream->state;
}

static bool in_value(const struct find *find, uint8_t type, uint64_t value)
{
    char text[NUMBER_SIZE];
    int size = 0;
    if (fg_value_type_is_bytes(type))
        return find->has[value];
    if (type == FG_VALUE_BOOL)
        size = snprintf(text, sizeof text, "%s", value ? "true" : "false");
    else if (type == FG_VALUE_INT)
        size = snprintf(text, sizeof text, "%" PRId64, (int64_t)value);
    else if (type == FG_VALUE_DOUBLE) {
        double number;
        memcpy(&number, &value, sizeof number);
        size = snprintf(text, sizeof text, "%.15g", number);
    }
    return size > 0 && fg_text_has(fg_slice(text, (size_t)size), find->needle);
}

static bool in_attrs(const struct find *find, const struct fg_attrs *attrs, uint32_t owner)
{
    uint32_t begin, end;
    fg_attrs_range(attrs, owner, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        if (find->has[attrs->key[i]] || in_value(find, attrs->type[i], attrs->value[i]))
            return true;
    return false;
}

static bool in_id(const struct find *find, uint64_t high, uint64_t low, bool is_span)
{
    char text[33];
    int size = is_span ? snprintf(text, sizeof text, "%016" PRIx64, low)
                       : snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, high, low);
    return fg_text_has(fg_slice(text, (size_t)size), find->needle);
}

static bool in_events(const struct find *find, const struct fg_batch *batch, uint32_t row)
{
    if (!batch->event_begin)
        return false;
    for (uint32_t i = batch->event_begin[row]; i < batch->event_begin[row + 1]; i++)
        if (find->has[batch->event_name[i]] || in_attrs(find, &batch->event_attrs, i))
            return true;
    return false;
}

static bool in_links(const struct find *find, const struct fg_batch *batch, uint32_t row)
{
    if (!batch->link_begin)
        return false;
    for (uint32_t i = batch->link_begin[row]; i < batch->link_begin[row + 1]; i++)
        if (in_id(find, batch->link_trace_id_high[i], batch->link_trace_id_low[i], false) ||
            in_id(find, 0, batch->link_span_id[i], true) || in_attrs(find, &batch->link_attrs, i))
            return true;
    return false;
}

static bool in_span(const struct find *find, const struct fg_batch *batch, uint32_t row)
{
    return find->has[batch->name[row]] || find->has_resource[batch->resource[row]] ||
           find->has[fg_column_u32(batch->status_message, row)] ||
           in_id(find, 0, batch->span_id[row], true) || in_attrs(find, &batch->span_attrs, row) ||
           in_events(find, batch, row) || in_links(find, batch, row);
}

static int loaded(struct fg_trace_stream *stream, bool *ret_render)
{
    struct find *find = find_of(stream);
    const struct fg_batch *batch = &stream->batch;
    int r = fg_tree_build(batch, &stream->arena, &find->tree);
    if (r < 0)
        return r;
    find->has = fg_arena_calloc(&stream->arena, batch->string_count, sizeof *find->has);
    find->has_resource =
        fg_arena_calloc(&stream->arena, batch->resource_count, sizeof *find->has_resource);
    if (!find->has || !find->has_resource)
        return FG_ELIMIT;
    for (uint32_t id = 0; id < batch->string_count; id++)
        find->has[id] = fg_text_has(batch->strings[id], find->needle);
    for (uint32_t id = 0; id < batch->resource_count; id++)
        find->has_resource[id] =
            find->has[batch->resource_service[id]] || in_attrs(find, &batch->resource_attrs, id);
    find->json = fg_json_writer(&stream->text);
    fg_json_object_begin(&find->json);
    FG_JSON_KEY(&find->json, "spans");
    fg_json_array_begin(&find->json);
    *ret_render = true;
    return stream->text.error;
}

static int render(struct fg_trace_stream *stream, bool *ret_done)
{
    struct find *find = find_of(stream);
    for (uint32_t looked = 0; looked < 4096 && find->at < find->tree.count; looked++, find->at++)
        if (in_span(find, &stream->batch, find->tree.order[find->at]))
            fg_json_uint(&find->json, find->at);
    *ret_done = find->at == find->tree.count;
    return stream->text.error;
}

static int end(struct fg_trace_stream *stream)
{
    struct fg_json_writer *json = &find_of(stream)->json;
    fg_json_array_end(json);
    FG_JSON_KEY(json, "truncated");
    fg_json_bool(json, stream->truncated);
    FG_JSON_KEY(json, "partial");
    fg_json_bool(json, stream->partial);
    fg_json_object_end(json);
    return stream->text.error;
}

static const struct fg_trace_stream_ops ops = {
    .verb = "search the trace",
    .loaded = loaded,
    .render = render,
    .end = end,
};

void fg_handle_trace_find(struct fg_exchange *exchange)
{
    static const char *const names[] = {"text"};
    struct fg_trace_key key = {0};
    if (fg_trace_id_parse(exchange->param, &key.trace_id_high, &key.trace_id_low) < 0) {
        fg_answer_invalid(exchange, "a trace id is 16 or 32 hexadecimal digits, not all zero");
        return;
    }
    if (!fg_params_known(exchange, names, 1))
        return;
    struct fg_slice text = fg_exchange_param(exchange, "text");
    if (text.size == 0) {
        fg_answer_invalid(exchange, "text is what to look for, and is missing");
        return;
    }
    struct fg_trace_stream *stream = fg_trace_stream_new(exchange, &ops, sizeof(struct find));
    if (!stream)
        return;
    int r = fg_text_fold(text, &stream->query_arena, &find_of(stream)->needle);
    if (r < 0) {
        fg_trace_stream_abandon(stream);
        fg_answer_error(exchange, r, "search the trace");
        return;
    }
    stream->key = key;
    fg_trace_stream_start_take(stream);
}
