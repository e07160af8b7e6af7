#include "local/rollup_file.h"

#include "base/endian.h"
#include "base/hash.h"
#include "base/limits.h"

#include <stdlib.h>

#define MAGIC "FGROLUP1"
/* A rollup's header and its body, which is stored uncompressed at worst. */
#define SIZE_MAX_BYTES (FG_ROLLUP_FILE_HEADER_SIZE + FG_ROLLUP_SIZE_MAX + 16)

static int write_bytes(struct fg_env *env, const char *path, struct fg_slice bytes)
{
    struct fg_file *file;
    int r = fg_env_open(env, path, FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_EXCLUSIVE, &file);
    if (r < 0)
        return r;
    r = fg_file_pwrite(file, 0, bytes.data, bytes.size);
    if (r == 0)
        r = fg_file_sync(file);
    fg_file_close(file);
    if (r < 0 && fg_env_unlink(env, path) < 0)
        return r; /* the next start removes what no manifest names */
    return r;
}

int fg_rollup_file_write(struct fg_env *env, const char *path, const struct fg_rollup *rollup,
                         uint64_t *ret_size)
{
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, FG_ROLLUP_FILE_HEADER_SIZE + FG_ROLLUP_SIZE_MAX * 2);
    fg_buffer_append_zero(&buffer, FG_ROLLUP_FILE_HEADER_SIZE);
    int r = fg_rollup_encode(rollup, &buffer);
    if (r == 0) {
        struct fg_slice body = fg_slice(buffer.data + FG_ROLLUP_FILE_HEADER_SIZE,
                                        buffer.size - FG_ROLLUP_FILE_HEADER_SIZE);
        memcpy(buffer.data, MAGIC, 8);
        fg_store_le64(buffer.data + 8, body.size);
        fg_store_le64(buffer.data + 16, fg_hash(body));
        r = write_bytes(env, path, fg_buffer_slice(&buffer));
    }
    if (r == 0)
        *ret_size = buffer.size;
    fg_buffer_free(&buffer);
    return r;
}

static int check(struct fg_slice bytes, struct fg_slice *ret_body)
{
    if (bytes.size < FG_ROLLUP_FILE_HEADER_SIZE || memcmp(bytes.data, MAGIC, 7) != 0)
        return FG_ECORRUPT;
    if (bytes.data[7] != MAGIC[7])
        return bytes.data[7] > MAGIC[7] && bytes.data[7] <= '9' ? FG_EUNSUPPORTED : FG_ECORRUPT;
    struct fg_slice body =
        fg_slice(bytes.data + FG_ROLLUP_FILE_HEADER_SIZE, bytes.size - FG_ROLLUP_FILE_HEADER_SIZE);
    if (fg_load_le64(bytes.data + 8) != body.size || fg_load_le64(bytes.data + 16) != fg_hash(body))
        return FG_ECORRUPT;
    *ret_body = body;
    return 0;
}

static int read_all(struct fg_file *file, uint8_t **ret_bytes, size_t *ret_size)
{
    uint64_t size;
    size_t got;
    int r = fg_file_size(file, &size);
    if (r == 0 && size > SIZE_MAX_BYTES)
        r = FG_ECORRUPT;
    if (r < 0)
        return r;
    uint8_t *bytes = malloc(size + 1);
    if (!bytes)
        return FG_ENOMEM;
    r = fg_file_pread(file, 0, bytes, size, &got);
    if (r < 0) {
        free(bytes);
        return r;
    }
    *ret_bytes = bytes;
    *ret_size = got;
    return 0;
}

int fg_rollup_file_read(struct fg_env *env, const char *path, uint64_t start_ns_min,
                        uint64_t start_ns_max, struct fg_rollup *rollup)
{
    struct fg_file *file;
    struct fg_slice body;
    uint8_t *bytes = NULL;
    size_t size;
    int r = fg_env_open(env, path, FG_OPEN_READ, &file);
    if (r < 0)
        return r;
    r = read_all(file, &bytes, &size);
    fg_file_close(file);
    if (r == 0)
        r = check(fg_slice(bytes, size), &body);
    if (r == 0)
        r = fg_rollup_decode(rollup, body, start_ns_min, start_ns_max);
    free(bytes);
    return r;
}
