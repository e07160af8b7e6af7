/* store/store.h in memory, without a disk, threads or merging: blocks in the order in which they
 * came, each looked through from the first row to the last. It does what a test tells it to do
 * wrong. Thread-safe. */
#pragma once

#include "store/store.h"

struct fake_store_faults {
    int append;             /* what fg_store_append_take() returns */
    int commit;             /* what done is told */
    int read;               /* what traces, scans and rollups return */
    int admin;              /* what seal, settle, erase and backup return */
    uint32_t damaged_pages; /* that every read reports */
    bool truncated;         /* traces are */
    bool large;             /* traces are, for whom they may not be */
    uint64_t backup_steps;  /* progress calls of a backup */
    uint64_t missed_spans;  /* that the next follow reports */
};

struct fg_store *fake_store_new(void);
void fake_store_free(struct fg_store *store);

void fake_store_set_faults(struct fg_store *store, const struct fake_store_faults *faults);
/* What fg_store_counters() gives, but for the spans that are there. */
void fake_store_set_counters(struct fg_store *store, const struct fg_store_counters *counters);
/* How often somebody looked for what came. */
uint64_t fake_store_follows(struct fg_store *store);
/* How many scans and traces were asked for. */
uint64_t fake_store_reads(struct fg_store *store);
/* The retention that was set last. */
struct fg_retention fake_store_retention(struct fg_store *store);
