#include "query/critical_path.h"

#include <stdlib.h>

/* A child, as its parent waits for it. */
struct wait {
    uint32_t row;
    uint64_t start_ns, end_ns;
};

/* A span whose stretch from floor_ns up to cursor_ns is being walked: nothing below it counts that
 * comes before it began. */
struct frame {
    uint32_t row;
    uint32_t next_wait; /* index into waits; those before were looked at */
    uint64_t floor_ns, cursor_ns;
};

struct walk {
    const struct fg_batch *batch;
    const struct fg_tree *tree;
    uint64_t *start_ns, *end_ns; /* by row */
    uint64_t *reach_ns;          /* by row: the latest end that hangs on it */
    struct wait *waits;          /* of row r: [wait_begin[r], wait_begin[r + 1]), last end first */
    uint32_t *wait_begin;
    struct frame *frames;
    uint32_t frame_count;
    struct fg_path_piece *pieces; /* in no order */
    uint32_t piece_count, piece_capacity;
};

static int make_room(struct walk *walk, struct fg_arena *arena)
{
    uint32_t count = walk->tree->count;
    walk->start_ns = fg_arena_calloc(arena, count, sizeof *walk->start_ns);
    walk->end_ns = fg_arena_calloc(arena, count, sizeof *walk->end_ns);
    walk->reach_ns = fg_arena_calloc(arena, count, sizeof *walk->reach_ns);
    walk->waits = fg_arena_calloc(arena, count, sizeof *walk->waits);
    walk->wait_begin = fg_arena_calloc(arena, (size_t)count + 1, sizeof *walk->wait_begin);
    walk->frames = fg_arena_calloc(arena, count, sizeof *walk->frames);
    /* A span is entered once. It adds a piece before each child that it waited for, one at its
     * begin, and one in which its own message waited. */
    walk->piece_capacity = 3 * count;
    walk->pieces = fg_arena_calloc(arena, walk->piece_capacity, sizeof *walk->pieces);
    return arena->overflow ? FG_ELIMIT : 0;
}

static void set_times(struct walk *walk, const struct fg_skew *skew, uint64_t open_until_ns)
{
    const struct fg_batch *batch = walk->batch;
    for (uint32_t row = 0; row < walk->tree->count; row++) {
        uint64_t shift = skew ? (uint64_t)skew->shift_ns[row] : 0;
        uint64_t end = batch->end_ns[row] ? batch->end_ns[row] : open_until_ns;
        if (end < batch->start_ns[row])
            end = batch->start_ns[row];
        walk->start_ns[row] = batch->start_ns[row] + shift;
        walk->end_ns[row] = end + shift;
        walk->reach_ns[row] = 0;
    }
}

/* Children come after their parents in the order, so the way back meets them first. reach_ns holds,
 * until a row is met, the reach of what goes on without it. */
static void set_reach(struct walk *walk)
{
    const struct fg_tree *tree = walk->tree;
    for (uint32_t i = tree->count; i-- > 0;) {
        uint32_t row = tree->order[i], parent = tree->parent[row];
        uint64_t tail = walk->reach_ns[row];
        if (walk->end_ns[row] > tail)
            walk->reach_ns[row] = walk->end_ns[row];
        if (parent == FG_TREE_NONE)
            continue;
        bool is_async = fg_edge_is_async(walk->batch, tree, row);
        uint64_t beyond = is_async ? walk->reach_ns[row] : tail;
        if (beyond > walk->reach_ns[parent])
            walk->reach_ns[parent] = beyond;
        /* What its parent waits for: an asynchronous child for as long as anything hangs on it, any
         * other within the parent. */
        uint64_t end = walk->end_ns[row];
        if (end > walk->end_ns[parent])
            end = walk->end_ns[parent];
        struct wait *wait = &walk->waits[row];
        *wait = (struct wait){row, walk->start_ns[row], beyond > end ? beyond : end};
    }
}

static int compare_waits(const void *a, const void *b)
{
    const struct wait *x = a, *y = b;
    if (x->end_ns != y->end_ns)
        return x->end_ns > y->end_ns ? -1 : 1;
    if (x->start_ns != y->start_ns)
        return x->start_ns > y->start_ns ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Turns waits by row into lists by parent. */
static int sort_waits(struct walk *walk, struct fg_arena *arena)
{
    const struct fg_tree *tree = walk->tree;
    struct wait *sorted = fg_arena_calloc(arena, tree->count, sizeof *sorted);
    uint32_t *at = fg_arena_calloc(arena, tree->count, sizeof *at);
    if (!sorted || !at)
        return FG_ELIMIT;
    for (uint32_t row = 0; row < tree->count; row++)
        if (tree->parent[row] != FG_TREE_NONE)
            walk->wait_begin[tree->parent[row] + 1]++;
    for (uint32_t row = 0; row < tree->count; row++) {
        walk->wait_begin[row + 1] += walk->wait_begin[row];
        at[row] = walk->wait_begin[row];
    }
    for (uint32_t row = 0; row < tree->count; row++)
        if (tree->parent[row] != FG_TREE_NONE)
            sorted[at[tree->parent[row]]++] = walk->waits[row];
    for (uint32_t row = 0; row < tree->count; row++)
        qsort(sorted + walk->wait_begin[row], walk->wait_begin[row + 1] - walk->wait_begin[row],
              sizeof *sorted, compare_waits);
    walk->waits = sorted;
    return 0;
}

static void add_piece(struct walk *walk, uint32_t row, bool is_queue, uint64_t start_ns,
                      uint64_t end_ns)
{
    if (end_ns > start_ns)
        walk->pieces[walk->piece_count++] = (struct fg_path_piece){row, is_queue, start_ns, end_ns};
}

static void enter(struct walk *walk, uint32_t row, uint64_t floor_ns, uint64_t cursor_ns)
{
    uint64_t start_ns = walk->start_ns[row];
    walk->frames[walk->frame_count++] = (struct frame){
        row, walk->wait_begin[row], start_ns > floor_ns ? start_ns : floor_ns, cursor_ns};
}

/* The span's own work back to start_ns: after a child, or from its begin. */
static void add_own(struct walk *walk, struct frame *frame, uint64_t start_ns)
{
    add_piece(walk, frame->row, false, start_ns, frame->cursor_ns);
    if (start_ns < frame->cursor_ns)
        frame->cursor_ns = start_ns;
}

/* Goes back to the child that the span on top waited for before its cursor; leaves it where there
 * is none. */
static void step(struct walk *walk)
{
    struct frame *frame = &walk->frames[walk->frame_count - 1];
    uint32_t end = walk->wait_begin[frame->row + 1];
    uint64_t own_end = walk->end_ns[frame->row];
    if (own_end < frame->floor_ns)
        own_end = frame->floor_ns;
    while (frame->next_wait < end) {
        const struct wait *wait = &walk->waits[frame->next_wait++];
        uint64_t start = wait->start_ns > frame->floor_ns ? wait->start_ns : frame->floor_ns;
        /* Nobody waits for a call that began after its caller had ended. */
        if (wait->end_ns > frame->cursor_ns || wait->end_ns <= start)
            continue;
        add_own(walk, frame, wait->end_ns);
        if (start > own_end)
            add_piece(walk, wait->row, true, own_end, start);
        frame->cursor_ns = start < own_end ? start : own_end;
        enter(walk, wait->row, frame->floor_ns, wait->end_ns);
        return;
    }
    add_own(walk, frame, frame->floor_ns);
    walk->frame_count--;
}

static int compare_pieces(const void *a, const void *b)
{
    const struct fg_path_piece *x = a, *y = b;
    return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

int fg_critical_path_find(const struct fg_batch *batch, const struct fg_tree *tree,
                          const struct fg_skew *skew, uint64_t open_until_ns,
                          struct fg_arena *arena, struct fg_critical_path *ret_path)
{
    struct walk walk = {.batch = batch, .tree = tree};
    int r = make_room(&walk, arena);
    if (r < 0)
        return r;
    set_times(&walk, skew, open_until_ns);
    set_reach(&walk);
    r = sort_waits(&walk, arena);
    if (r < 0)
        return r;
    if (tree->root != FG_TREE_NONE)
        enter(&walk, tree->root, 0, walk.reach_ns[tree->root]);
    while (walk.frame_count > 0)
        step(&walk);
    qsort(walk.pieces, walk.piece_count, sizeof *walk.pieces, compare_pieces);
    *ret_path = (struct fg_critical_path){walk.pieces, walk.piece_count};
    return 0;
}
