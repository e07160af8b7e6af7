/* Sets of a few places each, found by the trace's hash: what comes takes the place that was taken
 * longest ago. */
#include "early.h"

#include "record.h"

#include <stdlib.h>

#define SETS          4096u
#define CHUNKS        (SETS * FG_EARLY_OF_TRACE / FG_EARLY_CHUNK)
#define SETS_OF_CHUNK (SETS / CHUNKS)

struct set {
    struct fg_early_step steps[FG_EARLY_OF_TRACE];
    uint32_t count, next; /* places that are taken; the one that is taken next */
};

/* Which traces a set may have, by eight bits of each: most have nothing here, and are told so
 * without waiting for the set's memory. */
struct tags {
    uint8_t of[FG_EARLY_OF_TRACE];
};

struct fg_early {
    struct tags tags[SETS];
    struct set sets[SETS];
    bool has_changed[CHUNKS];
};

static uint32_t set_of(uint64_t hash)
{
    return (uint32_t)(hash % SETS);
}

/* 0 is none's. */
static uint8_t tag_of(uint64_t hash)
{
    uint8_t tag = (uint8_t)(hash >> 56);
    return tag ? tag : 1;
}

static bool may_have(const struct tags *tags, uint8_t tag)
{
    bool has = false;
    for (uint32_t i = 0; i < FG_EARLY_OF_TRACE; i++)
        has |= tags->of[i] == tag;
    return has;
}

static struct fg_early_step *find(struct set *set, const struct fg_early_step *is)
{
    for (uint32_t i = 0; i < set->count; i++) {
        struct fg_early_step *step = &set->steps[i];
        if (fg_trace_is_same(step->trace, is->trace) && step->flow == is->flow &&
            step->step == is->step)
            return step;
    }
    return NULL;
}

int fg_early_note(struct fg_early **early, struct fg_trace_ref trace, uint8_t flow, uint8_t step,
                  uint64_t at_ns)
{
    if (!*early && !(*early = calloc(1, sizeof **early)))
        return FG_ENOMEM;
    const struct fg_early_step is = {trace, at_ns, flow, step};
    uint64_t hash = fg_trace_hash(trace);
    uint32_t number = set_of(hash);
    struct set *set = &(*early)->sets[number];
    struct fg_early_step *known = find(set, &is);
    if (known && known->at_ns <= at_ns)
        return 0;
    (*early)->has_changed[number / SETS_OF_CHUNK] = true;
    if (known) {
        known->at_ns = at_ns;
        return 0;
    }
    set->steps[set->next] = is;
    (*early)->tags[number].of[set->next] = tag_of(hash);
    set->next = (set->next + 1) % FG_EARLY_OF_TRACE;
    set->count += set->count < FG_EARLY_OF_TRACE;
    return 0;
}

uint32_t fg_early_of(const struct fg_early *early, struct fg_trace_ref trace,
                     struct fg_early_step ret_steps[FG_EARLY_OF_TRACE])
{
    uint32_t count = 0;
    uint64_t hash = fg_trace_hash(trace);
    if (!early || !may_have(&early->tags[set_of(hash)], tag_of(hash)))
        return 0;
    const struct set *set = &early->sets[set_of(hash)];
    for (uint32_t i = 0; i < set->count; i++)
        if (fg_trace_is_same(set->steps[i].trace, trace))
            ret_steps[count++] = set->steps[i];
    return count;
}

void fg_early_expect(const struct fg_early *early, struct fg_trace_ref trace)
{
    if (early)
        __builtin_prefetch(&early->tags[set_of(fg_trace_hash(trace))]);
}

void fg_early_free(struct fg_early *early)
{
    free(early);
}

bool fg_early_changed(const struct fg_early *early, uint32_t *ret_chunk)
{
    uint32_t chunk = 0;
    while (early && chunk < CHUNKS && !early->has_changed[chunk])
        chunk++;
    *ret_chunk = chunk;
    return early && chunk < CHUNKS;
}

uint32_t fg_early_settle(struct fg_early *early, uint32_t chunk,
                         struct fg_early_step ret_steps[FG_EARLY_CHUNK])
{
    const struct set *sets = &early->sets[chunk * SETS_OF_CHUNK];
    uint32_t count = 0;
    for (uint32_t i = 0; i < SETS_OF_CHUNK; i++) /* in the order in which they came */
        for (uint32_t k = 0; k < sets[i].count; k++)
            ret_steps[count++] =
                sets[i].steps[(sets[i].next + FG_EARLY_OF_TRACE - sets[i].count + k) %
                              FG_EARLY_OF_TRACE];
    early->has_changed[chunk] = false;
    return count;
}

void fg_early_unsettle(struct fg_early *early)
{
    for (uint32_t i = 0; early && i < CHUNKS; i++)
        early->has_changed[i] = true;
}
