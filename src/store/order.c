/* Rows are grouped by trace through a hash map, each trace's forms are resolved, the traces are
 * sorted, and each trace's tree gives the places of its rows. Rows of a trace mostly lie side by
 * side in one batch, so that its columns are met in the cache. */
#include "order.h"

#include "base/hash.h"
#include "base/idmap.h"
#include "content.h"

#include <stdlib.h>

/* A trace while its rows are gathered. */
struct group {
    uint64_t id_high, id_low;
    uint64_t start_ns;
    uint32_t first, last; /* rows given, chained by next */
    uint32_t row_begin, row_count;
    bool has_repeats;
};

struct sort {
    const struct fg_batch *const *batches;
    const struct fg_row *given;
    uint32_t count;
    struct group *groups;
    uint32_t group_count, group_capacity;
    struct fg_idmap map;
    uint32_t *next;          /* by row given */
    struct fg_row *grouped;  /* trace by trace, in the order in which the traces were met */
    struct fg_arena scratch; /* of one trace at a time */
    struct fg_resolve_counts counts;
};

/* The trace that is looked for in the map. */
struct wanted {
    const struct group *groups;
    uint64_t id_high, id_low;
};

static bool is_wanted(const void *context, uint32_t id)
{
    const struct wanted *wanted = context;
    return wanted->groups[id].id_high == wanted->id_high &&
           wanted->groups[id].id_low == wanted->id_low;
}

static int find_group(struct sort *sort, uint64_t id_high, uint64_t id_low, uint32_t *ret_group)
{
    struct wanted wanted = {sort->groups, id_high, id_low};
    uint32_t group;
    int r = fg_idmap_intern(&sort->map, fg_hash_u64(fg_hash_u64(id_high) ^ id_low), is_wanted,
                            &wanted, sort->group_count, &group);
    if (r < 0)
        return r;
    if (group == sort->group_count) {
        if (sort->group_count == sort->group_capacity) {
            uint32_t capacity = sort->group_capacity ? sort->group_capacity * 2 : 256;
            struct group *groups = realloc(sort->groups, capacity * sizeof *groups);
            if (!groups)
                return FG_ENOMEM;
            sort->groups = groups;
            sort->group_capacity = capacity;
        }
        sort->groups[sort->group_count++] = (struct group){
            .id_high = id_high, .id_low = id_low, .first = UINT32_MAX, .last = UINT32_MAX};
    }
    *ret_group = group;
    return 0;
}

static int group_rows(struct sort *sort)
{
    uint32_t at = UINT32_MAX;
    for (uint32_t i = 0; i < sort->count; i++) {
        const struct fg_batch *batch = sort->batches[sort->given[i].batch];
        uint64_t id_high = batch->trace_id_high[sort->given[i].row];
        uint64_t id_low = batch->trace_id_low[sort->given[i].row];
        if (at == UINT32_MAX || sort->groups[at].id_low != id_low ||
            sort->groups[at].id_high != id_high) {
            int r = find_group(sort, id_high, id_low, &at);
            if (r < 0)
                return r;
        }
        struct group *group = &sort->groups[at];
        sort->next[i] = UINT32_MAX;
        if (group->first == UINT32_MAX)
            group->first = i;
        else
            sort->next[group->last] = i;
        group->last = i;
        group->row_count++;
    }
    return 0;
}

/* Gathers a trace's rows, drops the forms that others replace, finds its start. */
static int resolve_group(struct sort *sort, struct group *group, uint32_t row_begin)
{
    struct fg_row *rows = sort->grouped + row_begin;
    uint32_t count = 0;
    for (uint32_t i = group->first; i != UINT32_MAX; i = sort->next[i])
        rows[count++] = sort->given[i];
    fg_arena_reset(&sort->scratch);
    int r = fg_resolve(sort->batches, rows, count, &sort->scratch, &sort->counts, &count,
                       &group->has_repeats);
    if (r < 0)
        return r;
    group->row_begin = row_begin;
    group->row_count = count;
    group->start_ns = UINT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t start_ns = sort->batches[rows[i].batch]->start_ns[rows[i].row];
        if (start_ns < group->start_ns)
            group->start_ns = start_ns;
    }
    return 0;
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    if (x->id_high != y->id_high)
        return x->id_high < y->id_high ? -1 : 1;
    return x->id_low < y->id_low ? -1 : x->id_low > y->id_low;
}

/* Puts a trace's rows at their places behind those that are there. */
static int place_group(struct sort *sort, const struct group *group, struct fg_order *order)
{
    const struct fg_row *rows = sort->grouped + group->row_begin;
    uint32_t count = group->row_count, begin = order->count;
    fg_arena_reset(&sort->scratch);
    struct fg_tree_span *spans = fg_arena_alloc(&sort->scratch, count * sizeof *spans);
    uint32_t *place = fg_arena_alloc(&sort->scratch, count * sizeof *place);
    if (!spans || !place)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < count; i++) {
        const struct fg_batch *batch = sort->batches[rows[i].batch];
        uint32_t row = rows[i].row;
        spans[i] = (struct fg_tree_span){
            .span_id = batch->span_id[row],
            .parent_span_id = batch->parent_span_id[row],
            .start_ns = batch->start_ns[row],
            /* the process decides only between spans of one id */
            .process = group->has_repeats ? fg_resource_hash(batch, batch->resource[row]) : 0,
            .is_shared = (fg_column_u16(batch->marks, row) & FG_MARK_SHARED) != 0,
        };
    }
    struct fg_tree tree;
    int r = fg_tree_build_spans(spans, count, &sort->scratch, &tree);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < count; i++)
        place[tree.order[i]] = begin + i;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = tree.order[i], parent = tree.parent[row];
        order->rows[begin + i] = rows[row];
        order->parent[begin + i] = parent == FG_TREE_NONE ? FG_TREE_NONE : place[parent];
    }
    order->traces[order->trace_count++] = (struct fg_order_trace){.id_high = group->id_high,
                                                                  .id_low = group->id_low,
                                                                  .start_ns = group->start_ns,
                                                                  .row_begin = begin,
                                                                  .row_count = count};
    order->count += count;
    return 0;
}

static int sort_run(struct sort *sort, struct fg_arena *arena, struct fg_order *order)
{
    sort->next = malloc(sort->count * sizeof *sort->next);
    sort->grouped = malloc(sort->count * sizeof *sort->grouped);
    if (!sort->next || !sort->grouped)
        return FG_ENOMEM;
    int r = group_rows(sort);
    uint32_t placed = 0;
    for (uint32_t i = 0; i < sort->group_count && r == 0; i++) {
        uint32_t given = sort->groups[i].row_count;
        r = resolve_group(sort, &sort->groups[i], placed);
        placed += given;
    }
    if (r < 0)
        return r;
    qsort(sort->groups, sort->group_count, sizeof *sort->groups, compare_groups);
    order->rows = fg_arena_alloc(arena, sort->count * sizeof *order->rows);
    order->parent = fg_arena_alloc(arena, sort->count * sizeof *order->parent);
    order->traces = fg_arena_alloc(arena, sort->group_count * sizeof *order->traces);
    if (arena->overflow)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < sort->group_count && r == 0; i++)
        r = place_group(sort, &sort->groups[i], order);
    order->counts = sort->counts;
    return r;
}

int fg_order_rows(const struct fg_batch *const *batches, const struct fg_row *rows, uint32_t count,
                  struct fg_arena *arena, struct fg_order *ret_order)
{
    struct fg_order order = {0};
    struct sort sort = {.batches = batches, .given = rows, .count = count};
    if (count == 0) {
        *ret_order = order;
        return 0;
    }
    fg_idmap_init(&sort.map);
    fg_arena_init(&sort.scratch, ((size_t)count + 64) * 192);
    int r = sort_run(&sort, arena, &order);
    fg_arena_free(&sort.scratch);
    fg_idmap_free(&sort.map);
    free(sort.groups);
    free(sort.next);
    free(sort.grouped);
    if (r < 0)
        return r;
    *ret_order = order;
    return 0;
}
