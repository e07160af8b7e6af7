/* Packed numbers of one width, and flags.
 *
 * Packed: value i takes bits [i * width, (i + 1) * width) of the bytes, the lowest bit of the first
 * byte being bit 0. Flags: a byte that names the form, then
 *   0, 1  nothing: all are 0, all are 1
 *   2     a bit each
 *   3, 4  the places of the ones (of the zeros): their count as a varint, a width, and packed the
 *         number of flags between each and the one before. */
#include "local/codec.h"

enum { FLAGS_ZERO = 0, FLAGS_ONE = 1, FLAGS_BITS = 2, FLAGS_ONES = 3, FLAGS_ZEROS = 4 };

void fg_bits_pack(const uint64_t *values, uint32_t count, unsigned width, uint64_t base,
                  struct fg_buffer *out)
{
    size_t size = (size_t)fg_bits_size(count, width);
    uint8_t *p = fg_buffer_reserve(out, size + 8);
    if (!p || width == 0)
        return;
    uint64_t word = 0;
    unsigned fill = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value = values[i] - base;
        word |= value << fill;
        fill += width;
        if (fill < 64)
            continue;
        fg_store_le64(p, word);
        p += 8;
        fill -= 64;
        word = fill ? value >> (width - fill) : 0;
    }
    fg_store_le64(p, word);
    out->size += size;
}

/* The bits that make a value of width, which must be in 1 to 64. */
static uint64_t mask_of(unsigned width)
{
    return ~UINT64_C(0) >> (64 - width);
}

static void unpack_wide(const uint8_t *bytes, uint32_t count, unsigned width, uint64_t base,
                        uint64_t *values)
{
    uint64_t bit = 0, mask = mask_of(width);
    for (uint32_t i = 0; i < count; i++, bit += width) {
        const uint8_t *p = bytes + bit / 8;
        unsigned shift = bit % 8;
        uint64_t value = fg_load_le64(p) >> shift;
        if (shift)
            value |= (uint64_t)p[8] << (64 - shift);
        values[i] = (value & mask) + base;
    }
}

void fg_bits_unpack(const uint8_t *bytes, uint32_t count, unsigned width, uint64_t base,
                    uint64_t *values)
{
    if (width == 0) {
        for (uint32_t i = 0; i < count; i++)
            values[i] = base;
        return;
    }
    if (width > 57) {
        unpack_wide(bytes, count, width, base, values);
        return;
    }
    uint64_t bit = 0, mask = mask_of(width);
    for (uint32_t i = 0; i < count; i++, bit += width)
        values[i] = ((fg_load_le64(bytes + bit / 8) >> (bit % 8)) & mask) + base;
}

static uint32_t ones_of(const uint64_t *words, uint32_t count)
{
    uint32_t ones = 0;
    for (size_t i = 0; i < fg_flags_words(count); i++)
        ones += (uint32_t)__builtin_popcountll(words[i]);
    return ones;
}

/* The word at index with the flags that differ from the usual one set; past count it is 0. */
static uint64_t unusual(const uint64_t *words, uint32_t count, size_t index, uint64_t usual)
{
    uint64_t word = words[index] ^ usual;
    if (index == count / 64)
        word &= (UINT64_C(1) << (count % 64)) - 1;
    return word;
}

static unsigned gap_width(const uint64_t *words, uint32_t count, uint64_t usual)
{
    uint32_t next = 0, gap_max = 0;
    for (size_t i = 0; i < fg_flags_words(count); i++) {
        for (uint64_t word = unusual(words, count, i, usual); word; word &= word - 1) {
            uint32_t at = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(word);
            if (at - next > gap_max)
                gap_max = at - next;
            next = at + 1;
        }
    }
    return fg_bits_width(gap_max);
}

static void put_places(const uint64_t *words, uint32_t count, uint64_t usual, uint32_t places,
                       unsigned width, struct fg_buffer *out)
{
    fg_buffer_append_byte(out, usual ? FLAGS_ZEROS : FLAGS_ONES);
    fg_buffer_append_varint(out, places);
    fg_buffer_append_byte(out, (uint8_t)width);
    /* gaps by the dozen: packed piece by piece would need whole bytes, so the bits are put here */
    uint64_t word_out = 0;
    unsigned fill = 0;
    uint32_t next = 0;
    for (size_t i = 0; i < fg_flags_words(count); i++) {
        for (uint64_t word = unusual(words, count, i, usual); word; word &= word - 1) {
            uint32_t at = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(word);
            word_out |= (uint64_t)(at - next) << fill;
            next = at + 1;
            for (fill += width; fill >= 8; fill -= 8, word_out >>= 8)
                fg_buffer_append_byte(out, (uint8_t)word_out);
        }
    }
    if (fill)
        fg_buffer_append_byte(out, (uint8_t)word_out);
}

void fg_flags_encode(const uint64_t *words, uint32_t count, struct fg_buffer *out)
{
    uint32_t ones = ones_of(words, count);
    if (ones == 0 || ones == count) {
        fg_buffer_append_byte(out, ones == 0 ? FLAGS_ZERO : FLAGS_ONE);
        return;
    }
    uint64_t usual = ones > count / 2 ? ~UINT64_C(0) : 0;
    uint32_t places = usual ? count - ones : ones;
    size_t bits_size = ((size_t)count + 7) / 8;
    if (places < count / 4) {
        unsigned width = gap_width(words, count, usual);
        if (fg_bits_size(places, width) + 3 < bits_size) {
            put_places(words, count, usual, places, width, out);
            return;
        }
    }
    fg_buffer_append_byte(out, FLAGS_BITS);
    uint8_t *p = fg_buffer_reserve(out, fg_flags_words(count) * 8);
    if (!p)
        return;
    for (size_t i = 0; i < fg_flags_words(count); i++)
        fg_store_le64(p + i * 8, words[i]);
    out->size += bits_size;
}

/* Sets every flag below count to the usual one. */
static void fill_flags(uint64_t *words, uint32_t count, uint64_t usual)
{
    size_t word_count = fg_flags_words(count);
    for (size_t i = 0; i < word_count; i++)
        words[i] = usual;
    if (count % 64)
        words[word_count - 1] &= (UINT64_C(1) << (count % 64)) - 1;
}

static int take_places(struct fg_input *in, uint32_t count, uint64_t usual, uint64_t *words)
{
    uint32_t places = (uint32_t)fg_input_varint_max(in, count);
    unsigned width = fg_input_u8(in);
    if (width > 32)
        return fg_input_fail(in);
    const uint8_t *bytes = fg_input_take(in, (size_t)fg_bits_size(places, width));
    if (in->error)
        return in->error;
    fill_flags(words, count, usual);
    uint64_t next = 0, mask = width ? mask_of(width) : 0;
    for (uint32_t i = 0; i < places; i++) {
        uint64_t bit = (uint64_t)i * width;
        uint64_t at = next + ((fg_load_le64(bytes + bit / 8) >> (bit % 8)) & mask);
        if (at >= count)
            return fg_input_fail(in);
        words[at / 64] ^= UINT64_C(1) << (at % 64);
        next = at + 1;
    }
    return 0;
}

static int take_bits(struct fg_input *in, uint32_t count, uint64_t *words)
{
    size_t size = ((size_t)count + 7) / 8;
    const uint8_t *bytes = fg_input_take(in, size);
    if (!bytes)
        return in->error;
    for (size_t i = 0; i < fg_flags_words(count); i++)
        words[i] = fg_load_le64(bytes + i * 8);
    if (count % 64)
        words[count / 64] &= (UINT64_C(1) << (count % 64)) - 1;
    return 0;
}

int fg_flags_decode(struct fg_input *in, uint32_t count, uint64_t *words)
{
    switch (fg_input_u8(in)) {
    case FLAGS_ZERO:
        if (in->error)
            return in->error;
        fill_flags(words, count, 0);
        return 0;
    case FLAGS_ONE:
        fill_flags(words, count, ~UINT64_C(0));
        return 0;
    case FLAGS_BITS:
        return take_bits(in, count, words);
    case FLAGS_ONES:
        return take_places(in, count, 0, words);
    case FLAGS_ZEROS:
        return take_places(in, count, ~UINT64_C(0), words);
    default:
        return fg_input_fail(in);
    }
}
