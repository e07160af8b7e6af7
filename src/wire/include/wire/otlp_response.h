/* What an OTLP server answers: ExportTraceServiceResponse, and google.rpc.Status with RetryInfo for
 * refusals (OTLP specification, "Full Success", "Partial Success", "Failures", "OTLP/gRPC
 * Throttling"). */
#pragma once

#include "base/buffer.h"
#include "wire/otlp_encode.h"

/* google.rpc.Code, those that a server of traces answers with. */
enum fg_rpc_code {
    FG_RPC_OK = 0,
    FG_RPC_CANCELLED = 1,
    FG_RPC_UNKNOWN = 2,
    FG_RPC_INVALID_ARGUMENT = 3,
    FG_RPC_DEADLINE_EXCEEDED = 4,
    FG_RPC_NOT_FOUND = 5,
    FG_RPC_PERMISSION_DENIED = 7,
    FG_RPC_RESOURCE_EXHAUSTED = 8,
    FG_RPC_UNIMPLEMENTED = 12,
    FG_RPC_INTERNAL = 13,
    FG_RPC_UNAVAILABLE = 14,
    FG_RPC_UNAUTHENTICATED = 16,
};

/* rejected_spans 0 with an empty message is full success: an empty message in protobuf, {} in JSON.
 * With 0 and a message the message is a warning. */
void fg_otlp_response_encode(struct fg_buffer *buffer, enum fg_otlp_format format,
                             uint64_t rejected_spans, struct fg_slice error_message);

/* retry_delay_ns 0: no RetryInfo. The protobuf form is what grpc-status-details-bin carries in
 * base64. */
void fg_rpc_status_encode(struct fg_buffer *buffer, enum fg_otlp_format format,
                          enum fg_rpc_code code, struct fg_slice message, uint64_t retry_delay_ns);
