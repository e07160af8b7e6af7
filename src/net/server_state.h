/* The server as its own files see it: what is shared, the listening sockets, the threads. */
#pragma once

#include "loop.h"
#include "os/thread.h"

#include <uv.h>

#define FG_ADDRESS_TEXT_SIZE 64

struct fg_listener { /* one listening socket */
    int fd;
    int face;
    bool is_tls;
    enum fg_client_certificate client;
    size_t index; /* of fg_server_options.listeners: "localhost" may be two sockets */
};

/* One loop and its thread. */
struct fg_net_thread {
    struct fg_net_loop loop; /* first */
    struct fg_server *server;
    uv_loop_t uv;
    uv_async_t async;    /* wakes the loop to drain its queue */
    uv_timer_t pause;    /* until accepting goes on, or, draining, until the next look */
    uv_poll_t *polls;    /* one a listening socket */
    unsigned polls_open; /* not yet closed */
    bool is_accepting;
    uint8_t *read_buffer; /* FG_NET_READ_SIZE; what is read is used up or copied in its turn */
    struct fg_thread thread;
    struct fg_message stop; /* begins the draining */
    uint64_t drain_until_ns;
    _Atomic unsigned connections; /* given to this loop and not yet closed */
};

enum fg_server_state { FG_SERVER_OPENED, FG_SERVER_SERVING, FG_SERVER_STOPPED };

struct fg_server {
    struct fg_net_shared shared;
    enum fg_server_state state;
    unsigned connections_max; /* what limits and open files allow */
    struct fg_tls *tls;       /* NULL: no listener speaks it */
    struct fg_listener *listeners;
    size_t listener_count;
    char (*addresses)[FG_ADDRESS_TEXT_SIZE]; /* one an option */
    uint64_t drain_ns;
    _Atomic unsigned accepting_count; /* loops that may still accept, and hand over to others */
    unsigned thread_count;
    struct fg_net_thread *threads; /* thread_count of them */
};

/* -- listen.c -------------------------------------------------------------------------------------
 */

/* Resolves and binds all; ret_message as fg_server_open(). What was bound stays in the server, also
 * on failure. */
FG_MUST_CHECK int fg_listen_all(struct fg_server *server, const struct fg_server_options *options,
                                struct fg_arena *arena, const char **ret_message);
void fg_listen_close(struct fg_server *server);
/* "127.0.0.1:4317", "[::1]:4317". */
struct sockaddr;
size_t fg_address_format(const struct sockaddr *address, char ret_text[FG_ADDRESS_TEXT_SIZE]);

/* -- thread.c -------------------------------------------------------------------------------------
 */

FG_MUST_CHECK int fg_net_thread_init(struct fg_net_thread *thread, struct fg_server *server,
                                     unsigned index);
void fg_net_thread_run(void *thread);
/* For a thread that was inited; its run is over, or was never begun. */
void fg_net_thread_free(struct fg_net_thread *thread);

/* -- accept.c -------------------------------------------------------------------------------------
 */

/* On the loop's thread. */
FG_MUST_CHECK int fg_accept_begin(struct fg_net_thread *thread);
void fg_accept_end(struct fg_net_thread *thread);

/* -- tcp.c ----------------------------------------------------------------------------------------
 */

struct fg_tcp;
/* A connection for the accepted socket, on any thread; NULL: no memory. */
struct fg_tcp *fg_tcp_new(struct fg_net_thread *owner, int fd, const struct fg_listener *listener);
/* Gives it to its owner's loop. */
void fg_tcp_send(struct fg_tcp *tcp);
