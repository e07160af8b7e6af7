/* os/tick.h: in step with the kernel's clock, never back, and out of the way where it can't be
 * trusted. */
#include "os/tick.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

/* The real clock, and what it is put wrong by. */
static int64_t offset_ns;

static uint64_t odd_mono_ns(struct fg_env *env)
{
    (void)env;
    return fg_env_mono_ns(fg_env_real()) + (uint64_t)offset_ns;
}

static const struct fg_env_ops odd_ops = {.mono_ns = odd_mono_ns};
static struct fg_env odd = {.ops = &odd_ops};

static void wait_ns(uint64_t time_ns)
{
    uint64_t end_ns = fg_env_mono_ns(fg_env_real()) + time_ns;
    while (fg_env_mono_ns(fg_env_real()) < end_ns)
        ;
}

static int begin(void **state)
{
    static struct fg_tick tick;
    memset(&tick, 0, sizeof tick);
    offset_ns = 0;
    *state = &tick;
    return 0;
}

static void start(struct fg_tick *tick)
{
    if (!fg_tick_is_usable())
        skip();
    fg_tick_adjust(tick, &odd);
    wait_ns(120 * MS);
    fg_tick_adjust(tick, &odd);
    assert_int_not_equal(atomic_load(&tick->sequence), 0);
}

/* How far a reading is from the clock, at the least of some tries. */
static int64_t error_ns(struct fg_tick *tick)
{
    int64_t best = INT64_MAX;
    for (int i = 0; i < 1000; i++) {
        uint64_t before = odd_mono_ns(&odd), ns = fg_tick_ns(tick, &odd), after = odd_mono_ns(&odd);
        int64_t error = ns < before  ? (int64_t)(ns - before)
                        : ns > after ? (int64_t)(ns - after)
                                     : 0;
        if ((error < 0 ? -error : error) < (best < 0 ? -best : best))
            best = error;
    }
    return best;
}

static void before_a_line_it_is_the_clock(void **state)
{
    struct fg_tick *tick = *state;
    assert_int_equal(error_ns(tick), 0);
    fg_tick_adjust(tick, &odd);
    assert_int_equal(atomic_load(&tick->sequence), 0);
    assert_int_equal(error_ns(tick), 0);
}

static void it_keeps_step(void **state)
{
    struct fg_tick *tick = *state;
    start(tick);
    for (int i = 0; i < 3; i++) {
        wait_ns(510 * MS);
        fg_tick_adjust(tick, &odd);
        int64_t error = error_ns(tick);
        assert_in_range(error + 20000, 0, 40000);
    }
}

/* A clock that is 200 us behind is waited for: readings go on, only more slowly. */
static void it_never_goes_back(void **state)
{
    struct fg_tick *tick = *state;
    start(tick);
    offset_ns = -200000;
    uint64_t last_ns = 0, end_ns = odd_mono_ns(&odd) + 2500 * MS, next_ns = 0;
    while (odd_mono_ns(&odd) < end_ns) {
        if (odd_mono_ns(&odd) >= next_ns) {
            fg_tick_adjust(tick, &odd);
            next_ns = odd_mono_ns(&odd) + 100 * MS;
        }
        uint64_t ns = fg_tick_ns(tick, &odd);
        assert_true(ns >= last_ns);
        last_ns = ns;
    }
    assert_in_range(error_ns(tick) + 100000, 0, 200000);
}

static void a_jump_is_followed(void **state)
{
    struct fg_tick *tick = *state;
    start(tick);
    offset_ns = 3600 * (int64_t)(1000 * MS);
    wait_ns(510 * MS);
    fg_tick_adjust(tick, &odd);
    assert_in_range(error_ns(tick) + 20000, 0, 40000);
}

static void what_is_not_to_be_trusted_is_not_used(void **state)
{
    struct fg_tick *tick = *state;
    start(tick);
    uint64_t ticks = atomic_load(&tick->base_ticks);
    /* Nobody looked after it for a minute. */
    atomic_store(&tick->base_ticks, ticks - (UINT64_C(1) << 37));
    assert_int_equal(error_ns(tick), 0);
    /* The counter began anew. */
    atomic_store(&tick->base_ticks, ticks + (UINT64_C(1) << 50));
    assert_int_equal(error_ns(tick), 0);
    /* A fork came while it was written; the child's own thread mends it. */
    atomic_store(&tick->base_ticks, ticks);
    atomic_store(&tick->base_ns, 12345);
    atomic_fetch_add(&tick->sequence, 1);
    assert_int_equal(error_ns(tick), 0);
    wait_ns(510 * MS);
    fg_tick_adjust(tick, &odd);
    assert_int_equal(atomic_load(&tick->sequence) & 1, 0);
    assert_in_range(error_ns(tick) + 20000, 0, 40000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(before_a_line_it_is_the_clock, begin),
        cmocka_unit_test_setup(it_keeps_step, begin),
        cmocka_unit_test_setup(it_never_goes_back, begin),
        cmocka_unit_test_setup(a_jump_is_followed, begin),
        cmocka_unit_test_setup(what_is_not_to_be_trusted_is_not_used, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
