/* Bytes of a rollup from disk: refused or taken, and what was taken encodes to what decodes to the
 * same. */
#include "store/rollup.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition)
{
    if (!condition)
        abort();
}

static int count_cell(void *arg, const struct fg_rollup_cell *cell)
{
    uint64_t *sum = arg;
    *sum += cell->count + cell->open_count + cell->minute_ns / 60000000000;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fg_rollup *rollup = NULL, *again = NULL;
    struct fg_buffer bytes;
    uint64_t sum = 0, sum_again = 0;
    need(fg_rollup_new(&rollup) == 0 && fg_rollup_new(&again) == 0);
    fg_buffer_init(&bytes, 1 << 28);
    if (fg_rollup_decode(rollup, fg_slice(data, size), 0, UINT64_MAX) == 0) {
        need(fg_rollup_each(rollup, count_cell, &sum) == 0);
        need(fg_rollup_encode(rollup, &bytes) == 0);
        need(fg_rollup_decode(again, fg_buffer_slice(&bytes), 0, UINT64_MAX) == 0);
        need(fg_rollup_each(again, count_cell, &sum_again) == 0);
        need(sum == sum_again);
    }
    fg_buffer_free(&bytes);
    fg_rollup_free(rollup);
    fg_rollup_free(again);
    return 0;
}
