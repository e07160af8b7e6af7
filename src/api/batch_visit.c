#include "api/batch_visit.h"

#include "base/endian.h"

#include <stdlib.h>

#define MARK_COUNT     8
#define MARKS_SIZE_MAX 256

static const char *const mark_names[MARK_COUNT] = {
    "truncated", "filed_by_receipt", "interrupted",      "conflict",
    "redacted",  "invalid_text",     "end_before_start", "shared",
};
_Static_assert(FG_MARK_SHARED == 1 << (MARK_COUNT - 1), "each mark has a name");

uint16_t fg_mark_from_name(struct fg_slice name)
{
    for (int i = 0; i < MARK_COUNT; i++)
        if (fg_slice_equal(name, fg_slice_from_string(mark_names[i])))
            return (uint16_t)(1 << i);
    return 0;
}

struct fg_otlp_value fg_batch_value(const struct fg_batch *batch, uint8_t type, uint64_t value)
{
    struct fg_otlp_value out = {.type = FG_OTLP_EMPTY};
    switch (type) {
    case FG_VALUE_STRING:
        return fg_otlp_string(batch->strings[value]);
    case FG_VALUE_BOOL:
        return fg_otlp_bool(value != 0);
    case FG_VALUE_INT:
        return fg_otlp_int((int64_t)value);
    case FG_VALUE_DOUBLE:
        out.type = FG_OTLP_DOUBLE;
        memcpy(&out.number, &value, sizeof out.number);
        return out;
    case FG_VALUE_BYTES:
        out.type = FG_OTLP_BYTES;
        out.bytes = batch->strings[value];
        return out;
    case FG_VALUE_ARRAY:
    case FG_VALUE_KVLIST:
        out.type = type == FG_VALUE_ARRAY ? FG_OTLP_ARRAY : FG_OTLP_KVLIST;
        out.encoded = batch->strings[value];
        return out;
    default:
        return out;
    }
}

struct place {
    uint32_t resource, scope, row;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->resource != y->resource)
        return x->resource < y->resource ? -1 : 1;
    if (x->scope != y->scope)
        return x->scope < y->scope ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

int fg_batch_visit_begin(struct fg_batch_visit *visit, const struct fg_batch *batch,
                         struct fg_arena *arena)
{
    uint32_t count = batch->span_count;
    struct place *places = fg_arena_calloc(arena, count, sizeof *places);
    uint32_t *rows = fg_arena_calloc(arena, count, sizeof *rows);
    if (!places || !rows)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < count; i++)
        places[i] = (struct place){batch->resource[i], batch->scope[i], i};
    qsort(places, count, sizeof *places, compare_places);
    for (uint32_t i = 0; i < count; i++)
        rows[i] = places[i].row;
    *visit = (struct fg_batch_visit){.batch = batch, .rows = rows, .row_count = count};
    return 0;
}

struct visitor {
    const struct fg_otlp_visitor *calls;
    void *arg;
    const struct fg_batch *batch;
};

static struct fg_slice text(const struct visitor *visitor, const uint32_t *column, uint32_t row)
{
    return visitor->batch->strings[fg_column_u32(column, row)];
}

static uint32_t attribute_count(const struct fg_attrs *attrs, uint32_t owner)
{
    uint32_t begin, end;
    fg_attrs_range(attrs, owner, &begin, &end);
    return end - begin;
}

static int visit_attributes(const struct visitor *visitor, const struct fg_attrs *attrs,
                            uint32_t owner, fg_otlp_attribute_fn attribute)
{
    uint32_t begin, end;
    fg_attrs_range(attrs, owner, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        struct fg_otlp_value value =
            fg_batch_value(visitor->batch, attrs->type[i], attrs->value[i]);
        int r = attribute(visitor->arg, visitor->batch->strings[attrs->key[i]], &value);
        if (r < 0)
            return r;
    }
    return 0;
}

static int visit_resource(const struct visitor *visitor, uint32_t id)
{
    const struct fg_batch *batch = visitor->batch;
    struct fg_otlp_resource resource = {
        .schema_url = text(visitor, batch->resource_schema_url, id),
        .dropped_attributes_count = fg_column_u32(batch->resource_dropped_attrs, id),
        .attribute_count = attribute_count(&batch->resource_attrs, id),
    };
    int r = visitor->calls->resource_begin(visitor->arg, &resource);
    if (r == 0)
        r = visit_attributes(visitor, &batch->resource_attrs, id,
                             visitor->calls->resource_attribute);
    return r < 0 ? r : visitor->calls->resource_end(visitor->arg);
}

static int visit_scope(const struct visitor *visitor, uint32_t id)
{
    const struct fg_batch *batch = visitor->batch;
    struct fg_otlp_scope scope = {
        .name = text(visitor, batch->scope_name, id),
        .version = text(visitor, batch->scope_version, id),
        .schema_url = text(visitor, batch->scope_schema_url, id),
        .dropped_attributes_count = fg_column_u32(batch->scope_dropped_attrs, id),
        .attribute_count = attribute_count(&batch->scope_attrs, id),
    };
    int r = visitor->calls->scope_begin(visitor->arg, &scope);
    if (r == 0)
        r = visit_attributes(visitor, &batch->scope_attrs, id, visitor->calls->scope_attribute);
    return r < 0 ? r : visitor->calls->scope_end(visitor->arg);
}

static int visit_event(const struct visitor *visitor, uint32_t i)
{
    const struct fg_batch *batch = visitor->batch;
    struct fg_otlp_event event = {
        .name = text(visitor, batch->event_name, i),
        .time_ns = batch->event_time_ns[i],
        .dropped_attributes_count = fg_column_u32(batch->event_dropped_attrs, i),
        .attribute_count = attribute_count(&batch->event_attrs, i),
    };
    int r = visitor->calls->event_begin(visitor->arg, &event);
    if (r == 0)
        r = visit_attributes(visitor, &batch->event_attrs, i, visitor->calls->event_attribute);
    return r < 0 ? r : visitor->calls->event_end(visitor->arg);
}

static int visit_link(const struct visitor *visitor, uint32_t i)
{
    const struct fg_batch *batch = visitor->batch;
    uint8_t trace_id[16], span_id[8];
    fg_store_be64(trace_id, batch->link_trace_id_high[i]);
    fg_store_be64(trace_id + 8, batch->link_trace_id_low[i]);
    fg_store_be64(span_id, batch->link_span_id[i]);
    struct fg_otlp_link link = {
        .trace_id = fg_slice(trace_id, sizeof trace_id),
        .span_id = fg_slice(span_id, sizeof span_id),
        .trace_state = text(visitor, batch->link_trace_state, i),
        .flags = fg_column_u32(batch->link_flags, i),
        .dropped_attributes_count = fg_column_u32(batch->link_dropped_attrs, i),
        .attribute_count = attribute_count(&batch->link_attrs, i),
    };
    int r = visitor->calls->link_begin(visitor->arg, &link);
    if (r == 0)
        r = visit_attributes(visitor, &batch->link_attrs, i, visitor->calls->link_attribute);
    return r < 0 ? r : visitor->calls->link_end(visitor->arg);
}

/* An AnyValue with an array of strings, written by hand: all lengths are below 128. */
static struct fg_slice encode_marks(uint16_t marks, uint8_t out[MARKS_SIZE_MAX])
{
    size_t at = 3; /* array_value's tag, and two bytes for its length */
    for (int i = 0; i < MARK_COUNT; i++) {
        if ((marks & 1 << i) == 0)
            continue;
        size_t size = strlen(mark_names[i]);
        out[at++] = FG_PB_TAG(1, FG_PB_BYTES); /* values */
        out[at++] = (uint8_t)(size + 2);
        out[at++] = FG_PB_TAG(1, FG_PB_BYTES); /* string_value */
        out[at++] = (uint8_t)size;
        memcpy(out + at, mark_names[i], size);
        at += size;
    }
    size_t size = at - 3;
    out[0] = FG_PB_TAG(5, FG_PB_BYTES);
    out[1] = (uint8_t)(size | 0x80);
    out[2] = (uint8_t)(size >> 7);
    return fg_slice(out, at);
}

static int visit_marks(const struct visitor *visitor, uint16_t marks)
{
    uint8_t encoded[MARKS_SIZE_MAX];
    if (!marks)
        return 0;
    struct fg_otlp_value value = {.type = FG_OTLP_ARRAY, .encoded = encode_marks(marks, encoded)};
    return visitor->calls->span_attribute(visitor->arg, FG_SLICE(FG_MARKS_KEY), &value);
}

static void range(const uint32_t *begins, uint32_t row, uint32_t *ret_begin, uint32_t *ret_end)
{
    *ret_begin = begins ? begins[row] : 0;
    *ret_end = begins ? begins[row + 1] : 0;
}

static int visit_below_span(const struct visitor *visitor, uint32_t row)
{
    const struct fg_batch *batch = visitor->batch;
    int r = visit_attributes(visitor, &batch->span_attrs, row, visitor->calls->span_attribute);
    if (r == 0)
        r = visit_marks(visitor, fg_column_u16(batch->marks, row));
    uint32_t begin, end;
    range(batch->event_begin, row, &begin, &end);
    for (uint32_t i = begin; r == 0 && i < end; i++)
        r = visit_event(visitor, i);
    range(batch->link_begin, row, &begin, &end);
    for (uint32_t i = begin; r == 0 && i < end; i++)
        r = visit_link(visitor, i);
    return r;
}

static int visit_span(const struct visitor *visitor, uint32_t row)
{
    const struct fg_batch *batch = visitor->batch;
    uint8_t trace_id[16], span_id[8], parent_id[8];
    fg_store_be64(trace_id, batch->trace_id_high[row]);
    fg_store_be64(trace_id + 8, batch->trace_id_low[row]);
    fg_store_be64(span_id, batch->span_id[row]);
    fg_store_be64(parent_id, batch->parent_span_id[row]);
    uint16_t marks = fg_column_u16(batch->marks, row);
    uint32_t begin, end, link_begin, link_end;
    range(batch->event_begin, row, &begin, &end);
    range(batch->link_begin, row, &link_begin, &link_end);
    struct fg_otlp_span span = {
        .trace_id = fg_slice(trace_id, sizeof trace_id),
        .span_id = fg_slice(span_id, sizeof span_id),
        .parent_span_id = fg_slice(parent_id, batch->parent_span_id[row] ? sizeof parent_id : 0),
        .trace_state = text(visitor, batch->trace_state, row),
        .name = batch->strings[batch->name[row]],
        .status_message = text(visitor, batch->status_message, row),
        .start_ns = batch->start_ns[row],
        .end_ns = batch->end_ns[row],
        .kind = batch->kind[row],
        .status_code = batch->status[row],
        .flags = fg_column_u32(batch->flags, row),
        .dropped_attributes_count = fg_column_u32(batch->dropped_attrs, row),
        .dropped_events_count = fg_column_u32(batch->dropped_events, row),
        .dropped_links_count = fg_column_u32(batch->dropped_links, row),
        .attribute_count = attribute_count(&batch->span_attrs, row) + (marks != 0),
        .event_count = end - begin,
        .link_count = link_end - link_begin,
        .shared = (marks & FG_MARK_SHARED) != 0,
    };
    int r = visitor->calls->span_begin(visitor->arg, &span);
    if (r == 0)
        r = visit_below_span(visitor, row);
    return r < 0 ? r : visitor->calls->span_end(visitor->arg);
}

int fg_batch_visit_step(struct fg_batch_visit *visit, uint32_t span_count_max,
                        const struct fg_otlp_visitor *visitor, void *arg, bool *ret_done)
{
    const struct fg_batch *batch = visit->batch;
    struct visitor v = {.calls = visitor, .arg = arg, .batch = batch};
    int r = 0;
    for (; r == 0 && visit->at < visit->row_count && span_count_max > 0; span_count_max--) {
        uint32_t row = visit->rows[visit->at];
        if (!visit->resource_is_open || visit->resource != batch->resource[row]) {
            visit->resource = batch->resource[row];
            visit->resource_is_open = true;
            visit->scope_is_open = false;
            r = visit_resource(&v, visit->resource);
        }
        if (r == 0 && (!visit->scope_is_open || visit->scope != batch->scope[row])) {
            visit->scope = batch->scope[row];
            visit->scope_is_open = true;
            r = visit_scope(&v, visit->scope);
        }
        if (r == 0)
            r = visit_span(&v, row);
        visit->at++;
    }
    if (r < 0)
        return r;
    *ret_done = visit->at == visit->row_count;
    return 0;
}
