/* The records of journeys, found by key and value and by the traces that they are in, and a heap of
 * when to look at which again. Not thread-safe. */
#pragma once

#include "base/idmap.h"
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
    uint64_t look_ns;   /* when to judge it next; 0: not planned */
    uint64_t judged_ns; /* when it was judged last */
    uint32_t judge_ms;  /* what that took: a large journey is judged less often */
    struct fg_trace_ref *traces;
    uint64_t *reached_ns;       /* by step; 0: not reached. NULL without a flow */
    struct fg_trouble *trouble; /* NULL: none */
    uint64_t reached;           /* bits */
    uint16_t trace_count, trace_capacity;
    bool more_traces, is_dirty, is_dead;
    uint8_t state, place, cause;      /* enum fg_journey_state, fg_place_kind, fg_cause */
    uint8_t last_step, expected_step; /* NO_STEP */
};

#define FG_NO_STEP UINT8_MAX

/* A trace that a journey is in. */
struct fg_membership {
    struct fg_trace_ref trace;
    uint32_t record;
    uint32_t next; /* of the same trace, another journey; FG_NO_RECORD */
};

#define FG_NO_RECORD UINT32_MAX

struct fg_look {
    uint64_t at_ns;
    uint32_t record;
};

struct fg_table {
    struct fg_idmap by_value, by_trace;
    struct fg_record *records;
    uint32_t count, capacity, count_max;
    struct fg_membership *memberships;
    uint32_t membership_count, membership_capacity;
    struct fg_look *looks; /* a binary heap, the earliest first; stale ones are skipped */
    uint32_t look_count, look_capacity;
    uint64_t evicted;
};

void fg_table_init(struct fg_table *table, uint32_t count_max);
void fg_table_free(struct fg_table *table);

/* FG_NO_RECORD where there is none. */
uint32_t fg_table_find(const struct fg_table *table, uint32_t key, struct fg_slice value);
/* Puts it in where it is new, with room for step_count steps. Where the table is full the records
 * that ended longest ago are dropped first (record numbers change: see fg_table_make_room()).
 * FG_ENOMEM, FG_ELIMIT: full. */
FG_MUST_CHECK int fg_table_intern(struct fg_table *table, uint32_t key, struct fg_slice value,
                                  uint32_t step_count, uint32_t *ret_record, bool *ret_is_new);
/* Drops an eighth of the records, ended ones first, then those heard least lately. Numbers of
 * records change; looks are kept. FG_ENOMEM. */
FG_MUST_CHECK int fg_table_make_room(struct fg_table *table);

/* Notes that the record is in the trace. FG_ENOMEM; a trace past FG_JOURNEY_TRACES_MAX is counted
 * in more_traces. */
FG_MUST_CHECK int fg_table_join(struct fg_table *table, uint32_t record, struct fg_trace_ref trace);
/* The first membership of a trace; FG_NO_RECORD. */
uint32_t fg_table_trace(const struct fg_table *table, struct fg_trace_ref trace);

/* Plans to look at the record, in the place of what was planned. FG_ENOMEM. */
FG_MUST_CHECK int fg_table_plan(struct fg_table *table, uint32_t record, uint64_t at_ns);
/* The next that is due at now_ns; FG_NO_RECORD. Its plan is over. */
uint32_t fg_table_due(struct fg_table *table, uint64_t now_ns);
