/* The builder holds one row group. With each row stands the place of its parent in the trace, from
 * which the group's flush makes the caller's service for the rollup. A trace that goes over a row
 * group's end carries the services of the rows that are written already. */
#include "local/pour.h"

#include "base/hash.h"
#include "base/idmap.h"
#include "base/limits.h"
#include "local/ancestry.h"
#include "local/segment_copy.h"
#include "span/builder.h"
#include "store/rollup.h"

#include <assert.h>
#include <stdlib.h>

/* How often the builder's bytes are looked at. */
#define SIZE_CHECK_ROWS 64u

struct fg_pour {
    struct fg_segment_writer *writer;
    struct fg_builder *builder;
    struct fg_rollup *rollup; /* NULL: none */
    uint64_t generation;      /* of the builder's content: row groups so far */
    uint64_t row_count;       /* in all */
    uint32_t group_rows;
    uint32_t trace_rows; /* of the trace that is being poured, so far */
    uint32_t *parents;   /* by row of the group: its parent's place in its trace */
    uint32_t *trace_of;  /* by row of the group: the row where its trace begins; FG_TREE_NONE for
                            the one that came over from the group before */
    uint32_t trace_begin;
    /* Of a trace that came over: its rows' services, as ids into services. */
    uint32_t *carried;
    uint32_t carried_count, carried_capacity;
    struct fg_slice *services;
    uint32_t service_count, service_capacity;
    struct fg_idmap service_map;
    struct fg_arena names;
};

void fg_pour_source_free(struct fg_pour_source *source)
{
    fg_remap_free(source->remap);
    *source = (struct fg_pour_source){0};
}

void fg_pour_source_forget(struct fg_pour_source *source)
{
    source->bound = NULL;
}

int fg_pour_open(struct fg_env *env, const char *path,
                 const struct fg_segment_writer_options *options, bool with_rollup,
                 struct fg_pour **ret_pour)
{
    struct fg_pour *pour = calloc(1, sizeof *pour);
    if (!pour)
        return FG_ENOMEM;
    struct fg_builder_limits limits = fg_builder_limits_default();
    fg_idmap_init(&pour->service_map);
    fg_arena_init(&pour->names, (size_t)FG_ROLLUP_NAMES_SIZE_MAX);
    pour->generation = 1;
    pour->parents = malloc(FG_ROW_GROUP_ROWS_MAX * sizeof *pour->parents);
    pour->trace_of = malloc(FG_ROW_GROUP_ROWS_MAX * sizeof *pour->trace_of);
    int r = pour->parents && pour->trace_of ? 0 : FG_ENOMEM;
    if (r == 0)
        r = fg_builder_new(&limits, &pour->builder);
    if (r == 0 && with_rollup)
        r = fg_rollup_new(&pour->rollup);
    if (r == 0)
        r = fg_segment_writer_open(env, path, options, &pour->writer);
    if (r < 0) {
        fg_pour_abort(pour);
        return r;
    }
    *ret_pour = pour;
    return 0;
}

void fg_pour_abort(struct fg_pour *pour)
{
    if (!pour)
        return;
    fg_segment_writer_abort(pour->writer);
    fg_builder_free(pour->builder);
    fg_rollup_free(pour->rollup);
    fg_idmap_free(&pour->service_map);
    fg_arena_free(&pour->names);
    free(pour->parents);
    free(pour->trace_of);
    free(pour->carried);
    free(pour->services);
    free(pour);
}

uint64_t fg_pour_row_count(const struct fg_pour *pour)
{
    return pour->row_count;
}

/* -- What a trace carries over the end of a row group */

struct wanted {
    const struct fg_pour *pour;
    struct fg_slice name;
};

static bool is_wanted(const void *context, uint32_t id)
{
    const struct wanted *wanted = context;
    return fg_slice_equal(wanted->pour->services[id], wanted->name);
}

static int grow(void **list, uint32_t count, uint32_t *capacity, size_t element_size)
{
    if (count < *capacity)
        return 0;
    uint32_t more = *capacity ? *capacity * 2 : 64;
    void *grown = realloc(*list, more * element_size);
    if (!grown)
        return FG_ENOMEM;
    *list = grown;
    *capacity = more;
    return 0;
}

static int carry_service(struct fg_pour *pour, struct fg_slice name)
{
    struct wanted wanted = {pour, name};
    uint32_t id;
    int r = grow((void **)&pour->services, pour->service_count, &pour->service_capacity,
                 sizeof *pour->services);
    if (r == 0)
        r = grow((void **)&pour->carried, pour->carried_count, &pour->carried_capacity,
                 sizeof *pour->carried);
    if (r == 0)
        r = fg_idmap_intern(&pour->service_map, fg_hash(name), is_wanted, &wanted,
                            pour->service_count, &id);
    if (r < 0)
        return r;
    if (id == pour->service_count) {
        struct fg_slice copy = fg_arena_copy(&pour->names, name);
        /* more names than a rollup tells apart: then the service is not known */
        pour->services[pour->service_count++] = copy.data ? copy : fg_slice(NULL, 0);
    }
    pour->carried[pour->carried_count++] = id;
    return 0;
}

/* The rows from the trace's begin in this group on are about to be written, and it goes on. */
static int carry(struct fg_pour *pour, const struct fg_batch *batch)
{
    for (uint32_t row = pour->trace_begin == FG_TREE_NONE ? 0 : pour->trace_begin;
         row < batch->span_count; row++) {
        int r = carry_service(pour, batch->strings[batch->resource_service[batch->resource[row]]]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* -- Row groups */

/* The service of row's parent as a string of the builder; 0: not known. Parents that lie in an
 * earlier group may bring the builder a new string. */
static int caller_of(struct fg_pour *pour, const struct fg_batch *batch, uint32_t row,
                     uint32_t *ret_caller)
{
    uint32_t parent = pour->parents[row], begin = pour->trace_of[row];
    *ret_caller = 0;
    if (parent == FG_TREE_NONE)
        return 0;
    if (begin == FG_TREE_NONE && parent < pour->carried_count)
        return fg_builder_string(pour->builder, pour->services[pour->carried[parent]], ret_caller);
    uint32_t at = begin == FG_TREE_NONE ? parent - pour->carried_count : begin + parent;
    *ret_caller = batch->resource_service[batch->resource[at]];
    return 0;
}

static int count_group(struct fg_pour *pour)
{
    struct fg_batch batch;
    fg_builder_view(pour->builder, &batch);
    uint32_t *callers = malloc((batch.span_count + 1) * sizeof *callers);
    int r = callers ? 0 : FG_ENOMEM;
    for (uint32_t row = 0; row < batch.span_count && r == 0; row++) {
        r = caller_of(pour, &batch, row, &callers[row]);
        if (pour->trace_of[row] == FG_TREE_NONE)
            fg_builder_view(pour->builder, &batch);
    }
    if (r == 0)
        r = fg_rollup_add(pour->rollup, &batch, 0, batch.span_count, callers, 0, UINT64_MAX);
    free(callers);
    return r;
}

/* goes_on: the trace that is being poured is not at its end. */
static int flush(struct fg_pour *pour, bool goes_on)
{
    struct fg_batch batch;
    if (pour->group_rows == 0)
        return 0;
    int r = pour->rollup ? count_group(pour) : 0;
    fg_builder_view(pour->builder, &batch);
    if (r == 0)
        r = fg_segment_writer_add(pour->writer, &batch);
    bool came_over = pour->trace_begin == FG_TREE_NONE;
    if (!goes_on || !came_over)
        pour->carried_count = 0;
    if (r == 0 && goes_on && pour->rollup)
        r = carry(pour, &batch);
    fg_builder_reset(pour->builder);
    pour->generation++;
    pour->group_rows = 0;
    pour->trace_begin = goes_on ? FG_TREE_NONE : 0;
    return r;
}

int fg_pour_trace(struct fg_pour *pour, uint64_t row_count)
{
    int r = 0;
    if (row_count > FG_ROW_GROUP_ROWS_MAX - pour->group_rows && row_count <= FG_ROW_GROUP_ROWS_MAX)
        r = flush(pour, false);
    pour->trace_begin = pour->group_rows;
    pour->trace_rows = 0;
    return r;
}

int fg_pour_row(struct fg_pour *pour, struct fg_pour_source *source, const struct fg_batch *batch,
                uint32_t row, uint16_t or_marks, uint32_t parent)
{
    int r = 0;
    bool is_large = pour->group_rows % SIZE_CHECK_ROWS == SIZE_CHECK_ROWS - 1 &&
                    fg_builder_size_bytes(pour->builder) >= FG_ROW_GROUP_SIZE_MAX;
    if (is_large || pour->group_rows == FG_ROW_GROUP_ROWS_MAX)
        r = flush(pour, pour->trace_rows > 0);
    if (r == 0 && !source->remap)
        r = fg_remap_new(&source->remap);
    if (r == 0 && (source->bound != batch || source->generation != pour->generation)) {
        r = fg_remap_begin(source->remap, pour->builder, batch);
        source->bound = batch;
        source->generation = pour->generation;
    }
    if (r == 0)
        r = fg_builder_copy(pour->builder, source->remap, batch, row, or_marks);
    if (r < 0)
        return r;
    assert(parent == FG_TREE_NONE || parent < pour->trace_rows);
    pour->parents[pour->group_rows] = parent;
    pour->trace_of[pour->group_rows] = pour->trace_begin;
    pour->group_rows++;
    pour->trace_rows++;
    pour->row_count++;
    return 0;
}

int fg_pour_order(struct fg_pour *pour, const struct fg_batch *const *batches,
                  struct fg_pour_source *sources, const struct fg_order *order)
{
    for (uint32_t t = 0; t < order->trace_count; t++) {
        const struct fg_order_trace *trace = &order->traces[t];
        int r = fg_pour_trace(pour, trace->row_count);
        for (uint32_t i = 0; i < trace->row_count && r == 0; i++) {
            const struct fg_row *row = &order->rows[trace->row_begin + i];
            uint32_t parent = order->parent[trace->row_begin + i];
            r = fg_pour_row(pour, &sources[row->batch], batches[row->batch], row->row,
                            row->or_marks,
                            parent == FG_TREE_NONE ? parent : parent - trace->row_begin);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

/* -- Row groups that are copied */

uint32_t fg_pour_group_rows(const struct fg_pour *pour)
{
    return pour->group_rows;
}

/* Rows of a group that is being copied, into the rollup. Strings' ids are those of the group's
 * dictionary, the same in all of its pages. */
struct copied {
    struct fg_pour *pour;
    struct fg_ancestry ancestry; /* with services */
    uint64_t id_high, id_low;    /* of the row before */
    uint64_t row_count;
};

static int count_copied(void *arg, const struct fg_batch *page)
{
    struct copied *copied = arg;
    uint32_t *callers = malloc((page->span_count + (size_t)1) * sizeof *callers);
    int r = callers ? 0 : FG_ENOMEM;
    for (uint32_t row = 0; row < page->span_count && r == 0; row++) {
        bool goes_on = copied->row_count > 0 && page->trace_id_high[row] == copied->id_high &&
                       page->trace_id_low[row] == copied->id_low;
        if (!goes_on)
            fg_ancestry_begin(&copied->ancestry);
        copied->id_high = page->trace_id_high[row];
        copied->id_low = page->trace_id_low[row];
        copied->row_count++;
        r = fg_ancestry_step(&copied->ancestry, page->span_id[row], page->parent_span_id[row],
                             page->resource_service[page->resource[row]], &callers[row]);
        if (r == 0 && callers[row] == FG_ANCESTRY_NONE)
            callers[row] = 0;
    }
    if (r == 0 && copied->pour->rollup)
        r = fg_rollup_add(copied->pour->rollup, page, 0, page->span_count, callers, 0, UINT64_MAX);
    free(callers);
    return r;
}

int fg_pour_group(struct fg_pour *pour, struct fg_segment *from, struct fg_segment_reader *reader,
                  uint32_t number)
{
    struct copied copied = {.pour = pour};
    int r = flush(pour, false);
    if (r == 0)
        r = fg_segment_writer_copy(pour->writer, from, reader, number, count_copied, &copied);
    fg_ancestry_free(&copied.ancestry);
    pour->row_count += copied.row_count;
    return r;
}

static int write_rollup(struct fg_pour *pour)
{
    struct fg_buffer bytes;
    fg_buffer_init(&bytes, FG_ROLLUP_SIZE_MAX * 2);
    int r = fg_rollup_encode(pour->rollup, &bytes);
    if (r == 0)
        r = fg_segment_writer_rollup(pour->writer, fg_buffer_slice(&bytes));
    fg_buffer_free(&bytes);
    return r;
}

int fg_pour_finish_take(struct fg_pour *pour, struct fg_segment_info *ret_info)
{
    int r = flush(pour, false);
    if (r == 0 && pour->rollup)
        r = write_rollup(pour);
    if (r == 0) {
        struct fg_segment_writer *writer = pour->writer;
        pour->writer = NULL;
        r = fg_segment_writer_finish_take(writer, ret_info);
    }
    fg_pour_abort(pour);
    return r;
}
