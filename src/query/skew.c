#include "query/skew.h"

bool fg_edge_is_async(const struct fg_batch *batch, const struct fg_tree *tree, uint32_t row)
{
    uint32_t parent = tree->parent[row];
    return batch->kind[row] == FG_SPAN_KIND_CONSUMER ||
           (batch->kind[parent] == FG_SPAN_KIND_PRODUCER &&
            batch->resource[row] != batch->resource[parent]);
}

/* How far a child has to be moved to lie within its parent, which has been moved already. */
static int64_t shift_of(const struct fg_batch *batch, uint32_t parent, int64_t parent_shift_ns,
                        uint32_t child)
{
    uint64_t room = batch->end_ns[parent] - batch->start_ns[parent];
    uint64_t size = batch->end_ns[child] - batch->start_ns[child];
    bool is_known = batch->end_ns[parent] >= batch->start_ns[parent] &&
                    batch->end_ns[child] >= batch->start_ns[child];
    if (!is_known)
        return 0; /* open, or with times that say nothing */
    /* Times lie far from both ends of 64 bits, so differences have a sign. */
    int64_t from = (int64_t)(batch->start_ns[parent] + (uint64_t)parent_shift_ns);
    int64_t to = from + (int64_t)room;
    int64_t start = (int64_t)batch->start_ns[child];
    if (start >= from && start + (int64_t)size <= to)
        return 0;
    return from + (size <= room ? (int64_t)(room - size) / 2 : 0) - start;
}

int fg_skew_find(const struct fg_batch *batch, const struct fg_tree *tree, struct fg_arena *arena,
                 struct fg_skew *ret_skew)
{
    int64_t *shift_ns = fg_arena_calloc(arena, tree->count, sizeof *shift_ns);
    uint32_t adjusted_count = 0;
    if (!shift_ns)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < tree->count; i++) {
        uint32_t row = tree->order[i], parent = tree->parent[row];
        if (parent == FG_TREE_NONE || fg_edge_is_async(batch, tree, row))
            continue;
        bool is_same_clock = batch->resource[row] == batch->resource[parent];
        shift_ns[row] =
            is_same_clock ? shift_ns[parent] : shift_of(batch, parent, shift_ns[parent], row);
        adjusted_count += !is_same_clock && shift_ns[row] != 0;
    }
    *ret_skew = (struct fg_skew){shift_ns, adjusted_count};
    return 0;
}
