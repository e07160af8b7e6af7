/* Answers on HTTP/2 streams, and the way of frames to the socket. */
#include "http2.h"

#include "conn.h"
#include "loop.h"

#include <stdio.h>

/* :status, date, content-type, content-length. */
#define OWN_FIELDS_MAX 4u
/* Frames are gathered up to this before they are written. */
#define GATHER_SIZE ((size_t)64 << 10)

static nghttp2_nv field(const char *name, const char *value)
{
    /* Both are copied when the answer is submitted. */
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value)};
}

static nghttp2_nv field_of(const struct fg_header_field *from)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)from->name.data,
                        .value = (uint8_t *)(uintptr_t)from->value.data,
                        .namelen = from->name.size,
                        .valuelen = from->value.size};
}

/* Marks the end of the data; gRPC's status follows it. */
static void end_data(nghttp2_session *session, struct fg_call *call, uint32_t *flags)
{
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!call->answer.has_trailers)
        return;
    const nghttp2_nv trailers[] = {field("grpc-status", "0")};
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    if (nghttp2_submit_trailer(session, call->stream_id, trailers, 1) != 0)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, call->stream_id,
                                  NGHTTP2_INTERNAL_ERROR);
}

/* nghttp2 asks for so many bytes as the client's windows and a frame take. */
static ssize_t on_data(nghttp2_session *session, int32_t stream_id, uint8_t *data, size_t size,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct fg_call *call = source->ptr;
    struct fg_answer *answer = &call->answer;
    (void)stream_id;
    (void)user;
    answer->state = FG_ANSWER_SENDING;
    answer->stalled_since_ns = call->loop->now_ns;
    if (answer->generator && answer->body_at == answer->body.size && !answer->is_last) {
        int r = fg_answer_pull_part(call);
        if (r == FG_EAGAIN)
            return NGHTTP2_ERR_DEFERRED;
        if (r < 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    size_t rest = answer->body.size - answer->body_at;
    if (rest < size)
        size = rest;
    if (size)
        memcpy(data, answer->body.data + answer->body_at, size);
    answer->body_at += size;
    bool is_last = !answer->generator || answer->is_last;
    if (is_last && answer->body_at == answer->body.size)
        end_data(session, call, flags);
    return (ssize_t)size;
}

void fg_http2_answer(struct fg_call *call, const struct fg_response *response)
{
    struct fg_http2 *http2 = call->conn->state;
    struct fg_answer *answer = &call->answer;
    nghttp2_nv fields[OWN_FIELDS_MAX + FG_NET_RESPONSE_FIELDS_MAX];
    size_t count = 0;
    char status[12], length[24];
    bool is_pulled = answer->generator != NULL;
    bool has_length =
        !is_pulled && !call->request.is_grpc && response->status != 204 && response->status != 304;
    snprintf(status, sizeof status, "%u", response->status);
    snprintf(length, sizeof length, "%zu", answer->body.size);
    fields[count++] = field(":status", status);
    fields[count++] = field("date", fg_net_loop_date(call->loop));
    if (response->content_type)
        fields[count++] = field("content-type", response->content_type);
    if (has_length)
        fields[count++] = field("content-length", length);
    for (size_t i = 0; i < response->field_count; i++)
        fields[count++] = field_of(&response->fields[i]);
    bool has_data = answer->has_body && (is_pulled || answer->body.size);
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = on_data};
    int r = answer->body.error ? NGHTTP2_ERR_NOMEM
                               : nghttp2_submit_response(http2->session, call->stream_id, fields,
                                                         count, has_data ? &provider : NULL);
    if (r != 0)
        nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, call->stream_id,
                                  NGHTTP2_INTERNAL_ERROR);
    answer->stalled_since_ns = call->loop->now_ns;
    fg_conn_wake_at(call->conn, call->loop->now_ns + call->loop->shared->limits.write_timeout_ns);
}

void fg_http2_resume(struct fg_call *call)
{
    struct fg_http2 *http2 = call->conn->state;
    call->answer.stalled_since_ns = call->loop->now_ns;
    /* What can't be resumed is a stream that is closing. */
    nghttp2_session_resume_data(http2->session, call->stream_id);
}

/* Gathers frames in the loop's scratch. False: there are none. */
static bool gather(struct fg_http2 *http2, struct fg_buffer *scratch)
{
    fg_buffer_reset(scratch);
    while (scratch->size < GATHER_SIZE) {
        const uint8_t *frame;
        ssize_t size = nghttp2_session_mem_send(http2->session, &frame);
        if (size < 0)
            http2->is_broken = true;
        if (size <= 0)
            break;
        fg_buffer_append(scratch, frame, (size_t)size);
    }
    http2->is_broken |= scratch->error != 0;
    return scratch->size > 0 && !http2->is_broken;
}

/* What the socket does not take at once is copied from the scratch, which others use next. */
static bool write_gathered(struct fg_http2 *http2, const struct fg_buffer *scratch, bool later)
{
    struct fg_conn *conn = http2->conn;
    struct iovec part = {scratch->data, scratch->size};
    size_t taken = 0;
    if (!later && conn->transport->try_write(conn, &part, 1, &taken) < 0) {
        fg_conn_cut(conn, true);
        return false;
    }
    fg_conn_count_out(conn, taken);
    if (taken == scratch->size)
        return true;
    fg_buffer_reset(&http2->out);
    fg_buffer_append(&http2->out, scratch->data + taken, scratch->size - taken);
    if (http2->out.error) {
        fg_conn_cut(conn, true);
        return false;
    }
    part = (struct iovec){http2->out.data, http2->out.size};
    return fg_conn_write(conn, &part, 1, true);
}

void fg_http2_send(struct fg_http2 *http2)
{
    struct fg_conn *conn = http2->conn;
    struct fg_buffer *scratch = &conn->loop->scratch;
    /* After the first the rest waits for the next turn: a fast reader leaves time to others. */
    for (bool later = false; !conn->is_writing && gather(http2, scratch); later = true)
        if (!write_gathered(http2, scratch, later))
            return;
    if (conn->is_writing)
        return;
    fg_buffer_free(&http2->out);
    if (http2->is_broken)
        fg_conn_cut(conn, true);
    else if (!nghttp2_session_want_read(http2->session) &&
             !nghttp2_session_want_write(http2->session))
        fg_conn_finish(conn);
}
