/* A server on 127.0.0.1 with handlers for tests, and clients that speak to it byte by byte. */
#pragma once

#include "base/buffer.h"
#include "base/limits.h"
#include "net/counters.h"
#include "net/grpc.h"
#include "net/request.h"
#include "net/server.h"
#include "os/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* What the handlers do, by path:
 *   /echo            the body back, with its size as x-size and the method as x-method
 *   /take            the body back through a buffer that is taken
 *   /early           401 in on_headers
 *   /small           bodies of at most 10 bytes, 20 decompressed
 *   /pull?size=N     N bytes of a pattern, pulled in parts; &fail=M: fails after M bytes
 *   /slow            pulled; each part only after a wake from another thread
 *   /hold            kept in live.held until live_release()
 *   /wake            answered from another thread's wake
 *   /fields          its fields as lines "name=value"
 *   anything else    404
 * gRPC: /grpc/echo sends the message back; /grpc/fail a status with details. */
struct live {
    struct fg_server *server; /* NULL: not started */
    struct fg_tls *tls;       /* of all listeners; see live_tls.h */
    struct fg_arena arena;
    const struct fg_net_counters *counters;
    unsigned port;
    bool answers_refusals; /* by "refused: NAME", else net does */

    struct fg_mutex mutex; /* guards what follows */
    struct fg_cond cond;
    struct fg_request *held[64];
    unsigned held_count;
    bool is_waking, stop_waking;
    struct fg_request *to_wake[64];
    unsigned to_wake_count;
    struct fg_thread waker;

    _Atomic uint64_t cancels, finishes, stops, pulled_bytes;
};

extern struct live live;

/* Defaults, but for tiny waits where a test asks for them. */
struct fg_server_options live_options(void);
void live_start(const struct fg_server_options *options);
/* Whatever a test did: nothing is left open, and no memory counted. */
void live_stop(void);
/* After each test: as above, but for one that failed without a word more. */
int live_tear_down(void **state);
#define LIVE_TEST(name) cmocka_unit_test_teardown(name, live_tear_down)
/* Waits until so many are held. */
void live_wait_held(unsigned count);
/* NULL where there is none. */
struct fg_request *live_held(unsigned index);
/* Wakes all that are held: each is answered by 200 "held". */
void live_release(void);
/* Waits up to 5 s for a counter to reach a value. */
void live_wait_count(const _Atomic uint64_t *counter, uint64_t value);
uint64_t live_count(const _Atomic uint64_t *counter);

/* -- A client -------------------------------------------------------------------------------------
 */

int client_connect(void);
/* Also when the server has closed: a test reads what came of it. */
void client_send(int fd, const void *data, size_t size);
void client_say(int fd, const char *text);

struct answer {
    unsigned status;
    struct fg_buffer head; /* up to the blank line, NUL-terminated */
    struct fg_buffer body;
    bool is_chunked, is_cut; /* cut: the connection ended before its end */
    unsigned continues;      /* 100 Continue before it */
};

/* Reads one answer; is_head: without a body whatever its head says. status 0: the connection ended
 * before a byte. */
struct answer client_read(int fd, bool is_head);
void answer_free(struct answer *answer);
bool answer_has(const struct answer *answer, const char *line);
/* Asserts status and body, frees. */
void expect_answer(int fd, unsigned status, const char *body);
void expect_status(int fd, unsigned status);
/* Asserts that the server closes. */
void expect_end(int fd);
bool is_open(int fd);
