/* Records that are about to be found, a batch's at a time: what finding them reads lies anywhere in
 * the memory of all, and is fetched for many at once while one alone would wait for each of it in
 * turn. Nothing hangs on it but time. */
#pragma once

#include "table.h"

/* Name and trace of a span. */
struct fg_warm {
    uint32_t key;
    struct fg_slice value;
    struct fg_trace_ref trace;
};

#define FG_WARM_MAX 128u

/* Who goes along a list of records: a record twice so many places before it is its turn, and its
 * parts so many. */
#define FG_WARM_AHEAD 12u
void fg_table_warm_record(const struct fg_table *table, uint32_t record);
void fg_table_warm_parts(const struct fg_table *table, uint32_t record);
/* Both, of those behind place at. */
void fg_table_warm_next(const struct fg_table *table, const uint32_t *records, uint32_t count,
                        uint32_t at);

/* At most FG_WARM_MAX. */
void fg_table_warm(const struct fg_table *table, const struct fg_warm *names, uint32_t count);

/* Those that are about to be dropped. */
void fg_table_warm_drop(const struct fg_table *table, const uint32_t *records, uint32_t count);
