/* The way to an OTLP server: one request after the other over one connection, by libcurl.
 *
 * OTLP/HTTP with protobuf, or OTLP/gRPC. gRPC is one POST over HTTP/2 with a length before the
 * message and the result in the trailer; libcurl speaks HTTP/2 without TLS too (prior knowledge),
 * and gives trailers as headers, so that no other library is needed for it. */
#pragma once

#include "base/error.h"
#include "outlet_settings.h"

struct fg_outlet;

enum fg_outlet_verdict {
    FG_OUTLET_ACCEPTED,
    FG_OUTLET_RETRY,     /* the same request may go through later */
    FG_OUTLET_TOO_LARGE, /* a smaller one may */
    FG_OUTLET_REFUSED,   /* it never will */
};

struct fg_outlet_answer {
    enum fg_outlet_verdict verdict;
    uint64_t retry_after_ns; /* as the server asked; 0 where it did not say */
    uint64_t rejected_spans; /* of an accepted request */
    char text[200];          /* what was wrong */
};

/* FG_ENOMEM. settings are borrowed until the free. */
FG_MUST_CHECK int fg_outlet_new(const struct fg_outlet_settings *settings,
                                struct fg_outlet **ret_outlet);
void fg_outlet_free(struct fg_outlet *outlet);

/* Sends a request and waits for its answer, at most timeout_ns. alive (may be NULL) is called some
 * times a second meanwhile; when it returns false the request is given up as FG_OUTLET_RETRY. */
void fg_outlet_send(struct fg_outlet *outlet, struct fg_slice request, uint64_t timeout_ns,
                    bool (*alive)(void *arg), void *arg, struct fg_outlet_answer *ret_answer);

/* From any thread: a send that waits asks alive at once. */
void fg_outlet_nudge(struct fg_outlet *outlet);
