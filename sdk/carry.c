#include "carry.h"

#include "base/limits.h"
#include "notice.h"
#include "ring.h"
#include "value.h"
#include "wire/otlp_value.h"
#include "wire/w3c.h"

#include <stdlib.h>

/* Bytes of a journey's value on a span: order numbers are short. */
#define JOURNEY_VALUE_SIZE_MAX 256u
#define JOURNEY_COUNT_MAX      8u

struct fg_slice fg_carry_trace_state(const struct fg_carry *carry)
{
    return carry ? fg_slice(carry->data, carry->trace_state_size) : (struct fg_slice){0};
}

struct fg_slice fg_carry_baggage(const struct fg_carry *carry)
{
    return carry ? fg_slice(carry->data + carry->trace_state_size, carry->baggage_size)
                 : (struct fg_slice){0};
}

struct fg_carry *fg_carry_ref(const struct fg_carry *carry)
{
    /* Counting is the only change that is ever made to one. */
    struct fg_carry *own = (struct fg_carry *)(uintptr_t)carry;
    if (own)
        atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
    return own;
}

void fg_carry_unref(struct fg_carry *carry)
{
    if (carry && atomic_fetch_sub_explicit(&carry->refs, 1, memory_order_acq_rel) == 1)
        free(carry);
}

static bool is_journey(const struct fg_baggage_member *member, const struct fg_texts *keys)
{
    if (fg_baggage_has_property(member->properties, FG_SLICE(FG_JOURNEY_PROPERTY)))
        return true;
    for (uint32_t i = 0; keys && i < keys->count; i++)
        if (fg_slice_equal(member->key, fg_slice_from_string(keys->items[i])))
            return true;
    return false;
}

static void put_journey(struct fg_buffer *items, const struct fg_baggage_member *member)
{
    if (member->key.size > FG_NAME_SIZE_MAX)
        return;
    size_t begin = items->size;
    struct fg_item_header header = {FG_ITEM_ATTRIBUTE, FG_OTLP_STRING, (uint16_t)member->key.size,
                                    0};
    fg_buffer_append(items, &header, sizeof header);
    fg_buffer_append_slice(items, member->key);
    size_t value_begin = items->size;
    fg_baggage_decode(items, member->value);
    if (items->error)
        return;
    struct fg_slice value = fg_slice(items->data + value_begin, items->size - value_begin);
    items->size = value_begin + fg_value_cut(value, JOURNEY_VALUE_SIZE_MAX).size;
    header.value_size = (uint32_t)(items->size - value_begin);
    memcpy(items->data + begin, &header, sizeof header);
}

/* The members that stand on every span, as items of a ring. */
struct journey {
    const struct fg_texts *keys;
    struct fg_buffer items;
    uint32_t count;
};

static void journey_init(struct journey *journey, const struct fg_texts *keys)
{
    *journey = (struct journey){.keys = keys};
    fg_buffer_init(&journey->items, FG_BAGGAGE_SIZE_MAX * 2);
}

static void journey_take(struct journey *journey, const struct fg_baggage_member *member)
{
    if (journey->count == JOURNEY_COUNT_MAX || !is_journey(member, journey->keys))
        return;
    put_journey(&journey->items, member);
    journey->count++;
}

/* Puts it together; baggage is clean. */
static int make(struct fg_slice trace_state, struct fg_slice baggage, const struct journey *journey,
                struct fg_carry **ret_carry)
{
    struct fg_slice items = fg_buffer_slice(&journey->items);
    struct fg_carry *carry = NULL;
    if (trace_state.size || baggage.size) {
        carry = journey->items.error
                    ? NULL
                    : malloc(sizeof *carry + trace_state.size + baggage.size + items.size);
        if (!carry)
            return FG_ENOMEM;
        carry->trace_state_size = (uint32_t)trace_state.size;
        carry->baggage_size = (uint32_t)baggage.size;
        carry->journey_size = (uint32_t)items.size;
        carry->journey_count = journey->count;
        atomic_init(&carry->refs, 1);
        uint8_t *to = carry->data;
        struct fg_slice parts[] = {trace_state, baggage, items};
        for (size_t i = 0; i < 3; to += parts[i++].size)
            if (parts[i].size)
                memcpy(to, parts[i].data, parts[i].size);
    }
    *ret_carry = carry;
    return 0;
}

/* Appends a member as it stood; one that has no room is left out. */
static bool put_member(struct fg_buffer *header, struct fg_slice whole, uint32_t *count)
{
    size_t size = header->size + (header->size ? 1 : 0) + whole.size;
    if (*count == FG_BAGGAGE_MEMBERS_MAX || size > FG_BAGGAGE_SIZE_MAX)
        return false;
    if (header->size)
        fg_buffer_append_byte(header, ',');
    fg_buffer_append_slice(header, whole);
    ++*count;
    return true;
}

int fg_carry_new(struct fg_slice trace_state, struct fg_slice baggage,
                 const struct fg_texts *journey_keys, struct fg_carry **ret_carry)
{
    struct fg_buffer header;
    struct fg_baggage_member member;
    struct journey journey;
    uint32_t count = 0, bad = 0;
    int r;
    fg_buffer_init(&header, FG_BAGGAGE_SIZE_MAX);
    journey_init(&journey, journey_keys);
    if (!fg_tracestate_valid(trace_state)) {
        trace_state = (struct fg_slice){0};
        bad++;
    }
    while ((r = fg_baggage_next(&baggage, &member)) != 0) {
        if (r > 0 && put_member(&header, member.whole, &count))
            journey_take(&journey, &member);
        else
            bad++;
    }
    if (bad) {
        fg_count(&fg_counters.malformed_contexts, bad);
        fg_notice(FG_NOTICE_CONTEXT, "filigree: tracestate or baggage that came in was malformed");
    }
    r = header.error ? FG_ENOMEM : make(trace_state, fg_buffer_slice(&header), &journey, ret_carry);
    fg_buffer_free(&journey.items);
    fg_buffer_free(&header);
    return r;
}

int fg_carry_with(const struct fg_carry *carry, struct fg_slice key, struct fg_slice value,
                  bool is_journey_key, const struct fg_texts *journey_keys,
                  struct fg_carry **ret_carry)
{
    struct fg_buffer header, own;
    struct fg_slice rest = fg_carry_baggage(carry);
    struct fg_baggage_member member;
    struct journey journey;
    uint32_t count = 0;
    if (!fg_baggage_key_valid(key))
        return FG_EINVALID;
    journey_init(&journey, journey_keys);
    fg_buffer_init(&header, FG_BAGGAGE_SIZE_MAX);
    fg_buffer_init(&own, FG_BAGGAGE_SIZE_MAX);
    while (fg_baggage_next(&rest, &member) > 0)
        if (!fg_slice_equal(member.key, key))
            (void)put_member(&header, member.whole, &count);
    int r = 0;
    if (value.data) {
        fg_buffer_append_slice(&own, key);
        fg_buffer_append_byte(&own, '=');
        fg_baggage_encode(&own, value);
        if (is_journey_key)
            fg_buffer_append_string(&own, ";" FG_JOURNEY_PROPERTY);
        r = own.error;
        if (r == 0 && !put_member(&header, fg_buffer_slice(&own), &count))
            r = FG_ELIMIT;
    }
    if (r == 0)
        r = header.error;
    rest = fg_buffer_slice(&header);
    while (r == 0 && fg_baggage_next(&rest, &member) > 0)
        journey_take(&journey, &member);
    if (r == 0)
        r = make(fg_carry_trace_state(carry), fg_buffer_slice(&header), &journey, ret_carry);
    fg_buffer_free(&journey.items);
    fg_buffer_free(&own);
    fg_buffer_free(&header);
    return r;
}

bool fg_carry_find(const struct fg_carry *carry, struct fg_slice key, struct fg_buffer *value)
{
    struct fg_slice rest = fg_carry_baggage(carry);
    struct fg_baggage_member member;
    while (fg_baggage_next(&rest, &member) > 0) {
        if (fg_slice_equal(member.key, key)) {
            fg_baggage_decode(value, member.value);
            return true;
        }
    }
    return false;
}
