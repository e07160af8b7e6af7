/* A request, as a handler sees it, and its answer.
 *
 * Life: on_headers → body → on_request → answered → sent → freed. The request must be answered
 * exactly once, on its loop thread; until then it stays, also when its client has gone, and may be
 * used by whoever holds it. An answer to a client that has gone is dropped silently, so answering
 * never fails.
 *
 * A request that is worked on by another thread: on_request hands it over and returns; the other
 * thread calls fg_request_wake(); the loop then calls the request's `wake`, which answers. Only
 * fg_request_wake(), fg_request_is_cancelled(), fg_request_ref() and fg_request_unref() may be
 * called from other threads. */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"

struct fg_net_identity;

enum fg_method {
    FG_METHOD_GET,
    FG_METHOD_HEAD, /* answer as GET: net leaves the body out */
    FG_METHOD_POST,
    FG_METHOD_PUT,
    FG_METHOD_PATCH,
    FG_METHOD_DELETE,
    FG_METHOD_OPTIONS,
    FG_METHOD_OTHER,
};

struct fg_header_field {
    struct fg_slice name; /* lower case */
    struct fg_slice value;
};

/* Read by handlers, written by net, but for the last part. Slices live as long as the request. */
struct fg_request {
    enum fg_method method;
    struct fg_slice path;         /* as sent, before '?', starting with '/' (or "*") */
    struct fg_slice query;        /* as sent, without '?'; see net/url.h */
    struct fg_slice content_type; /* without parameters, as sent: compare without case */
    const struct fg_header_field *fields;
    size_t field_count;
    struct fg_slice body; /* decompressed; for gRPC the message. Valid in on_request and later */
    bool is_grpc;
    bool is_tls;
    const struct fg_net_identity *identity; /* net/identity.h; NULL: no client certificate */
    uint8_t http_major, http_minor;
    int face;            /* of the listener */
    unsigned loop_index; /* below the server's loop_count: for state that a thread has of its own */
    struct fg_slice peer;      /* "192.0.2.1:50211" */
    uint64_t received_ns;      /* by the wall clock, when the headers were there */
    uint64_t deadline_mono_ns; /* from grpc-timeout; 0: none */
    struct fg_arena *arena;    /* bounded; freed with the request. Loop thread only */

    /* The handler's own. */
    void *user;
    void (*wake)(struct fg_request *request); /* after fg_request_wake(); loop thread */
    void (*cancel)(
        struct fg_request *request); /* the client went before it was answered; the request
                                        must still be answered. Loop thread; may be NULL */
    void (*finish)(struct fg_request *request); /* about to be freed. Loop thread; may be NULL */
};

/* The first value of a header (name in lower case); {NULL, 0} where there is none. */
struct fg_slice fg_request_field(const struct fg_request *request, const char *name);

/* In on_headers: bounds of this request's body, before and after decompression. */
void fg_request_limit_body(struct fg_request *request, uint64_t size_max,
                           uint64_t inflated_size_max);

/* Gives the body's memory back before the answer; request->body becomes empty. */
void fg_request_release_body(struct fg_request *request);

/* Any thread, while the request is not answered or a reference is held: makes the loop call
 * request->wake soon. Several calls before that are one. No lock, no allocation. */
void fg_request_wake(struct fg_request *request);
bool fg_request_is_cancelled(const struct fg_request *request);
/* A reference keeps the request's memory past its answer: for a thread that feeds a generator. */
struct fg_request *fg_request_ref(struct fg_request *request);
void fg_request_unref(struct fg_request *request);

/* -- Answers (loop thread)
 * ---------------------------------------------------------------------------------------------- */

/* What comes before the body. Content-Length, Date, Connection and the like are net's. */
struct fg_response {
    unsigned status;
    const char *content_type; /* NULL: none */
    const struct fg_header_field *fields;
    size_t field_count;
};

/* A body that is pulled as fast as the client takes it. Embedded in the caller's state. */
struct fg_generator {
    /* Appends the next part, about FG_PULL_SIZE bytes, at most FG_PULL_SIZE_MAX (out's bound).
     * *ret_done: that was all. FG_EAGAIN: nothing now; fg_response_resume() follows. Other errors
     * cut the answer so that the client sees it as broken. */
    int (*pull)(struct fg_generator *generator, struct fg_buffer *out, bool *ret_done);
    /* Called once, when nothing will be pulled any more: sent, failed, or the client went. */
    void (*stop)(struct fg_generator *generator);
};

/* The answer with a whole body. `copy` copies; `take` consumes the buffer's memory and leaves it
 * empty. Header names and values are copied by all of them. */
void fg_respond_copy(struct fg_request *request, const struct fg_response *response,
                     struct fg_slice body);
void fg_respond_take(struct fg_request *request, const struct fg_response *response,
                     struct fg_buffer *body);
/* stop is called in any case; not before this returns. */
void fg_respond_pull(struct fg_request *request, const struct fg_response *response,
                     struct fg_generator *generator);
/* A sentence as text/plain. */
void fg_respond_text(struct fg_request *request, unsigned status, const char *text);
/* Pulls again after FG_EAGAIN. Loop thread: from request->wake. */
void fg_response_resume(struct fg_request *request);
bool fg_request_is_answered(const struct fg_request *request);

/* Why net refuses a request; the name is a label of its counter. */
struct fg_refusal {
    int reason; /* enum fg_refusal_reason, net/counters.h */
    unsigned http_status;
    unsigned grpc_status;    /* enum fg_grpc_status */
    const char *message;     /* a constant sentence */
    uint64_t retry_after_ns; /* 0: retrying is no use */
};
