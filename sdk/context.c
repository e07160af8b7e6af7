/* The thread's current context, explicit ones, and their way over the wire. */
#include "sdk.h"

#include "wire/w3c.h"

#include <stdlib.h>

struct fg_context {
    _Atomic uint32_t refs;
    fg_span span;
    struct fg_carry *carry;
};

enum { SCOPE_DEPTH = 4, SCOPE_LANE, SCOPE_ACTIVE };
#define HELD_MIN 8u

static const struct fg_texts *journey_keys(void)
{
    return atomic_load(&fg_sdk.journey_keys);
}

static void misuse(const char *what)
{
    fg_count(&fg_counters.misuses, 1);
    fg_notice(FG_NOTICE_MISUSE, "filigree: %s", what);
}

/* Takes the reference to carry. Without memory it is dropped: the scope goes back to nothing. */
static void hold_take(struct fg_lane *lane, struct fg_carry *carry, uint32_t depth)
{
    if (!carry)
        return;
    if (lane->held_count == lane->held_capacity) {
        uint32_t capacity = lane->held_capacity ? 2 * lane->held_capacity : HELD_MIN;
        struct fg_held *held = realloc(lane->held, capacity * sizeof *held);
        if (!held) {
            fg_count(&fg_counters.dropped_items, 1);
            fg_carry_unref(carry);
            return;
        }
        lane->held = held;
        lane->held_capacity = capacity;
    }
    lane->held[lane->held_count++] = (struct fg_held){carry, depth};
}

/* What the scope at depth goes back to; that of scopes inside of it is given back. */
static struct fg_carry *let_go(struct fg_lane *lane, uint32_t depth)
{
    while (lane->held_count && lane->held[lane->held_count - 1].depth > depth)
        fg_carry_unref(lane->held[--lane->held_count].carry);
    if (lane->held_count == 0 || lane->held[lane->held_count - 1].depth < depth)
        return NULL;
    return lane->held[--lane->held_count].carry;
}

void fg_lane_drop_scopes(struct fg_lane *lane)
{
    (void)let_go(lane, 0); /* no scope is at depth 0 */
    fg_carry_unref(lane->carry);
    free(lane->held);
}

/* Takes the reference to carry. */
static fg_scope enter_take(fg_span span, struct fg_carry *carry)
{
    struct fg_lane *lane = &fg_lane;
    fg_scope scope = {{0}};
    static_assert(sizeof(fg_span) == SCOPE_DEPTH * sizeof(uint64_t), "the span lies before it");
    memcpy(scope.opaque, &lane->span, sizeof lane->span);
    scope.opaque[SCOPE_DEPTH] = ++lane->depth;
    scope.opaque[SCOPE_LANE] = (uint64_t)(uintptr_t)lane;
    scope.opaque[SCOPE_ACTIVE] = 1;
    hold_take(lane, lane->carry, lane->depth);
    lane->span = span;
    lane->carry = carry;
    if (carry && !lane->is_watched)
        fg_lane_renew(lane, lane->active);
    return scope;
}

fg_scope fg_span_enter(fg_span span)
{
    return enter_take(span, fg_carry_ref(fg_lane.carry));
}

fg_scope fg_context_enter(const fg_context *context)
{
    if (!context)
        return fg_span_enter(fg_lane.span);
    return enter_take(context->span, fg_carry_ref(context->carry));
}

void fg_scope_leave(fg_scope *scope)
{
    struct fg_lane *lane = &fg_lane;
    if (!scope || !scope->opaque[SCOPE_ACTIVE])
        return;
    scope->opaque[SCOPE_ACTIVE] = 0;
    bool is_here = scope->opaque[SCOPE_LANE] == (uint64_t)(uintptr_t)lane;
    uint32_t depth = (uint32_t)scope->opaque[SCOPE_DEPTH];
    if (!is_here || depth == 0 || depth > lane->depth) {
        misuse("a scope was left on another thread, or after the one around it");
        return;
    }
    if (depth < lane->depth)
        misuse("a scope was left before one inside of it");
    fg_carry_unref(lane->carry);
    memcpy(&lane->span, scope->opaque, sizeof lane->span);
    lane->carry = let_go(lane, depth);
    lane->depth = depth - 1;
}

fg_span fg_span_current(void)
{
    return fg_lane.span;
}

/* Takes the reference to carry, also on failure. */
static fg_context *context_new_take(fg_span span, struct fg_carry *carry)
{
    fg_context *context = malloc(sizeof *context);
    if (!context) {
        fg_carry_unref(carry);
        return NULL;
    }
    atomic_init(&context->refs, 1);
    context->span = span;
    context->carry = carry;
    return context;
}

fg_context *fg_context_current(void)
{
    return context_new_take(fg_lane.span, fg_carry_ref(fg_lane.carry));
}

fg_context *fg_context_root(void)
{
    return context_new_take((fg_span){.opaque = 0}, NULL);
}

fg_context *fg_context_ref(const fg_context *context)
{
    fg_context *own = (fg_context *)(uintptr_t)context;
    if (own)
        atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
    return own;
}

void fg_context_free(fg_context *context)
{
    if (!context || atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) != 1)
        return;
    fg_carry_unref(context->carry);
    free(context);
}

static const struct fg_carry *carry_of(const fg_context *context)
{
    return context ? context->carry : fg_lane.carry;
}

fg_span fg_context_span(const fg_context *context)
{
    return context ? context->span : fg_lane.span;
}

const struct fg_carry *fg_context_carry(const fg_context *context)
{
    return context->carry;
}

fg_context *fg_context_with_span(const fg_context *context, fg_span span)
{
    return context_new_take(span, fg_carry_ref(carry_of(context)));
}

/* carry with the key set; where that can't be, it is counted and carry stays. */
static struct fg_carry *carry_set(const struct fg_carry *carry, const char *key, const char *value,
                                  bool is_journey)
{
    struct fg_carry *changed;
    int r = fg_carry_with(carry, fg_slice_from_string(key), fg_slice_from_string(value), is_journey,
                          journey_keys(), &changed);
    if (r == 0)
        return changed;
    fg_count(&fg_counters.dropped_items, 1);
    fg_notice(FG_NOTICE_ITEM, "filigree: baggage \"%.64s\" was dropped: %s", key ? key : "",
              fg_error_name(r));
    return fg_carry_ref(carry);
}

fg_context *fg_context_with_baggage(const fg_context *context, const char *key, const char *value)
{
    return context_new_take(fg_context_span(context),
                            carry_set(carry_of(context), key, value, false));
}

fg_context *fg_context_with_journey(const fg_context *context, const char *key, const char *value)
{
    return context_new_take(fg_context_span(context),
                            carry_set(carry_of(context), key, value, true));
}

size_t fg_context_baggage(const fg_context *context, const char *key, char *text, size_t size)
{
    struct fg_buffer value;
    fg_buffer_init(&value, FG_BAGGAGE_SIZE_MAX);
    bool found = fg_carry_find(carry_of(context), fg_slice_from_string(key), &value);
    size_t whole = found && !value.error ? value.size : 0;
    if (text && size) {
        size_t part = whole < size - 1 ? whole : size - 1;
        if (part)
            memcpy(text, value.data, part);
        text[part] = 0;
    }
    fg_buffer_free(&value);
    return whole;
}

static void set_current(const char *key, const char *value, bool is_journey)
{
    struct fg_lane *lane = &fg_lane;
    struct fg_carry *changed = carry_set(lane->carry, key, value, is_journey);
    fg_carry_unref(lane->carry);
    lane->carry = changed;
    if (!lane->is_watched)
        fg_lane_renew(lane, lane->active);
}

void fg_baggage_set(const char *key, const char *value)
{
    set_current(key, value, false);
}

void fg_journey_set(const char *key, const char *value)
{
    set_current(key, value, true);
    fg_span_set_string(fg_lane.span, key, value);
}

static struct fg_slice get_header(fg_get_fn get, void *carrier, const char *name)
{
    return fg_slice_from_string(get(carrier, name));
}

/* A get may give each value in the same place, so that each is used up before the next. */
fg_context *fg_context_extract(fg_get_fn get, void *carrier)
{
    fg_span span = {.opaque = 0};
    struct fg_carry *carry = NULL;
    char trace_state[FG_TRACESTATE_SIZE_MAX + 1];
    if (!get)
        return fg_context_root();
    struct fg_traceparent parent;
    struct fg_slice header = get_header(get, carrier, "traceparent");
    bool is_there = header.size > 0;
    bool is_valid = is_there && fg_traceparent_parse(header, &parent) == 0;
    struct fg_slice state = {0};
    if (is_valid) {
        memcpy(span.trace_id, parent.trace_id, sizeof span.trace_id);
        memcpy(span.span_id, parent.span_id, sizeof span.span_id);
        span.opaque = parent.flags | FG_SPAN_REMOTE;
        state = get_header(get, carrier, "tracestate");
        /* One that is too long is malformed, and counted as such. */
        size_t size = state.size < sizeof trace_state ? state.size : sizeof trace_state;
        if (size)
            memcpy(trace_state, state.data, size);
        state = fg_slice(trace_state, size);
    } else if (is_there) {
        fg_count(&fg_counters.malformed_contexts, 1);
        fg_notice(FG_NOTICE_CONTEXT, "filigree: a traceparent that came in was malformed");
    }
    /* Without memory for it the context goes on without baggage. */
    if (fg_carry_new(state, get_header(get, carrier, "baggage"), journey_keys(), &carry) < 0)
        carry = NULL;
    return context_new_take(span, carry);
}

void fg_span_traceparent(fg_span span, char text[FG_TRACEPARENT_SIZE])
{
    struct fg_traceparent parent;
    if (!text)
        return;
    text[0] = 0;
    if (!fg_has_ids(&span))
        return;
    memcpy(parent.trace_id, span.trace_id, sizeof parent.trace_id);
    memcpy(parent.span_id, span.span_id, sizeof parent.span_id);
    parent.flags = (uint8_t)(span.opaque & FG_SPAN_FLAGS_MASK);
    fg_traceparent_format(&parent, text);
    text[FG_TRACEPARENT_TEXT_SIZE] = 0;
}

static int set_header(fg_set_fn set, void *carrier, const char *name, struct fg_slice value)
{
    char text[FG_BAGGAGE_SIZE_MAX + 1];
    if (value.size == 0 || value.size >= sizeof text)
        return 0;
    memcpy(text, value.data, value.size);
    text[value.size] = 0;
    return set(carrier, name, text);
}

int fg_context_inject(const fg_context *context, fg_set_fn set, void *carrier)
{
    char text[FG_TRACEPARENT_SIZE];
    const struct fg_carry *carry = carry_of(context);
    if (!set)
        return FG_EINVALID;
    fg_span_traceparent(fg_context_span(context), text);
    int r = set_header(set, carrier, "traceparent", fg_slice_from_string(text));
    if (r == 0 && text[0])
        r = set_header(set, carrier, "tracestate", fg_carry_trace_state(carry));
    if (r == 0)
        r = set_header(set, carrier, "baggage", fg_carry_baggage(carry));
    return r;
}
