/* The server: loop threads, listeners, and the handlers that requests go to.
 *
 * Every listener speaks HTTP/1.1 and HTTP/2 (prior knowledge), told apart by the first bytes, and
 * gRPC over HTTP/2. A connection is accepted once, given to the loop with the fewest connections,
 * and stays there: its requests, their handlers and their answers run on that loop's thread.
 *
 * States: opened (bound, clients wait in the backlog) → fg_server_start() → serving →
 * fg_server_stop() → draining → stopped → fg_server_close(). */
#pragma once

#include "base/arena.h"
#include "net/counters.h"
#include "os/env.h"

#include <stdbool.h>
#include <stddef.h>

struct fg_message;
struct fg_net_counters;
struct fg_refusal;
struct fg_request;
struct fg_server;
struct fg_tls;

/* What a client may use. Defaults, with their reasons, are in base/limits.h under the same names.
 */
struct fg_net_limits {
    unsigned connections_max;
    unsigned connection_streams_max; /* HTTP/2: requests at once on one connection */
    size_t header_size_max;          /* bytes of names and values of one request; then 431 */
    unsigned header_count_max;
    size_t url_size_max;           /* bytes; then 414 */
    uint64_t body_size_max;        /* bytes as sent; a handler may set another; then 413 */
    uint64_t inflated_size_max;    /* bytes after decompression, over all members together */
    uint64_t buffered_size_max;    /* bytes of all bodies of all connections; then 503 */
    size_t request_arena_size_max; /* bytes of fg_request.arena */
    uint64_t idle_timeout_ns;      /* of a connection without a request */
    uint64_t handshake_timeout_ns; /* TLS: from accepting to the handshake's end */
    unsigned handshakes_max;       /* TLS: under way at one time; then the oldest is cut */
    uint64_t header_timeout_ns;    /* from a request's first byte to its last header; then 408 */
    uint64_t body_grace_ns;        /* from then on a body must come at the rate below, … */
    uint64_t body_rate_bytes_min;  /* … a second on average; then 408 */
    uint64_t write_timeout_ns;     /* of a client that takes no byte of its answer; then cut */
    unsigned resets_max;           /* HTTP/2: streams given up by the client, … */
    unsigned control_frames_max; /* … frames that move nothing, within the window; then GOAWAY */
    uint64_t flood_window_ns;
};

enum fg_client_certificate {
    FG_CLIENT_CERTIFICATE_NONE,    /* none is asked for */
    FG_CLIENT_CERTIFICATE_ASK,     /* may be given; a bad one is refused */
    FG_CLIENT_CERTIFICATE_REQUIRE, /* without one there is no connection */
};

struct fg_listen {
    const char
        *address; /* "127.0.0.1:4317", "[::1]:0", "localhost:7070", ":4318" (all interfaces) */
    int face;     /* the caller's tag, seen in fg_request.face */
    bool is_tls;  /* nothing else is taken there; needs options.tls */
    enum fg_client_certificate client; /* of a TLS listener; needs an authority in options.tls */
};

struct fg_server_options {
    struct fg_env *env; /* borrowed */
    unsigned loop_count;
    const struct fg_listen *listeners; /* borrowed until fg_server_open() returns, strings too */
    size_t listener_count;
    struct fg_net_limits limits;
    struct fg_tls *tls; /* borrowed, loaded; NULL where no listener is_tls. See net/tls.h */

    /* All on the request's loop thread; they must not block. arg is the first argument.
     *
     * on_headers (may be NULL) runs when the headers are there and the body is not: it may answer
     * at once, which refuses the request (a body still on its way is read and dropped), or set
     * its limits with fg_request_limit_body(). */
    void (*on_headers)(void *arg, struct fg_request *request);
    /* The body is there as well: decompressed, and for gRPC unframed. The request must be answered
     * once, now or later (see net/request.h). */
    void (*on_request)(void *arg, struct fg_request *request);
    /* May be NULL. net itself refuses a request; the handler may answer in its own form. Where it
     * does not, net answers with the refusal's message as text, or as a gRPC status. */
    void (*on_refusal)(void *arg, struct fg_request *request, const struct fg_refusal *refusal);
    /* May be NULL. A connection was refused before it could make a request: no TLS where it has to
     * be or the other way round, a handshake that failed or took too long, a client certificate
     * that is not good. Or it sent what no client sends that means well: a request that two readers
     * could read differently, a head without end, floods of frames or resets. peer is valid during
     * the call; on a loop's thread, which must not block. */
    void (*on_turned_away)(void *arg, int face, struct fg_slice peer,
                           enum fg_refusal_reason reason);
    void *arg;
};

/* One loop, no listeners, limits by default. */
struct fg_server_options fg_server_options_default(struct fg_env *env);

/* Resolves and binds every listener, and raises the process's soft limit of open files to the hard
 * one. FG_EINVALID (an address is none), FG_EBUSY (in use), FG_EDENIED, FG_ENOMEM, FG_EIO;
 * *ret_message is then a sentence in the arena. */
FG_MUST_CHECK int fg_server_open(const struct fg_server_options *options, struct fg_arena *arena,
                                 const char **ret_message, struct fg_server **ret_server);

/* The address that listener index is bound to, its port as chosen by the kernel: "127.0.0.1:41231".
 * Owned by the server. */
const char *fg_server_address(const struct fg_server *server, size_t index);

/* Whether every address that "host:port" stands for is this machine's alone (127.0.0.0/8, ::1); a
 * name is looked up, which may take a while. False also where it is no address. */
bool fg_address_is_loopback(const char *address);

/* Starts the loop threads. */
FG_MUST_CHECK int fg_server_start(struct fg_server *server);

/* Stops accepting, tells clients to go (Connection: close, GOAWAY), lets requests finish for at
 * most drain_ns, then cuts what is left, and returns when every loop thread has ended. It waits for
 * the answers of all requests that handlers still hold, so what they wait for (the store) must be
 * closed after it. Idempotent; not from a loop thread. */
void fg_server_stop(struct fg_server *server, uint64_t drain_ns);

/* Stops without draining where that was not done, and frees. NULL is accepted. */
void fg_server_close(struct fg_server *server);

/* Runs message->run on that loop's thread soon. Any thread, between start and the end of stop; the
 * message must not be in the queue already. For what concerns no request: see fg_request_wake(). */
void fg_server_post(struct fg_server *server, unsigned loop_index, struct fg_message *message);

/* Any thread, until fg_server_close(). */
const struct fg_net_counters *fg_server_counters(const struct fg_server *server);
