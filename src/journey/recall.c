/* What monitors found of late, read back from the stored spans at a start: a journey that stopped
 * while Filigree was down is told its reason, too. */
#include "journeys_internal.h"
#include "span/builder.h"

/* Reasons of what stopped longer ago are not asked for any more: who has to act has long been told.
 */
#define RECALL_AGE_NS (FG_NS_PER_DAY / 2)

struct recall {
    struct fg_journeys *journeys;
    struct fg_remap *remap;
};

/* Pages come newest first: where there are more checks than there is room for, the oldest are left
 * out. */
static int copy_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct recall *recall = arg;
    int r = fg_remap_begin(recall->remap, recall->journeys->builder, rows->batch);
    for (uint32_t row = rows->row_begin; r == 0 && row < rows->row_end; row++) {
        uint32_t bit = row - rows->row_begin;
        if (rows->bits[bit / 64] >> (bit % 64) & 1)
            r = fg_builder_copy(recall->journeys->builder, recall->remap, rows->batch, row, 0);
    }
    return r;
}

int fg_journeys_recall_checks(struct fg_journeys *journeys)
{
    const struct fg_predicate is_monitor = {.op = FG_PRED_EQ,
                                            .field = FG_FIELD_SERVICE,
                                            .type = FG_VALUE_STRING,
                                            .string = FG_SLICE(FG_MONITOR_SERVICE)};
    uint64_t now_ns = fg_env_wall_ns(journeys->options.env);
    struct recall recall = {.journeys = journeys};
    const struct fg_scan scan = {.tenant = journeys->options.tenant,
                                 .start_ns_min =
                                     now_ns > RECALL_AGE_NS ? now_ns - RECALL_AGE_NS : 0,
                                 .start_ns_max = UINT64_MAX,
                                 .predicate = &is_monitor,
                                 .columns = FG_COLUMNS_ALL,
                                 .rows = copy_rows,
                                 .arg = &recall};
    struct fg_read_stats stats;
    struct fg_batch batch;
    fg_builder_reset(journeys->builder);
    int r = fg_remap_new(&recall.remap);
    if (r < 0)
        return r;
    r = fg_store_scan(journeys->options.store, &scan, &stats);
    if (r == FG_ELIMIT)
        r = 0;
    fg_builder_view(journeys->builder, &batch);
    if (r == 0)
        fg_watch_add(journeys->watch, &batch, 0, batch.span_count, NULL);
    fg_remap_free(recall.remap);
    return r;
}
