/* A trace's rows in all segments of its tenant: each says by a filter, nearly always rightly, that
 * it has none of it. */
#include "local/local.h"

#include "base/limits.h"
#include "local/codec.h"

#include <stdlib.h>

/* Segments whose readers are kept; each holds a decoded page or two. */
#define READERS_KEPT 4u
#define PAGES_KEPT   2u

struct kept {
    struct fg_segment *segment; /* the reader's; NULL: none */
    struct fg_segment_reader *reader;
    uint64_t used_at;
};

struct fg_blocks_readers {
    struct kept kept[READERS_KEPT];
    uint64_t clock;
    struct fg_codec *codec; /* for finding; NULL: none was needed yet */
};

struct lookup {
    struct fg_blocks_view *view;
    int (*page)(void *arg, const struct fg_blocks_page *page);
    void *arg;
    struct fg_read_stats *stats;
};

/* The first row after the page that holds row: where that page can't be read. */
struct next_page {
    uint64_t row, next;
};

static int on_page(void *arg, const struct fg_segment_page *page)
{
    struct next_page *search = arg;
    if (search->row < page->row_begin || search->row - page->row_begin >= page->row_count)
        return 0;
    search->next = page->row_begin + page->row_count;
    return 1;
}

static int find_next_page(struct fg_segment *segment, uint64_t row, uint64_t *ret_row)
{
    struct next_page search = {.row = row, .next = UINT64_MAX};
    int r = fg_segment_prune(segment, NULL, 0, UINT64_MAX, false, on_page, &search, NULL);
    *ret_row = search.next;
    return r < 0 ? r : 0;
}

/* Rows [row, end) of a segment. */
static int read_rows(struct lookup *lookup, struct fg_local_segment *segment,
                     struct fg_segment_reader *reader, uint64_t row, uint64_t end)
{
    while (row < end) {
        const struct fg_batch *batch;
        uint64_t begin;
        int r = fg_local_view_check(lookup->view);
        if (r == 0)
            r = fg_segment_reader_page(reader, row, &batch, &begin);
        if (r == FG_ECORRUPT) {
            fg_local_damaged_page(segment, lookup->stats);
            r = find_next_page(segment->segment, row, &row);
            if (r < 0)
                return r == FG_ECORRUPT ? 0 : r;
            continue;
        }
        if (r < 0)
            return r;
        uint64_t rest = end - begin;
        uint32_t row_end = rest < batch->span_count ? (uint32_t)rest : batch->span_count;
        struct fg_blocks_page page = {
            .batch = batch, .row_begin = (uint32_t)(row - begin), .row_end = row_end};
        lookup->stats->pages++;
        lookup->stats->rows_scanned += page.row_end - page.row_begin;
        r = lookup->page(lookup->arg, &page);
        if (r != 0)
            return r;
        row = begin + row_end;
    }
    return 0;
}

/* -- Readers */

int fg_local_readers_new(struct fg_blocks_readers **ret_readers)
{
    *ret_readers = calloc(1, sizeof **ret_readers);
    return *ret_readers ? 0 : FG_ENOMEM;
}

void fg_local_readers_free(struct fg_blocks_readers *readers)
{
    if (!readers)
        return;
    for (size_t i = 0; i < READERS_KEPT; i++)
        fg_segment_reader_free(readers->kept[i].reader);
    fg_codec_free(readers->codec);
    free(readers);
}

/* A reader holds its segment, so that no other one can have taken its place in memory. */
static int reader_of(struct fg_blocks_readers *readers, struct fg_segment *segment,
                     struct fg_segment_reader **ret_reader)
{
    struct kept *oldest = &readers->kept[0];
    for (size_t i = 0; i < READERS_KEPT; i++) {
        struct kept *kept = &readers->kept[i];
        if (kept->segment == segment) {
            kept->used_at = ++readers->clock;
            *ret_reader = kept->reader;
            return 0;
        }
        if (kept->used_at < oldest->used_at)
            oldest = kept;
    }
    const struct fg_segment_reader_options options = {.columns = FG_COLUMNS_ALL,
                                                      .page_cache_count = PAGES_KEPT};
    fg_segment_reader_free(oldest->reader);
    *oldest = (struct kept){0};
    int r = fg_segment_reader_new(segment, &options, &oldest->reader);
    if (r < 0)
        return r;
    oldest->segment = segment;
    oldest->used_at = ++readers->clock;
    *ret_reader = oldest->reader;
    return 0;
}

/* -- Calls */

static int add_place(struct fg_blocks_places *places, const struct fg_blocks_place *place)
{
    if (places->count == places->capacity) {
        size_t capacity = places->capacity ? 2 * places->capacity : 8;
        struct fg_blocks_place *items = realloc(places->items, capacity * sizeof *items);
        if (!items)
            return FG_ENOMEM;
        places->items = items;
        places->capacity = capacity;
    }
    places->items[places->count++] = *place;
    return 0;
}

static int look_into(struct fg_local_segment *segment, size_t number, uint64_t id_high,
                     uint64_t id_low, struct fg_codec **codec, struct fg_blocks_places *places,
                     struct fg_read_stats *stats)
{
    struct fg_segment_trace trace;
    stats->segments++;
    int r = segment->segment
                ? fg_segment_find_trace_by(segment->segment, id_high, id_low, codec, &trace)
                : FG_ECORRUPT;
    if (r == FG_ENOTFOUND) {
        stats->segments_pruned++;
        return 0;
    }
    if (r == FG_ECORRUPT) {
        fg_local_damaged_page(segment, stats);
        return 0;
    }
    if (r < 0)
        return r;
    const struct fg_blocks_place place = {number, trace.row_begin, trace.row_count};
    return add_place(places, &place);
}

int fg_local_trace_find(struct fg_blocks_view *view, uint32_t tenant, uint64_t id_high,
                        uint64_t id_low, struct fg_blocks_readers *readers,
                        struct fg_blocks_places *places, struct fg_read_stats *stats)
{
    const struct fg_local_version *version = view->version;
    int r = 0;
    for (size_t i = 0; r == 0 && i < version->segment_count; i++) {
        if (version->segments[i]->entry.tenant != tenant)
            continue;
        r = fg_local_view_check(view);
        if (r == 0)
            r = look_into(version->segments[i], i, id_high, id_low, &readers->codec, places, stats);
    }
    return r;
}

int fg_local_trace_read(struct fg_blocks_view *view, const struct fg_blocks_place *place,
                        struct fg_blocks_readers *readers,
                        int (*page)(void *arg, const struct fg_blocks_page *page), void *arg,
                        struct fg_read_stats *stats)
{
    struct lookup lookup = {.view = view, .page = page, .arg = arg, .stats = stats};
    struct fg_local_segment *segment = view->version->segments[place->segment];
    struct fg_segment_reader *reader;
    int r = reader_of(readers, segment->segment, &reader);
    if (r < 0)
        return r;
    uint64_t bytes_before = fg_segment_reader_bytes_read(reader);
    r = read_rows(&lookup, segment, reader, place->row_begin, place->row_begin + place->row_count);
    stats->bytes_read += fg_segment_reader_bytes_read(reader) - bytes_before;
    return r;
}
