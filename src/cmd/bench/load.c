/* A connection's life:
 *
 *     CLOSED --dial()--> CONNECTING --writable--> IDLE --begin()--> BUSY --answer--> IDLE
 *        ^                                                           |
 *        |                          PAUSED (429, 503) <--------------+
 *        +--- the socket failed ---      |--- pause over: the same request again ---> BUSY
 *
 * Sockets are edge-triggered and registered once; send() and recv() go on until they would block.
 */
#include "load.h"

#include "base/limits.h"
#include "bench/grpc.h"
#include "bench/tls.h"
#include "net/grpc.h"
#include "wire/protobuf.h"

#include <errno.h>
#include <llhttp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_SIZE_MAX   512u
#define ANSWER_SIZE_MAX 512u
#define EVENTS_MAX      64
#define TICK_NS         (100 * FG_NS_PER_MS)
#define REDIAL_NS       (50 * FG_NS_PER_MS)
#define PAUSE_NS        (100 * FG_NS_PER_MS)
#define PAUSE_SECONDS   30u
/* A server that takes no connection for this long is gone. */
#define GONE_NS FG_NS_PER_SECOND
/* How long answers are waited for when the time is over. */
#define LINGER_NS (15 * FG_NS_PER_SECOND)

enum state { CLOSED, CONNECTING, IDLE, BUSY, PAUSED };

struct connection {
    struct loader *loader;
    int fd;
    enum state state;
    uint64_t resume_ns; /* CLOSED: dial then; PAUSED: send again then */
    uint8_t *out;       /* head and body */
    size_t out_size, sent;
    size_t body_size;
    uint64_t request, begin_ns;
    llhttp_t parser;
    char header[32]; /* the name of the header that is being read */
    size_t header_size;
    unsigned pause_seconds;
    uint8_t answer[ANSWER_SIZE_MAX];
    size_t answer_size;
    bool answered, keeps_alive;
    struct fg_bench_grpc *grpc; /* NULL: HTTP/1.1 */
    struct fg_bench_tls_session *tls;
    struct fg_slice unsent; /* of what it gave */
};

struct loader {
    const struct fg_bench_load *load;
    struct fg_bench_load_result *result;
    llhttp_settings_t settings;
    struct addrinfo *address;
    struct fg_bench_tls *tls; /* NULL: plain text */
    struct connection *connections;
    int epoll;
    uint64_t begin_ns, end_ns, due_ns, due_step_ns;
    bool ever_connected;
    uint64_t alive_ns; /* when a connection was last up */
};

static uint64_t now(const struct loader *loader)
{
    return fg_env_mono_ns(loader->load->env);
}

static void problem(struct loader *loader, const char *format, const char *detail, int number)
{
    char *text = loader->result->problem;
    if (*text == 0)
        snprintf(text, FG_BENCH_PROBLEM_SIZE, format, detail, number);
}

/* -- The answer's parser -------------------------------------------------------------------------
 */

static int on_begin(llhttp_t *parser)
{
    struct connection *connection = parser->data;
    connection->answer_size = 0;
    connection->header_size = 0;
    connection->pause_seconds = 0;
    return 0;
}

static int on_header_name(llhttp_t *parser, const char *at, size_t size)
{
    struct connection *connection = parser->data;
    for (size_t i = 0; i < size && connection->header_size < sizeof connection->header - 1; i++)
        connection->header[connection->header_size++] = at[i];
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t size)
{
    struct connection *connection = parser->data;
    connection->header[connection->header_size] = 0;
    if (strcasecmp(connection->header, "retry-after") == 0)
        for (size_t i = 0; i < size && at[i] >= '0' && at[i] <= '9'; i++)
            if (connection->pause_seconds < PAUSE_SECONDS)
                connection->pause_seconds =
                    connection->pause_seconds * 10 + (unsigned)(at[i] - '0');
    return 0;
}

static int on_header_done(llhttp_t *parser)
{
    struct connection *connection = parser->data;
    connection->header_size = 0;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct connection *connection = parser->data;
    size_t room = sizeof connection->answer - connection->answer_size;
    size_t part = size < room ? size : room;
    memcpy(connection->answer + connection->answer_size, at, part);
    connection->answer_size += part;
    return 0;
}

static int on_done(llhttp_t *parser)
{
    struct connection *connection = parser->data;
    connection->answered = true;
    connection->keeps_alive = llhttp_should_keep_alive(parser); /* not known any more later */
    return 0;
}

/* -- Connections ---------------------------------------------------------------------------------
 */

static void hang_up(struct connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
    connection->state = CLOSED;
    fg_bench_tls_session_free(connection->tls);
    fg_bench_grpc_free(connection->grpc);
    connection->tls = NULL;
    connection->grpc = NULL;
    connection->unsent = fg_slice(NULL, 0);
    connection->resume_ns = now(connection->loader) + REDIAL_NS;
}

/* The connection failed. What was under way is not acknowledged, and not sent again: it may be
 * there or not. */
static void lose(struct connection *connection, int error)
{
    struct loader *loader = connection->loader;
    loader->result->lost_connections += connection->state == BUSY;
    problem(loader, "%s", error ? strerror(error) : "the server closed the connection", 0);
    hang_up(connection);
}

static void dial(struct connection *connection)
{
    struct loader *loader = connection->loader;
    const struct addrinfo *address = loader->address;
    int yes = 1;
    connection->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) {
        lose(connection, errno);
        return;
    }
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    connection->state = CONNECTING;
    llhttp_init(&connection->parser, HTTP_RESPONSE, &loader->settings);
    connection->parser.data = connection;
    if (loader->load->is_grpc &&
        fg_bench_grpc_new(loader->load->address, loader->load->path, &connection->grpc) < 0) {
        lose(connection, ENOMEM);
        return;
    }
    if (loader->tls && !(connection->tls = fg_bench_tls_session_new(loader->tls, connection->fd))) {
        lose(connection, ENOMEM);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP,
                                .data.ptr = connection};
    if (epoll_ctl(loader->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0 ||
        (connect(connection->fd, address->ai_addr, address->ai_addrlen) < 0 &&
         errno != EINPROGRESS))
        lose(connection, errno);
}

/* False: nothing more goes for now. */
static bool send_some(struct connection *connection, struct fg_slice bytes, size_t *ret_sent)
{
    ssize_t n;
    do {
        n = connection->tls ? fg_bench_tls_send(connection->tls, bytes.data, bytes.size)
                            : send(connection->fd, bytes.data, bytes.size, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN)
        lose(connection, errno);
    *ret_sent = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static void send_grpc(struct connection *connection)
{
    for (;;) {
        size_t sent;
        if (connection->unsent.size == 0 &&
            fg_bench_grpc_output(connection->grpc, &connection->unsent) < 0) {
            lose(connection, EPROTO);
            return;
        }
        if (connection->unsent.size == 0 || !send_some(connection, connection->unsent, &sent))
            return;
        connection->unsent =
            fg_slice(connection->unsent.data + sent, connection->unsent.size - sent);
    }
}

static void send_more(struct connection *connection)
{
    if (connection->grpc) {
        send_grpc(connection);
        return;
    }
    size_t sent = 0;
    while (connection->sent < connection->out_size &&
           send_some(connection,
                     fg_slice(connection->out + connection->sent,
                              connection->out_size - connection->sent),
                     &sent))
        connection->sent += sent;
}

static void send_again(struct connection *connection)
{
    connection->state = BUSY;
    connection->sent = 0;
    connection->answered = false;
    if (connection->grpc &&
        fg_bench_grpc_call(connection->grpc, fg_slice(connection->out, connection->out_size)) < 0)
        lose(connection, 0); /* it was told to go away */
    else
        send_more(connection);
}

/* The next request on an idle connection. */
static void begin(struct connection *connection, uint64_t begin_ns)
{
    struct loader *loader = connection->loader;
    const struct fg_bench_load *load = loader->load;
    connection->request = loader->result->next_request++;
    connection->begin_ns = begin_ns;
    connection->body_size = fg_bench_request_size(load->shape, connection->request);
    int head = load->is_grpc
                   ? 0
                   : snprintf((char *)connection->out, HEAD_SIZE_MAX,
                              "POST %.128s HTTP/1.1\r\nHost: %.128s\r\n"
                              "Content-Type: application/x-protobuf\r\nContent-Length: %zu\r\n\r\n",
                              load->path, load->address, connection->body_size);
    uint64_t moment_ns =
        load->moment ? load->moment(load->arg, connection->request) : fg_env_wall_ns(load->env);
    fg_bench_request_write(load->shape, connection->request, moment_ns, connection->out + head);
    connection->out_size = (size_t)head + connection->body_size;
    send_again(connection);
}

/* Spans that an ExportTraceServiceResponse says were not taken: partial_success (1) with
 * rejected_spans (1). */
static uint64_t rejected_spans(const struct connection *connection)
{
    struct fg_pb_reader outer = fg_pb_reader(fg_slice(connection->answer, connection->answer_size));
    uint64_t rejected = 0;
    while (!fg_pb_reader_done(&outer)) {
        uint32_t tag;
        struct fg_slice partial;
        if (fg_pb_read_tag(&outer, &tag) < 0 || tag != FG_PB_TAG(1, FG_PB_BYTES) ||
            fg_pb_read_bytes(&outer, &partial) < 0)
            return rejected;
        struct fg_pb_reader inner = fg_pb_reader(partial);
        if (fg_pb_reader_done(&inner) || fg_pb_read_tag(&inner, &tag) < 0 ||
            tag != FG_PB_TAG(1, FG_PB_VARINT) || fg_pb_read_varint(&inner, &rejected) < 0)
            return rejected;
    }
    return rejected;
}

static void acknowledge(struct connection *connection)
{
    struct loader *loader = connection->loader;
    struct fg_bench_load_result *result = loader->result;
    uint64_t rejected = rejected_spans(connection);
    if (rejected > 0) {
        result->rejected_spans += rejected;
        problem(loader, "%s (%d of a request)", "spans were rejected by partial success",
                (int)rejected);
        return;
    }
    fg_bench_histogram_add(&result->latency, now(loader) - connection->begin_ns);
    result->requests++;
    result->spans += fg_bench_spans_per_request(loader->load->shape);
    result->body_bytes += connection->body_size;
    if (loader->load->acknowledged)
        loader->load->acknowledged(loader->load->arg, connection->request);
}

/* status: as HTTP has it. */
static void take_answer(struct connection *connection, int status)
{
    struct loader *loader = connection->loader;
    connection->answered = false;
    if (status == 429 || status == 503) {
        loader->result->refusals++;
        connection->state = PAUSED;
        connection->resume_ns =
            now(loader) +
            (connection->pause_seconds ? connection->pause_seconds * FG_NS_PER_SECOND : PAUSE_NS);
    } else {
        connection->state = IDLE;
        if (status == 200) {
            acknowledge(connection);
        } else {
            loader->result->failed_requests++;
            connection->answer[connection->answer_size < ANSWER_SIZE_MAX ? connection->answer_size
                                                                         : ANSWER_SIZE_MAX - 1] = 0;
            problem(loader, "%.120s (status %d)", (const char *)connection->answer, status);
        }
    }
    if (!connection->keeps_alive) {
        bool is_paused = connection->state == PAUSED;
        hang_up(connection);
        if (is_paused) /* the request itself is given up: a rare pairing of refusal and close */
            loader->result->failed_requests++;
    }
}

static int status_of(const struct fg_bench_grpc_answer *answer)
{
    if (answer->http_status != 200)
        return answer->http_status;
    switch (answer->grpc_status) {
    case FG_GRPC_OK:
        return 200;
    case FG_GRPC_RESOURCE_EXHAUSTED:
    case FG_GRPC_UNAVAILABLE:
        return 503;
    default:
        return 500;
    }
}

/* False: the connection is lost. */
static bool take_grpc(struct connection *connection, struct fg_slice bytes)
{
    struct fg_bench_grpc_answer answer;
    bool answered;
    if (fg_bench_grpc_input(connection->grpc, bytes, &answered, &answer) < 0) {
        lose(connection, EPROTO);
        return false;
    }
    if (answered) {
        int status = status_of(&answer);
        struct fg_slice said = status == 200 ? answer.message : fg_slice_from_string(answer.text);
        connection->answer_size =
            said.size < sizeof connection->answer ? said.size : sizeof connection->answer;
        memcpy(connection->answer, said.data, connection->answer_size);
        connection->pause_seconds = 0;
        connection->keeps_alive = true;
        take_answer(connection, status);
    }
    send_grpc(connection); /* what HTTP/2 itself has to say */
    return connection->fd >= 0;
}

static void receive(struct connection *connection)
{
    char bytes[16384];
    while (connection->fd >= 0) {
        ssize_t n = connection->tls ? fg_bench_tls_receive(connection->tls, bytes, sizeof bytes)
                                    : recv(connection->fd, bytes, sizeof bytes, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            lose(connection, n < 0 ? errno : 0);
            return;
        }
        if (connection->grpc) {
            if (!take_grpc(connection, fg_slice(bytes, (size_t)n)))
                return;
            continue;
        }
        llhttp_errno_t error = llhttp_execute(&connection->parser, bytes, (size_t)n);
        if (error != HPE_OK || (connection->answered && connection->state != BUSY)) {
            problem(connection->loader, "the answer is no HTTP: %s", llhttp_errno_name(error), 0);
            lose(connection, EPROTO);
            return;
        }
        if (connection->answered)
            take_answer(connection, connection->parser.status_code);
    }
}

static void on_event(struct connection *connection, uint32_t events)
{
    struct loader *loader = connection->loader;
    if (connection->fd < 0)
        return;
    if (connection->state == CONNECTING && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            lose(connection, error);
            return;
        }
        connection->state = IDLE;
        loader->ever_connected = true;
    }
    if (connection->state >= IDLE && events & EPOLLOUT)
        send_more(connection);
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        receive(connection);
    /* What had to wait for the handshake. */
    if (connection->tls && connection->state == BUSY && events & EPOLLIN)
        send_more(connection);
}

/* -- The run -------------------------------------------------------------------------------------
 */

/* Whether as many requests were begun as there should be. */
static bool is_all(const struct loader *loader)
{
    const struct fg_bench_load *load = loader->load;
    uint64_t begun = loader->result->next_request - load->first_request;
    return load->request_count && begun >= load->request_count;
}

/* Gives each connection what is due. Returns how many still wait for something. */
static uint32_t advance(struct loader *loader, uint64_t now_ns)
{
    uint32_t waiting = 0;
    bool is_over = now_ns >= loader->end_ns;
    for (uint32_t i = 0; i < loader->load->connection_count; i++) {
        struct connection *connection = &loader->connections[i];
        if (connection->state == CLOSED && !is_over && now_ns >= connection->resume_ns)
            dial(connection);
        if (connection->state == PAUSED && now_ns >= connection->resume_ns)
            send_again(connection);
        if (connection->state == IDLE && !is_over && !is_all(loader) && now_ns >= loader->due_ns) {
            begin(connection, loader->due_step_ns ? loader->due_ns : now_ns);
            loader->due_ns += loader->due_step_ns;
        }
        waiting += connection->state == BUSY || connection->state == PAUSED;
        if (connection->state >= IDLE)
            loader->alive_ns = now_ns;
    }
    return waiting;
}

static int wait_ms(const struct loader *loader, uint64_t now_ns, uint64_t tick_ns)
{
    uint64_t until_ns = tick_ns;
    if (loader->due_step_ns && loader->due_ns > now_ns && loader->due_ns < until_ns)
        until_ns = loader->due_ns;
    if (until_ns <= now_ns)
        return 0;
    /* Rounded up: a wait that ends too early would spin. */
    return (int)((until_ns - now_ns + FG_NS_PER_MS - 1) / FG_NS_PER_MS);
}

static int run(struct loader *loader)
{
    const struct fg_bench_load *load = loader->load;
    struct epoll_event events[EVENTS_MAX];
    uint64_t tick_ns = loader->begin_ns + TICK_NS;
    for (;;) {
        uint64_t now_ns = now(loader);
        if (is_all(loader) && now_ns < loader->end_ns)
            loader->end_ns = now_ns; /* what is under way may still come back */
        uint32_t waiting = advance(loader, now_ns);
        if (now_ns >= loader->end_ns && (waiting == 0 || now_ns >= loader->end_ns + LINGER_NS))
            return 0;
        if (now_ns >= tick_ns) {
            tick_ns = now_ns + TICK_NS;
            if (load->tick && !load->tick(load->arg, loader->result->spans))
                return 0;
            if (now_ns > loader->alive_ns + GONE_NS)
                return loader->ever_connected ? 0 : FG_EIO;
        }
        int count = epoll_wait(loader->epoll, events, EVENTS_MAX, wait_ms(loader, now_ns, tick_ns));
        for (int i = 0; i < count; i++)
            on_event(events[i].data.ptr, events[i].events);
    }
}

static int resolve(struct loader *loader)
{
    const struct fg_bench_load *load = loader->load;
    char host[256];
    const char *address = load->address;
    const char *colon = strrchr(address, ':');
    if (!colon || (size_t)(colon - address) >= sizeof host)
        return FG_EINVALID;
    bool is_v6 = address[0] == '[' && colon > address + 1 && colon[-1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(colon - address - (is_v6 ? 2 : 0)),
             address + (is_v6 ? 1 : 0));
    int r = load->is_tls ? fg_bench_tls_new(load->ca_file, host, load->is_grpc, &loader->tls) : 0;
    if (r < 0) {
        problem(loader, "%s can't be used", load->ca_file ? load->ca_file : "TLS", 0);
        return FG_EIO;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    r = getaddrinfo(host, colon + 1, &hints, &loader->address);
    if (r != 0)
        problem(loader, "%s", gai_strerror(r), 0);
    return r == 0 ? 0 : FG_EIO;
}

static int open_connections(struct loader *loader)
{
    const struct fg_bench_load *load = loader->load;
    size_t size = HEAD_SIZE_MAX + fg_bench_request_size_max(load->shape);
    loader->connections = calloc(load->connection_count, sizeof *loader->connections);
    if (!loader->connections)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < load->connection_count; i++)
        loader->connections[i] = (struct connection){.loader = loader, .fd = -1};
    for (uint32_t i = 0; i < load->connection_count; i++) {
        loader->connections[i].out = malloc(size);
        if (!loader->connections[i].out)
            return FG_ENOMEM;
    }
    loader->epoll = epoll_create1(EPOLL_CLOEXEC);
    return loader->epoll < 0 ? fg_error_from_errno(errno) : 0;
}

static void loader_free(struct loader *loader)
{
    for (uint32_t i = 0; loader->connections && i < loader->load->connection_count; i++) {
        if (loader->connections[i].fd >= 0)
            close(loader->connections[i].fd);
        fg_bench_tls_session_free(loader->connections[i].tls);
        fg_bench_grpc_free(loader->connections[i].grpc);
        free(loader->connections[i].out);
    }
    free(loader->connections);
    if (loader->epoll >= 0)
        close(loader->epoll);
    if (loader->address)
        freeaddrinfo(loader->address);
    fg_bench_tls_free(loader->tls);
}

int fg_bench_load_run(const struct fg_bench_load *load, struct fg_bench_load_result *ret_result)
{
    struct loader loader = {.load = load, .result = ret_result, .epoll = -1};
    memset(ret_result, 0, sizeof *ret_result);
    ret_result->next_request = load->first_request;
    llhttp_settings_init(&loader.settings);
    loader.settings.on_message_begin = on_begin;
    loader.settings.on_header_field = on_header_name;
    loader.settings.on_header_value = on_header_value;
    loader.settings.on_header_value_complete = on_header_done;
    loader.settings.on_body = on_body;
    loader.settings.on_message_complete = on_done;
    int r = resolve(&loader);
    if (r == 0)
        r = open_connections(&loader);
    if (r == 0) {
        loader.begin_ns = loader.due_ns = loader.alive_ns = now(&loader);
        loader.end_ns = loader.begin_ns + load->duration_ns;
        if (load->rate_spans) {
            uint64_t spans = (uint64_t)fg_bench_spans_per_request(load->shape);
            loader.due_step_ns = spans * FG_NS_PER_SECOND / load->rate_spans;
        }
        r = run(&loader);
        uint64_t end_ns = now(&loader);
        ret_result->elapsed_ns = end_ns - loader.begin_ns;
    }
    loader_free(&loader);
    return r;
}
