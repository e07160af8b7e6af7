#include "segment_rows.h"

#include "order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fg_builder *builder_new(void)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    limits.bytes_max = (uint64_t)1 << 30;
    limits.attrs_max = limits.events_max = limits.links_max = 100000;
    struct fg_builder *builder;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    return builder;
}

static void copy_rows(struct fg_builder *to, const struct fg_batch *from, const struct fg_row *rows,
                      uint32_t count)
{
    struct fg_remap *remap;
    assert_int_equal(fg_remap_new(&remap), 0);
    assert_int_equal(fg_remap_begin(remap, to, from), 0);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(fg_builder_copy(to, remap, from, rows[i].row, rows[i].or_marks), 0);
    fg_remap_free(remap);
}

struct segment_rows segment_rows_order(struct fg_builder *builder)
{
    struct fg_batch batch;
    fg_builder_view(builder, &batch);
    struct fg_row *rows = calloc(batch.span_count + 1u, sizeof *rows);
    assert_non_null(rows);
    for (uint32_t i = 0; i < batch.span_count; i++)
        rows[i].row = i;
    struct fg_arena arena;
    fg_arena_init(&arena, (size_t)1 << 30);
    const struct fg_batch *batches[] = {&batch};
    struct fg_order order;
    assert_int_equal(fg_order_rows(batches, rows, batch.span_count, &arena, &order), 0);
    struct segment_rows result = {.builder = builder_new()};
    copy_rows(result.builder, &batch, order.rows, order.count);
    fg_builder_view(result.builder, &result.batch);
    fg_arena_free(&arena);
    free(rows);
    return result;
}

struct segment_rows segment_rows_new(const struct random_batch_options *options)
{
    struct fg_builder *builder = builder_new();
    random_batch_fill(builder, options);
    struct segment_rows rows = segment_rows_order(builder);
    fg_builder_free(builder);
    return rows;
}

void segment_rows_free(struct segment_rows *rows)
{
    fg_builder_free(rows->builder);
}

struct fg_segment_info segment_rows_write(const struct segment_rows *rows, struct fg_env *env,
                                          const char *path, uint32_t group_rows)
{
    struct fg_segment_writer *writer;
    assert_int_equal(fg_segment_writer_open(env, path, NULL, &writer), 0);
    uint32_t count = rows->batch.span_count;
    if (group_rows >= count && count > 0)
        assert_int_equal(fg_segment_writer_add(writer, &rows->batch), 0);
    for (uint32_t begin = 0; group_rows < count && begin < count; begin += group_rows) {
        uint32_t end = begin + group_rows < count ? begin + group_rows : count;
        struct fg_builder *builder = builder_new();
        struct fg_row *some = calloc(end - begin, sizeof *some);
        for (uint32_t i = begin; i < end; i++)
            some[i - begin].row = i;
        copy_rows(builder, &rows->batch, some, end - begin);
        struct fg_batch batch;
        fg_builder_view(builder, &batch);
        assert_int_equal(fg_segment_writer_add(writer, &batch), 0);
        free(some);
        fg_builder_free(builder);
    }
    struct fg_segment_info info;
    assert_int_equal(fg_segment_writer_finish_take(writer, &info), 0);
    return info;
}

/* -- Comparing */

static bool same_string(const struct fg_batch *a, uint32_t id_a, const struct fg_batch *b,
                        uint32_t id_b)
{
    assert_true(id_a < a->string_count && id_b < b->string_count);
    return fg_slice_equal(a->strings[id_a], b->strings[id_b]);
}

static bool same_value(const struct fg_batch *a, const struct fg_attrs *attrs_a, uint32_t i,
                       const struct fg_batch *b, const struct fg_attrs *attrs_b, uint32_t k)
{
    if (!same_string(a, attrs_a->key[i], b, attrs_b->key[k]) ||
        attrs_a->type[i] != attrs_b->type[k])
        return false;
    if (fg_value_type_is_bytes(attrs_a->type[i]))
        return same_string(a, (uint32_t)attrs_a->value[i], b, (uint32_t)attrs_b->value[k]);
    return attrs_a->value[i] == attrs_b->value[k];
}

static bool same_attrs(const struct fg_batch *a, const struct fg_attrs *attrs_a, uint32_t owner_a,
                       const struct fg_batch *b, const struct fg_attrs *attrs_b, uint32_t owner_b,
                       bool (*keys)(void *arg, struct fg_slice key), void *arg)
{
    uint32_t i, end_a, k, end_b;
    fg_attrs_range(attrs_a, owner_a, &i, &end_a);
    fg_attrs_range(attrs_b, owner_b, &k, &end_b);
    for (; i < end_a; i++) {
        bool there = k < end_b && same_value(a, attrs_a, i, b, attrs_b, k);
        k += there;
        if (!there && (!keys || keys(arg, a->strings[attrs_a->key[i]])))
            return false;
    }
    return k == end_b;
}

#define SAME(what)                                                                                 \
    if (a->what[row_a] != b->what[row_b])                                                          \
    return #what
#define SAME_RARE(what)                                                                            \
    if (fg_column_u32(a->what, row_a) != fg_column_u32(b->what, row_b))                            \
    return #what
#define SAME_STRING(what)                                                                          \
    if (!same_string(a, fg_column_u32(a->what, row_a), b, fg_column_u32(b->what, row_b)))          \
    return #what
#define SAME_ATTRS(what)                                                                           \
    if (!same_attrs(a, &a->what, row_a, b, &b->what, row_b, NULL, NULL))                           \
    return #what

static const char *resources_differ(const struct fg_batch *a, uint32_t row_a,
                                    const struct fg_batch *b, uint32_t row_b)
{
    SAME_STRING(resource_service);
    SAME_STRING(resource_schema_url);
    SAME_RARE(resource_dropped_attrs);
    SAME_ATTRS(resource_attrs);
    return NULL;
}

static const char *scopes_differ(const struct fg_batch *a, uint32_t row_a, const struct fg_batch *b,
                                 uint32_t row_b)
{
    SAME_STRING(scope_name);
    SAME_STRING(scope_version);
    SAME_STRING(scope_schema_url);
    SAME_RARE(scope_dropped_attrs);
    SAME_ATTRS(scope_attrs);
    return NULL;
}

static const char *event_differs(const struct fg_batch *a, uint32_t row_a, const struct fg_batch *b,
                                 uint32_t row_b)
{
    SAME(event_time_ns);
    SAME_STRING(event_name);
    SAME_RARE(event_dropped_attrs);
    SAME_ATTRS(event_attrs);
    return NULL;
}

static const char *link_differs(const struct fg_batch *a, uint32_t row_a, const struct fg_batch *b,
                                uint32_t row_b)
{
    SAME(link_trace_id_high);
    SAME(link_trace_id_low);
    SAME(link_span_id);
    SAME_STRING(link_trace_state);
    SAME_RARE(link_flags);
    SAME_RARE(link_dropped_attrs);
    SAME_ATTRS(link_attrs);
    return NULL;
}

typedef const char *(*owned_fn)(const struct fg_batch *, uint32_t, const struct fg_batch *,
                                uint32_t);

static const char *owned_differ(const struct fg_batch *a, const uint32_t *begin_a, uint32_t row_a,
                                const struct fg_batch *b, const uint32_t *begin_b, uint32_t row_b,
                                owned_fn fn)
{
    uint32_t i = begin_a ? begin_a[row_a] : 0, end_a = begin_a ? begin_a[row_a + 1] : 0;
    uint32_t k = begin_b ? begin_b[row_b] : 0, end_b = begin_b ? begin_b[row_b + 1] : 0;
    if (end_a - i != end_b - k)
        return "count of events or links";
    for (; i < end_a; i++, k++) {
        const char *what = fn(a, i, b, k);
        if (what)
            return what;
    }
    return NULL;
}

static const char *scalars_differ(const struct fg_batch *a, uint32_t row_a,
                                  const struct fg_batch *b, uint32_t row_b, uint32_t columns)
{
    if (columns & FG_COLUMNS_IDS) {
        SAME(trace_id_high);
        SAME(trace_id_low);
        SAME(span_id);
        SAME(parent_span_id);
    }
    if (columns & FG_COLUMNS_TIMES) {
        SAME(start_ns);
        SAME(end_ns);
        SAME(received_ns);
    }
    if (columns & FG_COLUMNS_NAME)
        SAME_STRING(name);
    if (columns & FG_COLUMNS_STATUS) {
        SAME(kind);
        SAME(status);
        SAME_STRING(status_message);
    }
    if (columns & FG_COLUMNS_MISC) {
        SAME_RARE(flags);
        if (fg_column_u16(a->marks, row_a) != fg_column_u16(b->marks, row_b))
            return "marks";
        SAME_STRING(trace_state);
        SAME_RARE(dropped_attrs);
        SAME_RARE(dropped_events);
        SAME_RARE(dropped_links);
    }
    return NULL;
}

const char *segment_rows_differ(const struct fg_batch *a, uint32_t row_a, const struct fg_batch *b,
                                uint32_t row_b, uint32_t columns,
                                bool (*keys)(void *arg, struct fg_slice key), void *arg)
{
    const char *what = scalars_differ(a, row_a, b, row_b, columns);
    if (!what && (columns & FG_COLUMNS_RESOURCE))
        what = resources_differ(a, a->resource[row_a], b, b->resource[row_b]);
    if (!what && (columns & FG_COLUMNS_SCOPE))
        what = scopes_differ(a, a->scope[row_a], b, b->scope[row_b]);
    if (!what && (columns & FG_COLUMNS_SPAN_ATTRS) &&
        !same_attrs(a, &a->span_attrs, row_a, b, &b->span_attrs, row_b, keys, arg))
        what = "span attributes";
    if (!what && (columns & FG_COLUMNS_EVENTS))
        what = owned_differ(a, a->event_begin, row_a, b, b->event_begin, row_b, event_differs);
    if (!what && (columns & FG_COLUMNS_LINKS))
        what = owned_differ(a, a->link_begin, row_a, b, b->link_begin, row_b, link_differs);
    return what;
}
