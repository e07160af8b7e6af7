/* Random requests under tight limits, given to a builder and to a plain twin that keeps each span
 * as lists and knows the limits by its own few lines. Some spans are cancelled at a random point.
 */
#include "random_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ATTRS_MAX  4
#define EVENTS_MAX 3
#define LINKS_MAX  2
#define VALUE_MAX  10
#define NAME_MAX   7
#define SPANS_MAX  60

static const char *const words[] = {"",
                                    "a",
                                    "key",
                                    "order.i",
                                    "order.id",
                                    "order.ie",
                                    "grüße an alle",
                                    "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac",
                                    "0123456789",
                                    "0123456789a",
                                    "service.name"};
#define WORDS (sizeof words / sizeof *words)

struct twin_attr {
    struct fg_slice key, bytes;
    uint8_t type;
    uint64_t bits;
};

struct twin_owner {
    struct twin_attr attrs[ATTRS_MAX];
    uint32_t count, dropped;
    struct fg_slice name;
    uint64_t number;
};

struct twin_span {
    struct fg_span span;
    struct twin_owner own, events[EVENTS_MAX], links[LINKS_MAX];
    uint32_t event_count, link_count;
};

struct pair {
    struct test_random random;
    struct fg_builder *builder;
    struct twin_span spans[SPANS_MAX];
    uint32_t span_count;
    bool is_truncated;
};

static uint32_t below(struct pair *pair, uint32_t bound)
{
    return test_random_below(&pair->random, bound);
}

static struct fg_slice word(struct pair *pair)
{
    return fg_slice_from_string(words[below(pair, WORDS)]);
}

/* Of well-formed text: back to where a character begins. */
static struct fg_slice cut(struct pair *pair, struct fg_slice text, size_t size_max)
{
    if (text.size <= size_max)
        return text;
    pair->is_truncated = true;
    text.size = size_max;
    while (text.size && (text.data[text.size] & 0xc0) == 0x80)
        text.size--;
    return text;
}

static struct fg_value random_value(struct pair *pair)
{
    struct fg_value value = {.type = below(pair, FG_VALUE_TYPE_COUNT)};
    if (fg_value_type_is_bytes((uint8_t)value.type))
        value.bytes = word(pair);
    else
        value.bits = test_random_u64(&pair->random);
    return value;
}

static void drop(struct pair *pair, struct twin_owner *owner)
{
    owner->dropped++;
    pair->is_truncated = true;
}

static void twin_attr(struct pair *pair, struct twin_owner *owner, struct fg_slice key,
                      const struct fg_value *value)
{
    struct twin_attr attr = {.type = (uint8_t)value->type};
    bool is_nested = value->type == FG_VALUE_ARRAY || value->type == FG_VALUE_KVLIST;
    if (is_nested && value->bytes.size > VALUE_MAX) {
        drop(pair, owner);
        return;
    }
    attr.key = cut(pair, key, NAME_MAX);
    uint32_t at = 0;
    while (at < owner->count && !fg_slice_equal(owner->attrs[at].key, attr.key))
        at++;
    if (at == ATTRS_MAX) {
        drop(pair, owner);
        return;
    }
    if (value->type == FG_VALUE_STRING) {
        attr.bytes = cut(pair, value->bytes, VALUE_MAX);
    } else if (value->type == FG_VALUE_BYTES && value->bytes.size > VALUE_MAX) {
        attr.bytes = fg_slice(value->bytes.data, VALUE_MAX);
        pair->is_truncated = true;
    } else if (fg_value_type_is_bytes(attr.type)) {
        attr.bytes = value->bytes;
    } else if (value->type == FG_VALUE_BOOL) {
        attr.bits = value->bits != 0;
    } else if (value->type != FG_VALUE_EMPTY) {
        attr.bits = value->bits;
    }
    owner->attrs[at] = attr;
    owner->count += at == owner->count;
}

typedef int (*attr_fn)(struct fg_builder *, struct fg_slice, const struct fg_value *);

/* To both; to the builder alone when owner is NULL: it is one too many. */
static void give_attrs(struct pair *pair, struct twin_owner *owner, attr_fn fn)
{
    for (uint32_t i = below(pair, 8); i > 0; i--) {
        struct fg_slice key = word(pair);
        struct fg_value value = random_value(pair);
        assert_int_equal(fn(pair->builder, key, &value), 0);
        if (owner)
            twin_attr(pair, owner, key, &value);
    }
}

static void give_event(struct pair *pair, struct twin_span *twin)
{
    struct twin_owner *event =
        twin->event_count < EVENTS_MAX ? &twin->events[twin->event_count] : NULL;
    struct fg_slice name = word(pair);
    uint64_t time_ns = test_random_u64(&pair->random);
    uint32_t dropped = below(pair, 2);
    assert_int_equal(fg_builder_event_begin(pair->builder), 0);
    give_attrs(pair, event, fg_builder_event_attr);
    assert_int_equal(fg_builder_event_end(pair->builder, time_ns, name, dropped), 0);
    if (!event) {
        twin->span.dropped_events++;
        pair->is_truncated = true;
        return;
    }
    event->name = cut(pair, name, NAME_MAX);
    event->number = time_ns;
    event->dropped += dropped;
    twin->event_count++;
}

static void give_link(struct pair *pair, struct twin_span *twin)
{
    struct twin_owner *link = twin->link_count < LINKS_MAX ? &twin->links[twin->link_count] : NULL;
    struct fg_link given = {.span_id = test_random_u64(&pair->random),
                            .trace_state = word(pair),
                            .dropped_attrs = below(pair, 2)};
    assert_int_equal(fg_builder_link_begin(pair->builder), 0);
    give_attrs(pair, link, fg_builder_link_attr);
    assert_int_equal(fg_builder_link_end(pair->builder, &given), 0);
    if (!link) {
        twin->span.dropped_links++;
        pair->is_truncated = true;
        return;
    }
    link->name = cut(pair, given.trace_state, VALUE_MAX);
    link->number = given.span_id;
    link->dropped += given.dropped_attrs;
    twin->link_count++;
}

/* One attribute of the span, between its events and links. */
static void give_attr(struct pair *pair, struct twin_span *twin)
{
    struct fg_slice key = word(pair);
    struct fg_value value = random_value(pair);
    assert_int_equal(fg_builder_span_attr(pair->builder, key, &value), 0);
    twin_attr(pair, &twin->own, key, &value);
}

static void give_span(struct pair *pair)
{
    struct twin_span *twin = &pair->spans[pair->span_count];
    struct fg_span span = {.span_id = test_random_u64(&pair->random),
                           .name = word(pair),
                           .status_message = word(pair),
                           .trace_state = below(pair, 3) ? fg_slice(NULL, 0) : word(pair),
                           .dropped_attrs = below(pair, 2),
                           .dropped_events = below(pair, 2),
                           .dropped_links = below(pair, 2),
                           .marks = below(pair, 2) ? FG_MARK_SHARED : 0,
                           .flags = below(pair, 2)};
    *twin = (struct twin_span){.span = span};
    pair->is_truncated = false;
    assert_int_equal(fg_builder_span_begin(pair->builder), 0);
    uint32_t steps = below(pair, 14);
    bool is_cancelled = below(pair, 5) == 0;
    for (uint32_t i = 0; i < steps; i++) {
        uint32_t what = below(pair, 4);
        if (what == 0)
            give_event(pair, twin);
        else if (what == 1)
            give_link(pair, twin);
        else
            give_attr(pair, twin);
    }
    if (is_cancelled) {
        fg_builder_span_cancel(pair->builder);
        return;
    }
    assert_int_equal(fg_builder_span_end(pair->builder, &span), 0);
    twin->span.name = cut(pair, span.name, NAME_MAX);
    twin->span.status_message = cut(pair, span.status_message, VALUE_MAX);
    twin->span.trace_state = cut(pair, span.trace_state, VALUE_MAX);
    twin->span.marks = (uint16_t)(span.marks | (pair->is_truncated ? FG_MARK_TRUNCATED : 0));
    twin->span.dropped_attrs += twin->own.dropped;
    pair->span_count++;
}

/* -- Comparing */

static void assert_text(const struct fg_batch *batch, uint64_t id, struct fg_slice expected)
{
    assert_true(id < batch->string_count);
    assert_true(fg_slice_equal(batch->strings[id], expected));
}

static void assert_attrs(const struct fg_batch *batch, const struct fg_attrs *attrs, uint32_t owner,
                         const struct twin_owner *twin)
{
    uint32_t begin, end;
    fg_attrs_range(attrs, owner, &begin, &end);
    assert_int_equal(end - begin, twin->count);
    for (uint32_t i = 0; i < twin->count; i++) {
        assert_text(batch, attrs->key[begin + i], twin->attrs[i].key);
        assert_int_equal(attrs->type[begin + i], twin->attrs[i].type);
        if (fg_value_type_is_bytes(twin->attrs[i].type))
            assert_text(batch, attrs->value[begin + i], twin->attrs[i].bytes);
        else
            assert_true(attrs->value[begin + i] == twin->attrs[i].bits);
    }
}

static void assert_span(const struct fg_batch *batch, uint32_t row, const struct twin_span *twin)
{
    const struct fg_span *span = &twin->span;
    assert_true(batch->span_id[row] == span->span_id);
    assert_text(batch, batch->name[row], span->name);
    assert_text(batch, fg_column_u32(batch->status_message, row), span->status_message);
    assert_text(batch, fg_column_u32(batch->trace_state, row), span->trace_state);
    assert_int_equal(fg_column_u32(batch->flags, row), span->flags);
    assert_int_equal(fg_column_u16(batch->marks, row), span->marks);
    assert_int_equal(fg_column_u32(batch->dropped_attrs, row), span->dropped_attrs);
    assert_int_equal(fg_column_u32(batch->dropped_events, row), span->dropped_events);
    assert_int_equal(fg_column_u32(batch->dropped_links, row), span->dropped_links);
    assert_attrs(batch, &batch->span_attrs, row, &twin->own);
    uint32_t event = batch->event_begin ? batch->event_begin[row] : 0;
    uint32_t event_end = batch->event_begin ? batch->event_begin[row + 1] : 0;
    assert_int_equal(event_end - event, twin->event_count);
    for (uint32_t i = 0; i < twin->event_count; i++, event++) {
        assert_true(batch->event_time_ns[event] == twin->events[i].number);
        assert_text(batch, batch->event_name[event], twin->events[i].name);
        assert_int_equal(fg_column_u32(batch->event_dropped_attrs, event), twin->events[i].dropped);
        assert_attrs(batch, &batch->event_attrs, event, &twin->events[i]);
    }
    uint32_t link = batch->link_begin ? batch->link_begin[row] : 0;
    uint32_t link_end = batch->link_begin ? batch->link_begin[row + 1] : 0;
    assert_int_equal(link_end - link, twin->link_count);
    for (uint32_t i = 0; i < twin->link_count; i++, link++) {
        assert_true(batch->link_span_id[link] == twin->links[i].number);
        assert_text(batch, fg_column_u32(batch->link_trace_state, link), twin->links[i].name);
        assert_int_equal(fg_column_u32(batch->link_dropped_attrs, link), twin->links[i].dropped);
        assert_attrs(batch, &batch->link_attrs, link, &twin->links[i]);
    }
}

static void begin_request(struct pair *pair)
{
    uint32_t id;
    fg_builder_reset(pair->builder);
    pair->span_count = 0;
    assert_int_equal(fg_builder_resource_begin(pair->builder), 0);
    assert_int_equal(fg_builder_resource_end(pair->builder, FG_SLICE(""), 0, &id), 0);
    assert_int_equal(fg_builder_scope_begin(pair->builder), 0);
    assert_int_equal(
        fg_builder_scope_end(pair->builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &id), 0);
}

static void random_requests_come_out_as_the_twin_has_them(void **state)
{
    (void)state;
    static struct pair pair;
    struct fg_builder_limits limits = {.bytes_max = 1 << 24,
                                       .attr_value_size_max = VALUE_MAX,
                                       .name_size_max = NAME_MAX,
                                       .attrs_max = ATTRS_MAX,
                                       .events_max = EVENTS_MAX,
                                       .links_max = LINKS_MAX};
    pair.random.state = 42;
    assert_int_equal(fg_builder_new(&limits, &pair.builder), 0);
    for (int request = 0; request < 150; request++) {
        begin_request(&pair);
        for (uint32_t i = below(&pair, SPANS_MAX); i > 0; i--)
            give_span(&pair);
        struct fg_batch batch;
        fg_builder_view(pair.builder, &batch);
        assert_int_equal(batch.span_count, pair.span_count);
        for (uint32_t row = 0; row < pair.span_count; row++)
            assert_span(&batch, row, &pair.spans[row]);
    }
    fg_builder_free(pair.builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_requests_come_out_as_the_twin_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
