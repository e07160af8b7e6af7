#include "text_fold.h"

#include <string.h>

/* A letter of two bytes, as its code point. */
static unsigned fold_letter(unsigned code)
{
    bool plus_32 = (code >= 0xc0 && code <= 0xde && code != 0xd7) || /* Latin-1 */
                   (code >= 0x391 && code <= 0x3a9) ||               /* Greek */
                   (code >= 0x410 && code <= 0x42f);                 /* Cyrillic */
    if (plus_32)
        return code + 32;
    return code >= 0x400 && code <= 0x40f ? code + 80 : code; /* Ѐ to Џ */
}

/* Writes the folded form of the character at at to ret, and returns its size, the same as before:
 * 1 for ASCII and for bytes of anything that is not folded. */
static size_t fold_at(struct fg_slice text, size_t at, uint8_t ret[2])
{
    uint8_t byte = text.data[at];
    ret[0] = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte;
    if (byte < 0xc2 || byte > 0xdf || at + 1 >= text.size || (text.data[at + 1] & 0xc0) != 0x80)
        return 1;
    unsigned code = fold_letter((byte & 0x1fu) << 6 | (text.data[at + 1] & 0x3fu));
    ret[0] = (uint8_t)(0xc0 | code >> 6);
    ret[1] = (uint8_t)(0x80 | (code & 0x3f));
    return 2;
}

int fg_text_fold(struct fg_slice text, struct fg_arena *arena, struct fg_slice *ret_folded)
{
    uint8_t *folded = fg_arena_calloc(arena, text.size + 2, 1);
    if (!folded)
        return FG_ELIMIT;
    for (size_t at = 0; at < text.size;)
        at += fold_at(text, at, folded + at);
    *ret_folded = fg_slice(folded, text.size);
    return 0;
}

static bool has_at(struct fg_slice text, size_t at, struct fg_slice needle)
{
    for (size_t i = 0; i < needle.size;) {
        uint8_t folded[2];
        size_t size = fold_at(text, at + i, folded);
        if (i + size > needle.size || memcmp(folded, needle.data + i, size) != 0)
            return false;
        i += size;
    }
    return true;
}

bool fg_text_has(struct fg_slice text, struct fg_slice needle)
{
    if (needle.size == 0)
        return true;
    for (size_t at = 0; at + needle.size <= text.size;) {
        uint8_t folded[2];
        size_t size = fold_at(text, at, folded);
        if (folded[0] == needle.data[0] && has_at(text, at, needle))
            return true;
        at += size;
    }
    return false;
}
