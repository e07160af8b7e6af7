/* What bad input over HTTP/2 gets: each limit with its answer and its counter, and floods of what
 * is cheap for the client. Waits are of milliseconds, by limits that are tiny. */
#include "h2.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define WINDOW (1 << 20)
#define MS     FG_NS_PER_MS

static void start_with(void (*set)(struct fg_net_limits *limits))
{
    struct fg_server_options options = live_options();
    if (set)
        set(&options.limits);
    live_start(&options);
}

static uint64_t refused(enum fg_refusal_reason reason)
{
    return live_count(&live.counters->refused[reason]);
}

static void expect_goaway(struct h2 *h2, uint32_t code)
{
    h2_wait_end(h2);
    assert_true(h2->goaway_last >= 0);
    assert_int_equal(h2->goaway_code, code);
    h2_close(h2);
    live_wait_count(&live.counters->connections_open, 0);
}

/* A connection past its greeting, for frames made by hand. */
static struct h2 *greeted(void)
{
    struct h2 *h2 = h2_connect(WINDOW);
    struct h2_stream *stream = h2_request(h2, "GET", "/echo", (struct fg_slice){0}, false, NULL);
    h2_wait(h2, stream);
    assert_int_equal(stream->status, 200);
    return h2;
}

static void put_frame(struct fg_buffer *out, uint8_t type, uint8_t flags, uint32_t stream,
                      struct fg_slice payload)
{
    uint8_t header[9] = {(uint8_t)(payload.size >> 16),
                         (uint8_t)(payload.size >> 8),
                         (uint8_t)payload.size,
                         type,
                         flags,
                         (uint8_t)(stream >> 24),
                         (uint8_t)(stream >> 16),
                         (uint8_t)(stream >> 8),
                         (uint8_t)stream};
    fg_buffer_append(out, header, sizeof header);
    fg_buffer_append_slice(out, payload);
}

/* ":method GET, :scheme http, :path /, " by HPACK's static table, and ":authority x". */
#define GET_ROOT  FG_SLICE("\x82\x86\x84\x41\x01x")
#define POST_ROOT FG_SLICE("\x83\x86\x84\x41\x01x")

static void send_frames(struct h2 *h2, struct fg_buffer *out)
{
    assert_int_equal(out->error, 0);
    client_send(h2->fd, out->data, out->size);
    fg_buffer_free(out);
}

/* -- Floods
 * ----------------------------------------------------------------------------------------- */

static void few_resets(struct fg_net_limits *limits)
{
    limits->resets_max = 50;
    limits->control_frames_max = 50;
}

static void rapid_reset(void **state)
{
    (void)state;
    start_with(few_resets);
    struct h2 *h2 = greeted();
    struct fg_buffer out;
    fg_buffer_init(&out, 1 << 20);
    for (uint32_t id = 3; id < 3 + 2 * 500; id += 2) {
        put_frame(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id,
                  GET_ROOT);
        put_frame(&out, NGHTTP2_RST_STREAM, 0, id, FG_SLICE("\0\0\0\10"));
    }
    send_frames(h2, &out);
    expect_goaway(h2, NGHTTP2_ENHANCE_YOUR_CALM);
    live_wait_count(&live.counters->refused[FG_REFUSED_RESET_FLOOD], 1);
    live_wait_count(&live.counters->streams_reset, 51);
    live_stop();
}

/* The same by frames that make the server reset the stream. */
static void made_to_reset(void **state)
{
    (void)state;
    start_with(few_resets);
    struct h2 *h2 = greeted();
    struct fg_buffer out;
    fg_buffer_init(&out, 1 << 20);
    for (uint32_t id = 3; id < 3 + 2 * 500; id += 2) {
        put_frame(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, POST_ROOT);
        put_frame(&out, NGHTTP2_WINDOW_UPDATE, 0, id, FG_SLICE("\x7f\xff\xff\xff"));
    }
    send_frames(h2, &out);
    expect_goaway(h2, NGHTTP2_ENHANCE_YOUR_CALM);
    live_wait_count(&live.counters->refused[FG_REFUSED_RESET_FLOOD], 1);
    live_stop();
}

static void a_window_forgives(void **state)
{
    (void)state;
    struct fg_server_options options = live_options();
    options.limits.resets_max = 20;
    options.limits.flood_window_ns = 30 * MS;
    live_start(&options);
    struct h2 *h2 = h2_connect(WINDOW);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 15; i++) {
            struct h2_stream *stream =
                h2_request(h2, "GET", "/wake", (struct fg_slice){0}, true, NULL);
            h2_flush(h2);
            nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
            h2_flush(h2);
        }
        live_wait_count(&live.counters->streams_reset, (unsigned)(round + 1) * 15);
        poll(NULL, 0, 35);
    }
    struct h2_stream *echo = h2_request(h2, "GET", "/echo", (struct fg_slice){0}, false, NULL);
    h2_wait(h2, echo);
    assert_int_equal(echo->status, 200);
    assert_int_equal(refused(FG_REFUSED_RESET_FLOOD), 0);
    live_wait_count(&live.counters->streams_reset, 60);
    h2_close(h2);
    live_stop();
}

static void control_floods(void **state)
{
    (void)state;
    static const struct {
        uint8_t type, flags;
        uint32_t stream;
        const char *payload;
        size_t size;
    } floods[] = {
        {NGHTTP2_PING, 0, 0, "12345678", 8},
        {NGHTTP2_SETTINGS, 0, 0, "", 0},
        {NGHTTP2_PRIORITY, 0, 5, "\0\0\0\1\0", 5},
        {NGHTTP2_DATA, 0, 3, "", 0},
        {NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 3,
         "\7"
         "1234567",
         8},
    };
    start_with(few_resets);
    for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
        struct h2 *h2 = greeted();
        struct fg_buffer out;
        fg_buffer_init(&out, 1 << 20);
        put_frame(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 3, POST_ROOT);
        for (int k = 0; k < 300; k++)
            put_frame(&out, floods[i].type, floods[i].flags, floods[i].stream,
                      fg_slice(floods[i].payload, floods[i].size));
        send_frames(h2, &out);
        expect_goaway(h2, NGHTTP2_ENHANCE_YOUR_CALM);
        live_wait_count(&live.counters->refused[FG_REFUSED_CONTROL_FLOOD], i + 1);
    }
    live_stop();
}

/* Requests that handlers hold although their streams were given up are bounded as well. */
static void given_up_requests_are_bounded(void **state)
{
    (void)state;
    struct fg_server_options options = live_options();
    options.limits.connection_streams_max = 10;
    live_start(&options);
    struct h2 *h2 = h2_connect(WINDOW);
    unsigned refused_streams = 0;
    for (int i = 0; i < 40; i++) {
        struct h2_stream *stream =
            h2_request(h2, "GET", "/hold", (struct fg_slice){0}, false, NULL);
        h2_flush(h2);
        live_wait_held(i < 20 ? (unsigned)i + 1 : 20);
        if (i < 20)
            nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
        else
            h2_wait(h2, stream);
        h2_flush(h2);
        refused_streams += stream->close_code == NGHTTP2_REFUSED_STREAM;
    }
    assert_int_equal(refused_streams, 20);
    assert_null(live_held(20));
    live_release();
    live_wait_count(&live.counters->requests_open, 0);
    struct h2_stream *echo = h2_request(h2, "GET", "/echo", (struct fg_slice){0}, false, NULL);
    h2_wait(h2, echo);
    assert_int_equal(echo->status, 200);
    h2_close(h2);
    live_stop();
}

/* A client that has acknowledged the limit and breaks it is no client to go on with. */
static void streams_at_once(void **state)
{
    (void)state;
    struct fg_server_options options = live_options();
    options.limits.connection_streams_max = 3;
    live_start(&options);
    struct h2 *h2 = greeted();
    struct fg_buffer out;
    fg_buffer_init(&out, 4096);
    h2_flush(h2); /* the acknowledgement */
    for (uint32_t id = 3; id < 13; id += 2)
        put_frame(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, POST_ROOT);
    send_frames(h2, &out);
    expect_goaway(h2, NGHTTP2_PROTOCOL_ERROR);
    live_wait_count(&live.counters->requests[FG_PROTOCOL_HTTP2], 1 + 3);
    live_wait_count(&live.counters->refused[FG_REFUSED_MALFORMED], 1);
    live_stop();
}

/* -- Malformed
 * -------------------------------------------------------------------------------------- */

static void malformed_connections(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        uint32_t code;
    } cases[] = {
        /* DATA on no stream; a frame that is too long; HPACK that is none; CONTINUATION from
         * nowhere; a window past 2^31. */
        {"\0\0\1\0\0\0\0\0\0x", 10, NGHTTP2_PROTOCOL_ERROR},
        {"\xff\xff\xff\0\0\0\0\0\1", 9, NGHTTP2_FRAME_SIZE_ERROR},
        {"\0\0\1\1\5\0\0\0\3\xff", 10, NGHTTP2_COMPRESSION_ERROR},
        {"\0\0\1\x09\4\0\0\0\3\x82", 10, NGHTTP2_PROTOCOL_ERROR},
        {"\0\0\4\x08\0\0\0\0\0\x7f\xff\xff\xff", 13, NGHTTP2_FLOW_CONTROL_ERROR},
    };
    start_with(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct h2 *h2 = greeted();
        client_send(h2->fd, cases[i].bytes, cases[i].size);
        expect_goaway(h2, cases[i].code);
        live_wait_count(&live.counters->refused[FG_REFUSED_MALFORMED], i + 1);
    }
    live_stop();
}

static void malformed_streams(void **state)
{
    (void)state;
    static const struct {
        const char *block;
        size_t size;
    } cases[] = {
        {"\x86\x84\x41\x01x", 5},         /* no :method */
        {"\x82\x84\x41\x01x", 5},         /* no :scheme */
        {"\x82\x82\x86\x84\x41\x01x", 7}, /* :method twice */
        {"\x82\x86\x84\x41\x01x\x00\x01"
         "A\x01"
         "b",
         11}, /* an upper-case name */
        {"\x82\x86\x84\x00\x0a"
         "connection\x05"
         "close",
         21},
        {"\x82\x86\x84\x00\x01x\x01y\x82", 9}, /* a pseudo-header after others */
    };
    start_with(NULL);
    struct h2 *h2 = greeted();
    struct fg_buffer out;
    fg_buffer_init(&out, 1 << 16);
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++)
        put_frame(&out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
                  3 + 2 * i, fg_slice(cases[i].block, cases[i].size));
    send_frames(h2, &out);
    live_wait_count(&live.counters->refused[FG_REFUSED_MALFORMED], sizeof cases / sizeof *cases);
    live_wait_count(&live.counters->requests_open, 0);
    live_wait_count(&live.counters->requests[FG_PROTOCOL_HTTP2], 1);
    assert_true(is_open(h2->fd) || !h2->is_ended);
    h2_close(h2);
    live_stop();
}

/* -- Sizes
 * ------------------------------------------------------------------------------------------ */

static void small(struct fg_net_limits *limits)
{
    limits->url_size_max = 100;
    limits->header_size_max = 2000;
    limits->header_count_max = 20;
    limits->body_size_max = 1000;
    limits->inflated_size_max = 1000;
}

static void expect_refusal(struct h2 *h2, struct h2_stream *stream, unsigned status,
                           enum fg_refusal_reason reason)
{
    uint64_t before = refused(reason);
    h2_wait(h2, stream);
    if (stream->status != status)
        fail_msg("status %u, expected %u", stream->status, status);
    live_wait_count(&live.counters->refused[reason], before + 1);
}

static void sizes(void **state)
{
    (void)state;
    start_with(small);
    struct h2 *h2 = h2_connect(WINDOW);
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    const char *const large[][2] = {{"large", text}, {NULL, NULL}};
    expect_refusal(h2, h2_request(h2, "GET", "/echo", (struct fg_slice){0}, false, large), 431,
                   FG_REFUSED_HEADER_SIZE);
    const char *many[30][2] = {{NULL}};
    for (int i = 0; i < 25; i++) {
        many[i][0] = "many";
        many[i][1] = "x";
    }
    expect_refusal(
        h2,
        h2_request(h2, "GET", "/echo", (struct fg_slice){0}, false, (const char *const(*)[2])many),
        431, FG_REFUSED_HEADER_SIZE);
    text[0] = '/';
    text[101] = 0;
    expect_refusal(h2, h2_request(h2, "GET", text, (struct fg_slice){0}, false, NULL), 414,
                   FG_REFUSED_URL_SIZE);
    text[101] = 'x';
    struct fg_slice body = fg_slice(text, 1001);
    expect_refusal(h2, h2_request(h2, "POST", "/echo", body, false, NULL), 413,
                   FG_REFUSED_BODY_SIZE);
    static const char *const length[][2] = {{"content-length", "1001"}, {NULL, NULL}};
    expect_refusal(h2, h2_request(h2, "POST", "/echo", (struct fg_slice){0}, true, length), 413,
                   FG_REFUSED_BODY_SIZE);
    struct h2_stream *call = h2_call(h2, "/grpc/echo", body, NULL);
    expect_refusal(h2, call, 200, FG_REFUSED_BODY_SIZE);
    assert_true(h2_has(call, "grpc-status: 8\n"));
    struct h2_stream *echo = h2_request(h2, "POST", "/echo", fg_slice(text, 1000), false, NULL);
    h2_wait(h2, echo);
    assert_int_equal(echo->body.size, 1000);
    live_wait_count(&live.counters->buffered_bytes, 0);
    h2_close(h2);
    live_stop();
}

/* A header block without an end, in frames that each are small. */
static void endless_headers(void **state)
{
    (void)state;
    start_with(NULL);
    struct h2 *h2 = greeted();
    struct fg_buffer out, block;
    fg_buffer_init(&out, 1 << 24);
    fg_buffer_init(&block, 1 << 16);
    for (int i = 0; i < 16; i++) {
        fg_buffer_append(&block, "\x00\x01x\x7f\xe9\x06", 6); /* a value of 1000 bytes */
        for (int k = 0; k < 1000; k++)
            fg_buffer_append_byte(&block, 'v');
    }
    put_frame(&out, NGHTTP2_HEADERS, 0, 3, GET_ROOT);
    for (int i = 0; i < 500; i++)
        put_frame(&out, NGHTTP2_CONTINUATION, 0, 3, fg_buffer_slice(&block));
    fg_buffer_free(&block);
    send_frames(h2, &out);
    h2_wait_end(h2);
    assert_int_equal(h2->goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
    live_wait_count(&live.counters->refused[FG_REFUSED_HEADER_SIZE], 1);
    live_wait_count(&live.counters->requests[FG_PROTOCOL_HTTP2], 1);
    h2_close(h2);
    live_stop();
}

static void little_memory(struct fg_net_limits *limits)
{
    limits->buffered_size_max = 100000;
}

static void buffered_size(void **state)
{
    (void)state;
    static uint8_t body[80000];
    start_with(little_memory);
    struct h2 *h2 = h2_connect(WINDOW);
    struct h2_stream *held = h2_request(h2, "POST", "/hold", fg_slice(body, 60000), false, NULL);
    h2_flush(h2);
    live_wait_held(1);
    expect_refusal(h2, h2_request(h2, "POST", "/echo", fg_slice(body, 80000), false, NULL), 503,
                   FG_REFUSED_BUFFERED_SIZE);
    struct h2_stream *call = h2_call(h2, "/grpc/echo", fg_slice(body, 80000), NULL);
    expect_refusal(h2, call, 200, FG_REFUSED_BUFFERED_SIZE);
    assert_true(h2_has(call, "grpc-status: 8\n"));
    live_release();
    h2_wait(h2, held);
    assert_int_equal(held->status, 200);
    live_wait_count(&live.counters->buffered_bytes, 0);
    h2_close(h2);
    live_stop();
}

/* -- Time
 * ------------------------------------------------------------------------------------------- */

#define LITTLE_MS 800 /* more than a busy machine holds up the client that is not late */

static void little_time(struct fg_net_limits *limits)
{
    limits->header_timeout_ns = LITTLE_MS * MS;
    limits->body_grace_ns = LITTLE_MS * MS;
    limits->body_rate_bytes_min = 1000000;
    limits->idle_timeout_ns = LITTLE_MS * MS;
    limits->write_timeout_ns = LITTLE_MS * MS;
}

static void slow_clients(void **state)
{
    (void)state;
    start_with(little_time);
    struct h2 *h2 = h2_connect(WINDOW);
    struct h2_stream *slow = h2_request(h2, "POST", "/echo", FG_SLICE("begin"), true, NULL);
    expect_refusal(h2, slow, 408, FG_REFUSED_TIMEOUT);
    struct fg_buffer out;
    fg_buffer_init(&out, 4096);
    put_frame(&out, NGHTTP2_HEADERS, 0, 3, GET_ROOT); /* no END_HEADERS */
    send_frames(h2, &out);
    expect_goaway(h2, NGHTTP2_ENHANCE_YOUR_CALM);
    live_wait_count(&live.counters->refused[FG_REFUSED_TIMEOUT], 2);
    live_stop();
}

static void idle_connections(void **state)
{
    (void)state;
    start_with(little_time);
    struct h2 *h2 = greeted();
    struct h2_stream *held = h2_request(h2, "GET", "/hold", (struct fg_slice){0}, false, NULL);
    h2_flush(h2);
    live_wait_held(1);
    poll(NULL, 0, 2 * LITTLE_MS);
    assert_int_equal(live_count(&live.counters->connections_idle_closed), 0);
    live_release();
    h2_wait(h2, held);
    assert_int_equal(held->status, 200);
    expect_goaway(h2, NGHTTP2_NO_ERROR);
    live_wait_count(&live.counters->connections_idle_closed, 1);
    live_stop();
}

/* A stream whose client gives no window ends; its neighbours do not. */
static void readers_that_do_not_read(void **state)
{
    (void)state;
    start_with(little_time);
    struct h2 *h2 = h2_connect(30000);
    struct h2_stream *large =
        h2_request(h2, "GET", "/pull?size=100000000", (struct fg_slice){0}, false, NULL);
    struct h2_stream *slow = h2_request(h2, "GET", "/hold", (struct fg_slice){0}, false, NULL);
    h2_wait(h2, large);
    assert_int_equal(large->body.size, 30000);
    assert_int_equal(large->close_code, NGHTTP2_CANCEL);
    live_wait_count(&live.counters->connections_stall_closed, 1);
    assert_true(live_count(&live.pulled_bytes) < 1000000);
    live_wait_count(&live.stops, 1);
    live_wait_held(1);
    live_release();
    h2_wait(h2, slow);
    assert_int_equal(slow->status, 200);
    h2_close(h2);
    live_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(rapid_reset),
        LIVE_TEST(made_to_reset),
        LIVE_TEST(a_window_forgives),
        LIVE_TEST(control_floods),
        LIVE_TEST(given_up_requests_are_bounded),
        LIVE_TEST(streams_at_once),
        LIVE_TEST(malformed_connections),
        LIVE_TEST(malformed_streams),
        LIVE_TEST(sizes),
        LIVE_TEST(endless_headers),
        LIVE_TEST(buffered_size),
        LIVE_TEST(slow_clients),
        LIVE_TEST(idle_connections),
        LIVE_TEST(readers_that_do_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
