/* The real machine: POSIX files, Linux clocks, getrandom(2). */
#include "os/env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

struct real_file {
    struct fg_file file;
    int fd;
};

static int fd_of(struct fg_file *file)
{
    return ((struct real_file *)file)->fd;
}

static int last_error(void)
{
    return fg_error_from_errno(errno);
}

static int real_pread(struct fg_file *file, uint64_t offset, void *data, size_t size,
                      size_t *ret_size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(fd_of(file), (char *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return last_error();
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *ret_size = done;
    return 0;
}

static int real_pwrite(struct fg_file *file, uint64_t offset, const void *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n =
            pwrite(fd_of(file), (const char *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return last_error();
        done += (size_t)n;
    }
    return 0;
}

static int real_sync(struct fg_file *file)
{
    return fdatasync(fd_of(file)) < 0 ? FG_EIO : 0;
}

/* A file system that can't (ENOSYS, ESPIPE, EINVAL) has it done by the sync. */
static int real_write_out(struct fg_file *file, uint64_t offset, uint64_t size)
{
    const unsigned all =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    int r = sync_file_range(fd_of(file), (off_t)offset, (off_t)size, all);
    return r < 0 && (errno == EIO || errno == ENOSPC) ? last_error() : 0;
}

static void real_read_ahead(struct fg_file *file, uint64_t offset, uint64_t size)
{
    (void)posix_fadvise(fd_of(file), (off_t)offset, (off_t)size, POSIX_FADV_WILLNEED);
}

static int real_allocate(struct fg_file *file, uint64_t size)
{
    int r = posix_fallocate(fd_of(file), 0, (off_t)size);
    return r ? fg_error_from_errno(r) : 0;
}

static int real_truncate(struct fg_file *file, uint64_t size)
{
    return ftruncate(fd_of(file), (off_t)size) < 0 ? last_error() : 0;
}

static int real_size(struct fg_file *file, uint64_t *ret_size)
{
    struct stat st;
    if (fstat(fd_of(file), &st) < 0)
        return last_error();
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

static void real_close(struct fg_file *file)
{
    close(fd_of(file));
    free(file);
}

static const struct fg_file_ops real_file_ops = {
    .pread = real_pread,
    .pwrite = real_pwrite,
    .sync = real_sync,
    .write_out = real_write_out,
    .read_ahead = real_read_ahead,
    .allocate = real_allocate,
    .truncate = real_truncate,
    .size = real_size,
    .close = real_close,
};

static int file_new(int fd, struct fg_file **ret_file)
{
    struct real_file *file = malloc(sizeof *file);
    if (!file) {
        close(fd);
        return FG_ENOMEM;
    }
    *file = (struct real_file){.file = {.ops = &real_file_ops}, .fd = fd};
    *ret_file = &file->file;
    return 0;
}

static int real_open(struct fg_env *env, const char *path, int flags, struct fg_file **ret_file)
{
    (void)env;
    int how = O_CLOEXEC | (flags & FG_OPEN_WRITE ? O_RDWR : O_RDONLY);
    how |= flags & FG_OPEN_CREATE ? O_CREAT : 0;
    how |= flags & FG_OPEN_EXCLUSIVE ? O_EXCL : 0;
    how |= flags & FG_OPEN_TRUNCATE ? O_TRUNC : 0;
    int fd = open(path, how, 0600);
    return fd < 0 ? last_error() : file_new(fd, ret_file);
}

static int real_rename(struct fg_env *env, const char *from, const char *to)
{
    (void)env;
    return rename(from, to) < 0 ? last_error() : 0;
}

static int real_unlink(struct fg_env *env, const char *path)
{
    (void)env;
    return unlink(path) < 0 ? last_error() : 0;
}

static int real_mkdir(struct fg_env *env, const char *path)
{
    (void)env;
    return mkdir(path, 0700) < 0 ? last_error() : 0;
}

static int real_rmdir(struct fg_env *env, const char *path)
{
    (void)env;
    return rmdir(path) < 0 ? last_error() : 0;
}

static int real_list(struct fg_env *env, const char *path, fg_dir_fn fn, void *arg)
{
    (void)env;
    DIR *dir = opendir(path);
    if (!dir)
        return last_error();
    int r = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            r = errno ? last_error() : 0;
            break;
        }
        if (entry->d_name[0] == '.' &&
            (entry->d_name[1] == 0 || (entry->d_name[1] == '.' && entry->d_name[2] == 0)))
            continue;
        struct stat st;
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno == ENOENT)
                continue;
            r = last_error();
            break;
        }
        struct fg_dir_entry seen = {.name = entry->d_name, .is_dir = S_ISDIR(st.st_mode)};
        seen.size = seen.is_dir ? 0 : (uint64_t)st.st_size;
        r = fn(arg, &seen);
        if (r != 0)
            break;
    }
    closedir(dir);
    return r;
}

static int real_sync_dir(struct fg_env *env, const char *path)
{
    (void)env;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return last_error();
    int r = fsync(fd) < 0 ? FG_EIO : 0;
    close(fd);
    return r;
}

static int real_lock(struct fg_env *env, const char *path, struct fg_file **ret_lock)
{
    (void)env;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return last_error();
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int r = errno == EWOULDBLOCK ? FG_EBUSY : last_error();
        close(fd);
        return r;
    }
    return file_new(fd, ret_lock);
}

static int real_link(struct fg_env *env, const char *from, const char *to)
{
    (void)env;
    if (link(from, to) == 0)
        return 0;
    return errno == EXDEV || errno == EPERM || errno == ENOTSUP ? FG_EUNSUPPORTED : last_error();
}

static int real_publish(struct fg_env *env, const char *path)
{
    struct stat st;
    (void)env;
    if (stat(path, &st) < 0)
        return last_error();
    return chmod(path, S_ISDIR(st.st_mode) ? 0755 : 0644) < 0 ? last_error() : 0;
}

static int real_space(struct fg_env *env, const char *path, uint64_t *ret_free_bytes,
                      uint64_t *ret_total_bytes)
{
    (void)env;
    struct statvfs st;
    if (statvfs(path, &st) < 0)
        return last_error();
    *ret_free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    *ret_total_bytes = (uint64_t)st.f_blocks * st.f_frsize;
    return 0;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t real_wall_ns(struct fg_env *env)
{
    (void)env;
    return clock_ns(CLOCK_REALTIME);
}

static uint64_t real_mono_ns(struct fg_env *env)
{
    (void)env;
    return clock_ns(CLOCK_MONOTONIC);
}

static void real_random(struct fg_env *env, void *data, size_t size)
{
    (void)env;
    size_t done = 0;
    while (done < size) {
        ssize_t n = getrandom((char *)data + done, size - done, 0);
        if (n < 0 && errno != EINTR)
            abort(); /* Linux has had it since 3.17; going on with predictable ids would be worse */
        done += n > 0 ? (size_t)n : 0;
    }
}

static const struct fg_env_ops real_ops = {
    .open = real_open,
    .rename = real_rename,
    .unlink = real_unlink,
    .mkdir = real_mkdir,
    .rmdir = real_rmdir,
    .list = real_list,
    .sync_dir = real_sync_dir,
    .lock = real_lock,
    .link = real_link,
    .publish = real_publish,
    .space = real_space,
    .wall_ns = real_wall_ns,
    .mono_ns = real_mono_ns,
    .random = real_random,
};

struct fg_env *fg_env_real(void)
{
    static struct fg_env real = {.ops = &real_ops};
    return &real;
}
