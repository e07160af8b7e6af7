/* Deleting from a table of the keyed state what an erase may have left in it. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct fg_state;

/* Looks at every row of a table, and deletes those that go: durable when it returns 0. Errors of
 * the state. */
FG_MUST_CHECK int fg_strike(struct fg_state *state, uint32_t table,
                            bool (*goes)(void *arg, struct fg_slice key, struct fg_slice value),
                            void *arg);
