/* local/codec.h: whatever goes in comes out, to the bit; what damaged bytes give is an error or
 * some values, never more. Each array is tried in many forms, so that every encoding is chosen. */
#include "base/hash.h"
#include "local/codec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t random_state;

static uint64_t draw(void)
{
    return fg_hash_u64(random_state += UINT64_C(0x9e3779b97f4a7c15));
}

static uint64_t draw_below(uint64_t n)
{
    return draw() % n;
}

/* A copy with padding, so that a decoder that reads further is seen. */
static struct fg_slice padded(struct fg_slice bytes)
{
    uint8_t *copy = malloc(bytes.size + FG_INPUT_PADDING);
    assert_non_null(copy);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    memset(copy + bytes.size, 0xaa, FG_INPUT_PADDING);
    return fg_slice(copy, bytes.size);
}

static void unpad(struct fg_slice bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

static struct fg_codec *codec_new(void)
{
    struct fg_codec *codec;
    assert_int_equal(fg_codec_new(&codec), 0);
    return codec;
}

static void bits_of_every_width_agree_with_a_twin(void **state)
{
    (void)state;
    for (unsigned width = 0; width <= 64; width++) {
        uint64_t values[131], twin[131], got[131];
        uint64_t base = draw();
        for (size_t i = 0; i < 131; i++) {
            twin[i] = width == 0 ? 0 : draw() >> (64 - width);
            values[i] = twin[i] + base;
        }
        struct fg_buffer out;
        fg_buffer_init(&out, 1 << 20);
        fg_bits_pack(values, 131, width, base, &out);
        assert_int_equal(out.size, (131 * width + 7) / 8);
        for (size_t i = 0; i < 131 * (size_t)width; i++)
            assert_int_equal(out.data[i / 8] >> (i % 8) & 1, twin[i / width] >> (i % width) & 1);
        struct fg_slice bytes = padded(fg_buffer_slice(&out));
        fg_bits_unpack(bytes.data, 131, width, base, got);
        assert_memory_equal(got, values, sizeof values);
        unpad(bytes);
        fg_buffer_free(&out);
    }
}

static void flags_of_every_density_come_back(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 63, 64, 65, 1000, 4096};
    static const uint32_t one_in[] = {1, 2, 3, 10, 100, 1000, 100000};
    for (size_t c = 0; c < 7; c++) {
        for (size_t d = 0; d < 14; d++) {
            uint64_t words[64] = {0}, got[64];
            uint32_t count = counts[c], ones = 0;
            for (uint32_t i = 0; i < count; i++) {
                bool flag = draw_below(one_in[d % 7]) == 0;
                if (flag != (d >= 7)) {
                    fg_flag_set(words, i);
                    ones++;
                }
            }
            struct fg_buffer out;
            fg_buffer_init(&out, 1 << 20);
            fg_flags_encode(words, count, &out);
            assert_true(out.size <= 1 + (count + 7) / 8);
            if (ones == 0 || ones == count)
                assert_int_equal(out.size, 1);
            struct fg_slice bytes = padded(fg_buffer_slice(&out));
            struct fg_input in = fg_input(bytes);
            memset(got, 0xff, sizeof got);
            assert_int_equal(fg_flags_decode(&in, count, got), 0);
            assert_int_equal(fg_input_rest(&in), 0);
            assert_memory_equal(got, words, fg_flags_words(count) * 8);
            unpad(bytes);
            fg_buffer_free(&out);
        }
    }
}

/* Encodes, decodes, compares; the size in bytes. */
static size_t there_and_back(struct fg_codec *codec, const uint64_t *values, uint32_t count,
                             const struct fg_int_context *context, const char *encoding)
{
    struct fg_buffer out;
    fg_buffer_init(&out, 64 << 20);
    fg_int_encode(codec, values, count, context, &out);
    assert_int_equal(out.error, 0);
    if (encoding)
        assert_string_equal(fg_int_encoding_name(out.data[0]), encoding);
    struct fg_slice bytes = padded(fg_buffer_slice(&out));
    struct fg_input in = fg_input(bytes);
    uint64_t *got = calloc(count + 1u, sizeof *got);
    assert_int_equal(fg_int_decode(codec, &in, count, context, got), 0);
    assert_int_equal(fg_input_rest(&in), 0);
    if (count)
        assert_memory_equal(got, values, count * sizeof *got);
    for (size_t cut = 0; cut < out.size; cut += 1 + out.size / 50) {
        struct fg_slice less = padded(fg_slice(out.data, cut));
        in = fg_input(less);
        assert_int_equal(fg_int_decode(codec, &in, count, context, got), FG_ECORRUPT);
        unpad(less);
    }
    free(got);
    unpad(bytes);
    size_t size = out.size;
    fg_buffer_free(&out);
    return size;
}

#define ROWS 3000u

static void numbers_come_back_in_every_encoding(void **state)
{
    (void)state;
    struct fg_codec *codec = codec_new();
    static uint64_t values[ROWS];
    static uint32_t a[ROWS], b[ROWS], parent[ROWS];
    static uint32_t defaults[ROWS];
    for (uint32_t i = 0; i < ROWS; i++) {
        a[i] = (uint32_t)draw_below(40);
        b[i] = (uint32_t)draw_below(7);
        parent[i] = i % 13 ? i - 1 - (uint32_t)draw_below(i % 13) : UINT32_MAX;
    }
    for (uint32_t i = 0; i < ROWS; i++)
        defaults[i] = a[i] * 7919 % 1000;
    struct fg_int_context all = {.a = a,
                                 .b = b,
                                 .a_count = 40,
                                 .parent = parent,
                                 .defaults = defaults,
                                 .rules = (1u << FG_RULE_COUNT) - 1};
    struct fg_int_context noise = {.a = a, .a_count = 40};
    assert_int_equal(there_and_back(codec, values, 0, &all, NULL), 0);
    there_and_back(codec, values, ROWS, NULL, "constant");
    for (uint32_t i = 0; i < ROWS; i++)
        values[i] = (uint64_t)INT64_MIN + draw_below(1000);
    there_and_back(codec, values, ROWS, NULL, "packed");
    for (uint32_t i = 0; i < ROWS; i++)
        values[i] = draw();
    assert_true(there_and_back(codec, values, ROWS, NULL, "packed") <= ROWS * 8 + 4);
    for (uint32_t i = 0; i < ROWS; i++)
        values[i] = i * UINT64_C(1000003) + draw_below(16);
    there_and_back(codec, values, ROWS, NULL, "delta");
    for (uint32_t i = 0; i < ROWS; i++)
        values[i] = draw_below(50000) * 1000000;
    assert_true(there_and_back(codec, values, ROWS, NULL, "scaled") < ROWS * 2 + 16);
    for (uint32_t i = 0; i < ROWS; i++)
        values[i] = fg_hash_u64(draw_below(20));
    assert_true(there_and_back(codec, values, ROWS, NULL, "distinct") < ROWS * 5 / 8 + 300);
    for (uint32_t i = 0; i < ROWS; i++)
        values[i] = (uint64_t)a[i] * 1000000 + draw() % (1u << (a[i] % 12)) +
                    (draw_below(200) == 0 ? UINT64_C(1) << 50 : 0) - (i == 77 ? 5000000 : 0);
    assert_true(there_and_back(codec, values, ROWS, &noise, "by context") < ROWS);
    for (uint32_t i = 0; i < ROWS; i++)
        values[i] = defaults[i];
    assert_true(there_and_back(codec, values, ROWS, &all, "predicted") < 8);
    fg_codec_free(codec);
}

/* Values that one rule foretells but for some. */
static void fill_by_rule(enum fg_int_rule rule, const struct fg_int_context *context,
                         uint64_t *values, uint64_t miss_one_in)
{
    uint64_t greatest = 4;
    for (uint32_t i = 0; i < ROWS; i++) {
        uint64_t previous = i ? values[i - 1] : 0, earlier = i > 1 ? values[i - 2] : 0;
        uint64_t parent = context->parent[i] < i ? values[context->parent[i]] : 0;
        const uint64_t told[FG_RULE_COUNT] = {
            previous,
            (previous * 7 + earlier * 3 + 1) % 50,
            fg_hash_u64(context->a[i]) % 50,
            fg_hash_u64(context->b[i]) % 50,
            fg_hash_u64(context->a[i] * 64 + context->b[i]) % 50,
            (context->a[i] * 5 + previous) % 50,
            (context->a[i] * 5 + parent) % 50,
            context->defaults[i],
        };
        values[i] = told[rule];
        if (draw_below(miss_one_in) == 0)
            values[i] = i % 2 ? draw_below(50) : greatest + 1;
        greatest = values[i] > greatest ? values[i] : greatest;
    }
}

static void every_rule_foretells(void **state)
{
    (void)state;
    struct fg_codec *codec = codec_new();
    static uint64_t values[ROWS];
    static uint32_t a[ROWS], b[ROWS], parent[ROWS];
    static uint32_t defaults[ROWS];
    for (uint32_t i = 0; i < ROWS; i++) {
        a[i] = (uint32_t)draw_below(20);
        b[i] = (uint32_t)draw_below(7);
        parent[i] = i % 13 ? i - 1 - (uint32_t)draw_below(i % 13) : UINT32_MAX;
    }
    for (uint32_t i = 0; i < ROWS; i++)
        defaults[i] = a[i] * 7919 % 50;
    for (uint32_t rule = 0; rule < FG_RULE_COUNT; rule++) {
        struct fg_int_context context = {.a = a,
                                         .b = b,
                                         .a_count = 20,
                                         .parent = parent,
                                         .defaults = defaults,
                                         .rules = 1u << rule};
        for (uint64_t miss = 5; miss <= 500; miss *= 10) {
            fill_by_rule((enum fg_int_rule)rule, &context, values, miss);
            size_t size = there_and_back(codec, values, ROWS, &context, "predicted");
            context.rules = (1u << FG_RULE_COUNT) - 1;
            assert_true(there_and_back(codec, values, ROWS, &context, NULL) <= size + 24);
            context.rules = 1u << rule;
        }
    }
    fg_codec_free(codec);
}

/* Numbers of every kind in arrays of every length. */
static void numbers_of_any_kind_come_back(void **state)
{
    (void)state;
    struct fg_codec *codec = codec_new();
    static uint64_t values[ROWS];
    static uint32_t a[ROWS];
    for (int round = 0; round < 400; round++) {
        uint32_t count = (uint32_t)draw_below(round % 4 ? 40 : ROWS);
        uint64_t kind = draw_below(6), shift = draw_below(64), runs = 1 + draw_below(9);
        for (uint32_t i = 0; i < count; i++) {
            a[i] = (uint32_t)draw_below(runs);
            uint64_t value = draw() >> shift;
            if (kind == 1)
                value = 0 - value;
            else if (kind == 2)
                value = draw_below(8) ? value : UINT64_MAX - value;
            else if (kind == 3 && i && draw_below(runs))
                value = values[i - 1];
            else if (kind == 4)
                value = i * value;
            else if (kind == 5)
                value = i % 2 ? UINT64_MAX : (uint64_t)INT64_MIN;
            values[i] = value;
        }
        struct fg_int_context context = {
            .a = a, .a_count = (uint32_t)runs, .b = a, .rules = (uint32_t)draw_below(256)};
        there_and_back(codec, values, count, &context, NULL);
        there_and_back(codec, values, count, NULL, NULL);
    }
    fg_codec_free(codec);
}

static void damaged_numbers_do_no_harm(void **state)
{
    (void)state;
    struct fg_codec *codec = codec_new();
    static uint64_t values[ROWS], got[ROWS];
    static uint32_t a[ROWS];
    for (int round = 0; round < 3000; round++) {
        uint32_t count = 1 + (uint32_t)draw_below(300);
        for (uint32_t i = 0; i < count; i++) {
            a[i] = (uint32_t)draw_below(5);
            values[i] = draw_below(3) ? a[i] * 100 + draw_below(3) : draw() >> (round % 64);
        }
        struct fg_int_context context = {
            .a = a, .a_count = 5, .b = a, .rules = (uint32_t)draw_below(128)};
        struct fg_buffer out;
        fg_buffer_init(&out, 1 << 20);
        fg_int_encode(codec, values, count, &context, &out);
        struct fg_slice bytes = padded(fg_buffer_slice(&out));
        for (int flips = 0; flips < 4; flips++) {
            uint64_t at = draw_below(flips % 2 ? bytes.size : bytes.size < 8 ? bytes.size : 8);
            ((uint8_t *)(uintptr_t)bytes.data)[at] = (uint8_t)draw();
            struct fg_input in = fg_input(bytes);
            int r = fg_int_decode(codec, &in, count, &context, got);
            assert_true(r == 0 || r == FG_ECORRUPT);
        }
        unpad(bytes);
        fg_buffer_free(&out);
    }
    fg_codec_free(codec);
}

static void numbers_over_the_greatest_are_refused(void **state)
{
    (void)state;
    struct fg_codec *codec = codec_new();
    const uint64_t values[] = {1, 2, 3, 9};
    uint32_t got[4];
    struct fg_buffer out;
    fg_buffer_init(&out, 1 << 10);
    fg_int_encode(codec, values, 4, NULL, &out);
    struct fg_slice bytes = padded(fg_buffer_slice(&out));
    struct fg_input in = fg_input(bytes);
    assert_int_equal(fg_int_decode_u32(codec, &in, 4, NULL, 8, got), FG_ECORRUPT);
    in = fg_input(bytes);
    assert_int_equal(fg_int_decode_u32(codec, &in, 4, NULL, 9, got), 0);
    assert_int_equal(got[3], 9);
    unpad(bytes);
    fg_buffer_free(&out);
    fg_codec_free(codec);
}

static uint64_t bits(double number)
{
    uint64_t b;
    memcpy(&b, &number, sizeof b);
    return b;
}

static void decimals_come_back_to_the_bit(void **state)
{
    (void)state;
    uint64_t values[100], got[100];
    uint8_t exponent = 9;
    for (size_t i = 0; i < 100; i++)
        values[i] = bits((double)(int64_t)(draw_below(2000000) - 1000000) / 100);
    assert_true(fg_decimal_encode(values, 100, got, &exponent));
    assert_int_equal(exponent, 2);
    assert_int_equal(fg_decimal_decode(got, 100, exponent), 0);
    assert_memory_equal(got, values, sizeof values);
    assert_int_equal(fg_decimal_decode(got, 100, 7), FG_ECORRUPT);
    const double others[] = {-0.0, NAN, INFINITY, 1e300, 1.0 / 3, 5e-324};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        values[50] = bits(others[i]);
        assert_false(fg_decimal_encode(values, 100, got, &exponent));
    }
}

/* Encodes, decodes, compares; the size in bytes. */
static size_t text_there_and_back(struct fg_codec *codec, const struct fg_slice *strings,
                                  uint32_t count, const char *encoding)
{
    struct fg_buffer out;
    fg_buffer_init(&out, 64 << 20);
    fg_text_encode(codec, strings, count, &out);
    assert_int_equal(out.error, 0);
    if (encoding)
        assert_string_equal(fg_text_encoding_name(out.data[0]), encoding);
    struct fg_slice bytes = padded(fg_buffer_slice(&out));
    struct fg_input in = fg_input(bytes);
    struct fg_slice *got = calloc(count + 1u, sizeof *got);
    struct fg_arena arena;
    fg_arena_init(&arena, 64 << 20);
    assert_int_equal(fg_text_decode(codec, &in, count, 16 << 20, &arena, got), 0);
    assert_int_equal(fg_input_rest(&in), 0);
    for (uint32_t i = 0; i < count; i++)
        assert_true(fg_slice_equal(got[i], strings[i]));
    for (size_t cut = 0; cut < out.size; cut += 1 + out.size / 30) {
        struct fg_slice less = padded(fg_slice(out.data, cut));
        in = fg_input(less);
        assert_int_equal(fg_text_decode(codec, &in, count, 16 << 20, &arena, got), FG_ECORRUPT);
        unpad(less);
    }
    for (int flips = 0; flips < 100 && out.size; flips++) {
        uint64_t at = draw_below(flips % 2 ? out.size : out.size < 40 ? out.size : 40);
        ((uint8_t *)(uintptr_t)bytes.data)[at] = (uint8_t)draw();
        in = fg_input(bytes);
        int r = fg_text_decode(codec, &in, count, 16 << 20, &arena, got);
        assert_true(r == 0 || r == FG_ECORRUPT);
    }
    fg_arena_free(&arena);
    free(got);
    unpad(bytes);
    size_t size = out.size;
    fg_buffer_free(&out);
    return size;
}

#define TEXTS 500u
static char texts[TEXTS][200];
static struct fg_slice slices[TEXTS];

static void slices_of_texts(void)
{
    for (size_t i = 0; i < TEXTS; i++)
        slices[i] = fg_slice_from_string(texts[i]);
}

#define HEX16 "%016llx"

static void texts_of_templates_are_small(void **state)
{
    (void)state;
    struct fg_codec *codec = codec_new();
    text_there_and_back(codec, slices, 0, NULL);
    for (size_t i = 0; i < TEXTS; i++)
        snprintf(texts[i], sizeof texts[i], "ORD-%zu", 470000 + i);
    slices_of_texts();
    assert_true(text_there_and_back(codec, slices, TEXTS, "templates") < 60);
    for (size_t i = 0; i < TEXTS; i++)
        snprintf(texts[i], sizeof texts[i], "%s/%zu?page=%03zu", i % 2 ? "/orders" : "/users",
                 (size_t)draw_below(100000), i % 100);
    slices_of_texts();
    assert_true(text_there_and_back(codec, slices, TEXTS, "templates") < TEXTS * 4);
    for (size_t i = 0; i < TEXTS; i++)
        snprintf(texts[i], sizeof texts[i], "req-" HEX16, (unsigned long long)draw());
    slices_of_texts();
    assert_true(text_there_and_back(codec, slices, TEXTS, "templates") < TEXTS * 9);
    for (size_t i = 0; i < TEXTS; i++) {
        unsigned long long x = draw(), y = draw();
        snprintf(texts[i], sizeof texts[i], "%08llx-%04llx-%04llx-%04llx-%012llx", x >> 32,
                 x >> 16 & 0xffff, x & 0xffff, y >> 48, y & 0xffffffffffff);
    }
    slices_of_texts();
    assert_true(text_there_and_back(codec, slices, TEXTS, "templates") < TEXTS * 16 + 60);
    fg_codec_free(codec);
}

/* Strings near the edges of what a template takes. */
static void odd_texts_come_back(void **state)
{
    (void)state;
    struct fg_codec *codec = codec_new();
    static const char *const odd[] = {"",
                                      "0",
                                      "00",
                                      "007",
                                      "999999999999999999",
                                      "1000000000000000000",
                                      "18446744073709551616",
                                      "0000000000000000000000000000000000000000000",
                                      "deadbeef",
                                      "deadbee",
                                      "xdeadbeef",
                                      "deadbeefx",
                                      "DEADBEEF",
                                      "12345678-1234-1234-1234-123456789abc",
                                      "12345678-1234-1234-1234-123456789abcd",
                                      "a12345678-1234-1234-1234-123456789abc",
                                      "1.2.3.4",
                                      "-5",
                                      "1e9",
                                      "\xd0\xb7\xd0\xb0\xd0\xba\xd0\xb0\xd0\xb7 17"};
    const uint32_t n = sizeof odd / sizeof *odd;
    for (size_t i = 0; i < TEXTS; i++)
        slices[i] = fg_slice_from_string(odd[i % n]);
    text_there_and_back(codec, slices, TEXTS, "templates");
    text_there_and_back(codec, slices, n, NULL);
    for (uint32_t i = 0; i < n; i++)
        text_there_and_back(codec, &slices[i], 1, "text");
    /* bytes that a template would take for a variable */
    slices[7] = FG_SLICE("a\x01"
                         "b");
    text_there_and_back(codec, slices, TEXTS, "text");
    slices[7] = FG_SLICE("a\0b");
    text_there_and_back(codec, slices, TEXTS, "templates");
    fg_codec_free(codec);
}

static void random_texts_come_back(void **state)
{
    (void)state;
    struct fg_codec *codec = codec_new();
    static const char alphabet[] = "0123456789abcdef-xyz/ORD\x02\xff";
    for (int round = 0; round < 60; round++) {
        uint64_t letters = 1 + draw_below(sizeof alphabet - 1);
        for (size_t i = 0; i < TEXTS; i++) {
            size_t size = draw_below(round % 3 ? 12 : 80);
            for (size_t k = 0; k < size; k++)
                texts[i][k] = alphabet[draw_below(letters)];
            slices[i] = fg_slice(texts[i], size);
        }
        text_there_and_back(codec, slices, 1 + (uint32_t)draw_below(TEXTS), NULL);
    }
    /* what zstd makes small */
    for (size_t i = 0; i < TEXTS; i++) {
        memset(texts[i], (int)('g' + draw_below(16)), 150);
        slices[i] = fg_slice(texts[i], 150 - draw_below(100));
    }
    assert_true(text_there_and_back(codec, slices, TEXTS, "text") < TEXTS * 4);
    fg_codec_free(codec);
}

static void texts_past_their_bound_are_refused(void **state)
{
    (void)state;
    struct fg_codec *codec = codec_new();
    for (int form = 0; form < 2; form++) {
        for (size_t i = 0; i < TEXTS; i++) {
            if (form)
                snprintf(texts[i], sizeof texts[i], "number %zu", i);
            else
                memset(texts[i], (int)('g' + draw_below(16)), 100), texts[i][100] = 0;
        }
        slices_of_texts();
        struct fg_buffer out;
        fg_buffer_init(&out, 1 << 20);
        fg_text_encode(codec, slices, TEXTS, &out);
        struct fg_slice bytes = padded(fg_buffer_slice(&out));
        struct fg_arena arena;
        fg_arena_init(&arena, 1 << 20);
        struct fg_input in = fg_input(bytes);
        struct fg_slice got[TEXTS];
        assert_int_equal(fg_text_decode(codec, &in, TEXTS, 2000, &arena, got), FG_ECORRUPT);
        fg_arena_free(&arena);
        unpad(bytes);
        fg_buffer_free(&out);
    }
    fg_codec_free(codec);
}

int main(void)
{
    const char *seed = getenv("FG_TEST_SEED");
    random_state = seed ? strtoull(seed, NULL, 0) : 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_of_every_width_agree_with_a_twin),
        cmocka_unit_test(flags_of_every_density_come_back),
        cmocka_unit_test(numbers_come_back_in_every_encoding),
        cmocka_unit_test(every_rule_foretells),
        cmocka_unit_test(numbers_of_any_kind_come_back),
        cmocka_unit_test(damaged_numbers_do_no_harm),
        cmocka_unit_test(numbers_over_the_greatest_are_refused),
        cmocka_unit_test(decimals_come_back_to_the_bit),
        cmocka_unit_test(texts_of_templates_are_small),
        cmocka_unit_test(odd_texts_come_back),
        cmocka_unit_test(random_texts_come_back),
        cmocka_unit_test(texts_past_their_bound_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
