/* The generator's side of OTLP/gRPC on one connection: HTTP/2 by nghttp2, one call at a time. Moves
 * no bytes itself: who owns the socket sends what output gives and hands on what comes. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

#define FG_BENCH_GRPC_PATH "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

struct fg_bench_grpc;

/* address: host:port, for :authority. path: of the method. Both outlive it. FG_ENOMEM. */
FG_MUST_CHECK int fg_bench_grpc_new(const char *address, const char *path,
                                    struct fg_bench_grpc **ret_grpc);
void fg_bench_grpc_free(struct fg_bench_grpc *grpc);

/* Begins a call with this message, which stays the caller's and valid until the answer. There must
 * be no other call. FG_ENOMEM; FG_EAGAIN: the server takes no more calls on this connection. */
FG_MUST_CHECK int fg_bench_grpc_call(struct fg_bench_grpc *grpc, struct fg_slice message);

/* What is to be sent next, valid until the next call; empty: nothing for now. FG_EINVALID. */
FG_MUST_CHECK int fg_bench_grpc_output(struct fg_bench_grpc *grpc, struct fg_slice *ret_bytes);

struct fg_bench_grpc_answer {
    int http_status;         /* 200, or the call did not get as far as gRPC */
    int grpc_status;         /* of grpc/status.h: 0 is OK; -1: the answer had none */
    struct fg_slice message; /* without its frame's header, as much as is kept */
    const char *text;        /* grpc-message */
};

/* Takes bytes that came. *ret_answered: the call has ended, as *ret_answer says until the next
 * call. FG_EINVALID: no HTTP/2. */
FG_MUST_CHECK int fg_bench_grpc_input(struct fg_bench_grpc *grpc, struct fg_slice bytes,
                                      bool *ret_answered, struct fg_bench_grpc_answer *ret_answer);
