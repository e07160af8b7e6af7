/* Rows sorted by start give siblings their order; rows sorted by span id find parents. The walk
 * keeps its place in the child lists themselves, so that depth costs no stack. */
#include "query/tree.h"

#include <stdlib.h>

struct row {
    uint64_t key; /* start, or span id */
    uint32_t row;
};

struct work {
    const struct fg_batch *batch;
    uint32_t count;
    struct row *by_id;
    uint32_t *parent, *depth, *order;
    uint32_t *first_child, *next_sibling;
    uint32_t placed; /* rows that stand in order */
};

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static bool is_shared(const struct fg_batch *batch, uint32_t row)
{
    return (fg_column_u16(batch->marks, row) & FG_MARK_SHARED) != 0;
}

/* The first index of by_id whose key is not less than id. */
static uint32_t lower_bound(const struct work *work, uint64_t id)
{
    uint32_t begin = 0, end = work->count;
    while (begin < end) {
        uint32_t middle = begin + (end - begin) / 2;
        if (work->by_id[middle].key < id)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

/* Whether candidate is a better parent of row than best. */
static bool is_better(const struct fg_batch *batch, uint32_t row, uint32_t best, uint32_t candidate)
{
    if (best == FG_TREE_NONE)
        return true;
    bool best_is_near = batch->resource && batch->resource[best] == batch->resource[row];
    bool candidate_is_near = batch->resource && batch->resource[candidate] == batch->resource[row];
    if (best_is_near != candidate_is_near)
        return candidate_is_near;
    uint64_t start = batch->start_ns[row];
    return batch->start_ns[candidate] <= start &&
           (batch->start_ns[best] > start || batch->start_ns[candidate] > batch->start_ns[best]);
}

static uint32_t find_parent(const struct work *work, uint32_t row)
{
    const struct fg_batch *batch = work->batch;
    uint32_t best = FG_TREE_NONE;
    if (is_shared(batch, row)) {
        uint64_t id = batch->span_id[row];
        for (uint32_t i = lower_bound(work, id); i < work->count && work->by_id[i].key == id; i++)
            if (!is_shared(batch, work->by_id[i].row))
                return work->by_id[i].row;
    }
    uint64_t id = batch->parent_span_id[row];
    if (id == 0)
        return FG_TREE_NONE;
    for (uint32_t i = lower_bound(work, id); i < work->count && work->by_id[i].key == id; i++) {
        uint32_t candidate = work->by_id[i].row;
        if (candidate != row && is_better(batch, row, best, candidate))
            best = candidate;
    }
    return best;
}

/* Places row and all below it that has no place yet. */
static void walk(struct work *work, uint32_t root)
{
    uint32_t row = root;
    work->depth[root] = 0;
    work->order[work->placed++] = root;
    for (;;) {
        uint32_t child = work->first_child[row];
        if (child != FG_TREE_NONE) {
            work->first_child[row] = work->next_sibling[child];
            if (child == root)
                continue; /* a circle leads back here */
            work->depth[child] = work->depth[row] + 1;
            work->order[work->placed++] = child;
            row = child;
        } else if (row == root) {
            return;
        } else {
            row = work->parent[row];
        }
    }
}

/* What no root leads to lies in a circle or below one. From such a row up to its circle, by a slow
 * and a fast walker that meet there; and there the row that starts first, at which the circle is
 * cut. */
static uint32_t circle_first(const struct work *work, uint32_t row)
{
    uint32_t slow = row, fast = row;
    do {
        slow = work->parent[slow];
        fast = work->parent[work->parent[fast]];
    } while (slow != fast);
    uint32_t first = slow;
    for (uint32_t at = work->parent[slow]; at != slow; at = work->parent[at])
        if (work->batch->start_ns[at] < work->batch->start_ns[first])
            first = at;
    return first;
}

static int allocate(struct work *work, struct fg_arena *arena, struct row **ret_by_start)
{
    uint32_t n = work->count;
    work->by_id = fg_arena_calloc(arena, n, sizeof *work->by_id);
    *ret_by_start = fg_arena_calloc(arena, n, sizeof **ret_by_start);
    uint32_t **columns[] = {&work->parent, &work->depth, &work->order, &work->first_child,
                            &work->next_sibling};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        *columns[i] = fg_arena_alloc(arena, n * sizeof **columns[i]);
        if (*columns[i])
            memset(*columns[i], 0xff, n * sizeof **columns[i]);
    }
    return arena->overflow ? FG_ELIMIT : 0;
}

static uint32_t choose_root(const struct work *work, const struct row *by_start)
{
    uint32_t orphan = FG_TREE_NONE;
    for (uint32_t i = 0; i < work->count; i++) {
        uint32_t row = by_start[i].row;
        if (work->parent[row] != FG_TREE_NONE)
            continue;
        if (work->batch->parent_span_id[row] == 0)
            return row;
        if (orphan == FG_TREE_NONE)
            orphan = row;
    }
    return orphan != FG_TREE_NONE ? orphan : by_start[0].row;
}

int fg_tree_build(const struct fg_batch *batch, struct fg_arena *arena, struct fg_tree *ret_tree)
{
    struct work work = {.batch = batch, .count = batch->span_count};
    struct row *by_start;
    if (work.count == 0) {
        *ret_tree = (struct fg_tree){.root = FG_TREE_NONE};
        return 0;
    }
    int r = allocate(&work, arena, &by_start);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < work.count; i++) {
        work.by_id[i] = (struct row){batch->span_id[i], i};
        by_start[i] = (struct row){batch->start_ns[i], i};
    }
    qsort(work.by_id, work.count, sizeof *work.by_id, compare_rows);
    qsort(by_start, work.count, sizeof *by_start, compare_rows);

    /* Pushed on the front of their parent's list, the last first. */
    for (uint32_t i = work.count; i-- > 0;) {
        uint32_t row = by_start[i].row;
        uint32_t parent = find_parent(&work, row);
        work.parent[row] = parent;
        if (parent == FG_TREE_NONE)
            continue;
        work.next_sibling[row] = work.first_child[parent];
        work.first_child[parent] = row;
    }
    uint32_t root = choose_root(&work, by_start);
    for (uint32_t i = 0; i < work.count; i++)
        if (work.parent[by_start[i].row] == FG_TREE_NONE)
            walk(&work, by_start[i].row);
    for (uint32_t i = 0; i < work.count && work.placed < work.count; i++) {
        if (work.depth[by_start[i].row] != UINT32_MAX)
            continue;
        uint32_t first = circle_first(&work, by_start[i].row);
        walk(&work, first);
        work.parent[first] = FG_TREE_NONE;
    }
    *ret_tree = (struct fg_tree){.count = work.count,
                                 .order = work.order,
                                 .parent = work.parent,
                                 .depth = work.depth,
                                 .root = root};
    return 0;
}
