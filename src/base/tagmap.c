/* Linear probing. The lower half of a hash says where a slot is, the upper half stands in it. */
#include "base/tagmap.h"

#include <stdlib.h>
#include <string.h>

#define SLOT_COUNT_MIN 64u
#define CACHE_LINE     64u

struct fg_tagmap_slot {
    uint32_t tag;
    uint32_t number; /* FG_TAGMAP_NONE: empty */
};

void fg_tagmap_init(struct fg_tagmap *map)
{
    *map = (struct fg_tagmap){.slots = NULL};
}

void fg_tagmap_free(struct fg_tagmap *map)
{
    free(map->slots);
    fg_tagmap_init(map);
}

int fg_tagmap_make(struct fg_tagmap *map, size_t count)
{
    size_t slot_count = SLOT_COUNT_MIN;
    while (slot_count / 3 * 2 < count)
        slot_count *= 2;
    struct fg_tagmap_slot *slots = aligned_alloc(CACHE_LINE, slot_count * sizeof *slots);
    if (!slots)
        return FG_ENOMEM;
    memset(slots, 0xff, slot_count * sizeof *slots);
    free(map->slots);
    *map = (struct fg_tagmap){.slots = slots, .slot_count = slot_count};
    return 0;
}

bool fg_tagmap_has_room(const struct fg_tagmap *map, size_t count)
{
    return map->used + count <= map->slot_count / 3 * 2;
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

void fg_tagmap_add(struct fg_tagmap *map, uint64_t hash, uint32_t number)
{
    size_t at = (size_t)hash & (map->slot_count - 1);
    while (map->slots[at].number != FG_TAGMAP_NONE)
        at = (at + 1) & (map->slot_count - 1);
    map->slots[at] = (struct fg_tagmap_slot){tag_of(hash), number};
    map->used++;
}

struct fg_tagmap_walk fg_tagmap_walk(const struct fg_tagmap *map, uint64_t hash)
{
    size_t at = map->slot_count ? (size_t)hash & (map->slot_count - 1) : 0;
    return (struct fg_tagmap_walk){at, tag_of(hash)};
}

uint32_t fg_tagmap_next(const struct fg_tagmap *map, struct fg_tagmap_walk *walk)
{
    if (map->slot_count == 0)
        return FG_TAGMAP_NONE;
    for (;;) {
        const struct fg_tagmap_slot *slot = &map->slots[walk->at];
        if (slot->number == FG_TAGMAP_NONE)
            return FG_TAGMAP_NONE;
        walk->at = (walk->at + 1) & (map->slot_count - 1);
        if (slot->tag == walk->tag && slot->number != FG_TAGMAP_REMOVED)
            return slot->number;
    }
}

void fg_tagmap_remove(struct fg_tagmap *map, const struct fg_tagmap_walk *walk)
{
    map->slots[(walk->at - 1) & (map->slot_count - 1)].number = FG_TAGMAP_REMOVED;
    map->removed++;
}

void fg_tagmap_prefetch(const struct fg_tagmap *map, uint64_t hash)
{
    if (map->slot_count > 0)
        __builtin_prefetch(&map->slots[(size_t)hash & (map->slot_count - 1)]);
}
