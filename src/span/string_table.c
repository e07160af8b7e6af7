/* Bytes lie one after the other in one array, so that freezing them is one copy; the slices point
 * into it and are set anew when it moves, which doubling makes rare. */
#include "string_table.h"

#include "base/hash.h"

#include <stdlib.h>

#define COUNT_MIN      256
#define BYTES_SIZE_MIN 4096
/* A slot of the map is 16 bytes. */
#define MAP_SLOT_SIZE 16

uint64_t fg_strings_held_bytes(const struct fg_strings *strings)
{
    return strings->capacity_bytes + strings->capacity * (uint64_t)sizeof *strings->slices +
           strings->map.slot_count * (uint64_t)MAP_SLOT_SIZE;
}

static int grow_slices(struct fg_strings *strings)
{
    uint32_t capacity = strings->capacity ? strings->capacity * 2 : COUNT_MIN;
    struct fg_slice *slices = realloc(strings->slices, capacity * sizeof *slices);
    if (!slices)
        return FG_ENOMEM;
    strings->slices = slices;
    strings->capacity = capacity;
    return 0;
}

static int grow_bytes(struct fg_strings *strings, size_t size)
{
    size_t capacity = strings->capacity_bytes ? strings->capacity_bytes * 2 : BYTES_SIZE_MIN;
    while (capacity - strings->used_bytes < size)
        capacity *= 2;
    uint8_t *bytes = realloc(strings->bytes, capacity);
    if (!bytes)
        return FG_ENOMEM;
    strings->bytes = bytes;
    strings->capacity_bytes = capacity;
    for (uint32_t i = 0; i < strings->count; i++) {
        strings->slices[i].data = bytes;
        bytes += strings->slices[i].size;
    }
    return 0;
}

int fg_strings_init(struct fg_strings *strings)
{
    *strings = (struct fg_strings){0};
    fg_idmap_init(&strings->map);
    int r = grow_slices(strings);
    if (r == 0)
        r = grow_bytes(strings, 0);
    if (r < 0) {
        fg_strings_free(strings);
        return r;
    }
    fg_strings_reset(strings);
    return 0;
}

void fg_strings_free(struct fg_strings *strings)
{
    free(strings->slices);
    free(strings->bytes);
    fg_idmap_free(&strings->map);
    *strings = (struct fg_strings){0};
}

void fg_strings_reset(struct fg_strings *strings)
{
    fg_idmap_clear(&strings->map);
    strings->slices[0] = fg_slice(strings->bytes, 0);
    strings->count = 1;
    strings->used_bytes = 0;
}

void fg_strings_shrink(struct fg_strings *strings)
{
    fg_idmap_free(&strings->map);
    struct fg_slice *slices = realloc(strings->slices, COUNT_MIN * sizeof *slices);
    if (slices) {
        strings->slices = slices;
        strings->capacity = COUNT_MIN;
    }
    uint8_t *bytes = realloc(strings->bytes, BYTES_SIZE_MIN);
    if (bytes) {
        strings->bytes = bytes;
        strings->capacity_bytes = BYTES_SIZE_MIN;
    }
    fg_strings_reset(strings);
}

struct sought {
    const struct fg_slice *slices;
    struct fg_slice bytes;
};

static bool is_same(const void *context, uint32_t id)
{
    const struct sought *sought = context;
    struct fg_slice other = sought->slices[id];
    return other.size == sought->bytes.size &&
           memcmp(other.data, sought->bytes.data, other.size) == 0;
}

int fg_strings_find(const struct fg_strings *strings, struct fg_slice bytes, uint32_t *ret_id)
{
    if (bytes.size == 0) {
        *ret_id = 0;
        return 0;
    }
    struct sought sought = {.slices = strings->slices, .bytes = bytes};
    return fg_idmap_find(&strings->map, fg_hash(bytes), is_same, &sought, ret_id);
}

static int reserve(struct fg_strings *strings, size_t size)
{
    if (strings->count == strings->capacity) {
        int r = grow_slices(strings);
        if (r < 0)
            return r;
    }
    return size <= strings->capacity_bytes - strings->used_bytes ? 0 : grow_bytes(strings, size);
}

int fg_strings_intern(struct fg_strings *strings, struct fg_slice bytes, uint64_t cost_max,
                      uint32_t *ret_id)
{
    if (bytes.size == 0) {
        *ret_id = 0;
        return 0;
    }
    if (cost_max < FG_STRING_COST_BYTES || bytes.size > cost_max - FG_STRING_COST_BYTES)
        return fg_strings_find(strings, bytes, ret_id) == 0 ? 0 : FG_ELIMIT;
    /* Room comes first, known or not: the map can't take an id back. */
    int r = reserve(strings, bytes.size);
    if (r < 0)
        return r;
    struct sought sought = {.slices = strings->slices, .bytes = bytes};
    uint32_t id;
    r = fg_idmap_intern(&strings->map, fg_hash(bytes), is_same, &sought, strings->count, &id);
    if (r < 0)
        return r;
    *ret_id = id;
    if (id != strings->count)
        return 0;
    uint8_t *copy = strings->bytes + strings->used_bytes;
    memcpy(copy, bytes.data, bytes.size);
    strings->slices[id] = fg_slice(copy, bytes.size);
    strings->used_bytes += bytes.size;
    strings->count++;
    return 0;
}
