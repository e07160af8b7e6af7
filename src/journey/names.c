#include "names.h"

#include "base/hash.h"

#include <stdlib.h>

_Static_assert(FG_NAMES_MAX + FG_NAME_FIRST <= UINT8_MAX, "a name's number fits a byte");
_Static_assert(FG_NAMES_MAX < FG_NAMES_PLACES / 2, "a look that finds nothing ends soon");

uint32_t fg_names_add(struct fg_names *names, struct fg_slice name)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (fg_slice_equal(names->names[i], name))
            return i;
    if (name.size == 0 || names->count == FG_NAMES_MAX)
        return FG_NAME_NONE;
    names->names[names->count] = name;
    return names->count++;
}

void fg_names_free(struct fg_names *names)
{
    free(names->name_of);
    *names = (struct fg_names){.count = 0};
}

/* -- By hash: 0, or a name's number and one */

static uint32_t place_of(struct fg_slice text)
{
    return (uint32_t)fg_hash(text) % FG_NAMES_PLACES;
}

static void put_in_places(struct fg_names *names)
{
    for (; names->placed < names->count; names->placed++) {
        uint32_t at = place_of(names->names[names->placed]);
        while (names->places[at])
            at = (at + 1) % FG_NAMES_PLACES;
        names->places[at] = (uint8_t)(names->placed + 1);
    }
}

static uint8_t compare(const struct fg_names *names, struct fg_slice text)
{
    uint32_t at = place_of(text);
    for (; names->places[at]; at = (at + 1) % FG_NAMES_PLACES)
        if (fg_slice_equal(names->names[names->places[at] - 1], text))
            return (uint8_t)(names->places[at] - 1 + FG_NAME_FIRST);
    return FG_NAME_OTHER;
}

int fg_names_bind(struct fg_names *names, const struct fg_batch *batch)
{
    if (batch->string_count > names->capacity) {
        uint8_t *name_of = realloc(names->name_of, batch->string_count);
        if (!name_of)
            return FG_ENOMEM;
        names->name_of = name_of;
        names->capacity = batch->string_count;
    }
    put_in_places(names);
    memset(names->name_of, FG_NAME_UNKNOWN, batch->string_count);
    return 0;
}

uint8_t fg_names_look(struct fg_names *names, const struct fg_batch *batch, uint32_t string)
{
    return names->name_of[string] = compare(names, batch->strings[string]);
}
