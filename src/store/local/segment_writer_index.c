/* The trace index: all traces by hash, cut into parts of neighbours, each with a filter of its
 * hashes and the traces' numbers in the file. The reading side is segment_trace.c.
 *
 * A part is two blocks: a fuse filter; and varint of a shift, then as arrays of numbers the hashes
 * without their low bits, ascending, and the numbers. The shift leaves 8 bits more of a hash than
 * it takes to tell the file's traces apart: what they do not tell, the trace's ids do. */
#include "local/segment_writer.h"

#include "local/fuse.h"
#include "local/segment_hash.h"

#include <stdlib.h>

#define HASH_BITS      (64u - FG_TRACE_NUMBER_BITS)
#define HASH_BITS_MORE 8u

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

struct part {
    uint64_t values[FG_INDEX_TRACES_MAX];
    struct fg_buffer bytes;
};

static int put_part(struct fg_segment_writer *writer, struct part *part, const uint64_t *traces,
                    uint32_t count, unsigned shift)
{
    struct fg_segment_index_entry entry = {.hash_min = traces[0] >> FG_TRACE_NUMBER_BITS,
                                           .trace_count = count};
    struct fg_buffer *out = &part->bytes;
    for (uint32_t i = 0; i < count; i++)
        part->values[i] = traces[i] >> FG_TRACE_NUMBER_BITS;
    fg_buffer_reset(out);
    fg_fuse_encode(part->values, count, out);
    uint64_t size = 0;
    int r = out->error;
    if (r == 0)
        r = fg_segment_put_block(writer, fg_buffer_slice(out), &size);
    entry.filter_size = (uint32_t)size;
    if (r < 0)
        return r;
    fg_buffer_reset(out);
    fg_buffer_append_varint(out, shift);
    for (uint32_t i = 0; i < count; i++)
        part->values[i] >>= shift;
    fg_int_encode(writer->codec, part->values, count, NULL, out);
    for (uint32_t i = 0; i < count; i++)
        part->values[i] = traces[i] & (FG_TRACE_COUNT_MAX - 1);
    fg_int_encode(writer->codec, part->values, count, NULL, out);
    r = out->error;
    if (r == 0)
        r = fg_segment_put_block(writer, fg_buffer_slice(out), &size);
    entry.places_size = (uint32_t)size;
    fg_buffer_append_le64(&writer->index, entry.hash_min);
    fg_buffer_append_le32(&writer->index, entry.trace_count);
    fg_buffer_append_le32(&writer->index, entry.filter_size);
    fg_buffer_append_le32(&writer->index, entry.places_size);
    fg_buffer_append_le32(&writer->index, entry.reserved);
    return r < 0 ? r : writer->index.error;
}

int fg_segment_put_index(struct fg_segment_writer *writer)
{
    size_t count = (size_t)writer->info.trace_count;
    if (count == 0)
        return 0;
    qsort(writer->traces, count, sizeof *writer->traces, compare_u64);
    struct part *part = malloc(sizeof *part);
    if (!part)
        return FG_ENOMEM;
    fg_buffer_init(&part->bytes, SIZE_MAX / 2);
    unsigned bits = fg_bits_width(count) + HASH_BITS_MORE;
    unsigned shift = bits < HASH_BITS ? HASH_BITS - bits : 0;
    int r = 0;
    for (size_t begin = 0; r == 0 && begin < count;) {
        size_t end = begin + FG_INDEX_TRACES_MAX < count ? begin + FG_INDEX_TRACES_MAX : count;
        r = put_part(writer, part, writer->traces + begin, (uint32_t)(end - begin), shift);
        begin = end;
    }
    fg_buffer_free(&part->bytes);
    free(part);
    return r;
}
