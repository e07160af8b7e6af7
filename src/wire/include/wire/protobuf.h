/* Protocol Buffers' wire format (protobuf.dev/programming-guides/encoding): a checked reader over
 * borrowed bytes and a writer onto a buffer.
 *
 * The reader never looks past its end and never copies: length-delimited fields come out as slices
 * of the input. A malformed input is FG_EINVALID and leaves the reader where the bad item starts.
 * Refused are varints of more than ten bytes or 64 bits, field number 0 and numbers above 2^29 - 1,
 * lengths past the end, and groups (wire types 3 and 4), which proto3 does not have.
 *
 * A packed field is a length-delimited one whose bytes are a row of values: read it with a reader
 * of its own until fg_pb_reader_done(). */
#pragma once

#include "base/buffer.h"
#include "base/endian.h"
#include "base/error.h"
#include "base/slice.h"

enum fg_pb_type {
    FG_PB_VARINT = 0,
    FG_PB_FIXED64 = 1,
    FG_PB_BYTES = 2, /* string, bytes, message, packed */
    FG_PB_FIXED32 = 5,
};

/* A field's number and its wire type, as one comparable constant. */
#define FG_PB_TAG(number, type) ((uint32_t)(number) << 3 | (uint32_t)(type))

struct fg_pb_reader {
    const uint8_t *at;
    const uint8_t *end;
};

static inline struct fg_pb_reader fg_pb_reader(struct fg_slice message)
{
    /* NULL is a fine empty message, and takes no part in sums. */
    const uint8_t *end = message.size ? message.data + message.size : message.data;
    return (struct fg_pb_reader){message.data, end};
}

static inline bool fg_pb_reader_done(const struct fg_pb_reader *reader)
{
    return reader->at == reader->end;
}

/* The parts of fg_pb_read_varint() and fg_pb_skip() that are seldom taken. */
FG_MUST_CHECK int fg_pb_read_varint_long(struct fg_pb_reader *reader, uint64_t *ret_value);

FG_MUST_CHECK static inline int fg_pb_read_varint(struct fg_pb_reader *reader, uint64_t *ret_value)
{
    if (reader->at < reader->end && *reader->at < 0x80) {
        *ret_value = *reader->at++;
        return 0;
    }
    return fg_pb_read_varint_long(reader, ret_value);
}

/* number << 3 | wire type; the wire type is one of enum fg_pb_type. */
FG_MUST_CHECK static inline int fg_pb_read_tag(struct fg_pb_reader *reader, uint32_t *ret_tag)
{
    const uint8_t *start = reader->at;
    uint64_t tag;
    int r = fg_pb_read_varint(reader, &tag);
    if (r < 0)
        return r;
    /* A set bit for each wire type that may be: 0, 1, 2 and 5. */
    if (tag < 8 || tag > UINT32_MAX || (0x27u >> (tag & 7) & 1) == 0) {
        reader->at = start;
        return FG_EINVALID;
    }
    *ret_tag = (uint32_t)tag;
    return 0;
}

FG_MUST_CHECK static inline int fg_pb_read_fixed32(struct fg_pb_reader *reader, uint32_t *ret_value)
{
    if ((size_t)(reader->end - reader->at) < sizeof *ret_value)
        return FG_EINVALID;
    *ret_value = fg_load_le32(reader->at);
    reader->at += sizeof *ret_value;
    return 0;
}

FG_MUST_CHECK static inline int fg_pb_read_fixed64(struct fg_pb_reader *reader, uint64_t *ret_value)
{
    if ((size_t)(reader->end - reader->at) < sizeof *ret_value)
        return FG_EINVALID;
    *ret_value = fg_load_le64(reader->at);
    reader->at += sizeof *ret_value;
    return 0;
}

/* A slice of the input. */
FG_MUST_CHECK static inline int fg_pb_read_bytes(struct fg_pb_reader *reader,
                                                 struct fg_slice *ret_bytes)
{
    const uint8_t *start = reader->at;
    uint64_t size;
    int r = fg_pb_read_varint(reader, &size);
    if (r < 0)
        return r;
    if (size > (uint64_t)(reader->end - reader->at)) {
        reader->at = start;
        return FG_EINVALID;
    }
    *ret_bytes = fg_slice(reader->at, (size_t)size);
    reader->at += size;
    return 0;
}

/* Steps over the value that belongs to a tag just read. */
FG_MUST_CHECK int fg_pb_skip(struct fg_pb_reader *reader, uint32_t tag);

/* -- Writing: errors are the buffer's sticky error. Values are written also where they are the
 * proto3 default; the caller leaves those out.
 * ------------------------------------------------------------------------------------ */

void fg_pb_put_varint(struct fg_buffer *buffer, uint32_t number, uint64_t value);
void fg_pb_put_fixed32(struct fg_buffer *buffer, uint32_t number, uint32_t value);
void fg_pb_put_fixed64(struct fg_buffer *buffer, uint32_t number, uint64_t value);
void fg_pb_put_double(struct fg_buffer *buffer, uint32_t number, double value);
void fg_pb_put_bytes(struct fg_buffer *buffer, uint32_t number, struct fg_slice bytes);

/* Starts a nested message; what is written until fg_pb_end() is its content. One byte is kept for
 * the length, and a content of 128 bytes and more is moved up by what its length needs. */
FG_MUST_CHECK size_t fg_pb_begin(struct fg_buffer *buffer, uint32_t number);
void fg_pb_end(struct fg_buffer *buffer, size_t mark);
