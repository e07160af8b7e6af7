/* TLS on a connection without a network: a client of OpenSSL's shakes hands and speaks through a
 * transport that takes what it likes, and what the handlers answer must come out as it went in.
 * Afterwards nothing may be left.
 *
 * The first byte says how many bytes come to the server at a time, 0 for all; the second how many
 * (times 61) the socket takes at once, 0 for all; the third: bit 0, the bytes are no client's but
 * come as they are; bit 1, TLS 1.2; bit 2, the client changes its keys in between; bit 3, the
 * client ends without close_notify; bit 4, a byte of what the client sends is damaged; bit 5, time
 * passes; bit 6, the client changes its keys all the time. */
#include "conn.h"
#include "loop.h"
#include "net/certify.h"
#include "net/tls.h"
#include "tls_conn.h"

#include <assert.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TURN_MAX      100000u
#define PULLED        100000u
#define PULLED_PART   7001u
#define WHOLE_REQUEST "GET /p HTTP/1.0\r\n\r\n"

/* -- Time and certificates ------------------------------------------------------------------------
 */

static uint64_t now_ns;

static uint64_t fake_ns(struct fg_env *env)
{
    (void)env;
    return now_ns;
}

static void fake_random(struct fg_env *env, void *data, size_t size)
{
    (void)env;
    memset(data, 7, size);
}

static const struct fg_env_ops env_ops = {
    .wall_ns = fake_ns, .mono_ns = fake_ns, .random = fake_random};
static struct fg_env fake_env = {.ops = &env_ops};

/* Made once; kept until the program ends. */
static struct fg_buffer ca_key, ca, key, certificate;
static SSL_CTX *client_context;

static bool make_certificates(void)
{
    static const char *const names[] = {"localhost"};
    int64_t now_s = (int64_t)(now_ns / FG_NS_PER_SECOND);
    const char *message;
    struct fg_arena arena;
    if (client_context)
        return true;
    fg_arena_init(&arena, 4096);
    fg_buffer_init(&ca_key, 65536);
    fg_buffer_init(&ca, 65536);
    fg_buffer_init(&key, 65536);
    fg_buffer_init(&certificate, 65536);
    struct fg_certify_request request = {.common_name = "server",
                                         .names = names,
                                         .name_count = 1,
                                         .not_before_s = now_s - 60,
                                         .not_after_s = now_s + 86400};
    int r = fg_certify_authority(&fake_env, "test", now_s - 60, now_s + 86400, &ca_key, &ca);
    if (r == 0)
        r = fg_certify_issue(&fake_env, fg_buffer_slice(&ca_key), fg_buffer_slice(&ca), &request,
                             &arena, &message, &key, &certificate);
    fg_arena_free(&arena);
    if (r == 0)
        client_context = SSL_CTX_new(TLS_client_method());
    return client_context != NULL;
}

/* -- The transport --------------------------------------------------------------------------------
 */

struct fake {
    struct fg_conn conn;
    size_t takes; /* at once; 0: all */
    bool is_reading, is_closed, is_shut, was_reset;
    struct fg_buffer pending; /* of write(), not yet taken */
    size_t pending_at;
    struct fg_buffer sent; /* to the client */
    uint64_t due_ns;
};

static struct fake *fake_of(struct fg_conn *conn)
{
    return (struct fake *)conn;
}

static int fake_try_write(struct fg_conn *conn, const struct iovec *parts, unsigned count,
                          size_t *ret_size)
{
    struct fake *fake = fake_of(conn);
    size_t size = 0;
    assert(!fake->is_closed && !fake->is_shut && fake->pending.size == 0);
    for (unsigned i = 0; i < count; i++) {
        size_t left = fake->takes ? fake->takes - size : parts[i].iov_len;
        size_t n = parts[i].iov_len < left ? parts[i].iov_len : left;
        fg_buffer_append(&fake->sent, parts[i].iov_base, n);
        size += n;
    }
    *ret_size = size;
    return 0;
}

static int fake_write(struct fg_conn *conn, const struct iovec *parts, unsigned count)
{
    struct fake *fake = fake_of(conn);
    assert(!fake->is_closed && !fake->is_shut && fake->pending.size == 0);
    for (unsigned i = 0; i < count; i++)
        fg_buffer_append(&fake->pending, parts[i].iov_base, parts[i].iov_len);
    assert(fake->pending.size > 0);
    fake->pending_at = 0;
    return 0;
}

static size_t fake_unwritten(struct fg_conn *conn)
{
    return fake_of(conn)->pending.size - fake_of(conn)->pending_at;
}

static void fake_read(struct fg_conn *conn, bool on)
{
    fake_of(conn)->is_reading = on;
}

static void fake_wake_at(struct fg_conn *conn, uint64_t due_ns)
{
    fake_of(conn)->due_ns = due_ns;
}

static void fake_shut_down(struct fg_conn *conn)
{
    assert(fake_of(conn)->pending.size == 0 && !fake_of(conn)->is_shut);
    fake_of(conn)->is_shut = true;
}

static void fake_close(struct fg_conn *conn, bool reset)
{
    assert(!fake_of(conn)->is_closed);
    fake_of(conn)->is_closed = true;
    fake_of(conn)->was_reset = reset;
}

static const struct fg_transport transport = {
    .try_write = fake_try_write,
    .write = fake_write,
    .unwritten = fake_unwritten,
    .read = fake_read,
    .wake_at = fake_wake_at,
    .shut_down = fake_shut_down,
    .close = fake_close,
};

/* The socket takes some of what waits. */
static void drain_some(struct fake *fake)
{
    size_t left = fake->pending.size - fake->pending_at;
    size_t before = fake->conn.transport->unwritten(&fake->conn);
    size_t n = fake->takes && fake->takes < left ? fake->takes : left;
    fg_buffer_append(&fake->sent, fake->pending.data + fake->pending_at, n);
    fake->pending_at += n;
    assert(fake->conn.transport->unwritten(&fake->conn) <= before);
    if (fake->pending_at < fake->pending.size)
        return;
    fg_buffer_reset(&fake->pending);
    fg_tls_on_written(&fake->conn);
}

static void settle(struct fake *fake)
{
    for (unsigned i = 0; i < TURN_MAX && !fake->is_closed; i++) {
        if (fake->pending.size) {
            drain_some(fake);
        } else if (fake->due_ns <= now_ns) {
            fake->due_ns = UINT64_MAX;
            fg_conn_on_time(&fake->conn);
        } else {
            return;
        }
    }
    assert(fake->is_closed);
}

static void feed(struct fake *fake, struct fg_slice bytes, size_t step)
{
    while (bytes.size && !fake->is_closed && fake->is_reading) {
        size_t size = bytes.size < step ? bytes.size : step;
        size = size < FG_NET_READ_SIZE ? size : FG_NET_READ_SIZE;
        fg_tls_on_input(&fake->conn, fg_slice(bytes.data, size));
        bytes = fg_slice(bytes.data + size, bytes.size - size);
        settle(fake);
    }
}

/* -- Handlers -------------------------------------------------------------------------------------
 */

struct parts {
    struct fg_generator generator;
    unsigned at;
};

static int pull(struct fg_generator *generator, struct fg_buffer *out, bool *ret_done)
{
    struct parts *parts = (struct parts *)generator;
    for (unsigned i = 0; i < PULLED_PART && parts->at < PULLED; i++, parts->at++)
        fg_buffer_append_byte(out, (uint8_t)('a' + parts->at % 23));
    *ret_done = parts->at == PULLED;
    return 0;
}

static void stop(struct fg_generator *generator)
{
    free(generator);
}

static void on_request(void *arg, struct fg_request *request)
{
    (void)arg;
    const struct fg_response response = {.status = 200, .content_type = "text/plain"};
    struct parts *parts = NULL;
    assert(request->is_tls);
    if (fg_slice_equal(request->path, FG_SLICE("/p")))
        parts = calloc(1, sizeof *parts);
    if (!parts) {
        fg_respond_copy(request, &response, request->body);
        return;
    }
    parts->generator = (struct fg_generator){.pull = pull, .stop = stop};
    fg_respond_pull(request, &response, &parts->generator);
}

static void no_wake(struct fg_net_loop *loop)
{
    (void)loop;
}

/* -- The client -----------------------------------------------------------------------------------
 */

struct client {
    SSL *ssl;
    BIO *in, *out;
    struct fg_buffer said; /* by the server, decrypted */
    bool has_ended;        /* the server said close_notify */
    bool failed;
    unsigned how;
    size_t step;
};

/* What the server has sent, to the client. */
static void receive(struct client *client, struct fake *fake)
{
    char text[4096];
    int n;
    if (fake->sent.size)
        BIO_write(client->in, fake->sent.data, (int)fake->sent.size);
    fg_buffer_reset(&fake->sent);
    if (!SSL_is_init_finished(client->ssl))
        return;
    while ((n = SSL_read(client->ssl, text, sizeof text)) > 0)
        fg_buffer_append(&client->said, text, (size_t)n);
    int error = SSL_get_error(client->ssl, n);
    client->has_ended |= error == SSL_ERROR_ZERO_RETURN;
    client->failed |= error == SSL_ERROR_SSL;
    ERR_clear_error();
}

static void transmit(struct client *client, struct fake *fake)
{
    char *data;
    long size = BIO_get_mem_data(client->out, &data);
    uint8_t *copy = size > 0 ? malloc((size_t)size) : NULL;
    if (!copy)
        return;
    memcpy(copy, data, (size_t)size);
    if (client->how & 16)
        copy[(size_t)size / 2] ^= 1;
    (void)BIO_reset(client->out);
    feed(fake, fg_slice(copy, (size_t)size), client->step);
    free(copy);
}

static void speak(struct client *client, struct fake *fake, struct fg_slice text)
{
    for (unsigned i = 0; i < 10 && !SSL_is_init_finished(client->ssl) && !client->failed; i++) {
        int r = SSL_do_handshake(client->ssl);
        client->failed = r <= 0 && SSL_get_error(client->ssl, r) != SSL_ERROR_WANT_READ;
        ERR_clear_error();
        transmit(client, fake);
        receive(client, fake);
    }
    while (text.size && !client->failed && !fake->is_closed) {
        size_t size = text.size < 700 ? text.size : 700;
        unsigned changes = client->how & 64 ? 100 : (client->how & 4) != 0;
        for (unsigned i = 0; i < changes && SSL_version(client->ssl) == TLS1_3_VERSION; i++)
            if (SSL_key_update(client->ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
                SSL_do_handshake(client->ssl);
        if (SSL_write(client->ssl, text.data, (int)size) <= 0)
            break;
        text = fg_slice(text.data + size, text.size - size);
        transmit(client, fake);
        receive(client, fake);
    }
    ERR_clear_error();
    if (client->how & 32)
        now_ns += 11 * FG_NS_PER_SECOND;
    settle(fake);
    if (!(client->how & 8) && SSL_is_init_finished(client->ssl) && !client->failed)
        SSL_shutdown(client->ssl);
    transmit(client, fake);
    settle(fake);
    receive(client, fake);
    ERR_clear_error();
}

/* The one exchange whose answer is known. */
static void check(const struct client *client, const struct fake *fake, struct fg_slice text)
{
    bool is_whole = fg_slice_equal(text, FG_SLICE(WHOLE_REQUEST)) && !(client->how & ~6u);
    if (!is_whole)
        return;
    assert(SSL_is_init_finished(client->ssl) && !client->said.error);
    const uint8_t *body = memmem(client->said.data, client->said.size, "\r\n\r\n", 4);
    assert(body && client->has_ended && !fake->was_reset);
    body += 4;
    assert((size_t)(client->said.data + client->said.size - body) == PULLED);
    for (unsigned i = 0; i < PULLED; i++)
        assert(body[i] == (uint8_t)('a' + i % 23));
}

static void run_client(struct fake *fake, unsigned how, size_t step, struct fg_slice text)
{
    struct client client = {.how = how, .step = step};
    client.ssl = SSL_new(client_context);
    client.in = BIO_new(BIO_s_mem());
    client.out = BIO_new(BIO_s_mem());
    if (!client.ssl || !client.in || !client.out) {
        SSL_free(client.ssl);
        BIO_free(client.in);
        BIO_free(client.out);
        return;
    }
    fg_buffer_init(&client.said, SIZE_MAX);
    SSL_set_bio(client.ssl, client.in, client.out);
    SSL_set_connect_state(client.ssl);
    if (how & 2)
        SSL_set_max_proto_version(client.ssl, TLS1_2_VERSION);
    speak(&client, fake, text);
    check(&client, fake, text);
    SSL_free(client.ssl);
    fg_buffer_free(&client.said);
}

static void run(struct fg_net_loop *loop, struct fg_tls *tls, const uint8_t *data, size_t size)
{
    struct fake *fake = calloc(1, sizeof *fake);
    if (!fake)
        return;
    size_t step = data[0] ? data[0] : SIZE_MAX;
    struct fg_slice text = fg_slice(data + 3, size - 3);
    fake->conn.transport = &transport;
    fake->conn.loop = loop;
    fake->takes = data[1] * 61u;
    fake->due_ns = UINT64_MAX;
    fg_buffer_init(&fake->pending, SIZE_MAX);
    fg_buffer_init(&fake->sent, SIZE_MAX);
    if (fg_tls_conn_new(tls, &fake->conn, FG_CLIENT_CERTIFICATE_NONE) < 0) {
        free(fake);
        return;
    }
    atomic_fetch_add(&loop->shared->counters.connections_open, 1);
    fg_conn_start(&fake->conn);
    if (data[2] & 1)
        feed(fake, text, step);
    else
        run_client(fake, data[2], step, text);
    if (!fake->is_closed && fake->is_reading)
        fg_tls_on_eof(&fake->conn);
    settle(fake);
    fg_net_loop_cut(loop);
    assert(fake->is_closed);
    fg_tls_conn_free(fake->conn.tls);
    fg_buffer_free(&fake->pending);
    fg_buffer_free(&fake->sent);
    free(fake);
}

static struct fg_tls *open_tls(void)
{
    const struct fg_tls_material material = {.certificates = fg_buffer_slice(&certificate),
                                             .key = fg_buffer_slice(&key)};
    struct fg_tls *tls;
    struct fg_arena arena;
    const char *message;
    if (fg_tls_new(&fake_env, &tls) < 0)
        return NULL;
    fg_arena_init(&arena, 4096);
    int r = fg_tls_load(tls, &material, &arena, &message);
    fg_arena_free(&arena);
    if (r == 0)
        return tls;
    fg_tls_free(tls);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fg_net_shared shared;
    struct fg_net_loop loop;
    struct fg_server_options options = fg_server_options_default(&fake_env);
    if (size < 3 || size > 50000)
        return 0;
    /* OpenSSL has no clock but the real one. */
    struct timespec real;
    clock_gettime(CLOCK_REALTIME, &real);
    now_ns = (uint64_t)real.tv_sec * FG_NS_PER_SECOND;
    if (!make_certificates())
        return 0;
    struct fg_tls *tls = open_tls();
    if (!tls)
        return 0;
    shared = (struct fg_net_shared){
        .env = &fake_env, .limits = options.limits, .on_request = on_request};
    if (fg_net_loop_init(&loop, &shared, 0, no_wake) == 0) {
        run(&loop, tls, data, size);
        assert(loop.conn_count == 0 && loop.call_count == 0);
        assert(!loop.tls || (loop.tls->handshake_count == 0 && loop.tls->records.size == 0));
        assert(shared.counters.buffered_bytes == 0 && shared.counters.requests_open == 0);
        assert(shared.counters.connections_open == 0);
        fg_net_loop_free(&loop);
    }
    fg_tls_free(tls);
    return 0;
}
