#include "warm.h"

#include "base/hash.h"

#include <stddef.h>

#define CACHE_LINE 64u
static void prefetch_record(const struct fg_record *record)
{
    const char *at = (const char *)record;
    for (size_t i = 0; i < sizeof *record; i += CACHE_LINE)
        __builtin_prefetch(at + i, 1);
    __builtin_prefetch(at + sizeof *record - 1, 1);
}

/* What a span of it reads and writes: the value, its steps, and of its traces the last. */
static void prefetch_parts(const struct fg_record *record)
{
    __builtin_prefetch(record->value);
    __builtin_prefetch(record->trace_marks, 1);
    __builtin_prefetch(record->reached_ns, 1);
    if (record->trace_count > 0)
        __builtin_prefetch(record->traces + record->trace_count - 1, 1);
}

void fg_table_warm_record(const struct fg_table *table, uint32_t record)
{
    prefetch_record(fg_table_record(table, record));
}

void fg_table_warm_parts(const struct fg_table *table, uint32_t record)
{
    prefetch_parts(fg_table_record(table, record));
}

void fg_table_warm_next(const struct fg_table *table, const uint32_t *records, uint32_t count,
                        uint32_t at)
{
    if (at + 2 * FG_WARM_AHEAD < count)
        fg_table_warm_record(table, records[at + 2 * FG_WARM_AHEAD]);
    if (at + FG_WARM_AHEAD < count)
        fg_table_warm_parts(table, records[at + FG_WARM_AHEAD]);
}

/* What the hash alone finds: a good guess. */
static uint32_t guess(const struct fg_table *table, uint64_t hash)
{
    struct fg_tagmap_walk walk = fg_tagmap_walk(&table->by_value, hash);
    return fg_tagmap_next(&table->by_value, &walk);
}

void fg_table_warm(const struct fg_table *table, const struct fg_warm *names, uint32_t count)
{
    uint64_t hashes[FG_WARM_MAX];
    uint32_t records[FG_WARM_MAX], found = 0;
    for (uint32_t i = 0; i < count; i++) {
        hashes[i] = fg_hash_seeded(names[i].value, names[i].key);
        fg_tagmap_prefetch(&table->by_value, hashes[i]);
        fg_tagmap_prefetch(&table->by_trace, fg_trace_hash(names[i].trace));
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = guess(table, hashes[i]);
        if (id == FG_NO_RECORD)
            continue;
        records[found++] = id;
        prefetch_record(fg_table_record(table, id));
    }
    for (uint32_t i = 0; i < found; i++)
        prefetch_parts(fg_table_record(table, records[i]));
}

void fg_table_warm_drop(const struct fg_table *table, const uint32_t *records, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct fg_record *record = fg_table_record(table, records[i]);
        fg_tagmap_prefetch(&table->by_value, record->hash);
        __builtin_prefetch(record->traces);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct fg_record *record = fg_table_record(table, records[i]);
        for (uint32_t t = 0; t < record->trace_count; t++)
            fg_tagmap_prefetch(&table->by_trace, fg_trace_hash(record->traces[t]));
    }
}
