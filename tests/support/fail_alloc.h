/* Makes the Nth allocation fail, once or from there on. A test links fail_alloc_dep, which wraps
 * malloc, calloc, realloc and aligned_alloc in all that is linked statically; libraries of the
 * system are not touched.
 *
 *     for (uint64_t n = 1;; n++) {
 *         fail_alloc_at(n, false);
 *         int r = work();
 *         if (!fail_alloc_off())
 *             break;                 the work has fewer than n allocations
 *         assert(r == FG_ENOMEM);
 *     }
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* n counts from 1, the next allocation of any thread. */
void fail_alloc_at(uint64_t n, bool for_ever);

/* Lets allocations pass again. Whether any had failed. */
bool fail_alloc_off(void);

/* Allocations since the program's start. */
uint64_t fail_alloc_count(void);
