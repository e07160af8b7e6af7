#include "wire/protobuf.h"

#define VARINT_SIZE_MAX 10
#define TAG_SIZE_MAX    5
#define HEAD_SIZE_MAX   (TAG_SIZE_MAX + VARINT_SIZE_MAX)

int fg_pb_read_varint_long(struct fg_pb_reader *reader, uint64_t *ret_value)
{
    const uint8_t *at = reader->at;
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && at < reader->end; shift += 7) {
        uint8_t byte = *at++;
        /* The tenth byte has room for the 64th bit alone. */
        if (shift == 63 && byte > 1)
            return FG_EINVALID;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            reader->at = at;
            *ret_value = value;
            return 0;
        }
    }
    return FG_EINVALID;
}

static int skip_bytes(struct fg_pb_reader *reader, size_t size)
{
    if ((size_t)(reader->end - reader->at) < size)
        return FG_EINVALID;
    reader->at += size;
    return 0;
}

int fg_pb_skip(struct fg_pb_reader *reader, uint32_t tag)
{
    uint64_t value;
    struct fg_slice bytes;
    switch (tag & 7) {
    case FG_PB_VARINT:
        return fg_pb_read_varint(reader, &value);
    case FG_PB_FIXED64:
        return skip_bytes(reader, 8);
    case FG_PB_BYTES:
        return fg_pb_read_bytes(reader, &bytes);
    case FG_PB_FIXED32:
        return skip_bytes(reader, 4);
    default:
        return FG_EINVALID;
    }
}

static size_t store_varint(uint8_t *out, uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        out[size++] = (uint8_t)(value | 0x80);
    out[size++] = (uint8_t)value;
    return size;
}

/* A head (a tag, and a varint or a fixed number) is written where it stays if the buffer has the
 * room, and else at a place of the caller's, from which it is appended. */
static inline uint8_t *head_begin(const struct fg_buffer *buffer, uint8_t place[HEAD_SIZE_MAX])
{
    bool has_room = !buffer->error && buffer->capacity - buffer->size >= HEAD_SIZE_MAX;
    return has_room ? buffer->data + buffer->size : place;
}

static inline void head_end(struct fg_buffer *buffer, const uint8_t *head, const uint8_t *place,
                            size_t size)
{
    if (head == place)
        fg_buffer_append(buffer, head, size);
    else
        buffer->size += size;
}

void fg_pb_put_varint(struct fg_buffer *buffer, uint32_t number, uint64_t value)
{
    uint8_t place[HEAD_SIZE_MAX], *head = head_begin(buffer, place);
    size_t size = store_varint(head, FG_PB_TAG(number, FG_PB_VARINT));
    size += store_varint(head + size, value);
    head_end(buffer, head, place, size);
}

void fg_pb_put_fixed32(struct fg_buffer *buffer, uint32_t number, uint32_t value)
{
    uint8_t place[HEAD_SIZE_MAX], *head = head_begin(buffer, place);
    size_t size = store_varint(head, FG_PB_TAG(number, FG_PB_FIXED32));
    fg_store_le32(head + size, value);
    head_end(buffer, head, place, size + sizeof value);
}

void fg_pb_put_fixed64(struct fg_buffer *buffer, uint32_t number, uint64_t value)
{
    uint8_t place[HEAD_SIZE_MAX], *head = head_begin(buffer, place);
    size_t size = store_varint(head, FG_PB_TAG(number, FG_PB_FIXED64));
    fg_store_le64(head + size, value);
    head_end(buffer, head, place, size + sizeof value);
}

void fg_pb_put_double(struct fg_buffer *buffer, uint32_t number, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    fg_pb_put_fixed64(buffer, number, bits);
}

void fg_pb_put_bytes(struct fg_buffer *buffer, uint32_t number, struct fg_slice bytes)
{
    uint8_t place[HEAD_SIZE_MAX], *head = head_begin(buffer, place);
    size_t size = store_varint(head, FG_PB_TAG(number, FG_PB_BYTES));
    size += store_varint(head + size, bytes.size);
    head_end(buffer, head, place, size);
    fg_buffer_append_slice(buffer, bytes);
}

size_t fg_pb_begin(struct fg_buffer *buffer, uint32_t number)
{
    uint8_t place[HEAD_SIZE_MAX], *head = head_begin(buffer, place);
    size_t size = store_varint(head, FG_PB_TAG(number, FG_PB_BYTES));
    head[size++] = 0;
    head_end(buffer, head, place, size);
    return buffer->size;
}

void fg_pb_end(struct fg_buffer *buffer, size_t mark)
{
    if (buffer->error)
        return;
    uint8_t length[VARINT_SIZE_MAX];
    size_t content_size = buffer->size - mark;
    size_t length_size = store_varint(length, content_size);
    size_t more = length_size - 1;
    if (more && !fg_buffer_reserve(buffer, more))
        return;
    uint8_t *content = buffer->data + mark;
    if (more)
        memmove(content + more, content, content_size);
    memcpy(content - 1, length, length_size);
    buffer->size += more;
}
