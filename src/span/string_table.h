/* The strings of a builder, each once. String 0 is the empty string. Private to the room. */
#pragma once

#include "base/error.h"
#include "base/idmap.h"
#include "base/slice.h"

/* What a string costs beyond its bytes: its slice, and in a frozen batch where it ends. */
#define FG_STRING_COST_BYTES (sizeof(struct fg_slice) + sizeof(uint32_t))

struct fg_strings {
    struct fg_slice *slices; /* into bytes, one after the other; of count */
    uint8_t *bytes;
    size_t used_bytes, capacity_bytes;
    uint32_t count, capacity;
    struct fg_idmap map;
};

/* Only the empty string. FG_ENOMEM. */
FG_MUST_CHECK int fg_strings_init(struct fg_strings *strings);
void fg_strings_free(struct fg_strings *strings);

/* Forgets all strings but the empty one. The memory is kept. */
void fg_strings_reset(struct fg_strings *strings);

/* Gives memory back: what is kept is what a new table has. After a reset only. */
void fg_strings_shrink(struct fg_strings *strings);

/* The id of bytes, put in where it is new. cost_max: what a new string may cost (its bytes and
 * FG_STRING_COST_BYTES), else FG_ELIMIT. FG_ENOMEM. */
FG_MUST_CHECK int fg_strings_intern(struct fg_strings *strings, struct fg_slice bytes,
                                    uint64_t cost_max, uint32_t *ret_id);

/* FG_ENOTFOUND where it is not there. */
FG_MUST_CHECK int fg_strings_find(const struct fg_strings *strings, struct fg_slice bytes,
                                  uint32_t *ret_id);

/* What all strings cost. */
static inline uint64_t fg_strings_cost_bytes(const struct fg_strings *strings)
{
    return strings->used_bytes + strings->count * (uint64_t)FG_STRING_COST_BYTES;
}

/* Memory that is held. */
uint64_t fg_strings_held_bytes(const struct fg_strings *strings);
