/* The list of upkeep's jobs, the most pressing first: expiry makes room, and what has expired need
 * not be merged. */
#include "local/jobs.h"

#include "base/limits.h"

const struct fg_local_job fg_local_jobs[] = {
    {"expiry", fg_retention_job},
    {"merge", fg_merge_job},
    {"kept traces", fg_kept_job},
};
const size_t fg_local_job_count = sizeof fg_local_jobs / sizeof *fg_local_jobs;

bool fg_job_wants_reserve(struct fg_local *local)
{
    return fg_space_release(local->space);
}

int fg_job_edit(struct fg_local *local, const struct fg_job_edit *job)
{
    uint64_t removed[FG_MERGE_INPUTS_MAX];
    for (size_t i = 0; i < job->input_count; i++)
        removed[i] = job->inputs[i]->entry.id;
    const struct fg_manifest_edit edit = {
        .add = job->added,
        .add_count = job->added != NULL,
        .remove = removed,
        .remove_count = job->input_count,
        .add_rollups = job->added_rollup,
        .add_rollup_count = job->added_rollup != NULL,
        .remove_rollups = job->removed_rollup ? &job->removed_rollup->id : NULL,
        .remove_rollup_count = job->removed_rollup != NULL,
    };
    int r = fg_local_edit(local, &edit);
    if (r == 0 || r == FG_EIO)
        return r; /* with FG_EIO a manifest that may be in force names them */
    if (job->added)
        fg_local_discard(local, job->added->id);
    char path[FG_LOCAL_PATH_SIZE_MAX];
    if (job->added_rollup) {
        fg_local_rollup_path(local, job->added_rollup->id, path);
        (void)!fg_env_unlink(local->env, path); /* otherwise garbage to the next start */
    }
    return r;
}
