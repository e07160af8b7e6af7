/* A cache of immutable blobs (indexes, filter blocks, dictionaries), bounded in bytes, shared by
 * all segments. Sharded by key; least recently used goes first. Thread-safe. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

struct fg_cache;
struct fg_cache_entry;

struct fg_cache_key {
    uint64_t owner; /* a number that a segment draws when it opens: never used twice in a process */
    uint64_t part;
};

FG_MUST_CHECK int fg_cache_new(uint64_t bytes_max, struct fg_cache **ret_cache);
void fg_cache_free(struct fg_cache *cache);
uint64_t fg_cache_owner_new(struct fg_cache *cache);

/* A reference to the entry, or NULL. */
struct fg_cache_entry *fg_cache_get(struct fg_cache *cache, struct fg_cache_key key);

/* Takes bytes (from malloc) over always, also on error; the entry comes back referenced. An entry
 * larger than the bound is given back uncached. */
FG_MUST_CHECK int fg_cache_put_take(struct fg_cache *cache, struct fg_cache_key key, uint8_t *bytes,
                                    size_t size, struct fg_cache_entry **ret_entry);
struct fg_slice fg_cache_bytes(const struct fg_cache_entry *entry);
void fg_cache_unref(struct fg_cache *cache, struct fg_cache_entry *entry);

/* Out of the cache: its memory goes with the last reference to it. */
void fg_cache_drop(struct fg_cache *cache, struct fg_cache_entry *entry);
/* The same for all entries of an owner, who asks for none of them any more. */
void fg_cache_forget(struct fg_cache *cache, uint64_t owner);

uint64_t fg_cache_size_bytes(struct fg_cache *cache);
