#include "base/large.h"

#include <sys/mman.h>

void *fg_large_alloc(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void fg_large_free(void *memory, size_t size)
{
    if (memory)
        munmap(memory, size);
}

void fg_large_fill(void *memory, size_t size)
{
    (void)madvise(memory, size, MADV_HUGEPAGE); /* where there are none it stays as it is */
}
