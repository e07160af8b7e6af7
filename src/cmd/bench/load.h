/* Sends requests of a shape to an OTLP/HTTP or OTLP/gRPC endpoint over some connections, one
 * thread, one request at a time on each connection, and times the acknowledgements.
 *
 * What is refused for now (429, 503) is sent again after the pause that the answer asks for, as an
 * SDK does; its latency counts from the first try. With a rate a request's latency counts from when
 * it was due, so that a server which stalls does not hide it by holding up the sender. */
#pragma once

#include "histogram.h"
#include "os/env.h"
#include "shape.h"

#define FG_BENCH_PROBLEM_SIZE 200

struct fg_bench_load {
    struct fg_env *env;
    const struct fg_bench_shape *shape;
    const char *address; /* host:port */
    const char *path;    /* "/v1/traces" */
    bool is_grpc;        /* HTTP/2; path is FG_BENCH_GRPC_PATH */
    bool is_tls;
    const char *ca_file; /* with TLS: whom to believe, in PEM; NULL: the system's authorities */
    uint32_t connection_count;
    uint64_t rate_spans; /* a second; 0: as fast as they are acknowledged */
    uint64_t duration_ns;
    uint64_t first_request; /* number of the first request */
    uint64_t request_count; /* ends after so many; 0: no bound */
    /* About when a request's traces end, since 1970; NULL: now. */
    uint64_t (*moment)(void *arg, uint64_t request);
    void (*acknowledged)(void *arg, uint64_t request);
    bool (*tick)(void *arg, uint64_t spans); /* ten times a second; false ends the run at once */
    void *arg;
};

struct fg_bench_load_result {
    uint64_t elapsed_ns;
    uint64_t requests, spans;            /* acknowledged whole */
    uint64_t refusals;                   /* answers 429 and 503 */
    uint64_t rejected_spans;             /* by partial success */
    uint64_t failed_requests;            /* other answers */
    uint64_t lost_connections;           /* closed in the middle of a request */
    uint64_t next_request;               /* no request from here on was sent */
    uint64_t body_bytes;                 /* of acknowledged requests */
    struct fg_bench_histogram latency;   /* ns */
    char problem[FG_BENCH_PROBLEM_SIZE]; /* the first failure, as a sentence; "": none */
};

/* FG_EIO where no connection could be made, with *ret_result's problem saying why; FG_ENOMEM. */
FG_MUST_CHECK int fg_bench_load_run(const struct fg_bench_load *load,
                                    struct fg_bench_load_result *ret_result);
