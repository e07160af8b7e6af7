/* What one loop thread has: its connections and requests, the queue of messages to it, spares.
 *
 * This part knows no sockets: connections come with a transport (conn.h), time with the
 * environment, and the thread (thread.c) is a user of it, as are tests and fuzz targets. Every call
 * from outside (bytes, time, a message) is one turn:
 *
 *     fg_net_loop_begin() → what happened → fg_net_loop_end()
 *
 * What handlers do meanwhile (answer, answer another request, resume) only marks connections as
 * touched and requests as ended; the end of the turn sends, goes on to the next request, and frees.
 * So no protocol's code is ever entered from within itself. */
#pragma once

#include "base/buffer.h"
#include "base/limits.h"
#include "body.h"
#include "net/counters.h"
#include "net/queue.h"
#include "net/server.h"

struct fg_call;
struct fg_conn;
struct fg_inflater;
struct fg_tls_loop;

/* What all loops of a server share. */
struct fg_net_shared {
    struct fg_env *env;
    struct fg_net_limits limits;
    void (*on_headers)(void *arg, struct fg_request *request);
    void (*on_request)(void *arg, struct fg_request *request);
    void (*on_refusal)(void *arg, struct fg_request *request, const struct fg_refusal *refusal);
    void (*on_turned_away)(void *arg, int face, struct fg_slice peer,
                           enum fg_refusal_reason reason);
    void *arg;
    struct fg_net_counters counters;
};

struct fg_net_loop {
    struct fg_net_shared *shared;
    unsigned index;
    bool is_draining;
    uint64_t now_ns; /* of this turn, monotonic */

    struct fg_conn *conns;   /* all */
    struct fg_conn *touched; /* to be advanced at the turn's end */
    struct fg_call *ended;   /* to be freed at the turn's end */
    size_t conn_count, call_count;

    struct fg_queue queue;
    _Atomic unsigned senders; /* threads between queue and wake: the loop must stay for them */
    void (*wake)(struct fg_net_loop *loop); /* any thread: a turn that drains the queue, soon */

    struct fg_call *spare_calls;
    unsigned spare_call_count;
    struct fg_body_spares spare_bodies;
    struct fg_buffer scratch; /* HTTP/2 frames on their way out */
    struct fg_inflater *inflater;
    struct fg_tls_loop *tls; /* NULL: no connection of it speaks TLS */
    uint64_t date_second;
    char date[32]; /* "Sun, 06 Nov 1994 08:49:37 GMT" */
};

/* FG_ENOMEM. */
FG_MUST_CHECK int fg_net_loop_init(struct fg_net_loop *loop, struct fg_net_shared *shared,
                                   unsigned index, void (*wake)(struct fg_net_loop *loop));
/* Without connections and requests, and with nobody left who may send. */
void fg_net_loop_free(struct fg_net_loop *loop);

void fg_net_loop_begin(struct fg_net_loop *loop);
void fg_net_loop_end(struct fg_net_loop *loop);

/* Any thread. */
void fg_net_loop_send(struct fg_net_loop *loop, struct fg_message *message);

/* A turn of its own: tells all connections to go once they have answered what they took. */
void fg_net_loop_drain(struct fg_net_loop *loop);

/* A turn of its own: cuts all connections. Their requests stay until handlers have answered. */
void fg_net_loop_cut(struct fg_net_loop *loop);

/* The Date header's value by the wall clock, to the second. */
const char *fg_net_loop_date(struct fg_net_loop *loop);
