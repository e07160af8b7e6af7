/* fg_builder_copy() and fg_remap: rows of many batches, in any order, come out as they were. */
#include "fail_alloc.h"
#include "random_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct fg_builder *new_builder(uint64_t bytes_max)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    if (bytes_max)
        limits.bytes_max = bytes_max;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    return builder;
}

static struct fg_remap *new_remap(void)
{
    struct fg_remap *remap;
    assert_int_equal(fg_remap_new(&remap), 0);
    return remap;
}

static struct fg_builder *random_builder(uint64_t seed, uint32_t span_count, struct fg_batch *batch)
{
    struct fg_builder *builder = new_builder(0);
    struct random_batch_options options = random_batch_options_default(seed);
    options.span_count = span_count;
    random_batch_fill(builder, &options);
    fg_builder_view(builder, batch);
    return builder;
}

#define SOURCES 5

/* Rows of several sources whose remaps are all alive. */
static void rows_come_out_as_they_were(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct test_random random = {.state = seed};
        struct fg_builder *sources[SOURCES], *target = new_builder(0);
        struct fg_batch batches[SOURCES], copy;
        struct fg_remap *remaps[SOURCES];
        struct {
            uint32_t source, row;
        } order[600];
        for (uint32_t i = 0; i < SOURCES; i++) {
            /* two of them with the same resources */
            sources[i] = random_builder(seed * 10 + i / 2, 1 + i * 50, &batches[i]);
            remaps[i] = new_remap();
        }
        for (int round = 0; round < 2; round++) {
            for (uint32_t i = 0; i < SOURCES; i++)
                assert_int_equal(fg_remap_begin(remaps[i], target, &batches[i]), 0);
            for (uint32_t i = 0; i < 600; i++) {
                order[i].source = test_random_below(&random, SOURCES);
                const struct fg_batch *batch = &batches[order[i].source];
                order[i].row = test_random_below(&random, batch->span_count);
                assert_int_equal(fg_builder_copy(target, remaps[order[i].source], batch,
                                                 order[i].row, i % 3 ? 0 : FG_MARK_CONFLICT),
                                 0);
            }
            fg_builder_view(target, &copy);
            assert_int_equal(copy.span_count, 600);
            for (uint32_t i = 0; i < 600; i++) {
                const struct fg_batch *from = &batches[order[i].source];
                assert_null(batch_rows_differ(&copy, i, from, order[i].row, FG_MARK_CONFLICT));
                uint16_t marks = fg_column_u16(from->marks, order[i].row);
                assert_int_equal(fg_column_u16(copy.marks, i),
                                 i % 3 ? marks : marks | FG_MARK_CONFLICT);
            }
            fg_builder_reset(target);
        }
        for (uint32_t i = 0; i < SOURCES; i++) {
            fg_builder_free(sources[i]);
            fg_remap_free(remaps[i]);
        }
        fg_builder_free(target);
    }
}

static void what_is_equal_is_there_once(void **state)
{
    (void)state;
    struct fg_batch a, b, copy;
    struct fg_builder *first = random_builder(3, 200, &a), *second = random_builder(3, 200, &b);
    struct fg_builder *target = new_builder(0);
    struct fg_remap *remap = new_remap();
    const struct fg_batch *both[] = {&a, &b};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fg_remap_begin(remap, target, both[i]), 0);
        for (uint32_t row = 0; row < 200; row++)
            assert_int_equal(fg_builder_copy(target, remap, both[i], row, 0), 0);
    }
    fg_builder_view(target, &copy);
    assert_true(copy.resource_count <= a.resource_count);
    assert_true(copy.scope_count <= a.scope_count);
    assert_true(copy.string_count <= a.string_count);
    for (uint32_t row = 0; row < 200; row++) {
        assert_int_equal(copy.resource[row], copy.resource[200 + row]);
        assert_int_equal(copy.scope[row], copy.scope[200 + row]);
        assert_int_equal(copy.name[row], copy.name[200 + row]);
    }
    fg_builder_free(first);
    fg_builder_free(second);
    fg_builder_free(target);
    fg_remap_free(remap);
}

/* Pages of one segment: the first strings are shared, the others are each page's own. */
static void an_epoch_covers_no_more_than_its_strings(void **state)
{
    (void)state;
    struct fg_batch first, copy;
    struct fg_builder *source = random_builder(4, 150, &first), *target = new_builder(0);
    struct fg_remap *remap = new_remap();
    uint32_t count = first.string_count;
    struct fg_slice *strings = malloc(count * sizeof *strings);
    assert_non_null(strings);
    struct fg_batch pages[4];
    for (int i = 0; i < 4; i++)
        pages[i] = first;
    pages[0].string_epoch = pages[1].string_epoch = pages[2].string_epoch = 77;
    pages[0].stable_string_count = count / 2;
    pages[1].stable_string_count = count / 2;
    pages[2].stable_string_count = count / 4; /* of its own sooner */
    pages[3].string_epoch = 78;
    pages[3].stable_string_count = count / 2;
    /* Pages 1 to 3 have other strings where page 0's promise ends. */
    memcpy(strings, first.strings, count * sizeof *strings);
    for (uint32_t i = count / 2; i < count; i++)
        strings[i] = first.strings[count - 1 - (i - count / 2)];
    pages[1].strings = strings;
    struct fg_slice *others = malloc(count * sizeof *others);
    assert_non_null(others);
    for (uint32_t i = 0; i < count; i++)
        others[i] = first.strings[i < count / 4 ? i : count - 1 - (i - count / 4)];
    pages[2].strings = others;
    pages[3].strings = others;

    static const int order[] = {0, 1, 0, 2, 1, 3, 0, 3, 2};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const struct fg_batch *page = &pages[order[i]];
        assert_int_equal(fg_remap_begin(remap, target, page), 0);
        for (uint32_t row = 0; row < page->span_count; row++)
            assert_int_equal(fg_builder_copy(target, remap, page, row, 0), 0);
        fg_builder_view(target, &copy);
        for (uint32_t row = 0; row < page->span_count; row++)
            assert_null(
                batch_rows_differ(&copy, (uint32_t)i * page->span_count + row, page, row, 0));
    }
    /* A reset makes it forget, epoch or not. */
    fg_builder_reset(target);
    assert_int_equal(fg_remap_begin(remap, target, &pages[2]), 0);
    assert_int_equal(fg_builder_copy(target, remap, &pages[2], 7, 0), 0);
    fg_builder_view(target, &copy);
    assert_null(batch_rows_differ(&copy, 0, &pages[2], 7, 0));
    free(strings);
    free(others);
    fg_builder_free(source);
    fg_builder_free(target);
    fg_remap_free(remap);
}

static void missing_columns_become_zero(void **state)
{
    (void)state;
    struct fg_batch whole, copy;
    struct fg_builder *source = random_builder(5, 100, &whole), *target = new_builder(0);
    struct fg_remap *remap = new_remap();
    struct fg_batch bare = {.strings = whole.strings,
                            .string_count = whole.string_count,
                            .span_count = whole.span_count,
                            .start_ns = whole.start_ns};
    assert_int_equal(fg_remap_begin(remap, target, &bare), 0);
    for (uint32_t row = 0; row < 100; row++)
        assert_int_equal(fg_builder_copy(target, remap, &bare, row, 0), 0);
    fg_builder_view(target, &copy);
    assert_int_equal(copy.resource_count, 1);
    assert_int_equal(copy.scope_count, 1);
    assert_int_equal(copy.span_attrs.count, 0);
    assert_int_equal(copy.event_count, 0);
    for (uint32_t row = 0; row < 100; row++) {
        assert_int_equal(copy.start_ns[row], whole.start_ns[row]);
        assert_int_equal(copy.trace_id_high[row] | copy.span_id[row] | copy.end_ns[row], 0);
        assert_int_equal(copy.name[row] | copy.resource[row] | copy.scope[row], 0);
        assert_int_equal(copy.kind[row] | copy.status[row], 0);
    }
    assert_int_equal(copy.resource_service[0], 0);
    fg_builder_free(source);
    fg_builder_free(target);
    fg_remap_free(remap);
}

static void assert_prefix(struct fg_builder *target, const struct fg_batch *source, uint32_t count)
{
    struct fg_batch copy;
    fg_builder_view(target, &copy);
    assert_int_equal(copy.span_count, count);
    for (uint32_t row = 0; row < count; row++)
        assert_null(batch_rows_differ(&copy, row, source, row, 0));
}

static void bytes_max_keeps_the_rows_before(void **state)
{
    (void)state;
    struct fg_batch batch;
    struct fg_builder *source = random_builder(6, 300, &batch);
    for (uint64_t bytes_max = 500; bytes_max < 60000; bytes_max += 1777) {
        struct fg_builder *target = new_builder(bytes_max);
        struct fg_remap *remap = new_remap();
        assert_int_equal(fg_remap_begin(remap, target, &batch), 0);
        uint32_t row = 0;
        int r = 0;
        while (r == 0 && row < 300) {
            r = fg_builder_copy(target, remap, &batch, row, 0);
            row += r == 0;
        }
        assert_int_equal(r, FG_ELIMIT);
        assert_true(fg_builder_size_bytes(target) <= bytes_max);
        assert_prefix(target, &batch, row);
        fg_builder_free(target);
        fg_remap_free(remap);
    }
    fg_builder_free(source);
}

static void memory_that_fails_keeps_the_rows_before(void **state)
{
    (void)state;
    struct fg_batch batch;
    struct fg_builder *source = random_builder(7, 200, &batch);
    bool is_over = false;
    for (uint64_t n = 1; !is_over; n++) {
        struct fg_builder *target = new_builder(0);
        struct fg_remap *remap = NULL;
        uint32_t row = 0;
        fail_alloc_at(n, false);
        int r = fg_remap_new(&remap);
        if (r == 0)
            r = fg_remap_begin(remap, target, &batch);
        while (r == 0 && row < 200) {
            r = fg_builder_copy(target, remap, &batch, row, 0);
            row += r == 0;
        }
        is_over = !fail_alloc_off();
        assert_int_equal(r, is_over ? 0 : FG_ENOMEM);
        assert_prefix(target, &batch, row);
        /* Memory is back: the rest goes on. */
        if (remap && !is_over)
            assert_int_equal(fg_remap_begin(remap, target, &batch), 0);
        for (; remap && row < 200; row++)
            assert_int_equal(fg_builder_copy(target, remap, &batch, row, 0), 0);
        assert_prefix(target, &batch, row);
        fg_builder_free(target);
        fg_remap_free(remap);
    }
    fg_builder_free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_out_as_they_were),
        cmocka_unit_test(what_is_equal_is_there_once),
        cmocka_unit_test(an_epoch_covers_no_more_than_its_strings),
        cmocka_unit_test(missing_columns_become_zero),
        cmocka_unit_test(bytes_max_keeps_the_rows_before),
        cmocka_unit_test(memory_that_fails_keeps_the_rows_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
