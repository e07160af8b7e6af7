/* HTTP/2 (RFC 9113) by nghttp2, and gRPC's trailers on it.
 *
 * Each stream is a call. A client may do to a connection only so much within a window of time:
 * give up streams, send frames that move nothing; past that it is sent away by GOAWAY with
 * ENHANCE_YOUR_CALM. Requests that a handler still works on although their streams were given up
 * count against the streams that a connection may have.
 *
 * Flow control: the windows of limits.h are given out anew as bytes are taken; what bodies occupy
 * is bounded by limits.buffered_size_max, and what is over is refused, not left to wait. */
#pragma once

#include "call.h"

#include <nghttp2/nghttp2.h>

struct fg_conn;

struct fg_http2 {
    nghttp2_session *session;
    struct fg_conn *conn;
    struct fg_buffer out;    /* what the socket did not take at once */
    uint64_t idle_since_ns;  /* the last stream's end */
    uint64_t head_since_ns;  /* of a header block under way; 0: none is */
    uint64_t head_bytes;     /* of it */
    uint64_t flood_since_ns; /* the window's begin */
    unsigned resets, control_frames;
    bool was_invalid; /* a frame was, and is counted */
    bool is_over;     /* GOAWAY is given: nothing more is taken */
    bool is_broken;   /* no memory: to be cut */
};

/* FG_ENOMEM. */
int fg_http2_start(struct fg_conn *conn);

/* -- http2_answer.c -------------------------------------------------------------------------------
 */

void fg_http2_answer(struct fg_call *call, const struct fg_response *response);
void fg_http2_resume(struct fg_call *call);
/* Sends what the session has for the socket. The connection may be gone afterwards. */
void fg_http2_send(struct fg_http2 *http2);
