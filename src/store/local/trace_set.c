#include "local/trace_set.h"

#include "base/hash.h"
#include "base/limits.h"

#include <stdlib.h>

struct wanted {
    const struct fg_trace_set *set;
    uint64_t id_high, id_low;
};

static bool is_wanted(const void *context, uint32_t id)
{
    const struct wanted *wanted = context;
    const struct fg_erased_trace *trace = &wanted->set->traces[id];
    return trace->id_high == wanted->id_high && trace->id_low == wanted->id_low;
}

static uint64_t trace_hash(uint64_t id_high, uint64_t id_low)
{
    return fg_hash_u64(fg_hash_u64(id_high) ^ id_low);
}

void fg_trace_set_init(struct fg_trace_set *set)
{
    *set = (struct fg_trace_set){.count = 0};
    fg_idmap_init(&set->map);
}

void fg_trace_set_free(struct fg_trace_set *set)
{
    fg_idmap_free(&set->map);
    free(set->traces);
    free(set->is_marked);
    *set = (struct fg_trace_set){.count = 0};
}

static int grow(struct fg_trace_set *set)
{
    if (set->count < set->capacity)
        return 0;
    uint32_t capacity = set->capacity ? set->capacity * 2 : 256;
    if (capacity > FG_ERASE_TRACES_MAX)
        return FG_ELIMIT;
    struct fg_erased_trace *traces = realloc(set->traces, capacity * sizeof *traces);
    if (!traces)
        return FG_ENOMEM;
    set->traces = traces;
    bool *is_marked = realloc(set->is_marked, capacity * sizeof *is_marked);
    if (!is_marked)
        return FG_ENOMEM;
    set->is_marked = is_marked;
    set->capacity = capacity;
    return 0;
}

int fg_trace_set_add(struct fg_trace_set *set, uint64_t id_high, uint64_t id_low)
{
    const struct wanted wanted = {set, id_high, id_low};
    uint32_t found;
    int r = grow(set);
    if (r == 0)
        r = fg_idmap_intern(&set->map, trace_hash(id_high, id_low), is_wanted, &wanted, set->count,
                            &found);
    if (r < 0 || found != set->count)
        return r;
    set->is_marked[set->count] = false;
    set->traces[set->count++] = (struct fg_erased_trace){id_high, id_low};
    return 0;
}

uint32_t fg_trace_set_find(const struct fg_trace_set *set, uint64_t id_high, uint64_t id_low)
{
    const struct wanted wanted = {set, id_high, id_low};
    uint32_t found;
    int r = fg_idmap_find(&set->map, trace_hash(id_high, id_low), is_wanted, &wanted, &found);
    return r < 0 ? UINT32_MAX : found;
}
