#include "refusal.h"

#include "base/limits.h"
#include "net/grpc.h"

#include <assert.h>

struct fg_refusal fg_refusal_of(enum fg_refusal_reason reason)
{
    static const struct fg_refusal refusals[FG_REFUSAL_COUNT] = {
        [FG_REFUSED_MALFORMED] = {.http_status = 400,
                                  .grpc_status = FG_GRPC_INTERNAL,
                                  .message = "this is no well-formed HTTP request"},
        [FG_REFUSED_URL_SIZE] = {.http_status = 414,
                                 .grpc_status = FG_GRPC_INVALID_ARGUMENT,
                                 .message = "the URL is longer than this server takes"},
        [FG_REFUSED_HEADER_SIZE] = {.http_status = 431,
                                    .grpc_status = FG_GRPC_RESOURCE_EXHAUSTED,
                                    .message =
                                        "the header is larger, or has more fields, than this "
                                        "server takes"},
        [FG_REFUSED_EXPECTATION] = {.http_status = 417,
                                    .grpc_status = FG_GRPC_INTERNAL,
                                    .message = "the only expectation this server meets is "
                                               "100-continue"},
        [FG_REFUSED_BODY_SIZE] = {.http_status = 413,
                                  .grpc_status = FG_GRPC_RESOURCE_EXHAUSTED,
                                  .message = "the body is larger than this path takes; send "
                                             "smaller batches"},
        [FG_REFUSED_INFLATED_SIZE] = {.http_status = 413,
                                      .grpc_status = FG_GRPC_RESOURCE_EXHAUSTED,
                                      .message = "the body is larger than this path takes once "
                                                 "it is decompressed; send smaller batches"},
        [FG_REFUSED_ENCODING_UNKNOWN] = {.http_status = 415,
                                         .grpc_status = FG_GRPC_UNIMPLEMENTED,
                                         .message = "the body's encoding is unknown; this server "
                                                    "takes gzip, zstd, deflate and identity"},
        [FG_REFUSED_ENCODING_DAMAGED] = {.http_status = 400,
                                         .grpc_status = FG_GRPC_INTERNAL,
                                         .message = "the body can't be decompressed: it is "
                                                    "damaged or cut short"},
        [FG_REFUSED_GRPC_FRAME] = {.http_status = 400,
                                   .grpc_status = FG_GRPC_INTERNAL,
                                   .message = "the body is not one gRPC message"},
        [FG_REFUSED_GRPC_HTTP1] = {.http_status = 505,
                                   .grpc_status = FG_GRPC_UNIMPLEMENTED,
                                   .message = "gRPC needs HTTP/2"},
        [FG_REFUSED_BUFFERED_SIZE] = {.http_status = 503,
                                      .grpc_status = FG_GRPC_RESOURCE_EXHAUSTED,
                                      .message = "the memory for requests is used up; try again "
                                                 "later",
                                      .retry_after_ns = FG_NS_PER_SECOND},
        [FG_REFUSED_MEMORY] = {.http_status = 503,
                               .grpc_status = FG_GRPC_RESOURCE_EXHAUSTED,
                               .message = "out of memory; try again later",
                               .retry_after_ns = FG_NS_PER_SECOND},
        [FG_REFUSED_CONNECTIONS] = {.http_status = 503,
                                    .grpc_status = FG_GRPC_UNAVAILABLE,
                                    .message = "too many connections; try again later",
                                    .retry_after_ns = FG_NS_PER_SECOND},
        [FG_REFUSED_TIMEOUT] = {.http_status = 408,
                                .grpc_status = FG_GRPC_DEADLINE_EXCEEDED,
                                .message = "the request came too slowly"},
        [FG_REFUSED_RESET_FLOOD] = {.http_status = 429,
                                    .grpc_status = FG_GRPC_RESOURCE_EXHAUSTED,
                                    .message = "too many requests were given up"},
        [FG_REFUSED_CONTROL_FLOOD] = {.http_status = 429,
                                      .grpc_status = FG_GRPC_RESOURCE_EXHAUSTED,
                                      .message = "too many frames that move nothing"},
    };
    assert(reason < FG_REFUSED_PLAIN_TEXT); /* from there on there is no request to answer */
    struct fg_refusal refusal = refusals[reason];
    refusal.reason = (int)reason;
    return refusal;
}
