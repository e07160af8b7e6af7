/* HTTP/2 and gRPC against a live server. */
#include "h2.h"

#include <libdeflate.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define WINDOW (1 << 20)

static int start(void **state)
{
    (void)state;
    struct fg_server_options options = live_options();
    live_start(&options);
    return 0;
}

static void expect_body(const struct h2_stream *stream, unsigned status, const char *body)
{
    assert_true(stream->is_closed);
    assert_int_equal(stream->status, status);
    assert_int_equal(stream->body.size, strlen(body));
    if (*body)
        assert_memory_equal(stream->body.data, body, strlen(body));
}

static void requests(void **state)
{
    (void)state;
    struct h2 *h2 = h2_connect(WINDOW);
    struct h2_stream *echo = h2_request(h2, "POST", "/echo", FG_SLICE("hello"), false, NULL);
    h2_wait(h2, echo);
    expect_body(echo, 200, "hello");
    assert_true(h2_has(echo, "x-size: 5\n"));
    assert_true(h2_has(echo, "content-length: 5\n"));
    assert_true(h2_has(echo, "date: "));
    assert_int_equal(echo->close_code, NGHTTP2_NO_ERROR);
    static const char *const more[][2] = {{"content-type", "Text/X; y"}, {"x", "1"}, {NULL, NULL}};
    struct h2_stream *fields =
        h2_request(h2, "GET", "/fields?a=b", (struct fg_slice){0}, false, more);
    h2_wait(h2, fields);
    expect_body(fields, 200,
                "path=/fields query=a=b type=Text/X\ncontent-type=Text/X; y\nx=1\n"
                "host=filigree:4317\n");
    struct h2_stream *head = h2_request(h2, "HEAD", "/take", FG_SLICE("12345"), false, NULL);
    struct h2_stream *nothing =
        h2_request(h2, "GET", "/nothing", (struct fg_slice){0}, false, NULL);
    struct h2_stream *missing = h2_request(h2, "GET", "/x", (struct fg_slice){0}, false, NULL);
    h2_wait(h2, head);
    h2_wait(h2, nothing);
    h2_wait(h2, missing);
    expect_body(head, 200, "");
    assert_true(h2_has(head, "content-length: 5\n"));
    expect_body(nothing, 204, "");
    assert_false(h2_has(nothing, "content-length"));
    expect_body(missing, 404, "nothing here\n");
    live_wait_count(&live.counters->requests[FG_PROTOCOL_HTTP2], 5);
    assert_int_equal(live_count(&live.counters->requests[FG_PROTOCOL_HTTP1]), 0);
    h2_close(h2);
}

static void many_streams_at_once(void **state)
{
    (void)state;
    struct h2 *h2 = h2_connect(WINDOW);
    struct h2_stream *streams[100];
    for (int i = 0; i < 100; i++)
        streams[i] =
            h2_request(h2, "POST", i % 3 ? "/echo" : "/wake", FG_SLICE("abc"), false, NULL);
    for (int i = 0; i < 100; i++) {
        h2_wait(h2, streams[i]);
        expect_body(streams[i], 200, i % 3 ? "abc" : "woken\n");
    }
    h2_close(h2);
}

static void large_bodies(void **state)
{
    (void)state;
    size_t size = 6000000; /* past the stream's window and past the client's */
    uint8_t *body = malloc(size);
    for (size_t i = 0; i < size; i++)
        body[i] = (uint8_t)(i * 7 + i / 256);
    struct h2 *h2 = h2_connect(WINDOW);
    struct h2_stream *streams[3];
    for (int i = 0; i < 3; i++)
        streams[i] = h2_request(h2, "POST", "/take", fg_slice(body, size), false, NULL);
    for (int i = 0; i < 3; i++) {
        h2_wait(h2, streams[i]);
        assert_int_equal(streams[i]->body.size, size);
        assert_memory_equal(streams[i]->body.data, body, size);
    }
    h2_close(h2);
    free(body);
}

static void pulled_answers(void **state)
{
    (void)state;
    struct h2 *h2 = h2_connect(WINDOW);
    struct h2_stream *large =
        h2_request(h2, "GET", "/pull?size=5000000", (struct fg_slice){0}, false, NULL);
    struct h2_stream *slow =
        h2_request(h2, "GET", "/slow?size=35", (struct fg_slice){0}, false, NULL);
    struct h2_stream *empty =
        h2_request(h2, "GET", "/pull?size=0", (struct fg_slice){0}, false, NULL);
    struct h2_stream *failing =
        h2_request(h2, "GET", "/pull?size=500000&fail=300000", (struct fg_slice){0}, false, NULL);
    h2_wait(h2, large);
    h2_wait(h2, slow);
    h2_wait(h2, empty);
    h2_wait(h2, failing);
    assert_int_equal(large->body.size, 5000000);
    for (size_t i = 0; i < 5000000; i++)
        if (large->body.data[i] != 'a' + i % 26)
            fail();
    expect_body(slow, 200, "abcdefghijklmnopqrstuvwxyzabcdefghi");
    expect_body(empty, 200, "");
    assert_int_equal(empty->close_code, NGHTTP2_NO_ERROR);
    assert_int_equal(failing->status, 200);
    assert_int_equal(failing->close_code, NGHTTP2_INTERNAL_ERROR);
    live_wait_count(&live.counters->requests_open, 0);
    live_wait_count(&live.stops, 4);
    h2_close(h2);
}

static void early_answers(void **state)
{
    (void)state;
    uint8_t *body = calloc(1, 3000000);
    struct h2 *h2 = h2_connect(WINDOW);
    struct h2_stream *early =
        h2_request(h2, "POST", "/early", fg_slice(body, 3000000), false, NULL);
    h2_wait(h2, early);
    expect_body(early, 401, "who are you?\n");
    assert_int_equal(early->close_code, NGHTTP2_NO_ERROR);
    struct h2_stream *echo = h2_request(h2, "POST", "/echo", FG_SLICE("still here"), false, NULL);
    h2_wait(h2, echo);
    expect_body(echo, 200, "still here");
    h2_close(h2);
    free(body);
}

static void expect_100_continue(void **state)
{
    (void)state;
    static const char *const expect[][2] = {{"expect", "100-continue"}, {NULL, NULL}};
    static const char *const tea[][2] = {{"expect", "tea"}, {NULL, NULL}};
    struct h2 *h2 = h2_connect(WINDOW);
    struct h2_stream *echo = h2_request(h2, "POST", "/echo", (struct fg_slice){0}, true, expect);
    for (int i = 0; i < 100 && !h2_has(echo, ":status: 100\n"); i++) {
        h2_flush(h2);
        h2_read_some(h2, 50);
    }
    assert_true(h2_has(echo, ":status: 100\n"));
    echo->request_body = FG_SLICE("now");
    echo->holds_back = false;
    nghttp2_session_resume_data(h2->session, echo->id);
    h2_wait(h2, echo);
    expect_body(echo, 200, "now");
    struct h2_stream *early = h2_request(h2, "POST", "/early", FG_SLICE("x"), false, expect);
    h2_wait(h2, early);
    expect_body(early, 401, "who are you?\n");
    assert_false(h2_has(early, ":status: 100\n"));
    struct h2_stream *refused = h2_request(h2, "POST", "/echo", FG_SLICE("x"), false, tea);
    h2_wait(h2, refused);
    assert_int_equal(refused->status, 417);
    live_wait_count(&live.counters->refused[FG_REFUSED_EXPECTATION], 1);
    h2_close(h2);
}

static void clients_that_go(void **state)
{
    (void)state;
    struct h2 *h2 = h2_connect(WINDOW);
    struct h2_stream *one = h2_request(h2, "GET", "/hold", (struct fg_slice){0}, false, NULL);
    h2_request(h2, "GET", "/hold", (struct fg_slice){0}, false, NULL);
    h2_flush(h2);
    live_wait_held(2);
    nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, one->id, NGHTTP2_CANCEL);
    h2_flush(h2);
    live_wait_count(&live.counters->requests_cancelled, 1);
    live_wait_count(&live.counters->streams_reset, 1);
    live_wait_count(&live.cancels, 1);
    h2_close(h2);
    live_wait_count(&live.counters->requests_cancelled, 2);
    live_wait_count(&live.counters->connections_open, 0);
    live_wait_count(&live.counters->requests_open, 2);
    live_release();
    live_wait_count(&live.counters->requests_open, 0);
    live_wait_count(&live.finishes, 2);
}

static void http1_on_the_same_port(void **state)
{
    (void)state;
    struct h2 *h2 = h2_connect(WINDOW);
    int fd = client_connect();
    client_say(fd, "P");
    struct h2_stream *echo = h2_request(h2, "POST", "/echo", FG_SLICE("2"), false, NULL);
    h2_wait(h2, echo);
    client_say(fd, "OST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n1");
    expect_answer(fd, 200, "1");
    close(fd);
    /* The preface in pieces, and one that turns out to be none. */
    fd = client_connect();
    client_say(fd, "PRI * HT");
    poll(NULL, 0, 2);
    client_say(fd, "TP/2.0\r\n\r\nSM\r\n\r\n");
    client_send(fd, "\0\0\0\4\0\0\0\0\0", 9);
    char settings[9];
    assert_int_equal(read(fd, settings, 9), 9);
    assert_int_equal(settings[3], NGHTTP2_SETTINGS);
    close(fd);
    fd = client_connect();
    client_say(fd, "PRI * HTTP/2.0\r\n\r\nno\r\n\r\n");
    expect_status(fd, 400);
    expect_end(fd);
    h2_close(h2);
}

/* -- gRPC -----------------------------------------------------------------------------------------
 */

static void calls(void **state)
{
    (void)state;
    struct h2 *h2 = h2_connect(WINDOW);
    static const char *const timeout[][2] = {{"grpc-timeout", "10S"}, {NULL, NULL}};
    struct h2_stream *call = h2_call(h2, "/grpc/echo", FG_SLICE("\0\0\0\0\3abc"), timeout);
    h2_wait(h2, call);
    assert_int_equal(call->status, 200);
    assert_true(fg_slice_equal(fg_buffer_slice(&call->body), FG_SLICE("\0\0\0\0\3abc")));
    assert_true(h2_has(call, "content-type: application/grpc\n"));
    assert_true(h2_has(call, "grpc-status: 0\n"));
    struct h2_stream *empty = h2_call(h2, "/grpc/echo", FG_SLICE("\0\0\0\0\0"), NULL);
    h2_wait(h2, empty);
    assert_true(fg_slice_equal(fg_buffer_slice(&empty->body), FG_SLICE("\0\0\0\0\0")));
    assert_true(h2_has(empty, "grpc-status: 0\n"));
    struct h2_stream *failed = h2_call(h2, "/grpc/fail", FG_SLICE("\0\0\0\0\0"), NULL);
    h2_wait(h2, failed);
    assert_int_equal(failed->status, 200);
    assert_int_equal(failed->body.size, 0);
    assert_true(h2_has(failed, "grpc-status: 5\n"));
    assert_true(h2_has(failed, "grpc-message: no such thing: 100%25\n"));
    assert_true(h2_has(failed, "grpc-status-details-bin: AQID/w\n"));
    live_wait_count(&live.counters->requests[FG_PROTOCOL_GRPC], 3);
    h2_close(h2);
}

static void expect_grpc(struct h2 *h2, struct fg_slice body, const char *const fields[][2],
                        const char *status)
{
    struct h2_stream *call = h2_call(h2, "/grpc/echo", body, fields);
    h2_wait(h2, call);
    assert_int_equal(call->status, 200);
    if (!h2_has(call, status))
        fail_msg("expected %s in %s", status, (char *)call->fields.data);
}

static void calls_that_are_none(void **state)
{
    (void)state;
    struct h2 *h2 = h2_connect(WINDOW);
    expect_grpc(h2, FG_SLICE("\0\0\0"), NULL, "grpc-status: 13\n");
    expect_grpc(h2, FG_SLICE("\0\0\0\0\5abc"), NULL, "grpc-status: 13\n");
    expect_grpc(h2, FG_SLICE("\0\0\0\0\1a\0\0\0\0\1b"), NULL, "grpc-status: 13\n");
    expect_grpc(h2, FG_SLICE("\1\0\0\0\3abc"), NULL, "grpc-status: 13\n");
    live_wait_count(&live.counters->refused[FG_REFUSED_GRPC_FRAME], 4);
    static const char *const gzip[][2] = {{"grpc-encoding", "gzip"}, {NULL, NULL}};
    static const char *const snappy[][2] = {{"grpc-encoding", "snappy"}, {NULL, NULL}};
    static const char *const timeout[][2] = {{"grpc-timeout", "soon"}, {NULL, NULL}};
    expect_grpc(h2, FG_SLICE("\1\0\0\0\3abc"), gzip, "grpc-status: 13\n");
    live_wait_count(&live.counters->refused[FG_REFUSED_ENCODING_DAMAGED], 1);
    expect_grpc(h2, FG_SLICE("\0\0\0\0\3abc"), snappy, "grpc-status: 12\n");
    live_wait_count(&live.counters->refused[FG_REFUSED_ENCODING_UNKNOWN], 1);
    expect_grpc(h2, FG_SLICE("\0\0\0\0\3abc"), timeout, "grpc-status: 13\n");
    expect_grpc(h2, FG_SLICE("\0\0\0\0\3abc"), gzip, "grpc-status: 0\n"); /* not compressed */
    h2_close(h2);
    int fd = client_connect();
    client_say(fd, "POST /grpc/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc\r\n"
                   "content-length: 5\r\n\r\n\1\1\1\1\1");
    expect_answer(fd, 505, "gRPC needs HTTP/2\n");
    live_wait_count(&live.counters->refused[FG_REFUSED_GRPC_HTTP1], 1);
    close(fd);
}

static void compressed_calls(void **state)
{
    (void)state;
    uint8_t packed[256] = {1};
    struct fg_slice text = FG_SLICE("a message, a message, a message");
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    size_t size = libdeflate_gzip_compress(compressor, text.data, text.size, packed + 5, 251);
    libdeflate_free_compressor(compressor);
    packed[4] = (uint8_t)size;
    struct h2 *h2 = h2_connect(WINDOW);
    static const char *const gzip[][2] = {{"grpc-encoding", "gzip"}, {NULL, NULL}};
    struct h2_stream *call = h2_call(h2, "/grpc/echo", fg_slice(packed, 5 + size), gzip);
    h2_wait(h2, call);
    assert_true(h2_has(call, "grpc-status: 0\n"));
    assert_int_equal(call->body.size, 5 + text.size);
    assert_memory_equal(call->body.data + 5, text.data, text.size);
    h2_close(h2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, live_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests),
        TEST(many_streams_at_once),
        TEST(large_bodies),
        TEST(pulled_answers),
        TEST(early_answers),
        TEST(expect_100_continue),
        TEST(clients_that_go),
        TEST(http1_on_the_same_port),
        TEST(calls),
        TEST(calls_that_are_none),
        TEST(compressed_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
