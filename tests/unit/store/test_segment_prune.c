/* fg_segment_prune(): no row that matches is ever passed over, whatever the predicate; and what is
 * surely nowhere is found nowhere, without reading pages. Predicates are drawn from the rows, so
 * that most of them match a few. */
#include "segment_rows.h"

#include "base/limits.h"
#include "local/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NODES_MAX 64

struct world {
    struct fg_sim *sim;
    struct fg_cache *cache;
    struct segment_rows rows;
    struct fg_segment *segment;
    struct test_random random;
    struct fg_predicate nodes[NODES_MAX];
    const struct fg_predicate *children[NODES_MAX];
    uint32_t node_count, child_count;
};

static void world_init(struct world *world, const struct random_batch_options *options,
                       uint32_t group_rows)
{
    *world = (struct world){.rows = segment_rows_new(options), .random = {options->seed}};
    assert_int_equal(fg_sim_new(options->seed, &world->sim), 0);
    assert_int_equal(fg_cache_new(4 << 20, &world->cache), 0);
    segment_rows_write(&world->rows, fg_sim_env(world->sim), SEGMENT_PATH, group_rows);
    assert_int_equal(
        fg_segment_open(fg_sim_env(world->sim), SEGMENT_PATH, world->cache, &world->segment), 0);
}

static void world_free(struct world *world)
{
    fg_segment_unref(world->segment);
    fg_cache_free(world->cache);
    fg_sim_free(world->sim);
    segment_rows_free(&world->rows);
}

static uint32_t below(struct world *world, uint32_t bound)
{
    return test_random_below(&world->random, bound);
}

/* -- Predicates */

static struct fg_slice text_of(struct world *world, uint32_t id)
{
    static const char *const absent[] = {"nowhere at all", "", "GET", "zzz"};
    if (below(world, 8) == 0)
        return fg_slice_from_string(absent[below(world, 4)]);
    return world->rows.batch.strings[id];
}

static void set_text(struct world *world, struct fg_predicate *leaf, uint32_t id)
{
    static const char *const patterns[] = {"^value 1", "shop|price", ".", "^$", "[0-9]{3}", "ü"};
    leaf->type = FG_VALUE_STRING;
    leaf->string = text_of(world, id);
    if (leaf->op == FG_PRED_REGEX)
        leaf->string = fg_slice_from_string(patterns[below(world, 6)]);
}

static void set_value(struct world *world, struct fg_predicate *leaf, uint8_t type, uint64_t value)
{
    double number;
    memcpy(&number, &value, sizeof number);
    switch (leaf->op == FG_PRED_REGEX ? FG_VALUE_STRING : type) {
    case FG_VALUE_BOOL:
        leaf->type = FG_VALUE_BOOL;
        leaf->op = below(world, 2) ? FG_PRED_EQ : FG_PRED_NE;
        leaf->boolean = below(world, 2);
        return;
    case FG_VALUE_INT:
        leaf->type = below(world, 3) ? FG_VALUE_INT : FG_VALUE_DOUBLE;
        leaf->integer = (int64_t)value + (int64_t)below(world, 3) - 1;
        if (leaf->type == FG_VALUE_DOUBLE)
            leaf->number = (double)(int64_t)value + (below(world, 2) ? 0 : 0.5);
        return;
    case FG_VALUE_DOUBLE:
        leaf->type = FG_VALUE_DOUBLE;
        leaf->number = number;
        if (below(world, 3) == 0 && number > -1e9 && number < 1e9) {
            leaf->type = FG_VALUE_INT;
            leaf->integer = (int64_t)number;
        }
        return;
    default:
        set_text(world, leaf, fg_value_type_is_bytes(type) ? (uint32_t)value : 0);
    }
}

/* An attribute of the owner, or one that nobody has. */
static void set_attr(struct world *world, struct fg_predicate *leaf, const struct fg_attrs *attrs,
                     uint32_t owner, uint32_t owner_count)
{
    uint32_t begin = 0, end = 0;
    if (owner < owner_count)
        fg_attrs_range(attrs, owner, &begin, &end);
    if (begin == end || below(world, 16) == 0) {
        leaf->key = FG_SLICE("no.such.key");
        set_text(world, leaf, 0);
        return;
    }
    uint32_t i = begin + below(world, end - begin);
    leaf->key = world->rows.batch.strings[attrs->key[i]];
    set_value(world, leaf, attrs->type[i], attrs->value[i]);
}

static void set_number(struct world *world, struct fg_predicate *leaf, uint64_t value,
                       uint32_t spread)
{
    if (leaf->op == FG_PRED_REGEX)
        leaf->op = FG_PRED_EQ;
    leaf->type = FG_VALUE_INT;
    leaf->integer = (int64_t)value;
    if (spread)
        leaf->integer += (int64_t)below(world, 2 * spread) - (int64_t)spread;
}

static void fill_leaf(struct world *world, struct fg_predicate *leaf)
{
    static const enum fg_predicate_op ops[] = {FG_PRED_EQ, FG_PRED_EQ,    FG_PRED_EQ,    FG_PRED_EQ,
                                               FG_PRED_NE, FG_PRED_LT,    FG_PRED_LE,    FG_PRED_GT,
                                               FG_PRED_GE, FG_PRED_REGEX, FG_PRED_EXISTS};
    const struct fg_batch *rows = &world->rows.batch;
    uint32_t row = below(world, rows->span_count);
    uint32_t event = rows->event_count ? below(world, rows->event_count) : 0;
    uint32_t link = rows->link_count ? below(world, rows->link_count) : 0;
    uint64_t duration =
        rows->end_ns[row] > rows->start_ns[row] ? rows->end_ns[row] - rows->start_ns[row] : 0;
    leaf->op = ops[below(world, 11)];
    leaf->field = (enum fg_field)below(world, FG_FIELD_ATTR_ANY + 1);
    if (below(world, 3) == 0)
        leaf->field = below(world, 2) ? FG_FIELD_ATTR_SPAN : FG_FIELD_ATTR_ANY;
    switch (leaf->field) {
    case FG_FIELD_SERVICE:
        set_text(world, leaf, rows->resource_service[rows->resource[row]]);
        return;
    case FG_FIELD_NAME:
        set_text(world, leaf, rows->name[row]);
        return;
    case FG_FIELD_STATUS_MESSAGE:
        set_text(world, leaf, fg_column_u32(rows->status_message, row));
        return;
    case FG_FIELD_SCOPE_NAME:
        set_text(world, leaf, rows->scope_name[rows->scope[row]]);
        return;
    case FG_FIELD_SCOPE_VERSION:
        set_text(world, leaf, rows->scope_version[rows->scope[row]]);
        return;
    case FG_FIELD_EVENT_NAME:
        set_text(world, leaf, rows->event_count ? rows->event_name[event] : 0);
        return;
    case FG_FIELD_KIND:
        set_number(world, leaf, rows->kind[row], 2);
        return;
    case FG_FIELD_STATUS:
        set_number(world, leaf, rows->status[row], 2);
        return;
    case FG_FIELD_START:
        set_number(world, leaf, rows->start_ns[row], 1000);
        return;
    case FG_FIELD_DURATION:
        set_number(world, leaf, duration, 1000);
        return;
    case FG_FIELD_MARKS:
        leaf->op = leaf->op == FG_PRED_EXISTS ? FG_PRED_EXISTS : FG_PRED_EQ;
        leaf->type = FG_VALUE_INT;
        leaf->integer = fg_column_u16(rows->marks, row);
        return;
    case FG_FIELD_OPEN:
    case FG_FIELD_ROOT:
        leaf->op = below(world, 2) ? FG_PRED_EQ : FG_PRED_NE;
        leaf->type = FG_VALUE_BOOL;
        leaf->boolean = below(world, 2);
        return;
    case FG_FIELD_TRACE_ID:
        leaf->op = FG_PRED_EQ;
        leaf->trace_id.high = rows->trace_id_high[row];
        leaf->trace_id.low = rows->trace_id_low[row] + (below(world, 4) == 0);
        return;
    case FG_FIELD_SPAN_ID:
        leaf->op = FG_PRED_EQ;
        leaf->id = rows->span_id[row];
        return;
    case FG_FIELD_PARENT_SPAN_ID:
        leaf->op = FG_PRED_EQ;
        leaf->id = rows->parent_span_id[row];
        return;
    case FG_FIELD_ATTR_SPAN:
        set_attr(world, leaf, &rows->span_attrs, row, rows->span_count);
        return;
    case FG_FIELD_ATTR_RESOURCE:
        set_attr(world, leaf, &rows->resource_attrs, rows->resource[row], rows->resource_count);
        return;
    case FG_FIELD_ATTR_SCOPE:
        set_attr(world, leaf, &rows->scope_attrs, rows->scope[row], rows->scope_count);
        return;
    case FG_FIELD_ATTR_EVENT:
        set_attr(world, leaf, &rows->event_attrs, event, rows->event_count);
        return;
    case FG_FIELD_ATTR_LINK:
        set_attr(world, leaf, &rows->link_attrs, link, rows->link_count);
        return;
    case FG_FIELD_ATTR_ANY:
        if (below(world, 2))
            set_attr(world, leaf, &rows->span_attrs, row, rows->span_count);
        else
            set_attr(world, leaf, &rows->resource_attrs, rows->resource[row], rows->resource_count);
        return;
    }
}

static const struct fg_predicate *random_tree(struct world *world, uint32_t depth)
{
    struct fg_predicate *node = &world->nodes[world->node_count++];
    *node = (struct fg_predicate){0};
    uint32_t kind = depth ? below(world, 6) : 5;
    if (kind > 2 || world->node_count > NODES_MAX - 8) {
        fill_leaf(world, node);
        return node;
    }
    static const enum fg_predicate_op ops[] = {FG_PRED_AND, FG_PRED_OR, FG_PRED_NOT};
    const struct fg_predicate *children[3];
    node->op = ops[kind];
    node->child_count = node->op == FG_PRED_NOT ? 1 : 1 + below(world, 3);
    for (uint32_t i = 0; i < node->child_count; i++)
        children[i] = random_tree(world, depth - 1);
    node->children = &world->children[world->child_count];
    for (uint32_t i = 0; i < node->child_count; i++)
        world->children[world->child_count++] = children[i];
    return node;
}

/* -- Against the naive twin */

struct named {
    uint64_t *rows; /* a flag each */
    uint64_t key;
    bool newest_first;
    uint64_t pages;
};

static int on_page(void *arg, const struct fg_segment_page *page)
{
    struct named *named = arg;
    uint64_t key = named->newest_first ? ~page->start_ns_max : page->start_ns_min;
    assert_true(named->pages == 0 || key >= named->key);
    named->key = key;
    named->pages++;
    for (uint64_t row = page->row_begin; row < page->row_begin + page->row_count; row++) {
        assert_false(named->rows[row / 64] >> (row % 64) & 1);
        named->rows[row / 64] |= UINT64_C(1) << (row % 64);
    }
    return 0;
}

static uint64_t check_predicate(struct world *world, const struct fg_predicate *predicate,
                                uint64_t start_ns_min, uint64_t start_ns_max)
{
    const struct fg_batch *rows = &world->rows.batch;
    size_t words = rows->span_count / 64 + 1;
    uint64_t *expected = calloc(words, 8);
    struct named named = {.rows = calloc(words, 8), .newest_first = below(world, 2)};
    struct fg_matcher *matcher;
    assert_int_equal(fg_matcher_new(predicate, &matcher), 0);
    assert_int_equal(fg_matcher_bind(matcher, rows), 0);
    assert_int_equal(fg_matcher_run(matcher, 0, rows->span_count, expected), 0);
    fg_matcher_free(matcher);
    struct fg_prune_counters counters;
    assert_int_equal(fg_segment_prune(world->segment, predicate, start_ns_min, start_ns_max,
                                      named.newest_first, on_page, &named, &counters),
                     0);
    assert_int_equal(counters.pages - counters.pages_pruned, named.pages);
    assert_true(counters.row_groups == fg_segment_info(world->segment)->row_group_count);
    for (uint32_t row = 0; row < rows->span_count; row++) {
        bool matches = (expected[row / 64] >> (row % 64) & 1) &&
                       rows->start_ns[row] >= start_ns_min && rows->start_ns[row] < start_ns_max;
        if (matches && !(named.rows[row / 64] >> (row % 64) & 1))
            fail_msg("row %u matches and was passed over", row);
    }
    free(expected);
    free(named.rows);
    return named.pages;
}

static void no_matching_row_is_passed_over(void **state)
{
    (void)state;
    const char *seed = getenv("FG_TEST_SEED");
    uint64_t base = seed ? strtoull(seed, NULL, 0) * 1000 : 0;
    uint64_t pruned = 0, tried = 0;
    for (uint64_t round = 1; round <= 7; round++) {
        struct random_batch_options options = random_batch_options_default(base + round);
        /* the last has row groups so large that values are in filters, and several pages each */
        options.span_count = round == 7 ? 16000 : round % 2 ? 300 : 1200;
        options.odd_percent = (uint32_t)(round * 5);
        struct world world;
        world_init(&world, &options, round == 7 ? 9000 : round % 2 ? 20 : 150);
        const struct fg_batch *rows = &world.rows.batch;
        for (int i = 0; i < 400; i++) {
            world.node_count = world.child_count = 0;
            const struct fg_predicate *tree = random_tree(&world, (uint32_t)i % 4);
            struct fg_arena arena;
            fg_arena_init(&arena, 1 << 16);
            const char *message = NULL;
            int valid = fg_predicate_check(tree, &arena, &message);
            uint64_t from = i % 3 ? 0 : rows->start_ns[below(&world, rows->span_count)];
            uint64_t to = i % 5 ? UINT64_MAX : rows->start_ns[below(&world, rows->span_count)];
            if (valid == 0) {
                pruned += check_predicate(&world, tree, from, to) == 0;
                tried++;
            }
            fg_arena_free(&arena);
        }
        world_free(&world);
    }
    assert_true(tried > 1000);
    assert_true(pruned > 100);
}

static int count_page(void *arg, const struct fg_segment_page *page)
{
    (void)page;
    (*(uint64_t *)arg)++;
    return 0;
}

static struct fg_prune_counters prune(struct world *world, const struct fg_predicate *predicate,
                                      uint64_t *ret_pages)
{
    struct fg_prune_counters counters;
    *ret_pages = 0;
    assert_int_equal(fg_segment_prune(world->segment, predicate, 0, UINT64_MAX, true, count_page,
                                      ret_pages, &counters),
                     0);
    return counters;
}

/* Each is somewhere, but for the one that is not, in few row groups. */
static void a_rare_value_is_looked_for_in_few_row_groups(void **state)
{
    (void)state;
    struct random_batch_options options = random_batch_options_default(5);
    options.span_count = 6000;
    struct world world;
    world_init(&world, &options, 300);
    const struct fg_batch *rows = &world.rows.batch;
    uint64_t pages, groups = fg_segment_info(world.segment)->row_group_count, asked = 0, left = 0;
    struct fg_predicate leaf = {.op = FG_PRED_EQ, .field = FG_FIELD_ATTR_SPAN};
    for (uint32_t row = 0; row < rows->span_count; row += 31) {
        uint32_t i = rows->span_attrs.begin[row], end = rows->span_attrs.begin[row + 1];
        for (; i < end; i++) {
            /* any number that is in one row only */
            uint32_t uses = 0;
            if (rows->span_attrs.type[i] != FG_VALUE_INT)
                continue;
            for (uint32_t k = 0; k < rows->span_attrs.count; k++)
                uses += rows->span_attrs.value[k] == rows->span_attrs.value[i] &&
                        rows->span_attrs.key[k] == rows->span_attrs.key[i];
            if (uses > 1)
                continue;
            leaf.key = rows->strings[rows->span_attrs.key[i]];
            leaf.type = FG_VALUE_INT;
            leaf.integer = (int64_t)rows->span_attrs.value[i];
            struct fg_prune_counters counters = prune(&world, &leaf, &pages);
            assert_true(pages >= 1);
            asked++;
            left +=
                groups - counters.row_groups_pruned_statistics - counters.row_groups_pruned_filter;
        }
    }
    assert_true(asked > 20);
    assert_true(left < asked * 2);
    world_free(&world);
}

static void what_is_nowhere_costs_no_page(void **state)
{
    (void)state;
    struct random_batch_options options = random_batch_options_default(6);
    options.span_count = 3000;
    struct world world;
    world_init(&world, &options, 500);
    struct fg_predicate leaf = {.op = FG_PRED_EQ, .field = FG_FIELD_NAME, .type = FG_VALUE_STRING};
    leaf.string = FG_SLICE("a name that no span has");
    uint64_t pages;
    struct fg_prune_counters counters = prune(&world, &leaf, &pages);
    assert_int_equal(pages, 0);
    assert_int_equal(counters.pages, 0);
    leaf.field = FG_FIELD_ATTR_ANY;
    leaf.key = FG_SLICE("no.such.key");
    prune(&world, &leaf, &pages);
    assert_int_equal(pages, 0);
    leaf.op = FG_PRED_REGEX;
    leaf.field = FG_FIELD_NAME;
    leaf.string = FG_SLICE("^a name that no");
    prune(&world, &leaf, &pages);
    assert_int_equal(pages, 0);
    /* a service's name and another's span, each of which is there */
    struct fg_predicate duration = {.op = FG_PRED_GT,
                                    .field = FG_FIELD_DURATION,
                                    .type = FG_VALUE_INT,
                                    .integer = INT64_MAX / 2};
    prune(&world, &duration, &pages);
    assert_int_equal(pages, 0);
    /* from the cache nothing is read again */
    prune(&world, &leaf, &pages);
    counters = prune(&world, &leaf, &pages);
    assert_int_equal(counters.bytes_read, 0);
    world_free(&world);
}

static int stop_at_once(void *arg, const struct fg_segment_page *page)
{
    (void)arg;
    (void)page;
    return 17;
}

static void the_callers_word_ends_it(void **state)
{
    (void)state;
    struct random_batch_options options = random_batch_options_default(7);
    options.span_count = 2000;
    struct world world;
    world_init(&world, &options, 100);
    struct fg_prune_counters counters;
    assert_int_equal(
        fg_segment_prune(world.segment, NULL, 0, UINT64_MAX, true, stop_at_once, NULL, &counters),
        17);
    assert_true(counters.pages <= 8); /* not all 20 or more */
    world_free(&world);
}

/* -- Texts that are a page's own */

#define TEXT_SPANS 40000u

static void put_text(struct fg_builder *builder, const char *key, const char *text)
{
    struct fg_value value = {.type = FG_VALUE_STRING, .bytes = fg_slice_from_string(text)};
    assert_int_equal(fg_builder_span_attr(builder, fg_slice_from_string(key), &value), 0);
}

/* Spans one after another, each with a path that no other has, and each fourth with an event and a
 * status message of that kind. */
static void world_of_texts(struct world *world)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_span span = {.name = FG_SLICE("n")};
    char text[64];
    limits.bytes_max = (uint64_t)1 << 30;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &span.resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &span.scope), 0);
    for (uint32_t i = 0; i < TEXT_SPANS; i++) {
        snprintf(text, sizeof text, "/orders/ORD-%08u/%08x", i, i * 2654435761u);
        span.trace_id_low = span.span_id = i + 1;
        span.start_ns = UINT64_C(1764000000000000000) + i * 1000;
        span.end_ns = span.start_ns + 10;
        span.status = FG_STATUS_ERROR;
        span.status_message = i % 4 ? FG_SLICE("") : fg_slice_from_string(text);
        assert_int_equal(fg_builder_span_begin(builder), 0);
        put_text(builder, "url.path", text);
        if (i % 4 == 0) {
            struct fg_value value = {.type = FG_VALUE_STRING, .bytes = fg_slice_from_string(text)};
            assert_int_equal(fg_builder_event_begin(builder), 0);
            assert_int_equal(fg_builder_event_attr(builder, FG_SLICE("url.path"), &value), 0);
            assert_int_equal(fg_builder_event_end(builder, span.start_ns, FG_SLICE("e"), 0), 0);
        }
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
    }
    *world = (struct world){.rows = segment_rows_order(builder)};
    fg_builder_free(builder);
    assert_int_equal(fg_sim_new(1, &world->sim), 0);
    assert_int_equal(fg_cache_new(4 << 20, &world->cache), 0);
    segment_rows_write(&world->rows, fg_sim_env(world->sim), SEGMENT_PATH, TEXT_SPANS);
    assert_int_equal(
        fg_segment_open(fg_sim_env(world->sim), SEGMENT_PATH, world->cache, &world->segment), 0);
}

/* A pattern is tried on a page's own texts before the page is decoded: none that lacks it is named,
 * and where most have it the texts are not read in vain. */
static void texts_rule_out_their_pages(void **state)
{
    (void)state;
    static const enum fg_field fields[] = {FG_FIELD_ATTR_SPAN, FG_FIELD_ATTR_ANY,
                                           FG_FIELD_ATTR_EVENT, FG_FIELD_STATUS_MESSAGE};
    struct world world;
    uint64_t pages;
    world_of_texts(&world);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct fg_predicate leaf = {.op = FG_PRED_REGEX,
                                    .field = fields[i],
                                    .key = FG_SLICE("url.path"),
                                    .type = FG_VALUE_STRING,
                                    .string = FG_SLICE("ORD-[0-9]+x")};
        const struct fg_predicate *child = &leaf;
        struct fg_predicate not = {.op = FG_PRED_NOT, .children = &child, .child_count = 1};
        check_predicate(&world, &leaf, 0, UINT64_MAX);
        struct fg_prune_counters none = prune(&world, &leaf, &pages);
        assert_int_equal(pages, 0);
        assert_true(none.pages >= 4);
        leaf.string = FG_SLICE("ORD-0+20000/");
        check_predicate(&world, &leaf, 0, UINT64_MAX);
        prune(&world, &leaf, &pages);
        assert_int_equal(pages, 1);
        leaf.op = FG_PRED_EQ; /* and so is what a filter let pass */
        leaf.string = world.rows.batch.strings[world.rows.batch.span_attrs.value[20000]];
        prune(&world, &leaf, &pages);
        assert_int_equal(pages, 1);
        leaf.op = FG_PRED_REGEX;
        leaf.string = FG_SLICE("ORD");
        check_predicate(&world, &leaf, 0, UINT64_MAX);
        struct fg_prune_counters all = prune(&world, &leaf, &pages);
        assert_int_equal(pages, none.pages);
        assert_true(all.bytes_read < none.bytes_read);
        check_predicate(&world, &not, 0, UINT64_MAX);
    }
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_matching_row_is_passed_over),
        cmocka_unit_test(a_rare_value_is_looked_for_in_few_row_groups),
        cmocka_unit_test(what_is_nowhere_costs_no_page),
        cmocka_unit_test(the_callers_word_ends_it),
        cmocka_unit_test(texts_rule_out_their_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
