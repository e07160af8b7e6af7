/* redact/: what is denied, what is not, what is no rule. */
#include "redact/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void keys_and_begins_are_denied(void **state)
{
    (void)state;
    static const char *const patterns[] = {"Password", "card.*", "password", "http.cookie", "x-*"};
    struct fg_redact *rules;
    assert_int_equal(fg_redact_new(patterns, 5, &rules), 0);
    static const char *const denied[] = {"password", "PASSWORD",    "card.number",
                                         "CARD.",    "http.cookie", "X-Token"};
    static const char *const kept[] = {"passwords", "passwor", "card", "http.cookies", "", "y-x-"};
    for (size_t i = 0; i < sizeof denied / sizeof *denied; i++)
        assert_true(fg_redact_denies(rules, fg_slice_from_string(denied[i])));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        assert_false(fg_redact_denies(rules, fg_slice_from_string(kept[i])));
    fg_redact_unref(rules);
}

static void long_keys_match_by_their_begin_only(void **state)
{
    (void)state;
    char key[3000], exact[1025];
    memset(key, 'a', sizeof key);
    memset(exact, 'a', sizeof exact);
    exact[1024] = 0;
    const char *const whole[] = {exact};
    struct fg_redact *rules;
    assert_int_equal(fg_redact_new(whole, 1, &rules), 0);
    assert_true(fg_redact_denies(rules, fg_slice(key, 1024)));
    assert_false(fg_redact_denies(rules, fg_slice(key, 1025)));
    assert_false(fg_redact_denies(rules, fg_slice(key, 3000)));
    fg_redact_unref(rules);
    static const char *const begin[] = {"aaa*"};
    assert_int_equal(fg_redact_new(begin, 1, &rules), 0);
    assert_true(fg_redact_denies(rules, fg_slice(key, 3000)));
    fg_redact_unref(rules);
}

static void no_rules_deny_nothing(void **state)
{
    (void)state;
    struct fg_redact *rules = (void *)1;
    assert_int_equal(fg_redact_new(NULL, 0, &rules), 0);
    assert_null(rules);
    assert_false(fg_redact_denies(rules, FG_SLICE("password")));
    fg_redact_unref(fg_redact_ref(rules));
}

static void what_is_no_rule_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "a*b", "**"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fg_redact *rules;
        assert_int_equal(fg_redact_new(&bad[i], 1, &rules), FG_EINVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_begins_are_denied),
        cmocka_unit_test(long_keys_match_by_their_begin_only),
        cmocka_unit_test(no_rules_deny_nothing),
        cmocka_unit_test(what_is_no_rule_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
