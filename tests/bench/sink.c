#include "sink.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void serve(int connection)
{
    static char buffer[1 << 20];
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
    size_t have = 0;
    for (;;) {
        ssize_t n = read(connection, buffer + have, sizeof buffer - 1 - have);
        if (n <= 0)
            return;
        have += (size_t)n;
        buffer[have] = 0;
        char *end = strstr(buffer, "\r\n\r\n");
        char *length = strcasestr(buffer, "content-length:");
        if (!end || !length)
            continue;
        size_t body = strtoull(length + 15, NULL, 10);
        size_t left = body - (have - (size_t)(end + 4 - buffer));
        while (left) {
            n = read(connection, buffer, left < sizeof buffer ? left : sizeof buffer);
            if (n <= 0)
                return;
            left -= (size_t)n;
        }
        if (write(connection, answer, sizeof answer - 1) < 0)
            return;
        have = 0;
    }
}

static void accept_all(int listener)
{
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection >= 0 && fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve(connection);
            _exit(0);
        }
        close(connection);
    }
}

pid_t bench_sink_start(uint16_t *ret_port)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 16) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        perror("sink");
        exit(1);
    }
    *ret_port = ntohs(address.sin_port);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        accept_all(listener);
    }
    close(listener);
    return pid;
}

void bench_sink_stop(pid_t sink)
{
    kill(sink, SIGKILL);
    waitpid(sink, NULL, 0);
}
