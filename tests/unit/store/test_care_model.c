/* Random lives of a store: appends, seals, upkeep, expiry, erasing, backups, restarts and power
 * cuts in any order, checked against the model of care_fixture.h. A life is told by its seed, which
 * is printed when it fails. FG_MODEL_SEEDS sets how many are lived. */
#include "base/limits.h"
#include "care_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECRET   "order-of-Jane-Doe-4711"
#define AGE_DAYS 3u
#define TRACES   8u
#define IDS      6u
#define TENANTS  2u

static struct care care;
static uint32_t today; /* after CARE_DAY_0 */
static bool is_cut_ordered;

static uint32_t below(uint32_t bound)
{
    return (uint32_t)fg_sim_below(care.sim, bound);
}

/* Forms of one span share all but their end, so that it does not matter which of them upkeep has
 * dropped already when another is erased. */
static struct care_span random_span(uint32_t tenant)
{
    struct care_span span = {.tenant = tenant, .trace = 1 + below(TRACES)};
    uint32_t back = below(4), id = 1 + below(IDS);
    span.day = today > back ? today - back : 0;
    span.id = 10 * span.day + id;
    span.parent = id > 1 ? 10 * span.day + id / 2 : 0;
    span.service = below(3);
    span.form = (enum care_form)below(3);
    span.secret = id == 5 ? SECRET : NULL;
    return span;
}

static bool has_expired(const struct care_span *span)
{
    uint64_t day_end_ns = ((uint64_t)CARE_DAY_0 + span->day + 1) * CARE_DAY;
    return day_end_ns + AGE_DAYS * CARE_DAY <= fg_env_wall_ns(care.env);
}

static bool is_pinned(const struct care_span *span)
{
    for (size_t i = 0; i < care.pinned_count; i++)
        if (care.pinned[i] == span->trace)
            return true;
    return false;
}

static void mark_expired(bool certainly)
{
    for (size_t i = 0; i < care.given_count; i++) {
        struct care_given *given = &care.given[i];
        if (given->is_gone || !has_expired(&given->span) || (certainly && is_pinned(&given->span)))
            continue;
        given->is_gone = certainly;
        given->may_be_gone = !certainly;
    }
}

static void mark_secrets(uint32_t tenant, bool certainly)
{
    for (size_t i = 0; i < care.given_count; i++) {
        struct care_given *given = &care.given[i];
        if (given->is_gone || !given->span.secret || given->span.tenant != tenant)
            continue;
        given->is_gone = certainly;
        given->may_be_gone = !certainly;
    }
}

/* -- One step of a life. Each returns what the store said. */

static int step_append(void)
{
    struct care_span spans[6];
    uint32_t count = 1 + below(6), tenant = below(TENANTS);
    for (uint32_t i = 0; i < count; i++)
        spans[i] = random_span(tenant);
    return care_append(&care, spans, count);
}

static int step_upkeep(void)
{
    bool did = true;
    int r = 0;
    for (uint32_t i = 0; i < 3 && did && r == 0; i++)
        r = fg_store_step(care.store, &did);
    return r;
}

static int step_settle(void)
{
    int r = fg_store_settle(care.store);
    if (r == 0) {
        /* the head is not expired yet, and what is in it shows */
        r = fg_store_seal(care.store);
        if (r == 0)
            r = fg_store_settle(care.store);
        if (r == 0)
            mark_expired(true);
    }
    return r;
}

static int step_erase(void)
{
    uint64_t count;
    uint32_t tenant = below(TENANTS);
    const struct fg_predicate predicate = care_secret(SECRET);
    mark_secrets(tenant, false);
    int r = fg_store_erase(care.store, tenant, &predicate, false, &count);
    if (r == 0)
        mark_secrets(tenant, true);
    return r;
}

static int step_clock(void)
{
    fg_sim_advance(care.sim, (1 + below(20)) * (CARE_DAY / 16));
    today = (uint32_t)(fg_env_wall_ns(care.env) / CARE_DAY) - CARE_DAY_0;
    return 0;
}

static int step_pins(void)
{
    care.pinned_count = below(3);
    for (size_t i = 0; i < care.pinned_count; i++)
        care.pinned[i] = 1 + below(TRACES);
    return 0;
}

static int step_restart(void)
{
    care_close(&care, below(2));
    return care_open(&care);
}

static int step_seal(void)
{
    return fg_store_seal(care.store);
}

static int step_order_cut(void)
{
    if (!is_cut_ordered)
        fg_sim_cut_at(care.sim, FG_SIM_CHANGES, 1 + below(60));
    is_cut_ordered = true;
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
    uint32_t weight;
} steps[] = {{"append", step_append, 12}, {"seal", step_seal, 5},       {"upkeep", step_upkeep, 4},
             {"settle", step_settle, 2},  {"erase", step_erase, 1},     {"clock", step_clock, 2},
             {"pins", step_pins, 1},      {"restart", step_restart, 1}, {"cut", step_order_cut, 1}};
#define STEP_COUNT (sizeof steps / sizeof *steps)

static size_t choose(void)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < STEP_COUNT; i++)
        sum += steps[i].weight;
    uint32_t at = below(sum);
    size_t step = 0;
    for (; at >= steps[step].weight; step++)
        at -= steps[step].weight;
    return step;
}

static void recover(void)
{
    care_cut(&care);
    is_cut_ordered = false;
    for (int tries = 0; tries < 3 && below(3) == 0; tries++) {
        fg_sim_cut_at(care.sim, FG_SIM_CHANGES, 1 + below(12));
        if (care_open(&care) < 0)
            care.store = NULL;
        care_cut(&care);
    }
    if (care_open(&care) < 0)
        fail_msg("%s: does not open: %s", care.story, care.message);
}

static void live(uint64_t seed, uint32_t length)
{
    care_start(&care, seed);
    snprintf(care.story, sizeof care.story, "seed %d", (int)seed);
    care.options.retention =
        (struct fg_retention){.age_ns = AGE_DAYS * CARE_DAY, .pinned_bytes_max = 1 << 20};
    today = 0;
    is_cut_ordered = false;
    assert_int_equal(care_open(&care), 0);
    for (uint32_t i = 0; i < length; i++) {
        size_t step = choose();
        int r = steps[step].run();
        if (fg_sim_is_cut(care.sim))
            recover();
        else if (r < 0)
            fail_msg("%s: %s says %d: %s", care.story, steps[step].name, r, care.event);
        if (below(4) == 0) {
            mark_expired(false);
            care_check(&care);
        }
    }
    fg_sim_cut_at(care.sim, FG_SIM_CHANGES, 0);
    is_cut_ordered = false;
    mark_expired(false);
    care_check(&care);
    assert_int_equal(step_settle(), 0);
    care_check(&care);
    for (uint32_t tenant = 0; tenant < TENANTS; tenant++)
        assert_int_equal(care_scan_count(&care, tenant), care_model_count(&care, tenant));
    assert_int_equal(care_file_count(&care, "segments"), care_counters(&care).segment_count);
    care_end(&care);
}

static void every_life_is_as_the_model_says(void **state)
{
    (void)state;
    const char *text = getenv("FG_MODEL_SEEDS"), *first = getenv("FG_MODEL_FIRST");
    uint64_t begin = first ? strtoull(first, NULL, 10) : 0;
    uint64_t count = text ? strtoull(text, NULL, 10) : 150;
    for (uint64_t seed = begin; seed < begin + count; seed++)
        live(seed, 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_life_is_as_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
