/* A connection without a network: the bytes are what a client sends, HTTP/1.1 or HTTP/2, and the
 * handlers answer in every way there is. Afterwards nothing may be left.
 *
 * The first byte says how the bytes come: that many at a time, 0 for all at once. The second: bit
 * 0, HTTP/2's preface and an empty SETTINGS come before them; bit 1, the socket takes little at
 * once; bit 2, the client resets instead of closing; bit 3, time passes quickly; bit 4, the server
 * drains half-way. */
#include "conn.h"
#include "loop.h"
#include "net/grpc.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HELD_MAX 64u
#define TURN_MAX 20000u

/* -- Time
 * ------------------------------------------------------------------------------------------- */

static uint64_t now_ns;

static uint64_t fake_ns(struct fg_env *env)
{
    (void)env;
    return now_ns;
}

static const struct fg_env_ops env_ops = {.wall_ns = fake_ns, .mono_ns = fake_ns};
static struct fg_env fake_env = {.ops = &env_ops};

/* -- The transport
 * ---------------------------------------------------------------------------------- */

struct fake {
    struct fg_conn conn;
    bool takes_little, is_reading, is_closed, is_shut;
    size_t unwritten;
    uint64_t due_ns;
};

static struct fake *fake_of(struct fg_conn *conn)
{
    return (struct fake *)conn;
}

/* Reads all of it, for the sanitizers. */
static size_t total_of(const struct iovec *parts, unsigned count)
{
    static volatile uint8_t sum;
    size_t total = 0;
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *bytes = parts[i].iov_base;
        for (size_t k = 0; k < parts[i].iov_len; k++)
            sum = (uint8_t)(sum + bytes[k]);
        total += parts[i].iov_len;
    }
    return total;
}

static int fake_try_write(struct fg_conn *conn, const struct iovec *parts, unsigned count,
                          size_t *ret_size)
{
    struct fake *fake = fake_of(conn);
    assert(!fake->is_closed && !fake->is_shut && fake->unwritten == 0);
    size_t total = total_of(parts, count);
    *ret_size = fake->takes_little && total > 7 ? 7 : total;
    return 0;
}

static int fake_write(struct fg_conn *conn, const struct iovec *parts, unsigned count)
{
    struct fake *fake = fake_of(conn);
    assert(!fake->is_closed && !fake->is_shut && fake->unwritten == 0);
    fake->unwritten = total_of(parts, count);
    return 0;
}

static size_t fake_unwritten(struct fg_conn *conn)
{
    return fake_of(conn)->unwritten;
}

static void fake_read(struct fg_conn *conn, bool on)
{
    fake_of(conn)->is_reading = on;
}

static void fake_wake_at(struct fg_conn *conn, uint64_t due_ns)
{
    fake_of(conn)->due_ns = due_ns;
}

static void fake_shut_down(struct fg_conn *conn)
{
    assert(fake_of(conn)->unwritten == 0);
    fake_of(conn)->is_shut = true;
}

static void fake_close(struct fg_conn *conn, bool reset)
{
    (void)reset;
    assert(!fake_of(conn)->is_closed);
    fake_of(conn)->is_closed = true;
}

static const struct fg_transport transport = {
    .try_write = fake_try_write,
    .write = fake_write,
    .unwritten = fake_unwritten,
    .read = fake_read,
    .wake_at = fake_wake_at,
    .shut_down = fake_shut_down,
    .close = fake_close,
};

/* -- Handlers
 * --------------------------------------------------------------------------------------- */

static struct fg_request *held[HELD_MAX];
static unsigned held_count;

struct parts {
    struct fg_generator generator;
    unsigned left;
};

static int pull(struct fg_generator *generator, struct fg_buffer *out, bool *ret_done)
{
    struct parts *parts = (struct parts *)generator;
    if (parts->left == 3)
        return FG_EIO;
    for (int i = 0; i < 100; i++)
        fg_buffer_append_byte(out, 'x');
    *ret_done = --parts->left == 0;
    return 0;
}

static void stop(struct fg_generator *generator)
{
    free(generator);
}

static void answer_parts(struct fg_request *request, unsigned count)
{
    struct parts *parts = calloc(1, sizeof *parts);
    if (!parts) {
        fg_respond_text(request, 503, "out of memory");
        return;
    }
    *parts = (struct parts){.generator = {.pull = pull, .stop = stop}, .left = count};
    const struct fg_response response = {.status = 200, .content_type = "text/plain"};
    fg_respond_pull(request, &response, &parts->generator);
}

/* The byte after '/' says what is done. */
static uint8_t wish(const struct fg_request *request)
{
    return request->path.size > 1 ? request->path.data[1] : 0;
}

static void on_headers(void *arg, struct fg_request *request)
{
    (void)arg;
    for (size_t i = 0; i < request->field_count; i++)
        assert(request->fields[i].name.size);
    if (wish(request) == 'e')
        fg_respond_text(request, 401, "early");
    else if (wish(request) == 's')
        fg_request_limit_body(request, 8, 8);
}

static void answer(struct fg_request *request)
{
    const struct fg_response response = {
        .status = 200, .fields = request->fields, .field_count = request->field_count % 8};
    fg_respond_copy(request, &response, request->body);
}

static void on_request(void *arg, struct fg_request *request)
{
    (void)arg;
    if (request->is_grpc)
        fg_grpc_respond(request, request->body);
    else if (wish(request) == 'p')
        answer_parts(request, 2);
    else if (wish(request) == 'f')
        answer_parts(request, 5);
    else if (wish(request) == 'h' && held_count < HELD_MAX)
        held[held_count++] = request;
    else
        answer(request);
}

static void release(struct fg_net_loop *loop)
{
    fg_net_loop_begin(loop);
    while (held_count)
        fg_respond_text(held[--held_count], 200, "held");
    fg_net_loop_end(loop);
}

/* -- The way of the bytes
 * --------------------------------------------------------------------------- */

static void no_wake(struct fg_net_loop *loop)
{
    (void)loop;
}

/* What the loop would do until nothing is due. */
static void settle(struct fake *fake)
{
    for (unsigned i = 0; i < TURN_MAX && !fake->is_closed; i++) {
        if (fake->unwritten) {
            fake->unwritten = 0;
            fg_conn_on_written(&fake->conn);
        } else if (fake->due_ns <= now_ns) {
            fake->due_ns = UINT64_MAX;
            fg_conn_on_time(&fake->conn);
        } else {
            return;
        }
    }
    assert(fake->is_closed);
}

static void feed(struct fake *fake, struct fg_slice bytes, size_t step)
{
    uint8_t own[FG_NET_READ_SIZE];
    while (bytes.size && !fake->is_closed && fake->is_reading) {
        size_t size;
        uint8_t *room = fg_conn_room(&fake->conn, &size);
        assert(size > 0 && size <= FG_REQUEST_BODY_SIZE_MAX);
        size = size < bytes.size ? size : bytes.size;
        size = size < step ? size : step;
        room = room ? room : own;
        memcpy(room, bytes.data, size);
        fg_conn_on_input(&fake->conn, fg_slice(room, size));
        bytes = fg_slice(bytes.data + size, bytes.size - size);
        settle(fake);
    }
}

static void run(struct fg_net_loop *loop, const uint8_t *data, size_t size)
{
    static const char greeting[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    size_t step = data[0] ? data[0] : SIZE_MAX;
    unsigned how = data[1];
    struct fake *fake = calloc(1, sizeof *fake);
    if (!fake)
        return;
    fake->conn.transport = &transport;
    fake->conn.loop = loop;
    fake->takes_little = (how & 2) != 0;
    fake->due_ns = UINT64_MAX;
    atomic_fetch_add(&loop->shared->counters.connections_open, 1);
    fg_conn_start(&fake->conn);
    if (how & 1)
        feed(fake, fg_slice(greeting, sizeof greeting - 1), SIZE_MAX);
    size_t half = (size - 2) / 2;
    feed(fake, fg_slice(data + 2, half), step);
    if (how & 8)
        now_ns += 11 * FG_NS_PER_SECOND;
    if (how & 16)
        fg_net_loop_drain(loop);
    settle(fake);
    release(loop);
    settle(fake);
    feed(fake, fg_slice(data + 2 + half, size - 2 - half), step);
    if (!fake->is_closed && (how & 4))
        fg_conn_on_failure(&fake->conn);
    else if (!fake->is_closed && fake->is_reading)
        fg_conn_on_eof(&fake->conn);
    settle(fake);
    release(loop);
    settle(fake);
    fg_net_loop_cut(loop);
    release(loop);
    assert(fake->is_closed);
    free(fake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 100000)
        return 0;
    static struct fg_net_shared shared;
    struct fg_net_loop loop;
    struct fg_server_options options = fg_server_options_default(&fake_env);
    shared = (struct fg_net_shared){.env = &fake_env,
                                    .limits = options.limits,
                                    .on_headers = on_headers,
                                    .on_request = on_request};
    shared.limits.header_size_max = 4096;
    shared.limits.url_size_max = 512;
    shared.limits.body_size_max = 65536;
    shared.limits.inflated_size_max = 65536;
    shared.limits.buffered_size_max = 1 << 20;
    now_ns = UINT64_C(1700000000) * FG_NS_PER_SECOND;
    if (fg_net_loop_init(&loop, &shared, 0, no_wake) < 0)
        return 0;
    run(&loop, data, size);
    assert(loop.conn_count == 0 && loop.call_count == 0 && held_count == 0);
    assert(shared.counters.buffered_bytes == 0 && shared.counters.requests_open == 0);
    assert(shared.counters.connections_open == 0);
    fg_net_loop_free(&loop);
    return 0;
}
