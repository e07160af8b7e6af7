/* Which attribute names the business object of a company, by its spans alone: one with many values,
 * each on spans of several traces and services, few of them in one trace, and none on everything;
 * that counts nothing, describes no machine and no person, and was not redacted.
 *
 * Reads the newest spans, bounded; the same spans give the same answer. doc/journeys.md tells the
 * rules. */
#pragma once

#include "base/arena.h"

struct fg_store;

/* Spans, attributes that are looked at, and how often one may be met, in all. */
#define FG_PROPOSE_SPANS_MAX 200000u
#define FG_PROPOSE_KEYS_MAX  256u
#define FG_PROPOSE_FOUND_MAX 600000u
#define FG_PROPOSE_TIME_NS   (2 * FG_NS_PER_SECOND)
/* Fewer traces than this, and nothing is proposed. */
#define FG_PROPOSE_TRACES_MIN 30u

/* Why an attribute is no key; in this order the first that holds. */
enum fg_key_fault {
    FG_KEY_FITS,
    FG_KEY_WELL_KNOWN,  /* by its name it tells of a call, a machine or a person */
    FG_KEY_SECRET,      /* by its name */
    FG_KEY_REDACTED,    /* values of it were taken out */
    FG_KEY_FEW_VALUES,  /* fewer than 20 */
    FG_KEY_ONE_VALUE,   /* one of them is in more than a fifth of its traces */
    FG_KEY_COUNTS,      /* numbers, and its name is none of an identifier */
    FG_KEY_TOGETHER,    /* several values in one trace, on average more than 1.5 */
    FG_KEY_ONE_TRACE,   /* fewer than three in ten values are in several traces */
    FG_KEY_ONE_SERVICE, /* fewer than three in ten values are in several services */
    FG_KEY_GROUP,       /* each of its values has several of another that fits */
    FG_KEY_FAULT_COUNT,
};
/* "one_trace" */
const char *fg_key_fault_name(enum fg_key_fault fault);

struct fg_key_candidate {
    struct fg_slice name;
    enum fg_key_fault fault;
    struct fg_slice group_of;                /* of FG_KEY_GROUP: the other */
    uint64_t spans, traces, values;          /* that have it; of it */
    uint32_t services;                       /* whose spans have it */
    double coverage;                         /* of the traces that were read, those that have it */
    double several_traces, several_services; /* of its values, those in several */
    double values_a_trace;                   /* on average, of the traces that have it */
    double top_share;                        /* of its traces, those of its most frequent value */
    double score; /* 0 to 1: coverage and both shares, by values a trace */
};

struct fg_key_proposal {
    const struct fg_key_candidate *candidates; /* those that fit first, the best of them first */
    uint32_t count;                            /* the first of them is proposed, where it fits */
    uint64_t spans, traces;                    /* that were read */
    uint64_t refused_keys;                     /* spans' attributes past FG_PROPOSE_KEYS_MAX */
    bool is_partial;                           /* there are more spans than were read */
    bool are_few;                              /* traces: nothing is proposed */
};

struct fg_propose {
    struct fg_store *store;
    uint32_t tenant;
    uint64_t start_ns_min, start_ns_max; /* of spans */
    uint64_t deadline_mono_ns;           /* 0: none; past it what was read counts */
};

/* All of it lies in arena. Blocks for its reading. FG_ENOMEM, FG_ELIMIT, FG_EIO. */
FG_MUST_CHECK int fg_key_propose(const struct fg_propose *propose, struct fg_arena *arena,
                                 struct fg_key_proposal *ret_proposal);
