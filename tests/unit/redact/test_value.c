/* redact/: what is found by its form, what only looks like it, and SQL's shape. */
#include "redact/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ALL FG_REDACT_KINDS_FOUND

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
        {"1795695898580457518", NULL}, /* nanoseconds: of no scheme's range */
        {"9999999999999995", NULL},    /* Luhn says yes, but nobody issues it */
        {"6759649826438453 and 3530111333300000", "[card] and [card]"},
        {"f47ac10b-58cc-4372-8567-411111111111", NULL},
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
        {"Bearer authentication required", NULL},
        {"Basic authentication required", NULL},
        {"x eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0. y", "x [token] y"},
        {"eyJa.eyJ.", NULL},
        {"basic idea", NULL},
        {"eyJustaword", NULL},
        {"Bearer", NULL},
        {"", NULL},
    };
    check(pairs, sizeof pairs / sizeof *pairs, ALL);
}

static void telephone_numbers_are_found(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"+7 912 345-67-89", "[phone]"},
        {"call +14155552671.", "call [phone]."},
        {"call (415) 555-2671 now", "call [phone] now"},
        {"+49 (0)30 123456", "[phone]"},
        {"2026-11-25T10:00:00+03:00", NULL},
        {"a+12345678", NULL},
        {"+1234567", NULL},
        {"+1234567890123456", NULL},
        {"f(1234) 5", NULL},
        {"offset +00000012", NULL},
    };
    check(pairs, sizeof pairs / sizeof *pairs, ALL);
}

static void private_keys_are_found(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"k=-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n", "k=[private key]\n"},
        {"-----BEGIN RSA PRIVATE KEY-----\nMIIE, and then cut", "[private key]"},
        {"-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----", NULL},
        {"--------------------------", NULL},
    };
    check(pairs, sizeof pairs / sizeof *pairs, ALL);
}

static void secrets_are_found_behind_their_names(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"user=bob password=hunter2 x", "user=bob password=[secret] x"},
        {"--client-secret=abc --y", "--client-secret=[secret] --y"},
        {"pwd=x", "pwd=[secret]"}, /* the shortest that there is */
        {"--key=abc", NULL},       /* no name that is known */
        {"{\"password\": \"a\\\"b\", \"n\": 1}", "{\"password\": \"[secret]\", \"n\": 1}"},
        {"{\\\"api_key\\\":\\\"abc\\\"}", "{\\\"api_key\\\":\\\"[secret]\\\"}"},
        {"DB_PASSWORD='x y'", "DB_PASSWORD='[secret]'"},
        {"postgres://bob:hunter2@db:5432/shop", "postgres://[secret]@db:5432/shop"},
        {"amqp://bob:hunter2@mq.example.org", "amqp://[secret]@mq.example.org"},
        {"wrong password: try again", NULL},
        {"password=?&x=$1", NULL},
        {"password=[secret]", NULL},
        {"http://host/a:b@c", NULL},
        {"http://REDACTED:REDACTED@host/a", NULL},
        {"password=", NULL},
    };
    check(pairs, sizeof pairs / sizeof *pairs, ALL);
}

/* Megabytes that nearly match everywhere: what looked back or ahead at each would not end. */
static void long_texts_are_walked_once(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "a@",         "::::@",       "password=?", "eyJa.",  "eyJa-",       "+1",
        "(",          "-----BEGIN ", "=  ",        "1-",     "eyJ.",        "bearer a",
        "password='", "@a.",         "://:@",      "\"\\\"", "password:\"", "4111 1111 1111 1112 "};
    size_t size = (size_t)4 << 20;
    char *text = malloc(size);
    struct fg_buffer out;
    assert_non_null(text);
    fg_buffer_init(&out, 64 << 20);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t part = strlen(parts[i]);
        for (size_t at = 0; at < size; at++)
            text[at] = parts[i][at % part];
        fg_buffer_reset(&out);
        (void)fg_redact_text(fg_slice(text, size), ALL, &out);
        assert_int_equal(out.error, 0);
    }
    fg_buffer_free(&out);
    free(text);
}

static void addresses_keep_their_way(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"https://shop/orders?customer=Bob&page=2#x", "https://shop/orders?customer=?&page=?"},
        {"/orders?q", "/orders??"},
        {"/orders?a=&b=1", "/orders?a=&b=?"},
        {"/orders", NULL},
        {"/orders?token=REDACTED&page", NULL},
        {"/orders?", NULL},
        {"/orders#top", "/orders"},
    };
    struct fg_buffer out;
    fg_buffer_init(&out, 4096);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        fg_buffer_reset(&out);
        size_t removed = fg_redact_url(fg_slice_from_string(pairs[i].text), false, &out);
        assert_int_equal(removed > 0, pairs[i].wanted != NULL);
        fg_buffer_append_byte(&out, 0);
        assert_string_equal((const char *)out.data, pairs[i].wanted ? pairs[i].wanted : "");
    }
    fg_buffer_reset(&out);
    assert_int_equal(fg_redact_url(FG_SLICE("a=1&b=2"), true, &out), 2);
    assert_memory_equal(out.data, "a=?&b=?", 7);
    fg_buffer_free(&out);
}

/* The glance may be wrong in one way only: it sends texts to the walk that have nothing. */
static void a_glance_misses_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {"4111111111111111",
                                        "a@b.cc",
                                        "Bearer abcdefgh1",
                                        "eyJhbGciOi.eyJzdWIi.c2ln",
                                        "+14155552671",
                                        "pwd=x12",
                                        "-----BEGIN PRIVATE KEY-----\nMI"};
    char text[600];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t at = 0; at < 64; at++) {
            struct fg_redact_match match;
            memset(text, ' ', sizeof text);
            memcpy(text + at * 8, texts[i], strlen(texts[i]));
            struct fg_slice slice = fg_slice(text, sizeof text - at);
            assert_true(fg_redact_find(slice, 0, ALL, &match));
            assert_true(fg_redact_glance(slice, ALL) & match.kind);
        }
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
        cmocka_unit_test(telephone_numbers_are_found),
        cmocka_unit_test(private_keys_are_found),
        cmocka_unit_test(secrets_are_found_behind_their_names),
        cmocka_unit_test(long_texts_are_walked_once),
        cmocka_unit_test(addresses_keep_their_way),
        cmocka_unit_test(a_glance_misses_nothing),
        cmocka_unit_test(sql_keeps_its_shape_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
