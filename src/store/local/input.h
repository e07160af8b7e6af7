/* Bytes read from disk, taken from front to back. The error is sticky: take many things, check
 * once. After an error numbers read as 0 and slices as empty. */
#pragma once

#include "base/endian.h"
#include "base/error.h"
#include "base/slice.h"

/* Bytes after an input's end that must be readable, so that decoders may load whole words. What
 * they hold is of no matter. */
#define FG_INPUT_PADDING 16

struct fg_input {
    const uint8_t *at, *end;
    int error; /* 0 or FG_ECORRUPT */
};

static inline struct fg_input fg_input(struct fg_slice bytes)
{
    return (struct fg_input){.at = bytes.data, .end = bytes.data ? bytes.data + bytes.size : NULL};
}

static inline size_t fg_input_rest(const struct fg_input *in)
{
    return (size_t)(in->end - in->at);
}

static inline int fg_input_fail(struct fg_input *in)
{
    in->error = FG_ECORRUPT;
    in->at = in->end;
    return FG_ECORRUPT;
}

/* The next size bytes; NULL where there are less (and for none at all at the end of nothing). */
static inline const uint8_t *fg_input_take(struct fg_input *in, size_t size)
{
    if (size > fg_input_rest(in)) {
        fg_input_fail(in);
        return NULL;
    }
    const uint8_t *p = in->at;
    in->at += size;
    return p;
}

static inline struct fg_slice fg_input_slice(struct fg_input *in, size_t size)
{
    const uint8_t *p = fg_input_take(in, size);
    return fg_slice(p, p ? size : 0);
}

static inline uint8_t fg_input_u8(struct fg_input *in)
{
    if (in->at == in->end) {
        fg_input_fail(in);
        return 0;
    }
    return *in->at++;
}

static inline uint16_t fg_input_le16(struct fg_input *in)
{
    const uint8_t *p = fg_input_take(in, 2);
    return p ? fg_load_le16(p) : 0;
}

static inline uint32_t fg_input_le32(struct fg_input *in)
{
    const uint8_t *p = fg_input_take(in, 4);
    return p ? fg_load_le32(p) : 0;
}

static inline uint64_t fg_input_le64(struct fg_input *in)
{
    const uint8_t *p = fg_input_take(in, 8);
    return p ? fg_load_le64(p) : 0;
}

/* Base 128, at most ten bytes; one that does not fit 64 bits is an error. */
static inline uint64_t fg_input_varint(struct fg_input *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
        uint8_t byte = *in->at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    fg_input_fail(in);
    return 0;
}

/* A varint that must not be above value_max. */
static inline uint64_t fg_input_varint_max(struct fg_input *in, uint64_t value_max)
{
    uint64_t value = fg_input_varint(in);
    if (value <= value_max)
        return value;
    fg_input_fail(in);
    return 0;
}

static inline uint64_t fg_zigzag(uint64_t value)
{
    return value << 1 ^ (0 - (value >> 63));
}

static inline uint64_t fg_unzigzag(uint64_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

static inline uint64_t fg_input_zigzag(struct fg_input *in)
{
    return fg_unzigzag(fg_input_varint(in));
}
