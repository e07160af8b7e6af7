/* What a segment costs, on the load of `filigree bench`: bytes a span by column, and ns a span to
 * write, to read back whole and in part, to find a trace, to rule a value out. Processor time, not
 * the clock's; the file in the page cache. `bench_segment small|wide SPANS FILE`; the file is left
 * for segdump. */
#include "api/intake.h"
#include "bench/shape.h"
#include "local/cache.h"
#include "local/segment.h"
#include "order.h"
#include "segment_traces.h"
#include "wire/error.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REQUEST_SPANS 520u

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void must(int r)
{
    if (r == 0)
        return;
    fprintf(stderr, "%s\n", fg_error_name(r));
    exit(1);
}

static struct fg_builder *builder_new(void)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    limits.bytes_max = (uint64_t)4 << 30;
    struct fg_builder *builder;
    must(fg_builder_new(&limits, &builder));
    return builder;
}

static void copy(struct fg_builder *to, const struct fg_batch *from, const struct fg_row *rows,
                 uint32_t count)
{
    struct fg_remap *remap;
    must(fg_remap_new(&remap));
    must(fg_remap_begin(remap, to, from));
    for (uint32_t i = 0; i < count; i++)
        must(fg_builder_copy(to, remap, from, rows ? rows[i].row : i, 0));
    fg_remap_free(remap);
}

/* Requests of four connections, 3 ms apart, decoded as the server does. */
static struct fg_builder *load_new(enum fg_bench_kind kind, uint32_t spans)
{
    struct fg_bench_shape *shape;
    must(fg_bench_shape_new(kind, 1, REQUEST_SPANS, &shape));
    struct fg_builder *all = builder_new(), *one = builder_new();
    struct fg_intake intake;
    struct fg_intake_rules rules = {0};
    uint8_t *body = malloc(fg_bench_request_size_max(shape));
    fg_intake_init(&intake, one);
    uint64_t time_ns = UINT64_C(1764000000000000000), wire_size = 0;
    for (uint64_t request = 0; fg_builder_span_count(all) < spans; request++) {
        time_ns += 3 * FG_NS_PER_MS + request * 7919 % 100000;
        fg_bench_request_write(shape, request, time_ns, body);
        fg_intake_begin(&intake, &rules, time_ns + 400000 + request % 7 * 31000);
        struct fg_slice bytes = fg_slice(body, fg_bench_request_size(shape, request));
        struct fg_wire_error error;
        wire_size += bytes.size;
        must(fg_otlp_decode_traces(bytes, &fg_intake_visitor, &intake, &error));
        struct fg_batch batch;
        fg_builder_view(one, &batch);
        copy(all, &batch, NULL, batch.span_count);
    }
    printf("%u spans, %.1f bytes a span on the wire\n", fg_builder_span_count(all),
           (double)wire_size / fg_builder_span_count(all));
    fg_intake_free(&intake);
    fg_builder_free(one);
    fg_bench_shape_free(shape);
    free(body);
    return all;
}

static void report(const char *what, uint64_t ns, uint64_t count)
{
    printf("%-40s %8.1f ns\n", what, (double)ns / (double)count);
}

/* Writes the load in final order, row group by row group. */
static struct fg_segment_info write_all(struct fg_builder *load, const char *path)
{
    struct fg_batch batch;
    fg_builder_view(load, &batch);
    struct fg_row *rows = calloc(batch.span_count, sizeof *rows);
    for (uint32_t i = 0; i < batch.span_count; i++)
        rows[i].row = i;
    struct fg_arena arena;
    fg_arena_init(&arena, (size_t)4 << 30);
    const struct fg_batch *batches[] = {&batch};
    struct fg_order order;
    must(fg_order_rows(batches, rows, batch.span_count, &arena, &order));
    free(rows);
    struct fg_segment_writer *writer;
    remove(path);
    must(fg_segment_writer_open(fg_env_real(), path, NULL, &writer));
    uint64_t add_ns = 0;
    for (uint32_t begin = 0; begin < order.count; begin += FG_ROW_GROUP_ROWS_MAX) {
        uint32_t rest = order.count - begin;
        uint32_t count = rest < FG_ROW_GROUP_ROWS_MAX ? rest : FG_ROW_GROUP_ROWS_MAX;
        struct fg_builder *group = builder_new();
        copy(group, &batch, order.rows + begin, count);
        struct fg_batch view;
        fg_builder_view(group, &view);
        uint64_t t = now_ns();
        must(fg_segment_writer_add(writer, &view));
        add_ns += now_ns() - t;
        fg_builder_free(group);
    }
    struct fg_segment_info info;
    uint64_t t = now_ns();
    must(fg_segment_writer_finish_take(writer, &info));
    report("write, a span", add_ns, info.span_count);
    report("finish, a span", now_ns() - t, info.span_count);
    printf("%-40s %8.2f\n", "bytes a span", (double)info.size_bytes / (double)info.span_count);
    fg_arena_free(&arena);
    return info;
}

static void print_column(void *arg, const struct fg_segment_column *column)
{
    double spans = *(double *)arg;
    static const char *const levels[] = {"span.", "resource.", "scope.", "event.", "link.", ""};
    const char *level =
        column->level >= FG_FIELD_ATTR_SPAN ? levels[column->level - FG_FIELD_ATTR_SPAN] : "- ";
    printf("  %-10s%-36.*s type %u %8.3f bytes a span, %9llu values\n", level,
           (int)column->key.size, (const char *)column->key.data, column->type,
           (double)column->size_bytes / spans, (unsigned long long)column->value_count);
}

static void read_all(struct fg_segment *segment, const char *what, uint32_t columns,
                     const struct fg_predicate *keys_of)
{
    struct fg_segment_reader_options options = {
        .columns = columns, .keys_of = keys_of, .page_cache_count = 1};
    uint64_t best_ns = UINT64_MAX, count = fg_segment_info(segment)->span_count;
    for (int go = 0; go < 3; go++) {
        struct fg_segment_reader *reader;
        must(fg_segment_reader_new(segment, &options, &reader));
        uint64_t t = now_ns();
        for (uint64_t row = 0, begin; row < count;) {
            const struct fg_batch *page;
            must(fg_segment_reader_page(reader, row, &page, &begin));
            row += page->span_count;
        }
        t = now_ns() - t;
        best_ns = t < best_ns ? t : best_ns;
        fg_segment_reader_free(reader);
    }
    report(what, best_ns, count);
}

static void look_up(struct fg_segment *segment)
{
    struct fg_segment_trace found;
    struct segment_traces list;
    must(segment_traces_list(segment, &list));
    const struct fg_segment_trace *traces = list.all;
    size_t count = list.count;
    size_t step = count / 500 + 1, asked = 0;
    uint64_t t = now_ns();
    for (size_t i = 0; i < count; i += step, asked++)
        must(fg_segment_find_trace(segment, traces[i].id_high, traces[i].id_low, &found));
    report("find a trace", now_ns() - t, asked);
    t = now_ns();
    asked = 0;
    for (size_t i = 0; i < count; i += step, asked++)
        if (fg_segment_find_trace(segment, ~traces[i].id_high, i, &found) != FG_ENOTFOUND)
            abort();
    report("miss a trace", now_ns() - t, asked);
    struct fg_segment_reader_options options = {.columns = FG_COLUMNS_ALL, .page_cache_count = 1};
    t = now_ns();
    asked = 0;
    for (size_t i = 0; i < count; i += step, asked++) {
        struct fg_segment_reader *reader;
        const struct fg_batch *page;
        uint64_t begin;
        must(fg_segment_find_trace(segment, traces[i].id_high, traces[i].id_low, &found));
        must(fg_segment_reader_new(segment, &options, &reader));
        must(fg_segment_reader_page(reader, found.row_begin, &page, &begin));
        fg_segment_reader_free(reader);
    }
    report("find a trace and read its page", now_ns() - t, asked);
    free(list.all);
}

static int count_page(void *arg, const struct fg_segment_page *page)
{
    (void)page;
    (*(uint64_t *)arg)++;
    return 0;
}

static void rule_out(struct fg_segment *segment, const char *what,
                     const struct fg_predicate *predicate)
{
    uint64_t pages = 0;
    struct fg_prune_counters counters;
    must(fg_segment_prune(segment, predicate, 0, UINT64_MAX, true, count_page, &pages, &counters));
    uint64_t t = now_ns();
    pages = 0;
    must(fg_segment_prune(segment, predicate, 0, UINT64_MAX, true, count_page, &pages, &counters));
    t = now_ns() - t;
    report(what, t, fg_segment_info(segment)->row_group_count);
    printf("    of a row group; %llu pages left of %llu\n", (unsigned long long)pages,
           (unsigned long long)counters.pages);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "bench_segment small|wide SPANS FILE\n");
        return 2;
    }
    enum fg_bench_kind kind = strcmp(argv[1], "wide") == 0 ? FG_BENCH_WIDE : FG_BENCH_SMALL;
    struct fg_builder *load = load_new(kind, (uint32_t)strtoul(argv[2], NULL, 10));
    struct fg_segment_info info = write_all(load, argv[3]);
    fg_builder_free(load);
    struct fg_cache *cache;
    struct fg_segment *segment;
    must(fg_cache_new((uint64_t)64 << 20, &cache));
    must(fg_segment_open(fg_env_real(), argv[3], cache, &segment));
    double spans = (double)info.span_count;
    must(fg_segment_columns(segment, print_column, &spans));
    struct fg_predicate order = {
        .op = FG_PRED_EQ, .field = FG_FIELD_ATTR_SPAN, .type = FG_VALUE_STRING};
    order.key = FG_SLICE("order.id");
    order.string = FG_SLICE("ORD-none");
    struct fg_predicate name = {
        .op = FG_PRED_REGEX, .field = FG_FIELD_NAME, .type = FG_VALUE_STRING};
    name.string = FG_SLICE("no such name [0-9]+");
    read_all(segment, "read all columns, a span", FG_COLUMNS_ALL, NULL);
    read_all(segment, "read ids and times, a span", FG_COLUMNS_IDS | FG_COLUMNS_TIMES, NULL);
    read_all(segment, "read names and statuses, a span", FG_COLUMNS_NAME | FG_COLUMNS_STATUS, NULL);
    read_all(segment, "read one attribute, a span", FG_COLUMNS_SPAN_ATTRS, &order);
    look_up(segment);
    rule_out(segment, "rule out an order's number", &order);
    rule_out(segment, "rule out a regular expression of names", &name);
    printf("cache: %llu bytes\n", (unsigned long long)fg_cache_size_bytes(cache));
    fg_segment_unref(segment);
    fg_cache_free(cache);
    return 0;
}
