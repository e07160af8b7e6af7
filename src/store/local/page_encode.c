/* Rows to chunks. The reading side is page_decode.c; the bytes of each chunk stand in
 * doc/format.md, "The segment". */
#include "local/page_encode.h"

#include "local/page_times.h"

#include <assert.h>
#include <stdlib.h>

/* Steps up from the row before to look for a parent: a deeper climb than this is not worth it. */
#define CLIMB_MAX 256u

/* The codes of the parents' chunk. */
enum { PARENT_NONE = 0, PARENT_ELSEWHERE = 1, PARENT_CLIMB = 2 };

static uint32_t events_before(const struct fg_batch *batch, uint32_t row)
{
    return batch->event_count ? batch->event_begin[row] : 0;
}

static uint32_t links_before(const struct fg_batch *batch, uint32_t row)
{
    return batch->link_count ? batch->link_begin[row] : 0;
}

/* The most values that one chunk of any page may have. */
static uint32_t chunk_values_max(const struct fg_group_build *group)
{
    uint32_t most = 1;
    for (uint32_t p = 0; p < group->page_count; p++) {
        struct fg_page_range range = group->pages[p];
        uint32_t events = events_before(group->batch, range.row_end) -
                          events_before(group->batch, range.row_begin);
        uint32_t links =
            links_before(group->batch, range.row_end) - links_before(group->batch, range.row_begin);
        uint32_t rows = range.row_end - range.row_begin;
        uint32_t greater = events > links ? events : links;
        greater = greater > rows ? greater : rows;
        most = most > greater ? most : greater;
    }
    /* a column may have more values than owners only where it is an overflow's */
    for (uint32_t c = 0; c < group->column_count; c++)
        if (group->columns[c].part >= FG_PART_OVERFLOW_TEXT_KEY && group->columns[c].count > most)
            most = group->columns[c].count;
    return most;
}

int fg_page_encoder_init(struct fg_page_encoder *encoder, struct fg_codec *codec,
                         struct fg_group_build *group)
{
    *encoder = (struct fg_page_encoder){.codec = codec, .group = group};
    fg_buffer_init(&encoder->chunk, FG_SEGMENT_TEXT_SIZE_MAX);
    size_t capacity = (size_t)chunk_values_max(group) + 1, strings = group->batch->string_count;
    encoder->capacity = (uint32_t)capacity;
    encoder->values = malloc(capacity * sizeof *encoder->values);
    encoder->a = malloc(capacity * sizeof *encoder->a);
    encoder->b = malloc(capacity * sizeof *encoder->b);
    encoder->defaults = malloc(capacity * sizeof *encoder->defaults);
    encoder->parent = malloc(capacity * sizeof *encoder->parent);
    encoder->class = malloc(capacity * sizeof *encoder->class);
    encoder->run_begin = malloc((capacity + 1) * sizeof *encoder->run_begin);
    encoder->run_start = malloc(capacity * sizeof *encoder->run_start);
    encoder->texts = malloc(capacity * sizeof *encoder->texts);
    encoder->stamp = malloc((strings + 1) * sizeof *encoder->stamp);
    if (!encoder->values || !encoder->a || !encoder->b || !encoder->defaults || !encoder->parent ||
        !encoder->class || !encoder->run_begin || !encoder->run_start || !encoder->texts ||
        !encoder->stamp)
        return FG_ENOMEM;
    memset(encoder->stamp, 0xff, strings * sizeof *encoder->stamp);
    return 0;
}

void fg_page_encoder_free(struct fg_page_encoder *encoder)
{
    free(encoder->values);
    free(encoder->a);
    free(encoder->b);
    free(encoder->defaults);
    free(encoder->parent);
    free(encoder->class);
    free(encoder->run_begin);
    free(encoder->run_start);
    free(encoder->texts);
    free(encoder->stamp);
    fg_buffer_free(&encoder->chunk);
}

/* Ends the chunk at hand: into the directory where it is small, otherwise as a block. */
static int put_chunk(struct fg_page_encoder *encoder)
{
    struct fg_buffer *chunk = &encoder->chunk;
    if (chunk->error)
        return chunk->error;
    uint64_t size = chunk->size;
    if (size > FG_CHUNK_INLINE_SIZE_MAX) {
        int r = encoder->emit(encoder->arg, fg_buffer_slice(chunk), &size);
        if (r < 0)
            return r;
        fg_buffer_append_varint(encoder->directory, size);
    } else {
        fg_buffer_append_varint(encoder->directory, size);
        fg_buffer_append_slice(encoder->directory, fg_buffer_slice(chunk));
    }
    fg_buffer_reset(chunk);
    return encoder->directory->error;
}

static void put_numbers(struct fg_page_encoder *encoder, const uint64_t *values, uint32_t count,
                        const struct fg_int_context *context)
{
    fg_int_encode(encoder->codec, values, count, context, &encoder->chunk);
}

/* -- Traces, ids and parents */

static void find_runs(struct fg_page_encoder *encoder)
{
    const struct fg_batch *batch = encoder->group->batch;
    uint32_t begin = encoder->row_begin;
    encoder->run_count = 0;
    for (uint32_t i = 0; i < encoder->row_count; i++) {
        uint32_t row = begin + i;
        bool starts = i == 0 || batch->trace_id_low[row] != batch->trace_id_low[row - 1] ||
                      batch->trace_id_high[row] != batch->trace_id_high[row - 1];
        if (starts) {
            encoder->run_start[encoder->run_count] = batch->start_ns[row];
            encoder->run_begin[encoder->run_count++] = i;
        }
        uint64_t *start = &encoder->run_start[encoder->run_count - 1];
        if (batch->start_ns[row] < *start)
            *start = batch->start_ns[row];
    }
    encoder->run_begin[encoder->run_count] = encoder->row_count;
}

static int put_traces(struct fg_page_encoder *encoder)
{
    const struct fg_batch *batch = encoder->group->batch;
    static const struct fg_int_context previous = {.rules = 1u << FG_RULE_PREVIOUS};
    uint32_t count = encoder->run_count;
    for (uint32_t i = 0; i < count; i++)
        encoder->values[i] = batch->trace_id_high[encoder->row_begin + encoder->run_begin[i]];
    put_numbers(encoder, encoder->values, count, NULL);
    for (uint32_t i = 0; i < count; i++)
        encoder->values[i] = batch->trace_id_low[encoder->row_begin + encoder->run_begin[i]];
    put_numbers(encoder, encoder->values, count, NULL);
    for (uint32_t i = 0; i < count; i++)
        encoder->values[i] = encoder->run_begin[i + 1] - encoder->run_begin[i];
    put_numbers(encoder, encoder->values, count, &previous);
    put_numbers(encoder, encoder->run_start, count, NULL);
    return put_chunk(encoder);
}

/* The code of a row's parent; parent[i] becomes its row in the page. */
static uint32_t find_parent(struct fg_page_encoder *encoder, uint32_t i, uint32_t run_begin)
{
    const struct fg_batch *batch = encoder->group->batch;
    const uint64_t *ids = batch->span_id + encoder->row_begin;
    uint64_t id = batch->parent_span_id[encoder->row_begin + i];
    encoder->parent[i] = FG_NO_ROW;
    if (id == 0)
        return PARENT_NONE;
    uint32_t at = i > run_begin ? i - 1 : FG_NO_ROW;
    for (uint32_t climb = 0; at != FG_NO_ROW && climb < CLIMB_MAX; climb++) {
        if (ids[at] == id) {
            encoder->parent[i] = at;
            return PARENT_CLIMB + climb;
        }
        at = encoder->parent[at];
    }
    return PARENT_ELSEWHERE;
}

static int put_parents(struct fg_page_encoder *encoder)
{
    const struct fg_batch *batch = encoder->group->batch;
    uint32_t run = 0, elsewhere = 0;
    for (uint32_t i = 0; i < encoder->row_count; i++) {
        if (i == encoder->run_begin[run + 1])
            run++;
        encoder->values[i] = find_parent(encoder, i, encoder->run_begin[run]);
        elsewhere += encoder->values[i] == PARENT_ELSEWHERE;
        encoder->b[i] = i == encoder->run_begin[run] ? UINT32_MAX : encoder->class[i - 1];
    }
    struct fg_int_context context = {.a = encoder->class,
                                     .a_count = encoder->group->levels[FG_LEVEL_SPAN].class_count,
                                     .b = encoder->b,
                                     .rules = 1u << FG_RULE_A_B | 1u << FG_RULE_A |
                                              1u << FG_RULE_A_PREVIOUS};
    put_numbers(encoder, encoder->values, encoder->row_count, &context);
    fg_buffer_append_varint(&encoder->chunk, elsewhere);
    uint32_t n = 0;
    for (uint32_t i = 0; i < encoder->row_count; i++)
        if (encoder->values[i] == PARENT_ELSEWHERE)
            encoder->values[n++] = batch->parent_span_id[encoder->row_begin + i];
    put_numbers(encoder, encoder->values, n, NULL);
    return put_chunk(encoder);
}

static int put_span_ids(struct fg_page_encoder *encoder)
{
    put_numbers(encoder, encoder->group->batch->span_id + encoder->row_begin, encoder->row_count,
                NULL);
    return put_chunk(encoder);
}

static int put_classes(struct fg_page_encoder *encoder)
{
    static const struct fg_int_context history = {.rules = 1u << FG_RULE_HISTORY};
    for (uint32_t i = 0; i < encoder->row_count; i++)
        encoder->values[i] = encoder->class[i];
    put_numbers(encoder, encoder->values, encoder->row_count, &history);
    return put_chunk(encoder);
}

static int put_resources(struct fg_page_encoder *encoder)
{
    const uint32_t *resource = encoder->group->resource + encoder->row_begin;
    for (uint32_t i = 0; i < encoder->row_count; i++)
        encoder->values[i] = resource[i];
    struct fg_int_context context = {.a = encoder->class,
                                     .a_count = encoder->group->levels[FG_LEVEL_SPAN].class_count,
                                     .parent = encoder->parent,
                                     .rules = 1u << FG_RULE_A_PARENT | 1u << FG_RULE_A |
                                              1u << FG_RULE_A_PREVIOUS};
    put_numbers(encoder, encoder->values, encoder->row_count, &context);
    return put_chunk(encoder);
}

/* -- Times */

/* What the rows of one class would cost, in bits, by each mode; and whether they are round. */
struct cost {
    uint64_t start[FG_START_MODE_COUNT], end[FG_END_MODE_COUNT];
    uint8_t unit;
    uint8_t mode;
};

static unsigned size_of(uint64_t difference)
{
    return fg_bits_width(fg_zigzag(difference));
}

struct walk {
    const uint64_t *start, *end; /* of the page's rows */
    uint32_t *last_child;        /* by row */
    uint32_t run;
};

/* The rows from first to last, each with its parent and the sibling before. */
static struct fg_time_row walk_row(struct fg_page_encoder *encoder, struct walk *walk, uint32_t i)
{
    if (i == 0)
        walk->run = 0;
    else if (i == encoder->run_begin[walk->run + 1])
        walk->run++;
    struct fg_time_row row = {.row = i,
                              .first = i == encoder->run_begin[walk->run],
                              .parent = encoder->parent[i],
                              .before = FG_NO_ROW,
                              .trace_start_ns = encoder->run_start[walk->run]};
    walk->last_child[i] = FG_NO_ROW;
    if (row.parent != FG_NO_ROW) {
        row.before = walk->last_child[row.parent];
        walk->last_child[row.parent] = i;
    }
    return row;
}

static uint64_t end_difference(unsigned mode, uint64_t unit, const struct fg_time_row *row,
                               const uint64_t *start, const uint64_t *end)
{
    if (fg_end_from_parent(mode, row, end))
        return end[row->parent] / unit - end[row->row] / unit;
    return end[row->row] / unit - start[row->row] / unit;
}

static void count_costs(struct fg_page_encoder *encoder, struct walk *walk, const uint32_t *number,
                        struct cost *costs)
{
    const uint64_t *start = walk->start, *end = walk->end;
    for (uint32_t i = 0; i < encoder->row_count; i++) {
        struct fg_time_row row = walk_row(encoder, walk, i);
        struct cost *cost = &costs[number ? number[i] : 0];
        for (unsigned mode = 0; mode < FG_START_MODE_COUNT; mode++)
            cost->start[mode] += size_of(start[i] - fg_foretell_start(mode, &row, start, end));
        for (unsigned mode = 0; end[i] && mode < FG_END_MODE_COUNT; mode++)
            cost->end[mode] += size_of(end_difference(mode, 1, &row, start, end));
        while (cost->unit > 0 &&
               (start[i] % fg_time_units[cost->unit] || end[i] % fg_time_units[cost->unit]))
            cost->unit--;
    }
}

static void choose_modes(struct cost *costs, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        unsigned start = 0, end = 0;
        for (unsigned mode = 1; mode < FG_START_MODE_COUNT; mode++)
            if (costs[k].start[mode] < costs[k].start[start])
                start = mode;
        if (costs[k].end[1] < costs[k].end[0])
            end = 1;
        costs[k].mode = (uint8_t)(start | end << 2 | (unsigned)costs[k].unit << 3);
    }
}

static void put_time_differences(struct fg_page_encoder *encoder, struct walk *walk,
                                 const uint32_t *number, const struct cost *costs)
{
    const uint64_t *start = walk->start, *end = walk->end;
    struct fg_int_context context = {.a = encoder->class,
                                     .a_count = encoder->group->levels[FG_LEVEL_SPAN].class_count};
    for (uint32_t i = 0; i < encoder->row_count; i++) {
        struct fg_time_row row = walk_row(encoder, walk, i);
        unsigned mode = costs[number ? number[i] : 0].mode;
        uint64_t unit = fg_time_units[mode >> 3];
        uint64_t guess = fg_foretell_start(mode & 3, &row, start, end);
        encoder->values[i] = start[i] / unit - guess / unit;
    }
    put_numbers(encoder, encoder->values, encoder->row_count, &context);
    uint32_t n = 0;
    for (uint32_t i = 0; i < encoder->row_count; i++) {
        struct fg_time_row row = walk_row(encoder, walk, i);
        if (end[i] == 0)
            continue;
        unsigned mode = costs[number ? number[i] : 0].mode;
        encoder->values[n] =
            end_difference(mode >> 2 & 1, fg_time_units[mode >> 3], &row, start, end);
        encoder->a[n++] = encoder->class[i];
    }
    context.a = encoder->a;
    put_numbers(encoder, encoder->values, n, &context);
}

/* Numbers the page's classes in order of appearance; NULL where they are so many that all rows
 * share one mode. */
static const uint32_t *number_classes(struct fg_page_encoder *encoder, uint32_t *ret_count)
{
    *ret_count = 0;
    uint32_t *first = encoder->a, *number = encoder->b;
    uint32_t class_count = encoder->group->levels[FG_LEVEL_SPAN].class_count;
    uint32_t *seen = malloc((size_t)class_count * sizeof *seen);
    if (!seen)
        return NULL;
    memset(seen, 0xff, (size_t)class_count * sizeof *seen);
    for (uint32_t i = 0; i < encoder->row_count; i++) {
        uint32_t class = encoder->class[i];
        if (seen[class] == FG_NO_ID) {
            seen[class] = *ret_count;
            first[(*ret_count)++] = class;
        }
        number[i] = seen[class];
    }
    free(seen);
    return number;
}

/* Rows a class must have on average to have modes of its own. */
#define MODE_ROWS_MIN 8u

static int put_times(struct fg_page_encoder *encoder)
{
    const struct fg_batch *batch = encoder->group->batch;
    uint32_t count;
    assert(encoder->row_count > 0); /* there is no page without a row */
    const uint32_t *numbered = number_classes(encoder, &count);
    bool single = !numbered || count == 0 || count > encoder->row_count / MODE_ROWS_MIN;
    if (single)
        count = 1;
    uint32_t *number = malloc(encoder->row_count * sizeof *number);
    struct cost *costs = calloc(count, sizeof *costs);
    struct walk walk = {.start = batch->start_ns + encoder->row_begin,
                        .end = batch->end_ns + encoder->row_begin,
                        .last_child = malloc(encoder->row_count * sizeof *walk.last_child)};
    int r = number && costs && walk.last_child ? 0 : FG_ENOMEM;
    if (r == 0) {
        if (single)
            memset(number, 0, encoder->row_count * sizeof *number);
        else
            memcpy(number, numbered, encoder->row_count * sizeof *number);
        for (uint32_t k = 0; k < count; k++)
            costs[k].unit = FG_TIME_UNIT_COUNT - 1;
        count_costs(encoder, &walk, number, costs);
        choose_modes(costs, count);
        fg_buffer_append_byte(&encoder->chunk, single ? 0 : 1);
        for (uint32_t k = 0; k < count; k++)
            encoder->values[k] = costs[k].mode;
        put_numbers(encoder, encoder->values, count, NULL);
        put_time_differences(encoder, &walk, number, costs);
    }
    free(number);
    free(costs);
    free(walk.last_child);
    return r < 0 ? r : put_chunk(encoder);
}

static int put_received(struct fg_page_encoder *encoder)
{
    struct fg_int_context context = {.b = encoder->group->resource + encoder->row_begin,
                                     .rules = 1u << FG_RULE_PREVIOUS | 1u << FG_RULE_B};
    put_numbers(encoder, encoder->group->batch->received_ns + encoder->row_begin,
                encoder->row_count, &context);
    return put_chunk(encoder);
}

/* -- Events and links */

/* The owning span's class of each event or link into a; the owner into b. */
static uint32_t spread_owners(struct fg_page_encoder *encoder, const uint32_t *begin)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < encoder->row_count; i++) {
        uint32_t row = encoder->row_begin + i;
        for (uint32_t k = begin[row]; k < begin[row + 1]; k++) {
            encoder->a[n] = encoder->class[i];
            encoder->b[n++] = row;
        }
    }
    return n;
}

static void put_owner_classes(struct fg_page_encoder *encoder, int level, uint32_t begin,
                              uint32_t count)
{
    const uint32_t *class = encoder->group->levels[level].owner_class + begin;
    for (uint32_t i = 0; i < count; i++)
        encoder->values[i] = class[i];
    struct fg_int_context context = {.a = encoder->a,
                                     .a_count = encoder->group->levels[FG_LEVEL_SPAN].class_count,
                                     .rules = 1u << FG_RULE_A | 1u << FG_RULE_A_PREVIOUS |
                                              1u << FG_RULE_PREVIOUS};
    put_numbers(encoder, encoder->values, count, &context);
}

static int put_events(struct fg_page_encoder *encoder)
{
    const struct fg_batch *batch = encoder->group->batch;
    if (batch->event_count == 0)
        return put_chunk(encoder);
    uint32_t first = batch->event_begin[encoder->row_begin];
    uint32_t count = spread_owners(encoder, batch->event_begin);
    if (count == 0)
        return put_chunk(encoder);
    put_owner_classes(encoder, FG_LEVEL_EVENT, first, count);
    uint64_t from_start = 0, from_end = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t time = batch->event_time_ns[first + i];
        from_start += size_of(time - batch->start_ns[encoder->b[i]]);
        from_end += size_of(batch->end_ns[encoder->b[i]] - time);
    }
    bool by_end = from_end < from_start;
    fg_buffer_append_byte(&encoder->chunk, by_end);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t time = batch->event_time_ns[first + i];
        encoder->values[i] =
            by_end ? batch->end_ns[encoder->b[i]] - time : time - batch->start_ns[encoder->b[i]];
    }
    struct fg_int_context context = {.a =
                                         encoder->group->levels[FG_LEVEL_EVENT].owner_class + first,
                                     .a_count = encoder->group->levels[FG_LEVEL_EVENT].class_count};
    put_numbers(encoder, encoder->values, count, &context);
    return put_chunk(encoder);
}

static int put_links(struct fg_page_encoder *encoder)
{
    const struct fg_batch *batch = encoder->group->batch;
    if (batch->link_count == 0)
        return put_chunk(encoder);
    static const struct fg_int_context previous = {.rules = 1u << FG_RULE_PREVIOUS};
    uint32_t first = batch->link_begin[encoder->row_begin];
    uint32_t count = spread_owners(encoder, batch->link_begin);
    put_owner_classes(encoder, FG_LEVEL_LINK, first, count);
    put_numbers(encoder, batch->link_trace_id_high + first, count, &previous);
    put_numbers(encoder, batch->link_trace_id_low + first, count, &previous);
    put_numbers(encoder, batch->link_span_id + first, count, &previous);
    return put_chunk(encoder);
}

/* -- Columns */

/* The classes (a) and, for spans, resources (b) of the owners of a column's next values. */
static struct fg_int_context column_context(struct fg_page_encoder *encoder,
                                            const struct fg_column_build *column, uint32_t count)
{
    const struct fg_level_build *level = &encoder->group->levels[column->level];
    const uint32_t *owners = column->owners + column->cursor;
    struct fg_int_context context = {.a = encoder->a,
                                     .a_count = level->class_count,
                                     .rules = 1u << FG_RULE_PREVIOUS | 1u << FG_RULE_A};
    for (uint32_t i = 0; i < count; i++)
        encoder->a[i] = level->owner_class[owners[i]];
    if (column->defaults) {
        for (uint32_t i = 0; i < count; i++)
            encoder->defaults[i] = column->defaults[encoder->a[i]];
        context.defaults = encoder->defaults;
        context.rules |= 1u << FG_RULE_DEFAULT;
    }
    if (column->level != FG_LEVEL_SPAN)
        return context;
    for (uint32_t i = 0; i < count; i++)
        encoder->b[i] = encoder->group->resource[owners[i]];
    context.b = encoder->b;
    context.rules |= 1u << FG_RULE_B;
    return context;
}

static void put_text(struct fg_page_encoder *encoder, const uint64_t *ids, uint32_t count,
                     const struct fg_int_context *context)
{
    const struct fg_slice *strings = encoder->group->batch->strings;
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *stamp = &encoder->stamp[ids[i]];
        if (*stamp == FG_NO_ID) {
            *stamp = distinct;
            encoder->texts[distinct++] = strings[ids[i]];
        }
        encoder->values[i] = *stamp;
    }
    for (uint32_t i = 0; i < count; i++)
        encoder->stamp[ids[i]] = FG_NO_ID;
    fg_buffer_append_varint(&encoder->chunk, distinct);
    fg_text_encode(encoder->codec, encoder->texts, distinct, &encoder->chunk);
    put_numbers(encoder, encoder->values, count, context);
}

static void put_decimals(struct fg_page_encoder *encoder, const uint64_t *bits, uint32_t count,
                         const struct fg_int_context *context)
{
    uint8_t exponent = 0;
    bool decimal = fg_decimal_encode(bits, count, encoder->values, &exponent);
    fg_buffer_append_byte(&encoder->chunk, decimal ? (uint8_t)(exponent + 1) : 0);
    put_numbers(encoder, decimal ? encoder->values : bits, count, context);
}

static void put_range(struct fg_page_encoder *encoder, const uint64_t *values, uint32_t count)
{
    int64_t min = (int64_t)values[0], max = min;
    for (uint32_t i = 1; i < count; i++) {
        int64_t value = (int64_t)values[i];
        min = value < min ? value : min;
        max = value > max ? value : max;
    }
    fg_buffer_append_varint(encoder->directory, fg_zigzag((uint64_t)min));
    fg_buffer_append_varint(encoder->directory, (uint64_t)max - (uint64_t)min);
}

static int put_column(struct fg_page_encoder *encoder, struct fg_column_build *column,
                      uint32_t owner_end)
{
    uint32_t count = 0;
    while (column->cursor + count < column->count &&
           column->owners[column->cursor + count] < owner_end)
        count++;
    const uint64_t *values = column->values + column->cursor;
    bool codes = column->form == FG_FORM_TEXT_CODES || column->form == FG_FORM_BITS_CODES;
    if (count == 0 || (codes && column->distinct_count == 1)) {
        column->cursor += count;
        return put_chunk(encoder);
    }
    struct fg_int_context context = column_context(encoder, column, count);
    if (column->form == FG_FORM_TEXT)
        put_text(encoder, values, count, &context);
    else if (column->form == FG_FORM_DECIMALS)
        put_decimals(encoder, values, count, &context);
    else
        put_numbers(encoder, values, count, &context);
    column->cursor += count;
    int r = put_chunk(encoder);
    if (r == 0 && (codes || column->form == FG_FORM_NUMBERS))
        put_range(encoder, values, count);
    return r;
}

static int put_columns(struct fg_page_encoder *encoder)
{
    const struct fg_batch *batch = encoder->group->batch;
    uint32_t row_end = encoder->row_begin + encoder->row_count;
    const uint32_t owner_end[FG_LEVEL_COUNT] = {row_end, events_before(batch, row_end),
                                                links_before(batch, row_end)};
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < encoder->group->column_count; i++)
        r = put_column(encoder, &encoder->group->columns[i],
                       owner_end[encoder->group->columns[i].level]);
    return r;
}

/* -- The page's entry in the directory */

static uint64_t duration_of(const struct fg_batch *batch, uint32_t row)
{
    uint64_t start = batch->start_ns[row], end = batch->end_ns[row];
    return end > start ? end - start : 0;
}

static void put_class_set(struct fg_page_encoder *encoder)
{
    uint32_t class_count = encoder->group->levels[FG_LEVEL_SPAN].class_count;
    uint64_t *words = calloc(fg_flags_words(class_count) + 1, sizeof *words);
    if (!words) {
        encoder->directory->error = FG_ENOMEM;
        return;
    }
    for (uint32_t i = 0; i < encoder->row_count; i++)
        fg_flag_set(words, encoder->class[i]);
    fg_flags_encode(words, class_count, encoder->directory);
    free(words);
}

static void put_entry(struct fg_page_encoder *encoder, bool continued)
{
    const struct fg_batch *batch = encoder->group->batch;
    uint32_t begin = encoder->row_begin, end = begin + encoder->row_count;
    uint64_t start_min = UINT64_MAX, start_max = 0, duration_min = UINT64_MAX, duration_max = 0;
    for (uint32_t row = begin; row < end; row++) {
        uint64_t start = batch->start_ns[row], duration = duration_of(batch, row);
        start_min = start < start_min ? start : start_min;
        start_max = start > start_max ? start : start_max;
        duration_min = duration < duration_min ? duration : duration_min;
        duration_max = duration > duration_max ? duration : duration_max;
    }
    struct fg_buffer *out = encoder->directory;
    fg_buffer_append_varint(out, encoder->row_count);
    fg_buffer_append_varint(out, encoder->run_count);
    fg_buffer_append_byte(out, continued);
    fg_buffer_append_varint(out, events_before(batch, end) - events_before(batch, begin));
    fg_buffer_append_varint(out, links_before(batch, end) - links_before(batch, begin));
    fg_buffer_append_varint(out, start_min - encoder->group_start_ns_min);
    fg_buffer_append_varint(out, start_max - start_min);
    fg_buffer_append_varint(out, duration_min);
    fg_buffer_append_varint(out, duration_max - duration_min);
    put_class_set(encoder);
}

int fg_page_encode(struct fg_page_encoder *encoder, struct fg_page_range range, bool continued)
{
    encoder->row_begin = range.row_begin;
    encoder->row_count = range.row_end - range.row_begin;
    memcpy(encoder->class, encoder->group->levels[FG_LEVEL_SPAN].owner_class + range.row_begin,
           encoder->row_count * sizeof *encoder->class);
    find_runs(encoder);
    put_entry(encoder, continued);
    int r = put_traces(encoder);
    if (r == 0)
        r = put_span_ids(encoder);
    if (r == 0)
        r = put_parents(encoder);
    if (r == 0)
        r = put_classes(encoder);
    if (r == 0)
        r = put_resources(encoder);
    if (r == 0)
        r = put_times(encoder);
    if (r == 0)
        r = put_received(encoder);
    if (r == 0)
        r = put_events(encoder);
    if (r == 0)
        r = put_links(encoder);
    if (r == 0)
        r = put_columns(encoder);
    return r;
}
