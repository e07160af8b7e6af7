#include "local/merge_plan.h"

#define TIER_COUNT    5u
#define TIER_SIZE_MIN ((uint64_t)128 << 10)
#define TIER_RATIO    8u
/* A run that the bounds end is worth merging from this many on. */
#define BOUNDED_RUN_MIN 3u

/* What a run of inputs comes to. */
struct run {
    size_t count;
    size_t inputs[FG_MERGE_INPUTS_MAX];
    uint64_t spans, traces, size_bytes;
    uint32_t level;
    bool is_bounded; /* one more would have been too many */
};

/* TIER_COUNT: as large as a merge makes them, or nobody's business. */
static unsigned tier_of(const struct fg_merge_candidate *candidate)
{
    if (candidate->is_excluded || candidate->entry->level >= FG_LEVEL_KEPT)
        return TIER_COUNT;
    unsigned tier = 0;
    uint64_t size_max = TIER_SIZE_MIN;
    while (tier < TIER_COUNT && candidate->entry->size_bytes >= size_max) {
        tier++;
        size_max *= TIER_RATIO;
    }
    return tier;
}

static bool fits(const struct run *run, const struct fg_manifest_segment *entry, uint64_t size_max)
{
    if (size_max > FG_MERGE_SIZE_MAX)
        size_max = FG_MERGE_SIZE_MAX;
    return run->spans + entry->span_count <= FG_MERGE_SPANS_MAX &&
           run->traces + entry->trace_count <= FG_MERGE_TRACES_MAX &&
           run->size_bytes + entry->size_bytes <= size_max;
}

static void take(struct run *run, size_t at, const struct fg_manifest_segment *entry)
{
    run->inputs[run->count++] = at;
    run->spans += entry->span_count;
    run->traces += entry->trace_count;
    run->size_bytes += entry->size_bytes;
    if (entry->level + 1 > run->level)
        run->level = entry->level + 1;
}

/* The oldest of a tier in candidates [begin, end), up to the first that is too many. */
static struct run find_run(const struct fg_merge_candidate *candidates, size_t begin, size_t end,
                           unsigned tier, uint64_t size_max)
{
    struct run run = {0};
    for (size_t i = begin; i < end && run.count < FG_MERGE_INPUTS_MAX; i++) {
        if (tier_of(&candidates[i]) != tier)
            continue;
        if (!fits(&run, candidates[i].entry, size_max)) {
            run.is_bounded = true;
            if (run.count >= BOUNDED_RUN_MIN)
                break;
            run = (struct run){0}; /* one that fits nowhere must not bar those behind it */
        }
        if (fits(&run, candidates[i].entry, size_max))
            take(&run, i, candidates[i].entry);
    }
    return run;
}

/* Of a quiet partition: whatever fits, but nothing that is eight times as large as all the rest, so
 * that a straggler of yesterday costs no merge of the day. */
static struct run find_quiet_run(const struct fg_merge_candidate *candidates, size_t begin,
                                 size_t end, uint64_t size_max)
{
    uint64_t sum = 0, entry_size_max = UINT64_MAX;
    for (int pass = 0; pass < 2; pass++) {
        sum = 0;
        for (size_t i = begin; i < end; i++)
            if (tier_of(&candidates[i]) != TIER_COUNT &&
                candidates[i].entry->size_bytes <= entry_size_max)
                sum += candidates[i].entry->size_bytes;
        entry_size_max = sum / (TIER_RATIO + 1) * TIER_RATIO;
    }
    struct run run = {0};
    for (size_t i = begin; i < end && run.count < FG_MERGE_INPUTS_MAX; i++) {
        const struct fg_manifest_segment *entry = candidates[i].entry;
        if (tier_of(&candidates[i]) != TIER_COUNT && entry->size_bytes <= entry_size_max &&
            fits(&run, entry, size_max))
            take(&run, i, entry);
    }
    return run;
}

static bool is_worth(const struct run *run)
{
    return run->count >= FG_MERGE_INPUTS_MIN || (run->is_bounded && run->count >= BOUNDED_RUN_MIN);
}

static size_t partition_end(const struct fg_merge_candidate *candidates, size_t count, size_t begin)
{
    size_t end = begin + 1;
    while (end < count && candidates[end].entry->tenant == candidates[begin].entry->tenant &&
           candidates[end].entry->day == candidates[begin].entry->day)
        end++;
    return end;
}

static bool is_quiet(const struct fg_merge_candidate *candidates, size_t begin, size_t end,
                     uint64_t quiet_before_ns)
{
    for (size_t i = begin; i < end; i++)
        if (candidates[i].entry->received_ns_max >= quiet_before_ns)
            return false;
    return true;
}

static void set_plan(const struct run *run, struct fg_merge_plan *plan)
{
    *plan = (struct fg_merge_plan){
        .count = run->count, .size_bytes = run->size_bytes, .level = run->level};
    for (size_t i = 0; i < run->count; i++)
        plan->inputs[i] = run->inputs[i];
}

void fg_merge_plan(const struct fg_merge_candidate *candidates, size_t count,
                   uint64_t quiet_before_ns, uint64_t size_max, struct fg_merge_plan *ret_plan)
{
    *ret_plan = (struct fg_merge_plan){0};
    for (unsigned tier = 0; tier < TIER_COUNT; tier++) {
        for (size_t begin = 0, end; begin < count; begin = end) {
            end = partition_end(candidates, count, begin);
            struct run run = find_run(candidates, begin, end, tier, size_max);
            if (is_worth(&run)) {
                set_plan(&run, ret_plan);
                return;
            }
        }
    }
    for (size_t begin = 0, end; begin < count; begin = end) {
        end = partition_end(candidates, count, begin);
        if (!is_quiet(candidates, begin, end, quiet_before_ns))
            continue;
        struct run run = find_quiet_run(candidates, begin, end, size_max);
        if (run.count >= 2) {
            set_plan(&run, ret_plan);
            return;
        }
    }
}

/* What the plans of one tier would come to, one after the other. */
static void add_runs(const struct fg_merge_candidate *candidates, size_t begin, size_t end,
                     unsigned tier, struct fg_merge_load *load, size_t *segments)
{
    for (size_t at = begin; at < end;) {
        struct run run = find_run(candidates, at, end, tier, UINT64_MAX);
        if (!is_worth(&run))
            return;
        load->debt_bytes += run.size_bytes;
        *segments += run.count;
        at = run.inputs[run.count - 1] + 1;
    }
}

void fg_merge_load(const struct fg_merge_candidate *candidates, size_t count,
                   struct fg_merge_load *ret_load)
{
    struct fg_merge_load load = {0};
    for (size_t begin = 0, end; begin < count; begin = end) {
        size_t segments = 0;
        end = partition_end(candidates, count, begin);
        for (unsigned tier = 0; tier < TIER_COUNT; tier++)
            add_runs(candidates, begin, end, tier, &load, &segments);
        if (segments > load.partition_segments_max)
            load.partition_segments_max = segments;
    }
    *ret_load = load;
}

uint32_t fg_merge_load_permille(const struct fg_merge_load *load)
{
    double debt = (double)load->debt_bytes / (double)FG_MERGE_DEBT_BYTES_MAX;
    double segments = (double)load->partition_segments_max / (double)FG_PARTITION_SEGMENTS_MAX;
    double permille = 1000 * (debt > segments ? debt : segments);
    return permille < 2000 ? (uint32_t)permille : 2000;
}
