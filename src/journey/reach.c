/* A journey reaches a step: by a span that comes, or by one that came before it was known whose it
 * is. */
#include "journeys_internal.h"

void fg_journeys_reach(struct fg_journeys *journeys, uint32_t id, uint32_t step, uint64_t at_ns)
{
    struct fg_record *record = fg_table_record(&journeys->table, id);
    bool is_new = (record->reached >> step & 1) == 0;
    if (!is_new && fg_record_reached_ns(record, step) <= at_ns)
        return;
    if (fg_record_reach(record, step, at_ns) < 0) {
        fg_journeys_doubt(journeys, id); /* its spans tell it, too */
        return;
    }
    if (is_new && !journeys->counters.is_rebuilding)
        fg_journeys_tell_hop(journeys, record, step);
    if (fg_record_is_in_trouble(record))
        fg_journeys_doubt(journeys, id);
    else
        fg_journeys_stand(journeys, id);
}

/* Whether the trace is of no other journey that memory has: whose a span of several is only its
 * tree tells. */
static bool is_alone(const struct fg_table *table, struct fg_trace_ref trace)
{
    struct fg_trace_walk walk = fg_table_trace_walk(table, trace);
    uint32_t first = fg_table_trace_next(table, &walk);
    return first != FG_NO_RECORD && fg_table_trace_next(table, &walk) == FG_NO_RECORD;
}

void fg_journeys_catch_up(struct fg_journeys *journeys, uint32_t id, struct fg_trace_ref trace)
{
    struct fg_early_step steps[FG_EARLY_OF_TRACE];
    uint32_t count = fg_early_of(journeys->early, trace, steps);
    const struct fg_watched_key *key = &journeys->keys[fg_table_record(&journeys->table, id)->key];
    for (uint32_t i = 0; i < count; i++) {
        bool has_failed = steps[i].step == FG_EARLY_FAILED;
        if (!has_failed && (!key->flow || key->flow_index != steps[i].flow))
            continue;
        fg_table_mark(&journeys->table, id, trace, FG_TRACE_MATTERS);
        if (has_failed || !is_alone(&journeys->table, trace))
            fg_journeys_doubt(journeys, id);
        else
            fg_journeys_reach(journeys, id, steps[i].step, steps[i].at_ns);
    }
}
