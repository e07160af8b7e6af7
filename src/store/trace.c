/* One trace, whole: all forms of its spans are gathered from head and segments, resolved to one row
 * each, and copied to the answer in order. */
#include "store_internal.h"

#include "base/limits.h"
#include "order.h"
#include "span/builder.h"
#include "store/trace_reader.h"

#include <stdlib.h>

#define ENOUGH 1 /* the answer is full */

struct fg_trace_reader {
    struct fg_store *store;
    struct fg_blocks_readers *readers;
    struct fg_builder *forms; /* every form of every span */
    struct fg_remap *remap;   /* of forms, and of answers */
    bool (*is_cancelled)(void *arg);
    void *arg;
};

struct gathering {
    const struct fg_trace_reader *reader;
    struct fg_snapshot snapshot;
    uint64_t id_high, id_low;
    struct fg_builder *into;
    struct fg_remap *remap; /* of into */
    struct fg_blocks_places places;
    bool is_truncated;
    struct fg_read_stats stats;
};

/* Of a page the trace's rows. */
static int take_page(void *arg, const struct fg_blocks_page *page)
{
    struct gathering *gathering = arg;
    const struct fg_batch *batch = page->batch;
    const struct fg_trace_reader *reader = gathering->reader;
    bool is_begun = false;
    int r = reader->is_cancelled && reader->is_cancelled(reader->arg)
                ? FG_ECANCELLED
                : fg_snapshot_check(&gathering->snapshot);
    for (uint32_t row = page->row_begin; r == 0 && row < page->row_end; row++) {
        if (batch->trace_id_low[row] != gathering->id_low ||
            batch->trace_id_high[row] != gathering->id_high)
            continue;
        if (gathering->stats.rows_matched >= FG_TRACE_SPANS_MAX) {
            gathering->is_truncated = true;
            return ENOUGH;
        }
        if (!is_begun)
            r = fg_remap_begin(gathering->remap, gathering->into, batch);
        is_begun = true;
        if (r == 0)
            r = fg_builder_copy(gathering->into, gathering->remap, batch, row, 0);
        gathering->stats.rows_matched += r == 0;
    }
    if (r == FG_ELIMIT) { /* its bytes */
        gathering->is_truncated = true;
        return ENOUGH;
    }
    return r;
}

static int gather_heads(struct gathering *gathering, uint32_t tenant)
{
    const struct fg_snapshot *snapshot = &gathering->snapshot;
    int r = 0;
    for (int i = 0; r == 0 && i < 2; i++)
        if (snapshot->heads[i])
            r = fg_head_trace(snapshot->heads[i], &snapshot->watermarks[i], tenant,
                              gathering->id_high, gathering->id_low, take_page, gathering);
    return r;
}

static int gather_places(struct gathering *gathering, const struct fg_trace_reader *reader)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < gathering->places.count; i++)
        r = reader->store->blocks->ops->trace_read(gathering->snapshot.view,
                                                   &gathering->places.items[i], reader->readers,
                                                   take_page, gathering, &gathering->stats);
    return r;
}

static bool is_in_heads(const struct gathering *gathering, uint32_t tenant)
{
    const struct fg_snapshot *snapshot = &gathering->snapshot;
    const struct fg_head_entry *entry;
    for (int i = 0; i < 2; i++)
        if (snapshot->heads[i] && fg_head_find(snapshot->heads[i], &snapshot->watermarks[i], tenant,
                                               gathering->id_high, gathering->id_low, &entry) > 0)
            return true;
    return false;
}

/* Ordered rows into the answer, up to what it takes. */
static int copy_rows(struct fg_remap *remap, const struct fg_batch *forms,
                     const struct fg_order *order, struct fg_builder *builder,
                     struct fg_trace_result *result)
{
    int r = fg_remap_begin(remap, builder, forms);
    for (uint32_t i = 0; r == 0 && i < order->count; i++) {
        r = fg_builder_copy(builder, remap, forms, order->rows[i].row, order->rows[i].or_marks);
        result->span_count += r == 0;
    }
    if (r != FG_ELIMIT)
        return r;
    result->truncated = true;
    return 0;
}

static int resolve(const struct fg_trace_reader *reader, struct fg_builder *builder,
                   struct fg_trace_result *result)
{
    struct fg_batch forms;
    struct fg_order order;
    struct fg_arena arena;
    fg_builder_view(reader->forms, &forms);
    struct fg_row *rows = calloc((size_t)forms.span_count + 1, sizeof *rows);
    if (!rows)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < forms.span_count; i++)
        rows[i].row = i;
    const struct fg_batch *batches[] = {&forms};
    fg_arena_init(&arena, ((size_t)forms.span_count + 4096) * 320);
    int r = fg_order_rows(batches, rows, forms.span_count, &arena, &order);
    if (r == FG_ELIMIT)
        r = FG_ENOMEM; /* the arena's bound is enough for all rows */
    if (r == 0)
        r = copy_rows(reader->remap, &forms, &order, builder, result);
    fg_arena_free(&arena);
    free(rows);
    return r;
}

/* What lies in one segment alone is resolved and in order there, and goes into the answer at once.
 */
static int read_single(struct gathering *gathering, const struct fg_trace_reader *reader,
                       struct fg_builder *builder, struct fg_trace_result *result)
{
    gathering->into = builder;
    gathering->remap = reader->remap;
    int r = gather_places(gathering, reader);
    result->span_count = (uint32_t)gathering->stats.rows_matched;
    return r >= 0 && result->span_count == 0 ? FG_ENOTFOUND : r;
}

static int read_several(struct gathering *gathering, struct fg_trace_reader *reader,
                        uint32_t tenant, struct fg_builder *builder, struct fg_trace_result *result)
{
    fg_builder_reset(reader->forms);
    gathering->into = reader->forms;
    gathering->remap = reader->remap;
    int r = gather_heads(gathering, tenant);
    if (r == 0)
        r = gather_places(gathering, reader);
    if (r >= 0 && fg_builder_span_count(reader->forms) == 0)
        r = FG_ENOTFOUND;
    return r < 0 ? r : resolve(reader, builder, result);
}

static bool is_over(const struct gathering *gathering, uint64_t spans_max)
{
    uint64_t count = 0;
    for (size_t i = 0; i < gathering->places.count; i++)
        count += gathering->places.items[i].row_count;
    return spans_max && count > spans_max;
}

int fg_trace_reader_read(struct fg_trace_reader *reader, uint32_t tenant, uint64_t id_high,
                         uint64_t id_low, uint64_t spans_max, struct fg_builder *builder,
                         struct fg_trace_result *ret_result)
{
    struct gathering gathering = {.reader = reader, .id_high = id_high, .id_low = id_low};
    struct fg_trace_result result = {0};
    int r = fg_snapshot_take(reader->store, &gathering.snapshot);
    if (r < 0)
        return r;
    r = reader->store->blocks->ops->trace_find(gathering.snapshot.view, tenant, id_high, id_low,
                                               reader->readers, &gathering.places,
                                               &gathering.stats);
    if (r == 0 && is_over(&gathering, spans_max))
        r = FG_EBUSY;
    bool is_single = gathering.places.count == 1 && !is_in_heads(&gathering, tenant);
    if (r == 0)
        r = is_single ? read_single(&gathering, reader, builder, &result)
                      : read_several(&gathering, reader, tenant, builder, &result);
    fg_snapshot_release(&gathering.snapshot);
    free(gathering.places.items);
    if (r < 0)
        return r;
    result.truncated |= gathering.is_truncated;
    result.stats = gathering.stats;
    *ret_result = result;
    return 0;
}

int fg_trace_reader_new(struct fg_store *store, struct fg_trace_reader **ret_reader)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_trace_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return FG_ENOMEM;
    reader->store = store;
    int r = store->blocks->ops->readers_new(&reader->readers);
    if (r == 0)
        r = fg_builder_new(&limits, &reader->forms);
    if (r == 0)
        r = fg_remap_new(&reader->remap);
    if (r < 0) {
        fg_trace_reader_free(reader);
        return r;
    }
    *ret_reader = reader;
    return 0;
}

void fg_trace_reader_cancel_by(struct fg_trace_reader *reader, bool (*is_cancelled)(void *arg),
                               void *arg)
{
    reader->is_cancelled = is_cancelled;
    reader->arg = arg;
}

void fg_trace_reader_free(struct fg_trace_reader *reader)
{
    if (!reader)
        return;
    reader->store->blocks->ops->readers_free(reader->readers);
    fg_remap_free(reader->remap);
    fg_builder_free(reader->forms);
    free(reader);
}

int fg_store_trace(struct fg_store *store, uint32_t tenant, uint64_t id_high, uint64_t id_low,
                   struct fg_builder *builder, struct fg_trace_result *ret_result)
{
    struct fg_trace_reader *reader;
    int r = fg_trace_reader_new(store, &reader);
    if (r < 0)
        return r;
    r = fg_trace_reader_read(reader, tenant, id_high, id_low, 0, builder, ret_result);
    fg_trace_reader_free(reader);
    return r;
}
