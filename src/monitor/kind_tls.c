/* tls: what stands at host and port speaks TLS, with a certificate that is valid, long enough, for
 * this name, and from somebody who is trusted. The connection is libcurl's, the handshake
 * OpenSSL's, with the verification's outcome looked at afterwards, so that each fault has its own
 * name. */
#include "base/limits.h"
#include "base/units.h"
#include "kinds.h"
#include "transfer.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#define WAIT_MS         100
#define WARN_BEFORE_NS  (14 * FG_NS_PER_DAY)
#define NAME_TEXT_SIZE  256
#define REASON_SIZE     160
#define SECONDS_PER_DAY 86400.0

struct tls {
    struct fg_env *env;
    const char *host, *server_name, *ca_file;
    int64_t port;
    uint64_t warn_before_ns;
    bool is_chain_checked;
};

static int open_tls(struct fg_env *env, struct fg_check_settings *settings, void **ret_check)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return FG_ENOMEM;
    tls->env = env;
    tls->host = fg_transfer_host(settings);
    tls->port = fg_check_setting_int(settings, "port", 1, 65535, 443);
    tls->server_name = fg_check_setting(settings, "server-name");
    tls->ca_file = fg_check_setting(settings, "ca-file");
    tls->is_chain_checked = fg_check_setting_bool(settings, "chain", true);
    tls->warn_before_ns = fg_check_setting_ns(settings, "warn-before", WARN_BEFORE_NS);
    if (tls->server_name && (*tls->server_name == 0 || strlen(tls->server_name) > 253))
        fg_check_complain(settings, "server-name", "expected a name");
    if (!tls->server_name)
        tls->server_name = tls->host;
    if (!tls->host) {
        free(tls);
        return FG_EINVALID;
    }
    *ret_check = tls;
    return 0;
}

/* -- The handshake */

static const char *reason_of(char text[REASON_SIZE])
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    snprintf(text, REASON_SIZE, "%s", reason ? reason : "the handshake failed");
    ERR_clear_error();
    return text;
}

/* Waits for what the handshake waits for; false when time is up. */
static bool wait_for(const struct fg_transfer *transfer, SSL *ssl, int error)
{
    long left_ms;
    short events = error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
    while ((left_ms = fg_transfer_left_ms(transfer)) > 0 &&
           !fg_check_is_cancelled(transfer->report)) {
        struct pollfd wanted = {.fd = SSL_get_fd(ssl), .events = events};
        if (poll(&wanted, 1, left_ms < WAIT_MS ? (int)left_ms : WAIT_MS) > 0)
            return true;
    }
    return false;
}

/* False with a finding. */
static bool shake_hands(const struct fg_transfer *transfer, SSL *ssl)
{
    char reason[REASON_SIZE];
    int r;
    ERR_clear_error();
    while ((r = SSL_connect(ssl)) != 1) {
        int error = SSL_get_error(ssl, r);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
            if (wait_for(transfer, ssl, error))
                continue;
            fg_check_finding(transfer->report, FG_CHECK_UNKNOWN, "no_answer", false,
                             "it takes connections, and did not end the handshake in time");
            return false;
        }
        bool is_closed =
            error == SSL_ERROR_SYSCALL || error == SSL_ERROR_ZERO_RETURN ||
            ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
        if (is_closed)
            fg_check_finding(transfer->report, FG_CHECK_DOWN, "closed", false,
                             "it took the connection and closed it in the handshake");
        else
            fg_check_finding(transfer->report, FG_CHECK_UNKNOWN, "not_tls", false,
                             "TLS was not agreed on: %s", reason_of(reason));
        ERR_clear_error();
        return false;
    }
    return true;
}

/* -- The certificate */

static bool seconds_of(const ASN1_TIME *time, int64_t *ret_seconds)
{
    struct tm parts;
    if (!time || ASN1_TIME_to_tm(time, &parts) != 1)
        return false;
    *ret_seconds = timegm(&parts);
    return true;
}

static void judge_time(const struct tls *tls, X509 *certificate, struct fg_check_report *report)
{
    int64_t from = 0, until = 0;
    int64_t now = (int64_t)(fg_env_wall_ns(tls->env) / FG_NS_PER_SECOND);
    char text[FG_UNITS_TEXT_SIZE];
    if (!seconds_of(X509_get0_notBefore(certificate), &from) ||
        !seconds_of(X509_get0_notAfter(certificate), &until)) {
        fg_check_finding(report, FG_CHECK_UNKNOWN, "not_understood", false,
                         "the certificate's dates can't be read");
        return;
    }
    fg_time_format((uint64_t)(until > 0 ? until : 0) * FG_NS_PER_SECOND, text);
    fg_check_text(report, "tls.server.not_after", fg_slice_from_string(text));
    fg_check_double(report, "monitor.tls.days_left", (double)(until - now) / SECONDS_PER_DAY);
    if (until <= now)
        fg_check_finding(report, FG_CHECK_DOWN, "certificate_expired", true,
                         "its certificate expired at %s", text);
    else if (from > now)
        fg_check_finding(report, FG_CHECK_DOWN, "certificate_not_yet_valid", true,
                         "its certificate is not valid yet");
    else if ((uint64_t)(until - now) < tls->warn_before_ns / FG_NS_PER_SECOND)
        fg_check_finding(report, FG_CHECK_DEGRADED, "certificate_expires", true,
                         "its certificate expires at %s", text);
}

static void judge_name(const struct tls *tls, X509 *certificate, struct fg_check_report *report)
{
    uint8_t address[16];
    bool is_address = inet_pton(AF_INET, tls->server_name, address) == 1 ||
                      inet_pton(AF_INET6, tls->server_name, address) == 1;
    int fits = is_address ? X509_check_ip_asc(certificate, tls->server_name, 0)
                          : X509_check_host(certificate, tls->server_name, 0, 0, NULL);
    if (fits != 1)
        fg_check_finding(report, FG_CHECK_DEGRADED, "certificate_name", true,
                         "its certificate is not for the name %s", tls->server_name);
}

/* The chain's outcome without what the dates said already. */
static void judge_chain(const struct tls *tls, const SSL *ssl, struct fg_check_report *report)
{
    long outcome = SSL_get_verify_result(ssl);
    if (!tls->is_chain_checked || outcome == X509_V_OK || outcome == X509_V_ERR_CERT_HAS_EXPIRED ||
        outcome == X509_V_ERR_CERT_NOT_YET_VALID)
        return;
    fg_check_finding(report, FG_CHECK_DEGRADED, "certificate_untrusted", true,
                     "its certificate is not trusted: %s", X509_verify_cert_error_string(outcome));
}

static void put_name(struct fg_check_report *report, const char *key, const X509_NAME *name)
{
    char text[NAME_TEXT_SIZE];
    if (name && X509_NAME_oneline(name, text, sizeof text))
        fg_check_text(report, key, fg_slice_from_string(text));
}

static void judge(const struct tls *tls, SSL *ssl, struct fg_check_report *report)
{
    const char *version = SSL_get_version(ssl); /* "TLSv1.3" */
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    if (strncmp(version, "TLSv", 4) == 0)
        fg_check_text(report, "tls.protocol.version", fg_slice_from_string(version + 4));
    if (!certificate) {
        fg_check_finding(report, FG_CHECK_UNKNOWN, "not_understood", false,
                         "it showed no certificate");
        return;
    }
    put_name(report, "tls.server.subject", X509_get_subject_name(certificate));
    put_name(report, "tls.server.issuer", X509_get_issuer_name(certificate));
    judge_time(tls, certificate, report);
    judge_name(tls, certificate, report);
    judge_chain(tls, ssl, report);
    X509_free(certificate);
}

/* -- A run */

/* NULL with a finding. */
static SSL_CTX *make_context(const struct tls *tls, struct fg_check_report *report)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    int r = !context       ? 0
            : tls->ca_file ? SSL_CTX_load_verify_file(context, tls->ca_file)
                           : SSL_CTX_set_default_verify_paths(context);
    if (r == 1)
        return context;
    SSL_CTX_free(context);
    ERR_clear_error();
    fg_check_finding(report, FG_CHECK_UNKNOWN, "check_failed", false,
                     "the trusted certificates can't be read: %s",
                     tls->ca_file ? tls->ca_file : "those of the system");
    return NULL;
}

static void speak(const struct tls *tls, const struct fg_transfer *transfer, SSL_CTX *context,
                  int fd)
{
    struct fg_check_report *report = transfer->report;
    SSL *ssl = SSL_new(context);
    uint64_t begin_ns = fg_env_mono_ns(tls->env);
    if (!ssl || SSL_set_fd(ssl, fd) != 1 || SSL_set_tlsext_host_name(ssl, tls->server_name) != 1) {
        fg_check_finding(report, FG_CHECK_UNKNOWN, "check_failed", false,
                         "there was no memory for the check");
    } else if (shake_hands(transfer, ssl)) {
        fg_check_double(report, "monitor.tls_ms",
                        (double)(fg_env_mono_ns(tls->env) - begin_ns) / (double)FG_NS_PER_MS);
        judge(tls, ssl, report);
    }
    SSL_free(ssl);
}

static void run_tls(void *check, uint64_t deadline_mono_ns, struct fg_check_report *report)
{
    struct tls *tls = check;
    struct fg_transfer transfer;
    curl_socket_t fd;
    SSL_CTX *context = make_context(tls, report);
    if (!context)
        return;
    if (fg_transfer_begin(&transfer, tls->env, deadline_mono_ns, report) == 0) {
        if (fg_transfer_connect(&transfer, tls->host, tls->port, &fd) == 0)
            speak(tls, &transfer, context, fd);
        fg_transfer_end(&transfer);
    }
    SSL_CTX_free(context);
}

static void close_check(void *check)
{
    free(check);
}

const struct fg_check_kind fg_check_kind_tls = {
    .name = "tls",
    .summary = "TLS is spoken, with a certificate that is valid, trusted and for the name",
    .open = open_tls,
    .run = run_tls,
    .close = close_check,
};
