/* The power goes in the middle of merging, expiring, erasing and backing up, at every write, sync
 * and rename, and again while the store is opened after it. Each time everything that was
 * acknowledged and need not be gone is there once, and doing the work again does the rest. */
#include "base/limits.h"
#include "care_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECRET "order-of-Jane-Doe-4711"

static struct care care;

/* One kind of upkeep: what is there before it, what it does, what is gone after it. */
struct work {
    const char *name;
    void (*prepare)(void);
    int (*run)(void);
    bool (*removes)(const struct care_span *span);
};

static bool removes_nothing(const struct care_span *span)
{
    (void)span;
    return false;
}

/* -- What there is to do */

static void seal_some(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        const struct care_span spans[] = {
            {.trace = 1, .id = i + 1, .parent = i, .service = i, .form = CARE_ENDED},
            {.trace = i + 2, .id = 1, .form = i % 2 ? CARE_OPEN : CARE_ENDED, .secret = SECRET},
            {.trace = 8, .id = 1, .form = i == 1 ? CARE_ENDED : CARE_OPEN},
            {.trace = i + 5, .id = 9, .day = 1, .form = CARE_ENDED},
            {.trace = 9, .id = i + 1, .form = CARE_ENDED}};
        care_seal(&care, spans, 5);
    }
    const struct care_span span = {.trace = 20, .id = 1, .form = CARE_ENDED, .secret = SECRET};
    assert_int_equal(care_append(&care, &span, 1), 0);
}

static int settle(void)
{
    return fg_store_settle(care.store);
}

/* Day 0 goes, but for trace 1, which is pinned; a part of it had gone before. */
static void prepare_expiry(void)
{
    const struct care_span early = {.trace = 30, .id = 1, .form = CARE_ENDED};
    care_seal(&care, &early, 1);
    struct fg_retention retention = {.age_ns = 2 * CARE_DAY, .pinned_bytes_max = 1 << 20};
    fg_sim_advance(care.sim, 3 * CARE_DAY);
    fg_store_set_retention(care.store, &retention);
    care.options.retention = retention;
    assert_int_equal(fg_store_settle(care.store), 0);
    care.given[care.given_count - 1].is_gone = true;
    care.pinned[0] = 1;
    care.pinned_count = 1;
    seal_some();
    assert_int_equal(fg_store_seal(care.store), 0);
}

static bool removes_day_0(const struct care_span *span)
{
    return span->day == 0 && span->trace != 1;
}

static int erase_spans(void)
{
    uint64_t count;
    const struct fg_predicate predicate = care_secret(SECRET);
    return fg_store_erase(care.store, 0, &predicate, false, &count);
}

static bool removes_secrets(const struct care_span *span)
{
    return span->secret != NULL;
}

static int erase_traces(void)
{
    uint64_t count;
    const struct fg_predicate predicate = care_secret(SECRET);
    return fg_store_erase(care.store, 0, &predicate, true, &count);
}

/* trace 1 has no secret; 2 to 4 and 20 have */
static bool removes_traces(const struct care_span *span)
{
    return (span->trace >= 2 && span->trace <= 4) || span->trace == 20;
}

static int back_up(void)
{
    return fg_store_backup(care.store, "/backup", NULL, NULL);
}

static const struct work works[] = {
    {"merge", seal_some, settle, removes_nothing},
    {"expiry", prepare_expiry, settle, removes_day_0},
    {"erase of spans", seal_some, erase_spans, removes_secrets},
    {"erase of traces", seal_some, erase_traces, removes_traces},
    {"backup", seal_some, back_up, removes_nothing},
};

/* -- The cut */

static void set_gone(const struct work *work, bool certainly)
{
    for (size_t i = 0; i < care.given_count; i++) {
        struct care_given *given = &care.given[i];
        if (given->is_gone || !work->removes(&given->span))
            continue;
        given->is_gone = certainly;
        given->may_be_gone = !certainly;
    }
}

/* Opens, with one more cut on the way when the seed says so. */
static void reopen(uint64_t recovery_cut)
{
    if (recovery_cut) {
        fg_sim_cut_at(care.sim, FG_SIM_CHANGES, recovery_cut);
        int r = care_open(&care);
        if (r == 0)
            care_close(&care, false);
        else
            care.store = NULL;
        fg_sim_cut(care.sim);
        fg_sim_restart(care.sim);
    }
    int r = care_open(&care);
    if (r < 0)
        fail_msg("does not open: %s", care.message);
}

/* A backup that was cut short is no store; one that has a manifest holds everything. */
static void check_backup(const struct work *work)
{
    struct care copy = care;
    if (work->run != back_up)
        return;
    copy.options.path = "/backup";
    copy.options.read_only = true; /* or an empty folder would become a store */
    fg_arena_init(&copy.arena, 1 << 20);
    int r = fg_store_open(&copy.options, &copy.arena, &copy.message, &copy.store);
    if (r == 0) {
        care_check(&copy);
        fg_store_close(copy.store, false);
    }
    fg_arena_free(&copy.arena);
    assert_true(r == 0 || r == FG_ECORRUPT || r == FG_ENOTFOUND);
}

static void check_after(const struct work *work)
{
    set_gone(work, false);
    care_check(&care);
    check_backup(work);
    if (work->run == back_up)
        return;
    int r = work->run();
    if (r < 0)
        fail_msg("%s again: %d, %s", work->name, r, care.event);
    set_gone(work, true);
    care_check(&care);
    assert_int_equal(care_file_count(&care, "segments"), care_counters(&care).segment_count);
    if (work->run != erase_spans && work->run != erase_traces)
        return;
    /* what it returned for is durable */
    care_cut(&care);
    assert_false(care_has_bytes(&care, "Jane-Doe"));
    reopen(0);
    care_check(&care);
    assert_false(care_has_bytes(&care, "Jane-Doe"));
}

/* Whether the cut came before the work was done. */
static bool cut_once(const struct work *work, uint64_t seed, uint64_t nth, uint64_t recovery_cut)
{
    care_start(&care, seed);
    snprintf(care.story, sizeof care.story, "%s cut at change %d, again at %d, seed %d", work->name,
             (int)nth, (int)recovery_cut, (int)seed);
    assert_int_equal(care_open(&care), 0);
    work->prepare();
    fg_sim_cut_at(care.sim, FG_SIM_CHANGES, nth);
    int r = work->run();
    bool is_cut = fg_sim_is_cut(care.sim);
    if (!is_cut)
        assert_int_equal(r, 0);
    care_cut(&care);
    reopen(recovery_cut);
    check_after(work);
    care_end(&care);
    return is_cut;
}

static uint64_t seeds_of_the_day(void)
{
    const char *text = getenv("FG_POWER_SEEDS");
    return text ? strtoull(text, NULL, 10) : 2;
}

/* Every change of each kind of work, with the cut at it; FG_POWER_SEEDS seeds each. */
static void nothing_is_lost_at_any_cut(void **state)
{
    (void)state;
    for (size_t w = 0; w < sizeof works / sizeof *works; w++) {
        uint64_t cuts = 0;
        bool is_cut = true;
        for (uint64_t nth = 1; is_cut; nth++) {
            is_cut = false;
            for (uint64_t seed = 0; seed < seeds_of_the_day(); seed++) {
                uint64_t recovery_cut = (nth + seed) % 3 ? (nth * 7 + seed) % 11 : 0;
                is_cut |= cut_once(&works[w], nth * 1000 + seed, nth, recovery_cut);
                cuts++;
            }
        }
        print_message("%s: %u cuts\n", works[w].name, (unsigned)cuts);
        assert_true(cuts > 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_at_any_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
