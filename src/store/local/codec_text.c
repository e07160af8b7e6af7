/* Lists of strings.
 *
 * A list: a byte, 0 plain or 1 templates (codec_template.c). Plain: the sizes as an array of
 * numbers, then a blob of all bytes. A blob: varint of its size, a byte, 0 as it is or 1 zstd, then
 * the bytes, for zstd preceded by the varint of how many there are. */
#include "local/codec_internal.h"

#include "base/checked.h"

#include <stdlib.h>

enum { TEXT_PLAIN = 0, TEXT_TEMPLATES = 1 };
enum { BLOB_PLAIN = 0, BLOB_ZSTD = 1 };

/* Below this a zstd frame saves nothing. */
#define COMPRESS_SIZE_MIN 64u
#define COMPRESS_LEVEL    1

const char *fg_text_encoding_name(uint8_t tag)
{
    return tag == TEXT_PLAIN ? "text" : tag == TEXT_TEMPLATES ? "templates" : "unknown";
}

/* Appends the compressed form and returns its size, or 0 where it does not win. */
static size_t compress(struct fg_codec *codec, struct fg_slice bytes, struct fg_buffer *out)
{
    if (bytes.size < COMPRESS_SIZE_MIN)
        return 0;
    if (!codec->compress)
        codec->compress = ZSTD_createCCtx();
    size_t bound = ZSTD_compressBound(bytes.size);
    uint8_t *p = codec->compress ? fg_buffer_reserve(out, bound + 24) : NULL;
    if (!p)
        return 0; /* a sticky error in out, or the plain form will do */
    /* behind the room that the varint of its size takes at most */
    size_t size =
        ZSTD_compressCCtx(codec->compress, p + 10, bound, bytes.data, bytes.size, COMPRESS_LEVEL);
    if (ZSTD_isError(size) || size > bytes.size - bytes.size / 8)
        return 0;
    return size;
}

void fg_blob_encode(struct fg_codec *codec, struct fg_slice bytes, struct fg_buffer *out)
{
    fg_buffer_append_varint(out, bytes.size);
    if (bytes.size == 0)
        return;
    size_t at = out->size;
    size_t size = compress(codec, bytes, out);
    fg_buffer_append_byte(out, size ? BLOB_ZSTD : BLOB_PLAIN);
    if (size == 0) {
        fg_buffer_append_slice(out, bytes);
        return;
    }
    fg_buffer_append_varint(out, size);
    if (out->error)
        return;
    memmove(out->data + out->size, out->data + at + 10, size);
    out->size += size;
}

static int decompress(struct fg_codec *codec, struct fg_input *in, size_t size,
                      struct fg_arena *arena, struct fg_slice *ret_bytes)
{
    struct fg_slice packed = fg_input_slice(in, (size_t)fg_input_varint_max(in, SIZE_MAX / 2));
    if (in->error)
        return in->error;
    /* before anything is allocated: what the frame itself says must be what is expected */
    if (ZSTD_getFrameContentSize(packed.data, packed.size) != size)
        return fg_input_fail(in);
    if (!codec->decompress)
        codec->decompress = ZSTD_createDCtx();
    uint8_t *p = codec->decompress ? fg_arena_alloc(arena, size + FG_INPUT_PADDING) : NULL;
    if (!p)
        return FG_ENOMEM;
    size_t done = ZSTD_decompressDCtx(codec->decompress, p, size, packed.data, packed.size);
    if (ZSTD_isError(done) || done != size)
        return fg_input_fail(in);
    memset(p + size, 0, FG_INPUT_PADDING);
    *ret_bytes = fg_slice(p, size);
    return 0;
}

int fg_blob_decode(struct fg_codec *codec, struct fg_input *in, size_t size_max,
                   struct fg_arena *arena, struct fg_slice *ret_bytes)
{
    size_t size = (size_t)fg_input_varint_max(in, size_max);
    if (in->error)
        return in->error;
    *ret_bytes = fg_slice(NULL, 0);
    if (size == 0)
        return 0;
    switch (fg_input_u8(in)) {
    case BLOB_PLAIN:
        *ret_bytes = fg_input_slice(in, size);
        return in->error;
    case BLOB_ZSTD:
        return decompress(codec, in, size, arena, ret_bytes);
    default:
        return fg_input_fail(in);
    }
}

static void put_plain(struct fg_codec *codec, const struct fg_slice *strings, uint32_t count,
                      struct fg_buffer *out)
{
    fg_buffer_append_byte(out, TEXT_PLAIN);
    uint64_t *sizes = malloc(((size_t)count + 1) * sizeof *sizes);
    struct fg_buffer all;
    fg_buffer_init(&all, SIZE_MAX / 2);
    for (uint32_t i = 0; sizes && i < count; i++) {
        sizes[i] = strings[i].size;
        fg_buffer_append_slice(&all, strings[i]);
    }
    if (!sizes || all.error) {
        out->error = out->error ? out->error : FG_ENOMEM;
    } else {
        fg_int_encode(codec, sizes, count, NULL, out);
        fg_blob_encode(codec, fg_buffer_slice(&all), out);
    }
    fg_buffer_free(&all);
    free(sizes);
}

void fg_text_encode(struct fg_codec *codec, const struct fg_slice *strings, uint32_t count,
                    struct fg_buffer *out)
{
    if (count == 0 || out->error)
        return;
    size_t begin = out->size, plain = 0;
    for (uint32_t i = 0; i < count; i++)
        plain += strings[i].size;
    fg_buffer_append_byte(out, TEXT_TEMPLATES);
    bool done = fg_template_encode(codec, strings, count, out);
    if (out->error)
        return;
    if (!done)
        out->size = begin;
    size_t middle = out->size, templates = middle - begin;
    if (done && templates <= plain / 2)
        return;
    put_plain(codec, strings, count, out);
    if (out->error || !done)
        return;
    size_t size = out->size - middle;
    if (size < templates) {
        memmove(out->data + begin, out->data + middle, size);
        out->size = begin + size;
    } else {
        out->size = middle;
    }
}

static int take_plain(struct fg_codec *codec, struct fg_input *in, uint32_t count, size_t size_max,
                      struct fg_arena *arena, struct fg_slice *strings)
{
    int r = fg_codec_reserve(codec, count);
    if (r == 0)
        r = fg_int_decode(codec, in, count, NULL, codec->wide);
    size_t total = 0;
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        strings[i].size = (size_t)codec->wide[i];
        if (codec->wide[i] > size_max || fg_add_overflow(total, strings[i].size, &total))
            r = fg_input_fail(in);
    }
    struct fg_slice all = {0};
    if (r == 0)
        r = fg_blob_decode(codec, in, size_max, arena, &all);
    if (r == 0 && all.size != total)
        r = fg_input_fail(in);
    if (r < 0)
        return r;
    const uint8_t *p = all.data;
    for (uint32_t i = 0; i < count; i++) {
        strings[i].data = p;
        p = p ? p + strings[i].size : p;
    }
    return 0;
}

int fg_text_decode(struct fg_codec *codec, struct fg_input *in, uint32_t count, size_t size_max,
                   struct fg_arena *arena, struct fg_slice *strings)
{
    if (count == 0)
        return in->error;
    switch (fg_input_u8(in)) {
    case TEXT_PLAIN:
        return take_plain(codec, in, count, size_max, arena, strings);
    case TEXT_TEMPLATES:
        return fg_template_decode(codec, in, count, size_max, arena, strings);
    default:
        return fg_input_fail(in);
    }
}
