#include "query/summary.h"

#include "span/tree.h"

#include <stdlib.h>

static int compare_services(const void *a, const void *b)
{
    const struct fg_service_count *x = a, *y = b;
    if (x->span_count != y->span_count)
        return x->span_count > y->span_count ? -1 : 1;
    return fg_slice_compare(x->service, y->service);
}

/* Counts by service: resources of one service are added up. */
static int count_services(const struct fg_batch *batch, struct fg_arena *arena,
                          struct fg_trace_summary *summary)
{
    struct fg_service_count *of_string =
        fg_arena_calloc(arena, batch->string_count, sizeof *of_string);
    if (!of_string)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < batch->span_count; i++) {
        struct fg_service_count *count = &of_string[batch->resource_service[batch->resource[i]]];
        count->span_count++;
        count->error_count += batch->status[i] == FG_STATUS_ERROR;
    }
    uint32_t used = 0;
    for (uint32_t id = 0; id < batch->string_count; id++) {
        if (of_string[id].span_count == 0)
            continue;
        of_string[used] = of_string[id];
        of_string[used++].service = batch->strings[id];
    }
    qsort(of_string, used, sizeof *of_string, compare_services);
    summary->services = of_string;
    summary->service_count = used;
    return 0;
}

int fg_trace_summarize(const struct fg_batch *batch, struct fg_arena *arena,
                       struct fg_trace_summary *ret_summary)
{
    struct fg_tree tree;
    int r = fg_tree_build(batch, arena, &tree);
    if (r < 0)
        return r;
    struct fg_trace_summary summary = {
        .trace_id_high = batch->trace_id_high[0],
        .trace_id_low = batch->trace_id_low[0],
        .root_service = batch->strings[batch->resource_service[batch->resource[tree.root]]],
        .root_name = batch->strings[batch->name[tree.root]],
        .start_ns = UINT64_MAX,
        .span_count = batch->span_count,
        .root_row = tree.root,
        .has_root = batch->parent_span_id[tree.root] == 0,
    };
    uint64_t end_ns = 0;
    for (uint32_t i = 0; i < batch->span_count; i++) {
        if (batch->start_ns[i] < summary.start_ns)
            summary.start_ns = batch->start_ns[i];
        if (batch->end_ns[i] > end_ns)
            end_ns = batch->end_ns[i];
        summary.open_count += batch->end_ns[i] == 0;
        summary.error_count += batch->status[i] == FG_STATUS_ERROR;
    }
    summary.duration_ns = end_ns > summary.start_ns ? end_ns - summary.start_ns : 0;
    r = count_services(batch, arena, &summary);
    if (r < 0)
        return r;
    *ret_summary = summary;
    return 0;
}
