/* Expiry: partitions past their age, or over the bytes, go.
 *
 * At most FG_MERGE_INPUTS_MAX segments of one partition go in one edit, which does three things
 * together: it takes the segments out, puts the pinned traces of them in as a kept segment (its
 * level is FG_LEVEL_KEPT and it has no rollup; one that is there already goes into it), and
 * replaces the day's rollup file by one that has the segments' rollups as well. So a span is
 * counted once, wherever a cut falls.
 *
 * Kept segments are looked at once an hour: when a trace is no longer pinned, it goes too. */
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
};

static bool is_kept(const struct fg_local_segment *segment)
{
    return segment->entry.level >= FG_LEVEL_KEPT;
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
    return options->is_pinned(options->is_pinned_arg, expiry->inputs[0]->entry.tenant,
                              trace->id_high, trace->id_low);
}

static bool keeps_trace(void *arg, const struct fg_segment_trace *trace)
{
    struct expiry *expiry = arg;
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
    if (!local->options->is_pinned)
        return 0;
    while (count > 0) {
        const struct fg_rewrite rewrite = {.local = local,
                                           .inputs = readable,
                                           .input_count = count,
                                           .level = FG_LEVEL_KEPT,
                                           .skip_damaged = true,
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

static int find_due(const struct fg_local_version *version, const struct fg_retention *retention,
                    uint64_t now_wall_ns, struct fg_expiry *ret_expiry)
{
    const struct fg_manifest_segment **entries =
        calloc(version->segment_count + 1, sizeof(const struct fg_manifest_segment *));
    if (!entries)
        return FG_ENOMEM;
    for (size_t i = 0; i < version->segment_count; i++)
        entries[i] = &version->segments[i]->entry;
    fg_expiry_find(entries, version->segment_count, retention, now_wall_ns, ret_expiry);
    free((void *)entries);
    return 0;
}

static struct fg_retention current_retention(struct fg_local *local)
{
    fg_mutex_lock(&local->lock);
    struct fg_retention retention = local->retention;
    fg_mutex_unlock(&local->lock);
    return retention;
}

static bool is_same_retention(const struct fg_retention *a, const struct fg_retention *b)
{
    return a->age_ns == b->age_ns && a->bytes_max == b->bytes_max &&
           a->pinned_bytes_max == b->pinned_bytes_max;
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

static int expire_due(struct fg_local *local, const struct fg_local_version *version,
                      const struct fg_retention *retention, bool *ret_did)
{
    struct expiry expiry = {.local = local, .version = version};
    struct fg_expiry due;
    int r = find_due(version, retention, fg_env_wall_ns(local->env), &due);
    if (r < 0 || due.begin == due.end)
        return r;
    add_inputs(&expiry, &due, true);
    add_inputs(&expiry, &due, false);
    *ret_did = true;
    return expire(&expiry, retention->pinned_bytes_max);
}

int fg_retention_job(struct fg_local *local, bool *ret_did)
{
    struct fg_upkeep *upkeep = &local->upkeep;
    struct fg_retention retention = current_retention(local);
    uint64_t now_ns = fg_env_mono_ns(local->env);
    bool is_changed = !is_same_retention(&retention, &upkeep->retention_seen);
    *ret_did = false;
    if (now_ns < upkeep->retention_after_ns && !upkeep->is_thorough && !is_changed)
        return 0;
    struct fg_local_version *version = fg_local_version_take(local);
    int r = expire_due(local, version, &retention, ret_did);
    fg_local_version_release(version);
    upkeep->retention_seen = retention;
    if (r < 0 || !*ret_did)
        upkeep->retention_after_ns = now_ns + LOOK_INTERVAL_NS;
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

/* Whether a trace of a kept segment is no longer pinned. */
static int is_to_be_thinned(struct expiry *expiry, bool *ret_is)
{
    struct fg_segment_trace *traces;
    size_t count;
    struct fg_local_segment *segment = expiry->inputs[0];
    *ret_is = false;
    if (!segment->segment || atomic_load(&segment->is_damage_said))
        return 0;
    int r = fg_segment_traces(segment->segment, &traces, &count);
    if (r == FG_ECORRUPT) {
        struct fg_read_stats stats = {0};
        fg_local_damaged_page(segment, &stats);
        return 0;
    }
    if (r < 0)
        return r;
    *ret_is = !expiry->local->options->is_pinned;
    for (size_t i = 0; i < count && !*ret_is; i++)
        *ret_is = !is_pinned(expiry, &traces[i]);
    free(traces);
    return 0;
}

/* The kept segments after the place where the round stands, until one has to be thinned. */
static int thin_next(struct fg_local *local, const struct fg_local_version *version,
                     uint64_t pinned_bytes_max, bool *ret_did)
{
    for (size_t i = 0; i < version->segment_count; i++) {
        struct expiry expiry = {.local = local, .version = version, .input_count = 1};
        struct fg_local_segment *segment = version->segments[i];
        expiry.inputs[0] = segment;
        if (!is_kept(segment) || place_of(&segment->entry) < local->upkeep.kept_place)
            continue;
        bool is_due;
        int r = is_to_be_thinned(&expiry, &is_due);
        if (r == 0 && is_due) {
            local->upkeep.kept_place = place_of(&segment->entry);
            *ret_did = true;
            return expire(&expiry, pinned_bytes_max);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

int fg_kept_job(struct fg_local *local, bool *ret_did)
{
    struct fg_upkeep *upkeep = &local->upkeep;
    uint64_t now_ns = fg_env_mono_ns(local->env);
    *ret_did = false;
    if (now_ns < upkeep->kept_after_ns && !upkeep->is_thorough)
        return 0;
    struct fg_retention retention = current_retention(local);
    struct fg_local_version *version = fg_local_version_take(local);
    int r = thin_next(local, version, retention.pinned_bytes_max, ret_did);
    fg_local_version_release(version);
    if (r < 0 || !*ret_did) {
        upkeep->kept_after_ns = now_ns + KEPT_INTERVAL_NS;
        upkeep->kept_place = 0;
    }
    if (r < 0)
        *ret_did = false;
    return r;
}
