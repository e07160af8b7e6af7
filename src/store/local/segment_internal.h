/* An open segment as its own files see it. */
#pragma once

#include "base/arena.h"
#include "local/cache.h"
#include "local/codec.h"
#include "local/segment.h"
#include "local/segment_format.h"

#include <stdatomic.h>

/* -- The open segment */

struct fg_segment_group {
    uint64_t offset; /* of its first chunk */
    uint64_t row_begin, trace_begin;
    struct fg_segment_group_entry entry;
};

struct fg_segment_index_part {
    uint64_t offset; /* of its filter; the places follow */
    struct fg_segment_index_entry entry;
};

struct fg_segment {
    struct fg_file *file;
    struct fg_cache *cache; /* may be NULL */
    uint64_t cache_owner;
    atomic_bool is_cached; /* something of it was put there */
    atomic_uint refs;
    struct fg_segment_info info;
    struct fg_segment_group *groups;
    struct fg_segment_index_part *index;
    uint32_t index_count;
    uint64_t rollup_offset, rollup_size;
    uint64_t footer_offset, footer_size;
    uint64_t epoch; /* of row group i's strings: epoch + i */
};

static inline uint64_t fg_group_filters_offset(const struct fg_segment_group *group)
{
    return group->offset + group->entry.chunks_size;
}

static inline uint64_t fg_group_dictionary_offset(const struct fg_segment_group *group)
{
    return fg_group_filters_offset(group) + group->entry.filters_size;
}

static inline uint64_t fg_group_directory_offset(const struct fg_segment_group *group)
{
    return fg_group_dictionary_offset(group) + group->entry.dictionary_size;
}

static inline uint64_t fg_group_head_offset(const struct fg_segment_group *group)
{
    return fg_group_directory_offset(group) + group->entry.directory_size;
}

static inline uint64_t fg_group_columns_offset(const struct fg_segment_group *group)
{
    return fg_group_head_offset(group) + group->entry.head_size;
}

/* The row group that holds row, which must be below the segment's span count. */
uint32_t fg_segment_group_of(const struct fg_segment *segment, uint64_t row);

/* -- Blocks */

/* Bytes from the file or from the cache, with FG_INPUT_PADDING that may be read behind them. */
struct fg_loaded {
    struct fg_slice bytes;
    struct fg_cache_entry *entry; /* or */
    uint8_t *own;
};

/* Reads a block into memory (of size bytes and padding) and checks it; size counts the checksum. */
FG_MUST_CHECK int fg_segment_read_block(struct fg_segment *segment, uint64_t offset, uint64_t size,
                                        uint8_t *memory);
/* Whether a block's bytes in memory carry the right checksum. */
bool fg_block_is_whole(const uint8_t *block, uint64_t size, uint64_t offset);

/* A block's payload, through the cache. *bytes_read (may be NULL) grows by what was read. */
FG_MUST_CHECK int fg_segment_load(struct fg_segment *segment, uint64_t offset, uint64_t size,
                                  uint64_t *bytes_read, struct fg_loaded *ret_loaded);
/* As above; what is cached and given is what unpack makes of the payload, as memory from malloc
 * with padding behind it. */
struct fg_unpack {
    int (*fn)(void *arg, struct fg_codec *codec, struct fg_slice payload, uint8_t **ret_memory,
              size_t *ret_size);
    void *arg;
};
FG_MUST_CHECK int fg_segment_load_unpacked(struct fg_segment *segment, struct fg_codec *codec,
                                           uint64_t offset, uint64_t size, uint64_t *bytes_read,
                                           const struct fg_unpack *unpack,
                                           struct fg_loaded *ret_loaded);
/* Of a payload that is a blob: its bytes. */
FG_MUST_CHECK int fg_segment_load_blob(struct fg_segment *segment, struct fg_codec *codec,
                                       uint64_t offset, uint64_t size, uint64_t *bytes_read,
                                       struct fg_loaded *ret_loaded);
void fg_loaded_free(struct fg_segment *segment, struct fg_loaded *loaded);
/* It stays loaded, and does not stay in the cache. */
void fg_loaded_leave_cache(struct fg_segment *segment, struct fg_loaded *loaded);

/* -- A row group's shared parts, parsed (group.c) */

struct fg_group_column {
    uint8_t level, part, type, form; /* enum fg_level, fg_part, fg_value_type, fg_form */
    uint8_t filter_kind;
    bool has_nan, has_defaults;
    uint32_t key_id; /* in the dictionary */
    struct fg_slice key;
    uint32_t value_count, distinct_count;
    uint64_t dictionary_size;
    uint64_t filter_offset; /* in the file */
    uint32_t filter_size;
    uint64_t min, max; /* of what is no text */
    uint64_t *codes;   /* FG_FORM_*_CODES: what each code stands for */
};

struct fg_group_level {
    uint32_t shape_count, class_count;
    uint32_t *shape_begin;   /* shape_count + 1 */
    uint32_t *shape_columns; /* column numbers */
    /* what is usual in class c's kth column: usual[usual_begin[c] + k], a code */
    uint32_t *usual_begin, *usual;
    uint32_t *class_shape, *class_name, *class_scope;
    uint8_t *class_kind, *class_status, *class_open;
};

/* Immutable. Counted by reference within one thread. */
struct fg_group {
    uint32_t refs;
    struct fg_segment *segment; /* borrowed */
    uint32_t number;
    struct fg_arena arena;
    struct fg_loaded head, columns_loaded;
    uint32_t page_count;
    uint32_t string_count;
    uint64_t strings_size;
    uint32_t dictionary_filter_size; /* the first of its filters */
    struct fg_batch shared;          /* resources and scopes; strings once they are loaded */
    struct fg_group_column *columns;
    uint32_t column_count;
    uint32_t class_count; /* of spans */
    bool has_head;        /* otherwise only what is above, but shared and codes */
    bool has_shapes;      /* otherwise levels have classes only, and columns no codes */
    struct fg_input rest; /* of the head */
    struct fg_group_level levels[FG_LEVEL_COUNT];
    struct fg_loaded dictionary;
};

FG_MUST_CHECK int fg_group_load(struct fg_segment *segment, struct fg_codec *codec, uint32_t number,
                                uint64_t *bytes_read, struct fg_group **ret_group);
/* In three steps, for who may have seen enough after the first: the columns alone, which is quick;
 * resources, scopes and classes; codes and shapes. Each needs the one before. */
FG_MUST_CHECK int fg_group_load_columns(struct fg_segment *segment, uint32_t number,
                                        uint64_t *bytes_read, struct fg_group **ret_group);
FG_MUST_CHECK int fg_group_load_head(struct fg_group *group, struct fg_codec *codec,
                                     uint64_t *bytes_read);
FG_MUST_CHECK int fg_group_load_shapes(struct fg_group *group, struct fg_codec *codec);
/* Loads the dictionary: shared.strings. */
FG_MUST_CHECK int fg_group_load_strings(struct fg_group *group, struct fg_codec *codec,
                                        uint64_t *bytes_read);
void fg_group_unref(struct fg_group *group);

/* -- A row group's pages (directory.c) */

struct fg_chunk {
    uint64_t offset;            /* in the file; 0: in the directory */
    const uint8_t *inline_data; /* where it is in the directory */
    uint32_t size;              /* of a block its checksum counts; 0: there is none */
    bool has_range;
    uint64_t min, max; /* of codes or numbers, signed */
};

struct fg_page {
    uint64_t row_begin; /* in the segment */
    uint64_t trace_begin;
    uint32_t row_count, run_count, event_count, link_count;
    bool continued;
    uint64_t start_ns_min, start_ns_max, duration_min, duration_max;
    uint64_t *class_set;     /* flags */
    struct fg_chunk *chunks; /* FG_STREAM_COUNT, then one a column */
};

struct fg_directory {
    struct fg_arena arena;
    struct fg_loaded loaded;
    struct fg_page *pages;
    uint32_t page_count;
};

FG_MUST_CHECK int fg_directory_load(const struct fg_group *group, struct fg_codec *codec,
                                    uint64_t *bytes_read, struct fg_directory *ret_directory);
void fg_directory_free(struct fg_segment *segment, struct fg_directory *directory);
/* The page that holds row, which must lie in the group. */
uint32_t fg_directory_page_of(const struct fg_directory *directory, uint64_t row);

/* A chunk's payload into arena, or in the directory. */
FG_MUST_CHECK int fg_segment_load_chunk(struct fg_segment *segment, const struct fg_chunk *chunk,
                                        struct fg_arena *arena, uint64_t *bytes_read,
                                        struct fg_slice *ret_bytes);

/* -- The traces of a page (page_decode.c) */

struct fg_page_runs {
    uint64_t *id_high, *id_low, *start_ns;
    uint32_t *row_count;
};

/* Takes the page's traces chunk. */
FG_MUST_CHECK int fg_page_decode_runs(struct fg_codec *codec, const struct fg_page *page,
                                      struct fg_slice chunk, struct fg_arena *arena,
                                      struct fg_page_runs *ret_runs);
