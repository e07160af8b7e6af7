/* What tracing costs a small HTTP service: `make bench-sdk` runs it after bench_sdk.
 *
 *     bench_service [--check] [--rate N] [--seconds N]
 *
 * The service (a child process, one thread) answers requests that a client (this process) sends at
 * a fixed rate over one connection, whether the last was answered soon or not, so that a stall is
 * seen by all who wait. It does some 40 us of work a request. Traced, it takes the context out of
 * the request's headers, and makes a server span with five attributes and a span within, which go
 * to a sink in a third process. Runs of both kinds take turns; of each kind the median run counts.
 * With --check more than CPU_SHARE_MAX of a processor at this rate is a failure. */
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
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS         3
#define WORK_ROUNDS  12000u
#define REQUESTS_MAX 1000000u
/* The floor of a span's process time, of two spans a request: 2 us each, at 2000 requests. */
#define CPU_SHARE_MAX 0.008

static const char request[] =
    "GET /orders/4711/price HTTP/1.1\r\nHost: shop\r\n"
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
    "baggage: order.id=ORD-4711;journey\r\n\r\n";
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* -- The service ------------------------------------------------------------------------------- */

static const char *get_header(void *carrier, const char *name)
{
    static char value[256];
    size_t size = strlen(name);
    for (const char *line = carrier; (line = strstr(line, "\r\n")) != NULL;) {
        line += 2;
        if (strncmp(line, name, size) != 0 || line[size] != ':')
            continue;
        snprintf(value, sizeof value, "%.*s", (int)strcspn(line + size + 2, "\r\n"),
                 line + size + 2);
        return value;
    }
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
static void answer_one(int connection, char *head, bool traced)
{
    fg_span_options options = FG_SPAN_OPTIONS_INIT;
    fg_context *context = traced ? fg_context_extract(get_header, head) : NULL;
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

/* Requests may come several at a time. */
static void serve(int connection, bool traced)
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
            answer_one(connection, at, traced);
            at = end + 4;
        }
        have = (size_t)(head + have - at);
        memmove(head, at, have);
    }
}

static double cpu_us(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) < 0)
        fail("getrusage");
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* Returns the processor time of all of its threads, from when it is ready until all is sent. */
static double run_service(int connection, bool traced, uint16_t sink_port)
{
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", (unsigned)sink_port);
    fg_options options = FG_OPTIONS_INIT;
    options.service_name = "bench-service";
    options.endpoint = endpoint;
    if (traced && fg_tracing_start(&options) < 0)
        fail("start");
    double begin_us = cpu_us();
    serve(connection, traced);
    fg_tracing_flush(5000);
    double taken_us = cpu_us() - begin_us;
    fg_tracing_stop(5000);
    fg_stats stats = {.size = sizeof stats};
    fg_tracing_stats(&stats);
    if (stats.dropped_full_spans || stats.failed_exports)
        fprintf(stderr, "dropped %llu, failed exports %llu\n",
                (unsigned long long)stats.dropped_full_spans,
                (unsigned long long)stats.failed_exports);
    return taken_us;
}

/* -- The client -------------------------------------------------------------------------------- */

struct result {
    double cpu_us; /* of the service, a request */
    double p50_us, p99_us;
};

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

static struct result run(bool traced, unsigned rate, unsigned count, uint16_t sink_port)
{
    int pair[2];
    uint64_t *latencies = calloc(count, sizeof *latencies);
    double *taken_us =
        mmap(NULL, sizeof *taken_us, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!latencies || taken_us == MAP_FAILED ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        fail("run");
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        *taken_us = run_service(pair[1], traced, sink_port);
        exit(0);
    }
    close(pair[1]);
    drive(pair[0], rate, count, latencies);
    close(pair[0]);
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        fail("service");
    qsort(latencies, count, sizeof *latencies, compare_u64);
    uint64_t p50_ns = latencies[count / 2], p99_ns = latencies[count * 99ull / 100];
    struct result result = {.cpu_us = *taken_us / count,
                            .p50_us = (double)p50_ns / 1e3,
                            .p99_us = (double)p99_ns / 1e3};
    munmap(taken_us, sizeof *taken_us);
    free(latencies);
    return result;
}

static int compare_cpu(const void *a, const void *b)
{
    const struct result *x = a, *y = b;
    return (x->cpu_us > y->cpu_us) - (x->cpu_us < y->cpu_us);
}

static void print(const char *name, struct result result, unsigned rate)
{
    printf("%-34s %6.2fus %8.2f%% %8.1fus %8.1fus\n", name, result.cpu_us,
           result.cpu_us * rate / 1e4, result.p50_us, result.p99_us);
}

int main(int argc, char **argv)
{
    bool check = false;
    unsigned rate = 2000, seconds = 4;
    for (int i = 1; i < argc; i++) {
        check |= strcmp(argv[i], "--check") == 0;
        if (i + 1 < argc && strcmp(argv[i], "--rate") == 0)
            rate = (unsigned)strtoul(argv[i + 1], NULL, 10);
        if (i + 1 < argc && strcmp(argv[i], "--seconds") == 0)
            seconds = (unsigned)strtoul(argv[i + 1], NULL, 10);
    }
    if (rate == 0 || seconds == 0 || rate > REQUESTS_MAX / seconds) {
        fprintf(stderr, "bench_service: --rate times --seconds: from 1 to %u\n", REQUESTS_MAX);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    uint16_t port;
    pid_t sink = bench_sink_start(&port);
    struct result plain[RUNS], traced[RUNS];
    for (int i = 0; i < RUNS; i++) {
        plain[i] = run(false, rate, rate * seconds, port);
        traced[i] = run(true, rate, rate * seconds, port);
    }
    bench_sink_stop(sink);
    qsort(plain, RUNS, sizeof *plain, compare_cpu);
    qsort(traced, RUNS, sizeof *traced, compare_cpu);
    struct result before = plain[RUNS / 2], after = traced[RUNS / 2];
    struct result added = {after.cpu_us - before.cpu_us, after.p50_us - before.p50_us,
                           after.p99_us - before.p99_us};
    printf("%-34s %8s %9s %10s %10s\n", "a request of a small service", "CPU", "of one", "p50",
           "p99");
    print("not traced", before, rate);
    print("traced: 2 spans, 6 attributes", after, rate);
    print("added by tracing", added, rate);
    printf("%u requests a second for %u s, %d runs each\n", rate, seconds, RUNS);
    return check && added.cpu_us * rate / 1e6 > CPU_SHARE_MAX;
}
