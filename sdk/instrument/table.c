/* Chained buckets under one mutex: handles are few, and each is looked up a few times a request. */
#include "table.h"

#include "guard.h"

#include <stdint.h>
#include <stdlib.h>

struct fg_table_entry {
    const void *key;
    void *value;
    struct fg_table_entry *next;
};

/* Of the chain that may hold the key: the place that points to its entry, or to the end. */
static struct fg_table_entry **locate(struct fg_table *table, const void *key)
{
    uint64_t hash = (uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15);
    struct fg_table_entry **at = &table->buckets[hash >> 56];
    while (*at && (*at)->key != key)
        at = &(*at)->next;
    return at;
}

void *fg_table_find(struct fg_table *table, const void *key)
{
    if (!key)
        return NULL;
    fg_guard_lock(&table->mutex);
    struct fg_table_entry *entry = *locate(table, key);
    void *value = entry ? entry->value : NULL;
    fg_mutex_unlock(&table->mutex);
    return value;
}

bool fg_table_put(struct fg_table *table, const void *key, void *value, size_t count_max)
{
    bool is_in = false;
    if (!key)
        return false;
    fg_guard_lock(&table->mutex);
    struct fg_table_entry **at = locate(table, key);
    if (!*at && table->count < count_max && (*at = calloc(1, sizeof **at))) {
        (*at)->key = key;
        table->count++;
    }
    if (*at) {
        (*at)->value = value;
        is_in = true;
    }
    fg_mutex_unlock(&table->mutex);
    return is_in;
}

void *fg_table_take(struct fg_table *table, const void *key)
{
    if (!key)
        return NULL;
    void *value = NULL;
    fg_guard_lock(&table->mutex);
    struct fg_table_entry **at = locate(table, key), *entry = *at;
    if (entry) {
        value = entry->value;
        *at = entry->next;
        table->count--;
    }
    fg_mutex_unlock(&table->mutex);
    free(entry);
    return value;
}
