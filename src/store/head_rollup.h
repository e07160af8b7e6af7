/* The rollup of a head: what its spans will count as when they are sealed, and what they take back
 * of the head before it. Made when somebody asks, and from then on only added to, so that asking
 * again costs what came since. Freed with the head.
 *
 * Not thread-safe: calls for the heads of one store come one at a time. */
#pragma once

#include "head.h"
#include "store/rollup.h"

struct fg_head_rollup;

void fg_head_rollup_free(struct fg_head_rollup *rollup);

/* Counts what came to the head since the last call, up to the watermark. seed: a number that
 * senders can't know, the same for all heads. older: that of the head before it, which has counted
 * all; NULL: there is none any more. On failure *rollup is freed and NULL, and the next call begins
 * anew. FG_ENOMEM, FG_ELIMIT (more rows than can be numbered). */
FG_MUST_CHECK int fg_head_rollup_update(struct fg_head_rollup **rollup, uint32_t tenant,
                                        uint64_t seed, const struct fg_head_info *watermark,
                                        const struct fg_head_rollup *older);

/* Adds the minutes that overlap [start_ns_min, start_ns_max). */
FG_MUST_CHECK int fg_head_rollup_add(const struct fg_head_rollup *rollup, uint64_t start_ns_min,
                                     uint64_t start_ns_max, struct fg_rollup *to);
/* Takes back what was counted elsewhere and has ended since: after all was added. */
FG_MUST_CHECK int fg_head_rollup_take_back(const struct fg_head_rollup *rollup,
                                           uint64_t start_ns_min, uint64_t start_ns_max,
                                           struct fg_rollup *from);
