/* Flows that are learned while journeys run: used before they are accepted and said to be so, then
 * accepted, withdrawn, kept over starts, made anew by a reindex. */
#include "journey/learned.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char no_deadline[] =
    "flows:\n"
    "  - name: order\n"
    "    key: order.id\n"
    "    steps:\n"
    "      - {name: placed, when: 'service:shop name=place'}\n"
    "      - {name: priced, when: 'service:mes name=price', within: 60s}\n"
    "      - {name: shipped, when: 'service:mes name=ship', ends: done}\n";
static const char no_flow[] = "keys:\n  - {key: order.id, from: order.number}\n";

/* Orders that are priced after 3 s and shipped after 5 s more, from this second of the world on. */
static void complete(struct world *world, unsigned from, unsigned count, double at)
{
    static char names[1000][16];
    for (unsigned i = from; i < from + count; i++) {
        snprintf(names[i], sizeof names[i], "C%u", i);
        put(world,
            (struct told){"shop", "place", .value = names[i], .trace = 10 * i + 1, .at = at});
        put(world,
            (struct told){"mes", "price", .value = names[i], .trace = 10 * i + 2, .at = at + 3});
        put(world,
            (struct told){"mes", "ship", .value = names[i], .trace = 10 * i + 3, .at = at + 8});
    }
    send(world);
}

static struct fg_flow_view flow_of(struct world *world, const char *key)
{
    const struct fg_flow_view *flows;
    uint32_t count;
    assert_int_equal(fg_journeys_flows(world->journeys, &world->answers, &flows, &count), 0);
    for (uint32_t i = 0; i < count; i++)
        if (fg_slice_equal(flows[i].key, fg_slice_from_string(key)))
            return flows[i];
    fail_msg("there is no flow of %s", key);
    return flows[0];
}

static int accept(struct world *world, const char *step)
{
    const struct fg_slice steps[] = {fg_slice_from_string(step)};
    return fg_journeys_flow_accept(world->journeys, FG_SLICE("order.id"), steps, step ? 1 : 0,
                                   FG_SLICE("Ann"));
}

static void begin_with(struct world *world, const char *flows)
{
    world_flows = flows;
    begin(world, 1000);
    world_flows = NULL;
}

static double late_confidence(struct world *world, const char *value)
{
    struct fg_verdict verdict = where(world, value);
    assert_true(verdict.state == FG_JOURNEY_LATE || verdict.state == FG_JOURNEY_STUCK);
    return verdict.finding.confidence;
}

static bool says(const struct fg_verdict *verdict, const char *part)
{
    return memmem(verdict->finding.text.data, verdict->finding.text.size, part, strlen(part));
}

/* A hop without a deadline gets one from what others took, after enough of them and not before; it
 * is said to be learned, and is surer once accepted. */
static void test_deadline(void **state)
{
    struct world world;
    (void)state;
    begin_with(&world, no_deadline);
    complete(&world, 0, 29, 0);
    wait_s(&world, 20);
    assert_int_equal(flow_of(&world, "order.id").steps[2].within_ns, 0);
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 9001, .at = 20});
    tell(&world, (struct told){"mes", "price", .value = "A", .trace = 9002, .at = 21});
    complete(&world, 29, 1, 15);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    assert_int_equal(where(&world, "A").deadline_ns, 0);
    wait_s(&world, 11); /* the last one is learned a grace after its end */
    struct fg_flow_view flow = flow_of(&world, "order.id");
    assert_int_equal(flow.source, FG_FLOW_SOURCE_DECLARED);
    assert_int_equal(flow.journeys, 30);
    assert_int_equal(flow.steps[1].within_ns, 60 * FG_NS_PER_SECOND); /* declared: as it is */
    assert_false(flow.steps[1].is_provisional);
    assert_int_equal(flow.steps[1].differences, FG_FLOW_TOO_LOOSE);
    assert_in_range(flow.steps[2].within_ns, 15 * FG_NS_PER_SECOND, 16 * FG_NS_PER_SECOND);
    assert_true(flow.steps[2].is_provisional && flow.can_accept);
    assert_int_equal(flow.steps[2].differences, FG_FLOW_NO_DEADLINE);
    wait_s(&world, 15);
    assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    struct fg_verdict verdict = where(&world, "A");
    assert_true(verdict.deadline_is_provisional);
    assert_true(says(&verdict, "learned from 30 journeys and not accepted yet"));
    double unsure = late_confidence(&world, "A");
    assert_int_equal(accept(&world, NULL), world_is_durable ? 0 : FG_EUNSUPPORTED);
    if (!world_is_durable) {
        end(&world);
        return;
    }
    for (unsigned round = 0; round < 3; round++) {
        wait_s(&world, 2);
        verdict = where(&world, "A");
        assert_false(verdict.deadline_is_provisional);
        assert_false(says(&verdict, "learned"));
        assert_true(late_confidence(&world, "A") > unsure);
        flow = flow_of(&world, "order.id");
        assert_true(flow.steps[2].accepted_ns > 0 && !flow.steps[2].is_provisional);
        assert_true(fg_slice_equal(flow.accepted_by, FG_SLICE("Ann")));
        if (round == 0)
            restart(&world);
        else
            assert_int_equal(fg_journeys_reindex(world.journeys), 0);
    }
    assert_int_equal(accept(&world, NULL), FG_EEXIST);
    assert_int_equal(accept(&world, "nowhere"), FG_ENOTFOUND);
    /* a declared one is replaced only by name, and only by a tighter one */
    assert_int_equal(accept(&world, "priced"), 0);
    wait_s(&world, 1);
    assert_in_range(flow_of(&world, "order.id").steps[1].within_ns, 13 * FG_NS_PER_SECOND,
                    14 * FG_NS_PER_SECOND);
    assert_int_equal(fg_journeys_flow_withdraw(world.journeys, FG_SLICE("order.id")), 0);
    assert_int_equal(fg_journeys_flow_withdraw(world.journeys, FG_SLICE("order.id")), FG_EEXIST);
    wait_s(&world, 1);
    flow = flow_of(&world, "order.id");
    assert_int_equal(flow.steps[1].within_ns, 60 * FG_NS_PER_SECOND);
    assert_true(flow.steps[2].is_provisional && flow.accepted_at_ns == 0);
    assert_true(where(&world, "A").deadline_is_provisional);
    end(&world);
}

/* What was learned is the same after starts, as much as is learned anew by a reindex; nothing is
 * learned twice. */
static void test_kept(void **state)
{
    struct world world;
    (void)state;
    begin_with(&world, no_deadline);
    complete(&world, 0, 40, 1);
    wait_s(&world, 20);
    for (unsigned round = 0; round < 4; round++) {
        /* a step that turns out to be earlier has it stand anew */
        tell(&world, (struct told){"shop", "place", .value = "C3", .trace = 8000 + round,
                                   .at = 0.99 - 0.01 * round});
        wait_s(&world, 20);
        struct fg_flow_view flow = flow_of(&world, "order.id");
        assert_int_equal(flow.journeys, 40);
        assert_int_equal(flow.steps[2].hops, 40);
        assert_int_equal(flow.steps[2].share, 1);
        assert_in_range(flow.steps[2].within_ns, 15 * FG_NS_PER_SECOND, 16 * FG_NS_PER_SECOND);
        if (round < 2)
            restart(&world);
        else
            assert_int_equal(fg_journeys_reindex(world.journeys), 0);
    }
    /* another flow: the hop that is gone is forgotten, the others stay */
    if (world_is_durable) {
        fg_journeys_close(world.journeys);
        set_flows(&world, "flows:\n  - name: order\n    key: order.id\n    steps:\n"
                          "      - {name: placed, when: 'service:shop name=place'}\n"
                          "      - {name: priced, when: 'service:mes name=price'}\n"
                          "      - {name: shipped, when: 'service:mes name=SHIP', ends: done}\n");
        open_again(&world);
        struct fg_flow_view flow = flow_of(&world, "order.id");
        assert_int_equal(flow.steps[1].hops, 40);
        assert_int_equal(flow.steps[2].hops, 0);
        assert_int_equal(flow.steps[2].within_ns, 0);
    }
    end(&world);
}

/* Without any flow one is learned from the spans, and used; `where` says so. It is accepted as a
 * whole and then is as a declared one. */
static void test_whole_flow(void **state)
{
    struct world world;
    (void)state;
    begin_with(&world, no_flow);
    complete(&world, 0, 60, 0);
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 9001, .at = 9});
    assert_int_equal(flow_of(&world, "order.id").source, FG_FLOW_SOURCE_NONE);
    assert_int_equal(where(&world, "A").deadline_ns, 0);
    for (unsigned i = 0; i < 12; i++)
        wait_s(&world, 5);
    struct fg_flow_view flow = flow_of(&world, "order.id");
    assert_int_equal(flow.source, FG_FLOW_SOURCE_LEARNED);
    assert_int_equal(flow.step_count, 3);
    assert_true(fg_slice_equal(flow.steps[1].name, FG_SLICE("mes price")));
    assert_int_equal(flow.steps[2].ends, FG_FLOW_ENDS_DONE);
    assert_board(&world, "C7", FG_JOURNEY_DONE, FG_CAUSE_NONE);
    assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    struct fg_verdict verdict = where(&world, "A");
    assert_true(fg_slice_equal(verdict.expected_step, FG_SLICE("mes price")));
    assert_true(says(&verdict, "(step and deadline of 14.0s is learned from 60 journeys and not "
                               "accepted yet)"));
    double unsure = late_confidence(&world, "A");
    const struct fg_slice one = FG_SLICE("mes price");
    assert_int_equal(
        fg_journeys_flow_accept(world.journeys, FG_SLICE("order.id"), &one, 1, FG_SLICE("Ann")),
        FG_EINVALID);
    assert_int_equal(accept(&world, NULL), world_is_durable ? 0 : FG_EUNSUPPORTED);
    for (unsigned round = 0; world_is_durable && round < 3; round++) {
        wait_s(&world, 2);
        flow = flow_of(&world, "order.id");
        assert_int_equal(flow.source, FG_FLOW_SOURCE_ACCEPTED);
        assert_false(flow.can_accept);
        assert_board(&world, "C7", FG_JOURNEY_DONE, FG_CAUSE_NONE);
        assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
        assert_true(late_confidence(&world, "A") > unsure);
        if (round == 0)
            restart(&world);
        else
            assert_int_equal(fg_journeys_reindex(world.journeys), 0);
        wait_s(&world, 1);
    }
    if (world_is_durable) {
        wait_s(&world, 40);
        wait_s(&world, 1);
        assert_int_equal(fg_journeys_flow_withdraw(world.journeys, FG_SLICE("order.id")), 0);
        wait_s(&world, 1);
        wait_s(&world, 1);
        assert_int_equal(flow_of(&world, "order.id").source, FG_FLOW_SOURCE_LEARNED);
        assert_true(where(&world, "A").deadline_is_provisional);
    }
    end(&world);
}

/* What rests on a learned deadline alone never breaks a journey; what failed does. */
static void test_never_broken(void **state)
{
    struct world world;
    (void)state;
    begin_with(&world, no_flow);
    complete(&world, 0, 60, 0);
    for (unsigned i = 0; i < 12; i++)
        wait_s(&world, 5);
    /* a failure that was dealt with, and a silence after it */
    put(&world, (struct told){"shop", "place", .value = "A", .trace = 9001, .id = 7, .at = 60});
    put(&world, (struct told){"shop", "mail", .value = "A", .trace = 9001, .parent = 7, .at = 60,
                              .kind = FG_SPAN_KIND_CLIENT, .error = "no mail"});
    send(&world);
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    wait_s(&world, 40);
    late_confidence(&world, "A");
    tell(&world,
         (struct told){"mes", "price", .value = "A", .trace = 9002, .at = 101, .error = "boom"});
    assert_board(&world, "A", FG_JOURNEY_BROKEN, FG_CAUSE_ERROR);
    end(&world);
}

/* A deadline that orders did not keep and went well all the same is what is wrong, not the order:
 * said as long as they needed, and no longer. */
static void test_tight(void **state)
{
    static const char tight[] =
        "flows:\n"
        "  - name: order\n"
        "    key: order.id\n"
        "    steps:\n"
        "      - {name: placed, when: 'service:shop name=place'}\n"
        "      - {name: priced, when: 'service:mes name=price', within: 60s}\n"
        "      - {name: shipped, when: 'service:mes name=ship', within: 1s, ends: done}\n";
    struct world world;
    (void)state;
    begin_with(&world, tight);
    complete(&world, 0, 29, 0);
    wait_s(&world, 20);
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 9001, .at = 20});
    tell(&world, (struct told){"mes", "price", .value = "A", .trace = 9002, .at = 20});
    wait_s(&world, 9); /* 1 s, and 7 s for spans that are late; too few have taught */
    assert_board(&world, "A", FG_JOURNEY_LATE, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    complete(&world, 29, 1, 15);
    wait_s(&world, 2);
    assert_int_equal(where(&world, "A").finding.cause, FG_CAUSE_DEADLINE_TOO_TIGHT);
    struct fg_verdict verdict = where(&world, "A");
    assert_true(says(&verdict, "the deadline of 1.00s for the step \"shipped\" is tighter"));
    assert_int_equal(verdict.finding.evidence[1].value, 30);
    assert_true(verdict.finding.confidence < 0.7); /* from thirty */
    /* what is learned is never looser than what is declared, accepted or not */
    if (world_is_durable)
        assert_int_equal(accept(&world, "shipped"), FG_EEXIST);
    assert_int_equal(flow_of(&world, "order.id").steps[2].within_ns, FG_NS_PER_SECOND);
    wait_s(&world, 6); /* they needed 15 s at most, with a margin */
    assert_int_equal(where(&world, "A").finding.cause, FG_CAUSE_NOT_ENOUGH_EVIDENCE);
    end(&world);
}

/* How long a fault held an order up says nothing of how long its hop takes. */
static void test_fault_makes_no_deadline(void **state)
{
    struct world world;
    (void)state;
    begin_with(&world, no_deadline);
    tell(&world, (struct told){"shop", "place", .value = "A", .trace = 1, .at = 0});
    tell(&world, (struct told){"mes", "price", .value = "A", .trace = 2, .at = 1, .error = "boom"});
    assert_board(&world, "A", FG_JOURNEY_BROKEN, FG_CAUSE_ERROR);
    wait_s(&world, 90);
    tell(&world, (struct told){"mes", "price", .value = "A", .trace = 3, .at = 90});
    assert_board(&world, "A", FG_JOURNEY_FLOWING, FG_CAUSE_NONE);
    wait_s(&world, 2);
    tell(&world, (struct told){"mes", "ship", .value = "A", .trace = 4, .at = 92});
    wait_s(&world, 10);
    struct fg_flow_view flow = flow_of(&world, "order.id");
    assert_int_equal(flow.journeys, 1);
    assert_int_equal(flow.steps[1].journeys, 1);
    assert_int_equal(flow.steps[1].hops, 0); /* the 90 s are the fault's */
    assert_int_equal(flow.steps[2].hops, 1);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadline),   cmocka_unit_test(test_kept),
        cmocka_unit_test(test_whole_flow), cmocka_unit_test(test_never_broken),
        cmocka_unit_test(test_tight),      cmocka_unit_test(test_fault_makes_no_deadline),
    };
    int failed = cmocka_run_group_tests_name("made anew", tests, NULL, NULL);
    world_is_durable = true;
    return failed + cmocka_run_group_tests_name("durable", tests, NULL, NULL);
}
