#include "base/utf8.h"

#include "base/endian.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

static const uint8_t replacement[3] = {0xef, 0xbf, 0xbd}; /* U+FFFD */

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Unicode's table 3-7: how many bytes follow a lead, and between what the first of them lies; it
 * alone shuts out overlong forms, surrogates and what is above U+10FFFF. 0: no lead of a longer
 * character. */
static int lead(uint8_t byte, uint8_t *ret_second_min, uint8_t *ret_second_max)
{
    *ret_second_min = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    *ret_second_max = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    if (byte < 0xc2 || byte > 0xf4)
        return 0;
    return byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
}

static inline int step(const uint8_t *at, size_t left)
{
    if (*at < 0x80)
        return 1;
    uint8_t second_min, second_max;
    int follow = lead(*at, &second_min, &second_max);
    if (follow == 0 || left < 2 || at[1] < second_min || at[1] > second_max)
        return -1;
    for (int i = 2; i <= follow; i++)
        if ((size_t)i >= left || !is_continuation(at[i]))
            return -i;
    return follow + 1;
}

int fg_utf8_step(struct fg_slice text, size_t offset)
{
    return step(text.data + offset, text.size - offset);
}

bool fg_utf8_valid(struct fg_slice text)
{
    const uint8_t *at = text.data;
    size_t left = text.size;
    while (left) {
        if (left >= 8 && (fg_load_le64(at) & HIGH_BITS) == 0) {
            at += 8;
            left -= 8;
            continue;
        }
        int size = step(at, left);
        if (size < 0)
            return false;
        at += size;
        left -= (size_t)size;
    }
    return true;
}

/* Copies to out (NULL: only counts). Returns the bytes written, at most three times what came. */
static size_t replace(struct fg_slice text, uint8_t *out)
{
    size_t written = 0;
    for (size_t i = 0; i < text.size;) {
        int size = fg_utf8_step(text, i);
        const uint8_t *from = size < 0 ? replacement : text.data + i;
        size_t from_size = size < 0 ? sizeof replacement : (size_t)size;
        if (out)
            memcpy(out + written, from, from_size);
        written += from_size;
        i += (size_t)(size < 0 ? -size : size);
    }
    return written;
}

struct fg_slice fg_utf8_sanitize(struct fg_slice text, struct fg_arena *arena)
{
    if (fg_utf8_valid(text))
        return text;
    size_t size = replace(text, NULL);
    uint8_t *copy = fg_arena_alloc(arena, size);
    if (!copy)
        return fg_slice(NULL, 0);
    replace(text, copy);
    return fg_slice(copy, size);
}

struct fg_slice fg_utf8_cut(struct fg_slice text, size_t size_max)
{
    if (text.size <= size_max)
        return text;
    /* The last lead before the cut is at most three bytes away, or cuts nothing. */
    for (size_t back = 1; back <= 3 && back <= size_max; back++) {
        size_t offset = size_max - back;
        if (is_continuation(text.data[offset]))
            continue;
        int size = fg_utf8_step(text, offset);
        return fg_slice(text.data, size > 0 && (size_t)size > back ? offset : size_max);
    }
    return fg_slice(text.data, size_max);
}
