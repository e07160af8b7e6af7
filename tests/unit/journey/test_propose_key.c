/* Which attribute names a company's orders: companies whose right key is known, and what lies in
 * the way of it. */
#include "journey/propose_key.h"
#include "propose_name.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Attributes of a span, with texts of their own. */
struct attrs {
    char texts[16][40];
    const char *list[33];
    unsigned count;
};

static void add(struct attrs *attrs, const char *name, const char *format, unsigned number)
{
    snprintf(attrs->texts[attrs->count], sizeof attrs->texts[0], format, number); // NOLINT
    attrs->list[2 * attrs->count] = name;
    attrs->list[2 * attrs->count + 1] = attrs->texts[attrs->count];
    attrs->list[2 * ++attrs->count] = NULL;
}

static struct fg_key_proposal propose(struct world *world)
{
    struct fg_key_proposal proposal, again;
    const struct fg_propose wanted = {.store = world->on.store, .start_ns_max = UINT64_MAX};
    assert_int_equal(fg_key_propose(&wanted, &world->answers, &proposal), 0);
    assert_int_equal(fg_key_propose(&wanted, &world->answers, &again), 0);
    assert_int_equal(again.count, proposal.count);
    for (uint32_t i = 0; i < proposal.count; i++) {
        assert_true(fg_slice_equal(again.candidates[i].name, proposal.candidates[i].name));
        assert_int_equal(again.candidates[i].fault, proposal.candidates[i].fault);
    }
    return proposal;
}

static const struct fg_key_candidate *find(const struct fg_key_proposal *proposal, const char *name)
{
    for (uint32_t i = 0; i < proposal->count; i++)
        if (fg_slice_equal(proposal->candidates[i].name, fg_slice_from_string(name)))
            return &proposal->candidates[i];
    fail_msg("%s was not looked at", name);
    return NULL;
}

static void assert_fault(const struct fg_key_proposal *proposal, const char *name,
                         enum fg_key_fault fault)
{
    const struct fg_key_candidate *is = find(proposal, name);
    if (is->fault != fault)
        fail_msg("%s: %s instead of %s", name, fg_key_fault_name(is->fault),
                 fg_key_fault_name(fault));
}

/* Orders that go through three services in three traces, with all that could be taken for a key. */
static void put_orders(struct world *world, unsigned count, const char *key)
{
    static const char *const services[] = {"shop", "crm", "mes"};
    for (unsigned order = 0; order < count; order++)
        for (unsigned step = 0; step < 3; step++) {
            uint64_t trace = 100 + 3 * order + step;
            for (unsigned span = 0; span < 2; span++) {
                struct attrs attrs = {.count = 0};
                const char *service = services[(step + span) % 3];
                if (key)
                    add(&attrs, key, "ORD-%u", order);
                add(&attrs, "customer.number", "K%u", order / 6);
                add(&attrs, "line.id", "L%u", 10 * order + 2 * step + span); /* several a trace */
                add(&attrs, "correlation", "c-%u", (unsigned)trace);
                add(&attrs, "http.response.status_code", "%u", 200 + order % 60);
                add(&attrs, "user.id", "u%u", order);
                add(&attrs, "host.name", "node-%u", order);
                add(&attrs, "amount", "%u", 1000 + order);
                add(&attrs, "region", "r%u", order % 4);
                add(&attrs, "api.token", "t%u", order);
                add(&attrs, "buyer", order ? "[redacted]" : "b%u", order);
                add(&attrs, "batch", order % 3 ? "one" : "b%u", order);
                if (span == 0 && step == 1)
                    add(&attrs, "approval.id", "a%u", order); /* in one trace alone */
                put(world, (struct told){service, "work", .attrs = attrs.list, .trace = trace,
                                         .at = order});
            }
        }
    append(world);
}

static void test_orders(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    put_orders(&world, 150, "order.id");
    for (unsigned round = 0; round < 2; round++) {
        struct fg_key_proposal proposal = propose(&world);
        const struct fg_key_candidate *first = &proposal.candidates[0];
        assert_true(fg_slice_equal(first->name, FG_SLICE("order.id")));
        assert_int_equal(first->fault, FG_KEY_FITS);
        assert_int_equal(first->values, 150);
        assert_int_equal(first->traces, 450);
        assert_int_equal(first->spans, 900);
        assert_int_equal(first->services, 3);
        assert_true(first->coverage == 1 && first->several_traces == 1 && first->score == 1);
        assert_true(first->several_services == 1 && first->values_a_trace == 1);
        assert_int_equal(proposal.candidates[1].fault != FG_KEY_FITS, 1); /* nothing else does */
        assert_fault(&proposal, "customer.number", FG_KEY_GROUP);
        assert_true(
            fg_slice_equal(find(&proposal, "customer.number")->group_of, FG_SLICE("order.id")));
        assert_fault(&proposal, "line.id", FG_KEY_TOGETHER);
        assert_fault(&proposal, "correlation", FG_KEY_ONE_TRACE);
        assert_fault(&proposal, "approval.id", FG_KEY_ONE_TRACE);
        assert_fault(&proposal, "http.response.status_code", FG_KEY_WELL_KNOWN);
        assert_fault(&proposal, "user.id", FG_KEY_WELL_KNOWN);
        assert_fault(&proposal, "host.name", FG_KEY_WELL_KNOWN);
        assert_fault(&proposal, "amount", FG_KEY_COUNTS);
        assert_fault(&proposal, "region", FG_KEY_FEW_VALUES);
        assert_fault(&proposal, "api.token", FG_KEY_SECRET);
        assert_fault(&proposal, "buyer", FG_KEY_REDACTED);
        assert_fault(&proposal, "batch", FG_KEY_ONE_VALUE);
        assert_false(proposal.is_partial || proposal.are_few);
        assert_int_equal(fg_store_seal(world.on.store), 0); /* and from a segment the same */
    }
    end(&world);
}

/* Payments under numbers, and another name. */
static void test_payments(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    for (unsigned payment = 1; payment <= 80; payment++)
        for (unsigned step = 0; step < 2; step++)
            put(&world, (struct told){step ? "ledger" : "gateway", "work", .key = "paymentNumber",
                                      .number = 7000 + payment, .trace = 10 * payment + step,
                                      .at = payment});
    append(&world);
    struct fg_key_proposal proposal = propose(&world);
    assert_true(fg_slice_equal(proposal.candidates[0].name, FG_SLICE("paymentNumber")));
    assert_int_equal(proposal.candidates[0].fault, FG_KEY_FITS);
    end(&world);
}

/* Where nothing names an order nothing is proposed, nor from few traces. */
static void test_nothing(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    assert_true(propose(&world).are_few);
    put_orders(&world, 5, "order.id");
    assert_true(propose(&world).are_few);
    end(&world);
    begin(&world, 1000);
    put_orders(&world, 60, NULL);
    struct fg_key_proposal proposal = propose(&world);
    assert_false(proposal.are_few);
    for (uint32_t i = 0; i < proposal.count; i++)
        assert_int_not_equal(proposal.candidates[i].fault, FG_KEY_FITS);
    end(&world);
}

/* More attributes than there is room for are counted; the key is found among them. */
static void test_bounds(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 1000);
    put_orders(&world, 60, "order.id");
    for (unsigned i = 0; i < 20; i++)
        put(&world, (struct told){"shop", "junk", .trace = 5000 + i, .at = 0, .junk = 30,
                                  .junk_from = 30 * i});
    append(&world);
    struct fg_key_proposal proposal = propose(&world);
    assert_int_equal(proposal.count, FG_PROPOSE_KEYS_MAX);
    assert_true(proposal.refused_keys > 0);
    end(&world);
}

static void test_names(void **state)
{
    static const char *const identifiers[] = {"order.id", "orderId", "order_number", "ORDER_NO",
                                              "orderID"},
                             *const others[] = {"amount", "grid", "retry.count", "ids", "valid"};
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_true(fg_key_name_is_identifier(fg_slice_from_string(identifiers[i])));
        assert_false(fg_key_name_is_identifier(fg_slice_from_string(others[i])));
    }
    assert_true(fg_key_name_is_well_known(FG_SLICE("db.query.text")));
    assert_true(fg_key_name_is_well_known(FG_SLICE("host")));
    assert_false(fg_key_name_is_well_known(FG_SLICE("hostel.id")));
    assert_false(fg_key_name_is_well_known(FG_SLICE("username"))); /* by its values */
    assert_true(fg_key_name_is_secret(FG_SLICE("X-Auth-Token")));
    assert_false(fg_key_name_is_secret(FG_SLICE("order.id")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),  cmocka_unit_test(test_payments),
        cmocka_unit_test(test_nothing), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
