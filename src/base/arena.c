/* Blocks double from 4 KiB up to 1 MiB, their header included: malloc has room of just that size,
 * and a quarter more for a byte more. A larger allocation gets a block of its own size. */
#include "base/arena.h"

#include "base/checked.h"

#include <stdlib.h>

#define BLOCK_SIZE_MIN (size_t)4096
#define BLOCK_SIZE_MAX (size_t)(1 << 20)
#define ALIGNMENT      (size_t)16

struct fg_arena_block {
    struct fg_arena_block *next;
    size_t size; /* of data */
    size_t used;
    _Alignas(16) uint8_t data[];
};

void fg_arena_init(struct fg_arena *arena, size_t bytes_max)
{
    *arena = (struct fg_arena){.bytes_max = bytes_max};
}

static void *overflowed(struct fg_arena *arena)
{
    arena->overflow = true;
    return NULL;
}

static struct fg_arena_block *block_new(struct fg_arena *arena, size_t need)
{
    const size_t head = sizeof(struct fg_arena_block);
    size_t total = BLOCK_SIZE_MIN, least;
    if (fg_add_overflow(need, head, &least))
        return NULL;
    if (arena->blocks)
        total = 2 * (arena->blocks->size + head);
    if (total > BLOCK_SIZE_MAX)
        total = BLOCK_SIZE_MAX;
#ifdef FG_ARENA_MALLOC
    total = least;
#endif
    if (total < least)
        total = least;
    struct fg_arena_block *block = malloc(total);
    if (!block)
        return NULL;
    *block = (struct fg_arena_block){.next = arena->blocks, .size = total - head};
    arena->blocks = block;
    return block;
}

void *fg_arena_alloc(struct fg_arena *arena, size_t size)
{
    size_t need;
    if (fg_add_overflow(size ? size : 1, ALIGNMENT - 1, &need))
        return overflowed(arena);
    need &= ~(ALIGNMENT - 1);
    if (need > arena->bytes_max - arena->used_bytes)
        return overflowed(arena);
#ifdef FG_ARENA_MALLOC
    struct fg_arena_block *block = block_new(arena, size ? size : 1);
    if (!block)
        return overflowed(arena);
    block->used = block->size;
    arena->used_bytes += need;
    return block->data;
#else
    struct fg_arena_block *block = arena->blocks;
    if (!block || block->size - block->used < need)
        block = block_new(arena, need);
    if (!block)
        return overflowed(arena);
    void *p = block->data + block->used;
    block->used += need;
    arena->used_bytes += need;
    return p;
#endif
}

void *fg_arena_calloc(struct fg_arena *arena, size_t count, size_t size)
{
    size_t total;
    if (fg_mul_overflow(count, size, &total))
        return overflowed(arena);
    void *p = fg_arena_alloc(arena, total);
    if (p)
        memset(p, 0, total);
    return p;
}

char *fg_arena_string(struct fg_arena *arena, struct fg_slice bytes)
{
    size_t total;
    if (fg_add_overflow(bytes.size, (size_t)1, &total))
        return overflowed(arena);
    char *p = fg_arena_alloc(arena, total);
    if (!p)
        return NULL;
    if (bytes.size)
        memcpy(p, bytes.data, bytes.size);
    p[bytes.size] = 0;
    return p;
}

struct fg_slice fg_arena_copy(struct fg_arena *arena, struct fg_slice bytes)
{
    uint8_t *p = fg_arena_alloc(arena, bytes.size);
    if (!p)
        return fg_slice(NULL, 0);
    if (bytes.size)
        memcpy(p, bytes.data, bytes.size);
    return fg_slice(p, bytes.size);
}

static void blocks_free(struct fg_arena_block *block)
{
    while (block) {
        struct fg_arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void fg_arena_reset(struct fg_arena *arena)
{
#ifdef FG_ARENA_MALLOC
    blocks_free(arena->blocks);
    arena->blocks = NULL;
#else
    if (arena->blocks) {
        blocks_free(arena->blocks->next);
        arena->blocks->next = NULL;
        arena->blocks->used = 0;
    }
#endif
    arena->used_bytes = 0;
    arena->overflow = false;
}

void fg_arena_free(struct fg_arena *arena)
{
    blocks_free(arena->blocks);
    arena->blocks = NULL;
    arena->used_bytes = 0;
    arena->overflow = false;
}
