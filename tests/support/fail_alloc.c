#include "fail_alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

static atomic_uint_least64_t count;
static atomic_uint_least64_t first; /* 0: none fails */
static atomic_uint_least64_t last;
static atomic_bool has_failed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t number, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t number, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void fail_alloc_at(uint64_t n, bool for_ever)
{
    atomic_store(&has_failed, false);
    uint64_t at = atomic_load(&count) + n;
    atomic_store(&last, for_ever ? UINT64_MAX : at);
    atomic_store(&first, at);
}

bool fail_alloc_off(void)
{
    atomic_store(&first, 0);
    return atomic_load(&has_failed);
}

uint64_t fail_alloc_count(void)
{
    return atomic_load(&count);
}

static bool fails(void)
{
    uint64_t number = atomic_fetch_add(&count, 1) + 1;
    uint64_t from = atomic_load(&first);
    if (from == 0 || number < from || number > atomic_load(&last))
        return false;
    atomic_store(&has_failed, true);
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t number, size_t size)
{
    return fails() ? NULL : __real_calloc(number, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}
