/* Landlock (landlock(7)): a list of what is allowed, by file hierarchies, for the calling thread
 * and all that it starts. No library is needed: three system calls. What a file is opened with is
 * checked when it is opened; what is open already stays so. */
#include "os/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(FG_HAS_LANDLOCK) && __has_include(<linux/landlock.h>) && defined(SYS_landlock_create_ruleset)

#include <linux/landlock.h>

/* Since version 3 of the interface; Debian 12's headers end before it. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITES                                                                                     \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |  \
     LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE)
/* Nobody is given these. */
#define NEVER                                                                                      \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |    \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
/* Of a file that is no folder. */
#define OF_FILES                                                                                   \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
/* The first forbids that a file gets another folder, which links of backups do. */
#define ABI_MIN 2

static uint64_t known_by(long abi)
{
    uint64_t all = READS | WRITES | NEVER;
    return abi >= 3 ? all : all & ~LANDLOCK_ACCESS_FS_TRUNCATE;
}

static int allow(int ruleset, const struct fg_sandbox_path *path, uint64_t known)
{
    struct stat status;
    uint64_t access = READS | (path->may_write ? WRITES : 0);
    int fd = open(path->path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return 0; /* what is not there can't be opened */
    int r = fstat(fd, &status);
    if (r == 0 && !S_ISDIR(status.st_mode))
        access &= OF_FILES;
    const struct landlock_path_beneath_attr rule = {.allowed_access = access & known,
                                                    .parent_fd = fd};
    if (r == 0)
        r = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(fd);
    return r == 0 ? 0 : FG_EIO;
}

int fg_sandbox_files(const struct fg_sandbox_path *paths, size_t count)
{
    long abi =
        syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < ABI_MIN)
        return FG_EUNSUPPORTED;
    const struct landlock_ruleset_attr attr = {.handled_access_fs = known_by(abi)};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (ruleset < 0)
        return errno == ENOMEM ? FG_ENOMEM : FG_EUNSUPPORTED;
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = allow(ruleset, &paths[i], attr.handled_access_fs);
    if (r == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                   syscall(SYS_landlock_restrict_self, ruleset, 0) != 0))
        r = FG_EUNSUPPORTED;
    close(ruleset);
    return r;
}

bool fg_sandbox_files_is_built_in(void)
{
    return true;
}

/* Landlock looks at open(2) and not at access(2), which goes by owner and mode alone. */
bool fg_sandbox_explains(const char *path, char *ret_text, size_t size)
{
    char real[PATH_MAX];
    if (access(path, R_OK) != 0)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (error != EACCES)
        return false;
    if (!realpath(path, real))
        snprintf(real, sizeof real, "%s", path);
    char *slash = strrchr(real, '/');
    if (slash && slash > real)
        *slash = 0;
    snprintf(ret_text, size,
             "the server gave up what lies there when it started: restart it, with sandbox-files "
             "naming %s where no other setting does",
             real);
    return true;
}

#else

int fg_sandbox_files(const struct fg_sandbox_path *paths, size_t count)
{
    (void)paths;
    (void)count;
    return FG_EUNSUPPORTED;
}

bool fg_sandbox_files_is_built_in(void)
{
    return false;
}

bool fg_sandbox_explains(const char *path, char *ret_text, size_t size)
{
    (void)path;
    (void)ret_text;
    (void)size;
    return false;
}

#endif
