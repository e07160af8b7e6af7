/* HTTP/1.1 against a live server: what is asked, how it is answered, and what goes on afterwards.
 */
#include "live.h"

#include <libdeflate.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zstd.h>

#define HOST "host: filigree\r\n"

static int start(void **state)
{
    (void)state;
    struct fg_server_options options = live_options();
    live_start(&options);
    return 0;
}

static void keep_alive(void **state)
{
    (void)state;
    int fd = client_connect();
    for (int i = 0; i < 3; i++) {
        client_say(fd, "POST /echo HTTP/1.1\r\n" HOST "content-length: 5\r\n\r\nhello");
        struct answer answer = client_read(fd, false);
        assert_int_equal(answer.status, 200);
        assert_true(answer_has(&answer, "content-length: 5\r\n"));
        assert_true(answer_has(&answer, "x-size: 5\r\n"));
        assert_true(answer_has(&answer, "date: "));
        assert_true(answer_has(&answer, " GMT\r\n"));
        assert_false(answer_has(&answer, "connection:"));
        assert_memory_equal(answer.body.data, "hello", 5);
        answer_free(&answer);
    }
    live_wait_count(&live.counters->connections_accepted, 1);
    live_wait_count(&live.counters->connections_open, 1);
    live_wait_count(&live.counters->requests[FG_PROTOCOL_HTTP1], 3);
    live_wait_count(&live.counters->responses[2], 3);
    live_wait_count(&live.counters->body_bytes_in, 15);
    live_wait_count(&live.counters->body_bytes_inflated, 15);
    assert_true(live_count(&live.counters->bytes_in) > 150);
    assert_true(live_count(&live.counters->bytes_out) > 150);
    close(fd);
    live_wait_count(&live.counters->connections_open, 0);
    live_wait_count(&live.finishes, 3);
}

/* Every place where a request may be cut into two reads. */
static void cut_anywhere(void **state)
{
    (void)state;
    static const char text[] = "POST /fields?a=b HTTP/1.1\r\n" HOST "Content-Type: Text/X; y=z\r\n"
                               "X-Spaced:  a b \t\r\nX-Empty:\r\ncontent-length: 3\r\n\r\nabc";
    static const char expected[] = "path=/fields query=a=b type=Text/X\nhost=filigree\n"
                                   "content-type=Text/X; y=z\nx-spaced=a b\nx-empty=\n"
                                   "content-length=3\n";
    int fd = client_connect();
    for (size_t i = 1; i < sizeof text - 1; i++) {
        client_send(fd, text, i);
        uint64_t bytes = live_count(&live.counters->bytes_in);
        for (int k = 0; k < 5 && live_count(&live.counters->bytes_in) == bytes; k++)
            poll(NULL, 0, 1);
        client_send(fd, text + i, sizeof text - 1 - i);
        expect_answer(fd, 200, expected);
    }
    close(fd);
}

static void methods_and_targets(void **state)
{
    (void)state;
    int fd = client_connect();
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        char text[128], line[64];
        snprintf(text, sizeof text, "%s /echo HTTP/1.1\r\n" HOST "\r\n", methods[i]);
        snprintf(line, sizeof line, "x-method: %s\r\n", methods[i]);
        client_say(fd, text);
        struct answer answer = client_read(fd, false);
        assert_true(answer_has(&answer, line));
        answer_free(&answer);
    }
    client_say(fd, "PROPFIND /echo HTTP/1.1\r\n" HOST "\r\n");
    struct answer answer = client_read(fd, false);
    assert_true(answer_has(&answer, "x-method: OTHER\r\n"));
    answer_free(&answer);
    client_say(fd, "GET http://FILIGREE/fields?q HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(fd, 200, "path=/fields query=q type=\nhost=filigree\n");
    client_say(fd, "GET http://filigree HTTP/1.1\r\n" HOST "\r\n");
    expect_status(fd, 404);
    client_say(fd, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
    expect_status(fd, 404);
    close(fd);
}

static void head_has_no_body(void **state)
{
    (void)state;
    int fd = client_connect();
    client_say(fd, "HEAD /echo HTTP/1.1\r\n" HOST "content-length: 4\r\n\r\nbody"
                   "HEAD /pull?size=1000000 HTTP/1.1\r\n" HOST "\r\n"
                   "GET /nothing HTTP/1.1\r\n" HOST "\r\n"
                   "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    struct answer answer = client_read(fd, true);
    assert_true(answer_has(&answer, "content-length: 4\r\n"));
    answer_free(&answer);
    answer = client_read(fd, true);
    assert_int_equal(answer.status, 200);
    assert_true(answer_has(&answer, "transfer-encoding: chunked\r\n"));
    answer_free(&answer);
    answer = client_read(fd, false);
    assert_int_equal(answer.status, 204);
    assert_false(answer_has(&answer, "content-length"));
    answer_free(&answer);
    expect_answer(fd, 200, "");
    live_wait_count(&live.stops, 1);
    close(fd);
}

/* One at a time and in order, however many come at once. */
static void pipelining(void **state)
{
    (void)state;
    int fd = client_connect();
    struct fg_buffer all;
    fg_buffer_init(&all, 1 << 20);
    for (int i = 0; i < 500; i++)
        fg_buffer_append_format(&all, "POST /%s HTTP/1.1\r\n" HOST "content-length: 3\r\n\r\n%03d",
                                i % 7 == 3 ? "wake" : "echo", i);
    client_send(fd, all.data, all.size);
    for (int i = 0; i < 500; i++) {
        char body[8];
        snprintf(body, sizeof body, "%03d", i);
        expect_answer(fd, 200, i % 7 == 3 ? "woken\n" : body);
    }
    fg_buffer_free(&all);
    close(fd);
}

static void chunked_bodies(void **state)
{
    (void)state;
    int fd = client_connect();
    client_say(fd, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"
                   "3\r\nabc\r\n0a;ext=1\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
                   "POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    expect_answer(fd, 200, "abc0123456789");
    expect_answer(fd, 200, "");
    close(fd);
}

static void large_bodies(void **state)
{
    (void)state;
    size_t size = 3000000;
    uint8_t *body = malloc(size);
    for (size_t i = 0; i < size; i++)
        body[i] = (uint8_t)(i * 7 + i / 256);
    int fd = client_connect();
    for (int i = 0; i < 4; i++) {
        char head[128];
        snprintf(head, sizeof head, "POST /%s HTTP/1.1\r\n" HOST "content-length: %zu\r\n\r\n",
                 i % 2 ? "take" : "echo", size);
        client_say(fd, head);
        if (i >= 2)
            poll(NULL, 0, 5); /* so that the body comes in reads of its own */
        client_send(fd, body, size);
        struct answer answer = client_read(fd, false);
        assert_int_equal(answer.body.size, size);
        assert_memory_equal(answer.body.data, body, size);
        answer_free(&answer);
    }
    free(body);
    close(fd);
}

static void pulled_answers(void **state)
{
    (void)state;
    int fd = client_connect();
    static const size_t sizes[] = {1, 65536, 65537, 5000000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        char head[128];
        snprintf(head, sizeof head, "GET /pull?size=%zu HTTP/1.1\r\n" HOST "\r\n", sizes[s]);
        client_say(fd, head);
        struct answer answer = client_read(fd, false);
        assert_true(answer.is_chunked);
        assert_false(answer.is_cut);
        assert_int_equal(answer.body.size, sizes[s]);
        for (size_t i = 0; i < sizes[s]; i++)
            if (answer.body.data[i] != 'a' + i % 26)
                fail();
        answer_free(&answer);
    }
    client_say(fd, "GET /pull?size=0 HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(fd, 200, "");
    client_say(fd, "GET /slow?size=35 HTTP/1.1\r\n" HOST "\r\n");
    expect_answer(fd, 200, "abcdefghijklmnopqrstuvwxyzabcdefghi");
    live_wait_count(&live.stops, 6);
    close(fd);
}

/* An answer that fails half-way must not look whole. */
static void failing_answers_are_cut(void **state)
{
    (void)state;
    static const char *const versions[] = {"1.1", "1.0"};
    for (size_t i = 0; i < 2; i++) {
        int fd = client_connect();
        char head[128];
        snprintf(head, sizeof head, "GET /pull?size=500000&fail=300000 HTTP/%s\r\n" HOST "\r\n",
                 versions[i]);
        client_say(fd, head);
        struct answer answer = client_read(fd, false);
        assert_int_equal(answer.status, 200);
        assert_true(answer.is_cut);
        answer_free(&answer);
        close(fd);
    }
    live_wait_count(&live.counters->requests_open, 0);
    live_wait_count(&live.stops, 2);
}

static void http_1_0(void **state)
{
    (void)state;
    int fd = client_connect();
    client_say(fd, "GET /echo HTTP/1.0\r\n\r\n");
    struct answer answer = client_read(fd, false);
    assert_true(answer_has(&answer, "connection: close\r\n"));
    answer_free(&answer);
    expect_end(fd);
    fd = client_connect();
    client_say(fd, "GET /echo HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    answer = client_read(fd, false);
    assert_true(answer_has(&answer, "connection: keep-alive\r\n"));
    answer_free(&answer);
    client_say(fd, "GET /pull?size=200000 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    answer = client_read(fd, false); /* until the connection ends */
    assert_false(answer.is_chunked);
    assert_false(answer.is_cut);
    assert_true(answer_has(&answer, "connection: close\r\n"));
    assert_int_equal(answer.body.size, 200000);
    answer_free(&answer);
    expect_end(fd);
}

static void connection_close(void **state)
{
    (void)state;
    int fd = client_connect();
    client_say(fd, "GET /echo HTTP/1.1\r\n" HOST "connection: close\r\n\r\n");
    struct answer answer = client_read(fd, false);
    assert_true(answer_has(&answer, "connection: close\r\n"));
    answer_free(&answer);
    expect_end(fd);
}

static void expect_100_continue(void **state)
{
    (void)state;
    int fd = client_connect();
    client_say(fd,
               "POST /echo HTTP/1.1\r\n" HOST "expect: 100-Continue\r\ncontent-length: 2\r\n\r\n");
    char line[26] = "";
    assert_int_equal(recv(fd, line, 25, MSG_WAITALL), 25);
    assert_string_equal(line, "HTTP/1.1 100 Continue\r\n\r\n");
    client_say(fd, "ok");
    expect_answer(fd, 200, "ok");
    /* With the body there, or none to come, nobody waits for it. */
    client_say(fd,
               "POST /echo HTTP/1.1\r\n" HOST "expect: 100-continue\r\ncontent-length: 2\r\n\r\nok"
               "GET /echo HTTP/1.1\r\n" HOST "expect: 100-continue\r\n\r\n");
    for (int i = 0; i < 2; i++) {
        struct answer answer = client_read(fd, false);
        assert_int_equal(answer.status, 200);
        assert_int_equal(answer.continues, 0);
        answer_free(&answer);
    }
    /* Refused: the body may come or not, so the connection can't go on. */
    client_say(fd,
               "POST /early HTTP/1.1\r\n" HOST "expect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    struct answer answer = client_read(fd, false);
    assert_int_equal(answer.status, 401);
    assert_int_equal(answer.continues, 0);
    answer_free(&answer);
    expect_end(fd);
    fd = client_connect();
    client_say(fd, "POST /echo HTTP/1.1\r\n" HOST "expect: tea\r\ncontent-length: 2\r\n\r\n");
    expect_status(fd, 417);
    expect_end(fd);
    live_wait_count(&live.counters->refused[FG_REFUSED_EXPECTATION], 1);
}

/* Answered before its body: what is little is read and dropped, and the connection lives on. */
static void early_answers(void **state)
{
    (void)state;
    int fd = client_connect();
    client_say(fd, "POST /early HTTP/1.1\r\n" HOST "content-length: 10\r\n\r\n");
    expect_status(fd, 401);
    client_say(fd, "0123456789POST /early HTTP/1.1\r\n" HOST "content-length: 3\r\n\r\nabc"
                   "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    expect_status(fd, 401);
    expect_status(fd, 200);
    close(fd);
    /* What is much is not; the client sees the answer all the same, and not a reset. */
    fd = client_connect();
    client_say(fd, "POST /early HTTP/1.1\r\n" HOST "content-length: 10000000\r\n\r\n");
    uint8_t *body = calloc(1, 10000000);
    client_send(fd, body, 10000000);
    free(body);
    struct answer answer = client_read(fd, false);
    assert_int_equal(answer.status, 401);
    assert_true(answer_has(&answer, "connection: close\r\n"));
    answer_free(&answer);
    expect_end(fd);
}

static void compressed_bodies(void **state)
{
    (void)state;
    uint8_t packed[512];
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    struct fg_slice text = FG_SLICE("some spans, some spans, some spans");
    int fd = client_connect();
    for (int i = 0; i < 3; i++) {
        size_t size =
            i == 0   ? libdeflate_gzip_compress(compressor, text.data, text.size, packed, 512)
            : i == 1 ? libdeflate_zlib_compress(compressor, text.data, text.size, packed, 512)
                     : ZSTD_compress(packed, 512, text.data, text.size, 1);
        static const char *const names[] = {"gzip", "deflate", "zstd"};
        char head[128];
        snprintf(head, sizeof head,
                 "POST /echo HTTP/1.1\r\n" HOST
                 "content-encoding: %s\r\ncontent-length: %zu\r\n\r\n",
                 names[i], size);
        client_say(fd, head);
        client_send(fd, packed, size);
        expect_answer(fd, 200, (const char *)text.data);
    }
    libdeflate_free_compressor(compressor);
    live_wait_count(&live.counters->body_bytes_inflated, 3 * text.size);
    close(fd);
}

/* The client goes while its request is worked on: the handler hears of it, the request stays until
 * it is answered, and the answer goes nowhere. */
static void clients_that_go(void **state)
{
    (void)state;
    int fd = client_connect();
    client_say(fd, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    live_wait_held(1);
    assert_false(fg_request_is_cancelled(live_held(0)));
    struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    live_wait_count(&live.counters->requests_cancelled, 1);
    live_wait_count(&live.counters->connections_open, 0);
    assert_true(fg_request_is_cancelled(live_held(0)));
    live_wait_count(&live.counters->requests_open, 1);
    live_wait_count(&live.cancels, 1);
    assert_int_equal(live_count(&live.finishes), 0);
    live_release();
    live_wait_count(&live.counters->requests_open, 0);
    live_wait_count(&live.finishes, 1);
}

/* Who only says that it will send no more still gets its answer. */
static void half_closed_clients(void **state)
{
    (void)state;
    int fd = client_connect();
    client_say(fd, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    shutdown(fd, SHUT_WR);
    live_wait_held(1);
    live_wait_count(&live.counters->requests_cancelled, 1);
    live_release();
    expect_answer(fd, 200, "held\n");
    expect_end(fd);
}

/* Also in the midst of an answer that is pulled: nobody gave that up. */
static void half_closed_readers(void **state)
{
    (void)state;
    int fd = client_connect();
    client_say(fd, "GET /pull?size=20000000 HTTP/1.1\r\n" HOST "\r\n");
    for (int i = 0; i < 1000 && live_count(&live.pulled_bytes) == 0; i++)
        poll(NULL, 0, 1);
    shutdown(fd, SHUT_WR);
    struct answer answer = client_read(fd, false);
    assert_int_equal(answer.body.size, 20000000);
    assert_false(answer.is_cut);
    assert_int_equal(live_count(&live.counters->requests_cancelled), 0);
    answer_free(&answer);
    expect_end(fd);
}

static void a_body_that_never_ends_is_no_request(void **state)
{
    (void)state;
    int fd = client_connect();
    client_say(fd, "POST /hold HTTP/1.1\r\n" HOST "content-length: 100\r\n\r\nhalf");
    live_wait_count(&live.counters->requests_open, 1);
    close(fd);
    live_wait_count(&live.counters->requests_open, 0);
    live_wait_count(&live.counters->connections_open, 0);
    assert_null(live_held(0));
    live_wait_count(&live.finishes, 1);
}

static void wakes_from_other_threads(void **state)
{
    (void)state;
    int fds[32];
    for (int i = 0; i < 32; i++)
        fds[i] = client_connect();
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 32; i++)
            client_say(fds[i], "GET /wake HTTP/1.1\r\n" HOST "\r\n");
        for (int i = 0; i < 32; i++)
            expect_answer(fds[i], 200, "woken\n");
    }
    for (int i = 0; i < 32; i++)
        close(fds[i]);
}

/* Each loop gets as many as the other. */
static void connections_are_spread(void **state)
{
    (void)state;
    int fds[8];
    for (int i = 0; i < 8; i++)
        fds[i] = client_connect();
    for (int i = 0; i < 8; i++)
        client_say(fds[i], "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    live_wait_held(8);
    unsigned on_first = 0;
    for (int i = 0; i < 8; i++)
        on_first += live_held((unsigned)i)->loop_index == 0;
    assert_int_equal(on_first, 4);
    live_release();
    for (int i = 0; i < 8; i++) {
        expect_status(fds[i], 200);
        close(fds[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, live_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keep_alive),
        TEST(cut_anywhere),
        TEST(methods_and_targets),
        TEST(head_has_no_body),
        TEST(pipelining),
        TEST(chunked_bodies),
        TEST(large_bodies),
        TEST(pulled_answers),
        TEST(failing_answers_are_cut),
        TEST(http_1_0),
        TEST(connection_close),
        TEST(expect_100_continue),
        TEST(early_answers),
        TEST(compressed_bodies),
        TEST(clients_that_go),
        TEST(half_closed_clients),
        TEST(half_closed_readers),
        TEST(a_body_that_never_ends_is_no_request),
        TEST(wakes_from_other_threads),
        TEST(connections_are_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
