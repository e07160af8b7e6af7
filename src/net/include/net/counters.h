/* What the server counts. Written by the loop threads, read by any with relaxed loads: each number
 * is right, two of them need not fit each other. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

enum fg_refusal_reason {
    FG_REFUSED_MALFORMED,        /* no HTTP: 400, or an HTTP/2 connection error */
    FG_REFUSED_URL_SIZE,         /* 414 */
    FG_REFUSED_HEADER_SIZE,      /* 431 */
    FG_REFUSED_EXPECTATION,      /* 417 */
    FG_REFUSED_BODY_SIZE,        /* 413 */
    FG_REFUSED_INFLATED_SIZE,    /* 413 */
    FG_REFUSED_ENCODING_UNKNOWN, /* 415, UNIMPLEMENTED */
    FG_REFUSED_ENCODING_DAMAGED, /* 400 */
    FG_REFUSED_GRPC_FRAME,       /* INTERNAL or UNIMPLEMENTED */
    FG_REFUSED_GRPC_HTTP1,       /* 505: gRPC needs HTTP/2 */
    FG_REFUSED_BUFFERED_SIZE,    /* 503, RESOURCE_EXHAUSTED: the memory for bodies is used up */
    FG_REFUSED_MEMORY,           /* 503, RESOURCE_EXHAUSTED: an allocation failed */
    FG_REFUSED_CONNECTIONS,      /* 503 and closed */
    FG_REFUSED_TIMEOUT,          /* 408: header or body too slow */
    FG_REFUSED_RESET_FLOOD,      /* GOAWAY ENHANCE_YOUR_CALM */
    FG_REFUSED_CONTROL_FLOOD,    /* the same; TLS: cut, for changing keys all the time */
    /* Connections that made no request: */
    FG_REFUSED_PLAIN_TEXT,         /* no TLS on a port that takes it only: 400, GOAWAY */
    FG_REFUSED_TLS,                /* TLS on a port that takes plain text: an alert */
    FG_REFUSED_HANDSHAKE,          /* nothing in common, malformed, or given up: an alert */
    FG_REFUSED_HANDSHAKE_TIMEOUT,  /* not done in time */
    FG_REFUSED_HANDSHAKE_FLOOD,    /* the oldest of too many that are under way */
    FG_REFUSED_CLIENT_CERTIFICATE, /* none, unknown authority, expired: an alert */
    FG_REFUSAL_COUNT,
};

/* "malformed", "url_size", …: labels for /metrics. */
const char *fg_refusal_name(enum fg_refusal_reason reason);

enum fg_net_protocol { FG_PROTOCOL_HTTP1, FG_PROTOCOL_HTTP2, FG_PROTOCOL_GRPC, FG_PROTOCOL_COUNT };

struct fg_net_counters {
    _Atomic uint64_t connections_accepted;
    _Atomic uint64_t connections_open;
    _Atomic uint64_t tls_handshakes, tls_resumed; /* that were completed; of them by a ticket */
    _Atomic uint64_t connections_idle_closed;     /* by idle_timeout_ns */
    _Atomic uint64_t connections_stall_closed;    /* by write_timeout_ns */
    _Atomic uint64_t accept_errors;               /* no file descriptor left, and the like */
    _Atomic uint64_t bytes_in, bytes_out;
    _Atomic uint64_t body_bytes_in, body_bytes_inflated; /* as sent, and as handed over */
    _Atomic uint64_t requests[FG_PROTOCOL_COUNT];        /* headers complete */
    _Atomic uint64_t responses[6]; /* by status / 100; gRPC counts its HTTP 200 */
    _Atomic uint64_t refused[FG_REFUSAL_COUNT];
    _Atomic uint64_t requests_open;      /* not yet sent or dropped */
    _Atomic uint64_t requests_cancelled; /* the client went first */
    _Atomic uint64_t streams_reset;      /* HTTP/2 RST_STREAM received */
    _Atomic uint64_t buffered_bytes;     /* bodies in memory now, against buffered_size_max */
};
