#include "local/trace_pages.h"

void fg_trace_pages_close(struct fg_trace_pages *pages)
{
    if (!pages->group)
        return;
    fg_directory_free(pages->segment, &pages->directory);
    fg_group_unref(pages->group);
    pages->group = NULL;
}

int fg_trace_pages_open(struct fg_trace_pages *pages, uint32_t number)
{
    if (pages->group && pages->group_number == number)
        return 0;
    fg_trace_pages_close(pages);
    struct fg_group *group;
    int r = fg_group_load_columns(pages->segment, number, &pages->bytes_read, &group);
    if (r < 0)
        return r;
    r = fg_directory_load(group, pages->codec, &pages->bytes_read, &pages->directory);
    if (r < 0) {
        fg_group_unref(group);
        return r;
    }
    pages->group = group;
    pages->group_number = number;
    return 0;
}

uint32_t fg_trace_pages_group_of(const struct fg_segment *segment, uint64_t number)
{
    uint32_t low = 0, high = segment->info.row_group_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (segment->groups[middle].trace_begin <= number)
            low = middle;
        else
            high = middle;
    }
    /* groups in the middle of one trace begin none: the first with this number is the trace's */
    while (low > 0 && segment->groups[low].entry.trace_count == 0)
        low--;
    return low;
}

uint32_t fg_trace_pages_page_of(const struct fg_trace_pages *pages, uint64_t number)
{
    const struct fg_directory *directory = &pages->directory;
    uint32_t found = 0;
    for (uint32_t i = 0; i < directory->page_count; i++) {
        const struct fg_page *page = &directory->pages[i];
        bool begins_some = page->run_count > (page->continued ? 1u : 0u);
        if (begins_some && page->trace_begin <= number)
            found = i;
    }
    return found;
}

int fg_trace_pages_runs(struct fg_trace_pages *pages, const struct fg_page *page,
                        struct fg_arena *arena, struct fg_page_runs *ret_runs)
{
    struct fg_slice bytes;
    int r = fg_segment_load_chunk(pages->segment, &page->chunks[FG_STREAM_TRACES], arena,
                                  &pages->bytes_read, &bytes);
    return r < 0 ? r : fg_page_decode_runs(pages->codec, page, bytes, arena, ret_runs);
}
