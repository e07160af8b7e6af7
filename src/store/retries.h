/* Which requests were acknowledged within the last FG_RETRY_WINDOW_NS, by the hash of their bytes:
 * a sender that lost the answer and sends again is told yes without a second copy.
 *
 * A stop for most retries, not a promise: past FG_RETRIES_MAX the oldest are forgotten early, and
 * so are all when memory lacks. What comes through is one span, one row at the merge (resolve.h).
 * One thread. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct fg_retries;

FG_MUST_CHECK int fg_retries_new(struct fg_retries **ret_retries);
void fg_retries_free(struct fg_retries *retries);

/* Times are of the wall clock. request_hash is not 0. */
bool fg_retries_find(const struct fg_retries *retries, uint32_t tenant, uint64_t request_hash,
                     uint64_t now_ns);
void fg_retries_put(struct fg_retries *retries, uint32_t tenant, uint64_t request_hash,
                    uint64_t received_ns);
/* It was not acknowledged after all. */
void fg_retries_remove(struct fg_retries *retries, uint32_t tenant, uint64_t request_hash);
