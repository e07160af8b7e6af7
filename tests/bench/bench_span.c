/* What the rooms span and store cost a span, in ns on one core: building and freezing a request,
 * parsing it, copying a row, matching a row. The best of several goes is given, so that neighbours
 * on the machine count for less. `bench_span [SPANS-OF-A-REQUEST]`. */
#include "span/block.h"
#include "span/builder.h"
#include "store/predicate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ATTRS 7

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void must(int r)
{
    if (r == 0)
        return;
    fprintf(stderr, "%s\n", fg_error_name(r));
    exit(1);
}

/* A request in the form in which the decoder hands it on: slices into its bytes. */
struct row {
    struct fg_span span;
    struct fg_slice keys[ATTRS];
    struct fg_value values[ATTRS];
};

static struct fg_slice text(const char *format, uint64_t number)
{
    char bytes[128];
    snprintf(bytes, sizeof bytes, format, (unsigned long long)number);
    char *copy = strdup(bytes);
    return fg_slice_from_string(copy);
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    return x ^ (x >> 29);
}

static void make_row(struct row *row, uint64_t i)
{
    static const char *const keys[ATTRS] = {"http.request.method",
                                            "http.route",
                                            "http.response.status_code",
                                            "server.address",
                                            "order.id",
                                            "db.statement",
                                            "thread.id"};
    uint64_t trace = i / 13;
    row->span = (struct fg_span){.trace_id_high = mix(trace),
                                 .trace_id_low = mix(trace + 77),
                                 .span_id = mix(i + 1),
                                 .parent_span_id = i % 13 ? mix(i) : 0,
                                 .start_ns = 1700000000000000000 + i * 1000,
                                 .end_ns = 1700000000000000000 + i * 1000 + 50000,
                                 .received_ns = 1700000001000000000,
                                 .name = text("operation %llu", mix(i) % 30),
                                 .kind = (uint8_t)(1 + i % 5)};
    for (int k = 0; k < ATTRS; k++)
        row->keys[k] = text(keys[k], 0);
    row->values[0].bytes = text(i % 3 ? "GET" : "POST", 0);
    row->values[1].bytes = text("/orders/{id}/part/%llu", mix(i + 5) % 20);
    row->values[3].bytes = text("mes-api-%llu.internal", mix(i + 9) % 8);
    row->values[4].bytes = text("ORD-%012llu", trace);
    row->values[5].bytes =
        text("SELECT id, state, total FROM orders WHERE customer_id = $1 AND shard = %llu",
             mix(i + 11) % 40);
    for (int k = 0; k < ATTRS; k++)
        row->values[k].type = FG_VALUE_STRING;
    row->values[2] = (struct fg_value){.type = FG_VALUE_INT, .bits = i % 20 ? 200 : 500};
    row->values[6] = (struct fg_value){.type = FG_VALUE_INT, .bits = mix(i) % 64};
}

static void build(struct fg_builder *builder, const struct row *rows, uint32_t count)
{
    struct fg_value service = {.type = FG_VALUE_STRING, .bytes = FG_SLICE("mes-api")};
    uint32_t id;
    must(fg_builder_resource_begin(builder));
    must(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &service));
    must(fg_builder_resource_end(builder, FG_SLICE(""), 0, &id));
    must(fg_builder_scope_begin(builder));
    must(fg_builder_scope_end(builder, FG_SLICE("http"), FG_SLICE("1"), FG_SLICE(""), 0, &id));
    for (uint32_t i = 0; i < count; i++) {
        must(fg_builder_span_begin(builder));
        for (int k = 0; k < ATTRS; k++)
            must(fg_builder_span_attr(builder, rows[i].keys[k], &rows[i].values[k]));
        must(fg_builder_span_end(builder, &rows[i].span));
    }
}

static void report(const char *what, uint64_t ns, uint64_t count)
{
    printf("%-44s %7.1f ns\n", what, (double)ns / (double)count);
}

#define GOES 20

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void bench_request(struct fg_builder *builder, const struct row *rows, uint32_t span_count)
{
    uint32_t rounds = 50000 / span_count + 1;
    uint64_t best_build_ns = UINT64_MAX, best_freeze_ns = UINT64_MAX, best_parse_ns = UINT64_MAX;
    uint64_t bytes = 0;
    for (int go = 0; go < GOES; go++) {
        uint64_t build_ns = 0, freeze_ns = 0, parse_ns = 0;
        for (uint32_t i = 0; i < rounds; i++) {
            struct fg_block *block, *parsed;
            uint64_t t0 = now_ns();
            fg_builder_reset(builder);
            build(builder, rows, span_count);
            uint64_t t1 = now_ns();
            must(fg_block_freeze(builder, &block));
            uint64_t t2 = now_ns();
            must(fg_block_parse(fg_block_payload(block), &parsed));
            parse_ns += now_ns() - t2;
            build_ns += t1 - t0;
            freeze_ns += t2 - t1;
            bytes = fg_block_payload(block).size;
            fg_block_unref(block);
            fg_block_unref(parsed);
        }
        best_build_ns = least(best_build_ns, build_ns);
        best_freeze_ns = least(best_freeze_ns, freeze_ns);
        best_parse_ns = least(best_parse_ns, parse_ns);
    }
    uint64_t spans = (uint64_t)rounds * span_count;
    report("build, a span", best_build_ns, spans);
    report("freeze, a span", best_freeze_ns, spans);
    report("parse, a span", best_parse_ns, spans);
    printf("%-44s %7.1f\n", "bytes of a frozen span", (double)bytes / span_count);
}

static void copy_strided(struct fg_builder *builder, struct fg_remap **remaps,
                         struct fg_block **blocks, uint32_t block_count, uint32_t span_count)
{
    for (uint32_t i = 0; i < block_count; i++)
        must(fg_remap_begin(remaps[i], builder, fg_block_batch(blocks[i])));
    for (uint32_t row = 0; row < span_count; row++)
        for (uint32_t i = 0; i < block_count; i++)
            must(fg_builder_copy(builder, remaps[i], fg_block_batch(blocks[i]), row, 0));
}

static void copy_in_order(struct fg_builder *builder, struct fg_remap **remaps,
                          struct fg_block **blocks, uint32_t block_count, uint32_t span_count)
{
    for (uint32_t i = 0; i < block_count; i++) {
        must(fg_remap_begin(remaps[i], builder, fg_block_batch(blocks[i])));
        for (uint32_t row = 0; row < span_count; row++)
            must(fg_builder_copy(builder, remaps[i], fg_block_batch(blocks[i]), row, 0));
    }
}

/* As sealing does: many small blocks, in the best order and in the worst. */
static void bench_copy(struct fg_builder *builder, const struct row *rows, uint32_t span_count)
{
    uint32_t block_count = 100000 / span_count + 1;
    struct fg_block **blocks = calloc(block_count, sizeof *blocks);
    struct fg_remap **remaps = calloc(block_count, sizeof *remaps);
    if (!blocks || !remaps)
        exit(1);
    for (uint32_t i = 0; i < block_count; i++) {
        fg_builder_reset(builder);
        build(builder, rows + (uint64_t)i * span_count, span_count);
        must(fg_block_freeze(builder, &blocks[i]));
        must(fg_remap_new(&remaps[i]));
    }
    uint64_t best_ns[2] = {UINT64_MAX, UINT64_MAX};
    for (int go = 0; go < GOES; go++) {
        fg_builder_reset(builder);
        uint64_t t0 = now_ns();
        (go % 2 ? copy_strided : copy_in_order)(builder, remaps, blocks, block_count, span_count);
        best_ns[go % 2] = least(best_ns[go % 2], now_ns() - t0);
    }
    report("copy, a row, block after block", best_ns[0], (uint64_t)block_count * span_count);
    report("copy, a row, each of another block", best_ns[1], (uint64_t)block_count * span_count);
    for (uint32_t i = 0; i < block_count; i++) {
        fg_block_unref(blocks[i]);
        fg_remap_free(remaps[i]);
    }
    free(blocks);
    free(remaps);
}

static void bench_match(const char *what, const struct fg_predicate *predicate,
                        const struct fg_batch *batch)
{
    struct fg_matcher *matcher;
    uint64_t bits[8192 / 64], best_ns = UINT64_MAX, matched = 0;
    must(fg_matcher_new(predicate, &matcher));
    for (int go = 0; go < 10 * GOES; go++) {
        uint64_t t0 = now_ns();
        must(fg_matcher_bind(matcher, batch));
        must(fg_matcher_run(matcher, 0, batch->span_count, bits));
        best_ns = least(best_ns, now_ns() - t0);
    }
    for (uint32_t i = 0; i < batch->span_count / 64; i++)
        matched += (uint64_t)__builtin_popcountll(bits[i]);
    report(what, best_ns, batch->span_count);
    printf("%-44s %7.2f %%\n", "  matched", 100.0 * (double)matched / batch->span_count);
    fg_matcher_free(matcher);
}

static void bench_matches(struct fg_builder *builder, const struct row *rows)
{
    struct fg_batch batch;
    fg_builder_reset(builder);
    build(builder, rows, 8192);
    fg_builder_view(builder, &batch);
    const struct fg_predicate duration = {
        .op = FG_PRED_GT, .field = FG_FIELD_DURATION, .type = FG_VALUE_INT, .integer = 60000};
    const struct fg_predicate name = {.op = FG_PRED_EQ,
                                      .field = FG_FIELD_NAME,
                                      .type = FG_VALUE_STRING,
                                      .string = FG_SLICE("operation 7")};
    const struct fg_predicate order = {.op = FG_PRED_EQ,
                                       .field = FG_FIELD_ATTR_SPAN,
                                       .key = FG_SLICE("order.id"),
                                       .type = FG_VALUE_STRING,
                                       .string = FG_SLICE("ORD-000000000100")};
    const struct fg_predicate status = {.op = FG_PRED_GE,
                                        .field = FG_FIELD_ATTR_SPAN,
                                        .key = FG_SLICE("http.response.status_code"),
                                        .type = FG_VALUE_INT,
                                        .integer = 500};
    const struct fg_predicate regex = {.op = FG_PRED_REGEX,
                                       .field = FG_FIELD_ATTR_SPAN,
                                       .key = FG_SLICE("order.id"),
                                       .type = FG_VALUE_STRING,
                                       .string = FG_SLICE("ORD-0+99[0-9]$")};
    const struct fg_predicate *both[] = {&regex, &status};
    const struct fg_predicate and_of = {.op = FG_PRED_AND, .child_count = 2, .children = both};
    bench_match("match, duration > 60us, a row", &duration, &batch);
    bench_match("match, name = x, a row", &name, &batch);
    bench_match("match, span.order.id = x, a row", &order, &batch);
    bench_match("match, status_code >= 500, a row", &status, &batch);
    bench_match("match, order.id ~ regex, a row", &regex, &batch);
    bench_match("match, both, a row", &and_of, &batch);
}

int main(int argc, char **argv)
{
    uint32_t span_count = argc > 1 ? (uint32_t)atoi(argv[1]) : 104;
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    uint32_t row_count = 100000 + 2 * span_count;
    struct row *rows = calloc(row_count, sizeof *rows);
    if (!rows || span_count == 0 || span_count > 100000)
        return 1;
    for (uint32_t i = 0; i < row_count; i++)
        make_row(&rows[i], i);
    must(fg_builder_new(&limits, &builder));
    printf("%u spans a request, %d attributes a span\n", span_count, ATTRS);
    bench_request(builder, rows, span_count);
    bench_copy(builder, rows, span_count);
    bench_matches(builder, rows);
    fg_builder_free(builder);
    return 0;
}
