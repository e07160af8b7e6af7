/* A manifest of any bytes: refused, or one that encodes to the same bytes. The checksum is put
 * right first, so that what lies behind it is reached. */
#include "base/endian.h"
#include "base/hash.h"
#include "local/manifest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void parse(struct fg_slice bytes)
{
    struct fg_manifest manifest;
    int r = fg_manifest_parse(bytes, &manifest);
    if (r < 0) {
        must(r == FG_ECORRUPT || r == FG_EUNSUPPORTED);
        return;
    }
    struct fg_buffer buffer;
    fg_buffer_init(&buffer, bytes.size + 1024);
    fg_manifest_encode(&manifest, &buffer);
    must(buffer.error == 0 && buffer.size == bytes.size);
    struct fg_manifest again;
    must(fg_manifest_parse(fg_buffer_slice(&buffer), &again) == 0);
    must(again.segment_count == manifest.segment_count);
    fg_manifest_free(&again);
    fg_manifest_free(&manifest);
    fg_buffer_free(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse(fg_slice(data, size));
    if (size < 8)
        return 0;
    uint8_t *copy = malloc(size);
    must(copy != NULL);
    memcpy(copy, data, size);
    fg_store_le64(copy + size - 8, fg_hash(fg_slice(copy, size - 8)));
    parse(fg_slice(copy, size));
    free(copy);
    return 0;
}
