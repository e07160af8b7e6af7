/* What upkeep remembers between its jobs, how fast it may write, and how it is told to stop. */
#pragma once

#include "os/thread.h"
#include "store/store.h"

#include <stdatomic.h>

struct fg_upkeep {
    struct fg_mutex lock; /* FG_RANK_LEAF */
    struct fg_cond wake;
    bool is_stopping;
    uint64_t paced_until_ns; /* monotonic: when what was written so far is due */

    atomic_uint merge_load; /* blocks.h; as the last plan found it */

    /* The store's job_lock: one job at a time. */
    bool is_thorough; /* everything that can be done, though nothing presses */
    uint64_t merge_after_ns, retention_after_ns, kept_after_ns; /* monotonic; not before */
    uint64_t policies_seen; /* the generation that was looked at */
    uint64_t kept_place; /* tenant and day: kept segments up to it were looked at in this round */
};

struct fg_local;

void fg_upkeep_init(struct fg_upkeep *upkeep);
void fg_upkeep_destroy(struct fg_upkeep *upkeep);
/* A job that runs ends soon with FG_ECANCELLED; none begins any more. */
void fg_upkeep_stop(struct fg_upkeep *upkeep);
bool fg_upkeep_is_stopping(struct fg_upkeep *upkeep);

/* Waits until so many bytes more may be written. Not in a manual store, whose clock its caller
 * turns. */
void fg_upkeep_pace(struct fg_local *local, size_t bytes);
