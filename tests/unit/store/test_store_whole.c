/* Many traces at once: what comes is whole, and what lies together comes. */
#include "random_batch.h"
#include "sim_store.h"
#include "store/whole.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEALED_BATCHES 40u
#define BATCH_SPANS    2000u
#define LONG_SPANS     9000u /* more than a page */
#define TRACES_MAX     40000u
#define NOWHERE        50u

/* What a trace must have: its spans' ids, as a sum. */
struct model_trace {
    struct fg_trace_id id;
    uint64_t span_ids;
    uint32_t span_count;
    bool is_apart; /* lies in several places, has a span twice, or is nowhere */
    uint32_t came;
};

struct bench {
    struct sim_store on;
    struct model_trace traces[TRACES_MAX];
    struct fg_trace_id ids[TRACES_MAX];
    uint32_t count;
    uint64_t seed;
    uint32_t cancel_after;
};

static struct bench bench;

static struct fg_builder *new_builder(void)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    return builder;
}

/* Rows of one trace stand together. */
static void note_traces(const struct fg_batch *batch)
{
    for (uint32_t i = 0; i < batch->span_count; i++) {
        struct model_trace *trace = bench.count ? &bench.traces[bench.count - 1] : NULL;
        if (i == 0 || batch->trace_id_low[i] != batch->trace_id_low[i - 1] ||
            batch->trace_id_high[i] != batch->trace_id_high[i - 1]) {
            assert_true(bench.count < TRACES_MAX);
            trace = &bench.traces[bench.count++];
            *trace = (struct model_trace){.id = {batch->trace_id_high[i], batch->trace_id_low[i]}};
        }
        trace->span_ids += batch->span_id[i];
        trace->span_count++;
    }
}

static void send_random(uint32_t spans, uint32_t trace_spans_max)
{
    struct random_batch_options options = random_batch_options_default(++bench.seed);
    struct fg_builder *builder = new_builder();
    struct fg_batch batch;
    options.span_count = spans;
    options.trace_spans_max = trace_spans_max;
    options.odd_percent = 0;
    options.start_ns = UINT64_C(1760000000000000000);
    options.spread_ns = UINT64_C(60000000000);
    random_batch_fill(builder, &options);
    fg_builder_view(builder, &batch);
    note_traces(&batch);
    sim_store_append(&bench.on, builder);
    fg_builder_free(builder);
}

/* A span more of a trace that is there, or one of its spans again. */
static void send_more(struct model_trace *trace, uint64_t span_id)
{
    struct fg_builder *builder = new_builder();
    struct fg_span span = {.trace_id_high = trace->id.high,
                           .trace_id_low = trace->id.low,
                           .span_id = span_id,
                           .start_ns = UINT64_C(1760000000000000000),
                           .end_ns = UINT64_C(1760000000000000001)};
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &span.resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &span.scope), 0);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
    sim_store_append(&bench.on, builder);
    fg_builder_free(builder);
    trace->is_apart = true;
}

static bool is_cancelled(void *arg)
{
    (void)arg;
    return bench.cancel_after && --bench.cancel_after == 0;
}

static int take_rows(void *arg, const struct fg_whole_rows *list)
{
    const struct fg_batch *batch = list->batch;
    (void)arg;
    for (uint32_t i = 0; i < list->trace_count; i++) {
        const struct fg_whole_trace *given = &list->traces[i];
        struct model_trace *trace = &bench.traces[given->id];
        uint64_t span_ids = 0;
        for (uint32_t k = 0; k < given->row_count; k++) {
            uint32_t row = list->rows[given->row_begin + k];
            assert_true(row < batch->span_count);
            assert_true(k == 0 || row > list->rows[given->row_begin + k - 1]);
            assert_int_equal(batch->trace_id_high[row], trace->id.high);
            assert_int_equal(batch->trace_id_low[row], trace->id.low);
            assert_true(batch->start_ns[row] != 0);
            span_ids += batch->span_id[row];
        }
        assert_int_equal(given->row_count, trace->span_count);
        assert_int_equal(span_ids, trace->span_ids);
        trace->came++;
    }
    return 0;
}

static struct fg_whole whole_of_all(void)
{
    for (uint32_t i = 0; i < bench.count; i++) {
        bench.ids[i] = bench.traces[i].id;
        bench.traces[i].came = 0;
    }
    return (struct fg_whole){.ids = bench.ids,
                             .count = bench.count,
                             .columns = FG_COLUMNS_NAME,
                             .is_cancelled = is_cancelled,
                             .rows = take_rows};
}

/* cut_max: a page that grew too large ends within a trace; so many may be cut. */
static void check_all(uint32_t cut_max, struct fg_read_stats *stats)
{
    uint32_t cut = 0;
    struct fg_whole whole = whole_of_all();
    *stats = (struct fg_read_stats){0};
    assert_int_equal(fg_store_whole(bench.on.store, &whole, stats), 0);
    for (uint32_t i = 0; i < bench.count; i++) {
        const struct model_trace *trace = &bench.traces[i];
        cut += !trace->is_apart && trace->came == 0;
        if (trace->came > 1 || (trace->is_apart && trace->came) || cut > cut_max)
            fail_msg("trace %u of %u spans came %u times", i, trace->span_count, trace->came);
    }
}

static int setup(void **state)
{
    (void)state;
    bench = (struct bench){.seed = 7};
    sim_store_open(&bench.on, 7);
    for (uint32_t i = 0; i < SEALED_BATCHES; i++)
        send_random(BATCH_SPANS, i % 2 ? 30 : 9);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sim_store_close(&bench.on);
    return 0;
}

static void the_heads_traces_come(void **state)
{
    (void)state;
    struct fg_read_stats stats;
    check_all(0, &stats);
    assert_int_equal(stats.rows_scanned, SEALED_BATCHES * BATCH_SPANS);
    send_more(&bench.traces[3], 1);
    /* One span of it twice, in one batch, of which the later form is the one that counts. */
    struct fg_builder *builder = new_builder();
    struct fg_batch batch;
    struct random_batch_options options = random_batch_options_default(5000);
    struct fg_remap *remap;
    struct fg_builder *twice = new_builder();
    options.span_count = 3;
    options.trace_spans_max = 3;
    random_batch_fill(builder, &options);
    fg_builder_view(builder, &batch);
    note_traces(&batch);
    assert_int_equal(fg_remap_new(&remap), 0);
    assert_int_equal(fg_remap_begin(remap, twice, &batch), 0);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(fg_builder_copy(twice, remap, &batch, i % 3, 0), 0);
    for (uint32_t i = 0; i < bench.count; i++)
        for (uint32_t k = 0; k < 3; k++)
            if (bench.traces[i].id.low == batch.trace_id_low[k])
                bench.traces[i].is_apart = true;
    sim_store_append(&bench.on, twice);
    fg_remap_free(remap);
    fg_builder_free(twice);
    fg_builder_free(builder);
    check_all(0, &stats);
}

static void sealed_traces_come(void **state)
{
    (void)state;
    struct fg_read_stats stats;
    uint32_t sealed = bench.count;
    /* A trace of several pages, in pieces, each of which is a batch. */
    for (uint32_t i = 0; i < LONG_SPANS; i += 1000) {
        struct fg_builder *builder = new_builder();
        struct fg_span span = {.trace_id_high = 1,
                               .trace_id_low = 2,
                               .start_ns = UINT64_C(1760000030000000000),
                               .end_ns = UINT64_C(1760000030000000001)};
        assert_int_equal(fg_builder_resource_begin(builder), 0);
        assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &span.resource), 0);
        assert_int_equal(fg_builder_scope_begin(builder), 0);
        assert_int_equal(
            fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &span.scope),
            0);
        for (uint32_t k = 0; k < 1000; k++) {
            span.span_id = i + k + 1;
            assert_int_equal(fg_builder_span_begin(builder), 0);
            assert_int_equal(fg_builder_span_end(builder, &span), 0);
        }
        sim_store_append(&bench.on, builder);
        fg_builder_free(builder);
    }
    bench.traces[bench.count++] =
        (struct model_trace){.id = {1, 2}, .span_count = LONG_SPANS, .is_apart = true};
    assert_int_equal(fg_store_seal(bench.on.store), 0);
    for (uint32_t i = 0; i < NOWHERE; i++)
        bench.traces[bench.count++] = (struct model_trace){.id = {i + 1, 77}, .is_apart = true};
    check_all(2, &stats);
    assert_true(stats.row_groups >= 2 && stats.pages > 16);
    assert_true(stats.bytes_read > 0);

    /* Some get a span in another segment, some in the head; new ones come in both. */
    for (uint32_t i = 0; i < 20; i++)
        send_more(&bench.traces[i * 7], 1 + i);
    send_random(BATCH_SPANS, 12);
    assert_int_equal(fg_store_seal(bench.on.store), 0);
    for (uint32_t i = 0; i < 20; i++)
        send_more(&bench.traces[sealed - 1 - i * 5], 1 + i);
    send_random(BATCH_SPANS, 12);
    check_all(2, &stats);
}

static void it_ends_when_told(void **state)
{
    (void)state;
    struct fg_read_stats stats = {0};
    assert_int_equal(fg_store_seal(bench.on.store), 0);
    struct fg_whole whole = whole_of_all();
    bench.cancel_after = 4;
    assert_int_equal(fg_store_whole(bench.on.store, &whole, &stats), FG_ECANCELLED);
    whole.deadline_mono_ns = 1;
    assert_int_equal(fg_store_whole(bench.on.store, &whole, &stats), FG_ETIMEOUT);
    whole.deadline_mono_ns = 0;
    whole.bytes_max = 1;
    stats.bytes_read = 0;
    assert_int_equal(fg_store_whole(bench.on.store, &whole, &stats), FG_ELIMIT);
    whole.count = 0;
    assert_int_equal(fg_store_whole(bench.on.store, &whole, &stats), 0);
    whole = whole_of_all();
    whole.tenant = 1;
    assert_int_equal(fg_store_whole(bench.on.store, &whole, &stats), 0);
    for (uint32_t i = 0; i < bench.count; i++)
        assert_int_equal(bench.traces[i].came, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_heads_traces_come, setup, teardown),
        cmocka_unit_test_setup_teardown(sealed_traces_come, setup, teardown),
        cmocka_unit_test_setup_teardown(it_ends_when_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
