/* A rollup's numbers in order, and as cells. */
#include "rollup_state.h"

#include <stdlib.h>

static int compare_ops(const void *a, const void *b, void *arg)
{
    const struct fg_rollup *rollup = arg;
    const struct rollup_op *x = &rollup->ops[*(const uint32_t *)a];
    const struct rollup_op *y = &rollup->ops[*(const uint32_t *)b];
    if (x->type != y->type)
        return x->type < y->type ? -1 : 1;
    int order = fg_slice_compare(rollup->strings[x->first].bytes, rollup->strings[y->first].bytes);
    if (order == 0)
        order =
            fg_slice_compare(rollup->strings[x->second].bytes, rollup->strings[y->second].bytes);
    if (order != 0)
        return order;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->status < y->status ? -1 : x->status > y->status;
}

static int compare_numbers(const void *a, const void *b)
{
    const struct rollup_number *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

int rollup_sort(const struct fg_rollup *rollup, struct rollup_sorted *ret_sorted)
{
    struct rollup_sorted sorted = {.number_count = rollup->used};
    sorted.ops = malloc((rollup->op_count + 1) * sizeof *sorted.ops);
    sorted.numbers = malloc((rollup->used + 1) * sizeof *sorted.numbers);
    uint32_t *place = malloc((rollup->op_count + 1) * sizeof *place);
    if (!sorted.ops || !sorted.numbers || !place) {
        rollup_sorted_free(&sorted);
        free(place);
        return FG_ENOMEM;
    }
    for (uint32_t i = 0; i < rollup->op_count; i++)
        sorted.ops[i] = i;
    qsort_r(sorted.ops, rollup->op_count, sizeof *sorted.ops, compare_ops,
            (void *)(uintptr_t)rollup);
    for (uint32_t i = 0; i < rollup->op_count; i++)
        place[sorted.ops[i]] = i;
    size_t count = 0;
    for (size_t i = 0; i < rollup->slot_count; i++) {
        if (rollup->keys[i] == 0 || rollup->counts[i] == 0)
            continue;
        uint64_t key = rollup->keys[i] - 1;
        sorted.numbers[count++] = (struct rollup_number){
            .key = rollup_key(rollup_key_minute(key), place[rollup_key_op(key)],
                              rollup_key_bucket(key)),
            .count = rollup->counts[i]};
    }
    qsort(sorted.numbers, count, sizeof *sorted.numbers, compare_numbers);
    sorted.number_count = count;
    free(place);
    *ret_sorted = sorted;
    return 0;
}

void rollup_sorted_free(struct rollup_sorted *sorted)
{
    free(sorted->ops);
    free(sorted->numbers);
    *sorted = (struct rollup_sorted){0};
}

static struct fg_rollup_cell cell_of(const struct fg_rollup *rollup, const struct rollup_op *op,
                                     uint64_t minute)
{
    struct fg_rollup_cell cell = {.minute_ns = minute * FG_NS_PER_MINUTE,
                                  .kind = op->kind,
                                  .status = op->status,
                                  .is_edge = op->type == ROLLUP_EDGE};
    if (cell.is_edge) {
        cell.caller = rollup->strings[op->first].bytes;
        cell.service = rollup->strings[op->second].bytes;
    } else {
        cell.service = rollup->strings[op->first].bytes;
        cell.name = rollup->strings[op->second].bytes;
    }
    return cell;
}

/* The numbers [begin, end) are those of one minute and operation. */
static int give_cell(const struct fg_rollup *rollup, const struct rollup_sorted *sorted,
                     size_t begin, size_t end,
                     int (*fn)(void *arg, const struct fg_rollup_cell *cell), void *arg)
{
    uint64_t key = sorted->numbers[begin].key;
    struct fg_rollup_bucket buckets[FG_HISTOGRAM_BUCKETS];
    struct fg_rollup_cell cell =
        cell_of(rollup, &rollup->ops[sorted->ops[rollup_key_op(key)]], rollup_key_minute(key));
    for (size_t i = begin; i < end; i++) {
        uint32_t bucket = rollup_key_bucket(sorted->numbers[i].key);
        uint32_t count = sorted->numbers[i].count;
        if (bucket == ROLLUP_BUCKET_OPEN) {
            cell.open_count = count;
            continue;
        }
        buckets[cell.bucket_count++] = (struct fg_rollup_bucket){bucket, count};
        cell.count += count;
    }
    cell.error_count = cell.status == FG_STATUS_ERROR ? cell.count : 0;
    cell.buckets = buckets;
    return fn(arg, &cell);
}

int fg_rollup_each(const struct fg_rollup *rollup,
                   int (*fn)(void *arg, const struct fg_rollup_cell *cell), void *arg)
{
    struct rollup_sorted sorted;
    int r = rollup_sort(rollup, &sorted);
    if (r < 0)
        return r;
    for (size_t begin = 0, end; begin < sorted.number_count && r == 0; begin = end) {
        uint64_t cell = sorted.numbers[begin].key >> ROLLUP_BUCKET_BITS;
        for (end = begin + 1;
             end < sorted.number_count && sorted.numbers[end].key >> ROLLUP_BUCKET_BITS == cell;)
            end++;
        r = give_cell(rollup, &sorted, begin, end, fn, arg);
    }
    rollup_sorted_free(&sorted);
    return r;
}
