#include "conn.h"

#include "call.h"
#include "count.h"
#include "http1.h"
#include "http2.h"
#include "loop.h"
#include "tls_conn.h"
#include "tls_context.h"

#include <assert.h>

/* RFC 9113 section 3.4: what an HTTP/2 client says first. */
static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_SIZE (sizeof preface - 1)
/* The first byte of TLS (RFC 8446 section 5.1); HTTP has none such. */
#define TLS_HANDSHAKE 0x16

static struct fg_net_counters *counters_of(struct fg_conn *conn)
{
    return &conn->loop->shared->counters;
}

void fg_conn_start(struct fg_conn *conn)
{
    struct fg_net_loop *loop = conn->loop;
    fg_net_loop_begin(loop);
    conn->phase = conn->tls ? FG_CONN_SECURING : FG_CONN_SNIFFING;
    conn->since_ns = loop->now_ns;
    conn->due_ns = UINT64_MAX;
    conn->next = loop->conns;
    if (loop->conns)
        loop->conns->previous = conn;
    loop->conns = conn;
    loop->conn_count++;
    if (loop->is_draining) {
        fg_conn_cut(conn, false);
    } else if (conn->tls && fg_tls_conn_start(conn->tls) < 0) {
        fg_net_count(&counters_of(conn)->refused[FG_REFUSED_MEMORY], 1);
        fg_conn_cut(conn, true);
    } else {
        const struct fg_net_limits *limits = &loop->shared->limits;
        fg_conn_wake_at(conn, loop->now_ns + (conn->tls ? limits->handshake_timeout_ns
                                                        : limits->idle_timeout_ns));
        fg_conn_read(conn, true);
    }
    fg_net_loop_end(loop);
}

void fg_conn_on_secured(struct fg_conn *conn, enum fg_conn_language language)
{
    struct fg_net_loop *loop = conn->loop;
    conn->phase = FG_CONN_SNIFFING;
    conn->language = language;
    conn->since_ns = loop->now_ns;
    fg_conn_wake_at(conn, loop->now_ns + loop->shared->limits.idle_timeout_ns);
}

/* -- From the transport ---------------------------------------------------------------------------
 */

uint8_t *fg_conn_room(struct fg_conn *conn, size_t *ret_size)
{
    *ret_size = FG_NET_READ_SIZE;
    bool is_asked = conn->phase == FG_CONN_SPEAKING && conn->protocol->room;
    return is_asked ? conn->protocol->room(conn, ret_size) : NULL;
}

static void speak(struct fg_conn *conn, int (*start)(struct fg_conn *conn))
{
    if (start(conn) < 0) {
        fg_net_count(&counters_of(conn)->refused[FG_REFUSED_MEMORY], 1);
        fg_conn_cut(conn, true);
        return;
    }
    conn->phase = FG_CONN_SPEAKING;
}

/* A handshake where none is expected. RFC 8446 section 6: a fatal handshake_failure, so that the
 * client says at once what is wrong. */
static void refuse_tls(struct fg_conn *conn)
{
    static const uint8_t alert[] = {0x15, 3, 1, 0, 2, 2, 40};
    const struct iovec part = {(void *)(uintptr_t)alert, sizeof alert};
    size_t taken = 0;
    if (conn->transport->try_write(conn, &part, 1, &taken) == 0)
        fg_conn_count_out(conn, taken);
    fg_conn_turn_away(conn, FG_REFUSED_TLS);
}

/* What was agreed on is what is spoken: who says otherwise wants two readers to read differently.
 */
static bool is_agreed(struct fg_conn *conn, enum fg_conn_language language)
{
    if (conn->language == FG_CONN_ANY || conn->language == language)
        return true;
    fg_conn_count_abuse(conn, FG_REFUSED_MALFORMED);
    fg_conn_cut(conn, true);
    return false;
}

/* "P" may also begin POST: what has matched and was none goes to HTTP/1.1 after all. */
static void sniff(struct fg_conn *conn, struct fg_slice bytes)
{
    size_t matched = 0;
    uint8_t before = conn->preface_size;
    if (before == 0 && bytes.data[0] == TLS_HANDSHAKE && !conn->is_tls) {
        refuse_tls(conn);
        return;
    }
    if (before == 0) {
        conn->since_ns = conn->loop->now_ns;
        fg_conn_wake_at(conn, conn->since_ns + conn->loop->shared->limits.header_timeout_ns);
    }
    while (matched < bytes.size && conn->preface_size < PREFACE_SIZE &&
           bytes.data[matched] == preface[conn->preface_size]) {
        conn->preface_size++;
        matched++;
    }
    if (conn->preface_size == PREFACE_SIZE) {
        if (is_agreed(conn, FG_CONN_HTTP2))
            speak(conn, fg_http2_start);
    } else if (matched < bytes.size) {
        matched = 0;
        conn->preface_size = before;
        if (is_agreed(conn, FG_CONN_HTTP1))
            speak(conn, fg_http1_start);
    } else {
        return;
    }
    if (conn->phase == FG_CONN_SPEAKING && conn->preface_size)
        conn->protocol->input(conn, fg_slice(preface, conn->preface_size));
    if (conn->phase == FG_CONN_SPEAKING && matched < bytes.size)
        conn->protocol->input(conn, fg_slice(bytes.data + matched, bytes.size - matched));
}

static void linger(struct fg_conn *conn, size_t size)
{
    conn->lingered_bytes += size;
    if (conn->lingered_bytes > FG_NET_LINGER_SIZE_MAX)
        fg_conn_cut(conn, true);
}

void fg_conn_on_input(struct fg_conn *conn, struct fg_slice bytes)
{
    fg_net_loop_begin(conn->loop);
    fg_net_count(&counters_of(conn)->bytes_in, bytes.size);
    switch (conn->phase) {
    case FG_CONN_SNIFFING:
        sniff(conn, bytes);
        break;
    case FG_CONN_SPEAKING:
        conn->protocol->input(conn, bytes);
        break;
    case FG_CONN_LINGERING:
        linger(conn, bytes.size);
        break;
    case FG_CONN_SECURING: /* the bytes are the handshake's */
    case FG_CONN_GONE:
        break;
    }
    fg_conn_touch(conn);
    fg_net_loop_end(conn->loop);
}

void fg_conn_on_eof(struct fg_conn *conn)
{
    fg_net_loop_begin(conn->loop);
    conn->has_ended = true;
    fg_conn_read(conn, false);
    if (conn->phase == FG_CONN_SPEAKING) {
        conn->protocol->eof(conn);
        fg_conn_touch(conn);
    } else {
        fg_conn_cut(conn, false);
    }
    fg_net_loop_end(conn->loop);
}

void fg_conn_on_failure(struct fg_conn *conn)
{
    fg_net_loop_begin(conn->loop);
    fg_conn_cut(conn, true);
    fg_net_loop_end(conn->loop);
}

void fg_conn_on_written(struct fg_conn *conn)
{
    fg_net_loop_begin(conn->loop);
    conn->is_writing = false;
    fg_conn_touch(conn);
    fg_net_loop_end(conn->loop);
}

/* -- Time -----------------------------------------------------------------------------------------
 */

void fg_conn_wake_at(struct fg_conn *conn, uint64_t due_ns)
{
    /* An earlier call looks at everything, and sets the next: timers are moved seldom. */
    if (conn->phase == FG_CONN_GONE || due_ns >= conn->due_ns)
        return;
    conn->due_ns = due_ns;
    conn->transport->wake_at(conn, due_ns);
}

/* The client must take some of what is written within the time. UINT64_MAX: nothing is written. */
static uint64_t write_due(struct fg_conn *conn)
{
    uint64_t timeout_ns = conn->loop->shared->limits.write_timeout_ns;
    if (!conn->is_writing)
        return UINT64_MAX;
    size_t rest = conn->transport->unwritten(conn);
    if (rest < conn->write_rest) {
        conn->write_rest = rest;
        conn->write_since_ns = conn->loop->now_ns;
    }
    return conn->write_since_ns + timeout_ns;
}

static uint64_t phase_due(struct fg_conn *conn)
{
    const struct fg_net_limits *limits = &conn->loop->shared->limits;
    switch (conn->phase) {
    case FG_CONN_SECURING:
        return conn->since_ns + limits->handshake_timeout_ns;
    case FG_CONN_SNIFFING:
        return conn->since_ns +
               (conn->preface_size ? limits->header_timeout_ns : limits->idle_timeout_ns);
    case FG_CONN_LINGERING:
        return conn->since_ns + FG_NET_LINGER_NS;
    default:
        return UINT64_MAX;
    }
}

/* Who does not come to an end with the handshake or the preface in time, or does not go after the
 * answer. */
static void phase_over(struct fg_conn *conn)
{
    if (conn->phase == FG_CONN_SECURING) {
        fg_conn_turn_away(conn, FG_REFUSED_HANDSHAKE_TIMEOUT);
        return;
    }
    if (conn->phase == FG_CONN_SNIFFING && conn->preface_size)
        fg_net_count(&counters_of(conn)->refused[FG_REFUSED_TIMEOUT], 1);
    else if (conn->phase == FG_CONN_SNIFFING)
        fg_net_count(&counters_of(conn)->connections_idle_closed, 1);
    fg_conn_cut(conn, false);
}

void fg_conn_on_time(struct fg_conn *conn)
{
    fg_net_loop_begin(conn->loop);
    uint64_t now_ns = conn->loop->now_ns;
    conn->due_ns = UINT64_MAX;
    uint64_t write_due_ns = write_due(conn), phase_due_ns = phase_due(conn);
    if (write_due_ns <= now_ns) {
        fg_net_count(&counters_of(conn)->connections_stall_closed, 1);
        fg_conn_cut(conn, true);
    } else if (phase_due_ns <= now_ns) {
        phase_over(conn);
    } else {
        uint64_t due_ns =
            conn->phase == FG_CONN_SPEAKING ? conn->protocol->on_time(conn) : UINT64_MAX;
        fg_conn_wake_at(conn, due_ns);
        fg_conn_wake_at(conn, write_due_ns);
        fg_conn_wake_at(conn, phase_due_ns);
        fg_conn_touch(conn);
    }
    fg_net_loop_end(conn->loop);
}

/* -- For protocols --------------------------------------------------------------------------------
 */

void fg_conn_touch(struct fg_conn *conn)
{
    if (conn->is_touched || conn->phase == FG_CONN_GONE)
        return;
    conn->is_touched = true;
    conn->next_touched = conn->loop->touched;
    conn->loop->touched = conn;
}

static void untouch(struct fg_conn *conn)
{
    struct fg_conn **link = &conn->loop->touched;
    while (conn->is_touched && *link != conn)
        link = &(*link)->next_touched;
    if (conn->is_touched)
        *link = conn->next_touched;
    conn->is_touched = false;
}

void fg_conn_count_out(struct fg_conn *conn, size_t size)
{
    fg_net_count(&counters_of(conn)->bytes_out, size);
}

bool fg_conn_write(struct fg_conn *conn, const struct iovec *parts, unsigned count, bool later)
{
    struct iovec rest[4];
    size_t total = 0, taken = 0;
    unsigned first = 0;
    assert(count <= 4 && !conn->is_writing);
    for (unsigned i = 0; i < count; i++) {
        rest[i] = parts[i];
        total += parts[i].iov_len;
    }
    if (!later && conn->transport->try_write(conn, parts, count, &taken) < 0) {
        fg_conn_cut(conn, true);
        return false;
    }
    fg_conn_count_out(conn, total);
    if (taken == total)
        return true;
    conn->write_rest = total - taken;
    while (taken >= rest[first].iov_len)
        taken -= rest[first++].iov_len;
    rest[first].iov_base = (uint8_t *)rest[first].iov_base + taken;
    rest[first].iov_len -= taken;
    if (conn->transport->write(conn, rest + first, count - first) < 0) {
        fg_conn_cut(conn, true);
        return false;
    }
    conn->is_writing = true;
    conn->write_since_ns = conn->loop->now_ns;
    fg_conn_wake_at(conn, conn->write_since_ns + conn->loop->shared->limits.write_timeout_ns);
    return true;
}

void fg_conn_read(struct fg_conn *conn, bool on)
{
    on = on && !conn->has_ended && conn->phase != FG_CONN_GONE;
    if (on == conn->is_reading)
        return;
    conn->is_reading = on;
    conn->transport->read(conn, on);
}

/* The protocol is over: its requests are let go of, its state freed. */
static void stop_speaking(struct fg_conn *conn)
{
    if (conn->phase != FG_CONN_SPEAKING)
        return;
    const struct fg_protocol *protocol = conn->protocol;
    conn->phase = FG_CONN_GONE; /* what handlers do meanwhile touches nothing */
    while (conn->calls)
        fg_call_orphan(conn->calls);
    protocol->free(conn);
    conn->protocol = NULL;
    conn->state = NULL;
}

void fg_conn_count_abuse(struct fg_conn *conn, enum fg_refusal_reason reason)
{
    struct fg_net_shared *shared = conn->loop->shared;
    fg_net_count(&shared->counters.refused[reason], 1);
    if (shared->on_turned_away)
        shared->on_turned_away(shared->arg, conn->face, fg_slice(conn->peer, conn->peer_size),
                               reason);
}

void fg_conn_turn_away(struct fg_conn *conn, enum fg_refusal_reason reason)
{
    fg_conn_count_abuse(conn, reason);
    fg_conn_finish(conn);
}

void fg_conn_finish(struct fg_conn *conn)
{
    assert(!conn->is_writing);
    if (conn->phase == FG_CONN_GONE)
        return;
    if (conn->has_ended) {
        fg_conn_cut(conn, false);
        return;
    }
    stop_speaking(conn);
    conn->phase = FG_CONN_LINGERING;
    conn->since_ns = conn->loop->now_ns;
    conn->transport->shut_down(conn);
    fg_conn_read(conn, true);
    fg_conn_wake_at(conn, conn->since_ns + FG_NET_LINGER_NS);
}

void fg_conn_cut(struct fg_conn *conn, bool reset)
{
    struct fg_net_loop *loop = conn->loop;
    if (conn->phase == FG_CONN_GONE)
        return;
    stop_speaking(conn);
    conn->phase = FG_CONN_GONE;
    fg_conn_read(conn, false);
    untouch(conn);
    if (conn->previous)
        conn->previous->next = conn->next;
    else
        loop->conns = conn->next;
    if (conn->next)
        conn->next->previous = conn->previous;
    loop->conn_count--;
    fg_net_uncount(&counters_of(conn)->connections_open, 1);
    if (conn->is_writing)
        fg_net_uncount(&counters_of(conn)->bytes_out, conn->transport->unwritten(conn));
    fg_identity_unref(conn->identity);
    conn->identity = NULL;
    conn->transport->close(conn, reset);
}
