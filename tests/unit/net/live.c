#include "live.h"

#include "live_tls.h"
#include "net/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 60000

struct live live;

static bool is_path(const struct fg_request *request, const char *path)
{
    return fg_slice_equal(request->path, fg_slice_from_string(path));
}

/* -- Generators -----------------------------------------------------------------------------------
 */

struct pattern {
    struct fg_generator generator;
    struct fg_request *request;
    uint64_t size, fail_at, at;
    bool is_slow, is_ready;
};

static void pattern_stop(struct fg_generator *generator)
{
    struct pattern *pattern = (struct pattern *)generator;
    atomic_fetch_add(&live.stops, 1);
    if (pattern->is_slow)
        fg_request_unref(pattern->request);
}

static void wake_later(struct fg_request *request)
{
    fg_mutex_lock(&live.mutex);
    assert_true(live.to_wake_count < 64);
    live.to_wake[live.to_wake_count++] = request;
    fg_cond_broadcast(&live.cond);
    fg_mutex_unlock(&live.mutex);
}

static int pattern_pull(struct fg_generator *generator, struct fg_buffer *out, bool *ret_done)
{
    struct pattern *pattern = (struct pattern *)generator;
    if (pattern->is_slow && !pattern->is_ready) {
        wake_later(pattern->request);
        return FG_EAGAIN;
    }
    pattern->is_ready = false;
    uint64_t part = pattern->is_slow ? 10 : FG_PULL_SIZE;
    for (uint64_t i = 0; i < part && pattern->at < pattern->size; i++, pattern->at++) {
        if (pattern->at == pattern->fail_at)
            return FG_EIO;
        fg_buffer_append_byte(out, (uint8_t)('a' + pattern->at % 26));
    }
    atomic_store(&live.pulled_bytes, pattern->at);
    *ret_done = pattern->at == pattern->size;
    return 0;
}

static void pattern_wake(struct fg_request *request)
{
    struct pattern *pattern = request->user;
    pattern->is_ready = true;
    fg_response_resume(request);
}

static uint64_t param_of(struct fg_request *request, const char *name, uint64_t otherwise)
{
    struct fg_slice value = fg_url_param(request->query, name, request->arena);
    return value.size ? strtoull(fg_arena_string(request->arena, value), NULL, 10) : otherwise;
}

static void answer_pattern(struct fg_request *request, bool is_slow)
{
    struct pattern *pattern = fg_arena_calloc(request->arena, 1, sizeof *pattern);
    assert_non_null(pattern);
    pattern->generator = (struct fg_generator){.pull = pattern_pull, .stop = pattern_stop};
    pattern->request = is_slow ? fg_request_ref(request) : request;
    pattern->size = param_of(request, "size", 100);
    pattern->fail_at = param_of(request, "fail", UINT64_MAX);
    pattern->is_slow = is_slow;
    request->user = pattern;
    request->wake = pattern_wake;
    const struct fg_response response = {.status = 200, .content_type = "text/plain"};
    fg_respond_pull(request, &response, &pattern->generator);
}

/* -- Handlers -------------------------------------------------------------------------------------
 */

static void on_finish(struct fg_request *request)
{
    (void)request;
    atomic_fetch_add(&live.finishes, 1);
}

static void on_cancel(struct fg_request *request)
{
    assert_true(fg_request_is_cancelled(request));
    atomic_fetch_add(&live.cancels, 1);
}

static void on_headers(void *arg, struct fg_request *request)
{
    (void)arg;
    request->finish = on_finish;
    if (is_path(request, "/early"))
        fg_respond_text(request, 401, "who are you?");
    else if (is_path(request, "/small"))
        fg_request_limit_body(request, 10, 20);
}

static void answer_echo(struct fg_request *request, bool take)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST",    "PUT",
                                          "PATCH", "DELETE", "OPTIONS", "OTHER"};
    char size[24];
    snprintf(size, sizeof size, "%zu", request->body.size);
    const struct fg_header_field fields[] = {
        {FG_SLICE("x-size"), fg_slice_from_string(size)},
        {FG_SLICE("x-method"), fg_slice_from_string(methods[request->method])},
    };
    const struct fg_response response = {
        .status = 200, .content_type = "text/plain", .fields = fields, .field_count = 2};
    if (!take) {
        fg_respond_copy(request, &response, request->body);
        return;
    }
    struct fg_buffer body;
    fg_buffer_init(&body, SIZE_MAX);
    fg_buffer_append_slice(&body, request->body);
    fg_request_release_body(request);
    assert_int_equal(request->body.size, 0);
    fg_respond_take(request, &response, &body);
    assert_null(body.data);
}

static void answer_fields(struct fg_request *request)
{
    struct fg_buffer body;
    fg_buffer_init(&body, SIZE_MAX);
    fg_buffer_append_format(&body, "path=%.*s query=%.*s type=%.*s\n", (int)request->path.size,
                            (const char *)request->path.data, (int)request->query.size,
                            (const char *)request->query.data, (int)request->content_type.size,
                            (const char *)request->content_type.data);
    for (size_t i = 0; i < request->field_count; i++)
        fg_buffer_append_format(&body, "%.*s=%.*s\n", (int)request->fields[i].name.size,
                                (const char *)request->fields[i].name.data,
                                (int)request->fields[i].value.size,
                                (const char *)request->fields[i].value.data);
    const struct fg_response response = {.status = 200, .content_type = "text/plain"};
    fg_respond_take(request, &response, &body);
}

static void say_held(struct fg_request *request)
{
    if (request->is_grpc)
        fg_grpc_respond(request, FG_SLICE("held"));
    else
        fg_respond_text(request, 200, "held");
}

static void hold(struct fg_request *request)
{
    request->wake = say_held;
    request->cancel = on_cancel;
    fg_mutex_lock(&live.mutex);
    assert_true(live.held_count < 64);
    live.held[live.held_count++] = request;
    fg_cond_broadcast(&live.cond);
    fg_mutex_unlock(&live.mutex);
}

static void say_woken(struct fg_request *request)
{
    fg_respond_text(request, 200, "woken");
}

static void on_request(void *arg, struct fg_request *request)
{
    (void)arg;
    assert_true(request->peer.size > 10);
    assert_int_equal(request->face, 7);
    if (is_path(request, "/grpc/echo")) {
        fg_grpc_respond(request, request->body);
    } else if (is_path(request, "/grpc/fail")) {
        fg_grpc_respond_status(request, FG_GRPC_NOT_FOUND, "no such thing: 100%",
                               FG_SLICE("\1\2\3\xff"));
    } else if (is_path(request, "/echo") || is_path(request, "/small")) {
        answer_echo(request, false);
    } else if (is_path(request, "/take")) {
        answer_echo(request, true);
    } else if (is_path(request, "/pull")) {
        answer_pattern(request, false);
    } else if (is_path(request, "/slow")) {
        answer_pattern(request, true);
    } else if (is_path(request, "/fields")) {
        answer_fields(request);
    } else if (is_path(request, "/hold")) {
        hold(request);
    } else if (is_path(request, "/wake")) {
        request->wake = say_woken;
        wake_later(request);
    } else if (is_path(request, "/nothing")) {
        const struct fg_response response = {.status = 204};
        fg_respond_copy(request, &response, (struct fg_slice){0});
    } else {
        fg_respond_text(request, 404, "nothing here");
    }
}

static void on_refusal(void *arg, struct fg_request *request, const struct fg_refusal *refusal)
{
    (void)arg;
    if (!live.answers_refusals || request->is_grpc)
        return;
    char text[64];
    snprintf(text, sizeof text, "refused: %s",
             fg_refusal_name((enum fg_refusal_reason)refusal->reason));
    fg_respond_text(request, refusal->http_status, text);
}

/* -- The server -----------------------------------------------------------------------------------
 */

static void wake_all(void *arg)
{
    (void)arg;
    fg_mutex_lock(&live.mutex);
    while (!live.stop_waking || live.to_wake_count) {
        if (live.to_wake_count == 0) {
            fg_cond_wait(&live.cond, &live.mutex);
            continue;
        }
        struct fg_request *request = live.to_wake[--live.to_wake_count];
        fg_mutex_unlock(&live.mutex);
        fg_request_wake(request);
        fg_mutex_lock(&live.mutex);
    }
    fg_mutex_unlock(&live.mutex);
}

static struct fg_listen listeners[] = {{.address = "127.0.0.1:0", .face = 7}};

struct fg_server_options live_options(void)
{
    struct fg_server_options options = fg_server_options_default(fg_env_real());
    options.loop_count = 2;
    options.listeners = listeners;
    options.listener_count = 1;
    options.on_headers = on_headers;
    options.on_request = on_request;
    options.on_refusal = on_refusal;
    listeners[0].is_tls = live_tls_is_on();
    return options;
}

void live_start(const struct fg_server_options *options)
{
    const char *message = "";
    live = (struct live){0};
    fg_mutex_init(&live.mutex, FG_RANK_LEAF);
    fg_cond_init(&live.cond);
    fg_arena_init(&live.arena, 1 << 16);
    struct fg_server_options opened = *options;
    if (live_tls_is_on())
        opened.tls = live.tls = live_tls_new();
    int r = fg_server_open(&opened, &live.arena, &message, &live.server);
    if (r < 0)
        fail_msg("%s", message);
    live.counters = fg_server_counters(live.server);
    const char *address = fg_server_address(live.server, 0);
    live.port = (unsigned)strtoul(strrchr(address, ':') + 1, NULL, 10);
    assert_int_equal(fg_thread_start(&live.waker, "waker", wake_all, NULL), 0);
    assert_int_equal(fg_server_start(live.server), 0);
}

static void stop_all(void)
{
    live_release();
    fg_server_stop(live.server, 0);
    fg_mutex_lock(&live.mutex);
    live.stop_waking = true;
    fg_cond_broadcast(&live.cond);
    fg_mutex_unlock(&live.mutex);
    fg_thread_join(&live.waker);
}

static void free_all(void)
{
    fg_server_close(live.server);
    fg_tls_free(live.tls);
    fg_arena_free(&live.arena);
    fg_cond_destroy(&live.cond);
    fg_mutex_destroy(&live.mutex);
    live.server = NULL;
}

void live_stop(void)
{
    stop_all();
    assert_int_equal(live_count(&live.counters->connections_open), 0);
    assert_int_equal(live_count(&live.counters->requests_open), 0);
    assert_int_equal(live_count(&live.counters->buffered_bytes), 0);
    free_all();
}

int live_tear_down(void **state)
{
    (void)state;
    if (!live.server)
        return 0;
    stop_all();
    int left = live_count(&live.counters->connections_open) != 0 ||
               live_count(&live.counters->requests_open) != 0 ||
               live_count(&live.counters->buffered_bytes) != 0;
    free_all();
    return left;
}

static void wait_some(void)
{
    poll(NULL, 0, 1);
}

void live_wait_held(unsigned count)
{
    for (int i = 0; i < WAIT_MS; i++) {
        fg_mutex_lock(&live.mutex);
        unsigned held = live.held_count;
        fg_mutex_unlock(&live.mutex);
        if (held >= count)
            return;
        wait_some();
    }
    fail_msg("no %u requests were held", count);
}

struct fg_request *live_held(unsigned index)
{
    fg_mutex_lock(&live.mutex);
    struct fg_request *request = index < live.held_count ? live.held[index] : NULL;
    fg_mutex_unlock(&live.mutex);
    return request;
}

void live_release(void)
{
    fg_mutex_lock(&live.mutex);
    for (unsigned i = 0; i < live.held_count; i++)
        live.to_wake[live.to_wake_count++] = live.held[i];
    live.held_count = 0;
    fg_cond_broadcast(&live.cond);
    fg_mutex_unlock(&live.mutex);
}

uint64_t live_count(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void live_wait_count(const _Atomic uint64_t *counter, uint64_t value)
{
    for (int i = 0; i < WAIT_MS && live_count(counter) != value; i++)
        wait_some();
    assert_int_equal(live_count(counter), value);
}

/* -- A client -------------------------------------------------------------------------------------
 */

int client_connect(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)live.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    struct timeval timeout = {.tv_sec = WAIT_MS / 1000};
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    if (!live_tls_is_on())
        return fd;
    fd = live_tls_relay_take(fd);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    return fd;
}

void client_send(int fd, const void *data, size_t size)
{
    const uint8_t *p = data;
    while (size) {
        ssize_t n = send(fd, p, size, MSG_NOSIGNAL);
        if (n < 0)
            return;
        p += n;
        size -= (size_t)n;
    }
}

void client_say(int fd, const char *text)
{
    client_send(fd, text, strlen(text));
}

/* One byte, or -1 at the end; a test that waits for more than comes fails. */
static int read_byte(int fd)
{
    uint8_t byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        fail_msg("the server says nothing");
    return n == 1 ? byte : -1;
}

static bool read_bytes(int fd, struct fg_buffer *buffer, size_t size)
{
    while (size) {
        uint8_t part[65536];
        ssize_t n = recv(fd, part, size < sizeof part ? size : sizeof part, 0);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            fail_msg("the server says nothing");
        if (n <= 0)
            return false;
        fg_buffer_append(buffer, part, (size_t)n);
        size -= (size_t)n;
    }
    return true;
}

static bool read_line(int fd, struct fg_buffer *line)
{
    int byte;
    fg_buffer_reset(line);
    while ((byte = read_byte(fd)) >= 0) {
        fg_buffer_append_byte(line, (uint8_t)byte);
        if (byte == '\n') {
            fg_buffer_append_byte(line, 0);
            return true;
        }
    }
    return false;
}

static bool read_chunks(int fd, struct fg_buffer *body)
{
    struct fg_buffer line;
    fg_buffer_init(&line, 256);
    bool is_whole = false;
    while (read_line(fd, &line)) {
        size_t size = strtoul((const char *)line.data, NULL, 16);
        if (!read_bytes(fd, body, size) || !read_line(fd, &line))
            break;
        is_whole = size == 0;
        if (is_whole)
            break;
    }
    fg_buffer_free(&line);
    return is_whole;
}

static bool read_head(int fd, struct answer *answer)
{
    struct fg_buffer line;
    fg_buffer_init(&line, 1 << 16);
    bool is_whole = false;
    while (!is_whole && read_line(fd, &line)) {
        is_whole = strcmp((const char *)line.data, "\r\n") == 0;
        fg_buffer_append(&answer->head, line.data, line.size - 1);
    }
    fg_buffer_append_byte(&answer->head, 0);
    fg_buffer_free(&line);
    if (is_whole)
        answer->status = (unsigned)strtoul((const char *)answer->head.data + 9, NULL, 10);
    return is_whole;
}

bool answer_has(const struct answer *answer, const char *line)
{
    return answer->head.data && strstr((const char *)answer->head.data, line) != NULL;
}

struct answer client_read(int fd, bool is_head)
{
    struct answer answer = {0};
    fg_buffer_init(&answer.head, 1 << 20);
    fg_buffer_init(&answer.body, (size_t)1 << 30);
    while (read_head(fd, &answer) && answer.status == 100) {
        answer.continues++;
        answer.status = 0;
        fg_buffer_reset(&answer.head);
    }
    const char *length =
        answer.head.data ? strstr((char *)answer.head.data, "content-length: ") : NULL;
    answer.is_chunked = answer_has(&answer, "transfer-encoding: chunked");
    if (answer.status == 0 || is_head || answer.status == 204)
        return answer;
    if (answer.is_chunked) {
        answer.is_cut = !read_chunks(fd, &answer.body);
    } else if (length) {
        answer.is_cut = !read_bytes(fd, &answer.body, strtoul(length + 16, NULL, 10));
    } else {
        uint8_t part[65536];
        ssize_t n;
        while ((n = recv(fd, part, sizeof part, 0)) > 0)
            fg_buffer_append(&answer.body, part, (size_t)n);
        answer.is_cut = n < 0; /* reset */
    }
    return answer;
}

void answer_free(struct answer *answer)
{
    fg_buffer_free(&answer->head);
    fg_buffer_free(&answer->body);
}

void expect_answer(int fd, unsigned status, const char *body)
{
    struct answer answer = client_read(fd, false);
    assert_int_equal(answer.status, status);
    assert_false(answer.is_cut);
    fg_buffer_append_byte(&answer.body, 0);
    assert_string_equal((const char *)answer.body.data, body);
    answer_free(&answer);
}

void expect_status(int fd, unsigned status)
{
    struct answer answer = client_read(fd, false);
    assert_int_equal(answer.status, status);
    answer_free(&answer);
}

void expect_end(int fd)
{
    assert_int_equal(read_byte(fd), -1);
    close(fd);
}

bool is_open(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}
