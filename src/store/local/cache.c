/* A hash table a shard, with a list by use: what was asked for last stands first.
 *
 * An entry is counted by reference: the shard's own while it is in the table, and one for each that
 * holds it. Bytes count against the bound while the entry is in the table; those that readers still
 * hold after it went out do not: they are the readers' own few. */
#include "local/cache.h"

#include "base/hash.h"
#include "os/thread.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SHARD_COUNT_MAX 16u
/* A shard is at least so large, that the largest of filters and dictionaries find room in it. */
#define SHARD_BYTES_MIN ((uint64_t)4 << 20)
#define BUCKET_COUNT    1024u
#define ENTRY_OVERHEAD  (sizeof(struct fg_cache_entry) + 32) /* malloc's own included */

struct fg_cache_entry {
    struct fg_cache_key key;
    uint8_t *bytes;
    size_t size;
    uint32_t refs; /* under the shard's lock */
    struct fg_cache_entry *chain;
    struct fg_cache_entry *newer, *older;
};

struct shard {
    struct fg_mutex lock;
    struct fg_cache_entry *buckets[BUCKET_COUNT];
    struct fg_cache_entry *newest, *oldest;
    uint64_t bytes;
};

struct fg_cache {
    uint64_t shard_bytes_max;
    uint32_t shard_count;
    atomic_uint_fast64_t owner;
    struct shard shards[SHARD_COUNT_MAX];
};

int fg_cache_new(uint64_t bytes_max, struct fg_cache **ret_cache)
{
    struct fg_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return FG_ENOMEM;
    uint64_t shards = bytes_max / SHARD_BYTES_MIN;
    cache->shard_count = shards < 1                 ? 1
                         : shards > SHARD_COUNT_MAX ? SHARD_COUNT_MAX
                                                    : (uint32_t)shards;
    cache->shard_bytes_max = bytes_max / cache->shard_count;
    for (size_t i = 0; i < cache->shard_count; i++)
        fg_mutex_init(&cache->shards[i].lock, FG_RANK_CACHE);
    *ret_cache = cache;
    return 0;
}

static void entry_free(struct fg_cache_entry *entry)
{
    free(entry->bytes);
    free(entry);
}

void fg_cache_free(struct fg_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < cache->shard_count; i++) {
        struct fg_cache_entry *entry = cache->shards[i].newest;
        while (entry) {
            struct fg_cache_entry *older = entry->older;
            assert(entry->refs == 1);
            entry_free(entry);
            entry = older;
        }
        fg_mutex_destroy(&cache->shards[i].lock);
    }
    free(cache);
}

uint64_t fg_cache_owner_new(struct fg_cache *cache)
{
    return atomic_fetch_add(&cache->owner, 1) + 1;
}

static uint64_t hash_of(struct fg_cache_key key)
{
    return fg_hash_u64(key.owner ^ fg_hash_u64(key.part));
}

static struct shard *shard_of(struct fg_cache *cache, struct fg_cache_key key)
{
    return &cache->shards[hash_of(key) % cache->shard_count];
}

static struct fg_cache_entry **bucket_of(struct shard *shard, struct fg_cache_key key)
{
    return &shard->buckets[hash_of(key) / SHARD_COUNT_MAX % BUCKET_COUNT];
}

static struct fg_cache_entry **seek(struct shard *shard, struct fg_cache_key key)
{
    struct fg_cache_entry **at = bucket_of(shard, key);
    while (*at && ((*at)->key.owner != key.owner || (*at)->key.part != key.part))
        at = &(*at)->chain;
    return at;
}

static void list_remove(struct shard *shard, struct fg_cache_entry *entry)
{
    *(entry->newer ? &entry->newer->older : &shard->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &shard->oldest) = entry->newer;
}

static void list_add(struct shard *shard, struct fg_cache_entry *entry)
{
    entry->newer = NULL;
    entry->older = shard->newest;
    *(entry->older ? &entry->older->newer : &shard->oldest) = entry;
    shard->newest = entry;
}

/* Takes the entry out of the table; whether nobody holds it any more. */
static bool take_out(struct shard *shard, struct fg_cache_entry *entry)
{
    *seek(shard, entry->key) = entry->chain;
    list_remove(shard, entry);
    shard->bytes -= entry->size + ENTRY_OVERHEAD;
    return --entry->refs == 0;
}

struct fg_cache_entry *fg_cache_get(struct fg_cache *cache, struct fg_cache_key key)
{
    struct shard *shard = shard_of(cache, key);
    fg_mutex_lock(&shard->lock);
    struct fg_cache_entry *entry = *seek(shard, key);
    if (entry) {
        entry->refs++;
        list_remove(shard, entry);
        list_add(shard, entry);
    }
    fg_mutex_unlock(&shard->lock);
    return entry;
}

/* By chain. */
static void free_list(struct fg_cache_entry *dead)
{
    while (dead) {
        struct fg_cache_entry *next = dead->chain;
        entry_free(dead);
        dead = next;
    }
}

/* Puts the entry in, or takes a reference to one that another thread put in meanwhile. What must be
 * freed afterwards comes back as a list by chain. */
static struct fg_cache_entry *put_in(struct fg_cache *cache, struct shard *shard,
                                     struct fg_cache_entry *entry, struct fg_cache_entry **ret_dead)
{
    struct fg_cache_entry *there = *seek(shard, entry->key);
    if (there) {
        there->refs++;
        entry->chain = *ret_dead;
        *ret_dead = entry;
        return there;
    }
    size_t need = entry->size + ENTRY_OVERHEAD;
    while (shard->oldest && shard->bytes + need > cache->shard_bytes_max) {
        struct fg_cache_entry *oldest = shard->oldest;
        if (!take_out(shard, oldest))
            continue;
        oldest->chain = *ret_dead;
        *ret_dead = oldest;
    }
    struct fg_cache_entry **bucket = bucket_of(shard, entry->key);
    entry->chain = *bucket;
    *bucket = entry;
    list_add(shard, entry);
    shard->bytes += need;
    entry->refs++;
    return entry;
}

int fg_cache_put_take(struct fg_cache *cache, struct fg_cache_key key, uint8_t *bytes, size_t size,
                      struct fg_cache_entry **ret_entry)
{
    struct fg_cache_entry *entry = calloc(1, sizeof *entry);
    if (!entry) {
        free(bytes);
        return FG_ENOMEM;
    }
    *entry = (struct fg_cache_entry){.key = key, .bytes = bytes, .size = size, .refs = 1};
    struct fg_cache_entry *dead = NULL;
    if (size <= cache->shard_bytes_max && size + ENTRY_OVERHEAD <= cache->shard_bytes_max) {
        struct shard *shard = shard_of(cache, key);
        fg_mutex_lock(&shard->lock);
        entry = put_in(cache, shard, entry, &dead);
        fg_mutex_unlock(&shard->lock);
    }
    free_list(dead);
    *ret_entry = entry;
    return 0;
}

struct fg_slice fg_cache_bytes(const struct fg_cache_entry *entry)
{
    return fg_slice(entry->bytes, entry->size);
}

void fg_cache_unref(struct fg_cache *cache, struct fg_cache_entry *entry)
{
    if (!entry)
        return;
    struct shard *shard = shard_of(cache, entry->key);
    fg_mutex_lock(&shard->lock);
    bool dead = --entry->refs == 0;
    fg_mutex_unlock(&shard->lock);
    if (dead)
        entry_free(entry);
}

void fg_cache_drop(struct fg_cache *cache, struct fg_cache_entry *entry)
{
    struct shard *shard = shard_of(cache, entry->key);
    fg_mutex_lock(&shard->lock);
    bool dead = *seek(shard, entry->key) == entry && take_out(shard, entry);
    fg_mutex_unlock(&shard->lock);
    assert(!dead); /* whoever calls holds it */
}

void fg_cache_forget(struct fg_cache *cache, uint64_t owner)
{
    for (size_t i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        struct fg_cache_entry *dead = NULL;
        fg_mutex_lock(&shard->lock);
        for (struct fg_cache_entry *entry = shard->newest, *older; entry; entry = older) {
            older = entry->older;
            if (entry->key.owner != owner || !take_out(shard, entry))
                continue;
            entry->chain = dead;
            dead = entry;
        }
        fg_mutex_unlock(&shard->lock);
        free_list(dead);
    }
}

uint64_t fg_cache_size_bytes(struct fg_cache *cache)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < cache->shard_count; i++) {
        fg_mutex_lock(&cache->shards[i].lock);
        bytes += cache->shards[i].bytes;
        fg_mutex_unlock(&cache->shards[i].lock);
    }
    return bytes;
}
