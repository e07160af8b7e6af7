/* Accepting. All loops watch all listening sockets, and whoever is free accepts: a loop that is
 * busy with a large request delays nobody. The connection then goes to the loop with the fewest,
 * which need not be the one that accepted it. (SO_REUSEPORT alone would leave it to a hash: of four
 * connections all might meet on one loop.) */
#include "count.h"
#include "refusal.h"
#include "server_state.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* In one turn of a loop; the others have theirs. */
#define ACCEPT_BATCH 32u

static struct fg_net_thread *thread_with_fewest(struct fg_server *server)
{
    struct fg_net_thread *best = &server->threads[0];
    unsigned fewest = UINT32_MAX;
    for (unsigned i = 0; i < server->thread_count; i++) {
        unsigned count =
            atomic_load_explicit(&server->threads[i].connections, memory_order_relaxed);
        if (count >= fewest)
            continue;
        fewest = count;
        best = &server->threads[i];
    }
    return best;
}

/* Says why, where it can be said without a handshake, and closes. What the client has sent already
 * is read first, since closing over it would make the kernel answer by a reset that overtakes the
 * words. */
static void turn_away(struct fg_server *server, int fd, const struct fg_listener *listener)
{
    static const char words[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                "content-type: text/plain; charset=utf-8\r\n"
                                "content-length: 38\r\n"
                                "retry-after: 1\r\n"
                                "connection: close\r\n\r\n"
                                "too many connections; try again later\n";
    char dropped[4096], text[FG_ADDRESS_TEXT_SIZE];
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof peer;
    size_t size = getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0
                      ? fg_address_format((struct sockaddr *)&peer, text)
                      : 0;
    fg_net_count(&server->shared.counters.refused[FG_REFUSED_CONNECTIONS], 1);
    if (server->shared.on_turned_away)
        server->shared.on_turned_away(server->shared.arg, listener->face, fg_slice(text, size),
                                      FG_REFUSED_CONNECTIONS);
    if (!listener->is_tls && send(fd, words, sizeof words - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        shutdown(fd, SHUT_WR);
    while (recv(fd, dropped, sizeof dropped, MSG_DONTWAIT) > 0)
        ;
    close(fd);
}

static void hand_over(struct fg_server *server, int fd, const struct fg_listener *listener)
{
    struct fg_net_counters *counters = &server->shared.counters;
    fg_net_count(&counters->connections_accepted, 1);
    uint64_t open = atomic_fetch_add_explicit(&counters->connections_open, 1, memory_order_relaxed);
    struct fg_net_thread *owner = thread_with_fewest(server);
    struct fg_tcp *tcp = open < server->connections_max ? fg_tcp_new(owner, fd, listener) : NULL;
    if (!tcp) {
        fg_net_uncount(&counters->connections_open, 1);
        turn_away(server, fd, listener);
        return;
    }
    atomic_fetch_add_explicit(&owner->connections, 1, memory_order_relaxed);
    fg_tcp_send(tcp);
}

static void set_accepting(struct fg_net_thread *thread, bool on);

static void on_pause_over(uv_timer_t *timer)
{
    set_accepting(timer->data, true);
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
    struct fg_net_thread *thread = poll->loop->data;
    struct fg_server *server = thread->server;
    const struct fg_listener *listener = poll->data;
    (void)status; /* accept4() says it better */
    (void)events;
    for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            hand_over(server, fd, listener);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return; /* another loop was faster, or that was all */
        fg_net_count(&server->shared.counters.accept_errors, 1);
        if (errno == ECONNABORTED)
            continue;
        /* No file descriptor or memory left: the client waits in the backlog, and asking again at
         * once would only spin. */
        set_accepting(thread, false);
        uv_timer_start(&thread->pause, on_pause_over, FG_NET_ACCEPT_PAUSE_NS / FG_NS_PER_MS, 0);
        return;
    }
}

static void set_accepting(struct fg_net_thread *thread, bool on)
{
    for (size_t i = 0; i < thread->server->listener_count; i++) {
        if (on)
            uv_poll_start(&thread->polls[i], UV_READABLE, on_listener);
        else
            uv_poll_stop(&thread->polls[i]);
    }
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct fg_net_thread *thread = handle->loop->data;
    thread->polls_open--;
}

int fg_accept_begin(struct fg_net_thread *thread)
{
    struct fg_server *server = thread->server;
    thread->polls = calloc(server->listener_count + 1, sizeof *thread->polls);
    if (!thread->polls)
        return FG_ENOMEM;
    for (size_t i = 0; i < server->listener_count; i++) {
        if (uv_poll_init(&thread->uv, &thread->polls[i], server->listeners[i].fd) < 0)
            return FG_EIO;
        thread->polls[i].data = &server->listeners[i];
        thread->polls_open++;
    }
    thread->is_accepting = true;
    set_accepting(thread, true);
    return 0;
}

/* The last loop to stop closes the sockets: from then on clients are refused by the kernel. */
void fg_accept_end(struct fg_net_thread *thread)
{
    unsigned count = thread->polls_open;
    uv_timer_stop(&thread->pause);
    for (unsigned i = 0; i < count; i++)
        uv_close((uv_handle_t *)&thread->polls[i], on_poll_closed);
    thread->is_accepting = false;
    if (atomic_fetch_sub_explicit(&thread->server->accepting_count, 1, memory_order_acq_rel) == 1)
        fg_listen_close(thread->server);
}
