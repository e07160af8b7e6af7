/* The codecs of a segment's columns: arrays of numbers and lists of strings to bytes and back.
 *
 * An encoder appends to a buffer whose error is sticky; the encoding is chosen by what the values
 * are, and its first byte names it. A decoder takes from a struct fg_input, checks everything and
 * returns FG_ECORRUPT for bytes that no encoder makes. Encodings: doc/format.md, "Codecs". */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "local/input.h"

/* -- Bits ---------------------------------------------------------------------------------- */

/* Bytes of count values of width bits. count at most 2^32, width at most 64. */
static inline uint64_t fg_bits_size(uint64_t count, unsigned width)
{
    return (count * width + 7) / 8;
}

/* Bits that x takes: 0 for 0. */
static inline unsigned fg_bits_width(uint64_t x)
{
    return x ? 64u - (unsigned)__builtin_clzll(x) : 0;
}

/* Appends values[i] - base in width bits each, lowest bit first. */
void fg_bits_pack(const uint64_t *values, uint32_t count, unsigned width, uint64_t base,
                  struct fg_buffer *out);
/* bytes: fg_bits_size(count, width) bytes with FG_INPUT_PADDING more that may be read. */
void fg_bits_unpack(const uint8_t *bytes, uint32_t count, unsigned width, uint64_t base,
                    uint64_t *values);

/* count flags in 64-bit words, lowest bit first; bits past count must be 0. */
static inline size_t fg_flags_words(uint32_t count)
{
    return ((size_t)count + 63) / 64;
}

static inline bool fg_flag_get(const uint64_t *words, uint32_t index)
{
    return words[index / 64] >> (index % 64) & 1;
}

static inline void fg_flag_set(uint64_t *words, uint32_t index)
{
    words[index / 64] |= UINT64_C(1) << (index % 64);
}

void fg_flags_encode(const uint64_t *words, uint32_t count, struct fg_buffer *out);
FG_MUST_CHECK int fg_flags_decode(struct fg_input *in, uint32_t count, uint64_t *words);

/* -- Numbers ------------------------------------------------------------------------------- */

/* First byte of an array of numbers. Part of the disk format. */
enum fg_int_encoding {
    FG_INT_CONSTANT = 0,
    FG_INT_PACKED = 1,     /* frame of reference */
    FG_INT_DELTA = 2,      /* differences, packed */
    FG_INT_SCALED = 3,     /* multiples of one number */
    FG_INT_DISTINCT = 4,   /* few values: a list and packed codes */
    FG_INT_BY_CONTEXT = 5, /* a frame of reference for each code of a, with exceptions */
    FG_INT_PREDICTED = 6,  /* flags of what a rule foretells, and the rest */
};

/* What a value may be foretold by. Part of the disk format. */
enum fg_int_rule {
    FG_RULE_PREVIOUS = 0,   /* the value before */
    FG_RULE_HISTORY = 1,    /* what followed the last two values */
    FG_RULE_A = 2,          /* the last value under this code of a */
    FG_RULE_B = 3,          /* under this code of b */
    FG_RULE_A_B = 4,        /* under this pair */
    FG_RULE_A_PREVIOUS = 5, /* under this code of a and the value before */
    FG_RULE_A_PARENT = 6,   /* under this code of a and the parent's value */
    FG_RULE_DEFAULT = 7,    /* the value that is usual there */
    FG_RULE_COUNT = 8,
};

/* What an encoder and its decoder both know of the values: for each a code (a below a_count, b
 * any), the index of an earlier value that it resembles (UINT32_MAX: none), and the value that is
 * usual under a's code (defaults[a_count]). Each may be NULL. */
struct fg_int_context {
    const uint32_t *a, *b;
    uint32_t a_count;
    const uint32_t *parent;
    const uint32_t *defaults;
    uint32_t rules; /* 1 << rule for each that the encoder tries; a decoder does not look at it */
};

/* Memory that one thread uses again from column to column. */
struct fg_codec;

FG_MUST_CHECK int fg_codec_new(struct fg_codec **ret_codec);
void fg_codec_free(struct fg_codec *codec);

/* Values are any 64 bits; those near each other as signed numbers are small. Out of memory is
 * out's sticky error. */
void fg_int_encode(struct fg_codec *codec, const uint64_t *values, uint32_t count,
                   const struct fg_int_context *context, struct fg_buffer *out);
FG_MUST_CHECK int fg_int_decode(struct fg_codec *codec, struct fg_input *in, uint32_t count,
                                const struct fg_int_context *context, uint64_t *values);
/* The name of the encoding that starts with this byte, for tools. */
const char *fg_int_encoding_name(uint8_t tag);

/* As fg_int_decode(), every value at most value_max, as 32 bits. */
FG_MUST_CHECK int fg_int_decode_u32(struct fg_codec *codec, struct fg_input *in, uint32_t count,
                                    const struct fg_int_context *context, uint64_t value_max,
                                    uint32_t *values);

/* -- Doubles that people wrote as decimals --------------------------------------------------- */

/* Whether all are integers over a power of ten, to the bit: then values become those integers. */
bool fg_decimal_encode(const uint64_t *bits, uint32_t count, uint64_t *ret_integers,
                       uint8_t *ret_exponent);
/* FG_ECORRUPT for an exponent that no encoder makes. */
FG_MUST_CHECK int fg_decimal_decode(uint64_t *values, uint32_t count, uint8_t exponent);

/* -- Strings ------------------------------------------------------------------------------- */

/* Appends count strings: as templates with numbers, hex ids and UUIDs taken out where that is
 * smaller, otherwise as they are, compressed where that wins by a clear margin. */
void fg_text_encode(struct fg_codec *codec, const struct fg_slice *strings, uint32_t count,
                    struct fg_buffer *out);
/* The strings' bytes lie in arena or in the input, which must both outlive them. Together at most
 * size_max bytes. FG_ECORRUPT, FG_ENOMEM. */
FG_MUST_CHECK int fg_text_decode(struct fg_codec *codec, struct fg_input *in, uint32_t count,
                                 size_t size_max, struct fg_arena *arena, struct fg_slice *strings);
const char *fg_text_encoding_name(uint8_t tag);

/* Bytes, compressed where that wins. */
void fg_blob_encode(struct fg_codec *codec, struct fg_slice bytes, struct fg_buffer *out);
/* The bytes lie in arena or in the input, followed by FG_INPUT_PADDING that may be read. */
FG_MUST_CHECK int fg_blob_decode(struct fg_codec *codec, struct fg_input *in, size_t size_max,
                                 struct fg_arena *arena, struct fg_slice *ret_bytes);
