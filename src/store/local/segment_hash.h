/* What filters and the trace index hash, on the writing and the reading side alike. */
#pragma once

#include "base/hash.h"
#include "local/segment_format.h"

/* 36 bits. */
static inline uint64_t fg_trace_hash(uint64_t id_high, uint64_t id_low)
{
    return fg_hash_u64(id_low ^ fg_hash_u64(id_high)) >> FG_TRACE_NUMBER_BITS;
}

/* A number of an attribute, so that 5 and 5.0 are one. integer: an int64_t; otherwise bits of a
 * double. */
static inline uint64_t fg_number_hash(uint64_t bits, bool integer)
{
    if (!integer) {
        double number;
        memcpy(&number, &bits, sizeof number);
        if (!(number >= -9007199254740992.0 && number <= 9007199254740992.0) ||
            number != (double)(int64_t)number)
            return fg_hash_u64(bits) + 1;
        bits = (uint64_t)(int64_t)number;
    }
    return fg_hash_u64(bits);
}
