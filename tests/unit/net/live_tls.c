#include "live_tls.h"

#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PART_SIZE 4096

bool live_tls_is_on(void)
{
    return getenv("FG_LIVE_TLS") != NULL;
}

const struct live_certificates *live_certificates(void)
{
    static struct live_certificates made;
    static const char *const names[] = {"localhost", "127.0.0.1"};
    if (made.ca.size)
        return &made;
    struct fg_env *env = fg_env_real();
    int64_t now_s = (int64_t)(fg_env_wall_ns(env) / FG_NS_PER_SECOND);
    struct fg_arena arena;
    const char *message = "";
    fg_arena_init(&arena, 4096);
    fg_buffer_init(&made.ca_key, 65536);
    fg_buffer_init(&made.ca, 65536);
    fg_buffer_init(&made.key, 65536);
    fg_buffer_init(&made.certificate, 65536);
    assert_int_equal(
        fg_certify_authority(env, "test", now_s - 60, now_s + 3600, &made.ca_key, &made.ca), 0);
    const struct fg_certify_request request = {.common_name = "server",
                                               .names = names,
                                               .name_count = 2,
                                               .use = FG_CERTIFY_SERVER,
                                               .not_before_s = now_s - 60,
                                               .not_after_s = now_s + 3600};
    assert_int_equal(fg_certify_issue(env, fg_buffer_slice(&made.ca_key), fg_buffer_slice(&made.ca),
                                      &request, &arena, &message, &made.key, &made.certificate),
                     0);
    fg_arena_free(&arena);
    return &made;
}

struct fg_tls_material live_material(void)
{
    const struct live_certificates *made = live_certificates();
    return (struct fg_tls_material){.certificates = fg_buffer_slice(&made->certificate),
                                    .key = fg_buffer_slice(&made->key)};
}

struct fg_tls *live_tls_new(void)
{
    struct fg_tls *tls;
    struct fg_arena arena;
    const char *message = "";
    struct fg_tls_material material = live_material();
    fg_arena_init(&arena, 4096);
    assert_int_equal(fg_tls_new(fg_env_real(), &tls), 0);
    if (fg_tls_load(tls, &material, &arena, &message) < 0)
        fail_msg("%s", message);
    fg_arena_free(&arena);
    return tls;
}

/* -- The relay ------------------------------------------------------------------------------------
 */

struct relay {
    SSL_CTX *context;
    SSL *ssl;
    int plain, socket;
    char out[PART_SIZE]; /* from plain, not yet written */
    size_t out_size;
    bool plain_ended, server_ended;
    bool is_cut; /* by one side without a word: the other must see it as a reset */
};

/* False: the server's side is over for good. */
static bool from_server(struct relay *relay)
{
    char part[PART_SIZE];
    for (;;) {
        int n = SSL_read(relay->ssl, part, sizeof part);
        if (n > 0) {
            for (int at = 0; at < n;) {
                ssize_t sent = send(relay->plain, part + at, (size_t)(n - at), MSG_NOSIGNAL);
                if (sent < 0)
                    return false; /* the test has closed */
                at += (int)sent;
            }
            continue;
        }
        int error = SSL_get_error(relay->ssl, n);
        ERR_clear_error();
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
            return true;
        relay->server_ended = true;
        relay->is_cut = error != SSL_ERROR_ZERO_RETURN;
        if (!relay->is_cut)
            shutdown(relay->plain, SHUT_WR);
        return !relay->is_cut && !relay->plain_ended;
    }
}

static bool to_server(struct relay *relay)
{
    while (relay->out_size) {
        int n = SSL_write(relay->ssl, relay->out, (int)relay->out_size);
        if (n > 0) {
            relay->out_size = 0;
            return true;
        }
        int error = SSL_get_error(relay->ssl, n);
        ERR_clear_error();
        return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    }
    return true;
}

static bool from_plain(struct relay *relay)
{
    ssize_t n = recv(relay->plain, relay->out, sizeof relay->out, 0);
    if (n > 0) {
        relay->out_size = (size_t)n;
        return to_server(relay);
    }
    if (n < 0) {
        relay->is_cut = true;
        return false;
    }
    relay->plain_ended = true;
    SSL_shutdown(relay->ssl);
    shutdown(relay->socket, SHUT_WR);
    return !relay->server_ended;
}

static void *run(void *arg)
{
    struct relay *relay = arg;
    bool goes_on = true;
    while (goes_on) {
        bool is_held = relay->out_size > 0;
        struct pollfd polls[2] = {
            {.fd = relay->plain, .events = relay->plain_ended || is_held ? 0 : POLLIN},
            /* A server that has said its last may still take what the client says. */
            {.fd = relay->server_ended && !is_held ? -1 : relay->socket,
             .events = (short)((relay->server_ended ? 0 : POLLIN) | (is_held ? POLLOUT : 0))},
        };
        poll(polls, 2, -1);
        if (is_held)
            goes_on = to_server(relay);
        if (goes_on && polls[1].revents && !relay->server_ended)
            goes_on = from_server(relay);
        if (goes_on && !relay->plain_ended && relay->out_size == 0 && polls[0].revents)
            goes_on = from_plain(relay);
        else if (goes_on && polls[0].revents & (POLLHUP | POLLERR))
            relay->is_cut = true, goes_on = false; /* the test has closed its end */
    }
    if (relay->is_cut) {
        const struct linger reset = {.l_onoff = 1, .l_linger = 0};
        setsockopt(relay->socket, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        setsockopt(relay->plain, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    SSL_free(relay->ssl);
    SSL_CTX_free(relay->context);
    close(relay->socket);
    close(relay->plain);
    free(relay);
    return NULL;
}

/* A pair that can reset: over TCP. */
static void make_pair(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(ends[0], (struct sockaddr *)&address, size), 0);
    ends[1] = accept(listener, NULL, NULL);
    assert_true(ends[1] >= 0);
    for (int i = 0; i < 2; i++)
        setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    close(listener);
}

int live_tls_relay_take(int socket)
{
    int ends[2];
    signal(SIGPIPE, SIG_IGN); /* OpenSSL's own write() */
    struct relay *relay = calloc(1, sizeof *relay);
    assert_non_null(relay);
    make_pair(ends);
    relay->socket = socket;
    relay->plain = ends[1];
    relay->context = SSL_CTX_new(TLS_client_method());
    relay->ssl = SSL_new(relay->context);
    assert_non_null(relay->ssl);
    SSL_set_fd(relay->ssl, socket);
    SSL_set_connect_state(relay->ssl);
    SSL_set_mode(relay->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* A server that cuts at once leaves a client that reads an end, as over plain TCP. */
    (void)SSL_do_handshake(relay->ssl);
    ERR_clear_error();
    fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run, relay), 0);
    pthread_detach(thread);
    return ends[0];
}
