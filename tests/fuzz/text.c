/* The codecs of text: UTF-8, hexadecimal, base64, JSON strings. */
#include "base/hex.h"
#include "base/utf8.h"
#include "json_reader.h"
#include "wire/base64.h"
#include "wire/json_writer.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition)
{
    if (!condition)
        abort();
}

/* What is sanitized is well-formed, and no cut of it is not. */
static void check_utf8(struct fg_slice text, struct fg_arena *arena)
{
    struct fg_slice clean = fg_utf8_sanitize(text, arena);
    need(!arena->overflow && fg_utf8_valid(clean));
    need(fg_utf8_valid(text) == (clean.data == text.data && clean.size == text.size));
    need(fg_utf8_valid(fg_utf8_cut(clean, text.size / 2)));
    need(fg_utf8_cut(text, text.size / 2).size <= text.size / 2);
}

static void check_hex(struct fg_slice bytes, struct fg_arena *arena)
{
    char *text = fg_arena_alloc(arena, 2 * bytes.size);
    uint8_t *back = fg_arena_alloc(arena, bytes.size);
    need(text && back);
    fg_hex_encode(bytes, text);
    need(fg_hex_decode(fg_slice(text, 2 * bytes.size), back) == 0);
    need(fg_slice_equal(bytes, fg_slice(back, bytes.size)));
    if (fg_hex_decode(bytes, back) == 0)
        need(bytes.size % 2 == 0);
}

static void check_base64(struct fg_slice bytes, struct fg_buffer *text, struct fg_buffer *back)
{
    fg_buffer_reset(text);
    fg_buffer_reset(back);
    fg_base64_encode(text, bytes);
    need(fg_base64_decode(back, fg_buffer_slice(text)) == 0);
    need(fg_slice_equal(bytes, fg_buffer_slice(back)));
    fg_buffer_reset(back);
    if (fg_base64_decode(back, bytes) == 0)
        need(back->size <= bytes.size / 4 * 3 + 2);
}

/* A string that was written is JSON, and reads back as what it was, cleaned. */
static void check_json(struct fg_slice bytes, struct fg_buffer *text, struct fg_arena *arena)
{
    fg_buffer_reset(text);
    struct fg_json_writer json = fg_json_writer(text);
    fg_json_string(&json, bytes);
    need(fg_json_check(fg_buffer_slice(text), NULL) == 0);
    struct fg_json_reader reader = fg_json_reader(fg_buffer_slice(text));
    struct fg_json_value value = fg_json_read(&reader);
    struct fg_slice back;
    need(fg_json_text(&value, arena, &back) == 0);
    need(fg_slice_equal(back, fg_utf8_sanitize(bytes, arena)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fg_slice bytes = fg_slice(data, size);
    struct fg_arena arena;
    struct fg_buffer text, back;
    fg_arena_init(&arena, 64 * size + 4096);
    fg_buffer_init(&text, 8 * size + 64);
    fg_buffer_init(&back, 8 * size + 64);
    check_utf8(bytes, &arena);
    check_hex(bytes, &arena);
    check_base64(bytes, &text, &back);
    check_json(bytes, &text, &arena);
    fg_arena_free(&arena);
    fg_buffer_free(&text);
    fg_buffer_free(&back);
    return 0;
}
