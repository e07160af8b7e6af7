#include "tls_conn.h"

#include "base/limits.h"
#include "count.h"
#include "loop.h"
#include "net/identity.h"
#include "tls_context.h"

#include <assert.h>
#include <openssl/err.h>
#include <stdlib.h>

/* The first byte of a record that belongs to a handshake (RFC 8446 section 5.1). */
#define HANDSHAKE_RECORD 0x16
/* RFC 9113 section 7. */
#define H2_INADEQUATE_SECURITY 0x0c
/* Text that is encrypted before the socket is asked: some records a system call. */
#define BATCH_SIZE ((size_t)64 << 10)
/* Records of a batch, and what a handshake says, with room to spare. */
#define RECORDS_SIZE_MAX (2 * BATCH_SIZE)
/* What may wait behind a batch: alerts, answers to changes of keys. */
#define WAITING_SIZE_MAX ((size_t)16 << 10)

static struct fg_tls_loop *loop_of(struct fg_tls_conn *tls)
{
    return tls->conn->loop->tls;
}

/* -- What OpenSSL calls ---------------------------------------------------------------------------
 */

int fg_tls_bio_read(void *bio_data, char *data, int size)
{
    struct fg_tls_conn *tls = bio_data;
    size_t n = tls->input.size;
    if (n == 0 || size <= 0)
        return -1;
    n = n < (size_t)size ? n : (size_t)size;
    memcpy(data, tls->input.data, n);
    tls->input = fg_slice(tls->input.data + n, tls->input.size - n);
    return (int)n;
}

int fg_tls_bio_write(void *bio_data, const char *data, int size)
{
    struct fg_tls_conn *tls = bio_data;
    struct fg_buffer *records = &loop_of(tls)->records;
    if (size < 0)
        return -1;
    fg_buffer_append(records, data, (size_t)size);
    return records->error ? -1 : size;
}

void fg_tls_on_handshake(void *bio_data)
{
    struct fg_tls_conn *tls = bio_data;
    uint64_t now_ns = tls->conn->loop->now_ns;
    if (now_ns - tls->rekey_since_ns >= tls->conn->loop->shared->limits.flood_window_ns) {
        tls->rekey_since_ns = now_ns;
        tls->rekeys = 0;
    }
    tls->rekeys++;
}

/* The thread's queue of errors must be empty before SSL_get_error() is asked. */
static void forget_errors(void)
{
    if (ERR_peek_error())
        ERR_clear_error();
}

/* -- Records to the socket ------------------------------------------------------------------------
 */

static int hand_over(struct fg_tls_conn *tls, size_t from)
{
    struct iovec part = {tls->sending.data + from, tls->sending.size - from};
    tls->is_sending = true;
    return tls->below->write(tls->conn, &part, 1);
}

static void swap(struct fg_buffer *a, struct fg_buffer *b)
{
    struct fg_buffer kept = *a;
    *a = *b;
    *b = kept;
}

/* What OpenSSL has written goes to the socket, or behind what is on its way there. is_later: not in
 * this turn. */
static int flush(struct fg_tls_conn *tls, bool is_later)
{
    struct fg_buffer *records = &loop_of(tls)->records;
    size_t taken = 0;
    if (records->error)
        return records->error;
    if (records->size == 0)
        return 0;
    if (tls->is_sending) {
        fg_buffer_append(&tls->waiting, records->data, records->size);
        fg_buffer_reset(records);
        return tls->waiting.error;
    }
    const struct iovec part = {records->data, records->size};
    if (!is_later && tls->below->try_write(tls->conn, &part, 1, &taken) < 0)
        return FG_EIO;
    if (taken == records->size) {
        fg_buffer_reset(records);
        return 0;
    }
    swap(&tls->sending, records);
    return hand_over(tls, taken);
}

/* The scratch is empty after each step, whatever came of it. */
static void drop_records(struct fg_tls_conn *tls)
{
    fg_buffer_reset(&loop_of(tls)->records);
}

/* `sending` is out: its memory becomes the loop's scratch again, or nobody's. */
static void give_back(struct fg_tls_conn *tls)
{
    struct fg_buffer *records = &loop_of(tls)->records;
    if (!records->data)
        swap(&tls->sending, records);
    fg_buffer_free(&tls->sending);
    fg_buffer_init(&tls->sending, RECORDS_SIZE_MAX);
    records->size_max = RECORDS_SIZE_MAX;
    fg_buffer_reset(records);
}

/* -- Writing --------------------------------------------------------------------------------------
 */

/* Text that is still to be encrypted. */
struct cursor {
    struct iovec *parts;
    unsigned count;
};

static size_t left_of(const struct cursor *cursor)
{
    size_t left = 0;
    for (unsigned i = 0; i < cursor->count; i++)
        left += cursor->parts[i].iov_len;
    return left;
}

static void advance(struct cursor *cursor, size_t size)
{
    while (cursor->count && size >= cursor->parts->iov_len) {
        size -= cursor->parts->iov_len;
        cursor->parts++;
        cursor->count--;
    }
    if (cursor->count) {
        cursor->parts->iov_base = (uint8_t *)cursor->parts->iov_base + size;
        cursor->parts->iov_len -= size;
    }
}

/* The next record's text, where it lies, or gathered of small parts. */
static struct fg_slice next_text(struct fg_tls_loop *loop, const struct cursor *cursor)
{
    const struct iovec *first = cursor->parts;
    size_t size = 0;
    if (cursor->count == 1 || first->iov_len >= FG_TLS_RECORD_SIZE)
        return fg_slice(first->iov_base,
                        first->iov_len < FG_TLS_RECORD_SIZE ? first->iov_len : FG_TLS_RECORD_SIZE);
    for (unsigned i = 0; i < cursor->count && size < FG_TLS_RECORD_SIZE; i++) {
        size_t room = FG_TLS_RECORD_SIZE - size, length = cursor->parts[i].iov_len;
        length = length < room ? length : room;
        if (length)
            memcpy(loop->gathered + size, cursor->parts[i].iov_base, length);
        size += length;
    }
    return fg_slice(loop->gathered, size);
}

/* Encrypts up to a batch into the scratch. *ret_size: bytes of text. FG_EIO. */
static int encrypt(struct fg_tls_conn *tls, struct cursor *cursor, size_t *ret_size)
{
    size_t size = 0;
    if (tls->is_broken)
        return FG_EIO;
    forget_errors();
    while (size < BATCH_SIZE) {
        while (cursor->count && cursor->parts->iov_len == 0)
            advance(cursor, 0);
        if (!cursor->count)
            break;
        struct fg_slice text = next_text(loop_of(tls), cursor);
        int n = SSL_write(tls->ssl, text.data, (int)text.size);
        if (n <= 0) {
            tls->is_broken = true;
            drop_records(tls);
            return FG_EIO;
        }
        advance(cursor, (size_t)n);
        size += (size_t)n;
    }
    *ret_size = size;
    return 0;
}

static int tls_try_write(struct fg_conn *conn, const struct iovec *parts, unsigned count,
                         size_t *ret_size)
{
    struct fg_tls_conn *tls = conn->tls;
    struct iovec rest[4];
    struct cursor cursor = {rest, count};
    size_t done = 0, batch = 0;
    assert(count <= 4 && !tls->is_writing && tls->owed == 0);
    if (count)
        memcpy(rest, parts, count * sizeof *parts);
    while (!tls->is_sending && left_of(&cursor)) {
        int r = encrypt(tls, &cursor, &batch);
        if (r == 0)
            r = flush(tls, false);
        if (r < 0) {
            drop_records(tls);
            return FG_EIO;
        }
        done += batch;
    }
    if (tls->is_sending && done) {
        tls->owed = tls->batch_size = batch;
        done -= batch;
    }
    *ret_size = done;
    return 0;
}

/* The next batch of what write() was given. */
static int send_batch(struct fg_tls_conn *tls)
{
    struct iovec *parts = tls->parts;
    struct cursor cursor = {parts, tls->part_count};
    int r = encrypt(tls, &cursor, &tls->batch_size);
    for (unsigned i = 0; i < cursor.count; i++)
        tls->parts[i] = cursor.parts[i];
    tls->part_count = cursor.count;
    if (r == 0)
        r = flush(tls, true);
    if (r < 0)
        drop_records(tls);
    return r < 0 ? FG_EIO : 0;
}

static int tls_write(struct fg_conn *conn, const struct iovec *parts, unsigned count)
{
    struct fg_tls_conn *tls = conn->tls;
    struct iovec rest[4];
    struct cursor cursor = {rest, count};
    assert(count <= 4 && !tls->is_writing);
    if (count)
        memcpy(rest, parts, count * sizeof *parts);
    advance(&cursor, tls->owed);
    tls->owed = 0;
    for (unsigned i = 0; i < cursor.count; i++)
        tls->parts[i] = cursor.parts[i];
    tls->part_count = cursor.count;
    tls->is_writing = true;
    return tls->is_sending ? 0 : send_batch(tls);
}

static size_t tls_unwritten(struct fg_conn *conn)
{
    struct fg_tls_conn *tls = conn->tls;
    struct cursor cursor = {tls->parts, tls->part_count};
    size_t below = tls->is_sending ? tls->below->unwritten(conn) : 0;
    size_t text = below < tls->batch_size ? below : tls->batch_size;
    return text + (tls->is_writing ? left_of(&cursor) : 0);
}

void fg_tls_on_written(struct fg_conn *conn)
{
    struct fg_tls_conn *tls = conn->tls;
    struct cursor cursor = {tls->parts, tls->part_count};
    int r = 0;
    tls->is_sending = false;
    tls->batch_size = 0;
    give_back(tls);
    if (tls->waiting.size) {
        swap(&tls->sending, &tls->waiting);
        fg_buffer_init(&tls->waiting, WAITING_SIZE_MAX);
        r = hand_over(tls, 0);
    } else if (tls->is_writing && left_of(&cursor)) {
        r = send_batch(tls);
    } else if (tls->is_writing) {
        tls->is_writing = false;
        fg_conn_on_written(conn);
    } else if (tls->is_ending) {
        tls->below->shut_down(conn);
    }
    if (r < 0)
        fg_conn_on_failure(conn);
}

/* -- The rest of a transport ----------------------------------------------------------------------
 */

static void tls_read(struct fg_conn *conn, bool on)
{
    conn->tls->below->read(conn, on);
}

static void tls_wake_at(struct fg_conn *conn, uint64_t due_ns)
{
    conn->tls->below->wake_at(conn, due_ns);
}

/* Nothing more comes: close_notify. */
static void say_end(struct fg_tls_conn *tls)
{
    if (!tls->ssl || tls->is_broken || !SSL_is_init_finished(tls->ssl))
        return;
    forget_errors();
    (void)SSL_shutdown(tls->ssl);
    if (flush(tls, false) < 0)
        tls->is_broken = true;
    drop_records(tls);
}

static void tls_shut_down(struct fg_conn *conn)
{
    struct fg_tls_conn *tls = conn->tls;
    say_end(tls);
    if (tls->is_sending)
        tls->is_ending = true;
    else
        tls->below->shut_down(conn);
}

static void unlist(struct fg_tls_conn *tls)
{
    struct fg_tls_loop *loop = loop_of(tls);
    if (!tls->is_listed)
        return;
    tls->is_listed = false;
    if (tls->older)
        tls->older->newer = tls->newer;
    else
        loop->oldest = tls->newer;
    if (tls->newer)
        tls->newer->older = tls->older;
    else
        loop->newest = tls->older;
    tls->older = tls->newer = NULL;
    loop->handshake_count--;
}

/* A cut in the middle of an answer must be seen as one: it gets no close_notify. */
static void tls_close(struct fg_conn *conn, bool reset)
{
    struct fg_tls_conn *tls = conn->tls;
    unlist(tls);
    if (!reset && !tls->is_sending && !tls->is_writing)
        say_end(tls);
    SSL_free(tls->ssl);
    tls->ssl = NULL;
    tls->is_broken = true;
    fg_buffer_free(&tls->sending);
    fg_buffer_free(&tls->waiting);
    tls->below->close(conn, reset);
}

static const struct fg_transport transport = {
    .try_write = tls_try_write,
    .write = tls_write,
    .unwritten = tls_unwritten,
    .read = tls_read,
    .wake_at = tls_wake_at,
    .shut_down = tls_shut_down,
    .close = tls_close,
};

/* -- The handshake --------------------------------------------------------------------------------
 */

/* The client hears what is written so far, and the connection ends. */
static void turn_away(struct fg_tls_conn *tls, enum fg_refusal_reason reason)
{
    struct fg_conn *conn = tls->conn;
    if (flush(tls, false) < 0)
        tls->is_broken = true;
    drop_records(tls);
    tls->is_broken = true;
    unlist(tls);
    fg_conn_turn_away(conn, reason);
}

/* Whatever it is, it is no TLS. Who speaks HTTP is told so in its words; RFC 9113 section 9.2 has a
 * word of its own. */
static void refuse_plain_text(struct fg_tls_conn *tls, struct fg_slice bytes)
{
    static const char http1[] = "HTTP/1.1 400 Bad Request\r\n"
                                "content-type: text/plain; charset=utf-8\r\n"
                                "content-length: 30\r\n"
                                "connection: close\r\n\r\n"
                                "this port takes TLS: https://\n";
    static const uint8_t http2[] = {0, 0, 0, 4, 0, 0, 0, 0,
                                    0, /* SETTINGS */
                                    0, 0, 8, 7, 0, 0, 0, 0,
                                    0, /* GOAWAY: */
                                    0, 0, 0, 0, 0, 0, 0, H2_INADEQUATE_SECURITY};
    struct fg_buffer *records = &loop_of(tls)->records;
    bool is_letter = bytes.data[0] >= 'A' && bytes.data[0] <= 'Z';
    if (fg_slice_starts_with(bytes, FG_SLICE("PRI * HTTP/2")))
        fg_buffer_append(records, http2, sizeof http2);
    else if (is_letter)
        fg_buffer_append(records, http1, sizeof http1 - 1);
    turn_away(tls, FG_REFUSED_PLAIN_TEXT);
}

static enum fg_refusal_reason failure_of(const SSL *ssl)
{
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    bool is_client = SSL_get_verify_result(ssl) != X509_V_OK ||
                     reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
    return is_client ? FG_REFUSED_CLIENT_CERTIFICATE : FG_REFUSED_HANDSHAKE;
}

/* Of a resumed session nobody has looked at the certificate again. False: it is good no more. */
static bool take_identity(struct fg_tls_conn *tls)
{
    struct fg_conn *conn = tls->conn;
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    if (!certificate)
        return true;
    if (SSL_get_verify_result(tls->ssl) != X509_V_OK)
        return false;
    conn->identity = fg_identity_new(certificate);
    int64_t now_s = (int64_t)(fg_env_wall_ns(conn->loop->shared->env) / FG_NS_PER_SECOND);
    return conn->identity && conn->identity->not_after_s >= now_s;
}

static enum fg_conn_language language_of(const SSL *ssl)
{
    const unsigned char *name;
    unsigned size;
    SSL_get0_alpn_selected(ssl, &name, &size);
    struct fg_slice chosen = fg_slice(name, size);
    if (fg_slice_equal(chosen, FG_SLICE("h2")))
        return FG_CONN_HTTP2;
    return fg_slice_equal(chosen, FG_SLICE("http/1.1")) ? FG_CONN_HTTP1 : FG_CONN_ANY;
}

/* True where the connection is secure. */
static bool shake_hands(struct fg_tls_conn *tls)
{
    struct fg_conn *conn = tls->conn;
    forget_errors();
    int r = SSL_do_handshake(tls->ssl);
    if (r == 1 && !take_identity(tls)) {
        turn_away(tls, FG_REFUSED_CLIENT_CERTIFICATE);
        return false;
    }
    bool is_over = r != 1 && SSL_get_error(tls->ssl, r) != SSL_ERROR_WANT_READ;
    if (is_over) {
        turn_away(tls, failure_of(tls->ssl));
    } else if (flush(tls, false) < 0) {
        drop_records(tls);
        fg_conn_cut(conn, true);
    } else if (r == 1) {
        struct fg_net_counters *counters = &conn->loop->shared->counters;
        unlist(tls);
        fg_net_count(&counters->tls_handshakes, 1);
        if (SSL_session_reused(tls->ssl))
            fg_net_count(&counters->tls_resumed, 1);
        tls->rekeys = 0;
        fg_conn_on_secured(conn, language_of(tls->ssl));
        return conn->phase == FG_CONN_SNIFFING;
    }
    return false;
}

/* A turn. True where the connection is secure. */
static bool secure(struct fg_tls_conn *tls, struct fg_slice bytes)
{
    struct fg_conn *conn = tls->conn;
    bool is_secure = false;
    fg_net_loop_begin(conn->loop);
    tls->handshake_size += bytes.size;
    if (tls->handshake_size == bytes.size && bytes.data[0] != HANDSHAKE_RECORD) {
        refuse_plain_text(tls, bytes);
    } else if (tls->handshake_size > FG_NET_HANDSHAKE_SIZE_MAX + FG_NET_READ_SIZE) {
        turn_away(tls, FG_REFUSED_HANDSHAKE);
    } else {
        if (!tls->ssl)
            tls->ssl = fg_tls_session_new(tls->tls, tls, conn->face, tls->client);
        if (tls->ssl) {
            is_secure = shake_hands(tls);
        } else {
            fg_net_count(&conn->loop->shared->counters.refused[FG_REFUSED_MEMORY], 1);
            fg_conn_cut(conn, true);
        }
    }
    fg_net_loop_end(conn->loop);
    return is_secure;
}

/* -- Input ----------------------------------------------------------------------------------------
 */

/* After SSL_read() gave nothing: a turn. */
static void after_last(struct fg_tls_conn *tls, int error)
{
    struct fg_conn *conn = tls->conn;
    bool is_failed = error != SSL_ERROR_WANT_READ && error != SSL_ERROR_ZERO_RETURN;
    bool is_flood = tls->rekeys > FG_NET_REKEYS_MAX;
    fg_net_loop_begin(conn->loop);
    tls->is_broken |= is_failed;
    bool is_out = flush(tls, false) == 0; /* an alert, the answer to a change of keys */
    drop_records(tls);
    if (is_flood)
        fg_conn_count_abuse(conn, FG_REFUSED_CONTROL_FLOOD);
    else if (is_failed)
        fg_conn_count_abuse(conn, FG_REFUSED_MALFORMED);
    if (is_failed || is_flood || !is_out)
        fg_conn_cut(conn, true);
    fg_net_loop_end(conn->loop);
    if (error == SSL_ERROR_ZERO_RETURN && conn->phase != FG_CONN_GONE)
        fg_conn_on_eof(conn);
}

/* Hands over what can be decrypted, a record a turn. */
static void deliver(struct fg_tls_conn *tls)
{
    struct fg_conn *conn = tls->conn;
    while (conn->phase == FG_CONN_SNIFFING || conn->phase == FG_CONN_SPEAKING) {
        size_t size;
        uint8_t *room = fg_conn_room(conn, &size);
        if (!room)
            room = loop_of(tls)->text;
        size = size < FG_TLS_RECORD_SIZE ? size : FG_TLS_RECORD_SIZE;
        forget_errors();
        int n = SSL_read(tls->ssl, room, (int)size);
        if (n <= 0) {
            after_last(tls, SSL_get_error(tls->ssl, n));
            return;
        }
        fg_conn_on_input(conn, fg_slice(room, (size_t)n));
    }
}

void fg_tls_on_input(struct fg_conn *conn, struct fg_slice bytes)
{
    struct fg_tls_conn *tls = conn->tls;
    if (conn->phase == FG_CONN_LINGERING) {
        fg_conn_on_input(conn, bytes); /* read and dropped, encrypted as it is */
        return;
    }
    tls->input = bytes;
    if (conn->phase != FG_CONN_SECURING || secure(tls, bytes))
        deliver(tls);
    tls->input = fg_slice(NULL, 0);
}

void fg_tls_on_eof(struct fg_conn *conn)
{
    if (conn->phase == FG_CONN_SECURING)
        fg_net_count(&conn->loop->shared->counters.refused[FG_REFUSED_HANDSHAKE], 1);
    fg_conn_on_eof(conn);
}

/* -- Begin and end --------------------------------------------------------------------------------
 */

int fg_tls_conn_new(struct fg_tls *tls, struct fg_conn *conn, enum fg_client_certificate client)
{
    struct fg_tls_conn *own = calloc(1, sizeof *own);
    if (!own)
        return FG_ENOMEM;
    own->conn = conn;
    own->below = conn->transport;
    own->tls = tls;
    own->client = client;
    fg_buffer_init(&own->sending, RECORDS_SIZE_MAX);
    fg_buffer_init(&own->waiting, WAITING_SIZE_MAX);
    conn->tls = own;
    conn->transport = &transport;
    conn->is_tls = true;
    return 0;
}

void fg_tls_conn_free(struct fg_tls_conn *tls)
{
    free(tls);
}

void fg_tls_loop_free(struct fg_tls_loop *loop)
{
    if (!loop)
        return;
    fg_buffer_free(&loop->records);
    free(loop);
}

static struct fg_tls_loop *loop_new(void)
{
    struct fg_tls_loop *loop = calloc(1, sizeof *loop);
    if (loop)
        fg_buffer_init(&loop->records, RECORDS_SIZE_MAX);
    return loop;
}

/* Where too many shake hands at once the one that has taken the longest goes: an honest client is
 * done in a moment, one that keeps places is not. */
int fg_tls_conn_start(struct fg_tls_conn *tls)
{
    struct fg_net_loop *net = tls->conn->loop;
    if (!net->tls)
        net->tls = loop_new();
    struct fg_tls_loop *loop = net->tls;
    if (!loop)
        return FG_ENOMEM;
    if (loop->handshake_count >= net->shared->limits.handshakes_max) {
        fg_conn_count_abuse(loop->oldest->conn, FG_REFUSED_HANDSHAKE_FLOOD);
        fg_conn_cut(loop->oldest->conn, true);
    }
    tls->older = loop->newest;
    if (loop->newest)
        loop->newest->newer = tls;
    else
        loop->oldest = tls;
    loop->newest = tls;
    tls->is_listed = true;
    loop->handshake_count++;
    return 0;
}
