/* A transfer's span: what is known when it starts, what is added to its request, and what came of
 * it.
 *
 * The context goes into headers of their own before the program's list, which is the tail of the
 * new list and stays as it is. Of the answer to an S3 request a first kilobyte is kept when it is
 * an error: its XML names the code. */
#include "handle.h"
#include "s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { URL_SIZE_MAX = 8192 };

static const fg_tracer *tracer(void)
{
    return fg_tracer_get("filigree-curl", FG_VERSION);
}

/* -- Before the transfer */

static const struct curl_slist *find_header(const struct curl_slist *list, const char *name)
{
    size_t size = strlen(name);
    while (list && strncasecmp(list->data, name, size) != 0)
        list = list->next;
    return list;
}

/* Non-zero where memory is short, or the program sets this header itself: its own stays. */
static int add_header(void *carrier, const char *name, const char *value)
{
    struct fg_curl_handle *handle = carrier;
    struct fg_buffer line;
    fg_buffer_init(&line, URL_SIZE_MAX * 2);
    fg_buffer_append_format(&line, "%s: %s", name, value);
    const char *text = fg_tell_text(&line);
    struct curl_slist *longer = text ? curl_slist_append(handle->sent_headers, text) : NULL;
    fg_buffer_free(&line);
    if (longer)
        handle->sent_headers = longer;
    return longer == NULL;
}

static void join_headers(struct fg_curl_handle *handle)
{
    if (handle->has_no_propagation || find_header(handle->headers, "traceparent:"))
        return;
    fg_context_inject(NULL, add_header, handle);
    if (!handle->sent_headers)
        return;
    struct curl_slist *last = handle->sent_headers;
    while (last->next)
        last = last->next;
    last->next = handle->headers;
    curl_easy_setopt(handle->easy, CURLOPT_HTTPHEADER, handle->sent_headers);
}

static void part_headers(struct fg_curl_handle *handle)
{
    if (!handle->sent_headers)
        return;
    curl_easy_setopt(handle->easy, CURLOPT_HTTPHEADER, handle->headers);
    struct curl_slist *last = handle->sent_headers;
    while (last->next && last->next != handle->headers)
        last = last->next;
    last->next = NULL;
    curl_slist_free_all(handle->sent_headers);
    handle->sent_headers = NULL;
}

/* In the place of the program's write function, which it calls. */
static size_t keep_error(char *data, size_t size, size_t count, void *arg)
{
    struct fg_curl_handle *handle = arg;
    long status = 0;
    size_t room = sizeof handle->body - handle->body_size, whole = size * count;
    curl_easy_getinfo(handle->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300 && room > 0) {
        size_t part = whole < room ? whole : room;
        memcpy(handle->body + handle->body_size, data, part);
        handle->body_size += part;
    }
    if (handle->write)
        return handle->write(data, size, count, handle->write_data);
    return fwrite(data, size, count, handle->write_data ? handle->write_data : stdout);
}

static void tap(struct fg_curl_handle *handle)
{
    handle->body_size = 0;
    handle->is_tapped =
        curl_easy_setopt(handle->easy, CURLOPT_WRITEFUNCTION, keep_error) == CURLE_OK &&
        curl_easy_setopt(handle->easy, CURLOPT_WRITEDATA, handle) == CURLE_OK;
}

static void untap(struct fg_curl_handle *handle)
{
    if (!handle->is_tapped)
        return;
    curl_easy_setopt(handle->easy, CURLOPT_WRITEFUNCTION, handle->write);
    curl_easy_setopt(handle->easy, CURLOPT_WRITEDATA,
                     handle->write_data ? handle->write_data : stdout);
    handle->is_tapped = false;
}

static bool is_s3(const struct fg_curl_handle *handle, const struct fg_url *url)
{
    if (handle->signature && strstr(handle->signature, ":s3"))
        return true;
    const struct curl_slist *authorization = find_header(handle->headers, "authorization:");
    bool is_signed = authorization && strstr(authorization->data, "AWS");
    return is_signed || find_header(handle->headers, "x-amz-") || fg_s3_is_amazon(url->host);
}

static void tell_s3(fg_span span, const struct fg_curl_handle *handle, const char *method,
                    const struct fg_url *url)
{
    struct fg_s3_request request;
    struct fg_buffer text;
    const struct curl_slist *source = find_header(handle->headers, "x-amz-copy-source:");
    fg_s3_recognise(method, url, getenv("FILIGREE_S3_HOSTS"), source != NULL, &request);
    fg_buffer_init(&text, URL_SIZE_MAX);
    fg_buffer_append_format(&text, "S3.%s", request.operation ? request.operation : method);
    fg_span_set_name(span, fg_tell_text(&text));
    fg_span_set_string(span, "rpc.system", "aws-api");
    fg_span_set_string(span, "rpc.service", "S3");
    if (request.operation)
        fg_span_set_string(span, "rpc.method", request.operation);
    fg_tell_slice(span, "aws.s3.bucket", request.bucket);
    fg_buffer_reset(&text);
    fg_url_decode(request.key, &text);
    if (!text.error)
        fg_tell_slice(span, "aws.s3.key", fg_buffer_slice(&text));
    fg_tell_slice(span, "aws.s3.upload_id", request.upload_id);
    if (request.part_number)
        fg_span_set_int(span, "aws.s3.part_number", request.part_number);
    if (source) {
        const char *value = strchr(source->data, ':') + 1;
        fg_span_set_string(span, "aws.s3.copy_source", value + strspn(value, " /"));
    }
    /* "aws:amz:REGION:s3" */
    const char *region = handle->signature ? strchr(handle->signature, ':') : NULL;
    region = region ? strchr(region + 1, ':') : NULL;
    if (region)
        fg_tell_slice(span, "cloud.region", fg_slice(region + 1, strcspn(region + 1, ":")));
    fg_buffer_free(&text);
}

static void tell_request(fg_span span, const struct fg_url *url, const char *method)
{
    struct fg_buffer text;
    fg_buffer_init(&text, URL_SIZE_MAX);
    fg_url_redact(url, &text);
    bool is_known = fg_tell_is_known_method(method);
    fg_span_set_string(span, "http.request.method", is_known ? method : "_OTHER");
    if (!is_known)
        fg_span_set_string(span, "http.request.method_original", method);
    if (!text.error)
        fg_tell_slice(span, "url.full", fg_buffer_slice(&text));
    fg_tell_slice(span, "server.address", url->host);
    fg_span_set_int(span, "server.port", url->port);
    fg_buffer_free(&text);
}

static const char *method_of(CURL *easy, const struct fg_curl_handle *handle)
{
    char *method = NULL;
    if (handle)
        return handle->custom_method ? handle->custom_method : handle->method;
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_METHOD, &method);
    return method ? method : "GET";
}

/* The address as it was asked for; *ret_own is to be freed with curl_free(). */
static const char *address_of(CURL *easy, const struct fg_curl_handle *handle, char **ret_own)
{
    char *url = NULL;
    *ret_own = NULL;
    if (handle && handle->url_handle &&
        curl_url_get(handle->url_handle, CURLUPART_URL, ret_own, 0) == CURLUE_OK)
        return *ret_own;
    if (handle && handle->url)
        return handle->url;
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    return url;
}

bool fg_curl_transfer_is_http(CURL *easy, const struct fg_curl_handle *handle)
{
    char *own;
    const char *address = address_of(easy, handle, &own),
               *end = address ? strstr(address, "://") : NULL;
    size_t size = end ? (size_t)(end - address) : 0;
    bool is_http = !end || ((size == 4 || size == 5) && strncasecmp(address, "https", size) == 0);
    curl_free(own);
    return is_http;
}

fg_span fg_curl_transfer_start(CURL *easy, struct fg_curl_handle *handle)
{
    char name[FG_TELL_TEXT_MAX], *own;
    struct fg_url url;
    const char *method = method_of(easy, handle), *address = address_of(easy, handle, &own);
    bool is_known = fg_tell_is_known_method(method);
    const char *path = handle ? handle->path_template : NULL;
    snprintf(name, sizeof name, "%s%s%s", is_known ? method : "HTTP", path ? " " : "",
             path ? path : "");
    fg_span span = fg_tell_start(tracer(), name, FG_SPAN_CLIENT, NULL, NULL, 0);
    bool has_url = fg_url_parse(address, &url);
    if (has_url && fg_span_is_recording(span)) {
        tell_request(span, &url, method);
        if (path)
            fg_span_set_string(span, "url.template", path);
    }
    if (handle) {
        handle->is_s3 = has_url && is_s3(handle, &url);
        if (handle->is_s3 && fg_span_is_recording(span)) {
            tell_s3(span, handle, method, &url);
            tap(handle);
        }
        fg_scope scope = fg_span_enter(span);
        join_headers(handle);
        fg_scope_leave(&scope);
        handle->span = span;
        handle->is_active = true;
    }
    curl_free(own);
    return span;
}

/* -- After it */

static const char *code_name(CURLcode code, char *text, size_t size)
{
    static const struct {
        CURLcode code;
        const char *name;
    } names[] = {
        {CURLE_OPERATION_TIMEDOUT, "timeout"},
        {CURLE_COULDNT_RESOLVE_HOST, "CURLE_COULDNT_RESOLVE_HOST"},
        {CURLE_COULDNT_RESOLVE_PROXY, "CURLE_COULDNT_RESOLVE_PROXY"},
        {CURLE_COULDNT_CONNECT, "CURLE_COULDNT_CONNECT"},
        {CURLE_URL_MALFORMAT, "CURLE_URL_MALFORMAT"},
        {CURLE_UNSUPPORTED_PROTOCOL, "CURLE_UNSUPPORTED_PROTOCOL"},
        {CURLE_PARTIAL_FILE, "CURLE_PARTIAL_FILE"},
        {CURLE_HTTP_RETURNED_ERROR, "CURLE_HTTP_RETURNED_ERROR"},
        {CURLE_WRITE_ERROR, "CURLE_WRITE_ERROR"},
        {CURLE_READ_ERROR, "CURLE_READ_ERROR"},
        {CURLE_OUT_OF_MEMORY, "CURLE_OUT_OF_MEMORY"},
        {CURLE_SSL_CONNECT_ERROR, "CURLE_SSL_CONNECT_ERROR"},
        {CURLE_PEER_FAILED_VERIFICATION, "CURLE_PEER_FAILED_VERIFICATION"},
        {CURLE_ABORTED_BY_CALLBACK, "CURLE_ABORTED_BY_CALLBACK"},
        {CURLE_TOO_MANY_REDIRECTS, "CURLE_TOO_MANY_REDIRECTS"},
        {CURLE_GOT_NOTHING, "CURLE_GOT_NOTHING"},
        {CURLE_SEND_ERROR, "CURLE_SEND_ERROR"},
        {CURLE_RECV_ERROR, "CURLE_RECV_ERROR"},
        {CURLE_SEND_FAIL_REWIND, "CURLE_SEND_FAIL_REWIND"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].code == code)
            return names[i].name;
    snprintf(text, size, "CURLE_%d", (int)code);
    return text;
}

static void tell_time(fg_span span, CURL *easy, CURLINFO info, const char *key)
{
    curl_off_t us = 0;
    if (curl_easy_getinfo(easy, info, &us) == CURLE_OK && us > 0)
        fg_span_set_int(span, key, us);
}

static void tell_connection(fg_span span, CURL *easy)
{
    char *address = NULL;
    long port = 0, version = 0, connects = 0, redirects = 0;
    if (curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address) == CURLE_OK && address && *address) {
        fg_span_set_string(span, "network.peer.address", address);
        curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port);
        fg_span_set_int(span, "network.peer.port", port);
    }
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    if (version)
        fg_span_set_string(span, "network.protocol.version",
                           version == CURL_HTTP_VERSION_1_0   ? "1.0"
                           : version == CURL_HTTP_VERSION_1_1 ? "1.1"
                           : version == CURL_HTTP_VERSION_3   ? "3"
                                                              : "2");
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    fg_span_set_bool(span, "filigree.http.connection_reused", version != 0 && connects == 0);
    if (connects) {
        tell_time(span, easy, CURLINFO_NAMELOOKUP_TIME_T, "filigree.http.name_lookup_us");
        tell_time(span, easy, CURLINFO_CONNECT_TIME_T, "filigree.http.connect_us");
        tell_time(span, easy, CURLINFO_APPCONNECT_TIME_T, "filigree.http.tls_us");
    }
    tell_time(span, easy, CURLINFO_STARTTRANSFER_TIME_T, "filigree.http.first_byte_us");
    curl_easy_getinfo(easy, CURLINFO_REDIRECT_COUNT, &redirects);
    if (redirects)
        fg_span_set_int(span, "http.request.resend_count", redirects);
}

static void tell_header(fg_span span, CURL *easy, const char *name, const char *key, bool is_list)
{
    struct curl_header *header;
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return;
    const char *value = header->value;
    if (is_list)
        fg_span_set(span, fg_attr_strings(key, &value, 1));
    else
        fg_span_set_string(span, key, value);
}

static void tell_result(fg_span span, CURL *easy, struct fg_curl_handle *handle, CURLcode code)
{
    char number[32], type[80];
    long status = 0;
    curl_off_t up = 0, down = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    if (status)
        fg_span_set_int(span, "http.response.status_code", status);
    if (up > 0)
        fg_span_set_int(span, "http.request.body.size", up);
    if (status)
        fg_span_set_int(span, "http.response.body.size", down);
    tell_connection(span, easy);
    struct fg_slice s3_code = {0};
    if (handle && handle->is_s3) {
        tell_header(span, easy, "x-amz-request-id", "aws.request_id", false);
        tell_header(span, easy, "x-amz-id-2", "aws.extended_request_id", false);
        tell_header(span, easy, "x-amz-storage-class", "http.response.header.x-amz-storage-class",
                    true);
        if (status >= 300)
            s3_code = fg_s3_error_code(fg_slice(handle->body, handle->body_size));
    }
    if (code != CURLE_OK && code != CURLE_HTTP_RETURNED_ERROR) {
        const char *detail =
            handle && handle->error_buffer && *handle->error_buffer ? handle->error_buffer : NULL;
        fg_tell_error(span, code_name(code, number, sizeof number),
                      detail ? detail : curl_easy_strerror(code));
    } else if (status >= 400 || s3_code.size) {
        snprintf(number, sizeof number, "%ld", status);
        if (s3_code.size)
            memcpy(type, s3_code.data, s3_code.size);
        type[s3_code.size] = 0; /* it has at most 64 bytes */
        fg_tell_error(span, s3_code.size ? type : number, NULL);
    }
}

void fg_curl_transfer_end(CURL *easy, struct fg_curl_handle *handle, fg_span span, CURLcode code)
{
    if (fg_span_is_recording(span))
        tell_result(span, easy, handle, code);
    if (handle) {
        untap(handle);
        part_headers(handle);
        handle->is_active = false;
    }
    fg_span_end(span);
}

void fg_curl_transfer_cancel(struct fg_curl_handle *handle)
{
    if (!handle->is_active)
        return;
    fg_tell_error(handle->span, "cancelled", "the transfer was removed before it was done");
    untap(handle);
    part_headers(handle);
    handle->is_active = false;
    fg_span_end(handle->span);
}
