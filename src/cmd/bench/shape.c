#include "shape.h"

#include "base/endian.h"
#include "base/hex.h"
#include "base/limits.h"
#include "company.h"
#include "wire/otlp_value.h"

#include <inttypes.h>
#include <stdlib.h>

#define TEMPLATE_COUNT 8u
/* Durations of traces: 20 to 500 ms. */
#define TRACE_NS_MIN (20 * FG_NS_PER_MS)
#define TRACE_NS_MAX (500 * FG_NS_PER_MS)
#define JITTER_NS    UINT64_C(10000)

enum patch_kind {
    PATCH_TRACE_ID,
    PATCH_SPAN_ID,
    PATCH_PARENT_ID,
    PATCH_TIMES, /* start, a tag, end: 17 bytes */
    PATCH_ORDER,
    PATCH_HEX,
    PATCH_NUMBER,
};

struct patch {
    uint32_t offset;
    uint16_t size; /* HEX: digits */
    uint8_t kind;
    uint8_t span;
    uint32_t trace;
};

struct template
{
    struct fg_buffer bytes;
    struct patch *patches;
    size_t patch_count, patch_capacity;
};

struct fg_bench_shape {
    enum fg_bench_kind kind;
    uint64_t seed;
    uint64_t open; /* orders of the company */
    uint32_t trace_count;
    struct fg_bench_slot company[FG_BENCH_COMPANY_SPANS];
    struct template templates[TEMPLATE_COUNT];
};

/* -- Finding what is to be patched ---------------------------------------------------------------
 */

struct walk {
    struct template *template;
    uint32_t trace;
    uint8_t span;
    int error;
};

static void add(struct walk *walk, enum patch_kind kind, const uint8_t *at, size_t size)
{
    struct template *template = walk->template;
    if (template->patch_count == template->patch_capacity) {
        size_t capacity = template->patch_capacity ? template->patch_capacity * 2 : 1024;
        struct patch *grown = realloc(template->patches, capacity * sizeof *grown);
        if (!grown) {
            walk->error = FG_ENOMEM;
            return;
        }
        template->patches = grown;
        template->patch_capacity = capacity;
    }
    template->patches[template->patch_count++] =
        (struct patch){.offset = (uint32_t)(at - template->bytes.data),
                       .size = (uint16_t)size,
                       .kind = (uint8_t)kind,
                       .span = walk->span,
                       .trace = walk->trace};
}

/* Runs of marks in an attribute's value. */
static void find_marks(struct walk *walk, struct fg_slice text)
{
    for (size_t i = 0; i < text.size;) {
        uint8_t c = text.data[i];
        size_t end = i + 1;
        while (end < text.size && text.data[end] == c)
            end++;
        if (c == FG_BENCH_ORDER_MARK && end - i == FG_BENCH_ORDER_DIGITS)
            add(walk, PATCH_ORDER, text.data + i, end - i);
        if (c == FG_BENCH_HEX_MARK && (end - i) % 2 == 0)
            add(walk, PATCH_HEX, text.data + i, end - i);
        i = end;
    }
}

/* The value message of a KeyValue: a string, or an integer that is the mark. */
static int walk_value(struct walk *walk, struct fg_slice message)
{
    struct fg_pb_reader reader = fg_pb_reader(message);
    uint32_t tag;
    int r = fg_pb_read_tag(&reader, &tag);
    if (r < 0)
        return r;
    if (tag == FG_PB_TAG(FG_OTLP_STRING, FG_PB_BYTES)) {
        struct fg_slice text;
        r = fg_pb_read_bytes(&reader, &text);
        if (r == 0)
            find_marks(walk, text);
    } else if (tag == FG_PB_TAG(FG_OTLP_INT, FG_PB_VARINT)) {
        const uint8_t *at = reader.at;
        uint64_t value;
        r = fg_pb_read_varint(&reader, &value);
        if (r == 0 && value == (uint64_t)FG_BENCH_NUMBER)
            add(walk, PATCH_NUMBER, at, 3);
    }
    return r;
}

/* Calls back for each length-delimited field with this number; others are stepped over. */
static int each(struct walk *walk, struct fg_slice message, uint32_t number,
                int (*inner)(struct walk *walk, struct fg_slice field))
{
    struct fg_pb_reader reader = fg_pb_reader(message);
    while (!fg_pb_reader_done(&reader)) {
        uint32_t tag;
        struct fg_slice field;
        int r = fg_pb_read_tag(&reader, &tag);
        if (r == 0 && tag != FG_PB_TAG(number, FG_PB_BYTES))
            r = fg_pb_skip(&reader, tag);
        else if (r == 0 && (r = fg_pb_read_bytes(&reader, &field)) == 0)
            r = inner(walk, field);
        if (r < 0)
            return r;
    }
    return walk->error;
}

static int walk_attribute(struct walk *walk, struct fg_slice attribute)
{
    return each(walk, attribute, 2, walk_value);
}

static int walk_trace_id(struct walk *walk, struct fg_slice id)
{
    walk->trace = fg_load_le32(id.data);
    add(walk, PATCH_TRACE_ID, id.data, id.size);
    return 0;
}

static int walk_span_id(struct walk *walk, struct fg_slice id)
{
    walk->span = (uint8_t)(id.data[7] - 1);
    add(walk, PATCH_SPAN_ID, id.data, id.size);
    return 0;
}

static int walk_parent_id(struct walk *walk, struct fg_slice id)
{
    uint8_t own = walk->span;
    walk->span = (uint8_t)(id.data[7] - 1);
    add(walk, PATCH_PARENT_ID, id.data, id.size);
    walk->span = own;
    return 0;
}

static int walk_times(struct walk *walk, struct fg_slice span)
{
    struct fg_pb_reader reader = fg_pb_reader(span);
    while (!fg_pb_reader_done(&reader)) {
        uint32_t tag;
        int r = fg_pb_read_tag(&reader, &tag);
        if (r == 0 && tag == FG_PB_TAG(7, FG_PB_FIXED64))
            add(walk, PATCH_TIMES, reader.at, 17);
        if (r == 0)
            r = fg_pb_skip(&reader, tag);
        if (r < 0)
            return r;
    }
    return walk->error;
}

static int walk_span(struct walk *walk, struct fg_slice span)
{
    int r = each(walk, span, 1, walk_trace_id);
    if (r == 0)
        r = each(walk, span, 2, walk_span_id);
    if (r == 0)
        r = each(walk, span, 4, walk_parent_id);
    if (r == 0)
        r = walk_times(walk, span);
    return r < 0 ? r : each(walk, span, 9, walk_attribute);
}

static int walk_scope_spans(struct walk *walk, struct fg_slice scope_spans)
{
    return each(walk, scope_spans, 2, walk_span);
}

static int walk_resource_spans(struct walk *walk, struct fg_slice resource_spans)
{
    return each(walk, resource_spans, 2, walk_scope_spans);
}

static int template_make(struct template *template, enum fg_bench_kind kind, uint32_t trace_count,
                         uint64_t chance)
{
    fg_buffer_init(&template->bytes, FG_REQUEST_BODY_SIZE_MAX);
    fg_bench_template_write(kind, trace_count, chance, &template->bytes);
    if (template->bytes.error)
        return template->bytes.error;
    struct walk walk = {.template = template};
    return each(&walk, fg_buffer_slice(&template->bytes), 1, walk_resource_spans);
}

static bool is_company(enum fg_bench_kind kind)
{
    return kind == FG_BENCH_COMPANY || kind == FG_BENCH_PLACED;
}

/* What comes again and again: traces, and their spans. */
static uint32_t traces_of(enum fg_bench_kind kind)
{
    return kind == FG_BENCH_COMPANY ? FG_BENCH_COMPANY_TRACES : 1;
}

static uint32_t spans_of(enum fg_bench_kind kind)
{
    return kind == FG_BENCH_COMPANY  ? FG_BENCH_COMPANY_SPANS
           : kind == FG_BENCH_PLACED ? fg_bench_company_count(0)
                                     : FG_BENCH_TRACE_SPANS;
}

int fg_bench_shape_new(enum fg_bench_kind kind, uint64_t seed, uint32_t spans_per_request,
                       struct fg_bench_shape **ret_shape)
{
    struct fg_bench_shape *shape = calloc(1, sizeof *shape);
    if (!shape)
        return FG_ENOMEM;
    shape->kind = kind;
    shape->seed = fg_bench_mix(seed);
    shape->open = 1;
    shape->trace_count =
        (spans_per_request + spans_of(kind) - 1) / spans_of(kind) * traces_of(kind);
    fg_bench_company_slots(shape->company);
    int r = 0;
    for (unsigned i = 0; i < TEMPLATE_COUNT && r == 0; i++)
        r = template_make(&shape->templates[i], kind, shape->trace_count,
                          fg_bench_mix(shape->seed + i));
    if (r < 0) {
        fg_bench_shape_free(shape);
        return r;
    }
    *ret_shape = shape;
    return 0;
}

void fg_bench_shape_free(struct fg_bench_shape *shape)
{
    for (unsigned i = 0; shape && i < TEMPLATE_COUNT; i++) {
        fg_buffer_free(&shape->templates[i].bytes);
        free(shape->templates[i].patches);
    }
    free(shape);
}

void fg_bench_shape_open(struct fg_bench_shape *shape, uint64_t order_count)
{
    shape->open = order_count;
}

uint32_t fg_bench_traces_per_request(const struct fg_bench_shape *shape)
{
    return shape->trace_count;
}

uint32_t fg_bench_orders_per_request(const struct fg_bench_shape *shape)
{
    return shape->trace_count / traces_of(shape->kind);
}

uint32_t fg_bench_spans_per_request(const struct fg_bench_shape *shape)
{
    return fg_bench_orders_per_request(shape) * spans_of(shape->kind);
}

size_t fg_bench_request_size_max(const struct fg_bench_shape *shape)
{
    size_t size_max = 0;
    for (unsigned i = 0; i < TEMPLATE_COUNT; i++)
        if (shape->templates[i].bytes.size > size_max)
            size_max = shape->templates[i].bytes.size;
    return size_max;
}

double fg_bench_span_size(const struct fg_bench_shape *shape)
{
    double total = 0;
    for (unsigned i = 0; i < TEMPLATE_COUNT; i++)
        total += (double)shape->templates[i].bytes.size;
    return total / TEMPLATE_COUNT / fg_bench_spans_per_request(shape);
}

size_t fg_bench_request_size(const struct fg_bench_shape *shape, uint64_t request)
{
    return shape->templates[request % TEMPLATE_COUNT].bytes.size;
}

/* -- Patching ------------------------------------------------------------------------------------
 */

/* What all spans of a trace share. */
struct trace_values {
    uint64_t id_high, id_low;
    uint64_t chance;
    uint64_t begin_ns, duration_ns;
    uint8_t order[FG_BENCH_ORDER_DIGITS];
};

static void trace_id(uint64_t seed, uint64_t trace, uint64_t *ret_high, uint64_t *ret_low)
{
    *ret_high = fg_bench_mix(seed ^ (trace * 2 + 1));
    *ret_low = fg_bench_mix(*ret_high ^ trace) | 1; /* never all zero */
}

static uint64_t order_of(const struct fg_bench_shape *shape, uint64_t trace)
{
    uint32_t in_set = (uint32_t)(trace % FG_BENCH_COMPANY_TRACES);
    return shape->kind == FG_BENCH_COMPANY
               ? fg_bench_company_order(trace / FG_BENCH_COMPANY_TRACES, in_set, shape->open)
               : trace;
}

static struct trace_values trace_values(const struct fg_bench_shape *shape, uint64_t trace,
                                        uint64_t now_ns)
{
    struct trace_values values;
    trace_id(shape->seed, trace, &values.id_high, &values.id_low);
    values.chance = fg_bench_mix(values.id_low);
    /* Most are short: the square of an even chance. */
    uint64_t share = values.chance & 0xffff;
    values.duration_ns =
        TRACE_NS_MIN + (share * share >> 16) * ((TRACE_NS_MAX - TRACE_NS_MIN) >> 16);
    values.begin_ns = now_ns - values.duration_ns - (values.chance >> 16) % (100 * FG_NS_PER_MS);
    uint64_t number = order_of(shape, trace);
    for (size_t i = FG_BENCH_ORDER_DIGITS; i-- > 0; number /= 10)
        values.order[i] = (uint8_t)('0' + number % 10);
    return values;
}

static uint64_t span_id(const struct trace_values *values, uint8_t span)
{
    return fg_bench_mix(values->id_high + span) | 1;
}

static const struct fg_bench_slot *slot_of(const struct fg_bench_shape *shape,
                                           const struct patch *patch)
{
    uint32_t first = fg_bench_company_first(patch->trace % traces_of(shape->kind));
    return is_company(shape->kind) ? &shape->company[first + patch->span]
                                   : &fg_bench_slots[patch->span];
}

static void put_times(const struct trace_values *values, const struct fg_bench_slot *slot,
                      uint8_t span, uint8_t *at)
{
    uint64_t chance = fg_bench_mix(values->chance + span);
    uint64_t unit_ns = values->duration_ns / 1000;
    uint64_t start_ns = values->begin_ns + slot->begin * unit_ns + chance % JITTER_NS;
    uint64_t end_ns = values->begin_ns + slot->end * unit_ns - (chance >> 32) % JITTER_NS;
    fg_store_le64(at, start_ns);
    fg_store_le64(at + 9, end_ns); /* behind the tag of the end */
}

static void put_hex(uint64_t chance, uint8_t *at, size_t digits)
{
    for (size_t done = 0; done < digits;) {
        uint8_t bytes[8];
        size_t part = digits - done < 16 ? digits - done : 16;
        chance = fg_bench_mix(chance);
        fg_store_le64(bytes, chance);
        fg_hex_encode(fg_slice(bytes, part / 2), (char *)at + done);
        done += part;
    }
}

static void put_number(uint64_t chance, uint8_t *at)
{
    uint32_t number =
        FG_BENCH_NUMBER_MIN + (uint32_t)(chance % (FG_BENCH_NUMBER_MAX - FG_BENCH_NUMBER_MIN + 1));
    at[0] = (uint8_t)(number | 0x80);
    at[1] = (uint8_t)(number >> 7 | 0x80);
    at[2] = (uint8_t)(number >> 14);
}

static void put_patch(const struct fg_bench_shape *shape, const struct patch *patch,
                      const struct trace_values *values, uint8_t *out)
{
    uint8_t *at = out + patch->offset;
    switch ((enum patch_kind)patch->kind) {
    case PATCH_TRACE_ID:
        fg_store_be64(at, values->id_high);
        fg_store_be64(at + 8, values->id_low);
        break;
    case PATCH_SPAN_ID:
    case PATCH_PARENT_ID:
        fg_store_be64(at, span_id(values, patch->span));
        break;
    case PATCH_TIMES:
        put_times(values, slot_of(shape, patch), patch->span, at);
        break;
    case PATCH_ORDER:
        memcpy(at, values->order, sizeof values->order);
        break;
    case PATCH_HEX:
        put_hex(values->chance ^ patch->size, at, patch->size);
        break;
    case PATCH_NUMBER:
        put_number(fg_bench_mix(values->chance ^ patch->offset), at);
        break;
    }
}

void fg_bench_request_write(const struct fg_bench_shape *shape, uint64_t request, uint64_t now_ns,
                            uint8_t *out)
{
    const struct template *template = &shape->templates[request % TEMPLATE_COUNT];
    memcpy(out, template->bytes.data, template->bytes.size);
    uint64_t first = request * shape->trace_count;
    struct trace_values values = {0};
    uint32_t trace = UINT32_MAX;
    for (size_t i = 0; i < template->patch_count; i++) {
        const struct patch *patch = &template->patches[i];
        if (patch->trace != trace) {
            trace = patch->trace;
            values = trace_values(shape, first + trace, now_ns);
        }
        put_patch(shape, patch, &values, out);
    }
}

void fg_bench_trace_id(uint64_t seed, uint64_t trace, char ret_text[FG_BENCH_TRACE_ID_TEXT_SIZE])
{
    uint64_t high, low;
    trace_id(fg_bench_mix(seed), trace, &high, &low);
    snprintf(ret_text, FG_BENCH_TRACE_ID_TEXT_SIZE, "%016" PRIx64 "%016" PRIx64, high, low);
}
