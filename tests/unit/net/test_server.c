/* Opening, stopping and draining a server, and what thousands of idle connections cost. */
#include "h2.h"
#include "net/queue.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST "host: filigree\r\n"
#define MS   FG_NS_PER_MS

/* -- Opening
 * ---------------------------------------------------------------------------------------- */

static void expect_refused(const char *address, int error, const char *words)
{
    const struct fg_listen listeners[] = {{.address = "127.0.0.1:0"}, {.address = address}};
    struct fg_server_options options = live_options();
    struct fg_arena arena;
    struct fg_server *server = NULL;
    const char *message = NULL;
    fg_arena_init(&arena, 1 << 16);
    options.listeners = listeners;
    options.listener_count = 2;
    assert_int_equal(fg_server_open(&options, &arena, &message, &server), error);
    assert_null(server);
    assert_non_null(message);
    if (!strstr(message, words) || !strstr(message, address))
        fail_msg("'%s' does not say '%s' and '%s'", message, words, address);
    fg_arena_free(&arena);
}

static void addresses_that_are_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",         "localhost", "localhost:", "localhost:http", "127.0.0.1:65536",
        "::1:4317", "[::1]",     "[]:1",       "127.0.0.1:-1",   "127.0.0.1: 1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_refused(texts[i], FG_EINVALID, "expected HOST:PORT");
    expect_refused("no.such.host.invalid:1", FG_EINVALID, "use an IP address");
    expect_refused("192.0.2.1:0", FG_EINVALID, "no network interface");
}

static void addresses_in_use(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char text[64];
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(address.sin_port));
    expect_refused(text, FG_EBUSY, "another program uses port");
    close(fd);
}

/* All that are given, "localhost" as each of its addresses, and all interfaces. */
static void several_listeners(void **state)
{
    (void)state;
    const struct fg_listen listeners[] = {{.address = "localhost:0", .face = 7},
                                          {.address = ":0", .face = 7},
                                          {.address = "127.0.0.1:0", .face = 7}};
    struct fg_server_options options = live_options();
    options.listeners = listeners;
    options.listener_count = 3;
    live_start(&options);
    for (size_t i = 0; i < 3; i++) {
        const char *text = fg_server_address(live.server, i);
        live.port = (unsigned)strtoul(strrchr(text, ':') + 1, NULL, 10);
        assert_true(live.port > 0);
        assert_true(i == 1 || strncmp(text, "127.0.0.1:", 10) == 0);
        int fd = client_connect();
        client_say(fd, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
        expect_status(fd, 200);
        close(fd);
    }
    live_stop();
}

static void open_files_are_raised(void **state)
{
    (void)state;
    struct rlimit before, after;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit low = {.rlim_cur = 64, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    struct fg_server_options options = live_options();
    live_start(&options);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_true(after.rlim_cur == before.rlim_max);
    live_stop();
}

/* Without a file descriptor left the client waits, the loop does not spin, and it goes on later. */
static void no_open_file_is_left(void **state)
{
    (void)state;
    struct fg_server_options options = live_options();
    struct rlimit limit;
    live_start(&options);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)live.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int next = dup(fd); /* the lowest that is free, and with it all below are taken */
    struct rlimit low = {.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
    close(next);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    for (int i = 0; i < 60000 && live_count(&live.counters->accept_errors) == 0; i++)
        poll(NULL, 0, 1);
    uint64_t begin_ns = fg_env_mono_ns(fg_env_real()),
             errors = live_count(&live.counters->accept_errors);
    assert_true(errors >= 1);
    poll(NULL, 0, 50);
    uint64_t more = live_count(&live.counters->accept_errors) - errors;
    uint64_t took_ms = (fg_env_mono_ns(fg_env_real()) - begin_ns) / MS;
    assert_true(more <= options.loop_count * (took_ms / 50 + 1));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    client_say(fd, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    expect_status(fd, 200);
    close(fd);
    live_stop();
}

/* Opened and never started: clients wait in the backlog, and closing is all. */
static void closed_without_a_start(void **state)
{
    (void)state;
    struct fg_server_options options = live_options();
    struct fg_arena arena;
    const char *message;
    struct fg_server *server;
    fg_arena_init(&arena, 1 << 16);
    assert_int_equal(fg_server_open(&options, &arena, &message, &server), 0);
    fg_server_stop(server, FG_NS_PER_SECOND);
    fg_server_close(server);
    fg_server_close(NULL);
    fg_arena_free(&arena);
}

/* -- Messages
 * --------------------------------------------------------------------------------------- */

struct numbered {
    struct fg_message message;
    unsigned number;
};

static unsigned next_number;
static _Atomic uint64_t numbers_seen;

static void see(struct fg_message *message)
{
    const struct numbered *numbered = (const struct numbered *)message;
    assert_int_equal(numbered->number, next_number++);
    atomic_fetch_add(&numbers_seen, 1);
}

static void posted_messages(void **state)
{
    (void)state;
    static struct numbered numbered[10000];
    struct fg_server_options options = live_options();
    live_start(&options);
    for (unsigned i = 0; i < 10000; i++) {
        numbered[i] = (struct numbered){.message.run = see, .number = i};
        fg_server_post(live.server, 1, &numbered[i].message);
    }
    live_wait_count(&numbers_seen, 10000);
    live_stop();
}

/* -- Draining
 * --------------------------------------------------------------------------------------- */

static uint64_t drain_ns;

static void stop_server(void *arg)
{
    (void)arg;
    fg_server_stop(live.server, drain_ns);
}

static bool is_refused(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)live.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool refused = connect(fd, (struct sockaddr *)&address, sizeof address) < 0;
    close(fd);
    return refused;
}

static void draining(void **state)
{
    (void)state;
    struct fg_server_options options = live_options();
    live_start(&options);
    int idle = client_connect(), silent = client_connect(), busy = client_connect();
    int coming = client_connect();
    struct h2 *h2 = h2_connect(1 << 20);
    client_say(idle, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    expect_status(idle, 200);
    client_say(busy, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    client_say(coming, "POST /echo HTTP/1.1\r\n" HOST "content-length: 10\r\n\r\n12345");
    struct h2_stream *held = h2_request(h2, "GET", "/hold", (struct fg_slice){0}, false, NULL);
    h2_flush(h2);
    live_wait_held(2);
    live_wait_count(&live.counters->requests_open, 3);
    struct fg_thread stopper;
    drain_ns = 20 * FG_NS_PER_SECOND;
    assert_int_equal(fg_thread_start(&stopper, "stopper", stop_server, NULL), 0);
    /* Who asks nothing is closed, who comes is refused, who asked is answered. */
    expect_end(idle);
    expect_end(silent);
    for (int i = 0; i < 60000 && !is_refused(); i++)
        poll(NULL, 0, 1);
    assert_true(is_refused());
    client_say(coming, "67890");
    struct answer answer = client_read(coming, false);
    assert_int_equal(answer.status, 200);
    assert_true(answer_has(&answer, "connection: close\r\n"));
    answer_free(&answer);
    expect_end(coming);
    for (int i = 0; i < 60 && h2->goaway_last < 0; i++)
        h2_read_some(h2, 1000);
    assert_int_equal(h2->goaway_last, held->id);
    assert_int_equal(h2->goaway_code, NGHTTP2_NO_ERROR);
    live_release();
    answer = client_read(busy, false);
    assert_int_equal(answer.status, 200);
    assert_true(answer_has(&answer, "connection: close\r\n"));
    answer_free(&answer);
    expect_end(busy);
    h2_wait(h2, held);
    assert_int_equal(held->status, 200);
    h2_close(h2);
    fg_thread_join(&stopper);
    fg_server_stop(live.server, 0); /* once more is nothing */
    live_stop();
}

/* What is not done in time is cut; but who holds a request is waited for. */
static void draining_has_an_end(void **state)
{
    (void)state;
    struct fg_server_options options = live_options();
    live_start(&options);
    int busy = client_connect(), slow = client_connect();
    client_say(busy, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    client_say(slow, "POST /echo HTTP/1.1\r\n" HOST "content-length: 10\r\n\r\n12345");
    live_wait_held(1);
    live_wait_count(&live.counters->requests_open, 2);
    struct fg_thread stopper;
    drain_ns = 30 * MS;
    assert_int_equal(fg_thread_start(&stopper, "stopper", stop_server, NULL), 0);
    expect_end(busy);
    expect_end(slow);
    live_wait_count(&live.counters->requests_open, 1);
    assert_true(fg_request_is_cancelled(live_held(0)));
    live_release();
    fg_thread_join(&stopper);
    live_wait_count(&live.finishes, 2);
    live_stop();
}

/* A request whose memory somebody keeps past its answer. */
static void references_are_waited_for(void **state)
{
    (void)state;
    struct fg_server_options options = live_options();
    live_start(&options);
    int fd = client_connect();
    client_say(fd, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    live_wait_held(1);
    struct fg_request *request = fg_request_ref(live_held(0));
    live_release();
    expect_answer(fd, 200, "held\n");
    live_wait_count(&live.counters->requests_open, 0);
    struct fg_thread stopper;
    drain_ns = 0;
    assert_int_equal(fg_thread_start(&stopper, "stopper", stop_server, NULL), 0);
    expect_end(fd);
    poll(NULL, 0, 20);
    assert_int_equal(live_count(&live.finishes), 0);
    assert_int_equal(request->path.size, 5);
    fg_request_unref(request);
    fg_thread_join(&stopper);
    live_wait_count(&live.finishes, 1);
    live_stop();
}

/* -- Many connections
 * ------------------------------------------------------------------------------- */

#define IDLE_BYTES_MAX 2048u

static size_t resident_bytes(void)
{
    unsigned long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &pages, &resident), 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* In a process of its own, which has open files of its own: connects, asks once, and waits. */
static int connect_many(unsigned port, unsigned count, int go_fd, int done_fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const char text[] = "GET /echo HTTP/1.1\r\n" HOST "\r\n";
    char byte = 0, answer[512];
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (unsigned i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
            return 1;
        if (send(fd, text, sizeof text - 1, MSG_NOSIGNAL) < 0 || recv(fd, answer, 512, 0) <= 0)
            return 2;
    }
    return write(done_fd, &byte, 1) == 1 && read(go_fd, &byte, 1) >= 0 ? 0 : 3;
}

static void many_idle_connections(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    unsigned count = 10000;
    if (limit.rlim_max < 2 * count)
        count = (unsigned)(limit.rlim_max / 2);
    if (count < 1000) {
        print_message("many_idle_connections: skipped, no more than %u files may be open\n",
                      (unsigned)limit.rlim_max);
        skip();
    }
    struct fg_server_options options = live_options();
    int port_pipe[2], go[2], done[2], status;
    char byte;
    assert_int_equal(pipe(port_pipe) | pipe(go) | pipe(done), 0);
    pid_t child = fork(); /* before there are threads */
    assert_true(child >= 0);
    if (child == 0) {
        unsigned port = 0;
        close(go[1]);
        bool has_port = read(port_pipe[0], &port, sizeof port) == sizeof port;
        _exit(has_port ? connect_many(port, count, go[0], done[1]) : 4);
    }
    close(go[0]);
    close(done[1]);
    live_start(&options);
    size_t before = resident_bytes();
    assert_int_equal(write(port_pipe[1], &live.port, sizeof live.port), sizeof live.port);
    assert_int_equal(read(done[0], &byte, 1), 1);
    live_wait_count(&live.counters->connections_open, count);
    size_t grown = resident_bytes() - before;
    print_message("%u idle connections: %zu bytes each\n", count, grown / count);
    /* Under a sanitizer memory is something else. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(grown / count <= IDLE_BYTES_MAX);
#endif
    close(go[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    live_wait_count(&live.counters->connections_open, 0);
    close(port_pipe[0]);
    close(port_pipe[1]);
    close(done[0]);
    live_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(many_idle_connections), /* first: it measures memory */
        LIVE_TEST(addresses_that_are_none), LIVE_TEST(addresses_in_use),
        LIVE_TEST(several_listeners),       LIVE_TEST(open_files_are_raised),
        LIVE_TEST(no_open_file_is_left),    LIVE_TEST(closed_without_a_start),
        LIVE_TEST(posted_messages),         LIVE_TEST(draining),
        LIVE_TEST(draining_has_an_end),     LIVE_TEST(references_are_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
