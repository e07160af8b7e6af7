/* Linear probing, by the upper half of a hash, which stands in the slot: so the slots lie in the
 * order of their hashes, but for those that had to give way, and a map is made wider by reading it
 * from one end to the other. What is taken out is filled up by what had to give way to it (Knuth,
 * The Art of Computer Programming, vol. 3, 6.4, algorithm R). */
#include "base/tagmap.h"
#include "base/large.h"

#include <stdlib.h>
#include <string.h>

#define SLOT_COUNT_MIN 64u
#define CACHE_LINE     64u
/* From so many bytes on, some large pages. */
#define LARGE_SIZE ((size_t)8 << 20)
/* Half a megabyte; and where one slot in so many is taken. */
#define SLOT_COUNT_WIDE 65536u
#define SPARSE_SHARE    16u

struct fg_tagmap_slot {
    uint32_t tag;
    uint32_t number; /* FG_TAGMAP_NONE: empty */
};

void fg_tagmap_init(struct fg_tagmap *map)
{
    *map = (struct fg_tagmap){.slots = NULL};
}

static struct fg_tagmap_slot *make_slots(size_t count)
{
    size_t size = count * sizeof(struct fg_tagmap_slot);
    struct fg_tagmap_slot *slots =
        size < LARGE_SIZE ? aligned_alloc(CACHE_LINE, size) : fg_large_alloc(size);
    if (!slots)
        return NULL;
    if (size >= LARGE_SIZE)
        fg_large_fill(slots, size);
    memset(slots, 0xff, size);
    return slots;
}

static void free_slots(struct fg_tagmap *map)
{
    size_t size = map->slot_count * sizeof *map->slots;
    if (size < LARGE_SIZE)
        free(map->slots);
    else
        fg_large_free(map->slots, size);
}

void fg_tagmap_free(struct fg_tagmap *map)
{
    free_slots(map);
    fg_tagmap_init(map);
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static size_t home_of(const struct fg_tagmap *map, uint32_t tag)
{
    return (size_t)((uint64_t)tag * map->slot_count >> 32);
}

static size_t behind(const struct fg_tagmap *map, size_t at)
{
    return (at + 1) & (map->slot_count - 1);
}

static size_t before(const struct fg_tagmap *map, size_t at)
{
    return (at - 1) & (map->slot_count - 1);
}

bool fg_tagmap_has_room(const struct fg_tagmap *map, size_t count)
{
    return map->used + count <= map->slot_count / 3 * 2;
}

bool fg_tagmap_is_sparse(const struct fg_tagmap *map)
{
    return map->slot_count > SLOT_COUNT_WIDE && map->used < map->slot_count / SPARSE_SHARE;
}

static void add(struct fg_tagmap *map, struct fg_tagmap_slot slot)
{
    size_t at = home_of(map, slot.tag);
    while (map->slots[at].number != FG_TAGMAP_NONE)
        at = behind(map, at);
    map->slots[at] = slot;
    map->used++;
}

int fg_tagmap_widened(const struct fg_tagmap *map, size_t count, struct fg_tagmap *ret_map)
{
    size_t slot_count = SLOT_COUNT_MIN;
    while (slot_count / 3 * 2 < map->used + count)
        slot_count *= 2;
    struct fg_tagmap_slot *slots = make_slots(slot_count);
    if (!slots)
        return FG_ENOMEM;
    *ret_map = (struct fg_tagmap){.slots = slots, .slot_count = slot_count};
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].number != FG_TAGMAP_NONE)
            add(ret_map, map->slots[i]);
    return 0;
}

int fg_tagmap_reserve(struct fg_tagmap *map, size_t count)
{
    struct fg_tagmap wider;
    if (fg_tagmap_has_room(map, count))
        return 0;
    int r = fg_tagmap_widened(map, count, &wider);
    if (r < 0)
        return r;
    free_slots(map);
    *map = wider;
    return 0;
}

void fg_tagmap_add(struct fg_tagmap *map, uint64_t hash, uint32_t number)
{
    add(map, (struct fg_tagmap_slot){tag_of(hash), number});
}

struct fg_tagmap_walk fg_tagmap_walk(const struct fg_tagmap *map, uint64_t hash)
{
    return (struct fg_tagmap_walk){home_of(map, tag_of(hash)), tag_of(hash)};
}

uint32_t fg_tagmap_next(const struct fg_tagmap *map, struct fg_tagmap_walk *walk)
{
    if (map->slot_count == 0)
        return FG_TAGMAP_NONE;
    for (;;) {
        const struct fg_tagmap_slot *slot = &map->slots[walk->at];
        if (slot->number == FG_TAGMAP_NONE)
            return FG_TAGMAP_NONE;
        walk->at = behind(map, walk->at);
        if (slot->tag == walk->tag)
            return slot->number;
    }
}

void fg_tagmap_remove(struct fg_tagmap *map, struct fg_tagmap_walk *walk)
{
    size_t mask = map->slot_count - 1, hole = before(map, walk->at);
    walk->at = hole;
    for (size_t at = behind(map, hole); map->slots[at].number != FG_TAGMAP_NONE;
         at = behind(map, at)) {
        size_t gave_way = (at - home_of(map, map->slots[at].tag)) & mask;
        if (gave_way < ((at - hole) & mask))
            continue;
        map->slots[hole] = map->slots[at];
        hole = at;
    }
    map->slots[hole].number = FG_TAGMAP_NONE;
    map->used--;
}

void fg_tagmap_renumber(struct fg_tagmap *map, const struct fg_tagmap_walk *walk, uint32_t number)
{
    map->slots[before(map, walk->at)].number = number;
}

void fg_tagmap_prefetch(const struct fg_tagmap *map, uint64_t hash)
{
    if (map->slot_count > 0)
        __builtin_prefetch(&map->slots[home_of(map, tag_of(hash))]);
}
