/* Minute rollups: how many spans of an operation began in a minute, how many failed, how long they
 * took; and who called whom. They answer for months what spans answer for weeks: a segment carries
 * the rollup of its spans, which is kept when the spans are dropped.
 *
 * An operation is (service, name, kind, status), an edge (caller's service, callee's service, error
 * or not). An edge is counted when both spans have met, in the callee's minute, with the callee's
 * duration; calls within one service are no edges. Of the forms of one span that lie together in
 * memory, or in one segment, one is counted. A span without an end is counted apart and has
 * no duration; one that ends before it starts has the duration 0.
 *
 * Durations are counted in buckets, ten to each power of two, so that a quantile is at most 5 %
 * off. A rollup is bounded (limits.h). When it fills up, new numbers go first to coarser buckets
 * (20 % off), then to the name "other" of the same kind, service and status, at last only into
 * uncounted. Not thread-safe. */
#pragma once

#include "base/buffer.h"
#include "span/batch.h"

struct fg_rollup;

FG_MUST_CHECK int fg_rollup_new(struct fg_rollup **ret_rollup);
void fg_rollup_free(struct fg_rollup *rollup);
void fg_rollup_reset(struct fg_rollup *rollup);

/* Adds those of batch's rows [row_begin, row_end) that start in [start_ns_min, start_ns_max).
 * caller: by row, the service of its parent as a string id of batch, 0 where it is not known; NULL:
 * of none. Reads times, name, resource and status columns. FG_ENOMEM: some may have been added. */
FG_MUST_CHECK int fg_rollup_add(struct fg_rollup *rollup, const struct fg_batch *batch,
                                uint32_t row_begin, uint32_t row_end, const uint32_t *caller,
                                uint64_t start_ns_min, uint64_t start_ns_max);

/* Adds what from holds. FG_ENOMEM: some may have been added. */
FG_MUST_CHECK int fg_rollup_merge(struct fg_rollup *rollup, const struct fg_rollup *from);

/* -- As bytes: byte format in rollup_codec.c and doc/format.md */

/* Appends to buffer, whose error tells how it went too. FG_ENOMEM, FG_ELIMIT (the buffer's). */
FG_MUST_CHECK int fg_rollup_encode(const struct fg_rollup *rollup, struct fg_buffer *buffer);

/* Adds the minutes of encoded bytes that overlap [start_ns_min, start_ns_max). FG_ECORRUPT and
 * FG_EUNSUPPORTED (a newer format) add nothing; FG_ENOMEM may have. */
FG_MUST_CHECK int fg_rollup_decode(struct fg_rollup *rollup, struct fg_slice bytes,
                                   uint64_t start_ns_min, uint64_t start_ns_max);

/* -- Reading */

struct fg_rollup_bucket {
    uint32_t bucket;
    uint32_t count;
};

/* One minute of one operation or edge. */
struct fg_rollup_cell {
    uint64_t minute_ns; /* its begin */
    bool is_edge;
    struct fg_slice caller; /* of an edge */
    struct fg_slice service;
    struct fg_slice name;                   /* of an operation */
    uint8_t kind;                           /* enum fg_span_kind */
    uint8_t status;                         /* enum fg_status_code; of an edge ERROR or UNSET */
    uint64_t count;                         /* spans with an end */
    uint64_t error_count;                   /* count, where status is an error */
    uint64_t open_count;                    /* spans without an end, in no bucket */
    const struct fg_rollup_bucket *buckets; /* of durations, rising */
    uint32_t bucket_count;
};

/* Calls fn for each cell: by minute, operations before edges, then by service (of an edge: caller,
 * callee), name, kind, status. Non-zero ends it and is the result. FG_ENOMEM. */
FG_MUST_CHECK int fg_rollup_each(const struct fg_rollup *rollup,
                                 int (*fn)(void *arg, const struct fg_rollup_cell *cell),
                                 void *arg);

/* Spans that found no place. */
uint64_t fg_rollup_uncounted(const struct fg_rollup *rollup);
uint64_t fg_rollup_size_bytes(const struct fg_rollup *rollup); /* in memory */

/* -- Histograms: cells of any minutes and operations, added up */

#define FG_HISTOGRAM_BUCKETS 640u

struct fg_histogram {
    uint64_t count;
    uint64_t buckets[FG_HISTOGRAM_BUCKETS];
};

uint32_t fg_histogram_bucket(uint64_t duration_ns);
/* A bucket's durations lie in [begin, end). */
void fg_histogram_bounds(uint32_t bucket, uint64_t *ret_begin_ns, uint64_t *ret_end_ns);
void fg_histogram_add(struct fg_histogram *histogram, const struct fg_rollup_cell *cell);
/* The duration below which a share of quantile (0 to 1) lies; 0 of nothing. */
uint64_t fg_histogram_quantile(const struct fg_histogram *histogram, double quantile);
