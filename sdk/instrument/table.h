/* What an instrumentation knows of a handle of the library that it wraps (a CURL, a PGconn): a map
 * from pointers to pointers. A lock is held for a look-up alone, never over a call. */
#pragma once

#include "os/thread.h"

#include <stddef.h>

enum { FG_TABLE_BUCKETS = 256 };

struct fg_table_entry;

/* Zeroed is empty, given the mutex's initialiser: FG_TABLE_INIT. */
struct fg_table {
    struct fg_mutex mutex;
    struct fg_table_entry *buckets[FG_TABLE_BUCKETS];
    size_t count;
};

#define FG_TABLE_INIT                                                                              \
    {                                                                                              \
        .mutex = {.mutex = PTHREAD_MUTEX_INITIALIZER, .rank = FG_RANK_LEAF }                       \
    }

/* NULL: the key is not there. */
void *fg_table_find(struct fg_table *table, const void *key);
/* Replaces what is there. False without memory, or past count_max. */
bool fg_table_put(struct fg_table *table, const void *key, void *value, size_t count_max);
/* Removes the key; returns its value, which is the caller's now. */
void *fg_table_take(struct fg_table *table, const void *key);
