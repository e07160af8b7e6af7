/* base/units.h: what people write, read back; what is nonsense, refused. */
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int size_of(const char *text, uint64_t *ret_bytes)
{
    return fg_size_parse(fg_slice_from_string(text), ret_bytes);
}

static void sizes(void **state)
{
    (void)state;
    uint64_t bytes = 7;
    static const char *const bad[] = {"", "MiB", "-1", "1.5MiB", "1 ", "12 potatoes", "1KiBs"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(size_of(bad[i], &bytes), FG_EINVALID);
    assert_int_equal(size_of("99999999999999999999", &bytes), FG_ELIMIT);
    assert_int_equal(size_of("99999999999TiB", &bytes), FG_ELIMIT);
    assert_int_equal(bytes, 7); /* untouched on failure */
    assert_int_equal(size_of("4096", &bytes), 0);
    assert_int_equal(bytes, 4096);
    assert_int_equal(size_of("64MiB", &bytes), 0);
    assert_int_equal(bytes, 64 << 20);
    assert_int_equal(size_of("10 mb", &bytes), 0);
    assert_int_equal(bytes, 10000000);
}

static void durations(void **state)
{
    (void)state;
    uint64_t ns = 7;
    static const char *const bad[] = {"", "30", "d", "5 fortnights", "1h30", "-1s"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(fg_duration_parse(fg_slice_from_string(bad[i]), &ns), FG_EINVALID);
    assert_int_equal(fg_duration_parse(FG_SLICE("999999999w"), &ns), FG_ELIMIT);
    assert_int_equal(ns, 7);
    assert_int_equal(fg_duration_parse(FG_SLICE("1h30m"), &ns), 0);
    assert_true(ns == UINT64_C(5400000000000));
    assert_int_equal(fg_duration_parse(FG_SLICE("500ms"), &ns), 0);
    assert_int_equal(ns, 500000000);
    assert_int_equal(fg_duration_parse(FG_SLICE("0"), &ns), 0);
    assert_int_equal(ns, 0);
}

static void moments(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        {"1970-01-01", 0},
        {"2000-02-29T12:00:00Z", UINT64_C(951825600000000000)},
        {"2026-11-24T14:02:11.482Z", UINT64_C(1795528931482000000)},
        {"2026-11-24 17:02:11.482+03:00", UINT64_C(1795528931482000000)},
        {"1795528931", UINT64_C(1795528931000000000)},
        {"1795528931482", UINT64_C(1795528931482000000)},
        {"1795528931482000", UINT64_C(1795528931482000000)},
        {"1795528931482000001", UINT64_C(1795528931482000001)},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t ns = 1;
        assert_int_equal(fg_time_parse(fg_slice_from_string(good[i].text), &ns), 0);
        assert_true(ns == good[i].ns);
    }
    static const char *const bad[] = {"",
                                      "today",
                                      "2026-13-01",
                                      "2026-11-24T14:02",
                                      "2026-11-24T14:02:11",
                                      "2026-11-24T14:02:11.Z",
                                      "2026-00-10"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t ns;
        assert_int_equal(fg_time_parse(fg_slice_from_string(bad[i]), &ns), FG_EINVALID);
    }
    uint64_t ns;
    assert_int_equal(fg_time_parse(FG_SLICE("1969-12-31"), &ns), FG_ELIMIT);
    assert_int_equal(fg_time_parse(FG_SLICE("9999-12-31"), &ns), FG_ELIMIT);
}

/* Each day of 584 years, there and back. */
static void every_day_reads_back(void **state)
{
    (void)state;
    for (uint64_t day = 0; day < 213000; day++) {
        char text[FG_UNITS_TEXT_SIZE];
        uint64_t ns = day * UINT64_C(86400000000000) + 45296789000000, back;
        fg_time_format(ns, text);
        assert_int_equal(fg_time_parse(fg_slice_from_string(text), &back), 0);
        assert_true(back == ns);
    }
}

static void texts(void **state)
{
    (void)state;
    char text[FG_UNITS_TEXT_SIZE];
    fg_size_format(312, text);
    assert_string_equal(text, "312 B");
    fg_size_format(64 << 20, text);
    assert_string_equal(text, "64.0 MiB");
    fg_size_format((64 << 20) - 1, text);
    assert_string_equal(text, "64.0 MiB");
    static const struct {
        uint64_t ns;
        const char *text;
    } durations[] = {{0, "0ns"},
                     {3100, "3.10us"},
                     {482000000, "482ms"},
                     {999600000, "1.00s"},
                     {61000000000, "1m01s"},
                     {7500000000000, "2h05m"},
                     {UINT64_C(2606400000000000), "30d04h"}};
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        fg_duration_format(durations[i].ns, text);
        assert_string_equal(text, durations[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),   cmocka_unit_test(durations),
        cmocka_unit_test(moments), cmocka_unit_test(every_day_reads_back),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
