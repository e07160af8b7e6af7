#include "joins.h"

#include "base/hash.h"

#include <stdlib.h>

#define BUCKETS (FG_JOINS_KEPT * 2)
#define NONE    UINT32_MAX

/* In a ring, and in the chain of its bucket: a key and the trace that goes with it. */
struct entry {
    uint64_t key;
    struct fg_trace_ref trace;
    uint32_t next;
    bool is_used;
};

struct fg_joins {
    uint32_t *buckets;
    struct entry *entries;
    uint32_t at;
    uint32_t links; /* of the entries, those of traces */
};

int fg_joins_new(struct fg_joins **ret_joins)
{
    struct fg_joins *joins = calloc(1, sizeof *joins);
    if (!joins)
        return FG_ENOMEM;
    joins->buckets = malloc(BUCKETS * sizeof *joins->buckets);
    joins->entries = calloc(FG_JOINS_KEPT, sizeof *joins->entries);
    if (!joins->buckets || !joins->entries) {
        fg_joins_free(joins);
        return FG_ENOMEM;
    }
    memset(joins->buckets, 0xff, BUCKETS * sizeof *joins->buckets);
    *ret_joins = joins;
    return 0;
}

void fg_joins_free(struct fg_joins *joins)
{
    if (!joins)
        return;
    free(joins->buckets);
    free(joins->entries);
    free(joins);
}

static uint64_t key_of(struct fg_trace_ref trace)
{
    return fg_trace_hash(trace) | 1;
}

/* Traces have odd keys, messages even ones. */
static uint64_t key_of_message(struct fg_slice id)
{
    return fg_hash(id) & ~UINT64_C(1);
}

static void unchain(struct fg_joins *joins, uint32_t at)
{
    uint32_t *link = &joins->buckets[joins->entries[at].key % BUCKETS];
    while (*link != at)
        link = &joins->entries[*link].next;
    *link = joins->entries[at].next;
    joins->links -= joins->entries[at].key & 1;
}

/* In the place of the oldest. */
static void put(struct fg_joins *joins, uint64_t key, struct fg_trace_ref trace)
{
    uint32_t *bucket = &joins->buckets[key % BUCKETS];
    if (joins->entries[joins->at].is_used)
        unchain(joins, joins->at);
    joins->entries[joins->at] = (struct entry){key, trace, *bucket, true};
    *bucket = joins->at;
    joins->links += key & 1;
    joins->at = (joins->at + 1) % FG_JOINS_KEPT;
}

static bool has(const struct fg_joins *joins, uint64_t key, struct fg_trace_ref trace)
{
    for (uint32_t i = joins->buckets[key % BUCKETS]; i != NONE; i = joins->entries[i].next)
        if (joins->entries[i].key == key && fg_trace_is_same(joins->entries[i].trace, trace))
            return true;
    return false;
}

void fg_joins_link(struct fg_joins *joins, struct fg_trace_ref a, struct fg_trace_ref b)
{
    if (fg_trace_is_same(a, b))
        return;
    if (!has(joins, key_of(a), b))
        put(joins, key_of(a), b);
    if (!has(joins, key_of(b), a))
        put(joins, key_of(b), a);
}

void fg_joins_expect(const struct fg_joins *joins, const struct fg_slice *ids, uint32_t count)
{
    uint32_t buckets[2 * FG_JOINS_AHEAD];
    for (uint32_t i = 0; i < count; i++) { /* each puts out the oldest */
        const struct entry *oldest = &joins->entries[(joins->at + i) % FG_JOINS_KEPT];
        buckets[2 * i] = (uint32_t)(key_of_message(ids[i]) % BUCKETS);
        buckets[2 * i + 1] = (uint32_t)(oldest->key % BUCKETS);
        __builtin_prefetch(&joins->buckets[buckets[2 * i]], 1);
        __builtin_prefetch(&joins->buckets[buckets[2 * i + 1]], 1);
    }
    for (uint32_t i = 0; i < 2 * count; i++) {
        uint32_t first = joins->buckets[buckets[i]];
        if (first != NONE)
            __builtin_prefetch(&joins->entries[first]);
    }
}

uint32_t fg_joins_message(struct fg_joins *joins, struct fg_slice id, struct fg_trace_ref trace,
                          struct fg_trace_ref *ret_others, uint32_t max)
{
    uint64_t key = key_of_message(id);
    uint32_t count = 0;
    bool is_known = false;
    for (uint32_t i = joins->buckets[key % BUCKETS]; i != NONE; i = joins->entries[i].next) {
        const struct entry *entry = &joins->entries[i];
        if (entry->key != key)
            continue;
        if (fg_trace_is_same(entry->trace, trace))
            is_known = true;
        else if (count < max)
            ret_others[count++] = entry->trace;
    }
    if (!is_known)
        put(joins, key, trace);
    return count;
}

uint32_t fg_joins_of(const struct fg_joins *joins, struct fg_trace_ref trace,
                     struct fg_trace_ref *ret_others, uint32_t max)
{
    uint64_t key = key_of(trace);
    uint32_t count = 0;
    if (joins->links == 0)
        return 0;
    for (uint32_t i = joins->buckets[key % BUCKETS]; i != NONE && count < max;
         i = joins->entries[i].next)
        if (joins->entries[i].key == key && !fg_trace_is_same(joins->entries[i].trace, trace))
            ret_others[count++] = joins->entries[i].trace;
    return count;
}
