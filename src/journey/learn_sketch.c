#include "learn.h"

#include "base/endian.h"

/* A sketch forgets: past so many times all its counts are halved, so that it follows what is true
 * of late and no count overflows. */
#define SKETCH_COUNT_MAX 4096u

static void halve(struct fg_sketch *sketch)
{
    sketch->count = 0;
    for (uint32_t i = 0; i < FG_HISTOGRAM_BUCKETS; i++) {
        sketch->buckets[i] /= 2;
        sketch->count += sketch->buckets[i];
    }
}

void fg_sketch_add(struct fg_sketch *sketch, uint64_t took_ns)
{
    if (sketch->count == SKETCH_COUNT_MAX)
        halve(sketch);
    sketch->buckets[fg_histogram_bucket(took_ns)]++;
    sketch->count++;
}

uint64_t fg_sketch_quantile(const struct fg_sketch *sketch, double quantile)
{
    double wanted = quantile * sketch->count;
    uint64_t seen = 0, begin_ns, end_ns;
    for (uint32_t i = 0; i < FG_HISTOGRAM_BUCKETS; i++) {
        seen += sketch->buckets[i];
        if (sketch->buckets[i] == 0 || (double)seen < wanted)
            continue;
        fg_histogram_bounds(i, &begin_ns, &end_ns);
        return end_ns; /* rather too long than too short */
    }
    return 0;
}

uint32_t fg_sketch_longer(const struct fg_sketch *sketch, uint64_t ns)
{
    uint32_t count = 0;
    for (uint32_t i = fg_histogram_bucket(ns) + 1; i < FG_HISTOGRAM_BUCKETS; i++)
        count += sketch->buckets[i];
    return count;
}

void fg_sketch_encode(const struct fg_sketch *sketch, struct fg_buffer *out)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < FG_HISTOGRAM_BUCKETS; i++)
        used += sketch->buckets[i] > 0;
    fg_buffer_append_le16(out, (uint16_t)used);
    for (uint32_t i = 0; i < FG_HISTOGRAM_BUCKETS; i++)
        if (sketch->buckets[i] > 0) {
            fg_buffer_append_le16(out, (uint16_t)i);
            fg_buffer_append_le16(out, sketch->buckets[i]);
        }
}

size_t fg_sketch_decode(struct fg_slice bytes, struct fg_sketch *sketch)
{
    size_t used = bytes.size >= 2 ? fg_load_le16(bytes.data) : SIZE_MAX;
    if (used > FG_HISTOGRAM_BUCKETS || bytes.size < 2 + 4 * used)
        return 0;
    *sketch = (struct fg_sketch){0};
    for (size_t i = 0; i < used; i++) {
        uint16_t bucket = fg_load_le16(bytes.data + 2 + 4 * i);
        uint16_t count = fg_load_le16(bytes.data + 4 + 4 * i);
        if (bucket >= FG_HISTOGRAM_BUCKETS || count > SKETCH_COUNT_MAX - sketch->count ||
            sketch->buckets[bucket] > 0)
            return 0;
        sketch->buckets[bucket] = count;
        sketch->count += count;
    }
    return 2 + 4 * used;
}
