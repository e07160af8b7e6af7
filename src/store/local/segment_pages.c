/* A segment's pages one at a time: the last few that were decoded are kept, and the row group at
 * hand with what is asked of it. */
#include "local/page_decode.h"

#include <assert.h>
#include <stdlib.h>

/* Memory of one decoded page, at most: more than any writer's pages need. */
#define PAGE_MEMORY_MAX ((size_t)2 << 30)

/* A row group and its plan, shared by the pages that were decoded with it. */
struct group_use {
    uint32_t refs;
    struct fg_group *group;
    struct fg_arena arena; /* of the plan */
    struct fg_page_plan plan;
    struct fg_directory directory;
    bool has_directory;
};

struct slot {
    struct fg_arena arena;
    struct fg_batch batch;
    uint64_t row_begin, row_end; /* equal: empty */
    uint64_t used;               /* when, in calls */
    struct group_use *use;
};

struct fg_segment_reader {
    struct fg_segment *segment;
    struct fg_codec *codec;
    uint32_t columns;
    const struct fg_predicate *keys_of;
    bool reads_once;
    struct group_use *current;
    uint64_t calls, bytes_read;
    uint32_t slot_count;
    struct slot slots[];
};

int fg_segment_reader_new(struct fg_segment *segment,
                          const struct fg_segment_reader_options *options,
                          struct fg_segment_reader **ret_reader)
{
    assert(options->page_cache_count > 0);
    uint32_t slots = options->page_cache_count;
    struct fg_segment_reader *reader = calloc(1, sizeof *reader + slots * sizeof *reader->slots);
    if (!reader)
        return FG_ENOMEM;
    int r = fg_codec_new(&reader->codec);
    if (r < 0) {
        free(reader);
        return r;
    }
    reader->segment = fg_segment_ref(segment);
    reader->columns = options->columns;
    reader->keys_of = options->keys_of;
    reader->reads_once = options->reads_once;
    reader->slot_count = slots;
    for (uint32_t i = 0; i < slots; i++)
        fg_arena_init(&reader->slots[i].arena, PAGE_MEMORY_MAX);
    *ret_reader = reader;
    return 0;
}

static void leave_cache(struct fg_segment *segment, struct group_use *use)
{
    if (use->has_directory)
        fg_loaded_leave_cache(segment, &use->directory.loaded);
    fg_loaded_leave_cache(segment, &use->group->head);
    fg_loaded_leave_cache(segment, &use->group->columns_loaded);
    fg_loaded_leave_cache(segment, &use->group->dictionary);
}

static void use_unref(struct fg_segment_reader *reader, struct group_use *use)
{
    if (!use || --use->refs > 0)
        return;
    if (reader->reads_once && use->group)
        leave_cache(reader->segment, use);
    if (use->has_directory)
        fg_directory_free(reader->segment, &use->directory);
    fg_arena_free(&use->arena);
    fg_group_unref(use->group);
    free(use);
}

static void slot_empty(struct fg_segment_reader *reader, struct slot *slot)
{
    use_unref(reader, slot->use);
    slot->use = NULL;
    slot->row_begin = slot->row_end = 0;
    fg_arena_reset(&slot->arena);
}

void fg_segment_reader_free(struct fg_segment_reader *reader)
{
    if (!reader)
        return;
    for (uint32_t i = 0; i < reader->slot_count; i++) {
        slot_empty(reader, &reader->slots[i]);
        fg_arena_free(&reader->slots[i].arena);
    }
    use_unref(reader, reader->current);
    fg_codec_free(reader->codec);
    fg_segment_unref(reader->segment);
    free(reader);
}

uint64_t fg_segment_reader_bytes_read(const struct fg_segment_reader *reader)
{
    return reader->bytes_read;
}

static int use_new(struct fg_segment_reader *reader, uint32_t number, struct group_use **ret_use)
{
    struct group_use *use = calloc(1, sizeof *use);
    if (!use)
        return FG_ENOMEM;
    use->refs = 1;
    fg_arena_init(&use->arena, FG_SEGMENT_TEXT_SIZE_MAX);
    int r = fg_group_load(reader->segment, reader->codec, number, &reader->bytes_read, &use->group);
    if (r == 0)
        r = fg_group_load_strings(use->group, reader->codec, &reader->bytes_read);
    if (r == 0)
        r = fg_directory_load(use->group, reader->codec, &reader->bytes_read, &use->directory);
    use->has_directory = r == 0;
    if (r == 0)
        r = fg_page_plan_make(use->group, reader->columns, reader->keys_of, &use->arena,
                              &use->plan);
    if (r < 0) {
        use_unref(reader, use);
        return r;
    }
    *ret_use = use;
    return 0;
}

/* Makes the row group that holds row the current one. */
static int turn_to(struct fg_segment_reader *reader, uint64_t row)
{
    uint32_t number = fg_segment_group_of(reader->segment, row);
    if (reader->current && reader->current->group->number == number)
        return 0;
    struct group_use *use;
    int r = use_new(reader, number, &use);
    if (r < 0)
        return r;
    use_unref(reader, reader->current);
    reader->current = use;
    return 0;
}

static struct slot *slot_of(struct fg_segment_reader *reader, uint64_t row)
{
    for (uint32_t i = 0; i < reader->slot_count; i++)
        if (row >= reader->slots[i].row_begin && row < reader->slots[i].row_end)
            return &reader->slots[i];
    return NULL;
}

static struct slot *oldest_slot(struct fg_segment_reader *reader)
{
    struct slot *oldest = &reader->slots[0];
    for (uint32_t i = 1; i < reader->slot_count; i++)
        if (reader->slots[i].used < oldest->used)
            oldest = &reader->slots[i];
    return oldest;
}

static int decode_into(struct fg_segment_reader *reader, struct slot *slot, uint64_t row)
{
    slot_empty(reader, slot);
    int r = turn_to(reader, row);
    if (r < 0)
        return r;
    struct group_use *use = reader->current;
    const struct fg_page *page = &use->directory.pages[fg_directory_page_of(&use->directory, row)];
    r = fg_page_decode(use->group, page, &use->plan, reader->codec, &slot->arena,
                       &reader->bytes_read, &slot->batch);
    if (r < 0) {
        fg_arena_reset(&slot->arena);
        return r;
    }
    use->refs++;
    slot->use = use;
    slot->row_begin = page->row_begin;
    slot->row_end = page->row_begin + page->row_count;
    return 0;
}

int fg_segment_reader_page(struct fg_segment_reader *reader, uint64_t row,
                           const struct fg_batch **ret_page, uint64_t *ret_row_begin)
{
    assert(row < reader->segment->info.span_count);
    struct slot *slot = slot_of(reader, row);
    if (!slot) {
        slot = oldest_slot(reader);
        int r = decode_into(reader, slot, row);
        if (r < 0)
            return r;
    }
    slot->used = ++reader->calls;
    *ret_page = &slot->batch;
    *ret_row_begin = slot->row_begin;
    return 0;
}
