/* The two C ends of a chain of HTTP services, traced by libfiligree; the least of HTTP/1.1 itself.
 *
 *     sdk_http ask PORT    asks 127.0.0.1:PORT in a client span that begins a journey, and prints
 *                          the span and the answer
 *     sdk_http serve       prints its port; answers each request with the headers that came, in a
 *                          server span, until standard input ends */
#include <filigree.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_SIZE_MAX = 16384 };

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void say(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* Until there is a whole head, or the end. */
static size_t receive(int connection, char *text, int until_end)
{
    size_t have = 0;
    text[0] = 0;
    while (have < MESSAGE_SIZE_MAX - 1 && (until_end || !strstr(text, "\r\n\r\n"))) {
        ssize_t n = read(connection, text + have, MESSAGE_SIZE_MAX - 1 - have);
        if (n <= 0)
            break;
        have += (size_t)n;
        text[have] = 0;
    }
    return have;
}

/* A carrier that is the head of a request, as text. */
static int put_header(void *carrier, const char *name, const char *value)
{
    char *head = carrier;
    size_t have = strlen(head);
    return snprintf(head + have, MESSAGE_SIZE_MAX - have, "%s: %s\r\n", name, value) < 0;
}

static const char *get_header(void *carrier, const char *name)
{
    static char value[4096];
    size_t size = strlen(name);
    for (const char *line = carrier; (line = strstr(line, "\r\n")) != NULL;) {
        line += 2;
        if (strncasecmp(line, name, size) != 0 || line[size] != ':')
            continue;
        const char *from = line + size + 1 + strspn(line + size + 1, " ");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(from, "\r\n"), from);
        return value;
    }
    return NULL;
}

static void ask(int port)
{
    char head[MESSAGE_SIZE_MAX] = "GET / HTTP/1.1\r\nHost: next\r\nConnection: close\r\n";
    char answer[MESSAGE_SIZE_MAX], text[FG_TRACEPARENT_SIZE];
    fg_span_options options = FG_SPAN_OPTIONS_INIT;
    options.kind = FG_SPAN_CLIENT;
    fg_span span = fg_span_start("ask node", &options);
    fg_scope scope = fg_span_enter(span);
    fg_journey_set("order.id", "ORD-4711 größe");
    fg_baggage_set("shop", "moscow");
    fg_context_inject(NULL, put_header, head);
    strcat(head, "\r\n");
    struct sockaddr_in address = loopback(port);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) < 0 ||
        write(connection, head, strlen(head)) < 0)
        fail("ask");
    receive(connection, answer, 1);
    close(connection);
    fg_scope_leave(&scope);
    fg_span_end(span);
    fg_span_traceparent(span, text);
    printf("%s\n%s\n", text, answer);
}

static void serve_one(int connection)
{
    char head[MESSAGE_SIZE_MAX], answer[MESSAGE_SIZE_MAX + 256];
    receive(connection, head, 0);
    fg_context *context = fg_context_extract(get_header, head);
    fg_scope outer = fg_context_enter(context);
    fg_span_options options = FG_SPAN_OPTIONS_INIT;
    options.kind = FG_SPAN_SERVER;
    fg_span span = fg_span_start("serve in c", &options);
    fg_scope inner = fg_span_enter(span);
    fg_span_end(fg_span_start("within", NULL));
    fg_scope_leave(&inner);
    fg_span_end(span);
    fg_scope_leave(&outer);
    fg_context_free(context);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", strlen(head),
             head);
    if (write(connection, answer, strlen(answer)) < 0)
        fail("serve");
}

static void serve(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 8) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        fail("listen");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct pollfd ends[2] = {{.fd = 0, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
    while (poll(ends, 2, -1) > 0 && !ends[0].revents) {
        int connection = accept(listener, NULL, NULL);
        serve_one(connection);
        close(connection);
    }
}

int main(int argc, char **argv)
{
    fg_options options = FG_OPTIONS_INIT;
    options.diagnostic = say;
    if (fg_tracing_start(&options) < 0)
        fail("start");
    if (argc > 2)
        ask(atoi(argv[2]));
    else
        serve();
    fg_tracing_flush(10000);
    return 0;
}
