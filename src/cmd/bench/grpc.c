#include "bench/grpc.h"

#include "base/endian.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_HEADER_SIZE 5u
#define MESSAGE_SIZE_MAX  512u
#define TEXT_SIZE_MAX     128u

struct fg_bench_grpc {
    nghttp2_session *session;
    const char *address, *path;
    int32_t stream; /* of the call that is under way; 0: none */
    uint8_t frame_header[FRAME_HEADER_SIZE];
    struct fg_slice message;
    size_t sent; /* of frame header and message together */

    bool answered;
    int http_status, grpc_status;
    uint8_t answer[FRAME_HEADER_SIZE + MESSAGE_SIZE_MAX];
    size_t answer_size;
    char text[TEXT_SIZE_MAX];
};

static int number_of(const uint8_t *value, size_t size)
{
    int number = 0;
    if (size == 0 || size > 4)
        return -1;
    for (size_t i = 0; i < size; i++) {
        if (value[i] < '0' || value[i] > '9')
            return -1;
        number = number * 10 + (value[i] - '0');
    }
    return number;
}

static bool is_name(const uint8_t *name, size_t size, const char *wanted)
{
    return size == strlen(wanted) && memcmp(name, wanted, size) == 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *arg)
{
    struct fg_bench_grpc *grpc = arg;
    (void)session, (void)flags;
    if (frame->hd.stream_id != grpc->stream)
        return 0;
    if (is_name(name, name_size, ":status"))
        grpc->http_status = number_of(value, value_size);
    else if (is_name(name, name_size, "grpc-status"))
        grpc->grpc_status = number_of(value, value_size);
    else if (is_name(name, name_size, "grpc-message")) {
        size_t size = value_size < sizeof grpc->text - 1 ? value_size : sizeof grpc->text - 1;
        memcpy(grpc->text, value, size);
        grpc->text[size] = 0;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t size, void *arg)
{
    struct fg_bench_grpc *grpc = arg;
    (void)session, (void)flags;
    size_t room = sizeof grpc->answer - grpc->answer_size;
    size_t part = size < room ? size : room;
    if (stream == grpc->stream && part) {
        memcpy(grpc->answer + grpc->answer_size, data, part);
        grpc->answer_size += part;
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *arg)
{
    struct fg_bench_grpc *grpc = arg;
    (void)session, (void)error;
    if (stream == grpc->stream) {
        grpc->stream = 0;
        grpc->answered = true;
    }
    return 0;
}

int fg_bench_grpc_new(const char *address, const char *path, struct fg_bench_grpc **ret_grpc)
{
    struct fg_bench_grpc *grpc = calloc(1, sizeof *grpc);
    nghttp2_session_callbacks *callbacks = NULL;
    if (!grpc || nghttp2_session_callbacks_new(&callbacks) != 0) {
        free(grpc);
        return FG_ENOMEM;
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    int r = nghttp2_session_client_new(&grpc->session, callbacks, grpc);
    nghttp2_session_callbacks_del(callbacks);
    if (r == 0)
        r = nghttp2_submit_settings(grpc->session, NGHTTP2_FLAG_NONE, NULL, 0);
    if (r != 0) {
        fg_bench_grpc_free(grpc);
        return FG_ENOMEM;
    }
    grpc->address = address;
    grpc->path = path;
    *ret_grpc = grpc;
    return 0;
}

void fg_bench_grpc_free(struct fg_bench_grpc *grpc)
{
    if (!grpc)
        return;
    nghttp2_session_del(grpc->session);
    free(grpc);
}

/* Frame header and message, as one. */
static ssize_t read_message(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
                            uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct fg_bench_grpc *grpc = arg;
    (void)session, (void)stream, (void)source;
    size_t done = 0;
    while (done < size && grpc->sent < FRAME_HEADER_SIZE)
        out[done++] = grpc->frame_header[grpc->sent++];
    size_t rest = FRAME_HEADER_SIZE + grpc->message.size - grpc->sent;
    size_t part = size - done < rest ? size - done : rest;
    if (part)
        memcpy(out + done, grpc->message.data + (grpc->sent - FRAME_HEADER_SIZE), part);
    grpc->sent += part;
    if (part == rest)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)(done + part);
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value)};
}

int fg_bench_grpc_call(struct fg_bench_grpc *grpc, struct fg_slice message)
{
    assert(grpc->stream == 0 && message.size <= UINT32_MAX);
    const nghttp2_nv fields[] = {field(":method", "POST"),
                                 field(":scheme", "http"),
                                 field(":authority", grpc->address),
                                 field(":path", grpc->path),
                                 field("content-type", "application/grpc"),
                                 field("te", "trailers")};
    nghttp2_data_provider body = {.read_callback = read_message};
    if (!nghttp2_session_check_request_allowed(grpc->session))
        return FG_EAGAIN;
    fg_store_be32(grpc->frame_header + 1, (uint32_t)message.size);
    grpc->message = message;
    grpc->sent = grpc->answer_size = 0;
    grpc->answered = false;
    grpc->http_status = grpc->grpc_status = -1;
    grpc->text[0] = 0;
    int32_t stream = nghttp2_submit_request(grpc->session, NULL, fields,
                                            sizeof fields / sizeof *fields, &body, NULL);
    if (stream < 0)
        return stream == NGHTTP2_ERR_NOMEM ? FG_ENOMEM : FG_EAGAIN;
    grpc->stream = stream;
    return 0;
}

int fg_bench_grpc_output(struct fg_bench_grpc *grpc, struct fg_slice *ret_bytes)
{
    const uint8_t *bytes;
    ssize_t size = nghttp2_session_mem_send(grpc->session, &bytes);
    if (size < 0)
        return size == NGHTTP2_ERR_NOMEM ? FG_ENOMEM : FG_EINVALID;
    *ret_bytes = fg_slice(bytes, (size_t)size);
    return 0;
}

int fg_bench_grpc_input(struct fg_bench_grpc *grpc, struct fg_slice bytes, bool *ret_answered,
                        struct fg_bench_grpc_answer *ret_answer)
{
    ssize_t size = nghttp2_session_mem_recv(grpc->session, bytes.data, bytes.size);
    if (size < 0)
        return size == NGHTTP2_ERR_NOMEM ? FG_ENOMEM : FG_EINVALID;
    *ret_answered = grpc->answered;
    grpc->answered = false;
    size_t skipped = grpc->answer_size < FRAME_HEADER_SIZE ? grpc->answer_size : FRAME_HEADER_SIZE;
    *ret_answer = (struct fg_bench_grpc_answer){
        .http_status = grpc->http_status,
        .grpc_status = grpc->grpc_status,
        .message = fg_slice(grpc->answer + skipped, grpc->answer_size - skipped),
        .text = grpc->text};
    return 0;
}
