#include "lines.h"

#include "base/limits.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define LINE_SIZE_MAX ((size_t)FG_REQUEST_INFLATED_SIZE_MAX)
#define CHUNK_SIZE    ((size_t)256 << 10)

struct fg_lines {
    struct fg_file *file; /* NULL: standard input */
    uint64_t offset, total;
    struct fg_buffer raw; /* compressed, read and not yet decompressed from raw_begin on */
    size_t raw_begin;
    ZSTD_DStream *zstd;      /* NULL: the text is plain */
    bool is_known;           /* whether it is compressed */
    bool is_inside_frame;    /* zstd wants more */
    struct fg_buffer buffer; /* text that was read and not yet given out */
    size_t begin;
    bool at_end;
};

static int read_chunk(struct fg_lines *lines, struct fg_buffer *buffer, size_t *ret_size)
{
    uint8_t *room = fg_buffer_reserve(buffer, CHUNK_SIZE);
    size_t size = 0;
    if (!room)
        return buffer->error;
    if (lines->file) {
        int r = fg_file_pread(lines->file, lines->offset, room, CHUNK_SIZE, &size);
        if (r < 0)
            return r;
    } else {
        size = fread(room, 1, CHUNK_SIZE, stdin);
        if (size == 0 && ferror(stdin))
            return FG_EIO;
    }
    lines->offset += size;
    buffer->size += size;
    *ret_size = size;
    return 0;
}

/* Looks at the first bytes: zstd's magic number (RFC 8878, 3.1.1) is no text. */
static int look(struct fg_lines *lines)
{
    static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    size_t size = 1;
    while (lines->raw.size < sizeof magic && size > 0) {
        int r = read_chunk(lines, &lines->raw, &size);
        if (r < 0)
            return r;
    }
    lines->is_known = true;
    if (lines->raw.size >= sizeof magic && memcmp(lines->raw.data, magic, sizeof magic) == 0) {
        lines->zstd = ZSTD_createDStream();
        return lines->zstd ? 0 : FG_ENOMEM;
    }
    fg_buffer_append_slice(&lines->buffer, fg_buffer_slice(&lines->raw));
    lines->at_end = lines->raw.size == 0;
    return lines->buffer.error;
}

static int inflate_chunk(struct fg_lines *lines)
{
    if (lines->raw_begin == lines->raw.size) {
        size_t size = 0;
        fg_buffer_reset(&lines->raw);
        lines->raw_begin = 0;
        int r = read_chunk(lines, &lines->raw, &size);
        if (r < 0)
            return r;
        lines->at_end = size == 0;
        if (lines->at_end)
            return lines->is_inside_frame ? FG_ECORRUPT : 0;
    }
    uint8_t *room = fg_buffer_reserve(&lines->buffer, CHUNK_SIZE);
    if (!room)
        return lines->buffer.error;
    ZSTD_inBuffer in = {lines->raw.data, lines->raw.size, lines->raw_begin};
    ZSTD_outBuffer out = {room, CHUNK_SIZE, 0};
    size_t left = ZSTD_decompressStream(lines->zstd, &out, &in);
    if (ZSTD_isError(left))
        return FG_ECORRUPT;
    lines->is_inside_frame = left > 0;
    lines->raw_begin = in.pos;
    lines->buffer.size += out.pos;
    return 0;
}

static int fill(struct fg_lines *lines)
{
    size_t size = 0;
    if (!lines->is_known)
        return look(lines);
    if (lines->zstd)
        return inflate_chunk(lines);
    int r = read_chunk(lines, &lines->buffer, &size);
    lines->at_end = r == 0 && size == 0;
    return r;
}

enum fg_exit fg_lines_open(struct fg_cli *cli, const char *path, struct fg_lines **ret_lines)
{
    struct fg_lines *lines = calloc(1, sizeof *lines);
    if (!lines)
        return fg_cli_fail(cli, FG_EXIT_FAILED, "out of memory");
    fg_buffer_init(&lines->raw, 2 * CHUNK_SIZE);
    fg_buffer_init(&lines->buffer, LINE_SIZE_MAX + 2 * CHUNK_SIZE);
    int r = 0;
    if (path && strcmp(path, "-") != 0) {
        r = fg_env_open(cli->env, path, FG_OPEN_READ, &lines->file);
        if (r == 0)
            r = fg_file_size(lines->file, &lines->total);
    }
    if (r < 0) {
        fg_lines_close(lines);
        return fg_cli_fail(cli, FG_EXIT_USAGE, "import: can't read %s: %s", path, fg_error_name(r));
    }
    *ret_lines = lines;
    return FG_EXIT_OK;
}

void fg_lines_close(struct fg_lines *lines)
{
    if (!lines)
        return;
    ZSTD_freeDStream(lines->zstd);
    fg_buffer_free(&lines->raw);
    fg_buffer_free(&lines->buffer);
    fg_file_close(lines->file);
    free(lines);
}

int fg_lines_next(struct fg_lines *lines, struct fg_slice *ret_line)
{
    size_t looked = 0;
    for (;;) {
        uint8_t *begin = lines->buffer.data + lines->begin;
        size_t size = lines->buffer.size - lines->begin;
        uint8_t *end = size > looked ? memchr(begin + looked, '\n', size - looked) : NULL;
        if (end || (lines->at_end && size > 0)) {
            size_t line_size = end ? (size_t)(end - begin) : size;
            lines->begin += line_size + (end ? 1 : 0);
            *ret_line = fg_slice(begin, line_size);
            return 0;
        }
        if (lines->at_end)
            return FG_ENOTFOUND;
        looked = size;
        if (lines->begin) {
            memmove(lines->buffer.data, begin, size);
            lines->buffer.size = size;
            lines->begin = 0;
        }
        int r = fill(lines);
        if (r < 0)
            return r;
    }
}

uint64_t fg_lines_offset(const struct fg_lines *lines)
{
    return lines->offset;
}

uint64_t fg_lines_total(const struct fg_lines *lines)
{
    return lines->total;
}
