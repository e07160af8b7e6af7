#include "wire/base64.h"

static const char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void fg_base64_encode(struct fg_buffer *buffer, struct fg_slice bytes)
{
    size_t left = bytes.size;
    uint8_t *out = fg_buffer_reserve(buffer, left / 3 * 4 + (left % 3 ? 4 : 0));
    if (!out)
        return;
    const uint8_t *at = bytes.data;
    uint8_t *start = out;
    for (; left >= 3; left -= 3, at += 3) {
        uint32_t bits = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
        for (unsigned shift = 24; shift > 0; shift -= 6)
            *out++ = (uint8_t)alphabet[bits >> (shift - 6) & 63];
    }
    if (left) {
        uint32_t bits = (uint32_t)at[0] << 16 | (left == 2 ? (uint32_t)at[1] << 8 : 0);
        *out++ = (uint8_t)alphabet[bits >> 18 & 63];
        *out++ = (uint8_t)alphabet[bits >> 12 & 63];
        *out++ = left == 2 ? (uint8_t)alphabet[bits >> 6 & 63] : '=';
        *out++ = '=';
    }
    buffer->size += (size_t)(out - start);
}

/* 0 to 63, or -1. */
static int digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* Padding fills up to four digits, or is not there at all. */
static bool strip_padding(struct fg_slice *text)
{
    size_t size = text->size, padding = 0;
    while (padding < 2 && size > 0 && text->data[size - 1] == '=') {
        size--;
        padding++;
    }
    bool is_whole = padding == 0 || (size + padding) % 4 == 0;
    text->size = size;
    return is_whole && size % 4 != 1;
}

/* Two to four digits. Bits that are over are dropped, whatever they are: RFC 4648 section 3.5
 * leaves it to the reader, and other readers of this mapping do so. */
static bool decode_group(const uint8_t *text, size_t size, uint8_t *ret_bytes)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < size ? digit(text[i]) : 0;
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    ret_bytes[0] = (uint8_t)(bits >> 16);
    ret_bytes[1] = (uint8_t)(bits >> 8);
    ret_bytes[2] = (uint8_t)bits;
    return true;
}

int fg_base64_decode(struct fg_buffer *buffer, struct fg_slice text)
{
    if (!strip_padding(&text))
        return FG_EINVALID;
    for (size_t i = 0; i < text.size; i += 4) {
        size_t size = text.size - i < 4 ? text.size - i : 4;
        uint8_t bytes[3];
        if (!decode_group(text.data + i, size, bytes))
            return FG_EINVALID;
        fg_buffer_append(buffer, bytes, size - 1);
    }
    return buffer->error;
}
