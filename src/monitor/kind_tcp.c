/* tcp: something takes connections at host and port, and, where `banner` is set, says that first.
 */
#include "kinds.h"
#include "transfer.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BANNER_SIZE_MAX 4096u
#define WAIT_MS         100

struct tcp {
    struct fg_env *env;
    const char *host, *banner;
    int64_t port;
    uint64_t slow_ns;
};

static int open_tcp(struct fg_env *env, struct fg_check_settings *settings, void **ret_check)
{
    struct tcp *tcp = calloc(1, sizeof *tcp);
    if (!tcp)
        return FG_ENOMEM;
    tcp->env = env;
    tcp->host = fg_transfer_host(settings);
    tcp->port = fg_check_setting_int(settings, "port", 1, 65535, 0);
    tcp->banner = fg_check_setting(settings, "banner");
    tcp->slow_ns = fg_check_setting_ns(settings, "slow", 0);
    if (tcp->port == 0)
        fg_check_complain(settings, "port", "it is needed: a number from 1 to 65535");
    if (tcp->banner && (*tcp->banner == 0 || strlen(tcp->banner) > BANNER_SIZE_MAX / 2))
        fg_check_complain(settings, "banner", "expected a text of 1 to %u bytes",
                          BANNER_SIZE_MAX / 2);
    if (!tcp->host || tcp->port == 0) {
        free(tcp);
        return FG_EINVALID;
    }
    *ret_check = tcp;
    return 0;
}

/* Whether the socket has something to read before the deadline. */
static bool is_readable(const struct fg_transfer *transfer, int fd)
{
    long left_ms;
    while ((left_ms = fg_transfer_left_ms(transfer)) > 0 &&
           !fg_check_is_cancelled(transfer->report)) {
        struct pollfd wanted = {.fd = fd, .events = POLLIN};
        if (poll(&wanted, 1, left_ms < WAIT_MS ? (int)left_ms : WAIT_MS) > 0)
            return true;
    }
    return false;
}

/* Reads until the banner is there, the connection ends, or so much came that it won't come. */
static void expect_banner(const struct tcp *tcp, const struct fg_transfer *transfer, int fd)
{
    char said[BANNER_SIZE_MAX];
    size_t size = 0, wanted = strlen(tcp->banner);
    while (size < sizeof said) {
        if (!is_readable(transfer, fd)) {
            fg_check_finding(transfer->report, FG_CHECK_UNKNOWN, "no_answer", false,
                             "it takes connections, and did not say its banner in time");
            return;
        }
        ssize_t count = recv(fd, said + size, sizeof said - size, MSG_DONTWAIT);
        if (count <= 0) {
            fg_check_finding(transfer->report, FG_CHECK_DOWN, "closed", false,
                             "it took the connection and closed it without its banner");
            return;
        }
        size += (size_t)count;
        if (memmem(said, size, tcp->banner, wanted))
            return;
    }
    fg_check_finding(transfer->report, FG_CHECK_UNKNOWN, "unexpected_banner", false,
                     "what it says first is not \"%s\"", tcp->banner);
}

static void run_tcp(void *check, uint64_t deadline_mono_ns, struct fg_check_report *report)
{
    struct tcp *tcp = check;
    struct fg_transfer transfer;
    curl_socket_t fd;
    uint64_t begin_ns = fg_env_mono_ns(tcp->env);
    if (fg_transfer_begin(&transfer, tcp->env, deadline_mono_ns, report) < 0)
        return;
    int r = fg_transfer_connect(&transfer, tcp->host, tcp->port, &fd);
    if (r == 0 && tcp->banner)
        expect_banner(tcp, &transfer, fd);
    if (r == 0 && tcp->slow_ns && fg_env_mono_ns(tcp->env) - begin_ns > tcp->slow_ns)
        fg_check_finding(report, FG_CHECK_DEGRADED, "slow", false,
                         "it took longer than it should to answer");
    fg_transfer_end(&transfer);
}

static void close_check(void *check)
{
    free(check);
}

const struct fg_check_kind fg_check_kind_tcp = {
    .name = "tcp",
    .summary = "something takes connections at host and port",
    .open = open_tcp,
    .run = run_tcp,
    .close = close_check,
};
