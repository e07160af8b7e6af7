/* guard.h: how guessing is slowed, and whom it must not lock out. */
#include "auth_fixture.h"
#include "guard.h"

#include <stdio.h>

#define ANNA FG_SLICE("anna")
#define HERE FG_SLICE("192.0.2.1")

static struct fg_guard guard;
static uint64_t now_ns;

static int set_up(void **state)
{
    (void)state;
    now_ns = FG_NS_PER_DAY;
    return fg_guard_init(&guard, 7);
}

static int tear_down(void **state)
{
    (void)state;
    fg_guard_free(&guard);
    return 0;
}

/* 0, or how long one has to wait. */
static uint64_t try(struct fg_slice name, struct fg_slice address)
{
    uint64_t wait_ns = 0;
    int r = fg_guard_try(&guard, name, address, now_ns, &wait_ns);
    assert_int_equal(r, wait_ns ? FG_EAGAIN : 0);
    return wait_ns;
}

static void test_waits_double(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(ANNA, HERE), 0);
    uint64_t expected_ns = FG_NS_PER_SECOND;
    for (int i = 0; i < 14; i++) {
        assert_int_equal(try(ANNA, HERE), expected_ns);
        now_ns += expected_ns - 1;
        assert_int_equal(try(ANNA, HERE), 1);
        now_ns += 1;
        assert_int_equal(try(ANNA, HERE), 0);
        expected_ns *= 2;
        if (expected_ns > 15 * FG_NS_PER_MINUTE)
            expected_ns = 15 * FG_NS_PER_MINUTE;
    }
}

static void test_another_address_is_not_locked_out(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(ANNA, HERE), 0);
    assert_true(try(ANNA, HERE) > 0);
    assert_int_equal(try(ANNA, FG_SLICE("192.0.2.2")), 0);
    /* But from very many addresses it is. */
    uint64_t wait_ns = 0;
    for (int i = 0; i < 60 && wait_ns == 0; i++) {
        char address[32];
        snprintf(address, sizeof address, "198.51.100.%d", i);
        wait_ns = try(ANNA, fg_slice_from_string(address));
    }
    assert_true(wait_ns > 0);
}

static void test_one_address_at_many_accounts(void **state)
{
    (void)state;
    uint64_t wait_ns = 0;
    int tries = 0;
    for (; tries < 100 && wait_ns == 0; tries++) {
        char name[32];
        snprintf(name, sizeof name, "user%d", tries);
        wait_ns = try(fg_slice_from_string(name), HERE);
    }
    assert_int_equal(tries, 21);
    assert_int_equal(try(ANNA, FG_SLICE("192.0.2.2")), 0);
}

/* A network of IPv6 is one place, however many addresses somebody takes of it. */
static void test_one_network_at_many_accounts(void **state)
{
    (void)state;
    uint64_t wait_ns = 0;
    int tries = 0;
    for (; tries < 100 && wait_ns == 0; tries++) {
        char name[32], address[48];
        snprintf(name, sizeof name, "user%d", tries);
        snprintf(address, sizeof address, "[2001:db8:1:2:%x::%x]", tries * 7919 % 65536, tries);
        wait_ns = try(fg_slice_from_string(name), fg_slice_from_string(address));
    }
    assert_int_equal(tries, 21);
    assert_true(try(ANNA, FG_SLICE("[2001:db8:1:2::99]")) > 0);
    assert_int_equal(try(ANNA, FG_SLICE("[2001:db8:1:3::99]")), 0);
    assert_int_equal(try(FG_SLICE("root"), FG_SLICE("[no address]")), 0);
    assert_int_equal(try(FG_SLICE("root"), FG_SLICE("")), 0);
}

static void test_a_right_one_is_forgiven(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        assert_int_equal(try(ANNA, HERE), 0);
        fg_guard_forgive(&guard, ANNA, HERE);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(try(ANNA, HERE), 0);
    fg_guard_forgive(&guard, ANNA, HERE);
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(ANNA, HERE), 0);
    assert_true(try(ANNA, HERE) > 0);
}

static void test_it_forgets(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(ANNA, HERE), 0);
    now_ns += 61 * FG_NS_PER_MINUTE;
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(ANNA, HERE), 0);
    assert_true(try(ANNA, HERE) > 0);
}

/* A flood of names finds the table full, and takes no more memory; it does not free the one that is
 * being guessed at, which is seen all the time. */
static void test_a_flood_of_names(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(ANNA, HERE), 0);
    for (int i = 0; i < 200000; i++) {
        char name[32], address[32];
        snprintf(name, sizeof name, "user%d", i);
        snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        now_ns += 1000;
        uint64_t wait_ns;
        int r = fg_guard_try(&guard, fg_slice_from_string(name), fg_slice_from_string(address),
                             now_ns, &wait_ns);
        assert_true(r == 0 || r == FG_EAGAIN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_waits_double, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_address_is_not_locked_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_address_at_many_accounts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_network_at_many_accounts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_right_one_is_forgiven, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_forgets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_flood_of_names, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
