/* A rollup's inside, for rollup*.c.
 *
 * It is one hash table of numbers. A key is (minute, operation, bucket) packed in 64 bits; an
 * operation is an index into a list, on which edges stand too. So a span costs one look at the
 * table, and a minute of an operation that took five durations costs five slots and no more. */
#pragma once

#include "base/arena.h"
#include "base/idmap.h"
#include "base/limits.h"
#include "store/rollup.h"

#define ROLLUP_BUCKET_BITS 10u
#define ROLLUP_OP_BITS     22u
#define ROLLUP_MINUTE_BITS 30u
/* The bucket of spans without an end. */
#define ROLLUP_BUCKET_OPEN ((1u << ROLLUP_BUCKET_BITS) - 1)
#define ROLLUP_MINUTE_MAX  ((uint64_t)(UINT64_MAX / FG_NS_PER_MINUTE))

_Static_assert(FG_HISTOGRAM_BUCKETS <= ROLLUP_BUCKET_OPEN, "buckets fit their bits");
_Static_assert(FG_ROLLUP_OPS_MAX * 2 < 1u << ROLLUP_OP_BITS, "operations fit their bits");
_Static_assert(UINT64_MAX / FG_NS_PER_MINUTE < UINT64_C(1) << ROLLUP_MINUTE_BITS,
               "minutes fit their bits");

enum rollup_op_type { ROLLUP_OPERATION = 0, ROLLUP_EDGE = 1 };

struct rollup_op {
    uint32_t first;  /* string: the service, or the caller's service */
    uint32_t second; /* string: the name, or the callee's service */
    uint8_t type;    /* enum rollup_op_type */
    uint8_t kind, status;
};

struct rollup_string {
    struct fg_slice bytes;
    uint32_t name_count; /* as a service: its names so far */
    bool is_service;
};

/* Operations met lately, by a batch's string ids. */
#define ROLLUP_RECENT_COUNT 1024u
struct rollup_recent {
    uint64_t epoch; /* of the batch */
    uint32_t first, second;
    uint16_t how; /* type, kind, status */
    uint32_t op;
};

struct fg_rollup {
    uint64_t *keys; /* 0: an empty slot; keys are stored plus one */
    uint32_t *counts;
    size_t slot_count, used;
    struct rollup_op *ops;
    uint32_t op_count, op_capacity;
    struct fg_idmap op_map;
    struct rollup_string *strings; /* 0 is "other" */
    uint32_t string_count, string_capacity;
    struct fg_idmap string_map;
    struct fg_arena names;
    uint32_t service_count;
    uint64_t uncounted;
    uint64_t epoch;
    struct rollup_recent recent[ROLLUP_RECENT_COUNT];
};

static inline uint64_t rollup_key(uint64_t minute, uint32_t op, uint32_t bucket)
{
    return minute << (ROLLUP_OP_BITS + ROLLUP_BUCKET_BITS) | (uint64_t)op << ROLLUP_BUCKET_BITS |
           bucket;
}

static inline uint64_t rollup_key_minute(uint64_t key)
{
    return key >> (ROLLUP_OP_BITS + ROLLUP_BUCKET_BITS);
}

static inline uint32_t rollup_key_op(uint64_t key)
{
    return (uint32_t)(key >> ROLLUP_BUCKET_BITS) & ((1u << ROLLUP_OP_BITS) - 1);
}

static inline uint32_t rollup_key_bucket(uint64_t key)
{
    return (uint32_t)key & ROLLUP_BUCKET_OPEN;
}

/* The operation's index, within the limits: past them that of "other". */
FG_MUST_CHECK int rollup_op_intern(struct fg_rollup *rollup, enum rollup_op_type type,
                                   struct fg_slice first, struct fg_slice second, uint8_t kind,
                                   uint8_t status, uint32_t *ret_op);

/* Adds count to a number, to a coarser one or to uncounted. */
FG_MUST_CHECK int rollup_count(struct fg_rollup *rollup, uint64_t minute, uint32_t op,
                               uint32_t bucket, uint64_t count);

/* Takes count back from where rollup_count() put it, as far as it is there. */
FG_MUST_CHECK int rollup_uncount(struct fg_rollup *rollup, uint64_t minute, uint32_t op,
                                 uint32_t bucket, uint64_t count);

/* One span, and a call to it, more (sign 1) or fewer (-1). caller: a service; where it is the
 * span's own it is no call. */
FG_MUST_CHECK int fg_rollup_count_span(struct fg_rollup *rollup, const struct fg_batch *batch,
                                       uint32_t row, int sign);
FG_MUST_CHECK int fg_rollup_count_call(struct fg_rollup *rollup, struct fg_slice caller,
                                       const struct fg_batch *batch, uint32_t row, int sign);
/* Adds (sign 1) or takes back (-1) what from holds of the minutes that overlap [start_ns_min,
 * start_ns_max). */
FG_MUST_CHECK int fg_rollup_add_window(struct fg_rollup *rollup, const struct fg_rollup *from,
                                       uint64_t start_ns_min, uint64_t start_ns_max, int sign);

/* All numbers, sorted: by minute, then by the operations' names. ops gets the operations in that
 * order, rank a place by operation; keys hold places instead of operations. */
struct rollup_sorted {
    struct rollup_number {
        uint64_t key;
        uint32_t count;
    } * numbers;
    size_t number_count;
    uint32_t *ops;
};
FG_MUST_CHECK int rollup_sort(const struct fg_rollup *rollup, struct rollup_sorted *ret_sorted);
void rollup_sorted_free(struct rollup_sorted *sorted);
