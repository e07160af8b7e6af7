#include "journey/stopped.h"

#include "journeys_internal.h"

/* Places that are looked at before others get the lock: a fraction of a millisecond, as long as few
 * are in trouble. */
#define RECORDS_AT_ONCE 4096u

static int tell_some(const struct fg_journeys *journeys, uint32_t begin,
                     int (*fn)(void *arg, const struct fg_journey_stopped *stopped), void *arg)
{
    const struct fg_table *table = &journeys->table;
    int r = 0;
    for (uint32_t id = begin;
         r == 0 && (id = fg_table_next(table, FG_TABLE_IN_TROUBLE, id, begin + RECORDS_AT_ONCE)) !=
                       FG_NO_RECORD;
         id++) {
        const struct fg_record *record = fg_table_record(table, id);
        if (!record->trouble)
            continue;
        const struct fg_journey_stopped stopped = {
            .key = journeys->keys[record->key].name,
            .value = fg_slice(record->value, record->value_size),
            .state = (enum fg_journey_state)record->state,
            .place = {(enum fg_place_kind)record->place, record->trouble->service,
                      record->trouble->name},
            .cause = (enum fg_cause)record->cause,
            .text = record->trouble->text,
            .since_ns = record->since_ns ? record->since_ns : record->last_ns};
        r = fn(arg, &stopped);
    }
    return r;
}

int fg_journeys_each_stopped(struct fg_journeys *journeys,
                             int (*fn)(void *arg, const struct fg_journey_stopped *stopped),
                             void *arg)
{
    uint64_t version = 0;
    bool is_over = false;
    int r = 0;
    for (uint32_t begin = 0; r == 0 && !is_over; begin += RECORDS_AT_ONCE) {
        fg_journeys_enter(journeys);
        if (begin == 0)
            version = journeys->table.version;
        /* Numbers of records change when some are dropped: one could be passed over. */
        if (journeys->counters.is_rebuilding || !fg_journeys_is_version(journeys, version))
            r = FG_EAGAIN;
        is_over = begin >= fg_table_end(&journeys->table);
        if (r == 0 && !is_over)
            r = tell_some(journeys, begin, fn, arg);
        fg_mutex_unlock(&journeys->mutex);
    }
    return r;
}
