/* Numbers found by a hash, where there are millions of them: eight bytes a slot, of which two
 * thirds at most are taken. Several numbers may stand under one hash. The owner decides equality:
 * of a hash the upper half alone is kept. Not thread-safe.
 *
 * Where what is interned is cleared again and again base/idmap.h serves better. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FG_TAGMAP_NONE UINT32_MAX

struct fg_tagmap {
    struct fg_tagmap_slot *slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t used;
};

void fg_tagmap_init(struct fg_tagmap *map);
void fg_tagmap_free(struct fg_tagmap *map);

/* Whether there is room for so many more. */
bool fg_tagmap_has_room(const struct fg_tagmap *map, size_t count);
/* Whether next to nothing is left of what it was made wide for. */
bool fg_tagmap_is_sparse(const struct fg_tagmap *map);
/* Another map with all that is in this one, as wide as room for so many more needs it. Others may
 * read this one meanwhile. FG_ENOMEM. */
FG_MUST_CHECK int fg_tagmap_widened(const struct fg_tagmap *map, size_t count,
                                    struct fg_tagmap *ret_map);
/* Makes room for so many more. FG_ENOMEM leaves it as it was. */
FG_MUST_CHECK int fg_tagmap_reserve(struct fg_tagmap *map, size_t count);
/* Puts a number in, any but FG_TAGMAP_NONE; there is room. */
void fg_tagmap_add(struct fg_tagmap *map, uint64_t hash, uint32_t number);

/* All numbers that may stand under a hash; in a map that does not change meanwhile but by what is
 * done with this walk. */
struct fg_tagmap_walk {
    size_t at; /* behind the one that was told last */
    uint32_t tag;
};
struct fg_tagmap_walk fg_tagmap_walk(const struct fg_tagmap *map, uint64_t hash);
/* FG_TAGMAP_NONE at the end. */
uint32_t fg_tagmap_next(const struct fg_tagmap *map, struct fg_tagmap_walk *walk);
/* Takes out the number that the walk told last; it goes on with the next one. */
void fg_tagmap_remove(struct fg_tagmap *map, struct fg_tagmap_walk *walk);
/* Puts another number in the place of the one that the walk told last. */
void fg_tagmap_renumber(struct fg_tagmap *map, const struct fg_tagmap_walk *walk, uint32_t number);

/* Where many are to be found one after the other: has the memory of what is under hash fetched
 * meanwhile, if the map has any. */
void fg_tagmap_prefetch(const struct fg_tagmap *map, uint64_t hash);
