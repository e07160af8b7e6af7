/* How journeys ended, as far as they are known. */
#include "journey/score.h"

#include "journeys_internal.h"

#define RECORDS_AT_ONCE 4096u

static void add(const struct fg_record *record, const uint64_t bounds_ns[3],
                struct fg_journey_ends ends[2])
{
    uint64_t at_ns = record->since_ns ? record->since_ns : record->last_ns;
    if (at_ns < bounds_ns[0] || at_ns >= bounds_ns[2])
        return;
    struct fg_journey_ends *to = &ends[at_ns >= bounds_ns[1]];
    to->done += record->state == FG_JOURNEY_DONE;
    to->cancelled += record->state == FG_JOURNEY_CANCELLED;
    to->stopped += record->state == FG_JOURNEY_BROKEN || record->state == FG_JOURNEY_STUCK;
}

bool fg_journeys_ends(struct fg_journeys *journeys, const uint64_t bounds_ns[3],
                      struct fg_journey_ends ret_ends[2], uint64_t *ret_from_ns)
{
    const struct fg_table *table = &journeys->table;
    struct fg_journey_ends ends[2] = {{0}};
    uint64_t from_ns = 0;
    bool is_over = false, is_known = true;
    for (uint32_t begin = 0; !is_over; begin += RECORDS_AT_ONCE) {
        fg_journeys_enter(journeys);
        is_known &= !journeys->counters.is_rebuilding;
        is_over = begin >= fg_table_end(table) || fg_table_end(table) - begin <= RECORDS_AT_ONCE;
        uint32_t end = is_over ? fg_table_end(table) : begin + RECORDS_AT_ONCE;
        for (uint32_t id = begin;
             (id = fg_table_next(table, FG_TABLE_ALL, id, end)) != FG_NO_RECORD; id++) {
            const struct fg_record *record = fg_table_record(table, id);
            if (record->first_ns && (from_ns == 0 || record->first_ns < from_ns))
                from_ns = record->first_ns;
            add(record, bounds_ns, ends);
        }
        fg_mutex_unlock(&journeys->mutex);
    }
    memcpy(ret_ends, ends, sizeof ends);
    *ret_from_ns = from_ns;
    return is_known;
}
