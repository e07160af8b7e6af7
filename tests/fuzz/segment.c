/* A small segment with some of its bytes changed and every checksum made right again, so that the
 * checks behind the checksums are what is met: opened, verified, read whole and in part, searched.
 * All that may come is FG_ECORRUPT. The input is a list of changes: le16 place, byte. */
#include "local/segment_internal.h"

#include "base/hash.h"
#include "buffer_env.h"
#include "random_batch.h"
#include "segment_traces.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_SIZE_MAX 65536u
#define BLOCKS_MAX    4096u
#define GROUP_ROWS    24u
#define CHANGES_MAX   64u

struct block {
    uint64_t offset, size;
};

static uint8_t pristine[FILE_SIZE_MAX];
static size_t pristine_size;
static struct block blocks[BLOCKS_MAX];
static size_t block_count;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void note(uint64_t offset, uint64_t size)
{
    must(block_count < BLOCKS_MAX);
    blocks[block_count++] = (struct block){offset, size};
}

static void note_group(struct fg_segment *segment, struct fg_codec *codec, uint32_t number)
{
    const struct fg_segment_group *place = &segment->groups[number];
    struct fg_group *group;
    struct fg_directory directory;
    must(fg_group_load(segment, codec, number, NULL, &group) == 0);
    must(fg_directory_load(group, codec, NULL, &directory) == 0);
    for (uint32_t p = 0; p < directory.page_count; p++)
        for (uint32_t c = 0; c < FG_STREAM_COUNT + group->column_count; c++)
            if (directory.pages[p].chunks[c].offset)
                note(directory.pages[p].chunks[c].offset, directory.pages[p].chunks[c].size);
    note(fg_group_filters_offset(place), group->dictionary_filter_size);
    for (uint32_t c = 0; c < group->column_count; c++)
        if (group->columns[c].filter_size)
            note(group->columns[c].filter_offset, group->columns[c].filter_size);
    note(fg_group_dictionary_offset(place), place->entry.dictionary_size);
    note(fg_group_directory_offset(place), place->entry.directory_size);
    note(fg_group_head_offset(place), place->entry.head_size);
    note(fg_group_columns_offset(place), place->entry.columns_size);
    fg_directory_free(segment, &directory);
    fg_group_unref(group);
}

/* Where the blocks lie whose checksums are to be made right. */
static void note_blocks(struct fg_env *env)
{
    struct fg_segment *segment;
    struct fg_codec *codec;
    must(fg_segment_open(env, "", NULL, &segment) == 0);
    must(fg_codec_new(&codec) == 0);
    for (uint32_t i = 0; i < segment->info.row_group_count; i++)
        note_group(segment, codec, i);
    for (uint32_t i = 0; i < segment->index_count; i++) {
        const struct fg_segment_index_part *part = &segment->index[i];
        note(part->offset, part->entry.filter_size);
        note(part->offset + part->entry.filter_size, part->entry.places_size);
    }
    note(segment->rollup_offset, segment->rollup_size);
    note(segment->footer_offset, segment->footer_size);
    fg_codec_free(codec);
    fg_segment_unref(segment);
}

static void make_pristine(void)
{
    struct random_batch_options options = random_batch_options_default(3);
    options.span_count = GROUP_ROWS;
    options.odd_percent = 15;
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_segment_writer *writer;
    struct fg_segment_info info;
    struct buffer_env buffer;
    buffer_env_init(&buffer, pristine, 0, sizeof pristine, false);
    must(fg_segment_writer_open(&buffer.env, "", NULL, &writer) == 0);
    for (uint64_t seed = 3; seed < 5; seed++) {
        struct fg_batch batch;
        options.seed = seed;
        must(fg_builder_new(&limits, &builder) == 0);
        random_batch_fill(builder, &options);
        fg_builder_view(builder, &batch);
        must(fg_segment_writer_add(writer, &batch) == 0);
        fg_builder_free(builder);
    }
    must(fg_segment_writer_rollup(writer, FG_SLICE("minutes")) == 0);
    must(fg_segment_writer_finish_take(writer, &info) == 0);
    pristine_size = buffer.size;
    note_blocks(&buffer.env);
}

static void make_right(uint8_t *file)
{
    for (size_t i = 0; i < block_count; i++) {
        size_t payload = (size_t)blocks[i].size - FG_BLOCK_CHECKSUM_SIZE;
        uint8_t *block = file + blocks[i].offset;
        fg_store_le64(block + payload, fg_hash_seeded(fg_slice(block, payload), blocks[i].offset));
    }
    uint8_t *tail = file + pristine_size - sizeof(struct fg_segment_tail);
    size_t checked = offsetof(struct fg_segment_tail, checksum);
    fg_store_le64(tail + checked, fg_hash(fg_slice(tail, checked)));
}

/* -- Asking */

static void expect(int r)
{
    must(r == 0 || r == FG_ECORRUPT || r == FG_ENOTFOUND || r == FG_EUNSUPPORTED);
}

static uint64_t sum; /* so that what was read is looked at */

static void touch_attrs(const struct fg_batch *page, const struct fg_attrs *attrs, uint32_t owners)
{
    for (uint32_t owner = 0; owner < owners; owner++) {
        uint32_t i, end;
        fg_attrs_range(attrs, owner, &i, &end);
        must(i <= end && end <= attrs->count);
        for (; i < end; i++) {
            must(attrs->key[i] < page->string_count && attrs->type[i] < FG_VALUE_TYPE_COUNT);
            if (fg_value_type_is_bytes(attrs->type[i]))
                must(attrs->value[i] < page->string_count);
        }
    }
}

static void touch_strings(const struct fg_batch *page, const uint32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; ids && i < count; i++)
        must(ids[i] < page->string_count);
}

static void touch(const struct fg_batch *page)
{
    for (uint32_t i = 0; i < page->string_count; i++)
        sum += fg_hash(page->strings[i]);
    touch_strings(page, page->name, page->span_count);
    touch_strings(page, page->status_message, page->span_count);
    touch_strings(page, page->trace_state, page->span_count);
    touch_strings(page, page->event_name, page->event_count);
    touch_strings(page, page->link_trace_state, page->link_count);
    for (uint32_t i = 0; i < page->span_count; i++)
        must(!page->resource ||
             (page->resource[i] < page->resource_count && page->scope[i] < page->scope_count));
    touch_attrs(page, &page->span_attrs, page->span_attrs.begin ? page->span_count : 0);
    touch_attrs(page, &page->event_attrs, page->event_count);
    touch_attrs(page, &page->link_attrs, page->link_count);
    touch_attrs(page, &page->resource_attrs, page->resource_count);
    touch_attrs(page, &page->scope_attrs, page->scope_count);
}

static void read_rows(struct fg_segment *segment, uint32_t columns)
{
    struct fg_segment_reader_options options = {.columns = columns, .page_cache_count = 2};
    struct fg_segment_reader *reader;
    must(fg_segment_reader_new(segment, &options, &reader) == 0);
    for (uint64_t row = 0; row < fg_segment_info(segment)->span_count;) {
        const struct fg_batch *page;
        uint64_t begin;
        int r = fg_segment_reader_page(reader, row, &page, &begin);
        expect(r);
        if (r == 0)
            touch(page);
        row = r == 0 ? begin + page->span_count : row + 7;
    }
    fg_segment_reader_free(reader);
}

static int on_page(void *arg, const struct fg_segment_page *page)
{
    (void)arg;
    sum += page->row_begin;
    return 0;
}

static void on_damage(void *arg, const struct fg_segment_damage *damage)
{
    (void)arg;
    sum += damage->offset;
}

static void on_column(void *arg, const struct fg_segment_column *column)
{
    (void)arg;
    sum += column->size_bytes;
}

static void search(struct fg_segment *segment)
{
    struct fg_predicate leaves[5] = {
        {.op = FG_PRED_EQ, .field = FG_FIELD_ATTR_ANY, .type = FG_VALUE_STRING},
        {.op = FG_PRED_GT, .field = FG_FIELD_ATTR_SPAN, .type = FG_VALUE_INT, .integer = 100},
        {.op = FG_PRED_REGEX, .field = FG_FIELD_NAME, .type = FG_VALUE_STRING},
        {.op = FG_PRED_EQ, .field = FG_FIELD_EVENT_NAME, .type = FG_VALUE_STRING},
        {.op = FG_PRED_EQ, .field = FG_FIELD_STATUS, .type = FG_VALUE_INT, .integer = 2},
    };
    leaves[0].key = FG_SLICE("x.key3");
    leaves[0].string = FG_SLICE("value 7 \xe2\x80\x94 1");
    leaves[1].key = FG_SLICE("x.key5");
    leaves[2].string = FG_SLICE("GET|price");
    leaves[3].string = FG_SLICE("exception");
    for (size_t i = 0; i < 5; i++) {
        const struct fg_predicate *children[] = {&leaves[i], &leaves[(i + 1) % 5]};
        struct fg_predicate or = {.op = FG_PRED_OR, .child_count = 2, .children = children};
        const struct fg_predicate *only[] = {& or };
        struct fg_predicate not = {.op = FG_PRED_NOT, .child_count = 1, .children = only};
        expect(fg_segment_prune(segment, &leaves[i], 0, UINT64_MAX, i % 2, on_page, NULL, NULL));
        expect(fg_segment_prune(segment, &not, 0, UINT64_MAX, i % 2, on_page, NULL, NULL));
    }
}

static void ask(struct fg_segment *segment)
{
    struct fg_segment_trace found;
    struct segment_traces traces;
    read_rows(segment, FG_COLUMNS_ALL);
    read_rows(segment, FG_COLUMNS_NAME | FG_COLUMNS_SPAN_ATTRS);
    int r = segment_traces_list(segment, &traces);
    expect(r);
    for (size_t i = 0; r == 0 && i < traces.count; i++)
        expect(fg_segment_find_trace(segment, traces.all[i].id_high, traces.all[i].id_low, &found));
    free(traces.all);
    search(segment);
    expect(fg_segment_verify(segment, on_damage, NULL));
    expect(fg_segment_columns(segment, on_column, NULL));
    uint8_t *bytes = NULL;
    size_t size;
    r = fg_segment_rollup(segment, &bytes, &size);
    expect(r);
    if (r == 0)
        free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[FILE_SIZE_MAX];
    if (pristine_size == 0)
        make_pristine();
    memcpy(file, pristine, pristine_size);
    for (size_t i = 0; i + 3 <= size && i < 3 * CHANGES_MAX; i += 3)
        file[fg_load_le16(data + i) % pristine_size] = data[i + 2];
    make_right(file);
    struct buffer_env buffer;
    buffer_env_init(&buffer, file, pristine_size, sizeof file, true);
    struct fg_segment *segment;
    int r = fg_segment_open(&buffer.env, "", NULL, &segment);
    expect(r);
    if (r == 0) {
        ask(segment);
        fg_segment_unref(segment);
    }
    must(buffer.open_files == 0);
    return 0;
}
