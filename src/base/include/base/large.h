/* Memory of megabytes that is read all over: what finds a million orders. Each read of it waits
 * twice, for the memory and for the processor's table of pages, unless the pages are large ones. */
#pragma once

#include <stddef.h>

/* Zeroed, at the begin of a page; a page takes no memory before it is written. NULL: there is none.
 * fg_large_free() with the same size. Any thread. */
void *fg_large_alloc(size_t size);
void fg_large_free(void *memory, size_t size);
/* Nearly all of its pages are written, or will be: the system may put it on large ones. */
void fg_large_fill(void *memory, size_t size);
