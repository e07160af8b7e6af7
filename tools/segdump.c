/* segdump [--pages] [--rows] FILE...: what stands in segment files. Reads and shows; changes
 * nothing.
 *
 * Of each file its footer, its row groups and what each of their columns takes; with --pages also
 * each page and the encoding that was chosen for each of its chunks; with --rows its spans. */
#include "base/units.h"
#include "local/segment_internal.h"
#include "local/segment_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct dump {
    struct fg_segment *segment;
    struct fg_codec *codec;
    bool with_pages, with_rows;
};

static void show_time(const char *what, uint64_t ns)
{
    char text[FG_UNITS_TEXT_SIZE];
    fg_time_format(ns, text);
    printf("%s %s", what, text);
}

static void show_footer(const char *path, const struct fg_segment_info *info)
{
    printf("%s: %" PRIu64 " bytes, %" PRIu64 " spans, %" PRIu64 " traces, %u row groups\n ", path,
           info->size_bytes, info->span_count, info->trace_count, info->row_group_count);
    if (info->span_count) {
        show_time("starts", info->start_ns_min);
        show_time(" to", info->start_ns_max);
        show_time(", received", info->received_ns_min);
        show_time(" to", info->received_ns_max);
        printf("; %.2f bytes a span\n ", (double)info->size_bytes / (double)info->span_count);
    }
    printf("\n");
}

static void show_column_name(const struct fg_group_column *column)
{
    static const char *const types[] = {"empty",  "string", "bool",  "int",
                                        "double", "bytes",  "array", "kvlist"};
    if (column->part == FG_PART_ATTR)
        printf("%s.%.*s (%s)", fg_level_name(column->level), (int)column->key.size,
               (const char *)column->key.data, types[column->type]);
    else
        printf("%s", fg_part_name(column->level, column->part));
}

static uint64_t size_of_chunks(const struct fg_directory *directory, uint32_t chunk)
{
    uint64_t size = 0;
    for (uint32_t i = 0; i < directory->page_count; i++)
        size += directory->pages[i].chunks[chunk].size;
    return size;
}

static void show_columns(const struct fg_group *group, const struct fg_directory *directory)
{
    static const char *const filters[] = {"", ", fuse filter", ", bitmap"};
    for (uint32_t s = 0; s < FG_STREAM_COUNT; s++)
        printf("    %9" PRIu64 "  %s\n", size_of_chunks(directory, s),
               fg_stream_name((enum fg_stream)s));
    for (uint32_t c = 0; c < group->column_count; c++) {
        const struct fg_group_column *column = &group->columns[c];
        printf("    %9" PRIu64 "  ", size_of_chunks(directory, FG_STREAM_COUNT + c));
        show_column_name(column);
        printf(": %u values, %u distinct, %s%s", column->value_count, column->distinct_count,
               fg_form_name(column->form), column->has_defaults ? ", usual by class" : "");
        if (column->filter_size)
            printf("%s of %u bytes", filters[column->filter_kind], column->filter_size);
        if (column->dictionary_size)
            printf(", %" PRIu64 " bytes of strings", column->dictionary_size);
        printf("\n");
    }
}

/* How the chunk begins: strings that are a page's own come before the numbers. */
static const char *encoding_of(const struct fg_group_column *column, struct fg_slice bytes)
{
    struct fg_input in = fg_input(bytes);
    if (column && column->form == FG_FORM_TEXT) {
        fg_input_varint(&in);
        return fg_text_encoding_name(fg_input_u8(&in));
    }
    if (column && column->form == FG_FORM_DECIMALS)
        fg_input_u8(&in);
    return fg_int_encoding_name(fg_input_u8(&in));
}

static void show_chunk(struct dump *dump, const struct fg_chunk *chunk,
                       const struct fg_group_column *column)
{
    struct fg_arena arena;
    fg_arena_init(&arena, FG_SEGMENT_TEXT_SIZE_MAX);
    struct fg_slice bytes;
    int r = fg_segment_load_chunk(dump->segment, chunk, &arena, NULL, &bytes);
    if (r < 0)
        printf("%s", fg_error_name(r));
    else if (bytes.size)
        printf("%s", encoding_of(column, bytes));
    printf(chunk->offset ? ", at %" PRIu64 "\n" : ", in the directory\n", chunk->offset);
    fg_arena_free(&arena);
}

static void show_page(struct dump *dump, const struct fg_group *group, const struct fg_page *page)
{
    printf("  page of rows %" PRIu64 " to %" PRIu64 ", %u traces%s, %u events, %u links\n",
           page->row_begin, page->row_begin + page->row_count - 1, page->run_count,
           page->continued ? " (the first goes on)" : "", page->event_count, page->link_count);
    for (uint32_t i = 0; i < FG_STREAM_COUNT + group->column_count; i++) {
        const struct fg_group_column *column =
            i < FG_STREAM_COUNT ? NULL : &group->columns[i - FG_STREAM_COUNT];
        if (page->chunks[i].size == 0)
            continue;
        printf("    %9u  ", page->chunks[i].size);
        if (column)
            show_column_name(column);
        else
            printf("%s", fg_stream_name((enum fg_stream)i));
        printf(": ");
        show_chunk(dump, &page->chunks[i], column);
    }
}

static int show_group(struct dump *dump, uint32_t number)
{
    const struct fg_segment_group *place = &dump->segment->groups[number];
    struct fg_group *group;
    struct fg_directory directory;
    printf("  row group %u at %" PRIu64 ": %u rows, %" PRIu64 " bytes of chunks, %u filters, %u "
           "dictionary, %u directory, %u head, %u columns\n",
           number, place->offset, place->entry.row_count, place->entry.chunks_size,
           place->entry.filters_size, place->entry.dictionary_size, place->entry.directory_size,
           place->entry.head_size, place->entry.columns_size);
    int r = fg_group_load(dump->segment, dump->codec, number, NULL, &group);
    if (r < 0)
        return r;
    r = fg_directory_load(group, dump->codec, NULL, &directory);
    if (r == 0) {
        printf("    %u pages, %u strings, %u resources, %u scopes, %u classes of spans in %u "
               "shapes\n",
               directory.page_count, group->string_count, group->shared.resource_count,
               group->shared.scope_count, group->levels[FG_LEVEL_SPAN].class_count,
               group->levels[FG_LEVEL_SPAN].shape_count);
        show_columns(group, &directory);
        for (uint32_t i = 0; dump->with_pages && i < directory.page_count; i++)
            show_page(dump, group, &directory.pages[i]);
        fg_directory_free(dump->segment, &directory);
    }
    fg_group_unref(group);
    return r;
}

/* -- Rows */

static void show_value(const struct fg_batch *page, const struct fg_attrs *attrs, uint32_t i)
{
    struct fg_slice key = page->strings[attrs->key[i]];
    printf(" %.*s=", (int)key.size, (const char *)key.data);
    double number;
    memcpy(&number, &attrs->value[i], sizeof number);
    switch (attrs->type[i]) {
    case FG_VALUE_STRING:
        printf("\"%.*s\"", (int)page->strings[attrs->value[i]].size,
               (const char *)page->strings[attrs->value[i]].data);
        return;
    case FG_VALUE_BOOL:
        printf(attrs->value[i] ? "true" : "false");
        return;
    case FG_VALUE_INT:
        printf("%" PRId64, (int64_t)attrs->value[i]);
        return;
    case FG_VALUE_DOUBLE:
        printf("%.17g", number);
        return;
    case FG_VALUE_EMPTY:
        printf("empty");
        return;
    default:
        printf("(%zu bytes)", page->strings[attrs->value[i]].size);
    }
}

static void show_row(const struct fg_batch *page, uint32_t row)
{
    struct fg_slice name = page->strings[page->name[row]];
    struct fg_slice service = page->strings[page->resource_service[page->resource[row]]];
    printf("    %016" PRIx64 "%016" PRIx64 " %016" PRIx64 " parent %016" PRIx64
           " %.*s: %.*s, kind %u, status %u, start %" PRIu64 ", end %" PRIu64 ",",
           page->trace_id_high[row], page->trace_id_low[row], page->span_id[row],
           page->parent_span_id[row], (int)service.size, (const char *)service.data, (int)name.size,
           (const char *)name.data, page->kind[row], page->status[row], page->start_ns[row],
           page->end_ns[row]);
    uint32_t begin, end;
    fg_attrs_range(&page->span_attrs, row, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        show_value(page, &page->span_attrs, i);
    printf("\n");
}

static int show_rows(struct dump *dump)
{
    struct fg_segment_reader_options options = {.columns = FG_COLUMNS_ALL, .page_cache_count = 1};
    struct fg_segment_reader *reader;
    int r = fg_segment_reader_new(dump->segment, &options, &reader);
    if (r < 0)
        return r;
    for (uint64_t row = 0; r == 0 && row < fg_segment_info(dump->segment)->span_count;) {
        const struct fg_batch *page;
        uint64_t begin;
        r = fg_segment_reader_page(reader, row, &page, &begin);
        for (uint32_t i = 0; r == 0 && i < page->span_count; i++, row++)
            show_row(page, i);
    }
    fg_segment_reader_free(reader);
    return r;
}

static int show_file(struct dump *dump, const char *path)
{
    int r = fg_segment_open(fg_env_real(), path, NULL, &dump->segment);
    if (r == 0)
        r = fg_codec_new(&dump->codec);
    if (r == 0)
        show_footer(path, fg_segment_info(dump->segment));
    /* a row group that is damaged does not hide the others */
    int damage = 0;
    for (uint32_t i = 0; r == 0 && i < fg_segment_info(dump->segment)->row_group_count; i++) {
        int error = show_group(dump, i);
        if (error < 0)
            printf("    %s\n", fg_error_name(error));
        damage = error < 0 ? error : damage;
    }
    if (r == 0)
        r = damage;
    if (r == 0 && dump->with_rows)
        r = show_rows(dump);
    if (r < 0)
        fprintf(stderr, "segdump: %s: %s\n", path, fg_error_name(r));
    fg_codec_free(dump->codec);
    fg_segment_unref(dump->segment);
    dump->codec = NULL;
    dump->segment = NULL;
    return r;
}

int main(int argc, char **argv)
{
    struct dump dump = {0};
    int files = 0, failed = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--pages") == 0)
            dump.with_pages = true;
        else if (strcmp(argv[i], "--rows") == 0)
            dump.with_rows = true;
        else if (argv[i][0] == '-')
            files = -argc;
        else
            files++;
    }
    if (files <= 0) {
        fprintf(stderr, "segdump [--pages] [--rows] FILE...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++)
        if (argv[i][0] != '-')
            failed |= show_file(&dump, argv[i]) < 0;
    return failed;
}
