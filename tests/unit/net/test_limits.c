/* What bad input over HTTP/1.1 gets: each limit with its status and its counter, and the memory
 * that it may cost. Waits are of milliseconds, by limits that are tiny. */
#include "live.h"
#include "live_tls.h"

#include <libdeflate.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST "host: filigree\r\n"
#define MS   FG_NS_PER_MS

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

/* -- Malformed
 * -------------------------------------------------------------------------------------- */

static void malformed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "hello\r\n\r\n",
        "GET /echo\r\n\r\n",
        "GET /echo HTTP/2.0\r\n" HOST "\r\n",
        "GET /echo HTTP/0.9\r\n" HOST "\r\n",
        "GET /echo HTTP/1.1\r\n\r\n",
        "GET /echo HTTP/1.1\r\n" HOST HOST "\r\n",
        "GET echo HTTP/1.1\r\n" HOST "\r\n",
        "GET /\x80\x81 HTTP/1.1\r\n" HOST "\r\n",
        "GET /echo HTTP/1.1\r\n" HOST "a b: c\r\n\r\n",
        "GET /echo HTTP/1.1\r\n" HOST "a : c\r\n\r\n",
        "GET /echo HTTP/1.1\r\n" HOST ": c\r\n\r\n",
        "GET /echo HTTP/1.1\r\n" HOST "a: b\x01c\r\n\r\n",
        "GET /echo HTTP/1.1\r\n" HOST "a: b\r\n c\r\n\r\n",
        "GET /echo HTTP/1.1\r\n" HOST "a: b\rc\r\n\r\n",
        "GET /echo HTTP/1.1\n" HOST "\r\n",
        "GET /echo HTTP/1.1\r\n" HOST "\n",
        "\nGET /echo HTTP/1.1\r\n" HOST "\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n0\r\n\n",
        "POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n0\r\na: b\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "content-length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "content-length: +1\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "content-length: 1x\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "content-length: 1 2\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "content-length: 99999999999999999999\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "content-length: 1\r\ncontent-length: 1\r\n\r\na",
        "POST /echo HTTP/1.1\r\n" HOST "content-length: 1\r\ncontent-length: 2\r\n\r\na",
        "POST /echo HTTP/1.1\r\n" HOST "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: gzip\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked, identity\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: xchunked\r\n\r\n",
        "POST /echo HTTP/1.0\r\n" HOST "transfer-encoding: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\nx\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n",
        "POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n-3\r\nabc\r\n",
        "POST /echo HTTP/1.1\r\n" HOST
        "transfer-encoding: chunked\r\n\r\nfffffffffffffffffffff\r\nabc\r\n",
    };
    start_with(NULL);
    size_t count = sizeof texts / sizeof *texts;
    for (size_t i = 0; i < count; i++) {
        int fd = client_connect();
        client_say(fd, texts[i]);
        struct answer answer = client_read(fd, false);
        if (answer.status != 400 || !answer_has(&answer, "connection: close\r\n"))
            fail_msg("status %u for %s", answer.status, texts[i]);
        answer_free(&answer);
        expect_end(fd);
        if (refused(FG_REFUSED_MALFORMED) != i + 1)
            fail_msg("not counted: %s", texts[i]);
    }
    live_wait_count(&live.counters->responses[4], count);
    live_stop();
}

/* A handshake where none is expected: a fatal alert, and nothing of HTTP. */
static void tls_on_a_plain_port(void **state)
{
    (void)state;
    static const uint8_t alert[] = {0x15, 3, 1, 0, 2, 2, 40};
    uint8_t said[64];
    if (live_tls_is_on())
        skip();
    start_with(NULL);
    int fd = client_connect();
    client_send(fd, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
    assert_int_equal(recv(fd, said, sizeof said, 0), sizeof alert);
    assert_memory_equal(said, alert, sizeof alert);
    expect_end(fd);
    live_wait_count(&live.counters->refused[FG_REFUSED_TLS], 1);
    assert_int_equal(refused(FG_REFUSED_MALFORMED), 0);
    live_stop();
}

/* Wrong, but it is clear where they end: the connection lives on. */
static void bad_targets(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "GET /echo#part HTTP/1.1\r\n" HOST "\r\n",
        "GET * HTTP/1.1\r\n" HOST "\r\n",
        "GET http://other/echo HTTP/1.1\r\n" HOST "\r\n",
        "GET http://filigree:80/echo HTTP/1.1\r\n" HOST "\r\n",
        "CONNECT filigree:80 HTTP/1.1\r\n" HOST "\r\n",
    };
    start_with(NULL);
    int fd = client_connect();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        client_say(fd, texts[i]);
        expect_status(fd, 400);
        live_wait_count(&live.counters->refused[FG_REFUSED_MALFORMED], i + 1);
    }
    client_say(fd, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    expect_status(fd, 200);
    close(fd);
    live_stop();
}

/* What follows a request that is refused or ends the connection is not taken for another one. */
static void nothing_is_smuggled(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "POST /echo HTTP/1.1\r\n" HOST "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n"
        "0\r\n\r\nGET /hold HTTP/1.1\r\n" HOST "\r\n",
        "GET /echo HTTP/1.1\r\n" HOST "connection: close\r\n\r\n"
        "GET /hold HTTP/1.1\r\n" HOST "\r\n",
        "POST /early HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n"
        "0\r\n\r\nGET /hold HTTP/1.1\r\n" HOST "\r\n",
    };
    start_with(NULL);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int fd = client_connect();
        client_say(fd, texts[i]);
        struct answer answer = client_read(fd, false);
        assert_true(answer.status >= 200);
        answer_free(&answer);
        expect_end(fd);
    }
    assert_null(live_held(0));
    live_stop();
}

/* -- Sizes
 * ------------------------------------------------------------------------------------------ */

static void small_heads(struct fg_net_limits *limits)
{
    limits->url_size_max = 100;
    limits->header_size_max = 200;
    limits->header_count_max = 5;
}

static void head_sizes(void **state)
{
    (void)state;
    static const struct {
        unsigned url, value, fields;
        unsigned status;
        enum fg_refusal_reason reason;
    } cases[] = {
        {100 - 5, 10, 1, 200, FG_REFUSAL_COUNT},
        {101 - 5, 10, 1, 414, FG_REFUSED_URL_SIZE},
        {60000, 10, 1, 414, FG_REFUSED_URL_SIZE},
        {1, 200 - 4 - 8 - 1, 1, 200, FG_REFUSAL_COUNT},
        {1, 201 - 4 - 8 - 1, 1, 431, FG_REFUSED_HEADER_SIZE},
        {1, 200000, 1, 431, FG_REFUSED_HEADER_SIZE},
        {1, 1, 4, 200, FG_REFUSAL_COUNT},
        {1, 1, 5, 431, FG_REFUSED_HEADER_SIZE},
    };
    start_with(small_heads);
    live.answers_refusals = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fg_buffer text;
        fg_buffer_init(&text, 1 << 20);
        fg_buffer_append_string(&text, "GET /echo");
        for (unsigned k = 0; k < cases[i].url; k++)
            fg_buffer_append_byte(&text, k ? 'q' : '?');
        fg_buffer_append_string(&text, " HTTP/1.1\r\n" HOST);
        for (unsigned k = 0; k < cases[i].fields; k++) {
            fg_buffer_append_string(&text, "x: ");
            for (unsigned v = 0; v < cases[i].value; v++)
                fg_buffer_append_byte(&text, 'v');
            fg_buffer_append_string(&text, "\r\n");
        }
        fg_buffer_append_string(&text, "\r\n");
        int fd = client_connect();
        client_send(fd, text.data, text.size);
        if (cases[i].status == 200) {
            expect_status(fd, 200);
            close(fd);
        } else {
            char body[64];
            snprintf(body, sizeof body, "refused: %s\n", fg_refusal_name(cases[i].reason));
            expect_answer(fd, cases[i].status, body);
            expect_end(fd);
        }
        fg_buffer_free(&text);
    }
    live_wait_count(&live.counters->refused[FG_REFUSED_URL_SIZE], 2);
    live_wait_count(&live.counters->refused[FG_REFUSED_HEADER_SIZE], 3);
    live_stop();
}

/* Trailers and what a handler's own limits refuse. */
static void body_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned status;
    } cases[] = {
        {"POST /echo HTTP/1.1\r\n" HOST "content-length: 1000\r\n\r\n", 413},
        {"POST /echo HTTP/1.1\r\n" HOST "content-length: 18446744073709551615\r\n\r\n", 413},
        {"POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n3e7\r\n", 413},
        {"POST /small HTTP/1.1\r\n" HOST "content-length: 11\r\n\r\n", 413},
        {"POST /small HTTP/1.1\r\n" HOST
         "transfer-encoding: chunked\r\n\r\n6\r\n123456\r\n5\r\n12345\r\n0\r\n\r\n",
         413},
    };
    struct fg_server_options options = live_options();
    options.limits.body_size_max = 998;
    live_start(&options);
    uint8_t zeroes[1000] = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = client_connect();
        client_say(fd, cases[i].text);
        if (i == 2)
            client_send(fd, zeroes, 999);
        expect_status(fd, cases[i].status);
        close(fd);
        live_wait_count(&live.counters->refused[FG_REFUSED_BODY_SIZE], i + 1);
    }
    int fd = client_connect();
    client_say(fd, "POST /echo HTTP/1.1\r\n" HOST "content-length: 998\r\n\r\n");
    client_send(fd, zeroes, 998);
    expect_status(fd, 200);
    client_say(fd, "POST /small HTTP/1.1\r\n" HOST "content-length: 10\r\n\r\n1234567890");
    expect_answer(fd, 200, "1234567890");
    close(fd);
    live_wait_count(&live.counters->buffered_bytes, 0);
    live_stop();
}

static void trailers_are_bounded(void **state)
{
    (void)state;
    start_with(small_heads);
    int fd = client_connect();
    client_say(fd,
               "POST /hold HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n");
    for (int i = 0; i < 30; i++)
        client_say(fd, "trailer: 12345\r\n");
    expect_status(fd, 400);
    expect_end(fd);
    live_stop();
}

static size_t pack(struct fg_slice text, uint8_t *packed, size_t size)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(9);
    size = libdeflate_gzip_compress(compressor, text.data, text.size, packed, size);
    libdeflate_free_compressor(compressor);
    assert_true(size > 0);
    return size;
}

static void post_packed(int fd, const char *path, const char *encoding, const uint8_t *packed,
                        size_t size)
{
    char head[160];
    snprintf(head, sizeof head,
             "POST %s HTTP/1.1\r\n" HOST "content-encoding: %s\r\ncontent-length: %zu\r\n\r\n",
             path, encoding, size);
    client_say(fd, head);
    client_send(fd, packed, size);
}

static void inflated_sizes(void **state)
{
    (void)state;
    static uint8_t packed[200000];
    uint8_t *zeroes = calloc(1, 50000000);
    struct fg_server_options options = live_options();
    options.limits.inflated_size_max = 5000000;
    live_start(&options);
    int fd = client_connect();
    size_t size = pack(fg_slice(zeroes, 5000000), packed, sizeof packed);
    post_packed(fd, "/take", "gzip", packed, size);
    struct answer answer = client_read(fd, false);
    assert_int_equal(answer.body.size, 5000000);
    answer_free(&answer);
    size = pack(fg_slice(zeroes, 50000000), packed, sizeof packed);
    post_packed(fd, "/take", "gzip", packed, size);
    expect_status(fd, 413);
    live_wait_count(&live.counters->refused[FG_REFUSED_INFLATED_SIZE], 1);
    /* The body was read to its end: the connection lives on. */
    post_packed(fd, "/take", "gzip", (const uint8_t *)"no gzip at all", 14);
    expect_status(fd, 400);
    live_wait_count(&live.counters->refused[FG_REFUSED_ENCODING_DAMAGED], 1);
    post_packed(fd, "/take", "br", (const uint8_t *)"brotli", 6);
    expect_status(fd, 415);
    live_wait_count(&live.counters->refused[FG_REFUSED_ENCODING_UNKNOWN], 1);
    post_packed(fd, "/take", "gzip, gzip", packed, 10);
    expect_status(fd, 415);
    post_packed(fd, "/take", "gzip", NULL, 0);
    expect_answer(fd, 200, "");
    size = pack(FG_SLICE("AAAAAAAAAAAAAAAAAAAAA"), packed, sizeof packed);
    post_packed(fd, "/echo", "gzip", packed, size);
    expect_answer(fd, 200, "AAAAAAAAAAAAAAAAAAAAA");
    close(fd);
    free(zeroes);
    live_stop();
}

static void little_memory(struct fg_net_limits *limits)
{
    limits->buffered_size_max = 400000;
}

/* The memory for bodies is one for all connections: who comes when it is used up is told to come
 * back, and once it is given back it serves others. */
static void buffered_size(void **state)
{
    (void)state;
    start_with(little_memory);
    int first = client_connect(), second = client_connect();
    client_say(first, "POST /echo HTTP/1.1\r\n" HOST "content-length: 262144\r\n\r\n1");
    live_wait_count(&live.counters->buffered_bytes, 262144);
    client_say(second, "POST /echo HTTP/1.1\r\n" HOST "content-length: 200000\r\n\r\n1");
    struct answer answer = client_read(second, false);
    assert_int_equal(answer.status, 503);
    assert_true(answer_has(&answer, "retry-after: 1\r\n"));
    answer_free(&answer);
    close(second);
    live_wait_count(&live.counters->refused[FG_REFUSED_BUFFERED_SIZE], 1);
    static uint8_t rest[262143];
    client_send(first, rest, sizeof rest);
    answer = client_read(first, false);
    assert_int_equal(answer.body.size, 262144);
    answer_free(&answer);
    live_wait_count(&live.counters->buffered_bytes, 0);
    /* And decompressed bodies count too. */
    static uint8_t packed[10000], zeroes[1000000];
    size_t size = pack(fg_slice(zeroes, sizeof zeroes), packed, sizeof packed);
    post_packed(first, "/echo", "gzip", packed, size);
    expect_status(first, 503);
    live_wait_count(&live.counters->refused[FG_REFUSED_BUFFERED_SIZE], 2);
    close(first);
    live_stop();
}

static void two_connections(struct fg_net_limits *limits)
{
    limits->connections_max = 2;
}

static void connection_count(void **state)
{
    (void)state;
    if (live_tls_is_on())
        skip(); /* before a handshake there is nothing to say it by */
    start_with(two_connections);
    int first = client_connect(), second = client_connect();
    client_say(first, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    expect_status(first, 200);
    client_say(second, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    expect_status(second, 200);
    int third = client_connect();
    expect_answer(third, 503, "too many connections; try again later\n");
    expect_end(third);
    live_wait_count(&live.counters->refused[FG_REFUSED_CONNECTIONS], 1);
    close(first);
    live_wait_count(&live.counters->connections_open, 1);
    third = client_connect();
    client_say(third, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    expect_status(third, 200);
    close(second);
    close(third);
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

/* One byte every few milliseconds, until the server has something to say. */
static void drip(int fd, const char *text)
{
    for (size_t i = 0; text[i] && is_open(fd); i++) {
        client_send(fd, text + i, 1);
        poll(NULL, 0, 3);
    }
}

static void slow_heads(void **state)
{
    (void)state;
    start_with(little_time);
    int fd = client_connect();
    drip(fd, "GET /echo HTTP/1.1\r\n" HOST
             "x-long: 01234567890123456789012345678901234567890123456789\r\n");
    expect_status(fd, 408);
    expect_end(fd);
    live_wait_count(&live.counters->refused[FG_REFUSED_TIMEOUT], 1);
    fd = client_connect();
    drip(fd, "GE"); /* and then nothing */
    expect_status(fd, 408);
    expect_end(fd);
    fd = client_connect();
    client_say(fd, "PRI * HT"); /* may be HTTP/2 yet: there is nobody to answer */
    expect_end(fd);
    live_wait_count(&live.counters->refused[FG_REFUSED_TIMEOUT], 3);
    live_stop();
}

static void slow_bodies(void **state)
{
    (void)state;
    start_with(little_time);
    int fd = client_connect();
    client_say(fd, "POST /echo HTTP/1.1\r\n" HOST "content-length: 100\r\n\r\n");
    drip(fd, "one byte, another byte, always too slow, and so on, and so on");
    expect_status(fd, 408);
    expect_end(fd);
    live_wait_count(&live.counters->refused[FG_REFUSED_TIMEOUT], 1);
    /* Chunks and their extensions earn nothing but what is in them. */
    fd = client_connect();
    client_say(fd, "POST /echo HTTP/1.1\r\n" HOST "transfer-encoding: chunked\r\n\r\n");
    drip(fd, "1;ext=0123456789\r\na\r\n1;ext=0123456789\r\na\r\n1;ext=0123456789\r\na\r\n");
    expect_status(fd, 408);
    expect_end(fd);
    /* A refused body that is not even sent ends with the connection. */
    fd = client_connect();
    client_say(fd, "POST /early HTTP/1.1\r\n" HOST "content-length: 100\r\n\r\n");
    expect_status(fd, 401);
    expect_end(fd);
    live_wait_count(&live.counters->refused[FG_REFUSED_TIMEOUT], 2);
    live_stop();
}

static void a_body_at_a_fair_rate_is_taken(void **state)
{
    (void)state;
    struct fg_server_options options = live_options();
    options.limits.body_grace_ns = LITTLE_MS * MS;
    options.limits.body_rate_bytes_min = 100;
    live_start(&options);
    int fd = client_connect();
    client_say(fd, "POST /echo HTTP/1.1\r\n" HOST "content-length: 3000\r\n\r\n");
    for (int i = 0; i < 300; i++) {
        client_say(fd, "0123456789");
        poll(NULL, 0, 6); /* in all for longer than the grace */
    }
    expect_status(fd, 200);
    close(fd);
    live_stop();
}

static void idle_connections(void **state)
{
    (void)state;
    start_with(little_time);
    int silent = client_connect(), used = client_connect(), blank = client_connect();
    client_say(used, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    expect_status(used, 200);
    client_say(blank, "\r\n\r\n");
    expect_end(silent);
    expect_end(used);
    expect_end(blank);
    live_wait_count(&live.counters->connections_idle_closed, 3);
    /* One that is worked on is not idle. */
    int busy = client_connect();
    client_say(busy, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    live_wait_held(1);
    poll(NULL, 0, 2 * LITTLE_MS);
    assert_true(is_open(busy));
    live_release();
    expect_answer(busy, 200, "held\n");
    expect_end(busy);
    live_stop();
}

static size_t resident_bytes(void)
{
    unsigned long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &pages, &resident), 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* A gigabyte that nobody reads: what is pulled is what the sockets hold and one part. */
static void readers_that_do_not_read(void **state)
{
    (void)state;
    start_with(little_time);
    size_t before = resident_bytes();
    int fd = client_connect();
    client_say(fd, "GET /pull?size=1000000000 HTTP/1.1\r\n" HOST "\r\n");
    live_wait_count(&live.counters->connections_stall_closed, 1);
    live_wait_count(&live.counters->connections_open, 0);
    live_wait_count(&live.stops, 1);
    assert_true(live_count(&live.pulled_bytes) < 32000000);
    /* Under a sanitizer memory is something else. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(resident_bytes() < before + ((size_t)16 << 20));
#else
    (void)before;
#endif
    close(fd);
    live_stop();
}

static void slow_readers_are_served(void **state)
{
    (void)state;
    struct fg_server_options options = live_options();
    options.limits.write_timeout_ns = LITTLE_MS * MS;
    live_start(&options);
    int fd = client_connect();
    client_say(fd, "GET /pull?size=20000000 HTTP/1.1\r\n" HOST "\r\n");
    /* Longer than the timeout in all, and never silent for as long. */
    static char part[150000];
    size_t total = 0;
    for (ssize_t n = 1; n > 0 && total < 20000000;) {
        poll(NULL, 0, 15);
        n = recv(fd, part, sizeof part, 0);
        total += n > 0 ? (size_t)n : 0;
    }
    assert_true(total >= 20000000);
    assert_int_equal(live_count(&live.counters->connections_stall_closed), 0);
    close(fd);
    live_stop();
}

/* What comes ahead of an answer is bounded: the rest stays in the sockets. */
static void pipelining_is_bounded(void **state)
{
    (void)state;
    start_with(NULL);
    int fd = client_connect();
    client_say(fd, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    live_wait_held(1);
    static uint8_t ahead[8000000];
    memset(ahead, '\n', sizeof ahead);
    for (size_t sent = 0; sent < sizeof ahead;) {
        ssize_t n = send(fd, ahead, sizeof ahead - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            break;
        sent += (size_t)n;
    }
    poll(NULL, 0, 20);
    assert_true(live_count(&live.counters->buffered_bytes) <= 128 << 10);
    assert_true(live_count(&live.counters->bytes_in) <= 256 << 10);
    close(fd);
    live_release();
    live_wait_count(&live.counters->requests_open, 0);
    live_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(malformed),
        LIVE_TEST(tls_on_a_plain_port),
        LIVE_TEST(bad_targets),
        LIVE_TEST(nothing_is_smuggled),
        LIVE_TEST(head_sizes),
        LIVE_TEST(body_sizes),
        LIVE_TEST(trailers_are_bounded),
        LIVE_TEST(inflated_sizes),
        LIVE_TEST(buffered_size),
        LIVE_TEST(connection_count),
        LIVE_TEST(slow_heads),
        LIVE_TEST(slow_bodies),
        LIVE_TEST(a_body_at_a_fair_rate_is_taken),
        LIVE_TEST(idle_connections),
        LIVE_TEST(readers_that_do_not_read),
        LIVE_TEST(slow_readers_are_served),
        LIVE_TEST(pipelining_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
