/* A row group's directory: what each page has, and where its chunks lie. The writing side is
 * page_encode.c. */
#include "local/segment_internal.h"

#include "base/checked.h"
#include "base/limits.h"

#include <stdlib.h>

struct parse {
    const struct fg_group *group;
    struct fg_directory *directory;
    struct fg_input in;
    uint64_t offset; /* of the next chunk that is a block */
    uint64_t row, trace;
};

static bool has_range(const struct fg_group_column *column)
{
    return column->form != FG_FORM_TEXT && column->form != FG_FORM_DECIMALS;
}

static int take_chunk(struct parse *parse, const struct fg_group_column *column,
                      struct fg_chunk *chunk)
{
    struct fg_input *in = &parse->in;
    const struct fg_segment_group *place = &parse->group->segment->groups[parse->group->number];
    uint64_t size = fg_input_varint_max(in, UINT32_MAX);
    chunk->size = (uint32_t)size;
    if (size <= FG_CHUNK_INLINE_SIZE_MAX) {
        chunk->inline_data = fg_input_take(in, (size_t)size);
        if (size == 0)
            chunk->inline_data = NULL;
    } else {
        chunk->offset = parse->offset;
        parse->offset += size;
        if (parse->offset > fg_group_filters_offset(place) || size < FG_BLOCK_CHECKSUM_SIZE)
            return fg_input_fail(in);
    }
    if (size == 0 || !column || !has_range(column))
        return in->error;
    chunk->has_range = true;
    chunk->min = fg_input_zigzag(in);
    chunk->max = chunk->min + fg_input_varint(in);
    return in->error;
}

static int take_page(struct parse *parse, struct fg_page *page)
{
    struct fg_input *in = &parse->in;
    const struct fg_group *group = parse->group;
    const struct fg_segment_group *place = &group->segment->groups[group->number];
    page->row_begin = parse->row;
    page->trace_begin = parse->trace;
    page->row_count = (uint32_t)fg_input_varint_max(in, FG_PAGE_ROWS_MAX);
    page->run_count = (uint32_t)fg_input_varint_max(in, page->row_count);
    uint8_t continued = fg_input_u8(in);
    page->continued = continued == 1;
    page->event_count = (uint32_t)fg_input_varint_max(in, FG_SEGMENT_CELLS_MAX);
    page->link_count = (uint32_t)fg_input_varint_max(in, FG_SEGMENT_CELLS_MAX);
    page->start_ns_min = place->entry.start_ns_min + fg_input_varint(in);
    page->start_ns_max = page->start_ns_min + fg_input_varint(in);
    page->duration_min = fg_input_varint(in);
    page->duration_max = page->duration_min + fg_input_varint(in);
    if (in->error || continued > 1 || page->run_count == 0)
        return fg_input_fail(in);
    parse->row += page->row_count;
    parse->trace += page->run_count - (page->continued ? 1u : 0u);
    uint32_t classes = group->class_count;
    struct fg_arena *arena = &parse->directory->arena;
    page->class_set = fg_arena_calloc(arena, fg_flags_words(classes) + 1, sizeof *page->class_set);
    page->chunks =
        fg_arena_calloc(arena, (size_t)FG_STREAM_COUNT + group->column_count, sizeof *page->chunks);
    if (!page->class_set || !page->chunks)
        return FG_ENOMEM;
    int r = fg_flags_decode(in, classes, page->class_set);
    for (uint32_t i = 0; r == 0 && i < FG_STREAM_COUNT; i++)
        r = take_chunk(parse, NULL, &page->chunks[i]);
    for (uint32_t i = 0; r == 0 && i < group->column_count; i++)
        r = take_chunk(parse, &group->columns[i], &page->chunks[FG_STREAM_COUNT + i]);
    return r;
}

static int take_pages(struct parse *parse)
{
    struct fg_directory *directory = parse->directory;
    const struct fg_group *group = parse->group;
    const struct fg_segment_group *place = &group->segment->groups[group->number];
    directory->pages =
        fg_arena_calloc(&directory->arena, group->page_count, sizeof *directory->pages);
    if (!directory->pages)
        return FG_ENOMEM;
    directory->page_count = group->page_count;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < group->page_count; i++)
        r = take_page(parse, &directory->pages[i]);
    if (r < 0)
        return r;
    bool whole = fg_input_rest(&parse->in) == 0 &&
                 parse->offset == fg_group_filters_offset(place) &&
                 parse->row == place->row_begin + place->entry.row_count &&
                 parse->trace == place->trace_begin + place->entry.trace_count;
    return whole ? 0 : FG_ECORRUPT;
}

int fg_directory_load(const struct fg_group *group, struct fg_codec *codec, uint64_t *bytes_read,
                      struct fg_directory *ret_directory)
{
    const struct fg_segment_group *place = &group->segment->groups[group->number];
    struct fg_directory directory = {0};
    fg_arena_init(&directory.arena, FG_SEGMENT_TEXT_SIZE_MAX);
    int r = fg_segment_load_blob(group->segment, codec, fg_group_directory_offset(place),
                                 place->entry.directory_size, bytes_read, &directory.loaded);
    if (r < 0)
        return r;
    struct parse parse = {.group = group,
                          .directory = &directory,
                          .in = fg_input(directory.loaded.bytes),
                          .offset = place->offset,
                          .row = place->row_begin,
                          .trace = place->trace_begin};
    r = take_pages(&parse);
    if (r < 0) {
        fg_directory_free(group->segment, &directory);
        return r;
    }
    *ret_directory = directory;
    return 0;
}

void fg_directory_free(struct fg_segment *segment, struct fg_directory *directory)
{
    fg_loaded_free(segment, &directory->loaded);
    fg_arena_free(&directory->arena);
    directory->pages = NULL;
    directory->page_count = 0;
}

uint32_t fg_directory_page_of(const struct fg_directory *directory, uint64_t row)
{
    uint32_t i = 0;
    while (i + 1 < directory->page_count && directory->pages[i + 1].row_begin <= row)
        i++;
    return i;
}
