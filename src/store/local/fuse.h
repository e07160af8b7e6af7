/* A binary fuse filter with 8-bit fingerprints (Graf and Lemire, "Binary Fuse Filters: Fast and
 * Smaller Than Xor Filters", 2022): a set of 64-bit hashes in about 9 bits each, immutable. A
 * member is always found; another hash is taken for a member once in 256. */
#pragma once

#include "base/buffer.h"
#include "local/input.h"

#define FG_FUSE_KEYS_MAX (1u << 24)

/* Appends the filter of these hashes, in no order, repeated ones allowed; at most FG_FUSE_KEYS_MAX.
 * Out of memory is out's sticky error. */
void fg_fuse_encode(const uint64_t *hashes, uint32_t count, struct fg_buffer *out);

/* A view of a filter's bytes. */
struct fg_fuse {
    uint64_t seed;
    uint32_t segment_length; /* a power of two */
    uint32_t segment_count;
    const uint8_t *fingerprints; /* NULL: the empty set */
};

FG_MUST_CHECK int fg_fuse_parse(struct fg_slice bytes, struct fg_fuse *ret_fuse);
bool fg_fuse_contains(const struct fg_fuse *fuse, uint64_t hash);
