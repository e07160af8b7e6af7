/* Decompression. The first byte is the encoding; the output is reserved exactly and never past its
 * bound. */
#include "net/inflate.h"

#include <assert.h>
#include <stdlib.h>

#define SIZE_BOUND ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int reserve(struct fg_inflate_out *out, size_t size_min)
{
    assert(size_min <= SIZE_BOUND && size_min > out->capacity);
    uint8_t *grown = malloc(size_min);
    if (!grown)
        return FG_ENOMEM;
    if (out->size)
        memcpy(grown, out->data, out->size);
    free(out->data);
    out->data = grown;
    out->capacity = size_min;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fg_inflater *inflater;
    if (size == 0 || (!inflater && fg_inflater_new(&inflater) < 0))
        return 0;
    struct fg_inflate_out out = {.reserve = reserve, .size_max = SIZE_BOUND};
    int r =
        fg_inflate(inflater, (enum fg_encoding)(data[0] % 4), fg_slice(data + 1, size - 1), &out);
    assert(r == 0 || r == FG_EINVALID || r == FG_ELIMIT || r == FG_ENOMEM);
    assert(out.size <= out.capacity && out.size <= SIZE_BOUND);
    free(out.data);
    return 0;
}
