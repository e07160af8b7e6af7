/* Numbers found by a hash, where there are millions of them: eight bytes a slot, of which two
 * thirds at most are taken. Several numbers may stand under one hash. The owner decides equality,
 * and puts all in anew where a map gets too small: it alone knows the whole hashes.
 *
 * Where what is interned is cleared again and again base/idmap.h serves better. Not thread-safe. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FG_TAGMAP_NONE UINT32_MAX
/* Numbers are below. */
#define FG_TAGMAP_REMOVED (UINT32_MAX - 1)

struct fg_tagmap {
    struct fg_tagmap_slot *slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t used;       /* with those that were removed */
    size_t removed;
};

void fg_tagmap_init(struct fg_tagmap *map);
void fg_tagmap_free(struct fg_tagmap *map);

/* An empty map in the place of what it was, with room for as many. FG_ENOMEM leaves it as it was.
 */
FG_MUST_CHECK int fg_tagmap_make(struct fg_tagmap *map, size_t count);
/* Whether there is room for so many more. */
bool fg_tagmap_has_room(const struct fg_tagmap *map, size_t count);
/* Puts a number in; there is room. */
void fg_tagmap_add(struct fg_tagmap *map, uint64_t hash, uint32_t number);

/* All numbers that may stand under a hash; in a map that does not change meanwhile but by
 * fg_tagmap_remove(). */
struct fg_tagmap_walk {
    size_t at; /* behind the one that was told last */
    uint32_t tag;
};
struct fg_tagmap_walk fg_tagmap_walk(const struct fg_tagmap *map, uint64_t hash);
/* FG_TAGMAP_NONE at the end. */
uint32_t fg_tagmap_next(const struct fg_tagmap *map, struct fg_tagmap_walk *walk);
/* Takes out the number that the walk told last. */
void fg_tagmap_remove(struct fg_tagmap *map, const struct fg_tagmap_walk *walk);

/* Where many are to be found one after the other: has the memory of what is under hash fetched
 * meanwhile, if the map has any. */
void fg_tagmap_prefetch(const struct fg_tagmap *map, uint64_t hash);
