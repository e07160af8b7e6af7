/* The attributes of a batch's rows that have one of the names that are looked for: few of many. A
 * batch is gone through once for them; who asks for a row's goes along the rows. */
#pragma once

#include "names.h"

struct fg_hit {
    uint32_t row, attr;
    uint32_t name; /* its number in the names */
};

/* By row, and in the order of its attributes. All zero: none, with no room. */
struct fg_hits {
    struct fg_hit *all;
    uint32_t count, capacity;
};

/* Adds a row's; rows come in their order. Names are bound to the batch. FG_ENOMEM. */
FG_MUST_CHECK int fg_hits_add(struct fg_hits *hits, struct fg_names *names,
                              const struct fg_batch *batch, uint32_t row);
void fg_hits_free(struct fg_hits *hits);

/* From *at on, where the rows before row end: its first hit, and in *at the end of its hits. */
static inline const struct fg_hit *fg_hits_of(const struct fg_hits *hits, uint32_t row,
                                              uint32_t *at)
{
    uint32_t begin = *at;
    while (begin < hits->count && hits->all[begin].row < row)
        begin++;
    *at = begin;
    while (*at < hits->count && hits->all[*at].row == row)
        ++*at;
    return hits->all + begin;
}
