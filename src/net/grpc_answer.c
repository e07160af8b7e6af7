/* Answers of unary gRPC calls: one framed message and trailers, or a status alone (Trailers-Only of
 * grpc/doc/PROTOCOL-HTTP2.md). */
#include "net/grpc.h"

#include "base/endian.h"
#include "call.h"

#include <assert.h>
#include <stdio.h>

#define STATUS_FIELDS_MAX 4u
/* What a status may say; peers take 8 KiB of header at least. */
#define TEXT_SIZE_MAX ((size_t)6 << 10)

void fg_grpc_respond(struct fg_request *request, struct fg_slice message)
{
    struct fg_call *call = fg_call_of(request);
    assert(request->is_grpc && message.size <= UINT32_MAX);
    const struct fg_response response = {.status = 200, .content_type = "application/grpc"};
    uint8_t header[FG_GRPC_FRAME_HEADER_SIZE] = {0};
    fg_store_be32(header + 1, (uint32_t)message.size);
    fg_buffer_append(&call->answer.body, header, sizeof header);
    fg_buffer_append_slice(&call->answer.body, message);
    fg_call_respond_grpc(call, &response, true);
}

/* RFC 4648 section 4, without the padding, as gRPC wants it in -bin fields. */
static void append_base64(struct fg_buffer *buffer, struct fg_slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t count = bytes.size - i < 3 ? bytes.size - i : 3;
        uint32_t group = 0;
        for (size_t k = 0; k < count; k++)
            group |= (uint32_t)bytes.data[i + k] << (16 - 8 * k);
        for (size_t k = 0; k <= count; k++)
            fg_buffer_append_byte(buffer, (uint8_t)digits[group >> (18 - 6 * k) & 63]);
    }
}

void fg_grpc_respond_status(struct fg_request *request, enum fg_grpc_status status,
                            const char *message, struct fg_slice details)
{
    struct fg_call *call = fg_call_of(request);
    struct fg_header_field fields[STATUS_FIELDS_MAX];
    size_t count = 0;
    char digits[12];
    struct fg_buffer text, binary;
    assert(request->is_grpc);
    fg_buffer_init(&text, TEXT_SIZE_MAX);
    fg_buffer_init(&binary, TEXT_SIZE_MAX);
    fg_grpc_message_encode(&text, fg_slice_from_string(message));
    append_base64(&binary, details);
    snprintf(digits, sizeof digits, "%u", (unsigned)status);
    fields[count++] =
        (struct fg_header_field){FG_SLICE("grpc-status"), fg_slice_from_string(digits)};
    /* A status that has no memory, or no room, for its words is still one. */
    if (text.size && !text.error)
        fields[count++] =
            (struct fg_header_field){FG_SLICE("grpc-message"), fg_buffer_slice(&text)};
    if (binary.size && !binary.error)
        fields[count++] =
            (struct fg_header_field){FG_SLICE("grpc-status-details-bin"), fg_buffer_slice(&binary)};
    if (status == FG_GRPC_UNIMPLEMENTED)
        fields[count++] = (struct fg_header_field){FG_SLICE("grpc-accept-encoding"),
                                                   FG_SLICE("identity,gzip,zstd,deflate")};
    const struct fg_response response = {
        .status = 200, .content_type = "application/grpc", .fields = fields, .field_count = count};
    fg_call_respond_grpc(call, &response, false);
    fg_buffer_free(&text);
    fg_buffer_free(&binary);
}
