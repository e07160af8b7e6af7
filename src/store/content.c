#include "content.h"

#include "base/hash.h"

/* Marks that two takings of one request may differ in. */
#define MARKS_OF_TAKING (FG_MARK_CONFLICT | FG_MARK_FILED_BY_RECEIPT)

/* -- Hashes */

static uint64_t mix(uint64_t hash, uint64_t word)
{
    return fg_hash_u64(hash ^ word) + UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t mix_string(uint64_t hash, const struct fg_batch *batch, uint32_t id)
{
    return id ? mix(hash, fg_hash(batch->strings[id])) : mix(hash, 0);
}

static uint64_t attr_hash(const struct fg_batch *batch, const struct fg_attrs *attrs, uint32_t at)
{
    uint64_t hash = mix_string(attrs->type[at], batch, attrs->key[at]);
    if (fg_value_type_is_bytes(attrs->type[at]))
        return mix_string(hash, batch, (uint32_t)attrs->value[at]);
    return mix(hash, attrs->value[at]);
}

/* As a set: a segment gives attributes back in another order than that in which they came. */
static uint64_t mix_attrs(uint64_t hash, const struct fg_batch *batch, const struct fg_attrs *attrs,
                          uint32_t owner)
{
    uint32_t begin, end;
    uint64_t sum = 0;
    fg_attrs_range(attrs, owner, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        sum += attr_hash(batch, attrs, i);
    return mix(mix(hash, end - begin), sum);
}

uint64_t fg_resource_hash(const struct fg_batch *batch, uint32_t resource)
{
    uint64_t hash = mix_string(0, batch, batch->resource_schema_url[resource]);
    hash = mix(hash, batch->resource_dropped_attrs[resource]);
    return mix_attrs(hash, batch, &batch->resource_attrs, resource);
}

static uint64_t mix_scope(uint64_t hash, const struct fg_batch *batch, uint32_t scope)
{
    hash = mix_string(hash, batch, batch->scope_name[scope]);
    hash = mix_string(hash, batch, batch->scope_version[scope]);
    hash = mix_string(hash, batch, batch->scope_schema_url[scope]);
    hash = mix(hash, batch->scope_dropped_attrs[scope]);
    return mix_attrs(hash, batch, &batch->scope_attrs, scope);
}

static uint64_t mix_events(uint64_t hash, const struct fg_batch *batch, uint32_t row)
{
    uint32_t begin = batch->event_begin ? batch->event_begin[row] : 0;
    uint32_t end = batch->event_begin ? batch->event_begin[row + 1] : 0;
    hash = mix(hash, end - begin);
    for (uint32_t i = begin; i < end; i++) {
        hash = mix(hash, batch->event_time_ns[i]);
        hash = mix_string(hash, batch, batch->event_name[i]);
        hash = mix(hash, fg_column_u32(batch->event_dropped_attrs, i));
        hash = mix_attrs(hash, batch, &batch->event_attrs, i);
    }
    return hash;
}

static uint64_t mix_links(uint64_t hash, const struct fg_batch *batch, uint32_t row)
{
    uint32_t begin = batch->link_begin ? batch->link_begin[row] : 0;
    uint32_t end = batch->link_begin ? batch->link_begin[row + 1] : 0;
    hash = mix(hash, end - begin);
    for (uint32_t i = begin; i < end; i++) {
        hash = mix(hash, batch->link_trace_id_high[i]);
        hash = mix(hash, batch->link_trace_id_low[i]);
        hash = mix(hash, batch->link_span_id[i]);
        hash = mix_string(hash, batch, fg_column_u32(batch->link_trace_state, i));
        hash = mix(hash, fg_column_u32(batch->link_flags, i));
        hash = mix(hash, fg_column_u32(batch->link_dropped_attrs, i));
        hash = mix_attrs(hash, batch, &batch->link_attrs, i);
    }
    return hash;
}

/* The scalars that are numbers, in one order for hash and comparison. */
#define NUMBER_COUNT 13

static void numbers_of(const struct fg_batch *batch, uint32_t row,
                       uint64_t ret_numbers[NUMBER_COUNT])
{
    const uint64_t numbers[NUMBER_COUNT] = {
        batch->trace_id_high[row],
        batch->trace_id_low[row],
        batch->span_id[row],
        batch->parent_span_id[row],
        batch->start_ns[row],
        batch->end_ns[row],
        batch->kind[row],
        batch->status[row],
        fg_column_u32(batch->flags, row),
        fg_column_u16(batch->marks, row) & (uint16_t)~MARKS_OF_TAKING,
        fg_column_u32(batch->dropped_attrs, row),
        fg_column_u32(batch->dropped_events, row),
        fg_column_u32(batch->dropped_links, row),
    };
    memcpy(ret_numbers, numbers, sizeof numbers);
}

uint64_t fg_row_hash(const struct fg_batch *batch, uint32_t row)
{
    uint64_t numbers[NUMBER_COUNT];
    numbers_of(batch, row, numbers);
    uint64_t hash = XXH3_64bits(numbers, sizeof numbers);
    hash = mix_string(hash, batch, batch->name[row]);
    hash = mix_string(hash, batch, fg_column_u32(batch->trace_state, row));
    hash = mix_string(hash, batch, fg_column_u32(batch->status_message, row));
    hash = mix(hash, fg_resource_hash(batch, batch->resource[row]));
    hash = mix_scope(hash, batch, batch->scope[row]);
    hash = mix_attrs(hash, batch, &batch->span_attrs, row);
    hash = mix_events(hash, batch, row);
    return mix_links(hash, batch, row);
}

/* -- Equality: a hash alone must not drop a span */

struct pair {
    const struct fg_batch *a, *b;
};

static bool string_equal(struct pair pair, uint32_t a_id, uint32_t b_id)
{
    return fg_slice_equal(pair.a->strings[a_id], pair.b->strings[b_id]);
}

static bool attr_equal(struct pair pair, const struct fg_attrs *a, uint32_t i,
                       const struct fg_attrs *b, uint32_t j)
{
    if (a->type[i] != b->type[j] || !string_equal(pair, a->key[i], b->key[j]))
        return false;
    return fg_value_type_is_bytes(a->type[i])
               ? string_equal(pair, (uint32_t)a->value[i], (uint32_t)b->value[j])
               : a->value[i] == b->value[j];
}

/* As sets; keys are unique within an owner, and mostly in the same order. */
static bool attrs_equal(struct pair pair, const struct fg_attrs *a, uint32_t a_owner,
                        const struct fg_attrs *b, uint32_t b_owner)
{
    uint32_t a_begin, a_end, b_begin, b_end;
    fg_attrs_range(a, a_owner, &a_begin, &a_end);
    fg_attrs_range(b, b_owner, &b_begin, &b_end);
    if (a_end - a_begin != b_end - b_begin)
        return false;
    for (uint32_t i = a_begin; i < a_end; i++) {
        uint32_t j = b_begin + (i - a_begin);
        if (attr_equal(pair, a, i, b, j))
            continue;
        for (j = b_begin; j < b_end && !attr_equal(pair, a, i, b, j);)
            j++;
        if (j == b_end)
            return false;
    }
    return true;
}

static bool resource_equal(struct pair pair, uint32_t a, uint32_t b)
{
    return string_equal(pair, pair.a->resource_schema_url[a], pair.b->resource_schema_url[b]) &&
           pair.a->resource_dropped_attrs[a] == pair.b->resource_dropped_attrs[b] &&
           attrs_equal(pair, &pair.a->resource_attrs, a, &pair.b->resource_attrs, b);
}

static bool scope_equal(struct pair pair, uint32_t a, uint32_t b)
{
    return string_equal(pair, pair.a->scope_name[a], pair.b->scope_name[b]) &&
           string_equal(pair, pair.a->scope_version[a], pair.b->scope_version[b]) &&
           string_equal(pair, pair.a->scope_schema_url[a], pair.b->scope_schema_url[b]) &&
           pair.a->scope_dropped_attrs[a] == pair.b->scope_dropped_attrs[b] &&
           attrs_equal(pair, &pair.a->scope_attrs, a, &pair.b->scope_attrs, b);
}

static bool event_equal(struct pair pair, uint32_t a, uint32_t b)
{
    return pair.a->event_time_ns[a] == pair.b->event_time_ns[b] &&
           string_equal(pair, pair.a->event_name[a], pair.b->event_name[b]) &&
           fg_column_u32(pair.a->event_dropped_attrs, a) ==
               fg_column_u32(pair.b->event_dropped_attrs, b) &&
           attrs_equal(pair, &pair.a->event_attrs, a, &pair.b->event_attrs, b);
}

static bool link_equal(struct pair pair, uint32_t a, uint32_t b)
{
    return pair.a->link_trace_id_high[a] == pair.b->link_trace_id_high[b] &&
           pair.a->link_trace_id_low[a] == pair.b->link_trace_id_low[b] &&
           pair.a->link_span_id[a] == pair.b->link_span_id[b] &&
           string_equal(pair, fg_column_u32(pair.a->link_trace_state, a),
                        fg_column_u32(pair.b->link_trace_state, b)) &&
           fg_column_u32(pair.a->link_flags, a) == fg_column_u32(pair.b->link_flags, b) &&
           fg_column_u32(pair.a->link_dropped_attrs, a) ==
               fg_column_u32(pair.b->link_dropped_attrs, b) &&
           attrs_equal(pair, &pair.a->link_attrs, a, &pair.b->link_attrs, b);
}

/* Events, or links, of two rows: their ranges and what compares one with one. */
static bool lists_equal(struct pair pair, const uint32_t *a_begin, uint32_t a_row,
                        const uint32_t *b_begin, uint32_t b_row,
                        bool (*equal)(struct pair pair, uint32_t a, uint32_t b))
{
    uint32_t a = a_begin ? a_begin[a_row] : 0, a_end = a_begin ? a_begin[a_row + 1] : 0;
    uint32_t b = b_begin ? b_begin[b_row] : 0, b_end = b_begin ? b_begin[b_row + 1] : 0;
    if (a_end - a != b_end - b)
        return false;
    for (; a < a_end; a++, b++)
        if (!equal(pair, a, b))
            return false;
    return true;
}

bool fg_row_equal(const struct fg_batch *a, uint32_t a_row, const struct fg_batch *b,
                  uint32_t b_row)
{
    struct pair pair = {a, b};
    uint64_t a_numbers[NUMBER_COUNT], b_numbers[NUMBER_COUNT];
    numbers_of(a, a_row, a_numbers);
    numbers_of(b, b_row, b_numbers);
    return memcmp(a_numbers, b_numbers, sizeof a_numbers) == 0 &&
           string_equal(pair, a->name[a_row], b->name[b_row]) &&
           string_equal(pair, fg_column_u32(a->trace_state, a_row),
                        fg_column_u32(b->trace_state, b_row)) &&
           string_equal(pair, fg_column_u32(a->status_message, a_row),
                        fg_column_u32(b->status_message, b_row)) &&
           resource_equal(pair, a->resource[a_row], b->resource[b_row]) &&
           scope_equal(pair, a->scope[a_row], b->scope[b_row]) &&
           attrs_equal(pair, &a->span_attrs, a_row, &b->span_attrs, b_row) &&
           lists_equal(pair, a->event_begin, a_row, b->event_begin, b_row, event_equal) &&
           lists_equal(pair, a->link_begin, a_row, b->link_begin, b_row, link_equal);
}
