#include "api/export.h"

#include "api/batch_visit.h"
#include "base/buffer.h"
#include "span/builder.h"
#include "wire/otlp_encode.h"

/* A line's spans, and its bytes in columns: what an importing server takes with ease. */
#define LINE_SPANS_MAX  2048u
#define LINE_BYTES_MAX  ((uint64_t)2 << 20)
#define TEXT_SIZE_MAX   ((size_t)1 << 30)
#define ARENA_BYTES_MAX ((size_t)64 << 20)
#define STEP_NS_MAX     (10 * UINT64_C(1000000000))
#define STEP_OVER       1

struct exporter {
    const struct fg_export *export;
    struct fg_env *env;
    struct fg_builder *builder;
    struct fg_remap *remap;
    struct fg_buffer text;
    struct fg_arena arena;
    uint64_t step_end_mono_ns;
    uint64_t frontier_ns;
};

/* The builder's rows as one line. */
static int flush(struct exporter *exporter)
{
    uint32_t count = fg_builder_span_count(exporter->builder);
    if (count == 0)
        return 0;
    struct fg_batch batch;
    struct fg_batch_visit visit;
    struct fg_otlp_encoder encoder;
    bool done;
    fg_builder_view(exporter->builder, &batch);
    fg_arena_reset(&exporter->arena);
    fg_buffer_reset(&exporter->text);
    int r = fg_batch_visit_begin(&visit, &batch, &exporter->arena);
    if (r < 0)
        return r;
    fg_otlp_encoder_init(&encoder, FG_OTLP_JSON, &exporter->text);
    r = fg_batch_visit_step(&visit, count, encoder.visitor, &encoder, &done);
    if (r == 0)
        r = fg_otlp_encoder_finish(&encoder);
    if (r < 0)
        return r;
    fg_buffer_append_byte(&exporter->text, '\n');
    if (exporter->text.error)
        return exporter->text.error;
    fg_builder_reset(exporter->builder);
    return exporter->export->emit(exporter->export->arg, fg_buffer_slice(&exporter->text), count);
}

static int copy_row(struct exporter *exporter, const struct fg_batch *batch, uint32_t row)
{
    int r = 0;
    if (fg_builder_span_count(exporter->builder) >= LINE_SPANS_MAX ||
        fg_builder_size_bytes(exporter->builder) >= LINE_BYTES_MAX) {
        r = flush(exporter);
        if (r == 0)
            r = fg_remap_begin(exporter->remap, exporter->builder, batch);
    }
    return r != 0 ? r : fg_builder_copy(exporter->builder, exporter->remap, batch, row, 0);
}

static int take_rows(void *arg, const struct fg_scan_rows *rows)
{
    struct exporter *exporter = arg;
    int r = fg_remap_begin(exporter->remap, exporter->builder, rows->batch);
    if (r < 0)
        return r;
    for (uint32_t begin = rows->row_begin; begin < rows->row_end; begin += 64) {
        uint64_t word = rows->bits[(begin - rows->row_begin) / 64];
        for (; word; word &= word - 1) {
            r = copy_row(exporter, rows->batch, begin + (uint32_t)__builtin_ctzll(word));
            if (r != 0)
                return r;
        }
    }
    exporter->frontier_ns = rows->frontier_ns;
    return fg_env_mono_ns(exporter->env) > exporter->step_end_mono_ns ? STEP_OVER : 0;
}

static bool is_cancelled(void *arg)
{
    const struct fg_export *export = ((struct exporter *)arg)->export;
    return export->is_cancelled && export->is_cancelled(export->arg);
}

/* Step after step from the newest down. */
static int run(struct exporter *exporter, struct fg_store *store)
{
    const struct fg_export *export = exporter->export;
    const struct fg_predicate of_service = {.op = FG_PRED_EQ,
                                            .field = FG_FIELD_SERVICE,
                                            .type = FG_VALUE_STRING,
                                            .string = export->service};
    struct fg_scan scan = {.tenant = export->tenant,
                           .start_ns_min = export->start_ns_min,
                           .start_ns_max = export->start_ns_max,
                           .predicate = export->service.size ? &of_service : NULL,
                           .columns = FG_COLUMNS_ALL,
                           .is_cancelled = is_cancelled,
                           .rows = take_rows,
                           .arg = exporter};
    for (;;) {
        struct fg_read_stats stats = {0};
        exporter->step_end_mono_ns = fg_env_mono_ns(exporter->env) + STEP_NS_MAX;
        exporter->frontier_ns = UINT64_MAX;
        int r = fg_store_scan(store, &scan, &stats);
        if (r != 0 && r != STEP_OVER && r != FG_ETIMEOUT)
            return r;
        int flushed = flush(exporter);
        if (r == 0 || flushed != 0)
            return flushed;
        /* Nothing above the frontier is left. A step that got nowhere would go on for ever. */
        if (exporter->frontier_ns >= scan.start_ns_max - 1)
            return FG_ETIMEOUT;
        scan.start_ns_max = exporter->frontier_ns + 1;
    }
}

int fg_export_run(struct fg_store *store, struct fg_env *env, const struct fg_export *export)
{
    struct exporter exporter = {.export = export, .env = env};
    struct fg_builder_limits limits = fg_builder_limits_default();
    fg_buffer_init(&exporter.text, TEXT_SIZE_MAX);
    fg_arena_init(&exporter.arena, ARENA_BYTES_MAX);
    int r = fg_builder_new(&limits, &exporter.builder);
    if (r == 0)
        r = fg_remap_new(&exporter.remap);
    if (r == 0)
        r = run(&exporter, store);
    fg_remap_free(exporter.remap);
    fg_builder_free(exporter.builder);
    fg_buffer_free(&exporter.text);
    fg_arena_free(&exporter.arena);
    return r;
}
