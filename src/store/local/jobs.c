/* The upkeep of the blocks, most urgent first. */
#include "local/local.h"

#include "base/limits.h"

bool fg_local_is_behind(struct fg_blocks *blocks)
{
    struct fg_local *local = (struct fg_local *)blocks;
    return atomic_load_explicit(&local->counters.merge_debt_bytes, memory_order_relaxed) >
           FG_MERGE_DEBT_BYTES_MAX;
}

const struct fg_local_job fg_local_jobs[1];
const size_t fg_local_job_count = 0;
