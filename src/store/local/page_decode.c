/* Chunks to rows: only those that are asked for, and those that these are foretold by. The writing
 * side is page_encode.c. */
#include "local/page_decode.h"

#include "local/page_times.h"

#include <stdlib.h>

/* Chunks that lie no further apart than this are read together. */
#define READ_GAP_MAX ((uint64_t)8 << 10)

enum { PARENT_NONE = 0, PARENT_ELSEWHERE = 1, PARENT_CLIMB = 2 };

void *fg_page_memory(struct fg_page_decoder *decoder, size_t count, size_t size)
{
    return fg_arena_alloc(decoder->arena, (count + 1) * size);
}

/* -- Loading */

static bool needs_stream(uint32_t columns, uint32_t stream)
{
    switch (stream) {
    case FG_STREAM_CLASSES:
        return true;
    case FG_STREAM_TRACES:
    case FG_STREAM_PARENTS:
        return columns &
               (FG_COLUMNS_IDS | FG_COLUMNS_TIMES | FG_COLUMNS_RESOURCE | FG_COLUMNS_EVENTS);
    case FG_STREAM_SPAN_IDS:
        return columns & FG_COLUMNS_IDS;
    case FG_STREAM_TIMES:
        /* events are counted from their spans' times */
        return columns & (FG_COLUMNS_TIMES | FG_COLUMNS_EVENTS);
    case FG_STREAM_RECEIVED:
        return columns & FG_COLUMNS_TIMES;
    case FG_STREAM_RESOURCES:
        return columns & FG_COLUMNS_RESOURCE;
    case FG_STREAM_EVENTS:
        return columns & FG_COLUMNS_EVENTS;
    default:
        return columns & FG_COLUMNS_LINKS;
    }
}

static bool needs_chunk(const struct fg_page_decoder *decoder, uint32_t index)
{
    if (index >= FG_STREAM_COUNT)
        return decoder->plan->wanted[index - FG_STREAM_COUNT];
    return needs_stream(decoder->plan->columns, index);
}

static int check_chunk(struct fg_page_decoder *decoder, uint32_t index, const uint8_t *block)
{
    const struct fg_chunk *chunk = &decoder->page->chunks[index];
    if (!fg_block_is_whole(block, chunk->size, chunk->offset))
        return FG_ECORRUPT;
    decoder->chunks[index] = fg_slice(block, chunk->size - FG_BLOCK_CHECKSUM_SIZE);
    decoder->is_loaded[index] = true;
    return 0;
}

/* Reads the chunks first to last, which lie next to each other or nearly, in one go. */
static int read_together(struct fg_page_decoder *decoder, uint32_t first, uint32_t last)
{
    const struct fg_chunk *chunks = decoder->page->chunks;
    uint64_t begin = chunks[first].offset, size = chunks[last].offset + chunks[last].size - begin;
    uint8_t *memory = fg_arena_alloc(decoder->arena, (size_t)size + FG_INPUT_PADDING);
    if (!memory)
        return FG_ENOMEM;
    memset(memory + size, 0, FG_INPUT_PADDING);
    size_t done = 0;
    int r = fg_file_pread(decoder->group->segment->file, begin, memory, (size_t)size, &done);
    if (r == 0 && done != size)
        r = FG_ECORRUPT;
    if (r == 0 && decoder->bytes_read)
        *decoder->bytes_read += size;
    for (uint32_t i = first; r == 0 && i <= last; i++)
        if (chunks[i].offset && needs_chunk(decoder, i))
            r = check_chunk(decoder, i, memory + (chunks[i].offset - begin));
    return r;
}

static int load_chunks(struct fg_page_decoder *decoder)
{
    const struct fg_chunk *chunks = decoder->page->chunks;
    uint32_t count = FG_STREAM_COUNT + decoder->group->column_count;
    uint32_t first = UINT32_MAX, last = 0;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        if (!chunks[i].offset || !needs_chunk(decoder, i))
            continue;
        bool near = first != UINT32_MAX &&
                    chunks[i].offset - (chunks[last].offset + chunks[last].size) <= READ_GAP_MAX;
        if (first != UINT32_MAX && !near)
            r = read_together(decoder, first, last);
        if (!near)
            first = i;
        last = i;
    }
    if (r == 0 && first != UINT32_MAX)
        r = read_together(decoder, first, last);
    return r;
}

int fg_page_chunk(struct fg_page_decoder *decoder, uint32_t index, struct fg_slice *ret_bytes)
{
    if (!decoder->is_loaded[index]) {
        int r = fg_segment_load_chunk(decoder->group->segment, &decoder->page->chunks[index],
                                      decoder->arena, decoder->bytes_read, &decoder->chunks[index]);
        if (r < 0)
            return r;
        decoder->is_loaded[index] = true;
    }
    *ret_bytes = decoder->chunks[index];
    return 0;
}

int fg_page_open(struct fg_page_decoder *decoder, uint32_t index, struct fg_input *ret_in)
{
    struct fg_slice bytes;
    int r = fg_page_chunk(decoder, index, &bytes);
    if (r == 0)
        *ret_in = fg_input(bytes);
    return r;
}

int fg_page_close(struct fg_input *in)
{
    return in->error || fg_input_rest(in) != 0 ? FG_ECORRUPT : 0;
}

/* -- Traces, classes, parents */

int fg_page_decode_runs(struct fg_codec *codec, const struct fg_page *page, struct fg_slice chunk,
                        struct fg_arena *arena, struct fg_page_runs *ret_runs)
{
    uint32_t count = page->run_count;
    struct fg_page_runs runs;
    runs.id_high = fg_arena_alloc(arena, count * sizeof *runs.id_high);
    runs.id_low = fg_arena_alloc(arena, count * sizeof *runs.id_low);
    runs.start_ns = fg_arena_alloc(arena, count * sizeof *runs.start_ns);
    runs.row_count = fg_arena_alloc(arena, count * sizeof *runs.row_count);
    if (!runs.id_high || !runs.id_low || !runs.start_ns || !runs.row_count)
        return FG_ENOMEM;
    struct fg_input in = fg_input(chunk);
    int r = fg_int_decode(codec, &in, count, NULL, runs.id_high);
    if (r == 0)
        r = fg_int_decode(codec, &in, count, NULL, runs.id_low);
    if (r == 0)
        r = fg_int_decode_u32(codec, &in, count, NULL, page->row_count, runs.row_count);
    if (r == 0)
        r = fg_int_decode(codec, &in, count, NULL, runs.start_ns);
    if (r != 0)
        return r;
    uint64_t total = 0;
    bool whole = fg_input_rest(&in) == 0;
    for (uint32_t i = 0; i < count; i++) {
        total += runs.row_count[i];
        whole &= runs.row_count[i] != 0;
    }
    if (!whole || total != page->row_count)
        return FG_ECORRUPT;
    *ret_runs = runs;
    return 0;
}

/* The traces, where their rows begin. */
static int take_traces(struct fg_page_decoder *decoder)
{
    if (decoder->run_begin)
        return 0;
    struct fg_slice chunk;
    int r = fg_page_chunk(decoder, FG_STREAM_TRACES, &chunk);
    if (r == 0)
        r = fg_page_decode_runs(decoder->codec, decoder->page, chunk, decoder->arena,
                                &decoder->runs);
    if (r != 0)
        return r;
    uint32_t count = decoder->page->run_count;
    uint32_t *begin = fg_page_memory(decoder, count, sizeof *begin);
    if (!begin)
        return FG_ENOMEM;
    begin[0] = 0;
    for (uint32_t i = 0; i < count; i++)
        begin[i + 1] = begin[i] + decoder->runs.row_count[i];
    decoder->run_begin = begin;
    return 0;
}

static int take_classes(struct fg_page_decoder *decoder)
{
    struct fg_input in;
    int r = fg_page_open(decoder, FG_STREAM_CLASSES, &in);
    if (r < 0)
        return r;
    uint32_t classes = decoder->group->levels[FG_LEVEL_SPAN].class_count;
    decoder->class = fg_page_memory(decoder, decoder->page->row_count, sizeof *decoder->class);
    if (!decoder->class)
        return FG_ENOMEM;
    if (classes == 0)
        return FG_ECORRUPT;
    r = fg_int_decode_u32(decoder->codec, &in, decoder->page->row_count, NULL, classes - 1,
                          decoder->class);
    return r < 0 ? r : fg_page_close(&in);
}

/* What the codes say: climbs from the row before. */
static int climb_parents(struct fg_page_decoder *decoder, const uint32_t *code)
{
    uint32_t *parent = decoder->parent;
    for (uint32_t run = 0; run < decoder->page->run_count; run++) {
        uint32_t begin = decoder->run_begin[run], end = decoder->run_begin[run + 1];
        for (uint32_t i = begin; i < end; i++) {
            parent[i] = FG_NO_ROW;
            if (code[i] < PARENT_CLIMB)
                continue;
            uint32_t at = i > begin ? i - 1 : FG_NO_ROW;
            for (uint32_t climb = code[i] - PARENT_CLIMB; climb > 0 && at != FG_NO_ROW; climb--)
                at = parent[at];
            if (at == FG_NO_ROW)
                return FG_ECORRUPT;
            parent[i] = at;
        }
    }
    return 0;
}

int fg_page_parents(struct fg_page_decoder *decoder)
{
    if (decoder->parent)
        return 0;
    uint32_t rows = decoder->page->row_count;
    struct fg_input in;
    int r = take_traces(decoder);
    if (r == 0)
        r = fg_page_open(decoder, FG_STREAM_PARENTS, &in);
    if (r != 0)
        return r;
    uint32_t *before = fg_page_memory(decoder, rows, sizeof *before);
    uint32_t *code = fg_page_memory(decoder, rows, sizeof *code);
    decoder->parent = fg_page_memory(decoder, rows, sizeof *decoder->parent);
    if (!before || !code || !decoder->parent)
        return FG_ENOMEM;
    for (uint32_t i = 1; i < rows; i++)
        before[i] = decoder->class[i - 1];
    for (uint32_t run = 0; run < decoder->page->run_count; run++)
        before[decoder->run_begin[run]] = UINT32_MAX;
    struct fg_int_context context = {.a = decoder->class,
                                     .a_count = decoder->group->levels[FG_LEVEL_SPAN].class_count,
                                     .b = before};
    r = fg_int_decode_u32(decoder->codec, &in, rows, &context, rows + 1u, code);
    if (r == 0)
        r = climb_parents(decoder, code);
    decoder->parent_code = code;
    decoder->parents_rest = in;
    return r;
}

static int take_ids(struct fg_page_decoder *decoder, struct fg_batch *batch)
{
    uint32_t rows = decoder->page->row_count;
    uint64_t *high = fg_page_memory(decoder, rows, sizeof *high);
    uint64_t *low = fg_page_memory(decoder, rows, sizeof *low);
    uint64_t *id = fg_page_memory(decoder, rows, sizeof *id);
    uint64_t *parent_id = fg_page_memory(decoder, rows, sizeof *parent_id);
    struct fg_input in;
    int r =
        high && low && id && parent_id ? fg_page_open(decoder, FG_STREAM_SPAN_IDS, &in) : FG_ENOMEM;
    if (r == 0)
        r = fg_int_decode(decoder->codec, &in, rows, NULL, id);
    if (r == 0)
        r = fg_page_close(&in);
    if (r < 0)
        return r;
    for (uint32_t run = 0; run < decoder->page->run_count; run++) {
        for (uint32_t i = decoder->run_begin[run]; i < decoder->run_begin[run + 1]; i++) {
            high[i] = decoder->runs.id_high[run];
            low[i] = decoder->runs.id_low[run];
        }
    }
    struct fg_input *rest = &decoder->parents_rest;
    uint32_t elsewhere = (uint32_t)fg_input_varint_max(rest, rows), used = 0;
    r = fg_int_decode(decoder->codec, rest, elsewhere, NULL, decoder->values);
    if (r == 0)
        r = fg_page_close(rest);
    for (uint32_t i = 0; r == 0 && i < rows; i++) {
        uint32_t code = decoder->parent_code[i];
        if (code == PARENT_ELSEWHERE && used == elsewhere)
            r = FG_ECORRUPT;
        else if (code == PARENT_ELSEWHERE)
            parent_id[i] = decoder->values[used++];
        else
            parent_id[i] = code == PARENT_NONE ? 0 : id[decoder->parent[i]];
    }
    batch->trace_id_high = high;
    batch->trace_id_low = low;
    batch->span_id = id;
    batch->parent_span_id = parent_id;
    return r < 0 ? r : used == elsewhere ? 0 : FG_ECORRUPT;
}

int fg_page_resources(struct fg_page_decoder *decoder)
{
    if (decoder->resource)
        return 0;
    struct fg_input in;
    uint32_t rows = decoder->page->row_count, count = decoder->group->shared.resource_count;
    int r = fg_page_parents(decoder);
    if (r == 0)
        r = fg_page_open(decoder, FG_STREAM_RESOURCES, &in);
    uint32_t *resource = r < 0 ? NULL : fg_page_memory(decoder, rows, sizeof *resource);
    if (r == 0 && !resource)
        r = FG_ENOMEM;
    if (r == 0 && count == 0)
        r = FG_ECORRUPT;
    struct fg_int_context context = {.a = decoder->class,
                                     .a_count = decoder->group->levels[FG_LEVEL_SPAN].class_count,
                                     .parent = decoder->parent};
    if (r == 0)
        r = fg_int_decode_u32(decoder->codec, &in, rows, &context, count - 1, resource);
    if (r == 0)
        r = fg_page_close(&in);
    if (r == 0)
        decoder->resource = resource;
    return r;
}

/* -- What classes say */

static int take_names(struct fg_page_decoder *decoder, struct fg_batch *batch, uint32_t **ret_name)
{
    const struct fg_group_level *level = &decoder->group->levels[FG_LEVEL_SPAN];
    uint32_t rows = decoder->page->row_count;
    uint32_t *name = fg_page_memory(decoder, rows, sizeof *name);
    if (!name)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < rows; i++)
        name[i] = level->class_name[decoder->class[i]];
    batch->name = name;
    *ret_name = name;
    return 0;
}

static int take_scopes(struct fg_page_decoder *decoder, struct fg_batch *batch)
{
    const struct fg_group_level *level = &decoder->group->levels[FG_LEVEL_SPAN];
    uint32_t rows = decoder->page->row_count;
    uint32_t *scope = fg_page_memory(decoder, rows, sizeof *scope);
    if (!scope)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < rows; i++)
        scope[i] = level->class_scope[decoder->class[i]];
    batch->scope = scope;
    return 0;
}

static int take_statuses(struct fg_page_decoder *decoder, struct fg_batch *batch)
{
    const struct fg_group_level *level = &decoder->group->levels[FG_LEVEL_SPAN];
    uint32_t rows = decoder->page->row_count;
    uint8_t *kind = fg_page_memory(decoder, rows, sizeof *kind);
    uint8_t *status = fg_page_memory(decoder, rows, sizeof *status);
    if (!kind || !status)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < rows; i++) {
        kind[i] = level->class_kind[decoder->class[i]];
        status[i] = level->class_status[decoder->class[i]];
    }
    batch->kind = kind;
    batch->status = status;
    return 0;
}

/* -- The whole page */

struct rare_parts {
    uint32_t *flags, *marks, *trace_state, *status_message;
    uint32_t *dropped_attrs, *dropped_events, *dropped_links, *event_counts, *link_counts;
};

/* An array of zeros for a part that is asked for and that some span of the group has. */
static uint32_t *rare_part(struct fg_page_decoder *decoder, uint8_t part, bool wanted, int *error)
{
    if (!wanted)
        return NULL;
    for (uint32_t i = 0; i < decoder->group->column_count; i++) {
        const struct fg_group_column *column = &decoder->group->columns[i];
        if (column->level != FG_LEVEL_SPAN || column->part != part)
            continue;
        uint32_t *values =
            fg_arena_calloc(decoder->arena, decoder->page->row_count, sizeof *values);
        if (!values)
            *error = FG_ENOMEM;
        return values;
    }
    return NULL;
}

static int take_span_columns(struct fg_page_decoder *decoder, uint32_t *name,
                             struct fg_batch *batch)
{
    uint32_t columns = decoder->plan->columns;
    static const struct {
        uint8_t part;
        uint32_t columns;
    } rare[] = {
        {FG_PART_FLAGS, FG_COLUMNS_MISC},         {FG_PART_MARKS, FG_COLUMNS_MISC},
        {FG_PART_TRACE_STATE, FG_COLUMNS_MISC},   {FG_PART_STATUS_MESSAGE, FG_COLUMNS_STATUS},
        {FG_PART_DROPPED_ATTRS, FG_COLUMNS_MISC}, {FG_PART_DROPPED_EVENTS, FG_COLUMNS_MISC},
        {FG_PART_DROPPED_LINKS, FG_COLUMNS_MISC}, {FG_PART_EVENT_COUNT, FG_COLUMNS_EVENTS},
        {FG_PART_LINK_COUNT, FG_COLUMNS_LINKS},
    };
    struct fg_level_output output = {0};
    output.parts[FG_PART_NAME] = name;
    int r = 0;
    for (size_t i = 0; i < sizeof rare / sizeof *rare; i++)
        output.parts[rare[i].part] =
            rare_part(decoder, rare[i].part, columns & rare[i].columns, &r);
    if (columns & FG_COLUMNS_SPAN_ATTRS)
        output.attrs = &batch->span_attrs;
    uint32_t rows = decoder->page->row_count;
    if (r == 0)
        r = fg_page_columns(decoder, FG_LEVEL_SPAN, decoder->class, rows, &output);
    if (r < 0)
        return r;
    batch->flags = output.parts[FG_PART_FLAGS];
    batch->trace_state = output.parts[FG_PART_TRACE_STATE];
    batch->status_message = output.parts[FG_PART_STATUS_MESSAGE];
    batch->dropped_attrs = output.parts[FG_PART_DROPPED_ATTRS];
    batch->dropped_events = output.parts[FG_PART_DROPPED_EVENTS];
    batch->dropped_links = output.parts[FG_PART_DROPPED_LINKS];
    if (output.parts[FG_PART_MARKS]) {
        uint16_t *marks = fg_page_memory(decoder, rows, sizeof *marks);
        if (!marks)
            return FG_ENOMEM;
        for (uint32_t i = 0; i < rows; i++)
            marks[i] = (uint16_t)output.parts[FG_PART_MARKS][i];
        batch->marks = marks;
    }
    if (output.parts[FG_PART_EVENT_COUNT])
        r = fg_page_events(decoder, output.parts[FG_PART_EVENT_COUNT], batch);
    else if ((columns & FG_COLUMNS_EVENTS) && decoder->page->event_count)
        r = FG_ECORRUPT;
    if (r == 0 && output.parts[FG_PART_LINK_COUNT])
        r = fg_page_links(decoder, output.parts[FG_PART_LINK_COUNT], batch);
    else if (r == 0 && (columns & FG_COLUMNS_LINKS) && decoder->page->link_count)
        r = FG_ECORRUPT;
    return r;
}

static int take_rows(struct fg_page_decoder *decoder, struct fg_batch *batch)
{
    uint32_t columns = decoder->plan->columns, *name = NULL;
    uint64_t *received = NULL;
    int r = take_classes(decoder);
    if (r == 0 && (columns & FG_COLUMNS_IDS))
        r = fg_page_parents(decoder);
    if (r == 0 && (columns & FG_COLUMNS_IDS))
        r = take_ids(decoder, batch);
    if (r == 0 && (columns & (FG_COLUMNS_TIMES | FG_COLUMNS_EVENTS)))
        r = fg_page_times(decoder);
    if (r == 0 && (columns & FG_COLUMNS_TIMES))
        r = fg_page_received(decoder, &received);
    if (r == 0 && (columns & FG_COLUMNS_RESOURCE))
        r = fg_page_resources(decoder);
    if (r == 0 && (columns & FG_COLUMNS_NAME))
        r = take_names(decoder, batch, &name);
    if (r == 0 && (columns & FG_COLUMNS_SCOPE))
        r = take_scopes(decoder, batch);
    if (r == 0 && (columns & FG_COLUMNS_STATUS))
        r = take_statuses(decoder, batch);
    if (r == 0)
        r = take_span_columns(decoder, name, batch);
    if (columns & FG_COLUMNS_TIMES) {
        batch->start_ns = decoder->start;
        batch->end_ns = decoder->end;
        batch->received_ns = received;
    }
    if (columns & FG_COLUMNS_RESOURCE)
        batch->resource = decoder->resource;
    return r;
}

static int join_strings(struct fg_page_decoder *decoder, struct fg_batch *batch)
{
    const struct fg_batch *shared = &decoder->group->shared;
    if (decoder->string_count == 0)
        return 0;
    uint32_t count = shared->string_count + decoder->string_count;
    struct fg_slice *strings = fg_page_memory(decoder, count, sizeof *strings);
    if (!strings)
        return FG_ENOMEM;
    memcpy(strings, shared->strings, shared->string_count * sizeof *strings);
    memcpy(strings + shared->string_count, decoder->strings,
           decoder->string_count * sizeof *strings);
    batch->strings = strings;
    batch->string_count = count;
    return 0;
}

int fg_page_decode(const struct fg_group *group, const struct fg_page *page,
                   const struct fg_page_plan *plan, struct fg_codec *codec, struct fg_arena *arena,
                   uint64_t *bytes_read, struct fg_batch *ret_batch)
{
    struct fg_page_decoder decoder = {
        .group = group, .page = page, .plan = plan, .codec = codec, .arena = arena};
    decoder.bytes_read = bytes_read;
    uint32_t chunks = FG_STREAM_COUNT + group->column_count;
    decoder.chunks = fg_arena_calloc(arena, chunks, sizeof *decoder.chunks);
    decoder.is_loaded = fg_arena_calloc(arena, chunks, sizeof *decoder.is_loaded);
    decoder.values = fg_page_memory(&decoder, page->row_count, sizeof *decoder.values);
    if (!decoder.chunks || !decoder.is_loaded || !decoder.values)
        return FG_ENOMEM;
    struct fg_batch batch = group->shared;
    batch.span_count = page->row_count;
    int r = load_chunks(&decoder);
    if (r == 0)
        r = take_rows(&decoder, &batch);
    if (r == 0)
        r = join_strings(&decoder, &batch);
    free(decoder.strings);
    if (r == 0)
        *ret_batch = batch;
    return r;
}
