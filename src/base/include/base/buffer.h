/* A growing byte buffer with a bound and a sticky error: write many things, check once at the end.
 * Not thread-safe. */
#pragma once

#include "base/error.h"
#include "base/slice.h"

struct fg_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t size_max;
    int error; /* 0, FG_ELIMIT or FG_ENOMEM; once set, writes do nothing */
};

void fg_buffer_init(struct fg_buffer *buffer, size_t size_max);
void fg_buffer_free(struct fg_buffer *buffer);

/* Keeps the memory, drops the content and the error. */
void fg_buffer_reset(struct fg_buffer *buffer);

/* Room for size more bytes at the end; NULL and a sticky error where there is none. Does not change
 * the size. */
uint8_t *fg_buffer_reserve(struct fg_buffer *buffer, size_t size);

void fg_buffer_append(struct fg_buffer *buffer, const void *data, size_t size);
void fg_buffer_append_slice(struct fg_buffer *buffer, struct fg_slice bytes);
void fg_buffer_append_string(struct fg_buffer *buffer, const char *string);
void fg_buffer_append_format(struct fg_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* count zero bytes. */
void fg_buffer_append_zero(struct fg_buffer *buffer, size_t count);

/* Zeroes up to the next multiple of alignment (a power of two). */
void fg_buffer_align(struct fg_buffer *buffer, size_t alignment);

static inline void fg_buffer_append_byte(struct fg_buffer *buffer, uint8_t byte)
{
    uint8_t *p = fg_buffer_reserve(buffer, 1);
    if (p) {
        *p = byte;
        buffer->size++;
    }
}

static inline struct fg_slice fg_buffer_slice(const struct fg_buffer *buffer)
{
    return fg_slice(buffer->data, buffer->size);
}

/* Little-endian integers, and the base-128 varint of Protocol Buffers' encoding. */
void fg_buffer_append_le16(struct fg_buffer *buffer, uint16_t value);
void fg_buffer_append_le32(struct fg_buffer *buffer, uint32_t value);
void fg_buffer_append_le64(struct fg_buffer *buffer, uint64_t value);
void fg_buffer_append_varint(struct fg_buffer *buffer, uint64_t value);
