/* A trace's rows in all segments of its tenant: each says by a filter, nearly always rightly, that
 * it has none of it. */
#include "local/local.h"

#include "base/limits.h"

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

static int look_into(struct lookup *lookup, struct fg_local_segment *segment, uint64_t id_high,
                     uint64_t id_low)
{
    struct fg_segment_trace trace;
    struct fg_segment_reader *reader;
    lookup->stats->segments++;
    if (!segment->segment) {
        fg_local_damaged_page(segment, lookup->stats);
        return 0;
    }
    int r = fg_segment_find_trace(segment->segment, id_high, id_low, &trace);
    if (r == FG_ENOTFOUND) {
        lookup->stats->segments_pruned++;
        return 0;
    }
    if (r == FG_ECORRUPT) {
        fg_local_damaged_page(segment, lookup->stats);
        return 0;
    }
    if (r < 0)
        return r;
    const struct fg_segment_reader_options options = {.columns = FG_COLUMNS_ALL,
                                                      .page_cache_count = 1};
    r = fg_segment_reader_new(segment->segment, &options, &reader);
    if (r < 0)
        return r;
    r = read_rows(lookup, segment, reader, trace.row_begin, trace.row_begin + trace.row_count);
    lookup->stats->bytes_read += fg_segment_reader_bytes_read(reader);
    fg_segment_reader_free(reader);
    return r;
}

int fg_local_trace(struct fg_blocks_view *view, uint32_t tenant, uint64_t id_high, uint64_t id_low,
                   int (*page)(void *arg, const struct fg_blocks_page *page), void *arg,
                   struct fg_read_stats *stats)
{
    struct lookup lookup = {.view = view, .page = page, .arg = arg, .stats = stats};
    const struct fg_local_version *version = view->version;
    int r = 0;
    for (size_t i = 0; r == 0 && i < version->segment_count; i++) {
        if (version->segments[i]->entry.tenant != tenant)
            continue;
        r = fg_local_view_check(view);
        if (r == 0)
            r = look_into(&lookup, version->segments[i], id_high, id_low);
    }
    return r;
}
