/* TLS of a live server: its bounds, who a client is, sessions, and certificates that can't be used.
 * What HTTP does over it is tested by the other files with FG_LIVE_TLS. */
#include "live.h"
#include "live_tls.h"
#include "net/identity.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static uint64_t refused(enum fg_refusal_reason reason)
{
    return live_count(&live.counters->refused[reason]);
}

/* -- A server -------------------------------------------------------------------------------------
 */

/* The clock of the tickets runs ahead by this. */
static uint64_t ahead_ns;

static uint64_t late_mono_ns(struct fg_env *env)
{
    (void)env;
    return fg_env_mono_ns(fg_env_real()) + ahead_ns;
}

static uint64_t real_wall_ns(struct fg_env *env)
{
    (void)env;
    return fg_env_wall_ns(fg_env_real());
}

static void real_random(struct fg_env *env, void *data, size_t size)
{
    (void)env;
    fg_env_random(fg_env_real(), data, size);
}

static const struct fg_env_ops late_ops = {
    .mono_ns = late_mono_ns, .wall_ns = real_wall_ns, .random = real_random};
static struct fg_env late_env = {.ops = &late_ops};

static struct fg_tls *server_tls;

static int load(struct fg_tls_material material, char text[256])
{
    struct fg_arena arena;
    const char *message = "";
    fg_arena_init(&arena, 4096);
    int r = fg_tls_load(server_tls, &material, &arena, &message);
    snprintf(text, 256, "%s", message);
    fg_arena_free(&arena);
    return r;
}

static void start(enum fg_client_certificate client, void (*set)(struct fg_net_limits *limits),
                  void (*on_request)(void *arg, struct fg_request *request))
{
    static struct fg_listen listener = {.address = "127.0.0.1:0", .face = 7, .is_tls = true};
    char text[256];
    struct fg_server_options options = live_options();
    struct fg_tls_material material = live_material();
    ahead_ns = 0;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(fg_tls_new(&late_env, &server_tls), 0);
    if (client != FG_CLIENT_CERTIFICATE_NONE)
        material.client_authority = fg_buffer_slice(&live_certificates()->ca);
    if (load(material, text) < 0)
        fail_msg("%s", text);
    listener.client = client;
    options.listeners = &listener;
    options.loop_count = 1;
    options.tls = server_tls;
    if (on_request)
        options.on_request = on_request;
    if (set)
        set(&options.limits);
    live_start(&options);
}

static void stop(void)
{
    live_stop();
    fg_tls_free(server_tls);
}

/* -- A client -------------------------------------------------------------------------------------
 */

struct client {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
};

static void trust_ours(SSL_CTX *context)
{
    const struct fg_buffer *ca = &live_certificates()->ca;
    BIO *bio = BIO_new_mem_buf(ca->data, (int)ca->size);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate), 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    X509_free(certificate);
    BIO_free(bio);
}

static void show(SSL_CTX *context, const struct fg_buffer *key_text, const struct fg_buffer *text)
{
    BIO *bio = BIO_new_mem_buf(text->data, (int)text->size);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO *key_bio = BIO_new_mem_buf(key_text->data, (int)key_text->size);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
    assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    BIO_free(bio);
    BIO_free(key_bio);
}

/* Plain TCP. */
static int tcp_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)live.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval timeout = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static struct client client_new(void)
{
    struct client client = {.context = SSL_CTX_new(TLS_client_method()), .fd = tcp_connect()};
    trust_ours(client.context);
    return client;
}

/* 1 where it is secure. */
static int shake_hands(struct client *client, SSL_SESSION *session)
{
    client->ssl = SSL_new(client->context);
    SSL_set_fd(client->ssl, client->fd);
    if (session)
        SSL_set_session(client->ssl, session);
    int r = SSL_connect(client->ssl);
    ERR_clear_error();
    return r;
}

/* Reads one answer whole; its begin is kept. -1 where there is none. */
static int ask(struct client *client, const char *request, char answer[1024])
{
    if (SSL_write(client->ssl, request, (int)strlen(request)) <= 0)
        return -1;
    int n = SSL_read(client->ssl, answer, 1023);
    answer[n > 0 ? n : 0] = 0;
    ERR_clear_error();
    return n;
}

static void client_free(struct client *client)
{
    /* OpenSSL forgets the session of a connection that just breaks off. */
    if (client->ssl && SSL_is_init_finished(client->ssl))
        SSL_shutdown(client->ssl);
    ERR_clear_error();
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    close(client->fd);
}

#define GET "GET /echo HTTP/1.1\r\nhost: localhost\r\n\r\n"

/* -- Bounds ---------------------------------------------------------------------------------------
 */

static void little_time(struct fg_net_limits *limits)
{
    limits->handshake_timeout_ns = 100 * FG_NS_PER_MS;
}

static void half_handshakes_go(void **state)
{
    (void)state;
    static const char *const begins[] = {"", "\x16", "\x16\x03\x01\x02\x05\x01"};
    int fds[3];
    start(FG_CLIENT_CERTIFICATE_NONE, little_time, NULL);
    for (int i = 0; i < 3; i++) {
        fds[i] = tcp_connect();
        client_say(fds[i], begins[i]);
    }
    for (int i = 0; i < 3; i++)
        expect_end(fds[i]);
    live_wait_count(&live.counters->refused[FG_REFUSED_HANDSHAKE_TIMEOUT], 3);
    stop();
}

static void few_at_once(struct fg_net_limits *limits)
{
    limits->handshakes_max = 4;
}

static void the_oldest_of_too_many_goes(void **state)
{
    (void)state;
    char answer[1024];
    int fds[4];
    start(FG_CLIENT_CERTIFICATE_NONE, few_at_once, NULL);
    for (int i = 0; i < 4; i++) {
        fds[i] = tcp_connect();
        live_wait_count(&live.counters->connections_open, (uint64_t)i + 1);
    }
    struct client client = client_new();
    assert_int_equal(shake_hands(&client, NULL), 1);
    assert_true(ask(&client, GET, answer) > 0);
    expect_end(fds[0]);
    live_wait_count(&live.counters->refused[FG_REFUSED_HANDSHAKE_FLOOD], 1);
    for (int i = 1; i < 4; i++) {
        assert_true(is_open(fds[i]));
        close(fds[i]);
    }
    client_free(&client);
    stop();
}

/* A hello of 64 KiB, and after it no end. */
static void long_handshakes_are_refused(void **state)
{
    (void)state;
    static const uint8_t begin[] = {0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff, 3, 3};
    uint8_t zeros[4096] = {0};
    start(FG_CLIENT_CERTIFICATE_NONE, NULL, NULL);
    int fd = tcp_connect();
    client_send(fd, begin, sizeof begin);
    for (int i = 0; i < 64; i++)
        client_send(fd, zeros, sizeof zeros);
    live_wait_count(&live.counters->refused[FG_REFUSED_HANDSHAKE], 1);
    close(fd);
    stop();
}

static void keys_are_not_changed_for_ever(void **state)
{
    (void)state;
    char answer[1024];
    start(FG_CLIENT_CERTIFICATE_NONE, NULL, NULL);
    struct client client = client_new();
    assert_int_equal(shake_hands(&client, NULL), 1);
    for (unsigned i = 0; i < FG_NET_REKEYS_MAX / 2; i++) {
        assert_int_equal(SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_true(ask(&client, GET, answer) > 0);
    }
    assert_int_equal(refused(FG_REFUSED_CONTROL_FLOOD), 0);
    for (unsigned i = 0; i <= FG_NET_REKEYS_MAX; i++)
        if (SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED) != 1 ||
            SSL_do_handshake(client.ssl) != 1)
            break;
    ERR_clear_error();
    live_wait_count(&live.counters->refused[FG_REFUSED_CONTROL_FLOOD], 1);
    client_free(&client);
    stop();
}

/* -- What is spoken -------------------------------------------------------------------------------
 */

/* Who agreed on HTTP/2 and speaks HTTP/1.1, and the other way round. */
static void what_was_agreed_on_is_spoken(void **state)
{
    (void)state;
    static const unsigned char protocols[2][9] = {"\2h2", "\10http/1.1"};
    static const char *const words[2] = {GET, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
    char answer[1024];
    start(FG_CLIENT_CERTIFICATE_NONE, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        struct client client = client_new();
        SSL_CTX_set_alpn_protos(client.context, protocols[i], protocols[i][0] + 1u);
        assert_int_equal(shake_hands(&client, NULL), 1);
        assert_true(ask(&client, words[i], answer) <= 0);
        live_wait_count(&live.counters->refused[FG_REFUSED_MALFORMED], (uint64_t)i + 1);
        client_free(&client);
    }
    stop();
}

/* -- Who a client is ------------------------------------------------------------------------------
 */

static void say_who(void *arg, struct fg_request *request)
{
    const struct fg_net_identity *who = request->identity;
    char text[512] = "nobody";
    (void)arg;
    if (who)
        snprintf(text, sizeof text, "%.*s;%.*s;%zu:%.*s;%zu:%.*s;%zu", (int)who->subject.size,
                 (const char *)who->subject.data, (int)who->common_name.size,
                 (const char *)who->common_name.data, who->dns_name_count,
                 who->dns_name_count ? (int)who->dns_names[0].size : 0,
                 who->dns_name_count ? (const char *)who->dns_names[0].data : "", who->uri_count,
                 who->uri_count ? (int)who->uris[0].size : 0,
                 who->uri_count ? (const char *)who->uris[0].data : "", who->email_count);
    fg_respond_text(request, 200, text);
}

static void make_client(struct fg_buffer *key, struct fg_buffer *certificate, int64_t life_s)
{
    static const char *const names[] = {"checkout.example", "spiffe://shop/checkout"};
    const struct live_certificates *made = live_certificates();
    int64_t now_s = (int64_t)(fg_env_wall_ns(fg_env_real()) / FG_NS_PER_SECOND);
    struct fg_certify_request request = {.common_name = "check, \"out\"",
                                         .names = names,
                                         .name_count = 2,
                                         .use = FG_CERTIFY_CLIENT,
                                         .not_before_s = now_s - 100,
                                         .not_after_s = now_s + life_s};
    struct fg_arena arena;
    const char *message = "";
    fg_arena_init(&arena, 4096);
    fg_buffer_init(key, 65536);
    fg_buffer_init(certificate, 65536);
    assert_int_equal(fg_certify_issue(fg_env_real(), fg_buffer_slice(&made->ca_key),
                                      fg_buffer_slice(&made->ca), &request, &arena, &message, key,
                                      certificate),
                     0);
    fg_arena_free(&arena);
}

static void a_client_is_who_its_certificate_says(void **state)
{
    (void)state;
    char answer[1024];
    struct fg_buffer key, certificate;
    make_client(&key, &certificate, 600);
    start(FG_CLIENT_CERTIFICATE_ASK, NULL, say_who);
    struct client client = client_new();
    assert_int_equal(shake_hands(&client, NULL), 1);
    assert_true(ask(&client, GET, answer) > 0);
    assert_non_null(strstr(answer, "\r\n\r\nnobody"));
    client_free(&client);
    client = client_new();
    show(client.context, &key, &certificate);
    assert_int_equal(shake_hands(&client, NULL), 1);
    for (int i = 0; i < 3; i++) {
        assert_true(ask(&client, GET, answer) > 0);
        assert_non_null(strstr(answer, "CN=check\\, \\\"out\\\";check, \"out\";1:checkout.example;"
                                       "1:spiffe://shop/checkout;0"));
    }
    client_free(&client);
    fg_buffer_free(&key);
    fg_buffer_free(&certificate);
    stop();
}

static void certificates_end(void **state)
{
    (void)state;
    char answer[1024];
    struct fg_buffer key, certificate;
    make_client(&key, &certificate, -1);
    start(FG_CLIENT_CERTIFICATE_ASK, NULL, say_who);
    struct client client = client_new();
    show(client.context, &key, &certificate);
    /* In TLS 1.3 a client hears of it only with its first answer. */
    if (shake_hands(&client, NULL) == 1)
        assert_true(ask(&client, GET, answer) <= 0);
    live_wait_count(&live.counters->refused[FG_REFUSED_CLIENT_CERTIFICATE], 1);
    client_free(&client);
    fg_buffer_free(&key);
    fg_buffer_free(&certificate);
    stop();
}

/* -- Sessions -------------------------------------------------------------------------------------
 */

static SSL_SESSION *first_session(void)
{
    char answer[1024];
    struct client client = client_new();
    assert_int_equal(shake_hands(&client, NULL), 1);
    assert_true(ask(&client, GET, answer) > 0); /* and with it the ticket */
    SSL_SESSION *session = SSL_get1_session(client.ssl);
    assert_true(SSL_SESSION_is_resumable(session));
    client_free(&client);
    return session;
}

static bool is_resumed(SSL_SESSION *session)
{
    struct client client = client_new();
    assert_int_equal(shake_hands(&client, session), 1);
    bool is_reused = SSL_session_reused(client.ssl) == 1;
    client_free(&client);
    return is_reused;
}

/* A key seals for an hour and opens for two. Each ticket is used once. */
static void keys_of_tickets_age(void **state)
{
    (void)state;
    start(FG_CLIENT_CERTIFICATE_NONE, NULL, NULL);
    SSL_SESSION *sessions[3];
    for (int i = 0; i < 3; i++)
        sessions[i] = first_session();
    assert_true(is_resumed(sessions[0]));
    ahead_ns = FG_NET_TICKET_KEY_NS + FG_NS_PER_SECOND;
    assert_true(is_resumed(sessions[1]));
    ahead_ns = 2 * FG_NET_TICKET_KEY_NS + 2 * FG_NS_PER_SECOND;
    assert_false(is_resumed(sessions[2]));
    live_wait_count(&live.counters->tls_resumed, 2);
    for (int i = 0; i < 3; i++)
        SSL_SESSION_free(sessions[i]);
    stop();
}

/* Another certificate leaves sessions; another authority of the clients ends them. */
static void an_authority_ends_its_sessions(void **state)
{
    (void)state;
    char text[256];
    struct fg_tls_material material = live_material();
    start(FG_CLIENT_CERTIFICATE_NONE, NULL, NULL);
    SSL_SESSION *first = first_session(), *second = first_session();
    assert_int_equal(load(material, text), 0);
    assert_true(is_resumed(first));
    material.client_authority = fg_buffer_slice(&live_certificates()->ca);
    assert_int_equal(load(material, text), 0);
    assert_false(is_resumed(second));
    SSL_SESSION_free(first);
    SSL_SESSION_free(second);
    stop();
}

/* -- Material -------------------------------------------------------------------------------------
 */

static void what_cant_be_used_changes_nothing(void **state)
{
    (void)state;
    char text[256];
    struct fg_buffer key, certificate, expired_key, expired;
    make_client(&key, &certificate, 600);
    make_client(&expired_key, &expired, -1);
    start(FG_CLIENT_CERTIFICATE_NONE, NULL, NULL);
    const struct fg_tls_material good = live_material();
    const struct {
        struct fg_slice certificates, key, authority;
        const char *why;
    } cases[] = {
        {FG_SLICE("nothing"), good.key, {0}, "no certificate in PEM form"},
        {FG_SLICE("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
         good.key,
         {0},
         "damaged"},
        {good.certificates, FG_SLICE("nothing"), {0}, "no private key in PEM form"},
        {good.certificates, fg_buffer_slice(&key), {0}, "not that of the certificate"},
        {good.certificates, FG_SLICE(""), {0}, "no private key in PEM form"},
        {fg_buffer_slice(&expired), fg_buffer_slice(&expired_key), {0}, "has expired"},
        {good.certificates, good.key, FG_SLICE("nothing"), "tls-client-ca holds no certificate"},
        {good.certificates, good.key, fg_buffer_slice(&certificate), "no authority's"},
    };
    struct fg_tls_facts before, after;
    assert_int_equal(fg_tls_facts(server_tls, &before), 0);
    assert_string_equal(before.names, "localhost, 127.0.0.1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct fg_tls_material material = {cases[i].certificates, cases[i].key,
                                                 cases[i].authority};
        assert_int_equal(load(material, text), FG_EINVALID);
        if (!strstr(text, cases[i].why))
            fail_msg("'%s' does not say '%s'", text, cases[i].why);
        assert_int_equal(fg_tls_facts(server_tls, &after), 0);
        assert_memory_equal(&before, &after, sizeof before);
    }
    struct client client = client_new();
    assert_int_equal(shake_hands(&client, NULL), 1);
    client_free(&client);
    fg_buffer_free(&key);
    fg_buffer_free(&certificate);
    fg_buffer_free(&expired_key);
    fg_buffer_free(&expired);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(half_handshakes_go),
        LIVE_TEST(the_oldest_of_too_many_goes),
        LIVE_TEST(long_handshakes_are_refused),
        LIVE_TEST(keys_are_not_changed_for_ever),
        LIVE_TEST(what_was_agreed_on_is_spoken),
        LIVE_TEST(a_client_is_who_its_certificate_says),
        LIVE_TEST(certificates_end),
        LIVE_TEST(keys_of_tickets_age),
        LIVE_TEST(an_authority_ends_its_sessions),
        LIVE_TEST(what_cant_be_used_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
