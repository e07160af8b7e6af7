/* Upkeep's jobs, for jobs.c and their own files. Each comes with the store's job_lock held, does at
 * most one bounded piece of work, and says whether it did any. A failure has changed nothing; it is
 * tried again later. */
#pragma once

#include "local/local.h"

/* merge.c: one merge, where one is worth it. */
FG_MUST_CHECK int fg_merge_job(struct fg_local *local, bool *ret_did);
/* retention.c: what of one partition is past its age, or over the bytes. */
FG_MUST_CHECK int fg_retention_job(struct fg_local *local, bool *ret_did);
/* retention.c: kept segments whose traces need not be kept any more. */
FG_MUST_CHECK int fg_kept_job(struct fg_local *local, bool *ret_did);

/* A job met a full disk: whether it should be tried again at once, with the reserve's room. */
bool fg_job_wants_reserve(struct fg_local *local);

/* Replaces inputs by what a rewrite made of them, with new rollups where there are some. On failure
 * the new files are gone, as far as no manifest may name them. */
struct fg_job_edit {
    struct fg_local_segment *const *inputs;
    size_t input_count;
    const struct fg_manifest_segment *added; /* NULL: nothing stayed */
    const struct fg_manifest_rollup *added_rollup, *removed_rollup;
};
FG_MUST_CHECK int fg_job_edit(struct fg_local *local, const struct fg_job_edit *edit);
