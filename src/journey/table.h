/* The records of journeys, found by key and value and by the traces that they are in, and a heap of
 * when to look at which again. Not thread-safe. */
#pragma once

#include "base/tagmap.h"
#include "case.h"

/* What is wrong with a journey, for lists; in one piece of memory. */
struct fg_trouble {
    struct fg_slice service, name, text;
    double confidence;
    uint8_t bytes[];
};

struct fg_record {
    uint64_t hash;
    uint32_t key; /* index of the key */
    uint32_t value_size;
    char *value;
    uint64_t first_ns, last_ns; /* of its spans */
    uint64_t since_ns, deadline_ns;
    uint64_t look_ns;    /* when to judge it next; 0: not planned */
    uint64_t judged_ns;  /* when it was judged last */
    uint64_t learned_ns; /* what was before it has taught */
    uint32_t judge_ms;   /* what that took: a large journey is judged less often */
    struct fg_trace_ref *traces;
    uint8_t *trace_marks;       /* of each trace: whether it matters, as one that reached a step */
    uint64_t *reached_ns;       /* of the steps that were reached, in their order */
    struct fg_trouble *trouble; /* NULL: none */
    struct fg_trouble *recovered; /* the last trouble that it got over; NULL: none */
    uint64_t recovered_since_ns, recovered_until_ns;
    uint64_t reached; /* bits */
    uint16_t trace_count, trace_capacity;
    bool more_traces, is_dirty;
    bool is_dead;        /* it is about to be dropped; the follower's own mark */
    bool looks_to_learn; /* what is planned at look_ns is no judging */
    bool is_changed;     /* since it was put on disk */
    bool was_absent;     /* on disk it is marked as absent: see vault.h */
    uint64_t
        stored_look_ns; /* when the disk's table leads to it, no later than it is due; 0: never */
    uint8_t state, place, cause; /* enum fg_journey_state, fg_place_kind, fg_cause */
    uint8_t recovered_place, recovered_cause;
    uint8_t last_step, expected_step; /* NO_STEP */
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

#define FG_NO_RECORD FG_TAGMAP_NONE

struct fg_look {
    uint64_t at_ns;
    uint32_t record;
};

struct fg_table {
    struct fg_tagmap by_value; /* numbers of records */
    struct fg_tagmap by_trace; /* the same, once for each trace that a record is in */
    uint32_t trace_version;    /* of by_trace, which is made anew from time to time */
    struct fg_record *records;
    uint32_t count, capacity, count_max;
    struct fg_look *looks; /* a binary heap, the earliest first; stale ones are skipped */
    uint32_t look_count, look_capacity;
    uint64_t evicted;
};

void fg_table_init(struct fg_table *table, uint32_t count_max);
void fg_table_free(struct fg_table *table);

/* FG_NO_RECORD where there is none. */
uint32_t fg_table_find(const struct fg_table *table, uint32_t key, struct fg_slice value);
/* Puts it in where it is new. FG_ENOMEM, FG_ELIMIT: full. */
FG_MUST_CHECK int fg_table_intern(struct fg_table *table, uint32_t key, struct fg_slice value,
                                  uint32_t *ret_record, bool *ret_is_new);
/* Puts in a record that is not there, with its traces and its plan. It is taken, also on failure:
 * its parts are the table's, or freed. FG_ENOMEM, FG_ELIMIT: full. */
FG_MUST_CHECK int fg_table_adopt_take(struct fg_table *table, struct fg_record *record,
                                      uint32_t *ret_record);
/* Marks a quarter of the records as dead: ended ones first, then those heard least lately, those in
 * trouble last; where more have ended up to half of all, and up to three eighths where more are
 * well, since each time all that stay are mapped anew, and pages all over the disk are written.
 * FG_ENOMEM. */
FG_MUST_CHECK int fg_table_choose(struct fg_table *table);
/* Drops the records that are so chosen. Numbers of records change; looks are kept. FG_ENOMEM.
 */
FG_MUST_CHECK int fg_table_make_room(struct fg_table *table);
/* Drops those that are marked dead. FG_ENOMEM. */
FG_MUST_CHECK int fg_table_drop_dead(struct fg_table *table);
/* The same in two parts, of which the first leaves the table as it is, so that others may read it
 * meanwhile: a table with room for count_max, of those that are not marked dead; the parts of its
 * records stay those of the other one. FG_ENOMEM. */
FG_MUST_CHECK int fg_table_without_dead(const struct fg_table *table, uint32_t count_max,
                                        struct fg_table *ret_table);
/* And this frees what the other one has alone: the dead, and what found all. */
void fg_table_free_dead(struct fg_table *table);
/* Frees the record's parts, and clears it. */
void fg_record_free(struct fg_record *record);

/* Notes that the record is in the trace. Of more than FG_JOURNEY_TRACES_MAX the oldest that does
 * not matter makes room (a page that asks for an order again and again makes hundreds), the first
 * one excepted; where all matter the oldest of them does, and more_traces is set. FG_ENOMEM. */
FG_MUST_CHECK int fg_table_join(struct fg_table *table, uint32_t record, struct fg_trace_ref trace);
/* The same of a trace that names no key, by what it belongs to; nothing where it names one. */
FG_MUST_CHECK int fg_table_join_other(struct fg_table *table, uint32_t record,
                                      struct fg_trace_ref trace, bool *ret_is_new);
/* Notes something of the trace; one that MATTERS tells of the journey what must not be lost, and is
 * kept. */
void fg_table_mark(struct fg_table *table, uint32_t record, struct fg_trace_ref trace,
                   enum fg_trace_mark mark);
uint64_t fg_trace_hash(struct fg_trace_ref trace);

/* The records of a trace. Where records join traces between two calls one may be told twice. */
struct fg_trace_walk {
    struct fg_trace_ref trace;
    struct fg_tagmap_walk in;
    uint32_t version;
};
struct fg_trace_walk fg_table_trace_walk(const struct fg_table *table, struct fg_trace_ref trace);
/* FG_NO_RECORD at the end. */
uint32_t fg_table_trace_next(const struct fg_table *table, struct fg_trace_walk *walk);
/* The first of them; FG_NO_RECORD: none. */
uint32_t fg_table_trace(const struct fg_table *table, struct fg_trace_ref trace);

/* As done, or cancelled. */
bool fg_record_has_ended(const struct fg_record *record);
/* When a step was reached; 0: it was not. */
uint64_t fg_record_reached_ns(const struct fg_record *record, uint32_t step);
/* The same of each step. */
void fg_record_steps(const struct fg_record *record, uint64_t ret_ns[FG_FLOW_STEPS_MAX]);
/* A step is reached then, whatever was known of it. FG_ENOMEM leaves the record as it was. */
FG_MUST_CHECK int fg_record_reach(struct fg_record *record, uint32_t step, uint64_t at_ns);
/* No step was reached. */
void fg_record_unreach(struct fg_record *record);

/* Plans to look at the record, in the place of what was planned. FG_ENOMEM. */
FG_MUST_CHECK int fg_table_plan(struct fg_table *table, uint32_t record, uint64_t at_ns);
/* The next that is due at now_ns; FG_NO_RECORD. Its plan is over. */
uint32_t fg_table_due(struct fg_table *table, uint64_t now_ns);
