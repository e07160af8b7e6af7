/* Rows in final order poured into a new segment: cut into row groups, copied, written, and counted
 * into the segment's rollup. Sealing and merging end in it. */
#pragma once

#include "local/segment.h"
#include "order.h"

struct fg_builder;
struct fg_pour;
struct fg_remap;

/* A batch from which rows are poured. Begins zeroed; batch may change between rows. */
struct fg_pour_source {
    struct fg_remap *remap;
    const struct fg_batch *bound; /* what remap knows */
    uint64_t generation;
};
void fg_pour_source_free(struct fg_pour_source *source);
/* The batch at the same address became another one. */
void fg_pour_source_forget(struct fg_pour_source *source);

/* Makes the file. with_rollup false: the segment gets none, since its spans are counted elsewhere.
 */
FG_MUST_CHECK int fg_pour_open(struct fg_env *env, const char *path,
                               const struct fg_segment_writer_options *options, bool with_rollup,
                               struct fg_pour **ret_pour);

/* A trace of row_count rows begins. Where it fits into one row group it lies in one. */
FG_MUST_CHECK int fg_pour_trace(struct fg_pour *pour, uint64_t row_count);
/* Its next row. parent: which row of this trace (counted from 0 in pouring order, an earlier one)
 * is its parent, or FG_TREE_NONE. */
FG_MUST_CHECK int fg_pour_row(struct fg_pour *pour, struct fg_pour_source *source,
                              const struct fg_batch *batch, uint32_t row, uint16_t or_marks,
                              uint32_t parent);
/* All of an order's traces; sources: one for each batch. */
FG_MUST_CHECK int fg_pour_order(struct fg_pour *pour, const struct fg_batch *const *batches,
                                struct fg_pour_source *sources, const struct fg_order *order);

/* A row group of from as it lies there, for what segment_copy.h says. Its rows must be what would
 * be poured next. reader: for fg_segment_writer_copy(). */
FG_MUST_CHECK int fg_pour_group(struct fg_pour *pour, struct fg_segment *from,
                                struct fg_segment_reader *reader, uint32_t number);
/* Rows that wait in the row group that is being made: a copied one ends it. */
uint32_t fg_pour_group_rows(const struct fg_pour *pour);

uint64_t fg_pour_row_count(const struct fg_pour *pour);

/* Writes the rest; the file is synced, its folder is not. Frees pour in every case; on failure the
 * file is the caller's to unlink. */
FG_MUST_CHECK int fg_pour_finish_take(struct fg_pour *pour, struct fg_segment_info *ret_info);
/* NULL is accepted. */
void fg_pour_abort(struct fg_pour *pour);
