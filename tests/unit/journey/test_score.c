/* The scorecard over a store on the simulated disk: each figure against one worked out by hand. */
#include "journey/score.h"

#include "base/limits.h"
#include "sim_store.h"
#include "span/builder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const char flow_text[] = "flows:\n"
                                "  - name: order\n"
                                "    key: order.id\n"
                                "    within: 30s\n"
                                "    steps:\n"
                                "      - {name: placed, when: 'name=place'}\n"
                                "      - {name: shipped, when: 'name=ship', ends: done}\n";

struct world {
    struct sim_store on;
    struct fg_journeys *journeys;
    struct fg_incidents *incidents;
    struct fg_builder *builder;
    struct fg_arena arena, answers;
    struct fg_flows flows;
    uint64_t minute_ns, next_id;
};

static void begin(struct world *world)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_buffer errors;
    *world = (struct world){.next_id = 1};
    fg_arena_init(&world->arena, (size_t)1 << 20);
    fg_arena_init(&world->answers, (size_t)64 << 20);
    fg_buffer_init(&errors, 4096);
    assert_int_equal(
        fg_flows_parse(fg_slice_from_string(flow_text), "f", &world->arena, &errors, &world->flows),
        0);
    fg_buffer_free(&errors);
    sim_store_open(&world->on, 1);
    assert_int_equal(fg_builder_new(&limits, &world->builder), 0);
    const struct fg_journeys_options options = {.env = fg_sim_env(world->on.sim),
                                                .store = world->on.store,
                                                .flows = &world->flows,
                                                .journeys_max = 1000,
                                                .manual = true};
    const struct fg_incidents_options incidents = {.env = fg_sim_env(world->on.sim),
                                                   .manual = true};
    assert_int_equal(fg_journeys_open(&options, &world->journeys), 0);
    assert_int_equal(fg_incidents_open(&incidents, &world->incidents), 0);
    assert_int_equal(fg_journeys_step(world->journeys), 0);
    uint64_t now_ns = fg_env_wall_ns(fg_sim_env(world->on.sim));
    world->minute_ns = now_ns - now_ns % FG_NS_PER_MINUTE;
}

static void end(struct world *world)
{
    fg_incidents_close(world->incidents);
    fg_journeys_close(world->journeys);
    fg_builder_free(world->builder);
    sim_store_close(&world->on);
    fg_arena_free(&world->arena);
    fg_arena_free(&world->answers);
}

struct told {
    const char *service, *name, *order;
    int minute; /* before or after the split */
    uint64_t ms;
    uint8_t kind; /* server */
    bool failed;
};

static void put(struct world *world, struct told told)
{
    struct fg_builder *builder = world->builder;
    struct fg_value service = {.type = FG_VALUE_STRING,
                               .bytes = fg_slice_from_string(told.service)};
    uint64_t start_ns = world->minute_ns + (uint64_t)((int64_t)told.minute * 60000000000);
    struct fg_span span = {.trace_id_high = 1,
                           .trace_id_low = world->next_id,
                           .span_id = world->next_id++,
                           .start_ns = start_ns,
                           .end_ns = start_ns + told.ms * FG_NS_PER_MS,
                           .received_ns = start_ns,
                           .name = fg_slice_from_string(told.name),
                           .kind = told.kind ? told.kind : FG_SPAN_KIND_SERVER,
                           .status = told.failed ? FG_STATUS_ERROR : FG_STATUS_UNSET};
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &service), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &span.resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &span.scope), 0);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    if (told.order) {
        struct fg_value value = {.type = FG_VALUE_STRING,
                                 .bytes = fg_slice_from_string(told.order)};
        assert_int_equal(fg_builder_span_attr(builder, FG_SLICE("order.id"), &value), 0);
    }
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
}

static void send(struct world *world)
{
    sim_store_append(&world->on, world->builder);
    fg_builder_reset(world->builder);
    assert_int_equal(fg_journeys_step(world->journeys), 0);
}

static struct fg_score_rules *rules_of(const char *const *apdex, size_t apdex_count,
                                       const char *const *targets, size_t target_count)
{
    struct fg_score_rules *rules;
    char message[300] = "";
    assert_int_equal(fg_score_rules_new(apdex, apdex_count, targets, target_count, message,
                                        sizeof message, &rules),
                     0);
    return rules;
}

/* Ten minutes on each side of the moment at which the world began. */
static struct fg_score read_score(struct world *world, const struct fg_score_rules *rules)
{
    struct fg_score score;
    const struct fg_score_wanted wanted = {.store = world->on.store,
                                           .journeys = world->journeys,
                                           .incidents = world->incidents,
                                           .rules = rules,
                                           .before_ns = world->minute_ns - 10 * FG_NS_PER_MINUTE,
                                           .split_ns = world->minute_ns,
                                           .end_ns = world->minute_ns + 10 * FG_NS_PER_MINUTE};
    assert_int_equal(fg_score_read(&wanted, &world->answers, &score), 0);
    return score;
}

static void assert_near(double value, double expected, double share)
{
    if (fabs(value - expected) > share * fabs(expected) + 1e-9)
        fail_msg("%g is not %g", value, expected);
}

static void test_requests(void **state)
{
    static const char *const apdex[] = {"*=200ms", "mes=100ms"};
    struct world world;
    (void)state;
    begin(&world);
    struct fg_score_rules *rules = rules_of(apdex, 2, NULL, 0);
    /* Before: 200 requests of 80 ms, 100 of 300 ms, 60 of 900 ms, 40 that fail at once. */
    for (unsigned i = 0; i < 400; i++)
        put(&world, (struct told){"mes", i % 2 ? "GET /a" : "GET /b", .minute = -5,
                                  .ms = i < 200   ? 80
                                        : i < 300 ? 300
                                        : i < 360 ? 900
                                                  : 1,
                                  .failed = i >= 360});
    /* After: 190 of 50 ms, 10 that fail. Half of the time goes to the database. */
    for (unsigned i = 0; i < 200; i++) {
        put(&world, (struct told){"mes", "GET /a", .minute = 5, .ms = 50, .failed = i >= 190});
        put(&world,
            (struct told){"mes", "SELECT", .minute = 5, .ms = 25, .kind = FG_SPAN_KIND_CLIENT});
    }
    put(&world,
        (struct told){"worker", "process", .minute = 5, .ms = 7, .kind = FG_SPAN_KIND_CONSUMER});
    put(&world, (struct told){"mes", "GET /a", .minute = 11, .ms = 5000}); /* after the end */
    send(&world);
    struct fg_score score = read_score(&world, rules);
    assert_int_equal(score.service_count, 1);
    const struct fg_score_service *mes = &score.services[0];
    assert_int_equal(mes->threshold_ns, 100 * FG_NS_PER_MS);
    const struct fg_score_line *rate = &mes->lines[FG_SCORE_ERROR_RATE];
    assert_int_equal(rate->before.count, 400);
    assert_int_equal(rate->after.count, 200);
    assert_near(rate->before.value, 0.1, 0);
    assert_near(rate->after.value, 0.05, 0);
    assert_near(rate->change, -0.5, 1e-6);
    assert_true(rate->is_judged && rate->is_met && !rate->after.is_few);
    /* 200 satisfied and 100 tolerated of 400: (200 + 50) / 400; 190 of 200. */
    const struct fg_score_line *index = &mes->lines[FG_SCORE_APDEX];
    assert_near(index->before.value, 0.625, 0.01);
    assert_near(index->after.value, 0.95, 0.01);
    assert_true(index->is_judged && index->is_met);
    assert_near(mes->lines[FG_SCORE_RESPONSE_P95].before.value, 900e6, 0.06);
    assert_near(mes->lines[FG_SCORE_RESPONSE_P50].before.value, 80e6, 0.06);
    assert_near(mes->lines[FG_SCORE_RESPONSE_P99].after.value, 50e6, 0.06);
    assert_true(mes->lines[FG_SCORE_RESPONSE_P99].is_met);
    assert_int_equal(mes->part_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        bool is_call = fg_slice_equal(mes->parts[i].name, FG_SLICE("SELECT"));
        assert_true(is_call || mes->parts[i].name.size == 0);
        assert_near(mes->parts[i].after_ns, 25e6, 0.08);
        assert_near(mes->parts[i].before_ns, is_call ? 0 : 250.1e6, 0.05);
    }
    assert_near(score.lines[FG_SCORE_ERROR_RATE].after.value, 0.05, 0);
    assert_int_equal(score.requests_from_ns, world.minute_ns - 5 * FG_NS_PER_MINUTE);
    /* Eleven minutes on each side, the last of which is only begun. */
    assert_int_equal(score.point_count, 11);
    assert_int_equal(score.step_ns, FG_NS_PER_MINUTE);
    assert_int_equal(score.points[0][6].count, 400);
    assert_int_equal(score.points[0][6].error_count, 40);
    assert_int_equal(score.points[1][5].count, 200);
    assert_near((double)score.points[1][5].p95_ns, 50e6, 0.06);
    assert_int_equal(score.points[1][4].count + score.points[1][6].count, 0);
    fg_score_rules_free(rules);
    end(&world);
}

static void test_journeys(void **state)
{
    struct world world;
    char order[16];
    (void)state;
    begin(&world);
    struct fg_score_rules *rules = rules_of(NULL, 0, NULL, 0);
    /* Before: 30 done, 10 broken. After: 4 done, none broken; one is on its way. */
    for (unsigned i = 0; i < 44; i++) {
        int minute = i < 40 ? -6 : 2;
        snprintf(order, sizeof order, "O%u", i);
        put(&world, (struct told){"shop", "place", order, minute, .ms = 1});
        put(&world, (struct told){"shop", i >= 30 && i < 40 ? "pack" : "ship", order, minute + 1,
                                  .ms = 1, .failed = i >= 30 && i < 40});
    }
    put(&world, (struct told){"shop", "place", "LAST", 9, .ms = 1});
    send(&world);
    struct fg_score score = read_score(&world, rules);
    const struct fg_score_line *rate = &score.lines[FG_SCORE_SUCCESS_RATE];
    assert_int_equal(score.before.done, 30);
    assert_int_equal(score.before.stopped, 10);
    assert_int_equal(score.after.done, 4);
    assert_near(rate->before.value, 0.75, 0);
    assert_near(rate->after.value, 1, 0);
    assert_near(rate->change, 0.25, 1e-9);
    assert_true(!rate->before.is_few && rate->after.is_few && rate->is_met);
    assert_int_equal(score.journeys_from_ns, world.minute_ns - 6 * FG_NS_PER_MINUTE);
    fg_score_rules_free(rules);
    end(&world);
}

/* Incidents from before are the baseline; what is not known is not judged. */
static void test_incidents(void **state)
{
    struct world world;
    struct fg_buffer errors;
    char csv[400];
    uint32_t taken, known;
    (void)state;
    begin(&world);
    struct fg_score_rules *rules = rules_of(NULL, 0, NULL, 0);
    struct fg_score score = read_score(&world, rules);
    assert_int_equal(score.lines[FG_SCORE_MTTR].before.count, 0);
    assert_false(score.lines[FG_SCORE_MTTR].is_judged);
    assert_false(score.lines[FG_SCORE_MTTR].has_change);
    assert_false(score.lines[FG_SCORE_APDEX].is_judged);
    uint64_t second = world.minute_ns / FG_NS_PER_SECOND;
    snprintf(csv, sizeof csv,
             "opened,resolved,place\n%llu,%llu,a\n%llu,%llu,a\n%llu,%llu,a\n%llu,%llu,a\n",
             (unsigned long long)(second - 4000), (unsigned long long)(second - 400),
             (unsigned long long)(second - 500), (unsigned long long)(second - 300),
             (unsigned long long)(second - 90000), (unsigned long long)(second - 80000),
             (unsigned long long)(second - 1000), (unsigned long long)second);
    fg_sim_advance(world.on.sim, 300 * FG_NS_PER_SECOND);
    fg_buffer_init(&errors, 1000);
    assert_int_equal(
        fg_incidents_import(world.incidents, fg_slice_from_string(csv), &errors, &taken, &known),
        0);
    fg_buffer_free(&errors);
    score = read_score(&world, rules);
    const struct fg_score_line *line = &score.lines[FG_SCORE_MTTR];
    assert_int_equal(line->before.count, 2); /* one ended long before, one after the split */
    assert_near(line->before.value, 1900e9, 1e-9);
    assert_int_equal(line->after.count, 1);
    assert_near(line->after.value, 1000e9, 1e-9);
    assert_true(line->is_met && line->before.is_few);
    fg_score_rules_free(rules);
    end(&world);
}

static void test_rules(void **state)
{
    static const char *const good[] = {"mttr=4h",   "success_rate=+0.5pt", "response_p95=300ms",
                                       "apdex=0.9", "error_rate=none",     "response_p99=-15%"};
    static const char *const wrong[] = {
        "mttr",    "mttr=",        "mttr=+1pt",         "mttr=20",  "success=1",  "apdex=90",
        "apdex=x", "error_rate=-", "success_rate=120%", "mttr=-20", "apdex=+nan%"};
    static const char *const wrong_apdex[] = {"mes", "mes=", "mes=0", "=1s", "mes=2", "mes=9w"};
    struct fg_score_rules *rules = rules_of(NULL, 0, good, 6);
    char message[300];
    (void)state;
    assert_int_equal(fg_score_target_of(rules, FG_SCORE_MTTR).kind, FG_SCORE_AT_MOST);
    assert_near(fg_score_target_of(rules, FG_SCORE_MTTR).value, 4 * 3600e9, 0);
    assert_int_equal(fg_score_target_of(rules, FG_SCORE_SUCCESS_RATE).kind, FG_SCORE_POINTS);
    assert_near(fg_score_target_of(rules, FG_SCORE_SUCCESS_RATE).value, 0.005, 1e-9);
    assert_int_equal(fg_score_target_of(rules, FG_SCORE_ERROR_RATE).kind, FG_SCORE_NO_TARGET);
    assert_int_equal(fg_score_target_of(rules, FG_SCORE_APDEX).kind, FG_SCORE_AT_LEAST);
    assert_near(fg_score_target_of(rules, FG_SCORE_RESPONSE_P99).value, -0.15, 1e-9);
    assert_near(fg_score_target_of(rules, FG_SCORE_RESPONSE_P50).value, -0.10, 1e-9);
    assert_int_equal(fg_score_threshold(rules, FG_SLICE("mes")), 500 * FG_NS_PER_MS);
    fg_score_rules_free(rules);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(fg_score_rules_new(NULL, 0, &wrong[i], 1, message, sizeof message, &rules),
                         FG_EINVALID);
        assert_non_null(strstr(message, wrong[i]));
    }
    for (size_t i = 0; i < sizeof wrong_apdex / sizeof *wrong_apdex; i++)
        assert_int_equal(
            fg_score_rules_new(&wrong_apdex[i], 1, NULL, 0, message, sizeof message, &rules),
            FG_EINVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_journeys),
        cmocka_unit_test(test_incidents),
        cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
