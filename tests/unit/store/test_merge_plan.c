/* merge_plan.h: which segments are merged, and that merging ends. */
#include "local/merge_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define KIB          ((uint64_t)1 << 10)
#define MIB          ((uint64_t)1 << 20)
#define SEGMENTS_MAX 4096

static struct fg_manifest_segment entries[SEGMENTS_MAX];
static struct fg_merge_candidate candidates[SEGMENTS_MAX];
static size_t count;
static uint64_t next_id;

static int begin(void **state)
{
    (void)state;
    count = 0;
    next_id = 1;
    return 0;
}

static void add(uint32_t tenant, uint32_t day, uint64_t size_bytes)
{
    entries[count] = (struct fg_manifest_segment){.id = next_id++,
                                                  .tenant = tenant,
                                                  .day = day,
                                                  .size_bytes = size_bytes,
                                                  .span_count = size_bytes / 60 + 1,
                                                  .trace_count = size_bytes / 780 + 1,
                                                  .received_ns_max = 1000};
    candidates[count] = (struct fg_merge_candidate){.entry = &entries[count]};
    count++;
}

static struct fg_merge_plan plan(uint64_t quiet_before_ns)
{
    struct fg_merge_plan got;
    fg_merge_plan(candidates, count, quiet_before_ns, UINT64_MAX, &got);
    return got;
}

static int compare(const void *a, const void *b)
{
    const struct fg_manifest_segment *x = a, *y = b;
    if (x->tenant != y->tenant)
        return x->tenant < y->tenant ? -1 : 1;
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Does what a plan says: the result has the inputs' sums. */
static uint64_t execute(const struct fg_merge_plan *todo)
{
    struct fg_manifest_segment merged = entries[todo->inputs[0]];
    merged.size_bytes = merged.span_count = merged.trace_count = 0;
    for (size_t i = 0; i < todo->count; i++) {
        struct fg_manifest_segment *input = &entries[todo->inputs[i]];
        assert_int_equal(input->tenant, merged.tenant);
        assert_int_equal(input->day, merged.day);
        assert_true(input->level < todo->level);
        merged.size_bytes += input->size_bytes;
        merged.span_count += input->span_count;
        merged.trace_count += input->trace_count;
        input->id = UINT64_MAX;
    }
    assert_int_equal(merged.size_bytes, todo->size_bytes);
    assert_true(merged.size_bytes <= FG_MERGE_SIZE_MAX);
    assert_true(merged.span_count <= FG_MERGE_SPANS_MAX);
    assert_true(merged.trace_count <= FG_MERGE_TRACES_MAX);
    merged.id = next_id++;
    merged.level = todo->level;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (entries[i].id != UINT64_MAX)
            entries[kept++] = entries[i];
    entries[kept++] = merged;
    count = kept;
    qsort(entries, count, sizeof *entries, compare);
    for (size_t i = 0; i < count; i++)
        candidates[i] = (struct fg_merge_candidate){.entry = &entries[i]};
    return merged.size_bytes;
}

static void eight_of_a_tier_are_merged_the_oldest_first(void **state)
{
    (void)state;
    for (int i = 0; i < 7; i++)
        add(0, 1, 2 * MIB);
    add(0, 1, 20 * MIB);
    add(0, 2, 2 * MIB);
    assert_int_equal(plan(0).count, 0);
    entries[8].day = 1;
    struct fg_merge_plan got = plan(0);
    assert_int_equal(got.count, 8);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(got.inputs[i], i);
    assert_int_equal(got.inputs[7], 8);
    assert_int_equal(got.level, 1);
    for (int i = 0; i < 20; i++)
        add(0, 1, 2 * MIB);
    assert_int_equal(plan(0).count, FG_MERGE_INPUTS_MAX);
}

static void what_is_excluded_or_kept_stays(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++)
        add(0, 1, MIB);
    candidates[0].is_excluded = true;
    assert_int_equal(plan(0).inputs[0], 1);
    entries[1].level = FG_LEVEL_KEPT;
    assert_int_equal(plan(0).count, 0);
}

static void the_bounds_of_a_result_end_a_run(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++)
        add(0, 1, 120 * MIB);
    struct fg_merge_plan got = plan(0);
    assert_int_equal(got.count, 4); /* 480 MiB */
    begin(NULL);
    add(0, 1, 500 * MIB);
    for (int i = 0; i < 3; i++)
        add(0, 1, 200 * MIB);
    assert_int_equal(plan(0).count, 0); /* two fit, and two are not worth it */
    begin(NULL);
    for (int i = 0; i < 10; i++)
        add(0, 1, 10 * MIB);
    for (size_t i = 0; i < count; i++)
        entries[i].trace_count = FG_MERGE_TRACES_MAX / 3;
    assert_int_equal(plan(0).count, 3);
}

static void no_more_is_chosen_than_the_disk_has_room_for(void **state)
{
    (void)state;
    struct fg_merge_plan got;
    for (int i = 0; i < 12; i++)
        add(0, 1, 10 * MIB);
    fg_merge_plan(candidates, count, 0, 45 * MIB, &got);
    assert_int_equal(got.count, 4);
    fg_merge_plan(candidates, count, 0, 5 * MIB, &got);
    assert_int_equal(got.count, 0);
}

static void a_quiet_partition_is_merged_to_few(void **state)
{
    (void)state;
    add(0, 1, 10 * MIB);
    add(0, 1, 3 * MIB);
    add(0, 1, 20 * KIB);
    add(0, 2, 10 * MIB);
    assert_int_equal(plan(1000).count, 0); /* received_ns_max is 1000 */
    assert_int_equal(plan(1001).count, 3);
    begin(NULL);
    add(0, 1, 300 * MIB);
    add(0, 1, 20 * KIB); /* a straggler is not worth writing the day again */
    assert_int_equal(plan(UINT64_MAX).count, 0);
    add(0, 1, 20 * KIB);
    struct fg_merge_plan got = plan(UINT64_MAX);
    assert_int_equal(got.count, 2);
    assert_int_equal(got.inputs[0], 1);
}

/* Seals of any sizes, merged as they come: it ends, each byte is written few times, and few
 * segments stay. */
static void merging_ends_and_writes_little(void **state)
{
    (void)state;
    const uint64_t sizes[] = {4 * KIB, 300 * KIB, 6 * MIB};
    srand(1);
    for (int s = 0; s < 3; s++) {
        uint64_t sealed = 0, written = 0;
        begin(NULL);
        for (int i = 0; i < 3000; i++) {
            uint64_t size = sizes[s] / 2 + (uint64_t)rand() % sizes[s];
            add((uint32_t)(i % 2), 1, size);
            qsort(entries, count, sizeof *entries, compare);
            sealed += size;
            for (struct fg_merge_plan todo = plan(0); todo.count; todo = plan(0))
                written += execute(&todo);
            assert_true(count < 2 * 5 * 2 * FG_MERGE_INPUTS_MAX + sealed / (100 * MIB));
        }
        double amplification = (double)written / (double)sealed;
        print_message("seals of %u KiB: %.2f bytes written by merges a byte\n",
                      (unsigned)(sizes[s] / KIB), amplification);
        assert_true(amplification < 5);
        for (struct fg_merge_plan todo = plan(UINT64_MAX); todo.count; todo = plan(UINT64_MAX))
            execute(&todo);
        assert_true(count < 2 * (2 + sealed / (200 * MIB)));
    }
}

static void load_counts_what_waits(void **state)
{
    (void)state;
    struct fg_merge_load load;
    for (int i = 0; i < 7; i++)
        add(0, 1, 2 * MIB);
    for (int i = 0; i < 8; i++)
        add(0, 2, MIB);
    fg_merge_load(candidates, count, &load);
    assert_int_equal(load.debt_bytes, 8 * MIB);
    assert_int_equal(load.partition_segments_max, 8);
    /* the nearer bound tells */
    load.debt_bytes = FG_MERGE_DEBT_BYTES_MAX / 4 * 3;
    assert_int_equal(fg_merge_load_permille(&load), 750);
    load.partition_segments_max = FG_PARTITION_SEGMENTS_MAX + 1;
    assert_true(fg_merge_load_permille(&load) >= 1000);
}

/* A day of 40 GB at full load: segments that are as large as merges make them wait for nothing. */
static void what_no_merge_takes_is_no_load(void **state)
{
    (void)state;
    struct fg_merge_load load;
    for (int i = 0; i < 1500; i++) {
        add(0, 1, i % 3 ? 290 * MIB : 90 * MIB);
        entries[count - 1].trace_count = i % 3 ? FG_MERGE_TRACES_MAX - 10 : FG_MERGE_TRACES_MAX / 4;
    }
    assert_int_equal(plan(0).count, 0);
    fg_merge_load(candidates, count, &load);
    assert_int_equal(load.debt_bytes, 0);
    assert_true(fg_merge_load_permille(&load) < FG_MERGE_SLOW_PERMILLE);
}

/* Whoever waits for merges waits for some that come: where there is load there is a plan, and when
 * the plans are done there is no load. */
static void load_ends_with_the_plans(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {50 * KIB, 700 * KIB, 4 * MIB, 30 * MIB, 90 * MIB, 200 * MIB};
    struct fg_merge_load load;
    for (unsigned seed = 1; seed <= 300; seed++) {
        begin(NULL);
        srand(seed);
        for (unsigned i = 0, total = (unsigned)rand() % 300; i < total; i++) {
            add(0, 1, sizes[rand() % 6] + (uint64_t)rand() % (20 * KIB));
            if (rand() % 4 == 0)
                entries[count - 1].trace_count = (uint64_t)rand() % FG_MERGE_TRACES_MAX;
        }
        for (;;) {
            struct fg_merge_plan todo = plan(0);
            fg_merge_load(candidates, count, &load);
            assert_int_equal(todo.count > 0, load.debt_bytes > 0);
            assert_int_equal(todo.count > 0, load.partition_segments_max > 0);
            assert_true(load.debt_bytes >= todo.size_bytes);
            if (todo.count == 0)
                break;
            execute(&todo);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(eight_of_a_tier_are_merged_the_oldest_first, begin),
        cmocka_unit_test_setup(what_is_excluded_or_kept_stays, begin),
        cmocka_unit_test_setup(the_bounds_of_a_result_end_a_run, begin),
        cmocka_unit_test_setup(no_more_is_chosen_than_the_disk_has_room_for, begin),
        cmocka_unit_test_setup(a_quiet_partition_is_merged_to_few, begin),
        cmocka_unit_test_setup(merging_ends_and_writes_little, begin),
        cmocka_unit_test_setup(load_counts_what_waits, begin),
        cmocka_unit_test_setup(what_no_merge_takes_is_no_load, begin),
        cmocka_unit_test_setup(load_ends_with_the_plans, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
