/* Clocks that are apart. A span's times are its host's, and a host may be hours off: then what was
 * done last seems to have been done before what it follows, and a deadline passes that has not.
 *
 * What is certain: a span began no earlier than the one that it continues, a call ended no earlier
 * than what it called began, and nothing happened after Filigree received it. A clock that runs
 * ahead of its own receipt is moved back; then of two that contradict each other the earlier one is
 * moved on, since the other would have to be from the future. All times of a case are those of the
 * moved clocks; nothing that is stored is changed. */
#include "case.h"

#include "base/limits.h"

#include <stdlib.h>

/* Clocks of two machines that are kept right differ by less. */
#define APART_NS (3 * FG_NS_PER_SECOND)
/* Who called may have given up before the one that was called began: that far apart is no clock. */
#define CALL_APART_NS FG_NS_PER_MINUTE
/* Clocks that are known by others that are known by others. */
#define PASSES_MAX 8u

struct clocks {
    const struct fg_case *c;
    int64_t *shift_ns; /* by resource: to be added to its times */
    int64_t *most_ns;  /* and how much may be, until it would be after the receipt */
};

static int64_t moved(const struct clocks *clocks, uint32_t row, uint64_t time_ns)
{
    return (int64_t)time_ns + clocks->shift_ns[clocks->c->batch->resource[row]];
}

/* Moves the ones that run ahead, and finds how far each can be moved on. */
static void see_receipts(struct clocks *clocks)
{
    const struct fg_batch *batch = clocks->c->batch;
    for (uint32_t row = 0; row < batch->span_count; row++) {
        uint32_t resource = batch->resource[row];
        int64_t room_ns = (int64_t)(batch->received_ns[row] - fg_case_moment(clocks->c, row));
        if (batch->received_ns[row] > 0 && room_ns < clocks->most_ns[resource])
            clocks->most_ns[resource] = room_ns;
    }
    for (uint32_t i = 0; i < batch->resource_count; i++)
        if (clocks->most_ns[i] < -(int64_t)APART_NS)
            clocks->shift_ns[i] = clocks->most_ns[i];
}

static bool move_on(struct clocks *clocks, uint32_t row, int64_t by_ns)
{
    uint32_t resource = clocks->c->batch->resource[row];
    int64_t *shift_ns = &clocks->shift_ns[resource],
            room_ns = clocks->most_ns[resource] - *shift_ns;
    if (room_ns + (int64_t)APART_NS < by_ns)
        return false; /* it would have to be known before it happened: it is left as it is told */
    by_ns = by_ns < room_ns ? by_ns : room_ns;
    *shift_ns += by_ns > 0 ? by_ns : 0;
    return by_ns > 0;
}

/* A row and the one that it continues. */
static bool see_edge(struct clocks *clocks, uint32_t row, uint32_t from)
{
    const struct fg_batch *batch = clocks->c->batch;
    int64_t start = moved(clocks, row, batch->start_ns[row]),
            from_start = moved(clocks, from, batch->start_ns[from]), known = start;
    if (batch->kind[row] == FG_SPAN_KIND_CONSUMER) /* it may have waited for the message */
        known = moved(clocks, row, fg_case_moment(clocks->c, row));
    if (known + (int64_t)APART_NS < from_start)
        return move_on(clocks, row, from_start - known);
    bool is_call =
        batch->kind[from] == FG_SPAN_KIND_CLIENT && batch->kind[row] == FG_SPAN_KIND_SERVER;
    int64_t from_end = moved(clocks, from, batch->end_ns[from]);
    if (is_call && batch->end_ns[from] > 0 && from_end + (int64_t)CALL_APART_NS < start)
        return move_on(clocks, from, start - from_start);
    return false;
}

static bool see_edges(struct clocks *clocks)
{
    const struct fg_case *c = clocks->c;
    bool is_news = false;
    for (uint32_t row = 0; row < c->batch->span_count; row++) {
        uint32_t from = c->batch->kind[row] == FG_SPAN_KIND_CONSUMER ? fg_case_publisher(c, row)
                                                                     : c->parent[row];
        if (from != FG_TREE_NONE && c->batch->resource[row] != c->batch->resource[from])
            is_news |= see_edge(clocks, row, from);
    }
    return is_news;
}

/* The case's own view of the batch gets the moved times. */
static int move_all(struct fg_case *c, struct fg_batch *batch, const int64_t *shift_ns)
{
    uint64_t *start_ns = fg_arena_alloc(c->arena, batch->span_count * sizeof *start_ns),
             *end_ns = fg_arena_alloc(c->arena, batch->span_count * sizeof *end_ns);
    if (!start_ns || !end_ns)
        return FG_ELIMIT;
    for (uint32_t row = 0; row < batch->span_count; row++) {
        uint64_t by_ns = (uint64_t)shift_ns[batch->resource[row]];
        start_ns[row] = batch->start_ns[row] + by_ns;
        end_ns[row] = batch->end_ns[row] ? batch->end_ns[row] + by_ns : 0;
    }
    batch->start_ns = start_ns;
    batch->end_ns = end_ns;
    return 0;
}

int fg_case_set_clocks(struct fg_case *c, struct fg_batch *batch)
{
    struct clocks clocks = {.c = c};
    uint32_t count = batch->resource_count, worst = 0;
    clocks.shift_ns = fg_arena_calloc(c->arena, (size_t)count + 1, sizeof *clocks.shift_ns);
    clocks.most_ns = fg_arena_calloc(c->arena, (size_t)count + 1, sizeof *clocks.most_ns);
    if (!clocks.shift_ns || !clocks.most_ns)
        return FG_ELIMIT;
    for (uint32_t i = 0; i < count; i++)
        clocks.most_ns[i] = INT64_MAX / 4;
    see_receipts(&clocks);
    for (unsigned i = 0; i < PASSES_MAX && see_edges(&clocks); i++)
        ;
    for (uint32_t i = 0; i < count; i++)
        if (llabs(clocks.shift_ns[i]) > llabs(clocks.shift_ns[worst]))
            worst = i;
    if (count == 0 || clocks.shift_ns[worst] == 0)
        return 0;
    c->clock_shift_ns = clocks.shift_ns[worst];
    c->clock_service = batch->strings[batch->resource_service[worst]];
    return move_all(c, batch, clocks.shift_ns);
}
