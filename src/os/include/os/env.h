/* struct fg_env: files, clock and randomness, as the house sees them. One implementation is the
 * real machine (fg_env_real()), another a simulated disk and clock for tests (tests/sim). Nothing
 * outside os/ calls time(), open() or rand().
 *
 * Durability contract, which the simulated disk takes literally:
 *   - bytes of fg_file_pwrite() survive a power cut only after a later fg_file_sync() of that file
 * succeeded;
 *   - a file's name (create, rename, unlink) survives only after fg_env_sync_dir() of its folder
 * succeeded;
 *   - a failed sync is final: what was written before it may or may not be there, and a second sync
 * proves nothing.
 *
 * Paths are relative to the process or absolute, NUL-terminated, '/'-separated. All calls block.
 * All are thread-safe on different files; on one file pread and pwrite of disjoint ranges are.
 * Errors are fg_error codes. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

struct fg_env;
struct fg_file;

enum fg_open_flags {
    FG_OPEN_READ = 0,
    FG_OPEN_WRITE = 1,     /* read and write */
    FG_OPEN_CREATE = 2,    /* create where missing; with FG_OPEN_WRITE */
    FG_OPEN_EXCLUSIVE = 4, /* with CREATE: FG_EEXIST where it is there */
    FG_OPEN_TRUNCATE = 8,
};

struct fg_dir_entry {
    const char *name; /* without its folder; valid during the call */
    uint64_t size;    /* bytes, 0 for a folder */
    bool is_dir;
};

/* Called for each entry, in no order, without "." and "..". A non-zero return ends the listing and
 * is its result. */
typedef int (*fg_dir_fn)(void *arg, const struct fg_dir_entry *entry);

struct fg_file_ops {
    int (*pread)(struct fg_file *file, uint64_t offset, void *data, size_t size, size_t *ret_size);
    int (*pwrite)(struct fg_file *file, uint64_t offset, const void *data, size_t size);
    int (*sync)(struct fg_file *file);
    int (*write_out)(struct fg_file *file, uint64_t offset,
                     uint64_t size); /* NULL: nothing to do */
    void (*read_ahead)(struct fg_file *file, uint64_t offset, uint64_t size); /* likewise */
    int (*allocate)(struct fg_file *file, uint64_t size);
    int (*truncate)(struct fg_file *file, uint64_t size);
    int (*size)(struct fg_file *file, uint64_t *ret_size);
    void (*close)(struct fg_file *file);
};

struct fg_file {
    const struct fg_file_ops *ops;
};

struct fg_env_ops {
    int (*open)(struct fg_env *env, const char *path, int flags, struct fg_file **ret_file);
    int (*rename)(struct fg_env *env, const char *from, const char *to);
    int (*unlink)(struct fg_env *env, const char *path);
    int (*mkdir)(struct fg_env *env, const char *path);
    int (*rmdir)(struct fg_env *env, const char *path);
    int (*list)(struct fg_env *env, const char *path, fg_dir_fn fn, void *arg);
    int (*sync_dir)(struct fg_env *env, const char *path);
    int (*lock)(struct fg_env *env, const char *path, struct fg_file **ret_lock);
    int (*link)(struct fg_env *env, const char *from, const char *to);
    int (*publish)(struct fg_env *env, const char *path);
    int (*space)(struct fg_env *env, const char *path, uint64_t *ret_free_bytes,
                 uint64_t *ret_total_bytes);
    uint64_t (*wall_ns)(struct fg_env *env);
    uint64_t (*mono_ns)(struct fg_env *env);
    void (*random)(struct fg_env *env, void *data, size_t size);
};

struct fg_env {
    const struct fg_env_ops *ops;
};

/* The machine itself. Static, always valid, thread-safe. */
struct fg_env *fg_env_real(void);

/* FG_ENOTFOUND, FG_EEXIST, FG_EDENIED, FG_ENOSPACE, FG_EIO. The file is closed by fg_file_close().
 */
FG_MUST_CHECK static inline int fg_env_open(struct fg_env *env, const char *path, int flags,
                                            struct fg_file **ret_file)
{
    return env->ops->open(env, path, flags, ret_file);
}

/* Atomic; replaces an existing file. Durable after fg_env_sync_dir(). */
FG_MUST_CHECK static inline int fg_env_rename(struct fg_env *env, const char *from, const char *to)
{
    return env->ops->rename(env, from, to);
}

FG_MUST_CHECK static inline int fg_env_unlink(struct fg_env *env, const char *path)
{
    return env->ops->unlink(env, path);
}

/* One level, mode 0700. FG_EEXIST where it is there. */
FG_MUST_CHECK static inline int fg_env_mkdir(struct fg_env *env, const char *path)
{
    return env->ops->mkdir(env, path);
}

/* An empty folder only. */
FG_MUST_CHECK static inline int fg_env_rmdir(struct fg_env *env, const char *path)
{
    return env->ops->rmdir(env, path);
}

FG_MUST_CHECK static inline int fg_env_list(struct fg_env *env, const char *path, fg_dir_fn fn,
                                            void *arg)
{
    return env->ops->list(env, path, fn, arg);
}

FG_MUST_CHECK static inline int fg_env_sync_dir(struct fg_env *env, const char *path)
{
    return env->ops->sync_dir(env, path);
}

/* Takes an exclusive lock on the file (made where missing) until fg_file_close() or the end of the
 * process. FG_EBUSY where another holds it. */
FG_MUST_CHECK static inline int fg_env_lock(struct fg_env *env, const char *path,
                                            struct fg_file **ret_lock)
{
    return env->ops->lock(env, path, ret_lock);
}

/* A second name for a file (hard link), for backups. FG_EUNSUPPORTED where the folders lie on
 * different disks. */
FG_MUST_CHECK static inline int fg_env_link(struct fg_env *env, const char *from, const char *to)
{
    return env->ops->link(env, from, to);
}

/* Lets everybody read a file, or enter and list a folder, of one's own: modes 0644 and 0755. What
 * is made here is for its owner alone otherwise. */
FG_MUST_CHECK static inline int fg_env_publish(struct fg_env *env, const char *path)
{
    return env->ops->publish(env, path);
}

/* Bytes of the file system that holds path: free to this process, and in all. */
FG_MUST_CHECK static inline int fg_env_space(struct fg_env *env, const char *path,
                                             uint64_t *ret_free_bytes, uint64_t *ret_total_bytes)
{
    return env->ops->space(env, path, ret_free_bytes, ret_total_bytes);
}

/* Nanoseconds since 1970 UTC; may jump. */
static inline uint64_t fg_env_wall_ns(struct fg_env *env)
{
    return env->ops->wall_ns(env);
}

/* Nanoseconds from an arbitrary start; never goes back. */
static inline uint64_t fg_env_mono_ns(struct fg_env *env)
{
    return env->ops->mono_ns(env);
}

/* Cryptographically strong on the real machine, seeded on the simulated one. */
static inline void fg_env_random(struct fg_env *env, void *data, size_t size)
{
    env->ops->random(env, data, size);
}

/* Reads up to size bytes; *ret_size is less only at the end of the file. */
FG_MUST_CHECK static inline int fg_file_pread(struct fg_file *file, uint64_t offset, void *data,
                                              size_t size, size_t *ret_size)
{
    return file->ops->pread(file, offset, data, size, ret_size);
}

/* Writes all of it or fails. Grows the file where needed. */
FG_MUST_CHECK static inline int fg_file_pwrite(struct fg_file *file, uint64_t offset,
                                               const void *data, size_t size)
{
    return file->ops->pwrite(file, offset, data, size);
}

/* fdatasync: data and the size that reading it back needs. */
FG_MUST_CHECK static inline int fg_file_sync(struct fg_file *file)
{
    return file->ops->sync(file);
}

/* Waits until the disk has taken these written bytes, which promises nothing: only fg_file_sync()
 * does. Whoever writes much calls it step by step, so that the sync at the end, and those of other
 * files beside it, do not wait behind all of it; it costs less than a sync, since the file system's
 * own structures are left alone (sync_file_range(2)). FG_EIO, as final as that of a sync;
 * FG_ENOSPACE. */
FG_MUST_CHECK static inline int fg_file_write_out(struct fg_file *file, uint64_t offset,
                                                  uint64_t size)
{
    return file->ops->write_out ? file->ops->write_out(file, offset, size) : 0;
}

/* Begins to read these bytes, which are asked for soon, and waits for nothing: who does so for many
 * has them read side by side. A hint: what becomes of it nobody is told. */
static inline void fg_file_read_ahead(struct fg_file *file, uint64_t offset, uint64_t size)
{
    if (file->ops->read_ahead)
        file->ops->read_ahead(file, offset, size);
}

/* Reserves the disk's blocks for [0, size); the size grows to at least that, new bytes read as
 * zero. */
FG_MUST_CHECK static inline int fg_file_allocate(struct fg_file *file, uint64_t size)
{
    return file->ops->allocate(file, size);
}

FG_MUST_CHECK static inline int fg_file_truncate(struct fg_file *file, uint64_t size)
{
    return file->ops->truncate(file, size);
}

FG_MUST_CHECK static inline int fg_file_size(struct fg_file *file, uint64_t *ret_size)
{
    return file->ops->size(file, ret_size);
}

/* Accepts NULL. Never fails: what must be on disk was synced before. */
static inline void fg_file_close(struct fg_file *file)
{
    if (file)
        file->ops->close(file);
}
