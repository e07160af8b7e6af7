/* An answer that another thread makes whole, since making it may block: a worker runs it, then the
 * loop answers. It lives in the request's arena, and the request stays until it is answered, so
 * nothing has to be counted. */
#pragma once

#include "base/arena.h"
#include "exchange.h"
#include "workers.h"

struct fg_work {
    struct fg_task task;
    struct fg_exchange *exchange;
    const char *message; /* a sentence for the error that run returns, in state; NULL: by verb */
    const char *verb;    /* "read the statistics", for errors */
    /* On a worker thread. Writes the body; returns 0 or an fg_error. */
    int (*run)(struct fg_work *work);
    /* Loop thread: answers in run's stead; NULL: 200 with the body as JSON, or error. */
    void (*answer)(struct fg_work *work);
    struct fg_buffer body;
    struct fg_arena arena; /* the worker's own; freed with the answer */
    int error;
    _Alignas(16) uint8_t state[]; /* run's own */
};

/* With state_size bytes of zeroes for run's own. NULL: out of memory; the exchange was answered. */
struct fg_work *fg_work_new(struct fg_exchange *exchange, const char *verb,
                            int (*run)(struct fg_work *work), size_t state_size);

/* Whether the client has gone: the is_cancelled of what a worker calls. arg: the request. */
bool fg_work_is_cancelled(void *arg);

/* Answers in any case, now or later: 200 with the body as JSON, or what run returned. */
void fg_work_start(struct fg_work *work, struct fg_workers *workers);
