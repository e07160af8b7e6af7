/* The critical path of a trace: what, moment by moment, the trace waited for. Shortening a piece of
 * it shortens the trace; shortening anything else does not.
 *
 * Walked from the end back, as in "CRISP: Critical Path Analysis of Large-Scale Microservice
 * Architectures" (USENIX ATC 2022): within a span the child that ended last is what it waited for,
 * before that child's begin the one that ended last before then, and so on. What a consumer does
 * after its producer has ended belongs to the path too, and the time between them is a piece of its
 * own, in which the message waited. */
#pragma once

#include "query/skew.h"

struct fg_path_piece {
    uint32_t row; /* whose work it is; where is_queue is set whose message waited */
    bool is_queue;
    uint64_t start_ns, end_ns; /* clock-adjusted where a skew was given */
};

struct fg_critical_path {
    const struct fg_path_piece *pieces; /* in time */
    uint32_t count;
};

/* From the root's begin to the last end that hangs on it. skew may be NULL. An open span lasts to
 * open_until_ns. Takes n log n. FG_ELIMIT. */
FG_MUST_CHECK int fg_critical_path_find(const struct fg_batch *batch, const struct fg_tree *tree,
                                        const struct fg_skew *skew, uint64_t open_until_ns,
                                        struct fg_arena *arena, struct fg_critical_path *ret_path);
