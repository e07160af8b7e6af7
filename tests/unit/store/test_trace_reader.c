/* Traces read one after another by one reader: the same as each alone, also when the store changes
 * in between; and what ends a read. */
#include "base/limits.h"
#include "random_batch.h"
#include "sim_store.h"
#include "store/trace_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define BATCHES 6u
#define SPANS   1500u

struct bench {
    struct sim_store on;
    struct fg_trace_reader *reader;
    struct fg_builder *all[BATCHES];
    uint64_t cancel_after;
};

static struct bench bench;

static struct fg_builder *new_builder(uint64_t bytes_max)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    limits.bytes_max = bytes_max;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    return builder;
}

/* Every second batch has traces of the one before it. */
static void send(uint32_t number)
{
    struct random_batch_options options = random_batch_options_default(1 + number / 2);
    options.span_count = SPANS;
    options.trace_spans_max = 20;
    options.start_ns = UINT64_C(1760000000000000000);
    options.spread_ns = UINT64_C(60000000000);
    bench.all[number] = new_builder(256 << 20);
    random_batch_fill(bench.all[number], &options);
    sim_store_append(&bench.on, bench.all[number]);
}

static int setup(void **state)
{
    (void)state;
    bench = (struct bench){0};
    sim_store_open(&bench.on, 3);
    assert_int_equal(fg_trace_reader_new(bench.on.store, &bench.reader), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fg_trace_reader_free(bench.reader);
    fg_trace_reader_free(NULL);
    for (uint32_t i = 0; i < BATCHES; i++)
        fg_builder_free(bench.all[i]);
    sim_store_close(&bench.on);
    return 0;
}

/* Every trace of a batch, by the reader and alone. */
static void compare(uint32_t number)
{
    struct fg_builder *ours = new_builder(256 << 20), *alone = new_builder(256 << 20);
    struct fg_batch batch, a, b;
    fg_builder_view(bench.all[number], &batch);
    for (uint32_t i = 0; i < batch.span_count; i++) {
        struct fg_trace_result x, y;
        if (i > 0 && batch.trace_id_low[i] == batch.trace_id_low[i - 1])
            continue;
        fg_builder_reset(ours);
        fg_builder_reset(alone);
        assert_int_equal(fg_trace_reader_read(bench.reader, 0, batch.trace_id_high[i],
                                              batch.trace_id_low[i], 0, ours, &x),
                         0);
        assert_int_equal(fg_store_trace(bench.on.store, 0, batch.trace_id_high[i],
                                        batch.trace_id_low[i], alone, &y),
                         0);
        fg_builder_view(ours, &a);
        fg_builder_view(alone, &b);
        assert_null(batches_differ(&a, &b));
        assert_true(x.span_count == a.span_count && y.span_count == x.span_count);
        assert_false(x.truncated);
        uint32_t have = 0;
        for (uint32_t k = i; k < batch.span_count && batch.trace_id_low[k] == batch.trace_id_low[i];
             k++)
            for (uint32_t row = 0; row < a.span_count; row++)
                have += a.span_id[row] == batch.span_id[k];
        assert_true(have > 0);
    }
    fg_builder_free(ours);
    fg_builder_free(alone);
}

static void the_same_as_each_alone(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < BATCHES; number++) {
        send(number);
        for (uint32_t i = 0; i <= number; i++)
            compare(i);
        assert_int_equal(fg_store_seal(bench.on.store), 0);
        for (uint32_t i = 0; i <= number; i++)
            compare(i);
    }
    fg_sim_advance(bench.on.sim, 2 * FG_MERGE_QUIET_NS);
    assert_int_equal(fg_store_settle(bench.on.store), 0);
    for (uint32_t i = 0; i < BATCHES; i++)
        compare(i);
}

static bool is_cancelled(void *arg)
{
    (void)arg;
    return bench.cancel_after && --bench.cancel_after == 0;
}

static int read_first(uint64_t spans_max, uint64_t bytes_max, struct fg_trace_result *ret_result)
{
    struct fg_builder *builder = new_builder(bytes_max);
    struct fg_batch batch;
    fg_builder_view(bench.all[0], &batch);
    int r = fg_trace_reader_read(bench.reader, 0, batch.trace_id_high[0], batch.trace_id_low[0],
                                 spans_max, builder, ret_result);
    if (r == 0)
        assert_int_equal(fg_builder_span_count(builder), ret_result->span_count);
    fg_builder_free(builder);
    return r;
}

/* Sealed once and twice: rows go straight into the answer, and by way of their forms. */
static void what_ends_a_read(void **state)
{
    (void)state;
    struct fg_trace_result result = {0}, whole;
    send(0);
    for (uint32_t seals = 1; seals <= 2; seals++) {
        if (seals == 2)
            send(1);
        assert_int_equal(fg_store_seal(bench.on.store), 0);
        assert_int_equal(read_first(0, 256 << 20, &whole), 0);
        assert_true(whole.span_count > 1 && !whole.truncated);
        assert_int_equal(read_first(1, 256 << 20, &result), FG_EBUSY);
        assert_int_equal(read_first(2 * whole.span_count, 256 << 20, &result), 0);
        uint64_t bytes = 1500;
        while (read_first(0, bytes, &result) != 0 || result.span_count == 0)
            bytes += 500;
        assert_true(result.truncated && result.span_count < whole.span_count);
        fg_trace_reader_cancel_by(bench.reader, is_cancelled, NULL);
        bench.cancel_after = 1;
        assert_int_equal(read_first(0, 256 << 20, &result), FG_ECANCELLED);
        assert_int_equal(read_first(0, 256 << 20, &result), 0);
        fg_trace_reader_cancel_by(bench.reader, NULL, NULL);
    }
    struct fg_builder *builder = new_builder(1 << 20);
    assert_int_equal(fg_trace_reader_read(bench.reader, 0, 4711, 4711, 0, builder, &result),
                     FG_ENOTFOUND);
    fg_builder_free(builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_as_each_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(what_ends_a_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
