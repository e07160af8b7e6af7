#include "resolve.h"

#include "content.h"

#include <stdlib.h>

/* Up to this many rows each is compared with each, which costs less than sorting. */
#define PAIRS_MAX 16u

#define GONE UINT32_MAX /* batch of a row that does not stay */

enum form { FORM_OPEN, FORM_INTERRUPTED, FORM_ENDED };

/* A row among those of its span id. */
struct candidate {
    uint64_t span_id;
    uint64_t received_ns;
    uint64_t content; /* hash, of ended forms; 0 otherwise */
    struct fg_slice service;
    uint32_t at; /* in rows */
    uint8_t kind;
    uint8_t form; /* enum form */
};

static uint64_t span_id_of(const struct fg_batch *const *batches, const struct fg_row *row)
{
    return batches[row->batch]->span_id[row->row];
}

static bool has_repeats_by_pairs(const struct fg_batch *const *batches, const struct fg_row *rows,
                                 uint32_t count)
{
    uint64_t ids[PAIRS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = span_id_of(batches, &rows[i]);
        for (uint32_t j = 0; j < i; j++)
            if (ids[j] == ids[i])
                return true;
    }
    return false;
}

static int compare_ids(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->span_id != y->span_id)
        return x->span_id < y->span_id ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

static int compare_identity(const struct candidate *x, const struct candidate *y)
{
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return fg_slice_compare(x->service, y->service);
}

/* By identity; the best form first; equal contents side by side, the latest received first. */
static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int order = compare_identity(x, y);
    if (order != 0)
        return order;
    if (x->form != y->form)
        return x->form > y->form ? -1 : 1;
    if (x->content != y->content)
        return x->content < y->content ? -1 : 1;
    if (x->received_ns != y->received_ns)
        return x->received_ns > y->received_ns ? -1 : 1;
    return x->at > y->at ? -1 : 1;
}

static void fill(const struct fg_batch *const *batches, const struct fg_row *rows,
                 struct candidate *candidate)
{
    const struct fg_batch *batch = batches[rows[candidate->at].batch];
    uint32_t row = rows[candidate->at].row;
    bool is_interrupted = (fg_column_u16(batch->marks, row) & FG_MARK_INTERRUPTED) != 0;
    candidate->received_ns = batch->received_ns[row];
    candidate->service = batch->strings[batch->resource_service[batch->resource[row]]];
    candidate->kind = batch->kind[row];
    candidate->form = is_interrupted       ? FORM_INTERRUPTED
                      : batch->end_ns[row] ? FORM_ENDED
                                           : FORM_OPEN;
    candidate->content = candidate->form == FORM_ENDED ? fg_row_hash(batch, row) : 0;
}

static bool says_the_same(const struct fg_batch *const *batches, const struct fg_row *rows,
                          const struct candidate *x, const struct candidate *y)
{
    const struct fg_row *a = &rows[x->at], *b = &rows[y->at];
    return x->content == y->content &&
           fg_row_equal(batches[a->batch], a->row, batches[b->batch], b->row);
}

/* The forms of one span, as compare_candidates() orders them. The first of them is of the best
 * form. */
static void resolve_span(const struct fg_batch *const *batches, struct fg_row *rows,
                         const struct candidate *forms, uint32_t count,
                         struct fg_resolve_counts *counts)
{
    const struct candidate *kept = &forms[0];
    uint32_t kept_count = 1;
    for (uint32_t i = 1; i < count; i++) {
        bool is_other =
            forms[i].form == FORM_ENDED && !says_the_same(batches, rows, kept, &forms[i]);
        if (is_other) {
            kept = &forms[i];
            kept_count++;
            continue;
        }
        const struct fg_row *gone = &rows[forms[i].at];
        uint16_t marks = fg_column_u16(batches[gone->batch]->marks, gone->row) | gone->or_marks;
        if (forms[i].form == FORM_ENDED)
            rows[kept->at].or_marks |= marks & FG_MARK_CONFLICT;
        rows[forms[i].at].batch = GONE;
        counts->duplicates++;
    }
    if (kept_count == 1)
        return;
    counts->conflicts++;
    for (uint32_t i = 0; i < count; i++)
        if (rows[forms[i].at].batch != GONE)
            rows[forms[i].at].or_marks |= FG_MARK_CONFLICT;
}

/* Those of one span id. */
static void resolve_id(const struct fg_batch *const *batches, struct fg_row *rows,
                       struct candidate *candidates, uint32_t count,
                       struct fg_resolve_counts *counts)
{
    for (uint32_t i = 0; i < count; i++)
        fill(batches, rows, &candidates[i]);
    qsort(candidates, count, sizeof *candidates, compare_candidates);
    for (uint32_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1;
             end < count && compare_identity(&candidates[begin], &candidates[end]) == 0;)
            end++;
        resolve_span(batches, rows, &candidates[begin], end - begin, counts);
    }
}

int fg_resolve(const struct fg_batch *const *batches, struct fg_row *rows, uint32_t count,
               struct fg_arena *scratch, struct fg_resolve_counts *counts, uint32_t *ret_count,
               bool *ret_has_repeats)
{
    if (count <= PAIRS_MAX && !has_repeats_by_pairs(batches, rows, count)) {
        *ret_count = count;
        *ret_has_repeats = false;
        return 0;
    }
    struct candidate *candidates = fg_arena_calloc(scratch, count, sizeof *candidates);
    if (!candidates)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < count; i++) {
        candidates[i].span_id = span_id_of(batches, &rows[i]);
        candidates[i].at = i;
    }
    qsort(candidates, count, sizeof *candidates, compare_ids);
    bool has_repeats = false;
    for (uint32_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && candidates[end].span_id == candidates[begin].span_id;)
            end++;
        if (end - begin == 1)
            continue;
        uint64_t gone = counts->duplicates;
        resolve_id(batches, rows, &candidates[begin], end - begin, counts);
        has_repeats |= end - begin - (counts->duplicates - gone) > 1;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].batch != GONE)
            rows[kept++] = rows[i];
    *ret_count = kept;
    *ret_has_repeats = has_repeats;
    return 0;
}
