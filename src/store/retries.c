/* Two generations of an open-addressing table. New hashes go into the younger; when that is full or
 * its first hash is as old as the window, the older is dropped and the younger takes its place. So
 * everything is remembered for at least the window, if the bound allows, and at most twice. */
#include "retries.h"

#include "base/hash.h"
#include "base/limits.h"

#include <stdlib.h>

#define SLOTS_MIN ((size_t)1024)

struct slot {
    uint64_t key;         /* 0: free */
    uint64_t received_ns; /* 0: taken back */
};

struct generation {
    struct slot *slots;
    size_t slot_count, used;
    uint64_t first_ns;
};

struct fg_retries {
    struct generation young, old;
};

int fg_retries_new(struct fg_retries **ret_retries)
{
    struct fg_retries *retries = calloc(1, sizeof *retries);
    if (!retries)
        return FG_ENOMEM;
    *ret_retries = retries;
    return 0;
}

void fg_retries_free(struct fg_retries *retries)
{
    if (!retries)
        return;
    free(retries->young.slots);
    free(retries->old.slots);
    free(retries);
}

static uint64_t key_of(uint32_t tenant, uint64_t request_hash)
{
    uint64_t key = request_hash ^ fg_hash_u64(tenant);
    return key ? key : 1;
}

/* The slot of key, or the free one where it belongs; NULL where there are no slots. */
static struct slot *find(const struct generation *generation, uint64_t key)
{
    if (generation->slot_count == 0)
        return NULL;
    size_t mask = generation->slot_count - 1;
    size_t i = (size_t)fg_hash_u64(key) & mask;
    while (generation->slots[i].key && generation->slots[i].key != key)
        i = (i + 1) & mask;
    return &generation->slots[i];
}

static struct slot *find_either(const struct fg_retries *retries, uint64_t key)
{
    struct slot *slot = find(&retries->young, key);
    if (slot && slot->key)
        return slot;
    slot = find(&retries->old, key);
    return slot && slot->key ? slot : NULL;
}

bool fg_retries_find(const struct fg_retries *retries, uint32_t tenant, uint64_t request_hash,
                     uint64_t now_ns)
{
    const struct slot *slot = find_either(retries, key_of(tenant, request_hash));
    if (!slot || slot->received_ns == 0)
        return false;
    /* A clock that was set back counts like one that went on. */
    uint64_t age_ns =
        now_ns > slot->received_ns ? now_ns - slot->received_ns : slot->received_ns - now_ns;
    return age_ns <= FG_RETRY_WINDOW_NS;
}

static bool grow(struct generation *generation)
{
    struct generation grown = {.slot_count =
                                   generation->slot_count ? 2 * generation->slot_count : SLOTS_MIN};
    grown.slots = calloc(grown.slot_count, sizeof *grown.slots);
    if (!grown.slots)
        return false;
    for (size_t i = 0; i < generation->slot_count; i++)
        if (generation->slots[i].key)
            *find(&grown, generation->slots[i].key) = generation->slots[i];
    free(generation->slots);
    generation->slots = grown.slots;
    generation->slot_count = grown.slot_count;
    return true;
}

static void turn(struct fg_retries *retries)
{
    free(retries->old.slots);
    retries->old = retries->young;
    retries->young = (struct generation){0};
}

void fg_retries_put(struct fg_retries *retries, uint32_t tenant, uint64_t request_hash,
                    uint64_t received_ns)
{
    struct generation *young = &retries->young;
    bool is_old =
        received_ns > young->first_ns && received_ns - young->first_ns > FG_RETRY_WINDOW_NS;
    if (young->used >= FG_RETRIES_MAX / 2 || (young->used && is_old))
        turn(retries);
    if (young->used >= young->slot_count / 2 && !grow(young))
        return;
    if (young->used == 0)
        young->first_ns = received_ns;
    struct slot *slot = find(young, key_of(tenant, request_hash));
    young->used += slot->key == 0;
    *slot = (struct slot){.key = key_of(tenant, request_hash),
                          .received_ns = received_ns ? received_ns : 1};
}

void fg_retries_remove(struct fg_retries *retries, uint32_t tenant, uint64_t request_hash)
{
    struct slot *slot = find_either(retries, key_of(tenant, request_hash));
    if (slot)
        slot->received_ns = 0;
}
