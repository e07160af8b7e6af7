/* What fills a segment: bytes by attribute, and by everything else under a name. All of it adds up
 * to the file's size. Chunks that lie in the directory count as the directory's. */
#include "local/segment_names.h"

#include "base/hash.h"
#include "base/idmap.h"

#include <stdlib.h>

struct sums {
    struct fg_segment_column *columns;
    uint32_t count, capacity;
    struct fg_idmap map;
    struct fg_arena keys;
};

#define KEYS_SIZE_MAX ((size_t)256 << 20)

struct look {
    const struct sums *sums;
    const struct fg_segment_column *column;
};

static bool is_same(const void *context, uint32_t id)
{
    const struct look *look = context;
    const struct fg_segment_column *there = &look->sums->columns[id];
    return there->level == look->column->level && there->type == look->column->type &&
           fg_slice_equal(there->key, look->column->key);
}

static int add(struct sums *sums, const struct fg_segment_column *column)
{
    if (sums->count == sums->capacity) {
        uint32_t capacity = sums->capacity ? sums->capacity * 2 : 64;
        struct fg_segment_column *columns =
            realloc(sums->columns, capacity * sizeof *sums->columns);
        if (!columns)
            return FG_ENOMEM;
        sums->columns = columns;
        sums->capacity = capacity;
    }
    struct look look = {sums, column};
    uint64_t seed = (uint64_t)column->level * FG_VALUE_TYPE_COUNT + column->type;
    uint32_t id;
    /* put in before it is filled: then none has the id, and none is compared with it */
    int r = fg_idmap_intern(&sums->map, fg_hash_seeded(column->key, seed), is_same, &look,
                            sums->count, &id);
    if (r < 0)
        return r;
    if (id == sums->count) {
        sums->columns[id] = *column;
        sums->columns[id].key = fg_arena_copy(&sums->keys, column->key);
        sums->count++;
        return column->key.size && !sums->columns[id].key.data ? FG_ENOMEM : 0;
    }
    sums->columns[id].size_bytes += column->size_bytes;
    sums->columns[id].value_count += column->value_count;
    return 0;
}

static int add_named(struct sums *sums, const char *name, uint64_t size, uint64_t values)
{
    struct fg_segment_column column = {.level = FG_FIELD_NAME,
                                       .key = fg_slice_from_string(name),
                                       .type = FG_VALUE_EMPTY,
                                       .size_bytes = size,
                                       .value_count = values};
    return size || values ? add(sums, &column) : 0;
}

static uint64_t chunk_size(const struct fg_chunk *chunk)
{
    return chunk->offset ? chunk->size : 0;
}

static enum fg_field field_of(uint8_t level)
{
    return level == FG_LEVEL_SPAN    ? FG_FIELD_ATTR_SPAN
           : level == FG_LEVEL_EVENT ? FG_FIELD_ATTR_EVENT
                                     : FG_FIELD_ATTR_LINK;
}

/* dictionary_share: of the dictionary's bytes those that its strings take. */
static int add_column(struct sums *sums, const struct fg_group_column *column,
                      const struct fg_directory *directory, uint32_t number,
                      uint64_t dictionary_share)
{
    uint64_t size = column->filter_size + dictionary_share;
    for (uint32_t i = 0; i < directory->page_count; i++)
        size += chunk_size(&directory->pages[i].chunks[FG_STREAM_COUNT + number]);
    if (column->part != FG_PART_ATTR)
        return add_named(sums, fg_part_name(column->level, column->part), size,
                         column->value_count);
    struct fg_segment_column sum = {.level = field_of(column->level),
                                    .key = column->key,
                                    .type = column->type,
                                    .size_bytes = size,
                                    .value_count = column->value_count};
    return add(sums, &sum);
}

static int add_streams(struct sums *sums, const struct fg_directory *directory)
{
    int r = 0;
    for (uint32_t s = 0; r == 0 && s < FG_STREAM_COUNT; s++) {
        uint64_t size = 0, values = 0;
        for (uint32_t i = 0; i < directory->page_count; i++) {
            const struct fg_page *page = &directory->pages[i];
            size += chunk_size(&page->chunks[s]);
            values += s == FG_STREAM_EVENTS   ? page->event_count
                      : s == FG_STREAM_LINKS  ? page->link_count
                      : s == FG_STREAM_TRACES ? page->run_count
                                              : page->row_count;
        }
        r = add_named(sums, fg_stream_name((enum fg_stream)s), size, values);
    }
    return r;
}

static int add_group(struct sums *sums, struct fg_segment *segment, struct fg_codec *codec,
                     uint32_t number)
{
    const struct fg_segment_group_entry *entry = &segment->groups[number].entry;
    struct fg_group *group;
    struct fg_directory directory;
    int r = fg_group_load(segment, codec, number, NULL, &group);
    if (r < 0)
        return r;
    r = fg_directory_load(group, codec, NULL, &directory);
    if (r < 0) {
        fg_group_unref(group);
        return r;
    }
    uint64_t shared = entry->dictionary_size;
    r = add_streams(sums, &directory);
    for (uint32_t i = 0; r == 0 && i < group->column_count; i++) {
        const struct fg_group_column *column = &group->columns[i];
        double part =
            group->strings_size ? (double)column->dictionary_size / (double)group->strings_size : 0;
        uint64_t share = part > 1 ? shared : (uint64_t)(part * (double)entry->dictionary_size);
        share = share < shared ? share : shared;
        shared -= share;
        r = add_column(sums, column, &directory, i, share);
    }
    if (r == 0)
        r = add_named(sums, "names, keys, resources", shared, group->string_count);
    if (r == 0)
        r = add_named(sums, "filter of the dictionary", group->dictionary_filter_size, 0);
    if (r == 0)
        r = add_named(sums, "directory", entry->directory_size, 0);
    if (r == 0)
        r = add_named(sums, "classes, shapes, resources",
                      (uint64_t)entry->head_size + entry->columns_size, 0);
    fg_directory_free(segment, &directory);
    fg_group_unref(group);
    return r;
}

static int add_rest(struct sums *sums, const struct fg_segment *segment)
{
    uint64_t index = 0;
    for (uint32_t i = 0; i < segment->index_count; i++)
        index +=
            (uint64_t)segment->index[i].entry.filter_size + segment->index[i].entry.places_size;
    int r = add_named(sums, "index of traces", index, segment->info.trace_count);
    if (r == 0)
        r = add_named(sums, "rollup", segment->rollup_size, 0);
    if (r == 0)
        r = add_named(sums, "header, footer",
                      sizeof(struct fg_segment_header) + segment->footer_size +
                          sizeof(struct fg_segment_tail),
                      0);
    return r;
}

int fg_segment_columns(struct fg_segment *segment,
                       void (*fn)(void *arg, const struct fg_segment_column *column), void *arg)
{
    struct sums sums = {0};
    struct fg_codec *codec = NULL;
    fg_idmap_init(&sums.map);
    fg_arena_init(&sums.keys, KEYS_SIZE_MAX);
    int r = fg_codec_new(&codec);
    for (uint32_t i = 0; r == 0 && i < segment->info.row_group_count; i++)
        r = add_group(&sums, segment, codec, i);
    if (r == 0)
        r = add_rest(&sums, segment);
    for (uint32_t i = 0; r == 0 && i < sums.count; i++)
        fn(arg, &sums.columns[i]);
    fg_codec_free(codec);
    fg_idmap_free(&sums.map);
    fg_arena_free(&sums.keys);
    free(sums.columns);
    return r;
}
