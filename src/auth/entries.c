#include "entries.h"

#include <stdlib.h>

int fg_entries_init(struct fg_entries *table, size_t bucket_count)
{
    *table = (struct fg_entries){.buckets = calloc(bucket_count, sizeof(struct fg_entry *)),
                                 .bucket_count = bucket_count};
    return table->buckets ? 0 : FG_ENOMEM;
}

void fg_entries_free(struct fg_entries *table)
{
    for (size_t i = 0; table->buckets && i < table->bucket_count; i++)
        while (table->buckets[i]) {
            struct fg_entry *entry = table->buckets[i];
            table->buckets[i] = entry->next;
            free(entry);
        }
    free(table->buckets);
    *table = (struct fg_entries){0};
}

static struct fg_entry **bucket_of(const struct fg_entries *table, uint64_t hash)
{
    return &table->buckets[hash & (table->bucket_count - 1)];
}

void fg_entries_put(struct fg_entries *table, uint64_t hash, struct fg_entry *entry)
{
    struct fg_entry **bucket = bucket_of(table, hash);
    entry->hash = hash;
    entry->next = *bucket;
    *bucket = entry;
    table->count++;
}

void fg_entries_remove(struct fg_entries *table, const struct fg_entry *entry)
{
    struct fg_entry **at = bucket_of(table, entry->hash);
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    table->count--;
}

static struct fg_entry *first_with(struct fg_entry *entry, uint64_t hash)
{
    while (entry && entry->hash != hash)
        entry = entry->next;
    return entry;
}

struct fg_entry *fg_entries_find(const struct fg_entries *table, uint64_t hash)
{
    return first_with(*bucket_of(table, hash), hash);
}

struct fg_entry *fg_entries_next(const struct fg_entry *entry)
{
    return first_with(entry->next, entry->hash);
}

struct fg_entry *fg_entries_walk(const struct fg_entries *table, size_t *at,
                                 const struct fg_entry *entry)
{
    struct fg_entry *next = entry ? entry->next : NULL;
    while (!next && *at < table->bucket_count)
        next = table->buckets[(*at)++];
    return next;
}
