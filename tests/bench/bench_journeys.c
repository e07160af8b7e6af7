/* What a batch costs the thread that follows journeys, on the company's traffic of `filigree bench
 * --journeys`: ns a span of taking them, judging and the disk left out. The thread's processor
 * time, and what is measured comes between requests that are decoded, as in the server.
 * `bench_journeys ORDERS REQUESTS FLOW.yaml`, of which demo/flow.yaml is one. */
#include "api/intake.h"
#include "bench/shape.h"
#include "journeys_internal.h"
#include "span/builder.h"
#include "wire/error.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REQUEST_SPANS 520u
#define FLOW_SIZE_MAX 65536u

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * FG_NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

static void must(int r)
{
    if (r == 0)
        return;
    fprintf(stderr, "%s\n", fg_error_name(r));
    exit(1);
}

static void read_flows(const char *path, struct fg_arena *arena, struct fg_flows *ret_flows)
{
    static char text[FLOW_SIZE_MAX];
    struct fg_buffer errors;
    FILE *file = fopen(path, "re");
    size_t size = file ? fread(text, 1, sizeof text, file) : 0;
    if (file)
        fclose(file);
    fg_buffer_init(&errors, 4096);
    int r = fg_flows_parse(fg_slice(text, size), path, arena, &errors, ret_flows);
    if (r < 0)
        fprintf(stderr, "%.*s", (int)errors.size, (const char *)errors.data);
    must(r);
    fg_buffer_free(&errors);
}

/* Requests [begin, end) of a shape; returns ns a span. */
static double take(struct fg_journeys *journeys, const struct fg_bench_shape *shape, uint64_t begin,
                   uint64_t end, uint64_t *time_ns)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_intake intake;
    struct fg_intake_rules rules = {0};
    uint8_t *body = malloc(fg_bench_request_size_max(shape));
    uint64_t took_ns = 0, spans = 0;
    must(fg_builder_new(&limits, &builder));
    fg_intake_init(&intake, builder);
    for (uint64_t request = begin; request < end; request++) {
        struct fg_wire_error error;
        struct fg_batch batch;
        *time_ns += 2 * FG_NS_PER_MS;
        fg_bench_request_write(shape, request, *time_ns, body);
        fg_intake_begin(&intake, &rules, *time_ns + 400000);
        must(fg_otlp_decode_traces(fg_slice(body, fg_bench_request_size(shape, request)),
                                   &fg_intake_visitor, &intake, &error));
        fg_builder_view(builder, &batch);
        uint64_t t = now_ns();
        must(fg_journeys_take_batch(journeys, &batch));
        took_ns += now_ns() - t;
        spans += batch.span_count;
    }
    fg_intake_free(&intake);
    fg_builder_free(builder);
    free(body);
    return spans ? (double)took_ns / (double)spans : 0;
}

int main(int argc, char **argv)
{
    struct fg_arena arena;
    struct fg_flows flows;
    struct fg_bench_shape *placed, *company;
    struct fg_journeys *journeys;
    uint64_t time_ns = fg_env_wall_ns(fg_env_real());
    if (argc != 4) {
        fprintf(stderr, "bench_journeys ORDERS REQUESTS FLOW.yaml\n");
        return 1;
    }
    uint64_t orders = strtoull(argv[1], NULL, 10), requests = strtoull(argv[2], NULL, 10);
    fg_arena_init(&arena, (size_t)1 << 20);
    read_flows(argv[3], &arena, &flows);
    must(fg_bench_shape_new(FG_BENCH_PLACED, 2, REQUEST_SPANS, &placed));
    must(fg_bench_shape_new(FG_BENCH_COMPANY, 1, REQUEST_SPANS, &company));
    uint64_t before = orders / fg_bench_orders_per_request(placed) + 1;
    fg_bench_shape_open(company, before * fg_bench_orders_per_request(placed));
    const struct fg_journeys_options options = {.env = fg_env_real(),
                                                .flows = &flows,
                                                .journeys_max = (uint32_t)orders * 2 + 1024,
                                                .manual = true};
    must(fg_journeys_open(&options, &journeys));
    printf("%-32s %8.1f ns\n", "a span that places an order",
           take(journeys, placed, 0, before, &time_ns));
    printf("%-32s %8.1f ns\n", "a span of an order under way",
           take(journeys, company, 0, requests, &time_ns));
    printf("%-32s %8u, %u in doubt\n", "orders", journeys->table.count, journeys->dirty_count);
    fg_journeys_close(journeys);
    fg_bench_shape_free(placed);
    fg_bench_shape_free(company);
    fg_flows_free(&flows);
    fg_arena_free(&arena);
    return 0;
}
