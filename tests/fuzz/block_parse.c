/* A frozen batch of any bytes: refused, or whole. What was accepted is read to its last element, by
 * copying all rows, and must come out the same. */
#include "random_batch.h"
#include "span/block.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(holds)                                                                                \
    if (!(holds))                                                                                  \
    abort()

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fg_block *block;
    int r = fg_block_parse(fg_slice(data, size), &block);
    if (r < 0) {
        must(r == FG_ECORRUPT || r == FG_EUNSUPPORTED);
        return 0;
    }
    must(fg_slice_equal(fg_block_payload(block), fg_slice(data, size)));
    const struct fg_batch *batch = fg_block_batch(block);
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_remap *remap;
    must(fg_builder_new(&limits, &builder) == 0);
    must(fg_remap_new(&remap) == 0);
    must(fg_remap_begin(remap, builder, batch) == 0);
    for (uint32_t row = 0; row < batch->span_count; row++)
        must(fg_builder_copy(builder, remap, batch, row, 0) == 0);
    struct fg_batch copy;
    fg_builder_view(builder, &copy);
    must(!batches_differ(batch, &copy));
    fg_remap_free(remap);
    fg_builder_free(builder);
    fg_block_unref(block);
    return 0;
}
