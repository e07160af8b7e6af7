#include "outlet.h"

#include "base/endian.h"
#include "base/limits.h"
#include "base/trust.h"
#include "os/env.h"
#include "wire/base64.h"
#include "wire/otlp_response.h"
#include "wire/protobuf.h"

#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_SIZE_MAX  ((size_t)64 << 10)
#define REQUEST_SIZE_MAX ((size_t)17 << 20)
#define POLL_MS          200
#define GRPC_HEAD_SIZE   5u
/* What a Retry-After may ask for at most: past that we would sit on the host's spans for nothing.
 */
#define RETRY_AFTER_NS_MAX (300 * FG_NS_PER_SECOND)

struct fg_outlet {
    const struct fg_outlet_settings *settings;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    struct libdeflate_compressor *compressor;
    struct fg_buffer request; /* framed, compressed */
    struct fg_buffer answer;
    char error[CURL_ERROR_SIZE];
    /* Of the answer that is coming. */
    long grpc_status;
    char grpc_message[160];
    uint64_t retry_after_ns;
};

static bool header_is(const char *line, size_t size, const char *name, struct fg_slice *ret_value)
{
    size_t name_size = strlen(name);
    if (size <= name_size || line[name_size] != ':' || strncasecmp(line, name, name_size) != 0)
        return false;
    const char *value = line + name_size + 1, *end = line + size;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    *ret_value = fg_slice(value, (size_t)(end - value));
    return true;
}

/* A small decimal number; -1 for anything else. */
static long parse_number(struct fg_slice text)
{
    long number = 0;
    if (text.size == 0 || text.size > 9)
        return -1;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        number = number * 10 + (text.data[i] - '0');
    }
    return number;
}

static uint64_t clamp_retry_ns(uint64_t seconds, uint64_t nanos)
{
    if (seconds > RETRY_AFTER_NS_MAX / FG_NS_PER_SECOND)
        return RETRY_AFTER_NS_MAX;
    return seconds * FG_NS_PER_SECOND + (nanos < FG_NS_PER_SECOND ? nanos : 0);
}

/* Seconds, or a date (RFC 9110 section 10.2.3). */
static void take_retry_after(struct fg_outlet *outlet, struct fg_slice value)
{
    long seconds = parse_number(value);
    char date[64];
    if (seconds < 0 && value.size < sizeof date) {
        snprintf(date, sizeof date, "%.*s", (int)value.size, (const char *)value.data);
        int64_t at = curl_getdate(date, NULL);
        int64_t now = (int64_t)(fg_env_wall_ns(fg_env_real()) / FG_NS_PER_SECOND);
        seconds = at < now ? -1 : (long)(at - now);
    }
    if (seconds >= 0)
        outlet->retry_after_ns = clamp_retry_ns((uint64_t)seconds, 0);
}

static uint64_t read_duration(struct fg_slice message)
{
    struct fg_pb_reader reader = fg_pb_reader(message);
    uint64_t seconds = 0, nanos = 0, value;
    uint32_t tag;
    while (!fg_pb_reader_done(&reader) && fg_pb_read_tag(&reader, &tag) == 0) {
        if ((tag & 7) != FG_PB_VARINT) {
            if (fg_pb_skip(&reader, tag) < 0)
                break;
            continue;
        }
        if (fg_pb_read_varint(&reader, &value) < 0)
            break;
        if (tag >> 3 == 1)
            seconds = value;
        if (tag >> 3 == 2)
            nanos = value;
    }
    return clamp_retry_ns(seconds, nanos);
}

/* The next bytes field of this number. */
static bool find_bytes(struct fg_pb_reader *reader, uint32_t number, struct fg_slice *ret_bytes)
{
    uint32_t tag;
    while (!fg_pb_reader_done(reader) && fg_pb_read_tag(reader, &tag) == 0) {
        if (tag == FG_PB_TAG(number, FG_PB_BYTES))
            return fg_pb_read_bytes(reader, ret_bytes) == 0;
        if (fg_pb_skip(reader, tag) < 0)
            return false;
    }
    return false;
}

/* google.rpc.Status { details: Any { type_url: …RetryInfo, value: { retry_delay } } } */
static void take_status_details(struct fg_outlet *outlet, struct fg_slice text)
{
    struct fg_buffer status;
    struct fg_slice any, url, value, delay;
    fg_buffer_init(&status, 4096);
    if (fg_base64_decode(&status, text) == 0) {
        struct fg_pb_reader reader = fg_pb_reader(fg_buffer_slice(&status));
        while (find_bytes(&reader, 3, &any)) {
            struct fg_pb_reader fields = fg_pb_reader(any), again = fields;
            if (!find_bytes(&fields, 1, &url) || !find_bytes(&again, 2, &value))
                continue;
            struct fg_pb_reader info = fg_pb_reader(value);
            static const char name[] = "google.rpc.RetryInfo";
            if (url.size >= sizeof name - 1 &&
                memcmp(url.data + url.size - (sizeof name - 1), name, sizeof name - 1) == 0 &&
                find_bytes(&info, 1, &delay))
                outlet->retry_after_ns = read_duration(delay);
        }
    }
    fg_buffer_free(&status);
}

/* Headers, and the trailers of gRPC. */
static size_t take_header(char *line, size_t one, size_t size, void *arg)
{
    struct fg_outlet *outlet = arg;
    struct fg_slice value;
    (void)one;
    if (header_is(line, size, "retry-after", &value))
        take_retry_after(outlet, value);
    else if (header_is(line, size, "grpc-status", &value))
        outlet->grpc_status = parse_number(value);
    else if (header_is(line, size, "grpc-message", &value))
        snprintf(outlet->grpc_message, sizeof outlet->grpc_message, "%.*s", (int)value.size,
                 (const char *)value.data);
    else if (header_is(line, size, "grpc-status-details-bin", &value))
        take_status_details(outlet, value);
    return size;
}

/* What is over is of no use to us; it is read and dropped, so that the connection lives on. */
static size_t take_body(char *data, size_t one, size_t size, void *arg)
{
    struct fg_outlet *outlet = arg;
    (void)one;
    if (outlet->answer.size + size <= ANSWER_SIZE_MAX)
        fg_buffer_append(&outlet->answer, data, size);
    return size;
}

static bool add_header(struct fg_outlet *outlet, const char *line)
{
    struct curl_slist *more = curl_slist_append(outlet->headers, line);
    if (more)
        outlet->headers = more;
    return more != NULL;
}

static bool make_headers(struct fg_outlet *outlet)
{
    const struct fg_outlet_settings *settings = outlet->settings;
    bool grpc = settings->grpc, ok = true;
    ok &= add_header(outlet, grpc ? "Content-Type: application/grpc"
                                  : "Content-Type: application/x-protobuf");
    if (grpc)
        ok &= add_header(outlet, "TE: trailers");
    if (settings->gzip)
        ok &= add_header(outlet, grpc ? "grpc-encoding: gzip" : "Content-Encoding: gzip");
    ok &= add_header(outlet, "Expect:");
    for (uint32_t i = 0; i < settings->headers.count; i++)
        ok &= add_header(outlet, settings->headers.items[i]);
    return ok;
}

static void set_options(struct fg_outlet *outlet)
{
    const struct fg_outlet_settings *settings = outlet->settings;
    CURL *easy = outlet->easy;
    bool is_tls = strncmp(settings->url, "https:", 6) == 0;
    long version = !settings->grpc ? CURL_HTTP_VERSION_1_1
                   : is_tls        ? CURL_HTTP_VERSION_2TLS
                                   : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    curl_easy_setopt(easy, CURLOPT_URL, settings->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, outlet->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "filigree-c/" FG_VERSION);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, outlet->error);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, outlet);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, outlet);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    /* libcurl 7.88 fails the second request of a connection whose HTTP/2 it was told of beforehand
     * (CURLE_HTTP2); each gets its own. */
    if (settings->grpc && !is_tls)
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    fg_curl_trust(easy, settings->certificate);
    if (settings->client_certificate)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, settings->client_certificate);
    if (settings->client_key)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, settings->client_key);
}

int fg_outlet_new(const struct fg_outlet_settings *settings, struct fg_outlet **ret_outlet)
{
    struct fg_outlet *outlet = calloc(1, sizeof *outlet);
    if (!outlet)
        return FG_ENOMEM;
    outlet->settings = settings;
    fg_buffer_init(&outlet->request, REQUEST_SIZE_MAX);
    fg_buffer_init(&outlet->answer, ANSWER_SIZE_MAX);
    outlet->multi = curl_multi_init();
    outlet->easy = curl_easy_init();
    if (settings->gzip)
        outlet->compressor = libdeflate_alloc_compressor(1);
    if (!outlet->multi || !outlet->easy || (settings->gzip && !outlet->compressor) ||
        !make_headers(outlet)) {
        fg_outlet_free(outlet);
        return FG_ENOMEM;
    }
    set_options(outlet);
    *ret_outlet = outlet;
    return 0;
}

void fg_outlet_free(struct fg_outlet *outlet)
{
    if (!outlet)
        return;
    curl_easy_cleanup(outlet->easy);
    curl_multi_cleanup(outlet->multi);
    curl_slist_free_all(outlet->headers);
    libdeflate_free_compressor(outlet->compressor);
    fg_buffer_free(&outlet->request);
    fg_buffer_free(&outlet->answer);
    free(outlet);
}

void fg_outlet_nudge(struct fg_outlet *outlet)
{
    curl_multi_wakeup(outlet->multi);
}

/* gRPC's frame (a flag for compression, a length) and gzip, as wanted. */
static int frame(struct fg_outlet *outlet, struct fg_slice request, struct fg_slice *ret_framed)
{
    const struct fg_outlet_settings *settings = outlet->settings;
    struct fg_buffer *buffer = &outlet->request;
    size_t head_size = settings->grpc ? GRPC_HEAD_SIZE : 0;
    if (!settings->grpc && !settings->gzip) {
        *ret_framed = request;
        return 0;
    }
    fg_buffer_reset(buffer);
    fg_buffer_append_zero(buffer, head_size);
    if (settings->gzip) {
        size_t bound = libdeflate_gzip_compress_bound(outlet->compressor, request.size);
        uint8_t *room = fg_buffer_reserve(buffer, bound);
        if (room)
            buffer->size += libdeflate_gzip_compress(outlet->compressor, request.data, request.size,
                                                     room, bound);
    } else {
        fg_buffer_append_slice(buffer, request);
    }
    if (buffer->error)
        return buffer->error;
    if (settings->grpc) {
        buffer->data[0] = settings->gzip;
        fg_store_be32(buffer->data + 1, (uint32_t)(buffer->size - GRPC_HEAD_SIZE));
    }
    *ret_framed = fg_buffer_slice(buffer);
    return 0;
}

/* Runs what is in the multi handle to its end. FG_ECANCELLED where alive says no. */
static int run(struct fg_outlet *outlet, bool (*alive)(void *arg), void *arg, CURLcode *ret_code)
{
    int running = 1;
    for (;;) {
        if (curl_multi_perform(outlet->multi, &running) != CURLM_OK)
            return FG_EIO;
        int left;
        CURLMsg *message = curl_multi_info_read(outlet->multi, &left);
        if (message && message->msg == CURLMSG_DONE) {
            *ret_code = message->data.result;
            return 0;
        }
        if (!running)
            return FG_EIO;
        if (alive && !alive(arg))
            return FG_ECANCELLED;
        if (curl_multi_poll(outlet->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK)
            return FG_EIO;
    }
}

/* ExportTraceServiceResponse { partial_success { rejected_spans, error_message } } */
static void read_partial_success(struct fg_slice message, struct fg_outlet_answer *answer)
{
    struct fg_pb_reader reader = fg_pb_reader(message);
    struct fg_slice partial, text;
    if (!find_bytes(&reader, 1, &partial))
        return;
    struct fg_pb_reader fields = fg_pb_reader(partial);
    uint64_t count;
    uint32_t tag;
    while (!fg_pb_reader_done(&fields) && fg_pb_read_tag(&fields, &tag) == 0) {
        int r;
        if (tag == FG_PB_TAG(1, FG_PB_VARINT)) {
            r = fg_pb_read_varint(&fields, &count);
            answer->rejected_spans = r == 0 && count <= INT64_MAX ? count : 0;
        } else if (tag == FG_PB_TAG(2, FG_PB_BYTES)) {
            r = fg_pb_read_bytes(&fields, &text);
            if (r == 0)
                snprintf(answer->text, sizeof answer->text, "%.*s",
                         (int)(text.size < 160 ? text.size : 160), (const char *)text.data);
        } else {
            r = fg_pb_skip(&fields, tag);
        }
        if (r < 0)
            return;
    }
}

static bool is_retryable_grpc(long status, bool asks)
{
    enum { ABORTED = 10, OUT_OF_RANGE = 11, DATA_LOSS = 15 };
    switch (status) {
    case FG_RPC_CANCELLED:
    case FG_RPC_DEADLINE_EXCEEDED:
    case ABORTED:
    case OUT_OF_RANGE:
    case FG_RPC_UNAVAILABLE:
    case DATA_LOSS:
        return true;
    case FG_RPC_RESOURCE_EXHAUSTED:
        return asks;
    default:
        return false;
    }
}

/* OTLP specification, "OTLP/gRPC Response": what may come again. */
static void judge_grpc(struct fg_outlet *outlet, struct fg_outlet_answer *answer)
{
    struct fg_slice body = fg_buffer_slice(&outlet->answer);
    if (outlet->grpc_status == FG_RPC_OK) {
        answer->verdict = FG_OUTLET_ACCEPTED;
        if (body.size >= GRPC_HEAD_SIZE && body.data[0] == 0)
            read_partial_success(fg_slice(body.data + GRPC_HEAD_SIZE, body.size - GRPC_HEAD_SIZE),
                                 answer);
        return;
    }
    bool is_too_large = outlet->grpc_status == FG_RPC_RESOURCE_EXHAUSTED &&
                        strstr(outlet->grpc_message, "larger") != NULL;
    answer->verdict = is_retryable_grpc(outlet->grpc_status, outlet->retry_after_ns > 0)
                          ? FG_OUTLET_RETRY
                      : is_too_large ? FG_OUTLET_TOO_LARGE
                                     : FG_OUTLET_REFUSED;
    snprintf(answer->text, sizeof answer->text, "gRPC status %ld: %s", outlet->grpc_status,
             outlet->grpc_message);
}

static void judge_http(struct fg_outlet *outlet, long status, struct fg_outlet_answer *answer)
{
    if (status >= 200 && status < 300) {
        answer->verdict = FG_OUTLET_ACCEPTED;
        read_partial_success(fg_buffer_slice(&outlet->answer), answer);
        return;
    }
    bool is_retryable = status == 429 || status == 502 || status == 503 || status == 504;
    answer->verdict = is_retryable    ? FG_OUTLET_RETRY
                      : status == 413 ? FG_OUTLET_TOO_LARGE
                                      : FG_OUTLET_REFUSED;
    snprintf(answer->text, sizeof answer->text, "HTTP status %ld", status);
}

static void judge(struct fg_outlet *outlet, CURLcode code, struct fg_outlet_answer *answer)
{
    long status = 0;
    curl_easy_getinfo(outlet->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        answer->verdict = FG_OUTLET_RETRY;
        snprintf(answer->text, sizeof answer->text, "%.180s",
                 outlet->error[0] ? outlet->error : curl_easy_strerror(code));
    } else if (outlet->settings->grpc && status == 200) {
        judge_grpc(outlet, answer);
    } else {
        judge_http(outlet, status, answer);
    }
    answer->retry_after_ns = outlet->retry_after_ns;
}

void fg_outlet_send(struct fg_outlet *outlet, struct fg_slice request, uint64_t timeout_ns,
                    bool (*alive)(void *arg), void *arg, struct fg_outlet_answer *ret_answer)
{
    struct fg_slice framed;
    uint64_t timeout_ms = timeout_ns / FG_NS_PER_MS;
    *ret_answer = (struct fg_outlet_answer){.verdict = FG_OUTLET_RETRY};
    if (timeout_ms > outlet->settings->timeout_ms)
        timeout_ms = outlet->settings->timeout_ms;
    if (frame(outlet, request, &framed) < 0) {
        ret_answer->verdict = FG_OUTLET_TOO_LARGE;
        return;
    }
    fg_buffer_reset(&outlet->answer);
    outlet->error[0] = 0;
    outlet->grpc_status = -1;
    outlet->grpc_message[0] = 0;
    outlet->retry_after_ns = 0;
    curl_easy_setopt(outlet->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)framed.size);
    curl_easy_setopt(outlet->easy, CURLOPT_POSTFIELDS, framed.data);
    curl_easy_setopt(outlet->easy, CURLOPT_TIMEOUT_MS, timeout_ms ? (long)timeout_ms : 1L);
    CURLcode code = CURLE_OK;
    if (curl_multi_add_handle(outlet->multi, outlet->easy) != CURLM_OK) {
        snprintf(ret_answer->text, sizeof ret_answer->text, "out of memory");
        return;
    }
    int r = run(outlet, alive, arg, &code);
    if (r == 0)
        judge(outlet, code, ret_answer);
    else
        snprintf(ret_answer->text, sizeof ret_answer->text, "%s", fg_error_name(r));
    curl_multi_remove_handle(outlet->multi, outlet->easy);
}
