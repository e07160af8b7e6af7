/* A row's strings, resource and scope are looked up in the remap, an array by the source's ids;
 * only what it has not seen is interned. An entry is good when it carries its side's stamp: one
 * stamp for the strings that all batches of a string epoch share, another for what belongs to this
 * batch alone, so that beginning anew clears nothing. */
#include "builder_state.h"

#include <assert.h>
#include <stdlib.h>

struct entry {
    uint32_t stamp;
    uint32_t id; /* the builder's */
};

enum side { STRINGS = 2 /* after fg_table's resource and scope */, SIDE_COUNT = 3 };

struct fg_remap {
    const struct fg_builder *builder;
    uint64_t generation; /* the builder's when entries were made */
    uint64_t string_epoch;
    uint32_t stable_stamp; /* of strings below stable_count */
    uint32_t own_stamp;    /* of everything else */
    uint32_t last_stamp;
    uint32_t stable_count;
    struct entry *entries[SIDE_COUNT];
    uint32_t capacities[SIDE_COUNT];
};

int fg_remap_new(struct fg_remap **ret_remap)
{
    struct fg_remap *remap = calloc(1, sizeof *remap);
    if (!remap)
        return FG_ENOMEM;
    *ret_remap = remap;
    return 0;
}

void fg_remap_free(struct fg_remap *remap)
{
    if (!remap)
        return;
    for (int i = 0; i < SIDE_COUNT; i++)
        free(remap->entries[i]);
    free(remap);
}

/* To the count and no further: there may be thousands of remaps. */
static int reserve(struct fg_remap *remap, int side, uint32_t count)
{
    if (count <= remap->capacities[side])
        return 0;
    struct entry *entries = realloc(remap->entries[side], count * sizeof *entries);
    if (!entries)
        return FG_ENOMEM;
    memset(entries + remap->capacities[side], 0,
           (count - remap->capacities[side]) * sizeof *entries);
    remap->entries[side] = entries;
    remap->capacities[side] = count;
    return 0;
}

/* Stamps are never used twice; when they have all been, everything is forgotten. */
static uint32_t next_stamp(struct fg_remap *remap)
{
    return ++remap->last_stamp;
}

static void forget_all(struct fg_remap *remap)
{
    for (int i = 0; i < SIDE_COUNT; i++)
        if (remap->entries[i])
            memset(remap->entries[i], 0, remap->capacities[i] * sizeof *remap->entries[i]);
    remap->last_stamp = 0;
    remap->string_epoch = 0;
}

int fg_remap_begin(struct fg_remap *remap, const struct fg_builder *builder,
                   const struct fg_batch *source)
{
    int r = reserve(remap, STRINGS, source->string_count);
    if (r == 0)
        r = reserve(remap, FG_TABLE_RESOURCE, source->resource_count);
    if (r == 0)
        r = reserve(remap, FG_TABLE_SCOPE, source->scope_count);
    if (r < 0)
        return r;
    if (remap->last_stamp > UINT32_MAX - 2)
        forget_all(remap);
    bool is_kept = source->string_epoch != 0 && source->string_epoch == remap->string_epoch &&
                   remap->builder == builder && remap->generation == builder->generation;
    if (!is_kept)
        remap->stable_stamp = next_stamp(remap);
    remap->own_stamp = next_stamp(remap);
    remap->builder = builder;
    remap->generation = builder->generation;
    remap->string_epoch = source->string_epoch;
    remap->stable_count = source->string_epoch ? source->stable_string_count : 0;
    return 0;
}

static int add_string(struct fg_builder *builder, struct entry *entry, uint32_t stamp,
                      struct fg_slice bytes, uint32_t *ret_id)
{
    int r = fg_builder_string(builder, bytes, ret_id);
    if (r == 0)
        *entry = (struct entry){.stamp = stamp, .id = *ret_id};
    return r;
}

static inline int map_string(struct fg_builder *builder, struct fg_remap *remap,
                             const struct fg_batch *source, uint32_t id, uint32_t *ret_id)
{
    struct entry *entry = &remap->entries[STRINGS][id];
    uint32_t stamp = id < remap->stable_count ? remap->stable_stamp : remap->own_stamp;
    if (entry->stamp != stamp)
        return add_string(builder, entry, stamp, source->strings[id], ret_id);
    *ret_id = entry->id;
    return 0;
}

static int map_value(struct fg_builder *builder, struct fg_remap *remap,
                     const struct fg_batch *source, const struct fg_attrs *attrs, uint32_t at,
                     uint64_t *ret_value)
{
    if (!fg_value_type_is_bytes(attrs->type[at])) {
        *ret_value = attrs->value[at];
        return 0;
    }
    uint32_t id;
    int r = map_string(builder, remap, source, (uint32_t)attrs->value[at], &id);
    if (r == 0)
        *ret_value = id;
    return r;
}

/* -- Resources and scopes */

static int copy_shared(struct fg_builder *builder, struct fg_remap *remap,
                       const struct fg_batch *source, enum fg_table table,
                       const struct fg_attrs *attrs, const uint32_t *scalars, uint32_t id,
                       uint32_t *ret_id)
{
    int r = fg_owner_begin(builder, table);
    if (r < 0)
        return r;
    builder->is_truncated = false;
    uint32_t begin, end, key;
    uint64_t value;
    fg_attrs_range(attrs, id, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        r = map_string(builder, remap, source, attrs->key[i], &key);
        if (r == 0)
            r = map_value(builder, remap, source, attrs, i, &value);
        if (r == 0)
            r = fg_owner_attr_ids(builder, table, key, attrs->type[i], value);
        if (r < 0)
            return r;
    }
    return fg_shared_end(builder, table, scalars, ret_id);
}

static int copy_resource(struct fg_builder *builder, struct fg_remap *remap,
                         const struct fg_batch *source, uint32_t id, uint32_t *ret_id)
{
    uint32_t scalars[FG_SHARED_SCALARS_MAX];
    int r = map_string(builder, remap, source, fg_column_u32(source->resource_schema_url, id),
                       &scalars[0]);
    if (r < 0)
        return r;
    scalars[1] = fg_column_u32(source->resource_dropped_attrs, id);
    return copy_shared(builder, remap, source, FG_TABLE_RESOURCE, &source->resource_attrs, scalars,
                       id, ret_id);
}

static int copy_scope(struct fg_builder *builder, struct fg_remap *remap,
                      const struct fg_batch *source, uint32_t id, uint32_t *ret_id)
{
    const uint32_t *const texts[] = {source->scope_name, source->scope_version,
                                     source->scope_schema_url};
    uint32_t scalars[FG_SHARED_SCALARS_MAX];
    for (int i = 0; i < 3; i++) {
        int r = map_string(builder, remap, source, fg_column_u32(texts[i], id), &scalars[i]);
        if (r < 0)
            return r;
    }
    scalars[3] = fg_column_u32(source->scope_dropped_attrs, id);
    return copy_shared(builder, remap, source, FG_TABLE_SCOPE, &source->scope_attrs, scalars, id,
                       ret_id);
}

/* A row of a source without the column has the resource, or scope, of which nothing is known. */
static int no_shared(struct fg_builder *builder, enum fg_table table, uint32_t *ret_id)
{
    const uint32_t scalars[FG_SHARED_SCALARS_MAX] = {0};
    int r = fg_owner_begin(builder, table);
    builder->is_truncated = false;
    return r < 0 ? r : fg_shared_end(builder, table, scalars, ret_id);
}

static int map_shared(struct fg_builder *builder, struct fg_remap *remap,
                      const struct fg_batch *source, enum fg_table table, const uint32_t *column,
                      uint32_t row, uint32_t *ret_id)
{
    if (!column)
        return no_shared(builder, table, ret_id);
    uint32_t id = column[row];
    struct entry *entry = &remap->entries[table][id];
    if (entry->stamp == remap->own_stamp) {
        *ret_id = entry->id;
        return 0;
    }
    int r = table == FG_TABLE_RESOURCE ? copy_resource(builder, remap, source, id, ret_id)
                                       : copy_scope(builder, remap, source, id, ret_id);
    if (r == 0)
        *entry = (struct entry){.stamp = remap->own_stamp, .id = *ret_id};
    return r;
}

/* -- Attributes, events, links */

/* All attributes of the owners [owner_begin, owner_end) as those of as many rows of table from its
 * end on; room for the rows was reserved. */
static int copy_attrs(struct fg_builder *builder, struct fg_remap *remap,
                      const struct fg_batch *source, enum fg_table table,
                      const struct fg_attrs *attrs, uint32_t owner_begin, uint32_t owner_end)
{
    enum fg_table to = FG_TABLE_ATTRS + table;
    uint32_t first = attrs->begin ? attrs->begin[owner_begin] : 0;
    uint32_t count = attrs->begin ? attrs->begin[owner_end] - first : 0;
    int r = fg_rows_reserve(builder, to, count);
    if (r < 0)
        return r;
    uint32_t at = builder->counts[to];
    uint32_t *begin =
        fg_col32(builder, fg_attr_column(table, FG_ATTR_BEGIN)) + builder->counts[table] + 1;
    for (uint32_t owner = owner_begin; owner < owner_end; owner++)
        *begin++ = at + (attrs->begin ? attrs->begin[owner + 1] - first : 0);
    if (count == 0)
        return 0;
    uint32_t *keys = fg_col32(builder, fg_attr_column(table, FG_ATTR_KEY)) + at;
    uint64_t *values = fg_col64(builder, fg_attr_column(table, FG_ATTR_VALUE)) + at;
    memcpy(fg_col8(builder, fg_attr_column(table, FG_ATTR_TYPE)) + at, attrs->type + first, count);
    for (uint32_t i = 0; r == 0 && i < count; i++)
        r = map_string(builder, remap, source, attrs->key[first + i], &keys[i]);
    for (uint32_t i = 0; r == 0 && i < count; i++)
        r = map_value(builder, remap, source, attrs, first + i, &values[i]);
    if (r == 0)
        fg_rows_add(builder, to, count);
    return r;
}

static int copy_events(struct fg_builder *builder, struct fg_remap *remap,
                       const struct fg_batch *source, uint32_t row)
{
    if (!source->event_begin)
        return 0;
    uint32_t first = source->event_begin[row], end = source->event_begin[row + 1];
    if (first == end)
        return 0;
    int r = fg_rows_reserve(builder, FG_TABLE_EVENT, end - first);
    if (r == 0)
        r = copy_attrs(builder, remap, source, FG_TABLE_EVENT, &source->event_attrs, first, end);
    if (r < 0)
        return r;
    uint32_t to = builder->counts[FG_TABLE_EVENT];
    for (uint32_t from = first; from < end; from++, to++) {
        fg_col64(builder, FG_COL_EVENT_TIME_NS)[to] = source->event_time_ns[from];
        r = map_string(builder, remap, source, source->event_name[from],
                       &fg_col32(builder, FG_COL_EVENT_NAME)[to]);
        if (r < 0)
            return r;
        fg_rare_put32(builder, FG_COL_EVENT_DROPPED_ATTRS, to,
                      fg_column_u32(source->event_dropped_attrs, from));
    }
    fg_rows_add(builder, FG_TABLE_EVENT, end - first);
    return 0;
}

static int copy_links(struct fg_builder *builder, struct fg_remap *remap,
                      const struct fg_batch *source, uint32_t row)
{
    if (!source->link_begin)
        return 0;
    uint32_t first = source->link_begin[row], end = source->link_begin[row + 1];
    if (first == end)
        return 0;
    int r = fg_rows_reserve(builder, FG_TABLE_LINK, end - first);
    if (r == 0)
        r = copy_attrs(builder, remap, source, FG_TABLE_LINK, &source->link_attrs, first, end);
    if (r < 0)
        return r;
    uint32_t to = builder->counts[FG_TABLE_LINK];
    for (uint32_t from = first; from < end; from++, to++) {
        uint32_t trace_state;
        r = map_string(builder, remap, source, fg_column_u32(source->link_trace_state, from),
                       &trace_state);
        if (r < 0)
            return r;
        fg_col64(builder, FG_COL_LINK_TRACE_ID_HIGH)[to] = source->link_trace_id_high[from];
        fg_col64(builder, FG_COL_LINK_TRACE_ID_LOW)[to] = source->link_trace_id_low[from];
        fg_col64(builder, FG_COL_LINK_SPAN_ID)[to] = source->link_span_id[from];
        fg_rare_put32(builder, FG_COL_LINK_TRACE_STATE, to, trace_state);
        fg_rare_put32(builder, FG_COL_LINK_FLAGS, to, fg_column_u32(source->link_flags, from));
        fg_rare_put32(builder, FG_COL_LINK_DROPPED_ATTRS, to,
                      fg_column_u32(source->link_dropped_attrs, from));
    }
    fg_rows_add(builder, FG_TABLE_LINK, end - first);
    return 0;
}

/* -- The row */

static inline uint64_t column_u64(const uint64_t *column, uint32_t row)
{
    return column ? column[row] : 0;
}

/* The columns that hold ids of the source, translated. */
struct ids {
    uint32_t name, trace_state, status_message, resource, scope;
};

static int map_ids(struct fg_builder *builder, struct fg_remap *remap,
                   const struct fg_batch *source, uint32_t row, struct ids *ret_ids)
{
    int r = map_shared(builder, remap, source, FG_TABLE_RESOURCE, source->resource, row,
                       &ret_ids->resource);
    if (r == 0)
        r = map_shared(builder, remap, source, FG_TABLE_SCOPE, source->scope, row, &ret_ids->scope);
    if (r == 0)
        r = map_string(builder, remap, source, fg_column_u32(source->name, row), &ret_ids->name);
    if (r == 0)
        r = map_string(builder, remap, source, fg_column_u32(source->trace_state, row),
                       &ret_ids->trace_state);
    if (r == 0)
        r = map_string(builder, remap, source, fg_column_u32(source->status_message, row),
                       &ret_ids->status_message);
    return r;
}

static void write_span(struct fg_builder *builder, const struct fg_batch *source, uint32_t from,
                       const struct ids *ids, uint16_t or_marks)
{
    uint32_t to = builder->counts[FG_TABLE_SPAN];
    fg_col64(builder, FG_COL_TRACE_ID_HIGH)[to] = column_u64(source->trace_id_high, from);
    fg_col64(builder, FG_COL_TRACE_ID_LOW)[to] = column_u64(source->trace_id_low, from);
    fg_col64(builder, FG_COL_SPAN_ID)[to] = column_u64(source->span_id, from);
    fg_col64(builder, FG_COL_PARENT_SPAN_ID)[to] = column_u64(source->parent_span_id, from);
    fg_col64(builder, FG_COL_START_NS)[to] = column_u64(source->start_ns, from);
    fg_col64(builder, FG_COL_END_NS)[to] = column_u64(source->end_ns, from);
    fg_col64(builder, FG_COL_RECEIVED_NS)[to] = column_u64(source->received_ns, from);
    fg_col32(builder, FG_COL_NAME)[to] = ids->name;
    fg_col32(builder, FG_COL_RESOURCE)[to] = ids->resource;
    fg_col32(builder, FG_COL_SCOPE)[to] = ids->scope;
    fg_col8(builder, FG_COL_KIND)[to] = source->kind ? source->kind[from] : 0;
    fg_col8(builder, FG_COL_STATUS)[to] = source->status ? source->status[from] : 0;
    fg_rare_put32(builder, FG_COL_FLAGS, to, fg_column_u32(source->flags, from));
    fg_rare_put16(builder, FG_COL_MARKS, to,
                  (uint16_t)(fg_column_u16(source->marks, from) | or_marks));
    fg_rare_put32(builder, FG_COL_TRACE_STATE, to, ids->trace_state);
    fg_rare_put32(builder, FG_COL_STATUS_MESSAGE, to, ids->status_message);
    fg_rare_put32(builder, FG_COL_DROPPED_ATTRS, to, fg_column_u32(source->dropped_attrs, from));
    fg_rare_put32(builder, FG_COL_DROPPED_EVENTS, to, fg_column_u32(source->dropped_events, from));
    fg_rare_put32(builder, FG_COL_DROPPED_LINKS, to, fg_column_u32(source->dropped_links, from));
    fg_col32(builder, FG_COL_EVENT_BEGIN)[to + 1] = builder->counts[FG_TABLE_EVENT];
    fg_col32(builder, FG_COL_LINK_BEGIN)[to + 1] = builder->counts[FG_TABLE_LINK];
    fg_rows_add(builder, FG_TABLE_SPAN, 1);
}

int fg_builder_copy(struct fg_builder *builder, struct fg_remap *remap,
                    const struct fg_batch *source, uint32_t row, uint16_t or_marks)
{
    assert(builder->state <= FG_BUILDER_SCOPE);
    assert(row < source->span_count);
    assert(remap->builder == builder && remap->generation == builder->generation);
    struct ids ids;
    int r = map_ids(builder, remap, source, row, &ids);
    if (r == 0)
        r = fg_builder_span_begin(builder);
    if (r < 0)
        return r;
    r = copy_attrs(builder, remap, source, FG_TABLE_SPAN, &source->span_attrs, row, row + 1);
    if (r == 0)
        r = copy_events(builder, remap, source, row);
    if (r == 0)
        r = copy_links(builder, remap, source, row);
    if (r == 0)
        r = fg_rows_reserve(builder, FG_TABLE_SPAN, 1);
    if (r < 0) {
        fg_builder_span_cancel(builder);
        return r;
    }
    write_span(builder, source, row, &ids, or_marks);
    builder->state = FG_BUILDER_IDLE;
    return 0;
}
