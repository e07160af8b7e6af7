/* Where a trace lies: its hash's part of the index, that part's filter, its numbers, then the page
 * that the number leads to, whose traces' ids decide. The writing side is segment_writer_index.c.
 */

#include "local/fuse.h"
#include "local/segment_hash.h"
#include "local/trace_pages.h"

#include <stdlib.h>

struct finder {
    struct fg_segment *segment;
    struct fg_codec *codec;
    uint64_t id_high, id_low, hash;
    struct fg_segment_trace trace;
    bool found;
};

/* -- From a number to the trace's rows */

/* Adds what the trace has in the pages after this one, of this row group and the next ones. */
static int follow(struct fg_trace_pages *pages, uint32_t page_number,
                  struct fg_segment_trace *trace)
{
    struct fg_arena arena;
    fg_arena_init(&arena, FG_SEGMENT_TEXT_SIZE_MAX);
    int r = 0;
    bool goes_on = true;
    while (r == 0 && goes_on) {
        if (++page_number == pages->directory.page_count) {
            if (pages->group_number + 1 == pages->segment->info.row_group_count)
                break;
            r = fg_trace_pages_open(pages, pages->group_number + 1);
            page_number = 0;
        }
        const struct fg_page *page = r < 0 ? NULL : &pages->directory.pages[page_number];
        if (r < 0 || !page->continued)
            break;
        struct fg_page_runs runs;
        fg_arena_reset(&arena);
        r = fg_trace_pages_runs(pages, page, &arena, &runs);
        if (r == 0) {
            trace->row_count += runs.row_count[0];
            if (runs.start_ns[0] < trace->start_ns)
                trace->start_ns = runs.start_ns[0];
            goes_on = page->run_count == 1;
        }
    }
    fg_arena_free(&arena);
    return r;
}

/* The trace of this number, where it is the one that is looked for. */
static int check_number(struct finder *finder, uint64_t number)
{
    struct fg_trace_pages pages = {.segment = finder->segment, .codec = finder->codec};
    struct fg_arena arena;
    fg_arena_init(&arena, FG_SEGMENT_TEXT_SIZE_MAX);
    int r = fg_trace_pages_open(&pages, fg_trace_pages_group_of(finder->segment, number));
    struct fg_page_runs runs;
    const struct fg_page *page = NULL;
    uint32_t page_number = 0;
    if (r == 0) {
        page_number = fg_trace_pages_page_of(&pages, number);
        page = &pages.directory.pages[page_number];
        r = fg_trace_pages_runs(&pages, page, &arena, &runs);
    }
    if (r == 0) {
        uint64_t run = number - page->trace_begin + (page->continued ? 1 : 0);
        if (number < page->trace_begin || run >= page->run_count)
            r = FG_ECORRUPT;
        finder->found =
            r == 0 && runs.id_high[run] == finder->id_high && runs.id_low[run] == finder->id_low;
        uint64_t row = page->row_begin;
        for (uint64_t i = 0; finder->found && i < run; i++)
            row += runs.row_count[i];
        if (finder->found)
            finder->trace = (struct fg_segment_trace){.id_high = finder->id_high,
                                                      .id_low = finder->id_low,
                                                      .start_ns = runs.start_ns[run],
                                                      .row_begin = row,
                                                      .row_count = runs.row_count[run]};
        if (finder->found && run + 1 == page->run_count)
            r = follow(&pages, page_number, &finder->trace);
    }
    fg_arena_free(&arena);
    fg_trace_pages_close(&pages);
    return r;
}

/* -- From a hash to numbers */

static int check_places(struct finder *finder, const struct fg_segment_index_part *part,
                        struct fg_slice places, uint64_t *values)
{
    uint32_t count = part->entry.trace_count;
    struct fg_input in = fg_input(places);
    unsigned shift = (unsigned)fg_input_varint_max(&in, 63);
    uint64_t *numbers = values + count;
    int r = fg_int_decode(finder->codec, &in, count, NULL, values);
    if (r == 0)
        r = fg_int_decode(finder->codec, &in, count, NULL, numbers);
    if (r == 0 && (in.error || fg_input_rest(&in) != 0))
        r = FG_ECORRUPT;
    uint64_t wanted = finder->hash >> shift;
    uint32_t low = 0, high = count;
    while (r == 0 && low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (values[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    for (; r == 0 && !finder->found && low < count && values[low] == wanted; low++)
        r = numbers[low] < finder->segment->info.trace_count ? check_number(finder, numbers[low])
                                                             : FG_ECORRUPT;
    return r;
}

static int check_part(struct finder *finder, const struct fg_segment_index_part *part)
{
    struct fg_segment *segment = finder->segment;
    struct fg_loaded loaded;
    struct fg_fuse fuse;
    int r = fg_segment_load(segment, part->offset, part->entry.filter_size, NULL, &loaded);
    if (r < 0)
        return r;
    r = fg_fuse_parse(loaded.bytes, &fuse);
    bool maybe = r == 0 && fg_fuse_contains(&fuse, finder->hash);
    fg_loaded_free(segment, &loaded);
    if (!maybe)
        return r;
    if (!finder->codec) {
        r = fg_codec_new(&finder->codec);
        if (r < 0)
            return r;
    }
    r = fg_segment_load(segment, part->offset + part->entry.filter_size, part->entry.places_size,
                        NULL, &loaded);
    if (r < 0)
        return r;
    uint64_t *values = malloc((size_t)part->entry.trace_count * 2 * sizeof *values);
    r = values ? check_places(finder, part, loaded.bytes, values) : FG_ENOMEM;
    free(values);
    fg_loaded_free(segment, &loaded);
    return r;
}

/* The first part that may hold the hash: equal hashes may end one part and begin the next. */
static uint32_t first_part(const struct fg_segment *segment, uint64_t hash)
{
    uint32_t low = 0, high = segment->index_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (segment->index[middle].entry.hash_min < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : 0;
}

int fg_segment_find_trace(struct fg_segment *segment, uint64_t id_high, uint64_t id_low,
                          struct fg_segment_trace *ret_trace)
{
    struct fg_codec *codec = NULL;
    int r = fg_segment_find_trace_by(segment, id_high, id_low, &codec, ret_trace);
    fg_codec_free(codec);
    return r;
}

int fg_segment_find_trace_by(struct fg_segment *segment, uint64_t id_high, uint64_t id_low,
                             struct fg_codec **codec, struct fg_segment_trace *ret_trace)
{
    struct finder finder = {.segment = segment,
                            .codec = *codec,
                            .id_high = id_high,
                            .id_low = id_low,
                            .hash = fg_trace_hash(id_high, id_low)};
    int r = 0;
    for (uint32_t i = first_part(segment, finder.hash); r == 0 && !finder.found; i++) {
        if (i == segment->index_count || segment->index[i].entry.hash_min > finder.hash)
            break;
        r = check_part(&finder, &segment->index[i]);
    }
    *codec = finder.codec;
    if (r < 0)
        return r;
    if (!finder.found)
        return FG_ENOTFOUND;
    *ret_trace = finder.trace;
    return 0;
}

/* -- All of them */

struct visit {
    int (*fn)(void *arg, const struct fg_segment_trace *trace);
    void *arg;
    struct fg_segment_trace trace; /* that may go on with the next page */
    uint64_t count, trace_count;   /* seen; as the footer says */
};

static int give_last(const struct visit *visit)
{
    return visit->count > 0 ? visit->fn(visit->arg, &visit->trace) : 0;
}

static int visit_runs(struct visit *visit, const struct fg_page *page,
                      const struct fg_page_runs *runs)
{
    uint64_t row = page->row_begin;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < page->run_count; i++) {
        if (i == 0 && page->continued) {
            if (visit->count == 0)
                return FG_ECORRUPT;
            visit->trace.row_count += runs->row_count[0];
            if (runs->start_ns[0] < visit->trace.start_ns)
                visit->trace.start_ns = runs->start_ns[0];
        } else {
            r = visit->count == visit->trace_count ? FG_ECORRUPT : give_last(visit);
            visit->trace = (struct fg_segment_trace){.id_high = runs->id_high[i],
                                                     .id_low = runs->id_low[i],
                                                     .start_ns = runs->start_ns[i],
                                                     .row_begin = row,
                                                     .row_count = runs->row_count[i]};
            visit->count++;
        }
        row += runs->row_count[i];
    }
    return r;
}

static int visit_group(struct fg_trace_pages *pages, uint32_t number, struct visit *visit)
{
    struct fg_arena arena;
    fg_arena_init(&arena, FG_SEGMENT_TEXT_SIZE_MAX);
    int r = fg_trace_pages_open(pages, number);
    for (uint32_t i = 0; r == 0 && i < pages->directory.page_count; i++) {
        struct fg_page_runs runs;
        fg_arena_reset(&arena);
        r = fg_trace_pages_runs(pages, &pages->directory.pages[i], &arena, &runs);
        if (r == 0)
            r = visit_runs(visit, &pages->directory.pages[i], &runs);
    }
    fg_arena_free(&arena);
    return r;
}

int fg_segment_visit_traces(struct fg_segment *segment,
                            int (*fn)(void *arg, const struct fg_segment_trace *trace), void *arg)
{
    struct visit visit = {.fn = fn, .arg = arg, .trace_count = segment->info.trace_count};
    struct fg_trace_pages pages = {.segment = segment};
    int r = fg_codec_new(&pages.codec);
    if (r < 0)
        return r;
    for (uint32_t i = 0; r == 0 && i < segment->info.row_group_count; i++)
        r = visit_group(&pages, i, &visit);
    fg_trace_pages_close(&pages);
    fg_codec_free(pages.codec);
    if (r == 0 && visit.count != visit.trace_count)
        r = FG_ECORRUPT;
    return r == 0 ? give_last(&visit) : r;
}
