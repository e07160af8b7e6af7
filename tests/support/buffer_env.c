#include "buffer_env.h"

#include <stddef.h>

static struct buffer_env *of_env(struct fg_env *env)
{
    return (struct buffer_env *)(void *)((char *)env - offsetof(struct buffer_env, env));
}

static struct buffer_env *of_file(struct fg_file *file)
{
    return (struct buffer_env *)(void *)((char *)file - offsetof(struct buffer_env, file));
}

static int buffer_pread(struct fg_file *file, uint64_t offset, void *data, size_t size,
                        size_t *ret_size)
{
    const struct buffer_env *buffer = of_file(file);
    size_t rest = offset < buffer->size ? buffer->size - (size_t)offset : 0;
    size_t taken = size < rest ? size : rest;
    if (taken)
        memcpy(data, buffer->data + offset, taken);
    *ret_size = taken;
    return 0;
}

static int buffer_pwrite(struct fg_file *file, uint64_t offset, const void *data, size_t size)
{
    struct buffer_env *buffer = of_file(file);
    if (offset > buffer->capacity || size > buffer->capacity - offset)
        return FG_ENOSPACE;
    memcpy(buffer->data + offset, data, size);
    if (offset + size > buffer->size)
        buffer->size = (size_t)offset + size;
    return 0;
}

static int buffer_sync(struct fg_file *file)
{
    (void)file;
    return 0;
}

static int buffer_size(struct fg_file *file, uint64_t *ret_size)
{
    *ret_size = of_file(file)->size;
    return 0;
}

static void buffer_close(struct fg_file *file)
{
    of_file(file)->open_files--;
}

static const struct fg_file_ops file_ops = {.pread = buffer_pread,
                                            .pwrite = buffer_pwrite,
                                            .sync = buffer_sync,
                                            .size = buffer_size,
                                            .close = buffer_close};

static int buffer_open(struct fg_env *env, const char *path, int flags, struct fg_file **ret_file)
{
    struct buffer_env *buffer = of_env(env);
    (void)path;
    if (!buffer->exists && !(flags & FG_OPEN_CREATE))
        return FG_ENOTFOUND;
    if (buffer->exists && (flags & FG_OPEN_EXCLUSIVE))
        return FG_EEXIST;
    buffer->exists = true;
    buffer->open_files++;
    *ret_file = &buffer->file;
    return 0;
}

static uint64_t buffer_ns(struct fg_env *env)
{
    (void)env;
    return UINT64_C(1764000000000000000);
}

static void buffer_random(struct fg_env *env, void *data, size_t size)
{
    (void)env;
    memset(data, 7, size);
}

static const struct fg_env_ops env_ops = {
    .open = buffer_open, .wall_ns = buffer_ns, .mono_ns = buffer_ns, .random = buffer_random};

void buffer_env_init(struct buffer_env *buffer, uint8_t *data, size_t size, size_t capacity,
                     bool exists)
{
    *buffer = (struct buffer_env){.env = {&env_ops},
                                  .file = {&file_ops},
                                  .data = data,
                                  .size = size,
                                  .capacity = capacity,
                                  .exists = exists};
}
