/* The verdict on a journey: where it is, since when, and if it stopped, in which place and why,
 * with the spans and counts that this rests on. Codes are those of doc/journeys.md; texts are one
 * plain sentence in English, each of which the pages' catalogue (ui/src/words_verdict.ts) has in
 * other languages. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum fg_journey_state {
    FG_JOURNEY_FLOWING,   /* moves, inside its deadline */
    FG_JOURNEY_WAITING,   /* a person has to act */
    FG_JOURNEY_LATE,      /* past the deadline, and nothing says that it stopped */
    FG_JOURNEY_STUCK,     /* does not move; nothing failed on the journey itself */
    FG_JOURNEY_BROKEN,    /* something failed */
    FG_JOURNEY_DONE,      /* ended as planned */
    FG_JOURNEY_CANCELLED, /* ended on purpose */
    FG_JOURNEY_STATE_COUNT,
};

enum fg_place_kind {
    FG_PLACE_NONE, /* nowhere in particular: it flows, or has ended */
    FG_PLACE_APPLICATION,
    FG_PLACE_DATABASE,
    FG_PLACE_OBJECT_STORE,
    FG_PLACE_PRODUCER,
    FG_PLACE_CONSUMER,
    FG_PLACE_PROCESS,
    FG_PLACE_PAGE,
    FG_PLACE_BROKER,
    FG_PLACE_PERSON,
    FG_PLACE_UNKNOWN,
    FG_PLACE_KIND_COUNT,
};

enum fg_cause {
    FG_CAUSE_NONE,
    FG_CAUSE_ERROR,
    FG_CAUSE_WORK_SKIPPED,
    FG_CAUSE_CONNECTION_LIMIT,
    FG_CAUSE_SLOW_QUERY,
    FG_CAUSE_LOCK_WAIT,
    FG_CAUSE_REPLICA_MISSING,
    FG_CAUSE_REPLICA_LAG,
    FG_CAUSE_UNREACHABLE,
    FG_CAUSE_OUT_OF_SPACE,
    FG_CAUSE_SLOW,
    FG_CAUSE_WRONG_FORMAT,
    FG_CAUSE_WRONG_ROUTE,
    FG_CAUSE_REJECTED,
    FG_CAUSE_FALLING_BEHIND,
    FG_CAUSE_GONE,
    FG_CAUSE_DIED,
    FG_CAUSE_HUNG,
    FG_CAUSE_SCRIPT_ERROR,
    FG_CAUSE_STATE_DISAGREES,
    FG_CAUSE_FULL,
    FG_CAUSE_WAITING,
    FG_CAUSE_NOT_INSTRUMENTED,
    FG_CAUSE_TELEMETRY_LOST,
    FG_CAUSE_SAMPLED_OUT,
    FG_CAUSE_NOT_ENOUGH_EVIDENCE,
    FG_CAUSE_DEADLINE_TOO_TIGHT, /* records on disk hold these numbers: new ones stand last */
    FG_CAUSE_COUNT,
};

/* "stuck", "object_store", "connection_limit"; "none" for the 0 of places and causes. */
const char *fg_journey_state_name(enum fg_journey_state state);
const char *fg_place_kind_name(enum fg_place_kind kind);
const char *fg_cause_name(enum fg_cause cause);
/* False where there is no such state. */
bool fg_journey_state_parse(struct fg_slice name, enum fg_journey_state *ret_state);

struct fg_evidence {
    bool is_count; /* otherwise a span */
    uint64_t trace_id_high, trace_id_low, span_id;
    uint64_t value; /* of a count */
    struct fg_slice text;
    struct fg_slice query; /* of a count: a search that leads to what was counted; may be "" */
};

#define FG_EVIDENCE_MAX 8u

struct fg_place {
    enum fg_place_kind kind;
    struct fg_slice service; /* at fault; of a database or broker its address or name */
    struct fg_slice name;    /* operation, queue, table; may be "" */
};

/* What stopped a journey, as one rule found it. */
struct fg_finding {
    struct fg_place place;
    enum fg_cause cause;
    enum fg_journey_state state; /* LATE, STUCK, BROKEN or WAITING */
    uint64_t since_ns;
    double confidence; /* 0 to 1 */
    struct fg_slice text, next;
    struct fg_evidence evidence[FG_EVIDENCE_MAX];
    uint32_t evidence_count;
};

/* What a journey got over. */
struct fg_recovery {
    struct fg_place place;
    enum fg_cause cause; /* NONE: there was nothing */
    struct fg_slice text;
    uint64_t since_ns, until_ns; /* until it went on */
};

struct fg_verdict {
    enum fg_journey_state state;
    uint64_t since_ns; /* of the state */
    /* Place, cause, evidence, what to do. Of a journey that flows or has ended its place is NONE.
     */
    struct fg_finding finding;
    struct fg_slice flow;                     /* "" where the key has none */
    struct fg_slice last_step, expected_step; /* "" where there is none */
    uint64_t deadline_ns;                     /* for the expected step; 0: none */
    bool deadline_is_provisional;             /* it was learned, and nobody has accepted it */
    struct fg_recovery recovered; /* of a journey that is well: the last trouble it had */
    uint64_t first_ns, last_ns;   /* the journey's first and latest moment */
};
