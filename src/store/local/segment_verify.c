/* Every byte of a segment against its checksum. The footer says where row groups, index and rollup
 * lie, without gaps (fg_segment_open() saw to that); a row group's columns and directory say where
 * filters and chunks do, again without gaps: so no byte is passed over. Where columns, head or
 * directory are damaged the row group's chunks can't be told apart: then the whole of them is named
 * with the block that is. */
#include "local/segment_names.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>

struct verify {
    struct fg_segment *segment;
    struct fg_codec *codec;
    void (*fn)(void *arg, const struct fg_segment_damage *damage);
    void *arg;
    uint8_t *memory; /* of the largest block so far */
    size_t capacity;
    uint64_t row_begin, row_count; /* that are concerned by what is read now */
};

static void report(struct verify *verify, uint64_t offset, uint64_t size, const char *what)
{
    struct fg_segment_damage damage = {.offset = offset,
                                       .size = size,
                                       .what = what,
                                       .row_begin = verify->row_begin,
                                       .row_count = verify->row_count};
    verify->fn(verify->arg, &damage);
}

static int reserve(struct verify *verify, size_t size)
{
    if (size <= verify->capacity)
        return 0;
    free(verify->memory);
    verify->memory = malloc(size);
    verify->capacity = verify->memory ? size : 0;
    return verify->memory ? 0 : FG_ENOMEM;
}

/* Reads a block from the disk, never from the cache. FG_ECORRUPT only from a short file. */
static int check_block(struct verify *verify, uint64_t offset, uint64_t size, const char *what,
                       bool *ret_whole)
{
    *ret_whole = false;
    int r = reserve(verify, (size_t)size + FG_INPUT_PADDING);
    if (r == 0)
        r = fg_segment_read_block(verify->segment, offset, size, verify->memory);
    if (r == FG_ECORRUPT) {
        report(verify, offset, size, what);
        return 0;
    }
    *ret_whole = r == 0;
    return r;
}

static int check_plain(struct verify *verify, uint64_t offset, uint64_t size, const char *what)
{
    bool whole;
    return check_block(verify, offset, size, what, &whole);
}

/* -- The ends of the file */

static int check_header(struct verify *verify)
{
    uint8_t header[sizeof(struct fg_segment_header)];
    size_t done = 0, checked = offsetof(struct fg_segment_header, checksum);
    int r = fg_file_pread(verify->segment->file, 0, header, sizeof header, &done);
    if (r < 0)
        return r;
    bool whole = done == sizeof header &&
                 memcmp(header, FG_SEGMENT_MAGIC, FG_SEGMENT_MAGIC_SIZE) == 0 &&
                 fg_load_le64(header + checked) == fg_hash(fg_slice(header, checked));
    if (!whole)
        report(verify, 0, sizeof header, "header");
    return 0;
}

static int check_tail(struct verify *verify)
{
    struct fg_segment *segment = verify->segment;
    uint8_t tail[sizeof(struct fg_segment_tail)];
    size_t done = 0, checked = offsetof(struct fg_segment_tail, checksum);
    uint64_t offset = segment->footer_offset + segment->footer_size;
    int r = fg_file_pread(segment->file, offset, tail, sizeof tail, &done);
    if (r < 0)
        return r;
    if (done != sizeof tail || fg_load_le64(tail + checked) != fg_hash(fg_slice(tail, checked)))
        report(verify, offset, sizeof tail, "tail");
    return check_plain(verify, segment->footer_offset, segment->footer_size, "footer");
}

/* -- Row groups */

static int check_chunks(struct verify *verify, const struct fg_group *group,
                        const struct fg_page *page)
{
    verify->row_begin = page->row_begin;
    verify->row_count = page->row_count;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < FG_STREAM_COUNT + group->column_count; i++) {
        const struct fg_chunk *chunk = &page->chunks[i];
        char what[128];
        if (chunk->offset == 0)
            continue;
        if (i < FG_STREAM_COUNT) {
            snprintf(what, sizeof what, "page of %s", fg_stream_name((enum fg_stream)i));
        } else {
            const struct fg_group_column *column = &group->columns[i - FG_STREAM_COUNT];
            bool attr = column->part == FG_PART_ATTR;
            struct fg_slice key =
                attr ? column->key
                     : fg_slice_from_string(fg_part_name(column->level, column->part));
            snprintf(what, sizeof what, "page of column %s%s%.*s",
                     attr ? fg_level_name(column->level) : "", attr ? "." : "",
                     (int)(key.size < 80 ? key.size : 80), (const char *)key.data);
        }
        r = check_plain(verify, chunk->offset, chunk->size, what);
    }
    return r;
}

static int check_filters(struct verify *verify, const struct fg_group *group)
{
    uint64_t offset = fg_group_filters_offset(&verify->segment->groups[group->number]);
    int r = check_plain(verify, offset, group->dictionary_filter_size, "filter of the dictionary");
    for (uint32_t i = 0; r == 0 && i < group->column_count; i++) {
        const struct fg_group_column *column = &group->columns[i];
        if (column->filter_size)
            r = check_plain(verify, column->filter_offset, column->filter_size,
                            "filter of a column");
    }
    return r;
}

/* Chunks and filters of a row group whose shared blocks are whole. */
static int check_inside(struct verify *verify, uint32_t number)
{
    struct fg_segment *segment = verify->segment;
    const struct fg_segment_group *place = &segment->groups[number];
    struct fg_group *group;
    struct fg_directory directory;
    int r = fg_group_load(segment, verify->codec, number, NULL, &group);
    if (r == FG_ECORRUPT)
        report(verify, fg_group_head_offset(place),
               (uint64_t)place->entry.head_size + place->entry.columns_size,
               "head of a row group: its checksum is right, its content is not");
    if (r < 0)
        return r == FG_ECORRUPT ? 0 : r;
    r = check_filters(verify, group);
    if (r == 0)
        r = fg_directory_load(group, verify->codec, NULL, &directory);
    if (r == FG_ECORRUPT)
        report(verify, fg_group_directory_offset(place), place->entry.directory_size,
               "directory of a row group: its checksum is right, its content is not");
    if (r == 0) {
        for (uint32_t i = 0; r == 0 && i < directory.page_count; i++)
            r = check_chunks(verify, group, &directory.pages[i]);
        fg_directory_free(segment, &directory);
    }
    fg_group_unref(group);
    return r == FG_ECORRUPT ? 0 : r;
}

static int check_group(struct verify *verify, uint32_t number)
{
    const struct fg_segment_group *place = &verify->segment->groups[number];
    const struct {
        uint64_t offset, size;
        const char *what;
        bool needed; /* to find what is inside */
    } blocks[] = {
        {fg_group_dictionary_offset(place), place->entry.dictionary_size,
         "dictionary of a row group", false},
        {fg_group_directory_offset(place), place->entry.directory_size,
         "directory of a row group: its pages can't be read", true},
        {fg_group_head_offset(place), place->entry.head_size,
         "head of a row group: its pages can't be read", true},
        {fg_group_columns_offset(place), place->entry.columns_size,
         "columns of a row group: its pages can't be read", true},
    };
    bool can_enter = true;
    int r = 0;
    verify->row_begin = place->row_begin;
    verify->row_count = place->entry.row_count;
    for (size_t i = 0; r == 0 && i < sizeof blocks / sizeof *blocks; i++) {
        bool whole;
        r = check_block(verify, blocks[i].offset, blocks[i].size, blocks[i].what, &whole);
        can_enter &= whole || !blocks[i].needed;
    }
    if (r == 0 && can_enter)
        r = check_inside(verify, number);
    verify->row_begin = verify->row_count = 0;
    return r;
}

static int check_all(struct verify *verify)
{
    struct fg_segment *segment = verify->segment;
    int r = check_header(verify);
    for (uint32_t i = 0; r == 0 && i < segment->info.row_group_count; i++)
        r = check_group(verify, i);
    for (uint32_t i = 0; r == 0 && i < segment->index_count; i++) {
        const struct fg_segment_index_part *part = &segment->index[i];
        r = check_plain(verify, part->offset, part->entry.filter_size, "filter of traces");
        if (r == 0)
            r = check_plain(verify, part->offset + part->entry.filter_size, part->entry.places_size,
                            "index of traces");
    }
    if (r == 0 && segment->rollup_size)
        r = check_plain(verify, segment->rollup_offset, segment->rollup_size, "rollup");
    return r == 0 ? check_tail(verify) : r;
}

int fg_segment_verify(struct fg_segment *segment,
                      void (*fn)(void *arg, const struct fg_segment_damage *damage), void *arg)
{
    struct verify verify = {.segment = segment, .fn = fn, .arg = arg};
    int r = fg_codec_new(&verify.codec);
    if (r == 0)
        r = check_all(&verify);
    fg_codec_free(verify.codec);
    free(verify.memory);
    return r;
}
