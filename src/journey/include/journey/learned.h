/* Flows as they are declared, as completed journeys show them, and what was accepted of that.
 * doc/journeys.md tells how they are learned. All calls may come from any thread. */
#pragma once

#include "journey/journeys.h"

#define FG_FLOW_BY_SIZE_MAX 200u /* bytes of who accepts */

/* What journeys go by. */
enum fg_flow_source {
    FG_FLOW_SOURCE_NONE, /* too little was learned */
    FG_FLOW_SOURCE_DECLARED,
    FG_FLOW_SOURCE_ACCEPTED, /* learned, and accepted as a whole */
    FG_FLOW_SOURCE_LEARNED,  /* and not accepted: provisional */
};
/* "declared" */
const char *fg_flow_source_name(enum fg_flow_source source);

/* How what was learned of a step differs from the flow. */
enum fg_flow_difference {
    FG_FLOW_NO_DEADLINE = 1, /* it has none, and one was learned */
    FG_FLOW_TOO_TIGHT = 2,   /* hops took longer than it allows: one in a hundred, or more */
    FG_FLOW_TOO_LOOSE = 4,   /* it allows more than twice of what was learned */
    FG_FLOW_PASSED_BY = 8,   /* it is no optional one, and many journeys don't take it */
    FG_FLOW_NOT_SEEN = 16,   /* no completed journey took it */
    FG_FLOW_NOT_IN_IT = 32,  /* journeys take it, and the flow has no such step */
};

struct fg_flow_step_view {
    struct fg_slice name, label, condition, service, human;
    const struct fg_flow_labels *labels, *humans; /* as in the flow */
    bool optional;
    enum fg_flow_end ends;
    const struct fg_slice *after; /* names of steps */
    uint32_t after_count;
    uint64_t declared_ns, accepted_ns; /* 0: none */
    uint64_t within_ns;                /* in force; 0: none */
    bool is_provisional;               /* what is in force was learned, and not accepted */
    uint32_t journeys, hops;           /* that were seen: that took it, and hops to it */
    double share;                      /* of the journeys that took it */
    uint64_t median_ns, quantile_ns;   /* of the hops; FG_LEARN_QUANTILE */
    uint64_t learned_ns;               /* the deadline that is proposed; 0: too little was seen */
    double confidence;                 /* in it */
    unsigned differences;              /* bits of enum fg_flow_difference */
};

struct fg_flow_view {
    struct fg_slice key, name;
    enum fg_flow_source source;
    uint64_t journeys;       /* completed ones that it was learned from, ever */
    uint64_t journeys_min;   /* fewer teach nothing that is used */
    uint64_t refused;        /* operations that found no place among the steps, or lost it */
    uint64_t accepted_at_ns; /* 0: nothing is accepted */
    struct fg_slice accepted_by;
    bool can_accept; /* there is something to accept */
    const struct fg_flow_step_view *steps;
    uint32_t step_count;
    struct fg_slice yaml; /* what is proposed, as `filigree serve --flows` takes it; "": nothing */
};

/* One of each key, in arena. FG_ELIMIT, FG_ENOMEM. */
FG_MUST_CHECK int fg_journeys_flows(struct fg_journeys *journeys, struct fg_arena *arena,
                                    const struct fg_flow_view **ret_flows, uint32_t *ret_count);

/* Accepts the flow that is proposed for a key, or of a declared one the deadlines of the steps that
 * are named; step_count 0: of all that have none. Durable when it returns 0; in force with the
 * follower's next tick. FG_ENOTFOUND: no such key or step; FG_EEXIST: there is nothing to accept;
 * FG_EINVALID: of a learned flow only all can be accepted; FG_EUNSUPPORTED: there is no keyed
 * state; others of the state. */
FG_MUST_CHECK int fg_journeys_flow_accept(struct fg_journeys *journeys, struct fg_slice key,
                                          const struct fg_slice *steps, uint32_t step_count,
                                          struct fg_slice by);
/* Takes back all that was accepted for a key. FG_EEXIST: nothing was; others as above. */
FG_MUST_CHECK int fg_journeys_flow_withdraw(struct fg_journeys *journeys, struct fg_slice key);
