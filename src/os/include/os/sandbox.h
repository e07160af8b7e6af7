/* What the process gives up for good before it meets anybody: so that a fault in it is worth little
 * to who finds one. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* No core files, and no other process of the same user may read or trace this one (its memory holds
 * keys); no privileges by programs it might start. Best effort. */
void fg_process_harden(void);

/* Leaves the whole process the system calls that a server needs, for good: files, sockets of the
 * internet and of this host, threads, time, memory. No other programs (execve(2), fork(2)), no
 * tracing, mounting, modules, keys, namespaces, raw sockets; such calls fail by EPERM, unknown ones
 * by ENOSYS, which the C library takes as those of an older kernel. Of all threads that there are
 * and will be. FG_EUNSUPPORTED: not built in, or the kernel has no filters; FG_ENOMEM. */
FG_MUST_CHECK int fg_sandbox_enter(void);

struct fg_sandbox_path {
    const char *path; /* a file, or a folder with all that is in it */
    bool may_write;   /* beside reading: make, change, rename, link and remove */
};

/* Leaves the calling thread, and all threads that it starts from then on, these files and folders,
 * for good: opening another one, or running any, fails by EACCES. Paths that are not there are left
 * out; symbolic links are followed now. Call it before fg_sandbox_enter(), which takes the calls
 * away that it needs. FG_EUNSUPPORTED: the kernel can't (before 5.19, or not told to at its start),
 * or not built in; FG_EIO, FG_ENOMEM: nothing was given up. */
FG_MUST_CHECK int fg_sandbox_files(const struct fg_sandbox_path *paths, size_t count);

/* Why a file can't be read that its mode lets this process read: fg_sandbox_files() has given it
 * up. A phrase with what to do, that follows "can't read /x/y: "; false, and text as it was, where
 * that is not the reason. */
bool fg_sandbox_explains(const char *path, char *ret_text, size_t size);

/* Whether the program can do it at all: the first, the second. A sanitizer's reads and writes what
 * it likes, so that a program under one does neither. */
bool fg_sandbox_is_built_in(void);
bool fg_sandbox_files_is_built_in(void);
