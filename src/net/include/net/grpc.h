/* gRPC over HTTP/2, unary calls (grpc/doc/PROTOCOL-HTTP2.md).
 *
 * A message is framed as: compressed flag (1 byte), length (4 bytes, big-endian), message. net
 * takes the frame off before on_request and puts it on here. */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

struct fg_request;

#define FG_GRPC_FRAME_HEADER_SIZE 5

/* grpc/doc/statuscodes.md; the same numbers as google.rpc.Code. */
enum fg_grpc_status {
    FG_GRPC_OK = 0,
    FG_GRPC_CANCELLED = 1,
    FG_GRPC_UNKNOWN = 2,
    FG_GRPC_INVALID_ARGUMENT = 3,
    FG_GRPC_DEADLINE_EXCEEDED = 4,
    FG_GRPC_NOT_FOUND = 5,
    FG_GRPC_PERMISSION_DENIED = 7,
    FG_GRPC_RESOURCE_EXHAUSTED = 8,
    FG_GRPC_FAILED_PRECONDITION = 9,
    FG_GRPC_UNIMPLEMENTED = 12,
    FG_GRPC_INTERNAL = 13,
    FG_GRPC_UNAVAILABLE = 14,
    FG_GRPC_UNAUTHENTICATED = 16,
};

/* Answers with one message and status OK. For requests with is_grpc; loop thread. */
void fg_grpc_respond(struct fg_request *request, struct fg_slice message);

/* Answers with a status and no message (Trailers-Only). message may be NULL. details: an encoded
 * google.rpc.Status for grpc-status-details-bin, or empty. */
void fg_grpc_respond_status(struct fg_request *request, enum fg_grpc_status status,
                            const char *message, struct fg_slice details);

/* -- The codecs, pure
 * ---------------------------------------------------------------------------------------------------
 */

struct fg_grpc_frame {
    bool compressed;
    struct fg_slice message; /* within the body */
};

/* Takes the frame off a unary request's whole body. FG_EINVALID: no frame, cut short, a flag other
 * than 0 and 1. FG_EUNSUPPORTED: a second message. */
FG_MUST_CHECK int fg_grpc_unframe(struct fg_slice body, struct fg_grpc_frame *ret_frame);

/* grpc-timeout: at most 8 digits and one of H M S m u n. FG_EINVALID. */
FG_MUST_CHECK int fg_grpc_timeout_parse(struct fg_slice text, uint64_t *ret_ns);

/* grpc-message: bytes outside ' '..'~', and '%', become %XX. */
void fg_grpc_message_encode(struct fg_buffer *buffer, struct fg_slice text);
