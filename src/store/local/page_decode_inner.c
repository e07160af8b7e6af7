/* Events and links of a page's spans: classes and times or ids of their own, and columns like the
 * spans'. The writing side is page_encode.c. */
#include "local/page_decode.h"

/* The spans' counts to begins; they must add up to what the page says. */
static uint32_t *begins_of(struct fg_page_decoder *decoder, const uint32_t *counts, uint32_t total)
{
    uint32_t rows = decoder->page->row_count;
    uint32_t *begin = fg_page_memory(decoder, rows, sizeof *begin);
    if (!begin)
        return NULL;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < rows; i++) {
        begin[i] = (uint32_t)sum;
        sum += counts[i];
        if (sum > total)
            return NULL;
    }
    begin[rows] = (uint32_t)sum;
    return sum == total ? begin : NULL;
}

static int begins_error(const struct fg_page_decoder *decoder)
{
    return decoder->arena->overflow ? FG_ENOMEM : FG_ECORRUPT;
}

/* The classes of events or links, foretold by their spans'. */
static int take_owner_classes(struct fg_page_decoder *decoder, struct fg_input *in, int level,
                              const uint32_t *begin, uint32_t count, uint32_t **ret_class)
{
    uint32_t *owner = fg_page_memory(decoder, count, sizeof *owner);
    uint32_t *class = fg_page_memory(decoder, count, sizeof *class);
    if (!owner || !class)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < decoder->page->row_count; i++)
        for (uint32_t k = begin[i]; k < begin[i + 1]; k++)
            owner[k] = decoder->class[i];
    struct fg_int_context context = {.a = owner,
                                     .a_count = decoder->group->levels[FG_LEVEL_SPAN].class_count};
    uint32_t classes = decoder->group->levels[level].class_count;
    *ret_class = class;
    if (classes == 0)
        return FG_ECORRUPT;
    return fg_int_decode_u32(decoder->codec, in, count, &context, classes - 1, class);
}

static int take_event_times(struct fg_page_decoder *decoder, struct fg_input *in,
                            const uint32_t *begin, const uint32_t *class, uint32_t count,
                            uint64_t *time)
{
    uint8_t by_end = fg_input_u8(in);
    struct fg_int_context context = {.a = class,
                                     .a_count = decoder->group->levels[FG_LEVEL_EVENT].class_count};
    int r = by_end > 1 ? FG_ECORRUPT : fg_int_decode(decoder->codec, in, count, &context, time);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < decoder->page->row_count; i++)
        for (uint32_t k = begin[i]; k < begin[i + 1]; k++)
            time[k] = by_end ? decoder->end[i] - time[k] : decoder->start[i] + time[k];
    return fg_page_close(in);
}

int fg_page_events(struct fg_page_decoder *decoder, const uint32_t *counts, struct fg_batch *batch)
{
    uint32_t count = decoder->page->event_count, *class;
    struct fg_input in;
    if (count == 0)
        return 0;
    uint32_t *begin = begins_of(decoder, counts, count);
    if (!begin)
        return begins_error(decoder);
    int r = fg_page_open(decoder, FG_STREAM_EVENTS, &in);
    if (r == 0)
        r = take_owner_classes(decoder, &in, FG_LEVEL_EVENT, begin, count, &class);
    uint64_t *time = r < 0 ? NULL : fg_page_memory(decoder, count, sizeof *time);
    uint32_t *name = r < 0 ? NULL : fg_page_memory(decoder, count, sizeof *name);
    uint32_t *dropped = fg_arena_calloc(decoder->arena, count, sizeof *dropped);
    if (r == 0 && (!time || !name || !dropped))
        r = FG_ENOMEM;
    if (r == 0)
        r = take_event_times(decoder, &in, begin, class, count, time);
    if (r != 0)
        return r;
    for (uint32_t i = 0; i < count; i++)
        name[i] = decoder->group->levels[FG_LEVEL_EVENT].class_name[class[i]];
    struct fg_level_output output = {
        .parts = {[FG_PART_NAME] = name, [FG_PART_DROPPED_ATTRS] = dropped},
        .attrs = &batch->event_attrs};
    batch->event_count = count;
    batch->event_begin = begin;
    batch->event_time_ns = time;
    batch->event_name = name;
    batch->event_dropped_attrs = dropped;
    return fg_page_columns(decoder, FG_LEVEL_EVENT, class, count, &output);
}

int fg_page_links(struct fg_page_decoder *decoder, const uint32_t *counts, struct fg_batch *batch)
{
    uint32_t count = decoder->page->link_count, *class;
    struct fg_input in;
    if (count == 0)
        return 0;
    uint32_t *begin = begins_of(decoder, counts, count);
    if (!begin)
        return begins_error(decoder);
    int r = fg_page_open(decoder, FG_STREAM_LINKS, &in);
    if (r == 0)
        r = take_owner_classes(decoder, &in, FG_LEVEL_LINK, begin, count, &class);
    uint64_t *ids[3] = {0};
    for (size_t i = 0; r == 0 && i < 3; i++) {
        ids[i] = fg_page_memory(decoder, count, sizeof *ids[i]);
        r = ids[i] ? fg_int_decode(decoder->codec, &in, count, NULL, ids[i]) : FG_ENOMEM;
    }
    if (r == 0)
        r = fg_page_close(&in);
    uint32_t *rare = fg_arena_calloc(decoder->arena, (size_t)count * 3, sizeof *rare);
    if (r == 0 && !rare)
        r = FG_ENOMEM;
    if (r < 0)
        return r;
    struct fg_level_output output = {.parts = {[FG_PART_TRACE_STATE] = rare,
                                               [FG_PART_FLAGS] = rare + count,
                                               [FG_PART_DROPPED_ATTRS] = rare + 2 * (size_t)count},
                                     .attrs = &batch->link_attrs};
    batch->link_count = count;
    batch->link_begin = begin;
    batch->link_trace_id_high = ids[0];
    batch->link_trace_id_low = ids[1];
    batch->link_span_id = ids[2];
    batch->link_trace_state = rare;
    batch->link_flags = rare + count;
    batch->link_dropped_attrs = rare + 2 * (size_t)count;
    return fg_page_columns(decoder, FG_LEVEL_LINK, class, count, &output);
}
