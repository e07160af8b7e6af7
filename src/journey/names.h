/* Which strings of a batch are one of some texts that are looked for: names of attributes, mostly.
 *
 * A string's id is no answer to that: a segment's page may hold a string twice (batch.h). Each id
 * is compared once a batch, and only where it is asked for. Not thread-safe. */
#pragma once

#include "base/error.h"
#include "span/batch.h"

#define FG_NAMES_MAX    240u
#define FG_NAMES_PLACES 512u
#define FG_NAME_NONE    UINT32_MAX

/* What stands in name_of: nobody looked, none of the names, or a name's number and two. */
enum { FG_NAME_UNKNOWN, FG_NAME_OTHER, FG_NAME_FIRST };

struct fg_names {
    struct fg_slice names[FG_NAMES_MAX]; /* borrowed */
    uint32_t count;
    uint8_t *name_of; /* by string id */
    uint32_t capacity;
    uint8_t places[FG_NAMES_PLACES]; /* by hash, of the first `placed` names */
    uint32_t placed;
};

/* The number of a name, which is put in where it is new; FG_NAME_NONE where it is "" or there are
 * FG_NAMES_MAX. */
uint32_t fg_names_add(struct fg_names *names, struct fg_slice name);
void fg_names_free(struct fg_names *names);

/* Begins a batch. FG_ENOMEM. */
FG_MUST_CHECK int fg_names_bind(struct fg_names *names, const struct fg_batch *batch);
/* The first look at a string of the batch: what fg_names_find() then finds. */
uint8_t fg_names_look(struct fg_names *names, const struct fg_batch *batch, uint32_t string);

/* Whether this string of the batch is known to be none of the names: as most are. */
static inline bool fg_names_is_other(const struct fg_names *names, uint32_t string)
{
    return names->name_of[string] == FG_NAME_OTHER;
}

/* The number of the name that this string of the batch is; FG_NAME_NONE. Asked of every attribute
 * of every span. */
static inline uint32_t fg_names_find(struct fg_names *names, const struct fg_batch *batch,
                                     uint32_t string)
{
    uint8_t found = names->name_of[string];
    if (found == FG_NAME_UNKNOWN)
        found = fg_names_look(names, batch, string);
    return found == FG_NAME_OTHER ? FG_NAME_NONE : (uint32_t)found - FG_NAME_FIRST;
}
