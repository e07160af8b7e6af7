/* Accounts over a real keyed state, by a clock that the test moves. */
#pragma once

#include "auth/accounts.h"
#include "base/limits.h"
#include "store/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct fixture {
    char folder[64];
    struct fg_state *state;
    struct fg_auth *auth;
    bool wants_accounts;
};

/* Wall and monotonic clock of everything under test; moves only by the test's hand. */
extern _Atomic uint64_t fixture_now_ns; /* the audit has a thread of its own */

/* An empty folder, and what the options say. */
void fixture_begin(struct fixture *fixture, bool wants_accounts);
void fixture_end(struct fixture *fixture);
/* As after a restart. */
void fixture_restart(struct fixture *fixture);

/* An administrator "root" with the password "correct horse", by the first link. */
void fixture_add_root(struct fixture *fixture);
/* Signs in; the session's text. The test fails where it is not let in. */
struct fg_slice fixture_sign_in(struct fixture *fixture, const char *name, const char *password,
                                char session[FG_SESSION_TEXT_SIZE]);
/* fg_auth_check() of a session, of a token. */
enum fg_check fixture_check_session(struct fixture *fixture, struct fg_slice session,
                                    struct fg_identity *identity);
enum fg_check fixture_check_token(struct fixture *fixture, struct fg_slice token,
                                  const char *origin, struct fg_identity *identity);
