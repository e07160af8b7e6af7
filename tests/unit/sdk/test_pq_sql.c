/* Summaries of SQL, and SQLSTATEs in libpq's messages. */
#include "pq/sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_summaries(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"SELECT * FROM orders WHERE id = $1", "SELECT orders"},
        {"select a from orders o, customers as c where o.c = c.id", "select orders customers"},
        {"SELECT * FROM a JOIN b ON a.x = b.x LEFT JOIN s.c USING (y)", "SELECT a b s.c"},
        {"INSERT INTO shipping SELECT id FROM orders", "INSERT shipping SELECT orders"},
        {"INSERT INTO t (a, b) VALUES ('from x', 2) ON CONFLICT (a) DO UPDATE SET b = 3 RETURNING "
         "a",
         "INSERT t"},
        {"UPDATE only \"Big Orders\" SET a = 1", "UPDATE \"Big Orders\""},
        {"DELETE FROM orders USING customers", "DELETE orders"},
        {"SELECT EXTRACT(YEAR FROM d), a IS DISTINCT FROM b FROM t FOR UPDATE", "SELECT t"},
        {"SELECT * FROM (SELECT a FROM inside) x", "SELECT SELECT inside"},
        {"SELECT (SELECT max(a) FROM t) FROM u", "SELECT SELECT t u"},
        {"WITH x AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM x",
         "DELETE a INSERT b SELECT x"},
        {"/* FROM lies */ SELECT 1 -- FROM more\n FROM truth", "SELECT truth"},
        {"BEGIN", "BEGIN"},
        {"begin; update t set a = 1; commit", "begin update t commit"},
        {"CREATE TABLE IF NOT EXISTS t (a int)", "CREATE TABLE t"},
        {"CREATE UNIQUE INDEX i ON t (a)", "CREATE INDEX i"},
        {"DROP TABLE IF EXISTS t", "DROP TABLE t"},
        {"COPY t FROM STDIN", "COPY t"},
        {"TRUNCATE TABLE t", "TRUNCATE t"},
        {"CALL ship($1)", "CALL ship"},
        {"EXPLAIN ANALYZE SELECT 1 FROM t", "EXPLAIN SELECT t"},
        {"SELECT $tag$ FROM x; DELETE FROM y $tag$", "SELECT"},
        {"SELECT 'it''s FROM x', E'\\'", "SELECT"},
        {"SELECT pg_sleep(1)", "SELECT"},
        {"SELECT * FROM заказы", "SELECT заказы"},
        {"nonsense", ""},
        {"", ""},
        {"'", ""},
        {"/*", ""},
        {"$", ""},
        {"((((((((((((((((((((((((((((((((((((((((SELECT 1 FROM deep", "SELECT deep"},
        {"))))", ""},
    };
    char text[FG_SQL_SUMMARY_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fg_sql_summary(cases[i][0], text);
        assert_string_equal(text, cases[i][1]);
    }
    fg_sql_summary(NULL, text);
    assert_string_equal(text, "");
}

static void test_long_summary_ends_between_words(void **state)
{
    (void)state;
    char sql[8192] = "SELECT * FROM ", text[FG_SQL_SUMMARY_MAX];
    for (int i = 0; i < 500; i++)
        strcat(sql, "table_x, ");
    strcat(sql, "y");
    fg_sql_summary(sql, text);
    assert_true(strlen(text) < FG_SQL_SUMMARY_MAX && strlen(text) > 230);
    assert_string_equal(text + strlen(text) - 7, "table_x");
}

static const char russian[] = "connection to server at \"127.0.0.1\", port 5432 failed: ВАЖНО:  "
                              "28P01: пользователь \"x\" не прошёл проверку\n"
                              "ПОДРОБНОСТЬ:  как есть: да\n"
                              "ПОЛОЖЕНИЕ:  auth_failed, auth.c:326\n";

static void test_states_are_found_in_any_language(void **state)
{
    (void)state;
    char found[6];
    assert_true(fg_sql_state_of(russian, found));
    assert_string_equal(found, "28P01");
    assert_true(fg_sql_state_of("a:  53300: x\nb:  57P03: y\n", found));
    assert_string_equal(found, "57P03");
    assert_false(fg_sql_state_of("FATAL:  no such thing: 12345", found));
    assert_false(fg_sql_state_of("FATAL:  28p01: x", found));
    assert_false(fg_sql_state_of("FATAL:  28P01", found));
    assert_false(fg_sql_state_of("", found));
    assert_false(fg_sql_state_of(NULL, found));
}

static void test_plain_messages(void **state)
{
    (void)state;
    char *plain = fg_sql_plain_message(russian);
    assert_string_equal(
        plain,
        "connection to server at \"127.0.0.1\", port 5432 failed: ВАЖНО:  пользователь \"x\" не "
        "прошёл проверку\nПОДРОБНОСТЬ:  как есть: да\n");
    free(plain);
    plain = fg_sql_plain_message("connection refused");
    assert_string_equal(plain, "connection refused");
    free(plain);
    plain = fg_sql_plain_message("");
    assert_string_equal(plain, "");
    free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_summaries),
        cmocka_unit_test(test_long_summary_ends_between_words),
        cmocka_unit_test(test_states_are_found_in_any_language),
        cmocka_unit_test(test_plain_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
