/* Lists of journeys, as boards show them. */
#include "journeys_internal.h"

#include <stdlib.h>

/* Copies of rows, so that the caller's function runs without the lock. */
struct listed {
    struct fg_journey_row row;
    uint8_t *bytes;
};

static bool passes(const struct fg_journeys *journeys, const struct fg_journey_filter *filter,
                   const struct fg_record *record)
{
    if (filter->states && (filter->states >> record->state & 1) == 0)
        return false;
    if (filter->key.size > 0 && !fg_slice_equal(filter->key, journeys->keys[record->key].name))
        return false;
    if (filter->place != FG_PLACE_NONE && record->place != filter->place)
        return false;
    if (filter->cause != FG_CAUSE_NONE && record->cause != filter->cause)
        return false;
    if (filter->place_service.size > 0 &&
        (!record->trouble || !fg_slice_equal(record->trouble->service, filter->place_service)))
        return false;
    const struct fg_flow *flow = journeys->keys[record->key].flow;
    if (filter->expected_step.size > 0 &&
        (!flow || record->expected_step == FG_NO_STEP ||
         !fg_slice_equal(flow->steps[record->expected_step].name, filter->expected_step)))
        return false;
    return true;
}

/* What needs somebody first, then what stands longest. */
static int compare_since(const void *a, const void *b)
{
    static const uint8_t urgency[FG_JOURNEY_STATE_COUNT] = {
        [FG_JOURNEY_BROKEN] = 0,    [FG_JOURNEY_STUCK] = 1,   [FG_JOURNEY_LATE] = 2,
        [FG_JOURNEY_WAITING] = 3,   [FG_JOURNEY_FLOWING] = 4, [FG_JOURNEY_DONE] = 5,
        [FG_JOURNEY_CANCELLED] = 6,
    };
    const struct fg_record *x = *(const struct fg_record *const *)a,
                           *y = *(const struct fg_record *const *)b;
    if (x->state != y->state)
        return urgency[x->state] < urgency[y->state] ? -1 : 1;
    if (x->since_ns != y->since_ns)
        return x->since_ns < y->since_ns ? -1 : 1;
    return (x > y) - (x < y);
}

static struct fg_slice put(uint8_t **at, struct fg_slice text)
{
    struct fg_slice copy = fg_slice(*at, text.size);
    if (text.size > 0)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return copy;
}

static int copy_row(const struct fg_journeys *journeys, const struct fg_record *record,
                    struct listed *ret_listed)
{
    const struct fg_watched_key *key = &journeys->keys[record->key];
    const struct fg_trouble none = {.confidence = 0.9},
                            *trouble = record->trouble ? record->trouble : &none;
    size_t size =
        record->value_size + trouble->service.size + trouble->name.size + trouble->text.size;
    uint8_t *bytes = malloc(size + 1), *at = bytes;
    if (!bytes)
        return FG_ENOMEM;
    struct fg_journey_row row = {
        .key = key->name,
        .value = put(&at, fg_slice(record->value, record->value_size)),
        .state = (enum fg_journey_state)record->state,
        .place = {(enum fg_place_kind)record->place, put(&at, trouble->service),
                  put(&at, trouble->name)},
        .cause = (enum fg_cause)record->cause,
        .confidence = trouble->confidence,
        .text = put(&at, trouble->text),
        .since_ns = record->since_ns ? record->since_ns : record->last_ns,
        .deadline_ns = record->deadline_ns,
        .first_ns = record->first_ns,
        .last_ns = record->last_ns,
        .trace_count = record->trace_count,
    };
    if (key->flow) {
        row.flow = key->flow->name;
        if (record->last_step != FG_NO_STEP)
            row.last_step = key->flow->steps[record->last_step].name;
        if (record->expected_step != FG_NO_STEP)
            row.expected_step = key->flow->steps[record->expected_step].name;
    }
    *ret_listed = (struct listed){row, bytes};
    return 0;
}

/* The chosen, copied; *ret_count is how many pass. */
static int collect(struct fg_journeys *journeys, const struct fg_journey_filter *filter,
                   uint32_t limit, struct listed *listed, uint32_t *ret_listed_count,
                   uint64_t *ret_count)
{
    const struct fg_table *table = &journeys->table;
    const struct fg_record **chosen = malloc(((size_t)table->count + 1) * sizeof *chosen);
    uint32_t count = 0, copied = 0;
    int r = 0;
    if (!chosen)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < table->count; i++)
        if (passes(journeys, filter, &table->records[i]))
            chosen[count++] = &table->records[i];
    qsort(chosen, count, sizeof *chosen, compare_since);
    for (; r == 0 && copied < count && copied < limit; copied += r == 0)
        r = copy_row(journeys, chosen[copied], &listed[copied]);
    free(chosen);
    *ret_listed_count = copied;
    *ret_count = count;
    return r;
}

int fg_journeys_list(struct fg_journeys *journeys, const struct fg_journey_filter *filter,
                     uint32_t limit, int (*fn)(void *arg, const struct fg_journey_row *row),
                     void *arg, uint64_t *ret_count)
{
    uint32_t listed_count = 0;
    if (limit > FG_JOURNEY_LIST_MAX)
        limit = FG_JOURNEY_LIST_MAX;
    struct listed *listed = calloc((size_t)limit + 1, sizeof *listed);
    if (!listed)
        return FG_ENOMEM;
    fg_mutex_lock(&journeys->mutex);
    int r = collect(journeys, filter, limit, listed, &listed_count, ret_count);
    fg_mutex_unlock(&journeys->mutex);
    for (uint32_t i = 0; r == 0 && i < listed_count; i++)
        r = fn(arg, &listed[i].row);
    for (uint32_t i = 0; i < listed_count; i++)
        free(listed[i].bytes);
    free(listed);
    return r;
}
