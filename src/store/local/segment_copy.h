/* A row group taken over from another segment as it lies: the rows are the same, in the same order,
 * so its bytes can stay, and only the checksums, which hold a block's place in its file, are made
 * anew. It costs a tenth of what decoding and encoding cost. */
#pragma once

#include "local/segment.h"

struct fg_segment_group_place {
    uint32_t number, row_count, trace_count;
    uint64_t row_begin;
    uint64_t size_bytes; /* of all of it */
};

/* The row group that holds row, which must be below the segment's span count. */
void fg_segment_group_at(const struct fg_segment *segment, uint64_t row,
                         struct fg_segment_group_place *ret_place);

/* Whether any of its rows may carry a mark. */
FG_MUST_CHECK int fg_segment_group_has_marks(struct fg_segment *segment, uint32_t number,
                                             bool *ret_has);

/* Appends row group number of from. It must begin and end with whole traces, none of which the
 * writer has seen. rows is called by the writer for pages of it, one by one, with ids, times,
 * names, resources, kinds and statuses; non-zero ends it and is the result. reader: one of from,
 * with at least these columns. FG_ECORRUPT: a damaged block, or what the segment says of itself
 * does not agree; FG_ENOMEM. The writer can only be given up after a failure. */
FG_MUST_CHECK int fg_segment_writer_copy(struct fg_segment_writer *writer, struct fg_segment *from,
                                         struct fg_segment_reader *reader, uint32_t number,
                                         int (*rows)(void *arg, const struct fg_batch *page),
                                         void *arg);
