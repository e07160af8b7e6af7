/* span/tree.h: well-formed trees, and those that senders and losses make. */
#include "query/summary.h"
#include "span/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROWS_MAX 200000

/* A batch's columns that a tree reads, filled row by row. */
struct rows {
    struct fg_batch batch;
    uint64_t trace_high[ROWS_MAX], trace_low[ROWS_MAX];
    uint64_t id[ROWS_MAX], parent[ROWS_MAX], start[ROWS_MAX], end[ROWS_MAX];
    uint32_t name[ROWS_MAX], resource[ROWS_MAX];
    uint16_t marks[ROWS_MAX];
    uint8_t status[ROWS_MAX];
};

static struct rows rows;

static const struct fg_slice strings[] = {{NULL, 0},
                                          {(const uint8_t *)"shop", 4},
                                          {(const uint8_t *)"mes", 3},
                                          {(const uint8_t *)"order", 5}};
static const uint32_t services[] = {1, 2, 1};

static void begin(void)
{
    rows.batch = (struct fg_batch){.strings = strings,
                                   .string_count = 4,
                                   .resource_count = 3,
                                   .resource_service = services,
                                   .trace_id_high = rows.trace_high,
                                   .trace_id_low = rows.trace_low,
                                   .span_id = rows.id,
                                   .parent_span_id = rows.parent,
                                   .start_ns = rows.start,
                                   .end_ns = rows.end,
                                   .name = rows.name,
                                   .resource = rows.resource,
                                   .marks = rows.marks,
                                   .status = rows.status};
}

static uint32_t add(uint64_t id, uint64_t parent, uint64_t start)
{
    uint32_t row = rows.batch.span_count++;
    rows.id[row] = id;
    rows.parent[row] = parent;
    rows.start[row] = start;
    rows.end[row] = start + 10;
    rows.name[row] = 3;
    rows.resource[row] = 0;
    rows.marks[row] = 0;
    rows.status[row] = 0;
    return row;
}

static struct fg_arena arena;

static struct fg_tree build(void)
{
    struct fg_tree tree;
    fg_arena_free(&arena);
    fg_arena_init(&arena, 64 << 20);
    assert_int_equal(fg_tree_build(&rows.batch, &arena, &tree), 0);
    return tree;
}

static void siblings_stand_by_start(void **state)
{
    (void)state;
    begin();
    add(3, 1, 30);
    add(1, 0, 10);
    add(4, 2, 25);
    add(2, 1, 20);
    struct fg_tree tree = build();
    const uint32_t order[] = {1, 3, 2, 0}, depth[] = {1, 0, 2, 1};
    assert_memory_equal(tree.order, order, sizeof order);
    assert_memory_equal(tree.depth, depth, sizeof depth);
    assert_int_equal(tree.root, 1);
    assert_int_equal(tree.parent[1], FG_TREE_NONE);
    assert_int_equal(tree.parent[2], 3);
}

static void a_missing_parent_makes_a_root_of_its_own(void **state)
{
    (void)state;
    begin();
    add(5, 99, 5); /* earlier than the root, its parent unknown */
    add(1, 0, 10);
    add(2, 1, 20);
    struct fg_tree tree = build();
    assert_int_equal(tree.root, 1);
    assert_int_equal(tree.depth[0], 0);
    assert_int_equal(tree.order[0], 0);

    begin();
    add(6, 99, 7);
    add(5, 98, 5);
    assert_int_equal(build().root, 1);
}

static void circles_are_cut(void **state)
{
    (void)state;
    begin();
    add(1, 2, 10);
    add(2, 3, 20);
    add(3, 1, 5);
    add(4, 4, 1); /* its own parent */
    add(5, 2, 3); /* hangs below the circle, and starts before it */
    struct fg_tree tree = build();
    assert_int_equal(tree.parent[4], 1);
    bool seen[5] = {0};
    for (uint32_t i = 0; i < 5; i++)
        seen[tree.order[i]] = true;
    for (uint32_t i = 0; i < 5; i++)
        assert_true(seen[i]);
    assert_int_equal(tree.parent[2], FG_TREE_NONE);
    assert_int_equal(tree.depth[2], 0);
    assert_int_equal(tree.depth[1], 1);
    assert_int_equal(tree.depth[0], 2);
    assert_int_equal(tree.parent[3], FG_TREE_NONE);
}

static void shared_spans_hang_below_the_clients_half(void **state)
{
    (void)state;
    begin();
    uint32_t root = add(1, 0, 10);
    uint32_t client = add(2, 1, 20);
    uint32_t server = add(2, 1, 21);
    rows.marks[server] = FG_MARK_SHARED;
    rows.resource[server] = 1;
    uint32_t below = add(3, 2, 22); /* in the server's process */
    rows.resource[below] = 1;
    struct fg_tree tree = build();
    assert_int_equal(tree.parent[client], root);
    assert_int_equal(tree.parent[server], client);
    assert_int_equal(tree.parent[below], server);
}

static void depth_costs_no_stack(void **state)
{
    (void)state;
    begin();
    for (uint32_t i = 0; i < 100000; i++)
        add(i + 1, i, 1000 + i);
    struct fg_tree tree = build();
    assert_int_equal(tree.depth[99999], 99999);
    assert_int_equal(tree.order[99999], 99999);
}

/* Whatever the parents are: each row once, parents before children, one deeper. */
static void any_rows_make_a_tree(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 2000; round++) {
        begin();
        int count = 1 + rand() % 12;
        for (int i = 0; i < count; i++) {
            uint32_t row =
                add((uint64_t)(1 + rand() % 8), (uint64_t)(rand() % 9), (uint64_t)(rand() % 5));
            rows.marks[row] = rand() % 4 == 0 ? FG_MARK_SHARED : 0;
            rows.resource[row] = (uint32_t)(rand() % 3);
        }
        struct fg_tree tree = build();
        uint32_t place[12];
        memset(place, 0xff, sizeof place);
        for (uint32_t i = 0; i < tree.count; i++) {
            assert_int_equal(place[tree.order[i]], UINT32_MAX);
            place[tree.order[i]] = i;
        }
        for (uint32_t i = 0; i < tree.count; i++) {
            uint32_t parent = tree.parent[i];
            if (parent == FG_TREE_NONE) {
                assert_int_equal(tree.depth[i], 0);
                continue;
            }
            assert_true(place[parent] < place[i]);
            assert_int_equal(tree.depth[i], tree.depth[parent] + 1);
        }
    }
}

/* What tree.h promises of a parent, looked for the slow way. */
static uint32_t naive_parent(uint32_t row)
{
    const struct fg_batch *batch = &rows.batch;
    uint32_t best = FG_TREE_NONE, half = FG_TREE_NONE;
    for (uint32_t i = 0; i < batch->span_count; i++) {
        bool is_half = rows.id[i] == rows.id[row] && !(rows.marks[i] & FG_MARK_SHARED);
        if (is_half && (half == FG_TREE_NONE || rows.start[i] < rows.start[half]))
            half = i;
        if (rows.parent[row] == 0 || rows.id[i] != rows.parent[row] || i == row)
            continue;
        if (best == FG_TREE_NONE) {
            best = i;
            continue;
        }
        bool near = rows.resource[i] == rows.resource[row];
        bool best_near = rows.resource[best] == rows.resource[row];
        bool before = rows.start[i] <= rows.start[row];
        bool best_before = rows.start[best] <= rows.start[row];
        if (near != best_near)
            best = near ? i : best;
        else if (before != best_before)
            best = before ? i : best;
        else if (before ? rows.start[i] >= rows.start[best] : rows.start[i] < rows.start[best])
            best = i;
    }
    return (rows.marks[row] & FG_MARK_SHARED) && half != FG_TREE_NONE ? half : best;
}

/* Starts are all different, since rows that start together are equally good parents. */
static void many_spans_of_one_id_find_the_same_parents(void **state)
{
    (void)state;
    srand(8);
    for (int round = 0; round < 300; round++) {
        begin();
        int count = 20 + rand() % 60, ids = 1 + rand() % 4;
        for (int i = 0; i < count; i++) {
            uint64_t start = (uint64_t)(i * 37 % 97);
            uint32_t row = add((uint64_t)(1 + rand() % ids), (uint64_t)(100 + rand() % ids), start);
            if (rand() % 2)
                rows.id[row] += 99;
            rows.marks[row] = rand() % 4 == 0 ? FG_MARK_SHARED : 0;
            rows.resource[row] = (uint32_t)(rand() % 3);
        }
        struct fg_tree tree = build();
        for (uint32_t i = 0; i < tree.count; i++)
            if (tree.parent[i] != FG_TREE_NONE || tree.depth[i] != 0)
                assert_int_equal(tree.parent[i], naive_parent(i));
    }
}

/* Looked at one by one these would be 10^10 comparisons. */
static void a_hundred_thousand_of_one_id_are_no_square(void **state)
{
    (void)state;
    begin();
    for (uint32_t i = 0; i < 100000; i++)
        rows.marks[add(1, 0, 1000 + i)] = i ? FG_MARK_SHARED : 0;
    for (uint32_t i = 0; i < 100000; i++)
        rows.resource[add(2, 1, 2000 + i)] = 1;
    struct fg_tree tree = build();
    assert_int_equal(tree.parent[99999], 0);
    assert_int_equal(tree.parent[100000], 1000);
    assert_int_equal(tree.parent[199999], 99999);
}

static void an_arena_that_is_full_is_a_limit(void **state)
{
    (void)state;
    begin();
    for (uint32_t i = 0; i < 1000; i++)
        add(i + 1, 0, i);
    struct fg_arena small;
    fg_arena_init(&small, 10000);
    struct fg_tree tree;
    assert_int_equal(fg_tree_build(&rows.batch, &small, &tree), FG_ELIMIT);
    fg_arena_free(&small);
}

static void a_summary_counts_by_service(void **state)
{
    (void)state;
    begin();
    add(1, 0, 100);
    rows.resource[add(2, 1, 110)] = 1;
    rows.status[add(3, 1, 90)] = FG_STATUS_ERROR;
    rows.resource[1] = 1;
    uint32_t open = add(4, 1, 500);
    rows.end[open] = 0;
    rows.resource[open] = 2; /* another process of the same service */
    fg_arena_free(&arena);
    fg_arena_init(&arena, 1 << 20);
    struct fg_trace_summary summary;
    assert_int_equal(fg_trace_summarize(&rows.batch, &arena, &summary), 0);
    assert_int_equal(summary.start_ns, 90);
    assert_int_equal(summary.duration_ns, 30);
    assert_int_equal(summary.span_count, 4);
    assert_int_equal(summary.error_count, 1);
    assert_int_equal(summary.open_count, 1);
    assert_true(summary.has_root);
    assert_true(fg_slice_equal(summary.root_service, FG_SLICE("shop")));
    assert_true(fg_slice_equal(summary.root_name, FG_SLICE("order")));
    assert_int_equal(summary.service_count, 2);
    assert_true(fg_slice_equal(summary.services[0].service, FG_SLICE("shop")));
    assert_int_equal(summary.services[0].span_count, 3);
    assert_int_equal(summary.services[0].error_count, 1);
    assert_int_equal(summary.services[1].span_count, 1);
}

static int free_arena(void **state)
{
    (void)state;
    fg_arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siblings_stand_by_start),
        cmocka_unit_test(a_missing_parent_makes_a_root_of_its_own),
        cmocka_unit_test(circles_are_cut),
        cmocka_unit_test(shared_spans_hang_below_the_clients_half),
        cmocka_unit_test(depth_costs_no_stack),
        cmocka_unit_test(any_rows_make_a_tree),
        cmocka_unit_test(many_spans_of_one_id_find_the_same_parents),
        cmocka_unit_test(a_hundred_thousand_of_one_id_are_no_square),
        cmocka_unit_test(an_arena_that_is_full_is_a_limit),
        cmocka_unit_test(a_summary_counts_by_service),
    };
    return cmocka_run_group_tests(tests, NULL, free_arena);
}
