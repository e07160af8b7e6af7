/* Linear probing over 16-byte slots, at most half full. A slot counts as empty unless its epoch is
 * the map's. */
#include "base/idmap.h"

#include <stdlib.h>
#include <string.h>

#define SLOT_COUNT_MIN 64
#define CACHE_LINE     64

struct fg_idmap_slot {
    uint64_t hash;
    uint32_t id;
    uint32_t epoch;
};

void fg_idmap_init(struct fg_idmap *map)
{
    *map = (struct fg_idmap){.epoch = 1};
}

void fg_idmap_free(struct fg_idmap *map)
{
    if (!map)
        return;
    free(map->slots);
    fg_idmap_init(map);
}

void fg_idmap_clear(struct fg_idmap *map)
{
    map->used = 0;
    if (++map->epoch != 0)
        return;
    for (size_t i = 0; i < map->slot_count; i++)
        map->slots[i].epoch = 0;
    map->epoch = 1;
}

static int grow(struct fg_idmap *map, size_t count)
{
    /* Zeroed here, not by calloc(): a slot is read before it is written, and a fresh page of zeros
     * that is read first costs two faults and a message to all processors. */
    struct fg_idmap_slot *slots = aligned_alloc(CACHE_LINE, count * sizeof *slots);
    if (!slots)
        return FG_ENOMEM;
    memset(slots, 0, count * sizeof *slots);
    for (size_t i = 0; i < map->slot_count; i++) {
        if (map->slots[i].epoch != map->epoch)
            continue;
        size_t at = (size_t)map->slots[i].hash & (count - 1);
        while (slots[at].epoch)
            at = (at + 1) & (count - 1);
        slots[at] = map->slots[i];
    }
    free(map->slots);
    map->slots = slots;
    map->slot_count = count;
    return 0;
}

/* The slot of the thing, or the empty slot where it would go. */
static struct fg_idmap_slot *seek(const struct fg_idmap *map, uint64_t hash,
                                  fg_idmap_equal_fn equal, const void *context)
{
    size_t at = (size_t)hash & (map->slot_count - 1);
    for (;;) {
        struct fg_idmap_slot *slot = &map->slots[at];
        if (slot->epoch != map->epoch)
            return slot;
        if (slot->hash == hash && (!equal || equal(context, slot->id)))
            return slot;
        at = (at + 1) & (map->slot_count - 1);
    }
}

int fg_idmap_intern(struct fg_idmap *map, uint64_t hash, fg_idmap_equal_fn equal,
                    const void *context, uint32_t new_id, uint32_t *ret_id)
{
    if (map->used * 2 >= map->slot_count) {
        int r = grow(map, map->slot_count ? map->slot_count * 2 : SLOT_COUNT_MIN);
        if (r < 0)
            return r;
    }
    struct fg_idmap_slot *slot = seek(map, hash, equal, context);
    if (slot->epoch != map->epoch) {
        *slot = (struct fg_idmap_slot){.hash = hash, .id = new_id, .epoch = map->epoch};
        map->used++;
    }
    *ret_id = slot->id;
    return 0;
}

int fg_idmap_find(const struct fg_idmap *map, uint64_t hash, fg_idmap_equal_fn equal,
                  const void *context, uint32_t *ret_id)
{
    if (map->slot_count == 0)
        return FG_ENOTFOUND;
    const struct fg_idmap_slot *slot = seek(map, hash, equal, context);
    if (slot->epoch != map->epoch)
        return FG_ENOTFOUND;
    *ret_id = slot->id;
    return 0;
}
