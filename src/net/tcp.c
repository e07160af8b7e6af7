/* The transport over TCP, on libuv; TLS may lie on top of it. */
#include "conn.h"
#include "count.h"
#include "server_state.h"
#include "tls_conn.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANDLES 2u /* socket and timer, both to be closed before the memory may go */

struct fg_tcp {
    struct fg_conn conn; /* first */
    struct fg_net_thread *owner;
    uv_tcp_t socket;
    uv_timer_t timer;
    uv_write_t write;
    struct fg_message message; /* brings it to its loop */
    int fd;                    /* until libuv has it */
    uint8_t handles_closed;
};

static struct fg_tcp *tcp_of(struct fg_conn *conn)
{
    return (struct fg_tcp *)conn;
}

/* libuv's buffers are struct iovec by another name (uv/unix.h). */
_Static_assert(sizeof(uv_buf_t) == sizeof(struct iovec) &&
                   offsetof(uv_buf_t, len) == offsetof(struct iovec, iov_len),
               "uv_buf_t is struct iovec");

static unsigned to_buffers(const struct iovec *parts, unsigned count, uv_buf_t buffers[4])
{
    unsigned used = 0;
    assert(count <= 4);
    for (unsigned i = 0; i < count; i++)
        if (parts[i].iov_len)
            buffers[used++] = (uv_buf_t){.base = parts[i].iov_base, .len = parts[i].iov_len};
    return used;
}

static int tcp_try_write(struct fg_conn *conn, const struct iovec *parts, unsigned count,
                         size_t *ret_size)
{
    uv_buf_t buffers[4];
    unsigned used = to_buffers(parts, count, buffers);
    int n = used ? uv_try_write((uv_stream_t *)&tcp_of(conn)->socket, buffers, used) : 0;
    if (n < 0 && n != UV_EAGAIN)
        return FG_EIO;
    *ret_size = n < 0 ? 0 : (size_t)n;
    return 0;
}

static void on_written(uv_write_t *write, int status)
{
    struct fg_tcp *tcp = write->data;
    if (tcp->conn.phase == FG_CONN_GONE)
        return;
    if (status < 0)
        fg_conn_on_failure(&tcp->conn);
    else if (tcp->conn.tls)
        fg_tls_on_written(&tcp->conn);
    else
        fg_conn_on_written(&tcp->conn);
}

static int tcp_write(struct fg_conn *conn, const struct iovec *parts, unsigned count)
{
    struct fg_tcp *tcp = tcp_of(conn);
    uv_buf_t buffers[4];
    unsigned used = to_buffers(parts, count, buffers);
    tcp->write.data = tcp;
    return uv_write(&tcp->write, (uv_stream_t *)&tcp->socket, buffers, used, on_written) < 0
               ? FG_EIO
               : 0;
}

static size_t tcp_unwritten(struct fg_conn *conn)
{
    return uv_stream_get_write_queue_size((uv_stream_t *)&tcp_of(conn)->socket);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct fg_tcp *tcp = handle->data;
    size_t size = FG_NET_READ_SIZE;
    (void)suggested;
    uint8_t *room = tcp->conn.tls ? NULL : fg_conn_room(&tcp->conn, &size);
    if (!room)
        room = tcp->owner->read_buffer;
    *buffer = (uv_buf_t){.base = (char *)room, .len = size};
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct fg_tcp *tcp = stream->data;
    if (tcp->conn.phase == FG_CONN_GONE || size == 0)
        return;
    struct fg_slice bytes = fg_slice(buffer->base, size > 0 ? (size_t)size : 0);
    if (size > 0 && tcp->conn.tls)
        fg_tls_on_input(&tcp->conn, bytes);
    else if (size > 0)
        fg_conn_on_input(&tcp->conn, bytes);
    else if (size == UV_EOF && tcp->conn.tls)
        fg_tls_on_eof(&tcp->conn);
    else if (size == UV_EOF)
        fg_conn_on_eof(&tcp->conn);
    else
        fg_conn_on_failure(&tcp->conn);
}

static void tcp_read(struct fg_conn *conn, bool on)
{
    uv_stream_t *stream = (uv_stream_t *)&tcp_of(conn)->socket;
    if (on)
        uv_read_start(stream, on_room, on_read);
    else
        uv_read_stop(stream);
}

static void on_timer(uv_timer_t *timer)
{
    struct fg_tcp *tcp = timer->data;
    fg_conn_on_time(&tcp->conn);
}

static void tcp_wake_at(struct fg_conn *conn, uint64_t due_ns)
{
    uint64_t now_ns = conn->loop->now_ns;
    uint64_t wait_ns = due_ns > now_ns ? due_ns - now_ns : 0;
    /* libuv counts from when its turn began; a little late is better than twice. */
    uv_timer_start(&tcp_of(conn)->timer, on_timer, wait_ns / FG_NS_PER_MS + 1, 0);
}

static void tcp_shut_down(struct fg_conn *conn)
{
    /* Not by uv_shutdown(): nothing waits to be written. */
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)&tcp_of(conn)->socket, &fd) == 0)
        shutdown(fd, SHUT_WR);
}

static void on_closed(uv_handle_t *handle)
{
    struct fg_tcp *tcp = handle->data;
    if (++tcp->handles_closed < HANDLES)
        return;
    atomic_fetch_sub_explicit(&tcp->owner->connections, 1, memory_order_relaxed);
    fg_tls_conn_free(tcp->conn.tls);
    free(tcp);
}

static void tcp_close(struct fg_conn *conn, bool reset)
{
    struct fg_tcp *tcp = tcp_of(conn);
    uv_close((uv_handle_t *)&tcp->timer, on_closed);
    if (!reset || uv_tcp_close_reset(&tcp->socket, on_closed) < 0)
        uv_close((uv_handle_t *)&tcp->socket, on_closed);
}

static const struct fg_transport transport = {
    .try_write = tcp_try_write,
    .write = tcp_write,
    .unwritten = tcp_unwritten,
    .read = tcp_read,
    .wake_at = tcp_wake_at,
    .shut_down = tcp_shut_down,
    .close = tcp_close,
};

/* On the owner's thread. */
static void adopt(struct fg_message *message)
{
    struct fg_tcp *tcp = (struct fg_tcp *)((char *)message - offsetof(struct fg_tcp, message));
    uv_loop_t *uv = &tcp->owner->uv;
    uv_timer_init(uv, &tcp->timer); /* neither can fail */
    uv_tcp_init(uv, &tcp->socket);
    tcp->timer.data = tcp->socket.data = tcp;
    if (uv_tcp_open(&tcp->socket, tcp->fd) == 0) {
        fg_conn_start(&tcp->conn);
        return;
    }
    struct fg_net_counters *counters = &tcp->owner->server->shared.counters;
    fg_net_count(&counters->accept_errors, 1);
    fg_net_uncount(&counters->connections_open, 1);
    close(tcp->fd);
    tcp_close(&tcp->conn, false);
}

struct fg_tcp *fg_tcp_new(struct fg_net_thread *owner, int fd, const struct fg_listener *listener)
{
    struct fg_tcp *tcp = calloc(1, sizeof *tcp);
    if (!tcp)
        return NULL;
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    tcp->owner = owner;
    tcp->fd = fd;
    tcp->message.run = adopt;
    tcp->conn.transport = &transport;
    tcp->conn.loop = &owner->loop;
    tcp->conn.face = listener->face;
    _Static_assert(FG_PEER_TEXT_SIZE == FG_ADDRESS_TEXT_SIZE, "one kind of text");
    if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0)
        tcp->conn.peer_size = fg_address_format((struct sockaddr *)&peer, tcp->conn.peer);
    if (listener->is_tls && fg_tls_conn_new(owner->server->tls, &tcp->conn, listener->client) < 0) {
        free(tcp);
        return NULL;
    }
    return tcp;
}

void fg_tcp_send(struct fg_tcp *tcp)
{
    fg_net_loop_send(&tcp->owner->loop, &tcp->message);
}
