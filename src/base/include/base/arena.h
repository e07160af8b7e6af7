/* A bounded arena: many small allocations, one free. Not thread-safe.
 *
 * An allocation past the bound, or one that malloc refuses, returns NULL and sets a flag that stays
 * set, so that a long piece of work can check once at its end. With -Darena_malloc=true each
 * allocation is a malloc of its own, so that AddressSanitizer sees an overrun. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

struct fg_arena {
    struct fg_arena_block *blocks; /* newest first */
    size_t used_bytes;             /* handed out so far, alignment included */
    size_t bytes_max;
    bool overflow;
};

/* No memory is taken until the first allocation. */
void fg_arena_init(struct fg_arena *arena, size_t bytes_max);

/* 16-byte aligned, not zeroed. NULL on overflow. */
void *fg_arena_alloc(struct fg_arena *arena, size_t size);

/* As fg_arena_alloc(), zeroed; checks count * size. */
void *fg_arena_calloc(struct fg_arena *arena, size_t count, size_t size);

/* A NUL-terminated copy; embedded NULs are copied as they are. */
char *fg_arena_string(struct fg_arena *arena, struct fg_slice bytes);

/* A copy; {NULL, 0} on overflow. */
struct fg_slice fg_arena_copy(struct fg_arena *arena, struct fg_slice bytes);

/* Frees everything but the newest block, and clears the flag: for reuse. */
void fg_arena_reset(struct fg_arena *arena);

/* Frees everything. The arena may be used again. */
void fg_arena_free(struct fg_arena *arena);
