/* A set of traces, bounded (FG_ERASE_TRACES_MAX): what an erase removes, what a policy keeps. */
#pragma once

#include "base/error.h"
#include "base/idmap.h"
#include "store/consumer.h"

struct fg_trace_set {
    struct fg_erased_trace *traces; /* in the order in which they came */
    bool *is_marked;                /* beside them */
    uint32_t count, capacity;
    struct fg_idmap map;
};

void fg_trace_set_init(struct fg_trace_set *set);
void fg_trace_set_free(struct fg_trace_set *set);

/* FG_ENOMEM, FG_ELIMIT. */
FG_MUST_CHECK int fg_trace_set_add(struct fg_trace_set *set, uint64_t id_high, uint64_t id_low);
/* Its place, or UINT32_MAX. */
uint32_t fg_trace_set_find(const struct fg_trace_set *set, uint64_t id_high, uint64_t id_low);

static inline bool fg_trace_set_has(const struct fg_trace_set *set, uint64_t id_high,
                                    uint64_t id_low)
{
    return fg_trace_set_find(set, id_high, id_low) != UINT32_MAX;
}
