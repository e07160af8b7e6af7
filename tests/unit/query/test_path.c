/* query/skew.h and query/critical_path.h, on small traces whose answers can be seen. */
#include "query/critical_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROWS_MAX 200000

struct rows {
    struct fg_batch batch;
    uint64_t id[ROWS_MAX], parent[ROWS_MAX], start[ROWS_MAX], end[ROWS_MAX];
    uint32_t resource[ROWS_MAX];
    uint8_t kind[ROWS_MAX];
};

static struct rows rows;
static struct fg_arena arena;
static struct fg_tree tree;

static void begin(void)
{
    fg_arena_free(&arena);
    fg_arena_init(&arena, 256 << 20);
    rows.batch = (struct fg_batch){.span_id = rows.id,
                                   .parent_span_id = rows.parent,
                                   .start_ns = rows.start,
                                   .end_ns = rows.end,
                                   .resource = rows.resource,
                                   .kind = rows.kind};
}

/* Ids are row + 1; parent 0: none. */
static uint32_t add(uint64_t parent, uint32_t resource, enum fg_span_kind kind, uint64_t start,
                    uint64_t end)
{
    uint32_t row = rows.batch.span_count++;
    rows.id[row] = row + 1;
    rows.parent[row] = parent;
    rows.resource[row] = resource;
    rows.kind[row] = (uint8_t)kind;
    rows.start[row] = start;
    rows.end[row] = end;
    return row;
}

static struct fg_skew skew_of_all(void)
{
    struct fg_skew skew;
    assert_int_equal(fg_tree_build(&rows.batch, &arena, &tree), 0);
    assert_int_equal(fg_skew_find(&rows.batch, &tree, &arena, &skew), 0);
    return skew;
}

static void expect_path(const struct fg_skew *skew, const struct fg_path_piece *pieces,
                        uint32_t count)
{
    struct fg_critical_path path;
    assert_int_equal(fg_tree_build(&rows.batch, &arena, &tree), 0);
    assert_int_equal(fg_critical_path_find(&rows.batch, &tree, skew, 5000, &arena, &path), 0);
    assert_int_equal(path.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(path.pieces[i].row, pieces[i].row);
        assert_int_equal(path.pieces[i].is_queue, pieces[i].is_queue);
        assert_int_equal(path.pieces[i].start_ns, pieces[i].start_ns);
        assert_int_equal(path.pieces[i].end_ns, pieces[i].end_ns);
    }
}

static void test_skew(void **state)
{
    (void)state;
    begin();
    add(0, 0, FG_SPAN_KIND_CLIENT, 1000, 1100); /* 0 */
    add(1, 1, FG_SPAN_KIND_SERVER, 5000, 5060); /* 1: another host, centred at 1020 */
    add(2, 1, FG_SPAN_KIND_CLIENT, 5010, 5050); /* 2: the same host moves along */
    add(3, 2, FG_SPAN_KIND_SERVER, 1035, 1045); /* 3: fits where its parent was moved to */
    add(1, 3, FG_SPAN_KIND_SERVER, 900, 1200);  /* 4: longer than its parent: to its begin */
    add(1, 0, FG_SPAN_KIND_INTERNAL, 700, 800); /* 5: the same clock: what it says is so */
    struct fg_skew skew = skew_of_all();
    assert_int_equal(skew.shift_ns[0], 0);
    assert_int_equal(skew.shift_ns[1], 1020 - 5000);
    assert_int_equal(skew.shift_ns[2], 1020 - 5000);
    assert_int_equal(skew.shift_ns[3], 0);
    assert_int_equal(skew.shift_ns[4], 100);
    assert_int_equal(skew.shift_ns[5], 0);
    assert_int_equal(skew.adjusted_count, 2);
}

static void test_skew_stops_at_queues(void **state)
{
    (void)state;
    begin();
    add(0, 0, FG_SPAN_KIND_PRODUCER, 1000, 1010);
    add(1, 1, FG_SPAN_KIND_CONSUMER, 900, 950);
    add(1, 2, FG_SPAN_KIND_SERVER, 2000, 2100);
    add(0, 3, FG_SPAN_KIND_CLIENT, 1000, 0); /* open */
    add(4, 4, FG_SPAN_KIND_SERVER, 100, 200);
    struct fg_skew skew = skew_of_all();
    for (uint32_t row = 0; row < 5; row++)
        assert_int_equal(skew.shift_ns[row], 0);
    assert_int_equal(skew.adjusted_count, 0);
}

static void test_path_of_calls(void **state)
{
    (void)state;
    begin();
    add(0, 0, FG_SPAN_KIND_SERVER, 0, 100);
    add(1, 0, FG_SPAN_KIND_CLIENT, 10, 40);    /* 1: before 3 */
    add(1, 0, FG_SPAN_KIND_CLIENT, 20, 35);    /* 2: beside 1, shorter: not on the path */
    add(1, 0, FG_SPAN_KIND_CLIENT, 50, 90);    /* 3 */
    add(4, 0, FG_SPAN_KIND_INTERNAL, 60, 80);  /* 4: in 3 */
    add(1, 0, FG_SPAN_KIND_INTERNAL, 95, 140); /* 5: outlives its parent: cut at its end */
    const struct fg_path_piece pieces[] = {
        {0, false, 0, 10},  {1, false, 10, 40}, {0, false, 40, 50}, {3, false, 50, 60},
        {4, false, 60, 80}, {3, false, 80, 90}, {0, false, 90, 95}, {5, false, 95, 100}};
    expect_path(NULL, pieces, sizeof pieces / sizeof *pieces);
}

static void test_path_through_a_queue(void **state)
{
    (void)state;
    begin();
    add(0, 0, FG_SPAN_KIND_SERVER, 0, 50);
    add(1, 0, FG_SPAN_KIND_PRODUCER, 30, 40);   /* 1 */
    add(2, 1, FG_SPAN_KIND_CONSUMER, 300, 400); /* 2: waited from 40 to 300 */
    add(3, 1, FG_SPAN_KIND_CLIENT, 320, 380);   /* 3 */
    const struct fg_path_piece pieces[] = {{0, false, 0, 30},    {1, false, 30, 40},
                                           {2, true, 40, 300},   {2, false, 300, 320},
                                           {3, false, 320, 380}, {2, false, 380, 400}};
    expect_path(NULL, pieces, sizeof pieces / sizeof *pieces);
}

static void test_path_of_open_and_moved_spans(void **state)
{
    (void)state;
    begin();
    add(0, 0, FG_SPAN_KIND_CLIENT, 4000, 0); /* open: to 5000 */
    add(1, 0, FG_SPAN_KIND_INTERNAL, 4500, 0);
    const struct fg_path_piece open[] = {{0, false, 4000, 4500}, {1, false, 4500, 5000}};
    expect_path(NULL, open, 2);
    begin();
    add(0, 0, FG_SPAN_KIND_CLIENT, 1000, 1100);
    add(1, 1, FG_SPAN_KIND_SERVER, 9000, 9060);
    struct fg_skew skew = skew_of_all();
    const struct fg_path_piece moved[] = {
        {0, false, 1000, 1020}, {1, false, 1020, 1080}, {0, false, 1080, 1100}};
    expect_path(&skew, moved, 3);
}

/* Pieces follow each other without gap or overlap from the root's begin to its reach, whatever the
 * trace looks like. */
static void test_any_trace(void **state)
{
    (void)state;
    srand(11);
    for (unsigned round = 0; round < 500; round++) {
        begin();
        uint32_t count = 1 + (uint32_t)rand() % 60;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t start = 1000 + (uint64_t)rand() % 1000;
            add(i == 0 ? 0 : 1 + (uint64_t)rand() % i, (uint32_t)rand() % 4,
                (enum fg_span_kind)(rand() % 6), start, start + (uint64_t)rand() % 400);
        }
        struct fg_skew skew = skew_of_all();
        struct fg_critical_path path;
        assert_int_equal(fg_critical_path_find(&rows.batch, &tree, round % 2 ? &skew : NULL, 5000,
                                               &arena, &path),
                         0);
        for (uint32_t i = 0; i < path.count; i++)
            assert_true(path.pieces[i].end_ns > path.pieces[i].start_ns);
        for (uint32_t i = 1; i < path.count; i++)
            assert_true(path.pieces[i].start_ns >= path.pieces[i - 1].end_ns);
    }
}

static void test_deep_and_wide(void **state)
{
    (void)state;
    begin();
    for (uint32_t i = 0; i < 100000; i++)
        add(i, 0, FG_SPAN_KIND_INTERNAL, i, 400000 - i);
    for (uint32_t i = 0; i < 50000; i++)
        add(1, 0, FG_SPAN_KIND_INTERNAL, 5, 6);
    struct fg_critical_path path;
    assert_int_equal(fg_tree_build(&rows.batch, &arena, &tree), 0);
    assert_int_equal(fg_critical_path_find(&rows.batch, &tree, NULL, 0, &arena, &path), 0);
    assert_int_equal(path.count, 2 * 99999 + 1);
}

static void test_small_arena(void **state)
{
    (void)state;
    begin();
    add(0, 0, FG_SPAN_KIND_SERVER, 0, 100);
    add(1, 0, FG_SPAN_KIND_CLIENT, 10, 40);
    struct fg_skew skew;
    struct fg_critical_path path;
    assert_int_equal(fg_tree_build(&rows.batch, &arena, &tree), 0);
    for (size_t size = 0; size < 200; size += 8) {
        struct fg_arena small;
        fg_arena_init(&small, size);
        int r = fg_critical_path_find(&rows.batch, &tree, NULL, 0, &small, &path);
        assert_true(r == FG_ELIMIT);
        fg_arena_free(&small);
    }
    struct fg_arena none;
    fg_arena_init(&none, 0);
    assert_int_equal(fg_skew_find(&rows.batch, &tree, &none, &skew), FG_ELIMIT);
    fg_arena_free(&none);
}

static int tear_down(void **state)
{
    (void)state;
    fg_arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_skew),
        cmocka_unit_test(test_skew_stops_at_queues),
        cmocka_unit_test(test_path_of_calls),
        cmocka_unit_test(test_path_through_a_queue),
        cmocka_unit_test(test_path_of_open_and_moved_spans),
        cmocka_unit_test(test_any_trace),
        cmocka_unit_test(test_deep_and_wide),
        cmocka_unit_test(test_small_arena),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
