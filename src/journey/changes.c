/* The last changes of journeys' states, for those who look on. */
#include "journey/gone.h"
#include "journeys_internal.h"

#include <stdlib.h>

/* A copy of text behind what stands in bytes; cut where it does not fit. */
static struct fg_slice keep(struct fg_kept_change *kept, size_t *used, struct fg_slice text)
{
    size_t room = sizeof kept->bytes - *used, size = text.size < room ? text.size : room;
    uint8_t *at = kept->bytes + *used;
    if (size > 0)
        memcpy(at, text.data, size);
    *used += size;
    return fg_slice(at, size);
}

void fg_journeys_note(struct fg_journeys *journeys, uint32_t id, enum fg_journey_state from)
{
    const struct fg_record *record = fg_table_record(&journeys->table, id);
    const struct fg_watched_key *key = &journeys->keys[record->key];
    struct fg_kept_change *kept =
        &journeys->changes[journeys->change_count % FG_JOURNEY_CHANGES_KEPT];
    size_t used = 0;
    if (journeys->counters.is_rebuilding)
        return; /* what is found anew has not changed */
    kept->change = (struct fg_journey_change){.at_ns = fg_env_wall_ns(journeys->options.env),
                                              .key = key->name,
                                              .state = (enum fg_journey_state)record->state,
                                              .from = from,
                                              .place.kind = (enum fg_place_kind)record->place,
                                              .cause = (enum fg_cause)record->cause,
                                              .sequence = ++journeys->change_count};
    kept->change.value = keep(kept, &used, fg_slice(record->value, record->value_size));
    kept->change.place.service = keep(kept, &used, fg_journeys_words(journeys, record).service);
    if (key->flow && record->last_step != FG_NO_STEP)
        kept->change.last_step = key->flow->steps[record->last_step].label;
    if (key->flow && record->expected_step != FG_NO_STEP)
        kept->change.expected_step = key->flow->steps[record->expected_step].label;
}

void fg_journeys_forget_changes(struct fg_journeys *journeys, const struct fg_gone *gone)
{
    for (uint32_t i = 0; i < FG_JOURNEY_CHANGES_KEPT; i++) {
        struct fg_kept_change *kept = &journeys->changes[i];
        if (kept->change.sequence > 0 &&
            (gone->all || fg_gone_has(gone, kept->change.key, kept->change.value)))
            *kept = (struct fg_kept_change){0};
    }
}

int fg_journeys_changes(struct fg_journeys *journeys, uint64_t after,
                        int (*fn)(void *arg, const struct fg_journey_change *change), void *arg)
{
    struct fg_kept_change *copies = malloc(FG_JOURNEY_CHANGES_KEPT * sizeof *copies);
    uint32_t count = 0;
    int r = 0;
    if (!copies)
        return FG_ENOMEM;
    fg_journeys_enter(journeys);
    uint64_t end = journeys->change_count,
             begin = end > FG_JOURNEY_CHANGES_KEPT ? end - FG_JOURNEY_CHANGES_KEPT : 0;
    for (uint64_t i = after > begin ? after : begin; i < end; i++) {
        const struct fg_kept_change *kept = &journeys->changes[i % FG_JOURNEY_CHANGES_KEPT];
        if (kept->change.sequence == 0) /* whose it was is erased */
            continue;
        struct fg_kept_change *to = &copies[count++];
        *to = *kept;
        to->change.value.data = to->bytes + (kept->change.value.data - kept->bytes);
        if (kept->change.place.service.data)
            to->change.place.service.data =
                to->bytes + (kept->change.place.service.data - kept->bytes);
    }
    fg_mutex_unlock(&journeys->mutex);
    for (uint32_t i = 0; r == 0 && i < count; i++)
        r = fn(arg, &copies[i].change);
    free(copies);
    return r;
}
