/* What a span says, apart from when Filigree received it: for telling a retry from a second span
 * that only has the same ids. All columns of the batches must be there. */
#pragma once

#include "span/batch.h"

/* Equal for resources that are equal. */
uint64_t fg_resource_hash(const struct fg_batch *batch, uint32_t resource);

/* Over every field of a row but received_ns and what Filigree itself marked for its time or its
 * twins. */
uint64_t fg_row_hash(const struct fg_batch *batch, uint32_t row);
bool fg_row_equal(const struct fg_batch *a, uint32_t a_row, const struct fg_batch *b,
                  uint32_t b_row);
