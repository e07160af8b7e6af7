/* The memory of a codec, and what encoders and decoders both do. */
#include "local/codec_internal.h"

#include <stdlib.h>

int fg_codec_new(struct fg_codec **ret_codec)
{
    struct fg_codec *codec = calloc(1, sizeof *codec);
    if (!codec)
        return FG_ENOMEM;
    *ret_codec = codec;
    return 0;
}

void fg_codec_free(struct fg_codec *codec)
{
    if (!codec)
        return;
    free(codec->hits);
    free(codec->next);
    free(codec->misses);
    free(codec->rest);
    free(codec->scratch);
    free(codec->wide);
    free(codec->local);
    free(codec->stamp);
    free(codec->frames);
    free(codec->histograms);
    ZSTD_freeCCtx(codec->compress);
    ZSTD_freeDCtx(codec->decompress);
    free(codec);
}

static int renew(void *array, size_t count, size_t size)
{
    void **p = array;
    free(*p);
    *p = calloc(count, size);
    return *p ? 0 : FG_ENOMEM;
}

int fg_codec_reserve(struct fg_codec *codec, uint32_t count)
{
    if (count <= codec->capacity && codec->capacity)
        return 0;
    uint32_t capacity = count < 1024 ? 1024 : count;
    codec->capacity = 0;
    size_t words = fg_flags_words(capacity);
    int r = 0;
    r |= renew(&codec->hits, words, sizeof *codec->hits);
    r |= renew(&codec->next, words, sizeof *codec->next);
    r |= renew(&codec->misses, capacity, sizeof *codec->misses);
    r |= renew(&codec->rest, capacity, sizeof *codec->rest);
    r |= renew(&codec->scratch, (size_t)capacity + 2, sizeof *codec->scratch);
    r |= renew(&codec->wide, capacity, sizeof *codec->wide);
    r |= renew(&codec->local, capacity, sizeof *codec->local);
    if (r)
        return FG_ENOMEM;
    codec->capacity = capacity;
    return 0;
}

int fg_codec_localize(struct fg_codec *codec, const uint32_t *a, uint32_t a_count, uint32_t count,
                      uint32_t count_max, uint32_t *ret_count)
{
    if (a_count > codec->stamp_capacity) {
        codec->stamp_capacity = 0;
        if (renew(&codec->stamp, a_count, sizeof *codec->stamp))
            return FG_ENOMEM;
        codec->stamp_capacity = a_count;
    }
    uint32_t *stamp = codec->stamp, found = 0, done = 0;
    for (; done < count; done++) {
        uint32_t number = stamp[a[done]];
        if (number == 0) {
            if (found == count_max)
                break;
            stamp[a[done]] = number = ++found;
        }
        codec->local[done] = number - 1;
    }
    for (uint32_t i = 0; i < done; i++)
        stamp[a[i]] = 0;
    if (done < count)
        return FG_ELIMIT;
    *ret_count = found;
    return 0;
}

const char *fg_int_encoding_name(uint8_t tag)
{
    static const char *const names[] = {"constant", "packed",     "delta",    "scaled",
                                        "distinct", "by context", "predicted"};
    return tag < sizeof names / sizeof *names ? names[tag] : "unknown";
}

int fg_int_decode_u32(struct fg_codec *codec, struct fg_input *in, uint32_t count,
                      const struct fg_int_context *context, uint64_t value_max, uint32_t *values)
{
    int r = fg_codec_reserve(codec, count);
    if (r == 0)
        r = fg_int_decode(codec, in, count, context, codec->wide);
    if (r < 0)
        return r;
    uint64_t over = 0;
    for (uint32_t i = 0; i < count; i++) {
        over |= codec->wide[i] > value_max;
        values[i] = (uint32_t)codec->wide[i];
    }
    return over ? fg_input_fail(in) : 0;
}

/* -- Decimals */

#define EXPONENT_MAX 6u

static const double powers[EXPONENT_MAX + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};

static double double_of(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

/* Whether bits is an integer below 2^51 over 10^exponent, as a division gives it. */
static bool is_decimal(uint64_t bits, unsigned exponent, uint64_t *ret_integer)
{
    double scaled = double_of(bits) * powers[exponent];
    if (!(scaled > -2251799813685248.0 && scaled < 2251799813685248.0))
        return false;
    int64_t integer = (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    *ret_integer = (uint64_t)integer;
    return bits_of((double)integer / powers[exponent]) == bits;
}

bool fg_decimal_encode(const uint64_t *bits, uint32_t count, uint64_t *ret_integers,
                       uint8_t *ret_exponent)
{
    for (unsigned exponent = 0; exponent <= EXPONENT_MAX; exponent++) {
        uint32_t i = 0;
        while (i < count && is_decimal(bits[i], exponent, &ret_integers[i]))
            i++;
        if (i < count)
            continue;
        *ret_exponent = (uint8_t)exponent;
        return true;
    }
    return false;
}

int fg_decimal_decode(uint64_t *values, uint32_t count, uint8_t exponent)
{
    if (exponent > EXPONENT_MAX)
        return FG_ECORRUPT;
    for (uint32_t i = 0; i < count; i++)
        values[i] = bits_of((double)(int64_t)values[i] / powers[exponent]);
    return 0;
}
