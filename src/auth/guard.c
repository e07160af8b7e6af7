#include "guard.h"

#include "base/hash.h"
#include "base/limits.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* Wrong tries that are free. */
#define FREE_AT_ACCOUNT_FROM_ADDRESS 5u
#define FREE_FROM_ADDRESS            20u
#define FREE_AT_ACCOUNT              50u
#define WAIT_NS_MAX                  (15 * FG_NS_PER_MINUTE)
/* After so long without a try an entry begins anew. */
#define FORGET_NS (60 * FG_NS_PER_MINUTE)

enum { PAIR, ADDRESS, ACCOUNT, KEY_COUNT };
static const uint32_t free_tries[KEY_COUNT] = {[PAIR] = FREE_AT_ACCOUNT_FROM_ADDRESS,
                                               [ADDRESS] = FREE_FROM_ADDRESS,
                                               [ACCOUNT] = FREE_AT_ACCOUNT};

int fg_guard_init(struct fg_guard *guard, uint64_t seed)
{
    guard->seed = seed;
    guard->slots = calloc(FG_GUARD_SLOTS, sizeof *guard->slots);
    return guard->slots ? 0 : FG_ENOMEM;
}

void fg_guard_free(struct fg_guard *guard)
{
    free(guard->slots);
    guard->slots = NULL;
}

/* Where tries come from. Of IPv6 the first half (RFC 4291): who has one address of a network has
 * 2^64 of them. buffer: room for it. */
static struct fg_slice source_of(struct fg_slice address, uint8_t buffer[16])
{
    char text[INET6_ADDRSTRLEN];
    bool is_bracketed = address.size > 2 && address.data[0] == '[';
    size_t size = address.size - (is_bracketed ? 2 : 0);
    if (!is_bracketed || size >= sizeof text)
        return address;
    memcpy(text, address.data + 1, size);
    text[size] = 0;
    return inet_pton(AF_INET6, text, buffer) == 1 ? fg_slice(buffer, 8) : address;
}

static void make_keys(const struct fg_guard *guard, struct fg_slice name, struct fg_slice address,
                      uint64_t keys[KEY_COUNT])
{
    uint8_t network[16];
    uint64_t of_name = fg_hash_seeded(name, guard->seed);
    uint64_t of_address = fg_hash_seeded(source_of(address, network), guard->seed + 1);
    keys[PAIR] = fg_hash_u64(of_name ^ fg_hash_u64(of_address)) | 1;
    keys[ADDRESS] = fg_hash_u64(of_address) | 1;
    keys[ACCOUNT] = fg_hash_u64(of_name + guard->seed) | 1;
}

/* The key's slot, or the one of its ways that may be had for it: free, or quiet longest. */
static struct fg_guard_slot *find(struct fg_guard *guard, uint64_t key)
{
    struct fg_guard_slot *ways =
        guard->slots + (key >> 32) % (FG_GUARD_SLOTS / FG_GUARD_WAYS) * FG_GUARD_WAYS;
    struct fg_guard_slot *oldest = ways;
    for (size_t i = 0; i < FG_GUARD_WAYS; i++) {
        if (ways[i].key == key)
            return &ways[i];
        if (ways[i].seen_ns < oldest->seen_ns)
            oldest = &ways[i];
    }
    return oldest;
}

static uint64_t wait_after(uint32_t failures, uint32_t free_count)
{
    if (failures < free_count)
        return 0;
    uint32_t doublings = failures - free_count;
    uint64_t wait_ns = doublings < 20 ? FG_NS_PER_SECOND << doublings : WAIT_NS_MAX;
    return wait_ns < WAIT_NS_MAX ? wait_ns : WAIT_NS_MAX;
}

int fg_guard_try(struct fg_guard *guard, struct fg_slice name, struct fg_slice address,
                 uint64_t now_ns, uint64_t *ret_wait_ns)
{
    uint64_t keys[KEY_COUNT], until_ns = 0;
    make_keys(guard, name, address, keys);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct fg_guard_slot *slot = find(guard, keys[i]);
        if (slot->key == keys[i] && slot->until_ns > until_ns)
            until_ns = slot->until_ns;
    }
    if (until_ns > now_ns) {
        *ret_wait_ns = until_ns - now_ns;
        return FG_EAGAIN;
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        struct fg_guard_slot *slot = find(guard, keys[i]);
        if (slot->key != keys[i] || now_ns - slot->seen_ns > FORGET_NS)
            *slot = (struct fg_guard_slot){.key = keys[i]};
        slot->seen_ns = now_ns;
        slot->failures++;
        slot->until_ns = now_ns + wait_after(slot->failures, free_tries[i]);
    }
    return 0;
}

void fg_guard_forgive(struct fg_guard *guard, struct fg_slice name, struct fg_slice address)
{
    uint64_t keys[KEY_COUNT];
    make_keys(guard, name, address, keys);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        struct fg_guard_slot *slot = find(guard, keys[i]);
        if (slot->key != keys[i])
            continue;
        slot->failures = i == PAIR || slot->failures == 0 ? 0 : slot->failures - 1;
        slot->until_ns = 0;
    }
}
