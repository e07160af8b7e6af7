/* Starts, ends and times of receipt: differences to what is foretold (page_times.h), row after row,
 * since each row's times foretell those after it. The writing side is page_encode.c. */
#include "local/page_decode.h"

#include "local/page_times.h"

static const uint8_t *take_modes(struct fg_page_decoder *decoder, struct fg_input *in,
                                 uint32_t *number)
{
    uint32_t rows = decoder->page->row_count, count = 1;
    uint8_t per_class = fg_input_u8(in);
    memset(number, 0, rows * sizeof *number);
    if (per_class > 1)
        return NULL;
    if (per_class) {
        uint32_t classes = decoder->group->levels[FG_LEVEL_SPAN].class_count;
        uint32_t *seen = fg_page_memory(decoder, classes, sizeof *seen);
        if (!seen)
            return NULL;
        memset(seen, 0xff, classes * sizeof *seen);
        count = 0;
        for (uint32_t i = 0; i < rows; i++) {
            uint32_t *code = &seen[decoder->class[i]];
            if (*code == UINT32_MAX)
                *code = count++;
            number[i] = *code;
        }
    }
    uint8_t *modes = fg_page_memory(decoder, count, sizeof *modes);
    if (!modes || fg_int_decode(decoder->codec, in, count, NULL, decoder->values) < 0)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (decoder->values[i] >= FG_TIME_MODE_COUNT)
            return NULL;
        modes[i] = (uint8_t)decoder->values[i];
    }
    return modes;
}

/* Differences to times, in place: start has those of starts, end those of the ends of rows that are
 * not open, at the front. */
static void resolve_times(struct fg_page_decoder *decoder, const uint8_t *modes,
                          const uint32_t *number, const uint64_t *end_difference,
                          uint32_t *last_child)
{
    const struct fg_group_level *level = &decoder->group->levels[FG_LEVEL_SPAN];
    uint64_t *start = decoder->start, *end = decoder->end;
    uint32_t used = 0;
    for (uint32_t run = 0; run < decoder->page->run_count; run++) {
        uint32_t begin = decoder->run_begin[run];
        for (uint32_t i = begin; i < decoder->run_begin[run + 1]; i++) {
            struct fg_time_row row = {.row = i,
                                      .first = i == begin,
                                      .parent = decoder->parent[i],
                                      .before = FG_NO_ROW,
                                      .trace_start_ns = decoder->runs.start_ns[run]};
            last_child[i] = FG_NO_ROW;
            if (row.parent != FG_NO_ROW) {
                row.before = last_child[row.parent];
                last_child[row.parent] = i;
            }
            unsigned mode = modes[number[i]];
            uint64_t unit = fg_time_units[mode >> 3];
            uint64_t guess = fg_foretell_start(mode & 3, &row, start, end);
            start[i] = unit == 1 ? guess + start[i] : (guess / unit + start[i]) * unit;
            end[i] = 0;
            if (level->class_open[decoder->class[i]])
                continue;
            uint64_t difference = end_difference[used++];
            if (fg_end_from_parent(mode >> 2 & 1, &row, end))
                end[i] = (end[row.parent] / unit - difference) * unit;
            else
                end[i] = (start[i] / unit + difference) * unit;
        }
    }
}

int fg_page_times(struct fg_page_decoder *decoder)
{
    uint32_t rows = decoder->page->row_count, ends = 0;
    const struct fg_group_level *level = &decoder->group->levels[FG_LEVEL_SPAN];
    struct fg_input in;
    int r = fg_page_parents(decoder);
    if (r == 0)
        r = fg_page_open(decoder, FG_STREAM_TIMES, &in);
    if (r < 0)
        return r;
    uint32_t *number = fg_page_memory(decoder, rows, sizeof *number);
    uint32_t *ended_class = fg_page_memory(decoder, rows, sizeof *ended_class);
    decoder->start = fg_page_memory(decoder, rows, sizeof *decoder->start);
    decoder->end = fg_page_memory(decoder, rows, sizeof *decoder->end);
    if (!number || !ended_class || !decoder->start || !decoder->end)
        return FG_ENOMEM;
    const uint8_t *modes = take_modes(decoder, &in, number);
    if (!modes)
        return decoder->arena->overflow ? FG_ENOMEM : FG_ECORRUPT;
    struct fg_int_context context = {.a = decoder->class, .a_count = level->class_count};
    r = fg_int_decode(decoder->codec, &in, rows, &context, decoder->start);
    for (uint32_t i = 0; i < rows; i++)
        if (!level->class_open[decoder->class[i]])
            ended_class[ends++] = decoder->class[i];
    context.a = ended_class;
    if (r == 0)
        r = fg_int_decode(decoder->codec, &in, ends, &context, decoder->values);
    if (r == 0)
        r = fg_page_close(&in);
    if (r == 0)
        resolve_times(decoder, modes, number, decoder->values, ended_class);
    return r;
}

/* Whether an array's rule goes by b, which costs decoding the resources. */
static bool goes_by_b(const struct fg_input *in)
{
    return fg_input_rest(in) >= 2 && in->at[0] == FG_INT_PREDICTED &&
           (in->at[1] & 0x7f) == FG_RULE_B;
}

int fg_page_received(struct fg_page_decoder *decoder, uint64_t **ret_received)
{
    uint32_t rows = decoder->page->row_count;
    struct fg_input in;
    int r = fg_page_open(decoder, FG_STREAM_RECEIVED, &in);
    if (r == 0 && goes_by_b(&in))
        r = fg_page_resources(decoder);
    uint64_t *received = r < 0 ? NULL : fg_page_memory(decoder, rows, sizeof *received);
    if (r == 0 && !received)
        r = FG_ENOMEM;
    struct fg_int_context context = {.b = decoder->resource};
    if (r == 0)
        r = fg_int_decode(decoder->codec, &in, rows, &context, received);
    if (r == 0)
        r = fg_page_close(&in);
    *ret_received = received;
    return r;
}
