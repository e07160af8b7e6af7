#include "net/url.h"

static int digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool needs_decoding(struct fg_slice text, bool plus_is_blank)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == '%' || (plus_is_blank && text.data[i] == '+'))
            return true;
    return false;
}

void fg_url_encode(struct fg_buffer *buffer, struct fg_slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                        (c != 0 && strchr("-._~", c) != NULL);
        if (is_plain)
            fg_buffer_append_byte(buffer, c);
        else
            fg_buffer_append_format(buffer, "%%%02X", c);
    }
}

struct fg_slice fg_url_decode(struct fg_slice text, bool plus_is_blank, struct fg_arena *arena)
{
    if (!needs_decoding(text, plus_is_blank))
        return text;
    uint8_t *decoded = fg_arena_alloc(arena, text.size);
    if (!decoded)
        return fg_slice(NULL, 0);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        int high = -1, low = -1;
        if (c == '%' && text.size - i > 2) {
            high = digit_value(text.data[i + 1]);
            low = digit_value(text.data[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            c = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        decoded[size++] = c;
    }
    return fg_slice(decoded, size);
}

/* Cuts text up to the first c, or all of it, off *rest, and the c with it. */
static struct fg_slice cut(struct fg_slice *rest, char c)
{
    const uint8_t *end = rest->size ? memchr(rest->data, c, rest->size) : NULL;
    size_t size = end ? (size_t)(end - rest->data) : rest->size;
    struct fg_slice text = fg_slice(rest->data, size);
    size_t skip = end ? size + 1 : size;
    *rest = fg_slice(rest->size ? rest->data + skip : NULL, rest->size - skip);
    return text;
}

bool fg_url_next_param(struct fg_slice *query, struct fg_arena *arena,
                       struct fg_url_param *ret_param)
{
    while (query->size) {
        struct fg_slice value = cut(query, '&');
        if (value.size == 0)
            continue;
        struct fg_slice name = cut(&value, '=');
        struct fg_url_param param = {.name = fg_url_decode(name, true, arena),
                                     .value = fg_url_decode(value, true, arena)};
        bool is_lost = (name.size && !param.name.data) || (value.size && !param.value.data);
        if (is_lost)
            return false;
        *ret_param = param;
        return true;
    }
    return false;
}

struct fg_slice fg_url_param(struct fg_slice query, const char *name, struct fg_arena *arena)
{
    struct fg_slice wanted = fg_slice_from_string(name);
    struct fg_url_param param;
    while (fg_url_next_param(&query, arena, &param))
        if (fg_slice_equal(param.name, wanted))
            return param.value.data ? param.value : FG_SLICE("");
    return fg_slice(NULL, 0);
}
