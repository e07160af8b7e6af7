#include "monitor_history.h"

#include "base/limits.h"

#include <stdlib.h>

#define ENOUGH         1
#define SIGHTINGS_MAX  500000u
#define FIRST_CAPACITY 1024u
/* A span before the window may speak for its beginning. */
#define BEFORE_NS (3600 * FG_NS_PER_SECOND)

struct reading {
    const struct fg_monitor_history_wanted *wanted;
    struct fg_arena *arena;
    struct fg_monitor_sighting *sightings;
    uint32_t count, capacity;
    uint64_t frontier_ns;
    bool is_cut;
};

/* -- Spans */

static bool read_result(struct fg_slice text, enum fg_check_result *ret_result)
{
    for (int result = FG_CHECK_OK; result <= FG_CHECK_UNKNOWN; result++)
        if (fg_slice_equal(
                text, fg_slice_from_string(fg_check_result_name((enum fg_check_result)result)))) {
            *ret_result = (enum fg_check_result)result;
            return true;
        }
    return false;
}

/* False where the span is none of a monitor. */
static bool read_span(const struct fg_batch *batch, uint32_t row,
                      struct fg_monitor_sighting *ret_sighting)
{
    const struct fg_attrs *attrs = &batch->span_attrs;
    struct fg_monitor_sighting sighting = {.start_ns = batch->start_ns[row],
                                           .end_ns = batch->end_ns[row],
                                           .trace_id_high = batch->trace_id_high[row],
                                           .trace_id_low = batch->trace_id_low[row]};
    bool has_result = false;
    uint32_t begin, end;
    fg_attrs_range(attrs, row, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        struct fg_slice key = batch->strings[attrs->key[i]];
        bool is_text = attrs->type[i] == FG_VALUE_STRING;
        struct fg_slice text = is_text ? batch->strings[attrs->value[i]] : (struct fg_slice){0};
        if (is_text && fg_slice_equal(key, FG_SLICE("monitor.name")))
            sighting.name = text;
        else if (is_text && fg_slice_equal(key, FG_SLICE("monitor.result")))
            has_result = read_result(text, &sighting.result);
        else if (is_text && fg_slice_equal(key, FG_SLICE("error.type")))
            sighting.code = text;
        else if (attrs->type[i] == FG_VALUE_INT &&
                 fg_slice_equal(key, FG_SLICE("monitor.holds_ms")) &&
                 attrs->value[i] < UINT64_MAX / FG_NS_PER_MS / 2)
            sighting.holds_ns = attrs->value[i] * FG_NS_PER_MS;
    }
    sighting.text = batch->strings[fg_column_u32(batch->status_message, row)];
    *ret_sighting = sighting;
    return has_result && sighting.name.size > 0;
}

static int add(struct reading *reading, const struct fg_monitor_sighting *sighting)
{
    if (reading->count == reading->capacity) {
        uint32_t capacity = reading->capacity ? 2 * reading->capacity : FIRST_CAPACITY;
        struct fg_monitor_sighting *larger =
            fg_arena_alloc(reading->arena, capacity * sizeof *larger);
        if (!larger)
            return FG_ELIMIT;
        if (reading->count)
            memcpy(larger, reading->sightings, reading->count * sizeof *larger);
        reading->sightings = larger;
        reading->capacity = capacity;
    }
    struct fg_monitor_sighting *kept = &reading->sightings[reading->count];
    *kept = *sighting;
    kept->name = fg_arena_copy(reading->arena, sighting->name);
    kept->code = fg_arena_copy(reading->arena, sighting->code);
    kept->text = fg_arena_copy(reading->arena, sighting->text);
    if (reading->arena->overflow)
        return FG_ELIMIT;
    reading->count++;
    return 0;
}

static int on_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct reading *reading = arg;
    for (uint32_t row = rows->row_begin; row < rows->row_end; row++) {
        uint32_t bit = row - rows->row_begin;
        struct fg_monitor_sighting sighting;
        if ((rows->bits[bit / 64] >> bit % 64 & 1) == 0 || !read_span(rows->batch, row, &sighting))
            continue;
        if (add(reading, &sighting) < 0)
            return ENOUGH;
    }
    reading->frontier_ns = rows->frontier_ns;
    return reading->count >= SIGHTINGS_MAX ? ENOUGH : 0;
}

static bool is_cancelled(void *arg)
{
    const struct reading *reading = arg;
    return reading->wanted->is_cancelled && reading->wanted->is_cancelled(reading->wanted->arg);
}

static int scan(struct reading *reading, struct fg_store *store)
{
    const struct fg_monitor_history_wanted *wanted = reading->wanted;
    const struct fg_predicate conditions[] = {
        {.op = FG_PRED_EQ,
         .field = FG_FIELD_SERVICE,
         .type = FG_VALUE_STRING,
         .string = FG_SLICE(FG_MONITOR_SERVICE)},
        {.op = FG_PRED_EQ,
         .field = FG_FIELD_ATTR_SPAN,
         .key = FG_SLICE("monitor.name"),
         .type = FG_VALUE_STRING,
         .string = wanted->name},
    };
    const struct fg_predicate *const children[] = {&conditions[0], &conditions[1]};
    const struct fg_predicate predicate = {
        .op = FG_PRED_AND, .child_count = wanted->name.size ? 2 : 1, .children = children};
    const struct fg_scan request = {
        .tenant = wanted->tenant,
        .start_ns_min = wanted->start_ns > BEFORE_NS ? wanted->start_ns - BEFORE_NS : 0,
        .start_ns_max = wanted->end_ns,
        .predicate = &predicate,
        .columns = FG_COLUMNS_IDS | FG_COLUMNS_TIMES | FG_COLUMNS_STATUS | FG_COLUMNS_SPAN_ATTRS,
        .bytes_max = FG_QUERY_BYTES,
        .deadline_mono_ns = wanted->deadline_mono_ns,
        .is_cancelled = is_cancelled,
        .rows = on_rows,
        .arg = reading};
    struct fg_read_stats stats = {0};
    reading->frontier_ns = wanted->end_ns;
    int r = fg_store_scan(store, &request, &stats);
    bool is_spent = r == FG_ELIMIT && stats.bytes_read > request.bytes_max;
    reading->is_cut = r == ENOUGH || r == FG_ETIMEOUT || is_spent;
    /* of a cancelled arg nobody wants the rest */
    return reading->is_cut ? 0 : r;
}

/* -- Periods */

static int compare(const void *a, const void *b)
{
    const struct fg_monitor_sighting *left = a, *right = b;
    int order = fg_slice_compare(left->name, right->name);
    if (order != 0)
        return order;
    return left->start_ns < right->start_ns ? -1 : left->start_ns > right->start_ns;
}

/* How long the sighting speaks for, with the next of the same monitor, if there is one. */
static uint64_t end_of(const struct fg_monitor_sighting *sighting,
                       const struct fg_monitor_sighting *next, uint64_t end_ns)
{
    uint64_t until_ns = sighting->start_ns + sighting->holds_ns;
    if (next && next->start_ns < until_ns)
        until_ns = next->start_ns;
    return until_ns < end_ns ? until_ns : end_ns;
}

static void make_periods(const struct fg_monitor_history_wanted *wanted,
                         struct fg_monitor_past *past, struct fg_monitor_period *periods)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < past->sighting_count; i++) {
        const struct fg_monitor_sighting *sighting = &past->sightings[i];
        const struct fg_monitor_sighting *next = i + 1 < past->sighting_count ? sighting + 1 : NULL;
        uint64_t from_ns =
            sighting->start_ns > wanted->start_ns ? sighting->start_ns : wanted->start_ns;
        uint64_t until_ns = end_of(sighting, next, wanted->end_ns);
        if (until_ns <= from_ns)
            continue;
        struct fg_monitor_period *last = count ? &periods[count - 1] : NULL;
        if (last && last->result == sighting->result && last->end_ns >= from_ns)
            last->end_ns = until_ns;
        else
            periods[count++] = (struct fg_monitor_period){from_ns, until_ns, sighting->result};
    }
    past->periods = periods;
    past->period_count = count;
}

static int group(struct reading *reading, struct fg_monitor_history *history)
{
    history->pasts = fg_arena_calloc(reading->arena, FG_MONITORS_MAX, sizeof *history->pasts);
    struct fg_monitor_period *periods =
        fg_arena_calloc(reading->arena, reading->count + 1, sizeof *periods);
    if (!history->pasts || !periods)
        return FG_ELIMIT;
    if (reading->count)
        qsort(reading->sightings, reading->count, sizeof *reading->sightings, compare);
    for (uint32_t i = 0, end; i < reading->count && history->count < FG_MONITORS_MAX; i = end) {
        struct fg_monitor_past *past = &history->pasts[history->count++];
        for (end = i; end < reading->count &&
                      fg_slice_equal(reading->sightings[end].name, reading->sightings[i].name);)
            end++;
        *past = (struct fg_monitor_past){.name = reading->sightings[i].name,
                                         .sightings = &reading->sightings[i],
                                         .sighting_count = end - i};
        make_periods(reading->wanted, past, &periods[i]);
    }
    return 0;
}

int fg_monitor_history_read(struct fg_store *store, const struct fg_monitor_history_wanted *wanted,
                            struct fg_arena *arena, struct fg_monitor_history *ret_history)
{
    struct reading reading = {.wanted = wanted, .arena = arena};
    struct fg_monitor_history history = {.whole_from_ns = wanted->start_ns};
    int r = scan(&reading, store);
    if (r == 0)
        r = group(&reading, &history);
    if (r < 0)
        return r;
    if (reading.is_cut && reading.frontier_ns > history.whole_from_ns)
        history.whole_from_ns = reading.frontier_ns;
    *ret_history = history;
    return 0;
}

const struct fg_monitor_past *fg_monitor_history_find(const struct fg_monitor_history *history,
                                                      struct fg_slice name)
{
    uint32_t low = 0, high = history->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = fg_slice_compare(history->pasts[middle].name, name);
        if (order == 0)
            return &history->pasts[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
