/* Which row groups of a merge's inputs can be copied as they lie. Segments follow each other in
 * time, so of large ones nearly all can. */
#include "local/rewrite_input.h"

#include "base/limits.h"

/* A row group smaller than both is poured with its neighbours, so that merges also make large ones
 * of small ones. */
#define COPY_ROWS_MIN (FG_ROW_GROUP_ROWS_MAX / 2)
#define COPY_SIZE_MIN ((uint64_t)1 << 20)

#define SKIM_COLUMNS                                                                               \
    (FG_COLUMNS_IDS | FG_COLUMNS_TIMES | FG_COLUMNS_NAME | FG_COLUMNS_RESOURCE |                   \
     FG_COLUMNS_STATUS | FG_COLUMNS_MISC)

/* Whether the first parts are the group's traces, one after the other, and nothing else. */
static bool is_alone(const struct rewrite_part *parts, size_t count,
                     const struct fg_segment_group_place *group)
{
    if (parts->row_begin != group->row_begin || group->trace_count == 0 ||
        group->trace_count > count)
        return false;
    uint64_t row = group->row_begin;
    for (size_t i = 0; i < group->trace_count; i++) {
        const struct rewrite_part *part = &parts[i], *next = part + 1;
        bool has_more =
            i + 1 < count && next->id_high == part->id_high && next->id_low == part->id_low;
        if (part->input != parts->input || part->row_begin != row || has_more)
            return false;
        row += part->row_count;
    }
    return row == group->row_begin + group->row_count;
}

/* Whether no span shares its id with its client's half: callers would be told apart wrongly. */
static int is_plain(struct rewrite_input *input, const struct fg_segment_group_place *group,
                    bool *ret_is_plain)
{
    bool has_marks;
    int r = fg_segment_group_has_marks(input->segment, group->number, &has_marks);
    *ret_is_plain = r == 0;
    for (uint64_t row = group->row_begin;
         r == 0 && has_marks && *ret_is_plain && row < group->row_begin + group->row_count;) {
        const struct fg_batch *page;
        uint64_t begin;
        r = fg_segment_reader_page(input->skimmer, row, &page, &begin);
        for (uint32_t i = 0; r == 0 && i < page->span_count && *ret_is_plain; i++)
            *ret_is_plain = !(fg_column_u16(page->marks, i) & FG_MARK_SHARED);
        row = r == 0 ? begin + page->span_count : row;
    }
    return r;
}

int rewrite_input_find_group(struct rewrite_input *input, const struct rewrite_part *parts,
                             size_t count, struct fg_segment_group_place *ret_group,
                             size_t *ret_count)
{
    bool plain = false;
    fg_segment_group_at(input->segment, parts->row_begin, ret_group);
    bool is_large = ret_group->row_count >= COPY_ROWS_MIN || ret_group->size_bytes >= COPY_SIZE_MIN;
    if (!is_large || !is_alone(parts, count, ret_group))
        return 0;
    const struct fg_segment_reader_options options = {
        .columns = SKIM_COLUMNS, .page_cache_count = 1, .reads_once = true};
    int r = input->skimmer ? 0 : fg_segment_reader_new(input->segment, &options, &input->skimmer);
    if (r == 0)
        r = is_plain(input, ret_group, &plain);
    if (r == FG_ECORRUPT)
        input->is_damaged = true;
    if (r == 0 && plain)
        *ret_count = ret_group->trace_count;
    return r;
}
