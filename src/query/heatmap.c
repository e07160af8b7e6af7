/* Cells are an array that is summed into as pages come. Where the window has no beginning, the
 * columns are anchored at its end, and when an older span comes their width is doubled and pairs of
 * them become one: the cost of that is a few passes over the array however long the time is. */
#include "query/heatmap.h"

#include "base/limits.h"

#define FIRST_COLUMN_NS FG_NS_PER_SECOND /* where the width is not given */

struct counter {
    const struct fg_heatmap_wanted *wanted;
    struct fg_heatmap map;
    bool is_anchored; /* at its end */
    uint64_t end_ns;
    uint64_t row_ns[FG_HEATMAP_ROWS];
};

uint64_t fg_heatmap_row_ns(uint32_t row)
{
    /* 10^(1 + k / 5) */
    static const uint64_t steps[] = {100, 158, 251, 398, 631};
    uint64_t ns = steps[row % 5];
    for (uint32_t i = 0; i < row / 5; i++)
        ns *= 10;
    return row == 0 ? 0 : ns / 100;
}

static uint32_t row_of(const struct counter *counter, uint64_t duration_ns)
{
    uint32_t low = 0, high = FG_HEATMAP_ROWS;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (counter->row_ns[middle] <= duration_ns)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void add_cell(struct fg_heatmap_cell *to, const struct fg_heatmap_cell *from)
{
    to->count += from->count;
    to->error_count += from->error_count;
}

/* Pairs of columns become one, from the last one on. */
static void widen(struct counter *counter)
{
    struct fg_heatmap *map = &counter->map;
    for (uint32_t i = 0; i < map->column_count; i++) {
        struct fg_heatmap_cell *to =
            map->cells + (size_t)(map->column_count - 1 - i) * FG_HEATMAP_ROWS;
        for (uint32_t row = 0; row < FG_HEATMAP_ROWS; row++) {
            struct fg_heatmap_cell sum = {0};
            for (uint32_t k = 2 * i; k < 2 * i + 2 && k < map->column_count; k++)
                add_cell(&sum,
                         map->cells + (size_t)(map->column_count - 1 - k) * FG_HEATMAP_ROWS + row);
            to[row] = sum;
        }
    }
    map->column_ns *= 2;
}

static void place(struct counter *counter)
{
    struct fg_heatmap *map = &counter->map;
    uint64_t width = map->column_ns * map->column_count;
    map->start_ns = counter->end_ns > width ? counter->end_ns - width : 0;
}

static void take_span(struct counter *counter, const struct fg_batch *batch, uint32_t row)
{
    struct fg_heatmap *map = &counter->map;
    uint64_t start_ns = batch->start_ns[row], end_ns = batch->end_ns[row];
    bool is_error = batch->status[row] == FG_STATUS_ERROR;
    while (counter->is_anchored && start_ns < map->start_ns) {
        widen(counter);
        place(counter);
    }
    map->count++;
    map->error_count += is_error;
    if (end_ns == 0) {
        map->open_count++;
        return;
    }
    uint64_t column = (start_ns - map->start_ns) / map->column_ns;
    if (column >= map->column_count)
        column = map->column_count - 1;
    uint32_t at = row_of(counter, end_ns > start_ns ? end_ns - start_ns : 0);
    struct fg_heatmap_cell *cell = map->cells + column * FG_HEATMAP_ROWS + at;
    cell->count++;
    cell->error_count += is_error;
}

static int take_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct counter *counter = arg;
    for (uint32_t begin = rows->row_begin; begin < rows->row_end; begin += 64) {
        uint64_t word = rows->bits[(begin - rows->row_begin) / 64];
        for (; word; word &= word - 1)
            take_span(counter, rows->batch, begin + (uint32_t)__builtin_ctzll(word));
    }
    counter->map.whole_from_ns = rows->frontier_ns;
    return 0;
}

static bool is_cancelled(void *arg)
{
    const struct fg_heatmap_wanted *wanted = ((struct counter *)arg)->wanted;
    return wanted->is_cancelled && wanted->is_cancelled(wanted->arg);
}

static int begin(struct counter *counter, struct fg_arena *arena)
{
    const struct fg_heatmap_wanted *wanted = counter->wanted;
    struct fg_heatmap *map = &counter->map;
    if (wanted->column_count == 0 || wanted->column_count > FG_HEATMAP_COLUMNS_MAX ||
        wanted->start_ns_min >= wanted->start_ns_max)
        return FG_EINVALID;
    for (uint32_t row = 0; row < FG_HEATMAP_ROWS; row++)
        counter->row_ns[row] = fg_heatmap_row_ns(row);
    map->column_count = wanted->column_count;
    map->whole_from_ns = wanted->start_ns_max;
    counter->end_ns = wanted->start_ns_max;
    counter->is_anchored = wanted->start_ns_min == 0;
    if (counter->is_anchored) {
        map->column_ns = FIRST_COLUMN_NS;
        place(counter);
    } else {
        map->start_ns = wanted->start_ns_min;
        map->column_ns = (wanted->start_ns_max - wanted->start_ns_min - 1) / map->column_count + 1;
    }
    map->cells =
        fg_arena_calloc(arena, (size_t)map->column_count * FG_HEATMAP_ROWS, sizeof *map->cells);
    return map->cells ? 0 : FG_ELIMIT;
}

int fg_heatmap_read(struct fg_store *store, const struct fg_heatmap_wanted *wanted,
                    struct fg_arena *arena, struct fg_heatmap *ret_heatmap)
{
    struct counter counter = {.wanted = wanted};
    struct fg_scan scan = {.tenant = wanted->tenant,
                           .start_ns_min = wanted->start_ns_min,
                           .start_ns_max = wanted->start_ns_max,
                           .predicate = wanted->predicate,
                           .columns = FG_COLUMNS_TIMES | FG_COLUMNS_STATUS,
                           .bytes_max = wanted->bytes_max,
                           .deadline_mono_ns = wanted->deadline_mono_ns,
                           .takes_help = true,
                           .is_cancelled = is_cancelled,
                           .rows = take_rows,
                           .arg = &counter};
    int r = begin(&counter, arena);
    if (r == 0)
        r = fg_store_scan(store, &scan, &counter.map.stats);
    bool is_spent = wanted->bytes_max && counter.map.stats.bytes_read > wanted->bytes_max;
    if (r == FG_ETIMEOUT || (r == FG_ELIMIT && is_spent)) {
        counter.map.cut = r;
        r = 0;
    } else if (r == 0) {
        counter.map.whole_from_ns = wanted->start_ns_min;
    }
    if (r == 0)
        *ret_heatmap = counter.map;
    return r;
}
