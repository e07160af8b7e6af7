/* A chained hash table of entries that live in their owners' structs. Its buckets are made once:
 * for tables whose size is bounded. The owner compares. */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct fg_entry {
    struct fg_entry *next;
    uint64_t hash;
};

struct fg_entries {
    struct fg_entry **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
};

/* FG_ENOMEM. */
FG_MUST_CHECK int fg_entries_init(struct fg_entries *table, size_t bucket_count);
/* Frees the entries too, which were malloc'ed and begin with their struct fg_entry. */
void fg_entries_free(struct fg_entries *table);

void fg_entries_put(struct fg_entries *table, uint64_t hash, struct fg_entry *entry);
/* It is in the table. */
void fg_entries_remove(struct fg_entries *table, const struct fg_entry *entry);
/* The first of those with this hash, or NULL; the others follow by fg_entries_next(). */
struct fg_entry *fg_entries_find(const struct fg_entries *table, uint64_t hash);
struct fg_entry *fg_entries_next(const struct fg_entry *entry);

/* for (size_t at = 0; (entry = fg_entries_walk(&table, &at, entry)) != NULL;) with entry NULL at
 * first. */
struct fg_entry *fg_entries_walk(const struct fg_entries *table, size_t *at,
                                 const struct fg_entry *entry);
