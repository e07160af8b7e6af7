#include "os/oom.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_SIZE_MAX 8192u
#define PATH_SIZE_MAX 4096u

/* The beginning of a plain file as text. */
static int read_text(const char *path, char ret_text[TEXT_SIZE_MAX], uint64_t *ret_inode)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? FG_ENOTFOUND : FG_EIO;
    ssize_t size = -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        size = read(fd, ret_text, TEXT_SIZE_MAX - 1);
    close(fd);
    if (size < 0)
        return FG_EIO;
    ret_text[size] = 0;
    *ret_inode = st.st_ino;
    return 0;
}

static bool stays_below(const char *path)
{
    if (path[0] == 0 || path[0] == '/')
        return false;
    for (const char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == 0))
            return false;
    }
    return true;
}

int fg_oom_read(const char *root, const char *path, struct fg_oom_count *ret_count)
{
    char whole[PATH_SIZE_MAX], text[TEXT_SIZE_MAX];
    struct fg_oom_count count;
    int size = snprintf(whole, sizeof whole, "%s/%s", root, path);
    if (!stays_below(path) || size < 0 || (size_t)size >= sizeof whole)
        return FG_EINVALID;
    int r = read_text(whole, text, &count.inode);
    if (r < 0)
        return r;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "oom_kill ", 9) == 0) {
            count.kills = strtoull(line + 9, NULL, 10);
            *ret_count = count;
            return 0;
        }
    }
    return FG_ENOTFOUND;
}

/* A path of the three parts, where its counter is there. */
static bool try_path(const char *root, const char *before, const char *group, const char *file,
                     char ret_path[FG_OOM_PATH_SIZE])
{
    char path[FG_OOM_PATH_SIZE];
    struct fg_oom_count count;
    const char *below = strcmp(group, "/") == 0 ? "" : group + 1;
    int size = snprintf(path, sizeof path, "%s%s%s%s", before, below, *below ? "/" : "", file);
    if (size < 0 || (size_t)size >= sizeof path || fg_oom_read(root, path, &count) < 0)
        return false;
    memcpy(ret_path, path, sizeof path);
    return true;
}

static bool has_memory(const char *controllers)
{
    const char *found = strstr(controllers, "memory");
    return found && (found == controllers || found[-1] == ',') &&
           (found[6] == 0 || found[6] == ',');
}

int fg_oom_find(const char *groups, const char *root, char ret_path[FG_OOM_PATH_SIZE])
{
    char text[TEXT_SIZE_MAX];
    uint64_t inode;
    int r = read_text(groups, text, &inode);
    if (r < 0)
        return r;
    /* A line is number:controllers:path. Version 2 has no controllers there, and beside version 1 a
     * folder of its own. */
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *controllers = strchr(line, ':'),
             *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group || group[1] != '/')
            continue;
        *controllers++ = 0;
        *group++ = 0;
        if (has_memory(controllers) &&
            try_path(root, "memory/", group, "memory.oom_control", ret_path))
            return 0;
        if (*controllers == 0 && (try_path(root, "", group, "memory.events", ret_path) ||
                                  try_path(root, "unified/", group, "memory.events", ret_path)))
            return 0;
    }
    return FG_ENOTFOUND;
}
