#include "random_batch.h"

static struct fg_slice string(const struct fg_batch *batch, const uint32_t *column, uint32_t row)
{
    return batch->strings[fg_column_u32(column, row)];
}

struct side {
    const struct fg_batch *batch;
    const struct fg_attrs *attrs;
    uint32_t begin, end;
};

static struct side side(const struct fg_batch *batch, const struct fg_attrs *attrs, uint32_t owner)
{
    struct side side = {.batch = batch, .attrs = attrs};
    fg_attrs_range(attrs, owner, &side.begin, &side.end);
    return side;
}

static bool value_is_in(const struct side *a, uint32_t i, const struct side *b)
{
    for (uint32_t j = b->begin; j < b->end; j++) {
        if (!fg_slice_equal(a->batch->strings[a->attrs->key[i]],
                            b->batch->strings[b->attrs->key[j]]))
            continue;
        if (a->attrs->type[i] != b->attrs->type[j])
            return false;
        if (!fg_value_type_is_bytes(a->attrs->type[i]))
            return a->attrs->value[i] == b->attrs->value[j];
        return fg_slice_equal(a->batch->strings[a->attrs->value[i]],
                              b->batch->strings[b->attrs->value[j]]);
    }
    return false;
}

/* Keys are unique within an owner, so that as many, each found, is the same set. */
static bool attrs_are_same(struct side a, struct side b)
{
    if (a.end - a.begin != b.end - b.begin)
        return false;
    for (uint32_t i = a.begin; i < a.end; i++)
        if (!value_is_in(&a, i, &b))
            return false;
    return true;
}

#define SAME_TEXT(column, i, j, name)                                                              \
    if (!fg_slice_equal(string(a, a->column, i), string(b, b->column, j)))                         \
    return name
#define SAME(column, i, j, name)                                                                   \
    if (a->column[i] != b->column[j])                                                              \
    return name
#define SAME_RARE(column, i, j, name)                                                              \
    if (fg_column_u32(a->column, i) != fg_column_u32(b->column, j))                                \
    return name
#define SAME_ATTRS(member, i, j, name)                                                             \
    if (!attrs_are_same(side(a, &a->member, i), side(b, &b->member, j)))                           \
    return name

static const char *resources_differ(const struct fg_batch *a, uint32_t i, const struct fg_batch *b,
                                    uint32_t j)
{
    SAME_TEXT(resource_service, i, j, "resource service");
    SAME_TEXT(resource_schema_url, i, j, "resource schema URL");
    SAME(resource_dropped_attrs, i, j, "resource dropped attributes");
    SAME_ATTRS(resource_attrs, i, j, "resource attributes");
    return NULL;
}

static const char *scopes_differ(const struct fg_batch *a, uint32_t i, const struct fg_batch *b,
                                 uint32_t j)
{
    SAME_TEXT(scope_name, i, j, "scope name");
    SAME_TEXT(scope_version, i, j, "scope version");
    SAME_TEXT(scope_schema_url, i, j, "scope schema URL");
    SAME(scope_dropped_attrs, i, j, "scope dropped attributes");
    SAME_ATTRS(scope_attrs, i, j, "scope attributes");
    return NULL;
}

static void range(const uint32_t *begin, uint32_t row, uint32_t *ret_begin, uint32_t *ret_end)
{
    *ret_begin = begin ? begin[row] : 0;
    *ret_end = begin ? begin[row + 1] : 0;
}

static const char *events_differ(const struct fg_batch *a, uint32_t row_a, const struct fg_batch *b,
                                 uint32_t row_b)
{
    uint32_t i, i_end, j, j_end;
    range(a->event_begin, row_a, &i, &i_end);
    range(b->event_begin, row_b, &j, &j_end);
    if (i_end - i != j_end - j)
        return "event count";
    for (; i < i_end; i++, j++) {
        SAME(event_time_ns, i, j, "event time");
        SAME_TEXT(event_name, i, j, "event name");
        SAME_RARE(event_dropped_attrs, i, j, "event dropped attributes");
        SAME_ATTRS(event_attrs, i, j, "event attributes");
    }
    return NULL;
}

static const char *links_differ(const struct fg_batch *a, uint32_t row_a, const struct fg_batch *b,
                                uint32_t row_b)
{
    uint32_t i, i_end, j, j_end;
    range(a->link_begin, row_a, &i, &i_end);
    range(b->link_begin, row_b, &j, &j_end);
    if (i_end - i != j_end - j)
        return "link count";
    for (; i < i_end; i++, j++) {
        SAME(link_trace_id_high, i, j, "link trace id");
        SAME(link_trace_id_low, i, j, "link trace id");
        SAME(link_span_id, i, j, "link span id");
        SAME_TEXT(link_trace_state, i, j, "link trace state");
        SAME_RARE(link_flags, i, j, "link flags");
        SAME_RARE(link_dropped_attrs, i, j, "link dropped attributes");
        SAME_ATTRS(link_attrs, i, j, "link attributes");
    }
    return NULL;
}

const char *batch_rows_differ(const struct fg_batch *a, uint32_t i, const struct fg_batch *b,
                              uint32_t j, uint16_t ignored_marks)
{
    SAME(trace_id_high, i, j, "trace id");
    SAME(trace_id_low, i, j, "trace id");
    SAME(span_id, i, j, "span id");
    SAME(parent_span_id, i, j, "parent span id");
    SAME(start_ns, i, j, "start");
    SAME(end_ns, i, j, "end");
    SAME(received_ns, i, j, "received");
    SAME_TEXT(name, i, j, "name");
    SAME(kind, i, j, "kind");
    SAME(status, i, j, "status");
    SAME_RARE(flags, i, j, "flags");
    if ((fg_column_u16(a->marks, i) ^ fg_column_u16(b->marks, j)) & ~ignored_marks)
        return "marks";
    SAME_TEXT(trace_state, i, j, "trace state");
    SAME_TEXT(status_message, i, j, "status message");
    SAME_RARE(dropped_attrs, i, j, "dropped attributes");
    SAME_RARE(dropped_events, i, j, "dropped events");
    SAME_RARE(dropped_links, i, j, "dropped links");
    SAME_ATTRS(span_attrs, i, j, "attributes");
    const char *what = resources_differ(a, a->resource[i], b, b->resource[j]);
    if (!what)
        what = scopes_differ(a, a->scope[i], b, b->scope[j]);
    if (!what)
        what = events_differ(a, i, b, j);
    return what ? what : links_differ(a, i, b, j);
}

const char *batches_differ(const struct fg_batch *a, const struct fg_batch *b)
{
    if (a->span_count != b->span_count)
        return "span count";
    for (uint32_t i = 0; i < a->span_count; i++) {
        const char *what = batch_rows_differ(a, i, b, i, 0);
        if (what)
            return what;
    }
    return NULL;
}
