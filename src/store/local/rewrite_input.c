#include "local/rewrite_input.h"

#include "base/limits.h"
#include "span/builder.h"

#include <stdlib.h>

/* Pages end with a trace, and each input has one in memory: of a trace that is larger than a page
 * they are decoded again where it is looked at again. */
#define PAGES_KEPT 1u

int rewrite_input_open(struct rewrite_input *input, struct fg_local_segment *segment,
                       int (*match_rows)(void *arg, const struct fg_batch *page, uint64_t *bits),
                       void *arg)
{
    const struct fg_segment_reader_options options = {
        .columns = FG_COLUMNS_ALL, .page_cache_count = PAGES_KEPT, .reads_once = true};
    *input =
        (struct rewrite_input){.segment = segment->segment, .match_rows = match_rows, .arg = arg};
    if (match_rows) {
        input->gone = calloc(FG_PAGE_ROWS_MAX / 64 + 1, sizeof *input->gone);
        if (!input->gone)
            return FG_ENOMEM;
    }
    return fg_segment_reader_new(segment->segment, &options, &input->reader);
}

void rewrite_input_close(struct rewrite_input *input)
{
    if (input->reader)
        fg_segment_reader_free(input->reader);
    if (input->skimmer)
        fg_segment_reader_free(input->skimmer);
    fg_pour_source_free(&input->source);
    fg_remap_free(input->joined_remap);
    free(input->gone);
    input->reader = input->skimmer = NULL;
    input->page = input->joined_bound = NULL;
    input->joined_remap = NULL;
    input->gone = NULL;
}

int rewrite_input_page(struct rewrite_input *input, uint64_t segment_row)
{
    input->page = NULL;
    fg_pour_source_forget(&input->source);
    input->joined_bound = NULL;
    int r = fg_segment_reader_page(input->reader, segment_row, &input->page, &input->page_begin);
    if (r == 0 && (segment_row - input->page_begin >= input->page->span_count ||
                   input->page->span_count > FG_PAGE_ROWS_MAX))
        r = FG_ECORRUPT;
    if (r == FG_ECORRUPT)
        input->is_damaged = true;
    if (r == 0 && input->gone)
        r = input->match_rows(input->arg, input->page, input->gone);
    if (r < 0)
        input->page = NULL;
    return r;
}

bool rewrite_input_is_plain(const struct rewrite_input *input, uint32_t row_begin, uint32_t row_end)
{
    const uint16_t *marks = input->page->marks;
    if (!input->gone && !marks)
        return true;
    for (uint32_t row = row_begin; row < row_end; row++)
        if (rewrite_input_is_gone(input, row) || (fg_column_u16(marks, row) & FG_MARK_SHARED))
            return false;
    return true;
}

int rewrite_input_copy(struct rewrite_input *input, uint32_t row, struct fg_builder *joined)
{
    int r = 0;
    if (!input->joined_remap)
        r = fg_remap_new(&input->joined_remap);
    if (r == 0 && input->joined_bound != input->page) {
        r = fg_remap_begin(input->joined_remap, joined, input->page);
        input->joined_bound = input->page;
    }
    return r < 0 ? r : fg_builder_copy(joined, input->joined_remap, input->page, row, 0);
}

void rewrite_input_forget_joined(struct rewrite_input *input)
{
    input->joined_bound = NULL;
}
