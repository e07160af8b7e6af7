/* The records of journeys, found by key and value and by the traces that they are in, and a heap of
 * when to look at which again. Not thread-safe. */
#pragma once

#include "base/tagmap.h"
#include "record.h"

#include <stdint.h>

#define FG_NO_RECORD FG_TAGMAP_NONE

struct fg_look {
    uint64_t at_ns;
    uint32_t record;
};

/* Records lie in blocks of so many, and stay where they are. */
#define FG_BLOCK_RECORDS 1024u

/* Those that are looked for while the others are not read: of a million few are. DEAD: they are
 * about to go. */
enum fg_table_set {
    FG_TABLE_ALL,
    FG_TABLE_ENDED,
    FG_TABLE_IN_TROUBLE,
    FG_TABLE_DEAD,
    FG_TABLE_SETS
};

struct fg_block {
    uint32_t used, next_free; /* places; the first one in a list, FG_NO_RECORD: none */
    uint64_t sets[FG_BLOCK_RECORDS / 64][FG_TABLE_SETS]; /* bits: of each word's places */
};

/* A record's number is its place. It is another one's after the record was dropped, and a record
 * gets another when places are given back (fg_table_close_ranks()). */
struct fg_table {
    struct fg_tagmap by_value; /* numbers of records */
    struct fg_tagmap by_trace; /* the same, once for each trace that a record is in */
    uint32_t trace_version;    /* of by_trace: walks that were begun before are begun anew */
    struct fg_block *blocks;
    struct fg_record **records; /* of each block; NULL: none of its places is taken */
    uint32_t block_count, block_capacity;
    uint32_t first_open; /* all blocks before it are full */
    uint32_t count, count_max;
    bool is_dropping;      /* records that are dead are not there any more */
    struct fg_look *looks; /* a heap, the earliest first: looks.c */
    uint32_t look_count, look_capacity;
    uint64_t evicted;
    uint64_t version; /* of the numbers: a pass over all that saw some of them begins anew */
};

/* Numbers are below it. */
static inline uint32_t fg_table_end(const struct fg_table *table)
{
    return table->block_count * FG_BLOCK_RECORDS;
}

/* The record of a number that has one. */
static inline struct fg_record *fg_table_record(const struct fg_table *table, uint32_t id)
{
    return &table->records[id / FG_BLOCK_RECORDS][id % FG_BLOCK_RECORDS];
}

/* Whether the record of a number is of a set. */
static inline bool fg_table_is(const struct fg_table *table, enum fg_table_set set, uint32_t id)
{
    return table->blocks[id / FG_BLOCK_RECORDS].sets[id % FG_BLOCK_RECORDS / 64][set] >> id % 64 &
           1;
}

/* The record of a number below the end; NULL: there is none. */
static inline struct fg_record *fg_table_at(const struct fg_table *table, uint32_t id)
{
    if (!table->records[id / FG_BLOCK_RECORDS])
        return NULL;
    struct fg_record *record = fg_table_record(table, id);
    return record->value && !(table->is_dropping && fg_table_is(table, FG_TABLE_DEAD, id)) ? record
                                                                                           : NULL;
}

/* The first number of a set's from one on and below the end, FG_NO_RECORD: there is none. Of those
 * that are there: while some are dropped none of them is. */
uint32_t fg_table_next(const struct fg_table *table, enum fg_table_set set, uint32_t from,
                       uint32_t end);
/* Each of a set, of which any may leave it meanwhile. */
#define FG_TABLE_EACH(table, set, id)                                                              \
    for (uint32_t id = 0; (id = fg_table_next(table, set, id, UINT32_MAX)) != FG_NO_RECORD; id++)
/* How many are of a set. */
uint32_t fg_table_count(const struct fg_table *table, enum fg_table_set set);

void fg_table_init(struct fg_table *table, uint32_t count_max);
void fg_table_free(struct fg_table *table);

/* FG_NO_RECORD where there is none. */
uint32_t fg_table_find(const struct fg_table *table, uint32_t key, struct fg_slice value);
/* Puts it in where it is new. Records stay where they are. FG_ENOMEM, FG_ELIMIT: full. */
FG_MUST_CHECK int fg_table_intern(struct fg_table *table, uint32_t key, struct fg_slice value,
                                  uint32_t *ret_record, bool *ret_is_new);
/* Puts in a record that is not there, with its traces and its plan. It is taken, also on failure:
 * its parts are the table's, or freed. FG_ENOMEM, FG_ELIMIT: full. */
FG_MUST_CHECK int fg_table_adopt_take(struct fg_table *table, struct fg_record *record,
                                      uint32_t *ret_record);
/* The record is about to go, or is not. */
void fg_table_mark_dead(struct fg_table *table, uint32_t record, bool is_dead);
/* Marks those that have ended as dead, but for those in doubt; returns how many. */
uint32_t fg_table_choose_ended(struct fg_table *table);
/* Marks a quarter of the records as dead: ended ones first, then those heard least lately, those in
 * trouble last; up to so many eighths where more are well. FG_ENOMEM. */
FG_MUST_CHECK int fg_table_choose(struct fg_table *table, uint32_t eighths);
/* Drops those that are marked dead. */
void fg_table_drop_dead(struct fg_table *table);
/* The same in pieces, between which others may read the table: from the first on none of the dead
 * is there any more; some more of them go, from *at on, 0 at first, which is where the next piece
 * begins; true: all have gone. begin returns how many they are. */
uint32_t fg_table_begin_drop(struct fg_table *table);
bool fg_table_drop_some(struct fg_table *table, uint32_t *at);
/* Records past the place end get free ones before it, the last first, and blocks that are empty
 * then go: at most max of those that movable() says yes to. Returns how many. */
uint32_t fg_table_close_ranks(struct fg_table *table, uint32_t end, uint32_t max,
                              bool (*movable)(const struct fg_record *record));

/* Whether what finds records has room for as many more of them, and as many traces. */
bool fg_table_has_room(const struct fg_table *table, uint32_t records, uint32_t traces);
/* Whether it takes far more memory than it needs. */
bool fg_table_is_sparse(const struct fg_table *table);
/* What finds them anew, as wide as room for so many more needs it; others may read the table
 * meanwhile, which stays as it is. FG_ENOMEM. */
struct fg_table_maps {
    struct fg_tagmap by_value, by_trace;
};
FG_MUST_CHECK int fg_table_widened(const struct fg_table *table, uint32_t records, uint32_t traces,
                                   struct fg_table_maps *ret_maps);
/* And takes it in the place of what there was, which *maps has then. */
void fg_table_exchange(struct fg_table *table, struct fg_table_maps *maps);
void fg_table_free_maps(struct fg_table_maps *maps);

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

/* The record has ended, or is in trouble, or neither, otherwise than before. */
void fg_table_see_state(struct fg_table *table, uint32_t record);

/* Plans to look at the record, in the place of what was planned. FG_ENOMEM. */
FG_MUST_CHECK int fg_table_plan(struct fg_table *table, uint32_t record, uint64_t at_ns);
/* The next that is due at now_ns: its plan is over; false: there is none. *ret_record is
 * FG_NO_RECORD where it was put off or given up meanwhile, and the next call goes on: others may be
 * let in between, since at one time as many may come up as there are records. */
bool fg_table_due(struct fg_table *table, uint64_t now_ns, uint32_t *ret_record);
/* Nothing is planned for the record any more. */
void fg_table_unplan(struct fg_table *table, uint32_t record);
/* The same of one that is about to go: nothing leads to its number. */
void fg_table_drop_plan(struct fg_table *table, uint32_t record);
/* The record has got this number: its plan is told. */
void fg_table_move_plan(struct fg_table *table, uint32_t record);
