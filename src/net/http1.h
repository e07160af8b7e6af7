/* HTTP/1.0 and 1.1 (RFC 9112), parsed by llhttp in its strict mode.
 *
 * One request at a time. The parser pauses at a request's end; what came ahead of the answer waits
 * in `ahead`, and nothing more is read while something waits there. While a request is worked on
 * with nothing ahead the socket is read, so that a client that goes is noticed.
 *
 *     IDLE ─first byte→ HEAD ─last header→ BODY ─last byte→ WHOLE ─answer sent→ IDLE
 *
 * An answer may be given in HEAD (it is refused as it stands: the last one), in BODY (the rest is
 * read and dropped, or it is the last one), or in WHOLE. After the last answer the connection
 * lingers. */
#pragma once

#include "body.h"
#include "call.h"

#include <llhttp.h>

struct fg_conn;

enum fg_http1_received { FG_HTTP1_IDLE, FG_HTTP1_HEAD, FG_HTTP1_BODY, FG_HTTP1_WHOLE };

struct fg_http1 {
    llhttp_t parser;
    struct fg_conn *conn;
    struct fg_call *call; /* until its answer is sent */
    enum fg_http1_received received;
    struct fg_body ahead;
    size_t ahead_at;
    uint64_t since_ns; /* idle, or the head's first byte */
    uint64_t body_since_ns;
    uint64_t content_length; /* UINT64_MAX: chunked */
    uint64_t body_bytes;     /* that have come */
    size_t trailers_size;
    const char *input, *input_end; /* what the parser has at hand */
    const char *value_end; /* of the current value's last piece, in input; NULL: before it */
    unsigned value_pieces;
    bool value_was_cut; /* its last piece ended with its input */
    bool is_in_lines;   /* head or trailers: their lines are looked at before they are parsed */
    bool has_line;      /* an empty line ends them from here on */
    bool line_has_text; /* the line under way: more than a CR has come of it */
    bool line_has_cr;   /* its last byte so far is one */
    bool has_value;     /* the next name begins a field */
    bool has_begun;     /* there is more than blank lines */
    bool is_kept_alive; /* what the request's head asks for */
    bool owes_continue; /* the client waits for 100 Continue, or for an answer */
    bool is_last;       /* the answer is the connection's last */
    bool has_failed;    /* the parser takes no more */
};

/* FG_ENOMEM. */
int fg_http1_start(struct fg_conn *conn);

/* -- http1_answer.c -------------------------------------------------------------------------------
 */

/* Makes the head of the answer, and decides whether it is the last. */
void fg_http1_answer(struct fg_call *call, const struct fg_response *response);
/* Sends what there is to send. True where the answer is out; false where it waits, or the
 * connection is gone. */
FG_MUST_CHECK bool fg_http1_send(struct fg_http1 *http1);
