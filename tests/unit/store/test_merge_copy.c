/* Merges that copy row groups as they lie: what is read afterwards is what was read before, and the
 * rollup counts the same; a row group that another segment's trace lies in is not copied; damage is
 * found while it is copied. */
#include "base/limits.h"
#include "local/rewrite.h"
#include "local/segment_internal.h"
#include "sim_env.h"
#include "span/block.h"
#include "span/builder.h"
#include "store/rollup.h"
#include "store/store.h"
#include "store_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FOLDER       "store"
#define NOW_NS       (UINT64_C(20454) * FG_NS_PER_DAY + FG_NS_PER_DAY / 2)
#define TRACE_SPANS  4u
#define SEAL_TRACES  9000u /* 36 000 rows: one row group, large enough to be copied */
#define SEAL_SPANS   (SEAL_TRACES * TRACE_SPANS)
#define TRACE_GAP_NS FG_NS_PER_MS

static struct fg_sim *sim;
static struct fg_store *store;
static struct fg_arena arena;

static void open_store(void)
{
    const char *message = "";
    struct fg_store_options options = fg_store_options_default(fg_sim_env(sim), FOLDER);
    options.manual = true;
    options.reserve_bytes = 0;
    fg_arena_reset(&arena);
    if (fg_store_open(&options, &arena, &message, &store) != 0)
        fail_msg("%s", message);
}

static int begin(void **state)
{
    (void)state;
    assert_int_equal(fg_sim_new(1, &sim), 0);
    fg_sim_set_wall_ns(sim, NOW_NS);
    fg_arena_init(&arena, 1 << 20);
    open_store();
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fg_store_close(store, false);
    fg_arena_free(&arena);
    fg_sim_free(sim);
    return 0;
}

/* -- Spans: trace t starts t milliseconds into the hour; span 1 calls 2 and 4, and 2 calls 3, which
 * is a shared half where marks say so. */

static void add_resource(struct fg_builder *builder, unsigned number, uint32_t *ret_id)
{
    char service[16];
    snprintf(service, sizeof service, "service-%u", number);
    struct fg_value value = {.type = FG_VALUE_STRING, .bytes = fg_slice_from_string(service)};
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &value), 0);
    assert_int_equal(fg_builder_resource_end(builder, fg_slice(NULL, 0), 0, ret_id), 0);
}

static void add_trace(struct fg_builder *builder, uint64_t trace, uint16_t marks,
                      const uint32_t resources[3], uint32_t scope)
{
    static const uint64_t parents[TRACE_SPANS] = {0, 1, 2, 1};
    for (uint32_t i = 0; i < TRACE_SPANS; i++) {
        char text[32];
        uint64_t start_ns = NOW_NS - FG_NS_PER_MINUTE + trace * TRACE_GAP_NS + i * 1000;
        struct fg_span span = {.trace_id_high = trace * UINT64_C(0x9e3779b97f4a7c15) + 1,
                               .trace_id_low = trace + 1,
                               .span_id = trace * TRACE_SPANS + i + 1,
                               .start_ns = start_ns,
                               .end_ns = start_ns + (trace % 1000) * 1000,
                               .received_ns = NOW_NS,
                               .kind = (uint8_t)(FG_SPAN_KIND_INTERNAL + i),
                               .status = (uint8_t)(trace % 3),
                               .resource = resources[(trace + i) % 3],
                               .scope = scope,
                               .marks = i == 2 ? marks : 0};
        if (parents[i])
            span.parent_span_id = trace * TRACE_SPANS + parents[i];
        snprintf(text, sizeof text, "name-%llu", (unsigned long long)(trace % 50));
        span.name = fg_slice_from_string(text);
        assert_int_equal(fg_builder_span_begin(builder), 0);
        char order[32];
        snprintf(order, sizeof order, "ORD-%08llu", (unsigned long long)trace);
        struct fg_value value = {.type = FG_VALUE_STRING, .bytes = fg_slice_from_string(order)};
        assert_int_equal(fg_builder_span_attr(builder, FG_SLICE("order.id"), &value), 0);
        assert_int_equal(fg_builder_span_end(builder, &span), 0);
    }
}

static int append_result;

static void on_done(struct fg_append *append, int result)
{
    (void)append;
    append_result = result;
}

static void seal_traces(uint64_t first, uint64_t count, uint16_t marks)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_block *block;
    uint32_t resources[3], scope;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    for (unsigned i = 0; i < 3; i++)
        add_resource(builder, i, &resources[i]);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(fg_builder_scope_end(builder, fg_slice(NULL, 0), fg_slice(NULL, 0),
                                          fg_slice(NULL, 0), 0, &scope),
                     0);
    for (uint64_t i = 0; i < count; i++)
        add_trace(builder, first + i, marks, resources, scope);
    assert_int_equal(fg_block_freeze(builder, &block), 0);
    fg_builder_free(builder);
    struct fg_append append = {.block = block, .done = on_done};
    append_result = 1;
    assert_int_equal(fg_store_append_take(store, &append), 0);
    assert_int_equal(fg_store_seal(store), 0);
    assert_int_equal(append_result, 0);
}

/* -- What the store says */

static struct fg_store_counters counters(void)
{
    struct fg_store_counters now;
    fg_store_counters(store, &now);
    return now;
}

static struct fg_buffer rollup_bytes(void)
{
    struct fg_rollup *rollup;
    struct fg_buffer bytes;
    fg_buffer_init(&bytes, 16 << 20);
    assert_int_equal(fg_rollup_new(&rollup), 0);
    assert_int_equal(fg_store_rollup(store, 0, 0, UINT64_MAX, rollup), 0);
    assert_int_equal(fg_rollup_encode(rollup, &bytes), 0);
    fg_rollup_free(rollup);
    return bytes;
}

static int count_rows(void *arg, const struct fg_scan_rows *rows)
{
    uint64_t *sums = arg;
    for (uint32_t row = rows->row_begin; row < rows->row_end; row++) {
        const struct fg_batch *batch = rows->batch;
        sums[0]++;
        sums[1] += batch->trace_id_low[row] * 31 + batch->span_id[row] * 7 +
                   batch->parent_span_id[row] + batch->end_ns[row] % 1000003;
    }
    return 0;
}

static void sum_rows(uint64_t ret_sums[2])
{
    struct fg_read_stats stats = {0};
    const struct fg_scan scan = {
        .columns = FG_COLUMNS_ALL, .start_ns_max = UINT64_MAX, .rows = count_rows, .arg = ret_sums};
    ret_sums[0] = ret_sums[1] = 0;
    assert_int_equal(fg_store_scan(store, &scan, &stats), 0);
}

static void check_trace(uint64_t trace)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_trace_result result;
    struct fg_batch batch;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    assert_int_equal(fg_store_trace(store, 0, trace * UINT64_C(0x9e3779b97f4a7c15) + 1, trace + 1,
                                    builder, &result),
                     0);
    fg_builder_view(builder, &batch);
    assert_int_equal(batch.span_count, TRACE_SPANS);
    fg_builder_free(builder);
}

/* Merges all, and has what is read be the same as before. Spans that were copied. */
static uint64_t merge(void)
{
    uint64_t before[2], after[2];
    struct fg_buffer rollup_before = rollup_bytes();
    sum_rows(before);
    assert_int_equal(fg_store_settle(store), 0);
    assert_int_equal(counters().segment_count, 1);
    sum_rows(after);
    struct fg_buffer rollup_after = rollup_bytes();
    assert_true(before[0] == after[0] && before[1] == after[1]);
    assert_int_equal(rollup_before.size, rollup_after.size);
    assert_memory_equal(rollup_before.data, rollup_after.data, rollup_after.size);
    fg_buffer_free(&rollup_before);
    fg_buffer_free(&rollup_after);
    return counters().merge_copied_spans;
}

static void groups_are_copied(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 3; i++)
        seal_traces(i * SEAL_TRACES, SEAL_TRACES, 0);
    assert_int_equal(merge(), 3 * SEAL_SPANS);
    for (uint64_t trace = 0; trace < 3 * SEAL_TRACES; trace += 1777)
        check_trace(trace);
    fg_store_close(store, false);
    open_store();
    check_trace(3 * SEAL_TRACES - 1);
    /* and what was copied is copied again */
    seal_traces(3 * SEAL_TRACES, SEAL_TRACES, 0);
    assert_int_equal(merge(), 4 * SEAL_SPANS);
    check_trace(0);
    check_trace(4 * SEAL_TRACES - 1);
}

static void a_group_with_a_stranger_is_not_copied(void **state)
{
    (void)state;
    seal_traces(0, SEAL_TRACES, 0);
    seal_traces(SEAL_TRACES, SEAL_TRACES / 2, 0); /* too small a row group */
    seal_traces(SEAL_TRACES * 2, SEAL_TRACES, 0);
    seal_traces(SEAL_TRACES * 4, SEAL_TRACES, 0);
    seal_traces(SEAL_TRACES * 3 - 1, 1, 0); /* the same trace once more: joined */
    assert_int_equal(fg_store_settle(store), 0);
    assert_int_equal(counters().segment_spans, SEAL_SPANS * 3 + SEAL_SPANS / 2);
    assert_int_equal(counters().merge_copied_spans, 2 * SEAL_SPANS);
    check_trace(SEAL_TRACES * 3 - 1);
    check_trace(SEAL_TRACES + 1);
    check_trace(SEAL_TRACES * 5 - 1);
}

static void shared_halves_are_not_copied(void **state)
{
    (void)state;
    seal_traces(0, SEAL_TRACES, FG_MARK_SHARED);
    seal_traces(SEAL_TRACES, SEAL_TRACES, FG_MARK_TRUNCATED);
    assert_int_equal(merge(), SEAL_SPANS);
}

struct first_segment {
    char path[64];
    uint64_t size;
};

static int find_segment(void *arg, const struct fg_dir_entry *entry)
{
    struct first_segment *found = arg;
    if (!*found->path || strcmp(entry->name, strrchr(found->path, '/') + 1) < 0) {
        snprintf(found->path, sizeof found->path, FOLDER "/segments/%.32s", entry->name);
        found->size = entry->size;
    }
    return 0;
}

static void damage_is_found_while_copying(void **state)
{
    (void)state;
    struct first_segment found = {0};
    seal_traces(0, SEAL_TRACES, 0);
    seal_traces(SEAL_TRACES, SEAL_TRACES, 0);
    assert_int_equal(fg_env_list(fg_sim_env(sim), FOLDER "/segments", find_segment, &found), 0);
    /* a block of values, which copying alone does not decode */
    assert_int_equal(fg_sim_flip(sim, found.path, found.size / 2, 1), 0);
    assert_int_equal(fg_store_settle(store), 0);
    assert_int_equal(counters().segment_count, 2); /* left as it is */
    assert_int_equal(counters().merges, 0);
    check_trace(SEAL_TRACES);
}

static int merge_meanwhile(void *arg, const struct fg_scan_rows *rows)
{
    uint64_t *before = arg;
    (void)rows;
    if (*before)
        return 0;
    *before = counters().segment_bytes;
    assert_int_equal(counters().held_bytes, 0);
    assert_int_equal(fg_store_settle(store), 0);
    assert_int_equal(counters().segment_count, 1);
    assert_int_equal(counters().held_bytes, *before);
    return 0;
}

/* What was merged away lies on the disk for as long as somebody reads it, and is counted. */
static void what_is_still_read_is_counted(void **state)
{
    (void)state;
    struct fg_read_stats stats = {0};
    uint64_t before = 0;
    const struct fg_scan scan = {.columns = FG_COLUMNS_IDS,
                                 .start_ns_max = UINT64_MAX,
                                 .rows = merge_meanwhile,
                                 .arg = &before};
    for (uint64_t i = 0; i < 3; i++)
        seal_traces(i * SEAL_TRACES, SEAL_TRACES, 0);
    assert_int_equal(fg_store_scan(store, &scan, &stats), 0);
    assert_true(before > 0);
    assert_int_equal(counters().held_bytes, 0);
}

/* Who reads the segment whose traces come first: as the first trace is poured, and as the last. */
struct readers {
    struct fg_segment *segment;
    unsigned first, last;
};

static bool count_readers(void *arg)
{
    struct readers *readers = arg;
    readers->last = atomic_load(&readers->segment->refs);
    if (readers->first == 0)
        readers->first = readers->last;
    return false;
}

/* Memory of an input is two pages of it: none of one that has nothing more to give. */
static void an_input_that_is_done_is_closed(void **state)
{
    (void)state;
    seal_traces(0, 100, 0);
    seal_traces(1000, 100, 0);
    struct fg_local *local = (struct fg_local *)store->blocks;
    struct fg_local_version *version = fg_local_version_take(local);
    struct fg_local_segment *inputs[] = {version->segments[0], version->segments[1]};
    struct readers readers = {.segment = inputs[0]->segment};
    const struct fg_rewrite rewrite = {.local = local,
                                       .inputs = inputs,
                                       .input_count = 2,
                                       .level = 1,
                                       .is_cancelled = count_readers,
                                       .arg = &readers};
    struct fg_rewrite_result result;
    struct fg_local_segment *damaged = NULL;
    unsigned before = atomic_load(&readers.segment->refs);
    assert_int_equal(fg_rewrite_run(&rewrite, &result, &damaged), 0);
    assert_int_equal(result.entry.span_count, 200 * TRACE_SPANS);
    assert_int_equal(readers.first, before + 1);
    assert_int_equal(readers.last, before);
    fg_local_discard(local, result.entry.id);
    fg_local_version_release(version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(groups_are_copied, begin, finish),
        cmocka_unit_test_setup_teardown(a_group_with_a_stranger_is_not_copied, begin, finish),
        cmocka_unit_test_setup_teardown(shared_halves_are_not_copied, begin, finish),
        cmocka_unit_test_setup_teardown(damage_is_found_while_copying, begin, finish),
        cmocka_unit_test_setup_teardown(what_is_still_read_is_counted, begin, finish),
        cmocka_unit_test_setup_teardown(an_input_that_is_done_is_closed, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
