#include "base/hex.h"

void fg_hex_encode(struct fg_slice bytes, char *ret_text)
{
    static const char digits[16] = {'0', '1', '2', '3', '4', '5', '6', '7',
                                    '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
    for (size_t i = 0; i < bytes.size; i++) {
        ret_text[2 * i] = digits[bytes.data[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
}

/* 0 to 15, or -1. */
static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int fg_hex_decode(struct fg_slice text, uint8_t *ret_bytes)
{
    if (text.size % 2)
        return FG_EINVALID;
    for (size_t i = 0; i < text.size; i += 2) {
        int high = digit(text.data[i]), low = digit(text.data[i + 1]);
        if (high < 0 || low < 0)
            return FG_EINVALID;
        *ret_bytes++ = (uint8_t)(high << 4 | low);
    }
    return 0;
}
