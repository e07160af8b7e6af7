/* Addresses and listening sockets. "localhost" is often two addresses, and a client takes either:
 * all that a name stands for are bound, on one port. */
#include "server_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG           4096
#define ADDRESSES_MAX     8u /* of one name */
#define MESSAGE_SIZE      512
#define HOST_SIZE         256u
#define PORT_RESERVED_MAX 1023u

struct wanted {
    const char *text; /* as it was given */
    char host[HOST_SIZE];
    unsigned port;
    bool is_any; /* all interfaces */
};

struct message {
    struct fg_arena *arena;
    const char **ret;
};

__attribute__((format(printf, 3, 4))) static int say(struct message *message, int error,
                                                     const char *format, ...)
{
    char text[MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *kept = fg_arena_string(message->arena, fg_slice_from_string(text));
    *message->ret = kept ? kept : "out of memory";
    return error;
}

static int say_invalid(struct message *message, const char *text)
{
    return say(message, FG_EINVALID,
               "'%s' is no address to listen on; expected HOST:PORT, [IPV6]:PORT, or :PORT for all "
               "interfaces, with a port from 0 to 65535",
               text);
}

static bool parse_port(const char *text, unsigned *ret_port)
{
    unsigned port = 0;
    if (*text == 0)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        port = port * 10 + (unsigned)(*text - '0');
        if (port > 65535)
            return false;
    }
    *ret_port = port;
    return true;
}

static int parse_wanted(struct message *message, const char *text, struct wanted *ret_wanted)
{
    const char *colon = strrchr(text, ':');
    struct wanted wanted = {.text = text};
    if (!colon || !parse_port(colon + 1, &wanted.port))
        return say_invalid(message, text);
    const char *host = text;
    size_t size = (size_t)(colon - text);
    bool is_bracketed = size >= 2 && host[0] == '[' && host[size - 1] == ']';
    if (is_bracketed) {
        host++;
        size -= 2;
    }
    bool has_colon = size && memchr(host, ':', size);
    if (size >= sizeof wanted.host || (has_colon && !is_bracketed) || (is_bracketed && !size))
        return say_invalid(message, text);
    memcpy(wanted.host, host, size);
    wanted.is_any = size == 0;
    *ret_wanted = wanted;
    return 0;
}

size_t fg_address_format(const struct sockaddr *address, char ret_text[FG_ADDRESS_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN] = "?";
    int size = 0;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        size = snprintf(ret_text, FG_ADDRESS_TEXT_SIZE, "%s:%u", host, ntohs(in->sin_port));
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        bool is_mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
        if (is_mapped)
            inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, host, sizeof host);
        else
            inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        size = snprintf(ret_text, FG_ADDRESS_TEXT_SIZE, is_mapped ? "%s:%u" : "[%s]:%u", host,
                        ntohs(in6->sin6_port));
    }
    return size < 0 ? 0 : (size_t)size;
}

static void set_port(struct sockaddr *address, unsigned port)
{
    if (address->sa_family == AF_INET)
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
}

static unsigned bound_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return 0;
    return address.ss_family == AF_INET ? ntohs(((const struct sockaddr_in *)&address)->sin_port)
                                        : ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
}

/* What the kernel takes of an answer beyond what it may send now: without a bound it keeps 4 MiB
 * for each client that reads slowly, and who sends finds out late that it does. Accepted sockets
 * inherit it. */
static const int unsent_bytes_max = 128 << 10;

/* The new socket, or minus an errno. */
static int bind_address(const struct sockaddr *address, socklen_t size, bool is_dual)
{
    int on = 1, v6_only = is_dual ? 0 : 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* So that a restart need not wait for the last one's connections to be forgotten; and answers
     * go out at once, which accepted sockets inherit. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes_max, sizeof unsent_bytes_max);
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
    if (bind(fd, address, size) < 0 || listen(fd, BACKLOG) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static int say_unbound(struct message *message, const struct wanted *wanted, int error)
{
    switch (error) {
    case EADDRINUSE:
        return say(message, FG_EBUSY,
                   "can't listen on %s: another program uses port %u; stop it, or choose another "
                   "port",
                   wanted->text, wanted->port);
    case EACCES:
    case EPERM:
        return say(message, FG_EDENIED,
                   wanted->port && wanted->port <= PORT_RESERVED_MAX
                       ? "can't listen on %s: ports below 1024 need permission; choose a higher "
                         "one, or give the program CAP_NET_BIND_SERVICE"
                       : "can't listen on %s: the system does not permit it",
                   wanted->text);
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return say(message, FG_EINVALID,
                   "can't listen on %s: no network interface of this machine has that address; use "
                   "one that has, or :%u for all",
                   wanted->text, wanted->port);
    case EMFILE:
    case ENFILE:
        return say(message, FG_EIO,
                   "can't listen on %s: no more files may be opened; raise the limit (ulimit -n)",
                   wanted->text);
    case ENOMEM:
    case ENOBUFS:
        return say(message, FG_ENOMEM, "can't listen on %s: out of memory", wanted->text);
    default:
        return say(message, FG_EIO, "can't listen on %s: %s", wanted->text, strerror(error));
    }
}

static int listener_add(struct fg_server *server, int fd, const struct fg_listen *listen,
                        size_t index)
{
    struct fg_listener *listeners =
        realloc(server->listeners, (server->listener_count + 1) * sizeof *server->listeners);
    if (!listeners)
        return FG_ENOMEM;
    listeners[server->listener_count++] = (struct fg_listener){.fd = fd,
                                                               .face = listen->face,
                                                               .is_tls = listen->is_tls,
                                                               .client = listen->client,
                                                               .index = index};
    server->listeners = listeners;
    return 0;
}

/* All interfaces: one socket for both families, or one for IPv4 where the machine has no IPv6. */
static int bind_any(unsigned port)
{
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
    struct sockaddr_in any4 = {.sin_family = AF_INET};
    set_port((struct sockaddr *)&any6, port);
    set_port((struct sockaddr *)&any4, port);
    int fd = bind_address((struct sockaddr *)&any6, sizeof any6, true);
    if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
        return fd;
    return bind_address((struct sockaddr *)&any4, sizeof any4, false);
}

/* IPv4 first: it is what is shown as the listener's address. Returns how many. */
static unsigned sort_addresses(struct addrinfo *list, struct addrinfo *ret[ADDRESSES_MAX])
{
    static const int families[] = {AF_INET, AF_INET6};
    unsigned count = 0;
    for (unsigned f = 0; f < 2; f++)
        for (struct addrinfo *info = list; info && count < ADDRESSES_MAX; info = info->ai_next)
            if (info->ai_family == families[f])
                ret[count++] = info;
    return count;
}

/* The first must be bound; another may be of a family that the machine does not have, or its port,
 * where the kernel chose it for the first, be taken. */
static int bind_name(struct fg_server *server, const struct wanted *wanted,
                     const struct fg_listen *listen, size_t index, struct addrinfo *list,
                     struct message *message)
{
    struct addrinfo *addresses[ADDRESSES_MAX];
    unsigned count = sort_addresses(list, addresses), port = wanted->port, bound = 0;
    int error = EADDRNOTAVAIL;
    for (unsigned i = 0; i < count; i++) {
        set_port(addresses[i]->ai_addr, port);
        int fd = bind_address(addresses[i]->ai_addr, addresses[i]->ai_addrlen, false);
        if (fd < 0) {
            bool is_missing = fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT;
            if (!is_missing && !(bound && wanted->port == 0))
                return say_unbound(message, wanted, -fd);
            error = -fd;
            continue;
        }
        if (port == 0)
            port = bound_port(fd);
        if (listener_add(server, fd, listen, index) < 0) {
            close(fd);
            return say(message, FG_ENOMEM, "out of memory");
        }
        bound++;
    }
    return bound ? 0 : say_unbound(message, wanted, error);
}

static int listen_on(struct fg_server *server, const struct fg_listen *listen, size_t index,
                     struct message *message)
{
    struct wanted wanted;
    int r = parse_wanted(message, listen->address, &wanted);
    if (r < 0)
        return r;
    if (wanted.is_any) {
        int fd = bind_any(wanted.port);
        if (fd < 0)
            return say_unbound(message, &wanted, -fd);
        r = listener_add(server, fd, listen, index);
        if (r < 0)
            close(fd);
        return r < 0 ? say(message, r, "out of memory") : 0;
    }
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list;
    int found = getaddrinfo(wanted.host, NULL, &hints, &list);
    if (found != 0)
        return say(message, FG_EINVALID,
                   "can't listen on %s: '%s' is no host that is known here (%s); use an IP address "
                   "of this machine",
                   wanted.text, wanted.host, gai_strerror(found));
    r = bind_name(server, &wanted, listen, index, list, message);
    freeaddrinfo(list);
    return r;
}

/* The address of the option's first socket. */
static void keep_address(struct fg_server *server, size_t first, size_t index)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(server->listeners[first].fd, (struct sockaddr *)&address, &size) == 0)
        fg_address_format((struct sockaddr *)&address, server->addresses[index]);
}

int fg_listen_all(struct fg_server *server, const struct fg_server_options *options,
                  struct fg_arena *arena, const char **ret_message)
{
    struct message message = {.arena = arena, .ret = ret_message};
    server->addresses = calloc(options->listener_count + 1, sizeof *server->addresses);
    if (!server->addresses)
        return say(&message, FG_ENOMEM, "out of memory");
    for (size_t i = 0; i < options->listener_count; i++) {
        size_t first = server->listener_count;
        int r = listen_on(server, &options->listeners[i], i, &message);
        if (r < 0)
            return r;
        keep_address(server, first, i);
    }
    return 0;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    if (address->sa_family != AF_INET6)
        return false;
    const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(in6) || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
}

bool fg_address_is_loopback(const char *address)
{
    struct fg_arena arena;
    const char *text;
    struct message message = {.arena = &arena, .ret = &text};
    struct wanted wanted;
    struct addrinfo *list = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    fg_arena_init(&arena, MESSAGE_SIZE * 2);
    bool is_local = parse_wanted(&message, address, &wanted) == 0 && !wanted.is_any &&
                    getaddrinfo(wanted.host, NULL, &hints, &list) == 0;
    for (const struct addrinfo *at = list; is_local && at; at = at->ai_next)
        is_local = is_loopback(at->ai_addr);
    if (list)
        freeaddrinfo(list);
    fg_arena_free(&arena);
    return is_local;
}

void fg_listen_close(struct fg_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        if (server->listeners[i].fd >= 0)
            close(server->listeners[i].fd);
        server->listeners[i].fd = -1;
    }
}
