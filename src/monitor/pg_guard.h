/* Watches a socket that libpq reads from. libpq reads for as long as bytes come, into a buffer as
 * large as the server says a message is: a server that says a gigabyte gets one, within one call.
 * So a thread looks at what the kernel has received, and at the clock, and shuts the socket down
 * when it is too much or too late; libpq's call then ends. */
#pragma once

#include "os/env.h"
#include "os/thread.h"

enum fg_pg_guard_state { FG_PG_GUARD_QUIET, FG_PG_GUARD_LARGE, FG_PG_GUARD_LATE };

struct fg_pg_guard {
    struct fg_env *env;
    struct fg_thread thread;
    struct fg_mutex mutex;
    struct fg_cond ended_cond;
    bool is_running, has_ended;   /* has_ended under mutex */
    enum fg_pg_guard_state state; /* under mutex; valid after the end */
    int socket;                   /* one of its own for the same connection */
    uint64_t cookie;              /* which connection that is */
    uint64_t received_max, deadline_mono_ns;
};

/* Guards socket from here on, instead of the one before; the same one again is nothing to do.
 * received_bytes: how many more may come. FG_ENOMEM, FG_EIO: it is not guarded. */
FG_MUST_CHECK int fg_pg_guard_begin(struct fg_pg_guard *guard, struct fg_env *env, int socket,
                                    uint64_t received_bytes, uint64_t deadline_mono_ns);
/* What came of it. Of one that was not begun too (all zero). */
enum fg_pg_guard_state fg_pg_guard_end(struct fg_pg_guard *guard);
