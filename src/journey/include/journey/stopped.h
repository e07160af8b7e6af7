/* The journeys that stand: late, stuck or broken, as they were found when they were last looked at.
 */
#pragma once

#include "journey/journeys.h"

struct fg_journey_stopped {
    struct fg_slice key, value;
    enum fg_journey_state state;
    struct fg_place place;
    enum fg_cause cause;
    struct fg_slice text; /* the verdict's sentence */
    uint64_t since_ns;
};

/* Calls fn for each of them, in no order, with slices that are valid during the call and the
 * records' lock held now and then released: fn must be quick and must not call the journeys.
 * Non-zero ends it and is the result. FG_EAGAIN: the stored spans are still being read, or records
 * were dropped meanwhile; nothing is known for certain of those that were not told. Any thread. */
FG_MUST_CHECK int
fg_journeys_each_stopped(struct fg_journeys *journeys,
                         int (*fn)(void *arg, const struct fg_journey_stopped *stopped), void *arg);
