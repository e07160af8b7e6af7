/* A segment file from front to back: row group after row group, then index, rollup, footer, tail.
 * Nothing that was written is touched again. */
#include "local/segment_writer.h"

#include "base/hash.h"
#include "local/group_build.h"
#include "local/page_encode.h"
#include "local/segment_hash.h"

#include <assert.h>
#include <stdlib.h>

/* -- Output */

static int write_step(struct fg_segment_writer *writer, size_t at, size_t size)
{
    if (writer->options.pace)
        writer->options.pace(writer->options.pace_arg, size);
    uint64_t offset = writer->offset - writer->pending.size + at;
    int r = fg_file_pwrite(writer->file, offset, writer->pending.data + at, size);
    return r == 0 ? fg_file_write_out(writer->file, offset, size) : r;
}

/* Writes whole steps, and with everything what is left as well. */
static int write_pending(struct fg_segment_writer *writer, bool everything)
{
    struct fg_buffer *pending = &writer->pending;
    size_t at = 0;
    while (pending->size - at >= FG_SEGMENT_STEP_SIZE || (everything && pending->size > at)) {
        size_t rest = pending->size - at;
        size_t size = rest < FG_SEGMENT_STEP_SIZE ? rest : FG_SEGMENT_STEP_SIZE;
        int r = write_step(writer, at, size);
        if (r < 0)
            return writer->error = r;
        at += size;
    }
    if (at) {
        memmove(pending->data, pending->data + at, pending->size - at);
        pending->size -= at;
    }
    return 0;
}

int fg_segment_put(struct fg_segment_writer *writer, struct fg_slice bytes)
{
    if (writer->error)
        return writer->error;
    fg_buffer_append_slice(&writer->pending, bytes);
    if (writer->pending.error)
        return writer->error = writer->pending.error;
    writer->offset += bytes.size;
    return write_pending(writer, false);
}

int fg_segment_put_block(struct fg_segment_writer *writer, struct fg_slice payload,
                         uint64_t *ret_size)
{
    uint8_t checksum[FG_BLOCK_CHECKSUM_SIZE];
    fg_store_le64(checksum, fg_hash_seeded(payload, writer->offset));
    int r = fg_segment_put(writer, payload);
    if (r == 0)
        r = fg_segment_put(writer, fg_slice(checksum, sizeof checksum));
    if (r == 0)
        *ret_size = payload.size + sizeof checksum;
    return r;
}

static int put_header(struct fg_segment_writer *writer)
{
    uint8_t bytes[sizeof(struct fg_segment_header)] = {0};
    memcpy(bytes, FG_SEGMENT_MAGIC, FG_SEGMENT_MAGIC_SIZE);
    fg_store_le32(bytes + offsetof(struct fg_segment_header, version), FG_SEGMENT_VERSION);
    size_t checked = offsetof(struct fg_segment_header, checksum);
    fg_store_le64(bytes + checked, fg_hash(fg_slice(bytes, checked)));
    return fg_segment_put(writer, fg_slice(bytes, sizeof bytes));
}

/* -- Opening and ending */

static void writer_free(struct fg_segment_writer *writer)
{
    fg_file_close(writer->file);
    fg_codec_free(writer->codec);
    fg_buffer_free(&writer->pending);
    fg_buffer_free(&writer->groups);
    fg_buffer_free(&writer->index);
    fg_buffer_free(&writer->rollup);
    free(writer->traces);
    free(writer);
}

int fg_segment_writer_open(struct fg_env *env, const char *path,
                           const struct fg_segment_writer_options *options,
                           struct fg_segment_writer **ret_writer)
{
    struct fg_segment_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return FG_ENOMEM;
    if (options)
        writer->options = *options;
    fg_buffer_init(&writer->pending, SIZE_MAX / 2);
    fg_buffer_init(&writer->groups, SIZE_MAX / 2);
    fg_buffer_init(&writer->index, SIZE_MAX / 2);
    fg_buffer_init(&writer->rollup, SIZE_MAX / 2);
    writer->info.start_ns_min = writer->info.received_ns_min = UINT64_MAX;
    int r = fg_codec_new(&writer->codec);
    if (r == 0)
        r = fg_env_open(env, path, FG_OPEN_WRITE | FG_OPEN_CREATE | FG_OPEN_EXCLUSIVE,
                        &writer->file);
    if (r == 0)
        r = put_header(writer);
    if (r < 0) {
        writer_free(writer);
        return r;
    }
    *ret_writer = writer;
    return 0;
}

void fg_segment_writer_abort(struct fg_segment_writer *writer)
{
    if (writer)
        writer_free(writer);
}

int fg_segment_writer_rollup(struct fg_segment_writer *writer, struct fg_slice bytes)
{
    assert(writer->rollup.size == 0);
    if (writer->error)
        return writer->error;
    fg_buffer_append_slice(&writer->rollup, bytes);
    return writer->rollup.error ? writer->error = writer->rollup.error : 0;
}

/* -- A row group */

static int emit_chunk(void *arg, struct fg_slice payload, uint64_t *ret_size)
{
    return fg_segment_put_block(arg, payload, ret_size);
}

static uint64_t least_start(const struct fg_batch *rows)
{
    uint64_t least = rows->start_ns[0];
    for (uint32_t i = 1; i < rows->span_count; i++)
        if (rows->start_ns[i] < least)
            least = rows->start_ns[i];
    return least;
}

static bool starts_trace(const struct fg_segment_writer *writer, const struct fg_batch *rows,
                         uint32_t row)
{
    if (row > 0)
        return rows->trace_id_high[row] != rows->trace_id_high[row - 1] ||
               rows->trace_id_low[row] != rows->trace_id_low[row - 1];
    return writer->info.span_count == 0 || rows->trace_id_high[0] != writer->last_id_high ||
           rows->trace_id_low[0] != writer->last_id_low;
}

static int note_trace(struct fg_segment_writer *writer, uint64_t id_high, uint64_t id_low)
{
    uint64_t number = writer->info.trace_count;
    if (number == FG_TRACE_COUNT_MAX)
        return FG_ELIMIT;
    if (number == writer->trace_capacity) {
        size_t capacity = writer->trace_capacity ? writer->trace_capacity * 2 : 1024;
        uint64_t *traces = realloc(writer->traces, capacity * sizeof *traces);
        if (!traces)
            return FG_ENOMEM;
        writer->traces = traces;
        writer->trace_capacity = capacity;
    }
    writer->traces[number] = fg_trace_hash(id_high, id_low) << FG_TRACE_NUMBER_BITS | number;
    writer->info.trace_count++;
    return 0;
}

int fg_segment_note_rows(struct fg_segment_writer *writer, const struct fg_batch *rows,
                         struct fg_segment_group_entry *entry)
{
    struct fg_segment_info *info = &writer->info;
    uint64_t traces = info->trace_count;
    entry->start_ns_min = UINT64_MAX;
    for (uint32_t i = 0; i < rows->span_count; i++) {
        uint64_t start = rows->start_ns[i], end = rows->end_ns[i], received = rows->received_ns[i];
        if (starts_trace(writer, rows, i)) {
            int r = note_trace(writer, rows->trace_id_high[i], rows->trace_id_low[i]);
            if (r < 0)
                return r;
        }
        entry->start_ns_min = start < entry->start_ns_min ? start : entry->start_ns_min;
        entry->start_ns_max = start > entry->start_ns_max ? start : entry->start_ns_max;
        info->end_ns_max = end > info->end_ns_max ? end : info->end_ns_max;
        info->received_ns_min = received < info->received_ns_min ? received : info->received_ns_min;
        info->received_ns_max = received > info->received_ns_max ? received : info->received_ns_max;
    }
    if (entry->start_ns_min < info->start_ns_min)
        info->start_ns_min = entry->start_ns_min;
    if (entry->start_ns_max > info->start_ns_max)
        info->start_ns_max = entry->start_ns_max;
    info->span_count += rows->span_count;
    writer->last_id_high = rows->trace_id_high[rows->span_count - 1];
    writer->last_id_low = rows->trace_id_low[rows->span_count - 1];
    entry->row_count = rows->span_count;
    entry->trace_count = (uint32_t)(info->trace_count - traces);
    return 0;
}

static int put_pages(struct fg_segment_writer *writer, struct fg_group_build *group,
                     struct fg_buffer *directory)
{
    const struct fg_batch *rows = group->batch;
    struct fg_page_encoder encoder;
    int r = fg_page_encoder_init(&encoder, writer->codec, group);
    encoder.group_start_ns_min = least_start(rows);
    encoder.directory = directory;
    encoder.emit = emit_chunk;
    encoder.arg = writer;
    for (uint32_t i = 0; r == 0 && i < group->page_count; i++) {
        bool continued = !starts_trace(writer, rows, group->pages[i].row_begin);
        r = fg_page_encode(&encoder, group->pages[i], continued);
    }
    fg_page_encoder_free(&encoder);
    return r;
}

/* What is in scratch becomes a block; scratch is empty again. */
static int put_scratch(struct fg_segment_writer *writer, struct fg_buffer *scratch,
                       uint64_t *ret_size)
{
    int r = scratch->error;
    if (r == 0)
        r = fg_segment_put_block(writer, fg_buffer_slice(scratch), ret_size);
    fg_buffer_reset(scratch);
    return r;
}

static int put_filters(struct fg_segment_writer *writer, struct fg_group_build *group,
                       struct fg_buffer *scratch, uint32_t *ret_dictionary_filter_size)
{
    uint64_t size;
    fg_group_encode_dictionary_filter(group, scratch);
    int r = put_scratch(writer, scratch, &size);
    if (r < 0)
        return r;
    *ret_dictionary_filter_size = (uint32_t)size;
    for (uint32_t i = 0; r == 0 && i < group->column_count; i++) {
        struct fg_column_build *column = &group->columns[i];
        fg_group_encode_filter(group, column, scratch);
        if (scratch->size == 0 && !scratch->error)
            continue;
        r = put_scratch(writer, scratch, &size);
        column->filter_size = r == 0 ? (uint32_t)size : 0;
    }
    return r;
}

int fg_segment_put_group_entry(struct fg_segment_writer *writer,
                               const struct fg_segment_group_entry *entry)
{
    struct fg_buffer *out = &writer->groups;
    fg_buffer_append_le64(out, entry->chunks_size);
    fg_buffer_append_le64(out, entry->start_ns_min);
    fg_buffer_append_le64(out, entry->start_ns_max);
    fg_buffer_append_le32(out, entry->row_count);
    fg_buffer_append_le32(out, entry->trace_count);
    fg_buffer_append_le32(out, entry->filters_size);
    fg_buffer_append_le32(out, entry->dictionary_size);
    fg_buffer_append_le32(out, entry->directory_size);
    fg_buffer_append_le32(out, entry->head_size);
    fg_buffer_append_le32(out, entry->columns_size);
    fg_buffer_append_le32(out, entry->reserved);
    writer->info.row_group_count++;
    return out->error;
}

/* A size for an entry of the footer: more than 32 bits is a group that no reader would take. */
static int size32(uint64_t size, uint32_t *ret_size)
{
    if (size > UINT32_MAX)
        return FG_ELIMIT;
    *ret_size = (uint32_t)size;
    return 0;
}

static int put_shared(struct fg_segment_writer *writer, struct fg_group_build *group,
                      struct fg_buffer *directory, struct fg_buffer *scratch,
                      struct fg_segment_group_entry *entry)
{
    uint32_t dictionary_filter_size = 0;
    uint64_t begin = writer->offset, size = 0;
    int r = put_filters(writer, group, scratch, &dictionary_filter_size);
    if (r == 0)
        r = size32(writer->offset - begin, &entry->filters_size);
    if (r < 0)
        return r;
    fg_group_encode_dictionary(group, writer->codec, scratch);
    r = put_scratch(writer, scratch, &size);
    if (r == 0)
        r = size32(size, &entry->dictionary_size);
    if (r < 0)
        return r;
    fg_blob_encode(writer->codec, fg_buffer_slice(directory), scratch);
    r = put_scratch(writer, scratch, &size);
    if (r == 0)
        r = size32(size, &entry->directory_size);
    if (r < 0)
        return r;
    fg_group_encode_head(group, writer->codec, scratch);
    r = put_scratch(writer, scratch, &size);
    if (r == 0)
        r = size32(size, &entry->head_size);
    if (r < 0)
        return r;
    fg_group_encode_columns(group, dictionary_filter_size, scratch);
    r = put_scratch(writer, scratch, &size);
    return r < 0 ? r : size32(size, &entry->columns_size);
}

static int put_group(struct fg_segment_writer *writer, struct fg_group_build *group,
                     const struct fg_batch *rows)
{
    struct fg_segment_group_entry entry = {0};
    struct fg_buffer directory, scratch;
    fg_buffer_init(&directory, FG_SEGMENT_TEXT_SIZE_MAX);
    fg_buffer_init(&scratch, FG_SEGMENT_TEXT_SIZE_MAX);
    uint64_t begin = writer->offset;
    int r = put_pages(writer, group, &directory);
    entry.chunks_size = writer->offset - begin;
    if (r == 0)
        r = directory.error;
    if (r == 0)
        r = put_shared(writer, group, &directory, &scratch, &entry);
    if (r == 0)
        r = fg_segment_note_rows(writer, rows, &entry);
    if (r == 0)
        r = fg_segment_put_group_entry(writer, &entry);
    fg_buffer_free(&directory);
    fg_buffer_free(&scratch);
    return r;
}

int fg_segment_writer_add(struct fg_segment_writer *writer, const struct fg_batch *rows)
{
    assert(rows->span_count <= FG_ROW_GROUP_ROWS_MAX);
    if (writer->error || rows->span_count == 0)
        return writer->error;
    struct fg_group_build group;
    int r = fg_group_build(&group, rows);
    if (r == 0)
        r = fg_group_choose_forms(&group);
    if (r == 0)
        r = put_group(writer, &group, rows);
    fg_group_build_free(&group);
    return writer->error = r;
}

/* -- The end */

static int put_footer(struct fg_segment_writer *writer, uint64_t rollup_size)
{
    const struct fg_segment_info *info = &writer->info;
    struct fg_buffer footer;
    fg_buffer_init(&footer, SIZE_MAX / 2);
    fg_buffer_append_le64(&footer, info->span_count);
    fg_buffer_append_le64(&footer, info->trace_count);
    fg_buffer_append_le64(&footer, info->start_ns_min);
    fg_buffer_append_le64(&footer, info->start_ns_max);
    fg_buffer_append_le64(&footer, info->end_ns_max);
    fg_buffer_append_le64(&footer, info->received_ns_min);
    fg_buffer_append_le64(&footer, info->received_ns_max);
    fg_buffer_append_le64(&footer, rollup_size);
    fg_buffer_append_le32(&footer, info->row_group_count);
    size_t entries = writer->index.size / sizeof(struct fg_segment_index_entry);
    fg_buffer_append_le32(&footer, (uint32_t)entries);
    fg_buffer_append_slice(&footer, fg_buffer_slice(&writer->groups));
    fg_buffer_append_slice(&footer, fg_buffer_slice(&writer->index));
    uint64_t offset = writer->offset, size = 0;
    int r = footer.error;
    if (r == 0)
        r = fg_segment_put_block(writer, fg_buffer_slice(&footer), &size);
    fg_buffer_free(&footer);
    if (r < 0)
        return r;
    uint8_t tail[sizeof(struct fg_segment_tail)] = {0};
    fg_store_le64(tail + offsetof(struct fg_segment_tail, footer_offset), offset);
    fg_store_le64(tail + offsetof(struct fg_segment_tail, footer_size), size);
    fg_store_le64(tail + offsetof(struct fg_segment_tail, file_size), writer->offset + sizeof tail);
    fg_store_le32(tail + offsetof(struct fg_segment_tail, version), FG_SEGMENT_VERSION);
    memcpy(tail + offsetof(struct fg_segment_tail, magic), FG_SEGMENT_MAGIC, FG_SEGMENT_MAGIC_SIZE);
    size_t checked = offsetof(struct fg_segment_tail, checksum);
    fg_store_le64(tail + checked, fg_hash(fg_slice(tail, checked)));
    return fg_segment_put(writer, fg_slice(tail, sizeof tail));
}

static int finish(struct fg_segment_writer *writer)
{
    struct fg_segment_info *info = &writer->info;
    if (info->span_count == 0)
        info->start_ns_min = info->received_ns_min = 0;
    uint64_t rollup_size = 0;
    int r = writer->error;
    if (r == 0)
        r = fg_segment_put_index(writer);
    if (r == 0 && writer->rollup.size)
        r = fg_segment_put_block(writer, fg_buffer_slice(&writer->rollup), &rollup_size);
    if (r == 0)
        r = put_footer(writer, rollup_size);
    if (r == 0)
        r = write_pending(writer, true);
    if (r == 0)
        r = fg_file_sync(writer->file);
    info->size_bytes = writer->offset;
    return r;
}

int fg_segment_writer_finish_take(struct fg_segment_writer *writer,
                                  struct fg_segment_info *ret_info)
{
    int r = finish(writer);
    if (r == 0)
        *ret_info = writer->info;
    writer_free(writer);
    return r;
}
