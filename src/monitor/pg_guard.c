#include "pg_guard.h"

#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_INTERVAL_NS (5 * FG_NS_PER_MS)

/* Bytes that came since the connection was made; 0 for a socket that is not TCP's, whose other end
 * is on this machine and runs as a user that root has chosen. */
static uint64_t received_bytes(int socket)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    memset(&info, 0, sizeof info);
    return getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_received
                                                                        : 0;
}

static uint64_t cookie_of(int socket)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    return getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

static void watch(void *arg)
{
    struct fg_pg_guard *guard = arg;
    fg_mutex_lock(&guard->mutex);
    while (!guard->has_ended && guard->state == FG_PG_GUARD_QUIET) {
        (void)fg_cond_wait_for(&guard->ended_cond, &guard->mutex, LOOK_INTERVAL_NS);
        if (received_bytes(guard->socket) > guard->received_max)
            guard->state = FG_PG_GUARD_LARGE;
        else if (fg_env_mono_ns(guard->env) > guard->deadline_mono_ns)
            guard->state = FG_PG_GUARD_LATE;
    }
    if (guard->state != FG_PG_GUARD_QUIET)
        (void)shutdown(guard->socket, SHUT_RDWR);
    fg_mutex_unlock(&guard->mutex);
}

enum fg_pg_guard_state fg_pg_guard_end(struct fg_pg_guard *guard)
{
    if (!guard->is_running)
        return FG_PG_GUARD_QUIET;
    fg_mutex_lock(&guard->mutex);
    guard->has_ended = true;
    fg_cond_signal(&guard->ended_cond);
    fg_mutex_unlock(&guard->mutex);
    fg_thread_join(&guard->thread);
    fg_cond_destroy(&guard->ended_cond);
    fg_mutex_destroy(&guard->mutex);
    (void)close(guard->socket);
    guard->is_running = false;
    return guard->state;
}

int fg_pg_guard_begin(struct fg_pg_guard *guard, struct fg_env *env, int socket,
                      uint64_t more_bytes, uint64_t deadline_mono_ns)
{
    uint64_t cookie = cookie_of(socket);
    if (guard->is_running && cookie && cookie == guard->cookie)
        return 0;
    (void)fg_pg_guard_end(guard);
    int own = fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return FG_EIO;
    *guard = (struct fg_pg_guard){.env = env,
                                  .socket = own,
                                  .cookie = cookie,
                                  .received_max = received_bytes(own) + more_bytes,
                                  .deadline_mono_ns = deadline_mono_ns};
    fg_mutex_init(&guard->mutex, FG_RANK_LEAF);
    fg_cond_init(&guard->ended_cond);
    int error = fg_thread_start(&guard->thread, "fg-pg-guard", watch, guard);
    if (error) {
        fg_cond_destroy(&guard->ended_cond);
        fg_mutex_destroy(&guard->mutex);
        (void)close(own);
        return error;
    }
    guard->is_running = true;
    return 0;
}
