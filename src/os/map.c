#include "os/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int fg_map_anonymous(size_t size, struct fg_map *ret_map)
{
    void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return FG_ENOMEM;
    *ret_map = (struct fg_map){.data = data, .size = size, .fd = -1};
    return 0;
}

static int fill_and_map(int fd, size_t size, void *at, void **ret_data)
{
    /* Past this limit the kernel answers with a signal, and it is not ours to die of. */
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && size > limit.rlim_cur)
        return FG_ENOSPACE;
    int r = posix_fallocate(fd, 0, (off_t)size);
    if (r != 0)
        return fg_error_from_errno(r);
    int flags = MAP_SHARED | MAP_POPULATE | (at ? MAP_FIXED : 0);
    void *data = mmap(at, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (data == MAP_FAILED)
        return fg_error_from_errno(errno);
    *ret_data = data;
    return 0;
}

int fg_map_create(const char *path, size_t size, void *at, struct fg_map *ret_map)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fg_error_from_errno(errno);
    void *data = NULL;
    struct stat st;
    bool is_mine = flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0;
    int r = is_mine ? fill_and_map(fd, size, at, &data) : FG_EBUSY;
    if (r < 0) {
        unlink(path);
        close(fd);
        return r;
    }
    *ret_map = (struct fg_map){.data = data, .size = size, .fd = fd};
    return 0;
}

/* The owner lets go of the lock before it removes its file, and who claimed it before us may have
 * done so as well: then the name is gone, and what we hold is nobody's. */
static int check_claim(int fd, const char *path, size_t size_max, size_t *ret_size)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return FG_EIO;
    if (st.st_nlink == 0)
        return FG_ENOTFOUND;
    if (!S_ISREG(st.st_mode))
        return FG_EINVALID;
    /* Its maker died, or has yet to lock it, and then sees that it is gone. */
    if (st.st_size == 0) {
        unlink(path);
        return FG_ENOTFOUND;
    }
    if ((uint64_t)st.st_size > size_max)
        return FG_ELIMIT;
    *ret_size = (size_t)st.st_size;
    return 0;
}

int fg_map_claim(const char *path, size_t size_max, struct fg_map *ret_map)
{
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return fg_error_from_errno(errno);
    size_t size = 0;
    int r = 0;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        r = errno == EWOULDBLOCK ? FG_EBUSY : fg_error_from_errno(errno);
    if (r == 0)
        r = check_claim(fd, path, size_max, &size);
    void *data = NULL;
    if (r == 0) {
        data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        r = data == MAP_FAILED ? FG_ENOMEM : 0;
    }
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_map = (struct fg_map){.data = data, .size = size, .fd = fd};
    return 0;
}

void fg_map_close(struct fg_map *map)
{
    if (map->data)
        munmap(map->data, map->size);
    fg_map_release(map);
    *map = (struct fg_map){.fd = -1};
}

void fg_map_release(struct fg_map *map)
{
    if (map->fd < 0)
        return;
    /* The mapping holds the open file, and with it the lock, after the close. */
    flock(map->fd, LOCK_UN);
    close(map->fd);
    map->fd = -1;
}

int fg_map_detach(struct fg_map *map)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    if (mmap(map->data, map->size, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
        return FG_ENOMEM;
    /* Without unlocking: the lock is the open file's, which a parent shares. */
    if (map->fd >= 0)
        close(map->fd);
    map->fd = -1;
    return 0;
}

int fg_private_dir(const char *path)
{
    struct stat st;
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return fg_error_from_errno(errno);
    if (lstat(path, &st) < 0)
        return fg_error_from_errno(errno);
    bool is_mine = S_ISDIR(st.st_mode) && st.st_uid == geteuid();
    return is_mine && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 ? 0 : FG_EDENIED;
}
