/* How often the kernel has killed a process of a control group for want of memory: the one trace
 * that tells its killer from another SIGKILL. Of either version of control groups. */
#pragma once

#include "base/error.h"

#include <stdint.h>

#define FG_OOM_PATH_SIZE 512u
#define FG_OOM_GROUPS    "/proc/self/cgroup"
#define FG_OOM_ROOT      "/sys/fs/cgroup"

struct fg_oom_count {
    uint64_t inode; /* of the file: a group that was removed and made again is another one */
    uint64_t kills;
};

/* Finds the counter of the process whose groups (proc(5), "cgroup") the file tells: a path below
 * root, for fg_oom_read(). FG_ENOTFOUND where there is none, FG_EIO. */
FG_MUST_CHECK int fg_oom_find(const char *groups, const char *root,
                              char ret_path[FG_OOM_PATH_SIZE]);

/* path may come from a stranger: one that is absolute or goes up is FG_EINVALID, and what is no
 * plain file is not waited for. FG_ENOTFOUND, FG_EIO. */
FG_MUST_CHECK int fg_oom_read(const char *root, const char *path, struct fg_oom_count *ret_count);
