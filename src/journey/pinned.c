/* Whose spans outlive their retention: journeys that are under way by their flow, and those in
 * trouble. One without a flow never ends, and pins nothing: it would keep all that names a key. */
#include "journeys_internal.h"

#include <stdlib.h>

/* Journeys of one trace that are asked on disk. */
#define FOUND_MAX 64u

/* By the records in memory. */
static bool is_pinned_here(struct fg_journeys *journeys, struct fg_trace_ref trace)
{
    const struct fg_table *table = &journeys->table;
    bool is_pinned = false;
    fg_journeys_enter(journeys);
    struct fg_trace_walk walk = fg_table_trace_walk(table, trace);
    for (uint32_t id; !is_pinned && (id = fg_table_trace_next(table, &walk)) != FG_NO_RECORD;)
        is_pinned = fg_vault_is_open(journeys->keys[fg_table_record(table, id)->key].flow != NULL,
                                     (enum fg_journey_state)fg_table_record(table, id)->state);
    fg_mutex_unlock(&journeys->mutex);
    return is_pinned;
}

/* By those on disk alone, of which the open ones are found by their traces; what can't be read
 * pins: rather too much is kept than too little. */
static bool is_pinned_there(struct fg_journeys *journeys, struct fg_trace_ref trace)
{
    struct fg_vault_found *found;
    uint32_t count = 0;
    if (!journeys->vault || !fg_vault_may_have_trace(journeys->vault, trace))
        return false;
    found = malloc(FOUND_MAX * sizeof *found);
    if (!found || fg_vault_of_trace(journeys->vault, trace, FOUND_MAX, found, &count) < 0) {
        free(found);
        return true;
    }
    bool is_pinned = false;
    for (uint32_t i = 0; i < count && !is_pinned; i++) {
        struct fg_record record = {0};
        uint64_t flow_print;
        int r = fg_vault_get(journeys->vault, found[i].key_hash,
                             fg_slice(found[i].value, found[i].value_size), &record, &flow_print);
        if (r == 0)
            is_pinned = fg_vault_is_open(flow_print != 0, (enum fg_journey_state)record.state);
        else
            is_pinned = r != FG_ENOTFOUND;
        fg_record_free(&record);
    }
    free(found);
    return is_pinned;
}

bool fg_journeys_is_pinned(struct fg_journeys *journeys, uint32_t tenant, uint64_t trace_id_high,
                           uint64_t trace_id_low)
{
    struct fg_trace_ref trace = {trace_id_high, trace_id_low};
    if (tenant != journeys->options.tenant)
        return false;
    if (!fg_journeys_knows_pins(journeys) || is_pinned_here(journeys, trace) ||
        is_pinned_there(journeys, trace))
        return true;
    return is_pinned_here(journeys, trace); /* where it was read back in between */
}

bool fg_journeys_knows_pins(struct fg_journeys *journeys)
{
    fg_journeys_enter(journeys);
    bool knows = !journeys->counters.is_rebuilding;
    fg_mutex_unlock(&journeys->mutex);
    return knows;
}
