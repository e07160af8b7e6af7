/* A rollup as bytes. Numbers are base-128 varints unless said otherwise.
 *
 *   1 byte   version, 1
 *   1 byte   0: the body follows as it is; 1: as one zstd frame
 *   size of the body, uncompressed
 *   body:
 *     spans that found no place
 *     number of strings; of each its size and its bytes
 *     number of operations; of each
 *         1 byte type (0 operation, 1 edge), string, string, 1 byte kind, 1 byte status
 *         an operation's strings are service and name, an edge's caller and callee
 *     minutes until the body's end, rising; of each
 *         minutes since the one before (since 1970 for the first), at least 1 but for the first
 *         number of cells, rising by operation; of each
 *             operations since the one before (the first: its index), at least 1 but for the first
 *             number of buckets, at least 1, rising; of each
 *                 buckets since the one before, alike, and the count, from 1 to 2^32 - 1
 *
 * Bucket 1023 holds spans without an end; others are those of rollup_histogram.c. Only the body's
 * form is checked here: the file that it lies in carries a checksum. */
#include "rollup_state.h"

#include "local/input.h"

#include <stdlib.h>
#include <zstd.h>

#define VERSION           1u
#define COMPRESS_SIZE_MIN 1024u

/* -- Encoding */

static void put_names(const struct fg_rollup *rollup, const struct rollup_sorted *sorted,
                      struct fg_buffer *body)
{
    fg_buffer_append_varint(body, rollup->uncounted);
    fg_buffer_append_varint(body, rollup->string_count);
    for (uint32_t i = 0; i < rollup->string_count; i++) {
        fg_buffer_append_varint(body, rollup->strings[i].bytes.size);
        fg_buffer_append_slice(body, rollup->strings[i].bytes);
    }
    fg_buffer_append_varint(body, rollup->op_count);
    for (uint32_t i = 0; i < rollup->op_count; i++) {
        const struct rollup_op *op = &rollup->ops[sorted->ops[i]];
        fg_buffer_append_byte(body, op->type);
        fg_buffer_append_varint(body, op->first);
        fg_buffer_append_varint(body, op->second);
        fg_buffer_append_byte(body, op->kind);
        fg_buffer_append_byte(body, op->status);
    }
}

/* The index after the numbers that share number at's key above the lowest shift bits. */
static size_t run_end(const struct rollup_sorted *sorted, size_t at, unsigned shift)
{
    uint64_t key = sorted->numbers[at].key >> shift;
    while (at < sorted->number_count && sorted->numbers[at].key >> shift == key)
        at++;
    return at;
}

static void put_cell(const struct rollup_sorted *sorted, size_t begin, size_t end,
                     struct fg_buffer *body)
{
    uint32_t before = 0;
    fg_buffer_append_varint(body, end - begin);
    for (size_t i = begin; i < end; i++) {
        uint32_t bucket = rollup_key_bucket(sorted->numbers[i].key);
        fg_buffer_append_varint(body, bucket - before);
        fg_buffer_append_varint(body, sorted->numbers[i].count);
        before = bucket;
    }
}

static void put_minute(const struct rollup_sorted *sorted, size_t begin, size_t end,
                       struct fg_buffer *body)
{
    uint64_t cells = 0;
    for (size_t at = begin; at < end; at = run_end(sorted, at, ROLLUP_BUCKET_BITS))
        cells++;
    fg_buffer_append_varint(body, cells);
    uint32_t before = 0;
    for (size_t at = begin, next; at < end; at = next) {
        uint32_t op = rollup_key_op(sorted->numbers[at].key);
        next = run_end(sorted, at, ROLLUP_BUCKET_BITS);
        fg_buffer_append_varint(body, op - before);
        put_cell(sorted, at, next, body);
        before = op;
    }
}

/* Frames the body, compressed where that makes it smaller. */
static void put_body(struct fg_slice body, struct fg_buffer *buffer)
{
    size_t start = buffer->size;
    fg_buffer_append_byte(buffer, VERSION);
    fg_buffer_append_byte(buffer, 1);
    fg_buffer_append_varint(buffer, body.size);
    size_t header = buffer->size - start;
    if (body.size >= COMPRESS_SIZE_MIN) {
        size_t bound = ZSTD_compressBound(body.size);
        uint8_t *to = fg_buffer_reserve(buffer, bound);
        if (!to)
            return;
        size_t size = ZSTD_compress(to, bound, body.data, body.size, 1);
        if (!ZSTD_isError(size) && size < body.size) {
            buffer->size += size;
            return;
        }
    }
    if (buffer->error || header == 0)
        return;
    buffer->data[start + 1] = 0;
    fg_buffer_append_slice(buffer, body);
}

int fg_rollup_encode(const struct fg_rollup *rollup, struct fg_buffer *buffer)
{
    struct rollup_sorted sorted;
    int r = rollup_sort(rollup, &sorted);
    if (r < 0)
        return r;
    struct fg_buffer body;
    fg_buffer_init(&body, FG_ROLLUP_SIZE_MAX);
    put_names(rollup, &sorted, &body);
    uint64_t before = 0;
    for (size_t at = 0, next; at < sorted.number_count; at = next) {
        uint64_t minute = rollup_key_minute(sorted.numbers[at].key);
        next = run_end(&sorted, at, ROLLUP_OP_BITS + ROLLUP_BUCKET_BITS);
        fg_buffer_append_varint(&body, minute - before);
        put_minute(&sorted, at, next, &body);
        before = minute;
    }
    rollup_sorted_free(&sorted);
    if (body.error == 0)
        put_body(fg_buffer_slice(&body), buffer);
    r = body.error ? body.error : buffer->error;
    fg_buffer_free(&body);
    return r;
}

/* -- Decoding: once to check, once to add */

struct decode {
    struct fg_rollup *rollup; /* NULL: only check */
    struct fg_slice *strings;
    uint32_t string_count;
    struct rollup_op *ops;
    uint32_t *op_map; /* to the rollup's own */
    uint32_t op_count;
    uint64_t minute_min, minute_max; /* inclusive, exclusive */
};

/* A count of things that take at least size_min bytes each: no more than the rest holds. */
static uint32_t take_count(struct fg_input *in, uint64_t count_max, size_t size_min)
{
    uint64_t rest = fg_input_rest(in) / size_min;
    return (uint32_t)fg_input_varint_max(in, count_max < rest ? count_max : rest);
}

static int take_names(struct fg_input *in, struct decode *decode)
{
    decode->string_count = take_count(in, UINT32_MAX, 1);
    decode->strings = calloc((size_t)decode->string_count + 1, sizeof *decode->strings);
    if (!decode->strings)
        return FG_ENOMEM;
    for (uint32_t i = 0; i < decode->string_count && !in->error; i++) {
        uint64_t size = fg_input_varint(in);
        decode->strings[i] = fg_input_slice(in, size);
    }
    decode->op_count = take_count(in, FG_ROLLUP_OPS_MAX * 2, 5);
    decode->ops = calloc((size_t)decode->op_count + 1, sizeof *decode->ops);
    decode->op_map = calloc((size_t)decode->op_count + 1, sizeof *decode->op_map);
    if (!decode->ops || !decode->op_map)
        return FG_ENOMEM;
    uint64_t string_max = decode->string_count ? decode->string_count - 1 : 0;
    for (uint32_t i = 0; i < decode->op_count; i++) {
        struct rollup_op *op = &decode->ops[i];
        op->type = fg_input_u8(in);
        op->first = (uint32_t)fg_input_varint_max(in, string_max);
        op->second = (uint32_t)fg_input_varint_max(in, string_max);
        op->kind = fg_input_u8(in);
        op->status = fg_input_u8(in);
        if (op->type > ROLLUP_EDGE || op->kind > FG_SPAN_KIND_CONSUMER ||
            op->status > FG_STATUS_ERROR || decode->string_count == 0)
            return fg_input_fail(in);
    }
    return in->error;
}

/* The next of rising numbers: value rises by a varint, which is 0 only at the first. */
static bool take_rise(struct fg_input *in, bool is_first, uint64_t value_max, uint64_t *value)
{
    uint64_t rise = fg_input_varint_max(in, value_max - *value);
    if (rise == 0 && !is_first)
        fg_input_fail(in);
    *value += rise;
    return in->error == 0;
}

static bool is_bucket(uint64_t bucket)
{
    return bucket < FG_HISTOGRAM_BUCKETS || bucket == ROLLUP_BUCKET_OPEN;
}

static int take_cell(struct fg_input *in, const struct decode *decode, uint64_t minute, uint64_t op)
{
    uint64_t bucket = 0;
    uint32_t count = take_count(in, FG_HISTOGRAM_BUCKETS + 1, 2);
    if (count == 0)
        return fg_input_fail(in);
    bool is_wanted = decode->rollup && minute >= decode->minute_min && minute < decode->minute_max;
    for (uint32_t i = 0; i < count; i++) {
        if (!take_rise(in, i == 0, ROLLUP_BUCKET_OPEN, &bucket))
            return in->error;
        uint64_t number = fg_input_varint_max(in, UINT32_MAX);
        if (number == 0 || !is_bucket(bucket))
            return fg_input_fail(in);
        int r = is_wanted ? rollup_count(decode->rollup, minute, decode->op_map[op],
                                         (uint32_t)bucket, number)
                          : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int take_minutes(struct fg_input *in, const struct decode *decode)
{
    uint64_t minute = 0;
    for (bool is_first = true; fg_input_rest(in) > 0; is_first = false) {
        if (!take_rise(in, is_first, ROLLUP_MINUTE_MAX, &minute))
            return in->error;
        uint32_t cells = take_count(in, decode->op_count, 4);
        uint64_t op = 0;
        if (cells == 0)
            return fg_input_fail(in);
        for (uint32_t i = 0; i < cells; i++) {
            if (!take_rise(in, i == 0, decode->op_count - 1, &op))
                return in->error;
            int r = take_cell(in, decode, minute, op);
            if (r < 0)
                return r;
        }
    }
    return in->error;
}

static int map_ops(struct decode *decode)
{
    for (uint32_t i = 0; i < decode->op_count; i++) {
        const struct rollup_op *op = &decode->ops[i];
        int r =
            rollup_op_intern(decode->rollup, op->type, decode->strings[op->first],
                             decode->strings[op->second], op->kind, op->status, &decode->op_map[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int decode_body(struct fg_rollup *rollup, struct fg_slice body, struct decode *decode)
{
    struct fg_input in = fg_input(body);
    uint64_t uncounted = fg_input_varint(&in);
    int r = take_names(&in, decode);
    if (r < 0)
        return r;
    struct fg_input again = in;
    r = take_minutes(&in, decode);
    if (r < 0)
        return r;
    decode->rollup = rollup;
    r = map_ops(decode);
    if (r == 0)
        r = take_minutes(&again, decode);
    if (r < 0)
        return r;
    uint64_t sum = rollup->uncounted + uncounted;
    rollup->uncounted = sum < uncounted ? UINT64_MAX : sum;
    return 0;
}

int fg_rollup_decode(struct fg_rollup *rollup, struct fg_slice bytes, uint64_t start_ns_min,
                     uint64_t start_ns_max)
{
    struct fg_input in = fg_input(bytes);
    uint8_t version = fg_input_u8(&in), is_compressed = fg_input_u8(&in);
    size_t size = (size_t)fg_input_varint_max(&in, FG_ROLLUP_SIZE_MAX);
    if (in.error || version == 0)
        return FG_ECORRUPT;
    if (version > VERSION || is_compressed > 1)
        return FG_EUNSUPPORTED;
    struct fg_slice body = fg_slice(in.at, fg_input_rest(&in));
    uint8_t *inflated = NULL;
    struct decode decode = {.minute_min = start_ns_min / FG_NS_PER_MINUTE,
                            .minute_max = start_ns_max / FG_NS_PER_MINUTE +
                                          (start_ns_max % FG_NS_PER_MINUTE != 0)};
    int r = 0;
    if (is_compressed) {
        inflated = malloc(size + 1);
        size_t got = inflated ? ZSTD_decompress(inflated, size, body.data, body.size) : 0;
        r = !inflated ? FG_ENOMEM : ZSTD_isError(got) || got != size ? FG_ECORRUPT : 0;
        body = fg_slice(inflated, size);
    } else if (body.size != size) {
        r = FG_ECORRUPT;
    }
    if (r == 0)
        r = decode_body(rollup, body, &decode);
    free(decode.strings);
    free(decode.ops);
    free(decode.op_map);
    free(inflated);
    return r;
}
