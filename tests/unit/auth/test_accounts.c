/* Accounts of people, their links, passwords and sessions. */
#include "auth_fixture.h"

#include <stdio.h>

static struct fixture fixture;

static int set_up(void **state)
{
    (void)state;
    fixture_begin(&fixture, false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_end(&fixture);
    return 0;
}

static void restart(void)
{
    fixture_restart(&fixture);
    assert_int_equal(fg_auth_attach_state(fixture.auth, fixture.state), 0);
}

static int sign_in(const char *name, const char *password, uint64_t *ret_wait_ns)
{
    char session[FG_SESSION_TEXT_SIZE];
    return fg_auth_sign_in(fixture.auth, fg_slice_from_string(name), fg_slice_from_string(password),
                           FG_SLICE("192.0.2.1"), session, ret_wait_ns);
}

static int add(const char *name, const char *password, unsigned roles, uint32_t tenant,
               char link[FG_SESSION_TEXT_SIZE])
{
    const struct fg_account_wish wish = {.name = fg_slice_from_string(name),
                                         .password = fg_slice_from_string(password),
                                         .roles = roles,
                                         .tenant = tenant};
    return fg_account_add(fixture.auth, &wish, link);
}

/* Open until there is an account, and never again; also before the accounts are read. */
static void test_the_first_account_closes_the_door(void **state)
{
    (void)state;
    char link[FG_SESSION_TEXT_SIZE];
    assert_int_equal(fg_auth_mode(fixture.auth), FG_AUTH_OPEN);
    assert_int_equal(add("anna", "long enough", FG_ROLE_VIEWER, FG_EVERY_TENANT, link),
                     FG_EINVALID);
    assert_int_equal(add("anna", "long enough", FG_ROLE_ADMIN, 0, link), FG_EINVALID);
    assert_int_equal(fg_auth_mode(fixture.auth), FG_AUTH_OPEN);
    assert_int_equal(add("anna", "long enough", FG_ROLE_ADMIN, FG_EVERY_TENANT, link), 0);
    assert_int_equal(fg_auth_mode(fixture.auth), FG_AUTH_ACCOUNTS);
    fixture_restart(&fixture);
    assert_int_equal(fg_auth_mode(fixture.auth), FG_AUTH_STARTING);
    assert_int_equal(fg_auth_attach_state(fixture.auth, fixture.state), 0);
    assert_int_equal(fg_auth_mode(fixture.auth), FG_AUTH_ACCOUNTS);
    assert_int_equal(fg_auth_first_link(fixture.auth, link), FG_EEXIST);
}

static void test_the_first_link_is_good_once(void **state)
{
    (void)state;
    char link[FG_SESSION_TEXT_SIZE], old[FG_SESSION_TEXT_SIZE], name[FG_ACCOUNT_NAME_SIZE_MAX + 1];
    uint64_t wait_ns;
    assert_int_equal(fg_auth_first_link(fixture.auth, old), 0);
    assert_int_equal(fg_auth_first_link(fixture.auth, link), 0);
    struct fg_slice address = FG_SLICE("192.0.2.1"), password = FG_SLICE("correct horse");
    assert_int_equal(fg_account_set_up(fixture.auth, fg_slice(old, sizeof old), FG_SLICE("anna"),
                                       password, address, &wait_ns, name),
                     FG_EDENIED);
    assert_int_equal(fg_account_set_up(fixture.auth, fg_slice(link, sizeof link), FG_SLICE("a b"),
                                       password, address, &wait_ns, name),
                     FG_EINVALID);
    assert_int_equal(fg_account_set_up(fixture.auth, fg_slice(link, sizeof link), FG_SLICE("anna"),
                                       FG_SLICE("short"), address, &wait_ns, name),
                     FG_EINVALID);
    assert_int_equal(fg_account_set_up(fixture.auth, fg_slice(link, sizeof link), FG_SLICE("anna"),
                                       password, address, &wait_ns, name),
                     0);
    assert_int_equal(fg_account_set_up(fixture.auth, fg_slice(link, sizeof link), FG_SLICE("ben"),
                                       password, address, &wait_ns, name),
                     FG_EDENIED);
    restart();
    assert_int_equal(sign_in("anna", "correct horse", &wait_ns), 0);
}

static void test_passwords(void **state)
{
    (void)state;
    uint64_t wait_ns = 0;
    fixture_add_root(&fixture);
    assert_int_equal(sign_in("ROOT", "correct horse", &wait_ns), 0);
    static const char *const wrong[] = {"", "correct hors", "correct horse ", "Correct horse"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(sign_in("root", wrong[i], &wait_ns), FG_EDENIED);
    assert_int_equal(sign_in("root", "correct horse", &wait_ns), 0);
    /* Names that don't exist are answered, and slowed, like those that do. */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(sign_in("root", "wrong", &wait_ns), FG_EDENIED);
        assert_int_equal(sign_in("nobody", "wrong", &wait_ns), FG_EDENIED);
    }
    assert_int_equal(sign_in("nobody", "wrong", &wait_ns), FG_EAGAIN);
    assert_true(wait_ns > 0);
    wait_ns = 0;
    assert_int_equal(sign_in("root", "correct horse", &wait_ns), FG_EAGAIN);
    fixture_now_ns += wait_ns;
    assert_int_equal(sign_in("root", "correct horse", &wait_ns), 0);
}

static void test_sessions_end(void **state)
{
    (void)state;
    char texts[3][FG_SESSION_TEXT_SIZE];
    struct fg_slice sessions[3];
    struct fg_identity identity;
    uint64_t start_ns = fixture_now_ns;
    fixture_add_root(&fixture);
    for (int i = 0; i < 3; i++)
        sessions[i] = fixture_sign_in(&fixture, "root", "correct horse", texts[i]);
    assert_int_equal(fixture_check_session(&fixture, sessions[0], &identity), FG_CHECK_KNOWN);
    assert_int_equal(identity.kind, FG_IDENTITY_PERSON);
    assert_string_equal(identity.who, "root");
    assert_true(fg_identity_has_session(&identity));
    assert_true(identity.every_tenant);
    assert_int_equal(fg_auth_sign_out(fixture.auth, identity.session), 0);
    assert_int_equal(fixture_check_session(&fixture, sessions[0], &identity), FG_CHECK_BAD);
    restart();
    assert_int_equal(fixture_check_session(&fixture, sessions[0], &identity), FG_CHECK_BAD);
    assert_int_equal(fixture_check_session(&fixture, sessions[1], &identity), FG_CHECK_KNOWN);
    /* One is used and one is not. */
    fixture_now_ns += 59 * FG_NS_PER_MINUTE;
    assert_int_equal(fixture_check_session(&fixture, sessions[1], &identity), FG_CHECK_KNOWN);
    fixture_now_ns += 2 * FG_NS_PER_MINUTE;
    assert_int_equal(fixture_check_session(&fixture, sessions[2], &identity), FG_CHECK_BAD);
    while (fixture_now_ns < start_ns + 599 * FG_NS_PER_MINUTE) {
        assert_int_equal(fixture_check_session(&fixture, sessions[1], &identity), FG_CHECK_KNOWN);
        fixture_now_ns += 30 * FG_NS_PER_MINUTE;
    }
    fixture_now_ns = start_ns + 601 * FG_NS_PER_MINUTE;
    assert_int_equal(fixture_check_session(&fixture, sessions[1], &identity), FG_CHECK_BAD);
}

static void test_an_invitation(void **state)
{
    (void)state;
    char link[FG_SESSION_TEXT_SIZE], name[FG_ACCOUNT_NAME_SIZE_MAX + 1], text[FG_SESSION_TEXT_SIZE];
    uint64_t wait_ns;
    struct fg_identity identity;
    fixture_add_root(&fixture);
    assert_int_equal(add("olga", "", FG_ROLE_SUPPORT, 0, link), 0);
    assert_int_equal(sign_in("olga", "", &wait_ns), FG_EDENIED);
    restart();
    struct fg_slice code = fg_slice(link, sizeof link);
    assert_int_equal(fg_account_set_up(fixture.auth, code, (struct fg_slice){0},
                                       FG_SLICE("a good password"), FG_SLICE("192.0.2.9"), &wait_ns,
                                       name),
                     0);
    assert_string_equal(name, "olga");
    assert_int_equal(fg_account_set_up(fixture.auth, code, (struct fg_slice){0},
                                       FG_SLICE("another password"), FG_SLICE("192.0.2.9"),
                                       &wait_ns, name),
                     FG_EDENIED);
    struct fg_slice session = fixture_sign_in(&fixture, "olga", "a good password", text);
    assert_int_equal(fixture_check_session(&fixture, session, &identity), FG_CHECK_KNOWN);
    assert_int_equal(identity.roles, FG_ROLE_SUPPORT);
    assert_false(identity.every_tenant);
    /* A new one, for a lost password: the old password and its sessions are over. */
    const struct fg_account_change change = {.wants_link = true};
    assert_int_equal(fg_account_change(fixture.auth, FG_SLICE("olga"), &change, link), 0);
    assert_int_equal(fixture_check_session(&fixture, session, &identity), FG_CHECK_BAD);
    assert_int_equal(sign_in("olga", "a good password", &wait_ns), FG_EDENIED);
    fixture_now_ns += 3 * FG_NS_PER_DAY;
    assert_int_equal(fg_account_set_up(fixture.auth, code, (struct fg_slice){0},
                                       FG_SLICE("another password"), FG_SLICE("192.0.2.9"),
                                       &wait_ns, name),
                     FG_EDENIED);
}

/* Changes hold for the next request of a session that is there. */
static void test_changes_hold_at_once(void **state)
{
    (void)state;
    char link[FG_SESSION_TEXT_SIZE], text[FG_SESSION_TEXT_SIZE];
    struct fg_identity identity;
    uint64_t count;
    fixture_add_root(&fixture);
    assert_int_equal(add("ivan", "long enough", FG_ROLE_VIEWER, 0, link), 0);
    assert_int_equal(add("ivan", "long enough", FG_ROLE_VIEWER, 0, link), FG_EEXIST);
    struct fg_slice session = fixture_sign_in(&fixture, "ivan", "long enough", text);
    struct fg_account_change change = {.has_roles = true, .roles = FG_ROLE_SUPPORT};
    assert_int_equal(fg_account_change(fixture.auth, FG_SLICE("ivan"), &change, link), 0);
    assert_int_equal(fixture_check_session(&fixture, session, &identity), FG_CHECK_KNOWN);
    assert_int_equal(identity.roles, FG_ROLE_SUPPORT);
    assert_int_equal(fg_account_sign_out(fixture.auth, FG_SLICE("ivan"), &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(fixture_check_session(&fixture, session, &identity), FG_CHECK_BAD);
    session = fixture_sign_in(&fixture, "ivan", "long enough", text);
    change = (struct fg_account_change){.has_disabled = true, .disabled = true};
    assert_int_equal(fg_account_change(fixture.auth, FG_SLICE("ivan"), &change, link), 0);
    assert_int_equal(fixture_check_session(&fixture, session, &identity), FG_CHECK_BAD);
    assert_int_equal(sign_in("ivan", "long enough", &count), FG_EDENIED);
    change.disabled = false;
    assert_int_equal(fg_account_change(fixture.auth, FG_SLICE("ivan"), &change, link), 0);
    session = fixture_sign_in(&fixture, "ivan", "long enough", text);
    assert_int_equal(fg_account_remove(fixture.auth, FG_SLICE("ivan")), 0);
    assert_int_equal(fixture_check_session(&fixture, session, &identity), FG_CHECK_BAD);
    restart();
    assert_int_equal(fixture_check_session(&fixture, session, &identity), FG_CHECK_BAD);
    assert_int_equal(fg_account_remove(fixture.auth, FG_SLICE("ivan")), FG_ENOTFOUND);
}

static void test_one_administrator_stays(void **state)
{
    (void)state;
    char link[FG_SESSION_TEXT_SIZE];
    fixture_add_root(&fixture);
    struct fg_account_change change = {.has_roles = true, .roles = FG_ROLE_VIEWER};
    struct fg_slice root = FG_SLICE("root");
    assert_int_equal(fg_account_change(fixture.auth, root, &change, link), FG_EBUSY);
    change = (struct fg_account_change){.has_disabled = true, .disabled = true};
    assert_int_equal(fg_account_change(fixture.auth, root, &change, link), FG_EBUSY);
    change = (struct fg_account_change){.wants_link = true};
    assert_int_equal(fg_account_change(fixture.auth, root, &change, link), FG_EBUSY);
    change = (struct fg_account_change){.has_tenant = true, .tenant = 0};
    assert_int_equal(fg_account_change(fixture.auth, root, &change, link), FG_EBUSY);
    assert_int_equal(fg_account_remove(fixture.auth, root), FG_EBUSY);
    assert_int_equal(add("other", "long enough", FG_ROLE_ADMIN, FG_EVERY_TENANT, link), 0);
    assert_int_equal(fg_account_remove(fixture.auth, root), 0);
}

static void test_ones_own_password(void **state)
{
    (void)state;
    char texts[2][FG_SESSION_TEXT_SIZE];
    struct fg_slice sessions[2];
    struct fg_identity identity;
    uint64_t wait_ns;
    fixture_add_root(&fixture);
    for (int i = 0; i < 2; i++)
        sessions[i] = fixture_sign_in(&fixture, "root", "correct horse", texts[i]);
    assert_int_equal(fixture_check_session(&fixture, sessions[0], &identity), FG_CHECK_KNOWN);
    struct fg_slice root = FG_SLICE("root"), here = FG_SLICE("192.0.2.1");
    assert_int_equal(fg_account_set_password(fixture.auth, root, FG_SLICE("wrong"),
                                             FG_SLICE("battery staple"), here, identity.session,
                                             &wait_ns),
                     FG_EDENIED);
    assert_int_equal(fg_account_set_password(fixture.auth, root, FG_SLICE("correct horse"),
                                             FG_SLICE("short"), here, identity.session, &wait_ns),
                     FG_EINVALID);
    assert_int_equal(fg_account_set_password(fixture.auth, root, FG_SLICE("correct horse"),
                                             FG_SLICE("battery staple"), here, identity.session,
                                             &wait_ns),
                     0);
    assert_int_equal(fixture_check_session(&fixture, sessions[0], &identity), FG_CHECK_KNOWN);
    assert_int_equal(fixture_check_session(&fixture, sessions[1], &identity), FG_CHECK_BAD);
    assert_int_equal(sign_in("root", "correct horse", &wait_ns), FG_EDENIED);
    assert_int_equal(sign_in("root", "battery staple", &wait_ns), 0);
}

/* So many sessions a name and no more: the one that was quiet longest gives way. */
static void test_sessions_are_bounded(void **state)
{
    (void)state;
    char first[FG_SESSION_TEXT_SIZE], text[FG_SESSION_TEXT_SIZE];
    struct fg_auth_counters counters;
    struct fg_identity identity;
    fixture_add_root(&fixture);
    struct fg_slice oldest = fixture_sign_in(&fixture, "root", "correct horse", first);
    for (int i = 0; i < 32; i++) {
        fixture_now_ns += FG_NS_PER_SECOND;
        fixture_sign_in(&fixture, "root", "correct horse", text);
    }
    fg_auth_counters(fixture.auth, &counters);
    assert_int_equal(counters.sessions, 32);
    assert_int_equal(fixture_check_session(&fixture, oldest, &identity), FG_CHECK_BAD);
}

static void test_csrf(void **state)
{
    (void)state;
    char a[FG_CSRF_TEXT_SIZE], b[FG_CSRF_TEXT_SIZE];
    struct fg_slice one = FG_SLICE("0123"), other = FG_SLICE("0124");
    fg_csrf_format(one, a);
    fg_csrf_format(other, b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(fg_csrf_matches(one, fg_slice(a, sizeof a)));
    assert_false(fg_csrf_matches(one, fg_slice(b, sizeof b)));
    assert_false(fg_csrf_matches(one, fg_slice(a, sizeof a - 1)));
    assert_false(fg_csrf_matches(one, (struct fg_slice){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_first_account_closes_the_door, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_first_link_is_good_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_passwords, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sessions_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_invitation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changes_hold_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_administrator_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ones_own_password, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sessions_are_bounded, set_up, tear_down),
        cmocka_unit_test(test_csrf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
