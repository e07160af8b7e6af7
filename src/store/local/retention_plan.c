#include "base/limits.h"
#include "local/merge_plan.h"
#include "local/retention.h"

static bool is_kept(const struct fg_manifest_segment *entry)
{
    return entry->level == FG_LEVEL_KEPT;
}

static bool is_same_partition(const struct fg_manifest_segment *a,
                              const struct fg_manifest_segment *b)
{
    return a->tenant == b->tenant && a->day == b->day;
}

/* The partition of the entry at, without kept segments at its ends (which lie anywhere: the caller
 * passes over them). */
static struct fg_expiry whole_partition(const struct fg_manifest_segment *const *entries,
                                        size_t count, size_t at, bool by_age)
{
    struct fg_expiry expiry = {.begin = at, .end = at + 1, .by_age = by_age};
    while (expiry.begin > 0 && is_same_partition(entries[expiry.begin - 1], entries[at]))
        expiry.begin--;
    while (expiry.end < count && is_same_partition(entries[expiry.end], entries[at]))
        expiry.end++;
    return expiry;
}

/* By day, then by what ends first. */
static bool is_older(const struct fg_manifest_segment *a, const struct fg_manifest_segment *b)
{
    if (a->day != b->day)
        return a->day < b->day;
    return a->start_ns_max != b->start_ns_max ? a->start_ns_max < b->start_ns_max : a->id < b->id;
}

/* Of one tenant, or of all. */
struct by_bytes {
    const struct fg_manifest_segment *const *entries;
    size_t count;
    struct fg_expiry *expiry;
};

static void find_by_bytes(const struct by_bytes *by, const uint32_t *tenant, uint64_t bytes_max)
{
    const struct fg_manifest_segment *const *entries = by->entries;
    uint64_t bytes = 0;
    size_t oldest = by->count;
    uint32_t newest_day = 0;
    for (size_t i = 0; i < by->count; i++) {
        if (is_kept(entries[i]) || (tenant && entries[i]->tenant != *tenant))
            continue;
        bytes += entries[i]->size_bytes;
        newest_day = entries[i]->day > newest_day ? entries[i]->day : newest_day;
        if (oldest == by->count || is_older(entries[i], entries[oldest]))
            oldest = i;
    }
    if (bytes <= bytes_max)
        return;
    if (entries[oldest]->day < newest_day)
        *by->expiry = whole_partition(entries, by->count, oldest, false);
    else
        *by->expiry = (struct fg_expiry){.begin = oldest, .end = oldest + 1};
}

static int find_of_tenant(void *arg, uint32_t tenant, uint64_t bytes_max)
{
    const struct by_bytes *by = arg;
    find_by_bytes(by, &tenant, bytes_max);
    return by->expiry->begin != by->expiry->end; /* ends it */
}

bool fg_expiry_is_due(const struct fg_policies *policies, uint32_t tenant, uint32_t day,
                      uint64_t now_wall_ns)
{
    uint64_t age_ns = fg_policies_default(policies, tenant).age_ns;
    uint64_t day_end_ns = ((uint64_t)day + 1) * FG_NS_PER_DAY;
    return age_ns != 0 && now_wall_ns > age_ns && day_end_ns <= now_wall_ns - age_ns;
}

void fg_expiry_find(const struct fg_manifest_segment *const *entries, size_t count,
                    const struct fg_policies *policies, uint64_t now_wall_ns,
                    struct fg_expiry *ret_expiry)
{
    uint64_t bytes_max = fg_policies_retention(policies)->bytes_max;
    struct by_bytes by = {entries, count, ret_expiry};
    *ret_expiry = (struct fg_expiry){0};
    for (size_t i = 0; i < count; i++) {
        if (is_kept(entries[i]) ||
            !fg_expiry_is_due(policies, entries[i]->tenant, entries[i]->day, now_wall_ns))
            continue;
        *ret_expiry = whole_partition(entries, count, i, true);
        return;
    }
    if (fg_policies_each_tenant(policies, find_of_tenant, &by) == 0 && bytes_max != 0)
        find_by_bytes(&by, NULL, bytes_max);
}
