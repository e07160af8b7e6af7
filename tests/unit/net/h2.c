#include "h2.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user)
{
    struct h2_stream *stream = stream_of(session, frame->hd.stream_id);
    (void)flags;
    (void)user;
    if (!stream)
        return 0;
    if (name_size == 7 && memcmp(name, ":status", 7) == 0)
        stream->status = (unsigned)strtoul((const char *)value, NULL, 10);
    stream->fields.size -= stream->fields.size ? 1 : 0;
    fg_buffer_append_format(&stream->fields, "%.*s: %.*s\n", (int)name_size, (const char *)name,
                            (int)value_size, (const char *)value);
    fg_buffer_append_byte(&stream->fields, 0);
    return 0;
}

static int on_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                    size_t size, void *user)
{
    struct h2_stream *stream = stream_of(session, id);
    (void)flags;
    (void)user;
    if (stream)
        fg_buffer_append(&stream->body, data, size);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct h2_stream *stream = stream_of(session, id);
    (void)user;
    if (!stream)
        return 0;
    stream->is_closed = true;
    stream->close_code = code;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h2 = user;
    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        h2->goaway_last = frame->goaway.last_stream_id;
        h2->goaway_code = frame->goaway.error_code;
    }
    return 0;
}

struct h2 *h2_connect(int32_t window)
{
    struct h2 *h2 = calloc(1, sizeof *h2);
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    assert_non_null(h2);
    h2->fd = client_connect();
    h2->goaway_last = -1;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_option_new(&option);
    if (window < 65535)
        nghttp2_option_set_no_auto_window_update(option, 1);
    assert_int_equal(nghttp2_session_client_new2(&h2->session, callbacks, h2, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                                             (uint32_t)window};
    nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, &settings, 1);
    if (window > 65535)
        nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, window);
    return h2;
}

void h2_close(struct h2 *h2)
{
    nghttp2_session_del(h2->session);
    close(h2->fd);
    for (unsigned i = 0; i < h2->stream_count; i++) {
        fg_buffer_free(&h2->streams[i].fields);
        fg_buffer_free(&h2->streams[i].body);
    }
    free(h2);
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *data, size_t size,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct h2_stream *stream = source->ptr;
    size_t rest = stream->request_body.size - stream->request_at;
    (void)session;
    (void)id;
    (void)user;
    size = size < rest ? size : rest;
    if (size == 0 && stream->holds_back)
        return NGHTTP2_ERR_DEFERRED;
    if (size)
        memcpy(data, stream->request_body.data + stream->request_at, size);
    stream->request_at += size;
    if (stream->request_at == stream->request_body.size && !stream->holds_back)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)size;
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value)};
}

struct h2_stream *h2_request(struct h2 *h2, const char *method, const char *path,
                             struct fg_slice body, bool holds_back, const char *const fields[][2])
{
    nghttp2_nv nvs[200];
    size_t count = 0;
    assert_true(h2->stream_count < H2_STREAMS_MAX);
    struct h2_stream *stream = &h2->streams[h2->stream_count++];
    *stream = (struct h2_stream){.request_body = body, .holds_back = holds_back};
    fg_buffer_init(&stream->fields, 1 << 20);
    fg_buffer_init(&stream->body, (size_t)1 << 30);
    nvs[count++] = nv(":method", method);
    nvs[count++] = nv(":scheme", "http");
    nvs[count++] = nv(":path", path);
    nvs[count++] = nv(":authority", "filigree:4317");
    for (size_t i = 0; fields && fields[i][0]; i++) {
        assert_true(count < 200);
        nvs[count++] = nv(fields[i][0], fields[i][1]);
    }
    const nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = on_read};
    bool has_body = body.size || holds_back;
    stream->id =
        nghttp2_submit_request(h2->session, NULL, nvs, count, has_body ? &provider : NULL, stream);
    assert_true(stream->id > 0);
    return stream;
}

struct h2_stream *h2_call(struct h2 *h2, const char *path, struct fg_slice body,
                          const char *const fields[][2])
{
    const char *all[20][2] = {{"content-type", "application/grpc+proto"}, {"te", "trailers"}};
    for (size_t i = 0; fields && fields[i][0]; i++) {
        all[2 + i][0] = fields[i][0];
        all[2 + i][1] = fields[i][1];
    }
    return h2_request(h2, "POST", path, body, false, (const char *const(*)[2])all);
}

void h2_flush(struct h2 *h2)
{
    const uint8_t *data;
    ssize_t size;
    while ((size = nghttp2_session_mem_send(h2->session, &data)) > 0)
        client_send(h2->fd, data, (size_t)size);
    assert_int_equal(size, 0);
}

void h2_read_some(struct h2 *h2, int timeout_ms)
{
    static uint8_t data[65536];
    struct pollfd poll_fd = {.fd = h2->fd, .events = POLLIN};
    if (poll(&poll_fd, 1, timeout_ms) <= 0)
        return;
    ssize_t size = recv(h2->fd, data, sizeof data, 0);
    h2->is_ended = size <= 0;
    if (size > 0)
        assert_true(nghttp2_session_mem_recv(h2->session, data, (size_t)size) >= 0);
}

void h2_wait(struct h2 *h2, struct h2_stream *stream)
{
    for (int i = 0; i < 20000 && !stream->is_closed && !h2->is_ended; i++) {
        h2_flush(h2);
        h2_read_some(h2, 1000);
    }
    assert_true(stream->is_closed || h2->is_ended);
}

void h2_wait_end(struct h2 *h2)
{
    for (int i = 0; i < 60 && !h2->is_ended; i++)
        h2_read_some(h2, 1000);
    assert_true(h2->is_ended);
}

bool h2_has(const struct h2_stream *stream, const char *line)
{
    return stream->fields.data && strstr((const char *)stream->fields.data, line) != NULL;
}
