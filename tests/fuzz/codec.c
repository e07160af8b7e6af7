/* The segment's codecs on any bytes: an error or some values within their bounds, and nothing read
 * past the padding. The first byte says which, the next two how many. What numbers were taken are
 * encoded and taken again: they must be the same. */
#include "local/codec.h"
#include "local/fuse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COUNT_MAX 2048u

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void again(struct fg_codec *codec, const uint64_t *values, uint32_t count,
                  struct fg_int_context *context)
{
    static uint64_t got[COUNT_MAX];
    struct fg_buffer out;
    fg_buffer_init(&out, 1 << 24);
    context->rules = (1u << FG_RULE_COUNT) - 1;
    fg_int_encode(codec, values, count, context, &out);
    fg_buffer_append_zero(&out, FG_INPUT_PADDING);
    must(out.error == 0);
    struct fg_input in = fg_input(fg_slice(out.data, out.size - FG_INPUT_PADDING));
    must(fg_int_decode(codec, &in, count, context, got) == 0 && fg_input_rest(&in) == 0);
    must(count == 0 || memcmp(got, values, count * sizeof *got) == 0);
    fg_buffer_free(&out);
}

static void try_numbers(struct fg_codec *codec, struct fg_input *in, uint32_t count)
{
    static uint64_t values[COUNT_MAX];
    static uint32_t a[COUNT_MAX], b[COUNT_MAX], parent[COUNT_MAX], defaults[COUNT_MAX];
    for (uint32_t i = 0; i < count; i++) {
        a[i] = i * 7 % 11;
        b[i] = i / 5;
        parent[i] = i % 13 ? i - 1 - i % 3 % (i % 13) : UINT32_MAX;
        defaults[i] = i % 4;
    }
    struct fg_int_context context = {
        .a = a, .b = b, .a_count = 11, .parent = parent, .defaults = defaults};
    int r = fg_int_decode(codec, in, count, &context, values);
    must(r == 0 || r == FG_ECORRUPT);
    if (r == 0)
        again(codec, values, count, &context);
}

static void try_texts(struct fg_codec *codec, struct fg_input *in, uint32_t count)
{
    static struct fg_slice texts[COUNT_MAX], got[COUNT_MAX];
    struct fg_arena arena;
    fg_arena_init(&arena, 1 << 26);
    int r = fg_text_decode(codec, in, count, 1 << 20, &arena, texts);
    must(r == 0 || r == FG_ECORRUPT || arena.overflow);
    struct fg_buffer out;
    fg_buffer_init(&out, 1 << 26);
    if (r == 0) {
        fg_text_encode(codec, texts, count, &out);
        fg_buffer_append_zero(&out, FG_INPUT_PADDING);
        must(out.error == 0);
        struct fg_input back = fg_input(fg_slice(out.data, out.size - FG_INPUT_PADDING));
        must(fg_text_decode(codec, &back, count, 1 << 20, &arena, got) == 0);
        for (uint32_t i = 0; i < count; i++)
            must(fg_slice_equal(texts[i], got[i]));
    }
    fg_buffer_free(&out);
    fg_arena_free(&arena);
}

static void try_others(struct fg_codec *codec, struct fg_input *in, uint32_t count)
{
    static uint64_t words[COUNT_MAX / 64 + 1];
    struct fg_fuse fuse;
    struct fg_slice all = fg_slice(in->at, fg_input_rest(in)), bytes;
    if (fg_fuse_parse(all, &fuse) == 0)
        for (uint64_t hash = 1; hash; hash <<= 1)
            (void)fg_fuse_contains(&fuse, hash);
    int r = fg_flags_decode(in, count, words);
    must(r == 0 || r == FG_ECORRUPT);
    struct fg_arena arena;
    fg_arena_init(&arena, 1 << 24);
    struct fg_input again_in = fg_input(all);
    r = fg_blob_decode(codec, &again_in, 1 << 20, &arena, &bytes);
    must(r == 0 || r == FG_ECORRUPT);
    fg_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fg_codec *codec;
    if (!codec)
        must(fg_codec_new(&codec) == 0);
    if (size < 3)
        return 0;
    uint32_t count = fg_load_le16(data + 1) % COUNT_MAX;
    uint8_t *copy = malloc(size - 3 + FG_INPUT_PADDING);
    must(copy != NULL);
    memcpy(copy, data + 3, size - 3);
    memset(copy + size - 3, 0xaa, FG_INPUT_PADDING);
    struct fg_input in = fg_input(fg_slice(copy, size - 3));
    if (data[0] % 3 == 0)
        try_numbers(codec, &in, count);
    else if (data[0] % 3 == 1)
        try_texts(codec, &in, count);
    else
        try_others(codec, &in, count);
    free(copy);
    return 0;
}
