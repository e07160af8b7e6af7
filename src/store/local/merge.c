/* Merging: many small segments of a partition become one, by merge_plan.h's choice.
 *
 *     plan -> rewrite (new file, synced in steps at a bounded rate) -> edit (folder, manifest)
 *          -> the inputs' files go with their last reader
 *
 * A cut before the edit leaves the inputs in force and a file that the next start removes. An input
 * with a damaged page is left as it is, in one piece for whoever repairs it, and out of merging. */
#include "base/limits.h"
#include "local/jobs.h"
#include "local/merge_plan.h"
#include "local/rewrite.h"

#include <stdlib.h>

/* After a merge that found no room. */
#define NO_SPACE_PAUSE_NS FG_NS_PER_MINUTE

static void pace(void *arg, size_t bytes)
{
    fg_upkeep_pace(arg, bytes);
}

static bool is_cancelled(void *arg)
{
    struct fg_local *local = arg;
    return fg_upkeep_is_stopping(&local->upkeep);
}

static int list_candidates(const struct fg_local_version *version,
                           struct fg_merge_candidate **ret_candidates)
{
    struct fg_merge_candidate *candidates = calloc(version->segment_count + 1, sizeof *candidates);
    if (!candidates)
        return FG_ENOMEM;
    for (size_t i = 0; i < version->segment_count; i++) {
        struct fg_local_segment *segment = version->segments[i];
        candidates[i] = (struct fg_merge_candidate){
            .entry = &segment->entry,
            .is_excluded = !segment->segment || atomic_load(&segment->is_damage_said)};
    }
    *ret_candidates = candidates;
    return 0;
}

static void note_load(struct fg_local *local, const struct fg_merge_candidate *candidates,
                      size_t count)
{
    struct fg_merge_load load;
    fg_merge_load(candidates, count, &load);
    atomic_store(&local->counters.merge_debt_bytes, load.debt_bytes);
    atomic_store(&local->upkeep.merge_load, fg_merge_load_permille(&load));
}

uint32_t fg_local_merge_load(struct fg_blocks *blocks)
{
    struct fg_local *local = (struct fg_local *)blocks;
    return atomic_load(&local->upkeep.merge_load);
}

/* Within the room that the disk has; where that bars a merge, with the reserve's room. */
static int choose(struct fg_local *local, const struct fg_merge_candidate *candidates, size_t count,
                  struct fg_merge_plan *ret_plan)
{
    uint64_t free_bytes, total_bytes, now_ns = fg_env_wall_ns(local->env);
    uint64_t quiet_before_ns = now_ns > FG_MERGE_QUIET_NS ? now_ns - FG_MERGE_QUIET_NS : 0;
    if (local->upkeep.is_thorough)
        quiet_before_ns = UINT64_MAX;
    int r = fg_env_space(local->env, local->folder, &free_bytes, &total_bytes);
    if (r < 0)
        return r;
    fg_merge_plan(candidates, count, quiet_before_ns, free_bytes, ret_plan);
    uint64_t reserve_bytes = local->options->reserve_bytes;
    if (ret_plan->count > 0 || free_bytes > FG_MERGE_SIZE_MAX || reserve_bytes == 0)
        return 0;
    fg_merge_plan(candidates, count, quiet_before_ns, free_bytes + reserve_bytes, ret_plan);
    if (ret_plan->count > 0 && !fg_space_release(local->space))
        ret_plan->count = 0;
    return 0;
}

static void damaged(struct fg_local *local, struct fg_local_segment *segment)
{
    struct fg_read_stats stats = {0};
    fg_local_damaged_page(segment, &stats);
    fg_store_event(local->options, FG_LOG_WARN,
                   "segments/%016llx.seg is left out of merging because of its damage",
                   (unsigned long long)segment->entry.id);
}

static int merge(struct fg_local *local, const struct fg_local_version *version,
                 const struct fg_merge_plan *plan)
{
    struct fg_local_segment *inputs[FG_MERGE_INPUTS_MAX], *bad = NULL;
    struct fg_rewrite_result result;
    for (size_t i = 0; i < plan->count; i++)
        inputs[i] = version->segments[plan->inputs[i]];
    const struct fg_rewrite rewrite = {.local = local,
                                       .inputs = inputs,
                                       .input_count = plan->count,
                                       .level = plan->level,
                                       .with_rollup = true,
                                       .pace = pace,
                                       .is_cancelled = is_cancelled,
                                       .arg = local};
    int r = fg_rewrite_run(&rewrite, &result, &bad);
    if (r == FG_ECORRUPT && bad) {
        damaged(local, bad);
        return 0;
    }
    if (r < 0)
        return r;
    const struct fg_job_edit edit = {.inputs = inputs,
                                     .input_count = plan->count,
                                     .added = result.is_empty ? NULL : &result.entry};
    r = fg_job_edit(local, &edit);
    if (r < 0)
        return r;
    atomic_fetch_add(&local->counters.merges, 1);
    atomic_fetch_add(&local->counters.merge_bytes_written, result.entry.size_bytes);
    atomic_fetch_add(&local->counters.merge_copied_spans, result.copied_spans);
    atomic_fetch_add(&local->counters.duplicate_spans, result.duplicate_spans);
    return 0;
}

static int merge_one(struct fg_local *local, struct fg_local_version *version, bool *ret_did)
{
    struct fg_merge_candidate *candidates;
    struct fg_merge_plan plan;
    int r = list_candidates(version, &candidates);
    if (r < 0)
        return r;
    note_load(local, candidates, version->segment_count);
    r = choose(local, candidates, version->segment_count, &plan);
    free(candidates);
    if (r < 0 || plan.count == 0)
        return r;
    *ret_did = true;
    return merge(local, version, &plan);
}

int fg_merge_job(struct fg_local *local, bool *ret_did)
{
    struct fg_upkeep *upkeep = &local->upkeep;
    uint64_t now_ns = fg_env_mono_ns(local->env);
    *ret_did = false;
    if (now_ns < upkeep->merge_after_ns && !upkeep->is_thorough)
        return 0;
    struct fg_local_version *version = fg_local_version_take(local);
    int r = merge_one(local, version, ret_did);
    fg_local_version_release(version);
    if (r < 0)
        *ret_did = false;
    if (r == FG_ENOSPACE && fg_job_wants_reserve(local))
        return 0; /* at once, in the reserve's room */
    if (r == FG_ENOSPACE) {
        upkeep->merge_after_ns = now_ns + NO_SPACE_PAUSE_NS;
        fg_store_event(local->options, FG_LOG_WARN,
                       "no room on the disk to merge segments; it is tried again in a minute");
    }
    return r;
}
