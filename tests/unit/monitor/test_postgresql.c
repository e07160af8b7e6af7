/* What libpq's texts mean, arrays, how far a replica is behind, a statement's shape. */
#include "kind_postgresql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static void states_are_found_in_any_language(void **state)
{
    (void)state;
    char found[6] = "none";
    assert_true(fg_pg_sqlstate_find(
        "connection to server at \"db\" (10.0.0.1), port 5432 failed: FATAL:  53300\n", found));
    assert_string_equal(found, "53300");
    assert_true(fg_pg_sqlstate_find("\xd0\x92\xd0\x90\xd0\x96\xd0\x9d\xd0\x9e:  28P01", found));
    assert_string_equal(found, "28P01");
    strcpy(found, "none");
    static const char *const without[] = {"",
                                          "\n\n",
                                          "57P03",
                                          "FATAL:  5330",
                                          "FATAL:  53300x",
                                          "FATAL:  5330a",
                                          "Connection refused\n",
                                          " 5330 \n"};
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        assert_false(fg_pg_sqlstate_find(without[i], found));
    assert_string_equal(found, "none");
}

static enum fg_pg_outcome explain(const char *message)
{
    struct fg_pg_trouble trouble;
    memset(&trouble, 0, sizeof trouble);
    fg_pg_explain(message, false, &trouble);
    return trouble.outcome;
}

static void only_a_refusal_is_a_refusal(void **state)
{
    (void)state;
    struct fg_pg_trouble trouble;
    assert_int_equal(
        explain("connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n"
                "\tIs the server running on that host and accepting TCP/IP connections?\n"),
        FG_PG_REFUSED);
    assert_int_equal(explain("x failed: No route to host\n"), FG_PG_TIMEOUT);
    assert_int_equal(explain("x failed: Connection refused\ny failed: Network is unreachable\n"),
                     FG_PG_TIMEOUT);
    assert_int_equal(explain("server does not support SSL, but SSL was required\n"), FG_PG_TLS);
    assert_int_equal(explain("server closed the connection unexpectedly\n"), FG_PG_BROKEN);
    assert_int_equal(explain("expected authentication request from server, but received H\n"),
                     FG_PG_BROKEN);
    assert_int_equal(explain(""), FG_PG_BROKEN);
    assert_int_equal(explain("x failed: FATAL:  57P03\n"), FG_PG_ERROR);
    fg_pg_explain("fe_sendauth: no password supplied\n", true, &trouble);
    assert_int_equal(trouble.outcome, FG_PG_PASSWORD);
    assert_string_equal(trouble.code, "credentials_missing");
}

static void arrays_of_numbers(void **state)
{
    (void)state;
    int64_t numbers[3];
    assert_int_equal(fg_pg_int_array("{}", numbers, 3), 0);
    assert_int_equal(fg_pg_int_array("", numbers, 3), 0);
    assert_int_equal(fg_pg_int_array("{812}", numbers, 3), 1);
    assert_int_equal(numbers[0], 812);
    assert_int_equal(fg_pg_int_array("{1,2,3,4,5}", numbers, 3), 3);
    assert_int_equal(fg_pg_int_array("{1,x}", numbers, 3), 1);
    assert_int_equal(fg_pg_int_array("{99999999999999999999}", numbers, 3), 0);
}

static void lag_is_told_by_the_monitors_own_clock(void **state)
{
    (void)state;
    static struct fg_pg_positions positions;
    memset(&positions, 0, sizeof positions);
    assert_true(fg_pg_positions_behind_ns(&positions, SECOND, 0) == 0);
    for (uint64_t i = 1; i <= 10; i++)
        fg_pg_positions_add(&positions, i * SECOND, (int64_t)(100 * i));
    /* What was written at 7 s is what it lacks first. */
    assert_true(fg_pg_positions_behind_ns(&positions, 12 * SECOND, 600) == 5 * SECOND);
    assert_true(fg_pg_positions_behind_ns(&positions, 12 * SECOND, 1000) == 0);
    /* Nothing is written: who has it all is not behind, who has not is more and more so. */
    fg_pg_positions_add(&positions, 100 * SECOND, 1000);
    assert_true(fg_pg_positions_behind_ns(&positions, 100 * SECOND, 1000) == 0);
    assert_true(fg_pg_positions_behind_ns(&positions, 100 * SECOND, 999) == 90 * SECOND);
    /* Another server took over, whose log is shorter. */
    fg_pg_positions_add(&positions, 101 * SECOND, 50);
    assert_int_equal(positions.count, 1);
    assert_true(fg_pg_positions_behind_ns(&positions, 102 * SECOND, 60) == 0);
}

/* Many positions are thinned; the oldest stays, and no lag is told a fifth too short. */
static void a_long_lag_is_told_less_finely(void **state)
{
    (void)state;
    static struct fg_pg_positions positions;
    memset(&positions, 0, sizeof positions);
    for (uint64_t i = 1; i <= 10000; i++)
        fg_pg_positions_add(&positions, i * SECOND, (int64_t)i);
    assert_true(positions.count <= FG_PG_POSITIONS_MAX);
    uint64_t behind = fg_pg_positions_behind_ns(&positions, 10000 * SECOND, 0);
    assert_true(behind == 9999 * SECOND);
    for (uint64_t lsn = 0; lsn < 10000; lsn += 7) {
        behind = fg_pg_positions_behind_ns(&positions, 10000 * SECOND, (int64_t)lsn) / SECOND;
        assert_true(behind <= 10000 - lsn && behind + 2 >= (10000 - lsn) * 8 / 10);
    }
}

static void a_statement_loses_its_literals(void **state)
{
    (void)state;
    struct fg_arena arena;
    struct fg_check_report report = {.arena = &arena};
    fg_arena_init(&arena, 1 << 20);
    assert_string_equal(fg_pg_shape(&report, "  UPDATE orders\n\t SET card = '4111 1111' "
                                             "WHERE id IN (1, 2, 3) -- mine\n"),
                        "UPDATE orders SET card = ? WHERE id IN (?)");
    /* Cut by the server within a literal. */
    assert_string_equal(fg_pg_shape(&report, "select 'secr"), "select ?");
    char text[3000];
    memset(text, 'a', sizeof text);
    for (size_t i = 1; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    text[sizeof text - 1] = 0;
    const char *shape = fg_pg_shape(&report, text);
    size_t size = strlen(shape);
    assert_true(size <= 300 && size > 290);
    assert_true((unsigned char)shape[size - 1] < 0xC0); /* no begin of a character at the end */
    assert_string_equal(fg_pg_shape(&report, ""), "");
    fg_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_are_found_in_any_language),
        cmocka_unit_test(only_a_refusal_is_a_refusal),
        cmocka_unit_test(arrays_of_numbers),
        cmocka_unit_test(lag_is_told_by_the_monitors_own_clock),
        cmocka_unit_test(a_long_lag_is_told_less_finely),
        cmocka_unit_test(a_statement_loses_its_literals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
