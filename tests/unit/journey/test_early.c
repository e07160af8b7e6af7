/* What came before it was known whose it is, against a plain list: nothing of another trace, each
 * thing once and at its first time, and of more than there is room for the latest. */
#include "early.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TRACES = 400, STEPS = 5, FLOWS = 2 };

static struct fg_trace_ref trace_of(unsigned i)
{
    return (struct fg_trace_ref){i / 2, 1 + i};
}

static void test_agrees_with_a_list(void **state)
{
    static uint64_t first_ns[TRACES][FLOWS][STEPS];
    struct fg_early_step steps[FG_EARLY_OF_TRACE];
    struct fg_early *early = NULL;
    (void)state;
    srand(9);
    assert_int_equal(fg_early_of(early, trace_of(0), steps), 0);
    for (unsigned i = 0; i < 3 * TRACES; i++) { /* a few things of a few traces: all are kept */
        unsigned trace = (unsigned)rand() % TRACES, flow = (unsigned)rand() % FLOWS,
                 step = (unsigned)rand() % STEPS;
        uint64_t at_ns = 1 + (uint64_t)rand() % 1000, *first = &first_ns[trace][flow][step];
        *first = *first == 0 || at_ns < *first ? at_ns : *first;
        assert_int_equal(
            fg_early_note(&early, trace_of(trace), (uint8_t)flow, (uint8_t)step, at_ns), 0);
    }
    unsigned all = 0, kept = 0;
    for (unsigned trace = 0; trace < TRACES; trace++) {
        uint32_t count = fg_early_of(early, trace_of(trace), steps);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(steps[i].at_ns, first_ns[trace][steps[i].flow][steps[i].step]);
            for (uint32_t k = 0; k < i; k++)
                assert_true(steps[k].flow != steps[i].flow || steps[k].step != steps[i].step);
        }
        kept += count;
        for (unsigned i = 0; i < FLOWS * STEPS; i++)
            all += first_ns[trace][i / STEPS][i % STEPS] > 0;
    }
    assert_in_range(kept, all * 99 / 100, all); /* two traces may have to share a place */
    fg_early_free(early);
}

static void test_the_latest_stay(void **state)
{
    struct fg_early_step steps[FG_EARLY_OF_TRACE];
    struct fg_early *early = NULL;
    (void)state;
    for (uint8_t step = 0; step < 3 * FG_EARLY_OF_TRACE; step++)
        assert_int_equal(fg_early_note(&early, trace_of(7), 0, step, 100), 0);
    assert_int_equal(fg_early_of(early, trace_of(7), steps), FG_EARLY_OF_TRACE);
    for (uint32_t i = 0; i < FG_EARLY_OF_TRACE; i++)
        assert_true(steps[i].step >= 2 * FG_EARLY_OF_TRACE);
    for (unsigned i = 0; i < 1000000; i++) /* of a flood nothing is left but the latest */
        assert_int_equal(fg_early_note(&early, (struct fg_trace_ref){9, i}, 0, 0, 1), 0);
    assert_int_equal(fg_early_of(early, trace_of(7), steps), 0);
    assert_int_equal(fg_early_of(early, (struct fg_trace_ref){9, 999999}, steps), 1);
    fg_early_free(early);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_agrees_with_a_list),
                                       cmocka_unit_test(test_the_latest_stay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
