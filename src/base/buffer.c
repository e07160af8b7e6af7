#include "base/buffer.h"

#include "base/checked.h"
#include "base/endian.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void fg_buffer_init(struct fg_buffer *buffer, size_t size_max)
{
    *buffer = (struct fg_buffer){.size_max = size_max};
}

void fg_buffer_free(struct fg_buffer *buffer)
{
    if (!buffer)
        return;
    free(buffer->data);
    *buffer = (struct fg_buffer){.size_max = buffer->size_max};
}

void fg_buffer_reset(struct fg_buffer *buffer)
{
    buffer->size = 0;
    buffer->error = 0;
}

uint8_t *fg_buffer_reserve(struct fg_buffer *buffer, size_t size)
{
    if (buffer->error)
        return NULL;
    if (size <= buffer->capacity - buffer->size)
        return buffer->data + buffer->size;
    size_t need;
    if (fg_add_overflow(buffer->size, size, &need) || need > buffer->size_max) {
        buffer->error = FG_ELIMIT;
        return NULL;
    }
    size_t capacity = buffer->capacity + buffer->capacity / 2;
    if (capacity < need)
        capacity = need;
    if (capacity < 64)
        capacity = 64;
    if (capacity > buffer->size_max)
        capacity = buffer->size_max;
    uint8_t *data = realloc(buffer->data, capacity);
    if (!data) {
        buffer->error = FG_ENOMEM;
        return NULL;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return data + buffer->size;
}

void fg_buffer_append(struct fg_buffer *buffer, const void *data, size_t size)
{
    if (size == 0)
        return;
    bool has_room = !buffer->error && size <= buffer->capacity - buffer->size;
    uint8_t *p = has_room ? buffer->data + buffer->size : fg_buffer_reserve(buffer, size);
    if (!p)
        return;
    memcpy(p, data, size);
    buffer->size += size;
}

void fg_buffer_append_slice(struct fg_buffer *buffer, struct fg_slice bytes)
{
    fg_buffer_append(buffer, bytes.data, bytes.size);
}

void fg_buffer_append_string(struct fg_buffer *buffer, const char *string)
{
    fg_buffer_append(buffer, string, strlen(string));
}

void fg_buffer_append_format(struct fg_buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    uint8_t *p = size < 0 ? NULL : fg_buffer_reserve(buffer, (size_t)size + 1);
    if (p) {
        vsnprintf((char *)p, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
}

void fg_buffer_append_zero(struct fg_buffer *buffer, size_t count)
{
    if (count == 0)
        return;
    uint8_t *p = fg_buffer_reserve(buffer, count);
    if (!p)
        return;
    memset(p, 0, count);
    buffer->size += count;
}

void fg_buffer_align(struct fg_buffer *buffer, size_t alignment)
{
    fg_buffer_append_zero(buffer, (alignment - (buffer->size & (alignment - 1))) & (alignment - 1));
}

void fg_buffer_append_le16(struct fg_buffer *buffer, uint16_t value)
{
    uint8_t bytes[sizeof value];
    fg_store_le16(bytes, value);
    fg_buffer_append(buffer, bytes, sizeof bytes);
}

void fg_buffer_append_le32(struct fg_buffer *buffer, uint32_t value)
{
    uint8_t bytes[sizeof value];
    fg_store_le32(bytes, value);
    fg_buffer_append(buffer, bytes, sizeof bytes);
}

void fg_buffer_append_le64(struct fg_buffer *buffer, uint64_t value)
{
    uint8_t bytes[sizeof value];
    fg_store_le64(bytes, value);
    fg_buffer_append(buffer, bytes, sizeof bytes);
}

void fg_buffer_append_varint(struct fg_buffer *buffer, uint64_t value)
{
    uint8_t bytes[10];
    size_t size = 0;
    while (value >= 0x80) {
        bytes[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[size++] = (uint8_t)value;
    fg_buffer_append(buffer, bytes, size);
}
