#include "wire/w3c.h"

#include "base/hex.h"

/* Of a lower-case digit; any other gives 16 and more. */
static inline unsigned lower_digit(uint8_t c)
{
    unsigned number = (unsigned)c - '0', letter = (unsigned)c - 'a';
    return number < 10 ? number : letter < 6 ? letter + 10 : 16;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

/* One group of digits and the dash before it. */
static int read_group(struct fg_slice text, size_t at, size_t byte_count, uint8_t *ret_bytes)
{
    unsigned wrong = at && text.data[at - 1] != '-' ? 16 : 0;
    for (size_t i = 0; i < byte_count; i++) {
        unsigned high = lower_digit(text.data[at + 2 * i]);
        unsigned low = lower_digit(text.data[at + 2 * i + 1]);
        wrong |= high | low;
        ret_bytes[i] = (uint8_t)(high << 4 | low);
    }
    return wrong < 16 ? 0 : FG_EINVALID;
}

int fg_traceparent_parse(struct fg_slice text, struct fg_traceparent *ret_parent)
{
    struct fg_traceparent parent;
    uint8_t version;
    if (text.size < FG_TRACEPARENT_TEXT_SIZE || read_group(text, 0, 1, &version) < 0 ||
        read_group(text, 3, 16, parent.trace_id) < 0 ||
        read_group(text, 36, 8, parent.span_id) < 0 || read_group(text, 53, 1, &parent.flags) < 0)
        return FG_EINVALID;
    if (version == 0xff || is_zero(parent.trace_id, 16) || is_zero(parent.span_id, 8))
        return FG_EINVALID;
    if (text.size > FG_TRACEPARENT_TEXT_SIZE &&
        (version == 0 || text.data[FG_TRACEPARENT_TEXT_SIZE] != '-'))
        return FG_EINVALID;
    *ret_parent = parent;
    return 0;
}

void fg_traceparent_format(const struct fg_traceparent *parent,
                           char ret_text[FG_TRACEPARENT_TEXT_SIZE])
{
    memcpy(ret_text, "00-", 3);
    fg_hex_encode(fg_slice(parent->trace_id, 16), ret_text + 3);
    ret_text[35] = '-';
    fg_hex_encode(fg_slice(parent->span_id, 8), ret_text + 36);
    ret_text[52] = '-';
    fg_hex_encode(fg_slice(&parent->flags, 1), ret_text + 53);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct fg_slice trim(struct fg_slice text)
{
    while (text.size && is_blank(text.data[0]))
        text = fg_slice(text.data + 1, text.size - 1);
    while (text.size && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

/* Takes what stands before the next separator off *rest, and the separator. */
static struct fg_slice take_until(struct fg_slice *rest, char separator)
{
    const uint8_t *end = rest->size ? memchr(rest->data, separator, rest->size) : NULL;
    size_t size = end ? (size_t)(end - rest->data) : rest->size;
    struct fg_slice part = fg_slice(rest->data, size);
    size_t step = end ? size + 1 : size;
    *rest = step ? fg_slice(rest->data + step, rest->size - step) : (struct fg_slice){0};
    return part;
}

static bool is_tracestate_key(struct fg_slice key)
{
    if (key.size == 0 || key.size > 256)
        return false;
    for (size_t i = 0; i < key.size; i++) {
        uint8_t c = key.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_letter && (i == 0 || !memchr("_-*/@", c, 5)))
            return false;
    }
    return true;
}

static bool is_tracestate_value(struct fg_slice value)
{
    if (value.size == 0 || value.size > 256)
        return false;
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (c < 0x20 || c > 0x7e || c == '=')
            return false;
    }
    return true;
}

bool fg_tracestate_valid(struct fg_slice text)
{
    unsigned count = 0;
    if (text.size > FG_TRACESTATE_SIZE_MAX)
        return false;
    while (text.size) {
        struct fg_slice member = trim(take_until(&text, ','));
        if (member.size == 0)
            continue;
        struct fg_slice key = take_until(&member, '=');
        if (!is_tracestate_key(key) || !is_tracestate_value(member) ||
            ++count > FG_TRACESTATE_MEMBERS_MAX)
            return false;
    }
    return true;
}

bool fg_baggage_key_valid(struct fg_slice key)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < key.size; i++) {
        uint8_t c = key.data[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!is_alnum && !memchr(others, c, sizeof others - 1))
            return false;
    }
    return key.size > 0;
}

/* baggage-octet of the specification, section 3.3.1. */
static bool is_baggage_octet(uint8_t c)
{
    return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
}

int fg_baggage_next(struct fg_slice *rest, struct fg_baggage_member *ret_member)
{
    struct fg_slice member;
    do {
        if (rest->size == 0)
            return 0;
        member = trim(take_until(rest, ','));
    } while (member.size == 0);
    struct fg_baggage_member got = {.whole = member};
    struct fg_slice pair = take_until(&member, ';');
    bool has_value = pair.size && memchr(pair.data, '=', pair.size);
    got.properties = trim(member);
    got.key = trim(take_until(&pair, '='));
    got.value = trim(pair);
    if (!has_value || !fg_baggage_key_valid(got.key))
        return FG_EINVALID;
    for (size_t i = 0; i < got.value.size; i++)
        if (!is_baggage_octet(got.value.data[i]))
            return FG_EINVALID;
    for (size_t i = 0; i < got.properties.size; i++)
        if (got.properties.data[i] < 0x20 || got.properties.data[i] > 0x7e)
            return FG_EINVALID;
    *ret_member = got;
    return 1;
}

bool fg_baggage_has_property(struct fg_slice properties, struct fg_slice key)
{
    while (properties.size) {
        struct fg_slice property = take_until(&properties, ';');
        if (fg_slice_equal(trim(take_until(&property, '=')), key))
            return true;
    }
    return false;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void fg_baggage_decode(struct fg_buffer *buffer, struct fg_slice value)
{
    for (size_t i = 0; i < value.size; i++) {
        int high = -1, low = -1;
        if (value.data[i] == '%' && value.size - i > 2) {
            high = hex_digit(value.data[i + 1]);
            low = hex_digit(value.data[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            fg_buffer_append_byte(buffer, (uint8_t)(high << 4 | low));
            i += 2;
        } else {
            fg_buffer_append_byte(buffer, value.data[i]);
        }
    }
}

void fg_baggage_encode(struct fg_buffer *buffer, struct fg_slice text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (is_baggage_octet(c) && c != '%') {
            fg_buffer_append_byte(buffer, c);
        } else {
            char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};
            fg_buffer_append(buffer, escaped, sizeof escaped);
        }
    }
}
