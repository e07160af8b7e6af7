#include "query/sift.h"

#include "store/whole.h"

#include <stdlib.h>

enum verdict { UNDECIDED, NO, YES };

struct fg_sifter {
    struct fg_query_matcher *matcher;
    uint32_t columns;
    bool needs_root, needs_sums;
    struct fg_predicate keys_of; /* any of the conditions on spans */
    const struct fg_predicate *leaves[FG_QUERY_NODES_MAX + 1];
    /* of a run */
    const struct fg_search *search;
    uint8_t *verdicts; /* enum verdict, by key */
    uint32_t decided;
};

/* -- What the query reads */

static void take_needs(struct fg_sifter *sifter, const struct fg_query *query)
{
    if (query->op == FG_QUERY_SPAN && sifter->keys_of.child_count <= FG_QUERY_NODES_MAX) {
        sifter->leaves[sifter->keys_of.child_count++] = &query->span;
        sifter->columns |= fg_predicate_columns(&query->span);
    }
    if (query->op == FG_QUERY_TRACE)
        switch (query->trace.field) {
        case FG_TRACE_ROOT_SERVICE:
            sifter->needs_root = true;
            sifter->columns |= FG_COLUMNS_RESOURCE | FG_COLUMNS_MISC;
            break;
        case FG_TRACE_ROOT_NAME:
            sifter->needs_root = true;
            sifter->columns |= FG_COLUMNS_NAME | FG_COLUMNS_MISC;
            break;
        case FG_TRACE_ERROR_COUNT:
            sifter->needs_sums = true;
            sifter->columns |= FG_COLUMNS_STATUS;
            break;
        case FG_TRACE_DURATION:
        case FG_TRACE_SPAN_COUNT:
            sifter->needs_sums = true;
            break;
        }
    for (uint32_t i = 0; i < query->child_count; i++)
        take_needs(sifter, query->children[i]);
}

int fg_sifter_new(const struct fg_query *query, struct fg_sifter **ret_sifter)
{
    struct fg_sifter *sifter = calloc(1, sizeof *sifter);
    if (!sifter)
        return FG_ENOMEM;
    sifter->keys_of = (struct fg_predicate){.op = FG_PRED_OR, .children = sifter->leaves};
    take_needs(sifter, query);
    int r = fg_query_matcher_new(query, &sifter->matcher);
    if (r < 0) {
        free(sifter);
        return r;
    }
    *ret_sifter = sifter;
    return 0;
}

void fg_sifter_free(struct fg_sifter *sifter)
{
    if (!sifter)
        return;
    fg_query_matcher_free(sifter->matcher);
    free(sifter);
}

/* -- A trace */

static void sum_up(const struct fg_batch *batch, const uint32_t *rows, uint32_t count,
                   struct fg_trace_summary *summary)
{
    uint64_t start_ns = UINT64_MAX, end_ns = 0;
    uint32_t errors = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = rows[i];
        start_ns = batch->start_ns[row] < start_ns ? batch->start_ns[row] : start_ns;
        end_ns = batch->end_ns[row] > end_ns ? batch->end_ns[row] : end_ns;
        errors += batch->status && batch->status[row] == FG_STATUS_ERROR;
    }
    summary->start_ns = start_ns;
    summary->duration_ns = end_ns > start_ns ? end_ns - start_ns : 0;
    summary->error_count = errors;
}

/* The span that fg_tree_build() makes the root, where one has no parent: the first of those. False
 * where that takes the tree: of Zipkin's shared halves, and of two that begin at once. */
static bool find_root(const struct fg_batch *batch, const uint32_t *rows, uint32_t count,
                      struct fg_trace_summary *summary)
{
    bool is_tie = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = rows[i];
        if (fg_column_u16(batch->marks, row) & FG_MARK_SHARED)
            return false;
        if (batch->parent_span_id[row] != 0)
            continue;
        uint64_t best_ns = summary->has_root ? batch->start_ns[summary->root_row] : UINT64_MAX;
        if (summary->has_root && batch->start_ns[row] == best_ns)
            is_tie = true;
        if (summary->has_root && batch->start_ns[row] >= best_ns)
            continue;
        is_tie = false;
        summary->has_root = true;
        summary->root_row = row;
    }
    return !is_tie;
}

static int judge(struct fg_sifter *sifter, const struct fg_whole_rows *list,
                 const struct fg_whole_trace *trace)
{
    const struct fg_batch *batch = list->batch;
    const uint32_t *rows = list->rows + trace->row_begin;
    struct fg_trace_summary summary = {.span_count = trace->row_count};
    bool matches = false;
    if (sifter->needs_root && !find_root(batch, rows, trace->row_count, &summary))
        return 0;
    if (sifter->needs_sums)
        sum_up(batch, rows, trace->row_count, &summary);
    int r =
        fg_query_matches_rows(sifter->matcher, rows, trace->row_count, &summary,
                              sifter->search->start_ns_min, sifter->search->start_ns_max, &matches);
    sifter->verdicts[trace->id] = matches ? YES : NO;
    sifter->decided++;
    return r;
}

static int take_rows(void *arg, const struct fg_whole_rows *list)
{
    struct fg_sifter *sifter = arg;
    int r = 0;
    fg_query_matcher_bind(sifter->matcher, list->batch);
    for (uint32_t i = 0; r == 0 && i < list->trace_count; i++)
        r = judge(sifter, list, &list->traces[i]);
    return r;
}

static bool is_cancelled(void *arg)
{
    const struct fg_sifter *sifter = arg;
    return sifter->search->is_cancelled && sifter->search->is_cancelled(sifter->search->arg);
}

/* -- All of them */

/* Those that were decided against go, and where the pass was cut those that were not decided. */
static void keep_possible(const struct fg_sifter *sifter, struct fg_search_result *result)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < result->count; i++) {
        bool stays =
            sifter->verdicts[i] == YES || (sifter->verdicts[i] == UNDECIDED && !result->cut);
        if (stays)
            result->keys[kept++] = result->keys[i];
    }
    result->count = kept;
}

static int sift(struct fg_sifter *sifter, struct fg_store *store, struct fg_trace_id *ids,
                struct fg_search_result *result)
{
    const struct fg_search *search = sifter->search;
    for (uint32_t i = 0; i < result->count; i++)
        ids[i] = (struct fg_trace_id){result->keys[i].trace_id_high, result->keys[i].trace_id_low};
    struct fg_whole whole = {.tenant = search->tenant,
                             .ids = ids,
                             .count = result->count,
                             .columns = sifter->columns,
                             .keys_of = &sifter->keys_of,
                             .bytes_max = search->bytes_max,
                             .deadline_mono_ns = search->deadline_mono_ns,
                             .is_cancelled = is_cancelled,
                             .rows = take_rows,
                             .arg = sifter};
    int r = fg_store_whole(store, &whole, &result->stats);
    bool is_spent = search->bytes_max && result->stats.bytes_read > search->bytes_max;
    if (r == FG_ETIMEOUT || (r == FG_ELIMIT && is_spent)) {
        result->cut = r;
        r = 0;
    }
    if (r == 0)
        keep_possible(sifter, result);
    return r;
}

int fg_sifter_run(struct fg_sifter *sifter, struct fg_store *store, const struct fg_search *search,
                  struct fg_search_result *result, uint32_t *ret_decided)
{
    sifter->search = search;
    sifter->decided = 0;
    sifter->verdicts = calloc(result->count + (size_t)1, sizeof *sifter->verdicts);
    struct fg_trace_id *ids = calloc(result->count + (size_t)1, sizeof *ids);
    int r = sifter->verdicts && ids ? sift(sifter, store, ids, result) : FG_ENOMEM;
    free(ids);
    free(sifter->verdicts);
    sifter->verdicts = NULL;
    if (r < 0)
        return r;
    *ret_decided = sifter->decided;
    return 0;
}
