/* base/utf8.h against a naive twin that decodes by arithmetic, base/hex.h there and back. */
#include "base/hex.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* What the textbook says: decode the bits, then ask whether the number may be and was written
 * short. Returns the size of the character at text, or 0. */
static size_t naive_character(const uint8_t *text, size_t size)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t c = text[0];
    size_t need = c < 0x80             ? 1
                  : (c & 0xe0) == 0xc0 ? 2
                  : (c & 0xf0) == 0xe0 ? 3
                  : (c & 0xf8) == 0xf0 ? 4
                                       : 0;
    if (need == 0 || need > size)
        return 0;
    uint32_t point = need == 1 ? c : c & (0xffu >> (need + 1));
    for (size_t i = 1; i < need; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3fu);
    }
    bool is_allowed = point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
    return is_allowed && point >= smallest[need] ? need : 0;
}

static bool naive_valid(struct fg_slice text)
{
    for (size_t i = 0; i < text.size;) {
        size_t size = naive_character(text.data + i, text.size - i);
        if (size == 0)
            return false;
        i += size;
    }
    return true;
}

/* All rows of two bytes, and of three and four whose parts lie around each border. */
static void utf8_agrees_with_a_naive_twin(void **state)
{
    (void)state;
    static const uint8_t edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                    0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                    0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff};
    const size_t count = sizeof edges;
    uint8_t text[4];
    for (uint32_t i = 0; i < 0x10000; i++) {
        text[0] = (uint8_t)(i >> 8);
        text[1] = (uint8_t)i;
        assert_int_equal(fg_utf8_valid(fg_slice(text, 2)), naive_valid(fg_slice(text, 2)));
    }
    for (size_t i = 0; i < count * count * count * count; i++) {
        text[0] = edges[i % count];
        text[1] = edges[i / count % count];
        text[2] = edges[i / count / count % count];
        text[3] = edges[i / count / count / count];
        for (size_t size = 3; size <= 4; size++)
            assert_int_equal(fg_utf8_valid(fg_slice(text, size)),
                             naive_valid(fg_slice(text, size)));
        size_t character = naive_character(text, 4);
        int step = fg_utf8_step(fg_slice(text, 4), 0);
        assert_true(character ? step == (int)character : step < 0 && step >= -3);
    }
}

/* The eight-byte steps must not step over what lies in them. */
static void utf8_finds_one_bad_byte_anywhere(void **state)
{
    (void)state;
    uint8_t text[40];
    for (size_t bad = 0; bad < sizeof text; bad++) {
        memset(text, 'a', sizeof text);
        assert_true(fg_utf8_valid(fg_slice(text, sizeof text)));
        text[bad] = 0xff;
        assert_false(fg_utf8_valid(fg_slice(text, sizeof text)));
    }
    assert_true(fg_utf8_valid(fg_slice(NULL, 0)));
}

static void sanitize(const char *from, const char *to)
{
    struct fg_arena arena;
    fg_arena_init(&arena, 1024);
    struct fg_slice text = fg_utf8_sanitize(fg_slice_from_string(from), &arena);
    assert_int_equal(text.size, strlen(to));
    assert_memory_equal(text.data, to, text.size);
    assert_true(fg_utf8_valid(text));
    fg_arena_free(&arena);
}

/* Unicode's tables 3-8 to 3-11: how many U+FFFD ill-formed parts become. */
static void utf8_replaces_maximal_parts(void **state)
{
    (void)state;
#define R "\xef\xbf\xbd"
    sanitize("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82"
             "A",
             R R R R R R R R "A");
    sanitize("\xed\xa0\x80\xed\xbf\xbf\xed\xaf"
             "A",
             R R R R R R R R "A");
    sanitize("\xf4\x91\x92\x93\xff"
             "A\x80\xbf"
             "B",
             R R R R R "A" R R "B");
    sanitize("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf"
             "A",
             R R R R "A");
    sanitize("\xd0\xba\xf0\x9f\x92\x8d", "\xd0\xba\xf0\x9f\x92\x8d");
#undef R
    struct fg_arena arena;
    fg_arena_init(&arena, 0);
    struct fg_slice clean = FG_SLICE("clean");
    assert_ptr_equal(fg_utf8_sanitize(clean, &arena).data, clean.data);
    assert_null(fg_utf8_sanitize(FG_SLICE("\xff"), &arena).data);
    assert_true(arena.overflow);
    fg_arena_free(&arena);
}

static void utf8_cut_keeps_characters_whole(void **state)
{
    (void)state;
    /* sizes 1, 2, 3, 4 */
    struct fg_slice text = FG_SLICE("a\xd0\xba\xe2\x82\xac\xf0\x9f\x92\x8d");
    static const size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        assert_int_equal(fg_utf8_cut(text, i).size, ends[i]);
    struct fg_slice junk = FG_SLICE("\xf0\x9f\x80\x80\x80\x80\x80\x80");
    for (size_t i = 4; i <= junk.size; i++)
        assert_int_equal(fg_utf8_cut(junk, i).size, i);
}

static void hex_there_and_back(void **state)
{
    (void)state;
    uint8_t bytes[256], back[256];
    char text[512];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    fg_hex_encode(fg_slice(bytes, sizeof bytes), text);
    assert_memory_equal(text, "000102030405060708090a0b0c0d0e0f10", 34);
    assert_int_equal(fg_hex_decode(fg_slice(text, sizeof text), back), 0);
    assert_memory_equal(bytes, back, sizeof bytes);
    assert_int_equal(fg_hex_decode(FG_SLICE("aAbBfF09"), back), 0);
    assert_memory_equal(back, "\xaa\xbb\xff\x09", 4);
    assert_int_equal(fg_hex_decode(FG_SLICE("abc"), back), FG_EINVALID);
    for (int c = 0; c < 256; c++) {
        uint8_t pair[2] = {'0', (uint8_t)c};
        bool is_digit = c && strchr("0123456789abcdefABCDEF", c);
        assert_int_equal(fg_hex_decode(fg_slice(pair, 2), back), is_digit ? 0 : FG_EINVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_agrees_with_a_naive_twin),
        cmocka_unit_test(utf8_finds_one_bad_byte_anywhere),
        cmocka_unit_test(utf8_replaces_maximal_parts),
        cmocka_unit_test(utf8_cut_keeps_characters_whole),
        cmocka_unit_test(hex_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
