#include "transfer.h"

#include "base/limits.h"

#include <errno.h>
#include <stdio.h>

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct fg_transfer *transfer = arg;
    (void)down_total, (void)down, (void)up_total, (void)up;
    if (!fg_check_is_cancelled(transfer->report))
        return 0;
    uint64_t now_ns = fg_env_mono_ns(transfer->env);
    if (!transfer->cancelled_ns)
        transfer->cancelled_ns = now_ns;
    return now_ns - transfer->cancelled_ns >= transfer->patience_ns;
}

long fg_transfer_left_ms(const struct fg_transfer *transfer)
{
    uint64_t now_ns = fg_env_mono_ns(transfer->env);
    if (now_ns >= transfer->deadline_ns)
        return 0;
    return (long)((transfer->deadline_ns - now_ns) / FG_NS_PER_MS);
}

int fg_transfer_begin(struct fg_transfer *transfer, struct fg_env *env, uint64_t deadline_ns,
                      struct fg_check_report *report)
{
    *transfer = (struct fg_transfer){.env = env, .report = report, .deadline_ns = deadline_ns};
    CURL *curl = curl_easy_init();
    if (!curl) {
        fg_check_finding(report, FG_CHECK_UNKNOWN, "check_failed", false,
                         "there was no memory for the check");
        return FG_ENOMEM;
    }
    transfer->curl = curl;
    long left_ms = fg_transfer_left_ms(transfer);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L); /* a look-up that hangs is left behind */
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->error);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, left_ms > 0 ? left_ms : 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, left_ms > 0 ? left_ms : 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "filigree-monitor/" FG_VERSION);
    return 0;
}

void fg_transfer_end(struct fg_transfer *transfer)
{
    if (transfer->curl)
        curl_easy_cleanup(transfer->curl);
    transfer->curl = NULL;
}

static const char *reason_of(const struct fg_transfer *transfer, CURLcode code)
{
    return *transfer->error ? transfer->error : curl_easy_strerror(code);
}

static void judge_connect(const struct fg_transfer *transfer)
{
    long os_error = 0;
    curl_easy_getinfo(transfer->curl, CURLINFO_OS_ERRNO, &os_error);
    if (os_error == ECONNREFUSED)
        fg_check_finding(transfer->report, FG_CHECK_DOWN, "refused", false,
                         "the connection was refused: nothing listens there");
    else
        fg_check_finding(
            transfer->report, FG_CHECK_UNKNOWN, "unreachable", false, "it can't be reached: %s",
            os_error ? strerror((int)os_error) : reason_of(transfer, CURLE_COULDNT_CONNECT));
}

static void judge_timeout(const struct fg_transfer *transfer)
{
    curl_off_t connected_us = 0;
    curl_easy_getinfo(transfer->curl, CURLINFO_CONNECT_TIME_T, &connected_us);
    if (connected_us > 0)
        fg_check_finding(transfer->report, FG_CHECK_UNKNOWN, "no_answer", false,
                         "it takes connections, and did not answer in time");
    else
        fg_check_finding(transfer->report, FG_CHECK_UNKNOWN, "connect_timeout", false,
                         "no connection was made in time");
}

static void judge(const struct fg_transfer *transfer, CURLcode code)
{
    struct fg_check_report *report = transfer->report;
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        fg_check_finding(report, FG_CHECK_UNKNOWN, "name_unresolved", false,
                         "its name can't be resolved");
        break;
    case CURLE_COULDNT_CONNECT:
        judge_connect(transfer);
        break;
    case CURLE_OPERATION_TIMEDOUT:
        judge_timeout(transfer);
        break;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        fg_check_finding(report, FG_CHECK_DOWN, "closed", false,
                         "it took the connection and closed it without an answer");
        break;
    case CURLE_SSL_CONNECT_ERROR:
        fg_check_finding(report, FG_CHECK_UNKNOWN, "not_tls", false, "TLS was not agreed on: %s",
                         reason_of(transfer, code));
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
        fg_check_finding(report, FG_CHECK_UNKNOWN, "certificate", false,
                         "its certificate is not trusted: %s", reason_of(transfer, code));
        break;
    default:
        fg_check_finding(report, FG_CHECK_UNKNOWN, "not_understood", false, "%s",
                         reason_of(transfer, code));
    }
}

int fg_transfer_run(struct fg_transfer *transfer)
{
    CURLcode code = curl_easy_perform(transfer->curl);
    const char *peer = NULL;
    curl_easy_getinfo(transfer->curl, CURLINFO_PRIMARY_IP, &peer);
    if (peer && *peer)
        fg_check_text(transfer->report, "network.peer.address", fg_slice_from_string(peer));
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && transfer->is_cut && *transfer->is_cut))
        return 0;
    if (fg_check_is_cancelled(transfer->report))
        return FG_ECANCELLED;
    judge(transfer, code);
    return FG_EIO;
}

int fg_transfer_connect(struct fg_transfer *transfer, const char *host, int64_t port,
                        curl_socket_t *ret_socket)
{
    char url[400];
    bool is_v6 = strchr(host, ':') != NULL;
    curl_off_t connected_us = 0;
    fg_check_text(transfer->report, "server.address", fg_slice_from_string(host));
    fg_check_int(transfer->report, "server.port", port);
    snprintf(url, sizeof url, is_v6 ? "http://[%s]:%d" : "http://%s:%d", host, (int)port);
    curl_easy_setopt(transfer->curl, CURLOPT_URL, url);
    curl_easy_setopt(transfer->curl, CURLOPT_CONNECT_ONLY, 1L);
    int r = fg_transfer_run(transfer);
    if (r < 0)
        return r;
    curl_easy_getinfo(transfer->curl, CURLINFO_CONNECT_TIME_T, &connected_us);
    fg_check_double(transfer->report, "monitor.connect_ms", (double)connected_us / 1000);
    if (curl_easy_getinfo(transfer->curl, CURLINFO_ACTIVESOCKET, ret_socket) == CURLE_OK &&
        *ret_socket != CURL_SOCKET_BAD)
        return 0;
    fg_check_finding(transfer->report, FG_CHECK_DOWN, "closed", false,
                     "it took the connection and closed it");
    return FG_EIO;
}

const char *fg_transfer_host(struct fg_check_settings *settings)
{
    const char *host = fg_check_setting(settings, "host");
    if (!host) {
        fg_check_complain(settings, "host", "it is needed: a name or an address");
        return NULL;
    }
    if (*host == 0 || strlen(host) > 253 || strpbrk(host, "/?#@[] \t\r\n%\\")) {
        fg_check_complain(settings, "host", "expected a name or an address, without a port");
        return NULL;
    }
    return host;
}
