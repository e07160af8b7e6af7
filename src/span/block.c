/* The frozen batch, version 1. All numbers are little-endian; every part starts at a multiple of 8
 * and is filled up to the next with zero bytes, so that it can be read where it lies.
 *
 *      0  u32  magic, the bytes "FGFB"
 *      4  u16  version, 1
 *      6  u16  0
 *      8  u64  size of the whole in bytes
 *     16  u64  columns that are present: bit i for column i of enum fg_column
 *     24  u32  rows of the ten tables of enum fg_table
 *     64  u32  strings
 *     68  u32  bytes of all strings
 *     72       the columns that are present, by number, each an array of its element:
 *              as many as its table has rows, and one more in a begin column
 *              u32 for each string, where it ends among the bytes
 *              the bytes of the strings, one after the other
 *
 * There are no offsets: the counts and the set of columns give them. A column is absent when it has
 * no rows; a begin column when its children have none; a rare one also when all of it is 0. String
 * 0 is the empty string.
 *
 * In memory a block is one allocation: struct fg_block, the slices of the strings, the payload. */
#include "span/block.h"

#include "base/endian.h"
#include "block_layout.h"
#include "builder_state.h"

#include <stdatomic.h>
#include <stdlib.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "columns are read where they lie");
_Static_assert(FG_TABLE_COUNT == 10, "the header has a place for each table");

struct fg_block {
    atomic_uint references;
    uint64_t size_bytes; /* of the allocation */
    struct fg_slice payload;
    struct fg_batch batch;
    struct fg_slice strings[];
};

static uint64_t aligned(uint64_t size)
{
    return (size + 7) & ~UINT64_C(7);
}

void fg_block_layout(const struct fg_block_header *header, struct fg_block_layout *ret_layout)
{
    uint64_t at = FG_BLOCK_HEADER_SIZE;
    for (uint32_t i = 0; i < FG_COL_COUNT; i++) {
        const struct fg_column_def *def = &fg_column_defs[i];
        bool is_present = header->columns & fg_column_bit(i);
        ret_layout->columns[i] = is_present ? at : 0;
        if (is_present)
            at += aligned(fg_column_length(def, header->counts[def->table]) * def->size);
    }
    ret_layout->string_ends = at;
    at += aligned((uint64_t)header->string_count * sizeof(uint32_t));
    ret_layout->string_bytes = at;
    ret_layout->size_bytes = at + aligned(header->string_bytes);
}

/* One reference, payload not written yet. */
static int block_new(uint32_t string_count, uint64_t payload_size, struct fg_block **ret_block,
                     uint8_t **ret_payload)
{
    uint64_t head_size = sizeof(struct fg_block) + string_count * (uint64_t)sizeof(struct fg_slice);
    if (payload_size > SIZE_MAX - head_size)
        return FG_ENOMEM;
    struct fg_block *block = malloc(head_size + payload_size);
    if (!block)
        return FG_ENOMEM;
    uint8_t *payload = (uint8_t *)block + head_size;
    atomic_init(&block->references, 1);
    block->size_bytes = head_size + payload_size;
    block->payload = fg_slice(payload, payload_size);
    *ret_block = block;
    *ret_payload = payload;
    return 0;
}

/* Points the batch at the payload's parts. */
static void view(struct fg_block *block, uint8_t *payload, const struct fg_block_header *header,
                 const struct fg_block_layout *layout)
{
    void *columns[FG_COL_COUNT];
    for (uint32_t i = 0; i < FG_COL_COUNT; i++)
        columns[i] = layout->columns[i] ? payload + layout->columns[i] : NULL;
    const uint32_t *ends = (const uint32_t *)(payload + layout->string_ends);
    uint32_t begin = 0;
    for (uint32_t i = 0; i < header->string_count; i++) {
        block->strings[i] = fg_slice(payload + layout->string_bytes + begin, ends[i] - begin);
        begin = ends[i];
    }
    block->batch =
        (struct fg_batch){.strings = block->strings, .string_count = header->string_count};
    fg_columns_view(header->counts, columns, &block->batch);
}

/* -- Freezing */

static void write_header(uint8_t *payload, const struct fg_block_header *header)
{
    fg_store_le32(payload, FG_BLOCK_MAGIC);
    fg_store_le16(payload + 4, FG_BLOCK_VERSION);
    fg_store_le16(payload + 6, 0);
    fg_store_le64(payload + 8, header->size_bytes);
    fg_store_le64(payload + 16, header->columns);
    for (int i = 0; i < FG_TABLE_COUNT; i++)
        fg_store_le32(payload + 24 + 4 * i, header->counts[i]);
    fg_store_le32(payload + 64, header->string_count);
    fg_store_le32(payload + 68, header->string_bytes);
}

static void write_part(uint8_t *payload, uint64_t at, const void *bytes, size_t size)
{
    if (size)
        memcpy(payload + at, bytes, size);
    memset(payload + at + size, 0, aligned(size) - size);
}

static void write_strings(uint8_t *payload, const struct fg_block_layout *layout,
                          const struct fg_strings *strings)
{
    uint32_t *ends = (uint32_t *)(payload + layout->string_ends);
    uint32_t end = 0;
    for (uint32_t i = 0; i < strings->count; i++) {
        end += (uint32_t)strings->slices[i].size;
        ends[i] = end;
    }
    if (strings->count % 2)
        ends[strings->count] = 0;
    write_part(payload, layout->string_bytes, strings->bytes, strings->used_bytes);
}

int fg_block_freeze(struct fg_builder *builder, struct fg_block **ret_block)
{
    void *columns[FG_COL_COUNT];
    const struct fg_strings *strings = &builder->strings;
    struct fg_block_header header = {.string_count = strings->count,
                                     .string_bytes = (uint32_t)strings->used_bytes};
    fg_rows_ended(builder, header.counts, columns);
    for (uint32_t i = 0; i < FG_COL_COUNT; i++)
        header.columns |= columns[i] ? fg_column_bit(i) : 0;
    struct fg_block_layout layout;
    fg_block_layout(&header, &layout);
    header.size_bytes = layout.size_bytes;

    struct fg_block *block;
    uint8_t *payload;
    int r = block_new(header.string_count, header.size_bytes, &block, &payload);
    if (r < 0)
        return r;
    write_header(payload, &header);
    for (uint32_t i = 0; i < FG_COL_COUNT; i++) {
        const struct fg_column_def *def = &fg_column_defs[i];
        if (columns[i])
            write_part(payload, layout.columns[i], columns[i],
                       fg_column_length(def, header.counts[def->table]) * def->size);
    }
    write_strings(payload, &layout, strings);
    view(block, payload, &header, &layout);
    *ret_block = block;
    return 0;
}

/* -- Reading back */

int fg_block_parse(struct fg_slice payload, struct fg_block **ret_block)
{
    struct fg_block_header header;
    struct fg_block_layout layout;
    int r = fg_block_check_header(payload, &header, &layout);
    if (r < 0)
        return r;
    struct fg_block *block;
    uint8_t *copy;
    r = block_new(header.string_count, header.size_bytes, &block, &copy);
    if (r < 0)
        return r;
    memcpy(copy, payload.data, payload.size);
    /* The slices' place is free until the strings are known to be good. */
    r = fg_block_check_content(copy, &header, &layout, (uint64_t *)(void *)block->strings);
    if (r < 0) {
        free(block);
        return r;
    }
    view(block, copy, &header, &layout);
    *ret_block = block;
    return 0;
}

/* -- Holding */

struct fg_block *fg_block_ref(struct fg_block *block)
{
    atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
    return block;
}

void fg_block_unref(struct fg_block *block)
{
    if (block && atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) == 1)
        free(block);
}

const struct fg_batch *fg_block_batch(const struct fg_block *block)
{
    return &block->batch;
}

struct fg_slice fg_block_payload(const struct fg_block *block)
{
    return block->payload;
}

uint64_t fg_block_size_bytes(const struct fg_block *block)
{
    return block->size_bytes;
}
