/* What comes too often to be recorded one by one: the first of a kind is, those that follow within
 * a minute are counted, and the count is recorded when the minute is over. So a kind has at most
 * two records a minute, and there is a bound of kinds. */
#pragma once

#include "auth/audit.h"

#define FG_TALLY_KINDS_MAX 128u
#define FG_TALLY_TEXT_SIZE 64u

struct fg_tally {
    char action[FG_TALLY_TEXT_SIZE], what[FG_TALLY_TEXT_SIZE], result[FG_TALLY_TEXT_SIZE];
    char from[FG_TALLY_TEXT_SIZE]; /* of the last one */
    uint64_t count;                /* since the last record */
    uint64_t until_ns;             /* when its minute is over */
};

struct fg_tallies {
    struct fg_tally kinds[FG_TALLY_KINDS_MAX];
    size_t count;
};

/* Whether it is the first of its minute, to be recorded as it is; else it is counted. Past the
 * bound all other kinds are the last one. */
bool fg_tally_is_first(struct fg_tallies *tallies, const struct fg_audit_record *record,
                       uint64_t now_ns);
/* One whose minute is over and that has counted some; NULL: there is none. */
struct fg_tally *fg_tally_due(struct fg_tallies *tallies, uint64_t now_ns);
/* When the next one is due; UINT64_MAX: none has counted any. */
uint64_t fg_tally_next_ns(const struct fg_tallies *tallies);
/* Its count is recorded: another minute begins. */
void fg_tally_restart(struct fg_tally *tally, uint64_t now_ns);
