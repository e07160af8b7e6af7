/* http: one request, judged by its status, what its body holds, and its time. No more of an answer
 * is read than `body-size-max`. */
#include "base/limits.h"
#include "base/trust.h"
#include "base/units.h"
#include "kinds.h"
#include "transfer.h"

#include <stdio.h>
#include <stdlib.h>

#define BODY_SIZE_MAX ((uint64_t)1 << 20)
#define STATUSES_MAX  32u

struct status_range {
    long from, to;
};

struct http {
    struct fg_env *env;
    struct fg_check_settings *settings;
    const char *url, *method, *user, *ca_file;
    const char *host, *shown_url; /* its own; for the span */
    const char *body;
    long port;
    bool is_verified, is_following, has_token;
    uint64_t slow_ns, body_size_max;
    const char *const *headers;
    uint32_t header_count, status_count;
    struct status_range statuses[STATUSES_MAX];
};

/* -- Settings */

static char *part_of(CURLU *parsed, CURLUPart part, unsigned flags)
{
    char *text = NULL, *copy = NULL;
    if (curl_url_get(parsed, part, &text, flags) == CURLUE_OK && text)
        copy = strdup(text);
    curl_free(text);
    return copy;
}

/* The address without what may be secret in it, for the span. */
static void read_parts(struct http *http, struct fg_check_settings *settings, CURLU *parsed)
{
    char *user = part_of(parsed, CURLUPART_USER, 0), *scheme = part_of(parsed, CURLUPART_SCHEME, 0);
    char *port = part_of(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (user)
        fg_check_complain(settings, "url",
                          "no user and password in it: give user and password-file");
    if (!scheme || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        fg_check_complain(settings, "url", "expected http:// or https://");
    free(user);
    free(scheme);
    http->port = port ? strtol(port, NULL, 10) : 0;
    free(port);
    (void)curl_url_set(parsed, CURLUPART_QUERY, NULL, 0);
    (void)curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0);
    http->host = part_of(parsed, CURLUPART_HOST, 0);
    http->shown_url = part_of(parsed, CURLUPART_URL, 0);
}

static void read_url(struct http *http, struct fg_check_settings *settings)
{
    http->url = fg_check_setting(settings, "url");
    CURLU *parsed = http->url ? curl_url() : NULL;
    if (!http->url)
        fg_check_complain(settings, "url", "it is needed: like https://shop.example/healthz");
    else if (!parsed || curl_url_set(parsed, CURLUPART_URL, http->url, 0) != CURLUE_OK)
        fg_check_complain(settings, "url", "expected an address like https://shop.example/healthz");
    else
        read_parts(http, settings, parsed);
    curl_url_cleanup(parsed);
}

/* "200", "200-299" */
static void read_statuses(struct http *http, struct fg_check_settings *settings)
{
    const char *const *items;
    uint32_t count = fg_check_setting_list(settings, "status", &items);
    if (count > STATUSES_MAX) {
        fg_check_complain(settings, "status", "at most %u", STATUSES_MAX);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        char *end;
        struct status_range *range = &http->statuses[i];
        range->from = range->to = strtol(items[i], &end, 10);
        if (*end == '-')
            range->to = strtol(end + 1, &end, 10);
        if (*end != 0 || range->from < 100 || range->to > 599 || range->from > range->to)
            fg_check_complain(settings, "status", "expected a status like 200 or 200-299");
    }
    http->status_count = count;
    if (count > 0)
        return;
    http->statuses[0] = (struct status_range){200, 399};
    http->status_count = 1;
}

static void read_headers(struct http *http, struct fg_check_settings *settings)
{
    http->header_count = fg_check_setting_list(settings, "headers", &http->headers);
    for (uint32_t i = 0; i < http->header_count; i++) {
        if (!strchr(http->headers[i], ':') || strpbrk(http->headers[i], "\r\n"))
            fg_check_complain(settings, "headers", "expected \"Name: value\"");
        else if (strncasecmp(http->headers[i], "authorization", 13) == 0)
            fg_check_complain(settings, "headers",
                              "a secret does not stand here: give token-file or password-file");
    }
}

static void close_http(void *check)
{
    struct http *http = check;
    if (!http)
        return;
    free((void *)(uintptr_t)http->host);
    free((void *)(uintptr_t)http->shown_url);
    free(http);
}

static int open_http(struct fg_env *env, struct fg_check_settings *settings, void **ret_check)
{
    struct http *http = calloc(1, sizeof *http);
    if (!http)
        return FG_ENOMEM;
    http->env = env;
    http->settings = settings;
    read_url(http, settings);
    read_statuses(http, settings);
    read_headers(http, settings);
    http->method = fg_check_setting(settings, "method");
    if (!http->method)
        http->method = "GET";
    if (strcmp(http->method, "GET") != 0 && strcmp(http->method, "HEAD") != 0)
        fg_check_complain(settings, "method", "expected GET or HEAD: a monitor changes nothing");
    http->body = fg_check_setting(settings, "body");
    http->user = fg_check_setting(settings, "user");
    http->ca_file = fg_check_setting(settings, "ca-file");
    http->is_verified = fg_check_setting_bool(settings, "verify", true);
    http->is_following = fg_check_setting_bool(settings, "follow", false);
    http->slow_ns = fg_check_setting_ns(settings, "slow", 0);
    http->body_size_max = fg_check_setting_bytes(settings, "body-size-max", BODY_SIZE_MAX);
    if (http->body_size_max == 0 || http->body_size_max > 16 * BODY_SIZE_MAX)
        fg_check_complain(settings, "body-size-max", "expected a size from 1 to 16MiB");
    (void)fg_check_secret(settings, "password", NULL, NULL);
    (void)fg_check_secret(settings, "token", NULL, NULL);
    if (!http->host || !http->shown_url) {
        close_http(http);
        return FG_EINVALID;
    }
    *ret_check = http;
    return 0;
}

/* -- A run */

struct answer {
    struct fg_buffer body; /* no more than its bound */
    uint64_t size;         /* as it came until then */
    uint64_t size_max;
    bool is_cut;
};

static size_t on_data(char *data, size_t size, size_t count, void *arg)
{
    struct answer *answer = arg;
    size_t bytes = size * count;
    answer->size += bytes;
    if (answer->size > answer->size_max) {
        answer->is_cut = true;
        return 0; /* ends the transfer */
    }
    fg_buffer_append(&answer->body, data, bytes);
    return answer->body.error ? 0 : bytes;
}

static struct curl_slist *list_headers(const struct http *http)
{
    struct curl_slist *list = NULL;
    for (uint32_t i = 0; i < http->header_count; i++) {
        struct curl_slist *longer = curl_slist_append(list, http->headers[i]);
        if (longer)
            list = longer;
    }
    return list;
}

/* Sets what the settings ask for; false, with a finding, where a secret can't be read. */
static bool set_credentials(const struct http *http, struct fg_transfer *transfer,
                            struct fg_check_report *report)
{
    const char *why = "";
    struct fg_check_settings *settings = http->settings;
    const char *token = fg_check_secret(settings, "token", report->arena, &why);
    bool is_token_missing = !token && strcmp(why, "none is given") != 0;
    const char *password = NULL;
    if (http->user && !is_token_missing)
        password = fg_check_secret(settings, "password", report->arena, &why);
    if (is_token_missing || (http->user && !password)) {
        fg_check_finding(report, FG_CHECK_UNKNOWN, "credentials_missing", false, "%s",
                         http->user && !is_token_missing && strcmp(why, "none is given") == 0
                             ? "user is set, and neither password-file nor password-env"
                             : why);
        return false;
    }
    if (token) {
        curl_easy_setopt(transfer->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(transfer->curl, CURLOPT_XOAUTH2_BEARER, token);
    } else if (http->user) {
        curl_easy_setopt(transfer->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(transfer->curl, CURLOPT_USERNAME, http->user);
        curl_easy_setopt(transfer->curl, CURLOPT_PASSWORD, password);
    }
    return true;
}

static void set_up(const struct http *http, struct fg_transfer *transfer, struct answer *answer)
{
    CURL *curl = transfer->curl;
    curl_easy_setopt(curl, CURLOPT_URL, http->url);
    curl_easy_setopt(curl, CURLOPT_NOBODY, (long)(strcmp(http->method, "HEAD") == 0));
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, (long)http->is_following);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, (long)http->is_verified);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, http->is_verified ? 2L : 0L);
    fg_curl_trust(curl, http->ca_file);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_HTTP09_ALLOWED, 0L);
}

static bool is_wanted(const struct http *http, long status)
{
    for (uint32_t i = 0; i < http->status_count; i++)
        if (status >= http->statuses[i].from && status <= http->statuses[i].to)
            return true;
    return false;
}

static void judge_status(const struct http *http, long status, struct fg_check_report *report)
{
    if (is_wanted(http, status))
        return;
    if (status == 401 || status == 403 || status == 407)
        fg_check_finding(report, FG_CHECK_UNKNOWN, "access_denied", false,
                         "it answers %ld: the check has no access", status);
    else
        fg_check_finding(report, status >= 500 ? FG_CHECK_DOWN : FG_CHECK_DEGRADED, "status", false,
                         "it answers with the status %ld", status);
}

static void judge_body(const struct http *http, const struct answer *answer,
                       struct fg_check_report *report)
{
    char size[FG_UNITS_TEXT_SIZE];
    size_t wanted = http->body ? strlen(http->body) : 0;
    if (wanted == 0 ||
        (answer->body.size && memmem(answer->body.data, answer->body.size, http->body, wanted)))
        return;
    fg_size_format(answer->size_max, size);
    if (answer->is_cut)
        fg_check_finding(report, FG_CHECK_UNKNOWN, "answer_too_large", false,
                         "the first %s of its answer don't hold the text that was looked for, and "
                         "no more is read",
                         size);
    else
        fg_check_finding(report, FG_CHECK_DEGRADED, "unexpected_body", false,
                         "its answer does not hold the text that was looked for");
}

static void measure(const struct http *http, const struct fg_transfer *transfer,
                    const struct answer *answer, struct fg_check_report *report)
{
    static const struct {
        CURLINFO info;
        const char *key;
    } times[] = {{CURLINFO_CONNECT_TIME_T, "monitor.connect_ms"},
                 {CURLINFO_APPCONNECT_TIME_T, "monitor.tls_ms"},
                 {CURLINFO_STARTTRANSFER_TIME_T, "monitor.first_byte_ms"},
                 {CURLINFO_TOTAL_TIME_T, "monitor.total_ms"}};
    curl_off_t us = 0;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (curl_easy_getinfo(transfer->curl, times[i].info, &us) == CURLE_OK && us > 0)
            fg_check_double(report, times[i].key, (double)us / 1000);
    fg_check_int(report, "http.response.body.size", (int64_t)answer->size);
    if (http->slow_ns && (uint64_t)us * 1000 > http->slow_ns) {
        char took[FG_UNITS_TEXT_SIZE], limit[FG_UNITS_TEXT_SIZE];
        fg_duration_format((uint64_t)us * 1000, took);
        fg_duration_format(http->slow_ns, limit);
        fg_check_finding(report, FG_CHECK_DEGRADED, "slow", false,
                         "it answers in %s, longer than the %s that it may take", took, limit);
    }
}

static void perform(const struct http *http, struct fg_transfer *transfer, struct answer *answer,
                    struct fg_check_report *report)
{
    long status = 0;
    transfer->is_cut = &answer->is_cut;
    if (fg_transfer_run(transfer) < 0)
        return;
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status)
        fg_check_int(report, "http.response.status_code", status);
    judge_status(http, status, report);
    judge_body(http, answer, report);
    measure(http, transfer, answer, report);
}

static void run_http(void *check, uint64_t deadline_mono_ns, struct fg_check_report *report)
{
    struct http *http = check;
    struct fg_transfer transfer;
    struct answer answer = {.size_max = http->body_size_max};
    fg_check_text(report, "server.address", fg_slice_from_string(http->host));
    fg_check_int(report, "server.port", http->port);
    fg_check_text(report, "url.full", fg_slice_from_string(http->shown_url));
    fg_check_text(report, "http.request.method", fg_slice_from_string(http->method));
    if (fg_transfer_begin(&transfer, http->env, deadline_mono_ns, report) < 0)
        return;
    struct curl_slist *headers = list_headers(http);
    fg_buffer_init(&answer.body, http->body_size_max + 1);
    set_up(http, &transfer, &answer);
    if (headers)
        curl_easy_setopt(transfer.curl, CURLOPT_HTTPHEADER, headers);
    if (set_credentials(http, &transfer, report))
        perform(http, &transfer, &answer, report);
    curl_slist_free_all(headers);
    fg_buffer_free(&answer.body);
    fg_transfer_end(&transfer);
}

const struct fg_check_kind fg_check_kind_http = {
    .name = "http",
    .summary = "an address answers with the expected status and text, in time",
    .open = open_http,
    .run = run_http,
    .close = close_http,
};
