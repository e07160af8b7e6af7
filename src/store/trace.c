/* One trace, whole: all forms of its spans are gathered from head and segments, resolved to one row
 * each, and copied to the answer in order. */
#include "store_internal.h"

#include "base/limits.h"
#include "order.h"
#include "span/builder.h"

#include <stdlib.h>

struct gathering {
    struct fg_snapshot snapshot;
    uint64_t id_high, id_low;
    struct fg_builder *forms; /* every form of every span */
    struct fg_remap *remap;
    bool is_truncated;
    struct fg_read_stats stats;
};

/* Of a page the trace's rows. */
static int take_page(void *arg, const struct fg_blocks_page *page)
{
    struct gathering *gathering = arg;
    const struct fg_batch *batch = page->batch;
    bool is_begun = false;
    int r = fg_snapshot_check(&gathering->snapshot);
    for (uint32_t row = page->row_begin; r == 0 && row < page->row_end; row++) {
        if (batch->trace_id_low[row] != gathering->id_low ||
            batch->trace_id_high[row] != gathering->id_high)
            continue;
        if (fg_builder_span_count(gathering->forms) >= FG_TRACE_SPANS_MAX) {
            gathering->is_truncated = true;
            return 0;
        }
        if (!is_begun)
            r = fg_remap_begin(gathering->remap, gathering->forms, batch);
        is_begun = true;
        if (r == 0)
            r = fg_builder_copy(gathering->forms, gathering->remap, batch, row, 0);
        gathering->stats.rows_matched++;
    }
    if (r == FG_ELIMIT) { /* its bytes */
        gathering->is_truncated = true;
        r = 0;
    }
    return r;
}

static int gather(struct gathering *gathering, struct fg_store *store, uint32_t tenant)
{
    const struct fg_snapshot *snapshot = &gathering->snapshot;
    int r = 0;
    for (int i = 0; r == 0 && i < 2; i++)
        if (snapshot->heads[i])
            r = fg_head_trace(snapshot->heads[i], &snapshot->watermarks[i], tenant,
                              gathering->id_high, gathering->id_low, take_page, gathering);
    if (r == 0)
        r = store->blocks->ops->trace(snapshot->view, tenant, gathering->id_high, gathering->id_low,
                                      take_page, gathering, &gathering->stats);
    return r;
}

/* Ordered rows into the answer, up to what it takes. */
static int copy_rows(struct gathering *gathering, const struct fg_batch *forms,
                     const struct fg_order *order, struct fg_builder *builder,
                     struct fg_trace_result *result)
{
    int r = fg_remap_begin(gathering->remap, builder, forms);
    for (uint32_t i = 0; r == 0 && i < order->count; i++) {
        r = fg_builder_copy(builder, gathering->remap, forms, order->rows[i].row,
                            order->rows[i].or_marks);
        result->span_count += r == 0;
    }
    if (r != FG_ELIMIT)
        return r;
    result->truncated = true;
    return 0;
}

static int resolve(struct gathering *gathering, struct fg_builder *builder,
                   struct fg_trace_result *result)
{
    struct fg_batch forms;
    struct fg_order order;
    struct fg_arena arena;
    fg_builder_view(gathering->forms, &forms);
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
        r = copy_rows(gathering, &forms, &order, builder, result);
    fg_arena_free(&arena);
    free(rows);
    return r;
}

int fg_store_trace(struct fg_store *store, uint32_t tenant, uint64_t id_high, uint64_t id_low,
                   struct fg_builder *builder, struct fg_trace_result *ret_result)
{
    struct gathering gathering = {.id_high = id_high, .id_low = id_low};
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_trace_result result = {0};
    int r = fg_snapshot_take(store, &gathering.snapshot);
    if (r < 0)
        return r;
    r = fg_builder_new(&limits, &gathering.forms);
    if (r == 0)
        r = fg_remap_new(&gathering.remap);
    if (r == 0)
        r = gather(&gathering, store, tenant);
    if (r == 0 && fg_builder_span_count(gathering.forms) == 0)
        r = FG_ENOTFOUND;
    fg_snapshot_release(&gathering.snapshot);
    if (r == 0)
        r = resolve(&gathering, builder, &result);
    fg_remap_free(gathering.remap);
    fg_builder_free(gathering.forms);
    if (r < 0)
        return r;
    result.truncated |= gathering.is_truncated;
    result.stats = gathering.stats;
    *ret_result = result;
    return 0;
}
