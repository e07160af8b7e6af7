#include "local/segment_copy.h"

#include "local/segment_writer.h"
#include "local/trace_pages.h"

#include <stdlib.h>

/* Bytes of a row group that are read at once; a larger one would be damage. */
#define COPY_SIZE_MAX ((uint64_t)256 << 20)

struct copy {
    struct fg_segment_writer *writer;
    const struct fg_segment_group *place;
    uint8_t *bytes; /* of the whole row group */
    uint64_t end;   /* in its file */
    uint64_t at;    /* in its file: the next block's offset */
};

static uint64_t group_size(const struct fg_segment_group *group)
{
    return fg_group_columns_offset(group) + group->entry.columns_size - group->offset;
}

void fg_segment_group_at(const struct fg_segment *segment, uint64_t row,
                         struct fg_segment_group_place *ret_place)
{
    uint32_t number = fg_segment_group_of(segment, row);
    const struct fg_segment_group *group = &segment->groups[number];
    *ret_place = (struct fg_segment_group_place){.number = number,
                                                 .row_count = group->entry.row_count,
                                                 .trace_count = group->entry.trace_count,
                                                 .row_begin = group->row_begin,
                                                 .size_bytes = group_size(group)};
}

int fg_segment_group_has_marks(struct fg_segment *segment, uint32_t number, bool *ret_has)
{
    struct fg_group *group;
    int r = fg_group_load_columns(segment, number, NULL, &group);
    if (r < 0)
        return r;
    *ret_has = false;
    for (uint32_t i = 0; i < group->column_count && !*ret_has; i++)
        *ret_has =
            group->columns[i].level == FG_LEVEL_SPAN && group->columns[i].part == FG_PART_MARKS;
    fg_group_unref(group);
    return 0;
}

static int copy_block(struct copy *copy, uint64_t size)
{
    const uint8_t *block = copy->bytes + (copy->at - copy->place->offset);
    if (size > copy->end - copy->at || !fg_block_is_whole(block, size, copy->at))
        return FG_ECORRUPT;
    uint64_t written;
    struct fg_slice payload = fg_slice(block, (size_t)size - FG_BLOCK_CHECKSUM_SIZE);
    int r = fg_segment_put_block(copy->writer, payload, &written);
    copy->at += size;
    return r;
}

/* Blocks lie without gaps, in the order of the directory (directory.c) and of the columns. */
static int copy_blocks(struct copy *copy, const struct fg_trace_pages *pages)
{
    const struct fg_group *group = pages->group;
    const struct fg_segment_group_entry *entry = &copy->place->entry;
    int r = 0;
    for (uint32_t p = 0; r == 0 && p < pages->directory.page_count; p++)
        for (uint32_t i = 0; r == 0 && i < FG_STREAM_COUNT + group->column_count; i++)
            if (pages->directory.pages[p].chunks[i].offset)
                r = copy_block(copy, pages->directory.pages[p].chunks[i].size);
    if (r == 0 && copy->at != fg_group_filters_offset(copy->place))
        r = FG_ECORRUPT;
    if (r == 0)
        r = copy_block(copy, group->dictionary_filter_size);
    for (uint32_t i = 0; r == 0 && i < group->column_count; i++)
        if (group->columns[i].filter_size)
            r = copy_block(copy, group->columns[i].filter_size);
    if (r == 0 && copy->at != fg_group_dictionary_offset(copy->place))
        r = FG_ECORRUPT;
    const uint32_t sizes[] = {entry->dictionary_size, entry->directory_size, entry->head_size,
                              entry->columns_size};
    for (size_t i = 0; r == 0 && i < sizeof sizes / sizeof *sizes; i++)
        r = copy_block(copy, sizes[i]);
    return r;
}

static int copy_group(struct fg_segment_writer *writer, struct fg_segment *from, uint32_t number)
{
    const struct fg_segment_group *place = &from->groups[number];
    struct copy copy = {
        .writer = writer, .place = place, .at = place->offset, .end = place->offset};
    struct fg_trace_pages pages = {.segment = from, .codec = writer->codec};
    uint64_t size = group_size(place);
    size_t done = 0;
    if (size > COPY_SIZE_MAX)
        return FG_ECORRUPT;
    copy.end += size;
    copy.bytes = malloc((size_t)size);
    int r = copy.bytes ? fg_trace_pages_open(&pages, number) : FG_ENOMEM;
    if (r == 0)
        r = fg_file_pread(from->file, place->offset, copy.bytes, (size_t)size, &done);
    if (r == 0 && done != size)
        r = FG_ECORRUPT;
    if (r == 0)
        r = copy_blocks(&copy, &pages);
    fg_trace_pages_close(&pages);
    free(copy.bytes);
    return r;
}

/* Shows the group's pages to the writer's sums and to rows; entry: what they come to. */
static int look_through(struct fg_segment_writer *writer, const struct fg_segment_group *place,
                        struct fg_segment_reader *reader,
                        int (*rows)(void *arg, const struct fg_batch *page), void *arg,
                        struct fg_segment_group_entry *entry)
{
    uint64_t end = place->row_begin + place->entry.row_count;
    for (uint64_t row = place->row_begin; row < end;) {
        const struct fg_batch *page;
        struct fg_segment_group_entry sums = {0};
        uint64_t begin;
        int r = fg_segment_reader_page(reader, row, &page, &begin);
        if (r == 0 && (begin != row || page->span_count > end - row))
            r = FG_ECORRUPT;
        if (r == 0)
            r = fg_segment_note_rows(writer, page, &sums);
        if (r == 0)
            r = rows(arg, page);
        if (r < 0)
            return r;
        entry->row_count += sums.row_count;
        entry->trace_count += sums.trace_count;
        row += page->span_count;
    }
    return 0;
}

int fg_segment_writer_copy(struct fg_segment_writer *writer, struct fg_segment *from,
                           struct fg_segment_reader *reader, uint32_t number,
                           int (*rows)(void *arg, const struct fg_batch *page), void *arg)
{
    const struct fg_segment_group *place = &from->groups[number];
    struct fg_segment_group_entry entry = {0};
    if (writer->error)
        return writer->error;
    int r = look_through(writer, place, reader, rows, arg, &entry);
    if (r == 0 && (entry.row_count != place->entry.row_count ||
                   entry.trace_count != place->entry.trace_count))
        r = FG_ECORRUPT;
    if (r == 0)
        r = copy_group(writer, from, number);
    if (r == 0)
        r = fg_segment_put_group_entry(writer, &place->entry);
    return writer->error = r;
}
