/* What journeys that stopped have in common, and those that are well have not: a version, a host,
 * an instance, a queue, or an attribute that was chosen.
 *
 * Nothing is kept for it: some of the journeys are read when somebody asks, within a budget, so
 * that records stay small and ingest pays nothing. All calls may come from any thread. */
#pragma once

#include "journey/journeys.h"

/* Of each side so many are read, and of each journey its last traces. */
#define FG_COMMON_JOURNEYS_MAX 64u
#define FG_COMMON_TRACES_MAX   8u
#define FG_COMMON_FACETS_MAX   2048u /* values that are told apart */
#define FG_COMMON_SHOWN_MAX    8u
#define FG_COMMON_TIME_NS      (1 * FG_NS_PER_SECOND)
/* With fewer on either side nothing is said. */
#define FG_COMMON_JOURNEYS_MIN 5u
/* At least this share of the stopped has a value, and at most that of the healthy. */
#define FG_COMMON_STOPPED_SHARE 0.8
#define FG_COMMON_HEALTHY_SHARE 0.3

struct fg_journey_facet {
    struct fg_slice service, attribute, value;
    uint32_t stopped, healthy; /* of those read, how many have it */
};

struct fg_journey_common {
    uint64_t count;                        /* that stopped and pass the filter */
    uint32_t stopped, healthy;             /* of them, and of healthy ones, that were read */
    bool are_few;                          /* on one side: nothing is said */
    bool is_partial;                       /* the budget was spent, or there were too many values */
    const struct fg_journey_facet *facets; /* those that tell them apart best first */
    uint32_t facet_count;
};

/* Of late, stuck and broken journeys that pass the filter, against those that are well, of the same
 * keys and heard since the first of them stopped, or an hour before. Which of many are read their
 * names decide, so that the same are read again. deadline_mono_ns: past it what was read counts.
 * FG_ENOMEM, FG_ELIMIT, FG_EIO. */
FG_MUST_CHECK int fg_journeys_common(struct fg_journeys *journeys,
                                     const struct fg_journey_filter *filter,
                                     uint64_t deadline_mono_ns, struct fg_arena *arena,
                                     struct fg_journey_common *ret_common);
