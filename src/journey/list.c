/* Lists of journeys, as boards show them. */
#include "journeys_internal.h"

#include <stdlib.h>

/* Where records were dropped between the choice and the copies. */
#define TRIES 8u

/* Copies of rows, so that the caller's function runs without the lock. */
struct listed {
    struct fg_journey_row row;
    uint8_t *bytes;
};

struct fg_words fg_journeys_words(const struct fg_journeys *journeys,
                                  const struct fg_record *record)
{
    const struct fg_flow *flow = journeys->keys[record->key].flow;
    if (record->trouble)
        return (struct fg_words){record->trouble->service, record->trouble->name,
                                 record->trouble->text, record->trouble->confidence};
    if (record->cause != FG_CAUSE_WAITING || !flow || record->expected_step >= flow->step_count)
        return (struct fg_words){.confidence = 0.9};
    const struct fg_flow_step *step = &flow->steps[record->expected_step];
    return (struct fg_words){step->human, step->name, step->waits, 0.9};
}

bool fg_journeys_passes(const struct fg_journeys *journeys, const struct fg_journey_filter *filter,
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
        !fg_slice_equal(fg_journeys_words(journeys, record).service, filter->place_service))
        return false;
    const struct fg_flow *flow = journeys->keys[record->key].flow;
    if (filter->expected_step.size > 0 &&
        (!flow || record->expected_step == FG_NO_STEP ||
         !fg_slice_equal(flow->steps[record->expected_step].name, filter->expected_step)))
        return false;
    return true;
}

/* The least set that holds all that pass. */
static enum fg_table_set set_of(const struct fg_journey_filter *filter)
{
    bool all_ended = filter->states != 0, all_in_trouble = filter->states != 0;
    for (unsigned state = 0; state < FG_JOURNEY_STATE_COUNT; state++) {
        if ((filter->states >> state & 1) == 0)
            continue;
        all_ended &= fg_journey_has_ended((enum fg_journey_state)state);
        all_in_trouble &= fg_journey_is_trouble((enum fg_journey_state)state);
    }
    return all_in_trouble ? FG_TABLE_IN_TROUBLE : all_ended ? FG_TABLE_ENDED : FG_TABLE_ALL;
}

/* What a record is ordered by. */
struct chosen {
    uint32_t record;
    uint8_t urgency;
    uint64_t since_ns;
};

struct choosing {
    struct fg_journeys *journeys;
    const struct fg_journey_filter *filter;
    struct chosen *chosen;
    uint32_t count, capacity;
    uint64_t version;
};

/* What needs somebody first, then what stands longest. */
static int compare_since(const void *a, const void *b)
{
    const struct chosen *x = a, *y = b;
    if (x->urgency != y->urgency)
        return x->urgency < y->urgency ? -1 : 1;
    if (x->since_ns != y->since_ns)
        return x->since_ns < y->since_ns ? -1 : 1;
    return (x->record > y->record) - (x->record < y->record);
}

static int choose(void *arg, uint32_t id)
{
    static const uint8_t urgency[FG_JOURNEY_STATE_COUNT] = {
        [FG_JOURNEY_BROKEN] = 0,    [FG_JOURNEY_STUCK] = 1,   [FG_JOURNEY_LATE] = 2,
        [FG_JOURNEY_WAITING] = 3,   [FG_JOURNEY_FLOWING] = 4, [FG_JOURNEY_DONE] = 5,
        [FG_JOURNEY_CANCELLED] = 6,
    };
    struct choosing *choosing = arg;
    const struct fg_record *record = fg_table_record(&choosing->journeys->table, id);
    if (!fg_journeys_passes(choosing->journeys, choosing->filter, record))
        return 0;
    if (choosing->count == choosing->capacity) {
        uint32_t capacity = choosing->capacity ? choosing->capacity * 2 : 256;
        struct chosen *chosen = realloc(choosing->chosen, capacity * sizeof *chosen);
        if (!chosen)
            return FG_ENOMEM;
        choosing->chosen = chosen;
        choosing->capacity = capacity;
    }
    choosing->chosen[choosing->count++] =
        (struct chosen){id, urgency[record->state], record->since_ns};
    return 0;
}

static void choose_anew(void *arg)
{
    ((struct choosing *)arg)->count = 0;
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
    const struct fg_words words = fg_journeys_words(journeys, record);
    size_t size = record->value_size + words.service.size + words.name.size + words.text.size;
    uint8_t *bytes = malloc(size + 1), *at = bytes;
    if (!bytes)
        return FG_ENOMEM;
    struct fg_journey_row row = {
        .key = key->name,
        .value = put(&at, fg_slice(record->value, record->value_size)),
        .state = (enum fg_journey_state)record->state,
        .place = {(enum fg_place_kind)record->place, put(&at, words.service), put(&at, words.name)},
        .cause = (enum fg_cause)record->cause,
        .confidence = words.confidence,
        .text = put(&at, words.text),
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

/* Rows that are copied before others get the mutex. */
#define ROWS_AT_ONCE 256u

/* The first of the chosen, as they are now. */
static int copy_rows(struct choosing *choosing, uint32_t limit, struct listed *listed,
                     uint32_t *ret_listed_count)
{
    struct fg_journeys *journeys = choosing->journeys;
    uint32_t copied = 0;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < choosing->count && copied < limit;) {
        fg_journeys_enter(journeys);
        if (!fg_journeys_is_version(journeys, choosing->version))
            r = FG_EAGAIN;
        for (uint32_t end = i + ROWS_AT_ONCE;
             r == 0 && i < end && i < choosing->count && copied < limit; i++) {
            const struct fg_record *record =
                fg_table_record(&journeys->table, choosing->chosen[i].record);
            if (!fg_journeys_passes(journeys, choosing->filter, record))
                continue; /* it has moved on meanwhile */
            r = copy_row(journeys, record, &listed[copied]);
            copied += r == 0;
        }
        fg_mutex_unlock(&journeys->mutex);
    }
    *ret_listed_count = copied;
    return r;
}

static void free_rows(struct listed *listed, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free(listed[i].bytes);
}

/* The chosen, copied; *ret_count is how many pass. */
static int collect(struct choosing *choosing, uint32_t limit, struct listed *listed,
                   uint32_t *ret_listed_count, uint64_t *ret_count)
{
    int r = FG_EAGAIN;
    for (unsigned i = 0; r == FG_EAGAIN && i < TRIES; i++) {
        *ret_listed_count = 0;
        r = fg_journeys_pass(choosing->journeys, set_of(choosing->filter), choose, choose_anew,
                             choosing, &choosing->version);
        if (r < 0)
            return r;
        if (choosing->count > 1)
            qsort(choosing->chosen, choosing->count, sizeof *choosing->chosen, compare_since);
        r = copy_rows(choosing, limit, listed, ret_listed_count);
        if (r == FG_EAGAIN)
            free_rows(listed, *ret_listed_count);
    }
    if (r == FG_EAGAIN)
        *ret_listed_count = 0;
    *ret_count = choosing->count;
    return r;
}

int fg_journeys_list(struct fg_journeys *journeys, const struct fg_journey_filter *filter,
                     uint32_t limit, int (*fn)(void *arg, const struct fg_journey_row *row),
                     void *arg, uint64_t *ret_count)
{
    struct choosing choosing = {.journeys = journeys, .filter = filter};
    uint32_t listed_count = 0;
    if (limit > FG_JOURNEY_LIST_MAX)
        limit = FG_JOURNEY_LIST_MAX;
    struct listed *listed = calloc((size_t)limit + 1, sizeof *listed);
    if (!listed)
        return FG_ENOMEM;
    int r = collect(&choosing, limit, listed, &listed_count, ret_count);
    for (uint32_t i = 0; r == 0 && i < listed_count; i++)
        r = fn(arg, &listed[i].row);
    free_rows(listed, listed_count);
    free(listed);
    free(choosing.chosen);
    return r;
}
