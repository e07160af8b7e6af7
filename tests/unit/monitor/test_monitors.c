/* The scheduler, on a clock of its own and with checks that do what the test says: when monitors
 * run, what is believed, which spans are stored, who is told; and with real threads, that a check
 * which hangs holds up nobody. */
#include "monitor/added.h"
#include "monitor/monitors.h"
#include "os/thread.h"
#include "sim_env.h"
#include "wire/otlp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

/* -- A kind that does as it is told: by the letter that its monitor's name begins with */

struct stage {
    struct fg_sim *sim;
    struct fg_monitors *monitors;
    enum fg_check_result next; /* what looks see */
    const char *code;
    uint64_t runs, spans, tells;
    int append_result;
    char told[1024];    /* "a:ok>down " */
    char results[4096]; /* of spans, "down " */
    uint64_t last_since_ns, last_holds_ms;
    bool in_event;
};

static struct stage *stage;

static int open_puppet(struct fg_env *env, struct fg_check_settings *settings, void **ret_check)
{
    (void)env, (void)settings;
    *ret_check = stage;
    return 0;
}

static void run_puppet(void *check, uint64_t deadline_mono_ns, struct fg_check_report *report)
{
    (void)check, (void)deadline_mono_ns;
    stage->runs++;
    fg_check_int(report, "puppet.run", (int64_t)stage->runs);
    fg_check_text(report, "server.address", FG_SLICE("puppet.example"));
    if (stage->next != FG_CHECK_OK)
        fg_check_finding(report, stage->next, stage->code ? stage->code : "told_so", false,
                         "it was told so");
}

static void close_puppet(void *check)
{
    (void)check;
}

static const struct fg_check_kind puppet = {
    .name = "puppet", .summary = "", .open = open_puppet, .run = run_puppet, .close = close_puppet};
static const struct fg_check_kind *const puppets[] = {&puppet, NULL};

/* -- What is stored */

static int nothing_begins(void *arg, const struct fg_otlp_resource *resource)
{
    (void)arg, (void)resource;
    return 0;
}

static int scope_begins(void *arg, const struct fg_otlp_scope *scope)
{
    (void)arg, (void)scope;
    return 0;
}

static int span_begins(void *arg, const struct fg_otlp_span *span)
{
    (void)arg;
    assert_int_equal(span->trace_id.size, 16);
    assert_int_equal(span->parent_span_id.size, 0);
    assert_int_equal(span->kind, FG_OTLP_KIND_CLIENT);
    assert_true(span->end_ns >= span->start_ns);
    return 0;
}

static int attribute(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    struct stage *on = arg;
    if (fg_slice_equal(key, FG_SLICE("monitor.result")))
        snprintf(on->results + strlen(on->results), sizeof on->results - strlen(on->results),
                 "%.*s ", (int)value->string.size, (const char *)value->string.data);
    if (fg_slice_equal(key, FG_SLICE("monitor.since")))
        on->last_since_ns = (uint64_t)value->integer;
    if (fg_slice_equal(key, FG_SLICE("monitor.holds_ms")))
        on->last_holds_ms = (uint64_t)value->integer;
    return 0;
}

static int service(void *arg, struct fg_slice key, const struct fg_otlp_value *value)
{
    (void)arg;
    if (fg_slice_equal(key, FG_SLICE("service.name")))
        assert_true(fg_slice_equal(value->string, FG_SLICE(FG_MONITOR_SERVICE)));
    return 0;
}

static int event_begins(void *arg, const struct fg_otlp_event *event)
{
    (void)arg;
    assert_true(fg_slice_equal(event->name, FG_SLICE("monitor.finding")));
    return 0;
}

static int link_begins(void *arg, const struct fg_otlp_link *link)
{
    (void)arg, (void)link;
    return FG_EINVALID;
}

static int ends(void *arg)
{
    (void)arg;
    return 0;
}

static const struct fg_otlp_visitor reader = {.resource_begin = nothing_begins,
                                              .resource_attribute = service,
                                              .resource_end = ends,
                                              .scope_begin = scope_begins,
                                              .scope_attribute = service,
                                              .scope_end = ends,
                                              .span_begin = span_begins,
                                              .span_attribute = attribute,
                                              .event_begin = event_begins,
                                              .event_attribute = service,
                                              .event_end = ends,
                                              .link_begin = link_begins,
                                              .link_attribute = service,
                                              .link_end = ends,
                                              .span_end = ends};

static int append(void *arg, struct fg_slice request)
{
    struct stage *on = arg;
    if (on->append_result < 0)
        return on->append_result;
    on->spans++;
    assert_int_equal(fg_otlp_decode_traces(request, &reader, on, NULL), 0);
    return 0;
}

static void changed(void *arg, const struct fg_monitor_change *change)
{
    struct stage *on = arg;
    on->tells++;
    snprintf(on->told + strlen(on->told), sizeof on->told - strlen(on->told), "%s:%s>%s ",
             change->name, fg_check_result_name(change->before),
             fg_check_result_name(change->result));
}

/* -- The stage */

static void put(struct stage *on, const char *name, const char *more)
{
    const struct fg_monitor_source source = {
        .env = fg_sim_env(on->sim), .kinds = puppets, .file_name = "test"};
    char text[256];
    struct fg_buffer errors;
    struct fg_monitor_config *config;
    fg_buffer_init(&errors, 4096);
    snprintf(text, sizeof text, "{kind: puppet%s}", more);
    int r = fg_monitor_config_parse(&source, name, fg_slice_from_string(text), &errors, &config);
    if (r < 0)
        fail_msg("%.*s", (int)errors.size, (const char *)errors.data);
    fg_buffer_free(&errors);
    assert_int_equal(fg_monitors_put_take(on->monitors, config, false), 0);
}

static int set_up(void **state)
{
    stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    assert_int_equal(fg_sim_new(7, &stage->sim), 0);
    fg_sim_set_wall_ns(stage->sim, UINT64_C(1800000000) * SECOND);
    const struct fg_monitors_options options = {.env = fg_sim_env(stage->sim),
                                                .append = append,
                                                .changed = changed,
                                                .arg = stage,
                                                .is_manual = true};
    assert_int_equal(fg_monitors_open(&options, &stage->monitors), 0);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fg_monitors_stop(stage->monitors);
    fg_monitors_close(stage->monitors);
    fg_sim_free(stage->sim);
    free(stage);
    return 0;
}

/* Lets so much time pass, doing what is due when it is. */
static void pass(struct stage *on, uint64_t ns)
{
    while (true) {
        uint64_t next_ns = fg_monitors_step(on->monitors);
        if (next_ns == 0)
            continue;
        uint64_t step_ns = next_ns < ns ? next_ns : ns;
        fg_sim_advance(on->sim, step_ns);
        ns -= step_ns;
        if (ns == 0)
            return;
    }
}

static void test_interval(void **state)
{
    struct stage *on = *state;
    put(on, "a", "");
    pass(on, 3600 * SECOND);
    /* 240, give or take a tenth each time */
    assert_in_range(on->runs, 230, 251);
    /* one a minute, and no more than the runs allow */
    assert_in_range(on->spans, 45, 62);
    assert_int_equal(on->tells, 0);
}

/* An hour of health, in which each look that errs errs alone: not one change, not one message. */
static void test_no_false_change(void **state)
{
    struct stage *on = *state;
    put(on, "a", "");
    pass(on, 20 * SECOND);
    for (int i = 0; i < 3000; i++) {
        on->next = FG_CHECK_OK;
        pass(on, SECOND);
        on->next = i % 3 == 0 ? FG_CHECK_DOWN : i % 3 == 1 ? FG_CHECK_DEGRADED : FG_CHECK_UNKNOWN;
        uint64_t runs = on->runs;
        while (on->runs == runs)
            pass(on, SECOND / 10);
        if (i % 2) /* the first repetition errs, too */
            while (on->runs == runs + 1)
                pass(on, SECOND / 10);
    }
    assert_int_equal(on->tells, 0);
    assert_null(strstr(on->results, "d"));
    assert_null(strstr(on->results, "u"));
}

static void test_change(void **state)
{
    struct stage *on = *state;
    put(on, "a", "");
    pass(on, 100 * SECOND);
    assert_int_equal(on->tells, 0);
    on->next = FG_CHECK_DOWN;
    uint64_t runs = on->runs, spans = on->spans;
    while (on->runs == runs)
        pass(on, SECOND / 100);
    uint64_t first_ns = fg_env_wall_ns(fg_sim_env(on->sim));
    assert_int_equal(on->tells, 0); /* one look is not enough */
    pass(on, 3 * SECOND);
    assert_string_equal(on->told, "a:ok>down ");
    assert_int_equal(on->runs, runs + 3);
    assert_int_equal(on->spans, spans + 1);
    assert_in_range(on->last_since_ns, first_ns - SECOND / 10, first_ns);
    on->next = FG_CHECK_OK;
    pass(on, 20 * SECOND);
    assert_string_equal(on->told, "a:ok>down a:down>ok ");
    assert_int_equal(on->spans, spans + 2);
}

/* Another finding of the same weight is stored, and told to nobody. */
static void test_other_finding(void **state)
{
    struct stage *on = *state;
    put(on, "a", "");
    on->next = FG_CHECK_DEGRADED;
    on->code = "one";
    pass(on, 20 * SECOND);
    uint64_t spans = on->spans;
    on->code = "two";
    pass(on, 17 * SECOND);
    assert_int_equal(on->spans, spans + 1);
    assert_string_equal(on->told, "a:unknown>degraded ");
}

/* Who can't be seen is looked at less and less, and at once again as often when it can. */
static void test_back_off(void **state)
{
    struct stage *on = *state;
    put(on, "a", "");
    on->next = FG_CHECK_UNKNOWN;
    pass(on, 1800 * SECOND);
    uint64_t early = on->runs;
    assert_in_range(early, 8, 20);
    pass(on, 1800 * SECOND);
    assert_in_range(on->runs - early, 5, 8);
    assert_string_equal(on->told, "a:unknown>unknown ");
    /* a span speaks until the next one is due */
    assert_true(on->last_holds_ms >= 300000);
    on->next = FG_CHECK_OK;
    pass(on, 400 * SECOND);
    early = on->runs;
    pass(on, 150 * SECOND);
    assert_in_range(on->runs - early, 8, 12);
}

/* The wall clock may go where it likes. */
static void test_clock_jumps(void **state)
{
    struct stage *on = *state;
    put(on, "a", "");
    pass(on, 300 * SECOND);
    uint64_t runs = on->runs;
    fg_sim_set_wall_ns(on->sim, UINT64_C(1900000000) * SECOND);
    pass(on, 300 * SECOND);
    assert_in_range(on->runs - runs, 18, 22);
    runs = on->runs;
    fg_sim_set_wall_ns(on->sim, UINT64_C(1000000000) * SECOND);
    pass(on, 300 * SECOND);
    assert_in_range(on->runs - runs, 18, 22);
    assert_int_equal(on->tells, 0);
}

/* A span that was not taken is tried again with the next look, and a change is never lost. */
static void test_store_refuses(void **state)
{
    struct stage *on = *state;
    put(on, "a", "");
    pass(on, 70 * SECOND);
    on->append_result = FG_ENOSPACE;
    on->next = FG_CHECK_DOWN;
    pass(on, 60 * SECOND);
    assert_null(strstr(on->results, "down"));
    assert_string_equal(on->told, "a:ok>down "); /* people are told all the same */
    on->append_result = 0;
    pass(on, 17 * SECOND);
    assert_non_null(strstr(on->results, "down"));
}

static void count_view(void *arg, const struct fg_monitor_view *view)
{
    (void)view;
    ++*(int *)arg;
}

static void test_thousand(void **state)
{
    struct stage *on = *state;
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%04d", i);
        put(on, name, "");
    }
    int count = 0;
    assert_int_equal(fg_monitors_each(on->monitors, NULL, count_view, &count), 1000);
    assert_int_equal(count, 1000);
    pass(on, 10 * SECOND + SECOND / 10); /* each once, spread over ten seconds */
    assert_in_range(on->runs, 1000, 1001);
    pass(on, 300 * SECOND);
    assert_in_range(on->runs, 19000, 22500);
    assert_int_equal(on->tells, 0);
}

static void test_too_many(void **state)
{
    struct stage *on = *state;
    struct fg_monitor_config *config;
    struct fg_buffer errors;
    const struct fg_monitor_source source = {
        .env = fg_sim_env(on->sim), .kinds = puppets, .file_name = "test"};
    fg_buffer_init(&errors, 4096);
    for (uint32_t i = 0; i < FG_MONITORS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%u", i);
        put(on, name, "");
    }
    assert_int_equal(
        fg_monitor_config_parse(&source, "z", FG_SLICE("{kind: puppet}"), &errors, &config), 0);
    assert_int_equal(fg_monitors_put_take(on->monitors, config, false), FG_ELIMIT);
    fg_buffer_free(&errors);
}

static void test_replace_and_remove(void **state)
{
    struct stage *on = *state;
    put(on, "a", "");
    on->next = FG_CHECK_DOWN;
    pass(on, 20 * SECOND);
    assert_string_equal(on->told, "a:unknown>down ");
    put(on, "a", ", interval: 1s"); /* what is believed stays */
    uint64_t runs = on->runs;
    pass(on, 20 * SECOND);
    assert_in_range(on->runs - runs, 17, 23);
    assert_string_equal(on->told, "a:unknown>down ");
    assert_int_equal(fg_monitors_remove(on->monitors, "a"), 0);
    assert_int_equal(fg_monitors_remove(on->monitors, "a"), FG_ENOTFOUND);
    runs = on->runs;
    pass(on, 100 * SECOND);
    assert_int_equal(on->runs, runs);
}

static void test_paused(void **state)
{
    struct stage *on = *state;
    put(on, "a", ", paused: true");
    fg_sim_advance(on->sim, 1000 * SECOND);
    assert_true(fg_monitors_step(on->monitors) == UINT64_MAX);
    assert_int_equal(on->runs, 0);
}

/* -- With threads: some checks hang until the test lets them go */

struct hall {
    struct fg_mutex mutex;
    struct fg_cond cond;
    bool is_open;
    unsigned hanging, fine_runs, unknown_spans;
    uint64_t told_overdue;
};

static struct hall *hall;

static void run_hanging(void *check, uint64_t deadline_mono_ns, struct fg_check_report *report)
{
    (void)check, (void)deadline_mono_ns;
    fg_mutex_lock(&hall->mutex);
    hall->hanging++;
    fg_cond_broadcast(&hall->cond);
    while (!hall->is_open && !fg_check_is_cancelled(report))
        (void)fg_cond_wait_for(&hall->cond, &hall->mutex, SECOND / 20);
    hall->hanging--;
    fg_mutex_unlock(&hall->mutex);
    fg_check_finding(report, FG_CHECK_DOWN, "too_late", false, "nobody may hear of this");
}

static void run_fine(void *check, uint64_t deadline_mono_ns, struct fg_check_report *report)
{
    (void)check, (void)deadline_mono_ns, (void)report;
    fg_mutex_lock(&hall->mutex);
    hall->fine_runs++;
    fg_cond_broadcast(&hall->cond);
    fg_mutex_unlock(&hall->mutex);
}

static const struct fg_check_kind hanging = {
    .name = "hanging", .open = open_puppet, .run = run_hanging, .close = close_puppet};
static const struct fg_check_kind fine = {
    .name = "fine", .open = open_puppet, .run = run_fine, .close = close_puppet};
static const struct fg_check_kind *const hall_kinds[] = {&hanging, &fine, NULL};

static int append_in_hall(void *arg, struct fg_slice request)
{
    (void)arg, (void)request;
    return 0;
}

static void changed_in_hall(void *arg, const struct fg_monitor_change *change)
{
    (void)arg;
    fg_mutex_lock(&hall->mutex);
    if (change->code && strcmp(change->code, "check_overdue") == 0)
        hall->told_overdue++;
    assert_int_not_equal(change->result, FG_CHECK_DOWN);
    fg_cond_broadcast(&hall->cond);
    fg_mutex_unlock(&hall->mutex);
}

static void put_in_hall(struct fg_monitors *monitors, const char *name, const char *text)
{
    const struct fg_monitor_source source = {
        .env = fg_env_real(), .kinds = hall_kinds, .file_name = "test"};
    struct fg_buffer errors;
    struct fg_monitor_config *config;
    fg_buffer_init(&errors, 4096);
    assert_int_equal(
        fg_monitor_config_parse(&source, name, fg_slice_from_string(text), &errors, &config), 0);
    assert_int_equal(fg_monitors_put_take(monitors, config, false), 0);
    fg_buffer_free(&errors);
}

static void find_result(void *arg, const struct fg_monitor_view *view)
{
    *(enum fg_check_result *)arg = view->result;
}

static void test_hanging(void **state)
{
    struct hall here = {.is_open = false};
    struct fg_monitors *monitors;
    enum fg_check_result result = FG_CHECK_DOWN;
    const struct fg_monitors_options options = {.env = fg_env_real(),
                                                .append = append_in_hall,
                                                .changed = changed_in_hall,
                                                .threads_max = 12};
    (void)state;
    hall = &here;
    fg_mutex_init(&here.mutex, FG_RANK_LEAF);
    fg_cond_init(&here.cond);
    assert_int_equal(fg_monitors_open(&options, &monitors), 0);
    for (int i = 0; i < 8; i++) {
        char name[16];
        snprintf(name, sizeof name, "h%d", i);
        put_in_hall(monitors, name,
                    "{kind: hanging, interval: 100ms, time-limit: 10ms, confirm: 0}");
    }
    put_in_hall(monitors, "fine", "{kind: fine, interval: 100ms}");
    fg_mutex_lock(&here.mutex);
    while (here.hanging < 8 || here.told_overdue < 8)
        fg_cond_wait(&here.cond, &here.mutex);
    unsigned runs = here.fine_runs;
    while (here.fine_runs < runs + 5) /* the others go on */
        fg_cond_wait(&here.cond, &here.mutex);
    assert_int_equal(here.hanging, 8); /* each holds one thread, and no second one */
    fg_mutex_unlock(&here.mutex);
    assert_int_equal(fg_monitors_each(monitors, "h3", find_result, &result), 1);
    assert_int_equal(result, FG_CHECK_UNKNOWN);
    /* run by hand, it says that it does not come back, and waits for no more than that */
    assert_int_equal(fg_monitors_run(monitors, "h3"), FG_ETIMEOUT);
    assert_int_equal(fg_monitors_run(monitors, "fine"), 0);
    assert_int_equal(fg_monitors_run(monitors, "nobody"), FG_ENOTFOUND);
    assert_int_equal(fg_monitors_remove(monitors, "h7"), 0);
    fg_monitors_stop(monitors); /* tells them, and waits */
    assert_int_equal(here.hanging, 0);
    assert_int_equal(fg_monitors_run(monitors, "fine"), FG_ECANCELLED);
    fg_monitors_close(monitors);
    fg_cond_destroy(&here.cond);
    fg_mutex_destroy(&here.mutex);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(test_interval),      ON_STAGE(test_no_false_change),
        ON_STAGE(test_change),        ON_STAGE(test_other_finding),
        ON_STAGE(test_back_off),      ON_STAGE(test_clock_jumps),
        ON_STAGE(test_store_refuses), ON_STAGE(test_thousand),
        ON_STAGE(test_too_many),      ON_STAGE(test_replace_and_remove),
        ON_STAGE(test_paused),        cmocka_unit_test(test_hanging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
