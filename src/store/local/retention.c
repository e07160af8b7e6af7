/* Expiry: partitions past their age, or over the bytes, go; and of those that stay, what a policy
 * keeps shorter.
 *
 * At most FG_MERGE_INPUTS_MAX segments of one partition go in one edit, which does three things
 * together: it takes the segments out, puts the pinned traces of them in as a kept segment (its
 * level is FG_LEVEL_KEPT and it has no rollup; one that is there already goes into it), and
 * replaces the day's rollup file by one that has the segments' rollups as well. So a span is
 * counted once, wherever a cut falls.
 *
 * Kept segments are looked at once an hour: when a trace is no longer pinned, and no policy keeps
 * it, it goes too.
 *
 * What policies take out of a partition that stays goes by the same edit; the rest of the segments
 * becomes a thinned one (FG_LEVEL_THINNED), which has no rollup either and expires with its day. */
#include "local/retention.h"

#include "base/limits.h"
#include "local/jobs.h"
#include "local/merge_plan.h"
#include "local/rewrite.h"
#include "local/rollup_file.h"

#include <stdlib.h>

#define LOOK_INTERVAL_NS FG_NS_PER_MINUTE
#define KEPT_INTERVAL_NS (3600 * FG_NS_PER_SECOND)

/* One expiry of some segments of a partition. */
struct expiry {
    struct fg_local *local;
    const struct fg_local_version *version;
    struct fg_local_segment *inputs[FG_MERGE_INPUTS_MAX];
    size_t input_count;
    uint64_t span_count;
    /* Pinned traces: what they may still take, and what they will, by the inputs' mean size. */
    uint64_t pinned_bytes_left, span_size_bytes;
    uint64_t pinned_dropped; /* traces that were pinned and did not fit */
    /* By policies; either may be NULL: what stays of a partition that goes; what goes of one that
     * stays, but for those that are marked. */
    const struct fg_trace_set *kept, *gone;
    struct fg_local_segment *bad; /* with gone: it can't be written anew */
};

static bool is_kept(const struct fg_local_segment *segment)
{
    return segment->entry.level == FG_LEVEL_KEPT;
}

static bool is_input(const struct expiry *expiry, const struct fg_local_segment *segment)
{
    for (size_t i = 0; i < expiry->input_count; i++)
        if (expiry->inputs[i] == segment)
            return true;
    return false;
}

/* -- Pinned traces */

static bool is_pinned(const struct expiry *expiry, const struct fg_segment_trace *trace)
{
    const struct fg_store_options *options = expiry->local->options;
    return options->is_pinned &&
           options->is_pinned(options->is_pinned_arg, expiry->inputs[0]->entry.tenant,
                              trace->id_high, trace->id_low);
}

static bool is_gone(const struct fg_trace_set *gone, const struct fg_segment_trace *trace)
{
    uint32_t at = fg_trace_set_find(gone, trace->id_high, trace->id_low);
    return at != UINT32_MAX && !gone->is_marked[at];
}

static bool keeps_trace(void *arg, const struct fg_segment_trace *trace)
{
    struct expiry *expiry = arg;
    if (expiry->gone)
        return !is_gone(expiry->gone, trace) || is_pinned(expiry, trace);
    if (expiry->kept && fg_trace_set_has(expiry->kept, trace->id_high, trace->id_low))
        return true;
    if (!is_pinned(expiry, trace))
        return false;
    uint64_t bytes = trace->row_count * expiry->span_size_bytes;
    if (bytes > expiry->pinned_bytes_left) {
        expiry->pinned_dropped++;
        return false;
    }
    expiry->pinned_bytes_left -= bytes;
    return true;
}

static void pace(void *arg, size_t bytes)
{
    struct expiry *expiry = arg;
    fg_upkeep_pace(expiry->local, bytes);
}

static bool is_cancelled(void *arg)
{
    struct expiry *expiry = arg;
    return fg_upkeep_is_stopping(&expiry->local->upkeep);
}

static void measure_pins(struct expiry *expiry, uint64_t pinned_bytes_max)
{
    uint64_t kept_bytes = 0, size_bytes = 0;
    for (size_t i = 0; i < expiry->version->segment_count; i++) {
        const struct fg_local_segment *segment = expiry->version->segments[i];
        if (is_kept(segment) && !is_input(expiry, segment))
            kept_bytes += segment->entry.size_bytes;
    }
    for (size_t i = 0; i < expiry->input_count; i++)
        size_bytes += expiry->inputs[i]->entry.size_bytes;
    expiry->pinned_bytes_left = pinned_bytes_max > kept_bytes ? pinned_bytes_max - kept_bytes : 0;
    expiry->span_size_bytes = size_bytes / (expiry->span_count ? expiry->span_count : 1) + 1;
}

static void say_dropped_pins(const struct expiry *expiry)
{
    if (expiry->pinned_dropped == 0)
        return;
    fg_store_event(expiry->local->options, FG_LOG_WARN,
                   "%llu traces of open or broken journeys were dropped with their day, because "
                   "kept traces take all of their bytes",
                   (unsigned long long)expiry->pinned_dropped);
}

/* The inputs' readable segments, with none that has no footer. */
static size_t list_readable(const struct expiry *expiry,
                            struct fg_local_segment *ret_readable[FG_MERGE_INPUTS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < expiry->input_count; i++)
        if (expiry->inputs[i]->segment)
            ret_readable[count++] = expiry->inputs[i];
    return count;
}

/* What of the inputs stays. Of a damaged input whose list of traces can't be read nothing does. */
static int keep_pinned(struct expiry *expiry, struct fg_rewrite_result *ret_result)
{
    struct fg_local *local = expiry->local;
    struct fg_local_segment *readable[FG_MERGE_INPUTS_MAX], *bad = NULL;
    size_t count = list_readable(expiry, readable);
    *ret_result = (struct fg_rewrite_result){.is_empty = true};
    if (!local->options->is_pinned && !expiry->kept && !expiry->gone)
        return 0;
    while (count > 0) {
        const struct fg_rewrite rewrite = {.local = local,
                                           .inputs = readable,
                                           .input_count = count,
                                           .level = expiry->gone ? FG_LEVEL_THINNED : FG_LEVEL_KEPT,
                                           .skip_damaged = !expiry->gone,
                                           .pace = pace,
                                           .is_cancelled = is_cancelled,
                                           .keeps_trace = keeps_trace,
                                           .arg = expiry};
        uint64_t left = expiry->pinned_bytes_left;
        int r = fg_rewrite_run(&rewrite, ret_result, &bad);
        if (r != FG_ECORRUPT || !bad)
            return r;
        struct fg_read_stats stats = {0};
        fg_local_damaged_page(bad, &stats);
        expiry->bad = bad;
        if (expiry->gone)
            return r;
        size_t others = 0;
        for (size_t i = 0; i < count; i++)
            if (readable[i] != bad)
                readable[others++] = readable[i];
        count = others;
        bad = NULL;
        expiry->pinned_bytes_left = left;
        expiry->pinned_dropped = 0;
    }
    return 0;
}

/* -- The day's rollups */

static const struct fg_manifest_rollup *find_day(const struct expiry *expiry)
{
    const struct fg_manifest_segment *entry = &expiry->inputs[0]->entry;
    for (size_t i = 0; i < expiry->version->rollup_count; i++) {
        const struct fg_manifest_rollup *rollup = &expiry->version->rollups[i]->entry;
        if (rollup->tenant == entry->tenant && rollup->day == entry->day)
            return rollup;
    }
    return NULL;
}

static int add_segment_rollup(struct fg_local_segment *segment, struct fg_rollup *rollup)
{
    uint8_t *bytes;
    size_t size;
    if (!segment->segment)
        return 0;
    int r = fg_segment_rollup(segment->segment, &bytes, &size);
    if (r == 0 && size > 0)
        r = fg_rollup_decode(rollup, fg_slice(bytes, size), 0, UINT64_MAX);
    if (r == 0)
        free(bytes);
    if (r != FG_ECORRUPT)
        return r;
    struct fg_read_stats stats = {0};
    fg_local_damaged_page(segment, &stats);
    return 0;
}

/* The day's file so far, if any, and the inputs' rollups. *ret_added: whether there was any of
 * those. */
static int add_rollups(struct expiry *expiry, const struct fg_manifest_rollup *day,
                       struct fg_rollup *rollup, bool *ret_added)
{
    struct fg_local *local = expiry->local;
    char path[FG_LOCAL_PATH_SIZE_MAX];
    int r = 0;
    uint64_t empty_bytes = fg_rollup_size_bytes(rollup);
    for (size_t i = 0; i < expiry->input_count && r == 0; i++)
        r = add_segment_rollup(expiry->inputs[i], rollup);
    *ret_added = fg_rollup_size_bytes(rollup) > empty_bytes;
    if (r < 0 || !day || !*ret_added)
        return r;
    fg_local_rollup_path(local, day->id, path);
    r = fg_rollup_file_read(local->env, path, 0, UINT64_MAX, rollup);
    if (r != FG_ECORRUPT && r != FG_ENOTFOUND)
        return r;
    fg_store_event(local->options, FG_LOG_ERROR,
                   "rollups/%016llx.rol is damaged or missing: the counts of a day whose spans "
                   "were dropped are lost; put it back from a backup",
                   (unsigned long long)day->id);
    *ret_added = false; /* the damaged one stays for whoever repairs it */
    return 0;
}

/* Writes the day's new file. entry->id 0: there is nothing to write. */
static int write_day(struct expiry *expiry, const struct fg_manifest_rollup *day,
                     struct fg_manifest_rollup *ret_entry)
{
    struct fg_local *local = expiry->local;
    const struct fg_manifest_segment *first = &expiry->inputs[0]->entry;
    struct fg_rollup *rollup;
    char path[FG_LOCAL_PATH_SIZE_MAX];
    bool is_added;
    *ret_entry = (struct fg_manifest_rollup){.tenant = first->tenant, .day = first->day};
    int r = fg_rollup_new(&rollup);
    if (r < 0)
        return r;
    r = add_rollups(expiry, day, rollup, &is_added);
    if (r == 0 && is_added) {
        uint64_t id = fg_local_id_new(local);
        fg_local_rollup_path(local, id, path);
        r = fg_rollup_file_write(local->env, path, rollup, &ret_entry->size_bytes);
        ret_entry->id = r == 0 ? id : 0;
    }
    fg_rollup_free(rollup);
    return r;
}

/* -- One expiry */

static int expire(struct expiry *expiry, uint64_t pinned_bytes_max)
{
    struct fg_local *local = expiry->local;
    const struct fg_manifest_rollup *day = find_day(expiry);
    struct fg_rewrite_result result;
    struct fg_manifest_rollup rollup;
    for (size_t i = 0; i < expiry->input_count; i++)
        expiry->span_count += expiry->inputs[i]->entry.span_count;
    measure_pins(expiry, pinned_bytes_max);
    int r = keep_pinned(expiry, &result);
    if (r < 0)
        return r;
    r = write_day(expiry, day, &rollup);
    if (r < 0) {
        if (!result.is_empty)
            fg_local_discard(local, result.entry.id);
        return r;
    }
    const struct fg_job_edit edit = {.inputs = expiry->inputs,
                                     .input_count = expiry->input_count,
                                     .added = result.is_empty ? NULL : &result.entry,
                                     .added_rollup = rollup.id ? &rollup : NULL,
                                     .removed_rollup = rollup.id ? day : NULL};
    r = fg_job_edit(local, &edit);
    if (r < 0)
        return r;
    uint64_t stay = result.is_empty ? 0 : result.entry.span_count;
    atomic_fetch_add(&local->counters.retention_dropped_spans, expiry->span_count - stay);
    say_dropped_pins(expiry);
    return 0;
}

/* -- What is due */

static struct fg_policies *current_policies(struct fg_local *local)
{
    fg_mutex_lock(&local->lock);
    struct fg_policies *policies = fg_policies_ref(local->policies);
    fg_mutex_unlock(&local->lock);
    return policies;
}

static struct fg_policy_round round_begin(struct fg_local *local)
{
    return (struct fg_policy_round){.local = local,
                                    .version = fg_local_version_take(local),
                                    .policies = current_policies(local),
                                    .now_wall_ns = fg_env_wall_ns(local->env)};
}

static void round_end(struct fg_policy_round *round)
{
    fg_local_version_release((struct fg_local_version *)(uintptr_t)round->version);
    fg_policies_unref(round->policies);
}

static struct expiry expiry_of(const struct fg_policy_round *round)
{
    return (struct expiry){.local = round->local, .version = round->version};
}

static uint64_t pinned_max(const struct fg_policy_round *round)
{
    return fg_policies_retention(round->policies)->pinned_bytes_max;
}

static int find_due(const struct fg_policy_round *round, struct fg_expiry *ret_expiry)
{
    const struct fg_local_version *version = round->version;
    const struct fg_manifest_segment **entries =
        calloc(version->segment_count + 1, sizeof(const struct fg_manifest_segment *));
    if (!entries)
        return FG_ENOMEM;
    for (size_t i = 0; i < version->segment_count; i++)
        entries[i] = &version->segments[i]->entry;
    fg_expiry_find(entries, version->segment_count, round->policies, round->now_wall_ns,
                   ret_expiry);
    free((void *)entries);
    return 0;
}

/* Those of the partition that are kept already are written anew with the others: so there is one of
 * them, and each span is in it once. */
static void add_inputs(struct expiry *expiry, const struct fg_expiry *due, bool kept)
{
    for (size_t i = due->begin; i < due->end; i++) {
        struct fg_local_segment *segment = expiry->version->segments[i];
        size_t count_max = kept ? FG_MERGE_INPUTS_MAX / 2 : FG_MERGE_INPUTS_MAX;
        bool can_be = !kept || (segment->segment && !atomic_load(&segment->is_damage_said));
        if (is_kept(segment) == kept && can_be && expiry->input_count < count_max)
            expiry->inputs[expiry->input_count++] = segment;
    }
}

/* What policies keep of a partition that goes. kept: where there is any. */
static int find_kept(const struct fg_policy_round *round, size_t begin, size_t end,
                     struct fg_trace_set *kept)
{
    const struct fg_manifest_segment *entry = &round->version->segments[begin]->entry;
    const struct fg_policy_partition partition = {begin, end, entry->tenant, entry->day};
    uint32_t mask;
    if (!fg_policies_has_conditions(round->policies, entry->tenant))
        return 0;
    int r = fg_policy_expired(round, entry->tenant, entry->day, &mask);
    return r < 0 ? r : fg_policy_find_kept(round, &partition, mask, kept);
}

static int expire_due(const struct fg_policy_round *round, bool *ret_did)
{
    struct expiry expiry = expiry_of(round);
    struct fg_trace_set kept;
    struct fg_expiry due;
    int r = find_due(round, &due);
    if (r < 0 || due.begin == due.end)
        return r;
    fg_trace_set_init(&kept);
    r = find_kept(round, due.begin, due.end, &kept);
    if (kept.count)
        expiry.kept = &kept;
    if (r == 0) {
        add_inputs(&expiry, &due, true);
        add_inputs(&expiry, &due, false);
        *ret_did = true;
        r = expire(&expiry, pinned_max(round));
    }
    fg_trace_set_free(&kept);
    return r;
}

/* -- What policies take out of partitions that stay */

/* That of the segment at. */
static struct fg_policy_partition partition_at(const struct fg_local_version *version, size_t at)
{
    const struct fg_manifest_segment *first = &version->segments[at]->entry;
    struct fg_policy_partition partition = {at, at, first->tenant, first->day};
    while (partition.begin > 0 &&
           version->segments[partition.begin - 1]->entry.tenant == first->tenant &&
           version->segments[partition.begin - 1]->entry.day == first->day)
        partition.begin--;
    while (partition.end < version->segment_count &&
           version->segments[partition.end]->entry.tenant == first->tenant &&
           version->segments[partition.end]->entry.day == first->day)
        partition.end++;
    return partition;
}

static bool is_all_seen(const struct fg_policy_round *round,
                        const struct fg_policy_partition *partition, uint32_t mask)
{
    for (size_t i = partition->begin; i < partition->end; i++)
        if (!fg_policy_has_seen(round->policies, round->version->segments[i], mask))
            return false;
    return true;
}

static void set_all_seen(const struct fg_policy_round *round,
                         const struct fg_policy_partition *partition, uint32_t mask)
{
    for (size_t i = partition->begin; i < partition->end; i++)
        fg_policy_set_seen(round->policies, round->version->segments[i], mask);
}

/* Whether a kept segment's day has come back: it went by an age that is longer now. A day that may
 * have gone by bytes has not. */
static bool is_back(const struct fg_policy_round *round, const struct fg_manifest_segment *entry)
{
    return !fg_policies_has_bytes(round->policies, entry->tenant) &&
           !fg_expiry_is_due(round->policies, entry->tenant, entry->day, round->now_wall_ns);
}

static int end_where_it_goes(void *arg, const struct fg_segment_trace *trace)
{
    const struct expiry *expiry = arg;
    return is_gone(expiry->gone, trace) && !is_pinned(expiry, trace);
}

/* Segments that hold a trace which goes; of the others there is nothing to do. */
static int add_thinned(struct expiry *expiry, const struct fg_policy_round *round,
                       const struct fg_policy_partition *partition)
{
    int r = 0;
    for (size_t i = partition->begin; i < partition->end && r == 0; i++) {
        struct fg_local_segment *segment = round->version->segments[i];
        bool is_out = is_kept(segment) && !is_back(round, &segment->entry);
        if (is_out || !segment->segment || expiry->input_count == FG_MERGE_INPUTS_MAX ||
            atomic_load(&segment->is_damage_said))
            continue;
        expiry->inputs[expiry->input_count] = segment;
        expiry->input_count++; /* is_pinned() asks for the tenant of the first */
        int found = fg_segment_visit_traces(segment->segment, end_where_it_goes, expiry);
        expiry->input_count -= found <= 0;
        r = found < 0 ? found : 0;
    }
    return r;
}

/* FG_ECORRUPT and FG_ELIMIT are said, and the partition stays as it is until another policy comes.
 */
static int give_up(const struct fg_policy_round *round, const struct fg_policy_partition *partition,
                   uint32_t mask, int error)
{
    if (error != FG_ECORRUPT && error != FG_ELIMIT)
        return error;
    fg_store_event(round->local->options, FG_LOG_ERROR,
                   "a retention policy can't take its traces out of day %u of tenant %u: %s",
                   partition->day, partition->tenant,
                   error == FG_ELIMIT ? "they are too many" : "a segment is damaged");
    set_all_seen(round, partition, mask);
    return 0;
}

static int thin_partition(const struct fg_policy_round *round,
                          const struct fg_policy_partition *partition, uint32_t mask, bool *ret_did)
{
    struct expiry expiry = expiry_of(round);
    struct fg_trace_set gone;
    fg_trace_set_init(&gone);
    expiry.gone = &gone;
    int r = fg_policy_find_gone(round, partition, mask, &gone);
    if (r == 0)
        r = add_thinned(&expiry, round, partition);
    if (r == 0 && expiry.input_count == 0) {
        set_all_seen(round, partition, mask);
    } else if (r == 0) {
        r = expire(&expiry, pinned_max(round));
        *ret_did = r == 0;
    }
    fg_trace_set_free(&gone);
    return r < 0 ? give_up(round, partition, mask, r) : 0;
}

static int thin_due(const struct fg_policy_round *round, bool *ret_did)
{
    const struct fg_local_version *version = round->version;
    struct fg_policy_partition partition;
    int r = 0;
    for (size_t i = 0; i < version->segment_count && r == 0 && !*ret_did; i = partition.end) {
        uint32_t mask;
        partition = partition_at(version, i);
        if (!fg_policies_has_conditions(round->policies, partition.tenant) ||
            fg_expiry_is_due(round->policies, partition.tenant, partition.day, round->now_wall_ns))
            continue;
        r = fg_policy_expired(round, partition.tenant, partition.day, &mask);
        if (r == 0 && mask && !is_all_seen(round, &partition, mask))
            r = thin_partition(round, &partition, mask, ret_did);
    }
    return r;
}

/* At a start it is not known for some moments whose traces must stay: what is due then waits. */
static bool knows_pins(const struct fg_local *local)
{
    const struct fg_store_options *options = local->options;
    return !options->is_pinned || !options->knows_pins ||
           options->knows_pins(options->is_pinned_arg);
}

int fg_retention_job(struct fg_local *local, bool *ret_did)
{
    struct fg_upkeep *upkeep = &local->upkeep;
    uint64_t now_ns = fg_env_mono_ns(local->env);
    *ret_did = false;
    if (!knows_pins(local))
        return 0;
    struct fg_policy_round round = round_begin(local);
    bool is_changed = fg_policies_generation(round.policies) != upkeep->policies_seen;
    int r = 0;
    if (now_ns >= upkeep->retention_after_ns || upkeep->is_thorough || is_changed) {
        r = expire_due(&round, ret_did);
        if (r == 0 && !*ret_did)
            r = thin_due(&round, ret_did);
        upkeep->policies_seen = fg_policies_generation(round.policies);
        if (r < 0 || !*ret_did)
            upkeep->retention_after_ns = now_ns + LOOK_INTERVAL_NS;
    }
    round_end(&round);
    if (r < 0)
        *ret_did = false;
    if (r == FG_ENOSPACE && fg_job_wants_reserve(local)) {
        upkeep->retention_after_ns = 0;
        return 0;
    }
    return r;
}

/* -- Kept segments */

static uint64_t place_of(const struct fg_manifest_segment *entry)
{
    return ((uint64_t)entry->tenant << 32 | entry->day) + 1;
}

static int end_where_none_keeps(void *arg, const struct fg_segment_trace *trace)
{
    const struct expiry *expiry = arg;
    return !is_pinned(expiry, trace) &&
           !(expiry->kept && fg_trace_set_has(expiry->kept, trace->id_high, trace->id_low));
}

/* Whether a trace of a kept segment need not be kept any more. */
static int is_to_be_thinned(struct expiry *expiry, bool *ret_is)
{
    struct fg_local_segment *segment = expiry->inputs[0];
    *ret_is = false;
    if (!segment->segment || atomic_load(&segment->is_damage_said))
        return 0;
    int r = fg_segment_visit_traces(segment->segment, end_where_none_keeps, expiry);
    if (r == FG_ECORRUPT) {
        struct fg_read_stats stats = {0};
        fg_local_damaged_page(segment, &stats);
        return 0;
    }
    *ret_is = r > 0;
    return r < 0 ? r : 0;
}

static int thin_kept(const struct fg_policy_round *round, size_t at, bool *ret_did)
{
    struct fg_upkeep *upkeep = &round->local->upkeep;
    struct expiry expiry = expiry_of(round);
    struct fg_trace_set kept;
    bool is_due = false;
    fg_trace_set_init(&kept);
    expiry.inputs[expiry.input_count++] = round->version->segments[at];
    const struct fg_policy_partition partition = partition_at(round->version, at);
    int r = find_kept(round, partition.begin, partition.end, &kept);
    if (kept.count)
        expiry.kept = &kept;
    if (r == 0)
        r = is_to_be_thinned(&expiry, &is_due);
    if (r == 0 && is_due) {
        upkeep->kept_place = place_of(&expiry.inputs[0]->entry);
        *ret_did = true;
        r = expire(&expiry, pinned_max(round));
    }
    fg_trace_set_free(&kept);
    return r;
}

/* The kept segments after the place where the round stands, until one has to be thinned. */
static int thin_next(const struct fg_policy_round *round, bool *ret_did)
{
    int r = 0;
    for (size_t i = 0; i < round->version->segment_count && r == 0 && !*ret_did; i++) {
        const struct fg_local_segment *segment = round->version->segments[i];
        if (is_kept(segment) && !is_back(round, &segment->entry) &&
            place_of(&segment->entry) >= round->local->upkeep.kept_place)
            r = thin_kept(round, i, ret_did);
    }
    return r;
}

int fg_kept_job(struct fg_local *local, bool *ret_did)
{
    struct fg_upkeep *upkeep = &local->upkeep;
    uint64_t now_ns = fg_env_mono_ns(local->env);
    *ret_did = false;
    if ((now_ns < upkeep->kept_after_ns && !upkeep->is_thorough) || !knows_pins(local))
        return 0;
    struct fg_policy_round round = round_begin(local);
    int r = thin_next(&round, ret_did);
    round_end(&round);
    if (r < 0 || !*ret_did) {
        upkeep->kept_after_ns = now_ns + KEPT_INTERVAL_NS;
        upkeep->kept_place = 0;
    }
    if (r < 0)
        *ret_did = false;
    return r;
}
