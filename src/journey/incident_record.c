/* Records of incidents in memory: making, finding, telling. */
#include "incidents_internal.h"

#include "base/hash.h"

#include <stdlib.h>

const char *fg_incident_event_name(enum fg_incident_event_kind kind)
{
    static const char *const names[FG_INCIDENT_EVENT_KIND_COUNT] = {
        [FG_INCIDENT_OPENED] = "opened",     [FG_INCIDENT_REOPENED] = "reopened",
        [FG_INCIDENT_NOTED] = "noted",       [FG_INCIDENT_ACKNOWLEDGED] = "acknowledged",
        [FG_INCIDENT_RESOLVED] = "resolved", [FG_INCIDENT_MERGED] = "merged",
    };
    return names[kind];
}

uint64_t fg_incident_group(const struct fg_place *place, enum fg_cause cause)
{
    return fg_hash(place->service) ^ fg_hash_u64((uint64_t)place->kind * 64 + cause + 1);
}

uint64_t fg_incident_order_hash(struct fg_slice key, struct fg_slice value)
{
    return fg_hash_seeded(value, fg_hash(key));
}

int fg_incident_set(struct fg_slice *slot, struct fg_slice text)
{
    size_t size = text.size < FG_INCIDENT_TEXT_SIZE_MAX ? text.size : FG_INCIDENT_TEXT_SIZE_MAX;
    uint8_t *copy = size > 0 ? malloc(size) : NULL;
    if (size > 0 && !copy)
        return FG_ENOMEM;
    if (size > 0)
        memcpy(copy, text.data, size);
    free((void *)(uintptr_t)slot->data);
    *slot = fg_slice(copy, size);
    return 0;
}

static void free_event(struct fg_incident_event *event)
{
    free((void *)(uintptr_t)event->by.data);
    free((void *)(uintptr_t)event->text.data);
}

int fg_incident_tell(struct fg_incident_record *record, uint64_t at_ns,
                     enum fg_incident_event_kind kind, struct fg_slice by, struct fg_slice text)
{
    struct fg_incident_event event = {.at_ns = at_ns, .kind = kind};
    if (record->is.event_count == record->event_capacity) {
        uint32_t capacity = record->event_capacity ? record->event_capacity * 2 : 4;
        struct fg_incident_event *events = realloc(record->events, capacity * sizeof *events);
        if (!events)
            return FG_ENOMEM;
        record->events = events;
        record->event_capacity = capacity;
        record->is.events = events;
    }
    int r = fg_incident_set(&event.by, by);
    if (r == 0)
        r = fg_incident_set(&event.text, text);
    if (r < 0) {
        free_event(&event);
        return r;
    }
    if (record->is.event_count == FG_INCIDENT_EVENTS_MAX) {
        free_event(&record->events[1]);
        record->is.event_count--;
        memmove(&record->events[1], &record->events[2],
                (record->is.event_count - 1) * sizeof *record->events);
    }
    record->events[record->is.event_count++] = event;
    return 0;
}

void fg_incident_free(struct fg_incident_record *record)
{
    if (!record)
        return;
    const struct fg_slice *const texts[] = {&record->is.place.service, &record->is.place.name,
                                            &record->is.text, &record->is.acknowledged_by,
                                            &record->is.resolved_by};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free((void *)(uintptr_t)texts[i]->data);
    for (uint32_t i = 0; i < record->is.event_count; i++)
        free_event(&record->events[i]);
    free(record->events);
    fg_idmap_free(&record->listed);
    free(record);
}

struct fg_incident_record *fg_incident_find(const struct fg_incidents *incidents, uint64_t id)
{
    uint32_t begin = 0, end = incidents->count;
    while (begin < end) {
        uint32_t middle = begin + (end - begin) / 2;
        if (incidents->records[middle]->is.id == id)
            return incidents->records[middle];
        if (incidents->records[middle]->is.id < id)
            begin = middle + 1;
        else
            end = middle;
    }
    return NULL;
}

int fg_incident_add(struct fg_incidents *incidents, uint64_t id,
                    struct fg_incident_record **ret_record)
{
    if (incidents->count == incidents->capacity) {
        uint32_t capacity = incidents->capacity ? incidents->capacity * 2 : 64;
        struct fg_incident_record **records =
            realloc(incidents->records, capacity * sizeof(*records));
        if (!records)
            return FG_ENOMEM;
        incidents->records = records;
        incidents->capacity = capacity;
    }
    struct fg_incident_record *record = calloc(1, sizeof *record);
    if (!record)
        return FG_ENOMEM;
    fg_idmap_init(&record->listed);
    record->is.id = id;
    uint32_t at = incidents->count++;
    for (; at > 0 && incidents->records[at - 1]->is.id > id; at--)
        incidents->records[at] = incidents->records[at - 1];
    incidents->records[at] = record;
    if (id >= incidents->next_id)
        incidents->next_id = id + 1;
    *ret_record = record;
    return 0;
}

int fg_incident_copy(const struct fg_incident_record *record, const struct fg_incidents *incidents,
                     struct fg_arena *arena, struct fg_incident *ret_incident)
{
    struct fg_incident copy = record->is;
    copy.events = NULL;
    copy.event_count = 0;
    copy.owner = fg_incident_owner(incidents, &record->is.place);
    struct fg_slice *const texts[] = {&copy.place.service,   &copy.place.name,  &copy.text,
                                      &copy.acknowledged_by, &copy.resolved_by, &copy.owner};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = fg_arena_copy(arena, *texts[i]);
    if (arena->overflow)
        return FG_ELIMIT;
    *ret_incident = copy;
    return 0;
}
