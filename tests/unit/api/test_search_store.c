/* The whole search, from the text of a query to the pages of its answer, over a real store on the
 * simulated disk: random spans and random queries against a plain look at every span in memory. The
 * rows of each trace lie in the head, in segments, or in both, some of them twice, some of them
 * first without an end; then segments are merged and the store is started again. The answers, their
 * order and their pages stay what they were. */
#include "api/api.h"
#include "base/limits.h"
#include "fake_net.h"
#include "plain_query.h"
#include "query/search.h"
#include "sim_store.h"

#include <inttypes.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SPANS     1500u
#define REQUESTS  12u
#define BEGIN_NS  (UINT64_C(1764000000) * FG_NS_PER_SECOND)
#define SPREAD_NS (30 * UINT64_C(3600) * FG_NS_PER_SECOND) /* two days of partitions */

struct model_trace {
    uint64_t high, low;
    uint32_t *rows; /* of those that were sent */
    uint32_t count;
};

struct world {
    struct sim_store on;
    struct fg_api *api;
    struct fg_builder *all;
    struct fg_batch batch;  /* every span that there will be */
    uint8_t request[SPANS]; /* in which it is sent */
    bool is_sent[REQUESTS];
    struct model_trace traces[SPANS];
    uint32_t trace_count;
    uint32_t rows[SPANS];
    struct predicate_maker maker;
    uint32_t asked, found, refused;
};

/* -- The model */

static uint32_t below(struct world *world, uint32_t bound)
{
    return test_random_below(&world->maker.random, bound);
}

static void make_spans(struct world *world, uint64_t seed)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct random_batch_options options = random_batch_options_default(seed);
    options.span_count = SPANS;
    options.trace_spans_max = 14;
    options.service_count = 6;
    options.start_ns = BEGIN_NS;
    options.spread_ns = SPREAD_NS;
    options.odd_percent = 10;
    assert_int_equal(fg_builder_new(&limits, &world->all), 0);
    random_batch_fill(world->all, &options);
    fg_builder_view(world->all, &world->batch);
    for (uint32_t i = 0; i < SPANS; i++)
        world->request[i] = (uint8_t)below(world, REQUESTS);
    /* Half of the traces come whole. */
    for (uint32_t i = 1; i < SPANS; i++)
        if (world->batch.trace_id_low[i] == world->batch.trace_id_low[i - 1] &&
            world->batch.trace_id_low[i] % 2)
            world->request[i] = world->request[i - 1];
}

/* The traces as they are now: rows of one trace stand together in the batch. */
static void gather_traces(struct world *world)
{
    uint32_t used = 0;
    world->trace_count = 0;
    for (uint32_t i = 0; i < SPANS; i++) {
        struct model_trace *last =
            world->trace_count ? &world->traces[world->trace_count - 1] : NULL;
        if (!world->is_sent[world->request[i]])
            continue;
        if (!last || last->low != world->batch.trace_id_low[i]) {
            last = &world->traces[world->trace_count++];
            *last = (struct model_trace){world->batch.trace_id_high[i],
                                         world->batch.trace_id_low[i], &world->rows[used], 0};
        }
        world->rows[used++] = i;
        last->count++;
    }
}

/* -- The store */

/* The row's span as it was sent when it had just begun. */
static void put_open_form(struct world *world, struct fg_builder *builder, uint32_t row)
{
    const struct fg_batch *batch = &world->batch;
    uint32_t service = batch->resource_service[batch->resource[row]], scope, resource;
    struct fg_value name = {.type = FG_VALUE_STRING, .bytes = batch->strings[service]};
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    if (name.bytes.size)
        assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &name), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &scope), 0);
    struct fg_span span = {.trace_id_high = batch->trace_id_high[row],
                           .trace_id_low = batch->trace_id_low[row],
                           .span_id = batch->span_id[row],
                           .parent_span_id = batch->parent_span_id[row],
                           .start_ns = batch->start_ns[row],
                           .received_ns = batch->start_ns[row],
                           .name = batch->strings[batch->name[row]],
                           .kind = batch->kind[row],
                           .resource = resource,
                           .scope = scope};
    assert_int_equal(fg_builder_span_begin(builder), 0);
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
}

/* Whether another request brings an earlier form of the row: its open one, or a retry's. */
static bool comes_also(const struct world *world, uint32_t row, uint32_t request)
{
    return request + 1 == world->request[row] && world->batch.span_id[row] % 5 == 0;
}

static void send(struct world *world, uint32_t request)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_builder *builder;
    struct fg_remap *remap;
    assert_int_equal(fg_builder_new(&limits, &builder), 0);
    assert_int_equal(fg_remap_new(&remap), 0);
    assert_int_equal(fg_remap_begin(remap, builder, &world->batch), 0);
    for (uint32_t row = 0; row < SPANS; row++) {
        /* A form that comes before the others could be known must not be all that there is of it.
         */
        bool also = comes_also(world, row, request) && (request + 1) % (REQUESTS / 3) != 0;
        if (also && world->batch.end_ns[row] != 0 && row % 2)
            put_open_form(world, builder, row);
        else if (also || world->request[row] == request)
            assert_int_equal(fg_builder_copy(builder, remap, &world->batch, row, 0), 0);
    }
    world->is_sent[request] = true;
    sim_store_append(&world->on, builder);
    fg_remap_free(remap);
    fg_builder_free(builder);
}

static void send_some(struct world *world, uint32_t begin, bool with_seals)
{
    for (uint32_t i = begin; i < begin + REQUESTS / 3; i++) {
        send(world, i);
        if (with_seals)
            assert_int_equal(fg_store_seal(world->on.store), 0);
    }
    gather_traces(world);
}

/* -- The plain search */

struct answer {
    struct fg_trace_key key;
    uint32_t trace; /* index into world.traces */
};

static int compare_answers(const void *a, const void *b)
{
    const struct fg_trace_key *x = &((const struct answer *)a)->key;
    const struct fg_trace_key *y = &((const struct answer *)b)->key;
    if (x->start_ns != y->start_ns)
        return x->start_ns > y->start_ns ? -1 : 1;
    if (x->trace_id_high != y->trace_id_high)
        return x->trace_id_high > y->trace_id_high ? -1 : 1;
    return x->trace_id_low > y->trace_id_low ? -1 : x->trace_id_low < y->trace_id_low;
}

static bool answers(const struct world *world, const struct model_trace *model,
                    const struct fg_query *query, uint64_t min_ns, uint64_t max_ns,
                    uint64_t *ret_start_ns)
{
    struct plain_trace trace = {&world->batch, model->rows, model->count};
    bool matches = false;
    uint64_t newest_ns = 0;
    for (uint32_t i = 0; i < model->count; i++) {
        uint64_t start_ns = world->batch.start_ns[model->rows[i]];
        if (start_ns < min_ns || start_ns >= max_ns ||
            !plain_query_may_match(&world->batch, model->rows[i], query, true))
            continue;
        matches |= plain_query_matches(&trace, model->rows[i], query);
        newest_ns = start_ns > newest_ns ? start_ns : newest_ns;
    }
    *ret_start_ns = newest_ns;
    return matches;
}

static uint32_t plain_search(const struct world *world, const struct fg_query *query,
                             uint64_t min_ns, uint64_t max_ns, struct answer *list)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->trace_count; i++) {
        const struct model_trace *trace = &world->traces[i];
        struct answer answer = {.key = {0, trace->high, trace->low}, .trace = i};
        if (answers(world, trace, query, min_ns, max_ns, &answer.key.start_ns))
            list[count++] = answer;
    }
    qsort(list, count, sizeof *list, compare_answers);
    return count;
}

/* -- The real one */

static json_t *get(struct world *world, const char *path, const char *query, unsigned *ret_status)
{
    struct fake_request request;
    json_error_t error;
    fake_init(&request, FG_METHOD_GET, path, query, FG_FACE_API);
    fake_run(&request, world->api);
    *ret_status = request.status;
    json_t *root = json_loads(fake_text(&request), 0, &error);
    if (!root)
        fail_msg("no JSON: %s in %s", error.text, fake_text(&request));
    fake_free(&request);
    return root;
}

static void compare_trace(const struct world *world, json_t *found, const struct answer *expected)
{
    const struct model_trace *model = &world->traces[expected->trace];
    struct plain_trace trace = {&world->batch, model->rows, model->count};
    struct plain_summary summary = plain_summarize(&trace);
    char id[33], number[24];
    snprintf(id, sizeof id, "%016" PRIx64 "%016" PRIx64, model->high, model->low);
    assert_string_equal(json_string_value(json_object_get(found, "trace_id")), id);
    assert_int_equal(json_integer_value(json_object_get(found, "span_count")), model->count);
    assert_int_equal(json_integer_value(json_object_get(found, "error_count")),
                     summary.error_count);
    assert_int_equal(json_integer_value(json_object_get(found, "open_count")), summary.open_count);
    assert_int_equal(json_is_true(json_object_get(found, "has_root")), summary.has_root);
    snprintf(number, sizeof number, "%" PRIu64, summary.duration_ns);
    assert_string_equal(json_string_value(json_object_get(found, "duration_ns")), number);
    snprintf(number, sizeof number, "%" PRIu64, summary.start_ns);
    assert_string_equal(json_string_value(json_object_get(found, "start_ns")), number);
}

static void escape(struct fg_buffer *out, struct fg_slice text)
{
    for (size_t i = 0; i < text.size; i++)
        fg_buffer_append_format(out, "%%%02X", text.data[i]);
}

/* Page after page until there is none; each holds what comes next in the list. */
static void compare_pages(struct world *world, struct fg_slice text, uint64_t min_ns,
                          uint64_t max_ns, uint32_t limit, const struct answer *list,
                          uint32_t count)
{
    char cursor[FG_TRACE_KEY_TEXT_SIZE + 1] = "";
    uint32_t at = 0;
    for (;;) {
        struct fg_buffer url;
        unsigned status;
        fg_buffer_init(&url, 64 << 10);
        fg_buffer_append_format(&url,
                                "start=%" PRIu64 "&end=%" PRIu64 "&limit=%u&budget=1GiB&q=", min_ns,
                                max_ns, limit);
        escape(&url, text);
        if (cursor[0])
            fg_buffer_append_format(&url, "&cursor=%s", cursor);
        fg_buffer_append_byte(&url, 0);
        assert_int_equal(url.error, 0);
        json_t *page = get(world, "/api/v1/traces", (const char *)url.data, &status);
        fg_buffer_free(&url);
        if (status != 200)
            fail_msg("%.*s: %u %s", (int)text.size, (const char *)text.data, status,
                     json_string_value(json_object_get(page, "error")));
        json_t *traces = json_object_get(page, "traces"), *next = json_object_get(page, "next");
        assert_true(json_is_false(json_object_get(page, "partial")));
        if (json_array_size(traces) + at > count ||
            (json_is_null(next) && json_array_size(traces) + at != count))
            fail_msg("%.*s in [%" PRIu64 ", %" PRIu64 "): %zu traces after %u, expected %u in all",
                     (int)text.size, (const char *)text.data, min_ns, max_ns,
                     json_array_size(traces), at, count);
        for (size_t i = 0; i < json_array_size(traces); i++)
            compare_trace(world, json_array_get(traces, i), &list[at++]);
        snprintf(cursor, sizeof cursor, "%s", json_is_null(next) ? "" : json_string_value(next));
        json_decref(page);
        if (!cursor[0])
            break;
    }
    assert_int_equal(at, count);
}

/* What is random has values that the language has no words for; those are left out. */
static bool as_text(struct world *world, const struct fg_query *query, struct fg_buffer *text,
                    const struct fg_query **ret_parsed)
{
    struct fg_query_error error;
    const struct fg_predicate *predicate;
    const char *message;
    bool whole;
    fg_query_print(query, text);
    return fg_query_parse(fg_buffer_slice(text), &world->maker.arena, ret_parsed, &error) == 0 &&
           fg_query_plan(*ret_parsed, &world->maker.arena, &predicate, &whole, &message) == 0;
}

static void compare_one(struct world *world, int depth)
{
    static struct answer list[SPANS];
    struct fg_buffer text;
    const struct fg_query *query = NULL;
    fg_arena_reset(&world->maker.arena);
    fg_buffer_init(&text, 32 << 10);
    if (!as_text(world, random_query(&world->maker, depth), &text, &query)) {
        world->refused++;
        fg_buffer_free(&text);
        return;
    }
    uint64_t min_ns = 0, max_ns = UINT64_MAX;
    if (below(world, 2)) {
        min_ns = BEGIN_NS + test_random_u64(&world->maker.random) % SPREAD_NS;
        max_ns = min_ns + 1 + test_random_u64(&world->maker.random) % (SPREAD_NS / 2);
    }
    uint32_t count = plain_search(world, query, min_ns, max_ns, list);
    uint32_t limit = below(world, 3) ? 1000 : 1 + below(world, 7) + count / 8;
    compare_pages(world, fg_buffer_slice(&text), min_ns, max_ns, limit, list, count);
    world->asked++;
    world->found += count;
    fg_buffer_free(&text);
}

static void compare_some(struct world *world, int count)
{
    for (int i = 0; i < count; i++)
        compare_one(world, i % 3);
}

static void begin(struct world *world, uint64_t seed, unsigned helpers)
{
    *world = (struct world){.maker = {.random = {.state = seed}}};
    fg_arena_init(&world->maker.arena, 4 << 20);
    make_spans(world, seed);
    world->maker.batch = &world->batch;
    sim_store_open_helped(&world->on, seed, helpers);
    struct fg_api_options options = {.env = fg_sim_env(world->on.sim),
                                     .loop_count = 1,
                                     .worker_count = 1,
                                     .body_size_max = FG_REQUEST_BODY_SIZE_MAX,
                                     .inflated_size_max = FG_REQUEST_INFLATED_SIZE_MAX};
    assert_int_equal(fg_api_new(&options, &world->api), 0);
    fg_api_attach_store(world->api, world->on.store);
}

static void end(struct world *world)
{
    fg_api_free(world->api);
    sim_store_close(&world->on);
    fg_builder_free(world->all);
    fg_arena_free(&world->maker.arena);
}

static uint64_t segment_count(const struct world *world)
{
    struct fg_store_counters counters;
    fg_store_counters(world->on.store, &counters);
    return counters.segment_count;
}

/* -- Tests */

static void run(uint64_t seed, unsigned helpers)
{
    static struct world world;
    begin(&world, seed, helpers);
    send_some(&world, 0, false);
    assert_int_equal(segment_count(&world), 0);
    compare_some(&world, 25); /* the head alone */
    assert_int_equal(fg_store_seal(world.on.store), 0);
    compare_some(&world, 25); /* one segment a day */
    send_some(&world, REQUESTS / 3, true);
    compare_some(&world, 25); /* several */
    send_some(&world, 2 * REQUESTS / 3, false);
    compare_some(&world, 40); /* head and segments */
    sim_store_restart(&world.on);
    fg_api_attach_store(world.api, world.on.store);
    compare_some(&world, 25); /* the head from the log */
    assert_int_equal(fg_store_seal(world.on.store), 0);
    uint64_t segments = segment_count(&world);
    fg_sim_advance(world.on.sim, 2 * FG_MERGE_QUIET_NS);
    assert_int_equal(fg_store_settle(world.on.store), 0);
    assert_true(segment_count(&world) < segments);
    compare_some(&world, 40); /* merged */
    sim_store_restart(&world.on);
    fg_api_attach_store(world.api, world.on.store);
    compare_some(&world, 25);
    assert_true(world.asked > 150 && world.found > 2000);
    end(&world);
}

static uint64_t seed_begin = 1, seed_count = 2;

static void the_same_as_a_plain_look(void **state)
{
    (void)state;
    for (uint64_t seed = seed_begin; seed < seed_begin + seed_count; seed++) {
        print_message("seed %" PRIu64 "\n", seed);
        run(seed, 0);
        run(seed, 3); /* by several threads */
    }
}

/* By hand with more seeds: test_api_search_store FIRST COUNT. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_as_a_plain_look)};
    if (argc == 3) {
        seed_begin = strtoull(argv[1], NULL, 10);
        seed_count = strtoull(argv[2], NULL, 10);
    }
    return cmocka_run_group_tests_name("search_store", tests, NULL, NULL);
}
