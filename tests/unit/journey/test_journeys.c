/* The journeys over a store on the simulated disk: spans in any order, deadlines without a span,
 * recovery, restarts, several orders in one trace, more than there is room for. */
#include "journey/journeys.h"

#include "base/limits.h"
#include "sim_store.h"
#include "span/builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char flow_text[] =
    "flows:\n"
    "  - name: order\n"
    "    key: order.id\n"
    "    within: 30s\n"
    "    steps:\n"
    "      - {name: placed, when: 'service:shop name=place'}\n"
    "      - {name: priced, when: 'service:mes name=price'}\n"
    "      - {name: shipped, when: 'service:mes name=ship', ends: done}\n";

struct world {
    struct sim_store on;
    struct fg_journeys *journeys;
    struct fg_builder *builder;
    struct fg_arena arena, answers;
    struct fg_flows flows;
    uint32_t journeys_max;
    uint64_t begin_ns, next_span;
};

static void open_journeys(struct world *world)
{
    static const struct fg_slice keys[] = {{(const uint8_t *)"payment.id", 10}};
    struct fg_journeys_options options = {.env = fg_sim_env(world->on.sim),
                                          .store = world->on.store,
                                          .flows = &world->flows,
                                          .keys = keys,
                                          .key_count = 1,
                                          .journeys_max = world->journeys_max,
                                          .manual = true};
    assert_int_equal(fg_journeys_open(&options, &world->journeys), 0);
    assert_int_equal(fg_journeys_step(world->journeys), 0);
}

static void begin(struct world *world, uint32_t journeys_max)
{
    struct fg_builder_limits limits = fg_builder_limits_default();
    struct fg_buffer errors;
    *world = (struct world){.journeys_max = journeys_max, .next_span = 1};
    fg_arena_init(&world->arena, (size_t)1 << 20);
    fg_arena_init(&world->answers, (size_t)8 << 20);
    fg_buffer_init(&errors, 4096);
    assert_int_equal(
        fg_flows_parse(fg_slice_from_string(flow_text), "f", &world->arena, &errors, &world->flows),
        0);
    fg_buffer_free(&errors);
    sim_store_open(&world->on, 1);
    assert_int_equal(fg_builder_new(&limits, &world->builder), 0);
    world->begin_ns = fg_env_wall_ns(fg_sim_env(world->on.sim));
    open_journeys(world);
}

static void end(struct world *world)
{
    fg_journeys_close(world->journeys);
    fg_builder_free(world->builder);
    sim_store_close(&world->on);
    fg_arena_free(&world->arena);
    fg_arena_free(&world->answers);
}

struct told {
    const char *service, *name, *key, *value, *error;
    uint64_t trace, id, parent;
    double at; /* seconds after the begin */
    uint8_t kind;
    bool open;
};

/* Into the builder; an id of 0 takes the next. */
static void put(struct world *world, struct told told)
{
    struct fg_builder *builder = world->builder;
    struct fg_value service = {.type = FG_VALUE_STRING,
                               .bytes = fg_slice_from_string(told.service)};
    uint64_t start_ns = world->begin_ns + (uint64_t)(told.at * 1e9);
    struct fg_span span = {.trace_id_high = 1,
                           .trace_id_low = told.trace,
                           .span_id = told.id ? told.id : 1000 + world->next_span++,
                           .parent_span_id = told.parent,
                           .start_ns = start_ns,
                           .end_ns = told.open ? 0 : start_ns + 1000000,
                           .received_ns = start_ns,
                           .name = fg_slice_from_string(told.name),
                           .kind = told.kind ? told.kind : FG_SPAN_KIND_SERVER,
                           .status = told.error ? FG_STATUS_ERROR : FG_STATUS_UNSET,
                           .status_message = fg_slice_from_string(told.error)};
    assert_int_equal(fg_builder_resource_begin(builder), 0);
    assert_int_equal(fg_builder_resource_attr(builder, FG_SLICE("service.name"), &service), 0);
    assert_int_equal(fg_builder_resource_end(builder, FG_SLICE(""), 0, &span.resource), 0);
    assert_int_equal(fg_builder_scope_begin(builder), 0);
    assert_int_equal(
        fg_builder_scope_end(builder, FG_SLICE(""), FG_SLICE(""), FG_SLICE(""), 0, &span.scope), 0);
    assert_int_equal(fg_builder_span_begin(builder), 0);
    if (told.value) {
        struct fg_value value = {.type = FG_VALUE_STRING,
                                 .bytes = fg_slice_from_string(told.value)};
        struct fg_slice key = fg_slice_from_string(told.key ? told.key : "order.id");
        assert_int_equal(fg_builder_span_attr(builder, key, &value), 0);
    }
    assert_int_equal(fg_builder_span_end(builder, &span), 0);
}

static void send(struct world *world)
{
    sim_store_append(&world->on, world->builder);
    fg_builder_reset(world->builder);
    assert_int_equal(fg_journeys_step(world->journeys), 0);
}

static void tell(struct world *world, struct told told)
{
    put(world, told);
    send(world);
}

static void wait_s(struct world *world, uint64_t seconds)
{
    fg_sim_advance(world->on.sim, seconds * FG_NS_PER_SECOND);
    assert_int_equal(fg_journeys_step(world->journeys), 0);
}

static struct fg_verdict where(struct world *world, const char *value)
{
    struct fg_journey_answer answer;
    assert_int_equal(fg_journeys_where(world->journeys, FG_SLICE("order.id"),
                                       fg_slice_from_string(value), &world->answers, &answer),
                     0);
    return answer.verdict;
}

struct found {
    const char *value;
    struct fg_journey_row row;
    unsigned count;
};

static int find_row(void *arg, const struct fg_journey_row *row)
{
    struct found *found = arg;
    found->count++;
    if (found->value && fg_slice_equal(row->value, fg_slice_from_string(found->value)))
        found->row = *row;
    return 0;
}

/* What the board says, and the board and `where` say the same. */
static void assert_board(struct world *world, const char *value, enum fg_journey_state state,
                         enum fg_cause cause)
{
    const struct fg_journey_filter all = {0};
    struct found found = {.value = value};
    uint64_t count;
    assert_int_equal(fg_journeys_list(world->journeys, &all, 1000, find_row, &found, &count), 0);
    assert_int_equal(count, found.count);
    assert_int_equal(found.row.state, state);
    assert_int_equal(found.row.cause, cause);
    struct fg_verdict verdict = where(world, value);
    assert_int_equal(verdict.state, state);
    assert_int_equal(verdict.finding.cause, cause);
}

static void test_way(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    wait_s(&world, 20);
    tell(&world, (struct told){"mes", "price", .value = "A", .trace = 2, .at = 20});
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    struct fg_verdict verdict = where(&world, "A");
    assert_true(fg_slice_equal(verdict.last_step, FG_SLICE("priced")));
    assert_true(fg_slice_equal(verdict.expected_step, FG_SLICE("shipped")));
    assert_int_equal(verdict.deadline_ns, world.begin_ns + 50 * FG_NS_PER_SECOND + 1000000);
    tell(&world, (struct told){"mes", "ship", .value = "A", .trace = 3, .at = 25});
    assert_board(&world, "A", FG_JOURNEY_DONE, FG_CAUSE_NONE);
    wait_s(&world, 1000);
    assert_board(&world, "A", FG_JOURNEY_DONE, FG_CAUSE_NONE);
    end(&world);
}

/* Spans come in any order, late ones too: the verdict is the same. */
static void test_any_order(void **state)
{
    static const struct told spans[] = {
        {"shop", "place", .value = "A", .trace = 1, .at = 0},
        {"mes", "price", .value = "A", .trace = 2, .at = 20},
        {"mes", "ship", .value = "A", .trace = 3, .at = 25},
    };
    static const unsigned orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct world world;
        begin(&world, 1000);
        for (unsigned k = 0; k < 3; k++)
            tell(&world, spans[orders[i][k]]);
        assert_board(&world, "A", FG_JOURNEY_DONE, FG_CAUSE_NONE);
        assert_int_equal(where(&world, "A").first_ns, world.begin_ns);
        end(&world);
    }
}

/* Absence is found with no span arriving: not before the deadline and its grace, and at once after
 * it; also where the deadline passes while nobody runs. When the step comes the journey recovers.
 */
static void test_deadline(void **state)
{
    struct world world;
    (void)state;
    for (unsigned restart = 0; restart < 2; restart++) {
        begin(&world, 1000);
        tell(&world, (struct told){"mes", "other", .trace = 50, .at = 0});
        tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
        wait_s(&world, 36);
        assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
        if (restart) {
            fg_journeys_close(world.journeys);
            sim_store_restart(&world.on);
            fg_sim_advance(world.on.sim, 100 * FG_NS_PER_SECOND);
            open_journeys(&world);
        } else {
            wait_s(&world, 2);
        }
        assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
        tell(&world, (struct told){"mes", "price", .value = "A", .trace = 2, .at = 135});
        assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
        end(&world);
    }
}

/* A span that failed breaks the journey at once; that the work is done again mends it. The
 * failure's own span does not name the order. */
static void test_failure(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    put(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    put(&world,
        (struct told){"mes", "price", .value = "A", .trace = 2, .id = 5, .at = 3, .error = "boom"});
    send(&world);
    assert_board(&world, "A", FG_JOURNEY_BROKEN, FG_CAUSE_ERROR);
    tell(&world, (struct told){"mes", "load", .trace = 2, .id = 6, .parent = 5, .at = 3,
                               .kind = FG_SPAN_KIND_INTERNAL, .error = "no model"});
    struct fg_verdict verdict = where(&world, "A");
    assert_true(fg_slice_equal(verdict.finding.place.name, FG_SLICE("load")));
    wait_s(&world, 5);
    tell(&world, (struct told){"mes", "price", .value = "A", .trace = 4, .at = 8});
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    end(&world);
}

static void test_restart(void **state)
{
    struct world world;
    struct fg_journeys_counters counters;
    (void)state;
    begin(&world, 1000);
    for (unsigned i = 0; i < 50; i++) {
        char value[16];
        snprintf(value, sizeof value, "O%u", i);
        put(&world, (struct told){"shop", "place", .value = value, .trace = 100 + i, .at = i});
        if (i % 2)
            put(&world, (struct told){"mes", "price", .trace = 100 + i, .at = i + 1,
                                      .error = i % 4 == 1 ? "boom" : NULL});
        if (i == 25) {
            send(&world);
            assert_int_equal(fg_store_seal(world.on.store), 0);
        }
    }
    send(&world);
    for (unsigned round = 0; round < 3; round++) {
        fg_journeys_counters(world.journeys, &counters);
        assert_int_equal(counters.count, 50);
        assert_int_equal(counters.by_state[FG_JOURNEY_BROKEN], 13);
        assert_int_equal(counters.by_state[FG_JOURNEY_FLOWING], 37);
        assert_board(&world, "O5", FG_JOURNEY_BROKEN, FG_CAUSE_ERROR);
        struct fg_verdict verdict = where(&world, "O7");
        assert_true(fg_slice_equal(verdict.last_step, FG_SLICE("priced")));
        fg_journeys_close(world.journeys);
        sim_store_restart(&world.on);
        open_journeys(&world);
    }
    end(&world);
}

static void test_several_in_a_trace(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    put(&world, (struct told){"shop", "batch", .trace = 1, .id = 1, .at = 0});
    put(&world,
        (struct told){"shop", "place", .value = "A", .trace = 1, .id = 2, .parent = 1, .at = 0});
    put(&world,
        (struct told){"shop", "place", .value = "B", .trace = 1, .id = 3, .parent = 1, .at = 0});
    put(&world, (struct told){"mes", "price", .trace = 1, .id = 4, .parent = 3, .at = 1,
                              .kind = FG_SPAN_KIND_CONSUMER, .error = "boom"});
    send(&world);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    assert_board(&world, "B", FG_JOURNEY_BROKEN, FG_CAUSE_REJECTED);
    end(&world);
}

/* A sender with ever new keys: the records stay bounded, ended ones go first, and what there is no
 * room for is counted. Long values and keys that nobody watches make no journey. */
static void test_bounds(void **state)
{
    struct world world;
    struct fg_journeys_counters counters;
    struct fg_journey_answer answer;
    char value[FG_JOURNEY_VALUE_SIZE_MAX + 2];
    (void)state;
    begin(&world, 1000);
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 5000});
    for (unsigned i = 0; i < 40; i++) {
        for (unsigned k = 0; k < 100; k++) {
            snprintf(value, sizeof value, "faulty-%u", i * 100 + k);
            put(&world, (struct told){"mes", k % 2 ? "ship" : "x", .value = value,
                                      .trace = 1000 + i * 100 + k, .at = i});
        }
        send(&world);
    }
    fg_journeys_counters(world.journeys, &counters);
    assert_true(counters.count <= 1000 && counters.count > 800);
    assert_int_equal(counters.count + counters.evicted, 4001);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = 0;
    tell(&world, (struct told){"shop", "place", .value = value, .trace = 1, .at = 0});
    fg_journeys_counters(world.journeys, &counters);
    assert_int_equal(counters.long_values, 1);
    assert_int_equal(fg_journeys_where(world.journeys, FG_SLICE("order.id"), FG_SLICE("none"),
                                       &world.answers, &answer),
                     FG_ENOTFOUND);
    assert_int_equal(fg_journeys_where(world.journeys, FG_SLICE("customer.id"), FG_SLICE("1"),
                                       &world.answers, &answer),
                     FG_EINVALID);
    end(&world);
}

static void test_filters(void **state)
{
    struct world world;
    uint64_t count;
    (void)state;
    begin(&world, 1000);
    put(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 2, .error = "x"});
    put(&world, (struct told){"shop", "place", .value = "B", .trace = 2, .at = 1, .error = "x"});
    put(&world, (struct told){"shop", "place", .value = "C", .trace = 3, .at = 0});
    put(&world,
        (struct told){"pay", "take", .key = "payment.id", .value = "A", .trace = 4, .at = 0});
    send(&world);
    const struct {
        struct fg_journey_filter filter;
        unsigned count;
    } cases[] = {
        {{0}, 4},
        {{.states = 1u << FG_JOURNEY_BROKEN}, 2},
        {{.states = 1u << FG_JOURNEY_BROKEN | 1u << FG_JOURNEY_FLOWING}, 4},
        {{.states = 1u << FG_JOURNEY_DONE}, 0},
        {{.key = FG_SLICE("payment.id")}, 1},
        {{.place = FG_PLACE_APPLICATION}, 2},
        {{.place = FG_PLACE_DATABASE}, 0},
        {{.place_service = FG_SLICE("shop")}, 2},
        {{.place_service = FG_SLICE("pay")}, 0},
        {{.cause = FG_CAUSE_ERROR}, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct found found = {.count = 0};
        assert_int_equal(
            fg_journeys_list(world.journeys, &cases[i].filter, 1, find_row, &found, &count), 0);
        assert_int_equal(count, cases[i].count);
        assert_int_equal(found.count, cases[i].count ? 1 : 0);
    }
    struct found oldest = {.value = "B"};
    assert_int_equal(
        fg_journeys_list(world.journeys, &cases[1].filter, 1, find_row, &oldest, &count), 0);
    assert_int_equal(oldest.row.state, FG_JOURNEY_BROKEN);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_way),      cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_deadline), cmocka_unit_test(test_failure),
        cmocka_unit_test(test_restart),  cmocka_unit_test(test_several_in_a_trace),
        cmocka_unit_test(test_bounds),   cmocka_unit_test(test_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
