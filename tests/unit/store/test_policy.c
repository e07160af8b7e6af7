/* Retention policies against their rule, written down a second time: the first policy that a span
 * meets is its own, a trace of a day stays as long as the longest of its spans. And that counts
 * stay when spans go, that a reload acts, that a cut leaves the old state or the new one. */
#include "base/limits.h"
#include "care_fixture.h"
#include "random_batch.h"
#include "store/rollup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct care care;
static struct fg_retention_policy policies[8];
static struct fg_retention retention;
static const char *const services[] = {"service-0", "service-1", "service-2",
                                       "service-3", "service-4", "service-5"};

static void begin(uint64_t seed)
{
    care_start(&care, seed);
    memset(policies, 0, sizeof policies);
    retention = (struct fg_retention){.policies = policies, .pinned_bytes_max = 1 << 20};
}

static struct fg_retention_policy *add_policy(uint32_t service, uint64_t age_days)
{
    struct fg_retention_policy *policy = &policies[retention.policy_count++];
    policy->service = fg_slice_from_string(services[service]);
    policy->has_age = true;
    policy->age_ns = age_days * CARE_DAY;
    return policy;
}

static void open_store(void)
{
    care.options.retention = retention;
    assert_int_equal(care_open(&care), 0);
}

static void settle(void)
{
    assert_int_equal(fg_store_settle(care.store), 0);
}

/* -- The rule */

static const struct fg_retention_policy *policy_of(const struct care_span *span, bool *ret_default)
{
    for (size_t i = 0; i < retention.policy_count; i++) {
        const struct fg_retention_policy *policy = &retention.policies[i];
        bool is_of = !policy->has_tenant || policy->tenant == span->tenant;
        bool is_met =
            !policy->service.size ||
            fg_slice_equal(policy->service, fg_slice_from_string(services[span->service]));
        if (!is_of || !is_met)
            continue;
        *ret_default = !policy->service.size;
        return policy;
    }
    *ret_default = true;
    return NULL;
}

static bool has_expired(const struct care_span *span)
{
    bool is_default;
    const struct fg_retention_policy *policy = policy_of(span, &is_default);
    uint64_t age_ns = policy && policy->has_age ? policy->age_ns
                      : is_default              ? retention.age_ns
                                                : 0;
    uint64_t end_ns = (CARE_DAY_0 + span->day + (uint64_t)1) * CARE_DAY;
    return age_ns && end_ns + age_ns <= fg_env_wall_ns(care.env);
}

static bool is_same_unit(const struct care_span *a, const struct care_span *b)
{
    return a->tenant == b->tenant && a->trace == b->trace && a->day == b->day;
}

static void expire_model(void)
{
    for (size_t i = 0; i < care.given_count; i++) {
        bool stays = false;
        for (size_t k = 0; k < care.given_count && !stays; k++)
            stays = !care.given[k].is_gone &&
                    is_same_unit(&care.given[i].span, &care.given[k].span) &&
                    !has_expired(&care.given[k].span);
        if (!stays)
            care.given[i].may_be_gone = true; /* marked first: the others are looked at as before */
    }
    for (size_t i = 0; i < care.given_count; i++) {
        care.given[i].is_gone |= care.given[i].may_be_gone;
        care.given[i].may_be_gone = false;
    }
}

static void check(void)
{
    settle();
    expire_model();
    care_check(&care);
}

/* -- Counts */

static int add_counts(void *arg, const struct fg_rollup_cell *cell)
{
    uint64_t *counts = arg;
    if (cell->is_edge)
        return 0;
    counts[cell->service.data[cell->service.size - 1] - '0'] += cell->count + cell->open_count;
    return 0;
}

static void count_services(uint64_t counts[10])
{
    struct fg_rollup *rollup;
    memset(counts, 0, 10 * sizeof *counts);
    assert_int_equal(fg_rollup_new(&rollup), 0);
    assert_int_equal(fg_store_rollup(care.store, 0, 0, UINT64_MAX, rollup), 0);
    assert_int_equal(fg_rollup_each(rollup, add_counts, counts), 0);
    fg_rollup_free(rollup);
}

/* -- Cases */

/* A day of: a health check's own traces, shop traces, and one of both. */
static void seal_day(uint32_t day)
{
    const struct care_span spans[] = {
        {.trace = day * 10 + 1, .id = 1, .service = 0, .day = day, .form = CARE_ENDED},
        {.trace = day * 10 + 2, .id = 1, .service = 0, .day = day, .form = CARE_ENDED},
        {.trace = day * 10 + 3, .id = 1, .service = 1, .day = day, .form = CARE_ENDED},
        {.trace = day * 10 + 4, .id = 1, .service = 0, .day = day, .form = CARE_ENDED},
        {.trace = day * 10 + 4,
         .id = 2,
         .parent = 1,
         .service = 1,
         .day = day,
         .form = CARE_ENDED}};
    care_seal(&care, spans, 2);
    care_seal(&care, spans + 2, 2);
    care_seal(&care, spans + 4, 1);
}

static void a_shorter_policy_thins_days_that_stay(void **state)
{
    (void)state;
    uint64_t before[10], after[10];
    begin(1);
    add_policy(0, 1);
    retention.age_ns = 10 * CARE_DAY;
    open_store();
    seal_day(0);
    seal_day(1);
    check();
    assert_int_equal(care_model_count(&care, 0), 10);
    count_services(before);
    fg_sim_advance(care.sim, 2 * CARE_DAY);
    check();
    assert_int_equal(care_model_count(&care, 0), 8); /* of day 0 two health checks went */
    count_services(after);
    assert_memory_equal(before, after, sizeof before); /* their counts stay */
    uint64_t dropped = care_counters(&care).retention_dropped_spans;
    assert_int_equal(dropped, 2);
    settle();
    assert_int_equal(care_counters(&care).retention_dropped_spans, dropped);
    /* stragglers of a day that was thinned */
    const struct care_span late[] = {
        {.trace = 900, .id = 1, .service = 0, .day = 0, .form = CARE_ENDED},
        {.trace = 901, .id = 1, .service = 1, .day = 0, .form = CARE_ENDED}};
    care_seal(&care, late, 2);
    check();
    assert_int_equal(care_model_count(&care, 0), 9);
    care_close(&care, false);
    open_store();
    check();
    fg_sim_advance(care.sim, 30 * CARE_DAY);
    check();
    assert_int_equal(care_model_count(&care, 0), 0);
    assert_int_equal(care_counters(&care).segment_count, 0);
    count_services(after);
    assert_int_equal(after[0] + after[1], 12);
}

static void a_longer_policy_keeps_traces_of_days_that_go(void **state)
{
    (void)state;
    uint64_t before[10], after[10];
    begin(2);
    add_policy(1, 6);
    retention.age_ns = CARE_DAY;
    open_store();
    seal_day(0);
    count_services(before);
    fg_sim_advance(care.sim, 3 * CARE_DAY);
    check();
    assert_int_equal(care_model_count(&care, 0), 3); /* the shop's, and the trace of both */
    count_services(after);
    assert_memory_equal(before, after, sizeof before);
    care_close(&care, false);
    open_store();
    check();
    fg_sim_advance(care.sim, 6 * CARE_DAY);
    check();
    assert_int_equal(care_model_count(&care, 0), 0);
    assert_int_equal(care_counters(&care).segment_count, 0);
}

static void pinned_traces_outlive_a_policy(void **state)
{
    (void)state;
    begin(3);
    add_policy(0, 1);
    care.pinned[0] = 1;
    care.pinned_count = 1;
    open_store();
    seal_day(0);
    fg_sim_advance(care.sim, 4 * CARE_DAY);
    settle();
    for (size_t i = 0; i < care.given_count; i++)
        care.given[i].is_gone = care.given[i].span.trace == 2;
    care_check(&care);
    assert_int_equal(care_model_count(&care, 0), 4);
}

static void a_tenant_has_bounds_of_its_own(void **state)
{
    (void)state;
    begin(4);
    policies[0] = (struct fg_retention_policy){
        .has_tenant = true, .tenant = 2, .has_age = true, .age_ns = 4 * CARE_DAY};
    policies[1] = (struct fg_retention_policy){.has_tenant = true, .tenant = 3, .bytes_max = 1};
    retention.policy_count = 2;
    retention.age_ns = 2 * CARE_DAY;
    open_store();
    for (uint32_t day = 0; day < 2; day++) {
        const struct care_span spans[] = {
            {.tenant = 1, .trace = day + 1, .id = 1, .day = day, .form = CARE_ENDED},
            {.tenant = 2, .trace = day + 1, .id = 1, .day = day, .form = CARE_ENDED},
            {.tenant = 3, .trace = day + 1, .id = 1, .day = day, .form = CARE_ENDED}};
        care_seal(&care, spans, 1);
        care_seal(&care, spans + 1, 1);
        care_seal(&care, spans + 2, 1);
    }
    settle();
    assert_int_equal(care_scan_count(&care, 1), 2);
    assert_int_equal(care_scan_count(&care, 2), 2);
    assert_int_equal(care_scan_count(&care, 3), 0); /* past its bytes */
    fg_sim_advance(care.sim, 3 * CARE_DAY);
    settle();
    assert_int_equal(care_scan_count(&care, 1), 1);
    assert_int_equal(care_scan_count(&care, 2), 2);
    fg_sim_advance(care.sim, 4 * CARE_DAY);
    settle();
    assert_int_equal(care_scan_count(&care, 2), 0);
}

static void a_policy_has_bytes_of_its_own(void **state)
{
    (void)state;
    begin(5);
    struct fg_retention_policy *policy = add_policy(0, 0);
    open_store();
    for (uint32_t day = 0; day < 4; day++)
        seal_day(day);
    settle();
    uint64_t all = care_counters(&care).segment_bytes;
    policy->bytes_max = all * 2 / 5; /* its spans are three fifths: those of the newest days fit */
    fg_store_set_retention(care.store, &retention);
    settle();
    size_t left = care_scan_count(&care, 0);
    assert_true(left < 20 && left >= 14);
    for (size_t i = 0; i < care.given_count; i++) {
        const struct care_span *span = &care.given[i].span;
        bool is_own = span->service == 0 && span->trace % 10 < 3;
        care.given[i].is_gone = is_own && span->day < (20 - left) / 2;
    }
    care_check(&care); /* the oldest days' went, whole traces of it alone */
    settle();
    assert_int_equal(care_scan_count(&care, 0), left);
    policy->bytes_max = 1;
    fg_store_set_retention(care.store, &retention);
    settle();
    assert_int_equal(care_scan_count(&care, 0), 14); /* of the newest day nothing goes by bytes */
}

static void a_reload_acts_at_once(void **state)
{
    (void)state;
    begin(6);
    retention.policy_count = 0;
    open_store();
    seal_day(0);
    fg_sim_advance(care.sim, 5 * CARE_DAY);
    check();
    assert_int_equal(care_model_count(&care, 0), 5);
    add_policy(0, 1);
    fg_store_set_retention(care.store, &retention);
    bool did = true;
    while (did)
        assert_int_equal(fg_store_step(care.store, &did), 0);
    expire_model();
    care_check(&care);
    assert_int_equal(care_model_count(&care, 0), 3);
}

/* -- Random lives */

static void random_policies(struct test_random *random)
{
    retention.policy_count = 0;
    memset(policies, 0, sizeof policies);
    for (uint32_t i = test_random_below(random, 4); i > 0; i--) {
        struct fg_retention_policy *policy =
            add_policy(test_random_below(random, 4), test_random_below(random, 7));
        policy->has_tenant = test_random_chance(random, 30);
        policy->tenant = test_random_below(random, 2);
    }
    if (test_random_chance(random, 30))
        policies[retention.policy_count++] =
            (struct fg_retention_policy){.has_tenant = true,
                                         .tenant = test_random_below(random, 2),
                                         .has_age = true,
                                         .age_ns = test_random_below(random, 5) * CARE_DAY};
    retention.age_ns = test_random_below(random, 5) * CARE_DAY;
}

static void seal_random(struct test_random *random, uint32_t today)
{
    struct care_span spans[6];
    uint32_t count = 1 + test_random_below(random, 6);
    uint32_t tenant = test_random_below(random, 2);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t day = test_random_below(random, today + 1);
        spans[i] = (struct care_span){.tenant = tenant,
                                      .trace = 1 + test_random_below(random, 12),
                                      /* a span has one start */
                                      .id = 1 + test_random_below(random, 6) + day * 10,
                                      .service = test_random_below(random, 6),
                                      .day = day,
                                      .form = CARE_ENDED};
    }
    care_seal(&care, spans, count);
}

static void live(uint64_t seed, bool with_cuts)
{
    struct test_random random = {.state = seed};
    uint32_t today = 0;
    begin(seed);
    snprintf(care.story, sizeof care.story, "seed %lu", seed);
    random_policies(&random);
    open_store();
    for (int step = 0; step < 24; step++) {
        for (uint32_t i = test_random_below(&random, 4); i > 0; i--)
            seal_random(&random, today);
        if (test_random_chance(&random, 50)) {
            fg_sim_advance(care.sim, CARE_DAY);
            today++;
        }
        if (test_random_chance(&random, 20)) {
            random_policies(&random);
            care.options.retention = retention;
            fg_store_set_retention(care.store, &retention);
        }
        if (with_cuts && test_random_chance(&random, 30)) {
            fg_sim_cut_at(care.sim, FG_SIM_CHANGES, 1 + test_random_below(&random, 40));
            (void)!fg_store_settle(care.store);
            fg_sim_cut_at(care.sim, 0, 0);
            if (fg_sim_is_cut(care.sim)) {
                care_cut(&care);
                open_store();
            }
        }
        check();
    }
    care_end(&care);
}

static void random_lives_keep_the_rule(void **state)
{
    (void)state;
    const char *text = getenv("FG_MODEL_SEEDS");
    uint64_t seeds = text ? strtoull(text, NULL, 10) : 30;
    for (uint64_t seed = 1; seed <= seeds; seed++)
        live(seed, seed % 2 == 0);
}

static int finish(void **state)
{
    (void)state;
    care_end(&care);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_shorter_policy_thins_days_that_stay, finish),
        cmocka_unit_test_teardown(a_longer_policy_keeps_traces_of_days_that_go, finish),
        cmocka_unit_test_teardown(pinned_traces_outlive_a_policy, finish),
        cmocka_unit_test_teardown(a_tenant_has_bounds_of_its_own, finish),
        cmocka_unit_test_teardown(a_policy_has_bytes_of_its_own, finish),
        cmocka_unit_test_teardown(a_reload_acts_at_once, finish),
        cmocka_unit_test(random_lives_keep_the_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
