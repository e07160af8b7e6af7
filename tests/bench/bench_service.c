/* What tracing costs a small HTTP service: `make bench-sdk` runs it after bench_sdk.
 *
 *     bench_service [--check] [--rate N] [--rounds N]
 *
 * Two services (child processes, one thread each, the same code; one of them traced) answer
 * requests that a client (this process) sends at a fixed rate over one connection, whether the last
 * was answered soon or not, so that a stall is seen by all who wait. A request is some 40 us of
 * work. Traced, the service takes the context out of the request's headers, and makes a server span
 * with five attributes and a span within, which go to a sink in another process.
 *
 * Both live all the time and take turns of BLOCK_REQUESTS (A B, B A, A B ...), a quarter of a
 * second each: what else the machine does meets both alike. After each turn what is left is
 * exported, and then the processor time of all of the service's threads is read, so that a turn
 * pays for its spans to their end. Of the rounds the median counts; what is added is the median of
 * the rounds' own differences. With --check a request that costs more than ADDED_US_MAX more is a
 * failure. */
#include "base/limits.h"
#include "filigree.h"
#include "os/env.h"
#include "sink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORK_ROUNDS    12000u
#define BLOCK_REQUESTS 500u
#define ROUNDS_MAX     10000u
#define HEADERS_MAX    16u
#define FLUSH_MS       10000u
/* The floor of a span's process time, 2 us, of a request's two spans. */
#define ADDED_US_MAX 4.0

static const char request[] =
    "GET /orders/4711/price HTTP/1.1\r\nHost: shop\r\n"
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
    "baggage: order.id=ORD-4711;journey\r\n\r\n";
static const char settle[] = "SETTLE\r\n\r\n"; /* the end of a turn */
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* -- The service ------------------------------------------------------------------------------- */

/* A request's headers, found once for all who ask, as a server has them. */
struct head {
    char *names[HEADERS_MAX], *values[HEADERS_MAX];
    unsigned count;
};

static void read_head(char *text, struct head *head)
{
    head->count = 0;
    for (char *line = strstr(text, "\r\n"); line && line[2]; line = strstr(line, "\r\n")) {
        *line = 0;
        line += 2;
        char *colon = strchr(line, ':');
        if (!colon || colon[1] != ' ' || head->count == HEADERS_MAX)
            continue;
        *colon = 0;
        head->names[head->count] = line;
        head->values[head->count++] = line = colon + 2;
    }
}

static const char *get_header(void *carrier, const char *name)
{
    const struct head *head = carrier;
    for (unsigned i = 0; i < head->count; i++)
        if (strcasecmp(head->names[i], name) == 0)
            return head->values[i];
    return NULL;
}

static unsigned work(void)
{
    unsigned hash = 2166136261u;
    for (unsigned i = 0; i < WORK_ROUNDS; i++)
        hash = (hash ^ (i & 0xff)) * 16777619u;
    return hash;
}

/* The same code whether it is traced or not: without a start all calls do nothing. */
static void answer_one(int connection, char *text, bool traced)
{
    struct head head;
    read_head(text, &head);
    fg_span_options options = FG_SPAN_OPTIONS_INIT;
    fg_context *context = traced ? fg_context_extract(get_header, &head) : NULL;
    fg_scope outer = fg_context_enter(context);
    options.kind = FG_SPAN_SERVER;
    fg_span span = fg_span_start("GET /orders/{id}/price", &options);
    fg_scope scope = fg_span_enter(span);
    fg_span_set_string(span, "http.request.method", "GET");
    fg_span_set_string(span, "http.route", "/orders/{id}/price");
    fg_span_set_string(span, "url.path", "/orders/4711/price");
    fg_span_set_string(span, "server.address", "shop");
    fg_span within = fg_span_start("price.calculate", NULL);
    volatile unsigned result = work();
    fg_span_set_int(within, "price.hash", (int64_t)result);
    fg_span_end(within);
    fg_span_set_int(span, "http.response.status_code", 200);
    if (write(connection, answer, sizeof answer - 1) < 0)
        fail("answer");
    fg_scope_leave(&scope);
    fg_span_end(span);
    fg_scope_leave(&outer);
    fg_context_free(context);
}

static double cpu_us(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) < 0)
        fail("getrusage");
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* What was made in this turn is sent, then the client may look at the time taken so far. */
static void end_turn(int connection, double *ret_cpu_us)
{
    if (fg_tracing_flush(FLUSH_MS) < 0)
        fail("flush");
    *ret_cpu_us = cpu_us();
    if (write(connection, answer, sizeof answer - 1) < 0)
        fail("answer");
}

/* Requests may come several at a time. */
static void serve(int connection, bool traced, double *ret_cpu_us)
{
    char head[65536 + 1];
    size_t have = 0;
    ssize_t n;
    while ((n = read(connection, head + have, sizeof head - 1 - have)) > 0) {
        have += (size_t)n;
        head[have] = 0;
        char *at = head, *end;
        while ((end = strstr(at, "\r\n\r\n")) != NULL) {
            end[2] = 0;
            if (strncmp(at, settle, 6) == 0)
                end_turn(connection, ret_cpu_us);
            else
                answer_one(connection, at, traced);
            at = end + 4;
        }
        have = (size_t)(head + have - at);
        memmove(head, at, have);
    }
}

static void run_service(int connection, bool traced, uint16_t sink_port, double *ret_cpu_us)
{
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", (unsigned)sink_port);
    fg_options options = FG_OPTIONS_INIT;
    options.service_name = "bench-service";
    options.endpoint = endpoint;
    if (traced && fg_tracing_start(&options) < 0)
        fail("start");
    serve(connection, traced, ret_cpu_us);
    fg_tracing_stop(5000);
    fg_stats stats = {.size = sizeof stats};
    fg_tracing_stats(&stats);
    if (stats.dropped_full_spans || stats.failed_exports)
        fprintf(stderr, "dropped %llu, failed exports %llu\n",
                (unsigned long long)stats.dropped_full_spans,
                (unsigned long long)stats.failed_exports);
}

/* -- The client -------------------------------------------------------------------------------- */

struct service {
    pid_t pid;
    int connection;
    double *cpu_us; /* which both processes see */
    double last_cpu_us;
};

/* Of a turn, or of several the median. */
struct result {
    double cpu_us; /* of the service, a request */
    double p50_us, p99_us;
};

static int compare_double(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int compare_u64(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void wait_until(uint64_t at_ns)
{
    struct timespec at = {.tv_sec = (time_t)(at_ns / FG_NS_PER_SECOND),
                          .tv_nsec = (long)(at_ns % FG_NS_PER_SECOND)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
        ;
}

/* False where the service is so far behind that the connection is full: then answers have to be
 * read, or both would wait for each other. */
static bool send_one(int connection)
{
    ssize_t n = send(connection, request, sizeof request - 1, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n != (ssize_t)sizeof request - 1)
        fail("request");
    return true;
}

/* Sends each request at its time, and reads what answers there are. Latency counts from when a
 * request was due. */
static void drive(int connection, unsigned rate, unsigned count, uint64_t *latencies)
{
    struct fg_env *env = fg_env_real();
    uint64_t step_ns = FG_NS_PER_SECOND / rate, begin_ns = fg_env_mono_ns(env) + step_ns;
    unsigned sent = 0, got = 0;
    size_t rest = 0;
    char buffer[65536];
    while (got < count) {
        uint64_t now_ns = fg_env_mono_ns(env);
        while (sent < count && begin_ns + sent * step_ns <= now_ns && send_one(connection))
            sent++;
        struct pollfd poll_fd = {.fd = connection, .events = POLLIN};
        if (sent == got) {
            wait_until(begin_ns + sent * step_ns);
            continue;
        }
        if (poll(&poll_fd, 1, 0) == 0)
            continue;
        ssize_t n = read(connection, buffer, sizeof buffer);
        if (n <= 0)
            fail("answer");
        now_ns = fg_env_mono_ns(env);
        for (rest += (size_t)n; rest >= sizeof answer - 1; rest -= sizeof answer - 1)
            latencies[got] = now_ns - (begin_ns + got * step_ns), got++;
    }
}

static void start(struct service *service, bool traced, uint16_t sink_port)
{
    int pair[2];
    service->cpu_us = mmap(NULL, sizeof *service->cpu_us, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (service->cpu_us == MAP_FAILED ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        fail("start");
    service->pid = fork();
    if (service->pid == 0) {
        close(pair[0]);
        run_service(pair[1], traced, sink_port, service->cpu_us);
        exit(0);
    }
    close(pair[1]);
    service->connection = pair[0];
}

static void stop(struct service *service)
{
    int status;
    /* Not close(): the other service has it too, from its fork. */
    shutdown(service->connection, SHUT_RDWR);
    close(service->connection);
    if (waitpid(service->pid, &status, 0) != service->pid || status != 0)
        fail("service");
    munmap(service->cpu_us, sizeof *service->cpu_us);
}

static double time_taken(struct service *service)
{
    char buffer[sizeof answer];
    if (write(service->connection, settle, sizeof settle - 1) < 0)
        fail("settle");
    for (size_t got = 0; got < sizeof answer - 1;) {
        ssize_t n = read(service->connection, buffer, sizeof answer - 1 - got);
        if (n <= 0)
            fail("settle");
        got += (size_t)n;
    }
    double taken_us = *service->cpu_us - service->last_cpu_us;
    service->last_cpu_us = *service->cpu_us;
    return taken_us;
}

static struct result turn(struct service *service, unsigned rate)
{
    static uint64_t latencies[BLOCK_REQUESTS];
    drive(service->connection, rate, BLOCK_REQUESTS, latencies);
    double taken_us = time_taken(service);
    qsort(latencies, BLOCK_REQUESTS, sizeof *latencies, compare_u64);
    uint64_t p50_ns = latencies[BLOCK_REQUESTS / 2], p99_ns = latencies[BLOCK_REQUESTS * 99 / 100];
    return (struct result){.cpu_us = taken_us / BLOCK_REQUESTS,
                           .p50_us = (double)p50_ns / 1e3,
                           .p99_us = (double)p99_ns / 1e3};
}

/* -- The rounds -------------------------------------------------------------------------------- */

static double median(double *numbers, unsigned count)
{
    qsort(numbers, count, sizeof *numbers, compare_double);
    return numbers[count / 2];
}

/* The median of each column of after - before; before may be NULL. */
static struct result middle(const struct result *after, const struct result *before, unsigned count)
{
    static double cpu[ROUNDS_MAX], p50[ROUNDS_MAX], p99[ROUNDS_MAX];
    for (unsigned i = 0; i < count; i++) {
        cpu[i] = after[i].cpu_us - (before ? before[i].cpu_us : 0);
        p50[i] = after[i].p50_us - (before ? before[i].p50_us : 0);
        p99[i] = after[i].p99_us - (before ? before[i].p99_us : 0);
    }
    return (struct result){median(cpu, count), median(p50, count), median(p99, count)};
}

static void print(const char *name, struct result result, unsigned rate, const char *floor)
{
    printf("%-34s %6.2fus %8.2f%% %8.1fus %8.1fus %8s\n", name, result.cpu_us,
           result.cpu_us * rate / 1e4, result.p50_us, result.p99_us, floor);
}

int main(int argc, char **argv)
{
    static struct result plain[ROUNDS_MAX], traced[ROUNDS_MAX];
    bool check = false;
    unsigned rate = 2000, rounds = 40;
    for (int i = 1; i < argc; i++) {
        check |= strcmp(argv[i], "--check") == 0;
        if (i + 1 < argc && strcmp(argv[i], "--rate") == 0)
            rate = (unsigned)strtoul(argv[i + 1], NULL, 10);
        if (i + 1 < argc && strcmp(argv[i], "--rounds") == 0)
            rounds = (unsigned)strtoul(argv[i + 1], NULL, 10);
    }
    if (rate == 0 || rate > 100000 || rounds == 0 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "bench_service: --rate: from 1 to 100000, --rounds: from 1 to %u\n",
                ROUNDS_MAX);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    uint16_t port;
    struct service services[2] = {{.pid = 0}, {.pid = 0}};
    pid_t sink = bench_sink_start(&port);
    start(&services[0], false, port);
    start(&services[1], true, port);
    /* The first turn of each finds its memory. */
    (void)turn(&services[0], rate);
    (void)turn(&services[1], rate);
    for (unsigned i = 0; i < rounds; i++) {
        bool traced_first = i % 2 == 1;
        if (traced_first)
            traced[i] = turn(&services[1], rate);
        plain[i] = turn(&services[0], rate);
        if (!traced_first)
            traced[i] = turn(&services[1], rate);
    }
    stop(&services[0]);
    stop(&services[1]);
    bench_sink_stop(sink);
    struct result added = middle(traced, plain, rounds);
    char floor[32];
    snprintf(floor, sizeof floor, "%.2fus", ADDED_US_MAX);
    printf("%-34s %8s %9s %10s %10s %8s\n", "a request of a small service", "CPU", "of one", "p50",
           "p99", "floor");
    print("not traced", middle(plain, NULL, rounds), rate, "-");
    print("traced: 2 spans, 6 attributes", middle(traced, NULL, rounds), rate, "-");
    print("added by tracing", added, rate, floor);
    printf("%u requests a second, %u rounds of %u with and %u without, medians\n", rate, rounds,
           BLOCK_REQUESTS, BLOCK_REQUESTS);
    return check && added.cpu_us > ADDED_US_MAX;
}
