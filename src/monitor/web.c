/* Over-long answers end the transfer by refusing the byte that has no room: libcurl then closes the
 * connection, so that a server that sends without end is not listened to. Every call has a
 * connection of its own: one that is kept could hide that no new ones are taken. */
#include "web.h"

#include "base/limits.h"
#include "base/trust.h"
#include "transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes of the answer's header that are handed on: more is nobody's legitimate wish. */
#define HEADER_SIZE_MAX ((size_t)64 << 10)
#define OWED_NS         FG_NS_PER_SECOND

struct transfer {
    struct fg_web_call *call;
    size_t header_size;
    bool header_is_long;
};

static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
    (void)one;
    struct transfer *transfer = arg;
    struct fg_web_call *call = transfer->call;
    call->received_bytes += size;
    size_t room = call->body->size_max - call->body->size;
    fg_buffer_append(call->body, data, size < room ? size : room);
    if (size > room)
        call->is_cut = true;
    return size > room || call->body->error ? 0 : size;
}

static size_t on_header(char *data, size_t one, size_t size, void *arg)
{
    (void)one;
    struct transfer *transfer = arg;
    transfer->header_size += size;
    if (transfer->header_size > HEADER_SIZE_MAX) {
        transfer->header_is_long = true;
        return 0;
    }
    size_t used = size;
    while (used && (data[used - 1] == '\r' || data[used - 1] == '\n'))
        used--;
    if (transfer->call->on_header && used)
        transfer->call->on_header(transfer->call->on_header_arg, fg_slice(data, used));
    return size;
}

static void fail(struct fg_web_call *call, enum fg_web_outcome outcome, const char *code,
                 const char *why)
{
    call->outcome = outcome;
    call->code = code;
    snprintf(call->why, sizeof call->why, "%s", why);
}

/* A refusal only where the system says so: an unreachable network is not the server's fault. */
static void explain_connect(CURL *curl, struct fg_web_call *call)
{
    long number = 0;
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number);
    if (number == ECONNREFUSED)
        fail(call, FG_WEB_REFUSED, "unreachable", "the connection was refused");
    else
        fail(call, FG_WEB_TIMEOUT, "unreachable", "it can't be reached over the network");
}

static void explain_timeout(CURL *curl, struct fg_web_call *call)
{
    curl_off_t connected_us = 0;
    curl_easy_getinfo(curl, CURLINFO_CONNECT_TIME_T, &connected_us);
    if (connected_us > 0)
        fail(call, FG_WEB_TIMEOUT, "no_answer", "it takes connections, and did not answer in time");
    else
        fail(call, FG_WEB_TIMEOUT, "connect_timeout", "no connection was made in time");
}

static void explain(CURL *curl, CURLcode code, const struct transfer *transfer)
{
    struct fg_web_call *call = transfer->call;
    const char *why = curl_easy_strerror(code); /* names no address and no password */
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        explain_connect(curl, call);
        break;
    case CURLE_OPERATION_TIMEDOUT:
        explain_timeout(curl, call);
        break;
    case CURLE_COULDNT_RESOLVE_HOST:
        fail(call, FG_WEB_NAME, "name_unresolved", "its name can't be resolved");
        break;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
        fail(call, FG_WEB_TLS, "not_tls", why);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        fail(call, FG_WEB_TLS, "certificate", why);
        break;
    case CURLE_URL_MALFORMAT:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
        fail(call, FG_WEB_FAILED, "check_failed", why);
        break;
    case CURLE_ABORTED_BY_CALLBACK: /* the server may have done what it was asked */
        fail(call, FG_WEB_TIMEOUT, "no_answer", "nobody waits for its answer any more");
        break;
    case CURLE_UNSUPPORTED_PROTOCOL: /* the URL's scheme was checked when it was opened */
        fail(call, FG_WEB_BROKEN, "not_understood", "what answers speaks no HTTP");
        break;
    default:
        fail(call, FG_WEB_BROKEN, "not_understood",
             transfer->header_is_long ? "the header of its answer is too long" : why);
        break;
    }
}

static uint64_t time_of(CURL *curl, CURLINFO what)
{
    curl_off_t us = 0;
    curl_easy_getinfo(curl, what, &us);
    return us > 0 ? (uint64_t)us * 1000 : 0;
}

static void take_result(CURL *curl, CURLcode code, const struct transfer *transfer)
{
    struct fg_web_call *call = transfer->call;
    uint64_t total = time_of(curl, CURLINFO_TOTAL_TIME_T);
    uint64_t connected = time_of(curl, CURLINFO_PRETRANSFER_TIME_T);
    uint64_t first = time_of(curl, CURLINFO_STARTTRANSFER_TIME_T);
    call->total_ns = total > connected ? total - connected : 0;
    call->wait_ns = first > connected ? first - connected : 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &call->status);
    if (call->body->error && !call->is_cut) {
        fail(call, FG_WEB_FAILED, "check_failed", "there is no memory for its answer");
    } else if (code == CURLE_OK || (call->is_cut && code == CURLE_WRITE_ERROR)) {
        call->outcome = FG_WEB_ANSWERED;
    } else {
        explain(curl, code, transfer);
    }
}

static void set_body(CURL *curl, const struct fg_web_call *call)
{
    if (call->only_connect) {
        curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    } else if (strcmp(call->method, "HEAD") == 0) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (strcmp(call->method, "GET") != 0) {
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
        if (call->upload.size) {
            curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->upload.size);
            curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->upload.data);
        }
    }
}

static void set_credentials(CURL *curl, const struct fg_web_call *call)
{
    if (call->sigv4)
        curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, call->sigv4);
    if (call->user && call->password) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, call->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, call->password);
    }
}

static void set_options(CURL *curl, struct transfer *transfer)
{
    struct fg_web_call *call = transfer->call;
    curl_easy_setopt(curl, CURLOPT_URL, call->url);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
    /* Don't wait a second for leave to send a body. To forbid "Expect" altogether would need a
     * header of our own, which libcurl would sign and not send. */
    curl_easy_setopt(curl, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L);
    fg_curl_trust(curl, call->ca_file);
    set_body(curl, call);
    set_credentials(curl, call);
}

/* False without memory; *ret_list is the caller's in any case. */
static bool set_headers(CURL *curl, const struct fg_web_call *call, struct curl_slist **ret_list)
{
    *ret_list = NULL;
    for (const char *const *one = call->headers; one && *one; one++) {
        struct curl_slist *more = curl_slist_append(*ret_list, *one);
        if (!more)
            return false;
        *ret_list = more;
    }
    return curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *ret_list) == CURLE_OK;
}

void fg_web_call(struct fg_web_call *call)
{
    struct transfer transfer = {.call = call};
    struct fg_transfer shared;
    struct curl_slist *headers = NULL;
    call->status = 0;
    call->is_cut = false;
    call->received_bytes = call->total_ns = call->wait_ns = 0;
    fail(call, FG_WEB_FAILED, "check_failed", "there is no memory for the request");
    if (fg_env_mono_ns(call->env) >= call->deadline_mono_ns) {
        fail(call, FG_WEB_TIMEOUT, "no_answer", "no time was left to ask");
        return;
    }
    if (fg_transfer_begin(&shared, call->env, call->deadline_mono_ns, call->report) != 0)
        return;
    if (call->is_owed)
        shared.patience_ns = OWED_NS;
    set_options(shared.curl, &transfer);
    if (set_headers(shared.curl, call, &headers)) {
        CURLcode code = curl_easy_perform(shared.curl);
        take_result(shared.curl, code, &transfer);
    }
    fg_transfer_end(&shared);
    curl_slist_free_all(headers);
}

void fg_web_report_failure(const struct fg_web_call *call, const char *what)
{
    if (call->outcome != FG_WEB_ANSWERED && !fg_check_is_cancelled(call->report))
        fg_check_finding(call->report,
                         call->outcome == FG_WEB_REFUSED ? FG_CHECK_DOWN : FG_CHECK_UNKNOWN,
                         call->code, false, "%s: %s", what, call->why);
}

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

static bool split(CURLU *parts, char ret_host[256], uint16_t *ret_port, const char **ret_why)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    bool good = false;
    *ret_why = "it is no http or https URL";
    if (curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
        (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) && strlen(host) < 250) {
        size_t size = strlen(host);
        bool is_bracketed = host[0] == '[' && size > 2;
        snprintf(ret_host, 256, "%.*s", (int)(is_bracketed ? size - 2 : size), host + is_bracketed);
        *ret_port = (uint16_t)strtoul(port, NULL, 10);
        good = true;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return good;
}

bool fg_web_url_split(const char *url, char ret_host[256], uint16_t *ret_port, const char **ret_why)
{
    CURLU *parts = curl_url();
    *ret_why = "there is no memory to read it";
    if (!parts)
        return false;
    *ret_why = "it is no http or https URL";
    bool good = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                split(parts, ret_host, ret_port, ret_why);
    if (good && (has_part(parts, CURLUPART_USER) || has_part(parts, CURLUPART_PASSWORD))) {
        *ret_why = "it holds a user or password, which have keys of their own";
        good = false;
    }
    if (good && (has_part(parts, CURLUPART_QUERY) || has_part(parts, CURLUPART_FRAGMENT))) {
        *ret_why = "it has a query or a fragment";
        good = false;
    }
    curl_url_cleanup(parts);
    return good;
}

void fg_web_url_append(struct fg_buffer *url, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (; *text; text++) {
        uint8_t c = (uint8_t)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            fg_buffer_append_byte(url, c);
        } else {
            fg_buffer_append_byte(url, '%');
            fg_buffer_append_byte(url, (uint8_t)digits[c >> 4]);
            fg_buffer_append_byte(url, (uint8_t)digits[c & 15]);
        }
    }
}
