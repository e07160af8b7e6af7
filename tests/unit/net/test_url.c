/* net/url.h: percent-encoded text and query parameters. */
#include "net/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_slice(struct fg_slice slice, const char *expected)
{
    assert_int_equal(slice.size, strlen(expected));
    assert_memory_equal(slice.data, expected, slice.size);
}

static void decoding(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path, *form;
    } cases[] = {
        {"", "", ""},
        {"plain", "plain", "plain"},
        {"a%20b+c", "a b+c", "a b c"},
        {"%2f%2F%e2%82%ac", "//\xe2\x82\xac", "//\xe2\x82\xac"},
        {"%", "%", "%"},
        {"100%", "100%", "100%"},
        {"%2", "%2", "%2"},
        {"%g1%1g%%41", "%g1%1g%A", "%g1%1g%A"},
    };
    struct fg_arena arena;
    fg_arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fg_slice text = fg_slice_from_string(cases[i].text);
        assert_slice(fg_url_decode(text, false, &arena), cases[i].path);
        assert_slice(fg_url_decode(text, true, &arena), cases[i].form);
    }
    fg_arena_free(&arena);
}

static void plain_text_is_not_copied(void **state)
{
    (void)state;
    struct fg_arena arena;
    fg_arena_init(&arena, 0);
    struct fg_slice text = FG_SLICE("no escapes here");
    assert_ptr_equal(fg_url_decode(text, true, &arena).data, text.data);
    assert_false(arena.overflow);
    assert_null(fg_url_decode(FG_SLICE("%41"), true, &arena).data);
    assert_true(arena.overflow);
    fg_arena_free(&arena);
}

static void params(void **state)
{
    (void)state;
    struct fg_arena arena;
    fg_arena_init(&arena, 1 << 16);
    struct fg_slice query = FG_SLICE("&&service=mes%2Dapi&empty=&flag&q=a=b%26c&=nameless&&");
    static const char *const expected[][2] = {
        {"service", "mes-api"}, {"empty", ""}, {"flag", ""}, {"q", "a=b&c"}, {"", "nameless"},
    };
    struct fg_url_param param;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(fg_url_next_param(&query, &arena, &param));
        assert_slice(param.name, expected[i][0]);
        assert_slice(param.value, expected[i][1]);
    }
    assert_false(fg_url_next_param(&query, &arena, &param));
    assert_false(arena.overflow);
    fg_arena_free(&arena);
}

static void param_by_name(void **state)
{
    (void)state;
    struct fg_arena arena;
    fg_arena_init(&arena, 1 << 16);
    struct fg_slice query = FG_SLICE("limit=20&limit=30&x%20y=1&flag");
    assert_slice(fg_url_param(query, "limit", &arena), "20");
    assert_slice(fg_url_param(query, "x y", &arena), "1");
    assert_non_null(fg_url_param(query, "flag", &arena).data);
    assert_null(fg_url_param(query, "lim", &arena).data);
    assert_null(fg_url_param((struct fg_slice){0}, "limit", &arena).data);
    fg_arena_free(&arena);
}

static void a_full_arena_ends_the_list(void **state)
{
    (void)state;
    struct fg_arena arena;
    fg_arena_init(&arena, 16);
    struct fg_slice query = FG_SLICE("a=%41&b=%41%41%41%41%41%41%41%41%41%41");
    struct fg_url_param param;
    assert_true(fg_url_next_param(&query, &arena, &param));
    assert_false(fg_url_next_param(&query, &arena, &param));
    assert_true(arena.overflow);
    fg_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding),
        cmocka_unit_test(plain_text_is_not_copied),
        cmocka_unit_test(params),
        cmocka_unit_test(param_by_name),
        cmocka_unit_test(a_full_arena_ends_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
