/* Which segments are merged next. Pure: from the list of what there is.
 *
 * Segments of one partition (tenant, day) fall into tiers by size, eight times apart: below 128
 * KiB, 1 MiB, 8 MiB, 64 MiB, 512 MiB. FG_MERGE_INPUTS_MIN of one tier are merged, the oldest first,
 * up to FG_MERGE_INPUTS_MAX and up to the bounds of a merged segment; fewer when the bounds end the
 * run. So a span is written once when sealed and once a tier after: at full load, when seals
 * are some MiB each, three times in all. A
 * partition that is quiet, since nothing came for FG_MERGE_QUIET_NS, is merged down to as few
 * segments as the bounds let, whatever their tier. */
#pragma once

#include "base/limits.h"
#include "local/manifest.h"

/* Levels at and above it are no merge's business, and have no rollup: traces of a partition past
 * its age that stay, since they are pinned or a policy keeps them; and what is left of a partition
 * that stays when a policy took traces out of it. */
#define FG_LEVEL_KEPT    1000u
#define FG_LEVEL_THINNED 1001u

struct fg_merge_candidate {
    const struct fg_manifest_segment *entry;
    bool is_excluded; /* damaged, or being worked on */
};

struct fg_merge_plan {
    size_t count; /* 0: nothing is worth merging */
    size_t inputs[FG_MERGE_INPUTS_MAX];
    uint64_t size_bytes; /* of the inputs */
    uint32_t level;      /* of the result */
};

/* Of the segments that merges are about to read, were nothing to come any more. What is as large as
 * a merge makes it is none of it: ingest waits for merges, and must not wait for what never comes.
 */
struct fg_merge_load {
    uint64_t debt_bytes;
    size_t partition_segments_max; /* of one partition */
};

/* candidates by tenant, day, id. quiet_before_ns: a partition whose last span was received before
 * it is quiet. size_max: inputs larger than that together are not chosen: the disk has no room. The
 * smallest tier goes first, since it holds the most segments. */
void fg_merge_plan(const struct fg_merge_candidate *candidates, size_t count,
                   uint64_t quiet_before_ns, uint64_t size_max, struct fg_merge_plan *ret_plan);

void fg_merge_load(const struct fg_merge_candidate *candidates, size_t count,
                   struct fg_merge_load *ret_load);
/* Of either bound, FG_MERGE_DEBT_BYTES_MAX or FG_PARTITION_SEGMENTS_MAX, the nearer one; above 1000
 * where it is passed. */
uint32_t fg_merge_load_permille(const struct fg_merge_load *load);
