#include "http2.h"

#include "base/limits.h"
#include "conn.h"
#include "count.h"
#include "loop.h"

#include <stdlib.h>
#include <strings.h>

/* Bytes of one header block, as a multiple of what a request may have, after which decoding it any
 * further is a waste. */
#define HEAD_RATIO_MAX 4u
/* Calls of a connection, those included whose streams were given up, as a multiple of streams. */
#define CALL_RATIO_MAX 2u

static struct fg_http2 *http2_of(struct fg_conn *conn)
{
    return conn->state;
}

static struct fg_net_shared *shared_of(struct fg_http2 *http2)
{
    return http2->conn->loop->shared;
}

/* -- Limits ---------------------------------------------------------------------------------------
 */

static void go_away(struct fg_http2 *http2, uint32_t code)
{
    if (http2->is_over)
        return;
    http2->is_over = true;
    http2->is_broken |= nghttp2_session_terminate_session(http2->session, code) != 0;
}

static void calm_down(struct fg_http2 *http2, enum fg_refusal_reason reason)
{
    if (!http2->is_over)
        fg_conn_count_abuse(http2->conn, reason);
    go_away(http2, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void begin_window(struct fg_http2 *http2)
{
    uint64_t now_ns = http2->conn->loop->now_ns;
    if (now_ns - http2->flood_since_ns < shared_of(http2)->limits.flood_window_ns)
        return;
    http2->flood_since_ns = now_ns;
    http2->resets = http2->control_frames = 0;
}

static void count_reset(struct fg_http2 *http2)
{
    begin_window(http2);
    if (++http2->resets > shared_of(http2)->limits.resets_max)
        calm_down(http2, FG_REFUSED_RESET_FLOOD);
}

static void count_control_frame(struct fg_http2 *http2)
{
    begin_window(http2);
    if (++http2->control_frames > shared_of(http2)->limits.control_frames_max)
        calm_down(http2, FG_REFUSED_CONTROL_FLOOD);
}

/* -- What nghttp2 calls ---------------------------------------------------------------------------
 */

static struct fg_call *call_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct fg_http2 *http2 = user;
    struct fg_conn *conn = http2->conn;
    const struct fg_net_limits *limits = &shared_of(http2)->limits;
    http2->head_since_ns = conn->loop->now_ns;
    http2->head_bytes = 0;
    fg_conn_wake_at(conn, http2->head_since_ns + limits->header_timeout_ns);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    int32_t id = frame->hd.stream_id;
    if (conn->call_count / CALL_RATIO_MAX >= limits->connection_streams_max)
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    struct fg_call *call = fg_call_new(conn, FG_PROTOCOL_HTTP2);
    if (!call) {
        fg_net_count(&shared_of(http2)->counters.refused[FG_REFUSED_MEMORY], 1);
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    }
    call->stream_id = id;
    return nghttp2_session_set_stream_user_data(session, id, call);
}

static enum fg_method method_of(struct fg_slice name)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (fg_slice_equal(name, fg_slice_from_string(names[i])))
            return (enum fg_method)i;
    return FG_METHOD_OTHER;
}

static void add_field(struct fg_call *call, struct fg_slice name, struct fg_slice value)
{
    if (fg_slice_equal(name, FG_SLICE(":method"))) {
        call->request.method = method_of(value);
    } else if (fg_slice_equal(name, FG_SLICE(":path"))) {
        fg_head_add_url(call, value);
    } else if (fg_slice_equal(name, FG_SLICE(":authority"))) {
        fg_head_add_authority(call, value);
    } else if (name.size && name.data[0] != ':') {
        fg_head_begin_field(call);
        fg_head_add_name(call, name);
        fg_head_add_value(call, value);
    }
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user)
{
    struct fg_http2 *http2 = user;
    const struct fg_net_limits *limits = &shared_of(http2)->limits;
    struct fg_call *call = call_of(session, frame->hd.stream_id);
    (void)flags;
    http2->head_bytes += name_size + value_size;
    if (http2->head_bytes / HEAD_RATIO_MAX > limits->header_size_max + limits->url_size_max)
        calm_down(http2, FG_REFUSED_HEADER_SIZE);
    else if (call && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        add_field(call, fg_slice(name, name_size), fg_slice(value, value_size));
    return 0;
}

/* A name or value with bytes that may not be in one. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_size, const uint8_t *value,
                             size_t value_size, uint8_t flags, void *user)
{
    struct fg_call *call = call_of(session, frame->hd.stream_id);
    (void)name;
    (void)name_size;
    (void)value;
    (void)value_size;
    (void)flags;
    (void)user;
    if (call && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        fg_call_fail(call, FG_REFUSED_MALFORMED, "a header has bytes that may not be in one");
    return 0;
}

/* RFC 9110 section 10.1.1: a client that waits with its body hears that it is wanted. */
static void continue_client(struct fg_http2 *http2, struct fg_call *call)
{
    struct fg_slice expect = fg_request_field(&call->request, "expect");
    const nghttp2_nv status = {.name = (uint8_t *)(uintptr_t) ":status",
                               .value = (uint8_t *)(uintptr_t) "100",
                               .namelen = 7,
                               .valuelen = 3};
    if (expect.size == 0 || fg_call_is_answered(call))
        return;
    if (expect.size != 12 || strncasecmp((const char *)expect.data, "100-continue", 12) != 0)
        fg_call_refuse(call, FG_REFUSED_EXPECTATION, NULL);
    else if (nghttp2_submit_headers(http2->session, NGHTTP2_FLAG_NONE, call->stream_id, NULL,
                                    &status, 1, NULL) < 0)
        http2->is_broken = true;
}

static void take_head(struct fg_http2 *http2, struct fg_call *call, bool is_end)
{
    struct fg_net_loop *loop = http2->conn->loop;
    fg_call_on_head(call);
    if (!is_end)
        continue_client(http2, call);
    fg_conn_wake_at(http2->conn, fg_net_body_due_ns(loop, loop->now_ns, 0));
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct fg_http2 *http2 = user;
    struct fg_call *call = call_of(session, frame->hd.stream_id);
    bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    bool is_ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        http2->head_since_ns = 0;
        if (call && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
            take_head(http2, call, is_end);
        break;
    case NGHTTP2_DATA:
        if (!is_end && frame->hd.length == frame->data.padlen)
            count_control_frame(http2);
        break;
    case NGHTTP2_RST_STREAM:
        fg_net_count(&shared_of(http2)->counters.streams_reset, 1);
        count_reset(http2);
        return 0;
    case NGHTTP2_PING:
    case NGHTTP2_SETTINGS:
        if (!is_ack)
            count_control_frame(http2);
        return 0;
    default:
        return 0;
    }
    if (is_end && call && !call->is_whole)
        fg_call_on_whole(call);
    return 0;
}

/* A PRIORITY frame, which is obsolete, is seen only here. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *header, void *user)
{
    (void)session;
    if (header->type == NGHTTP2_PRIORITY)
        count_control_frame(user);
    return 0;
}

static int on_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                    size_t size, void *user)
{
    struct fg_call *call = call_of(session, stream_id);
    (void)flags;
    (void)user;
    if (call)
        fg_call_on_body(call, fg_slice(data, size));
    return 0;
}

/* What makes the server reset a stream is as cheap for the client as doing it itself. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *user)
{
    struct fg_http2 *http2 = user;
    (void)session;
    (void)frame;
    (void)error;
    fg_conn_count_abuse(http2->conn, FG_REFUSED_MALFORMED);
    http2->was_invalid = true;
    http2->head_since_ns = 0;
    count_reset(http2);
    return 0;
}

/* nghttp2 ends connections by itself, mostly after on_invalid_frame(). */
static void on_goaway_sent(struct fg_http2 *http2, const nghttp2_goaway *goaway)
{
    bool is_own = http2->is_over || http2->was_invalid || goaway->error_code == NGHTTP2_NO_ERROR;
    if (!is_own)
        fg_conn_count_abuse(http2->conn, FG_REFUSED_MALFORMED);
}

/* An answer's end, from the server's side: where the client still sends, it need not go on (RFC
 * 9113 section 8.1). */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        on_goaway_sent(user, &frame->goaway);
    if (!may_end || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    int32_t id = frame->hd.stream_id;
    struct fg_call *call = call_of(session, id);
    if (!call)
        return 0;
    bool is_whole = call->is_whole;
    nghttp2_session_set_stream_user_data(session, id, NULL);
    fg_call_end(call);
    return is_whole ? 0
                    : nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *user)
{
    struct fg_http2 *http2 = user;
    struct fg_call *call = call_of(session, stream_id);
    (void)code;
    http2->idle_since_ns = http2->conn->loop->now_ns;
    fg_conn_wake_at(http2->conn, http2->idle_since_ns + shared_of(http2)->limits.idle_timeout_ns);
    if (call) {
        nghttp2_session_set_stream_user_data(session, stream_id, NULL);
        fg_call_detach(call);
    }
    return 0;
}

/* -- The connection -------------------------------------------------------------------------------
 */

static void input(struct fg_conn *conn, struct fg_slice bytes)
{
    struct fg_http2 *http2 = http2_of(conn);
    if (http2->is_over)
        return; /* read and dropped until GOAWAY is out */
    ssize_t used = nghttp2_session_mem_recv(http2->session, bytes.data, bytes.size);
    if (used == NGHTTP2_ERR_FLOODED)
        calm_down(http2, FG_REFUSED_CONTROL_FLOOD);
    else if (used == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
        calm_down(http2, FG_REFUSED_HEADER_SIZE);
    else if (used < 0)
        http2->is_broken = true;
}

static void eof(struct fg_conn *conn)
{
    fg_conn_cut(conn, false);
}

static void advance(struct fg_conn *conn)
{
    fg_http2_send(http2_of(conn));
}

static void drain(struct fg_conn *conn)
{
    struct fg_http2 *http2 = http2_of(conn);
    int32_t last = nghttp2_session_get_last_proc_stream_id(http2->session);
    http2->is_broken |= nghttp2_submit_goaway(http2->session, NGHTTP2_FLAG_NONE, last,
                                              NGHTTP2_NO_ERROR, NULL, 0) != 0;
    fg_conn_touch(conn);
}

static uint64_t call_due_ns(const struct fg_call *call)
{
    const struct fg_answer *answer = &call->answer;
    uint64_t timeout_ns = call->loop->shared->limits.write_timeout_ns;
    switch (answer->state) {
    case FG_ANSWER_NONE:
        return call->is_whole || !call->body_since_ns
                   ? UINT64_MAX
                   : fg_net_body_due_ns(call->loop, call->body_since_ns, call->body.size);
    case FG_ANSWER_READY:
    case FG_ANSWER_SENDING:
        return answer->stalled_since_ns + timeout_ns;
    default:
        return UINT64_MAX;
    }
}

static void call_late(struct fg_http2 *http2, struct fg_call *call)
{
    if (!fg_call_is_answered(call)) {
        fg_call_refuse(call, FG_REFUSED_TIMEOUT, NULL);
        return;
    }
    fg_net_count(&shared_of(http2)->counters.connections_stall_closed, 1);
    http2->is_broken |= nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE,
                                                  call->stream_id, NGHTTP2_CANCEL) != 0;
    call->answer.stalled_since_ns = call->loop->now_ns;
}

static uint64_t conn_due_ns(struct fg_http2 *http2)
{
    const struct fg_net_limits *limits = &shared_of(http2)->limits;
    if (http2->is_over)
        return UINT64_MAX;
    if (http2->head_since_ns)
        return http2->head_since_ns + limits->header_timeout_ns;
    return http2->conn->calls ? UINT64_MAX : http2->idle_since_ns + limits->idle_timeout_ns;
}

static void conn_late(struct fg_http2 *http2)
{
    struct fg_net_counters *counters = &shared_of(http2)->counters;
    if (http2->head_since_ns)
        fg_net_count(&counters->refused[FG_REFUSED_TIMEOUT], 1);
    else
        fg_net_count(&counters->connections_idle_closed, 1);
    go_away(http2, http2->head_since_ns ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_NO_ERROR);
}

static uint64_t on_time(struct fg_conn *conn)
{
    struct fg_http2 *http2 = http2_of(conn);
    uint64_t now_ns = conn->loop->now_ns, earliest_ns = UINT64_MAX;
    struct fg_call *next;
    for (struct fg_call *call = conn->calls; call; call = next) {
        next = call->next;
        uint64_t due_ns = call->is_gone ? UINT64_MAX : call_due_ns(call);
        if (due_ns <= now_ns) {
            call_late(http2, call);
            due_ns = call_due_ns(call);
        }
        earliest_ns = due_ns < earliest_ns ? due_ns : earliest_ns;
    }
    uint64_t due_ns = conn_due_ns(http2);
    if (due_ns <= now_ns) {
        conn_late(http2);
        due_ns = UINT64_MAX;
    }
    return due_ns < earliest_ns ? due_ns : earliest_ns;
}

static void http2_free(struct fg_conn *conn)
{
    struct fg_http2 *http2 = http2_of(conn);
    nghttp2_session_del(http2->session);
    fg_buffer_free(&http2->out);
    free(http2);
}

static const struct fg_protocol protocol = {
    .input = input,
    .eof = eof,
    .advance = advance,
    .on_time = on_time,
    .drain = drain,
    .answer = fg_http2_answer,
    .resume = fg_http2_resume,
    .free = http2_free,
};

/* -- Start ----------------------------------------------------------------------------------------
 */

static int session_new(struct fg_http2 *http2)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return FG_ENOMEM;
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_chunk);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    int r = nghttp2_session_server_new(&http2->session, callbacks, http2);
    nghttp2_session_callbacks_del(callbacks);
    return r == 0 ? 0 : FG_ENOMEM;
}

static int session_greet(struct fg_http2 *http2)
{
    const struct fg_net_limits *limits = &shared_of(http2)->limits;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->connection_streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, FG_NET_STREAM_WINDOW_SIZE},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
         (uint32_t)(limits->header_size_max + limits->url_size_max)},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    int r = nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, settings,
                                    sizeof settings / sizeof *settings);
    if (r == 0)
        r = nghttp2_session_set_local_window_size(http2->session, NGHTTP2_FLAG_NONE, 0,
                                                  FG_NET_CONNECTION_WINDOW_SIZE);
    return r == 0 ? 0 : FG_ENOMEM;
}

int fg_http2_start(struct fg_conn *conn)
{
    struct fg_http2 *http2 = calloc(1, sizeof *http2);
    if (!http2)
        return FG_ENOMEM;
    http2->conn = conn;
    http2->idle_since_ns = http2->flood_since_ns = conn->loop->now_ns;
    fg_buffer_init(&http2->out, SIZE_MAX);
    int r = session_new(http2);
    if (r == 0)
        r = session_greet(http2);
    if (r < 0) {
        nghttp2_session_del(http2->session);
        free(http2);
        return r;
    }
    conn->state = http2;
    conn->protocol = &protocol;
    fg_conn_wake_at(conn, http2->idle_since_ns + conn->loop->shared->limits.idle_timeout_ns);
    return 0;
}
