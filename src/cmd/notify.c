#include "notify.h"

#include "base/error.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int fg_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || !*path)
        return 0;
    size_t size = strlen(path);
    if ((*path != '/' && *path != '@') || size >= sizeof address.sun_path)
        return FG_EINVALID;
    memcpy(address.sun_path, path, size);
    if (*path == '@')
        address.sun_path[0] = 0; /* an abstract name, which has no NUL at its end */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return FG_EIO;
    socklen_t address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    ssize_t sent =
        sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, address_size);
    close(fd);
    return sent < 0 ? FG_EIO : 0;
}
