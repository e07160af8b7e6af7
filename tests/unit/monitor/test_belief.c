/* What is believed after which looks: never bad news from one look, good news at once. */
#include "belief.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Looks as letters (o, d: degraded, X: down, u: unknown), one a second from 1 on; what is believed
 * after each. */
static void follow(struct fg_belief *belief, const char *looks, const char *believed)
{
    static const char letters[] = "odXu";
    assert_int_equal(strlen(looks), strlen(believed));
    for (size_t i = 0; looks[i]; i++) {
        enum fg_check_result seen = (enum fg_check_result)(strchr(letters, looks[i]) - letters);
        struct fg_belief before = *belief;
        bool is_change = fg_belief_look(belief, seen, i + 1, 2);
        char now = belief->is_new ? '-' : letters[belief->result];
        if (now != believed[i])
            fail_msg("after look %zu of %s: %c, not %c", i + 1, looks, now, believed[i]);
        assert_int_equal(is_change,
                         before.is_new != belief->is_new || before.result != belief->result);
    }
}

static void test_sequences(void **state)
{
    (void)state;
    static const struct {
        const char *looks, *believed;
    } cases[] = {
        {"oXXX", "oooX"},       /* three in a row */
        {"oXXoXXo", "ooooooo"}, /* never three in a row */
        {"oXXXo", "oooXo"},     /* good news at once */
        {"oXdX", "oood"},       /* down only where all of them were */
        {"oXuX", "ooou"},       /* one that could not see */
        {"oddd", "oood"},       {"ouuu", "ooou"},
        {"XXX", "--X"}, /* before anything is believed */
        {"uuu", "--u"},         {"o", "o"},
        {"oXXXuuu", "oooXXXu"}, /* from down to unknown, likewise */
        {"oXXXXuX", "oooXXXX"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fg_belief belief = fg_belief_new();
        follow(&belief, cases[i].looks, cases[i].believed);
    }
}

static void test_since(void **state)
{
    (void)state;
    struct fg_belief belief = fg_belief_new();
    follow(&belief, "oXXX", "oooX");
    assert_int_equal(belief.since_ns, 2); /* the first of the looks that bear it out */
    assert_true(fg_belief_look(&belief, FG_CHECK_OK, 77, 2));
    assert_int_equal(belief.since_ns, 77);
    assert_false(fg_belief_look(&belief, FG_CHECK_OK, 78, 2));
    assert_int_equal(belief.since_ns, 77);
}

static void test_no_confirm(void **state)
{
    (void)state;
    struct fg_belief belief = fg_belief_new();
    assert_true(fg_belief_look(&belief, FG_CHECK_OK, 1, 0));
    assert_true(fg_belief_look(&belief, FG_CHECK_DOWN, 2, 0));
    assert_int_equal(belief.result, FG_CHECK_DOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_since),
        cmocka_unit_test(test_no_confirm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
