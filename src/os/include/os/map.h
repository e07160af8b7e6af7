/* Files in memory: pages that other processes see, and that outlive the process which wrote them.
 * The calls are of the real machine alone; no simulated one has them. */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct fg_map {
    uint8_t *data;
    size_t size;
    int fd; /* holds the lock; -1: anonymous */
};

/* Zeroed memory of this process alone, at a page's begin. */
FG_MUST_CHECK int fg_map_anonymous(size_t size, struct fg_map *ret_map);

/* A new file, mode 0600, all of its blocks allocated, so that no store into it can fail; mapped and
 * touched. It is locked until the map is closed or the process ends, however it ends. at: NULL, or
 * the begin of a map that it takes the place of, of the same size; that one stays on failure.
 * FG_EEXIST; FG_EBUSY where another claimed it first; FG_ENOSPACE, FG_EDENIED, FG_ENOMEM, FG_EIO.
 */
FG_MUST_CHECK int fg_map_create(const char *path, size_t size, void *at, struct fg_map *ret_map);

/* A file that nobody holds any more, to read. It is locked against others. FG_EBUSY while its owner
 * or another claims it; FG_ENOTFOUND, also where it was removed meanwhile; FG_ELIMIT above
 * size_max; FG_EINVALID where it is no file. An empty one, which its maker's death left, is
 * removed. */
FG_MUST_CHECK int fg_map_claim(const char *path, size_t size_max, struct fg_map *ret_map);

/* Gives the lock back and unmaps. */
void fg_map_close(struct fg_map *map);

/* Gives the lock back; the memory stays for who still points into it. */
void fg_map_release(struct fg_map *map);

/* Puts zeroed memory of this process alone in the map's place, and drops the file without giving
 * the lock back: for the child of a fork, whose parent goes on. Async-signal-safe. */
FG_MUST_CHECK int fg_map_detach(struct fg_map *map);

/* Makes a folder of mode 0700 where it is missing. FG_EDENIED where it is another user's, or others
 * may write it. */
FG_MUST_CHECK int fg_private_dir(const char *path);
