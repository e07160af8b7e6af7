/* Answers in HTTP/1.1: the head, a whole body with Content-Length, or a pulled one in chunks (to a
 * client of HTTP/1.0: until the connection ends). */
#include "http1.h"

#include "base/limits.h"
#include "conn.h"
#include "loop.h"

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 301:
        return "Moved Permanently";
    case 303:
        return "See Other";
    case 302:
        return "Found";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return ""; /* it may be empty: RFC 9112 section 4 */
    }
}

static void put(struct fg_buffer *head, const char *text)
{
    fg_buffer_append_string(head, text);
}

static void put_number(struct fg_buffer *head, uint64_t number, unsigned base)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    fg_buffer_append(head, digits + at, sizeof digits - at);
}

/* A line's end within a field would begin another one: handlers put there what clients sent. */
static void put_field_text(struct fg_buffer *head, struct fg_slice text)
{
    size_t at = head->size;
    fg_buffer_append_slice(head, text);
    for (size_t i = at; i < head->size; i++)
        if (head->data[i] == '\r' || head->data[i] == '\n' || head->data[i] == 0)
            head->data[i] = ' ';
}

/* The rest of an unread body is read and dropped only where it is known to be little; and a client
 * that waits for 100 Continue may send it or not. */
static bool can_go_on(const struct fg_http1 *http1)
{
    const struct fg_conn *conn = http1->conn;
    if (!http1->is_kept_alive || http1->has_failed || conn->has_ended || conn->loop->is_draining)
        return false;
    if (http1->received == FG_HTTP1_WHOLE)
        return true;
    return http1->received == FG_HTTP1_BODY && !http1->owes_continue &&
           http1->content_length != UINT64_MAX &&
           http1->content_length - http1->body_bytes <= FG_NET_DISCARD_SIZE_MAX;
}

void fg_http1_answer(struct fg_call *call, const struct fg_response *response)
{
    struct fg_http1 *http1 = call->conn->state;
    struct fg_answer *answer = &call->answer;
    struct fg_buffer *head = &answer->head;
    bool is_old = call->request.http_minor == 0;
    bool is_pulled = answer->generator != NULL;
    bool may_have_body = answer->has_body || call->request.method == FG_METHOD_HEAD;
    http1->is_last = !can_go_on(http1) || (is_pulled && is_old);
    put(head, "HTTP/1.1 ");
    put_number(head, response->status, 10);
    put(head, " ");
    put(head, reason_of(response->status));
    put(head, "\r\ndate: ");
    put(head, fg_net_loop_date(call->loop));
    if (response->content_type) {
        put(head, "\r\ncontent-type: ");
        put(head, response->content_type);
    }
    for (size_t i = 0; i < response->field_count; i++) {
        put(head, "\r\n");
        put_field_text(head, response->fields[i].name);
        put(head, ": ");
        put_field_text(head, response->fields[i].value);
    }
    if (is_pulled && may_have_body && !is_old) {
        put(head, "\r\ntransfer-encoding: chunked");
    } else if (!is_pulled && may_have_body && response->status != 204 && response->status != 304) {
        put(head, "\r\ncontent-length: ");
        put_number(head, answer->body.size, 10);
    }
    if (http1->is_last)
        put(head, "\r\nconnection: close");
    else if (is_old)
        put(head, "\r\nconnection: keep-alive");
    put(head, "\r\n\r\n");
}

static struct iovec part_of(const struct fg_buffer *buffer)
{
    return (struct iovec){buffer->data, buffer->size};
}

/* True where it is out at once. */
static bool write_whole(struct fg_http1 *http1)
{
    struct fg_answer *answer = &http1->call->answer;
    bool has_body = answer->has_body && !answer->generator;
    const struct iovec parts[2] = {part_of(&answer->head), part_of(&answer->body)};
    if (answer->head.error || answer->body.error) {
        fg_conn_cut(http1->conn, true); /* no memory, not even for saying so */
        return false;
    }
    answer->state = FG_ANSWER_SENDING;
    return fg_conn_write(http1->conn, parts, has_body ? 2 : 1, false) && !http1->conn->is_writing;
}

/* Writes what was pulled, with the head before it where that is still to come, in the frame of a
 * chunk. */
static bool write_part(struct fg_http1 *http1)
{
    struct fg_answer *answer = &http1->call->answer;
    bool is_chunked = http1->call->request.http_minor > 0;
    bool is_first = answer->state == FG_ANSWER_READY;
    const char *tail = "";
    if (!is_first)
        fg_buffer_reset(&answer->head);
    if (is_chunked && answer->body.size) {
        put_number(&answer->head, answer->body.size, 16);
        put(&answer->head, "\r\n");
        tail = answer->is_last ? "\r\n0\r\n\r\n" : "\r\n";
    } else if (is_chunked) {
        tail = "0\r\n\r\n";
    }
    if (answer->head.error) {
        fg_conn_cut(http1->conn, true);
        return false;
    }
    answer->state = FG_ANSWER_SENDING;
    const struct iovec parts[3] = {
        part_of(&answer->head), part_of(&answer->body), {(void *)(uintptr_t)tail, strlen(tail)}};
    return fg_conn_write(http1->conn, parts, 3, !is_first) && !http1->conn->is_writing;
}

/* Of a pulled answer each turn sends one part, so that a fast reader leaves time to others. */
static bool send_pulled(struct fg_http1 *http1)
{
    struct fg_conn *conn = http1->conn;
    struct fg_call *call = http1->call;
    struct fg_answer *answer = &call->answer;
    while (!answer->is_last) {
        bool is_first = answer->state == FG_ANSWER_READY;
        int r = fg_answer_pull_part(call);
        if (r == FG_EAGAIN) {
            bool is_out = !is_first || write_whole(http1); /* the head alone */
            if (is_out || (conn->phase == FG_CONN_SPEAKING && conn->is_writing))
                answer->state = FG_ANSWER_WAITING;
            return false;
        }
        if (r < 0) {
            fg_conn_cut(conn, true);
            return false;
        }
        if (!write_part(http1))
            return false;
    }
    return true;
}

bool fg_http1_send(struct fg_http1 *http1)
{
    struct fg_answer *answer = &http1->call->answer;
    if (answer->state == FG_ANSWER_WAITING)
        return false;
    if (answer->generator && answer->has_body)
        return send_pulled(http1);
    return answer->state == FG_ANSWER_SENDING || write_whole(http1);
}
