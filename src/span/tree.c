/* Rows sorted by start give siblings their order; rows sorted by span id find parents. The walk
 * keeps its place in the child lists themselves, so that depth costs no stack. */
#include "span/tree.h"

#include <stdlib.h>

/* Spans of one id are looked at one by one up to this many, past it by binary search: a sender may
 * give all its spans one id. */
#define RUN_LINEAR_MAX 8u
/* Up to this many rows insertion beats qsort(). */
#define INSERTION_MAX 24u

struct row {
    uint64_t key, tie; /* start and span id, or span id and start */
    uint32_t row;
};

struct work {
    const struct fg_tree_span *spans;
    uint32_t count;
    struct row *by_id;     /* by span id, then start */
    uint32_t *by_process;  /* by span id, process, start; NULL until a long run asks for it */
    uint32_t *client_half; /* by index in by_id of a long run's first: its first that is no half */
    struct fg_arena *arena;
    uint32_t *parent, *depth, *order;
    uint32_t *first_child, *next_sibling;
    uint32_t placed; /* rows that stand in order */
};

static inline bool row_is_less(const struct row *x, const struct row *y)
{
    if (x->key != y->key)
        return x->key < y->key;
    return x->tie != y->tie ? x->tie < y->tie : x->row < y->row;
}

static int compare_rows(const void *a, const void *b)
{
    return row_is_less(a, b) ? -1 : row_is_less(b, a);
}

static void sort_rows(struct row *rows, uint32_t count)
{
    if (count > INSERTION_MAX) {
        qsort(rows, count, sizeof *rows, compare_rows);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        struct row row = rows[i];
        uint32_t at = i;
        for (; at > 0 && row_is_less(&row, &rows[at - 1]); at--)
            rows[at] = rows[at - 1];
        rows[at] = row;
    }
}

/* The first index of by_id whose span id is not less than id. */
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
static bool is_better(const struct fg_tree_span *spans, uint32_t row, uint32_t best,
                      uint32_t candidate)
{
    if (best == FG_TREE_NONE)
        return true;
    bool best_is_near = spans[best].process == spans[row].process;
    bool candidate_is_near = spans[candidate].process == spans[row].process;
    if (best_is_near != candidate_is_near)
        return candidate_is_near;
    uint64_t start = spans[row].start_ns;
    return spans[candidate].start_ns <= start &&
           (spans[best].start_ns > start || spans[candidate].start_ns > spans[best].start_ns);
}

/* -- Long runs of one id */

static int compare_process(const void *a, const void *b, void *arg)
{
    const struct fg_tree_span *spans = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (spans[x].span_id != spans[y].span_id)
        return spans[x].span_id < spans[y].span_id ? -1 : 1;
    if (spans[x].process != spans[y].process)
        return spans[x].process < spans[y].process ? -1 : 1;
    if (spans[x].start_ns != spans[y].start_ns)
        return spans[x].start_ns < spans[y].start_ns ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Sorts all rows by process, and notes of each run which of its spans is the client's half. False
 * when the arena is full. */
static bool prepare_runs(struct work *work)
{
    if (work->by_process)
        return true;
    uint32_t *by_process = fg_arena_alloc(work->arena, work->count * sizeof *by_process);
    work->client_half = fg_arena_alloc(work->arena, work->count * sizeof *work->client_half);
    if (!by_process || !work->client_half)
        return false;
    for (uint32_t i = 0; i < work->count; i++)
        by_process[i] = i;
    qsort_r(by_process, work->count, sizeof *by_process, compare_process,
            (void *)(uintptr_t)work->spans);
    for (uint32_t begin = 0, end; begin < work->count; begin = end) {
        uint32_t half = FG_TREE_NONE;
        for (end = begin; end < work->count && work->by_id[end].key == work->by_id[begin].key;
             end++)
            if (half == FG_TREE_NONE && !work->spans[work->by_id[end].row].is_shared)
                half = work->by_id[end].row;
        work->client_half[begin] = half;
    }
    work->by_process = by_process;
    return true;
}

/* Of [begin, end) of by_process, or of by_id where that is NULL: the last that starts no later than
 * row, otherwise the first; never row itself. */
static uint32_t nearest(const struct work *work, uint32_t row, const uint32_t *by_process,
                        uint32_t begin, uint32_t end)
{
    uint64_t start = work->spans[row].start_ns;
    uint32_t low = begin, high = end; /* the first that starts later */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t at = by_process ? by_process[middle] : work->by_id[middle].row;
        if (work->spans[at].start_ns <= start)
            low = middle + 1;
        else
            high = middle;
    }
    for (uint32_t i = low; i-- > begin;) {
        uint32_t at = by_process ? by_process[i] : work->by_id[i].row;
        if (at != row)
            return at;
    }
    return low < end ? (by_process ? by_process[low] : work->by_id[low].row) : FG_TREE_NONE;
}

static uint32_t find_in_long_run(struct work *work, uint32_t row, uint32_t begin, uint32_t end)
{
    if (!prepare_runs(work))
        return FG_TREE_NONE; /* the arena's flag makes the build fail */
    const struct fg_tree_span *spans = work->spans;
    uint32_t low = begin, high = end; /* runs lie at the same place in both lists */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (spans[work->by_process[middle]].process < spans[row].process)
            low = middle + 1;
        else
            high = middle;
    }
    uint32_t near_begin = low;
    for (high = end; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (spans[work->by_process[middle]].process <= spans[row].process)
            low = middle + 1;
        else
            high = middle;
    }
    uint32_t near = nearest(work, row, work->by_process, near_begin, low);
    return near != FG_TREE_NONE ? near : nearest(work, row, NULL, begin, end);
}

/* -- Parents */

static uint32_t find_client_half(struct work *work, uint32_t row)
{
    uint64_t id = work->spans[row].span_id;
    uint32_t begin = lower_bound(work, id);
    for (uint32_t i = begin; i < work->count && work->by_id[i].key == id; i++) {
        if (i - begin == RUN_LINEAR_MAX)
            return prepare_runs(work) ? work->client_half[begin] : FG_TREE_NONE;
        if (!work->spans[work->by_id[i].row].is_shared)
            return work->by_id[i].row;
    }
    return FG_TREE_NONE;
}

static uint32_t find_parent(struct work *work, uint32_t row)
{
    if (work->spans[row].is_shared) {
        uint32_t half = find_client_half(work, row);
        if (half != FG_TREE_NONE)
            return half;
    }
    uint64_t id = work->spans[row].parent_span_id;
    if (id == 0)
        return FG_TREE_NONE;
    uint32_t begin = lower_bound(work, id), end = begin;
    uint32_t best = FG_TREE_NONE;
    for (; end < work->count && work->by_id[end].key == id; end++) {
        if (end - begin == RUN_LINEAR_MAX) {
            uint32_t run_end = id == UINT64_MAX ? work->count : lower_bound(work, id + 1);
            return find_in_long_run(work, row, begin, run_end);
        }
        uint32_t candidate = work->by_id[end].row;
        if (candidate != row && is_better(work->spans, row, best, candidate))
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
        if (work->spans[at].start_ns < work->spans[first].start_ns)
            first = at;
    return first;
}

static int allocate(struct work *work, struct row **ret_by_start)
{
    uint32_t n = work->count;
    work->by_id = fg_arena_alloc(work->arena, n * sizeof *work->by_id);
    *ret_by_start = fg_arena_alloc(work->arena, n * sizeof **ret_by_start);
    uint32_t *columns = fg_arena_alloc(work->arena, (size_t)n * 5 * sizeof *columns);
    if (work->arena->overflow)
        return FG_ELIMIT;
    memset(columns, 0xff, (size_t)n * 5 * sizeof *columns);
    work->parent = columns;
    work->depth = columns + n;
    work->order = columns + (size_t)n * 2;
    work->first_child = columns + (size_t)n * 3;
    work->next_sibling = columns + (size_t)n * 4;
    return 0;
}

static uint32_t choose_root(const struct work *work, const struct row *by_start)
{
    uint32_t orphan = FG_TREE_NONE;
    for (uint32_t i = 0; i < work->count; i++) {
        uint32_t row = by_start[i].row;
        if (work->parent[row] != FG_TREE_NONE)
            continue;
        if (work->spans[row].parent_span_id == 0)
            return row;
        if (orphan == FG_TREE_NONE)
            orphan = row;
    }
    return orphan != FG_TREE_NONE ? orphan : by_start[0].row;
}

/* Each row's parent, and the lists of children. */
static void join(struct work *work, const struct row *by_start)
{
    /* Pushed on the front of their parent's list, the last first. */
    for (uint32_t i = work->count; i-- > 0;) {
        uint32_t row = by_start[i].row;
        uint32_t parent = find_parent(work, row);
        work->parent[row] = parent;
        if (parent == FG_TREE_NONE)
            continue;
        work->next_sibling[row] = work->first_child[parent];
        work->first_child[parent] = row;
    }
}

int fg_tree_build_spans(const struct fg_tree_span *spans, uint32_t count, struct fg_arena *arena,
                        struct fg_tree *ret_tree)
{
    struct work work = {.spans = spans, .count = count, .arena = arena};
    struct row *by_start;
    if (count == 0) {
        *ret_tree = (struct fg_tree){.root = FG_TREE_NONE};
        return 0;
    }
    int r = allocate(&work, &by_start);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < count; i++) {
        work.by_id[i] = (struct row){spans[i].span_id, spans[i].start_ns, i};
        by_start[i] = (struct row){spans[i].start_ns, spans[i].span_id, i};
    }
    sort_rows(work.by_id, count);
    sort_rows(by_start, count);
    join(&work, by_start);
    if (arena->overflow)
        return FG_ELIMIT;
    uint32_t root = choose_root(&work, by_start);
    for (uint32_t i = 0; i < count; i++)
        if (work.parent[by_start[i].row] == FG_TREE_NONE)
            walk(&work, by_start[i].row);
    for (uint32_t i = 0; i < count && work.placed < count; i++) {
        if (work.depth[by_start[i].row] != UINT32_MAX)
            continue;
        uint32_t first = circle_first(&work, by_start[i].row);
        walk(&work, first);
        work.parent[first] = FG_TREE_NONE;
    }
    *ret_tree = (struct fg_tree){.count = count,
                                 .order = work.order,
                                 .parent = work.parent,
                                 .depth = work.depth,
                                 .root = root};
    return 0;
}

int fg_tree_build(const struct fg_batch *batch, struct fg_arena *arena, struct fg_tree *ret_tree)
{
    struct fg_tree_span *spans = fg_arena_calloc(arena, batch->span_count, sizeof *spans);
    if (!spans)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < batch->span_count; i++)
        spans[i] = (struct fg_tree_span){
            .span_id = batch->span_id[i],
            .parent_span_id = batch->parent_span_id[i],
            .start_ns = batch->start_ns[i],
            .process = batch->resource ? batch->resource[i] : 0,
            .is_shared = (fg_column_u16(batch->marks, i) & FG_MARK_SHARED) != 0,
        };
    return fg_tree_build_spans(spans, batch->span_count, arena, ret_tree);
}
