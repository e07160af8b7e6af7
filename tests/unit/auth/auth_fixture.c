#include "auth_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Atomic uint64_t fixture_now_ns;

static uint64_t now(struct fg_env *env)
{
    (void)env;
    return fixture_now_ns;
}

static struct fg_env_ops ops;
static struct fg_env env = {&ops};

static void open_all(struct fixture *fixture)
{
    struct fg_arena arena;
    const char *message = "";
    const struct fg_state_options state = {.folder = fixture->folder,
                                           .size_max = (uint64_t)16 << 20};
    const struct fg_auth_options options = {.env = &env,
                                            .folder = fixture->folder,
                                            .wants_accounts = fixture->wants_accounts,
                                            .session_idle_ns = 60 * FG_NS_PER_MINUTE,
                                            .password_memory = 8192,
                                            .session_age_ns = 600 * FG_NS_PER_MINUTE};
    fg_arena_init(&arena, 4096);
    assert_int_equal(fg_state_open(&state, &arena, &message, &fixture->state), 0);
    fg_arena_free(&arena);
    assert_int_equal(fg_auth_new(&options, &fixture->auth), 0);
}

static void close_all(struct fixture *fixture)
{
    fg_auth_free(fixture->auth);
    fg_state_close(fixture->state);
}

void fixture_begin(struct fixture *fixture, bool wants_accounts)
{
    ops = *fg_env_real()->ops;
    ops.wall_ns = now;
    ops.mono_ns = now;
    fixture_now_ns = UINT64_C(1764072000) * FG_NS_PER_SECOND;
    *fixture = (struct fixture){.wants_accounts = wants_accounts};
    snprintf(fixture->folder, sizeof fixture->folder, "/dev/shm/test-auth-XXXXXX");
    if (!mkdtemp(fixture->folder)) {
        snprintf(fixture->folder, sizeof fixture->folder, "/tmp/test-auth-XXXXXX");
        assert_non_null(mkdtemp(fixture->folder));
    }
    open_all(fixture);
    assert_int_equal(fg_auth_attach_state(fixture->auth, fixture->state), 0);
}

void fixture_end(struct fixture *fixture)
{
    char command[100];
    close_all(fixture);
    snprintf(command, sizeof command, "rm -r %s", fixture->folder);
    assert_int_equal(system(command), 0);
}

void fixture_restart(struct fixture *fixture)
{
    close_all(fixture);
    open_all(fixture);
}

void fixture_add_root(struct fixture *fixture)
{
    char link[FG_SESSION_TEXT_SIZE], name[FG_ACCOUNT_NAME_SIZE_MAX + 1];
    uint64_t wait_ns;
    assert_int_equal(fg_auth_first_link(fixture->auth, link), 0);
    assert_int_equal(fg_account_set_up(fixture->auth, fg_slice(link, sizeof link), FG_SLICE("Root"),
                                       FG_SLICE("correct horse"), FG_SLICE("192.0.2.1"), &wait_ns,
                                       name),
                     0);
    assert_string_equal(name, "root");
}

struct fg_slice fixture_sign_in(struct fixture *fixture, const char *name, const char *password,
                                char session[FG_SESSION_TEXT_SIZE])
{
    uint64_t wait_ns;
    assert_int_equal(fg_auth_sign_in(fixture->auth, fg_slice_from_string(name),
                                     fg_slice_from_string(password), FG_SLICE("192.0.2.1"), session,
                                     &wait_ns),
                     0);
    return fg_slice(session, FG_SESSION_TEXT_SIZE);
}

enum fg_check fixture_check_session(struct fixture *fixture, struct fg_slice session,
                                    struct fg_identity *identity)
{
    const struct fg_credentials credentials = {.session = session};
    return fg_auth_check(fixture->auth, &credentials, identity);
}

enum fg_check fixture_check_token(struct fixture *fixture, struct fg_slice token,
                                  const char *origin, struct fg_identity *identity)
{
    char header[200];
    int size =
        snprintf(header, sizeof header, "Bearer %.*s", (int)token.size, (const char *)token.data);
    const struct fg_credentials credentials = {.authorization = fg_slice(header, (size_t)size),
                                               .origin = fg_slice_from_string(origin)};
    return fg_auth_check(fixture->auth, &credentials, identity);
}
