/* What is kept of a journey: its traces, the steps that it reached, where it stands. */
#pragma once

#include "case.h"

/* What is wrong with a journey, for lists; in one piece of memory. */
struct fg_trouble {
    struct fg_slice service, name, text;
    double confidence;
    uint64_t since_ns, until_ns; /* of one that it got over */
    uint8_t place, cause;        /* the same */
    uint8_t bytes[];
};

/* There may be millions. */
struct fg_record {
    uint64_t hash;
    char *value;                 /* behind the traces, steps and marks: */
    struct fg_trace_ref *traces; /* the begin of the piece of memory in which all four lie */
    uint64_t *reached_ns;        /* of the steps that were reached, in their order */
    uint8_t *trace_marks;        /* of each trace: whether it matters, as one that reached a step */
    uint64_t first_ns, last_ns;  /* of its spans */
    uint64_t since_ns, deadline_ns;
    uint64_t look_ns; /* when to judge it next; 0: not planned */
    uint64_t
        stored_look_ns;  /* when the disk's table leads to it, no later than it is due; 0: never */
    uint64_t judged_ns;  /* when it was judged last */
    uint64_t learned_ns; /* what was before it has taught */
    struct fg_trouble *trouble;   /* NULL: none */
    struct fg_trouble *recovered; /* the last trouble that it got over; NULL: none */
    uint64_t reached;             /* bits */
    uint32_t judge_ms; /* what the last judging took: a large journey is judged less often */
    uint32_t look_at;  /* where it stands in the table's plan, and one; 0: it does not */
    uint32_t look_s;   /* and no later than at this second of the wall clock; 0: not known */
    uint16_t key;      /* index of the key */
    uint16_t value_size;
    uint16_t trace_count, trace_capacity;
    uint8_t step_capacity;
    uint8_t state, place, cause;      /* enum fg_journey_state, fg_place_kind, fg_cause */
    uint8_t last_step, expected_step; /* NO_STEP */
    bool more_traces, is_dirty;
    bool looks_to_learn; /* what is planned at look_ns is no judging */
    bool is_changed;     /* since it was put on disk */
    bool was_absent;     /* on disk it is marked as absent: see vault.h */
};

#define FG_NO_STEP UINT8_MAX

/* LISTED: on disk the trace leads to the record (vault.h). UNNAMED: it has spans that name no
 * journey. NAMED: it had joined, and names the journey by now. COUNTED: keep.c has counted it among
 * those that went to disk. SIEVED: the filter of absent traces has it; of this process, so that it
 * is not on disk. */
enum fg_trace_mark {
    FG_TRACE_MATTERS = 1,
    FG_TRACE_JOINED = 2,
    FG_TRACE_LISTED = 4,
    FG_TRACE_UNNAMED = 8,
    FG_TRACE_COUNTED = 16,
    FG_TRACE_SIEVED = 32,
    FG_TRACE_NAMED = 64
};

/* What finds a trace; and whether two are the same. */
uint64_t fg_trace_hash(struct fg_trace_ref trace);
static inline bool fg_trace_is_same(struct fg_trace_ref a, struct fg_trace_ref b)
{
    return a.low == b.low && a.high == b.high;
}

/* A record of the value, with room for so many traces and steps and without any: all that it keeps
 * of them and the value lies in one piece of memory, which the caller frees with it
 * (fg_record_free()). At most FG_JOURNEY_TRACES_MAX traces, FG_FLOW_STEPS_MAX steps. FG_ENOMEM. */
FG_MUST_CHECK int fg_record_make(struct fg_record *record, struct fg_slice value, uint32_t traces,
                                 uint32_t steps);
/* Frees the record's parts, and clears it. */
void fg_record_free(struct fg_record *record);

/* A trace behind the others, of which there are fewer than FG_JOURNEY_TRACES_MAX. FG_ENOMEM leaves
 * the record as it was. */
FG_MUST_CHECK int fg_record_add_trace(struct fg_record *record, struct fg_trace_ref trace,
                                      uint8_t marks);
/* Takes out the trace at this place. */
void fg_record_drop_trace(struct fg_record *record, uint32_t at);
/* The place of a trace; trace_count: it is none of the record's. */
uint32_t fg_record_trace(const struct fg_record *record, struct fg_trace_ref trace);

/* As done, or cancelled. */
bool fg_record_has_ended(const struct fg_record *record);
bool fg_journey_has_ended(enum fg_journey_state state);
/* Late, stuck, or broken. */
bool fg_journey_is_trouble(enum fg_journey_state state);
bool fg_record_is_in_trouble(const struct fg_record *record);
/* How many steps were reached. */
uint32_t fg_record_step_count(const struct fg_record *record);
/* When a step was reached; 0: it was not. */
uint64_t fg_record_reached_ns(const struct fg_record *record, uint32_t step);
/* The same of each step. */
void fg_record_steps(const struct fg_record *record, uint64_t ret_ns[FG_FLOW_STEPS_MAX]);
/* A step is reached then, whatever was known of it. FG_ENOMEM leaves the record as it was. */
FG_MUST_CHECK int fg_record_reach(struct fg_record *record, uint32_t step, uint64_t at_ns);
/* No step was reached. */
void fg_record_unreach(struct fg_record *record);
