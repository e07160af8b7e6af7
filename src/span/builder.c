/* The order of calls, and the rows of spans, events and links. What a span brings is appended to
 * the tables at once; it counts when fg_builder_span_end() writes the span's own row, and until
 * then cancelling sets the counts back to what they were. Strings stay. */
#include "builder_state.h"

#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>

#define BYTES_MAX_DEFAULT ((uint64_t)256 << 20)
/* Memory up to this is kept whatever the requests are like. */
#define KEPT_BYTES_MIN ((uint64_t)1 << 20)
/* Held memory past this many times what recent requests took is given back. Doubling, stamps and
 * the strings' hash map make up to eight. */
#define KEPT_RATIO_MAX 16

struct fg_builder_limits fg_builder_limits_default(void)
{
    return (struct fg_builder_limits){.bytes_max = BYTES_MAX_DEFAULT,
                                      .attr_value_size_max = FG_ATTR_VALUE_SIZE_MAX,
                                      .name_size_max = FG_NAME_SIZE_MAX,
                                      .attrs_max = FG_ATTRS_MAX,
                                      .events_max = FG_EVENTS_MAX,
                                      .links_max = FG_LINKS_MAX};
}

int fg_builder_new(const struct fg_builder_limits *limits, struct fg_builder **ret_builder)
{
    struct fg_builder *builder = calloc(1, sizeof *builder);
    if (!builder)
        return FG_ENOMEM;
    builder->limits = *limits;
    /* So that every id, count and offset fits into 32 bits. */
    if (builder->limits.bytes_max > UINT32_MAX)
        builder->limits.bytes_max = UINT32_MAX;
    fg_rows_init(builder);
    fg_idmap_init(&builder->shared[0]);
    fg_idmap_init(&builder->shared[1]);
    if (fg_strings_init(&builder->strings) < 0) {
        free(builder);
        return FG_ENOMEM;
    }
    *ret_builder = builder;
    return 0;
}

void fg_builder_free(struct fg_builder *builder)
{
    if (!builder)
        return;
    fg_strings_free(&builder->strings);
    fg_rows_free(builder);
    for (int i = 0; i < 2; i++) {
        fg_idmap_free(&builder->shared[i]);
        free(builder->owners[i].stamps);
    }
    free(builder);
}

static uint64_t held_bytes(const struct fg_builder *builder)
{
    uint64_t bytes = fg_rows_held_bytes(builder) + fg_strings_held_bytes(&builder->strings);
    for (int i = 0; i < 2; i++)
        bytes += builder->owners[i].stamp_capacity * (uint64_t)sizeof(struct fg_key_stamp);
    return bytes;
}

/* The stamps go too: their serial numbers go on, so that nothing old is taken for new. */
static void give_back(struct fg_builder *builder)
{
    fg_rows_free(builder);
    fg_strings_shrink(&builder->strings);
    for (int i = 0; i < 2; i++) {
        fg_idmap_free(&builder->shared[i]);
        free(builder->owners[i].stamps);
        builder->owners[i].stamps = NULL;
        builder->owners[i].stamp_capacity = 0;
    }
}

void fg_builder_reset(struct fg_builder *builder)
{
    uint64_t used_bytes = builder->rows_bytes + fg_strings_cost_bytes(&builder->strings);
    uint64_t recent_bytes = builder->recent_bytes - builder->recent_bytes / 8;
    builder->recent_bytes = used_bytes > recent_bytes ? used_bytes : recent_bytes;

    builder->state = FG_BUILDER_IDLE;
    builder->generation++;
    fg_strings_reset(&builder->strings);
    fg_idmap_clear(&builder->shared[0]);
    fg_idmap_clear(&builder->shared[1]);
    memset(builder->counts, 0, sizeof builder->counts);
    builder->rows_bytes = 0;
    builder->rare_used = 0;

    uint64_t held = held_bytes(builder);
    if (held > KEPT_BYTES_MIN && held / KEPT_RATIO_MAX > builder->recent_bytes)
        give_back(builder);
}

uint32_t fg_builder_span_count(const struct fg_builder *builder)
{
    return builder->counts[FG_TABLE_SPAN];
}

uint64_t fg_builder_size_bytes(const struct fg_builder *builder)
{
    uint64_t bytes = builder->rows_bytes + fg_strings_cost_bytes(&builder->strings);
    for (uint32_t i = 0; i < FG_COL_COUNT; i++) {
        const struct fg_column_def *def = &fg_column_defs[i];
        if (def->is_rare && (builder->rare_used & fg_column_bit(i)) == 0)
            bytes -= (uint64_t)builder->counts[def->table] * def->size;
    }
    return bytes;
}

void fg_builder_view(struct fg_builder *builder, struct fg_batch *ret_batch)
{
    uint32_t counts[FG_TABLE_COUNT];
    void *columns[FG_COL_COUNT];
    fg_rows_ended(builder, counts, columns);
    *ret_batch = (struct fg_batch){.strings = builder->strings.slices,
                                   .string_count = builder->strings.count};
    fg_columns_view(counts, columns, ret_batch);
}

int fg_builder_string(struct fg_builder *builder, struct fg_slice bytes, uint32_t *ret_id)
{
    return fg_strings_intern(&builder->strings, bytes, fg_builder_room_bytes(builder), ret_id);
}

/* -- Resources and scopes */

static int shared_begin(struct fg_builder *builder, enum fg_table table,
                        enum fg_builder_state state)
{
    assert(builder->state <= FG_BUILDER_SCOPE);
    int r = fg_owner_begin(builder, table);
    if (r < 0)
        return r;
    builder->is_truncated = false;
    builder->state = state;
    return 0;
}

int fg_builder_resource_begin(struct fg_builder *builder)
{
    return shared_begin(builder, FG_TABLE_RESOURCE, FG_BUILDER_RESOURCE);
}

int fg_builder_resource_attr(struct fg_builder *builder, struct fg_slice key,
                             const struct fg_value *value)
{
    assert(builder->state == FG_BUILDER_RESOURCE);
    return fg_owner_attr(builder, FG_TABLE_RESOURCE, key, value);
}

int fg_builder_resource_end(struct fg_builder *builder, struct fg_slice schema_url,
                            uint32_t dropped_attrs, uint32_t *ret_id)
{
    assert(builder->state == FG_BUILDER_RESOURCE);
    uint32_t scalars[FG_SHARED_SCALARS_MAX];
    int r = fg_builder_text(builder, schema_url, builder->limits.name_size_max, &scalars[0]);
    if (r < 0)
        return r;
    scalars[1] = fg_add_saturated(dropped_attrs, builder->owners[FG_OWNER_OUTER].dropped_attrs);
    r = fg_shared_end(builder, FG_TABLE_RESOURCE, scalars, ret_id);
    if (r == 0)
        builder->state = FG_BUILDER_IDLE;
    return r;
}

int fg_builder_scope_begin(struct fg_builder *builder)
{
    return shared_begin(builder, FG_TABLE_SCOPE, FG_BUILDER_SCOPE);
}

int fg_builder_scope_attr(struct fg_builder *builder, struct fg_slice key,
                          const struct fg_value *value)
{
    assert(builder->state == FG_BUILDER_SCOPE);
    return fg_owner_attr(builder, FG_TABLE_SCOPE, key, value);
}

int fg_builder_scope_end(struct fg_builder *builder, struct fg_slice name, struct fg_slice version,
                         struct fg_slice schema_url, uint32_t dropped_attrs, uint32_t *ret_id)
{
    assert(builder->state == FG_BUILDER_SCOPE);
    const struct fg_slice texts[] = {name, version, schema_url};
    uint32_t scalars[FG_SHARED_SCALARS_MAX];
    for (int i = 0; i < 3; i++) {
        int r = fg_builder_text(builder, texts[i], builder->limits.name_size_max, &scalars[i]);
        if (r < 0)
            return r;
    }
    scalars[3] = fg_add_saturated(dropped_attrs, builder->owners[FG_OWNER_OUTER].dropped_attrs);
    int r = fg_shared_end(builder, FG_TABLE_SCOPE, scalars, ret_id);
    if (r == 0)
        builder->state = FG_BUILDER_IDLE;
    return r;
}

/* -- Spans */

int fg_builder_span_begin(struct fg_builder *builder)
{
    assert(builder->state <= FG_BUILDER_SCOPE);
    int r = fg_owner_begin(builder, FG_TABLE_SPAN);
    if (r < 0)
        return r;
    memcpy(builder->before.counts, builder->counts, sizeof builder->counts);
    builder->before.rows_bytes = builder->rows_bytes;
    builder->before.rare_used = builder->rare_used;
    builder->is_truncated = false;
    builder->dropped_events = 0;
    builder->dropped_links = 0;
    builder->state = FG_BUILDER_SPAN;
    return 0;
}

void fg_builder_span_cancel(struct fg_builder *builder)
{
    assert(builder->state >= FG_BUILDER_SPAN);
    memcpy(builder->counts, builder->before.counts, sizeof builder->counts);
    builder->rows_bytes = builder->before.rows_bytes;
    builder->rare_used = builder->before.rare_used;
    builder->state = FG_BUILDER_IDLE;
}

int fg_builder_span_attr(struct fg_builder *builder, struct fg_slice key,
                         const struct fg_value *value)
{
    assert(builder->state == FG_BUILDER_SPAN);
    return fg_owner_attr(builder, FG_TABLE_SPAN, key, value);
}

/* Events and links alike: past count_max it is skipped with all that it brings, and counted. */
static int inner_begin(struct fg_builder *builder, enum fg_table table, uint32_t count_max,
                       uint32_t *dropped_count, enum fg_builder_state state)
{
    assert(builder->state == FG_BUILDER_SPAN);
    builder->is_skipped = builder->counts[table] - builder->before.counts[table] >= count_max;
    if (builder->is_skipped) {
        (*dropped_count)++;
        builder->is_truncated = true;
    } else {
        int r = fg_owner_begin(builder, table);
        if (r < 0)
            return r;
    }
    builder->state = state;
    return 0;
}

int fg_builder_event_begin(struct fg_builder *builder)
{
    return inner_begin(builder, FG_TABLE_EVENT, builder->limits.events_max,
                       &builder->dropped_events, FG_BUILDER_EVENT);
}

int fg_builder_event_attr(struct fg_builder *builder, struct fg_slice key,
                          const struct fg_value *value)
{
    assert(builder->state == FG_BUILDER_EVENT);
    return builder->is_skipped ? 0 : fg_owner_attr(builder, FG_TABLE_EVENT, key, value);
}

int fg_builder_event_end(struct fg_builder *builder, uint64_t time_ns, struct fg_slice name,
                         uint32_t dropped_attrs)
{
    assert(builder->state == FG_BUILDER_EVENT);
    if (!builder->is_skipped) {
        uint32_t name_id, row = builder->counts[FG_TABLE_EVENT];
        int r = fg_builder_text(builder, name, builder->limits.name_size_max, &name_id);
        if (r == 0)
            r = fg_rows_reserve(builder, FG_TABLE_EVENT, 1);
        if (r < 0)
            return r;
        fg_col64(builder, FG_COL_EVENT_TIME_NS)[row] = time_ns;
        fg_col32(builder, FG_COL_EVENT_NAME)[row] = name_id;
        fg_rare_put32(
            builder, FG_COL_EVENT_DROPPED_ATTRS, row,
            fg_add_saturated(dropped_attrs, builder->owners[FG_OWNER_INNER].dropped_attrs));
        fg_owner_end(builder, FG_TABLE_EVENT);
    }
    builder->state = FG_BUILDER_SPAN;
    return 0;
}

int fg_builder_link_begin(struct fg_builder *builder)
{
    return inner_begin(builder, FG_TABLE_LINK, builder->limits.links_max, &builder->dropped_links,
                       FG_BUILDER_LINK);
}

int fg_builder_link_attr(struct fg_builder *builder, struct fg_slice key,
                         const struct fg_value *value)
{
    assert(builder->state == FG_BUILDER_LINK);
    return builder->is_skipped ? 0 : fg_owner_attr(builder, FG_TABLE_LINK, key, value);
}

int fg_builder_link_end(struct fg_builder *builder, const struct fg_link *link)
{
    assert(builder->state == FG_BUILDER_LINK);
    if (!builder->is_skipped) {
        uint32_t trace_state, row = builder->counts[FG_TABLE_LINK];
        int r = fg_builder_text(builder, link->trace_state, builder->limits.attr_value_size_max,
                                &trace_state);
        if (r == 0)
            r = fg_rows_reserve(builder, FG_TABLE_LINK, 1);
        if (r < 0)
            return r;
        fg_col64(builder, FG_COL_LINK_TRACE_ID_HIGH)[row] = link->trace_id_high;
        fg_col64(builder, FG_COL_LINK_TRACE_ID_LOW)[row] = link->trace_id_low;
        fg_col64(builder, FG_COL_LINK_SPAN_ID)[row] = link->span_id;
        fg_rare_put32(builder, FG_COL_LINK_TRACE_STATE, row, trace_state);
        fg_rare_put32(builder, FG_COL_LINK_FLAGS, row, link->flags);
        fg_rare_put32(
            builder, FG_COL_LINK_DROPPED_ATTRS, row,
            fg_add_saturated(link->dropped_attrs, builder->owners[FG_OWNER_INNER].dropped_attrs));
        fg_owner_end(builder, FG_TABLE_LINK);
    }
    builder->state = FG_BUILDER_SPAN;
    return 0;
}

static uint16_t final_marks(const struct fg_builder *builder, const struct fg_span *span)
{
    bool is_truncated = builder->is_truncated ||
                        builder->shared_truncated[FG_TABLE_RESOURCE][span->resource] ||
                        builder->shared_truncated[FG_TABLE_SCOPE][span->scope];
    return (uint16_t)(span->marks | (is_truncated ? FG_MARK_TRUNCATED : 0));
}

/* The rare scalars of a span that is about to be counted. */
static void write_rare(struct fg_builder *builder, const struct fg_span *span, uint32_t row,
                       uint32_t trace_state, uint32_t status_message)
{
    fg_rare_put32(builder, FG_COL_FLAGS, row, span->flags);
    fg_rare_put16(builder, FG_COL_MARKS, row, final_marks(builder, span));
    fg_rare_put32(builder, FG_COL_TRACE_STATE, row, trace_state);
    fg_rare_put32(builder, FG_COL_STATUS_MESSAGE, row, status_message);
    fg_rare_put32(
        builder, FG_COL_DROPPED_ATTRS, row,
        fg_add_saturated(span->dropped_attrs, builder->owners[FG_OWNER_OUTER].dropped_attrs));
    fg_rare_put32(builder, FG_COL_DROPPED_EVENTS, row,
                  fg_add_saturated(span->dropped_events, builder->dropped_events));
    fg_rare_put32(builder, FG_COL_DROPPED_LINKS, row,
                  fg_add_saturated(span->dropped_links, builder->dropped_links));
}

int fg_builder_span_end(struct fg_builder *builder, const struct fg_span *span)
{
    assert(builder->state == FG_BUILDER_SPAN);
    assert(span->resource < builder->counts[FG_TABLE_RESOURCE]);
    assert(span->scope < builder->counts[FG_TABLE_SCOPE]);
    uint32_t value_size_max = builder->limits.attr_value_size_max;
    uint32_t name, trace_state, status_message;
    int r = fg_builder_text(builder, span->name, builder->limits.name_size_max, &name);
    if (r == 0)
        r = fg_builder_text(builder, span->trace_state, value_size_max, &trace_state);
    if (r == 0)
        r = fg_builder_text(builder, span->status_message, value_size_max, &status_message);
    if (r == 0)
        r = fg_rows_reserve(builder, FG_TABLE_SPAN, 1);
    if (r < 0)
        return r;
    uint32_t row = builder->counts[FG_TABLE_SPAN];
    fg_col64(builder, FG_COL_TRACE_ID_HIGH)[row] = span->trace_id_high;
    fg_col64(builder, FG_COL_TRACE_ID_LOW)[row] = span->trace_id_low;
    fg_col64(builder, FG_COL_SPAN_ID)[row] = span->span_id;
    fg_col64(builder, FG_COL_PARENT_SPAN_ID)[row] = span->parent_span_id;
    fg_col64(builder, FG_COL_START_NS)[row] = span->start_ns;
    fg_col64(builder, FG_COL_END_NS)[row] = span->end_ns;
    fg_col64(builder, FG_COL_RECEIVED_NS)[row] = span->received_ns;
    fg_col32(builder, FG_COL_NAME)[row] = name;
    fg_col32(builder, FG_COL_RESOURCE)[row] = span->resource;
    fg_col32(builder, FG_COL_SCOPE)[row] = span->scope;
    fg_col8(builder, FG_COL_KIND)[row] = span->kind;
    /* An enum that grew at the sender: proto3 takes an unknown number for the default. */
    fg_col8(builder, FG_COL_STATUS)[row] =
        span->status <= FG_STATUS_ERROR ? span->status : FG_STATUS_UNSET;
    write_rare(builder, span, row, trace_state, status_message);
    fg_col32(builder, FG_COL_EVENT_BEGIN)[row + 1] = builder->counts[FG_TABLE_EVENT];
    fg_col32(builder, FG_COL_LINK_BEGIN)[row + 1] = builder->counts[FG_TABLE_LINK];
    fg_owner_end(builder, FG_TABLE_SPAN);
    builder->state = FG_BUILDER_IDLE;
    return 0;
}
