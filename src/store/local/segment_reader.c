/* Opening a segment, and reading its blocks. What an open segment keeps in memory is its footer:
 * some 70 bytes a row group, 40 for 8192 traces. */
#include "local/segment_internal.h"

#include "base/checked.h"
#include "base/hash.h"
#include "base/limits.h"

#include <stdlib.h>

/* Read at once from the file's end: holds the footer of all but the largest segments. */
#define END_SIZE ((size_t)16 << 10)

/* -- Blocks */

static int read_exactly(struct fg_file *file, uint64_t offset, void *memory, size_t size)
{
    size_t done = 0;
    int r = fg_file_pread(file, offset, memory, size, &done);
    if (r < 0)
        return r;
    return done == size ? 0 : FG_ECORRUPT;
}

bool fg_block_is_whole(const uint8_t *block, uint64_t size, uint64_t offset)
{
    if (size < FG_BLOCK_CHECKSUM_SIZE)
        return false;
    size_t payload = (size_t)size - FG_BLOCK_CHECKSUM_SIZE;
    return fg_load_le64(block + payload) == fg_hash_seeded(fg_slice(block, payload), offset);
}

int fg_segment_read_block(struct fg_segment *segment, uint64_t offset, uint64_t size,
                          uint8_t *memory)
{
    int r = read_exactly(segment->file, offset, memory, (size_t)size);
    if (r < 0)
        return r;
    return fg_block_is_whole(memory, size, offset) ? 0 : FG_ECORRUPT;
}

/* A block in memory of its own, with padding. Sizes were checked against the file's. */
static int read_own(struct fg_segment *segment, uint64_t offset, uint64_t size,
                    uint64_t *bytes_read, uint8_t **ret_memory)
{
    if (size < FG_BLOCK_CHECKSUM_SIZE)
        return FG_ECORRUPT;
    uint8_t *memory = malloc((size_t)size + FG_INPUT_PADDING);
    if (!memory)
        return FG_ENOMEM;
    int r = fg_segment_read_block(segment, offset, size, memory);
    if (r < 0) {
        free(memory);
        return r;
    }
    memset(memory + size, 0, FG_INPUT_PADDING);
    if (bytes_read)
        *bytes_read += size;
    *ret_memory = memory;
    return 0;
}

static bool from_cache(struct fg_segment *segment, uint64_t part, struct fg_loaded *ret_loaded)
{
    if (!segment->cache)
        return false;
    struct fg_cache_key key = {segment->cache_owner, part};
    struct fg_cache_entry *entry = fg_cache_get(segment->cache, key);
    if (!entry)
        return false;
    struct fg_slice bytes = fg_cache_bytes(entry);
    *ret_loaded = (struct fg_loaded){.bytes = fg_slice(bytes.data, bytes.size - FG_INPUT_PADDING),
                                     .entry = entry};
    return true;
}

/* memory: size bytes and padding, consumed. */
static int into_cache_take(struct fg_segment *segment, uint64_t part, uint8_t *memory, size_t size,
                           struct fg_loaded *ret_loaded)
{
    if (!segment->cache) {
        *ret_loaded = (struct fg_loaded){.bytes = fg_slice(memory, size), .own = memory};
        return 0;
    }
    struct fg_cache_key key = {segment->cache_owner, part};
    struct fg_cache_entry *entry;
    atomic_store_explicit(&segment->is_cached, true, memory_order_relaxed);
    int r = fg_cache_put_take(segment->cache, key, memory, size + FG_INPUT_PADDING, &entry);
    if (r < 0)
        return r;
    *ret_loaded =
        (struct fg_loaded){.bytes = fg_slice(fg_cache_bytes(entry).data, size), .entry = entry};
    return 0;
}

int fg_segment_load(struct fg_segment *segment, uint64_t offset, uint64_t size,
                    uint64_t *bytes_read, struct fg_loaded *ret_loaded)
{
    if (from_cache(segment, offset, ret_loaded))
        return 0;
    uint8_t *memory = NULL;
    int r = read_own(segment, offset, size, bytes_read, &memory);
    if (r < 0)
        return r;
    return into_cache_take(segment, offset, memory, (size_t)size - FG_BLOCK_CHECKSUM_SIZE,
                           ret_loaded);
}

static int copy_padded(struct fg_slice bytes, uint8_t **ret_memory)
{
    uint8_t *memory = malloc(bytes.size + FG_INPUT_PADDING);
    if (!memory)
        return FG_ENOMEM;
    if (bytes.size)
        memcpy(memory, bytes.data, bytes.size);
    memset(memory + bytes.size, 0, FG_INPUT_PADDING);
    *ret_memory = memory;
    return 0;
}

/* The blob that a block's payload is, as memory of its own with padding. */
static int unpack_blob(void *arg, struct fg_codec *codec, struct fg_slice payload,
                       uint8_t **ret_memory, size_t *ret_size)
{
    (void)arg;
    struct fg_arena arena;
    fg_arena_init(&arena, FG_SEGMENT_TEXT_SIZE_MAX * 2);
    struct fg_input in = fg_input(payload);
    struct fg_slice bytes;
    int r = fg_blob_decode(codec, &in, FG_SEGMENT_TEXT_SIZE_MAX, &arena, &bytes);
    if (r == 0 && fg_input_rest(&in) != 0)
        r = FG_ECORRUPT;
    if (r == 0)
        r = copy_padded(bytes, ret_memory);
    if (r == 0)
        *ret_size = bytes.size;
    fg_arena_free(&arena);
    return r;
}

int fg_segment_load_unpacked(struct fg_segment *segment, struct fg_codec *codec, uint64_t offset,
                             uint64_t size, uint64_t *bytes_read, const struct fg_unpack *unpack,
                             struct fg_loaded *ret_loaded)
{
    if (from_cache(segment, offset, ret_loaded))
        return 0;
    uint8_t *block = NULL, *memory = NULL;
    size_t unpacked = 0;
    int r = read_own(segment, offset, size, bytes_read, &block);
    if (r == 0) {
        struct fg_slice payload = fg_slice(block, (size_t)size - FG_BLOCK_CHECKSUM_SIZE);
        r = unpack->fn(unpack->arg, codec, payload, &memory, &unpacked);
    }
    free(block);
    return r < 0 ? r : into_cache_take(segment, offset, memory, unpacked, ret_loaded);
}

int fg_segment_load_blob(struct fg_segment *segment, struct fg_codec *codec, uint64_t offset,
                         uint64_t size, uint64_t *bytes_read, struct fg_loaded *ret_loaded)
{
    static const struct fg_unpack unpack = {unpack_blob, NULL};
    return fg_segment_load_unpacked(segment, codec, offset, size, bytes_read, &unpack, ret_loaded);
}

void fg_loaded_leave_cache(struct fg_segment *segment, struct fg_loaded *loaded)
{
    if (loaded->entry)
        fg_cache_drop(segment->cache, loaded->entry);
}

void fg_loaded_free(struct fg_segment *segment, struct fg_loaded *loaded)
{
    if (loaded->entry)
        fg_cache_unref(segment->cache, loaded->entry);
    free(loaded->own);
    *loaded = (struct fg_loaded){0};
}

int fg_segment_load_chunk(struct fg_segment *segment, const struct fg_chunk *chunk,
                          struct fg_arena *arena, uint64_t *bytes_read, struct fg_slice *ret_bytes)
{
    if (chunk->size == 0 || chunk->inline_data) {
        *ret_bytes = fg_slice(chunk->inline_data, chunk->size);
        return 0;
    }
    uint8_t *memory = fg_arena_alloc(arena, (size_t)chunk->size + FG_INPUT_PADDING);
    if (!memory)
        return FG_ENOMEM;
    memset(memory + chunk->size, 0, FG_INPUT_PADDING);
    int r = fg_segment_read_block(segment, chunk->offset, chunk->size, memory);
    if (r < 0)
        return r;
    if (bytes_read)
        *bytes_read += chunk->size;
    *ret_bytes = fg_slice(memory, chunk->size - FG_BLOCK_CHECKSUM_SIZE);
    return 0;
}

/* -- The footer */

static struct fg_segment_group_entry take_group_entry(struct fg_input *in)
{
    struct fg_segment_group_entry entry;
    entry.chunks_size = fg_input_le64(in);
    entry.start_ns_min = fg_input_le64(in);
    entry.start_ns_max = fg_input_le64(in);
    entry.row_count = fg_input_le32(in);
    entry.trace_count = fg_input_le32(in);
    entry.filters_size = fg_input_le32(in);
    entry.dictionary_size = fg_input_le32(in);
    entry.directory_size = fg_input_le32(in);
    entry.head_size = fg_input_le32(in);
    entry.columns_size = fg_input_le32(in);
    entry.reserved = fg_input_le32(in);
    return entry;
}

static struct fg_segment_index_entry take_index_entry(struct fg_input *in)
{
    struct fg_segment_index_entry entry;
    entry.hash_min = fg_input_le64(in);
    entry.trace_count = fg_input_le32(in);
    entry.filter_size = fg_input_le32(in);
    entry.places_size = fg_input_le32(in);
    entry.reserved = fg_input_le32(in);
    return entry;
}

/* Adds size to *offset; false where it would leave the part of the file before the footer. */
static bool advance(const struct fg_segment *segment, uint64_t *offset, uint64_t size)
{
    return !fg_add_overflow(*offset, size, offset) && *offset <= segment->footer_offset;
}

static int take_groups(struct fg_segment *segment, struct fg_input *in, uint64_t *offset)
{
    uint64_t rows = 0, traces = 0;
    for (uint32_t i = 0; i < segment->info.row_group_count; i++) {
        struct fg_segment_group *group = &segment->groups[i];
        *group =
            (struct fg_segment_group){.offset = *offset, .row_begin = rows, .trace_begin = traces};
        const struct fg_segment_group_entry *entry = &group->entry;
        group->entry = take_group_entry(in);
        if (!advance(segment, offset, entry->chunks_size) ||
            !advance(segment, offset, entry->filters_size) ||
            !advance(segment, offset, entry->dictionary_size) ||
            !advance(segment, offset, entry->directory_size) ||
            !advance(segment, offset, entry->head_size) ||
            !advance(segment, offset, entry->columns_size) || entry->row_count == 0 ||
            entry->row_count > FG_ROW_GROUP_ROWS_MAX || entry->trace_count > entry->row_count ||
            entry->start_ns_min > entry->start_ns_max)
            return FG_ECORRUPT;
        rows += entry->row_count;
        traces += entry->trace_count;
    }
    return rows == segment->info.span_count && traces == segment->info.trace_count ? 0
                                                                                   : FG_ECORRUPT;
}

static int take_index(struct fg_segment *segment, struct fg_input *in, uint64_t *offset)
{
    uint64_t traces = 0;
    for (uint32_t i = 0; i < segment->index_count; i++) {
        struct fg_segment_index_part *part = &segment->index[i];
        part->offset = *offset;
        part->entry = take_index_entry(in);
        if (!advance(segment, offset, part->entry.filter_size) ||
            !advance(segment, offset, part->entry.places_size) || part->entry.trace_count == 0 ||
            part->entry.trace_count > FG_INDEX_TRACES_MAX)
            return FG_ECORRUPT;
        traces += part->entry.trace_count;
    }
    return traces == segment->info.trace_count ? 0 : FG_ECORRUPT;
}

static int take_footer(struct fg_segment *segment, struct fg_slice payload)
{
    struct fg_input in = fg_input(payload);
    struct fg_segment_info *info = &segment->info;
    info->span_count = fg_input_le64(&in);
    info->trace_count = fg_input_le64(&in);
    info->start_ns_min = fg_input_le64(&in);
    info->start_ns_max = fg_input_le64(&in);
    info->end_ns_max = fg_input_le64(&in);
    info->received_ns_min = fg_input_le64(&in);
    info->received_ns_max = fg_input_le64(&in);
    segment->rollup_size = fg_input_le64(&in);
    info->row_group_count = fg_input_le32(&in);
    segment->index_count = fg_input_le32(&in);
    uint64_t need = (uint64_t)info->row_group_count * sizeof(struct fg_segment_group_entry) +
                    (uint64_t)segment->index_count * sizeof(struct fg_segment_index_entry);
    if (in.error || fg_input_rest(&in) != need)
        return FG_ECORRUPT;
    segment->groups = calloc(info->row_group_count + (size_t)1, sizeof *segment->groups);
    segment->index = calloc(segment->index_count + (size_t)1, sizeof *segment->index);
    if (!segment->groups || !segment->index)
        return FG_ENOMEM;
    uint64_t offset = sizeof(struct fg_segment_header);
    int r = take_groups(segment, &in, &offset);
    if (r == 0)
        r = take_index(segment, &in, &offset);
    if (r < 0)
        return r;
    segment->rollup_offset = offset;
    if (!advance(segment, &offset, segment->rollup_size) || offset != segment->footer_offset)
        return FG_ECORRUPT;
    return 0;
}

/* The tail, of which magic and version stay where they are in every version to come. */
static int take_tail(struct fg_segment *segment, const uint8_t *tail)
{
    size_t checked = offsetof(struct fg_segment_tail, checksum);
    if (memcmp(tail + offsetof(struct fg_segment_tail, magic), FG_SEGMENT_MAGIC,
               FG_SEGMENT_MAGIC_SIZE) != 0)
        return FG_ECORRUPT;
    if (fg_load_le64(tail + checked) != fg_hash(fg_slice(tail, checked)))
        return FG_ECORRUPT;
    if (fg_load_le32(tail + offsetof(struct fg_segment_tail, version)) > FG_SEGMENT_VERSION)
        return FG_EUNSUPPORTED;
    segment->footer_offset = fg_load_le64(tail + offsetof(struct fg_segment_tail, footer_offset));
    segment->footer_size = fg_load_le64(tail + offsetof(struct fg_segment_tail, footer_size));
    uint64_t size = fg_load_le64(tail + offsetof(struct fg_segment_tail, file_size)), end;
    if (size != segment->info.size_bytes ||
        segment->footer_offset < sizeof(struct fg_segment_header) ||
        segment->footer_size < FG_BLOCK_CHECKSUM_SIZE ||
        fg_add_overflow(segment->footer_offset, segment->footer_size, &end) ||
        end != size - sizeof(struct fg_segment_tail))
        return FG_ECORRUPT;
    return 0;
}

static int read_footer(struct fg_segment *segment)
{
    uint64_t size = 0;
    int r = fg_file_size(segment->file, &size);
    if (r < 0)
        return r;
    if (size < sizeof(struct fg_segment_header) + sizeof(struct fg_segment_tail))
        return FG_ECORRUPT;
    segment->info.size_bytes = size;
    size_t end_size = size < END_SIZE ? (size_t)size : END_SIZE;
    uint8_t *end = malloc(end_size);
    if (!end)
        return FG_ENOMEM;
    r = read_exactly(segment->file, size - end_size, end, end_size);
    if (r == 0)
        r = take_tail(segment, end + end_size - sizeof(struct fg_segment_tail));
    uint8_t *footer = end, *own = NULL;
    if (r == 0 && segment->footer_offset < size - end_size) {
        footer = own = malloc((size_t)segment->footer_size);
        r = own ? read_exactly(segment->file, segment->footer_offset, own,
                               (size_t)segment->footer_size)
                : FG_ENOMEM;
    } else if (r == 0) {
        footer = end + (segment->footer_offset - (size - end_size));
    }
    if (r == 0 && !fg_block_is_whole(footer, segment->footer_size, segment->footer_offset))
        r = FG_ECORRUPT;
    if (r == 0)
        r = take_footer(segment,
                        fg_slice(footer, (size_t)segment->footer_size - FG_BLOCK_CHECKSUM_SIZE));
    free(own);
    free(end);
    return r;
}

static void segment_free(struct fg_segment *segment)
{
    if (atomic_load(&segment->is_cached))
        fg_cache_forget(segment->cache, segment->cache_owner);
    fg_file_close(segment->file);
    free(segment->groups);
    free(segment->index);
    free(segment);
}

int fg_segment_open(struct fg_env *env, const char *path, struct fg_cache *cache,
                    struct fg_segment **ret_segment)
{
    struct fg_segment *segment = calloc(1, sizeof *segment);
    if (!segment)
        return FG_ENOMEM;
    segment->cache = cache;
    atomic_init(&segment->refs, 1);
    int r = fg_env_open(env, path, FG_OPEN_READ, &segment->file);
    if (r == 0)
        r = read_footer(segment);
    if (r < 0) {
        segment_free(segment);
        return r;
    }
    if (cache)
        segment->cache_owner = fg_cache_owner_new(cache);
    /* by chance, in a range of their own: builders count theirs up from 1 */
    fg_env_random(env, &segment->epoch, sizeof segment->epoch);
    segment->epoch |= UINT64_C(1) << 63;
    *ret_segment = segment;
    return 0;
}

struct fg_segment *fg_segment_ref(struct fg_segment *segment)
{
    atomic_fetch_add(&segment->refs, 1);
    return segment;
}

void fg_segment_unref(struct fg_segment *segment)
{
    if (segment && atomic_fetch_sub(&segment->refs, 1) == 1)
        segment_free(segment);
}

const struct fg_segment_info *fg_segment_info(const struct fg_segment *segment)
{
    return &segment->info;
}

int fg_segment_rollup(struct fg_segment *segment, uint8_t **ret_bytes, size_t *ret_size)
{
    if (segment->rollup_size == 0) {
        *ret_bytes = NULL;
        *ret_size = 0;
        return 0;
    }
    int r = read_own(segment, segment->rollup_offset, segment->rollup_size, NULL, ret_bytes);
    if (r == 0)
        *ret_size = (size_t)segment->rollup_size - FG_BLOCK_CHECKSUM_SIZE;
    return r;
}

uint32_t fg_segment_group_of(const struct fg_segment *segment, uint64_t row)
{
    uint32_t low = 0, high = segment->info.row_group_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (segment->groups[middle].row_begin <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}
