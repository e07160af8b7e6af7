#include "http1.h"

#include "base/limits.h"
#include "conn.h"
#include "count.h"
#include "loop.h"

#include <stdlib.h>
#include <strings.h>

/* Room in a body's buffer below which it grows before it is read into. */
#define ROOM_MIN ((uint64_t)16 << 10)

static struct fg_http1 *http1_of(struct fg_conn *conn)
{
    return conn->state;
}

static bool is_equal(struct fg_slice text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

/* -- What the parser calls ------------------------------------------------------------------------
 */

static int on_message_begin(llhttp_t *parser)
{
    struct fg_http1 *http1 = parser->data;
    http1->has_begun = true;
    return 0;
}

static int after_head_piece(struct fg_http1 *http1)
{
    return http1->call->failure == FG_NO_FAILURE ? 0 : HPE_USER;
}

static int on_url(llhttp_t *parser, const char *at, size_t size)
{
    struct fg_http1 *http1 = parser->data;
    fg_head_add_url(http1->call, fg_slice(at, size));
    return after_head_piece(http1);
}

/* Trailers are bounded and dropped. */
static int on_trailer(struct fg_http1 *http1, size_t size)
{
    http1->trailers_size += size;
    size_t max = http1->conn->loop->shared->limits.header_size_max;
    return http1->trailers_size > max ? HPE_USER : 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t size)
{
    struct fg_http1 *http1 = parser->data;
    if (http1->received != FG_HTTP1_HEAD)
        return on_trailer(http1, size);
    if (http1->has_value)
        fg_head_begin_field(http1->call);
    http1->has_value = false;
    http1->value_pieces = 0;
    fg_head_add_name(http1->call, fg_slice(at, size));
    return after_head_piece(http1);
}

/* A value that goes on elsewhere than where it stopped is folded over lines, which is obsolete and
 * read differently by different servers: RFC 9112 section 5.2 wants it refused. */
static bool is_folded(const struct fg_http1 *http1, const char *at)
{
    if (http1->value_pieces == 0)
        return false;
    if (http1->value_end)
        return at != http1->value_end;
    return !http1->value_was_cut || at != http1->input;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t size)
{
    struct fg_http1 *http1 = parser->data;
    if (http1->received != FG_HTTP1_HEAD)
        return on_trailer(http1, size);
    if (is_folded(http1, at))
        fg_call_fail(http1->call, FG_REFUSED_MALFORMED, "a header's value is folded over lines");
    http1->value_pieces++;
    http1->value_end = at + size;
    http1->value_was_cut = http1->value_end == http1->input_end;
    fg_head_add_value(http1->call, fg_slice(at, size));
    return after_head_piece(http1);
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct fg_http1 *http1 = parser->data;
    http1->has_value = true;
    return 0;
}

static enum fg_method method_of(const llhttp_t *parser)
{
    switch (parser->method) {
    case HTTP_GET:
        return FG_METHOD_GET;
    case HTTP_HEAD:
        return FG_METHOD_HEAD;
    case HTTP_POST:
        return FG_METHOD_POST;
    case HTTP_PUT:
        return FG_METHOD_PUT;
    case HTTP_PATCH:
        return FG_METHOD_PATCH;
    case HTTP_DELETE:
        return FG_METHOD_DELETE;
    case HTTP_OPTIONS:
        return FG_METHOD_OPTIONS;
    default:
        return FG_METHOD_OTHER;
    }
}

/* What llhttp lets pass and two servers could read in two ways. */
static void check_head(struct fg_http1 *http1)
{
    struct fg_call *call = http1->call;
    const struct fg_head *head = &call->head;
    unsigned hosts = 0, codings = 0;
    bool is_chunked = true;
    for (uint32_t i = 0; i < head->field_count; i++) {
        const struct fg_head_field *field = &head->fields[i];
        struct fg_slice name = fg_slice(head->text + field->name_at, field->name_size);
        struct fg_slice value = fg_slice(head->text + field->value_at, field->value_size);
        if (name.size == 0)
            fg_call_fail(call, FG_REFUSED_MALFORMED, "a header has no name");
        hosts += fg_slice_equal(name, FG_SLICE("host"));
        if (!fg_slice_equal(name, FG_SLICE("transfer-encoding")))
            continue;
        codings++;
        is_chunked &= is_equal(value, "chunked");
    }
    if (http1->parser.http_major != 1)
        fg_call_fail(call, FG_REFUSED_MALFORMED, "this server speaks HTTP/1.1 and HTTP/2");
    if (http1->parser.http_minor > 0 && hosts != 1)
        fg_call_fail(call, FG_REFUSED_MALFORMED, "a request needs one Host");
    if (codings && (codings > 1 || !is_chunked || http1->parser.http_minor == 0))
        fg_call_fail(call, FG_REFUSED_MALFORMED,
                     "the only Transfer-Encoding this server takes is chunked, in HTTP/1.1");
}

/* RFC 9110 section 10.1.1. False: it expects what this server does not do. */
static bool take_expectation(struct fg_http1 *http1)
{
    const struct fg_head *head = &http1->call->head;
    for (uint32_t i = 0; i < head->field_count && http1->parser.http_minor > 0; i++) {
        const struct fg_head_field *field = &head->fields[i];
        struct fg_slice name = fg_slice(head->text + field->name_at, field->name_size);
        struct fg_slice value = fg_slice(head->text + field->value_at, field->value_size);
        if (!fg_slice_equal(name, FG_SLICE("expect")))
            continue;
        if (!is_equal(value, "100-continue"))
            return false;
        http1->owes_continue = http1->content_length > 0;
    }
    return true;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct fg_http1 *http1 = parser->data;
    struct fg_call *call = http1->call;
    parser->upgrade = 0; /* no upgrade is offered: the request is an ordinary one */
    call->request.method = method_of(parser);
    call->request.http_minor = parser->http_minor;
    http1->is_kept_alive = llhttp_should_keep_alive(parser);
    http1->body_since_ns = http1->conn->loop->now_ns;
    if (parser->flags & F_CHUNKED)
        http1->content_length = UINT64_MAX;
    else if (parser->flags & F_CONTENT_LENGTH)
        http1->content_length = parser->content_length - (parser->content_length == UINT64_MAX);
    check_head(http1);
    if (!take_expectation(http1))
        fg_call_fail(call, FG_REFUSED_EXPECTATION, NULL);
    if (call->failure != FG_NO_FAILURE)
        return HPE_USER;
    http1->received = FG_HTTP1_BODY;
    fg_conn_wake_at(http1->conn, fg_net_body_due_ns(call->loop, http1->body_since_ns, 0));
    call->content_length = http1->content_length;
    fg_call_on_head(call);
    return http1->is_last ? HPE_USER : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct fg_http1 *http1 = parser->data;
    http1->owes_continue = false;
    http1->body_bytes += size;
    if (http1->call)
        fg_call_on_body(http1->call, fg_slice(at, size));
    return http1->is_last ? HPE_USER : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct fg_http1 *http1 = parser->data;
    http1->received = FG_HTTP1_WHOLE;
    http1->owes_continue = false;
    if (http1->call)
        fg_call_on_whole(http1->call);
    return HPE_PAUSED;
}

/* Before trailers the parser stops, so that their lines are looked at as well. */
static int on_chunk_header(llhttp_t *parser)
{
    struct fg_http1 *http1 = parser->data;
    if (parser->content_length > 0)
        return 0;
    http1->is_in_lines = http1->has_line = true;
    http1->line_has_text = http1->line_has_cr = false;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_chunk_header = on_chunk_header,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* -- Input ----------------------------------------------------------------------------------------
 */

/* A request is there whole and not answered yet. */
static bool is_busy(const struct fg_http1 *http1)
{
    return http1->call && http1->received == FG_HTTP1_WHOLE;
}

/* The parser stopped for good: its callbacks or itself found something wrong. */
static void fail(struct fg_http1 *http1)
{
    struct fg_call *call = http1->call;
    http1->has_failed = true;
    if (!call) {
        fg_conn_finish(http1->conn); /* the answer is out, and what follows can't be read */
    } else if (http1->received == FG_HTTP1_HEAD) {
        fg_call_fail(call, FG_REFUSED_MALFORMED, llhttp_get_error_reason(&http1->parser));
        fg_call_on_head(call);
    } else {
        fg_call_refuse(call, FG_REFUSED_MALFORMED, NULL);
    }
}

/* The first byte of a request. False: no memory; the connection is cut. */
static bool begin(struct fg_http1 *http1)
{
    struct fg_conn *conn = http1->conn;
    struct fg_net_shared *shared = conn->loop->shared;
    http1->call = fg_call_new(conn, FG_PROTOCOL_HTTP1);
    if (!http1->call) {
        fg_net_count(&shared->counters.refused[FG_REFUSED_MEMORY], 1);
        fg_conn_cut(conn, true);
        return false;
    }
    http1->received = FG_HTTP1_HEAD;
    http1->since_ns = conn->loop->now_ns;
    http1->content_length = http1->body_bytes = 0;
    http1->trailers_size = 0;
    http1->value_pieces = 0;
    http1->has_value = true;
    http1->has_begun = http1->owes_continue = http1->is_last = false;
    http1->is_in_lines = true;
    http1->has_line = http1->line_has_text = http1->line_has_cr = false;
    fg_conn_wake_at(conn, http1->since_ns + shared->limits.header_timeout_ns);
    return true;
}

/* Lines of a head and of trailers end by CR LF. RFC 9112 section 2.2 lets a reader take LF alone,
 * and the parser does at some places: who stands before this server may not, and then sees the end
 * elsewhere. False: there is such a line. */
static bool lines_are_whole(struct fg_http1 *http1, struct fg_slice bytes)
{
    while (http1->is_in_lines && bytes.size) {
        const uint8_t *end = memchr(bytes.data, '\n', bytes.size);
        size_t size = end ? (size_t)(end - bytes.data) : bytes.size;
        if (size) {
            http1->line_has_text |= size > 1 || http1->line_has_cr || bytes.data[0] != '\r';
            http1->line_has_cr = bytes.data[size - 1] == '\r';
        }
        if (!end)
            return true;
        if (!http1->line_has_cr)
            return false;
        http1->is_in_lines = !http1->has_line || http1->line_has_text;
        http1->has_line |= http1->line_has_text;
        http1->line_has_text = http1->line_has_cr = false;
        bytes = fg_slice(end + 1, bytes.size - size - 1);
    }
    return true;
}

/* Returns how many bytes were taken: less than all where a request is whole and has to be answered
 * first. The connection may be gone afterwards. */
static size_t parse(struct fg_http1 *http1, struct fg_slice bytes)
{
    const char *data = (const char *)bytes.data;
    if (http1->received == FG_HTTP1_IDLE && !begin(http1))
        return bytes.size;
    if (!lines_are_whole(http1, bytes)) {
        if (http1->call)
            fg_call_fail(http1->call, FG_REFUSED_MALFORMED, "a line must end by CR LF");
        fail(http1);
        return bytes.size;
    }
    http1->input = data;
    http1->input_end = data + bytes.size;
    http1->value_end = NULL;
    llhttp_errno_t error = llhttp_execute(&http1->parser, data, bytes.size);
    if (error == HPE_OK)
        return bytes.size;
    if (error == HPE_PAUSED) {
        size_t used = (size_t)(llhttp_get_error_pos(&http1->parser) - data);
        llhttp_resume(&http1->parser);
        return used;
    }
    fail(http1);
    return bytes.size;
}

/* The answer is out and the request was read to its end: on to the next one. */
static void begin_next(struct fg_http1 *http1)
{
    http1->received = FG_HTTP1_IDLE;
    http1->since_ns = http1->conn->loop->now_ns;
    fg_conn_wake_at(http1->conn,
                    http1->since_ns + http1->conn->loop->shared->limits.idle_timeout_ns);
}

/* Keeps what came before its time. */
static void keep_ahead(struct fg_http1 *http1, struct fg_slice bytes)
{
    struct fg_conn *conn = http1->conn;
    int r = fg_body_append(conn->loop, &http1->ahead, bytes, 0);
    if (r == 0)
        return;
    enum fg_refusal_reason reason = r == FG_EAGAIN ? FG_REFUSED_BUFFERED_SIZE : FG_REFUSED_MEMORY;
    fg_net_count(&conn->loop->shared->counters.refused[reason], 1);
    fg_conn_cut(conn, true);
}

static void input(struct fg_conn *conn, struct fg_slice bytes)
{
    struct fg_http1 *http1 = http1_of(conn);
    if (http1->has_failed)
        return; /* read and dropped until the answer is out */
    while (bytes.size && !is_busy(http1)) {
        size_t used = parse(http1, bytes);
        bytes = fg_slice(bytes.data + used, bytes.size - used);
        if (conn->phase != FG_CONN_SPEAKING || http1->has_failed)
            return;
        if (http1->received == FG_HTTP1_WHOLE && !http1->call)
            begin_next(http1);
    }
    if (bytes.size)
        keep_ahead(http1, bytes);
}

static uint8_t *room(struct fg_conn *conn, size_t *ret_size)
{
    struct fg_http1 *http1 = http1_of(conn);
    struct fg_call *call = http1->call;
    if (is_busy(http1)) {
        *ret_size = FG_NET_AHEAD_SIZE;
        return NULL;
    }
    bool is_wanted = call && !fg_call_is_answered(call) && http1->received == FG_HTTP1_BODY &&
                     http1->content_length != UINT64_MAX;
    if (!is_wanted)
        return NULL;
    /* No more than the body's rest: what follows it is another request's. */
    uint64_t rest = http1->content_length - http1->body_bytes;
    struct fg_body *body = &call->body;
    uint64_t more = body->size ? ROOM_MIN : FG_NET_BODY_FIRST_SIZE_MAX;
    size_t need = body->size + (size_t)(rest < more ? rest : more);
    if (fg_body_reserve(conn->loop, body, need, (size_t)http1->content_length) < 0)
        return NULL; /* it will be refused when the bytes are there */
    size_t free_size = body->capacity - body->size;
    *ret_size = rest < free_size ? (size_t)rest : free_size;
    return body->data + body->size;
}

/* The client sends nothing more. It may still read: a request that is whole is answered. */
static void eof(struct fg_conn *conn)
{
    struct fg_http1 *http1 = http1_of(conn);
    struct fg_call *call = http1->call;
    bool is_worked_on = call && (http1->received == FG_HTTP1_WHOLE || fg_call_is_answered(call));
    if (!is_worked_on) {
        fg_conn_cut(conn, false);
        return;
    }
    http1->is_last = true;
    if (!fg_call_is_answered(call))
        fg_call_cancel(call); /* most likely it went for good */
}

/* -- Going on -------------------------------------------------------------------------------------
 */

/* False: the connection is over. */
static bool after_answer(struct fg_http1 *http1)
{
    struct fg_conn *conn = http1->conn;
    fg_call_end(http1->call);
    http1->call = NULL;
    if (http1->is_last || http1->has_failed || conn->has_ended || conn->loop->is_draining) {
        fg_conn_finish(conn);
        return false;
    }
    if (http1->received == FG_HTTP1_WHOLE)
        begin_next(http1);
    return true;
}

static void take_ahead(struct fg_http1 *http1)
{
    struct fg_conn *conn = http1->conn;
    struct fg_body *ahead = &http1->ahead;
    struct fg_slice bytes = fg_slice(ahead->data + http1->ahead_at, ahead->size - http1->ahead_at);
    size_t used = parse(http1, bytes);
    if (conn->phase != FG_CONN_SPEAKING)
        return;
    http1->ahead_at += used;
    if (http1->ahead_at == ahead->size) {
        fg_body_free(conn->loop, ahead);
        http1->ahead_at = 0;
    }
}

static bool continue_client(struct fg_http1 *http1)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct iovec part = {(void *)(uintptr_t)go_on, sizeof go_on - 1};
    http1->owes_continue = false;
    return fg_conn_write(http1->conn, &part, 1, false);
}

static void advance(struct fg_conn *conn)
{
    struct fg_http1 *http1 = http1_of(conn);
    while (!conn->is_writing) {
        if (http1->call && fg_call_is_answered(http1->call)) {
            if (!fg_http1_send(http1) || !after_answer(http1))
                break;
        } else if (http1->owes_continue) {
            if (!continue_client(http1))
                break;
        } else if (http1->ahead.size && !is_busy(http1) && !http1->has_failed) {
            take_ahead(http1);
            if (conn->phase == FG_CONN_SPEAKING && http1->received == FG_HTTP1_WHOLE &&
                !http1->call)
                begin_next(http1);
        } else {
            break;
        }
        if (conn->phase != FG_CONN_SPEAKING)
            return;
    }
    if (conn->phase == FG_CONN_SPEAKING)
        fg_conn_read(conn, http1->ahead.size == 0 || http1->has_failed);
}

static void drain(struct fg_conn *conn)
{
    if (http1_of(conn)->received == FG_HTTP1_IDLE)
        fg_conn_cut(conn, false);
}

static uint64_t received_due_ns(struct fg_http1 *http1)
{
    const struct fg_net_limits *limits = &http1->conn->loop->shared->limits;
    if (http1->has_failed)
        return UINT64_MAX; /* what still comes is dropped, and the answer has its own time */
    switch (http1->received) {
    case FG_HTTP1_IDLE:
        return http1->since_ns + limits->idle_timeout_ns;
    case FG_HTTP1_HEAD:
        return http1->since_ns + limits->header_timeout_ns;
    case FG_HTTP1_BODY:
        return fg_net_body_due_ns(http1->conn->loop, http1->body_since_ns, http1->body_bytes);
    default:
        return UINT64_MAX;
    }
}

static uint64_t on_time(struct fg_conn *conn)
{
    struct fg_http1 *http1 = http1_of(conn);
    struct fg_net_counters *counters = &conn->loop->shared->counters;
    uint64_t due_ns = received_due_ns(http1);
    if (due_ns > conn->loop->now_ns)
        return due_ns;
    if (http1->received == FG_HTTP1_IDLE ||
        (http1->received == FG_HTTP1_HEAD && !http1->has_begun)) {
        fg_net_count(&counters->connections_idle_closed, 1);
        fg_conn_cut(conn, false);
    } else if (!http1->call || fg_call_is_answered(http1->call)) {
        fg_conn_cut(conn, true); /* it does not even send what is dropped */
    } else {
        http1->has_failed = true;
        if (http1->received == FG_HTTP1_HEAD) {
            fg_call_fail(http1->call, FG_REFUSED_TIMEOUT, NULL);
            fg_call_on_head(http1->call);
        } else {
            fg_call_refuse(http1->call, FG_REFUSED_TIMEOUT, NULL);
        }
    }
    return UINT64_MAX;
}

static void resume(struct fg_call *call)
{
    (void)call; /* advance() pulls again */
}

static void http1_free(struct fg_conn *conn)
{
    struct fg_http1 *http1 = http1_of(conn);
    fg_body_free(conn->loop, &http1->ahead);
    free(http1);
}

static const struct fg_protocol protocol = {
    .room = room,
    .input = input,
    .eof = eof,
    .advance = advance,
    .on_time = on_time,
    .drain = drain,
    .answer = fg_http1_answer,
    .resume = resume,
    .free = http1_free,
};

int fg_http1_start(struct fg_conn *conn)
{
    struct fg_http1 *http1 = calloc(1, sizeof *http1);
    if (!http1)
        return FG_ENOMEM;
    llhttp_init(&http1->parser, HTTP_REQUEST, &settings);
    http1->parser.data = http1;
    http1->conn = conn;
    conn->state = http1;
    conn->protocol = &protocol;
    return 0;
}
