/* Spans: what the caller's thread does. Everything is written where it stays, in the span's slots;
 * no lock, no allocation, no system call but the clock's, which is none. */
#define FG_NO_INLINE
#include "sdk.h"

#include "base/limits.h"
#include "stream.h"
#include "value.h"
#include "wire/otlp_value.h"

#define SAMPLED UINT64_C(1)

__attribute__((cold, noinline)) static void misuse(void)
{
    fg_count(&fg_counters.misuses, 1);
    fg_notice(FG_NOTICE_MISUSE, "filigree: a span was used after its end");
}

static inline uint64_t now_ns(const struct fg_active *active)
{
    return fg_tick_ns(&fg_sdk.tick, active->env);
}

/* One thread writes a counter, and the exporter may read it: no atomic addition is needed. */
static void drop_item(_Atomic uint32_t *counter)
{
    uint32_t count = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, count + 1, memory_order_relaxed);
    fg_count(&fg_counters.dropped_items, 1);
    fg_notice(FG_NOTICE_ITEM,
              "filigree: an attribute, event or link was over a limit, or had no room");
}

/* A span that this process records, open; NULL for any other. */
static inline struct fg_slot *recording(uint64_t opaque, struct fg_active **ret_active)
{
    struct fg_active *active = atomic_load_explicit(&fg_sdk.active, memory_order_acquire);
    uint32_t name = fg_slot_of(opaque);
    if (name == 0 || !active)
        return NULL;
    if (name > active->pool.slot_count) {
        misuse();
        return NULL;
    }
    struct fg_slot *slot = fg_pool_slot(&active->pool, name);
    uint32_t generation = (uint32_t)(opaque >> FG_SPAN_GENERATION_SHIFT);
    if (atomic_load_explicit(&slot->state, memory_order_acquire) !=
        FG_SLOT_STATE(generation, FG_SLOT_OPEN)) {
        misuse();
        return NULL;
    }
    *ret_active = active;
    return slot;
}

/* The stream of a span that is recorded. False for any other. */
static bool open_stream(fg_span span, struct fg_stream *stream, struct fg_active **ret_active)
{
    struct fg_slot *slot = recording(span.opaque, ret_active);
    if (!slot)
        return false;
    struct fg_lane *lane = &fg_lane;
    if (lane->active != *ret_active)
        fg_lane_renew(lane, *ret_active);
    fg_stream_open(stream, &(*ret_active)->pool, fg_span_slot(span), fg_lane_take_slot, lane);
    return true;
}

/* -- Starting -------------------------------------------------------------------------------- */

/* A span's name for itself as four words. It goes back to the caller in two stores of 16 bytes:
 * that is how callers read it, and what was stored in smaller parts a processor can't hand on
 * before it has reached the cache. */
struct words {
    uint64_t word[4];
};
typedef uint64_t word_pair __attribute__((vector_size(16)));
static_assert(sizeof(struct words) == sizeof(fg_span) && offsetof(fg_span, span_id) == 16 &&
                  offsetof(fg_span, opaque) == 24,
              "trace id, span id, opaque");

/* What a span has of its parent: until it has ids of its own, all but what names its slot. */
static inline struct words words_of(const fg_span *parent)
{
    return (struct words){{fg_load_u64(parent->trace_id), fg_load_u64(parent->trace_id + 8),
                           fg_load_u64(parent->span_id), parent->opaque & FG_SPAN_FLAGS_MASK}};
}

static inline fg_span span_of(const struct words *words)
{
    fg_span span;
    word_pair ids = {words->word[0], words->word[1]}, rest = {words->word[2], words->word[3]};
    memcpy(span.trace_id, &ids, sizeof ids);
    memcpy(span.span_id, &rest, sizeof rest);
    return span;
}

/* TraceIdRatioBased as most SDKs have it, so that services with the same ratio agree: the last 8
 * bytes as a big-endian number without its lowest bit. */
static inline bool is_sampled(const struct fg_sampler *sampler, uint64_t trace_id_tail)
{
    if (sampler->root != FG_SAMPLING_RATIO)
        return sampler->root == FG_SAMPLING_ALL;
    uint64_t tail = __builtin_bswap64(trace_id_tail);
    return tail >> 1 < sampler->ratio_bound;
}

static void put_text_item(struct fg_stream *stream, uint8_t kind, uint8_t type,
                          struct fg_slice text)
{
    fg_stream_put_item(stream, kind, type, 0, text.size);
    fg_stream_put(stream, text.data, text.size);
}

static struct fg_slice clean_name(const char *name)
{
    struct fg_slice text = fg_slice_from_string(name);
    return text.size > FG_NAME_SIZE_MAX ? fg_value_cut(text, FG_NAME_SIZE_MAX) : text;
}

static inline void start_clock(struct fg_slot *slot, const struct fg_active *active,
                               uint64_t given_ns)
{
    uint64_t mono_ns = now_ns(active);
    uint64_t start_ns =
        mono_ns + atomic_load_explicit(&fg_sdk.wall_offset_ns, memory_order_relaxed);
    if (given_ns) {
        mono_ns -= start_ns - given_ns;
        start_ns = given_ns;
    }
    slot->head.start_ns = start_ns;
    slot->head.start_mono_ns = mono_ns;
}

static void put_attributes(struct fg_stream *stream, const struct fg_active *active, uint8_t kind,
                           const fg_attr *attrs, size_t count, uint32_t limit)
{
    for (size_t i = 0; i < count; i++) {
        if (i >= limit || !fg_value_put(stream, kind, &attrs[i], active->limits.value_size))
            drop_item(&stream->head->head.dropped_attributes);
    }
}

static void add_link(struct fg_stream *stream, const struct fg_active *active, const fg_link *link)
{
    struct fg_slot *head = stream->head;
    uint8_t value[FG_LINK_VALUE_SIZE];
    if (!fg_has_ids(&link->span))
        return;
    uint32_t flags = (uint32_t)(link->span.opaque & FG_SPAN_FLAGS_MASK) | 0x100u |
                     (link->span.opaque & FG_SPAN_REMOTE ? 0x200u : 0);
    memcpy(value, link->span.trace_id, 16);
    memcpy(value + 16, link->span.span_id, 8);
    memcpy(value + 24, &flags, sizeof flags);
    fg_stream_put_item(stream, FG_ITEM_LINK, 0, 0, sizeof value);
    fg_stream_put(stream, value, sizeof value);
    put_attributes(stream, active, FG_ITEM_LINK_ATTRIBUTE, link->attrs,
                   link->attrs ? link->attr_count : 0, active->limits.link_attributes);
    if (head->head.link_count >= active->limits.links || !fg_stream_commit(stream))
        drop_item(&head->head.dropped_links);
    else
        head->head.link_count++;
}

static void add_attributes(struct fg_stream *stream, const struct fg_active *active,
                           const fg_attr *attrs, size_t count)
{
    struct fg_slot *head = stream->head;
    for (size_t i = 0; attrs && i < count; i++) {
        bool fits = head->head.attribute_count < active->limits.attributes &&
                    fg_value_put(stream, FG_ITEM_ATTRIBUTE, &attrs[i], active->limits.value_size) &&
                    fg_stream_commit(stream);
        if (!fits) {
            drop_item(&head->head.dropped_attributes);
            fg_stream_open(stream, stream->pool, stream->head_name, stream->take_slot, stream->arg);
        } else {
            head->head.attribute_count++;
        }
    }
}

/* Items that options bring; each is committed alone, as when they are set one by one. */
static void put_options(fg_span span, const fg_span_options *options, struct fg_active *active)
{
    struct fg_stream stream;
    fg_stream_open(&stream, &active->pool, fg_span_slot(span), fg_lane_take_slot, &fg_lane);
    add_attributes(&stream, active, options->attrs, options->attr_count);
    for (size_t i = 0; options->links && i < options->link_count; i++) {
        fg_stream_open(&stream, &active->pool, fg_span_slot(span), fg_lane_take_slot, &fg_lane);
        add_link(&stream, active, &options->links[i]);
    }
}

static inline void fill_head(struct fg_slot *slot, uint32_t name, const struct words *span,
                             const fg_span *parent, const fg_span_options *options)
{
    bool is_remote = (parent->opaque & FG_SPAN_REMOTE) != 0;
    memcpy(slot->head.trace_id, span->word, sizeof slot->head.trace_id);
    memcpy(slot->head.span_id, &span->word[2], sizeof slot->head.span_id);
    memcpy(slot->head.parent_span_id, parent->span_id, sizeof slot->head.parent_span_id);
    slot->head.end_ns = 0;
    slot->head.flags =
        (uint32_t)(span->word[3] & FG_SPAN_FLAGS_MASK) | 0x100u | (is_remote ? 0x200u : 0);
    atomic_store_explicit(&slot->head.dropped_attributes, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->head.dropped_events, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->head.dropped_links, 0, memory_order_relaxed);
    slot->head.scope = options ? fg_tracer_index(options->tracer) : 0;
    slot->head.kind = options && options->kind > 0 && options->kind <= FG_SPAN_CONSUMER
                          ? (uint8_t)options->kind
                          : (uint8_t)FG_SPAN_INTERNAL;
    slot->head.status = 0;
    slot->head.tail = name;
    slot->head.attribute_count = 0;
    slot->head.event_count = 0;
    slot->head.link_count = 0;
}

/* What a span begins with, in its slot: its name, and what its context puts on every span. False
 * where it takes more than the slot. */
static inline bool begin_in_slot(struct fg_slot *slot, struct fg_slice text,
                                 const struct fg_carry *carry)
{
    struct fg_slice journey = carry ? fg_carry_journey(carry) : fg_slice(NULL, 0);
    size_t size = sizeof(struct fg_item_header) + text.size + journey.size;
    if (size > FG_HEAD_PAYLOAD_SIZE || (carry && carry->trace_state_size))
        return false;
    uint8_t *at = fg_put_item(slot->head.payload, FG_ITEM_NAME, 0, 0, text.size);
    at = fg_put_short(at, text.data, text.size);
    if (journey.size) {
        memcpy(at, journey.data, journey.size);
        slot->head.attribute_count = (uint16_t)carry->journey_count;
    }
    slot->head.tail_used = (uint32_t)size;
    atomic_store_explicit(&slot->head.committed, (uint32_t)size, memory_order_relaxed);
    return true;
}

static void begin_stream(struct fg_slot *slot, uint32_t name, struct fg_slice text,
                         const struct fg_carry *carry, struct fg_active *active)
{
    struct fg_stream stream;
    slot->head.tail_used = 0;
    atomic_store_explicit(&slot->head.committed, 0, memory_order_relaxed);
    fg_stream_open(&stream, &active->pool, name, fg_lane_take_slot, &fg_lane);
    put_text_item(&stream, FG_ITEM_NAME, 0, text);
    if (carry) {
        struct fg_slice journey = fg_carry_journey(carry);
        struct fg_slice state = fg_carry_trace_state(carry);
        fg_stream_put(&stream, journey.data, journey.size);
        slot->head.attribute_count = (uint16_t)carry->journey_count;
        if (state.size && fg_load_u64(slot->head.parent_span_id))
            put_text_item(&stream, FG_ITEM_TRACE_STATE, 0, state);
    }
    /* Without room for it the span stands without. */
    if (!fg_stream_commit(&stream))
        drop_item(&slot->head.dropped_attributes);
}

__attribute__((cold, noinline)) static void drop_span(void)
{
    fg_count(&fg_counters.dropped_full, 1);
    fg_notice(FG_NOTICE_FULL, "filigree: spans are dropped: too many are open or unsent");
}

/* Takes a slot for a span that has its ids. */
static inline __attribute__((always_inline)) void
record(struct words *span, const char *name, const fg_span *parent, const struct fg_carry *carry,
       const fg_span_options *options, struct fg_active *active)
{
    uint32_t slot_name = fg_lane_take(&fg_lane);
    if (!slot_name) {
        drop_span();
        return;
    }
    struct fg_slot *slot = fg_pool_slot(&active->pool, slot_name);
    struct fg_slice text = clean_name(name);
    uint32_t generation =
        FG_SLOT_GENERATION(atomic_load_explicit(&slot->state, memory_order_relaxed));
    if (generation == 0)
        generation = active->first_generation;
    fill_head(slot, slot_name, span, parent, options);
    start_clock(slot, active, options ? options->start_ns : 0);
    if (!begin_in_slot(slot, text, carry))
        begin_stream(slot, slot_name, text, carry, active);
    atomic_store_explicit(&slot->state, FG_SLOT_STATE(generation, FG_SLOT_OPEN),
                          memory_order_release);
    span->word[3] |= (uint64_t)slot_name << FG_SPAN_SLOT_SHIFT | (uint64_t)generation
                                                                     << FG_SPAN_GENERATION_SHIFT;
    if (options && (options->attr_count || options->link_count))
        put_options(span_of(span), options, active);
}

static inline __attribute__((always_inline)) fg_span start(const char *name, const fg_span *parent,
                                                           const struct fg_carry *carry,
                                                           const fg_span_options *options,
                                                           struct fg_active *active)
{
    struct fg_lane *lane = &fg_lane;
    struct words span = words_of(parent);
    if (!active)
        return span_of(&span);
    bool has_parent = fg_has_ids(parent);
    if (has_parent && active->sampler.parent_based) {
        /* Nothing of an unsampled span is ever seen but its context, which is its parent's. */
        if (!(span.word[3] & SAMPLED))
            return span_of(&span);
        if (lane->active != active)
            fg_lane_renew(lane, active);
    } else {
        if (lane->active != active)
            fg_lane_renew(lane, active);
        if (!has_parent) {
            span.word[0] = fg_lane_random(lane);
            span.word[1] = fg_lane_random(lane);
            span.word[1] += (span.word[0] | span.word[1]) == 0;
        }
        span.word[3] = is_sampled(&active->sampler, span.word[1]) ? SAMPLED : 0;
    }
    span.word[2] = fg_lane_random(lane);
    span.word[2] += span.word[2] == 0;
    if (span.word[3] & SAMPLED)
        record(&span, name, parent, carry, options, active);
    return span_of(&span);
}

static inline struct fg_active *find_active(void)
{
    struct fg_active *active = atomic_load_explicit(&fg_sdk.active, memory_order_acquire);
    if (!active && atomic_load_explicit(&fg_sdk.is_child, memory_order_relaxed))
        active = fg_sdk_start_in_child();
    return active;
}

__attribute__((noinline)) static fg_span start_with(const char *name, const fg_span_options *given)
{
    /* What an older program's struct does not have stays 0. */
    fg_span_options options = {0};
    fg_span parent = fg_lane.span;
    const struct fg_carry *carry = fg_lane.carry;
    if (given->size >= sizeof given->size)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    if (options.parent) {
        parent = fg_context_span(options.parent);
        carry = fg_context_carry(options.parent);
    }
    if (options.is_root)
        parent = (fg_span){.opaque = 0};
    return start(name, &parent, carry, &options, find_active());
}

__attribute__((noinline)) static fg_span start_below(const char *name)
{
    return start(name, &fg_lane.span, fg_lane.carry, NULL, find_active());
}

fg_span fg_span_start(const char *name, const fg_span_options *options)
{
    if (options)
        return start_with(name, options);
    /* The short way of most spans where few are sampled. */
    const struct fg_active *active = atomic_load_explicit(&fg_sdk.active, memory_order_relaxed);
    const fg_span *current = &fg_lane.span;
    if (!(current->opaque & SAMPLED) && active && active->sampler.parent_based &&
        fg_has_ids(current)) {
        struct words span = words_of(current);
        return span_of(&span);
    }
    return start_below(name);
}

/* -- Ending ------------------------------------------------------------------------------------ */

static void end(struct fg_slot *slot, uint64_t end_ns)
{
    /* 0 is the sign of an open span. */
    slot->head.end_ns = end_ns ? end_ns : 1;
    uint64_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);
    atomic_store_explicit(&slot->state, FG_SLOT_STATE(FG_SLOT_GENERATION(state), FG_SLOT_ENDED),
                          memory_order_release);
}

void fg_span_end(fg_span span)
{
    struct fg_active *active;
    struct fg_slot *slot = recording(span.opaque, &active);
    if (slot)
        end(slot, slot->head.start_ns + (now_ns(active) - slot->head.start_mono_ns));
}

void fg_span_end_at(fg_span span, uint64_t end_ns)
{
    struct fg_active *active;
    struct fg_slot *slot = recording(span.opaque, &active);
    if (slot)
        end(slot, end_ns);
}

/* -- What is told of it --------------------------------------------------------------------------
 */

void fg_span_set(fg_span span, fg_attr attr)
{
    struct fg_stream stream;
    struct fg_active *active;
    if (open_stream(span, &stream, &active))
        add_attributes(&stream, active, &attr, 1);
}

/* An attribute of one value, as an item at the end of the slot that the span's stream ends in.
 * False, and nothing is done, where it takes more than that. */
static inline bool set_in_slot(struct fg_slot *slot, const struct fg_active *active, uint32_t name,
                               uint8_t type, struct fg_slice key, struct fg_slice value)
{
    size_t size = sizeof(struct fg_item_header) + key.size + value.size;
    uint32_t used = slot->head.tail_used;
    if (slot->head.tail != name || size > FG_HEAD_PAYLOAD_SIZE - used || key.size == 0 ||
        value.size > active->limits.value_size ||
        slot->head.attribute_count >= active->limits.attributes)
        return false;
    uint8_t *at =
        fg_put_item(slot->head.payload + used, FG_ITEM_ATTRIBUTE, type, key.size, value.size);
    at = fg_put_short(at, key.data, key.size);
    fg_put_short(at, value.data, value.size);
    slot->head.tail_used = used + (uint32_t)size;
    slot->head.attribute_count++;
    uint32_t committed = atomic_load_explicit(&slot->head.committed, memory_order_relaxed);
    atomic_store_explicit(&slot->head.committed, committed + (uint32_t)size, memory_order_release);
    return true;
}

/* One that takes more: by the way of all. */
__attribute__((noinline)) static void set_slowly(uint64_t opaque, uint8_t type, const char *key,
                                                 struct fg_slice value)
{
    fg_span span = {.opaque = opaque};
    fg_attr attr = {.key = key};
    switch (type) {
    case FG_OTLP_BOOL:
        attr.type = FG_ATTR_BOOL;
        attr.value.boolean = fg_load_u64(value.data) != 0;
        break;
    case FG_OTLP_INT:
        attr.type = FG_ATTR_INT;
        memcpy(&attr.value.integer, value.data, sizeof attr.value.integer);
        break;
    case FG_OTLP_DOUBLE:
        attr.type = FG_ATTR_DOUBLE;
        memcpy(&attr.value.number, value.data, sizeof attr.value.number);
        break;
    default:
        attr.type = FG_ATTR_STRING;
        attr.value.string = (const char *)value.data;
        attr.count = value.size;
    }
    fg_span_set(span, attr);
}

static inline void set_one(uint64_t opaque, uint8_t type, const char *key, struct fg_slice value)
{
    struct fg_active *active;
    struct fg_slot *slot = recording(opaque, &active);
    if (slot &&
        !set_in_slot(slot, active, fg_slot_of(opaque), type, fg_slice_from_string(key), value))
        set_slowly(opaque, type, key, value);
}

void fg_span_set_string(fg_span span, const char *key, const char *value)
{
    set_one(span.opaque, FG_OTLP_STRING, key, fg_slice_from_string(value));
}

void fg_span_set_string_n(fg_span span, const char *key, const char *value, size_t size)
{
    set_one(span.opaque, FG_OTLP_STRING, key, fg_slice(value, value ? size : 0));
}

void fg_span_set_bool(fg_span span, const char *key, int value)
{
    uint64_t bits = value != 0;
    set_one(span.opaque, FG_OTLP_BOOL, key, fg_slice(&bits, sizeof bits));
}

void fg_span_set_int(fg_span span, const char *key, int64_t value)
{
    set_one(span.opaque, FG_OTLP_INT, key, fg_slice(&value, sizeof value));
}

void fg_span_set_double(fg_span span, const char *key, double value)
{
    set_one(span.opaque, FG_OTLP_DOUBLE, key, fg_slice(&value, sizeof value));
}

void fg_span_set_name(fg_span span, const char *name)
{
    struct fg_stream stream;
    struct fg_active *active;
    if (!name || !open_stream(span, &stream, &active))
        return;
    put_text_item(&stream, FG_ITEM_NAME, 0, clean_name(name));
    if (!fg_stream_commit(&stream))
        drop_item(&stream.head->head.dropped_attributes);
}

void fg_span_set_status(fg_span span, fg_status status, const char *message)
{
    struct fg_stream stream;
    struct fg_active *active;
    bool is_known = status == FG_STATUS_IS_OK || status == FG_STATUS_IS_ERROR;
    if (!is_known || !open_stream(span, &stream, &active))
        return;
    struct fg_slot *head = stream.head;
    if (head->head.status == FG_STATUS_IS_OK)
        return;
    struct fg_slice text = fg_slice_from_string(status == FG_STATUS_IS_ERROR ? message : NULL);
    put_text_item(&stream, FG_ITEM_STATUS, (uint8_t)status,
                  fg_value_cut(text, active->limits.value_size));
    if (fg_stream_commit(&stream))
        head->head.status = (uint8_t)status;
    else
        drop_item(&head->head.dropped_attributes);
}

static void add_event(fg_span span, const char *name, uint64_t time_ns, const fg_attr *attrs,
                      size_t count)
{
    struct fg_stream stream;
    struct fg_active *active;
    if (!open_stream(span, &stream, &active))
        return;
    struct fg_slot *head = stream.head;
    if (!time_ns)
        time_ns = head->head.start_ns + (now_ns(active) - head->head.start_mono_ns);
    struct fg_slice text = clean_name(name);
    fg_stream_put_item(&stream, FG_ITEM_EVENT, 0, text.size, sizeof time_ns);
    fg_stream_put(&stream, text.data, text.size);
    fg_stream_put(&stream, &time_ns, sizeof time_ns);
    put_attributes(&stream, active, FG_ITEM_EVENT_ATTRIBUTE, attrs, attrs ? count : 0,
                   active->limits.event_attributes);
    if (head->head.event_count >= active->limits.events || !fg_stream_commit(&stream))
        drop_item(&head->head.dropped_events);
    else
        head->head.event_count++;
}

void fg_span_add_event(fg_span span, const char *name, const fg_attr *attrs, size_t count)
{
    add_event(span, name, 0, attrs, count);
}

void fg_span_add_event_at(fg_span span, const char *name, uint64_t time_ns, const fg_attr *attrs,
                          size_t count)
{
    add_event(span, name, time_ns, attrs, count);
}

void fg_span_add_link(fg_span span, fg_span other, const fg_attr *attrs, size_t count)
{
    struct fg_stream stream;
    struct fg_active *active;
    fg_link link = {other, attrs, count};
    if (open_stream(span, &stream, &active))
        add_link(&stream, active, &link);
}

void fg_span_record_error(fg_span span, const char *type, const char *message)
{
    fg_attr attrs[2];
    size_t count = 0;
    if (type)
        attrs[count++] = fg_attr_string("exception.type", type);
    if (message)
        attrs[count++] = fg_attr_string("exception.message", message);
    fg_span_add_event(span, "exception", attrs, count);
    fg_span_set_status(span, FG_STATUS_IS_ERROR, message ? message : type);
}

int fg_span_is_recording(fg_span span)
{
    struct fg_active *active = atomic_load_explicit(&fg_sdk.active, memory_order_acquire);
    uint32_t name = fg_span_slot(span);
    if (!active || name == 0 || name > active->pool.slot_count)
        return 0;
    uint32_t generation = (uint32_t)(span.opaque >> FG_SPAN_GENERATION_SHIFT);
    return atomic_load_explicit(&fg_pool_slot(&active->pool, name)->state, memory_order_acquire) ==
           FG_SLOT_STATE(generation, FG_SLOT_OPEN);
}

int fg_span_is_valid(fg_span span)
{
    return fg_has_ids(&span);
}

int fg_span_is_sampled(fg_span span)
{
    return (span.opaque & SAMPLED) != 0;
}
