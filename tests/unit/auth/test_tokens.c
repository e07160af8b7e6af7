/* Tokens of machines and tenants: what holds, what does not, and what outlives a restart. */
#include "auth_fixture.h"

#include <stdio.h>
#include <stdlib.h>

static struct fixture fixture;

static int set_up(void **state)
{
    (void)state;
    fixture_begin(&fixture, true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_end(&fixture);
    return 0;
}

static int add(const struct fg_token_wish *wish, char text[FG_TOKEN_TEXT_SIZE], uint64_t *ret_id)
{
    return fg_token_add(fixture.auth, wish, text, ret_id);
}

static void test_a_token_holds_until_it_is_revoked(void **state)
{
    (void)state;
    char text[FG_TOKEN_TEXT_SIZE];
    uint64_t id;
    struct fg_identity identity;
    const struct fg_token_wish wish = {.name = FG_SLICE("shop-api"), .roles = FG_ROLE_INGEST};
    assert_int_equal(add(&wish, text, &id), 0);
    struct fg_slice token = fg_slice(text, sizeof text);
    assert_true(fg_slice_starts_with(token, FG_SLICE("fgt_")));
    for (int restart = 0; restart < 2; restart++) {
        assert_int_equal(fixture_check_token(&fixture, token, "", &identity), FG_CHECK_KNOWN);
        assert_int_equal(identity.kind, FG_IDENTITY_TOKEN);
        assert_int_equal(identity.roles, FG_ROLE_INGEST);
        assert_int_equal(identity.tenant, 0);
        assert_false(identity.every_tenant);
        assert_string_equal(identity.who, "token:shop-api");
        fixture_restart(&fixture);
        /* Nobody gets in before they are read. */
        assert_int_equal(fixture_check_token(&fixture, token, "", &identity), FG_CHECK_BAD);
        assert_int_equal(fg_auth_attach_state(fixture.auth, fixture.state), 0);
    }
    assert_int_equal(fg_token_revoke(fixture.auth, id), 0);
    assert_int_equal(fixture_check_token(&fixture, token, "", &identity), FG_CHECK_BAD);
    assert_int_equal(identity.kind, FG_IDENTITY_NOBODY);
    assert_int_equal(fg_token_revoke(fixture.auth, id), FG_ENOTFOUND);
    fixture_restart(&fixture);
    assert_int_equal(fg_auth_attach_state(fixture.auth, fixture.state), 0);
    assert_int_equal(fixture_check_token(&fixture, token, "", &identity), FG_CHECK_BAD);
}

/* Every changed digit, every other length, and things that look like one. */
static void test_forged_tokens(void **state)
{
    (void)state;
    char text[FG_TOKEN_TEXT_SIZE], changed[FG_TOKEN_TEXT_SIZE + 1];
    uint64_t id;
    struct fg_identity identity;
    const struct fg_token_wish wish = {.name = FG_SLICE("a"), .roles = FG_ROLES_ALL};
    assert_int_equal(add(&wish, text, &id), 0);
    for (size_t i = 0; i < sizeof text; i++) {
        memcpy(changed, text, sizeof text);
        changed[i] = changed[i] == '0' ? '1' : '0';
        assert_int_equal(
            fixture_check_token(&fixture, fg_slice(changed, sizeof text), "", &identity),
            FG_CHECK_BAD);
        assert_int_equal(fixture_check_token(&fixture, fg_slice(text, i), "", &identity),
                         FG_CHECK_BAD);
    }
    memcpy(changed, text, sizeof text);
    changed[sizeof text] = '0';
    assert_int_equal(
        fixture_check_token(&fixture, fg_slice(changed, sizeof changed), "", &identity),
        FG_CHECK_BAD);
    /* Digits in the other case are another text. */
    bool has_letter = false;
    memcpy(changed, text, sizeof text);
    for (size_t i = sizeof text - 64; i < sizeof text; i++)
        if (changed[i] >= 'a') {
            changed[i] = (char)(changed[i] - 32);
            has_letter = true;
        }
    assert_true(has_letter);
    assert_int_equal(fixture_check_token(&fixture, fg_slice(changed, sizeof text), "", &identity),
                     FG_CHECK_BAD);
    static const char *const headers[] = {
        "Bearer", "Bearer ", "Basic YTpi", "x", "bearer  fgt_", "Bearer eyJhbGciOiJub25lIn0.e30."};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const struct fg_credentials credentials = {.authorization =
                                                       fg_slice_from_string(headers[i])};
        assert_int_equal(fg_auth_check(fixture.auth, &credentials, &identity), FG_CHECK_BAD);
    }
}

static void test_expiry(void **state)
{
    (void)state;
    char text[FG_TOKEN_TEXT_SIZE];
    uint64_t id;
    struct fg_identity identity;
    struct fg_token_wish wish = {.name = FG_SLICE("a"),
                                 .roles = FG_ROLE_VIEWER,
                                 .expires_ns = fixture_now_ns + FG_NS_PER_MINUTE};
    assert_int_equal(add(&wish, text, &id), 0);
    struct fg_slice token = fg_slice(text, sizeof text);
    fixture_now_ns += FG_NS_PER_MINUTE - 1;
    assert_int_equal(fixture_check_token(&fixture, token, "", &identity), FG_CHECK_KNOWN);
    fixture_now_ns += 1;
    assert_int_equal(fixture_check_token(&fixture, token, "", &identity), FG_CHECK_BAD);
    assert_int_equal(add(&wish, text, &id), FG_EINVALID);
}

static void test_a_browsers_token(void **state)
{
    (void)state;
    char text[FG_TOKEN_TEXT_SIZE];
    uint64_t id;
    struct fg_identity identity;
    struct fg_token_wish wish = {.name = FG_SLICE("pages"),
                                 .roles = FG_ROLE_INGEST,
                                 .origin = FG_SLICE("https://shop.example")};
    assert_int_equal(add(&wish, text, &id), 0);
    struct fg_slice token = fg_slice(text, sizeof text);
    assert_int_equal(fixture_check_token(&fixture, token, "https://shop.example", &identity),
                     FG_CHECK_KNOWN);
    assert_true(identity.is_browsers_token);
    static const char *const others[] = {"", "https://shop.example.evil.example", "null",
                                         "http://shop.example", "https://shop.exampl"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(fixture_check_token(&fixture, token, others[i], &identity),
                         FG_CHECK_ORIGIN);
    /* It may write and nothing else. */
    wish.roles = FG_ROLE_INGEST | FG_ROLE_VIEWER;
    assert_int_equal(add(&wish, text, &id), FG_EINVALID);
    wish.roles = FG_ROLE_INGEST;
    static const char *const wrong[] = {"shop.example", "https://shop.example/", "https://", "*"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        wish.origin = fg_slice_from_string(wrong[i]);
        assert_int_equal(add(&wish, text, &id), FG_EINVALID);
    }
}

static enum fg_check check_for(struct fg_slice token, const char *tenant,
                               struct fg_identity *identity)
{
    char header[200];
    int size =
        snprintf(header, sizeof header, "Bearer %.*s", (int)token.size, (const char *)token.data);
    const struct fg_credentials credentials = {.authorization = fg_slice(header, (size_t)size),
                                               .tenant = fg_slice_from_string(tenant)};
    return fg_auth_check(fixture.auth, &credentials, identity);
}

/* A tenant is the identity's; who may choose one does, others may name their own. */
static void test_tenants(void **state)
{
    (void)state;
    char text[FG_TOKEN_TEXT_SIZE];
    uint64_t id;
    uint32_t acme, other;
    struct fg_identity identity;
    const struct fg_quota quota = {.spans = 100};
    assert_int_equal(fg_tenant_add(fixture.auth, FG_SLICE("acme"), &quota, &acme), 0);
    assert_int_equal(fg_tenant_add(fixture.auth, FG_SLICE("other"), &quota, &other), 0);
    assert_int_equal(fg_tenant_add(fixture.auth, FG_SLICE("acme"), &quota, &acme), FG_EEXIST);
    assert_int_equal(fg_tenant_add(fixture.auth, FG_SLICE("No"), &quota, &acme), FG_EINVALID);
    assert_int_equal(fg_tenant_add(fixture.auth, FG_SLICE("*"), &quota, &acme), FG_EINVALID);
    assert_true(acme != 0 && other != 0 && acme != other);
    fixture_restart(&fixture);
    assert_int_equal(fg_auth_attach_state(fixture.auth, fixture.state), 0);
    struct fg_token_wish wish = {.name = FG_SLICE("a"), .roles = FG_ROLE_VIEWER, .tenant = acme};
    assert_int_equal(add(&wish, text, &id), 0);
    struct fg_slice token = fg_slice(text, sizeof text);
    assert_int_equal(check_for(token, "", &identity), FG_CHECK_KNOWN);
    assert_int_equal(identity.tenant, acme);
    assert_int_equal(check_for(token, "acme", &identity), FG_CHECK_KNOWN);
    assert_int_equal(identity.tenant, acme);
    assert_int_equal(check_for(token, "other", &identity), FG_CHECK_TENANT);
    assert_int_equal(check_for(token, "default", &identity), FG_CHECK_TENANT);
    assert_int_equal(check_for(token, "*", &identity), FG_CHECK_TENANT);
    assert_int_equal(check_for(token, "none", &identity), FG_CHECK_TENANT);
    wish.tenant = FG_EVERY_TENANT;
    assert_int_equal(add(&wish, text, &id), 0);
    assert_int_equal(check_for(token, "", &identity), FG_CHECK_KNOWN);
    assert_int_equal(identity.tenant, 0);
    assert_true(identity.every_tenant);
    assert_int_equal(check_for(token, "other", &identity), FG_CHECK_KNOWN);
    assert_int_equal(identity.tenant, other);
    assert_int_equal(check_for(token, "*", &identity), FG_CHECK_NO_TENANT);
    assert_int_equal(check_for(token, "none", &identity), FG_CHECK_NO_TENANT);
    wish.tenant = 77;
    assert_int_equal(add(&wish, text, &id), FG_ENOTFOUND);
}

/* What a thief of the disk finds: no token and no session. */
static void test_secrets_are_not_kept(void **state)
{
    (void)state;
    char text[FG_TOKEN_TEXT_SIZE], session[FG_SESSION_TEXT_SIZE], command[300];
    uint64_t id;
    const struct fg_token_wish wish = {.name = FG_SLICE("a"), .roles = FG_ROLE_VIEWER};
    assert_int_equal(add(&wish, text, &id), 0);
    fixture_add_root(&fixture);
    fixture_sign_in(&fixture, "root", "correct horse", session);
    const struct {
        const char *text;
        int size;
    } secrets[] = {{text + FG_TOKEN_TEXT_SIZE - 64, 64}, {session, 64}, {"correct horse", 13}};
    for (size_t i = 0; i < 3; i++) {
        snprintf(command, sizeof command, "grep -rqaiF '%.*s' %s", secrets[i].size, secrets[i].text,
                 fixture.folder);
        assert_int_not_equal(system(command), 0);
    }
    /* The search is one that finds. */
    snprintf(command, sizeof command, "grep -rqaF 'argon2id' %s", fixture.folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_token_holds_until_it_is_revoked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forged_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_expiry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_browsers_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tenants, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_secrets_are_not_kept, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
