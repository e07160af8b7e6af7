/* A finding's sentence, and the same for who says it in another language: its form and its parts.
 */
#include "monitor/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(struct fg_slice text, const char *wanted)
{
    if (!fg_slice_equal(text, fg_slice_from_string(wanted)))
        fail_msg("'%.*s' instead of '%s'", (int)text.size, (const char *)text.data, wanted);
}

static void test_form(void **state)
{
    struct fg_arena arena;
    struct fg_check_report report = {.arena = &arena};
    (void)state;
    fg_arena_init(&arena, (size_t)64 << 10);
    fg_check_finding(&report, FG_CHECK_DEGRADED, "all", false,
                     "%lld of %zu (%u, %ld) at %.3g of 100%%, %.*s and %.3s%c: %05.1f",
                     (long long)-7000000000, (size_t)3, 4u, 5L, 0.123456, 2, "abc", "mes-db", '!',
                     2.25);
    fg_check_finding(&report, FG_CHECK_DOWN, "plain", true, "nothing listens there");
    const struct fg_check_finding *finding = &report.findings[0];
    static const char *const parts[] = {"-7000000000", "3",   "4", "5",    "0.123",
                                        "ab",          "mes", "!", "002.2"};
    assert_text(finding->text, "-7000000000 of 3 (4, 5) at 0.123 of 100%, ab and mes!: 002.2");
    assert_text(finding->form, "{1} of {2} ({3}, {4}) at {5} of 100%, {6} and {7}{8}: {9}");
    assert_int_equal(finding->part_count, sizeof parts / sizeof *parts);
    for (uint32_t i = 0; i < finding->part_count; i++)
        assert_text(finding->parts[i], parts[i]);
    assert_text(report.findings[1].form, "nothing listens there");
    assert_text(report.findings[1].text, "nothing listens there");
    assert_int_equal(report.findings[1].part_count, 0);
    fg_arena_free(&arena);
}

/* A part as long as it may be, and one that is longer: cut, and the report is whole. */
static void test_long(void **state)
{
    struct fg_arena arena;
    struct fg_check_report report = {.arena = &arena};
    static char text[4096];
    (void)state;
    fg_arena_init(&arena, (size_t)64 << 10);
    memset(text, 'x', sizeof text - 1);
    fg_check_finding(&report, FG_CHECK_DEGRADED, "long", false, "%s and %s", text, text);
    assert_int_equal(report.findings[0].text.size, FG_CHECK_TEXT_SIZE_MAX);
    assert_int_equal(report.findings[0].part_count, 2);
    assert_int_equal(report.findings[0].parts[1].size, FG_CHECK_TEXT_SIZE_MAX);
    assert_text(report.findings[0].form, "{1} and {2}");
    fg_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_form), cmocka_unit_test(test_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
