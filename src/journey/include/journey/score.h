/* The scorecard: what Filigree is there to improve, over two periods, each figure against its
 * target. doc/journeys.md defines every measure; a figure that rests on few things says so, one
 * that rests on nothing is not there. */
#pragma once

#include "base/arena.h"
#include "journey/incidents.h"

struct fg_store;

enum fg_score_measure {
    FG_SCORE_MTTR,         /* ns: mean time that an incident stood open */
    FG_SCORE_SUCCESS_RATE, /* 0 to 1: of the journeys that ended, those that were completed */
    FG_SCORE_RESPONSE_P50, /* ns: of requests that services answered */
    FG_SCORE_RESPONSE_P95,
    FG_SCORE_RESPONSE_P99,
    FG_SCORE_ERROR_RATE, /* 0 to 1: of those requests, the ones that failed */
    FG_SCORE_APDEX,      /* 0 to 1 */
    FG_SCORE_MEASURE_COUNT,
};
/* "mttr" */
const char *fg_score_measure_name(enum fg_score_measure measure);

/* Fewer than these, and a figure is one of few: incidents, journeys, requests. */
#define FG_SCORE_FEW_INCIDENTS 5u
#define FG_SCORE_FEW_JOURNEYS  20u
#define FG_SCORE_FEW_REQUESTS  100u

struct fg_score_figure {
    uint64_t count; /* what it rests on; 0: there is none, and no value */
    double value;
    bool is_few;
};

enum fg_score_target_kind {
    FG_SCORE_NO_TARGET,
    FG_SCORE_CHANGE,   /* value is a share of the figure before: -0.2 */
    FG_SCORE_POINTS,   /* value is added to the figure before: 0.01 */
    FG_SCORE_AT_LEAST, /* a level */
    FG_SCORE_AT_MOST,
};

struct fg_score_target {
    enum fg_score_target_kind kind;
    double value;
};

struct fg_score_line {
    struct fg_score_figure before, after;
    bool has_change;
    double change; /* of rates and apdex the difference, of times and the error rate a share */
    struct fg_score_target target;
    bool is_judged, is_met; /* against the target, where both sides are known */
};

/* Where the time of a service's requests goes: calls to others by name; its own is the rest. */
struct fg_score_part {
    struct fg_slice name;       /* "": its own work; "other": names past FG_SCORE_PARTS_MAX */
    double before_ns, after_ns; /* a request */
};
#define FG_SCORE_PARTS_MAX    32u
#define FG_SCORE_SERVICES_MAX 200u

struct fg_score_service {
    struct fg_slice service;
    uint64_t threshold_ns;                              /* of its apdex */
    struct fg_score_line lines[FG_SCORE_MEASURE_COUNT]; /* RESPONSE_…, ERROR_RATE, APDEX */
    const struct fg_score_part *parts;                  /* those that take most first */
    uint32_t part_count;
};

/* The requests of all services over one step of a period; after a period's begin as many steps as
 * after the other's end. */
struct fg_score_point {
    uint64_t count, error_count, p95_ns;
};
#define FG_SCORE_POINTS_MAX 60u

struct fg_score_period {
    uint64_t start_ns, end_ns;
    uint64_t incident_count, open_count; /* that ended in it; open at its end, or now */
    uint64_t done, cancelled, stopped;   /* journeys, by their end */
};

struct fg_score {
    struct fg_score_period before, after;
    struct fg_score_line lines[FG_SCORE_MEASURE_COUNT];
    const struct fg_score_service *services; /* by requests after, the most first */
    uint32_t service_count, more_services;
    const struct fg_score_point *points[2]; /* before: up to the split; after: from it on */
    uint32_t point_count;                   /* of each */
    uint64_t step_ns;
    uint64_t requests_from_ns; /* the first minute of the periods with requests; 0: none */
    uint64_t journeys_from_ns; /* the begin of the oldest journey that is known; 0: none */
    bool is_rebuilding;        /* not all journeys are known yet */
};

struct fg_score_rules;
/* apdex: "mes-api=2s", "*=500ms"; targets: "mttr=-20%", "success_rate=+1pt", "mttr=4h",
 * "response_p95=300ms", "apdex=0.9", "error_rate=none". What is not named has mission's defaults:
 * mttr -20 %, success_rate +1 pt, response times -10 %, error_rate -10 %, apdex 0.85; 500 ms.
 * FG_EINVALID: message says which and what was expected. FG_ENOMEM. */
FG_MUST_CHECK int fg_score_rules_new(const char *const *apdex, size_t apdex_count,
                                     const char *const *targets, size_t target_count, char *message,
                                     size_t message_size, struct fg_score_rules **ret_rules);
void fg_score_rules_free(struct fg_score_rules *rules);
uint64_t fg_score_threshold(const struct fg_score_rules *rules, struct fg_slice service);
struct fg_score_target fg_score_target_of(const struct fg_score_rules *rules,
                                          enum fg_score_measure measure);

struct fg_score_wanted {
    struct fg_store *store;
    uint32_t tenant;
    struct fg_journeys *journeys;
    struct fg_incidents *incidents;
    const struct fg_score_rules *rules;
    uint64_t before_ns, split_ns, end_ns; /* the periods: [before, split), [split, end) */
};

/* All of it lies in arena. Blocks for its reading. FG_ENOMEM, FG_ELIMIT, FG_EIO, FG_ECORRUPT. */
FG_MUST_CHECK int fg_score_read(const struct fg_score_wanted *wanted, struct fg_arena *arena,
                                struct fg_score *ret_score);

/* ends.c: journeys by their end, of [begin, split) and [split, end); *ret_from_ns is the begin of
 * the oldest that is known. False: not all are known yet. Any thread. */
struct fg_journey_ends {
    uint64_t done, cancelled, stopped;
};
bool fg_journeys_ends(struct fg_journeys *journeys, const uint64_t bounds_ns[3],
                      struct fg_journey_ends ret_ends[2], uint64_t *ret_from_ns);

/* incidents.c: of those that ended in [start, end) and are no part of another one how many, and how
 * long they stood open together; how many are open at the end. */
void fg_incidents_sum(struct fg_incidents *incidents, uint64_t start_ns, uint64_t end_ns,
                      uint64_t *ret_count, double *ret_open_ns, uint64_t *ret_open_count);
