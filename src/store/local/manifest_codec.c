/* A manifest's bytes. All integers are little-endian.
 *
 *      0  8  magic "FGMANIF\n"
 *      8  4  version, FG_MANIFEST_VERSION
 *     12  4  number of epochs
 *     16  8  size of the file in bytes
 *     24 16  store id
 *     40  8  generation
 *     48  8  checkpoint
 *     56  8  next id
 *     64  4  number of segments
 *     68  4  number of rollups
 *     72     epochs, 16 bytes each: epoch, first sequence
 *            segments, 88 bytes each: id (8), tenant (4), day (4), level (4), zero (4), spans,
 *            traces, bytes, least and greatest start, greatest end, least and greatest receipt
 *            rollups, 24 bytes each: id (8), tenant (4), day (4), bytes (8)
 *     -8  8  XXH3 of all bytes before
 *
 * Magic, version and the checksum at the end stay where they are in every later version, so that a
 * damaged manifest and one of a newer version can be told apart. */
#include "base/checked.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/limits.h"
#include "manifest.h"

#include <stdlib.h>

#define MAGIC         "FGMANIF\n"
#define HEADER_SIZE   ((size_t)72)
#define EPOCH_SIZE    ((size_t)16)
#define SEGMENT_SIZE  ((size_t)88)
#define ROLLUP_SIZE   ((size_t)24)
#define CHECKSUM_SIZE ((size_t)8)

static void encode_segment(const struct fg_manifest_segment *segment, struct fg_buffer *buffer)
{
    fg_buffer_append_le64(buffer, segment->id);
    fg_buffer_append_le32(buffer, segment->tenant);
    fg_buffer_append_le32(buffer, segment->day);
    fg_buffer_append_le32(buffer, segment->level);
    fg_buffer_append_le32(buffer, 0);
    fg_buffer_append_le64(buffer, segment->span_count);
    fg_buffer_append_le64(buffer, segment->trace_count);
    fg_buffer_append_le64(buffer, segment->size_bytes);
    fg_buffer_append_le64(buffer, segment->start_ns_min);
    fg_buffer_append_le64(buffer, segment->start_ns_max);
    fg_buffer_append_le64(buffer, segment->end_ns_max);
    fg_buffer_append_le64(buffer, segment->received_ns_min);
    fg_buffer_append_le64(buffer, segment->received_ns_max);
}

void fg_manifest_encode(const struct fg_manifest *manifest, struct fg_buffer *buffer)
{
    size_t begin = buffer->size;
    size_t size = HEADER_SIZE + manifest->epoch_count * EPOCH_SIZE +
                  manifest->segment_count * SEGMENT_SIZE + manifest->rollup_count * ROLLUP_SIZE +
                  CHECKSUM_SIZE;
    fg_buffer_append_string(buffer, MAGIC);
    fg_buffer_append_le32(buffer, FG_MANIFEST_VERSION);
    fg_buffer_append_le32(buffer, manifest->epoch_count);
    fg_buffer_append_le64(buffer, size);
    fg_buffer_append_le64(buffer, manifest->store_id[0]);
    fg_buffer_append_le64(buffer, manifest->store_id[1]);
    fg_buffer_append_le64(buffer, manifest->generation);
    fg_buffer_append_le64(buffer, manifest->checkpoint);
    fg_buffer_append_le64(buffer, manifest->next_id);
    fg_buffer_append_le32(buffer, (uint32_t)manifest->segment_count);
    fg_buffer_append_le32(buffer, (uint32_t)manifest->rollup_count);
    for (uint32_t i = 0; i < manifest->epoch_count; i++) {
        fg_buffer_append_le64(buffer, manifest->epochs[i].epoch);
        fg_buffer_append_le64(buffer, manifest->epochs[i].first_sequence);
    }
    for (size_t i = 0; i < manifest->segment_count; i++)
        encode_segment(&manifest->segments[i], buffer);
    for (size_t i = 0; i < manifest->rollup_count; i++) {
        fg_buffer_append_le64(buffer, manifest->rollups[i].id);
        fg_buffer_append_le32(buffer, manifest->rollups[i].tenant);
        fg_buffer_append_le32(buffer, manifest->rollups[i].day);
        fg_buffer_append_le64(buffer, manifest->rollups[i].size_bytes);
    }
    if (buffer->error == 0)
        fg_buffer_append_le64(buffer, fg_hash(fg_slice(buffer->data + begin, size - 8)));
}

static struct fg_manifest_segment parse_segment(const uint8_t *p)
{
    return (struct fg_manifest_segment){
        .id = fg_load_le64(p),
        .tenant = fg_load_le32(p + 8),
        .day = fg_load_le32(p + 12),
        .level = fg_load_le32(p + 16),
        .span_count = fg_load_le64(p + 24),
        .trace_count = fg_load_le64(p + 32),
        .size_bytes = fg_load_le64(p + 40),
        .start_ns_min = fg_load_le64(p + 48),
        .start_ns_max = fg_load_le64(p + 56),
        .end_ns_max = fg_load_le64(p + 64),
        .received_ns_min = fg_load_le64(p + 72),
        .received_ns_max = fg_load_le64(p + 80),
    };
}

static struct fg_manifest_rollup parse_rollup(const uint8_t *p)
{
    return (struct fg_manifest_rollup){
        .id = fg_load_le64(p),
        .tenant = fg_load_le32(p + 8),
        .day = fg_load_le32(p + 12),
        .size_bytes = fg_load_le64(p + 16),
    };
}

/* Whether sizes and counts fit each other; then every offset below lies inside. */
static int check_shape(struct fg_slice bytes)
{
    if (bytes.size < HEADER_SIZE + CHECKSUM_SIZE || memcmp(bytes.data, MAGIC, 8) != 0)
        return FG_ECORRUPT;
    size_t body = bytes.size - CHECKSUM_SIZE;
    if (fg_load_le64(bytes.data + body) != fg_hash(fg_slice(bytes.data, body)))
        return FG_ECORRUPT;
    if (fg_load_le32(bytes.data + 8) > FG_MANIFEST_VERSION)
        return FG_EUNSUPPORTED;
    uint64_t epochs = fg_load_le32(bytes.data + 12);
    uint64_t segments = fg_load_le32(bytes.data + 64), rollups = fg_load_le32(bytes.data + 68);
    /* 32-bit counts times small sizes: 64 bits hold the sum. */
    uint64_t need =
        HEADER_SIZE + epochs * EPOCH_SIZE + segments * SEGMENT_SIZE + rollups * ROLLUP_SIZE;
    bool fits = need == body && fg_load_le64(bytes.data + 16) == bytes.size;
    return fits && epochs > 0 && epochs <= FG_WAL_EPOCHS_MAX ? 0 : FG_ECORRUPT;
}

/* What the writer guarantees and readers build on. */
static bool is_sound(const struct fg_manifest *manifest)
{
    for (uint32_t i = 0; i < manifest->epoch_count; i++) {
        const struct fg_wal_epoch *epoch = &manifest->epochs[i];
        if (i == 0 && epoch->first_sequence > manifest->checkpoint)
            return false;
        if (i > 0 &&
            (epoch->epoch <= epoch[-1].epoch || epoch->first_sequence < epoch[-1].first_sequence))
            return false;
    }
    for (size_t i = 0; i < manifest->segment_count; i++)
        if (manifest->segments[i].id >= manifest->next_id)
            return false;
    for (size_t i = 0; i < manifest->rollup_count; i++)
        if (manifest->rollups[i].id >= manifest->next_id)
            return false;
    return manifest->checkpoint > 0;
}

int fg_manifest_parse(struct fg_slice bytes, struct fg_manifest *ret_manifest)
{
    int r = check_shape(bytes);
    if (r < 0)
        return r;
    struct fg_manifest manifest = {
        .store_id = {fg_load_le64(bytes.data + 24), fg_load_le64(bytes.data + 32)},
        .generation = fg_load_le64(bytes.data + 40),
        .checkpoint = fg_load_le64(bytes.data + 48),
        .next_id = fg_load_le64(bytes.data + 56),
        .epoch_count = fg_load_le32(bytes.data + 12),
        .segment_count = fg_load_le32(bytes.data + 64),
        .rollup_count = fg_load_le32(bytes.data + 68),
    };
    manifest.segments = calloc(manifest.segment_count + 1, sizeof *manifest.segments);
    manifest.rollups = calloc(manifest.rollup_count + 1, sizeof *manifest.rollups);
    if (!manifest.segments || !manifest.rollups) {
        fg_manifest_free(&manifest);
        return FG_ENOMEM;
    }
    const uint8_t *p = bytes.data + HEADER_SIZE;
    for (uint32_t i = 0; i < manifest.epoch_count; i++, p += EPOCH_SIZE)
        manifest.epochs[i] = (struct fg_wal_epoch){fg_load_le64(p), fg_load_le64(p + 8)};
    for (size_t i = 0; i < manifest.segment_count; i++, p += SEGMENT_SIZE)
        manifest.segments[i] = parse_segment(p);
    for (size_t i = 0; i < manifest.rollup_count; i++, p += ROLLUP_SIZE)
        manifest.rollups[i] = parse_rollup(p);
    if (!is_sound(&manifest)) {
        fg_manifest_free(&manifest);
        return FG_ECORRUPT;
    }
    *ret_manifest = manifest;
    return 0;
}
