/* A client of HTTP/2 for tests: nghttp2's client side over a blocking socket. */
#pragma once

#include "live.h"

#include <nghttp2/nghttp2.h>

#define H2_STREAMS_MAX 512

struct h2_stream {
    int32_t id;
    unsigned status;
    struct fg_buffer fields; /* lines "name: value\n", trailers after them; NUL-terminated */
    struct fg_buffer body;
    struct fg_slice request_body;
    size_t request_at;
    bool holds_back; /* its body's end is never sent */
    bool is_closed;
    uint32_t close_code;
};

struct h2 {
    int fd;
    nghttp2_session *session;
    struct h2_stream streams[H2_STREAMS_MAX];
    unsigned stream_count;
    bool is_ended;       /* the server closed */
    int32_t goaway_last; /* -1: no GOAWAY came */
    uint32_t goaway_code;
};

/* window: of the connection and of each stream, so that a client that does not read can be had. */
struct h2 *h2_connect(int32_t window);
void h2_close(struct h2 *h2);
/* Extra fields, up to a NULL name. */
struct h2_stream *h2_request(struct h2 *h2, const char *method, const char *path,
                             struct fg_slice body, bool holds_back, const char *const fields[][2]);
/* gRPC: body is the framed message. */
struct h2_stream *h2_call(struct h2 *h2, const char *path, struct fg_slice body,
                          const char *const fields[][2]);
/* Sends what there is and reads until the stream is closed or the connection ended. */
void h2_wait(struct h2 *h2, struct h2_stream *stream);
/* The same until the server has ended the connection. */
void h2_wait_end(struct h2 *h2);
/* Sends what the session has. */
void h2_flush(struct h2 *h2);
/* Reads what comes within some milliseconds. */
void h2_read_some(struct h2 *h2, int timeout_ms);
bool h2_has(const struct h2_stream *stream, const char *line);
