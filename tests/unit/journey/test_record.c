/* A record against plain arrays: its traces and steps, as they come and go in any order, and its
 * value beside them. */
#include "record.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct plain {
    struct fg_trace_ref traces[FG_JOURNEY_TRACES_MAX];
    uint8_t marks[FG_JOURNEY_TRACES_MAX];
    uint32_t trace_count;
    uint64_t reached_ns[FG_FLOW_STEPS_MAX];
};

static void assert_agree(const struct fg_record *record, const struct plain *plain,
                         struct fg_slice value)
{
    uint64_t reached_ns[FG_FLOW_STEPS_MAX];
    assert_true(fg_slice_equal(fg_slice(record->value, record->value_size), value));
    assert_int_equal(record->trace_count, plain->trace_count);
    for (uint32_t i = 0; i < plain->trace_count; i++) {
        assert_int_equal(record->traces[i].low, plain->traces[i].low);
        assert_int_equal(record->trace_marks[i], plain->marks[i]);
        assert_int_equal(fg_record_trace(record, plain->traces[i]), i);
    }
    assert_int_equal(fg_record_trace(record, (struct fg_trace_ref){1, 0}), plain->trace_count);
    fg_record_steps(record, reached_ns);
    for (uint32_t step = 0; step < FG_FLOW_STEPS_MAX; step++) {
        assert_int_equal(reached_ns[step], plain->reached_ns[step]);
        assert_int_equal(fg_record_reached_ns(record, step), plain->reached_ns[step]);
    }
}

static void add_trace(struct fg_record *record, struct plain *plain, uint64_t low)
{
    const struct fg_trace_ref trace = {7, low};
    if (plain->trace_count == FG_JOURNEY_TRACES_MAX)
        return;
    plain->traces[plain->trace_count] = trace;
    plain->marks[plain->trace_count++] = (uint8_t)low;
    assert_int_equal(fg_record_add_trace(record, trace, (uint8_t)low), 0);
}

static void drop_trace(struct fg_record *record, struct plain *plain, uint32_t at)
{
    for (uint32_t i = at; i + 1 < plain->trace_count; i++) {
        plain->traces[i] = plain->traces[i + 1];
        plain->marks[i] = plain->marks[i + 1];
    }
    plain->trace_count--;
    fg_record_drop_trace(record, at);
}

static void test_agrees_with_arrays(void **state)
{
    static const char *const values[] = {"", "O", "ORD-00000001",
                                         "a value that is longer than most of them are"};
    (void)state;
    srand(5);
    for (unsigned round = 0; round < 200; round++) {
        struct fg_slice value = fg_slice_from_string(values[round % 4]);
        struct plain plain = {.trace_count = 0};
        struct fg_record record;
        unsigned many = 1 + (unsigned)rand() % 5;
        assert_int_equal(fg_record_make(&record, value, (uint32_t)rand() % 4, (uint32_t)rand() % 4),
                         0);
        for (uint64_t i = 1; i < 300; i++) {
            uint32_t step = (uint32_t)rand() % FG_FLOW_STEPS_MAX;
            if ((unsigned)rand() % 5 < many)
                add_trace(&record, &plain, i);
            if (plain.trace_count > 0 && rand() % 5 == 0)
                drop_trace(&record, &plain, (uint32_t)rand() % plain.trace_count);
            if (rand() % 4 == 0) {
                plain.reached_ns[step] = i;
                assert_int_equal(fg_record_reach(&record, step, i), 0);
            }
            if (rand() % 250 == 0) {
                memset(plain.reached_ns, 0, sizeof plain.reached_ns);
                fg_record_unreach(&record);
            }
            assert_agree(&record, &plain, value);
        }
        fg_record_free(&record);
        assert_null(record.value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_agrees_with_arrays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
