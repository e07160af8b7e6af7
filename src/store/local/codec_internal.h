/* What the codecs share among themselves. */
#pragma once

#include "local/codec.h"

#include <zstd.h>

#define FG_RULE_TABLE_BITS_MAX 12u

/* Contexts that get a frame of their own in one array: more would cost more than they save. */
#define FG_FRAMES_MAX 1024u

/* An encoder's choice for one context. */
struct fg_frame {
    uint64_t base;
    uint32_t width;
    uint32_t count;
    uint64_t bits; /* what its values cost */
};

struct fg_codec {
    uint64_t table[1u << FG_RULE_TABLE_BITS_MAX];
    uint32_t capacity; /* values that the arrays below hold */
    uint64_t *hits, *next;
    uint64_t *misses, *rest, *scratch, *wide;
    uint32_t *local; /* by value: its context's number in order of appearance */
    uint32_t *stamp; /* by code of a: the same number + 1, 0 where it did not appear */
    uint32_t stamp_capacity;
    /* an encoder's, made with the first array that has contexts */
    struct fg_frame *frames;
    uint32_t (*histograms)[65];
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
};

/* Room for count values; FG_ENOMEM. */
FG_MUST_CHECK int fg_codec_reserve(struct fg_codec *codec, uint32_t count);

/* Numbers the codes of a from 0 in order of appearance into codec->local; *ret_count of them. More
 * than count_max: FG_ELIMIT. */
FG_MUST_CHECK int fg_codec_localize(struct fg_codec *codec, const uint32_t *a, uint32_t a_count,
                                    uint32_t count, uint32_t count_max, uint32_t *ret_count);

/* The slot of the table that the rule looks at for value i, whose two values before are v1, v2. */
static inline uint32_t fg_rule_slot(enum fg_int_rule rule, const struct fg_int_context *context,
                                    const uint64_t *values, uint32_t i, unsigned bits)
{
    const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t previous = i > 0 ? values[i - 1] : 0;
    uint64_t x = 0;
    if (rule == FG_RULE_HISTORY)
        x = previous * 31 + (i > 1 ? values[i - 2] * UINT64_C(0xff51afd7ed558ccd) : 0);
    else if (rule == FG_RULE_A)
        x = context->a[i];
    else if (rule == FG_RULE_B)
        x = context->b[i];
    else if (rule == FG_RULE_A_B)
        x = (uint64_t)context->a[i] << 32 | context->b[i];
    else if (rule == FG_RULE_A_PREVIOUS)
        x = ((uint64_t)context->a[i] << 32) ^ previous;
    else if (rule == FG_RULE_A_PARENT)
        x = ((uint64_t)context->a[i] << 32) ^
            (context->parent[i] < i ? values[context->parent[i]] + 1 : 0);
    return (uint32_t)((x * factor) >> (64 - bits));
}

/* Bits of the table for count values: more would only be cleared in vain. */
static inline unsigned fg_rule_bits(uint32_t count)
{
    unsigned bits = fg_bits_width(count);
    if (bits < 4)
        return 4;
    return bits > FG_RULE_TABLE_BITS_MAX ? FG_RULE_TABLE_BITS_MAX : bits;
}

/* Whether the rule remembers values in the table. */
static inline bool fg_rule_remembers(enum fg_int_rule rule)
{
    return rule != FG_RULE_PREVIOUS && rule != FG_RULE_DEFAULT;
}

/* Whether the context has what the rule goes by. */
static inline bool fg_rule_fits(enum fg_int_rule rule, const struct fg_int_context *context)
{
    switch (rule) {
    case FG_RULE_PREVIOUS:
    case FG_RULE_HISTORY:
        return true;
    case FG_RULE_A:
    case FG_RULE_A_PREVIOUS:
        return context && context->a;
    case FG_RULE_B:
        return context && context->b;
    case FG_RULE_A_B:
        return context && context->a && context->b;
    case FG_RULE_A_PARENT:
        return context && context->a && context->parent;
    case FG_RULE_DEFAULT:
        return context && context->defaults;
    case FG_RULE_COUNT:
        break;
    }
    return false;
}

/* Templates: see codec_template.c. The encoder returns false where the strings are not made of few
 * templates; then nothing was appended. */
bool fg_template_encode(struct fg_codec *codec, const struct fg_slice *strings, uint32_t count,
                        struct fg_buffer *out);
FG_MUST_CHECK int fg_template_decode(struct fg_codec *codec, struct fg_input *in, uint32_t count,
                                     size_t size_max, struct fg_arena *arena,
                                     struct fg_slice *strings);
