/* An open-addressing map from a 64-bit hash to a 32-bit id, for interning: the owner of the ids
 * decides equality.
 *
 * Cleared in O(1) by an epoch, so that one map serves request after request. Not thread-safe. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fg_idmap {
    struct fg_idmap_slot *slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t used;
    uint32_t epoch;
};

/* Whether the thing with this id is the one that is looked for. */
typedef bool (*fg_idmap_equal_fn)(const void *context, uint32_t id);

void fg_idmap_init(struct fg_idmap *map);
void fg_idmap_free(struct fg_idmap *map);
void fg_idmap_clear(struct fg_idmap *map);

/* The id under hash for which equal(context, id) holds (equal may be NULL: the hash alone decides).
 * Where there is none, new_id is put in and *ret_id is new_id; the caller sees by comparing.
 * FG_ENOMEM leaves the map as it was. */
FG_MUST_CHECK int fg_idmap_intern(struct fg_idmap *map, uint64_t hash, fg_idmap_equal_fn equal,
                                  const void *context, uint32_t new_id, uint32_t *ret_id);

/* As above without putting in: FG_ENOTFOUND. */
FG_MUST_CHECK int fg_idmap_find(const struct fg_idmap *map, uint64_t hash, fg_idmap_equal_fn equal,
                                const void *context, uint32_t *ret_id);
