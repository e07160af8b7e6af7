/* A program that is traced, in the ways that tests/sdk/sdk.py needs; settings come from OTEL_*.
 *
 *     driver spans N [MS]     N traces of a parent and a child; flushes, and prints the counters
 *     driver fails N          the same, but flushes until an export has failed
 *     driver open             a span that stays open until standard input ends
 *     driver nest             an ended span under two open ones, until it is killed
 *     driver eat              the same, then it takes 256 MiB, and is killed by a limit
 *     driver fork             a span over a fork, whose child makes one of its own
 *     driver threads N        spans from N threads until standard input ends
 *     driver wait N           the spans of `spans N`, once standard input has ended
 *     driver bad              all that a program may do wrong, three times each; its counters
 *     driver crash FILE HOW   nested spans, written down in FILE, until it dies, by HOW or a kill
 *     driver idle             nothing, until standard input ends */
#include <filigree.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define FLUSH_MS 60000 /* a machine that is busy with other things is no fault */

static void say(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

static void print_span(const char *word, fg_span span)
{
    char text[FG_TRACEPARENT_SIZE];
    fg_span_traceparent(span, text);
    printf("%s %s\n", word, text);
    fflush(stdout);
}

static void print_stats(void)
{
    fg_stats s = {.size = sizeof s};
    fg_tracing_stats(&s);
    printf("exported %llu announced %llu recovered %llu full %llu refused %llu exports %llu failed "
           "%llu redacted %llu\n",
           (unsigned long long)s.exported_spans, (unsigned long long)s.announced_spans,
           (unsigned long long)s.recovered_spans, (unsigned long long)s.dropped_full_spans,
           (unsigned long long)s.dropped_refused_spans, (unsigned long long)s.exports,
           (unsigned long long)s.failed_exports, (unsigned long long)s.redacted_values);
    fflush(stdout);
}

static void wait_for_end(void)
{
    char byte;
    while (read(0, &byte, 1) > 0)
        ;
}

static void make(int count)
{
    for (int i = 0; i < count; i++) {
        fg_span parent = fg_span_start("parent", NULL);
        fg_scope scope = fg_span_enter(parent);
        fg_span child = fg_span_start("child", NULL);
        fg_span_set_int(child, "number", i);
        fg_span_set_string(child, "note", "from a@example.org");
        fg_span_set_string(child, "password", "hunter2");
        fg_span_end(child);
        fg_scope_leave(&scope);
        fg_span_end(parent);
        if (i == 0)
            print_span("trace", parent);
    }
}

static void spans(int count, unsigned flush_ms)
{
    make(count);
    printf("flush %d\n", fg_tracing_flush(flush_ms));
    print_stats();
}

static void fails(int count)
{
    fg_stats s = {.size = sizeof s};
    int r = 0;
    make(count);
    for (int i = 0; i < FLUSH_MS / 100 && s.failed_exports == 0; i++) {
        r = fg_tracing_flush(100);
        fg_tracing_stats(&s);
    }
    printf("flush %d\n", r);
    print_stats();
}

static const char *get_wrong(void *carrier, const char *name)
{
    return strcmp(name, carrier) == 0 ? "00-nonsense" : NULL;
}

static const char *get_flood(void *carrier, const char *name)
{
    if (strcmp(name, "traceparent") == 0)
        return "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    return strcmp(name, "tracestate") == 0 ? carrier : NULL;
}

static void *leave_open(void *arg)
{
    (void)fg_span_enter(fg_span_start(arg, NULL));
    return NULL;
}

static void bad(void)
{
    enum { LONG = 100000, TIMES = 3 };
    const char *const torn[] = {"whole", "torn \xe2\x82"};
    char *text = malloc(LONG + 1);
    if (!text)
        return;
    memset(text, 'x', LONG);
    text[LONG] = 0;
    for (int i = 0; i < TIMES; i++) {
        pthread_t id;
        fg_span span = fg_span_start("bad", NULL);
        fg_span_set_string(span, NULL, "no key");
        fg_span_set_string(span, "long", text);
        fg_span_set_string(span, "text", "not \xff UTF-8");
        fg_span_set(span, fg_attr_strings("list", torn, 2));
        fg_span_end(span);
        fg_span_set_int(span, "late", 1);
        fg_span_add_event(span, "late", NULL, 0);
        fg_span_end(span);
        fg_context_free(fg_context_extract(get_wrong, "traceparent"));
        fg_context_free(fg_context_extract(get_flood, text));
        fg_context_free(fg_context_extract(get_wrong, "baggage"));
        if (pthread_create(&id, NULL, leave_open, "left.open") == 0)
            pthread_join(id, NULL);
    }
    free(text);
    fg_span good = fg_span_start("good", NULL);
    print_span("trace", good);
    fg_span_end(good);
    printf("flush %d\n", fg_tracing_flush(FLUSH_MS));
    fg_stats s = {.size = sizeof s};
    fg_tracing_stats(&s);
    printf("exported %llu items %llu truncated %llu invalid %llu misuses %llu contexts %llu\n",
           (unsigned long long)s.exported_spans, (unsigned long long)s.dropped_items,
           (unsigned long long)s.truncated_values, (unsigned long long)s.invalid_texts,
           (unsigned long long)s.misuses, (unsigned long long)s.malformed_contexts);
}

/* No more than it takes to be killed by a limit of the tests. */
static void eat(void)
{
    enum { MIB = 1 << 20, MIBS = 256 };
    for (int i = 0; i < MIBS; i++) {
        volatile char *taken = malloc(MIB);
        if (!taken)
            return;
        for (size_t at = 0; at < MIB; at += 4096)
            taken[at] = 1;
    }
}

static void nest(bool is_eating)
{
    fg_span outer = fg_span_start("outer", NULL);
    fg_scope scope = fg_span_enter(outer);
    fg_span inner = fg_span_start("inner", NULL);
    fg_scope inner_scope = fg_span_enter(inner);
    fg_span work = fg_span_start("work", NULL);
    fg_span_set_int(work, "number", 1);
    fg_span_set_string(work, "note", "from a@example.org");
    fg_span_set_string(work, "password", "hunter2");
    fg_span_end(work);
    print_span("trace", outer);
    if (is_eating)
        eat();
    else
        wait_for_end();
    fg_scope_leave(&inner_scope);
    fg_scope_leave(&scope);
}

static int over_fork(void)
{
    fg_span parent = fg_span_start("before.fork", NULL);
    fg_scope scope = fg_span_enter(parent);
    print_span("trace", parent);
    pid_t pid = fork();
    if (pid == 0) {
        fg_span child = fg_span_start("in.child", NULL);
        fg_span_set_int(child, "pid", getpid());
        fg_span_set_string(parent, "from.child", "must not be seen");
        fg_span_end(parent);
        fg_span_end(child);
        exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    fg_scope_leave(&scope);
    fg_span_end(parent);
    printf("child %d\n", status);
    return 0;
}

static atomic_bool threads_end;

static void *thread(void *arg)
{
    while (!threads_end) {
        fg_span span = fg_span_start("threaded", NULL);
        fg_scope scope = fg_span_enter(span);
        fg_span_set_string(span, "k", arg);
        fg_span_end(fg_span_start("inner", NULL));
        fg_scope_leave(&scope);
        fg_span_end(span);
        usleep(50);
    }
    return NULL;
}

static void threads(int count)
{
    pthread_t ids[16];
    for (int i = 0; i < count && i < 16; i++)
        pthread_create(&ids[i], NULL, thread, "value");
    wait_for_end();
    threads_end = true;
    for (int i = 0; i < count && i < 16; i++)
        pthread_join(ids[i], NULL);
}

/* What was done, in pages that survive as the ring's do. */
struct entry {
    unsigned char trace_id[16], span_id[8];
    volatile int state; /* 1: has started, 2: is being ended, 3: has ended */
    int reserved;
};

static void die(const char *how)
{
    if (strcmp(how, "segv") == 0)
        *(volatile int *)0 = 1;
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "term") == 0)
        raise(SIGTERM);
}

static int crash(const char *path, const char *how, unsigned seed)
{
    enum { COUNT = 4000, DEPTH = 5 };
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || ftruncate(fd, COUNT * sizeof(struct entry)) < 0)
        return 1;
    struct entry *entries =
        mmap(NULL, COUNT * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (entries == MAP_FAILED)
        return 1;
    fg_span stack[DEPTH];
    struct entry *owners[DEPTH];
    fg_scope scopes[DEPTH];
    int depth = 0, next = 0;
    unsigned last = 20 + seed % 1500;
    for (unsigned step = 0; next < COUNT; step++) {
        seed = seed * 1103515245u + 12345u;
        if (step > last)
            die(how);
        if (depth == 0 || (depth < DEPTH && (seed >> 16) % 2)) {
            fg_span span = fg_span_start("step", NULL);
            struct entry *entry = &entries[next++];
            memcpy(entry->trace_id, span.trace_id, 16);
            memcpy(entry->span_id, span.span_id, 8);
            entry->state = fg_span_is_recording(span) ? 1 : 0;
            fg_span_set_int(span, "number", next);
            fg_span_set_string(span, "text", (seed >> 18) % 8 ? "short" : "a much longer text");
            if ((seed >> 20) % 16 == 0) {
                char large[900];
                memset(large, 'l', sizeof large);
                fg_span_set_string_n(span, "large", large, sizeof large);
            }
            stack[depth] = span;
            owners[depth] = entry;
            scopes[depth] = fg_span_enter(span);
            depth++;
        } else {
            depth--;
            fg_scope_leave(&scopes[depth]);
            if (owners[depth]->state == 1)
                owners[depth]->state = 2;
            fg_span_end(stack[depth]);
            if (owners[depth]->state == 2)
                owners[depth]->state = 3;
        }
        if (step % 64 == 0)
            usleep(200);
    }
    pause();
    return 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    fg_options options = FG_OPTIONS_INIT;
    options.diagnostic = say;
    int r = fg_tracing_start(&options);
    if (r < 0) {
        fprintf(stderr, "start: %s\n", fg_tracing_error(r));
        return 1;
    }
    if (strcmp(mode, "spans") == 0) {
        spans(atoi(argv[2]), argc > 3 ? (unsigned)atoi(argv[3]) : FLUSH_MS);
    } else if (strcmp(mode, "fails") == 0) {
        fails(atoi(argv[2]));
    } else if (strcmp(mode, "wait") == 0) {
        printf("ready\n");
        fflush(stdout);
        wait_for_end();
        spans(atoi(argv[2]), FLUSH_MS);
    } else if (strcmp(mode, "bad") == 0) {
        bad();
    } else if (strcmp(mode, "open") == 0) {
        fg_span span = fg_span_start("stays.open", NULL);
        print_span("trace", span);
        wait_for_end();
    } else if (strcmp(mode, "nest") == 0 || strcmp(mode, "eat") == 0) {
        nest(strcmp(mode, "eat") == 0);
    } else if (strcmp(mode, "fork") == 0) {
        return over_fork();
    } else if (strcmp(mode, "threads") == 0) {
        threads(atoi(argv[2]));
        printf("flush %d\n", fg_tracing_flush(FLUSH_MS));
        print_stats();
    } else if (strcmp(mode, "crash") == 0) {
        return crash(argv[2], argv[3], (unsigned)atoi(argv[4]));
    } else {
        wait_for_end();
        print_stats();
    }
    return 0;
}
