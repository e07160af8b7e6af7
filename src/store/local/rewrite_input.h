/* One segment being read for a rewrite: the page that was read last, and which of its rows go.
 * Private to rewrite*.c. */
#pragma once

#include "local/local.h"
#include "local/pour.h"
#include "local/segment_copy.h"

/* One part of a trace: where it lies in one input. */
struct rewrite_part {
    uint64_t id_high, id_low;
    uint64_t start_ns; /* of the whole trace */
    uint64_t row_begin;
    uint32_t row_count;
    uint32_t input;
};

static inline bool rewrite_part_is_same_trace(const struct rewrite_part *x,
                                              const struct rewrite_part *y)
{
    return x->id_high == y->id_high && x->id_low == y->id_low;
}

/* Brings the parts of all inputs, one input's after the other's, into the order of their traces by
 * earliest start; the parts of a trace get that start and stand side by side. seed: any number that
 * senders of spans can't know. FG_ENOMEM. (rewrite_parts.c) */
FG_MUST_CHECK int rewrite_parts_sort(struct rewrite_part *parts, size_t count, uint64_t seed);

struct rewrite_input {
    struct fg_segment *segment;
    struct fg_segment_reader *reader;
    struct fg_segment_reader *skimmer; /* of what fg_pour_group() needs; NULL: not yet */
    const struct fg_batch *page;       /* the rows [page_begin, page_begin + its count) */
    uint64_t page_begin;
    struct fg_pour_source source;
    struct fg_remap *joined_remap;
    const struct fg_batch *joined_bound;
    int (*match_rows)(void *arg, const struct fg_batch *page, uint64_t *bits);
    void *arg;
    uint64_t *gone;    /* of page's rows; NULL: none goes */
    size_t parts_left; /* not poured yet */
    bool is_damaged;
};

FG_MUST_CHECK int rewrite_input_open(struct rewrite_input *input, struct fg_local_segment *segment,
                                     int (*match_rows)(void *arg, const struct fg_batch *page,
                                                       uint64_t *bits),
                                     void *arg);
/* Gives its memory back; more often than once is no harm. */
void rewrite_input_close(struct rewrite_input *input);

/* Makes the page with a row of the segment the current one. */
FG_MUST_CHECK int rewrite_input_page(struct rewrite_input *input, uint64_t segment_row);

/* The row of the current page that is a row of the segment. */
FG_MUST_CHECK static inline int rewrite_input_row(struct rewrite_input *input, uint64_t segment_row,
                                                  uint32_t *ret_row)
{
    if (!input->page || segment_row - input->page_begin >= input->page->span_count) {
        int r = rewrite_input_page(input, segment_row);
        if (r < 0)
            return r;
    }
    *ret_row = (uint32_t)(segment_row - input->page_begin);
    return 0;
}

static inline bool rewrite_input_is_gone(const struct rewrite_input *input, uint32_t row)
{
    return input->gone && (input->gone[row / 64] >> (row % 64) & 1);
}

/* Whether none of the page's rows goes or is a shared half. */
bool rewrite_input_is_plain(const struct rewrite_input *input, uint32_t row_begin,
                            uint32_t row_end);

/* Whether the traces of parts, of which the first is about to be poured, begin with all those of a
 * row group that can be copied as it lies: it is whole, and no other input has a part of them or
 * one between them. *ret_count: its traces; *ret_group. (rewrite_group.c) */
FG_MUST_CHECK int rewrite_input_find_group(struct rewrite_input *input,
                                           const struct rewrite_part *parts, size_t count,
                                           struct fg_segment_group_place *ret_group,
                                           size_t *ret_count);

/* Copies a row of the current page into the builder of joined traces. */
FG_MUST_CHECK int rewrite_input_copy(struct rewrite_input *input, uint32_t row,
                                     struct fg_builder *joined);
/* That builder was reset. */
void rewrite_input_forget_joined(struct rewrite_input *input);
