/* Arrays of numbers from bytes. The format of each encoding stands above the function that takes
 * it. Numbers wrap at 64 bits everywhere, so that any bytes give some values and none is undefined.
 */
#include "local/codec_internal.h"

static int decode_plain(struct fg_codec *codec, struct fg_input *in, uint32_t count,
                        const struct fg_int_context *context, uint8_t tag, uint64_t *values);

/* constant: zigzag varint. */
static int decode_constant(struct fg_input *in, uint32_t count, uint64_t *values)
{
    uint64_t value = fg_input_zigzag(in);
    for (uint32_t i = 0; i < count; i++)
        values[i] = value;
    return in->error;
}

/* packed: width, zigzag varint of the base, packed values minus base. */
static int decode_packed(struct fg_input *in, uint32_t count, uint64_t *values)
{
    unsigned width = fg_input_u8(in);
    uint64_t base = fg_input_zigzag(in);
    if (width > 64)
        return fg_input_fail(in);
    const uint8_t *bytes = fg_input_take(in, (size_t)fg_bits_size(count, width));
    if (in->error)
        return in->error;
    fg_bits_unpack(bytes, count, width, base, values);
    return 0;
}

/* delta: zigzag varint of the first value, then as packed the differences of the others to the one
 * before. */
static int decode_delta(struct fg_input *in, uint32_t count, uint64_t *values)
{
    if (count == 0)
        return fg_input_fail(in);
    values[0] = fg_input_zigzag(in);
    int r = decode_packed(in, count - 1, values + 1);
    for (uint32_t i = 1; r == 0 && i < count; i++)
        values[i] += values[i - 1];
    return r;
}

/* scaled: varint of the factor, then another encoding but scaled and predicted. */
static int decode_scaled(struct fg_codec *codec, struct fg_input *in, uint32_t count,
                         const struct fg_int_context *context, uint64_t *values)
{
    uint64_t factor = fg_input_varint(in);
    uint8_t tag = fg_input_u8(in);
    if (tag == FG_INT_SCALED)
        return fg_input_fail(in);
    int r = decode_plain(codec, in, count, context, tag, values);
    for (uint32_t i = 0; r == 0 && i < count; i++)
        values[i] *= factor;
    return r;
}

/* distinct: varint of the number of values, these ascending as packed differences, then a width and
 * packed codes. */
static int decode_distinct(struct fg_codec *codec, struct fg_input *in, uint32_t count,
                           uint64_t *values)
{
    uint32_t distinct = (uint32_t)fg_input_varint_max(in, count);
    if (distinct == 0)
        return fg_input_fail(in);
    uint64_t *list = codec->scratch;
    int r = decode_delta(in, distinct, list);
    unsigned width = fg_input_u8(in);
    if (r == 0 && width > 32)
        r = fg_input_fail(in);
    if (r < 0)
        return r;
    const uint8_t *bytes = fg_input_take(in, (size_t)fg_bits_size(count, width));
    if (in->error)
        return in->error;
    fg_bits_unpack(bytes, count, width, 0, values);
    for (uint32_t i = 0; i < count; i++) {
        if (values[i] >= distinct)
            return fg_input_fail(in);
        values[i] = list[values[i]];
    }
    return 0;
}

struct frame {
    uint64_t base;
    uint32_t width;
};

/* Value after value, each as wide as its context says; all ones of a width in 1 to 63 stand for the
 * next exception. */
static int take_by_context(struct fg_codec *codec, const uint8_t *bytes, uint32_t count,
                           const uint8_t *exceptions, uint32_t exception_count, uint64_t *values)
{
    const struct frame *frames = (const struct frame *)(const void *)codec->scratch;
    uint64_t bit = 0;
    uint32_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct frame frame = frames[codec->local[i]];
        if (frame.width == 0) {
            values[i] = frame.base;
            continue;
        }
        const uint8_t *p = bytes + bit / 8;
        unsigned shift = bit % 8;
        uint64_t value = fg_load_le64(p) >> shift;
        if (frame.width + shift > 64)
            value |= (uint64_t)p[8] << (64 - shift);
        uint64_t mask = ~UINT64_C(0) >> (64 - frame.width);
        value &= mask;
        bit += frame.width;
        values[i] = value + frame.base;
        if (value != mask || frame.width == 64)
            continue;
        if (used == exception_count)
            return FG_ECORRUPT;
        values[i] = fg_load_le64(exceptions + (size_t)used++ * 8);
    }
    return used == exception_count ? 0 : FG_ECORRUPT;
}

/* by context: varint of the number of contexts, for each in order of appearance a width and the
 * zigzag varint of a base; varint of the number of exceptions; packed values of changing width;
 * 8 bytes an exception. */
static int decode_by_context(struct fg_codec *codec, struct fg_input *in, uint32_t count,
                             const struct fg_int_context *context, uint64_t *values)
{
    if (!context || !context->a)
        return fg_input_fail(in);
    uint32_t contexts;
    int r = fg_codec_localize(codec, context->a, context->a_count, count, count / 2 + 1, &contexts);
    if (r < 0)
        return r == FG_ELIMIT ? fg_input_fail(in) : r;
    if (fg_input_varint(in) != contexts)
        return fg_input_fail(in);
    struct frame *frames = (struct frame *)(void *)codec->scratch;
    for (uint32_t i = 0; i < contexts; i++) {
        frames[i].width = fg_input_u8(in);
        frames[i].base = fg_input_zigzag(in);
        if (frames[i].width > 64)
            return fg_input_fail(in);
    }
    uint32_t exceptions = (uint32_t)fg_input_varint_max(in, count);
    uint64_t bits = 0;
    for (uint32_t i = 0; i < count; i++)
        bits += frames[codec->local[i]].width;
    const uint8_t *bytes = fg_input_take(in, (size_t)((bits + 7) / 8));
    const uint8_t *rare = fg_input_take(in, (size_t)exceptions * 8);
    if (in->error)
        return in->error;
    r = take_by_context(codec, bytes, count, rare, exceptions, values);
    return r < 0 ? fg_input_fail(in) : 0;
}

static int decode_plain(struct fg_codec *codec, struct fg_input *in, uint32_t count,
                        const struct fg_int_context *context, uint8_t tag, uint64_t *values)
{
    switch (tag) {
    case FG_INT_CONSTANT:
        return decode_constant(in, count, values);
    case FG_INT_PACKED:
        return decode_packed(in, count, values);
    case FG_INT_DELTA:
        return decode_delta(in, count, values);
    case FG_INT_SCALED:
        return decode_scaled(codec, in, count, context, values);
    case FG_INT_DISTINCT:
        return decode_distinct(codec, in, count, values);
    case FG_INT_BY_CONTEXT:
        return decode_by_context(codec, in, count, context, values);
    default:
        return fg_input_fail(in);
    }
}

static inline __attribute__((always_inline)) uint32_t
apply_rule(struct fg_codec *codec, enum fg_int_rule rule, const struct fg_int_context *context,
           uint32_t count, const uint64_t *misses, uint32_t miss_count, uint64_t *values)
{
    unsigned bits = fg_rule_bits(count);
    uint64_t *table = codec->table;
    uint32_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = 0;
        uint64_t value;
        if (rule == FG_RULE_PREVIOUS) {
            value = i > 0 ? values[i - 1] : 0;
        } else if (rule == FG_RULE_DEFAULT) {
            value = context->defaults[i];
        } else {
            slot = fg_rule_slot(rule, context, values, i, bits);
            value = table[slot];
        }
        if (!fg_flag_get(codec->hits, i)) {
            if (used == miss_count)
                return UINT32_MAX;
            value = misses[used++];
        }
        values[i] = value;
        if (fg_rule_remembers(rule))
            table[slot] = value;
    }
    return used;
}

/* The values that the rule misses: those flagged are one more than the greatest before (of all
 * values, which is why they can't be told from the misses alone), the others come from rest. They
 * are resolved while the rule runs. */
static inline __attribute__((always_inline)) int
apply_rule_next(struct fg_codec *codec, enum fg_int_rule rule, const struct fg_int_context *context,
                uint32_t count, uint64_t first, uint32_t miss_count, uint32_t rest_count,
                uint64_t *values)
{
    unsigned bits = fg_rule_bits(count);
    uint64_t *table = codec->table, next = first;
    uint32_t missed = 0, used = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = fg_rule_remembers(rule) ? fg_rule_slot(rule, context, values, i, bits) : 0;
        uint64_t value;
        if (rule == FG_RULE_PREVIOUS)
            value = i > 0 ? values[i - 1] : 0;
        else if (rule == FG_RULE_DEFAULT)
            value = context->defaults[i];
        else
            value = table[slot];
        if (!fg_flag_get(codec->hits, i)) {
            if (missed == miss_count)
                return FG_ECORRUPT;
            if (fg_flag_get(codec->next, missed++))
                value = next;
            else if (used < rest_count)
                value = codec->rest[used++];
            else
                return FG_ECORRUPT;
        }
        values[i] = value;
        if (fg_rule_remembers(rule))
            table[slot] = value;
        if (value >= next && value != UINT64_MAX)
            next = value + 1;
    }
    return 0;
}

#define FOR_EACH_RULE(call)                                                                        \
    switch (rule) {                                                                                \
    case FG_RULE_PREVIOUS:                                                                         \
        return call(FG_RULE_PREVIOUS);                                                             \
    case FG_RULE_HISTORY:                                                                          \
        return call(FG_RULE_HISTORY);                                                              \
    case FG_RULE_A:                                                                                \
        return call(FG_RULE_A);                                                                    \
    case FG_RULE_B:                                                                                \
        return call(FG_RULE_B);                                                                    \
    case FG_RULE_A_B:                                                                              \
        return call(FG_RULE_A_B);                                                                  \
    case FG_RULE_A_PREVIOUS:                                                                       \
        return call(FG_RULE_A_PREVIOUS);                                                           \
    case FG_RULE_A_PARENT:                                                                         \
        return call(FG_RULE_A_PARENT);                                                             \
    default:                                                                                       \
        return call(FG_RULE_DEFAULT);                                                              \
    }

static int run_rule(struct fg_codec *codec, enum fg_int_rule rule,
                    const struct fg_int_context *context, uint32_t count, uint32_t miss_count,
                    uint64_t *values)
{
#define RUN(r)                                                                                     \
    apply_rule(codec, r, context, count, codec->misses, miss_count, values) == miss_count          \
        ? 0                                                                                        \
        : FG_ECORRUPT
    FOR_EACH_RULE(RUN)
#undef RUN
}

static int run_rule_next(struct fg_codec *codec, enum fg_int_rule rule,
                         const struct fg_int_context *context, uint32_t count, uint64_t first,
                         uint32_t miss_count, uint32_t rest_count, uint64_t *values)
{
#define RUN(r) apply_rule_next(codec, r, context, count, first, miss_count, rest_count, values)
    FOR_EACH_RULE(RUN)
#undef RUN
}

static uint32_t zeros_of(const uint64_t *words, uint32_t count)
{
    uint32_t ones = 0;
    for (size_t i = 0; i < fg_flags_words(count); i++)
        ones += (uint32_t)__builtin_popcountll(words[i]);
    return count - ones;
}

/* The values that neither the rule nor the greatest before foretells. */
static int take_rest(struct fg_codec *codec, struct fg_input *in, uint32_t count, uint64_t *rest)
{
    if (count == 0)
        return 0;
    return decode_plain(codec, in, count, NULL, fg_input_u8(in), rest);
}

/* predicted: the rule, with 0x80 where the greatest value so far helps; flags: the rule is right;
 * then (0x80) a zigzag varint, what is taken for the greatest so far plus one at first, and flags
 * of the misses: it is the greatest so far plus one; then the values that are left, in another
 * encoding but predicted. A rule remembers values in a table of 2^b entries, all 0 at first, b
 * being the bits of count, but at least 4 and at most 12. */
static int decode_predicted(struct fg_codec *codec, struct fg_input *in, uint32_t count,
                            const struct fg_int_context *context, uint64_t *values)
{
    uint8_t byte = fg_input_u8(in);
    enum fg_int_rule rule = byte & 0x7f;
    if (rule >= FG_RULE_COUNT || !fg_rule_fits(rule, context))
        return fg_input_fail(in);
    int r = fg_flags_decode(in, count, codec->hits);
    if (r < 0)
        return r;
    uint32_t misses = zeros_of(codec->hits, count);
    if (fg_rule_remembers(rule))
        memset(codec->table, 0, sizeof *codec->table << fg_rule_bits(count));
    if (!(byte & 0x80)) {
        r = take_rest(codec, in, misses, codec->misses);
        if (r == 0)
            r = run_rule(codec, rule, context, count, misses, values);
        return r < 0 ? fg_input_fail(in) : 0;
    }
    uint64_t first = fg_input_zigzag(in);
    r = fg_flags_decode(in, misses, codec->next);
    if (r < 0)
        return r;
    uint32_t rest = zeros_of(codec->next, misses);
    r = take_rest(codec, in, rest, codec->rest);
    if (r == 0)
        r = run_rule_next(codec, rule, context, count, first, misses, rest, values);
    return r < 0 ? fg_input_fail(in) : 0;
}

int fg_int_decode(struct fg_codec *codec, struct fg_input *in, uint32_t count,
                  const struct fg_int_context *context, uint64_t *values)
{
    int r = fg_codec_reserve(codec, count);
    if (r < 0)
        return r;
    if (count == 0)
        return in->error;
    uint8_t tag = fg_input_u8(in);
    if (in->error)
        return in->error;
    if (tag == FG_INT_PREDICTED)
        return decode_predicted(codec, in, count, context, values);
    return decode_plain(codec, in, count, context, tag, values);
}
