#include "net/grpc.h"

#include "base/checked.h"
#include "base/endian.h"
#include "base/limits.h"

#define TIMEOUT_DIGITS_MAX 8u

int fg_grpc_unframe(struct fg_slice body, struct fg_grpc_frame *ret_frame)
{
    if (body.size < FG_GRPC_FRAME_HEADER_SIZE || body.data[0] > 1)
        return FG_EINVALID;
    size_t size = fg_load_be32(body.data + 1);
    size_t rest = body.size - FG_GRPC_FRAME_HEADER_SIZE;
    if (size > rest)
        return FG_EINVALID;
    if (size < rest)
        return FG_EUNSUPPORTED;
    *ret_frame = (struct fg_grpc_frame){
        .compressed = body.data[0] == 1,
        .message = fg_slice(body.data + FG_GRPC_FRAME_HEADER_SIZE, size),
    };
    return 0;
}

static uint64_t unit_ns(uint8_t unit)
{
    switch (unit) {
    case 'H':
        return 60 * FG_NS_PER_MINUTE;
    case 'M':
        return FG_NS_PER_MINUTE;
    case 'S':
        return FG_NS_PER_SECOND;
    case 'm':
        return FG_NS_PER_MS;
    case 'u':
        return 1000;
    case 'n':
        return 1;
    default:
        return 0;
    }
}

int fg_grpc_timeout_parse(struct fg_slice text, uint64_t *ret_ns)
{
    if (text.size < 2 || text.size > TIMEOUT_DIGITS_MAX + 1)
        return FG_EINVALID;
    uint64_t value = 0;
    for (size_t i = 0; i + 1 < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return FG_EINVALID;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    uint64_t unit = unit_ns(text.data[text.size - 1]);
    if (unit == 0)
        return FG_EINVALID;
    /* Eight digits of hours are longer than 64 bits of nanoseconds. */
    uint64_t ns;
    *ret_ns = fg_mul_overflow(value, unit, &ns) ? UINT64_MAX : ns;
    return 0;
}

void fg_grpc_message_encode(struct fg_buffer *buffer, struct fg_slice text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c >= ' ' && c <= '~' && c != '%') {
            fg_buffer_append_byte(buffer, c);
            continue;
        }
        fg_buffer_append_byte(buffer, '%');
        fg_buffer_append_byte(buffer, (uint8_t)digits[c >> 4]);
        fg_buffer_append_byte(buffer, (uint8_t)digits[c & 15]);
    }
}
