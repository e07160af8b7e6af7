/* redact/: what is found by its form, what only looks like it, and SQL's shape. */
#include "redact/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ALL (FG_REDACT_CARD | FG_REDACT_EMAIL | FG_REDACT_TOKEN)

struct pair {
    const char *text;
    const char *wanted; /* NULL: stays */
};

static void check(const struct pair *pairs, size_t count, unsigned kinds)
{
    struct fg_buffer out;
    fg_buffer_init(&out, 4096);
    for (size_t i = 0; i < count; i++) {
        fg_buffer_reset(&out);
        size_t found = fg_redact_text(fg_slice_from_string(pairs[i].text), kinds, &out);
        fg_buffer_append_byte(&out, 0);
        if (pairs[i].wanted) {
            assert_true(found > 0);
            assert_string_equal((const char *)out.data, pairs[i].wanted);
        } else if (found) {
            fail_msg("\"%s\" became \"%s\"", pairs[i].text, (const char *)out.data);
        }
    }
    fg_buffer_free(&out);
}

static void card_numbers_are_found_by_their_check_digit(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"4111111111111111", "[card]"},
        {"paid by 4111 1111 1111 1111, thanks", "paid by [card], thanks"},
        {"5500-0000-0000-0004", "[card]"},
        {"a 378282246310005 b 6011111111111117", "a [card] b [card]"},
        {"4111111111111112", NULL},        /* Luhn says no */
        {"41111111111111111111111", NULL}, /* too long */
        {"411111111111", NULL},            /* too short */
        {"x4111111111111111", NULL},       /* part of a word */
        {"4111111111111111x", NULL},
        {"0000000000000000", NULL},
        {"4111  1111  1111  1111", NULL},
        {"2026-11-25 10:00:00", NULL},
    };
    check(pairs, sizeof pairs / sizeof *pairs, ALL);
    static const struct pair off[] = {{"4111111111111111", NULL}};
    check(off, 1, FG_REDACT_EMAIL | FG_REDACT_TOKEN);
}

static void addresses_are_found(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"a@example.org", "[email]"},
        {"<first.last+tag@mail.example.co.uk>", "<[email]>"},
        {"to a@b.de, c@d.fr.", "to [email], [email]."},
        {"a@b", NULL},
        {"@example.org", NULL},
        {"a@.org", NULL},
        {"user@host.x", NULL},
        {"@", NULL},
    };
    check(pairs, sizeof pairs / sizeof *pairs, ALL);
}

static void tokens_are_found(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"Bearer abcdefgh12345", "Bearer [token]"},
        {"authorization: bearer abc/def+ghi==", "authorization: bearer [token]"},
        {"Basic dXNlcjpwYXNz", "Basic [token]"},
        {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "[token]"},
        {"bearer of news", NULL},
        {"basic idea", NULL},
        {"eyJustaword", NULL},
        {"Bearer", NULL},
        {"", NULL},
    };
    check(pairs, sizeof pairs / sizeof *pairs, ALL);
}

static void sql_keeps_its_shape_alone(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"SELECT * FROM t WHERE a = 'x' AND b = 12.5e-3", "SELECT * FROM t WHERE a = ? AND b = ?"},
        {"select a1, t2.c3 from t2 where id in (1, 2,3 , 4)",
         "select a1, t2.c3 from t2 where id in (?)"},
        {"INSERT INTO t VALUES ('it''s', NULL, $1)", "INSERT INTO t VALUES (?, NULL, $1)"},
        {"SELECT $tag$secret ' $tag$, $$other$$", "SELECT ?"},
        {"SELECT \"Column 1\" -- secret\nFROM t /* secret */;", "SELECT \"Column 1\"  \nFROM t  ;"},
        {"SELECT E'a\\'b', x'ff'", "SELECT ?"},
        {"SELECT 'a\\' , 'secret'", "SELECT ?"},
        {"SELECT 'never ends", "SELECT ?"},
        {"SELECT :name, @v, a::text, 0xff", "SELECT :name, @v, a::text, ?"},
    };
    struct fg_buffer out;
    fg_buffer_init(&out, 4096);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        fg_buffer_reset(&out);
        assert_true(fg_redact_sql(fg_slice_from_string(pairs[i].text), &out) > 0);
        fg_buffer_append_byte(&out, 0);
        assert_string_equal((const char *)out.data, pairs[i].wanted);
    }
    fg_buffer_reset(&out);
    assert_int_equal(fg_redact_sql(FG_SLICE("SELECT a FROM b"), &out), 0);
    assert_int_equal(out.size, 15);
    fg_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(card_numbers_are_found_by_their_check_digit),
        cmocka_unit_test(addresses_are_found),
        cmocka_unit_test(tokens_are_found),
        cmocka_unit_test(sql_keeps_its_shape_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
