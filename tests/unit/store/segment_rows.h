/* What the segment's tests share: random rows in final order, a segment of them on a simulated
 * disk, and the comparison of a page with the rows that it was made of, to the last bit. */
#pragma once

#include "local/segment.h"
#include "random_batch.h"
#include "sim_env.h"

#define SEGMENT_PATH "test.seg"

/* Rows in final order, owned. */
struct segment_rows {
    struct fg_builder *builder;
    struct fg_batch batch;
};

/* Random rows; options as for random_batch_fill(). */
struct segment_rows segment_rows_new(const struct random_batch_options *options);
/* The rows of a builder, in final order. The builder stays the caller's. */
struct segment_rows segment_rows_order(struct fg_builder *builder);
void segment_rows_free(struct segment_rows *rows);

/* Writes the rows, cut into row groups of at most group_rows. */
struct fg_segment_info segment_rows_write(const struct segment_rows *rows, struct fg_env *env,
                                          const char *path, uint32_t group_rows);

/* NULL where row a of a and row b of b agree in all columns of the mask: attributes in order, ids
 * and numbers to the bit. Otherwise what differs. keys (may be NULL): of the span's attributes only
 * those for which it is true must be there. */
const char *segment_rows_differ(const struct fg_batch *a, uint32_t row_a, const struct fg_batch *b,
                                uint32_t row_b, uint32_t columns,
                                bool (*keys)(void *arg, struct fg_slice key), void *arg);
