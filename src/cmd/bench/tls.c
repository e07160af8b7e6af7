#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* The opaque types are OpenSSL's own. */
static SSL_CTX *context_of(struct fg_bench_tls *tls)
{
    return (SSL_CTX *)tls;
}

static SSL *ssl_of(struct fg_bench_tls_session *session)
{
    return (SSL *)session;
}

static bool believe(SSL_CTX *context, const char *ca_file, const char *host)
{
    struct in6_addr address;
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
    bool is_address =
        inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return (ca_file ? SSL_CTX_load_verify_file(context, ca_file)
                    : SSL_CTX_set_default_verify_paths(context)) == 1 &&
           (is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, host)
                       : X509_VERIFY_PARAM_set1_host(param, host, 0)) == 1;
}

int fg_bench_tls_new(const char *ca_file, const char *host, bool is_grpc,
                     struct fg_bench_tls **ret_tls)
{
    static const unsigned char h1[] = "\x08http/1.1", h2[] = "\x02h2";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return FG_ENOMEM;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    int r = SSL_CTX_set_alpn_protos(context, is_grpc ? h2 : h1,
                                    is_grpc ? sizeof h2 - 1 : sizeof h1 - 1) == 0
                ? 0
                : FG_ENOMEM;
    if (r == 0 && !believe(context, ca_file, host))
        r = FG_EINVALID;
    ERR_clear_error();
    if (r < 0) {
        SSL_CTX_free(context);
        return r;
    }
    *ret_tls = (struct fg_bench_tls *)context;
    return 0;
}

void fg_bench_tls_free(struct fg_bench_tls *tls)
{
    SSL_CTX_free(context_of(tls));
}

struct fg_bench_tls_session *fg_bench_tls_session_new(struct fg_bench_tls *tls, int fd)
{
    SSL *ssl = SSL_new(context_of(tls));
    if (ssl && SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        ssl = NULL;
    }
    if (ssl)
        SSL_set_connect_state(ssl);
    return (struct fg_bench_tls_session *)ssl;
}

void fg_bench_tls_session_free(struct fg_bench_tls_session *session)
{
    SSL_free(ssl_of(session));
}

static ssize_t judge(SSL *ssl, int result, size_t done)
{
    int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl, result);
    ERR_clear_error();
    switch (error) {
    case SSL_ERROR_NONE:
        return (ssize_t)done;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    default:
        errno = EPROTO;
        return -1;
    }
}

ssize_t fg_bench_tls_send(struct fg_bench_tls_session *session, const void *data, size_t size)
{
    size_t done = 0;
    int result = SSL_write_ex(ssl_of(session), data, size, &done);
    return judge(ssl_of(session), result, done);
}

ssize_t fg_bench_tls_receive(struct fg_bench_tls_session *session, void *data, size_t size)
{
    size_t done = 0;
    int result = SSL_read_ex(ssl_of(session), data, size, &done);
    return judge(ssl_of(session), result, done);
}
