/* Arrays of numbers to bytes: what would each encoding cost, and the cheapest. The formats stand in
 * codec_int_decode.c.
 *
 * A prediction that always holds costs a few bytes a page, however many rows: so the rules are
 * tried first, cheapest first, and the trial ends at the first that never misses. */
#include "local/codec_internal.h"

#include <stdlib.h>

#define DISTINCT_MAX     256u
#define DISTINCT_SLOTS   1024u
#define EXCEPTION_BITS   72u /* what an exception costs, roughly */
#define CONTEXT_ROWS_MIN 8u  /* values a context must have on average to be worth a frame */

struct shape {
    uint64_t min, max; /* as signed numbers */
    unsigned width, delta_width;
    uint64_t delta_min;
};

static struct shape look_at(const uint64_t *values, uint32_t count)
{
    int64_t min = (int64_t)values[0], max = min;
    int64_t delta_min = INT64_MAX, delta_max = INT64_MIN;
    for (uint32_t i = 1; i < count; i++) {
        int64_t value = (int64_t)values[i];
        int64_t delta = (int64_t)(values[i] - values[i - 1]);
        min = value < min ? value : min;
        max = value > max ? value : max;
        delta_min = delta < delta_min ? delta : delta_min;
        delta_max = delta > delta_max ? delta : delta_max;
    }
    struct shape shape = {.min = (uint64_t)min, .max = (uint64_t)max};
    shape.width = fg_bits_width((uint64_t)max - (uint64_t)min);
    shape.delta_width = 64;
    if (count > 1) {
        shape.delta_min = (uint64_t)delta_min;
        shape.delta_width = fg_bits_width((uint64_t)delta_max - (uint64_t)delta_min);
    }
    return shape;
}

static void put_zigzag(struct fg_buffer *out, uint64_t value)
{
    fg_buffer_append_varint(out, fg_zigzag(value));
}

static void put_packed(const uint64_t *values, uint32_t count, unsigned width, uint64_t base,
                       struct fg_buffer *out)
{
    fg_buffer_append_byte(out, (uint8_t)width);
    put_zigzag(out, base);
    fg_bits_pack(values, count, width, base, out);
}

static void put_delta(uint64_t *differences, const uint64_t *values, uint32_t count,
                      const struct shape *shape, struct fg_buffer *out)
{
    put_zigzag(out, values[0]);
    for (uint32_t i = 1; i < count; i++)
        differences[i - 1] = values[i] - values[i - 1];
    put_packed(differences, count - 1, shape->delta_width, shape->delta_min, out);
}

/* -- Few distinct values */

struct distinct {
    uint32_t count;
    uint64_t values[DISTINCT_MAX];
};

static void sort_values(uint64_t *values, uint32_t count)
{
    for (uint32_t gap = count / 2; gap > 0; gap /= 2) {
        for (uint32_t i = gap; i < count; i++) {
            uint64_t value = values[i];
            uint32_t k = i;
            for (; k >= gap && (int64_t)values[k - gap] > (int64_t)value; k -= gap)
                values[k] = values[k - gap];
            values[k] = value;
        }
    }
}

/* False where there are more than count_max. codes gets the place of each value in order of
 * appearance. */
static bool find_distinct(const uint64_t *values, uint32_t count, uint32_t count_max,
                          uint64_t *codes, struct distinct *distinct)
{
    uint16_t slots[DISTINCT_SLOTS] = {0};
    distinct->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)((values[i] * UINT64_C(0x9e3779b97f4a7c15)) >> 54);
        while (slots[at] && distinct->values[slots[at] - 1] != values[i])
            at = (at + 1) % DISTINCT_SLOTS;
        if (slots[at] == 0) {
            if (distinct->count == count_max)
                return false;
            distinct->values[distinct->count++] = values[i];
            slots[at] = (uint16_t)distinct->count;
        }
        codes[i] = slots[at] - 1u;
    }
    return true;
}

static uint32_t place_of(const uint64_t *sorted, uint32_t count, uint64_t value)
{
    uint32_t low = 0, high = count;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if ((int64_t)sorted[middle] <= (int64_t)value)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void put_distinct(struct fg_codec *codec, struct distinct *distinct, uint32_t count,
                         struct fg_buffer *out)
{
    uint64_t sorted[DISTINCT_MAX], differences[DISTINCT_MAX];
    memcpy(sorted, distinct->values, distinct->count * sizeof *sorted);
    sort_values(sorted, distinct->count);
    struct shape shape = look_at(sorted, distinct->count);
    if (distinct->count == 1)
        shape.delta_width = 0;
    fg_buffer_append_byte(out, FG_INT_DISTINCT);
    fg_buffer_append_varint(out, distinct->count);
    put_delta(differences, sorted, distinct->count, &shape, out);
    for (uint32_t i = 0; i < count; i++)
        codec->scratch[i] = place_of(sorted, distinct->count, distinct->values[codec->scratch[i]]);
    unsigned width = fg_bits_width(distinct->count - 1);
    fg_buffer_append_byte(out, (uint8_t)width);
    fg_bits_pack(codec->scratch, count, width, 0, out);
}

/* -- A frame for each context */

/* Values of the frame by the width they need: with width w the codes 0 to 2^w - 2 are values and
 * the last stands for an exception. */
static unsigned need_of(uint64_t difference)
{
    return difference == UINT64_MAX ? 64 : fg_bits_width(difference + 1);
}

static void choose_width(struct fg_frame *frame, const uint32_t histogram[65])
{
    uint32_t above = frame->count - histogram[0];
    if (above == histogram[1] && histogram[1] == frame->count) {
        frame->width = 0; /* all differences are 0 */
        frame->bits = 0;
        return;
    }
    uint64_t best = (uint64_t)frame->count * 64;
    unsigned width = 64;
    for (unsigned w = 1; w < 64; w++) {
        above -= histogram[w];
        uint64_t bits = (uint64_t)frame->count * w + (uint64_t)above * EXCEPTION_BITS;
        if (bits >= best)
            continue;
        best = bits;
        width = w;
    }
    frame->width = width;
    frame->bits = best;
}

/* The frames of all contexts, and what they cost together with their heads. False where contexts
 * are too many for what there is. */
static bool find_frames(struct fg_codec *codec, const uint64_t *values, uint32_t count,
                        const struct fg_int_context *context, uint32_t *ret_frame_count,
                        uint64_t *ret_bits)
{
    uint32_t count_max = count / CONTEXT_ROWS_MIN;
    if (count_max > FG_FRAMES_MAX)
        count_max = FG_FRAMES_MAX;
    uint32_t frame_count;
    if (!codec->frames)
        codec->frames = calloc(FG_FRAMES_MAX, sizeof *codec->frames);
    if (!codec->histograms)
        codec->histograms = calloc(FG_FRAMES_MAX, sizeof *codec->histograms);
    if (!codec->frames || !codec->histograms)
        return false; /* the other encodings need no memory */
    struct fg_frame *frames = codec->frames;
    if (count_max == 0 ||
        fg_codec_localize(codec, context->a, context->a_count, count, count_max, &frame_count) < 0)
        return false;
    uint32_t(*histograms)[65] = codec->histograms;
    memset(histograms, 0, frame_count * sizeof *histograms);
    for (uint32_t f = 0; f < frame_count; f++)
        frames[f] = (struct fg_frame){.base = INT64_MAX};
    for (uint32_t i = 0; i < count; i++) {
        struct fg_frame *frame = &frames[codec->local[i]];
        if ((int64_t)values[i] < (int64_t)frame->base)
            frame->base = values[i];
        frame->count++;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t local = codec->local[i];
        histograms[local][need_of(values[i] - frames[local].base)]++;
    }
    uint64_t bits = 0;
    for (uint32_t f = 0; f < frame_count; f++) {
        choose_width(&frames[f], histograms[f]);
        bits += frames[f].bits + 8 * (1 + (fg_bits_width(fg_zigzag(frames[f].base)) + 6) / 7);
    }
    *ret_frame_count = frame_count;
    *ret_bits = bits;
    return true;
}

static void put_by_context(struct fg_codec *codec, const uint64_t *values, uint32_t count,
                           const struct fg_frame *frames, uint32_t frame_count,
                           struct fg_buffer *out)
{
    fg_buffer_append_byte(out, FG_INT_BY_CONTEXT);
    fg_buffer_append_varint(out, frame_count);
    uint64_t bits = 0;
    for (uint32_t f = 0; f < frame_count; f++) {
        fg_buffer_append_byte(out, (uint8_t)frames[f].width);
        put_zigzag(out, frames[f].base);
        bits += (uint64_t)frames[f].width * frames[f].count;
    }
    uint32_t exceptions = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct fg_frame *frame = &frames[codec->local[i]];
        bool fits = frame->width == 0 || need_of(values[i] - frame->base) <= frame->width;
        if (!fits)
            codec->scratch[exceptions++] = values[i];
    }
    fg_buffer_append_varint(out, exceptions);
    uint8_t *p = fg_buffer_reserve(out, (size_t)(bits / 8) + 16);
    if (!p)
        return;
    uint64_t word = 0;
    unsigned fill = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct fg_frame *frame = &frames[codec->local[i]];
        unsigned width = frame->width;
        if (width == 0)
            continue;
        uint64_t code = values[i] - frame->base;
        if (need_of(code) > width)
            code = ~UINT64_C(0) >> (64 - width);
        word |= code << fill;
        fill += width;
        if (fill < 64)
            continue;
        fg_store_le64(p, word);
        p += 8;
        fill -= 64;
        word = fill ? code >> (width - fill) : 0;
    }
    fg_store_le64(p, word);
    out->size += (size_t)((bits + 7) / 8);
    for (uint32_t i = 0; i < exceptions; i++)
        fg_buffer_append_le64(out, codec->scratch[i]);
}

/* -- The cheapest of those that need no prediction */

static uint64_t factor_of(const uint64_t *values, uint32_t count, const struct shape *shape)
{
    static const uint64_t factors[] = {1000000000, 1000000, 1000};
    if (shape->width < 12)
        return 1;
    for (size_t f = 0; f < sizeof factors / sizeof *factors; f++) {
        uint32_t i = 0;
        while (i < count && (int64_t)values[i] >= 0 && values[i] % factors[f] == 0)
            i++;
        if (i == count)
            return factors[f];
    }
    return 1;
}

static void put_unscaled(struct fg_codec *codec, const uint64_t *values, uint32_t count,
                         const struct fg_int_context *context, const struct shape *shape,
                         struct fg_buffer *out)
{
    uint64_t packed = (uint64_t)shape->width * count;
    uint64_t delta = (uint64_t)shape->delta_width * (count - 1) + 32;
    uint64_t best = packed <= delta || shape->delta_width == shape->width ? packed : delta;
    uint32_t frame_count = 0;
    if (context && context->a && shape->width > 2 && count >= 2 * CONTEXT_ROWS_MIN) {
        uint64_t bits;
        if (find_frames(codec, values, count, context, &frame_count, &bits) && bits < best)
            best = bits;
        else
            frame_count = 0;
    }
    struct distinct distinct;
    uint32_t distinct_max = count / 4 < DISTINCT_MAX ? count / 4 : DISTINCT_MAX;
    if (distinct_max > 0 && best > (uint64_t)count * 4 &&
        find_distinct(values, count, distinct_max, codec->scratch, &distinct)) {
        uint64_t bits = (uint64_t)distinct.count * (shape->width + 2) + 64 +
                        (uint64_t)fg_bits_width(distinct.count - 1) * count;
        if (bits < best) {
            put_distinct(codec, &distinct, count, out);
            return;
        }
    }
    if (frame_count > 0) {
        put_by_context(codec, values, count, codec->frames, frame_count, out);
    } else if (delta < packed && shape->delta_width < shape->width) {
        fg_buffer_append_byte(out, FG_INT_DELTA);
        put_delta(codec->scratch, values, count, shape, out);
    } else {
        fg_buffer_append_byte(out, FG_INT_PACKED);
        put_packed(values, count, shape->width, shape->width == 64 ? 0 : shape->min, out);
    }
}

static void put_plain(struct fg_codec *codec, const uint64_t *values, uint32_t count,
                      const struct fg_int_context *context, const struct shape *shape,
                      struct fg_buffer *out)
{
    if (shape->width == 0) {
        fg_buffer_append_byte(out, FG_INT_CONSTANT);
        put_zigzag(out, values[0]);
        return;
    }
    uint64_t factor = factor_of(values, count, shape);
    if (factor == 1) {
        put_unscaled(codec, values, count, context, shape, out);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        codec->wide[i] = values[i] / factor;
    struct shape scaled = look_at(codec->wide, count);
    fg_buffer_append_byte(out, FG_INT_SCALED);
    fg_buffer_append_varint(out, factor);
    put_unscaled(codec, codec->wide, count, context, &scaled, out);
}

/* -- Predictions */

static inline __attribute__((always_inline)) uint32_t
try_rule(struct fg_codec *codec, enum fg_int_rule rule, const struct fg_int_context *context,
         const uint64_t *values, uint32_t count)
{
    unsigned bits = fg_rule_bits(count);
    uint64_t *table = codec->table;
    uint32_t hits = 0;
    for (uint32_t begin = 0; begin < count; begin += 64) {
        uint32_t end = begin + 64 < count ? begin + 64 : count;
        uint64_t word = 0;
        for (uint32_t i = begin; i < end; i++) {
            uint64_t guess;
            if (rule == FG_RULE_PREVIOUS) {
                guess = i > 0 ? values[i - 1] : 0;
            } else if (rule == FG_RULE_DEFAULT) {
                guess = context->defaults[i];
            } else {
                uint32_t slot = fg_rule_slot(rule, context, values, i, bits);
                guess = table[slot];
                table[slot] = values[i];
            }
            word |= (uint64_t)(guess == values[i]) << (i - begin);
        }
        codec->hits[begin / 64] = word;
        hits += (uint32_t)__builtin_popcountll(word);
    }
    return hits;
}

/* Sets codec->hits; how many there are. */
static uint32_t count_hits(struct fg_codec *codec, enum fg_int_rule rule,
                           const struct fg_int_context *context, const uint64_t *values,
                           uint32_t count)
{
    if (fg_rule_remembers(rule))
        memset(codec->table, 0, sizeof *codec->table << fg_rule_bits(count));
    switch (rule) {
    case FG_RULE_PREVIOUS:
        return try_rule(codec, FG_RULE_PREVIOUS, context, values, count);
    case FG_RULE_HISTORY:
        return try_rule(codec, FG_RULE_HISTORY, context, values, count);
    case FG_RULE_A:
        return try_rule(codec, FG_RULE_A, context, values, count);
    case FG_RULE_B:
        return try_rule(codec, FG_RULE_B, context, values, count);
    case FG_RULE_A_B:
        return try_rule(codec, FG_RULE_A_B, context, values, count);
    case FG_RULE_A_PREVIOUS:
        return try_rule(codec, FG_RULE_A_PREVIOUS, context, values, count);
    case FG_RULE_A_PARENT:
        return try_rule(codec, FG_RULE_A_PARENT, context, values, count);
    default:
        return try_rule(codec, FG_RULE_DEFAULT, context, values, count);
    }
}

/* About what flags cost, in bits. */
static uint64_t flags_cost(uint32_t count, uint32_t ones)
{
    uint32_t rare = ones < count - ones ? ones : count - ones;
    if (rare == 0)
        return 8;
    uint64_t places = (uint64_t)rare * (fg_bits_width(count / rare) + 2) + 32;
    return places < count ? places : count;
}

/* The misses of the rule into codec->misses; how many of them are one more than the greatest value
 * before, flagged in codec->next. */
static uint32_t find_next(struct fg_codec *codec, const uint64_t *values, uint32_t count,
                          uint32_t *ret_miss_count)
{
    uint32_t misses = 0, found = 0;
    uint64_t next = 0;
    bool started = false;
    memset(codec->next, 0, fg_flags_words(count) * sizeof *codec->next);
    uint32_t first = 0;
    while (first < count && fg_flag_get(codec->hits, first))
        first++;
    for (uint32_t i = 0; i < count && first < count; i++) {
        if (!started) {
            next = values[first];
            started = true;
        }
        if (!fg_flag_get(codec->hits, i)) {
            if (values[i] == next) {
                fg_flag_set(codec->next, misses);
                found++;
            }
            codec->misses[misses++] = values[i];
        }
        if (values[i] >= next && values[i] != UINT64_MAX)
            next = values[i] + 1;
    }
    *ret_miss_count = misses;
    return found;
}

static void put_predicted(struct fg_codec *codec, enum fg_int_rule rule, const uint64_t *values,
                          uint32_t count, unsigned width, struct fg_buffer *out)
{
    uint32_t miss_count;
    uint32_t next_count = find_next(codec, values, count, &miss_count);
    bool with_next =
        next_count > 1 && (uint64_t)next_count * width > flags_cost(miss_count, next_count) + 40;
    fg_buffer_append_byte(out, FG_INT_PREDICTED);
    fg_buffer_append_byte(out, (uint8_t)(rule | (with_next ? 0x80 : 0)));
    fg_flags_encode(codec->hits, count, out);
    const uint64_t *rest = codec->misses;
    uint32_t rest_count = miss_count;
    if (with_next) {
        put_zigzag(out, codec->misses[0]);
        fg_flags_encode(codec->next, miss_count, out);
        rest_count = 0;
        for (uint32_t i = 0; i < miss_count; i++)
            if (!fg_flag_get(codec->next, i))
                codec->rest[rest_count++] = codec->misses[i];
        rest = codec->rest;
    }
    if (rest_count == 0)
        return;
    struct shape shape = look_at(rest, rest_count);
    put_plain(codec, rest, rest_count, NULL, &shape, out);
}

/* From cheap and likely to dear and rare. */
static const uint8_t rules_in_order[] = {FG_RULE_DEFAULT,  FG_RULE_PREVIOUS,  FG_RULE_A,
                                         FG_RULE_B,        FG_RULE_A_B,       FG_RULE_HISTORY,
                                         FG_RULE_A_PARENT, FG_RULE_A_PREVIOUS};

void fg_int_encode(struct fg_codec *codec, const uint64_t *values, uint32_t count,
                   const struct fg_int_context *context, struct fg_buffer *out)
{
    if (count == 0 || out->error)
        return;
    if (fg_codec_reserve(codec, count) < 0) {
        out->error = FG_ENOMEM;
        return;
    }
    struct shape shape = look_at(values, count);
    uint32_t rules = context && shape.width > 0 ? context->rules : 0;
    uint64_t best = (uint64_t)count * shape.width;
    if (best > (uint64_t)count * shape.delta_width)
        best = (uint64_t)count * shape.delta_width;
    int best_rule = -1, last_rule = -1;
    for (size_t k = 0; k < sizeof rules_in_order && rules; k++) {
        enum fg_int_rule rule = rules_in_order[k];
        if (!(rules >> rule & 1) || !fg_rule_fits(rule, context))
            continue;
        uint32_t hits = count_hits(codec, rule, context, values, count);
        last_rule = (int)rule;
        uint64_t bits = flags_cost(count, hits) + (uint64_t)(count - hits) * shape.width + 16;
        if (bits < best) {
            best = bits;
            best_rule = (int)rule;
        }
        if (hits == count)
            break;
    }
    if (best_rule < 0) {
        put_plain(codec, values, count, context, &shape, out);
        return;
    }
    if (last_rule != best_rule)
        count_hits(codec, (enum fg_int_rule)best_rule, context, values, count);
    put_predicted(codec, (enum fg_int_rule)best_rule, values, count, shape.width, out);
}
