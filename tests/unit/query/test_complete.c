/* query/complete.h against a plain count over all spans: in the head, in segments, before and after
 * merging; and what its bounds do. */
#include "base/limits.h"
#include "plain_match.h"
#include "query/complete.h"
#include "sim_store.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <cmocka.h>

#define SPANS     900u
#define BEGIN_NS  (UINT64_C(1764000000) * FG_NS_PER_SECOND)
#define SPREAD_NS (UINT64_C(3600) * FG_NS_PER_SECOND)
#define ITEMS_MAX 20000u

struct world {
    struct sim_store on;
    struct fg_builder *all;
    struct fg_batch batch;
    struct predicate_maker maker;
    struct fg_arena arena;
};

/* -- The plain count */

struct plain_item {
    enum fg_field level;
    uint8_t type;
    char text[300];
    size_t size;
    uint64_t count;
    uint32_t last_row;
};

static struct plain_item items[ITEMS_MAX];
static uint32_t item_count;

static void count(enum fg_field level, uint8_t type, struct fg_slice text, uint32_t row)
{
    struct plain_item *item = items;
    for (; item < items + item_count; item++)
        if (item->level == level && item->type == type &&
            fg_slice_equal(fg_slice(item->text, item->size), text))
            break;
    if (item == items + item_count) {
        assert_true(item_count < ITEMS_MAX && text.size < sizeof item->text);
        *item = (struct plain_item){.level = level, .type = type, .size = text.size};
        if (text.size)
            memcpy(item->text, text.data, text.size);
        item_count++;
    }
    if (item->count == 0 || item->last_row != row)
        item->count++;
    item->last_row = row;
}

static void count_keys(const struct fg_batch *batch, enum fg_field level,
                       const struct fg_attrs *attrs, uint32_t owner, uint32_t row)
{
    uint32_t begin, end;
    fg_attrs_range(attrs, owner, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        count(level, FG_VALUE_EMPTY, batch->strings[attrs->key[i]], row);
}

static void count_values(const struct fg_batch *batch, enum fg_field level,
                         const struct fg_attrs *attrs, uint32_t owner, struct fg_slice key,
                         uint32_t row)
{
    uint32_t begin, end;
    fg_attrs_range(attrs, owner, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        char text[40];
        double number;
        if (!fg_slice_equal(batch->strings[attrs->key[i]], key))
            continue;
        memcpy(&number, &attrs->value[i], sizeof number);
        if (attrs->type[i] == FG_VALUE_INT)
            snprintf(text, sizeof text, "%" PRId64, (int64_t)attrs->value[i]);
        else if (attrs->type[i] == FG_VALUE_DOUBLE)
            snprintf(text, sizeof text, "%.15g", number);
        else
            snprintf(text, sizeof text, "%s", attrs->value[i] ? "true" : "false");
        if (attrs->type[i] == FG_VALUE_STRING)
            count(level, FG_VALUE_STRING, batch->strings[attrs->value[i]], row);
        else if (attrs->type[i] >= FG_VALUE_BOOL && attrs->type[i] <= FG_VALUE_DOUBLE)
            count(level, attrs->type[i], fg_slice_from_string(text), row);
    }
}

/* key {NULL, 0}: keys. */
static void count_row(const struct fg_batch *batch, uint32_t row, enum fg_field field,
                      struct fg_slice key)
{
    uint32_t resource = batch->resource[row];
    if (field == FG_FIELD_SERVICE)
        count(field, FG_VALUE_STRING, batch->strings[batch->resource_service[resource]], row);
    if (field == FG_FIELD_NAME)
        count(field, FG_VALUE_STRING, batch->strings[batch->name[row]], row);
    if (field == FG_FIELD_SERVICE || field == FG_FIELD_NAME)
        return;
    if (key.size) {
        count_values(batch, FG_FIELD_ATTR_SPAN, &batch->span_attrs, row, key, row);
        count_values(batch, FG_FIELD_ATTR_RESOURCE, &batch->resource_attrs, resource, key, row);
        return;
    }
    count_keys(batch, FG_FIELD_ATTR_SPAN, &batch->span_attrs, row, row);
    count_keys(batch, FG_FIELD_ATTR_RESOURCE, &batch->resource_attrs, resource, row);
    for (uint32_t i = batch->event_begin[row]; i < batch->event_begin[row + 1]; i++)
        count_keys(batch, FG_FIELD_ATTR_EVENT, &batch->event_attrs, i, row);
    for (uint32_t i = batch->link_begin[row]; i < batch->link_begin[row + 1]; i++)
        count_keys(batch, FG_FIELD_ATTR_LINK, &batch->link_attrs, i, row);
}

static int compare_items(const void *a, const void *b)
{
    const struct plain_item *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    int order = fg_slice_compare(fg_slice(x->text, x->size), fg_slice(y->text, y->size));
    return order ? order : (int)x->level - (int)y->level;
}

static bool is_wanted(const struct plain_item *item, struct fg_slice prefix)
{
    return item->size <= 256 && item->size >= prefix.size &&
           (prefix.size == 0 ||
            strncasecmp(item->text, (const char *)prefix.data, prefix.size) == 0);
}

/* Leaves the list in items; returns the spans that were looked at. */
static uint64_t plain_list(const struct fg_batch *batch, const struct fg_complete *complete,
                           enum fg_field field, struct fg_slice key)
{
    uint64_t spans = 0;
    item_count = 0;
    for (uint32_t row = 0; row < batch->span_count; row++) {
        const struct fg_predicate exists = {
            .op = FG_PRED_EXISTS, .field = FG_FIELD_ATTR_ANY, .key = key};
        if (batch->start_ns[row] < complete->start_ns_min ||
            batch->start_ns[row] >= complete->start_ns_max ||
            (complete->predicate && !plain_matches(batch, row, complete->predicate)) ||
            (key.size && !plain_matches(batch, row, &exists)))
            continue;
        spans++;
        count_row(batch, row, field, key);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < item_count; i++)
        if (is_wanted(&items[i], complete->prefix))
            items[kept++] = items[i];
    item_count = kept;
    qsort(items, item_count, sizeof *items, compare_items);
    return spans;
}

/* -- Comparing */

static void compare(struct world *world, const struct fg_complete *complete, enum fg_field field,
                    struct fg_slice key)
{
    struct fg_complete_list list;
    bool of_keys = field == FG_FIELD_ATTR_ANY && key.size == 0;
    fg_arena_reset(&world->arena);
    int r = of_keys
                ? fg_complete_keys(world->on.store, complete, &world->arena, &list)
                : fg_complete_values(world->on.store, complete, field, key, &world->arena, &list);
    assert_int_equal(r, 0);
    uint64_t spans = plain_list(&world->batch, complete, field, key);
    assert_int_equal(list.span_count, spans);
    assert_int_equal(list.cut, FG_COMPLETE_WHOLE);
    assert_int_equal(list.count,
                     item_count < complete->count_max ? item_count : complete->count_max);
    for (uint32_t i = 0; i < list.count; i++) {
        if (!fg_slice_equal(list.items[i].text, fg_slice(items[i].text, items[i].size)))
            fail_msg("%u: '%.*s', expected '%s'", i, (int)list.items[i].text.size,
                     (const char *)list.items[i].text.data, items[i].text);
        assert_int_equal(list.items[i].count, items[i].count);
        assert_int_equal(list.items[i].level, items[i].level);
    }
}

static const char *const prefixes[] = {"", "", "x.", "HTTP.", "o", "SHOP", "get", "value 1", "2"};
static const char *const keys[] = {"http.route",   "http.response.status_code",
                                   "order.total",  "retry",
                                   "service.name", "x.key3",
                                   "db.statement", "process.pid",
                                   "no.such.key"};

static void compare_some(struct world *world, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        fg_arena_reset(&world->maker.arena);
        struct fg_complete complete = {
            .start_ns_max = UINT64_MAX, .count_max = 1000, .spans_max = UINT64_MAX};
        struct test_random *random = &world->maker.random;
        complete.prefix = fg_slice_from_string(
            prefixes[test_random_below(random, sizeof prefixes / sizeof *prefixes)]);
        if (i % 3 == 1)
            complete.count_max = 1 + test_random_below(random, 20);
        if (i % 3 == 2) {
            complete.start_ns_min = BEGIN_NS + test_random_u64(random) % SPREAD_NS;
            complete.start_ns_max = complete.start_ns_min + SPREAD_NS / 3;
        }
        if (i % 2)
            complete.predicate = random_predicate(&world->maker, 1);
        compare(world, &complete, FG_FIELD_ATTR_ANY, fg_slice(NULL, 0));
        compare(world, &complete, FG_FIELD_SERVICE, fg_slice(NULL, 0));
        compare(world, &complete, FG_FIELD_NAME, fg_slice(NULL, 0));
        compare(world, &complete, FG_FIELD_ATTR_ANY,
                fg_slice_from_string(keys[test_random_below(random, sizeof keys / sizeof *keys)]));
    }
}

static void put_long_value(struct fg_builder *builder)
{
    char text[300];
    uint32_t resource, scope;
    struct fg_value value = {.type = FG_VALUE_STRING};
    struct fg_span span = {
        .trace_id_low = 77, .span_id = 7, .start_ns = BEGIN_NS, .end_ns = BEGIN_NS};
    memset(text, 'o', sizeof text);
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &scope), 0);
    span.resource = resource;
    span.scope = scope;
    assert_int_equal(fg_builder_span_begin(builder), 0);
    value.bytes = fg_slice(text, 257);
    assert_int_equal(fg_builder_span_attr(builder, FG_SLICE("http.route"), &value), 0);
    value.bytes = fg_slice(text, 256);
    assert_int_equal(fg_builder_span_attr(builder, FG_SLICE("db.statement"), &value), 0);
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
}

static void begin(struct world *world, uint64_t seed)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct random_batch_options options = random_batch_options_default(seed);
    *world = (struct world){.maker = {.random = {.state = seed}}};
    options.span_count = SPANS;
    options.start_ns = BEGIN_NS;
    options.spread_ns = SPREAD_NS;
    options.odd_percent = 10;
    assert_int_equal(fg_builder_new(&limits, &world->all), 0);
    random_batch_fill(world->all, &options);
    put_long_value(world->all);
    fg_builder_view(world->all, &world->batch);
    world->maker.batch = &world->batch;
    fg_arena_init(&world->arena, 16 << 20);
    fg_arena_init(&world->maker.arena, 1 << 20);
    sim_store_open(&world->on, seed);
}

static void send(struct world *world, uint32_t row_begin, uint32_t row_end)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_remap *remap;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    assert_int_equal(fg_remap_new(&remap), 0);
    assert_int_equal(fg_remap_begin(remap, builder, &world->batch), 0);
    for (uint32_t row = row_begin; row < row_end; row++)
        assert_int_equal(fg_builder_copy(builder, remap, &world->batch, row, 0), 0);
    sim_store_append(&world->on, builder);
    fg_remap_free(remap);
    fg_builder_free(builder);
}

static void end(struct world *world)
{
    sim_store_close(&world->on);
    fg_builder_free(world->all);
    fg_arena_free(&world->arena);
    fg_arena_free(&world->maker.arena);
}

/* -- Tests */

static void counts_as_a_plain_count(void **state)
{
    (void)state;
    static struct world world;
    begin(&world, 5);
    send(&world, 0, SPANS / 3);
    send(&world, SPANS / 3, SPANS + 1);
    compare_some(&world, 12);
    assert_int_equal(fg_store_seal(world.on.store), 0);
    compare_some(&world, 12);
    end(&world);
    begin(&world, 6);
    for (uint32_t i = 0; i < 9; i++) {
        send(&world, i * 100, i == 8 ? SPANS + 1 : i * 100 + 100);
        if (i != 7)
            assert_int_equal(fg_store_seal(world.on.store), 0);
    }
    compare_some(&world, 12);
    fg_sim_advance(world.on.sim, 2 * FG_MERGE_QUIET_NS);
    assert_int_equal(fg_store_settle(world.on.store), 0);
    compare_some(&world, 12);
    end(&world);
}

static bool yes(void *arg)
{
    (void)arg;
    return true;
}

static void bounds_make_it_partial(void **state)
{
    (void)state;
    static struct world world;
    struct fg_complete_list list;
    begin(&world, 7);
    for (uint32_t i = 0; i < 9; i++)
        send(&world, i * 100, i == 8 ? SPANS + 1 : i * 100 + 100);
    struct fg_complete complete = {.start_ns_max = UINT64_MAX, .count_max = 1000, .spans_max = 150};
    assert_int_equal(fg_complete_keys(world.on.store, &complete, &world.arena, &list), 0);
    assert_true(list.cut == FG_COMPLETE_SPANS && list.count > 0);
    assert_true(list.span_count >= 150 && list.span_count < SPANS / 2);
    complete.spans_max = UINT64_MAX;
    complete.deadline_mono_ns = 1; /* long over */
    assert_int_equal(fg_complete_keys(world.on.store, &complete, &world.arena, &list), 0);
    assert_true(list.cut == FG_COMPLETE_TIME && list.count == 0);
    complete.deadline_mono_ns = 0;
    assert_int_equal(fg_store_seal(world.on.store), 0);
    complete.bytes_max = 1;
    assert_int_equal(fg_complete_keys(world.on.store, &complete, &world.arena, &list), 0);
    assert_true(list.cut == FG_COMPLETE_BYTES && list.span_count < SPANS);
    complete.bytes_max = 0;
    complete.is_cancelled = yes;
    assert_int_equal(fg_complete_keys(world.on.store, &complete, &world.arena, &list),
                     FG_ECANCELLED);
    complete.is_cancelled = NULL;
    struct fg_arena tiny;
    fg_arena_init(&tiny, 64);
    assert_int_equal(fg_complete_keys(world.on.store, &complete, &tiny, &list), FG_ELIMIT);
    fg_arena_free(&tiny);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_as_a_plain_count),
        cmocka_unit_test(bounds_make_it_partial),
    };
    return cmocka_run_group_tests_name("complete", tests, NULL, NULL);
}
